// One Predictor that eight threads call at once. Argument: data/iris.csv.
#include <tandem/cluster/kmeans.hpp>
#include <tandem/core/engine.hpp>
#include <tandem/core/error.hpp>
#include <tandem/data/read.hpp>

#include <atomic>
#include <cstdio>
#include <exception>
#include <thread>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = tandem::Engine::create();
    const auto data = tandem::read_dataset<float>(argv[1], {.target = "species"});
    const auto model = tandem::fit(*engine, data, tandem::KMeansOptions{.clusters = 3});
    const auto expected = model.predict(*engine, data.features.view()).labels;
    const auto predictor = model.on(*engine);
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int call = 0; call < 20; ++call) {
          if (predictor.predict(data).labels == expected) ++right;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    // An error reaches the call that caused it.
    const tandem::Matrix<float> narrow(1, 2);
    try {
      (void)predictor.predict(narrow.view());
      return 1;
    } catch (const tandem::InputError& error) {
      std::printf("%d right; %s\n", right.load(), error.what());
    }
    return right == 160 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "many_threads: %s\n", error.what());
    return 1;
  }
}
