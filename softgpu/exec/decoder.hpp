// Turns the PTX of one function into operations.
//
// Registers get virtual numbers first; when all instructions are decoded, their lifetimes are
// computed and registers that never live at the same time share a slot of the frame, so that a
// kernel of thousands of registers (PTX is in static single assignment) stays in the cache.
//
// An instruction family is a function `void decode_x(FunctionDecoder&, const ptx::Instruction&)` in
// the table of one of the decode_*.cpp files.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/machine.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/isa/family.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu {

class FunctionDecoder {
 public:
  FunctionDecoder(Program& program, const Program::Module& module, const ptx::Function& function,
                  Code& code);

  void run();

  // --- operands -------------------------------------------------------------------------------
  //
  // Every slot that these return is virtual until the end; put it into one of the fields that the
  // operation's description names, or into Pieces: they are renumbered later. 0 is "none".

  // A source: a register, an immediate, a special register or the address of a variable, as lanes
  // of `lane` bytes (4 or 8; 16 for b128). A register of another width is converted: cut, or
  // extended with zeros.
  [[nodiscard]] std::uint32_t source(const ptx::Operand& operand, int lane);
  // The same for a type: immediates are converted to it ("f64" makes a double of 1.5).
  [[nodiscard]] std::uint32_t source(const ptx::Operand& operand, std::string_view type);
  // A destination register; where its width is not `lane`, the value goes through a temporary and
  // is converted by an operation emitted after the instruction's own. 0 for the sink "_".
  [[nodiscard]] std::uint32_t destination(const ptx::Operand& operand, int lane,
                                          bool sign_extend = false);
  // A predicate source: slot, with bit 0 set where it is negated. Constants 0 and 1 are accepted.
  [[nodiscard]] std::uint32_t predicate_source(const ptx::Operand& operand);
  [[nodiscard]] std::uint32_t predicate_destination(const ptx::Operand& operand);
  [[nodiscard]] std::uint32_t constant(std::uint64_t bits, int lane);
  [[nodiscard]] std::uint32_t constant_predicate(bool value);
  [[nodiscard]] std::uint32_t temporary(int lane);  // 4, 8 or 16
  [[nodiscard]] std::uint32_t temporary_predicate();
  [[nodiscard]] std::uint32_t special(Special which, int lane = 4);

  // The address [a + b] in a state space ("global", "shared", "local", "const", "param::entry", or
  // "" for generic), as generic 64-bit lanes plus a constant offset.
  struct Address {
    std::uint32_t slot = 0;
    std::int64_t offset = 0;
  };
  [[nodiscard]] Address generic_address(const ptx::Operand& operand, std::string_view space);

  // An address operand taken apart: its base, and the variable where the base is one.
  struct Place {
    const ptx::Operand* base = nullptr;
    const ptx::Variable* variable = nullptr;
    std::int64_t offset = 0;
  };
  [[nodiscard]] Place place_of(const ptx::Operand& address);
  // The address of an access to shared memory, as lanes of 4 or 8 bytes and a constant offset.
  struct SharedBase {
    std::uint32_t slot = 0;
    int lane = 4;
    std::int64_t offset = 0;
  };
  [[nodiscard]] SharedBase shared_base(const Place& place);
  // After the instruction's operations, the operand gets this value: for destinations that may be
  // sources of later operations of the same instruction.
  void finish_with(const ptx::Operand& destination, std::uint32_t value, int lane);
  // The frame's bytes of a function's parameter or a .param variable, 32 times its size.
  [[nodiscard]] std::uint32_t area(const ptx::Variable& variable);
  // The same for what has no name.
  [[nodiscard]] std::uint32_t unnamed_area(std::uint32_t bytes);
  // Where a kernel's parameter lies in the parameter block; nothing for other variables.
  [[nodiscard]] std::optional<std::uint32_t> parameter_offset(const ptx::Variable& variable) const;
  // A kernel's parameter as a value that the frame holds from the start.
  [[nodiscard]] std::uint32_t parameter_value(std::uint32_t offset, std::uint32_t size,
                                              bool sign_extend, int lane);
  // Makes the destination register stand for a value that the frame holds from the start, where
  // that is possible; then no operation is needed.
  bool make_alias(const ptx::Operand& destination, std::uint32_t slot);

  // --- operations -----------------------------------------------------------------------------

  // Of an Op. Which of them hold slots is in the operation's description; those may have flags in
  // their two low bits, which stay.
  struct Fields {
    std::uint32_t d = 0;
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
    std::uint32_t aux = 0;
    std::int64_t imm = 0;
  };
  // Appends the operation under the instruction's guard.
  Op& emit(Operation operation, const Fields& fields);
  Op& emit(Operation operation) { return emit(operation, Fields{}); }
  // That of the family for this word. Ends decoding with ProgramError where there is none: the
  // program has a type that the instruction does not know.
  template <std::size_t Words>
  [[nodiscard]] Operation choose(const Family<Words>& family, std::string_view word) const {
    const auto found = family.find(word);
    if (!found) fail("the instruction has no form for ." + std::string(word));
    return *found;
  }
  // Gives the last operation its lists: Pieces::slots and Pieces::more.
  void attach(std::vector<std::uint32_t> slots, std::vector<std::uint32_t> more = {});
  // Says which memory the last operation touches.
  void touches(const Touch& touch);
  // The last operation's second predicate result, which is packed into aux (0 for none).
  void packed_predicate(std::uint32_t slot);
  // The predicate that holds the lanes' carry (the condition code register CC.CF).
  [[nodiscard]] std::uint32_t carry();
  // The instruction's result is approximated on the hardware (for the report).
  void approximated();

  // The last operation is a branch to an instruction, or to one of many.
  void branch_to(std::int64_t instruction);
  void branch_to_table(std::vector<std::int64_t> instructions);
  // Whether branches go to this instruction.
  [[nodiscard]] bool is_label(std::int64_t instruction) const;
  // The last operation ends a basic block.
  void end_block(bool falls_through);
  // The instruction cannot be executed: it becomes an operation that faults if it is reached, with
  // this reason.
  void unsupported(const std::string& why);
  // The PTX is wrong. Throws ProgramError with the line.
  [[noreturn]] void fail(const std::string& what) const;

  [[nodiscard]] const ptx::Instruction& instruction() const { return *instruction_; }
  [[nodiscard]] Program& program() { return program_; }
  [[nodiscard]] const Program::Module& module() const { return module_; }
  [[nodiscard]] const ptx::Function& function() const { return function_; }
  [[nodiscard]] Code& code() { return code_; }
  // Bytes of a lane of this register, immediate or special operand: 4, 8, 16; 0 for a predicate.
  [[nodiscard]] int lane_of(const ptx::Operand& operand) const;

 private:
  [[nodiscard]] std::uint32_t register_slot(const ptx::Variable& variable, int component);
  [[nodiscard]] std::uint32_t convert(std::uint32_t slot, int have, int want);
  [[nodiscard]] std::uint32_t alias_of(const ptx::Operand& operand) const;
  [[nodiscard]] std::uint64_t shared_offset(const ptx::Variable& variable);
  [[nodiscard]] std::uint32_t variable_address(const ptx::Variable& variable, int lane);
  void jitter();
  void assign_slots();

  Program& program_;
  const Program::Module& module_;
  const ptx::Function& function_;
  Code& code_;
  const ptx::Instruction* instruction_ = nullptr;
  struct State;
  std::shared_ptr<State> state_;
};

// cvt from and to 8-bit floats, in decode_matrix.cpp; false where it is none that is known.
[[nodiscard]] bool convert_small(FunctionDecoder& to, const ptx::Instruction& in);
// st.async and red.async, in decode_async.cpp; false where the instruction is neither.
[[nodiscard]] bool store_async(FunctionDecoder& to, const ptx::Instruction& in);

using Decode = void (*)(FunctionDecoder& to, const ptx::Instruction& in);
struct DecodeEntry {
  std::string_view opcode;
  Decode decode;
};
struct DecodeEntries {
  const DecodeEntry* first;
  std::size_t count;
};
// By file: decode_arithmetic.cpp, decode_memory.cpp, decode_control.cpp, decode_matrix.cpp,
// decode_async.cpp, decode_texture.cpp. nullptr where no file has the opcode.
[[nodiscard]] Decode find_decoder(std::string_view opcode);
DecodeEntries arithmetic_decoders();
DecodeEntries memory_decoders();
DecodeEntries control_decoders();
DecodeEntries matrix_decoders();
DecodeEntries async_decoders();
DecodeEntries texture_decoders();
DecodeEntries video_decoders();

// Bytes of a value of a fundamental type, 0 for pred.
[[nodiscard]] int size_of_type(std::string_view type);
[[nodiscard]] inline int lane_of_type(std::string_view type) {
  const int size = size_of_type(type);
  return size <= 4 ? 4 : size;
}

}  // namespace softgpu
