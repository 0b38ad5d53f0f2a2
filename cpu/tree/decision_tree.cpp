// Steps of the decision tree on CPU cores.
//
// Every feature is sorted once, by radix; from then on a node is a range of each feature's order,
// and splitting it partitions each order stably (SPRINT: Shafer, Agrawal and Mehta, VLDB 1996).
// A level costs one pass that scores and one that partitions, both sequential. Subtrees that fit in
// the second-level cache are grown whole, one thread each.
//
// Bytes moved per (row, feature) and level: 8 read to score, 8 read and up to 8 written to
// partition; integer operations: about 12 to score, 6 to partition.

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "cpu/tree/feature_order.hpp"
#include "cpu/tree/grow_depth_first.hpp"
#include "cpu/tree/split_scorers.hpp"

namespace tandem::tree {
namespace {

// One row in the order of one feature. `rank` numbers the feature's distinct values in ascending
// order; `payload` is the row, and below it, where both fit in 32 bits, the class.
struct Entry {
  std::uint32_t rank;
  std::uint32_t payload;
};
// An order, or a node's range of it, as the scan of its cuts reads it.
struct EntryOrder {
  const Entry* at;
  [[nodiscard]] std::uint32_t rank(Index i) const { return at[i].rank; }
  [[nodiscard]] std::uint32_t payload(Index i) const { return at[i].payload; }
};

// --- the steps -----------------------------------------------------------------------------------

template <Real T>
class CpuSteps final : public DecisionTreeSteps<T> {
 public:
  explicit CpuSteps(Engine& engine) : engine_(engine), threads_(engine.threads()) {}

  void encode_target(const TargetCode& code, const Buffer<T>& target, const Buffer<double>& weights,
                     Buffer<std::int64_t>& sums, Buffer<std::int64_t>& squares) override;
  void prepare(const TreeData<T>& data, const SplitRules& rules) override;
  void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                   std::span<std::int64_t> left_statistics) override;
  void apply_splits(std::span<const SplitToApply> splits) override;
  [[nodiscard]] Index subtree_rows() const override;
  void grow_subtrees(std::span<const OpenNode> nodes, std::span<GrownSubtree<T>> subtrees) override;
  void find_leaves(const TreeOnEngine<T>& nodes, const Buffer<T>& x, Index rows, Index cols,
                   Buffer<std::int64_t>& leaf) override;

 private:
  // The working memory of one thread.
  struct Scratch {
    ScorerScratch scorer;
    std::vector<Entry> right;  // a partition's right side
    std::vector<std::uint8_t> looked_at;
    std::vector<std::pair<std::uint64_t, std::int32_t>> draws;
  };
  [[nodiscard]] Scratch& scratch() {
    return scratch_[static_cast<std::size_t>(place_in_team()) % scratch_.size()];
  }
  [[nodiscard]] Entry* order_of(Index feature) { return entries_.data() + feature * stride_; }
  // False where a feature has one value in a node. It is then constant in the whole subtree, and
  // its order is no longer kept there: any row of the node's ancestor may stand in the range, but
  // all have that value.
  [[nodiscard]] bool varies(Index feature, Index begin, Index rows) {
    const Entry* order = order_of(feature) + begin;
    return order[0].rank != order[rows - 1].rank;
  }

  void sort_feature(Index feature, const T* column, std::vector<KeyedRow<T>>& keyed,
                    std::vector<std::uint32_t>& counts);
  void choose_features(const OpenNode& node, std::uint8_t* looked_at, Scratch& scratch);
  [[nodiscard]] bool of_one_value(const OpenNode& node);
  // Known rows of the node in the order of a feature: missing ones come after them.
  [[nodiscard]] static Index known_rows(const Entry* order, Index rows);
  [[nodiscard]] Candidate best_of_feature(const OpenNode& node, Index feature, Scratch& scratch);
  [[nodiscard]] NodeSplit<T> complete(const OpenNode& node, Index feature,
                                      const Candidate& candidate, std::int64_t* left_statistics);
  void mark_left(const SplitToApply& split);
  void partition(const SplitToApply& split, Index feature, Scratch& scratch);
  void grow_subtree(const OpenNode& root, GrownSubtree<T>& subtree, Scratch& scratch);

  Engine& engine_;
  int threads_;
  SplitRules rules_;
  TreeData<T> data_;
  RowData row_data_{};
  Index stride_ = 0;
  Buffer<Entry> entries_;           // cols × stride
  Buffer<std::uint8_t> goes_left_;  // n
  Buffer<std::int64_t> entropy_terms_;
  Buffer<std::int64_t> entropy_steps_;
  std::vector<Scratch> scratch_;
};

template <Real T>
void CpuSteps<T>::sort_feature(Index feature, const T* column, std::vector<KeyedRow<T>>& keyed,
                               std::vector<std::uint32_t>& counts) {
  const Index n = data_.rows;
  keyed.resize(static_cast<std::size_t>(2 * n));
  for (Index i = 0; i < n; ++i) {
    keyed[static_cast<std::size_t>(i)] = {ordered_key(column[i]), static_cast<std::uint32_t>(i)};
  }
  const KeyedRow<T>* sorted = radix_sort<T>(keyed.data(), keyed.data() + n, n, counts);
  Entry* order = order_of(feature);
  std::uint32_t rank = 0;
  const auto missing_key = ordered_key(std::numeric_limits<T>::quiet_NaN());
  for (Index i = 0; i < n; ++i) {
    if (i > 0 && sorted[i].key != sorted[i - 1].key) ++rank;
    std::uint32_t payload = sorted[i].row << row_data_.class_bits;
    if (row_data_.class_bits > 0) {
      payload |= static_cast<std::uint32_t>(row_data_.labels[sorted[i].row]);
    }
    order[i] = {sorted[i].key == missing_key ? missing_rank : rank, payload};
  }
}

template <Real T>
void CpuSteps<T>::prepare(const TreeData<T>& data, const SplitRules& rules) {
  data_ = data;
  rules_ = rules;
  const Index n = data.rows;
  const auto pointer = [](const auto* buffer) {
    return buffer != nullptr && !buffer->empty() ? buffer->data() : nullptr;
  };
  row_data_ = {&rules_,
               nullptr,
               nullptr,
               pointer(data.labels),
               pointer(data.weights),
               pointer(data.sums),
               pointer(data.squares),
               0,
               0,
               false};
  if (rules.classes > 0) {
    const auto class_bits = static_cast<int>(
        std::bit_width(static_cast<std::uint32_t>(std::max(rules.classes, 2) - 1)));
    const int row_bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n)));
    if (class_bits + row_bits <= 32) {
      row_data_.class_bits = class_bits;
      row_data_.class_mask = (1U << class_bits) - 1;
    }
  }
  // Not a multiple of 4096 bytes, lest all features' ranges fall into the same cache sets.
  stride_ = (n + 7) / 8 * 8 + 24;
  entries_ = Buffer<Entry>(engine_, data.cols * stride_);
  goes_left_ = Buffer<std::uint8_t>(engine_, n);
  scratch_.assign(static_cast<std::size_t>(threads_), {});
  for (auto& own : scratch_) {
    own.scorer.prepare(rules);
    own.looked_at.resize(static_cast<std::size_t>(data.cols));
  }
  // A table of φ pays where rows meet its entries often.
  const Index longest_table = std::max(8 * n, Index{1} << 16);
  if (rules.criterion == TreeCriterion::entropy && rules.most_weight <= longest_table) {
    entropy_terms_ = Buffer<std::int64_t>(engine_, rules.most_weight + 1);
    parallel_pieces(threads_, rules.most_weight + 1, 4096, [&](Piece piece) {
      for (Index w = piece.begin; w < piece.end; ++w) {
        entropy_terms_.data()[w] = entropy_term(rules_, w);
      }
    });
    row_data_.entropy_terms = entropy_terms_.data();
    if (row_data_.weights == nullptr && rules.classes > 2) {
      entropy_steps_ = Buffer<std::int64_t>(engine_, rules.most_weight);
      for (Index w = 0; w < rules.most_weight; ++w) {
        entropy_steps_.data()[w] = entropy_terms_.data()[w + 1] - entropy_terms_.data()[w];
      }
      row_data_.entropy_steps = entropy_steps_.data();
    }
  }
  // Columns are taken out of the row-major table a cache line's width at a time, or fewer where
  // threads would else be idle.
  struct SortScratch {
    std::vector<T> columns;
    std::vector<KeyedRow<T>> keyed;
    std::vector<std::uint32_t> counts;
  };
  std::vector<SortScratch> sort_scratch(scratch_.size());
  const Index group = std::clamp<Index>(data.cols / (4 * threads_), 1, 64 / sizeof(T));
  parallel_pieces(threads_, data.cols, group, [&](Piece piece) {
    SortScratch& own =
        sort_scratch[static_cast<std::size_t>(place_in_team()) % sort_scratch.size()];
    own.columns.resize(static_cast<std::size_t>(piece.size() * n));
    for (Index i = 0; i < n; ++i) {
      const T* row = data.x->data() + i * data.cols + piece.begin;
      for (Index k = 0; k < piece.size(); ++k) {
        own.columns[static_cast<std::size_t>(k * n + i)] = row[k];
      }
    }
    for (Index k = 0; k < piece.size(); ++k) {
      sort_feature(piece.begin + k, own.columns.data() + k * n, own.keyed, own.counts);
    }
  });
}

template <Real T>
Index CpuSteps<T>::known_rows(const Entry* order, Index rows) {
  if (order[rows - 1].rank != missing_rank) return rows;
  return std::partition_point(order, order + rows,
                              [](const Entry& entry) { return entry.rank != missing_rank; }) -
         order;
}

template <Real T>
bool CpuSteps<T>::of_one_value(const OpenNode& node) {
  // In the order of a feature that varies; where there is none, no split is possible either.
  Index feature = 0;
  while (feature < data_.cols && !varies(feature, node.begin, node.rows)) ++feature;
  if (feature == data_.cols) return true;
  const T* target = data_.target->data();
  const Entry* order = order_of(feature) + node.begin;
  const T first = target[order[0].payload];
  for (Index i = 1; i < node.rows; ++i) {
    if (target[order[i].payload] != first) return false;
  }
  return true;
}

template <Real T>
void CpuSteps<T>::choose_features(const OpenNode& node, std::uint8_t* looked_at, Scratch& own) {
  own.draws.clear();
  for (Index f = 0; f < data_.cols; ++f) {
    const bool candidate = varies(f, node.begin, node.rows);
    looked_at[f] = candidate ? 1 : 0;
    if (candidate && rules_.features_per_node < data_.cols) {
      own.draws.emplace_back(feature_draw(rules_, node.key, f), static_cast<std::int32_t>(f));
    }
  }
  if (static_cast<Index>(own.draws.size()) <= rules_.features_per_node) return;
  const auto kept = own.draws.begin() + rules_.features_per_node;
  std::nth_element(own.draws.begin(), kept, own.draws.end());
  for (auto at = kept; at != own.draws.end(); ++at) looked_at[at->second] = 0;
}

template <Real T>
Candidate CpuSteps<T>::best_of_feature(const OpenNode& node, Index feature, Scratch& own) {
  const Entry* order = order_of(feature) + node.begin;
  return best_cut(row_data_, {node.rows, known_rows(order, node.rows), node.statistics},
                  EntryOrder{order}, own.scorer);
}

// The split that a candidate means, and the statistics of its left child.
template <Real T>
NodeSplit<T> CpuSteps<T>::complete(const OpenNode& node, Index feature, const Candidate& candidate,
                                   std::int64_t* left_statistics) {
  NodeSplit<T> split;
  std::fill_n(left_statistics, rules_.width(), 0);
  if (candidate.score == no_score) return split;
  const Entry* order = order_of(feature) + node.begin;
  const Index known = known_rows(order, node.rows);
  split.feature = static_cast<std::int32_t>(feature);
  split.left_known = candidate.known;
  split.left_rows = candidate.known + (candidate.missing_left ? node.rows - known : 0);
  split.missing_left =
      known < node.rows ? candidate.missing_left : 2 * split.left_rows >= node.rows;
  const auto value = [&](Index i) {
    return data_.x->data()[(order[i].payload >> row_data_.class_bits) * data_.cols + feature];
  };
  split.threshold = candidate.known == known
                        ? std::numeric_limits<T>::max()
                        : threshold_between(value(candidate.known - 1), value(candidate.known));
  add_rows(row_data_, EntryOrder{order}, 0, candidate.known, left_statistics);
  if (candidate.missing_left) {
    add_rows(row_data_, EntryOrder{order}, known, node.rows, left_statistics);
  }
  return split;
}

template <Real T>
void CpuSteps<T>::find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                              std::span<std::int64_t> left_statistics) {
  const auto cols = static_cast<std::size_t>(data_.cols);
  std::vector<std::uint8_t> looked_at(nodes.size() * cols);
  std::vector<Candidate> candidates(nodes.size() * cols);
  parallel_for(threads_, static_cast<Index>(nodes.size()), [&](Index i) {
    const OpenNode& node = nodes[static_cast<std::size_t>(i)];
    if (rules_.classes == 0 && of_one_value(node)) return;
    choose_features(node, looked_at.data() + static_cast<std::size_t>(i) * cols, scratch());
  });
  parallel_for(threads_, static_cast<Index>(candidates.size()), [&](Index i) {
    const auto at = static_cast<std::size_t>(i);
    if (looked_at[at] == 0) return;
    candidates[at] = best_of_feature(nodes[at / cols], static_cast<Index>(at % cols), scratch());
  });
  parallel_for(threads_, static_cast<Index>(nodes.size()), [&](Index i) {
    const auto at = static_cast<std::size_t>(i);
    std::size_t best = 0;
    for (std::size_t f = 1; f < cols; ++f) {
      if (candidates[at * cols + f].score > candidates[at * cols + best].score) best = f;
    }
    splits[at] = complete(nodes[at], static_cast<Index>(best), candidates[at * cols + best],
                          left_statistics.data() + i * rules_.width());
  });
}

template <Real T>
void CpuSteps<T>::mark_left(const SplitToApply& split) {
  const Entry* order = order_of(split.feature) + split.begin;
  const Index known = known_rows(order, split.rows);
  std::uint8_t* goes_left = goes_left_.data();
  for (Index i = 0; i < split.rows; ++i) {
    const bool left = i < split.left_known || (i >= known && split.missing_left);
    goes_left[order[i].payload >> row_data_.class_bits] = left ? 1 : 0;
  }
}

// Stable. What goes left is written in place behind the reading position.
template <Real T>
void CpuSteps<T>::partition(const SplitToApply& split, Index feature, Scratch& own) {
  if (feature == split.feature && split.left_known == split.left_rows) return;
  if (!varies(feature, split.begin, split.rows)) return;
  Entry* order = order_of(feature) + split.begin;
  const std::uint8_t* goes_left = goes_left_.data();
  const int shift = row_data_.class_bits;
  if (static_cast<Index>(own.right.size()) < split.rows + 1) {
    own.right.resize(static_cast<std::size_t>(split.rows + 1));
  }
  Entry* left = order;
  Entry* right = own.right.data();
  for (Index i = 0; i < split.rows; ++i) {
    const Entry entry = order[i];
    const std::size_t goes = goes_left[entry.payload >> shift];
    *left = entry;
    *right = entry;
    left += goes;
    right += 1 - goes;
  }
  std::memcpy(left, own.right.data(),
              static_cast<std::size_t>(right - own.right.data()) * sizeof(Entry));
}

template <Real T>
void CpuSteps<T>::apply_splits(std::span<const SplitToApply> splits) {
  parallel_for(threads_, static_cast<Index>(splits.size()),
               [&](Index i) { mark_left(splits[static_cast<std::size_t>(i)]); });
  const Index cols = data_.cols;
  parallel_for(threads_, static_cast<Index>(splits.size()) * cols, [&](Index i) {
    const SplitToApply& split = splits[static_cast<std::size_t>(i / cols)];
    if (split.left_open || split.right_open) partition(split, i % cols, scratch());
  });
}

template <Real T>
Index CpuSteps<T>::subtree_rows() const {
  // Three quarters of a second-level cache of 1 MiB.
  constexpr Index cache = Index{768} << 10;
  return std::clamp<Index>(
      cache / (static_cast<Index>(sizeof(Entry)) * std::max<Index>(data_.cols, 1)), 256, 65536);
}

template <Real T>
void CpuSteps<T>::grow_subtree(const OpenNode& root, GrownSubtree<T>& subtree, Scratch& own) {
  const auto search = [&](const OpenNode& node, std::int64_t* left_statistics) {
    if (rules_.classes == 0 && of_one_value(node)) return NodeSplit<T>{};
    choose_features(node, own.looked_at.data(), own);
    Candidate best;
    Index best_feature = 0;
    for (Index f = 0; f < data_.cols; ++f) {
      if (own.looked_at[static_cast<std::size_t>(f)] == 0) continue;
      const Candidate candidate = best_of_feature(node, f, own);
      if (candidate.score > best.score) {
        best = candidate;
        best_feature = f;
      }
    }
    return complete(node, best_feature, best, left_statistics);
  };
  const auto apply = [&](const SplitToApply& split) {
    mark_left(split);
    for (Index f = 0; f < data_.cols; ++f) partition(split, f, own);
  };
  grow_depth_first<T>(rules_, root, subtree, search, apply);
}

template <Real T>
void CpuSteps<T>::grow_subtrees(std::span<const OpenNode> nodes,
                                std::span<GrownSubtree<T>> subtrees) {
  parallel_for(threads_, static_cast<Index>(nodes.size()), [&](Index i) {
    const auto at = static_cast<std::size_t>(i);
    grow_subtree(nodes[at], subtrees[at], scratch());
  });
}

template <Real T>
void CpuSteps<T>::encode_target(const TargetCode& code, const Buffer<T>& target,
                                const Buffer<double>& weights, Buffer<std::int64_t>& sums,
                                Buffer<std::int64_t>& squares) {
  parallel_pieces(threads_, target.size(), 4096, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const double w = weights.empty() ? 1.0 : weights.data()[i];
      const double y = static_cast<double>(target.data()[i]);
      sums.data()[i] = code.sum(w, y);
      squares.data()[i] = code.square(w, y);
    }
  });
}

template <Real T>
void CpuSteps<T>::find_leaves(const TreeOnEngine<T>& nodes, const Buffer<T>& x, Index rows,
                              Index cols, Buffer<std::int64_t>& leaf) {
  const std::int32_t* feature = nodes.feature.data();
  const T* threshold = nodes.threshold.data();
  const std::int64_t* right = nodes.right.data();
  const std::uint8_t* missing_left = nodes.missing_left.data();
  parallel_pieces(threads_, rows, 1024, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const T* row = x.data() + i * cols;
      std::int64_t node = 0;
      while (right[node] != 0) {
        const T value = row[feature[node]];
        const bool goes_left =
            value <= threshold[node] || (value != value && missing_left[node] != 0);
        node = goes_left ? node + 1 : right[node];
      }
      leaf.data()[i] = node;
    }
  });
}

}  // namespace

template <Real T>
std::unique_ptr<DecisionTreeSteps<T>> DecisionTreeSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuSteps<T>>(engine);
}

template std::unique_ptr<DecisionTreeSteps<float>> DecisionTreeSteps<float>::make_cpu(Engine&);
template std::unique_ptr<DecisionTreeSteps<double>> DecisionTreeSteps<double>::make_cpu(Engine&);

}  // namespace tandem::tree
