// k-means clustering by Lloyd's algorithm. docs/algorithms/kmeans.md has the method, the rules for
// ties and empty clusters, and the error bounds.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

// How the first centres are found.
//   plus_plus  k-means++: rows drawn one by one with probability proportional to weight times
//              squared distance to the nearest centre so far. Arthur and Vassilvitskii, SODA 2007
//   parallel   k-means||: a few rounds that each draw about oversampling·k rows at once, then
//              k-means++ among those, weighted by the rows nearest to each. Bahmani et al., PVLDB
//              5(7), 2012
//   random     different rows, each as likely as the other
//   given      KMeansOptions::centres
enum class KMeansInit { plus_plus, parallel, random, given };

[[nodiscard]] std::string_view to_string(KMeansInit) noexcept;  // "k-means++", "k-means||", ...
// Throws InputError that lists the accepted names.
[[nodiscard]] KMeansInit parse_kmeans_init(std::string_view);

template <Real T>
struct KMeansOptions {
  Index clusters = 8;
  KMeansInit init = KMeansInit::plus_plus;
  Matrix<T> centres;  // clusters × features, for KMeansInit::given
  // Runs from different first centres; the one with the least inertia wins, the earliest of equals.
  // Given centres make one start.
  Index starts = 10;
  Index max_iterations = 300;
  // Stop when the squared distances that the centres moved, added up, are at most `tolerance` times
  // the mean variance of the features.
  double tolerance = 1e-4;
  // Stop when the cost changed by at most this part of itself; 0 turns this off.
  double inertia_tolerance = 0;
  double oversampling = 2;  // k-means||: rows drawn per round, in multiples of k
  Index rounds = 5;         // k-means||
  std::uint64_t seed = 0;
};

template <Real T>
class KMeansModel final : public Model<T> {
 public:
  Matrix<T> centres;          // clusters × features
  std::vector<T> origin;      // the point that distances are computed relative to
  std::vector<Index> counts;  // training rows of positive weight in each cluster
  double inertia = 0;         // Σ w ‖x − centre(x)‖² over the training rows
  Index start = 0;            // which start won, from 0
  TrainingLog log;  // history "inertia": the cost of the centres each iteration began with

  [[nodiscard]] std::string_view algorithm() const override { return "kmeans"; }
  [[nodiscard]] Task task() const override { return Task::clustering; }
  [[nodiscard]] Index features() const override { return centres.cols(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override;
  // The nearest centre of each row. On the training rows these are the labels of the fit.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  // "inertia", unweighted.
  [[nodiscard]] std::map<std::string, double> own_metrics(Engine& engine,
                                                          MatrixView<const T> x) const override;

  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<KMeansModel> load(const Archive& archive);
  [[nodiscard]] nlohmann::json to_json(
      const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;
};

// x: rows × features. weights: one per row, >= 0 with a positive sum, or none. Throws InputError
// for an option out of range, no rows, values that are not finite or too large for T, and more
// clusters than distinct rows of positive weight.
template <Real T>
[[nodiscard]] KMeansModel<T> fit_kmeans(Engine& engine, MatrixView<const T> x,
                                        const KMeansOptions<T>& options, std::span<const T> weights,
                                        RunControl& control);
template <Real T>
[[nodiscard]] KMeansModel<T> fit_kmeans(Engine& engine, MatrixView<const T> x,
                                        const KMeansOptions<T>& options,
                                        std::span<const T> weights = {}) {
  RunControl control;
  return fit_kmeans(engine, x, options, weights, control);
}

}  // namespace tandem
