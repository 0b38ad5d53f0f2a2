// How a fraud service comes to its state, keeps it, and loses what it must not keep.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "systems/fraud/service/service.hpp"
#include "systems/http/message.hpp"
#include "systems/serving/registry.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

namespace fs = std::filesystem;
using journal::Sequence;

std::string text_of(const std::string& path) {
  const auto bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

// --- versions
// --------------------------------------------------------------------------------------

// Called with files_mutex_ held, or before there are threads.
std::shared_ptr<const Versions> DecisionService::read_files() {
  std::string rules = text_of(options_.rules);
  RuleSet parsed = RuleSet::parse(rules, options_.rules, rule_variables());
  Configuration configuration =
      Configuration::parse(text_of(options_.configuration), options_.configuration);
  std::string model_version;
  std::string file;
  if (registry_) {
    const auto slash = options_.model.rfind('/');
    const std::string name = options_.model.substr(slash + 1);
    const std::int64_t revision = registry_->revision();
    std::optional<serving::VersionRecord> production;
    for (const auto& record : registry_->versions(name)) {
      if (record.stage == serving::Stage::production) production = record;
    }
    if (!production) {
      throw InputError(options_.model +
                       ": no version is in production; tandem models promote makes one");
    }
    registry_->check_file(*production);
    file = models_.keep(registry_->path_of(*production).string());
    model_version = name + "/" + std::to_string(production->version);
    registry_revision_ = revision;
  } else {
    file = models_.keep(options_.model);
    const std::string checksum = fs::path(file).stem().string();
    model_version =
        fs::path(options_.model).stem().string() + "@" + checksum.substr(0, checksum.find('-'));
  }
  return make_versions(std::move(parsed), std::move(configuration), std::move(model_version),
                       std::move(file), models_);
}

void DecisionService::reload() {
  std::shared_ptr<const Versions> fresh;
  {
    const std::lock_guard<std::mutex> lock(files_mutex_);
    fresh = read_files();
  }
  call([&] { swap(fresh); });
}

void DecisionService::reload_if_changed() {
  {
    const std::lock_guard<std::mutex> lock(files_mutex_);
    if (!registry_ || registry_->revision() == registry_revision_) return;
  }
  reload();
}

void DecisionService::replace_rules(const std::string& text) {
  (void)RuleSet::parse(text, "the rules", rule_variables());
  {
    const std::lock_guard<std::mutex> lock(files_mutex_);
    write_file(options_.rules, std::string_view(text));
  }
  reload();
}

void DecisionService::swap(std::shared_ptr<const Versions> versions) {
  const Versions* before = ledger_.versions();
  if (before == nullptr || versions_text(*before) != versions_text(*versions)) {
    if (!refusal().empty()) throw http::HttpError(503, refusal());
    (void)journal_->append(static_cast<std::uint8_t>(RecordKind::versions),
                           bytes_of(versions_text(*versions)));
    ledger_.set_versions(versions);
    monitor_.forget_reference();
    log_.write(http::LogLevel::info, "decides from now on",
               {{"model", std::string_view(versions->model_version)},
                {"by", std::string_view(versions->decision_version)}});
  }
  hits_of_rule_.assign(versions->rules->rules().size(), 0);
  const std::lock_guard<std::mutex> lock(mutex_);
  versions_ = std::move(versions);
}

// --- the state
// ---------------------------------------------------------------------------------------

void DecisionService::recover() {
  fs::create_directories(options_.state);
  if (options_.rules.empty()) {
    options_.rules = options_.state + "/rules.txt";
    if (!fs::exists(options_.rules)) write_file(options_.rules, std::string_view(standard_rules()));
  }
  if (options_.configuration.empty()) {
    options_.configuration = options_.state + "/configuration.json";
    if (!fs::exists(options_.configuration)) {
      write_file(options_.configuration, std::string_view(Configuration::standard_text()));
    }
  }
  if (!fs::is_regular_file(options_.model)) {
    const auto slash = options_.model.rfind('/');
    if (slash == std::string::npos || !fs::is_directory(options_.model.substr(0, slash))) {
      throw InputError(options_.model + ": expected a model file, or REPOSITORY/NAME");
    }
    registry_ = std::make_unique<serving::Registry>(options_.model.substr(0, slash),
                                                    options_.registry, true);
  }
  journal::JournalOptions log;
  log.durability = options_.durability;
  log.on_durable = [this](Sequence durable) { release(durable); };
  log.on_failure = [this](const std::string& why) { fail(why); };
  journal_ = std::make_unique<journal::Journal>(options_.state + "/log", log);
  Sequence from = 0;
  const auto load = [this](const std::string& text) { return read_versions(text, models_); };
  if (const auto snapshot = journal_->newest_snapshot()) {
    journal_->read_snapshot(*snapshot, [&](std::istream& in) { ledger_.restore(in, load); });
    from = snapshot->sequence;
  }
  std::vector<EraseRecord> erasures;
  std::uint64_t count = 0;
  journal_->read(from, [&](const journal::Record& record) {
    ++count;
    if (record.gone) return;
    switch (static_cast<RecordKind>(record.kind)) {
      case RecordKind::versions: ledger_.set_versions(load(text_record(record.bytes))); break;
      case RecordKind::transaction: {
        const TransactionRecord read = transaction_record(record.bytes);
        if (ledger_.versions() == nullptr) {
          throw InputError(options_.state + ": the log has a transaction before any versions");
        }
        ledger_.apply(read, ledger_.decide(read.event));
        break;
      }
      case RecordKind::label: ledger_.apply(label_record(record.bytes)); break;
      case RecordKind::erase:
        erasures.push_back(erase_record(record.bytes));
        (void)ledger_.apply(erasures.back());
        break;
      case RecordKind::erase_done: erasures.clear(); break;
      default:
        throw InputError(options_.state +
                         ": the log has a record that this version of the program "
                         "does not know; use the version that wrote it, or a later one");
    }
  });
  // Time does not run backwards over a restart, whatever the clock was set to.
  clock_base_ = std::max(clock_base_, ledger_.now());
  since_snapshot_ = count;
  log_.write(http::LogLevel::info, "state",
             {{"records", static_cast<std::int64_t>(journal_->next())},
              {"read from the log", static_cast<std::int64_t>(count)},
              {"cut bytes", static_cast<std::int64_t>(journal_->recovery().cut_bytes)}});
  if (!erasures.empty()) finish_erasures(erasures);
  swap(read_files());
}

void DecisionService::begin_snapshot() {
  if (snapshot_process_ >= 0 || journal_->failed()) return;
  try {
    journal_->flush();
  } catch (const Error&) {
    return;
  }
  const Sequence sequence = journal_->next();
  // The child has the state as it is now, and this thread goes on.
  const pid_t child = ::fork();
  if (child < 0) {
    log_.write(http::LogLevel::warning, "no snapshot: the system makes no process");
    since_snapshot_ = 0;
    return;
  }
  if (child == 0) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Connections and the lock of the log belong to the parent alone.
    (void)::close_range(3, ~0U, 0);
    // It takes what the decisions leave.
    const sched_param none{};
    if (::sched_setscheduler(0, SCHED_IDLE, &none) != 0) (void)::nice(19);
    try {
      journal_->write_snapshot(sequence, [&](std::ostream& out) { ledger_.snapshot(out); });
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  snapshot_process_ = child;
  since_snapshot_ = 0;
}

void DecisionService::end_snapshot(bool wait) {
  if (snapshot_process_ < 0) return;
  if (wait) (void)::kill(snapshot_process_, SIGKILL);
  int status = 0;
  const pid_t ended = ::waitpid(snapshot_process_, &status, wait ? 0 : WNOHANG);
  if (ended == 0) return;
  snapshot_process_ = -1;
  if (!wait && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
    log_.write(http::LogLevel::warning, "a snapshot failed; the log has all of it");
  }
}

// --- what must go
// ------------------------------------------------------------------------------------

std::pair<std::size_t, std::int64_t> DecisionService::erase(Key user) {
  if (!refusal().empty()) throw http::HttpError(503, refusal());
  EraseRecord record;
  record.user = user;
  record.received = now();
  (void)journal_->append(static_cast<std::uint8_t>(RecordKind::erase), bytes_of(record));
  const std::size_t answers = ledger_.apply(record);
  monitor_.erase(user);
  std::erase_if(review_ids_, [&](const auto& one) { return ledger_.find(one.first) == nullptr; });
  return {answers, erase_from_log({user})};
}

void DecisionService::finish_erasures(const std::vector<EraseRecord>& erasures) {
  std::vector<Key> users;
  for (const EraseRecord& record : erasures) users.push_back(record.user);
  (void)erase_from_log(users);
}

// The snapshot comes first: it has the state as it is without the user, which the log alone would
// not give any more. Where this is cut short, the record without an end has it done again.
std::int64_t DecisionService::erase_from_log(const std::vector<Key>& users) {
  end_snapshot(true);
  const auto snapshot = [&] {
    journal_->flush();
    journal_->write_snapshot(journal_->next(), [&](std::ostream& out) { ledger_.snapshot(out); });
    since_snapshot_ = 0;
  };
  snapshot();
  const auto is_theirs = [&](Key user) {
    return std::find(users.begin(), users.end(), user) != users.end();
  };
  const std::int64_t gone = journal_->rewrite(
      [&](const journal::Record& record) -> std::optional<std::vector<std::byte>> {
        const auto kind = static_cast<RecordKind>(record.kind);
        if (record.gone) return std::nullopt;
        if (kind == RecordKind::transaction &&
            is_theirs(transaction_record(record.bytes).event.user)) {
          return std::vector<std::byte>{};
        }
        if (kind == RecordKind::label && is_theirs(label_record(record.bytes).label.user)) {
          return std::vector<std::byte>{};
        }
        return std::nullopt;
      },
      false);
  (void)journal_->append(static_cast<std::uint8_t>(RecordKind::erase_done), {});
  // Of the newest two snapshots that are kept, none has the user now.
  snapshot();
  return gone;
}

}  // namespace tandem::fraud
