#include "systems/serving/named_rows.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {
namespace {

using http::ExchangePtr;
using http::HttpError;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

// Shapley values of deep ensembles take milliseconds each.
constexpr Index most_explained_rows = 1'000;

class PredictJob final : public HttpJob {
 public:
  PredictJob(ServingContext& context, Choice choice, const ExchangePtr& exchange,
             NamedRequest request, bool explain)
      : HttpJob(context, std::move(choice), request.asker, exchange),
        request_(std::move(request)),
        explain_(explain) {
    rows = std::move(request_.rows);  // request_.rows keeps their number
  }

 private:
  [[nodiscard]] http::Response response(const ServedModel& model, const Answers& answers,
                                        Index first, const AnswerNotes& notes) override {
    std::vector<Reasons> reasons;
    if (explain_) reasons = model.explain(rows, answers, first);
    return named_response(model, request_, answers, first, reasons, notes);
  }

  NamedRequest request_;
  bool explain_;
};

void predict(ServingContext& context, const ExchangePtr& exchange) {
  const auto begin = Clock::now();
  http::Request& asked = exchange->request;
  const std::string_view explain = asked.query_value("explain");
  if (!explain.empty() && explain != "0" && explain != "1") {
    throw HttpError(400, "explain: expected 0 or 1");
  }
  Choice choice;
  const auto choose = [&](const Asker& said) -> const ServedModel& {
    Asker asker = said;
    read_headers(asker, asked);
    choice = context.traffic.choose(asked.parameter("model"), asked.parameter("version"), asker);
    return *choice.version->model;
  };
  auto request = parse_named_rows(choose, asked.body, context.limits);
  const auto version = choice.version;
  if (explain == "1" && !version->model->explains()) {
    throw HttpError(400, "a model of " + version->model->algorithm() +
                             " gives no reasons; trees and linear models do");
  }
  if (explain == "1" && request.rows.count > most_explained_rows) {
    throw HttpError(413, "reasons are given for " + std::to_string(most_explained_rows) +
                             " rows of a request at most");
  }
  version->metrics->parse.add(duration_cast<nanoseconds>(Clock::now() - begin));
  version->scheduler->submit(std::make_unique<PredictJob>(context, std::move(choice), exchange,
                                                          std::move(request), explain == "1"));
}

}  // namespace

void add_predict_routes(http::Router& router, ServingContext& context) {
  const auto handler = [&context](const ExchangePtr& exchange) { predict(context, exchange); };
  router.add("POST", "/v1/predict/{model}", http::Role::predict, handler);
  router.add("POST", "/v1/predict/{model}/versions/{version}", http::Role::predict, handler);
}

}  // namespace tandem::serving
