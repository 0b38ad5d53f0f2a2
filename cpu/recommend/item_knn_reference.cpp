// The products of all pairs of items, in double.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/recommend/item_knn_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceItemKnn final : public ItemKnnStepsOf<T> {
 public:
  void neighbours(const KnnProblem& problem, Index n, Buffer<std::int32_t>& items,
                  Buffer<double>& likeness) override {
    for (Index i = 0; i < problem.items; ++i) {
      std::vector<std::pair<double, std::int32_t>> all;
      std::vector<double> own(static_cast<std::size_t>(problem.users), 0.0);
      for (Index p = problem.item_offsets.data()[i]; p < problem.item_offsets.data()[i + 1]; ++p) {
        own[static_cast<std::size_t>(problem.item_users.data()[p])] =
            problem.item_weights.data()[p];
      }
      for (Index j = 0; j < problem.items; ++j) {
        if (j == i) continue;
        double product = 0;
        for (Index p = problem.item_offsets.data()[j]; p < problem.item_offsets.data()[j + 1];
             ++p) {
          product += own[static_cast<std::size_t>(problem.item_users.data()[p])] *
                     static_cast<double>(problem.item_weights.data()[p]);
        }
        if (!(product > 0)) continue;
        const auto a = static_cast<double>(problem.norms.data()[i]);
        const auto b = static_cast<double>(problem.norms.data()[j]);
        const double value = problem.similarity == KnnSimilarity::jaccard
                                 ? product / (a + b - product + problem.shrinkage)
                                 : product / (std::sqrt(a) * std::sqrt(b) + problem.shrinkage);
        all.emplace_back(value, static_cast<std::int32_t>(j));
      }
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
      });
      for (Index k = 0; k < n; ++k) {
        const bool there = k < static_cast<Index>(all.size());
        items.data()[i * n + k] = there ? all[static_cast<std::size_t>(k)].second : -1;
        likeness.data()[i * n + k] = there ? all[static_cast<std::size_t>(k)].first : 0.0;
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<ItemKnnStepsOf<T>> ItemKnnStepsOf<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceItemKnn<T>>();
}
template std::unique_ptr<ItemKnnStepsOf<float>> ItemKnnStepsOf<float>::make_reference(Engine&);
template std::unique_ptr<ItemKnnStepsOf<double>> ItemKnnStepsOf<double>::make_reference(Engine&);

}  // namespace tandem
