// What people write for a server: settings, definitions of experiments, arms that a request forces.
// The first byte chooses among them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "systems/serving/asker.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "systems/serving/serve_settings.hpp"
#include "tandem/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  if (size < 1) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 3 == 0) {
      serving::Asker asker;
      serving::read_forced(asker, text);
      for (const auto& [experiment, arm] : asker.forced) {
        if (experiment.empty() || arm.empty()) std::abort();
      }
      return 0;
    }
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) return 0;
    if (data[0] % 3 == 1) {
      const serving::ServeSettings settings = serving::read_settings(json, {});
      const double share = settings.canary_share_of("m");
      if (!(share >= 0 && share <= 1)) std::abort();
    } else {
      // What is written of a definition reads back as the same.
      const auto experiment = experiments::Experiment::parse(json);
      const auto written = experiment.to_json();
      if (experiments::Experiment::parse(written).to_json() != written) std::abort();
      (void)experiments::assign(experiment, json, 1'700'000'000'000);
    }
  } catch (const Error&) {
    // Most inputs are none of them.
  }
  return 0;
}
