// The handler that comes before each operation of a kernel that is checked.
#include "softgpu/check/checked_code.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "softgpu/check/bulk_copies.hpp"
#include "softgpu/check/checked_access.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/matrices.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/check/rows.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu::check {
namespace {
using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// A weak load of one word by all lanes of a full warp, of memory without undefined bits: most loads
// of tables and tiles are. False where it is another, or has to be looked at lane by lane.
bool use_at_once(Warp& w, const Op* op, const CheckedCode& code, const Step& step,
                 const Touch& touch, u32 m) {
  if (w.state->waits != 0) return false;
  if (m != full_mask || touch.size != 4 || touch.way != Way::load || touch.order != Order::weak) {
    return false;
  }
  if (w.call->state != nullptr && w.call->state->count != 0) return false;
  Access access(w, op, step.place, 0, 4, false, true);
  access.bits = static_cast<u8>(static_cast<u32>(touch.scope) << scope_shift);
  const auto offset = static_cast<u64>(op->imm);
  u64 address = 0;
  if (touch.form == TouchForm::lanes32) {
    const auto* a = lanes<u32>(w, op->a);
    u32 differs = 0;
    for (u32 l = 1; l < lanes_per_warp; ++l) differs |= a[l] ^ a[0];
    if (differs != 0) return false;
    address = shared_window | static_cast<u32>(a[0] + static_cast<u32>(offset));
  } else {
    const auto* a = lanes<u64>(w, op->a);
    u64 differs = 0;
    for (u32 l = 1; l < lanes_per_warp; ++l) differs |= a[l] ^ a[0];
    if (differs != 0) return false;
    address = a[0] + offset;
    if (touch.form == TouchForm::shared64) address |= shared_window;
  }
  if (address % 4 != 0) return false;
  if ((address & window_mask) == shared_window) {
    const u64 at = address & ~window_mask;
    if (at + 4 > w.block->shared_bytes) return false;
    const u8* const bits = w.block->state->undefined.data() + at;
    if ((bits[0] | bits[1] | bits[2] | bits[3]) != 0) return false;
    check_variable({w, op, code, step, 0}, static_cast<u32>(at), 4, false);
    access.shared = w.block->state;
    access.offset = static_cast<u32>(at);
    return Races::instance().read_by_all(access);
  }
  MemoryRange range;
  if ((address & window_mask) != 0 || !find_range(address, 4, range)) return false;
  if (GlobalBits::instance().read(address, 4, nullptr)) return false;
  access.address = address;
  return Races::instance().read_by_all(access);
}

void use_lanes(Warp& w, const Op* op, const CheckedCode& code, const Step& step, const Touch& touch,
               u32 m) {
  if (step.array != 0) {
    // An array of a structure, or one beside others: lane by lane.
  } else if (!Races::instance().follows()) {
    m = use_without_races(w, op, touch, m);
  } else {
    if (use_at_once(w, op, code, step, touch, m)) return;
    m = touch.way == Way::atomic ? use_atomics(w, op, step, touch, m)
                                 : use_row(w, op, step, touch, m);
  }
  const auto offset = static_cast<u64>(op->imm);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    u64 address = 0;
    if (touch.form == TouchForm::lanes32) {
      address =
          shared_window | static_cast<u32>(lanes<u32>(w, op->a)[lane] + static_cast<u32>(offset));
    } else {
      address = lanes<u64>(w, op->a)[lane] + offset;
      if (touch.form == TouchForm::shared64) address |= shared_window;
    }
    use({w, op, code, step, lane}, address, touch.size, touch.way, touch.order, touch.scope, false);
  }
}

// cp.async: the read by the thread, the write by nobody in particular until it is waited for.
void use_copy(Warp& w, const Op* op, const CheckedCode& code, const Step& step, const Touch& touch,
              u32 m) {
  const auto* to = lanes<u64>(w, op->a);
  const auto* from = lanes<u64>(w, op->b);
  u32 reading = m;
  if ((op->aux & 0x100U) != 0) {
    reading &= ~(predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U)));
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    u32 size = (reading >> lane & 1U) != 0 ? touch.size : 0;
    if ((op->aux & 0x100U) == 0 && op->c != 0) size = std::min(size, lanes<u32>(w, op->c)[lane]);
    std::array<u8, 16> bits{};
    const Lane l{w, op, code, step, lane};
    const u64 destination = to[lane] + static_cast<u64>(op->imm);
    if (size != 0) {
      // Only the race of the read: the value goes to memory, not to a register.
      MemoryRange range;
      if (find_range(from[lane], size, range) && size == touch.size) {
        Access access(w, op, step.place, lane, size, false, true);
        access.address = from[lane];
        Races::instance().access(access);
      }
      (void)read_bits(w, from[lane], size, bits.data());
    }
    use(l, destination, touch.size, Way::store, Order::weak, Scope::block, true);
    const u64 at = destination & 0xffffffU;
    if (at + touch.size <= w.block->shared_bytes) {
      std::memcpy(w.block->state->undefined.data() + at, bits.data(), touch.size);
    }
  }
}

// Arguments and results of calls lie in the frame: `size` bytes of an area for each lane.
void move_frame(Warp& w, const Op* op, const CheckedCode& code, const Step& step, u32 m) {
  FrameState* const state = w.call->state;
  if (state == nullptr || state->count == 0) return;
  const u32 area = op->c;
  const u32 stride = op->b;
  const u32 size = op->aux & 0xffU;
  const auto offset = static_cast<u32>(op->imm);
  const bool loads = step.effect == Effect::frame_load;
  u8 lane_bytes = 4;
  for (u32 i = step.first_operand; i < step.end_operand; ++i) {
    if (code.operands[i].slot == op->d && code.operands[i].lane_bytes != OperandSlot::area) {
      lane_bytes = code.operands[i].lane_bytes;
    }
  }
  if (op->d == 0) return;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    u8* at = state->bits.data() + area + std::size_t{lane} * stride + offset;
    u64 high = 0;
    if (loads) {
      set_lane_bits(*state, op->d, lane_bytes, lane, extended(at, size, (op->aux & 0x100U) != 0));
    } else {
      const u64 bits = lane_bits(*state, op->d, lane_bytes, lane, high);
      std::memcpy(at, &bits, std::min<u32>(size, 8));
    }
  }
  if (loads) settle(*state, op->d, lane_bytes, origin_of(*state, area));
  if (!loads && is_marked(*state, op->d)) {
    state->origins[area & ~3U] = origin_of(*state, op->d);
    // The area stays marked while the frame lives: its bits are looked at one by one.
    if (state->marked[area / 4] == 0) ++state->count;
    state->marked[area / 4] = 1;
  }
}

// Undefined values that decide: the guard, the address.
void check_decisions(Warp& w, const Op* op, const CheckedCode& code, const Step& step, u32 m) {
  const FrameState* const state = w.call->state;
  if (state == nullptr || state->count == 0) return;
  u64 high = 0;
  if (op->guard != 0 && is_marked(*state, op->guard)) {
    for (u32 rest = w.mask; rest != 0; rest &= rest - 1) {
      const auto lane = static_cast<u32>(std::countr_zero(rest));
      if (lane_bits(*state, op->guard, 0, lane, high) == 0) continue;
      report_undefined(w, op, step, lane, origin_of(*state, op->guard & ~3U), "condition",
                       "a branch or a condition depends on a value that was never written");
      break;
    }
  }
  const Touch& touch = code.touches[static_cast<std::size_t>(op - code.ops.data())];
  if (touch.form == TouchForm::none || op->a == 0 || !is_marked(*state, op->a)) return;
  const u8 lane_bytes = touch.form == TouchForm::lanes32 ? 4 : 8;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    if (lane_bits(*state, op->a, lane_bytes, lane, high) == 0) continue;
    report_undefined(w, op, step, lane, origin_of(*state, op->a), "address",
                     "an address depends on a value that was never written");
    break;
  }
}

Scope fence_scope(const Op& op) { return static_cast<Scope>(op.aux & 0xffU); }

// An operation on an mbarrier is an access to it: a plain one where it begins its life. Where it
// ends that, others may still look at it, as those of CUDA's own library do.
void use_mbarrier(Warp& w, const Op* op, const Step& step, u32 lane, Block& block, u64 at) {
  constexpr u32 init = 0;
  constexpr u32 inval = 1;
  const u32 what = step.effect == Effect::mbarrier ? op->aux & 0xffU : ~0U;
  if (at % 8 != 0) return;
  if (what == inval) {
    return Races::instance().forget_shared(*block.state, static_cast<u32>(at), 8);
  }
  Access access(w, op, step.place, lane, 8, step.effect != Effect::mbarrier_test, what != init);
  access.bits = static_cast<u8>(
      what == init ? 0 : strong | is_atomic | static_cast<u32>(Scope::system) << scope_shift);
  access.shared = block.state;
  access.offset = static_cast<u32>(at);
  access.address = reinterpret_cast<u64>(block.shared + at);
  Races::instance().access(access);
}

// A vote, a reduction or a match whose mask names lanes that have ended.
void check_members(Warp& w, const Op* op, const CheckedCode& code, const Step& step, u32 m) {
  const auto* members = lanes<u32>(w, op->b);
  const auto first = static_cast<u32>(std::countr_zero(m));
  const u32 gone = members[first] & w.initial & ~w.alive;
  if (gone == 0 || is_known(Kind::warp_mask, step.place, 0)) return;
  const LaunchState& launch = *w.state->launch;
  Finding finding;
  finding.kind = Kind::warp_mask;
  finding.notice = true;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  finding.message = "the member mask names " + std::to_string(std::popcount(gone)) +
                    " lanes that have ended, lane " + std::to_string(std::countr_zero(gone)) +
                    " among them: they take no part";
  finding.at = site_of(code, op, "it happened");
  finding.at.thread = thread_name(launch, w.state->warp, first);
  // What a library does with its masks is its own affair; intrinsics are headers too.
  const bool of_library =
      finding.at.of_toolkit && finding.at.text.find("_intrinsics") == std::string::npos;
  if (!of_library) report(std::move(finding));
}

// Whether the test of an mbarrier succeeds, as its handler says.
bool is_over(Warp& w, const Op* op, u32 lane, const Block& block, u64 at) {
  u64 word = 0;
  std::memcpy(&word, block.shared + at, sizeof word);
  const u64 parity =
      (op->aux & 1U) != 0 ? lanes<u32>(w, op->b)[lane] & 1U : lanes<u64>(w, op->b)[lane] >> 63;
  return (word >> 63) != parity;
}

__attribute__((noinline)) void examine(Warp& w, const Op* op, const CheckedCode& code,
                                       const Step& step, u32 m) {
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  FrameState* const state = w.call->state;
  const bool undefined = state != nullptr && state->count != 0;
  if (undefined) check_decisions(w, op, code, step, m);
  if (step.transfer != Transfer::none && undefined && m != 0) {
    bool any = false;
    for (u32 i = step.first_operand; i < step.end_operand && !any; ++i) {
      const OperandSlot& operand = code.operands[i];
      any = operand.lane_bytes != OperandSlot::area && is_marked(*state, operand.slot);
    }
    if (any && step.transfer == Transfer::product) {
      propagate_product(w, op, step, m);
    } else if (any) {
      propagate(w, op, code.operands.data() + step.first_operand,
                code.operands.data() + step.end_operand, m);
    }
  }
  Races& races = Races::instance();
  if (step.touches && m != 0) {
    const Touch& touch = code.touches[index];
    switch (touch.form) {
      case TouchForm::lanes64:
      case TouchForm::lanes32:
      case TouchForm::shared64: use_lanes(w, op, code, step, touch, m); break;
      case TouchForm::copy_async: use_copy(w, op, code, step, touch, m); break;
      case TouchForm::copy_bulk: use_bulk(w, op, step, m); break;
      case TouchForm::rows:
      case TouchForm::fragment: use_matrix(w, op, step, touch, m); break;
      case TouchForm::none: break;
    }
  }
  if (m == 0) return;
  switch (step.effect) {
    case Effect::none:
    case Effect::branches: break;
    case Effect::bulk: use_bulk(w, op, step, m); break;
    case Effect::tensor:
      use_tensor(w, op, step, m);
      // Where it writes is known when it has been executed: use_box().
      for (Block* block : w.block->cluster->blocks) {
        std::ranges::fill(block->state->undefined, u8{0});
      }
      break;
    case Effect::box: use_box(w, op, step, m); break;
    case Effect::bulk_commit: races.commit_bulk(w, m); break;
    case Effect::bulk_wait:
      races.wait_for_bulk(w, m, static_cast<u32>(op->imm), op->aux == 1);
      break;
    case Effect::grid_wait: races.wait_for_grid(w, m); break;
    case Effect::fills_shared:
      // Where and when is not followed: all shared memory of the cluster counts as written.
      for (Block* block : w.block->cluster->blocks) {
        std::ranges::fill(block->state->undefined, u8{0});
        races.forget_shared(*block->state, 0, block->shared_bytes);
      }
      races.changed();
      break;
    case Effect::fence:
      if ((op->aux & fence_of_proxies) != 0) races.proxy_fence(w, m);
      races.fence(w, m, fence_scope(*op));
      break;
    case Effect::warp_barrier:
      if (!puts_off(w, op, Meeting::members_a, m)) {
        // Lanes that name different members are barriers of their own.
        const auto* members = lanes<u32>(w, op->a);
        for (u32 rest = m; rest != 0;) {
          const u32 named = members[std::countr_zero(rest)] & w.alive;
          // A lane that does not name itself is a fault, which the handler raises.
          const u32 group = (named & m) | (rest & (0U - rest));
          races.lanes_meet(w, group);
          rest &= ~group;
        }
      }
      break;
    case Effect::exchange:
      if (step.meeting == Meeting::members_b && w.alive != w.initial) {
        check_members(w, op, code, step, m);
      }
      races.lanes_exchange(w, m);
      break;
    case Effect::copy_group:
      if (op->aux == 0) {
        races.commit_copies(w, m);
      } else if (op->aux == 1) {
        races.wait_for_copies(w, m, static_cast<u32>(op->imm));
      } else {
        races.wait_for_all_copies(w, m);
      }
      break;
    case Effect::copy_mbarrier:
    case Effect::mbarrier:
    case Effect::mbarrier_test:
      for (u32 rest = m; rest != 0; rest &= rest - 1) {
        const auto lane = static_cast<u32>(std::countr_zero(rest));
        const u64 address = lanes<u64>(w, op->a)[lane] + static_cast<u64>(op->imm);
        Block* const block = shared_block_of(w, address);
        const u64 at = address & 0xffffffU;
        if (block == nullptr || at + 8 > block->shared_bytes) continue;
        use_mbarrier(w, op, step, lane, *block, at);
        if (step.effect == Effect::copy_mbarrier) {
          races.copies_arrive_at(w, lane, *block->state, at);
        }
        if (step.effect == Effect::mbarrier_test) {
          if (is_over(w, op, lane, *block, at)) races.look_at(w, lane, *block->state, at);
        } else {
          races.arrive_at(w, lane, *block->state, at);
          races.changed();
        }
        std::memset(block->state->undefined.data() + at, 0, 8);
      }
      break;
    case Effect::frame_load:
    case Effect::frame_store: move_frame(w, op, code, step, m); break;
  }
}

// Comes before each operation that is observed. It ends with a jump, as all handlers do.
const Op* check_operation(Warp& w, const Op* op) {
  const auto& code = static_cast<const CheckedCode&>(*w.call->code);
  const Step& step = code.steps[static_cast<std::size_t>(op - code.ops.data())];
  if (step.plain && (w.call->state == nullptr || w.call->state->count == 0)) return step.run(w, op);
  const u32 m = active(w, op);
  if (step.meeting == Meeting::none || !puts_off(w, op, step.meeting, m)) {
    examine(w, op, code, step, m);
  }
  return step.run(w, op);
}

}  // namespace

void CheckedCode::observe() {
  steps.resize(ops.size());
  arrays = array_bounds(*this);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Op& op = ops[i];
    Step& step = steps[i];
    const Description& operation = describe(operations[i]);
    step.run = op.run;
    step.place = make_place(*this, static_cast<u32>(i));
    step.first_operand = first_operand.empty() ? 0 : first_operand[i];
    step.end_operand = first_operand.empty() ? 0 : first_operand[i + 1];
    step.transfer = operation.transfer;
    step.effect = operation.behaviour.effect;
    step.meeting = operation.behaviour.meeting;
    step.atomic = operation.behaviour.atomic;
    step.touches = touches[i].form != TouchForm::none;
    const bool has_pieces = op.extra != nullptr && touches[i].form != TouchForm::copy_bulk;
    const u32 first_value = has_pieces && static_cast<const Pieces*>(op.extra)->count > 0
                                ? static_cast<const Pieces*>(op.extra)->slots[0]
                                : op.d;
    const auto names_value = [&](const OperandSlot& operand) {
      return operand.slot == first_value && operand.lane_bytes != OperandSlot::area;
    };
    const auto* const value = std::find_if(operands.data() + step.first_operand,
                                           operands.data() + step.end_operand, names_value);
    if (step.touches && value != operands.data() + step.end_operand) {
      step.value_bytes = value->lane_bytes;
    }
    step.plain =
        !step.touches && (step.effect == Effect::none || step.effect == Effect::branches ||
                          step.effect == Effect::frame_load || step.effect == Effect::frame_store);
    const bool idle = step.plain && step.transfer == Transfer::none &&
                      step.effect == Effect::none && op.guard == 0;
    if (!idle) op.run = check_operation;
    if (!step.touches) continue;
    const auto array = std::ranges::lower_bound(arrays, static_cast<u32>(origins[i].instruction),
                                                {}, &ArrayBounds::instruction);
    if (array != arrays.end() && array->instruction == origins[i].instruction) {
      step.array = static_cast<u32>(array - arrays.begin()) + 1;
    }
  }
}

}  // namespace softgpu::check
