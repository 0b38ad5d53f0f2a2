#include "softgpu/check/host.hpp"

#include <array>
#include <mutex>
#include <utility>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/host_pages.hpp"
#include "softgpu/check/lock.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

using u64 = std::uint64_t;

u64 address_of(const void* pointer) { return reinterpret_cast<u64>(pointer); }

// Memory whose undefined bytes are known.
bool is_followed(u64 address) {
  MemoryRange range;
  return Memory::instance().find(address, range) && range.kind == MemoryKind::device;
}

// A small structure whose undefined bytes are as the compiler leaves them between members: second
// halves of eight bytes whose first halves are defined.
bool is_padding(u64 address, std::size_t bytes) {
  constexpr std::size_t most = 32;
  constexpr std::size_t half = 4;
  if (bytes > most || bytes % (2 * half) != 0 || address % (2 * half) != 0) return false;
  std::array<std::uint8_t, most> bits{};
  (void)GlobalBits::instance().read(address, static_cast<std::uint32_t>(bytes), bits.data());
  for (std::size_t i = 0; i < bytes; ++i) {
    if (bits[i] != 0 &&
        (i % (2 * half) < half || GlobalBits::instance().origin_of(address + i).computed))
      return false;
  }
  return true;
}

void report_copy_of_undefined(u64 from, u64 first, std::size_t bytes) {
  const ValueOrigin origin = GlobalBits::instance().origin_of(first);
  if (is_known(Kind::uninitialised, origin.place, origin.computed ? 1 : 0)) return;
  Finding finding;
  finding.kind = Kind::uninitialised;
  // Bytes that are only copied may be padding, or a part that nobody looks at.
  finding.notice = !origin.computed;
  finding.message =
      origin.computed ? "a result that was computed from memory never written is copied to the host"
                      : "memory that was never written is copied to the host";
  finding.memory = describe_global(first);
  finding.at.what = "copy of " + std::to_string(bytes) + " bytes to the host; byte " +
                    std::to_string(first - from) + " is the first that is undefined";
  if (origin.place != 0) {
    finding.other = site_of(origin.place, "memory was read that was never written");
    // The kernel's line says more than the copy's place, which has none.
    std::swap(finding.at, finding.other);
    finding.kernel = readable_name(place_at(origin.place).code->name);
  }
  report(std::move(finding));
}

}  // namespace

void copied(const void* to, const void* from, std::size_t bytes) {
  if (!options().check || bytes == 0) return;
  const u64 target = address_of(to);
  const u64 source = address_of(from);
  if (target != source && target < source + bytes && source < target + bytes) {
    Finding finding;
    finding.kind = Kind::overlapping_copy;
    finding.message =
        "a copy of " + std::to_string(bytes) + " bytes whose source and destination are " +
        std::to_string(target > source ? target - source : source - target) + " bytes apart";
    finding.memory = describe_global(source);
    finding.at.what = "copy";
    report(std::move(finding));
  }
  const std::lock_guard lock(checker_mutex());
  const bool from_device = is_followed(source);
  const bool to_device = is_followed(target);
  GlobalBits& bits = GlobalBits::instance();
  if (to_device && from_device) {
    bits.copy(target, source, bytes);
  } else if (to_device) {
    bits.define(target, bytes);
  } else if (from_device) {
    u64 first = 0;
    if (bits.find_undefined(source, bytes, first) && !is_padding(source, bytes)) {
      report_copy_of_undefined(source, first, bytes);
    }
  }
  const WorkOrderRef work = current_work();
  const std::uint32_t place = host_place("copy");
  work_used(source, bytes, false, place);
  work_used(target, bytes, true, place);
  if (has_several_streams()) {
    Races::instance().host_access(work, source, bytes, false, place);
    Races::instance().host_access(work, target, bytes, true, place);
  }
}

void filled(const void* to, std::size_t bytes) {
  if (!options().check || bytes == 0) return;
  const std::lock_guard lock(checker_mutex());
  GlobalBits::instance().define(address_of(to), bytes);
  const std::uint32_t place = host_place("memset");
  work_used(address_of(to), bytes, true, place);
  if (has_several_streams()) {
    Races::instance().host_access(current_work(), address_of(to), bytes, true, place);
  }
}

void allocated_in_stream(const void* address, std::size_t bytes) {
  if (!options().check || !has_several_streams()) return;
  const std::lock_guard lock(checker_mutex());
  Races::instance().host_access(current_work(), address_of(address), bytes, true,
                                host_place("allocation"));
}

void freed_in_stream(const void* address) {
  if (!options().check || !has_several_streams()) return;
  MemoryRange range;
  if (!Memory::instance().find(address_of(address), range) || range.freed) return;
  const std::lock_guard lock(checker_mutex());
  Races::instance().host_access(current_work(), range.begin, range.end - range.begin, true,
                                host_place("free"));
}

void library_works() {
  if (!options().check) return;
  stop_watching();
  const std::lock_guard lock(checker_mutex());
  GlobalBits::instance().define_all();
}

namespace {

bool begins(const std::string& text, const char* with) { return text.rfind(with, 0) == 0; }
bool says(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

void call_failed(const std::string& call, const std::string& error, const std::string& why,
                 const std::string& caller) {
  if (!options().check || why.empty()) return;
  Finding finding;
  // The compiler's launches call __cudaLaunchKernel.
  if (begins(call, "cudaLaunch") || begins(call, "__cudaLaunch")) {
    finding.kind = Kind::launch_failure;
  } else if (begins(call, "cudaFree") || begins(call, "cudaHostFree")) {
    finding.kind = Kind::invalid_free;
  } else if ((begins(call, "cudaMemcpy") || begins(call, "cudaMemset")) &&
             (says(why, "beyond") || says(why, "past") || says(why, "outside") ||
              says(why, "end"))) {
    finding.kind = says(why, "freed") ? Kind::use_after_free : Kind::out_of_bounds;
  } else if ((begins(call, "cudaMemcpy") || begins(call, "cudaMemset")) && says(why, "freed")) {
    finding.kind = Kind::use_after_free;
  } else {
    return;
  }
  finding.message = call + " returns " + error + ": " + why;
  finding.at.what = "called";
  finding.at.text = caller;
  report(std::move(finding));
}

void error_unasked(const std::string& call, const std::string& error, const std::string& caller) {
  if (!options().check) return;
  Finding finding;
  finding.kind = Kind::unchecked_error;
  finding.message = call + " returned " + error + ", and the program has not asked about it";
  finding.at.what = "called";
  finding.at.text = caller;
  report(std::move(finding));
}

}  // namespace softgpu::check
