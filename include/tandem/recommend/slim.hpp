// Sparse linear methods. Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender
// Systems", ICDM 2011. docs/algorithms/slim.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/recommend/item_weights_recommender.hpp"

namespace tandem {

struct TANDEM_API SlimOptions {
  double l1_regularization = 1;   // λ
  double l2_regularization = 10;  // β
  std::int64_t iterations = 100;
  double tolerance = 1e-4;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// Weights are 0 or above and, by the L1 norm, most of them are 0:
// min ½|X − XB|² + β/2·|B|² + λ·Σ B, B >= 0, B's diagonal 0, over each item by itself.
class TANDEM_API SlimModel final : public ItemWeightsRecommender {
 public:
  [[nodiscard]] std::string_view algorithm() const override { return "slim"; }
  [[nodiscard]] static std::unique_ptr<SlimModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_text() const override;
};

// Throws InputError that states the bytes where items² doubles do not fit into memory.
[[nodiscard]] TANDEM_API std::unique_ptr<SlimModel> fit(Engine& engine, const RecommenderData& data,
                                                        const SlimOptions& options,
                                                        RunControl* control = nullptr);

}  // namespace tandem
