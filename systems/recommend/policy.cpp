#include "systems/recommend/policy.hpp"

#include <array>
#include <cmath>
#include <unordered_map>

#include "systems/statistics/distributions.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

struct Sum {
  double reward = 0;
  double count = 0;
};

// Mean rewards by item of one half of the choices.
struct RewardModel {
  std::unordered_map<std::uint32_t, Sum> items;
  Sum all;

  void add(const LoggedChoice& choice) {
    for (Sum* const sum : {&items[choice.pool[choice.chosen]], &all}) {
      sum->reward += choice.reward;
      sum->count += 1;
    }
  }
  [[nodiscard]] double of(std::uint32_t item, double shrinkage) const {
    const double mean = all.count > 0 ? all.reward / all.count : 0;
    const auto found = items.find(item);
    if (found == items.end()) return mean;
    return (found->second.reward + shrinkage * mean) / (found->second.count + shrinkage);
  }
};

PolicyValue mean_of(std::span<const double> values, double z) {
  const auto n = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) mean += value / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = n > 1 ? std::sqrt(squares / (n - 1) / n) : INFINITY;
  return {mean, mean - z * error, mean + z * error, 0};
}

}  // namespace

PolicyEstimate evaluate_policy(std::span<const LoggedChoice> choices, const Policy& policy,
                               double confidence, double shrinkage) {
  if (choices.empty()) throw InputError("there are no choices to judge a policy by");
  std::array<RewardModel, 2> halves;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const LoggedChoice& choice = choices[i];
    const std::string where = "choice " + std::to_string(i) + ": ";
    if (choice.chosen >= choice.pool.size()) throw InputError(where + "is not of its pool");
    if (!(choice.propensity > 0 && choice.propensity <= 1)) {
      throw InputError(where + "the propensity is not in (0, 1]");
    }
    halves[i % 2].add(choice);
  }
  std::vector<double> weighted;
  std::vector<double> robust;
  std::vector<double> weights;
  PolicyEstimate estimate;
  double sum = 0;
  double squares = 0;
  double rewards = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const LoggedChoice& choice = choices[i];
    const std::vector<double> probabilities = policy(choice.pool);
    double total = 0;
    for (const double one : probabilities) total += one >= 0 ? one : INFINITY;
    if (probabilities.size() != choice.pool.size() || std::abs(total - 1) > 1e-6) {
      throw InputError("the policy's probabilities are none of the pool of choice " +
                       std::to_string(i));
    }
    const RewardModel& model = halves[1 - i % 2];
    const double weight = probabilities[choice.chosen] / choice.propensity;
    double direct = 0;
    for (std::size_t k = 0; k < choice.pool.size(); ++k) {
      if (probabilities[k] > 0) direct += probabilities[k] * model.of(choice.pool[k], shrinkage);
    }
    const double predicted = model.of(choice.pool[choice.chosen], shrinkage);
    weights.push_back(weight);
    weighted.push_back(weight * choice.reward);
    robust.push_back(direct + weight * (choice.reward - predicted));
    sum += weight;
    squares += weight * weight;
    rewards += weight * choice.reward;
    estimate.largest_weight = std::max(estimate.largest_weight, weight);
  }
  const double z = statistics::normal_quantile(0.5 + confidence / 2);
  estimate.inverse_propensity = mean_of(weighted, z);
  estimate.doubly_robust = mean_of(robust, z);
  // The delta method for a ratio of means.
  const double value = sum > 0 ? rewards / sum : NAN;
  double error = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    error += std::pow(weights[i] * (choices[i].reward - value), 2);
  }
  error = std::sqrt(error) / sum;
  const double effective = squares > 0 ? sum * sum / squares : 0;
  estimate.self_normalised = {value, value - z * error, value + z * error, effective};
  estimate.inverse_propensity.effective = effective;
  estimate.doubly_robust.effective = effective;
  return estimate;
}

}  // namespace tandem::recommend
