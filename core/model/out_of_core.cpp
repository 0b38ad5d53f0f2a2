#include "tandem/model/out_of_core.hpp"

#include <string>

#include "core/model/algorithm_of.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

bool trains_out_of_core(const Algorithm& algorithm) {
  const auto* const known = dynamic_cast<const DescribedAlgorithm*>(&algorithm);
  return known != nullptr && known->description().trains_out_of_core;
}

void require_out_of_core(const Algorithm& algorithm) {
  if (trains_out_of_core(algorithm)) return;
  std::string others;
  for (const std::string& name : algorithm_names()) {
    if (!trains_out_of_core(*make_algorithm(name))) continue;
    others += (others.empty() ? "" : ", ") + name;
  }
  throw InputError(std::string(algorithm.name()) +
                   " does not go over the rows in their order, as rows on disk have to be read; " +
                   "leave out " + option("cache") + ", or choose one of those that do: " + others);
}

}  // namespace tandem
