#include "core/cluster/kmeans_init.hpp"
#include "core/watched_loop.hpp"

#include <algorithm>
#include <set>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

bool counts_for_something(std::span<const double> weights, Index row) {
  return weights.empty() || weights[static_cast<std::size_t>(row)] > 0;
}

// A row drawn with probability proportional to its weight.
Index draw_by_weight(std::span<const double> weights, Index rows, const Random& random,
                     std::uint64_t index) {
  if (weights.empty()) return random.below(rows, index);
  double total = 0;
  for (const double weight : weights) total += weight;
  const double target = random.uniform(index) * total;
  double sum = 0;
  Index last = 0;
  for (Index i = 0; i < rows; ++i) {
    const double weight = weights[static_cast<std::size_t>(i)];
    if (!(weight > 0)) continue;
    sum += weight;
    last = i;
    if (sum > target) break;
  }
  return last;
}

// Appends rows to `chosen` until there are k: each drawn with probability proportional to w·D, D
// being the squared distance to the nearest row chosen so far. Where all rows lie on chosen ones,
// the lowest row not chosen yet. Requires: D is that of `chosen`, which is not empty.
template <Real T>
void extend_by_distance(KMeansSteps<T>& steps, Index k, Index rows, std::span<const double> weights,
                        const Random& random, std::vector<Index>& chosen) {
  Index lowest = 0;
  WatchedLoop loop(static_cast<double>(k) - static_cast<double>(chosen.size()));
  while (static_cast<Index>(chosen.size()) < k) {
    Index row = 0;
    if (steps.potential() > 0) {
      row = steps.sample(random.uniform(chosen.size()));
    } else {
      const auto taken = [&](Index candidate) {
        return std::find(chosen.begin(), chosen.end(), candidate) != chosen.end() ||
               !counts_for_something(weights, candidate);
      };
      while (lowest < rows && taken(lowest)) ++lowest;
      // Fewer rows of positive weight than k: any other row.
      row = lowest < rows ? lowest : static_cast<Index>(chosen.size()) % rows;
    }
    chosen.push_back(row);
    if (static_cast<Index>(chosen.size()) < k) {
      steps.distances_to_rows(std::span<const Index>(&row, 1), false);
    }
    loop.done(1);
  }
}

// k-means++, Arthur and Vassilvitskii: 1a a row at random; 1b a row by D²; 1c until there are k.
template <Real T>
std::vector<Index> plus_plus(KMeansSteps<T>& steps, Index k, Index rows,
                             std::span<const double> weights, const Random& random) {
  std::vector<Index> chosen{draw_by_weight(weights, rows, random, 0)};
  steps.distances_to_rows(chosen, true);
  extend_by_distance(steps, k, rows, weights, random, chosen);
  return chosen;
}

// k-means||, Bahmani et al., algorithm 2.
template <Real T>
std::vector<Index> parallel(Engine& engine, KMeansSteps<T>& steps, MatrixView<const T> x,
                            std::span<const double> weights, std::span<const T> origin,
                            const KMeansOptions& options, const Random& random, Index start) {
  const Index k = options.clusters;
  // 1. a row at random; 2. its cost.
  std::vector<Index> candidates{draw_by_weight(weights, x.rows, random, 0)};
  steps.distances_to_rows(candidates, true);
  const Random draw(options.seed, Purpose::sampling, static_cast<std::uint32_t>(start));
  const double expected = options.oversampling * static_cast<double>(k);
  // 3-6. rounds of independent draws, each row with probability min(1, ℓ·w·D / φ).
  for (Index round = 0; round < options.rounds; ++round) {
    const double cost = steps.potential();
    if (!(cost > 0)) break;
    const std::vector<Index> drawn =
        steps.sample_each(expected / cost, draw,
                          static_cast<std::uint64_t>(round) * static_cast<std::uint64_t>(x.rows));
    if (drawn.empty()) continue;
    steps.distances_to_rows(drawn, false);
    candidates.insert(candidates.end(), drawn.begin(), drawn.end());
  }
  if (static_cast<Index>(candidates.size()) < k) {
    extend_by_distance(steps, k, x.rows, weights, random, candidates);
  }
  // 7. weight of a candidate: that of the rows nearest to it.
  const auto count = static_cast<Index>(candidates.size());
  Matrix<T> points(count, x.cols);
  for (Index c = 0; c < count; ++c) {
    std::copy_n(x.row(candidates[static_cast<std::size_t>(c)]).data(), x.cols,
                points.row(c).data());
  }
  steps.begin(count);
  steps.assign(to_engine(engine, points.values()));
  std::vector<double> pull = steps.centre_weights();
  const double total = *std::max_element(pull.begin(), pull.end());
  const FixedPoint fixed = FixedPoint::for_sum(count, total);
  for (double& weight : pull) weight = fixed.decode(fixed.encode(weight));
  // 8. recluster the weighted candidates.
  const auto small = make_steps<KMeansSteps, T>(engine);
  const std::span<const double> weights_of_points(pull);
  (void)small->measure(points.view(), weights_of_points);
  (void)small->load(points.view(), weights_of_points, origin);
  std::vector<Index> chosen = plus_plus(*small, k, count, weights_of_points, random);
  for (Index& row : chosen) row = candidates[static_cast<std::size_t>(row)];
  return chosen;
}

std::vector<Index> different_rows(Index k, Index rows, std::span<const double> weights,
                                  const Random& random) {
  std::vector<Index> chosen;
  std::set<Index> taken;
  // Few rows: a permutation, so that the draws come to an end.
  if (rows < 4 * k || !weights.empty()) {
    std::vector<Index> all;
    for (Index i = 0; i < rows; ++i) {
      if (counts_for_something(weights, i)) all.push_back(i);
    }
    for (Index c = 0; c < k; ++c) {
      const Index left = static_cast<Index>(all.size()) - c;
      const Index at = c + random.below(left, static_cast<std::uint64_t>(c));
      std::swap(all[static_cast<std::size_t>(c)], all[static_cast<std::size_t>(at)]);
      chosen.push_back(all[static_cast<std::size_t>(c)]);
    }
    return chosen;
  }
  for (std::uint64_t index = 0; static_cast<Index>(chosen.size()) < k; ++index) {
    const Index row = random.below(rows, index);
    if (taken.insert(row).second) chosen.push_back(row);
  }
  return chosen;
}

}  // namespace

template <Real T>
std::vector<T> first_centres(Engine& engine, KMeansSteps<T>& steps, MatrixView<const T> x,
                             std::span<const double> weights, std::span<const T> origin,
                             const KMeansOptions& options, MatrixView<const T> given, Index start) {
  if (given.rows > 0) {
    std::vector<T> centres;
    for (Index c = 0; c < given.rows; ++c) {
      centres.insert(centres.end(), given.row(c).begin(), given.row(c).end());
    }
    return centres;
  }
  const Random random(options.seed, Purpose::initial_centres, static_cast<std::uint32_t>(start));
  std::vector<Index> chosen;
  switch (options.init) {
    case KMeansInit::plus_plus:
      chosen = plus_plus(steps, options.clusters, x.rows, weights, random);
      break;
    case KMeansInit::parallel:
      chosen = parallel(engine, steps, x, weights, origin, options, random, start);
      break;
    case KMeansInit::random:
    case KMeansInit::given:
      chosen = different_rows(options.clusters, x.rows, weights, random);
      break;
  }
  std::vector<T> centres;
  centres.reserve(static_cast<std::size_t>(options.clusters * x.cols));
  for (const Index row : chosen) {
    const auto values = x.row(row);
    centres.insert(centres.end(), values.begin(), values.end());
  }
  return centres;
}

template std::vector<float> first_centres(Engine&, KMeansSteps<float>&, MatrixView<const float>,
                                          std::span<const double>, std::span<const float>,
                                          const KMeansOptions&, MatrixView<const float>, Index);
template std::vector<double> first_centres(Engine&, KMeansSteps<double>&, MatrixView<const double>,
                                           std::span<const double>, std::span<const double>,
                                           const KMeansOptions&, MatrixView<const double>, Index);

}  // namespace tandem
