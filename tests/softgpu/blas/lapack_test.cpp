// Batches of factorisations and solves, judged by putting the results back in.
#include "tests/softgpu/blas/support.hpp"

namespace softgpu::blas::testing {
namespace {

int i32(Index i) { return static_cast<int>(i); }

template <class T>
class BlasLapack : public ::testing::Test {};
TYPED_TEST_SUITE(BlasLapack, Elements);

// A batch of matrices side by side, and the array of their addresses.
template <class T>
struct Batch {
  Grid<T> all;
  Device<T*> addresses;
  Index columns;
  Batch(Index rows, Index columns_, Index leading, Index count)
      : all(rows, columns_ * count, leading), addresses(count), columns(columns_) {
    for (Index i = 0; i < count; ++i) addresses.data()[i] = all.data() + i * columns * leading;
  }
  T& operator()(Index s, Index i, Index j) { return all(i, s * columns + j); }
  auto array() { return pub(addresses.data()); }
  int leading() const { return i32(all.leading()); }
};

TYPED_TEST(BlasLapack, FactorSolveAndInvert) {
  using T = TypeParam;
  const Handle handle;
  for (const Index n : {1, 2, 7, 33}) {
    const Index batch = 5, sides = 3;
    Batch<T> a(n, n, n + 1, batch), lu(n, n, n + 1, batch), b(n, sides, n + 2, batch),
        x(n, sides, n + 2, batch), inverse(n, n, n, batch);
    Device<int> pivots(n * batch), info(batch);
    for (Index s = 0; s < batch; ++s) {
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < n; ++i) lu(s, i, j) = a(s, i, j);
      }
      for (Index j = 0; j < sides; ++j) {
        for (Index i = 0; i < n; ++i) x(s, i, j) = b(s, i, j);
      }
    }
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(getrfBatched), handle, i32(n), lu.array(), lu.leading(),
                      pivots.data(), info.data(), 5),
              CUBLAS_STATUS_SUCCESS);
    // L U is A with its rows exchanged.
    for (Index s = 0; s < batch; ++s) {
      ASSERT_EQ(info.data()[s], 0);
      std::vector<Index> order;
      for (Index i = 0; i < n; ++i) order.push_back(i);
      for (Index i = 0; i < n; ++i) {
        std::swap(order[static_cast<std::size_t>(i)],
                  order[static_cast<std::size_t>(pivots.data()[s * n + i] - 1)]);
      }
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < n; ++i) {
          Wide sum = 0;
          long double size = 0;
          for (Index p = 0; p <= std::min(i, j); ++p) {
            const Wide part = times(i == p ? Wide(1) : widen(lu(s, i, p)), widen(lu(s, p, j)));
            sum += part;
            size += std::abs(part);
          }
          ASSERT_TRUE(near(a(s, order[static_cast<std::size_t>(i)], j), sum,
                           reduction_bound<T>(2 * n, size)));
        }
      }
    }
    ASSERT_TRUE(lu.all.gaps_intact());
    for (const cublasOperation_t op : kOperations) {
      for (Index s = 0; s < batch; ++s) {
        for (Index j = 0; j < sides; ++j) {
          for (Index i = 0; i < n; ++i) x(s, i, j) = b(s, i, j);
        }
      }
      int host_info = 99;
      ASSERT_EQ(call<T>(SOFTGPU_TYPED(getrsBatched), handle, op, i32(n), 3, lu.array(),
                        lu.leading(), pivots.data(), x.array(), x.leading(), &host_info, 5),
                CUBLAS_STATUS_SUCCESS);
      ASSERT_EQ(host_info, 0);
      for (Index s = 0; s < batch; ++s) {
        for (Index j = 0; j < sides; ++j) {
          for (Index i = 0; i < n; ++i) {
            Wide sum = 0;
            long double size = 0, largest = 1;
            for (Index p = 0; p < n; ++p) {
              Wide v = op == CUBLAS_OP_N ? widen(a(s, i, p)) : widen(a(s, p, i));
              if (op == CUBLAS_OP_C) v = std::conj(v);
              sum += times(v, widen(x(s, p, j)));
              size += std::abs(v) * std::abs(widen(x(s, p, j)));
              largest = std::max(largest, std::abs(widen(x(s, p, j))));
            }
            // Backward stable: the residual is small beside |A||x|, times the growth of pivoting.
            ASSERT_LE(std::abs(sum - widen(b(s, i, j))),
                      reduction_bound<T>(4 * n, size + static_cast<long double>(n) * largest));
          }
        }
      }
    }
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(getriBatched), handle, i32(n), lu.array(), lu.leading(),
                      pivots.data(), inverse.array(), inverse.leading(), info.data(), 5),
              CUBLAS_STATUS_SUCCESS);
    if (n <= 32) {
      Batch<T> other(n, n, n, batch);
      ASSERT_EQ(call<T>(SOFTGPU_TYPED(matinvBatched), handle, i32(n), a.array(), a.leading(),
                        other.array(), other.leading(), info.data(), 5),
                CUBLAS_STATUS_SUCCESS);
      EXPECT_EQ(other.all.wide(), inverse.all.wide());
    }
    for (Index s = 0; s < batch; ++s) {
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < n; ++i) {
          Wide sum = 0;
          long double largest = 1;
          for (Index p = 0; p < n; ++p) {
            sum += times(widen(a(s, i, p)), widen(inverse(s, p, j)));
            largest = std::max(largest, std::abs(widen(inverse(s, p, j))));
          }
          ASSERT_LE(std::abs(sum - Wide(i == j ? 1 : 0)),
                    reduction_bound<T>(4 * n, 2 * static_cast<long double>(n) * largest));
        }
      }
    }
  }
}

TYPED_TEST(BlasLapack, SingularMatricesAreNamedByTheirPivot) {
  using T = TypeParam;
  const Handle handle;
  Batch<T> a(3, 3, 3, 2);
  for (Index i = 0; i < 3; ++i) a(1, i, 1) = T{};
  Device<int> pivots(6), info(2);
  ASSERT_EQ(
      call<T>(SOFTGPU_TYPED(getrfBatched), handle, 3, a.array(), 3, pivots.data(), info.data(), 2),
      CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(info.data()[0], 0);
  EXPECT_EQ(info.data()[1], 2);
}

TYPED_TEST(BlasLapack, QrAndLeastSquares) {
  using T = TypeParam;
  const Handle handle;
  for (const auto& [m, n] : {std::pair<Index, Index>{1, 1}, {5, 5}, {9, 4}, {4, 9}, {33, 17}}) {
    const Index batch = 3;
    Batch<T> a(m, n, m + 1, batch), qr(m, n, m + 1, batch),
        taus(std::min(m, n), 1, std::min(m, n), batch);
    for (Index j = 0; j < n * batch; ++j) {
      for (Index i = 0; i < m; ++i) qr.all(i, j) = a.all(i, j);
    }
    int info = 99;
    ASSERT_EQ(call<T>(SOFTGPU_TYPED(geqrfBatched), handle, i32(m), i32(n), qr.array(), qr.leading(),
                      taus.array(), &info, 3),
              CUBLAS_STATUS_SUCCESS);
    ASSERT_EQ(info, 0);
    for (Index s = 0; s < batch; ++s) {
      for (Index j = 0; j < n; ++j) {
        // H(1) ... H(k) applied to R's column gives A's.
        std::vector<Wide> column(static_cast<std::size_t>(m));
        for (Index i = 0; i <= std::min(j, m - 1); ++i) {
          column[static_cast<std::size_t>(i)] = widen(qr(s, i, j));
        }
        for (Index r = std::min(m, n) - 1; r >= 0; --r) {
          const auto v = [&](Index i) { return i == r ? Wide(1) : widen(qr(s, i, r)); };
          Wide sum = 0;
          for (Index i = r; i < m; ++i) {
            sum += times(std::conj(v(i)), column[static_cast<std::size_t>(i)]);
          }
          sum = times(sum, widen(taus(s, r, 0)));
          for (Index i = r; i < m; ++i) column[static_cast<std::size_t>(i)] -= times(v(i), sum);
        }
        for (Index i = 0; i < m; ++i) {
          ASSERT_TRUE(
              near(a(s, i, j), column[static_cast<std::size_t>(i)],
                   reduction_bound<T>(4 * (m + n), std::sqrt(static_cast<long double>(m)) * 2)));
        }
      }
    }
    if (m < n) continue;
    Batch<T> b(m, 2, m, batch), x(m, 2, m, batch), factor(m, n, m + 1, batch);
    Device<int> infos(batch);
    for (Index j = 0; j < n * batch; ++j) {
      for (Index i = 0; i < m; ++i) factor.all(i, j) = a.all(i, j);
    }
    for (Index j = 0; j < 2 * batch; ++j) {
      for (Index i = 0; i < m; ++i) x.all(i, j) = b.all(i, j);
    }
    ASSERT_EQ(
        call<T>(SOFTGPU_TYPED(gelsBatched), handle, CUBLAS_OP_N, i32(m), i32(n), 2, factor.array(),
                factor.leading(), x.array(), x.leading(), &info, infos.data(), 3),
        CUBLAS_STATUS_SUCCESS);
    for (Index s = 0; s < batch; ++s) {
      ASSERT_EQ(infos.data()[s], 0);
      for (Index c = 0; c < 2; ++c) {
        // The residual of a least squares solution is orthogonal to A's columns.
        for (Index j = 0; j < n; ++j) {
          Wide inner = 0;
          long double size = 1;
          for (Index i = 0; i < m; ++i) {
            Wide residual = widen(b(s, i, c));
            for (Index p = 0; p < n; ++p) {
              residual -= times(widen(a(s, i, p)), widen(x(s, p, c)));
              size += std::abs(widen(x(s, p, c)));
            }
            inner += times(std::conj(widen(a(s, i, j))), residual);
          }
          ASSERT_LE(std::abs(inner), reduction_bound<T>(4 * (m + n), size));
        }
      }
    }
  }
}

TEST(BlasLapackArguments, AreNumberedInInfo) {
  const Handle handle;
  int info = 0;
  float* const* none = nullptr;
  EXPECT_EQ(cublasSgeqrfBatched(handle, -1, 2, none, 2, none, &info, 1),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(info, -1);
  EXPECT_EQ(cublasSgetrsBatched(handle, CUBLAS_OP_N, 4, 1, none, 3, nullptr, none, 4, &info, 1),
            CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(info, -5);
  EXPECT_EQ(cublasSmatinvBatched(handle, 33, none, 33, none, 33, &info, 1),
            CUBLAS_STATUS_INVALID_VALUE);
}

}  // namespace
}  // namespace softgpu::blas::testing
