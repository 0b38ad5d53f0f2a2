// How many rows a tree of a forest draws.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct TANDEM_API MaxSamples {
  // all: as many as there are. automatic: 256, or all where there are fewer, in an isolation
  // forest; all elsewhere. `count` of them; or the part `fraction`, rounded down, and at least 1.
  enum class Rule { all, automatic, count, fraction };
  Rule rule = Rule::all;
  Index count = 0;      // >= 1
  double fraction = 0;  // in (0, 1]

  // "all", "auto", a count ("256"), or a fraction with a point ("0.5"). Throws InputError.
  [[nodiscard]] static MaxSamples parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  // Out of `rows`; `automatic_count` is what the algorithm takes automatic to be, where there are
  // so many. Throws InputError where `count` is more than there are.
  [[nodiscard]] Index of(Index rows, Index automatic_count) const;
  [[nodiscard]] bool operator==(const MaxSamples&) const = default;
};

}  // namespace tandem
