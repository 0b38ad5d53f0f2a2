// The memory model as the executor has it: litmus tests between blocks, warps and the blocks of a
// cluster, for each order, scope, width and space, on 2 to 16 threads; and executors that are wrong
// on purpose, which these tests have to notice.
//
// Forbidden is what the PTX ISA forbids ("Memory Consistency Model"), and beside that that an
// ordered, volatile, .cg, .cv or .wt access of up to 16 bytes is seen half done (docs/softgpu.md).
#include "litmus.hpp"

#include <sched.h>

#include <mutex>
#include <unordered_map>

#include "softgpu/exec/atomicity.hpp"

namespace softgpu::test::litmus {
namespace {

const std::vector<Test>& all_tests() {
  static const std::vector<Test> tests = {
      {"MP", 2, {"Wx F Wy", "Ry F Rx"}},                // message passing
      {"SB", 2, {"Wx F Ry", "Wy F Rx"}},                // store buffering
      {"LB", 2, {"Ry F Wx", "Rx F Wy"}},                // load buffering
      {"IRIW", 4, {"Wx", "Wy", "Rx F Ry", "Ry F Rx"}},  // independent reads of independent writes
      {"CoRR", 2, {"Px Qx", "Rx Rx"}},                  // coherence: two reads of two writes
      {"CoWR", 2, {"Mx Rx", "Nx Rx"}},                  // coherence: a read after its own write
      {"Whole", 2, {"Wx", "Rx"}},                       // nothing is seen half done
  };
  return tests;
}
const Test& test_named(std::string_view name) {
  for (const Test& test : all_tests()) {
    if (test.name == name) return test;
  }
  throw std::logic_error("no such litmus test");
}

struct Case {
  const Test* test;
  Form form;
  Place place;
};

std::string describe(const Case& one) {
  const Form& f = one.form;
  return std::string(one.test->name) + " " + name_of(one.place) + " " + f.width + " " + f.space +
         " " + f.scope + " " + f.order + (f.fence.empty() ? "" : " fence." + f.fence) +
         (f.exchange ? " exchange" : "");
}

// Every combination that the PTX ISA has and that says something.
std::vector<Case> all_cases() {
  std::vector<Case> cases;
  struct Order {
    const char* order;
    const char* fence;
    bool exchange;
  };
  static constexpr Order orders_of[] = {{"relaxed", "", false},   {"volatile", "", false},
                                        {"release", "", false},   {"relaxed", "acq_rel", false},
                                        {"relaxed", "sc", false}, {"volatile", "sc", false},
                                        {"relaxed", "", true},    {"release", "", true},
                                        {"cg", "", false},        {"cv", "", false}};
  for (const Test& test : all_tests()) {
    for (const Place place : {Place::blocks, Place::warps, Place::cluster}) {
      for (const Order& order : orders_of) {
        // The cache operators promise no order, only whole accesses.
        const bool cache =
            std::string_view(order.order) == "cg" || std::string_view(order.order) == "cv";
        if (cache && std::string_view(test.name) != "Whole") continue;
        for (const char* width : {"b32", "b64", "v2.b64", "v4.b32", "b128"}) {
          // atom.exch has no vectors.
          if (order.exchange && (width[0] == 'v')) continue;
          for (const char* space : {"global", "generic", "shared"}) {
            const bool shared = std::string_view(space) == "shared";
            if (shared && (place == Place::blocks || cache)) continue;
            for (const char* scope : {"cta", "cluster", "gpu", "sys"}) {
              const std::string_view s = scope;
              if (place == Place::blocks && (s == "cta" || s == "cluster")) continue;
              if (place == Place::cluster && s == "cta") continue;
              Form form;
              form.width = width;
              form.space = space;
              form.scope = scope;
              form.order = order.order;
              form.fence = order.fence;
              form.exchange = order.exchange;
              // These name no scope of their own.
              if ((form.order == "volatile" || cache) && form.fence.empty() && s != "sys") continue;
              cases.push_back({&test, form, place});
            }
          }
        }
      }
    }
  }
  return cases;
}

// Sums by test, place, order and fence, as a table; returns the sum of all.
class Table {
 public:
  void add(const Case& one, const Outcome& outcome) {
    const Form& f = one.form;
    const std::string row = std::string(one.test->name) + " " + name_of(one.place) + " " + f.order +
                            (f.fence.empty() ? "" : "+fence." + f.fence) +
                            (f.exchange ? " (atom)" : "");
    if (rows_.find(row) == rows_.end()) order_.push_back(row);
    rows_[row] += outcome;
    total_ += outcome;
  }
  void print(const char* title) const {
    std::printf("%s\n%-40s %11s %10s %6s %10s\n", title, "", "rounds", "forbidden", "torn",
                "permitted");
    for (const std::string& row : order_) {
      const Outcome& o = rows_.at(row);
      std::printf(
          "%-40s %11llu %10llu %6llu ", row.c_str(), static_cast<unsigned long long>(o.rounds),
          static_cast<unsigned long long>(o.forbidden), static_cast<unsigned long long>(o.torn));
      if (o.weak == 0)
        std::printf("not exercised\n");
      else
        std::printf("%10llu\n", static_cast<unsigned long long>(o.weak));
    }
    std::fflush(stdout);
  }
  [[nodiscard]] const Outcome& total() const { return total_; }

 private:
  std::vector<std::string> order_;
  std::map<std::string, Outcome> rows_;
  Outcome total_;
};

// Now and then the operating system takes the processor away, in the worst place.
void interrupt() {
  thread_local u32 count = 0;
  if (++count % 61 == 0) sched_yield();
}
// The executor's own accesses, with interruptions between them: threads get into each other's way
// then even where they share a processor, or hardly ever run at the same time.
struct Own {
  Handler load = nullptr;
  Handler store = nullptr;
  Handler exchange32 = nullptr;
  Handler exchange64 = nullptr;
  Handler exchange128 = nullptr;
};
Own& own() {
  static Own all;
  return all;
}
template <Handler Own::*Which>
const Op* interrupted(Warp& w, const Op* op) {
  const Op* next = (own().*Which)(w, op);
  interrupt();
  return next;
}
void interrupt_accesses() {
  own() = {find_handler(Operation::ld_pieces), find_handler(Operation::st_pieces),
           find_handler(Operation::atom_exch_b32), find_handler(Operation::atom_exch_b64),
           find_handler(Operation::atom_exch_b128)};
  static constexpr HandlerEntry entries[] = {
      {Operation::ld_pieces, interrupted<&Own::load>},
      {Operation::st_pieces, interrupted<&Own::store>},
      {Operation::atom_exch_b32, interrupted<&Own::exchange32>},
      {Operation::atom_exch_b64, interrupted<&Own::exchange64>},
      {Operation::atom_exch_b128, interrupted<&Own::exchange128>}};
  replace_handlers({entries, std::size(entries)});
}

// Of a list of numbers of threads: a case runs on each of them, or on one, in turn. There are
// thousands of cases: in turn each order, width, space and scope meets each number, and all of it
// ends within minutes.
enum class Numbers { each, in_turn };

// Runs cases and fails on each forbidden outcome.
void run_all(const std::vector<Case>& cases, const std::vector<int>& threads, u32 rounds,
             const char* title, SimdChoice set = SimdChoice::automatic, bool interruptions = false,
             Numbers numbers = Numbers::each) {
  Table table;
  u32 salt = 1;
  select_instruction_set(set);
  if (interruptions) interrupt_accesses();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& one = cases[i];
    for (std::size_t k = 0; k < threads.size(); ++k) {
      // The shift keeps the turns from going along with those of the widths.
      if (numbers == Numbers::in_turn && k != (i + i / threads.size()) % threads.size()) continue;
      const int count = threads[k];
      const Outcome outcome = run(*one.test, one.form, one.place, count, rounds, salt++);
      EXPECT_EQ(outcome.fault, "") << describe(one);
      EXPECT_EQ(outcome.forbidden, 0U) << describe(one) << " on " << count << " threads";
      EXPECT_EQ(outcome.torn, 0U) << describe(one) << " on " << count << " threads";
      table.add(one, outcome);
    }
  }
  select_instruction_set(SimdChoice::automatic);
  set_core_count(0);
  table.print(title);
}

// Each row of the table, with width, space and scope in turn.
std::vector<Case> some_cases() {
  std::map<std::string, std::vector<Case>> rows;
  std::vector<std::string> order;
  for (const Case& one : all_cases()) {
    const std::string row = std::string(one.test->name) + name_of(one.place) + one.form.order +
                            one.form.fence + (one.form.exchange ? "x" : "");
    if (rows[row].empty()) order.push_back(row);
    rows[row].push_back(one);
  }
  std::vector<Case> some;
  std::size_t turn = 0;
  for (const std::string& row : order) {
    const auto& all = rows[row];
    for (int k = 0; k < 2; ++k) some.push_back(all[(turn += 7) % all.size()]);
  }
  return some;
}

TEST(Litmus, NothingForbiddenIsSeen) {
  run_all(some_cases(), {2, 8}, 250, "A choice of the litmus tests");
}

TEST(LongLitmus, NothingForbiddenIsSeen) {
  run_all(all_cases(), {2, 3, 4, 8, 16}, 800, "All litmus tests, on 2, 3, 4, 8 and 16 threads",
          SimdChoice::automatic, false, Numbers::in_turn);
}
TEST(LongLitmus, NothingForbiddenIsSeenBetweenInterruptions) {
  std::vector<Case> cases = all_cases();
  std::erase_if(cases, [](const Case& one) { return one.place != Place::blocks; });
  run_all(cases, {2, 4, 8}, 500, "Litmus tests between blocks, with interruptions",
          SimdChoice::automatic, true, Numbers::in_turn);
}

// As on a processor without AVX, and with the handlers of each instruction set.
TEST(Litmus, OnEveryInstructionSet) {
  std::vector<Case> cases;
  for (const Case& one : all_cases()) {
    if (one.place != Place::blocks || one.form.scope != "sys" || one.form.space == "generic")
      continue;
    if (std::string_view(one.test->name) != "Whole" && std::string_view(one.test->name) != "MP")
      continue;
    if (one.form.width == "b32" || one.form.width == "b64") continue;
    cases.push_back(one);
  }
  for (const auto& [name, set] :
       {std::pair{"avx512", SimdChoice::avx512}, std::pair{"avx2", SimdChoice::avx2},
        std::pair{"baseline", SimdChoice::baseline}}) {
    if (!select_instruction_set(set)) continue;
    for (const bool moves : {true, false}) {
      set_vector_moves_whole(moves);
      run_all(cases, {4}, 100, (std::string(name) + (moves ? "" : " by cmpxchg16b")).c_str(), set);
    }
  }
  set_vector_moves_whole(true);
}

// --- read-modify-write --------------------------------------------------------------------------

// All threads add one to the same words; atom.cas of 128 bits adds to both halves.
struct Sums {
  u32 word;
  u64 longer;
  u64 low, high;
};
Sums add_on(int threads, u32 blocks, u32 rounds, std::string& fault) {
  set_core_count(threads);
  const std::string text = std::string(module_head()) + R"(
.visible .entry sums(.param .u64 area, .param .u32 rounds)
{
  .reg .pred %p;
  .reg .b32 %i, %n, %w;
  .reg .b64 %a, %d, %l, %h, %l2, %h2;
  .reg .b128 %old, %new, %q;
  ld.param.u64 %a, [area];
  ld.param.u32 %n, [rounds];
  mov.u32 %i, 0;
LOOP:
  setp.ge.u32 %p, %i, %n;
  @%p bra DONE;
  add.u32 %i, %i, 1;
  atom.relaxed.gpu.global.add.u32 %w, [%a], 1;
  atom.relaxed.gpu.global.add.u64 %d, [%a+16], 1;
  ld.relaxed.gpu.global.b128 %old, [%a+32];
AGAIN:
  mov.b128 {%l, %h}, %old;
  add.u64 %l2, %l, 1;
  add.u64 %h2, %h, 3;
  mov.b128 %new, {%l2, %h2};
  atom.relaxed.gpu.global.cas.b128 %q, [%a+32], %old, %new;
  mov.b128 {%l2, %h2}, %q;
  mov.b128 %old, {%l2, %h2};
  setp.ne.u64 %p, %l, %l2;
  setp.ne.or.u64 %p, %h, %h2, %p;
  @%p bra AGAIN;
  bra LOOP;
DONE:
  ret;
}
)";
  Buffer area(64);
  Program program({text}, 0);
  Dim3 grid;
  grid.x = blocks;
  Dim3 block;
  block.x = 32;
  fault =
      launch(program, "sums", grid, block, Parameters().add(area.address()).add(rounds)).message;
  set_core_count(0);
  return {area.as<u32>()[0], area.as<u64>()[2], area.as<u64>()[4], area.as<u64>()[5]};
}
bool right(const Sums& sums, u64 count) {
  return sums.word == count && sums.longer == count && sums.low == count && sums.high == 3 * count;
}

TEST(Litmus, ReadModifyWriteIsOneAccess) {
  for (const int threads : {2, 4, 16}) {
    std::string fault;
    const Sums sums = add_on(threads, 16, 40, fault);
    EXPECT_EQ(fault, "");
    EXPECT_TRUE(right(sums, 16 * 32 * 40)) << threads << " threads: " << sums.word << " "
                                           << sums.longer << " " << sums.low << " " << sums.high;
  }
}

// --- look-back ----------------------------------------------------------------------------------

// Tiles of a scan, as CUB has them: each publishes a status beside its value in 16 bytes, first its
// own sum and then the sum of all up to it, for which it looks back over the tiles before.
struct Scan {
  u64 wrong = 0;
  u64 partial = 0;  // looks that saw a tile's own sum only
  std::string fault;
};
Scan look_back(int threads, u32 tiles, const char* store, const char* load) {
  set_core_count(threads);
  const std::string text = std::string(module_head()) + R"(
.visible .entry scan(.param .u64 tiles, .param .u64 sums, .param .u64 looks)
{
  .reg .pred %p;
  .reg .b32 %b, %l, %k;
  .reg .b64 %tiles, %sums, %looks, %at, %mine, %value, %sum, %status, %o;
  ld.param.u64 %tiles, [tiles];
  ld.param.u64 %sums, [sums];
  ld.param.u64 %looks, [looks];
  mov.u32 %b, %ctaid.x;
  mov.u32 %l, %tid.x;
  mad.lo.u32 %k, %b, 32, %l;
  mul.wide.u32 %o, %k, 16;
  add.u64 %mine, %tiles, %o;
  mad.lo.u32 %k, %b, 3, %l;
  cvt.u64.u32 %sum, %k;
  mov.u64 %status, 1;
  )" + store + R"( [%mine], {%status, %sum};
  mov.u64 %at, %mine;
BACK:
  setp.eq.u32 %p, %b, 0;
  @%p bra ALL;
  sub.u32 %b, %b, 1;
  sub.u64 %at, %at, 512;
LOOK:
  )" + load + R"( {%status, %value}, [%at];
  setp.eq.u64 %p, %status, 0;
  @%p bra LOOK;
  add.u64 %sum, %sum, %value;
  setp.eq.u64 %p, %status, 2;
  @%p bra ALL;
  red.global.add.u64 [%looks], 1;
  bra BACK;
ALL:
  mov.u64 %status, 2;
  )" + store + R"( [%mine], {%status, %sum};
  mov.u32 %b, %ctaid.x;
  mad.lo.u32 %k, %b, 32, %l;
  mul.wide.u32 %o, %k, 8;
  add.u64 %o, %sums, %o;
  st.global.u64 [%o], %sum;
  ret;
}
)";
  Scan result;
  Buffer descriptors(std::size_t{tiles} * 512);
  Buffer sums(std::size_t{tiles} * 256);
  Buffer looks(8);
  Program program({text}, 0);
  Dim3 grid;
  grid.x = tiles;
  Dim3 block;
  block.x = 32;
  result.fault =
      launch(program, "scan", grid, block,
             Parameters().add(descriptors.address()).add(sums.address()).add(looks.address()))
          .message;
  set_core_count(0);
  for (u64 lane = 0; lane < 32; ++lane) {
    u64 sum = 0;
    for (u64 tile = 0; tile < tiles; ++tile) {
      sum += 3 * tile + lane;
      result.wrong += sums.as<u64>()[tile * 32 + lane] != sum ? 1 : 0;
    }
  }
  result.partial = *looks.as<u64>();
  return result;
}

void look_back_on(const std::vector<int>& threads, u32 tiles, int times) {
  static constexpr std::pair<const char*, const char*> ways[] = {
      {"st.relaxed.gpu.global.v2.u64", "ld.relaxed.gpu.global.v2.u64"},
      {"st.volatile.v2.u64", "ld.volatile.v2.u64"},
      {"st.global.cg.v2.u64", "ld.global.cg.v2.u64"}};
  for (const auto& [store, load] : ways) {
    for (const int count : threads) {
      u64 partial = 0;
      for (int i = 0; i < times; ++i) {
        const Scan scan = look_back(count, tiles, store, load);
        EXPECT_EQ(scan.fault, "");
        EXPECT_EQ(scan.wrong, 0U) << store << " on " << count << " threads";
        partial += scan.partial;
      }
      std::printf("look-back, %-30s %2d threads: %s (%llu looks saw a tile's own sum)\n", store,
                  count, partial == 0 ? "not exercised" : "exercised",
                  static_cast<unsigned long long>(partial));
    }
  }
}
TEST(Litmus, LookBack) { look_back_on({2, 8}, 200, 5); }
TEST(LongLitmus, LookBack) { look_back_on({2, 3, 4, 8, 16}, 2000, 20); }

// --- executors that are wrong -------------------------------------------------------------------

using HandlerMap = std::vector<HandlerEntry>;

struct alignas(16) Bytes16 {
  u64 part[2] = {0, 0};
};
u32 bytes_of(const Op* op) {
  return (op->aux & 0xffU) * static_cast<const Pieces*>(op->extra)->count;
}
// The bytes that a lane stores, from its registers.
Bytes16 registers_of(Warp& w, const Op* op, int lane) {
  Bytes16 value;
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 size = op->aux & 0xffU;
  for (u32 i = 0; i < pieces.count; ++i) {
    if (size == 16) {
      value = {{lanes<u64>(w, pieces.slots[i])[lane], lanes<u64>(w, pieces.slots[i] + 256)[lane]}};
      continue;
    }
    const u64 v = (op->aux >> 16) == 8 ? lanes<u64>(w, pieces.slots[i])[lane]
                                       : lanes<u32>(w, pieces.slots[i])[lane];
    std::memcpy(reinterpret_cast<std::byte*>(value.part) + i * size, &v, size);
  }
  return value;
}
void to_registers(Warp& w, const Op* op, int lane, const Bytes16& value) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 size = op->aux & 0xffU;
  for (u32 i = 0; i < pieces.count; ++i) {
    if (pieces.slots[i] == 0) continue;
    if (size == 16) {
      lanes<u64>(w, pieces.slots[i])[lane] = value.part[0];
      lanes<u64>(w, pieces.slots[i] + 256)[lane] = value.part[1];
      continue;
    }
    u64 v = 0;
    std::memcpy(&v, reinterpret_cast<const std::byte*>(value.part) + i * size, size);
    if ((op->aux >> 16) == 8)
      lanes<u64>(w, pieces.slots[i])[lane] = v;
    else
      lanes<u32>(w, pieces.slots[i])[lane] = static_cast<u32>(v);
  }
}
std::byte* place_of(Warp& w, const Op* op, int lane, u32 bytes, bool write) {
  return checked_address(w, op, lane, lanes<u64>(w, op->a)[lane] + static_cast<u64>(op->imm), bytes,
                         write);
}
// One access of this processor, which has AVX if it runs this at all with 16 bytes whole.
__attribute__((noinline)) void move_whole(std::byte* to, const std::byte* from, u32 bytes) {
  if (bytes == 16) {
    __asm__ volatile("movdqu %1, %%xmm0\n\tmovdqa %%xmm0, %0"
                     : "=m"(*reinterpret_cast<Bytes16*>(to))
                     : "m"(*reinterpret_cast<const Bytes16*>(from))
                     : "xmm0", "memory");
  } else if (bytes == 8) {
    __atomic_store_n(reinterpret_cast<u64*>(to), *reinterpret_cast<const u64*>(from),
                     __ATOMIC_SEQ_CST);
  } else {
    __atomic_store_n(reinterpret_cast<u32*>(to), *reinterpret_cast<const u32*>(from),
                     __ATOMIC_SEQ_CST);
  }
}
template <class Body>
const Op* each_lane(Warp& w, const Op* op, Body&& body) {
  for (u32 rest = active(w, op); rest != 0; rest &= rest - 1) body(__builtin_ctz(rest));
  return op + 1;
}
// A store, or a load, that is two moves of half the bytes.
const Op* split_store(Warp& w, const Op* op) {
  return each_lane(w, op, [&](int l) {
    const u32 half = bytes_of(op) / 2;
    const Bytes16 value = registers_of(w, op, l);
    std::byte* p = place_of(w, op, l, 2 * half, true);
    const auto* from = reinterpret_cast<const std::byte*>(value.part);
    if (half >= 4)
      move_whole(p, from, half);
    else
      std::memcpy(p, from, half);
    interrupt();
    if (half >= 4)
      move_whole(p + half, from + half, half);
    else
      std::memcpy(p + half, from + half, half);
  });
}
const Op* split_load(Warp& w, const Op* op) {
  w.budget -= 32;
  return each_lane(w, op, [&](int l) {
    const u32 half = bytes_of(op) / 2;
    Bytes16 value;
    const std::byte* p = place_of(w, op, l, 2 * half, false);
    std::memcpy(value.part, p, half);
    interrupt();
    std::memcpy(reinterpret_cast<std::byte*>(value.part) + half, p + half, half);
    to_registers(w, op, l, value);
  });
}
// A load that sometimes gives what the place had when it was read before.
const Op* stale_load(Warp& w, const Op* op) {
  w.budget -= 32;
  thread_local std::unordered_map<const std::byte*, Bytes16> seen;
  thread_local u32 count = 0;
  return each_lane(w, op, [&](int l) {
    const u32 bytes = bytes_of(op);
    const std::byte* p = place_of(w, op, l, bytes, false);
    Bytes16 value;
    std::memcpy(value.part, p, bytes);
    Bytes16& before = seen[p];
    to_registers(w, op, l, ++count % 7 == 0 ? before : value);
    before = value;
  });
}
// An addition that is a load and a store.
template <class T>
const Op* parted_add(Warp& w, const Op* op) {
  return each_lane(w, op, [&](int l) {
    auto* p = reinterpret_cast<T*>(place_of(w, op, l, sizeof(T), true));
    const T old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
    interrupt();
    __atomic_store_n(p, static_cast<T>(old + lanes<T>(w, op->b)[l]), __ATOMIC_SEQ_CST);
    if (op->d != 0) lanes<T>(w, op->d)[l] = old;
  });
}

// An executor as weak as the PTX ISA lets it be in what it does with stores: they wait in a list
// and reach memory in any order, but for the same place in theirs. Fences, releases, atomics and a
// thread's end empty the list. It is right; its mutants are not.
struct Lagging {
  struct Store {
    int lane;
    std::byte* at;
    u32 bytes;
    Bytes16 value;
  };
  std::mutex mutex;
  std::unordered_map<const Warp*, std::vector<Store>> waiting;
  Handler add32 = nullptr;
  Handler leave = nullptr;
  Handler end = nullptr;
  std::mt19937 random{7};

  std::vector<Store>& of(const Warp& w) {
    const std::lock_guard lock(mutex);
    return waiting[&w];
  }
  static void perform(std::vector<Store>& all, std::size_t which) {
    // The first of those for the same place.
    for (std::size_t i = 0; i < which; ++i) {
      if (all[i].at == all[which].at) which = i;
    }
    move_whole(all[which].at, reinterpret_cast<const std::byte*>(all[which].value.part),
               all[which].bytes);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
  }
  void drain(const Warp& w) {
    auto& all = of(w);
    while (!all.empty()) perform(all, 0);
  }
  std::size_t draw(std::size_t below) {
    const std::lock_guard lock(mutex);
    return random() % below;
  }
};
Lagging& lagging() {
  static Lagging all;
  return all;
}
bool text_has(Warp& w, const Op* op, std::string_view word) {
  const Code& code = *w.call->code;
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  return code.texts[code.origins[index].instruction].find(word) != std::string::npos;
}
template <bool ReleaseDrains>
const Op* lagging_store(Warp& w, const Op* op) {
  if (ReleaseDrains && text_has(w, op, ".release")) lagging().drain(w);
  auto& all = lagging().of(w);
  each_lane(w, op, [&](int l) {
    all.push_back(
        {l, place_of(w, op, l, bytes_of(op), true), bytes_of(op), registers_of(w, op, l)});
  });
  while (all.size() > 96) Lagging::perform(all, lagging().draw(all.size()));
  return op + 1;
}
const Op* lagging_load(Warp& w, const Op* op) {
  w.budget -= 32;
  auto& all = lagging().of(w);
  each_lane(w, op, [&](int l) {
    const u32 bytes = bytes_of(op);
    const std::byte* p = place_of(w, op, l, bytes, false);
    Bytes16 value;
    if (bytes == 16) {
      move_whole(reinterpret_cast<std::byte*>(value.part), p, bytes);
    } else {
      std::memcpy(value.part, p, bytes);
    }
    for (const auto& store : all) {
      if (store.lane == l && store.at == p) value = store.value;
    }
    to_registers(w, op, l, value);
  });
  // Stores that wait reach memory at some time.
  if (!all.empty()) Lagging::perform(all, lagging().draw(all.size()));
  return op + 1;
}
const Op* lagging_fence(Warp& w, const Op* op) {
  lagging().drain(w);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return op + 1;
}
const Op* no_fence(Warp&, const Op* op) { return op + 1; }
const Op* lagging_add(Warp& w, const Op* op) {
  lagging().drain(w);
  return lagging().add32(w, op);
}
const Op* lagging_exit(Warp& w, const Op* op) {
  lagging().drain(w);
  return lagging().leave(w, op);
}
const Op* lagging_return(Warp& w, const Op* op) {
  lagging().drain(w);
  return lagging().end(w, op);
}

HandlerMap with_lagging_stores(Handler store, Handler fence) {
  Lagging& all = lagging();
  all.add32 = find_handler(Operation::atom_add_u32);
  all.leave = find_handler(Operation::exit);
  all.end = find_handler(Operation::ret);
  return {{Operation::st_pieces, store},   {Operation::ld_pieces, lagging_load},
          {Operation::fence, fence},       {Operation::atom_add_u32, lagging_add},
          {Operation::exit, lagging_exit}, {Operation::ret, lagging_return}};
}

Form form_of(const char* width, const char* order, const char* fence = "") {
  Form form;
  form.width = width;
  form.order = order;
  form.fence = fence;
  return form;
}

// Runs tests on a wrong executor until one of them sees it. Whether a single run does is chance,
// and on a busy machine with few cores a small one; hence many, and the label of long tests.
Outcome run_wrong(const HandlerMap& handlers, const std::vector<Case>& cases, int most = 1000) {
  replace_handlers({handlers.data(), handlers.size()});
  Outcome sum;
  for (int i = 0; i < most && sum.forbidden == 0 && sum.torn == 0; ++i) {
    for (const Case& one : cases)
      sum += run(*one.test, one.form, one.place, i % 2 == 0 ? 2 : 4, 400, static_cast<u32>(i));
  }
  select_instruction_set(SimdChoice::automatic);
  set_core_count(0);
  EXPECT_EQ(sum.fault, "");
  return sum;
}

TEST(LongLitmusNotices, SplitStore) {
  for (const char* width : {"v2.b64", "v4.b32", "b128"}) {
    const Outcome seen =
        run_wrong({{Operation::st_pieces, split_store}},
                  {{&test_named("Whole"), form_of(width, "relaxed"), Place::blocks}});
    EXPECT_GT(seen.torn, 0U) << width;
  }
}
TEST(LongLitmusNotices, SplitLoad) {
  const Outcome seen =
      run_wrong({{Operation::ld_pieces, split_load}},
                {{&test_named("Whole"), form_of("v2.b64", "relaxed"), Place::blocks}});
  EXPECT_GT(seen.torn, 0U);
}
TEST(LongLitmusNotices, StaleLoad) {
  const Outcome seen = run_wrong({{Operation::ld_pieces, stale_load}},
                                 {{&test_named("CoRR"), form_of("b64", "relaxed"), Place::blocks}});
  EXPECT_GT(seen.forbidden, 0U);
}
TEST(LongLitmusNotices, PartedAddition) {
  const HandlerMap handlers = {{Operation::atom_add_u64, parted_add<u64>}};
  replace_handlers({handlers.data(), handlers.size()});
  bool noticed = false;
  for (int i = 0; i < 40 && !noticed; ++i) {
    std::string fault;
    noticed = !right(add_on(4, 16, 40, fault), 16 * 32 * 40);
    EXPECT_EQ(fault, "");
  }
  select_instruction_set(SimdChoice::automatic);
  EXPECT_TRUE(noticed);
}
TEST(LongLitmusNotices, TornDescriptors) {
  const HandlerMap handlers = {{Operation::st_pieces, split_store}};
  replace_handlers({handlers.data(), handlers.size()});
  bool noticed = false;
  for (int i = 0; i < 40 && !noticed; ++i) {
    noticed =
        look_back(8, 200, "st.relaxed.gpu.global.v2.u64", "ld.relaxed.gpu.global.v2.u64").wrong !=
        0;
  }
  select_instruction_set(SimdChoice::automatic);
  EXPECT_TRUE(noticed);
}

const std::vector<Case>& ordered_cases() {
  static const std::vector<Case> cases = {
      {&test_named("MP"), form_of("b64", "relaxed", "acq_rel"), Place::blocks},
      {&test_named("MP"), form_of("v2.b64", "relaxed", "sc"), Place::blocks},
      {&test_named("SB"), form_of("b64", "relaxed", "sc"), Place::blocks},
      {&test_named("SB"), form_of("b128", "relaxed", "sc"), Place::warps}};
  return cases;
}
// The weak executor shows its permitted outcomes and none that is forbidden.
TEST(Litmus, FindsNothingInAnExecutorThatIsOnlyWeak) {
  const HandlerMap handlers = with_lagging_stores(lagging_store<true>, lagging_fence);
  std::vector<Case> cases = ordered_cases();
  cases.push_back({&test_named("MP"), form_of("v4.b32", "release"), Place::blocks});
  cases.push_back({&test_named("CoRR"), form_of("b64", "relaxed"), Place::blocks});
  cases.push_back({&test_named("CoWR"), form_of("b64", "relaxed"), Place::warps});
  const Outcome none = run_wrong(handlers, cases, 3);
  EXPECT_EQ(none.forbidden, 0U);
  EXPECT_EQ(none.torn, 0U);
  for (const char* name : {"MP", "SB"}) {
    replace_handlers({handlers.data(), handlers.size()});
    Outcome weak;
    for (u32 i = 0; i < 20 && weak.weak == 0; ++i)
      weak += run(test_named(name), form_of("b64", "relaxed"), Place::warps, 2, 400, i);
    select_instruction_set(SimdChoice::automatic);
    EXPECT_GT(weak.weak, 0U) << name;
    EXPECT_EQ(weak.forbidden, 0U) << name;
  }
  set_core_count(0);
}
TEST(LongLitmusNotices, DroppedFence) {
  for (const Case& one : ordered_cases()) {
    const Outcome seen = run_wrong(with_lagging_stores(lagging_store<true>, no_fence), {one});
    EXPECT_GT(seen.forbidden, 0U) << describe(one);
  }
}
TEST(LongLitmusNotices, ReleaseThatWaitsForNothing) {
  const Outcome seen = run_wrong(with_lagging_stores(lagging_store<false>, lagging_fence),
                                 {{&test_named("MP"), form_of("b64", "release"), Place::blocks}});
  EXPECT_GT(seen.forbidden, 0U);
}

}  // namespace
}  // namespace softgpu::test::litmus
