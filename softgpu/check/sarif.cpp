#include "softgpu/check/sarif.hpp"

#include <map>
#include <string>

#include <nlohmann/json.hpp>

namespace softgpu::check {
namespace {

using Json = nlohmann::ordered_json;

Json location_of(const Json& site) {
  Json location = {
      {"message",
       {{"text", site["what"].get<std::string>() + " " + site["place"].get<std::string>()}}}};
  if (site["file"].is_string()) {
    location["physicalLocation"] = {{"artifactLocation", {{"uri", site["file"]}}}};
    if (site["line"].is_number()) {
      location["physicalLocation"]["region"] = {{"startLine", site["line"]}};
    }
  }
  return location;
}

}  // namespace

Json sarif_of(const Json& findings) {
  std::map<std::string, Json> rules;
  Json results = Json::array();
  for (const Json& one : findings["findings"]) {
    const auto kind = one["kind"].get<std::string>();
    rules[kind] = {{"id", kind},
                   {"shortDescription", {{"text", one["why"]}}},
                   {"help", {{"text", one["mend"]}}}};
    std::string text = one["message"].get<std::string>();
    if (const auto kernel = one["kernel"].get<std::string>(); !kernel.empty()) {
      text += " (in " + kernel + ")";
    }
    Json result = {{"ruleId", kind},
                   {"level", one["severity"] == "error" ? "error" : "note"},
                   {"message", {{"text", text}}}};
    if (!one["at"].is_null()) result["locations"] = {location_of(one["at"])};
    if (!one["other"].is_null()) result["relatedLocations"] = {location_of(one["other"])};
    results.push_back(std::move(result));
  }
  Json list = Json::array();
  for (const auto& [kind, rule] : rules) list.push_back(rule);
  return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
          {"version", "2.1.0"},
          {"runs",
           {{{"tool", {{"driver", {{"name", "tandem gpu check"}, {"rules", std::move(list)}}}}},
             {"results", std::move(results)}}}}};
}

}  // namespace softgpu::check
