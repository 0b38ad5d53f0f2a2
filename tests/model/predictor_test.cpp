// A model kept where it is used, on the CPU.
#include "model/predictor_cases.hpp"

namespace tandem {
namespace {

TEST(Predictor, IsRightFromEightThreadsAtOnce) {
  const auto engine = Engine::create({.threads = 2});
  for (const auto& one : test::models_of_each_kind()) {
    test::expect_right_from_eight_threads(one, *engine, 20);
  }
}

TEST(Predictor, OutlivesWhoMadeIt) {
  auto cases = test::models_of_each_kind();
  for (auto& one : cases) {
    const auto engine = Engine::create();
    const auto expected = one.model->predict(*engine, one.data.features.view());
    std::unique_ptr<Predictor<float>> predictor;
    {
      const auto other = Engine::create();
      predictor = std::make_unique<Predictor<float>>(one.model, *other);
      one.model.reset();
    }
    const Predictor<float> copy = *predictor;
    predictor.reset();
    test::expect_same(copy.predict(one.data), expected, one.algorithm);
  }
}

// From few rows to many and back: a network keeps memory for the most rows of a pass so far.
TEST(Predictor, TakesAnyNumberOfRowsInAnyOrder) {
  const auto engine = Engine::create();
  for (const auto& one : test::models_of_each_kind()) {
    const Predictor<float> predictor(one.model, *engine);
    for (const Index rows : {1, 7, 400, 0, 2, 399}) {
      const auto x = one.data.features.view().rows_from(0, rows);
      test::expect_same(predictor.predict(x), one.model->predict(*engine, x), one.algorithm);
    }
  }
}

}  // namespace
}  // namespace tandem
