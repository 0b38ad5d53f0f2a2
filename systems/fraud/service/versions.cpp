#include "systems/fraud/service/versions.hpp"

#include <zlib.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/json_text.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

namespace fs = std::filesystem;

std::string name_of(const std::vector<std::uint8_t>& bytes) {
  std::array<char, 48> name{};
  std::snprintf(name.data(), name.size(), "models/%08x-%zu.tandem",
                static_cast<unsigned>(crc32_z(0, bytes.data(), bytes.size())), bytes.size());
  return name.data();
}

}  // namespace

std::string versions_text(const Versions& versions) {
  return json_text(nlohmann::json{{"rules", versions.rules->text()},
                                  {"configuration", versions.configuration->text},
                                  {"model", versions.model_version},
                                  {"model_file", versions.model_file}});
}

std::string model_file_of(const std::string& versions_text) {
  const auto json = nlohmann::json::parse(versions_text, nullptr, false);
  if (!json.is_object()) return {};
  const auto file = json.find("model_file");
  return file != json.end() && file->is_string() ? file->get<std::string>() : std::string();
}

std::string ModelFiles::keep(const std::string& path) {
  const auto bytes = read_file(path);
  const std::string file = name_of(bytes);
  const std::string place = folder_ + "/" + file;
  // Read from where it is first, so that a file that is no model is not kept.
  if (!loaded_.contains(file)) {
    loaded_[file] = std::make_shared<const FraudModel>(FraudModel::load(path));
  }
  if (!fs::exists(place)) {
    fs::create_directories(folder_ + "/models");
    write_file(place, bytes);
  }
  return file;
}

bool ModelFiles::has(const std::string& file) const { return fs::exists(folder_ + "/" + file); }

void ModelFiles::put(const std::string& file, const std::string& bytes) {
  const std::vector<std::uint8_t> content(bytes.begin(), bytes.end());
  if (name_of(content) != file) {
    throw InputError("the model " + file + " of the log is not what came under that name");
  }
  fs::create_directories(folder_ + "/models");
  write_file(folder_ + "/" + file, content);
}

std::shared_ptr<const FraudModel> ModelFiles::load(const std::string& file) {
  const auto found = loaded_.find(file);
  if (found != loaded_.end()) return found->second;
  const std::string place = folder_ + "/" + file;
  if (file.find("..") != std::string::npos || name_of(read_file(place)) != file) {
    throw InputError(place + ": the model that the log names is not what it was");
  }
  return loaded_[file] = std::make_shared<const FraudModel>(FraudModel::load(place));
}

std::shared_ptr<const Versions> make_versions(RuleSet rules, Configuration configuration,
                                              std::string model_version, std::string model_file,
                                              ModelFiles& models) {
  auto versions = std::make_shared<Versions>();
  versions->model = models.load(model_file);
  versions->model_version = std::move(model_version);
  versions->model_file = std::move(model_file);
  versions->decision_version = "configuration " + configuration.id + ", rules " + rules.id();
  versions->rules = std::make_shared<const RuleSet>(std::move(rules));
  versions->configuration = std::make_shared<const Configuration>(std::move(configuration));
  return versions;
}

std::shared_ptr<const Versions> read_versions(const std::string& text, ModelFiles& models) {
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
    const auto rules = json.at("rules").get<std::string>();
    return make_versions(
        rules.empty() ? RuleSet() : RuleSet::parse(rules, "rules of the log", rule_variables()),
        Configuration::parse(json.at("configuration").get<std::string>(),
                             "configuration of the log"),
        json.at("model").get<std::string>(), json.at("model_file").get<std::string>(), models);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(std::string("the log's record of versions is damaged: ") + error.what());
  }
}

}  // namespace tandem::fraud
