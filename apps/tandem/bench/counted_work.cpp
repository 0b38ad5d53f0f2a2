#include "tandem/bench/counted_work.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace tandem::program {

nlohmann::json to_json(const std::vector<DeviceWork>& all) {
  nlohmann::json list = nlohmann::json::array();
  for (const DeviceWork& one : all) {
    nlohmann::json json{{"case", one.name}, {"rows", one.rows}, {"device", one.device}};
    if (!one.why_not.empty()) {
      json["why_not"] = one.why_not;
    } else {
      json["counted"] = {{"launches", one.counted.launches},
                         {"warp_instructions", one.counted.warp_instructions},
                         {"flops", one.counted.flops},
                         {"sectors", one.counted.sectors},
                         {"to_device_bytes", one.counted.to_device_bytes},
                         {"to_host_bytes", one.counted.to_host_bytes}};
      json["estimate"] = {{"seconds", one.seconds}, {"copy_seconds", one.copy_seconds}};
    }
    list.push_back(std::move(json));
  }
  return list;
}

std::vector<DeviceWork> device_work_of(const nlohmann::json& json) {
  std::vector<DeviceWork> all;
  for (const auto& one : json) {
    DeviceWork work{one.at("case").get<std::string>(),
                    one.at("rows").get<Index>(),
                    one.at("device").get<std::string>(),
                    {},
                    0,
                    0,
                    {}};
    if (one.contains("why_not")) {
      work.why_not = one["why_not"].get<std::string>();
    } else {
      const auto number = [&](const char* name) {
        return one.at("counted").at(name).get<std::uint64_t>();
      };
      work.counted = {number("launches"), number("warp_instructions"), number("flops"),
                      number("sectors"),  number("to_device_bytes"),   number("to_host_bytes")};
      work.seconds = one.at("estimate").at("seconds").get<double>();
      work.copy_seconds = one.at("estimate").at("copy_seconds").get<double>();
    }
    all.push_back(std::move(work));
  }
  return all;
}

Crossover crossover_of(const std::vector<double>& sizes, const std::vector<double>& measured,
                       const std::vector<double>& estimated, double factor) {
  // The size from which the device is the faster one and stays so, if its time is the estimate's
  // times `by`, on straight lines between logarithms.
  const auto faster_from = [&](double by) {
    const auto advantage = [&](std::size_t i) {
      return std::log(measured[i]) - std::log(by * estimated[i]);
    };
    if (advantage(sizes.size() - 1) <= 0) return std::numeric_limits<double>::infinity();
    for (std::size_t i = sizes.size() - 1; i > 0; --i) {
      const double here = advantage(i);
      const double before = advantage(i - 1);
      if (before > 0) continue;
      const double share = -before / (here - before);
      return std::exp(std::log(sizes[i - 1]) +
                      share * (std::log(sizes[i]) - std::log(sizes[i - 1])));
    }
    return 0.0;
  };
  return {faster_from(1 / factor), faster_from(factor)};
}

}  // namespace tandem::program
