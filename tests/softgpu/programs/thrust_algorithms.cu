// nvcc: --extended-lambda
// timeout: 120
//
// Thrust's scans, reductions, transformations and compactions against the standard library's.
#include <thrust/binary_search.h>
#include <thrust/count.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>
#include <thrust/extrema.h>
#include <thrust/inner_product.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/zip_iterator.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/transform.h>
#include <thrust/transform_reduce.h>
#include <thrust/unique.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.cuh"

constexpr int sizes[] = {1, 31, 257, 1023, 4096, 20011};

template <typename T>
std::vector<T> host(const thrust::device_vector<T>& v) {
  return std::vector<T>(v.begin(), v.end());
}

int main() {
  Random random;
  for (const int n : sizes) {
    std::vector<int> a(n), expected(n);
    for (int& v : a) v = static_cast<int>(random.below(1000)) - 500;
    const thrust::device_vector<int> da(a);
    thrust::device_vector<int> result(n);

    thrust::inclusive_scan(da.begin(), da.end(), result.begin());
    std::partial_sum(a.begin(), a.end(), expected.begin());
    CHECK_AT(host(result) == expected, "inclusive_scan of %d", n);

    thrust::exclusive_scan(da.begin(), da.end(), result.begin(), -500,
                           [] __device__(int x, int y) -> int { return x > y ? x : y; });
    for (int i = 0, most = -500; i < n; ++i) {
      expected[i] = most;
      most = std::max(most, a[i]);
    }
    CHECK_AT(host(result) == expected, "exclusive_scan of %d", n);

    thrust::transform(da.begin(), da.end(), thrust::counting_iterator<int>(0), result.begin(),
                      [] __device__(int x, int i) -> int { return x * 3 + i; });
    for (int i = 0; i < n; ++i) expected[i] = a[i] * 3 + i;
    CHECK_AT(host(result) == expected, "transform of %d", n);

    CHECK(thrust::reduce(da.begin(), da.end(), 5LL) == std::accumulate(a.begin(), a.end(), 5LL));
    CHECK(thrust::max_element(da.begin(), da.end()) - da.begin() ==
          std::max_element(a.begin(), a.end()) - a.begin());
    const long long squares = thrust::transform_reduce(
        da.begin(), da.end(),
        [] __device__(int x) -> long long { return static_cast<long long>(x) * x; }, 0LL,
        ::cuda::std::plus<long long>());
    CHECK(squares == std::inner_product(a.begin(), a.end(), a.begin(), 0LL));
    CHECK(thrust::count_if(da.begin(), da.end(), [] __device__(int x) -> bool {
            return x % 7 == 0;
          }) == std::count_if(a.begin(), a.end(), [](int x) { return x % 7 == 0; }));

    // Runs of equal keys, from one to many elements long.
    std::vector<int> keys(n), run_keys, run_sums;
    for (int i = 0, key = 0; i < n; ++i) {
      if (random.below(i % 100 < 50 ? 2 : 40) == 0) ++key;
      keys[i] = key;
      if (run_keys.empty() || run_keys.back() != key) {
        run_keys.push_back(key);
        run_sums.push_back(0);
      }
      run_sums.back() += a[i];
    }
    thrust::device_vector<int> device_keys(keys), out_keys(n), out_sums(n);
    const auto ends = thrust::reduce_by_key(device_keys.begin(), device_keys.end(), da.begin(),
                                            out_keys.begin(), out_sums.begin());
    out_keys.resize(ends.first - out_keys.begin());
    out_sums.resize(ends.second - out_sums.begin());
    CHECK_AT(host(out_keys) == run_keys, "reduce_by_key's keys of %d", n);
    CHECK_AT(host(out_sums) == run_sums, "reduce_by_key's sums of %d", n);

    thrust::inclusive_scan_by_key(device_keys.begin(), device_keys.end(), da.begin(),
                                  result.begin());
    for (int i = 0; i < n; ++i) {
      expected[i] = a[i] + (i > 0 && keys[i] == keys[i - 1] ? expected[i - 1] : 0);
    }
    CHECK_AT(host(result) == expected, "inclusive_scan_by_key of %d", n);

    device_keys.erase(thrust::unique(device_keys.begin(), device_keys.end()), device_keys.end());
    CHECK_AT(host(device_keys) == run_keys, "unique of %d", n);

    thrust::device_vector<int> found(n);
    thrust::lower_bound(device_keys.begin(), device_keys.end(), da.begin(), da.end(),
                        found.begin());
    for (int i = 0; i < n; ++i) {
      expected[i] = static_cast<int>(std::lower_bound(run_keys.begin(), run_keys.end(), a[i]) -
                                     run_keys.begin());
    }
    CHECK_AT(host(found) == expected, "lower_bound of %d", n);

    thrust::device_vector<int> kept(n);
    kept.erase(thrust::copy_if(da.begin(), da.end(), kept.begin(),
                               [] __device__(int x) -> bool { return x > 0; }),
               kept.end());
    std::vector<int> positive;
    std::copy_if(a.begin(), a.end(), std::back_inserter(positive), [](int x) { return x > 0; });
    CHECK_AT(host(kept) == positive, "copy_if of %d", n);
  }
  return verdict();
}
