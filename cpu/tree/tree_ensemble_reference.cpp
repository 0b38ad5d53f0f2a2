// Rows go down one tree after the other, and scores are added in double precision.
#include <vector>

#include "core/tree/tree_ensemble_steps.hpp"

namespace tandem::tree {
namespace {

template <Real T>
class ReferenceTreeEnsemble final : public TreeEnsembleSteps<T> {
 public:
  void set_base(const EnsembleOnEngine<T>& trees, Index rows, Buffer<T>& scores) override {
    for (Index i = 0; i < rows * trees.outputs; ++i) {
      scores.data()[i] = trees.base.data()[i % trees.outputs];
    }
  }

  void add_trees(const EnsembleOnEngine<T>& trees, Index first, Index count, const Buffer<T>& x,
                 Index rows, Buffer<T>& scores) override {
    std::vector<double> sums(static_cast<std::size_t>(trees.outputs));
    for (Index i = 0; i < rows; ++i) {
      T* row_scores = scores.data() + i * trees.outputs;
      sums.assign(row_scores, row_scores + trees.outputs);
      for (Index t = first; t < first + count; ++t) {
        const PackedTree& head = trees.heads.data()[t];
        const T* values = trees.values.data() + node_of(trees, t, x, i).payload;
        if (head.output == all_outputs) {
          for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += static_cast<double>(values[k]);
        } else {
          sums[static_cast<std::size_t>(head.output)] += static_cast<double>(values[0]);
        }
      }
      for (std::size_t k = 0; k < sums.size(); ++k) row_scores[k] = static_cast<T>(sums[k]);
    }
  }

  void find_leaves(const EnsembleOnEngine<T>& trees, const Buffer<T>& x, Index rows,
                   Buffer<std::int32_t>& leaf) override {
    for (Index i = 0; i < rows; ++i) {
      for (Index t = 0; t < trees.trees; ++t) {
        const PackedNode<T>& node = node_of(trees, t, x, i);
        leaf.data()[i * trees.trees + t] = trees.numbers.data()[node.left];
      }
    }
  }

 private:
  // The leaf of a row in a tree.
  static const PackedNode<T>& node_of(const EnsembleOnEngine<T>& trees, Index tree,
                                      const Buffer<T>& x, Index row) {
    std::int32_t node = trees.heads.data()[tree].root;
    for (;;) {
      const PackedNode<T>& here = trees.nodes.data()[node];
      if (here.left == node) return here;
      const auto feature = static_cast<Index>(here.asks & packed_feature);
      node = child_of(here, x.data()[row * trees.features + feature], trees.sets.data());
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<TreeEnsembleSteps<T>> TreeEnsembleSteps<T>::make_reference(Engine&) {
  return std::make_unique<ReferenceTreeEnsemble<T>>();
}
template std::unique_ptr<TreeEnsembleSteps<float>> TreeEnsembleSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<TreeEnsembleSteps<double>> TreeEnsembleSteps<double>::make_reference(
    Engine&);

}  // namespace tandem::tree
