// The textbook forest: each tree gets the rows that it has drawn, and the textbook tree grows on
// them, or on the numbers of their bins.
#include <vector>

#include "core/steps.hpp"
#include "core/tree/random_forest_steps.hpp"

namespace tandem::tree {
namespace {

template <Real T>
class ReferenceForest final : public RandomForestSteps<T> {
 public:
  explicit ReferenceForest(Engine& engine) : engine_(engine) {}

  void prepare(const TreeData<T>& data, const SplitRules& rules, const RowDraws& draws,
               const BinnedFeatures* bins) override {
    data_ = data;
    rules_ = rules;
    draws_ = draws;
    bins_ = bins != nullptr ? *bins : BinnedFeatures{};
  }

  [[nodiscard]] Index trees_at_once() const override { return 1; }

  void draw(Index first, Index trees, Buffer<std::uint32_t>& counts) override {
    for (Index t = 0; t < trees; ++t) {
      std::uint32_t* of_tree = counts.data() + t * draws_.rows;
      for (Index i = 0; i < draws_.rows; ++i) of_tree[i] = draws_.drawn() ? 0 : 1;
      if (!draws_.drawn()) continue;
      const RowsOfTree rows(draws_, static_cast<std::uint64_t>(first + t));
      for (Index i = 0; i < draws_.draws; ++i) ++of_tree[rows(i)];
    }
  }

  void grow(Index first, const Buffer<std::uint32_t>& counts,
            std::span<GrownSubtree<T>> trees) override {
    for (std::size_t t = 0; t < trees.size(); ++t) {
      grow_tree(root_key_of(static_cast<std::uint64_t>(first) + t),
                counts.data() + static_cast<Index>(t) * draws_.rows, trees[t]);
    }
  }

  void add_out_of_bag(const EnsembleOnEngine<T>& trees, const Buffer<std::uint32_t>& counts,
                      const Buffer<T>& x, Index rows, Buffer<T>& sums,
                      Buffer<std::uint32_t>& votes) override {
    for (Index i = 0; i < rows; ++i) {
      for (Index t = 0; t < trees.trees; ++t) {
        if (counts.data()[t * rows + i] != 0) continue;
        std::int32_t node = trees.heads.data()[t].root;
        for (;;) {
          const PackedNode<T>& here = trees.nodes.data()[node];
          if (here.left == node) break;
          const auto feature = static_cast<Index>(here.asks & packed_feature);
          node = child_of(here, x.data()[i * trees.features + feature], trees.sets.data());
        }
        const T* leaf = trees.values.data() + trees.nodes.data()[node].payload;
        for (Index k = 0; k < trees.outputs; ++k) sums.data()[i * trees.outputs + k] += leaf[k];
        ++votes.data()[i];
      }
    }
  }

 private:
  [[nodiscard]] T value(Index row, Index feature) const {
    if (bins_.by_row == nullptr) return data_.x->data()[row * data_.cols + feature];
    return number_of_bin<T>(bins_.by_row->data()[row * bins_.stride + feature],
                            bins_.known_bins->data()[feature]);
  }

  void grow_tree(std::uint64_t key, const std::uint32_t* counts, GrownSubtree<T>& tree) {
    std::vector<T> x;
    std::vector<std::int32_t> labels;
    std::vector<T> target;
    std::vector<std::int64_t> weights;
    std::vector<std::int64_t> sums;
    std::vector<std::int64_t> squares;
    std::vector<std::int64_t> statistics(static_cast<std::size_t>(rules_.width()), 0);
    std::vector<std::int64_t> factors;
    if (draws_.balance_bits > 0) {
      std::vector<std::int64_t> drawn(static_cast<std::size_t>(rules_.classes), 0);
      for (Index i = 0; i < data_.rows; ++i) {
        drawn[static_cast<std::size_t>(data_.labels->data()[i])] += counts[i];
      }
      factors = balancing_factors(draws_, drawn);
    }
    for (Index i = 0; i < data_.rows; ++i) {
      const std::int64_t count = counts[i];
      if (count == 0) continue;
      for (Index j = 0; j < data_.cols; ++j) x.push_back(value(i, j));
      weights.push_back(count * (data_.weights->empty() ? 1 : data_.weights->data()[i]));
      if (rules_.classes > 0) {
        if (!factors.empty()) {
          weights.back() *= factors[static_cast<std::size_t>(data_.labels->data()[i])];
        }
        labels.push_back(data_.labels->data()[i]);
        statistics[static_cast<std::size_t>(labels.back())] += weights.back();
      } else {
        target.push_back(data_.target->data()[i]);
        sums.push_back(count * data_.sums->data()[i]);
        squares.push_back(count * data_.squares->data()[i]);
        statistics[0] += weights.back();
        statistics[1] += sums.back();
        statistics[2] += squares.back();
      }
    }
    const auto rows = static_cast<Index>(weights.size());
    const OpenNode root{0, rows, 0, key, statistics.data()};
    if (!may_split(rules_, rows, 0, statistics.data())) {
      GrownNode<T> leaf;
      leaf.rows = rows;
      tree.nodes.assign(1, leaf);
      tree.statistics = statistics;
      return;
    }
    const auto x_there = to_engine(engine_, x);
    const auto labels_there = to_engine(engine_, labels);
    const auto target_there = to_engine(engine_, target);
    const auto weights_there = to_engine(engine_, weights);
    const auto sums_there = to_engine(engine_, sums);
    const auto squares_there = to_engine(engine_, squares);
    const auto steps = DecisionTreeSteps<T>::make_reference(engine_);
    steps->prepare({rows, data_.cols, &x_there, &labels_there, &target_there, &weights_there,
                    &sums_there, &squares_there},
                   rules_);
    steps->grow_subtrees({&root, 1}, {&tree, 1});
  }

  Engine& engine_;
  TreeData<T> data_;
  SplitRules rules_;
  RowDraws draws_;
  BinnedFeatures bins_;
};

}  // namespace

template <Real T>
std::unique_ptr<RandomForestSteps<T>> RandomForestSteps<T>::make_reference(Engine& engine) {
  return std::make_unique<ReferenceForest<T>>(engine);
}

template std::unique_ptr<RandomForestSteps<float>> RandomForestSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<RandomForestSteps<double>> RandomForestSteps<double>::make_reference(
    Engine&);

}  // namespace tandem::tree
