#include "systems/recommend/sharing.hpp"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <future>
#include <random>

#include "core/file.hpp"
#include "core/text.hpp"
#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using broker::Answer;
using broker::Command;
using broker::Outcome;
using broker::Reply;
using std::chrono::milliseconds;

constexpr char format = '1';
constexpr int attempts = 4;                  // where others write at the same time
constexpr std::size_t most_later = 1 << 20;  // viewers
constexpr std::size_t told_at_once = 500;
constexpr milliseconds until_again{100};
constexpr milliseconds block{50};  // that Redis waits for removals
constexpr milliseconds answer_time{250};
constexpr milliseconds to_catch_up{2'000};
constexpr const char* kept_removals = "1000000";

// What is behind another number than the one that was seen; nothing where there is no other.
constexpr const char* look_script = R"(
local n = redis.call('HGET', KEYS[1], 'n')
if not n or n == ARGV[1] then return false end
return {n, redis.call('HGET', KEYS[1], 'v')})";

// Writes under a new number, or says what is there.
constexpr const char* share_script = R"(
local n = redis.call('HGET', KEYS[1], 'n') or '0'
if n ~= ARGV[1] then return {n, redis.call('HGET', KEYS[1], 'v') or false} end
redis.call('HSET', KEYS[1], 'n', ARGV[2], 'v', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 'written')";

constexpr const char* forget_script = R"(
redis.call('HSET', KEYS[1], 'n', ARGV[1], 'v', '')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'user', ARGV[4], 'by', ARGV[5]))";

broker::RedisOptions redis_options(const SharingOptions& options, const char* label) {
  broker::RedisOptions redis;
  redis.place = options.redis;
  redis.answer = answer_time;
  redis.longest_wait = milliseconds(1'000);
  redis.label = label;
  return redis;
}

std::uint64_t drawn() {
  std::random_device entropy;
  return std::uint64_t{entropy()} << 32 | std::uint64_t{entropy()};
}

}  // namespace

std::string shared_text(const ViewerView& view, const Catalogue& catalogue) {
  std::string bytes(1, format);
  append_number(bytes, view.revision, 4);
  append_number(bytes, view.history.size(), 2);
  for (const Watched& one : view.history) {
    append_text(bytes, catalogue.item(one.item).id);
    append_number(bytes, one.time, 4);
    append_number(bytes, std::bit_cast<std::uint32_t>(one.strength), 4);
  }
  append_number(bytes, view.hidden.size(), 2);
  for (const ItemNumber item : view.hidden) append_text(bytes, catalogue.item(item).id);
  return bytes;
}

ViewerView shared_view(std::string_view bytes, const Catalogue& catalogue) {
  RecordReader in(bytes, "a viewer in Redis");
  if (in.number(1) != static_cast<unsigned char>(format)) {
    throw InputError("a viewer in Redis is of another format: another program uses this prefix");
  }
  ViewerView view;
  view.revision = static_cast<std::uint32_t>(in.number(4));
  const std::uint64_t watched = in.number(2);
  if (watched > longest_history) throw InputError("a viewer in Redis is out of range");
  for (std::uint64_t i = 0; i < watched; ++i) {
    const ItemNumber item = catalogue.find(in.text());
    Watched one{item, static_cast<std::uint32_t>(in.number(4)),
                std::bit_cast<float>(static_cast<std::uint32_t>(in.number(4)))};
    if (!(one.strength > 0 && one.strength <= 1000)) {
      throw InputError("a viewer in Redis has a strength out of range");
    }
    if (item != no_item) view.history.push_back(one);
  }
  const std::uint64_t hidden = in.number(2);
  if (hidden > most_hidden) throw InputError("a viewer in Redis is out of range");
  for (std::uint64_t i = 0; i < hidden; ++i) {
    const ItemNumber item = catalogue.find(in.text());
    if (item != no_item) view.hidden.push_back(item);
  }
  in.finish();
  std::sort(view.hidden.begin(), view.hidden.end());
  return view;
}

// Of one call of tell().
struct Sharing::Telling {
  std::atomic<std::size_t> left{0};
  std::function<void()> done;

  void finish_one() {
    if (--left == 0 && done) done();
  }
};

Sharing::Sharing(SharingOptions options, State& state, Here here, http::Metrics& metrics,
                 http::Log& log)
    : options_(std::move(options)),
      state_(state),
      here_(std::move(here)),
      log_(log),
      told_(metrics.counter("tandem_recommend_shared_told_total",
                            "Changes of viewers that other replicas can read in Redis")),
      taken_(metrics.counter("tandem_recommend_shared_taken_total",
                             "Times that more was read of a viewer in Redis than was known here")),
      not_told_(metrics.counter("tandem_recommend_shared_dropped_total",
                                "Changes of viewers that others are told with the next event "
                                "alone, since too many waited")),
      numbers_(drawn()),
      redis_(redis_options(options_, "shares"), metrics, log),
      reader_(redis_options(options_, "listens"), metrics, log) {
  look_ = redis_.script(look_script);
  share_ = redis_.script(share_script);
  forget_ = redis_.script(forget_script);
  http::Gauge& waiting = metrics.gauge("tandem_recommend_shared_waiting",
                                       "Viewers whose changes other replicas are still to be told");
  metrics.before_reading([this, &waiting] { waiting.set(static_cast<double>(this->waiting())); });
  read_position();
  teller_ = std::thread([this] { tell_those_that_wait(); });
  listener_ = std::thread([this] { listen(); });
  // Who was removed elsewhere meanwhile is not known here either, as far as Redis says so soon.
  std::unique_lock lock(mutex_);
  (void)wake_.wait_for(lock, to_catch_up, [this] { return caught_up_; });
}

Sharing::~Sharing() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  teller_.join();
  stop_listening();
}

void Sharing::stop_listening() {
  {
    const std::scoped_lock lock(mutex_);
    ended_listening_ = true;
  }
  wake_.notify_all();
  if (listener_.joinable()) listener_.join();
}

std::string Sharing::key(const std::string& user) const {
  return options_.prefix + ":viewer:" + user;
}

// Never 0, which says that nothing was seen.
std::uint32_t Sharing::new_number() {
  std::uint64_t x = numbers_ += 0x9E3779B97F4A7C15ULL;  // the odd steps of SplitMix64
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ x >> 27) * 0x94D049BB133111EBULL;
  return static_cast<std::uint32_t>(x >> 32) | 1U;
}

std::size_t Sharing::waiting() const {
  const std::scoped_lock lock(mutex_);
  return later_.size();
}

bool Sharing::look(const std::string& user) {
  if (!redis_.up()) return false;
  const std::uint32_t seen = state_.viewers.shared(user);
  const Answer said =
      redis_.ask({{{"1", key(user), std::to_string(seen)}, look_}}, options_.patience);
  if (!said.good()) return false;
  if (said.replies[0].list.size() != 2) return true;
  try {
    take(user, said.replies[0].list[0], said.replies[0].list[1]);
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "a viewer in Redis cannot be read",
               {{"why", std::string_view(error.what())}});
    return false;
  }
  return true;
}

// What was read is put together with what is known; an empty value is a removal.
void Sharing::take(const std::string& user, const Reply& number, const Reply& value) {
  std::uint32_t seen = 0;
  if (!read_number(number.text, seen)) {
    throw InputError("the key " + options_.prefix +
                     ":viewer:... has no number: another program "
                     "uses this prefix");
  }
  if (value.kind != Reply::Kind::text) {
    // Redis has nothing of the viewer.
    state_.viewers.set_shared(user, 0);
    return;
  }
  bool changed = false;
  if (value.text.empty()) {
    changed = state_.viewers.empty(user, ++state_.feedback, seen);
  } else {
    changed = state_.viewers.merge(user, shared_view(value.text, *here_.catalogue()),
                                   ++state_.feedback, seen);
  }
  if (!changed) return;
  taken_.add();
  here_.changed(user);
}

void Sharing::tell(const std::vector<std::string>& users, std::function<void()> done) {
  auto telling = std::make_shared<Telling>();
  telling->done = std::move(done);
  const std::unordered_set<std::string> distinct(users.begin(), users.end());
  telling->left = distinct.size() + 1;
  for (const std::string& user : distinct) share(user, 1, telling);
  telling->finish_one();
}

void Sharing::share(const std::string& user, int attempt, const std::shared_ptr<Telling>& telling) {
  const ViewerView view = state_.viewers.view(user);
  const std::uint32_t number = new_number();
  redis_.send(
      {{{"1", key(user), std::to_string(view.shared), std::to_string(number),
         shared_text(view, *here_.catalogue()), std::to_string(options_.keep.count())},
        share_}},
      [this, user, attempt, expected = view.shared, number, telling](const Answer& answer) {
        shared(user, attempt, expected, number, telling, answer);
      },
      answer_time);
}

// By Redis' thread, or by that of the caller.
void Sharing::shared(const std::string& user, int attempt, std::uint32_t expected,
                     std::uint32_t number, const std::shared_ptr<Telling>& telling,
                     const Answer& answer) {
  if (!answer.good()) {
    if (answer.outcome == Outcome::answered) {
      log_.write(http::LogLevel::error, "other replicas are not told of viewers",
                 {{"why", std::string_view(answer.what())}});
    }
    later(user);
  } else if (answer.replies[0].list.size() != 2) {
    told_.add();
    state_.viewers.set_shared(user, number, expected);
  } else {
    try {
      take(user, answer.replies[0].list[0], answer.replies[0].list[1]);
      if (attempt < attempts) {
        share(user, attempt + 1, telling);
        return;
      }
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::error, "a viewer in Redis cannot be read",
                 {{"why", std::string_view(error.what())}});
    }
    later(user);
  }
  telling->finish_one();
}

void Sharing::later(const std::string& user) {
  const std::scoped_lock lock(mutex_);
  if (later_.size() < most_later) {
    later_.insert(user);
  } else {
    not_told_.add();
  }
}

// False where it is to end.
bool Sharing::pause(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return ending_; });
}

void Sharing::tell_those_that_wait() {
  (void)::pthread_setname_np(::pthread_self(), "shares");
  while (pause(until_again)) {
    // Once round: who has to wait again waits until the next one.
    for (std::size_t left = waiting(); left > 0 && redis_.up();) {
      std::vector<std::string> users;
      {
        const std::scoped_lock lock(mutex_);
        if (ending_) return;
        while (!later_.empty() && users.size() < std::min(left, told_at_once)) {
          users.push_back(std::move(later_.extract(later_.begin()).value()));
        }
      }
      if (users.empty()) break;
      left -= users.size();
      const auto told = std::make_shared<std::promise<void>>();
      tell(users, [told] { told->set_value(); });
      // Every pipeline is told what became of it.
      told->get_future().wait();
    }
  }
}

void Sharing::forget(const std::string& user, std::function<void(bool told)> done) {
  redis_.send(
      {{{"2", key(user), options_.prefix + ":forgotten", std::to_string(new_number()),
         std::to_string(options_.keep.count()), kept_removals, user, origin_},
        forget_}},
      [done = std::move(done)](const Answer& answer) { done(answer.good()); }, answer_time);
}

// "ORIGIN POSITION"; a new state begins with the removals that come from now on.
void Sharing::read_position() {
  if (std::filesystem::exists(options_.file)) {
    const auto bytes = read_file(options_.file);
    const std::string text(bytes.begin(), bytes.end());
    const auto blank = text.find(' ');
    if (blank == std::string::npos || blank == 0 || text.back() != '\n') {
      throw InputError(options_.file + ": expected a name and a position in a stream of Redis'");
    }
    origin_ = text.substr(0, blank);
    position_ = text.substr(blank + 1, text.size() - blank - 2);
    return;
  }
  origin_ = std::to_string(drawn());
}

void Sharing::write_position() { write_file(options_.file, origin_ + " " + position_ + "\n"); }

void Sharing::listen() {
  (void)::pthread_setname_np(::pthread_self(), "listens");
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      if (ending_ || ended_listening_) return;
    }
    Step step = Step::away;
    try {
      if (reader_.up()) step = listen_some();
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::warning, "removals of other replicas are not heard",
                 {{"why", std::string_view(error.what())}});
    }
    if (step == Step::nothing) {
      const std::scoped_lock lock(mutex_);
      caught_up_ = true;
      wake_.notify_all();
    }
    if (step == Step::away) {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, until_again, [this] { return ending_ || ended_listening_; })) return;
    }
  }
}

Sharing::Step Sharing::listen_some() {
  const std::string stream = options_.prefix + ":forgotten";
  if (position_.empty()) {
    const Answer said = reader_.ask({{{"XREVRANGE", stream, "+", "-", "COUNT", "1"}}});
    if (!said.good()) return Step::away;
    const auto& entries = said.replies[0].list;
    position_ = entries.empty() || entries[0].list.empty() ? "0-0" : entries[0].list[0].text;
    write_position();
  }
  const Answer said = reader_.ask({{{"XREAD", "COUNT", "100", "BLOCK",
                                     std::to_string(block.count()), "STREAMS", stream, position_}}},
                                  block + answer_time);
  if (said.outcome != Outcome::answered) return Step::away;
  if (!said.good()) throw SystemError(said.what());
  if (said.replies[0].list.empty() || said.replies[0].list[0].list.size() != 2) {
    return Step::nothing;
  }
  for (const Reply& entry : said.replies[0].list[0].list[1].list) {
    const std::string user = entry.field("user");
    if (user.empty() || user.size() > longest_name) {
      throw InputError("the stream " + stream + " has an entry that no replica has written");
    }
    if (entry.field("by") != origin_) {
      const auto kept = std::make_shared<std::promise<bool>>();
      here_.forget(user, [kept](std::int64_t applied) { kept->set_value(applied >= 0); });
      if (!kept->get_future().get()) throw SystemError("the log of events has failed");
    }
    position_ = entry.list[0].text;
  }
  write_position();
  return Step::done;
}

}  // namespace tandem::recommend
