// The story of k-means: how many kinds are there?
#include <algorithm>
#include <numeric>
#include <utility>

#include "tandem/cluster/select_k.hpp"
#include "tandem/demo/storybook.hpp"
#include "tandem/figures.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/model_figures.hpp"

namespace tandem::program {
namespace {

using report::Mark;
using report::Page;
using report::Plot;
using report::Point;
using report::Series;

}  // namespace

void Storybook::clusters(Page& page) {
  tell("4/8 how many kinds");
  page.section("4", "How many kinds are there?");
  page.paragraph(
      "Nobody tells k-means the species. It only moves k centres until each is in the middle of "
      "the flowers nearest to it. But how many centres? With more of them the distances always "
      "shrink, so look for the elbow: the k after which another centre buys little.");
  page.paragraph(
      "The silhouette asks each flower whether it is closer to its own cluster than to the next "
      "one, from −1 to 1. It votes for two, the botanist for three: the machine sees two clouds, "
      "because versicolor and virginica touch. A number answers a question, and it may not be "
      "yours.");
  page.command("tandem select kmeans --data data/iris.csv --k 2..5");
  std::vector<Page::Figure> maps;
  Series elbow{.label = "", .mark = Mark::line_points, .colour = 1, .size = 1.4};
  Series bars{.label = "", .mark = Mark::bars, .colour = 3};
  std::vector<std::vector<std::string>> rows{
      {"k", "inertia (cm²)", "silhouette", "agrees with the species (adjusted Rand)"}};
  const Recipe three{"kmeans",
                     {"--data", choices_.data + "/iris.csv", "--k", "3", "--starts", "50"}};
  const RecipeRun run = train(three);
  SelectKOptions options;
  options.lowest = 2;
  options.highest = 5;
  options.gap = false;
  const auto view = std::as_const(run.data.features).view();
  const KSelection<double> selection = select_k(*run.engine, run.data, options);
  const auto species = encode_classes(run.data).labels;
  for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
    const KCandidate& one = selection.candidates[i];
    const auto labels = selection.models[i].predict(*run.engine, view).labels;
    const auto k = static_cast<double>(one.k);
    elbow.points.push_back({k, one.inertia});
    bars.points.push_back({k, one.silhouette});
    rows.push_back({std::to_string(one.k), fixed(one.inertia, 4), fixed(one.silhouette, 4),
                    fixed(adjusted_rand(species, labels), 4)});
    figures_["4 clusters"]["inertia"][std::to_string(one.k)] = one.inertia;
    figures_["4 clusters"]["silhouette"][std::to_string(one.k)] = one.silhouette;
    maps.push_back(cluster_map(run, labels, static_cast<int>(one.k), one.silhouette));
  }
  page.figures(maps);
  Plot elbow_plot;
  elbow_plot.title = "inertia by the number of clusters";
  elbow_plot.x = {.label = "clusters k", .from = 1.7, .to = 5.3, .whole_numbers = true};
  elbow_plot.y = {.label = "inertia (cm²)", .from = 0};
  elbow_plot.series = {elbow};
  elbow_plot.height = 300;
  Plot bar_plot;
  bar_plot.title = "mean silhouette by the number of clusters";
  bar_plot.x = {.label = "clusters k", .from = 1.4, .to = 5.6, .whole_numbers = true};
  bar_plot.y = {.label = "mean silhouette", .from = 0, .to = 0.8};
  bar_plot.series = {bars};
  bar_plot.height = 300;
  for (const Point& p : bars.points) {
    bar_plot.labels.push_back({p.x, p.y + 0.035, fixed(p.y, 3)});
  }
  page.figures({{svg(elbow_plot),
                 "The elbow: from 2 to 3 the distances fall by half, after "
                 "that by little."},
                {svg(bar_plot), "The silhouette: how much at home the flowers are."}});
  page.table(rows);
  compare(page, "4 clusters", three, run);
}

report::Page::Figure Storybook::cluster_map(const RecipeRun& run, std::vector<std::int32_t> labels,
                                            int k, double score) {
  const auto clusters = static_cast<std::size_t>(k);
  std::vector<Point> centres(clusters);
  std::vector<double> counts(clusters, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto c = static_cast<std::size_t>(labels[i]);
    centres[c].x += run.data.features(static_cast<Index>(i), 2);
    centres[c].y += run.data.features(static_cast<Index>(i), 3);
    counts[c] += 1;
  }
  for (std::size_t c = 0; c < clusters; ++c) {
    centres[c].x /= counts[c];
    centres[c].y /= counts[c];
  }
  // Colours from left to right, so that they mean the same in all four pictures.
  std::vector<std::size_t> order(clusters);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return centres[a].x < centres[b].x; });
  std::vector<std::int32_t> place(clusters);
  for (std::size_t c = 0; c < clusters; ++c) place[order[c]] = static_cast<std::int32_t>(c);
  for (auto& label : labels) label = place[static_cast<std::size_t>(label)];
  Plot plot;
  plot.title = std::to_string(k) + " clusters of iris by petal length and width";
  plot.x.label = axis_label(run.data.columns[2].name);
  plot.y.label = axis_label(run.data.columns[3].name);
  plot.height = 290;
  plot.series = labelled_points(run.data, 2, 3, labels, std::vector<std::string>(clusters));
  plot.series.push_back(
      {.label = "", .points = centres, .mark = Mark::points, .colour = 0, .shape = 4, .size = 3});
  plot.key = false;
  return {svg(plot), "k = " + std::to_string(k) + ", silhouette " + fixed(score, 3) +
                         "; crosses are the centres."};
}

}  // namespace tandem::program
