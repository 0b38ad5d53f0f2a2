// k-means clustering by Lloyd's algorithm. docs/algorithms/kmeans.md has the method, the rules for
// ties and empty clusters, and the error bounds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/model/fit.hpp"
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

template <>
inline constexpr std::array<std::string_view, 4> enum_names<KMeansInit>{"k-means++", "k-means||",
                                                                        "random", "given"};

struct TANDEM_API KMeansOptions {
  std::int64_t clusters = 8;
  KMeansInit init = KMeansInit::plus_plus;
  // A file of the first centres, a row each, in the features that the clustering sees; read where
  // FitContext::initial_centres has none. Centres that are given, there or here, mean
  // KMeansInit::given.
  std::string centres{};
  // Runs from different first centres; the one with the least inertia wins, the earliest of equals.
  // Given centres make one start.
  std::int64_t starts = 10;
  std::int64_t max_iterations = 300;
  // Stop when the squared distances that the centres moved, added up, are at most `tolerance` times
  // the mean variance of the features.
  double tolerance = 1e-4;
  // Stop when the cost changed by at most this part of itself; 0 turns this off.
  double inertia_tolerance = 0;
  double oversampling = 2;  // k-means||: rows drawn per round, in multiples of k
  std::int64_t rounds = 5;  // k-means||
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
};

template <Real T>
class TANDEM_API KMeansModel final : public Model<T> {
 public:
  Matrix<T> centres;          // clusters × features
  std::vector<T> origin;      // the point that distances are computed relative to
  std::vector<Index> counts;  // training rows of positive weight in each cluster
  double inertia = 0;         // Σ w ‖x − centre(x)‖² over the training rows
  Index start = 0;            // which start won, from 0
  TrainingLog log;  // history "inertia": the cost of the centres each iteration began with

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<KMeansModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "kmeans"; }
  [[nodiscard]] Task task() const override { return Task::clustering; }
  [[nodiscard]] Index features() const override { return centres.cols(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override;
  // The nearest centre of each row. On the training rows these are the labels of the fit.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  // "inertia", unweighted.
  [[nodiscard]] std::map<std::string, double> own_metrics(Engine& engine,
                                                          MatrixView<const T> x) const override;

  void save(Archive& archive) const override;
  [[nodiscard]] static KMeansModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;
};

// Rows are weighted by data.weights, where there are any: >= 0 with a positive sum. Throws
// InputError for an option out of range, no rows, values that are not finite or too large for T,
// and more clusters than distinct rows of positive weight; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API KMeansModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const KMeansOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
