// Items by their likeness to items of the history. Sarwar et al., "Item-based Collaborative
// Filtering Recommendation Algorithms", WWW 2001; Deshpande and Karypis, TOIS 22 (2004).
// docs/algorithms/item-knn.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/choices.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API ItemKnnOptions {
  std::int64_t neighbours = 50;
  KnnSimilarity similarity = KnnSimilarity::cosine;
  double shrinkage = 0;
  double bm25_k1 = 1.2;
  double bm25_b = 0.75;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// score(i) = Σ over the items j of the history of w_j · s(j, i), i among the neighbours of j.
class TANDEM_API ItemKnnModel final : public Recommender {
 public:
  // items × items: row j has the neighbours of item j, ascending by number, with their likeness.
  SparseMatrix<double> neighbours;
  KnnSimilarity similarity = KnnSimilarity::cosine;

  [[nodiscard]] std::string_view algorithm() const override { return "item-knn"; }
  void score(UserHistory history, std::span<double> scores) const override;
  using Recommender::top_items;
  [[nodiscard]] TopItems top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                   const ItemFilter& filter = {}) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  // Of items that nobody likes the history's for there is nothing to say.
  [[nodiscard]] bool silent_at_zero() const override { return true; }
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<ItemKnnModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;
};

[[nodiscard]] TANDEM_API std::unique_ptr<ItemKnnModel> fit(Engine& engine,
                                                           const RecommenderData& data,
                                                           const ItemKnnOptions& options,
                                                           RunControl* control = nullptr);

}  // namespace tandem
