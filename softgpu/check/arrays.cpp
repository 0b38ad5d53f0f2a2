#include "softgpu/check/arrays.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "softgpu/exec/module.hpp"
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/ptx/ast.hpp"
#include "softgpu/ptx/debug_info.hpp"

namespace softgpu::check {
namespace {

using ptx::Function;
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Variable;

// An address: so many bytes into a variable, and an index beside that where `is_open`.
struct Address {
  const Variable* variable = nullptr;
  std::int64_t offset = 0;
  bool is_open = false;
};

class Follower {
 public:
  explicit Follower(const Function& function) {
    for (const Instruction& in : function.instructions) {
      if (!in.operands.empty()) define(in.operands[0], &in);
    }
  }

  [[nodiscard]] std::optional<Address> of(const Operand& operand, int depth = 0) const {
    constexpr int deepest = 32;
    if (operand.kind != Operand::Kind::variable || operand.component >= 0 || depth > deepest) {
      return std::nullopt;
    }
    const Variable& v = *operand.variable;
    if (v.space == Space::local || v.space == Space::shared) return Address{&v, 0, false};
    const auto found = definitions_.find(&v);
    if (found == definitions_.end() || found->second == nullptr) return std::nullopt;
    const Instruction& in = *found->second;
    if (in.guard != nullptr || in.operands.size() < 2) return std::nullopt;
    if (in.opcode == "mov" || in.opcode == "cvta" || in.opcode == "cvt") {
      return of(in.operands[1], depth + 1);
    }
    if (in.opcode != "add" || in.operands.size() < 3) return std::nullopt;
    const Operand& a = in.operands[1];
    const Operand& b = in.operands[2];
    auto left = of(a, depth + 1);
    auto right = of(b, depth + 1);
    if (left.has_value() == right.has_value()) return std::nullopt;
    Address result = left ? *left : *right;
    const Operand& index = left ? b : a;
    if (index.kind == Operand::Kind::integer) {
      result.offset += static_cast<std::int64_t>(index.bits);
    } else {
      result.is_open = true;
    }
    return result;
  }

 private:
  // nullptr for what is assigned more than once.
  void define(const Operand& operand, const Instruction* in) {
    if (operand.kind == Operand::Kind::variable && operand.variable->space == Space::reg) {
      const auto [at, is_new] = definitions_.emplace(operand.variable, in);
      if (!is_new || operand.component >= 0) at->second = nullptr;
    }
    for (const Operand& item : operand.items) {
      if (operand.kind != Operand::Kind::address) define(item, nullptr);
    }
    if (operand.second) define(*operand.second, nullptr);
  }

  std::unordered_map<const Variable*, const Instruction*> definitions_;
};

// Parsed once for each text; modules may be unloaded, and their addresses used again.
const ptx::DebugArrays& arrays_of(const std::string& text) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::pair<std::size_t, std::size_t>, ptx::DebugArrays>;
  const std::pair key{text.size(), std::hash<std::string_view>{}(text)};
  const std::lock_guard lock(mutex);
  const auto found = known->find(key);
  if (found != known->end()) return found->second;
  return known->emplace(key, ptx::debug_arrays(text)).first->second;
}

// Where variables in shared and local memory begin, as the code has them.
class Places {
 public:
  Places(const Code& code, const Function& function) : code_(code) {
    for (std::size_t i = 0; i < code.ops.size() && i < code.origins.size(); ++i) {
      const Op& op = code.ops[i];
      const std::uint32_t instruction = code.origins[i].instruction;
      if (instruction >= function.instructions.size() ||
          code.operations[i] != Operation::local_address) {
        continue;
      }
      for (const Operand& operand : function.instructions[instruction].operands) {
        const Variable* const v = operand.variable;
        if (v != nullptr && v->space == Space::local)
          local_[v] = static_cast<std::uint64_t>(op.imm);
      }
    }
  }
  [[nodiscard]] std::optional<std::uint64_t> begin_of(const Variable& v) const {
    if (v.space == Space::local) {
      const auto found = local_.find(&v);
      return found == local_.end() ? std::nullopt : std::optional(found->second);
    }
    const auto found = std::ranges::find(code_.shared_variables, v.name, &SharedVariable::name);
    if (found == code_.shared_variables.end()) return std::nullopt;
    return found->begin;
  }

 private:
  const Code& code_;
  std::unordered_map<const Variable*, std::uint64_t> local_;
};

}  // namespace

std::vector<ArrayBounds> array_bounds(const Code& code) {
  std::vector<ArrayBounds> all;
  if (code.origin_module == nullptr || code.origin_function == nullptr) return all;
  const auto& function = *static_cast<const Function*>(code.origin_function);
  const auto& module = *static_cast<const Program::Module*>(code.origin_module);
  const ptx::DebugArrays& arrays = arrays_of(module.ast->text);
  if (arrays.empty()) return all;
  const Follower follower(function);
  const Places places(code, function);
  for (std::size_t i = 0; i < function.instructions.size(); ++i) {
    const Instruction& in = function.instructions[i];
    if (in.opcode != "ld" && in.opcode != "st" && in.opcode != "atom" && in.opcode != "red") {
      continue;
    }
    const auto memory = std::ranges::find(in.operands, Operand::Kind::address, &Operand::kind);
    if (memory == in.operands.end() || memory->items.empty()) continue;
    auto address = follower.of(memory->items[0]);
    if (!address || !address->is_open) continue;
    address->offset += static_cast<std::int64_t>(memory->bits);
    const auto of_symbol = arrays.find(address->variable->name);
    const auto begin = places.begin_of(*address->variable);
    if (of_symbol == arrays.end() || !begin) continue;
    // The outermost of the arrays that have this place: an index may be of any of them.
    const ptx::DebugArray* widest = nullptr;
    for (const ptx::DebugArray& one : of_symbol->second) {
      const auto first = static_cast<std::int64_t>(one.begin);
      const auto end = static_cast<std::int64_t>(one.begin + one.bytes);
      if (address->offset < first || address->offset >= end) continue;
      if (widest == nullptr || one.bytes > widest->bytes) widest = &one;
    }
    if (widest == nullptr) continue;
    all.push_back({static_cast<std::uint32_t>(i), address->variable->space == Space::shared,
                   static_cast<std::uint32_t>(*begin + widest->begin),
                   static_cast<std::uint32_t>(widest->bytes), widest->name});
  }
  return all;
}

}  // namespace softgpu::check
