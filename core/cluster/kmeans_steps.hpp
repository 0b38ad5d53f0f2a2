// The steps of k-means: what an engine must be able to do for the driver in
// core/cluster/kmeans.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/cost.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// Moments of the columns, weighted.
struct KMeansColumns {
  double weight = 0;         // Σ w
  std::vector<double> mean;  // per feature; not finite where a value is not
};

struct KMeansSpread {
  std::vector<double> square_sum;  // per feature: Σ w x'², x' = x − origin
  std::vector<double> largest;     // per feature: max |x'|
};

// The results of one iteration that the driver reads. All of them are single numbers.
struct KMeansTotals {
  Index changed = 0;         // rows whose label this assign changed (all of them at first)
  Index empty = 0;           // centres without a row of positive weight
  double shift_squared = 0;  // Σ over centres ‖next − centre‖²
  double cost = 0;           // Σ w ‖x − centre(x)‖² for the centres that were assigned to
  double cost_error = 0;     // bound on the rounding error of cost: kmeans_math.hpp
};

// The least cost of one assign of all rows: a multiplication and an addition per row, feature and
// centre; the rows read once, the labels read and written.
[[nodiscard]] constexpr Cost kmeans_assign_cost(Index rows, Index features, Index centres,
                                                Index element_bytes) {
  const auto elements = static_cast<double>(rows) * static_cast<double>(features);
  return {elements * static_cast<double>(element_bytes) + 8 * static_cast<double>(rows),
          2 * elements * static_cast<double>(centres)};
}

struct KMeansFarthest {
  Index row = -1;       // -1 where no row qualifies
  double distance = 0;  // squared
};

// An object of this class is one clustering problem on one engine: it keeps the rows (n × d) in the
// layout that suits the engine, the label of each row, and per centre the weight W, the number of
// rows and the sum S of the rows, so that only data of size k × d or scalars pass the interface
// inside a loop. Rows of weight 0 are labelled but count for nothing.
//
// Order of calls: expect_centres or not, measure, load, then begin(k) for each start, then the
// others. Of rows that only are to be labelled: measure, load, label, labels.
template <Real T>
class KMeansSteps {
 public:
  virtual ~KMeansSteps() = default;
  static constexpr std::string_view name = "kmeans";
  [[nodiscard]] static std::unique_ptr<KMeansSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<KMeansSteps> make_cpu(Engine& engine);

  // Requires: x is n × d on the host; weights is empty, for weights of 1, or has n entries >= 0
  // that are whole multiples of FixedPoint::for_sum(n, their maximum)'s unit, so that sums of them
  // are exact. Each mean is a long_sum of w·double(x), the product rounded, over Σ w.
  [[nodiscard]] virtual KMeansColumns measure(MatrixView<const T> x,
                                              std::span<const double> weights) = 0;
  // Says that the starts will have k centres; an engine may choose its layout by it.
  virtual void expect_centres(Index /*k*/) {}
  // The one upload. Requires: what measure() was given, and finite values; origin has d entries. x
  // must stay until the object's end: an engine in host memory may read it again.
  // Each square sum is a long_sum of w·(x'·x') in double.
  [[nodiscard]] virtual KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                                          std::span<const T> origin) = 0;

  // A start with k centres: labels −1, sums 0.
  virtual void begin(Index k) = 0;
  // The same, with the labels (n of them, −1 .. k − 1) of an interrupted run: sums follow from
  // them.
  virtual void begin(Index k, std::span<const std::int32_t> labels) = 0;

  // label(x) = argmin over c of ‖x − c‖², ties to the lowest index; W, rows and S follow.
  // centres: k × d.
  virtual void assign(const Buffer<T>& centres) = 0;
  // The labels of assign(centres), of k centres, for rows that a model is applied to. It takes no
  // begin(), ends a start, and makes no sums: of the functions below, only labels() may follow.
  virtual void label(const Buffer<T>& centres, Index k) = 0;
  // next = S / W per centre; an empty centre stays where it is.
  virtual void recentre(const Buffer<T>& centres, Buffer<T>& next) = 0;
  // Totals of the last recentre, and of the assign before it. Waits.
  [[nodiscard]] virtual KMeansTotals totals() = 0;
  // Σ w ‖x − centre(x)‖² with the labels of the last assign, from the rows themselves: a long_sum
  // of chains in double. Waits.
  [[nodiscard]] virtual double inertia(const Buffer<T>& centres) = 0;

  // The nearest-distance array D (n squared distances in T, each one chain over the features of
  // fma(x'_j − y'_j, x'_j − y'_j, ·)):
  // D_i = ‖x_i − centre(x_i)‖², by label.
  virtual void distances_to_own_centres(const Buffer<T>& centres) = 0;
  // D_i = min(D_i, ‖x_i − x_r‖²) over the rows r listed; with `first`, D_i starts at infinity.
  virtual void distances_to_rows(std::span<const Index> rows, bool first) = 0;
  // The long_sum of w·D. Waits.
  [[nodiscard]] virtual double potential() = 0;
  // A row drawn with probability w·D / Σ w·D from u, uniform on [0, 1): block_by_share() of
  // kmeans_math.hpp goes down the tree of potential() to the block in which the running total
  // exceeds u·potential, and in it the first row whose running sum exceeds the rest is taken; where
  // rounding leaves none, the last row with w·D > 0 before.
  // Requires potential() > 0. Waits.
  [[nodiscard]] virtual Index sample(double u) = 0;
  // All rows i with random.uniform(first_index + i) < factor · w·D, in ascending order. Waits.
  [[nodiscard]] virtual std::vector<Index> sample_each(double factor, const Random& random,
                                                       std::uint64_t first_index) = 0;

  // The row with the largest D among those of positive weight whose centre has another such row;
  // ties go to the lowest row. Waits.
  [[nodiscard]] virtual KMeansFarthest farthest() = 0;
  // Relabels a row; W, rows and S follow.
  virtual void move_row(Index row, std::int32_t centre) = 0;

  // Wait.
  [[nodiscard]] virtual std::vector<std::int32_t> labels() = 0;
  [[nodiscard]] virtual std::vector<Index> counts() = 0;  // rows of positive weight per centre
  [[nodiscard]] virtual std::vector<double> centre_weights() = 0;  // W
};

}  // namespace tandem
