// Real arithmetic to compare with: every result is computed by MPFR with bits to spare, rounded to
// odd, and then rounded once to the format in question, denormals included.
#pragma once

#include <mpfr.h>

#include <cstdint>
#include <string>

#include "kernel.hpp"

namespace softgpu::test {

struct Format {
  int bits;       // of the whole number
  int precision;  // of the significand, with the hidden bit
  int emax;       // largest finite number < 2^emax
  u64 canonical;  // the NaN that instructions produce

  [[nodiscard]] int fraction() const { return precision - 1; }
  [[nodiscard]] int least() const { return 3 - emax - precision; }  // exponent of the last bit
  [[nodiscard]] u64 sign() const { return u64{1} << (bits - 1); }
  [[nodiscard]] u64 infinity() const { return ((u64{1} << (bits - precision)) - 1) << fraction(); }
  [[nodiscard]] u64 largest() const { return infinity() - 1; }
  [[nodiscard]] u64 one() const { return ((u64{1} << (bits - precision - 1)) - 1) << fraction(); }
  [[nodiscard]] bool is_nan(u64 x) const { return (x & ~sign() & mask()) > infinity(); }
  [[nodiscard]] bool is_subnormal(u64 x) const {
    return (x & infinity()) == 0 && (x & ~sign() & mask()) != 0;
  }
  [[nodiscard]] u64 mask() const { return bits == 64 ? ~u64{0} : (u64{1} << bits) - 1; }
  // Subnormals become zeros of their sign.
  [[nodiscard]] u64 flush(u64 x) const { return is_subnormal(x) ? x & sign() : x; }
};

inline constexpr Format f16{16, 11, 16, 0x7fff};
inline constexpr Format bf16{16, 8, 128, 0x7fff};
inline constexpr Format f32{32, 24, 128, 0x7fffffff};
inline constexpr Format f64{64, 53, 1024, 0xfff8000000000000ULL};
inline constexpr Format e4m3{8, 4, 9, 0x7f};  // for its precision; its top is not IEEE's
inline constexpr Format e5m2{8, 3, 16, 0x7f};

enum class Round { nearest, zero, down, up, nearest_away };

class Real {
 public:
  Real() { mpfr_init2(x_, 240); }
  Real(const Real& other) : Real() { mpfr_set(x_, other.x_, MPFR_RNDN); }
  Real& operator=(const Real& other) {
    mpfr_set(x_, other.x_, MPFR_RNDN);
    return *this;
  }
  ~Real() { mpfr_clear(x_); }

  static Real of(const Format& format, u128 wide) {
    const u64 bits = static_cast<u64>(wide) & format.mask();
    Real r;
    const bool negative = (bits & format.sign()) != 0;
    const u64 magnitude = bits & ~format.sign();
    if (magnitude > format.infinity()) {
      mpfr_set_nan(r.x_);
    } else if (magnitude == format.infinity()) {
      mpfr_set_inf(r.x_, negative ? -1 : 1);
    } else {
      const u64 exponent = magnitude >> format.fraction();
      u64 significand = magnitude & ((u64{1} << format.fraction()) - 1);
      if (exponent != 0) significand |= u64{1} << format.fraction();
      mpfr_set_ui_2exp(r.x_, significand,
                       format.least() + (exponent == 0 ? 0 : static_cast<int>(exponent) - 1),
                       MPFR_RNDN);
      mpfr_setsign(r.x_, r.x_, negative ? 1 : 0, MPFR_RNDN);
    }
    return r;
  }
  static Real integer(s128 value) {
    Real r;
    const bool negative = value < 0;
    const u128 magnitude = negative ? u128{0} - static_cast<u128>(value) : static_cast<u128>(value);
    mpfr_set_ui_2exp(r.x_, static_cast<u64>(magnitude >> 64), 64, MPFR_RNDN);
    Real low;
    mpfr_set_ui(low.x_, static_cast<u64>(magnitude), MPFR_RNDN);
    mpfr_add(r.x_, r.x_, low.x_, MPFR_RNDN);
    if (negative) mpfr_neg(r.x_, r.x_, MPFR_RNDN);
    return r;
  }
  static Real power_of_two(int exponent) {
    Real r;
    mpfr_set_ui_2exp(r.x_, 1, exponent, MPFR_RNDN);
    return r;
  }
  static Real number(double value) {
    Real r;
    mpfr_set_d(r.x_, value, MPFR_RNDN);
    return r;
  }

  // `function` of MPFR, to odd. The rounding only decides the sign of a zero sum here.
  template <class Function>
  static Real compute(Function function, Round round = Round::nearest) {
    Real r;
    const int inexact = function(r.x_, MPFR_RNDZ);
    if (mpfr_zero_p(r.x_) != 0) {
      function(r.x_, round == Round::down ? MPFR_RNDD : MPFR_RNDN);
    } else if (inexact != 0 && mpfr_number_p(r.x_) != 0) {
      // Sets the last of the 240 bits.
      const mpfr_exp_t exponent = mpfr_get_exp(r.x_);
      Real bit;
      mpfr_set_ui_2exp(bit.x_, 1, exponent - 240, MPFR_RNDN);
      Real scaled;
      mpfr_mul_2si(scaled.x_, r.x_, 240 - exponent, MPFR_RNDN);
      mpz_t whole;
      mpz_init(whole);
      mpfr_get_z(whole, scaled.x_, MPFR_RNDZ);
      if (mpz_even_p(whole) != 0) {
        if (mpfr_signbit(r.x_) != 0)
          mpfr_sub(r.x_, r.x_, bit.x_, MPFR_RNDN);
        else
          mpfr_add(r.x_, r.x_, bit.x_, MPFR_RNDN);
      }
      mpz_clear(whole);
    }
    return r;
  }

  [[nodiscard]] bool is_nan() const { return mpfr_nan_p(x_) != 0; }
  [[nodiscard]] bool is_infinite() const { return mpfr_inf_p(x_) != 0; }
  [[nodiscard]] bool is_zero() const { return mpfr_zero_p(x_) != 0; }
  [[nodiscard]] bool negative() const { return mpfr_signbit(x_) != 0; }
  [[nodiscard]] int compare(const Real& other) const { return mpfr_cmp(x_, other.x_); }
  [[nodiscard]] double to_double() const { return mpfr_get_d(x_, MPFR_RNDN); }
  [[nodiscard]] mpfr_srcptr get() const { return x_; }
  [[nodiscard]] mpfr_ptr get() { return x_; }

  // To a whole number.
  [[nodiscard]] Real whole(Round round) const {
    Real r;
    if (round == Round::nearest)
      mpfr_rint(r.x_, x_, MPFR_RNDN);  // ties to even
    else if (round == Round::zero)
      mpfr_trunc(r.x_, x_);
    else if (round == Round::down)
      mpfr_floor(r.x_, x_);
    else if (round == Round::up)
      mpfr_ceil(r.x_, x_);
    else
      mpfr_round(r.x_, x_);
    return r;
  }
  // Only for finite values below 2^127.
  [[nodiscard]] s128 to_integer() const {
    mpz_t z;
    mpz_init(z);
    mpfr_get_z(z, x_, MPFR_RNDZ);
    const bool is_negative = mpz_sgn(z) < 0;
    mpz_abs(z, z);
    mpz_t high;
    mpz_init(high);
    mpz_fdiv_q_2exp(high, z, 64);
    const u128 magnitude = (u128{mpz_get_ui(high)} << 64) | mpz_get_ui(z);
    mpz_clear(high);
    mpz_clear(z);
    return is_negative ? static_cast<s128>(u128{0} - magnitude) : static_cast<s128>(magnitude);
  }

 private:
  mpfr_t x_;
};

inline Real add(const Real& a, const Real& b, Round round = Round::nearest) {
  return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_add(r, a.get(), b.get(), m); },
                       round);
}
inline Real subtract(const Real& a, const Real& b, Round round = Round::nearest) {
  return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_sub(r, a.get(), b.get(), m); },
                       round);
}
inline Real multiply(const Real& a, const Real& b) {
  return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_mul(r, a.get(), b.get(), m); });
}
inline Real divide(const Real& a, const Real& b) {
  return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_div(r, a.get(), b.get(), m); });
}
inline Real multiply_add(const Real& a, const Real& b, const Real& c,
                         Round round = Round::nearest) {
  return Real::compute(
      [&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_fma(r, a.get(), b.get(), c.get(), m); }, round);
}
inline Real square_root(const Real& a) {
  return Real::compute([&](mpfr_ptr r, mpfr_rnd_t m) { return mpfr_sqrt(r, a.get(), m); });
}

// Rounds once to the format; NaN is the canonical one.
inline u64 round_to(const Format& format, const Real& x, Round round = Round::nearest) {
  if (x.is_nan()) return format.canonical;
  const u64 sign = x.negative() ? format.sign() : 0;
  if (x.is_infinite()) return sign | format.infinity();
  if (x.is_zero()) return sign;
  // Exponent of the last bit kept.
  const int exponent = static_cast<int>(mpfr_get_exp(x.get()));
  const int last = std::max(exponent - format.precision, format.least());
  Real scaled;
  mpfr_mul_2si(scaled.get(), x.get(), -last, MPFR_RNDN);
  const Real whole = scaled.whole(round);
  s128 units = whole.to_integer();
  u64 magnitude = static_cast<u64>(units < 0 ? -units : units);
  // A carry makes the significand a power of two, which the encoding absorbs.
  u64 encoded = magnitude;
  if (magnitude >= (u64{1} << format.fraction())) {
    encoded = magnitude + (static_cast<u64>(last - format.least()) << format.fraction());
  }
  if (encoded >= format.infinity()) {
    const bool away = round == Round::nearest || round == Round::nearest_away ||
                      (round == Round::up && sign == 0) || (round == Round::down && sign != 0);
    encoded = away ? format.infinity() : format.largest();
  }
  return sign | encoded;
}

// Corners: zeros, ones, the ends of the normal and the subnormal numbers, infinities, quiet and
// signalling NaNs with payloads, and numbers around halves. Random ones: all bits, and numbers with
// exponents near one another so that sums cancel and round.
inline Source reals(const Format& format) {
  Source source;
  const u64 lowest = u64{1} << format.fraction();
  const u64 quiet = lowest >> 1;
  for (const u64 x : {u64{0},
                      u64{1},
                      u64{2},
                      lowest - 1,
                      lowest,
                      lowest + 1,
                      format.one() - 1,
                      format.one(),
                      format.one() + 1,
                      format.one() + lowest,
                      format.one() - lowest,
                      format.one() + (lowest >> 1),
                      format.one() + lowest + (lowest >> 2),
                      format.largest() - 1,
                      format.largest(),
                      format.infinity(),
                      format.infinity() + 1,
                      format.infinity() | quiet,
                      format.infinity() | quiet | 5U,
                      lowest * 2 + 1}) {
    source.corners.push_back(x);
    source.corners.push_back(x | format.sign());
  }
  source.random = [format](Random& random) -> u128 {
    const u64 how = random();
    u64 bits = random() & format.mask();
    if ((how & 3U) == 0) return bits;
    const u64 sign = bits & format.sign();
    const u64 fraction = bits & ((u64{1} << format.fraction()) - 1);
    if ((how & 3U) == 1) {
      // Near one; often few bits, so that ties happen.
      const u64 exponent = (format.one() >> format.fraction()) - 4 + (how >> 8) % 9;
      const u64 kept =
          (how & 4U) != 0 ? fraction & ~((u64{1} << (format.fraction() / 2)) - 1) : fraction;
      return sign | (exponent << format.fraction()) | kept;
    }
    if ((how & 3U) == 2) {
      // Small, or subnormal.
      const u64 exponent = (how >> 8) % 4;
      return sign | (exponent << format.fraction()) | fraction;
    }
    const u64 span = static_cast<u64>(format.precision) * 2 + 4;
    u64 exponent = (format.one() >> format.fraction()) + (how >> 8) % span;
    exponent -= span / 2;
    const u64 top = format.infinity() >> format.fraction();
    if (exponent >= top) exponent = top - 1;
    return sign | (exponent << format.fraction()) | fraction;
  };
  return source;
}

inline std::string register_of(const Format& format) {
  return format.bits == 16 ? "b16" : format.bits == 32 ? "f32" : "f64";
}

// Any NaN, or these bits, or either zero where `any_zero`.
inline std::string same_real(const Format& format, u64 want, u64 got, bool any_zero = false) {
  if (format.is_nan(want) && format.is_nan(got)) return {};
  if (want == got) return {};
  if (any_zero && ((want | got) & ~format.sign()) == 0) return {};
  return hex(want);
}

}  // namespace softgpu::test
