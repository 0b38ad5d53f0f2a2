#include "core/neighbors/neighbour_search.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>

#include "core/cluster/kmeans_math.hpp"  // largest_magnitude
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

// Row x scaled to length 1. By a power of two first, which is exact: squares then neither overflow
// nor vanish.
template <Real T>
void unit_row(const T* x, Index features, T* unit) {
  double largest = 0;
  for (Index j = 0; j < features; ++j) {
    largest = std::max(largest, std::abs(static_cast<double>(x[j])));
  }
  if (!(largest > 0)) {
    std::fill_n(unit, features, T{0});
    return;
  }
  const int exponent = -std::ilogb(largest);
  double squares = 0;
  for (Index j = 0; j < features; ++j) {
    const double value = std::ldexp(static_cast<double>(x[j]), exponent);
    squares = math::fma(value, value, squares);
  }
  const double length = math::sqrt(squares);
  for (Index j = 0; j < features; ++j) {
    unit[j] = static_cast<T>(std::ldexp(static_cast<double>(x[j]), exponent) / length);
  }
}

// What distances of T can be made of. Directions have no size.
template <Real T>
double largest_value(NeighbourMetric metric, Index features) {
  return metric == NeighbourMetric::cosine ? static_cast<double>(std::numeric_limits<T>::max())
                                           : largest_magnitude<T>(features);
}

}  // namespace

template <Real T>
Matrix<T> unit_rows(MatrixView<const T> x, int threads) {
  Matrix<T> units(x.rows, x.cols);
  parallel_pieces(threads, x.rows, 256, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      unit_row(x.data + i * x.stride, x.cols, units.data() + i * x.cols);
    }
  });
  return units;
}

template <Real T>
Buffer<T> pack_points(Engine& engine, MatrixView<const T> points, NeighbourMetric metric) {
  const Index panels = ceil_div(points.rows, point_panel);
  const Index panel_size = points.cols * point_panel;
  require_memory(
      std::to_string(points.rows) + " points of " + std::to_string(points.cols) +
          " features, laid out for a search",
      saturating_product(saturating_product(panels, panel_size), 2 * static_cast<Index>(sizeof(T))),
      "keep fewer rows");
  std::vector<T> packed(static_cast<std::size_t>(panels * panel_size), T{0});
  parallel_for(engine.threads(), panels, [&](Index panel) {
    std::vector<T> unit(static_cast<std::size_t>(points.cols));
    T* const to = packed.data() + panel * panel_size;
    const Piece rows = piece_of(points.rows, point_panel, panel);
    for (Index i = rows.begin; i < rows.end; ++i) {
      const T* row = points.data + i * points.stride;
      if (metric == NeighbourMetric::cosine) {
        unit_row(row, points.cols, unit.data());
        row = unit.data();
      }
      for (Index j = 0; j < points.cols; ++j) to[j * point_panel + i - rows.begin] = row[j];
    }
  });
  return to_engine(engine, packed);
}

template <Real T>
void require_distances(MatrixView<const T> x, std::string_view source, NeighbourMetric metric,
                       int threads) {
  const double most = largest_value<T>(metric, x.cols);
  const auto fits = [most](T value) { return std::abs(static_cast<double>(value)) <= most; };
  // On several threads whether all do, and then which does not.
  std::atomic<bool> all{true};
  parallel_pieces(threads, x.rows, 256, [&](Piece piece) {
    bool here = true;
    for (Index i = piece.begin; i < piece.end; ++i) {
      for (const T value : x.row(i)) here = here & fits(value);
    }
    if (!here) all.store(false, std::memory_order_relaxed);
  });
  if (all.load()) return;
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      if (fits(x(i, j))) continue;
      const std::string where = std::string(source) + ": row " + std::to_string(i + 1) +
                                ", column " + std::to_string(j + 1) + ": ";
      if (!std::isfinite(x(i, j))) {
        throw InputError(where + shortest(x(i, j)) +
                         " has no distance to anything; expected a finite number");
      }
      throw InputError(where + shortest(x(i, j)) + " is too large for distances in " +
                       std::string(to_string(precision_of<T>)) + ", which hold values up to " +
                       significant(most, 3) + "; scale the features (" + option("scale") +
                       " standard) or use double precision (" + option("precision") + " float64)");
    }
  }
}

template <Real T>
NeighbourSearch<T>::NeighbourSearch(Engine& engine, MatrixView<const T> points,
                                    NeighbourMetric metric, std::string_view model)
    : engine_(engine),
      steps_(make_steps<NeighbourSteps, T>(engine)),
      metric_(metric),
      model_(model),
      count_(points.rows),
      features_(points.cols),
      points_(pack_points(engine, points, metric)) {}

template <Real T>
void NeighbourSearch<T>::check(MatrixView<const T> x) const {
  if (x.cols != features_) {
    throw InputError(std::string(model_) + " was trained on " + std::to_string(features_) +
                     " features but the data has " + std::to_string(x.cols) +
                     "; give the columns that it was trained on");
  }
  require_distances(x, "the rows to predict", metric_, engine_.threads());
}

template <Real T>
Index NeighbourSearch<T>::piece_rows(MatrixView<const T> x, Index k) const {
  constexpr Index piece_bytes = Index{16} << 20;
  const Index row_bytes =
      std::max<Index>(1, std::max(x.cols * static_cast<Index>(sizeof(T)), k * Index{12}));
  return std::min(std::max<Index>(1, x.rows), std::max<Index>(96, piece_bytes / row_bytes));
}

template <Real T>
NeighbourLists<T> NeighbourSearch<T>::search(MatrixView<const T> x, Index begin, Index most,
                                             Index k, Own own) {
  const Index count = std::min(most, x.rows - begin);
  if (nearest_on_.size() < most * k) {
    nearest_on_ = Buffer<std::int32_t>(engine_, most * k);
    separations_on_ = Buffer<T>(engine_, most * k);
  }
  MatrixView<const T> part = x.rows_from(begin, count);
  Matrix<T> units;
  if (metric_ == NeighbourMetric::cosine) {
    units = unit_rows(part, engine_.threads());
    part = units.view();
  }
  RowSource<T> source(engine_, part, {}, {}, count);
  const RowsView<T> rows = source.rows(0, count);
  steps_->nearest(separation_of(metric_), {count_, features_, points_.data()},
                  {count, rows.stride, rows.x, own == Own::yes ? begin : Index{-1}}, k, nearest_on_,
                  separations_on_);
  const auto size = static_cast<std::size_t>(count * k);
  nearest_.resize(size);
  distances_.resize(size);
  backend(engine_).copy_to_host(nearest_.data(), nearest_on_.data(), size * sizeof(std::int32_t));
  backend(engine_).copy_to_host(distances_.data(), separations_on_.data(), size * sizeof(T));
  if (metric_ == NeighbourMetric::euclidean) {
    parallel_pieces(engine_.threads(), count * k, 16384, [&](Piece piece) {
      for (Index e = piece.begin; e < piece.end; ++e) {
        T& distance = distances_[static_cast<std::size_t>(e)];
        distance = math::sqrt(distance);
      }
    });
  }
  return {begin, count, k, nearest_.data(), distances_.data()};
}

template class NeighbourSearch<float>;
template class NeighbourSearch<double>;
template Buffer<float> pack_points(Engine&, MatrixView<const float>, NeighbourMetric);
template Buffer<double> pack_points(Engine&, MatrixView<const double>, NeighbourMetric);
template Matrix<float> unit_rows(MatrixView<const float>, int);
template Matrix<double> unit_rows(MatrixView<const double>, int);
template void require_distances(MatrixView<const float>, std::string_view, NeighbourMetric, int);
template void require_distances(MatrixView<const double>, std::string_view, NeighbourMetric, int);

}  // namespace tandem
