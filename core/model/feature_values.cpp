#include "tandem/model/feature_values.hpp"

#include "core/model/algorithm_of.hpp"

namespace tandem {

FeatureValues feature_values(const Algorithm& algorithm) {
  const auto* described = dynamic_cast<const DescribedAlgorithm*>(&algorithm);
  return described != nullptr ? described->description().values : FeatureValues::any;
}

}  // namespace tandem
