// Items that users like this one have. Herlocker et al., SIGIR 1999. docs/algorithms/user-knn.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/item_knn.hpp"  // KnnSimilarity
#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API UserKnnOptions {
  std::int64_t neighbours = 50;
  KnnSimilarity similarity = KnnSimilarity::cosine;
  double shrinkage = 0;
  double bm25_k1 = 1.2;
  double bm25_b = 0.75;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// score(i) = Σ over the nearest training users v that have item i of s(u, v) · w_vi. Keeps the
// training users' histories, without their names.
class TANDEM_API UserKnnModel final : public Recommender {
 public:
  SparseMatrix<double> histories;  // users × items, weighted as the similarity asks
  UserKnnOptions options;
  std::vector<double> item_weights;  // bm25: the idf of each item; else empty
  double mean_length = 0;            // bm25: of the histories' sums of weights

  [[nodiscard]] std::string_view algorithm() const override { return "user-knn"; }
  void score(UserHistory history, std::span<double> scores) const override;
  using Recommender::top_items;
  [[nodiscard]] TopItems top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                   const ItemFilter& filter = {}) const override;
  // An item of the history has the share of each neighbour's part that it has of that neighbour's
  // product with the history.
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  [[nodiscard]] bool silent_at_zero() const override { return true; }
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<UserKnnModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

  // Users by item, which every score starts from. Called by fit and load.
  void prepare();

 private:
  struct Neighbour {
    std::int32_t user;
    double likeness;
    double product;  // of the user's weights with the history's
  };
  // The history with the weights that the similarity asks for, ascending, without zeros.
  [[nodiscard]] std::vector<HistoryItem> weighted(UserHistory history) const;
  // The nearest, ascending by number.
  [[nodiscard]] std::vector<Neighbour> nearest(const std::vector<HistoryItem>& history) const;

  SparseMatrix<double> by_item_;
  std::vector<double> norms_;       // of users: Σ of squares
  std::vector<double> item_norms_;  // of items
};

[[nodiscard]] TANDEM_API std::unique_ptr<UserKnnModel> fit(Engine& engine,
                                                           const RecommenderData& data,
                                                           const UserKnnOptions& options,
                                                           RunControl* control = nullptr);

}  // namespace tandem
