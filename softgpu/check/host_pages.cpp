#include "softgpu/check/host_pages.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/lock.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/device/options.hpp"

namespace softgpu::check {
namespace {

using u64 = std::uint64_t;

constexpr u64 page_bytes = 4096;
constexpr u64 trap_flag = 0x100;   // of RFLAGS
constexpr u64 is_write_error = 2;  // of a page fault's error code
constexpr std::size_t most_areas = 8192;
constexpr unsigned most_steps = 512;  // accesses to a page that are let through one by one

u64 page_of(u64 address) { return address / page_bytes; }

// Bytes that a piece of work copied or set.
struct Span {
  WorkOrderRef work;
  u64 begin = 0;
  u64 end = 0;
  bool writes = false;
  std::uint32_t place = 0;
};
// A piece of work whose kernels used the page.
struct PageUse {
  WorkOrderRef work;
  bool writes = false;
};
struct Page {
  std::vector<PageUse> uses;
  int now = PROT_READ | PROT_WRITE;
  unsigned steps = 0;
};

enum class Owner { device, host, nobody };  // nobody: it was freed

struct Area {
  u64 end = 0;
  Owner owner = Owner::device;
  bool open = true;  // all of it can be accessed now
  bool shown = false;
};

struct State {
  std::mutex mutex;
  std::map<u64, Area> areas;  // by address
  std::map<u64, Page> pages;  // of the host's areas, by number: those that work uses
  std::vector<Span> spans;
  bool areas_opened = false;
  bool pages_changed = false;
  u64 waits = 0;  // host_waits() when pages were protected last
  struct sigaction segv_before {};
  struct sigaction trap_before {};
};
State& state() {
  static auto* all = new State;  // outlives every static of the program
  return *all;
}
std::atomic<bool> watching{false};

thread_local int depth = 0;  // of calls of the runtime
// Pages that the one instruction that runs now may access.
constexpr std::size_t most_open = 8;
thread_local std::array<u64, most_open> stepping{};
thread_local std::size_t steps_open = 0;

void protect(u64 begin, u64 end, int how) {
  begin = begin / page_bytes * page_bytes;
  end = (end + page_bytes - 1) / page_bytes * page_bytes;
  // Where the system refuses (too many mappings), the memory stays accessible.
  if (::mprotect(reinterpret_cast<void*>(begin), end - begin, how) != 0) {
    (void)::mprotect(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE);
  }
}

void set_page(u64 number, Page& page, int how) {
  if (page.now == how) return;
  protect(number * page_bytes, (number + 1) * page_bytes, how);
  page.now = how;
}

int protection_of(const Page& page) {
  if (page.uses.empty()) return PROT_READ | PROT_WRITE;
  return std::ranges::any_of(page.uses, &PageUse::writes) ? PROT_NONE : PROT_READ;
}

// Forgets what the host has waited for, and protects the pages that are left. The state is locked.
void protect_pages(State& all) {
  const u64 waits = host_waits();
  if (!std::exchange(all.pages_changed, false) && std::exchange(all.waits, waits) == waits) return;
  all.waits = waits;
  std::erase_if(all.spans, [](const Span& one) { return host_knows(*one.work); });
  // Neighbours that become the same are one call of the system.
  u64 first = 0;
  u64 last = 0;
  int how = 0;
  const auto flush = [&] {
    if (first != last) protect(first * page_bytes, last * page_bytes, how);
    first = last = 0;
  };
  for (auto at = all.pages.begin(); at != all.pages.end();) {
    Page& page = at->second;
    std::erase_if(page.uses, [](const PageUse& one) { return host_knows(*one.work); });
    page.steps = 0;
    const int wanted = protection_of(page);
    if (wanted != page.now) {
      if (at->first != last || wanted != how) flush();
      if (first == last) first = at->first;
      last = at->first + 1;
      how = wanted;
      page.now = wanted;
    }
    at = page.uses.empty() ? all.pages.erase(at) : std::next(at);
  }
  flush();
}

// The state is locked.
void protect_all(State& all) {
  protect_pages(all);
  if (!std::exchange(all.areas_opened, false)) return;
  for (auto& [begin, area] : all.areas) {
    if (!area.open || area.owner == Owner::host || area.shown) continue;
    protect(begin, area.end, PROT_NONE);
    area.open = false;
  }
}

// The area that has the address; end() for none. The state is locked.
std::map<u64, Area>::iterator area_of(State& all, u64 address) {
  auto at = all.areas.upper_bound(address);
  if (at == all.areas.begin()) return all.areas.end();
  --at;
  const u64 end = (at->second.end + page_bytes - 1) / page_bytes * page_bytes;
  return address < end ? at : all.areas.end();
}

void open_area(State& all, u64 begin, Area& area) {
  protect(begin, area.end, PROT_READ | PROT_WRITE);
  area.open = true;
  all.areas_opened = true;
  for (auto at = all.pages.lower_bound(page_of(begin));
       at != all.pages.end() && at->first * page_bytes < area.end; ++at) {
    at->second.now = PROT_READ | PROT_WRITE;
    all.pages_changed = true;
  }
}

bool is_of(std::string_view file, std::string_view library) {
  return file.substr(file.rfind('/') + 1).starts_with(library);
}
bool is_of_runtime(const void* code) {
  Dl_info info{};
  if (::dladdr(code, &info) == 0 || info.dli_fname == nullptr) return false;
  return is_of(info.dli_fname, "libcudart.") || is_of(info.dli_fname, "libcublas");
}

// The program's own code that made the access at `instruction`: memcpy's caller, not memcpy.
std::string describe_host_place(const void* instruction) {
  std::array<void*, 32> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  bool seen = false;
  for (int i = 0; i < count; ++i) {
    const void* at = frames[static_cast<std::size_t>(i)];
    if (at == instruction) {
      seen = true;
    } else {
      at = static_cast<const char*>(at) - 1;
    }
    Dl_info info{};
    if (!seen || ::dladdr(at, &info) == 0 || info.dli_fname == nullptr) continue;
    const std::string_view file = info.dli_fname;
    if (is_of(file, "libc.so") || is_of(file, "libstdc++.so") || is_of(file, "libcudart.")) {
      continue;
    }
    return describe_callers({at});
  }
  return describe_callers({instruction});
}

void report_host_access(Finding finding, u64 address, bool writes, const void* instruction) {
  Site& host = finding.at.what.empty() ? finding.at : finding.other;
  host.what = writes ? "write by the host" : "read by the host";
  host.text = describe_host_place(instruction);
  finding.memory = describe_global(address);
  report(std::move(finding));
}

// The host's access to the word is a race with work that it has not waited for; true then.
bool judge(const std::vector<Span>& spans, u64 address, bool writes, const void* instruction) {
  Finding finding;
  finding.kind = Kind::race;
  const char* const doing = writes ? "the host writes memory that " : "the host reads memory that ";
  const WorkOrderRef now = current_work();
  for (const Span& one : spans) {
    if (address < one.begin || address >= one.end || (!one.writes && !writes)) continue;
    if (now != nullptr && is_before(*one.work, *now)) continue;
    finding.message = std::string(doing) + "a " + place_at(one.place).what + " may still " +
                      (one.writes ? "write" : "read") + ": nothing has waited for it";
    finding.at = site_of(one.place, "");
    report_host_access(std::move(finding), address, writes, instruction);
    return true;
  }
  bool other_writes = false;
  if (!Races::instance().races_with_host(address, writes, finding, other_writes)) return false;
  finding.message = std::string(doing) + "a kernel may still " + (other_writes ? "write" : "read") +
                    ": nothing has waited for it";
  report_host_access(std::move(finding), address, writes, instruction);
  return true;
}

void report_foreign(Owner owner, u64 address, bool writes, const void* instruction) {
  Finding finding;
  finding.kind = owner == Owner::nobody ? Kind::use_after_free : Kind::out_of_bounds;
  finding.message = owner == Owner::nobody
                        ? "the host accesses memory that was freed"
                        : "the host accesses memory of the device, which only kernels and copies "
                          "can reach: a program with a device crashes here";
  report_host_access(std::move(finding), address, writes, instruction);
}

void pass_on(const struct sigaction& before, int number, siginfo_t* info, void* context) {
  if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
    before.sa_sigaction(number, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(number);
  } else {
    // The instruction is executed again, and ends the process.
    (void)::sigaction(number, &before, nullptr);
  }
}

// False where the fault is none of ours. `steps` is set where the instruction is to be followed by
// a trap.
bool let_through(u64 address, bool writes, const void* instruction, bool& steps) {
  State& all = state();
  const bool inside = depth > 0 || is_of_runtime(instruction);
  std::unique_lock lock(all.mutex);
  const auto at = area_of(all, address);
  if (at == all.areas.end()) return false;
  Area& area = at->second;
  if (inside) {
    open_area(all, at->first, area);
    return true;
  }
  const u64 begin = at->first;
  if (area.owner != Owner::host) {
    const Owner owner = area.owner;
    const bool first = !std::exchange(area.shown, true);
    open_area(all, begin, area);
    lock.unlock();
    const std::lock_guard checker(checker_mutex());
    if (first) report_foreign(owner, address, writes, instruction);
    return true;
  }
  const u64 number = page_of(address);
  const auto found = all.pages.find(number);
  if (found == all.pages.end() || found->second.now == (PROT_READ | PROT_WRITE)) {
    // Another thread has opened it meanwhile.
    protect(number * page_bytes, (number + 1) * page_bytes, PROT_READ | PROT_WRITE);
    return true;
  }
  const std::vector<Span> spans = all.spans;
  const bool many = ++found->second.steps > most_steps;
  set_page(number, found->second, PROT_READ | PROT_WRITE);
  all.pages_changed = true;
  lock.unlock();
  // A kernel that runs in the background may hold the checker for a while: then this access is not
  // looked at.
  bool race = false;
  bool looked = false;
  for (int tries = 0; tries < 50 && !looked; ++tries) {
    const std::unique_lock checker(checker_mutex(), std::try_to_lock);
    looked = checker.owns_lock();
    if (looked) {
      race = judge(spans, address, writes, instruction);
    } else {
      const timespec pause{0, 1'000'000};
      (void)::nanosleep(&pause, nullptr);
    }
  }
  if (race || many || !looked || steps_open == most_open) return true;
  stepping[steps_open++] = number;
  steps = true;
  return true;
}

void on_fault(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  auto* const of = static_cast<ucontext_t*>(context);
  auto* const registers = of->uc_mcontext.gregs;
  const auto address = reinterpret_cast<u64>(info->si_addr);
  const auto* const instruction = reinterpret_cast<const void*>(registers[REG_RIP]);
  bool steps = false;
  const bool ours = let_through(
      address, (static_cast<u64>(registers[REG_ERR]) & is_write_error) != 0, instruction, steps);
  if (!ours) {
    pass_on(state().segv_before, number, info, context);
  } else if (steps) {
    registers[REG_EFL] |= static_cast<greg_t>(trap_flag);
  }
  errno = saved;
}

// The instruction that was let through is over.
void on_trap(int number, siginfo_t* info, void* context) {
  if (steps_open == 0) return pass_on(state().trap_before, number, info, context);
  const int saved = errno;
  State& all = state();
  {
    const std::lock_guard lock(all.mutex);
    while (steps_open > 0) {
      const u64 page = stepping[--steps_open];
      const auto found = all.pages.find(page);
      if (found == all.pages.end()) continue;
      set_page(page, found->second, protection_of(found->second));
    }
  }
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~static_cast<greg_t>(trap_flag);
  errno = saved;
}

// The state is locked.
void start(State& all) {
  if (watching.load()) return;
  // The first call loads a library, which must not happen in a handler.
  std::array<void*, 4> frames{};
  (void)::backtrace(frames.data(), static_cast<int>(frames.size()));
  struct sigaction fault {};
  fault.sa_sigaction = on_fault;
  fault.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  struct sigaction trap = fault;
  trap.sa_sigaction = on_trap;
  if (::sigaction(SIGSEGV, &fault, &all.segv_before) != 0) return;
  if (::sigaction(SIGTRAP, &trap, &all.trap_before) != 0) return;
  watching = true;
}

std::atomic<bool> stopped{false};

// The program has put a handler of its own in place of ours.
bool is_replaced() {
  struct sigaction now {};
  return ::sigaction(SIGSEGV, nullptr, &now) == 0 && now.sa_sigaction != on_fault;
}

void open_all(State& all) {
  for (auto& [number, page] : all.pages) set_page(number, page, PROT_READ | PROT_WRITE);
  for (auto& [begin, area] : all.areas) {
    if (!area.open) protect(begin, area.end, PROT_READ | PROT_WRITE);
    area.open = true;
  }
  all.pages.clear();
  all.spans.clear();
}

}  // namespace

void watch_memory(u64 address, u64 bytes, bool is_the_hosts) {
  if (!options().check || bytes == 0 || stopped.load()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  start(all);
  // Each is a mapping or two of the system, which has 65,530 for a process; the program needs some.
  if (!watching.load() || all.areas.size() >= most_areas) return;
  all.areas[address] = {address + bytes, is_the_hosts ? Owner::host : Owner::device};
  all.areas_opened = true;
}

void unwatch_memory(u64 address, bool kept) {
  if (!watching.load()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  const auto found = all.areas.find(address);
  if (found == all.areas.end()) return;
  open_area(all, address, found->second);
  std::erase_if(all.pages, [&](const auto& one) {
    return one.first >= page_of(address) && one.first * page_bytes < found->second.end;
  });
  std::erase_if(all.spans, [&](const Span& one) {
    return one.begin >= address && one.begin < found->second.end;
  });
  if (kept) {
    found->second.owner = Owner::nobody;
    found->second.shown = false;
  } else {
    all.areas.erase(found);
  }
}

void work_used(u64 address, u64 bytes, bool writes, std::uint32_t place) {
  const WorkOrderRef work = current_work();
  if (!watching.load() || stopped.load() || work == nullptr || bytes == 0) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  const auto area = area_of(all, address);
  if (area == all.areas.end() || area->second.owner != Owner::host) return;
  all.spans.push_back({work, address, address + bytes, writes, place});
  for (u64 page = page_of(address); page <= page_of(address + bytes - 1); ++page) {
    all.pages[page].uses.push_back({work, writes});
  }
  all.pages_changed = true;
}

void work_ended() {
  const WorkOrderRef work = current_work();
  if (!watching.load() || stopped.load() || work == nullptr) return;
  std::vector<HostPageUse> used;
  {
    const std::lock_guard checker(checker_mutex());
    used = Races::instance().take_host_pages();
  }
  if (used.empty()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  all.pages_changed = true;
  for (const HostPageUse& one : used) {
    const auto area = area_of(all, one.address);
    if (area == all.areas.end() || area->second.owner != Owner::host) continue;
    auto& uses = all.pages[page_of(one.address)].uses;
    if (uses.empty() || uses.back().work != work) uses.push_back({work, one.writes});
    uses.back().writes = uses.back().writes || one.writes;
  }
}

void stop_watching() {
  if (!watching.load()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  stopped = true;
  open_all(all);
}

bool InRuntime::is_watching() noexcept { return watching.load(std::memory_order_relaxed); }
void InRuntime::enter() {
  entered_ = true;
  ++depth;
}
void InRuntime::leave() {
  if (--depth > 0 || stopped.load()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  if (is_replaced()) {
    stopped = true;
    open_all(all);
    return;
  }
  protect_all(all);
}

InProgram::InProgram() : depth_(std::exchange(depth, 0)) {
  if (!watching.load() || stopped.load()) return;
  State& all = state();
  const std::lock_guard lock(all.mutex);
  protect_all(all);
}
InProgram::~InProgram() { depth = depth_; }

}  // namespace softgpu::check
