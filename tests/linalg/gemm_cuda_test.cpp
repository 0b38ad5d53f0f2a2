#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/engine_backend.hpp"
#include "core/linalg/gemm_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cuda/linalg/cublas_values.hpp"
#include "cuda/linalg/gemm_tiles.hpp"
#include "softgpu/blas/types.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem {
namespace {

static_assert(static_cast<int>(cuda::cublas::Operation::as_stored) == CUBLAS_OP_N);
static_assert(static_cast<int>(cuda::cublas::Operation::transposed) == CUBLAS_OP_T);
static_assert(static_cast<int>(cuda::cublas::Compute::float32) == CUBLAS_COMPUTE_32F);
static_assert(static_cast<int>(cuda::cublas::Compute::float64) == CUBLAS_COMPUTE_64F);
static_assert(static_cast<int>(cuda::cublas::Compute::bfloat16) == CUBLAS_COMPUTE_32F_FAST_16BF);
static_assert(static_cast<int>(cuda::cublas::Compute::tf32) == CUBLAS_COMPUTE_32F_FAST_TF32);
static_assert(static_cast<int>(cuda::cublas::Epilogue::relu) == CUBLASLT_EPILOGUE_RELU_BIAS);
static_assert(static_cast<int>(cuda::cublas::Epilogue::relu_with_mask) ==
              CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
static_assert(static_cast<int>(cuda::cublas::Epilogue::relu_gradient) ==
              CUBLASLT_EPILOGUE_DRELU_BGRAD);
static_assert(static_cast<int>(cuda::cublas::Attribute::transpose_a) ==
              CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(static_cast<int>(cuda::cublas::Attribute::transpose_b) ==
              CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(static_cast<int>(cuda::cublas::Attribute::epilogue) == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(static_cast<int>(cuda::cublas::Attribute::bias) == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(static_cast<int>(cuda::cublas::Attribute::mask) ==
              CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);
static_assert(static_cast<int>(cuda::cublas::Attribute::mask_ld) ==
              CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD);
static_assert(static_cast<int>(cuda::cublas::Preference::workspace_bytes) ==
              CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(static_cast<int>(cuda::cublas::Preference::alignment_a) ==
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(static_cast<int>(cuda::cublas::Preference::alignment_d) ==
              CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(sizeof(cuda::cublas::Algorithm) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(cuda::cublas::HeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(cuda::cublas::HeuristicResult, state) ==
              offsetof(cublasLtMatmulHeuristicResult_t, state));
static_assert(cuda::cublas::default_algorithm == CUBLAS_GEMM_DEFAULT);
static_assert(cuda::cublas::success == CUBLAS_STATUS_SUCCESS);

struct Shape {
  Index m, n, k;
};

// Fills the memory between and around the matrices. It is a NaN, which spoils every product it
// enters.
template <class T>
constexpr T gap = std::numeric_limits<T>::quiet_NaN();

// The operands of one product, with gaps of `gap_a`, ... elements after each row and `offset`
// elements before the first. Every element past a row's end is NaN in A and B, so that a product
// that takes one shows.
template <class T>
struct Problem {
  Transpose ta = Transpose::no;
  Transpose tb = Transpose::no;
  Shape s{};
  bool accumulate = false;
  Index gap_a = 0;
  Index gap_b = 0;
  Index gap_c = 0;
  Index offset = 0;

  static constexpr Index band = 64;  // guard elements before and after C

  [[nodiscard]] Index a_rows() const { return ta == Transpose::no ? s.m : s.k; }
  [[nodiscard]] Index a_cols() const { return ta == Transpose::no ? s.k : s.m; }
  [[nodiscard]] Index b_rows() const { return tb == Transpose::no ? s.k : s.n; }
  [[nodiscard]] Index b_cols() const { return tb == Transpose::no ? s.n : s.k; }

  using Value = T (*)(std::uint64_t);

  [[nodiscard]] std::vector<T> matrix(Index rows, Index cols, Index ld, Index before, Index after,
                                      std::uint64_t stream, Value value) const {
    std::vector<T> v(static_cast<std::size_t>(before + rows * ld + after), gap<T>);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < cols; ++j) {
        v[static_cast<std::size_t>(before + i * ld + j)] =
            value((stream << 40) + static_cast<std::uint64_t>(i * cols + j));
      }
    }
    return v;
  }

  // C as the engine computes it, with its gaps and guard bands.
  [[nodiscard]] std::vector<T> run(Engine& engine, Value value) const {
    const Index lda = a_cols() + gap_a;
    const Index ldb = b_cols() + gap_b;
    const Index ldc = s.n + gap_c;
    const auto steps = make_steps<GemmSteps, T>(engine);
    const Buffer<T> a = to_engine(engine, matrix(a_rows(), a_cols(), lda, offset, 0, 1, value));
    const Buffer<T> b = to_engine(engine, matrix(b_rows(), b_cols(), ldb, offset, 0, 2, value));
    std::vector<T> c_host = matrix(s.m, s.n, ldc, band + offset, band, 3, value);
    if (!accumulate) {
      // Poison, and NaN: an output that is added to and not written shows.
      for (T& element : c_host) element = gap<T>;
    }
    Buffer<T> c = to_engine(engine, c_host);
    steps->gemm(ta, tb, s.m, s.n, s.k, a.data() + offset, lda, b.data() + offset, ldb, accumulate,
                c.data() + band + offset, ldc);
    return c.to_host();
  }

  // Σ |a| |b| (+ |c|) of each output; NaN elsewhere.
  [[nodiscard]] std::vector<double> magnitudes(Value value) const {
    const Index ldc = s.n + gap_c;
    const std::vector<T> a = matrix(a_rows(), a_cols(), a_cols(), 0, 0, 1, value);
    const std::vector<T> b = matrix(b_rows(), b_cols(), b_cols(), 0, 0, 2, value);
    const std::vector<T> c = matrix(s.m, s.n, ldc, band + offset, band, 3, value);
    std::vector<double> all(c.size(), std::numeric_limits<double>::quiet_NaN());
    const auto at = [](const std::vector<T>& v, Index i) {
      return std::abs(static_cast<double>(v[static_cast<std::size_t>(i)]));
    };
    for (Index i = 0; i < s.m; ++i) {
      for (Index j = 0; j < s.n; ++j) {
        const Index where = band + offset + i * ldc + j;
        double sum = accumulate ? at(c, where) : 0;
        for (Index l = 0; l < s.k; ++l) {
          sum += at(a, ta == Transpose::no ? i * s.k + l : l * s.m + i) *
                 at(b, tb == Transpose::no ? l * s.n + j : j * s.k + l);
        }
        all[static_cast<std::size_t>(where)] = sum;
      }
    }
    return all;
  }

  [[nodiscard]] std::string name() const {
    return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
           (ta == Transpose::no ? " N" : " T") + (tb == Transpose::no ? "N" : "T") +
           (accumulate ? " added" : "") + ", gaps " + std::to_string(gap_a) + " " +
           std::to_string(gap_b) + " " + std::to_string(gap_c) + ", offset " +
           std::to_string(offset);
  }
};

template <class T>
T uniform(std::uint64_t index) {
  return static_cast<T>(Random(5, Purpose::test).uniform<T>(index) * 2 - 1);
}

// Zeros of both signs, denormals, infinities, NaN, the largest and the smallest numbers among
// ordinary ones.
template <class T>
T special(std::uint64_t index) {
  using Limits = std::numeric_limits<T>;
  const std::uint64_t bits = Random(6, Purpose::test).bits(index);
  const T sign = (bits & 1) != 0 ? T{-1} : T{1};
  switch ((bits >> 1) % 64) {
    case 0: return sign * Limits::infinity();
    case 1: return Limits::quiet_NaN();
    case 2:
    case 3: return sign * Limits::denorm_min() * static_cast<T>(1 + (bits >> 8) % 1000);
    case 4:
    case 5: return sign * T{0};
    case 6: return sign * Limits::max();
    case 7:
    case 8: return sign * Limits::min();
    default: break;
  }
  return sign * static_cast<T>(std::ldexp(1.0 + static_cast<double>((bits >> 8) % 4096) / 4096,
                                          static_cast<int>((bits >> 32) % 60) - 30));
}

// Tiny factors: sums are denormal, and become −0 on the way.
template <class T>
T tiny(std::uint64_t index) {
  const std::uint64_t bits = Random(7, Purpose::test).bits(index);
  const int exponent =
      std::numeric_limits<T>::min_exponent / 2 - static_cast<int>((bits >> 8) % 16);
  return static_cast<T>(std::ldexp((bits & 1) != 0 ? -1.0 : 1.0, exponent - 8));
}

// All forms of one shape. C's rows are never aligned with an odd gap, A's and B's only without.
template <class T, class F>
void for_forms(Shape s, F&& f) {
  for (const Transpose ta : {Transpose::no, Transpose::yes}) {
    for (const Transpose tb : {Transpose::no, Transpose::yes}) {
      for (const bool add : {false, true}) {
        Problem<T> p;
        p.ta = ta;
        p.tb = tb;
        p.s = s;
        p.accumulate = add;
        f(p);
        p.gap_a = 3;
        p.gap_b = 1;
        p.gap_c = 5;
        p.offset = add ? 1 : 2;
        f(p);
        // Vectors where the sizes allow them, although no row is full.
        p.gap_a = (p.a_cols() + 7) / 4 * 4 - p.a_cols();
        p.gap_b = (p.b_cols() + 7) / 4 * 4 - p.b_cols();
        p.gap_c = (s.n + 7) / 4 * 4 - s.n;
        p.offset = 0;
        f(p);
      }
    }
  }
}

// The threads of a block that force each of the three tiles, and 0 for the engine's choice.
constexpr std::array<int, 4> block_sizes{64, 128, 256, 0};

// NaNs count as equal, whatever their payloads: which one stands for an invalid operation is not
// fixed.
template <class T>
std::vector<T> one_nan(std::vector<T> v) {
  for (T& x : v) {
    if (std::isnan(x)) x = gap<T>;
  }
  return v;
}

template <class T>
void expect_the_cpus_bits(const std::vector<Shape>& shapes, T (*value)(std::uint64_t)) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  std::vector<std::unique_ptr<Engine>> gpus;
  for (const int threads : block_sizes) {
    gpus.push_back(test::cuda_engine({.block_threads = threads}));
  }
  for (const Shape& s : shapes) {
    for_forms<T>(s, [&](const Problem<T>& p) {
      const std::vector<T> expected = one_nan(p.run(*cpu, value));
      for (std::size_t g = 0; g < gpus.size(); ++g) {
        EXPECT_TRUE(test::same_bits(one_nan(p.run(*gpus[g], value)), expected))
            << p.name() << ", blocks of " << block_sizes[g];
      }
    });
  }
}

// Around the edges of the three tiles and of the stages of k; empty; one row, column, step.
const std::vector<Shape> edges{{0, 3, 4},     {3, 0, 4},    {3, 4, 0},    {1, 1, 1},
                               {2, 3, 5},     {15, 17, 7},  {16, 16, 8},  {17, 15, 16},
                               {33, 31, 17},  {64, 64, 33}, {63, 65, 31}, {127, 129, 9},
                               {128, 64, 32}, {129, 1, 40}, {1, 257, 23}, {5, 3, 255},
                               {7, 130, 15},  {31, 8, 64},  {1, 1, 1021}};
TEST(GemmCuda, FloatHasTheBitsOfTheCpu) { expect_the_cpus_bits<float>(edges, uniform<float>); }
TEST(GemmCuda, DoubleHasTheBitsOfTheCpu) { expect_the_cpus_bits<double>(edges, uniform<double>); }

const std::vector<Shape> few{{17, 33, 29}, {70, 66, 19}};
TEST(GemmCuda, FloatWithNaNsInfinitiesAndDenormals) {
  expect_the_cpus_bits<float>(few, special<float>);
}
TEST(GemmCuda, DoubleWithNaNsInfinitiesAndDenormals) {
  expect_the_cpus_bits<double>(few, special<double>);
}
// No step of k beyond the last may add 0·0 to a sum of −0.
TEST(GemmCuda, FloatSumsOfMinusZero) { expect_the_cpus_bits<float>(few, tiny<float>); }
TEST(GemmCuda, DoubleSumsOfMinusZero) { expect_the_cpus_bits<double>(few, tiny<double>); }

// More rows of tiles than a band has, and a last band that is not full.
TEST(GemmCuda, BandsOfTiles) {
  expect_the_cpus_bits<float>({{16 * 19 + 3, 50, 5}, {1300, 20, 3}}, uniform<float>);
}

// Error against the reference, in products of uniform numbers: at most c·γ_k+1 · Σ |a| |b| (and |c|
// where C is added to), in any order of the sum, as core/linalg/gemm_steps.hpp derives it.
template <class T>
void expect_reduction(Numerics numerics, const std::vector<Shape>& shapes) {
  const auto reference = Engine::create({.device = Device::reference});
  const auto gpu = test::cuda_engine({.numerics = numerics});
  // In double the reference rounds as often as the engine.
  const double c = sizeof(T) == 4 ? 1 : 2;
  for (const Shape& s : shapes) {
    for_forms<T>(s, [&](const Problem<T>& p) {
      const std::vector<T> value = p.run(*gpu, uniform<T>);
      const std::vector<T> expected = p.run(*reference, uniform<T>);
      const std::vector<double> magnitudes = p.magnitudes(uniform<T>);
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (std::isnan(magnitudes[i])) {  // between the rows and around C
          EXPECT_TRUE(test::same_bits(std::span(&value[i], 1), std::span(&expected[i], 1)));
          continue;
        }
        // One more for C, and one for the reference's own last rounding.
        const double bound = c * gemm_bound<T>(numerics, s.k + 2) * magnitudes[i];
        EXPECT_LE(std::abs(static_cast<double>(value[i]) - static_cast<double>(expected[i])), bound)
            << p.name();
      }
    });
  }
}
const std::vector<Shape> few_long{{1, 1, 1}, {33, 20, 300}, {3, 70, 5}, {3, 4, 0}, {0, 1, 2}};
TEST(GemmCuda, FloatWithinTheBoundOfTheReference) {
  expect_reduction<float>(Numerics::exact, few_long);
}
TEST(GemmCuda, DoubleWithinTheBoundOfTheReference) {
  expect_reduction<double>(Numerics::exact, few_long);
}
TEST(GemmCuda, FloatFastWithinTheBoundOfTheReference) {
  expect_reduction<float>(Numerics::fast, few_long);
}
TEST(GemmCuda, DoubleFastWithinTheBoundOfTheReference) {
  expect_reduction<double>(Numerics::fast, few_long);
  expect_reduction<double>(Numerics::fast_bf16, few_long);
}
TEST(GemmCuda, FloatOfRoundedFactorsWithinTheBoundOfTheReference) {
  expect_reduction<float>(Numerics::fast_tf32, few_long);
  expect_reduction<float>(Numerics::fast_bf16, few_long);
}

// 1 + 2^−9 fits into TF32 and not into bfloat16, 1 + 2^−12 into neither: the choice arrives.
TEST(GemmCuda, RoundsFactorsAsChosen) {
  const auto product = [](Numerics numerics, float factor) {
    const auto engine = test::cuda_engine({.numerics = numerics});
    const auto steps = make_steps<GemmSteps, float>(*engine);
    const Buffer<float> a = to_engine(*engine, std::vector<float>{factor});
    const Buffer<float> b = to_engine(*engine, std::vector<float>{1});
    Buffer<float> c = to_engine(*engine, std::vector<float>(1));
    steps->gemm(Transpose::no, Transpose::no, 1, 1, 1, a.data(), 1, b.data(), 1, false, c.data(),
                1);
    return c.to_host()[0];
  };
  if (test::cuda_device() != Device::softgpu) GTEST_SKIP() << "a GPU may use no tensor cores here";
  EXPECT_EQ(product(Numerics::fast, 1 + 0x1p-12F), 1 + 0x1p-12F);
  EXPECT_EQ(product(Numerics::fast_tf32, 1 + 0x1p-12F), 1);
  EXPECT_EQ(product(Numerics::fast_tf32, 1 + 0x1p-9F), 1 + 0x1p-9F);
  EXPECT_EQ(product(Numerics::fast_bf16, 1 + 0x1p-9F), 1);
}

// Forwards and backwards through a layer in one product each. Forwards, max(0, ·) is no error's
// source: the bound is that of a product with one term more. Backwards, an output whose sign the
// error could have changed may be either.
TEST(GemmCuda, ProductsWithALayersEpilogues) {
  const auto engine = test::cuda_engine({.numerics = Numerics::fast});
  const auto steps = make_steps<GemmSteps, float>(*engine);
  const auto numbers = [](std::size_t count, std::uint64_t stream) {
    std::vector<float> v(count);
    for (std::size_t i = 0; i < count; ++i) v[i] = uniform<float>((stream << 40) + i);
    return v;
  };
  struct Layer {
    Index rows, inputs, outputs, next;
  };
  for (const Layer s : {Layer{1, 1, 1, 1}, Layer{5, 7, 3, 10}, Layer{33, 64, 128, 10},
                        Layer{128, 30, 129, 17}, Layer{7, 100, 200, 64}}) {
    const auto rows = static_cast<std::size_t>(s.rows);
    const auto inputs = static_cast<std::size_t>(s.inputs);
    const auto outputs = static_cast<std::size_t>(s.outputs);
    const auto next = static_cast<std::size_t>(s.next);
    ASSERT_TRUE(steps->fuses_relu(s.rows, s.inputs, s.outputs, s.next));
    ASSERT_TRUE(steps->fuses_relu(s.rows, s.inputs, s.outputs, 0));
    const std::vector<float> x = numbers(rows * inputs, 1);
    const std::vector<float> w = numbers(inputs * outputs, 2);
    const std::vector<float> bias = numbers(outputs, 3);
    const std::vector<float> above = numbers(rows * next, 4);
    const std::vector<float> w_next = numbers(outputs * next, 5);
    const Buffer<float> x_buffer = to_engine(*engine, x);
    const Buffer<float> w_buffer = to_engine(*engine, w);
    const Buffer<float> bias_buffer = to_engine(*engine, bias);
    const Buffer<float> above_buffer = to_engine(*engine, above);
    const Buffer<float> w_next_buffer = to_engine(*engine, w_next);
    Buffer<float> a_buffer = to_engine(*engine, std::vector<float>(rows * outputs, gap<float>));
    Buffer<float> predicted = to_engine(*engine, std::vector<float>(rows * outputs, gap<float>));
    Buffer<float> d_buffer = to_engine(*engine, std::vector<float>(rows * outputs, gap<float>));
    Buffer<float> sums_buffer = to_engine(*engine, std::vector<float>(outputs, gap<float>));
    Buffer<std::byte> mask(*engine, steps->relu_mask_bytes(s.rows, s.outputs));
    steps->gemm_relu(s.rows, s.outputs, s.inputs, x_buffer.data(), w_buffer.data(),
                     bias_buffer.data(), mask.data(), a_buffer.data());
    steps->gemm_relu(s.rows, s.outputs, s.inputs, x_buffer.data(), w_buffer.data(),
                     bias_buffer.data(), nullptr, predicted.data());
    steps->gemm_relu_gradient(s.rows, s.outputs, s.next, above_buffer.data(), w_next_buffer.data(),
                              mask.data(), sums_buffer.data(), d_buffer.data());
    const std::vector<float> a = a_buffer.to_host();
    EXPECT_TRUE(test::same_bits(predicted.to_host(), a));
    const std::vector<float> d = d_buffer.to_host();
    const std::vector<float> sums = sums_buffer.to_host();
    for (std::size_t j = 0; j < outputs; ++j) {
      double sum = 0;
      double sum_magnitude = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        double u = bias[j];
        double magnitude = std::abs(u);
        for (std::size_t l = 0; l < inputs; ++l) {
          const double term = static_cast<double>(x[i * inputs + l]) * w[l * outputs + j];
          u += term;
          magnitude += std::abs(term);
        }
        const double bound = gamma_bound<float>(s.inputs + 2) * magnitude;
        EXPECT_LE(std::abs(a[i * outputs + j] - std::max(0.0, u)), bound);
        double product = 0;
        double product_magnitude = 0;
        for (std::size_t l = 0; l < next; ++l) {
          const double term = static_cast<double>(above[i * next + l]) * w_next[j * next + l];
          product += term;
          product_magnitude += std::abs(term);
        }
        const double value = d[i * outputs + j];
        if (std::abs(u) > bound) {
          EXPECT_LE(std::abs(value - (u > 0 ? product : 0)),
                    gamma_bound<float>(s.next + 1) * product_magnitude);
        }
        sum += value;
        sum_magnitude += std::abs(value);
      }
      EXPECT_LE(std::abs(sums[j] - sum), gamma_bound<float>(s.rows + 1) * sum_magnitude);
    }
  }
  const auto exact = test::cuda_engine({});
  const auto in_double = make_steps<GemmSteps, double>(*engine);
  const auto by_chains = make_steps<GemmSteps, float>(*exact);
  EXPECT_FALSE(in_double->fuses_relu(4, 4, 4, 4));
  EXPECT_FALSE(by_chains->fuses_relu(4, 4, 4, 4));
}

// A product in a repeated part, with other arguments each time: as a graph, and by cuBLAS, which a
// graph of kernels cannot hold.
TEST(GemmCuda, InRepeatedParts) {
  for (const Numerics numerics : {Numerics::exact, Numerics::fast}) {
    const auto engine = test::cuda_engine({.numerics = numerics});
    const auto steps = make_steps<GemmSteps, float>(*engine);
    const Buffer<float> a = to_engine(*engine, std::vector<float>{1, 2, 3, 4});
    Buffer<float> c = to_engine(*engine, std::vector<float>(12));
    for (int i = 0; i < 3; ++i) {
      const Repeated repeated(*engine, steps.get(), 0);
      steps->gemm(Transpose::no, Transpose::no, 2, 2, 2, a.data(), 2, a.data(), 2, false,
                  c.data() + 4 * i, 2);
      steps->gemm(Transpose::no, Transpose::no, 2, 2, 2, a.data(), 2, a.data(), 2, i > 0,
                  c.data() + 4 * i, 2);
    }
    backend(*engine).forget_repeated(steps.get());
    EXPECT_EQ(c.to_host(), (std::vector<float>{7, 10, 15, 22, 14, 20, 30, 44, 14, 20, 30, 44}));
  }
}

// The counters of the one kernel that `work` launches, as docs/softgpu.md describes them; null
// where the CUDA runtime is NVIDIA's, which counts nothing.
template <class Work>
nlohmann::ordered_json counted(Work&& work) {
  if (!software_gpu::is_loaded()) return nullptr;
  const software_gpu::Counting counting;
  work();
  const nlohmann::ordered_json all = nlohmann::ordered_json::parse(counting.counters());
  const auto& kernels = all.at("kernels");
  EXPECT_EQ(kernels.size(), 1U);
  EXPECT_EQ(kernels.at(0).at("launches"), 1);
  return kernels.at(0);
}

// A product of these sizes without gaps in a tile of that size; its bytes and flops are those of
// the cost functions, exactly.
template <class T>
nlohmann::ordered_json counted_product(cuda::GemmTileSize size, Transpose ta, Transpose tb, Shape s,
                                       bool accumulate) {
  const cuda::GemmTile tile = cuda::gemm_tile<T>(size);
  const auto engine = test::cuda_engine({.block_threads = tile.threads()});
  const auto steps = make_steps<GemmSteps, T>(*engine);
  const Buffer<T> a = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(s.m * s.k)));
  const Buffer<T> b = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(s.k * s.n)));
  Buffer<T> c = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(s.m * s.n)));
  const nlohmann::ordered_json kernel = counted([&] {
    steps->gemm(ta, tb, s.m, s.n, s.k, a.data(), ta == Transpose::no ? s.k : s.m, b.data(),
                tb == Transpose::no ? s.n : s.k, accumulate, c.data(), s.n);
    engine->wait();
  });
  if (kernel.is_null()) return kernel;
  const auto& global = kernel.at("global");
  EXPECT_EQ(global.at("load").at("bytes").template get<double>() +
                global.at("store").at("bytes").template get<double>(),
            cuda::gemm_kernel_bytes<T>(tile, s.m, s.n, s.k, accumulate));
  EXPECT_EQ(kernel.at("flops").at(sizeof(T) == 4 ? "f32" : "f64"),
            cuda::gemm_kernel_flops(tile, s.m, s.n, s.k));
  return kernel;
}

// Global memory: where rows are aligned, no sector more than the bytes take. Shared memory: no bank
// is asked for two words at once, in any case.
template <class T>
void expect_the_stated_cost() {
  const auto require_ideal = [](const nlohmann::ordered_json& kernel, const char* memory,
                                const char* unit, const std::string& name) {
    for (const char* access : {"load", "store"}) {
      const auto& counts = kernel.at(memory).at(access);
      EXPECT_EQ(counts.at(unit), counts.at(std::string("ideal_") + unit))
          << name << ", " << memory << " " << access << ", at " << kernel.at("places").dump(1);
    }
  };
  for (const cuda::GemmTileSize size : cuda::gemm_tile_sizes) {
    for (const Transpose ta : {Transpose::no, Transpose::yes}) {
      for (const Transpose tb : {Transpose::no, Transpose::yes}) {
        const std::string name = "tile " + std::to_string(static_cast<int>(size)) +
                                 (ta == Transpose::no ? " N" : " T") +
                                 (tb == Transpose::no ? "N" : "T");
        const auto aligned = counted_product<T>(size, ta, tb, {256, 128, 64}, false);
        if (aligned.is_null()) GTEST_SKIP() << "NVIDIA's runtime counts nothing";
        require_ideal(aligned, "global", "sectors", name);
        require_ideal(aligned, "shared", "wavefronts", name);
        require_ideal(counted_product<T>(size, ta, tb, {131, 67, 29}, true), "shared", "wavefronts",
                      name + ", not aligned");
      }
    }
  }
}
TEST(GemmCuda, FloatCostsWhatIsStated) { expect_the_stated_cost<float>(); }
TEST(GemmCuda, DoubleCostsWhatIsStated) { expect_the_stated_cost<double>(); }

// The tile follows the size of the problem and of the device, and what the options ask for.
TEST(GemmCuda, ChoosesTiles) {
  using cuda::choose_gemm_tile;
  using cuda::GemmTileSize;
  EXPECT_EQ(choose_gemm_tile<float>(4096, 4096, 108, 0), GemmTileSize::large);
  EXPECT_EQ(choose_gemm_tile<float>(128, 128, 108, 0), GemmTileSize::small);
  EXPECT_EQ(choose_gemm_tile<float>(100000, 10, 108, 0), GemmTileSize::small);
  EXPECT_EQ(choose_gemm_tile<double>(4096, 4096, 108, 0), GemmTileSize::large);
  EXPECT_EQ(choose_gemm_tile<float>(4096, 4096, 108, 64), GemmTileSize::small);
  EXPECT_EQ(choose_gemm_tile<float>(4096, 4096, 108, 128), GemmTileSize::medium);
  EXPECT_EQ(choose_gemm_tile<float>(1, 1, 108, 1024), GemmTileSize::large);
  EXPECT_EQ(choose_gemm_tile<float>(4096, 4096, 108, 32), GemmTileSize::small);
}

}  // namespace
}  // namespace tandem
