// Blocks of rows go down all trees: a block stays in the first-level cache while the trees, a few
// hundred kilobytes, pass by in the second. The lanes of a vector are rows, which go down one tree
// in step; where there are few rows they are trees, which one row goes down in step.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/tree_ensemble.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_TREE_TREE_ENSEMBLE_CPP
#define TANDEM_CPU_TREE_TREE_ENSEMBLE_CPP
namespace tandem::cpu {

// Rows of a block: fewer where lanes of 32 bits could not address that many of so many features.
inline constexpr Index ensemble_rows = 64;
inline Index ensemble_rows_for(Index features) {
  return std::clamp<Index>((Index{1} << 30) / features, 1, ensemble_rows);
}

// A block of rows, or of the few rows of a call, and trees.
template <class T>
struct EnsembleBlock {
  const tree::PackedTree* heads;
  const tree::PackedNode<T>* nodes;
  const T* values;
  const std::uint32_t* sets;
  Index first;  // tree
  Index count;
  Index outputs;
  const T* x;  // rows × features
  Index rows;
  Index features;
  T* scores;            // rows × outputs, or null
  std::int32_t* found;  // rows × count node numbers in `nodes`, or null
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// The children that lanes go to. `node` has node numbers, `row` where each lane's row begins in x;
// sets `arrived` where all lanes are at leaves.
template <class D, class DI = hn::RebindToSigned<D>, class VI = hn::Vec<DI>>
HWY_INLINE VI Descend(D d, const hn::TFromD<D>* nodes, const hn::TFromD<D>* x, VI node, VI row,
                      bool& arrived) {
  using T = hn::TFromD<D>;
  using TI = hn::TFromD<DI>;
  using Node = tree::PackedNode<T>;
  const DI di;
  constexpr int words = static_cast<int>(sizeof(Node) / sizeof(T));
  const auto* as_integers = reinterpret_cast<const TI*>(nodes);
  const VI at = words == 4 ? hn::ShiftLeft<2>(node) : hn::Add(hn::Add(node, node), node);
  const hn::Vec<D> threshold = hn::GatherIndex(d, nodes, at);
  VI left;
  VI asks;
  if constexpr (sizeof(T) == 4) {
    left = hn::GatherIndex(di, as_integers + 1, at);
    asks = hn::GatherIndex(di, as_integers + 2, at);
  } else {
    const VI both = hn::GatherIndex(di, as_integers + 1, at);
    left = hn::And(both, hn::Set(di, TI{0xFFFFFFFF}));
    asks = hn::ShiftRight<32>(both);  // the sign is missing_left's
  }
  const VI feature = hn::And(asks, hn::Set(di, static_cast<TI>(tree::packed_feature)));
  const hn::Vec<D> value = hn::GatherIndex(d, x, hn::Add(row, feature));
  const auto missing_left = hn::MaskFromVec(hn::BitCast(d, hn::BroadcastSignBit(asks)));
  const auto goes_left = hn::Or(hn::Le(value, threshold), hn::And(hn::IsNaN(value), missing_left));
  arrived = hn::AllTrue(di, hn::Eq(left, node));
  // All ones, which is −1, where the row goes right.
  return hn::Sub(left, hn::VecFromMask(di, hn::RebindMask(di, hn::Not(goes_left))));
}

// Rows in lanes.
template <class T>
void PredictRows(const EnsembleBlock<T>& block) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using TI = hn::TFromD<decltype(di)>;
  using VI = hn::Vec<decltype(di)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  HWY_ALIGN TI row_at[ensemble_rows];
  HWY_ALIGN TI arrived_at[ensemble_rows];
  const Index padded = (block.rows + lanes - 1) / lanes * lanes;
  for (Index i = 0; i < padded; ++i) {
    row_at[i] = static_cast<TI>(std::min(i, block.rows - 1) * block.features);
  }
  const auto* nodes = reinterpret_cast<const T*>(block.nodes);
  for (Index t = 0; t < block.count; ++t) {
    const tree::PackedTree& head = block.heads[block.first + t];
    if (head.plain != 0) {
      for (Index i = 0; i < padded; i += 2 * lanes) {
        const bool two = i + lanes < padded;
        const VI row0 = hn::Load(di, row_at + i);
        const VI row1 = hn::Load(di, row_at + (two ? i + lanes : i));
        VI node0 = hn::Set(di, static_cast<TI>(head.root));
        VI node1 = node0;
        for (std::int32_t level = 0; level < head.depth; ++level) {
          bool arrived0 = false;
          bool arrived1 = false;
          node0 = Descend(d, nodes, block.x, node0, row0, arrived0);
          node1 = Descend(d, nodes, block.x, node1, row1, arrived1);
          if (arrived0 && arrived1) break;
        }
        hn::Store(node0, di, arrived_at + i);
        if (two) hn::Store(node1, di, arrived_at + i + lanes);
      }
    } else {
      for (Index i = 0; i < block.rows; ++i) {
        std::int32_t node = head.root;
        const T* row = block.x + i * block.features;
        while (block.nodes[node].left != node) {
          const auto feature = static_cast<Index>(block.nodes[node].asks & tree::packed_feature);
          node = tree::child_of(block.nodes[node], row[feature], block.sets);
        }
        arrived_at[i] = node;
      }
    }
    if (block.found != nullptr) {
      for (Index i = 0; i < block.rows; ++i) {
        block.found[i * block.count + t] = static_cast<std::int32_t>(arrived_at[i]);
      }
      continue;
    }
    if (head.output == all_outputs) {
      for (Index i = 0; i < block.rows; ++i) {
        const T* values = block.values + block.nodes[arrived_at[i]].payload;
        for (Index k = 0; k < block.outputs; ++k) block.scores[i * block.outputs + k] += values[k];
      }
    } else {
      T* scores = block.scores + head.output;
      for (Index i = 0; i < block.rows; ++i) {
        scores[i * block.outputs] += block.values[block.nodes[arrived_at[i]].payload];
      }
    }
  }
}

// Trees in lanes, row by row.
template <class T>
void PredictTrees(const EnsembleBlock<T>& block) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using TI = hn::TFromD<decltype(di)>;
  using VI = hn::Vec<decltype(di)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  HWY_ALIGN TI roots[hn::MaxLanes(d)];
  HWY_ALIGN TI arrived_at[hn::MaxLanes(d)];
  const auto* nodes = reinterpret_cast<const T*>(block.nodes);
  for (Index i = 0; i < block.rows; ++i) {
    const T* row = block.x + i * block.features;
    T* scores = block.scores + i * block.outputs;
    for (Index t = 0; t < block.count; t += lanes) {
      const Index here = std::min(lanes, block.count - t);
      const tree::PackedTree* heads = block.heads + block.first + t;
      std::int32_t depth = 0;
      for (Index l = 0; l < lanes; ++l) {
        const tree::PackedTree& head = heads[std::min(l, here - 1)];
        roots[l] = head.root;
        depth = std::max(depth, head.depth);
      }
      VI node = hn::Load(di, roots);
      bool arrived = false;
      for (std::int32_t level = 0; level < depth && !arrived; ++level) {
        node = Descend(d, nodes, row, node, hn::Zero(di), arrived);
      }
      hn::Store(node, di, arrived_at);
      for (Index l = 0; l < here; ++l) {
        const T* values = block.values + block.nodes[arrived_at[l]].payload;
        if (heads[l].output == all_outputs) {
          for (Index k = 0; k < block.outputs; ++k) scores[k] += values[k];
        } else {
          scores[heads[l].output] += values[0];
        }
      }
    }
  }
}

void PredictRowsFloat(const EnsembleBlock<float>& block) { PredictRows(block); }
void PredictRowsDouble(const EnsembleBlock<double>& block) { PredictRows(block); }
void PredictTreesFloat(const EnsembleBlock<float>& block) { PredictTrees(block); }
void PredictTreesDouble(const EnsembleBlock<double>& block) { PredictTrees(block); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
HWY_EXPORT(PredictRowsFloat);
HWY_EXPORT(PredictRowsDouble);
HWY_EXPORT(PredictTreesFloat);
HWY_EXPORT(PredictTreesDouble);

namespace {
void predict_rows(const EnsembleBlock<float>& block) {
  HWY_DYNAMIC_DISPATCH(PredictRowsFloat)(block);
}
void predict_rows(const EnsembleBlock<double>& block) {
  HWY_DYNAMIC_DISPATCH(PredictRowsDouble)(block);
}
void predict_trees(const EnsembleBlock<float>& block) {
  HWY_DYNAMIC_DISPATCH(PredictTreesFloat)(block);
}
void predict_trees(const EnsembleBlock<double>& block) {
  HWY_DYNAMIC_DISPATCH(PredictTreesDouble)(block);
}
}  // namespace
}  // namespace cpu

namespace tree {
namespace {

template <Real T>
class CpuTreeEnsemble final : public TreeEnsembleSteps<T> {
 public:
  explicit CpuTreeEnsemble(Engine& engine) : engine_(engine) {}

  void set_base(const EnsembleOnEngine<T>& trees, Index rows, Buffer<T>& scores) override {
    const T* base = trees.base.data();
    for (Index i = 0; i < rows; ++i) {
      std::copy_n(base, trees.outputs, scores.data() + i * trees.outputs);
    }
  }

  void add_trees(const EnsembleOnEngine<T>& trees, Index first, Index count, const Buffer<T>& x,
                 Index rows, Buffer<T>& scores) override {
    // Below this many rows, which would leave most lanes empty, lanes are trees.
    constexpr Index few_rows = 4;
    for_each_block(trees, first, count, x, rows, [&](Index row, cpu::EnsembleBlock<T> block) {
      block.scores = scores.data() + row * trees.outputs;
      if (rows <= few_rows && trees.plain)
        cpu::predict_trees(block);
      else
        cpu::predict_rows(block);
    });
  }

  void find_leaves(const EnsembleOnEngine<T>& trees, const Buffer<T>& x, Index rows,
                   Buffer<std::int32_t>& leaf) override {
    for_each_block(trees, 0, trees.trees, x, rows, [&](Index row, cpu::EnsembleBlock<T> block) {
      block.found = leaf.data() + row * trees.trees;
      cpu::predict_rows(block);
      for (Index e = 0; e < block.rows * trees.trees; ++e) {
        block.found[e] = trees.numbers.data()[block.found[e]];
      }
    });
  }

 private:
  template <class F>
  void for_each_block(const EnsembleOnEngine<T>& trees, Index first, Index count,
                      const Buffer<T>& x, Index rows, F&& f) {
    const int threads = rows * count < 4096 ? 1 : engine_.threads();
    parallel_pieces(threads, rows, cpu::ensemble_rows_for(trees.features), [&](Piece piece) {
      visit_elements(x.data() + piece.begin * trees.features, piece.size() * trees.features);
      f(piece.begin, cpu::EnsembleBlock<T>{trees.heads.data(), trees.nodes.data(),
                                           trees.values.data(), trees.sets.data(), first, count,
                                           trees.outputs, x.data() + piece.begin * trees.features,
                                           piece.size(), trees.features, nullptr, nullptr});
    });
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
void add_row(const EnsembleOnEngine<T>& trees, const T* row, T* scores) noexcept {
  const cpu::EnsembleBlock<T> block{trees.heads.data(),
                                    trees.nodes.data(),
                                    trees.values.data(),
                                    trees.sets.data(),
                                    0,
                                    trees.trees,
                                    trees.outputs,
                                    row,
                                    1,
                                    trees.features,
                                    scores,
                                    nullptr};
  if (trees.plain)
    cpu::predict_trees(block);
  else
    cpu::predict_rows(block);
}
template void add_row(const EnsembleOnEngine<float>&, const float*, float*) noexcept;
template void add_row(const EnsembleOnEngine<double>&, const double*, double*) noexcept;

template <Real T>
std::unique_ptr<TreeEnsembleSteps<T>> TreeEnsembleSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuTreeEnsemble<T>>(engine);
}
template std::unique_ptr<TreeEnsembleSteps<float>> TreeEnsembleSteps<float>::make_cpu(Engine&);
template std::unique_ptr<TreeEnsembleSteps<double>> TreeEnsembleSteps<double>::make_cpu(Engine&);

}  // namespace tree
}  // namespace tandem
#endif
