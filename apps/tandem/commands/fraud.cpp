// tandem fraud: detects fraud in transactions, from training to decision.
#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/fraud_serving.hpp"

namespace tandem::program {
namespace {

class FraudCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals("ACTION", actions_,
                        "serve: decide over HTTP; replay: decide once more what the log holds; "
                        "demo: all of it, from nothing");
    options.group("Model (serve)");
    options.text("model", model_, "a model's file, or REPOSITORY/NAME for its production version");
    serving_.add_options(options);
  }

  int run(const OptionSet& options) override {
    const std::string action = actions_.empty() ? "" : actions_.front();
    if (actions_.size() > 1) throw InputError("expected one action, not " + joined(actions_));
    // `tandem fraud --demo` is short for `tandem fraud demo`.
    if (action == "demo" || (serving_.demo_asked() && (action.empty() || action == "serve"))) {
      return serving_.demo(options);
    }
    if (action == "serve") return serving_.serve(options, model_);
    if (action == "replay") return serving_.replay(options);
    throw InputError("expected an action: serve, replay or demo" +
                     (action.empty() ? "" : ", not '" + action + "'"));
  }

 private:
  FraudServing serving_;
  std::vector<std::string> actions_;
  std::string model_;
};

}  // namespace

std::unique_ptr<Command> make_fraud(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<FraudCommand>();
}

}  // namespace tandem::program
