// Barriers of a block: bar and barrier with numbers, thread counts, arrivals and reductions.
#include "kernel.hpp"

namespace softgpu::test {
namespace {

Fault run(const std::string& declarations, const std::string& body, u32 threads, Buffer& out,
          u32 blocks = 3) {
  const std::string text = std::string(module_head()) +
                           ".visible .entry kernel(.param .u64 out)\n{\n  .reg .b64 %o, %w;\n  "
                           ".reg .b32 %t, %v, %s, %q, %n, %g;\n  .reg .pred %p, %r;\n" +
                           declarations +
                           "  ld.param.u64 %o, [out];\n  mov.u32 %t, %tid.x;\n  mov.u32 %n, "
                           "%ctaid.x;\n  mov.u32 %g, %ntid.x;\n  mad.lo.u32 %g, %n, %g, %t;\n"
                           "  mul.wide.u32 %w, %g, 4;\n  add.u64 %o, %o, %w;\n" +
                           body + "\n  ret;\n}\n";
  Program program({text}, 0);
  Dim3 grid;
  grid.x = blocks;
  Dim3 size;
  size.x = threads;
  return launch(program, "kernel", grid, size, Parameters().add(out.address()));
}

const std::string cells = "  .shared .align 4 .b32 cell[1024];\n";

// Neighbours' values through shared memory, in rounds: each round needs two barriers.
TEST(Barrier, WholeBlock) {
  for (const std::string form :
       {"bar.sync 0;", "barrier.sync 0;", "barrier.cta.sync.aligned 3;", "bar.cta.sync 15;",
        "mov.u32 %n, 7; bar.sync %n;", "barrier.sync.aligned 2, 224;"}) {
    const std::string body =
        "  mov.u32 %v, %t;\n  mov.u32 %q, 0;\nLOOP:\n  mov.u32 %s, cell;\n  mad.lo.u32 %s, %t, 4, "
        "%s;\n  st.shared.u32 [%s], %v;\n  " +
        form +
        "\n  add.u32 %n, %t, 33;\n  rem.u32 %n, %n, 224;\n  mov.u32 %s, cell;\n  mad.lo.u32 %s, "
        "%n, 4, %s;\n  ld.shared.u32 %n, [%s];\n"
        "  mad.lo.u32 %v, %v, 3, %n;\n  " +
        form +
        "\n  add.u32 %q, %q, 1;\n  setp.lt.u32 %p, %q, 20;\n  @%p bra LOOP;\n  st.global.u32 [%o], "
        "%v;";
    for_each_instruction_set([&](const char*) {
      Buffer out(3 * 224 * 4);
      const Fault fault = run(cells, body, 224, out);
      ASSERT_EQ(fault.code, 0) << form << fault.message;
      std::vector<u32> v(224);
      for (u32 i = 0; i < 224; ++i) v[i] = i;
      for (int round = 0; round < 20; ++round) {
        std::vector<u32> next(224);
        for (u32 i = 0; i < 224; ++i) next[i] = v[i] * 3 + v[(i + 33) % 224];
        v = next;
      }
      for (u32 i = 0; i < 3 * 224; ++i) ASSERT_EQ(out.as<u32>()[i], v[i % 224]) << form << i;
    });
  }
}

// Half of the block waits at barrier 1, the other at barrier 2, a different number of times.
TEST(Barrier, NumbersAndCounts) {
  const std::string body = R"(
  setp.lt.u32 %p, %t, 64;
  mov.u32 %q, 0;
  mov.u32 %v, %t;
  @%p bra FIRST;
SECOND:
  mov.u32 %s, cell;
  mad.lo.u32 %s, %t, 4, %s;
  st.shared.u32 [%s], %v;
  barrier.sync 2, 96;
  xor.b32 %n, %t, 32;
  setp.ge.u32 %r, %n, 160;
  @%r mov.u32 %n, %t;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %n, 4, %s;
  ld.shared.u32 %n, [%s];
  add.u32 %v, %v, %n;
  barrier.sync 2, 96;
  add.u32 %q, %q, 1;
  setp.lt.u32 %p, %q, 11;
  @%p bra SECOND;
  bra DONE;
FIRST:
  mov.u32 %s, cell;
  mad.lo.u32 %s, %t, 4, %s;
  st.shared.u32 [%s], %v;
  barrier.sync 1, 64;
  xor.b32 %n, %t, 63;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %n, 4, %s;
  ld.shared.u32 %n, [%s];
  add.u32 %v, %v, %n;
  barrier.sync 1, 64;
  add.u32 %q, %q, 1;
  setp.lt.u32 %p, %q, 5;
  @%p bra FIRST;
DONE:
  bar.sync 0;
  st.global.u32 [%o], %v;
)";
  for_each_instruction_set([&](const char*) {
    Buffer out(3 * 160 * 4);
    const Fault fault = run(cells, body, 160, out);
    ASSERT_EQ(fault.code, 0) << fault.message;
    std::vector<u32> v(160);
    for (u32 i = 0; i < 160; ++i) v[i] = i;
    for (int round = 0; round < 11; ++round) {
      std::vector<u32> next = v;
      for (u32 i = 64; i < 160; ++i) next[i] = v[i] + v[(i ^ 32) >= 160 ? i : i ^ 32];
      if (round < 5) {
        for (u32 i = 0; i < 64; ++i) next[i] = v[i] + v[i ^ 63];
      }
      v = next;
    }
    for (u32 i = 0; i < 3 * 160; ++i) ASSERT_EQ(out.as<u32>()[i], v[i % 160]) << i;
  });
}

// Producers arrive without waiting; consumers wait. PTX ISA's own use of bar.arrive.
TEST(Barrier, ProducersArrive) {
  const std::string body = R"(
  mov.u32 %q, 0;
  mov.u32 %v, 0;
  setp.ge.u32 %p, %t, 64;
  @%p bra CONSUMER;
PRODUCER:
  mad.lo.u32 %n, %q, 100, %t;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %t, 4, %s;
  st.shared.u32 [%s], %n;
  barrier.arrive 1, 128;
  barrier.sync 2, 128;
  add.u32 %q, %q, 1;
  setp.lt.u32 %p, %q, 9;
  @%p bra PRODUCER;
  bra DONE;
CONSUMER:
  barrier.sync 1, 128;
  sub.u32 %n, 127, %t;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %n, 4, %s;
  ld.shared.u32 %n, [%s];
  mad.lo.u32 %v, %v, 7, %n;
  bar.arrive 2, 128;
  add.u32 %q, %q, 1;
  setp.lt.u32 %p, %q, 9;
  @%p bra CONSUMER;
DONE:
  st.global.u32 [%o], %v;
)";
  for_each_instruction_set([&](const char*) {
    Buffer out(3 * 128 * 4);
    const Fault fault = run(cells, body, 128, out);
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (u32 i = 0; i < 3 * 128; ++i) {
      const u32 t = i % 128;
      u32 v = 0;
      for (u32 q = 0; q < 9 && t >= 64; ++q) v = v * 7 + q * 100 + (127 - t);
      ASSERT_EQ(out.as<u32>()[i], v) << i;
    }
  });
}

TEST(Barrier, Reductions) {
  for (const u32 threads : {1U, 32U, 70U, 256U}) {
    for (const std::string name : {"bar", "barrier.cta"}) {
      for (const u32 divisor : {1U, 3U, 1000U}) {
        // Which threads vote yes: those that divide evenly; 1000 only thread 0.
        const std::string body =
            "  rem.u32 %n, %t, " + std::to_string(divisor) +
            ";\n  setp.eq.u32 %p, %n, 0;\n  mov.u32 %v, 0;\n" + "  " + name +
            ".red.popc.u32 %s, 1, %p;\n  mov.u32 %v, %s;\n  " + name +
            ".red.and.pred %r, 1, %p;\n  @%r add.u32 %v, %v, 10000;\n  " + name +
            ".red.or.pred %r, 2, !%p;\n  @%r add.u32 %v, %v, 20000;\n  " + name +
            ".red.popc.u32 %s, 0, !%p;\n  mad.lo.u32 %v, %s, 65536, %v;\n  st.global.u32 [%o], %v;";
        for_each_instruction_set([&](const char*) {
          Buffer out(3 * threads * 4);
          const Fault fault = run("", body, threads, out);
          ASSERT_EQ(fault.code, 0) << fault.message;
          const u32 yes = (threads + divisor - 1) / divisor;
          const u32 no = threads - yes;
          for (u32 i = 0; i < 3 * threads; ++i) {
            ASSERT_EQ(out.as<u32>()[i],
                      yes + (no == 0 ? 10000 : 0) + (no > 0 ? 20000 : 0) + no * 65536)
                << threads << " " << name << " " << divisor;
          }
        });
      }
    }
  }
}

// Threads that ended do not keep the others waiting.
TEST(Barrier, EndedThreadsDoNotCount) {
  const std::string body = R"(
  setp.lt.u32 %p, %t, 40;
  @%p exit;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %t, 4, %s;
  st.shared.u32 [%s], %t;
  bar.sync 0;
  sub.u32 %n, 167, %t;
  mov.u32 %s, cell;
  mad.lo.u32 %s, %n, 4, %s;
  ld.shared.u32 %v, [%s];
  st.global.u32 [%o], %v;
)";
  for_each_instruction_set([&](const char*) {
    Buffer out(3 * 128 * 4);
    const Fault fault = run(cells, body, 128, out);
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (u32 i = 0; i < 3 * 128; ++i) ASSERT_EQ(out.as<u32>()[i], i % 128 < 40 ? 0 : 167 - i % 128);
  });
}

// Waiting for what cannot come is found, and told.
TEST(Barrier, DeadlockIsAFault) {
  Buffer out(3 * 128 * 4);
  // Half of the block waits at one barrier and half at another.
  const Fault fault =
      run("", "  setp.lt.u32 %p, %t, 64;\n  @%p bar.sync 1, 128;\n  @!%p bar.sync 2, 128;", 128,
          out, 1);
  EXPECT_NE(fault.code, 0);
  EXPECT_FALSE(fault.message.empty());
  const Fault number = run("", "  bar.sync 16;", 32, out, 1);
  EXPECT_NE(number.code, 0);
}

}  // namespace
}  // namespace softgpu::test
