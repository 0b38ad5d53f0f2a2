#include "systems/serving/watch/simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "systems/serving/watch/drift.hpp"
#include "systems/statistics/simulation.hpp"

namespace tandem::watch {
namespace {

using statistics::Draws;
using statistics::Promise;
using statistics::Rate;
using statistics::Scenario;

constexpr Index training_rows = 5'000;
constexpr Index later_rows = 1'000;

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// One value of a column; `later` of the rows that are compared.
using DrawValue = std::function<double(Draws&, bool later)>;

// A kind of column: numbers, or where there are categories their codes.
struct Kind {
  DrawValue draw;
  Index categories = 0;
};

struct Pair {
  ColumnSummary before;
  ColumnSummary now;
};

// A column of training data and later rows counted by its summary, which has the categories that
// the training data has: their codes are numbered anew in the order that they come in.
Pair draw_pair(Draws& draws, const Kind& kind) {
  Dataset<double> data;
  data.features = Matrix<double>(training_rows, 1);
  data.columns = {{"x", {}}};
  auto& names = data.columns[0].categories;
  std::vector<double> code_of(static_cast<std::size_t>(kind.categories), -1);
  for (Index i = 0; i < training_rows; ++i) {
    double value = kind.draw(draws, false);
    if (kind.categories > 0) {
      double& code = code_of[static_cast<std::size_t>(value)];
      if (code < 0) {
        code = static_cast<double>(names.size());
        names.push_back(std::to_string(names.size()));
      }
      value = code;
    }
    data.features(i, 0) = value;
  }
  Pair pair;
  pair.before = summarise_columns(data.view())[0];
  pair.now = pair.before.without_rows();
  for (Index i = 0; i < later_rows; ++i) {
    const double value = kind.draw(draws, true);
    pair.now.count(kind.categories == 0 ? value : code_of[static_cast<std::size_t>(value)]);
  }
  return pair;
}

DriftReport compare_pairs(const std::vector<Pair>& pairs, double level) {
  TrainingSummary before;
  std::vector<ColumnSummary> now;
  for (const Pair& pair : pairs) {
    before.features.push_back(pair.before);
    now.push_back(pair.now);
  }
  DriftOptions options;
  options.level = level;
  return compare(before, now, {}, options);
}

ColumnDrift column_drift(Draws& draws, const DrawValue& draw, Index categories) {
  return compare_pairs({draw_pair(draws, {draw, categories})}, 0.01).columns[0];
}

double normal(Draws& draws, bool) { return draws.normal(); }
// Whole numbers, most of them 0 to 5.
double counts(Draws& draws, bool) { return std::floor(-2 * std::log1p(-draws.uniform())); }
double eight_categories(Draws& draws, bool) {
  const double u = draws.uniform();
  return std::floor(8 * u * u);
}
// Category k of 100,000 about as often as 1/(k + 10): many that come once.
double rare_categories(Draws& draws, bool) {
  return std::floor(10 * (std::pow(10'000.0, draws.uniform()) - 1));
}
double sometimes_missing(Draws& draws, bool) {
  return draws.uniform() < 0.05 ? missing : draws.normal();
}

// A table of twenty columns of these five kinds, all independent, the first moved by `shift`;
// whether the report alarms.
bool report_alarms(Draws& draws, double level, double shift) {
  const std::array<Kind, 5> kinds{{{normal, 0},
                                   {counts, 0},
                                   {eight_categories, 8},
                                   {rare_categories, 100'000},
                                   {sometimes_missing, 0}}};
  const DrawValue moved = [shift](Draws& d, bool later) {
    return d.normal() + (later ? shift : 0);
  };
  std::vector<Pair> pairs{draw_pair(draws, {moved, 0})};
  while (pairs.size() < 20) pairs.push_back(draw_pair(draws, kinds[pairs.size() % kinds.size()]));
  return compare_pairs(pairs, level).alarm;
}

std::vector<Scenario> scenarios() {
  const auto column = [](const DrawValue& draw, Index categories, double ColumnDrift::*p) {
    return [=](Draws& d) { return column_drift(d, draw, categories).*p < 0.01; };
  };
  const auto alarm = [](const DrawValue& draw, Index categories) {
    return [=](Draws& d) { return column_drift(d, draw, categories).alarm; };
  };
  return {
      {"no drift, normal: KS below 0.01", Promise::equal, 0.01,
       column(normal, 0, &ColumnDrift::p_ks)},
      {"no drift, normal: PSI below 0.01", Promise::equal, 0.01,
       column(normal, 0, &ColumnDrift::p_psi)},
      {"no drift, whole numbers: KS below 0.01", Promise::equal, 0.01,
       column(counts, 0, &ColumnDrift::p_ks)},
      {"no drift, whole numbers: PSI below 0.01", Promise::equal, 0.01,
       column(counts, 0, &ColumnDrift::p_psi)},
      {"no drift, 8 categories: PSI below 0.01", Promise::equal, 0.01,
       column(eight_categories, 8, &ColumnDrift::p_psi)},
      {"no drift, thousands of rare categories: PSI below 0.01", Promise::equal, 0.01,
       column(rare_categories, 100'000, &ColumnDrift::p_psi)},
      {"no drift, thousands of rare categories: unseen below 0.01", Promise::at_most, 0.01,
       column(rare_categories, 100'000, &ColumnDrift::p_unseen)},
      {"no drift, 5 % missing: missing below 0.01", Promise::equal, 0.01,
       column(sometimes_missing, 0, &ColumnDrift::p_missing)},
      {"no drift, normal: the column alarms at level 0.01", Promise::equal, 0.01, alarm(normal, 0)},
      {"no drift, 20 columns of these kinds: the report alarms at level 0.01", Promise::equal, 0.01,
       [](Draws& d) { return report_alarms(d, 0.01, 0); }},
      {"no drift, 20 columns of these kinds: the report alarms at level 0.05", Promise::equal, 0.05,
       [](Draws& d) { return report_alarms(d, 0.05, 0); }},
      {"one of 20 columns moved by 0.25 deviations: the report alarms at 0.01", Promise::at_least,
       0.8, [](Draws& d) { return report_alarms(d, 0.01, 0.25); }},
      {"deviation 1 to 1.2: the column alarms at 0.01", Promise::at_least, 0.8,
       alarm([](Draws& d, bool later) { return d.normal() * (later ? 1.2 : 1); }, 0)},
      {"missing 5 % to 9 %: the column alarms at 0.01", Promise::at_least, 0.8,
       alarm([](Draws& d,
                bool later) { return d.uniform() < (later ? 0.09 : 0.05) ? missing : d.normal(); },
             0)},
      {"one of 8 categories from 12.5 % to 19 %: the column alarms at 0.01", Promise::at_least, 0.8,
       alarm(
           [](Draws& d, bool later) {
             return later && d.uniform() < 0.0743 ? 0.0 : std::floor(8 * d.uniform());
           },
           8)},
      {"1 % of a category that training lacked: the column alarms at 0.01", Promise::at_least, 0.8,
       alarm(
           [](Draws& d, bool later) {
             return later && d.uniform() < 0.01 ? 8.0 : std::floor(8 * d.uniform());
           },
           9)},
  };
}

}  // namespace

std::vector<Rate> simulate_drift(std::int64_t runs, std::uint64_t seed, RunControl& control) {
  return statistics::simulate(scenarios(), 501, "simulated table", runs, seed, control);
}

double effective_checks(std::int64_t runs, std::uint64_t seed, double limit) {
  double below = 0;
  for (std::int64_t run = 0; run < runs; ++run) {
    Draws draws(seed, run);
    const ColumnDrift drift = column_drift(draws, normal, 0);
    if (std::min(drift.p_ks, drift.p_psi) < limit) below += 1;
  }
  return std::log1p(-below / static_cast<double>(runs)) / std::log1p(-limit);
}

}  // namespace tandem::watch
