// tandem select kmeans --k FROM..TO
#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "tandem/cluster/select_k.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/output.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

constexpr std::int64_t most_clusters = std::int64_t{1} << 30;

// "2..10", or "3" for a single one.
std::pair<Index, Index> parse_range(const std::string& text) {
  const auto number = [&](std::string_view part) {
    std::int64_t value = 0;
    const auto [end, status] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (status != std::errc{} || end != part.data() + part.size() || value < 1 ||
        value > most_clusters) {
      throw InputError("--k: '" + text +
                       "' is not a range of whole numbers; expected one such as " + "2..10");
    }
    return value;
  };
  const auto dots = text.find("..");
  if (dots == std::string::npos) return {number(text), number(text)};
  const std::pair<Index, Index> range{number(std::string_view(text).substr(0, dots)),
                                      number(std::string_view(text).substr(dots + 2))};
  if (range.first > range.second) {
    throw InputError("--k: " + text + " is empty: it begins after its end");
  }
  return range;
}

class Select final : public Command {
 public:
  explicit Select(std::unique_ptr<Algorithm> algorithm) : algorithm_(std::move(algorithm)) {
    if (algorithm_->name() != "kmeans") {
      throw InputError("tandem select chooses a number of clusters, and " +
                       std::string(algorithm_->name()) +
                       " has none; expected tandem select kmeans --k 2..10 --data FILE");
    }
  }

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Selection");
    options.text("k", range_, "numbers of clusters to try, such as 2..10");
    options.flag("silhouette", settings_.silhouette, "the silhouette (rows squared work)");
    options.integer("silhouette-rows", settings_.silhouette_rows,
                    "of more rows than this, that many are drawn for the silhouette; 0: all", 0,
                    INT64_MAX);
    options.flag("gap", settings_.gap, "the gap statistic");
    options.integer("references", settings_.reference_sets,
                    "sets of uniform random rows for the gap statistic", 2, 10000);
    options.group("Options of kmeans");
    static constexpr std::array<std::string_view, 3> inits{"k-means++", "k-means||", "random"};
    options.choice("init", init_, "how the first centres are found", inits);
    options.integer("starts", settings_.kmeans.starts,
                    "runs from different first centres, of which the best is kept", 1, 1000000);
    options.integer("max-iterations", settings_.kmeans.max_iterations, "most iterations of a start",
                    1, std::int64_t{1} << 40);
    options.real("tolerance", settings_.kmeans.tolerance,
                 "stop when the squared moves of the centres, added up, are at most this part of "
                 "the mean variance of the features",
                 0, 1e300);
    preprocess_.add_options(options, *algorithm_);
    run_.add_options(options, true);
  }

  int run(const OptionSet& /*options*/) override {
    return with_precision(parse_precision(run_.precision),
                          [&](auto type) { return run_as<typename decltype(type)::type>(); });
  }

 private:
  template <Real T>
  [[nodiscard]] SelectKOptions<T> make_options() const {
    SelectKOptions<T> options;
    std::tie(options.lowest, options.highest) = parse_range(range_);
    options.silhouette = settings_.silhouette;
    options.silhouette_rows = settings_.silhouette_rows;
    options.gap = settings_.gap;
    options.reference_sets = settings_.reference_sets;
    options.kmeans.init = parse_kmeans_init(init_);
    options.kmeans.starts = settings_.kmeans.starts;
    options.kmeans.max_iterations = settings_.kmeans.max_iterations;
    options.kmeans.tolerance = settings_.kmeans.tolerance;
    options.kmeans.seed = static_cast<std::uint64_t>(run_.seed);
    return options;
  }

  template <Real T>
  int run_as() {
    const SelectKOptions<T> options = make_options<T>();
    const auto engine = run_.make_engine();
    LoadedData<T> data = load_data<T>(run_, data_, nullptr, *algorithm_);
    data.train =
        Preprocessor<T>::fit_transform(std::move(data.train), preprocess_.make(), engine->threads())
            .data;
    require_finite(data.train, false);
    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    ProgramControl control(control_options);
    const KSelection<T> selection = select_k<T>(*engine, data.train.features.view(), options,
                                                std::span<const T>(data.train.weights), control);
    control.finish();
    if (run_.json) {
      nlohmann::json json = selection.to_json();
      json["algorithm"] = algorithm_->name();
      json["device"] = to_string(engine->device());
      json["numerics"] = to_string(engine->numerics());
      json["precision"] = to_string(precision_of<T>);
      json["seed"] = run_.seed;
      json["data"] = data_.data;
      json["rows"] = data.train.rows();
      json["features"] = data.train.cols();
      for (std::size_t i = 0; i < selection.models.size(); ++i) {
        add_scores(json["candidates"][i], *engine, selection.models[i], data.train);
      }
      print_json(json);
    } else {
      std::string text = "kmeans on " + data_.data + ": " +
                         shape_to_text(data.train.rows(), data.train.cols()) + "\n\n  run       " +
                         describe(*engine, run_) + "\n";
      if (data.train.has_target()) {
        text += "  target    " + data.train.target_column.name + " (" + data.target_rule + ")\n";
      }
      print(text + "\n" + selection.to_text());
    }
    return 0;
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

  std::unique_ptr<Algorithm> algorithm_;
  RunSettings run_;
  DataSettings data_;
  PreprocessSettings preprocess_;
  SelectKOptions<double> settings_;
  std::string init_ = "k-means++";
  std::string range_ = "2..10";
};

}  // namespace

std::unique_ptr<Command> make_select(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Select>(std::move(algorithm));
}

}  // namespace tandem::program
