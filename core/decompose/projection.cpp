// Coordinates of rows along principal axes, and rows from coordinates: products of matrices on the
// engine, a piece of rows at a time.
//
// Compiled by itself, so that the files after it keep their places among six.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/engine_backend.hpp"
#include "core/external_memory.hpp"
#include "core/linalg/gemm_steps.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/decompose/principal_axes.hpp"

namespace tandem {
namespace {

// Component k times scale(k), in T.
template <Real T, class Scale>
std::vector<T> scaled_components(const PrincipalAxes& axes, Scale&& scale) {
  std::vector<T> result;
  result.reserve(axes.components.values().size());
  for (Index k = 0; k < axes.count(); ++k) {
    for (const double value : axes.components.row(k)) {
      result.push_back(
          static_cast<T>(value * scale(axes.explained_variance[static_cast<std::size_t>(k)])));
    }
  }
  return result;
}

// Rows of the product of `rows` × inner with `right`, which is inner × outer or, transposed, outer
// × inner. fill(piece, to) writes those rows of the left side, one after the other; finish(piece,
// at) changes those rows of the result.
template <Real T, class Fill, class Finish>
Matrix<T> product_of_rows(Engine& engine, Index rows, Index inner, Index outer,
                          const std::vector<T>& right, Transpose transpose, Fill&& fill,
                          Finish&& finish) {
  require_memory(
      "a table of " + std::to_string(rows) + " rows and " + std::to_string(outer) + " columns",
      saturating_product(saturating_product(rows, outer), static_cast<Index>(sizeof(T))),
      "take fewer rows at a time");
  Matrix<T> result(rows, outer);
  const auto steps = make_steps<GemmSteps, T>(engine);
  const auto right_there = to_engine(engine, right);
  constexpr Index piece_bytes = Index{4} << 20;
  constexpr Index piece_rows = 64;  // of a thread
  const Index row_bytes = std::max(inner, outer) * static_cast<Index>(sizeof(T));
  const Index most = std::min(rows, std::max<Index>(64, piece_bytes / row_bytes));
  const bool on_host = works_in_host_memory(engine);
  std::vector<T> left(static_cast<std::size_t>(most * inner));
  Buffer<T> left_there(engine, on_host ? 0 : most * inner);
  Buffer<T> result_there(engine, on_host ? 0 : most * outer);
  for (Index begin = 0; begin < rows; begin += most) {
    const Index count = std::min(most, rows - begin);
    const auto piece_at = [&](const Piece& piece) {
      return Piece{begin + piece.begin, begin + piece.end};
    };
    parallel_pieces(engine.threads(), count, piece_rows, [&](const Piece& piece) {
      fill(piece_at(piece), left.data() + piece.begin * inner);
    });
    T* const to = result.data() + begin * outer;
    if (!on_host) {
      backend(engine).copy_from_host(left_there.data(), left.data(),
                                     static_cast<std::size_t>(count * inner) * sizeof(T));
    }
    steps->gemm(Transpose::no, transpose, count, outer, inner,
                on_host ? left.data() : left_there.data(), inner, right_there.data(),
                transpose == Transpose::no ? outer : inner, false,
                on_host ? to : result_there.data(), outer);
    if (!on_host) {
      backend(engine).copy_to_host(to, result_there.data(),
                                   static_cast<std::size_t>(count * outer) * sizeof(T));
    }
    parallel_pieces(engine.threads(), count, piece_rows,
                    [&](const Piece& piece) { finish(piece_at(piece), to + piece.begin * outer); });
  }
  return result;
}

template <Real T>
bool finite_values(std::span<const T> values) {
  return std::all_of(values.begin(), values.end(), [](T value) { return std::isfinite(value); });
}

// Throws for the first value of x, or else for the first result, that is not finite.
template <Real T>
void require_finite_coordinates(MatrixView<const T> x, const Matrix<T>& coordinates,
                                const std::vector<std::string>& names) {
  if (finite_values<T>(coordinates.values())) return;
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      if (std::isfinite(x(i, j))) continue;
      const std::string column =
          names.empty() ? std::to_string(j + 1) : names[static_cast<std::size_t>(j)];
      throw InputError("column " + column + ": row " + std::to_string(i + 1) +
                       (std::isnan(x(i, j)) ? " has no value" : " is infinite") +
                       ", and principal components are made of all of them; fill missing values "
                       "with " +
                       option("impute"));
    }
  }
  throw NumericalError("coordinates along principal components exceed the range of " +
                       std::string(to_string(precision_of<T>)) + "; scale the features");
}

}  // namespace

template <Real T>
Matrix<T> project(Engine& engine, const PrincipalAxes& axes, MatrixView<const T> x,
                  const std::vector<std::string>& feature_names) {
  if (x.cols != axes.features()) {
    throw InputError("the principal components are of " + std::to_string(axes.features()) +
                     " features but the data has " + std::to_string(x.cols) +
                     "; give the columns that they were found in");
  }
  const std::vector<T> right = scaled_components<T>(
      axes, [&](double variance) { return axes.whitened ? 1 / std::sqrt(variance) : 1.0; });
  const double* const mean = axes.mean.data();
  Matrix<T> coordinates = product_of_rows<T>(
      engine, x.rows, x.cols, axes.count(), right, Transpose::yes,
      [&](const Piece& piece, T* to) {
        visit_rows(x, piece.begin, piece.end);
        for (Index i = piece.begin; i < piece.end; ++i) {
          const T* const row = x.row(i).data();
          for (Index j = 0; j < x.cols; ++j)
            *to++ = static_cast<T>(static_cast<double>(row[j]) - mean[j]);
        }
      },
      [](const Piece&, T*) {});
  require_finite_coordinates(x, coordinates, feature_names);
  return coordinates;
}

template <Real T>
Matrix<T> reconstruct(Engine& engine, const PrincipalAxes& axes, MatrixView<const T> coordinates) {
  if (coordinates.cols != axes.count()) {
    throw InputError("there are " + std::to_string(axes.count()) +
                     " principal components but coordinates of " +
                     std::to_string(coordinates.cols));
  }
  const std::vector<T> right = scaled_components<T>(
      axes, [&](double variance) { return axes.whitened ? std::sqrt(variance) : 1.0; });
  const double* const mean = axes.mean.data();
  return product_of_rows<T>(
      engine, coordinates.rows, axes.count(), axes.features(), right, Transpose::no,
      [&](const Piece& piece, T* to) {
        for (Index i = piece.begin; i < piece.end; ++i)
          to = std::ranges::copy(coordinates.row(i), to).out;
      },
      [&](const Piece& piece, T* at) {
        for (Index i = piece.begin; i < piece.end; ++i) {
          for (Index j = 0; j < axes.features(); ++j, ++at) {
            *at = static_cast<T>(static_cast<double>(*at) + mean[j]);
          }
        }
      });
}

template Matrix<float> project(Engine&, const PrincipalAxes&, MatrixView<const float>,
                               const std::vector<std::string>&);
template Matrix<double> project(Engine&, const PrincipalAxes&, MatrixView<const double>,
                                const std::vector<std::string>&);
template Matrix<float> reconstruct(Engine&, const PrincipalAxes&, MatrixView<const float>);
template Matrix<double> reconstruct(Engine&, const PrincipalAxes&, MatrixView<const double>);

}  // namespace tandem
