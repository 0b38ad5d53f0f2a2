// Approximate single and double precision functions against the bounds and the special values that
// the PTX ISA gives for each of them.
#include "exact.hpp"

namespace softgpu::test {
namespace {

using Function = std::function<Real(const Real&)>;
// The largest error that is allowed where the function is `want`, or a negative number where the
// PTX ISA promises nothing.
using Bound = std::function<double(double in, const Real& want)>;

double ulp(const Real& want) {
  if (want.is_zero()) return std::ldexp(1.0, -149);
  return std::ldexp(1.0, std::max(static_cast<int>(mpfr_get_exp(want.get())) - 24, -149));
}

std::string within(const Real& want, u64 got, double bound, bool flush) {
  if (want.is_nan()) return got == f32.canonical ? "" : hex(f32.canonical);
  const u64 nearest = round_to(f32, want);
  if (got == nearest || (flush && got == f32.flush(nearest))) return {};
  if (want.is_infinite() || f32.is_nan(got)) return hex(nearest);
  if (want.is_zero()) return hex(nearest);
  const Real value = Real::of(f32, got);
  if (value.is_infinite()) return hex(nearest);
  const double error = std::abs(subtract(value, want).to_double());
  return error <= bound ? std::string()
                        : hex(nearest) + " within " + std::to_string(bound / ulp(want)) + " ulp";
}

void check_function(const std::string& name, const Function& function, const Bound& bound,
                    const Source& source, bool also_plain = true) {
  const auto inputs = tuples({source}, 6000);
  for (const bool flush : {true, false}) {
    if (!flush && !also_plain) continue;
    check_with(
        {name + (flush && name != "tanh.approx" ? ".ftz" : "") + ".f32 %d, %a;", {"f32"}, {"f32"}},
        inputs, [&](const Tuple& in, const Results& got) {
          u64 x = static_cast<u64>(in[0]);
          const bool flushes = flush && name != "tanh.approx";
          if (flushes) x = f32.flush(x);
          const Real a = Real::of(f32, x);
          const Real want = function(a);
          const double allowed = want.is_nan() ? 0 : bound(a.to_double(), want);
          if (allowed < 0) return std::string();
          return within(want, static_cast<u64>(got[0]), allowed, flushes);
        });
  }
}

// Values of the size that the function is about.
Source around(double low, double high) {
  Source source = reals(f32);
  const auto random = source.random;
  source.random = [=](Random& generator) -> u128 {
    if (generator() % 4 == 0) return random(generator);
    const double x = low + (high - low) * std::ldexp(static_cast<double>(generator() >> 11), -53);
    return round_to(f32, Real::number(x));
  };
  return source;
}

template <class F>
Function by(F mpfr_function) {
  return [mpfr_function](const Real& a) {
    return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_function(r, a.get(), m); });
  };
}

double relative(const Real& want, double exponent) {
  // A subnormal result may be off by its last bit.
  return std::max(std::abs(want.to_double()) * std::exp2(exponent), std::ldexp(1.0, -149));
}

TEST(Approximate, ExponentialAndLogarithm) {
  check_function(
      "ex2.approx", by(mpfr_exp2), [](double, const Real& want) { return relative(want, -22); },
      around(-150, 129));
  // Absolute error 2^-22 inside (0.5, 2), relative error 2^-22 elsewhere.
  check_function(
      "lg2.approx", by(mpfr_log2),
      [](double x, const Real& want) {
        return x > 0.5 && x < 2 ? std::exp2(-22) : relative(want, -22);
      },
      around(0, 4));
}

TEST(Approximate, SineAndCosine) {
  // Absolute error 2^-20.5 in [-2 pi, 2 pi] and 2^-14.7 in [-100 pi, 100 pi].
  const Bound bound = [](double x, const Real&) {
    const double size = std::abs(x);
    const double pi = 3.14159265358979;
    return size <= 2 * pi ? std::exp2(-20.5) : size <= 100 * pi ? std::exp2(-14.7) : -1.0;
  };
  check_function("sin.approx", by(mpfr_sin), bound, around(-8, 8));
  check_function("sin.approx", by(mpfr_sin), bound, around(-320, 320));
  check_function("cos.approx", by(mpfr_cos), bound, around(-8, 8));
  check_function("cos.approx", by(mpfr_cos), bound, around(-320, 320));
}

TEST(Approximate, HyperbolicTangent) {
  check_function(
      "tanh.approx", by(mpfr_tanh), [](double, const Real& want) { return relative(want, -11); },
      around(-6, 6), false);
}

TEST(Approximate, RootsAndReciprocal) {
  check_function(
      "sqrt.approx", by(mpfr_sqrt), [](double, const Real& want) { return relative(want, -23); },
      around(0, 1e6));
  check_function(
      "rsqrt.approx",
      [](const Real& a) {
        if (a.is_zero())
          return divide(Real::number(1), a);  // keeps the sign, as the PTX ISA has it
        return by(mpfr_rec_sqrt)(a);
      },
      [](double, const Real& want) { return relative(want, -22.9); }, around(0, 1e6));
  check_function(
      "rcp.approx", [](const Real& a) { return divide(Real::number(1), a); },
      [](double, const Real& want) { return ulp(want); }, around(-100, 100));
}

TEST(Approximate, Divide) {
  const auto inputs = tuples({reals(f32), reals(f32)}, 5000);
  for (const bool full : {false, true}) {
    for (const bool flush : {false, true}) {
      check_with(
          {std::string("div.") + (full ? "full" : "approx") + (flush ? ".ftz" : "") +
               ".f32 %d, %a, %b;",
           {"f32"},
           {"f32", "f32"}},
          inputs, [&](const Tuple& in, const Results& got) {
            u64 x = static_cast<u64>(in[0]);
            u64 y = static_cast<u64>(in[1]);
            if (flush) {
              x = f32.flush(x);
              y = f32.flush(y);
            }
            const Real a = Real::of(f32, x);
            const Real b = Real::of(f32, y);
            Real want = divide(a, b);
            const double size = std::abs(b.to_double());
            const bool infinite_a = a.is_infinite();
            if (!full && !b.is_infinite() && !b.is_nan() && !a.is_nan() && size > std::exp2(126)) {
              // The PTX ISA: 0, or NaN where a is infinite.
              if (infinite_a) return std::string(f32.is_nan(static_cast<u64>(got[0])) ? "" : "NaN");
              return std::string((got[0] & 0x7fffffff) == 0 ? "" : "0");
            }
            return within(want, static_cast<u64>(got[0]), want.is_nan() ? 0 : 2 * ulp(want), flush);
          });
    }
  }
}

// Coarse double-precision starting values: the upper 32 bits of the result count (PTX ISA:
// rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 clear the lower ones); 20 bits of it are right.
TEST(Approximate, DoublePrecision) {
  const auto inputs = tuples({reals(f64)}, 4000);
  const auto judge = [](const Real& want, u64 got, double exponent, bool upper) {
    if (want.is_nan()) return std::string(f64.is_nan(got) ? "" : "NaN");
    const u64 nearest = f64.flush(round_to(f64, want));
    if (upper && (got & 0xffffffffU) != 0) return std::string("zeros in the lower 32 bits");
    if (want.is_infinite() || want.is_zero() || (nearest & ~f64.sign()) == f64.infinity() ||
        (nearest & ~f64.sign()) == 0) {
      return got == nearest ? std::string() : hex(nearest);
    }
    const double error = std::abs(subtract(Real::of(f64, got), want).to_double());
    return error <= std::abs(want.to_double()) * std::exp2(exponent) ? std::string() : hex(nearest);
  };
  check_with({"rcp.approx.ftz.f64 %d, %a;", {"f64"}, {"f64"}}, inputs,
             [&](const Tuple& in, const Results& got) {
               return judge(
                   divide(Real::number(1), Real::of(f64, f64.flush(static_cast<u64>(in[0])))),
                   static_cast<u64>(got[0]), -20, true);
             });
  const auto root = [](const Real& a) {
    return a.is_zero() ? divide(Real::number(1), a) : by(mpfr_rec_sqrt)(a);
  };
  check_with({"rsqrt.approx.ftz.f64 %d, %a;", {"f64"}, {"f64"}}, inputs,
             [&](const Tuple& in, const Results& got) {
               return judge(root(Real::of(f64, f64.flush(static_cast<u64>(in[0])))),
                            static_cast<u64>(got[0]), -20, true);
             });
  check_with({"rsqrt.approx.f64 %d, %a;", {"f64"}, {"f64"}}, inputs,
             [&](const Tuple& in, const Results& got) {
               return judge(root(Real::of(f64, in[0])), static_cast<u64>(got[0]), -50, false);
             });
}

}  // namespace
}  // namespace softgpu::test
