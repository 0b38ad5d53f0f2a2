// Sums behind metrics, of predictions that are on the device.
#include "core/metrics/metric_steps.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {
namespace {

// Terms::count long sums at once: partial[b · count + k] is that of block b of rows.
//
// Grid: a warp per block of sum_block rows; ceil(blocks / warps of a thread block) thread blocks of
// any number of whole warps. No shared memory. Reads each row once, consecutive lanes consecutive
// rows (metric_bytes(); brier and log loss with stride classes); a few flops per row and term:
// bound by memory. The shape of long_sum. CPU twin: row_sums in core/metrics/row_sums.hpp.
template <class Terms>
__global__ void metric_sums_kernel(Terms terms, Index rows, double* __restrict__ partial) {
  const Index b = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  const Index first = b * sum_block;
  if (first >= rows) return;  // the whole warp
  const Index end = first + sum_block < rows ? first + sum_block : rows;
  double sums[Terms::count] = {};
  for (Index i = first + threadIdx.x % warp_size; i < end; i += sum_lanes) {
    double of_row[Terms::count];
    terms(i, of_row);
#pragma unroll
    for (int k = 0; k < Terms::count; ++k) sums[k] += of_row[k];
  }
#pragma unroll
  for (int k = 0; k < Terms::count; ++k) {
    const double sum = add_lanes_of_warp(sums[k]);
    if (threadIdx.x % warp_size == 0) partial[b * Terms::count + k] = sum;
  }
}

// A row per thread; 64-bit integer atomics, which no order changes. Few classes make many threads
// meet in one counter: the lanes of a warp that would are first added up among themselves.
//
// Grid: ceil(rows / block) blocks of any number of threads. Reads 8 bytes per row, coalesced.
__global__ void confusion_kernel(const std::int32_t* __restrict__ truth,
                                 const std::int32_t* __restrict__ predicted, Index rows,
                                 Index classes, std::int64_t* __restrict__ counts) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const bool inside = i < rows;
  Index cell = -1;
  if (inside) {
    const std::int32_t t = truth[i];
    cell = (t < 0 ? classes : static_cast<Index>(t)) * classes + predicted[i];
  }
  // Lanes with the same cell take turns by the lowest of them.
  unsigned left = __ballot_sync(all_lanes, inside);
  while (left != 0) {
    const int leader = __ffs(static_cast<int>(left)) - 1;
    const Index of_leader = __shfl_sync(all_lanes, cell, leader);
    const unsigned same = __ballot_sync(all_lanes, inside && cell == of_leader);
    if (threadIdx.x % warp_size == static_cast<unsigned>(leader)) {
      atomicAdd(reinterpret_cast<unsigned long long*>(counts + cell),
                static_cast<unsigned long long>(__popc(same)));
    }
    left &= ~same;
  }
}

template <class V>
struct Outside {
  const V* values;
  V low;
  V high;
  __device__ bool operator()(Index i) const { return !(values[i] >= low && values[i] <= high); }
};
struct NotZero {
  const double* values;
  __device__ bool operator()(Index i) const { return values[i] != 0; }
};

// found = the lowest i with is(i); stays as it is where there is none. One atomic per warp at most.
template <class Is>
__global__ void first_kernel(Is is, Index count, unsigned long long* __restrict__ found) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const unsigned those = __ballot_sync(all_lanes, i < count && is(i));
  if (those != 0 && threadIdx.x % warp_size == 0) {
    atomicMin(found, static_cast<unsigned long long>(i + __ffs(static_cast<int>(those)) - 1));
  }
}

template <Real T>
class CudaMetric final : public MetricSteps<T> {
 public:
  explicit CudaMetric(Engine& engine) : engine_(cuda_engine(engine)), found_(engine, 1) {}

  std::array<double, 4> regression(const RegressionTerms<T>& terms, Index rows) override {
    return sums(terms, rows);
  }
  std::array<double, 2> deviations(const DeviationTerms<T>& terms, Index rows) override {
    return sums(terms, rows);
  }
  std::array<double, 2> accuracy(const AccuracyTerms& terms, Index rows) override {
    return sums(terms, rows);
  }
  std::array<double, 2> log_loss(const LogLossTerms<T>& terms, Index rows) override {
    return sums(terms, rows);
  }
  std::array<double, 2> brier(const BrierTerms<T>& terms, Index rows) override {
    return sums(terms, rows);
  }

  void confusion(const std::int32_t* truth, const std::int32_t* predicted, Index rows,
                 Index classes, Buffer<std::int64_t>& counts) override {
    engine_.launch(confusion_kernel, per_item(rows), truth, predicted, rows, classes,
                   counts.data());
    engine_.wait();
  }

  Index first_outside(const T* values, Index count, T low, T high) override {
    return first(Outside<T>{values, low, high}, count);
  }
  Index first_outside(const std::int32_t* values, Index count, std::int32_t low,
                      std::int32_t high) override {
    return first(Outside<std::int32_t>{values, low, high}, count);
  }
  Index first_weighted(const double* weights, Index rows) override {
    return first(NotZero{weights}, rows);
  }

 private:
  [[nodiscard]] Shape per_item(Index count) const {
    const unsigned threads = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))),
            .block = dim3(threads)};
  }

  template <class Terms>
  std::array<double, Terms::count> sums(const Terms& terms, Index rows) {
    const Index blocks = blocks_for(rows, sum_block);
    Buffer<double> partial(engine_, blocks * Terms::count);
    Buffer<double> total(engine_, Terms::count);
    engine_.launch(metric_sums_kernel<Terms>, per_item(blocks * warp_size), terms, rows,
                   partial.data());
    add_block_sums(engine_, partial.data(), blocks, Terms::count, total.data());
    std::array<double, Terms::count> host{};
    total.download(host);
    return host;
  }

  template <class Is>
  Index first(const Is& is, Index count) {
    const unsigned long long none = ~0ULL;
    found_.upload(std::span(&none, 1));
    engine_.launch(first_kernel<Is>, per_item(count), is, count, found_.data());
    const unsigned long long at = found_.to_host()[0];
    return at == none ? -1 : static_cast<Index>(at);
  }

  CudaEngine& engine_;
  Buffer<unsigned long long> found_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_metric_float32(tandem::Engine& engine) {
  return static_cast<tandem::MetricSteps<float>*>(new tandem::cuda::CudaMetric<float>(engine));
}
void* tandem_cuda_metric_float64(tandem::Engine& engine) {
  return static_cast<tandem::MetricSteps<double>*>(new tandem::cuda::CudaMetric<double>(engine));
}
}
