// Kernels whose counts are known in closed form.
#include "softgpu/observe/counters.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

#include <nlohmann/json.hpp>

#include "softgpu/device/settings.hpp"
#include "tests/softgpu/kernel.hpp"

namespace softgpu::test {
namespace {

using Json = nlohmann::ordered_json;

// A kernel named "k" whose thread number over the grid is %i, of its block %t, with `data` in %data
// (8 bytes), 4096 bytes of shared memory and what `body` declares.
std::string kernel_of(const std::string& body, const std::string& before = "") {
  return std::string(module_head()) + before +
         R"(
.visible .entry k(.param .u64 p_data)
{
  .reg .b32 %i, %t, %n, %u, %v;
  .reg .b64 %data, %at, %w;
  .reg .f32 %f<6>;
  .reg .f64 %g<6>;
  .reg .pred %p;
  .shared .align 16 .b8 space[8192];
  ld.param.u64 %data, [p_data];
  mov.u32 %t, %tid.x; mov.u32 %n, %ntid.x; mov.u32 %i, %ctaid.x;
  mad.lo.u32 %i, %i, %n, %t;
)" + body +
         "\n  ret;\n}\n";
}
// The instructions among them that every thread executes: ld.param, 3 mov, mad, ret.
constexpr std::uint64_t around = 6;

Json count(const std::string& text, std::uint32_t blocks, std::uint32_t threads,
           std::uint64_t* thread_instructions = nullptr) {
  Program program({text}, 0);
  Buffer data(std::size_t{1} << 16, 1024);
  Launch launch;
  launch.code = program.kernel("k");
  launch.program = &program;
  launch.grid.x = blocks;
  launch.threads.x = threads;
  launch.parameters = Parameters().add(data.address()).bytes();
  count_launches(true);
  const Fault fault = run_kernel(launch);
  count_launches(false);
  EXPECT_EQ(fault.code, 0) << fault.message;
  if (thread_instructions != nullptr) *thread_instructions = launch.thread_instructions;
  return counters_of("k");
}

// The address of element %i of `bytes` bytes, times `stride`, in %at.
std::string address(int bytes, int stride = 1) {
  return "  mul.wide.u32 %at, %i, " + std::to_string(bytes * stride) +
         ";\n  add.u64 %at, %at, %data;\n";
}

void expect_accesses(const Json& json, std::uint64_t requests, std::uint64_t lanes,
                     std::uint64_t bytes, std::uint64_t units, std::uint64_t ideal) {
  EXPECT_EQ(json["requests"], requests);
  EXPECT_EQ(json["lanes"], lanes);
  EXPECT_EQ(json["bytes"], bytes);
  const char* unit = json.contains("sectors") ? "sectors" : "wavefronts";
  EXPECT_EQ(json[unit], units);
  EXPECT_EQ(json[std::string("ideal_") + unit], ideal);
}

TEST(Counters, CoalescedLoadsTouchFourSectors) {
  for_each_instruction_set([](const char* set) {
    SCOPED_TRACE(set);
    const Json k = count(kernel_of(address(4) + "ld.global.f32 %f1, [%at];"), 3, 128);
    EXPECT_EQ(k["launches"], 1);
    EXPECT_EQ(k["blocks"], 3);
    EXPECT_EQ(k["threads"], 384);
    expect_accesses(k["global"]["load"], 12, 384, 1536, 48, 48);
    expect_accesses(k["global"]["store"], 0, 0, 0, 0, 0);
    EXPECT_EQ(k["touched"]["read_bytes"], 1536);
    EXPECT_EQ(k["touched"]["read_sectors"], 48);
    EXPECT_EQ(k["touched"]["written_bytes"], 0);
    EXPECT_EQ(k["instructions"]["warp"], 12 * (around + 3));
    EXPECT_EQ(k["instructions"]["thread"], 384 * (around + 3));
    EXPECT_EQ(k["instructions"]["lanes_active"], 1.0);
    EXPECT_TRUE(k["places"].empty());
  });
}

TEST(Counters, SectorsTellHowAccessesAreCoalesced) {
  struct Case {
    std::string what;
    std::string body;
    std::uint64_t bytes, sectors, ideal, touched;
  };
  const Case cases[] = {
      {"stride 2", address(4, 2) + "ld.global.f32 %f1, [%at];", 128, 8, 4, 128},
      {"stride 8", address(4, 8) + "ld.global.f32 %f1, [%at];", 128, 32, 4, 128},
      {"one for all", "ld.global.f32 %f1, [%data];", 128, 1, 1, 4},
      {"shifted", address(4) + "ld.global.f32 %f1, [%at+4];", 128, 5, 4, 128},
      {"float2", address(8) + "ld.global.v2.f32 {%f1, %f2}, [%at];", 256, 8, 8, 256},
      {"float4", address(16) + "ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%at];", 512, 16, 16, 512},
      {"double", address(8) + "ld.global.f64 %g1, [%at];", 256, 8, 8, 256},
      {"bytes", address(1) + "ld.global.u8 %u, [%at];", 32, 1, 1, 32},
      {"generic", address(4) + "ld.f32 %f1, [%at];", 128, 4, 4, 128},
      {"volatile", address(4) + "ld.volatile.global.f32 %f1, [%at];", 128, 4, 4, 128},
      {"backwards", "sub.u32 %i, 31, %i;\n" + address(4) + "ld.global.nc.f32 %f1, [%at];", 128, 4,
       4, 128},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const Json k = count(kernel_of(c.body), 1, 32);
    expect_accesses(k["global"]["load"], 1, 32, c.bytes, c.sectors, c.ideal);
    EXPECT_EQ(k["touched"]["read_bytes"], c.touched);
    EXPECT_EQ(k["places"].size(), c.sectors > c.ideal ? 1U : 0U);
  }
  const Json k = count(kernel_of(address(4, 2) + "st.global.u32 [%at], %i;"), 1, 32);
  expect_accesses(k["global"]["store"], 1, 32, 128, 8, 4);
  EXPECT_EQ(k["touched"]["written_bytes"], 128);
  EXPECT_EQ(k["touched"]["written_sectors"], 8);
  EXPECT_EQ(k["touched"]["read_bytes"], 0);
  EXPECT_NE(k["places"][0]["at"].get<std::string>().find("st.global.u32"), std::string::npos);
}

TEST(Counters, AByteThatIsReadTwiceIsTouchedOnce) {
  const std::string twice = address(4) +
                            "ld.global.f32 %f1, [%at];\nld.global.f32 %f2, [%at];\n"
                            "ld.global.f32 %f2, [%data];\nst.global.f32 [%at], %f1;";
  const Json k = count(kernel_of(twice), 5, 100);
  EXPECT_EQ(k["global"]["load"]["bytes"], 500 * 12);
  EXPECT_EQ(k["touched"]["read_bytes"], 2000);
  EXPECT_EQ(k["touched"]["written_bytes"], 2000);
  EXPECT_EQ(k["touched"]["written_sectors"], 63);
}

TEST(Counters, SharedMemoryHasThirtyTwoBanks) {
  struct Case {
    std::string what;
    std::string access;
    int step;  // bytes between lanes
    std::uint64_t bytes, wavefronts, ideal;
  };
  const Case cases[] = {
      {"stride 1", "ld.shared.f32 %f1, [%u];", 4, 128, 1, 1},
      {"stride 2", "ld.shared.f32 %f1, [%u];", 8, 128, 2, 1},
      {"stride 32", "ld.shared.f32 %f1, [%u];", 128, 128, 32, 1},
      {"stride 33", "ld.shared.f32 %f1, [%u];", 132, 128, 1, 1},
      {"one for all", "ld.shared.f32 %f1, [%u];", 0, 128, 1, 1},
      {"bytes", "ld.shared.u8 %v, [%u];", 1, 32, 1, 1},
      {"stores", "st.shared.f32 [%u], 0f00000000;", 8, 128, 2, 1},
      {"double", "ld.shared.f64 %g1, [%u];", 8, 256, 2, 2},
      {"every second double", "ld.shared.f64 %g1, [%u];", 16, 256, 4, 2},
      {"one double for all", "ld.shared.f64 %g1, [%u];", 0, 256, 2, 2},
      {"float4", "ld.shared.v4.f32 {%f1, %f2, %f3, %f4}, [%u];", 16, 512, 4, 4},
      {"every second float4", "ld.shared.v4.f32 {%f1, %f2, %f3, %f4}, [%u];", 32, 512, 8, 4},
      {"float4 store", "st.shared.v4.f32 [%u], {%f1, %f2, %f3, %f4};", 16, 512, 4, 4},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    for (const bool generic : {false, true}) {
      std::string body = "  mul.lo.u32 %u, %t, " + std::to_string(c.step) +
                         ";\n  mov.u32 %v, space;\n  add.u32 %u, %u, %v;\n";
      std::string access = c.access;
      if (generic) {
        body += "  cvt.u64.u32 %w, %u;\n  cvta.shared.u64 %w, %w;\n";
        access = detail::replace_all(detail::replace_all(access, ".shared", ""), "%u]", "%w]");
      }
      const Json k = count(kernel_of(body + access), 1, 32);
      expect_accesses(k["shared"][access.starts_with("st") ? "store" : "load"], 1, 32, c.bytes,
                      c.wavefronts, c.ideal);
      EXPECT_EQ(k["global"]["load"]["requests"], 0);
    }
  }
}

TEST(Counters, InactiveLanesAskForNothing) {
  const std::string half = address(4) +
                           "setp.lt.u32 %p, %t, 16;\n@%p ld.global.f32 %f1, [%at];\n"
                           "@%p fma.rn.f32 %f2, %f1, %f1, %f1;\n"
                           "setp.gt.u32 %p, %t, 99;\n@%p ld.global.f32 %f1, [%at];";
  const Json k = count(kernel_of(half), 1, 32);
  expect_accesses(k["global"]["load"], 1, 16, 64, 2, 2);
  EXPECT_EQ(k["flops"]["f32"], 32);
  EXPECT_EQ(k["instructions"]["guarded_off"], 16 + 16 + 32);
  EXPECT_EQ(k["instructions"]["thread"], 32 * (around + 7));
}

TEST(Counters, FloatingPointOperations) {
  const std::string body = R"(
  add.f32 %f1, 0f3f800000, 0f3f800000;
  sub.rz.f32 %f1, %f1, %f1;
  mul.f32 %f2, %f1, %f1;
  fma.rn.f32 %f3, %f1, %f2, %f1;
  mad.rn.f32 %f3, %f1, %f2, %f1;
  div.rn.f32 %f4, %f3, %f1;
  sqrt.rn.f32 %f4, %f3;
  ex2.approx.f32 %f4, %f3;
  min.f32 %f4, %f3, %f1;
  max.f32 %f4, %f3, %f1;
  neg.f32 %f4, %f4;
  abs.f32 %f4, %f4;
  setp.lt.f32 %p, %f4, %f1;
  cvt.f64.f32 %g1, %f1;
  add.f64 %g2, %g1, %g1;
  fma.rn.f64 %g3, %g1, %g1, %g1;
  rcp.rn.f64 %g3, %g1;
  fma.rn.f16x2 %u, %i, %i, %i;
  add.f16x2 %u, %u, %u;
  mul.bf16x2 %v, %u, %u;
  mul.lo.u32 %u, %u, %u;
  mad.lo.u32 %u, %u, %u, %u;)";
  const Json k = count(kernel_of(body), 2, 33);
  EXPECT_EQ(k["flops"]["f32"], 66 * (1 + 1 + 1 + 2 + 2));
  EXPECT_EQ(k["special"]["f32"], 66 * 3);
  EXPECT_EQ(k["flops"]["f64"], 66 * (1 + 2));
  EXPECT_EQ(k["special"]["f64"], 66);
  EXPECT_EQ(k["flops"]["f16"], 66 * (4 + 2));
  EXPECT_EQ(k["flops"]["bf16"], 66 * 2);
  EXPECT_EQ(k["flops"].size(), 4U);
  EXPECT_EQ(k["special"].size(), 2U);
}

TEST(Counters, MatrixInstructionsCountByTheirShape) {
  const Json k = count(kernel_of(R"(
  .reg .b32 %a<5>, %b<3>; .reg .f32 %c<5>;
  mov.b32 %a1, 0; mov.b32 %a2, 0; mov.b32 %a3, 0; mov.b32 %a4, 0; mov.b32 %b1, 0; mov.b32 %b2, 0;
  mov.f32 %c1, 0f00000000; mov.f32 %c2, %c1; mov.f32 %c3, %c1; mov.f32 %c4, %c1;
  mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%c1, %c2, %c3, %c4}, {%a1, %a2, %a3, %a4},
      {%b1, %b2}, {%c1, %c2, %c3, %c4};
  mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%c1, %c2, %c3, %c4}, {%a1, %a2, %a3, %a4},
      {%b1, %b2}, {%c1, %c2, %c3, %c4};)"),
                       2, 64);
  EXPECT_EQ(k["flops"]["tf32"], 4 * 2 * 16 * 8 * 8);
  EXPECT_EQ(k["flops"]["f16"], 4 * 2 * 16 * 8 * 16);
}

TEST(Counters, MatricesInSharedMemoryAreLoadedRowByRow) {
  for (const auto& [step, wavefronts] : {std::pair{16, 4}, std::pair{128, 32}, std::pair{144, 4}}) {
    SCOPED_TRACE(step);
    const Json k = count(
        kernel_of("  .reg .b32 %a<5>;\n  mov.u32 %v, space;\n  mad.lo.u32 %u, %t, " +
                  std::to_string(step) +
                  ", %v;\n  ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%a1, %a2, %a3, %a4}, [%u];"),
        1, 32);
    expect_accesses(k["shared"]["load"], 1, 32, 512, static_cast<std::uint64_t>(wavefronts), 4);
  }
}

TEST(Counters, AsynchronousCopiesReadGlobalAndWriteSharedMemory) {
  const std::string copy = address(16) + R"(
  mov.u32 %v, space;
  mad.lo.u32 %u, %t, 16, %v;
  cp.async.cg.shared.global [%u], [%at], 16;
  setp.lt.u32 %p, %t, 8;
  selp.u32 %n, 16, 0, %p;
  cp.async.cg.shared.global [%u], [%at], 16, %n;
  cp.async.wait_all;)";
  for (const std::uint64_t seed : {0, 5}) {
    set_schedule_seed(seed);
    const Json k = count(kernel_of(copy), 1, 32);
    set_schedule_seed(0);
    expect_accesses(k["global"]["load"], 2, 40, 640, 20, 20);
    expect_accesses(k["shared"]["store"], 2, 64, 1024, 8, 8);
    EXPECT_EQ(k["touched"]["read_bytes"], 512);
  }
}

TEST(Counters, Atomics) {
  const Json k = count(kernel_of(address(4) + R"(
  atom.global.add.u32 %u, [%data], 1;
  red.global.add.f32 [%at], 0f3f800000;
  mov.u32 %v, space;
  atom.shared.add.u32 %u, [%v], 1;
  mad.lo.u32 %v, %t, 4, %v;
  red.shared.add.u32 [%v], 1;
  atom.global.add.u64 %w, [%data], 0;)"),
                       1, 32);
  expect_accesses(k["global"]["atomic"], 3, 96, 128 + 128 + 256, 1 + 4 + 1, 1 + 4 + 1);
  expect_accesses(k["shared"]["atomic"], 2, 64, 256, 33, 2);
  EXPECT_EQ(k["touched"]["read_bytes"], 128);
  EXPECT_EQ(k["touched"]["written_bytes"], 128);
  EXPECT_EQ(k["flops"]["f32"], 32);
}

TEST(Counters, LocalAndConstantMemoryAreApart) {
  const Json k = count(kernel_of(R"(
  .local .align 4 .b8 own[64];
  st.local.u32 [own+4], %i;
  ld.local.u32 %u, [own+4];
  ld.const.u32 %v, [seven];)",
                                 ".const .align 4 .u32 seven = 7;\n"),
                       1, 64);
  EXPECT_EQ(k["local"]["store"]["requests"], 2);
  EXPECT_EQ(k["local"]["store"]["bytes"], 256);
  EXPECT_EQ(k["local"]["load"]["bytes"], 256);
  EXPECT_EQ(k["constant"]["requests"], 2);
  EXPECT_EQ(k["constant"]["bytes"], 256);
  EXPECT_EQ(k["global"]["load"]["requests"], 0);
  EXPECT_EQ(k["touched"]["read_bytes"], 0);
}

TEST(Counters, DivergenceIsLanesOverWarpInstructions) {
  // Eight lanes go one way of three instructions and a branch, the others skip it.
  std::uint64_t executed = 0;
  const Json k = count(kernel_of(R"(
  setp.ge.u32 %p, %t, 8;
  @%p bra AFTER;
  add.u32 %u, %t, 1;
  add.u32 %u, %u, 2;
  add.u32 %u, %u, 3;
AFTER:
  add.u32 %v, %u, 4;)"),
                       1, 32, &executed);
  EXPECT_EQ(k["instructions"]["warp"], around + 6);
  EXPECT_EQ(k["instructions"]["thread"], 32 * (around + 3) + 8 * 3);
  EXPECT_EQ(k["instructions"]["thread"], executed);
  EXPECT_DOUBLE_EQ(k["instructions"]["lanes_active"].get<double>(),
                   (32.0 * (around + 3) + 8 * 3) / (32.0 * (around + 6)));
}

TEST(Counters, LoopsAndTwoMeetingsAreCountedAsExecuted) {
  // Lane l goes round the loop l + 1 times; then two halves come to a shuffle apart.
  std::uint64_t executed = 0;
  const Json k = count(kernel_of(R"(
  mov.u32 %u, 0;
ROUND:
  add.u32 %u, %u, 1;
  setp.le.u32 %p, %u, %t;
  @%p bra ROUND;
  shfl.sync.bfly.b32 %v, %u, 1, 31, -1;)"),
                       4, 32, &executed);
  EXPECT_EQ(k["instructions"]["thread"], 4 * (32 * (around + 2) + 3 * (32 * 33 / 2)));
  EXPECT_EQ(k["instructions"]["thread"], executed);
  EXPECT_EQ(k["instructions"]["warp"], 4 * (around + 2 + 3 * 32));
}

TEST(Counters, LanesThatMeetAreCountedOnce) {
  // Halves of a warp that come to one shuffle, and to two of the same kind, at different times.
  std::uint64_t executed = 0;
  for (const bool one_place : {true, false}) {
    SCOPED_TRACE(one_place);
    const std::string shuffle = "shfl.sync.bfly.b32 %v, %u, 16, 31, -1;\n";
    const Json k =
        count(kernel_of("  setp.ge.u32 %p, %t, 16;\n  mov.u32 %u, %t;\n  @%p bra UP;\n" +
                        (one_place ? "" : shuffle) + "  bra DONE;\nUP:\n  add.u32 %u, %u, 1;\n" +
                        (one_place ? "" : shuffle) + "DONE:\n" + (one_place ? shuffle : "")),
              2, 32, &executed);
    EXPECT_EQ(k["instructions"]["thread"], 2 * (32 * (around + 3 + 1) + 16 + 16));
    EXPECT_EQ(k["instructions"]["guarded_off"], 2 * 16);
  }
}

TEST(Counters, CalledFunctionsBelongToTheKernel) {
  const std::string functions = R"(
.func (.param .f32 result) twice(.param .f32 x)
{
  .reg .f32 %x;
  ld.param.f32 %x, [x];
  add.f32 %x, %x, %x;
  st.param.f32 [result], %x;
  ret;
}
.func (.param .f32 result) square(.param .f32 x)
{
  .reg .f32 %x;
  ld.param.f32 %x, [x];
  mul.f32 %x, %x, %x;
  mul.f32 %x, %x, %x;
  st.param.f32 [result], %x;
  ret;
}
)";
  const std::string call = R"(
  .reg .b64 %where;
  {
    .param .f32 x; .param .f32 result;
    st.param.f32 [x], 0f40000000;
    call (result), twice, (x);
    ld.param.f32 %f1, [result];
  }
  mov.u64 %where, square;
  {
    .param .f32 x; .param .f32 result;
    P: .callprototype (.param .f32 _) _ (.param .f32 _);
    st.param.f32 [x], 0f40000000;
    call (result), %where, (x), P;
    ld.param.f32 %f2, [result];
  }
  st.global.f32 [%data], %f2;)";
  const Json k = count(kernel_of(call, functions), 2, 64);
  EXPECT_EQ(k["flops"]["f32"], 128 * 3);
}

TEST(Counters, DoNotDependOnCoresOrOrder) {
  const std::string text = kernel_of(address(4) + R"(
  ld.global.f32 %f1, [%at];
  mov.u32 %v, space;
  mad.lo.u32 %u, %t, 8, %v;
  st.shared.f32 [%u], %f1;
  bar.sync 0;
  ld.shared.f32 %f2, [%u];
  fma.rn.f32 %f1, %f2, %f2, %f1;
  st.global.f32 [%at], %f1;)");
  const Json once = count(text, 37, 96);
  for (const int cores : {1, 3, 7}) {
    for (const std::uint64_t seed : {0, 11}) {
      set_core_count(cores);
      set_schedule_seed(seed);
      EXPECT_EQ(count(text, 37, 96), once);
    }
  }
  set_core_count(0);
  set_schedule_seed(0);
}

TEST(Counters, LaunchesAddUpUntilTheNextStart) {
  Program program({kernel_of(address(4) + "ld.global.f32 %f1, [%at];")}, 0);
  Buffer data(1024);
  const auto once = [&] {
    Dim3 grid;
    Dim3 threads;
    threads.x = 64;
    EXPECT_EQ(launch(program, "k", grid, threads, Parameters().add(data.address())).code, 0);
  };
  EXPECT_FALSE(counting());
  once();
  count_launches(true);
  EXPECT_TRUE(counting());
  EXPECT_TRUE(counters_of("k").is_null());
  once();
  once();
  EXPECT_EQ(counters_of("k")["global"]["load"]["requests"], 4);
  EXPECT_EQ(counters_of("k")["touched"]["read_bytes"], 2 * 256);
  count_launches(false);
  once();
  EXPECT_EQ(counters_of("k")["launches"], 2);
  EXPECT_EQ(counters()["kernels"].size(), 1U);
  count_launches(true);
  EXPECT_EQ(counters()["kernels"].size(), 0U);
  count_launches(false);
}

TEST(Counters, AKernelThatFaultsIsCountedSoFar) {
  Program program({kernel_of("fma.rn.f32 %f1, %f1, %f1, %f1;\nmov.u64 %w, 64;\n"
                             "st.global.u32 [%w], 1;")},
                  0);
  Buffer data(64);
  count_launches(true);
  const Fault fault = launch(program, "k", {}, {}, Parameters().add(data.address()));
  count_launches(false);
  EXPECT_EQ(fault.code, 700);
  EXPECT_NE(fault.message.find("kernel k, block (0,0,0)"), std::string::npos) << fault.message;
  EXPECT_NE(fault.message.find("st.global.u32"), std::string::npos) << fault.message;
  EXPECT_EQ(counters_of("k")["flops"]["f32"], 2);
}

}  // namespace
}  // namespace softgpu::test
