#include "systems/serving/experiments/simulate.hpp"

#include <cmath>
#include <functional>

#include "systems/serving/experiments/analysis.hpp"
#include "systems/statistics/simulation.hpp"

namespace tandem::experiments {
namespace {

using statistics::Draws;
using statistics::Promise;
using statistics::Rate;
using statistics::Scenario;

// Two arms of n units each with these outcomes and covariates.
struct Arms {
  Moments control;
  Moments arm;
};

template <class Draw>
Arms two_arms(int n, const Draw& draw) {
  Arms arms;
  for (int i = 0; i < n; ++i) {
    draw(arms.control, false);
    draw(arms.arm, true);
  }
  return arms;
}

ComparisonOptions with_planned(double planned) {
  ComparisonOptions options;
  options.planned_units = planned;
  return options;
}

bool converts(Draws& draws, double rate) { return draws.uniform() < rate; }

// Looks after every `step` units of each arm; whether any of them makes `stop` true.
template <class Draw, class Stop>
bool any_look(int looks, int step, const Draw& draw, const Stop& stop) {
  Arms arms;
  for (int look = 0; look < looks; ++look) {
    for (int i = 0; i < step; ++i) {
      draw(arms.control, false);
      draw(arms.arm, true);
    }
    if (stop(arms)) return true;
  }
  return false;
}

auto conversions(Draws& draws, double of_control, double of_arm) {
  return [&draws, of_control, of_arm](Moments& to, bool arm) {
    to.add(converts(draws, arm ? of_arm : of_control) ? 1 : 0);
  };
}

// Outcomes with a correlation of 0.7 with the covariate, shifted in the arm.
auto correlated(Draws& draws, double shift) {
  return [&draws, shift](Moments& to, bool arm) {
    const double x = draws.normal();
    to.add(0.7 * x + std::sqrt(1 - 0.49) * draws.normal() + (arm ? shift : 0), x);
  };
}

// Heavy to the right, as sums of money are: exponential.
auto skewed(Draws& draws) {
  return [&draws](Moments& to, bool) { to.add(-std::log1p(-draws.uniform())); };
}

bool ratio_alarms(Draws& draws, int units, double share, double level, int looks) {
  double arm = 0;
  double all = 0;
  for (int look = 0; look < looks; ++look) {
    for (int i = 0; i < units / looks; ++i) {
      arm += converts(draws, share) ? 1 : 0;
      all += 1;
    }
    const SampleRatio found = sample_ratio({all - arm, arm}, {0.5, 0.5});
    if ((looks == 1 ? found.p : found.p_sequential) < level) return true;
  }
  return false;
}

std::vector<Scenario> scenarios() {
  const auto planned = with_planned(20'000);
  const auto significant = [](const Arms& arms, double slope) {
    return compare_arms(arms.control, arms.arm, slope, {}).p < 0.05;
  };
  const auto found_at_a_look = [planned](const Arms& arms) {
    return compare_arms(arms.control, arms.arm, 0, planned).p_sequential < 0.05;
  };
  const auto harmed = [planned](const Arms& arms) {
    return compare_arms(arms.control, arms.arm, 0, planned).sequential.low > 0.01;
  };
  return {
      {"no effect, conversion 10 %, 1,000 units an arm, looked at once", Promise::equal, 0.05,
       [=](Draws& d) { return significant(two_arms(1000, conversions(d, 0.1, 0.1)), 0); }},
      {"no effect, exponential sums, 1,000 units an arm, looked at once", Promise::equal, 0.05,
       [=](Draws& d) { return significant(two_arms(1000, skewed(d)), 0); }},
      {"no effect, adjusted by CUPED, correlation 0.7, 1,000 units an arm", Promise::equal, 0.05,
       [=](Draws& d) {
         const Arms arms = two_arms(1000, correlated(d, 0));
         return significant(arms, cuped_slope({arms.control, arms.arm}));
       }},
      {"no effect, conversion 10 %, sequential, 100 looks up to 10,000 units an arm",
       Promise::at_most, 0.05,
       [=](Draws& d) { return any_look(100, 100, conversions(d, 0.1, 0.1), found_at_a_look); }},
      {"no effect, exponential sums, sequential, 100 looks up to 10,000 units an arm",
       Promise::at_most, 0.05,
       [=](Draws& d) { return any_look(100, 100, skewed(d), found_at_a_look); }},
      {"right shares of units: chi-squared below 0.01, 10,000 units", Promise::equal, 0.01,
       [](Draws& d) { return ratio_alarms(d, 10'000, 0.5, 0.01, 1); }},
      {"right shares of units: sequential below 0.01, 100 looks up to 10,000 units",
       Promise::at_most, 0.01, [](Draws& d) { return ratio_alarms(d, 10'000, 0.5, 0.01, 100); }},
      {"harm of exactly the margin: guard rolls back, 100 looks up to 10,000 units an arm",
       Promise::at_most, 0.025,
       [=](Draws& d) { return any_look(100, 100, conversions(d, 0.1, 0.11), harmed); }},
      {"conversion 10 % to 12 %, 5,000 units an arm, looked at once", Promise::at_least, 0.8,
       [=](Draws& d) { return significant(two_arms(5000, conversions(d, 0.1, 0.12)), 0); }},
      {"shift of 0.1 deviations, CUPED, correlation 0.7, 1,000 units an arm", Promise::at_least,
       0.8,
       [=](Draws& d) {
         const Arms arms = two_arms(1000, correlated(d, 0.1));
         return significant(arms, cuped_slope({arms.control, arms.arm}));
       }},
      {"conversion 10 % to 12 %, sequential, 100 looks up to 10,000 units an arm",
       Promise::at_least, 0.8,
       [=](Draws& d) { return any_look(100, 100, conversions(d, 0.1, 0.12), found_at_a_look); }},
      {"shares of units 52 to 48: sequential below 0.001, 20 looks up to 20,000 units",
       Promise::at_least, 0.8, [](Draws& d) { return ratio_alarms(d, 20'000, 0.52, 0.001, 20); }},
      {"failures 10 % to 14 %, margin 1 point: guard rolls back within 10,000 units an arm",
       Promise::at_least, 0.8,
       [=](Draws& d) { return any_look(100, 100, conversions(d, 0.1, 0.14), harmed); }},
  };
}

}  // namespace

std::vector<Rate> simulate_experiments(std::int64_t runs, std::uint64_t seed, RunControl& control) {
  return statistics::simulate(scenarios(), 1, "simulated experiment", runs, seed, control);
}

}  // namespace tandem::experiments
