#include "systems/serving/experiments/analysis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "systems/statistics/distributions.hpp"

namespace tandem::experiments {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

// The sum of squares about the mean of y − slope · x.
double adjusted_squares(const Moments& m, double slope) {
  return std::max(0.0, m.yy - 2 * slope * m.xy + slope * slope * m.xx);
}

// The variance of the arm's mean of y − slope · x.
double variance_of_mean(const Moments& m, double slope) {
  return adjusted_squares(m, slope) / (m.n - 1) / m.n;
}

// The half width of the confidence sequence and the p value of a difference with this variance
// after `units` observations. With v = variance · units the scale of one observation and w = ρ²
// units: radius² = variance · (w + 1)/w · 2 log(sqrt(w + 1)/α).
struct Sequential {
  double radius = infinity;
  double p = 1;
};
Sequential sequential_of(double difference, double variance, double units, double alpha,
                         double planned) {
  Sequential result;
  const double rho = mixture_width(planned, alpha);
  const double w = rho * rho * units;
  if (!(variance > 0)) {
    // All units of an arm alike in both arms: the difference is certain.
    result.radius = 0;
    result.p = difference == 0 ? 1 : 0;
    return result;
  }
  result.radius = std::sqrt(variance * (w + 1) / w * (std::log1p(w) - 2 * std::log(alpha)));
  const double z_squared = difference * difference / variance;
  result.p = std::min(1.0, std::exp(0.5 * std::log1p(w) - 0.5 * z_squared * w / (w + 1)));
  return result;
}

}  // namespace

void Moments::add(double y, double x) {
  n += 1;
  const double dy = y - mean_y;
  const double dx = x - mean_x;
  mean_y += dy / n;
  mean_x += dx / n;
  yy += dy * (y - mean_y);
  xx += dx * (x - mean_x);
  xy += dx * (y - mean_y);
}

void Moments::merge(const Moments& other) {
  if (other.n == 0) return;
  const double all = n + other.n;
  const double dy = other.mean_y - mean_y;
  const double dx = other.mean_x - mean_x;
  const double weight = n * other.n / all;
  yy += other.yy + dy * dy * weight;
  xx += other.xx + dx * dx * weight;
  xy += other.xy + dx * dy * weight;
  mean_y += dy * other.n / all;
  mean_x += dx * other.n / all;
  n = all;
}

std::optional<double> metric_value(MetricKind kind, double count, double sum, double nonzero) {
  switch (kind) {
    case MetricKind::conversion: return nonzero > 0 ? 1 : 0;
    case MetricKind::sum: return sum;
    case MetricKind::mean: break;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

double covariate_of_others(MetricKind kind, const std::unordered_map<std::string, double>& before) {
  if (kind != MetricKind::mean || before.empty()) return 0;
  double sum = 0;
  for (const auto& [unit, value] : before) sum += value;
  return sum / static_cast<double>(before.size());
}

double mixture_width(double planned, double alpha) {
  const double a = -2 * std::log(alpha);
  return std::sqrt((a + std::log(a + 1)) / planned);
}

double cuped_slope(const std::vector<Moments>& arms) {
  double xy = 0;
  double xx = 0;
  for (const Moments& one : arms) {
    xy += one.xy;
    xx += one.xx;
  }
  return xx > 0 ? xy / xx : 0;
}

Comparison compare_arms(const Moments& control, const Moments& arm, double slope,
                        const ComparisonOptions& options) {
  Comparison result;
  if (control.n < 2 || arm.n < 2) {
    result = {nan, nan, nan, {nan, nan}, 1, {-infinity, infinity}, nan, {nan, nan}};
    return result;
  }
  const double alpha = (1 - options.confidence) / options.comparisons;
  const double v0 = variance_of_mean(control, slope);
  const double v1 = variance_of_mean(arm, slope);
  const double variance = v0 + v1;
  result.difference = arm.mean_y - control.mean_y - slope * (arm.mean_x - control.mean_x);
  result.standard_error = std::sqrt(variance);

  // Welch and Satterthwaite.
  const double degrees =
      variance > 0 ? variance * variance / (v0 * v0 / (control.n - 1) + v1 * v1 / (arm.n - 1))
                   : control.n + arm.n - 2;
  const double t = statistics::student_interval(1 - alpha, degrees);
  const double p = variance > 0 ? statistics::student_two_sided(
                                      result.difference / result.standard_error, degrees)
                                : (result.difference == 0 ? 1.0 : 0.0);
  result.p = std::min(1.0, p * options.comparisons);
  result.interval = {result.difference - t * result.standard_error,
                     result.difference + t * result.standard_error};

  result.sequential = {-infinity, infinity};
  if (control.n >= fewest_units && arm.n >= fewest_units) {
    const Sequential at_every_look =
        sequential_of(result.difference, variance, control.n + arm.n, alpha, options.planned_units);
    result.p_sequential = std::min(1.0, at_every_look.p * options.comparisons);
    result.sequential = {result.difference - at_every_look.radius,
                         result.difference + at_every_look.radius};
  }

  // The quotient of the difference and the control's mean, to first order.
  if (control.mean_y != 0) {
    const double base = control.mean_y;
    result.relative = result.difference / base;
    const double covariance = -(control.yy - slope * control.xy) / (control.n - 1) / control.n;
    const double of_base = control.variance_y() / control.n;
    const double relative_variance =
        std::max(0.0, variance - 2 * result.relative * covariance +
                          result.relative * result.relative * of_base) /
        (base * base);
    const double half = t * std::sqrt(relative_variance);
    result.relative_interval = {result.relative - half, result.relative + half};
  } else {
    result.relative = nan;
    result.relative_interval = {nan, nan};
  }
  return result;
}

SampleRatio sample_ratio(const std::vector<double>& counts, const std::vector<double>& weights) {
  SampleRatio result;
  double all = 0;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    all += counts[i];
    sum += weights[i];
  }
  if (all == 0 || counts.size() < 2) return result;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = all * weights[i] / sum;
    result.chi_squared += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  result.p =
      statistics::chi_squared_tail(result.chi_squared, static_cast<double>(counts.size()) - 1);
  // The Bayes factor of Dirichlet-distributed shares, about the weights with the strength of
  // `concentration` units, against the weights themselves.
  const double concentration = 1000;
  double log_factor =
      statistics::log_gamma(concentration) - statistics::log_gamma(concentration + all);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double share = weights[i] / sum;
    log_factor += statistics::log_gamma(concentration * share + counts[i]) -
                  statistics::log_gamma(concentration * share) - counts[i] * std::log(share);
  }
  result.p_sequential = std::min(1.0, std::exp(-log_factor));
  return result;
}

Analysis analyse(const Experiment& experiment, const std::vector<double>& units,
                 const std::vector<MetricMoments>& metrics) {
  Analysis result;
  for (const Arm& arm : experiment.arms) result.arms.push_back(arm.name);
  result.units = units;
  result.ratio = sample_ratio(units, experiment.weights());
  result.ratio_alarm = result.ratio.p_sequential < sample_ratio_alarm;
  for (const MetricMoments& measured : metrics) {
    MetricResult metric;
    metric.metric = measured.metric;
    metric.has_covariate = measured.has_covariate;
    ComparisonOptions options;
    options.confidence = experiment.confidence;
    options.comparisons = std::max(1, static_cast<int>(measured.arms.size()) - 1);
    options.planned_units = static_cast<double>(experiment.planned_units);
    if (measured.has_covariate) {
      metric.slope = cuped_slope(measured.arms);
      double before = 0;
      double after = 0;
      for (const Moments& arm : measured.arms) {
        before += arm.yy;
        after += adjusted_squares(arm, metric.slope);
      }
      metric.variance_left = before > 0 ? after / before : 1;
    }
    for (std::size_t i = 0; i < measured.arms.size(); ++i) {
      const Moments& arm = measured.arms[i];
      ArmResult one;
      one.arm = result.arms[i];
      one.units = arm.n;
      one.mean = arm.n > 0 ? arm.mean_y : nan;
      one.deviation = arm.n > 1 ? std::sqrt(arm.variance_y()) : nan;
      Finding finding = Finding::undecided;
      if (i > 0) {
        one.plain = compare_arms(measured.arms[0], arm, 0, options);
        one.adjusted = measured.has_covariate
                           ? compare_arms(measured.arms[0], arm, metric.slope, options)
                           : one.plain;
        const Interval& known = one.adjusted.sequential;
        const bool up_is_good = metric.metric.better == Direction::increase;
        if (known.low > 0) finding = up_is_good ? Finding::better : Finding::worse;
        if (known.high < 0) finding = up_is_good ? Finding::worse : Finding::better;
        const double least_harm = up_is_good ? -known.high : known.low;
        if (metric.metric.guard && least_harm > metric.metric.margin) {
          metric.breached.push_back(static_cast<int>(i));
        }
      }
      metric.findings.push_back(finding);
      metric.arms.push_back(std::move(one));
    }
    result.metrics.push_back(std::move(metric));
  }
  return result;
}

std::string_view to_string(Finding finding) {
  switch (finding) {
    case Finding::better: return "better";
    case Finding::worse: return "worse";
    case Finding::undecided: break;
  }
  return "undecided";
}

namespace {

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json to_json(const Interval& interval) {
  return nlohmann::json::array({number(interval.low), number(interval.high)});
}

nlohmann::json to_json(const Comparison& one) {
  return {{"difference", number(one.difference)},
          {"standard_error", number(one.standard_error)},
          {"p", number(one.p)},
          {"interval", to_json(one.interval)},
          {"p_sequential", number(one.p_sequential)},
          {"sequential_interval", to_json(one.sequential)},
          {"relative", number(one.relative)},
          {"relative_interval", to_json(one.relative_interval)}};
}

}  // namespace

nlohmann::json to_json(const Analysis& analysis) {
  nlohmann::json result;
  result["units"] = nlohmann::json::object();
  for (std::size_t i = 0; i < analysis.arms.size(); ++i) {
    result["units"][analysis.arms[i]] = analysis.units[i];
  }
  result["sample_ratio"] = {{"chi_squared", number(analysis.ratio.chi_squared)},
                            {"p", number(analysis.ratio.p)},
                            {"p_sequential", number(analysis.ratio.p_sequential)},
                            {"alarm", analysis.ratio_alarm}};
  result["metrics"] = nlohmann::json::array();
  for (const MetricResult& metric : analysis.metrics) {
    nlohmann::json one{
        {"name", metric.metric.name},      {"guard", metric.metric.guard},
        {"cuped", metric.has_covariate},   {"variance_left", number(metric.variance_left)},
        {"arms", nlohmann::json::array()}, {"breached", nlohmann::json::array()}};
    for (const int arm : metric.breached) {
      one["breached"].push_back(analysis.arms[static_cast<std::size_t>(arm)]);
    }
    for (std::size_t i = 0; i < metric.arms.size(); ++i) {
      const ArmResult& arm = metric.arms[i];
      nlohmann::json entry{{"arm", arm.arm},
                           {"units", arm.units},
                           {"mean", number(arm.mean)},
                           {"deviation", number(arm.deviation)}};
      if (i > 0) {
        entry["finding"] = to_string(metric.findings[i]);
        entry["unadjusted"] = to_json(arm.plain);
        entry["adjusted"] = to_json(arm.adjusted);
      }
      one["arms"].push_back(std::move(entry));
    }
    result["metrics"].push_back(std::move(one));
  }
  return result;
}

}  // namespace tandem::experiments
