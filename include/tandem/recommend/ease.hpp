// Embarrassingly shallow autoencoders. Steck, WWW 2019. docs/algorithms/ease.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/item_weights_recommender.hpp"

namespace tandem {

struct TANDEM_API EaseOptions {
  double regularization = 250;  // λ
  // Weights kept per item, the largest in magnitude; 0: all, items² numbers.
  std::int64_t keep = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// B = −P / diag(P), P = (XᵀX + λI)⁻¹, B's diagonal 0.
class TANDEM_API EaseModel final : public ItemWeightsRecommender {
 public:
  [[nodiscard]] std::string_view algorithm() const override { return "ease"; }
  [[nodiscard]] static std::unique_ptr<EaseModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_text() const override;
};

// Throws InputError that states the bytes where items² doubles do not fit into memory.
[[nodiscard]] TANDEM_API std::unique_ptr<EaseModel> fit(Engine& engine, const RecommenderData& data,
                                                        const EaseOptions& options,
                                                        RunControl* control = nullptr);

}  // namespace tandem
