// Steps of gradient boosting on CPU cores.
//
// A histogram is made row by row: a row's bins are one or two lines of cache, and the words of a
// group of rows_per_word rows are added in a thread's own table of 8 bytes per bin, which then is
// taken apart into the node's sums of 16 bytes. Small nodes are one group each, so that a level is
// one loop over all groups of all nodes; their histograms stay words, which costs half the memory
// traffic where bins are many beside rows. Since sums are integers, their order does not matter.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "cpu/tree/boosting_categories.hpp"
#include "cpu/tree/boosting_gradients.hpp"
#include "cpu/tree/boosting_histogram.hpp"

namespace tandem::tree {
namespace {

constexpr Index group_rows = rows_per_word;

template <Real T>
class CpuGradientBoosting final : public GradientBoostingSteps<T> {
 public:
  explicit CpuGradientBoosting(Engine& engine) : engine_(engine), threads_(engine.threads()) {}

  void prepare(const BoostingData<T>& data, Index outputs, std::int32_t slots) override {
    data_ = data;
    outputs_ = outputs;
    set_words_ = data.set_words();
    places_ = histogram_places(data.bins, data.missing, data.bin_bytes);
    histogram_ = places_.back();
    sums_ = Buffer<std::int64_t>(engine_, 2 * histogram_ * slots);
    gradients_ = Buffer<T>(engine_, data.rows * outputs);
    hessians_ = Buffer<T>(engine_, data.rows * outputs);
    for (int side = 0; side < 2; ++side) {
      rows_[side] = Buffer<std::uint32_t>(engine_, data.rows);
      words_[side] = Buffer<std::int64_t>(engine_, data.rows);
    }
    left_ = Buffer<std::uint8_t>(engine_, data.rows / 8 + 16 * (pieces(data.rows, group_rows) + 1));
    scratch_.assign(static_cast<std::size_t>(threads_), {});
    in_words_.assign(static_cast<std::size_t>(slots), 0);
  }

  void compute_gradients(const LossRules<T>& loss, const Buffer<T>& scores,
                         std::span<GradientRange> ranges) override {
    const Index blocks = sum_blocks(data_.rows);
    std::vector<T> most(static_cast<std::size_t>(blocks * 2 * loss.outputs), T{0});
    unit_ = unit_hessian(loss.kind) && data_.weights->empty();
    parallel_for(threads_, blocks, [&](Index b) {
      const Piece rows = piece_of(data_.rows, sum_block, b);
      visit_gradients(rows, loss.outputs, scores, external::Access::write);
      cpu::compute_gradients(cpu::GradientBlock<T>{
          loss, scores.data() + rows.begin * loss.outputs, data_.target->data() + rows.begin,
          data_.weights->empty() ? nullptr : data_.weights->data() + rows.begin, rows.size(),
          gradients_.data() + rows.begin, unit_ ? nullptr : hessians_.data() + rows.begin,
          data_.rows, most.data() + b * 2 * loss.outputs});
    });
    for (Index k = 0; k < loss.outputs; ++k) {
      GradientRange& range = ranges[static_cast<std::size_t>(k)];
      range = {};
      for (Index b = 0; b < blocks; ++b) {
        const T* of_block = most.data() + (b * loss.outputs + k) * 2;
        const auto raise = [](double& to, T value) {
          if (static_cast<double>(value) > to || value != value) to = static_cast<double>(value);
        };
        raise(range.most_gradient, of_block[0]);
        raise(range.most_hessian, of_block[1]);
      }
    }
  }

  void take_gradients(const Buffer<T>& gradients, const Buffer<T>& hessians,
                      std::span<GradientRange> ranges) override {
    unit_ = false;
    const Index blocks = pieces(data_.rows, sum_block);
    for (Index k = 0; k < outputs_; ++k) {
      std::vector<GradientRange> parts(static_cast<std::size_t>(blocks));
      parallel_for(threads_, blocks, [&](Index b) {
        const Piece rows = piece_of(data_.rows, sum_block, b);
        GradientRange part;
        const auto raise = [](double& to, T value) {
          const double magnitude = std::abs(static_cast<double>(value));
          if (magnitude > to || magnitude != magnitude) to = magnitude;
        };
        for (Index i = rows.begin; i < rows.end; ++i) {
          const Index at = k * data_.rows + i;
          const T w = data_.weights->empty() ? T{1} : data_.weights->data()[i];
          gradients_.data()[at] = w * gradients.data()[at];
          hessians_.data()[at] = w * hessians.data()[at];
          raise(part.most_gradient, gradients_.data()[at]);
          raise(part.most_hessian, hessians_.data()[at]);
        }
        parts[static_cast<std::size_t>(b)] = part;
      });
      GradientRange& range = ranges[static_cast<std::size_t>(k)];
      range = {};
      const auto raise = [](double& to, double value) {
        if (value > to || value != value) to = value;
      };
      for (const GradientRange& part : parts) {
        raise(range.most_gradient, part.most_gradient);
        raise(range.most_hessian, part.most_hessian);
      }
    }
  }

  // Radix selection by the bits of the magnitudes, which sort as they do.
  GradientRank rank_gradients(Index output, Index count) override {
    const T* gradients = gradients_.data() + output * data_.rows;
    using Key = OrderKey<T>;
    Key begin = 0;
    Index above = 0;
    for (int shift = static_cast<int>(8 * sizeof(Key)) - 8; shift >= 0; shift -= 8) {
      std::vector<std::array<Index, 256>> counts(static_cast<std::size_t>(threads_));
      for (auto& of_thread : counts) of_thread.fill(0);
      parallel_pieces(threads_, data_.rows, group_rows, [&](Piece piece) {
        auto& of_thread = counts[static_cast<std::size_t>(place_in_team())];
        for (Index i = piece.begin; i < piece.end; ++i) {
          const Key key = order_key(std::abs(gradients[i]));
          // Two shifts, because one by all bits of the key is not defined.
          if (((key ^ begin) >> shift) >> 8 != 0) continue;
          ++of_thread[static_cast<std::size_t>((key >> shift) & 255)];
        }
      });
      std::size_t digit = 256;
      Index here = 0;
      do {
        above += here;
        --digit;
        here = 0;
        for (const auto& of_thread : counts) here += of_thread[digit];
      } while (above + here < count && digit > 0);
      begin |= static_cast<Key>(digit) << shift;
    }
    return {static_cast<double>(value_of_key<T>(begin)), above};
  }

  PackedSums pack(Index output, const GradientPacking& packing, const RowSample& sample) override {
    packing_ = packing;
    if (packing.wide && extra_[0].empty()) {
      for (auto& extra : extra_) extra = Buffer<std::int64_t>(engine_, data_.rows);
    }
    const Index count = pieces(data_.rows, group_rows);
    std::vector<PackedSums> parts(static_cast<std::size_t>(count));
    std::vector<Index> first(static_cast<std::size_t>(count) + 1, 0);
    const bool all = sample.all();
    const T* gradients = gradients_.data() + output * data_.rows;
    // Null where all are 1.
    const T* hessians = packing.unit || unit_ ? nullptr : hessians_.data() + output * data_.rows;
    // The rows of each group that are in the sample, at the group's own place; then moved together.
    parallel_for(threads_, count, [&](Index c) {
      const Piece rows = piece_of(data_.rows, group_rows, c);
      std::uint32_t* to = rows_[all ? 0 : 1].data() + rows.begin;
      visit_elements(to, rows.size(), external::Access::write);
      visit_elements(gradients + rows.begin, all ? 0 : rows.size());
      Index taken = 0;
      if (all) {
        for (; taken < rows.size(); ++taken) {
          to[taken] = static_cast<std::uint32_t>(rows.begin + taken);
        }
      } else {
        for (Index i = rows.begin; i < rows.end; ++i) {
          to[taken] = static_cast<std::uint32_t>(i);
          taken += sample.has(i, gradients[i]) ? 1 : 0;
        }
      }
      first[static_cast<std::size_t>(c) + 1] = taken;
    });
    for (std::size_t c = 0; c < static_cast<std::size_t>(count); ++c) first[c + 1] += first[c];
    parallel_for(threads_, count, [&](Index c) {
      const Piece rows = piece_of(data_.rows, group_rows, c);
      const Index begin = first[static_cast<std::size_t>(c)];
      const Index taken = first[static_cast<std::size_t>(c) + 1] - begin;
      visit_elements(gradients + rows.begin, rows.size());
      visit_elements(hessians == nullptr ? nullptr : hessians + rows.begin,
                     hessians == nullptr ? 0 : rows.size());
      visit_elements(words_[0].data() + begin, taken, external::Access::write);
      std::vector<T> picked_g;
      std::vector<T> picked_h;
      cpu::PackBlock<T> block{packing,
                              gradients + rows.begin,
                              hessians == nullptr ? nullptr : hessians + rows.begin,
                              taken,
                              words_[0].data() + begin,
                              packing.wide ? extra_[0].data() + begin : nullptr,
                              0,
                              0,
                              0};
      if (!all) {
        const std::uint32_t* from = rows_[1].data() + rows.begin;
        std::copy_n(from, taken, rows_[0].data() + begin);
        for (Index i = 0; i < taken; ++i) {
          const T weight = sample.weight_of(gradients[from[i]]);
          picked_g.push_back(weight * gradients[from[i]]);
          if (packing.unit) continue;
          picked_h.push_back(weight * (hessians == nullptr ? T{1} : hessians[from[i]]));
        }
        block.gradients = picked_g.data();
        block.hessians = packing.unit ? nullptr : picked_h.data();
      }
      cpu::pack(block);
      parts[static_cast<std::size_t>(c)] = {taken, block.g, block.h, block.magnitudes};
    });
    PackedSums sums;
    for (const PackedSums& part : parts) {
      sums.rows += part.rows;
      sums.g += part.g;
      sums.h += part.h;
      sums.magnitudes += part.magnitudes;
    }
    return sums;
  }

  void build_histograms(std::span<const HistogramTask> tasks) override {
    struct Group {
      std::size_t task;
      Index begin;
      Index rows;
      bool alone;  // the only group of its node
    };
    std::vector<Group> groups;
    std::vector<std::size_t> shared;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      const Index count = pieces(tasks[t].rows, group_rows);
      if (count > 1) shared.push_back(t);
      if (count > 1 && uses_external_memory()) {
        // Cut where the rows of all nodes are cut, so that a pass over the table serves all nodes.
        const std::uint32_t* const rows = rows_[tasks[t].side].data() + tasks[t].begin;
        for (Index begin = 0; begin < tasks[t].rows;) {
          const auto border = (rows[begin] / rows_of_pass + 1) * std::uint64_t{rows_of_pass};
          const Index most = std::min(tasks[t].rows, begin + group_rows);
          const Index end = std::lower_bound(rows + begin, rows + most, border) - rows;
          groups.push_back({t, tasks[t].begin + begin, end - begin, false});
          begin = end;
        }
        continue;
      }
      for (Index c = 0; c < count; ++c) {
        const Piece piece = piece_of(tasks[t].rows, group_rows, c);
        groups.push_back({t, tasks[t].begin + piece.begin, piece.size(), count == 1});
      }
    }
    for (const std::size_t t : shared) {
      std::fill_n(g_sums(tasks[t].slot), 2 * histogram_, 0);
    }
    for (const HistogramTask& task : tasks) {
      in_words_[static_cast<std::size_t>(task.slot)] = task.rows <= group_rows && !packing_.wide;
    }
    const auto first_row = [&](const Group& group) {
      return rows_[tasks[group.task].side].data()[group.begin];
    };
    if (uses_external_memory()) {
      std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
        return first_row(a) / rows_of_pass < first_row(b) / rows_of_pass;
      });
    }
    const auto locks = std::make_unique<std::mutex[]>(tasks.size());
    parallel_for(threads_, static_cast<Index>(groups.size()), [&](Index i) {
      const Group& group = groups[static_cast<std::size_t>(i)];
      const HistogramTask& task = tasks[group.task];
      const bool in_words = in_words_[static_cast<std::size_t>(task.slot)] != 0;
      if (in_words) std::fill_n(g_sums(task.slot), histogram_, 0);
      auto& scratch = scratch_[static_cast<std::size_t>(place_in_team())];
      const std::size_t size =
          static_cast<std::size_t>(packing_.wide ? 2 * histogram_ : histogram_);
      if (scratch.size() < size) scratch.assign(size, 0);
      const int side = task.side;
      visit_group(side, group.begin, group.rows, data_.by_row->data(),
                  data_.stride * data_.bin_bytes);
      cpu::HistogramBlock block{data_.by_row->data(),
                                data_.bin_bytes,
                                data_.stride,
                                data_.features,
                                places_.data(),
                                rows_[side].data() + group.begin,
                                words_[side].data() + group.begin,
                                packing_.wide ? extra_[side].data() + group.begin : nullptr,
                                group.rows,
                                in_words ? g_sums(task.slot) : scratch.data(),
                                scratch.data() + histogram_};
      cpu::add_rows(block);
      if (in_words) return;
      std::int64_t* g = g_sums(task.slot);
      std::int64_t* h = g + histogram_;
      std::unique_lock<std::mutex> lock;
      if (!group.alone) lock = std::unique_lock<std::mutex>(locks[group.task]);
      if (packing_.wide) {
        if (group.alone) std::fill_n(g, 2 * histogram_, 0);
        for (Index k = 0; k < 2 * histogram_; ++k) {
          g[k] += std::exchange(scratch[static_cast<std::size_t>(k)], 0);
        }
      } else {
        cpu::unpack({scratch.data(), histogram_, packing_.shift, g, h});
      }
    });
    parallel_for(threads_, static_cast<Index>(tasks.size()), [&](Index t) {
      const HistogramTask& task = tasks[static_cast<std::size_t>(t)];
      if (task.parent < 0) return;
      std::int64_t* of_parent = g_sums(task.parent);
      const std::int64_t* of_child = g_sums(task.slot);
      if (in_words_[static_cast<std::size_t>(task.parent)] != 0) {
        cpu::subtract(of_parent, of_child, histogram_);
      } else if (in_words_[static_cast<std::size_t>(task.slot)] != 0) {
        cpu::subtract_words(
            {of_parent, of_parent + histogram_, of_child, histogram_, packing_.shift});
      } else {
        cpu::subtract(of_parent, of_child, 2 * histogram_);
      }
    });
  }

  void find_splits(const GainRules& rules, std::span<const SplitQuery> queries,
                   std::span<const std::uint8_t> allowed, std::span<HistogramSplit> splits,
                   std::span<std::uint32_t> sets) override {
    constexpr Index features_at_once = 8;
    const Index parts = pieces(data_.features, features_at_once);
    const auto count = static_cast<Index>(queries.size());
    std::vector<HistogramSplit> best(static_cast<std::size_t>(count * parts));
    parallel_for(threads_, count * parts, [&](Index i) {
      const SplitQuery& query = queries[static_cast<std::size_t>(i / parts)];
      HistogramSplit& of_part = best[static_cast<std::size_t>(i)];
      const Piece features = piece_of(data_.features, features_at_once, i % parts);
      for (Index j = features.begin; j < features.end; ++j) {
        const auto at = static_cast<std::size_t>(j);
        if (!allowed.empty() &&
            allowed[static_cast<std::size_t>(i / parts * data_.features) + at] == 0) {
          continue;
        }
        if (data_.bins[at] < 2 && data_.missing[at] == 0) continue;
        HistogramSplit found;
        const cpu::CutBlock block = cut_block(rules, query, j);
        if (data_.kind(j) == BinKind::numbers) {
          cpu::find_cut(block, found);
        } else {
          cpu::find_set(block, data_.kind(j), found);
        }
        if (found.feature >= 0 && found.sum > of_part.sum) of_part = found;
      }
    });
    std::fill(sets.begin(), sets.end(), 0);
    for (Index q = 0; q < count; ++q) {
      HistogramSplit& of_node = splits[static_cast<std::size_t>(q)];
      of_node = {};
      for (Index p = 0; p < parts; ++p) {
        const HistogramSplit& candidate = best[static_cast<std::size_t>(q * parts + p)];
        if (candidate.feature >= 0 && candidate.sum > of_node.sum) of_node = candidate;
      }
      if (sets.empty()) continue;
      if (of_node.feature < 0 || data_.kind(of_node.feature) == BinKind::numbers) continue;
      cpu::add_set(cut_block(rules, queries[static_cast<std::size_t>(q)], of_node.feature),
                   data_.kind(of_node.feature), of_node, sets.data() + q * set_words_);
    }
  }

  void apply_splits(std::span<const SplitTask> tasks, std::span<const std::uint32_t> sets,
                    std::span<Index> left_rows) override {
    struct Group {
      std::size_t task;
      Index begin;
      Index rows;
      Index bits;       // where its bits begin
      Index left = 0;   // how many go left; then where they go
      Index right = 0;  // where the others go
    };
    std::vector<Group> groups;
    Index bits = 0;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (Index c = 0; c < pieces(tasks[t].rows, group_rows); ++c) {
        const Piece piece = piece_of(tasks[t].rows, group_rows, c);
        groups.push_back({t, tasks[t].begin + piece.begin, piece.size(), bits});
        bits += ceil_div<Index>(piece.size(), 64) * 8;
      }
    }
    // Masks are loaded eight bytes at a time.
    if (left_.size() < bits + 8) left_ = Buffer<std::uint8_t>(engine_, bits + 8);
    parallel_for(threads_, static_cast<Index>(groups.size()), [&](Index i) {
      Group& group = groups[static_cast<std::size_t>(i)];
      const SplitTask& task = tasks[group.task];
      visit_group(task.side, group.begin, group.rows,
                  data_.by_column->data() + task.feature * data_.rows * data_.bin_bytes,
                  data_.bin_bytes);
      group.left = cpu::choose_sides(
          {data_.by_column->data() + task.feature * data_.rows * data_.bin_bytes, data_.bin_bytes,
           rows_[task.side].data() + group.begin, group.rows, task.bin, task.missing_bin,
           task.set >= 0 ? sets.data() + task.set * set_words_ : nullptr,
           left_.data() + group.bits});
    });
    std::fill(left_rows.begin(), left_rows.end(), 0);
    for (const Group& group : groups) left_rows[group.task] += group.left;
    std::size_t task = tasks.size();
    Index next_left = 0;
    Index next_right = 0;
    for (Group& group : groups) {
      if (group.task != task) {
        task = group.task;
        next_left = tasks[task].begin;
        next_right = next_left + left_rows[task];
      }
      const Index count = std::exchange(group.left, next_left);
      group.right = next_right;
      next_left += count;
      next_right += group.rows - count;
    }
    parallel_for(threads_, static_cast<Index>(groups.size()), [&](Index i) {
      const Group& group = groups[static_cast<std::size_t>(i)];
      const int from = tasks[group.task].side;
      const int to = 1 - from;
      const bool wide = packing_.wide;
      cpu::move_rows({rows_[from].data() + group.begin, words_[from].data() + group.begin,
                      wide ? extra_[from].data() + group.begin : nullptr, left_.data() + group.bits,
                      group.rows, rows_[to].data() + group.left, words_[to].data() + group.left,
                      wide ? extra_[to].data() + group.left : nullptr,
                      rows_[to].data() + group.right, words_[to].data() + group.right,
                      wide ? extra_[to].data() + group.right : nullptr});
    });
  }

  // Without weights the two rows of the middle are selected; with weights, keys are sorted.
  void leaf_quantiles(std::span<const LeafRange<T>> leaves, const QuantileRule& rule, Index output,
                      const Buffer<T>& scores, std::span<T> values) override {
    parallel_for(threads_, static_cast<Index>(leaves.size()), [&](Index l) {
      const LeafRange<T>& leaf = leaves[static_cast<std::size_t>(l)];
      const std::uint32_t* rows = rows_[leaf.side].data() + leaf.begin;
      T& value = values[static_cast<std::size_t>(l)];
      value = T{0};
      if (leaf.rows == 0) return;
      const auto key = [&](Index i) {
        const auto row = static_cast<Index>(rows[i]);
        return order_key(data_.target->data()[row] - scores.data()[row * outputs_ + output]);
      };
      if (data_.weights->empty()) {
        std::vector<OrderKey<T>> keys(static_cast<std::size_t>(leaf.rows));
        for (Index i = 0; i < leaf.rows; ++i) keys[static_cast<std::size_t>(i)] = key(i);
        const auto lower = keys.begin() + (lower_need(rule, leaf.rows) - 1);
        std::nth_element(keys.begin(), lower, keys.end());
        const T low = value_of_key<T>(*lower);
        T high = low;
        if (upper_need(rule, leaf.rows) > lower_need(rule, leaf.rows)) {
          high = value_of_key<T>(*std::min_element(lower + 1, keys.end()));
        }
        value = middle_of(low, high);
        return;
      }
      std::vector<std::pair<OrderKey<T>, std::int64_t>> keys(static_cast<std::size_t>(leaf.rows));
      std::int64_t total = 0;
      for (Index i = 0; i < leaf.rows; ++i) {
        const std::int64_t weight =
            whole_weight(data_.weights->data()[static_cast<Index>(rows[i])], rule.weight_scale);
        keys[static_cast<std::size_t>(i)] = {key(i), weight};
        total += weight;
      }
      std::sort(keys.begin(), keys.end());
      const auto reached = [&](std::int64_t needed) {
        std::int64_t sum = 0;
        for (const auto& [of_row, weight] : keys) {
          sum += weight;
          if (sum >= needed) return value_of_key<T>(of_row);
        }
        return value_of_key<T>(keys.back().first);
      };
      value = middle_of(reached(lower_need(rule, total)), reached(upper_need(rule, total)));
    });
  }

  void add_leaves(std::span<const LeafRange<T>> leaves, Index output, Buffer<T>& scores) override {
    parallel_for(threads_, static_cast<Index>(leaves.size()), [&](Index l) {
      const LeafRange<T>& leaf = leaves[static_cast<std::size_t>(l)];
      const std::uint32_t* rows = rows_[leaf.side].data() + leaf.begin;
      T* of_output = scores.data() + output;
      for (Index i = 0; i < leaf.rows; ++i) {
        of_output[static_cast<Index>(rows[i]) * outputs_] += leaf.value;
      }
    });
  }

  void add_tree(std::span<const BinnedNode<T>> nodes, std::span<const std::uint32_t> sets,
                const Buffer<std::uint8_t>& by_row, Index rows, Index output,
                Buffer<T>& scores) override {
    if (data_.bin_bytes == 1) {
      send_down(nodes, sets, by_row.data(), rows, output, scores);
    } else {
      send_down(nodes, sets, reinterpret_cast<const std::uint16_t*>(by_row.data()), rows, output,
                scores);
    }
  }

  double total_loss(const LossRules<T>& loss, const Buffer<T>& scores, const Buffer<T>& target,
                    const Buffer<T>& weights, Index rows) override {
    const Index blocks = sum_blocks(rows);
    if (blocks == 0) return 0;
    std::vector<double> sums(static_cast<std::size_t>(blocks));
    parallel_for(threads_, blocks, [&](Index b) {
      const Piece piece = piece_of(rows, sum_block, b);
      sums[static_cast<std::size_t>(b)] = cpu::block_loss(cpu::GradientBlock<T>{
          loss, scores.data() + piece.begin * loss.outputs, target.data() + piece.begin,
          weights.empty() ? nullptr : weights.data() + piece.begin, piece.size(), nullptr, nullptr,
          0, nullptr});
    });
    add_block_sums(sums.data(), blocks);
    return sums[0];
  }

 private:
  // Rows whose histograms are made one after the other, whatever nodes they are in.
  static constexpr std::uint32_t rows_of_pass = 1 << 16;

  // What gradients are made of, and they.
  void visit_gradients(Piece rows, Index outputs, const Buffer<T>& scores,
                       external::Access access) {
    visit_elements(scores.data() + rows.begin * outputs, rows.size() * outputs);
    visit_elements(data_.target->data() + rows.begin, rows.size());
    for (Index k = 0; k < outputs; ++k) {
      visit_elements(gradients_.data() + k * data_.rows + rows.begin, rows.size(), access);
      if (!unit_) {
        visit_elements(hessians_.data() + k * data_.rows + rows.begin, rows.size(), access);
      }
    }
  }
  // The rows at these places of a side, and their entries of `bytes` each in a table of bins.
  void visit_group(int side, Index begin, Index count, const std::uint8_t* table, Index bytes) {
    if (!uses_external_memory() || count == 0) return;
    const std::uint32_t* const rows = rows_[side].data() + begin;
    visit_elements(rows, count);
    visit_elements(words_[side].data() + begin, count);
    const Index first = rows[0];
    const Index last = rows[count - 1];
    visit_elements(table + first * bytes, (last - first + 1) * bytes);
  }

  template <class Bin>
  void send_down(std::span<const BinnedNode<T>> nodes, std::span<const std::uint32_t> sets,
                 const Bin* by_row, Index rows, Index output, Buffer<T>& scores) {
    const BinnedNode<T>* tree = nodes.data();
    parallel_pieces(threads_, rows, group_rows, [&](Piece piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        const Bin* bins = by_row + i * data_.stride;
        std::int32_t node = 0;
        for (;;) {
          const BinnedNode<T>& here = tree[node];
          if (here.left == node) break;
          const std::int32_t bin = bins[here.feature];
          node = here.left + (here.goes_left(bin, sets.data(), set_words_) ? 0 : 1);
        }
        scores.data()[i * outputs_ + output] += tree[node].value;
      }
    });
  }

  // A feature's part of a node's histogram.
  [[nodiscard]] cpu::CutBlock cut_block(const GainRules& rules, const SplitQuery& query,
                                        Index feature) {
    const auto at = static_cast<std::size_t>(feature);
    const std::int64_t* sums = g_sums(query.slot) + places_[at];
    const bool in_words = in_words_[static_cast<std::size_t>(query.slot)] != 0;
    return {rules,
            in_words ? sums : nullptr,
            packing_.shift,
            sums,
            sums + histogram_,
            data_.bins[at],
            data_.missing[at] != 0,
            static_cast<std::int32_t>(feature),
            query.g,
            query.h,
            query.bounds,
            data_.directions.empty() ? 0 : data_.directions[at]};
  }
  [[nodiscard]] std::int64_t* g_sums(std::int32_t slot) {
    return sums_.data() + 2 * histogram_ * slot;
  }

  Engine& engine_;
  int threads_;
  BoostingData<T> data_;
  Index outputs_ = 1;
  std::vector<Index> places_;  // of each feature's bins in a histogram
  Index histogram_ = 0;        // bins of all features
  Index set_words_ = 0;
  bool unit_ = false;
  GradientPacking packing_;
  Buffer<std::int64_t> sums_;  // slots × 2 × histogram_: gradients, then Hessians
  Buffer<T> gradients_;        // outputs × n
  Buffer<T> hessians_;
  // The order of the rows on either side, and the words (wide: gradients and Hessians) with them.
  Buffer<std::uint32_t> rows_[2];
  Buffer<std::int64_t> words_[2];
  Buffer<std::int64_t> extra_[2];
  Buffer<std::uint8_t> left_;  // a bit per row
  // Per slot: whether it has histogram_ words and not twice that many sums.
  std::vector<std::uint8_t> in_words_;
  std::vector<std::vector<std::int64_t>> scratch_;  // a thread's own words, zeros between calls
};

}  // namespace

template <Real T>
std::unique_ptr<GradientBoostingSteps<T>> GradientBoostingSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuGradientBoosting<T>>(engine);
}
template std::unique_ptr<GradientBoostingSteps<float>> GradientBoostingSteps<float>::make_cpu(
    Engine&);
template std::unique_ptr<GradientBoostingSteps<double>> GradientBoostingSteps<double>::make_cpu(
    Engine&);

}  // namespace tandem::tree
