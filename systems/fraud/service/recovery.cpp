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
using http::ExchangePtr;
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
  if (role_ != ServiceRole::primary) return;  // it reads its files when it takes over
  std::shared_ptr<const Versions> fresh;
  {
    const std::lock_guard<std::mutex> lock(files_mutex_);
    fresh = read_files();
  }
  call([&] { swap(fresh); });
}

void DecisionService::reload_if_changed() {
  if (role_ != ServiceRole::primary) return;
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
    if (options_.model.ends_with(".tandem")) {
      throw InputError(options_.model + ": there is no such model file");
    }
    if (slash == std::string::npos || !fs::is_directory(options_.model.substr(0, slash))) {
      throw InputError(options_.model + ": expected a model file, or REPOSITORY/NAME");
    }
    registry_ = std::make_unique<serving::Registry>(options_.model.substr(0, slash),
                                                    options_.registry, true);
  }
  journal::JournalOptions log;
  log.durability = options_.durability;
  log.on_durable = [this](Sequence durable) {
    followers_->durable(durable);
    release(followers_->answerable(durable));
  };
  log.on_append = [this](const journal::Record& record) { followers_->appended(record); };
  log.on_failure = [this](const std::string& why) { fail(why); };
  followers_ = std::make_unique<Followers>(options_.state, options_.fleet.confirm, metrics_, log_);
  journal_ = std::make_unique<journal::Journal>(
      options_.state + "/log", log, options_.storage ? options_.storage : journal::real_storage());
  is_new_ = true;
  bool history_is_whole = true;
  followers_->begin();
  followers_->durable(journal_->durable());
  followers_->on_more = [this] { release(followers_->answerable(journal_->durable())); };
  if (options_.fleet.follow) role_ = ServiceRole::standby;
  Sequence from = 0;
  if (const auto snapshot = journal_->newest_snapshot()) {
    journal_->read_snapshot(*snapshot, [&](std::istream& in) {
      ledger_.restore(in, [this](const std::string& text) { return load_versions(text); });
    });
    from = snapshot->sequence;
    is_new_ = false;
  }
  std::uint64_t count = 0;
  journal_->read(from, [&](const journal::Record& record) {
    ++count;
    if (record.kind != static_cast<std::uint8_t>(RecordKind::versions)) is_new_ = false;
    if (record.kind == static_cast<std::uint8_t>(RecordKind::past)) history_is_whole = false;
    if (record.kind == static_cast<std::uint8_t>(RecordKind::past_done)) history_is_whole = true;
    apply_record(record);
  });
  if (!history_is_whole) {
    throw InputError(options_.state +
                     ": was ended while its history was read; remove the folder and start again");
  }
  // Time does not run backwards over a restart, whatever the clock was set to.
  clock_base_ = std::max(clock_base_.load(), ledger_.now());
  since_snapshot_ = count;
  log_.write(http::LogLevel::info, "state",
             {{"records", static_cast<std::int64_t>(journal_->next())},
              {"read from the log", static_cast<std::int64_t>(count)},
              {"cut bytes", static_cast<std::int64_t>(journal_->recovery().cut_bytes)}});
  if (!ledger_.unfinished().empty()) {
    const Sequence below = clean_at_once();
    // A standby has the primary's record of it.
    if (role_ == ServiceRole::primary) note_erased(below);
  }
  // A standby decides by what the primary does, until it takes over.
  if (role_ == ServiceRole::primary) swap(read_files());
}

std::shared_ptr<const Versions> DecisionService::load_versions(const std::string& text) {
  std::shared_ptr<const Versions> loaded = read_versions(text, models_);
  hits_of_rule_.assign(loaded->rules->rules().size(), 0);
  const std::lock_guard<std::mutex> lock(mutex_);
  versions_ = loaded;
  return loaded;
}

// Does once more, or as the primary did, what a record of the log says.
void DecisionService::apply_record(const journal::Record& record) {
  if (record.gone) return;
  switch (static_cast<RecordKind>(record.kind)) {
    case RecordKind::versions:
      ledger_.set_versions(load_versions(text_record(record.bytes)));
      break;
    case RecordKind::transaction: {
      const TransactionRecord read = transaction_record(record.bytes);
      if (ledger_.versions() == nullptr) {
        throw InputError(options_.state + ": the log has a transaction before any versions");
      }
      ledger_.apply(read, ledger_.decide(read.event));
      break;
    }
    case RecordKind::label: ledger_.apply(label_record(record.bytes)); break;
    case RecordKind::erase: {
      const EraseRecord read = erase_record(record.bytes);
      (void)ledger_.apply(read);
      ledger_.begin_erasure({record.sequence, read.user});
      break;
    }
    case RecordKind::erase_done: {
      // Former versions did not say up to where.
      std::span<const std::byte> bytes = record.bytes;
      ledger_.end_erasures(bytes.empty() ? record.sequence : take_number(bytes, 8));
      break;
    }
    case RecordKind::past: ledger_.apply(past_record(record.bytes)); break;
    case RecordKind::past_done: break;
    default:
      if (ledger_.apply_of_fleet(record)) break;
      throw InputError(options_.state +
                       ": the log has a record that this version of the program "
                       "does not know; use the version that wrote it, or a later one");
  }
}

void DecisionService::write_snapshot() {
  journal_->flush();
  journal_->write_snapshot(journal_->next(), [&](std::ostream& out) { ledger_.snapshot(out); });
  since_snapshot_ = 0;
}

// A child has the state as it is now, and this thread goes on. Returns its number, or -1 where the
// system makes none.
pid_t DecisionService::fork_snapshot(Sequence sequence) {
  const pid_t child = ::fork();
  if (child != 0) return child;
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

// Throws SystemError where it has not written its snapshot.
void DecisionService::wait_snapshot(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw SystemError("the state could not be written to " + options_.state + "/log");
  }
}

void DecisionService::begin_snapshot() {
  if (snapshot_process_ >= 0 || cleaner_.joinable() || journal_->failed()) return;
  try {
    journal_->flush();
  } catch (const Error&) {
    return;
  }
  const pid_t child = fork_snapshot(journal_->next());
  since_snapshot_ = 0;
  if (child < 0) {
    log_.write(http::LogLevel::warning, "no snapshot: the system makes no process");
    return;
  }
  snapshot_process_ = child;
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

void DecisionService::erase(const ExchangePtr& exchange, Key user, ErasedResponse done) {
  Item item;
  item.work = [this, exchange, user, done = std::move(done)](Ledger& /*ledger*/) {
    try {
      Erasure erasure;
      erasure.user = user;
      erasure.exchange = exchange;
      erasure.done = done;
      begin_erasure(std::move(erasure));
    } catch (...) {
      exchange->send(http::response_of_exception());
    }
    return http::Response{};
  };
  put(std::move(item));
}

// By the thread that decides: from here on nobody is told of the user's transactions.
void DecisionService::begin_erasure(Erasure erasure) {
  if (!refusal().empty()) throw http::HttpError(503, refusal());
  EraseRecord record;
  record.user = erasure.user;
  record.received = now();
  erasure.erased.known = ledger_.state().knows_user(erasure.user);
  const Sequence sequence =
      journal_->append(static_cast<std::uint8_t>(RecordKind::erase), bytes_of(record));
  erasure.erased.answers = ledger_.apply(record);
  ledger_.begin_erasure({sequence, erasure.user});
  monitor_.erase(erasure.user);
  std::erase_if(review_ids_, [&](const auto& one) { return ledger_.find(one.first) == nullptr; });
  erasures_.push_back(std::move(erasure));
  if (!cleaner_.joinable()) begin_cleaning();
}

// Snapshot first: it has the state as it is without the users, which the log alone would not give
// any more. Where this is cut short, the record without an end has it done again at the next start.
void DecisionService::begin_cleaning() {
  end_snapshot(true);
  cleaning_ = std::move(erasures_);
  erasures_.clear();
  journal_->flush();
  const Sequence below = journal_->next();
  // A disk in memory is that of this process alone.
  const pid_t child = options_.storage ? -1 : fork_snapshot(below);
  if (child < 0) write_snapshot();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    cleans_ = true;
  }
  cleaner_ = std::thread([this, child, below] {
    std::string failure;
    try {
      if (child >= 0) wait_snapshot(child);
      erase_from_log(cleaning_, below);
      journal_->remove_snapshots_below(below);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    put_own([this, below, failure](Ledger& /*ledger*/) {
      end_cleaning(below, failure);
      return http::Response{};
    });
  });
}

void DecisionService::erase_from_log(std::vector<Erasure>& erasures, Sequence below) {
  const auto erased_by = [&](Key user) -> Erasure* {
    const auto found = std::find_if(erasures.begin(), erasures.end(),
                                    [&](const Erasure& one) { return one.user == user; });
    return found == erasures.end() ? nullptr : &*found;
  };
  (void)journal_->rewrite(
      [&](const journal::Record& record) -> std::optional<std::vector<std::byte>> {
        if (record.gone || record.sequence >= below) return std::nullopt;
        Erasure* by = nullptr;
        switch (static_cast<RecordKind>(record.kind)) {
          case RecordKind::transaction:
            by = erased_by(transaction_record(record.bytes).event.user);
            break;
          case RecordKind::past: by = erased_by(past_record(record.bytes).event.user); break;
          case RecordKind::label: by = erased_by(label_record(record.bytes).label.user); break;
          case RecordKind::elsewhere: {
            const ElsewhereRecord read = elsewhere_record(record.bytes);
            by = erased_by(read.kind == RecordKind::label ? read.label.user : read.event.user);
            break;
          }
          default: break;
        }
        if (by == nullptr) return std::nullopt;
        ++by->erased.records;
        return std::vector<std::byte>{};
      });
  followers_->changed();
}

// What is unfinished, while nothing is decided. Returns the end of what was looked through.
Sequence DecisionService::clean_at_once() {
  std::vector<Erasure> unfinished(ledger_.unfinished().size());
  for (std::size_t i = 0; i < unfinished.size(); ++i) {
    unfinished[i].user = ledger_.unfinished()[i].user;
  }
  const Sequence below = journal_->next();
  write_snapshot();
  erase_from_log(unfinished, below);
  journal_->remove_snapshots_below(below);
  return below;
}

void DecisionService::note_erased(Sequence below) {
  std::vector<std::byte> bytes;
  append_number(bytes, below);
  (void)journal_->append(static_cast<std::uint8_t>(RecordKind::erase_done), bytes);
  ledger_.end_erasures(below);
}

// By the thread that decides.
void DecisionService::end_cleaning(Sequence below, const std::string& failure) {
  cleaner_.join();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    cleans_ = false;
  }
  std::string why = failure;
  if (why.empty()) {
    try {
      note_erased(below);
    } catch (const std::exception& error) {
      why = error.what();
    }
  }
  if (!why.empty()) {
    log_.write(http::LogLevel::error, "a user is not gone from the disk yet",
               {{"error", std::string_view(why)}});
  }
  for (Erasure& one : cleaning_) {
    if (!one.exchange) continue;
    answered_.emplace_back(
        std::move(one.exchange),
        why.empty() ? one.done(one.erased)
                    : http::error_response(503,
                                           "the user is gone from memory, and not from the disk: "
                                           "ask again, or it is done at the next start: " +
                                               why));
  }
  cleaning_.clear();
  write_down();
  if (!erasures_.empty()) begin_cleaning();
}

}  // namespace tandem::fraud
