// cp.async, mbarrier, bulk copies and clusters.
#include <cstring>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "softgpu/exec/async.hpp"
#include "softgpu/exec/tensor_map.hpp"
#include "softgpu/kernel.hpp"

namespace softgpu::test {
namespace {

Fault run(const std::string& text, const Parameters& parameters, u32 threads = 32, u32 blocks = 1,
          u32 cluster = 1) {
  Program program({text}, 0);
  Launch launch;
  launch.code = program.kernel("test");
  if (launch.code == nullptr) return {500, "no kernel"};
  launch.program = &program;
  launch.grid = {blocks, 1, 1};
  launch.threads = {threads, 1, 1};
  launch.cluster = {cluster, 1, 1};
  launch.parameters = parameters.bytes();
  return run_kernel(launch);
}

std::string kernel(const std::string& parameters, const std::string& body) {
  return std::string(module_head()) + ".visible .entry test(" + parameters + ")\n{\n" + body +
         "  ret;\n}\n";
}

// --- cp.async -----------------------------------------------------------------------------------

// Each thread copies `size` bytes, of which `read` come from the source (−1: not said).
void check_copy(int size, int read, const std::string& cache, bool ignores) {
  const std::string s = std::to_string(size);
  std::string tail = ", " + s;
  if (read >= 0) tail += ", %read";
  if (ignores) tail += ", %odd";
  const std::string text = kernel(
      ".param .u64 pd, .param .u64 ps",
      "  .reg .b64 %pd, %ps, %at, %to;\n  .reg .b32 %t, %v, %read, %bit, %a;\n  .reg .pred %odd;\n"
      "  .shared .align 16 .b8 tile[512];\n"
      "  ld.param.u64 %pd, [pd];\n  ld.param.u64 %ps, [ps];\n  mov.u32 %t, %tid.x;\n"
      "  and.b32 %bit, %t, 1;\n  setp.ne.u32 %odd, %bit, 0;\n"
      "  mov.u32 %read, " +
          std::to_string(std::max(read, 0)) +
          ";\n"
          "  mov.u32 %a, tile;\n  mad.lo.u32 %a, %t, " +
          s +
          ", %a;\n"
          "  mad.wide.u32 %at, %t, " +
          s +
          ", %ps;\n"
          "  cp.async." +
          cache + ".shared.global [%a], [%at]" + tail +
          ";\n"
          "  cp.async.commit_group;\n  cp.async.wait_group 0;\n  bar.sync 0;\n"
          // Thread t copies bytes t, t + 32, ... out.
          "  cvt.u64.u32 %to, %t;\n  add.u64 %to, %to, %pd;\n  mov.u32 %a, tile;\n  add.u32 %a, "
          "%a, %t;\n"
          "  mov.u32 %bit, 0;\nLOOP:\n  ld.shared.u8 %v, [%a];\n  st.global.u8 [%to], %v;\n"
          "  add.u32 %a, %a, 32;\n  add.u64 %to, %to, 32;\n  add.u32 %bit, %bit, 1;\n"
          "  setp.lt.u32 %odd, %bit, " +
          s + ";\n  @%odd bra LOOP;\n");
  Buffer out(512);
  Buffer in(512);
  for (int i = 0; i < 512; ++i) in.data()[i] = static_cast<std::byte>(i * 7 + 1);
  std::memset(out.data(), 0xee, 512);
  Parameters parameters;
  parameters.add(out.address()).add(in.address());
  const Fault fault = run(text, parameters);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (int i = 0; i < 32 * size; ++i) {
    const int thread = i / size;
    int kept = read < 0 ? size : read;
    if (ignores && thread % 2 != 0) kept = 0;
    const auto want = i % size < kept ? in.data()[i] : std::byte{0};
    ASSERT_EQ(out.data()[i], want) << "byte " << i << " of copies of " << size << ", read " << read;
  }
}

TEST(CopyAsync, AllSizes) {
  for (const int size : {4, 8, 16}) {
    for (const int read : {-1, 0, 1, 3, 4, 7, 8, 15, 16}) {
      if (read <= size) check_copy(size, read, "ca", false);
    }
    check_copy(size, -1, "ca", true);
  }
  check_copy(16, -1, "cg", false);
  check_copy(16, 5, "cg", false);
}

TEST(CopyAsync, RefusesWhatIsMisalignedOrOutside) {
  const auto text = [](int size, int offset) {
    return kernel(".param .u64 ps",
                  "  .reg .b64 %ps;\n  .shared .align 16 .b8 tile[64];\n  ld.param.u64 %ps, [ps];\n"
                  "  cp.async.ca.shared.global [tile], [%ps+" +
                      std::to_string(offset) + "], " + std::to_string(size) +
                      ";\n  cp.async.wait_all;\n");
  };
  Buffer in(64);
  Parameters parameters;
  parameters.add(in.address());
  EXPECT_EQ(run(text(16, 0), parameters).code, 0);
  EXPECT_EQ(run(text(16, 8), parameters).code, 716);
  EXPECT_EQ(run(text(4, 64), parameters).code, 700);
}

// Copies are kept back until a wait that has to complete them.
TEST(CopyAsync, DeferredCopiesHappenByGroup) {
  Warp warp;
  int source[4] = {1, 2, 3, 4};
  int target[4] = {};
  const auto copy = [&](int i, int lane) {
    defer_copy(warp, lane, reinterpret_cast<std::byte*>(target + i),
               reinterpret_cast<const std::byte*>(source + i), 4, 4);
  };
  copy(0, 0);
  commit_copies(warp, 1);
  copy(1, 0);
  commit_copies(warp, 1);
  copy(2, 0);
  copy(3, 5);  // another lane
  complete_copies(warp, 1, 1, false);
  EXPECT_EQ(target[0], 1);
  EXPECT_EQ(target[1], 0);
  complete_copies(warp, 1, 0, false);
  EXPECT_EQ(target[1], 2);
  EXPECT_EQ(target[2], 0);  // in no group yet
  complete_copies(warp, 1, 0, true);
  EXPECT_EQ(target[2], 3);
  EXPECT_EQ(target[3], 0);
  complete_copies(warp, full_mask, 0, true);
  EXPECT_EQ(target[3], 4);
}

// --- mbarrier -----------------------------------------------------------------------------------

// Warp 0 fills a slot and warp 1 empties it, many times, by two barriers and their parities.
TEST(Mbarrier, HandsASlotBackAndForth) {
  const std::string text = kernel(
      ".param .u64 pd",
      "  .reg .b64 %pd, %at, %state;\n  .reg .b32 %t, %i, %parity, %v, %w, %lane;\n"
      "  .reg .pred %p, %first, %more;\n"
      "  .shared .align 8 .b64 full;\n  .shared .align 8 .b64 empty;\n  .shared .b32 slot[32];\n"
      "  ld.param.u64 %pd, [pd];\n  mov.u32 %t, %tid.x;\n  mov.u32 %lane, %laneid;\n"
      "  setp.ne.u32 %p, %t, 0;\n  @%p bra READY;\n"
      "  mbarrier.init.shared.b64 [full], 32;\n  mbarrier.init.shared.b64 [empty], 32;\n"
      "READY:\n  bar.sync 0;\n  mov.u32 %i, 0;\n  mov.u32 %v, slot;\n  mad.lo.u32 %v, %lane, 4, "
      "%v;\n"
      "  setp.ge.u32 %first, %t, 32;\n  @%first bra CONSUME;\n"
      "PRODUCE:\n  and.b32 %parity, %i, 1;\n  xor.b32 %parity, %parity, 1;\n"
      "WAITEMPTY:\n  mbarrier.try_wait.parity.shared.b64 %p, [empty], %parity;\n  @!%p bra "
      "WAITEMPTY;\n"
      "  mad.lo.u32 %w, %i, 100, %lane;\n  st.shared.u32 [%v], %w;\n"
      "  mbarrier.arrive.shared.b64 %state, [full];\n  add.u32 %i, %i, 1;\n"
      "  setp.lt.u32 %more, %i, 50;\n  @%more bra PRODUCE;\n  bra DONE;\n"
      "CONSUME:\n  and.b32 %parity, %i, 1;\n"
      "WAITFULL:\n  mbarrier.try_wait.parity.shared.b64 %p, [full], %parity;\n  @!%p bra "
      "WAITFULL;\n"
      "  ld.shared.u32 %w, [%v];\n  mbarrier.arrive.shared.b64 _, [empty];\n"
      "  mad.lo.u32 %parity, %i, 32, %lane;\n  mad.wide.u32 %at, %parity, 4, %pd;\n"
      "  st.global.u32 [%at], %w;\n  add.u32 %i, %i, 1;\n  setp.lt.u32 %more, %i, 50;\n"
      "  @%more bra CONSUME;\nDONE:\n");
  Buffer out(50 * 32 * 4);
  Parameters parameters;
  parameters.add(out.address());
  const Fault fault = run(text, parameters, 64);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 i = 0; i < 50; ++i) {
    for (u32 lane = 0; lane < 32; ++lane) ASSERT_EQ(out.as<u32>()[32 * i + lane], 100 * i + lane);
  }
}

// One thread, step by step: counts, states, transactions, drops.
TEST(Mbarrier, CountsArrivalsAndTransactions) {
  int at = 0;
  std::string body =
      "  .reg .b64 %pd, %s0, %s1, %s2, %s3;\n  .reg .b32 %v;\n  .reg .pred %p;\n"
      "  .shared .align 8 .b64 bar;\n  ld.param.u64 %pd, [pd];\n  mbarrier.init.shared::cta.b64 "
      "[bar], 3;\n";
  const auto give = [&](const std::string& code) {
    body += code + "  st.global.u32 [%pd+" + std::to_string(4 * at++) + "], %v;\n";
  };
  const auto done = [&](const std::string& test) { give(test + "  selp.u32 %v, 1, 0, %p;\n"); };
  body += "  mbarrier.arrive.shared::cta.b64 %s0, [bar];\n";
  give("  mbarrier.pending_count.b64 %v, %s0;\n");                 // 3
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s0;\n");  // 0
  body += "  mbarrier.arrive.shared::cta.b64 %s1, [bar], 2;\n";
  give("  mbarrier.pending_count.b64 %v, %s1;\n");                      // 2
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s0;\n");       // 1
  done("  mbarrier.test_wait.parity.shared::cta.b64 %p, [bar], 0;\n");  // 1
  done("  mbarrier.test_wait.parity.shared::cta.b64 %p, [bar], 1;\n");  // 0
  // Second phase: transactions hold it open after the last arrival.
  body +=
      "  mbarrier.arrive.expect_tx.shared::cta.b64 %s2, [bar], 64;\n"
      "  mbarrier.arrive.shared::cta.b64 _, [bar], 2;\n";
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s2;\n");  // 0
  body += "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [bar], 48;\n";
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s2;\n");  // 0
  body += "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [bar], 16;\n";
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s2;\n");  // 1
  // Third phase: one leaves for good, so that the fourth expects two.
  body +=
      "  mbarrier.arrive_drop.shared::cta.b64 %s3, [bar];\n"
      "  mbarrier.arrive.shared::cta.b64 _, [bar], 2;\n";
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s3;\n");  // 1
  body += "  mbarrier.arrive.shared::cta.b64 %s0, [bar], 2;\n";
  give("  mbarrier.pending_count.b64 %v, %s0;\n");                 // 2
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s0;\n");  // 1
  // Transactions may complete before they are expected.
  body +=
      "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [bar], 32;\n"
      "  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [bar], 32;\n"
      "  mbarrier.arrive.noComplete.shared::cta.b64 %s0, [bar], 1;\n";
  done("  mbarrier.test_wait.shared::cta.b64 %p, [bar], %s0;\n");  // 0
  body += "  mbarrier.arrive.release.cta.shared::cta.b64 %s0, [bar];\n";
  done("  mbarrier.try_wait.acquire.cta.shared::cta.b64 %p, [bar], %s0, 1000;\n");  // 1
  body += "  mbarrier.inval.shared::cta.b64 [bar];\n";
  Buffer out(static_cast<std::size_t>(4 * at));
  Parameters parameters;
  parameters.add(out.address());
  const Fault fault = run(kernel(".param .u64 pd", body), parameters, 1);
  ASSERT_EQ(fault.code, 0) << fault.message;
  const std::vector<u32> want = {3, 0, 2, 1, 1, 0, 0, 0, 1, 1, 2, 1, 0, 1};
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_EQ(out.as<u32>()[i], want[i]) << "step " << i;
}

TEST(Mbarrier, SaysThatItIsNotInitialised) {
  const Fault fault = run(kernel("",
                                 "  .shared .align 8 .b64 bar;\n"
                                 "  mbarrier.arrive.shared.b64 _, [bar];\n"),
                          {}, 1);
  EXPECT_EQ(fault.code, 719);
  EXPECT_NE(fault.message.find("not initialised"), std::string::npos) << fault.message;
}

TEST(Mbarrier, TooManyArrivalsAreAFault) {
  const Fault fault =
      run(kernel("",
                 "  .shared .align 8 .b64 bar;\n  mbarrier.init.shared.b64 [bar], 1;\n"
                 "  mbarrier.arrive.shared.b64 _, [bar], 2;\n"),
          {}, 1);
  EXPECT_EQ(fault.code, 719);
}

TEST(Mbarrier, CountsAsyncCopiesOfThreads) {
  const std::string text = kernel(
      ".param .u64 pd, .param .u64 ps",
      "  .reg .b64 %pd, %ps, %at, %state;\n  .reg .b32 %t, %v, %a;\n  .reg .pred %p;\n"
      "  .shared .align 8 .b64 bar;\n  .shared .align 16 .b32 tile[64];\n"
      "  ld.param.u64 %pd, [pd];\n  ld.param.u64 %ps, [ps];\n  mov.u32 %t, %tid.x;\n"
      "  setp.ne.u32 %p, %t, 0;\n  @!%p mbarrier.init.shared.b64 [bar], 64;\n  bar.sync 0;\n"
      "  mov.u32 %a, tile;\n  mad.lo.u32 %a, %t, 4, %a;\n  mad.wide.u32 %at, %t, 4, %ps;\n"
      "  cp.async.ca.shared.global [%a], [%at], 4;\n"
      "  cp.async.mbarrier.arrive.noinc.shared.b64 [bar];\n"
      "WAIT:\n  mbarrier.test_wait.parity.shared.b64 %p, [bar], 0;\n  @!%p bra WAIT;\n"
      // The neighbour's word in the other warp.
      "  xor.b32 %a, %t, 32;\n  mov.u32 %v, tile;\n  mad.lo.u32 %a, %a, 4, %v;\n"
      "  ld.shared.u32 %v, [%a];\n  mad.wide.u32 %at, %t, 4, %pd;\n  st.global.u32 [%at], %v;\n");
  Buffer out(256);
  Buffer in(256);
  for (u32 i = 0; i < 64; ++i) in.as<u32>()[i] = 1000 + i;
  Parameters parameters;
  parameters.add(out.address()).add(in.address());
  const Fault fault = run(text, parameters, 64);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 i = 0; i < 64; ++i) EXPECT_EQ(out.as<u32>()[i], 1000 + (i ^ 32U));
}

// --- bulk copies --------------------------------------------------------------------------------

TEST(BulkCopy, ThereAndBack) {
  const std::string text = kernel(
      ".param .u64 pd, .param .u64 ps",
      "  .reg .b64 %pd, %ps;\n  .reg .b32 %t, %v, %a;\n  .reg .pred %p, %q;\n"
      "  .shared .align 8 .b64 bar;\n  .shared .align 128 .b32 tile[256];\n"
      "  ld.param.u64 %pd, [pd];\n  ld.param.u64 %ps, [ps];\n  mov.u32 %t, %tid.x;\n"
      "  setp.eq.u32 %p, %t, 0;\n  @%p mbarrier.init.shared.b64 [bar], 1;\n  bar.sync 0;\n"
      "  @!%p bra WAIT;\n  mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
      "  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [tile], [%ps], 1024, "
      "[bar];\n"
      "WAIT:\n  mbarrier.try_wait.parity.shared.b64 %q, [bar], 0;\n  @!%q bra WAIT;\n"
      "  mov.u32 %a, tile;\n  mad.lo.u32 %a, %t, 4, %a;\n  ld.shared.u32 %v, [%a];\n"
      "  add.u32 %v, %v, 5;\n  st.shared.u32 [%a], %v;\n  fence.proxy.async.shared::cta;\n  "
      "bar.sync 0;\n"
      "  @!%p bra DONE;\n"
      "  cp.async.bulk.global.shared::cta.bulk_group [%pd], [tile], 1024;\n"
      "  cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%pd+1024], [tile], 1024;\n"
      "  cp.reduce.async.bulk.global.shared::cta.bulk_group.max.s32 [%pd+2048], [tile], 1024;\n"
      "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group 0;\n  "
      "cp.async.bulk.wait_group.read 0;\n"
      "DONE:\n");
  Buffer out(3 * 1024);
  Buffer in(1024);
  for (u32 i = 0; i < 256; ++i) {
    in.as<u32>()[i] = 3 * i;
    out.as<u32>()[256 + i] = 7;
    out.as<u32>()[512 + i] = i % 2 == 0 ? 400 : 0xfffffff0U;
  }
  Parameters parameters;
  parameters.add(out.address()).add(in.address());
  const Fault fault = run(text, parameters, 256);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 i = 0; i < 256; ++i) {
    const u32 v = 3 * i + 5;
    EXPECT_EQ(out.as<u32>()[i], v);
    EXPECT_EQ(out.as<u32>()[256 + i], 7 + v);
    EXPECT_EQ(out.as<u32>()[512 + i], i % 2 == 0 ? std::max(400U, v) : v);
  }
}

TEST(BulkCopy, RefusesSizesThatAreNoMultiplesOf16) {
  const std::string text =
      kernel(".param .u64 ps",
             "  .reg .b64 %ps;\n  .reg .b32 %size;\n  .shared .align 16 .b32 tile[256];\n  "
             "ld.param.u64 %ps, [ps];\n"
             "  mov.u32 %size, 24;\n"
             "  cp.async.bulk.global.shared::cta.bulk_group [%ps], [tile], %size;\n");
  Buffer in(1024);
  Parameters parameters;
  parameters.add(in.address());
  EXPECT_EQ(run(text, parameters, 1).code, 716);
}

// --- clusters -----------------------------------------------------------------------------------

TEST(Cluster, WritesIntoTheNeighboursSharedMemory) {
  const std::string text = kernel(
      ".param .u64 pd",
      "  .reg .b64 %pd, %at, %g, %h;\n  .reg .b32 %t, %v, %a, %r, %rank, %other, %k;\n  .reg .pred "
      "%p;\n"
      "  .shared .align 16 .b32 tile[64];\n"
      "  ld.param.u64 %pd, [pd];\n  mov.u32 %t, %tid.x;\n  mov.u32 %rank, %cluster_ctarank;\n"
      "  xor.b32 %other, %rank, 1;\n  mov.u32 %a, tile;\n"
      "  mapa.shared::cluster.u32 %r, %a, %other;\n  mad.lo.u32 %r, %t, 4, %r;\n"
      "  mad.lo.u32 %v, %rank, 1000, %t;\n"
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n"
      "  st.shared::cluster.u32 [%r], %v;\n"
      // The same by a generic address, into the second half.
      "  cvt.u64.u32 %g, %a;\n  cvta.shared.u64 %g, %g;\n  mapa.u64 %h, %g, %other;\n"
      "  mad.wide.u32 %h, %t, 4, %h;\n  add.u32 %v, %v, 500;\n  st.u32 [%h+128], %v;\n"
      "  barrier.cluster.arrive.release;\n  barrier.cluster.wait.acquire;\n"
      "  mad.lo.u32 %a, %t, 4, %a;\n  ld.shared.u32 %v, [%a];\n"
      "  mov.u32 %k, %ctaid.x;\n  mad.lo.u32 %k, %k, 128, %t;\n  mad.wide.u32 %at, %k, 4, %pd;\n"
      "  st.global.u32 [%at], %v;\n  ld.shared.u32 %v, [%a+128];\n  st.global.u32 [%at+128], %v;\n"
      "  getctarank.shared::cluster.u32 %v, %r;\n  st.global.u32 [%at+256], %v;\n"
      "  getctarank.u64 %v, %g;\n  st.global.u32 [%at+384], %v;\n"
      // Values that were written there are read back, and changed there.
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n"
      "  mad.lo.u32 %k, %rank, 1000, %t;\n  ld.shared::cluster.u32 %v, [%r];\n"
      "  setp.ne.u32 %p, %v, %k;\n  @%p trap;\n"
      "  atom.shared::cluster.add.u32 %v, [%r], 7;\n  setp.ne.u32 %p, %v, %k;\n  @%p trap;\n"
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n  ld.shared.u32 %v, [%a];\n"
      "  mad.lo.u32 %k, %other, 1000, %t;\n  add.u32 %k, %k, 7;\n"
      "  setp.ne.u32 %p, %v, %k;\n  @%p trap;\n");
  Buffer out(4 * 512);
  Parameters parameters;
  parameters.add(out.address());
  const Fault fault = run(text, parameters, 32, 4, 2);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 block = 0; block < 4; ++block) {
    for (u32 t = 0; t < 32; ++t) {
      const u32 rank = block % 2;
      const u32* got = out.as<u32>() + 128 * block + t;
      ASSERT_EQ(got[0], 1000 * (1 - rank) + t);
      ASSERT_EQ(got[32], 1000 * (1 - rank) + t + 500);
      ASSERT_EQ(got[64], 1 - rank);
      ASSERT_EQ(got[96], rank);
    }
  }
}

// A block sends values to its neighbour, which waits at its own barrier for the bytes.
TEST(Cluster, StoresAsynchronouslyAndMulticasts) {
  const std::string text = kernel(
      ".param .u64 pd, .param .u64 ps",
      "  .reg .b64 %pd, %ps, %at;\n  .reg .b16 %mask;\n"
      "  .reg .b32 %t, %v, %w, %a, %b, %ra, %rb, %rank, %other, %k;\n"
      "  .reg .pred %p, %q, %z;\n  .shared .align 8 .b64 bar;\n  .shared .align 16 .b32 "
      "tile[192];\n"
      "  ld.param.u64 %pd, [pd];\n  ld.param.u64 %ps, [ps];\n  mov.u32 %t, %tid.x;\n"
      "  mov.u32 %rank, %cluster_ctarank;\n  xor.b32 %other, %rank, 1;\n"
      "  setp.eq.u32 %p, %t, 0;\n  @!%p bra READY;\n  mbarrier.init.shared.b64 [bar], 1;\n"
      "  fence.mbarrier_init.release.cluster;\n"
      // 32 threads times 8 bytes, 32 times 4 for the reduction, and 256 from the multicast.
      "  mbarrier.arrive.expect_tx.shared.b64 _, [bar], 640;\n"
      "READY:\n  mov.u32 %a, tile;\n  mov.u32 %b, bar;\n"
      "  mad.lo.u32 %w, %t, 4, %a;\n  mov.u32 %v, 100;\n  st.shared.u32 [%w+512], %v;\n"
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n"
      "  mapa.shared::cluster.u32 %ra, %a, %other;\n  mapa.shared::cluster.u32 %rb, %b, %other;\n"
      "  mad.lo.u32 %k, %t, 8, %ra;\n  mad.lo.u32 %v, %rank, 1000, %t;\n  neg.s32 %w, %v;\n"
      "  st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%k], {%v, %w}, [%rb];\n"
      "  mad.lo.u32 %k, %t, 4, %ra;\n"
      "  red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%k+512], "
      "%v, [%rb];\n"
      "  setp.eq.u32 %z, %rank, 0;\n  and.pred %z, %z, %p;\n  mov.u16 %mask, 3;\n"
      "  @%z cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[tile+256], [%ps], 256, [bar], %mask;\n"
      "WAIT:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %q, [bar], 0;\n  @!%q bra "
      "WAIT;\n"
      "  mov.u32 %k, %ctaid.x;\n  mad.lo.u32 %k, %k, 192, %t;\n  mad.wide.u32 %at, %k, 4, %pd;\n"
      "  mad.lo.u32 %a, %t, 4, %a;\n"
      "  ld.shared.u32 %v, [%a];\n  st.global.u32 [%at], %v;\n"
      "  ld.shared.u32 %v, [%a+128];\n  st.global.u32 [%at+128], %v;\n"
      "  ld.shared.u32 %v, [%a+256];\n  st.global.u32 [%at+256], %v;\n"
      "  ld.shared.u32 %v, [%a+384];\n  st.global.u32 [%at+384], %v;\n"
      "  ld.shared.u32 %v, [%a+512];\n  st.global.u32 [%at+512], %v;\n"
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n");
  Buffer out(4 * 192 * 4);
  Buffer in(256);
  for (u32 i = 0; i < 64; ++i) in.as<u32>()[i] = 77 * i;
  Parameters parameters;
  parameters.add(out.address()).add(in.address());
  const Fault fault = run(text, parameters, 32, 4, 2);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 block = 0; block < 4; ++block) {
    const u32 sender = 1 - block % 2;
    const u32* got = out.as<u32>() + 192 * block;
    for (u32 t = 0; t < 32; ++t) {
      EXPECT_EQ(got[2 * t], 1000 * sender + t);
      EXPECT_EQ(got[2 * t + 1], 0U - (1000 * sender + t));
      EXPECT_EQ(got[64 + t], 77 * t);
      EXPECT_EQ(got[96 + t], 77 * (32 + t));
      EXPECT_EQ(got[128 + t], 100 + 1000 * sender + t);
    }
  }
}

// --- tensor maps ---------------------------------------------------------------------------------

struct Encoded {
  alignas(64) TensorMap map;
};

Encoded encode(int type, void* address, std::vector<u64> sizes, std::vector<u64> strides,
               std::vector<u32> box, int swizzle, int fill = 0) {
  Encoded e;
  const std::vector<u32> steps(sizes.size(), 1);
  EXPECT_EQ(encode_tensor_map(&e.map, type, static_cast<u32>(sizes.size()), address, sizes.data(),
                              strides.data(), box.data(), steps.data(), 0, swizzle, 0, fill),
            0);
  return e;
}

Parameters with_map(const Encoded& e, std::vector<u64> more) {
  Parameters parameters;
  const auto* words = reinterpret_cast<const u64*>(&e.map);
  for (std::size_t i = 0; i < sizeof(TensorMap) / 8; ++i) parameters.add(words[i]);
  for (const u64 x : more) parameters.add(x);
  return parameters;
}

// A box of 8 by 16 floats at (x, y) of a matrix of 40 by 24, by way of shared memory.
std::string box_kernel(int x, int y) {
  return kernel(
      ".param .align 64 .b8 map[128], .param .u64 pd",
      "  .reg .b64 %map, %pd, %at;\n  .reg .b32 %t, %v, %a, %x, %y;\n  .reg .pred %p, %q;\n"
      "  .shared .align 8 .b64 bar;\n  .shared .align 1024 .b8 tile[512];\n"
      "  mov.b64 %map, map;\n  cvta.param.u64 %map, %map;\n  ld.param.u64 %pd, [pd];\n"
      "  mov.u32 %t, %tid.x;\n  setp.ne.u32 %p, %t, 0;\n"
      "  @!%p mbarrier.init.shared.b64 [bar], 1;\n  bar.sync 0;\n  @%p bra WAIT;\n"
      "  mov.u32 %x, " +
          std::to_string(x) + ";\n  mov.u32 %y, " + std::to_string(y) +
          ";\n"
          "  mbarrier.arrive.expect_tx.shared.b64 _, [bar], 512;\n"
          "  cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
          "[tile], [%map, {%x, %y}], [bar];\n"
          "WAIT:\n  mbarrier.try_wait.parity.shared.b64 %q, [bar], 0;\n  @!%q bra WAIT;\n"
          "  mov.u32 %a, tile;\n  mad.lo.u32 %a, %t, 4, %a;\n  ld.shared.u32 %v, [%a];\n"
          "  mad.wide.u32 %at, %t, 4, %pd;\n  st.global.u32 [%at], %v;\n");
}

TEST(TensorMap, CopiesABoxWithWhatIsOutside) {
  Buffer in(40 * 24 * 4);
  for (u32 i = 0; i < 40 * 24; ++i) in.as<float>()[i] = static_cast<float>(i + 1);
  Buffer out(512);
  for (const auto& [x, y] :
       std::vector<std::pair<int, int>>{{0, 0}, {5, 3}, {-3, 20}, {36, -2}, {100, 0}}) {
    for (const int fill : {0, 1}) {
      const Encoded e = encode(7, in.data(), {40, 24}, {160}, {8, 16}, 0, fill);
      const Fault fault = run(box_kernel(x, y), with_map(e, {out.address()}), 128);
      ASSERT_EQ(fault.code, 0) << fault.message;
      for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < 8; ++column) {
          const bool outside = x + column < 0 || x + column >= 40 || y + row < 0 || y + row >= 24;
          const float got = out.as<float>()[8 * row + column];
          if (outside && fill == 1) {
            EXPECT_NE(got, got);
          } else {
            EXPECT_EQ(got, outside ? 0.0F : static_cast<float>(40 * (y + row) + x + column + 1));
          }
        }
      }
    }
  }
}

// The 16-byte pieces of eight (four, two) rows are exchanged: piece p of row r goes to p xor r,
// with rows as long as the span.
TEST(TensorMap, Swizzles) {
  Buffer in(64 * 8 * 4);
  for (u32 i = 0; i < 64 * 8; ++i) in.as<u32>()[i] = i;
  Buffer out(512);
  // Rows of 32 bytes, 16 of them.
  const Encoded e = encode(2, in.data(), {8, 64}, {32}, {8, 16}, 1);
  const Fault fault = run(box_kernel(0, 4), with_map(e, {out.address()}), 128);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (u32 row = 0; row < 16; ++row) {
    for (u32 column = 0; column < 8; ++column) {
      // 32B: bit 4 of the address is exchanged by bit 7, which is every fourth row.
      const u32 piece = (column / 4) ^ (row / 4 % 2);
      EXPECT_EQ(out.as<u32>()[8 * row + 4 * piece + column % 4], 8 * (row + 4) + column);
    }
  }
}

TEST(TensorMap, StoresAndReduces) {
  const std::string text = kernel(
      ".param .align 64 .b8 map[128]",
      "  .reg .b64 %map;\n  .reg .b32 %t, %a, %x, %y;\n  .reg .pred %p;\n  .reg .f32 %f;\n"
      "  .shared .align 1024 .b8 tile[512];\n"
      "  mov.b64 %map, map;\n  cvta.param.u64 %map, %map;\n  mov.u32 %t, %tid.x;\n"
      "  mov.u32 %a, tile;\n  mad.lo.u32 %a, %t, 4, %a;\n  cvt.rn.f32.u32 %f, %t;\n"
      "  st.shared.f32 [%a], %f;\n  fence.proxy.async.shared::cta;\n  bar.sync 0;\n"
      "  setp.ne.u32 %p, %t, 0;\n  @%p bra DONE;\n  mov.u32 %x, 35;\n  mov.u32 %y, 1;\n"
      "  cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%map, {%x, %y}], [tile];\n"
      "  cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%map, {%x, %y}], "
      "[tile];\n"
      "  cp.async.bulk.commit_group;\n  cp.async.bulk.wait_group.read 0;\nDONE:\n");
  Buffer memory(40 * 24 * 4);
  const Encoded e = encode(7, memory.data(), {40, 24}, {160}, {8, 16}, 0);
  const Fault fault = run(text, with_map(e, {}), 128);
  ASSERT_EQ(fault.code, 0) << fault.message;
  for (int y = 0; y < 24; ++y) {
    for (int x = 0; x < 40; ++x) {
      const bool inside = x >= 35 && y >= 1 && y < 17;
      EXPECT_EQ(memory.as<float>()[40 * y + x],
                inside ? static_cast<float>(2 * (8 * (y - 1) + x - 35)) : 0.0F);
    }
  }
}

TEST(TensorMap, RefusesWhatIsNone) {
  Buffer in(4096);
  Buffer out(512);
  Encoded e = encode(7, in.data(), {40, 24}, {160}, {8, 16}, 0);
  e.map.mark = 0;
  EXPECT_EQ(run(box_kernel(0, 0), with_map(e, {out.address()}), 128).code, 719);
  // Memory that is smaller than the map says.
  const Encoded beyond = encode(7, in.data(), {40, 240}, {160}, {8, 16}, 0);
  EXPECT_EQ(run(box_kernel(0, 20), with_map(beyond, {out.address()}), 128).code, 700);
  TensorMap map;
  const u64 sizes[2] = {40, 24};
  const u64 strides[1] = {150};
  const u32 box[2] = {8, 16};
  const u32 steps[2] = {1, 1};
  EXPECT_NE(encode_tensor_map(&map, 7, 2, in.data(), sizes, strides, box, steps, 0, 0, 0, 0), 0);
}

// Instructions that only advise do nothing, not even for addresses that are not valid.
TEST(Hints, DoNothing) {
  const std::string text =
      kernel(".param .u64 pd",
             "  .reg .b64 %pd, %policy;\n  .reg .b32 %v;\n  ld.param.u64 %pd, [pd];\n"
             "  prefetch.global.L2 [%pd];\n  prefetchu.L1 [%pd];\n  prefetch.global.L2::evict_last "
             "[%pd];\n"
             "  createpolicy.fractional.L2::evict_last.b64 %policy, 0.5;\n"
             "  cp.async.bulk.prefetch.L2.global [%pd], 64;\n"
             "  applypriority.global.L2::evict_normal [%pd], 128;\n  griddepcontrol.wait;\n"
             "  griddepcontrol.launch_dependents;\n  mov.u32 %v, 7;\n"
             "  st.global.L2::cache_hint.u32 [%pd], %v, %policy;\n");
  Buffer out(256);
  Parameters parameters;
  parameters.add(out.address());
  const Fault fault = run(text, parameters, 1);
  ASSERT_EQ(fault.code, 0) << fault.message;
  EXPECT_EQ(out.as<u32>()[0], 7U);
}

TEST(Unsupported, SaysWhatIsMissing) {
  const Fault fault = run(
      kernel(".param .u64 pd",
             "  .reg .b64 %pd;\n  ld.param.u64 %pd, [pd];\n"
             "  tensormap.replace.tile.rank.global.b1024.b32 [%pd], 2;\n"),
      [] {
        Parameters parameters;
        parameters.add(u64{0});
        return parameters;
      }(),
      1);
  EXPECT_EQ(fault.code, 715);
  EXPECT_NE(fault.message.find("tensor maps"), std::string::npos) << fault.message;
}

}  // namespace
}  // namespace softgpu::test
