// Shapley values of one row after another, for whoever must say why at once.
#pragma once

#include <memory>
#include <span>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem {

// The paths of the trees, laid out for the CPU. shap_values() does that at each call, which takes
// longer than a row; this does it once. Several threads may call one TreeExplainer: one after the
// other is served. It keeps nothing of the ensemble that it was made of.
template <Real T>
class TANDEM_API TreeExplainer {
 public:
  // Throws InputError for what TreeEnsemble::check() and shap_values() refuse.
  explicit TreeExplainer(const TreeEnsemble<T>& trees);
  ~TreeExplainer();
  TreeExplainer(TreeExplainer&&) noexcept;
  TreeExplainer& operator=(TreeExplainer&&) noexcept;

  [[nodiscard]] Index features() const noexcept;
  [[nodiscard]] Index outputs() const noexcept;
  // Per output, the score of a row of which nothing is known.
  [[nodiscard]] std::span<const double> expected() const noexcept;

  // values[k · features() + f] = what feature f adds to the score of `row` for output k, with the
  // bits of shap_values(). Requires: row.size() == features(), values.size() == outputs() ·
  // features().
  void explain(std::span<const T> row, std::span<double> values) const;

 private:
  struct Layout;
  std::unique_ptr<Layout> layout_;
};

}  // namespace tandem
