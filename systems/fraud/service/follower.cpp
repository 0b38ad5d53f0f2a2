#include "systems/fraud/service/follower.hpp"

#include <pthread.h>

#include <nlohmann/json.hpp>

#include "systems/fraud/service/ledger.hpp"
#include "systems/fraud/service/records.hpp"
#include "systems/fraud/service/versions.hpp"
#include "systems/journal/segment.hpp"
#include "systems/journal/tail.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using http::Client;
using http::Response;
using journal::Sequence;
using nlohmann::json;

constexpr std::chrono::milliseconds between_attempts{200};

std::span<const std::byte> bytes_of_body(const Response& response) {
  return {reinterpret_cast<const std::byte*>(response.body.data()), response.body.size()};
}

}  // namespace

Follower::Follower(FollowOptions options, FollowHooks hooks, http::Log& log)
    : options_(std::move(options)), hooks_(std::move(hooks)), log_(log) {
  progress_.trouble = "the primary was not asked yet";
  thread_ = std::thread([this] { run(); });
}

Follower::~Follower() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Follower::finish() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    step_down_ = true;
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  return stepped_down_;
}

Follower::Progress Follower::progress() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return progress_;
}

void Follower::say(const std::string& trouble, bool given_up) {
  bool news = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    news = progress_.reached || progress_.trouble != trouble;
    progress_.reached = false;
    progress_.trouble = trouble;
    progress_.given_up = given_up;
  }
  if (!news) return;
  log_.write(given_up ? http::LogLevel::error : http::LogLevel::warning,
             given_up ? "the primary is not followed any more" : "the primary does not answer",
             {{"error", std::string_view(trouble)}});
}

void Follower::run() {
  (void)::pthread_setname_np(::pthread_self(), "follows");
  const auto ending = [&] {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ending_;
  };
  while (!ending()) {
    try {
      Client client(options_.primary, {.connect = options_.answer, .answer = options_.answer});
      begin(client);
      while (!ending()) follow(client, options_.wait);
      bool step_down = false;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        step_down = step_down_;
      }
      if (!step_down) return;
      // From its answer on it acknowledges nothing; what it has until then is followed.
      const json last = json::parse(ask(client, "POST", "/v1/step-down").body);
      const auto none = std::chrono::milliseconds(0);
      while (hooks_.next() < last.at("records").get<Sequence>()) follow(client, none);
      // Its answers wait to hear that the last of it is here.
      follow(client, none);
      stepped_down_ = true;
      return;
    } catch (const InputError& error) {
      say(error.what(), true);
      return;
    } catch (const std::exception& error) {
      say(error.what(), false);
    }
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait_for(lock, between_attempts, [&] { return ending_; });
  }
}

Response Follower::ask(Client& client, const std::string& method, const std::string& path) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (!options_.token.empty()) headers.emplace_back("Authorization", "Bearer " + options_.token);
  Response response = client.ask(method, path, {}, headers);
  const std::string where = options_.primary.url() + path;
  if (response.status == 409 || response.status == 404) {
    throw InputError(where + ": " + response.body);
  }
  if (response.status != 200) {
    throw SystemError(where + ": " + std::to_string(response.status) + " " + response.body);
  }
  return response;
}

Response Follower::get(Client& client, const std::string& path) { return ask(client, "GET", path); }

// Whether it is a primary, of the same secret, whose log this one is a beginning of.
void Follower::begin(Client& client) {
  const Response answer = get(client, "/v1/standby");
  const json primary = json::parse(answer.body, nullptr, false);
  if (primary.is_discarded() || !primary.contains("identity") || !primary.contains("role")) {
    throw InputError(options_.primary.url() + " is no fraud service that can be followed");
  }
  if (primary["role"] != "primary") {
    throw SystemError(options_.primary.url() + " is no primary itself");
  }
  if (primary["identity"] != hooks_.identity) {
    throw InputError(options_.primary.url() +
                     " hashes identifiers with another secret: copy the file `secret` of its state "
                     "into the state of this server before its first start");
  }
  const Sequence next = hooks_.next();
  if (next > 0 && !compared_) {
    const Response last =
        get(client, "/v1/log?from=" + std::to_string(next - 1) + "&until=" + std::to_string(next));
    const auto ours = hooks_.last();
    const auto here = journal::parse_record(ours);
    const auto there = journal::parse_record(bytes_of_body(last));
    const auto equal = [](const journal::Record& a, const journal::Record& b) {
      return a.gone || b.gone || (a.kind == b.kind && std::ranges::equal(a.bytes, b.bytes));
    };
    if (!here || !there || !equal(here->record, there->record)) {
      throw InputError("record " + std::to_string(next - 1) +
                       " is another here than at the primary: this state is no copy of it; move it "
                       "away, but for its file `secret`, and start again");
    }
    compared_ = true;
  }
  if (next > 0 || primary["snapshot"].is_null()) return;
  const Response snapshot = get(client, "/v1/log/snapshot");
  const Sequence until = std::stoull(http::header_of(snapshot, "Tandem-Log-Sequence"));
  fetch_model(client, Ledger::versions_of_snapshot(snapshot.body));
  Sequence from = 0;
  while (from < until) {
    const Response records =
        get(client, "/v1/log?from=" + std::to_string(from) + "&until=" + std::to_string(until));
    if (records.body.empty()) throw SystemError("the primary's log ends before its snapshot");
    hooks_.fill(bytes_of_body(records));
    from = hooks_.next();
  }
  hooks_.restore(until, snapshot.body);
  compared_ = true;
  log_.write(http::LogLevel::info, "the primary's snapshot was taken",
             {{"records", static_cast<std::int64_t>(until)}});
}

void Follower::follow(Client& client, std::chrono::milliseconds wait) {
  const auto asked = http::Clock::now();
  const Response records = get(client, "/v1/log?confirms=1&from=" + std::to_string(hooks_.next()) +
                                           "&wait_ms=" + std::to_string(wait.count()));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    progress_.reached = true;
    progress_.trouble.clear();
    if (!step_down_ && http::header_of(records, "Tandem-Log-Over").empty()) progress_.asked = asked;
    progress_.primary = std::stoull(http::header_of(records, "Tandem-Log-Next"));
  }
  if (records.body.empty()) return;
  fetch_models(client, bytes_of_body(records));
  hooks_.take(bytes_of_body(records));
}

void Follower::fetch_models(Client& client, std::span<const std::byte> records) {
  journal::each_record(records, hooks_.next(), [&](const journal::Record& record) {
    if (record.kind != static_cast<std::uint8_t>(RecordKind::versions)) return;
    fetch_model(client, text_record(record.bytes));
  });
}

void Follower::fetch_model(Client& client, const std::string& versions) {
  const std::string file = model_file_of(versions);
  if (file.empty() || hooks_.has_model(file)) return;
  hooks_.keep_model(file, get(client, "/v1/log/" + file).body);
}

}  // namespace tandem::fraud
