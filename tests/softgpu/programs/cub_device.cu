// timeout: 120
//
// CUB's device-wide primitives: radix sort (one sweep for large inputs), reduce, scan, histogram,
// select, partition, run-length encoding and segmented reduction.
#include <cub/device/device_histogram.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_run_length_encode.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_segmented_reduce.cuh>
#include <cub/device/device_select.cuh>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.cuh"

// Device memory that frees itself.
template <typename T>
struct Array {
  T* data = nullptr;
  std::size_t size;
  explicit Array(std::size_t n) : size(n) { CUDA_OK(cudaMalloc(&data, n * sizeof(T) + 1)); }
  explicit Array(const std::vector<T>& host) : Array(host.size()) {
    CUDA_OK(cudaMemcpy(data, host.data(), size * sizeof(T), cudaMemcpyHostToDevice));
  }
  Array(const Array&) = delete;
  ~Array() { cudaFree(data); }
  std::vector<T> host(std::size_t count) const {
    std::vector<T> result(count);
    CUDA_OK(cudaMemcpy(result.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }
};

// Every device-wide primitive is called twice: for the size of its scratch memory, and to work.
template <typename Call>
void with_scratch(Call&& call) {
  std::size_t bytes = 0;
  CUDA_OK(call(nullptr, bytes));
  Array<char> scratch(bytes);
  CUDA_OK(call(scratch.data, bytes));
  CUDA_OK(cudaDeviceSynchronize());
}

struct Odd {
  __device__ bool operator()(int x) const { return x & 1; }
};

int main() {
  Random random;
  for (const int n : {1, 100, 4999, 70001}) {
    std::vector<unsigned> keys(n);
    std::vector<int> values(n);
    for (unsigned& k : keys) k = static_cast<unsigned>(random.next()) >> (n % 3 * 10);
    std::iota(values.begin(), values.end(), 0);
    const Array<unsigned> device_keys(keys);
    const Array<int> device_values(values);
    Array<unsigned> keys_out(n);
    Array<int> values_out(n), count(1);
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortPairs(scratch, bytes, device_keys.data, keys_out.data,
                                             device_values.data, values_out.data, n);
    });
    std::vector<int> order(values);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return keys[a] < keys[b]; });
    CHECK_AT(values_out.host(n) == order, "SortPairs of %d", n);

    std::vector<float> floats(n);
    for (float& f : floats) f = (random.uniform() - 0.5f) * 100;
    const Array<float> device_floats(floats);
    Array<float> floats_out(n);
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceRadixSort::SortKeysDescending(scratch, bytes, device_floats.data,
                                                      floats_out.data, n);
    });
    std::vector<float> sorted(floats);
    std::sort(sorted.rbegin(), sorted.rend());
    CHECK_AT(floats_out.host(n) == sorted, "SortKeysDescending of %d", n);

    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceReduce::Sum(scratch, bytes, device_keys.data, keys_out.data, n);
    });
    CHECK(keys_out.host(1)[0] == std::accumulate(keys.begin(), keys.end(), 0u));
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceReduce::Min(scratch, bytes, device_floats.data, floats_out.data, n);
    });
    CHECK(floats_out.host(1)[0] == sorted.back());

    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceScan::ExclusiveSum(scratch, bytes, device_keys.data, keys_out.data, n);
    });
    {
      const std::vector<unsigned> got = keys_out.host(n);
      unsigned sum = 0;
      for (int i = 0; i < n; ++i) {
        CHECK_AT(got[i] == sum, "ExclusiveSum of %d, i = %d", n, i);
        sum += keys[i];
      }
    }

    Array<int> bins(17);
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceHistogram::HistogramEven(scratch, bytes, device_floats.data, bins.data, 18,
                                                 -34.0f, 34.0f, n);
    });
    {
      // 17 bins of width 4; the division that finds a bin is exact enough for no value to sit on an
      // edge here.
      std::vector<int> expected(17, 0);
      for (const float f : floats) {
        if (f >= -34.0f && f < 34.0f) ++expected[static_cast<int>((f + 34.0f) / 4.0f)];
      }
      CHECK_AT(bins.host(17) == expected, "HistogramEven of %d", n);
    }

    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceSelect::If(scratch, bytes, device_values.data, values_out.data, count.data,
                                   n, Odd());
    });
    const int odd = count.host(1)[0];
    CHECK(odd == n / 2);
    {
      const std::vector<int> got = values_out.host(odd);
      for (int i = 0; i < odd; ++i) CHECK(got[i] == 2 * i + 1);
    }

    std::vector<int> runs(n);
    for (int i = 0, value = 0; i < n; ++i) {
      if (random.below(5) == 0) ++value;
      runs[i] = value % 11;
    }
    const Array<int> device_runs(runs);
    Array<int> lengths(n);
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceRunLengthEncode::Encode(scratch, bytes, device_runs.data, values_out.data,
                                                lengths.data, count.data, n);
    });
    {
      std::vector<int> expected_values, expected_lengths;
      for (int i = 0; i < n; ++i) {
        if (i == 0 || runs[i] != runs[i - 1]) {
          expected_values.push_back(runs[i]);
          expected_lengths.push_back(0);
        }
        ++expected_lengths.back();
      }
      const int got = count.host(1)[0];
      CHECK_AT(got == static_cast<int>(expected_values.size()), "%d runs in %d", got, n);
      if (got == static_cast<int>(expected_values.size())) {
        CHECK_AT(values_out.host(got) == expected_values, "Encode of %d", n);
        CHECK_AT(lengths.host(got) == expected_lengths, "Encode of %d", n);
      }
    }

    std::vector<int> offsets;
    for (int i = 0; i < n; i += 1 + static_cast<int>(random.below(200))) offsets.push_back(i);
    offsets.push_back(n);
    const int segments = static_cast<int>(offsets.size()) - 1;
    const Array<int> device_offsets(offsets);
    Array<int> sums(segments);
    with_scratch([&](void* scratch, std::size_t& bytes) {
      return cub::DeviceSegmentedReduce::Sum(scratch, bytes, device_runs.data, sums.data, segments,
                                             device_offsets.data, device_offsets.data + 1);
    });
    const std::vector<int> got = sums.host(segments);
    for (int s = 0; s < segments; ++s) {
      CHECK_AT(
          got[s] == std::accumulate(runs.begin() + offsets[s], runs.begin() + offsets[s + 1], 0),
          "segment %d of %d", s, segments);
    }
  }
  return verdict();
}
