// What is said of two accesses that nothing orders.
#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "softgpu/check/findings.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races_parts.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu::check {

// --- reports -------------------------------------------------------------------------------------

namespace {

// The bytes that a lane's store writes; false where the operation is none, or is too wide.
struct StoredBytes {
  std::array<std::byte, 32> bytes{};
  bool operator==(const StoredBytes&) const = default;
};
bool stored_value(const Warp& warp, const Op* op, u32 lane, u32 bytes, StoredBytes& value) {
  const Code& code = *warp.call->code;
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  if (index >= code.touches.size() || bytes > value.bytes.size()) return false;
  const Touch& touch = code.touches[index];
  const bool plain = touch.form == TouchForm::lanes64 || touch.form == TouchForm::lanes32 ||
                     touch.form == TouchForm::shared64;
  if (!plain || touch.way != Way::store) return false;
  const auto* const pieces = static_cast<const Pieces*>(op->extra);
  const u32 count = pieces == nullptr ? 1 : pieces->count;
  if (count == 0) return false;
  const u32 each = bytes / count;
  for (u32 k = 0; k < count; ++k) {
    const u32 slot = pieces == nullptr ? op->d : pieces->slots[k];
    u32 lane_bytes = 0;
    for (u32 i = code.first_operand[index]; i < code.first_operand[index + 1]; ++i) {
      if (code.operands[i].slot == slot) lane_bytes = code.operands[i].lane_bytes;
    }
    if (lane_bytes != 4 && lane_bytes != 8) return false;
    std::memcpy(value.bytes.data() + k * each,
                warp.frame + slot + static_cast<std::size_t>(lane) * lane_bytes,
                std::min(each, lane_bytes));
  }
  return true;
}

const ptx::Operand* address_of(const ptx::Instruction& in) {
  const auto found = std::ranges::find(in.operands, ptx::Operand::Kind::address,
                                       [](const ptx::Operand& operand) { return operand.kind; });
  return found == in.operands.end() || found->items.size() != 1 ? nullptr : &*found;
}

// A plain read whose value a compare-and-swap at the same address checks afterwards: the way that
// the CUDA C++ Programming Guide makes atomic functions of others.
bool feeds_compare_and_swap(u32 place) {
  const Place& at = place_at(place);
  if (at.code == nullptr || at.code->origin_function == nullptr) return false;
  const auto& all = static_cast<const ptx::Function*>(at.code->origin_function)->instructions;
  const std::size_t index = at.code->origins[at.op].instruction;
  const ptx::Operand* const mine = index < all.size() ? address_of(all[index]) : nullptr;
  if (mine == nullptr) return false;
  return std::ranges::any_of(all, [&](const ptx::Instruction& in) {
    if (in.opcode != "atom" || !in.has("cas")) return false;
    const ptx::Operand* const address = address_of(in);
    return address != nullptr && address->bits == mine->bits &&
           address->items[0].variable == mine->items[0].variable &&
           address->items[0].name == mine->items[0].name;
  });
}

template <class Visit>
void for_registers(const ptx::Operand& operand, Visit&& visit) {
  if (operand.variable != nullptr) visit(operand.variable);
  for (const ptx::Operand& item : operand.items) for_registers(item, visit);
}

// The value of the plain read at this place is what a compare-and-swap compares with: where it was
// stale, that fails, and nothing is lost. Atomic functions are made that way.
bool is_compared(u32 place) {
  static auto* const known = new std::map<u32, bool>;
  if (const auto found = known->find(place); found != known->end()) return found->second;
  bool& result = (*known)[place];
  const Place& at = place_at(place);
  if (at.code == nullptr || at.code->origin_function == nullptr) return false;
  const auto& all = static_cast<const ptx::Function*>(at.code->origin_function)->instructions;
  const std::size_t index = at.code->origins[at.op].instruction;
  if (index >= all.size() || all[index].operands.empty()) return false;
  std::set<const ptx::Variable*> reached;
  for_registers(all[index].operands[0], [&](const ptx::Variable* one) { reached.insert(one); });
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const ptx::Instruction& in : all) {
      if (in.opcode == "st" || in.opcode == "ld" || in.opcode == "atom" || in.opcode == "red" ||
          in.operands.size() < 2) {
        continue;
      }
      bool takes = false;
      for (std::size_t i = 1; i < in.operands.size(); ++i) {
        for_registers(in.operands[i],
                      [&](const ptx::Variable* one) { takes = takes || reached.contains(one); });
      }
      if (!takes) continue;
      for_registers(in.operands[0], [&](const ptx::Variable* one) { reached.insert(one); });
    }
  }
  const auto is_reached = [&](const ptx::Operand& operand) {
    bool any = false;
    for_registers(operand, [&](const ptx::Variable* one) { any = any || reached.contains(one); });
    return any;
  };
  // Where the value says at which address to compare, it was read at another one.
  result = std::ranges::any_of(all, [&](const ptx::Instruction& in) {
    return in.opcode == "atom" && in.has("cas") && in.operands.size() > 2 &&
           is_reached(in.operands[2]) && !is_reached(in.operands[1]);
  });
  return result;
}

}  // namespace

void Races::conflict(const Access& access, const Writer* writer, const Reader* reader, u32 at) {
  const u32 place = writer != nullptr ? writer->place : reader->place;
  const u32 warp = writer != nullptr ? writer->warp : reader->warp;
  const u32 lane =
      writer != nullptr ? writer->lane : static_cast<u32>(std::countr_zero(reader->lanes));
  const u8 bits = writer != nullptr ? writer->bits : reader->bits;
  // Writes of the value that is there already.
  bool same_value = false;
  if (writer != nullptr && access.writes && !access.reads &&
      ((bits | access.bits) & (is_async | is_atomic | is_bulk)) == 0) {
    StoredBytes mine;
    if (stored_value(*access.warp, access.op, access.lane, access.bytes, mine)) {
      StoredBytes there;
      if (writer->warp == access.warp->state->warp && writer->place == access.place &&
          writer->stamp == access.warp->state->stamps[access.lane]) {
        // Another lane of this very instruction, or of an earlier turn: then both values count.
        same_value =
            stored_value(*access.warp, access.op, lane, access.bytes, there) && there == mine;
      }
      if (!same_value) {
        const auto* bytes = access.shared != nullptr
                                ? access.warp->block->shared + access.offset
                                : reinterpret_cast<const std::byte*>(access.address);
        const bool own = access.shared == nullptr || access.shared == access.warp->block->state;
        if (own && !(writer->warp == access.warp->state->warp && writer->place == access.place)) {
          std::memcpy(there.bytes.data(), bytes, access.bytes);
          same_value = there == mine;
        }
      }
    }
  }
  const Kind kind = same_value ? Kind::same_value_race : Kind::race;
  const bool guessed =
      (writer != nullptr && (bits & is_atomic) != 0 && !access.writes &&
       feeds_compare_and_swap(access.place)) ||
      (reader != nullptr && (access.bits & is_atomic) != 0 && feeds_compare_and_swap(place));
  if ((writer != nullptr && (bits & is_atomic) != 0 && !access.writes &&
       (access.bits & is_atomic) == 0 && is_compared(access.place)) ||
      (reader != nullptr && (access.bits & is_atomic) != 0 && (bits & is_atomic) == 0 &&
       is_compared(place))) {
    return;
  }
  if (is_known(kind, access.place, place)) return;
  // Libraries do that on purpose.
  if (same_value && site_of(access.place, "").of_toolkit) return;

  const LaunchState& launch = *access.warp->state->launch;
  const LaunchState* const other = launch_of(warp);
  Finding finding;
  finding.kind = kind;
  finding.notice = same_value || guessed;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  const std::string mine_is = access_name(access.writes, access.bits, access.bytes);
  finding.at = site_of(access.place, mine_is);
  finding.at.thread = thread_name(launch, access.warp->state->warp, access.lane);
  finding.other = site_of(place, access_name(writer != nullptr, bits, access.bytes));
  if (other != nullptr) finding.other.thread = thread_name(*other, warp, lane);
  const bool same_launch = other == &launch;
  const bool of_host = place_at(place).code == nullptr;
  if (of_host) finding.other.thread.clear();
  const bool same_block =
      same_launch && launch.first_block + (warp - launch.first_warp) / launch.warps_per_block ==
                         access.warp->state->block;
  const std::string between = warp == access.warp->state->warp ? "lanes of one warp"
                              : same_block                     ? "warps of one block"
                              : same_launch                    ? "blocks"
                              : of_host ? std::string("a kernel and a ") + place_at(place).what
                                        : "kernels";
  if ((bits & is_async) != 0) {
    finding.message =
        "memory is used that an asynchronous copy may still write: no cp.async.wait (with a "
        "barrier, "
        "for other threads) comes before it";
  } else if ((bits & is_bulk) != 0) {
    finding.message = std::string("memory is ") + (access.writes ? "written" : "used") +
                      " that an asynchronous copy may still " +
                      (writer != nullptr ? "write" : "read") +
                      ": its mbarrier's phase, or its bulk group, was not waited for";
  } else if (guessed) {
    finding.message = "a plain read of what others change by atomics, between " + between +
                      "; a compare-and-swap checks its value afterwards";
  } else if (same_value) {
    finding.message = "threads write one value to one place without order, between " + between;
  } else if ((bits & access.bits & strong) != 0 && warp != access.warp->state->warp) {
    finding.message = "strong accesses whose scope leaves the other thread out, between " + between;
  } else if ((bits & access.bits & strong) != 0) {
    finding.message =
        "volatile accesses rely on lanes of a warp going in step, which they need not since Volta: "
        "__syncwarp() is missing";
  } else {
    finding.message =
        std::string(access.writes ? (writer != nullptr ? "two writes" : "a write after a read")
                                  : "a read after a write") +
        " without order, between " + between;
    if (!same_launch) finding.message += " that no stream, event or synchronisation orders";
  }
  finding.memory = access.shared != nullptr
                       ? describe_shared(*access.warp->block->launch, access.offset + at)
                       : describe_global(access.address + at);
  report(std::move(finding));
}

void Races::remote_use(const Access& access) {
  if (!follows_) return;
  const WarpState& mine = *access.warp->state;
  const u32 stamp = mine.stamps[access.lane];
  auto& all = access.shared->remote;
  const auto same = std::ranges::find_if(all, [&](const BlockState::RemoteUse& one) {
    return one.warp == mine.warp && one.place == access.place;
  });
  if (same != all.end() && same->stamp == stamp) {
    same->lanes |= 1U << access.lane;
    return;
  }
  BlockState::RemoteUse one{mine.warp,     1U << access.lane, stamp,        access.place,
                            access.offset, access.bytes,      access.writes};
  if (same != all.end()) {
    *same = one;
  } else {
    all.push_back(one);
  }
}

void Races::end_block(Block& block) {
  // Its last thread ends after each of its threads: one that knows of the access is enough.
  const auto waited_for = [&](const BlockState::RemoteUse& use, u32 lane) {
    return std::ranges::any_of(block.warps, [&](const auto& warp) {
      bool known = false;
      for_lanes(warp->initial, [&](u32 l) {
        known = known || ordered(*warp->state, l, use.warp, lane, use.stamp);
      });
      return known;
    });
  };
  // Of a kernel that a fault has ended nobody came to the end.
  if (block.launch->failed.load()) block.state->remote.clear();
  for (const BlockState::RemoteUse& use : block.state->remote) {
    u32 lane = lanes_per_warp;
    for_lanes(use.lanes, [&](u32 l) {
      if (lane == lanes_per_warp && !waited_for(use, l)) lane = l;
    });
    if (lane == lanes_per_warp || is_known(Kind::race, use.place, use.place)) continue;
    const LaunchState& launch = *block.state->launch;
    Finding finding;
    finding.kind = Kind::race;
    finding.kernel = launch.kernel;
    finding.launch = launch.number;
    finding.message =
        "shared memory of another block of the cluster is accessed, and that block does not wait "
        "with its end until then: its memory may be gone";
    finding.at = site_of(use.place, access_name(use.writes, 0, use.bytes));
    finding.at.thread = thread_name(launch, use.warp, lane);
    finding.memory = describe_shared(*block.launch, use.offset);
    report(std::move(finding));
  }
  block.state->remote.clear();
}

}  // namespace softgpu::check
