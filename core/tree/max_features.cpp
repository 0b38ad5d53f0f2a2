#include "tandem/tree/max_features.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/text.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

MaxFeatures MaxFeatures::parse(std::string_view text) {
  if (text == "all") return {};
  if (text == "auto") return {.rule = Rule::automatic};
  if (text == "sqrt") return {.rule = Rule::sqrt};
  if (text == "log2") return {.rule = Rule::log2};
  Index count = 0;
  if (read_number(text, count)) {
    if (count < 1) throw InputError(std::string(text) + ": expected 1 to the number of features");
    return {.rule = Rule::count, .count = count};
  }
  double fraction = 0;
  if (read_number(text, fraction) && fraction > 0 && fraction <= 1) {
    return {.rule = Rule::fraction, .fraction = fraction};
  }
  throw InputError(
      "'" + std::string(text) +
      "': expected all, auto, sqrt, log2, a count such as 5, or a fraction such as 0.3");
}

std::string MaxFeatures::to_string() const {
  switch (rule) {
    case Rule::all: return "all";
    case Rule::automatic: return "auto";
    case Rule::sqrt: return "sqrt";
    case Rule::log2: return "log2";
    case Rule::count: return std::to_string(count);
    case Rule::fraction: break;
  }
  const std::string text = shortest(fraction);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

Index MaxFeatures::of(Index features) const {
  const auto at_least_one = [](double value) {
    return std::max<Index>(1, static_cast<Index>(value));
  };
  switch (rule) {
    case Rule::all:
    case Rule::automatic: break;
    case Rule::sqrt: return at_least_one(std::sqrt(static_cast<double>(features)));
    case Rule::log2:
      return std::max<Index>(1, std::bit_width(static_cast<std::uint64_t>(features)) - 1);
    case Rule::count:
      if (count < 1 || count > features) {
        throw InputError(option("max_features") + " " + std::to_string(count) +
                         ": expected 1 to the number of features, " + std::to_string(features));
      }
      return count;
    case Rule::fraction:
      if (!(fraction > 0 && fraction <= 1)) {
        throw InputError(option("max_features") + " " + shortest(fraction) +
                         ": expected a fraction above 0 and up to 1");
      }
      return at_least_one(fraction * static_cast<double>(features));
  }
  return features;
}

}  // namespace tandem
