#include "systems/statistics/distributions.hpp"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

namespace tandem::statistics {
namespace {

namespace math = boost::math;

// Domain errors give NaN; promotion to long double would cost and add nothing.
using Policy =
    math::policies::policy<math::policies::domain_error<math::policies::ignore_error>,
                           math::policies::pole_error<math::policies::ignore_error>,
                           math::policies::overflow_error<math::policies::ignore_error>,
                           math::policies::underflow_error<math::policies::ignore_error>,
                           math::policies::evaluation_error<math::policies::ignore_error>,
                           math::policies::promote_double<false>>;

using Normal = math::normal_distribution<double, Policy>;
using Student = math::students_t_distribution<double, Policy>;
using ChiSquared = math::chi_squared_distribution<double, Policy>;
using Binomial = math::binomial_distribution<double, Policy>;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double normal_probability(double z) { return math::cdf(Normal(), z); }

double normal_two_sided(double z) { return 2 * math::cdf(math::complement(Normal(), std::abs(z))); }

double normal_quantile(double probability) { return math::quantile(Normal(), probability); }

double student_two_sided(double t, double degrees) {
  if (!(degrees > 0) || std::isnan(t)) return nan;
  return 2 * math::cdf(math::complement(Student(degrees), std::abs(t)));
}

double student_interval(double confidence, double degrees) {
  if (!(degrees > 0) || !(confidence > 0 && confidence < 1)) return nan;
  return math::quantile(math::complement(Student(degrees), (1 - confidence) / 2));
}

double chi_squared_tail(double x, double degrees) {
  if (!(degrees > 0) || !(x >= 0)) return nan;
  return std::isinf(x) ? 0 : math::cdf(math::complement(ChiSquared(degrees), x));
}

double chi_squared_quantile(double probability, double degrees) {
  if (!(degrees > 0) || !(probability >= 0 && probability < 1)) return nan;
  return math::quantile(ChiSquared(degrees), probability);
}

double binomial_at_most(double k, double trials, double probability) {
  if (!(trials >= 0) || !(probability >= 0 && probability <= 1) || std::isnan(k)) return nan;
  if (k < 0) return 0;
  return k >= trials ? 1 : math::cdf(Binomial(trials, probability), k);
}

double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double binomial_at_least(double k, double trials, double probability) {
  if (!(trials >= 0) || !(probability >= 0 && probability <= 1) || std::isnan(k)) return nan;
  if (k <= 0) return 1;
  return k > trials ? 0 : math::cdf(math::complement(Binomial(trials, probability), k - 1));
}

}  // namespace tandem::statistics
