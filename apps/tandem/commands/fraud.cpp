// tandem fraud ACTION
#include <algorithm>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/fraud/action.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

class FraudCommand final : public Command {
 public:
  FraudCommand() {
    for (FraudActionMaker* const make : {make_fraud_simulate, make_fraud_train, make_fraud_retrain,
                                         make_fraud_serve, make_fraud_replay}) {
      actions_.push_back(make());
    }
  }

  void add_options(OptionSet& options) override {
    std::string help;
    std::vector<std::string> names;
    for (const auto& action : actions_) {
      names.emplace_back(action->name());
      help += (help.empty() ? "" : "; ") + std::string(action->name()) + ": " +
              std::string(action->summary());
    }
    options.positionals("ACTION", words_, help, names);
    options.flag("demo", settings_.demo,
                 "serve: what is simulated and trained on the spot, with simulated customers, and "
                 "say what can be tried");
    options.group("Data and model");
    options.written("data", settings_.data,
                    "transactions, a CSV file with the columns that simulate writes", "FILE");
    options.text("model", settings_.model, "a file, or REPOSITORY/NAME of a registry of models");
    options.written("out", settings_.out,
                    "simulate: where the transactions go; standard output if "
                    "left out",
                    "FILE");
    options.text("state", settings_.state,
                 "serve, replay: the folder of the log, the snapshots, the rules and the "
                 "configuration; serve makes it where it is missing");
    options.group("Training (train, retrain)");
    fraud::TrainingOptions& training = settings_.training;
    options.real("reviews_per_day", training.reviews_per_day,
                 "transactions that can be reviewed each day; 0 takes one of 200", 0, 1e9);
    options.real("review_cost", training.review_cost, "what a review costs", 0, 1e9);
    options.real("label_delay_days", training.label_delay_days,
                 "days for which it is not known whether a transaction is fraud", 0, 1000);
    options.real("test_share", training.test_share, "share of the days to test on, the last ones",
                 0.01, 0.9);
    options.integer("rounds", training.rounds, "trees at most", 1, 100'000);
    options.real("learning_rate", training.learning_rate, "what each tree adds", 1e-6, 1);
    options.integer("max_depth", training.max_depth, "splits between root and leaf", 1, 30);
    options.written("layers", settings_.layers,
                    "whose features are used: transaction, behaviour, velocity, geography, device, "
                    "network, feedback; all if left out",
                    "LAYER,...");
    for (const auto& action : actions_) {
      options.group(std::string(action->name()));
      action->add_options(options);
    }
    options.group("Run");
    options.seed(settings_.seed);
    options.integer("threads", settings_.threads, "threads of the CPU; 0 takes all cores", 0, 4096);
    options.flag("json", settings_.json, "print the result as JSON");
    options.flag("quiet", settings_.quiet, "no progress");
    options.flag("force", settings_.force, replace_help);
  }

  int run(const OptionSet& options) override {
    if (words_.size() > 1) throw InputError("expected one action, not " + joined(words_));
    action_ = words_.empty() ? "" : words_.front();
    // `tandem fraud --demo` says enough.
    if (action_.empty() && settings_.demo) action_ = "serve";
    const auto chosen = std::find_if(actions_.begin(), actions_.end(),
                                     [&](const auto& action) { return action->name() == action_; });
    if (chosen == actions_.end()) {
      std::vector<std::string> names;
      for (const auto& action : actions_) names.emplace_back(action->name());
      throw InputError(
          (action_.empty() ? "expected an action" : "unknown action '" + action_ + "'") +
          ": tandem fraud " + joined(names, "|") + "; tandem help fraud lists all options");
    }
    refuse_options_of_others(options, **chosen);
    return (*chosen)->run(options, settings_);
  }

 private:
  void refuse_options_of_others(const OptionSet& options, const FraudAction& chosen) const {
    const std::vector<std::string> taken = chosen.shared();
    const auto refuse = [&](const std::string& name) {
      if (options.given(name)) {
        throw InputError(option(name) + " is not for tandem fraud " + action_);
      }
    };
    for (const char* const name :
         {"data", "model", "out", "state", "demo", "seed", "threads", "json", "quiet", "force",
          "reviews_per_day", "review_cost", "label_delay_days", "test_share", "rounds",
          "learning_rate", "max_depth", "layers"}) {
      if (std::find(taken.begin(), taken.end(), name) == taken.end()) refuse(name);
    }
    for (const auto& action : actions_) {
      if (action.get() == &chosen) continue;
      OptionSet own("", "");
      action->add_options(own);
      for (const OptionText& text : own.descriptions()) {
        if (!text.name.starts_with("--") || text.name == "--help") continue;
        std::string name = text.name.substr(2);
        std::replace(name.begin(), name.end(), '-', '_');
        refuse(name);
      }
    }
  }

  std::vector<std::string> words_;
  std::string action_;
  FraudSettings settings_;
  std::vector<std::unique_ptr<FraudAction>> actions_;
};

}  // namespace

std::unique_ptr<Command> make_fraud(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<FraudCommand>();
}

}  // namespace tandem::program
