// Litmus tests of the memory model, in PTX: small programs of two to four threads whose outcomes
// say in which order, and how whole, one sees the accesses of the other.
//
// Each thread of a test goes through the same few accesses again and again, and what it writes is
// the number of the round. So every pair of rounds of two threads is a test of its own, and the
// threads need not meet in each round. 32 lanes run the test at once, each on memory of its own.
#pragma once

#include <algorithm>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "kernel.hpp"
#include "softgpu/device/settings.hpp"

namespace softgpu::test::litmus {

// Where the threads of a test are, which decides what shows them to each other.
enum class Place { blocks, warps, cluster };
inline const char* name_of(Place place) {
  return place == Place::blocks ? "blocks" : place == Place::warps ? "warps" : "cluster";
}

// The instructions by which a thread accesses memory.
struct Form {
  std::string width = "b64";      // b32, b64, v2.b64, v4.b32, b128
  std::string space = "global";   // global, generic, shared
  std::string scope = "gpu";      // cta, cluster, gpu, sys
  std::string order = "relaxed";  // relaxed, volatile, release (with acquire), cg, cv (with wt)
  std::string fence;              // "", "acq_rel", "sc"
  bool exchange = false;          // writes by atom.exch
};

// Which of the forms' outcomes is forbidden depends on the order that they make.
inline bool orders(const Form& form) { return form.order == "release" || !form.fence.empty(); }

struct Test {
  const char* name;
  int threads;
  // The accesses of each thread in one round: W x, R x, F, in order, as "Wx F Wy".
  std::vector<std::string> programs;
};

struct Outcome {
  u64 rounds = 0;
  u64 forbidden = 0;
  u64 torn = 0;  // of them, seen half done
  u64 weak = 0;  // permitted and telling: see judge()
  std::string fault;
  Outcome& operator+=(const Outcome& other) {
    rounds += other.rounds;
    forbidden += other.forbidden;
    torn += other.torn;
    weak += other.weak;
    if (fault.empty()) fault = other.fault;
    return *this;
  }
};

// --- PTX ----------------------------------------------------------------------------------------

inline std::string modifiers(const Form& form, bool load) {
  const std::string space = form.space == "generic"  ? ""
                            : form.space == "shared" ? ".shared::cluster"
                                                     : ".global";
  if (form.order == "volatile") return ".volatile" + space;
  if (form.order == "cg") return space + ".cg";
  if (form.order == "cv") return space + (load ? ".cv" : ".wt");
  const std::string order = form.order == "release" ? (load ? ".acquire" : ".release") : ".relaxed";
  return order + "." + form.scope + space;
}

inline std::string write(const Form& form, const std::string& at) {
  const std::string how = modifiers(form, false);
  if (form.exchange) {
    const std::string rmw = "  atom" + how + ".exch";
    if (form.width == "b128") {
      return "  mov.b128 %q, {%v, %v};\n" + rmw + ".b128 %q2, [" + at + "], %q;\n";
    }
    return form.width == "b32" ? rmw + ".b32 %w0, [" + at + "], %v32;\n"
                               : rmw + ".b64 %d0, [" + at + "], %v;\n";
  }
  if (form.width == "b32") return "  st" + how + ".u32 [" + at + "], %v32;\n";
  if (form.width == "b64") return "  st" + how + ".u64 [" + at + "], %v;\n";
  if (form.width == "v2.b64") return "  st" + how + ".v2.u64 [" + at + "], {%v, %v};\n";
  if (form.width == "v4.b32") {
    return "  st" + how + ".v4.u32 [" + at + "], {%v32, %v32, %v32, %v32};\n";
  }
  return "  mov.b128 %q, {%v, %v};\n  st" + how + ".b128 [" + at + "], %q;\n";
}

// Into `to`; all ones where the parts differ.
inline std::string read(const Form& form, const std::string& at, const std::string& to) {
  const std::string how = modifiers(form, true);
  const std::string two =
      "  setp.ne.u64 %torn, %d0, %d1;\n  selp.b64 " + to + ", -1, %d0, %torn;\n";
  if (form.width == "b32") {
    return "  ld" + how + ".u32 %w0, [" + at + "];\n  cvt.u64.u32 " + to + ", %w0;\n";
  }
  if (form.width == "b64") return "  ld" + how + ".u64 " + to + ", [" + at + "];\n";
  if (form.width == "v2.b64") return "  ld" + how + ".v2.u64 {%d0, %d1}, [" + at + "];\n" + two;
  if (form.width == "v4.b32") {
    return "  ld" + how + ".v4.u32 {%w0, %w1, %w2, %w3}, [" + at + "];\n" +
           "  mov.b64 %d0, {%w0, %w1};\n  mov.b64 %d1, {%w2, %w3};\n" +
           "  setp.ne.u64 %torn, %d0, %d1;\n  setp.ne.or.u32 %torn, %w0, %w1, %torn;\n" +
           "  cvt.u64.u32 %d0, %w0;\n  selp.b64 " + to + ", -1, %d0, %torn;\n";
  }
  return "  ld" + how + ".b128 %q, [" + at + "];\n  mov.b128 {%d0, %d1}, %q;\n" + two;
}

inline constexpr u32 lane_bytes = 64;
inline constexpr u32 location_bytes = 32 * lane_bytes;

// The kernel of a test: threads are told apart by %role, tests of one launch by %group.
inline std::string kernel_text(const Test& test, const Form& form, Place place) {
  std::string text = module_head();
  text +=
      ".visible .entry litmus(.param .u64 area, .param .u64 out, .param .u32 rounds, .param .u32 "
      "salt)\n{\n  .reg .pred %p, %torn;\n  .reg .b32 %role, %group, %lane, %i, %n, %t, %h, %v32, "
      "%w<4>, %own, %other;\n  .reg .b64 %x, %y, %go, %base, %to, %v, %r0, %r1, %d<2>, %k;\n  .reg "
      ".b128 %q, %q2;\n";
  const std::string threads = std::to_string(test.threads);
  if (form.space == "shared") text += "  .shared .align 16 .b8 own[4096];\n";
  text += "  mov.u32 %t, %tid.x;\n  and.b32 %lane, %t, 31;\n";
  switch (place) {
    case Place::blocks:
      text += "  mov.u32 %i, %ctaid.x;\n  rem.u32 %role, %i, " + threads +
              ";\n  div.u32 %group, %i, " + threads + ";\n";
      break;
    case Place::warps: text += "  shr.u32 %role, %t, 5;\n  mov.u32 %group, %ctaid.x;\n"; break;
    case Place::cluster:
      text += "  mov.u32 %role, %cluster_ctarank;\n  mov.u32 %group, %clusterid.x;\n";
      break;
  }
  // Locations: x, y, and the word where the threads wait for each other at the start.
  text += "  ld.param.u64 %base, [area];\n  mul.wide.u32 %k, %group, " +
          std::to_string(3 * location_bytes) +
          ";\n  add.u64 %base, %base, %k;\n  mul.wide.u32 %k, %lane, " +
          std::to_string(lane_bytes) + ";\n  add.u64 %x, %base, %k;\n  add.u64 %y, %x, " +
          std::to_string(location_bytes) + ";\n  add.u64 %go, %base, " +
          std::to_string(2 * location_bytes) + ";\n";
  if (form.space == "shared") {
    // In the first block's shared memory.
    text += "  mov.u64 %x, own;\n";
    if (place == Place::cluster) text += "  mapa.shared::cluster.u64 %x, %x, 0;\n";
    text += "  add.u64 %x, %x, %k;\n  add.u64 %y, %x, " + std::to_string(location_bytes) + ";\n";
  }
  // Results: of each role, group and round two words for each lane.
  text += "  ld.param.u32 %n, [rounds];\n  ld.param.u64 %to, [out];\n  mad.lo.u32 %i, %group, " +
          threads +
          ", %role;\n  mul.lo.u32 %i, %i, %n;\n  mul.wide.u32 %k, %i, 512;\n  add.u64 %to, %to, "
          "%k;\n  mul.wide.u32 %k, %lane, 16;\n  add.u64 %to, %to, %k;\n"
          "  ld.param.u32 %h, [salt];\n  mad.lo.u32 %h, %role, 0x9e3779b9, %h;\n";
  // All begin together.
  text +=
      "  red.release.gpu.global.add.u32 [%go], 1;\nWAIT:\n  ld.acquire.gpu.global.u32 %t, "
      "[%go];\n  setp.lt.u32 %p, %t, " +
      std::to_string(32 * test.threads) + ";\n  @%p bra WAIT;\n  mov.u32 %i, 0;\n";
  text +=
      "ROUND:\n  setp.ge.u32 %p, %i, %n;\n  @%p bra DONE;\n  add.u32 %i, %i, 1;\n"
      "  mov.u64 %r0, 0;\n  mov.u64 %r1, 0;\n"
      "  mad.lo.u32 %h, %h, 1664525, 1013904223;\n";
  // Warps of one core take turns of some thousand instructions: now and then the turn ends inside
  // the round, wherever the delay makes it. On other cores the delay moves the threads apart.
  const auto delay = [&](int k, int role) {
    const std::string at = std::to_string(role) + "_" + std::to_string(k);
    const std::string longest = place == Place::blocks ? "7" : "4095";
    return "  shr.u32 %t, %h, " + std::to_string(8 + 3 * k) + ";\n  and.b32 %own, %t, 7;\n" +
           "  setp.ne.u32 %p, %own, 0;\n  @%p bra NEXT" + at + ";\n  and.b32 %t, %t, " + longest +
           ";\nDELAY" + at + ":\n  setp.eq.u32 %p, %t, 0;\n  @%p bra NEXT" + at +
           ";\n  sub.u32 %t, %t, 1;\n  bra DELAY" + at + ";\nNEXT" + at + ":\n";
  };
  for (int role = 0; role < test.threads; ++role) {
    text += "  setp.eq.u32 %p, %role, " + std::to_string(role) + ";\n  @%p bra ROLE" +
            std::to_string(role) + ";\n";
  }
  text += "  trap;\n";
  for (int role = 0; role < test.threads; ++role) {
    text += "ROLE" + std::to_string(role) + ":\n  mov.u32 %v32, %i;\n  cvt.u64.u32 %v, %i;\n";
    int reads = 0;
    int step = 0;
    std::istringstream words(test.programs[static_cast<std::size_t>(role)]);
    for (std::string word; words >> word;) {
      if (word == "F") {
        if (!form.fence.empty()) text += "  fence." + form.fence + "." + form.scope + ";\n";
        continue;
      }
      text += delay(step++, role);
      const std::string at = word[1] == 'x' ? "%x" : "%y";
      if (word[0] == 'R') {
        text += read(form, at, reads++ == 0 ? "%r0" : "%r1");
        continue;
      }
      // W2 writes the even number of a pair, so that one round writes twice; M and N are two
      // writers' own numbers.
      if (word[0] == 'P') text += "  shl.b32 %v32, %i, 1;\n  sub.u32 %v32, %v32, 1;\n";
      if (word[0] == 'Q' || word[0] == 'M') text += "  shl.b32 %v32, %i, 1;\n";
      if (word[0] == 'N') text += "  shl.b32 %v32, %i, 1;\n  add.u32 %v32, %v32, 1;\n";
      text += "  cvt.u64.u32 %v, %v32;\n" + write(form, at);
    }
    text += "  bra STORE;\n";
  }
  text +=
      "STORE:\n  st.global.v2.u64 [%to], {%r0, %r1};\n  add.u64 %to, %to, 512;\n  bra "
      "ROUND;\nDONE:\n";
  // The block whose shared memory the others use stays until they are done.
  if (place == Place::cluster) text += "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n";
  text += "  ret;\n}\n";
  return text;
}

// --- judging ------------------------------------------------------------------------------------

inline constexpr u64 torn_value = ~u64{0};

// The values that one lane's threads read: reads[role][round] from round 1; two each.
using Reads = std::vector<std::vector<std::array<u64, 2>>>;

// Counts the pairs of rounds in which something was seen before what had to be seen first. Of the
// tests that make an order, these are the forbidden outcomes, and `weak` counts what shows that the
// threads ran against each other at all. Without an order, they are the permitted weak outcomes.
inline void judge(const Test& test, const Form& form, const Reads& reads, Outcome& outcome) {
  const std::string name = test.name;
  const std::size_t rounds = reads[0].size() - 1;
  outcome.rounds += rounds;
  u64 early = 0;  // seen in the wrong order
  u64 met = 0;    // seen in the middle
  for (const auto& role : reads) {
    for (const auto& r : role) {
      if (r[0] == torn_value || r[1] == torn_value) ++outcome.torn;
    }
  }
  bool always = false;  // forbidden without fences too
  const bool with_sc = form.fence == "sc";
  bool forbids = orders(form);
  if (name == "MP") {
    for (std::size_t i = 1; i <= rounds; ++i) {
      early += reads[1][i][1] < reads[1][i][0] ? 1 : 0;
      met += reads[1][i][1] > reads[1][i][0] ? 1 : 0;
    }
  } else if (name == "SB") {
    forbids = with_sc;
    for (std::size_t i = 1; i <= rounds; ++i) {
      const u64 y = reads[0][i][0];
      if (y < rounds) early += reads[1][y + 1][0] < i ? 1 : 0;
      met += y > 0 && y < rounds ? 1 : 0;
    }
  } else if (name == "LB") {
    for (std::size_t i = 1; i <= rounds; ++i) {
      const u64 y = reads[0][i][0];
      if (y > 0 && y <= rounds) early += reads[1][y][0] >= i ? 1 : 0;
      met += y > 0 && y < rounds ? 1 : 0;
    }
  } else if (name == "IRIW") {
    forbids = with_sc;
    // The least x that the second reader saw after y was at least k.
    std::vector<u64> least(rounds + 2, std::numeric_limits<u64>::max());
    for (std::size_t j = 1; j <= rounds; ++j) {
      const u64 y = std::min<u64>(reads[3][j][0], rounds + 1);
      least[y] = std::min(least[y], reads[3][j][1]);
    }
    for (std::size_t k = rounds + 1; k-- > 0;) least[k] = std::min(least[k], least[k + 1]);
    for (std::size_t i = 1; i <= rounds; ++i) {
      const u64 x = reads[2][i][0];
      const u64 y = reads[2][i][1];
      if (y <= rounds) early += least[y + 1] < x ? 1 : 0;
      met += y > 0 && y < rounds ? 1 : 0;
    }
  } else if (name == "CoRR") {
    always = true;
    u64 last = 0;
    for (std::size_t i = 1; i <= rounds; ++i) {
      early += reads[1][i][0] < last ? 1 : 0;
      early += reads[1][i][1] < reads[1][i][0] ? 1 : 0;
      met += reads[1][i][1] > reads[1][i][0] ? 1 : 0;
      last = reads[1][i][1];
    }
  } else if (name == "CoWR") {
    always = true;
    for (u64 role = 0; role < 2; ++role) {
      for (std::size_t i = 1; i <= rounds; ++i) {
        const u64 seen = reads[role][i][0];
        // Its own number of an earlier round, after it wrote this one's.
        early += seen % 2 == role && seen != 2 * i + role ? 1 : 0;
        met += seen % 2 != role ? 1 : 0;
      }
    }
  } else {  // Whole: nothing but that parts agree
    always = true;
    for (std::size_t i = 1; i <= rounds; ++i) {
      met += reads[1][i][0] > 0 && reads[1][i][0] < rounds ? 1 : 0;
    }
  }
  if (always || forbids) {
    outcome.forbidden += early;
    outcome.weak += met;
  } else {
    outcome.weak += early;
  }
}

// Runs a test on `threads` threads of the executor.
inline Outcome run(const Test& test, const Form& form, Place place, int threads, u32 rounds,
                   u32 salt) {
  Outcome outcome;
  set_core_count(threads);
  const auto roles = static_cast<u32>(test.threads);
  const u32 groups = place == Place::blocks
                         ? std::max<u32>(1, (static_cast<u32>(threads) + roles - 1) / roles)
                         : static_cast<u32>(std::min(threads, 4));
  Buffer area(std::size_t{groups} * 3 * location_bytes);
  Buffer out(std::size_t{groups} * roles * rounds * 512);
  try {
    Program program({kernel_text(test, form, place)}, 0);
    Launch launch;
    launch.code = program.kernel("litmus");
    launch.program = &program;
    launch.threads.x = place == Place::warps ? 32 * roles : 32;
    launch.grid.x = place == Place::warps ? groups : groups * roles;
    if (place == Place::cluster) launch.cluster.x = roles;
    launch.parameters =
        Parameters().add(area.address()).add(out.address()).add(rounds).add(salt).bytes();
    const Fault fault = run_kernel(launch);
    if (fault.code != 0) {
      outcome.fault = fault.message;
      return outcome;
    }
  } catch (const ProgramError& error) {
    outcome.fault = error.what();
    return outcome;
  }
  for (u32 group = 0; group < groups; ++group) {
    for (u32 lane = 0; lane < 32; ++lane) {
      Reads reads(roles, std::vector<std::array<u64, 2>>(rounds + 1));
      for (u32 role = 0; role < roles; ++role) {
        for (u32 i = 0; i < rounds; ++i) {
          const std::size_t at = ((std::size_t{group} * roles + role) * rounds + i) * 64 + lane * 2;
          reads[role][i + 1] = {out.as<u64>()[at], out.as<u64>()[at + 1]};
        }
      }
      judge(test, form, reads, outcome);
    }
  }
  return outcome;
}

}  // namespace softgpu::test::litmus
