// Arithmetic, bits, comparisons, conversions.

#include <algorithm>
#include <array>
#include <string>

#include "softgpu/exec/decoder.hpp"
#include "softgpu/isa/family.hpp"

namespace softgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using std::string;
using std::string_view;

// --- the operations -----------------------------------------------------------------------------

constexpr std::array<string_view, 6> integers = {"u16", "s16", "u32", "s32", "u64", "s64"};
constexpr std::array<string_view, 3> signed_integers = {"s16", "s32", "s64"};
constexpr std::array<string_view, 2> words = {"u32", "s32"};
constexpr std::array<string_view, 3> bits = {"b16", "b32", "b64"};
constexpr std::array<string_view, 2> wide_bits = {"b32", "b64"};
constexpr std::array<string_view, 4> narrow_integers = {"u16", "s16", "u32", "s32"};
constexpr std::array<string_view, 4> wide_integers = {"u32", "s32", "u64", "s64"};

constexpr Family integer_add("add", integers);
constexpr Family integer_sub("sub", integers);
constexpr Family integer_min("min", integers);
constexpr Family integer_max("max", integers);
constexpr Family integer_div("div", integers);
constexpr Family integer_rem("rem", integers);
constexpr Family integer_abs("abs", signed_integers);
constexpr Family integer_neg("neg", signed_integers);
constexpr Family mul_lo("mul_lo", integers);
constexpr Family mul_hi("mul_hi", integers);
constexpr Family mul_wide("mul_wide", narrow_integers);
constexpr Family mad_lo("mad_lo", integers);
constexpr Family mad_hi("mad_hi", integers);
constexpr Family mad_wide("mad_wide", narrow_integers);
constexpr Family mul24_lo("mul24_lo", words);
constexpr Family mul24_hi("mul24_hi", words);
constexpr Family mad24_lo("mad24_lo", words);
constexpr Family mad24_hi("mad24_hi", words);
constexpr Family sum_of_difference("sad", integers);

constexpr Family bits_and("and", bits);
constexpr Family bits_or("or", bits);
constexpr Family bits_xor("xor", bits);
constexpr Family bits_not("not", bits);
constexpr Family bits_cnot("cnot", bits);
constexpr Family shift_left("shl", bits);
constexpr Family shift_right("shr", integers);
constexpr Family ones("popc", wide_bits);
constexpr Family leading_zeros("clz", wide_bits);
constexpr Family reversed("brev", wide_bits);
constexpr Family find_leading("bfind", wide_integers);
constexpr Family extract_field("bfe", wide_integers);
constexpr Family insert_field("bfi", wide_bits);

// Types of floats, with the modifiers before them and ".mode" behind them where rounding goes
// through the control register.
constexpr std::array<string_view, 2> real_types = {"f32", "f64"};
constexpr std::array<string_view, 7> saturated_reals = {
    "f32", "f64", "ftz.f32", "sat.f32", "ftz.sat.f32", "f32.mode", "f64.mode"};
constexpr std::array<string_view, 5> flushed_reals = {"f32", "f64", "ftz.f32", "f32.mode",
                                                      "f64.mode"};
constexpr std::array<string_view, 3> plain_reals = {"f32", "f64", "ftz.f32"};
constexpr Family real_add("add", saturated_reals);
constexpr Family real_sub("sub", saturated_reals);
constexpr Family real_mul("mul", saturated_reals);
constexpr Family real_fma("fma", saturated_reals);
constexpr Family real_div("div", flushed_reals);
constexpr Family real_rcp("rcp", flushed_reals);
constexpr Family real_sqrt("sqrt", flushed_reals);
constexpr Family real_abs("abs", plain_reals);
constexpr Family real_neg("neg", plain_reals);
constexpr std::array<string_view, 6> extreme_forms = {"f32",       "ftz.f32",       "NaN.f32",
                                                      "forms.f32", "NaN.forms.f32", "f64"};
constexpr Family real_min("min", extreme_forms);
constexpr Family real_max("max", extreme_forms);
constexpr Family real_copysign("copysign", real_types);
constexpr Family real_testp("testp", real_types);
constexpr std::array<string_view, 3> selectors = {"s32", "f32", "ftz.f32"};
constexpr Family select_sign_32("slct_b32", selectors);
constexpr Family select_sign_64("slct_b64", selectors);

// Comparisons, and after each the types that are compared.
constexpr std::array<string_view, 9> compared = {"u16", "s16", "u32", "s32",    "u64",
                                                 "s64", "f32", "f64", "ftz.f32"};
using Compared = Family<compared.size()>;
using ComparedReals = Family<plain_reals.size()>;
struct Comparisons {
  std::array<Compared, 6> ordered;
  std::array<ComparedReals, 8> of_reals;
};
constexpr Comparisons to_predicate = {
    {Compared("setp_eq", compared), Compared("setp_ne", compared), Compared("setp_lt", compared),
     Compared("setp_le", compared), Compared("setp_gt", compared), Compared("setp_ge", compared)},
    {ComparedReals("setp_equ", plain_reals), ComparedReals("setp_neu", plain_reals),
     ComparedReals("setp_ltu", plain_reals), ComparedReals("setp_leu", plain_reals),
     ComparedReals("setp_gtu", plain_reals), ComparedReals("setp_geu", plain_reals),
     ComparedReals("setp_num", plain_reals), ComparedReals("setp_nan", plain_reals)}};
constexpr Comparisons to_ones = {
    {Compared("set_eq", compared), Compared("set_ne", compared), Compared("set_lt", compared),
     Compared("set_le", compared), Compared("set_gt", compared), Compared("set_ge", compared)},
    {ComparedReals("set_equ", plain_reals), ComparedReals("set_neu", plain_reals),
     ComparedReals("set_ltu", plain_reals), ComparedReals("set_leu", plain_reals),
     ComparedReals("set_gtu", plain_reals), ComparedReals("set_geu", plain_reals),
     ComparedReals("set_num", plain_reals), ComparedReals("set_nan", plain_reals)}};
constexpr Comparisons to_one = {
    {Compared("setf_eq", compared), Compared("setf_ne", compared), Compared("setf_lt", compared),
     Compared("setf_le", compared), Compared("setf_gt", compared), Compared("setf_ge", compared)},
    {ComparedReals("setf_equ", plain_reals), ComparedReals("setf_neu", plain_reals),
     ComparedReals("setf_ltu", plain_reals), ComparedReals("setf_leu", plain_reals),
     ComparedReals("setf_gtu", plain_reals), ComparedReals("setf_geu", plain_reals),
     ComparedReals("setf_num", plain_reals), ComparedReals("setf_nan", plain_reals)}};

// Conversions, by the type of the result: in this order.
constexpr std::array<string_view, 12> converted = {"u8",  "s8",  "u16", "s16", "u32", "s32",
                                                   "u64", "s64", "f32", "f64", "f16", "bf16"};
using Converted = Family<converted.size()>;
constexpr std::array<Converted, converted.size()> any_conversion = {
    Converted("cvt_u8", converted),  Converted("cvt_s8", converted),
    Converted("cvt_u16", converted), Converted("cvt_s16", converted),
    Converted("cvt_u32", converted), Converted("cvt_s32", converted),
    Converted("cvt_u64", converted), Converted("cvt_s64", converted),
    Converted("cvt_f32", converted), Converted("cvt_f64", converted),
    Converted("cvt_f16", converted), Converted("cvt_bf16", converted)};
constexpr std::array<string_view, 8> cut = {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"};
using Cut = Family<cut.size()>;
constexpr std::array<Cut, cut.size()> between_integers = {
    Cut("cvtw_u8", cut),  Cut("cvtw_s8", cut),  Cut("cvtw_u16", cut), Cut("cvtw_s16", cut),
    Cut("cvtw_u32", cut), Cut("cvtw_s32", cut), Cut("cvtw_u64", cut), Cut("cvtw_s64", cut)};
constexpr std::array<string_view, 8> cut_from_f32 = {"u8.f32",  "s8.f32",  "u16.f32", "s16.f32",
                                                     "u32.f32", "s32.f32", "u64.f32", "s64.f32"};
constexpr Family to_whole("cvtz", cut_from_f32);
// Without modifiers.
constexpr std::array<string_view, 10> plain_conversions = {
    "f64.f32", "f32.s32", "f32.u32",  "f64.s32", "f64.u32",
    "f32.f64", "f32.f16", "f32.bf16", "f16.f32", "bf16.f32"};
constexpr Family plain_conversion("cvtw", plain_conversions);
constexpr std::array<string_view, 2> pairs = {"f16x2", "bf16x2"};
constexpr Family to_pair("cvt", pairs);

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
void emit1(FunctionDecoder& to, const Instruction& in, Operation operation, string_view dtype,
           string_view atype, std::uint32_t aux = 0) {
  expect_operands(to, in, 2, 2);
  const auto a = to.source(in.operands[1], atype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(operation, {.d = d, .a = a, .aux = aux});
}
void emit2(FunctionDecoder& to, const Instruction& in, Operation operation, string_view dtype,
           string_view atype, string_view btype, std::uint32_t aux = 0) {
  expect_operands(to, in, 3, 3);
  const auto a = to.source(in.operands[1], atype);
  const auto b = to.source(in.operands[2], btype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(operation, {.d = d, .a = a, .b = b, .aux = aux});
}
void emit3(FunctionDecoder& to, const Instruction& in, Operation operation, string_view dtype,
           string_view atype, string_view btype, string_view ctype, std::uint32_t aux = 0) {
  expect_operands(to, in, 4, 4);
  const auto a = to.source(in.operands[1], atype);
  const auto b = to.source(in.operands[2], btype);
  const auto c = to.source(in.operands[3], ctype);
  const auto d = to.destination(in.operands[0], lane_of_type(dtype), is_signed(dtype));
  to.emit(operation, {.d = d, .a = a, .b = b, .c = c, .aux = aux});
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
  const Operation operation = type.starts_with("bf16") ? Operation::half_bf16 : Operation::half_f16;
  const std::size_t n = in.operands.size();
  if (n < 2 || n > 4) to.fail("wrong number of operands");
  std::array<std::uint32_t, 3> s{};
  for (std::size_t i = 1; i < 4; ++i) s[i - 1] = i < n ? to.source(in.operands[i], 4) : s[0];
  const auto d = to.destination(in.operands[0], 4);
  to.emit(operation, {.d = d, .a = s[0], .b = s[1], .c = s[2], .aux = aux});
}

// Floating-point operations with rounding, flushing and saturation.
template <std::size_t Words>
void real(FunctionDecoder& to, const Instruction& in, string_view type,
          const Family<Words>& family) {
  const std::uint32_t mode = float_mode(in);
  // .ftz and .sat alone are vector operations; other rounding goes through the control register.
  const bool rounds = (mode & 0x6000U) != 0;
  const string modifiers =
      rounds ? "" : string((mode & 0x8000U) != 0 ? "ftz." : "") + ((mode & 1U) != 0 ? "sat." : "");
  const Operation operation = to.choose(family, modifiers + string(type) + (rounds ? ".mode" : ""));
  switch (in.operands.size()) {
    case 2: emit1(to, in, operation, type, type, mode); return;
    case 3: emit2(to, in, operation, type, type, type, mode); return;
    case 4: emit3(to, in, operation, type, type, type, type, mode); return;
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
    to.emit(lane == 4 ? Operation::addc_32 : Operation::addc_64,
            {.d = d, .a = a, .b = b, .c = carry_slot(to), .aux = aux});
    return;
  }
  if (is_half(type)) return half(to, in, type, sub ? half_sub : half_add);
  if (is_real(type)) {
    // add{.rnd}{.sat}.f32.atype: mixed precision, of later architectures.
    if (types_of(in).size() > 1) return to.unsupported("mixed precision");
    return real(to, in, type, sub ? real_sub : real_add);
  }
  if (type == "u16x2" || type == "s16x2") {
    return emit2(to, in, Operation::pair_16x2, "b32", "b32", "b32",
                 (sub ? 3U : 0U) | (is_signed(type) ? 4U : 0U));
  }
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  if (in.has("sat") && type == "s32") {
    return emit2(to, in, sub ? Operation::sub_sat_s32 : Operation::add_sat_s32, type, type, type);
  }
  if (in.has("sat")) to.fail("only .s32 is added with saturation");
  emit2(to, in, to.choose(sub ? integer_sub : integer_add, type), type, type, type);
}

void mul(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_half(type)) return half(to, in, type, half_mul);
  if (is_real(type)) return real(to, in, type, real_mul);
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  if (in.has("wide")) {
    const string wide =
        (is_signed(type) ? "s" : "u") + string(size_of_type(type) == 2 ? "32" : "64");
    return emit2(to, in, to.choose(mul_wide, type), wide, type, type);
  }
  emit2(to, in, to.choose(in.has("hi") ? mul_hi : mul_lo, type), type, type, type);
}

void mad(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_real(type)) return real(to, in, type, real_fma);
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
    to.emit(lane == 4 ? Operation::madc_32 : Operation::madc_64,
            {.d = d, .a = a, .b = b, .c = c, .aux = aux, .imm = carry_slot(to)});
    return;
  }
  if (in.has("wide")) {
    const string wide =
        (is_signed(type) ? "s" : "u") + string(size_of_type(type) == 2 ? "32" : "64");
    return emit3(to, in, to.choose(mad_wide, type), wide, type, type, wide);
  }
  if (in.has("hi") && in.has("sat")) {
    if (type != "s32") to.fail("only .s32 is added with saturation");
    return emit3(to, in, Operation::mad_hi_sat_s32, type, type, type, type);
  }
  emit3(to, in, to.choose(in.has("hi") ? mad_hi : mad_lo, type), type, type, type, type);
}

void mul24(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.opcode == "mul24") {
    return emit2(to, in, to.choose(in.has("hi") ? mul24_hi : mul24_lo, type), type, type, type);
  }
  emit3(to, in,
        in.has("sat") ? Operation::mad24_hi_sat_s32
                      : to.choose(in.has("hi") ? mad24_hi : mad24_lo, type),
        type, type, type, type);
}

void sad(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  emit3(to, in, to.choose(sum_of_difference, type), type, type, type, type);
}

void divide(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (type == "f32" && (in.has("approx") || in.has("full"))) {
    const std::uint32_t aux = (in.has("ftz") ? 2U : 0U) | (in.has("approx") ? 4U : 0U);
    to.approximated();
    return emit2(to, in, Operation::div_approx, type, type, type, aux);
  }
  if (is_real(type) && in.opcode == "div") return real(to, in, type, real_div);
  emit2(to, in, to.choose(in.opcode == "div" ? integer_div : integer_rem, type), type, type, type);
}

void min_max(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const bool max = in.opcode == "max";
  if (is_half(type)) {
    const bool nan = in.has("NaN");
    return half(to, in, type,
                max ? (nan ? half_max_nan : half_max) : (nan ? half_min_nan : half_min));
  }
  const auto& family = max ? real_max : real_min;
  if (type == "f64") return emit2(to, in, to.choose(family, type), type, type, type);
  if (type == "f32") {
    const string nan = in.has("NaN") ? "NaN." : "";
    const bool three = in.operands.size() == 4;
    const bool xorsign = in.has("xorsign");
    const std::uint32_t forms = (three ? 1U : 0U) | (xorsign ? 2U : 0U) |
                                (in.has("ftz") ? 4U : 0U) | (in.has("abs") && !xorsign ? 8U : 0U);
    if (forms == 0) return emit2(to, in, to.choose(family, nan + "f32"), type, type, type);
    if (forms == 4 && nan.empty()) {
      return emit2(to, in, to.choose(family, "ftz.f32"), type, type, type);
    }
    const Operation operation = to.choose(family, nan + "forms.f32");
    if (three) return emit3(to, in, operation, type, type, type, type, forms);
    return emit2(to, in, operation, type, type, type, forms);
  }
  if (type == "u16x2" || type == "s16x2") {
    return emit2(to, in, Operation::pair_16x2, "b32", "b32", "b32",
                 (max ? 2U : 1U) | (is_signed(type) ? 4U : 0U) | (in.has("relu") ? 8U : 0U));
  }
  if (in.has("relu")) return emit2(to, in, Operation::relu_s32, type, type, type, max ? 1 : 0);
  emit2(to, in, to.choose(max ? integer_max : integer_min, type), type, type, type);
}

void absolute_negate(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (is_half(type)) return half(to, in, type, in.opcode == "neg" ? half_neg : half_abs);
  const bool negates = in.opcode == "neg";
  if (is_real(type)) return real(to, in, type, negates ? real_neg : real_abs);
  emit1(to, in, to.choose(negates ? integer_neg : integer_abs, type), type, type);
}

void fma(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.has("oob")) return to.unsupported("fma.oob");
  if (is_half(type)) return half(to, in, type, half_fma);
  if (type == "f32x2") return to.unsupported("packed single precision, of compute capability 10");
  if (types_of(in).size() > 1) return to.unsupported("mixed precision");
  real(to, in, type, real_fma);
}

void reciprocal_root(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.has("approx")) {
    to.approximated();
    const std::uint32_t aux = in.has("ftz") ? 2 : 0;
    if (type == "f64") {
      return emit1(to, in, in.opcode == "rcp" ? Operation::rcp_approx_f64 : Operation::rsqrt_f64,
                   type, type, in.has("ftz") ? 4 : 0);
    }
    return emit1(to, in,
                 in.opcode == "rsqrt" ? Operation::rsqrt
                 : in.opcode == "rcp" ? Operation::rcp_approx
                                      : Operation::sqrt_approx,
                 type, type, aux);
  }
  if (in.opcode == "rsqrt") to.fail("rsqrt is approximate");
  real(to, in, type, in.opcode == "rcp" ? real_rcp : real_sqrt);
}

void approximate(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  to.approximated();
  if (is_half(type)) return half(to, in, type, in.opcode == "ex2" ? half_ex2 : half_tanh);
  const Operation operation = in.opcode == "sin"   ? Operation::sin
                              : in.opcode == "cos" ? Operation::cos
                              : in.opcode == "lg2" ? Operation::lg2
                              : in.opcode == "ex2" ? Operation::ex2
                                                   : Operation::tanh;
  emit1(to, in, operation, type, type, in.has("ftz") ? 2 : 0);
}

void testp(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 6> names = {"finite",     "infinite", "number",
                                                       "notanumber", "normal",   "subnormal"};
  expect_operands(to, in, 2, 2);
  const string_view type = type_of(to, in);
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    if (!in.has(names[i])) continue;
    const auto a = to.source(in.operands[1], type);
    to.emit(to.choose(real_testp, type),
            {.d = to.predicate_destination(in.operands[0]), .a = a, .aux = i});
    return;
  }
  to.fail("unknown property");
}

void copysign(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  emit2(to, in, to.choose(real_copysign, type), type, type, type);
}

// --- bits ---------------------------------------------------------------------------------------

void logic(FunctionDecoder& to, const Instruction& in) {
  struct Logic {
    string_view opcode;
    Operation of_predicates;
    Family<bits.size()> of_bits;
  };
  static constexpr std::array<Logic, 5> all = {{{"and", Operation::pred_and, bits_and},
                                                {"or", Operation::pred_or, bits_or},
                                                {"xor", Operation::pred_xor, bits_xor},
                                                {"not", Operation::pred_not, bits_not},
                                                {"cnot", Operation::unsupported, bits_cnot}}};
  const Logic& logic = *std::ranges::find(all, in.opcode, &Logic::opcode);
  const string_view type = type_of(to, in);
  const bool one = in.opcode == "not" || in.opcode == "cnot";
  if (type == "pred") {
    if (in.opcode == "cnot") to.fail("cnot has no form for predicates");
    expect_operands(to, in, one ? 2 : 3, one ? 2 : 3);
    const auto a = to.predicate_source(in.operands[1]);
    const auto b = one ? 0U : to.predicate_source(in.operands[2]);
    to.emit(logic.of_predicates, {.d = to.predicate_destination(in.operands[0]), .a = a, .b = b});
    return;
  }
  const Operation operation = to.choose(logic.of_bits, type);
  if (one) return emit1(to, in, operation, type, type);
  emit2(to, in, operation, type, type, type);
}

void shift(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  const Operation operation = in.opcode == "shr"
                                  ? to.choose(shift_right, unsigned_name(type))
                                  : to.choose(shift_left, "b" + string(type.substr(1)));
  emit2(to, in, operation, type, type, "u32");
}

void funnel(FunctionDecoder& to, const Instruction& in) {
  emit3(to, in, Operation::shf_b32, "b32", "b32", "b32", "u32",
        (in.has("r") ? 1U : 0U) | (in.has("clamp") ? 2U : 0U));
}

void count_bits(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.opcode == "brev") return emit1(to, in, to.choose(reversed, type), type, type);
  if (in.opcode == "bfind") {
    return emit1(to, in, to.choose(find_leading, type), "u32", type, in.has("shiftamt") ? 1 : 0);
  }
  emit1(to, in, to.choose(in.opcode == "popc" ? ones : leading_zeros, type), "u32", type);
}

void bit_field(FunctionDecoder& to, const Instruction& in) {
  const string_view type = type_of(to, in);
  if (in.opcode == "bfe") {
    return emit3(to, in, to.choose(extract_field, type), type, type, "u32", "u32");
  }
  expect_operands(to, in, 5, 5);
  const int lane = lane_of_type(type);
  const auto a = to.source(in.operands[1], lane);
  const auto b = to.source(in.operands[2], lane);
  const auto c = to.source(in.operands[3], 4);
  const auto e = to.source(in.operands[4], 4);
  to.emit(to.choose(insert_field, type),
          {.d = to.destination(in.operands[0], lane), .a = a, .b = b, .c = c, .aux = e});
}

void permute(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 7> modes = {"",    "f4e", "b4e", "rc8",
                                                       "ecl", "ecr", "rc16"};
  std::uint32_t mode = 0;
  for (std::uint32_t i = 1; i < modes.size(); ++i) {
    if (in.has(modes[i])) mode = i;
  }
  emit3(to, in, Operation::prmt_b32, "b32", "b32", "b32", "b32", mode);
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
    const auto d = to.destination(in.operands[0], 4);
    to.emit(Operation::lop3_b32, {.d = d, .a = a, .b = b, .c = c, .aux = table});
    return;
  }
  if (!in.operands[0].second) to.fail("the predicate result is missing");
  const auto q = to.predicate_source(in.operands[5]);
  const auto d = to.temporary(4);
  const auto nonzero = to.temporary_predicate();
  to.emit(Operation::lop3_b32, {.d = d, .a = a, .b = b, .c = c, .aux = table});
  to.emit(Operation::pred_from, {.d = nonzero, .a = d});
  const auto p = to.predicate_destination(*in.operands[0].second);
  if (p != 0) {
    to.emit(in.has("or") ? Operation::pred_or : Operation::pred_and,
            {.d = p, .a = nonzero, .b = q});
  }
  if (in.operands[0].kind != Operand::Kind::sink) {
    to.emit(Operation::mov_32, {.d = to.destination(in.operands[0], 4), .a = d});
  }
}

void bit_mask(FunctionDecoder& to, const Instruction& in) {
  emit2(to, in, Operation::bmsk_b32, "b32", "u32", "u32", in.has("wrap") ? 1 : 0);
}
void extend(FunctionDecoder& to, const Instruction& in) {
  emit2(to, in, Operation::szext_b32, "b32", "u32", "u32",
        (in.has("wrap") ? 1U : 0U) | (in.has("s32") ? 2U : 0U));
}
void find_nth(FunctionDecoder& to, const Instruction& in) {
  emit3(to, in, Operation::fns_b32, "b32", "b32", "b32", "s32");
}

void dot_product(FunctionDecoder& to, const Instruction& in) {
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  std::uint32_t aux = (is_signed(types[0]) ? 1U : 0U) | (is_signed(types[1]) ? 2U : 0U);
  if (in.opcode == "dp2a") aux |= 4U | (in.has("hi") ? 8U : 0U);
  emit3(to, in, Operation::dp4a, "b32", "b32", "b32", "b32", aux);
}

// --- comparisons --------------------------------------------------------------------------------

// The place of the comparison among `names`, which is its number for halves too.
std::uint32_t comparison_of(FunctionDecoder& to, const Instruction& in) {
  static constexpr std::array<string_view, 14> names = {
      "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
  // Of unsigned integers.
  static constexpr std::array<string_view, 6> others = {"", "", "lo", "ls", "hi", "hs"};
  for (const auto& m : in.modifiers) {
    for (std::uint32_t i = 0; i < names.size(); ++i) {
      if (m == names[i] || (i < others.size() && m == others[i])) return i;
    }
  }
  to.fail("a comparison is missing");
}
Operation compare(const FunctionDecoder& to, const Comparisons& all, std::uint32_t comparison,
                  const string& type) {
  return comparison < all.ordered.size()
             ? to.choose(all.ordered[comparison], type)
             : to.choose(all.of_reals[comparison - all.ordered.size()], type);
}
std::uint32_t combination_of(const Instruction& in) {
  return in.has("and") ? 1 : in.has("or") ? 2 : in.has("xor") ? 3 : 0;
}

void set_predicate(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 3, 4);
  const string_view type = type_of(to, in);
  const std::uint32_t comparison = comparison_of(to, in);
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
    const std::uint32_t how =
        comparison | (type.ends_with("x2") ? 0x100U : 0U) | (in.has("ftz") ? 0x800U : 0U);
    to.emit(type.starts_with("bf16") ? Operation::setp_bf16 : Operation::setp_f16,
            {.d = p, .a = a, .b = b, .c = c, .aux = aux, .imm = how});
    to.packed_predicate(q);
    return;
  }
  const auto a = to.source(in.operands[1], type);
  const auto b = to.source(in.operands[2], type);
  const string flush = in.has("ftz") && type == "f32" ? "ftz." : "";
  to.emit(compare(to, to_predicate, comparison, flush + unsigned_name(type)),
          {.d = p, .a = a, .b = b, .c = c, .aux = aux});
  to.packed_predicate(q);
}

void set_register(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 3, 4);
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  const std::uint32_t comparison = comparison_of(to, in);
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
    std::uint32_t how = comparison;
    if (types[1].ends_with("x2")) how |= 0x100;
    if (is_half(types[0]) || types[0] == "f32") how |= 0x200;
    if (types[0] == "f32" || types[0] == "u32" || types[0] == "s32") how |= 0x400;
    if (types[1].ends_with("x2") && !is_half(types[0])) how &= ~0x400U;
    if (in.has("ftz")) how |= 0x800;
    to.emit(types[1].starts_with("bf16") ? Operation::set_bf16 : Operation::set_f16,
            {.d = d, .a = a, .b = b, .c = c, .aux = aux, .imm = how});
    return;
  }
  const auto a = to.source(in.operands[1], types[1]);
  const auto b = to.source(in.operands[2], types[1]);
  const Operation operation =
      compare(to, types[0] == "f32" ? to_one : to_ones, comparison,
              (in.has("ftz") && types[1] == "f32" ? "ftz." : "") + unsigned_name(types[1]));
  if (is_half(types[0])) {
    // All ones, then 1.0 of them.
    const auto all_ones = to.temporary(4);
    to.emit(operation, {.d = all_ones, .a = a, .b = b, .c = c, .aux = aux});
    const auto one = to.constant(types[0].starts_with("bf16") ? 0x3f80U : 0x3c00U, 4);
    to.emit(Operation::and_b32, {.d = to.destination(in.operands[0], 4), .a = all_ones, .b = one});
    return;
  }
  const auto d = to.destination(in.operands[0], 4);
  to.emit(operation, {.d = d, .a = a, .b = b, .c = c, .aux = aux});
}

void select(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 4, 4);
  const string_view type = type_of(to, in);
  const int lane = lane_of_type(type);
  const auto a = to.source(in.operands[1], type);
  const auto b = to.source(in.operands[2], type);
  const auto p = to.predicate_source(in.operands[3]);
  to.emit(lane == 4 ? Operation::selp_32 : Operation::selp_64,
          {.d = to.destination(in.operands[0], lane), .a = a, .b = b, .c = p});
}

void select_by_sign(FunctionDecoder& to, const Instruction& in) {
  expect_operands(to, in, 4, 4);
  const auto types = types_of(in);
  if (types.size() != 2) to.fail("two types are expected");
  const int lane = lane_of_type(types[0]);
  const auto a = to.source(in.operands[1], types[0]);
  const auto b = to.source(in.operands[2], types[0]);
  const auto c = to.source(in.operands[3], types[1]);
  const Operation operation =
      to.choose(lane == 4 ? select_sign_32 : select_sign_64,
                (in.has("ftz") && types[1] == "f32" ? "ftz." : "") + string(types[1]));
  to.emit(operation, {.d = to.destination(in.operands[0], lane), .a = a, .b = b, .c = c});
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
  const auto d = to.destination(in.operands[0], 4);
  to.emit(Operation::cvt_pack, {.d = d, .a = a, .b = b, .c = c, .aux = aux});
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
    return emit1(to, in, Operation::cvt_tf32, "b32", "b32",
                 (in.has("rna")  ? 0U
                  : in.has("rz") ? 2U
                                 : 1U) |
                     (relu << 4) | finite);
  }
  const std::uint32_t rounding = in.has("rz") ? 1U : in.has("rm") ? 2U : in.has("rp") ? 3U : 0U;
  if ((d == "f16x2" || d == "bf16x2") && a == "f32") {
    if (in.has("rs")) return to.unsupported("stochastic rounding, of compute capability 10");
    return emit2(to, in, to.choose(to_pair, d), "b32", "f32", "f32",
                 sat | (relu << 4) | (rounding << 5) | finite | (ftz << 9));
  }
  const string names = string(d) + "." + string(a);
  const auto* const result = std::ranges::find(converted, d);
  if (result == converted.end()) to.fail("there is no conversion to ." + string(d));
  const auto to_type = static_cast<std::size_t>(result - converted.begin());
  const bool from_real = is_real(a) || is_half(a);
  const bool to_real = is_real(d) || is_half(d);
  if (!from_real && !to_real) {
    const Operation operation = sat != 0 ? to.choose(any_conversion.at(to_type), a)
                                         : to.choose(between_integers.at(to_type), a);
    return emit1(to, in, operation, d, a, sat);
  }
  if (!to_real) {
    if (a == "f32" && whole == 2 && ftz == 0) {
      return emit1(to, in, to.choose(to_whole, names), d, a);
    }
    return emit1(to, in, to.choose(any_conversion[to_type], a), d, a,
                 (whole == 0 ? 2U : whole) | (ftz << 3));
  }
  if (is_half(d)) {
    const std::uint32_t aux =
        sat | (whole << 1) | (relu << 4) | (rounding << 5) | finite | (ftz << 9);
    const Operation operation = aux == 0 && a == "f32" ? to.choose(plain_conversion, names)
                                                       : to.choose(any_conversion[to_type], a);
    return emit1(to, in, operation, "b32", a, aux);
  }
  const std::uint32_t mode = float_mode(in) & 0x6000U;
  const bool plain = sat == 0 && ftz == 0 && whole == 0 && mode == 0;
  if (const auto operation = plain_conversion.find(names); plain && operation) {
    return emit1(to, in, *operation, d, a);
  }
  emit1(to, in, to.choose(any_conversion[to_type], a), d, a,
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
