#include "systems/serving/registry.hpp"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

#include "core/file.hpp"
#include "tandem/core/archive_kind.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem::serving {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view columns =
    "model, version, stage, file, bytes, checksum, algorithm, signature, metrics, data, source, "
    "created";

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string checksum_of(const std::vector<std::uint8_t>& bytes) {
  std::array<char, 16> text{};
  const auto length = std::snprintf(text.data(), text.size(), "%08lx",
                                    crc32_z(crc32_z(0, nullptr, 0), bytes.data(), bytes.size()));
  return {text.data(), static_cast<std::size_t>(length)};
}

VersionRecord record_of(const store::Row& row) {
  VersionRecord record;
  record.model = store::text(row.at(0));
  record.version = store::integer(row.at(1));
  record.stage = parse_enum<Stage>("stage", store::text(row.at(2)));
  record.file = store::text(row.at(3));
  record.bytes = store::integer(row.at(4));
  record.checksum = store::text(row.at(5));
  record.algorithm = store::text(row.at(6));
  record.signature = store::text(row.at(7));
  record.metrics = store::text(row.at(8));
  record.data = store::text(row.at(9));
  record.source = store::text(row.at(10));
  record.created = store::text(row.at(11));
  return record;
}

std::string called(const std::string& model, std::int64_t version) {
  return model + " version " + std::to_string(version);
}

// Stands for the signature of a recommender, whose items may differ from version to version: a
// service of its own answers with it (docs/recommend.md), never `tandem serve`.
const std::string of_recommender = "recommender";

// What is no file with an end, such as a pipe that nobody writes to, would be read for ever.
void require_file(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw InputError(path + ": is no regular file; expected a model that Tandem saved");
  }
}

struct Described {
  std::string algorithm;
  std::string signature;
};

Described describe(const std::string& path) {
  if (archive_kind(path) == "recommender") {
    return {std::string(load_recommender(path).model->algorithm()), of_recommender};
  }
  const AnyModel loaded = load_model(path);
  return std::visit(
      [](const auto& pipeline) {
        return Described{pipeline.provenance.algorithm, signature_of(pipeline).to_text()};
      },
      loaded);
}

// Why clients of the one cannot be given the other; empty where they can.
std::string difference(const std::string& before, const std::string& now) {
  if (before == now) return {};
  if (before == of_recommender || now == of_recommender) {
    return before == of_recommender ? "that one is a recommender" : "this one is a recommender";
  }
  const auto found = differences(signature_from_text(before), signature_from_text(now));
  return found.empty() ? std::string() : found.front();
}

}  // namespace

bool is_model_name(const std::string& name) {
  if (name.empty() || name.size() > 128 || name[0] == '.' || name[0] == '-') return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
}

Registry::Registry(const std::string& repository, const std::string& database, bool must_exist)
    : repository_(repository) {
  std::error_code failure;
  const bool remote = database.find("://") != std::string::npos;
  const std::string place =
      database.empty() ? (repository_ / "registry.sqlite").string() : database;
  if (must_exist &&
      (!fs::is_directory(repository_, failure) || (!remote && !fs::exists(place, failure)))) {
    throw InputError(repository + ": is no repository of models; `tandem models register " +
                     repository + " NAME FILE` makes one");
  }
  if (fs::exists(repository_, failure) && !fs::is_directory(repository_, failure)) {
    throw InputError(repository + ": is a file; expected the folder of a repository");
  }
  fs::create_directories(repository_ / "models", failure);
  if (failure) throw SystemError(repository + ": " + failure.message());
  database_ = store::Database::open(place);
  make_tables();
}

void Registry::make_tables() {
  database_->query(
      "CREATE TABLE IF NOT EXISTS tandem_versions (model TEXT NOT NULL, version BIGINT NOT NULL, "
      "stage TEXT NOT NULL, file TEXT NOT NULL, bytes BIGINT NOT NULL, checksum TEXT NOT NULL, "
      "algorithm TEXT NOT NULL, signature TEXT NOT NULL, metrics TEXT NOT NULL, data TEXT NOT "
      "NULL, "
      "source TEXT NOT NULL, created TEXT NOT NULL, PRIMARY KEY (model, version))");
  database_->query(
      "CREATE TABLE IF NOT EXISTS tandem_transitions (number BIGINT PRIMARY KEY, model TEXT NOT "
      "NULL, version BIGINT NOT NULL, from_stage TEXT NOT NULL, to_stage TEXT NOT NULL, at TEXT "
      "NOT "
      "NULL, reason TEXT NOT NULL)");
}

std::int64_t Registry::revision() {
  return store::integer(
      database_->query("SELECT COALESCE(MAX(number), 0) FROM tandem_transitions").at(0).at(0));
}

void Registry::record(const VersionRecord& changed, Stage to, const std::string& reason) {
  database_->query(
      "INSERT INTO tandem_transitions VALUES ($1, $2, $3, $4, $5, $6, $7)",
      {revision() + 1, changed.model, changed.version, std::string(to_string(changed.stage)),
       std::string(to_string(to)), now_text(), reason});
}

VersionRecord Registry::add(const std::string& model, const std::string& file,
                            const Registration& registration) {
  if (!is_model_name(model)) {
    throw InputError(
        "'" + model +
        "': a model's name has 1 to 128 letters, digits, _, - and ., and begins with a "
        "letter, a digit or _");
  }
  VersionRecord added;
  added.model = model;
  added.metrics = registration.metrics;
  added.data = registration.data;
  added.source = file;
  require_file(file);
  const auto bytes = read_file(file);
  const Described described = describe(file);
  added.algorithm = described.algorithm;
  added.signature = described.signature;
  added.bytes = static_cast<std::int64_t>(bytes.size());
  added.checksum = checksum_of(bytes);
  database_->transaction([&] {
    added.version = store::integer(
        database_
            ->query("SELECT COALESCE(MAX(version), 0) + 1 FROM tandem_versions WHERE model = $1",
                    {model})
            .at(0)
            .at(0));
    added.stage = Stage::candidate;
    added.file = "models/" + model + "/" + std::to_string(added.version) + ".tandem";
    added.created = now_text();
    // The row first: of two programs that register at once the other waits for this one's end, and
    // then has another number. A file that were written before would take the place of its file.
    database_->query("INSERT INTO tandem_versions (" + std::string(columns) +
                         ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                     {added.model, added.version, std::string(to_string(added.stage)), added.file,
                      added.bytes, added.checksum, added.algorithm, added.signature, added.metrics,
                      added.data, added.source, added.created});
    std::error_code failure;
    fs::create_directories(repository_ / "models" / model, failure);
    if (failure) throw SystemError(repository_.string() + ": " + failure.message());
    // A file of this number without a row is left of a registration that did not come to its end.
    const std::string path = path_of(added).string();
    write_file(path, bytes);
    (void)::chmod(path.c_str(), 0444);
    record(added, Stage::candidate, "register");
    if (registration.stage != Stage::candidate) {
      added = change_stage(model, added.version, registration.stage, registration.new_signature,
                           "register");
    }
  });
  return added;
}

VersionRecord Registry::promote(const std::string& model, std::int64_t number, Stage stage,
                                bool new_signature, const std::string& reason) {
  VersionRecord changed;
  database_->transaction(
      [&] { changed = change_stage(model, number, stage, new_signature, reason); });
  return changed;
}

VersionRecord Registry::change_stage(const std::string& model, std::int64_t number, Stage stage,
                                     bool new_signature, const std::string& reason) {
  const auto wanted = version(model, number);
  if (!wanted) {
    std::string there;
    for (const VersionRecord& other : versions(model)) {
      there += (there.empty() ? "" : ", ") + std::to_string(other.version);
    }
    throw InputError(there.empty()
                         ? "there is no model " + model + " in this repository"
                         : "there is no " + called(model, number) + "; there are " + there);
  }
  if (stage == Stage::production || stage == Stage::canary) {
    check_file(*wanted);
    const std::string now = describe(path_of(*wanted).string()).signature;
    if (now != wanted->signature) {
      throw InputError(called(model, number) +
                       ": its file has another signature than it was registered with");
    }
    for (const VersionRecord& other : versions(model)) {
      if (other.stage != Stage::production || other.version == number || new_signature) continue;
      const std::string found = difference(other.signature, now);
      if (found.empty()) continue;
      throw InputError(called(model, number) + " cannot stand in for version " +
                       std::to_string(other.version) + ", which is in production: " + found + "; " +
                       option("new_signature") + " says that its clients are ready");
    }
  }
  for (const VersionRecord& other : versions(model)) {
    if (other.version == number || other.stage != stage) continue;
    if (stage != Stage::production && stage != Stage::canary) continue;
    const Stage left = stage == Stage::production ? Stage::archived : Stage::candidate;
    database_->query("UPDATE tandem_versions SET stage = $1 WHERE model = $2 AND version = $3",
                     {std::string(to_string(left)), model, other.version});
    record(other, left, "replaced by version " + std::to_string(number));
  }
  VersionRecord changed = *wanted;
  changed.stage = stage;
  database_->query("UPDATE tandem_versions SET stage = $1 WHERE model = $2 AND version = $3",
                   {std::string(to_string(stage)), model, number});
  record(*wanted, stage, reason);
  return changed;
}

VersionRecord Registry::rollback(const std::string& model, const std::string& reason) {
  VersionRecord changed;
  database_->transaction([&] {
    std::int64_t current = 0;
    for (const VersionRecord& other : versions(model)) {
      if (other.stage == Stage::production) current = other.version;
    }
    if (current == 0) throw InputError("no version of " + model + " is in production");
    // The last that left production before the current one came, by a promotion or by this.
    std::int64_t before = 0;
    for (const Transition& step : transitions(model)) {
      if (step.from == Stage::production && step.version != current) before = step.version;
    }
    if (before == 0) {
      throw InputError("no version of " + model + " was in production before version " +
                       std::to_string(current));
    }
    // It has answered under this name before, so that its signature needs no second permission.
    changed = change_stage(model, before, Stage::production, true, reason);
  });
  return changed;
}

std::vector<VersionRecord> Registry::versions(const std::string& model) {
  std::vector<VersionRecord> found;
  const std::string select = "SELECT " + std::string(columns) + " FROM tandem_versions";
  const auto rows = model.empty()
                        ? database_->query(select + " ORDER BY model, version")
                        : database_->query(select + " WHERE model = $1 ORDER BY version", {model});
  for (const store::Row& row : rows) found.push_back(record_of(row));
  return found;
}

std::optional<VersionRecord> Registry::version(const std::string& model, std::int64_t number) {
  const auto rows = database_->query(
      "SELECT " + std::string(columns) + " FROM tandem_versions WHERE model = $1 AND version = $2",
      {model, number});
  if (rows.empty()) return std::nullopt;
  return record_of(rows.front());
}

std::vector<Transition> Registry::transitions(const std::string& model) {
  std::vector<Transition> found;
  for (const store::Row& row : database_->query(
           "SELECT model, version, from_stage, to_stage, at, reason FROM tandem_transitions WHERE "
           "model = $1 ORDER BY number",
           {model})) {
    found.push_back({store::text(row.at(0)), store::integer(row.at(1)),
                     parse_enum<Stage>("stage", store::text(row.at(2))),
                     parse_enum<Stage>("stage", store::text(row.at(3))), store::text(row.at(4)),
                     store::text(row.at(5))});
  }
  return found;
}

fs::path Registry::path_of(const VersionRecord& record) const {
  // Made of the checked name and the number, not of the text in the database.
  if (!is_model_name(record.model)) {
    throw InputError("the registry holds a model of the name '" + record.model + "'");
  }
  return repository_ / "models" / record.model / (std::to_string(record.version) + ".tandem");
}

void Registry::check_file(const VersionRecord& record) const {
  const std::string path = path_of(record).string();
  require_file(path);
  const auto bytes = read_file(path);
  if (static_cast<std::int64_t>(bytes.size()) != record.bytes ||
      checksum_of(bytes) != record.checksum) {
    throw InputError(path + ": is not the file that was registered as " +
                     called(record.model, record.version));
  }
}

}  // namespace tandem::serving
