#include "systems/fraud/service/service.hpp"

#include <pthread.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "systems/fraud/service/read_body.hpp"
#include "systems/http/json.hpp"
#include "systems/serving/json_text.hpp"
#include "systems/serving/registry.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using http::ExchangePtr;
using http::HttpError;
using http::Response;
using std::chrono::duration;

constexpr int retry_seconds = 1;
// Transactions that are decided before they are written down together.
constexpr std::size_t group_size = 64;
// Transactions of a list that are decided before others have their turn.
constexpr std::size_t turn_size = 32;

double seconds_since(http::Clock::time_point begin) {
  return duration<double>(http::Clock::now() - begin).count();
}

std::string error_entry(std::string_view id, std::string_view error) {
  std::string json = "{\"transaction_id\":";
  serving::append_json_text(json, id);
  json += ",\"error\":";
  serving::append_json_text(json, error);
  json += '}';
  return json;
}

}  // namespace

DecisionService::DecisionService(ServiceOptions options, http::Metrics& metrics, http::Log& log)
    : options_(std::move(options)),
      metrics_(metrics),
      log_(log),
      identities_(Identities::of_folder(options_.state)),
      models_(options_.state),
      ledger_(options_.ledger),
      monitor_(metrics) {
  clock_start_ = http::Clock::now();
  clock_base_ = std::chrono::duration_cast<std::chrono::milliseconds>(
                    std::chrono::system_clock::now().time_since_epoch())
                    .count();
  try {
    recover();
    if (role_ == ServiceRole::primary) read_history();
  } catch (...) {
    // Its thread calls back into this object, whose other members go before it.
    journal_.reset();
    throw;
  }
  thread_ = std::thread([this] { run(); });
  if (role_ == ServiceRole::standby) {
    try {
      begin_to_follow();
    } catch (...) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        stopping_ = true;
      }
      wake_.notify_all();
      thread_.join();
      journal_.reset();
      throw;
    }
  }
  metrics.before_reading(
      [this,
       &queued = metrics.gauge("tandem_fraud_queued_transactions",
                               "Transactions that wait to be decided"),
       &safe = metrics.gauge("tandem_fraud_log_records_safe", "Records of the log that are safe"),
       &taken = metrics.gauge("tandem_fraud_takes_transactions",
                              "1 while transactions are taken, else 0")] {
        safe.set(static_cast<double>(journal_->durable()));
        taken.set(refusal().empty() ? 1 : 0);
        const std::lock_guard<std::mutex> lock(mutex_);
        queued.set(static_cast<double>(queued_));
      });
}

DecisionService::~DecisionService() {
  // It hands on what it is told to the thread that decides.
  follower_.reset();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (cleaner_.joinable()) cleaner_.join();
  end_snapshot(true);
  try {
    write_snapshot();
  } catch (const std::exception& error) {
    // The log has all; the next start reads more of it.
    log_.write(http::LogLevel::warning, "no snapshot at the end",
               {{"error", std::string_view(error.what())}});
  }
  // Its thread calls back into this object.
  journal_.reset();
}

Time DecisionService::now() const {
  // Steps of the system's clock while the server runs do not matter.
  return clock_base_ +
         std::chrono::duration_cast<std::chrono::milliseconds>(http::Clock::now() - clock_start_)
             .count();
}

std::shared_ptr<const Versions> DecisionService::versions() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!versions_) throw HttpError(503, "nothing was followed yet", retry_seconds);
  return versions_;
}

std::string DecisionService::refusal() const {
  if (role_ == ServiceRole::standby) {
    return "this server is a standby of " + options_.fleet.follow->url() +
           " and decides nothing until it takes over";
  }
  if (role_ == ServiceRole::stepped_down) {
    return "this server has stepped down, and another decides: start it again as a standby of that";
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!failure_.empty()) {
    return "the log cannot be written any more, and nothing is acknowledged until the server is "
           "started again: " +
           failure_;
  }
  if (full_) return "the disk of the log is full; transactions are taken again once there is space";
  return {};
}

// --- what comes in
// --------------------------------------------------------------------------------

void DecisionService::decide(const ExchangePtr& exchange) {
  if (role_ == ServiceRole::standby && hold(exchange)) return;
  // Before the work of reading it.
  refuse_if_behind();
  const auto begin = http::Clock::now();
  const auto decides = versions();
  Item item;
  item.exchange = exchange;
  item.list = read_body(exchange->request.body, identities_, *decides->configuration, now(),
                        item.transactions);
  std::vector<std::uint32_t> sums;
  for (const Incoming& one : item.transactions) sums.push_back(one.sum);
  check_partition(options_.fleet.partition, exchange->request.header(partition_header), sums);
  if (item.transactions.front().digest % Monitor::sampled == 0) {
    monitor_.measured(Stage::read,
                      seconds_since(begin) / static_cast<double>(item.transactions.size()));
  }
  const std::string why = refusal();
  if (!why.empty()) {
    monitor_.refused();
    throw HttpError(503, why, retry_seconds);
  }
  put(std::move(item));
}

void DecisionService::ask(const ExchangePtr& exchange, Work work) {
  Item item;
  item.exchange = exchange;
  item.work = std::move(work);
  put(std::move(item));
}

void DecisionService::refuse_if_behind() {
  const double wait = static_cast<double>(queued_.load()) * seconds_each_.load();
  if (wait <= duration<double>(options_.longest_wait).count() || queued_ == 0) return;
  monitor_.refused();
  throw HttpError(503, "more transactions wait than can be decided in time", retry_seconds);
}

void DecisionService::put(Item item) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) throw HttpError(503, "the server stops");
    queued_ += item.transactions.size();
    queue_.push_back(std::move(item));
    if (queue_.size() > 1) return;  // the thread is awake, or about to be
  }
  wake_.notify_one();
}

void DecisionService::put_own(Work work) {
  Item item;
  item.work = std::move(work);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(std::move(item));
  }
  wake_.notify_one();
}

void DecisionService::call(const std::function<void()>& work) {
  std::promise<void> done;
  Item item;
  item.work = [&](Ledger& /*ledger*/) {
    try {
      work();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
    return Response{};
  };
  put(std::move(item));
  done.get_future().get();
}

// --- the thread that decides
// ----------------------------------------------------------------------

void DecisionService::run() {
  (void)::pthread_setname_np(::pthread_self(), "decides");
  std::deque<Item> taken;
  std::deque<Item> unfinished;  // lists, which wait for their next turn
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const auto ends = [&] { return stopping_ && !cleans_; };
      wake_.wait(lock, [&] { return ends() || !queue_.empty() || !unfinished.empty(); });
      if (queue_.empty() && unfinished.empty()) return;
      taken.swap(queue_);
    }
    std::move(unfinished.begin(), unfinished.end(), std::back_inserter(taken));
    unfinished.clear();
    for (Item& item : taken) {
      if (item.work) {
        // It may write, and must see everything before it written.
        write_down();
        do_work(item);
        continue;
      }
      const auto begin = http::Clock::now();
      const std::size_t before = item.decided;
      const bool whole = answer(item);
      if (unwritten_.size() >= group_size || &item == &taken.back()) write_down();
      const std::size_t count = item.decided - before;
      const double each =
          seconds_since(begin) / static_cast<double>(std::max<std::size_t>(1, count));
      // A pause of the machine, seconds long, says nothing of the next transaction: it counts as a
      // hundred usual ones. What really takes that long is known after a few.
      const double usual = seconds_each_.load();
      seconds_each_ = 0.99 * usual + 0.01 * std::min(each, 100 * usual);
      queued_ -= count;
      if (!whole) unfinished.push_back(std::move(item));
    }
    write_down();
    taken.clear();
    end_snapshot(false);
    if (since_snapshot_ >= static_cast<std::uint64_t>(options_.snapshot_records)) begin_snapshot();
  }
}

void DecisionService::do_work(Item& item) {
  try {
    if (item.exchange && ledger_.versions() == nullptr) {
      throw HttpError(503, "nothing was followed yet", retry_seconds);
    }
    Response response = item.work(ledger_);
    if (!item.exchange) return;
    answered_.emplace_back(std::move(item.exchange), std::move(response));
    write_down();
  } catch (...) {
    if (item.exchange) item.exchange->send(http::response_of_exception());
  }
}

// Takes a turn at a request; true once it is answered. `decided` counts what need not wait any
// more.
bool DecisionService::answer(Item& item) {
  const std::size_t all = item.transactions.size();
  // A client that has gone was not answered, and may ask again.
  if (!item.exchange->wanted()) {
    item.decided = all;
    return true;
  }
  try {
    const auto arrived = item.exchange->request.arrived;
    Response response;
    if (!item.list) {
      response.body = decide_one(item.transactions.front(), arrived, response.status);
      item.decided = 1;
    } else {
      const std::size_t end = std::min(item.decided + turn_size, all);
      for (; item.decided < end; ++item.decided) {
        item.body += item.decided > 0 ? ",\n" : "[";
        int status = 200;
        item.body += decide_one(item.transactions[item.decided], arrived, status);
      }
      if (item.decided < all) return false;
      response.body = std::move(item.body) + "]";
    }
    response.body += '\n';
    answered_.emplace_back(std::move(item.exchange), std::move(response));
  } catch (...) {
    item.decided = all;
    item.exchange->send(http::response_of_exception());
  }
  return true;
}

// What was decided goes to the log, in its order, and the answers wait until it is safe.
void DecisionService::write_down() {
  if (unwritten_.empty() && answered_.empty()) return;
  const auto begin = http::Clock::now();
  const std::size_t count = unwritten_.size();
  try {
    for (const auto& bytes : unwritten_) {
      (void)journal_->append(static_cast<std::uint8_t>(RecordKind::transaction), bytes);
    }
  } catch (const Error&) {
    // It has failed, and nothing is acknowledged from now on.
  }
  unwritten_.clear();
  since_snapshot_ += count;
  if (count > 0) {
    monitor_.measured(Stage::write_down, seconds_since(begin) / static_cast<double>(count));
  }
  const journal::Sequence needed = journal_->next();
  {
    const std::lock_guard<std::mutex> lock(waiting_mutex_);
    for (auto& [exchange, response] : answered_) {
      waiting_.push_back({needed, std::move(exchange), std::move(response)});
    }
  }
  answered_.clear();
  // The journal's thread may have been there before.
  if (journal_->failed()) {
    fail(journal_->failure());
  } else if (const journal::Sequence durable = followers_->answerable(journal_->durable());
             durable >= needed) {
    release(durable);
  }
}

std::string DecisionService::decide_one(const Incoming& incoming, http::Clock::time_point arrived,
                                        int& status) {
  if (const Kept* kept = ledger_.find(incoming.event.transaction)) {
    if (kept->digest != incoming.digest) {
      monitor_.conflicted();
      status = 409;
      return error_entry(incoming.id, "another transaction with this transaction_id was decided");
    }
    monitor_.repeated();
    return answer_text(incoming.id, kept->tail, kept->microseconds);
  }
  if (journal_->failed() || role_ != ServiceRole::primary) throw HttpError(503, refusal());
  const bool measured = incoming.event.transaction % Monitor::sampled == 0;
  const auto begin = measured ? http::Clock::now() : http::Clock::time_point{};
  Decided decided = ledger_.decide(incoming.event);
  const auto after = http::Clock::now();
  TransactionRecord record;
  record.event = incoming.event;
  record.digest = incoming.digest;
  record.received = now();
  record.microseconds = static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(after - arrived).count(), 0,
      4'000'000'000));
  unwritten_.push_back(bytes_of(record));
  std::string text = answer_text(incoming.id, decided.tail, record.microseconds);
  for (const int hit : ledger_.rule_hits()) ++hits_of_rule_[static_cast<std::size_t>(hit)];
  Monitor::Shown shown;
  shown.id = incoming.id;
  shown.user = incoming.event.user;
  shown.time = incoming.event.time;
  shown.amount = incoming.event.amount;
  shown.action = decided.action;
  shown.tail = decided.tail;
  monitor_.decided(std::move(shown), decided.level, decided.risk_score, record.received);
  if (decided.action == Action::manual_review) {
    review_ids_[record.event.transaction] = incoming.id;
    review_order_.push_back(record.event.transaction);
    if (review_order_.size() > options_.ledger.reviews_most) {
      review_ids_.erase(review_order_.front());
      review_order_.pop_front();
    }
  }
  ledger_.apply(record, std::move(decided));
  if (measured) {
    monitor_.measured(Stage::decide, duration<double>(after - begin).count());
    monitor_.measured(Stage::apply, seconds_since(after));
  }
  return text;
}

// --- answers that wait until they are safe
// ---------------------------------------------------------

void DecisionService::release(journal::Sequence durable) {
  std::vector<Waiting> safe;
  {
    const std::lock_guard<std::mutex> lock(waiting_mutex_);
    while (!waiting_.empty() && waiting_.front().needed <= durable) {
      safe.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  for (Waiting& one : safe) one.exchange->send(std::move(one.response));
}

void DecisionService::fail(const std::string& why) {
  bool first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    first = failure_.empty();
    if (first) failure_ = why.empty() ? "unknown" : why;
  }
  if (first) {
    log_.write(http::LogLevel::error, "the log cannot be written",
               {{"error", std::string_view(why)}});
  }
  std::deque<Waiting> lost;
  {
    const std::lock_guard<std::mutex> lock(waiting_mutex_);
    lost.swap(waiting_);
  }
  for (Waiting& one : lost) one.exchange->send(http::error_response(503, refusal()));
}

// --- what is done besides
// --------------------------------------------------------------------------

void DecisionService::label(const Kept& kept, bool fraud, Time known_at, bool by_review) {
  if (!refusal().empty()) throw HttpError(503, refusal(), retry_seconds);
  LabelRecord record;
  record.label = make_label(kept.event, fraud, known_at);
  record.by_review = by_review ? 1 : 0;
  record.received = now();
  if (!fraud && kept.finding == Finding::fraud) record.taken_back = kept.found_at;
  (void)journal_->append(static_cast<std::uint8_t>(RecordKind::label), bytes_of(record));
  ++since_snapshot_;
  ledger_.apply(record);
  monitor_.labelled(fraud);
}

void DecisionService::look_after() {
  followers_->look_after();
  let_go_of_held(false);
  struct statvfs disk {};
  if (::statvfs(options_.state.c_str(), &disk) == 0) {
    const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    const bool full = free < options_.least_free_bytes;
    bool changed = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      changed = full != full_;
      full_ = full;
    }
    if (changed) {
      log_.write(full ? http::LogLevel::error : http::LogLevel::info,
                 full ? "the disk is full: transactions are refused" : "the disk has space again");
    }
  }
}

std::string DecisionService::id_of(Key transaction) const {
  const auto found = review_ids_.find(transaction);
  return found == review_ids_.end() ? std::string() : found->second;
}

}  // namespace tandem::fraud
