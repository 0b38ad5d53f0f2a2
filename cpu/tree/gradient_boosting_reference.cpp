// The textbook of boosting over histograms: one row, one bin, one cut after the other. Gradients
// and losses in double precision.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "core/tree/gradient_boosting_steps.hpp"

namespace tandem::tree {
namespace {

template <Real T>
class ReferenceGradientBoosting final : public GradientBoostingSteps<T> {
 public:
  void prepare(const BoostingData<T>& data, Index outputs, std::int32_t slots) override {
    data_ = data;
    outputs_ = outputs;
    slots_.assign(static_cast<std::size_t>(slots), {});
    set_words_ = data.set_words();
    places_ = histogram_places(data.bins, data.missing, data.bin_bytes);
  }

  void compute_gradients(const LossRules<T>& loss, const Buffer<T>& scores,
                         std::span<GradientRange> ranges) override {
    const LossRules<double> rules{loss.kind, static_cast<double>(loss.parameter), loss.outputs};
    gradients_.assign(static_cast<std::size_t>(outputs_ * data_.rows), T{0});
    hessians_ = gradients_;
    for (GradientRange& range : ranges) range = {};
    for (Index i = 0; i < data_.rows; ++i) {
      const double w = data_.weights->empty() ? 1.0 : static_cast<double>(data_.weights->data()[i]);
      const double y = static_cast<double>(data_.target->data()[i]);
      const std::vector<double> s(scores.data() + i * outputs_, scores.data() + (i + 1) * outputs_);
      for (Index k = 0; k < outputs_; ++k) {
        double g = 0;
        double h = 0;
        if (loss.kind == BoostingLoss::softmax) {
          const double largest = *std::max_element(s.begin(), s.end());
          double sum = 0;
          for (const double score : s) sum += std::exp(score - largest);
          const double p = std::exp(s[static_cast<std::size_t>(k)] - largest) / sum;
          g = p - (y == static_cast<double>(k) ? 1 : 0);
          h = std::max(2 * p * (1 - p), 1e-16);
        } else {
          const auto both = gradient_of(rules, s[0], y);
          g = both.gradient;
          h = both.hessian;
        }
        const auto at = static_cast<std::size_t>(k * data_.rows + i);
        gradients_[at] = static_cast<T>(w * g);
        hessians_[at] = static_cast<T>(w * h);
        GradientRange& range = ranges[static_cast<std::size_t>(k)];
        const auto raise = [](double& to, T value) {
          const double magnitude = std::abs(static_cast<double>(value));
          if (magnitude > to || magnitude != magnitude) to = magnitude;
        };
        raise(range.most_gradient, gradients_[at]);
        raise(range.most_hessian, hessians_[at]);
      }
    }
  }

  void take_gradients(const Buffer<T>& gradients, const Buffer<T>& hessians,
                      std::span<GradientRange> ranges) override {
    gradients_.assign(gradients.data(), gradients.data() + gradients.size());
    hessians_.assign(hessians.data(), hessians.data() + hessians.size());
    for (Index k = 0; k < outputs_; ++k) {
      GradientRange& range = ranges[static_cast<std::size_t>(k)];
      range = {};
      for (Index i = 0; i < data_.rows; ++i) {
        const auto at = static_cast<std::size_t>(k * data_.rows + i);
        if (!data_.weights->empty()) {
          gradients_[at] *= data_.weights->data()[i];
          hessians_[at] *= data_.weights->data()[i];
        }
        const auto raise = [](double& to, T value) {
          const double magnitude = std::abs(static_cast<double>(value));
          if (magnitude > to || magnitude != magnitude) to = magnitude;
        };
        raise(range.most_gradient, gradients_[at]);
        raise(range.most_hessian, hessians_[at]);
      }
    }
  }

  void leaf_quantiles(std::span<const LeafRange<T>> leaves, const QuantileRule& rule, Index output,
                      const Buffer<T>& scores, std::span<T> values) override {
    for (std::size_t l = 0; l < leaves.size(); ++l) {
      std::vector<std::pair<T, std::int64_t>> left;  // to explain, and weights
      std::int64_t total = 0;
      for (Index k = 0; k < leaves[l].rows; ++k) {
        const Index row = order_[leaves[l].side][static_cast<std::size_t>(leaves[l].begin + k)];
        const std::int64_t weight =
            data_.weights->empty() ? 1
                                   : whole_weight(data_.weights->data()[row], rule.weight_scale);
        left.emplace_back(data_.target->data()[row] - scores.data()[row * outputs_ + output],
                          weight);
        total += weight;
      }
      std::ranges::sort(left);
      const auto reached = [&](std::int64_t needed) {
        std::int64_t sum = 0;
        for (const auto& [value, weight] : left) {
          sum += weight;
          if (sum >= needed) return value;
        }
        return T{0};
      };
      values[l] = middle_of(reached(lower_need(rule, total)), reached(upper_need(rule, total)));
    }
  }

  GradientRank rank_gradients(Index output, Index count) override {
    std::vector<double> magnitudes;
    for (Index i = 0; i < data_.rows; ++i) {
      const T gradient = gradients_[static_cast<std::size_t>(output * data_.rows + i)];
      magnitudes.push_back(std::abs(static_cast<double>(gradient)));
    }
    std::ranges::sort(magnitudes, std::greater<>());
    const double found = magnitudes[static_cast<std::size_t>(count - 1)];
    const auto above = std::ranges::count_if(magnitudes, [&](double m) { return m > found; });
    return {found, static_cast<Index>(above)};
  }

  PackedSums pack(Index output, const GradientPacking& packing, const RowSample& sample) override {
    PackedSums sums;
    g_.assign(static_cast<std::size_t>(data_.rows), 0);
    h_ = g_;
    for (auto& order : order_) order.assign(static_cast<std::size_t>(data_.rows), 0);
    for (Index i = 0; i < data_.rows; ++i) {
      const auto at = static_cast<std::size_t>(output * data_.rows + i);
      if (!sample.has(i, gradients_[at])) continue;
      const auto row = static_cast<std::size_t>(i);
      const T weight = sample.all() ? T{1} : sample.weight_of(gradients_[at]);
      pack_row(packing, weight * gradients_[at], weight * hessians_[at], g_[row], h_[row]);
      order_[0][static_cast<std::size_t>(sums.rows++)] = i;
      sums.g += g_[row];
      sums.h += h_[row];
      sums.magnitudes += std::abs(g_[row]);
    }
    return sums;
  }

  void build_histograms(std::span<const HistogramTask> tasks) override {
    for (const HistogramTask& task : tasks) {
      Histogram& histogram = slots_[static_cast<std::size_t>(task.slot)];
      histogram.assign(static_cast<std::size_t>(places_.back()), {});
      for (Index k = 0; k < task.rows; ++k) {
        const Index row = order_[task.side][static_cast<std::size_t>(task.begin + k)];
        for (Index j = 0; j < data_.features; ++j) {
          const Index place = places_[static_cast<std::size_t>(j)] + bin_of(row, j);
          Bin& bin = histogram[static_cast<std::size_t>(place)];
          bin.g += g_[static_cast<std::size_t>(row)];
          bin.h += h_[static_cast<std::size_t>(row)];
        }
      }
      if (task.parent < 0) continue;
      Histogram& sibling = slots_[static_cast<std::size_t>(task.parent)];
      for (std::size_t b = 0; b < histogram.size(); ++b) {
        sibling[b].g -= histogram[b].g;
        sibling[b].h -= histogram[b].h;
      }
    }
  }

  void find_splits(const GainRules& rules, std::span<const SplitQuery> queries,
                   std::span<const std::uint8_t> allowed, std::span<HistogramSplit> splits,
                   std::span<std::uint32_t> sets) override {
    std::fill(sets.begin(), sets.end(), 0);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      const SplitQuery& query = queries[q];
      const Histogram& histogram = slots_[static_cast<std::size_t>(query.slot)];
      splits[q] = {};
      const std::span<std::uint32_t> set =
          sets.empty() ? sets
                       : sets.subspan(q * static_cast<std::size_t>(set_words_),
                                      static_cast<std::size_t>(set_words_));
      for (Index j = 0; j < data_.features; ++j) {
        const auto at = static_cast<std::size_t>(j);
        if (!allowed.empty() && allowed[q * static_cast<std::size_t>(data_.features) + at] == 0) {
          continue;
        }
        const Index bins = data_.bins[at];
        const Bin* of_feature = histogram.data() + places_[at];
        if (data_.kind(j) != BinKind::numbers) {
          find_set(rules, query, j, of_feature, splits[q], set);
          continue;
        }
        const Bin missing = data_.missing[at] != 0 ? of_feature[bins] : Bin{};
        const bool has_missing = missing.g != 0 || missing.h != 0;
        const int direction = data_.directions.empty() ? 0 : data_.directions[at];
        Bin left;
        for (Index b = 0; b < bins; ++b) {
          left.g += of_feature[b].g;
          left.h += of_feature[b].h;
          // Known values up to b on the left; missing ones with them, then not.
          for (const bool missing_left : {true, false}) {
            if (missing_left && !has_missing) continue;
            if (b + 1 == bins && (missing_left || !has_missing)) continue;
            const std::int64_t g = left.g + (missing_left ? missing.g : 0);
            const std::int64_t h = left.h + (missing_left ? missing.h : 0);
            const double sum = score_sum(rules, g, h, query.g, query.h, query.bounds, direction);
            if (!(sum > splits[q].sum)) continue;
            std::fill(set.begin(), set.end(), 0);
            const bool to_left = has_missing ? missing_left : heavier_left(h, query.h);
            splits[q] = {
                sum, static_cast<std::int32_t>(j), static_cast<std::int32_t>(b), to_left ? 1 : 0, g,
                h};
          }
        }
      }
    }
  }

  void apply_splits(std::span<const SplitTask> tasks, std::span<const std::uint32_t> sets,
                    std::span<Index> left_rows) override {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      const SplitTask& task = tasks[t];
      std::vector<Index> left;
      std::vector<Index> right;
      for (Index k = 0; k < task.rows; ++k) {
        const Index row = order_[task.side][static_cast<std::size_t>(task.begin + k)];
        const Index bin = bin_of(row, task.feature);
        const bool goes_left =
            task.goes_left(static_cast<std::int32_t>(bin), sets.data(), set_words_);
        (goes_left ? left : right).push_back(row);
      }
      left_rows[t] = static_cast<Index>(left.size());
      auto to = order_[1 - task.side].begin() + task.begin;
      to = std::copy(left.begin(), left.end(), to);
      std::copy(right.begin(), right.end(), to);
    }
  }

  void add_leaves(std::span<const LeafRange<T>> leaves, Index output, Buffer<T>& scores) override {
    for (const LeafRange<T>& leaf : leaves) {
      for (Index k = 0; k < leaf.rows; ++k) {
        const Index row = order_[leaf.side][static_cast<std::size_t>(leaf.begin + k)];
        scores.data()[row * outputs_ + output] += leaf.value;
      }
    }
  }

  void add_tree(std::span<const BinnedNode<T>> nodes, std::span<const std::uint32_t> sets,
                const Buffer<std::uint8_t>& by_row, Index rows, Index output,
                Buffer<T>& scores) override {
    for (Index i = 0; i < rows; ++i) {
      std::int32_t node = 0;
      while (nodes[static_cast<std::size_t>(node)].left != node) {
        const BinnedNode<T>& here = nodes[static_cast<std::size_t>(node)];
        const auto bin = static_cast<std::int32_t>(bin_at(by_row, i * data_.stride + here.feature));
        node = here.goes_left(bin, sets.data(), set_words_) ? here.left : here.left + 1;
      }
      scores.data()[i * outputs_ + output] += nodes[static_cast<std::size_t>(node)].value;
    }
  }

  double total_loss(const LossRules<T>& loss, const Buffer<T>& scores, const Buffer<T>& target,
                    const Buffer<T>& weights, Index rows) override {
    const LossRules<double> rules{loss.kind, static_cast<double>(loss.parameter), loss.outputs};
    double total = 0;
    for (Index i = 0; i < rows; ++i) {
      const std::vector<double> s(scores.data() + i * outputs_, scores.data() + (i + 1) * outputs_);
      const double w = weights.empty() ? 1.0 : static_cast<double>(weights.data()[i]);
      total += w * loss_of(rules, s.data(), static_cast<double>(target.data()[i]));
    }
    return total;
  }

 private:
  struct Bin {
    std::int64_t g = 0;
    std::int64_t h = 0;
  };
  using Histogram = std::vector<Bin>;

  // Takes the best set of one feature in place of what was found before, where it is better.
  void find_set(const GainRules& rules, const SplitQuery& query, Index feature,
                const Bin* histogram, HistogramSplit& best, std::span<std::uint32_t> set) const {
    const std::int32_t bins = data_.bins[static_cast<std::size_t>(feature)];
    std::vector<std::int32_t> order;
    for (std::int32_t b = 0; b < set_bins(data_.kind(feature), bins); ++b) {
      if (histogram[b].h > 0) order.push_back(b);
    }
    const auto consider = [&](const GainRules& by, std::int32_t candidate,
                              std::span<const std::int32_t> members) {
      Bin left;
      for (const std::int32_t b : members) {
        left.g += histogram[b].g;
        left.h += histogram[b].h;
      }
      const double sum = score_sum(by, left.g, left.h, query.g, query.h, query.bounds, 0);
      if (!(sum > best.sum)) return;
      best = {sum, static_cast<std::int32_t>(feature), candidate, 0, left.g, left.h};
      std::fill(set.begin(), set.end(), 0);
      for (const std::int32_t b : members) add_bin(set.data(), b);
    };
    if (one_against_rest(rules, bins)) {
      for (const std::int32_t b : order) consider(rules, b, {&b, 1});
      return;
    }
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return category_place(rules, histogram[a].g, histogram[a].h) <
             category_place(rules, histogram[b].g, histogram[b].h);
    });
    const GainRules by = rules_of_sets(rules);
    const auto most =
        std::min(order.size(), static_cast<std::size_t>(rules.categories.max_threshold));
    for (const bool last : {false, true}) {
      for (std::size_t n = 1; n <= most; ++n) {
        const auto members = last ? std::span(order).last(n) : std::span(order).first(n);
        consider(by, static_cast<std::int32_t>(n) - 1 + (last ? last_first : 0), members);
      }
    }
  }

  [[nodiscard]] Index bin_of(Index row, Index feature) const {
    return bin_at(*data_.by_column, feature * data_.rows + row);
  }
  [[nodiscard]] Index bin_at(const Buffer<std::uint8_t>& bins, Index place) const {
    if (data_.bin_bytes == 1) return bins.data()[place];
    return bins.data()[2 * place] + 256 * bins.data()[2 * place + 1];
  }

  BoostingData<T> data_;
  Index outputs_ = 1;
  std::vector<Histogram> slots_;
  std::vector<Index> places_;  // of each feature's bins in a histogram
  Index set_words_ = 0;
  std::vector<T> gradients_;  // outputs × n
  std::vector<T> hessians_;
  std::vector<std::int64_t> g_;  // by row
  std::vector<std::int64_t> h_;
  std::vector<Index> order_[2];
};

}  // namespace

template <Real T>
std::unique_ptr<GradientBoostingSteps<T>> GradientBoostingSteps<T>::make_reference(Engine&) {
  return std::make_unique<ReferenceGradientBoosting<T>>();
}
template std::unique_ptr<GradientBoostingSteps<float>> GradientBoostingSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<GradientBoostingSteps<double>>
GradientBoostingSteps<double>::make_reference(Engine&);

}  // namespace tandem::tree
