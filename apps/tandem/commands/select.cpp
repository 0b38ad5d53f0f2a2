// tandem select kmeans --k FROM..TO
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/random.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/output.hpp"
#include "tandem/recipe.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

// Passes on all options but one.
class Without final : public OptionVisitor {
 public:
  Without(OptionVisitor& to, std::string_view name) : to_(to), name_(name) {}
  void integer(std::string_view name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override {
    if (name != name_) to_.integer(name, value, help, lowest, highest);
  }
  void real(std::string_view name, double& value, std::string_view help, double lowest,
            double highest) override {
    to_.real(name, value, help, lowest, highest);
  }
  void flag(std::string_view name, bool& value, std::string_view help) override {
    to_.flag(name, value, help);
  }
  void choice(std::string_view name, std::string& value, std::string_view help,
              std::span<const std::string_view> choices) override {
    to_.choice(name, value, help, choices);
  }
  void integers(std::string_view name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override {
    to_.integers(name, value, help, lowest, highest);
  }
  void reals(std::string_view name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override {
    to_.reals(name, value, help, lowest, highest);
  }
  void text(std::string_view name, std::string& value, std::string_view help) override {
    to_.text(name, value, help);
  }

 private:
  OptionVisitor& to_;
  std::string_view name_;
};

std::int64_t parse_k(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || value < 2) {
    throw InputError("--k: '" + std::string(text) +
                     "' is not a whole number of at least 2; expected a range such as 2..10, or a "
                     "list such as 2,3,5");
  }
  return value;
}

// "2..10" or "2,3,5", ascending.
std::vector<std::int64_t> parse_range(const std::string& text) {
  std::vector<std::int64_t> all;
  const auto dots = text.find("..");
  if (dots != std::string::npos) {
    const std::int64_t from = parse_k(std::string_view(text).substr(0, dots));
    const std::int64_t to = parse_k(std::string_view(text).substr(dots + 2));
    if (to < from || to - from > 10000) {
      throw InputError("--k: " + text + " is no range of up to 10000 numbers, such as 2..10");
    }
    for (std::int64_t k = from; k <= to; ++k) all.push_back(k);
    return all;
  }
  for (const auto& part : split(text, ',')) all.push_back(parse_k(part));
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

struct Candidate {
  std::int64_t k = 0;
  double inertia = 0;
  double silhouette = NAN;
  double davies_bouldin = NAN;
  double calinski_harabasz = NAN;
  double gap = NAN;        // mean of log(inertia of the references) − log(inertia)
  double gap_error = NAN;  // its deviation · √(1 + 1/references)
};

class Select final : public Command {
 public:
  explicit Select(std::unique_ptr<Algorithm> algorithm) : algorithm_(std::move(algorithm)) {
    if (!has_option(*algorithm_, "k")) {
      throw InputError("tandem select chooses a number of clusters, and " +
                       std::string(algorithm_->name()) +
                       " has none; expected tandem select kmeans --k 2..10 --data FILE");
    }
  }

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Selection");
    options.text("k", range_, "numbers of clusters to try: a range such as 2..10, or a list");
    options.integer("references", references_,
                    "sets of uniform random rows for the gap statistic; 0 leaves it out", 0, 10000);
    options.flag("silhouette", silhouette_, "the silhouette (rows squared work)");
    options.group("Options of " + std::string(algorithm_->name()));
    Without others(options, "k");
    algorithm_->visit_options(others);
    preprocess_.add_options(options, *algorithm_);
    run_.add_options(options, true);
  }

  int run(const OptionSet& /*options*/) override {
    ks_ = parse_range(range_);
    return with_precision(parse_precision(run_.precision),
                          [&](auto type) { return run_as<typename decltype(type)::type>(); });
  }

 private:
  template <Real T>
  int run_as() {
    const auto engine = run_.make_engine();
    LoadedData<T> data = load_data<T>(run_, data_, nullptr, *algorithm_);
    auto fitted = Preprocessor<T>::fit_transform(std::move(data.train), preprocess_.make(),
                                                 engine->threads());
    data.train = std::move(fitted.data);
    require_finite(data.train, false);
    std::vector<Dataset<T>> references;
    for (std::int64_t b = 0; b < references_; ++b) references.push_back(uniform(data.train, b));
    for (const std::int64_t k : ks_)
      candidates_.push_back(measure(*engine, data.train, k, references));
    if (run_.json) {
      print_json(to_json(*engine, data));
    } else {
      print(to_text(*engine, data));
    }
    return 0;
  }

  // As many rows, uniform on the box that the data fill (Tibshirani, Walther and Hastie,
  // "Estimating the number of clusters in a data set via the gap statistic", JRSS B 63, 2001,
  // choice a).
  template <Real T>
  Dataset<T> uniform(const Dataset<T>& data, std::int64_t stream) const {
    const Random random(static_cast<std::uint64_t>(run_.seed), Purpose::reference_distribution,
                        static_cast<std::uint32_t>(stream));
    Dataset<T> reference;
    reference.source = "reference";
    reference.columns = data.columns;
    reference.features = Matrix<T>(data.rows(), data.cols());
    for (Index j = 0; j < data.cols(); ++j) {
      T low = data.features(0, j);
      T high = low;
      for (Index i = 0; i < data.rows(); ++i) {
        low = std::min(low, data.features(i, j));
        high = std::max(high, data.features(i, j));
      }
      for (Index i = 0; i < data.rows(); ++i) {
        const double share = random.uniform(static_cast<std::uint64_t>(i * data.cols() + j));
        reference.features(i, j) =
            static_cast<T>(static_cast<double>(low) +
                           share * (static_cast<double>(high) - static_cast<double>(low)));
      }
    }
    return reference;
  }

  template <Real T>
  std::unique_ptr<Model<T>> fit(Engine& engine, const Dataset<T>& data, std::int64_t k) {
    check_interrupt();
    set_options(*algorithm_, {"--k=" + std::to_string(k)});
    algorithm_->set_seed(static_cast<std::uint64_t>(run_.seed));
    algorithm_->check_options();
    ControlOptions options;
    options.quiet = run_.quiet;
    ProgramControl control(options);
    return algorithm_->fit(engine, data, nullptr, control);
  }

  template <Real T>
  Candidate measure(Engine& engine, const Dataset<T>& data, std::int64_t k,
                    const std::vector<Dataset<T>>& references) {
    Candidate candidate;
    candidate.k = k;
    const auto model = fit(engine, data, k);
    const auto labels = model->predict(engine, data.features.view()).labels;
    candidate.inertia = model->own_metrics(engine, data.features.view()).at("inertia");
    if (k < data.rows()) {
      const auto view = data.features.view();
      if (silhouette_) candidate.silhouette = silhouette<T>(engine, view, labels);
      candidate.davies_bouldin = davies_bouldin<T>(view, labels, engine.threads());
      candidate.calinski_harabasz = calinski_harabasz<T>(view, labels, engine.threads());
    }
    if (references.empty() || candidate.inertia <= 0) return candidate;
    double sum = 0;
    double squares = 0;
    std::vector<double> logs;
    for (const Dataset<T>& reference : references) {
      const auto other = fit(engine, reference, k);
      logs.push_back(
          math::log(other->own_metrics(engine, reference.features.view()).at("inertia")));
      sum += logs.back();
    }
    const auto count = static_cast<double>(logs.size());
    const double mean = sum / count;
    for (const double value : logs) squares += (value - mean) * (value - mean);
    candidate.gap = mean - math::log(candidate.inertia);
    candidate.gap_error = std::sqrt(squares / count) * std::sqrt(1 + 1 / count);
    return candidate;
  }

  // The k that each criterion would take; 0 where it says nothing.
  [[nodiscard]] std::int64_t best(double Candidate::*value, bool largest) const {
    std::int64_t k = 0;
    double extreme = 0;
    for (const Candidate& one : candidates_) {
      if (std::isnan(one.*value)) continue;
      if (k == 0 || (largest ? one.*value > extreme : one.*value < extreme)) {
        extreme = one.*value;
        k = one.k;
      }
    }
    return k;
  }

  // The point of the inertia curve that lies furthest below the line from its first to its last
  // point (Satopää et al., "Finding a kneedle in a haystack", ICDCS workshops 2011).
  [[nodiscard]] std::int64_t elbow() const {
    if (candidates_.size() < 3) return 0;
    const Candidate& first = candidates_.front();
    const Candidate& last = candidates_.back();
    std::int64_t k = 0;
    double furthest = 0;
    for (const Candidate& one : candidates_) {
      const double along =
          static_cast<double>(one.k - first.k) / static_cast<double>(last.k - first.k);
      const double below = first.inertia + along * (last.inertia - first.inertia) - one.inertia;
      if (below > furthest) {
        furthest = below;
        k = one.k;
      }
    }
    return k;
  }

  // The least k with gap(k) >= gap(next) − error(next).
  [[nodiscard]] std::int64_t gap() const {
    for (std::size_t i = 0; i + 1 < candidates_.size(); ++i) {
      if (candidates_[i].gap >= candidates_[i + 1].gap - candidates_[i + 1].gap_error) {
        return candidates_[i].k;
      }
    }
    return 0;
  }

  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> choices() const {
    return {{"silhouette", best(&Candidate::silhouette, true)},
            {"davies_bouldin", best(&Candidate::davies_bouldin, false)},
            {"calinski_harabasz", best(&Candidate::calinski_harabasz, true)},
            {"elbow", elbow()},
            {"gap", gap()}};
  }

  template <Real T>
  nlohmann::json to_json(const Engine& engine, const LoadedData<T>& data) const {
    nlohmann::json list = nlohmann::json::array();
    for (const Candidate& one : candidates_) {
      list.push_back({{"k", one.k},
                      {"inertia", one.inertia},
                      {"silhouette", one.silhouette},
                      {"davies_bouldin", one.davies_bouldin},
                      {"calinski_harabasz", one.calinski_harabasz},
                      {"gap", one.gap},
                      {"gap_error", one.gap_error}});
    }
    nlohmann::json best_of = nlohmann::json::object();
    for (const auto& [name, k] : choices()) {
      best_of[name] = k > 0 ? nlohmann::json(k) : nlohmann::json();
    }
    return {{"algorithm", algorithm_->name()},
            {"device", to_string(engine.device())},
            {"numerics", to_string(engine.numerics())},
            {"precision", to_string(precision_of<T>)},
            {"seed", run_.seed},
            {"data", data_.data},
            {"rows", data.train.rows()},
            {"features", data.train.cols()},
            {"candidates", list},
            {"best", best_of}};
  }

  template <Real T>
  std::string to_text(const Engine& engine, const LoadedData<T>& data) const {
    std::vector<std::vector<std::string>> rows{
        {"k", "inertia", "silhouette", "davies-bouldin", "calinski-harabasz", "gap", "error"}};
    const auto shown = [](double value) {
      return std::isnan(value) ? std::string("-") : readable(value);
    };
    for (const Candidate& one : candidates_) {
      rows.push_back({std::to_string(one.k), shown(one.inertia), shown(one.silhouette),
                      shown(one.davies_bouldin), shown(one.calinski_harabasz), shown(one.gap),
                      shown(one.gap_error)});
    }
    std::string text = std::string(algorithm_->name()) + " on " + data_.data + ": " +
                       shape_to_text(data.train.rows(), data.train.cols()) + "\n\n  run       " +
                       describe(engine, run_) + "\n";
    if (data.train.has_target()) {
      text += "  target    " + data.train.target_column.name + " (" + data.target_rule + ")\n";
    }
    text += "\n" + table(rows) + "\n";
    for (const auto& [name, k] : choices()) {
      if (k > 0) text += "  k = " + std::to_string(k) + " by " + name + "\n";
    }
    return text;
  }

  std::unique_ptr<Algorithm> algorithm_;
  RunSettings run_;
  DataSettings data_;
  PreprocessSettings preprocess_;
  std::string range_ = "2..10";
  std::vector<std::int64_t> ks_;
  std::int64_t references_ = 10;
  bool silhouette_ = true;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::unique_ptr<Command> make_select(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Select>(std::move(algorithm));
}

}  // namespace tandem::program
