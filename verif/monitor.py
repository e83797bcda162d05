"""What is checked on every stream of every testbench, whatever the testbench is about."""

from dataclasses import dataclass, field


@dataclass
class StreamMonitor:
    """Watches one stream, a clock at a time.

    While `valid & ~ready`, `valid` must stay high and the payload must hold. A reset ends the obligation.

    Parameters
    ----------
    name : str
    always_ready : bool
        Demand `ready` on every clock.
    """

    name: str
    always_ready: bool = False
    violations: list[str] = field(default_factory=list)
    _clock: int = 0
    _held: int | None = None

    def observe(self, *, valid: bool, ready: bool, payload: int, reset: bool = False) -> None:
        """What the stream shows just before the edge that ends this clock."""
        if self.always_ready and not ready and not reset:
            self._complain("ready is low")
        if self._held is not None and not reset:
            if not valid:
                self._complain("valid was withdrawn before ready")
            elif payload != self._held:
                self._complain(f"payload changed from {self._held:#x} to {payload:#x} before ready")
        self._held = payload if valid and not ready and not reset else None
        self._clock += 1

    def _complain(self, what: str) -> None:
        self.violations.append(f"{self.name}, clock {self._clock}: {what}")
