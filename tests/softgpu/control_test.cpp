// Control flow: bra, brx.idx, call, ret, exit, trap; special registers; printf, assert and malloc.
#include "kernel.hpp"

namespace softgpu::test {
namespace {

// One value per thread from a kernel body that computes %v from %t (the thread's number in the
// grid). `functions` stands before the kernel.
Fault run(const std::string& functions, const std::string& body, u32 threads, Buffer& out,
          u32 blocks = 2, const std::string& declarations = "") {
  const std::string text = std::string(module_head()) + functions +
                           ".visible .entry kernel(.param .u64 out)\n{\n  .reg .b64 %o, %w, %l;\n  "
                           ".reg .b32 %t, %v, %s, %q, %n, %i, %k;\n  .reg .pred %p, %r;\n" +
                           declarations +
                           "  ld.param.u64 %o, [out];\n  mov.u32 %t, %tid.x;\n  mov.u32 %n, "
                           "%ctaid.x;\n  mov.u32 %i, %ntid.x;\n  mad.lo.u32 %t, %n, %i, %t;\n"
                           "  mul.wide.u32 %w, %t, 4;\n  add.u64 %o, %o, %w;\n  mov.u32 %v, 0;\n" +
                           body + "\n  st.global.u32 [%o], %v;\n  ret;\n}\n";
  Program program({text}, 0);
  Dim3 grid;
  grid.x = blocks;
  Dim3 size;
  size.x = threads;
  return launch(program, "kernel", grid, size, Parameters().add(out.address()));
}

void check_threads(const std::string& functions, const std::string& body,
                   const std::function<u32(u32)>& expected, const std::string& declarations = "") {
  constexpr u32 threads = 75;
  constexpr u32 blocks = 4;
  for_each_instruction_set([&](const char* name) {
    Buffer out(threads * blocks * 4);
    const Fault fault = run(functions, body, threads, out, blocks, declarations);
    ASSERT_EQ(fault.code, 0) << fault.message << body;
    for (u32 i = 0; i < threads * blocks; ++i)
      ASSERT_EQ(out.as<u32>()[i], expected(i)) << name << " thread " << i << body;
  });
}

TEST(Control, LoopsOfDifferentLengths) {
  // Collatz steps: every lane leaves the loop at a time of its own.
  check_threads("", R"(
  add.u32 %n, %t, 1;
LOOP:
  setp.eq.u32 %p, %n, 1;
  @%p bra DONE;
  add.u32 %v, %v, 1;
  and.b32 %q, %n, 1;
  setp.eq.u32 %r, %q, 0;
  @%r bra EVEN;
  mad.lo.u32 %n, %n, 3, 1;
  bra LOOP;
EVEN:
  shr.u32 %n, %n, 1;
  bra.uni LOOP;
DONE:
)",
                [](u32 t) {
                  u32 steps = 0;
                  for (u64 n = t + 1; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1) ++steps;
                  return steps;
                });
}

TEST(Control, NestedDivergence) {
  check_threads("", R"(
  and.b32 %q, %t, 3;
  setp.lt.u32 %p, %q, 2;
  @!%p bra HIGH;
  setp.eq.u32 %r, %q, 0;
  @%r bra ZERO;
  mov.u32 %s, 0;
ONE:
  add.u32 %v, %v, %s;
  add.u32 %s, %s, 1;
  setp.le.u32 %p, %s, %t;
  @%p bra ONE;
  bra JOIN1;
ZERO:
  mov.u32 %v, 7;
JOIN1:
  add.u32 %v, %v, 100;
  bra JOIN2;
HIGH:
  setp.eq.u32 %r, %q, 2;
  @%r add.u32 %v, %v, 2000;
  @!%r add.u32 %v, %v, 3000;
JOIN2:
  add.u32 %v, %v, 1;
)",
                [](u32 t) -> u32 {
                  switch (t & 3U) {
                    case 0: return 108;
                    case 1: return t * (t + 1) / 2 + 101;
                    case 2: return 2001;
                    default: return 3001;
                  }
                });
}

TEST(Control, GuardsOnEverySide) {
  check_threads(
      "", R"(
  and.b32 %q, %t, 1;
  setp.eq.u32 %p, %q, 1;
  @%p mov.u32 %v, 5;
  @!%p mov.u32 %v, 6;
  @%p setp.gt.u32 %r, %t, 100;
  @!%p setp.gt.u32 %r, %t, 50;
  @%r add.u32 %v, %v, 10;
)",
      [](u32 t) { return (t % 2 == 1 ? 5U : 6U) + (t > (t % 2 == 1 ? 100U : 50U) ? 10U : 0U); });
}

TEST(Control, EarlyReturns) {
  // Lanes that return store before; the others go on and see each other only.
  check_threads("", R"(
  mov.u32 %v, 11;
  rem.u32 %q, %t, 3;
  setp.eq.u32 %p, %q, 0;
  @%p st.global.u32 [%o], %v;
  @%p ret;
  setp.eq.u32 %p, %q, 1;
  @%p bra OTHER;
  activemask.b32 %s;
  popc.b32 %v, %s;
  min.u32 %v, %v, 12;
  bra DONE;
OTHER:
  mov.u32 %v, 33;
  st.global.u32 [%o], %v;
  exit;
DONE:
  setp.gt.u32 %p, %v, 0;
  selp.u32 %v, 22, 0, %p;
)",
                [](u32 t) { return t % 3 == 0   ? 11U
                                   : t % 3 == 1 ? 33U
                                                : 22U; });
}

TEST(Control, BranchByIndex) {
  const std::string body = R"(
  rem.u32 %q, %t, 4;
  rem.u32 %n, %t, 5;
  setp.ne.u32 %p, %n, 0;
  @%p brx.idx %q, TABLE;
  mov.u32 %v, 999;
  bra DONE;
A:
  mov.u32 %v, 10;
  bra DONE;
B:
  mov.u32 %v, 20;
C:
  add.u32 %v, %v, 30;
DONE:
)";
  check_threads("", "TABLE: .branchtargets A, B, C, A;" + body, [](u32 t) -> u32 {
    if (t % 5 == 0) return 999;
    return t % 4 == 0 || t % 4 == 3 ? 10U : t % 4 == 1 ? 50U : 30U;
  });
}

// --- calls ---------------------------------------------------------------------------------------

TEST(Control, CallsWithParametersAndResults) {
  const std::string functions = R"(
.func (.param .b32 result) combine(.param .b32 a, .param .b64 b, .param .align 8 .b8 c[16], .param .b16 d)
{
  .reg .b32 %x, %y;
  .reg .b64 %z;
  .reg .b16 %h;
  ld.param.u32 %x, [a];
  ld.param.u64 %z, [b];
  cvt.u32.u64 %y, %z;
  mad.lo.u32 %x, %x, 3, %y;
  ld.param.u32 %y, [c+4];
  add.u32 %x, %x, %y;
  ld.param.u64 %z, [c+8];
  cvt.u32.u64 %y, %z;
  add.u32 %x, %x, %y;
  ld.param.u16 %h, [d];
  cvt.u32.u16 %y, %h;
  add.u32 %x, %x, %y;
  st.param.b32 [result], %x;
  ret;
}
.func (.param .align 8 .b8 result[16]) pair(.param .b32 a)
{
  .reg .b32 %x, %y;
  .reg .b64 %z;
  ld.param.u32 %x, [a];
  shl.b32 %y, %x, 4;
  st.param.v2.b32 [result], {%x, %y};
  mul.wide.u32 %z, %x, 1000;
  st.param.b64 [result+8], %z;
  ret;
}
)";
  check_threads(functions, R"(
  {
    .param .b32 pa;
    .param .b64 pb;
    .param .align 8 .b8 pc[16];
    .param .b16 pd;
    .param .b32 result;
    .reg .b16 %h;
    st.param.b32 [pa], %t;
    cvt.u64.u32 %l, %t;
    shl.b64 %l, %l, 3;
    st.param.b64 [pb], %l;
    st.param.b32 [pc], 77;
    add.u32 %q, %t, 9;
    st.param.b32 [pc+4], %q;
    st.param.b64 [pc+8], %l;
    mov.u16 %h, 40000;
    st.param.b16 [pd], %h;
    call.uni (result), combine, (pa, pb, pc, pd);
    ld.param.b32 %v, [result];
  }
  {
    .param .b32 pa;
    .param .align 8 .b8 result[16];
    st.param.b32 [pa], %v;
    call.uni (result), pair, (pa);
    ld.param.v2.b32 {%q, %s}, [result];
    ld.param.b64 %l, [result+8];
  }
  cvt.u32.u64 %n, %l;
  add.u32 %v, %q, %s;
  add.u32 %v, %v, %n;
)",
                [](u32 t) {
                  const u32 x = t * 3 + t * 8 + t + 9 + t * 8 + 40000;
                  return x + x * 16 + x * 1000;
                });
}

TEST(Control, CallsUnderDivergence) {
  const std::string functions = R"(
.func (.param .b32 result) twice(.param .b32 a)
{
  .reg .b32 %x, %n;
  .reg .pred %p;
  ld.param.u32 %x, [a];
  mov.u32 %n, 0;
AGAIN:
  add.u32 %n, %n, 2;
  sub.u32 %x, %x, 1;
  setp.ne.u32 %p, %x, 0;
  @%p bra AGAIN;
  st.param.b32 [result], %n;
  ret;
}
)";
  // Only odd lanes call, from two places, with a loop whose length differs between lanes.
  check_threads(functions, R"(
  .param .b32 pa;
  .param .b32 result;
  and.b32 %q, %t, 1;
  setp.eq.u32 %p, %q, 0;
  @%p bra EVEN;
  st.param.b32 [pa], %t;
  call (result), twice, (pa);
  ld.param.b32 %v, [result];
  and.b32 %q, %t, 2;
  setp.eq.u32 %p, %q, 0;
  @%p bra DONE;
  add.u32 %q, %t, 5;
  st.param.b32 [pa], %q;
  call (result), twice, (pa);
  ld.param.b32 %q, [result];
  add.u32 %v, %v, %q;
  bra DONE;
EVEN:
  mov.u32 %v, 1;
DONE:
)",
                [](u32 t) { return t % 2 == 0 ? 1U : 2 * t + ((t & 2U) != 0 ? 2 * (t + 5) : 0); });
}

TEST(Control, Recursion) {
  const std::string functions = R"(
.func (.param .b32 result) fibonacci(.param .b32 a);
.func (.param .b32 result) fibonacci(.param .b32 a)
{
  .reg .b32 %x, %y, %z;
  .reg .pred %p;
  ld.param.u32 %x, [a];
  setp.ge.u32 %p, %x, 2;
  @%p bra MORE;
  st.param.b32 [result], %x;
  ret;
MORE:
  {
    .param .b32 pa;
    .param .b32 r;
    sub.u32 %y, %x, 1;
    st.param.b32 [pa], %y;
    call (r), fibonacci, (pa);
    ld.param.b32 %y, [r];
  }
  {
    .param .b32 pa;
    .param .b32 r;
    sub.u32 %z, %x, 2;
    st.param.b32 [pa], %z;
    call (r), fibonacci, (pa);
    ld.param.b32 %z, [r];
  }
  add.u32 %y, %y, %z;
  st.param.b32 [result], %y;
  ret;
}
)";
  check_threads(functions, R"(
  .param .b32 pa;
  .param .b32 result;
  rem.u32 %q, %t, 13;
  st.param.b32 [pa], %q;
  call (result), fibonacci, (pa);
  ld.param.b32 %v, [result];
)",
                [](u32 t) {
                  u32 a = 0;
                  u32 b = 1;
                  for (u32 i = 0; i < t % 13; ++i) {
                    const u32 next = a + b;
                    a = b;
                    b = next;
                  }
                  return a;
                });
}

// Each call has local memory of its own.
TEST(Control, LocalMemoryOfCalls) {
  const std::string functions = R"(
.func (.param .b32 result) deep(.param .b32 a, .param .b64 before)
{
  .local .align 8 .b8 mine[16];
  .reg .b32 %x, %y, %z;
  .reg .b64 %p, %q;
  .reg .pred %c;
  ld.param.u32 %x, [a];
  ld.param.u64 %q, [before];
  mov.u64 %p, mine;
  cvta.local.u64 %p, %p;
  st.u32 [%p+4], %x;
  setp.eq.u32 %c, %x, 0;
  mov.u32 %y, 0;
  @%c bra LAST;
  {
    .param .b32 pa;
    .param .b64 pb;
    .param .b32 r;
    sub.u32 %y, %x, 1;
    st.param.b32 [pa], %y;
    st.param.b64 [pb], %p;
    call (r), deep, (pa, pb);
    ld.param.b32 %y, [r];
  }
LAST:
  ld.u32 %z, [%q+4];
  add.u32 %y, %y, %z;
  ld.local.u32 %z, [mine+4];
  mad.lo.u32 %y, %z, 100, %y;
  st.param.b32 [result], %y;
  ret;
}
)";
  check_threads(functions, R"(
  .param .b32 pa;
  .param .b64 pb;
  .param .b32 result;
  .local .align 8 .b8 top[16];
  .reg .b64 %p1;
  mov.u64 %p1, top;
  cvta.local.u64 %p1, %p1;
  st.u32 [%p1+4], 5;
  rem.u32 %q, %t, 7;
  st.param.b32 [pa], %q;
  st.param.b64 [pb], %p1;
  call (result), deep, (pa, pb);
  ld.param.b32 %v, [result];
)",
                [](u32 t) {
                  const u32 n = t % 7;
                  // Each level adds its caller's value and a hundred times its own.
                  u32 sum = 5;
                  for (u32 x = 0; x <= n; ++x) sum += 100 * x + (x > 0 ? x : 0);
                  return sum;
                });
}

TEST(Control, IndirectCalls) {
  const std::string functions = R"(
.func (.param .b32 result) plus(.param .b32 a)
{
  .reg .b32 %x;
  ld.param.u32 %x, [a];
  add.u32 %x, %x, 1000;
  st.param.b32 [result], %x;
  ret;
}
.func (.param .b32 result) times(.param .b32 a)
{
  .reg .b32 %x;
  ld.param.u32 %x, [a];
  mul.lo.u32 %x, %x, 5;
  st.param.b32 [result], %x;
  ret;
}
.global .align 8 .u64 table[2] = {plus, times};
)";
  const std::string call = R"(
  .param .b32 pa;
  .param .b32 result;
  st.param.b32 [pa], %t;
  call (result), %l, (pa), PROTOTYPE;
  ld.param.b32 %v, [result];
)";
  const std::string prototype = "  PROTOTYPE: .callprototype (.param .b32 _) _ (.param .b32 _);\n";
  // Lanes of a warp call different functions: by moved addresses, and by a table in memory.
  check_threads(functions,
                prototype +
                    "  and.b32 %q, %t, 1;\n  setp.eq.u32 %p, %q, 0;\n  mov.u64 %l, plus;\n  "
                    "mov.u64 %w, times;\n  selp.b64 %l, %l, %w, %p;" +
                    call,
                [](u32 t) { return t % 2 == 0 ? t + 1000 : t * 5; });
  check_threads(functions,
                prototype +
                    "  rem.u32 %q, %t, 3;\n  min.u32 %q, %q, 1;\n  mul.wide.u32 %w, %q, 8;\n  "
                    "mov.u64 %l, table;\n  add.u64 %l, %l, %w;\n  ld.global.u64 %l, [%l];" +
                    call,
                [](u32 t) { return t % 3 == 0 ? t + 1000 : t * 5; });
}

TEST(Control, CallOfNoFunctionIsAFault) {
  Buffer out(4096);
  const Fault fault = run("", R"(
  .param .b32 pa;
  PROTOTYPE: .callprototype _ (.param .b32 _);
  mov.u64 %l, 4096;
  st.param.b32 [pa], %t;
  call %l, (pa), PROTOTYPE;
)",
                          32, out);
  EXPECT_NE(fault.code, 0);
}

TEST(Control, EndlessRecursionIsAFault) {
  Buffer out(4096);
  const Fault fault =
      run(R"(
.func forever(.param .b32 a);
.func forever(.param .b32 a)
{
  .reg .b32 %x;
  .local .b8 mine[64];
  ld.param.u32 %x, [a];
  st.local.u32 [mine], %x;
  {
    .param .b32 pa;
    st.param.b32 [pa], %x;
    call forever, (pa);
  }
  ret;
}
)",
          "  .param .b32 pa;\n  st.param.b32 [pa], %t;\n  call forever, (pa);", 32, out);
  EXPECT_NE(fault.code, 0);
  EXPECT_FALSE(fault.message.empty());
}

// A lock that one lane takes and its neighbours of the same warp wait for.
TEST(Control, LockWithinAWarp) {
  const std::string functions = ".global .align 4 .b32 lock;\n.global .align 4 .b32 total;\n";
  for_each_instruction_set([&](const char*) {
    Buffer out(64 * 4 * 4);
    const Fault fault = run(functions, R"(
SPIN:
  atom.global.cas.b32 %q, [lock], 0, 1;
  setp.ne.u32 %p, %q, 0;
  @%p bra SPIN;
  ld.volatile.global.u32 %s, [total];
  add.u32 %s, %s, 1;
  st.volatile.global.u32 [total], %s;
  membar.gl;
  atom.global.exch.b32 %q, [lock], 0;
  mov.u32 %v, %s;
)",
                            64, out, 4);
    ASSERT_EQ(fault.code, 0) << fault.message;
    std::vector<u32> seen(out.as<u32>(), out.as<u32>() + 256);
    std::sort(seen.begin(), seen.end());
    for (u32 i = 0; i < 256; ++i) ASSERT_EQ(seen[i], i + 1);
  });
}

TEST(Control, Trap) {
  Buffer out(4096);
  const Fault all = run("", "  trap;", 32, out);
  EXPECT_NE(all.code, 0);
  const Fault one = run("", "  setp.eq.u32 %p, %t, 40;\n  @%p trap;", 32, out);
  EXPECT_NE(one.code, 0);
  EXPECT_NE(one.message.find("(8,0,0)"), std::string::npos)
      << "the thread is named: " << one.message;
  const Fault none = run("", "  setp.eq.u32 %p, %t, 4000;\n  @%p trap;", 32, out);
  EXPECT_EQ(none.code, 0);
}

// --- special registers ---------------------------------------------------------------------------

TEST(Control, SpecialRegisters) {
  const std::vector<std::string> names = {
      "%tid.x",       "%tid.y",       "%tid.z",       "%ntid.x",      "%ntid.y",
      "%ntid.z",      "%ctaid.x",     "%ctaid.y",     "%ctaid.z",     "%nctaid.x",
      "%nctaid.y",    "%nctaid.z",    "%laneid",      "%warpid",      "%lanemask_eq",
      "%lanemask_le", "%lanemask_lt", "%lanemask_ge", "%lanemask_gt", "%dynamic_smem_size",
      "%smid",        "%nsmid",       "%nwarpid",     "%clusterid.x", "%cluster_ctarank"};
  std::string body;
  for (std::size_t i = 0; i < names.size(); ++i) {
    body += "  mov.u32 %r, " + names[i] + ";\n  st.global.u32 [%o+" + std::to_string(4 * i) +
            "], %r;\n";
  }
  const std::string text = std::string(module_head()) + R"(
.visible .entry kernel(.param .u64 out)
{
  .reg .b64 %o, %w, %c1, %c2;
  .reg .b32 %r, %i, %n;
  .reg .b16 %h;
  .reg .pred %p;
  ld.param.u64 %o, [out];
  mov.u32 %i, %ctaid.z;
  mov.u32 %n, %nctaid.y;
  mov.u32 %r, %ctaid.y;
  mad.lo.u32 %i, %i, %n, %r;
  mov.u32 %n, %nctaid.x;
  mov.u32 %r, %ctaid.x;
  mad.lo.u32 %i, %i, %n, %r;
  mov.u32 %n, %ntid.z;
  mov.u32 %r, %tid.z;
  mad.lo.u32 %i, %i, %n, %r;
  mov.u32 %n, %ntid.y;
  mov.u32 %r, %tid.y;
  mad.lo.u32 %i, %i, %n, %r;
  mov.u32 %n, %ntid.x;
  mov.u32 %r, %tid.x;
  mad.lo.u32 %i, %i, %n, %r;
  mul.wide.u32 %w, %i, 128;
  add.u64 %o, %o, %w;
)" + body + R"(
  mov.u64 %c1, %clock64;
  mov.u64 %c2, %clock64;
  setp.ge.u64 %p, %c2, %c1;
  selp.u32 %r, 1, 0, %p;
  st.global.u32 [%o+100], %r;
  mov.u64 %c1, %globaltimer;
  setp.ne.u64 %p, %c1, 0;
  selp.u32 %r, 1, 0, %p;
  st.global.u32 [%o+104], %r;
  mov.u32 %r, %clock;
  mov.u16 %h, %tid.x;
  cvt.u32.u16 %r, %h;
  st.global.u32 [%o+108], %r;
  mov.u64 %c1, %tid.y;
  st.global.u64 [%o+112], %c1;
  mov.u32 %r, WARP_SZ;
  st.global.u32 [%o+120], %r;
  ret;
}
)";
  for_each_instruction_set([&](const char*) {
    Program program({text}, 0);
    const Dim3 grid{3, 2, 2};
    const Dim3 threads{5, 4, 3};
    Buffer out(12 * 60 * 128);
    const Fault fault =
        launch(program, "kernel", grid, threads, Parameters().add(out.address()), 48);
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (u32 i = 0; i < 12 * 60; ++i) {
      const u32* v = out.as<u32>() + 32 * i;
      const u32 block = i / 60;
      const u32 thread = i % 60;
      const u32 lane = thread % 32;
      const u32 eq = 1U << lane;
      const std::vector<u32> want = {thread % 5,
                                     thread / 5 % 4,
                                     thread / 20,
                                     5,
                                     4,
                                     3,
                                     block % 3,
                                     block / 3 % 2,
                                     block / 6,
                                     3,
                                     2,
                                     2,
                                     lane,
                                     thread / 32,
                                     eq,
                                     eq | (eq - 1),
                                     eq - 1,
                                     ~(eq - 1),
                                     ~(eq | (eq - 1)),
                                     48};
      for (std::size_t k = 0; k < want.size(); ++k)
        ASSERT_EQ(v[k], want[k]) << names[k] << " of thread " << i;
      EXPECT_LT(v[20], v[21]) << "%smid is below %nsmid";
      EXPECT_GE(v[22], 2U) << "%nwarpid";
      EXPECT_EQ(v[23], block % 3) << "a cluster is one block";
      EXPECT_EQ(v[24], 0U);
      EXPECT_EQ(v[25], 1U) << "the clock does not run backwards";
      EXPECT_EQ(v[26], 1U);
      EXPECT_EQ(v[27], thread % 5) << "a special register cut to 16 bits";
      EXPECT_EQ(v[28], thread / 5 % 4);
      EXPECT_EQ(v[29], 0U) << "a special register extended to 64 bits";
      EXPECT_EQ(v[30], 32U);
    }
  });
}

// --- what the driver does for a kernel -----------------------------------------------------------

const char* const driver_functions = R"(
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.extern .func (.param .b64 result) malloc(.param .b64 size);
.extern .func free(.param .b64 address);
.extern .func __assertfail(.param .b64 message, .param .b64 file, .param .b32 line, .param .b64 function, .param .b64 size);
)";

TEST(Driver, Printf) {
  const std::string functions = std::string(driver_functions) + R"(
.global .align 1 .b8 format[64] = {91, 37, 100, 32, 37, 120, 32, 37, 108, 108, 117, 32, 37, 46, 50, 102, 32, 37, 99, 32, 37, 115, 32, 37, 37, 32, 37, 53, 100, 124, 37, 45, 53, 100, 124, 37, 48, 53, 100, 93, 10, 0};
.global .align 1 .b8 word[6] = {119, 111, 114, 100, 0};
)";
  // "[%d %x %llu %.2f %c %s %% %5d|%-5d|%05d]\n"
  const std::string body = R"(
  .local .align 8 .b8 arguments[72];
  .reg .f64 %x;
  .param .b64 pa;
  .param .b64 pb;
  .param .b32 result;
  setp.ne.u32 %p, %t, 1;
  @%p bra QUIET;
  mov.u64 %l, arguments;
  cvta.local.u64 %l, %l;
  mov.u32 %q, -5;
  st.u32 [%l], %q;
  mov.u32 %q, 255;
  st.u32 [%l+4], %q;
  mov.u64 %w, 12345678901234;
  st.u64 [%l+8], %w;
  mov.f64 %x, 0d40091EB851EB851F;
  st.f64 [%l+16], %x;
  mov.u32 %q, 65;
  st.u32 [%l+24], %q;
  mov.u64 %w, word;
  cvta.global.u64 %w, %w;
  st.u64 [%l+32], %w;
  mov.u32 %q, 42;
  st.u32 [%l+40], %q;
  st.u32 [%l+44], %q;
  st.u32 [%l+48], %q;
  mov.u64 %w, format;
  cvta.global.u64 %w, %w;
  st.param.b64 [pa], %w;
  st.param.b64 [pb], %l;
  call (result), vprintf, (pa, pb);
  ld.param.b32 %v, [result];
QUIET:
)";
  for_each_instruction_set([&](const char*) {
    flush_device_output();
    Buffer out(64 * 4);
    ::testing::internal::CaptureStdout();
    const Fault fault = run(functions, body, 32, out, 1);
    flush_device_output();
    std::fflush(stdout);
    const std::string printed = ::testing::internal::GetCapturedStdout();
    ASSERT_EQ(fault.code, 0) << fault.message;
    EXPECT_EQ(printed, "[-5 ff 12345678901234 3.14 A word %    42|42   |00042]\n");
    EXPECT_EQ(out.as<u32>()[1], 9U) << "printf returns how many arguments it took";
  });
}

TEST(Driver, MallocAndFree) {
  const std::string body = R"(
  .param .b64 size;
  .param .b64 address;
  .reg .b64 %a;
  add.u32 %q, %t, 1;
  mul.wide.u32 %l, %q, 8;
  st.param.b64 [size], %l;
  call (address), malloc, (size);
  ld.param.b64 %a, [address];
  setp.eq.u64 %p, %a, 0;
  @%p trap;
  // Fill it, to the last word, then sum.
  mov.u32 %n, 0;
FILL:
  mul.wide.u32 %w, %n, 8;
  add.u64 %w, %w, %a;
  cvt.u64.u32 %l, %t;
  st.u64 [%w], %l;
  add.u32 %n, %n, 1;
  setp.le.u32 %p, %n, %t;
  @%p bra FILL;
  bar.sync 0;
  mov.u32 %n, 0;
SUM:
  mul.wide.u32 %w, %n, 8;
  add.u64 %w, %w, %a;
  ld.u64 %l, [%w];
  cvt.u32.u64 %q, %l;
  add.u32 %v, %v, %q;
  add.u32 %n, %n, 1;
  setp.le.u32 %p, %n, %t;
  @%p bra SUM;
  st.param.b64 [size], %a;
  call free, (size);
)";
  check_threads(driver_functions, body, [](u32 t) { return t * (t + 1); });
}

TEST(Driver, Assertion) {
  const std::string functions = std::string(driver_functions) + R"(
.global .align 1 .b8 text[8] = {120, 32, 62, 32, 48, 0};
.global .align 1 .b8 file[8] = {97, 46, 99, 117, 0};
.global .align 1 .b8 name[8] = {107, 40, 41, 0};
)";
  Buffer out(64 * 4);
  ::testing::internal::CaptureStderr();
  const Fault fault = run(functions, R"(
  .param .b64 pa;
  .param .b64 pb;
  .param .b32 pc;
  .param .b64 pd;
  .param .b64 pe;
  setp.ne.u32 %p, %t, 3;
  @%p bra FINE;
  mov.u64 %l, text;
  cvta.global.u64 %l, %l;
  st.param.b64 [pa], %l;
  mov.u64 %l, file;
  cvta.global.u64 %l, %l;
  st.param.b64 [pb], %l;
  st.param.b32 [pc], 77;
  mov.u64 %l, name;
  cvta.global.u64 %l, %l;
  st.param.b64 [pd], %l;
  st.param.b64 [pe], 1;
  call __assertfail, (pa, pb, pc, pd, pe);
FINE:
)",
                          32, out, 1);
  flush_device_output();
  std::fflush(stderr);
  const std::string printed = ::testing::internal::GetCapturedStderr() + fault.message;
  EXPECT_EQ(fault.code, 710) << fault.message;  // cudaErrorAssert
  for (const char* part : {"a.cu", "77", "k()", "x > 0"})
    EXPECT_NE(printed.find(part), std::string::npos) << part << " in " << printed;
}

}  // namespace
}  // namespace softgpu::test
