// Plays whole stimuli (verif/activity.py) through a netlist of gates, a byte a net, and counts what its nets do.
// gates.h is generated: sizes, tables, settle() and its memories' write().

#include <cstdint>
#include <cstring>

#include "gates.h"

namespace {

struct Simulation {
    uint8_t nets[NETS];
    Memory memory;
    uint8_t before[PROBES];
    int64_t clocks;
    int64_t toggles[PROBES], ones[PROBES], together[GROUPS + 1];
};

void count(Simulation *s) {
    static uint8_t moved[PROBES];
    for (int i = 0; i < PROBES; i++) {
        const uint8_t now = s->nets[PROBE[i]];
        moved[i] = now ^ s->before[i];
        s->toggles[i] += moved[i];
        s->ones[i] += now;
    }
    for (int g = 0, i = 0; g < GROUPS; g++) {  // groups come first among the probes
        uint8_t any = 0;
        for (const int end = i + GROUP[g]; i < end; i++) any |= moved[i];
        s->together[g] += any;
    }
    s->clocks++;
}

void edge(Simulation *s) {
    static uint8_t next[FLIP_FLOPS + 1];
    for (int i = 0; i < FLIP_FLOPS; i++) next[i] = s->nets[NEXT[i]];
    write(s->nets, s->memory);
    memcpy(s->nets + STATE, next, FLIP_FLOPS);
}

}  // namespace

extern "C" {

Simulation *simulation_new() {
    auto *s = new Simulation();
    begin(s->nets, s->memory);
    return s;
}

void simulation_delete(Simulation *s) { delete s; }

// Plays `clocks` words, bit by bit the inputs, and stores the outputs as they are before each edge. Nets are compared
// with those of the clock before, settled, just before the edge; the clocks count if `counted`.
void simulation_play(Simulation *s, const uint64_t *words, int64_t clocks, bool counted, uint64_t *outputs) {
    for (int64_t clock = 0; clock < clocks; clock++) {
        for (int i = 0; i < INPUTS; i++) s->nets[INPUT[i]] = words[clock] >> i & 1;
        settle(s->nets, s->memory);
        outputs[clock] = 0;
        for (int i = 0; i < OUTPUTS; i++) outputs[clock] |= uint64_t(s->nets[OUTPUT[i]]) << i;
        if (counted) count(s);
        for (int i = 0; i < PROBES; i++) s->before[i] = s->nets[PROBE[i]];
        edge(s);
    }
}

// Copies the counts and returns the number of clocks.
int64_t simulation_counts(const Simulation *s, int64_t *toggles, int64_t *ones, int64_t *together) {
    memcpy(toggles, s->toggles, sizeof s->toggles);
    memcpy(ones, s->ones, sizeof s->ones);
    memcpy(together, s->together, GROUPS * sizeof *together);
    return s->clocks;
}
}
