// An algorithm chosen by its name, and an option by the short one of its names.
// Argument: data/iris.csv.
#include <tandem/core/engine.hpp>
#include <tandem/core/error.hpp>
#include <tandem/data/read.hpp>
#include <tandem/model/algorithm.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = tandem::Engine::create();
    const auto data = tandem::read_dataset<float>(argv[1], {.target = "species"});
    const auto algorithm = tandem::make_algorithm("kmeans");
    algorithm->set("k", 3);
    const auto model = algorithm->fit(*engine, data);
    const auto clusters = model->predict(*engine, data.features.view()).labels;
    const int most = *std::max_element(clusters.begin(), clusters.end());
    std::printf("%s: %d clusters, %s\n", algorithm->summary().data(), most + 1,
                model->training().stopped_because.c_str());
    try {
      algorithm->set("clusters", 0);
      std::fprintf(stderr, "by_name: 0 clusters were accepted\n");
      return 1;
    } catch (const tandem::InputError& error) {
      std::printf("%s\n", error.what());
    }
    return most == 2 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "by_name: %s\n", error.what());
    return 1;
  }
}
