#include "systems/serving/scheduler.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace tandem::serving {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

constexpr int failures_until_rest = 3;
constexpr std::chrono::seconds rest{5};
// The part that the last batch has in the mean time of batches.
constexpr double share_of_new = 0.1;

std::uint64_t next_random() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return generator();
}

}  // namespace

class Scheduler::Replica {
 public:
  Replica(const ServedModel& model, const ScheduleOptions& options, ModelMetrics& metrics)
      : model_(model), options_(options), metrics_(metrics), thread_([this] { run(); }) {}
  ~Replica() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  [[nodiscard]] Index waiting() const { return waiting_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool healthy() const {
    return Clock::now().time_since_epoch().count() >= rests_until_.load(std::memory_order_relaxed);
  }
  // Seconds until a row that came now would be looked at: the batches before it, at the time that
  // batches have taken of late. Not by row, since a batch of one takes nearly as long as one of
  // many.
  [[nodiscard]] double expected_wait() const {
    const Index batches = (waiting() + options_.batch_rows - 1) / options_.batch_rows;
    return static_cast<double>(batches) * seconds_per_batch_.load(std::memory_order_relaxed);
  }

  void put(std::unique_ptr<Job> job) {
    const Index rows = job->rows.count;
    bool first = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      first = queue_.empty();
      queue_.push_back(std::move(job));
      waiting_ += rows;
    }
    metrics_.waiting_rows.add(static_cast<double>(rows));
    if (first || options_.batch_delay.count() > 0) wake_.notify_one();
  }

 private:
  using Batch = std::vector<std::unique_ptr<Job>>;

  void run() {
    (void)::pthread_setname_np(::pthread_self(), "predict");
    for (;;) {
      Batch batch = next();
      if (batch.empty()) return;
      work(batch);
    }
  }

  // Empty once there is nothing more to do.
  Batch next() {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (options_.batch_delay.count() > 0 && !queue_.empty()) {
      wake_.wait_until(lock, queue_.front()->enqueued + options_.batch_delay,
                       [&] { return stopping_ || waiting_ >= options_.batch_rows; });
    }
    Batch batch;
    Index rows = 0;
    while (!queue_.empty()) {
      const Index more = queue_.front()->rows.count;
      if (!batch.empty() && rows + more > options_.batch_rows) break;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
      rows += more;
    }
    waiting_ -= rows;
    lock.unlock();
    metrics_.waiting_rows.add(-static_cast<double>(rows));
    return batch;
  }

  void work(Batch& batch) {
    const auto begin = Clock::now();
    Batch due;
    for (auto& job : batch) {
      const auto waited = begin - job->enqueued;
      metrics_.queue.add(duration_cast<nanoseconds>(waited));
      metrics_.queue_time.observe(std::chrono::duration<double>(waited).count());
      if (begin > job->deadline) {
        fail(*job, std::make_exception_ptr(
                       http::HttpError(504, "the deadline passed while the request waited", 1)));
      } else if (job->wanted()) {
        due.push_back(std::move(job));
      }
    }
    if (due.empty()) return;
    if (due.size() == 1) {
      predict(due, due.front()->rows);
      return;
    }
    Rows all;
    for (const auto& job : due) append(all, job->rows);
    predict(due, all);
  }

  void predict(Batch& batch, const Rows& rows) {
    const auto begin = Clock::now();
    Answers answers;
    try {
      answers = model_.predict(rows);
    } catch (const InputError&) {
      // Rows that cannot be taken are their sender's trouble alone.
      if (batch.size() == 1) {
        fail(*batch.front(), std::current_exception());
        return;
      }
      for (auto& job : batch) {
        Batch alone;
        alone.push_back(std::move(job));
        const Rows& own = alone.front()->rows;
        predict(alone, own);
      }
      return;
    } catch (...) {
      for (auto& job : batch) fail(*job, std::current_exception());
      if (++failures_ >= failures_until_rest) {
        rests_until_ = (Clock::now() + rest).time_since_epoch().count();
        failures_ = failures_until_rest - 1;  // once more, and it rests again
      }
      return;
    }
    failures_ = 0;
    const auto took = Clock::now() - begin;
    metrics_.predict.add(duration_cast<nanoseconds>(took), batch.size());
    metrics_.executions.fetch_add(1, std::memory_order_relaxed);
    metrics_.batch_rows.observe(static_cast<double>(rows.count));
    metrics_.rows.add(static_cast<std::uint64_t>(rows.count));
    metrics_.add_batch(rows.count, duration_cast<nanoseconds>(took));
    Index first = 0;
    for (auto& job : batch) {
      const Index count = job->rows.count;
      try {
        job->answer(model_, answers, first);
      } catch (...) {
        fail(*job, std::current_exception());
      }
      first += count;
    }
    const double now = std::chrono::duration<double>(Clock::now() - begin).count();
    const double before = seconds_per_batch_.load(std::memory_order_relaxed);
    // A pause of the machine, seconds long, says nothing of the next batch: it counts as ten usual
    // ones. What really takes that long is known after a few.
    const double likely = std::min(now, 10 * before);
    seconds_per_batch_ = before == 0 ? now : before + share_of_new * (likely - before);
  }

  void fail(Job& job, std::exception_ptr error) {
    metrics_.failed.add();
    metrics_.fail.add(duration_cast<nanoseconds>(Clock::now() - job.enqueued));
    job.fail(std::move(error));
  }

  const ServedModel& model_;
  const ScheduleOptions& options_;
  ModelMetrics& metrics_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::atomic<Index> waiting_{0};
  std::atomic<double> seconds_per_batch_{0};
  std::atomic<Clock::rep> rests_until_{0};
  int failures_ = 0;  // in a row; of the thread alone
  bool stopping_ = false;
  std::thread thread_;
};

Scheduler::Scheduler(std::shared_ptr<const ServedModel> model, const ScheduleOptions& options,
                     ModelMetrics& metrics)
    : model_(std::move(model)), options_(options), metrics_(metrics) {
  for (int i = 0; i < options.replicas; ++i) {
    replicas_.push_back(std::make_unique<Replica>(*model_, options_, metrics_));
  }
}

Scheduler::~Scheduler() = default;

Scheduler::Replica& Scheduler::choose() {
  if (replicas_.size() == 1) return *replicas_.front();
  Replica& one = *replicas_[next_random() % replicas_.size()];
  Replica& other = *replicas_[next_random() % replicas_.size()];
  if (one.healthy() != other.healthy()) return one.healthy() ? one : other;
  if (!one.healthy()) {
    for (const auto& replica : replicas_) {
      if (replica->healthy()) return *replica;
    }
  }
  return one.waiting() <= other.waiting() ? one : other;
}

void Scheduler::submit(std::unique_ptr<Job> job) {
  Replica& replica = choose();
  const auto now = Clock::now();
  const double patience = std::min(std::chrono::duration<double>(options_.longest_wait).count(),
                                   std::chrono::duration<double>(job->deadline - now).count());
  if (replica.waiting() + job->rows.count > options_.queue_rows && replica.waiting() > 0) {
    metrics_.shed.add();
    throw http::HttpError(503, "too many rows wait for model " + model_->name(), 1);
  }
  if (replica.expected_wait() > patience) {
    metrics_.shed.add();
    throw http::HttpError(
        503, "an answer of model " + model_->name() + " would come too late: too many rows wait",
        1);
  }
  job->enqueued = now;
  replica.put(std::move(job));
}

Index Scheduler::waiting_rows() const {
  Index rows = 0;
  for (const auto& replica : replicas_) rows += replica->waiting();
  return rows;
}

int Scheduler::healthy_replicas() const {
  return static_cast<int>(std::count_if(replicas_.begin(), replicas_.end(),
                                        [](const auto& replica) { return replica->healthy(); }));
}

}  // namespace tandem::serving
