// General matrix products: every type and rounding, batches of every form, groups.
#include <thread>

#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

int i32(Index i) { return static_cast<int>(i); }

// The exact result, alpha op(A) op(B) + beta C, and the magnitudes that its rounding errors grow
// with.
struct Expected {
  Wide value = 0;
  long double size = 0;
};

template <class A, class Round>
Expected product(const Grid<A>& a, const Grid<A>& b, cublasOperation_t op_a, cublasOperation_t op_b,
                 Index i, Index j, Index k, const Round& rounded) {
  Expected result;
  for (Index p = 0; p < k; ++p) {
    const Wide x = rounded(element(a, op_a, i, p)), y = rounded(element(b, op_b, p, j));
    result.value += times(x, y);
    result.size += std::abs(x) * std::abs(y);
  }
  return result;
}

const auto kAsIs = [](Wide x) { return x; };

void blend(Expected& sum, Wide alpha, Wide beta, Wide old) {
  sum.value = times(alpha, sum.value);
  sum.size *= std::abs(alpha);
  if (beta == Wide(0)) return;
  sum.value += times(beta, old);
  sum.size += std::abs(beta) * std::abs(old);
}

template <class T>
class BlasGemm : public ::testing::Test {};
TYPED_TEST_SUITE(BlasGemm, Elements);

TYPED_TEST(BlasGemm, AllOperationsAtAwkwardSizes) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasOperation_t op_a : kOperations) {
    for (const cublasOperation_t op_b : kOperations) {
      for (const Index m : {1, 31, 33}) {
        for (const Index n : {1, 5, 32}) {
          for (const Index k : {0, 1, 17, 65}) {
            for (const bool overwrite : {false, true}) {
              Grid<T> a(op_a == CUBLAS_OP_N ? m : k, op_a == CUBLAS_OP_N ? k : m, 70);
              Grid<T> b(op_b == CUBLAS_OP_N ? k : n, op_b == CUBLAS_OP_N ? n : k, 71);
              Grid<T> c(m, n, m + 1);
              const T alpha = random_element<T>(), beta = overwrite ? T{} : random_element<T>();
              if (overwrite) c.fill([](Index, Index) { return false; });
              const auto old = c.wide();
              ASSERT_EQ(call<T>(SOFTGPU_TYPED(gemm_v2), handle, op_a, op_b, i32(m), i32(n), i32(k),
                                pub(&alpha), pub(a.data()), 70, pub(b.data()), 71, pub(&beta),
                                pub(c.data()), i32(c.leading())),
                        CUBLAS_STATUS_SUCCESS);
              for (Index j = 0; j < n; ++j) {
                for (Index i = 0; i < m; ++i) {
                  auto sum = product(a, b, op_a, op_b, i, j, k, kAsIs);
                  blend(sum, widen(alpha), widen(beta),
                        overwrite ? Wide(0) : old[static_cast<std::size_t>(i + j * m)]);
                  ASSERT_TRUE(near(c(i, j), sum.value, reduction_bound<T>(k, sum.size)));
                }
              }
              ASSERT_TRUE(a.unchanged() && b.unchanged() && c.gaps_intact());
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasGemm, LargeProductsOnAllCoresRepeatTheirBits) {
  using T = TypeParam;
  const Handle handle;
  const Index n = 331;
  Grid<T> a(n, n, n), b(n, n, n), c(n, n, n), d(n, n, n);
  const T one(1), zero{};
  const auto whole = [&](Grid<T>& result) {
    return call<T>(SOFTGPU_TYPED(gemm_v2_64), handle, CUBLAS_OP_N, CUBLAS_OP_T, n, n, n, pub(&one),
                   pub(a.data()), n, pub(b.data()), n, pub(&zero), pub(result.data()), n);
  };
  ASSERT_EQ(whole(c), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(whole(d), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(c.wide(), d.wide());
  for (Index i = 0; i < n; i += 41) {
    const auto sum = product(a, b, CUBLAS_OP_N, CUBLAS_OP_T, i, n - 1 - i, n, kAsIs);
    EXPECT_TRUE(near(c(i, n - 1 - i), sum.value, reduction_bound<T>(n, sum.size)));
  }
}

TYPED_TEST(BlasGemm, BatchesByArrayByStrideAndByGroup) {
  using T = TypeParam;
  const Handle handle;
  for (const Index batch : {1, 2, 33}) {
    const Index m = 9, n = 4, k = 6;
    Grid<T> a(m, k * batch, m + 1), b(k, n * batch, k), c(m, n * batch, m + 2),
        d(m, n * batch, m + 2);
    for (Index j = 0; j < n * batch; ++j) {
      for (Index i = 0; i < m; ++i) d(i, j) = c(i, j);
    }
    const auto old = c.wide();
    const T alpha = random_element<T>(), beta = random_element<T>();
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(gemmStridedBatched), handle, CUBLAS_OP_N, CUBLAS_OP_N, 9, 4, 6,
                      pub(&alpha), pub(a.data()), 10, 10LL * 6, pub(b.data()), 6, 6LL * 4,
                      pub(&beta), pub(c.data()), 11, 11LL * 4, i32(batch)),
              CUBLAS_STATUS_SUCCESS);
    Device<T*> as(batch), bs(batch), ds(batch);
    for (Index i = 0; i < batch; ++i) {
      as.data()[i] = a.data() + i * 60;
      bs.data()[i] = b.data() + i * 24;
      ds.data()[i] = d.data() + i * 44;
    }
    ASSERT_EQ(
        call<T>(SOFTGPU_TYPED(gemmBatched), handle, CUBLAS_OP_N, CUBLAS_OP_N, 9, 4, 6, pub(&alpha),
                pub(as.data()), 10, pub(bs.data()), 6, pub(&beta), pub(ds.data()), 11, i32(batch)),
        CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(c.wide(), d.wide());
    for (Index s = 0; s < batch; ++s) {
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < m; ++i) {
          Expected sum;
          for (Index p = 0; p < k; ++p) {
            sum.value += times(widen(a(i, s * k + p)), widen(b(p, s * n + j)));
            sum.size += 2;
          }
          blend(sum, widen(alpha), widen(beta), old[static_cast<std::size_t>(i + (s * n + j) * m)]);
          ASSERT_TRUE(near(c(i, s * n + j), sum.value, reduction_bound<T>(k, sum.size)));
        }
      }
    }
    ASSERT_TRUE(c.gaps_intact() && d.gaps_intact());
  }
}

TEST(BlasGemmGrouped, GroupsOfDifferentShapes) {
  const Handle handle;
  Grid<float> a(4, 8, 4), b(4, 8, 4), c(4, 8, 4);
  Device<float*> as(2), bs(2), cs(2);
  for (Index i = 0; i < 2; ++i) {
    as.data()[i] = a.data() + 16 * i;
    bs.data()[i] = b.data() + 16 * i;
    cs.data()[i] = c.data() + 16 * i;
  }
  const cublasOperation_t op_a[] = {CUBLAS_OP_N, CUBLAS_OP_T};
  const cublasOperation_t op_b[] = {CUBLAS_OP_N, CUBLAS_OP_N};
  const int m[] = {4, 2}, n[] = {3, 4}, k[] = {2, 4}, ld[] = {4, 4}, sizes[] = {1, 1};
  const float alpha[] = {1, 2}, beta[] = {0, 0};
  ASSERT_EQ(cublasSgemmGroupedBatched(handle, op_a, op_b, m, n, k, alpha, as.data(), ld, bs.data(),
                                      ld, beta, cs.data(), ld, 2, sizes),
            CUBLAS_STATUS_SUCCESS);
  float first = 0, second = 0;
  for (int p = 0; p < 2; ++p) first += a(3, p) * b(p, 2);
  for (int p = 0; p < 4; ++p) second += a(p, 4 + 1) * b(p, 4 + 3);
  EXPECT_NEAR(c(3, 2), first, 1e-5);
  EXPECT_NEAR(c(1, 4 + 3), 2 * second, 1e-5);
  EXPECT_TRUE(c.unchanged_except([](Index i, Index j) { return j < 3 || (j >= 4 && i < 2); }));
}

// --- mixed types --------------------------------------------------------------------------------

template <class A>
constexpr cudaDataType type_of() {
  if constexpr (std::is_same_v<A, Half>) return CUDA_R_16F;
  if constexpr (std::is_same_v<A, BFloat16>) return CUDA_R_16BF;
  if constexpr (std::is_same_v<A, std::int8_t>) return CUDA_R_8I;
  if constexpr (std::is_same_v<A, std::int32_t>) return CUDA_R_32I;
  if constexpr (std::is_same_v<A, double>) return CUDA_R_64F;
  if constexpr (std::is_same_v<A, cfloat>) return CUDA_C_32F;
  if constexpr (std::is_same_v<A, cdouble>) return CUDA_C_64F;
  return CUDA_R_32F;
}

// One product through cublasGemmEx with float scalars against products of rounded inputs. The sum
// is in float; storing adds half a unit of C's type.
template <class A, class C, class Round>
void check_gemm_ex(cublasComputeType_t compute, const Round& rounded) {
  const Handle handle;
  for (const cublasOperation_t op_a : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    for (const cublasOperation_t op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      for (const bool overwrite : {false, true}) {
        const Index m = 33, n = 17, k = 70;
        Grid<A> a(op_a == CUBLAS_OP_N ? m : k, op_a == CUBLAS_OP_N ? k : m, 80);
        Grid<A> b(op_b == CUBLAS_OP_N ? k : n, op_b == CUBLAS_OP_N ? n : k, 81);
        Grid<C> c(m, n, m + 3);
        const float alpha = 0.75F, beta = overwrite ? 0.0F : -1.25F;
        if (overwrite) c.fill([](Index, Index) { return false; });
        const auto old = c.wide();
        ASSERT_EQ(cublasGemmEx(handle, op_a, op_b, 33, 17, 70, &alpha, a.data(), type_of<A>(), 80,
                               b.data(), type_of<A>(), 81, &beta, c.data(), type_of<C>(), 36,
                               compute, CUBLAS_GEMM_DEFAULT),
                  CUBLAS_STATUS_SUCCESS);
        for (Index j = 0; j < n; ++j) {
          for (Index i = 0; i < m; ++i) {
            auto sum = product(a, b, op_a, op_b, i, j, k, rounded);
            blend(sum, alpha, beta, overwrite ? Wide(0) : old[static_cast<std::size_t>(i + j * m)]);
            const long double storing =
                std::is_same_v<C, float> ? 0 : 0.5L * epsilon<C>() * std::abs(sum.value);
            ASSERT_TRUE(near(c(i, j), sum.value, reduction_bound<float>(k, sum.size) + storing));
          }
        }
        ASSERT_TRUE(a.unchanged() && b.unchanged() && c.gaps_intact());
      }
    }
  }
}

TEST(BlasGemmEx, HalvesAndBfloatsAccumulateInFloatAndRoundOnce) {
  check_gemm_ex<Half, Half>(CUBLAS_COMPUTE_32F, kAsIs);
  check_gemm_ex<Half, float>(CUBLAS_COMPUTE_32F, kAsIs);
  check_gemm_ex<BFloat16, BFloat16>(CUBLAS_COMPUTE_32F, kAsIs);
  check_gemm_ex<BFloat16, float>(CUBLAS_COMPUTE_32F_PEDANTIC, kAsIs);
}

TEST(BlasGemmEx, FastComputeTypesRoundTheirInputs) {
  const auto by = [](auto round) {
    return [=](Wide x) { return Wide(round(static_cast<float>(x.real()))); };
  };
  check_gemm_ex<float, float>(CUBLAS_COMPUTE_32F, kAsIs);
  check_gemm_ex<float, float>(CUBLAS_COMPUTE_32F_FAST_TF32,
                              by([](float x) { return round_to_tf32(x); }));
  check_gemm_ex<float, float>(CUBLAS_COMPUTE_32F_FAST_16F,
                              by([](float x) { return round_to_half(x); }));
  check_gemm_ex<float, float>(CUBLAS_COMPUTE_32F_FAST_16BF,
                              by([](float x) { return round_to_bfloat16(x); }));
}

TEST(BlasGemmEx, TheMathModeTurnsSgemmToTf32) {
  const Handle handle;
  Grid<float> a(8, 8, 8), b(8, 8, 8), c(8, 8, 8);
  const float one = 1, zero = 0;
  ASSERT_EQ(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, a.data(), 8, b.data(),
                           8, &zero, c.data(), 8),
            CUBLAS_STATUS_SUCCESS);
  const auto sum = product(a, b, CUBLAS_OP_N, CUBLAS_OP_N, 3, 5, 8, [](Wide x) {
    return Wide(round_to_tf32(static_cast<float>(x.real())));
  });
  EXPECT_TRUE(near(c(3, 5), sum.value, reduction_bound<float>(8, sum.size)));
}

TEST(BlasGemmEx, HgemmAccumulatesInHalf) {
  const Handle handle;
  const Index m = 5, n = 3, k = 200;
  Grid<Half> a(m, k, m), b(k, n, k), c(m, n, m);
  const Half alpha = to_half(1.0F), beta = to_half(0.5F);
  const auto old = c.wide();
  ASSERT_EQ(cublasHgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 5, 3, 200, pub(&alpha), pub(a.data()), 5,
                        pub(b.data()), 200, pub(&beta), pub(c.data()), 5),
            CUBLAS_STATUS_SUCCESS);
  int other_than_float = 0;
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < m; ++i) {
      auto sum = product(a, b, CUBLAS_OP_N, CUBLAS_OP_N, i, j, k, kAsIs);
      blend(sum, 1, 0.5L, old[static_cast<std::size_t>(i + j * m)]);
      // One rounding to half for each of the 13 blocks of 16, and one at the end.
      ASSERT_TRUE(near(c(i, j), sum.value, 14 * epsilon<Half>() * sum.size));
      if (to_half(static_cast<float>(sum.value.real())).bits != c(i, j).bits) ++other_than_float;
    }
  }
  EXPECT_GT(other_than_float, 0) << "the sums were not kept in half";
}

TEST(BlasGemmEx, IntegerProductsAreExact) {
  const Handle handle;
  for (const cublasOperation_t op_a : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    for (const cublasOperation_t op_b : {CUBLAS_OP_N, CUBLAS_OP_T}) {
      const Index m = 13, n = 7, k = 133;
      Grid<std::int8_t> a(op_a == CUBLAS_OP_N ? m : k, op_a == CUBLAS_OP_N ? k : m, 140);
      Grid<std::int8_t> b(op_b == CUBLAS_OP_N ? k : n, op_b == CUBLAS_OP_N ? n : k, 140);
      Device<std::int32_t> c(m * n);
      Device<float> f(m * n);
      for (Index i = 0; i < m * n; ++i) c.data()[i] = static_cast<std::int32_t>(i);
      const std::int32_t alpha = 1, beta = 1;
      const float half = 0.5F, zero = 0;
      ASSERT_EQ(cublasGemmEx(handle, op_a, op_b, 13, 7, 133, &alpha, a.data(), CUDA_R_8I, 140,
                             b.data(), CUDA_R_8I, 140, &beta, c.data(), CUDA_R_32I, 13,
                             CUBLAS_COMPUTE_32I, CUBLAS_GEMM_DEFAULT),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_EQ(cublasGemmEx(handle, op_a, op_b, 13, 7, 133, &half, a.data(), CUDA_R_8I, 140,
                             b.data(), CUDA_R_8I, 140, &zero, f.data(), CUDA_R_32F, 13,
                             CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                CUBLAS_STATUS_SUCCESS);
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < m; ++i) {
          const auto sum = product(a, b, op_a, op_b, i, j, k, kAsIs);
          const auto whole = static_cast<Index>(sum.value.real());
          ASSERT_EQ(c.data()[i + j * m], whole + i + j * m);
          ASSERT_EQ(f.data()[i + j * m], 0.5F * static_cast<float>(whole));
        }
      }
    }
  }
}

TEST(BlasGemmEx, LongIntegerSumsWrapNowhere) {
  const Handle handle;
  const int k = 40000;
  Device<std::int8_t> a(k), b(k);
  std::memset(a.data(), 0x80, static_cast<std::size_t>(k));
  std::memset(b.data(), 0x80, static_cast<std::size_t>(k));
  Device<std::int32_t> c(1);
  const std::int32_t one = 1, zero = 0;
  ASSERT_EQ(cublasGemmEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, 1, 1, k, &one, a.data(), CUDA_R_8I, k,
                         b.data(), CUDA_R_8I, k, &zero, c.data(), CUDA_R_32I, 1, CUBLAS_COMPUTE_32I,
                         CUBLAS_GEMM_DEFAULT),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(c.data()[0], k * 16384);
}

TEST(BlasGemmEx, DoubleAndComplexTypes) {
  const Handle handle;
  Grid<cdouble> a(6, 6, 6), b(6, 6, 6), c(6, 6, 6);
  const cdouble alpha(0.5, 1), beta(0);
  ASSERT_EQ(cublasGemmEx(handle, CUBLAS_OP_C, CUBLAS_OP_N, 6, 6, 6, &alpha, a.data(), CUDA_C_64F, 6,
                         b.data(), CUDA_C_64F, 6, &beta, c.data(), CUDA_C_64F, 6,
                         CUBLAS_COMPUTE_64F, CUBLAS_GEMM_DEFAULT_TENSOR_OP),
            CUBLAS_STATUS_SUCCESS);
  auto sum = product(a, b, CUBLAS_OP_C, CUBLAS_OP_N, 2, 4, 6, kAsIs);
  blend(sum, widen(alpha), 0, 0);
  EXPECT_TRUE(near(c(2, 4), sum.value, reduction_bound<cdouble>(6, sum.size)));
}

TEST(BlasGemmEx, BatchesOfHalves) {
  const Handle handle;
  const Index batch = 5;
  Grid<Half> a(7, 7 * batch, 7), b(7, 7 * batch, 7), c(7, 7 * batch, 7), d(7, 7 * batch, 7);
  const float alpha = 1, beta = 0;
  ASSERT_EQ(cublasGemmStridedBatchedEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, 7, 7, 7, &alpha, a.data(),
                                       CUDA_R_16F, 7, 49, b.data(), CUDA_R_16F, 7, 49, &beta,
                                       c.data(), CUDA_R_16F, 7, 49, 5, CUBLAS_COMPUTE_32F,
                                       CUBLAS_GEMM_DEFAULT_TENSOR_OP),
            CUBLAS_STATUS_SUCCESS);
  Device<void*> as(batch), bs(batch), ds(batch);
  for (Index s = 0; s < batch; ++s) {
    as.data()[s] = a.data() + 49 * s;
    bs.data()[s] = b.data() + 49 * s;
    ds.data()[s] = d.data() + 49 * s;
  }
  ASSERT_EQ(cublasGemmBatchedEx(handle, CUBLAS_OP_T, CUBLAS_OP_N, 7, 7, 7, &alpha, as.data(),
                                CUDA_R_16F, 7, bs.data(), CUDA_R_16F, 7, &beta, ds.data(),
                                CUDA_R_16F, 7, 5, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
            CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(c.wide(), d.wide());
  for (Index s = 0; s < batch; ++s) {
    Wide sum = 0;
    for (Index p = 0; p < 7; ++p) sum += widen(a(p, 7 * s + 2)) * widen(b(p, 7 * s + 3));
    EXPECT_TRUE(near(c(2, 7 * s + 3), sum, epsilon<Half>() * std::abs(sum) + 1e-5L));
  }
}

TEST(BlasGemmArguments, AreCheckedAsCublasChecksThem) {
  const Handle handle;
  Grid<float> a(4, 4, 4), b(4, 4, 4), c(4, 4, 4);
  const float one = 1;
  const auto sgemm = [&](int op, int m, int n, int k, int lda, int ldb, int ldc,
                         const float* alpha) {
    return cublasSgemm_v2(handle, static_cast<cublasOperation_t>(op), CUBLAS_OP_N, m, n, k, alpha,
                          a.data(), lda, b.data(), ldb, &one, c.data(), ldc);
  };
  EXPECT_EQ(sgemm(9, 4, 4, 4, 4, 4, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, -1, 4, 4, 4, 4, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, -1, 4, 4, 4, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, 4, -1, 4, 4, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, 4, 4, 3, 4, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, 4, 4, 4, 3, 4, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, 4, 4, 4, 4, 3, &one), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 4, 4, 4, 4, 4, 4, nullptr), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(sgemm(0, 0, 4, 4, 4, 4, 4, &one), CUBLAS_STATUS_SUCCESS);
  EXPECT_TRUE(c.unchanged());
  EXPECT_EQ(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, a.data(), CUDA_R_32F, 4,
                         b.data(), CUDA_R_16F, 4, &one, c.data(), CUDA_R_32F, 4, CUBLAS_COMPUTE_32F,
                         CUBLAS_GEMM_DEFAULT),
            CUBLAS_STATUS_NOT_SUPPORTED);
}

TEST(BlasGemmThreads, HandlesOfManyHostThreadsDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      const Handle handle;
      Device<float> a(64 * 64), b(64 * 64), c(64 * 64);
      for (Index i = 0; i < 64 * 64; ++i) a.data()[i] = b.data()[i] = 1;
      const float one = 1, zero = 0;
      for (int repeat = 0; repeat < 20; ++repeat) {
        ASSERT_EQ(cublasSgemm_v2(handle, CUBLAS_OP_N, CUBLAS_OP_N, 64, 64, 64, &one, a.data(), 64,
                                 b.data(), 64, &zero, c.data(), 64),
                  CUBLAS_STATUS_SUCCESS);
        ASSERT_EQ(c.data()[77], 64);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(BlasNumbers, RoundingsAgreeWithExhaustiveTables) {
  // Every half and bfloat16 comes back from float, and midpoints go to the even neighbour.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half h{static_cast<std::uint16_t>(bits)};
    const float x = to_float(h);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(to_float(to_half(x))));
      continue;
    }
    ASSERT_EQ(to_half(x).bits, bits);
    ASSERT_EQ(round_to_half(x), x);
    if ((bits & 0x7fff) < 0x7bff) {
      const Half up{static_cast<std::uint16_t>(bits + 1)};
      const float middle = (x + to_float(up)) / 2;  // exact in float
      ASSERT_EQ(to_half(middle).bits, (bits & 1) != 0 ? up.bits : bits);
      ASSERT_EQ(to_half(std::nextafter(middle, x)).bits, bits);
      ASSERT_EQ(to_half(std::nextafter(middle, to_float(up))).bits, up.bits);
    }
  }
  EXPECT_EQ(to_half(65519.99F).bits, 0x7bff);
  EXPECT_EQ(to_half(65520.0F).bits, 0x7c00);
  for (std::uint32_t bits = 0; bits < 0x7f7f; ++bits) {
    const float x = to_float(BFloat16{static_cast<std::uint16_t>(bits)});
    const float up = to_float(BFloat16{static_cast<std::uint16_t>(bits + 1)});
    ASSERT_EQ(to_bfloat16(x).bits, bits);
    ASSERT_EQ(to_bfloat16(x + (up - x) / 2).bits, (bits & 1) != 0 ? bits + 1 : bits);
  }
  for (std::uint32_t bits = 0; bits < 256; ++bits) {
    const E4M3 e{static_cast<std::uint8_t>(bits)};
    const E5M2 f{static_cast<std::uint8_t>(bits)};
    if (!std::isnan(to_float(e))) {
      ASSERT_EQ(to_e4m3(to_float(e)).bits, bits);
    }
    if (std::isfinite(to_float(f))) {
      ASSERT_EQ(to_e5m2(to_float(f)).bits, bits);
    }
  }
  EXPECT_EQ(to_float(to_e4m3(1000.0F)), 448.0F);
  EXPECT_EQ(to_float(to_e5m2(1e30F)), 57344.0F);
  EXPECT_EQ(round_to_tf32(std::bit_cast<float>(0x3f801000U)), std::bit_cast<float>(0x3f802000U));
}

}  // namespace
}  // namespace softgpu::blas::testing
