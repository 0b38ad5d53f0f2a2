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

namespace tandem::tree {
namespace {

// One row in the order of one feature. `rank` numbers the feature's distinct values in ascending
// order; `payload` is the row, and below it, where both fit in 32 bits, the class.
struct Entry {
  std::uint32_t rank;
  std::uint32_t payload;
};
constexpr std::uint32_t missing_rank = std::numeric_limits<std::uint32_t>::max();

// Integers that order as the values do; every NaN comes last, −0 and +0 are one value.
std::uint32_t ordered_key(float value) {
  if (value != value) return std::numeric_limits<std::uint32_t>::max();
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
std::uint64_t ordered_key(double value) {
  if (value != value) return std::numeric_limits<std::uint64_t>::max();
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & 0x8000000000000000U) != 0 ? ~bits : bits | 0x8000000000000000U;
}

template <Real T>
struct KeyedRow {
  decltype(ordered_key(T{})) key;
  std::uint32_t row;
};

// Sorts by key, stably, by digits of 11 bits from the lowest; digits that all keys share cost
// nothing but the count. `from` and `other` have `size` elements; returns the one that is sorted.
template <Real T>
KeyedRow<T>* radix_sort(KeyedRow<T>* from, KeyedRow<T>* other, Index size,
                        std::vector<std::uint32_t>& counts) {
  constexpr int digit_bits = 11;
  constexpr std::size_t buckets = std::size_t{1} << digit_bits;
  constexpr int key_bits = static_cast<int>(sizeof(from->key)) * 8;
  constexpr int digits = (key_bits + digit_bits - 1) / digit_bits;
  counts.assign(buckets * digits, 0);
  for (Index i = 0; i < size; ++i) {
    for (int d = 0; d < digits; ++d) {
      ++counts[buckets * static_cast<std::size_t>(d) +
               ((from[i].key >> (d * digit_bits)) & (buckets - 1))];
    }
  }
  for (int d = 0; d < digits && size > 0; ++d) {
    std::uint32_t* start = counts.data() + buckets * static_cast<std::size_t>(d);
    const int shift = d * digit_bits;
    if (start[(from[0].key >> shift) & (buckets - 1)] == size) continue;
    std::uint32_t total = 0;
    for (std::size_t b = 0; b < buckets; ++b) total += std::exchange(start[b], total);
    for (Index i = 0; i < size; ++i) {
      other[start[(from[i].key >> shift) & (buckets - 1)]++] = from[i];
    }
    std::swap(from, other);
  }
  return from;
}

// A candidate of one feature: the first `known` rows of the node go left.
struct Candidate {
  std::int64_t score = no_score;
  Index known = 0;
  bool missing_left = false;
};

// --- scorers: what moves to the left so far, and the score of stopping here ----------------------
//
//   start(node, left)  statistics of the node, and of what is on the left already
//   move(payload)      one row goes from right to left
//   score()            of the split as it stands

// φ(c) = c·ln c by a table, or by computing it where weights make the table too long.
struct EntropyTable {
  const std::int64_t* terms;
  std::int64_t operator()(std::int64_t units) const { return terms[units]; }
};
struct EntropyFunction {
  const SplitRules* rules;
  std::int64_t operator()(std::int64_t units) const { return entropy_term(*rules, units); }
};

struct RowData {
  const SplitRules* rules;
  const std::int64_t* entropy_terms;  // φ(0), φ(1), ...
  const std::int64_t* entropy_steps;  // φ(c + 1) − φ(c)
  const std::int32_t* labels;
  const std::int64_t* weights;
  const std::int64_t* sums;
  const std::int64_t* squares;
  int class_bits;  // of the payload; 0 where the class is looked up
  std::uint32_t class_mask;
};

class EntropyOfTwo {
 public:
  EntropyOfTwo(const RowData& data, std::int64_t* /*scratch*/) : term_{data.entropy_terms} {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    node0_ = node[0];
    node1_ = node[1];
    left_ = left[0] + left[1];
    left1_ = left[1];
  }
  void move(std::uint32_t payload) {
    left1_ += payload & 1U;
    ++left_;
  }
  [[nodiscard]] std::int64_t score() const {
    const std::int64_t left0 = left_ - left1_;
    return entropy_score(
        term_(left0) + term_(left1_) + term_(node0_ - left0) + term_(node1_ - left1_), term_(left_),
        term_(node0_ + node1_ - left_));
  }

 private:
  EntropyTable term_;
  std::int64_t node0_ = 0;
  std::int64_t node1_ = 0;
  std::int64_t left_ = 0;
  std::int64_t left1_ = 0;
};

class GiniOfTwo {
 public:
  GiniOfTwo(const RowData& /*data*/, std::int64_t* /*scratch*/) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    node0_ = node[0];
    node1_ = node[1];
    left_ = left[0] + left[1];
    left1_ = left[1];
  }
  void move(std::uint32_t payload) {
    left1_ += payload & 1U;
    ++left_;
  }
  [[nodiscard]] std::int64_t score() const {
    const std::int64_t left0 = left_ - left1_;
    const std::int64_t right0 = node0_ - left0;
    const std::int64_t right1 = node1_ - left1_;
    return gini_score(left0 * left0 + left1_ * left1_, left_, right0 * right0 + right1 * right1,
                      right0 + right1);
  }

 private:
  std::int64_t node0_ = 0;
  std::int64_t node1_ = 0;
  std::int64_t left_ = 0;
  std::int64_t left1_ = 0;
};

// Any number of classes. Weighted: rows weigh data.weights[row]; else 1.
template <bool Weighted>
class ClassCounts {
 public:
  ClassCounts(const RowData& data, std::int64_t* scratch)
      : data_(data), classes_(data.rules->classes), left_(scratch), right_(scratch + classes_) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    left_total_ = 0;
    right_total_ = 0;
    for (std::int32_t c = 0; c < classes_; ++c) {
      left_[c] = left[c];
      right_[c] = node[c] - left[c];
      left_total_ += left_[c];
      right_total_ += right_[c];
    }
  }

 protected:
  // The class of a row and its weight.
  struct Row {
    std::uint32_t label;
    std::int64_t weight;
  };
  [[nodiscard]] Row row_of(std::uint32_t payload) const {
    const std::uint32_t row = payload >> data_.class_bits;
    const std::uint32_t label = data_.class_bits > 0
                                    ? payload & data_.class_mask
                                    : static_cast<std::uint32_t>(data_.labels[row]);
    if constexpr (Weighted)
      return {label, data_.weights[row]};
    else
      return {label, 1};
  }

  const RowData data_;
  const std::int32_t classes_;
  std::int64_t* left_;
  std::int64_t* right_;
  std::int64_t left_total_ = 0;
  std::int64_t right_total_ = 0;
};

template <class Term>
class EntropyOfWeights : public ClassCounts<true> {
 public:
  EntropyOfWeights(const RowData& data, std::int64_t* scratch)
      : ClassCounts<true>(data, scratch), term_(make(data)) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<true>::start(node, left);
    class_terms_ = 0;
    for (std::int32_t c = 0; c < classes_; ++c) {
      class_terms_ += term_(left_[c]) + term_(right_[c]);
    }
  }
  void move(std::uint32_t payload) {
    const auto [label, weight] = row_of(payload);
    std::int64_t& left = left_[label];
    std::int64_t& right = right_[label];
    class_terms_ -= term_(left) + term_(right);
    left += weight;
    right -= weight;
    class_terms_ += term_(left) + term_(right);
    left_total_ += weight;
    right_total_ -= weight;
  }
  [[nodiscard]] std::int64_t score() const {
    return entropy_score(class_terms_, term_(left_total_), term_(right_total_));
  }

 private:
  static Term make(const RowData& data) {
    if constexpr (std::is_same_v<Term, EntropyTable>)
      return {data.entropy_terms};
    else
      return {data.rules};
  }
  Term term_;
  std::int64_t class_terms_ = 0;
};

// Rows of weight 1: moving one takes a step up the table on the left, and one down on the right.
class EntropyOfCounts : public ClassCounts<false> {
 public:
  EntropyOfCounts(const RowData& data, std::int64_t* scratch)
      : ClassCounts<false>(data, scratch), term_{data.entropy_terms}, step_(data.entropy_steps) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<false>::start(node, left);
    class_terms_ = 0;
    for (std::int32_t c = 0; c < classes_; ++c) class_terms_ += term_(left_[c]) + term_(right_[c]);
  }
  void move(std::uint32_t payload) {
    const std::uint32_t label = row_of(payload).label;
    class_terms_ += step_[left_[label]++] - step_[--right_[label]];
    ++left_total_;
    --right_total_;
  }
  [[nodiscard]] std::int64_t score() const {
    return entropy_score(class_terms_, term_(left_total_), term_(right_total_));
  }

 private:
  EntropyTable term_;
  const std::int64_t* step_;
  std::int64_t class_terms_ = 0;
};

// Sums of squares in integers.
template <bool Weighted>
class GiniInIntegers : public ClassCounts<Weighted> {
 public:
  using ClassCounts<Weighted>::ClassCounts;
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<Weighted>::start(node, left);
    left_squares_ = 0;
    right_squares_ = 0;
    for (std::int32_t c = 0; c < this->classes_; ++c) {
      left_squares_ += this->left_[c] * this->left_[c];
      right_squares_ += this->right_[c] * this->right_[c];
    }
  }
  void move(std::uint32_t payload) {
    const auto [label, weight] = this->row_of(payload);
    std::int64_t& left = this->left_[label];
    std::int64_t& right = this->right_[label];
    left_squares_ += weight * (2 * left + weight);
    right_squares_ -= weight * (2 * right - weight);
    left += weight;
    right -= weight;
    this->left_total_ += weight;
    this->right_total_ -= weight;
  }
  [[nodiscard]] std::int64_t score() const {
    return gini_score(left_squares_, this->left_total_, right_squares_, this->right_total_);
  }

 private:
  std::int64_t left_squares_ = 0;
  std::int64_t right_squares_ = 0;
};

// Sums of squares as chains of fmas in class order, for weights of more than 31 bits.
class GiniInDoubles : public ClassCounts<true> {
 public:
  using ClassCounts<true>::ClassCounts;
  void move(std::uint32_t payload) {
    const auto [label, weight] = row_of(payload);
    left_[label] += weight;
    right_[label] -= weight;
    left_total_ += weight;
    right_total_ -= weight;
  }
  [[nodiscard]] std::int64_t score() const {
    return rounded_gini_score(sum_of_squares(left_, classes_), static_cast<double>(left_total_),
                              sum_of_squares(right_, classes_), static_cast<double>(right_total_));
  }
};

template <bool Weighted>
class SquaredError {
 public:
  SquaredError(const RowData& data, std::int64_t* /*scratch*/)
      : sums_(data.sums), weights_(data.weights) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    score_ = SquaredErrorScore(node[0], node[1]);
    weight_ = left[0];
    sum_ = left[1];
  }
  void move(std::uint32_t row) {
    if constexpr (Weighted)
      weight_ += weights_[row];
    else
      ++weight_;
    sum_ += sums_[row];
  }
  [[nodiscard]] std::int64_t score() const { return score_(weight_, sum_); }

 private:
  const std::int64_t* sums_;
  const std::int64_t* weights_;
  SquaredErrorScore score_;
  std::int64_t weight_ = 0;
  std::int64_t sum_ = 0;
};

// The best of the candidates lowest .. highest known rows on the left. Requires: 1 <= lowest, and
// order[highest] exists.
template <class Scorer>
void scan(Scorer scorer, const Entry* order, Index lowest, Index highest, bool missing_left,
          Candidate& best) {
  Index i = 0;
  for (; i + 1 < lowest; ++i) scorer.move(order[i].payload);
  std::int64_t best_score = best.score;
  Index best_known = -1;
  for (; i < highest; ++i) {
    scorer.move(order[i].payload);
    const std::int64_t score = scorer.score();
    if (score > best_score && order[i].rank != order[i + 1].rank) {
      best_score = score;
      best_known = i + 1;
    }
  }
  if (best_known > 0) best = {best_score, best_known, missing_left};
}

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
    std::vector<std::int64_t> counts;  // of a scorer
    std::vector<std::int64_t> left;    // width: what starts on the left
    std::vector<Entry> right;          // a partition's right side
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
  template <class Scorer>
  [[nodiscard]] Candidate best_of_feature_by(const OpenNode& node, Index feature, Scratch& scratch);
  void add_rows(const Entry* order, Index count, std::int64_t* statistics) const;
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
               0};
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
    own.counts.resize(static_cast<std::size_t>(2 * rules.width()));
    own.left.resize(static_cast<std::size_t>(rules.width()));
    own.looked_at.resize(static_cast<std::size_t>(data.cols));
  }
  // A table of φ pays where rows meet its entries often.
  const Index longest_table = std::max(8 * n, Index{1} << 16);
  if (rules.criterion == TreeCriterion::entropy && rules.total_weight <= longest_table) {
    entropy_terms_ = Buffer<std::int64_t>(engine_, rules.total_weight + 1);
    parallel_pieces(threads_, rules.total_weight + 1, 4096, [&](Piece piece) {
      for (Index w = piece.begin; w < piece.end; ++w) {
        entropy_terms_.data()[w] = entropy_term(rules_, w);
      }
    });
    row_data_.entropy_terms = entropy_terms_.data();
    if (row_data_.weights == nullptr && rules.classes > 2) {
      entropy_steps_ = Buffer<std::int64_t>(engine_, rules.total_weight);
      for (Index w = 0; w < rules.total_weight; ++w) {
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
void CpuSteps<T>::add_rows(const Entry* order, Index count, std::int64_t* statistics) const {
  for (Index i = 0; i < count; ++i) {
    const std::uint32_t payload = order[i].payload;
    const std::uint32_t row = payload >> row_data_.class_bits;
    const std::int64_t weight = row_data_.weights != nullptr ? row_data_.weights[row] : 1;
    if (rules_.classes > 0) {
      statistics[row_data_.class_bits > 0
                     ? static_cast<std::int32_t>(payload & row_data_.class_mask)
                     : row_data_.labels[row]] += weight;
    } else {
      statistics[0] += weight;
      statistics[1] += row_data_.sums[row];
      statistics[2] += row_data_.squares[row];
    }
  }
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
template <class Scorer>
Candidate CpuSteps<T>::best_of_feature_by(const OpenNode& node, Index feature, Scratch& own) {
  const Entry* order = order_of(feature) + node.begin;
  const Index known = known_rows(order, node.rows);
  const Index missing = node.rows - known;
  const Index least = rules_.min_samples_leaf;
  Scorer scorer(row_data_, own.counts.data());
  Candidate best;
  if (missing > 0) {
    // Missing values to the left of every threshold. All known against all missing is left to the
    // second scan, which knows it as missing to the right.
    std::fill(own.left.begin(), own.left.end(), 0);
    add_rows(order + known, missing, own.left.data());
    scorer.start(node.statistics, own.left.data());
    scan(scorer, order, std::max<Index>(1, least - missing),
         std::min(known - 1, node.rows - missing - least), true, best);
  }
  Candidate right;
  std::fill(own.left.begin(), own.left.end(), 0);
  scorer.start(node.statistics, own.left.data());
  scan(scorer, order, least, std::min(missing > 0 ? known : known - 1, node.rows - least), false,
       right);
  const bool better =
      right.score > best.score ||
      (right.score == best.score && right.score != no_score && right.known < best.known);
  return better ? right : best;
}

template <Real T>
Candidate CpuSteps<T>::best_of_feature(const OpenNode& node, Index feature, Scratch& own) {
  const bool weighted = row_data_.weights != nullptr;
  const bool table = row_data_.entropy_terms != nullptr;
  switch (rules_.criterion) {
    case TreeCriterion::entropy:
      if (!weighted) {
        if (rules_.classes == 2) {
          return best_of_feature_by<EntropyOfTwo>(node, feature, own);
        }
        return best_of_feature_by<EntropyOfCounts>(node, feature, own);
      }
      if (table) return best_of_feature_by<EntropyOfWeights<EntropyTable>>(node, feature, own);
      return best_of_feature_by<EntropyOfWeights<EntropyFunction>>(node, feature, own);
    case TreeCriterion::gini:
      if (!weighted) {
        if (rules_.classes == 2) {
          return best_of_feature_by<GiniOfTwo>(node, feature, own);
        }
        return best_of_feature_by<GiniInIntegers<false>>(node, feature, own);
      }
      if (exact_squares(rules_)) {
        return best_of_feature_by<GiniInIntegers<true>>(node, feature, own);
      }
      return best_of_feature_by<GiniInDoubles>(node, feature, own);
    case TreeCriterion::squared_error:
    case TreeCriterion::automatic: break;  // no rules have it
  }
  if (weighted) return best_of_feature_by<SquaredError<true>>(node, feature, own);
  return best_of_feature_by<SquaredError<false>>(node, feature, own);
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
  add_rows(order, candidate.known, left_statistics);
  if (candidate.missing_left) add_rows(order + known, node.rows - known, left_statistics);
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
  struct Open {
    Index node;
    Index begin;
    std::uint64_t key;
  };
  const Index width = rules_.width();
  auto& nodes = subtree.nodes;
  auto& statistics = subtree.statistics;
  nodes.assign(1, {});
  nodes[0].rows = root.rows;
  nodes[0].depth = root.depth;
  statistics.assign(root.statistics, root.statistics + width);
  std::vector<Open> open{{0, root.begin, root.key}};
  std::vector<std::int64_t> left(static_cast<std::size_t>(width));
  std::vector<std::int64_t> right(static_cast<std::size_t>(width));
  std::vector<std::int64_t> whole(static_cast<std::size_t>(width));
  while (!open.empty()) {
    const Open at = open.back();
    open.pop_back();
    std::copy_n(statistics.begin() + at.node * width, width, whole.begin());
    const Index rows = nodes[static_cast<std::size_t>(at.node)].rows;
    const Index depth = nodes[static_cast<std::size_t>(at.node)].depth;
    const OpenNode node{at.begin, rows, depth, at.key, whole.data()};
    if (rules_.classes == 0 && of_one_value(node)) continue;
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
    const NodeSplit<T> split = complete(node, best_feature, best, left.data());
    if (split.feature < 0) continue;
    for (std::size_t k = 0; k < whole.size(); ++k) right[k] = whole[k] - left[k];
    if (rules_.min_impurity_decrease > 0 &&
        impurity_decrease(rules_, whole.data(), left.data(), right.data()) <
            rules_.min_impurity_decrease) {
      continue;
    }
    const auto first_child = static_cast<Index>(nodes.size());
    {
      GrownNode<T>& grown = nodes[static_cast<std::size_t>(at.node)];
      grown.feature = split.feature;
      grown.threshold = split.threshold;
      grown.missing_left = split.missing_left;
      grown.left = first_child;
      grown.right = first_child + 1;
    }
    GrownNode<T> child;
    child.depth = depth + 1;
    child.rows = split.left_rows;
    nodes.push_back(child);
    child.rows = rows - split.left_rows;
    nodes.push_back(child);
    statistics.insert(statistics.end(), left.begin(), left.end());
    statistics.insert(statistics.end(), right.begin(), right.end());
    const SplitToApply apply{at.begin,
                             rows,
                             split.feature,
                             split.left_known,
                             split.left_rows,
                             split.missing_left,
                             may_split(rules_, split.left_rows, depth + 1, left.data()),
                             may_split(rules_, rows - split.left_rows, depth + 1, right.data())};
    if (!apply.left_open && !apply.right_open) continue;
    mark_left(apply);
    for (Index f = 0; f < data_.cols; ++f) partition(apply, f, own);
    if (apply.right_open) {
      open.push_back({first_child + 1, at.begin + split.left_rows, child_key(at.key, true)});
    }
    if (apply.left_open) open.push_back({first_child, at.begin, child_key(at.key, false)});
  }
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
