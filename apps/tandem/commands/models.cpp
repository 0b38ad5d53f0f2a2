// tandem models list|register|promote|rollback|diff
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/text.hpp"
#include "systems/serving/registry.hpp"
#include "systems/serving/registry_json.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

using serving::Registration;
using serving::Registry;
using serving::Stage;
using serving::VersionRecord;

const std::vector<std::string> actions{"list", "register", "promote", "rollback", "diff"};

struct StageChoice {
  std::optional<Stage> stage;

  [[nodiscard]] static StageChoice parse(std::string_view text) {
    return {parse_enum<Stage>("stage", text)};
  }
  [[nodiscard]] std::string to_string() const {
    return stage ? std::string(tandem::to_string(*stage)) : "";
  }
};

std::int64_t version_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size() || number < 1) {
    throw InputError("'" + text + "': expected the number of a version, 1 or more");
  }
  return number;
}

std::string called(const VersionRecord& record) {
  return record.model + " version " + std::to_string(record.version);
}

class Models final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_, "list, register, promote, rollback or diff", actions);
    options.positional("REPOSITORY", repository_, "the folder of the models");
    options.positionals("ARGUMENTS", arguments_,
                        "list [NAME]; register NAME FILE; promote NAME VERSION; rollback NAME; "
                        "diff NAME VERSION VERSION");
    options.group("Models");
    options.text("registry", registry_,
                 "where names, versions and stages are kept: a file of SQLite's or "
                 "postgresql://...; registry.sqlite in the repository if left out");
    options.written("stage", stage_,
                    "register, promote: the stage that the version gets: candidate, canary, "
                    "production or archived; candidate for register, production for promote if "
                    "left out",
                    "STAGE");
    options.flag("new_signature", new_signature_,
                 "register, promote: the version may take other columns or give other answers than "
                 "the one that it replaces in production");
    options.written("metrics", metrics_,
                    "register: a file with what tandem evaluate --json or tandem train --json "
                    "printed, whose metrics are kept with the version",
                    "FILE");
    options.flag("json", json_, "print the result as JSON");
  }

  int run(const OptionSet& /*options*/) override {
    if (std::find(actions.begin(), actions.end(), action_) == actions.end()) {
      throw InputError("unknown action '" + action_ + "'; expected " + joined(actions));
    }
    Registry registry(repository_, registry_, action_ != "register");
    if (action_ == "list") list(registry);
    if (action_ == "register") add(registry);
    if (action_ == "promote") promote(registry);
    if (action_ == "rollback") rollback(registry);
    if (action_ == "diff") diff(registry);
    return 0;
  }

 private:
  void expect(std::size_t least, std::size_t most, const char* usage) const {
    if (arguments_.size() >= least && arguments_.size() <= most) return;
    throw InputError("expected: tandem models " + action_ + " REPOSITORY " + usage);
  }

  void say(const VersionRecord& record) const {
    if (json_) {
      print_json(serving::version_json(record));
    } else {
      print(called(record) + ": " + std::string(to_string(record.stage)) + "\n");
    }
  }

  void list(Registry& registry) {
    expect(0, 1, "[NAME]");
    const auto versions = registry.versions(arguments_.empty() ? "" : arguments_[0]);
    if (!arguments_.empty() && versions.empty()) {
      throw InputError("there is no model " + arguments_[0] + " in " + repository_ +
                       "; tandem models list shows what there is");
    }
    if (json_) {
      nlohmann::json all = nlohmann::json::array();
      for (const VersionRecord& record : versions) all.push_back(serving::version_json(record));
      print_json({{"repository", repository_}, {"versions", all}});
      return;
    }
    std::vector<std::vector<std::string>> rows{
        {"model", "version", "stage", "algorithm", "metrics", "registered"}};
    for (const VersionRecord& record : versions) {
      rows.push_back({record.model, std::to_string(record.version),
                      std::string(to_string(record.stage)), record.algorithm, metrics_text(record),
                      record.created});
    }
    print(versions.empty() ? "no models in " + repository_ + "\n" : table(rows));
  }

  static std::string metrics_text(const VersionRecord& record) {
    const auto metrics = nlohmann::json::parse(record.metrics, nullptr, false);
    std::string text;
    for (const auto& [name, value] : metrics.items()) {
      if (!value.is_number()) continue;
      text += (text.empty() ? "" : ", ") + name + " " + readable(value.get<double>());
    }
    return shortened(text, 40);
  }

  // What a result's JSON says of the test part, or else of the training part.
  void read_metrics(Registration& registration) const {
    if (metrics_.path.empty()) return;
    std::FILE* file = std::fopen(metrics_.path.c_str(), "rb");
    if (file == nullptr)
      throw InputError(metrics_.path + ": cannot be read; check the name and that you may read it");
    const auto json = nlohmann::json::parse(file, nullptr, false);
    std::fclose(file);
    if (!json.is_object() || !json.contains("metrics") || !json["metrics"].is_object()) {
      throw InputError(metrics_.path + ": expected what tandem evaluate --json printed");
    }
    const auto& metrics = json["metrics"];
    for (const char* part : {"test", "train"}) {
      if (metrics.contains(part) && metrics[part].is_object()) {
        registration.metrics = metrics[part].dump();
        break;
      }
    }
    if (registration.metrics == "{}") registration.metrics = metrics.dump();
    if (json.contains("data") && json["data"].is_string()) {
      registration.data = json["data"].get<std::string>();
    }
  }

  void add(Registry& registry) {
    expect(2, 2, "NAME FILE");
    Registration registration;
    registration.stage = stage_.stage.value_or(Stage::candidate);
    registration.new_signature = new_signature_;
    read_metrics(registration);
    say(registry.add(arguments_[0], arguments_[1], registration));
  }

  void promote(Registry& registry) {
    expect(2, 2, "NAME VERSION");
    say(registry.promote(arguments_[0], version_number(arguments_[1]),
                         stage_.stage.value_or(Stage::production), new_signature_));
  }

  void rollback(Registry& registry) {
    expect(1, 1, "NAME");
    say(registry.rollback(arguments_[0]));
  }

  void diff(Registry& registry) {
    expect(3, 3, "NAME VERSION VERSION");
    std::vector<VersionRecord> two;
    for (std::size_t i = 1; i <= 2; ++i) {
      const std::int64_t number = version_number(arguments_[i]);
      const auto found = registry.version(arguments_[0], number);
      if (!found) {
        throw InputError("there is no " + arguments_[0] + " version " + arguments_[i] + " in " +
                         repository_);
      }
      registry.check_file(*found);
      two.push_back(*found);
    }
    nlohmann::json changes = nlohmann::json::array();
    const auto differs = [&](const std::string& what, const nlohmann::json& from,
                             const nlohmann::json& to) {
      if (from != to) changes.push_back({{"what", what}, {"from", from}, {"to", to}});
    };
    for (const std::string& line :
         serving::differences(serving::signature_from_text(two[0].signature),
                              serving::signature_from_text(two[1].signature))) {
      changes.push_back({{"what", "signature"}, {"from", nullptr}, {"to", line}});
    }
    differs("algorithm", two[0].algorithm, two[1].algorithm);
    compare_members(nlohmann::json::parse(two[0].metrics, nullptr, false),
                    nlohmann::json::parse(two[1].metrics, nullptr, false), "metric ", differs);
    compare_provenance(registry, two, differs);
    if (json_) {
      print_json({{"model", arguments_[0]},
                  {"from", two[0].version},
                  {"to", two[1].version},
                  {"same_file", two[0].checksum == two[1].checksum},
                  {"changes", changes}});
      return;
    }
    if (changes.empty()) {
      print(two[0].checksum == two[1].checksum ? "the two are the same file\n"
                                               : "the two differ in their parameters only\n");
      return;
    }
    const std::string from = std::to_string(two[0].version);
    const std::string to = std::to_string(two[1].version);
    std::vector<std::vector<std::string>> rows{{"", "version " + from, "version " + to}};
    for (const auto& change : changes) {
      rows.push_back(
          {change["what"].get<std::string>(), shown(change["from"]), shown(change["to"])});
    }
    print(table(rows));
  }

  static std::string shown(const nlohmann::json& value) {
    if (value.is_null()) return "-";
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return readable(value.get<double>());
    return value.dump();
  }

  template <class Differs>
  static void compare_members(const nlohmann::json& from, const nlohmann::json& to,
                              const std::string& prefix, const Differs& differs) {
    for (const auto& [name, value] : from.items()) {
      differs(prefix + name, value, to.contains(name) ? to[name] : nlohmann::json());
    }
    for (const auto& [name, value] : to.items()) {
      if (!from.contains(name)) differs(prefix + name, nlohmann::json(), value);
    }
  }

  template <class Differs>
  static void compare_provenance(Registry& registry, const std::vector<VersionRecord>& two,
                                 const Differs& differs) {
    std::vector<Provenance> origins;
    std::vector<std::size_t> categories;
    for (const VersionRecord& record : two) {
      const AnyModel model = load_model(registry.path_of(record).string());
      origins.push_back(
          std::visit([](const auto& pipeline) { return pipeline.provenance; }, model));
    }
    differs("trained by Tandem", origins[0].version, origins[1].version);
    differs("trained on", origins[0].source, origins[1].source);
    differs("training rows", origins[0].rows, origins[1].rows);
    differs("seed", origins[0].seed, origins[1].seed);
    differs("numerics", std::string(to_string(origins[0].numerics)),
            std::string(to_string(origins[1].numerics)));
    const auto options = [](const Archive& archive) {
      return nlohmann::json::parse(options_to_json(archive));
    };
    compare_members(options(origins[0].options), options(origins[1].options), "option ", differs);
    compare_members(options(origins[0].steps), options(origins[1].steps), "step ", differs);
  }

  std::string action_;
  std::string repository_;
  std::vector<std::string> arguments_;
  std::string registry_;
  StageChoice stage_;
  bool new_signature_ = false;
  FileName metrics_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_models(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Models>();
}

}  // namespace tandem::program
