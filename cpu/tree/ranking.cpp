// Queries in parallel, each pair of rows once: with the upper rank in the outer loop, what a row is
// added comes in ascending order of the other ranks, which is the order of ranking_steps.hpp.
#include <algorithm>
#include <numeric>
#include <vector>

#include "core/parallel.hpp"
#include "core/tree/ranking_steps.hpp"

namespace tandem::tree {
namespace {

// A thread's memory for one query.
struct Scratch {
  std::vector<Index> order;  // rows, by rank
  std::vector<double> score;
  std::vector<double> relevance;
  std::vector<double> hits;
  std::vector<double> shares;
  std::vector<double> gradient;
  std::vector<double> hessian;
  std::vector<double> lambdas;
};

template <Real T>
class CpuRanking final : public RankingSteps<T> {
 public:
  explicit CpuRanking(Engine& engine) : engine_(engine) {}

  void compute_gradients(const RankingRules& rules, const RankingQueries& queries,
                         const Buffer<T>& scores, const Buffer<T>& target, Buffer<T>& gradients,
                         Buffer<T>& hessians) override {
    for_each_query(rules, queries, scores, target, [&](Index, Scratch& own, RankedQuery& query) {
      const auto rows = own.order.size();
      own.gradient.assign(rows, 0);
      own.hessian.assign(rows, 0);
      own.lambdas.assign(rows, 0);
      const Index outer = std::min(query.rows, rules.truncation);
      for (Index a = 0; a < outer; ++a) {
        const auto i = static_cast<std::size_t>(a);
        for (Index b = a + 1; b < query.rows; ++b) {
          const auto j = static_cast<std::size_t>(b);
          if (own.relevance[i] == own.relevance[j]) continue;
          const PairTerms terms = pair_terms(rules, query, a, b);
          const bool upper = own.relevance[i] > own.relevance[j];
          own.gradient[i] += upper ? -terms.lambda : terms.lambda;
          own.gradient[j] += upper ? terms.lambda : -terms.lambda;
          own.hessian[i] += terms.hessian;
          own.hessian[j] += terms.hessian;
          own.lambdas[i] += terms.lambda;
          own.lambdas[j] += terms.lambda;
        }
      }
      double sum = 0;
      for (const double lambda : own.lambdas) sum += lambda;
      const double factor = query_factor(rules, sum);
      for (std::size_t r = 0; r < rows; ++r) {
        gradients.data()[own.order[r]] = static_cast<T>(own.gradient[r] * factor);
        hessians.data()[own.order[r]] = static_cast<T>(own.hessian[r] * factor);
      }
    });
  }

  void measure(const RankingRules& rules, const RankingQueries& queries, const Buffer<T>& scores,
               const Buffer<T>& target, Buffer<double>& quality) override {
    for_each_query(rules, queries, scores, target, [&](Index q, Scratch&, RankedQuery& query) {
      quality.data()[q] = query_quality(rules, query, queries.inverse_short.data()[q]);
    });
  }

 private:
  template <class F>
  void for_each_query(const RankingRules& rules, const RankingQueries& queries,
                      const Buffer<T>& scores, const Buffer<T>& target, F&& f) {
    constexpr Index queries_at_once = 16;
    parallel_pieces(engine_.threads(), queries.queries, queries_at_once, [&](Piece piece) {
      Scratch own;
      for (Index q = piece.begin; q < piece.end; ++q) {
        const Index begin = queries.starts.data()[q];
        const auto rows = static_cast<std::size_t>(queries.starts.data()[q + 1] - begin);
        own.order.resize(rows);
        std::iota(own.order.begin(), own.order.end(), begin);
        const T* s = scores.data();
        std::ranges::sort(own.order,
                          [s](Index a, Index b) { return s[a] != s[b] ? s[a] > s[b] : a < b; });
        own.score.resize(rows);
        own.relevance.resize(rows);
        for (std::size_t r = 0; r < rows; ++r) {
          own.score[r] = static_cast<double>(s[own.order[r]]);
          own.relevance[r] = static_cast<double>(target.data()[own.order[r]]);
        }
        if (rules.kind == RankingLoss::map) {
          own.hits.resize(rows);
          own.shares.resize(rows);
          double hits = 0;
          double share = 0;
          for (std::size_t r = 0; r < rows; ++r) {
            if (own.relevance[r] > 0) {
              hits += 1;
              share += 1 / static_cast<double>(r + 1);
            }
            own.hits[r] = hits;
            own.shares[r] = share;
          }
        }
        RankedQuery query;
        query.rows = static_cast<Index>(rows);
        query.score = own.score.data();
        query.relevance = own.relevance.data();
        query.hits = own.hits.data();
        query.shares = own.shares.data();
        query.discounts = queries.discounts.data();
        query.inverse_best = queries.inverse_best.data()[q];
        query.inverse_relevant = queries.inverse_short.data()[q];
        query.scores_differ = rows > 0 && own.score.front() != own.score.back();
        f(q, own, query);
      }
    });
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<RankingSteps<T>> RankingSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuRanking<T>>(engine);
}
template std::unique_ptr<RankingSteps<float>> RankingSteps<float>::make_cpu(Engine&);
template std::unique_ptr<RankingSteps<double>> RankingSteps<double>::make_cpu(Engine&);

}  // namespace tandem::tree
