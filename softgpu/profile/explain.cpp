#include "softgpu/profile/explain.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "softgpu/profile/explain_changes.hpp"

namespace softgpu::profile {
namespace {

template <class... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 320> line{};
  (void)std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

std::uint64_t global_excess(const Counters& c) {
  return excess(c.global_load.sectors, c.global_load.ideal_sectors) +
         excess(c.global_store.sectors, c.global_store.ideal_sectors);
}
std::uint64_t shared_excess(const Counters& c) {
  return excess(c.shared_load.wavefronts, c.shared_load.ideal_wavefronts) +
         excess(c.shared_store.wavefronts, c.shared_store.ideal_wavefronts);
}
// Lanes of all instructions that were not active, whether elsewhere or switched off by a guard.
std::uint64_t idle_lanes(const Counters& c) {
  return excess(c.warp_instructions() * lanes_per_warp, c.active_lanes());
}

struct Rule {
  std::string_view name;
  bool (*holds)(const Situation&);
  std::string (*what)(const Situation&);
  std::string_view change;
  void (*improve)(const Situation&, After&);
  // What the line that is meant has most of; nullptr where none is meant.
  std::uint64_t (*weight)(const Counters&);
};

// --- the table -----------------------------------------------------------------------------------

constexpr double much = 1.25;  // sectors or wavefronts over the ideal, that are worth a word

const std::array rules{
    Rule{"uncoalesced",
         [](const Situation& s) {
           const std::uint64_t ideal =
               s.c.global_load.ideal_sectors + s.c.global_store.ideal_sectors;
           // Lanes that are at most 16 bytes apart and load one after the other: vectors mend that.
           if (s.c.adjacent_loads * 2 > s.c.global_load.requests &&
               number(s.c.global_load.sectors) <= 4.5 * number(s.c.global_load.ideal_sectors)) {
             return false;
           }
           return number(global_excess(s.c)) > (much - 1) * number(ideal);
         },
         [](const Situation& s) {
           const Requests& load = s.c.global_load;
           const Requests& store = s.c.global_store;
           const bool of_loads = excess(load.sectors, load.ideal_sectors) >=
                                 excess(store.sectors, store.ideal_sectors);
           const Requests& r = of_loads ? load : store;
           const double requests = number(std::max<std::uint64_t>(r.requests, 1));
           return text(
               "%s of global memory are not coalesced: a request moves %.1f sectors of 32 "
               "bytes where %.1f would hold what its lanes ask for.",
               of_loads ? "Loads" : "Stores", number(r.sectors) / requests,
               number(r.ideal_sectors) / requests);
         },
         "Let neighbouring lanes (threadIdx.x) use neighbouring elements; where the layout forbids "
         "it, bring a tile to shared memory by rows and turn it there.",
         coalesce, global_excess},
    Rule{
        "bank-conflicts",
        [](const Situation& s) {
          return number(shared_excess(s.c)) >
                 (much - 1) *
                     number(s.c.shared_load.ideal_wavefronts + s.c.shared_store.ideal_wavefronts);
        },
        [](const Situation& s) {
          const SharedRequests& load = s.c.shared_load;
          const SharedRequests& store = s.c.shared_store;
          const bool of_loads = excess(load.wavefronts, load.ideal_wavefronts) >=
                                excess(store.wavefronts, store.ideal_wavefronts);
          const SharedRequests& r = of_loads ? load : store;
          return text(
              "Lanes want different words of one bank of shared memory: %s take %.1f "
              "wavefronts where one would do.",
              of_loads ? "loads" : "stores",
              number(r.wavefronts) / number(std::max<std::uint64_t>(1, r.ideal_wavefronts)));
        },
        "Pad the rows of the tile by one element (tile[32][33]), or permute columns by the row, so "
        "that the lanes of a warp fall into 32 banks.",
        spread_over_banks, shared_excess},
    Rule{"serial-tail", [](const Situation& s) { return s.kernel.alone * 5 > s.kernel.chain; },
         [](const Situation& s) {
           return text(
               "For %.0f of 100 cycles of the longest chain one lane works alone.",
               100 * number(s.kernel.alone) / number(std::max<std::uint64_t>(s.kernel.chain, 1)));
         },
         "Share that part among lanes: a tree over the warp (shuffles) or the block instead of a "
         "loop of one thread.",
         use_all_lanes_at_the_end, idle_lanes},
    Rule{"divergence",
         [](const Situation& s) {
           const double slots = number(s.c.warp_instructions()) * lanes_per_warp;
           // One branch after which a lane goes on alone is a serial tail, and none of this.
           return number(s.c.divergent) > 0.05 * number(s.c.branches) && slots > 0 &&
                  number(s.c.active_lanes()) < 0.8 * slots;
         },
         [](const Situation& s) {
           return text(
               "%.0f of 100 branches send lanes of a warp to different places, and %.1f of 32 "
               "lanes are active on average.",
               100 * number(s.c.divergent) / number(std::max<std::uint64_t>(s.c.branches, 1)),
               number(s.c.active_lanes()) /
                   number(std::max<std::uint64_t>(s.c.warp_instructions(), 1)));
         },
         "Give lanes of a warp the same way: decide by warp instead of by lane, sort the work by "
         "its kind, or compute both sides and select.",
         fill_lanes, idle_lanes},
    Rule{"low-occupancy",
         [](const Situation& s) {
           return s.now.bound == "latency" && s.now.occupancy.share() < 0.6 &&
                  s.now.waves * s.now.occupancy.share() > 0.5;
         },
         [](const Situation& s) {
           return text(
               "A multiprocessor holds %d of %d warps, limited by %s; while they wait, nothing "
               "else runs.",
               s.now.occupancy.warps, s.now.occupancy.most_warps,
               std::string(s.now.occupancy.limiter()).c_str());
         },
         "Let more blocks fit: fewer registers (__launch_bounds__), less shared memory per block, "
         "or another block size; or give each thread independent work (unrolling).",
         [](const Situation&, After& to) { to.assume.full_occupancy = true; }, nullptr},
    Rule{"local-memory",
         [](const Situation& s) {
           return s.kernel.spill_bytes != 0 || local_requests(s.c) * 20 > s.c.warp_instructions();
         },
         [](const Situation& s) {
           return s.kernel.spill_bytes != 0
                      ? text("Registers are spilled: %llu bytes of a thread, as ptxas says.",
                             static_cast<unsigned long long>(s.kernel.spill_bytes))
                      : text(
                            "%.0f of 100 instructions use local memory: an array of the thread is "
                            "not in registers.",
                            100 * number(local_requests(s.c)) /
                                number(std::max<std::uint64_t>(1, s.c.warp_instructions())));
         },
         "Index such arrays by constants only (unroll the loops wholly), make them smaller, or put "
         "them into shared memory; for spills, allow more registers or keep fewer values alive.",
         drop_local, local_requests},
    Rule{"one-word-atomics",
         [](const Situation& s) {
           const std::uint64_t lanes = s.c.global_atomic.lanes + s.c.shared_atomic.lanes;
           return s.c.atomic_conflicts * 4 > lanes && lanes != 0;
         },
         [](const Situation& s) {
           return text(
               "Of 100 lanes of atomics %.0f name a word that another lane of their warp names "
               "too; the busiest word of global memory takes %llu in a launch, one by one.",
               100 * number(s.c.atomic_conflicts) /
                   number(std::max<std::uint64_t>(
                       1, s.c.global_atomic.lanes + s.c.shared_atomic.lanes)),
               static_cast<unsigned long long>(s.kernel.hottest_word));
         },
         "Add up in registers and in the warp first (__reduce_add_sync, shuffles), then in shared "
         "memory, and let one thread of a block do one atomic.",
         spread_atomics, [](const Counters& c) { return c.atomic_conflicts; }},
    Rule{"global-atomics",
         [](const Situation& s) {
           const std::uint64_t others = s.c.global_load.sectors + s.c.global_store.sectors;
           return s.c.global_atomic.sectors * 4 > others && s.c.global_atomic.lanes > 32 * 32;
         },
         [](const Situation& s) {
           return text(
               "%llu lanes of atomics on global memory move %.0f of 100 sectors of its traffic.",
               static_cast<unsigned long long>(s.c.global_atomic.lanes),
               100 * number(s.c.global_atomic.sectors) /
                   number(std::max<std::uint64_t>(1, s.c.global_atomic.sectors +
                                                         s.c.global_load.sectors +
                                                         s.c.global_store.sectors)));
         },
         "Add up in shared memory what a block has, over many elements, and add each of its words "
         "to "
         "global memory once.",
         add_up_in_blocks, [](const Counters& c) { return c.global_atomic.sectors; }},
    Rule{"repeated-loads",
         [](const Situation& s) {
           const Requests& load = s.c.global_load;
           // Sectors that need not be asked for at all come first.
           return load.l1_hits * 8 > load.sectors * 7 &&
                  load.requests * 10 > s.c.warp_instructions() &&
                  number(load.sectors) < 2 * number(load.ideal_sectors);
         },
         [](const Situation& s) {
           const Requests& load = s.c.global_load;
           return text(
               "Of 100 sectors that loads of global memory ask for, %.0f come from the L1 cache: "
               "threads of a block load the same bytes again and again.",
               100 * number(load.l1_hits) / number(std::max<std::uint64_t>(1, load.sectors)));
         },
         "Let a block load each of them once, into a tile of shared memory, and each thread take "
         "several from there at a time.",
         keep_in_shared, [](const Counters& c) { return c.global_load.l1_hits; }},
    Rule{
        "shared-traffic",
        [](const Situation& s) {
          const std::uint64_t arithmetic =
              s.c.instructions[static_cast<std::size_t>(InstructionClass::fp32)];
          return arithmetic != 0 && s.c.shared_load.requests * 3 > arithmetic &&
                 s.c.shared_load.requests * 5 > s.c.warp_instructions();
        },
        [](const Situation& s) {
          return text(
              "%.1f loads of shared memory come with each instruction of single-precision "
              "arithmetic: operands are used once where they could be used several times.",
              number(s.c.shared_load.requests) /
                  number(std::max<std::uint64_t>(
                      1, s.c.instructions[static_cast<std::size_t>(InstructionClass::fp32)])));
        },
        "Let each thread work out several results, a tile of them in registers, and load what they "
        "share once, as vectors.",
        keep_in_registers, [](const Counters& c) { return c.shared_load.wavefronts; }},
    Rule{
        "barrier-waits",
        [](const Situation& s) {
          const double warps =
              number(s.kernel.blocks() * s.kernel.launches) * s.kernel.warps_per_block();
          // Where many are needless, leaving these out comes first.
          return number(s.c.barriers) > 6 * warps && s.c.redundant_barriers * 5 <= s.c.barriers;
        },
        [](const Situation& s) {
          const double warps =
              number(s.kernel.blocks() * s.kernel.launches) * s.kernel.warps_per_block();
          return text(
              "A warp comes to %.0f barriers, and waits there for %.0f of 100 cycles of the "
              "longest "
              "chain.",
              number(s.c.barriers) / warps,
              100 * number(waits(s.kernel.chain_waits, Wait::barrier)) /
                  number(std::max<std::uint64_t>(s.kernel.chain, 1)));
        },
        "Let the lanes of a warp exchange values by shuffles, several elements a thread, so that a "
        "block needs one barrier, or a warp has a problem of its own and none.",
        exchange_in_warps, [](const Counters& c) { return c.barriers; }},
    Rule{"too-little-work",
         [](const Situation& s) { return s.now.waves < 1 || s.now.balance > 1.15; },
         [](const Situation& s) {
           return text(
               "%llu blocks of %u threads fill %.2f rounds of the device's %d "
               "multiprocessors; in the last round most of them have nothing to do.",
               static_cast<unsigned long long>(s.kernel.blocks()), s.kernel.threads(), s.now.waves,
               s.device.multiprocessors);
         },
         "Give the launch more or smaller blocks: let several threads share what one does now, or "
         "work "
         "on several problems at a time; or leave a problem of this size to the CPU.",
         [](const Situation&, After& to) { to.assume.enough_blocks = true; }, nullptr},
    Rule{"double-for-float",
         [](const Situation& s) {
           return s.c.conversions_to_double != 0 && s.c.flops[f64] + s.c.special[f64] != 0;
         },
         [](const Situation& s) {
           return text(
               "Single-precision values are converted to double %llu times and computed with "
               "there: a constant without f (0.5), or sqrt for sqrtf, makes an expression "
               "double.",
               static_cast<unsigned long long>(s.c.conversions_to_double));
         },
         "Write 0.5f, sqrtf, expf where single precision is enough.", use_float,
         [](const Counters& c) { return c.conversions_to_double; }},
    Rule{"missing-vector-loads",
         [](const Situation& s) { return s.c.adjacent_loads * 5 > s.c.global_load.requests; },
         [](const Situation& s) {
           return text(
               "%.0f of 100 loads read what lies right behind the bytes that the same lanes "
               "loaded before.",
               100 * number(s.c.adjacent_loads) /
                   number(std::max<std::uint64_t>(s.c.global_load.requests, 1)));
         },
         "Load them together as float2 or float4 (the address has to be a multiple of its size).",
         load_vectors, [](const Counters& c) { return c.adjacent_loads; }},
    Rule{"redundant-barrier",
         [](const Situation& s) { return s.c.redundant_barriers * 5 > s.c.barriers; },
         [](const Situation& s) {
           return text(
               "Before %.0f of 100 barriers no thread of the block has touched memory since "
               "the barrier before.",
               100 * number(s.c.redundant_barriers) /
                   number(std::max<std::uint64_t>(s.c.barriers, 1)));
         },
         "Leave these barriers out; tandem gpu check tells when one was needed.", drop_barriers,
         [](const Counters& c) { return c.redundant_barriers; }},
};

// A gain below this is not worth a change by itself; what is wrong in kind is said all the same.
constexpr double least_gain = 1.02;

}  // namespace

Explanation explain(const Kernel& kernel, const DeviceModel& device) {
  Explanation result;
  result.now = estimate(kernel, device);
  const Situation situation{kernel, kernel.counters, result.now, device};
  for (const Rule& rule : rules) {
    if (!rule.holds(situation)) continue;
    After after{kernel, {}};
    rule.improve(situation, after);
    const Estimate then = estimate(after.kernel, device, after.assume);
    Advice advice;
    advice.rule = rule.name;
    advice.what = rule.what(situation);
    advice.change = rule.change;
    advice.at_most = then.seconds > 0 ? result.now.seconds / then.seconds : 1;
    if (advice.at_most < least_gain) continue;
    const Line* most = nullptr;
    for (const Line& line : kernel.lines) {
      if (rule.weight == nullptr) break;
      if (line.line == 0) continue;
      if (most == nullptr || rule.weight(line.counters) > rule.weight(most->counters)) most = &line;
    }
    if (most != nullptr && rule.weight(most->counters) != 0) {
      advice.file = most->file;
      advice.line = most->line;
      advice.text = most->text;
    }
    result.advice.push_back(std::move(advice));
  }
  std::ranges::stable_sort(result.advice,
                           [](const Advice& a, const Advice& b) { return a.at_most > b.at_most; });
  return result;
}

std::vector<std::string_view> rule_names() {
  std::vector<std::string_view> names;
  for (const Rule& rule : rules) names.push_back(rule.name);
  return names;
}

}  // namespace softgpu::profile
