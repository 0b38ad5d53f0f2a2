// Trains k-means through the public headers alone, by name and with the default engine.
#include <tandem/core/engine.hpp>
#include <tandem/core/random.hpp>
#include <tandem/data/dataset.hpp>
#include <tandem/model/algorithm.hpp>

#include <cstdio>
#include <exception>

int main() {
  try {
    tandem::Dataset<float> data;
    data.source = "consumer";
    data.features = tandem::Matrix<float>(300, 2);
    data.columns = tandem::numbered_columns(2);
    const tandem::Random random(1, tandem::Purpose::sampling);
    for (tandem::Index i = 0; i < data.rows(); ++i) {
      for (tandem::Index j = 0; j < 2; ++j) {
        data.features(i, j) = static_cast<float>(i % 3) * 10.0F +
                              random.uniform<float>(static_cast<std::uint64_t>(2 * i + j));
      }
    }
    const auto engine = tandem::Engine::create();
    const auto algorithm = tandem::make_algorithm("kmeans");
    tandem::RunControl control;
    const auto model = algorithm->fit(*engine, data, nullptr, control);
    const auto predictions = model->predict(*engine, data.features.view());
    if (predictions.labels.size() != 300) return 1;
    std::printf("%s: %s\n", engine->description().c_str(),
                model->training().stopped_because.c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "consumer: %s\n", error.what());
    return 1;
  }
}
