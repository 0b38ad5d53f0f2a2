// The features that rules, model and reports share. Each has one definition, here, which training,
// serving and replay call.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "systems/fraud/event.hpp"
#include "systems/fraud/state.hpp"

namespace tandem::fraud {

// What a feature is made from: quality is reported by what each layer adds.
enum class Layer { transaction, behaviour, velocity, geography, device, network, feedback };

}  // namespace tandem::fraud

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 7> enum_names<fraud::Layer>{
    "transaction", "behaviour", "velocity", "geography", "device", "network", "feedback"};
}  // namespace tandem

namespace tandem::fraud {

struct FeatureInfo {
  std::string name;  // "user_count_1h": letters, digits and "_"
  std::string
      meaning;       // one clause: "transactions of the user in the last hour, this one included"
  std::string unit;  // "count", "EUR" (the base currency), "km", "km/h", "days", "share", ...
  Layer layer = Layer::transaction;
};

inline constexpr std::size_t feature_count = 152;

// NaN where the transaction or the state does not have what the feature is made of (no device, no
// transaction before this one).
using FeatureVector = std::array<double, feature_count>;

// In the order of the vector; the same in every run of one version of the program.
[[nodiscard]] std::span<const FeatureInfo, feature_count> feature_table();
// The position, or -1.
[[nodiscard]] int feature_index(std::string_view name);

// The features of an event that is about to be applied: as of its time, from what was applied
// before it, itself included in counts, sums and distinct counts. Reads `state` only. Some 10 µs.
[[nodiscard]] FeatureVector compute(const Event& event, const State& state);

// What a value says, as a clause in plain words: "9 transactions of the user in the last hour".
// Holds no identifier.
[[nodiscard]] std::string in_words(std::size_t feature, double value);

}  // namespace tandem::fraud
