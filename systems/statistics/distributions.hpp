// Tail probabilities of the distributions that experiments and drift are judged by, from
// Boost.Math. Arguments out of their domain give NaN.
#pragma once

namespace tandem::statistics {

// P(Z <= z), P(|Z| > |z|), and the z with P(Z <= z) = probability, of the standard normal.
[[nodiscard]] double normal_probability(double z);
[[nodiscard]] double normal_two_sided(double z);
[[nodiscard]] double normal_quantile(double probability);
// P(|T| > |t|) and the t with P(|T| <= t) = confidence; any degrees of freedom > 0.
[[nodiscard]] double student_two_sided(double t, double degrees);
[[nodiscard]] double student_interval(double confidence, double degrees);
// P(X > x), and the x with P(X <= x) = probability, of chi-squared.
[[nodiscard]] double chi_squared_tail(double x, double degrees);
[[nodiscard]] double chi_squared_quantile(double probability, double degrees);
// P(X <= k) and P(X >= k) of the binomial distribution.
[[nodiscard]] double binomial_at_most(double k, double trials, double probability);
[[nodiscard]] double binomial_at_least(double k, double trials, double probability);
// ln |Γ(x)|. std::lgamma() leaves the sign in a variable of all threads.
[[nodiscard]] double log_gamma(double x);

}  // namespace tandem::statistics
