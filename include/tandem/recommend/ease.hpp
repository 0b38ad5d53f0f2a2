// Embarrassingly shallow autoencoders. Steck, WWW 2019. docs/algorithms/ease.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/recommender.hpp"

namespace tandem {

struct TANDEM_API EaseOptions {
  double regularization = 250;  // λ
  // Weights kept per item, the largest in magnitude; 0: all, items² numbers.
  std::int64_t keep = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// Items of the history speak for others, and against them. score = Σ_j w_j · B_ji, with B = −P /
// diag(P), P = (XᵀX + λI)⁻¹, B's diagonal 0.
class TANDEM_API EaseModel final : public Recommender {
 public:
  SparseMatrix<double> weights;  // items × items: row j has B_ji

  [[nodiscard]] std::string_view algorithm() const override { return "ease"; }
  void score(UserHistory history, std::span<double> scores) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  [[nodiscard]] std::vector<ScoredItem> similar_items(std::int32_t item, Index n,
                                                      const ItemFilter& filter = {}) const override;
  [[nodiscard]] bool silent_at_zero() const override { return true; }
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<EaseModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;
};

// Throws InputError that states the bytes where items² doubles do not fit into memory.
[[nodiscard]] TANDEM_API std::unique_ptr<EaseModel> fit(Engine& engine, const RecommenderData& data,
                                                        const EaseOptions& options,
                                                        RunControl* control = nullptr);

}  // namespace tandem
