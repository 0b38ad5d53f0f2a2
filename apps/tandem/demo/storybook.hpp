// The stories that tandem demo tells in one page.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tandem/recipe.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::program {

// "12.3 %" of 0.123.
[[nodiscard]] std::string percent(double share);
// With as many digits after the point.
[[nodiscard]] std::string fixed(double value, int digits);
// "1.2e-10", or "0".
[[nodiscard]] std::string scientific(double value);

// Each story trains, shows what comes out and adds to `figures`, what --json prints. Whatever it
// trains is trained again by the textbook and by the CUDA kernels; the last two sections compare.
class Storybook {
 public:
  struct Choices {
    std::string folder;  // of the page
    std::string data;    // of the data sets
    std::int64_t threads = 0;
    bool quiet = false;
  };
  explicit Storybook(Choices choices) : choices_(std::move(choices)) {}

  void regression(report::Page& page);
  void optimizers(report::Page& page);
  void tree(report::Page& page);
  void clusters(report::Page& page);
  void network(report::Page& page);
  void boosting(report::Page& page);
  void forest(report::Page& page);
  void explanation(report::Page& page);
  // The reference against the CPU, of all stories told so far.
  void agreement(report::Page& page);
  // The CUDA kernels against the CPU, and what they do.
  void gpu(report::Page& page);

  [[nodiscard]] nlohmann::json& figures() { return figures_; }

 private:
  void tell(const std::string& what) const;
  // A command of the page as somebody types it in a checkout: without this machine's paths.
  [[nodiscard]] std::string as_typed(std::string command) const;
  std::string svg(const report::Plot& plot);
  RecipeRun train(const Recipe& recipe, Device device = Device::cpu);
  static double metric(const RecipeRun& run, const std::string& name);
  report::Page::Figure cluster_map(const RecipeRun& run, std::vector<std::int32_t> labels, int k,
                                   double score);

  // Trains once more by the textbook and compares what the two models predict on the training part.
  void compare(report::Page& page, const std::string& story, const Recipe& recipe,
               const RecipeRun& cpu);
  // Trains a third time, by the CUDA kernels on the software GPU, and compares the models bit by
  // bit.
  void compare_with_gpu(const std::string& story, const Recipe& recipe, const RecipeRun& cpu);
  // The Shapley values once more, by the CUDA kernels.
  void compare_shap_with_gpu(const std::string& story, const RecipeRun& run,
                             const TreeEnsemble<double>& trees, const ShapValues& cpu);

  struct GpuKernel {
    std::string story;
    std::string name;
    double launches = 0;
    double operations = 0;    // of floating point
    double bytes = 0;         // of global memory, each once per launch
    double instructions = 0;  // of threads
  };

  Choices choices_;
  int plots_ = 0;
  std::vector<std::vector<std::string>> agreements_;
  std::string gpu_missing_;  // why there is no CUDA half
  std::string gpu_name_;
  std::string shap_on_gpu_;  // a sentence
  bool gpu_differs_ = false;
  std::vector<std::vector<std::string>> gpu_rows_;
  std::vector<GpuKernel> gpu_kernels_;
  nlohmann::json figures_;
};

}  // namespace tandem::program
