// The example of README.md as a program of its own: public headers only, default engine.
// Argument: data/iris.csv.
#include <tandem/core/engine.hpp>
#include <tandem/data/read.hpp>
#include <tandem/model/algorithm.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = tandem::Engine::create();  // all cores
    const auto data = tandem::read_dataset<float>(argv[1], {.target = "species"});
    const auto algorithm = tandem::make_algorithm("kmeans");
    tandem::RunControl control;
    const auto model = algorithm->fit(*engine, data, nullptr, control);
    const auto clusters = model->predict(*engine, data.features.view()).labels;
    std::printf("%s: %zu rows, %s\n", engine->description().c_str(), clusters.size(),
                model->training().stopped_because.c_str());
    return clusters.size() == 150 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "consumer: %s\n", error.what());
    return 1;
  }
}
