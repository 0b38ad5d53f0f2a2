// Products that sum over rows on any engine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/linalg/gemm_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/micro_batches.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::test {

struct RowShape {
  Index m, n, rows;
};

// Awkward m and n at a few rows, all shapes of trees at a few m and n.
inline const std::vector<RowShape>& row_shapes() {
  static const std::vector<RowShape> list = [] {
    std::vector<RowShape> s{{0, 3, 4}, {3, 0, 4}, {3, 4, 0}};
    for (const Index m : {1, 5, 14, 15, 29, 65}) {
      for (const Index n : {1, 8, 15, 17, 32, 33}) {
        for (const Index rows : {1, 33, 67}) s.push_back({m, n, rows});
      }
    }
    for (const Index rows : micro_batch_rows()) {
      s.push_back({3, 5, rows});
      s.push_back({17, 66, rows});
    }
    s.insert(s.end(), {{512, 3, 40}, {20, 600, 70}, {131, 1030, 300}});
    return s;
  }();
  return list;
}

// The operands of one product, with rows longer than their matrices and NaNs in the gaps.
template <class T>
struct RowProblem {
  RowShape s;
  Index lda, ldb, ldc;
  std::vector<T> a, b;

  RowProblem(RowShape shape, Index gap) : s(shape), lda(s.m + gap), ldb(s.n + gap), ldc(s.n + gap) {
    const Random random(5, Purpose::test);
    std::uint64_t at = 0;
    const auto fill = [&](std::vector<T>& v, Index cols, Index ld) {
      v.assign(static_cast<std::size_t>(s.rows * ld), std::numeric_limits<T>::quiet_NaN());
      for (Index r = 0; r < s.rows; ++r) {
        for (Index j = 0; j < cols; ++j) {
          v[static_cast<std::size_t>(r * ld + j)] = static_cast<T>(random.normal(at++));
        }
      }
    };
    fill(a, s.m, lda);
    fill(b, s.n, ldb);
  }
  [[nodiscard]] T a_at(Index r, Index i) const { return a[static_cast<std::size_t>(r * lda + i)]; }
  [[nodiscard]] T b_at(Index r, Index j) const { return b[static_cast<std::size_t>(r * ldb + j)]; }
  [[nodiscard]] std::string name() const {
    return std::to_string(s.m) + "x" + std::to_string(s.n) + " over " + std::to_string(s.rows) +
           " rows";
  }
  // C with its gaps, which hold 7 and must keep it.
  [[nodiscard]] std::vector<T> run(Engine& engine) const {
    const auto steps = make_steps<GemmSteps, T>(engine);
    const Buffer<T> a_buffer = to_engine(engine, a);
    const Buffer<T> b_buffer = to_engine(engine, b);
    Buffer<T> c = to_engine(engine, std::vector<T>(static_cast<std::size_t>(s.m * ldc), T{7}));
    steps->row_products(s.m, s.n, s.rows, a_buffer.data(), lda, b_buffer.data(), ldb, c.data(),
                        ldc);
    return c.to_host();
  }
  // As the definition has it.
  [[nodiscard]] std::vector<T> expected() const {
    std::vector<T> c(static_cast<std::size_t>(s.m * ldc), T{7});
    for (Index i = 0; i < s.m; ++i) {
      for (Index j = 0; j < s.n; ++j) {
        c[static_cast<std::size_t>(i * ldc + j)] =
            s.rows == 0 ? T{0} : micro_batch_sum<T>(s.rows, [&](Index r, T sum) {
              return std::fma(a_at(r, i), b_at(r, j), sum);
            });
      }
    }
    return c;
  }
};

template <class T>
void expect_trees(Engine& engine) {
  for (const RowShape& s : row_shapes()) {
    for (const Index gap : {0, 3}) {
      const RowProblem<T> p(s, gap);
      EXPECT_TRUE(same_bits(p.run(engine), p.expected())) << p.name() << ", gap " << gap;
    }
  }
}

}  // namespace tandem::test
