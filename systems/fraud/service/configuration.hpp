// How the parts of a score are put together, in a file that has a version: docs/fraud.md has the
// default and says why it is what it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "systems/fraud/event.hpp"
#include "systems/fraud/features.hpp"
#include "systems/fraud/rules/rules.hpp"

namespace tandem::fraud {

// Adds weight · (x − from)/(to − from), cut to [0, weight]; nothing where x is not known.
struct Signal {
  std::size_t feature = 0;  // of the feature table
  double from = 0;
  double to = 1;
  double weight = 0;
};

// A part that is made of signals: "velocity", "device", "network". Its value is their sum, at most
// 1.
struct SignalPart {
  std::string name;
  double weight = 0;  // of the part in the score
  std::vector<Signal> signals;
};

struct Configuration {
  std::int64_t version = 1;
  double rules_weight = 1;
  double model_weight = 0.7;
  std::vector<SignalPart> parts;
  // A share of the would-be declines, of at most so much money (in the base currency), is approved,
  // so that somebody learns what they would have been.
  double explore_share = 0;
  double explore_most_amount = 100;
  // A decision is repeated for a transaction of the same user, merchant, type, amount and device
  // within so many seconds of the last; 0: never.
  std::int64_t similar_seconds = 0;
  // A transaction whose time is further ahead of the server's clock is refused.
  std::int64_t longest_ahead_seconds = 300;
  std::size_t most_reasons = 5;
  Currencies currencies;

  std::string text;  // what it was read from
  std::string id;    // "1-0f3a9c11": the version and a checksum of the text

  // Throws InputError that begins with `name` and names the member, for what is no JSON, has
  // unknown members or features, and for numbers out of range.
  [[nodiscard]] static Configuration parse(const std::string& text, const std::string& name);
  [[nodiscard]] static const std::string& standard_text();
};

// The names that rules may use: the features, and `transaction_type`, in this order.
[[nodiscard]] const std::vector<RuleVariable>& rule_variables();
// The rules that a new installation begins with.
[[nodiscard]] const std::string& standard_rules();

}  // namespace tandem::fraud
