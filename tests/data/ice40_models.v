// Simulation models of the blocks that yosys' own do not suit: pins with their registers, the PLL (a wire), the large
// memory. HIGH and LOW of a pin are no ports of the device: what it drives while the clock is high, and while it is low.

module SB_IO(
  input PACKAGE_PIN, LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0, D_OUT_1,
  output D_IN_0, D_IN_1, HIGH, LOW
);
  parameter [5:0] PIN_TYPE = 0;
  parameter PULLUP = 0;
  parameter NEG_TRIGGER = 0;
  parameter IO_STANDARD = "SB_LVCMOS";
  reg in = 1;
  reg out = 0;
  always @(posedge INPUT_CLK) in <= PACKAGE_PIN;
  always @(posedge OUTPUT_CLK) out <= D_OUT_0;
  assign D_IN_0 = in;
  assign D_IN_1 = 1'b0;
  assign HIGH = out;
  assign LOW = PIN_TYPE[2] ? out : D_OUT_1;  // without bit 2 both edges drive; the falling one takes D_OUT_1 at once
endmodule

module SB_GB_IO(
  input PACKAGE_PIN, LATCH_INPUT_VALUE, CLOCK_ENABLE, INPUT_CLK, OUTPUT_CLK, OUTPUT_ENABLE, D_OUT_0, D_OUT_1,
  output GLOBAL_BUFFER_OUTPUT, D_IN_0, D_IN_1
);
  parameter [5:0] PIN_TYPE = 0;
  parameter PULLUP = 0;
  parameter NEG_TRIGGER = 0;
  parameter IO_STANDARD = "SB_LVCMOS";
  assign GLOBAL_BUFFER_OUTPUT = PACKAGE_PIN;
  assign D_IN_0 = PACKAGE_PIN;
  assign D_IN_1 = 1'b0;
endmodule

module SB_PLL40_PAD(
  input PACKAGEPIN, BYPASS, RESETB,
  output PLLOUTGLOBAL, LOCK
);
  parameter FEEDBACK_PATH = "SIMPLE";
  parameter DIVR = 0;
  parameter DIVF = 0;
  parameter DIVQ = 0;
  parameter FILTER_RANGE = 0;
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = RESETB & ~BYPASS;
endmodule

module SB_SPRAM256KA(
  input [13:0] ADDRESS,
  input [15:0] DATAIN,
  input [3:0] MASKWREN,
  input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
  output reg [15:0] DATAOUT
);
  reg [15:0] mem [0:16383];
  always @(posedge CLOCK)
    if (CHIPSELECT & POWEROFF & ~SLEEP & ~STANDBY) begin
      if (WREN & MASKWREN == 4'b1111) mem[ADDRESS] <= DATAIN;
      DATAOUT <= WREN ? 16'hdead : mem[ADDRESS];  // after a write the output is not defined
    end
endmodule
