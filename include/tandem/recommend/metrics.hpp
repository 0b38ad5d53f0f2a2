// How good recommendations are, measured on events that the model has not seen.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// The measures of one user's list: `ranked`, best first, against `relevant`, distinct items in
// ascending order, of which there is at least one. Lists shorter than k count as they are.
//   recall@k     hits in the first k / min(k, relevant)
//   ndcg@k       Σ over hits of 1/log2(rank + 1), over that of the best list (Järvelin and
//                Kekäläinen, TOIS 20, 2002), gains 0 and 1
//   map@k        Σ over hits of the precision at their rank, / min(k, relevant)
//   mrr@k        1 / rank of the first hit, or 0
//   hit_rate@k   1 where there is a hit, else 0
struct ListMeasures {
  double recall = 0;
  double ndcg = 0;
  double average_precision = 0;
  double reciprocal_rank = 0;
  double hit = 0;
};
[[nodiscard]] TANDEM_API ListMeasures measure_list(std::span<const std::int32_t> ranked,
                                                   std::span<const std::int32_t> relevant, Index k);

struct TANDEM_API RecommendationMetricOptions {
  std::vector<std::int64_t> at = {10};  // lengths of lists
  bool full_ranking = false;            // also ndcg over the whole catalogue
  double confidence = 0.95;             // of the intervals
  // Borders of segments of users by the number of items in their history: below the first, from one
  // to the next, from the last on.
  std::vector<std::int64_t> segments = {5, 20, 100};

  void visit(OptionVisitor& visitor);
  void check() const;
};

// A mean over users, and the interval that holds the mean of users like these with the confidence
// asked for: mean ± z·s/√users. Of measures of the whole (coverage) low = high = value.
struct RecommendationMetric {
  std::string name;  // "ndcg@10"
  double value = 0;
  double low = 0;
  double high = 0;
  Index users = 0;
};

struct RecommendationSegment {
  std::string name;  // "5 to 19 items"
  Index users = 0;
  std::vector<RecommendationMetric> metrics;
};

// Means over the users with at least one item in their history and one test item that is not in it.
//   recall, ndcg, map, mrr, hit_rate @k   as ListMeasures
//   coverage@k         share of the items that are in somebody's list
//   novelty@k          mean of −log2(share of the users that have the item), over the list
//   diversity@k        mean of 1 − similarity over pairs of the list, the similarity the cosine of
//                      the items' users in the training data
//   popularity_bias@k  mean popularity (users) of the list over that of the user's history
struct RecommendationReport {
  std::vector<RecommendationMetric> metrics;
  std::vector<RecommendationSegment> segments;
  Index users = 0;                  // evaluated
  Index users_without_history = 0;  // with test items, but nothing known of them: left out
  Index users_without_test = 0;     // whose test items are all in their history: left out
  // The first list length's ndcg of each evaluated user, in the order of their numbers, for paired
  // comparisons of two models on the same split.
  std::vector<std::int32_t> user_numbers;
  std::vector<double> user_ndcg;

  // NaN where there is none of that name.
  [[nodiscard]] TANDEM_API double value(std::string_view metric) const;
  [[nodiscard]] TANDEM_API std::string to_json() const;
};

// history, train: what the model was trained on. Items of a user's history are never in the list.
// The model's items must be those of `train`, by number.
[[nodiscard]] TANDEM_API RecommendationReport evaluate_recommender(
    Engine& engine, const Recommender& model, const Interactions& train, const Interactions& test,
    const RecommendationMetricOptions& options = {}, RunControl* control = nullptr);

}  // namespace tandem
