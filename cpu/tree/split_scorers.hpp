// Scorers of cuts on the CPU, and the scan that finds the best cut of one feature in one node.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/tree/split_gain.hpp"
#include "cpu/tree/squared_error_cuts.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

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
  const std::int64_t* squares;  // null where nobody asks for their sums
  int class_bits;               // of the payload; 0 where the class is looked up
  std::uint32_t class_mask;
  bool weight_in_payload;  // above the class, in place of the row
};

// Where the weight of a row of a classification is: it is 1; in RowData::weights; in the payload.
enum class RowWeight { one, looked_up, in_payload };

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

template <bool weight_in_payload>
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
    if constexpr (weight_in_payload) {
      const std::int64_t weight = payload >> 1;
      left_ += weight;
      left1_ += weight & -static_cast<std::int64_t>(payload & 1U);
    } else {
      left1_ += payload & 1U;
      ++left_;
    }
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

// Any number of classes.
template <RowWeight weighs>
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
    const std::uint32_t above = payload >> data_.class_bits;
    if constexpr (weighs == RowWeight::in_payload) return {payload & data_.class_mask, above};
    const std::uint32_t label = data_.class_bits > 0
                                    ? payload & data_.class_mask
                                    : static_cast<std::uint32_t>(data_.labels[above]);
    if constexpr (weighs == RowWeight::looked_up)
      return {label, data_.weights[above]};
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

template <class Term, RowWeight weighs>
class EntropyOfWeights : public ClassCounts<weighs> {
 public:
  EntropyOfWeights(const RowData& data, std::int64_t* scratch)
      : ClassCounts<weighs>(data, scratch), term_(make(data)) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<weighs>::start(node, left);
    class_terms_ = 0;
    for (std::int32_t c = 0; c < this->classes_; ++c) {
      class_terms_ += term_(this->left_[c]) + term_(this->right_[c]);
    }
  }
  void move(std::uint32_t payload) {
    const auto [label, weight] = this->row_of(payload);
    std::int64_t& left = this->left_[label];
    std::int64_t& right = this->right_[label];
    class_terms_ -= term_(left) + term_(right);
    left += weight;
    right -= weight;
    class_terms_ += term_(left) + term_(right);
    this->left_total_ += weight;
    this->right_total_ -= weight;
  }
  [[nodiscard]] std::int64_t score() const {
    return entropy_score(class_terms_, term_(this->left_total_), term_(this->right_total_));
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
class EntropyOfCounts : public ClassCounts<RowWeight::one> {
 public:
  EntropyOfCounts(const RowData& data, std::int64_t* scratch)
      : ClassCounts<RowWeight::one>(data, scratch),
        term_{data.entropy_terms},
        step_(data.entropy_steps) {}
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<RowWeight::one>::start(node, left);
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
template <RowWeight weighs>
class GiniInIntegers : public ClassCounts<weighs> {
 public:
  using ClassCounts<weighs>::ClassCounts;
  void start(const std::int64_t* node, const std::int64_t* left) {
    ClassCounts<weighs>::start(node, left);
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
template <RowWeight weighs>
class GiniInDoubles : public ClassCounts<weighs> {
 public:
  using ClassCounts<weighs>::ClassCounts;
  void move(std::uint32_t payload) {
    const auto [label, weight] = this->row_of(payload);
    this->left_[label] += weight;
    this->right_[label] -= weight;
    this->left_total_ += weight;
    this->right_total_ -= weight;
  }
  [[nodiscard]] std::int64_t score() const {
    return rounded_gini_score(
        sum_of_squares(this->left_, this->classes_), static_cast<double>(this->left_total_),
        sum_of_squares(this->right_, this->classes_), static_cast<double>(this->right_total_));
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

  // Of the node, and of what is on the left.
  [[nodiscard]] const SquaredErrorScore& node() const { return score_; }
  [[nodiscard]] std::int64_t left_weight() const { return weight_; }
  [[nodiscard]] std::int64_t left_sum() const { return sum_; }

 private:
  const std::int64_t* sums_;
  const std::int64_t* weights_;
  SquaredErrorScore score_;
  std::int64_t weight_ = 0;
  std::int64_t sum_ = 0;
};

// The best of the candidates lowest .. highest known rows on the left. Requires: 1 <= lowest, and
// order.rank(highest) exists. Order has rank(i) and payload(i) of the i-th row, known ones in
// ascending order before missing ones.
template <class Scorer, class Order>
void scan(Scorer scorer, const Order& order, Index lowest, Index highest, bool missing_left,
          Candidate& best) {
  Index i = 0;
  for (; i + 1 < lowest; ++i) scorer.move(order.payload(i));
  std::int64_t best_score = best.score;
  Index best_known = -1;
  for (; i < highest; ++i) {
    scorer.move(order.payload(i));
    const std::int64_t score = scorer.score();
    if (score > best_score && order.rank(i) != order.rank(i + 1)) {
      best_score = score;
      best_known = i + 1;
    }
  }
  if (best_known > 0) best = {best_score, best_known, missing_left};
}

// The same for a regression: most cuts are ruled out by bounds of their scores.
template <bool Weighted, class Order>
void scan(SquaredError<Weighted> scorer, const Order& order, Index lowest, Index highest,
          bool missing_left, Candidate& best) {
  constexpr Index at_once = cpu::SquaredErrorCuts::at_once;
  Index i = 0;
  for (; i + 1 < lowest; ++i) scorer.move(order.payload(i));
  const SquaredErrorScore& node = scorer.node();
  cpu::SquaredErrorCuts cuts;
  cuts.weight = node.weight;
  cuts.sum = node.sum;
  std::int64_t best_score = best.score;
  Index best_known = -1;
  double floor = best_score > 0 ? std::bit_cast<double>(best_score) : 0.0;
  for (; i < highest; i += cuts.count) {
    cuts.count = std::min(at_once, highest - i);
    cuts.valid = 0;
    for (Index k = 0; k < cuts.count; ++k) {
      scorer.move(order.payload(i + k));
      cuts.left_weights[k] = scorer.left_weight();
      cuts.left_sums[k] = scorer.left_sum();
      const std::uint64_t between_ranks = order.rank(i + k) != order.rank(i + k + 1) ? 1 : 0;
      cuts.valid |= between_ranks << k;
    }
    for (Index k = cuts.count; k % cpu::SquaredErrorCuts::most_lanes != 0; ++k) {
      cuts.left_weights[k] = 0;
      cuts.left_sums[k] = 0;
    }
    for (std::uint64_t found = cpu::cuts_to_score(cuts, floor); found != 0; found &= found - 1) {
      const auto k = static_cast<Index>(std::countr_zero(found));
      const std::int64_t score = node(cuts.left_weights[k], cuts.left_sums[k]);
      if (score <= best_score) continue;
      best_score = score;
      best_known = i + k + 1;
    }
  }
  if (best_known > 0) best = {best_score, best_known, missing_left};
}

// What a cut is judged by: a node, and where one feature's values are known. The entries of the
// order are rows, or several rows of one rank that move as one.
struct CutsOfNode {
  Index entries;
  Index known;                     // entries whose value is known: they come first
  const std::int64_t* statistics;  // of the node
  Index only = -1;                 // >= 1: of all cuts the one after so many known entries
  // How many rows each entry is, where that matters to min_samples_leaf and is not 1.
  const std::uint32_t* rows_of_entries = nullptr;
  std::int64_t above = no_score;  // cuts that score no more than this need not be found
};

// The least and the greatest number of known entries on the left at which a cut leaves `least` rows
// on either side; missing values go left or right.
struct EntryRange {
  Index lowest;
  Index highest;
};
inline EntryRange admissible(const CutsOfNode& node, Index least, bool missing_left) {
  const Index missing = node.entries - node.known;
  if (node.rows_of_entries == nullptr) {
    return missing_left ? EntryRange{least - missing, node.known - least}
                        : EntryRange{least, node.entries - least};
  }
  Index right = 0;
  for (Index i = 0; i < node.entries; ++i) right += node.rows_of_entries[i];
  Index left = 0;
  for (Index i = node.known; missing_left && i < node.entries; ++i) left += node.rows_of_entries[i];
  right -= left;
  EntryRange range{node.known + 1, 0};
  for (Index i = 0; i < node.known; ++i) {
    left += node.rows_of_entries[i];
    right -= node.rows_of_entries[i];
    if (left >= least && i + 1 < range.lowest) range.lowest = i + 1;
    if (right >= least) range.highest = i + 1;
  }
  return range;
}

// The working memory of one thread.
struct ScorerScratch {
  std::vector<std::int64_t> counts;  // of a scorer
  std::vector<std::int64_t> left;    // width: what starts on the left
  void prepare(const SplitRules& rules) {
    counts.resize(static_cast<std::size_t>(2 * rules.width()));
    left.resize(static_cast<std::size_t>(rules.width()));
  }
};

// Adds rows begin .. end − 1 of the order to the statistics.
template <class Order>
void add_rows(const RowData& data, const Order& order, Index begin, Index end,
              std::int64_t* statistics) {
  for (Index i = begin; i < end; ++i) {
    const std::uint32_t payload = order.payload(i);
    const std::uint32_t row = payload >> data.class_bits;
    const std::int64_t weight = data.weight_in_payload    ? row
                                : data.weights != nullptr ? data.weights[row]
                                                          : 1;
    if (data.rules->classes > 0) {
      statistics[data.class_bits > 0 ? static_cast<std::int32_t>(payload & data.class_mask)
                                     : data.labels[row]] += weight;
    } else {
      statistics[0] += weight;
      statistics[1] += data.sums[row];
      if (data.squares != nullptr) statistics[2] += data.squares[row];
    }
  }
}

template <class Scorer, class Order>
[[nodiscard]] Candidate best_cut_by(const RowData& data, const CutsOfNode& node, const Order& order,
                                    ScorerScratch& own) {
  const bool missing = node.known < node.entries;
  const Index least = data.rules->min_samples_leaf;
  const Index first = std::max<Index>(1, node.only);
  const Index last = node.only > 0 ? node.only : node.entries;
  Scorer scorer(data, own.counts.data());
  Candidate best{node.above};
  if (missing) {
    // Missing values to the left of every threshold. All known against all missing is left to the
    // second scan, which knows it as missing to the right.
    std::fill(own.left.begin(), own.left.end(), 0);
    add_rows(data, order, node.known, node.entries, own.left.data());
    scorer.start(node.statistics, own.left.data());
    const EntryRange range = admissible(node, least, true);
    scan(scorer, order, std::max(first, range.lowest),
         std::min({last, node.known - 1, range.highest}), true, best);
  }
  Candidate right{node.above};
  std::fill(own.left.begin(), own.left.end(), 0);
  scorer.start(node.statistics, own.left.data());
  const EntryRange range = admissible(node, least, false);
  scan(scorer, order, std::max(first, range.lowest),
       std::min({last, missing ? node.known : node.known - 1, range.highest}), false, right);
  const bool better =
      right.score > best.score ||
      (right.score == best.score && right.score != node.above && right.known < best.known);
  return better ? right : best;
}

// The best cut of a feature that varies in the node: the highest score, then the lowest threshold,
// then missing values to the left.
template <class Order>
[[nodiscard]] Candidate best_cut(const RowData& data, const CutsOfNode& node, const Order& order,
                                 ScorerScratch& own) {
  const SplitRules& rules = *data.rules;
  const bool two = rules.classes == 2;
  const bool table = data.entropy_terms != nullptr;
  const bool in_payload = data.weight_in_payload;
  const bool weighted = data.weights != nullptr;
  constexpr auto one = RowWeight::one;
  constexpr auto looked_up = RowWeight::looked_up;
  constexpr auto in_pay = RowWeight::in_payload;
  switch (rules.criterion) {
    case TreeCriterion::entropy:
      if (in_payload) {
        if (table)
          return best_cut_by<EntropyOfWeights<EntropyTable, in_pay>>(data, node, order, own);
        return best_cut_by<EntropyOfWeights<EntropyFunction, in_pay>>(data, node, order, own);
      }
      if (!weighted) {
        if (two) return best_cut_by<EntropyOfTwo>(data, node, order, own);
        return best_cut_by<EntropyOfCounts>(data, node, order, own);
      }
      if (table) {
        return best_cut_by<EntropyOfWeights<EntropyTable, looked_up>>(data, node, order, own);
      }
      return best_cut_by<EntropyOfWeights<EntropyFunction, looked_up>>(data, node, order, own);
    case TreeCriterion::gini:
      if (in_payload) {
        if (two && exact_squares(rules)) {
          return best_cut_by<GiniOfTwo<true>>(data, node, order, own);
        }
        if (exact_squares(rules)) {
          return best_cut_by<GiniInIntegers<in_pay>>(data, node, order, own);
        }
        return best_cut_by<GiniInDoubles<in_pay>>(data, node, order, own);
      }
      if (!weighted) {
        if (two) return best_cut_by<GiniOfTwo<false>>(data, node, order, own);
        return best_cut_by<GiniInIntegers<one>>(data, node, order, own);
      }
      if (exact_squares(rules)) {
        return best_cut_by<GiniInIntegers<looked_up>>(data, node, order, own);
      }
      return best_cut_by<GiniInDoubles<looked_up>>(data, node, order, own);
    case TreeCriterion::squared_error:
    case TreeCriterion::automatic: break;  // no rules have it
  }
  if (weighted) return best_cut_by<SquaredError<true>>(data, node, order, own);
  return best_cut_by<SquaredError<false>>(data, node, order, own);
}

}  // namespace tandem::tree
