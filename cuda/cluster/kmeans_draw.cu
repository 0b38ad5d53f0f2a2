// Rows drawn one by one, and the farthest row: select and reduce by CUB.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_select.cuh>

#include "cuda/cluster/kmeans.cuh"
#include "cuda/core/check.hpp"

namespace tandem::cuda::kmeans {
namespace {

template <class T>
struct IsDrawn {
  Pull<T> pull;
  Index first;
  double factor;
  Random random;
  std::uint64_t first_index;

  __device__ bool operator()(std::int32_t at) const {
    const Index row = first + at;
    return random.uniform(first_index + static_cast<std::uint64_t>(row)) < factor * pull(row);
  }
};

// Numbers in, those that are drawn out, in ascending order: DeviceSelect keeps it.
template <class T>
cudaError_t select(void* scratch, std::size_t& bytes, const IsDrawn<T>& is_drawn, Index rows,
                   std::int32_t* chosen, std::int32_t* count, cudaStream_t stream) {
  return cub::DeviceSelect::If(scratch, bytes, thrust::counting_iterator<std::int32_t>(0), chosen,
                               count, static_cast<std::int32_t>(rows), is_drawn, stream);
}

template <class T>
struct CandidateOf {
  Pull<T> pull;
  const std::int32_t* labels;
  const unsigned long long* counts;

  __device__ Candidate operator()(Index row) const {
    const bool counted = pull.weights == nullptr || pull.weights[row] > 0;
    const std::int32_t label = labels[row];
    if (!counted || label < 0 || counts[label] < 2) return {0, -1};
    return {static_cast<double>(pull.distance[row]), row};
  }
};

// The larger distance, of equals the lower row: a total order, so that no order of comparisons
// shows.
struct Farther {
  __device__ Candidate operator()(const Candidate& a, const Candidate& b) const {
    if (a.row < 0) return b;
    if (b.row < 0) return a;
    if (a.distance != b.distance) return a.distance > b.distance ? a : b;
    return a.row < b.row ? a : b;
  }
};

template <class T>
cudaError_t reduce(void* scratch, std::size_t& bytes, const CandidateOf<T>& candidate_of,
                   Index rows, Candidate* result, cudaStream_t stream) {
  const auto candidates =
      thrust::make_transform_iterator(thrust::counting_iterator<Index>(0), candidate_of);
  return cub::DeviceReduce::Reduce(scratch, bytes, candidates, result, rows, Farther(),
                                   Candidate{0, -1}, stream);
}

}  // namespace

template <Real T>
std::size_t select_scratch_bytes(CudaEngine& engine, Index rows) {
  std::size_t bytes = 0;
  const IsDrawn<T> is_drawn{{nullptr, nullptr}, 0, 0, Random(0, Purpose::sampling), 0};
  engine.make_current();
  TANDEM_CUDA(select(nullptr, bytes, is_drawn, rows, static_cast<std::int32_t*>(nullptr),
                     static_cast<std::int32_t*>(nullptr), engine.stream()));
  return bytes;
}

template <Real T>
void select_rows(CudaEngine& engine, const Pull<T>& pull, Index first, Index rows, double factor,
                 const Random& random, std::uint64_t first_index, std::int32_t* chosen,
                 std::int32_t* count, void* scratch, std::size_t scratch_bytes) {
  const IsDrawn<T> is_drawn{pull, first, factor, random, first_index};
  engine.before_library_call("cub::DeviceSelect::If");
  TANDEM_CUDA(select(scratch, scratch_bytes, is_drawn, rows, chosen, count, engine.stream()));
  engine.after_library_call("cub::DeviceSelect::If");
}

template <Real T>
std::size_t farthest_scratch_bytes(CudaEngine& engine, Index rows) {
  std::size_t bytes = 0;
  const CandidateOf<T> candidate_of{{nullptr, nullptr}, nullptr, nullptr};
  engine.make_current();
  TANDEM_CUDA(reduce(nullptr, bytes, candidate_of, rows, static_cast<Candidate*>(nullptr),
                     engine.stream()));
  return bytes;
}

template <Real T>
void farthest(CudaEngine& engine, const Pull<T>& pull, const std::int32_t* labels,
              const unsigned long long* counts, Index rows, Candidate* result, void* scratch,
              std::size_t scratch_bytes) {
  const CandidateOf<T> candidate_of{pull, labels, counts};
  engine.before_library_call("cub::DeviceReduce::Reduce");
  TANDEM_CUDA(reduce(scratch, scratch_bytes, candidate_of, rows, result, engine.stream()));
  engine.after_library_call("cub::DeviceReduce::Reduce");
}

#define TANDEM_INSTANTIATE(T)                                                                 \
  template std::size_t select_scratch_bytes<T>(CudaEngine&, Index);                           \
  template void select_rows(CudaEngine&, const Pull<T>&, Index, Index, double, const Random&, \
                            std::uint64_t, std::int32_t*, std::int32_t*, void*, std::size_t); \
  template std::size_t farthest_scratch_bytes<T>(CudaEngine&, Index);                         \
  template void farthest(CudaEngine&, const Pull<T>&, const std::int32_t*,                    \
                         const unsigned long long*, Index, Candidate*, void*, std::size_t);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cuda::kmeans
