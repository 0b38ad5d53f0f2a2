// tandem recommend policies --state DIR: what other ways of choosing would have earned.
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "systems/recommend/choice_journal.hpp"
#include "systems/recommend/policy.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/recommend/serving_options.hpp"

namespace tandem::program {
namespace {

using recommend::LoggedChoice;
using recommend::PolicyEstimate;
using recommend::PolicyValue;

std::vector<double> own(std::span<const std::uint32_t> pool) {
  std::vector<double> probabilities(pool.size(), 0.0);
  probabilities[0] = 1;
  return probabilities;
}

std::vector<double> any(std::span<const std::uint32_t> pool) {
  return std::vector<double>(pool.size(), 1.0 / static_cast<double>(pool.size()));
}

nlohmann::json json_of(const PolicyValue& value) {
  const auto number = [](double one) {
    return std::isfinite(one) ? nlohmann::json(one) : nlohmann::json(nullptr);
  };
  return {{"value", number(value.value)}, {"low", number(value.low)}, {"high", number(value.high)}};
}

std::string text_of(const PolicyValue& value) {
  if (!std::isfinite(value.low)) return readable(value.value);
  return readable(value.value) + " [" + readable(value.low) + ", " + readable(value.high) + "]";
}

class Policies final : public RecommendAction {
 public:
  void add_options(OptionSet& /*options*/) override {}
  [[nodiscard]] std::vector<std::string> takes() const override { return {"state"}; }

  int run(const OptionSet& /*options*/, RecommendSettings& settings) override {
    const std::string& folder = recommend_serving().state.path;
    if (folder.empty()) {
      throw InputError("expected " + option("state") + " FOLDER of tandem recommend serve");
    }
    const recommend::LoggedChoices log = recommend::read_choices(folder);
    if (log.choices.empty()) {
      throw InputError(folder +
                       ": nothing was chosen yet; answers of a configuration that explores "
                       "are what this goes by");
    }
    std::unordered_map<std::string_view, std::uint32_t> numbers;
    for (const std::string& item : log.items) {
      numbers.emplace(item, static_cast<std::uint32_t>(numbers.size()));
    }
    std::vector<LoggedChoice> choices;
    double clicks = 0;
    for (std::size_t i = 0; i < log.choices.size(); ++i) {
      LoggedChoice one;
      for (const std::string& item : log.choices[i].pool) one.pool.push_back(numbers.at(item));
      one.chosen = log.choices[i].chosen;
      one.propensity = log.choices[i].propensity;
      one.reward = log.rewards[i];
      clicks += one.reward;
      choices.push_back(std::move(one));
    }
    struct Named {
      const char* name;
      const char* what;
      std::vector<double> (*policy)(std::span<const std::uint32_t>);
    };
    nlohmann::json list = nlohmann::json::array();
    std::vector<std::vector<std::string>> rows{
        {"policy", "inverse propensity", "self-normalised", "doubly robust", "worth choices"}};
    for (const Named& named : {Named{"ranking", "what the ranking has in the place", own},
                               Named{"any", "any of the pool", any}}) {
      const PolicyEstimate found = recommend::evaluate_policy(choices, named.policy);
      list.push_back({{"policy", named.name},
                      {"what", named.what},
                      {"inverse_propensity", json_of(found.inverse_propensity)},
                      {"self_normalised", json_of(found.self_normalised)},
                      {"doubly_robust", json_of(found.doubly_robust)},
                      {"effective_choices", found.inverse_propensity.effective},
                      {"largest_weight", found.largest_weight}});
      rows.push_back({named.name, text_of(found.inverse_propensity), text_of(found.self_normalised),
                      text_of(found.doubly_robust), readable(found.inverse_propensity.effective)});
    }
    if (settings.run.json) {
      print_json({{"action", "policies"},
                  {"choices", choices.size()},
                  {"clicked", clicks},
                  {"policies", list}});
    } else {
      print("Clicks per answer in its last place, of " +
            counted(static_cast<std::int64_t>(choices.size()), "choice") +
            ", with intervals of 95 %:\n" + table(rows));
    }
    return 0;
  }
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_policies() { return std::make_unique<Policies>(); }

}  // namespace tandem::program
