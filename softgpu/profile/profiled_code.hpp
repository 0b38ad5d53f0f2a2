// Code whose operations come by the profiler, and what it keeps of a warp, a block and a launch.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "softgpu/observe/instructions.hpp"
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/profile/machine_model.hpp"
#include "softgpu/profile/profile.hpp"

namespace softgpu::profile {

// What an operation does beside computing.
enum class Role : std::uint8_t { none, branch, branch_table, commit_copies, wait_for_copies };

// One operation, as the clock sees it.
struct Step {
  std::uint32_t end = 0;  // of the operations that follow it unobserved: one past the last
  std::uint32_t first_operand = 0;  // of ProfiledCode::registers
  std::uint32_t end_operand = 0;
  std::uint16_t latency = 0;     // of what does not touch memory
  std::uint16_t slots = 0;       // instructions that are issued here
  Wait wait = Wait::arithmetic;  // what those wait for that need its result
  Role role = Role::none;
  // Loads of a word of shared memory that the compiler makes one of: the first has their number,
  // 2 or 4, the others say how far they are from it, in words.
  std::uint8_t merges = 0;
  std::uint8_t merged_at = 0;
  bool ends_run = false;   // other lanes may come to what follows
  bool may_touch = false;  // memory, in a way that the description does not tell
};

struct Register {
  std::uint32_t number = 0;  // dense
  bool written = false;
};

struct ProfiledCode : ObservedCode {
  std::vector<ObservedOperation> observed;  // one per operation
  std::vector<Step> steps;                  // one per operation
  std::vector<Register> registers;
  std::uint32_t register_count = 0;

  void observe();
};

// The counters of one operation.
struct OperationCount {
  std::uint64_t executed = 0;  // by warps
  std::uint64_t lanes = 0;     // at this place
  std::uint64_t active = 0;    // of these, lanes whose guard was true
  std::uint64_t worked = 0;    // warps with an active lane
  std::uint64_t divergent = 0;
  std::uint64_t constant_requests = 0;
  std::uint64_t adjacent_loads = 0;
  std::uint64_t atomic_conflicts = 0;
  std::uint64_t barriers = 0;
  std::uint64_t redundant_barriers = 0;
  Requests global_read, global_written, local;
  SharedRequests shared_read, shared_written;
  std::array<std::uint64_t, wait_kinds> waits{};
};

struct BlockClock;

// When a register's value is there, and what that waits for.
struct Ready {
  std::uint64_t at = 0;
  Wait wait = Wait::issue;
};

// The clock of one warp. Within a straight piece of code an instruction is issued as soon as its
// operands are there, whatever comes before it, as a compiler would have ordered it; the piece ends
// when all have been issued, and no earlier than one cycle for each.
struct ProfiledWarp {
  std::uint64_t begin = 0;   // of the piece
  std::uint64_t issued = 0;  // the last instruction of it so far
  std::uint64_t count = 0;   // of instructions in it so far
  std::array<std::uint64_t, wait_kinds> waits{};
  std::uint64_t alone = 0;  // cycles in which one lane was active
  // Registers of each call.
  std::unordered_map<const Frame*, std::vector<Ready>> frames;
  const Frame* frame = nullptr;
  std::vector<Ready>* ready = nullptr;
  // Asynchronous copies: when those since the last commit are there, and of the groups before.
  Ready copies;
  std::vector<Ready> groups;
  // The last load of scattered lanes, to see whether the next goes on behind it.
  struct Load {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint32_t mask = 0;
    std::uint32_t size = 0;
  } load;
  std::size_t last_op = 0;  // of the code, that was observed last
  BlockClock* block = nullptr;

  void start(BlockClock& of);
  [[nodiscard]] std::uint64_t now() const { return std::max(begin + count, issued); }
};

// A place of the code by the numbers of its version and operation.
struct Spot {
  std::size_t code = 0;
  std::size_t op = 0;
};

struct BlockClock {
  std::uint32_t multiprocessor = 0;
  std::uint64_t threads = 0;
  bool begun = false;
  bool touched = false;  // memory, since the last barrier
  struct Arrival {
    ProfiledWarp* warp = nullptr;
    Spot spot;
    std::uint64_t at = 0;
    bool waits = false;
  };
  std::array<std::vector<Arrival>, 17> arrivals;  // by barrier; the last is the cluster's
  std::vector<ProfiledWarp> warps;
};

struct LaunchClock {
  const DeviceCosts* costs = nullptr;
  DeviceMemory* memory = nullptr;
  std::vector<std::vector<OperationCount>> by_code;  // by ObservedCode::number
  std::unordered_map<std::uint64_t, std::uint64_t> atomic_words;
  std::uint64_t chain = 0;
  std::uint64_t longest_chain = 0;
  std::uint64_t alone = 0;
  std::array<std::uint64_t, wait_kinds> chain_waits{};
  std::int64_t merged_wavefronts = 0;  // see Kernel

  std::unordered_map<const Warp*, ProfiledWarp*> warps;
  const Warp* last_warp = nullptr;
  ProfiledWarp* last_clock = nullptr;

  // The clock of a warp whose block has begun.
  [[nodiscard]] ProfiledWarp& clock_of(const Warp& warp) {
    if (last_warp != &warp) {
      last_warp = &warp;
      last_clock = warps.at(&warp);
    }
    return *last_clock;
  }
  OperationCount& count_of(const ObservedCode& code, std::size_t op);
  // Adds up the block that has run on this clock.
  void finish(BlockClock& block);
};

// The launch that this thread profiles; nullptr where there is none.
[[nodiscard]] LaunchClock*& current_launch();

// The handler of the operations that are observed, for the observer that counts exchanges.
[[nodiscard]] Handler profiling_handler();

// `warp` waits at least until `until` for `wait`; counted at the operation.
void hold(ProfiledWarp& warp, std::uint64_t until, Wait wait, OperationCount& count);

}  // namespace softgpu::profile
