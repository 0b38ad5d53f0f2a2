#include "systems/serving/log_writer.hpp"

#include <algorithm>
#include <cmath>

#include "tandem/core/text.hpp"

namespace tandem::serving {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds say_again{60};
constexpr std::chrono::seconds open_again{5};

// Of an answer, as the log of predictions has it.
std::string answer_text(const Dataset<double>& scores, const ServedModel& model, Index row) {
  for (std::size_t j = 0; j < scores.columns.size(); ++j) {
    if (!scores.columns[j].categorical()) continue;
    const auto code = static_cast<std::size_t>(scores.features(row, static_cast<Index>(j)));
    return code < scores.columns[j].categories.size() ? scores.columns[j].categories[code] : "";
  }
  if (scores.columns.empty()) return {};
  const double value = scores.features(row, 0);
  return model.signature().precision == Precision::float32 ? shortest(static_cast<float>(value))
                                                           : shortest(value);
}

bool names_column(const ServedModel& model, const std::string& name) {
  return model.column(name) >= 0;
}

}  // namespace

void check_columns(const ModelSet& models, const watch::PredictionLogOptions& options) {
  std::vector<std::shared_ptr<const ServedModel>> loaded;
  for (const auto& [name, model] : models.snapshot()) {
    for (const auto& [number, state] : model.versions) {
      if (state.loaded) loaded.push_back(state.loaded->model);
    }
  }
  if (loaded.empty()) return;
  for (const std::string& name : options.leave_out) {
    if (std::none_of(loaded.begin(), loaded.end(),
                     [&](const auto& model) { return names_column(*model, name); })) {
      throw InputError("the prediction log: no model that is loaded has a column '" + name +
                       "' to leave out");
    }
  }
}

LogWriter::LogWriter(const ModelSet& models, http::Metrics& metrics, http::Log& log)
    : models_(models),
      log_(log),
      rows_(metrics.counter("tandem_logged_predictions_total",
                            "Rows that were given to the log of predictions")),
      dropped_(metrics.counter("tandem_prediction_log_dropped_total",
                               "Rows that the log of predictions has lost, because it could not be "
                               "written")),
      failures_(metrics.counter("tandem_prediction_log_failures_total",
                                "Times that the log of predictions could not be written")) {}

void LogWriter::failed(const std::string& what, const char* error) {
  failures_.add();
  const auto now = steady_clock::now();
  if (now < said_at_ + say_again && said_at_ != steady_clock::time_point{}) return;
  said_at_ = now;
  log_.write(http::LogLevel::error, "the prediction log cannot be written; answers go on",
             {{"log", std::string_view(what)}, {"error", std::string_view(error)}});
}

bool LogWriter::open(Logged& logged, const watch::PredictionLogOptions& options,
                     const ServedModel& model) {
  if (logged.log) return true;
  if (steady_clock::now() < logged.retry_at) return false;
  try {
    check_columns(models_, options);
    watch::PredictionLogOptions of_model = options;
    std::erase_if(of_model.leave_out,
                  [&](const std::string& name) { return !names_column(model, name); });
    logged.log = std::make_unique<watch::PredictionLog>(
        of_model, model.name(), model.version_text(), model.schema().columns);
    logged.dropped = 0;
    return true;
  } catch (const Error& error) {
    logged.retry_at = steady_clock::now() + open_again;
    failed(model.name(), error.what());
    return false;
  }
}

void LogWriter::write(const watch::PredictionLogOptions& options, const Observed& observed,
                      const Dataset<double>& scores, Index first) {
  if (observed.id.empty()) return;
  const ServedModel& model = *observed.model;
  Logged& logged = logs_[{model.name(), model.version()}];
  if (!open(logged, options, model)) {
    dropped_.add(static_cast<std::uint64_t>(observed.rows.count));
    return;
  }
  const bool scored = !scores.columns.empty() && !scores.columns.front().categorical();
  const auto width = static_cast<std::size_t>(model.schema().columns.size());
  for (Index i = 0; i < observed.rows.count; ++i) {
    const std::string id =
        observed.rows.count == 1 ? observed.id : observed.id + "/" + std::to_string(i);
    const std::string answer = answer_text(scores, model, first + i);
    const watch::LoggedPrediction prediction{
        .time = observed.time,
        .id = id,
        .arm = observed.arm,
        .answer = answer,
        .score = scored ? scores.features(first + i, 0) : std::nan("")};
    const std::size_t at = static_cast<std::size_t>(i) * width;
    try {
      const bool kept = observed.rows.floats.empty()
                            ? logged.log->append(prediction, observed.rows.doubles.data() + at)
                            : logged.log->append(prediction, observed.rows.floats.data() + at);
      if (kept) rows_.add();
    } catch (const Error& error) {
      failed(logged.log->path(), error.what());
    }
  }
  const std::int64_t dropped = logged.log->dropped();
  dropped_.add(static_cast<std::uint64_t>(dropped - logged.dropped));
  logged.dropped = dropped;
}

void LogWriter::flush() {
  for (auto& [key, logged] : logs_) {
    if (!logged.log) continue;
    try {
      logged.log->flush();
    } catch (const Error& error) {
      failed(logged.log->path(), error.what());
    }
  }
}

void LogWriter::close() {
  flush();
  logs_.clear();
}

}  // namespace tandem::serving
