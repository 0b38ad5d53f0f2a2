// All scores of a user in double precision, then a sort.
#include <algorithm>
#include <vector>

#include "core/recommend/top_items_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceTopItems final : public TopItemsSteps<T> {
 public:
  void top(const TopItemsProblem<T>& problem, Index n, Buffer<std::int32_t>& items,
           Buffer<T>& scores) override {
    const Index pitch = als_pitch(problem.factors);
    for (Index u = 0; u < problem.users; ++u) {
      std::vector<std::pair<double, std::int32_t>> all;
      for (Index i = 0; i < problem.items; ++i) {
        if (problem.allowed != nullptr && problem.allowed[i] == 0) continue;
        if (problem.offsets != nullptr && std::find(problem.left_out + problem.offsets[u],
                                                    problem.left_out + problem.offsets[u + 1], i) !=
                                              problem.left_out + problem.offsets[u + 1]) {
          continue;
        }
        double score = 0;
        for (Index k = 0; k < problem.factors; ++k) {
          score += static_cast<double>(problem.user_factors[u * pitch + k]) *
                   static_cast<double>(problem.item_factors[i * pitch + k]);
        }
        if (score == score) all.emplace_back(score, static_cast<std::int32_t>(i));
      }
      std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
      });
      for (Index k = 0; k < n; ++k) {
        const bool there = k < static_cast<Index>(all.size());
        items.data()[u * n + k] = there ? all[static_cast<std::size_t>(k)].second : -1;
        scores.data()[u * n + k] =
            there ? static_cast<T>(all[static_cast<std::size_t>(k)].first) : T{0};
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<TopItemsSteps<T>> TopItemsSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceTopItems<T>>();
}
template std::unique_ptr<TopItemsSteps<float>> TopItemsSteps<float>::make_reference(Engine&);
template std::unique_ptr<TopItemsSteps<double>> TopItemsSteps<double>::make_reference(Engine&);

}  // namespace tandem
