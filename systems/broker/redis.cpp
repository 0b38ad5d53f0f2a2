#include "systems/broker/redis.hpp"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int deepest_reply = 16;

Reply reply_of(const redisReply& from, int depth = 0) {
  Reply reply;
  switch (from.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::integer;
      reply.integer = from.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS: reply.kind = Reply::Kind::text; break;
    case REDIS_REPLY_ERROR: reply.kind = Reply::Kind::error; break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::list;
      for (std::size_t i = 0; i < from.elements && depth < deepest_reply; ++i) {
        reply.list.push_back(reply_of(*from.element[i], depth + 1));
      }
      break;
    default: break;
  }
  if (from.str != nullptr) reply.text.assign(from.str, static_cast<std::size_t>(from.len));
  return reply;
}

constexpr std::array<std::string_view, 5> outcome_names{"answered", "away", "full", "late", "lost"};

}  // namespace

std::string Reply::field(std::string_view name) const {
  if (list.size() != 2) return {};
  const std::vector<Reply>& fields = list[1].list;
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i].text == name) return fields[i + 1].text;
  }
  return {};
}

std::string_view to_string(Outcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

bool Answer::good() const {
  return outcome == Outcome::answered &&
         std::none_of(replies.begin(), replies.end(),
                      [](auto& one) { return one.kind == Reply::Kind::error; });
}

std::string Answer::what() const {
  switch (outcome) {
    case Outcome::answered: break;
    case Outcome::away: return "Redis is away";
    case Outcome::full: return "too many commands wait for Redis";
    case Outcome::late: return "Redis did not answer in time";
    case Outcome::lost: return "the connection to Redis ended";
  }
  for (const Reply& reply : replies) {
    if (reply.kind == Reply::Kind::error) return "Redis answered: " + reply.text;
  }
  return {};
}

// What is marked "of the thread" is touched by it alone.
class Redis::Connection {
 public:
  Connection(RedisOptions options, http::Metrics& metrics, http::Log& log);
  ~Connection();

  int script(std::string source);
  void send(std::vector<Command> commands, Done done, milliseconds patience);
  [[nodiscard]] bool up() const noexcept { return up_; }
  [[nodiscard]] std::string trouble() const;
  bool wait_until_up(milliseconds patience) const;
  [[nodiscard]] milliseconds patience() const { return options_.answer; }

 private:
  struct Pipeline {
    std::vector<Command> commands;
    Done done;
    Clock::time_point began;
    Clock::time_point deadline;
    std::vector<Reply> replies;
    std::size_t missing = 0;  // replies that have not come
    bool told = false;
  };
  using PipelinePtr = std::shared_ptr<Pipeline>;
  using Timers = std::multimap<Clock::time_point, PipelinePtr>;
  // A reply that is to come; without a pipeline it is one of the greeting.
  struct Expected {
    PipelinePtr pipeline;
    std::size_t command = 0;
    bool again = false;
  };
  enum class Phase { away, connecting, greeting, up };

  void run();
  void wake();
  void connect();
  void greet();
  void greeted(std::size_t place, const redisReply& reply);
  void take_new();
  void transfer(short events);
  void take_replies();
  void replied(const Expected& expected, const redisReply& reply);
  void expire();
  void tell(Pipeline& pipeline, Outcome outcome);
  void drop(const std::string& why);
  void append(const Command& command, bool whole_script);
  void append_words(const std::vector<std::string_view>& words);
  [[nodiscard]] int poll_milliseconds() const;

  RedisOptions options_;
  http::Log& log_;
  http::Gauge& up_gauge_;
  http::Counter& connections_;
  http::Histogram& seconds_;
  std::array<http::Counter*, 5> outcomes_{};

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;  // up_
  std::deque<PipelinePtr> queue_;
  std::vector<std::string> scripts_;
  std::string trouble_ = "no connection has come about yet";
  bool ending_ = false;
  std::atomic<bool> up_{false};
  std::atomic<std::size_t> under_way_{0};  // commands in queue_ and expected_

  // Of the thread.
  Phase phase_ = Phase::away;
  redisContext* context_ = nullptr;
  std::deque<Expected> expected_;
  Timers timers_;
  std::vector<std::string> hashes_;  // of the scripts, as Redis has said them
  std::vector<std::string> known_scripts_;
  std::size_t greeting_size_ = 0;
  std::size_t first_script_reply_ = 0;
  bool writing_ = false;  // bytes wait for the socket
  int late_in_a_row_ = 0;
  int attempts_ = 0;  // without a pipeline that was answered in time
  bool said_away_ = false;
  Clock::time_point next_attempt_;
  Clock::time_point phase_deadline_;
  std::minstd_rand random_{std::random_device{}()};
  int event_ = -1;
  std::thread thread_;
};

Redis::Connection::Connection(RedisOptions options, http::Metrics& metrics, http::Log& log)
    : options_(std::move(options)),
      log_(log),
      up_gauge_(metrics.gauge("tandem_redis_up", "1 while Redis answers in time, else 0",
                              {{"client", options_.label}})),
      connections_(metrics.counter("tandem_redis_connections_total",
                                   "Connections that came about and were answered over",
                                   {{"client", options_.label}})),
      seconds_(metrics.histogram("tandem_redis_answer_seconds",
                                 "From sending commands to Redis to its answer",
                                 http::latency_bounds(), {{"client", options_.label}})) {
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    outcomes_[i] = &metrics.counter(
        "tandem_redis_pipelines_total", "Groups of commands for Redis, by what became of them",
        {{"client", options_.label}, {"outcome", std::string(outcome_names[i])}});
  }
  event_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_ < 0) throw SystemError("the system gives no event for the connection to Redis");
  next_attempt_ = Clock::now();
  thread_ = std::thread([this] { run(); });
}

Redis::Connection::~Connection() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake();
  thread_.join();
  (void)::close(event_);
}

void Redis::Connection::wake() {
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

int Redis::Connection::script(std::string source) {
  const std::lock_guard<std::mutex> lock(mutex_);
  scripts_.push_back(std::move(source));
  return static_cast<int>(scripts_.size()) - 1;
}

std::string Redis::Connection::trouble() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return up_ ? std::string() : trouble_;
}

bool Redis::Connection::wait_until_up(milliseconds patience) const {
  std::unique_lock<std::mutex> lock(mutex_);
  return changed_.wait_for(lock, patience, [this] { return up_.load(); });
}

void Redis::Connection::send(std::vector<Command> commands, Done done, milliseconds patience) {
  const std::size_t count = commands.size();
  Outcome refused = Outcome::answered;
  if (!up_) {
    refused = Outcome::away;
  } else if (under_way_ + count > options_.most_waiting) {
    refused = Outcome::full;
  }
  if (refused != Outcome::answered || count == 0) {
    outcomes_[static_cast<std::size_t>(refused)]->add();
    done({refused, {}});
    return;
  }
  auto pipeline = std::make_shared<Pipeline>();
  pipeline->commands = std::move(commands);
  pipeline->done = std::move(done);
  pipeline->began = Clock::now();
  pipeline->deadline = pipeline->began + patience;
  pipeline->replies.resize(count);
  pipeline->missing = count;
  under_way_ += count;
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    first = queue_.empty();
    queue_.push_back(std::move(pipeline));
  }
  if (first) wake();
}

// --- the thread
// ---------------------------------------------------------------------------------

void Redis::Connection::run() {
  (void)::pthread_setname_np(::pthread_self(), "redis");
  // hiredis writes to sockets whose other end may have gone.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  (void)::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ending_) break;
    }
    if (phase_ == Phase::away && Clock::now() >= next_attempt_) connect();
    std::array<pollfd, 2> polled{{{event_, POLLIN, 0}, {-1, 0, 0}}};
    if (context_ != nullptr) {
      const bool write = phase_ == Phase::connecting || writing_;
      polled[1] = {context_->fd, static_cast<short>(write ? POLLIN | POLLOUT : POLLIN), 0};
    }
    (void)::poll(polled.data(), polled.size(), poll_milliseconds());
    std::uint64_t count = 0;
    (void)!::read(event_, &count, sizeof count);
    if (context_ != nullptr) transfer(polled[1].revents);
    take_new();
    expire();
  }
  drop("the client ends");
  take_new();
}

int Redis::Connection::poll_milliseconds() const {
  Clock::time_point until = Clock::now() + std::chrono::seconds(10);
  if (phase_ == Phase::away) until = std::min(until, next_attempt_);
  if (phase_ == Phase::connecting || phase_ == Phase::greeting) {
    until = std::min(until, phase_deadline_);
  }
  if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
  // Rounded up, so that it is not asked again before there is something to do.
  return static_cast<int>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<milliseconds>(until - Clock::now()).count() + 1));
}

void Redis::Connection::connect() {
  // Names are looked up here, where nobody waits.
  context_ = ::redisConnectNonBlock(options_.place.host.c_str(), options_.place.port);
  if (context_ == nullptr || context_->err != 0) {
    drop(context_ == nullptr ? "no memory for a connection" : context_->errstr);
    return;
  }
  (void)::redisEnableKeepAlive(context_);
  phase_ = Phase::connecting;
  phase_deadline_ = Clock::now() + options_.connect;
}

// After AUTH and SELECT, the scripts and a PING: the circuit is closed when all are answered.
void Redis::Connection::greet() {
  phase_ = Phase::greeting;
  phase_deadline_ = Clock::now() + options_.answer;
  greeting_size_ = 0;
  const auto say = [&](const std::vector<std::string_view>& words) {
    append_words(words);
    expected_.push_back({nullptr, greeting_size_++});
  };
  const RedisPlace& place = options_.place;
  if (!place.user.empty()) {
    say({"AUTH", place.user, place.password});
  } else if (!place.password.empty()) {
    say({"AUTH", place.password});
  }
  if (place.database != 0) say({"SELECT", std::to_string(place.database)});
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    known_scripts_ = scripts_;
  }
  hashes_.assign(known_scripts_.size(), "");
  first_script_reply_ = greeting_size_;
  for (const std::string& source : known_scripts_) say({"SCRIPT", "LOAD", source});
  say({"PING"});
}

void Redis::Connection::greeted(std::size_t place, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) {
    drop("Redis refuses: " + std::string(reply.str, static_cast<std::size_t>(reply.len)));
    return;
  }
  if (place >= first_script_reply_ && place < first_script_reply_ + hashes_.size()) {
    hashes_[place - first_script_reply_] = reply_of(reply).text;
  }
  if (place + 1 < greeting_size_) return;
  phase_ = Phase::up;
  late_in_a_row_ = 0;
  connections_.add();
  up_gauge_.set(1);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    trouble_.clear();
    up_ = true;
  }
  changed_.notify_all();
  const std::string name = options_.place.name();
  log_.write(http::LogLevel::info, "Redis answers",
             {{"client", std::string_view(options_.label)}, {"at", std::string_view(name)}});
  said_away_ = false;
}

void Redis::Connection::take_new() {
  std::deque<PipelinePtr> taken;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    taken.swap(queue_);
  }
  for (PipelinePtr& pipeline : taken) {
    if (phase_ != Phase::up) {
      under_way_ -= pipeline->commands.size();
      tell(*pipeline, Outcome::lost);
      continue;
    }
    for (std::size_t i = 0; i < pipeline->commands.size(); ++i) {
      append(pipeline->commands[i], false);
      expected_.push_back({pipeline, i});
    }
    timers_.emplace(pipeline->deadline, pipeline);
  }
  if (!taken.empty() && phase_ == Phase::up) transfer(POLLOUT);
}

// Writes what waits, and reads what has come.
void Redis::Connection::transfer(short events) {
  if (phase_ == Phase::connecting) {
    if ((events & (POLLOUT | POLLERR | POLLHUP)) == 0) return;
    int failure = 0;
    socklen_t size = sizeof failure;
    if (::getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0) {
      drop(std::generic_category().message(failure));
      return;
    }
    greet();
  }
  int all = 0;
  if (::redisBufferWrite(context_, &all) != REDIS_OK) {
    drop(context_->errstr);
    return;
  }
  writing_ = all == 0;
  if ((events & (POLLIN | POLLERR | POLLHUP)) == 0) return;
  if (::redisBufferRead(context_) != REDIS_OK) {
    drop(context_->errstr);
    return;
  }
  take_replies();
}

void Redis::Connection::take_replies() {
  while (context_ != nullptr) {
    void* raw = nullptr;
    if (::redisGetReplyFromReader(context_, &raw) != REDIS_OK) {
      drop(context_->errstr);
      return;
    }
    if (raw == nullptr) return;
    const std::unique_ptr<redisReply, void (*)(redisReply*)> reply(
        static_cast<redisReply*>(raw), [](redisReply* one) { ::freeReplyObject(one); });
    if (expected_.empty()) {
      drop("Redis sent what nobody asked for");
      return;
    }
    const Expected expected = std::move(expected_.front());
    expected_.pop_front();
    if (!expected.pipeline) {
      greeted(expected.command, *reply);
    } else {
      replied(expected, *reply);
    }
  }
}

void Redis::Connection::replied(const Expected& expected, const redisReply& reply) {
  Pipeline& pipeline = *expected.pipeline;
  const Command& command = pipeline.commands[expected.command];
  Reply read = reply_of(reply);
  if (read.kind == Reply::Kind::error && command.script >= 0 && !expected.again &&
      read.text.starts_with("NOSCRIPT")) {
    append(command, true);
    expected_.push_back({expected.pipeline, expected.command, true});
    writing_ = true;
    return;
  }
  --under_way_;
  if (pipeline.told) return;
  pipeline.replies[expected.command] = std::move(read);
  if (--pipeline.missing > 0) return;
  late_in_a_row_ = 0;
  attempts_ = 0;
  seconds_.observe(std::chrono::duration<double>(Clock::now() - pipeline.began).count());
  const auto [first, last] = timers_.equal_range(pipeline.deadline);
  timers_.erase(std::find_if(first, last,
                             [&](const auto& timer) { return timer.second == expected.pipeline; }));
  tell(pipeline, Outcome::answered);
}

void Redis::Connection::expire() {
  const auto now = Clock::now();
  if (phase_ == Phase::connecting && now >= phase_deadline_) {
    drop("no connection came about in " + std::to_string(options_.connect.count()) + " ms");
  } else if (phase_ == Phase::greeting && now >= phase_deadline_) {
    drop("PING was not answered in " + std::to_string(options_.answer.count()) + " ms");
  }
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const PipelinePtr pipeline = timers_.begin()->second;
    timers_.erase(timers_.begin());
    ++late_in_a_row_;
    tell(*pipeline, Outcome::late);
  }
  if (phase_ == Phase::up && late_in_a_row_ >= options_.late_in_a_row) {
    drop(std::to_string(late_in_a_row_) + " answers in a row were late");
  }
}

void Redis::Connection::tell(Pipeline& pipeline, Outcome outcome) {
  if (pipeline.told) return;
  pipeline.told = true;
  outcomes_[static_cast<std::size_t>(outcome)]->add();
  Answer answer{outcome, {}};
  if (outcome == Outcome::answered) answer.replies = std::move(pipeline.replies);
  const Done done = std::move(pipeline.done);
  done(std::move(answer));
}

void Redis::Connection::drop(const std::string& why) {
  const bool was_up = phase_ == Phase::up;
  // `why` may be the context's own text.
  const std::string said = why;
  if (context_ != nullptr) ::redisFree(context_);
  context_ = nullptr;
  phase_ = Phase::away;
  writing_ = false;
  up_gauge_.set(0);
  bool ending = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    up_ = false;
    trouble_ = said;
    ending = ending_;
  }
  changed_.notify_all();
  std::deque<Expected> lost;
  lost.swap(expected_);
  timers_.clear();
  for (const Expected& one : lost) {
    if (!one.pipeline) continue;
    --under_way_;
    tell(*one.pipeline, Outcome::lost);
  }
  const auto doubled = options_.first_wait * (std::int64_t{1} << std::min(attempts_, 20));
  const auto longest = std::min<milliseconds>(doubled, options_.longest_wait);
  const double part = 0.5 + 0.5 * std::uniform_real_distribution<double>()(random_);
  next_attempt_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(longest * part);
  ++attempts_;
  if (ending || (said_away_ && !was_up)) return;
  said_away_ = true;
  const std::string name = options_.place.name();
  log_.write(http::LogLevel::warning, "Redis is away",
             {{"client", std::string_view(options_.label)},
              {"at", std::string_view(name)},
              {"error", std::string_view(said)}});
}

void Redis::Connection::append(const Command& command, bool whole_script) {
  std::vector<std::string_view> words;
  if (command.script >= 0) {
    const auto script = static_cast<std::size_t>(command.script);
    // Registered after this connection was greeted: Redis has not seen it.
    if (script >= known_scripts_.size()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      known_scripts_ = scripts_;
      hashes_.resize(known_scripts_.size());
    }
    const bool whole = whole_script || hashes_.at(script).empty();
    words = {whole ? "EVAL" : "EVALSHA", whole ? known_scripts_[script] : hashes_[script]};
  }
  words.insert(words.end(), command.words.begin(), command.words.end());
  append_words(words);
}

void Redis::Connection::append_words(const std::vector<std::string_view>& words) {
  std::vector<const char*> places;
  std::vector<std::size_t> lengths;
  for (const std::string_view word : words) {
    places.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* text = nullptr;
  const int length = ::redisFormatCommandArgv(&text, static_cast<int>(words.size()), places.data(),
                                              lengths.data());
  if (length < 0) throw std::bad_alloc();
  (void)::redisAppendFormattedCommand(context_, text, static_cast<std::size_t>(length));
  ::redisFreeCommand(text);
  writing_ = true;
}

// --- the client
// ---------------------------------------------------------------------------------

Redis::Redis(RedisOptions options, http::Metrics& metrics, http::Log& log)
    : connection_(std::make_unique<Connection>(std::move(options), metrics, log)) {}
Redis::~Redis() = default;

int Redis::script(std::string source) { return connection_->script(std::move(source)); }

void Redis::send(std::vector<Command> pipeline, Done done, std::optional<milliseconds> patience) {
  connection_->send(std::move(pipeline), std::move(done),
                    patience.value_or(connection_->patience()));
}

Answer Redis::ask(std::vector<Command> pipeline, std::optional<milliseconds> patience) {
  // Held by both sides: the client's thread is still in set_value() when this one goes on.
  const auto answered = std::make_shared<std::promise<Answer>>();
  send(
      std::move(pipeline), [answered](Answer answer) { answered->set_value(std::move(answer)); },
      patience);
  return answered->get_future().get();
}

bool Redis::up() const noexcept { return connection_->up(); }
std::string Redis::trouble() const { return connection_->trouble(); }
bool Redis::wait_until_up(milliseconds patience) const {
  return connection_->wait_until_up(patience);
}

}  // namespace tandem::broker
