#include "core/linalg/gemm_steps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "support/simd.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

struct Shape {
  Index m, n, k;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> list = [] {
    std::vector<Shape> s;
    // Around the heights of panels, the widths of strips, the pieces of k.
    for (const Index m : {1, 5, 7, 14, 15, 29}) {
      for (const Index n : {1, 8, 15, 17, 32, 33}) {
        for (const Index k : {1, 2, 67}) s.push_back({m, n, k});
      }
    }
    s.insert(s.end(), {{0, 3, 4},
                       {3, 0, 4},
                       {3, 4, 0},
                       {31, 64, 385},
                       {65, 10, 128},
                       {3, 511, 383},
                       {3, 512, 384},
                       {3, 513, 385},
                       {15, 530, 390},
                       {100, 100, 100},
                       {100, 1, 1000},
                       {1, 100, 1000}});
    return s;
  }();
  return list;
}

template <class T>
std::vector<T> values(Index count, std::uint32_t stream) {
  const Random random(5, Purpose::test, stream);
  std::vector<T> v(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<T>(random.uniform<T>(i) * 2 - 1);
  return v;
}

// The operands of one product, with rows longer than their matrices.
template <class T>
struct Problem {
  Transpose ta, tb;
  Shape s;
  bool accumulate;
  Index lda, ldb, ldc;
  std::vector<T> a, b, c;

  Problem(Transpose transpose_a, Transpose transpose_b, Shape shape, bool add)
      : ta(transpose_a), tb(transpose_b), s(shape), accumulate(add) {
    const Index a_rows = ta == Transpose::no ? s.m : s.k;
    const Index b_rows = tb == Transpose::no ? s.k : s.n;
    lda = (ta == Transpose::no ? s.k : s.m) + 3;
    ldb = (tb == Transpose::no ? s.n : s.k) + 1;
    ldc = s.n + 2;
    // No element past the last row's matrix part: a read there is a read outside the memory.
    a = values<T>(a_rows == 0 ? 0 : a_rows * lda - 3, 1);
    b = values<T>(b_rows == 0 ? 0 : b_rows * ldb - 1, 2);
    c = values<T>(s.m * ldc, 3);
  }
  [[nodiscard]] T a_at(Index i, Index l) const {
    return a[static_cast<std::size_t>(ta == Transpose::no ? i * lda + l : l * lda + i)];
  }
  [[nodiscard]] T b_at(Index l, Index j) const {
    return b[static_cast<std::size_t>(tb == Transpose::no ? l * ldb + j : j * ldb + l)];
  }
  [[nodiscard]] T c_at(Index i, Index j) const { return c[static_cast<std::size_t>(i * ldc + j)]; }

  // C as the engine computes it, gaps between rows included.
  [[nodiscard]] std::vector<T> run(Engine& engine) const {
    const auto steps = make_steps<GemmSteps, T>(engine);
    const Buffer<T> a_buffer = to_engine(engine, a);
    const Buffer<T> b_buffer = to_engine(engine, b);
    Buffer<T> c_buffer = to_engine(engine, c);
    steps->gemm(ta, tb, s.m, s.n, s.k, a_buffer.data(), lda, b_buffer.data(), ldb, accumulate,
                c_buffer.data(), ldc);
    return c_buffer.to_host();
  }
  [[nodiscard]] std::string name() const {
    return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
           (ta == Transpose::no ? " N" : " T") + (tb == Transpose::no ? "N" : "T") +
           (accumulate ? " added" : "");
  }
};

template <class T, class F>
void for_problems(F&& f) {
  for (const Shape& s : shapes()) {
    for (const Transpose ta : {Transpose::no, Transpose::yes}) {
      for (const Transpose tb : {Transpose::no, Transpose::yes}) {
        for (const bool add : {false, true}) f(Problem<T>(ta, tb, s, add));
      }
    }
  }
}

std::unique_ptr<Engine> engine_of(Device device, int threads, Numerics numerics = Numerics::exact) {
  return Engine::create({.device = device, .numerics = numerics, .threads = threads});
}

// The contract of exact mode, by hand.
template <class T>
std::vector<T> chains(const Problem<T>& p) {
  std::vector<T> c = p.c;
  for (Index i = 0; i < p.s.m; ++i) {
    for (Index j = 0; j < p.s.n; ++j) {
      T sum = p.accumulate ? p.c_at(i, j) : T{0};
      for (Index l = 0; l < p.s.k; ++l) sum = std::fma(p.a_at(i, l), p.b_at(l, j), sum);
      c[static_cast<std::size_t>(i * p.ldc + j)] = sum;
    }
  }
  return c;
}

template <class T>
void expect_chains() {
  const auto engine = engine_of(Device::cpu, 1);
  for_problems<T>([&](const Problem<T>& p) {
    EXPECT_TRUE(test::same_bits(p.run(*engine), chains(p))) << p.name();
  });
}
TEST(Gemm, FloatIsOneChainOfFmasPerOutput) { expect_chains<float>(); }
TEST(Gemm, DoubleIsOneChainOfFmasPerOutput) { expect_chains<double>(); }

// By hand: [1 2; 3 4] · [5 6; 7 8] and its transposed forms.
TEST(Gemm, TwoByTwo) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_of(device, 1);
    const auto steps = make_steps<GemmSteps, double>(*engine);
    const Buffer<double> a = to_engine(*engine, std::vector<double>{1, 2, 3, 4});
    const Buffer<double> b = to_engine(*engine, std::vector<double>{5, 6, 7, 8});
    const auto product = [&](Transpose ta, Transpose tb, bool add) {
      Buffer<double> c = to_engine(*engine, std::vector<double>{100, 200, 300, 400});
      steps->gemm(ta, tb, 2, 2, 2, a.data(), 2, b.data(), 2, add, c.data(), 2);
      return c.to_host();
    };
    using V = std::vector<double>;
    EXPECT_EQ(product(Transpose::no, Transpose::no, false), (V{19, 22, 43, 50}));
    EXPECT_EQ(product(Transpose::yes, Transpose::no, false), (V{26, 30, 38, 44}));
    EXPECT_EQ(product(Transpose::no, Transpose::yes, false), (V{17, 23, 39, 53}));
    EXPECT_EQ(product(Transpose::yes, Transpose::yes, false), (V{23, 31, 34, 46}));
    EXPECT_EQ(product(Transpose::no, Transpose::no, true), (V{119, 222, 343, 450}));
  }
}

// reduction: γ_k+1 against Σ |a| |b| + |c|, of T for the engine's chain (or any order), and of T
// once more for the reference's final rounding, which γ_k+1 − γ_k leaves room for.
template <class T>
void expect_reduction(Engine& engine) {
  const auto reference = engine_of(Device::reference, 1);
  for_problems<T>([&](const Problem<T>& p) {
    std::vector<double> magnitudes(p.c.size(), 0.0);
    for (Index i = 0; i < p.s.m; ++i) {
      for (Index j = 0; j < p.s.n; ++j) {
        double sum = p.accumulate ? std::abs(static_cast<double>(p.c_at(i, j))) : 0;
        for (Index l = 0; l < p.s.k; ++l) {
          sum += std::abs(static_cast<double>(p.a_at(i, l)) * static_cast<double>(p.b_at(l, j)));
        }
        magnitudes[static_cast<std::size_t>(i * p.ldc + j)] = sum;
      }
    }
    // In double, the reference itself rounds as often as the engine does.
    const double c = sizeof(T) == 4 ? 1 : 2;
    EXPECT_TRUE(test::reduction(p.run(engine), p.run(*reference), magnitudes, p.s.k + 2, c))
        << p.name();
  });
}
TEST(Gemm, FloatWithinTheBoundOfReference) { expect_reduction<float>(*engine_of(Device::cpu, 2)); }
TEST(Gemm, DoubleWithinTheBoundOfReference) {
  expect_reduction<double>(*engine_of(Device::cpu, 2));
}
TEST(Gemm, FloatFastWithinTheBoundOfReference) {
  expect_reduction<float>(*engine_of(Device::cpu, 2, Numerics::fast));
}
TEST(Gemm, DoubleFastWithinTheBoundOfReference) {
  expect_reduction<double>(*engine_of(Device::cpu, 2, Numerics::fast));
}

template <class T>
void expect_same_bits_everywhere() {
  const test::RestoreSimd restore;
  for_problems<T>([&](const Problem<T>& p) {
    const std::vector<T> one = p.run(*engine_of(Device::cpu, 1));
    for (const int threads : {2, 7}) {
      EXPECT_TRUE(test::same_bits(p.run(*engine_of(Device::cpu, threads)), one))
          << p.name() << ", " << threads << " threads";
    }
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;  // this processor lacks it
      }
      EXPECT_TRUE(test::same_bits(p.run(*engine_of(Device::cpu, 1)), one)) << p.name() << simd;
    }
  });
}
TEST(Gemm, FloatSameBitsForThreadsAndInstructionSets) { expect_same_bits_everywhere<float>(); }
TEST(Gemm, DoubleSameBitsForThreadsAndInstructionSets) { expect_same_bits_everywhere<double>(); }

TEST(Gemm, WritesAllOfItsOutputAndNothingElse) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_of(device, 2);
    const auto steps = make_steps<GemmSteps, float>(*engine);
    for (const Shape& s : shapes()) {
      const std::vector<float> a = values<float>(s.m * s.k, 1);
      const std::vector<float> b = values<float>(s.k * s.n, 2);
      test::Guarded<float> c(static_cast<std::size_t>(s.m * s.n));
      // Host engines work on host memory, so the guarded memory can be the output itself.
      steps->gemm(Transpose::no, Transpose::no, s.m, s.n, s.k, a.data(), s.k, b.data(), s.n, false,
                  c.inner().data(), s.n);
      EXPECT_TRUE(c.intact()) << s.m << "x" << s.n << "x" << s.k;
    }
  }
}

}  // namespace
}  // namespace tandem
