// Recommenders that are a linear model of each item by the others: EASE, SLIM.
#pragma once

#include <string_view>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

// score(i) = Σ_j w_j · B_ji over the items j of the history. Items of the history speak for others
// and, where weights are negative, against them.
class TANDEM_API ItemWeightsRecommender : public Recommender {
 public:
  SparseMatrix<double> weights;  // items × items: row j has B_ji; the diagonal is 0

  void score(UserHistory history, std::span<double> scores) const override;
  using Recommender::top_items;
  [[nodiscard]] TopItems top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                   const ItemFilter& filter = {}) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  // The items that this one speaks for most.
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  [[nodiscard]] bool silent_at_zero() const override { return true; }
  void save(Archive& archive) const override;
  [[nodiscard]] std::string to_json() const override;
};

}  // namespace tandem
