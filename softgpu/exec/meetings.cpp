// Lanes of a warp that wait for each other, and exchange values.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "softgpu/exec/block.hpp"
#include "softgpu/exec/departure.hpp"
#include "softgpu/exec/groups.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/observe/observer.hpp"

namespace softgpu {
namespace {

constexpr int error_illegal_instruction = 715;

// A register that an operation at which lanes exchange values names. Slot 0 is no register's: a
// result that nobody wants.
struct Place {
  std::uint32_t slot = 0;
  bool negated = false;  // it is a predicate whose complement is meant
};

Place place_of(const Op& op, const Operands& operands, Field field) {
  const auto marked = [](std::uint32_t slot) { return Place{slot & ~3U, (slot & 1U) != 0}; };
  switch (field) {
    case Field::d: return marked(op.d);
    case Field::a: return marked(op.a);
    case Field::b: return marked(op.b);
    case Field::c: return marked(op.c);
    case Field::aux: return marked(op.aux);
    case Field::imm: return marked(static_cast<std::uint32_t>(op.imm));
    case Field::packed: return {(op.aux >> operands.packed_at) * 4, false};
    default: return {};
  }
}

// The part of `aux` that says what is computed; the rest says where a result goes.
std::uint32_t qualifiers(const Op& op, const Operands& operands) {
  if (operands.find(Field::aux) != nullptr) return 0;
  return operands.find(Field::packed) == nullptr ? op.aux
                                                 : op.aux & ((1U << operands.packed_at) - 1U);
}

// The operation names its registers at these places instead.
void set_place(Op& op, const Operands& operands, Field field, std::uint32_t slot) {
  switch (field) {
    case Field::d: op.d = slot; break;
    case Field::a: op.a = slot; break;
    case Field::b: op.b = slot; break;
    case Field::c: op.c = slot; break;
    case Field::aux: op.aux = slot; break;
    case Field::imm: op.imm = slot; break;
    case Field::packed: op.aux = qualifiers(op, operands) | slot / 4 << operands.packed_at; break;
    default: break;
  }
}

// Which of them is the member mask.
Field members_field(Meeting meeting) {
  return meeting == Meeting::members_a   ? Field::a
         : meeting == Meeting::members_b ? Field::b
                                         : Field::imm;
}

void copy_lanes(std::byte* to, const std::byte* from, std::uint32_t lane_bytes, std::uint32_t mask,
                bool negated) {
  if (lane_bytes == 0) {
    std::uint32_t there = 0;
    std::uint32_t here = 0;
    std::memcpy(&there, to, sizeof there);
    std::memcpy(&here, from, sizeof here);
    if (negated) here = ~here;
    there = (there & ~mask) | (here & mask);
    std::memcpy(to, &there, sizeof there);
    return;
  }
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(rest)) * lane_bytes;
    std::memcpy(to + at, from + at, lane_bytes);
  }
}

// Executes an exchange whose lanes stand at several operations, or in several calls of one
// function: their operands are brought together in a frame of its own, and the results taken back.
void exchange_between(Warp& w, Operation operation, const std::vector<Group*>& groups) {
  const Description& description = describe(operation);
  const Operands& operands = description.operands;
  constexpr std::uint32_t register_bytes = 8 * warp_size;
  constexpr std::uint32_t first_register = 64;  // the first word is the predicate that holds always
  alignas(64) std::byte memory[first_register + most_operands * register_bytes] = {};
  std::memcpy(memory, &full_mask, sizeof full_mask);

  // A handler may end with a jump to the next operation: here there is one that does nothing.
  std::array<Op, 2> ops;
  ops[1].run = [](Warp&, const Op* last) { return last; };
  Op& op = ops[0];
  op = *groups.front()->pc;
  op.run = handler_of(*groups.front()->frame->code, *groups.front()->pc);
  op.guard = 0;
  // Where each operand is brought to.
  struct Brought {
    RegisterUse operand;
    std::byte* at = nullptr;
  };
  std::vector<Brought> all;
  std::uint32_t* named = nullptr;
  for (const RegisterUse& one : operands) {
    const auto slot = first_register + static_cast<std::uint32_t>(all.size()) * register_bytes;
    all.push_back({one, memory + slot});
    set_place(op, operands, one.field, slot);
    if (one.field == members_field(description.behaviour.meeting)) {
      named = reinterpret_cast<std::uint32_t*>(memory + slot);
    }
  }
  std::uint32_t lanes = 0;
  for (const Group* g : groups) {
    lanes |= g->mask;
    for (const Brought& one : all) {
      if (one.operand.written) continue;
      const Place place = place_of(*g->pc, operands, one.operand.field);
      copy_lanes(one.at, g->frame->memory.get() + place.slot, one.operand.lane_bytes, g->mask,
                 place.negated);
    }
  }
  // Lanes that have exited meanwhile are named by some and no longer by others.
  for (int l = 0; l < warp_size; ++l) named[l] &= w.alive;
  std::byte* const frame = w.frame;
  const std::uint32_t mask = w.mask;
  w.frame = memory;
  w.mask = lanes;
  w.meeting = groups.front();
  static_cast<void>(op.run(w, &op));
  w.meeting = nullptr;
  w.frame = frame;
  w.mask = mask;
  for (Group* g : groups) {
    for (const Brought& one : all) {
      const Place place = place_of(*g->pc, operands, one.operand.field);
      if (!one.operand.written || place.slot == 0) continue;
      copy_lanes(g->frame->memory.get() + place.slot, one.at, one.operand.lane_bytes, g->mask,
                 false);
    }
    if (Observer* observer = w.block->launch->observer) {
      observer->lanes_exchanged(*g->frame->code, *g->pc, g->mask);
    }
    g->state = Group::State::ready;
    ++g->pc;
  }
}

// Lanes that have exited meanwhile are named by some and no longer by others.
bool same_members(const Warp& w, const Group& a, const Group& b) {
  return (a.members & w.alive) == (b.members & w.alive);
}

// Lanes that stand together at one operation become one group, which executes it.
void meet_here(Warp& w, const Group& place) {
  std::uint32_t mask = 0;
  Group* kept = nullptr;
  for (Group& g : w.others) {
    if (g.pc != place.pc || g.frame != place.frame) continue;
    if (g.state == Group::State::at_barrier) continue;
    mask |= g.mask;
    if (kept == nullptr) {
      kept = &g;
      g.state = Group::State::ready;
    } else {
      g.mask = 0;
    }
  }
  kept->mask = mask;
  std::erase_if(w.others, [](const Group& g) { return g.mask == 0; });
}

// Lanes of `place` and others wait for each other at different places: they exchange their values
// if that can be (the PTX ISA asks for the same qualifiers and the same members, not for the same
// instruction).
void meet_elsewhere(Warp& w, const Group& place) {
  std::vector<Group*> groups;
  for (Group& g : w.others) {
    if (g.state == Group::State::at_sync && !g.meets_anywhere && same_members(w, g, place)) {
      groups.push_back(&g);
    }
  }
  const Operation operation = operation_of(*place.frame->code, *place.pc);
  const Description& description = describe(operation);
  const bool exchanges = description.behaviour.meeting != Meeting::none &&
                         description.behaviour.meeting != Meeting::aligned;
  for (const Group* g : groups) {
    if (exchanges && operation_of(*g->frame->code, *g->pc) == operation &&
        qualifiers(*g->pc, description.operands) == qualifiers(*place.pc, description.operands)) {
      continue;
    }
    if (g->pc == place.pc && g->frame == place.frame) continue;
    w.call = g->frame;
    raise_fault(w, g->pc, std::countr_zero(g->mask), error_illegal_instruction,
                "lanes of a warp that wait for each other, by the member mask " +
                    hexadecimal(place.members) + ", are at different operations: this one, and " +
                    describe_thread(w, std::countr_zero(place.mask)) + " at " +
                    describe_place(*place.frame->code, place.pc));
  }
  exchange_between(w, operation, groups);
}

// Lanes wait at `waiting.pc`, and some that their mask names have ended instead of coming to it.
// That is nothing where these returned early. Those that did what follows the operation should have
// come to it first: a result without theirs is not what devices promise.
void notice_absent(const Warp& w, const Group& waiting) {
  const std::uint32_t gone = waiting.members & ~w.alive;
  const Launch& launch = *w.block->launch;
  if (gone == 0 || w.left_at == nullptr || launch.assertion_deadline != 0) return;
  const Departure how = known_departure(launch, outermost(waiting.frame, waiting.pc), w.left_at);
  if (how != Departure::around && how != Departure::loop) return;
  const Code& code = *waiting.frame->code;
  if (!first_time(code, waiting.pc)) return;
  notice(w, std::countr_zero(waiting.mask), code, waiting.pc,
         "waits for " + describe_thread(w, std::countr_zero(gone)) +
             ", which its member mask names; that has ended without coming here, having done what "
             "follows, at " +
             describe_place(*launch.code, w.left_at) +
             ". All lanes that a mask names have to come; the others go on without it",
         true);
}

// The lane that a shuffle's lane takes its value from (PTX ISA, "shfl.sync").
std::uint32_t shuffle_source(Warp& w, const Op& op, std::uint32_t lane) {
  const auto b = static_cast<std::int32_t>(lanes<std::uint32_t>(w, op.b)[lane] & 31U);
  const std::uint32_t c = lanes<std::uint32_t>(w, op.c)[lane];
  const auto clamp = static_cast<std::int32_t>(c & 31U);
  const auto segment = static_cast<std::int32_t>(c >> 8 & 31U);
  const auto l = static_cast<std::int32_t>(lane);
  const std::int32_t limit = (l & segment) | (clamp & ~segment);
  const std::uint32_t mode = op.aux & 3U;
  const std::int32_t from = mode == 0   ? l - b
                            : mode == 1 ? l + b
                            : mode == 2 ? l ^ b
                                        : (l & segment) | (b & ~segment);
  return static_cast<std::uint32_t>((mode == 0 ? from >= limit : from <= limit) ? from : l) & 31U;
}

}  // namespace

void check_meetings(Warp& w) {
  for (std::size_t i = 0; i < w.others.size(); ++i) {
    const Group first = w.others[i];
    if (first.state != Group::State::at_sync) continue;
    const std::uint32_t wanted = first.members & w.alive;
    std::uint32_t here = 0;
    std::uint32_t anywhere = 0;
    for (const Group& g : w.others) {
      if (g.state != Group::State::at_sync) continue;
      if (g.pc == first.pc && g.frame == first.frame) here |= g.mask;
      if (g.meets_anywhere == first.meets_anywhere && same_members(w, g, first)) {
        anywhere |= g.mask;
      }
    }
    const bool at_one_place = !first.meets_anywhere && (wanted & ~here) == 0;
    if (!at_one_place && (wanted & ~anywhere) != 0) continue;
    notice_absent(w, first);
    if (first.meets_anywhere) {
      if (Observer* observer = w.block->launch->observer) observer->lanes_meet(w, anywhere);
      for (Group& g : w.others) {
        if (g.state != Group::State::at_sync || !g.meets_anywhere) continue;
        if (!same_members(w, g, first)) continue;
        g.state = Group::State::ready;
        ++g.pc;
      }
    } else if (at_one_place) {
      meet_here(w, first);
    } else {
      meet_elsewhere(w, first);
    }
    i = static_cast<std::size_t>(-1);  // from the start: the list has changed
  }
}

const Op* gather_members(Warp& w, const Op* op, std::uint32_t group, std::uint32_t named,
                         bool meets_anywhere) {
  if (const std::uint32_t own = group & ~named; own != 0) {
    const int lane = std::countr_zero(own);
    raise_fault(w, op, lane, error_illegal_instruction,
                "lane " + std::to_string(lane) + " is not in the member mask " +
                    hexadecimal(named) +
                    " that it gives: each lane that executes this has to name itself");
  }
  return synchronise_group(w, op, group, named & w.alive, meets_anywhere);
}

void notice_shuffle(Warp& w, const Op* op, std::uint32_t group, std::uint32_t named,
                    std::uint32_t read) {
  if (Observer* observer = w.block->launch->observer) {
    // The lanes whose value comes from one of `read`.
    std::uint32_t takers = 0;
    for (std::uint32_t rest = group; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
      if ((read >> shuffle_source(w, *op, l) & 1U) != 0) takers |= 1U << l;
    }
    observer->took_nothing(w, op, takers);
  }
  const Op* const at = w.meeting != nullptr ? w.meeting->pc : op;
  const Code& code = w.meeting != nullptr ? *w.meeting->frame->code : *w.call->code;
  if (!first_time(code, at)) return;
  const std::uint32_t lane = static_cast<std::uint32_t>(std::countr_zero(read));
  const std::uint32_t bit = 1U << lane;
  const std::string why = (w.initial & bit) == 0 ? "which the block does not have"
                          : (w.alive & bit) == 0 ? "which has ended"
                          : (named & bit) == 0
                              ? "which the member mask " + hexadecimal(named) + " leaves out"
                              : std::string("whose guard predicate is false");
  notice(w, std::countr_zero(group), code, at,
         "a lane takes its value from lane " + std::to_string(lane) + ", " + why +
             ". What it gets is undefined; here it is " + hexadecimal(undefined_word) +
             ", in floating point not a number");
}

const Op* synchronise_lanes(Warp& w, const Op* op, std::uint32_t members, bool meets_anywhere) {
  const std::uint32_t group = active(w, op);
  const std::uint32_t stay = w.mask & ~group;
  if (stay != 0) park(w, op + 1, stay, w.call);
  park(w, op, group, w.call);
  Group& g = w.others.back();
  g.state = Group::State::at_sync;
  g.members = members;
  g.meets_anywhere = meets_anywhere;
  w.mask = 0;
  check_meetings(w);
  return pick(w);
}

const Op* synchronise_group(Warp& w, const Op* op, std::uint32_t group, std::uint32_t members,
                            bool meets_anywhere) {
  const std::uint32_t all = active(w, op);
  const std::uint32_t stay = w.mask & ~all;
  if (stay != 0) park(w, op + 1, stay, w.call);
  if ((all & ~group) != 0) park(w, op, all & ~group, w.call);
  w.mask = group;
  return synchronise_lanes(w, op, members, meets_anywhere);
}

}  // namespace softgpu
