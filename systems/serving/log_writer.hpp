// The logs of predictions of a server, one per version: opened when the first row comes, tried
// again while they cannot be written.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/serving/model_set.hpp"
#include "systems/serving/watch/prediction_log.hpp"

namespace tandem::serving {

// A prediction that was answered.
struct Observed {
  std::shared_ptr<const ServedModel> model;
  Rows rows;
  Answers answers;  // of these rows alone
  std::string id;   // of the request; empty: none
  std::string arm;
  bool production = false;  // by default: what a shadow is compared with
  std::int64_t time = 0;    // milliseconds since 1970
};

// Throws InputError where a column to leave out is that of no model that is loaded, so that a slip
// keeps nothing that must not be kept. Without any model there is nothing to check.
void check_columns(const ModelSet& models, const watch::PredictionLogOptions& options);

// Used by one thread.
class LogWriter {
 public:
  LogWriter(const ModelSet& models, http::Metrics& metrics, http::Log& log);

  // `scores` are what the model said, as score_columns() has it; those of the rows begin at
  // `first`. What cannot be written is counted, and said once a minute.
  void write(const watch::PredictionLogOptions& options, const Observed& observed,
             const Dataset<double>& scores, Index first);
  void flush();
  // Writes and closes all, to be opened anew with other options.
  void close();

 private:
  struct Logged {
    std::unique_ptr<watch::PredictionLog> log;  // null where it cannot be opened
    std::int64_t dropped = 0;
    std::chrono::steady_clock::time_point retry_at{};
  };

  [[nodiscard]] bool open(Logged& logged, const watch::PredictionLogOptions& options,
                          const ServedModel& model);
  void failed(const std::string& what, const char* error);

  const ModelSet& models_;
  http::Log& log_;
  http::Counter& rows_;
  http::Counter& dropped_;
  http::Counter& failures_;
  std::map<std::pair<std::string, std::int64_t>, Logged> logs_;  // by model and version
  std::chrono::steady_clock::time_point said_at_{};
};

}  // namespace tandem::serving
