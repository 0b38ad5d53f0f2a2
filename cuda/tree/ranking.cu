// Gradients of ranking on a GPU.
#include <algorithm>

#include "core/steps.hpp"
#include "core/tree/ranking_steps.hpp"
#include "cuda/core/engine.hpp"

namespace tandem::cuda {
namespace {

using tree::RankedQuery;
using tree::RankingLoss;
using tree::RankingQueries;
using tree::RankingRules;

// What both kernels read, and memory of a double per row for each array.
template <class T>
struct RankingInput {
  const Index* starts;
  const double* inverse_best;
  const double* inverse_short;
  const double* discounts;
  const T* scores;
  const T* target;
  Index queries;
  Index* order;  // by rank: the row
  double* score;
  double* relevance;
  double* hits;
  double* shares;
  double* lambdas;
};

// Ranks the rows of a query, by all threads of its block, and waits for them.
//
// The rank of a row is the number of rows before it, counted by a thread: rows² comparisons of a
// query's scores, which the cache holds. Thread 0 goes over the ranks for what needs their order.
template <class T>
__device__ RankedQuery rank_query(const RankingRules& rules, const RankingInput<T>& in, Index q) {
  const Index begin = in.starts[q];
  const Index rows = in.starts[q + 1] - begin;
  const T* scores = in.scores + begin;
  for (Index i = threadIdx.x; i < rows; i += blockDim.x) {
    const T own = scores[i];
    Index rank = 0;
    for (Index j = 0; j < rows; ++j) {
      rank += scores[j] > own || (scores[j] == own && j < i) ? 1 : 0;
    }
    in.order[begin + rank] = begin + i;
    in.score[begin + rank] = static_cast<double>(own);
    in.relevance[begin + rank] = static_cast<double>(in.target[begin + i]);
  }
  __syncthreads();
  if (rules.kind == RankingLoss::map) {
    if (threadIdx.x == 0) {
      double hits = 0;
      double share = 0;
      for (Index r = 0; r < rows; ++r) {
        if (in.relevance[begin + r] > 0) {
          hits += 1;
          share += 1 / static_cast<double>(r + 1);
        }
        in.hits[begin + r] = hits;
        in.shares[begin + r] = share;
      }
    }
    __syncthreads();
  }
  RankedQuery query;
  query.rows = rows;
  query.score = in.score + begin;
  query.relevance = in.relevance + begin;
  query.hits = in.hits + begin;
  query.shares = in.shares + begin;
  query.discounts = in.discounts;
  query.inverse_best = in.inverse_best[q];
  query.inverse_relevant = in.inverse_short[q];
  query.scores_differ = rows > 0 && query.score[0] != query.score[rows - 1];
  return query;
}

// Grid: a block per query; a thread goes over all partners of a rank, so that each pair is computed
// twice and no two threads add to the same row. Shared memory: one double, the query's factor.
// Reads each score rows times, through the cache. CPU twin: CpuRanking::compute_gradients.
template <class T>
__global__ void ranking_gradients_kernel(RankingRules rules, RankingInput<T> in,
                                         T* __restrict__ gradients, T* __restrict__ hessians,
                                         double* __restrict__ raw) {
  __shared__ double factor;
  for (Index q = blockIdx.x; q < in.queries; q += gridDim.x) {
    const RankedQuery query = rank_query(rules, in, q);
    const Index begin = in.starts[q];
    for (Index r = threadIdx.x; r < query.rows; r += blockDim.x) {
      double g = 0;
      double h = 0;
      double sum = 0;
      const double own = query.relevance[r];
      const Index end = tree::partners_end(rules, query.rows, r);
      for (Index other = 0; other < end && other < query.rows; ++other) {
        const double relevance = query.relevance[other];
        if (relevance == own) continue;
        const auto terms = r < other ? tree::pair_terms(rules, query, r, other)
                                     : tree::pair_terms(rules, query, other, r);
        g += own > relevance ? -terms.lambda : terms.lambda;
        h += terms.hessian;
        sum += terms.lambda;
      }
      raw[2 * (begin + r)] = g;
      raw[2 * (begin + r) + 1] = h;
      in.lambdas[begin + r] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0;
      for (Index r = 0; r < query.rows; ++r) sum += in.lambdas[begin + r];
      factor = tree::query_factor(rules, sum);
    }
    __syncthreads();
    for (Index r = threadIdx.x; r < query.rows; r += blockDim.x) {
      const Index row = in.order[begin + r];
      gradients[row] = static_cast<T>(raw[2 * (begin + r)] * factor);
      hessians[row] = static_cast<T>(raw[2 * (begin + r) + 1] * factor);
    }
    __syncthreads();
  }
}

// Grid as above; thread 0 of a block goes over the ranks. CPU twin: CpuRanking::measure.
template <class T>
__global__ void ranking_quality_kernel(RankingRules rules, RankingInput<T> in,
                                       double* __restrict__ quality) {
  for (Index q = blockIdx.x; q < in.queries; q += gridDim.x) {
    const RankedQuery query = rank_query(rules, in, q);
    if (threadIdx.x == 0) quality[q] = tree::query_quality(rules, query, in.inverse_short[q]);
    __syncthreads();
  }
}

template <Real T>
class CudaRanking final : public tree::RankingSteps<T> {
 public:
  explicit CudaRanking(Engine& engine) : engine_(cuda_engine(engine)), memory_of_(engine) {}

  void compute_gradients(const RankingRules& rules, const RankingQueries& queries,
                         const Buffer<T>& scores, const Buffer<T>& target, Buffer<T>& gradients,
                         Buffer<T>& hessians) override {
    const auto in = input(queries, scores, target);
    engine_.launch(ranking_gradients_kernel<T>, shape(queries), rules, in, gradients.data(),
                   hessians.data(), scratch_.data() + 5 * queries.rows);
  }

  void measure(const RankingRules& rules, const RankingQueries& queries, const Buffer<T>& scores,
               const Buffer<T>& target, Buffer<double>& quality) override {
    const auto in = input(queries, scores, target);
    engine_.launch(ranking_quality_kernel<T>, shape(queries), rules, in, quality.data());
  }

 private:
  RankingInput<T> input(const RankingQueries& queries, const Buffer<T>& scores,
                        const Buffer<T>& target) {
    const Index n = queries.rows;
    if (order_.size() < n) {
      order_ = Buffer<Index>(memory_of_, n);
      scratch_ = Buffer<double>(memory_of_, 7 * n);
    }
    double* base = scratch_.data();
    return {queries.starts.data(),
            queries.inverse_best.data(),
            queries.inverse_short.data(),
            queries.discounts.data(),
            scores.data(),
            target.data(),
            queries.queries,
            order_.data(),
            base,
            base + n,
            base + 2 * n,
            base + 3 * n,
            base + 4 * n};
  }

  [[nodiscard]] Shape shape(const RankingQueries& queries) const {
    constexpr Index most_blocks = 65535;
    return {.grid = dim3(static_cast<unsigned>(std::min(queries.queries, most_blocks))),
            .block = dim3(engine_.block_threads(128))};
  }

  CudaEngine& engine_;
  Engine& memory_of_;
  Buffer<Index> order_;
  Buffer<double> scratch_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_ranking_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::RankingSteps<float>*>(
      new tandem::cuda::CudaRanking<float>(engine));
}
void* tandem_cuda_ranking_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::RankingSteps<double>*>(
      new tandem::cuda::CudaRanking<double>(engine));
}
}
