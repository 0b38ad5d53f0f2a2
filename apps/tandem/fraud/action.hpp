// What tandem fraud does, an action per file beside this one; the command that picks one is
// commands/fraud.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "systems/fraud/training.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {

// Options that several actions have. An action names those that it takes.
struct FraudSettings {
  FileName data;      // --data: transactions, a CSV file
  std::string model;  // --model: a file, or REPOSITORY/NAME
  FileName out;       // --out
  std::string state;  // --state: a folder
  bool demo = false;  // --demo: serve from nothing
  fraud::TrainingOptions training;
  Words layers;  // --layers, of training
  std::uint64_t seed = 0;
  std::int64_t threads = 0;
  bool json = false;
  bool quiet = false;
  bool force = false;
};

class FraudAction {
 public:
  virtual ~FraudAction() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view summary() const = 0;  // one clause
  // Canonical names of the shared options that it takes: "data", "seed".
  [[nodiscard]] virtual std::vector<std::string> shared() const = 0;
  // Its own options; no two actions have one of the same name.
  virtual void add_options(OptionSet& options) = 0;
  // The exit status.
  virtual int run(const OptionSet& options, const FraudSettings& settings) = 0;
};

using FraudActionMaker = std::unique_ptr<FraudAction>();
FraudActionMaker make_fraud_simulate, make_fraud_train, make_fraud_retrain, make_fraud_serve,
    make_fraud_replay;

}  // namespace tandem::program
