// Single and double precision: PTX ISA, "Floating Point Instructions". Expected values: MPFR, one
// rounding. NaN: a single-precision result that is not a number is unspecified in the PTX ISA and
// 0x7fffffff on every device; a double keeps the payload of an operand.
#include "exact.hpp"

namespace softgpu::test {
namespace {

struct FloatRounding {
  std::string name;
  Round round;
};
const std::vector<FloatRounding>& roundings() {
  static const std::vector<FloatRounding> all = {
      {".rn", Round::nearest}, {".rz", Round::zero}, {".rm", Round::down}, {".rp", Round::up}};
  return all;
}

std::string type_name(const Format& format) { return format.bits == 32 ? "f32" : "f64"; }

// A saturated result: into [0, 1], NaN to +0.
u64 saturated(const Format& format, u64 x) {
  if (format.is_nan(x) || (x & format.sign()) != 0) return 0;
  return std::min(x, format.one());
}

// Judges a result by the rules of NaN above.
std::string judge_real(const Format& format, const Tuple& in, std::size_t operands, u64 want,
                       u64 got, bool any_zero = false) {
  if (!format.is_nan(want)) return same_real(format, want, got, any_zero);
  if (format.bits == 32) return got == format.canonical ? "" : hex(format.canonical);
  if (!format.is_nan(got)) return "a NaN";
  const u64 quiet = u64{1} << (format.fraction() - 1);
  bool any_nan = false;
  for (std::size_t i = 0; i < operands; ++i) {
    const u64 x = static_cast<u64>(in[i]);
    if (!format.is_nan(x)) continue;
    any_nan = true;
    if (((got ^ x) & ~format.sign() & ~quiet) == 0 && (got & quiet) != 0) return {};
  }
  return any_nan ? "the payload of an operand that is NaN" : "";
}

// The instruction with every rounding, with and without .ftz and .sat.
struct FloatOperation {
  std::string name;
  std::size_t operands;
  std::function<Real(const std::array<Real, 3>&, Round)> exact;
  bool saturates;
  bool without_rounding;  // add.f32 is add.rn.f32
};

void check_operation(const Format& format, const FloatOperation& operation) {
  std::vector<Source> sources(operation.operands, reals(format));
  const auto inputs = tuples(sources, 2000, 1800);
  const std::string type = type_name(format);
  std::vector<FloatRounding> modes = roundings();
  if (operation.without_rounding) modes.push_back({"", Round::nearest});
  for (const FloatRounding& mode : modes) {
    // One computation serves all modifiers.
    std::vector<std::array<u64, 2>> exact(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      for (const bool flush : {false, true}) {
        std::array<Real, 3> in;
        for (std::size_t k = 0; k < operation.operands; ++k) {
          const u64 x = static_cast<u64>(inputs[i][k]);
          in[k] = Real::of(format, flush ? format.flush(x) : x);
        }
        exact[i][flush ? 1 : 0] = round_to(format, operation.exact(in, mode.round), mode.round);
      }
    }
    for (const bool flush : {false, true}) {
      for (const bool saturates : {false, true}) {
        if (format.bits == 64 && (flush || saturates)) continue;
        if (saturates && !operation.saturates) continue;
        std::string text = operation.name + mode.name + (flush ? ".ftz" : "") +
                           (saturates ? ".sat" : "") + "." + type + " %d";
        for (std::size_t k = 0; k < operation.operands; ++k)
          text += std::string(", ") + detail::operand_name(k);

        check_with({text + ";", {type}, std::vector<std::string>(operation.operands, type)}, inputs,
                   [&](const Tuple& in, const Results& got) {
                     const auto at = static_cast<std::size_t>(&in - inputs.data());
                     u64 want = exact[at][flush ? 1 : 0];
                     if (flush) want = format.flush(want);
                     if (saturates) want = saturated(format, want);
                     return judge_real(format, in, operation.operands, want,
                                       static_cast<u64>(got[0]), saturates);
                   });
      }
    }
  }
}

const std::vector<FloatOperation>& operations() {
  static const std::vector<FloatOperation> all = {
      {"add", 2, [](const auto& x, Round r) { return add(x[0], x[1], r); }, true, true},
      {"sub", 2, [](const auto& x, Round r) { return subtract(x[0], x[1], r); }, true, true},
      {"mul", 2, [](const auto& x, Round) { return multiply(x[0], x[1]); }, true, true},
      {"fma", 3, [](const auto& x, Round r) { return multiply_add(x[0], x[1], x[2], r); }, true,
       false},
      {"mad", 3, [](const auto& x, Round r) { return multiply_add(x[0], x[1], x[2], r); }, true,
       false},
      {"div", 2, [](const auto& x, Round) { return divide(x[0], x[1]); }, false, false},
      {"rcp", 1, [](const auto& x, Round) { return divide(Real::number(1), x[0]); }, false, false},
      {"sqrt", 1, [](const auto& x, Round) { return square_root(x[0]); }, false, false},
  };
  return all;
}

class Float : public ::testing::TestWithParam<int> {};
TEST_P(Float, Single) { check_operation(f32, operations()[static_cast<std::size_t>(GetParam())]); }
TEST_P(Float, Double) { check_operation(f64, operations()[static_cast<std::size_t>(GetParam())]); }
INSTANTIATE_TEST_SUITE_P(All, Float, ::testing::Range(0, 8), [](const auto& parameter) {
  return operations()[static_cast<std::size_t>(parameter.param)].name;
});

// --- minimum, maximum and signs ------------------------------------------------------------------

u64 extreme_of(const Format& format, u64 a, u64 b, bool max, bool propagate) {
  const bool nan_a = format.is_nan(a);
  const bool nan_b = format.is_nan(b);
  if ((propagate && (nan_a || nan_b)) || (nan_a && nan_b)) return format.canonical;
  if (nan_a) return b;
  if (nan_b) return a;
  const int order = Real::of(format, a).compare(Real::of(format, b));
  if (order != 0) return (order > 0) == max ? a : b;
  // Only zeros are equal without being the same: −0 is the smaller.
  return max ? a & b : a | b;
}

TEST(FloatSigns, MinimumMaximum) {
  for (const Format& format : {f32, f64}) {
    const std::string type = type_name(format);
    const auto inputs = tuples({reals(format), reals(format)});
    for (const bool max : {false, true}) {
      for (const bool flush : {false, true}) {
        for (const bool propagate : {false, true}) {
          for (const bool signs : {false, true}) {
            if (format.bits == 64 && (flush || propagate || signs)) continue;
            const std::string text = std::string(max ? "max" : "min") + (flush ? ".ftz" : "") +
                                     (propagate ? ".NaN" : "") + (signs ? ".xorsign.abs" : "") +
                                     "." + type + " %d, %a, %b;";
            check_with({text, {type}, {type, type}}, inputs,
                       [&](const Tuple& in, const Results& got) {
                         u64 a = static_cast<u64>(in[0]);
                         u64 b = static_cast<u64>(in[1]);
                         const u64 sign = (a ^ b) & format.sign();
                         if (flush) {
                           a = format.flush(a);
                           b = format.flush(b);
                         }
                         if (signs) {
                           a &= ~format.sign();
                           b &= ~format.sign();
                         }
                         u64 want = extreme_of(format, a, b, max, propagate);
                         if (signs && !format.is_nan(want)) want |= sign;
                         if (format.is_nan(want) && format.bits == 64)
                           return std::string(format.is_nan(static_cast<u64>(got[0])) ? "" : "NaN");
                         return want == got[0] ? std::string() : hex(want);
                       });
          }
        }
      }
    }
  }
}

TEST(FloatSigns, AbsoluteNegateCopysign) {
  for (const Format& format : {f32, f64}) {
    const std::string type = type_name(format);
    const auto inputs = tuples({reals(format), reals(format)});
    for (const bool flush : {false, true}) {
      if (flush && format.bits == 64) continue;
      const std::string form = std::string(flush ? ".ftz." : ".") + type;
      const auto prepared = [&](const Tuple& in) {
        return flush ? format.flush(static_cast<u64>(in[0])) : static_cast<u64>(in[0]);
      };
      check_with({"abs" + form + " %d, %a;", {type}, {type}}, inputs,
                 [&](const Tuple& in, const Results& got) {
                   return same_real(format, prepared(in) & ~format.sign(),
                                    static_cast<u64>(got[0]));
                 });
      check_with({"neg" + form + " %d, %a;", {type}, {type}}, inputs,
                 [&](const Tuple& in, const Results& got) {
                   return same_real(format, prepared(in) ^ format.sign(), static_cast<u64>(got[0]));
                 });
    }
    check({"copysign." + type + " %d, %a, %b;", {type}, {type, type}}, inputs,
          [&](const Tuple& in) {
            return (static_cast<u64>(in[0]) & format.sign()) |
                   (static_cast<u64>(in[1]) & ~format.sign());
          });
  }
}

TEST(FloatSigns, TestProperty) {
  for (const Format& format : {f32, f64}) {
    const std::string type = type_name(format);
    const auto inputs = tuples({reals(format)});
    const auto check_property = [&](const std::string& name, auto&& holds) {
      check({"testp." + name + "." + type + " %d, %a;", {"pred"}, {type}}, inputs,
            [&](const Tuple& in) { return u128{holds(static_cast<u64>(in[0])) ? 1U : 0U}; });
    };
    const auto infinite = [&](u64 x) { return (x & ~format.sign()) == format.infinity(); };
    check_property("finite", [&](u64 x) { return !format.is_nan(x) && !infinite(x); });
    check_property("infinite", infinite);
    check_property("number", [&](u64 x) { return !format.is_nan(x); });
    check_property("notanumber", [&](u64 x) { return format.is_nan(x); });
    // Zeros count as normal.
    check_property("normal", [&](u64 x) {
      return !format.is_nan(x) && !infinite(x) && !format.is_subnormal(x);
    });
    check_property("subnormal", [&](u64 x) { return format.is_subnormal(x); });
  }
}

TEST(FloatImmediates, Constants) {
  const auto inputs = tuples({reals(f32)}, 300);
  check_with({"add.f32 %d, %a, 0f3FC00000;", {"f32"}, {"f32"}}, inputs,
             [](const Tuple& in, const Results& got) {
               return judge_real(f32, in, 1,
                                 round_to(f32, add(Real::of(f32, in[0]), Real::number(1.5))),
                                 static_cast<u64>(got[0]));
             });
  check_with({"fma.rn.f32 %d, %a, 0fBF800000, 0f00000001;", {"f32"}, {"f32"}}, inputs,
             [](const Tuple& in, const Results& got) {
               return judge_real(f32, in, 1,
                                 round_to(f32, multiply_add(Real::of(f32, in[0]), Real::number(-1),
                                                            Real::of(f32, 1))),
                                 static_cast<u64>(got[0]));
             });
  check_with({"mul.f64 %d, %a, 0dC000000000000000;", {"f64"}, {"f64"}}, tuples({reals(f64)}, 300),
             [](const Tuple& in, const Results& got) {
               return judge_real(f64, in, 1,
                                 round_to(f64, multiply(Real::of(f64, in[0]), Real::number(-2))),
                                 static_cast<u64>(got[0]));
             });
  check_with({"mul.f32 %d, %a, 2.0;", {"f32"}, {"f32"}}, inputs,
             [](const Tuple& in, const Results& got) {
               return judge_real(f32, in, 1,
                                 round_to(f32, multiply(Real::of(f32, in[0]), Real::number(2))),
                                 static_cast<u64>(got[0]));
             });
}

}  // namespace
}  // namespace softgpu::test
