// A service that is one of several: it follows a primary, takes over, steps down, and is told what
// other partitions have seen.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/file.hpp"
#include "systems/fraud/service/service.hpp"
#include "systems/http/json.hpp"
#include "systems/http/tokens.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

namespace fs = std::filesystem;
using http::ExchangePtr;
using http::HttpError;
using http::Response;
using journal::Sequence;
using nlohmann::json;

constexpr int retry_seconds = 1;
constexpr std::size_t most_held = 10'000;

std::string_view to_string(ServiceRole role) {
  switch (role) {
    case ServiceRole::primary: return "primary";
    case ServiceRole::standby: return "standby";
    case ServiceRole::stepped_down: return "stepped down";
  }
  return "";
}

// There while the log of a new standby has records that its state does not stand for yet.
std::string filling_mark(const std::string& state) { return state + "/copying"; }

}  // namespace

// --- following
// ----------------------------------------------------------------------------------

void DecisionService::begin_to_follow() {
  FollowOptions wanted;
  wanted.primary = *options_.fleet.follow;
  if (!options_.fleet.follow_token.empty()) {
    const auto bytes = read_file(options_.fleet.follow_token);
    std::string text(bytes.begin(), bytes.end());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    if (text.empty() || text.find_first_of(" \t\r\n") != std::string::npos) {
      throw InputError(options_.fleet.follow_token + ": expected one token and nothing else");
    }
    wanted.token = text;
  }
  if (fs::exists(filling_mark(options_.state))) {
    throw InputError(
        options_.state +
        ": was ended while it copied the primary's log: move it away, but for its file "
        "`secret`, and start again");
  }
  FollowHooks hooks;
  hooks.identity = identity();
  hooks.next = [this] { return journal_->next(); };
  hooks.last = [this] {
    std::vector<std::byte> bytes;
    const Sequence next = journal_->next();
    if (next > 0) {
      journal_->flush();
      (void)journal::copy_from_files(options_.state + "/log", next - 1, next, 1, bytes);
    }
    return bytes;
  };
  hooks.take = [this](std::span<const std::byte> records) { follow(records, true); };
  hooks.fill = [this](std::span<const std::byte> records) {
    write_file(filling_mark(options_.state), std::string_view(""));
    follow(records, false);
  };
  hooks.restore = [this](Sequence sequence, const std::string& bytes) {
    call([&] {
      journal_->write_snapshot(sequence, [&](std::ostream& out) { out << bytes; });
      std::istringstream in(bytes);
      ledger_.restore(in, [this](const std::string& text) { return load_versions(text); });
    });
    fs::remove(filling_mark(options_.state));
  };
  hooks.has_model = [this](const std::string& file) { return models_.has(file); };
  hooks.keep_model = [this](const std::string& file, const std::string& bytes) {
    models_.put(file, bytes);
  };
  follower_ = std::make_unique<Follower>(std::move(wanted), std::move(hooks), log_);
}

void DecisionService::follow(std::span<const std::byte> records, bool apply) {
  call([&] {
    journal::each_record(records, journal_->next(), [&](const journal::Record& record) {
      // The primary's log says that users are gone from the disk: from this one before it says so.
      if (apply && record.kind == static_cast<std::uint8_t>(RecordKind::erase_done) &&
          !ledger_.unfinished().empty()) {
        (void)clean_at_once();
      }
      if (record.gone) {
        (void)journal_->append_gone();
      } else {
        (void)journal_->append(record.kind, record.bytes);
      }
      if (!apply) return;
      ++since_snapshot_;
      apply_record(record);
    });
  });
  journal_->flush();
}

bool DecisionService::hold(const ExchangePtr& exchange) {
  if (options_.fleet.hold.count() == 0) return false;
  const std::lock_guard<std::mutex> lock(held_mutex_);
  if (role_ != ServiceRole::standby || held_.size() >= most_held) return false;
  const auto now = http::Clock::now();
  held_.push_back({exchange, now, now + options_.fleet.hold});
  return true;
}

void DecisionService::let_go_of_held(bool all) {
  const auto now = http::Clock::now();
  // A primary that was asked since and answered is not lost: it decides, and the client is told so
  // at once rather than when its patience is over.
  const auto lives_at = follower_ ? follower_->progress().asked : http::Clock::time_point{};
  std::vector<ExchangePtr> over;
  {
    const std::lock_guard<std::mutex> lock(held_mutex_);
    while (!held_.empty() &&
           (all || held_.front().until <= now || held_.front().since < lives_at)) {
      over.push_back(std::move(held_.front().exchange));
      held_.pop_front();
    }
  }
  for (const ExchangePtr& exchange : over) {
    exchange->send(http::error_response(503, refusal(), retry_seconds));
  }
}

void DecisionService::end_waiting() {
  followers_->end();
  let_go_of_held(true);
}

// --- who decides
// --------------------------------------------------------------------------------

void DecisionService::when_primary(std::function<void()> call) {
  if (role_ == ServiceRole::primary) {
    call();
    return;
  }
  when_primary_ = std::move(call);
}

Response DecisionService::standing() {
  json said;
  call([&] {
    const auto snapshot = journal_->newest_snapshot();
    said = {{"role", to_string(role_)},
            {"epoch", ledger_.epoch()},
            {"records", journal_->next()},
            {"safe", journal_->durable()},
            {"snapshot", snapshot ? json(snapshot->sequence) : json()},
            {"partition", options_.fleet.partition.to_string()},
            {"identity", identity()},
            {"failed", journal_->failed()}};
  });
  if (role_ == ServiceRole::standby) {
    const std::lock_guard<std::mutex> lock(takeover_mutex_);
    const Follower::Progress progress = follower_->progress();
    const Sequence next = journal_->next();
    said["follows"] = {{"primary", options_.fleet.follow->url()},
                       {"reached", progress.reached},
                       {"trouble", progress.trouble},
                       {"given_up", progress.given_up},
                       {"behind", progress.primary > next ? progress.primary - next : 0}};
  } else {
    said["standby"] = {{"confirmed", followers_->confirmed()},
                       {"answers_wait", followers_->holds()},
                       {"has_all", followers_->has_all()}};
  }
  return http::json_response(said);
}

Response DecisionService::snapshot_for_follower() const {
  const auto snapshot = journal_->newest_snapshot();
  if (!snapshot) throw HttpError(503, "there is no snapshot yet", retry_seconds);
  std::ostringstream bytes;
  journal_->read_snapshot(*snapshot, [&](std::istream& in) { bytes << in.rdbuf(); });
  Response response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Tandem-Log-Sequence", std::to_string(snapshot->sequence));
  response.body = std::move(bytes).str();
  return response;
}

Response DecisionService::model_for_follower(const std::string& file) const {
  const std::string name = "models/" + file;
  if (file.empty() || file.find_first_of("/\\") != std::string::npos || file.starts_with('.') ||
      !models_.has(name)) {
    throw HttpError(404, "there is no such model");
  }
  const auto bytes = read_file(options_.state + "/" + name);
  Response response;
  response.content_type = "application/octet-stream";
  response.body.assign(bytes.begin(), bytes.end());
  return response;
}

Response DecisionService::step_down() {
  if (role_ == ServiceRole::standby) {
    throw HttpError(409, "this server is a standby: it decides nothing");
  }
  Sequence next = 0;
  call([&] {
    if (role_ == ServiceRole::primary) {
      role_ = ServiceRole::stepped_down;
      followers_->steps_down();
      log_.write(http::LogLevel::warning, "stepped down: another server decides from now on");
    }
    journal_->flush();
    next = journal_->next();
    // The journal's thread may not have said so yet, and the standby asks at once.
    followers_->durable(next);
  });
  return http::json_response({{"role", to_string(role_)}, {"records", next}});
}

Response DecisionService::take_over() {
  const std::lock_guard<std::mutex> lock(takeover_mutex_);
  if (role_ != ServiceRole::standby) {
    throw HttpError(409, "this server follows none: it is " + std::string(to_string(role_)));
  }
  call([&] {
    if (ledger_.versions() == nullptr) {
      throw HttpError(409, "nothing was followed yet: there is no state to decide by");
    }
  });
  const bool whole = follower_->finish();
  Sequence followed = 0;
  call([&] {
    clock_base_ = std::max(clock_base_.load(), ledger_.now());
    followed = journal_->next();
    const TakeoverRecord record{ledger_.epoch() + 1, now()};
    (void)journal_->append(static_cast<std::uint8_t>(RecordKind::takeover), bytes_of(record));
    ledger_.apply(record, followed);
    if (!ledger_.unfinished().empty()) note_erased(clean_at_once());
    const std::lock_guard<std::mutex> held(held_mutex_);
    role_ = ServiceRole::primary;
  });
  keep_versions_files();
  try {
    reload();
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error,
               "decides by what the primary did: the model, rules or configuration of this server "
               "cannot be used",
               {{"error", std::string_view(error.what())}});
  }
  log_.write(
      http::LogLevel::warning, "took over",
      {{"records", static_cast<std::int64_t>(followed)}, {"the primary stepped down", whole}});
  std::deque<Held> held;
  {
    const std::lock_guard<std::mutex> waiting(held_mutex_);
    held.swap(held_);
  }
  for (const Held& one : held) {
    try {
      decide(one.exchange);
    } catch (...) {
      one.exchange->send(http::response_of_exception());
    }
  }
  if (when_primary_) when_primary_();
  return http::json_response(
      {{"role", "primary"}, {"records", followed}, {"stepped_down", whole}, {"held", held.size()}});
}

// Rules and configuration that the primary decided by are those of the state from now on, unless
// this server was told of others.
void DecisionService::keep_versions_files() {
  const auto decided = versions();
  const std::lock_guard<std::mutex> lock(files_mutex_);
  if (options_.rules == options_.state + "/rules.txt") {
    write_file(options_.rules, std::string_view(decided->rules->text()));
  }
  if (options_.configuration == options_.state + "/configuration.json") {
    write_file(options_.configuration, std::string_view(decided->configuration->text));
  }
}

// --- what comes of others
// -----------------------------------------------------------------------

std::string DecisionService::identity() const {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx",
                static_cast<unsigned long long>(
                    identities_.key(KeyKind::transaction, "tandem fraud: the same secret")));
  return text.data();
}

DecisionService::SharedState DecisionService::shared_state() {
  SharedState shared;
  call([&] {
    for (std::uint32_t i = 0; i < options_.fleet.partition.count; ++i) {
      shared.positions.push_back(ledger_.position_of(static_cast<std::uint16_t>(i)));
    }
    shared.takeovers = ledger_.takeovers();
    shared.records = journal_->next();
  });
  return shared;
}

void DecisionService::take_elsewhere(const std::vector<ElsewhereRecord>& records) {
  call([&] {
    if (role_ != ServiceRole::primary) throw HttpError(503, refusal());
    for (const ElsewhereRecord& record : records) {
      if (record.position <= ledger_.position_of(record.partition)) continue;
      // What this server was told of the user goes as what it would have of its own.
      if (record.kind == RecordKind::erase && ledger_.state().knows_user(record.user)) {
        Erasure erasure;
        erasure.user = record.user;
        begin_erasure(std::move(erasure));
      }
      (void)journal_->append(static_cast<std::uint8_t>(RecordKind::elsewhere), bytes_of(record));
      ++since_snapshot_;
      ledger_.apply(record);
    }
  });
}

void DecisionService::set_away(Outside part, bool away) {
  call([&] {
    if (role_ != ServiceRole::primary || journal_->failed()) return;
    const auto bit = static_cast<std::uint8_t>(part);
    const std::uint8_t before = ledger_.without();
    const auto after = static_cast<std::uint8_t>(away ? before | bit : before & ~bit);
    if (before == after) return;
    const WithoutRecord record{after, now()};
    (void)journal_->append(static_cast<std::uint8_t>(RecordKind::without), bytes_of(record));
    ledger_.apply(record);
  });
}

}  // namespace tandem::fraud
