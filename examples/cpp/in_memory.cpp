// A tree on vectors that the program has in memory, which are not copied.
#include <tandem/core/engine.hpp>
#include <tandem/data/views.hpp>
#include <tandem/tree/decision_tree.hpp>

#include <cstdio>
#include <exception>
#include <vector>

int main() {
  try {
    // Exclusive or, a row of two features each.
    const std::vector<double> features{0, 0, 0, 1, 1, 0, 1, 1};
    const std::vector<double> target{0, 1, 1, 0};
    const auto engine = tandem::Engine::create();
    const auto data = tandem::view_of(features, 2, target);
    if (data.features.data != features.data()) return 1;
    const auto tree = tandem::fit(*engine, data, tandem::DecisionTreeOptions{.max_depth = 2});
    const auto labels = tree.predict(*engine, data.features).labels;
    std::printf("%s", tree.tree_text({"a", "b"}).c_str());
    for (std::size_t i = 0; i < target.size(); ++i) {
      if (static_cast<double>(labels[i]) != target[i]) return 1;
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "in_memory: %s\n", error.what());
    return 1;
  }
}
