// Plays whole stimuli (verif/stimulus.py) through the CXXRTL form of the core and gathers what comes out.
// Stream rules are those of verif/monitor.py; the flags of a word are given by the build (-D).

#include <cstdint>

#include "core.cc"

namespace {

struct Simulation {
    cxxrtl_design::p_core core;
    bool seen_valid = false;   // m_axis_tvalid on the clock before
    bool held = false;         // valid and not ready on the clock before
    uint32_t payload = 0;      // of that clock
    bool takes = true;         // p_axis_tready on the clock before
    int64_t violations[3] = {0, 0, 0};  // ready low, valid withdrawn, payload changed
};

}  // namespace

extern "C" {

Simulation *simulation_new() { return new Simulation(); }

void simulation_delete(Simulation *s) { delete s; }

// Plays `clocks` words; stores the bytes handed over (bit 8 is tlast), at most one a clock, and their clocks, counted
// from `origin`. Returns their number; likewise the clocks in which words of parameter sets were taken, and those in
// which their port became ready.
int64_t simulation_play(Simulation *s, const uint32_t *words, int64_t clocks, int64_t origin, uint16_t *bytes,
                        int64_t *times, int64_t *taken, int64_t *again, int64_t *counts) {
    auto &core = s->core;
    int64_t count = 0;
    for (int64_t clock = 0; clock < clocks; clock++) {
        const uint32_t word = words[clock];
        const bool reset = word & RESET;
        const bool ready = (word & READY) && (!(word & SHY) || s->seen_valid);
        core.p_clk.set<bool>(false);
        core.p_rst.set<bool>(reset);
        core.p_enable.set<bool>(word & ENABLE);
        core.p_s__axis__tdata.set<uint16_t>(word & 0xFFFF);
        core.p_s__axis__tvalid.set<bool>((word & VALID) && (!(word & PARAMETER) || (word & BOTH)));
        core.p_s__axis__tuser.set<bool>(word & MARK);
#ifdef PARAMETERISED
        core.p_p__axis__tdata.set<uint16_t>(word & 0xFFFF);
        core.p_p__axis__tvalid.set<bool>((word & VALID) && (word & PARAMETER));
        core.p_p__axis__tuser.set<bool>(word & MARK);
#endif
        core.p_m__axis__tready.set<bool>(ready);
        core.step();
        const bool valid = core.p_m__axis__tvalid.get<bool>();
        const uint32_t payload = core.p_m__axis__tdata.get<uint32_t>() | core.p_m__axis__tlast.get<uint32_t>() << 8;
        if (!reset) {
            s->violations[0] += !core.p_s__axis__tready.get<bool>();
            s->violations[1] += s->held && !valid;
            s->violations[2] += s->held && valid && payload != s->payload;
#ifdef PARAMETERISED
            const bool takes = core.p_p__axis__tready.get<bool>();
            if (core.p_p__axis__tvalid.get<bool>() && takes) taken[counts[0]++] = origin + clock;
            if (takes && !s->takes) again[counts[1]++] = origin + clock;
            s->takes = takes;
#endif
            if (valid && ready) {
                bytes[count] = payload;
                times[count++] = origin + clock;
            }
        }
        s->seen_valid = valid;
        s->held = valid && !ready && !reset;
        s->payload = payload;
        core.p_clk.set<bool>(true);
        core.step();
    }
    return count;
}

void simulation_violations(const Simulation *s, int64_t *out) {
    for (int i = 0; i < 3; i++) out[i] = s->violations[i];
}

int32_t simulation_loaded(const Simulation *s) {
#ifdef PARAMETERISED
    return s->core.p_loaded.get<bool>();
#else
    return 0;
#endif
}

void simulation_counters(const Simulation *s, uint32_t *out) {
    for (auto counter : {COUNTERS}) *out++ = (s->core.*counter).get<uint32_t>();
}
}
