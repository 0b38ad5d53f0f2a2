// Compiled by itself, so that the files after it keep their places among six.
#include "tandem/component_figures.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/transform/pca.hpp"

namespace tandem::program {
namespace {

report::Plot variance_plot(const PrincipalAxes& axes) {
  report::Plot plot;
  plot.title = "explained variance";
  plot.x = {.label = "component", .whole_numbers = true};
  plot.y = {.label = "share of the variance", .from = 0, .to = 1.01};
  report::Series each{.label = "of the component", .points = {}, .mark = report::Mark::line_points};
  report::Series together{.label = "of it and those before",
                          .points = {},
                          .mark = report::Mark::line_points,
                          .colour = 2};
  double sum = 0;
  double number = 0;
  for (const double share : axes.explained_variance_ratio()) {
    sum += share;
    number += 1;
    each.points.push_back({number, share});
    together.points.push_back({number, sum});
  }
  plot.series = {std::move(each), std::move(together)};
  return plot;
}

std::string component_label(const PrincipalAxes& axes, std::size_t k) {
  return "pc" + std::to_string(k + 1) + ", " + readable(100 * axes.explained_variance_ratio()[k]) +
         " % of the variance";
}

// Where the model saw its columns as the step made them: their place, or −1.
template <Real T>
Index feature_place(const Dataset<T>& prepared, const std::string& name) {
  const auto found = std::ranges::find(prepared.columns, name, &Column::name);
  return found == prepared.columns.end() ? -1 : found - prepared.columns.begin();
}

// Lines from the middle, as long as the columns' weights are large, the longest as long as the rows
// reach; the longest few have their names.
void add_weights(report::Plot& plot, const PrincipalAxes& axes, const std::vector<Feature>& columns,
                 double reach) {
  std::vector<std::pair<double, Index>> order;
  for (Index j = 0; j < axes.features(); ++j) {
    order.emplace_back(-std::hypot(axes.components(0, j), axes.components(1, j)), j);
  }
  std::ranges::stable_sort(order);
  constexpr std::size_t most = 12;
  const double longest = -order.front().first;
  if (!(longest > 0)) return;
  report::Series line{.label = "weights of the columns", .points = {}, .colour = 0};
  for (std::size_t k = 0; k < std::min(order.size(), most); ++k) {
    const Index j = order[k].second;
    const double x = axes.components(0, j) * reach / longest;
    const double y = axes.components(1, j) * reach / longest;
    line.points.push_back({0, 0});
    line.points.push_back({x, y});
    line.points.push_back({NAN, NAN});
    plot.labels.push_back({x, y, axis_label(columns[static_cast<std::size_t>(j)].name)});
  }
  plot.series.push_back(std::move(line));
}

template <Real T>
report::Plot biplot(const PcaTransform<T>& step, const Pipeline<T>& model,
                    const Dataset<T>& prepared, Index x, Index y) {
  report::Plot plot;
  plot.title = "the rows along the first two principal components";
  plot.x.label = component_label(step.axes(), 0);
  plot.y.label = component_label(step.axes(), 1);
  std::vector<std::string> names{"rows"};
  std::vector<std::int32_t> labels(static_cast<std::size_t>(prepared.rows()), 0);
  constexpr std::size_t most_names = 40;
  if (model.model->task() == Task::classification && prepared.has_target() &&
      model.model->classes().size() <= most_names) {
    names = model.model->classes();
    labels = encode_classes(prepared, names).labels;
  }
  plot.series = labelled_points(prepared, x, y, labels, names);
  double reach = 0;
  for (Index i = 0; i < prepared.rows(); ++i) {
    reach = std::max({reach, std::abs(static_cast<double>(prepared.features(i, x))),
                      std::abs(static_cast<double>(prepared.features(i, y)))});
  }
  add_weights(plot, step.axes(), step.inputs(), reach);
  return plot;
}

}  // namespace

template <Real T>
void add_components(Figures& figures, const Pipeline<T>& model, const Dataset<T>& prepared) {
  const auto* const step = dynamic_cast<const PcaTransform<T>*>(model.transforms.find("pca"));
  if (step == nullptr) return;
  const PrincipalAxes& axes = step->axes();
  figures.add(variance_plot(axes),
              "The share of the variance of the " + counted(axes.features(), "column") +
                  " that lies along each principal component, and along all up to it.");
  const Index x = feature_place(prepared, "pc1");
  const Index y = feature_place(prepared, "pc2");
  if (x < 0 || y < 0) return;
  figures.add(biplot(*step, model, prepared, x, y),
              "The training rows along the first two principal components. The lines are the "
              "columns' weights in them, the longest drawn as long as the rows reach" +
                  std::string(axes.features() > 12 ? "; those of the 12 longest" : "") + ".");
}

template void add_components(Figures&, const Pipeline<float>&, const Dataset<float>&);
template void add_components(Figures&, const Pipeline<double>&, const Dataset<double>&);

}  // namespace tandem::program
