// tandem fraud train and retrain
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "systems/fraud/service/decider.hpp"
#include "systems/fraud/training.hpp"
#include "systems/serving/registry.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/write.hpp"
#include "tandem/fraud/action.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using fraud::FraudQuality;
using fraud::SegmentQuality;
using serving::Registration;
using serving::Registry;
using serving::Stage;
using serving::VersionRecord;

// A file, whose name ends with .tandem, or REPOSITORY/NAME.
struct ModelPlace {
  std::string file;
  std::string repository;
  std::string name;
};

ModelPlace model_place(const std::string& text) {
  if (text.ends_with(".tandem")) return {text, "", ""};
  const fs::path path(text);
  if (path.has_parent_path() && serving::is_model_name(path.filename().string())) {
    return {"", path.parent_path().string(), path.filename().string()};
  }
  throw InputError(option("model") + ": '" + text +
                   "' is neither a file FILE.tandem nor REPOSITORY/NAME");
}

const std::vector<std::string>& training_options() {
  static const std::vector<std::string> names{
      "data",          "model",       "seed",       "threads",         "json",   "quiet",
      "force",         "review_cost", "test_share", "reviews_per_day", "rounds", "label_delay_days",
      "learning_rate", "max_depth",   "layers"};
  return names;
}

fraud::TrainingOptions training_of(const FraudSettings& settings) {
  fraud::TrainingOptions options = settings.training;
  options.seed = settings.seed;
  options.threads = static_cast<int>(settings.threads);
  for (const std::string& layer : settings.layers.list) {
    options.layers.push_back(parse_enum<fraud::Layer>(option("layers"), layer));
  }
  return options;
}

std::string percent(double share) { return significant(share * 100, 3) + " %"; }

std::string quality_text(const FraudQuality& quality, double budget, const std::string& currency) {
  std::vector<std::vector<std::string>> rows{{"on the test days", ""}};
  rows.push_back({"transactions, frauds",
                  std::to_string(quality.transactions) + ", " + std::to_string(quality.frauds)});
  rows.push_back({"average precision", significant(quality.average_precision, 4)});
  rows.push_back({"ROC AUC", significant(quality.roc_auc, 4)});
  rows.push_back({"precision of the top " + significant(std::round(budget), 6) + " a day",
                  percent(quality.precision_at_budget)});
  rows.push_back({"recall of them", percent(quality.recall_at_budget)});
  rows.push_back({"reviews a day at the threshold", significant(quality.reviews_per_day, 4)});
  rows.push_back({"precision, recall there", percent(quality.precision_at_threshold) + ", " +
                                                 percent(quality.recall_at_threshold)});
  rows.push_back({"calibration error", significant(quality.calibration_error, 3)});
  rows.push_back({"money saved, lost (" + currency + ")",
                  significant(std::round(quality.money_saved), 9) + ", " +
                      significant(std::round(quality.money_lost), 9)});
  std::string text = table(rows) + "\n";
  std::vector<std::vector<std::string>> segments{
      {"segment", "transactions", "frauds", "caught", "average precision"}};
  for (const SegmentQuality& segment : quality.segments) {
    segments.push_back(
        {segment.segment, std::to_string(segment.transactions), std::to_string(segment.frauds),
         std::to_string(segment.caught),
         std::isnan(segment.average_precision) ? "-" : significant(segment.average_precision, 3)});
  }
  return text + table(segments);
}

// Numbers by name, which tandem models list shows, and all of it under "fraud".
std::string registry_metrics(const fraud::TrainingResult& result) {
  const FraudQuality& quality = result.quality;
  nlohmann::json metrics{{"average_precision", quality.average_precision},
                         {"roc_auc", quality.roc_auc},
                         {"precision_at_budget", quality.precision_at_budget}};
  metrics["fraud"] = fraud::to_json(result);
  return metrics.dump();
}

std::string called(const VersionRecord& record) {
  return record.model + " version " + std::to_string(record.version);
}

// The model card's place, beside the model's file: FILE.card.md.
std::string card_of(const std::string& model) {
  return model.substr(0, model.size() - std::string_view(".tandem").size()) + ".card.md";
}

// A file in a folder of its own beside the repository's, gone when the object is.
class ScratchModel {
 public:
  explicit ScratchModel(const std::string& repository) {
    fs::create_directories(repository);
    path_ = (fs::path(repository) /
             (".training-" + std::to_string(static_cast<long>(::getpid())) + ".tandem"))
                .string();
  }
  ScratchModel(const ScratchModel&) = delete;
  ScratchModel& operator=(const ScratchModel&) = delete;
  ~ScratchModel() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

VersionRecord register_model(Registry& registry, const std::string& name,
                             const fraud::TrainingResult& result, Stage stage) {
  const ScratchModel scratch(registry.repository().string());
  result.model.save(scratch.path());
  Registration registration;
  registration.metrics = registry_metrics(result);
  registration.stage = stage;
  // Another set of features is another signature.
  registration.new_signature = true;
  const VersionRecord record = registry.add(name, scratch.path(), registration);
  fraud::write_model_card(card_of(registry.path_of(record).string()), result.model.settings().card);
  return record;
}

class Train final : public FraudAction {
 public:
  [[nodiscard]] std::string_view name() const override { return "train"; }
  [[nodiscard]] std::string_view summary() const override {
    return "make a model of past transactions";
  }
  [[nodiscard]] std::vector<std::string> shared() const override { return training_options(); }
  void add_options(OptionSet& options) override {
    options.written("features_out", features_out_,
                    "the features of every transaction as of its time, .npy: then part (0 before "
                    "training, 1 training, 2 validation, 3 labels not known, 4 test), fraud, fraud "
                    "as known, day, amount, number of the scenario, the model's score, and by the "
                    "standard rules and configuration rules, velocity, device, network and the "
                    "risk score",
                    "FILE");
  }

  int run(const OptionSet& /*options*/, const FraudSettings& settings) override {
    if (settings.data.path.empty() || settings.model.empty()) {
      throw InputError("expected " + option("data") + " FILE and " + option("model") +
                       " FILE.tandem or REPOSITORY/NAME");
    }
    const ModelPlace place = model_place(settings.model);
    OutputFiles files;
    files.reads(option("data"), settings.data.path);
    files.writes("the model", place.file, "a model", an_archive("model"));
    if (!place.file.empty()) {
      files.writes("the model card", card_of(place.file), "a model card of Tandem", a_model_card());
    }
    if (!features_out_.path.empty()) {
      check_table_name(option("features_out"), features_out_.path, TableFormats::csv_or_npy);
      if (!features_out_.path.ends_with(".npy")) {
        throw InputError(option("features_out") + ": expected a name that ends with .npy");
      }
      add_marked_output(files, option("features_out"), features_out_.path,
                        written::transaction_features);
    }
    files.check(settings.force);
    const fraud::TrainingOptions options = training_of(settings);
    ControlOptions told;
    told.quiet = settings.quiet;
    ProgramControl control(told);
    const Stopwatch watch;
    const fraud::Past past =
        fraud::read_past(settings.data.path, settings.seed,
                         static_cast<fraud::Time>(options.label_delay_days * 86'400'000.0),
                         options.currencies, control);
    const Matrix<float> features = fraud::feature_rows(past, options.state, control);
    const double feature_seconds = watch.seconds();
    const fraud::TrainingResult result = fraud::train_model(past, features, options, control);
    control.finish();
    nlohmann::json json = fraud::to_json(result);
    json["action"] = "train";
    json["data"] = settings.data.path;
    json["transactions"] = past.transactions.size();
    json["feature_seconds"] = feature_seconds;
    json["seconds"] = watch.seconds();
    std::string where;
    std::string file = place.file;
    std::string card;
    if (!place.file.empty()) {
      result.model.save(place.file);
      card = card_of(place.file);
      fraud::write_model_card(card, result.model.settings().card);
      where = place.file;
    } else {
      Registry registry(place.repository, "", false);
      // The first version is the one that answers, later ones wait for retrain or promote.
      const bool first = registry.versions(place.name).empty();
      const VersionRecord record = register_model(registry, place.name, result,
                                                  first ? Stage::production : Stage::candidate);
      where =
          called(record) + " in " + place.repository + ", " + std::string(to_string(record.stage));
      file = registry.path_of(record).string();
      card = card_of(file);
      json["version"] = record.version;
      json["stage"] = to_string(record.stage);
    }
    json["model"] = settings.model;
    json["card"] = card;
    if (!features_out_.path.empty()) write_features(past, features, result, file);
    if (settings.json) {
      print_json(json);
    } else {
      print(quality_text(result.quality, result.reviews_per_day, options.currencies.base) +
            "\nModel: " + where + "\nModel card: " + card + "\n");
    }
    return 0;
  }

 private:
  void write_features(const fraud::Past& past, const Matrix<float>& features,
                      const fraud::TrainingResult& result, const std::string& model) const {
    const auto versions = std::make_shared<fraud::Versions>();
    versions->rules = std::make_shared<fraud::RuleSet>(fraud::RuleSet::parse(
        fraud::standard_rules(), "the standard rules", fraud::rule_variables()));
    versions->configuration = std::make_shared<fraud::Configuration>(fraud::Configuration::parse(
        fraud::Configuration::standard_text(), "the standard configuration"));
    versions->model = std::make_shared<fraud::FraudModel>(fraud::FraudModel::load(model));
    constexpr Index more = 12;
    Matrix<float> all(features.rows(), features.cols() + more);
    const fraud::TimeSplit& split = result.split;
    std::vector<std::size_t> every(past.transactions.size());
    for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
    const fraud::RowScores scores = fraud::score_rows(result.model, features, every);
    fraud::Decider decider(versions);
    for (std::size_t i = 0; i < every.size(); ++i) {
      const auto from = features.row(static_cast<Index>(i));
      const auto to = all.row(static_cast<Index>(i));
      std::copy(from.begin(), from.end(), to.begin());
      const fraud::PastTransaction& one = past.transactions[i];
      const fraud::Time time = one.event.time;
      const int part = time < split.train_begin        ? 0
                       : time < split.validation_begin ? 1
                       : time < split.validation_end   ? 2
                       : time < split.test_begin       ? 3
                                                       : 4;
      const std::size_t at = fraud::feature_count;
      to[at] = static_cast<float>(part);
      to[at + 1] = one.fraud ? 1 : 0;
      to[at + 2] = split.known[i];
      to[at + 3] = static_cast<float>(time / 86'400'000 - split.begin / 86'400'000);
      to[at + 4] = static_cast<float>(one.event.amount);
      to[at + 5] = one.scenario;
      to[at + 6] = static_cast<float>(scores.raw[i]);
      fraud::FeatureVector vector;
      std::copy(from.begin(), from.end(), vector.begin());
      const fraud::Decision decision = decider.decide(one.event, vector);
      constexpr std::array<std::string_view, 4> parts{"rules", "velocity", "device", "network"};
      for (std::size_t p = 0; p < parts.size(); ++p) {
        for (const fraud::Part& each : decision.parts) {
          if (each.name == parts[p]) to[at + 7 + p] = static_cast<float>(each.value);
        }
      }
      to[at + 11] = static_cast<float>(decision.risk_score);
    }
    write_npy(features_out_.path, MatrixView<const float>(all.view()));
    mark_output_as(features_out_.path, written::transaction_features);
  }

  FileName features_out_;
};

class Retrain final : public FraudAction {
 public:
  [[nodiscard]] std::string_view name() const override { return "retrain"; }
  [[nodiscard]] std::string_view summary() const override {
    return "train a challenger, and let it answer where it is better beyond noise";
  }
  [[nodiscard]] std::vector<std::string> shared() const override { return training_options(); }
  void add_options(OptionSet& options) override {
    options.flag("dry_run", dry_run_, "only compare: register and promote nothing");
  }

  int run(const OptionSet& /*options*/, const FraudSettings& settings) override {
    if (settings.data.path.empty() || settings.model.empty()) {
      throw InputError("expected " + option("data") + " FILE and " + option("model") +
                       " REPOSITORY/NAME");
    }
    const ModelPlace place = model_place(settings.model);
    if (place.name.empty()) {
      throw InputError(option("model") +
                       ": expected REPOSITORY/NAME, whose production version is "
                       "the champion");
    }
    Registry registry(place.repository, "", true);
    const std::optional<VersionRecord> champion_record = production(registry, place.name);
    if (!champion_record) {
      throw InputError("there is no production version of " + place.name + " in " +
                       place.repository + "; tandem fraud train makes one");
    }
    registry.check_file(*champion_record);
    const fraud::FraudModel champion =
        fraud::FraudModel::load(registry.path_of(*champion_record).string());
    const fraud::TrainingOptions options = training_of(settings);
    ControlOptions told;
    told.quiet = settings.quiet;
    ProgramControl control(told);
    const fraud::Past past =
        fraud::read_past(settings.data.path, settings.seed,
                         static_cast<fraud::Time>(options.label_delay_days * 86'400'000.0),
                         options.currencies, control);
    const Matrix<float> features = fraud::feature_rows(past, options.state, control);
    const fraud::TrainingResult challenger = fraud::train_model(past, features, options, control);
    const fraud::Contest contest =
        fraud::compare_models(past, features, challenger, champion, options, control);
    control.finish();
    // A champion that has seen the test days cannot be beaten fairly.
    const bool has_seen = champion.settings().trained_until > challenger.split.test_begin;
    std::string outcome = contest.better() ? "better" : "not better beyond noise";
    nlohmann::json json{{"action", "retrain"},
                        {"model", settings.model},
                        {"data", settings.data.path},
                        {"champion_version", champion_record->version},
                        {"champion", fraud::to_json(contest.champion)},
                        {"challenger", fraud::to_json(contest.challenger)},
                        {"difference",
                         {{"average_precision", contest.difference.value},
                          {"low", contest.difference.low},
                          {"high", contest.difference.high},
                          {"better_share", contest.difference.better}}},
                        {"champion_saw_test_days", has_seen},
                        {"promoted", false}};
    std::string done = "Nothing was registered, as --dry-run asked.";
    if (!dry_run_) {
      const VersionRecord record =
          register_model(registry, place.name, challenger, Stage::candidate);
      json["challenger_version"] = record.version;
      done = called(record) + " is a candidate.";
      if (contest.better()) {
        registry.promote(place.name, record.version, Stage::production, true,
                         "retrain: average precision " + significant(contest.difference.value, 3) +
                             " above version " + std::to_string(champion_record->version));
        json["promoted"] = true;
        done = called(record) + " is in production.";
      }
    }
    if (settings.json) {
      print_json(json);
      return 0;
    }
    const auto row = [](const std::string& what, double a, double b) {
      return std::vector<std::string>{what, significant(a, 4), significant(b, 4)};
    };
    std::string text =
        table({{"on the same test days", "champion", "challenger"},
               row("average precision", contest.champion.average_precision,
                   contest.challenger.average_precision),
               row("ROC AUC", contest.champion.roc_auc, contest.challenger.roc_auc),
               row("precision of the top a day", contest.champion.precision_at_budget,
                   contest.challenger.precision_at_budget),
               row("recall of them", contest.champion.recall_at_budget,
                   contest.challenger.recall_at_budget),
               row("money saved", contest.champion.money_saved, contest.challenger.money_saved)});
    text += "\nThe challenger is " + outcome + ": " + significant(contest.difference.value, 3) +
            " of average precision, 95 % interval [" + significant(contest.difference.low, 3) +
            ", " + significant(contest.difference.high, 3) + "].\n";
    if (has_seen) text += "The champion was trained on some of the test days: that favours it.\n";
    print(text + done + "\n");
    return 0;
  }

 private:
  static std::optional<VersionRecord> production(Registry& registry, const std::string& name) {
    for (const VersionRecord& record : registry.versions(name)) {
      if (record.stage == Stage::production) return record;
    }
    return std::nullopt;
  }

  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<FraudAction> make_fraud_train() { return std::make_unique<Train>(); }
std::unique_ptr<FraudAction> make_fraud_retrain() { return std::make_unique<Retrain>(); }

}  // namespace tandem::program
