// Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.3): a
// value in double beside a bound on the distance between it and what the same operations give in T.
// Used by judges to bound elementwise formulas on any data: the bound of every result is that of
// its operands carried through the operation, plus half a unit in the last place of the result and
// half the smallest positive number of T.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tandem/core/numerics.hpp"

namespace tandem::agree {

template <Real T>
class Traced {
 public:
  Traced() = default;
  // A number that both sides have exactly.
  Traced(double value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  Traced(double value, double error) : value_(value), error_(error) {}
  // A number of double precision that one side rounds to T.
  [[nodiscard]] static Traced rounded(double value) { return Traced(value).round(); }

  [[nodiscard]] double value() const noexcept { return value_; }
  // Infinite where T may have overflowed.
  [[nodiscard]] double error() const noexcept { return error_; }
  // The result was rounded to T: once by the engine; where T is double, by the reference too.
  [[nodiscard]] Traced round(int times = sizeof(T) == 4 ? 1 : 2) const {
    const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
    const double largest = static_cast<double>(std::numeric_limits<T>::max());
    if (!(std::abs(value_) + error_ < largest)) {
      return {value_, std::numeric_limits<double>::infinity()};
    }
    // The rounding of these bounds themselves is covered by the last factor.
    return {value_, (error_ + times * (unit_roundoff<T> * (std::abs(value_) + error_) + smallest)) *
                        (1 + 8 * unit_roundoff<double>)};
  }

  friend Traced operator-(const Traced& a) { return {-a.value_, a.error_}; }
  friend Traced operator+(const Traced& a, const Traced& b) {
    return Traced(a.value_ + b.value_, a.error_ + b.error_).round();
  }
  friend Traced operator-(const Traced& a, const Traced& b) { return a + -b; }
  friend Traced operator*(const Traced& a, const Traced& b) { return product(a, b).round(); }
  // Rounded once.
  [[nodiscard]] friend Traced fma(const Traced& a, const Traced& b, const Traced& c) {
    const Traced p = product(a, b);
    return Traced(p.value_ + c.value_, p.error_ + c.error_).round();
  }
  friend Traced operator/(const Traced& a, const Traced& b) {
    const double q = a.value_ / b.value_;
    const double least = std::abs(b.value_) - b.error_;
    if (!(least > 0)) return {q, std::numeric_limits<double>::infinity()};
    return Traced(q, (a.error_ + std::abs(q) * b.error_) / least).round();
  }
  [[nodiscard]] friend Traced sqrt(const Traced& a) {
    const double root = std::sqrt(a.value_);
    // |√(v + e) − √v| = |e| / (√(v + e) + √v), and at most √|e|; both sides may be off, by e in
    // sum.
    const double most = 1.5 * std::sqrt(a.error_);
    const double error = root > 0 ? std::min(a.error_ / root, most) : most;
    return Traced(root, error).round();
  }
  [[nodiscard]] friend Traced abs(const Traced& a) { return {std::abs(a.value_), a.error_}; }

 private:
  static Traced product(const Traced& a, const Traced& b) {
    const double error =
        std::abs(a.value_) * b.error_ + std::abs(b.value_) * a.error_ + a.error_ * b.error_;
    // 0 · ∞: an operand that is exactly 0 makes 0 of anything finite.
    return {a.value_ * b.value_,
            std::isnan(error) ? std::numeric_limits<double>::infinity() : error};
  }

  double value_ = 0;
  double error_ = 0;
};

}  // namespace tandem::agree
