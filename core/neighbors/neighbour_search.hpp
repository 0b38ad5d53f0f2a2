// Points on an engine, and lists of the nearest of them to rows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/neighbors/neighbour_steps.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/neighbors/neighbours.hpp"

namespace tandem {

// Whether rows are the points themselves, none of which is its own neighbour.
enum class Own { no, yes };

// The lists of some rows.
template <Real T>
struct NeighbourLists {
  Index begin = 0;  // the first row
  Index rows = 0;
  Index k = 0;
  const std::int32_t* nearest = nullptr;  // rows × k, nearest first
  const T* distances = nullptr;           // rows × k
};

// The engine must outlive it.
template <Real T>
class NeighbourSearch {
 public:
  // `model` for messages: "the k-nearest-neighbours model".
  NeighbourSearch(Engine& engine, MatrixView<const T> points, NeighbourMetric metric,
                  std::string_view model);

  // f(lists) for consecutive pieces of the rows of x, whose lists are full: there are at least k
  // points (k + 1 where the rows are their own). Throws InputError where the number of columns
  // differs, or a value is so large that distances leave the range of T.
  template <class F>
  void for_each_piece(MatrixView<const T> x, Index k, Own own, F&& f) {
    check(x);
    const Index piece = piece_rows(x, k);
    for (Index begin = 0; begin < x.rows; begin += piece) f(search(x, begin, piece, k, own));
  }

 private:
  void check(MatrixView<const T> x) const;
  [[nodiscard]] Index piece_rows(MatrixView<const T> x, Index k) const;
  [[nodiscard]] NeighbourLists<T> search(MatrixView<const T> x, Index begin, Index most, Index k,
                                         Own own);

  Engine& engine_;
  std::unique_ptr<NeighbourSteps<T>> steps_;
  NeighbourMetric metric_;
  std::string_view model_;
  Index count_ = 0;
  Index features_ = 0;
  Buffer<T> points_;
  Buffer<std::int32_t> nearest_on_;
  Buffer<T> separations_on_;
  std::vector<std::int32_t> nearest_;
  std::vector<T> distances_;
};

// Feature by feature in panels, as PointsView has them. Rows of a cosine distance are scaled to
// length 1.
template <Real T>
[[nodiscard]] Buffer<T> pack_points(Engine& engine, MatrixView<const T> points,
                                    NeighbourMetric metric);

// Rows scaled to length 1, in double but for the result; rows of zeros stay as they are.
template <Real T>
[[nodiscard]] Matrix<T> unit_rows(MatrixView<const T> x, int threads);

[[nodiscard]] constexpr Separation separation_of(NeighbourMetric metric) {
  return metric == NeighbourMetric::euclidean   ? Separation::squared
         : metric == NeighbourMetric::manhattan ? Separation::absolute
                                                : Separation::complement;
}

// Throws InputError, naming row and column, for a value so large that distances of such values
// leave the range of T. `source`: what the rows are, for messages.
template <Real T>
void require_distances(MatrixView<const T> x, std::string_view source, NeighbourMetric metric,
                       int threads);

}  // namespace tandem
