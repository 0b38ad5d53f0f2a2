#include "softgpu/profile/profiled_code.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

#include "softgpu/exec/program.hpp"
#include "softgpu/observe/requests.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu::profile {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

thread_local LaunchClock* launch_of_thread __attribute__((tls_model("initial-exec"))) = nullptr;

// --- requests ------------------------------------------------------------------------------------

constexpr u64 word_bytes = 4;
// Words of global memory whose atomics are told apart in one launch; more are not followed.
constexpr std::size_t most_words = std::size_t{1} << 22;

// Counts the requests of one execution of an operation, and finds how long its result takes: see
// visit_requests.
struct RequestProfiler {
  LaunchClock& launch;
  OperationCount& count;
  ProfiledWarp& warp;
  const Step& at_step;
  bool cached = true;  // loads go through the L1
  u64 latency = 0;
  Wait wait = Wait::arithmetic;

  void global(Way way, const Addresses& addresses, u32 size) {
    std::array<u64, warp_size> sorted;
    std::copy_n(addresses.at.begin(), addresses.count, sorted.begin());
    const u32 different = distinct(sorted.data(), addresses.count);
    // Of each access the first sector and the last: accesses are aligned and 16 bytes at most, but
    // for what the bulk forms tell by lines.
    std::array<u64, std::size_t{2} * warp_size> sectors;
    u32 many = 0;
    for (u32 i = 0; i < different; ++i) {
      const u64 first = sorted[i] / sector_bytes;
      const u64 last = (sorted[i] + size - 1) / sector_bytes;
      if (many == 0 || sectors[many - 1] != first) sectors[many++] = first;
      if (last != first) sectors[many++] = last;
    }
    Requests& to = way == Way::load ? count.global_read : count.global_written;
    add(to, way, sectors.data(), many, addresses.count, u64{addresses.count} * size,
        u64{different} * size);
    if (way == Way::atomic) {
      count.atomic_conflicts += addresses.count - different;
      for (u32 i = 0; i < addresses.count; ++i) note_word(addresses.at[i]);
    }
    if (way == Way::load) note_load(addresses, size);
  }
  void global_pattern(Way way, u64 first, u32 size, Pattern pattern) {
    const u64 bytes = pattern == Pattern::uniform ? size : u64{warp_size} * size;
    std::array<u64, warp_size * 16 / sector_bytes + 1> sectors;
    u32 many = 0;
    for (u64 s = first / sector_bytes; s <= (first + bytes - 1) / sector_bytes; ++s) {
      sectors[many++] = s;
    }
    Requests& to = way == Way::load ? count.global_read : count.global_written;
    add(to, way, sectors.data(), many, warp_size, u64{warp_size} * size, bytes);
    if (way == Way::load) warp.load = {};
  }
  void global_lines(Way way, u64 address, u64 lines, u64 line, u64 step, u32 lanes) {
    const std::vector<u64> sectors = sectors_of_lines(address, lines, line, step);
    Requests& to = way == Way::load ? count.global_read : count.global_written;
    add(to, way, sectors.data(), static_cast<u32>(sectors.size()), lanes, lines * line,
        lines * line);
  }
  void shared(Way way, const Addresses& addresses, u32 size) {
    const Wavefronts wavefronts = wavefronts_of(way, addresses, size);
    add_shared(way, addresses.count, u64{addresses.count} * size, wavefronts);
    if (at_step.merges != 0 || at_step.merged_at != 0)
      note_merged(addresses, size, wavefronts.taken);
    if (way == Way::atomic) {
      std::array<u64, warp_size> sorted;
      std::copy_n(addresses.at.begin(), addresses.count, sorted.begin());
      count.atomic_conflicts += addresses.count - distinct(sorted.data(), addresses.count);
    }
  }
  void shared_pattern(Way way, u64 first, u32 size, Pattern pattern) {
    const u64 parts = warp_size / lanes_at_once(size);
    add_shared(way, warp_size, u64{warp_size} * size, {parts, parts});
    // Lanes side by side leave no room for a vector of each.
    if (at_step.merged_at != 0 && pattern == Pattern::uniform &&
        (first - u64{word_bytes} * at_step.merged_at) % (u64{word_bytes} * at_step.merges) == 0) {
      launch.merged_wavefronts += static_cast<std::int64_t>(parts);
    }
  }
  void shared_lines(Way way, u64 address, u64 lines, u64 line, u64 step, u32 lanes) {
    add_shared(way, lanes, lines * line, wavefronts_of_lines(address, lines, line, step));
  }
  // A word of each of the 32 threads lies side by side, so that lanes which use the same variable
  // are coalesced (CUDA C++ Programming Guide, "Local Memory").
  void local(Way way, const Addresses& addresses, u32 size) {
    std::array<u64, std::size_t{4} * warp_size> sectors;
    u32 many = 0;
    for (u32 i = 0; i < addresses.count; ++i) {
      for (u64 word = addresses.at[i] / word_bytes;
           word <= (addresses.at[i] + size - 1) / word_bytes && many < sectors.size(); ++word) {
        sectors[many++] = (word * warp_size + addresses.lane[i]) * word_bytes / sector_bytes;
      }
    }
    many = distinct(sectors.data(), many);
    const u64 bytes = u64{addresses.count} * size;
    count.local +=
        {1, addresses.count, bytes, many, (bytes + sector_bytes - 1) / sector_bytes, many, 0};
    // Where a warp's local memory lies is not modelled: it counts as found in the L1.
    if (way == Way::load) slow_down(static_cast<u64>(launch.costs->l1), Wait::l1);
  }
  void constant(const Addresses& addresses, u32) {
    std::array<u64, warp_size> sorted;
    std::copy_n(addresses.at.begin(), addresses.count, sorted.begin());
    // Different addresses are read one after the other.
    const u32 different = distinct(sorted.data(), addresses.count);
    ++count.constant_requests;
    slow_down(static_cast<u64>(launch.costs->arithmetic) * different, Wait::arithmetic);
  }

 private:
  // Vectors have to be aligned for every lane. The first load takes the wavefronts of the vector,
  // the others none.
  void note_merged(const Addresses& addresses, u32 size, u64 taken) {
    const u64 bytes = u64{word_bytes} * at_step.merges;
    for (u32 i = 0; i < addresses.count; ++i) {
      if ((addresses.at[i] - u64{word_bytes} * at_step.merged_at) % bytes != 0) return;
    }
    u64 left = 0;
    if (at_step.merged_at == 0)
      left = wavefronts_of(Way::load, addresses, size * at_step.merges).taken;
    launch.merged_wavefronts += static_cast<std::int64_t>(taken) - static_cast<std::int64_t>(left);
  }
  void slow_down(u64 cycles, Wait by) {
    if (cycles < latency) return;
    latency = cycles;
    wait = by;
  }
  void add(Requests& to, Way way, const u64* sectors, u32 many, u32 lanes, u64 bytes,
           u64 distinct_bytes) {
    const auto found =
        launch.memory->access(warp.block->multiprocessor, way, cached, sectors, many);
    to += {1,        lanes,   bytes, many, (distinct_bytes + sector_bytes - 1) / sector_bytes,
           found.l1, found.l2};
    warp.block->touched = true;
    if (way == Way::store) return;
    const DeviceCosts& costs = *launch.costs;
    const int level = found.slowest == DeviceMemory::Level::l1   ? costs.l1
                      : found.slowest == DeviceMemory::Level::l2 ? costs.l2
                                                                 : costs.dram;
    const u64 more = static_cast<u64>(costs.next_line) * (std::max(found.lines, 1U) - 1);
    slow_down(static_cast<u64>(level) + more, way == Way::atomic ? Wait::atomic
                                              : found.slowest == DeviceMemory::Level::l1 ? Wait::l1
                                              : found.slowest == DeviceMemory::Level::l2
                                                  ? Wait::l2
                                                  : Wait::dram);
  }
  void add_shared(Way way, u32 lanes, u64 bytes, const Wavefronts& wavefronts) {
    (way == Way::load ? count.shared_read : count.shared_written) +=
        {1, lanes, bytes, wavefronts.taken, wavefronts.ideal};
    warp.block->touched = true;
    if (way == Way::store) return;
    slow_down(static_cast<u64>(launch.costs->shared) +
                  static_cast<u64>(launch.costs->next_line) * (wavefronts.taken - 1),
              way == Way::atomic ? Wait::atomic : Wait::shared);
  }
  void note_word(u64 address) {
    auto& words = launch.atomic_words;
    if (words.size() < most_words || words.count(address / word_bytes) != 0) {
      ++words[address / word_bytes];
    }
  }
  // Lanes that are two accesses or more apart, each of which reads on where it read before, could
  // have read both at once.
  void note_load(const Addresses& addresses, u32 size) {
    const u64 first = addresses.at[0];
    const u64 last = addresses.at[addresses.count - 1];
    const bool apart = addresses.count < 2 || addresses.at[1] >= first + 2 * u64{size} ||
                       first >= addresses.at[1] + 2 * u64{size};
    u32 mask = 0;
    for (u32 i = 0; i < addresses.count; ++i) mask |= 1U << addresses.lane[i];
    const ProfiledWarp::Load& before = warp.load;
    if (size <= 8 && apart && before.mask == mask && before.size == size &&
        first == before.first + size && last == before.last + size) {
      ++count.adjacent_loads;
    }
    warp.load = {first, last, apart ? mask : 0, size};
  }
};

// --- the clock -----------------------------------------------------------------------------------

std::vector<Ready>& registers_of(ProfiledWarp& warp, const Frame* frame, const ProfiledCode& code) {
  if (warp.frame != frame) {
    warp.frame = frame;
    warp.ready = &warp.frames[frame];
  }
  if (warp.ready->size() < code.register_count) warp.ready->resize(code.register_count);
  return *warp.ready;
}

void wait_until(ProfiledWarp& warp, u64 at, Wait wait, OperationCount& count, bool alone) {
  if (at <= warp.issued) return;
  const u64 cycles = at - warp.issued;
  count.waits[static_cast<std::size_t>(wait)] += cycles;
  warp.waits[static_cast<std::size_t>(wait)] += cycles;
  if (alone) warp.alone += cycles;
  warp.issued = at;
}

// The end of a straight piece: what is left is the time to issue its instructions.
void end_piece(ProfiledWarp& warp, OperationCount& count, bool alone) {
  wait_until(warp, warp.begin + warp.count, Wait::issue, count, alone);
  warp.begin = warp.issued;
  warp.count = 0;
}

void issue(LaunchClock& launch, const ProfiledCode& code, ProfiledWarp& warp,
           std::vector<Ready>& ready, std::size_t index, u64 latency, Wait wait, bool works,
           bool alone) {
  const Step& s = code.steps[index];
  Ready operands{warp.begin, Wait::issue};
  for (u32 i = s.first_operand; i < s.end_operand; ++i) {
    const Register& r = code.registers[i];
    if (!r.written && ready[r.number].at > operands.at) operands = ready[r.number];
  }
  OperationCount& count = launch.count_of(code, index);
  wait_until(warp, operands.at, operands.wait, count, alone);
  warp.count += s.slots;
  if (works) {
    for (u32 i = s.first_operand; i < s.end_operand; ++i) {
      const Register& r = code.registers[i];
      if (r.written) ready[r.number] = {operands.at + latency, wait};
    }
  }
  if (s.role == Role::commit_copies) {
    warp.groups.push_back(warp.copies);
    warp.copies = {};
  } else if (s.role == Role::wait_for_copies) {
    const Op& op = code.ops[index];
    const std::size_t left = op.aux == 1 ? static_cast<std::size_t>(op.imm) : 0;
    if (op.aux == 2) warp.groups.push_back(std::exchange(warp.copies, {}));
    while (warp.groups.size() > left) {
      wait_until(warp, warp.groups.front().at, warp.groups.front().wait, count, alone);
      warp.groups.erase(warp.groups.begin());
    }
  }
  if (s.ends_run) {
    end_piece(warp, count, alone);
    if (s.role == Role::branch) {
      wait_until(warp, warp.begin + static_cast<u64>(launch.costs->branch), Wait::arithmetic, count,
                 alone);
      warp.begin = warp.issued;
    }
  }
}

// An operation and those that follow it unobserved, executed by the lanes `there`.
void pass(LaunchClock& launch, const ProfiledCode& code, Warp& w, ProfiledWarp& warp,
          std::size_t index, u64 latency, Wait wait, bool works) {
  std::vector<Ready>& ready = registers_of(warp, w.call, code);
  const bool alone = std::popcount(w.mask) == 1;
  issue(launch, code, warp, ready, index, latency, wait, works, alone);
  for (std::size_t i = index + 1; i < code.steps[index].end; ++i) {
    issue(launch, code, warp, ready, i, code.steps[i].latency, code.steps[i].wait, true, alone);
  }
}

// True where the lanes go to different places.
bool parts(Warp& w, const Op* op, Role role, u32 m) {
  if (role == Role::branch) return m != 0 && m != w.mask;
  const auto* indices = lanes<u32>(w, op->a);
  const u32 first = m == 0 ? 0 : indices[std::countr_zero(m)];
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    if (indices[std::countr_zero(rest)] != first) return true;
  }
  return m != 0 && m != w.mask;
}

// Ends with a jump, as all handlers do.
const Op* profile_operation(Warp& w, const Op* op) {
  const auto& code = static_cast<const ProfiledCode&>(*w.call->code);
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  const ObservedOperation& o = code.observed[index];
  const u32 m = active(w, op);
  if (o.meeting == Meeting::none || !puts_off(w, op, o.meeting, m)) {
    LaunchClock& launch = *launch_of_thread;
    OperationCount& count = launch.count_of(code, index);
    const Step& s = code.steps[index];
    ++count.executed;
    count.lanes += static_cast<u64>(std::popcount(w.mask));
    count.active += static_cast<u64>(std::popcount(m));
    count.worked += m != 0 ? 1U : 0U;
    if (s.role == Role::branch || s.role == Role::branch_table) {
      count.divergent += parts(w, op, s.role, m) ? 1U : 0U;
    }
    u64 latency = s.latency;
    Wait wait = s.wait;
    ProfiledWarp& warp = launch.clock_of(w);
    warp.last_op = index;
    if (m != 0 && s.may_touch) warp.block->touched = true;
    if (o.touch.form != TouchForm::none && m != 0) {
      const bool cached = o.touch.order == Order::weak;
      RequestProfiler requests{launch, count, warp, s, cached};
      visit_requests(w, op, o.touch, m, requests);
      latency = requests.latency;
      wait = requests.wait;
      if (o.touch.form == TouchForm::copy_async) {
        const u64 there = warp.now() + latency;
        if (there > warp.copies.at) warp.copies = {there, wait};
      }
    }
    pass(launch, code, w, warp, index, latency, wait, m != 0);
  }
  return o.run(w, op);
}

// --- code ----------------------------------------------------------------------------------------

u32 latency_of(InstructionClass kind, const DeviceCosts& costs) {
  switch (kind) {
    case InstructionClass::fp64: return static_cast<u32>(costs.double_arithmetic);
    case InstructionClass::special: return static_cast<u32>(costs.special);
    case InstructionClass::tensor: return static_cast<u32>(costs.tensor);
    case InstructionClass::warp: return static_cast<u32>(costs.shuffle);
    case InstructionClass::texture: return static_cast<u32>(costs.l2);
    default: return static_cast<u32>(costs.arithmetic);
  }
}

Wait wait_of(InstructionClass kind) {
  if (kind == InstructionClass::special || kind == InstructionClass::warp) return Wait::shared;
  return kind == InstructionClass::texture ? Wait::l2 : Wait::arithmetic;
}

// Instructions that become none of the machine's: parameters are operands, moves mostly renaming.
bool is_issued(const ptx::Instruction& in) {
  if (in.opcode == "mov" || in.opcode == "cvta") return false;
  return in.opcode != "ld" || !in.has("param");
}

// Finds loads of words of shared memory by one address register at offsets that follow one another,
// in one straight piece: ptxas makes vectors of them where the address is aligned.
void find_merged_loads(ProfiledCode& code) {
  struct Load {
    std::size_t op = 0;
    std::int64_t offset = 0;
  };
  std::unordered_map<u32, std::vector<Load>> by_register;
  const auto merge = [&](std::vector<Load>& loads) {
    std::ranges::sort(loads, {}, &Load::offset);
    const auto follow = [&](std::size_t first, std::size_t many) {
      if (loads[first].offset % static_cast<int>(many * word_bytes) != 0) return false;
      for (std::size_t k = 1; k < many; ++k) {
        if (first + k >= loads.size() ||
            loads[first + k].offset != loads[first].offset + static_cast<int>(k * word_bytes)) {
          return false;
        }
      }
      return true;
    };
    for (std::size_t i = 0; i < loads.size();) {
      const std::size_t many = follow(i, 4) ? 4 : follow(i, 2) ? 2 : 1;
      for (std::size_t k = 0; k < many && many > 1; ++k) {
        code.steps[loads[i + k].op].merges = static_cast<std::uint8_t>(many);
        code.steps[loads[i + k].op].merged_at = static_cast<std::uint8_t>(k);
      }
      i += many;
    }
    loads.clear();
  };
  const auto merge_all = [&] {
    for (auto& [slot, loads] : by_register) merge(loads);
  };
  const bool known = code.first_operand.size() == code.ops.size() + 1;
  for (std::size_t i = 0; known && i < code.ops.size(); ++i) {
    const Touch& touch = code.observed[i].touch;
    const bool of_shared = touch.form == TouchForm::lanes32 || touch.form == TouchForm::shared64;
    if (of_shared && touch.way == Way::load && touch.order == Order::weak &&
        touch.size == word_bytes && code.ops[i].guard == 0) {
      by_register[code.ops[i].a].push_back({i, static_cast<std::int64_t>(code.ops[i].imm)});
    }
    for (u32 k = code.first_operand[i]; k < code.first_operand[i + 1]; ++k) {
      const OperandSlot& operand = code.operands[k];
      if (!operand.written) continue;
      const auto found = by_register.find(operand.slot);
      if (found != by_register.end()) merge(found->second);  // another address from here on
    }
    const bool stores = touch.form != TouchForm::none && touch.way != Way::load;
    if (code.steps[i].ends_run || stores) merge_all();
  }
  merge_all();
}

}  // namespace

void ProfiledCode::observe() {
  observed = observe_instructions(*this);
  const auto& instructions = static_cast<const ptx::Function*>(origin_function)->instructions;
  steps.resize(ops.size());
  std::unordered_map<u32, u32> numbers;
  const bool known = first_operand.size() == ops.size() + 1;
  const DeviceCosts& costs = *launch_of_thread->costs;
  std::size_t leader = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const ObservedOperation& o = observed[i];
    Step& s = steps[i];
    const Behaviour& does = describe(operations[i]).behaviour;
    if (o.counted_at == i) {
      ops[i].run = profile_operation;
      leader = i;
    }
    steps[leader].end = static_cast<u32>(i + 1);
    s.latency = static_cast<std::uint16_t>(latency_of(o.kind, costs));
    s.wait = wait_of(o.kind);
    for (u32 k = 0; k < o.instructions; ++k) {
      if (is_issued(instructions[o.first_instruction + k])) ++s.slots;
    }
    if (does.flow == Flow::branch && ops[i].guard != 0) s.role = Role::branch;
    if (does.flow == Flow::table) s.role = Role::branch_table;
    if (does.effect == Effect::copy_group) {
      s.role = ops[i].aux == 0 ? Role::commit_copies : Role::wait_for_copies;
    }
    s.ends_run = i + 1 == ops.size() ||
                 (o.counted_at == i && o.kind == InstructionClass::control) ||
                 o.kind == InstructionClass::barrier || does.flow == Flow::label ||
                 does.flow == Flow::branch;
    s.may_touch = (o.touch.form == TouchForm::none && o.kind == InstructionClass::memory) ||
                  o.kind == InstructionClass::texture || does.unseen || o.touch.uncounted;
    s.first_operand = static_cast<u32>(registers.size());
    for (u32 k = known ? first_operand[i] : 0; known && k < first_operand[i + 1]; ++k) {
      const OperandSlot& operand = operands[k];
      if (operand.lane_bytes == OperandSlot::area) continue;
      const auto next = static_cast<u32>(numbers.size());
      registers.push_back(
          {numbers.emplace(operand.slot & ~3U, next).first->second, operand.written});
    }
    s.end_operand = static_cast<u32>(registers.size());
  }
  register_count = static_cast<u32>(numbers.size());
  find_merged_loads(*this);
}

void ProfiledWarp::start(BlockClock& of) {
  begin = issued = count = alone = 0;
  waits = {};
  for (auto& [of_frame, registers] : frames) std::fill(registers.begin(), registers.end(), Ready{});
  copies = {};
  groups.clear();
  load = {};
  block = &of;
}

OperationCount& LaunchClock::count_of(const ObservedCode& code, std::size_t op) {
  if (by_code.size() <= code.number) by_code.resize(code.number + 1);
  auto& counts = by_code[code.number];
  if (counts.empty()) counts.resize(code.ops.size());
  return counts[op];
}

void LaunchClock::finish(BlockClock& block) {
  if (!block.begun) return;
  block.begun = false;
  const ProfiledWarp* longest = nullptr;
  for (const ProfiledWarp& warp : block.warps) {
    if (longest == nullptr || warp.now() > longest->now()) longest = &warp;
  }
  if (longest == nullptr) return;
  chain += longest->now();
  longest_chain = std::max(longest_chain, longest->now());
  alone += longest->alone;
  for (std::size_t i = 0; i < wait_kinds; ++i) chain_waits[i] += longest->waits[i];
}

LaunchClock*& current_launch() { return launch_of_thread; }

Handler profiling_handler() { return profile_operation; }

void hold(ProfiledWarp& warp, std::uint64_t until, Wait wait, OperationCount& count) {
  wait_until(warp, until, wait, count, false);
  warp.begin = warp.issued;
  warp.count = 0;
}

}  // namespace softgpu::profile
