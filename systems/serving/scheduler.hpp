// Requests for one version of a model, put together into batches and spread over replicas.
//
// Each replica is a thread with a queue and an engine of its own. A request goes to the shorter of
// the queues of two replicas that are drawn (Mitzenmacher, "The Power of Two Choices in Randomized
// Load Balancing", IEEE TPDS 12 (2001)). A replica takes what waits, up to `batch_rows` rows, as
// soon as it is free or the first request has waited `batch_delay`. In exact numerics an answer
// does not depend on what else is in its batch.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#include "systems/http/message.hpp"
#include "systems/serving/model_metrics.hpp"
#include "systems/serving/rows.hpp"
#include "systems/serving/served_model.hpp"

namespace tandem::serving {

using http::Clock;

struct ScheduleOptions {
  Index batch_rows = 256;                    // of a batch at most; a larger request is one alone
  std::chrono::microseconds batch_delay{0};  // that a request may wait for others
  Index queue_rows = 16'384;                 // that may wait per replica
  std::chrono::milliseconds longest_wait{1'000};  // requests that would wait longer are refused
  int replicas = 1;
};

// One request's rows. It is answered or failed exactly once, on a thread of the scheduler.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;
  // Its rows are those from `first` on.
  virtual void answer(const ServedModel& model, const Answers& answers, Index first) = 0;
  virtual void fail(std::exception_ptr error) = 0;
  // False where nobody waits for the answer any more.
  [[nodiscard]] virtual bool wanted() const = 0;

  Rows rows;
  Clock::time_point deadline{};
  Clock::time_point enqueued{};
};

class Scheduler {
 public:
  Scheduler(std::shared_ptr<const ServedModel> model, const ScheduleOptions& options,
            ModelMetrics& metrics);
  // Answers what waits.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Throws HttpError before the job is taken: 503 with Retry-After where the queues are full, or
  // where what waits would take longer than `longest_wait` or than the job has until its deadline.
  void submit(std::unique_ptr<Job> job);
  [[nodiscard]] Index waiting_rows() const;
  // That answer; one that has failed three times in a row rests for five seconds.
  [[nodiscard]] int healthy_replicas() const;

 private:
  class Replica;
  [[nodiscard]] Replica& choose();

  std::shared_ptr<const ServedModel> model_;
  ScheduleOptions options_;
  ModelMetrics& metrics_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace tandem::serving
