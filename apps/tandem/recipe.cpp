#include "tandem/recipe.hpp"

#include "tandem/command.hpp"

namespace tandem::program {

std::string Recipe::command() const {
  std::string text = "tandem train " + algorithm;
  for (const std::string& argument : arguments) text += " " + argument;
  return text;
}

RecipeRun run_recipe(const Recipe& recipe, Device device, RunControl& control) {
  PipelineOptions pipeline(find_algorithm(recipe.algorithm));
  RunSettings run;
  DataSettings data;
  OptionSet options("", recipe.command());
  data.add_options(options);
  add_pipeline_options(options, pipeline);
  run.add_options(options, true);
  options.parse(recipe.arguments);
  run.device = device;
  run.quiet = true;  // what there is to say of the data, the page says
  pipeline.set_seed(run.seed);
  pipeline.check();
  RecipeRun result;
  result.engine = run.make_engine();
  Dataset<double> train = load_data<double>(run, data, nullptr, pipeline).train;
  const Stopwatch watch;
  result.model = fit_pipeline(*result.engine, std::move(train), pipeline,
                              {.prepared = &result.data, .control = &control});
  result.seconds = watch.seconds();
  return result;
}

}  // namespace tandem::program
