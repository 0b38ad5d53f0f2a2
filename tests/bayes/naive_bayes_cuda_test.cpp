// Naive Bayes on the GPU: agreement at zero bits, and steps at awkward sizes with guard bands.
#include <gtest/gtest.h>

#include "core/bayes/bayes_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

class NaiveBayesCuda : public ::testing::TestWithParam<const char*> {};
TEST_P(NaiveBayesCuda, Agrees) { test::expect_agreement(GetParam(), test::cuda_device()); }
INSTANTIATE_TEST_SUITE_P(Names, NaiveBayesCuda,
                         ::testing::Values("bayes", "gaussian-nb", "multinomial-nb",
                                           "complement-nb", "bernoulli-nb", "categorical-nb"));

constexpr double poison = -12345.678;

// The sums of each class, in a buffer with a guard band behind them; rows are a window on wider
// ones.
template <Real T>
std::vector<double> sums_on(Engine& engine, Index rows, Index columns, Index classes,
                            ClassSum what) {
  const Index stride = columns + 3;
  const Random random(5, Purpose::test);
  std::vector<T> x, target, weights;
  for (Index e = 0; e < rows * stride; ++e) {
    x.push_back(static_cast<T>(random.normal(static_cast<std::uint64_t>(e))));
  }
  for (Index i = 0; i < rows; ++i) {
    target.push_back(static_cast<T>(i * 7 % classes));
    weights.push_back(static_cast<T>(i % 5) / 3);
  }
  std::vector<double> centre(static_cast<std::size_t>(classes * columns), 0.25);
  const auto on = to_engine(engine, x);
  const auto target_on = to_engine(engine, target);
  const auto weights_on = to_engine(engine, weights);
  const RowsView<T> view{rows, columns, stride, on.data(), target_on.data(), weights_on.data()};
  const auto size = static_cast<std::size_t>(classes * columns);
  auto sums = to_engine(engine, std::vector<double>(size + 64, poison));
  const auto steps = make_steps<BayesSteps, T>(engine);
  steps->class_sums(what, view, classes, 0.5, to_engine(engine, centre), sums);
  auto all = sums.to_host();
  for (std::size_t i = size; i < all.size(); ++i) EXPECT_EQ(all[i], poison);
  all.resize(size);
  return all;
}

TEST(NaiveBayesCudaSteps, SumsHaveTheBitsOfTheCpuAtAwkwardSizes) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  for (const int block_threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = block_threads});
    for (const Index rows : {Index{1}, Index{33}, Index{1025}, Index{5000}}) {
      for (const Index columns : {Index{1}, Index{17}, Index{70}}) {
        for (const Index classes : {Index{2}, Index{11}, Index{24}}) {
          for (const auto what :
               {ClassSum::values, ClassSum::presences, ClassSum::deviations, ClassSum::squares}) {
            EXPECT_TRUE(test::same_bits(sums_on<float>(*cpu, rows, columns, classes, what),
                                        sums_on<float>(*gpu, rows, columns, classes, what)))
                << rows << " x " << columns << ", " << classes;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tandem
