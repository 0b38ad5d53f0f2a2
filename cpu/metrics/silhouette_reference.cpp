#include <cmath>
#include <limits>

#include "core/metrics/silhouette_steps.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceSilhouette final : public SilhouetteSteps<T> {
 public:
  void values(const Buffer<T>& x, Index cols, const Buffer<Index>& members,
              const Buffer<Index>& first, const Buffer<std::int32_t>& cluster,
              Buffer<double>& values) override {
    const Index rows = values.size();
    const Index clusters = first.size() - 1;
    const auto distance = [&](Index i, Index j) {
      double sum = 0;
      for (Index f = 0; f < cols; ++f) {
        const double d = static_cast<double>(x.data()[i * cols + f]) -
                         static_cast<double>(x.data()[j * cols + f]);
        sum += d * d;
      }
      return std::sqrt(sum);
    };
    for (Index i = 0; i < rows; ++i) {
      double a = 0;
      double b = std::numeric_limits<double>::infinity();
      Index own_size = 0;
      for (Index c = 0; c < clusters; ++c) {
        const Index size = first.data()[c + 1] - first.data()[c];
        double sum = 0;
        for (Index m = first.data()[c]; m < first.data()[c + 1]; ++m) {
          sum += distance(i, members.data()[m]);
        }
        if (c == cluster.data()[i]) {
          own_size = size;
          a = size > 1 ? sum / static_cast<double>(size - 1) : 0.0;
        } else {
          b = std::min(b, sum / static_cast<double>(size));
        }
      }
      values.data()[i] = silhouette_of(a, b, own_size);
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<SilhouetteSteps<T>> SilhouetteSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceSilhouette<T>>();
}

template std::unique_ptr<SilhouetteSteps<float>> SilhouetteSteps<float>::make_reference(Engine&);
template std::unique_ptr<SilhouetteSteps<double>> SilhouetteSteps<double>::make_reference(Engine&);

}  // namespace tandem
