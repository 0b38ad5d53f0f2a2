#include "tandem/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/text.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

std::string axis_label(std::string_view column) {
  std::vector<std::string> words = split(column, '_');
  constexpr std::array<std::string_view, 8> units{"cm", "mm", "m", "kg", "g", "s", "years", "ms"};
  std::string unit;
  if (words.size() > 1 && std::find(units.begin(), units.end(), words.back()) != units.end()) {
    unit = " (" + words.back() + ")";
    words.pop_back();
  }
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text + unit;
}

std::string metric_label(std::string_view metric, std::string_view target) {
  std::string label = axis_label(metric);
  if (target.empty() || (metric != "mae" && metric != "rmse" && metric != "mse")) return label;
  return label + " of " + axis_label(target) + (metric == "mse" ? ", squared" : "");
}

report::Plot history_plot(const TrainingLog& log, const std::vector<std::string>& names,
                          const std::string& value_label, bool logarithmic) {
  report::Plot plot;
  plot.title = value_label + " during training";
  plot.x.label = "iteration";
  plot.y.label = value_label;
  plot.y.logarithmic = logarithmic;
  int colour = 1;
  for (const std::string& name : names) {
    const auto found = log.history.find(name);
    if (found == log.history.end() || found->second.empty()) continue;
    report::Series series;
    series.label = axis_label(name);
    series.colour = colour++;
    const auto& values = found->second;
    // More points than pixels are no help.
    const std::size_t step = std::max<std::size_t>(1, values.size() / 1000);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % step == 0 || i + 1 == values.size()) {
        series.points.push_back({static_cast<double>(i + 1), values[i]});
      }
    }
    if (values.size() == 1) series.mark = report::Mark::points;
    plot.series.push_back(std::move(series));
  }
  plot.key = plot.series.size() > 1;
  double last = 0;
  for (const report::Series& series : plot.series) last = std::max(last, series.points.back().x);
  plot.x.whole_numbers = last <= 20;
  return plot;
}

template <Real T>
Window window_of(const Dataset<T>& data, Index x, Index y) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Window window{infinity, -infinity, infinity, -infinity};
  for (Index i = 0; i < data.rows(); ++i) {
    const auto u = static_cast<double>(data.features(i, x));
    const auto v = static_cast<double>(data.features(i, y));
    if (!std::isfinite(u) || !std::isfinite(v)) continue;
    window.left = std::min(window.left, u);
    window.right = std::max(window.right, u);
    window.bottom = std::min(window.bottom, v);
    window.top = std::max(window.top, v);
  }
  if (!(window.left <= window.right)) return {};
  const double dx = window.right > window.left ? 0.06 * (window.right - window.left) : 1;
  const double dy = window.top > window.bottom ? 0.06 * (window.top - window.bottom) : 1;
  return {window.left - dx, window.right + dx, window.bottom - dy, window.top + dy};
}

template <Real T>
std::vector<report::Box> decision_regions(const Pipeline<T>& model, Engine& engine,
                                          const Window& window) {
  constexpr Index cells = 150;
  Dataset<T> grid;
  grid.source = "grid";
  grid.columns = model.schema.columns;
  grid.features = Matrix<T>(cells * cells, 2);
  const double dx = (window.right - window.left) / static_cast<double>(cells);
  const double dy = (window.top - window.bottom) / static_cast<double>(cells);
  for (Index i = 0; i < cells; ++i) {
    for (Index j = 0; j < cells; ++j) {
      grid.features(i * cells + j, 0) =
          static_cast<T>(window.left + (static_cast<double>(j) + 0.5) * dx);
      grid.features(i * cells + j, 1) =
          static_cast<T>(window.bottom + (static_cast<double>(i) + 0.5) * dy);
    }
  }
  const Predictions<T> predictions = model.predict(engine, std::move(grid));
  const auto& probabilities = predictions.probabilities;
  // Colour and strength of a cell; neighbours of the same kind are one box.
  const auto kind = [&](Index cell) -> std::pair<int, int> {
    const int label = predictions.labels[static_cast<std::size_t>(cell)];
    if (probabilities.empty()) return {label, 3};
    const auto p = static_cast<double>(probabilities(cell, label));
    const auto classes = static_cast<double>(probabilities.cols());
    const double sure = classes > 1 ? (p - 1 / classes) / (1 - 1 / classes) : 1;
    return {label, static_cast<int>(std::clamp(sure * 5, 0.0, 4.0))};
  };
  std::vector<report::Box> boxes;
  for (Index i = 0; i < cells; ++i) {
    for (Index j = 0; j < cells;) {
      const auto [label, strength] = kind(i * cells + j);
      const Index begin = j;
      while (j < cells && kind(i * cells + j) == std::pair{label, strength}) ++j;
      boxes.push_back({window.left + static_cast<double>(begin) * dx,
                       window.bottom + static_cast<double>(i) * dy,
                       window.left + static_cast<double>(j) * dx,
                       window.bottom + static_cast<double>(i + 1) * dy, label % 8 + 1,
                       0.07 + 0.055 * strength});
    }
  }
  std::stable_sort(boxes.begin(), boxes.end(), [](const auto& a, const auto& b) {
    return std::pair(a.colour, a.opacity) < std::pair(b.colour, b.opacity);
  });
  return boxes;
}

template <Real T>
std::vector<report::Series> labelled_points(const Dataset<T>& data, Index x, Index y,
                                            const std::vector<std::int32_t>& labels,
                                            const std::vector<std::string>& names,
                                            std::size_t most) {
  std::vector<report::Series> all(names.size());
  for (std::size_t c = 0; c < names.size(); ++c) {
    all[c].label = names[c];
    all[c].mark = report::Mark::points;
    all[c].colour = static_cast<int>(c % 8) + 1;
    // Eight colours and five shapes: forty classes are told apart, and neighbours by both.
    all[c].shape = static_cast<int>((c % 5 + c / 40) % 5);
    all[c].size = 1.15;
  }
  const std::size_t step = std::max<std::size_t>(1, (labels.size() + most - 1) / most);
  for (std::size_t i = 0; i < labels.size(); i += step) {
    if (labels[i] < 0) continue;
    const auto row = static_cast<Index>(i);
    all[static_cast<std::size_t>(labels[i])].points.push_back(
        {static_cast<double>(data.features(row, x)), static_cast<double>(data.features(row, y))});
  }
  return all;
}

std::string confusion_html(const Evaluation& evaluation) {
  const auto classes = evaluation.confusion.classes();
  std::size_t longest = 0;
  for (const auto& name : evaluation.class_names) longest = std::max(longest, name.size());
  // More than a few columns take the width of the page; long names above narrow columns stand
  // upright.
  const bool upright = classes > 4 && longest > 10;
  std::string html = "<div class=\"table confusion" +
                     std::string(classes > 12 || (classes > 6 && longest > 10) ? " wide" : "") +
                     std::string(upright ? " upright" : "") +
                     "\"><table>\n<caption>rows: true class; columns: predicted "
                     "class</caption>\n<thead><tr><th></th>";
  for (const auto& name : evaluation.class_names) {
    html += "<th scope=\"col\">" + report::escape(name) + "</th>";
  }
  html += "</tr></thead>\n<tbody>\n";
  for (Index i = 0; i < classes; ++i) {
    double total = 0;
    for (Index j = 0; j < classes; ++j) total += evaluation.confusion.counts(i, j);
    html += "<tr><th scope=\"row\">" +
            report::escape(evaluation.class_names[static_cast<std::size_t>(i)]) + "</th>";
    for (Index j = 0; j < classes; ++j) {
      const double count = evaluation.confusion.counts(i, j);
      const int share = total > 0 ? static_cast<int>(std::lround(count / total * 55)) : 0;
      html += "<td style=\"background:color-mix(in srgb,var(--series-" +
              std::string(i == j ? "1" : "2") + ") " + std::to_string(share) + "%,transparent)\">" +
              readable(count) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

template Window window_of(const Dataset<float>&, Index, Index);
template Window window_of(const Dataset<double>&, Index, Index);
template std::vector<report::Box> decision_regions(const Pipeline<float>&, Engine&, const Window&);
template std::vector<report::Box> decision_regions(const Pipeline<double>&, Engine&, const Window&);
template std::vector<report::Series> labelled_points(const Dataset<float>&, Index, Index,
                                                     const std::vector<std::int32_t>&,
                                                     const std::vector<std::string>&, std::size_t);
template std::vector<report::Series> labelled_points(const Dataset<double>&, Index, Index,
                                                     const std::vector<std::int32_t>&,
                                                     const std::vector<std::string>&, std::size_t);

}  // namespace tandem::program
