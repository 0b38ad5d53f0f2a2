// The steps of tandem/optim/lbfgs.hpp: operations on whole vectors.
#pragma once

#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/types.hpp"
#include "tandem/optim/lbfgs.hpp"

namespace tandem {

// The last pairs (s, y) in a ring of `memory` slots: slot i holds size elements from i·size.
// pair_products holds sᵀy of each slot.
template <Real T>
struct LbfgsPairs {
  LbfgsPairs(Engine& engine, Index slots, Index vector_size)
      : memory(slots),
        size(vector_size),
        s(engine, slots * vector_size),
        y(engine, slots * vector_size),
        products(engine, slots) {
    s.fill_zero();
    y.fill_zero();
    products.fill_zero();
  }
  Index memory;
  Index size;
  Index count = 0;   // slots in use
  Index newest = 0;  // slot of the last pair
  Buffer<T> s;
  Buffer<T> y;
  Buffer<T> products;
};

// Bytes that direction() must move with a diagonal initial matrix, each vector once per loop, and
// its operations: two products and two updates per pair, one product and three scalings more.
[[nodiscard]] constexpr Cost lbfgs_direction_cost(Index size, Index pairs, std::size_t element) {
  const auto n = static_cast<double>(size);
  const auto c = static_cast<double>(pairs);
  return {n * ((4 * c + 11) * static_cast<double>(element) + 8), n * (8 * c + 5)};
}

// Every inner product is a long sum over the elements, each product added to its lane by fma.
template <Real T>
class LbfgsSteps {
 public:
  virtual ~LbfgsSteps() = default;
  static constexpr std::string_view name = "lbfgs";
  [[nodiscard]] static std::unique_ptr<LbfgsSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<LbfgsSteps> make_cpu(Engine& engine);

  // direction ← −H·gradient by the two-loop recursion over the pairs, newest first, from the
  // initial matrix γ·initial, γ = sᵀy / yᵀ·initial·y of the newest pair; 1 without pairs. The
  // product of a row of initial and a vector is one chain of fmas. Enqueues.
  virtual void direction(const LbfgsPairs<T>& pairs, const LbfgsInitial& initial,
                         const Buffer<T>& gradient, Buffer<T>& direction) = 0;

  // Slot `slot` ← (x − x_before, g − g_before) with its product. Returns sᵀy / yᵀy, 0 where y is 0.
  [[nodiscard]] virtual double store(Index slot, const Buffer<T>& x, const Buffer<T>& x_before,
                                     const Buffer<T>& g, const Buffer<T>& g_before,
                                     LbfgsPairs<T>& pairs) = 0;

  // x ← fma(length, direction, from). Enqueues.
  virtual void move(const Buffer<T>& from, double length, const Buffer<T>& direction,
                    Buffer<T>& x) = 0;

  [[nodiscard]] virtual double dot(const Buffer<T>& a, const Buffer<T>& b) = 0;
  // The largest magnitude; NaN where there is one.
  [[nodiscard]] virtual double largest(const Buffer<T>& a) = 0;
};

}  // namespace tandem
