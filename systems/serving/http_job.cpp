#include <chrono>

#include "systems/serving/routes.hpp"

namespace tandem::serving {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

HttpJob::HttpJob(ServingContext& context, std::shared_ptr<const LoadedVersion> version,
                 http::ExchangePtr exchange)
    : context_(context), metrics_(*version->metrics), exchange_(std::move(exchange)) {
  deadline = exchange_->request.deadline;
}

void HttpJob::answer(const ServedModel& model, const Answers& answers, Index first) {
  const auto begin = Clock::now();
  exchange_->send(response(model, answers, first));
  const auto end = Clock::now();
  metrics_.write.add(duration_cast<nanoseconds>(end - begin));
  metrics_.success.add(duration_cast<nanoseconds>(end - enqueued));
  metrics_.duration.observe(
      std::chrono::duration<double>(end - exchange_->request.arrived).count());
  metrics_.last_inference_ms.store(
      static_cast<std::uint64_t>(duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count()),
      std::memory_order_relaxed);
  for (PredictionObserver* observer : context_.observers) {
    observer->answered({.model = model,
                        .rows = rows,
                        .answers = answers,
                        .first = first,
                        .id = id(),
                        .trace = exchange_->request.trace});
  }
}

void HttpJob::fail(std::exception_ptr error) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (...) {
    exchange_->send(http::response_of_exception());
  }
}

}  // namespace tandem::serving
