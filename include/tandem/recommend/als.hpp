// Implicit alternating least squares. Hu, Koren and Volinsky, "Collaborative Filtering for Implicit
// Feedback Datasets", ICDM 2008; conjugate gradients as Takács, Pilászy and Tikk, "Applications of
// the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering", RecSys 2011.
// docs/algorithms/als.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/recommend/choices.hpp"
#include "tandem/recommend/factor_recommender.hpp"

namespace tandem {

struct TANDEM_API AlsOptions {
  std::int64_t factors = 64;
  std::int64_t iterations = 15;
  double regularization = 0.01;      // λ
  double alpha = 1;                  // confidence of weight w: 1 + alpha·w
  AlsSolver solver = AlsSolver::cg;  // of training; a user is folded in by Cholesky
  std::int64_t cg_steps = 3;
  bool compute_loss = false;  // history "loss", one more pass over the events per iteration
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  void check() const;
};

// Items that no event of the training data has are no answer, and nobody's history leads to one
// without events. score = x · y_i, x folded in from the history: x = (YᵀY + Yᵀ(C − I)Y + λI)⁻¹ YᵀC
// p. Its parts are exact: score = Σ_j c_j · y_iᵀ W y_j over the items j of the history (section 4
// of the paper).
class TANDEM_API AlsModel final : public FactorRecommender {
 public:
  double regularization = 0;
  double alpha = 1;

  [[nodiscard]] std::string_view algorithm() const override { return "als"; }
  [[nodiscard]] std::vector<float> fold_in(UserHistory history) const override;
  [[nodiscard]] Explanation because(UserHistory history, std::int32_t item,
                                    Index most = 3) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static std::unique_ptr<AlsModel> load(const Archive& archive, Index items);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

  // YᵀY, which every fold-in starts from. Called by fit and load.
  void prepare();

 private:
  [[nodiscard]] std::unique_ptr<Folder> folder(Engine& engine,
                                               const Buffer<float>& items) const override;

  Matrix<float> gram_;
};

[[nodiscard]] TANDEM_API std::unique_ptr<AlsModel> fit(Engine& engine, const RecommenderData& data,
                                                       const AlsOptions& options,
                                                       RunControl* control = nullptr);

}  // namespace tandem
