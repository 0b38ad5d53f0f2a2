// For algorithms that do not start from scores.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/error.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Throws InputError where the data has base margins, which `algorithm` would leave out of account.
template <Real T>
void refuse_base_margin(const DatasetView<T>& data, std::string_view algorithm) {
  if (data.base_margin.empty()) return;
  throw InputError(data.source + ": has base margins, and " + std::string(algorithm) +
                   " starts from none; leave them out, or choose an algorithm that boosts");
}

}  // namespace tandem
