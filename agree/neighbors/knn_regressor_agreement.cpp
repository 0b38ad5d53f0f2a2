// Agreement of the nearest-neighbours regressor: whole fits.
#include "agree/neighbors/neighbour_fits.hpp"
#include "tandem/neighbors/knn_regressor.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public NeighbourFit<T, KNNRegressorOptions> {
 public:
  explicit FitCase(const Key& key) : NeighbourFit<T, KNNRegressorOptions>(key, 163, 0) {}
};

}  // namespace

Agreement make_knn_regressor_agreement() {
  return {part<FitCase>("fit", "means over the nearest rows", {"neighbours"},
                        "exact: distances are one chain, what they say is added up on the host")};
}

}  // namespace tandem::agree
