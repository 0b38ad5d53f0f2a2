// Bayesian personalised ranking. Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian
// Personalized Ranking from Implicit Feedback", UAI 2009. docs/algorithms/bpr.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/choices.hpp"
#include "tandem/recommend/factor_recommender.hpp"

namespace tandem {

struct TANDEM_API BprOptions {
  std::int64_t factors = 64;
  std::int64_t iterations = 100;
  double learning_rate = 0.05;
  double regularization = 0.01;  // λ
  BprNegatives negatives = BprNegatives::uniform;
  std::int64_t fold_in_passes = 0;  // 0: as many as iterations
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// score = x · y_i + b_i. A user is folded in by the steps of training with the items held fixed.
// Weights of events do not matter, unless they are 0: such events are none. Items that no event of
// the training data has are no answer.
class TANDEM_API BprModel final : public FactorRecommender {
 public:
  // item_factors: items × (factors + 1), the last column the items' biases.
  double learning_rate = 0;
  double regularization = 0;
  std::int64_t fold_in_passes = 1;
  std::uint64_t seed = 0;
  std::vector<std::int32_t> panel;  // what users' items are compared with when they are folded in

  [[nodiscard]] std::string_view algorithm() const override { return "bpr"; }
  // Its last element is 1.
  [[nodiscard]] std::vector<float> fold_in(UserHistory history) const override;
  // The vector is a sum of what the steps of each item of the history added to it. What nobody's
  // history carries, the item's bias, is in the rest.
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<BprModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

  // What fold-ins start from. Called by fit and load.
  void prepare();

 private:
  [[nodiscard]] std::unique_ptr<Folder> folder(Engine& engine,
                                               const Buffer<float>& items) const override;
  [[nodiscard]] Index described_by() const override { return item_factors.cols() - 1; }

  Matrix<float> factors_;      // items × pitch, without biases
  std::vector<float> biases_;  // items
};

// The training log's history "ranked_right" is the share of drawn pairs that were in the right
// order before their step.
[[nodiscard]] TANDEM_API std::unique_ptr<BprModel> fit(Engine& engine, const RecommenderData& data,
                                                       const BprOptions& options,
                                                       RunControl* control = nullptr);

}  // namespace tandem
