// Agreement of the nearest-neighbours classifier: whole fits.
#include "agree/neighbors/neighbour_fits.hpp"
#include "tandem/neighbors/knn_classifier.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public NeighbourFit<T, KNNClassifierOptions> {
 public:
  explicit FitCase(const Key& key) : NeighbourFit<T, KNNClassifierOptions>(key, 162, 3) {}
};

}  // namespace

Agreement make_knn_classifier_agreement() {
  return {part<FitCase>("fit", "votes of the nearest rows", {"neighbours"},
                        "exact: distances are one chain, what they say is added up on the host")};
}

}  // namespace tandem::agree
