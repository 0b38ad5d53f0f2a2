// The paths that a serving program answers, a function per group, each in a file of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "systems/http/background.hpp"
#include "systems/http/router.hpp"
#include "systems/serving/inference.hpp"
#include "systems/serving/model_set.hpp"

namespace tandem::serving {

// A prediction that was answered, for those who watch: drift, logs, experiments. What it refers to
// lives during the call only.
struct AnsweredPrediction {
  const ServedModel& model;
  const Rows& rows;        // as the model took them
  const Answers& answers;  // of the batch; those of the rows begin at `first`
  Index first = 0;
  std::string_view id;  // that the client gave the request; empty for none
  const http::TraceContext& trace;
};

// Several threads call it at once, each after it has sent an answer; it must neither throw nor
// wait.
class PredictionObserver {
 public:
  virtual ~PredictionObserver() = default;
  virtual void answered(const AnsweredPrediction& prediction) noexcept = 0;
};

// What handlers need; it outlives the server.
struct ServingContext {
  ModelSet& models;
  http::Metrics& metrics;
  http::Background& background;
  RequestLimits limits;
  std::vector<PredictionObserver*> observers{};
};

// The Open Inference Protocol v2: health, metadata, infer, statistics.
void add_inference_routes(http::Router& router, ServingContext& context);
// Its extension for repositories: index, load, unload.
void add_repository_routes(http::Router& router, ServingContext& context);
// POST /v1/predict/NAME: rows with named columns.
void add_predict_routes(http::Router& router, ServingContext& context);
// /v1/models: versions, promotion, rollback.
void add_model_routes(http::Router& router, ServingContext& context);
// /metrics and the page at /.
void add_page_routes(http::Router& router, ServingContext& context);

// A job that belongs to a request over HTTP: counts, tells the observers, and turns errors into
// answers.
class HttpJob : public Job {
 public:
  HttpJob(ServingContext& context, std::shared_ptr<const LoadedVersion> version,
          http::ExchangePtr exchange);
  void answer(const ServedModel& model, const Answers& answers, Index first) final;
  void fail(std::exception_ptr error) final;
  [[nodiscard]] bool wanted() const final { return exchange_->wanted(); }

 protected:
  // Called after the rows are predicted; `rows` is still what was asked.
  [[nodiscard]] virtual http::Response response(const ServedModel& model, const Answers& answers,
                                                Index first) = 0;
  [[nodiscard]] virtual std::string_view id() const { return {}; }

 private:
  ServingContext& context_;
  ModelMetrics& metrics_;
  http::ExchangePtr exchange_;
};

}  // namespace tandem::serving
