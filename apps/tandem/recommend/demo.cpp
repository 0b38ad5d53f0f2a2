// tandem recommend demo [--http ADDRESS:PORT]: viewers are simulated, a model is trained on what
// they watched, and a page is served where one clicks as a viewer.
#include <stdlib.h>

#include <filesystem>

#include "systems/http/service.hpp"
#include "systems/recommend/serve.hpp"
#include "systems/recommend/simulate.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/recommend/als.hpp"
#include "tandem/recommend/serving_options.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// Goes with the demo.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = (fs::temp_directory_path() / "tandem-recommend-demo-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw SystemError(path_ + ": cannot be made");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

class Demo final : public RecommendAction {
 public:
  void add_options(OptionSet& /*options*/) override {}

  [[nodiscard]] std::vector<std::string> takes() const override {
    std::vector<std::string> names = ServiceFlags::names();
    names.insert(names.end(), {"cache", "workers", "io_threads"});
    return names;
  }

  int run(const OptionSet& options, RecommendSettings& settings) override {
    if (!settings.first.empty()) {
      throw InputError("unexpected argument '" + settings.first + "'");
    }
    // Training leaves threads behind, which must not take the signals that stop the server.
    const http::ServiceSignals signals;
    const TemporaryFolder folder;
    const std::string data = folder.path() + "/watched.csv";
    const std::string items = folder.path() + "/items.csv";
    const std::string file = folder.path() + "/als.tandem";
    recommend::SimulationOptions simulated;
    simulated.users = 3000;
    simulated.items = 1200;
    simulated.seed = 1;
    // As of now, so that something is trending and something is new.
    simulated.end = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
    const recommend::Simulation simulation(simulated);
    simulation.write_items(items);
    simulation.write_events(data, [](std::int64_t) { check_interrupt(); });
    const auto engine = settings.run.make_engine();
    const Interactions events = read_interactions(data);
    AlsOptions als;
    als.factors = 32;
    als.iterations = 10;
    als.alpha = 10;
    als.seed = 1;
    const auto model = fit(*engine, RecommenderData{events}, als);
    RecommenderProvenance from;
    from.events = events.size();
    from.users = static_cast<Index>(events.users.size());
    from.source = events.source;
    save_recommender(file, *model, from);

    RecommendServing& serving = recommend_serving();
    serving.finish(settings.run);
    recommend::ServiceOptions& service = serving.options.service;
    service.models = {{"main", file}};
    service.items = items;
    service.history = data;
    service.state = folder.path() + "/state";
    // What is read beside the commands is what goes wrong.
    if (!options.given("log") && !options.given("log_level")) {
      serving.options.log_level = http::LogLevel::warning;
    }
    return recommend::serve(serving.options, [&](const std::string& url) {
      print("ready " + url + "\n\n" + counted(simulated.users, "viewer") + " watched " +
            counted(events.size(), "time", "times") + " among " + counted(simulated.items, "item") +
            ". The page, where one clicks as a viewer: " + url +
            "/\n\n# What u1 is recommended, and why\ncurl '" + url +
            "/v1/recommendations?user=u1&n=5'\n\n# u1 watches something; the next answer knows "
            "of it\ncurl " +
            url +
            "/v1/events -d '{\"user\": \"u1\", \"item\": \"i7\", \"type\": \"watch\"}'\n\n# "
            "Nothing is kept of u1\ncurl -X DELETE " +
            url + "/v1/users/u1\n\n# For programs, and for Prometheus\ncurl " + url +
            "/v1/status\ncurl " + url + "/metrics\n\nCtrl-C ends it.\n");
    });
  }
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_demo() { return std::make_unique<Demo>(); }

}  // namespace tandem::program
