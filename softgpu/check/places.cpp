#include "softgpu/check/places.hpp"

#include <array>
#include <cstdio>
#include <deque>
#include <map>
#include <string_view>
#include <utility>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

std::deque<Place>& places() {
  static auto* all = new std::deque<Place>(1);  // number 0 is none
  return *all;
}

// Headers that come with CUDA: a mistake that shows there was made by who called.
bool is_of_toolkit(const std::string& file) {
  constexpr std::array<std::string_view, 8> parts = {
      "/cub/",    "/thrust/", "/cuda/std/",  "/cooperative_groups",
      "/cuda/__", "/cccl/",   "_intrinsics", "_atomic_functions"};
  for (const std::string_view part : parts) {
    if (file.find(part) != std::string::npos) return true;
  }
  return false;
}

std::string triple(const Dim3& at) {
  return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
}

}  // namespace

std::uint32_t make_place(const Code& code, std::uint32_t op) {
  places().push_back({&code, op, "", {}});
  return static_cast<std::uint32_t>(places().size() - 1);
}
std::uint32_t host_place(const char* what) {
  static auto* const known = new std::map<std::pair<std::string, Callers>, std::uint32_t>;
  const Callers callers = callers_now();
  std::uint32_t& number = (*known)[{what, callers}];
  if (number == 0) {
    places().push_back({nullptr, 0, what, describe_callers(callers)});
    number = static_cast<std::uint32_t>(places().size() - 1);
  }
  return number;
}
const Place& place_at(std::uint32_t number) { return places()[number]; }

Site site_of(const Code& code, const Op* op, std::string what) {
  Site site;
  site.what = std::move(what);
  site.text = describe_place(code, op);
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  if (index >= code.origins.size()) return site;
  const Origin& origin = code.origins[index];
  const auto file_of = [&](int number) {
    const auto found = code.files.find(number);
    return found == code.files.end() ? std::string() : found->second;
  };
  if (origin.source_line <= 0) return site;
  site.file = file_of(origin.source_file);
  site.line = origin.source_line;
  site.of_toolkit = is_of_toolkit(site.file);
  for (std::int32_t i = origin.inlined_at; i >= 0 && is_of_toolkit(site.file);) {
    const CallSite& call = code.call_sites[static_cast<std::size_t>(i)];
    site.file = file_of(call.file);
    site.line = call.line;
    i = call.inlined_at;
  }
  return site;
}

Site site_of(std::uint32_t place, std::string what) {
  const Place& at = place_at(place);
  if (at.code == nullptr) {
    Site site;
    site.what = std::string(at.what) + " by a call of the host";
    site.text = at.caller;
    return site;
  }
  return site_of(*at.code, at.code->ops.data() + at.op, std::move(what));
}

std::string thread_name(const LaunchState& launch, std::uint32_t warp, std::uint32_t lane) {
  if (launch.first_agent != 0 && warp >= launch.first_agent) return "an asynchronous copy";
  const std::uint32_t in_launch = warp - launch.first_warp;
  const std::uint64_t block = in_launch / launch.warps_per_block;
  const std::uint32_t thread = in_launch % launch.warps_per_block * lanes_per_warp + lane;
  const auto place = [](std::uint64_t index, const Dim3& size) {
    return Dim3{static_cast<std::uint32_t>(index % size.x),
                static_cast<std::uint32_t>(index / size.x % size.y),
                static_cast<std::uint32_t>(index / size.x / size.y)};
  };
  return "block " + triple(place(block, launch.grid)) + " thread " +
         triple(place(thread, launch.threads));
}

std::string describe_shared(const Launch& launch, std::uint32_t offset) {
  for (const SharedVariable& one : launch.code->shared_variables) {
    if (offset < one.begin || offset >= one.begin + one.bytes) continue;
    return "shared variable `" + readable_name(one.name) + "` of " + std::to_string(one.bytes) +
           " bytes, byte " + std::to_string(offset - one.begin);
  }
  const std::uint32_t dynamic = dynamic_shared_offset(launch.code->shared_bytes);
  if (launch.dynamic_shared != 0 && offset >= dynamic && offset < dynamic + launch.dynamic_shared) {
    return "dynamic shared memory of " + std::to_string(launch.dynamic_shared) + " bytes, byte " +
           std::to_string(offset - dynamic);
  }
  return "shared memory, offset " + std::to_string(offset);
}

std::string describe_global(std::uint64_t address) {
  MemoryRange range;
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  if (!Memory::instance().find(address, range)) return text;
  std::string result = "byte " + std::to_string(address - range.begin) + " of ";
  result += range.kind == MemoryKind::symbol    ? "a device variable"
            : range.kind == MemoryKind::managed ? "managed memory"
            : range.kind == MemoryKind::pinned || range.kind == MemoryKind::registered
                ? "the host's memory"
                : "an allocation";
  result += " of " + std::to_string(range.end - range.begin) + " bytes";
  if (const std::string where = allocation_site(range.begin); !where.empty()) {
    result += ", allocated " + where;
  }
  return result;
}

}  // namespace softgpu::check
