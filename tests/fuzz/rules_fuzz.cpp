// Files of rules, and what those that are accepted do with values of every kind.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "systems/fraud/rules/rules.hpp"
#include "tandem/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::fraud;
  static const std::vector<RuleVariable> variables{
      {"amount"},
      {"distance_km"},
      {"device_is_new", RuleType::truth},
      {"kind", RuleType::choice, {"purchase", "withdrawal"}}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const RuleSet rules = RuleSet::parse(text, "rules", variables);
    if (rules.operations() > 20'000) std::abort();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::vector<int> hits;
    for (const std::vector<double>& values : {std::vector<double>{1, 2, 1, 1},
                                              {0, -1e308, 0, 0},
                                              {nan, infinity, nan, nan},
                                              {-infinity, 1e-320, 7, -3}}) {
      rules.evaluate(values, hits);
      for (const int hit : hits) (void)rules.reason(static_cast<std::size_t>(hit), values);
    }
    // What was read once is read again, to the same.
    if (RuleSet::parse(rules.text(), "rules", variables).id() != rules.id()) std::abort();
  } catch (const tandem::InputError&) {
    // Most inputs are no rules.
  }
  return 0;
}
