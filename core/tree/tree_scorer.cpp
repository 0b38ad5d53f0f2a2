#include "tandem/tree/tree_scorer.hpp"

#include <algorithm>

#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

template <Real T>
struct TreeScorer<T>::Layout {
  explicit Layout(const TreeEnsemble<T>& ensemble)
      : engine(Engine::create({.device = Device::cpu, .threads = 1})),
        trees(tree::to_engine(*engine, ensemble)) {}

  std::unique_ptr<Engine> engine;
  tree::EnsembleOnEngine<T> trees;
};

template <Real T>
TreeScorer<T>::TreeScorer(const TreeEnsemble<T>& trees) {
  trees.check("the trees to score with");
  layout_ = std::make_unique<const Layout>(trees);
}
template <Real T>
TreeScorer<T>::~TreeScorer() = default;
template <Real T>
TreeScorer<T>::TreeScorer(TreeScorer&&) noexcept = default;
template <Real T>
TreeScorer<T>& TreeScorer<T>::operator=(TreeScorer&&) noexcept = default;

template <Real T>
Index TreeScorer<T>::features() const noexcept {
  return layout_->trees.features;
}
template <Real T>
Index TreeScorer<T>::outputs() const noexcept {
  return layout_->trees.outputs;
}

template <Real T>
void TreeScorer<T>::score(std::span<const T> row, std::span<T> scores) const noexcept {
  std::copy_n(layout_->trees.base.data(), scores.size(), scores.begin());
  tree::add_row(layout_->trees, row.data(), scores.data());
}

template class TreeScorer<float>;
template class TreeScorer<double>;

}  // namespace tandem
