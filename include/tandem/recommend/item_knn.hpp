// Items by their likeness to items of the history. Sarwar et al., "Item-based Collaborative
// Filtering Recommendation Algorithms", WWW 2001; Deshpande and Karypis, TOIS 22 (2004).
// docs/algorithms/item-knn.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/names.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// Likeness of two items by the users x, y that have them:
//   cosine   x·y / (‖x‖‖y‖ + shrinkage)
//   jaccard  |x ∧ y| / (|x ∨ y| + shrinkage), weights ignored
//   bm25     the cosine of weights that BM25 makes of the matrix (Robertson and Walker, SIGIR 1994)
enum class KnnSimilarity { cosine, jaccard, bm25 };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<KnnSimilarity>{"cosine", "jaccard",
                                                                           "bm25"};

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
  [[nodiscard]] std::vector<ScoredItem> top_items(UserHistory history, Index n,
                                                  const ItemFilter& filter = {}) const override;
  using Recommender::top_items;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
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
