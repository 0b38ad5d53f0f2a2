// Arithmetic, bits, comparisons, conversions.

#include <array>
#include <string>

#include "softgpu/exec/decoder.hpp"

namespace softgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using std::string;
using std::string_view;

// --- modifiers ----------------------------------------------------------------------------------

bool is_type(string_view m) {
  if (m.size() < 2) return false;
  static constexpr std::array<string_view, 29> types = {
      "b8",    "b16",   "b32",  "b64",  "b128",   "u8",     "u16",   "u32",  "u64",    "s8",
      "s16",   "s32",   "s64",  "f16",  "f32",    "f64",    "f16x2", "bf16", "bf16x2", "tf32",
      "u16x2", "s16x2", "e4m3", "e5m2", "e4m3x2", "e5m2x2", "f32x2", "pred", "ue8m0x2"};
  for (const auto type : types) {
    if (m == type) return true;
  }
  return false;
}

// The types among the modifiers, in order.
std::vector<string_view> types_of(const Instruction& in) {
  std::vector<string_view> types;
  for (const auto& m : in.modifiers) {
    if (is_type(m)) types.emplace_back(m);
  }
  return types;
}
string_view type_of(FunctionDecoder& to, const Instruction& in) {
  for (auto m = in.modifiers.rbegin(); m != in.modifiers.rend(); ++m) {
    if (is_type(*m)) return *m;
  }
  to.fail("a type is missing");
}

void expect_operands(FunctionDecoder& to, const Instruction& in, std::size_t low,
                     std::size_t high) {
  if (in.operands.size() < low || in.operands.size() > high) {
    to.fail("wrong number of operands");
  }
}

// Bits of the processor's control register for .rz .rm .rp .ftz, and bit 0 for .sat.
std::uint32_t float_mode(const Instruction& in) {
  std::uint32_t mode = 0;
  if (in.has("rz")) mode |= 0x6000;
  if (in.has("rm")) mode |= 0x2000;
  if (in.has("rp")) mode |= 0x4000;
  if (in.has("ftz")) mode |= 0x8040;
  if (in.has("sat")) mode |= 1;
  return mode;
}

bool is_half(string_view type) {
  return type == "f16" || type == "f16x2" || type == "bf16" || type == "bf16x2";
}
bool is_real(string_view type) { return type == "f32" || type == "f64"; }
bool is_signed(string_view type) { return !type.empty() && type[0] == 's'; }

// The name of the type for handlers that are the same for b and u.
string unsigned_name(string_view type) {
  return type[0] == 'b' && type != "bf16" && type != "bf16x2" ? "u" + string(type.substr(1))
                                                              : string(type);
}

// The one operation most instructions are.
void emit1(FunctionDecoder& to, const Instruction& in, const string& handler, string_view dtype,
           string_view atype, std::uint32_t aux = 0) {
  expect_operands(to, in, 2, 2);
  const auto a = to.source(in.operands[1], atype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(handler, "dabc", d, a, a, a, aux);
}
void emit2(FunctionDecoder& to, const Instruction& in, const string& handler, string_view dtype,
           string_view atype, string_view btype, std::uint32_t aux = 0) {
  expect_operands(to, in, 3, 3);
  const auto a = to.source(in.operands[1], atype);
  const auto b = to.source(in.operands[2], btype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(handler, "dabc", d, a, b, a, aux);
}
void emit3(FunctionDecoder& to, const Instruction& in, const string& handler, string_view dtype,
           string_view atype, string_view btype, string_view ctype, std::uint32_t aux = 0) {
  expect_operands(to, in, 4, 4);
  const auto a = to.source(in.operands[1], atype);
  const auto b = to.source(in.operands[2], btype);
  const auto c = to.source(in.operands[3], ctype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(handler, "dabc", d, a, b, c, aux);
}

enum : std::uint32_t {
  half_add,
  half_sub,
  half_mul,
  half_fma,
  half_min,
  half_max,
  half_min_nan,
  half_max_nan,
  half_neg,
  half_abs,
  half_ex2,
  half_tanh
};

void half(FunctionDecoder& to, const Instruction& in, string_view type, std::uint32_t which) {
  const bool pair = type.ends_with("x2");
  std::uint32_t aux = which | (pair ? 0x100U : 0U);
  if (in.has("sat")) aux |= 0x200;
  if (in.has("relu")) aux |= 0x400;
  if (in.has("ftz")) aux |= 0x800;
  if (in.has("xorsign")) aux |= 0x1000;
  const string handler = type.starts_with("bf16") ? "half.bf16" : "half.f16";
  const std::size_t n = in.operands.size();
  if (n < 2 || n > 4) to.fail("wrong number of operands");
  std::array<std::uint32_t, 3> s{};
  for (std::size_t i = 1; i < 4; ++i) s[i - 1] = i < n ? to.source(in.operands[i], 4) : s[0];
  const auto d = to.destination(in.operands[0], 4);
  to.emit(handler, "dabc", d, s[0], s[1], s[2], aux);
}

// Floating-point operations with rounding, flushing and saturation.
void real(FunctionDecoder& to, const Instruction& in, string_view type, const string& name) {
  const std::uint32_t mode = float_mode(in);
  // .ftz and .sat alone are vector operations; other rounding goes through the control register.
  const bool rounds = (mode & 0x6000U) != 0;
  const string modifiers =
      rounds ? "" : string((mode & 0x8000U) != 0 ? ".ftz" : "") + ((mode & 1U) != 0 ? ".sat" : "");
  const string handler = name + modifiers + "." + string(type) + (rounds ? ".mode" : "");
  switch (in.operands.size()) {
    case 2: emit1(to, in, handler, type, type, mode); return;
    case 3: emit2(to, in, handler, type, type, type, mode); return;
    case 4: emit3(to, in, handler, type, type, type, type, mode); return;
    default: to.fail("wrong number of operands");
  }
}

std::uint32_t carry_slot(FunctionDecoder& to) { return to.carry(); }

// --- integers and shared names ------------------------------------------------------------------

void add_sub(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const bool carry_in = in.opcode == "addc" || in.opcode == "subc";
  const bool sub = in.opcode[0] == 's';
  if (carry_in || in.has("cc")) {
    expect_operands(to, in, 3, 3);
    const int lane = lane_of_type(type);
    const auto a = to.source(in.operands[1], lane);
    const auto b = to.source(in.operands[2], lane);
    const auto d = to.destination(in.operands[0], lane);
    const std::uint32_t aux = (sub ? 1U : 0U) | (carry_in ? 4U : 0U) | (in.has("cc") ? 8U : 0U);
    to.emit(lane == 4 ? "addc.32" : "addc.64", "dabC", d, a, b, carry_slot(to), aux);
    return;
  }
  if (is_half(type)) return half(to, in, type, sub ? half_sub : half_add);
  if (is_real(type)) {
    // add{.rnd}{.sat}.f32.atype: mixed precision, of later architectures.
    if (types_of(in).size() > 1) return to.unsupported("mixed precision");
    return real(to, in, type, sub ? "sub" : "add");
  }
  if (type == "u16x2" || type == "s16x2") {
    return emit2(to, in, "pair.16x2", "b32", "b32", "b32",
                 (sub ? 3U : 0U) | (is_signed(type) ? 4U : 0U));
  }
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  const string name = string(sub ? "sub" : "add") + (in.has("sat") ? ".sat." : ".") + string(type);
  emit2(to, in, name, type, type, type);
}

void mul(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_half(type)) return half(to, in, type, half_mul);
  if (is_real(type)) return real(to, in, type, "mul");
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  const string t(type);
  if (in.has("wide")) {
    const string wide =
        (is_signed(type) ? "s" : "u") + string(size_of_type(type) == 2 ? "32" : "64");
    return emit2(to, in, "mul.wide." + t, wide, type, type);
  }
  emit2(to, in, (in.has("hi") ? "mul.hi." : "mul.lo.") + t, type, type, type);
}

void mad(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_real(type)) return real(to, in, type, "fma");
  const string t(type);
  const bool carry_in = in.opcode == "madc";
  if (carry_in || in.has("cc")) {
    expect_operands(to, in, 4, 4);
    const int lane = lane_of_type(type);
    const auto a = to.source(in.operands[1], lane);
    const auto b = to.source(in.operands[2], lane);
    const auto c = to.source(in.operands[3], lane);
    const auto d = to.destination(in.operands[0], lane);
    const std::uint32_t aux = (in.has("hi") ? 1U : 0U) | (carry_in ? 4U : 0U) |
                              (in.has("cc") ? 8U : 0U) | (is_signed(type) ? 16U : 0U);
    to.emit(lane == 4 ? "madc.32" : "madc.64", "dabcI", d, a, b, c, aux, carry_slot(to));
    return;
  }
  if (in.has("wide")) {
    const string wide =
        (is_signed(type) ? "s" : "u") + string(size_of_type(type) == 2 ? "32" : "64");
    return emit3(to, in, "mad.wide." + t, wide, type, type, wide);
  }
  const string name =
      in.has("hi") ? (in.has("sat") ? "mad.hi.sat." : "mad.hi.") + t : "mad.lo." + t;
  emit3(to, in, name, type, type, type, type);
}

void mul24(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const string name = in.opcode + (in.has("hi") ? ".hi." : ".lo.") + string(type);
  if (in.opcode == "mul24") return emit2(to, in, name, type, type, type);
  emit3(to, in, in.has("sat") ? "mad24.hi.sat.s32" : name, type, type, type, type);
}

void sad(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  emit3(to, in, "sad." + string(type), type, type, type, type);
}

void divide(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (type == "f32" && (in.has("approx") || in.has("full"))) {
    const std::uint32_t aux = (in.has("ftz") ? 2U : 0U) | (in.has("approx") ? 4U : 0U);
    to.approximated();
    return emit2(to, in, "div.approx", type, type, type, aux);
  }
  if (is_real(type)) return real(to, in, type, "div");
  emit2(to, in, in.opcode + "." + string(type), type, type, type);
}

void min_max(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const bool max = in.opcode == "max";
  if (is_half(type)) {
    const bool nan = in.has("NaN");
    return half(to, in, type,
                max ? (nan ? half_max_nan : half_max) : (nan ? half_min_nan : half_min));
  }
  if (type == "f64") return emit2(to, in, in.opcode + ".f64", type, type, type);
  if (type == "f32") {
    const string nan = in.has("NaN") ? ".NaN" : "";
    const bool three = in.operands.size() == 4;
    const bool xorsign = in.has("xorsign");
    const std::uint32_t forms = (three ? 1U : 0U) | (xorsign ? 2U : 0U) |
                                (in.has("ftz") ? 4U : 0U) | (in.has("abs") && !xorsign ? 8U : 0U);
    if (forms == 0) return emit2(to, in, in.opcode + nan + ".f32", type, type, type);
    if (forms == 4 && nan.empty()) return emit2(to, in, in.opcode + ".ftz.f32", type, type, type);
    if (three) return emit3(to, in, in.opcode + nan + ".forms.f32", type, type, type, type, forms);
    return emit2(to, in, in.opcode + nan + ".forms.f32", type, type, type, forms);
  }
  if (type == "u16x2" || type == "s16x2") {
    return emit2(to, in, "pair.16x2", "b32", "b32", "b32",
                 (max ? 2U : 1U) | (is_signed(type) ? 4U : 0U) | (in.has("relu") ? 8U : 0U));
  }
  if (in.has("relu")) return emit2(to, in, "relu.s32", type, type, type, max ? 1 : 0);
  emit2(to, in, in.opcode + "." + string(type), type, type, type);
}

void absolute_negate(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_half(type)) return half(to, in, type, in.opcode == "neg" ? half_neg : half_abs);
  if (is_real(type)) return real(to, in, type, in.opcode);
  emit1(to, in, in.opcode + "." + string(type), type, type);
}

void fma(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.has("oob")) return to.unsupported("fma.oob");
  if (is_half(type)) return half(to, in, type, half_fma);
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  if (types_of(in).size() > 1) return to.unsupported("mixed precision");
  real(to, in, type, "fma");
}

void reciprocal_root(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.has("approx")) {
    to.approximated();
    const std::uint32_t aux = in.has("ftz") ? 2 : 0;
    if (type == "f64") {
      return emit1(to, in, in.opcode == "rcp" ? "rcp.approx.f64" : "rsqrt.f64", type, type,
                   in.has("ftz") ? 4 : 0);
    }
    return emit1(to, in, in.opcode == "rsqrt" ? "rsqrt" : in.opcode + ".approx", type, type, aux);
  }
  real(to, in, type, in.opcode);
}

void approximate(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  to.approximated();
  if (is_half(type)) return half(to, in, type, in.opcode == "ex2" ? half_ex2 : half_tanh);
  emit1(to, in, in.opcode, type, type, in.has("ftz") ? 2 : 0);
}

void testp(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 6> names = {"finite",     "infinite", "number",
                                                       "notanumber", "normal",   "subnormal"};
  expect_operands(to, in, 2, 2);
  const string_view type = type_of(to, in);
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    if (!in.has(names[i])) continue;
    const auto a = to.source(in.operands[1], type);
    to.emit("testp." + string(type), "da", to.predicate_destination(in.operands[0]), a, 0, 0, i);
    return;
  }
  to.fail("unknown property");
}

void copysign(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  emit2(to, in, "copysign." + string(type), type, type, type);
}

// --- bits ---------------------------------------------------------------------------------------

void logic(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const bool one = in.opcode == "not" || in.opcode == "cnot";
  if (type == "pred") {
    expect_operands(to, in, one ? 2 : 3, one ? 2 : 3);
    const auto a = to.predicate_source(in.operands[1]);
    const auto b = one ? 0U : to.predicate_source(in.operands[2]);
    to.emit("pred." + in.opcode, "dab", to.predicate_destination(in.operands[0]), a, b);
    return;
  }
  const string name = in.opcode + "." + string(type);
  if (one) return emit1(to, in, name, type, type);
  emit2(to, in, name, type, type, type);
}

void shift(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const string name =
      in.opcode + "." + (in.opcode == "shr" ? unsigned_name(type) : "b" + string(type.substr(1)));
  emit2(to, in, name, type, type, "u32");
}

void funnel(FunctionDecoder& to, const Instruction& in) {
  emit3(to, in, "shf.b32", "b32", "b32", "b32", "u32",
        (in.has("r") ? 1U : 0U) | (in.has("clamp") ? 2U : 0U));
}

void count_bits(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const string name = in.opcode + "." + string(type);
  emit1(to, in, name, in.opcode == "brev" ? type : string_view("u32"), type,
        in.opcode == "bfind" && in.has("shiftamt") ? 1 : 0);
}

void bit_field(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.opcode == "bfe") return emit3(to, in, "bfe." + string(type), type, type, "u32", "u32");
  expect_operands(to, in, 5, 5);
  const int lane = lane_of_type(type);
  const auto a = to.source(in.operands[1], lane);
  const auto b = to.source(in.operands[2], lane);
  const auto c = to.source(in.operands[3], 4);
  const auto e = to.source(in.operands[4], 4);
  to.emit("bfi." + string(type), "dabcx", to.destination(in.operands[0], lane), a, b, c, e);
}

void permute(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 7> modes = {"",    "f4e", "b4e", "rc8",
                                                       "ecl", "ecr", "rc16"};
  std::uint32_t mode = 0;
  for (std::uint32_t i = 1; i < modes.size(); ++i) {
    if (in.has(modes[i])) mode = i;
  }
  emit3(to, in, "prmt.b32", "b32", "b32", "b32", "b32", mode);
}

void logic3(FunctionDecoder& to, const Instruction& in) {
  // lop3.BoolOp d|p, a, b, c, table, q: p = (d != 0) BoolOp q.
  const bool with_predicate = in.has("or") || in.has("and");
  expect_operands(to, in, with_predicate ? 6 : 5, with_predicate ? 6 : 5);
  if (in.operands[4].kind != Operand::Kind::integer) to.fail("the table must be a constant");
  const auto a = to.source(in.operands[1], 4);
  const auto b = to.source(in.operands[2], 4);
  const auto c = to.source(in.operands[3], 4);
  const auto table = static_cast<std::uint32_t>(in.operands[4].bits) & 0xffU;
  if (!with_predicate) {
    to.emit("lop3.b32", "dabc", to.destination(in.operands[0], 4), a, b, c, table);
    return;
  }
  if (!in.operands[0].second) to.fail("the predicate result is missing");
  const auto q = to.predicate_source(in.operands[5]);
  const auto d = to.temporary(4);
  const auto nonzero = to.temporary_predicate();
  to.emit("lop3.b32", "dabc", d, a, b, c, table);
  to.emit("pred.from", "da", nonzero, d);
  const auto p = to.predicate_destination(*in.operands[0].second);
  if (p != 0) to.emit(in.has("or") ? "pred.or" : "pred.and", "dab", p, nonzero, q);
  if (in.operands[0].kind != Operand::Kind::sink) {
    to.emit("mov.32", "da", to.destination(in.operands[0], 4), d);
  }
}

void bit_mask(FunctionDecoder& to, const Instruction& in) {
  emit2(to, in, "bmsk.b32", "b32", "u32", "u32", in.has("wrap") ? 1 : 0);
}
void extend(FunctionDecoder& to, const Instruction& in) {
  emit2(to, in, "szext.b32", "b32", "u32", "u32",
        (in.has("wrap") ? 1U : 0U) | (in.has("s32") ? 2U : 0U));
}
void find_nth(FunctionDecoder& to, const Instruction& in) {
  emit3(to, in, "fns.b32", "b32", "b32", "b32", "s32");
}

void dot_product(FunctionDecoder& to, const Instruction& in) {
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  std::uint32_t aux = (is_signed(types[0]) ? 1U : 0U) | (is_signed(types[1]) ? 2U : 0U);
  if (in.opcode == "dp2a") aux |= 4U | (in.has("hi") ? 8U : 0U);
  emit3(to, in, "dp4a", "b32", "b32", "b32", "b32", aux);
}

// --- comparisons --------------------------------------------------------------------------------

struct Comparison {
  string name;
  std::uint32_t number = 0;  // of those on halves
};
Comparison comparison_of(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 14> names = {
      "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  for (const auto& m : in.modifiers) {
    for (std::uint32_t i = 0; i < names.size(); ++i) {
      if (m == names[i]) return {m, i};
    }
    if (m == "lo") return {"lt", 2};
    if (m == "ls") return {"le", 3};
    if (m == "hi") return {"gt", 4};
    if (m == "hs") return {"ge", 5};
  }
  to.fail("a comparison is missing");
}
std::uint32_t combination_of(const Instruction& in) {
  return in.has("and") ? 1 : in.has("or") ? 2 : in.has("xor") ? 3 : 0;
}

void set_predicate(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 3, 4);
  const string_view type = type_of(to, in);
  const Comparison comparison = comparison_of(to, in);
  std::uint32_t aux = combination_of(in);
  std::uint32_t c = 0;
  if (aux != 0) {
    if (in.operands.size() != 4) to.fail("the predicate to combine with is missing");
    c = to.predicate_source(in.operands[3]);
    aux |= (c & 1U) << 2;
    c &= ~1U;
  }
  const Operand& target = in.operands[0];
  std::uint32_t p = to.predicate_destination(target);
  if (p == 0) p = to.temporary_predicate();
  const std::uint32_t q = target.second ? to.predicate_destination(*target.second) : 0;
  if (is_half(type)) {
    const auto a = to.source(in.operands[1], 4);
    const auto b = to.source(in.operands[2], 4);
    to.emit(
        type.starts_with("bf16") ? "setp.bf16" : "setp.f16", "dabc", p, a, b, c, aux,
        comparison.number | (type.ends_with("x2") ? 0x100U : 0U) | (in.has("ftz") ? 0x800U : 0U));
    to.packed_predicate(3, q);
    return;
  }
  const auto a = to.source(in.operands[1], type);
  const auto b = to.source(in.operands[2], type);
  const string flush = in.has("ftz") && type == "f32" ? ".ftz." : ".";
  const string name = "setp." + comparison.name + flush + unsigned_name(type);
  to.emit(name, "dabc", p, a, b, c, aux);
  to.packed_predicate(3, q);
}

void set_register(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 3, 4);
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  const Comparison comparison = comparison_of(to, in);
  std::uint32_t aux = combination_of(in);
  std::uint32_t c = 0;
  if (aux != 0) {
    if (in.operands.size() != 4) to.fail("the predicate to combine with is missing");
    c = to.predicate_source(in.operands[3]);
    aux |= (c & 1U) << 2;
    c &= ~1U;
  }
  if (is_half(types[1])) {
    const auto d = to.destination(in.operands[0], 4);
    const auto a = to.source(in.operands[1], 4);
    const auto b = to.source(in.operands[2], 4);
    std::uint32_t how = comparison.number;
    if (types[1].ends_with("x2")) how |= 0x100;
    if (is_half(types[0]) || types[0] == "f32") how |= 0x200;
    if (types[0] == "f32" || types[0] == "u32" || types[0] == "s32") how |= 0x400;
    if (types[1].ends_with("x2") && !is_half(types[0])) how &= ~0x400U;
    if (in.has("ftz")) how |= 0x800;
    to.emit(types[1].starts_with("bf16") ? "set.bf16" : "set.f16", "dabc", d, a, b, c, aux, how);
    return;
  }
  const auto a = to.source(in.operands[1], types[1]);
  const auto b = to.source(in.operands[2], types[1]);
  const string name = string(types[0] == "f32" ? "setf." : "set.") + comparison.name +
                      (in.has("ftz") && types[1] == "f32" ? ".ftz." : ".") +
                      unsigned_name(types[1]);
  if (is_half(types[0])) {
    // All ones, then 1.0 of them.
    const auto ones = to.temporary(4);
    to.emit(name, "dabc", ones, a, b, c, aux);
    const auto one = to.constant(types[0].starts_with("bf16") ? 0x3f80U : 0x3c00U, 4);
    to.emit("and.b32", "dab", to.destination(in.operands[0], 4), ones, one);
    return;
  }
  to.emit(name, "dabc", to.destination(in.operands[0], 4), a, b, c, aux);
}

void select(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 4, 4);
  const string_view type = type_of(to, in);
  const int lane = lane_of_type(type);
  const auto a = to.source(in.operands[1], type);
  const auto b = to.source(in.operands[2], type);
  const auto p = to.predicate_source(in.operands[3]);
  to.emit(lane == 4 ? "selp.32" : "selp.64", "dabc", to.destination(in.operands[0], lane), a, b, p);
}

void select_by_sign(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 4, 4);
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  const int lane = lane_of_type(types[0]);
  const auto a = to.source(in.operands[1], types[0]);
  const auto b = to.source(in.operands[2], types[0]);
  const auto c = to.source(in.operands[3], types[1]);
  const string name = string(lane == 4 ? "slct.b32." : "slct.b64.") +
                      (in.has("ftz") && types[1] == "f32" ? "ftz." : "") + string(types[1]);
  to.emit(name, "dabc", to.destination(in.operands[0], lane), a, b, c);
}

// --- conversions --------------------------------------------------------------------------------

std::uint32_t whole_mode(const Instruction& in) {
  return in.has("rni") ? 1 : in.has("rzi") ? 2 : in.has("rmi") ? 3 : in.has("rpi") ? 4 : 0;
}

// cvt.pack.sat.type.s32{.b32} d, a, b{, c}: two integers to fields of 2 to 16 bits.
void convert_pack(FunctionDecoder& to, const Instruction& in) {
  std::uint32_t aux = 0;
  for (const auto& m : in.modifiers) {
    if (aux == 0 && m.size() >= 2 && (m[0] == 'u' || m[0] == 's') && m[1] >= '0' && m[1] <= '9') {
      aux = static_cast<std::uint32_t>(std::stoul(m.substr(1))) | (m[0] == 's' ? 0x100U : 0U);
    }
  }
  if ((aux & 0xffU) == 0 || (aux & 0xffU) > 16) to.fail("unknown type to pack to");
  expect_operands(to, in, 3, 4);
  const auto a = to.source(in.operands[1], 4);
  const auto b = to.source(in.operands[2], 4);
  const auto c = in.operands.size() > 3 ? to.source(in.operands[3], 4) : to.constant(0, 4);
  to.emit("cvt.pack", "dabc", to.destination(in.operands[0], 4), a, b, c, aux);
}

void convert(FunctionDecoder& to, const Instruction& in) {
  if (in.has("pack")) return convert_pack(to, in);
  const auto types = types_of(in);
  if (types.size() < 2) to.fail("two types are expected");
  const string_view d = types[0];
  const string_view a = types[1];
  const std::uint32_t sat = in.has("sat") ? 1 : 0;
  const std::uint32_t finite = in.has("satfinite") ? 0x100 : 0;
  const std::uint32_t relu = in.has("relu") ? 1 : 0;
  const std::uint32_t ftz = in.has("ftz") ? 1 : 0;
  const std::uint32_t whole = whole_mode(in);
  if (d.starts_with("e4m3") || d.starts_with("e5m2") || a.starts_with("e4m3") ||
      a.starts_with("e5m2") || d.starts_with("ue8m0") || a.starts_with("ue8m0")) {
    if (convert_small(to, in)) return;
    return to.unsupported("conversions of 8-bit floats");
  }
  if (d == "tf32") {
    return emit1(to, in, "cvt.tf32", "b32", "b32",
                 (in.has("rna")  ? 0U
                  : in.has("rz") ? 2U
                                 : 1U) |
                     (relu << 4) | finite);
  }
  const std::uint32_t rounding = in.has("rz") ? 1U : in.has("rm") ? 2U : in.has("rp") ? 3U : 0U;
  if ((d == "f16x2" || d == "bf16x2") && a == "f32") {
    if (in.has("rs")) return to.unsupported("stochastic rounding, of compute capability 10");
    return emit2(to, in, "cvt." + string(d), "b32", "f32", "f32",
                 sat | (relu << 4) | (rounding << 5) | finite | (ftz << 9));
  }
  const string names = string(d) + "." + string(a);
  const bool from_real = is_real(a) || is_half(a);
  const bool to_real = is_real(d) || is_half(d);
  if (!from_real && !to_real) {
    return emit1(to, in, (sat != 0 ? "cvt." : "cvtw.") + names, d, a, sat);
  }
  if (!to_real) {
    if (a == "f32" && whole == 2 && ftz == 0) return emit1(to, in, "cvtz." + names, d, a);
    return emit1(to, in, "cvt." + names, d, a, (whole == 0 ? 2U : whole) | (ftz << 3));
  }
  if (is_half(d)) {
    const std::uint32_t aux =
        sat | (whole << 1) | (relu << 4) | (rounding << 5) | finite | (ftz << 9);
    return emit1(to, in, (aux == 0 && a == "f32" ? "cvtw." : "cvt.") + names, "b32", a, aux);
  }
  const std::uint32_t mode = float_mode(in) & 0x6000U;
  const bool plain = sat == 0 && ftz == 0 && whole == 0 && mode == 0;
  if (plain &&
      (names == "f64.f32" || names == "f32.s32" || names == "f32.u32" || names == "f64.s32" ||
       names == "f64.u32" || names == "f32.f64" || names == "f32.f16" || names == "f32.bf16")) {
    return emit1(to, in, "cvtw." + names, d, a);
  }
  emit1(to, in, "cvt." + names, d, a,
        sat | (whole << 1) | (relu << 4) | mode | (ftz != 0 ? 0x8040U : 0U));
}

constexpr DecodeEntry entries[] = {
    {"add", add_sub},
    {"sub", add_sub},
    {"addc", add_sub},
    {"subc", add_sub},
    {"mul", mul},
    {"mad", mad},
    {"madc", mad},
    {"mul24", mul24},
    {"mad24", mul24},
    {"sad", sad},
    {"div", divide},
    {"rem", divide},
    {"min", min_max},
    {"max", min_max},
    {"abs", absolute_negate},
    {"neg", absolute_negate},
    {"fma", fma},
    {"rcp", reciprocal_root},
    {"sqrt", reciprocal_root},
    {"rsqrt", reciprocal_root},
    {"sin", approximate},
    {"cos", approximate},
    {"lg2", approximate},
    {"ex2", approximate},
    {"tanh", approximate},
    {"testp", testp},
    {"copysign", copysign},
    {"and", logic},
    {"or", logic},
    {"xor", logic},
    {"not", logic},
    {"cnot", logic},
    {"shl", shift},
    {"shr", shift},
    {"shf", funnel},
    {"popc", count_bits},
    {"clz", count_bits},
    {"brev", count_bits},
    {"bfind", count_bits},
    {"bfe", bit_field},
    {"bfi", bit_field},
    {"prmt", permute},
    {"lop3", logic3},
    {"bmsk", bit_mask},
    {"szext", extend},
    {"fns", find_nth},
    {"dp4a", dot_product},
    {"dp2a", dot_product},
    {"setp", set_predicate},
    {"set", set_register},
    {"selp", select},
    {"slct", select_by_sign},
    {"cvt", convert},
};

}  // namespace

DecodeEntries arithmetic_decoders() { return {entries, std::size(entries)}; }

}  // namespace softgpu
