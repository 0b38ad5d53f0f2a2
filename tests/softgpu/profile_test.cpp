// Kernels whose profile can be worked out by hand.
#include "softgpu/profile/profile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "softgpu/models.hpp"
#include "softgpu/profile/cache.hpp"
#include "softgpu/profile/costs.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/profiled_launch.hpp"
#include "tests/softgpu/kernel.hpp"

namespace softgpu::profile {
namespace {

using test::Buffer;
using test::Parameters;

// A kernel "k" whose thread of the grid is %i and of the block %t, with data at %data and the
// result at %out.
std::string kernel_of(const std::string& body) {
  return std::string(test::module_head()) + R"(
.visible .entry k(.param .u64 p_data, .param .u64 p_out)
{
  .reg .b32 %i, %t, %n, %u, %v, %x, %y;
  .reg .b64 %data, %out, %at, %to;
  .reg .f32 %f<8>;
  .reg .f64 %g<4>;
  .reg .pred %p, %q;
  .shared .align 16 .b8 space[16384];
  ld.param.u64 %data, [p_data]; ld.param.u64 %out, [p_out];
  mov.u32 %t, %tid.x; mov.u32 %n, %ntid.x; mov.u32 %i, %ctaid.x;
  mad.lo.u32 %i, %i, %n, %t;
)" + body +
         "\n  ret;\n}\n";
}

Kernel profile(const std::string& body, std::uint32_t blocks, std::uint32_t threads,
               std::size_t bytes = std::size_t{1} << 16) {
  profile_launches(true);
  Buffer data(bytes, 4096);
  Buffer out(bytes, 4096);
  Program program({kernel_of(body)}, 0);
  Launch launch;
  launch.code = program.kernel("k");
  launch.program = &program;
  launch.grid.x = blocks;
  launch.threads.x = threads;
  launch.parameters = Parameters().add(data.address()).add(out.address()).bytes();
  const Fault fault = run_kernel(launch);
  EXPECT_EQ(fault.code, 0) << fault.message;
  Kernel kernel = last_profiled();
  profile_launches(false);
  return kernel;
}

// The addresses of element %i, times `stride`, of float arrays: %at of the data, %to of the result.
std::string addresses(int stride = 1) {
  return "  mul.wide.u32 %to, %i, 4; add.u64 %to, %to, %out;\n  mul.lo.u32 %u, %i, " +
         std::to_string(stride) + ";\n  mul.wide.u32 %at, %u, 4; add.u64 %at, %at, %data;\n";
}

std::uint64_t of(const std::array<std::uint64_t, instruction_classes>& counts,
                 InstructionClass kind) {
  return counts[static_cast<std::size_t>(kind)];
}

// 4 blocks of 256 threads are 32 warps. Each loads 32 floats one after the other: 128 bytes, which
// are 4 sectors, of which none was read before: all come from memory. Stores alike.
TEST(Profile, ACopyMovesItsBytesOnce) {
  test::for_each_instruction_set([](const char* set) {
    SCOPED_TRACE(set);
    const Kernel k =
        profile(addresses() + "  ld.global.f32 %f1, [%at]; st.global.f32 [%to], %f1;", 4, 256);
    const Counters& c = k.counters;
    EXPECT_EQ(c.global_load.requests, 32U);
    EXPECT_EQ(c.global_load.lanes, 1024U);
    EXPECT_EQ(c.global_load.bytes, 4096U);
    EXPECT_EQ(c.global_load.sectors, 128U);
    EXPECT_EQ(c.global_load.ideal_sectors, 128U);
    EXPECT_EQ(c.global_load.l1_hits, 0U);
    EXPECT_EQ(c.global_load.l2_hits, 0U);
    EXPECT_EQ(c.global_store.sectors, 128U);
    EXPECT_EQ(k.dram_read, 4096U);
    // 2 ld.param, ld, st of class memory; mul.wide twice, add twice, mul, mad of class integer.
    EXPECT_EQ(of(c.instructions, InstructionClass::memory), 32U * 4);
    EXPECT_EQ(of(c.instructions, InstructionClass::integer), 32U * 6);
    EXPECT_EQ(of(c.thread_instructions, InstructionClass::integer), 1024U * 6);
    EXPECT_EQ(k.launches, 1U);
    EXPECT_EQ(k.blocks(), 4U);
  });
}

// Every second float: a warp's 32 floats lie in 256 bytes, 8 sectors, where 4 would hold them.
// Every eighth: each float has a sector of its own.
TEST(Profile, AStridedCopyMovesMoreThanItAsksFor) {
  for (const auto& [stride, sectors] : {std::pair{2, 8U}, std::pair{8, 32U}, std::pair{16, 32U}}) {
    SCOPED_TRACE(stride);
    const Kernel k =
        profile(addresses(stride) + "  ld.global.f32 %f1, [%at]; st.global.f32 [%to], %f1;", 2, 64);
    EXPECT_EQ(k.counters.global_load.requests, 4U);
    EXPECT_EQ(k.counters.global_load.sectors, 4U * sectors);
    EXPECT_EQ(k.counters.global_load.ideal_sectors, 16U);
    EXPECT_EQ(k.dram_read, 4U * sectors * 32);
  }
}

// Two loads of the same bytes: the first 4 sectors of a warp come from memory, the second 4 from
// the L1. With ld.global.cg semantics (volatile: a strong access) they come from the L2.
TEST(Profile, WhatWasReadIsInTheCaches) {
  Kernel k = profile(addresses() +
                         "  ld.global.f32 %f1, [%at]; ld.global.f32 %f2, [%at];\n"
                         "  add.f32 %f1, %f1, %f2; st.global.f32 [%to], %f1;",
                     1, 32);
  EXPECT_EQ(k.counters.global_load.sectors, 8U);
  EXPECT_EQ(k.counters.global_load.l1_hits, 4U);
  EXPECT_EQ(k.counters.global_load.l2_hits, 0U);
  k = profile(addresses() +
                  "  ld.global.f32 %f1, [%at]; ld.volatile.global.f32 %f2, [%at];\n"
                  "  add.f32 %f1, %f1, %f2; st.global.f32 [%to], %f1;",
              1, 32);
  EXPECT_EQ(k.counters.global_load.l1_hits, 0U);
  EXPECT_EQ(k.counters.global_load.l2_hits, 4U);
  // Block 0 and block 1 are on two multiprocessors: what the one read the other finds in the L2.
  k = profile("  mul.wide.u32 %at, %t, 4; add.u64 %at, %at, %data; ld.global.f32 %f1, [%at];", 2,
              32);
  EXPECT_EQ(k.counters.global_load.sectors, 8U);
  EXPECT_EQ(k.counters.global_load.l1_hits, 0U);
  EXPECT_EQ(k.counters.global_load.l2_hits, 4U);
  EXPECT_EQ(k.dram_read, 128U);
}

// A tile of 32 x 32 floats, written by rows and read by columns. A row of 32 words is 32 banks, so
// that all words of a column are in one: 32 wavefronts. A row of 33 words puts them into 32 banks.
TEST(Profile, ATransposedTileConflictsUnlessItsRowsArePadded) {
  for (const auto& [row, wavefronts] : {std::pair{32, 32U}, std::pair{33, 1U}}) {
    SCOPED_TRACE(row);
    const std::string body =
        "  shr.u32 %y, %t, 5; and.b32 %x, %t, 31; mov.u32 %u, space;\n"
        "  mad.lo.u32 %v, %y, " +
        std::to_string(row) +
        ", %x; mad.lo.u32 %v, %v, 4, %u;\n"
        "  st.shared.u32 [%v], %t; bar.sync 0;\n"
        "  mad.lo.u32 %v, %x, " +
        std::to_string(row) +
        ", %y; mad.lo.u32 %v, %v, 4, %u;\n"
        "  ld.shared.u32 %u, [%v];\n"
        "  mul.wide.u32 %to, %t, 4; add.u64 %to, %to, %out; st.global.u32 [%to], %u;";
    const Kernel k = profile(body, 1, 1024);
    EXPECT_EQ(k.counters.shared_store.requests, 32U);
    EXPECT_EQ(k.counters.shared_store.wavefronts, 32U);
    EXPECT_EQ(k.counters.shared_load.requests, 32U);
    EXPECT_EQ(k.counters.shared_load.wavefronts, 32U * wavefronts);
    EXPECT_EQ(k.counters.shared_load.ideal_wavefronts, 32U);
    EXPECT_EQ(k.counters.barriers, 32U);
    EXPECT_EQ(k.counters.redundant_barriers, 0U);
  }
}

// Lanes 0 to 7 of each warp branch, the others go on: the branch is divergent. The same by warps
// (threads 0 to 31) is not. Both sides together are executed by each lane once.
TEST(Profile, ABranchThatPartsAWarpIsDivergent) {
  const auto body = [](const char* condition) {
    return std::string(condition) +
           "  @%p bra OTHER;\n  mul.lo.u32 %v, %t, 3; mul.lo.u32 %v, %v, 5; bra JOIN;\n"
           "OTHER:\n  mul.lo.u32 %v, %t, 7;\nJOIN:\n"
           "  mul.wide.u32 %to, %i, 4; add.u64 %to, %to, %out; st.global.u32 [%to], %v;";
  };
  Kernel k = profile(body("  and.b32 %u, %t, 31; setp.lt.u32 %p, %u, 8;\n"), 1, 64);
  EXPECT_EQ(k.counters.branches, 2U);
  EXPECT_EQ(k.counters.divergent, 2U);
  // By warps: mad, and, setp; 2 on one side and 1 on the other; mul.wide and add: 8 for each warp.
  EXPECT_EQ(of(k.counters.instructions, InstructionClass::integer), 2U * 8);
  // By lanes: 24 of 32 do the two, 8 do the one, and all do the other five.
  EXPECT_EQ(of(k.counters.thread_instructions, InstructionClass::integer),
            2U * (32 * 5 + 24 * 2 + 8));
  k = profile(body("  setp.lt.u32 %p, %t, 32;\n"), 1, 64);
  EXPECT_EQ(k.counters.branches, 2U);
  EXPECT_EQ(k.counters.divergent, 0U);
}

// 128 lanes add to one word: each request has 32 lanes of which 31 name a word that is named
// already. To 32 different words: none.
TEST(Profile, AtomicsOnOneWordAreToldApart) {
  Kernel k = profile("  red.global.add.u32 [%out], %t;", 2, 64);
  EXPECT_EQ(k.counters.global_atomic.requests, 4U);
  EXPECT_EQ(k.counters.global_atomic.lanes, 128U);
  EXPECT_EQ(k.counters.global_atomic.sectors, 4U);
  EXPECT_EQ(k.counters.atomic_conflicts, 4U * 31);
  EXPECT_EQ(k.hottest_word, 128U);
  k = profile(
      "  and.b32 %u, %t, 31; mul.wide.u32 %to, %u, 4; add.u64 %to, %to, %out;\n"
      "  red.global.add.u32 [%to], %t;",
      2, 64);
  EXPECT_EQ(k.counters.atomic_conflicts, 0U);
  EXPECT_EQ(k.hottest_word, 4U);
}

// A tree over 256 threads in shared memory: 8 steps, each with a barrier, after one that follows
// the filling. In step s threads below 128 >> s work: 4, 2, 1 whole warps, then one warp in part.
TEST(Profile, AReductionHasABarrierForEachStep) {
  const std::string body = R"(
  mul.lo.u32 %u, %t, 4; mov.u32 %v, space; add.u32 %u, %u, %v;
  st.shared.u32 [%u], %t; bar.sync 0;
  mov.u32 %n, 128;
NEXT:
  setp.lt.u32 %p, %t, %n;
  mad.lo.u32 %v, %n, 4, %u;
  @%p ld.shared.u32 %x, [%v];
  @%p ld.shared.u32 %y, [%u];
  add.u32 %x, %x, %y;
  @%p st.shared.u32 [%u], %x;
  bar.sync 0;
  shr.u32 %n, %n, 1;
  setp.ne.u32 %q, %n, 0;
  @%q bra NEXT;
)";
  const Kernel k = profile(body, 3, 256);
  EXPECT_EQ(k.counters.barriers, 3U * 8 * 9);
  EXPECT_EQ(k.counters.redundant_barriers, 0U);
  // 128, 64, 32, 16, 8, 4, 2, 1 lanes: 4 + 2 + 1 + 5 requests, of two loads and a store each.
  EXPECT_EQ(k.counters.shared_load.requests, 3U * 2 * 12);
  EXPECT_EQ(k.counters.shared_load.lanes, 3U * 2 * 255);
  EXPECT_EQ(k.counters.shared_store.requests, 3U * (8 + 12));
  EXPECT_EQ(k.counters.branches, 3U * 8 * 8);
  EXPECT_EQ(k.counters.divergent, 0U);
}

// Nothing touches memory between the two barriers, so that the second orders nothing.
TEST(Profile, ABarrierWithoutAccessesBeforeItIsRedundant) {
  const Kernel k = profile(
      "  mov.u32 %u, space; mad.lo.u32 %u, %t, 4, %u;\n"
      "  st.shared.u32 [%u], %t; bar.sync 0; bar.sync 0;\n"
      "  ld.shared.u32 %v, [%u];",
      1, 64);
  EXPECT_EQ(k.counters.barriers, 4U);
  EXPECT_EQ(k.counters.redundant_barriers, 2U);
}

// Each lane reads the two floats of a pair, one after the other: the second load is adjacent. Lanes
// that read neighbouring floats have their neighbours' behind their own, which is none.
TEST(Profile, LoadsThatCouldBeOneAreCounted) {
  Kernel k = profile(addresses(2) +
                         "  ld.global.f32 %f1, [%at]; ld.global.f32 %f2, [%at+4];\n"
                         "  add.f32 %f1, %f1, %f2; st.global.f32 [%to], %f1;",
                     1, 64);
  EXPECT_EQ(k.counters.adjacent_loads, 2U);
  k = profile(addresses() +
                  "  ld.global.f32 %f1, [%at]; ld.global.f32 %f2, [%at+4];\n"
                  "  add.f32 %f1, %f1, %f2; st.global.f32 [%to], %f1;",
              1, 64);
  EXPECT_EQ(k.counters.adjacent_loads, 0U);
}

// A chain of dependent operations. Of one warp on an A100: mov, mad, mul, mul.wide, add, each 4
// cycles after the one before; a load from memory; 10 additions of 4; the store waits for
// the last.
TEST(Profile, TheCriticalChainIsTheSumOfItsLatencies) {
  std::string body = addresses() + "  ld.global.f32 %f1, [%at];\n";
  for (int i = 0; i < 10; ++i) body += "  add.f32 %f1, %f1, %f1;\n";
  const Kernel k = profile(body + "  st.global.f32 [%to], %f1;", 1, 32);
  const DeviceCosts& costs = costs_of("a100");
  const auto arithmetic = static_cast<std::uint64_t>(costs.arithmetic);
  const std::uint64_t chain =
      5 * arithmetic + static_cast<std::uint64_t>(costs.dram) + 10 * arithmetic;
  EXPECT_GE(k.longest_chain, chain);
  EXPECT_LE(k.longest_chain, chain + 2);  // the end of the piece
  EXPECT_EQ(k.chain_waits[static_cast<std::size_t>(Wait::dram)],
            static_cast<std::uint64_t>(costs.dram));
  // The same additions on ten values that do not depend on each other take the time of one.
  std::string side_by_side = addresses() + "  ld.global.f32 %f1, [%at];\n";
  for (int i = 0; i < 10; ++i) side_by_side += "  add.f32 %f2, %f1, %f1;\n";
  const Kernel wide = profile(side_by_side + "  st.global.f32 [%to], %f2;", 1, 32);
  EXPECT_LE(wide.longest_chain,
            5 * arithmetic + static_cast<std::uint64_t>(costs.dram) + arithmetic + 2);
}

// Warp 0 comes to the barrier after a load from memory, warp 1 at once: it waits about that long.
TEST(Profile, AWarpWaitsAtABarrierForTheSlowest) {
  const Kernel k = profile(addresses() +
                               "  setp.ge.u32 %p, %t, 32; @%p bra SYNC;\n"
                               "  ld.global.f32 %f1, [%at]; add.f32 %f1, %f1, %f1;\n"
                               "  st.global.f32 [%to], %f1;\nSYNC:\n  bar.sync 0;",
                           1, 64);
  const auto waited = k.counters.waits[static_cast<std::size_t>(Wait::barrier)];
  const DeviceCosts& costs = costs_of("a100");
  EXPECT_GT(waited, static_cast<std::uint64_t>(costs.dram));
  EXPECT_LT(waited, static_cast<std::uint64_t>(costs.dram + 3 * costs.barrier));
}

// 16 lanes of 1024 floats each, as double: cvt, fma and cvt back.
TEST(Profile, FloatsThatBecomeDoublesAreCounted) {
  const Kernel k = profile(addresses() +
                               "  ld.global.f32 %f1, [%at]; cvt.f64.f32 %g1, %f1;\n"
                               "  fma.rn.f64 %g1, %g1, %g1, %g1; cvt.rn.f32.f64 %f1, %g1;\n"
                               "  st.global.f32 [%to], %f1;",
                           1, 64);
  EXPECT_EQ(k.counters.conversions_to_double, 64U);
  EXPECT_EQ(k.counters.flops[f64], 128U);
  EXPECT_EQ(of(k.counters.instructions, InstructionClass::fp64), 2U);
  EXPECT_EQ(of(k.counters.instructions, InstructionClass::conversion), 4U);
}

// The same numbers again, to the last, whatever ran before.
TEST(Profile, IsRepeatable) {
  const std::string body = addresses(3) +
                           "  ld.global.f32 %f1, [%at]; st.global.f32 [%to], %f1;\n"
                           "  red.global.add.u32 [%out], %t;";
  const Kernel first = profile(body, 40, 96);
  const Kernel second = profile(body, 40, 96);
  Profile a;
  a.device = "a100";
  a.kernels = {first};
  Profile b = a;
  b.kernels = {second};
  EXPECT_EQ(to_json(a), to_json(b));
}

// --- models --------------------------------------------------------------------------------------

// Two sets of two lines: of three lines in one set the least recently used goes.
TEST(ProfileCache, KeepsWhatWasUsedLast) {
  Cache cache(2 * Cache::line_bytes, 2);
  EXPECT_EQ(cache.read(1, 0b0011U), 0U);
  EXPECT_EQ(cache.read(2, 0b1111U), 0U);
  EXPECT_EQ(cache.read(1, 0b0111U), 0b0011U);  // two sectors were there, the third comes
  EXPECT_EQ(cache.read(3, 0b0001U), 0U);       // takes the place of line 2
  EXPECT_EQ(cache.read(2, 0b1111U, false), 0U);
  EXPECT_EQ(cache.read(1, 0b1111U), 0b0111U);
  EXPECT_EQ(cache.write(4, 0b1100U), 0U);  // takes the place of line 3, which nobody wrote
  EXPECT_EQ(cache.take_evicted(), 0U);
  EXPECT_EQ(cache.read(5, 0b1U), 0U);
  EXPECT_EQ(cache.read(6, 0b1U), 0U);
  EXPECT_EQ(cache.take_evicted(), 2U);
  Cache none(64, 8);
  EXPECT_EQ(none.read(1, 0b1U), 0U);
  EXPECT_EQ(none.read(1, 0b1U), 0U);
}

// 256 threads of 32 registers: 8 warps of 1,024 registers each. An A100 has 65,536 registers, 64
// warps and 164 KiB of shared memory, of which 1 KiB per block is the system's.
TEST(ProfileModel, OccupancyNamesItsLimiter) {
  const DeviceModel& a100 = *find_device_model("a100");
  Occupancy o = softgpu::occupancy_of(a100, 256, 32, 0);
  EXPECT_EQ(o.blocks, 8);
  EXPECT_EQ(o.limiter(), "warps");
  o = softgpu::occupancy_of(a100, 256, 64, 0);
  EXPECT_EQ(o.blocks, 4);
  EXPECT_EQ(o.limiter(), "registers");
  o = softgpu::occupancy_of(a100, 256, 32, 40 * 1024);
  EXPECT_EQ(o.blocks, 4);
  EXPECT_EQ(o.limiter(), "shared memory");
  o = softgpu::occupancy_of(a100, 32, 32, 0);
  EXPECT_EQ(o.blocks, 32);
  EXPECT_EQ(o.share(), 0.5);
  EXPECT_EQ(o.limiter(), "blocks");
}

// What is left of the A100's 192 KiB by the smallest carve-out that holds the blocks' shared
// memory.
TEST(ProfileModel, SharedMemoryTakesFromTheL1) {
  const DeviceModel& a100 = *find_device_model("a100");
  EXPECT_EQ(l1_bytes(a100, 0), 192U * 1024);
  EXPECT_EQ(l1_bytes(a100, 8U * 1024), 184U * 1024);
  EXPECT_EQ(l1_bytes(a100, 8U * 1024 + 1), 176U * 1024);
  EXPECT_EQ(l1_bytes(a100, 164U * 1024), 28U * 1024);
}

// A launch that reads 1.95744 GB, 96 % of what an A100's data sheet gives per millisecond, takes
// that long; parts are added as the sides of a right angle.
TEST(ProfileModel, AnEstimateIsLedByItsLongestPart) {
  Kernel k;
  k.grid = {108 * 8, 1, 1};
  k.block = {256, 1, 1};
  k.registers = 32;
  k.launches = 2;
  k.dram_read = std::uint64_t{2} * 1'957'440'000;
  const DeviceModel& a100 = *find_device_model("a100");
  Estimate e = estimate(k, a100);
  EXPECT_EQ(e.bound, "dram");
  EXPECT_NEAR(e.kernel_seconds, 1e-3, 1e-9);
  EXPECT_NEAR(e.seconds, 1e-3 + 2e-6, 1e-9);
  EXPECT_DOUBLE_EQ(e.waves, 1);
  // 3e9 fused multiply-adds of warps, two per cycle and multiprocessor at 1.41 GHz.
  k.counters.instructions[static_cast<std::size_t>(InstructionClass::fp32)] = 6'000'000'000;
  e = estimate(k, a100);
  EXPECT_EQ(e.bound, "fp32");
  EXPECT_NEAR(e.kernel_seconds, std::hypot(3e9 / 2 / 108 / 1.41e9, 1e-3), 1e-8);
}

// Two streams, an event, and the legacy default stream: A and B side by side, C after both, D, of
// the default stream, after all.
TEST(ProfileModel, TheTimelineKeepsTheOrderOfStreams) {
  Profile p;
  p.device = "a100";
  Kernel k;
  k.launches = 1;
  k.dram_read = 1'835'100'000;  // a millisecond
  k.registers = 32;
  p.kernels = {k};
  const auto work = [](std::uint64_t stream, std::int64_t after, bool legacy) {
    Work w;
    w.kind = Work::Kind::kernel;
    w.stream = stream;
    w.after = after;
    w.legacy = legacy;
    w.blocking = !legacy;
    w.kernel = 0;
    return w;
  };
  p.work = {work(2, -1, false), work(3, -1, false), work(3, 0, false), work(1, -1, true)};
  const std::vector<Scheduled> all = schedule(p, *find_device_model("a100"));
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].begin, 0);
  EXPECT_EQ(all[1].begin, 0);
  EXPECT_DOUBLE_EQ(all[2].begin, all[1].end);
  EXPECT_DOUBLE_EQ(all[3].begin, all[2].end);
}

TEST(ProfileFile, ReadsBackAndRefusesWhatIsNone) {
  Profile p;
  p.device = "h100";
  p.program = "a";
  p.kernels = {
      profile(addresses() + "  ld.global.f32 %f1, [%at]; st.global.f32 [%to], %f1;", 2, 64)};
  p.kernels[0].lines[0].file = "a.cu";
  p.kernels[0].lines[0].line = 7;
  Work w;
  w.kind = Work::Kind::copy;
  w.name = "to device";
  w.bytes = 12;
  p.work = {w};
  const nlohmann::ordered_json json = to_json(p);
  EXPECT_EQ(to_json(from_json(json)), json);
  EXPECT_EQ(from_json(json).kernels[0].counters.global_load.sectors, 16U);

  const std::string path = ::testing::TempDir() + "/profile_test.json";
  const auto refused = [&](const std::string& text) {
    std::ofstream(path) << text;
    try {
      static_cast<void>(read_profile(path));
    } catch (const ProfileError& error) {
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused(json.dump()));
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("[]"));
  EXPECT_TRUE(refused("{}"));
  EXPECT_TRUE(refused(R"({"profile": 1, "device": 3})"));
  for (const char* member : {"device", "program", "kernels", "work"}) {
    nlohmann::ordered_json broken = json;
    broken.erase(member);
    EXPECT_TRUE(refused(broken.dump())) << member;
    broken[member] = -1;
    EXPECT_TRUE(refused(broken.dump())) << member;
  }
  for (const char* member : {"grid", "launches", "counters", "lines", "chain_waits"}) {
    nlohmann::ordered_json broken = json;
    broken["kernels"][0][member] = "wrong";
    EXPECT_TRUE(refused(broken.dump())) << member;
  }
  nlohmann::ordered_json broken = json;
  broken["work"][0]["after"] = 0;
  EXPECT_TRUE(refused(broken.dump())) << "waits for itself";
  broken = json;
  broken["kernels"][0]["block"] = {65536, 65536, 1};
  EXPECT_TRUE(refused(broken.dump())) << "no block is as large";
  broken = json;
  broken["kernels"][0]["chain"] = UINT64_MAX;
  EXPECT_TRUE(refused(broken.dump())) << "nobody counts as far";
  broken = json;
  broken["work"][0]["kernel"] = 1;
  EXPECT_TRUE(refused(broken.dump())) << "there is one kernel";
  (void)std::remove(path.c_str());
}

}  // namespace
}  // namespace softgpu::profile
