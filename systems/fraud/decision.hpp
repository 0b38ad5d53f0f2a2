// What is answered for a transaction.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "systems/fraud/event.hpp"
#include "tandem/core/names.hpp"

namespace tandem::fraud {

enum class Level { low, medium, high, critical };
enum class Action { approve, manual_review, decline };

}  // namespace tandem::fraud

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 4> enum_names<fraud::Level>{"low", "medium", "high",
                                                                          "critical"};
// As answers spell them: with an underscore.
template <>
inline constexpr std::array<std::string_view, 3> enum_names<fraud::Action>{
    "approve", "manual_review", "decline"};
}  // namespace tandem

namespace tandem::fraud {

// From .8 critical, from .6 high, from .3 medium.
[[nodiscard]] constexpr Level level_of(double risk_score) noexcept {
  return risk_score >= 0.8   ? Level::critical
         : risk_score >= 0.6 ? Level::high
         : risk_score >= 0.3 ? Level::medium
                             : Level::low;
}
[[nodiscard]] constexpr Action action_of(Level level) noexcept {
  return level == Level::critical ? Action::decline
         : level == Level::low    ? Action::approve
                                  : Action::manual_review;
}

// A part of the score: "rules", "model", "velocity", "device", "network".
struct Part {
  std::string name;
  double value = 0;         // in [0, 1]
  double weight = 1;        // of the configuration
  double contribution = 0;  // weight · value: risk_score is their sum, at most 1
  bool answered = true;     // false: an outside part was slow or gone, and counts 0
};

struct Reason {
  std::string text;    // a clause in plain words, without identifiers
  std::string source;  // the part
  double weight = 0;   // of the risk score; reasons are sorted by it, the greatest first
};

struct Decision {
  Key transaction = 0;
  double risk_score = 0;  // in [0, 1]
  Level level = Level::low;
  Action action = Action::approve;
  std::vector<Part> parts;
  std::vector<Reason> reasons;
  // The calibrated probability that the level is right: that the transaction is fraud where it is
  // medium or above, that it is none where it is low. See Calibration in model.hpp.
  double confidence = 0;
  std::string model_version;          // "fraud/3"; empty: no model took part
  std::string configuration_version;  // of weights and rules
  bool explored = false;              // a would-be decline that was approved, to get a label
  bool from_similar = false;          // repeated from a similar recent decision
};

}  // namespace tandem::fraud
