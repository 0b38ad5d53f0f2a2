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
  TrainedModel<double> model;
  Dataset<double> data;  // the training part, preprocessed
  std::unique_ptr<Engine> engine;
  double seconds = 0;  // of training
};

// Trains in float64 and exact numerics on the device.
[[nodiscard]] RecipeRun run_recipe(const Recipe& recipe, Device device, RunControl& control);

// Sets options of an algorithm by their names on the command line: {"--k=3"}.
void set_options(Algorithm& algorithm, const std::vector<std::string>& arguments);
[[nodiscard]] bool has_option(Algorithm& algorithm, const std::string& name);

}  // namespace tandem::program
