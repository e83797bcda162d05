// Clocks the netlist of the board and writes the bytes that a receiver takes on the strobe's rising edges. What comes on
// standard input is sent to the UART's pin. Arguments: clocks, clocks of a bit.
#include "netlist.cc"
#include <cstdio>
#include <cstdlib>

#define PIN(name) unsigned(top.p_system_2e_sink_2e_##name.get<unsigned>())
#define BIT(n) PIN(data_2e_buf##n##_2e_first__half) << n
#define START 1000  // clocks after which the UART's first byte comes

int main(int argc, char **argv) {
  if (argc != 3) return 1;
  cxxrtl_design::p_top top;
  long clocks = atol(argv[1]), bit_clocks = atol(argv[2]), next_bit = START;
  unsigned frame = 1;  // bits to send, the next one lowest, and a 1 above them
  top.p_button__0____io.set<unsigned>(1);
#ifdef UART
  top.p_uart__0____rx____io.set<unsigned>(1);
#endif
  top.p_packets__0____ready____io.set<unsigned>(1);
  for (long clock = 0; clock < clocks; clock++) {
#ifdef UART
    if (clock == next_bit) {
      int byte = frame == 1 ? getchar() : EOF;
      if (byte != EOF) frame = 3u << 9 | byte << 1;
      if (frame != 1) {
        top.p_uart__0____rx____io.set<unsigned>(frame & 1);
        frame >>= 1;
      }
      next_bit += bit_clocks;
    }
#endif
    top.p_clk12__0____io.set<unsigned>(0);
    top.step();
    if (PIN(strobe_2e_pin_2e_buf0_2e_second__half))
      putchar(BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7));
    top.p_clk12__0____io.set<unsigned>(1);
    top.step();
  }
}
