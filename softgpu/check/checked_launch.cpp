#include "softgpu/check/checked_launch.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "softgpu/check/checked_code.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/lock.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/check/suppressions.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/observe/observer.hpp"

namespace softgpu::check {

class CheckedCodes : public ObservedVersions<CheckedCode> {};

namespace {

constexpr int error_illegal_address = 700;
constexpr int error_launch_timeout = 702;
constexpr int error_illegal_instruction = 715;
constexpr int error_misaligned_address = 716;

// The undefined bits of parameters go from one frame to another with their bytes.
void pass_bits(const FrameState* from, std::uint32_t from_slot, Frame& to, std::uint32_t to_slot,
               std::uint32_t size, std::uint32_t lanes) {
  if (from == nullptr || from->count == 0) return;
  bool any = false;
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<std::size_t>(std::countr_zero(rest));
    const auto* at = from->bits.data() + from_slot + l * size;
    any = any || std::any_of(at, at + size, [](std::uint8_t byte) { return byte != 0; });
  }
  if (!any) return;
  FrameState& into = state_of(to);
  for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<std::size_t>(std::countr_zero(rest));
    std::memcpy(into.bits.data() + to_slot + l * size, from->bits.data() + from_slot + l * size,
                size);
  }
  if (into.marked[to_slot / 4] == 0) ++into.count;
  into.marked[to_slot / 4] = 1;
  const auto origin = from->origins.find(from_slot & ~3U);
  if (origin != from->origins.end()) into.origins[to_slot & ~3U] = origin->second;
}

}  // namespace

class CheckedLaunch::Watcher final : public Observer {
 public:
  explicit Watcher(Launch& of) : launch_(of), code_(of.code), codes_(of.program->checked_codes()) {
    read_suppressions();  // a mistake in the file is heard before anything runs
    const std::lock_guard lock(checker_mutex());
    of.code = &codes_->of(*of.code);
    of.observer = this;
    state_ = &Races::instance().begin_launch(of);
  }
  ~Watcher() override {
    launch_.code = code_;
    launch_.observer = nullptr;
    const std::lock_guard lock(checker_mutex());
    for (Block* block : blocks_) Races::instance().end_block(*block);
    Races::instance().end_launch(*state_);
    for (Block* block : blocks_) {
      for (const auto& warp : block->warps) {
        for (const auto& frame : warp->frames) delete std::exchange(frame->state, nullptr);
        delete std::exchange(warp->state, nullptr);
      }
      delete std::exchange(block->state, nullptr);
    }
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  const Code& version_of(const Code& code) override { return codes_->of(code); }

  void block_begins(Block& block) override {
    if (block.state == nullptr) {
      block.state = new BlockState;
      for (auto& warp : block.warps) warp->state = new WarpState;
      blocks_.push_back(&block);
    }
    Races::instance().begin_block(*state_, block);
    auto& undefined = block.state->undefined;
    undefined.assign(block.shared_bytes, 0xff);
    if (launch_.program->uses_reserved_shared() && undefined.size() >= reserved_shared_bytes) {
      std::fill(undefined.end() - reserved_shared_bytes, undefined.end(), std::uint8_t{0});
    }
    for (auto& warp : block.warps) {
      warp->state->local.clear();
      warp->state->local_stride = 0;
    }
  }
  void barrier_reached(Warp& warp, std::uint32_t lanes, std::uint32_t id, bool wait) override {
    Races::instance().barrier_reached(warp, lanes, id, wait);
  }
  void barrier_opens(Block& block, std::uint32_t id) override {
    Races::instance().barrier_opens(block, id);
  }
  void cluster_barrier_opens(Cluster& cluster) override {
    Races::instance().cluster_barrier_opens(cluster);
  }
  void lanes_meet(Warp& warp, std::uint32_t lanes) override {
    Races::instance().lanes_meet(warp, lanes);
  }
  void called(Warp&, const Op* call, const Frame& caller, Frame& callee,
              std::uint32_t lanes) override {
    const auto& pieces = *static_cast<const Pieces*>(call->extra);
    for (std::uint32_t i = 0; i < pieces.count; ++i) {
      const ParamSlot& p = callee.code->parameters[i];
      pass_bits(caller.state, pieces.slots[i], callee, p.slot, p.size, lanes);
    }
  }
  void returned(Warp&, const Op* call, Frame& caller, const Frame& callee,
                std::uint32_t lanes) override {
    const auto& pieces = *static_cast<const Pieces*>(call->extra);
    for (std::uint32_t i = 0; i < pieces.more_count; ++i) {
      const ParamSlot& p = callee.code->returns[i];
      pass_bits(callee.state, p.slot, caller, pieces.more[i], p.size, lanes);
    }
  }
  void frame_taken(Frame& frame) override {
    if (frame.state != nullptr) clear(*frame.state);
  }
  void took_nothing(Warp& warp, const Op* op, std::uint32_t lanes) override {
    if (op->d == 0 || warp.meeting != nullptr) return;
    Frame& frame = *warp.call;
    FrameState& state = state_of(frame);
    for (std::uint32_t rest = lanes; rest != 0; rest &= rest - 1) {
      set_lane_bits(state, op->d, 4, static_cast<std::uint32_t>(std::countr_zero(rest)),
                    ~std::uint64_t{0});
    }
    const auto& code = static_cast<const CheckedCode&>(*frame.code);
    const auto index = static_cast<std::size_t>(op - code.ops.data());
    settle(state, op->d, 4, {code.steps[index].place, true});
  }

 private:
  Launch& launch_;
  const Code* code_;
  std::shared_ptr<CheckedCodes> codes_;
  LaunchState* state_ = nullptr;
  std::vector<Block*> blocks_;
};

CheckedLaunch::CheckedLaunch(Launch& launch) : watcher_(new Watcher(launch)) {}
CheckedLaunch::~CheckedLaunch() = default;

void CheckedLaunch::run(const std::function<void()>& core) {
  const std::lock_guard lock(checker_mutex());
  core();
}

void written_by_surface(const void* address, std::size_t bytes) {
  GlobalBits::instance().define(reinterpret_cast<std::uint64_t>(address), bytes);
  Races::instance().changed();
}

std::uint64_t changes() { return Races::instance().changes(); }

std::uint64_t state_of(const Warp& warp) {
  // FNV-1a by words (Fowler, Noll and Vo).
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3ULL; };
  const auto mix_frames = [&](const Frame* frame) {
    for (; frame != nullptr; frame = frame->caller) {
      mix(reinterpret_cast<std::uintptr_t>(frame->return_to));
      for (std::size_t at = 0; at + 8 <= frame->capacity; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, frame->memory.get() + at, sizeof word);
        mix(word);
      }
    }
  };
  mix(reinterpret_cast<std::uintptr_t>(warp.pc));
  mix(warp.mask);
  mix_frames(warp.call);
  for (const Group& group : warp.others) {
    mix(reinterpret_cast<std::uintptr_t>(group.pc));
    mix(group.mask);
    if (group.frame != warp.call) mix_frames(group.frame);
  }
  return hash;
}

// --- faults and notices --------------------------------------------------------------------------

namespace {

bool says(const std::string& text, const char* word) {
  return text.find(word) != std::string::npos;
}

Kind kind_of_fault(int code, const std::string& what) {
  if (says(what, "free() of an address")) return Kind::invalid_free;
  switch (code) {
    case error_misaligned_address: return Kind::misaligned;
    case error_illegal_address:
      return says(what, "freed") ? Kind::use_after_free : Kind::out_of_bounds;
    case error_launch_timeout:
      return says(what, "deadlock") || says(what, "barrier") ? Kind::deadlock : Kind::fault;
    case error_illegal_instruction:
      return says(what, "member mask") || says(what, "shfl") ? Kind::warp_mask
             : says(what, "barrier")                         ? Kind::barrier_divergence
                                                             : Kind::fault;
    default: return Kind::fault;
  }
}

}  // namespace

void report_fault(const Warp& w, const Op* op, int lane, int code, const std::string& what) {
  Finding finding;
  finding.kind = kind_of_fault(code, what);
  finding.ends_kernel = true;
  finding.kernel = readable_name(w.block->launch->code->name);
  finding.launch = w.block->launch->id;
  finding.message = what;
  if (op != nullptr && w.call != nullptr) {
    finding.at = site_of(*w.call->code, op, "it happened");
  } else {
    finding.at.what = "it happened in the kernel";
  }
  finding.at.thread = describe_thread(w, lane);
  report(std::move(finding));
}

void report_notice(const Warp& w, int lane, const Code& code, const Op* op, const std::string& what,
                   bool is_error) {
  if (w.block->launch->observer == nullptr) return;  // of a launch that is not checked
  Finding finding;
  finding.kind =
      says(what, "barrier") || says(what, "Barrier") ? Kind::barrier_divergence : Kind::warp_mask;
  finding.notice = !is_error;
  finding.kernel = readable_name(w.block->launch->code->name);
  finding.launch = w.block->launch->id;
  finding.message = what;
  finding.at = site_of(code, op, "it happened");
  finding.at.thread = describe_thread(w, lane);
  report(std::move(finding));
}

}  // namespace softgpu::check

namespace softgpu {

std::shared_ptr<check::CheckedCodes> Program::checked_codes() {
  // Findings name places of code whose program may have been unloaded: versions are never freed.
  static std::mutex mutex;
  static auto* all = new std::vector<std::shared_ptr<check::CheckedCodes>>;
  const std::lock_guard lock(mutex);
  if (checked_ == nullptr) {
    checked_ = std::make_shared<check::CheckedCodes>();
    all->push_back(checked_);
  }
  return checked_;
}

}  // namespace softgpu
