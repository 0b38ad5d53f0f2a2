// From features to a decision: the same function for serving, for recovery and for replay.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "systems/fraud/decision.hpp"
#include "systems/fraud/model.hpp"
#include "systems/fraud/rules/rules.hpp"
#include "systems/fraud/service/configuration.hpp"

namespace tandem::fraud {

// What decides from some transaction on, until the next versions.
struct Versions {
  std::shared_ptr<const RuleSet> rules;
  std::shared_ptr<const Configuration> configuration;
  std::shared_ptr<const FraudModel> model;
  std::string model_version;     // "fraud/3", or of a file its name and checksum
  std::string model_file;        // within the folder of the state
  std::string decision_version;  // "configuration 1-0f3a9c11, rules 4-9f3c12ab"
};

// Decides by the versions that it was made of. Used by one thread at a time: it keeps memory from
// call to call, and nothing else.
class Decider {
 public:
  explicit Decider(std::shared_ptr<const Versions> versions);
  [[nodiscard]] Decision decide(const Event& event, const FeatureVector& features);
  // Places in the rules of those that held for the last transaction, in dry run included.
  [[nodiscard]] const std::vector<int>& hits() const noexcept { return hits_; }
  [[nodiscard]] const Versions& versions() const noexcept { return *versions_; }

 private:
  void add_rules(Decision& decision, double& score);
  void add_signals(Decision& decision, const SignalPart& part, double& score,
                   const FeatureVector& features);
  void add_reason(Decision& decision, std::string text, const std::string& source, double weight);

  std::shared_ptr<const Versions> versions_;
  std::vector<double> values_;  // of rule_variables()
  std::vector<int> hits_;
};

// A number in [0, 1) that nobody who does not know the secret of the installation can foretell, and
// that is the same whenever it is asked for.
[[nodiscard]] double draw_of(Key transaction);

// The answer behind `{"transaction_id":"..."`: everything but the processing time.
[[nodiscard]] std::string answer_tail(const Decision& decision);
// The whole answer; `microseconds` < 0: without the time.
[[nodiscard]] std::string answer_text(std::string_view transaction_id, std::string_view tail,
                                      std::int64_t microseconds);

}  // namespace tandem::fraud
