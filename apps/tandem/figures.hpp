// The pictures that pages about models are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::program {

// "sepal_length_cm" as "sepal length (cm)": a last word that is a unit goes into brackets.
[[nodiscard]] std::string axis_label(std::string_view column);

// A metric on an axis: "log loss", "mae of progression (score)"; errors are in the target's units.
[[nodiscard]] std::string metric_label(std::string_view metric, std::string_view target);

// A series per entry of `names` that the log has, from the start to the end of training.
[[nodiscard]] report::Plot history_plot(const TrainingLog& log,
                                        const std::vector<std::string>& names,
                                        const std::string& value_label, bool logarithmic);

// The part of the plane that the points cover, with a margin.
struct Window {
  double left = 0;
  double right = 1;
  double bottom = 0;
  double top = 1;
};
template <Real T>
[[nodiscard]] Window window_of(const Dataset<T>& data, Index x, Index y);

// The model's predictions on a grid of the window, as boxes coloured by class or cluster, in
// stronger colours where it gives higher probabilities. Requires: two numeric columns.
template <Real T>
[[nodiscard]] std::vector<report::Box> decision_regions(const Pipeline<T>& model, Engine& engine,
                                                        const Window& window);

// One series per label, at most `most` points in all.
template <Real T>
[[nodiscard]] std::vector<report::Series> labelled_points(const Dataset<T>& data, Index x, Index y,
                                                          const std::vector<std::int32_t>& labels,
                                                          const std::vector<std::string>& names,
                                                          std::size_t most = 1500);

// A table with the cells shaded by their share of the row.
[[nodiscard]] std::string confusion_html(const Evaluation& evaluation);

}  // namespace tandem::program
