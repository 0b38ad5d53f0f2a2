// Steps of the decision tree on a GPU: exact, sort-based, level by level.
//
// Every feature is sorted once; from then on a node is a range of each feature's order, and a level
// is searched and partitioned by a handful of launches, whatever the number of its nodes.
#include <bit>
#include <vector>

#include "core/steps.hpp"
#include "core/tree/grow_by_levels.hpp"
#include "cuda/tree/decision_tree_state.hpp"

namespace tandem::cuda {

PayloadBits payload_bits(Index rows, std::int32_t classes) {
  if (classes == 0) return {};
  const auto class_bits =
      static_cast<int>(std::bit_width(static_cast<std::uint32_t>(std::max(classes, 2) - 1)));
  const int row_bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(rows)));
  if (class_bits + row_bits > 32) return {};
  return {class_bits, (1U << class_bits) - 1};
}

TreeOrders::TreeOrders(CudaEngine& engine, Index rows, Index cols)
    : engine_(engine),
      rows_(rows),
      cols_(cols),
      stride_(blocks_for(rows, 32) * 32),
      numbers_(engine, 2 * stride_ * cols, Placement::rows),
      // Where the orders stay on the host, the device holds at most a quarter of them at a time.
      pieces_(engine, std::min<std::size_t>(numbers_.bytes() / 4, std::size_t{64} << 20)) {}

namespace {

using tree::GrownSubtree;
using tree::NodeSplit;
using tree::OpenNode;
using tree::SplitRules;
using tree::SplitToApply;
using tree::TreeData;
using tree::TreeOnEngine;

// What each row of a regression adds to the statistics. A thread per row; reads its target, and its
// weight where there are weights, writes 16 bytes, all coalesced. CPU twin:
// CpuSteps::encode_target.
template <Real T>
__global__ void encode_target_kernel(tree::TargetCode code, const T* __restrict__ target,
                                     const double* __restrict__ weights, Index rows,
                                     std::int64_t* __restrict__ sums,
                                     std::int64_t* __restrict__ squares) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  const double w = weights != nullptr ? weights[i] : 1.0;
  const double y = static_cast<double>(target[i]);
  sums[i] = code.sum(w, y);
  squares[i] = code.square(w, y);
}

// leaf[i] = the leaf of row i of x.
//
// Grid: a thread per row. Reads per level 17 bytes of the tree plus a threshold, which the cache
// holds, and one value at random; writes 8 bytes, coalesced. Lanes whose rows end early wait for
// the deepest of the warp. CPU twin: CpuSteps::find_leaves.
template <Real T>
__global__ void find_leaves_kernel(const std::int32_t* __restrict__ feature,
                                   const T* __restrict__ threshold,
                                   const std::int64_t* __restrict__ right,
                                   const std::uint8_t* __restrict__ missing_left,
                                   const T* __restrict__ x, Index rows, Index cols,
                                   std::int64_t* __restrict__ leaf) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  const T* row = x + i * cols;
  std::int64_t node = 0;
  for (std::int64_t other = right[0]; other != 0; other = right[node]) {
    const T value = row[feature[node]];
    const bool goes_left = value <= threshold[node] || (value != value && missing_left[node] != 0);
    node = goes_left ? node + 1 : other;
  }
  leaf[i] = node;
}

template <Real T>
class CudaDecisionTree final : public tree::DecisionTreeSteps<T> {
 public:
  explicit CudaDecisionTree(Engine& engine) : engine_(cuda_engine(engine)), x_pieces_(engine_) {}

  void encode_target(const tree::TargetCode& code, const Buffer<T>& target,
                     const Buffer<double>& weights, Buffer<std::int64_t>& sums,
                     Buffer<std::int64_t>& squares) override {
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(encode_target_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(target.size(), threads))),
                    .block = dim3(threads)},
                   code, target.data(), weights.data(), target.size(), sums.data(), squares.data());
  }

  void prepare(const TreeData<T>& data, const SplitRules& rules) override {
    const auto pointer = [](const auto* buffer) {
      return buffer != nullptr && !buffer->empty() ? buffer->data() : nullptr;
    };
    rules_ = rules;
    x_ = data.x->data();
    target_ = pointer(data.target);
    const PayloadBits bits = payload_bits(data.rows, rules.classes);
    rows_ = {pointer(data.labels),
             pointer(data.weights),
             pointer(data.sums),
             pointer(data.squares),
             nullptr,
             bits.class_bits,
             bits.class_mask};
    // A table of φ pays where rows meet its entries often.
    const Index longest_table = std::max(8 * data.rows, Index{1} << 16);
    entropy_terms_ = {};
    if (rules.criterion == TreeCriterion::entropy && rules.most_weight <= longest_table) {
      entropy_terms_ = Buffer<std::int64_t>(engine_, rules.most_weight + 1);
      fill_entropy_terms(engine_, rules, entropy_terms_.size(), entropy_terms_.data());
      rows_.entropy_terms = entropy_terms_.data();
    }
    goes_left_ = Buffer<std::uint8_t>(engine_, data.rows);
    orders_ = std::make_unique<TreeOrders>(engine_, data.rows, data.cols);
    sort_features(engine_, x_, rows_, data.more_trees, *orders_);
  }

  void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                   std::span<std::int64_t> left_statistics) override {
    find_tree_splits(engine_, rules_, rows_, x_, target_, *orders_, nodes, splits, left_statistics);
  }

  void apply_splits(std::span<const SplitToApply> splits) override {
    apply_tree_splits(engine_, rows_, *orders_, splits, goes_left_);
  }

  // A level costs the same few launches however many nodes it has.
  [[nodiscard]] Index subtree_rows() const override { return 0; }

  // Asked for by forests, and where a run that began on another engine goes on here.
  void grow_subtrees(std::span<const OpenNode> nodes,
                     std::span<GrownSubtree<T>> subtrees) override {
    tree::grow_by_levels(*this, rules_, nodes, subtrees);
  }

  void find_leaves(const TreeOnEngine<T>& nodes, const Buffer<T>& x, Index rows, Index cols,
                   Buffer<std::int64_t>& leaf) override {
    const unsigned threads = engine_.block_threads(256);
    x_pieces_.for_each_piece(x.data(), rows, cols, [&](Index first, Index count, const T* piece) {
      engine_.launch(
          find_leaves_kernel<T>,
          {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))), .block = dim3(threads)},
          nodes.feature.data(), nodes.threshold.data(), nodes.right.data(),
          nodes.missing_left.data(), piece, count, cols, leaf.data() + first);
    });
  }

 private:
  CudaEngine& engine_;
  SplitRules rules_;
  TreeRows rows_;
  const T* x_ = nullptr;
  const T* target_ = nullptr;
  std::unique_ptr<TreeOrders> orders_;
  Buffer<std::uint8_t> goes_left_;
  Buffer<std::int64_t> entropy_terms_;
  PieceStream x_pieces_;
};

}  // namespace

template <Real T>
std::unique_ptr<tree::DecisionTreeSteps<T>> make_decision_tree(CudaEngine& engine) {
  return std::make_unique<CudaDecisionTree<T>>(engine);
}
template std::unique_ptr<tree::DecisionTreeSteps<float>> make_decision_tree(CudaEngine&);
template std::unique_ptr<tree::DecisionTreeSteps<double>> make_decision_tree(CudaEngine&);

}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_decision_tree_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::DecisionTreeSteps<float>*>(
      new tandem::cuda::CudaDecisionTree<float>(engine));
}
void* tandem_cuda_decision_tree_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::DecisionTreeSteps<double>*>(
      new tandem::cuda::CudaDecisionTree<double>(engine));
}
}
