// A trained fraud model: a pipeline of Tandem's (gradient boosting on the features), and what turns
// its answer into a score. It is one file: a .tandem model that `tandem predict` and the registry
// take as any other, with a part "fraud" beside the pipeline.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "systems/fraud/features.hpp"
#include "tandem/core/archive.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem::fraud {

// A step-wise linear, non-decreasing map of [0, 1] into [0, 1], fitted by isotonic regression (pool
// adjacent violators) on pairs of a score and what came out.
class Calibration {
 public:
  Calibration() = default;  // the identity
  // `fraud` is 0 or 1. Knots are the blocks' means; a block without fraud, or with fraud only, gets
  // half a case of the other kind, so that no probability is 0 or 1.
  [[nodiscard]] static Calibration fit(std::span<const double> scores,
                                       std::span<const std::uint8_t> fraud);
  [[nodiscard]] double operator()(double score) const;
  void save(Archive& archive) const;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static Calibration load(const Archive& archive);

 private:
  std::vector<double> from_;  // ascending
  std::vector<double> to_;
};

// What a model says of one transaction.
struct ModelScore {
  double raw = 0;          // the pipeline's probability of fraud
  double probability = 0;  // calibrated on validation days
  // In [0, 1], monotone in raw: review_score at the threshold of the review budget, linear below
  // and above it. With the default weight of .7 the model alone reaches .3, "medium", exactly for
  // what the budget pays to review.
  double score = 0;
};

inline constexpr double review_score = 0.3 / 0.7;

// What one feature adds to the log-odds of the model's answer.
struct Contribution {
  std::size_t feature = 0;  // of the feature table
  double value = 0;         // log-odds; positive speaks for fraud
};

// Several threads may use one at once.
class FraudModel {
 public:
  struct Settings {
    double threshold = 0.5;      // of raw: from here on a transaction is within the review budget
    double reviews_per_day = 0;  // the budget that the threshold was tuned to
    Calibration calibration;
    std::string configuration_version = "1";
    std::string card;        // the model card, Markdown
    Time trained_until = 0;  // it has seen nothing of later transactions
  };

  FraudModel(Pipeline<float> pipeline, Settings settings);
  ~FraudModel();
  FraudModel(FraudModel&&) noexcept;
  FraudModel& operator=(FraudModel&&) noexcept;

  // Throws InputError where the file is no fraud model, or where one of its features is none of
  // this program's.
  [[nodiscard]] static FraudModel load(const std::string& path);
  void save(const std::string& path) const;

  // The same pipeline with other settings.
  [[nodiscard]] FraudModel with(Settings settings) &&;

  // On the calling thread, without an engine: the bits that the pipeline gives.
  [[nodiscard]] ModelScore score(const FeatureVector& features) const;
  // The Shapley values (TreeSHAP) of the features, those that speak for fraud most first, at most
  // `most`. Some hundred µs: for what is not approved, or off the hot path.
  [[nodiscard]] std::vector<Contribution> explain(const FeatureVector& features,
                                                  std::size_t most) const;

  [[nodiscard]] const Settings& settings() const noexcept;
  [[nodiscard]] const Pipeline<float>& pipeline() const noexcept;

 private:
  struct Ready;
  std::unique_ptr<Ready> ready_;
};

}  // namespace tandem::fraud
