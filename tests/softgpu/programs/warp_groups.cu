// Groups of a warp that come to one instruction with a member mask each: votes, matches and
// reductions stay inside the group.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include "check.cuh"

namespace cg = cooperative_groups;

__global__ void by_label(const int* labels, const int* values, int* most, int* sum, unsigned* odd,
                         int* all_odd) {
  const int i = threadIdx.x;
  const auto group = cg::labeled_partition(cg::coalesced_threads(), labels[i]);
  most[i] = cg::reduce(group, values[i], cg::greater<int>());
  sum[i] = cg::reduce(group, values[i], cg::plus<int>());
  odd[i] = group.ballot(values[i] & 1);
  all_odd[i] = group.all(values[i] & 1);
}

__global__ void by_half(unsigned* ballots, unsigned* matches) {
  const int i = threadIdx.x;
  const unsigned mask = i < 16 ? 0x0000ffffu : 0xffff0000u;
  ballots[i] = __ballot_sync(mask, i % 3 == 0);
  matches[i] = __match_any_sync(mask, i % 4);
}

int main() {
  int *labels, *values, *most, *sum, *all_odd;
  unsigned *odd, *matches;
  for (int** p : {&labels, &values, &most, &sum, &all_odd}) CUDA_OK(cudaMallocManaged(p, 128));
  CUDA_OK(cudaMallocManaged(&odd, 128));
  CUDA_OK(cudaMallocManaged(&matches, 128));
  Random random;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 32; ++i) {
      labels[i] = static_cast<int>(random.below(1 + round % 9));
      values[i] = static_cast<int>(random.below(1000)) - 500;
    }
    by_label<<<1, 32>>>(labels, values, most, sum, odd, all_odd);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 32; ++i) {
      int expected_most = values[i], expected_sum = 0, expected_all = 1, rank = 0;
      unsigned expected_odd = 0;
      for (int k = 0; k < 32; ++k) {
        if (labels[k] != labels[i]) continue;
        if (values[k] > expected_most) expected_most = values[k];
        expected_sum += values[k];
        if ((values[k] & 1) != 0) {
          expected_odd |= 1u << rank;
        } else {
          expected_all = 0;
        }
        ++rank;
      }
      CHECK_AT(most[i] == expected_most, "round %d, lane %d: %d", round, i, most[i]);
      CHECK_AT(sum[i] == expected_sum, "round %d, lane %d: %d", round, i, sum[i]);
      CHECK_AT(odd[i] == expected_odd, "round %d, lane %d: %x", round, i, odd[i]);
      CHECK_AT((all_odd[i] != 0) == (expected_all != 0), "round %d, lane %d", round, i);
    }
  }
  by_half<<<1, 32>>>(odd, matches);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 32; ++i) {
    const unsigned half = i < 16 ? 0x0000ffffu : 0xffff0000u;
    CHECK_AT(odd[i] == (0x49249249u & half), "lane %d: %x", i, odd[i]);
    CHECK_AT(matches[i] == ((0x11111111u << (i % 4)) & half), "lane %d: %x", i, matches[i]);
  }
  return verdict();
}
