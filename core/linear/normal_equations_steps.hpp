// The steps of least squares by the normal equations that run on an engine.
#pragma once

#include <memory>
#include <string_view>

#include "core/linear/linear_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// The matrix has p columns: the features, the target, and, with an intercept, ones at the end.
[[nodiscard]] constexpr Index normal_equations_columns(Index features, bool intercept) {
  return features + 1 + (intercept ? 1 : 0);
}
// The products of columns a <= b stand row by row of the upper triangle, p·(p + 1)/2 of them.
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index product_place(Index a, Index b, Index columns) {
  return a * columns - a * (a - 1) / 2 + (b - a);
}
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index product_count(Index columns) {
  return columns * (columns + 1) / 2;
}

// Bytes that the products of n rows must read, and their operations: an fma for each product.
[[nodiscard]] constexpr Cost normal_equations_cost(Index rows, Index columns, std::size_t element) {
  const auto n = static_cast<double>(rows);
  const auto p = static_cast<double>(columns);
  return {n * p * static_cast<double>(element), n * p * (p + 1)};
}

template <Real T>
class NormalEquationsSteps {
 public:
  virtual ~NormalEquationsSteps() = default;
  static constexpr std::string_view name = "normal_equations";
  [[nodiscard]] static std::unique_ptr<NormalEquationsSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<NormalEquationsSteps> make_cpu(Engine& engine);

  // products[product_place(a, b, p)] ← Σ_i w_i·t_ia·t_ib for all columns a <= b, where t is the
  // value of the feature or target, in double, less centre[a] (features, then target), or 1.
  //
  // cpu and cuda: w_i·t_ia is rounded once; a product is one ascending chain of fmas from +0 over
  // the 1024 rows of a block, and the blocks are added by the tree of a long sum. Rows that start
  // at a block which is a multiple of 2^k and make up at most 2^k blocks therefore give one node of
  // the tree over all rows, which a LongSumPart takes. Enqueues.
  virtual void products(const RowsView<T>& rows, bool intercept, const Buffer<double>& centre,
                        Buffer<double>& products) = 0;
};

}  // namespace tandem
