// Frames of registers, and what they hold from the start.
#include <algorithm>
#include <cstring>
#include <new>

#include "softgpu/exec/block.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/observe/observer.hpp"

namespace softgpu {
namespace {

template <class T>
void fill(std::byte* at, T value) {
  for (int l = 0; l < warp_size; ++l)
    std::memcpy(at + static_cast<std::size_t>(l) * sizeof(T), &value, sizeof(T));
}

void put(std::byte* memory, std::uint32_t slot, std::uint32_t lane_bytes, std::uint64_t value) {
  if (lane_bytes == 8) {
    fill<std::uint64_t>(memory + slot, value);
  } else if (lane_bytes == 16) {
    fill<std::uint64_t>(memory + slot, value);
    fill<std::uint64_t>(memory + slot + 256, 0);
  } else {
    fill<std::uint32_t>(memory + slot, static_cast<std::uint32_t>(value));
  }
}

// False for those that differ from lane to lane.
bool special_value(const Warp& w, Special which, std::uint64_t& value) {
  const Block& block = *w.block;
  const Launch& launch = *block.launch;
  const Dim3& cluster = launch.cluster;
  switch (which) {
    case Special::ntid_x: value = launch.threads.x; return true;
    case Special::ntid_y: value = launch.threads.y; return true;
    case Special::ntid_z: value = launch.threads.z; return true;
    case Special::ctaid_x: value = block.at.x; return true;
    case Special::ctaid_y: value = block.at.y; return true;
    case Special::ctaid_z: value = block.at.z; return true;
    case Special::nctaid_x: value = launch.grid.x; return true;
    case Special::nctaid_y: value = launch.grid.y; return true;
    case Special::nctaid_z: value = launch.grid.z; return true;
    case Special::warpid: value = static_cast<std::uint64_t>(w.index); return true;
    case Special::nwarpid: value = block.warps.size(); return true;
    case Special::smid:
      value = block.linear % static_cast<std::uint64_t>(std::max(launch.multiprocessors, 1));
      return true;
    case Special::nsmid: value = static_cast<std::uint64_t>(launch.multiprocessors); return true;
    case Special::gridid: value = launch.id; return true;
    case Special::dynamic_smem_size: value = launch.dynamic_shared; return true;
    case Special::total_smem_size:
    case Special::aggr_smem_size: value = block.shared_bytes; return true;
    case Special::clusterid_x: value = block.at.x / cluster.x; return true;
    case Special::clusterid_y: value = block.at.y / cluster.y; return true;
    case Special::clusterid_z: value = block.at.z / cluster.z; return true;
    case Special::nclusterid_x: value = launch.grid.x / cluster.x; return true;
    case Special::nclusterid_y: value = launch.grid.y / cluster.y; return true;
    case Special::nclusterid_z: value = launch.grid.z / cluster.z; return true;
    case Special::cluster_ctaid_x: value = block.at.x % cluster.x; return true;
    case Special::cluster_ctaid_y: value = block.at.y % cluster.y; return true;
    case Special::cluster_ctaid_z: value = block.at.z % cluster.z; return true;
    case Special::cluster_nctaid_x: value = cluster.x; return true;
    case Special::cluster_nctaid_y: value = cluster.y; return true;
    case Special::cluster_nctaid_z: value = cluster.z; return true;
    case Special::cluster_ctarank: value = block.rank; return true;
    case Special::cluster_nctarank: value = cluster.count(); return true;
    case Special::is_explicit_cluster: value = cluster.count() > 1 ? full_mask : 0; return true;
    case Special::zero: value = 0; return true;
    case Special::dynamic_shared_base:
      value = dynamic_shared_offset(launch.code->shared_bytes);
      return true;
    case Special::reserved_shared_begin:
      value = block.shared_bytes - reserved_shared_bytes;
      return true;
    case Special::workspace_low: value = launch.workspace & 0xffffffffU; return true;
    case Special::workspace_high: value = launch.workspace >> 32; return true;
    case Special::reserved_shared_end: value = block.shared_bytes; return true;
    default: return false;
  }
}

std::uint64_t lane_value(const Warp& w, Special which, std::uint32_t lane) {
  const Dim3& threads = w.block->launch->threads;
  const std::uint64_t thread = static_cast<std::uint64_t>(w.index) * warp_size + lane;
  switch (which) {
    case Special::tid_x: return thread % threads.x;
    case Special::tid_y: return thread / threads.x % threads.y;
    case Special::tid_z: return thread / threads.x / threads.y;
    case Special::laneid: return lane;
    case Special::lanemask_eq: return 1U << lane;
    case Special::lanemask_lt: return (1U << lane) - 1U;
    case Special::lanemask_le: return (2U << lane) - 1U;
    case Special::lanemask_gt: return ~((2U << lane) - 1U);
    case Special::lanemask_ge: return ~((1U << lane) - 1U);
    default: return 0;
  }
}

bool changes_with_block(Special which) {
  switch (which) {
    case Special::ctaid_x:
    case Special::ctaid_y:
    case Special::ctaid_z:
    case Special::smid:
    case Special::clusterid_x:
    case Special::clusterid_y:
    case Special::clusterid_z:
    case Special::cluster_ctaid_x:
    case Special::cluster_ctaid_y:
    case Special::cluster_ctaid_z:
    case Special::cluster_ctarank: return true;
    default: return false;
  }
}

void put_special(Warp& w, std::byte* memory, const SpecialSlot& s) {
  std::uint64_t value = 0;
  if (special_value(w, s.special, value)) {
    put(memory, s.slot, s.lane_bytes, value);
    return;
  }
  for (std::uint32_t l = 0; l < warp_size; ++l) {
    value = lane_value(w, s.special, l);
    if (s.lane_bytes == 8) {
      std::memcpy(memory + s.slot + l * 8, &value, 8);
    } else {
      const auto narrow = static_cast<std::uint32_t>(value);
      std::memcpy(memory + s.slot + l * 4, &narrow, 4);
    }
  }
}

}  // namespace

Frame* take_frame(Warp& w, const Code& code) {
  Frame* frame = nullptr;
  for (std::size_t i = w.free_frames.size(); i-- > 0;) {
    if (w.free_frames[i]->code == &code) {
      frame = w.free_frames[i];
      w.free_frames.erase(w.free_frames.begin() + static_cast<std::ptrdiff_t>(i));
      refresh_frame(w, *frame);
      if (Observer* observer = w.block->launch->observer) observer->frame_taken(*frame);
      return frame;
    }
  }
  w.frames.push_back(std::make_unique<Frame>());
  frame = w.frames.back().get();
  const std::size_t bytes = (code.frame_bytes + 63U) / 64U * 64U;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  frame->memory.reset(memory);
  frame->capacity = bytes;
  frame->code = &code;
  std::memset(memory, 0, bytes);
  std::memcpy(memory, &full_mask, sizeof full_mask);
  for (const Constant& c : code.constants) {
    if (c.lane_bytes == 0) {
      const auto bits = static_cast<std::uint32_t>(c.bits);
      std::memcpy(memory + c.slot, &bits, sizeof bits);
    } else {
      put(memory, c.slot, c.lane_bytes, c.bits);
    }
  }
  for (const ParameterValue& p : code.parameter_values) {
    std::uint64_t value = 0;
    std::memcpy(&value, w.parameters + p.offset, p.size);
    if (p.sign_extend && p.size < 8) {
      const unsigned shift = 64 - 8 * p.size;
      value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
    }
    put(memory, p.slot, p.lane_bytes, value);
  }
  for (const SpecialSlot& s : code.specials) put_special(w, memory, s);
  return frame;
}

void refresh_frame(Warp& w, Frame& frame) {
  for (const SpecialSlot& s : frame.code->specials) {
    if (changes_with_block(s.special)) put_special(w, frame.memory.get(), s);
  }
}

bool grow_local(Warp& w, std::size_t bytes) {
  if (bytes <= w.local_stride) return true;
  const std::size_t limit = std::min(
      largest_stack, std::max<std::size_t>(w.block->launch->stack_limit, std::size_t{1} << 16));
  // A kernel's own variables are not limited, only what recursion adds.
  const std::size_t own = w.block->launch->code->local_bytes;
  if (bytes > own + limit) return false;
  std::size_t stride = std::max<std::size_t>(w.local_stride * 2, bytes);
  stride = std::min((stride + 63) / 64 * 64, (own + limit + 63) / 64 * 64);
  std::vector<std::byte> storage(stride * warp_size);
  for (std::size_t l = 0; l < warp_size && w.local_stride > 0; ++l) {
    std::memcpy(storage.data() + l * stride, w.local + l * w.local_stride, w.local_stride);
  }
  w.local_storage = std::move(storage);
  w.local = w.local_storage.data();
  w.local_stride = stride;
  return true;
}

Dim3 thread_of(const Warp& w, int lane) {
  const auto l = static_cast<std::uint32_t>(lane);
  const auto at = [&](Special which) {
    return static_cast<std::uint32_t>(lane_value(w, which, l));
  };
  return {at(Special::tid_x), at(Special::tid_y), at(Special::tid_z)};
}

}  // namespace softgpu
