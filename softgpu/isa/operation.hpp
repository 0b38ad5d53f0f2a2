// The executor's operations, each described once: operations.def.
//
// A PTX instruction becomes one operation or a few. What an operation reads and writes, how the
// lanes of a warp meet at it, where control goes from it, what it does to the order of accesses and
// how undefined bits go through it stand there in one line, beside the handler that executes it.
// Decoder, executor, counters, profile and checkers read that line. What depends on the
// instruction that the operation was made of, the decoder says with it: its Touch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace softgpu {

enum class Operation : std::uint16_t {
#define OPERATION(NAME, OPERANDS, TRANSFER, BEHAVIOUR, ...) NAME,
#include "softgpu/isa/operations.def"
};
inline constexpr std::size_t operation_count = 0
#define OPERATION(NAME, OPERANDS, TRANSFER, BEHAVIOUR, ...) +1
#include "softgpu/isa/operations.def"
    ;

// --- operands -----------------------------------------------------------------------------------

// The fields of an Op that may hold slots: see operations.def for how they are written.
enum class Field : std::uint8_t {
  d,
  a,
  b,
  c,
  aux,
  imm,
  packed,  // a predicate's slot, divided by 4, in the upper bits of aux
  list,    // Pieces::slots
  more,    // Pieces::more
};

// One of an operation's operands.
struct RegisterUse {
  static constexpr std::uint8_t any = 0xff;
  Field field = Field::d;
  bool read = false;
  bool written = false;
  std::uint8_t lane_bytes = 4;  // 0 for a predicate; or any, which the handler is told
};

inline constexpr std::size_t most_operands = 7;
struct Operands {
  std::array<RegisterUse, most_operands> all{};
  std::uint8_t count = 0;
  std::uint8_t packed_at = 0;  // from which bit of aux on Field::packed stands
  bool repeats = false;        // b and c hold a's slot where the operation does not read them
  bool has_lists = false;

  [[nodiscard]] const RegisterUse* begin() const { return all.data(); }
  [[nodiscard]] const RegisterUse* end() const { return all.data() + count; }
  // nullptr where the operation has no such operand.
  [[nodiscard]] const RegisterUse* find(Field field) const {
    for (const RegisterUse& one : *this) {
      if (one.field == field) return &one;
    }
    return nullptr;
  }
};

// --- what it does -------------------------------------------------------------------------------

// How the undefined bits of results follow from those of operands.
enum class Transfer : std::uint8_t {
  none,       // no registers, or their bits are set elsewhere
  all,        // any undefined bit of an operand makes all bits of the result undefined
  copy,       // mov
  unite,      // not, xor: bit by bit
  both,       // and: a defined 0 decides
  either,     // or: a defined 1 decides
  upwards,    // add, sub: from the lowest undefined bit on
  multiply,   // mul, mad: the same, above the zeros of the other factor
  halves,     // two numbers of 16 bits, each by itself
  pack,       // two numbers made into halves
  left,       // shl
  right,      // shr of Behaviour::from
  select,     // selp
  widen,      // 32 to 64 bits
  narrow,     // 64 to 32 bits
  convert,    // between integers: Behaviour has the types
  saturate,   // the same with saturation: any undefined bit of the operand's type
  permute,    // prmt
  field,      // bfe of Behaviour::from
  insert,     // bfi
  bitwise,    // lop3: any undefined bit of the same place
  funnel,     // shf
  differs,    // setp.eq, setp.ne of Behaviour::from: a defined bit that differs decides
  extract,    // a part of a register
  join_half,  // two halves to one
  shuffle,    // shfl
  all_lanes,  // results of any lane depend on operands of all
  product,    // of matrices: check/matrices.hpp
  define,     // results are defined whatever the operands are
};

// An integer type of a conversion; 0 bits where it is none.
struct Integer {
  std::uint8_t bits = 0;
  bool is_signed = false;
};

// Where control goes.
enum class Flow : std::uint8_t {
  on,      // to the next operation, mostly
  label,   // the same; it stands at a label, of no instruction, and others may come from elsewhere
  branch,  // by Op::imm operations
  table,   // by one of the distances in Pieces::slots
  end,     // out of the function
};

// When the operation is executed again because lanes wait for each other at it, and which field
// names them. A warp barrier is none of these: lanes that waited there go on behind it.
enum class Meeting : std::uint8_t { none, members_a, members_b, members_imm, aligned };

// Effects of an operation on order, or on memory in a way that its Touch does not say.
enum class Effect : std::uint8_t {
  none,
  branches,  // bra, brx, and whatever else has a guard
  fence,
  warp_barrier,
  exchange,       // shfl, vote, match, redux
  copy_group,     // cp.async.commit_group, .wait_group, .wait_all
  copy_mbarrier,  // cp.async.mbarrier.arrive
  mbarrier,
  mbarrier_test,
  fills_shared,  // st.async, red.async
  bulk,          // a reduction by a bulk copy
  tensor,        // a copy of a box
  box,           // the end of one to shared memory
  bulk_commit,
  bulk_wait,
  grid_wait,   // griddepcontrol.wait
  frame_load,  // of an argument or a result of a call
  frame_store,
};

// What an atomic access does, as far as it matters which bits it defines and whether it changes
// any.
enum class AtomicKind : std::uint8_t { other, exchange, compare, bit_and, bit_or };

// What an operation does beside computing results.
struct Behaviour {
  Flow flow = Flow::on;
  Meeting meeting = Meeting::none;
  Effect effect = Effect::none;
  AtomicKind atomic = AtomicKind::other;
  bool parts = false;   // the lanes at the next operation may be others: it branches or waits
  bool idle = false;    // the handler does nothing
  bool unseen = false;  // it may access memory in ways that its Touch does not say
  Integer to{};         // the result, of Transfer::convert and saturate
  Integer from{};       // the operand, of these, right, field and differs
};

struct Description {
  std::string_view name;
  Operands operands;
  Transfer transfer = Transfer::none;
  Behaviour behaviour;
};

[[nodiscard]] const Description& describe(Operation operation);

}  // namespace softgpu
