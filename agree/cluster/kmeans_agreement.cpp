// Agreement of k-means: its steps, and whole fits. The bounds are those that
// docs/algorithms/kmeans.md derives.
#include <algorithm>
#include <limits>
#include <set>

#include "agree/case.hpp"
#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/steps.hpp"
#include "tandem/cluster/kmeans.hpp"

namespace tandem::agree {
namespace {

template <Real T>
constexpr double u = unit_roundoff<T>;
constexpr double u_double = unit_roundoff<double>;

template <Real T>
double magnitude(T a, T b) {
  return std::abs(static_cast<double>(a)) + std::abs(static_cast<double>(b));
}

// The rows, their weights, and what their order of magnitude says about errors.
template <Real T>
struct Rows {
  Matrix<T> x;
  std::vector<double> weights;  // may be empty

  Rows(const Key& key, Draw& draw, Index most_columns) {
    x = make_features<T>(key.kind, key.rows, draw.between(1, most_columns), draw);
    if (draw.flip()) {
      for (const T w : make_weights<T>(x.rows(), draw)) weights.push_back(static_cast<double>(w));
    }
  }
  [[nodiscard]] double weight(Index i) const {
    return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)];
  }
  // In double, of a row and a point.
  [[nodiscard]] double distance(Index i, std::span<const T> point) const {
    double sum = 0;
    for (Index j = 0; j < x.cols(); ++j) {
      const double difference =
          static_cast<double>(x(i, j)) - static_cast<double>(point[static_cast<std::size_t>(j)]);
      sum += difference * difference;
    }
    return sum;
  }
  // Σ_j (|x_j − o_j| + |c_j − o_j|)²
  [[nodiscard]] double reach(Index i, std::span<const T> point, std::span<const T> origin) const {
    double sum = 0;
    for (Index j = 0; j < x.cols(); ++j) {
      const auto at = static_cast<std::size_t>(j);
      const double o = static_cast<double>(origin[at]);
      const double m =
          std::abs(static_cast<double>(x(i, j)) - o) + std::abs(static_cast<double>(point[at]) - o);
      sum += m * m;
    }
    return sum;
  }
  // Roundings of denormal numbers in a chain over the features, which score_bound leaves out.
  [[nodiscard]] double denormals() const {
    return static_cast<double>(2 * x.cols() + 4) *
           static_cast<double>(std::numeric_limits<T>::denorm_min());
  }
};

template <Real T>
struct Loaded {
  std::unique_ptr<KMeansSteps<T>> steps;
  KMeansColumns columns;
  KMeansSpread spread;
  std::vector<T> origin;

  // `given` is an origin to use in place of the mean.
  Loaded(Engine& engine, const Rows<T>& rows, Index k, const std::vector<T>* given)
      : steps(make_steps<KMeansSteps, T>(engine)) {
    steps->expect_centres(k);
    columns = steps->measure(rows.x.view(), rows.weights);
    if (given != nullptr) {
      origin = *given;
    } else {
      for (const double mean : columns.mean) origin.push_back(static_cast<T>(mean));
    }
    spread = steps->load(rows.x.view(), rows.weights, origin);
  }
};

// Labels may differ from the reference's only where both centres are as near as the bounds of their
// scores say.
template <Real T>
void judge_labels(Judge& judge, const std::string& name, const Rows<T>& rows,
                  const std::vector<T>& centres, const std::vector<T>& origin) {
  const auto& got = judge.got.get<std::int32_t>(name);
  const auto& expected = judge.reference.get<std::int32_t>(name);
  const Index cols = rows.x.cols();
  const auto k = static_cast<Index>(centres.size()) / cols;
  const auto centre = [&](std::int32_t c) {
    return std::span<const T>(centres).subspan(static_cast<std::size_t>(c * cols),
                                               static_cast<std::size_t>(cols));
  };
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto row = static_cast<Index>(i);
    if (i >= got.size() || got[i] < 0 || got[i] >= k) {
      judge.compare(name, row, Tolerance::exact, i < got.size() ? got[i] : -1, expected[i], 0);
      continue;
    }
    const double bound = score_bound<T>(rows.x.row(row), centre(got[i]), origin) +
                         score_bound<T>(rows.x.row(row), centre(expected[i]), origin) +
                         2 * rows.denormals();
    const double gap = got[i] == expected[i]
                           ? 0
                           : std::max(0.0, rows.distance(row, centre(got[i])) -
                                               rows.distance(row, centre(expected[i])));
    judge.choice(name, row, got[i], expected[i], gap, bound);
  }
}

// Σ w ‖x − c‖² of the same labels: the reference's from x − c in double, the engines' from x' − c',
// each rounded once to T. (a + e)² with |e| <= u·m, m = |x'| + |c'|, is off by 2|a|um + u²m², and
// |a| <= m; 3u·m² covers the roundings in double of each term, the sums are those of n·d terms.
template <Real T>
double inertia_bound(const Rows<T>& rows, const std::vector<T>& centres,
                     const std::vector<std::int32_t>& labels, const std::vector<T>& origin) {
  const auto cols = static_cast<std::size_t>(rows.x.cols());
  double sum = 0;
  double elements = 0;
  for (Index i = 0; i < rows.x.rows(); ++i) {
    const auto c = static_cast<std::size_t>(labels[static_cast<std::size_t>(i)]);
    sum +=
        rows.weight(i) * rows.reach(i, std::span<const T>(centres).subspan(c * cols, cols), origin);
    elements += rows.weight(i) * rows.denormals();
  }
  return sum * (3 * u<T> + long_sum_bound(rows.x.rows()) + gamma_bound<double>(rows.x.size() + 4)) +
         elements * u<T>;
}

// --- means, square sums --------------------------------------------------------------------------

template <Real T>
class MeasureCase final : public Case {
 public:
  explicit MeasureCase(const Key& key) : draw_(key.seed, 11), rows_(key, draw_, 9) {}

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const Loaded<T> loaded(engine, rows_, 3, follow ? &follow->get<T>("origin") : nullptr);
    out.add("weight", loaded.columns.weight);
    out.add("mean", loaded.columns.mean);
    out.add("origin", loaded.origin);
    out.add("square_sum", loaded.spread.square_sum);
    out.add("largest", loaded.spread.largest);
  }

  // Sums in double in two orders. x' is rounded once to T: its square is off by 2u + u² of itself.
  void judge(Judge& judge) const override {
    const Index n = rows_.x.rows();
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 4);
    const auto& square = judge.reference.get<double>("square_sum");
    const auto& largest = judge.reference.get<double>("largest");
    judge.exact("weight");
    judge.within("mean", Tolerance::reduction, [&](std::size_t j) {
      double sum = 0;
      double weight = 0;
      for (Index i = 0; i < n; ++i) {
        sum += rows_.weight(i) * std::abs(static_cast<double>(rows_.x(i, static_cast<Index>(j))));
        weight += rows_.weight(i);
      }
      return order * sum / weight + std::numeric_limits<double>::denorm_min();
    });
    judge.within("square_sum", Tolerance::reduction, [&](std::size_t j) {
      return square[j] * (order + 2 * u<T> * (1 + u<T>)) +
             static_cast<double>(n) * std::numeric_limits<double>::denorm_min();
    });
    judge.within("largest", Tolerance::elementwise,
                 [&](std::size_t j) { return u<T> * largest[j]; });
  }

 private:
  Draw draw_;
  Rows<T> rows_;
};

// --- assign and recentre -------------------------------------------------------------------------

// Three iterations from centres among which some are rows and some coincide.
template <Real T>
class LloydCase : public Case {
 public:
  static constexpr int iterations = 3;

  explicit LloydCase(const Key& key) : draw_(key.seed, 12), rows_(key, draw_, 17) {
    k_ = draw_.of<Index>({1, 2, 3, 4, 7, 13, 25, 40, 45});
    for (Index c = 0; c < k_; ++c) {
      const Index row = draw_.below(rows_.x.rows());
      const double shrink = draw_.flip() ? 1 : draw_.uniform();
      for (Index j = 0; j < rows_.x.cols(); ++j) {
        centres_.push_back(static_cast<T>(shrink * static_cast<double>(rows_.x(row, j))));
      }
    }
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const Loaded<T> loaded(engine, rows_, k_, follow ? &follow->get<T>("origin") : nullptr);
    KMeansSteps<T>& steps = *loaded.steps;
    out.add("origin", loaded.origin);
    Buffer<T> centres = to_engine(engine, centres_);
    Buffer<T> next(engine, centres.size());
    steps.begin(k_);
    for (int t = 0; t < iterations; ++t) {
      const std::string at = std::to_string(t);
      if (follow != nullptr) {
        centres.upload(follow->get<T>("centres" + at));
        steps.begin(k_);
      }
      steps.assign(centres);
      out.add("centres" + at, centres);
      out.add("labels" + at, steps.labels());
      if (follow != nullptr) steps.begin(k_, follow->get<std::int32_t>("labels" + at));
      steps.recentre(centres, next);
      const KMeansTotals totals = steps.totals();
      out.add("next" + at, next);
      out.add("counts" + at, steps.counts());
      out.add("weights" + at, steps.centre_weights());
      out.add("cost" + at, totals.cost);
      out.add("cost_error" + at, totals.cost_error);
      out.add("shift" + at, totals.shift_squared);
      out.add_count("empty" + at, totals.empty);
      // The reference starts afresh.
      out.add_count("changed" + at, totals.changed);
      out.add("inertia" + at, steps.inertia(centres));
      std::swap(centres, next);
    }
    if (follow != nullptr) centres.upload(follow->get<T>("last_centres"));
    steps.label(centres, k_);
    out.add("last_centres", centres);
    out.add("last_labels", steps.labels());
  }

 protected:
  Draw draw_;
  Rows<T> rows_;
  Index k_ = 1;
  std::vector<T> centres_;
};

template <Real T>
class AssignCase final : public LloydCase<T> {
 public:
  using LloydCase<T>::LloydCase;
  void judge(Judge& judge) const override {
    std::vector<std::int32_t> before(static_cast<std::size_t>(this->rows_.x.rows()), -1);
    for (int t = 0; t < this->iterations; ++t) {
      const std::string at = std::to_string(t);
      judge_labels<T>(judge, "labels" + at, this->rows_, judge.got.get<T>("centres" + at),
                      judge.got.get<T>("origin"));
      const auto& labels = judge.got.get<std::int32_t>("labels" + at);
      Index changed = 0;
      for (std::size_t i = 0; i < labels.size(); ++i) changed += labels[i] != before[i] ? 1 : 0;
      judge.compare("changed" + at, 0, Tolerance::exact,
                    static_cast<double>(judge.got.get<std::int64_t>("changed" + at)[0]),
                    static_cast<double>(changed), 0);
      before = labels;
    }
    judge_labels<T>(judge, "last_labels", this->rows_, judge.got.get<T>("last_centres"),
                    judge.got.get<T>("origin"));
  }
};

template <Real T>
class RecentreCase final : public LloydCase<T> {
 public:
  using LloydCase<T>::LloydCase;

  // A centre is fl(o + S/W). The rows' x' are off by u·|x'| each, so is their mean; their fixed
  // point by `unit` each; S/W, the sum with o and the reference's own sums are of double; either
  // side rounds the result once.
  void judge(Judge& judge) const override {
    const Rows<T>& rows = this->rows_;
    const Index n = rows.x.rows();
    const Index cols = rows.x.cols();
    const auto& origin = judge.got.get<T>("origin");
    std::vector<double> reach(static_cast<std::size_t>(cols));  // the largest |x'|
    std::vector<double> unit(static_cast<std::size_t>(cols));
    std::vector<double> largest(static_cast<std::size_t>(cols));  // the largest |x|
    double heaviest = 1;
    if (!rows.weights.empty()) {
      heaviest = *std::max_element(rows.weights.begin(), rows.weights.end());
    }
    for (std::size_t j = 0; j < reach.size(); ++j) {
      for (Index i = 0; i < n; ++i) {
        const double x = static_cast<double>(rows.x(i, static_cast<Index>(j)));
        reach[j] = std::max(reach[j], std::abs(x - static_cast<double>(origin[j])));
        largest[j] = std::max(largest[j], std::abs(x));
      }
      // The engine's largest |x'| is rounded up by one unit at most: one more bit.
      unit[j] = 2 * fixed_point_of_feature(n, heaviest * reach[j]).term_error();
    }
    for (int t = 0; t < this->iterations; ++t) {
      const std::string at = std::to_string(t);
      const auto& centres = judge.got.get<T>("centres" + at);
      const auto& labels = judge.got.get<std::int32_t>("labels" + at);
      const auto& counts = judge.reference.get<std::int64_t>("counts" + at);
      const auto& weights = judge.reference.get<double>("weights" + at);
      const auto& next = judge.reference.get<T>("next" + at);
      judge.exact("counts" + at);
      judge.exact("weights" + at);
      judge.exact("empty" + at);
      double shift_bound = 0;
      std::vector<double> bounds(next.size());
      for (std::size_t e = 0; e < next.size(); ++e) {
        const std::size_t c = e / static_cast<std::size_t>(cols);
        const std::size_t j = e % static_cast<std::size_t>(cols);
        const double value = std::abs(static_cast<double>(next[e]));
        double bound = 0;
        if (weights[c] > 0) {
          bound = u<T> * reach[j] + static_cast<double>(counts[c]) * unit[j] / weights[c] +
                  (gamma_bound<double>(n + 4) * (largest[j] + reach[j]) +
                   4 * u_double * (reach[j] + std::abs(static_cast<double>(origin[j]))));
          bound += 2 * (u<T> * (value + bound) +
                        static_cast<double>(std::numeric_limits<T>::denorm_min()));
        }
        bounds[e] = bound;
        const double move =
            std::abs(static_cast<double>(next[e]) - static_cast<double>(centres[e]));
        shift_bound += (2 * move + bound) * bound;
      }
      judge.within("next" + at, Tolerance::reduction, [&](std::size_t e) { return bounds[e]; });
      const double shift = judge.reference.number("shift" + at);
      judge.within(
          "shift" + at, Tolerance::reduction,
          shift_bound + 4 * gamma_bound<double>(this->k_ * cols + 3) * (shift + shift_bound) +
              static_cast<double>(next.size()) * std::numeric_limits<double>::denorm_min());
      const double by_rows = inertia_bound<T>(rows, centres, labels, origin);
      judge.within("cost" + at, Tolerance::reduction,
                   by_rows + judge.got.number("cost_error" + at));
      judge.within("inertia" + at, Tolerance::reduction, by_rows);
    }
  }
};

// --- distances and draws -------------------------------------------------------------------------

template <Real T>
class DistancesCase final : public Case {
 public:
  explicit DistancesCase(const Key& key) : draw_(key.seed, 13), rows_(key, draw_, 33) {
    const Index count = draw_.between(1, 7);
    for (Index i = 0; i < count; ++i) chosen_.push_back(draw_.below(rows_.x.rows()));
    for (double& at : at_) at = draw_.uniform();
    seed_ = draw_.bits();
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const Loaded<T> loaded(engine, rows_, 1, follow ? &follow->get<T>("origin") : nullptr);
    KMeansSteps<T>& steps = *loaded.steps;
    out.add("origin", loaded.origin);
    steps.distances_to_rows(std::span<const Index>(chosen_).first(1), true);
    steps.distances_to_rows(std::span<const Index>(chosen_).subspan(1), false);
    const double potential = steps.potential();
    out.add("potential", potential);
    std::vector<std::int64_t> sampled;
    for (const double at : at_) sampled.push_back(potential > 0 ? steps.sample(at) : -1);
    out.add("sampled", sampled);
    const double factor = follow ? follow->number("factor") : potential > 0 ? 5 / potential : 1.0;
    out.add("factor", factor);
    std::vector<std::int64_t> each(static_cast<std::size_t>(rows_.x.rows()), 0);
    for (const Index row : steps.sample_each(factor, Random(seed_, Purpose::test), 7)) {
      each.at(static_cast<std::size_t>(row)) += 1;
    }
    out.add("each", each);
    // One centre, the first row chosen; all rows are its.
    steps.begin(1);
    const auto centre = to_engine(engine, rows_.x.row(chosen_[0]));
    steps.assign(centre);
    steps.distances_to_own_centres(centre);
    const KMeansFarthest farthest = steps.farthest();
    out.add_count("farthest", farthest.row);
    out.add("distance", farthest.distance);
  }

  // D is a chain of d squares of x' − y': γ_{d+6} of Σ (|x'| + |y'|)², as the tests of the steps
  // derive. Draws may differ where the number drawn is that near to the border.
  void judge(Judge& judge) const override {
    const auto& origin = judge.got.get<T>("origin");
    const Index n = rows_.x.rows();
    std::vector<double> distance, error;
    double total = 0;
    double total_error = 0;
    const auto bound_of = [&](Index i, Index row) {
      return gamma_bound<T>(rows_.x.cols() + 6) * rows_.reach(i, rows_.x.row(row), origin) +
             rows_.denormals();
    };
    for (Index i = 0; i < n; ++i) {
      double least = std::numeric_limits<double>::infinity();
      double bound = 0;
      for (const Index row : chosen_) {
        least = std::min(least, rows_.distance(i, rows_.x.row(row)));
        bound = std::max(bound, bound_of(i, row));
      }
      distance.push_back(least);
      error.push_back(bound);
      total += rows_.weight(i) * least;
      total_error += rows_.weight(i) * bound;
    }
    total_error += (long_sum_bound(n) + gamma_bound<double>(n + 2)) * (total + total_error);
    judge.within("potential", Tolerance::reduction, total_error);
    const auto& sampled = judge.got.get<std::int64_t>("sampled");
    const auto& expected = judge.reference.get<std::int64_t>("sampled");
    for (std::size_t s = 0; s < sampled.size(); ++s) {
      if (judge.got.number("potential") == 0 || judge.reference.number("potential") == 0) break;
      double before = 0;
      for (Index i = 0; i < sampled[s] && i < n; ++i) {
        before += rows_.weight(i) * distance[static_cast<std::size_t>(i)];
      }
      const bool inside = sampled[s] >= 0 && sampled[s] < n;
      const auto row = static_cast<std::size_t>(inside ? sampled[s] : 0);
      const double after = before + rows_.weight(static_cast<Index>(row)) * distance[row];
      const double target = at_[s] * total;
      const double gap = inside ? std::max({0.0, before - target, target - after})
                                : std::numeric_limits<double>::quiet_NaN();
      judge.choice("sampled", static_cast<Index>(s), static_cast<double>(sampled[s]),
                   static_cast<double>(expected[s]), sampled[s] == expected[s] ? 0 : gap,
                   2 * total_error);
    }
    const auto& each = judge.got.get<std::int64_t>("each");
    const auto& each_expected = judge.reference.get<std::int64_t>("each");
    const double factor = judge.got.number("factor");
    const Random random(seed_, Purpose::test);
    for (Index i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double border = factor * rows_.weight(i) * distance[at];
      const double gap = std::abs(random.uniform(static_cast<std::uint64_t>(7 + i)) - border);
      judge.choice("each", i, static_cast<double>(each[at]), static_cast<double>(each_expected[at]),
                   each[at] == each_expected[at] ? 0 : gap,
                   factor * rows_.weight(i) * error[at] + 4 * u_double * border);
    }
    const Index row = judge.got.get<std::int64_t>("farthest")[0];
    const Index other = judge.reference.get<std::int64_t>("farthest")[0];
    if (row < 0 || other < 0) {
      judge.exact("farthest");
    } else {
      const auto centre = rows_.x.row(chosen_[0]);
      const double bound = bound_of(row, chosen_[0]) + bound_of(other, chosen_[0]);
      judge.choice("farthest", 0, static_cast<double>(row), static_cast<double>(other),
                   row == other
                       ? 0
                       : std::max(0.0, rows_.distance(other, centre) - rows_.distance(row, centre)),
                   bound);
      judge.within("distance", Tolerance::reduction, bound);
    }
  }

 private:
  Draw draw_;
  Rows<T> rows_;
  std::vector<Index> chosen_;
  double at_[4] = {};
  std::uint64_t seed_ = 0;
};

// --- whole fits ----------------------------------------------------------------------------------

template <Real T>
class FitCase final : public Case {
 public:
  explicit FitCase(const Key& key) : draw_(key.seed, 14), rows_(key, draw_, 9) {
    std::set<std::vector<T>> distinct;
    for (Index i = 0; i < rows_.x.rows(); ++i) {
      if (!(rows_.weight(i) > 0)) continue;
      const auto row = rows_.x.row(i);
      std::vector<T> values(row.begin(), row.end());
      for (T& value : values) value += T{0};  // −0 is 0
      distinct.insert(std::move(values));
    }
    const auto most = static_cast<Index>(distinct.size());
    options_.clusters = draw_.between(1, std::min<Index>(most, draw_.of<Index>({3, 12, 45})));
    options_.init = draw_.of(
        {KMeansInit::plus_plus, KMeansInit::parallel, KMeansInit::random, KMeansInit::given});
    options_.starts = draw_.between(1, 2);
    options_.max_iterations = draw_.of<Index>({1, 12, 12});
    options_.tolerance = draw_.of({0.0, 1e-4});
    options_.seed = draw_.bits() >> 1;
    if (options_.init == KMeansInit::given) {
      // Rows with repetition: empty clusters.
      centres_ = Matrix<T>(options_.clusters, rows_.x.cols());
      for (Index c = 0; c < options_.clusters; ++c) {
        const auto row = rows_.x.row(draw_.below(rows_.x.rows()));
        std::copy(row.begin(), row.end(), centres_.row(c).begin());
      }
    }
    for (const double w : rows_.weights) weights_.push_back(static_cast<T>(w));
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    if (follow != nullptr) {
      // The reference computes the cost of the centres that were found.
      const Loaded<T> loaded(engine, rows_, options_.clusters, &follow->get<T>("origin"));
      const auto centres = to_engine(engine, follow->get<T>("centres"));
      loaded.steps->begin(options_.clusters);
      loaded.steps->assign(centres);
      out.add("labels", loaded.steps->labels());
      loaded.steps->begin(options_.clusters, follow->get<std::int32_t>("labels"));
      out.add("counts", loaded.steps->counts());
      out.add("inertia", loaded.steps->inertia(centres));
      return;
    }
    const auto model = fit(engine, DatasetView<T>{.features = rows_.x.view()}, options_,
                           {.weights = weights_, .initial_centres = centres_.view()});
    out.add("centres", model.centres.values());
    out.add("origin", model.origin);
    out.add("counts", model.counts);
    out.add("inertia", model.inertia);
    out.add_count("start", model.start);
    out.add_count("iterations", model.log.iterations);
    out.add("history", model.log.history.at("inertia"));
    out.add("labels", model.predict(engine, rows_.x.view()).labels);
  }

  // The inertia of a model comes with an error of 10⁻¹⁰ of itself at most, beside that of the rows.
  void judge(Judge& judge) const override {
    const auto& centres = judge.got.get<T>("centres");
    const auto& origin = judge.got.get<T>("origin");
    judge_labels<T>(judge, "labels", rows_, centres, origin);
    judge.exact("counts");
    judge.within("inertia", Tolerance::reduction,
                 inertia_bound<T>(rows_, centres, judge.got.get<std::int32_t>("labels"), origin) +
                     1e-10 * judge.reference.number("inertia"));
  }

 private:
  Draw draw_;
  Rows<T> rows_;
  KMeansOptions options_;
  Matrix<T> centres_;  // with KMeansInit::given
  std::vector<T> weights_;
};

}  // namespace

Agreement make_kmeans_agreement() {
  return {over_many_blocks(
              part<MeasureCase>("measure", "means and square sums of the columns", {"kmeans"},
                                "reduction: long sums in double, and 2u for x' rounded to T")),
          part<AssignCase>("assign", "labels of the nearest centres, three times", {"kmeans"},
                           "tie-aware: B(x, a) + B(x, b), B = γ(2d+4)·Σ(|x'|+|c'|)²"),
          over_many_blocks(part<RecentreCase>(
              "recentre", "centres, cost and inertia from the labels", {"kmeans"},
              "reduction: u·max|x'|, half a unit of fixed point per row, 2u·|centre|")),
          over_many_blocks(
              part<DistancesCase>("distances", "distances to rows, their sum, and draws by them",
                                  {"kmeans"}, "reduction and tie-aware: γ(d+6)·Σ(|x'|+|y'|)²")),
          part<FitCase>("fit", "the model, judged by the reference's value of it", {"kmeans"},
                        "tie-aware labels; inertia: 3u·Σw(|x'|+|c'|)² and 1e-10 of it", 257)};
}

}  // namespace tandem::agree
