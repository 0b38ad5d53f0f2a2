// tandem recommend serve --model FILE|REPOSITORY/NAME --state DIR --http ADDRESS:PORT
#include "systems/recommend/serve.hpp"

#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/recommend/serving_options.hpp"

namespace tandem::program {
namespace {

class Serve final : public RecommendAction {
 public:
  void add_options(OptionSet& options) override { recommend_serving().add_options(options); }

  [[nodiscard]] std::vector<std::string> takes() const override {
    std::vector<std::string> names = RecommendServing::names();
    names.insert(names.end(), {"model", "items"});
    return names;
  }

  int run(const OptionSet& /*options*/, RecommendSettings& settings) override {
    RecommendServing& serving = recommend_serving();
    if (!settings.first.empty()) {
      throw InputError("unexpected argument '" + settings.first + "'; expected " + option("model") +
                       " FILE");
    }
    if (settings.model.path.empty()) {
      throw InputError("expected " + option("model") +
                       " FILE or REPOSITORY/NAME; tandem recommend train makes one");
    }
    if (serving.state.path.empty()) {
      throw InputError("expected " + option("state") +
                       " FOLDER: where what is known of viewers is kept");
    }
    serving.finish(settings.run);
    recommend::ServiceOptions& service = serving.options.service;
    service.models = {{"main", settings.model.path}};
    for (const std::string& one : serving.others.list) {
      const auto at = one.find('=');
      if (at == std::string::npos || at == 0 || at + 1 == one.size()) {
        throw InputError(option("other_models") + ": '" + one + "' is no NAME=FILE");
      }
      service.models.push_back({one.substr(0, at), one.substr(at + 1)});
    }
    service.items = settings.items.path;
    service.state = serving.state.path;
    return recommend::serve(serving.options,
                            [](const std::string& url) { print("ready " + url + "\n"); });
  }
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_serve() { return std::make_unique<Serve>(); }

}  // namespace tandem::program
