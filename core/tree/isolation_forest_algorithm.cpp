#include "core/model/algorithm_of.hpp"
#include "tandem/tree/isolation_forest.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_isolation_forest_algorithm();

std::unique_ptr<Algorithm> make_isolation_forest_algorithm() {
  return algorithm_of<IsolationForestOptions, IsolationForestModel>(
      {.name = "isolation-forest",
       .summary = "outliers by how easily random cuts set a row apart",
       .kind = ModelKind::detector,
       .accepts_missing = true});
}

}  // namespace tandem
