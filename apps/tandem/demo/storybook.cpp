#include "tandem/demo/storybook.hpp"

#include <unistd.h>
#include <filesystem>
#include <utility>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

using report::Plot;

namespace fs = std::filesystem;

}  // namespace

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string scientific(double value) {
  if (value == 0) return "0";
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

void Storybook::tell(const std::string& what) const {
  if (!choices_.quiet && ::isatty(STDERR_FILENO) == 1) note(what);
}

std::string Storybook::as_typed(std::string command) const {
  const std::pair<std::string, std::string> places[]{
      {choices_.data + "/", "data/"}, {(fs::path(choices_.folder) / "").string(), ""}};
  for (const auto& [path, typed] : places) {
    for (auto at = command.find(path); at != std::string::npos; at = command.find(path, at)) {
      command.replace(at, path.size(), typed);
      at += typed.size();
    }
  }
  return command;
}

std::string Storybook::svg(const Plot& plot) {
  return report::to_svg(plot, "figure-" + std::to_string(++plots_));
}

RecipeRun Storybook::train(const Recipe& recipe, Device device) {
  check_interrupt();
  ControlOptions options;
  options.quiet = true;
  ProgramControl control(options);
  Recipe with_threads = recipe;
  if (choices_.threads > 0)
    with_threads.arguments.push_back("--threads=" + std::to_string(choices_.threads));
  return run_recipe(with_threads, device, control);
}

double Storybook::metric(const RecipeRun& run, const std::string& name) {
  EvaluateOptions options;
  options.curves = false;
  return run.model.evaluate_prepared(*run.engine, run.data, options).metrics.at(name);
}

}  // namespace tandem::program
