// A fitted pipeline of either precision, as Python holds one.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/model/pipeline.hpp"
#include "tandem/model/training_summary.hpp"

namespace tandem::python {

template <Real T>
struct HeldPipeline {
  explicit HeldPipeline(Pipeline<T>&& fitted) : pipeline(std::move(fitted)) {}
  HeldPipeline(const HeldPipeline&) = delete;
  HeldPipeline& operator=(const HeldPipeline&) = delete;

  // The pipeline kept on an engine, which is made at the first call for it.
  [[nodiscard]] PipelinePredictor<T> on(const EngineOptions& engine) {
    const std::lock_guard lock(mutex_);
    for (const auto& [options, predictor] : predictors_) {
      if (same(options, engine)) return predictor;
    }
    predictors_.emplace_back(engine, pipeline.on(*Engine::create(engine)));
    return predictors_.back().second;
  }

  // Calls f with an engine that no other call uses meanwhile. An engine that a call before has left
  // is taken again, so that only as many are made as calls run at once.
  template <class F>
  decltype(auto) with_engine(const EngineOptions& options, F&& f) {
    std::unique_ptr<Engine> engine = idle_engine(options);
    if (!engine) engine = Engine::create(options);
    decltype(auto) result = f(*engine);
    const std::lock_guard lock(mutex_);
    idle_engines_.emplace_back(options, std::move(engine));
    return result;
  }

  Pipeline<T> pipeline;
  // That of the file which the pipeline was read from; the files written from here keep it.
  std::optional<TrainingSummary> summary;

  [[nodiscard]] Archive archive() const {
    Archive archive;
    pipeline.save(archive);
    if (summary) set_summary(archive, *summary);
    return archive;
  }

 private:
  [[nodiscard]] static bool same(const EngineOptions& a, const EngineOptions& b) {
    return a.device == b.device && a.numerics == b.numerics && a.threads == b.threads;
  }

  [[nodiscard]] std::unique_ptr<Engine> idle_engine(const EngineOptions& options) {
    const std::lock_guard lock(mutex_);
    for (auto at = idle_engines_.begin(); at != idle_engines_.end(); ++at) {
      if (!same(at->first, options)) continue;
      std::unique_ptr<Engine> engine = std::move(at->second);
      idle_engines_.erase(at);
      return engine;
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::vector<std::pair<EngineOptions, PipelinePredictor<T>>> predictors_;
  std::vector<std::pair<EngineOptions, std::unique_ptr<Engine>>> idle_engines_;
};

// Copies share the pipeline. Several threads may use one at once.
class FittedModel {
 public:
  template <Real T>
  explicit FittedModel(Pipeline<T>&& pipeline)
      : held_(std::make_shared<HeldPipeline<T>>(std::move(pipeline))) {}
  // From what a model file or a pickle holds, the summary of the training rows included.
  explicit FittedModel(const Archive& archive)
      : held_(std::visit([](auto&& pipeline) { return FittedModel(std::move(pipeline)).held_; },
                         model_from_archive(archive))) {
    if (!archive.has_part("summary")) return;
    std::visit([&](auto& held) { held->summary = summary_of(archive); }, held_);
  }

  // Calls f with the HeldPipeline of the model's precision.
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit([&](const auto& held) { return f(*held); }, held_);
  }

 private:
  std::variant<std::shared_ptr<HeldPipeline<float>>, std::shared_ptr<HeldPipeline<double>>> held_;
};

}  // namespace tandem::python
