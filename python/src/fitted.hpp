// A fitted pipeline of either precision, as Python holds one.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/model/pipeline.hpp"

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
      if (options.device == engine.device && options.numerics == engine.numerics &&
          options.threads == engine.threads) {
        return predictor;
      }
    }
    predictors_.emplace_back(engine, pipeline.on(*Engine::create(engine)));
    return predictors_.back().second;
  }

  Pipeline<T> pipeline;

 private:
  std::mutex mutex_;
  std::vector<std::pair<EngineOptions, PipelinePredictor<T>>> predictors_;
};

// Copies share the pipeline. Several threads may use one at once.
class FittedModel {
 public:
  template <Real T>
  explicit FittedModel(Pipeline<T>&& pipeline)
      : held_(std::make_shared<HeldPipeline<T>>(std::move(pipeline))) {}
  explicit FittedModel(AnyModel&& model)
      : held_(std::visit([](auto&& pipeline) { return FittedModel(std::move(pipeline)).held_; },
                         std::move(model))) {}

  // Calls f with the HeldPipeline of the model's precision.
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit([&](const auto& held) { return f(*held); }, held_);
  }

 private:
  std::variant<std::shared_ptr<HeldPipeline<float>>, std::shared_ptr<HeldPipeline<double>>> held_;
};

}  // namespace tandem::python
