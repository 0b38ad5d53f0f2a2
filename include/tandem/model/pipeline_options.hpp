// A pipeline's parts before it is fitted: transforms in order, and an algorithm.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/options.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

//   PipelineOptions options("decision-tree");
//   options.set("predictor.max_depth", 3).set("impute.method", "median").set("seed", 7);
//   const auto pipeline = fit_pipeline(*engine, data, options);
//
// The steps are at first standard_steps(): outliers, categories, impute, encode, scale,
// scale-target, and what else has a place among them. Features are brought to one scale where the
// algorithm prefers that, categories are encoded as indicators unless the algorithm takes them as
// they are, and the other steps do nothing until they are told to. One object may be used by one
// thread at a time; const members by several.
class TANDEM_API PipelineOptions {
 public:
  // Throws InputError for an unknown algorithm.
  explicit PipelineOptions(std::string_view algorithm);
  explicit PipelineOptions(std::unique_ptr<Algorithm> algorithm);
  PipelineOptions(const PipelineOptions& other);
  PipelineOptions(PipelineOptions&&) noexcept = default;
  PipelineOptions& operator=(const PipelineOptions& other);
  PipelineOptions& operator=(PipelineOptions&&) noexcept = default;

  [[nodiscard]] const Algorithm& algorithm() const noexcept { return *algorithm_; }
  [[nodiscard]] std::span<const std::unique_ptr<TransformStep>> steps() const noexcept {
    return steps_;
  }
  // See Algorithm::decide_task().
  void decide_task(Task task) { algorithm_->decide_task(task); }
  // The steps by name, in the order in which they are to be carried out. One that is there already
  // keeps its options. Each may be named once. Throws InputError for an unknown one.
  PipelineOptions& set_steps(const std::vector<std::string>& names);

  // Gives an option a value. "scale.method" is an option of that step; "predictor.max_depth" one of
  // the algorithm ("clusterer.clusters" too, by what kind it is); without a prefix, an option that
  // only one of them has by that name: "max_depth", "scale" for "scale.method", "impute_constant".
  // "seed" is the algorithm's. Throws InputError for a name that there is not or that several have,
  // and as set_option() does.
  PipelineOptions& set(std::string_view name, const OptionValue& value);
  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  void set_seed(std::uint64_t seed) noexcept { seed_ = seed; }

  // The algorithm's options by their own names, and those of the steps, which are called
  // "scale.method", or "scale" where that is shown. The seed is not among the first.
  void visit_algorithm(OptionVisitor& visitor);
  void visit_steps(OptionVisitor& visitor);
  // The steps' options as they stand, by name: "scale.method".
  [[nodiscard]] Archive record_steps() const;
  // Checks ranges, and what options say together; throws InputError.
  void check() const;

 private:
  std::unique_ptr<Algorithm> algorithm_;
  std::vector<std::unique_ptr<TransformStep>> steps_;
  std::uint64_t seed_ = 0;
};

}  // namespace tandem
