#include "softgpu/profile/profiled_launch.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "softgpu/check/places.hpp"
#include "softgpu/device/occupancy.hpp"
#include "softgpu/device/settings.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/models.hpp"
#include "softgpu/observe/observer.hpp"
#include "softgpu/profile/profiled_code.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu::profile {

namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

// Blocks that take turns. A large device holds more; these bound the memory that a profile takes.
constexpr std::size_t most_blocks = 512;

std::mutex& profiler_mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

// By device; the L2 cache lives from one launch to the next.
std::map<int, DeviceMemory>& memories() {
  static auto* all = new std::map<int, DeviceMemory>;
  return *all;
}
DeviceMemory& memory_of(int device) {
  return memories().try_emplace(device, device_model(device)).first->second;
}

Kernel& last_of_test() {
  static auto* last = new Kernel;
  return *last;
}

// --- adding up -----------------------------------------------------------------------------------

void add_touched(Counters& to, const Touch& touch, const OperationCount& at) {
  to.global_load += at.global_read;
  (touch.way == Way::atomic ? to.global_atomic : to.global_store) += at.global_written;
  to.shared_load += at.shared_read;
  (touch.shared_way == Way::atomic ? to.shared_atomic : to.shared_store) += at.shared_written;
  (touch.way == Way::store ? to.local_store : to.local_load) += at.local;
  to.constant_requests += at.constant_requests;
  to.adjacent_loads += at.adjacent_loads;
  to.atomic_conflicts += at.atomic_conflicts;
}

// The counters of one operation. Those of a straight piece are counted at its first one.
Counters counters_of(const ProfiledCode& code, const std::vector<InstructionClass>& classes,
                     std::size_t index, const std::vector<OperationCount>& counts) {
  const ObservedOperation& o = code.observed[index];
  const bool own = o.counted_at == index;
  const OperationCount& at = counts[o.counted_at];
  const OperationCount& here = counts[index];
  Counters c;
  c.waits = here.waits;
  if (at.executed == 0) return c;
  const Role role = code.steps[index].role;
  // The guard of a branch says where lanes go, and not which of them work.
  const u64 active = own && role != Role::branch ? at.active : at.lanes;
  const u64 worked = own ? at.worked : at.executed;
  for (u32 k = 0; k < o.instructions; ++k) {
    const auto kind = static_cast<std::size_t>(classes[o.first_instruction + k]);
    // Where several instructions are counted here, only the last may have a guard.
    const bool last = k + 1 == o.instructions;
    c.instructions[kind] += at.executed;
    c.thread_instructions[kind] += last ? active : at.lanes;
    c.lanes += at.lanes;
  }
  (o.special ? c.special : c.flops)[o.format] += o.flops * active + o.warp_flops * worked;
  if (o.kind == InstructionClass::conversion && o.instructions != 0) {
    const auto& in = static_cast<const ptx::Function*>(code.origin_function)
                         ->instructions[o.first_instruction + o.instructions - 1];
    const auto& types = in.modifiers;
    if (types.size() >= 2 && types[types.size() - 2] == "f64" && types.back() == "f32") {
      c.conversions_to_double += active;
    }
  }
  if (!own) return c;
  if (role == Role::branch || role == Role::branch_table) {
    c.branches += at.executed;
    c.divergent += at.divergent;
  }
  c.barriers += at.barriers;
  c.redundant_barriers += at.redundant_barriers;
  if (o.touch.uncounted) c.uncounted += worked;
  add_touched(c, o.touch, at);
  return c;
}

std::vector<Line> lines_of(const std::vector<const ProfiledCode*>& codes,
                           const LaunchClock& clock) {
  std::map<std::pair<std::string, int>, Counters> lines;
  for (std::size_t i = 0; i < clock.by_code.size(); ++i) {
    const auto& counts = clock.by_code[i];
    if (counts.empty()) continue;
    const ProfiledCode& code = *codes[i];
    const std::vector<InstructionClass> classes = classes_of(code);
    for (std::size_t k = 0; k < counts.size(); ++k) {
      const Counters c = counters_of(code, classes, k, counts);
      if (c.warp_instructions() == 0 && c.wait_cycles() == 0) continue;
      const check::Site site = check::site_of(code, code.ops.data() + k, "");
      lines[{site.line > 0 ? site.file : std::string(), site.line}] += c;
    }
  }
  std::vector<Line> result;
  for (auto& [place, counters] : lines) result.push_back({place.first, place.second, "", counters});
  return result;
}

int registers_of(const Code& code, const DeviceModel& device, u32 threads) {
  const int most = device.registers_per_block / static_cast<int>(std::max(threads, 1U)) / 8 * 8;
  return std::clamp(code.registers, 16, std::clamp(most, 16, 255));
}

}  // namespace

// --- the launch ----------------------------------------------------------------------------------

class ProfiledLaunch::Watcher final : public Observer {
 public:
  explicit Watcher(Launch& of) : launch_(of), code_(of.code), work_(current_work()) {
    const DeviceModel& model = device_model(of.device);
    kernel_.kernel = of.code->name;
    kernel_.name = readable_name(of.code->name);
    kernel_.grid = {of.grid.x, of.grid.y, of.grid.z};
    kernel_.block = {of.threads.x, of.threads.y, of.threads.z};
    kernel_.static_shared = static_shared_of(*of.code);
    kernel_.dynamic_shared = of.dynamic_shared;
    kernel_.registers = registers_of(*of.code, model, kernel_.threads());
    kernel_.launches = 1;
    const Occupancy occupancy =
        occupancy_of(model, static_cast<int>(kernel_.threads()), kernel_.registers,
                     kernel_.static_shared + kernel_.dynamic_shared);
    const auto resident = static_cast<std::size_t>(std::max(occupancy.blocks, 1));
    blocks_in_turn_ =
        std::min(most_blocks, resident * static_cast<std::size_t>(model.multiprocessors));
    clock_.costs = &costs_of(model.key);
    const std::lock_guard lock(profiler_mutex());
    clock_.memory = &memory_of(of.device);
    const std::size_t l1 = l1_bytes(
        model, resident * (kernel_.static_shared + kernel_.dynamic_shared + model.shared_reserved));
    multiprocessors_ = static_cast<u32>(model.multiprocessors);
    clock_.memory->begin_launch(l1);
    (void)clock_.memory->take_traffic();
    LaunchClock* const before = std::exchange(current_launch(), &clock_);
    of.code = &codes_.of(*of.code);
    current_launch() = before;
    of.observer = this;
  }
  ~Watcher() override {
    launch_.code = code_;
    launch_.observer = nullptr;
    const std::lock_guard lock(profiler_mutex());
    for (auto& [block, clock] : blocks_) clock_.finish(*clock);
    kernel_.lines = lines_of(codes_.all(), clock_);
    for (const Line& line : kernel_.lines) kernel_.counters += line.counters;
    kernel_.chain = clock_.chain;
    kernel_.longest_chain = clock_.longest_chain;
    kernel_.alone = clock_.alone;
    kernel_.chain_waits = clock_.chain_waits;
    const DeviceMemory::Traffic traffic = clock_.memory->take_traffic();
    kernel_.dram_read = traffic.read;
    kernel_.dram_write = traffic.written;
    for (const auto& [word, times] : clock_.atomic_words) {
      kernel_.hottest_word = std::max(kernel_.hottest_word, times);
    }
    kernel_.merged_wavefronts =
        clock_.merged_wavefronts > 0 ? static_cast<u64>(clock_.merged_wavefronts) : 0;
    kernel_.first_launch = launch_.id;
    if (recording()) add_launch(kernel_, work_);
    if (tests_profile) last_of_test() = std::move(kernel_);
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  void run(const std::function<void()>& core) {
    const std::lock_guard lock(profiler_mutex());
    LaunchClock* const before = std::exchange(current_launch(), &clock_);
    core();
    current_launch() = before;
  }

  [[nodiscard]] std::size_t blocks_in_turn() const { return blocks_in_turn_; }

  const Code& version_of(const Code& code) override { return codes_.of(code); }

  void block_begins(Block& block) override {
    auto& clock = blocks_[&block];
    if (clock == nullptr) {
      clock = std::make_unique<BlockClock>();
      clock->warps.resize(block.warps.size());
      for (std::size_t i = 0; i < block.warps.size(); ++i) {
        clock_.warps[block.warps[i].get()] = &clock->warps[i];
      }
    }
    clock_.finish(*clock);
    clock->begun = true;
    clock->touched = false;
    clock->multiprocessor = static_cast<u32>(block.linear % multiprocessors_);
    for (auto& arrivals : clock->arrivals) arrivals.clear();
    for (ProfiledWarp& warp : clock->warps) warp.start(*clock);
  }

  void barrier_reached(Warp& warp, u32, u32 id, bool wait) override {
    // The barrier is the operation of the warp that was observed last.
    ProfiledWarp& clock = clock_.clock_of(warp);
    const auto& code = static_cast<const ProfiledCode&>(*warp.call->code);
    clock.block->arrivals.at(id).push_back(
        {&clock, {code.number, clock.last_op}, clock.now(), wait});
  }
  void barrier_opens(Block& block, u32 id) override {
    BlockClock& clock = *blocks_.at(&block);
    open(clock.arrivals.at(id), last_arrival(clock.arrivals.at(id)), !clock.touched);
    clock.touched = false;
  }
  void cluster_barrier_opens(Cluster& cluster) override {
    u64 last = 0;
    bool touched = false;
    for (Block* block : cluster.blocks) {
      const BlockClock& clock = *blocks_.at(block);
      last = std::max(last, last_arrival(clock.arrivals[cluster_barrier]));
      touched = touched || clock.touched;
    }
    for (Block* block : cluster.blocks) {
      BlockClock& clock = *blocks_.at(block);
      open(clock.arrivals[cluster_barrier], last, !touched);
      clock.touched = false;
    }
  }
  void lanes_exchanged(const Code& code, const Op& op, u32 lanes) override {
    if (op.run != profiling_handler()) return;
    const auto& observed = static_cast<const ProfiledCode&>(code);
    OperationCount& count =
        clock_.count_of(observed, static_cast<std::size_t>(&op - code.ops.data()));
    ++count.executed;
    ++count.worked;
    count.lanes += static_cast<u64>(std::popcount(lanes));
    count.active += static_cast<u64>(std::popcount(lanes));
  }

 private:
  static u64 last_arrival(const std::vector<BlockClock::Arrival>& arrivals) {
    u64 last = 0;
    for (const auto& one : arrivals) last = std::max(last, one.at);
    return last;
  }
  void open(std::vector<BlockClock::Arrival>& arrivals, u64 last, bool redundant) {
    for (const auto& one : arrivals) {
      OperationCount& count = clock_.by_code[one.spot.code][one.spot.op];
      ++count.barriers;
      count.redundant_barriers += redundant ? 1U : 0U;
      if (one.waits) {
        hold(*one.warp, last + static_cast<u64>(clock_.costs->barrier), Wait::barrier, count);
      }
    }
    arrivals.clear();
  }

  Launch& launch_;
  const Code* code_;
  ObservedVersions<ProfiledCode> codes_;
  std::int64_t work_;
  std::size_t blocks_in_turn_ = 1;
  LaunchClock clock_;
  std::map<Block*, std::unique_ptr<BlockClock>> blocks_;
  Kernel kernel_;
  u32 multiprocessors_ = 1;
};

bool is_selected(const Launch& launch) {
  const Settings& asked = settings();
  if (asked.launch != 0 && launch.id != asked.launch) return false;
  if (asked.kernel.empty()) return true;
  const std::string name = readable_name(launch.code->name);
  return ::fnmatch(asked.kernel.c_str(), name.substr(0, name.find('(')).c_str(), 0) == 0;
}

void profile_launches(bool on) {
  const std::lock_guard lock(profiler_mutex());
  tests_profile = on;
  memories().clear();
  set_keeps_operands(on);
}

const Kernel& last_profiled() { return last_of_test(); }

ProfiledLaunch::ProfiledLaunch(Launch& launch) : watcher_(new Watcher(launch)) {}
ProfiledLaunch::~ProfiledLaunch() = default;

std::size_t ProfiledLaunch::blocks_in_turn() const { return watcher_->blocks_in_turn(); }

void ProfiledLaunch::run(const std::function<void()>& core) { watcher_->run(core); }

}  // namespace softgpu::profile
