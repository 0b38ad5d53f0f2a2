// The names of models and their numbered versions: what is known of each, and which of them
// answers.
//
// A version is a file that never changes, REPOSITORY/models/NAME/NUMBER.tandem, and a row in the
// registry's database: REPOSITORY/registry.sqlite, or PostgreSQL.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "systems/serving/signature.hpp"
#include "systems/store/database.hpp"
#include "tandem/core/names.hpp"

namespace tandem::serving {

// candidate: answers who asks for it by its number. canary: one per model, for a part of the
// requests. production: the one that answers. archived: kept, not loaded.
enum class Stage { candidate, canary, production, archived };

}  // namespace tandem::serving

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 4> enum_names<serving::Stage>{
    "candidate", "canary", "production", "archived"};
}  // namespace tandem

namespace tandem::serving {

struct VersionRecord {
  std::string model;
  std::int64_t version = 0;  // 1, 2, ... within the model
  Stage stage = Stage::candidate;
  std::string file;  // within the repository
  std::int64_t bytes = 0;
  std::string checksum;  // of the file: CRC-32, against accidents
  std::string algorithm;
  std::string signature;  // Signature::to_text()
  std::string metrics;    // a JSON object
  std::string data;       // the fingerprint of the data that the metrics are of; empty: none
  std::string source;     // the file that was registered
  std::string created;    // UTC, "2026-01-31T12:00:00Z"
};

struct Transition {
  std::string model;
  std::int64_t version = 0;
  Stage from = Stage::candidate;
  Stage to = Stage::candidate;
  std::string at;      // UTC
  std::string reason;  // "register", "promote", "rollback", or what a program said
};

struct Registration {
  std::string metrics = "{}";
  std::string data;
  Stage stage = Stage::candidate;
  bool new_signature = false;  // may replace a production version of another signature
};

// Used by one thread at a time; several programs may use one registry at once.
class Registry {
 public:
  // `database` is the path of a file or postgresql://...; empty: REPOSITORY/registry.sqlite. The
  // repository is made where it is missing, unless `must_exist`: then InputError.
  Registry(const std::string& repository, const std::string& database, bool must_exist);

  // Copies the file into the repository as the next version of the model. Throws InputError for a
  // name that is none, a file that is no model of Tandem's that can be loaded, and for what
  // promote() refuses.
  VersionRecord add(const std::string& model, const std::string& file,
                    const Registration& registration);

  // Gives the version another stage. The version that was in production before is archived, the
  // canary that there was becomes a candidate. Throws InputError where there is no such version,
  // where a version to be production cannot be loaded from its file as it was registered, or where
  // its signature differs from that of the version in production, unless `new_signature`.
  VersionRecord promote(const std::string& model, std::int64_t version, Stage stage,
                        bool new_signature, const std::string& reason = "promote");
  // The version that was in production before the one that is becomes it again. Throws InputError
  // where there is none.
  VersionRecord rollback(const std::string& model, const std::string& reason = "rollback");

  [[nodiscard]] std::vector<VersionRecord> versions(const std::string& model = {});  // empty: all
  [[nodiscard]] std::optional<VersionRecord> version(const std::string& model, std::int64_t number);
  // The oldest first.
  [[nodiscard]] std::vector<Transition> transitions(const std::string& model);
  // Grows with every change: who has seen this number has seen all.
  [[nodiscard]] std::int64_t revision();

  [[nodiscard]] std::filesystem::path path_of(const VersionRecord& record) const;
  // Throws InputError where the file is not as it was registered.
  void check_file(const VersionRecord& record) const;
  [[nodiscard]] const std::filesystem::path& repository() const noexcept { return repository_; }

 private:
  void make_tables();
  VersionRecord change_stage(const std::string& model, std::int64_t version, Stage stage,
                             bool new_signature, const std::string& reason);
  void record(const VersionRecord& record, Stage to, const std::string& reason);

  std::filesystem::path repository_;
  std::unique_ptr<store::Database> database_;
};

// 1 to 128 letters, digits, "_", "-" and "."; the first is no "." and no "-".
[[nodiscard]] bool is_model_name(const std::string& name);

}  // namespace tandem::serving
