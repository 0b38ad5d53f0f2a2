// tandem select ALGORITHM --k FROM..TO
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "tandem/cluster/select_k.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

// "2..10", or "3" for a single one.
struct ClusterRange {
  Index lowest = 2;
  Index highest = 10;

  [[nodiscard]] static ClusterRange parse(std::string_view text) {
    const auto number = [&](std::string_view part) {
      Index value = 0;
      const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), value);
      if (status != std::errc{} || end != part.data() + part.size()) {
        throw InputError("'" + std::string(text) +
                         "' is not a range of whole numbers; expected one such as 2..10");
      }
      return value;
    };
    const auto dots = text.find("..");
    if (dots == std::string_view::npos) return {number(text), number(text)};
    const ClusterRange range{number(text.substr(0, dots)), number(text.substr(dots + 2))};
    if (range.lowest > range.highest) {
      throw InputError(std::string(text) +
                       " is empty: it begins after its end; write the smaller number first");
    }
    return range;
  }
  [[nodiscard]] std::string to_string() const {
    return std::to_string(lowest) + ".." + std::to_string(highest);
  }
};

std::set<std::string> names_of(const Archive& options) {
  std::set<std::string> names;
  for (const auto& [name, value] : options.entries()) names.insert(name);
  return names;
}

class Select final : public Command {
 public:
  explicit Select(std::unique_ptr<Algorithm> algorithm) : pipeline_(std::move(algorithm)) {
    if (pipeline_.algorithm().kind() != ModelKind::clusterer ||
        !pipeline_.algorithm().has_option("clusters")) {
      throw InputError("tandem select chooses a number of clusters, and " +
                       std::string(pipeline_.algorithm().name()) + " has none");
    }
    // select_k() fits by the options of k-means: an algorithm with others is another one.
    const auto visit = [this](OptionVisitor& visitor) { settings_.kmeans.visit(visitor); };
    if (names_of(record_options(visit)) != names_of(pipeline_.algorithm().options())) {
      throw InputError("tandem select chooses a number of clusters by k-means, and " +
                       std::string(pipeline_.algorithm().name()) + " is trained in another way");
    }
  }

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Selection");
    options.written({"clusters", "k", {"n_clusters"}}, range_, "numbers of clusters to try",
                    "FROM..TO");
    options.spell({"lowest", "k", {}});
    options.spell({"highest", "k", {}});
    // First how the numbers are judged, then how each of them is fitted.
    std::vector<std::string_view> of_fit{"lowest", "highest", "seed"};
    std::vector<std::string_view> of_rules{"lowest", "highest"};
    const std::vector<std::string> names =
        option_names([this](OptionVisitor& visitor) { settings_.visit(visitor); });
    for (const std::string& name : names) {
      (pipeline_.algorithm().has_option(name) ? of_fit : of_rules).push_back(name);
    }
    WithoutOptions rules(options, of_fit);
    settings_.visit(rules);
    options.group("Options of " + std::string(pipeline_.algorithm().name()));
    WithoutOptions fits(options, of_rules);
    settings_.visit(fits);
    add_step_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    report_.check(&data_);
    settings_.lowest = range_.lowest;
    settings_.highest = range_.highest;
    check_options(settings_);
    return with_precision(
        run_.precision, [&](auto type) { return run_as<typename decltype(type)::type>(options); });
  }

 private:
  template <Real T>
  int run_as(const OptionSet& options) {
    const auto engine = run_.make_engine();
    LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_);
    const auto transforms =
        TransformChain<T>::fit(data.train, pipeline_.steps(), Task::clustering, engine->threads());
    require_finite(data.train, false);
    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    control_options.estimates = true;
    ProgramControl control(control_options);
    const KSelection<T> selection = select_k(*engine, data.train, settings_, {.control = &control});
    control.finish();
    if (report_.asked()) {
      write_page(
          selection, data,
          "tandem select " + std::string(pipeline_.algorithm().name()) + " " + options.arguments(),
          describe(*engine, run_));
    }
    if (run_.json) {
      nlohmann::json json = nlohmann::json::parse(selection.to_json());
      add_run(json, pipeline_, *engine, run_, data_, data);
      for (std::size_t i = 0; i < selection.models.size(); ++i) {
        add_scores(json["candidates"][i], *engine, selection.models[i], data.train);
      }
      if (report_.asked()) json["report"] = report_.path();
      add_estimate(json, control);
      print_json(json);
    } else {
      print(run_to_text(pipeline_, *engine, run_, data_, data) + "\n" + selection.to_text() +
            report_.line());
    }
    return 0;
  }

  template <Real T>
  void write_page(const KSelection<T>& selection, const LoadedData<T>& data,
                  const std::string& command, const std::string& engine) const {
    report::Page page(
        "How many clusters in " + std::filesystem::path(data_.data.path).filename().string(),
        shape_to_text(data.train.rows(), data.train.cols()) + "; " + engine);
    page.section("", "Result");
    const auto answer = [](Index k) { return k > 0 ? "k = " + std::to_string(k) : "no answer"; };
    page.facts({{"elbow", answer(selection.by_elbow)},
                {"silhouette", answer(selection.by_silhouette)},
                {"gap statistic", answer(selection.by_gap)}});
    page.command(command);
    Figures figures;
    std::vector<std::vector<std::string>> rows{{"k", "inertia", "silhouette", "gap", "gap error"}};
    const auto draw = [&](const std::string& name, double KCandidate::*member, Index chosen,
                          const std::string& caption) {
      report::Plot plot;
      plot.title = name + " against the number of clusters";
      plot.x = {.label = "clusters", .whole_numbers = selection.candidates.size() <= 20};
      plot.y = {.label = name};
      report::Series line{.label = "", .points = {}, .mark = report::Mark::line_points};
      report::Series picked{.label = "chosen by this rule",
                            .points = {},
                            .mark = report::Mark::points,
                            .colour = 2,
                            .size = 2.6};
      bool known = false;
      for (const KCandidate& one : selection.candidates) {
        known = known || std::isfinite(one.*member);
        line.points.push_back({static_cast<double>(one.k), one.*member});
        if (one.k == chosen) picked.points.push_back(line.points.back());
      }
      if (!known) return;
      plot.series = {line};
      if (!picked.points.empty()) plot.series.push_back(picked);
      figures.add(plot, caption);
    };
    draw("inertia", &KCandidate::inertia, selection.by_elbow,
         "It falls with every cluster; the elbow is the point farthest below the line from the "
         "first to the last.");
    draw("silhouette", &KCandidate::silhouette, selection.by_silhouette,
         "How much nearer rows are to their own cluster than to the next: the most is best.");
    draw(
        "gap", &KCandidate::gap, selection.by_gap,
        "How much lower the logarithm of the inertia is than on rows without clusters: the first k "
        "that is within one error of the next.");
    page.figures(figures.take());
    const auto cell = [](double value) { return std::isfinite(value) ? readable(value) : "-"; };
    for (const KCandidate& one : selection.candidates) {
      rows.push_back({std::to_string(one.k), cell(one.inertia), cell(one.silhouette), cell(one.gap),
                      cell(one.gap_error)});
    }
    page.section("", "Numbers");
    page.table(rows);
    for (const std::string& remark : data.remarks) page.paragraph(remark);
    report_.write(page);
  }

  template <Real T>
  static void add_scores(nlohmann::json& json, Engine& engine, const KMeansModel<T>& model,
                         const Dataset<T>& data) {
    const auto labels = model.predict(engine, data.features.view()).labels;
    const auto clusters = model.centres.rows();
    if (clusters < 2 || clusters >= data.rows()) return;
    json["davies_bouldin"] = davies_bouldin<T>(engine, data.features.view(), labels);
    json["calinski_harabasz"] = calinski_harabasz<T>(engine, data.features.view(), labels);
  }

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  SelectKOptions settings_;
  ReportOption report_;
  ClusterRange range_;
};

}  // namespace

std::unique_ptr<Command> make_select(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Select>(std::move(algorithm));
}

}  // namespace tandem::program
