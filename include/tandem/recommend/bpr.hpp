// Bayesian personalised ranking. Rendle et al., UAI 2009. docs/algorithms/bpr.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API BprOptions {
  std::int64_t factors = 64;
  std::int64_t epochs = 100;
  double learning_rate = 0.05;
  double regularization = 0.01;
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// score = x · y_i + b_i; x is the mean of the history's item factors under the fold-in of
// docs/algorithms/bpr.md.
class TANDEM_API BprModel final : public Recommender {
 public:
  Matrix<float> item_factors;      // items × factors
  std::vector<float> item_biases;  // one per item

  [[nodiscard]] std::string_view algorithm() const override { return "bpr"; }
  void score(UserHistory history, std::span<double> scores) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<BprModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;
};

[[nodiscard]] TANDEM_API std::unique_ptr<BprModel> fit(Engine& engine, const RecommenderData& data,
                                                       const BprOptions& options,
                                                       RunControl* control = nullptr);

}  // namespace tandem
