// Pairs of factors on standard input, 16 bits each; for each pair, on standard output, the products after a clock in which
// they are taken, and after another in which others wait.
#include "multipliers.cc"
#include <cstdio>

int main() {
  cxxrtl_design::p_top top;
  uint16_t pair[2];
  auto clock = [&](unsigned a, unsigned b, bool advance) {
    top.p_a.set<unsigned>(a);
    top.p_b.set<unsigned>(b);
    top.p_advance.set<bool>(advance);
    for (bool level : {true, false}) {
      top.p_clk.set<bool>(level);
      top.step();
    }
    fwrite(top.p_o.data, sizeof top.p_o.data, 1, stdout);
  };
  while (fread(pair, sizeof pair, 1, stdin)) {
    clock(pair[0], pair[1], true);
    clock(~pair[0], ~pair[1], false);
  }
}
