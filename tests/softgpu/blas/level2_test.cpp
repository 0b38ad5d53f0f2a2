// Matrices and vectors: full, band and packed storage; NaN wherever nothing may be read.
#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

template <class T>
class BlasLevel2 : public ::testing::Test {};
TYPED_TEST_SUITE(BlasLevel2, Elements);

constexpr Index kSizes[] = {1, 2, 5, 31, 33};

// alpha * sum + beta * old with its bound; beta == 0 must not read old, which is NaN then.
template <class T>
void expect_blend(const T& actual, T alpha, Wide sum, long double size, T beta, Wide old,
                  Index terms) {
  Wide expected = times(widen(alpha), sum);
  long double whole = std::abs(widen(alpha)) * size;
  if (beta != T{}) {
    expected += times(widen(beta), old);
    whole += std::abs(widen(beta)) * std::abs(old);
  }
  ASSERT_TRUE(near(actual, expected, reduction_bound<T>(terms, whole)));
}

// y is NaN at first where beta is zero.
template <class T>
void poison(Vector<T>& y) {
  for (Index i = 0; i < y.size(); ++i) y[i] = T(std::numeric_limits<Real<T>>::quiet_NaN());
  y.remember();
}

TYPED_TEST(BlasLevel2, Gemv) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasOperation_t op : kOperations) {
    for (const Index m : kSizes) {
      for (const Index n : {Index{1}, Index{7}, Index{34}}) {
        for (const bool overwrite : {false, true}) {
          const Index columns = op == CUBLAS_OP_N ? n : m, rows = op == CUBLAS_OP_N ? m : n;
          Grid<T> a(m, n, m + 3);
          Vector<T> x(columns, -2), y(rows, 3);
          const T alpha = random_element<T>(), beta = overwrite ? T{} : random_element<T>();
          if (overwrite) poison(y);
          const auto old = y.values();
          ASSERT_EQ(
              call<T>(SOFTGPU_TYPED(gemv_v2), handle, op, static_cast<int>(m), static_cast<int>(n),
                      pub(&alpha), pub(a.data()), static_cast<int>(a.leading()), pub(x.data()), -2,
                      pub(&beta), pub(y.data()), 3),
              CUBLAS_STATUS_SUCCESS);
          for (Index i = 0; i < rows; ++i) {
            Wide sum = 0;
            long double size = 0;
            for (Index j = 0; j < columns; ++j) {
              const Wide part = times(element(a, op, i, j), widen(x[j]));
              sum += part;
              size += std::abs(part);
            }
            expect_blend(y[i], alpha, sum, size, beta, widen(old[static_cast<std::size_t>(i)]),
                         columns);
          }
          ASSERT_TRUE(a.unchanged() && x.unchanged() && y.gaps_intact());
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel2, GemvOfManyRowsOnAllCores) {
  using T = TypeParam;
  const Handle handle;
  const Index m = 3001, n = 517;
  Grid<T> a(m, n, m);
  for (const cublasOperation_t op : {CUBLAS_OP_N, CUBLAS_OP_T}) {
    const Index columns = op == CUBLAS_OP_N ? n : m, rows = op == CUBLAS_OP_N ? m : n;
    Vector<T> x(columns, 1), y(rows, 1);
    const T alpha(1), beta{};
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(gemv_v2_64), handle, op, m, n, pub(&alpha), pub(a.data()), m,
                      pub(x.data()), Index{1}, pub(&beta), pub(y.data()), Index{1}),
              CUBLAS_STATUS_SUCCESS);
    for (Index i = 0; i < rows; i += 97) {
      Wide sum = 0;
      long double size = 0;
      for (Index j = 0; j < columns; ++j) {
        const Wide part = times(element(a, op, i, j), widen(x[j]));
        sum += part;
        size += std::abs(part);
      }
      ASSERT_TRUE(near(y[i], sum, reduction_bound<T>(columns, size)));
    }
  }
}

TYPED_TEST(BlasLevel2, Gbmv) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasOperation_t op : kOperations) {
    for (const Index m : {1, 6, 17}) {
      for (const Index n : {1, 9, 17}) {
        const Index kl = 2, ku = 3;
        const Index columns = op == CUBLAS_OP_N ? n : m, rows = op == CUBLAS_OP_N ? m : n;
        Grid<T> dense(m, n, m), band(kl + ku + 1, n, kl + ku + 3);
        const auto stored = [&](Index i, Index j) { return i - j <= kl && j - i <= ku; };
        band.fill([&](Index r, Index j) {
          const Index i = r + j - ku;
          return i >= 0 && i < m;
        });
        for (Index j = 0; j < n; ++j) {
          for (Index i = 0; i < m; ++i) dense(i, j) = stored(i, j) ? band(ku + i - j, j) : T{};
        }
        Vector<T> x(columns, 1), y(rows, -1);
        const T alpha = random_element<T>(), beta = random_element<T>();
        const auto old = y.values();
        ASSERT_EQ(call<T>(SOFTGPU_TYPED(gbmv_v2), handle, op, static_cast<int>(m),
                          static_cast<int>(n), static_cast<int>(kl), static_cast<int>(ku),
                          pub(&alpha), pub(band.data()), static_cast<int>(band.leading()),
                          pub(x.data()), 1, pub(&beta), pub(y.data()), -1),
                  CUBLAS_STATUS_SUCCESS);
        for (Index i = 0; i < rows; ++i) {
          Wide sum = 0;
          for (Index j = 0; j < columns; ++j) sum += times(element(dense, op, i, j), widen(x[j]));
          expect_blend(y[i], alpha, sum, static_cast<long double>(kl + ku + 1) * 2, beta,
                       widen(old[static_cast<std::size_t>(i)]), kl + ku + 1);
        }
        ASSERT_TRUE(band.unchanged() && y.gaps_intact());
      }
    }
  }
}

// A triangle in each storage form, with the same elements: NaN everywhere else.
template <class T>
struct Forms {
  Grid<T> full, banded;
  Vector<T> packed;
  Forms(cublasFillMode_t uplo, Index n, Index k, bool strong_diagonal)
      : full(n, n, n + 2), banded(k + 1, n, k + 2), packed(n * (n + 1) / 2, 1) {
    const bool upper = uplo == CUBLAS_FILL_MODE_UPPER;
    full.fill([&](Index i, Index j) { return (upper ? i <= j : i >= j) && std::abs(i - j) <= k; });
    banded.fill([](Index, Index) { return false; });
    for (Index j = 0; j < n; ++j) {
      for (Index i = upper ? 0 : j; i <= (upper ? j : n - 1); ++i) {
        // Outside the band zero, in the forms that store it.
        if (std::abs(i - j) > k) full(i, j) = T{};
        if (strong_diagonal && i == j) full(i, j) += T(4);
        if (std::abs(i - j) <= k) banded(upper ? k + i - j : i - j, j) = full(i, j);
        packed[upper ? i + j * (j + 1) / 2 : i + (2 * n - j - 1) * j / 2] = full(i, j);
      }
    }
    full.remember();
    banded.remember();
    packed.remember();
  }
};

TYPED_TEST(BlasLevel2, TriangularProductsAndSolves) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasFillMode_t uplo : kTriangles) {
    for (const cublasOperation_t op : kOperations) {
      for (const cublasDiagType_t diag : kDiagonals) {
        for (const Index n : kSizes) {
          for (const Index inc : {1, -2}) {
            const Index k = std::min<Index>(n - 1, 3);
            Forms<T> a(uplo, n, k, true);
            const int count = static_cast<int>(n), step = static_cast<int>(inc);
            for (int form = 0; form < 3; ++form) {
              for (const bool solve : {false, true}) {
                Vector<T> x(n, inc);
                const auto old = x.values();
                cublasStatus_t status{};
                const auto run = [&](auto function, auto... rest) {
                  status = call<T>(function, handle, uplo, op, diag, count, rest..., pub(x.data()),
                                   step);
                };
                const int lda = static_cast<int>(a.full.leading()),
                          ldb = static_cast<int>(a.banded.leading());
                if (form == 0 && !solve) run(SOFTGPU_TYPED(trmv_v2), pub(a.full.data()), lda);
                if (form == 0 && solve) run(SOFTGPU_TYPED(trsv_v2), pub(a.full.data()), lda);
                if (form == 1 && !solve) {
                  run(SOFTGPU_TYPED(tbmv_v2), static_cast<int>(k), pub(a.banded.data()), ldb);
                }
                if (form == 1 && solve) {
                  run(SOFTGPU_TYPED(tbsv_v2), static_cast<int>(k), pub(a.banded.data()), ldb);
                }
                if (form == 2 && !solve) run(SOFTGPU_TYPED(tpmv_v2), pub(a.packed.data()));
                if (form == 2 && solve) run(SOFTGPU_TYPED(tpsv_v2), pub(a.packed.data()));
                ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
                // A product is compared with the old x, a solution by putting it in.
                const auto after = x.values();
                const auto& factor = solve ? after : old;
                const auto& product = solve ? old : after;
                for (Index i = 0; i < n; ++i) {
                  Wide sum = 0;
                  long double size = 0;
                  for (Index j = 0; j < n; ++j) {
                    const Wide part = times(triangle_element(a.full, uplo, diag, op, i, j),
                                            widen(factor[static_cast<std::size_t>(j)]));
                    sum += part;
                    size += std::abs(part);
                  }
                  ASSERT_TRUE(near(product[static_cast<std::size_t>(i)], sum,
                                   reduction_bound<T>(2 * n, size + 1)));
                }
                ASSERT_TRUE(x.gaps_intact());
              }
            }
            ASSERT_TRUE(a.full.unchanged() && a.banded.unchanged() && a.packed.unchanged());
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel2, SymmetricAndHermitianProducts) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasFillMode_t uplo : kTriangles) {
    for (const bool hermitian : {false, true}) {
      if (hermitian && !is_complex<T>) continue;
      for (const Index n : kSizes) {
        const Index k = std::min<Index>(n - 1, 4);
        Forms<T> a(uplo, n, k, false);
        for (int form = 0; form < 3; ++form) {
          // cuBLAS has no symmetric complex band or packed form.
          if (form != 0 && is_complex<T> && !hermitian) continue;
          for (const bool overwrite : {false, true}) {
            Vector<T> x(n, -1), y(n, 2);
            const T alpha = random_element<T>(), beta = overwrite ? T{} : random_element<T>();
            if (overwrite) poison(y);
            const auto old = y.values();
            const int count = static_cast<int>(n);
            cublasStatus_t status{};
            const auto run = [&](auto function, auto... rest) {
              status = call<T>(function, handle, uplo, count, rest..., pub(x.data()), -1,
                               pub(&beta), pub(y.data()), 2);
            };
            const int lda = static_cast<int>(a.full.leading()),
                      ldb = static_cast<int>(a.banded.leading()), width = static_cast<int>(k);
            if (form == 0 && hermitian) {
              run(SOFTGPU_TYPED4(Ssymv_v2, Dsymv_v2, Chemv_v2, Zhemv_v2), pub(&alpha),
                  pub(a.full.data()), lda);
            } else if (form == 0) {
              run(SOFTGPU_TYPED(symv_v2), pub(&alpha), pub(a.full.data()), lda);
            } else if (form == 1) {
              run(SOFTGPU_TYPED4(Ssbmv_v2, Dsbmv_v2, Chbmv_v2, Zhbmv_v2), width, pub(&alpha),
                  pub(a.banded.data()), ldb);
            } else {
              run(SOFTGPU_TYPED4(Sspmv_v2, Dspmv_v2, Chpmv_v2, Zhpmv_v2), pub(&alpha),
                  pub(a.packed.data()));
            }
            ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
            for (Index i = 0; i < n; ++i) {
              Wide sum = 0;
              long double size = 0;
              for (Index j = 0; j < n; ++j) {
                const Wide part =
                    times(symmetric_element(a.full, hermitian, uplo, i, j), widen(x[j]));
                sum += part;
                size += std::abs(part);
              }
              expect_blend(y[i], alpha, sum, size, beta, widen(old[static_cast<std::size_t>(i)]),
                           n);
            }
            ASSERT_TRUE(y.gaps_intact());
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel2, RankOneUpdateOfAGeneralMatrix) {
  using T = TypeParam;
  const Handle handle;
  for (const bool conjugated : {false, true}) {
    for (const Index m : kSizes) {
      const Index n = 9;
      Grid<T> a(m, n, m + 1);
      const auto old = a.wide();
      Vector<T> x(m, 2), y(n, -3);
      const T alpha = random_element<T>();
      const int rows = static_cast<int>(m), lda = static_cast<int>(a.leading());
      const auto status =
          conjugated
              ? call<T>(SOFTGPU_TYPED4(Sger_v2, Dger_v2, Cgerc_v2, Zgerc_v2), handle, rows, 9,
                        pub(&alpha), pub(x.data()), 2, pub(y.data()), -3, pub(a.data()), lda)
              : call<T>(SOFTGPU_TYPED4(Sger_v2, Dger_v2, Cgeru_v2, Zgeru_v2), handle, rows, 9,
                        pub(&alpha), pub(x.data()), 2, pub(y.data()), -3, pub(a.data()), lda);
      ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < m; ++i) {
          const Wide v = conjugated ? std::conj(widen(y[j])) : widen(y[j]);
          const Wide expected =
              old[static_cast<std::size_t>(i + j * m)] + times(widen(alpha), times(widen(x[i]), v));
          ASSERT_TRUE(near(a(i, j), expected, reduction_bound<T>(2, 4)));
        }
      }
      ASSERT_TRUE(a.gaps_intact());
    }
  }
}

TYPED_TEST(BlasLevel2, RankOneAndTwoUpdatesOfATriangle) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  for (const cublasFillMode_t uplo : kTriangles) {
    for (const bool hermitian : {false, true}) {
      if (hermitian && !is_complex<T>) continue;
      for (const Index n : kSizes) {
        for (const bool packed : {false, true}) {
          if (packed && is_complex<T> && !hermitian) continue;
          for (const int rank : {1, 2}) {
            Forms<T> a(uplo, n, n, false);
            const auto old = a.full.wide();
            Vector<T> x(n, -1), y(n, 2);
            T alpha = random_element<T>();
            if (hermitian && rank == 1) alpha = T(real_part(alpha));
            const R real_alpha = real_part(alpha);
            const int count = static_cast<int>(n), lda = static_cast<int>(a.full.leading());
            cublasStatus_t status{};
            if (rank == 1 && !packed && !hermitian) {
              status = call<T>(SOFTGPU_TYPED(syr_v2), handle, uplo, count, pub(&alpha),
                               pub(x.data()), -1, pub(a.full.data()), lda);
            } else if (rank == 1 && !packed) {
              status = call<T>(SOFTGPU_TYPED4(Ssyr_v2, Dsyr_v2, Cher_v2, Zher_v2), handle, uplo,
                               count, &real_alpha, pub(x.data()), -1, pub(a.full.data()), lda);
            } else if (rank == 1) {
              status = call<T>(SOFTGPU_TYPED4(Sspr_v2, Dspr_v2, Chpr_v2, Zhpr_v2), handle, uplo,
                               count, &real_alpha, pub(x.data()), -1, pub(a.packed.data()));
            } else if (!packed && !hermitian) {
              status = call<T>(SOFTGPU_TYPED(syr2_v2), handle, uplo, count, pub(&alpha),
                               pub(x.data()), -1, pub(y.data()), 2, pub(a.full.data()), lda);
            } else if (!packed) {
              status = call<T>(SOFTGPU_TYPED4(Ssyr2_v2, Dsyr2_v2, Cher2_v2, Zher2_v2), handle, uplo,
                               count, pub(&alpha), pub(x.data()), -1, pub(y.data()), 2,
                               pub(a.full.data()), lda);
            } else {
              status = call<T>(SOFTGPU_TYPED4(Sspr2_v2, Dspr2_v2, Chpr2_v2, Zhpr2_v2), handle, uplo,
                               count, pub(&alpha), pub(x.data()), -1, pub(y.data()), 2,
                               pub(a.packed.data()));
            }
            ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
            const bool upper = uplo == CUBLAS_FILL_MODE_UPPER;
            const auto other = [&](Wide v) { return hermitian ? std::conj(v) : v; };
            for (Index j = 0; j < n; ++j) {
              for (Index i = upper ? 0 : j; i <= (upper ? j : n - 1); ++i) {
                Wide expected = old[static_cast<std::size_t>(i + j * n)];
                if (hermitian && i == j) expected = expected.real();
                if (rank == 1) {
                  expected += times(widen(alpha), times(widen(x[i]), other(widen(x[j]))));
                } else {
                  expected += times(widen(alpha), times(widen(x[i]), other(widen(y[j]))));
                  expected += times(other(widen(alpha)), times(widen(y[i]), other(widen(x[j]))));
                }
                const T actual =
                    packed ? a.packed[upper ? i + j * (j + 1) / 2 : i + (2 * n - j - 1) * j / 2]
                           : a.full(i, j);
                ASSERT_TRUE(near(actual, expected, reduction_bound<T>(4, 8)));
                if (hermitian && i == j) {
                  ASSERT_EQ(widen(actual).imag(), 0);
                }
              }
            }
            ASSERT_TRUE(a.full.unchanged_except(
                [&](Index i, Index j) { return !packed && (upper ? i <= j : i >= j); }));
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel2, GemvBatchesByArrayAndByStride) {
  using T = TypeParam;
  const Handle handle;
  const Index m = 7, n = 5, batch = 6;
  for (const cublasOperation_t op : kOperations) {
    const Index columns = op == CUBLAS_OP_N ? n : m, rows = op == CUBLAS_OP_N ? m : n;
    Grid<T> a(m, n * batch, m + 1);
    Grid<T> x(columns, batch, columns + 2), y(rows, batch, rows + 3), z(rows, batch, rows + 3);
    for (Index b = 0; b < batch; ++b) {
      for (Index i = 0; i < rows; ++i) z(i, b) = y(i, b);
    }
    const auto old = y.wide();
    const T alpha = random_element<T>(), beta = random_element<T>();
    ASSERT_EQ(
        call<T>(SOFTGPU_TYPED(gemvStridedBatched), handle, op, 7, 5, pub(&alpha), pub(a.data()), 8,
                8LL * 5, pub(x.data()), 1, static_cast<long long>(x.leading()), pub(&beta),
                pub(y.data()), 1, static_cast<long long>(y.leading()), 6),
        CUBLAS_STATUS_SUCCESS);
    Device<T*> as(batch), xs(batch), zs(batch);
    for (Index b = 0; b < batch; ++b) {
      as.data()[b] = a.data() + b * 8 * 5;
      xs.data()[b] = x.data() + b * x.leading();
      zs.data()[b] = z.data() + b * z.leading();
    }
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(gemvBatched), handle, op, 7, 5, pub(&alpha), pub(as.data()), 8,
                      pub(xs.data()), 1, pub(&beta), pub(zs.data()), 1, 6),
              CUBLAS_STATUS_SUCCESS);
    for (Index b = 0; b < batch; ++b) {
      for (Index i = 0; i < rows; ++i) {
        Wide sum = 0;
        for (Index j = 0; j < columns; ++j) {
          const Index r = op == CUBLAS_OP_N ? i : j, c = op == CUBLAS_OP_N ? j : i;
          Wide v = widen(a(r, b * n + c));
          if (op == CUBLAS_OP_C) v = std::conj(v);
          sum += times(v, widen(x(j, b)));
        }
        expect_blend(y(i, b), alpha, sum, 14, beta, old[static_cast<std::size_t>(i + b * rows)],
                     columns);
        ASSERT_EQ(y(i, b), z(i, b));
      }
    }
    ASSERT_TRUE(y.gaps_intact());
  }
}

TEST(BlasLevel2Half, GemvBatchesOfHalvesRoundOnce) {
  const Handle handle;
  Grid<Half> a(9, 4 * 3, 9), x(4, 3, 4), y(9, 3, 9);
  Grid<BFloat16> p(9, 4 * 3, 9), q(4, 3, 4);
  Grid<float> r(9, 3, 9);
  const float alpha = 0.5F, beta = 0;
  ASSERT_EQ(cublasHSHgemvStridedBatched(handle, CUBLAS_OP_N, 9, 4, &alpha, pub(a.data()), 9, 36,
                                        pub(x.data()), 1, 4, &beta, pub(y.data()), 1, 9, 3),
            CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasTSSgemvStridedBatched(handle, CUBLAS_OP_N, 9, 4, &alpha, pub(p.data()), 9, 36,
                                        pub(q.data()), 1, 4, &beta, r.data(), 1, 9, 3),
            CUBLAS_STATUS_SUCCESS);
  for (Index b = 0; b < 3; ++b) {
    for (Index i = 0; i < 9; ++i) {
      Wide sum = 0, other = 0;
      for (Index j = 0; j < 4; ++j) {
        sum += 0.5L * widen(a(i, 4 * b + j)) * widen(x(j, b));
        other += 0.5L * widen(p(i, 4 * b + j)) * widen(q(j, b));
      }
      EXPECT_TRUE(near(y(i, b), sum, 0.5L * epsilon<Half>() * std::abs(sum) + 1e-6L));
      EXPECT_TRUE(near(r(i, b), other, 1e-6L));
    }
  }
}

TEST(BlasLevel2Arguments, AreCheckedAsCublasChecksThem) {
  const Handle handle;
  Grid<float> a(4, 4, 4);
  Vector<float> x(4, 1), y(4, 1);
  const float one = 1;
  const auto gemv = [&](cublasOperation_t op, int m, int n, int lda, int incx, int incy) {
    return cublasSgemv_v2(handle, op, m, n, &one, a.data(), lda, x.data(), incx, &one, y.data(),
                          incy);
  };
  EXPECT_EQ(gemv(CUBLAS_OP_N, 4, 4, 4, 1, 1), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(gemv(static_cast<cublasOperation_t>(9), 4, 4, 4, 1, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemv(CUBLAS_OP_N, -1, 4, 4, 1, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemv(CUBLAS_OP_N, 4, -1, 4, 1, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemv(CUBLAS_OP_N, 4, 4, 3, 1, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemv(CUBLAS_OP_N, 4, 4, 4, 0, 1), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(gemv(CUBLAS_OP_N, 4, 4, 4, 1, 0), CUBLAS_STATUS_INVALID_VALUE);
  y.remember();
  EXPECT_EQ(gemv(CUBLAS_OP_N, 0, 4, 4, 1, 1), CUBLAS_STATUS_SUCCESS);
  EXPECT_TRUE(y.unchanged());
  EXPECT_EQ(cublasStrsv_v2(handle, CUBLAS_FILL_MODE_FULL, CUBLAS_OP_N, CUBLAS_DIAG_UNIT, 4,
                           a.data(), 4, x.data(), 1),
            CUBLAS_STATUS_INVALID_VALUE);
}

}  // namespace
}  // namespace softgpu::blas::testing
