// Ranking by the definitions: the measure is computed anew for every pair that changes places.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "core/tree/ranking_steps.hpp"

namespace tandem::tree {
namespace {

double discount(std::size_t rank) { return 1 / std::log2(static_cast<double>(rank) + 2); }
double gain(double y) { return std::exp2(y) - 1; }

double dcg(const std::vector<double>& relevance, std::size_t most) {
  double sum = 0;
  for (std::size_t r = 0; r < std::min(most, relevance.size()); ++r) {
    sum += gain(relevance[r]) * discount(r);
  }
  return sum;
}

double best_dcg(std::vector<double> relevance, std::size_t most) {
  std::ranges::sort(relevance, std::greater<>());
  return dcg(relevance, most);
}

double average_precision(const std::vector<double>& relevance) {
  double hits = 0;
  double sum = 0;
  for (std::size_t r = 0; r < relevance.size(); ++r) {
    if (relevance[r] > 0) sum += ++hits / static_cast<double>(r + 1);
  }
  return hits > 0 ? sum / hits : 0;
}

template <Real T>
class ReferenceRanking final : public RankingSteps<T> {
 public:
  void compute_gradients(const RankingRules& rules, const RankingQueries& queries,
                         const Buffer<T>& scores, const Buffer<T>& target, Buffer<T>& gradients,
                         Buffer<T>& hessians) override {
    for_each_query(queries, scores, target, [&](Index, const Query& query) {
      const std::size_t rows = query.order.size();
      const bool differ = rows > 0 && query.score.front() != query.score.back();
      std::vector<double> g(rows, 0);
      std::vector<double> h(rows, 0);
      double lambdas = 0;
      for (std::size_t a = 0; a < rows && static_cast<Index>(a) < rules.truncation; ++a) {
        for (std::size_t b = a + 1; b < rows; ++b) {
          if (query.relevance[a] == query.relevance[b]) continue;
          double delta = 1;
          auto swapped = query.relevance;
          std::swap(swapped[a], swapped[b]);
          if (rules.kind == RankingLoss::ndcg) {
            const double best =
                best_dcg(query.relevance, static_cast<std::size_t>(rules.truncation));
            delta = best > 0 ? std::abs(dcg(swapped, rows) - dcg(query.relevance, rows)) / best : 0;
          } else if (rules.kind == RankingLoss::map) {
            delta = std::abs(average_precision(swapped) - average_precision(query.relevance));
          }
          const double up = query.score[a] - query.score[b];
          if (rules.normalize && rules.kind != RankingLoss::pairwise && differ) {
            delta /= 0.01 + std::abs(up);
          }
          const bool upper = query.relevance[a] > query.relevance[b];
          const double p = 1 / (1 + std::exp(upper ? up : -up));
          const double lambda = p * delta;
          g[a] += upper ? -lambda : lambda;
          g[b] += upper ? lambda : -lambda;
          h[a] += p * (1 - p) * delta;
          h[b] += p * (1 - p) * delta;
          lambdas += 2 * lambda;
        }
      }
      const double factor = rules.normalize && lambdas > 0 ? std::log2(1 + lambdas) / lambdas : 1;
      for (std::size_t r = 0; r < rows; ++r) {
        gradients.data()[query.order[r]] = static_cast<T>(g[r] * factor);
        hessians.data()[query.order[r]] = static_cast<T>(h[r] * factor);
      }
    });
  }

  void measure(const RankingRules& rules, const RankingQueries& queries, const Buffer<T>& scores,
               const Buffer<T>& target, Buffer<double>& quality) override {
    for_each_query(queries, scores, target, [&](Index q, const Query& query) {
      const auto most = static_cast<std::size_t>(ranks_of_quality);
      const double best = best_dcg(query.relevance, query.relevance.size());
      double value = 1;
      if (best > 0) {
        value = rules.kind == RankingLoss::map
                    ? average_precision(query.relevance)
                    : dcg(query.relevance, most) / best_dcg(query.relevance, most);
      }
      quality.data()[q] = value;
    });
  }

 private:
  // By rank.
  struct Query {
    std::vector<Index> order;  // rows
    std::vector<double> score;
    std::vector<double> relevance;
  };

  template <class F>
  static void for_each_query(const RankingQueries& queries, const Buffer<T>& scores,
                             const Buffer<T>& target, F&& f) {
    for (Index q = 0; q < queries.queries; ++q) {
      Query query;
      query.order.resize(
          static_cast<std::size_t>(queries.starts.data()[q + 1] - queries.starts.data()[q]));
      std::iota(query.order.begin(), query.order.end(), queries.starts.data()[q]);
      std::ranges::stable_sort(
          query.order, [&](Index a, Index b) { return scores.data()[a] > scores.data()[b]; });
      for (const Index row : query.order) {
        query.score.push_back(static_cast<double>(scores.data()[row]));
        query.relevance.push_back(static_cast<double>(target.data()[row]));
      }
      f(q, query);
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<RankingSteps<T>> RankingSteps<T>::make_reference(Engine&) {
  return std::make_unique<ReferenceRanking<T>>();
}
template std::unique_ptr<RankingSteps<float>> RankingSteps<float>::make_reference(Engine&);
template std::unique_ptr<RankingSteps<double>> RankingSteps<double>::make_reference(Engine&);

}  // namespace tandem::tree
