// Eight rows go through all paths together. Which of them go left is worked out once for each node,
// a bit per row, so that whether an element of a path is on is a conjunction of bytes; the lanes of
// a vector are rows. The eight rows' φ are kept by feature, so that a path adds to whole vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/tree_shap.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/aligned_allocator.h>

#include <algorithm>

#include "core/parallel.hpp"
#include "core/tree/tree_shap_steps.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_TREE_TREE_SHAP_CPP
#define TANDEM_CPU_TREE_TREE_SHAP_CPP
namespace tandem::cpu {

inline constexpr Index shap_rows = 8;  // a byte's bits

// Up to eight rows, the paths, and scratch memory.
template <class T>
struct ShapBlock {
  const tree::PackedTree* heads;  // of the first tree of the paths
  const tree::PackedNode<T>* nodes;
  const std::uint32_t* sets;
  const std::int32_t* tree_paths;
  const tree::ShapPath* path;
  const tree::ShapElement* elements;
  const tree::ShapStep* steps;
  const double* values;
  const tree::ShapNode* rules;
  Index trees;
  Index end_node;  // of the last tree
  Index outputs;
  Index features;
  const T* x;  // rows × features
  Index rows;
  double* phi;  // rows × outputs · features, or rows × outputs · features²

  T* columns;             // features × 8: x, the last row repeated
  std::uint8_t* left;     // per node of a tree: the rows that go left
  std::uint8_t* on;       // per element of a path: the rows that it is on for
  double* before;         // elements × 8: pre, see tree_shap_steps.hpp
  double* after;          // elements × 8: suf
  double* factor;         // elements × 8: c
  double* sums;           // elements × 8, or pairs of elements × 8
  double* phi_by_column;  // outputs · features × 8
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <class T>
void TransposeRows(const ShapBlock<T>& block) {
  for (Index r = 0; r < shap_rows; ++r) {
    const T* row = block.x + std::min(r, block.rows - 1) * block.features;
    for (Index f = 0; f < block.features; ++f) block.columns[f * shap_rows + r] = row[f];
  }
}

// block.left of the nodes of a tree.
template <class T>
void FindWays(const ShapBlock<T>& block, const tree::PackedTree& head, Index end) {
  const hn::CappedTag<T, shap_rows> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index n = head.root; n < end; ++n) {
    const tree::PackedNode<T>& node = block.nodes[n];
    const T* column = block.columns + (node.asks & tree::packed_feature) * shap_rows;
    std::uint32_t bits = 0;
    if (head.plain != 0) {
      const auto threshold = hn::Set(d, node.threshold);
      const bool missing_left = (node.asks & tree::packed_missing_left) != 0;
      for (Index r = 0; r < shap_rows; r += lanes) {
        const auto value = hn::LoadU(d, column + r);
        auto goes = hn::Le(value, threshold);
        if (missing_left) goes = hn::Or(goes, hn::IsNaN(value));
        std::uint8_t some[8] = {};
        hn::StoreMaskBits(d, goes, some);
        bits |= static_cast<std::uint32_t>(some[0]) << r;
      }
    } else {
      for (Index r = 0; r < shap_rows; ++r) {
        if (tree::child_of(node, column[r], block.sets) == node.left) bits |= 1U << r;
      }
    }
    block.left[n - head.root] = static_cast<std::uint8_t>(bits);
  }
}

// block.on of the elements of a path.
template <class T>
void FindElements(const ShapBlock<T>& block, const tree::PackedTree& head, Index first,
                  Index elements) {
  for (Index e = 0; e < elements; ++e) {
    const tree::ShapElement* element = block.elements + first + e;
    std::uint32_t on = 0xFF;
    for (Index s = element[0].first_step; s < element[1].first_step; ++s) {
      const tree::ShapStep step = block.steps[s];
      const std::uint32_t left = block.left[static_cast<Index>(step >> 1) - head.root];
      on &= (step & 1) != 0 ? ~left : left;
    }
    block.on[e] = static_cast<std::uint8_t>(on);
  }
}

// The rows r .. r + lanes − 1 that element e is on for.
template <class D>
HWY_INLINE hn::Mask<D> OnFor(D d, const std::uint8_t* on, Index e, Index r) {
  std::uint8_t bits[8] = {};
  bits[0] = static_cast<std::uint8_t>(on[e] >> r);
  return hn::LoadMaskBits(d, bits);
}

// g of an element: what its being known changes.
template <class D>
HWY_INLINE hn::Vec<D> Change(D d, double share, hn::Mask<D> on) {
  return hn::IfThenElse(on, hn::Set(d, 1 - share), hn::Set(d, -share));
}

// pre and c of a node of the rule.
template <class D, class T>
HWY_INLINE void Before(D d, const ShapBlock<T>& block, Index first, Index elements, Index r,
                       const tree::ShapNode& at) {
  const auto t = hn::Set(d, at.t);
  auto product = hn::Set(d, 1.0);
  for (Index e = 0; e < elements; ++e) {
    const auto off = hn::Set(d, block.elements[first + e].share * at.rest);
    const auto c = hn::Add(off, hn::IfThenElseZero(OnFor(d, block.on, e, r), t));
    hn::Store(product, d, block.before + e * shap_rows);
    hn::Store(c, d, block.factor + e * shap_rows);
    product = hn::Mul(product, c);
  }
}

template <class T>
void AddValues(const ShapBlock<T>& block) {
  const hn::CappedTag<double, shap_rows> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  TransposeRows(block);
  const Index width = block.outputs * block.features;
  for (Index r = 0; r < block.rows; ++r) {
    for (Index j = 0; j < width; ++j) {
      block.phi_by_column[j * shap_rows + r] = block.phi[r * width + j];
    }
  }
  for (Index t = 0; t < block.trees; ++t) {
    const tree::PackedTree& head = block.heads[t];
    FindWays(block, head, t + 1 < block.trees ? block.heads[t + 1].root : block.end_node);
    for (Index p = block.tree_paths[t]; p < block.tree_paths[t + 1]; ++p) {
      const tree::ShapPath& path = block.path[p];
      const Index first = path.first_element;
      const Index elements = block.path[p + 1].first_element - first;
      FindElements(block, head, first, elements);
      const double* values = block.values + path.first_value;
      const tree::ShapNode* rule = block.rules + path.first_node;
      for (Index r = 0; r < shap_rows; r += lanes) {
        for (Index e = 0; e < elements; ++e) {
          hn::Store(hn::Zero(d), d, block.sums + e * shap_rows);
        }
        for (Index q = 0; q < (elements + 1) / 2; ++q) {
          Before(d, block, first, elements, r, rule[q]);
          auto after = hn::Set(d, rule[q].weight);
          for (Index e = elements; e-- > 0;) {
            double* sum = block.sums + e * shap_rows;
            const auto before = hn::Load(d, block.before + e * shap_rows);
            hn::Store(hn::Add(hn::Load(d, sum), hn::Mul(before, after)), d, sum);
            after = hn::Mul(after, hn::Load(d, block.factor + e * shap_rows));
          }
        }
        for (Index e = 0; e < elements; ++e) {
          const tree::ShapElement& element = block.elements[first + e];
          const auto change = Change(d, element.share, OnFor(d, block.on, e, r));
          const auto gain = hn::Mul(change, hn::Load(d, block.sums + e * shap_rows));
          const auto add = [&](Index output, double value) {
            double* phi =
                block.phi_by_column + (output * block.features + element.feature) * shap_rows + r;
            hn::Store(hn::Add(hn::Load(d, phi), hn::Mul(gain, hn::Set(d, value))), d, phi);
          };
          if (path.output == all_outputs) {
            for (Index k = 0; k < block.outputs; ++k) add(k, values[k]);
          } else {
            add(path.output, values[0]);
          }
        }
      }
    }
  }
  for (Index r = 0; r < block.rows; ++r) {
    for (Index j = 0; j < width; ++j) {
      block.phi[r * width + j] = block.phi_by_column[j * shap_rows + r];
    }
  }
}

template <class T>
void AddInteractions(const ShapBlock<T>& block) {
  const hn::CappedTag<double, shap_rows> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  TransposeRows(block);
  const Index square = block.features * block.features;
  for (Index t = 0; t < block.trees; ++t) {
    const tree::PackedTree& head = block.heads[t];
    FindWays(block, head, t + 1 < block.trees ? block.heads[t + 1].root : block.end_node);
    for (Index p = block.tree_paths[t]; p < block.tree_paths[t + 1]; ++p) {
      const tree::ShapPath& path = block.path[p];
      const Index first = path.first_element;
      const Index elements = block.path[p + 1].first_element - first;
      if (elements < 2) continue;
      FindElements(block, head, first, elements);
      const double* values = block.values + path.first_value;
      const tree::ShapNode* rule = block.rules + path.first_node;
      const Index pairs = elements * (elements - 1) / 2;
      for (Index r = 0; r < block.rows; r += lanes) {
        for (Index e = 0; e < pairs; ++e) {
          hn::Store(hn::Zero(d), d, block.sums + e * shap_rows);
        }
        for (Index q = 0; q < (elements + 1) / 2; ++q) {
          Before(d, block, first, elements, r, rule[q]);
          auto after = hn::Set(d, rule[q].weight);
          for (Index e = elements; e-- > 0;) {
            hn::Store(after, d, block.after + e * shap_rows);
            after = hn::Mul(after, hn::Load(d, block.factor + e * shap_rows));
          }
          double* sum = block.sums;
          for (Index a = 0; a < elements; ++a) {
            auto middle = hn::Load(d, block.before + a * shap_rows);
            for (Index b = a + 1; b < elements; ++b, sum += shap_rows) {
              const auto rest = hn::Load(d, block.after + b * shap_rows);
              hn::Store(hn::Add(hn::Load(d, sum), hn::Mul(middle, rest)), d, sum);
              middle = hn::Mul(middle, hn::Load(d, block.factor + b * shap_rows));
            }
          }
        }
        const double* sum = block.sums;
        HWY_ALIGN double gains[shap_rows];
        for (Index a = 0; a < elements; ++a) {
          const tree::ShapElement& one = block.elements[first + a];
          const auto change = Change(d, one.share, OnFor(d, block.on, a, r));
          for (Index b = a + 1; b < elements; ++b, sum += shap_rows) {
            const tree::ShapElement& other = block.elements[first + b];
            const auto both = hn::Mul(change, Change(d, other.share, OnFor(d, block.on, b, r)));
            hn::Store(hn::Mul(both, hn::Load(d, sum)), d, gains);
            for (Index l = 0; l < std::min(lanes, block.rows - r); ++l) {
              const auto add = [&](Index output, double value) {
                double* phi = block.phi + ((r + l) * block.outputs + output) * square;
                const double gain = gains[l] * (value * 0.5);
                phi[one.feature * block.features + other.feature] += gain;
                phi[other.feature * block.features + one.feature] += gain;
              };
              if (path.output == all_outputs) {
                for (Index k = 0; k < block.outputs; ++k) add(k, values[k]);
              } else {
                add(path.output, values[0]);
              }
            }
          }
        }
      }
    }
  }
}

void AddValuesFloat(const ShapBlock<float>& block) { AddValues(block); }
void AddValuesDouble(const ShapBlock<double>& block) { AddValues(block); }
void AddInteractionsFloat(const ShapBlock<float>& block) { AddInteractions(block); }
void AddInteractionsDouble(const ShapBlock<double>& block) { AddInteractions(block); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
HWY_EXPORT(AddValuesFloat);
HWY_EXPORT(AddValuesDouble);
HWY_EXPORT(AddInteractionsFloat);
HWY_EXPORT(AddInteractionsDouble);

namespace {
void add_values(const ShapBlock<float>& block) { HWY_DYNAMIC_DISPATCH(AddValuesFloat)(block); }
void add_values(const ShapBlock<double>& block) { HWY_DYNAMIC_DISPATCH(AddValuesDouble)(block); }
void add_interactions(const ShapBlock<float>& block) {
  HWY_DYNAMIC_DISPATCH(AddInteractionsFloat)(block);
}
void add_interactions(const ShapBlock<double>& block) {
  HWY_DYNAMIC_DISPATCH(AddInteractionsDouble)(block);
}
}  // namespace
}  // namespace cpu

namespace tree {
namespace {

template <Real T>
class CpuTreeShap final : public TreeShapSteps<T> {
 public:
  explicit CpuTreeShap(Engine& engine) : engine_(engine) {}

  void add_values(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths, const Buffer<T>& x,
                  Index rows, Buffer<double>& phi) override {
    const Index width = trees.outputs * trees.features;
    for_each_block(trees, paths, x, rows, phi, width, paths.longest, width,
                   [](const cpu::ShapBlock<T>& block) { cpu::add_values(block); });
  }

  void add_interactions(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                        const Buffer<T>& x, Index rows, Buffer<double>& phi) override {
    const Index width = trees.outputs * trees.features * trees.features;
    const Index pairs = paths.longest * (paths.longest - 1) / 2;
    for_each_block(trees, paths, x, rows, phi, width, pairs, 0,
                   [](const cpu::ShapBlock<T>& block) { cpu::add_interactions(block); });
  }

 private:
  // `width` values of phi per row; sums of `sums` vectors; `by_column` vectors of phi.
  template <class F>
  void for_each_block(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                      const Buffer<T>& x, Index rows, Buffer<double>& phi, Index width, Index sums,
                      Index by_column, F&& f) {
    constexpr Index rows_at_once = 64;  // that share scratch memory
    const auto first = static_cast<std::size_t>(paths.first_tree);
    const auto end = static_cast<std::size_t>(paths.first_tree + paths.trees);
    const Index end_node =
        end < trees.on_host.size() ? trees.on_host[end].root : trees.nodes.size();
    Index largest = 0;
    for (std::size_t t = first; t < end; ++t) {
      const Index next = t + 1 < end ? trees.on_host[t + 1].root : end_node;
      largest = std::max<Index>(largest, next - trees.on_host[t].root);
    }
    const auto vectors = [](Index count) {
      return static_cast<std::size_t>(count * cpu::shap_rows);
    };
    parallel_pieces(engine_.threads(), rows, rows_at_once, [&](Piece piece) {
      const auto columns = hwy::AllocateAligned<T>(vectors(trees.features));
      const auto bits =
          hwy::AllocateAligned<std::uint8_t>(static_cast<std::size_t>(largest + paths.longest));
      const auto scratch =
          hwy::AllocateAligned<double>(vectors(3 * paths.longest + sums + by_column));
      if (!columns || !bits || !scratch) throw std::bad_alloc();
      std::fill_n(scratch.get(), vectors(3 * paths.longest + sums + by_column), 0.0);
      for (Index row = piece.begin; row < piece.end; row += cpu::shap_rows) {
        cpu::ShapBlock<T> block{};
        block.heads = trees.heads.data() + paths.first_tree;
        block.nodes = trees.nodes.data();
        block.sets = trees.sets.data();
        block.tree_paths = paths.tree_paths.data();
        block.path = paths.path.data();
        block.elements = paths.elements.data();
        block.steps = paths.steps.data();
        block.values = paths.values.data();
        block.rules = paths.rules.data();
        block.trees = paths.trees;
        block.end_node = end_node;
        block.outputs = trees.outputs;
        block.features = trees.features;
        block.x = x.data() + row * trees.features;
        block.rows = std::min(cpu::shap_rows, piece.end - row);
        block.phi = phi.data() + row * width;
        block.columns = columns.get();
        block.left = bits.get();
        block.on = bits.get() + largest;
        block.before = scratch.get();
        block.after = block.before + vectors(paths.longest);
        block.factor = block.after + vectors(paths.longest);
        block.sums = block.factor + vectors(paths.longest);
        block.phi_by_column = block.sums + vectors(sums);
        f(block);
      }
    });
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<TreeShapSteps<T>> TreeShapSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuTreeShap<T>>(engine);
}
template std::unique_ptr<TreeShapSteps<float>> TreeShapSteps<float>::make_cpu(Engine&);
template std::unique_ptr<TreeShapSteps<double>> TreeShapSteps<double>::make_cpu(Engine&);

}  // namespace tree
}  // namespace tandem
#endif
