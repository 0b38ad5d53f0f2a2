// The example of README.md as a program of its own: public headers only, default engine.
// Argument: data/iris.csv.
#include <tandem/tandem.hpp>

#include <cstdio>
#include <exception>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const auto engine = tandem::Engine::create();  // all cores
    const auto data = tandem::read_dataset<float>(argv[1], {.target = "species"});
    const auto model = tandem::fit(*engine, data, tandem::KMeansOptions{.clusters = 3});
    const auto clusters = model.on(*engine).predict(data).labels;
    std::vector<int> rows(3, 0);
    for (const auto cluster : clusters) ++rows.at(static_cast<std::size_t>(cluster));
    std::printf("%s: clusters of %d, %d and %d rows\n", engine->description().c_str(), rows[0],
                rows[1], rows[2]);
    return clusters.size() == 150 && rows[0] > 0 && rows[1] > 0 && rows[2] > 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "typed: %s\n", error.what());
    return 1;
  }
}
