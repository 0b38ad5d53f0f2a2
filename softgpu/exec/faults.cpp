// Addresses that kernels may use, and what is said about those they may not: faults and notices.
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "softgpu/check/checked_launch.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/groups.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu {
namespace {

constexpr int error_illegal_address = 700;
constexpr int error_misaligned_address = 716;

// An address that is in no allocation. The kernel's parameters tell what it was to be: the pointer
// among them that is nearest is likely the one that it was computed from.
std::string describe_wild_address(const Warp& w, std::uint64_t address, const std::string& what) {
  constexpr std::uint64_t far = std::uint64_t{1} << 32;
  const auto distance = [&](std::uint64_t from) {
    return from > address ? from - address : address - from;
  };
  std::uint64_t nearest = far;
  std::uint64_t pointer = 0;
  const auto& parameters = w.block->launch->parameters;
  for (std::size_t at = 0; at + 8 <= parameters.size(); at += 8) {
    std::uint64_t value = 0;
    std::memcpy(&value, parameters.data() + at, sizeof value);
    if (value >= 4096 && distance(value) < nearest) {
      nearest = distance(value);
      pointer = value;
    }
  }
  if (address < 4096 || (pointer == 0 && address < far)) {
    return "null-pointer " + what + hexadecimal(address);
  }
  MemoryRange range;
  const bool of_device = pointer != 0 && Memory::instance().find(pointer, range) && !range.freed;
  std::string near;
  if (Memory::instance().find_before(address, range) && address - range.end < (1U << 20)) {
    near = ", " + std::to_string(address - range.end) + " bytes after the end of " +
           (range.freed ? "freed memory" : "an allocation") + " of " +
           std::to_string(range.end - range.begin) + " bytes at " + hexadecimal(range.begin);
  }
  // Small allocations of the device lie in the same heap as the program's own.
  constexpr std::uint64_t close = 4096;
  const bool just_beyond = !near.empty() && address - range.end < close;
  const std::string host = describe_host_memory(address);
  const std::string host_pointer = pointer == 0 ? "" : describe_host_memory(pointer);
  const bool from_host = pointer != 0 && !of_device && !host_pointer.empty();
  if (from_host || (!of_device && !just_beyond && !host.empty())) {
    return what + hexadecimal(address) + ": this is a host pointer (" +
           (from_host ? host_pointer : host) +
           "), which kernels cannot use; memory that they can is made by cudaMalloc, "
           "cudaMallocManaged and cudaHostAlloc";
  }
  if (near.empty() && of_device && Memory::instance().find(pointer, range)) {
    near = address >= range.end
               ? ", " + std::to_string(address - range.end) + " bytes after the end of "
               : ", " + std::to_string(range.begin - address) + " bytes before the begin of ";
    near += "an allocation of " + std::to_string(range.end - range.begin) + " bytes at " +
            hexadecimal(range.begin) + " that a parameter points to";
  }
  return "out-of-bounds " + what + hexadecimal(address) + near;
}

}  // namespace

std::string hexadecimal(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

bool first_time(const Code& code, const Op* op) {
  constexpr std::size_t most = 64;
  thread_local std::set<const Op*> mine;
  if (!mine.insert(op).second) return false;
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  std::array<std::int64_t, 2> line{-1, static_cast<std::int64_t>(index)};
  if (index < code.origins.size() && code.origins[index].source_line > 0) {
    const Origin& origin = code.origins[index];
    line = {origin.source_file, origin.source_line};
    for (std::int32_t i = origin.inlined_at; i >= 0;) {
      const CallSite& site = code.call_sites[static_cast<std::size_t>(i)];
      line = {site.file, site.line};
      i = site.inlined_at;
    }
  }
  static std::mutex mutex;
  static auto* const all = new std::set<std::pair<std::string, std::array<std::int64_t, 2>>>;
  const std::lock_guard lock(mutex);
  return all->size() < most && all->emplace(code.name, line).second;
}

void notice(const Warp& w, int lane, const Code& code, const Op* op, const std::string& what,
            bool is_error) {
  if (options().check) return check::report_notice(w, lane, code, op, what, is_error);
  std::fprintf(stderr, "softgpu: notice: kernel %s, %s, at %s: %s\n",
               readable_name(w.block->launch->code->name).c_str(), describe_thread(w, lane).c_str(),
               describe_place(code, op).c_str(), what.c_str());
}

std::byte* checked_address(Warp& w, const Op* op, int lane, std::uint64_t address,
                           std::uint32_t bytes, bool write) {
  const auto what = [&] {
    return std::string(write ? "write" : "read") + " of " + std::to_string(bytes) + " bytes at ";
  };
  if ((address & (bytes - 1)) != 0 && (bytes & (bytes - 1)) == 0) {
    raise_fault(w, op, lane, error_misaligned_address,
                "misaligned " + what() + hexadecimal(address & ~window_mask));
  }
  const std::uint64_t offset = address & ~window_mask;
  switch (address & window_mask) {
    case shared_window: {
      Block* block = w.block;
      const std::uint64_t rank = (offset >> 24) & 0xffU;
      const std::uint64_t at = offset & 0xffffffU;
      if (rank != 0 && block->cluster != nullptr && rank <= block->cluster->blocks.size()) {
        block = block->cluster->blocks[rank - 1];
      } else if (rank != 0) {
        block = nullptr;
      }
      if (block != nullptr && (offset >> 32) == 0 && at + bytes <= block->shared_bytes) {
        return block->shared + at;
      }
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "shared memory offset " + std::to_string(offset) +
                      " (the block has " + std::to_string(w.block->shared_bytes) + " bytes)");
    }
    case local_window:
      if (offset + bytes <= w.local_stride) {
        return w.local + static_cast<std::size_t>(lane) * w.local_stride + offset;
      }
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "local memory offset " + std::to_string(offset));
    case param_window: {
      auto& parameters = w.block->launch->parameters;
      if (!write && offset + bytes <= parameters.size()) return parameters.data() + offset;
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "parameter offset " + std::to_string(offset));
    }
    default: break;
  }
  MemoryRange range;
  if (Memory::instance().find(address, range)) {
    if (range.freed) {
      raise_fault(w, op, lane, error_illegal_address,
                  what() + hexadecimal(address) +
                      (range.withheld ? ", which is memory of a graph: no launch has allocated it "
                                        "so far, or it has been freed again"
                                      : ", which is memory that was freed"));
    }
    if (address + bytes <= range.end && address + bytes > address) {
      RangeCache& cache = w.cache[op->site];
      cache.begin = range.begin;
      cache.end = range.end;
      return reinterpret_cast<std::byte*>(address);
    }
    raise_fault(w, op, lane, error_illegal_address,
                "out-of-bounds " + what() + hexadecimal(address) +
                    ", at the end of an allocation of " + std::to_string(range.end - range.begin) +
                    " bytes at " + hexadecimal(range.begin));
  }
  raise_fault(w, op, lane, error_illegal_address, describe_wild_address(w, address, what()));
}

std::string readable_name(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

std::string describe_place(const Code& code, const Op* op) {
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  std::string text;
  if (index < code.origins.size()) {
    const Origin& origin = code.origins[index];
    const auto line = [&](int file, int number) {
      const auto found = code.files.find(file);
      return (found == code.files.end() ? "line" : found->second) + ":" + std::to_string(number);
    };
    if (origin.source_line > 0) {
      text += line(origin.source_file, origin.source_line);
      std::string inlined;
      for (std::int32_t i = origin.inlined_at; i >= 0;) {
        const CallSite& site = code.call_sites[static_cast<std::size_t>(i)];
        inlined += (inlined.empty() ? " (inlined at " : ", at ") + line(site.file, site.line);
        i = site.inlined_at;
      }
      text += inlined + (inlined.empty() ? ", " : "), ");
    }
    text += "PTX line " + std::to_string(origin.ptx_line);
    if (origin.instruction < code.texts.size()) text += ": " + code.texts[origin.instruction];
  }
  return text;
}

std::string describe_thread(const Warp& w, int lane) {
  const auto triple = [](const Dim3& at) {
    return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) +
           ")";
  };
  return "block " + triple(w.block->at) + " thread " + triple(thread_of(w, lane));
}

void keep_fault(Warp& w, const Op* op, int lane, int code, const std::string& what) {
  Launch& launch = *w.block->launch;
  const std::lock_guard lock(launch.fault_mutex);
  if (launch.failed || launch.fault.code != 0) return;
  std::string message =
      "kernel " + readable_name(launch.code->name) + ", " + describe_thread(w, lane);
  if (op != nullptr && w.call != nullptr) {
    const Code& at = *w.call->code;
    if (&at != launch.code) message += ", in " + readable_name(at.name);
    message += ", at " + describe_place(at, op);
  }
  launch.fault.code = code;
  launch.fault.message = message + ": " + what;
  if (options().check) check::report_fault(w, op, lane, code, what);
}

void raise_fault(Warp& w, const Op* op, int lane, int code, const std::string& what) {
  keep_fault(w, op, lane, code, what);
  w.block->launch->failed = true;
  throw KernelFault{};
}

void raise_fault_text(Warp& w, const Op* op, int lane, int code, const char* what) {
  raise_fault(w, op, lane, code, what);
}

std::string describe_waiting(const Block& block) {
  // Lanes that wait at one place for the same are one group, whatever warps they are in.
  struct Waiters {
    const Warp* warp;
    const Group* group;
    std::uint32_t lanes = 0;
    std::set<int> warps;
  };
  const auto place_of = [](const Group& g) {
    // Lanes at a barrier of the block stand behind it.
    return g.state == Group::State::at_barrier ? g.pc - 1 : g.pc;
  };
  std::vector<Waiters> all;
  for (const auto& warp : block.warps) {
    for (const Group& g : warp->others) {
      const auto same = std::ranges::find_if(all, [&](const Waiters& w) {
        return w.group->state == g.state && w.group->barrier == g.barrier &&
               w.group->members == g.members && place_of(*w.group) == place_of(g) &&
               (g.state == Group::State::at_barrier || w.warp == warp.get());
      });
      Waiters& group = same != all.end() ? *same : all.emplace_back(Waiters{warp.get(), &g, 0, {}});
      group.lanes += popcount(g.mask);
      group.warps.insert(warp->index);
    }
  }
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < most; ++i) {
    const Waiters& one = all[i];
    const Group& g = *one.group;
    text += i == 0 ? "" : "; ";
    text += std::to_string(one.lanes) + (one.lanes == 1 ? " thread" : " threads");
    text += one.warps.size() == 1 ? " of warp " + std::to_string(one.warp->index)
                                  : " of " + std::to_string(one.warps.size()) + " warps";
    text += " (the first: " + describe_thread(*one.warp, std::countr_zero(g.mask)) + ") wait";
    if (one.lanes == 1) text += "s";
    if (g.state == Group::State::at_sync) {
      text += " for the lanes " + hexadecimal(g.members & one.warp->alive) + " of the warp";
    } else if (g.barrier == cluster_barrier) {
      text += " at the cluster's barrier";
    } else {
      const Barrier& b = block.barriers[g.barrier];
      text += " at barrier " + std::to_string(g.barrier) + ", where " + std::to_string(b.arrived) +
              " of " + std::to_string(b.expected != 0 ? b.expected : block.alive_threads) +
              " threads are,";
    }
    text += " at " + describe_place(*g.frame->code, place_of(g));
  }
  if (all.size() > most) text += "; and " + std::to_string(all.size() - most) + " groups more";
  return text;
}

}  // namespace softgpu
