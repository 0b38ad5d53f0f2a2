// Transforms of single values, collected so that they cost one pass over the rows together: codes
// of categories are translated, then values clipped, filled and scaled, in as many stages as it
// takes, and written to where they belong. A pass works in the memory of the rows unless columns
// are added, left out or moved.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// The present values of one column of the training part, over rows that count (weight > 0).
struct ValueRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  Index missing = 0;
  [[nodiscard]] bool constant() const noexcept { return !(low < high); }
};

// The codes of a column's categories, by name.
using CategoryCodes = std::unordered_map<std::string, Index>;

template <Real T>
class TANDEM_API ColumnPlan {
 public:
  // One feature after the plan: the value of column `source`, or, where category >= 0, 1 where that
  // value is `category` and 0 elsewhere.
  struct Output {
    Index source = 0;
    Index category = -1;
    [[nodiscard]] bool operator==(const Output&) const = default;
  };

  // Changes nothing. `columns` are those of the data, with the categories that it declares; they
  // must outlive the plan.
  explicit ColumnPlan(std::span<const Column> columns);

  [[nodiscard]] const std::vector<Output>& outputs() const noexcept { return outputs_; }
  // The column of the data that output j is taken from.
  [[nodiscard]] const Column& column_of(Index j) const {
    return columns_[static_cast<std::size_t>(output(j).source)];
  }

  // The functions that add something. Spans have one entry per output. Each returns false, and
  // changes nothing, where what is asked for cannot follow what the plan does already: the rows
  // then have to be transformed first. An empty plan takes everything but changes of indicators,
  // and has none.
  //
  // The codes of output j become those that `codes` has for the names of the categories;
  // `unknown` (−1 or NaN) for a name that it lacks. In a column that the data declares no
  // categories for, numbers are the names, as short as they read back. `codes` must outlive the
  // plan.
  [[nodiscard]] bool recode(Index j, const CategoryCodes& codes, T unknown);
  // Values below `low` become it, values above `high` that; NaN stays. Bounds may be infinite.
  [[nodiscard]] bool clip(std::span<const double> low, std::span<const double> high);
  // NaN becomes `value`, which may be NaN.
  [[nodiscard]] bool fill(std::span<const double> value);
  // (value − shift) / divisor, in double, rounded once.
  [[nodiscard]] bool scale(std::span<const double> shift, std::span<const double> divisor);
  // Output k becomes what taken[k] makes of the output taken[k].source.
  [[nodiscard]] bool take(std::span<const Output> taken);

  [[nodiscard]] bool changes_nothing() const noexcept;
  // Output j for a row of the data.
  [[nodiscard]] T value(const T* row, Index j) const {
    const Output& out = outputs_[static_cast<std::size_t>(j)];
    const auto s = static_cast<std::size_t>(out.source);
    T x = row[s];
    if (recoded_[s] >= 0) x = recoded(recodes_[static_cast<std::size_t>(recoded_[s])], x);
    for (const Stage& stage : stages_) x = stage(s, x);
    return out.category < 0 ? x : x == static_cast<T>(out.category) ? T{1} : T{0};
  }
  // data must have the columns that the plan was made for. Throws InputError, by row, for what is
  // no code of a category.
  [[nodiscard]] Matrix<T> apply(Matrix<T> data, const std::string& source, int threads) const;

  // For fits. What is known of the values of output j, which follows all that is added.
  void set_ranges(std::vector<ValueRange> ranges) { ranges_ = std::move(ranges); }
  [[nodiscard]] const ValueRange& range(Index j) const {
    return ranges_[static_cast<std::size_t>(output(j).source)];
  }

  // The plan of a column whose values are only clipped and filled, with no codes to translate: a
  // loop over values can be compiled for it.
  struct ClipAndFill {
    const T* low;
    const T* high;
    const T* fill;
  };
  [[nodiscard]] bool translates(Index j) const noexcept {
    return recoded_[static_cast<std::size_t>(output(j).source)] >= 0;
  }
  [[nodiscard]] bool has_stages() const noexcept { return !stages_.empty(); }
  [[nodiscard]] bool only_clips_and_fills() const noexcept {
    return stages_.size() == 1 && !stages_[0].scales;
  }
  [[nodiscard]] ClipAndFill clip_and_fill() const noexcept {
    return {stages_[0].low.data(), stages_[0].high.data(), stages_[0].fill.data()};
  }

 private:
  // Throws InputError where a table of the outputs would not fit into memory.
  void require_room(Index rows, const std::string& source) const;
  // Per column of the data.
  struct Stage {
    std::vector<T> low;
    std::vector<T> high;
    std::vector<T> fill;
    std::vector<double> shift;
    std::vector<double> divisor;
    bool clips = false;
    bool fills = false;
    bool scales = false;

    [[nodiscard]] T operator()(std::size_t s, T x) const {
      x = x < low[s] ? low[s] : x;
      x = x > high[s] ? high[s] : x;
      x = x != x ? fill[s] : x;
      return scales ? static_cast<T>((static_cast<double>(x) - shift[s]) / divisor[s]) : x;
    }
  };
  struct Recode {
    Index source = 0;
    std::vector<T> codes;  // of the categories that the data declares
    const CategoryCodes* by_name = nullptr;
    T unknown = 0;
  };

  [[nodiscard]] const Output& output(Index j) const {
    return outputs_[static_cast<std::size_t>(j)];
  }
  [[nodiscard]] bool identity_layout() const noexcept;
  // The stage to add to: the last one, or a new one where the last has gone past that.
  Stage& stage_for(bool clips, bool fills);
  [[nodiscard]] static T recoded(const Recode& recode, T x);
  void recode_column(const Recode& recode, T* block, Index rows, Index first_row,
                     const std::string& data_source) const;
  template <bool clips, bool fills, bool scales>
  void run(const Stage& stage, T* block, Index rows) const;
  void run(const Stage& stage, T* block, Index rows) const;

  std::span<const Column> columns_;
  std::vector<Output> outputs_;
  std::vector<Recode> recodes_;
  std::vector<std::int32_t> recoded_;  // per column: the position of its recode, or −1
  std::vector<Stage> stages_;
  bool sealed_ = false;  // two outputs share a column that is no category's: nothing more fits
  std::vector<ValueRange> ranges_;  // per column of the data
};

}  // namespace tandem
