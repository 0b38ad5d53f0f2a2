#include "tandem/tree/binned_table.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/quantile_sketch.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

using tree::QuantileSketch;

template <Real T>
Index BinCuts<T>::bin_of(Index feature, T value) const {
  if (value != value) return bins(feature);
  const auto of_feature = of(feature);
  return std::lower_bound(of_feature.begin(), of_feature.end(), value) - of_feature.begin();
}

template <Real T>
int BinCuts<T>::bin_bytes() const {
  for (Index j = 0; j < features(); ++j) {
    if (bins(j) > most_byte_bins) return 2;
  }
  return 1;
}

template <Real T>
void BinCuts<T>::check(std::string_view source) const {
  const auto fail = [&](const std::string& what) {
    throw InputError(std::string(source) + ": the bins' thresholds " + what);
  };
  const std::size_t count = missing.size();
  if (count < 1) fail("are those of no features");
  if (first.size() != count + 1 || first.front() != 0 ||
      first.back() != static_cast<Index>(thresholds.size())) {
    fail("do not add up to those of the features");
  }
  for (std::size_t j = 0; j < count; ++j) {
    const auto name = " of feature " + std::to_string(j);
    if (first[j + 1] < first[j] || first[j + 1] - first[j] >= most_bins ||
        first[j + 1] > first.back()) {
      fail(name + " are more than " + std::to_string(most_bins - 1) + " or less than none");
    }
    if (missing[j] > 1) fail(name + " have a flag other than 0 and 1");
    const auto values = of(static_cast<Index>(j));
    for (std::size_t b = 0; b < values.size(); ++b) {
      if (!std::isfinite(values[b])) fail(name + " are not finite");
      if (b > 0 && !(values[b - 1] < values[b])) fail(name + " do not ascend");
    }
  }
}

namespace {

// The thresholds of a table. fill(first row, rows, features, columns) writes the values of some
// features in a block of rows, a feature after the other, each with QuantileSketch::capacity
// places.
template <Real T, class Fill>
BinCuts<T> cuts_by_blocks(Index rows, Index cols, std::span<const T> weights, Index max_bins,
                          int threads, const Fill& fill) {
  if (max_bins < 2 || max_bins > most_number_bins) {
    throw InputError(option("max_bins") + " is " + std::to_string(max_bins) + ", expected 2 to " +
                     std::to_string(most_number_bins));
  }
  std::vector<std::int64_t> units;
  if (!weights.empty()) {
    double largest = 0;
    for (const T w : weights) largest = std::max(largest, static_cast<double>(w));
    const FixedPoint fixed = FixedPoint::for_sum(rows, largest);
    units.reserve(weights.size());
    for (const T w : weights) units.push_back(fixed.encode(static_cast<double>(w)));
  }
  const auto features = static_cast<std::size_t>(cols);
  std::vector<std::vector<T>> thresholds(features);
  BinCuts<T> cuts;
  cuts.missing.assign(features, 0);
  // Neighbouring features share lines of the cache, which a thread reads once for all of them.
  const Index at_once = std::max<Index>(1, std::min<Index>(16, ceil_div<Index>(cols, threads)));
  parallel_pieces(threads, cols, at_once, [&](Piece piece) {
    constexpr Index capacity = QuantileSketch<T>::capacity;
    std::vector<QuantileSketch<T>> sketches(static_cast<std::size_t>(piece.size()));
    std::vector<T> columns(static_cast<std::size_t>(capacity * piece.size()));
    std::vector<std::uint8_t> missing(static_cast<std::size_t>(piece.size()), 0);
    for (Index begin = 0; begin < rows; begin += capacity) {
      const Index count = std::min(capacity, rows - begin);
      fill(begin, count, piece, columns.data());
      for (Index j = 0; j < piece.size(); ++j) {
        const T* column = columns.data() + j * capacity;
        if (std::any_of(column, column + count, [](T v) { return v != v; })) {
          missing[static_cast<std::size_t>(j)] = 1;
        }
      }
      std::span<const std::int64_t> of_rows;
      if (!units.empty()) {
        of_rows = std::span<const std::int64_t>(units).subspan(static_cast<std::size_t>(begin),
                                                               static_cast<std::size_t>(count));
      }
      for (Index j = 0; j < piece.size(); ++j) {
        sketches[static_cast<std::size_t>(j)].add(
            {columns.data() + j * capacity, static_cast<std::size_t>(count)}, of_rows);
      }
    }
    for (Index j = 0; j < piece.size(); ++j) {
      const auto feature = static_cast<std::size_t>(piece.begin + j);
      thresholds[feature] =
          tree::thresholds_of(sketches[static_cast<std::size_t>(j)].finish(), max_bins);
      cuts.missing[feature] = missing[static_cast<std::size_t>(j)];
    }
  });
  cuts.first.push_back(0);
  for (const auto& of_feature : thresholds) {
    cuts.thresholds.insert(cuts.thresholds.end(), of_feature.begin(), of_feature.end());
    cuts.first.push_back(static_cast<Index>(cuts.thresholds.size()));
  }
  return cuts;
}

}  // namespace

template <Real T>
BinCuts<T> make_bin_cuts(MatrixView<const std::type_identity_t<T>> x, std::span<const T> weights,
                         Index max_bins, int threads) {
  const auto fill = [&](Index begin, Index count, Piece features, T* columns) {
    visit_rows(x, begin, begin + count);
    for (Index i = 0; i < count; ++i) {
      const T* row = x.data + (begin + i) * x.stride + features.begin;
      for (Index j = 0; j < features.size(); ++j) {
        columns[j * QuantileSketch<T>::capacity + i] = row[j];
      }
    }
  };
  return cuts_by_blocks<T>(x.rows, x.cols, weights, max_bins, threads, fill);
}

template <Real T>
BinCuts<T> make_bin_cuts(const CsrView<T>& x, std::span<const Index> rows,
                         std::span<const T> weights, Index max_bins, int threads) {
  const auto fill = [&](Index begin, Index count, Piece features, T* columns) {
    std::fill_n(columns, features.size() * QuantileSketch<T>::capacity, T{0});
    for (Index i = 0; i < count; ++i) {
      const auto row = static_cast<std::size_t>(rows[static_cast<std::size_t>(begin + i)]);
      const auto* const first = x.columns.data() + x.offsets[row];
      const auto* const last = x.columns.data() + x.offsets[row + 1];
      const auto* at = std::lower_bound(first, last, static_cast<std::int32_t>(features.begin));
      for (; at < last && *at < features.end; ++at) {
        columns[(*at - features.begin) * QuantileSketch<T>::capacity + i] =
            x.values[static_cast<std::size_t>(at - x.columns.data())];
      }
    }
  };
  return cuts_by_blocks<T>(static_cast<Index>(rows.size()), x.cols, weights, max_bins, threads,
                           fill);
}

template <Real T>
void BinCuts<T>::save(Archive& archive) const {
  archive.set_tensor("first", std::vector<std::int64_t>(first.begin(), first.end()));
  archive.set_tensor("thresholds", thresholds);
  archive.set_tensor("missing", missing);
}

template <Real T>
BinCuts<T> BinCuts<T>::load(const Archive& archive) {
  BinCuts cuts;
  const auto& first = archive.get_tensor<std::int64_t>("first");
  cuts.first.assign(first.begin(), first.end());
  cuts.thresholds = archive.get_tensor<T>("thresholds");
  cuts.missing = archive.get_tensor<std::uint8_t>("missing");
  cuts.check(archive.origin());
  return cuts;
}

template <Real T>
void BinnedTable<T>::check(std::string_view source) const {
  const auto fail = [&](const std::string& what) {
    throw InputError(std::string(source) + ": " + what);
  };
  const auto there = static_cast<Index>(bins.size());
  const Index expected = rows * stride() * bin_bytes;
  if (there != expected) {
    fail((there < expected ? "is truncated: it has " : "is damaged: it has ") +
         std::to_string(there) + " bytes of bins, expected " + std::to_string(expected));
  }
  std::vector<Index> most;  // per place of a row: the highest number
  for (Index j = 0; j < features(); ++j) {
    most.push_back(cuts.bins(j) - 1 + cuts.missing[static_cast<std::size_t>(j)]);
  }
  most.resize(static_cast<std::size_t>(stride()), 0);
  const Index none = rows * stride();
  std::atomic<Index> wrong{none};  // the first such place, row by row
  parallel_pieces(available_cores(), rows, sum_block, [&](Piece piece) {
    for (Index place = piece.begin * stride(); place < piece.end * stride(); ++place) {
      const Index j = place % stride();
      if ((*this)(place / stride(), j) <= most[static_cast<std::size_t>(j)]) continue;
      Index first = wrong.load();
      while (place < first && !wrong.compare_exchange_weak(first, place)) {
      }
      return;
    }
  });
  if (wrong.load() == none) return;
  fail("row " + std::to_string(wrong.load() / stride() + 1) + ", feature " +
       std::to_string(wrong.load() % stride()) + " has a bin that is not there");
}

template <Real T>
void BinnedTable<T>::save(Archive& archive, std::string_view prefix) const {
  Archive part;
  part.set("rows", rows);
  cuts.save(part);
  part.set_tensor("bins", std::vector<std::uint8_t>(bins.view().begin(), bins.view().end()));
  archive.set_part(prefix, part);
}

template <Real T>
BinnedTable<T> BinnedTable<T>::load(const Archive& archive, std::string_view prefix) {
  Archive part = archive.part(prefix);
  part.set_origin(archive.origin() + ": " + std::string(prefix));
  BinnedTable table;
  table.rows = part.get_int("rows", 0, std::numeric_limits<std::int32_t>::max());
  table.cuts = BinCuts<T>::load(part);
  table.bin_bytes = table.cuts.bin_bytes();
  table.bins = SharedBytes(part.get_tensor<std::uint8_t>("bins"));
  table.check(part.origin());
  return table;
}

template <Real T>
BinnedTable<T> bin_rows(Engine& engine, MatrixView<const std::type_identity_t<T>> x,
                        const BinCuts<T>& cuts) {
  if (x.cols != cuts.features()) {
    throw InputError("the bins are those of " + std::to_string(cuts.features()) +
                     " features, and the data has " + std::to_string(x.cols));
  }
  BinnedTable<T> table;
  table.rows = x.rows;
  table.cuts = cuts;
  table.bin_bytes = cuts.bin_bytes();
  if (x.rows == 0) return table;
  std::vector<std::uint8_t> bins(
      static_cast<std::size_t>(x.rows * table.stride() * table.bin_bytes));
  const auto on_engine = tree::to_engine(engine, cuts);
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  Buffer<std::uint8_t> by_row(engine, static_cast<Index>(bins.size()));
  Buffer<std::uint8_t> by_column;
  make_steps<tree::BinningSteps, T>(engine)->bin_rows(on_engine, rows, x.rows, by_row, by_column);
  by_row.download(bins);
  table.bins = SharedBytes(std::move(bins));
  return table;
}

template struct BinCuts<float>;
template struct BinCuts<double>;
template struct BinnedTable<float>;
template struct BinnedTable<double>;
template BinCuts<float> make_bin_cuts(MatrixView<const float>, std::span<const float>, Index, int);
template BinCuts<double> make_bin_cuts(MatrixView<const double>, std::span<const double>, Index,
                                       int);
template BinCuts<float> make_bin_cuts(const CsrView<float>&, std::span<const Index>,
                                      std::span<const float>, Index, int);
template BinCuts<double> make_bin_cuts(const CsrView<double>&, std::span<const Index>,
                                       std::span<const double>, Index, int);
template BinnedTable<float> bin_rows(Engine&, MatrixView<const float>, const BinCuts<float>&);
template BinnedTable<double> bin_rows(Engine&, MatrixView<const double>, const BinCuts<double>&);

namespace tree {

template <Real T>
CutsOnEngine<T> to_engine(Engine& engine, const BinCuts<T>& cuts) {
  CutsOnEngine<T> result;
  result.features = cuts.features();
  result.bin_bytes = cuts.bin_bytes();
  std::vector<T> padded;
  std::vector<Index> first{0};
  std::vector<std::uint16_t> missing;
  for (Index j = 0; j < result.features; ++j) {
    const auto values = cuts.of(j);
    padded.insert(padded.end(), values.begin(), values.end());
    const std::size_t room = std::bit_ceil(values.size() + 1);
    padded.resize(static_cast<std::size_t>(first.back()) + room,
                  std::numeric_limits<T>::infinity());
    first.push_back(static_cast<Index>(padded.size()));
    missing.push_back(static_cast<std::uint16_t>(cuts.bins(j)));
  }
  result.thresholds = tandem::to_engine(engine, padded);
  result.first = tandem::to_engine(engine, first);
  result.missing = tandem::to_engine(engine, missing);
  return result;
}

template CutsOnEngine<float> to_engine(Engine&, const BinCuts<float>&);
template CutsOnEngine<double> to_engine(Engine&, const BinCuts<double>&);

}  // namespace tree
}  // namespace tandem
