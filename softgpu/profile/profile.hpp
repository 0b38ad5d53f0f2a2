// What `tandem gpu profile` measures of a program: counters per kernel and per line of source, and
// the order of its work. The runtime writes it, the program's commands read it; docs/kernel-lab.md
// says what each number means and by which model it is made.
#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "softgpu/isa/instruction_class.hpp"

namespace softgpu::profile {

inline constexpr std::uint32_t lanes_per_warp = 32;

// Requests of global or local memory: a warp's instruction with at least one active lane is one.
struct Requests {
  std::uint64_t requests = 0;
  std::uint64_t lanes = 0;
  std::uint64_t bytes = 0;          // that the lanes ask for
  std::uint64_t sectors = 0;        // pieces of 32 bytes that the requests touch
  std::uint64_t ideal_sectors = 0;  // as many as their distinct bytes would fill
  std::uint64_t l1_hits = 0;        // of the sectors, by the cache model
  std::uint64_t l2_hits = 0;

  void operator+=(const Requests& more);
};

// Requests of shared memory, in wavefronts of 32 banks of 4 bytes.
struct SharedRequests {
  std::uint64_t requests = 0;
  std::uint64_t lanes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t wavefronts = 0;
  std::uint64_t ideal_wavefronts = 0;

  void operator+=(const SharedRequests& more);
};

// What a warp waits for: see `Counters::waits`.
enum class Wait : std::uint8_t {
  issue,       // nothing: instructions are issued one per cycle
  arithmetic,  // a result of arithmetic
  shared,      // shared memory, shuffles, special functions
  l1,          // global or local memory, by where the slowest sector was found
  l2,
  dram,
  atomic,   // the value that an atomic returns
  barrier,  // other warps of the block
  count
};
inline constexpr std::size_t wait_kinds = static_cast<std::size_t>(Wait::count);
inline constexpr std::array<const char*, wait_kinds> wait_names = {
    "issue", "arithmetic", "shared", "l1", "l2", "dram", "atomic", "barrier"};

// The counters of a line of source, or of a whole kernel.
struct Counters {
  // By warps, and by the lanes that are there and whose guard holds.
  std::array<std::uint64_t, instruction_classes> instructions{};
  std::array<std::uint64_t, instruction_classes> thread_instructions{};
  std::uint64_t lanes = 0;  // times instructions, guards or not
  std::array<std::uint64_t, formats> flops{};
  std::array<std::uint64_t, formats> special{};
  std::uint64_t conversions_to_double = 0;  // of f32, by lanes
  std::uint64_t branches = 0;
  std::uint64_t divergent = 0;  // branches whose lanes went to different places
  Requests global_load, global_store, global_atomic;
  Requests local_load, local_store;
  SharedRequests shared_load, shared_store, shared_atomic;
  std::uint64_t constant_requests = 0;
  // Loads of at most 8 bytes of global memory whose lanes read what follows the bytes that the load
  // before it read.
  std::uint64_t adjacent_loads = 0;
  // Lanes of atomics that name an address that another lane of the request names too.
  std::uint64_t atomic_conflicts = 0;
  std::uint64_t barriers = 0;            // by warps
  std::uint64_t redundant_barriers = 0;  // before which no thread of the block touched memory
  // Cycles that warps wait before they issue, by what they wait for, if each had the machine to
  // itself but for the barriers of its block. The sum is what a kernel's warps take one by one.
  std::array<std::uint64_t, wait_kinds> waits{};
  std::uint64_t uncounted = 0;  // instructions whose use of memory is not followed, by warps

  void operator+=(const Counters& more);
  [[nodiscard]] std::uint64_t warp_instructions() const;
  [[nodiscard]] std::uint64_t active_lanes() const;  // thread instructions
  [[nodiscard]] std::uint64_t all_flops() const;     // of all formats
  [[nodiscard]] std::uint64_t wait_cycles() const;
};

struct Line {
  std::string file;  // as the compiler wrote it; empty where there are no line numbers
  int line = 0;
  std::string text;  // of the source, where it could be read
  Counters counters;
};

// Launches of one kernel with one configuration, added up.
struct Kernel {
  std::string kernel;  // mangled
  std::string name;
  std::array<std::uint32_t, 3> grid{1, 1, 1};
  std::array<std::uint32_t, 3> block{1, 1, 1};
  std::uint32_t static_shared = 0;  // bytes per block
  std::uint32_t dynamic_shared = 0;
  int registers = 0;                // per thread
  bool registers_of_ptxas = false;  // else estimated from the PTX
  std::uint64_t spill_bytes = 0;    // of a thread, stores and loads, as ptxas says
  std::uint64_t launches = 0;
  std::uint64_t first_launch = 0;  // number of the first of them, counted from 1 in the program
  Counters counters;
  // Of the longest warp of each block, if it had the machine to itself, in cycles: the sum over
  // blocks, the longest, and of the sum the part in which one lane was active.
  std::uint64_t chain = 0;
  std::uint64_t longest_chain = 0;
  std::uint64_t alone = 0;
  std::array<std::uint64_t, wait_kinds> chain_waits{};  // of the sum
  std::uint64_t dram_read = 0;                          // bytes, by the cache model
  std::uint64_t dram_write = 0;
  // Fewer wavefronts of shared memory than are counted, where the compiler merges loads of words
  // that follow one another.
  std::uint64_t merged_wavefronts = 0;
  std::uint64_t hottest_word = 0;  // lanes of atomics on one word of global memory, of one launch
  std::vector<Line> lines;

  [[nodiscard]] std::uint64_t blocks() const;   // of a launch
  [[nodiscard]] std::uint32_t threads() const;  // of a block
  [[nodiscard]] std::uint32_t warps_per_block() const;
};

// One piece of work, in the order in which the program enqueued it.
struct Work {
  enum class Kind : std::uint8_t { kernel, copy, memset, host, other, wait };
  Kind kind = Kind::other;
  std::uint64_t stream = 0;  // of a wait: of which stream; 0 for the device
  int device = 0;
  bool legacy = false;       // the legacy default stream, which waits for blocking streams
  bool blocking = false;     // a stream that waits for the legacy one
  std::int64_t after = -1;   // the work that it also waits for: of an event
  std::int64_t kernel = -1;  // index into Profile::kernels; -1 where it was not profiled
  std::string name;          // of a kernel; "to device" of a copy
  std::uint64_t bytes = 0;   // of a copy or memset
};
inline constexpr std::array<const char*, 6> work_names = {"kernel", "copy",  "memset",
                                                          "host",   "other", "wait"};

struct Profile {
  std::string device;  // key of the model: "a100"
  std::string program;
  std::vector<Kernel> kernels;
  std::vector<Work> work;
  std::uint64_t work_dropped = 0;  // beyond what is kept
};

// The kernel's numbers as JSON, and back. Throws ProfileError for what is no profile.
class ProfileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
[[nodiscard]] nlohmann::ordered_json to_json(const Profile& profile);
[[nodiscard]] Profile from_json(const nlohmann::ordered_json& json);
// Reads what to_json() made, from a file; the message names the file.
[[nodiscard]] Profile read_profile(const std::string& path);

}  // namespace softgpu::profile
