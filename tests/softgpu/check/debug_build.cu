// Arrays that only the debugging information of a -G build tells apart: members of a structure, and
// arrays of a thread that lie beside others in local memory.
// nvcc: -G
#include "cases.cuh"

template <bool good>
__global__ void local_arrays_kernel(const int* where, int* out) {
  int counts[8];
  int sums[8];
  for (int i = 0; i < 8; ++i) {
    counts[i] = 1;
    sums[i] = 0;
  }
  const int at = where[threadIdx.x] + (good ? 0 : 1);
  counts[at] = 5;  // BUG
  int all = 0;
  for (int i = 0; i < 8; ++i) all += counts[i] + sums[i];
  out[threadIdx.x] = all;
}
template <bool good>
void local_array_into_another() {
  std::vector<int> places(32);
  for (int i = 0; i < 32; ++i) places[i] = i % 8;
  Array<int> where(places), out(32);
  local_arrays_kernel<good><<<1, 32>>>(where, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 12);
}

struct Statistics {
  float minimum[4];
  float maximum[4];
  int seen;
};
template <bool good>
__global__ void local_member_kernel(const float* in, float* out, int n) {
  Statistics mine;
  for (int i = 0; i < 4; ++i) mine.minimum[i] = mine.maximum[i] = in[i];
  mine.seen = 0;
  for (int i = 0; i < (good ? n : n + 1); ++i) {
    mine.minimum[i] = fminf(mine.minimum[i], in[4 + i]);  // BUG
    ++mine.seen;
  }
  out[threadIdx.x] = mine.minimum[0] + mine.maximum[0] + mine.seen;
}
template <bool good>
void local_member_into_the_next() {
  Array<float> in(16, 2.0f), out(32);
  local_member_kernel<good><<<1, 32>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[0] == 8);
}

struct Tile {
  int left[32];
  int right[32];
};
template <bool good>
__global__ void shared_member_kernel(const int* in, int* out) {
  __shared__ Tile tile;
  tile.left[threadIdx.x] = in[threadIdx.x];
  tile.right[threadIdx.x] = in[32 + threadIdx.x];
  __syncthreads();
  const int next = good ? (threadIdx.x + 1) % 32 : threadIdx.x + 1;
  out[threadIdx.x] = tile.left[next] - tile.right[threadIdx.x];  // BUG
}
template <bool good>
void shared_member_into_the_next() {
  Array<int> in(counting<int>(64)), out(32);
  shared_member_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 1 - 32);
}

// In front of the array lies another one.
template <bool good>
__global__ void before_a_member_kernel(int* out, int n) {
  __shared__ Tile tile;
  tile.left[threadIdx.x] = 1;
  tile.right[threadIdx.x] = 2;
  __syncthreads();
  const int before = static_cast<int>(threadIdx.x) - n;
  out[threadIdx.x] = tile.right[good && before < 0 ? 0 : before];  // BUG
}
template <bool good>
void in_front_of_a_member() {
  Array<int> out(32);
  before_a_member_kernel<good><<<1, 32>>>(out, 2);
  KERNEL_OK();
  RESULT(out.host()[0] == 2);
}

// Rows of a matrix in an array of structures may be gone through as one array, and a pointer to the
// end of one may walk backwards.
template <bool good>
__global__ void nested_kernel(int* out, int n) {
  struct Row {
    int cells[4];
  };
  Row rows[3];
  int after[4] = {7, 7, 7, 7};
  for (int r = 0; r < 3; ++r) {
    for (int c = 0; c < 4; ++c) rows[r].cells[c] = r * 4 + c;
  }
  int sum = 0;
  for (int i = 0; i < (good ? n : n + 1); ++i) sum += rows[i].cells[i];  // BUG
  for (const int* p = after + 4; p != after;) sum += *--p;
  out[threadIdx.x] = sum;
}
template <bool good>
void rows_of_a_structure() {
  Array<int> out(1);
  nested_kernel<good><<<1, 1>>>(out, 3);
  KERNEL_OK();
  RESULT(out.host()[0] == 0 + 5 + 10 + 28);
}

int main(int argc, char** argv) {
  static constexpr Case cases[] = {
      CASE(local_array_into_another, "out-of-bounds"),
      CASE(local_member_into_the_next, "out-of-bounds"),
      CASE(shared_member_into_the_next, "out-of-bounds"),
      CASE(in_front_of_a_member, "out-of-bounds"),
      CASE(rows_of_a_structure, "out-of-bounds|uninitialised"),
  };
  return run_cases(cases, argc, argv);
}
