#include "softgpu/profile/recorder.hpp"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/replace_file.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::profile {
namespace {

// Of the work of a program that never ends, the first pieces tell enough.
constexpr std::size_t most_work = 100'000;

using KernelKey = std::tuple<std::string, std::array<std::uint32_t, 3>,
                             std::array<std::uint32_t, 3>, std::uint32_t>;

struct Record {
  std::mutex mutex;
  Profile profile;
  std::map<KernelKey, std::size_t> kernels;
  std::unordered_map<TaskAddress, std::int64_t> tasks;  // their numbers
  pid_t process = ::getpid();                           // a copy of it, by fork, writes nothing
};
Record& record() {
  static auto* all = new Record;  // outlives every static of the program
  return *all;
}

thread_local std::int64_t current = -1;

std::int64_t add(Record& all, Work work) {
  if (all.profile.work.size() >= most_work) {
    ++all.profile.work_dropped;
    return -1;
  }
  all.profile.work.push_back(std::move(work));
  return static_cast<std::int64_t>(all.profile.work.size()) - 1;
}

Work work_of(const StreamOfWork& stream, Work::Kind kind) {
  Work work;
  work.kind = kind;
  work.stream = stream.id;
  work.device = stream.device;
  work.legacy = stream.legacy;
  work.blocking = stream.blocking;
  return work;
}

bool on_host(const void* address) {
  MemoryRange range;
  return !Memory::instance().find(reinterpret_cast<std::uint64_t>(address), range) ||
         range.kind == MemoryKind::pinned || range.kind == MemoryKind::registered;
}

[[noreturn]] void refuse(const std::string& what) {
  std::fprintf(stderr, "softgpu: %s\n", what.c_str());
  std::fflush(nullptr);
  // Not exit(): destructors of a program that is just being loaded may not be ready.
  std::_Exit(2);
}

std::int64_t number_of(const Record& all, TaskAddress task) {
  const auto found = all.tasks.find(task);
  return task == nullptr || found == all.tasks.end() ? -1 : found->second;
}

// Lines of the same place become one.
void merge_lines(std::vector<Line>& to, const std::vector<Line>& from) {
  for (const Line& line : from) {
    const auto same = std::ranges::find_if(
        to, [&](const Line& one) { return one.line == line.line && one.file == line.file; });
    if (same == to.end()) {
      to.push_back(line);
    } else {
      same->counters += line.counters;
    }
  }
}

}  // namespace

const Settings& settings() {
  static const Settings* const read = [] {
    auto* made = new Settings;
    const auto value = [](const char* name) {
      const char* text = std::getenv(name);
      return std::string(text == nullptr ? "" : text);
    };
    made->file = value("SOFTGPU_PROFILE");
    made->kernel = value("SOFTGPU_PROFILE_KERNEL");
    const std::string launch = value("SOFTGPU_PROFILE_LAUNCH");
    const auto [end, error] =
        std::from_chars(launch.data(), launch.data() + launch.size(), made->launch);
    if (!launch.empty() && (error != std::errc{} || end != launch.data() + launch.size())) {
      refuse("SOFTGPU_PROFILE_LAUNCH=" + launch +
             " is not understood; allowed: the number of a launch, or 0 (all)");
    }
    if (!made->file.empty() && (options().check || options().count)) {
      refuse(
          "SOFTGPU_PROFILE is set with SOFTGPU_CHECK or SOFTGPU_COUNT; a run is checked, counted "
          "or profiled");
    }
    return made;
  }();
  return *read;
}

bool find_out_recording() {
  const bool asked = !settings().file.empty();
  recording_state.store(asked ? Recording::yes : Recording::no, std::memory_order_relaxed);
  return asked;
}

void enqueued(const StreamOfWork& stream, TaskAddress task, TaskAddress also) {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  Work work = work_of(stream, Work::Kind::other);
  work.after = number_of(all, also);
  all.tasks[task] = add(all, std::move(work));
}

void host_waits_for(TaskAddress task) {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  Work wait;
  wait.kind = Work::Kind::wait;
  wait.after = number_of(all, task);
  if (wait.after >= 0) (void)add(all, std::move(wait));
}

void host_waits_for(const StreamOfWork& stream) {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  (void)add(all, work_of(stream, Work::Kind::wait));
}

void host_waits_for_device(int device) { host_waits_for(StreamOfWork{0, device, true, false}); }

std::int64_t current_work() { return current; }

std::int64_t set_current_work(TaskAddress task) {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  return std::exchange(current, number_of(all, task));
}
void set_current_work(std::int64_t number) { current = number; }

std::int64_t begins(Work::Kind kind, const std::string& name, std::uint64_t bytes) {
  if (current < 0) return -1;
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  const auto index = static_cast<std::size_t>(current);
  std::int64_t number = current;
  if (all.profile.work[index].kind != Work::Kind::other) {
    Work next = all.profile.work[index];
    next.after = current;
    next.kernel = -1;
    number = add(all, std::move(next));
    if (number < 0) return -1;
  }
  Work& work = all.profile.work[static_cast<std::size_t>(number)];
  work.kind = kind;
  work.name = name;
  work.bytes = bytes;
  current = number;
  return number;
}

void begins_copy(const void* to, const void* from, std::uint64_t bytes) {
  const bool to_host = on_host(to);
  const bool from_host = on_host(from);
  (void)begins(Work::Kind::copy,
               to_host     ? from_host ? "within host" : "to host"
               : from_host ? "to device"
                           : "within device",
               bytes);
}

void add_launch(const Kernel& launch, std::int64_t work) {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  const auto [found, fresh] = all.kernels.emplace(
      KernelKey{launch.kernel, launch.grid, launch.block, launch.dynamic_shared},
      all.profile.kernels.size());
  if (fresh) {
    all.profile.kernels.push_back(launch);
  } else {
    Kernel& k = all.profile.kernels[found->second];
    k.launches += launch.launches;
    k.counters += launch.counters;
    k.chain += launch.chain;
    k.longest_chain = std::max(k.longest_chain, launch.longest_chain);
    k.alone += launch.alone;
    for (std::size_t i = 0; i < wait_kinds; ++i) k.chain_waits[i] += launch.chain_waits[i];
    k.dram_read += launch.dram_read;
    k.dram_write += launch.dram_write;
    k.merged_wavefronts += launch.merged_wavefronts;
    k.hottest_word = std::max(k.hottest_word, launch.hottest_word);
    merge_lines(k.lines, launch.lines);
  }
  if (work >= 0) {
    all.profile.work[static_cast<std::size_t>(work)].kernel =
        static_cast<std::int64_t>(found->second);
  }
}

void write_recorded() {
  Record& all = record();
  const std::lock_guard lock(all.mutex);
  if (all.process != ::getpid()) return;
  all.profile.device = options().models.front();
  const std::string text =
      to_json(all.profile).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (!replace_file(settings().file, text)) {
    std::fprintf(stderr, "softgpu: SOFTGPU_PROFILE: cannot write %s\n", settings().file.c_str());
  }
}

}  // namespace softgpu::profile
