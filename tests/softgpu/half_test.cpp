// Half precision and bfloat16: PTX ISA, "Half Precision Floating Point Instructions". Expected
// values: MPFR, one rounding, also for fma.
#include "exact.hpp"

namespace softgpu::test {
namespace {

struct Kind {
  const Format* format;
  std::string name;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {{&f16, "f16"}, {&bf16, "bf16"}};
  return all;
}

struct Options {
  bool flush = false;
  bool saturate = false;
  bool relu = false;
};

u64 apply(const Format& format, u64 x, const Options& options) {
  if (options.flush) x = format.flush(x);
  if (options.saturate) {
    x = format.is_nan(x) || (x & format.sign()) != 0 ? 0 : std::min(x, format.one());
  }
  if (options.relu && !format.is_nan(x) && (x & format.sign()) != 0) x = 0;
  return x;
}

using Exact = std::function<u64(const Format&, const std::array<u64, 3>&)>;

// One number in a register, and two.
void check_half(const Kind& kind, const std::string& text, std::size_t operands,
                const Options& options, const Exact& exact) {
  const Format& format = *kind.format;
  auto inputs = tuples(std::vector<Source>(operands, reals(format)), 1500, 2000);
  // The upper halves come from elsewhere in the list.
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tuple& other = inputs[(i * 31 + 17) % inputs.size()];
    for (std::size_t k = 0; k < operands; ++k) inputs[i][k] |= (other[k] & 0xffff) << 16;
  }
  const auto want_of = [&](const Tuple& in, int half) {
    std::array<u64, 3> x{};
    for (std::size_t k = 0; k < operands; ++k) {
      x[k] = static_cast<u64>(in[k] >> (16 * half)) & 0xffff;
      if (options.flush) x[k] = format.flush(x[k]);
    }
    return apply(format, exact(format, x), options);
  };
  const auto same = [&](u64 want, u64 got) {
    if (format.is_nan(want)) return got == format.canonical;
    if (want == got) return true;
    return (options.saturate || options.relu) && ((want | got) & 0x7fff) == 0;
  };
  std::string list = " %d";
  for (std::size_t k = 0; k < operands; ++k) list += std::string(", ") + detail::operand_name(k);
  check_with(
      {text + "." + kind.name + list + ";", {"b16"}, std::vector<std::string>(operands, "b16")},
      inputs, [&](const Tuple& in, const Results& got) {
        const u64 want = want_of(in, 0);
        return same(want, static_cast<u64>(got[0])) ? "" : hex(want);
      });
  check_with({text + "." + kind.name + "x2" + list + ";",
              {"b32"},
              std::vector<std::string>(operands, "b32")},
             inputs, [&](const Tuple& in, const Results& got) {
               const u64 low = want_of(in, 0);
               const u64 high = want_of(in, 1);
               return same(low, static_cast<u64>(got[0] & 0xffff)) &&
                              same(high, static_cast<u64>(got[0] >> 16))
                          ? ""
                          : hex((u128{high} << 16) | low);
             });
}

TEST(Half, AddSubtractMultiplyFma) {
  struct Operation {
    std::string name;
    std::size_t operands;
    Exact exact;
  };
  const std::vector<Operation> operations = {
      {"add", 2,
       [](const Format& f, const auto& x) {
         return round_to(f, add(Real::of(f, x[0]), Real::of(f, x[1])));
       }},
      {"sub", 2,
       [](const Format& f, const auto& x) {
         return round_to(f, subtract(Real::of(f, x[0]), Real::of(f, x[1])));
       }},
      {"mul", 2,
       [](const Format& f, const auto& x) {
         return round_to(f, multiply(Real::of(f, x[0]), Real::of(f, x[1])));
       }},
      {"fma.rn", 3,
       [](const Format& f, const auto& x) {
         return round_to(f, multiply_add(Real::of(f, x[0]), Real::of(f, x[1]), Real::of(f, x[2])));
       }},
  };
  for (const Kind& kind : kinds()) {
    const bool brain = kind.name == "bf16";
    for (const Operation& operation : operations) {
      const bool fma = operation.operands == 3;
      if (!fma) check_half(kind, operation.name, operation.operands, {}, operation.exact);
      check_half(kind, operation.name + (fma ? "" : ".rn"), operation.operands, {},
                 operation.exact);
      if (fma) check_half(kind, "fma.rn.relu", 3, {.relu = true}, operation.exact);
      if (brain) continue;
      check_half(kind, operation.name + ".ftz", operation.operands, {.flush = true},
                 operation.exact);
      check_half(kind, operation.name + ".sat", operation.operands, {.saturate = true},
                 operation.exact);
      check_half(kind, operation.name + ".ftz.sat", operation.operands,
                 {.flush = true, .saturate = true}, operation.exact);
      if (fma)
        check_half(kind, "fma.rn.ftz.relu", 3, {.flush = true, .relu = true}, operation.exact);
    }
  }
}

TEST(Half, MinimumMaximum) {
  for (const Kind& kind : kinds()) {
    for (const bool max : {false, true}) {
      for (const bool flush : {false, true}) {
        for (const bool propagate : {false, true}) {
          for (const bool signs : {false, true}) {
            if (flush && kind.name == "bf16") continue;
            const std::string text = std::string(max ? "max" : "min") + (flush ? ".ftz" : "") +
                                     (propagate ? ".NaN" : "") + (signs ? ".xorsign.abs" : "");
            check_half(kind, text, 2, {.flush = flush}, [&](const Format& format, const auto& in) {
              u64 a = in[0];
              u64 b = in[1];
              const u64 sign = signs ? (a ^ b) & format.sign() : 0;
              if (signs) {
                a &= ~format.sign();
                b &= ~format.sign();
              }
              const bool nan_a = format.is_nan(a);
              const bool nan_b = format.is_nan(b);
              if ((nan_a && nan_b) || (propagate && (nan_a || nan_b))) return format.canonical;
              if (nan_a) return b | sign;
              if (nan_b) return a | sign;
              const int order = Real::of(format, a).compare(Real::of(format, b));
              const u64 r = order == 0 ? (max ? a & b : a | b) : (order > 0) == max ? a : b;
              return r | sign;
            });
          }
        }
      }
    }
  }
}

TEST(Half, AbsoluteNegate) {
  for (const Kind& kind : kinds()) {
    const Format& format = *kind.format;
    for (const bool flush : {false, true}) {
      if (flush && kind.name == "bf16") continue;
      for (const bool negate : {false, true}) {
        const std::string text =
            std::string(negate ? "neg" : "abs") + (flush ? ".ftz." : ".") + kind.name;
        check_with(
            {text + " %d, %a;", {"b16"}, {"b16"}}, tuples({reals(format)}),
            [&](const Tuple& in, const Results& got) {
              const u64 x = flush ? format.flush(static_cast<u64>(in[0])) : static_cast<u64>(in[0]);
              return same_real(format, negate ? x ^ 0x8000 : x & 0x7fff, static_cast<u64>(got[0]));
            });
        auto inputs = tuples({reals(format), reals(format)});
        for (Tuple& in : inputs) in[0] |= in[1] << 16;
        check_with({text + "x2 %d, %a;", {"b32"}, {"b32"}}, inputs,
                   [&](const Tuple& in, const Results& got) {
                     for (const int half : {0, 1}) {
                       u64 x = static_cast<u64>(in[0] >> (16 * half)) & 0xffff;
                       if (flush) x = format.flush(x);
                       const std::string wrong =
                           same_real(format, negate ? x ^ 0x8000 : x & 0x7fff,
                                     static_cast<u64>(got[0] >> (16 * half)) & 0xffff);
                       if (!wrong.empty()) return wrong;
                     }
                     return std::string();
                   });
      }
    }
  }
}

// ex2 and tanh of every half: the bounds are those of the PTX ISA. ex2: relative error 2^-9.9 for
// f16, 2^-7 for bf16. tanh: absolute error 2^-10.987 and 2^-8.
TEST(Half, Approximations) {
  std::vector<Tuple> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<u128>(i), 0, 0, 0};
  for (const Kind& kind : kinds()) {
    const Format& format = *kind.format;
    const bool brain = kind.name == "bf16";
    const auto close = [&](const Real& want, u64 got, double bound, bool relative) {
      if (want.is_nan()) return std::string(format.is_nan(got) ? "" : "NaN");
      if (want.is_infinite() || round_to(format, want) == got) {
        return std::string(round_to(format, want) == got ? "" : hex(round_to(format, want)));
      }
      const Real error = subtract(Real::of(format, got), want);
      const double size = std::abs(error.to_double());
      // A result below the normal numbers may be off by its last bit.
      const double allowed = std::max(bound * (relative ? std::abs(want.to_double()) : 1.0),
                                      std::ldexp(1.0, format.least()));
      return std::string(size <= allowed ? "" : hex(round_to(format, want)));
    };
    check_with({std::string("ex2.approx.") + (brain ? "ftz." : "") + kind.name + " %d, %a;",
                {"b16"},
                {"b16"}},
               all, [&](const Tuple& in, const Results& got) {
                 u64 x = static_cast<u64>(in[0]);
                 if (brain) x = format.flush(x);
                 const Real a = Real::of(format, x);
                 const Real want = Real::compute(
                     [&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_exp2(r, a.get(), m); });
                 if (brain && format.is_subnormal(round_to(format, want)))
                   return std::string(got[0] == 0 ? "" : "0");
                 return close(want, static_cast<u64>(got[0]), std::exp2(brain ? -7 : -9.9), true);
               });
    check_with(
        {"tanh.approx." + kind.name + " %d, %a;", {"b16"}, {"b16"}}, all,
        [&](const Tuple& in, const Results& got) {
          const Real a = Real::of(format, in[0]);
          const Real want =
              Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_tanh(r, a.get(), m); });
          return close(want, static_cast<u64>(got[0]), std::exp2(brain ? -8 : -10.987), false);
        });
  }
}

}  // namespace
}  // namespace softgpu::test
