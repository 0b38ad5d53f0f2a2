// tandem recommend evaluate ALGORITHM --data F --split time|leave-last: trains on what was known
// and measures on what came afterwards. A model that was trained on all events has seen the test
// part, which is why an algorithm is evaluated and not a file.
#include <nlohmann/json.hpp>

#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/recommend/action.hpp"
#include "tandem/recommend/metrics.hpp"

namespace tandem::program {
namespace {

enum class SplitBy { time, leave_last };

}  // namespace
}  // namespace tandem::program

template <>
inline constexpr std::array<std::string_view, 2> tandem::enum_names<tandem::program::SplitBy>{
    "time", "leave-last"};

namespace tandem::program {
namespace {

class Evaluate final : public RecommendAction {
 public:
  void add_options(OptionSet& options) override {
    options.choice("split", split_,
                   "evaluate: time: the latest events of all are the test part; leave-last: the "
                   "last event of each user");
    options.real("test_fraction", test_fraction_,
                 "evaluate: the share of the events that a split by time tests on", 0, 1);
    metrics_.visit(options);
  }

  [[nodiscard]] std::vector<std::string> takes() const override {
    return {"split", "test_fraction", "at", "full_ranking", "confidence", "segments", "items"};
  }

  int run(const OptionSet& options, RecommendSettings& settings) override {
    const auto algorithm = settings.algorithm(options);
    check_options(metrics_);
    if (split_ == SplitBy::leave_last && options.given("test_fraction")) {
      throw InputError(option("test_fraction") + " is for " + option("split") + " time");
    }
    const auto engine = settings.run.make_engine();
    Stopwatch watch;
    Interactions events = settings.read_events();
    ItemAttributes attributes;
    if (!settings.items.path.empty()) {
      attributes = read_item_attributes(settings.items.path, "", settings.reading);
      // Items that nobody has had may be answered too.
      events = with_items(std::move(events), attributes.items);
    }
    const InteractionSplit split =
        split_ == SplitBy::time ? split_by_time(events, test_fraction_) : leave_last_out(events);
    RecommenderData data{split.train};
    if (!settings.items.path.empty()) data.attributes = &attributes;
    const double load = watch.lap();
    check_interrupt();
    ControlOptions told;
    told.quiet = settings.run.quiet || settings.run.json;
    ProgramControl control(told);
    const auto model = algorithm->fit(*engine, data, &control);
    const double train = watch.lap();
    const RecommendationReport report =
        evaluate_recommender(*engine, *model, split.train, split.test, metrics_, &control);
    control.finish();
    const double evaluate = watch.lap();
    check_interrupt();
    if (settings.run.json) {
      nlohmann::json json = nlohmann::json::parse(report.to_json());
      json["action"] = "evaluate";
      json["algorithm"] = algorithm->name();
      json["data"] = settings.data.path;
      json["split"] = to_string(split_);
      json["options"] = nlohmann::json::parse(options_to_json(algorithm->options()));
      json["confidence"] = metrics_.confidence;
      json["train_events"] = split.train.size();
      json["test_events"] = split.test.size();
      json["seconds"] = {{"load", load}, {"train", train}, {"evaluate", evaluate}};
      if (split_ == SplitBy::time) json["boundary"] = split.boundary;
      print_json(json);
      return 0;
    }
    std::string text = settings.data.path + ": " + std::string(algorithm->name()) + " trained on " +
                       counted(split.train.size(), "event") + ", measured on " +
                       counted(split.test.size(), "event") + " of " +
                       counted(report.users, "user") + "\n\n" + table(rows_of(report.metrics)) +
                       "\n";
    if (report.users_without_history > 0) {
      text += counted(report.users_without_history, "user") +
              " with test events but no history left out\n";
    }
    if (report.users_without_test > 0) {
      text += counted(report.users_without_test, "user") +
              " whose test items all are in their history left out\n";
    }
    for (const RecommendationSegment& segment : report.segments) {
      text += "\nHistory of " + segment.name + ": " + counted(segment.users, "user") + "\n" +
              table(rows_of(segment.metrics));
    }
    print(text + "\nseconds: load " + readable_seconds(load) + ", train " +
          readable_seconds(train) + ", evaluate " + readable_seconds(evaluate) + "\n");
    return 0;
  }

 private:
  [[nodiscard]] std::vector<std::vector<std::string>> rows_of(
      const std::vector<RecommendationMetric>& metrics) const {
    std::vector<std::vector<std::string>> rows{
        {"metric", "value", readable(100 * metrics_.confidence) + " % from", "to"}};
    for (const RecommendationMetric& metric : metrics) {
      const bool whole = metric.low == metric.high;
      rows.push_back({metric.name, readable(metric.value), whole ? "" : readable(metric.low),
                      whole ? "" : readable(metric.high)});
    }
    return rows;
  }

  SplitBy split_ = SplitBy::time;
  double test_fraction_ = 0.2;
  RecommendationMetricOptions metrics_;
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_evaluate() { return std::make_unique<Evaluate>(); }

}  // namespace tandem::program
