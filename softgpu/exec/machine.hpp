// The executor's data: decoded code and the state of running threads.
//
// A register is a vector of 32 lanes, one per thread of a warp: 32-bit lanes for everything up to
// 32 bits, 64-bit lanes for 64 bits, two vectors of 64-bit lanes for 128. A predicate is 32 bits.
// Registers of one function call lie together in a frame; constants are registers that the frame
// starts with. An operand is therefore always a byte offset into the frame.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "softgpu/isa/operation.hpp"
#include "softgpu/isa/touch.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu {

inline constexpr int warp_size = 32;
inline constexpr std::uint32_t memory_sites = 64;
inline constexpr std::uint32_t full_mask = 0xffffffffU;

struct AsyncCopies;
class Observer;
struct BlockState;
struct FrameState;
struct WarpState;
struct Warp;
struct Op;
struct Block;
struct Code;
class Program;

// Executes one instruction for the active lanes of a warp and returns the next, or nullptr where
// the warp has to stop for a reason that it keeps in Warp::stop.
using Handler = const Op* (*)(Warp& warp, const Op* op);

struct Op {
  Handler run = nullptr;
  std::uint32_t d = 0;  // destination and sources: byte offsets into the frame
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint16_t guard = 0;      // offset of the guard predicate; bit 0 set where it is negated
  std::uint16_t site = 0;       // which of Warp::cache an access to memory uses
  std::uint32_t aux = 0;        // its meaning depends on the handler
  std::int64_t imm = 0;         // an address offset, a branch distance in operations, ...
  const void* extra = nullptr;  // operands that do not fit: vectors, callees
};

// Describes the elements of a load, store, call or matrix operation. Plain pointers: handlers are
// compiled per instruction set and must not instantiate library templates.
struct Pieces {
  const std::uint32_t* slots = nullptr;
  std::uint32_t count = 0;
  const std::uint32_t* more = nullptr;
  std::uint32_t more_count = 0;
  std::vector<std::uint32_t> storage;
};

// Where an operation comes from, for messages.
struct Origin {
  int ptx_line = 0;
  int source_file = 0;
  int source_line = 0;
  std::uint32_t instruction = 0;  // index into Code::texts
  std::int32_t inlined_at = -1;   // index into Code::call_sites; -1 where nothing was inlined
};

// Where a function was inlined: a line of source, which may be inlined itself.
struct CallSite {
  int file = 0;
  int line = 0;
  std::int32_t inlined_at = -1;
};

struct Constant {
  std::uint32_t slot;
  std::uint32_t lane_bytes;  // 4 or 8; 0 for a predicate
  std::uint64_t bits;
};

// A register, or a call's parameter, that an operation names.
struct OperandSlot {
  static constexpr std::uint8_t area = 0xff;  // a parameter: bytes of 32 lanes, one after the other
  std::uint32_t slot = 0;
  std::uint8_t lane_bytes = 4;  // 0 for a predicate
  bool written = false;         // else read
};

// A special register that the frame holds from the start.
enum class Special : std::uint32_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemask_eq,
  lanemask_le,
  lanemask_lt,
  lanemask_ge,
  lanemask_gt,
  dynamic_smem_size,
  total_smem_size,
  aggr_smem_size,
  clusterid_x,
  clusterid_y,
  clusterid_z,
  nclusterid_x,
  nclusterid_y,
  nclusterid_z,
  cluster_ctaid_x,
  cluster_ctaid_y,
  cluster_ctaid_z,
  cluster_nctaid_x,
  cluster_nctaid_y,
  cluster_nctaid_z,
  cluster_ctarank,
  cluster_nctarank,
  is_explicit_cluster,
  zero,
  dynamic_shared_base,  // offset of dynamic shared memory, which follows the static
  reserved_shared_begin,
  reserved_shared_end,  // the end of the system's part of shared memory
  workspace_low,
  workspace_high,  // address of a cooperative launch's own memory; 0 for another
};
struct SpecialSlot {
  std::uint32_t slot;
  Special special;
  std::uint32_t lane_bytes;
};
// A kernel's parameter that the frame holds from the start: `size` bytes at `offset`.
struct ParameterValue {
  std::uint32_t slot;
  std::uint32_t lane_bytes;
  std::uint32_t offset;
  std::uint32_t size;
  bool sign_extend;
};

// A variable in a block's static shared memory.
struct SharedVariable {
  std::string name;
  std::uint32_t begin = 0;
  std::uint32_t bytes = 0;
};

// A parameter of a function, or a variable in .param space, in the frame: 32 times `size` bytes.
struct ParamSlot {
  std::uint32_t slot = 0;
  std::uint32_t size = 0;
  std::uint32_t offset = 0;  // of a kernel's parameter in the parameter block
  std::uint32_t align = 1;
};

// One function, decoded.
struct Code {
  std::string name;
  std::vector<Op> ops;
  std::vector<Origin> origins;  // one per operation
  std::vector<Touch> touches;   // one per operation
  // The registers that operation i names: from first_operand[i] to first_operand[i + 1]. Only kept
  // where keeps_operands().
  std::vector<OperandSlot> operands;
  std::vector<std::uint32_t> first_operand;
  // In a version that is observed: the handlers that do the work, one per operation; else nullptr.
  const Handler* work = nullptr;
  std::vector<std::string> texts;  // of the PTX instructions, for messages and profiles
  std::uint32_t frame_bytes = 0;
  std::uint32_t local_bytes = 0;
  std::vector<Constant> constants;
  std::vector<SpecialSlot> specials;
  std::vector<ParameterValue> parameter_values;
  std::vector<ParamSlot> parameters;
  std::vector<ParamSlot> returns;
  std::vector<std::unique_ptr<Pieces>> pieces;
  std::uint32_t shared_bytes = 0;  // static shared memory, of an entry
  std::uint32_t shared_gaps = 0;   // of these bytes, those that no variable has: check/gaps.hpp
  std::vector<SharedVariable> shared_variables;  // that the function names
  std::uint32_t parameter_bytes = 0;             // of an entry
  bool entry = false;
  int max_threads[3] = {0, 0, 0};
  int required_threads[3] = {0, 0, 0};
  int cluster[3] = {0, 0, 0};
  int registers = 0;  // 32-bit registers per thread, counted from the frame
  std::map<std::uint32_t, std::string> approximated;  // instructions whose result the ISA bounds
  std::set<std::uint32_t> unsupported;                // that fault if they are reached
  std::set<const Code*> callees;
  std::vector<std::unique_ptr<std::string>> reasons;  // why operations are not supported
  // Where it comes from. Types of program.hpp and ptx/ast.hpp, which know this one.
  const void* origin_module = nullptr;
  const void* origin_function = nullptr;
  std::map<int, std::string> files;  // by number, as origins name them
  std::vector<CallSite> call_sites;  // that origins name
  bool decoded = false;
  bool being_decoded = false;
  std::vector<Operation> operations;  // what each of `ops` is
};

// What an operation of the code is.
[[nodiscard]] inline Operation operation_of(const Code& code, const Op& op) {
  return code.operations[static_cast<std::size_t>(&op - code.ops.data())];
}

// Bytes of static shared memory that the program asked for.
[[nodiscard]] inline std::uint32_t static_shared_of(const Code& code) {
  return code.shared_bytes - code.shared_gaps;
}

struct Frame {
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte[], Free> memory;
  std::size_t capacity = 0;
  const Code* code = nullptr;  // whose constants the memory holds
  Frame* caller = nullptr;
  const Op* return_to = nullptr;  // the call operation in the caller
  std::uint32_t local_base = 0;
  std::uint32_t depth = 0;
  std::uint32_t lanes = 0;      // that have not returned yet
  FrameState* state = nullptr;  // of the checker, who owns it
};

// Lanes of a warp that are at the same place.
struct Group {
  enum class State : std::uint8_t { ready, at_barrier, at_sync };
  const Op* pc = nullptr;
  std::uint32_t mask = 0;
  Frame* frame = nullptr;
  State state = State::ready;
  std::uint8_t barrier = 0;     // that it waits at
  std::uint32_t members = 0;    // at_sync: the lanes that have to come together
  bool meets_anywhere = false;  // at_sync: a warp barrier, which lanes may reach in any place
};

enum class Stop : std::uint8_t { none, exited, blocked, quantum, fault };

// Remembers the range that an instruction's accesses fell into last.
struct RangeCache {
  std::uint64_t begin = 1;
  std::uint64_t end = 0;
  std::uint64_t last = 0;  // where the last access began, and how far from the one before
  std::uint64_t step = 0;
};

struct Warp {
  // The current group.
  std::byte* frame = nullptr;
  std::uint32_t mask = 0;
  std::uint32_t split = 0;     // groups elsewhere: others.size()
  std::int64_t budget = 0;     // instructions until the warp is asked to let others run
  bool released = false;       // by a barrier, and has not run since
  std::uint64_t executed = 0;  // instructions times lanes
  // A branch over a few operations: the lanes that took it, and the join at which they go on with
  // those that did not; nullptr where there is none under way.
  const Op* rest_until = nullptr;
  std::uint32_t resting = 0;
  Frame* call = nullptr;
  Block* block = nullptr;
  const std::byte* parameters = nullptr;
  std::byte* local = nullptr;  // 32 times local_stride bytes, lane by lane
  std::size_t local_stride = 0;
  RangeCache cache[memory_sites];  // by Op::site
  std::uint64_t cache_epoch = 0;

  std::vector<Group> others;  // lanes elsewhere
  const Op* pc = nullptr;     // of the current group while the warp does not run
  std::uint32_t alive = 0;    // lanes that have not exited
  std::uint32_t initial = 0;  // lanes that exist
  int index = 0;
  Stop stop = Stop::none;
  std::uint32_t patience = 0;  // schedulings until another group gets its turn
  std::uint32_t kept = 0;      // schedulings for which the current group is kept
  std::vector<std::byte> local_storage;
  std::vector<std::unique_ptr<Frame>> frames;
  std::vector<Frame*> free_frames;
  std::uint64_t cluster_phase = 0;     // of the cluster's barrier, when this warp arrived there
  const Op* left_at = nullptr;         // where lanes have exited last, in the kernel's own code
  const Group* meeting = nullptr;      // the lanes for which an exchange between places is executed
  std::uint32_t ending = 0;            // lanes that a service of the executor wants to end
  std::shared_ptr<AsyncCopies> async;  // cp.async that has not happened yet; none at first
  WarpState* state = nullptr;          // of the checker, who owns it
};

// Where threads come to a barrier.
struct BarrierPlace {
  const Op* op = nullptr;
  const Code* code = nullptr;
};

struct Barrier {
  std::uint32_t arrived = 0;        // threads
  std::uint32_t arrived_warps = 0;  // the same, with a warp's missing lanes counted as arrived
  std::uint32_t expected = 0;       // 0: all of the block
  std::uint64_t phase = 0;
  // bar.red: of the phase that is being collected, and of the two before by parity.
  std::uint32_t votes = 0;
  std::uint32_t results[2][2] = {};  // votes, threads
  // For barriers of the whole block: the first place at which threads of this phase arrived and
  // another one; and the places of an earlier phase in which there were two, with the threads that
  // were alive then.
  BarrierPlace place;
  BarrierPlace other;
  BarrierPlace mixed[2];
  std::uint32_t alive_when_mixed = 0;
};

struct Dim3 {
  std::uint32_t x = 1;
  std::uint32_t y = 1;
  std::uint32_t z = 1;
  [[nodiscard]] std::uint64_t count() const noexcept { return std::uint64_t{x} * y * z; }
};

// A kernel's fault; codes are CUDA's.
struct Fault {
  int code = 0;
  std::string message;
};

struct Launch {
  const Code* code = nullptr;
  Program* program = nullptr;
  Dim3 grid;
  Dim3 threads;
  Dim3 cluster;
  std::uint32_t dynamic_shared = 0;
  std::vector<std::byte> parameters;
  bool cooperative = false;
  int device = 0;
  std::size_t stack_limit = 1024;  // cudaLimitStackSize
  int multiprocessors = 1;         // for %nsmid
  std::uint64_t id = 0;
  Observer* observer = nullptr;  // that is told of what happens in it
  // Filled in by run_kernel.
  bool in_step = true;          // warps go on together after a barrier: see complete_barrier
  std::uint64_t workspace = 0;  // see Special::workspace_low
  std::atomic<bool> failed{false};
  Fault fault;
  std::mutex fault_mutex;
  // After a failed assertion the other threads go on for a while, so that those whose assertions
  // fail as well are heard; `fault` is the first one's. Until when, in nanoseconds of the steady
  // clock; 0 where none has failed.
  std::atomic<std::int64_t> assertion_deadline{0};
  std::atomic<int> assertions{0};
  std::uint64_t thread_instructions = 0;
  double seconds = 0;
};

// Blocks that run together and may read each other's shared memory; one block where the kernel has
// no clusters.
struct Cluster {
  std::vector<Block*> blocks;  // by rank
  std::uint32_t arrived = 0;   // threads at barrier.cluster
  std::uint64_t phase = 0;
  BarrierPlace place;  // where the first of them arrived
};

inline constexpr std::uint8_t cluster_barrier = 16;

struct Block {
  Launch* launch = nullptr;
  Cluster* cluster = nullptr;
  std::uint32_t rank = 0;  // in the cluster
  Dim3 at;
  std::uint64_t linear = 0;
  std::byte* shared = nullptr;
  std::uint32_t shared_bytes = 0;
  std::vector<std::byte> shared_storage;
  std::vector<std::unique_ptr<Warp>> warps;
  std::array<Barrier, 16> barriers;
  std::uint32_t used_barriers = 0;  // a bit for each that threads have come to
  std::uint32_t alive_threads = 0;
  std::uint32_t alive_warps = 0;
  std::vector<std::uint32_t> order;  // in which warps get their turns
  std::size_t turn = 0;
  BlockState* state = nullptr;  // of the checker, who owns it
};

template <class T>
inline T* lanes(Warp& warp, std::uint32_t slot) {
  return reinterpret_cast<T*>(warp.frame + slot);
}
inline std::uint32_t& predicate(Warp& warp, std::uint32_t slot) {
  return *reinterpret_cast<std::uint32_t*>(warp.frame + slot);
}
// Lanes for which the operation takes place.
inline std::uint32_t active(Warp& warp, const Op* op) {
  const std::uint32_t p = predicate(warp, op->guard & ~3U);
  return warp.mask & (p ^ (0U - (op->guard & 1U)));
}

// Thrown inside the executor and nowhere else; the launch keeps what happened.
struct KernelFault {};
// Ends the kernel with a CUDA error code and a message that names the place.
[[noreturn]] void raise_fault(Warp& warp, const Op* op, int lane, int code,
                              const std::string& what);
// The same for handlers, which must not use std::string.
[[noreturn]] void raise_fault_text(Warp& warp, const Op* op, int lane, int code, const char* what);
// Keeps what happened as raise_fault does, and returns: the kernel goes on for now.
void keep_fault(Warp& warp, const Op* op, int lane, int code, const std::string& what);

// --- control flow, in schedule.cpp --------------------------------------------------------------

// Continues the warp at `next` for the current group (nullptr: its mask is empty), after its mask
// or place changed while other groups exist: merges groups that met and picks the one to run.
// nullptr where none can run.
const Op* reschedule(Warp& warp, const Op* next);
// The current lanes go to two places.
const Op* diverge(Warp& warp, std::uint32_t taken, const Op* target, const Op* fall_through);
// The current lanes go to many places: `op` has a table of distances as its Pieces and an index in
// slot a.
const Op* branch_by_table(Warp& warp, const Op* op);
// `gone` lanes end.
const Op* exit_lanes(Warp& warp, const Op* op, std::uint32_t gone);
// Lanes of `group` call `callee`; arguments are copied as op's Pieces say.
const Op* call_function(Warp& warp, const Op* op, const Code& callee, std::uint32_t group);
// Lanes call the function whose address each has in slot a.
const Op* call_indirect(Warp& warp, const Op* op);
const Op* return_lanes(Warp& warp, const Op* op, std::uint32_t gone);
// Lanes of `group` arrive at a barrier of the block (id below 16), with a vote for bar.red; where
// `wait`, they go on at op + 1 when `count` threads (0: all that are left) have arrived. `aligned`:
// the form that all lanes of a warp have to reach together.
const Op* wait_barrier(Warp& warp, const Op* op, std::uint32_t group, std::uint32_t id,
                       std::uint32_t count, bool wait, bool aligned, std::uint32_t votes);
// Active lanes name different barriers, or different numbers of threads: those of `group` arrive,
// the others come to this operation again.
void leave_for_later(Warp& warp, const Op* op, std::uint32_t group, bool aligned);
// barrier.cluster: arrives, waits, or both.
const Op* wait_cluster(Warp& warp, const Op* op, std::uint32_t group, bool arrive, bool wait,
                       bool aligned);
// The lanes `group` name the members `named` at an exchange or a warp barrier. Raises a fault where
// one of them has not named itself; else waits for those that are not there.
const Op* gather_members(Warp& warp, const Op* op, std::uint32_t group, std::uint32_t named,
                         bool meets_anywhere);
// Tells, once for each place, that lanes of `group`, which named the members `named`, take a value
// from those of `read`, which do not give any.
void notice_shuffle(Warp& warp, const Op* op, std::uint32_t group, std::uint32_t named,
                    std::uint32_t read);
// Waits until all of `members` are at this operation, then executes it again; where
// `meets_anywhere`, lanes may come together at different operations and go on after them.
const Op* synchronise_lanes(Warp& warp, const Op* op, std::uint32_t members, bool meets_anywhere);
// The same for those of the active lanes that are in `group`; the rest come to this operation
// again.
const Op* synchronise_group(Warp& warp, const Op* op, std::uint32_t group, std::uint32_t members,
                            bool meets_anywhere);
// The bytes behind an address of `bytes` bytes that lane `lane` may use, or raises the fault.
// Shared memory: bits 0-23 are the offset, bits 24-31 one more than the rank of the block in the
// cluster, or 0 for the block's own.
std::byte* checked_address(Warp& warp, const Op* op, int lane, std::uint64_t address,
                           std::uint32_t bytes, bool write);

}  // namespace softgpu
