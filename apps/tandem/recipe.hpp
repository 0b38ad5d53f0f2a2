// A training run described by the arguments of `tandem train`, so that what a page shows and the
// command that it prints cannot differ.
#pragma once

#include <string>
#include <vector>

#include "tandem/model/pipeline.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

struct Recipe {
  std::string algorithm;
  std::vector<std::string> arguments;  // as after `tandem train ALGORITHM`

  [[nodiscard]] std::string command() const;
};

struct RecipeRun {
  Pipeline<double> model;
  Dataset<double> data;  // the training part, preprocessed
  std::unique_ptr<Engine> engine;
  double seconds = 0;  // of training
};

// Trains in float64 and exact numerics on the device.
[[nodiscard]] RecipeRun run_recipe(const Recipe& recipe, Device device, RunControl& control);

}  // namespace tandem::program
