#include "softgpu/profile/explain_changes.hpp"

#include "softgpu/profile/costs.hpp"

namespace softgpu::profile {
namespace {

std::uint64_t& at(std::array<std::uint64_t, instruction_classes>& counts, InstructionClass kind) {
  return counts[static_cast<std::size_t>(kind)];
}

// Takes `share` of what the longest chains wait for off them.
void shorten(Kernel& k, Wait kind, double share) {
  const double off = share * number(waits(k.chain_waits, kind));
  const double before = number(std::max<std::uint64_t>(k.chain, 1));
  const double left = std::max(0.0, before - off) / before;
  k.chain = static_cast<std::uint64_t>(before * left);
  k.longest_chain = static_cast<std::uint64_t>(number(k.longest_chain) * left);
}

}  // namespace

void coalesce(const Situation&, After& to) {
  Counters& c = to.kernel.counters;
  const auto fewer = [](Requests& r) {
    const double share = r.sectors == 0 ? 1 : number(r.ideal_sectors) / number(r.sectors);
    const std::uint64_t missed = excess(r.sectors, r.l1_hits);
    r.sectors = std::min(r.sectors, r.ideal_sectors);
    // What neighbours read through the L1 all the same has to come once.
    r.l1_hits = excess(r.sectors, std::min(missed, r.sectors));
    r.l2_hits = static_cast<std::uint64_t>(number(r.l2_hits) * share);
  };
  fewer(c.global_load);
  fewer(c.global_store);
  const std::uint64_t sectors = c.global_load.sectors + c.global_store.sectors;
  const std::uint64_t most = 32 * std::max<std::uint64_t>(sectors, 1);
  if (to.kernel.dram_read + to.kernel.dram_write > most) {
    const double share = number(most) / number(to.kernel.dram_read + to.kernel.dram_write);
    to.kernel.dram_read = static_cast<std::uint64_t>(number(to.kernel.dram_read) * share);
    to.kernel.dram_write = static_cast<std::uint64_t>(number(to.kernel.dram_write) * share);
  }
}

void spread_over_banks(const Situation& s, After& to) {
  Counters& c = to.kernel.counters;
  const double before = number(s.c.shared_load.wavefronts + s.c.shared_store.wavefronts);
  c.shared_load.wavefronts = c.shared_load.ideal_wavefronts;
  c.shared_store.wavefronts = c.shared_store.ideal_wavefronts;
  const double after = number(c.shared_load.wavefronts + c.shared_store.wavefronts);
  if (before > 0) shorten(to.kernel, Wait::shared, 1 - after / before);
}

void fill_lanes(const Situation& s, After& to) {
  const double slots = number(s.c.warp_instructions()) * lanes_per_warp;
  const double share = slots == 0 ? 1 : number(s.c.active_lanes()) / slots;
  for (auto& count : to.kernel.counters.instructions) {
    count = static_cast<std::uint64_t>(number(count) * share);
  }
  // Accesses by few lanes become fewer accesses by all of them.
  const auto fewer = [](auto& r, std::uint64_t SharedRequests::*steps) {
    const double lanes =
        number(r.lanes) / (lanes_per_warp * number(std::max<std::uint64_t>(r.requests, 1)));
    r.*steps = static_cast<std::uint64_t>(number(r.*steps) * std::min(1.0, lanes));
  };
  for (SharedRequests* r : {&to.kernel.counters.shared_load, &to.kernel.counters.shared_store}) {
    fewer(*r, &SharedRequests::wavefronts);
    fewer(*r, &SharedRequests::ideal_wavefronts);
  }
  to.kernel.chain = static_cast<std::uint64_t>(number(to.kernel.chain) * share);
  to.kernel.longest_chain = static_cast<std::uint64_t>(number(to.kernel.longest_chain) * share);
}

void drop_local(const Situation&, After& to) {
  Counters& c = to.kernel.counters;
  auto& memory = at(c.instructions, InstructionClass::memory);
  memory = excess(memory, local_requests(c));
  c.local_load = {};
  c.local_store = {};
  shorten(to.kernel, Wait::l1, 1);
}

void spread_atomics(const Situation&, After& to) {
  to.kernel.hottest_word = 0;
  to.kernel.counters.atomic_conflicts = 0;
  auto& shared = to.kernel.counters.shared_atomic;
  shared.wavefronts = std::min(shared.wavefronts, shared.ideal_wavefronts);
  shorten(to.kernel, Wait::atomic, 1);
}

// The chain loses what one lane does alone, and what it does is done by full warps.
void use_all_lanes_at_the_end(const Situation& s, After& to) {
  const double left = 1 - number(s.kernel.alone) /
                              number(std::max<std::uint64_t>(s.kernel.chain, 1)) *
                              (1 - 1.0 / lanes_per_warp);
  fill_lanes(s, to);
  to.kernel.chain = static_cast<std::uint64_t>(number(s.kernel.chain) * left);
  to.kernel.longest_chain = static_cast<std::uint64_t>(number(s.kernel.longest_chain) * left);
}

void use_float(const Situation& s, After& to) {
  Counters& c = to.kernel.counters;
  at(c.instructions, InstructionClass::fp32) += at(c.instructions, InstructionClass::fp64);
  at(c.instructions, InstructionClass::fp64) = 0;
  auto& conversions = at(c.instructions, InstructionClass::conversion);
  conversions = excess(conversions, 2 * c.conversions_to_double / lanes_per_warp);
  c.flops[f32] += c.flops[f64];
  c.flops[f64] = 0;
  const DeviceCosts& costs = costs_of(s.device.key);
  shorten(to.kernel, Wait::arithmetic,
          1 - static_cast<double>(costs.arithmetic) / costs.double_arithmetic);
}

void load_vectors(const Situation&, After& to) {
  Counters& c = to.kernel.counters;
  const std::uint64_t fewer = std::min(c.adjacent_loads, c.global_load.requests);
  const double share =
      1 - number(fewer) / number(std::max<std::uint64_t>(1, c.global_load.requests));
  auto& memory = at(c.instructions, InstructionClass::memory);
  memory = excess(memory, fewer);
  c.global_load.requests -= fewer;
  c.global_load.sectors = static_cast<std::uint64_t>(number(c.global_load.sectors) * share);
  c.global_load.l1_hits = static_cast<std::uint64_t>(number(c.global_load.l1_hits) * share);
}

// Loads that the L1 cache answered come from shared memory, four at a time.
void keep_in_shared(const Situation& s, After& to) {
  Counters& c = to.kernel.counters;
  const std::uint64_t hits = std::min(c.global_load.l1_hits, c.global_load.sectors);
  const double share = number(hits) / number(std::max<std::uint64_t>(c.global_load.sectors, 1));
  const auto fewer = static_cast<std::uint64_t>(number(c.global_load.requests) * share);
  c.shared_load.wavefronts += fewer / 4;
  c.global_load.requests -= fewer;
  c.global_load.sectors -= hits;
  c.global_load.l1_hits = 0;
  auto& memory = at(c.instructions, InstructionClass::memory);
  memory = excess(memory, fewer - fewer / 4);
  const DeviceCosts& costs = costs_of(s.device.key);
  shorten(to.kernel, Wait::l1, 1 - 0.25 * costs.shared / costs.l1);
}

// Four results of a thread share what one loads now.
void keep_in_registers(const Situation&, After& to) {
  Counters& c = to.kernel.counters;
  const std::uint64_t fewer = c.shared_load.requests * 3 / 4;
  auto& memory = at(c.instructions, InstructionClass::memory);
  memory = excess(memory, fewer);
  c.shared_load.requests -= fewer;
  c.shared_load.wavefronts /= 4;
  c.shared_load.ideal_wavefronts /= 4;
  shorten(to.kernel, Wait::shared, 0.75);
}

// What warps exchange among their lanes needs no barrier; one of the block remains.
void exchange_in_warps(const Situation& s, After& to) {
  Counters& c = to.kernel.counters;
  const double warps = number(s.kernel.blocks() * s.kernel.launches) * s.kernel.warps_per_block();
  const double left = std::min(1.0, warps / number(std::max<std::uint64_t>(s.c.barriers, 1)));
  auto& barriers = at(c.instructions, InstructionClass::barrier);
  barriers = static_cast<std::uint64_t>(number(barriers) * left);
  for (SharedRequests* r : {&c.shared_load, &c.shared_store}) {
    r->wavefronts = static_cast<std::uint64_t>(number(r->wavefronts) * left);
    r->ideal_wavefronts = static_cast<std::uint64_t>(number(r->ideal_wavefronts) * left);
  }
  shorten(to.kernel, Wait::barrier, 1 - left);
}

// A block adds up what it has and adds it to global memory once.
void add_up_in_blocks(const Situation&, After& to) {
  Requests& r = to.kernel.counters.global_atomic;
  r.requests /= 8;
  r.sectors /= 8;
  r.l2_hits /= 8;
  to.kernel.hottest_word /= 8;
  shorten(to.kernel, Wait::atomic, 1);
}

void drop_barriers(const Situation& s, After& to) {
  shorten(to.kernel, Wait::barrier,
          number(s.c.redundant_barriers) / number(std::max<std::uint64_t>(s.c.barriers, 1)));
  auto& barriers = at(to.kernel.counters.instructions, InstructionClass::barrier);
  barriers = excess(barriers, s.c.redundant_barriers);
}

}  // namespace softgpu::profile
