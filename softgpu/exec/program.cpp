#include "softgpu/exec/program.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "softgpu/check/gaps.hpp"
#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/module.hpp"

namespace softgpu {
namespace {

constexpr int error_invalid_ptx = 218;
constexpr int error_memory_allocation = 2;
constexpr int error_no_symbol = 302;  // cudaErrorSharedObjectSymbolNotFound
constexpr int error_too_much_shared = 218;

// Takes half-decoded code back to what it was before.
void forget(Code& code) {
  Code empty;
  empty.name = code.name;
  empty.origin_module = code.origin_module;
  empty.origin_function = code.origin_function;
  code = std::move(empty);
}

std::uint64_t align_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

}  // namespace

struct Program::Parts {
  std::mutex mutex;
  std::vector<std::unique_ptr<Module>> modules;
  // Definitions that other modules may name.
  std::map<std::string, std::pair<const Module*, ptx::Function*>, std::less<>> functions;
  std::map<std::string, std::pair<const Module*, ptx::Variable*>, std::less<>> variables;
  std::map<const ptx::Function*, std::unique_ptr<Code>> codes;
  std::map<std::uint64_t, const Code*> code_at;
  std::map<std::string, Symbol, std::less<>> symbols;  // by name, for the host
  std::vector<void*> owned;
  // Offsets of the shared variables that functions other than kernels name: see place_shared.
  std::map<const ptx::Variable*, std::uint64_t> shared_offsets;
  std::uint64_t shared_bytes = 0;
  std::vector<SharedVariable> shared_variables;  // the same by place
};

Program::Program(std::vector<std::string> texts, int device,
                 const std::map<std::string, std::uint64_t>& bound)
    : parts_(std::make_unique<Parts>()), device_(device) {
  for (auto& text : texts) {
    auto module = std::make_unique<Module>();
    try {
      module->ast = ptx::parse_module(std::move(text));
    } catch (const ptx::ParseError& error) {
      throw ProgramError(error_invalid_ptx, error.what());
    }
    parts_->modules.push_back(std::move(module));
  }
  for (const auto& module : parts_->modules) {
    for (const auto& [name, function] : module->ast->function_by_name) {
      if (!function->external) parts_->functions.try_emplace(name, module.get(), function);
    }
    for (const auto& variable : module->ast->variables) {
      if (!variable->external) {
        parts_->variables.try_emplace(variable->name, module.get(), variable.get());
      }
    }
  }
  for (const auto& module : parts_->modules) {
    for (const auto& variable : module->ast->variables) {
      if (variable->space == ptx::Space::shared || variable->external) continue;
      const auto bound_to = bound.find(variable->name);
      Symbol symbol;
      symbol.space = variable->space;
      symbol.managed = variable->managed;
      symbol.bytes = static_cast<std::size_t>(variable->bytes());
      if (bound_to != bound.end()) {
        symbol.address = bound_to->second;
      } else {
        const auto kind = variable->managed ? MemoryKind::managed : MemoryKind::symbol;
        void* memory =
            Memory::instance().allocate(std::max<std::size_t>(symbol.bytes, 1), kind, device,
                                        static_cast<std::size_t>(std::max(16, variable->align)));
        if (memory == nullptr) {
          throw ProgramError(error_memory_allocation,
                             "no memory for the device variable " + variable->name);
        }
        parts_->owned.push_back(memory);
        symbol.address = reinterpret_cast<std::uint64_t>(memory);
      }
      module->symbols[variable.get()] = symbol;
      parts_->symbols.try_emplace(variable->name, symbol);
    }
  }
  // Initial values may hold addresses of variables and functions, so they come last.
  for (const auto& module : parts_->modules) {
    for (const auto& variable : module->ast->variables) {
      const auto found = module->symbols.find(variable.get());
      if (found == module->symbols.end() || variable->initial.empty() ||
          bound.count(variable->name) != 0) {
        continue;
      }
      auto* at = reinterpret_cast<std::byte*>(found->second.address);
      const auto step = static_cast<std::size_t>(variable->element_size);
      std::size_t offset = 0;
      for (const auto& item : variable->initial) {
        if (offset + step > found->second.bytes) {
          throw ProgramError(error_invalid_ptx, "the device variable " + variable->name +
                                                    " has more initial values than elements");
        }
        std::uint64_t value = item.bits;
        if (!item.symbol.empty()) {
          const auto target = module->ast->variable_by_name.find(item.symbol);
          if (target != module->ast->variable_by_name.end()) {
            const Symbol* symbol = this->variable(*module, *target->second);
            if (symbol == nullptr) {
              throw ProgramError(error_no_symbol, "undefined device variable " + item.symbol);
            }
            value = symbol->address + item.bits;
          } else {
            value = function_address(*module, item.symbol) + item.bits;
          }
          if (item.one_byte) value = (value >> item.shift) & 0xffU;
        }
        std::memcpy(at + offset, &value, std::min<std::size_t>(step, 8));
        offset += step;
      }
    }
  }
}

Program::~Program() {
  for (void* memory : parts_->owned) Memory::instance().release(memory);
}

bool Program::has_kernel(std::string_view name) const {
  for (const auto& module : parts_->modules) {
    const ptx::Function* f = module->ast->find_function(name);
    if (f != nullptr && f->entry && !f->external) return true;
  }
  return false;
}

std::vector<std::string> Program::kernels() const {
  std::vector<std::string> names;
  for (const auto& module : parts_->modules) {
    for (const auto& [name, f] : module->ast->function_by_name) {
      if (f->entry && !f->external) names.push_back(name);
    }
  }
  return names;
}

const Symbol* Program::symbol(std::string_view name) const {
  const auto found = parts_->symbols.find(name);
  return found == parts_->symbols.end() ? nullptr : &found->second;
}

const Symbol* Program::variable(const Module& from, const ptx::Variable& variable) const {
  const auto own = from.symbols.find(&variable);
  if (own != from.symbols.end()) return &own->second;
  const auto other = parts_->variables.find(variable.name);
  if (other == parts_->variables.end()) return nullptr;
  const auto found = other->second.first->symbols.find(other->second.second);
  return found == other->second.first->symbols.end() ? nullptr : &found->second;
}

std::pair<const Program::Module*, ptx::Function*> Program::find(const Module& from,
                                                                std::string_view name) const {
  ptx::Function* own = from.ast->find_function(name);
  if (own != nullptr && !own->external) return {&from, own};
  const auto other = parts_->functions.find(name);
  if (other != parts_->functions.end()) return other->second;
  return {nullptr, nullptr};
}

// An address for each function, before it is decoded: its Code object exists from the first time
// that anybody asks.
std::uint64_t Program::function_address(const Module& from, std::string_view name) {
  const auto [module, function] = find(from, name);
  if (function == nullptr) {
    throw ProgramError(error_no_symbol, "undefined device function " + std::string(name));
  }
  auto& code = parts_->codes[function];
  if (code == nullptr) {
    code = std::make_unique<Code>();
    code->name = function->name;
    code->origin_module = module;
    code->origin_function = function;
    parts_->code_at[reinterpret_cast<std::uint64_t>(code.get())] = code.get();
  }
  return reinterpret_cast<std::uint64_t>(code.get());
}

const Code* Program::function(const Module& from, std::string_view name) {
  const auto [module, function] = find(from, name);
  if (function == nullptr) return nullptr;
  auto* code = reinterpret_cast<Code*>(function_address(from, name));
  if (code->decoded || code->being_decoded) return code;
  code->being_decoded = true;
  try {
    ptx::parse_body(*module->ast, *function);
    if (function->entry) {
      code->shared_bytes = static_cast<std::uint32_t>(place_shared(*module, *function));
      for (const SharedVariable& one : parts_->shared_variables) {
        if (one.begin >= code->shared_bytes) continue;
        code->shared_variables.push_back(one);
        code->shared_gaps += static_cast<std::uint32_t>(shared_gap_after(one.bytes));
      }
    }
    FunctionDecoder(*this, *module, *function, *code).run();
  } catch (const ptx::ParseError& error) {
    forget(*code);
    throw ProgramError(error_invalid_ptx, "in " + function->name + ": " + error.what());
  } catch (...) {
    forget(*code);
    throw;
  }
  code->decoded = true;
  code->being_decoded = false;
  return code;
}

const Code* Program::kernel(std::string_view name) {
  const std::lock_guard lock(parts_->mutex);
  for (const auto& module : parts_->modules) {
    ptx::Function* f = module->ast->find_function(name);
    if (f == nullptr || !f->entry || f->external) continue;
    return function(*module, name);
  }
  return nullptr;
}

const Code* Program::function_at(std::uint64_t address) {
  const std::lock_guard lock(parts_->mutex);
  const auto found = parts_->code_at.find(address);
  if (found == parts_->code_at.end()) return nullptr;
  const Code* code = found->second;
  if (!code->decoded) (void)function(*static_cast<const Module*>(code->origin_module), code->name);
  return code;
}

// Shared variables of functions other than kernels, and those of modules that such functions name,
// get one place in the whole program, whatever kernel calls the function. A kernel's own follow all
// of those that it can come to; the end of these is returned.
std::uint64_t Program::place_shared(const Module& of, ptx::Function& kernel) {
  std::uint64_t end = 0;
  std::set<const ptx::Function*> seen;
  std::vector<std::pair<const Module*, ptx::Function*>> open;
  const auto come_to = [&](const Module& module, ptx::Function& function) {
    if (seen.insert(&function).second) open.emplace_back(&module, &function);
  };
  const auto place = [&](const ptx::Variable& variable) {
    const auto align = static_cast<std::uint64_t>(std::max(variable.align, 1));
    const auto [found, added] = parts_->shared_offsets.try_emplace(&variable, 0);
    if (added) {
      found->second = align_up(parts_->shared_bytes, align);
      const auto bytes = static_cast<std::uint64_t>(variable.bytes());
      parts_->shared_variables.push_back({variable.name, static_cast<std::uint32_t>(found->second),
                                          static_cast<std::uint32_t>(bytes)});
      parts_->shared_bytes = found->second + bytes + shared_gap_after(bytes);
      if (parts_->shared_bytes > (1U << 24)) {
        throw ProgramError(error_too_much_shared, "more shared memory than any device has");
      }
    }
    const auto bytes = static_cast<std::uint64_t>(variable.bytes());
    end = std::max(end, found->second + bytes + shared_gap_after(bytes));
  };
  come_to(of, kernel);
  bool called_by_address = false;
  while (!open.empty()) {
    // No structured binding: Clang 14 does not let lambdas refer to one.
    const auto* const module = open.back().first;
    ptx::Function* const function = open.back().second;
    open.pop_back();
    ptx::parse_body(*module->ast, *function);
    const auto look = [&](const auto& self, const ptx::Operand& operand) -> void {
      if (operand.kind == ptx::Operand::Kind::symbol) {
        const auto variable = module->ast->variable_by_name.find(operand.name);
        if (variable != module->ast->variable_by_name.end()) {
          const ptx::Variable& named = *variable->second;
          const bool shared = named.space == ptx::Space::shared && !named.external;
          if (shared && (!function->entry || shared_offset(named) != nullptr)) place(named);
        } else if (const auto [there, callee] = find(*module, operand.name);
                   callee != nullptr && !callee->entry) {
          come_to(*there, *callee);
        }
      }
      for (const auto& item : operand.items) self(self, item);
    };
    for (const auto& in : function->instructions) {
      for (const auto& operand : in.operands) look(look, operand);
      if (in.opcode != "call" || called_by_address) continue;
      if (in.operands.size() > 1 && in.operands[1].kind == ptx::Operand::Kind::symbol) continue;
      // An address may be that of any function.
      called_by_address = true;
      for (const auto& other : parts_->modules) {
        for (const auto& callee : other->ast->functions) {
          if (!callee->entry && !callee->external) come_to(*other, *callee);
        }
      }
    }
    if (function->entry) continue;
    for (const auto& variable : function->variables) {
      if (variable->space == ptx::Space::shared && !variable->external) place(*variable);
    }
  }
  return end;
}

const std::uint64_t* Program::shared_offset(const ptx::Variable& variable) const {
  const auto found = parts_->shared_offsets.find(&variable);
  return found == parts_->shared_offsets.end() ? nullptr : &found->second;
}

}  // namespace softgpu
