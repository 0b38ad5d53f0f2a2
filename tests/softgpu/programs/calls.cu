// Calls on the device: recursion, pointers to functions, virtual functions, big arguments and
// results by value, lambdas, and local arrays that are indexed at run time.
#include <vector>

#include "check.cuh"

__device__ __noinline__ unsigned fibonacci(unsigned n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__device__ __noinline__ int ackermann(int m, int n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

__device__ bool is_odd(int n);
__device__ __noinline__ bool is_even(int n) { return n == 0 ? true : is_odd(n - 1); }
__device__ __noinline__ bool is_odd(int n) { return n == 0 ? false : is_even(n - 1); }

__device__ void quicksort(int* data, int count) {
  while (count > 1) {
    const int pivot = data[count / 2];
    int i = 0, j = count - 1;
    while (i <= j) {
      while (data[i] < pivot) ++i;
      while (data[j] > pivot) --j;
      if (i <= j) {
        const int t = data[i];
        data[i++] = data[j];
        data[j--] = t;
      }
    }
    quicksort(data, j + 1);
    data += i;
    count -= i;
  }
}

using Operation = float (*)(float, float);
__device__ __noinline__ float add(float a, float b) { return a + b; }
__device__ __noinline__ float subtract(float a, float b) { return a - b; }
__device__ __noinline__ float multiply(float a, float b) { return a * b; }
__device__ Operation operations[3] = {add, subtract, multiply};
__constant__ Operation chosen = multiply;

struct Shape {
  __device__ virtual ~Shape() {}
  __device__ virtual float area() const = 0;
  __device__ virtual int sides() const { return 0; }
};
struct Circle : Shape {
  float radius;
  __device__ explicit Circle(float r) : radius(r) {}
  __device__ float area() const override { return 3.0f * radius * radius; }
};
struct Rectangle : Shape {
  float width, height;
  __device__ Rectangle(float w, float h) : width(w), height(h) {}
  __device__ float area() const override { return width * height; }
  __device__ int sides() const override { return 4; }
};
struct Square final : Rectangle {
  __device__ explicit Square(float s) : Rectangle(s, s) {}
  __device__ int sides() const override { return Rectangle::sides() + 100; }
};

struct Big {
  double values[9];
  char tag;
};
__device__ __noinline__ Big scale(Big big, double factor, short shift, char tag) {
  for (double& v : big.values) v = v * factor + shift;
  big.tag = tag;
  return big;
}

__global__ void recurse(unsigned* out) {
  const int t = threadIdx.x;
  out[t] = fibonacci(t % 15);
  out[32 + t] = static_cast<unsigned>(ackermann(2, t % 6));
  out[64 + t] = is_even(t) ? 1 : 0;
  int data[50];
  unsigned state = 12345u + static_cast<unsigned>(t);
  for (int& d : data) d = static_cast<int>((state = state * 1664525u + 1013904223u) >> 8) % 1000;
  quicksort(data, 50 - t);
  unsigned sorted = 1;
  for (int i = 1; i < 50 - t; ++i) sorted &= data[i - 1] <= data[i];
  out[96 + t] = sorted;
}

__global__ void through_pointers(float* out, Operation from_host) {
  const int t = threadIdx.x;
  out[t] = operations[t % 3](static_cast<float>(t), 2.0f);
  out[32 + t] = chosen(static_cast<float>(t), 3.0f);
  if (t % 2 == 0) out[64 + t] = from_host(static_cast<float>(t), 1.0f);
}

__global__ void make_shapes(Shape** shapes) {
  const int t = threadIdx.x;
  if (t % 3 == 0) shapes[t] = new Circle(static_cast<float>(t));
  if (t % 3 == 1) shapes[t] = new Rectangle(static_cast<float>(t), 2.0f);
  if (t % 3 == 2) shapes[t] = new Square(static_cast<float>(t));
}

__global__ void measure_shapes(Shape** shapes, float* areas, int* sides) {
  const int t = threadIdx.x;
  areas[t] = shapes[t]->area();
  sides[t] = shapes[t]->sides();
  delete shapes[t];
}

__global__ void by_value(Big in, Big* out) {
  out[threadIdx.x] = scale(in, threadIdx.x + 1.0, static_cast<short>(-3), 'a' + threadIdx.x);
}

template <typename Function>
__global__ void apply(Function function, int* out) {
  out[threadIdx.x] = function(static_cast<int>(threadIdx.x));
}

struct Polynomial {
  int a, b, c;
  __device__ int operator()(int x) const { return (a * x + b) * x + c; }
};

__device__ Operation pointer_for_host = subtract;

int main() {
  unsigned* out;
  CUDA_OK(cudaMallocManaged(&out, 128 * sizeof(unsigned)));
  recurse<<<1, 32>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  const unsigned fibonacci_numbers[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377};
  for (int t = 0; t < 32; ++t) {
    CHECK_AT(out[t] == fibonacci_numbers[t % 15], "thread %d: %u", t, out[t]);
    CHECK_AT(out[32 + t] == static_cast<unsigned>(2 * (t % 6) + 3), "thread %d: %u", t,
             out[32 + t]);
    CHECK(out[64 + t] == (t % 2 == 0 ? 1u : 0u));
    CHECK_AT(out[96 + t] == 1, "thread %d", t);
  }

  float* values;
  CUDA_OK(cudaMallocManaged(&values, 96 * sizeof(float)));
  for (int i = 0; i < 96; ++i) values[i] = -1;
  Operation from_host;
  CUDA_OK(cudaMemcpyFromSymbol(&from_host, pointer_for_host, sizeof from_host));
  through_pointers<<<1, 32>>>(values, from_host);
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < 32; ++t) {
    const float x = static_cast<float>(t);
    CHECK(values[t] == (t % 3 == 0 ? x + 2 : t % 3 == 1 ? x - 2 : x * 2));
    CHECK(values[32 + t] == x * 3);
    CHECK(values[64 + t] == (t % 2 == 0 ? x - 1 : -1));
  }

  Shape** shapes;
  int* sides;
  CUDA_OK(cudaMalloc(&shapes, 64 * sizeof(Shape*)));
  CUDA_OK(cudaMallocManaged(&sides, 64 * sizeof(int)));
  make_shapes<<<1, 64>>>(shapes);
  measure_shapes<<<1, 64>>>(shapes, values, sides);
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < 64; ++t) {
    const float x = static_cast<float>(t);
    CHECK(values[t] == (t % 3 == 0 ? 3 * x * x : t % 3 == 1 ? 2 * x : x * x));
    CHECK(sides[t] == (t % 3 == 0 ? 0 : t % 3 == 1 ? 4 : 104));
  }

  Big in, *results;
  for (int i = 0; i < 9; ++i) in.values[i] = i;
  in.tag = 'z';
  CUDA_OK(cudaMallocManaged(&results, 8 * sizeof(Big)));
  by_value<<<1, 8>>>(in, results);
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < 8; ++t) {
    for (int i = 0; i < 9; ++i) CHECK(results[t].values[i] == i * (t + 1.0) - 3);
    CHECK(results[t].tag == 'a' + t);
  }

  apply<<<1, 64>>>(Polynomial{2, -3, 5}, sides);
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < 64; ++t) CHECK(sides[t] == (2 * t - 3) * t + 5);
  return verdict();
}
