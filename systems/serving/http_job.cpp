#include "systems/serving/routes.hpp"

namespace tandem::serving {

HttpJob::HttpJob(ServingContext& context, Choice choice, Asker& asker, http::ExchangePtr exchange)
    : exchange_(std::move(exchange)),
      record_(context, std::move(choice), asker, exchange_->request.trace,
              exchange_->request.arrived) {
  deadline = exchange_->request.deadline;
}

void HttpJob::answer(const ServedModel& model, const Answers& answers, Index first) {
  const auto begin = Clock::now();
  exchange_->send(response(model, answers, first, record_.notes()));
  record_.answered(answers, first, std::move(rows), enqueued, begin);
}

void HttpJob::fail(std::exception_ptr error) {
  record_.failed();
  try {
    std::rethrow_exception(std::move(error));
  } catch (...) {
    exchange_->send(http::response_of_exception());
  }
}

}  // namespace tandem::serving
