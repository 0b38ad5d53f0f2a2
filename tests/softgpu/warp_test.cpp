// Warp-wide operations: shfl, vote, match, redux, activemask, elect, bar.warp.sync. Each kernel has
// one warp per block; what every lane gets is computed here from what all lanes gave.
#include "exact.hpp"

namespace softgpu::test {
namespace {

using Lanes = std::array<u32, 32>;

// Runs `body` (value in %a, parameters in %b and %c, one member mask for the block in %m, results
// in %d and %p) on many warps. Lanes whose bit in the mask is 0 take another way and keep what they
// had; `judge` compares a warp's lanes.
struct WarpCase {
  u32 mask;
  Lanes a, b, c;
};
struct WarpResult {
  Lanes d, p;
};
using Expected = std::function<WarpResult(const WarpCase&)>;
constexpr u32 untouched = 0x5eed5eed;

// How the lanes outside of the mask are kept away: by a branch or by a guard.
enum class Outside { branch, guard };

void check_warps(const std::string& body, const std::vector<WarpCase>& cases,
                 const Expected& expected, Outside outside = Outside::branch) {
  std::string text = module_head();
  text +=
      ".visible .entry warps(.param .u64 in, .param .u64 out)\n{\n  .reg .b64 %i, %o, %w;\n  .reg "
      ".b32 %t, %n, %a, %b, %c, %m, %d, %k;\n"
      "  .reg .pred %p, %x, %q;\n"
      "  ld.param.u64 %i, [in];\n  ld.param.u64 %o, [out];\n  mov.u32 %t, %tid.x;\n  mov.u32 %n, "
      "%ctaid.x;\n"
      "  mad.lo.u32 %t, %n, 32, %t;\n  mul.wide.u32 %w, %t, 16;\n  add.u64 %i, %i, %w;\n  "
      "mul.wide.u32 %w, %t, 8;\n  add.u64 %o, %o, %w;\n"
      "  ld.global.v4.u32 {%a, %b, %c, %m}, [%i];\n  mov.b64 %w, {%a, %b};\n"
      "  mov.u32 %d, " +
      std::to_string(untouched) +
      ";\n  mov.u32 %k, 0;\n  setp.ne.u32 %p, %k, 0;\n  mov.u32 %t, %tid.x;\n  shr.u32 %k, %m, "
      "%t;\n  and.b32 %k, %k, 1;\n  setp.ne.u32 %x, %k, 0;\n";
  text += outside == Outside::branch
              ? "  @!%x bra OUT;\n  " + body + "\nOUT:\n"
              : detail::replace_all(detail::guard_statements(body), "%guard", "%x");
  text += "  selp.u32 %k, 1, 0, %p;\n  st.global.v2.u32 [%o], {%d, %k};\n  ret;\n}\n";

  Buffer in(cases.size() * 32 * 16);
  Buffer out(cases.size() * 32 * 8);
  for (std::size_t k = 0; k < cases.size(); ++k) {
    for (std::size_t l = 0; l < 32; ++l) {
      u32* at = in.as<u32>() + (k * 32 + l) * 4;
      at[0] = cases[k].a[l];
      at[1] = cases[k].b[l];
      at[2] = cases[k].c[l];
      at[3] = cases[k].mask;
    }
  }
  for_each_instruction_set([&](const char* instruction_set) {
    Program program({text}, 0);
    Dim3 grid;
    grid.x = static_cast<u32>(cases.size());
    Dim3 threads;
    threads.x = 32;
    const Fault fault =
        launch(program, "warps", grid, threads, Parameters().add(in.address()).add(out.address()));
    ASSERT_EQ(fault.code, 0) << body << ": " << fault.message;
    int reported = 0;
    for (std::size_t k = 0; k < cases.size() && reported < 4; ++k) {
      const WarpResult want = expected(cases[k]);
      for (std::size_t l = 0; l < 32; ++l) {
        const u32* got = out.as<u32>() + (k * 32 + l) * 2;
        const bool member = ((cases[k].mask >> l) & 1U) != 0;
        const u32 d = member ? want.d[l] : untouched;
        const u32 p = member ? want.p[l] : 0;
        if (got[0] == d && got[1] == p) continue;
        ++reported;
        ADD_FAILURE() << body << " (" << instruction_set << ") warp " << k << " lane " << l
                      << " mask " << hex(cases[k].mask) << " a=" << hex(cases[k].a[l])
                      << " b=" << hex(cases[k].b[l]) << " c=" << hex(cases[k].c[l]) << " gives "
                      << hex(got[0]) << ", " << got[1] << "; expected " << hex(d) << ", " << p;
        break;
      }
    }
  });
}

std::vector<WarpCase> cases_of(const std::function<u32(Random&)>& value,
                               const std::function<u32(Random&)>& b,
                               const std::function<u32(Random&)>& c, bool same_bc = true) {
  std::vector<WarpCase> all;
  Random random(7);
  for (int i = 0; i < 60; ++i) {
    WarpCase one{};
    one.mask = i % 3 == 0 ? 0xffffffffU : static_cast<u32>(random()) | (1U << (random() % 32));
    if (i % 7 == 1) one.mask = 1U << (random() % 32);
    const u32 shared_b = b(random);
    const u32 shared_c = c(random);
    for (std::size_t l = 0; l < 32; ++l) {
      one.a[l] = value(random);
      one.b[l] = same_bc ? shared_b : b(random);
      one.c[l] = same_bc ? shared_c : c(random);
    }
    all.push_back(one);
  }
  return all;
}
u32 any_word(Random& random) { return static_cast<u32>(random()); }
u32 zero(Random&) { return 0; }
bool member(const WarpCase& one, std::size_t l) { return ((one.mask >> l) & 1U) != 0; }

// Every mode with every offset and the clamps and segments that CUDA's functions and cooperative
// groups use, and arbitrary ones; offsets that differ between lanes. Lanes read only from members.
TEST(Warp, Shuffle) {
  for (const std::string mode : {"up", "down", "bfly", "idx"}) {
    for (const bool uniform : {true, false}) {
      auto cases = cases_of(
          any_word, [](Random& random) { return static_cast<u32>(random() % 40); },
          [&](Random& random) {
            const u32 width = 1U << (random() % 6);
            const u32 segment = ((32 - width) << 8) | (mode == "up" ? 0U : 31U);
            return random() % 4 == 0 ? static_cast<u32>(random() & 0x1f1f) : segment;
          },
          uniform);
      for (WarpCase& one : cases) one.mask = 0xffffffffU;
      const auto source_of = [&](const WarpCase& one, std::size_t l, bool& in_range) {
        const int lane = static_cast<int>(l);
        const int b = static_cast<int>(one.b[l] & 0x1f);
        const int clamp = static_cast<int>(one.c[l] & 0x1f);
        const int segment = static_cast<int>((one.c[l] >> 8) & 0x1f);
        const int highest = (lane & segment) | (clamp & ~segment);
        int from = mode == "up"     ? lane - b
                   : mode == "down" ? lane + b
                   : mode == "bfly" ? lane ^ b
                                    : ((lane & segment) | (b & ~segment));
        in_range = mode == "up" ? from >= highest : from <= highest;
        if (!in_range) from = lane;
        return static_cast<std::size_t>(from);
      };
      check_warps("shfl.sync." + mode + ".b32 %d|%p, %a, %b, %c, %m;", cases,
                  [&](const WarpCase& one) {
                    WarpResult want{};
                    for (std::size_t l = 0; l < 32; ++l) {
                      bool in_range = false;
                      want.d[l] = one.a[source_of(one, l, in_range)];
                      want.p[l] = in_range ? 1 : 0;
                    }
                    return want;
                  });
      // A part of the warp only, where each member reads from a member.
      auto partial = cases;
      for (std::size_t k = 0; k < partial.size(); ++k) {
        WarpCase& one = partial[k];
        Random random(k);
        one.mask = static_cast<u32>(random()) | 1U;
        for (bool changed = true; changed;) {
          changed = false;
          for (std::size_t l = 0; l < 32; ++l) {
            bool in_range = false;
            if (member(one, l) && !member(one, source_of(one, l, in_range))) {
              one.mask &= ~(1U << l);
              changed = true;
            }
          }
        }
        if (one.mask == 0) one.mask = 0xffffffffU;
      }
      for (const Outside outside : {Outside::branch, Outside::guard}) {
        check_warps(
            "shfl.sync." + mode + ".b32 %d, %a, %b, %c, %m;", partial,
            [&](const WarpCase& one) {
              WarpResult want{};
              for (std::size_t l = 0; l < 32; ++l) {
                bool in_range = false;
                want.d[l] = one.a[source_of(one, l, in_range)];
              }
              return want;
            },
            outside);
      }
    }
  }
}

TEST(Warp, Vote) {
  auto cases = cases_of([](Random& random) { return static_cast<u32>(random() % 2); }, zero, zero);
  for (std::size_t i = 0; i < cases.size(); i += 4) cases[i].a.fill(i % 8 == 0 ? 1 : 0);
  for (const Outside outside : {Outside::branch, Outside::guard}) {
    for (const bool negated : {false, true}) {
      const auto votes = [&](const WarpCase& one) {
        u32 yes = 0;
        for (std::size_t l = 0; l < 32; ++l)
          yes |= member(one, l) && (one.a[l] != 0) != negated ? 1U << l : 0U;
        return yes;
      };
      const std::string before = "setp.ne.u32 %q, %a, 0; ";
      const std::string operand = negated ? "!%q" : "%q";
      const auto all = [&](const std::string& mode,
                           const std::function<bool(u32 yes, u32 mask)>& holds) {
        check_warps(
            before + "vote.sync." + mode + ".pred %p, " + operand + ", %m;", cases,
            [&](const WarpCase& one) {
              WarpResult want{};
              want.d.fill(untouched);
              want.p.fill(holds(votes(one), one.mask) ? 1 : 0);
              return want;
            },
            outside);
      };
      all("all", [](u32 yes, u32 mask) { return yes == mask; });
      all("any", [](u32 yes, u32) { return yes != 0; });
      all("uni", [](u32 yes, u32 mask) { return yes == 0 || yes == mask; });
      check_warps(
          before + "vote.sync.ballot.b32 %d, " + operand + ", %m;", cases,
          [&](const WarpCase& one) {
            WarpResult want{};
            want.d.fill(votes(one));
            return want;
          },
          outside);
    }
  }
}

TEST(Warp, Match) {
  auto cases = cases_of([](Random& random) { return static_cast<u32>(random() % 5); },
                        [](Random& random) { return static_cast<u32>(random() % 2); }, zero, false);
  for (std::size_t i = 0; i < cases.size(); i += 4) {
    cases[i].a.fill(9);
    cases[i].b.fill(1);
  }
  for (const bool wide : {false, true}) {
    const auto same = [&](const WarpCase& one, std::size_t x, std::size_t y) {
      return one.a[x] == one.a[y] && (!wide || one.b[x] == one.b[y]);
    };
    const std::string type = wide ? "b64" : "b32";
    const std::string value = wide ? "%w" : "%a";
    check_warps("match.any.sync." + type + " %d, " + value + ", %m;", cases,
                [&](const WarpCase& one) {
                  WarpResult want{};
                  for (std::size_t l = 0; l < 32; ++l) {
                    for (std::size_t k = 0; k < 32; ++k)
                      want.d[l] |= member(one, k) && same(one, l, k) ? 1U << k : 0U;
                  }
                  return want;
                });
    check_warps("match.all.sync." + type + " %d|%p, " + value + ", %m;", cases,
                [&](const WarpCase& one) {
                  WarpResult want{};
                  bool all = true;
                  for (std::size_t l = 0; l < 32; ++l) {
                    for (std::size_t k = 0; k < 32; ++k)
                      all = all && (!member(one, l) || !member(one, k) || same(one, l, k));
                  }
                  want.d.fill(all ? one.mask : 0);
                  want.p.fill(all ? 1 : 0);
                  return want;
                });
  }
}

TEST(Warp, Redux) {
  const auto cases = cases_of(any_word, zero, zero);
  struct Operation {
    std::string name;
    std::function<s64(s64, s64)> apply;
    bool is_signed;
  };
  const std::vector<Operation> operations = {
      {"add.u32", [](s64 x, s64 y) { return x + y; }, false},
      {"add.s32", [](s64 x, s64 y) { return x + y; }, true},
      {"min.u32", [](s64 x, s64 y) { return std::min(x, y); }, false},
      {"max.u32", [](s64 x, s64 y) { return std::max(x, y); }, false},
      {"min.s32", [](s64 x, s64 y) { return std::min(x, y); }, true},
      {"max.s32", [](s64 x, s64 y) { return std::max(x, y); }, true},
      {"and.b32", [](s64 x, s64 y) { return x & y; }, false},
      {"or.b32", [](s64 x, s64 y) { return x | y; }, false},
      {"xor.b32", [](s64 x, s64 y) { return x ^ y; }, false}};
  for (const Operation& operation : operations) {
    for (const Outside outside : {Outside::branch, Outside::guard}) {
      check_warps(
          "redux.sync." + operation.name + " %d, %a, %m;", cases,
          [&](const WarpCase& one) {
            s64 sum = 0;
            bool first = true;
            for (std::size_t l = 0; l < 32; ++l) {
              if (!member(one, l)) continue;
              const s64 x = operation.is_signed ? s64{static_cast<s32>(one.a[l])} : s64{one.a[l]};
              sum = first ? x : operation.apply(sum, x);
              first = false;
            }
            WarpResult want{};
            want.d.fill(static_cast<u32>(sum));
            return want;
          },
          outside);
    }
  }
}

TEST(Warp, ActivemaskAndElect) {
  const auto cases = cases_of(zero, zero, zero);
  check_warps("activemask.b32 %d;", cases, [](const WarpCase& one) {
    WarpResult want{};
    want.d.fill(one.mask);
    return want;
  });
  // sm_90. Which lane is elected is up to the device, the same for every call: the lowest here.
  check_warps("elect.sync %d|%p, %m;", cases, [](const WarpCase& one) {
    WarpResult want{};
    const auto leader = static_cast<u32>(__builtin_ctz(one.mask));
    want.d.fill(leader);
    want.p[leader] = 1;
    return want;
  });
}

// Lanes that diverged meet at a .sync operation, wherever they come from, and diverge again.
TEST(Warp, DivergentLanesMeetAtSync) {
  const std::string text = std::string(module_head()) + R"(
.visible .entry meet(.param .u64 out)
{
  .shared .align 4 .b32 cell[32];
  .reg .b64 %o, %w;
  .reg .b32 %t, %v, %s, %q, %n;
  .reg .pred %p, %r;
  ld.param.u64 %o, [out];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %w, %t, 8;
  add.u64 %o, %o, %w;
  mul.lo.u32 %v, %t, 3;
  and.b32 %q, %t, 1;
  setp.eq.u32 %p, %q, 1;
  mov.u32 %n, 0;
  @%p bra ODD;
EVEN:
  add.u32 %v, %v, 1000;
  bra JOIN;
ODD:
  add.u32 %n, %n, 1;
  setp.lt.u32 %r, %n, %t;
  @%r bra ODD;
  add.u32 %v, %v, 2000;
JOIN:
  shfl.sync.bfly.b32 %s, %v, 1, 31, 0xffffffff;
  mov.u32 %n, cell;
  mad.lo.u32 %n, %t, 4, %n;
  st.shared.u32 [%n], %s;
  bar.warp.sync 0xffffffff;
  xor.b32 %q, %t, 31;
  mov.u32 %n, cell;
  mad.lo.u32 %n, %q, 4, %n;
  ld.shared.u32 %q, [%n];
  st.global.v2.u32 [%o], {%s, %q};
  ret;
}
)";
  for_each_instruction_set([&](const char* name) {
    Program program({text}, 0);
    Buffer out(32 * 8);
    Dim3 threads;
    threads.x = 32;
    const Fault fault = launch(program, "meet", {}, threads, Parameters().add(out.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    const auto value = [](u32 lane) { return lane * 3 + (lane % 2 == 1 ? 2000 : 1000); };
    for (u32 l = 0; l < 32; ++l) {
      EXPECT_EQ(out.as<u32>()[2 * l], value(l ^ 1)) << name << " lane " << l;
      EXPECT_EQ(out.as<u32>()[2 * l + 1], value((l ^ 31) ^ 1)) << name << " lane " << l;
    }
  });
}

// Groups of a warp that synchronise under masks of their own, many times and at different speeds.
TEST(Warp, PartsOfAWarpSynchroniseByThemselves) {
  const std::string text = std::string(module_head()) + R"(
.visible .entry parts(.param .u64 out)
{
  .reg .b64 %o, %w;
  .reg .b32 %t, %v, %m, %g, %n, %k;
  .reg .pred %p;
  ld.param.u64 %o, [out];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %w, %t, 4;
  add.u64 %o, %o, %w;
  shr.u32 %g, %t, 3;
  shl.b32 %k, %g, 3;
  shl.b32 %m, 0xff, %k;
  mov.u32 %v, %t;
  add.u32 %n, %g, 1;
LOOP:
  redux.sync.add.u32 %v, %v, %m;
  add.u32 %v, %v, %t;
  sub.u32 %n, %n, 1;
  setp.ne.u32 %p, %n, 0;
  @%p bra LOOP;
  st.global.u32 [%o], %v;
  ret;
}
)";
  for_each_instruction_set([&](const char*) {
    Program program({text}, 0);
    Buffer out(32 * 4);
    Dim3 threads;
    threads.x = 32;
    const Fault fault = launch(program, "parts", {}, threads, Parameters().add(out.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (u32 g = 0; g < 4; ++g) {
      std::array<u32, 8> v{};
      for (u32 l = 0; l < 8; ++l) v[l] = g * 8 + l;
      for (u32 i = 0; i < g + 1; ++i) {
        u32 sum = 0;
        for (const u32 x : v) sum += x;
        for (u32 l = 0; l < 8; ++l) v[l] = sum + g * 8 + l;
      }
      for (u32 l = 0; l < 8; ++l) EXPECT_EQ(out.as<u32>()[g * 8 + l], v[l]) << g << " " << l;
    }
  });
}

// --- one exchange, at two instructions ----------------------------------------------------------

// A kernel of one warp per block whose lanes part by the bits of a word (bit set: %x holds): half
// of them execute `here`, the others `there`, which stands before it or behind it. Inputs as for
// check_warps; %e and %r are the results of `there`.
std::string two_places(const std::string& here, const std::string& there) {
  return std::string(module_head()) + R"(
.visible .entry places(.param .u64 in, .param .u64 out)
{
  .reg .b64 %i, %o, %w, %v;
  .reg .b32 %t, %n, %a, %b, %c, %m, %d, %e, %k, %f, %g, %h;
  .reg .pred %p, %r, %x, %q, %y;
  ld.param.u64 %i, [in];
  ld.param.u64 %o, [out];
  mov.u32 %t, %tid.x;
  mov.u32 %n, %ctaid.x;
  mad.lo.u32 %k, %n, 64, %t;
  mul.wide.u32 %w, %k, 16;
  add.u64 %i, %i, %w;
  mul.wide.u32 %w, %k, 8;
  add.u64 %o, %o, %w;
  ld.global.v4.u32 {%a, %b, %c, %m}, [%i];
  mov.b64 %w, {%a, %b};
  // The other place has its operands in other registers; the first one's hold nonsense there.
  not.b32 %f, %a;
  not.b32 %g, %b;
  not.b32 %h, %c;
  mov.b64 %v, {%f, %g};
  mov.u32 %t, %laneid;
  shr.u32 %k, %m, %t;
  and.b32 %k, %k, 1;
  setp.ne.u32 %x, %k, 0;
  setp.ne.u32 %q, %a, 0;
  not.pred %y, %q;
  mov.u32 %d, 77;
  mov.u32 %e, 78;
  setp.ne.u32 %p, 0, 0;
  setp.ne.u32 %r, 0, 0;
  @%x bra HERE;
  not.b32 %f, %f;
  not.b32 %g, %g;
  not.b32 %h, %h;
  not.b32 %a, %a;
  mov.b64 %v, {%f, %g};
  )" + there +
         R"(
  add.u32 %e, %e, 5000;
  mov.u32 %d, %e;
  mov.pred %p, %r;
  bra JOIN;
HERE:
  )" + here +
         R"(
  add.u32 %d, %d, 3000;
JOIN:
  selp.u32 %k, 1, 0, %p;
  st.global.v2.u32 [%o], {%d, %k};
  ret;
}
)";
}

// `expected` sees all lanes of a warp as if they were at one instruction, with the full mask.
void check_two_places(const std::string& here, const std::string& there, const Expected& expected,
                      const std::function<u32(Random&)>& value) {
  auto cases = cases_of(
      value, [](Random& random) { return static_cast<u32>(random() % 32); },
      [](Random& random) { return random() % 2 == 0 ? 31U : 0x1c1fU; }, false);
  Buffer in(cases.size() * 32 * 16);
  Buffer out(cases.size() * 32 * 8);
  for (std::size_t k = 0; k < cases.size(); ++k) {
    for (std::size_t l = 0; l < 32; ++l) {
      const u32 words[] = {cases[k].a[l], cases[k].b[l], cases[k].c[l], cases[k].mask};
      std::memcpy(in.as<u32>() + (k * 32 + l) * 4, words, sizeof words);
    }
  }
  for_each_instruction_set([&](const char* instruction_set) {
    Program program({two_places(here, there)}, 0);
    Dim3 grid;
    grid.x = static_cast<u32>(cases.size() / 2);
    Dim3 threads;
    threads.x = 64;
    const Fault fault =
        launch(program, "places", grid, threads, Parameters().add(in.address()).add(out.address()));
    ASSERT_EQ(fault.code, 0) << here << " and " << there << ": " << fault.message;
    for (std::size_t k = 0; k < cases.size(); ++k) {
      WarpCase whole = cases[k];
      whole.mask = 0xffffffffU;
      const WarpResult want = expected(whole);
      for (std::size_t l = 0; l < 32; ++l) {
        const u32* got = out.as<u32>() + (k * 32 + l) * 2;
        ASSERT_EQ(got[0], want.d[l] + (member(cases[k], l) ? 3000U : 5000U))
            << here << " (" << instruction_set << ") warp " << k << " lane " << l << " mask "
            << hex(cases[k].mask);
        ASSERT_EQ(got[1], want.p[l]) << here << " warp " << k << " lane " << l;
      }
    }
  });
}

TEST(Warp, ShuffleBetweenTwoInstructions) {
  check_two_places(
      "shfl.sync.idx.b32 %d|%p, %a, %b, %c, 0xffffffff;",
      "shfl.sync.idx.b32 %e|%r, %f, %g, %h, 0xffffffff;",
      [](const WarpCase& one) {
        WarpResult want{};
        for (u32 l = 0; l < 32; ++l) {
          const u32 segment = (one.c[l] >> 8) & 31U;
          const u32 highest = (l & segment) | (one.c[l] & 31U & ~segment);
          const u32 from = (l & segment) | (one.b[l] & ~segment);
          want.p[l] = from <= highest ? 1 : 0;
          want.d[l] = one.a[from <= highest ? from : l];
        }
        return want;
      },
      any_word);
  // Without a predicate on one side, and on the other.
  const auto neighbours = [](bool here, bool there) {
    return [=](const WarpCase& one) {
      WarpResult want{};
      for (u32 l = 0; l < 32; ++l) {
        want.d[l] = one.a[l ^ 1U];
        want.p[l] = (member(one, l) ? here : there) ? 1 : 0;
      }
      return want;
    };
  };
  check_two_places("shfl.sync.bfly.b32 %d, %a, 1, 31, 0xffffffff;",
                   "shfl.sync.bfly.b32 %e, %f, 1, 31, 0xffffffff;", neighbours(false, false),
                   any_word);
}

TEST(Warp, VoteBetweenTwoInstructions) {
  const auto ballot = [](const WarpCase& one) {
    u32 yes = 0;
    for (u32 l = 0; l < 32; ++l) yes |= one.a[l] != 0 ? 1U << l : 0U;
    return yes;
  };
  const auto small = [](Random& random) { return static_cast<u32>(random() % 2); };
  // %y is the complement of %q.
  check_two_places(
      "vote.sync.ballot.b32 %d, %q, 0xffffffff;", "vote.sync.ballot.b32 %e, !%y, 0xffffffff;",
      [&](const WarpCase& one) {
        WarpResult want{};
        want.d.fill(ballot(one));
        return want;
      },
      small);
  for (const std::string mode : {"any", "all", "uni"}) {
    check_two_places(
        "vote.sync." + mode + ".pred %p, !%y, 0xffffffff; mov.u32 %d, 0;",
        "vote.sync." + mode + ".pred %r, %q, 0xffffffff; mov.u32 %e, 0;",
        [&](const WarpCase& one) {
          const u32 yes = ballot(one);
          WarpResult want{};
          want.p.fill(mode == "any"   ? yes != 0
                      : mode == "all" ? yes == 0xffffffffU
                                      : yes == 0 || yes == 0xffffffffU);
          return want;
        },
        mode == "all" ? [](Random&) { return 1U; } : +small);
  }
}

TEST(Warp, MatchBetweenTwoInstructions) {
  const auto few = [](Random& random) { return static_cast<u32>(random() % 3); };
  for (const bool wide : {false, true}) {
    const auto same = [&](const WarpCase& one, u32 x, u32 y) {
      return one.a[x] == one.a[y] && (!wide || one.b[x] == one.b[y]);
    };
    const std::string type = wide ? "b64" : "b32";
    check_two_places(
        "match.any.sync." + type + " %d, " + (wide ? "%w" : "%a") + ", 0xffffffff;",
        "match.any.sync." + type + " %e, " + (wide ? "%v" : "%f") + ", 0xffffffff;",
        [&](const WarpCase& one) {
          WarpResult want{};
          for (u32 l = 0; l < 32; ++l) {
            for (u32 k = 0; k < 32; ++k) want.d[l] |= same(one, l, k) ? 1U << k : 0U;
          }
          return want;
        },
        few);
  }
  check_two_places(
      "match.all.sync.b32 %d|%p, %a, 0xffffffff;", "match.all.sync.b32 %e|%r, %f, 0xffffffff;",
      [](const WarpCase&) {
        WarpResult want{};
        want.d.fill(0xffffffffU);
        want.p.fill(1);
        return want;
      },
      [](Random&) { return 12U; });
}

TEST(Warp, ReduxAndElectBetweenTwoInstructions) {
  check_two_places(
      "redux.sync.add.u32 %d, %a, 0xffffffff;", "redux.sync.add.u32 %e, %f, 0xffffffff;",
      [](const WarpCase& one) {
        WarpResult want{};
        u32 sum = 0;
        for (const u32 x : one.a) sum += x;
        want.d.fill(sum);
        return want;
      },
      any_word);
  check_two_places(
      "elect.sync %d|%p, 0xffffffff;", "elect.sync %e|%r, 0xffffffff;",
      [](const WarpCase&) {
        WarpResult want{};
        want.p[0] = 1;
        return want;
      },
      any_word);
}

// A loop whose lanes leave it at different times and take the exchange in its tail instead; and
// lanes that exit while others wait for them.
TEST(Warp, LanesThatLeaveALoopMeetThoseInIt) {
  const std::string text = std::string(module_head()) + R"(
.func (.param .b32 r) sum_of(.param .b32 p)
{
  .reg .b32 %v, %s;
  ld.param.b32 %v, [p];
  shfl.sync.bfly.b32 %s, %v, 16, 31, 0xffffffff;
  add.u32 %v, %v, %s;
  st.param.b32 [r], %v;
  ret;
}
.visible .entry tail(.param .u64 out)
{
  .reg .b64 %o, %w;
  .reg .b32 %t, %v, %s, %n, %e;
  .reg .pred %p, %g, %x;
  ld.param.u64 %o, [out];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %w, %t, 4;
  add.u64 %o, %o, %w;
  mov.u32 %v, %t;
  mov.u32 %n, 0;
  and.b32 %e, %t, 7;
LOOP:
  setp.ge.u32 %p, %n, %e;
  @%p bra TAIL;
  shfl.sync.down.b32 %s, %v, 1, 31, 0xffffffff;
  add.u32 %v, %v, %s;
  bra NEXT;
TAIL:
  shfl.sync.down.b32 %s, %v, 1, 31, 0xffffffff;
  sub.u32 %v, %v, %s;
NEXT:
  add.u32 %n, %n, 1;
  setp.lt.u32 %p, %n, 8;
  @%p bra LOOP;
  // Two calls of one function: each lane is in one of them.
  setp.lt.u32 %g, %t, 16;
  @%g bra FIRST;
  {
    .param .b32 a; .param .b32 b;
    st.param.b32 [a], %v;
    call.uni (b), sum_of, (a);
    ld.param.b32 %v, [b];
  }
  bra CALLED;
FIRST:
  {
    .param .b32 a; .param .b32 b;
    st.param.b32 [a], %v;
    call.uni (b), sum_of, (a);
    ld.param.b32 %v, [b];
  }
CALLED:
  st.global.u32 [%o], %v;
  // Lane 5 ends while some wait for it at a warp barrier by the full mask, others come later.
  setp.lt.u32 %x, %t, 5;
  @%x bra EARLY;
  setp.eq.u32 %x, %t, 5;
  @%x exit;
  bar.warp.sync 0xffffffff;
  redux.sync.add.u32 %s, 1, 0xffffffff;
  bra LAST;
EARLY:
  bar.warp.sync 0xffffffff;
  redux.sync.add.u32 %s, 1, 0xffffffff;
LAST:
  st.global.u32 [%o+128], %s;
  ret;
}
)";
  std::array<u32, 32> v{};
  for (u32 l = 0; l < 32; ++l) v[l] = l;
  for (u32 n = 0; n < 8; ++n) {
    const auto before = v;
    for (u32 l = 0; l < 32; ++l) {
      const u32 next = before[l == 31 ? l : l + 1];
      v[l] = n >= (l & 7U) ? before[l] - next : before[l] + next;
    }
  }
  for_each_instruction_set([&](const char* name) {
    Program program({text}, 0);
    Buffer out(64 * 4);
    Dim3 threads;
    threads.x = 32;
    const Fault fault = launch(program, "tail", {}, threads, Parameters().add(out.address()));
    ASSERT_EQ(fault.code, 0) << fault.message;
    for (u32 l = 0; l < 32; ++l) {
      EXPECT_EQ(out.as<u32>()[l], v[l] + v[l ^ 16U]) << name << " lane " << l;
      EXPECT_EQ(out.as<u32>()[32 + l], l == 5 ? 0U : 31U) << name << " lane " << l;
    }
  });
}

// Lanes that wait for each other at operations that cannot meet.
TEST(Warp, DifferentExchangesDoNotMeet) {
  const std::pair<std::string, std::string> pairs[] = {
      {"shfl.sync.bfly.b32 %d, %a, 1, 31, 0xffffffff;", "vote.sync.any.pred %r, %q, 0xffffffff;"},
      {"shfl.sync.bfly.b32 %d, %a, 1, 31, 0xffffffff;",
       "shfl.sync.up.b32 %e, %f, 1, 0, 0xffffffff;"},
      {"redux.sync.add.u32 %d, %a, 0xffffffff;", "redux.sync.min.u32 %e, %f, 0xffffffff;"},
      {"match.any.sync.b32 %d, %a, 0xffffffff;", "match.any.sync.b64 %e, %v, 0xffffffff;"}};
  for (const auto& [here, there] : pairs) {
    Program program({two_places(here, there)}, 0);
    Buffer in(64 * 16);
    Buffer out(64 * 8);
    for (std::size_t l = 0; l < 64; ++l) in.as<u32>()[4 * l + 3] = 0x00ff00ffU;
    Dim3 threads;
    threads.x = 64;
    const Fault fault =
        launch(program, "places", {}, threads, Parameters().add(in.address()).add(out.address()));
    EXPECT_EQ(fault.code, 715) << here << " and " << there;
    for (const std::string part : {"0xffffffff", "are at different operations"}) {
      EXPECT_NE(fault.message.find(part), std::string::npos) << fault.message;
    }
    for (const std::string& both : {here, there}) {
      EXPECT_NE(fault.message.find(both.substr(0, both.find(' '))), std::string::npos)
          << fault.message;
    }
  }
}

}  // namespace
}  // namespace softgpu::test
