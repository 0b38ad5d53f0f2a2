// nvcc: --extended-lambda
// timeout: 120
//
// Thrust's sorts, by radix and by merge, on sizes around its tiles' edges.
#include <thrust/device_vector.h>
#include <thrust/sort.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.cuh"

constexpr int sizes[] = {0, 1, 2, 33, 255, 1000, 4097, 30011};

struct Greater10 {
  __host__ __device__ bool operator()(int a, int b) const { return a / 10 > b / 10; }
};

int main() {
  Random random;
  for (const int n : sizes) {
    std::vector<int> host(n);
    for (int& v : host) v = static_cast<int>(random.next());
    thrust::device_vector<int> device(host);
    thrust::sort(device.begin(), device.end());
    std::sort(host.begin(), host.end());
    CHECK_AT(std::equal(host.begin(), host.end(),
                        std::vector<int>(device.begin(), device.end()).begin()),
             "sort of %d", n);

    // Stable, with payloads that tell equal keys apart.
    std::vector<unsigned char> keys(n);
    std::vector<int> order(n);
    for (unsigned char& k : keys) k = static_cast<unsigned char>(random.below(7));
    std::iota(order.begin(), order.end(), 0);
    thrust::device_vector<unsigned char> device_keys(keys);
    thrust::device_vector<int> device_order(order);
    thrust::stable_sort_by_key(device_keys.begin(), device_keys.end(), device_order.begin());
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return keys[a] < keys[b]; });
    const std::vector<int> got(device_order.begin(), device_order.end());
    for (int i = 0; i < n; ++i) CHECK_AT(got[i] == order[i], "n = %d, i = %d", n, i);

    // A comparison of one's own takes the merge sort.
    std::vector<int> tens(n);
    for (int& v : tens) v = static_cast<int>(random.below(500));
    thrust::device_vector<int> device_tens(tens);
    thrust::stable_sort(device_tens.begin(), device_tens.end(), Greater10());
    std::stable_sort(tens.begin(), tens.end(), Greater10());
    const std::vector<int> got_tens(device_tens.begin(), device_tens.end());
    CHECK_AT(got_tens == tens, "merge sort of %d", n);
  }
  return verdict();
}
