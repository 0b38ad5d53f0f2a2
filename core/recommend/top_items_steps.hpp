// The best items of many users by inner products: the matrix product and the selection in one step,
// so that no score that is not chosen goes to memory.
#pragma once

#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "core/recommend/als_steps.hpp"  // als_pitch
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

// The longest list that the steps make; longer ones are sorted from all scores.
inline constexpr Index most_top_items = 1024;

template <Real T>
struct TopItemsProblem {
  Index users = 0;
  Index items = 0;
  Index factors = 0;
  const T* user_factors = nullptr;  // users × als_pitch(factors)
  const T* item_factors = nullptr;  // items × als_pitch(factors)
  // Items that are no answer for a user, ascending: left_out[offsets[u] .. offsets[u + 1] − 1].
  // Null: none.
  const Index* offsets = nullptr;
  const std::int32_t* left_out = nullptr;
  const std::uint8_t* allowed = nullptr;  // one per item, or null: all
};

// Every score is computed once, from factors that are read once.
[[nodiscard]] constexpr Cost top_items_cost(Index users, Index items, Index factors,
                                            std::size_t element) {
  const auto u = static_cast<double>(users);
  const auto i = static_cast<double>(items);
  const auto f = static_cast<double>(factors);
  return {(u + i) * f * static_cast<double>(element), 2 * u * i * f};
}

template <Real T>
class TopItemsSteps {
 public:
  virtual ~TopItemsSteps() = default;
  static constexpr std::string_view name = "top_items";
  [[nodiscard]] static std::unique_ptr<TopItemsSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<TopItemsSteps> make_cpu(Engine& engine);

  // score(u, i) = one ascending chain of fmas over the factors, from +0, in T. items and scores:
  // users × n, the n best of each user, best first, ties to the lowest item; −1 and 0 where there
  // are fewer. A score that is NaN is no answer. 1 <= n <= most_top_items. Enqueues.
  virtual void top(const TopItemsProblem<T>& problem, Index n, Buffer<std::int32_t>& items,
                   Buffer<T>& scores) = 0;
};

}  // namespace tandem
