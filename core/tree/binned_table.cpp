#include "tandem/tree/binned_table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

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

template <Real T>
BinCuts<T> make_bin_cuts(MatrixView<const std::type_identity_t<T>> x, std::span<const T> weights,
                         Index max_bins, int threads) {
  if (max_bins < 2 || max_bins > most_bins) {
    throw InputError(option("max_bins") + " is " + std::to_string(max_bins) + ", expected 2 to " +
                     std::to_string(most_bins));
  }
  std::vector<std::int64_t> units;
  if (!weights.empty()) {
    double largest = 0;
    for (const T w : weights) largest = std::max(largest, static_cast<double>(w));
    const FixedPoint fixed = FixedPoint::for_sum(x.rows, largest);
    units.reserve(weights.size());
    for (const T w : weights) units.push_back(fixed.encode(static_cast<double>(w)));
  }
  const auto features = static_cast<std::size_t>(x.cols);
  std::vector<std::vector<T>> thresholds(features);
  BinCuts<T> cuts;
  cuts.missing.assign(features, 0);
  // Neighbouring features share lines of the cache, which a thread reads once for all of them.
  const Index at_once = std::max<Index>(1, std::min<Index>(16, ceil_div<Index>(x.cols, threads)));
  parallel_pieces(threads, x.cols, at_once, [&](Piece piece) {
    constexpr Index capacity = QuantileSketch<T>::capacity;
    std::vector<QuantileSketch<T>> sketches(static_cast<std::size_t>(piece.size()));
    std::vector<T> columns(static_cast<std::size_t>(capacity * piece.size()));
    std::vector<std::uint8_t> missing(static_cast<std::size_t>(piece.size()), 0);
    for (Index begin = 0; begin < x.rows; begin += capacity) {
      const Index count = std::min(capacity, x.rows - begin);
      for (Index i = 0; i < count; ++i) {
        const T* row = x.data + (begin + i) * x.stride + piece.begin;
        for (Index j = 0; j < piece.size(); ++j) {
          columns[static_cast<std::size_t>(j * capacity + i)] = row[j];
          missing[static_cast<std::size_t>(j)] |= row[j] != row[j] ? 1 : 0;
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

template <Real T>
void BinnedTable<T>::save(Archive& archive, std::string_view prefix) const {
  Archive part;
  part.set("rows", rows);
  part.set_tensor("first", std::vector<std::int64_t>(cuts.first.begin(), cuts.first.end()));
  part.set_tensor("thresholds", cuts.thresholds);
  part.set_tensor("missing", cuts.missing);
  part.set_tensor("bins", bins);
  archive.set_part(prefix, part);
}

template <Real T>
BinnedTable<T> BinnedTable<T>::load(const Archive& archive, std::string_view prefix) {
  Archive part = archive.part(prefix);
  part.set_origin(archive.origin() + ": " + std::string(prefix));
  BinnedTable table;
  table.rows = part.get_int("rows", 0, std::numeric_limits<std::int32_t>::max());
  const auto& first = part.get_tensor<std::int64_t>("first");
  table.cuts.first.assign(first.begin(), first.end());
  table.cuts.thresholds = part.get_tensor<T>("thresholds");
  table.cuts.missing = part.get_tensor<std::uint8_t>("missing");
  table.cuts.check(part.origin());
  table.bins = part.get_tensor<std::uint8_t>("bins", table.rows * table.stride());
  for (Index i = 0; i < table.rows; ++i) {
    for (Index j = 0; j < table.features(); ++j) {
      if (table(i, j) > table.cuts.bins(j)) {
        part.fail("bins", "row " + std::to_string(i) + ", feature " + std::to_string(j) +
                              " has a bin that is not there");
      }
    }
  }
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
  table.bins.resize(static_cast<std::size_t>(x.rows * table.stride()));
  if (x.rows == 0) return table;
  const auto on_engine = tree::to_engine(engine, cuts);
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  Buffer<std::uint8_t> by_row(engine, x.rows * table.stride());
  Buffer<std::uint8_t> by_column;
  make_steps<tree::BinningSteps, T>(engine)->bin_rows(on_engine, rows, x.rows, by_row, by_column);
  by_row.download(table.bins);
  return table;
}

template struct BinCuts<float>;
template struct BinCuts<double>;
template struct BinnedTable<float>;
template struct BinnedTable<double>;
template BinCuts<float> make_bin_cuts(MatrixView<const float>, std::span<const float>, Index, int);
template BinCuts<double> make_bin_cuts(MatrixView<const double>, std::span<const double>, Index,
                                       int);
template BinnedTable<float> bin_rows(Engine&, MatrixView<const float>, const BinCuts<float>&);
template BinnedTable<double> bin_rows(Engine&, MatrixView<const double>, const BinCuts<double>&);

namespace tree {

template <Real T>
CutsOnEngine<T> to_engine(Engine& engine, const BinCuts<T>& cuts) {
  CutsOnEngine<T> result;
  result.features = cuts.features();
  std::vector<T> padded(static_cast<std::size_t>(result.features * padded_thresholds),
                        std::numeric_limits<T>::infinity());
  std::vector<std::uint8_t> missing;
  for (Index j = 0; j < result.features; ++j) {
    const auto values = cuts.of(j);
    std::copy(values.begin(), values.end(), padded.begin() + j * padded_thresholds);
    missing.push_back(static_cast<std::uint8_t>(cuts.bins(j)));
  }
  result.thresholds = tandem::to_engine(engine, padded);
  result.missing = tandem::to_engine(engine, missing);
  return result;
}

template CutsOnEngine<float> to_engine(Engine&, const BinCuts<float>&);
template CutsOnEngine<double> to_engine(Engine&, const BinCuts<double>&);

}  // namespace tree
}  // namespace tandem
