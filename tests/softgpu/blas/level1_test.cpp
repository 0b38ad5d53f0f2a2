// Vectors: every element type, increments of both signs and zero, both pointer modes.
#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

template <class T>
class BlasLevel1 : public ::testing::Test {};
TYPED_TEST_SUITE(BlasLevel1, Elements);

constexpr Index kSizes[] = {0, 1, 2, 3, 7, 8, 31, 33, 255, 4096, 4097, 10007};
constexpr Index kIncrements[] = {1, 2, -1, -3};

TYPED_TEST(BlasLevel1, AxpyAddsAMultipleAndTouchesNothingElse) {
  using T = TypeParam;
  const Handle handle;
  for (const Index n : kSizes) {
    for (const Index incx : kIncrements) {
      for (const Index incy : kIncrements) {
        Vector<T> x(n, incx), y(n, incy);
        const auto old = y.values();
        const T alpha = random_element<T>();
        ASSERT_EQ(
            call<T>(SOFTGPU_TYPED(axpy_v2), handle, static_cast<int>(n), pub(&alpha), pub(x.data()),
                    static_cast<int>(incx), pub(y.data()), static_cast<int>(incy)),
            CUBLAS_STATUS_SUCCESS);
        for (Index i = 0; i < n; ++i) {
          const Wide before = widen(old[static_cast<std::size_t>(i)]);
          const Wide part = times(widen(alpha), widen(x[i]));
          ASSERT_TRUE(
              near(y[i], before + part, reduction_bound<T>(1, std::abs(before) + std::abs(part))));
        }
        ASSERT_TRUE(x.unchanged());
        ASSERT_TRUE(y.gaps_intact());
      }
    }
  }
}

TYPED_TEST(BlasLevel1, SixtyFourBitIndicesDoTheSame) {
  using T = TypeParam;
  const Handle handle;
  Vector<T> x(33, 2), y(33, -1), z(33, -1);
  for (Index i = 0; i < 33; ++i) z[i] = y[i];
  const T alpha = random_element<T>();
  ASSERT_EQ(
      call<T>(SOFTGPU_TYPED(axpy_v2), handle, 33, pub(&alpha), pub(x.data()), 2, pub(y.data()), -1),
      CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(call<T>(SOFTGPU_TYPED(axpy_v2_64), handle, Index{33}, pub(&alpha), pub(x.data()),
                    Index{2}, pub(z.data()), Index{-1}),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(y.values(), z.values());
}

TYPED_TEST(BlasLevel1, CopySwapScal) {
  using T = TypeParam;
  const Handle handle;
  for (const Index n : kSizes) {
    for (const Index incx : kIncrements) {
      for (const Index incy : kIncrements) {
        const int count = static_cast<int>(n), sx = static_cast<int>(incx),
                  sy = static_cast<int>(incy);
        Vector<T> x(n, incx), y(n, incy);
        const auto old_x = x.values(), old_y = y.values();
        ASSERT_EQ(
            call<T>(SOFTGPU_TYPED(swap_v2), handle, count, pub(x.data()), sx, pub(y.data()), sy),
            CUBLAS_STATUS_SUCCESS);
        ASSERT_EQ(x.values(), old_y);
        ASSERT_EQ(y.values(), old_x);
        ASSERT_EQ(
            call<T>(SOFTGPU_TYPED(copy_v2), handle, count, pub(x.data()), sx, pub(y.data()), sy),
            CUBLAS_STATUS_SUCCESS);
        ASSERT_EQ(y.values(), old_y);
        const T alpha = random_element<T>();
        ASSERT_EQ(call<T>(SOFTGPU_TYPED(scal_v2), handle, count, pub(&alpha), pub(x.data()), sx),
                  CUBLAS_STATUS_SUCCESS);
        for (Index i = 0; i < n; ++i) {
          // A scal with an increment below one does nothing.
          const Wide before = widen(old_y[static_cast<std::size_t>(i)]);
          const Wide expected = incx > 0 ? times(widen(alpha), before) : before;
          ASSERT_TRUE(near(x[i], expected, reduction_bound<T>(1, std::abs(expected))));
        }
        ASSERT_TRUE(x.gaps_intact() && y.gaps_intact());
      }
    }
  }
}

TYPED_TEST(BlasLevel1, Reductions) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  for (const Index n : kSizes) {
    for (const Index inc : {1, 3, -2}) {
      Vector<T> x(n, inc);
      const int count = static_cast<int>(n), step = static_cast<int>(inc);
      long double squares = 0, sum = 0;
      int largest = 0, smallest = 0;
      const auto size = [&](int i) {
        const Wide v = widen(x[i - 1]);
        return static_cast<R>(std::fabs(static_cast<R>(v.real())) +
                              std::fabs(static_cast<R>(v.imag())));
      };
      for (int i = 1; i <= count && inc > 0; ++i) {
        squares += std::norm(widen(x[i - 1]));
        sum += std::fabs(widen(x[i - 1]).real()) + std::fabs(widen(x[i - 1]).imag());
        if (largest == 0 || size(i) > size(largest)) largest = i;
        if (smallest == 0 || size(i) < size(smallest)) smallest = i;
      }
      R norm = -1, total = -1;
      int most = -1, least = -1;
      ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Snrm2_v2, Dnrm2_v2, Scnrm2_v2, Dznrm2_v2), handle, count,
                        pub(x.data()), step, &norm),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Sasum_v2, Dasum_v2, Scasum_v2, Dzasum_v2), handle, count,
                        pub(x.data()), step, &total),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Isamax_v2, Idamax_v2, Icamax_v2, Izamax_v2), handle, count,
                        pub(x.data()), step, &most),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Isamin_v2, Idamin_v2, Icamin_v2, Izamin_v2), handle, count,
                        pub(x.data()), step, &least),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_TRUE(near(norm, std::sqrt(squares), reduction_bound<R>(n, std::sqrt(squares))));
      ASSERT_TRUE(near(total, sum, reduction_bound<R>(n, sum)));
      ASSERT_EQ(most, largest);
      ASSERT_EQ(least, smallest);
    }
  }
}

TYPED_TEST(BlasLevel1, NormNeitherOverflowsNorUnderflows) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  for (const R scale : {std::numeric_limits<R>::max() / 4, std::numeric_limits<R>::min() * 4,
                        std::numeric_limits<R>::denorm_min() * 64}) {
    Vector<T> x(4, 1);
    for (Index i = 0; i < 4; ++i) x[i] = T(scale);
    R norm = 0;
    ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Snrm2_v2, Dnrm2_v2, Scnrm2_v2, Dznrm2_v2), handle, 4,
                      pub(x.data()), 1, &norm),
              CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(norm, 2 * scale);
  }
}

TYPED_TEST(BlasLevel1, DotPlainAndConjugated) {
  using T = TypeParam;
  const Handle handle;
  for (const Index n : kSizes) {
    for (const Index incx : kIncrements) {
      for (const bool conjugated : {false, true}) {
        Vector<T> x(n, incx), y(n, -2);
        Wide sum = 0;
        long double size = 0;
        for (Index i = 0; i < n; ++i) {
          const Wide u = conjugated ? std::conj(widen(x[i])) : widen(x[i]);
          sum += times(u, widen(y[i]));
          size += std::abs(u) * std::abs(widen(y[i]));
        }
        T result = random_element<T>();
        const int count = static_cast<int>(n), step = static_cast<int>(incx);
        const auto status =
            conjugated ? call<T>(SOFTGPU_TYPED4(Sdot_v2, Ddot_v2, Cdotc_v2, Zdotc_v2), handle,
                                 count, pub(x.data()), step, pub(y.data()), -2, pub(&result))
                       : call<T>(SOFTGPU_TYPED4(Sdot_v2, Ddot_v2, Cdotu_v2, Zdotu_v2), handle,
                                 count, pub(x.data()), step, pub(y.data()), -2, pub(&result));
        ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
        ASSERT_TRUE(near(result, sum, reduction_bound<T>(n, size)));
      }
    }
  }
}

TYPED_TEST(BlasLevel1, RotationsTurnPairs) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  for (const Index n : {1, 8, 100}) {
    Vector<T> x(n, -2), y(n, 3);
    const auto a = x.values(), b = y.values();
    const R c = static_cast<R>(0.6);
    const T s = random_element<T>();
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(rot_v2), handle, static_cast<int>(n), pub(x.data()), -2,
                      pub(y.data()), 3, &c, pub(&s)),
              CUBLAS_STATUS_SUCCESS);
    for (Index i = 0; i < n; ++i) {
      const Wide u = widen(a[static_cast<std::size_t>(i)]),
                 v = widen(b[static_cast<std::size_t>(i)]);
      const Wide turned = widen(c) * u + times(widen(s), v);
      const Wide other = widen(c) * v - times(std::conj(widen(s)), u);
      ASSERT_TRUE(near(x[i], turned, reduction_bound<T>(2, 3)));
      ASSERT_TRUE(near(y[i], other, reduction_bound<T>(2, 3)));
    }
    ASSERT_TRUE(x.gaps_intact() && y.gaps_intact());
  }
}

TYPED_TEST(BlasLevel1, RotgZeroesTheSecondComponent) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  for (int trial = 0; trial < 50; ++trial) {
    const T a = random_element<T>(), b = random_element<T>();
    T r = a, z = b, s{};
    R c{};
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(rotg_v2), handle, pub(&r), pub(&z), &c, pub(&s)),
              CUBLAS_STATUS_SUCCESS);
    EXPECT_TRUE(near(r, widen(c) * widen(a) + times(widen(s), widen(b)), reduction_bound<T>(4, 2)));
    EXPECT_TRUE(near(T{}, widen(c) * widen(b) - times(std::conj(widen(s)), widen(a)),
                     reduction_bound<T>(4, 2)));
    EXPECT_NEAR(static_cast<double>(std::norm(widen(s)) + std::norm(widen(c))), 1.0,
                32 * static_cast<double>(epsilon<T>()));
  }
}

TYPED_TEST(BlasLevel1, DevicePointerModeReadsAndWritesDeviceMemory) {
  using T = TypeParam;
  const Handle handle;
  ASSERT_EQ(cublasSetPointerMode_v2(handle, CUBLAS_POINTER_MODE_DEVICE), CUBLAS_STATUS_SUCCESS);
  Vector<T> x(100, 1), y(100, 1), scalar(1, 1), result(1, 1);
  ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Sdot_v2, Ddot_v2, Cdotu_v2, Zdotu_v2), handle, 100,
                    pub(x.data()), 1, pub(y.data()), 1, pub(result.data())),
            CUBLAS_STATUS_SUCCESS);
  Wide sum = 0;
  for (Index i = 0; i < 100; ++i) sum += times(widen(x[i]), widen(y[i]));
  EXPECT_TRUE(near(result[0], sum, reduction_bound<T>(100, 100)));
  EXPECT_TRUE(result.gaps_intact());
  const auto old = x.values();
  ASSERT_EQ(call<T>(SOFTGPU_TYPED(scal_v2), handle, 100, pub(scalar.data()), pub(x.data()), 1),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_TRUE(near(x[7], times(widen(scalar[0]), widen(old[7])), reduction_bound<T>(1, 2)));
}

TYPED_TEST(BlasLevel1, AnIncrementOfZeroRepeatsOneElement) {
  using T = TypeParam;
  const Handle handle;
  Vector<T> x(5, 1), y(1, 1);
  const T alpha(2);
  const Wide before = widen(y[0]);
  Wide sum = before;
  for (Index i = 0; i < 5; ++i) sum += 2.0L * widen(x[i]);
  ASSERT_EQ(
      call<T>(SOFTGPU_TYPED(axpy_v2), handle, 5, pub(&alpha), pub(x.data()), 1, pub(y.data()), 0),
      CUBLAS_STATUS_SUCCESS);
  EXPECT_TRUE(near(y[0], sum, reduction_bound<T>(5, 16)));
  EXPECT_TRUE(y.gaps_intact());
}

template <class T>
class BlasLevel1Real : public ::testing::Test {};
TYPED_TEST_SUITE(BlasLevel1Real, RealElements);

TYPED_TEST(BlasLevel1Real, ModifiedRotationZeroesTheScaledComponent) {
  using T = TypeParam;
  const Handle handle;
  for (int trial = 0; trial < 200; ++trial) {
    // Sizes far apart make the scaling steps run.
    const T scale = std::ldexp(T{1}, 13 * (trial % 7 - 3));
    const T d1 = std::fabs(random_element<T>()) * scale, d2 = std::fabs(random_element<T>());
    const T x1 = random_element<T>(), y1 = random_element<T>();
    T e1 = d1, e2 = d2, x = x1, param[5] = {7, 7, 7, 7, 7};
    ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Srotmg_v2, Drotmg_v2, Srotmg_v2, Drotmg_v2), handle, &e1, &e2,
                      &x, &y1, &param[0]),
              CUBLAS_STATUS_SUCCESS);
    Vector<T> u(1, 1), v(1, 1);
    u[0] = x1;
    v[0] = y1;
    ASSERT_EQ(call<T>(SOFTGPU_TYPED4(Srotm_v2, Drotm_v2, Srotm_v2, Drotm_v2), handle, 1, u.data(),
                      1, v.data(), 1, &param[0]),
              CUBLAS_STATUS_SUCCESS);
    // H turns (x1, y1) into (x, 0), and the weighted norm d1 x1^2 + d2 y1^2 stays.
    const double tolerance = 64 * static_cast<double>(epsilon<T>());
    EXPECT_NEAR(u[0], x, tolerance * std::fabs(x));
    EXPECT_NEAR(v[0], 0, tolerance * (std::fabs(param[2] * x1) + std::fabs(param[4] * y1) + 2));
    const double before = double{d1} * x1 * x1 + double{d2} * y1 * y1;
    const double after = double{e1} * x * x;
    EXPECT_NEAR(after, before, tolerance * before);
  }
}

TEST(BlasLevel1Ex, HalfPrecisionDataIsComputedInFloat) {
  const Handle handle;
  for (const Index inc : {1, -2}) {
    const int n = 257, step = static_cast<int>(inc);
    Vector<Half> x(n, inc), y(n, inc);
    const auto old = y.values();
    const float alpha = 0.7F;
    ASSERT_EQ(cublasAxpyEx(handle, n, &alpha, CUDA_R_32F, x.data(), CUDA_R_16F, step, y.data(),
                           CUDA_R_16F, step, CUDA_R_32F),
              CUBLAS_STATUS_SUCCESS);
    Wide sum = 0;
    for (Index i = 0; i < n; ++i) {
      const Wide expected =
          static_cast<long double>(alpha) * widen(x[i]) + widen(old[static_cast<std::size_t>(i)]);
      ASSERT_TRUE(near(y[i], expected, epsilon<Half>() * std::abs(expected) + 1e-6L));
      sum += widen(x[i]) * widen(y[i]);
    }
    Half dot{};
    ASSERT_EQ(cublasDotEx(handle, n, x.data(), CUDA_R_16F, step, y.data(), CUDA_R_16F, step, &dot,
                          CUDA_R_16F, CUDA_R_32F),
              CUBLAS_STATUS_SUCCESS);
    EXPECT_TRUE(near(dot, sum, epsilon<Half>() * std::abs(sum) + 1e-3L));
    const float half_scale = 0.5F;
    const Half before = x[3];
    ASSERT_EQ(cublasScalEx(handle, n, &half_scale, CUDA_R_32F, x.data(), CUDA_R_16F, 1, CUDA_R_32F),
              CUBLAS_STATUS_SUCCESS);
    if (inc == 1) {
      EXPECT_EQ(to_float(x[3]), to_float(before) / 2);
    }
  }
  Vector<BFloat16> b(33, 1);
  float norm = 0, sum = 0;
  BFloat16 result{};
  for (Index i = 0; i < 33; ++i) sum += to_float(b[i]) * to_float(b[i]);
  ASSERT_EQ(cublasNrm2Ex(handle, 33, b.data(), CUDA_R_16BF, 1, &result, CUDA_R_16BF, CUDA_R_32F),
            CUBLAS_STATUS_SUCCESS);
  norm = to_float(result);
  EXPECT_NEAR(norm, std::sqrt(sum), 0x1p-8F * std::sqrt(sum));
}

TEST(BlasLevel1Ex, CombinationsOutsideTheTablesAreNotSupported) {
  const Handle handle;
  Vector<double> x(4, 1);
  float alpha = 1;
  EXPECT_EQ(cublasScalEx(handle, 4, &alpha, CUDA_R_32F, x.data(), CUDA_R_64F, 1, CUDA_R_32F),
            CUBLAS_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cublasScalEx(handle, 4, &alpha, CUDA_R_32F, x.data(), CUDA_R_16F, 1, CUDA_R_16F),
            CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST(BlasArguments, ANullOrForeignHandleIsNotInitialized) {
  float x = 0;
  int noise[64] = {};
  EXPECT_EQ(cublasSscal_v2(nullptr, 1, &x, &x, 1), CUBLAS_STATUS_NOT_INITIALIZED);
  EXPECT_EQ(cublasSscal_v2(reinterpret_cast<cublasHandle_t>(noise), 1, &x, &x, 1),
            CUBLAS_STATUS_NOT_INITIALIZED);
  cublasHandle_t handle = nullptr;
  ASSERT_EQ(cublasCreate_v2(&handle), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasDestroy_v2(handle), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasDestroy_v2(handle), CUBLAS_STATUS_NOT_INITIALIZED);
  EXPECT_EQ(cublasCreate_v2(nullptr), CUBLAS_STATUS_INVALID_VALUE);
}

TEST(BlasArguments, MemoryThatTheDeviceCannotReachIsAFaultNotACrash) {
  const Handle handle;
  const float alpha = 1;
  Vector<float> x(16, 1);
  auto* wild = reinterpret_cast<float*>(std::uintptr_t{0x10});
  EXPECT_EQ(cublasSaxpy_v2(handle, 16, &alpha, x.data(), 1, wild, 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSaxpy_v2(handle, 16, &alpha, x.data(), 1, nullptr, 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
  // Sizes that wrap around in 64 bits are not small.
  const Index huge = std::numeric_limits<Index>::max();
  EXPECT_EQ(cublasSaxpy_v2_64(handle, huge, &alpha, x.data(), huge, x.data(), huge),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSscal_v2_64(handle, Index{1} << 62, &alpha, x.data(), 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSgemm_v2_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, huge, huge, huge, &alpha, x.data(),
                              huge, x.data(), huge, &alpha, x.data(), huge),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(
      cublasSgemmStridedBatched_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &alpha, x.data(), 1,
                                   -huge, x.data(), 1, huge, &alpha, x.data(), 1, huge, huge),
      CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSspmv_v2_64(handle, CUBLAS_FILL_MODE_UPPER, huge, &alpha, x.data(), x.data(), 1,
                              &alpha, x.data(), 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_EQ(cublasSgbmv_v2_64(handle, CUBLAS_OP_N, 4, 4, huge, huge, &alpha, x.data(), huge,
                              x.data(), 1, &alpha, x.data(), 1),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasSetVector(4, 4, x.data(), 1, wild, 1), CUBLAS_STATUS_MAPPING_ERROR);
  EXPECT_EQ(cublasGetVector(4, 4, x.data(), 1, wild, 1), CUBLAS_STATUS_MAPPING_ERROR);
  EXPECT_EQ(cublasSaxpy_v2(handle, 1 << 28, &alpha, x.data(), 1, x.data(), 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
}

TEST(BlasHandle, RemembersItsModes) {
  const Handle handle;
  cublasPointerMode_t mode{};
  EXPECT_EQ(cublasGetPointerMode_v2(handle, &mode), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(mode, CUBLAS_POINTER_MODE_HOST);
  EXPECT_EQ(cublasSetPointerMode_v2(handle, static_cast<cublasPointerMode_t>(7)),
            CUBLAS_STATUS_INVALID_VALUE);
  cublasMath_t math{};
  EXPECT_EQ(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cublasGetMathMode(handle, &math), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(math, CUBLAS_TF32_TENSOR_OP_MATH);
  int version = 0;
  EXPECT_EQ(cublasGetVersion_v2(handle, &version), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(version / 10000, 13);
  EXPECT_STREQ(cublasGetStatusName(CUBLAS_STATUS_INVALID_VALUE), "CUBLAS_STATUS_INVALID_VALUE");
}

TEST(BlasCopies, VectorsAndMatricesWithIncrements) {
  const Handle handle;
  std::vector<float> host = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Device<float> device(20);
  ASSERT_EQ(cublasSetVector(5, sizeof(float), host.data(), 2, device.data(), 3),
            CUBLAS_STATUS_SUCCESS);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(device.data()[3 * i], 2.0F * static_cast<float>(i));
  EXPECT_TRUE(device.unchanged_except([](Index i) { return i % 3 == 0; }));
  std::vector<float> back(10, -1.0F);
  ASSERT_EQ(cublasGetVector(5, sizeof(float), device.data(), 3, back.data(), 1),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(back, (std::vector<float>{0, 2, 4, 6, 8, -1, -1, -1, -1, -1}));
  Device<float> matrix(12);
  ASSERT_EQ(cublasSetMatrix(3, 3, sizeof(float), host.data(), 3, matrix.data(), 4),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(matrix.data()[4], 3);
  EXPECT_TRUE(matrix.unchanged_except([](Index i) { return i % 4 < 3; }));
  EXPECT_EQ(cublasSetMatrix(3, 3, sizeof(float), host.data(), 2, matrix.data(), 4),
            CUBLAS_STATUS_INVALID_VALUE);
}

}  // namespace
}  // namespace softgpu::blas::testing
