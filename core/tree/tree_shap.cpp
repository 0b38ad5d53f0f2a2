#include "tandem/tree/tree_shap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/tree_shap_steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/tree/tree_explainer.hpp"

namespace tandem {
namespace {

using tree::ShapElement;
using tree::ShapNode;
using tree::ShapPath;
using tree::ShapStep;

std::size_t place(Index i) { return static_cast<std::size_t>(i); }

// Gauss and Legendre's rule of `count` nodes on [0, 1]: roots of the Legendre polynomial by
// Newton's method from Tricomi's estimate.
std::vector<ShapNode> gauss_legendre(Index count) {
  const auto n = static_cast<double>(count);
  std::vector<ShapNode> rule(place(count));
  for (Index i = 0; i < (count + 1) / 2; ++i) {
    double x = math::cos_pi((static_cast<double>(i) + 0.75) / (n + 0.5));
    double slope = 1;
    for (int step = 0; step < 8; ++step) {
      double last = 1;
      double value = x;
      for (Index k = 2; k <= count; ++k) {
        const auto d = static_cast<double>(k);
        last = std::exchange(value, ((2 * d - 1) * x * value - (d - 1) * last) / d);
      }
      slope = n * (x * value - last) / (x * x - 1);
      x -= value / slope;
    }
    if (2 * i + 1 == count) x = 0;
    const double weight = 1 / ((1 - x * x) * slope * slope);
    rule[place(i)] = {(1 - x) / 2, (1 + x) / 2, weight};
    rule[place(count - 1 - i)] = {(1 + x) / 2, (1 - x) / 2, weight};
  }
  return rule;
}

// The rules of 1, 2, ... nodes, one after the other, as far as they were asked for.
class Rules {
 public:
  // Where the rule for a product over `elements` elements begins.
  std::int32_t first_for(Index elements) {
    const Index count = (elements + 1) / 2;
    while (static_cast<Index>(first_.size()) <= count) {
      first_.push_back(static_cast<std::int32_t>(nodes_.size()));
      if (first_.size() == 1) continue;  // of 0 nodes
      const auto rule = gauss_legendre(static_cast<Index>(first_.size()) - 1);
      nodes_.insert(nodes_.end(), rule.begin(), rule.end());
    }
    return first_[place(count)];
  }
  [[nodiscard]] const std::vector<ShapNode>& nodes() const { return nodes_; }

 private:
  std::vector<std::int32_t> first_;
  std::vector<ShapNode> nodes_;
};

// The share of a node's cover that goes to each child. A node that nothing reached, in a tree that
// others did reach, sends the nothing both ways alike.
template <Real T>
std::pair<double, double> shares(const EnsembleTree<T>& tree, std::size_t node) {
  const double left = tree.cover[place(tree.left[node])];
  const double right = tree.cover[place(tree.right[node])];
  const double whole = tree.cover[node];
  if (!(left + right > 0)) return {0.5, 0.5};
  // A parent's cover that is not its children's sum (files of others round them) still gives the
  // shares that those programs take.
  const double divisor = whole > 0 ? whole : left + right;
  return {left / divisor, right / divisor};
}

// The paths of some trees, on the host.
struct HostPaths {
  std::vector<ShapPath> path;
  std::vector<ShapElement> elements;
  std::vector<ShapStep> steps;
  std::vector<double> values;
  std::vector<std::int32_t> tree_paths;
  Index longest = 0;
};

// Collects paths, and what is expected of a row of which nothing is known.
template <Real T>
class PathBuilder {
 public:
  PathBuilder(const TreeEnsemble<T>& ensemble, Rules& rules, std::vector<double>& expected)
      : ensemble_(ensemble), rules_(rules), expected_(expected) {}

  // `root` is the packed number of the tree's root.
  void add(Index number, std::int32_t root, HostPaths& to) {
    const auto& tree = ensemble_.trees[place(number)];
    if (tree.size() > 1 && !(tree.cover[0] > 0)) {
      throw InputError("tree " + std::to_string(number) +
                       " does not know its covers, the weights of the training rows in its nodes, "
                       "which Shapley values of trees are computed from; train it here, or write "
                       "it again with covers");
    }
    // Packed numbers: level by level, siblings side by side, as to_engine() has it.
    packed_.assign(place(tree.size()), 0);
    order_.assign(1, 0);
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const auto i = place(order_[k]);
      packed_[i] = root + static_cast<std::int32_t>(k);
      if (tree.feature[i] < 0) continue;
      order_.push_back(tree.left[i]);
      order_.push_back(tree.right[i]);
    }
    to.tree_paths.push_back(static_cast<std::int32_t>(to.path.size()));
    std::vector<Visit>& stack = stack_;
    stack.assign(1, {0, 0, 0, 0});
    while (!stack.empty()) {
      const Visit visit = stack.back();
      stack.pop_back();
      way_.resize(place(visit.depth));
      if (visit.depth > 0) way_.back() = {visit.feature, visit.share, visit.step};
      const auto i = place(visit.node);
      if (tree.feature[i] < 0) {
        add_leaf(tree, i, to);
        continue;
      }
      const auto [left, right] = shares(tree, i);
      const auto step = static_cast<ShapStep>(packed_[i]) << 1;
      stack.push_back({tree.right[i], visit.depth + 1, right, step | 1, tree.feature[i]});
      stack.push_back({tree.left[i], visit.depth + 1, left, step, tree.feature[i]});
    }
  }

 private:
  struct Visit {
    std::int32_t node;
    Index depth;
    double share;
    ShapStep step;
    std::int32_t feature = 0;
  };
  struct OnTheWay {
    std::int32_t feature = 0;
    double share = 0;
    ShapStep step = 0;
  };

  void add_leaf(const EnsembleTree<T>& tree, std::size_t node, HostPaths& to) {
    ShapPath path;
    path.first_element = static_cast<std::int32_t>(to.elements.size());
    path.first_value = static_cast<std::int32_t>(to.values.size());
    path.output = tree.output;
    // Elements ascend by feature, the steps of one from the root down.
    double all = 1;
    sorted_ = way_;
    std::ranges::stable_sort(sorted_, {}, &OnTheWay::feature);
    for (std::size_t s = 0; s < sorted_.size(); ++s) {
      if (s == 0 || sorted_[s].feature != sorted_[s - 1].feature) {
        to.elements.push_back({1, sorted_[s].feature, static_cast<std::int32_t>(to.steps.size())});
      }
      to.elements.back().share *= sorted_[s].share;
      to.steps.push_back(sorted_[s].step);
    }
    const Index elements = static_cast<Index>(to.elements.size()) - path.first_element;
    for (Index e = 0; e < elements; ++e) all *= to.elements[place(path.first_element + e)].share;
    path.first_node = rules_.first_for(elements);
    to.longest = std::max(to.longest, elements);
    const auto width = place(tree.width(ensemble_.outputs));
    for (std::size_t k = 0; k < width; ++k) {
      const auto value = static_cast<double>(tree.value[node * width + k]);
      to.values.push_back(value);
      expected_[tree.output == all_outputs ? k : place(tree.output)] += all * value;
    }
    to.path.push_back(path);
  }

  const TreeEnsemble<T>& ensemble_;
  Rules& rules_;
  std::vector<double>& expected_;
  std::vector<std::int32_t> packed_;
  std::vector<std::int32_t> order_;
  std::vector<Visit> stack_;
  std::vector<OnTheWay> way_;
  std::vector<OnTheWay> sorted_;
};

// Calls use(on_engine, paths) for pieces of the ensemble in ascending order of trees, and returns
// what is expected of a row of which nothing is known. A piece has about four million elements at
// most, or one tree: the paths of a large forest are many times the forest.
template <Real T, class Use>
std::vector<double> for_each_piece(Engine& engine, const TreeEnsemble<T>& trees,
                                   std::size_t most_elements, Use&& use) {
  std::vector<double> expected(trees.base.begin(), trees.base.end());
  const auto on_engine = tree::to_engine(engine, trees);
  Rules rules;
  PathBuilder<T> builder(trees, rules, expected);
  const auto count = static_cast<Index>(trees.trees.size());
  for (Index t = 0; t < count;) {
    HostPaths host;
    tree::ShapPaths<T> paths;
    paths.first_tree = t;
    while (t < count && host.elements.size() < most_elements) {
      builder.add(t, on_engine.on_host[place(t)].root, host);
      ++t;
    }
    constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
    if (host.steps.size() > most || host.values.size() > most) {
      throw InputError("tree " + std::to_string(t - 1) + " has " +
                       std::to_string(host.steps.size()) +
                       " splits on its paths; at most 2^31 can be explained");
    }
    paths.trees = t - paths.first_tree;
    paths.paths = static_cast<Index>(host.path.size());
    paths.longest = host.longest;
    host.tree_paths.push_back(static_cast<std::int32_t>(host.path.size()));
    host.path.push_back({.first_element = static_cast<std::int32_t>(host.elements.size())});
    host.elements.push_back({.first_step = static_cast<std::int32_t>(host.steps.size())});
    if (host.steps.empty()) continue;  // leaves only, which no feature changes
    paths.path = to_engine(engine, host.path);
    paths.elements = to_engine(engine, host.elements);
    paths.steps = to_engine(engine, host.steps);
    paths.values = to_engine(engine, host.values);
    paths.rules = to_engine(engine, rules.nodes());
    paths.tree_paths = std::move(host.tree_paths);
    // Whoever keeps the paths takes them.
    use(on_engine, paths);
  }
  return expected;
}

// Throws what tells the user how much memory the result takes.
void check_size(Index rows, Index per_row) {
  if (per_row > 0 && rows > std::numeric_limits<Index>::max() / 8 / per_row) {
    throw InputError(std::to_string(rows) + " rows with " + std::to_string(per_row) +
                     " values each cannot be addressed; explain fewer rows");
  }
}

constexpr std::size_t usual_elements = std::size_t{4} << 20;

}  // namespace

namespace tree {

template <Real T>
ShapValues shap_values_by_pieces(Engine& engine, const TreeEnsemble<T>& trees,
                                 MatrixView<const T> x, std::size_t most_elements) {
  trees.check_columns(x.cols);
  const Index width = trees.outputs * trees.features;
  check_size(x.rows, width);
  ShapValues result;
  result.features = trees.features;
  result.values = Matrix<double>(x.rows, width);
  Buffer<double> phi(engine, x.rows * width);
  phi.fill_zero();
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  const auto steps = make_steps<TreeShapSteps, T>(engine);
  result.expected =
      for_each_piece(engine, trees, most_elements, [&](const auto& on_engine, const auto& paths) {
        steps->add_values(on_engine, paths, rows, x.rows, phi);
      });
  phi.download(result.values.values());
  return result;
}

template ShapValues shap_values_by_pieces(Engine&, const TreeEnsemble<float>&,
                                          MatrixView<const float>, std::size_t);
template ShapValues shap_values_by_pieces(Engine&, const TreeEnsemble<double>&,
                                          MatrixView<const double>, std::size_t);

}  // namespace tree

template <Real T>
ShapValues shap_values(Engine& engine, const TreeEnsemble<T>& trees,
                       MatrixView<const std::type_identity_t<T>> x) {
  return tree::shap_values_by_pieces(engine, trees, x, usual_elements);
}

template <Real T>
ShapInteractions shap_interactions(Engine& engine, const TreeEnsemble<T>& trees,
                                   MatrixView<const std::type_identity_t<T>> x) {
  trees.check_columns(x.cols);
  const Index features = trees.features;
  check_size(features, features);
  check_size(features * features, trees.outputs);
  const Index width = trees.outputs * features * features;
  check_size(x.rows, width);
  ShapInteractions result;
  result.features = features;
  result.values = Matrix<double>(x.rows, width);
  Buffer<double> pairs(engine, x.rows * width);
  Buffer<double> alone(engine, x.rows * trees.outputs * features);
  pairs.fill_zero();
  alone.fill_zero();
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  const auto steps = make_steps<tree::TreeShapSteps, T>(engine);
  result.expected =
      for_each_piece(engine, trees, usual_elements, [&](const auto& on_engine, const auto& paths) {
        steps->add_interactions(on_engine, paths, rows, x.rows, pairs);
        steps->add_values(on_engine, paths, rows, x.rows, alone);
      });
  pairs.download(result.values.values());
  const std::vector<double> values = alone.to_host();
  // A feature's row sums to its Shapley value.
  for (Index i = 0; i < x.rows * trees.outputs; ++i) {
    double* matrix = result.values.data() + i * features * features;
    for (Index a = 0; a < features; ++a) {
      double own = values[place(i * features + a)];
      for (Index b = 0; b < features; ++b) {
        if (b != a) own -= matrix[a * features + b];
      }
      matrix[a * features + a] = own;
    }
  }
  return result;
}

template <Real T>
struct TreeExplainer<T>::Layout {
  explicit Layout(const TreeEnsemble<T>& ensemble)
      : engine(Engine::create({.device = Device::cpu, .threads = 1})),
        trees(tree::to_engine(*engine, ensemble)),
        row(*engine, ensemble.features),
        phi(*engine, ensemble.outputs * ensemble.features),
        steps(make_steps<tree::TreeShapSteps, T>(*engine)) {
    // The nodes are numbered alike each time.
    expected = for_each_piece(*engine, ensemble, usual_elements,
                              [&](const auto& /*on_engine*/, tree::ShapPaths<T>& paths) {
                                pieces.push_back(std::move(paths));
                              });
  }

  std::unique_ptr<Engine> engine;
  tree::EnsembleOnEngine<T> trees;
  std::vector<tree::ShapPaths<T>> pieces;
  std::vector<double> expected;
  std::mutex mutex;
  Buffer<T> row;
  Buffer<double> phi;
  std::unique_ptr<tree::TreeShapSteps<T>> steps;
};

template <Real T>
TreeExplainer<T>::TreeExplainer(const TreeEnsemble<T>& trees) {
  trees.check("the trees to explain");
  layout_ = std::make_unique<Layout>(trees);
}
template <Real T>
TreeExplainer<T>::~TreeExplainer() = default;
template <Real T>
TreeExplainer<T>::TreeExplainer(TreeExplainer&&) noexcept = default;
template <Real T>
TreeExplainer<T>& TreeExplainer<T>::operator=(TreeExplainer&&) noexcept = default;

template <Real T>
Index TreeExplainer<T>::features() const noexcept {
  return layout_->trees.features;
}
template <Real T>
Index TreeExplainer<T>::outputs() const noexcept {
  return layout_->trees.outputs;
}
template <Real T>
std::span<const double> TreeExplainer<T>::expected() const noexcept {
  return layout_->expected;
}

template <Real T>
void TreeExplainer<T>::explain(std::span<const T> row, std::span<double> values) const {
  Layout& layout = *layout_;
  const std::lock_guard<std::mutex> lock(layout.mutex);
  layout.row.upload(row);
  layout.phi.fill_zero();
  for (const tree::ShapPaths<T>& paths : layout.pieces) {
    layout.steps->add_values(layout.trees, paths, layout.row, 1, layout.phi);
  }
  layout.phi.download(values);
}

template class TreeExplainer<float>;
template class TreeExplainer<double>;

template ShapValues shap_values(Engine&, const TreeEnsemble<float>&, MatrixView<const float>);
template ShapValues shap_values(Engine&, const TreeEnsemble<double>&, MatrixView<const double>);
template ShapInteractions shap_interactions(Engine&, const TreeEnsemble<float>&,
                                            MatrixView<const float>);
template ShapInteractions shap_interactions(Engine&, const TreeEnsemble<double>&,
                                            MatrixView<const double>);

}  // namespace tandem
