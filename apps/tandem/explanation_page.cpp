// The pictures of `tandem explain`.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/text.hpp"
#include "tandem/explanation.hpp"
#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/result_page.hpp"

namespace tandem::program {
namespace {

std::size_t place(Index i) { return static_cast<std::size_t>(i); }

constexpr Index most_rows_of_swarm = 400;
constexpr Index most_points = 1500;
constexpr Index most_curves = 16;  // eight colours, each of them dashed too

// Every how many rows one is drawn, where `most` are drawn.
Index step_of(Index rows, Index most) { return std::max<Index>(1, (rows + most - 1) / most); }
std::string one_in(Index step) {
  return step > 1 ? " (one in " + std::to_string(step) + " is drawn)" : "";
}

// A name that fits beside a picture.
std::string short_name(const std::string& name) { return shortened(axis_label(name), 22); }

// Horizontal bars of the `most` largest values that are not 0, the longest on top; `spread` may be
// empty.
report::Plot bars(const std::string& title, const std::string& label,
                  const std::vector<std::string>& names, const std::vector<double>& values,
                  const std::vector<double>& spread, int colour, std::size_t most) {
  report::Plot plot;
  plot.title = title;
  plot.x.label = label;
  std::vector<Index> order = order_of(values);
  std::erase_if(order, [&](Index j) { return values[place(j)] == 0; });
  if (order.empty()) order = order_of(values);
  order.resize(std::min(order.size(), most));
  const auto count = static_cast<double>(order.size());
  plot.y.from = 0.4;
  plot.y.to = count + 0.6;
  plot.height = static_cast<int>(90 + 24 * order.size());
  plot.key = false;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double y = count - static_cast<double>(k);
    const std::size_t j = place(order[k]);
    plot.y.ticks.emplace_back(y, short_name(names[j]));
    if (std::isnan(values[j])) continue;
    plot.boxes.push_back(
        {std::min(0.0, values[j]), y - 0.32, std::max(0.0, values[j]), y + 0.32, colour, 0.85});
    if (!spread.empty()) {
      plot.series.push_back({.label = "",
                             .points = {{values[j] - spread[j], y}, {values[j] + spread[j], y}},
                             .colour = 0,
                             .size = 0.7});
    }
  }
  // The axis that bars begin at.
  plot.series.push_back(
      {.label = "", .points = {{0, 0.4}, {0, count + 0.6}}, .colour = -1, .size = 0.4});
  return plot;
}

// "; 3 others nothing", of features that have no bar.
std::string zeros(const std::vector<double>& values) {
  const auto none = std::ranges::count(values, 0.0);
  if (none == 0 || none == std::ssize(values)) return "";
  return "; " + counted(none, "other") + " nothing";
}

// The thirds of a feature's values: 0 low, 1 middle, 2 high; 3 missing.
template <Real T>
std::vector<int> thirds(const Dataset<T>& data, Index feature) {
  std::vector<T> known;
  for (Index i = 0; i < data.rows(); ++i) {
    if (!std::isnan(data.features(i, feature))) known.push_back(data.features(i, feature));
  }
  std::ranges::sort(known);
  std::vector<int> third(place(data.rows()), 3);
  if (known.empty()) return third;
  // By distinct values where there are few, so that 0 and 1 are low and high.
  std::vector<T> levels = known;
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  const std::vector<T>& scale = levels.size() <= 12 ? levels : known;
  const T low = scale[(scale.size() - 1) / 3];
  const T high = scale[scale.size() - 1 - (scale.size() - 1) / 3];
  for (Index i = 0; i < data.rows(); ++i) {
    const T value = data.features(i, feature);
    if (std::isnan(value)) continue;
    third[place(i)] = scale.size() == 1 ? 1 : value <= low ? 0 : value >= high ? 2 : 1;
  }
  return third;
}

std::vector<report::Series> third_series() {
  return {{.label = "low", .mark = report::Mark::points, .colour = 1, .size = 0.8},
          {.label = "middle", .mark = report::Mark::points, .colour = -1, .size = 0.8},
          {.label = "high", .mark = report::Mark::points, .colour = 2, .size = 0.8},
          {.label = "missing", .mark = report::Mark::points, .colour = 0, .shape = 4, .size = 0.8}};
}

void drop_empty(std::vector<report::Series>& series) {
  std::erase_if(series, [](const report::Series& one) { return one.points.empty(); });
}

}  // namespace

// Points are moved apart where they are many.
template <Real T>
report::Plot shap_swarm(const Explanation<T>& found, std::size_t most) {
  std::vector<Index> order = order_of(found.trees->magnitude);
  const Index first = order.front();
  std::erase_if(order,
                [&](Index f) { return f != first && !(found.trees->magnitude[place(f)] > 0); });
  const ShapValues& shap = found.trees->shap;
  report::Plot plot;
  plot.title = "Shapley values of each row, by feature";
  plot.x.label = "added to the score of " + found.output_name;
  const std::size_t count = std::min({order.size(), most, std::size_t{15}});
  plot.y.from = 0.4;
  plot.y.to = static_cast<double>(count) + 0.6;
  plot.height = static_cast<int>(110 + 30 * count);
  plot.series = third_series();
  const Index rows = found.sample.rows();
  const Index step = step_of(rows, most_rows_of_swarm);
  double low = 0;
  double high = 0;
  for (std::size_t k = 0; k < count; ++k) {
    for (Index i = 0; i < rows; i += step) {
      low = std::min(low, shap(i, found.output, order[k]));
      high = std::max(high, shap(i, found.output, order[k]));
    }
  }
  const double width = high > low ? (high - low) / 90 : 1;
  for (std::size_t k = 0; k < count; ++k) {
    const Index feature = order[k];
    const double y = static_cast<double>(count - k);
    plot.y.ticks.emplace_back(y, short_name(found.model.feature_names()[place(feature)]));
    const auto third = thirds(found.prepared, feature);
    std::vector<Index> in_bin(100, 0);
    const auto bin = [&](Index i) {
      return static_cast<std::size_t>((shap(i, found.output, feature) - low) / width);
    };
    Index fullest = 1;
    for (Index i = 0; i < rows; i += step) fullest = std::max(fullest, ++in_bin[bin(i)]);
    const double apart = std::min(0.07, 0.76 / static_cast<double>(fullest));
    std::vector<Index> placed(in_bin.size(), 0);
    for (Index i = 0; i < rows; i += step) {
      const Index number = placed[bin(i)]++;
      const double away = static_cast<double>((number + 1) / 2) * apart;
      plot.series[static_cast<std::size_t>(third[place(i)])].points.push_back(
          {shap(i, found.output, feature), y + (number % 2 == 0 ? -away : away)});
    }
  }
  drop_empty(plot.series);
  plot.series.insert(
      plot.series.begin(),
      {.label = "", .points = {{0, *plot.y.from}, {0, *plot.y.to}}, .colour = -1, .size = 0.4});
  return plot;
}

template <Real T>
report::Plot shap_dependence(const Explanation<T>& found, Index feature, std::string& other_name) {
  const ShapValues& shap = found.trees->shap;
  const auto names = found.model.feature_names();
  report::Plot plot;
  plot.x.label = axis_label(names[place(feature)]);
  plot.y.label = "added to the score of " + found.output_name;
  plot.title = plot.y.label + ", by " + plot.x.label;
  std::optional<Index> other;
  if (found.trees->interactions) {
    double most = 0;
    for (Index g = 0; g < shap.features; ++g) {
      if (g == feature) continue;
      double sum = 0;
      for (Index i = 0; i < found.sample.rows(); ++i) {
        sum += std::abs((*found.trees->interactions)(i, found.output, feature, g));
      }
      if (sum > most) {
        most = sum;
        other = g;
      }
    }
  }
  plot.series = third_series();
  const auto third =
      other ? thirds(found.prepared, *other) : std::vector<int>(place(found.prepared.rows()), 0);
  if (other) {
    other_name = names[place(*other)];
    // A key of three names has room for short ones.
    for (report::Series& one : plot.series) {
      one.label = shortened(axis_label(other_name), 14) + " " + one.label;
    }
  } else {
    plot.key = false;
  }
  const auto& categories = found.model.features()[place(feature)].categories;
  for (std::size_t c = 0; c < categories.size() && categories.size() <= 12; ++c) {
    plot.x.ticks.emplace_back(static_cast<double>(c), short_name(categories[c]));
  }
  const Index step = step_of(found.prepared.rows(), most_points);
  for (Index i = 0; i < found.prepared.rows(); i += step) {
    const double x = found.model.transforms.unscale(
        feature, static_cast<double>(found.prepared.features(i, feature)));
    plot.series[static_cast<std::size_t>(third[place(i)])].points.push_back(
        {x, shap(i, found.output, feature)});
  }
  drop_empty(plot.series);
  return plot;
}

namespace {

template <Real T>
report::Plot partial_plot(const Explanation<T>& found, Index column,
                          const PartialDependence& curve) {
  const auto& classes = found.model.model->classes();
  const std::string name = axis_label(found.sample.columns[place(column)].name);
  report::Plot plot;
  plot.x.label = name;
  plot.y.label =
      classes.empty() ? "mean " + axis_label(found.model.schema.target.name) : "mean probability";
  plot.title = plot.y.label + ", by " + name;
  const auto& categories = found.sample.columns[place(column)].categories;
  for (std::size_t c = 0; c < categories.size() && categories.size() <= 12; ++c) {
    plot.x.ticks.emplace_back(static_cast<double>(c), short_name(categories[c]));
  }
  for (Index k = 0; k < curve.mean.cols(); ++k) {
    if (classes.size() == 2 && k == 0) continue;  // one minus the other
    if (k >= most_curves) break;
    report::Series line;
    line.label = classes.empty() ? "" : classes[place(k)];
    line.mark = curve.grid.size() <= 12 ? report::Mark::line_points : report::Mark::line;
    line.colour = static_cast<int>(plot.series.size() % 8) + 1;
    line.dashed = plot.series.size() >= 8;
    for (std::size_t p = 0; p < curve.grid.size(); ++p) {
      line.points.push_back({curve.grid[p], curve.mean(static_cast<Index>(p), k)});
    }
    plot.series.push_back(std::move(line));
  }
  return plot;
}

}  // namespace

template <Real T>
void add_explanation(report::Page& page, const Explanation<T>& found, const std::string& command,
                     std::size_t most) {
  Figures figures;
  page.section("", "Which features matter");
  page.command(command);
  if (found.trees) {
    const TreeExplanation& said = *found.trees;
    const auto names = found.model.feature_names();
    figures.add(
        bars("mean magnitude of Shapley values", "mean |SHAP|", names, said.magnitude, {}, 1, most),
        "What each feature adds to or takes from the raw score, on average" +
            zeros(said.magnitude) + ".");
    figures.add(bars("share of the gain of each feature", "share of the gain", names,
                     said.gain_shares(), {}, 3, most),
                "What the splits of each feature gained in training, as a share of all gains. "
                "Features of many distinct values have many chances to gain by luck.");
  }
  if (found.permutation) {
    const PermutationImportance& said = *found.permutation;
    std::vector<std::string> names;
    for (const Column& column : found.sample.columns) names.push_back(column.name);
    figures.add(
        bars("permutation importance", "loss of " + axis_label(said.metric), names, said.mean,
             said.deviation, 4, most),
        "By how much " + said.metric + " (" + readable(said.baseline) +
            " on these rows) gets worse where a column is shuffled; the lines are one deviation "
            "over " +
            counted(said.drops.cols(), "repeat") + " to either side.");
  }
  page.figures(figures.take());

  if (found.trees) {
    page.section("", "Row by row");
    const auto order = order_of(found.trees->magnitude);
    const Index rows = found.sample.rows();
    figures.add(shap_swarm(found, most),
                "Each point is a row" + one_in(step_of(rows, most_rows_of_swarm)) +
                    ": what the feature adds to its score. Colours tell low, middle and high "
                    "values of the feature apart; points are moved up and down to be seen.");
    for (std::size_t k = 0; k < std::min<std::size_t>(order.size(), 3); ++k) {
      if (!(found.trees->magnitude[place(order[k])] > 0)) break;
      std::string other;
      const report::Plot plot = shap_dependence(found, order[k], other);
      figures.add(plot, "What the feature adds, by its value" + one_in(step_of(rows, most_points)) +
                            (other.empty() ? ". Rows of equal value differ by what the other "
                                             "features make of it."
                                           : ". Colours are thirds of " + axis_label(other) +
                                                 ", which it does most together with."));
    }
    page.figures(figures.take());
  }
  if (found.dependence.empty()) return;
  page.section("", "Partial dependence");
  for (const auto& [column, curve] : found.dependence) {
    figures.add(partial_plot(found, column, curve),
                "The mean prediction where " +
                    axis_label(found.sample.columns[place(column)].name) +
                    " has this value in all rows, which other features may make unlikely." +
                    (curve.mean.cols() > most_curves
                         ? " The first " + std::to_string(most_curves) + " of " +
                               std::to_string(curve.mean.cols()) + " classes are drawn."
                         : ""));
  }
  page.figures(figures.take());
}

#define TANDEM_INSTANTIATE(T)                                                             \
  template report::Plot shap_swarm(const Explanation<T>&, std::size_t);                   \
  template report::Plot shap_dependence(const Explanation<T>&, Index, std::string&);      \
  template void add_explanation(report::Page&, const Explanation<T>&, const std::string&, \
                                std::size_t);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::program
