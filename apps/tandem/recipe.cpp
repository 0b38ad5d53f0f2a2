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
  PreprocessSettings preprocess;
  OptionSet options("", recipe.command());
  data.add_options(options);
  algorithm->visit_options(options);
  preprocess.add_options(options, *algorithm);
  run.add_options(options, true);
  options.parse(recipe.arguments);
  run.device = std::string(to_string(device));
  algorithm->check_options();
  RecipeRun result;
  result.engine = run.make_engine();
  result.data = load_data<double>(run, data, nullptr, *algorithm).train;
  const FitSettings settings{preprocess.make(), static_cast<std::uint64_t>(run.seed)};
  const Stopwatch watch;
  result.model = fit_pipeline(*algorithm, *result.engine, result.data, nullptr, settings, control);
  result.seconds = watch.seconds();
  return result;
}

void set_options(Algorithm& algorithm, const std::vector<std::string>& arguments) {
  OptionSet options("", std::string(algorithm.name()));
  algorithm.visit_options(options);
  options.parse(arguments);
}

bool has_option(Algorithm& algorithm, const std::string& name) {
  return options_of(algorithm).has(name);
}

}  // namespace tandem::program
