// The features of past transactions, each as of its time, to train on and to compare with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "systems/fraud/event.hpp"
#include "systems/fraud/features.hpp"
#include "systems/fraud/state.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::fraud {

struct PastTransaction {
  Event event;
  bool fraud = false;          // the truth, whenever it is known
  Time known_at = never;       // of fraud; `never` where it is not fraud
  std::uint16_t scenario = 0;  // position in Past::scenarios; 0: none

  static constexpr Time never = INT64_MAX;
};

// What happened, in order of time; of equal times in the file's order.
struct Past {
  std::string source;  // the file
  std::vector<PastTransaction> transactions;
  std::vector<std::string> scenarios{""};
};

// Reads a CSV file. Identifiers are hashed with the seed: nothing of them is kept. A transaction
// without truth is no fraud; a fraud without a time of its label is known after `label_delay`.
// Throws InputError for a file that TransactionReader refuses, that has no transaction, or a
// transaction_id twice; SystemError; Interrupted.
[[nodiscard]] Past read_past(const std::string& path, std::uint64_t seed, Time label_delay,
                             const Currencies& currencies, RunControl& control);

// transactions × feature_count. One state goes through the past: before each transaction the labels
// that are known by its time are applied, then compute() is called, then the transaction applied.
// This is what a server does, so that no label and no later transaction is in a row.
[[nodiscard]] Matrix<float> feature_rows(const Past& past, const StateOptions& options,
                                         RunControl& control);

}  // namespace tandem::fraud
