#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/optim/lbfgs_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem {
namespace {

double draw(std::uint64_t at) { return 2 * Random(80, Purpose::test).uniform(at) - 1; }

template <class T>
std::vector<T> drawn(Index size, std::uint64_t stream, bool mixed = false) {
  std::vector<T> all;
  for (Index i = 0; i < size; ++i) {
    double value = draw(stream * 1000003 + static_cast<std::uint64_t>(i));
    if (mixed && i % 5 == 1) value = std::ldexp(value, 60);
    if (mixed && i % 5 == 2) value = std::ldexp(value, sizeof(T) == 4 ? -145 : -1070);
    if (mixed && i % 5 == 3) value = 0;
    all.push_back(static_cast<T>(value));
  }
  return all;
}

// Steps as a minimisation would take them, with more pairs than the memory holds: all results, and
// whether outputs stayed inside their buffers.
template <class T>
std::vector<double> run(Engine& engine, Index size, Index groups, bool mixed) {
  const auto steps = make_steps<LbfgsSteps, T>(engine);
  constexpr Index memory = 3;
  LbfgsPairs<T> pairs(engine, memory, size);
  std::vector<double> inverse;
  const Index m = groups == 0 ? 0 : size / groups;
  if (groups == 0) {
    for (Index i = 0; i < size; ++i) {
      inverse.push_back(1.5 + draw(static_cast<std::uint64_t>(i)));
    }
  } else {
    inverse.resize(static_cast<std::size_t>(m * m));
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j <= i; ++j) {
        const double value =
            i == j ? static_cast<double>(m) : draw(static_cast<std::uint64_t>(i * m + j));
        inverse[static_cast<std::size_t>(i * m + j)] = value;
        inverse[static_cast<std::size_t>(j * m + i)] = value;
      }
    }
  }
  const LbfgsInitial initial{to_engine(engine, inverse), groups};
  constexpr T poison = static_cast<T>(-12345.5);
  // Only the GPU's steps take the size from the pairs everywhere, so that only there is room for a
  // guard band behind the direction.
  const Index band = engine.device() == Device::cpu ? 0 : 64;
  auto direction = to_engine(engine, std::vector<T>(static_cast<std::size_t>(size + band), poison));
  std::vector<double> results;
  const auto keep = [&](const Buffer<T>& buffer) {
    const auto values = buffer.to_host();
    for (Index i = 0; i < static_cast<Index>(values.size()); ++i) {
      const T value = values[static_cast<std::size_t>(i)];
      if (i < size) {
        // Which NaN an overflow leads to is not part of the contract of these vectors.
        results.push_back(value == value ? static_cast<double>(value)
                                         : std::numeric_limits<double>::quiet_NaN());
      } else {
        EXPECT_EQ(value, poison) << "a write behind the direction";
      }
    }
  };
  for (std::uint64_t round = 0; round < 5; ++round) {
    const auto x = to_engine(engine, drawn<T>(size, 10 * round + 1, mixed));
    const auto before = to_engine(engine, drawn<T>(size, 10 * round + 2, mixed));
    const auto g = to_engine(engine, drawn<T>(size, 10 * round + 3, mixed));
    const auto g_before = to_engine(engine, drawn<T>(size, 10 * round + 4, mixed));
    steps->direction(pairs, initial, g, direction);
    keep(direction);
    results.push_back(steps->dot(g, x));
    results.push_back(steps->largest(g));
    const Index slot = pairs.count == 0 ? 0 : (pairs.newest + 1) % memory;
    results.push_back(steps->store(slot, x, before, g, g_before, pairs));
    pairs.newest = slot;
    pairs.count = std::min(pairs.count + 1, memory);
    Buffer<T> moved(engine, size);
    steps->move(x, 0.37, g, moved);
    keep(moved);
  }
  for (const auto* buffer : {&pairs.s, &pairs.y, &pairs.products}) {
    for (const T value : buffer->to_host()) results.push_back(static_cast<double>(value));
  }
  for (double& value : results) {
    if (value != value) value = std::numeric_limits<double>::quiet_NaN();
  }
  return results;
}

template <class T>
class LbfgsCuda : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LbfgsCuda, Reals);

TYPED_TEST(LbfgsCuda, StepsHaveTheBitsOfTheCpu) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    for (const bool mixed : {false, true}) {
      for (const Index size : test::awkward_sizes()) {
        if (size == 0) continue;
        EXPECT_TRUE(test::same_bits(run<TypeParam>(*cpu, size, 0, mixed),
                                    run<TypeParam>(*gpu, size, 0, mixed)))
            << size;
      }
      // More blocks of the long sum than a kernel keeps sums of.
      EXPECT_TRUE(test::same_bits(run<TypeParam>(*cpu, 66000, 0, mixed),
                                  run<TypeParam>(*gpu, 66000, 0, mixed)));
      for (const auto& [m, groups] :
           {std::pair<Index, Index>{1, 1}, {2, 3}, {31, 1}, {33, 10}, {65, 2}}) {
        EXPECT_TRUE(test::same_bits(run<TypeParam>(*cpu, m * groups, groups, mixed),
                                    run<TypeParam>(*gpu, m * groups, groups, mixed)))
            << m << " " << groups;
      }
    }
  }
}

TYPED_TEST(LbfgsCuda, TheLargestMagnitudeSeesWhatIsNotANumber) {
  const auto gpu = test::cuda_engine();
  const auto steps = make_steps<LbfgsSteps, TypeParam>(*gpu);
  for (const std::size_t at : {std::size_t{0}, std::size_t{700}, std::size_t{1999}}) {
    auto values = drawn<TypeParam>(2000, 5);
    values[at] = -7;
    EXPECT_EQ(steps->largest(to_engine(*gpu, values)), 7);
    values[at] = std::numeric_limits<TypeParam>::quiet_NaN();
    EXPECT_TRUE(std::isnan(steps->largest(to_engine(*gpu, values))));
  }
  EXPECT_EQ(steps->largest(Buffer<TypeParam>()), 0);
  EXPECT_EQ(steps->dot(Buffer<TypeParam>(), Buffer<TypeParam>()), 0);
}

TYPED_TEST(LbfgsCuda, DirectionsMoveAndComputeWhatTheirCostSays) {
  const auto gpu = test::cuda_engine();
  if (!software_gpu::is_loaded()) GTEST_SKIP() << "nothing is counted on this device";
  const auto steps = make_steps<LbfgsSteps, TypeParam>(*gpu);
  constexpr Index size = 20000;
  LbfgsPairs<TypeParam> pairs(*gpu, 3, size);
  pairs.count = 3;
  pairs.s = to_engine(*gpu, drawn<TypeParam>(3 * size, 1));
  pairs.y = to_engine(*gpu, drawn<TypeParam>(3 * size, 2));
  pairs.products = to_engine(*gpu, std::vector<TypeParam>{3, 4, 5});
  const LbfgsInitial initial{to_engine(*gpu, std::vector<double>(size, 1.5)), 0};
  const auto gradient = to_engine(*gpu, drawn<TypeParam>(size, 3));
  Buffer<TypeParam> direction(*gpu, size);
  const software_gpu::Counting counting;
  steps->direction(pairs, initial, gradient, direction);
  gpu->wait();
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  double bytes = 0;
  double flops = 0;
  for (const auto& kernel : counters.at("kernels")) {
    bytes += kernel.at("touched").at("read_bytes").template get<double>() +
             kernel.at("touched").at("written_bytes").template get<double>();
    for (const auto& of_type : kernel.at("flops")) flops += of_type.template get<double>();
    const auto& loads = kernel.at("global").at("load");
    EXPECT_LT(loads.at("sectors").template get<double>(),
              1.02 * loads.at("ideal_sectors").template get<double>());
  }
  const auto stated = lbfgs_direction_cost(size, 3, sizeof(TypeParam));
  EXPECT_NEAR(bytes, stated.bytes, 0.05 * stated.bytes);
  // For each of the seven products a warp folds the lanes of a block, and each of 16 warps folds 20
  // blocks, where lane l adds that of lane l + step if it is there.
  constexpr Index blocks = sum_blocks(size);
  double folds = 0;
  for (Index step = 1; step < 32; step *= 2) folds += static_cast<double>(blocks - step);
  const double products = 7.0 * (static_cast<double>(blocks) * 5 * 32 + 16 * folds);
  EXPECT_NEAR(flops, stated.flops + products, 0.05 * stated.flops);
}

}  // namespace
}  // namespace tandem
