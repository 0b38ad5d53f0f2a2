// PTX as written: modules, functions, variables and instructions, with names resolved to the
// variables they mean. PTX ISA 9.0.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace softgpu::ptx {

// Carries the line of the PTX text.
class ParseError : public std::runtime_error {
 public:
  ParseError(int line, const std::string& what)
      : std::runtime_error("PTX line " + std::to_string(line) + ": " + what), line_(line) {}
  [[nodiscard]] int line() const noexcept { return line_; }

 private:
  int line_;
};

enum class Space { reg, param, local, shared, global, constant, texture };

struct Variable;

// One element of an initialiser: a number, or the address of a variable or function plus an offset.
struct Initialiser {
  std::uint64_t bits = 0;  // an integer, or the bits of a float of the variable's type
  std::string symbol;      // address of this, plus bits, where not empty
  bool generic = false;    // generic(symbol)
  unsigned shift = 0;      // mask(): which byte of the address, in bits
  bool one_byte = false;
};

struct Variable {
  std::string name;
  Space space = Space::reg;
  std::string type;        // "b32", "pred", "texref", ...
  int element_size = 0;    // bytes of one element; 0 for pred
  int vector = 1;          // 2 or 4 for .v2 and .v4
  std::int64_t count = 1;  // elements of an array; 0 where unsized
  bool is_array = false;
  int align = 0;
  bool external = false;
  bool visible = false;
  bool weak = false;
  bool managed = false;
  std::vector<Initialiser> initial;
  int index = 0;  // position in its function's or module's list

  [[nodiscard]] std::int64_t bytes() const noexcept {
    return static_cast<std::int64_t>(element_size) * vector * count;
  }
};

struct Operand {
  enum class Kind {
    none,
    variable,  // register, or any variable's address
    special,   // %tid.x: `name`
    integer,   // `bits`
    real32,    // 0f: `bits`
    real64,    // 0d: `bits`
    symbol,    // function or module variable by name, resolved when compiled
    label,     // resolved to an instruction index in `bits`
    address,   // [base + offset]: items[0] is the base, `bits` the offset
    vector,    // {a, b, ...}: items
    list,      // (a, b, ...): items, of a call
    sink,      // _
  };
  Kind kind = Kind::none;
  const Variable* variable = nullptr;
  int component = -1;    // .x .y .z .w of a vector register
  bool negated = false;  // !p, and -imm is folded into bits
  std::uint64_t bits = 0;
  std::string name;
  std::vector<Operand> items;
  std::unique_ptr<Operand> second;  // the q of p|q

  Operand() = default;
  Operand(const Operand& other) { *this = other; }
  Operand(Operand&&) noexcept = default;
  Operand& operator=(Operand&&) noexcept = default;
  Operand& operator=(const Operand& other) {
    if (this == &other) return *this;
    kind = other.kind;
    variable = other.variable;
    component = other.component;
    negated = other.negated;
    bits = other.bits;
    name = other.name;
    items = other.items;
    second = other.second ? std::make_unique<Operand>(*other.second) : nullptr;
    return *this;
  }
  ~Operand() = default;
};

struct Instruction {
  std::string opcode;                  // "ld"
  std::vector<std::string> modifiers;  // "global", "v4", "f32"
  const Variable* guard = nullptr;
  bool guard_negated = false;
  std::vector<Operand> operands;
  int line = 0;         // of the PTX text
  int source_file = 0;  // of the last .loc, 0 where there is none
  int source_line = 0;
  std::int32_t inlined_at = -1;  // index into Function::call_sites; -1 where it was not inlined

  [[nodiscard]] bool has(std::string_view modifier) const {
    for (const auto& m : modifiers) {
      if (m == modifier) return true;
    }
    return false;
  }
  [[nodiscard]] std::string text() const {
    std::string all = opcode;
    for (const auto& m : modifiers) all += "." + m;
    return all;
  }
};

// A line of source at which a function was inlined; that may have been inlined itself.
struct CallSite {
  int file = 0;
  int line = 0;
  std::int32_t inlined_at = -1;
};

struct Function {
  std::string name;
  bool entry = false;
  bool external = false;  // no body
  bool weak = false;
  bool noreturn = false;
  std::vector<const Variable*> returns;
  std::vector<const Variable*> parameters;
  std::vector<std::unique_ptr<Variable>> variables;
  std::vector<Instruction> instructions;
  std::vector<CallSite> call_sites;  // that instructions name
  // .branchtargets and .calltargets tables by label, and .callprototype declarations.
  std::map<std::string, std::vector<std::int64_t>> branch_targets;
  std::map<std::string, std::shared_ptr<Function>> prototypes;
  int max_threads[3] = {0, 0, 0};       // .maxntid
  int required_threads[3] = {0, 0, 0};  // .reqntid
  int cluster[3] = {0, 0, 0};           // .reqnctapercluster
  bool parsed = false;                  // false until parse_body
  std::size_t body_begin = 0;           // offset of the text after '{'
  int body_line = 0;
};

struct Module {
  std::string text;
  int version_major = 0;
  int version_minor = 0;
  std::string target;
  std::vector<std::unique_ptr<Variable>> variables;
  std::vector<std::unique_ptr<Function>> functions;
  std::map<std::string, Variable*, std::less<>> variable_by_name;
  std::map<std::string, Function*, std::less<>> function_by_name;
  std::map<std::string, std::string, std::less<>> aliases;
  std::map<int, std::string> files;  // .file

  [[nodiscard]] Function* find_function(std::string_view name) const;
};

// Reads declarations; function bodies are only skipped over. Throws ParseError.
[[nodiscard]] std::unique_ptr<Module> parse_module(std::string text);

// Reads the body of one function of the module, once.
void parse_body(Module& module, Function& function);

}  // namespace softgpu::ptx
