// Raw scores of one row after another, for whoever must answer each at once.
#pragma once

#include <memory>
#include <span>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem {

// Trees laid out for the CPU. TreeEnsemble::raw_scores() does that at each call, and takes memory
// for rows and scores; this does it once, and a call takes none. Several threads may call one
// TreeScorer at once. It keeps nothing of the ensemble that it was made of.
template <Real T>
class TANDEM_API TreeScorer {
 public:
  // Throws InputError for what TreeEnsemble::check() refuses, and for 2³¹ nodes.
  explicit TreeScorer(const TreeEnsemble<T>& trees);
  ~TreeScorer();
  TreeScorer(TreeScorer&&) noexcept;
  TreeScorer& operator=(TreeScorer&&) noexcept;

  [[nodiscard]] Index features() const noexcept;
  [[nodiscard]] Index outputs() const noexcept;

  // scores[k] = the raw score of `row` for output k, with the bits of raw_scores(). Requires:
  // row.size() == features(), scores.size() == outputs(). Allocates nothing.
  void score(std::span<const T> row, std::span<T> scores) const noexcept;

 private:
  struct Layout;
  std::unique_ptr<const Layout> layout_;
};

}  // namespace tandem
