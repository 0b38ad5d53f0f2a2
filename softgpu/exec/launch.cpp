// Blocks of a grid over the processor's cores.
//
// Blocks start in order and a core keeps a block until it ends, waits for ever, or has used up its
// turn: a block may spin for another one (a decoupled look-back, a grid barrier), which then gets
// its turn, or a core, too. A turn grows every time that a block uses it up, so that long blocks
// are not all begun before one of them ends; under a cooperative launch, which promises that all
// blocks run at the same time, turns stay short.

#include "softgpu/exec/launch.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "softgpu/check/checked_launch.hpp"
#include "softgpu/check/chosen.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/device/settings.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/device_runtime.hpp"
#include "softgpu/exec/profile.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/observe/counters.hpp"
#include "softgpu/observe/observer.hpp"
#include "softgpu/profile/profiled_launch.hpp"
#include "softgpu/texture/plane.hpp"

namespace softgpu {
namespace {

constexpr int error_unloading = 4;
constexpr int error_launch_timeout = 702;
constexpr int error_out_of_memory = 2;

constexpr std::int64_t warp_turn = 8192;
constexpr std::int64_t second_step = 32;
constexpr std::int64_t first_turn = 200'000;
constexpr std::int64_t cooperative_turn = 20'000;
constexpr std::int64_t longest_turn = 200'000'000;
// Blocks that one core keeps begun while none of them waits for a later one.
constexpr std::size_t most_begun = 256;
// Rounds over a block's warps between two looks at the clock.
constexpr std::uint32_t rounds_per_look = 16;

std::uint64_t mix(std::uint64_t x) {
  // SplitMix64 (Steele, Lea and Flood, 2014).
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// --- threads ------------------------------------------------------------------------------------

// Threads that outlive kernels, so that a launch costs a wake-up and no creation.
class Team {
 public:
  static Team& instance() {
    static auto* team = new Team;  // outlives every static of the program
    return *team;
  }

  // Runs work(i) for i below `count`, i = 0 on the calling thread.
  void run(int count, const std::function<void(int)>& work) {
    const std::lock_guard one_at_a_time(busy_);
    {
      std::unique_lock lock(mutex_);
      while (static_cast<int>(threads_) < count - 1) {
        const int index = static_cast<int>(++threads_);
        std::thread([this, index] { serve(index); }).detach();
      }
      work_ = &work;
      wanted_ = count;
      running_ = count - 1;
      ++generation_;
    }
    wake_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return running_ == 0; });
    work_ = nullptr;
  }

 private:
  void serve(int index) {
    std::uint64_t seen = 0;
    for (;;) {
      const std::function<void(int)>* work = nullptr;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_ != seen; });
        seen = generation_;
        if (index >= wanted_ || work_ == nullptr) continue;
        work = work_;
      }
      (*work)(index);
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) done_.notify_all();
    }
  }

  std::mutex busy_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(int)>* work_ = nullptr;
  int wanted_ = 0;
  int running_ = 0;
  std::size_t threads_ = 0;
  std::uint64_t generation_ = 0;
};

// --- blocks -------------------------------------------------------------------------------------

// The blocks that start and end together: a cluster, which mostly is one block.
struct Unit {
  Cluster cluster;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::uint8_t> steps;  // of each warp: short turns that a barrier left it
  bool cycles = false;  // where kernels are checked: its threads go round and nothing changes
  std::int64_t turn = first_turn;
};

struct Grid {
  explicit Grid(Launch& of) : launch(of) {}
  Launch& launch;
  std::uint64_t units = 0;
  std::atomic<std::uint64_t> next{0};
  std::uint64_t seed = 0;
  std::chrono::steady_clock::time_point deadline;
  bool limited = false;
  // For KernelRun::run: how long to go on while no block begins or ends, and that it was too long.
  std::chrono::steady_clock::duration patience{};
  bool impatient = false;
  std::atomic<std::uint64_t> ended{0};
  std::atomic<bool> paused{false};
  // Where a launch is profiled: instructions after which a warp, and with all of them its block,
  // lets others go on, and blocks that take turns so. 0: as is fastest here.
  std::int64_t turn = 0;
  std::size_t blocks_in_turn = 0;
};

class Core {
 public:
  explicit Core(Grid& grid) : grid_(grid), launch_(grid.launch) {}

  // Until there is nothing left to do, or the grid is paused: then this goes on where it was.
  void run() {
    seen_ = progress();
    since_ = std::chrono::steady_clock::now();
    try {
      work();
    } catch (const KernelFault&) {
      // The launch has it.
    } catch (const std::bad_alloc&) {
      if (!launch_.failed.exchange(true)) {
        launch_.fault = {error_out_of_memory,
                         "kernel " + launch_.code->name + ": not enough memory for its blocks"};
      }
    }
    forget_planes();
  }
  [[nodiscard]] std::uint64_t executed() const { return executed_; }

 private:
  void work() {
    for (;;) {
      if (stopping()) return;
      if (begun_.empty()) {
        Unit* unit = begin_next();
        if (unit == nullptr) return;
        begun_.push_back(unit);
      }
      Unit* unit = begun_.front();
      begun_.pop_front();
      if (run_unit(*unit)) {
        free_.push_back(unit);
        grid_.ended.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      const auto now = std::chrono::steady_clock::now();
      if (grid_.limited && now > grid_.deadline) time_out(*unit);
      const std::int64_t assertions_until = launch_.assertion_deadline.load();
      if (assertions_until != 0 && now.time_since_epoch().count() > assertions_until) {
        launch_.failed = true;
        return;
      }
      if (launch_.cooperative) check_grid_barrier(*unit);
      const bool checked = options().check && launch_.observer != nullptr;
      if (checked && check::looks_for_deadlocks()) check_cycles(*unit, now);
      begun_.push_back(unit);
      unit->turn =
          checked ? first_turn
          : grid_.turn != 0
              ? first_turn_of(*unit)
              : std::min(unit->turn * (launch_.cooperative || assertions_until != 0 ? 1 : 2),
                         longest_turn);
      const std::size_t most = grid_.turn != 0 ? grid_.blocks_in_turn : most_begun;
      if (begun_.size() < most || launch_.cooperative) {
        if (Unit* next = begin_next()) begun_.push_front(next);
      }
      if (begun_.size() == 1) std::this_thread::yield();
    }
  }

  [[nodiscard]] bool stopping() const {
    return launch_.failed.load(std::memory_order_relaxed) ||
           grid_.paused.load(std::memory_order_relaxed);
  }

  // Changes when a block begins or ends.
  [[nodiscard]] std::uint64_t progress() const {
    return std::min(grid_.next.load(std::memory_order_relaxed), grid_.units) +
           grid_.ended.load(std::memory_order_relaxed);
  }
  void look_at_clock() {
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t made = progress();
    if (made != seen_) {
      seen_ = made;
      since_ = now;
    } else if (now - since_ > grid_.patience) {
      grid_.paused = true;
    }
  }

  // nullptr where all blocks have been begun.
  Unit* begin_next() {
    const std::uint64_t index = grid_.next.fetch_add(1, std::memory_order_relaxed);
    if (index >= grid_.units) return nullptr;
    if (free_.empty()) {
      units_.push_back(std::make_unique<Unit>());
      build(*units_.back());
      free_.push_back(units_.back().get());
    }
    Unit* unit = free_.back();
    free_.pop_back();
    start(*unit, permuted(index));
    return unit;
  }

  // With a seed, an order drawn by it inside windows of neighbours: blocks may rely on earlier ones
  // being begun, and those a window away are.
  [[nodiscard]] std::uint64_t permuted(std::uint64_t index) const {
    constexpr std::uint64_t window = 8;
    if (grid_.seed == 0) return index;
    const std::uint64_t base = index / window * window;
    if (base + window > grid_.units) return index;
    std::uint64_t order[window];
    for (std::uint64_t i = 0; i < window; ++i) order[i] = i;
    for (std::uint64_t i = window - 1; i > 0; --i) {
      std::swap(order[i], order[mix(grid_.seed ^ mix(base + i)) % (i + 1)]);
    }
    return base + order[index - base];
  }

  void build(Unit& unit) {
    const auto blocks = static_cast<std::uint32_t>(launch_.cluster.count());
    const auto threads = static_cast<std::uint32_t>(launch_.threads.count());
    const std::uint32_t warps = (threads + warp_size - 1) / warp_size;
    for (std::uint32_t r = 0; r < blocks; ++r) {
      auto block = std::make_unique<Block>();
      block->launch = &launch_;
      block->cluster = &unit.cluster;
      block->rank = r;
      block->shared_bytes =
          launch_.dynamic_shared == 0
              ? launch_.code->shared_bytes
              : dynamic_shared_offset(launch_.code->shared_bytes) + launch_.dynamic_shared;
      if (launch_.program != nullptr && launch_.program->uses_reserved_shared()) {
        block->shared_bytes = dynamic_shared_offset(block->shared_bytes) + reserved_shared_bytes;
      }
      // Aligned like device memory, whatever the kernel asks for.
      block->shared_storage.resize(block->shared_bytes + 1024U);
      const auto at = reinterpret_cast<std::uintptr_t>(block->shared_storage.data());
      block->shared = reinterpret_cast<std::byte*>((at + 1023) / 1024 * 1024);
      for (std::uint32_t i = 0; i < warps; ++i) {
        auto warp = std::make_unique<Warp>();
        warp->block = block.get();
        warp->index = static_cast<int>(i);
        const std::uint32_t here = std::min<std::uint32_t>(warp_size, threads - i * warp_size);
        warp->initial = here == warp_size ? full_mask : (1U << here) - 1U;
        block->warps.push_back(std::move(warp));
        block->order.push_back(i);
      }
      unit.cluster.blocks.push_back(block.get());
      unit.blocks.push_back(std::move(block));
    }
    unit.steps.assign(static_cast<std::size_t>(blocks) * warps, 0);
  }

  void start(Unit& unit, std::uint64_t index) {
    const Dim3& grid = launch_.grid;
    const Dim3& cluster = launch_.cluster;
    const std::uint64_t across = grid.x / cluster.x;
    const std::uint64_t down = grid.y / cluster.y;
    const std::uint64_t cx = index % across;
    const std::uint64_t cy = index / across % down;
    const std::uint64_t cz = index / across / down;
    unit.turn = first_turn_of(unit);
    unit.cluster.arrived = 0;
    unit.cluster.place = {};
    for (auto& block : unit.blocks) {
      const std::uint32_t r = block->rank;
      block->at.x = static_cast<std::uint32_t>(cx * cluster.x + r % cluster.x);
      block->at.y = static_cast<std::uint32_t>(cy * cluster.y + r / cluster.x % cluster.y);
      block->at.z = static_cast<std::uint32_t>(cz * cluster.z + r / cluster.x / cluster.y);
      block->linear =
          (static_cast<std::uint64_t>(block->at.z) * grid.y + block->at.y) * grid.x + block->at.x;
      for (; block->used_barriers != 0; block->used_barriers &= block->used_barriers - 1) {
        block->barriers[static_cast<std::size_t>(std::countr_zero(block->used_barriers))] = {};
      }
      if (options().poison) {
        const bool reserved = launch_.program != nullptr && launch_.program->uses_reserved_shared();
        fill_words(block->shared, block->shared_bytes - (reserved ? reserved_shared_bytes : 0),
                   undefined_word);
      }
      block->alive_threads = static_cast<std::uint32_t>(launch_.threads.count());
      block->alive_warps = static_cast<std::uint32_t>(block->warps.size());
      block->turn = 0;
      if (grid_.seed != 0) {
        for (std::size_t i = block->order.size() - 1; i > 0; --i) {
          std::swap(block->order[i],
                    block->order[mix(grid_.seed + block->linear * 131 + i) % (i + 1)]);
        }
      }
      for (auto& warp : block->warps) start_warp(*warp);
      if (launch_.observer != nullptr) launch_.observer->block_begins(*block);
    }
  }

  [[nodiscard]] std::int64_t first_turn_of(const Unit& unit) const {
    if (grid_.turn != 0) return grid_.turn * static_cast<std::int64_t>(unit.steps.size());
    return launch_.cooperative ? cooperative_turn : first_turn;
  }

  // True where all of its blocks ended.
  bool run_unit(Unit& unit) {
    std::int64_t left = unit.turn;
    for (;;) {
      bool ran = false;
      bool alive = false;
      std::size_t first = 0;
      for (auto& block : unit.blocks) {
        const std::size_t next = first + block->warps.size();
        if (block->alive_warps == 0) {
          first = next;
          continue;
        }
        for (const std::uint32_t i : block->order) {
          Warp& warp = *block->warps[i];
          if (warp.stop == Stop::exited || warp.stop == Stop::blocked) continue;
          // After a barrier: to the next branch, then a little further, then as long as others.
          if (warp.released) unit.steps[first + i] = 2;
          warp.released = false;
          std::int64_t turn = grid_.turn != 0 ? grid_.turn : warp_turn;
          if (unit.steps[first + i] != 0) turn = --unit.steps[first + i] == 1 ? 1 : second_step;
          warp.budget = turn;
          run_warp(warp);
          ran = true;
          left -= turn - warp.budget + 1;
          if (warp.stop == Stop::exited) executed_ += warp.executed;
        }
        alive = alive || block->alive_warps != 0;
        first = next;
      }
      if (!alive) return true;
      if (!ran) dead_end(unit);
      if (grid_.impatient && ++rounds_ % rounds_per_look == 0) look_at_clock();
      if (left <= 0 || stopping()) return false;
    }
  }

  [[noreturn]] void dead_end(Unit& unit) {
    for (auto& block : unit.blocks) {
      for (auto& warp : block->warps) {
        if (warp->stop != Stop::blocked || warp->others.empty()) continue;
        raise_fault(*warp, nullptr, std::countr_zero(warp->others.front().mask),
                    error_launch_timeout,
                    "deadlock: all threads of the block wait, and nobody can wake them: " +
                        describe_waiting(*block));
      }
    }
    throw KernelFault{};
  }

  // grid.sync() counts blocks in a word of the launch's workspace (cooperative_groups/details/
  // sync.h): one for each, and what flips the highest bit at the last for the first of all. Where
  // all blocks that are left wait there and others have ended, it never will.
  void check_grid_barrier(Unit& unit) {
    const std::uint64_t ended = grid_.ended.load() * launch_.cluster.count();
    const std::uint64_t blocks = launch_.grid.count();
    if (ended == 0 || ended >= blocks || launch_.workspace == 0) return;
    const std::uint32_t word =
        __atomic_load_n(reinterpret_cast<const std::uint32_t*>(launch_.workspace) + 1,
                        __ATOMIC_ACQUIRE) &
        0x7fffffffU;
    const std::uint64_t first = 0x80000000U - (blocks - 1);
    const std::uint64_t arrived = word < blocks ? word : word - first + 1;
    if (arrived == 0 || arrived + ended != blocks) {
      stuck_ = 0;
      return;
    }
    constexpr int certain = 64;
    if (++stuck_ < certain) return;
    for (auto& block : unit.blocks) {
      for (auto& warp : block->warps) {
        if (warp->alive == 0 || warp->pc == nullptr) continue;
        raise_fault(*warp, warp->pc, std::countr_zero(warp->mask), error_launch_timeout,
                    "deadlock: " + std::to_string(arrived) +
                        " blocks wait for the whole grid (grid.sync()), and the other " +
                        std::to_string(ended) + " have ended without coming to it");
      }
    }
  }

  // Where kernels are checked, the executor is a machine that does the same from the same state: a
  // warp whose registers and place were seen before, while no memory has changed since, goes round
  // for ever. If all that is left does, nobody will change anything. The host might: it gets a
  // while.
  void check_cycles(Unit& unit, std::chrono::steady_clock::time_point now) {
    constexpr std::chrono::seconds for_the_host{2};
    constexpr std::chrono::milliseconds quiet{500};
    const std::uint64_t changes = check::changes();
    if (changes != changes_) {
      changes_ = changes;
      changed_at_ = now;
      if (states_.empty()) return;
      states_.clear();
      for (const auto& one : units_) one->cycles = false;
      return;
    }
    if (now - changed_at_ < quiet) return;
    unit.cycles = true;
    for (auto& block : unit.blocks) {
      for (auto& warp : block->warps) {
        if (warp->stop == Stop::exited || warp->stop == Stop::blocked) continue;
        if (!states_[warp.get()].insert(check::state_of(*warp)).second) continue;
        unit.cycles = false;
      }
    }
    const bool all_begun = grid_.next.load() >= grid_.units || begun_.size() + 1 >= most_begun;
    if (!unit.cycles || !all_begun || now - changed_at_ < for_the_host) return;
    for (const Unit* one : begun_) {
      if (!one->cycles) return;
    }
    for (auto& block : unit.blocks) {
      for (auto& warp : block->warps) {
        if (warp->alive == 0 || warp->pc == nullptr) continue;
        raise_fault(*warp, warp->pc, std::countr_zero(warp->mask), error_launch_timeout,
                    "deadlock: all threads that are left go round in loops, and nobody is left to "
                    "change what they wait for");
      }
    }
  }

  [[noreturn]] void time_out(Unit& unit) {
    for (auto& block : unit.blocks) {
      for (auto& warp : block->warps) {
        if (warp->alive == 0) continue;
        const std::uint32_t mask = warp->pc != nullptr ? warp->mask : warp->alive;
        raise_fault(*warp, warp->pc, std::countr_zero(mask), error_launch_timeout,
                    "the kernel runs longer than SOFTGPU_TIME_LIMIT allows");
      }
    }
    throw KernelFault{};
  }

  Grid& grid_;
  Launch& launch_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::vector<Unit*> free_;
  std::deque<Unit*> begun_;
  std::uint64_t executed_ = 0;
  std::uint64_t seen_ = 0;  // progress() since since_
  std::chrono::steady_clock::time_point since_;
  std::uint32_t rounds_ = 0;
  // For check_cycles: changes of memory so far, since when there has been none, and the states in
  // which each warp was found since.
  std::uint64_t changes_ = ~std::uint64_t{0};
  std::chrono::steady_clock::time_point changed_at_;
  std::unordered_map<const Warp*, std::unordered_set<std::uint64_t>> states_;
  int stuck_ = 0;  // turns for which the grid's barrier has been one that never opens
};

}  // namespace

struct KernelRun::State {
  explicit State(Launch& launch) : grid(launch) {}

  [[nodiscard]] Launch& launch() { return grid.launch; }

  void begin();
  void run_core(std::size_t index);
  void end();

  Grid grid;
  std::optional<CountedLaunch> counted;
  std::chrono::steady_clock::time_point begun;
  void* workspace = nullptr;
  std::atomic<bool> stopped{false};
  std::vector<std::unique_ptr<Core>> cores;
  // Destroyed before the cores, whose blocks they know.
  std::optional<check::CheckedLaunch> checked;
  std::optional<profile::ProfiledLaunch> profiled;
};

void KernelRun::State::begin() {
  begun = std::chrono::steady_clock::now();
  Launch& of = launch();
  grid.units = of.grid.count() / std::max<std::uint64_t>(of.cluster.count(), 1);
  grid.seed = schedule_seed();
  of.in_step = grid.seed == 0;
  if (options().time_limit_seconds > 0) {
    grid.limited = true;
    grid.deadline = begun + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                std::chrono::duration<double>(options().time_limit_seconds));
  }
  of.failed = false;
  of.fault = {};
  of.assertion_deadline = 0;
  of.assertions = 0;
  if (of.parameters.size() < of.code->parameter_bytes) {
    of.parameters.resize(of.code->parameter_bytes);
  }
  // A cooperative launch gets this from the driver: its size, and the word that grid.sync() counts
  // in.
  constexpr std::size_t workspace_bytes = 16;
  if (of.cooperative) {
    workspace = Memory::instance().allocate(workspace_bytes, MemoryKind::symbol, of.device);
    if (workspace == nullptr) throw std::bad_alloc();
    std::memset(workspace, 0, workspace_bytes);
    std::memcpy(workspace, &workspace_bytes, sizeof(std::uint32_t));
  }
  of.workspace = reinterpret_cast<std::uint64_t>(workspace);
  const bool is_profiled = of.program != nullptr && !options().check && profile::profiles(of);
  const auto count = std::min<std::uint64_t>(
      is_profiled ? 1 : static_cast<std::uint64_t>(core_count()), grid.units);
  for (std::uint64_t i = 0; i < std::max<std::uint64_t>(count, 1); ++i) {
    cores.push_back(std::make_unique<Core>(grid));
  }
  if (of.program == nullptr) return;
  if (options().check) {
    if (check::is_chosen(of)) checked.emplace(of);
  } else if (is_profiled) {
    profiled.emplace(of);
    grid.turn = profile::instructions_per_turn;
    grid.blocks_in_turn = profiled->blocks_in_turn();
  } else if (counting()) {
    counted.emplace(of);
  }
}

void KernelRun::State::run_core(std::size_t index) {
  Core& core = *cores[index];
  if (checked) {
    checked->run([&core] { core.run(); });
  } else if (profiled) {
    profiled->run([&core] { core.run(); });
  } else if (counted) {
    counted->run([&core] { core.run(); });
  } else {
    core.run();
  }
}

void KernelRun::State::end() {
  Launch& of = launch();
  counted.reset();
  profiled.reset();
  if (options().check && !checked) check::ended_unchecked();
  checked.reset();
  if (workspace != nullptr) Memory::instance().release(workspace);
  workspace = nullptr;
  of.thread_instructions = 0;
  for (const auto& core : cores) of.thread_instructions += core->executed();
  of.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  record_launch(of);
  run_children(of);
}

KernelRun::KernelRun(Launch& launch) : state_(std::make_unique<State>(launch)) { state_->begin(); }
KernelRun::~KernelRun() = default;

bool KernelRun::run(std::chrono::duration<double> patience) {
  State& s = *state_;
  s.grid.patience = std::chrono::duration_cast<std::chrono::steady_clock::duration>(patience);
  s.grid.impatient = true;
  if (s.cores.size() == 1) {
    s.run_core(0);
  } else {
    Team::instance().run(static_cast<int>(s.cores.size()),
                         [&s](int i) { s.run_core(static_cast<std::size_t>(i)); });
  }
  if (s.grid.paused.load() && !s.launch().failed.load() && s.grid.ended.load() < s.grid.units) {
    return false;
  }
  s.end();
  return true;
}

void KernelRun::finish() {
  State& s = *state_;
  if (s.checked || s.profiled) {
    // In slices: while one runs, no other kernel that it may wait for does.
    s.grid.patience = std::chrono::milliseconds(20);
    do {
      s.grid.paused = false;
      s.run_core(0);
      if (s.grid.paused.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (s.grid.paused.load() && !s.launch().failed.load() &&
             s.grid.ended.load() < s.grid.units);
    if (s.stopped && s.launch().fault.code == 0) s.launch().fault.code = error_unloading;
    s.end();
    return;
  }
  s.grid.impatient = false;
  s.grid.paused = false;
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < s.cores.size(); ++i) {
    others.emplace_back([&s, i] { s.run_core(i); });
  }
  s.run_core(0);
  for (std::thread& other : others) other.join();
  if (s.stopped && s.launch().fault.code == 0) s.launch().fault.code = error_unloading;
  s.end();
}

void KernelRun::stop() {
  state_->stopped = true;
  state_->launch().failed = true;
}

const Fault& KernelRun::fault() const { return state_->launch().fault; }

Fault run_kernel(Launch& launch) {
  KernelRun run(launch);
  if (!run.run(std::chrono::duration<double>(options().launch_wait_seconds))) run.finish();
  return run.fault();
}

}  // namespace softgpu
