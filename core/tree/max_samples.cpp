#include "tandem/tree/max_samples.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

MaxSamples MaxSamples::parse(std::string_view text) {
  if (text == "all") return {};
  if (text == "auto") return {.rule = Rule::automatic};
  Index count = 0;
  if (read_number(text, count)) {
    if (count < 1) throw InputError(std::string(text) + ": expected 1 to the number of rows");
    return {.rule = Rule::count, .count = count};
  }
  double fraction = 0;
  if (read_number(text, fraction) && fraction > 0 && fraction <= 1) {
    return {.rule = Rule::fraction, .fraction = fraction};
  }
  throw InputError("'" + std::string(text) +
                   "': expected all, auto, a count such as 256, or a fraction such as 0.5");
}

std::string MaxSamples::to_string() const {
  switch (rule) {
    case Rule::all: return "all";
    case Rule::automatic: return "auto";
    case Rule::count: return std::to_string(count);
    case Rule::fraction: break;
  }
  const std::string text = shortest(fraction);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

Index MaxSamples::of(Index rows, Index automatic_count) const {
  switch (rule) {
    case Rule::all: break;
    case Rule::automatic: return std::min(rows, automatic_count);
    case Rule::count:
      if (count < 1 || count > rows) {
        throw InputError(option("max_samples") + " " + std::to_string(count) +
                         ": expected 1 to the number of rows of weight above 0, " +
                         std::to_string(rows));
      }
      return count;
    case Rule::fraction:
      if (!(fraction > 0 && fraction <= 1)) {
        throw InputError(option("max_samples") + " " + shortest(fraction) +
                         ": expected a fraction above 0 and up to 1");
      }
      return std::max<Index>(1, static_cast<Index>(fraction * static_cast<double>(rows)));
  }
  return rows;
}

}  // namespace tandem
