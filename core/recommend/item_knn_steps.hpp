// The step of item-kNN: the items most like each item, from the products of a sparse matrix with
// itself.
//
// Weights are whole numbers: the data's own where they are whole and small, else multiples of a
// power of two chosen so that no sum of products can leave 63 bits (knn_weights.hpp). Products and
// sums are then exact, whatever their order, and so are the norms; a likeness is a few correctly
// rounded operations on them:
//
//   cosine   double(Σ x y) / (sqrt(double(Σ x x)) · sqrt(double(Σ y y)) + shrinkage · unit⁻²)
//   jaccard  double(common) / (double(|x| + |y| − common) + shrinkage)
#pragma once

#include <memory>
#include <string_view>

#include "tandem/core/buffer.hpp"
#include "tandem/core/math.hpp"
#include "tandem/recommend/choices.hpp"

namespace tandem {

// The most neighbours of an item.
inline constexpr Index most_neighbours = 1024;

// The likeness of two columns with a product above 0, by their squared norms (jaccard: counts) or
// the roots of these.
[[nodiscard]] TANDEM_HOST_DEVICE inline double knn_jaccard(std::int64_t product,
                                                           std::int64_t norm_a, std::int64_t norm_b,
                                                           double shrinkage) {
  return static_cast<double>(product) /
         (static_cast<double>(norm_a + norm_b - product) + shrinkage);
}
[[nodiscard]] TANDEM_HOST_DEVICE inline double knn_cosine(std::int64_t product, double root_a,
                                                          double root_b, double shrinkage) {
  return static_cast<double>(product) / (root_a * root_b + shrinkage);
}
[[nodiscard]] TANDEM_HOST_DEVICE inline double knn_likeness(KnnSimilarity similarity,
                                                            std::int64_t product,
                                                            std::int64_t norm_a,
                                                            std::int64_t norm_b, double shrinkage) {
  if (similarity == KnnSimilarity::jaccard) {
    return knn_jaccard(product, norm_a, norm_b, shrinkage);
  }
  return knn_cosine(product, math::sqrt(static_cast<double>(norm_a)),
                    math::sqrt(static_cast<double>(norm_b)), shrinkage);
}

struct KnnProblem {
  Index users = 0;
  Index items = 0;
  // Users with their items, and items with their users; weights are whole numbers.
  Buffer<Index> user_offsets;
  Buffer<std::int32_t> user_items;
  Buffer<std::int32_t> user_weights;
  Buffer<Index> item_offsets;
  Buffer<std::int32_t> item_users;
  Buffer<std::int32_t> item_weights;
  Buffer<std::int64_t> norms;  // items: Σ of squared weights
  KnnSimilarity similarity = KnnSimilarity::cosine;
  double shrinkage = 0;  // in squared units
  bool narrow = false;   // no product reaches 2^31
};

class ItemKnnSteps {
 public:
  virtual ~ItemKnnSteps() = default;

  // items × n: the n items most like each, the most alike first, ties to the lowest item; of those
  // with a product above 0, without itself. −1 and 0 where there are fewer. Enqueues.
  virtual void neighbours(const KnnProblem& problem, Index n, Buffer<std::int32_t>& items,
                          Buffer<double>& likeness) = 0;
};

// By precision only so that engines find it like others: weights are integers, likeness double.
template <Real T>
class ItemKnnStepsOf : public ItemKnnSteps {
 public:
  static constexpr std::string_view name = "item_knn";
  [[nodiscard]] static std::unique_ptr<ItemKnnStepsOf> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<ItemKnnStepsOf> make_cpu(Engine& engine);
};

}  // namespace tandem
