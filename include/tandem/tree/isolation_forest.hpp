// Isolation forests: how easily random cuts set a row apart from the others.
//
// Liu, Ting and Zhou, "Isolation Forest", ICDM 2008. docs/algorithms/isolation-forest.md states the
// score, the treatment of missing values, and the numerics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/model.hpp"
#include "tandem/tree/max_samples.hpp"
#include "tandem/tree/tree_ensemble.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem {

struct TANDEM_API IsolationForestOptions {
  std::int64_t trees = 100;
  // Rows that a tree draws, of those of weight > 0; at least 2.
  MaxSamples max_samples{.rule = MaxSamples::Rule::automatic};
  bool bootstrap = false;      // whether it draws them with replacement
  std::int64_t max_depth = 0;  // 0: log2 of the rows drawn, rounded up
  // The share of the training rows that are taken to be outliers; 0: rows that score above 0.5 are.
  double contamination = 0;
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  void check() const {}
};

template <Real T>
class TANDEM_API IsolationForestModel final : public Model<T>, public TreeModel<T> {
 public:
  // A leaf adds the length of its path, divided by the number of trees: its depth, and the mean
  // depth c(n) that a tree of its n rows would have beside. So a raw score is the mean length.
  // Gains are 0, covers are rows.
  TreeEnsemble<T> trees;
  Index draws = 2;         // rows of a tree
  double threshold = 0.5;  // of the score: rows above it are outliers
  TrainingLog log;         // leaves: of each tree

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<IsolationForestModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "isolation-forest"; }
  [[nodiscard]] Task task() const override { return Task::detection; }
  [[nodiscard]] Index features() const override { return trees.features; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return names_; }
  // labels: 1 for an outlier, 0 for an inlier; values: the score, 2^(−mean path / c(draws)), in
  // (0, 1], greater for what is more unusual.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  // Mean lengths of paths.
  [[nodiscard]] TreeEnsemble<T> tree_ensemble() const override { return trees; }
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static IsolationForestModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

  // The predictions that mean lengths (rows × 1) stand for.
  [[nodiscard]] Predictions<T> predictions_of(const Matrix<T>& lengths, int threads) const;
  [[nodiscard]] bool operator==(const IsolationForestModel& other) const {
    return trees == other.trees && draws == other.draws && threshold == other.threshold;
  }

 private:
  std::vector<std::string> names_{"inlier", "outlier"};
};

// The mean depth at which a random binary search tree of n rows ends without finding:
// c(n) = 2·(ln(n − 1) + γ) − 2·(n − 1)/n, c(2) = 1, c(1) = 0.
[[nodiscard]] TANDEM_API double mean_isolation_depth(double rows);

// The target is not looked at. Missing features (NaN) are allowed. Rows of weight 0 are left out.
// Throws InputError for fewer than two rows, infinite features, weights other than 0 and 1, options
// that do not fit the data; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API IsolationForestModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const IsolationForestOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
