// Data races of kernels, by happened-before.
//
// For each word of memory (each byte, where bytes are accessed on their own) the last write and the
// last reads are kept; an access that conflicts with one of them, is not ordered after it by what
// its thread knows (clock.hpp), and is not strong together with it, is a race: whatever order the
// executor happened to choose. Of the reads of a word only two are kept, those of the latest; where
// more threads have read it, a write that is ordered after these and not after one that was dropped
// goes unnoticed, and nothing is ever reported that was ordered.
//
// What orders (PTX ISA, "Memory Consistency Model"): barriers of a block and of a cluster,
// __syncwarp, releases and acquires: a fence before a strong write, or a write that releases, with
// a strong read of that value and a fence, or a read that acquires; chains of read-modify-writes
// between them; mbarriers; and kernels by the order of streams (order.hpp). A fence that threads
// executed before a barrier counts for those that pass it, and so does what a thread has read there
// before without a fence, which is more than PTX promises and what every device does. All of this
// runs on one core (options().check).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "softgpu/check/cells.hpp"
#include "softgpu/check/children.hpp"
#include "softgpu/check/clock.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/order.hpp"
#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

inline constexpr std::uint32_t lanes_per_warp = 32;

// What a strong write left at an address for those that read it.
struct SyncVariable {
  ClockRef device;             // for everybody
  ClockRef block;              // for threads of the writer's block
  ClockRef loose;              // that the writer knew, whatever it had fenced
  std::uint32_t of_block = 0;  // that block
  // How often a plain write has begun it anew: while it stays, later clocks know all of earlier
  // ones.
  std::uint32_t begun = 0;
};

// The last that a lane has read at one address, again and again perhaps: what it learns by that is
// taken over when it goes on to something else.
struct Waited {
  std::uint64_t address = 0;
  std::uint32_t begun = 0;
  bool acquires = false;
  ClockRef seen;
  ClockRef loose;
};

// --- threads -------------------------------------------------------------------------------------

struct LaunchState {
  Launch* launch = nullptr;  // nullptr once it has ended
  std::string kernel;        // readable
  std::uint64_t number = 0;  // of the launch in the program, from 1; 0 for the host's work
  Dim3 grid;
  Dim3 threads;
  std::uint32_t first_block = 0;
  std::uint32_t first_warp = 0;
  std::uint32_t end_warp = 0;
  std::uint32_t warps_per_block = 1;
  // Numbers of agents, which do what bulk copies do, in warps behind those of the grid.
  std::uint32_t first_agent = 0;
  WorkOrderRef work;
  ChildOrderRef child;     // of a launch by a kernel
  bool after_all = false;  // all that was launched before it is ordered before it
  // What threads knew at their proxy fences: bulk copies see it.
  ClockRef proxied;
};

// One that reads and writes for bulk copies: see bulk_copies.hpp.
struct Agent {
  ThreadId thread;
  std::uint32_t stamp = 0;
};

// What a lane's bulk groups have under way.
struct BulkGroup {
  std::uint32_t lane = 0;
  std::uint32_t group = 0;
  Agent agent;
  bool writes = false;
};

// A copy of cp.async that is under way.
struct AsyncCopy {
  std::uint32_t lane = 0;
  std::uint32_t group = 0;
  std::uint32_t offset = 0;  // into the block's shared memory
  std::uint32_t bytes = 0;
};

// A page of the host's memory that a piece of work has accessed.
struct HostPageUse {
  std::uint64_t address = 0;
  bool writes = false;
};

using Clocks = std::array<ClockRef, lanes_per_warp>;
using Stamps = std::array<std::uint32_t, lanes_per_warp>;

// What the lanes of a warp knew at their last fence of a scope.
struct Fenced {
  bool any = false;
  Clocks clocks;           // by lane, once it was asked for
  std::uint32_t open = 0;  // lanes for which it has to be made of the following
  Clocks bases;
  Stamps stamps{};
  std::uint32_t met = 0;
};

}  // namespace softgpu::check

namespace softgpu {

struct WarpState {
  std::uint32_t block = 0;
  std::uint32_t warp = 0;
  std::uint32_t first_of_block = 0;  // the number of the block's first warp
  std::uint32_t end_of_block = 0;
  check::LaunchState* launch = nullptr;
  check::Stamps stamps{};         // of the accesses that lanes make now
  check::Clocks clocks;           // what each knows, but for itself and for `met`
  check::Stamps block_known{};    // of it: the stamp below which all of the own block is known
  std::uint32_t met = 0;          // below this, all lanes know each other's accesses
  std::uint32_t exchanged = 0;    // below this, all lanes' reads are over
  std::uint32_t grid_waited = 0;  // lanes that know the kernel before this one to have ended
  check::Fenced device_fence;
  check::Fenced block_fence;
  check::Clocks pending;  // read by relaxed accesses; known from the next fence on
  // What was read by strong accesses from threads that fenced nothing. It orders what those had
  // read before, which is over when its values were used, and nothing that they wrote.
  check::Clocks loose;
  std::array<check::Waited, check::lanes_per_warp> waited;
  std::uint32_t waits = 0;  // lanes that have read something there
  std::vector<check::AsyncCopy> copies;
  check::Stamps groups{};  // of copies that each lane has committed
  std::vector<check::BulkGroup> bulk;
  check::Stamps bulk_groups{};  // of bulk copies that each lane has committed
  // Local memory: for each lane `local_stride` bytes of undefined bits.
  std::vector<std::uint8_t> local;
  std::size_t local_stride = 0;
};

struct BlockState {
  std::uint32_t number = 0;
  check::LaunchState* launch = nullptr;
  std::vector<check::CellPage> shared;
  std::unordered_map<std::uint64_t, check::SyncVariable> variables;  // in shared memory
  std::vector<std::uint8_t> undefined;  // bits of shared memory that were never written
  // Of each barrier (the last: the cluster's), who has come to it and what they know together.
  struct Barrier {
    struct Waiting {
      Warp* warp = nullptr;
      std::uint32_t lanes = 0;
    };
    std::vector<Waiting> waiting;
    std::uint32_t threads = 0;  // that wait
    bool others = false;        // some have gone on
    bool grid_waited = false;   // some have waited for the kernel before
    check::ClockRef known;
    check::ClockRef device_fences;
    check::ClockRef block_fences;
    check::ClockRef pending;
    check::ClockRef loose;
  };
  std::array<Barrier, 17> barriers;
  // Accesses by other blocks of the cluster, the last of each warp at each place: this block must
  // not have ended by then.
  struct RemoteUse {
    std::uint32_t warp = 0;
    std::uint32_t lanes = 0;
    std::uint32_t stamp = 0;
    std::uint32_t place = 0;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    bool writes = false;
  };
  std::vector<RemoteUse> remote;
};

namespace check {

// An access of one lane to `bytes` bytes at most 16.
struct Access {
  Warp* warp = nullptr;
  const Op* op = nullptr;
  std::uint32_t lane = 0;
  std::uint32_t place = 0;
  std::uint64_t address = 0;  // of the bytes, in this process
  std::uint32_t bytes = 0;
  bool writes = false;
  bool reads = false;
  std::uint8_t bits = 0;
  BlockState* shared = nullptr;  // whose shared memory it is; nullptr for global memory
  std::uint32_t offset = 0;      // into that
  const Agent* agent = nullptr;  // who does it for the lane, where a bulk copy does

  // Who accesses how many bytes, and whether it writes them or reads them; an atomic access does
  // both. Where they are is set by the caller.
  Access(Warp& of, const Op* operation, std::uint32_t at_place, std::uint32_t of_lane,
         std::uint32_t size, bool stores, bool loads)
      : warp(&of),
        op(operation),
        lane(of_lane),
        place(at_place),
        bytes(size),
        writes(stores),
        reads(loads) {}
};

// The block of the cluster whose shared memory a generic address is in; nullptr for none.
[[nodiscard]] Block* shared_block_of(Warp& warp, std::uint64_t address);

// Weak accesses by neighbouring lanes of one warp to what follows one another.
struct Run {
  BlockState* shared = nullptr;  // nullptr: of global memory
  std::uint64_t at = 0;          // an offset into that, or an address
  std::uint32_t first_lane = 0;
  std::uint32_t count = 0;  // of lanes
  std::uint32_t bytes = 4;  // of each: 4, 8 or 16, at a multiple of that
  std::uint32_t place = 0;
  std::uint8_t bits = 0;
  bool writes = false;
};

// Weak accesses of words by lanes of one warp.
struct Row {
  BlockState* shared = nullptr;                    // nullptr: of global memory
  std::array<std::uint64_t, lanes_per_warp> at{};  // offsets into that, or addresses
  std::uint32_t lanes = 0;
  std::uint32_t bytes = 4;  // of each: 4, 8 or 16, at a multiple of that
  std::uint32_t place = 0;
  std::uint8_t bits = 0;
  bool writes = false;
};

class Races {
 public:
  static Races& instance();
  // False where SOFTGPU_CHECK_ONLY leaves races out: then accesses and what orders them are not
  // kept, and those that are asked about are all in order.
  [[nodiscard]] bool follows() const noexcept { return follows_; }

  // A launch begins; its threads get numbers. Work that is ordered before it is forgotten.
  LaunchState& begin_launch(Launch& launch);
  void end_launch(LaunchState& launch);
  void begin_block(LaunchState& launch, Block& block);
  // A lane has accessed the shared memory of another block of its cluster.
  void remote_use(const Access& access);
  // All blocks of its cluster have ended: reports accesses to this one's shared memory for which it
  // did not wait.
  void end_block(Block& block);
  // Warps with lower numbers are those of launches that are forgotten.
  [[nodiscard]] std::uint32_t first_known() const {
    return launches_.empty() ? next_warp_ : launches_.front()->first_warp;
  }

  void access(const Access& access);
  // Does what access() does for those lanes that meet nobody without order, by the simplest of
  // reasons, and returns them.
  [[nodiscard]] std::uint32_t access_row(Warp& warp, const Row& row);
  // The same, eight words at a time.
  [[nodiscard]] std::uint32_t access_run(Warp& warp, const Run& run);
  // The same of relaxed atomic accesses, which together are no race, where nothing that lanes of
  // the warp have fenced or waited for goes with them.
  [[nodiscard]] std::uint32_t access_atomics(Warp& warp, const Row& row);
  // All lanes of a full warp read the word at one address. False where it has to be done lane by
  // lane.
  [[nodiscard]] bool read_by_all(const Access& access);
  // A strong access has the effects of its order and scope; before it is executed.
  void synchronise(const Access& access, Order order, Scope scope);
  void fence(Warp& warp, std::uint32_t lanes, Scope scope);
  // Before a lane does something other than reading once more what it has read.
  void go_on(WarpState& mine, std::uint32_t lane, std::uint64_t reads_again) {
    if ((mine.waits >> lane & 1U) != 0 && mine.waited[lane].address != reads_again) {
      take_over(mine, lane);
    }
  }

  // The pages of the host's memory that were accessed since this was asked last.
  [[nodiscard]] std::vector<HostPageUse> take_host_pages();
  // The host accesses a byte by itself. Where kernels use it, for which the host has not waited,
  // sets the finding's kernel and its place `at`, and whether they write, and returns true. What
  // they do by strong accesses of system scope is no race; the host then knows their work.
  [[nodiscard]] bool races_with_host(std::uint64_t address, bool writes, Finding& finding,
                                     bool& other_writes);

  void barrier_reached(Warp& warp, std::uint32_t lanes, std::uint32_t id, bool wait);
  void barrier_opens(Block& block, std::uint32_t id);
  void cluster_barrier_opens(Cluster& cluster);
  void lanes_meet(Warp& warp, std::uint32_t lanes);
  // Lanes exchange values: what one has learned of other threads, all have; their own accesses are
  // not ordered by it.
  void lanes_exchange(Warp& warp, std::uint32_t lanes);

  // cp.async: the copies so far become a group; all but the last `left` groups have to be done.
  void commit_copies(Warp& warp, std::uint32_t lanes);
  void wait_for_copies(Warp& warp, std::uint32_t lanes, std::uint32_t left);
  void wait_for_all_copies(Warp& warp, std::uint32_t lanes);

  // Bulk copies: who does them for an mbarrier, or for the bulk group that the lane has open.
  [[nodiscard]] Agent agent_of_barrier(Warp& warp, const BlockState& block, std::uint64_t offset);
  [[nodiscard]] Agent agent_of_group(Warp& warp, std::uint32_t lane, bool writes);
  // cp.async.mbarrier.arrive: the lane's copies so far are done when the mbarrier's phase is.
  void copies_arrive_at(Warp& warp, std::uint32_t lane, BlockState& block, std::uint64_t offset);
  // Those who wait for the mbarrier know what the agent has done.
  void completes_at(BlockState& block, std::uint64_t offset, const Agent& agent);
  void commit_bulk(Warp& warp, std::uint32_t lanes);
  // All but the last `left` groups have read their sources and, unless `reads_only`, written.
  void wait_for_bulk(Warp& warp, std::uint32_t lanes, std::uint32_t left, bool reads_only);
  void proxy_fence(Warp& warp, std::uint32_t lanes);
  // What the lane has done and knows, for a kernel that it launches.
  [[nodiscard]] ClockRef release(Warp& warp, std::uint32_t lane);
  // griddepcontrol.wait.
  void wait_for_grid(Warp& warp, std::uint32_t lanes);
  // An arrival at, or a look at, an mbarrier, which lies at `offset` in a block's shared memory.
  void arrive_at(Warp& warp, std::uint32_t lane, BlockState& block, std::uint64_t offset);
  void look_at(Warp& warp, std::uint32_t lane, BlockState& block, std::uint64_t offset);

  // Bytes that are written in a way that is not followed: nothing is known of them any more.
  void forget_shared(BlockState& block, std::uint32_t offset, std::uint32_t bytes);
  void forget(std::uint64_t address, std::uint64_t bytes);
  // A copy, a set, an allocation or a freeing by a stream's work. `place`: see host_place().
  void host_access(const WorkOrderRef& work, std::uint64_t address, std::uint64_t bytes,
                   bool writes, std::uint32_t place);
  // Counts whatever brings the kernels on: stores that change something, barriers that open.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_; }
  void changed() noexcept { ++changes_; }

 private:
  Races();
  [[nodiscard]] bool ordered(const WarpState& mine, std::uint32_t lane, std::uint32_t warp,
                             std::uint32_t other_lane, std::uint32_t stamp) const;
  [[nodiscard]] bool loosely_ordered(const WarpState& mine, std::uint32_t lane, std::uint32_t warp,
                                     std::uint32_t other_lane, std::uint32_t stamp) const;
  [[nodiscard]] const LaunchState* launch_of(std::uint32_t warp) const;
  void check_cell(Cell& cell, const Access& access, std::uint32_t at);
  void check_page(CellPage& page, const Access& access, std::uint64_t from, std::uint64_t to,
                  std::uint32_t in_page);
  CellPage& page_of(std::uint64_t address);
  [[nodiscard]] ClockRef own_clock(const WarpState& mine, std::uint32_t lane) const;
  [[nodiscard]] ClockRef fence_clock(const WarpState& mine, Fenced& fenced,
                                     std::uint32_t lane) const;
  [[nodiscard]] ClockRef fences_of(const WarpState& mine, Fenced& fenced,
                                   std::uint32_t lanes) const;
  void take_over(WarpState& mine, std::uint32_t lane);
  void take_over_all(WarpState& mine, std::uint32_t lanes);
  void learn(WarpState& mine, std::uint32_t lane, const ClockRef& clock);
  void set_clock(WarpState& mine, std::uint32_t lanes, const ClockRef& clock);
  SyncVariable* find_variable(const Access& access);
  void finish_copies(Warp& warp, std::uint32_t lanes, std::uint32_t up_to,
                     const Agent* agent = nullptr);
  void conflict(const Access& access, const Writer* writer, const Reader* reader, std::uint32_t at);
  void check_proxy(const Access& access, const Writer& writer, std::uint32_t at);
  Agent agent(const WarpState& of, std::uint64_t key);
  bool host_conflict(std::uint32_t warp, std::uint32_t lane, std::uint32_t other,
                     const std::string& what, std::uint64_t address, std::uint32_t place);
  std::uint32_t tick();
  void forget_pages();

  const bool follows_;
  std::uint64_t changes_ = 0;
  std::uint32_t now_ = 1;
  std::uint32_t next_block_ = 1;
  std::uint32_t next_warp_ = 1;
  std::vector<std::unique_ptr<LaunchState>> launches_;  // by their warps
  std::unordered_map<std::uint64_t, std::unique_ptr<CellPage>> pages_;
  std::unordered_map<std::uint64_t, SyncVariable> variables_;  // in global memory
  std::vector<std::uint64_t> host_pages_;  // numbers of pages that are the host's
  std::uint64_t last_page_ = ~std::uint64_t{0};
  CellPage* last_ = nullptr;
  // Pages that were asked for lately, by the lowest bits of their numbers.
  struct Recent {
    std::uint64_t number = ~std::uint64_t{0};
    CellPage* page = nullptr;
  };
  std::array<Recent, 256> recent_{};
};

}  // namespace check

}  // namespace softgpu
