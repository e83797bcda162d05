"""Files: WAV recordings in and out byte for byte, and the compressed container.

`wav` and `codes` turn a recording into codes and back; `container` holds streams of packets and restores every
original file; `capture` reads bare packets as the hardware sends them.
"""

from typing import Final

DEFAULT_PROFILE: Final = "calibrated"  # of what is written where nobody chooses
