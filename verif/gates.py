"""C++ of a netlist that Yosys has reduced to gates, flip-flops and memories, for a simulation that watches every net.

CXXRTL would do, but no compiler takes ten thousand of its statements in one function; here they are plain bytes, in
functions of a few hundred.
"""

from collections.abc import Sequence
from graphlib import TopologicalSorter

from hw.netlist import MEMORY, Bit, Cell, Netlist

# What leaves nothing but GATES, flip-flops at the rising edge and memories that are read at once.
REDUCTION = (
    "opt; memory_collect; memory_nordff; opt; techmap; opt; simplemap; "
    "dfflegalize -cell $_DFF_P_ 01; simplemap; opt_expr; opt_merge; opt_clean"
)
GATES = {
    "$_NOT_": "!{A}",
    "$_BUF_": "{A}",
    "$_AND_": "{A} & {B}",
    "$_NAND_": "!({A} & {B})",
    "$_OR_": "{A} | {B}",
    "$_NOR_": "!({A} | {B})",
    "$_XOR_": "{A} ^ {B}",
    "$_XNOR_": "!({A} ^ {B})",
    "$_ANDNOT_": "{A} & !{B}",
    "$_ORNOT_": "{A} | !{B}",
    "$_MUX_": "{S} ? {B} : {A}",
    "$_NMUX_": "!({S} ? {B} : {A})",
}
FLIP_FLOP = "$_DFF_P_"
CHUNK = 400  # statements of a function


class Gates:
    """The C++ of a netlist.

    Parameters
    ----------
    netlist : Netlist
        After `REDUCTION`.
    init : dict of int to str
        Nets of flip-flops -> their first value, where it is not 0.

    Raises
    ------
    ValueError
        If there are other cells in it, or more clocks than one.
    """

    def __init__(self, netlist: Netlist, init: dict[int, str]) -> None:
        known = {*GATES, FLIP_FLOP, MEMORY}
        if other := {cell.type for cell in netlist.cells} - known:
            raise ValueError(f"{', '.join(sorted(other))}: cells that are not simulated")
        self.netlist, self.init = netlist, init
        self.flip_flops = netlist.of(FLIP_FLOP)
        self.memories = netlist.of(MEMORY)
        clocks = {bit for cell in self.flip_flops for bit in cell.inputs["C"]}
        clocks |= {bit for cell in self.memories for bit in cell.inputs["WR_CLK"]}
        if len(clocks) > 1:
            raise ValueError(f"{len(clocks)} clocks: flip-flops of one are simulated")
        self.index: dict[Bit, int] = {"0": 0, "1": 1, "x": 0, "z": 0}
        self.size = 2
        self.state = self._number([bit for cell in self.flip_flops for bit in cell.outputs["Q"]])
        self.read = [self._number(cell.outputs["RD_DATA"]) for cell in self.memories]
        self._number([bit for bits in netlist.inputs.values() for bit in bits])
        self._number([bit for cell in netlist.cells for bit in cell.driven if bit not in self.index])

    def _number(self, bits: Sequence[Bit]) -> int:
        """Give nets their places, one after the other, and return the first."""
        first = self.size
        self.index.update({bit: first + place for place, bit in enumerate(bits)})
        self.size += len(bits)
        return first

    def net(self, bit: Bit) -> str:
        """A net in C++."""
        return f"n[{self.index[bit]}]"

    def number(self, bits: Sequence[Bit]) -> str:
        """Nets read as a number."""
        return " | ".join(f"uint32_t({self.net(bit)}) << {place}" for place, bit in enumerate(bits)) or "0"

    def table(self, name: str, bits: Sequence[Bit]) -> str:
        """A table of places."""
        return f"const int {name}[] = {{{', '.join([*(str(self.index[bit]) for bit in bits), '0'])}}};"

    def statements(self) -> list[str]:
        """Gates and reads of memories, each after what it depends on."""
        producers: dict[Bit, str] = {}
        cells = {cell.name: cell for cell in self.netlist.cells if cell.type != FLIP_FLOP}
        numbers = {cell.name: number for number, cell in enumerate(self.memories)}
        for cell in cells.values():
            producers.update(dict.fromkeys(cell.driven, cell.name))
        order: TopologicalSorter[str] = TopologicalSorter()
        for cell in cells.values():
            ports = ["RD_ADDR"] if cell.type == MEMORY else list(cell.inputs)
            order.add(cell.name, *{producers[bit] for port in ports for bit in cell.inputs[port] if bit in producers})
        found = []
        for name in order.static_order():
            cell = cells[name]
            if cell.type == MEMORY:
                found += self.reads(cell, numbers[name])
            else:
                operands = {port: self.net(bits[0]) for port, bits in cell.inputs.items()}
                found.append(f"{self.net(cell.outputs['Y'][0])} = {GATES[cell.type].format(**operands)};")
        return found

    def reads(self, cell: Cell, number: int) -> list[str]:
        """Statements that read a memory."""
        width, address = cell.number("WIDTH"), cell.number("ABITS")
        return [
            f"read(n + {self.read[number] + port * width}, m.of_{number}, {width}, {cell.number('SIZE')}, "
            f"{self.number(cell.inputs['RD_ADDR'][port * address : (port + 1) * address])});"
            for port in range(cell.number("RD_PORTS"))
        ]

    def writes(self, cell: Cell, number: int) -> list[str]:
        """Statements that write a memory at the clock's edge."""
        width, address = cell.number("WIDTH"), cell.number("ABITS")
        found = []
        for port in range(cell.number("WR_PORTS")):
            at = self.number(cell.inputs["WR_ADDR"][port * address : (port + 1) * address])
            part = slice(port * width, (port + 1) * width)
            pairs = zip(cell.inputs["WR_EN"][part], cell.inputs["WR_DATA"][part], strict=True)
            bits = [
                f"if ({self.net(enable)}) m.of_{number}[at + {place}] = {self.net(value)};"
                for place, (enable, value) in enumerate(pairs)
            ]
            found.append(f"if (uint32_t at = {at}; at < {cell.number('SIZE')}) {{ at *= {width}; {' '.join(bits)} }}")
        return found

    def begin(self) -> list[str]:
        """Statements that set what is not 0 at the start."""
        found = ["n[1] = 1;"]
        found += [f"{self.net(bit)} = 1;" for bit, value in self.init.items() if value == "1" and bit in self.index]
        for number, cell in enumerate(self.memories):
            places = [place for place, bit in enumerate(reversed(cell.parameters["INIT"])) if bit == "1"]
            found += [f"m.of_{number}[{place}] = 1;" for place in places]
        return found

    def source(
        self, inputs: Sequence[Bit], outputs: Sequence[Bit], groups: Sequence[int], probes: Sequence[Bit]
    ) -> str:
        """`gates.h`: the inputs and outputs of a word, from bit 0, and the nets to watch, groups of them first."""
        statements = self.statements()
        chunks = [statements[start : start + CHUNK] for start in range(0, len(statements), CHUNK)]
        functions = [
            f"static void settle_{number}(uint8_t *n, Memory &m) {{\n{chr(10).join(chunk)}\n}}"
            for number, chunk in enumerate(chunks)
        ]
        sizes = [
            f"uint8_t of_{k}[{cell.number('SIZE') * cell.number('WIDTH')}];" for k, cell in enumerate(self.memories)
        ]
        writes = [line for number, cell in enumerate(self.memories) for line in self.writes(cell, number)]
        calls = " ".join(f"settle_{number}(n, m);" for number in range(len(chunks)))
        return "\n".join(
            [
                f"constexpr int NETS = {self.size}, PROBES = {len(probes)}, GROUPS = {len(groups)};",
                f"constexpr int INPUTS = {len(inputs)}, OUTPUTS = {len(outputs)};",
                f"constexpr int FLIP_FLOPS = {len(self.flip_flops)}, STATE = {self.state};",
                f"const int GROUP[] = {{{', '.join(map(str, [*groups, 0]))}}};",
                self.table("INPUT", inputs),
                self.table("OUTPUT", outputs),
                self.table("PROBE", probes),
                self.table("NEXT", [bit for cell in self.flip_flops for bit in cell.inputs["D"]]),
                f"struct Memory {{ {' '.join(sizes)} }};",
                "static void read(uint8_t *to, const uint8_t *from, int width, uint32_t size, uint32_t at) {",
                "    if (at < size) memcpy(to, from + at * width, width);",
                "}",
                *functions,
                f"static void settle(uint8_t *n, Memory &m) {{ {calls} }}",
                f"static void write(uint8_t *n, Memory &m) {{\n{chr(10).join(writes)}\n}}",
                f"static void begin(uint8_t *n, Memory &m) {{\n{chr(10).join(self.begin())}\n}}",
                "",
            ]
        )
