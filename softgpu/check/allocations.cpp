#include "softgpu/check/allocations.hpp"

#include <map>
#include <mutex>
#include <utility>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/lock.hpp"

namespace softgpu::check {
namespace {

struct Allocation {
  std::uint64_t bytes = 0;
  bool is_live = true;
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
    of.all[address] = {bytes, true, by_host && of.find != nullptr ? of.find() : Callers{}, {}};
  }
  const std::lock_guard lock(checker_mutex());
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

void report_leaks() {
  Allocations& of = allocations();
  const std::lock_guard lock(of.mutex);
  if (!of.frees || of.describe == nullptr) return;
  for (const auto& [address, one] : of.all) {
    if (!one.is_live || one.made.empty()) continue;
    Finding finding;
    finding.kind = Kind::leak;
    finding.message = std::to_string(one.bytes) + " bytes of device memory were never freed";
    finding.at.what = "allocated";
    finding.at.text = of.describe(one.made);
    report(std::move(finding));
  }
}

}  // namespace softgpu::check
