#include "softgpu/observe/instructions.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "softgpu/ptx/ast.hpp"

namespace softgpu {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

struct Number {
  std::string_view type;
  Format format;
  u32 parts;
};
constexpr Number numbers[] = {
    {"f64", f64, 1},   {"f32", f32, 1},     {"f32x2", f32, 2}, {"f16", f16, 1}, {"f16x2", f16, 2},
    {"bf16", bf16, 1}, {"bf16x2", bf16, 2}, {"tf32", tf32, 1}, {"e4m3", f8, 1}, {"e5m2", f8, 1},
};

const Number* number_of(std::string_view word) {
  for (const Number& number : numbers) {
    if (number.type == word) return &number;
  }
  return nullptr;
}

// "m16n8k16": their product; 0 for another word.
u64 shape_product(std::string_view word) {
  u64 product = 1;
  std::size_t at = 0;
  for (const char letter : {'m', 'n', 'k'}) {
    if (at >= word.size() || word[at] != letter) return 0;
    ++at;
    u64 value = 0;
    while (at < word.size() && word[at] >= '0' && word[at] <= '9' && value < 10000) {
      value = value * 10 + static_cast<u64>(word[at++] - '0');
    }
    product *= value;
  }
  return at == word.size() ? product : 0;
}

void matrix_flops(const ptx::Instruction& in, ObservedOperation& o) {
  u64 product = 0;
  std::vector<std::string_view> types;
  for (const std::string& word : in.modifiers) {
    if (const u64 p = shape_product(word); p != 0) product = p;
    if (word == "s8" || word == "u8" || word == "s4" || word == "u4" || word == "b1") return;
    if (number_of(word) != nullptr) types.push_back(word);
  }
  if (product == 0 || types.empty()) return;
  // D's type comes first, then A's; a wmma that names only D and C multiplies halves.
  const bool halves = in.opcode == "wmma" && types.size() == 2;
  o.format = halves || types.size() < 2 ? f16 : number_of(types[1])->format;
  u64 flops = 2 * product;
  if (in.has("m8n8k4") && o.format == f16) flops *= 4;  // four products at a time
  if (in.opcode == "wgmma") flops /= 4;                 // of four warps
  o.warp_flops = static_cast<u32>(flops);
}

// The floating-point operations of an instruction.
void arithmetic(const ptx::Instruction& in, ObservedOperation& o) {
  const std::string& code = in.opcode;
  if (code == "mma" || (code == "wmma" && in.has("mma")) ||
      (code == "wgmma" && in.has("mma_async"))) {
    return matrix_flops(in, o);
  }
  const bool atomic_add = (code == "atom" || code == "red") && in.has("add");
  const bool once = code == "add" || code == "sub" || code == "mul" || atomic_add;
  const bool twice = code == "fma" || code == "mad";
  const bool special = code == "div" || code == "sqrt" || code == "rcp" || code == "rsqrt" ||
                       code == "sin" || code == "cos" || code == "lg2" || code == "ex2" ||
                       code == "tanh";
  if (!once && !twice && !special) return;
  for (const std::string& word : in.modifiers) {
    const Number* number = number_of(word);
    if (number == nullptr) continue;
    o.format = number->format;
    o.flops = number->parts * (twice ? 2U : 1U);
    o.special = special;
    return;
  }
}

bool is_any(std::string_view word, std::initializer_list<std::string_view> of) {
  return std::ranges::find(of, word) != of.end();
}

// The unit of the type that an arithmetic instruction computes in: the last of its types, which is
// its operands' where there are two.
InstructionClass unit_of_type(const ptx::Instruction& in) {
  for (auto word = in.modifiers.rbegin(); word != in.modifiers.rend(); ++word) {
    if (*word == "f64") return InstructionClass::fp64;
    if (*word == "f32" || *word == "f32x2") return InstructionClass::fp32;
    if (is_any(*word, {"f16", "f16x2", "bf16", "bf16x2"})) return InstructionClass::half;
  }
  return InstructionClass::integer;
}

InstructionClass class_of(const ptx::Instruction& in) {
  const std::string_view code = in.opcode;
  using enum InstructionClass;
  if (is_any(code, {"mma", "wgmma"}) || (code == "wmma" && in.has("mma"))) return tensor;
  if (is_any(code, {"ld", "ldu", "st", "prefetch", "prefetchu", "cp", "ldmatrix", "stmatrix",
                    "wmma", "multimem", "discard", "applypriority"})) {
    return memory;
  }
  if (is_any(code, {"atom", "red"})) return in.has("async") ? memory : atomic;
  if (is_any(code, {"tex", "tld4", "txq", "suld", "sust", "sured", "suq"})) return texture;
  if (is_any(code, {"shfl", "vote", "match", "redux", "activemask", "elect", "movmatrix"})) {
    return warp;
  }
  if (is_any(code, {"bar", "barrier", "membar", "fence", "mbarrier"})) return barrier;
  if (is_any(code, {"bra", "brx", "call", "ret", "exit", "trap", "brkpt", "nanosleep"})) {
    return control;
  }
  if (is_any(code, {"div", "rcp", "sqrt", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"})) {
    return unit_of_type(in) == integer ? integer : special;
  }
  if (code == "cvt") return conversion;
  if (is_any(code, {"mov", "selp", "cvta", "prmt", "mapa", "isspacep", "slct", "getctarank",
                    "szext", "pmevent", "setmaxnreg", "griddepcontrol", "alloca"})) {
    return move;
  }
  if (is_any(code, {"add",   "sub",   "mul",  "mad",  "fma",   "min",      "max",  "abs",
                    "neg",   "set",   "setp", "rem",  "sad",   "and",      "or",   "xor",
                    "not",   "cnot",  "shl",  "shr",  "shf",   "bfe",      "bfi",  "popc",
                    "clz",   "bfind", "brev", "fns",  "lop3",  "dp4a",     "dp2a", "mul24",
                    "mad24", "addc",  "subc", "madc", "testp", "copysign", "bmsk"})) {
    return unit_of_type(in);
  }
  return other;
}

}  // namespace

std::vector<InstructionClass> classes_of(const Code& code) {
  std::vector<InstructionClass> classes;
  for (const auto& in : static_cast<const ptx::Function*>(code.origin_function)->instructions) {
    classes.push_back(class_of(in));
  }
  return classes;
}

std::vector<ObservedOperation> observe_instructions(const Code& code) {
  const auto& instructions = static_cast<const ptx::Function*>(code.origin_function)->instructions;
  std::vector<ObservedOperation> observed(code.ops.size());
  std::size_t next = 0;  // instruction that has not been counted yet
  u32 leader = 0;
  bool leads = true;  // other lanes may reach this operation than the one before it
  for (std::size_t i = 0; i < code.ops.size(); ++i) {
    const Op& op = code.ops[i];
    ObservedOperation& o = observed[i];
    const Origin& origin = code.origins[i];
    o.run = handler_of(code, op);
    const Behaviour& does = describe(code.operations[i]).behaviour;
    // Labels have operations of their own, which belong to no instruction; those before them
    // that became no operation (a register that stands for a constant) are counted there.
    const bool at_label = does.flow == Flow::label;
    const std::size_t index = origin.ptx_line == 0 ? instructions.size() : origin.instruction;
    const std::size_t counted = at_label ? index : std::min(index + 1, instructions.size());
    const bool first = counted > next;
    if (first) {
      o.first_instruction = static_cast<u32>(next);
      o.instructions = static_cast<u32>(counted - next);
      next = counted;
    }
    if (!at_label && index < instructions.size()) {
      if (first) arithmetic(instructions[index], o);
      o.kind = class_of(instructions[index]);
      o.touch = code.touches[i];
      o.meeting = does.meeting;
    }
    if (leads || at_label) leader = static_cast<u32>(i);
    const bool is_observed = leader == i || op.guard != 0 || o.touch.form != TouchForm::none ||
                             o.meeting != Meeting::none || o.touch.uncounted;
    o.counted_at = is_observed ? static_cast<u32>(i) : leader;
    leads = o.meeting != Meeting::none || does.parts;
  }
  return observed;
}

}  // namespace softgpu
