#include "softgpu/check/allocations.hpp"

#include <map>
#include <mutex>
#include <utility>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/lock.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

struct Allocation {
  std::uint64_t bytes = 0;
  bool is_live = true;
  bool by_host = true;
  Callers made;
  Callers freed;
};

struct Allocations {
  std::mutex mutex;
  std::map<std::uint64_t, Allocation> all;  // by address; the last one that was there
  Callers (*find)() = nullptr;
  std::string (*describe)(const Callers&) = nullptr;
  bool frees = false;  // the program has freed something
};
Allocations& allocations() {
  static auto* all = new Allocations;  // outlives every static of the program
  return *all;
}

}  // namespace

void set_caller_finder(Callers (*find)(), std::string (*describe)(const Callers&)) {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  of.find = find;
  of.describe = describe;
}

void allocated(std::uint64_t address, std::uint64_t bytes, bool defined, bool by_host) {
  {
    Allocations& of = allocations();
    const std::lock_guard lock(of.mutex);
    of.all[address] = {
        bytes, true, by_host, by_host && of.find != nullptr ? of.find() : Callers{}, {}};
  }
  const std::lock_guard lock(checker_mutex());
  Races::instance().forget(address, bytes);
  if (defined) {
    GlobalBits::instance().define(address, bytes);
  } else {
    GlobalBits::instance().undefine(address, bytes);
  }
}

void freed(std::uint64_t address) {
  std::uint64_t bytes = 0;
  {
    Allocations& of = allocations();
    const std::lock_guard lock(of.mutex);
    const auto found = of.all.find(address);
    if (found == of.all.end()) return;
    found->second.is_live = false;
    if (of.find != nullptr) found->second.freed = of.find();
    bytes = found->second.bytes;
    of.frees = true;
  }
  const std::lock_guard lock(checker_mutex());
  GlobalBits::instance().define(address, bytes);
}

void given_back(std::uint64_t address) {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  const auto found = of.all.find(address);
  if (found != of.all.end()) found->second.is_live = false;
  of.frees = true;
}

void forget_accesses(std::uint64_t address, std::uint64_t bytes) {
  const std::lock_guard lock(checker_mutex());
  Races::instance().forget(address, bytes);
}

std::string allocation_site(std::uint64_t address) {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  const auto found = of.all.find(address);
  return found == of.all.end() || of.describe == nullptr ? std::string()
                                                         : of.describe(found->second.made);
}

std::string free_site(std::uint64_t address) {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  const auto found = of.all.find(address);
  return found == of.all.end() || of.describe == nullptr ? std::string()
                                                         : of.describe(found->second.freed);
}

Callers callers_now() {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  return of.find == nullptr ? Callers{} : of.find();
}

std::string describe_callers(const Callers& callers) {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  return of.describe == nullptr ? std::string() : of.describe(callers);
}

void host_frees(std::uint64_t address) {
  {
    Allocations& of = allocations();
    const std::lock_guard lock(of.mutex);
    const auto found = of.all.find(address);
    if (found == of.all.end() || found->second.by_host || !found->second.is_live) return;
  }
  Finding finding;
  finding.kind = Kind::invalid_free;
  finding.message =
      "the host frees memory that malloc() in a kernel gave: it is of the device's heap";
  finding.at.what = "freed";
  finding.at.text = describe_callers(callers_now());
  report(std::move(finding));
}

void report_leaks() {
  if (has_fault()) return;
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  for (const auto& [address, one] : of.all) {
    if (!one.is_live) continue;
    // A graph's memory is kept for its next launch, and counts as freed meanwhile.
    MemoryRange range;
    if (!Memory::instance().find(address, range) || range.freed) continue;
    Finding finding;
    finding.kind = Kind::leak;
    finding.notice = !of.frees;
    finding.message = std::to_string(one.bytes) + " bytes of device memory were never freed";
    finding.at.what = one.by_host ? "allocated" : "allocated by malloc() in a kernel";
    finding.at.text = of.describe == nullptr ? std::string() : of.describe(one.made);
    report(std::move(finding));
  }
}

}  // namespace softgpu::check
