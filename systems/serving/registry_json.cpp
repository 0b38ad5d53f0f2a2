#include "systems/serving/registry_json.hpp"

#include <nlohmann/json.hpp>

namespace tandem::serving {

nlohmann::json version_json(const VersionRecord& record) {
  nlohmann::json json{{"model", record.model},
                      {"version", record.version},
                      {"stage", to_string(record.stage)},
                      {"file", record.file},
                      {"bytes", record.bytes},
                      {"checksum", record.checksum},
                      {"algorithm", record.algorithm},
                      {"signature", nlohmann::json::parse(record.signature, nullptr, false)},
                      {"metrics", nlohmann::json::parse(record.metrics, nullptr, false)},
                      {"source", record.source},
                      {"created", record.created}};
  json["data"] = record.data.empty() ? nlohmann::json(nullptr) : nlohmann::json(record.data);
  return json;
}

}  // namespace tandem::serving
