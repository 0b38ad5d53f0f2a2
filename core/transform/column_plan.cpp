#include "tandem/transform/column_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

template <Real T>
ColumnPlan<T>::ColumnPlan(std::span<const Column> columns)
    : columns_(columns),
      outputs_(columns.size()),
      recoded_(columns.size(), -1),
      ranges_(columns.size()) {
  for (std::size_t j = 0; j < outputs_.size(); ++j) outputs_[j].source = static_cast<Index>(j);
}

template <Real T>
bool ColumnPlan<T>::identity_layout() const noexcept {
  if (outputs_.size() != columns_.size()) return false;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j] != Output{static_cast<Index>(j), -1}) return false;
  }
  return true;
}

template <Real T>
bool ColumnPlan<T>::changes_nothing() const noexcept {
  return recodes_.empty() && stages_.empty() && identity_layout();
}

template <Real T>
typename ColumnPlan<T>::Stage& ColumnPlan<T>::stage_for(bool clips, bool fills) {
  // Within a stage values are clipped, then filled, then scaled.
  const bool past = stages_.empty() || stages_.back().scales ||
                    (stages_.back().fills && (clips || fills)) || (stages_.back().clips && clips);
  if (past) {
    const std::size_t width = columns_.size();
    Stage stage;
    stage.low.assign(width, -std::numeric_limits<T>::infinity());
    stage.high.assign(width, std::numeric_limits<T>::infinity());
    stage.fill.assign(width, std::numeric_limits<T>::quiet_NaN());
    stage.shift.assign(width, 0.0);
    stage.divisor.assign(width, 1.0);
    stages_.push_back(std::move(stage));
  }
  return stages_.back();
}

template <Real T>
bool ColumnPlan<T>::recode(Index j, const CategoryCodes& codes, T unknown) {
  const Output& out = output(j);
  if (sealed_ || out.category >= 0 || translates(j)) return false;
  for (const Stage& stage : stages_) {
    const auto s = static_cast<std::size_t>(out.source);
    if (stage.low[s] > -std::numeric_limits<T>::infinity() ||
        stage.high[s] < std::numeric_limits<T>::infinity() || !std::isnan(stage.fill[s]) ||
        stage.shift[s] != 0 || stage.divisor[s] != 1) {
      return false;
    }
  }
  Recode recode;
  recode.source = out.source;
  recode.by_name = &codes;
  recode.unknown = unknown;
  for (const std::string& name : columns_[static_cast<std::size_t>(out.source)].categories) {
    const auto found = codes.find(name);
    recode.codes.push_back(found == codes.end() ? unknown : static_cast<T>(found->second));
  }
  recoded_[static_cast<std::size_t>(out.source)] = static_cast<std::int32_t>(recodes_.size());
  recodes_.push_back(std::move(recode));
  ValueRange& range = ranges_[static_cast<std::size_t>(out.source)];
  const auto most = static_cast<double>(codes.size()) - 1;
  range.low = most >= 0 ? 0 : infinity;
  range.high = most >= 0 ? most : -infinity;
  return true;
}

template <Real T>
bool ColumnPlan<T>::clip(std::span<const double> low, std::span<const double> high) {
  if (sealed_) return false;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0 && (low[j] > -infinity || high[j] < infinity)) return false;
  }
  Stage& stage = stage_for(true, false);
  stage.clips = true;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0) continue;
    const auto s = static_cast<std::size_t>(outputs_[j].source);
    stage.low[s] = static_cast<T>(low[j]);
    stage.high[s] = static_cast<T>(high[j]);
    ranges_[s].low = std::max(ranges_[s].low, static_cast<double>(stage.low[s]));
    ranges_[s].high = std::min(ranges_[s].high, static_cast<double>(stage.high[s]));
  }
  return true;
}

template <Real T>
bool ColumnPlan<T>::fill(std::span<const double> value) {
  if (sealed_) return false;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0 && !std::isnan(value[j])) return false;
  }
  Stage& stage = stage_for(false, true);
  stage.fills = true;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0 || std::isnan(value[j])) continue;
    const auto s = static_cast<std::size_t>(outputs_[j].source);
    stage.fill[s] = static_cast<T>(value[j]);
    if (ranges_[s].missing == 0) continue;
    ranges_[s].low = std::min(ranges_[s].low, static_cast<double>(stage.fill[s]));
    ranges_[s].high = std::max(ranges_[s].high, static_cast<double>(stage.fill[s]));
    ranges_[s].missing = 0;
  }
  return true;
}

template <Real T>
bool ColumnPlan<T>::scale(std::span<const double> shift, std::span<const double> divisor) {
  if (sealed_) return false;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0 && (shift[j] != 0 || divisor[j] != 1)) return false;
  }
  Stage& stage = stage_for(false, false);
  stage.scales = true;
  for (std::size_t j = 0; j < outputs_.size(); ++j) {
    if (outputs_[j].category >= 0) continue;
    const auto s = static_cast<std::size_t>(outputs_[j].source);
    stage.shift[s] = shift[j];
    stage.divisor[s] = divisor[j];
    for (double* end : {&ranges_[s].low, &ranges_[s].high}) {
      *end = static_cast<double>(static_cast<T>((*end - shift[j]) / divisor[j]));
    }
  }
  return true;
}

template <Real T>
bool ColumnPlan<T>::take(std::span<const Output> taken) {
  if (sealed_) return false;
  std::vector<Output> outputs;
  std::vector<Index> uses(columns_.size(), 0);
  for (const Output& one : taken) {
    Output out = output(one.source);
    if (out.category >= 0 && one.category >= 0) return false;
    if (one.category >= 0) out.category = one.category;
    if (out.category < 0) ++uses[static_cast<std::size_t>(out.source)];
    outputs.push_back(out);
  }
  for (const Output& out : outputs) {
    const Index others = uses[static_cast<std::size_t>(out.source)] - (out.category < 0 ? 1 : 0);
    sealed_ = sealed_ || others > 0;
  }
  outputs_ = std::move(outputs);
  return true;
}

template <Real T>
T ColumnPlan<T>::recoded(const Recode& recode, T x) {
  if (std::isnan(x)) return x;
  if (recode.codes.empty()) {
    const auto name = recode.by_name->find(class_name(x));
    return name == recode.by_name->end() ? recode.unknown : static_cast<T>(name->second);
  }
  if (x >= 0 && x < static_cast<T>(recode.codes.size())) {
    return recode.codes[static_cast<std::size_t>(x)];
  }
  return recode.unknown;
}

template <Real T>
void ColumnPlan<T>::recode_column(const Recode& recode, T* block, Index rows, Index first_row,
                                  const std::string& data_source) const {
  const auto cols = static_cast<Index>(columns_.size());
  for (Index i = 0; i < rows; ++i) {
    T& x = block[i * cols + recode.source];
    const auto declared = static_cast<T>(recode.codes.size());
    if (std::isnan(x) || recode.codes.empty() || (x >= 0 && x < declared)) {
      x = recoded(recode, x);
    } else {
      throw InputError(data_source + ": row " + std::to_string(first_row + i + 1) + ", column " +
                       columns_[static_cast<std::size_t>(recode.source)].name +
                       ": is not the code of one of its categories");
    }
  }
}

template <Real T>
template <bool clips, bool fills, bool scales>
void ColumnPlan<T>::run(const Stage& stage, T* block, Index rows) const {
  const std::size_t width = columns_.size();
  const T* const low = stage.low.data();
  const T* const high = stage.high.data();
  const T* const fill = stage.fill.data();
  const double* const shift = stage.shift.data();
  const double* const divisor = stage.divisor.data();
  for (Index i = 0; i < rows; ++i) {
    T* const row = block + i * static_cast<Index>(width);
    for (std::size_t s = 0; s < width; ++s) {
      T x = row[s];
      if constexpr (clips) {
        x = x < low[s] ? low[s] : x;
        x = x > high[s] ? high[s] : x;
      }
      if constexpr (fills) x = x != x ? fill[s] : x;
      if constexpr (scales) {
        x = static_cast<T>((static_cast<double>(x) - shift[s]) / divisor[s]);
      }
      row[s] = x;
    }
  }
}

template <Real T>
void ColumnPlan<T>::run(const Stage& stage, T* block, Index rows) const {
  if (stage.scales) {
    if (stage.clips) {
      stage.fills ? run<true, true, true>(stage, block, rows)
                  : run<true, false, true>(stage, block, rows);
    } else {
      stage.fills ? run<false, true, true>(stage, block, rows)
                  : run<false, false, true>(stage, block, rows);
    }
  } else if (stage.clips) {
    stage.fills ? run<true, true, false>(stage, block, rows)
                : run<true, false, false>(stage, block, rows);
  } else if (stage.fills) {
    run<false, true, false>(stage, block, rows);
  }
}

template <Real T>
void ColumnPlan<T>::require_room(Index rows, const std::string& source) const {
  std::unordered_map<Index, Index> indicators;  // of each column
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    const Output& out = output(static_cast<Index>(k));
    if (out.category >= 0) ++indicators[out.source];
  }
  // The column that most of them are of, the first of equals.
  Index widest = -1;
  for (const auto& [column, count] : indicators) {
    const Index most = widest < 0 ? 0 : indicators[widest];
    if (count > most || (count == most && column < widest)) widest = column;
  }
  const auto cols = static_cast<Index>(outputs_.size());
  const std::string shape =
      source + ": a table of " + std::to_string(rows) + " rows and " + std::to_string(cols);
  const std::string what = widest < 0 ? shape + " columns"
                                      : shape + " columns, " + std::to_string(indicators[widest]) +
                                            " of them for the categories of " +
                                            columns_[static_cast<std::size_t>(widest)].name + ",";
  const std::string on_disk =
      uses_external_memory()
          ? ""
          : "; algorithms that stream their rows can keep them on disk, with " + option("cache");
  require_memory(
      what, saturating_product(saturating_product(rows, cols), static_cast<Index>(sizeof(T))),
      widest < 0 ? "take fewer rows or columns"
                 : "take fewer rows, or train with that column left out (" + option("ignore") +
                       ") or its categories as numbers (" + option("encode") +
                       " ordinal, or none where the algorithm takes them as they are)" + on_disk);
}

template <Real T>
Matrix<T> ColumnPlan<T>::apply(Matrix<T> data, const std::string& source, int threads) const {
  if (changes_nothing()) return data;
  const Index rows = data.rows();
  const Index cols = data.cols();
  const bool in_place = identity_layout();
  const auto out_cols = static_cast<Index>(outputs_.size());
  if (!in_place) require_room(rows, source);
  Matrix<T> moved = in_place ? Matrix<T>() : Matrix<T>(rows, out_cols);

  // Where values go, and where the indicator of each category of a column is.
  std::vector<std::pair<Index, Index>> values;                   // column, output
  std::vector<std::pair<Index, std::vector<Index>>> indicators;  // column, output of each code
  if (!in_place) {
    std::unordered_map<Index, std::size_t> at;
    for (Index k = 0; k < out_cols; ++k) {
      const Output& out = output(k);
      if (out.category < 0) {
        values.emplace_back(out.source, k);
        continue;
      }
      const auto [found, added] = at.emplace(out.source, indicators.size());
      if (added) indicators.push_back({out.source, {}});
      auto& codes = indicators[found->second].second;
      if (static_cast<Index>(codes.size()) <= out.category) {
        codes.resize(static_cast<std::size_t>(out.category) + 1, -1);
      }
      codes[static_cast<std::size_t>(out.category)] = k;
    }
  }

  // Rows that stay in the nearest cache from one stage to the next.
  constexpr Index block_bytes = 32 * 1024;
  const Index block_rows =
      std::max<Index>(1, block_bytes / std::max<Index>(1, cols * static_cast<Index>(sizeof(T))));
  parallel_pieces(threads, rows, 4096, [&](Piece piece) {
    visit_elements(data.data() + piece.begin * cols, piece.size() * cols, external::Access::write);
    if (!in_place) {
      visit_elements(moved.data() + piece.begin * out_cols, piece.size() * out_cols,
                     external::Access::write);
    }
    for (Index begin = piece.begin; begin < piece.end; begin += block_rows) {
      const Index count = std::min(block_rows, piece.end - begin);
      T* const block = data.data() + begin * cols;
      for (const Recode& recode : recodes_) recode_column(recode, block, count, begin, source);
      for (const Stage& stage : stages_) run(stage, block, count);
      if (in_place) continue;
      for (Index i = 0; i < count; ++i) {
        const T* const from = block + i * cols;
        T* const to = moved.data() + (begin + i) * out_cols;
        for (const auto& [column, out] : values) to[out] = from[column];
        for (const auto& [column, codes] : indicators) {
          const T code = from[column];
          if (!(code >= 0 && code < static_cast<T>(codes.size()))) continue;
          const Index out = codes[static_cast<std::size_t>(code)];
          if (out >= 0) to[out] = T{1};
        }
      }
    }
  });
  return in_place ? std::move(data) : std::move(moved);
}

template class ColumnPlan<float>;
template class ColumnPlan<double>;

}  // namespace tandem
