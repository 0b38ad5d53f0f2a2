// tandem recommend train ALGORITHM --data F [--items F] --model M
#include <nlohmann/json.hpp>

#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/out_of_core.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/recommend/action.hpp"

namespace tandem::program {
namespace {

// Which of them are trained from events that are not in memory: those that pass over the matrix row
// by row.
constexpr std::string_view by_blocks[] = {"als", "item-knn"};

void require_blocks(const OptionSet& options, std::string_view algorithm) {
  if (!options.given("events_cache")) return;
  std::string names;
  for (const std::string_view one : by_blocks) {
    if (one == algorithm) return;
    names += (names.empty() ? "" : ", ") + std::string(one);
  }
  throw InputError(std::string(algorithm) + " does not train from events on disk (" +
                   option("events_cache") + "); " + names + " do");
}

class Train final : public RecommendAction {
 public:
  void add_options(OptionSet& /*options*/) override {}

  [[nodiscard]] std::vector<std::string> takes() const override {
    return {"model", "items", "force", "events_cache"};
  }

  int run(const OptionSet& options, RecommendSettings& settings) override {
    const auto algorithm = settings.algorithm(options);
    if (settings.model.path.empty()) {
      throw InputError("expected " + option("model") + " FILE: where the model goes");
    }
    OutputFiles files;
    files.reads(option("data"), settings.data.path);
    files.reads(option("items"), settings.items.path);
    files.writes(option("model"), settings.model.path, "a recommender", an_archive("recommender"));
    files.check(settings.force);
    require_blocks(options, algorithm->name());
    const auto engine = settings.run.make_engine();
    Stopwatch watch;
    const Interactions events = settings.read_events();
    ItemAttributes attributes;
    RecommenderData data{events};
    if (!settings.items.path.empty()) {
      attributes = read_item_attributes(settings.items.path, "", settings.reading);
      data.attributes = &attributes;
    }
    const double load = watch.lap();
    check_interrupt();
    ControlOptions told;
    told.quiet = settings.run.quiet || settings.run.json;
    told.estimates = true;
    ProgramControl control(told);
    const double processor = processor_seconds();
    const auto model = algorithm->fit(*engine, data, &control);
    control.finish();
    const double train = watch.lap();
    const double train_processor = processor_seconds() - processor;
    check_interrupt();
    RecommenderProvenance from;
    from.device = settings.run.device;
    from.numerics = settings.run.numerics;
    from.seed = settings.run.seed;
    from.events = events.size();
    from.users = static_cast<Index>(events.users.size());
    from.source = events.source;
    from.options = algorithm->options();
    save_recommender(settings.model.path, *model, from);

    if (settings.run.json) {
      nlohmann::json json{
          {"action", "train"},
          {"algorithm", algorithm->name()},
          {"data", settings.data.path},
          {"model", settings.model.path},
          {"events", events.size()},
          {"users", from.users},
          {"items", model->item_count()},
          {"options", nlohmann::json::parse(options_to_json(from.options))},
          {"device", to_string(settings.run.device)},
          {"numerics", to_string(settings.run.numerics)},
          {"seed", settings.run.seed},
          {"training", nlohmann::json::parse(model->to_json())},
          {"seconds", {{"load", load}, {"train", train}, {"train_processor", train_processor}}}};
      const auto& history = model->training().history;
      if (const auto loss = history.find("loss"); loss != history.end()) {
        json["loss"] = loss->second;
      }
      if (runs_out_of_core()) json["disk"] = disk_to_json();
      add_estimate(json, control);
      print_json(json);
      return 0;
    }
    std::string text = settings.data.path + ": " + counted(events.size(), "event") + " of " +
                       counted(from.users, "user") + " and " +
                       counted(static_cast<Index>(events.items.size()), "item") + "\n\n" +
                       model->to_text() + "\n  engine    " + engine->description() +
                       "\n  seconds   load " + readable_seconds(load) + ", train " +
                       readable_seconds(train) + "\n";
    const auto& history = model->training().history;
    if (const auto loss = history.find("loss"); loss != history.end() && !loss->second.empty()) {
      text += "  loss      " + readable(loss->second.back()) + "\n";
    }
    if (runs_out_of_core()) text += "  disk      " + disk_to_text() + "\n";
    print(text + "\nmodel: " + settings.model.path + "\n");
    return 0;
  }
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_train() { return std::make_unique<Train>(); }

}  // namespace tandem::program
