#include "tandem/model/out_of_core.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "tandem/core/error.hpp"

namespace tandem {

namespace {

// Their loops over rows say where they are (core/external_memory.hpp). Who is not named is refused.
constexpr std::array<std::string_view, 2> in_order{"kmeans", "linear-regression"};

}  // namespace

bool trains_out_of_core(const Algorithm& algorithm) {
  return std::find(in_order.begin(), in_order.end(), algorithm.name()) != in_order.end();
}

void require_out_of_core(const Algorithm& algorithm) {
  if (trains_out_of_core(algorithm)) return;
  std::string others;
  for (const std::string_view name : in_order) {
    others += (others.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError(std::string(algorithm.name()) +
                   " does not go over the rows in their order, as rows on disk have to be read; " +
                   "leave out " + option("cache") + ", or choose one of those that do: " + others);
}

}  // namespace tandem
