// Clocks the netlist of the board and writes the bytes that a receiver takes on the strobe's rising edges.
#include "netlist.cc"
#include <cstdio>
#include <cstdlib>

#define PIN(name) unsigned(top.p_system_2e_sink_2e_##name.get<unsigned>())
#define BIT(n) PIN(data_2e_buf##n##_2e_first__half) << n

int main(int argc, char **argv) {
  cxxrtl_design::p_top top;
  long clocks = argc > 1 ? atol(argv[1]) : 0;
  for (long clock = 0; clock < clocks; clock++) {
    top.p_clk12__0____io.set<unsigned>(0);
    top.step();
    if (PIN(strobe_2e_pin_2e_buf0_2e_second__half))
      putchar(BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7));
    top.p_clk12__0____io.set<unsigned>(1);
    top.step();
  }
}
