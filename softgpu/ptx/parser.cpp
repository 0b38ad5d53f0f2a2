#include <array>
#include <bit>
#include <cctype>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>

#include "softgpu/ptx/ast.hpp"

namespace softgpu::ptx {
namespace {

bool starts_name(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%';
}
bool continues_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '%';
}

int size_of_type(std::string_view type) {
  if (type == "pred") return 0;
  if (type == "b8" || type == "u8" || type == "s8" || type == "e4m3" || type == "e5m2") return 1;
  if (type == "b16" || type == "u16" || type == "s16" || type == "f16" || type == "bf16" ||
      type == "e4m3x2" || type == "e5m2x2") {
    return 2;
  }
  if (type == "b32" || type == "u32" || type == "s32" || type == "f32" || type == "f16x2" ||
      type == "bf16x2" || type == "tf32") {
    return 4;
  }
  if (type == "b64" || type == "u64" || type == "s64" || type == "f64" || type == "texref" ||
      type == "samplerref" || type == "surfref" || type == "f32x2") {
    return 8;
  }
  if (type == "b128") return 16;
  return -1;
}

std::optional<Space> space_of(std::string_view name) {
  if (name == "reg") return Space::reg;
  if (name == "param") return Space::param;
  if (name == "local") return Space::local;
  if (name == "shared") return Space::shared;
  if (name == "global") return Space::global;
  if (name == "const") return Space::constant;
  if (name == "tex") return Space::texture;
  return std::nullopt;
}

class Parser {
 public:
  Parser(Module& module, std::size_t at, int line)
      : module_(module), text_(module.text), at_(at), line_(line) {}

  void module() {
    for (;;) {
      skip();
      if (end()) return;
      if (peek() == '.') {
        directive();
      } else if (peek() == ';') {
        ++at_;
      } else {
        fail("expected a directive");
      }
    }
  }

  void body(Function& function) {
    function_ = &function;
    scopes_.assign(1, Scope{});
    for (const Variable* v : function.parameters) declare(v);
    for (const Variable* v : function.returns) declare(v);
    scopes_.emplace_back();
    statements();
    resolve_labels();
    function.parsed = true;
  }

 private:
  struct Scope {
    std::map<std::string, const Variable*, std::less<>> variables;
    int id = 0;
  };
  struct LabelUse {
    std::size_t instruction;
    std::string name;
    std::vector<int> scopes;  // innermost last
  };

  // --- text ---------------------------------------------------------------------------------

  [[noreturn]] void fail(const std::string& what) const { throw ParseError(line_, what); }
  [[nodiscard]] bool end() const { return at_ >= text_.size(); }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void skip() {
    while (!end()) {
      const char c = text_[at_];
      if (c == '\n') {
        ++line_;
        ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else if (c == '/' && peek(1) == '/') {
        while (!end() && text_[at_] != '\n') ++at_;
      } else if (c == '/' && peek(1) == '*') {
        at_ += 2;
        while (!end() && !(text_[at_] == '*' && peek(1) == '/')) {
          if (text_[at_] == '\n') ++line_;
          ++at_;
        }
        at_ = std::min(at_ + 2, text_.size());
      } else {
        return;
      }
    }
  }

  bool accept(char c) {
    skip();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected '") + c + "'" + found());
  }
  [[nodiscard]] std::string found() const {
    return end() ? " at the end" : std::string(", found '") + text_[at_] + "'";
  }

  std::string name() {
    skip();
    if (!starts_name(peek())) fail("expected a name" + found());
    const std::size_t start = at_;
    while (continues_name(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }

  // ".name" with the dot consumed.
  std::string dotted() {
    expect('.');
    return name_or_word();
  }
  std::string name_or_word() {
    const std::size_t start = at_;
    while (continues_name(peek()) || (peek() == ':' && peek(1) == ':')) {
      at_ += peek() == ':' ? 2 : 1;
    }
    if (start == at_) fail("expected a word" + found());
    return text_.substr(start, at_ - start);
  }

  std::string quoted() {
    expect('"');
    const std::size_t start = at_;
    while (!end() && text_[at_] != '"') {
      if (text_[at_] == '\n') ++line_;
      ++at_;
    }
    std::string value = text_.substr(start, at_ - start);
    expect('"');
    return value;
  }

  struct Number {
    enum class Kind { integer, real32, real64 } kind;
    std::uint64_t bits;
  };
  Number number() {
    skip();
    const bool negative = accept_minus();
    if (peek() == '0' && (peek(1) == 'f' || peek(1) == 'F') && hex_run(at_ + 2) == 8) {
      auto bits = static_cast<std::uint32_t>(hex(at_ + 2, 8));
      at_ += 10;
      if (negative) bits ^= 0x80000000U;
      return {Number::Kind::real32, bits};
    }
    if (peek() == '0' && (peek(1) == 'd' || peek(1) == 'D') && hex_run(at_ + 2) == 16) {
      std::uint64_t bits = hex(at_ + 2, 16);
      at_ += 18;
      if (negative) bits ^= std::uint64_t{1} << 63;
      return {Number::Kind::real64, bits};
    }
    if (std::isdigit(static_cast<unsigned char>(peek())) == 0) fail("expected a number" + found());
    int base = 10;
    std::size_t start = at_;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
      base = 16;
      start += 2;
    } else if (peek() == '0' && (peek(1) == 'b' || peek(1) == 'B')) {
      base = 2;
      start += 2;
    } else if (peek() == '0' && std::isdigit(static_cast<unsigned char>(peek(1))) != 0) {
      base = 8;
      start += 1;
    }
    if (base == 10) {
      std::size_t stop = start;
      while (stop < text_.size() && std::isdigit(static_cast<unsigned char>(text_[stop])) != 0)
        ++stop;
      const bool fraction = stop < text_.size() && text_[stop] == '.' && stop + 1 < text_.size() &&
                            std::isdigit(static_cast<unsigned char>(text_[stop + 1])) != 0;
      if (fraction) {
        double value = 0;
        const auto [rest, status] =
            std::from_chars(text_.data() + start, text_.data() + text_.size(), value);
        if (status != std::errc{}) fail("malformed number");
        at_ = static_cast<std::size_t>(rest - text_.data());
        if (negative) value = -value;
        return {Number::Kind::real64, std::bit_cast<std::uint64_t>(value)};
      }
    }
    std::uint64_t value = 0;
    const auto [rest, status] =
        std::from_chars(text_.data() + start, text_.data() + text_.size(), value, base);
    if (status != std::errc{}) fail("malformed number");
    at_ = static_cast<std::size_t>(rest - text_.data());
    if (peek() == 'U') ++at_;
    return {Number::Kind::integer, negative ? ~value + 1 : value};
  }
  bool accept_minus() {
    if (peek() != '-') return false;
    ++at_;
    skip();
    return true;
  }
  [[nodiscard]] std::size_t hex_run(std::size_t from) const {
    std::size_t n = 0;
    while (from + n < text_.size() &&
           std::isxdigit(static_cast<unsigned char>(text_[from + n])) != 0)
      ++n;
    return n;
  }
  [[nodiscard]] std::uint64_t hex(std::size_t from, std::size_t digits) const {
    std::uint64_t value = 0;
    std::from_chars(text_.data() + from, text_.data() + from + digits, value, 16);
    return value;
  }
  std::int64_t integer() {
    const Number n = number();
    if (n.kind != Number::Kind::integer) fail("expected an integer");
    return static_cast<std::int64_t>(n.bits);
  }

  // --- directives ---------------------------------------------------------------------------

  void directive() {
    const std::string word = dotted();
    if (word == "version") {
      module_.version_major = static_cast<int>(integer_part());
      expect('.');
      module_.version_minor = static_cast<int>(integer_part());
    } else if (word == "target") {
      module_.target = name_or_word_after_space();
      while (accept(',')) (void)name_or_word_after_space();
    } else if (word == "address_size") {
      if (integer() != 64) fail("only 64-bit addresses are supported");
    } else if (word == "file") {
      const int number = static_cast<int>(integer());
      module_.files[number] = quoted();
      while (accept(',')) (void)integer();
    } else if (word == "section") {
      skip_block();
    } else if (word == "pragma") {
      (void)quoted();
      expect(';');
    } else if (word == "alias") {
      const std::string from = name();
      expect(',');
      module_.aliases[from] = name();
      expect(';');
    } else {
      declaration(word);
    }
  }

  std::int64_t integer_part() {
    skip();
    const std::size_t start = at_;
    std::int64_t value = 0;
    const auto [rest, status] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (status != std::errc{}) fail("expected a number");
    at_ = start + static_cast<std::size_t>(rest - (text_.data() + start));
    return value;
  }
  std::string name_or_word_after_space() {
    skip();
    return name_or_word();
  }

  void skip_block() {
    while (!end() && text_[at_] != '{') {
      if (text_[at_] == '\n') ++line_;
      ++at_;
    }
    int depth = 0;
    while (!end()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '"') {
        (void)quoted();
        continue;
      }
      if (c == '/' && (peek(1) == '/' || peek(1) == '*')) {
        skip();
        continue;
      }
      ++at_;
      if (c == '{') ++depth;
      if (c == '}' && --depth == 0) return;
    }
    fail("a block is not closed");
  }

  void declaration(std::string word) {
    bool external = false;
    bool visible = false;
    bool weak = false;
    while (word == "extern" || word == "visible" || word == "weak" || word == "common") {
      external = external || word == "extern";
      visible = visible || word == "visible";
      weak = weak || word == "weak" || word == "common";
      word = (skip(), dotted());
    }
    if (word == "entry" || word == "func") {
      function(word == "entry", external, weak);
      return;
    }
    if (const auto space = space_of(word)) {
      for (auto& variable : variables(*space)) {
        variable->external = external;
        variable->visible = visible;
        variable->weak = weak;
        variable->index = static_cast<int>(module_.variables.size());
        const auto known = module_.variable_by_name.find(variable->name);
        if (known != module_.variable_by_name.end()) {
          // An extern declaration and its definition are one variable.
          if (known->second->external && !external) *known->second = *variable;
          continue;
        }
        module_.variable_by_name[variable->name] = variable.get();
        module_.variables.push_back(std::move(variable));
      }
      return;
    }
    fail("unknown directive ." + word);
  }

  // After ".space": [.align N] [.attribute(...)] [.v2] .type name[<n>] [[N]...] [= ...] {, name} ;
  std::vector<std::unique_ptr<Variable>> variables(Space space) {
    Variable common;
    common.space = space;
    read_type(common);
    std::vector<std::unique_ptr<Variable>> all;
    do {
      one_variable(common, all);
    } while (accept(','));
    expect(';');
    return all;
  }

  void read_type(Variable& v) {
    for (;;) {
      skip();
      if (peek() != '.') fail("expected a type" + found());
      const std::string word = dotted();
      if (word == "align") {
        const std::int64_t align = integer();
        if (align < 1 || align > (1 << 16) || (align & (align - 1)) != 0) {
          fail("an alignment is a power of two up to 65536");
        }
        v.align = static_cast<int>(align);
      } else if (word == "attribute") {
        expect('(');
        int depth = 1;
        std::string content;
        while (!end() && depth > 0) {
          if (peek() == '(') ++depth;
          if (peek() == ')') --depth;
          content += peek();
          ++at_;
        }
        if (content.find("managed") != std::string::npos) v.managed = true;
      } else if (word == "v2" || word == "v4" || word == "v8") {
        v.vector = word[1] - '0';
      } else if (word == "ptr") {
        // .param .u64 .ptr .global .align 4 name: advice only.
        skip();
        while (peek() == '.') {
          const std::string detail = dotted();
          if (detail == "align") (void)integer();
          skip();
        }
        return;
      } else {
        const int size = size_of_type(word);
        if (size < 0) fail("unknown type ." + word);
        v.type = word;
        v.element_size = size;
        skip();
        if (peek() == '.' && text_.compare(at_, 4, ".ptr") == 0) continue;
        if (v.align == 0) v.align = std::max(1, size * v.vector);
        return;
      }
    }
  }

  void one_variable(const Variable& common, std::vector<std::unique_ptr<Variable>>& all) {
    auto v = std::make_unique<Variable>(common);
    if (v->align == 0) v->align = std::max(1, v->element_size * v->vector);
    v->name = name();
    skip();
    if (peek() == '<') {
      ++at_;
      const std::int64_t count = integer();
      expect('>');
      registers_ += count < 0 ? 0 : count;
      if (count < 0 || registers_ > (1 << 20)) fail("impossible number of registers");
      for (std::int64_t i = 0; i < count; ++i) {
        auto one = std::make_unique<Variable>(*v);
        one->name += std::to_string(i);
        all.push_back(std::move(one));
      }
      return;
    }
    while (accept('[')) {
      v->is_array = true;
      skip();
      const std::int64_t extent = peek() == ']' ? 0 : integer();
      expect(']');
      if (extent < 0 || (extent > 0 && v->count > (std::int64_t{1} << 40) / extent)) {
        fail("impossible array size");
      }
      v->count *= extent;
    }
    if (accept('=')) {
      initialiser(*v);
      if (v->is_array && v->count == 0) {
        v->count = static_cast<std::int64_t>(v->initial.size()) / v->vector;
      }
    }
    all.push_back(std::move(v));
  }

  void initialiser(Variable& v) {
    if (accept('{')) {
      if (accept('}')) return;
      do initialiser(v);
      while (accept(','));
      expect('}');
      return;
    }
    skip();
    Initialiser item;
    if (starts_name(peek())) {
      std::string word = name();
      if (word == "generic") {
        expect('(');
        item.generic = true;
        word = name();
        offset_of(item);
        expect(')');
        item.symbol = word;
        offset_of(item);
      } else {
        item.symbol = word;
        offset_of(item);
      }
    } else {
      const Number n = number();
      if (accept('(')) {
        // 0xFF00(symbol): one byte of an address.
        item.one_byte = true;
        item.shift = n.bits == 0 ? 0 : static_cast<unsigned>(std::countr_zero(n.bits));
        std::string word = name();
        if (word == "generic") {
          expect('(');
          item.generic = true;
          word = name();
          expect(')');
        }
        item.symbol = word;
        offset_of(item);
        expect(')');
      } else if (n.kind == Number::Kind::real64 && v.type == "f32") {
        item.bits = std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<double>(n.bits)));
      } else if (n.kind == Number::Kind::integer && (v.type == "f32" || v.type == "f64")) {
        const auto value = static_cast<double>(static_cast<std::int64_t>(n.bits));
        item.bits = v.type == "f64" ? std::bit_cast<std::uint64_t>(value)
                                    : std::bit_cast<std::uint32_t>(static_cast<float>(value));
      } else {
        item.bits = n.bits;
      }
    }
    v.initial.push_back(std::move(item));
  }
  void offset_of(Initialiser& item) {
    skip();
    if (peek() == '+') {
      ++at_;
      item.bits += number().bits;
    } else if (peek() == '-') {
      item.bits += number().bits;
    }
  }

  // --- functions ----------------------------------------------------------------------------

  std::vector<const Variable*> parameter_list(Function& f) {
    std::vector<const Variable*> list;
    if (!accept('(')) return list;
    if (accept(')')) return list;
    do {
      skip();
      const std::string word = dotted();
      const auto space = space_of(word);
      if (!space) fail("expected .param or .reg, found ." + word);
      Variable common;
      common.space = *space;
      read_type(common);
      std::vector<std::unique_ptr<Variable>> one;
      one_variable(common, one);
      for (auto& v : one) {
        v->index = static_cast<int>(f.variables.size());
        list.push_back(v.get());
        f.variables.push_back(std::move(v));
      }
    } while (accept(','));
    expect(')');
    return list;
  }

  void function_directives(Function& f) {
    for (;;) {
      skip();
      if (peek() != '.') return;
      const std::string word = dotted();
      int* triple = word == "maxntid"             ? f.max_threads
                    : word == "reqntid"           ? f.required_threads
                    : word == "reqnctapercluster" ? f.cluster
                                                  : nullptr;
      if (triple != nullptr) {
        for (int i = 0; i < 3; ++i) triple[i] = 1;
        int i = 0;
        do {
          const auto value = static_cast<int>(integer());
          if (i < 3) triple[i++] = value;
        } while (accept(','));
      } else if (word == "minnctapersm" || word == "maxnreg" || word == "maxclusterrank" ||
                 word == "maxnctapersm" || word == "abi_preserve" ||
                 word == "abi_preserve_control") {
        (void)integer();
      } else if (word == "noreturn") {
        f.noreturn = true;
      } else if (word == "unified") {
        if (accept('(')) {
          while (!end() && text_[at_] != ')') ++at_;
          expect(')');
        }
      } else if (word == "pragma") {
        (void)quoted();
        (void)accept(';');
      } else if (word == "explicitcluster" || word == "blocksareclusters") {
        // Nothing to do: clusters are taken from the launch.
      } else {
        fail("unknown function directive ." + word);
      }
    }
  }

  void function(bool entry, bool external, bool weak) {
    auto f = std::make_unique<Function>();
    f->entry = entry;
    f->weak = weak;
    skip();
    if (peek() == '.') {
      // .func .attribute(...)
      Variable ignored;
      const std::string word = dotted();
      if (word != "attribute") fail("unknown function attribute ." + word);
      expect('(');
      while (!end() && text_[at_] != ')') ++at_;
      expect(')');
    }
    if (!entry) f->returns = parameter_list(*f);
    f->name = name();
    f->parameters = parameter_list(*f);
    function_directives(*f);
    skip();
    if (accept(';')) {
      f->external = true;
    } else {
      expect('{');
      f->body_begin = at_;
      f->body_line = line_;
      --at_;
      skip_block();
    }
    (void)external;
    auto& slot = module_.function_by_name[f->name];
    // A declaration and a definition are one function: the definition wins.
    if (slot == nullptr || (slot->external && !f->external)) slot = f.get();
    module_.functions.push_back(std::move(f));
  }

  // --- bodies -------------------------------------------------------------------------------

  void declare(const Variable* v) { scopes_.back().variables[v->name] = v; }

  void statements() {
    int depth = 1;
    std::vector<int> ids{0};
    int next_id = 1;
    scopes_.back().id = 0;
    for (;;) {
      skip();
      if (end()) fail("the function's body is not closed");
      const char c = peek();
      if (c == '{') {
        ++at_;
        ++depth;
        scopes_.emplace_back();
        scopes_.back().id = next_id++;
      } else if (c == '}') {
        ++at_;
        scopes_.pop_back();
        if (--depth == 0) return;
      } else if (c == ';') {
        ++at_;
      } else if (c == '.') {
        body_directive();
      } else {
        statement();
      }
    }
  }

  using Location = std::array<int, 3>;  // file, line, column

  // The place in the source as one of the function's call sites.
  std::int32_t call_site(const Location& at) {
    const auto outer = locations_.find(at);
    const CallSite site{at[0], at[1], outer == locations_.end() ? -1 : outer->second};
    auto& sites = function_->call_sites;
    for (std::size_t i = sites.size(); i-- > 0;) {
      if (sites[i].file == site.file && sites[i].line == site.line &&
          sites[i].inlined_at == site.inlined_at) {
        return static_cast<std::int32_t>(i);
      }
    }
    sites.push_back(site);
    return static_cast<std::int32_t>(sites.size() - 1);
  }

  void body_directive() {
    const std::string word = dotted();
    if (word == "loc") {
      source_file_ = static_cast<int>(integer());
      source_line_ = static_cast<int>(integer());
      const Location here{source_file_, source_line_, static_cast<int>(integer())};
      inlined_at_ = -1;
      while (accept(',')) {
        // function_name label [+ offset], inlined_at file line column
        const std::string what = name();
        skip();
        if (accept('+')) (void)integer();
        skip();
        if (starts_name(peek())) (void)name();
        skip();
        std::vector<int> numbers;
        while (std::isdigit(static_cast<unsigned char>(peek())) != 0) {
          numbers.push_back(static_cast<int>(integer()));
          skip();
        }
        if (what == "inlined_at" && numbers.size() == 3) {
          inlined_at_ = call_site({numbers[0], numbers[1], numbers[2]});
        }
      }
      // "A previously specified .loc" is what a later inlined_at means: the last of that place.
      locations_[here] = inlined_at_;
      return;
    }
    if (word == "pragma") {
      (void)quoted();
      expect(';');
      return;
    }
    if (const auto space = space_of(word)) {
      for (auto& v : variables(*space)) {
        v->index = static_cast<int>(function_->variables.size());
        declare(v.get());
        function_->variables.push_back(std::move(v));
      }
      return;
    }
    if (word == "section") {
      skip_block();
      return;
    }
    fail("unknown directive ." + word);
  }

  void statement() {
    Instruction in;
    if (accept('@')) {
      in.guard_negated = accept('!');
      const std::string p = name();
      in.guard = find(p);
      if (in.guard == nullptr) fail("unknown predicate " + p);
    }
    skip();
    in.line = line_;
    in.source_file = source_file_;
    in.source_line = source_line_;
    in.inlined_at = inlined_at_;
    std::string word = name();
    skip();
    if (peek() == ':' && in.guard == nullptr) {
      ++at_;
      label(word);
      return;
    }
    in.opcode = word;
    while (peek() == '.') {
      ++at_;
      in.modifiers.push_back(name_or_word());
    }
    skip();
    if (peek() != ';') {
      if (in.opcode == "call") {
        call_operands(in);
      } else {
        do in.operands.push_back(operand(in));
        while (accept(','));
      }
    }
    expect(';');
    function_->instructions.push_back(std::move(in));
  }

  void label(const std::string& word) {
    skip();
    if (peek() == '.') {
      const std::size_t mark = at_;
      const int mark_line = line_;
      const std::string directive_word = dotted();
      if (directive_word == "branchtargets") {
        std::vector<std::int64_t> targets;
        do {
          pending_targets_.push_back({word, targets.size(), name(), scope_ids()});
          targets.push_back(-1);
        } while (accept(','));
        expect(';');
        function_->branch_targets[word] = targets;
        return;
      }
      if (directive_word == "calltargets") {
        do (void)name();
        while (accept(','));
        expect(';');
        return;
      }
      if (directive_word == "callprototype") {
        auto prototype = std::make_shared<Function>();
        prototype->returns = parameter_list(*prototype);
        (void)name();
        prototype->parameters = parameter_list(*prototype);
        function_directives(*prototype);
        expect(';');
        function_->prototypes[word] = prototype;
        return;
      }
      at_ = mark;
      line_ = mark_line;
    }
    labels_[{scopes_.back().id, word}] = static_cast<std::int64_t>(function_->instructions.size());
  }

  [[nodiscard]] std::vector<int> scope_ids() const {
    std::vector<int> ids;
    for (std::size_t i = 1; i < scopes_.size(); ++i) ids.push_back(scopes_[i].id);
    return ids;
  }

  [[nodiscard]] const Variable* find(const std::string& word) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto found = scope->variables.find(word);
      if (found != scope->variables.end()) return found->second;
    }
    return nullptr;
  }

  void call_operands(Instruction& in) {
    // call [(ret)], target [, (args)] [, prototype or table];
    Operand returns;
    returns.kind = Operand::Kind::list;
    if (peek() == '(') {
      returns.items = list();
      expect(',');
    }
    in.operands.push_back(std::move(returns));
    in.operands.push_back(operand(in));
    Operand arguments;
    arguments.kind = Operand::Kind::list;
    if (accept(',')) {
      skip();
      if (peek() == '(') {
        arguments.items = list();
        if (accept(',')) {
          Operand table;
          table.kind = Operand::Kind::symbol;
          table.name = name();
          in.operands.push_back(std::move(arguments));
          in.operands.push_back(std::move(table));
          return;
        }
      } else {
        Operand table;
        table.kind = Operand::Kind::symbol;
        table.name = name();
        in.operands.push_back(std::move(arguments));
        in.operands.push_back(std::move(table));
        return;
      }
    }
    in.operands.push_back(std::move(arguments));
  }

  std::vector<Operand> list() {
    std::vector<Operand> items;
    expect('(');
    if (accept(')')) return items;
    Instruction none;
    do items.push_back(operand(none));
    while (accept(','));
    expect(')');
    return items;
  }

  Operand operand(const Instruction& in) {
    skip();
    Operand o;
    const char c = peek();
    if (c == '[') {
      ++at_;
      o.kind = Operand::Kind::address;
      o.items.push_back(operand(in));
      skip();
      if (peek() == '+' || peek() == '-') {
        if (peek() == '+') ++at_;
        skip();
        if (starts_name(peek())) fail("an address has one register only");
        o.bits = number().bits;
      }
      // Textures and bulk copies: [handle, {coordinates}].
      while (accept(',')) o.items.push_back(operand(in));
      expect(']');
      return o;
    }
    if (c == '{') {
      ++at_;
      o.kind = Operand::Kind::vector;
      do o.items.push_back(operand(in));
      while (accept(','));
      expect('}');
      // tex: {channels}|resident.
      if (accept('|')) o.second = std::make_unique<Operand>(operand(in));
      return o;
    }
    if (c == '(') {
      o.kind = Operand::Kind::list;
      o.items = list();
      return o;
    }
    // A negated register, which only vmad has.
    const bool negated_name = c == '-' && starts_name(peek(1));
    if (c == '!' || negated_name) {
      ++at_;
      o = operand(in);
      o.negated = true;
      return o;
    }
    if (c == '-' || std::isdigit(static_cast<unsigned char>(c)) != 0) {
      const Number n = number();
      o.bits = n.bits;
      o.kind = n.kind == Number::Kind::integer  ? Operand::Kind::integer
               : n.kind == Number::Kind::real32 ? Operand::Kind::real32
                                                : Operand::Kind::real64;
      return o;
    }
    std::string word = name();
    if (word == "_") {
      o.kind = Operand::Kind::sink;
    } else if (const Variable* v = find(word)) {
      o.kind = Operand::Kind::variable;
      o.variable = v;
      const auto digit = [&](int ahead) {
        return std::isdigit(static_cast<unsigned char>(peek(ahead))) != 0;
      };
      if (peek() == '.' && (peek(1) == 'b' || peek(1) == 'h') && digit(2)) {
        // Bytes or half words of a video instruction's operand: .h1, .b3210.
        ++at_;
        do o.name += text_[at_++];
        while (digit(0));
      } else if (peek() == '.') {
        const char which = peek(1);
        const char* at = std::strchr("xyzwrgba", which);
        if (which == '\0' || at == nullptr) fail("unknown component of " + word);
        o.component = static_cast<int>(at - "xyzwrgba") % 4;
        at_ += 2;
      }
    } else if (word[0] == '%' || word == "WARP_SZ") {
      o.kind = Operand::Kind::special;
      o.name = word;
      if (peek() == '.') {
        ++at_;
        o.name += "." + name_or_word();
      }
    } else if ((in.opcode == "bra" || in.opcode == "brx")) {
      o.kind = Operand::Kind::label;
      o.name = word;
      label_uses_.push_back({function_->instructions.size(), word, scope_ids()});
    } else {
      o.kind = Operand::Kind::symbol;
      o.name = word;
    }
    skip();
    if (peek() == '|') {
      ++at_;
      o.second = std::make_unique<Operand>(operand(in));
    }
    return o;
  }

  [[nodiscard]] std::int64_t find_label(const std::string& word,
                                        const std::vector<int>& scopes) const {
    for (auto id = scopes.rbegin(); id != scopes.rend(); ++id) {
      const auto found = labels_.find({*id, word});
      if (found != labels_.end()) return found->second;
    }
    return -1;
  }

  void resolve_labels() {
    for (const auto& use : label_uses_) {
      Instruction& in = function_->instructions[use.instruction];
      for (auto& o : in.operands) {
        if (o.kind != Operand::Kind::label || o.name != use.name) continue;
        const std::int64_t at = find_label(use.name, use.scopes);
        if (at < 0) {
          // brx.idx names a .branchtargets table instead.
          if (function_->branch_targets.count(use.name) != 0) {
            o.kind = Operand::Kind::symbol;
            continue;
          }
          throw ParseError(in.line, "unknown label " + use.name);
        }
        o.bits = static_cast<std::uint64_t>(at);
      }
    }
    for (const auto& target : pending_targets_) {
      const std::int64_t at = find_label(target.name, target.scopes);
      if (at < 0) fail("unknown label " + target.name);
      function_->branch_targets[target.table][target.position] = at;
    }
  }

  struct PendingTarget {
    std::string table;
    std::size_t position;
    std::string name;
    std::vector<int> scopes;
  };

  Module& module_;
  const std::string& text_;
  std::size_t at_;
  int line_;
  Function* function_ = nullptr;
  std::vector<Scope> scopes_;
  std::map<std::pair<int, std::string>, std::int64_t> labels_;
  std::vector<LabelUse> label_uses_;
  std::vector<PendingTarget> pending_targets_;
  int source_file_ = 0;
  int source_line_ = 0;
  std::int32_t inlined_at_ = -1;
  std::map<Location, std::int32_t> locations_;  // and where each was inlined last
  std::int64_t registers_ = 0;
};

}  // namespace

Function* Module::find_function(std::string_view name) const {
  auto found = function_by_name.find(name);
  if (found == function_by_name.end() || found->second->external) {
    const auto alias = aliases.find(name);
    if (alias != aliases.end()) return find_function(alias->second);
  }
  return found == function_by_name.end() ? nullptr : found->second;
}

std::unique_ptr<Module> parse_module(std::string text) {
  auto module = std::make_unique<Module>();
  module->text = std::move(text);
  Parser(*module, 0, 1).module();
  return module;
}

void parse_body(Module& module, Function& function) {
  if (function.parsed || function.external) return;
  Parser(module, function.body_begin, function.body_line).body(function);
}

}  // namespace softgpu::ptx
