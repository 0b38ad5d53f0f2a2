#include <chrono>

#include "systems/serving/routes.hpp"

namespace tandem::serving {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

RequestRecord::RequestRecord(ServingContext& context, Choice choice, Asker& asker,
                             http::TraceContext& trace, Clock::time_point arrived)
    : context_(context),
      metrics_(*choice.version->metrics),
      model_(choice.version->model),
      choice_(std::move(choice)),
      id_(std::move(asker.id)),
      arrived_(arrived) {
  choice_.version.reset();
  if (id_.empty() && context_.watcher.logs()) {
    if (!trace.given) http::make_ids(trace);
    id_ = trace.trace_text() + trace.span_text();
  }
}

void RequestRecord::answered(const Answers& answers, Index first, Rows rows,
                             Clock::time_point enqueued, Clock::time_point begin) {
  const auto end = Clock::now();
  const double seconds = std::chrono::duration<double>(end - arrived_).count();
  const experiments::Time now = time_now();
  metrics_.write.add(duration_cast<nanoseconds>(end - begin));
  metrics_.success.add(duration_cast<nanoseconds>(end - enqueued));
  metrics_.duration.observe(seconds);
  metrics_.last_inference_ms.store(static_cast<std::uint64_t>(now), std::memory_order_relaxed);
  if (choice_.placement) {
    context_.experiments.exposed(*choice_.placement);
    choice_.placement->metrics().duration->observe(seconds);
  }
  if (!context_.watcher.watches()) return;
  Observed observed;
  observed.model = model_;
  observed.answers = part_of(answers, first, rows.count);
  observed.rows = std::move(rows);
  observed.id = id_;
  observed.arm = std::string(choice_.arm());
  observed.production = choice_.production;
  observed.time = now;
  context_.watcher.answered(std::move(observed));
}

void RequestRecord::failed() {
  if (choice_.placement) choice_.placement->metrics().failures->add();
}

}  // namespace tandem::serving
