// The interface of before cuBLAS 4 and cublasXt: what they add to the functions they forward to.
#include "tests/softgpu/blas/support.hpp"

#define SOFTGPU_API(result, name, parameters, ...) result name parameters;
extern "C" {
#include "softgpu/blas/api_legacy.def"
}
#undef SOFTGPU_API

namespace softgpu::blas::testing {
namespace {

TEST(BlasLegacy, ForwardsToTheProcessesHandleAndKeepsErrors) {
  ASSERT_EQ(cublasInit(), CUBLAS_STATUS_SUCCESS);
  Grid<float> a(5, 4, 6), b(5, 3, 5), c(4, 3, 4);
  cublasSgemm('t', 'N', 4, 3, 5, 2.0F, a.data(), 6, b.data(), 5, 0.0F, c.data(), 4);
  EXPECT_EQ(cublasGetError(), CUBLAS_STATUS_SUCCESS);
  float sum = 0;
  for (Index p = 0; p < 5; ++p) sum += 2 * a(p, 1) * b(p, 2);
  EXPECT_NEAR(c(1, 2), sum, 1e-5);
  Vector<cfloat> x(9, 1), y(9, -1);
  const cuComplex dot = cublasCdotc(9, pub(x.data()), 1, pub(y.data()), -1);
  Wide expected = 0;
  for (Index i = 0; i < 9; ++i) expected += times(std::conj(widen(x[i])), widen(y[i]));
  EXPECT_TRUE(near(cfloat(dot.x, dot.y), expected, reduction_bound<cfloat>(9, 18)));
  cublasSgemm('?', 'N', 4, 3, 5, 2.0F, a.data(), 6, b.data(), 5, 0.0F, c.data(), 4);
  EXPECT_EQ(cublasGetError(), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasGetError(), CUBLAS_STATUS_SUCCESS);
  void* memory = nullptr;
  EXPECT_EQ(cublasAlloc(10, 4, &memory), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasFree(memory), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasShutdown(), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasShutdown(), CUBLAS_STATUS_NOT_INITIALIZED);
}

TEST(BlasXt, TakesMatricesInHostMemory) {
  cublasXtHandle_t handle = nullptr;
  ASSERT_EQ(cublasXtCreate(&handle), CUBLAS_STATUS_SUCCESS);
  int devices[] = {0}, block = 0;
  EXPECT_EQ(cublasXtDeviceSelect(handle, 1, devices), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasXtSetBlockDim(handle, 64), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasXtGetBlockDim(handle, &block), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(block, 64);
  const std::size_t n = 20;
  std::vector<double> a(n * n), b(n * n), c(n * n), packed(n * (n + 1) / 2), full(n * n), d(n * n);
  for (auto* v : {&a, &b, &packed}) {
    for (double& x : *v) x = random_element<double>();
  }
  const double one = 1, zero = 0;
  ASSERT_EQ(cublasXtDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a.data(), n, b.data(), n,
                          &zero, c.data(), n),
            CUBLAS_STATUS_SUCCESS);
  double sum = 0;
  for (std::size_t p = 0; p < n; ++p) sum += a[3 + p * n] * b[p + 7 * n];
  EXPECT_NEAR(c[3 + 7 * n], sum, 1e-13);
  std::size_t next = 0;
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t i = j; i < n; ++i) full[i + j * n] = full[j + i * n] = packed[next++];
  }
  ASSERT_EQ(cublasXtDspmm(handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_LOWER, n, n, &one,
                          packed.data(), b.data(), n, &zero, d.data(), n),
            CUBLAS_STATUS_SUCCESS);
  sum = 0;
  for (std::size_t p = 0; p < n; ++p) sum += full[5 + p * n] * b[p + 2 * n];
  EXPECT_NEAR(d[5 + 2 * n], sum, 1e-13);
  EXPECT_EQ(cublasXtDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one,
                          reinterpret_cast<double*>(64), n, b.data(), n, &zero, c.data(), n),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasXtDestroy(handle), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasXtDestroy(handle), CUBLAS_STATUS_NOT_INITIALIZED);
}

}  // namespace
}  // namespace softgpu::blas::testing
