// A program as a user writes one, compiled against NVIDIA's headers: products between kernels on a
// stream, in a captured graph, in half precision with an epilogue, with scalars on the device.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

#include "check.cuh"

#define BLAS_OK(call)                                           \
  do {                                                          \
    const cublasStatus_t status_of_call = (call);               \
    if (status_of_call != CUBLAS_STATUS_SUCCESS) {              \
      std::printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                  cublasGetStatusString(status_of_call));       \
      std::exit(1);                                             \
    }                                                           \
  } while (false)

constexpr int n = 96;

__host__ __device__ float value(int i, int salt) {
  return static_cast<float>((i * 37 + salt * 11) % 17 - 8) / 8.0f;
}

template <class T>
__global__ void fill(T* x, int count, int salt) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) x[i] = static_cast<T>(value(i, salt));
}

__global__ void add_one(float* x, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) x[i] += 1.0f;
}

__global__ void wait_and_fill(const volatile int* go, float* x, int count) {
  while (*go == 0) {
  }
  for (int i = threadIdx.x; i < count; i += blockDim.x) x[i] = 3;
}

// Sums of eighths of small integers: exact in float.
float exact_product(int i, int j, int salt_a, int salt_b, float added_to_a) {
  float sum = 0;
  for (int p = 0; p < n; ++p) {
    sum += (value(i + p * n, salt_a) + added_to_a) * value(p + j * n, salt_b);
  }
  return sum;
}

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

int main() {
  constexpr int count = n * n, blocks = (count + 127) / 128;
  cublasHandle_t handle;
  cudaStream_t stream;
  BLAS_OK(cublasCreate(&handle));
  CUDA_OK(cudaStreamCreate(&stream));
  BLAS_OK(cublasSetStream(handle, stream));
  float *a, *b, *c;
  CUDA_OK(cudaMalloc(&a, count * sizeof(float)));
  CUDA_OK(cudaMalloc(&b, count * sizeof(float)));
  CUDA_OK(cudaMalloc(&c, count * sizeof(float)));
  std::vector<float> host(count);
  const float one = 1, zero = 0;

  // In a stream's order.
  fill<<<blocks, 128, 0, stream>>>(a, count, 1);
  fill<<<blocks, 128, 0, stream>>>(b, count, 2);
  BLAS_OK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b, n, &zero, c, n));
  add_one<<<blocks, 128, 0, stream>>>(c, count);
  CUDA_OK(cudaMemcpyAsync(host.data(), c, count * sizeof(float), cudaMemcpyDeviceToHost, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  for (int j = 0; j < n; j += 7) {
    for (int i = 0; i < n; i += 5) {
      CHECK_AT(host[i + j * n] == exact_product(i, j, 1, 2, 0) + 1, "i = %d, j = %d", i, j);
    }
  }

  // In a graph: each launch adds one to A and multiplies again; nothing runs while capturing.
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  CUDA_OK(cudaMemset(c, 0, count * sizeof(float)));
  CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  add_one<<<blocks, 128, 0, stream>>>(a, count);
  BLAS_OK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b, n, &zero, c, n));
  add_one<<<blocks, 128, 0, stream>>>(c, count);
  CUDA_OK(cudaStreamEndCapture(stream, &graph));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaMemcpy(host.data(), c, sizeof(float), cudaMemcpyDeviceToHost));
  CHECK(host[0] == 0);
  for (int launch = 1; launch <= 3; ++launch) {
    CUDA_OK(cudaGraphLaunch(executable, stream));
    CUDA_OK(cudaMemcpyAsync(host.data(), c, count * sizeof(float), cudaMemcpyDeviceToHost, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    for (int i = 0; i < n; i += 5) {
      const float expected = exact_product(i, 3, 1, 2, static_cast<float>(launch)) + 1;
      CHECK_AT(host[i + 3 * n] == expected, "launch %d, i = %d", launch, i);
    }
  }
  // A graph that holds a wild address reports it when it runs.
  cudaGraph_t wild;
  CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  BLAS_OK(cublasSscal(handle, 16, &one, reinterpret_cast<float*>(64), 1));
  CUDA_OK(cudaStreamEndCapture(stream, &wild));
  cudaGraphExec_t wild_executable;
  CUDA_OK(cudaGraphInstantiate(&wild_executable, wild, 0));
  CUDA_OK(cudaGraphLaunch(wild_executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaGraphExecDestroy(wild_executable));
  CUDA_OK(cudaGraphDestroy(wild));
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));

  // Results and scalars on the device.
  float* scalars;
  CUDA_OK(cudaMallocManaged(&scalars, 2 * sizeof(float)));
  BLAS_OK(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE));
  BLAS_OK(cublasSdot(handle, n, b, 1, b + n, 1, scalars));
  CUDA_OK(cudaStreamSynchronize(stream));
  float dot = 0;
  for (int i = 0; i < n; ++i) dot += value(i, 2) * value(i + n, 2);
  CHECK(scalars[0] == dot);
  BLAS_OK(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_HOST));
  int largest = 0;
  BLAS_OK(cublasIsamax(handle, n, b, 1, &largest));
  CHECK(largest >= 1 && largest <= n && std::fabs(value(largest - 1, 2)) == 1.0f);

  // Halves through the typed product.
  __half *ha, *hb;
  CUDA_OK(cudaMalloc(&ha, count * sizeof(__half)));
  CUDA_OK(cudaMalloc(&hb, count * sizeof(__half)));
  fill<<<blocks, 128, 0, stream>>>(ha, count, 1);
  fill<<<blocks, 128, 0, stream>>>(hb, count, 2);
  BLAS_OK(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, ha, CUDA_R_16F, n, hb,
                       CUDA_R_16F, n, &zero, c, CUDA_R_32F, n, CUBLAS_COMPUTE_32F,
                       CUBLAS_GEMM_DEFAULT_TENSOR_OP));
  CUDA_OK(cudaMemcpy(host.data(), c, count * sizeof(float), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK(host[i + 4 * n] == exact_product(i, 4, 1, 2, 0));

  // cublasLt: D = gelu(A^T B + bias) in bfloat16.
  __nv_bfloat16 *ta, *tb, *td, *bias;
  CUDA_OK(cudaMalloc(&ta, count * sizeof(__nv_bfloat16)));
  CUDA_OK(cudaMalloc(&tb, count * sizeof(__nv_bfloat16)));
  CUDA_OK(cudaMalloc(&td, count * sizeof(__nv_bfloat16)));
  CUDA_OK(cudaMalloc(&bias, n * sizeof(__nv_bfloat16)));
  fill<<<blocks, 128, 0, stream>>>(ta, count, 1);
  fill<<<blocks, 128, 0, stream>>>(tb, count, 2);
  fill<<<1, 128, 0, stream>>>(bias, n, 3);
  cublasLtHandle_t lt;
  cublasLtMatmulDesc_t description;
  cublasLtMatrixLayout_t layout;
  cublasLtMatmulPreference_t preference;
  cublasLtMatmulHeuristicResult_t heuristic;
  int found = 0;
  const cublasOperation_t transposed = CUBLAS_OP_T;
  const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_GELU_BIAS;
  BLAS_OK(cublasLtCreate(&lt));
  BLAS_OK(cublasLtMatmulDescCreate(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  BLAS_OK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                         sizeof transposed));
  BLAS_OK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                         sizeof epilogue));
  BLAS_OK(cublasLtMatmulDescSetAttribute(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                         sizeof bias));
  BLAS_OK(cublasLtMatrixLayoutCreate(&layout, CUDA_R_16BF, n, n, n));
  BLAS_OK(cublasLtMatmulPreferenceCreate(&preference));
  BLAS_OK(cublasLtMatmulAlgoGetHeuristic(lt, description, layout, layout, layout, layout,
                                         preference, 1, &heuristic, &found));
  CHECK(found == 1);
  BLAS_OK(cublasLtMatmul(lt, description, &one, ta, layout, tb, layout, &zero, td, layout, td,
                         layout, &heuristic.algo, nullptr, 0, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  std::vector<__nv_bfloat16> half(count);
  CUDA_OK(cudaMemcpy(half.data(), td, count * sizeof(__nv_bfloat16), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) {
    float sum = value(i, 3);
    for (int p = 0; p < n; ++p) sum += value(p + i * n, 1) * value(p + 6 * n, 2);
    const float expected = static_cast<float>(gelu(sum));
    CHECK_AT(std::fabs(__bfloat162float(half[i + 6 * n]) - expected) <=
                 std::fabs(expected) / 256 + 1e-5f,
             "i = %d: %g, expected %g", i, __bfloat162float(half[i + 6 * n]), expected);
  }
  BLAS_OK(cublasLtMatmulPreferenceDestroy(preference));
  BLAS_OK(cublasLtMatrixLayoutDestroy(layout));
  BLAS_OK(cublasLtMatmulDescDestroy(description));
  BLAS_OK(cublasLtDestroy(lt));

  // Behind a kernel that waits for the host, in the same stream and in the legacy one.
  int* go = nullptr;
  CUDA_OK(cudaMallocHost(&go, sizeof(int)));
  for (cudaStream_t waits : {stream, cudaStream_t{nullptr}}) {
    *go = 0;
    CUDA_OK(cudaMemset(a, 0, 64 * sizeof(float)));
    wait_and_fill<<<1, 32, 0, waits>>>(go, a, 64);
    std::thread setter([go] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      *static_cast<volatile int*>(go) = 1;
    });
    float sum = 0;
    BLAS_OK(cublasSasum(handle, 64, a, 1, &sum));
    setter.join();
    CHECK_AT(sum == 192, "%g", sum);
  }

  // Faults are statuses.
  CHECK(cublasSscal(handle, 16, &one, reinterpret_cast<float*>(64), 1) ==
        CUBLAS_STATUS_EXECUTION_FAILED);
  BLAS_OK(cublasDestroy(handle));
  CHECK(cublasSscal(handle, 16, &one, a, 1) == CUBLAS_STATUS_NOT_INITIALIZED);
  return verdict();
}
