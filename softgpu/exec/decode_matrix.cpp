// mma, wmma, ldmatrix, stmatrix, movmatrix and conversions of 8-bit floats. PTX ISA 9.0, section
// 9.7.14, "Warp level matrix multiply-accumulate instructions".
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/matrix.hpp"

namespace softgpu {
namespace {

std::optional<MatrixType> matrix_type(std::string_view name) {
  struct Name {
    std::string_view name;
    MatrixType type;
  };
  static constexpr Name names[] = {
      {"f16", MatrixType::f16},   {"bf16", MatrixType::bf16}, {"tf32", MatrixType::tf32},
      {"f32", MatrixType::f32},   {"f64", MatrixType::f64},   {"e4m3", MatrixType::e4m3},
      {"e5m2", MatrixType::e5m2}, {"s8", MatrixType::s8},     {"u8", MatrixType::u8},
      {"s4", MatrixType::s4},     {"u4", MatrixType::u4},     {"b1", MatrixType::b1},
      {"s32", MatrixType::s32},
  };
  for (const auto& [known, type] : names) {
    if (known == name) return type;
  }
  return std::nullopt;
}

bool is_integer(MatrixType type) {
  return type == MatrixType::s8 || type == MatrixType::u8 || type == MatrixType::s4 ||
         type == MatrixType::u4;
}

struct Shape {
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
};

// "m16n8k16".
std::optional<Shape> shape_of(std::string_view word) {
  Shape shape;
  std::size_t at = 0;
  const auto part = [&](char letter, std::uint32_t& value) {
    if (at >= word.size() || word[at] != letter) return false;
    ++at;
    const std::size_t start = at;
    while (at < word.size() && word[at] >= '0' && word[at] <= '9' && value < 1000) {
      value = value * 10 + static_cast<std::uint32_t>(word[at++] - '0');
    }
    return at > start;
  };
  if (!part('m', shape.m) || !part('n', shape.n)) return std::nullopt;
  if (at < word.size() && !part('k', shape.k)) return std::nullopt;
  if (at != word.size()) return std::nullopt;
  return shape;
}

// The words of a matrix instruction, sorted.
struct Words {
  std::optional<Shape> shape;
  std::vector<MatrixType> types;
  std::vector<std::string> layouts;
  bool saturate = false;
  bool logical_and = false;
  bool logical_xor = false;
  bool sparse = false;
  std::string rounding;
  std::string unknown;
};

Words words_of(const ptx::Instruction& in) {
  Words words;
  for (const auto& word : in.modifiers) {
    if (const auto type = matrix_type(word)) {
      words.types.push_back(*type);
    } else if (word == "row" || word == "col") {
      words.layouts.push_back(word);
    } else if (word == "satfinite") {
      words.saturate = true;
    } else if (word == "and") {
      words.logical_and = true;
    } else if (word == "xor") {
      words.logical_xor = true;
    } else if (word == "sp" || word == "sp::ordered_metadata") {
      words.sparse = true;
    } else if (word == "rn" || word == "rz" || word == "rm" || word == "rp") {
      words.rounding = word;
    } else if (word == "sync" || word == "aligned" || word == "popc" || word == "mma" ||
               word == "load" || word == "store" || word == "a" || word == "b" || word == "c" ||
               word == "d" || word == "global" || word == "shared" || word == "shared::cta") {
      // Position or operand says the same.
    } else if (const auto shape = shape_of(word)) {
      words.shape = shape;
    } else {
      words.unknown = word;
    }
  }
  return words;
}

// The registers of a vector operand, or of one register.
std::vector<const ptx::Operand*> registers_of(const ptx::Operand& operand) {
  std::vector<const ptx::Operand*> all;
  if (operand.kind == ptx::Operand::Kind::vector) {
    for (const auto& item : operand.items) all.push_back(&item);
  } else {
    all.push_back(&operand);
  }
  return all;
}

std::uint32_t registers_needed(MatrixType type, std::uint32_t rows, std::uint32_t columns,
                               bool accumulator) {
  if (accumulator) return rows / 8 * (columns / 8) * (type == MatrixType::f16 ? 1 : 2);
  return rows / 8 * (columns / tile_columns(type));
}

// True where m, n and k (k as A is stored) are whole tiles that the handlers have room for.
bool fits(const MatrixForm& form) {
  const bool sparse = (form.flags & MatrixForm::sparse) != 0;
  if (form.m == 0 || form.n == 0 || form.k == 0 || form.m % 8 != 0 || form.n % 8 != 0) return false;
  const std::uint32_t stored = sparse ? form.k / 2U : form.k;
  if (stored % tile_columns(form.a) != 0 || form.k % tile_columns(form.b) != 0) return false;
  if (form.m > 32 || form.n > 32 || form.m * form.n > 256) return false;
  switch (form.a) {
    case MatrixType::f64: return form.m <= 16 && form.n == 8 && form.k <= 16;
    case MatrixType::b1: return form.m <= 16 && form.n == 8 && form.k <= 256;
    default: return form.m * form.k <= 2048 && form.k <= 128;
  }
}

// Emits D = A·B + C for operands d, a, b, c, and metadata of sparse matrices.
void emit_multiplication(FunctionDecoder& to, const ptx::Instruction& in, const Words& words,
                         MatrixForm form) {
  const bool sparse = (form.flags & MatrixForm::sparse) != 0;
  if (in.operands.size() < (sparse ? 6U : 4U)) to.fail(in.text() + " needs more operands");
  const bool quads = form.m == 8 && form.n == 8 && form.k == 4 && form.a == MatrixType::f16;
  if (!quads && !fits(form)) return to.unsupported("no such shape for these types");

  Operation operation = Operation::mma_float;
  if (quads) {
    operation = Operation::mma_quads;
  } else if (form.a == MatrixType::f64 && form.b == MatrixType::f64) {
    operation = Operation::mma_double;
  } else if (form.a == MatrixType::b1 && form.b == MatrixType::b1) {
    operation = Operation::mma_bits;
  } else if (is_integer(form.a) && is_integer(form.b)) {
    operation = Operation::mma_integer;
  } else if (!is_integer(form.a) && !is_integer(form.b) && form.a != MatrixType::s32 &&
             form.a != MatrixType::f64 && form.b != MatrixType::f64 && form.a != MatrixType::f32 &&
             form.a != MatrixType::b1 && form.b != MatrixType::b1) {
    operation = Operation::mma_float;
  } else {
    return to.unsupported("no multiplication of these types");
  }
  const MatrixType accumulators =
      operation == Operation::mma_double                                        ? MatrixType::f64
      : operation == Operation::mma_integer || operation == Operation::mma_bits ? MatrixType::s32
                                                                                : MatrixType::f32;
  for (const MatrixType type : {form.c(), form.d()}) {
    if (type != accumulators && !(accumulators == MatrixType::f32 && type == MatrixType::f16)) {
      return to.unsupported("no accumulator of this type");
    }
  }
  if (bits_of(form.a) != bits_of(form.b)) return to.unsupported("A and B of different widths");

  const auto d = registers_of(in.operands[0]);
  const auto a = registers_of(in.operands[1]);
  const auto b = registers_of(in.operands[2]);
  const auto c = registers_of(in.operands[3]);
  const auto need = [&](const auto& have, std::uint32_t count, const char* which) {
    if (have.size() < count || have.size() > 32) {
      to.fail(in.text() + ": operand " + which + " has " + std::to_string(have.size()) +
              " registers, expected " + std::to_string(count));
    }
  };
  if (quads) {
    need(d, form.d() == MatrixType::f16 ? 4 : 8, "d");
    need(a, 2, "a");
    need(b, 2, "b");
    need(c, form.c() == MatrixType::f16 ? 4 : 8, "c");
  } else {
    need(d, registers_needed(form.d(), form.m, form.n, true), "d");
    need(a, registers_needed(form.a, form.m, sparse ? form.k / 2U : form.k, false), "a");
    need(b, registers_needed(form.b, form.n, form.k, false), "b");
    need(c, registers_needed(form.c(), form.m, form.n, true), "c");
  }

  const int lane = operation == Operation::mma_double ? 8 : 4;
  std::vector<std::uint32_t> read;
  for (const auto* part : {&a, &b, &c}) {
    for (const auto* item : *part) read.push_back(to.source(*item, lane));
  }
  if (sparse) read.push_back(to.source(in.operands[4], 4));
  std::uint32_t aux = static_cast<std::uint32_t>(a.size() | b.size() << 8U | c.size() << 16U);
  // The control register's rounding field: 1 down, 2 up, 3 to zero.
  if (words.rounding == "rm") aux |= 1U << 24U;
  if (words.rounding == "rp") aux |= 2U << 24U;
  if (words.rounding == "rz") aux |= 3U << 24U;
  std::vector<std::uint32_t> written;
  for (const auto* item : d) written.push_back(to.destination(*item, lane));
  to.emit(operation, {.aux = aux, .imm = packed(form)});
  to.attach(std::move(written), std::move(read));
  // The order of the hardware's sums is not specified.
  if (operation != Operation::mma_integer && operation != Operation::mma_bits) to.approximated();
}

void decode_mma(FunctionDecoder& to, const ptx::Instruction& in) {
  const Words words = words_of(in);
  if (!words.unknown.empty()) return to.unsupported("." + words.unknown + " needs sm_100 or later");
  if (!words.shape || words.types.size() != 4) to.fail("malformed " + in.text());
  if (words.shape->m > 32 || words.shape->n > 32 || words.shape->k > 256) {
    return to.unsupported("no such shape");
  }
  MatrixForm form;
  form.m = static_cast<std::uint8_t>(words.shape->m);
  form.n = static_cast<std::uint8_t>(words.shape->n);
  form.k = static_cast<std::uint16_t>(words.shape->k);
  form.a = words.types[1];
  form.b = words.types[2];
  form.c_and_d = static_cast<std::uint8_t>(static_cast<unsigned>(words.types[3]) |
                                           static_cast<unsigned>(words.types[0]) << 4U);
  unsigned flags = 0;
  if (words.saturate) flags |= MatrixForm::saturate;
  if (words.logical_and) flags |= MatrixForm::logical_and;
  if (!words.layouts.empty() && words.layouts[0] == "col") flags |= MatrixForm::a_columns;
  if (words.layouts.size() > 1 && words.layouts[1] == "row") flags |= MatrixForm::b_rows;
  if (words.sparse) {
    flags |= MatrixForm::sparse;
    // 16 lanes of metadata let two choices, 32 lanes none.
    const unsigned width = bits_of(form.a);
    const unsigned units = form.k / (width == 32 ? 2U : width == 4 ? 8U : 4U);
    if (units != 4 && units != 8 && units != 16) return to.unsupported("no such sparse shape");
    if (in.operands.size() < 6 || in.operands[5].kind != ptx::Operand::Kind::integer ||
        in.operands[5].bits * units >= 16) {
      to.fail(
          in.text() +
          ": the sparsity selector has to be a constant that leaves the metadata in four lanes");
    }
    flags |= static_cast<unsigned>(in.operands[5].bits) << MatrixForm::selector_shift;
  }
  form.flags = static_cast<std::uint8_t>(flags);
  emit_multiplication(to, in, words, form);
}

// An address with its offset added, as 64-bit lanes.
std::uint32_t whole_address(FunctionDecoder& to, const ptx::Operand& operand,
                            std::string_view space) {
  const auto address = to.generic_address(operand, space);
  if (address.offset == 0) return address.slot;
  const std::uint32_t sum = to.temporary(8);
  to.emit(Operation::addi_64, {.d = sum, .a = address.slot, .imm = address.offset});
  return sum;
}

std::string_view space_word(const ptx::Instruction& in) {
  if (in.has("global")) return "global";
  if (in.has("shared") || in.has("shared::cta")) return "shared";
  return "";
}

void decode_wmma(FunctionDecoder& to, const ptx::Instruction& in) {
  const Words words = words_of(in);
  if (in.modifiers.empty() || !words.shape || !words.unknown.empty()) {
    to.fail("malformed " + in.text());
  }
  const Shape shape = *words.shape;
  if (shape.m > 32 || shape.n > 32 || shape.k > 128) {
    return to.unsupported("no such shape");
  }
  if (in.modifiers[0] == "mma") {
    MatrixForm form;
    form.m = static_cast<std::uint8_t>(shape.m);
    form.n = static_cast<std::uint8_t>(shape.n);
    form.k = static_cast<std::uint16_t>(shape.k);
    MatrixType c = MatrixType::f32;
    MatrixType d = MatrixType::f32;
    if (words.types.size() == 2) {
      // Halves: only D's and C's types are written.
      d = words.types[0];
      c = words.types[1];
    } else if (words.types.size() == 4) {
      d = words.types[0];
      form.a = words.types[1];
      form.b = words.types[2];
      c = words.types[3];
    } else {
      to.fail("malformed " + in.text());
    }
    form.c_and_d =
        static_cast<std::uint8_t>(static_cast<unsigned>(c) | static_cast<unsigned>(d) << 4U);
    unsigned flags = 0;
    if (words.saturate) flags |= MatrixForm::saturate;
    if (words.logical_and) flags |= MatrixForm::logical_and;
    form.flags = static_cast<std::uint8_t>(flags);
    return emit_multiplication(to, in, words, form);
  }

  const bool store = in.modifiers[0] == "store";
  if (in.modifiers.size() < 2 || (!store && in.modifiers[0] != "load") || words.types.size() != 1 ||
      words.layouts.empty()) {
    to.fail("malformed " + in.text());
  }
  const std::string& which = in.modifiers[1];
  const bool by_row = words.layouts[0] == "row";
  FragmentForm form;
  form.type = words.types[0];
  if (which == "a") {
    form.rows = shape.m;
    form.columns = shape.k;
    form.by_columns = !by_row;
  } else if (which == "b") {
    form.rows = shape.n;
    form.columns = shape.k;
    form.by_columns = by_row;
    form.right = true;
  } else {
    form.rows = shape.m;
    form.columns = shape.n;
    form.by_columns = !by_row;
    form.accumulator = true;
  }
  if (form.rows % 8 != 0 || form.columns % (form.accumulator ? 8 : tile_columns(form.type)) != 0 ||
      form.rows == 0 || form.columns == 0) {
    return to.unsupported("no such shape for this type");
  }
  if (form.accumulator && form.type != MatrixType::f16 && form.type != MatrixType::f32 &&
      form.type != MatrixType::s32 && form.type != MatrixType::f64) {
    return to.unsupported("no accumulator of this type");
  }
  if (form.by_columns && bits_of(form.type) < 8) {
    return to.unsupported("matrices of less than 8 bits are A by rows and B by columns");
  }
  const std::size_t memory = store ? 0 : 1;
  const std::size_t fragment = store ? 1 : 0;
  if (in.operands.size() < 2) to.fail(in.text() + " needs more operands");
  const std::uint32_t address = whole_address(to, in.operands[memory], space_word(in));
  const std::uint32_t stride = in.operands.size() > 2 ? to.source(in.operands[2], 4) : 0;
  const int lane = bits_of(form.type) == 64 ? 8 : 4;
  std::vector<std::uint32_t> slots;
  for (const auto* item : registers_of(in.operands[fragment])) {
    slots.push_back(store ? to.source(*item, lane) : to.destination(*item, lane));
  }
  if (slots.size() < registers_needed(form.type, form.rows, form.columns, form.accumulator)) {
    to.fail(in.text() + ": the fragment has too few registers");
  }
  to.emit(store ? Operation::wmma_store : Operation::wmma_load,
          {.a = address, .b = stride, .aux = form.packed()});
  to.attach(std::move(slots));
  Touch touch;
  touch.form = TouchForm::fragment;
  touch.way = touch.shared_way = store ? Way::store : Way::load;
  to.touches(touch);
}

void decode_matrix_rows(FunctionDecoder& to, const ptx::Instruction& in) {
  const bool store = in.opcode == "stmatrix";
  if (!in.has("m8n8") || !in.has("b16")) {
    return to.unsupported("only .m8n8 matrices of .b16 exist before sm_100");
  }
  if (in.operands.size() < 2) to.fail(in.text() + " needs two operands");
  const std::uint32_t count = in.has("x4") ? 4 : in.has("x2") ? 2 : 1;
  const auto registers = registers_of(in.operands[store ? 1 : 0]);
  if (registers.size() != count) {
    to.fail(in.text() + ": expected " + std::to_string(count) + " registers");
  }
  const std::uint32_t address = whole_address(to, in.operands[store ? 0 : 1], space_word(in));
  std::vector<std::uint32_t> slots;
  for (const auto* item : registers) {
    slots.push_back(store ? to.source(*item, 4) : to.destination(*item, 4));
  }
  to.emit(store ? Operation::stmatrix : Operation::ldmatrix,
          {.a = address, .aux = in.has("trans") ? 1U : 0U});
  to.attach(std::move(slots));
  Touch touch;
  touch.form = TouchForm::rows;
  touch.way = touch.shared_way = store ? Way::store : Way::load;
  touch.size = 16;
  to.touches(touch);
}

void decode_movmatrix(FunctionDecoder& to, const ptx::Instruction& in) {
  if (in.operands.size() < 2) to.fail(in.text() + " needs two operands");
  const std::uint32_t a = to.source(in.operands[1], 4);
  const std::uint32_t d = to.destination(in.operands[0], 4);
  to.emit(Operation::movmatrix, {.d = d, .a = a});
}

// wgmma.mma_async d, a, b, scale-d {, scale-a, scale-b {, transposed-a, transposed-b}}; where A is
// in registers there is no transposed-a.
void decode_wgmma(FunctionDecoder& to, const ptx::Instruction& in) {
  if (in.has("fence") || in.has("commit_group") || in.has("wait_group")) {
    to.emit(Operation::nop);
    return;
  }
  std::optional<Shape> shape;
  std::vector<MatrixType> types;
  for (const auto& word : in.modifiers) {
    if (const auto type = matrix_type(word)) types.push_back(*type);
    if (word[0] == 'm' && !shape) shape = shape_of(word);
  }
  if (in.has("sp")) return to.unsupported("sparse wgmma is not built into the software GPU");
  if (!in.has("mma_async") || !shape || types.size() != 3 || in.operands.size() < 4) {
    to.fail("malformed " + in.text());
  }
  const MatrixType d = types[0];
  const MatrixType a = types[1];
  const MatrixType b = types[2];
  const bool integers = is_integer(a);
  if (a == MatrixType::b1)
    return to.unsupported("single-bit wgmma is not built into the software GPU");
  if (shape->m != 64 || shape->n == 0 || shape->n > 256 || shape->n % 8 != 0 ||
      bits_of(a) != bits_of(b) || bits_of(a) < 8 || bits_of(a) > 32 || is_integer(b) != integers ||
      a == MatrixType::f32 || b == MatrixType::f32 || a == MatrixType::s32 ||
      b == MatrixType::s32 || shape->k * bits_of(a) != 256 ||
      (integers ? d != MatrixType::s32 : d != MatrixType::f32 && d != MatrixType::f16)) {
    return to.unsupported("no such shape for these types");
  }
  const auto registers = registers_of(in.operands[0]);
  if (registers.size() != shape->n / (d == MatrixType::f16 ? 4 : 2)) {
    to.fail(in.text() + ": the wrong number of registers of D");
  }
  MatrixForm form;
  form.m = 16;
  form.k = static_cast<std::uint16_t>(shape->k);
  form.a = a;
  form.b = b;
  form.c_and_d =
      static_cast<std::uint8_t>(static_cast<unsigned>(d) | static_cast<unsigned>(d) << 4U);
  if (in.has("satfinite")) form.flags = MatrixForm::saturate;
  std::uint32_t aux = shape->n << WarpGroupForm::n_shift;
  std::vector<std::uint32_t> read;
  const bool a_in_registers = in.operands[1].kind == ptx::Operand::Kind::vector;
  if (a_in_registers) {
    if (in.operands[1].items.size() != 4) to.fail(in.text() + ": A has four registers");
    for (const auto& item : in.operands[1].items) read.push_back(to.source(item, 4));
    aux |= WarpGroupForm::a_in_registers;
  } else {
    read.push_back(to.source(in.operands[1], 8));
  }
  read.push_back(to.source(in.operands[2], 8));
  const std::uint32_t adds = to.predicate_source(in.operands[3]);
  // Constants: 1 or -1, then 0 or 1.
  const auto constant = [&](std::size_t at) -> std::int64_t {
    if (at >= in.operands.size()) return 0;
    if (in.operands[at].kind != ptx::Operand::Kind::integer) {
      to.fail(in.text() + ": a constant is expected");
    }
    return static_cast<std::int64_t>(in.operands[at].bits);
  };
  if (constant(4) == -1) aux |= WarpGroupForm::negate_a;
  if (constant(5) == -1) aux |= WarpGroupForm::negate_b;
  if (!a_in_registers && constant(6) == 1) aux |= WarpGroupForm::transpose_a;
  if (constant(a_in_registers ? 6 : 7) == 1) aux |= WarpGroupForm::transpose_b;
  if (bits_of(a) != 16 && (aux & (WarpGroupForm::transpose_a | WarpGroupForm::transpose_b)) != 0) {
    return to.unsupported("only matrices of 16-bit elements may be transposed");
  }
  // D is read and written.
  std::vector<std::uint32_t> written;
  for (const auto* item : registers) {
    if (item->kind == ptx::Operand::Kind::sink) to.fail(in.text() + ": D is read as well");
    if (to.lane_of(*item) != 4) to.fail(in.text() + ": D's registers have 32 bits");
    read.push_back(to.source(*item, 4));
    written.push_back(to.destination(*item, 4));
  }
  to.emit(integers ? Operation::wgmma_integer : Operation::wgmma_float,
          {.d = adds, .aux = aux, .imm = packed(form)});
  to.attach(std::move(written), std::move(read));
  if (!integers) to.approximated();
}

void decode_unsupported_matrix(FunctionDecoder& to, const ptx::Instruction& in) {
  to.unsupported(in.opcode + " needs sm_100 or later");
}

constexpr DecodeEntry matrix_decode_table[] = {
    {"mma", decode_mma},
    {"wmma", decode_wmma},
    {"ldmatrix", decode_matrix_rows},
    {"stmatrix", decode_matrix_rows},
    {"movmatrix", decode_movmatrix},
    {"wgmma", decode_wgmma},
    {"tcgen05", decode_unsupported_matrix},
};

}  // namespace

DecodeEntries matrix_decoders() {
  return {matrix_decode_table, sizeof(matrix_decode_table) / sizeof(matrix_decode_table[0])};
}

bool convert_small(FunctionDecoder& to, const ptx::Instruction& in) {
  std::string_view to_type;
  std::string_view from_type;
  for (const auto& word : in.modifiers) {
    if (word != "e4m3x2" && word != "e5m2x2" && word != "f32" && word != "f16x2" &&
        word != "bf16x2") {
      continue;
    }
    if (to_type.empty()) {
      to_type = word;
    } else {
      from_type = word;
    }
  }
  const auto is_small = [](std::string_view type) { return type == "e4m3x2" || type == "e5m2x2"; };
  const bool small_result = is_small(to_type);
  if (!small_result && !is_small(from_type)) return false;
  std::uint32_t aux = (small_result ? to_type : from_type) == "e5m2x2" ? 1 : 0;
  if (in.has("relu")) aux |= 2U;
  if (small_result && from_type == "f32") {
    if (in.operands.size() < 3) to.fail(in.text() + " needs three operands");
    const std::uint32_t a = to.source(in.operands[1], "f32");
    const std::uint32_t b = to.source(in.operands[2], "f32");
    const std::uint32_t d = to.destination(in.operands[0], 4);
    to.emit(Operation::cvt_fp8x2_f32, {.d = d, .a = a, .b = b, .aux = aux});
  } else if (small_result && (from_type == "f16x2" || from_type == "bf16x2")) {
    if (in.operands.size() < 2) to.fail(in.text() + " needs two operands");
    const std::uint32_t a = to.source(in.operands[1], 4);
    const std::uint32_t d = to.destination(in.operands[0], 4);
    if (from_type == "bf16x2") aux |= 4U;
    to.emit(Operation::cvt_fp8x2_16x2, {.d = d, .a = a, .aux = aux});
  } else if (!small_result && to_type == "f16x2") {
    if (in.operands.size() < 2) to.fail(in.text() + " needs two operands");
    const std::uint32_t a = to.source(in.operands[1], 4);
    const std::uint32_t d = to.destination(in.operands[0], 4);
    to.emit(Operation::cvt_f16x2_fp8x2, {.d = d, .a = a, .aux = aux});
  } else {
    to.unsupported("no conversion between these types before sm_100");
  }
  return true;
}

}  // namespace softgpu
