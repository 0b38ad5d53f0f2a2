// What an experiment shows: differences of arms from the control with intervals, at a fixed end and
// valid at every look, and whether the arms got the units that they should.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "systems/serving/experiments/experiment.hpp"

namespace tandem::experiments {

// Sums over the units of one arm, of a metric y and of a covariate x from before the exposure,
// about their means (Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance",
// 1983).
struct Moments {
  double n = 0;
  double mean_y = 0;
  double mean_x = 0;
  double yy = 0;  // sum of squared differences from the mean
  double xx = 0;
  double xy = 0;

  void add(double y, double x = 0);
  void merge(const Moments& other);
  [[nodiscard]] double variance_y() const { return n > 1 ? yy / (n - 1) : 0; }
};

// The value of a unit from the number and the sum of its outcomes; nothing where it is left out.
[[nodiscard]] std::optional<double> metric_value(MetricKind kind, double count, double sum,
                                                 double nonzero);
// The covariate of a unit that did nothing before its exposure: 0 of a sum or conversion; of a mean
// that of the others, which leaves the unit as it is.
[[nodiscard]] double covariate_of_others(MetricKind kind,
                                         const std::unordered_map<std::string, double>& before);

struct Interval {
  double low = 0;
  double high = 0;
};

// The difference of an arm from the control in the mean of a metric.
struct Comparison {
  double difference = 0;
  double standard_error = 0;
  double p = 1;  // two-sided; of several arms, times their number (Bonferroni)
  Interval interval;
  // Valid at every look: the probability that the interval ever misses the difference is at most
  // 1 − confidence, however often somebody looks and whenever he stops.
  double p_sequential = 1;
  Interval sequential;
  // The difference over the control's mean, with the interval for a fixed end; NaN where the mean
  // is 0.
  double relative = 0;
  Interval relative_interval;
};

struct ComparisonOptions {
  double confidence = 0.95;
  int comparisons = 1;            // that share the confidence: the arms beside the control
  double planned_units = 10'000;  // of both arms, where the sequential interval is narrowest
  bool covariate = false;         // adjust by CUPED
};

// Fixed end: Welch's t interval (Welch, "The generalization of 'Student's' problem when several
// different population variances are involved", Biometrika 34, 1947).
//
// Every look: the confidence sequence of a normal mixture over the difference, which is the mixture
// sequential probability ratio test turned around (Robbins, "Statistical Methods Related to the Law
// of the Iterated Logarithm", 1970; Johari, Koomen, Pekelis and Walsh, "Always Valid Inference",
// 2022) with estimated variances (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
// central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024). It is
// asymptotic: with fewer than `fewest_units` units in an arm the interval is infinite.
//
// CUPED: y − θ(x − mean of x), with one θ for all arms, the slope within arms (Deng, Xu, Kohavi and
// Walker, "Improving the Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment
// Data", WSDM 2013). `slope` is θ; 0 is no adjustment.
//
// An arm of fewer than two units gives NaN.
inline constexpr double fewest_units = 100;
[[nodiscard]] Comparison compare_arms(const Moments& control, const Moments& arm, double slope,
                                      const ComparisonOptions& options);
[[nodiscard]] double cuped_slope(const std::vector<Moments>& arms);

// The width of the mixture in units of a standard deviation, which makes the interval narrowest
// after `planned` observations at this error: Waudby-Smith et al. 2024, section on tuning.
[[nodiscard]] double mixture_width(double planned, double alpha);

// Whether arms got the numbers of units that their weights say.
struct SampleRatio {
  double chi_squared = 0;
  double p = 1;
  // Valid at every look: Lindon and Malek, "Anytime-Valid Inference for Multinomial Count Data",
  // NeurIPS 2022.
  double p_sequential = 1;
};
// Alarm below this: Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled
// Experiments", KDD 2019.
inline constexpr double sample_ratio_alarm = 0.001;
[[nodiscard]] SampleRatio sample_ratio(const std::vector<double>& counts,
                                       const std::vector<double>& weights);

struct ArmResult {
  std::string arm;
  double units = 0;
  double mean = 0;
  double deviation = 0;
  // Against the control; of the control itself all 0.
  Comparison plain;
  Comparison adjusted;  // by CUPED; where there is no covariate as `plain`
};

enum class Finding { undecided, better, worse };

struct MetricResult {
  MetricDefinition metric;
  bool has_covariate = false;
  double slope = 0;
  double variance_left = 1;  // of the metric's variance within arms, after the adjustment
  std::vector<ArmResult> arms;
  // Of each arm by the sequential interval of the adjusted difference.
  std::vector<Finding> findings;
  // Of a guard: the arms whose harm is more than the margin, for sure.
  std::vector<int> breached;
};

struct Analysis {
  std::vector<std::string> arms;
  std::vector<double> units;  // of each arm, those that were forced left out
  SampleRatio ratio;
  bool ratio_alarm = false;
  std::vector<MetricResult> metrics;
};

// Of each metric, and in it of each arm, what its units did.
struct MetricMoments {
  MetricDefinition metric;
  bool has_covariate = false;
  std::vector<Moments> arms;
};

[[nodiscard]] Analysis analyse(const Experiment& experiment, const std::vector<double>& units,
                               const std::vector<MetricMoments>& metrics);

[[nodiscard]] std::string_view to_string(Finding finding);
[[nodiscard]] nlohmann::json to_json(const Analysis& analysis);

}  // namespace tandem::experiments
