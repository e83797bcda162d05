// SB_SPRAM256KA as far as it is used, for simulation: the library's own clears 16384 words when its power goes, which
// neither happens here nor compiles. A write leaves DATAOUT as it was; the device leaves it undefined.
module SB_SPRAM256KA (
    input [13:0] ADDRESS,
    input [15:0] DATAIN,
    input [3:0] MASKWREN,
    input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
    output reg [15:0] DATAOUT
);
    reg [15:0] memory [0:16383];
    wire [15:0] mask = {{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};
    integer i;
    always @(posedge CLOCK)
        if (CHIPSELECT) begin
            for (i = 0; i < 16; i = i + 1)
                if (WREN && mask[i]) memory[ADDRESS][i] <= DATAIN[i];
            if (!WREN) DATAOUT <= memory[ADDRESS];
        end
endmodule
