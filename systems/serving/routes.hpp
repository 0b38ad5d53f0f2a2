// The paths that a serving program answers, a function per group, each in a file of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "systems/http/background.hpp"
#include "systems/http/router.hpp"
#include "systems/serving/inference.hpp"
#include "systems/serving/model_set.hpp"
#include "systems/serving/traffic.hpp"
#include "systems/serving/watcher.hpp"

namespace tandem::serving {

// What handlers need; it outlives the server.
struct ServingContext {
  ModelSet& models;
  Traffic& traffic;
  LiveExperiments& experiments;
  Watcher& watcher;
  http::Metrics& metrics;
  http::Background& background;  // for the registry
  http::Background& recording;   // for experiments and outcomes
  RequestLimits limits;
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

// /v1/experiments: create, stop, what they show, assignment; POST /v1/outcomes.
void add_experiment_routes(http::Router& router, ServingContext& context);
// /v1/drift and /v1/shadow.
void add_watch_routes(http::Router& router, ServingContext& context);

// What is known of a request besides its rows, and what follows its answer: counts, the exposure,
// drift and the log. It holds no version, whose threads must not end with a job of their own.
class RequestRecord {
 public:
  // `trace` gives an id to a request without one where predictions are logged.
  RequestRecord(ServingContext& context, Choice choice, Asker& asker, http::TraceContext& trace,
                Clock::time_point arrived);

  [[nodiscard]] AnswerNotes notes() const { return choice_.notes(id_); }
  // After the answer, which was begun to be written at `begin`, was sent.
  void answered(const Answers& answers, Index first, Rows rows, Clock::time_point enqueued,
                Clock::time_point begin);
  void failed();

 private:
  ServingContext& context_;
  ModelMetrics& metrics_;
  std::shared_ptr<const ServedModel> model_;
  Choice choice_;  // without its version
  std::string id_;
  Clock::time_point arrived_;
};

// A job that belongs to a request over HTTP, and turns errors into answers.
class HttpJob : public Job {
 public:
  HttpJob(ServingContext& context, Choice choice, Asker& asker, http::ExchangePtr exchange);
  void answer(const ServedModel& model, const Answers& answers, Index first) final;
  void fail(std::exception_ptr error) final;
  [[nodiscard]] bool wanted() const final { return exchange_->wanted(); }

 protected:
  // Called after the rows are predicted; `rows` is still what was asked.
  [[nodiscard]] virtual http::Response response(const ServedModel& model, const Answers& answers,
                                                Index first, const AnswerNotes& notes) = 0;

 private:
  http::ExchangePtr exchange_;
  RequestRecord record_;
};

}  // namespace tandem::serving
