// Items by what they are: TF-IDF over the words of texts and over categories. Salton and Buckley,
// Information Processing & Management 24 (1988). docs/algorithms/content.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API ContentOptions {
  // Attributes to go by, separated by commas; empty: all.
  std::string attributes = "";
  // Terms that fewer items have are left out.
  std::int64_t min_items = 2;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// score(i) = Σ_j w_j · cos(t_j, t_i) over the history. Items that no event has but that the
// attributes know are recommended too: the model's items are those of both.
class TANDEM_API ContentModel final : public Recommender {
 public:
  std::vector<std::string> terms;   // "genre=drama", "title:night"
  SparseMatrix<double> item_terms;  // items × terms, rows of length 1 or empty

  [[nodiscard]] std::string_view algorithm() const override { return "content"; }
  void score(UserHistory history, std::span<double> scores) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  // Terms that two items share, by what they carry of the likeness, the largest first.
  [[nodiscard]] std::vector<std::string> shared_terms(std::int32_t a, std::int32_t b,
                                                      Index most = 3) const;
  [[nodiscard]] bool silent_at_zero() const override { return true; }
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<ContentModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

  // Items by term. Called by fit and load.
  void prepare();

 private:
  SparseMatrix<double> by_term_;
};

// Throws InputError where there are no attributes.
[[nodiscard]] TANDEM_API std::unique_ptr<ContentModel> fit(Engine& engine,
                                                           const RecommenderData& data,
                                                           const ContentOptions& options,
                                                           RunControl* control = nullptr);

}  // namespace tandem
