#include "systems/statistics/simulation.hpp"

#include <utility>

namespace tandem::statistics {

std::vector<Rate> simulate(std::span<const Scenario> scenarios, std::uint64_t first_stream,
                           std::string_view stage, std::int64_t runs, std::uint64_t seed,
                           RunControl& control) {
  constexpr std::int64_t between_reports = 100;
  std::vector<Rate> rates;
  std::uint64_t stream = first_stream;
  for (const Scenario& scenario : scenarios) {
    Rate rate{scenario.what, scenario.promise, scenario.nominal, 0, runs};
    for (std::int64_t run = 0; run < runs; ++run) {
      Draws draws(seed * 1'000'003 + stream, run);
      if (scenario.run(draws)) ++rate.count;
      if ((run + 1) % between_reports == 0) {
        control.report({stage, run + 1, runs, {}, 0});
        if (control.stop_requested())
          throw Interrupted("stopped because an interrupt was received");
      }
    }
    ++stream;
    rates.push_back(std::move(rate));
  }
  return rates;
}

}  // namespace tandem::statistics
