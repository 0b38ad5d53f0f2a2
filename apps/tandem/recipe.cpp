#include "tandem/recipe.hpp"

#include "tandem/command.hpp"

namespace tandem::program {

std::string Recipe::command() const {
  std::string text = "tandem train " + algorithm;
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

RecipeRun run_recipe(const Recipe& recipe, Device device, RunControl& control) {
  const auto algorithm = find_algorithm(recipe.algorithm);
  RunSettings run;
  DataSettings data;
  PreprocessOptions preprocess;
  OptionSet options("", recipe.command());
  data.add_options(options);
  algorithm->visit_options(options);
  add_preprocess_options(options, preprocess, *algorithm);
  run.add_options(options, true);
  options.parse(recipe.arguments);
  run.device = device;
  algorithm->check_options();
  RecipeRun result;
  result.engine = run.make_engine();
  result.data = load_data<double>(run, data, nullptr, *algorithm).train;
  const FitSettings settings{preprocess, run.seed};
  const Stopwatch watch;
  result.model = fit_pipeline(*algorithm, *result.engine, result.data, nullptr, settings, control);
  result.seconds = watch.seconds();
  return result;
}

}  // namespace tandem::program
