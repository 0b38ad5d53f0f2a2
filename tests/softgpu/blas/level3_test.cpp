// Matrix products of special matrices, rank k updates, solves, geam, dgmm, packing.
#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

template <class T>
class BlasLevel3 : public ::testing::Test {};
TYPED_TEST_SUITE(BlasLevel3, Elements);

constexpr Index kSizes[] = {1, 3, 31, 33};

int i32(Index i) { return static_cast<int>(i); }

// Every written element of C against alpha * sum + beta * old; `sum` returns value and size.
template <class T, class Sum, class Written>
void expect_matrix(const Grid<T>& c, const std::vector<Wide>& old, T alpha, T beta, Index terms,
                   const Sum& sum, const Written& written) {
  for (Index j = 0; j < c.columns(); ++j) {
    for (Index i = 0; i < c.rows(); ++i) {
      if (!written(i, j)) continue;
      const auto [value, size] = sum(i, j);
      Wide expected = times(widen(alpha), value);
      long double whole = std::abs(widen(alpha)) * size;
      if (beta != T{}) {
        const Wide before = old[static_cast<std::size_t>(i + j * c.rows())];
        expected += times(widen(beta), before);
        whole += std::abs(widen(beta)) * std::abs(before);
      }
      ASSERT_TRUE(near(c(i, j), expected, reduction_bound<T>(terms, whole))) << i << ", " << j;
    }
  }
  ASSERT_TRUE(c.unchanged_except(written));
}

struct Sum {
  Wide value = 0;
  long double size = 0;
  void add(Wide a, Wide b) {
    value += times(a, b);
    size += std::abs(a) * std::abs(b);
  }
};

const auto kEverywhere = [](Index, Index) { return true; };

// C is NaN at first where beta is zero.
template <class T>
T choose_beta(Grid<T>& c, bool overwrite) {
  if (!overwrite) return random_element<T>();
  c.fill([](Index, Index) { return false; });
  return T{};
}

TYPED_TEST(BlasLevel3, SymmAndHemm) {
  using T = TypeParam;
  const Handle handle;
  for (const bool hermitian : {false, true}) {
    if (hermitian && !is_complex<T>) continue;
    for (const cublasSideMode_t side : kSides) {
      for (const cublasFillMode_t uplo : kTriangles) {
        for (const Index m : kSizes) {
          for (const Index n : {Index{1}, Index{34}}) {
            for (const bool overwrite : {false, true}) {
              const bool left = side == CUBLAS_SIDE_LEFT;
              const Index order = left ? m : n;
              Grid<T> a(order, order, order + 1), b(m, n, m + 2), c(m, n, m + 3);
              a.fill([&](Index i, Index j) {
                return uplo == CUBLAS_FILL_MODE_UPPER ? i <= j : i >= j;
              });
              const T beta = choose_beta(c, overwrite), alpha = random_element<T>();
              const auto old = c.wide();
              const auto status =
                  hermitian
                      ? call<T>(SOFTGPU_TYPED4(Ssymm_v2, Dsymm_v2, Chemm_v2, Zhemm_v2), handle,
                                side, uplo, i32(m), i32(n), pub(&alpha), pub(a.data()),
                                i32(a.leading()), pub(b.data()), i32(b.leading()), pub(&beta),
                                pub(c.data()), i32(c.leading()))
                      : call<T>(SOFTGPU_TYPED(symm_v2), handle, side, uplo, i32(m), i32(n),
                                pub(&alpha), pub(a.data()), i32(a.leading()), pub(b.data()),
                                i32(b.leading()), pub(&beta), pub(c.data()), i32(c.leading()));
              ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
              expect_matrix(
                  c, old, alpha, beta, order,
                  [&](Index i, Index j) {
                    Sum sum;
                    for (Index p = 0; p < order; ++p) {
                      if (left) {
                        sum.add(symmetric_element(a, hermitian, uplo, i, p), widen(b(p, j)));
                      } else {
                        sum.add(widen(b(i, p)), symmetric_element(a, hermitian, uplo, p, j));
                      }
                    }
                    return sum;
                  },
                  kEverywhere);
              ASSERT_TRUE(a.unchanged() && b.unchanged());
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel3, RankUpdates) {
  using T = TypeParam;
  using R = Real<T>;
  const Handle handle;
  enum Kind { kOne, kTwo, kMixed };
  for (const bool hermitian : {false, true}) {
    if (hermitian && !is_complex<T>) continue;
    for (const Kind kind : {kOne, kTwo, kMixed}) {
      for (const cublasFillMode_t uplo : kTriangles) {
        for (const cublasOperation_t op : {CUBLAS_OP_N, hermitian ? CUBLAS_OP_C : CUBLAS_OP_T}) {
          for (const Index n : kSizes) {
            for (const Index k : {Index{0}, Index{1}, Index{37}}) {
              for (const bool overwrite : {false, true}) {
                const bool plain = op == CUBLAS_OP_N;
                const Index rows = plain ? n : k, columns = plain ? k : n;
                Grid<T> a(rows, columns, rows + 1), b(rows, columns, rows + 2), c(n, n, n + 1);
                const auto written = [&](Index i, Index j) {
                  return uplo == CUBLAS_FILL_MODE_UPPER ? i <= j : i >= j;
                };
                c.fill(written);
                T beta = choose_beta(c, overwrite), alpha = random_element<T>();
                if (hermitian) beta = T(real_part(beta));
                if (hermitian && kind == kOne) alpha = T(real_part(alpha));
                const R real_alpha = real_part(alpha), real_beta = real_part(beta);
                auto old = c.wide();
                for (Index i = 0; i < n && hermitian; ++i) {
                  auto& diagonal = old[static_cast<std::size_t>(i + i * n)];
                  diagonal = diagonal.real();
                }
                cublasStatus_t status{};
                const auto run = [&](auto function, auto... rest) {
                  status = call<T>(function, handle, uplo, op, i32(n), i32(k), rest...,
                                   pub(c.data()), i32(c.leading()));
                };
                const int lda = i32(a.leading()), ldb = i32(b.leading());
                if (kind == kOne && !hermitian) {
                  run(SOFTGPU_TYPED(syrk_v2), pub(&alpha), pub(a.data()), lda, pub(&beta));
                } else if (kind == kOne) {
                  run(SOFTGPU_TYPED4(Ssyrk_v2, Dsyrk_v2, Cherk_v2, Zherk_v2), &real_alpha,
                      pub(a.data()), lda, &real_beta);
                } else if (kind == kTwo && !hermitian) {
                  run(SOFTGPU_TYPED(syr2k_v2), pub(&alpha), pub(a.data()), lda, pub(b.data()), ldb,
                      pub(&beta));
                } else if (kind == kTwo) {
                  run(SOFTGPU_TYPED4(Ssyr2k_v2, Dsyr2k_v2, Cher2k_v2, Zher2k_v2), pub(&alpha),
                      pub(a.data()), lda, pub(b.data()), ldb, &real_beta);
                } else if (!hermitian) {
                  run(SOFTGPU_TYPED(syrkx), pub(&alpha), pub(a.data()), lda, pub(b.data()), ldb,
                      pub(&beta));
                } else {
                  run(SOFTGPU_TYPED4(Ssyrkx, Dsyrkx, Cherkx, Zherkx), pub(&alpha), pub(a.data()),
                      lda, pub(b.data()), ldb, &real_beta);
                }
                ASSERT_EQ(status, CUBLAS_STATUS_SUCCESS);
                const auto other = [&](Wide v) { return hermitian ? std::conj(v) : v; };
                // Elements of op(A): for op C of a hermitian update, of A^H.
                const auto at = [&](const Grid<T>& g, Index i, Index p) {
                  return plain ? widen(g(i, p)) : other(widen(g(p, i)));
                };
                // alpha is inside the sums: its conjugate goes with the second term.
                const T one(1);
                expect_matrix(
                    c, old, one, beta, 2 * k + 2,
                    [&](Index i, Index j) {
                      Sum sum;
                      for (Index p = 0; p < k; ++p) {
                        const Grid<T>& second = kind == kOne ? a : b;
                        sum.add(times(widen(alpha), at(a, i, p)), other(at(second, j, p)));
                        if (kind == kTwo) {
                          sum.add(times(other(widen(alpha)), at(b, i, p)), other(at(a, j, p)));
                        }
                      }
                      // The diagonal of a hermitian result is real by definition; herkx trusts
                      // its caller and drops what is not.
                      if (hermitian && i == j) sum.value = sum.value.real();
                      return sum;
                    },
                    written);
                for (Index i = 0; i < n && hermitian; ++i) {
                  ASSERT_EQ(widen(c(i, i)).imag(), 0);
                }
              }
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel3, TrmmAndTrsm) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasSideMode_t side : kSides) {
    for (const cublasFillMode_t uplo : kTriangles) {
      for (const cublasOperation_t op : kOperations) {
        for (const cublasDiagType_t diag : kDiagonals) {
          for (const Index m : kSizes) {
            for (const Index n : {Index{1}, Index{34}}) {
              const bool left = side == CUBLAS_SIDE_LEFT;
              const Index order = left ? m : n;
              Grid<T> a(order, order, order + 1), b(m, n, m + 2), c(m, n, m + 3);
              a.fill([&](Index i, Index j) {
                if (i == j) return diag == CUBLAS_DIAG_NON_UNIT;
                return uplo == CUBLAS_FILL_MODE_UPPER ? i < j : i > j;
              });
              // A well conditioned triangle: small beside its diagonal.
              for (Index j = 0; j < order; ++j) {
                for (Index i = 0; i < order; ++i) {
                  if (i == j) {
                    a(i, i) += T(2);
                  } else {
                    a(i, j) *= static_cast<Real<T>>(0.25);
                  }
                }
              }
              a.remember();
              const T alpha = random_element<T>();
              const auto product = [&](const Grid<T>& from, Index i, Index j) {
                Sum sum;
                for (Index p = 0; p < order; ++p) {
                  if (left) {
                    sum.add(triangle_element(a, uplo, diag, op, i, p), widen(from(p, j)));
                  } else {
                    sum.add(widen(from(i, p)), triangle_element(a, uplo, diag, op, p, j));
                  }
                }
                return sum;
              };
              c.fill([](Index, Index) { return false; });
              ASSERT_EQ(call<T>(SOFTGPU_TYPED(trmm_v2), handle, side, uplo, op, diag, i32(m),
                                i32(n), pub(&alpha), pub(a.data()), i32(a.leading()), pub(b.data()),
                                i32(b.leading()), pub(c.data()), i32(c.leading())),
                        CUBLAS_STATUS_SUCCESS);
              expect_matrix(
                  c, {}, alpha, T{}, order, [&](Index i, Index j) { return product(b, i, j); },
                  kEverywhere);
              ASSERT_TRUE(a.unchanged() && b.unchanged());
              // In place the same bits come out.
              Grid<T> d(m, n, m + 2);
              for (Index j = 0; j < n; ++j) {
                for (Index i = 0; i < m; ++i) d(i, j) = b(i, j);
              }
              ASSERT_EQ(call<T>(SOFTGPU_TYPED(trmm_v2), handle, side, uplo, op, diag, i32(m),
                                i32(n), pub(&alpha), pub(a.data()), i32(a.leading()), pub(d.data()),
                                i32(d.leading()), pub(d.data()), i32(d.leading())),
                        CUBLAS_STATUS_SUCCESS);
              ASSERT_EQ(d.wide(), c.wide());
              // A solution, put in, gives alpha B back.
              const auto right_side = b.wide();
              ASSERT_EQ(call<T>(SOFTGPU_TYPED(trsm_v2), handle, side, uplo, op, diag, i32(m),
                                i32(n), pub(&alpha), pub(a.data()), i32(a.leading()), pub(b.data()),
                                i32(b.leading())),
                        CUBLAS_STATUS_SUCCESS);
              for (Index j = 0; j < n; ++j) {
                for (Index i = 0; i < m; ++i) {
                  const auto sum = product(b, i, j);
                  const Wide wanted =
                      times(widen(alpha), right_side[static_cast<std::size_t>(i + j * m)]);
                  ASSERT_LE(std::abs(sum.value - wanted),
                            reduction_bound<T>(2 * order, sum.size + std::abs(wanted)));
                }
              }
              ASSERT_TRUE(b.gaps_intact());
            }
          }
        }
      }
    }
  }
}

TYPED_TEST(BlasLevel3, TrsmBatched) {
  using T = TypeParam;
  const Handle handle;
  const Index n = 5, columns = 3, batch = 9;
  Grid<T> a(n, n * batch, n), b(n, columns * batch, n);
  for (Index j = 0; j < n * batch; ++j) a(j % n, j) += T(4);
  const auto old = b.wide();
  Device<T*> as(batch), bs(batch);
  for (Index i = 0; i < batch; ++i) {
    as.data()[i] = a.data() + i * n * n;
    bs.data()[i] = b.data() + i * n * columns;
  }
  const T alpha = random_element<T>();
  ASSERT_EQ(call<T>(SOFTGPU_TYPED(trsmBatched), handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER,
                    CUBLAS_OP_N, CUBLAS_DIAG_NON_UNIT, 5, 3, pub(&alpha), pub(as.data()), 5,
                    pub(bs.data()), 5, 9),
            CUBLAS_STATUS_SUCCESS);
  for (Index s = 0; s < batch; ++s) {
    for (Index j = 0; j < columns; ++j) {
      for (Index i = 0; i < n; ++i) {
        Sum sum;
        for (Index p = i; p < n; ++p) sum.add(widen(a(i, s * n + p)), widen(b(p, s * columns + j)));
        const Wide wanted =
            times(widen(alpha), old[static_cast<std::size_t>(i + (s * columns + j) * n)]);
        ASSERT_LE(std::abs(sum.value - wanted), reduction_bound<T>(2 * n, sum.size + 1));
      }
    }
  }
}

TYPED_TEST(BlasLevel3, GeamAddsAndTransposes) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasOperation_t op_a : kOperations) {
    for (const cublasOperation_t op_b : kOperations) {
      for (const Index m : kSizes) {
        const Index n = 37;
        Grid<T> a(op_a == CUBLAS_OP_N ? m : n, op_a == CUBLAS_OP_N ? n : m, 40);
        Grid<T> b(op_b == CUBLAS_OP_N ? m : n, op_b == CUBLAS_OP_N ? n : m, 41), c(m, n, m + 1);
        c.fill([](Index, Index) { return false; });
        const T alpha = random_element<T>(), beta = random_element<T>(), zero{};
        ASSERT_EQ(
            call<T>(SOFTGPU_TYPED(geam), handle, op_a, op_b, i32(m), 37, pub(&alpha), pub(a.data()),
                    40, pub(&beta), pub(b.data()), 41, pub(c.data()), i32(c.leading())),
            CUBLAS_STATUS_SUCCESS);
        expect_matrix(
            c, {}, T(1), T{}, 2,
            [&](Index i, Index j) {
              Sum sum;
              sum.add(widen(alpha), element(a, op_a, i, j));
              sum.add(widen(beta), element(b, op_b, i, j));
              return sum;
            },
            kEverywhere);
        // A factor of zero does not read its matrix, which may be absent.
        ASSERT_EQ(call<T>(SOFTGPU_TYPED(geam), handle, op_a, op_b, i32(m), 37, pub(&alpha),
                          pub(a.data()), 40, pub(&zero), pub(static_cast<T*>(nullptr)), 41,
                          pub(c.data()), i32(c.leading())),
                  CUBLAS_STATUS_SUCCESS);
        ASSERT_TRUE(near(c(0, n - 1), times(widen(alpha), element(a, op_a, 0, n - 1)),
                         reduction_bound<T>(1, 2)));
      }
    }
  }
}

TYPED_TEST(BlasLevel3, DgmmScalesRowsOrColumns) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasSideMode_t side : kSides) {
    for (const int inc : {1, 2, -1}) {
      Grid<T> a(9, 6, 10), c(9, 6, 11);
      Vector<T> x(side == CUBLAS_SIDE_LEFT ? 9 : 6, inc);
      ASSERT_EQ(call<T>(SOFTGPU_TYPED(dgmm), handle, side, 9, 6, pub(a.data()), 10, pub(x.data()),
                        inc, pub(c.data()), 11),
                CUBLAS_STATUS_SUCCESS);
      for (Index j = 0; j < 6; ++j) {
        for (Index i = 0; i < 9; ++i) {
          const Wide d = widen(side == CUBLAS_SIDE_LEFT ? x[i] : x[j]);
          ASSERT_TRUE(near(c(i, j), times(widen(a(i, j)), d), reduction_bound<T>(1, 2)));
        }
      }
      ASSERT_TRUE(c.gaps_intact());
    }
  }
}

TYPED_TEST(BlasLevel3, PackedTrianglesAndBack) {
  using T = TypeParam;
  const Handle handle;
  for (const cublasFillMode_t uplo : kTriangles) {
    Grid<T> a(6, 6, 7), back(6, 6, 8);
    Vector<T> packed(21, 1);
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(trttp), handle, uplo, 6, pub(a.data()), 7, pub(packed.data())),
              CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(
        call<T>(SOFTGPU_TYPED(tpttr), handle, uplo, 6, pub(packed.data()), pub(back.data()), 8),
        CUBLAS_STATUS_SUCCESS);
    const auto stored = [&](Index i, Index j) {
      return uplo == CUBLAS_FILL_MODE_UPPER ? i <= j : i >= j;
    };
    for (Index j = 0; j < 6; ++j) {
      for (Index i = 0; i < 6; ++i) {
        if (stored(i, j)) {
          ASSERT_EQ(back(i, j), a(i, j));
        }
      }
    }
    ASSERT_TRUE(back.unchanged_except(stored));
  }
}

TEST(BlasLevel3Arguments, AreCheckedAsCublasChecksThem) {
  const Handle handle;
  Grid<cfloat> a(4, 4, 4), b(4, 4, 4), c(4, 4, 4);
  const cfloat one(1);
  const float real_one = 1;
  EXPECT_EQ(cublasCherk_v2(handle, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, 4, 4, &real_one,
                           pub(a.data()), 4, &real_one, pub(c.data()), 4),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasCsyrk_v2(handle, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_C, 4, 4, pub(&one),
                           pub(a.data()), 4, pub(&one), pub(c.data()), 4),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasCtrsm_v2(handle, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_N,
                           CUBLAS_DIAG_UNIT, 4, 4, pub(&one), pub(a.data()), 3, pub(b.data()), 4),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasCgeam(handle, CUBLAS_OP_T, CUBLAS_OP_N, 4, 4, pub(&one), pub(a.data()), 4,
                        pub(&one), pub(b.data()), 4, pub(a.data()), 4),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(
      cublasCsymm_v2(handle, static_cast<cublasSideMode_t>(2), CUBLAS_FILL_MODE_UPPER, 4, 4,
                     pub(&one), pub(a.data()), 4, pub(b.data()), 4, pub(&one), pub(c.data()), 4),
      CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_TRUE(a.unchanged() && b.unchanged() && c.unchanged());
}

}  // namespace
}  // namespace softgpu::blas::testing
