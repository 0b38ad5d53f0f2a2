#include "tandem/model/binned_training.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/model/pipeline_parts.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/margins.hpp"

namespace tandem {
namespace {

GradientBoostingOptions boosting_options(const PipelineOptions& options) {
  if (options.algorithm().name() != "gradient-boosting") {
    throw InputError("rows in bins are what gradient-boosting is trained from; " +
                     std::string(options.algorithm().name()) + " needs the rows themselves");
  }
  GradientBoostingOptions result;
  restore_options([&](OptionVisitor& visitor) { result.visit(visitor); },
                  options.algorithm().options());
  result.seed = options.seed();
  return result;
}

// A pipeline's model on rows whose scores are known, for what is told a model and rows.
template <Real T>
class ScoredRowsModel final : public Model<T>, public Margins<T> {
 public:
  // All must outlive the model and its clones.
  ScoredRowsModel(const Pipeline<T>& pipeline, const GradientBoostingModel<T>& model,
                  const Matrix<T>& scores)
      : pipeline_(pipeline), model_(model), scores_(scores) {}
  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<ScoredRowsModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return model_.algorithm(); }
  [[nodiscard]] Task task() const override { return model_.task(); }
  [[nodiscard]] Index features() const override { return 0; }
  [[nodiscard]] const std::vector<std::string>& classes() const override {
    return model_.classes();
  }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> /*x*/) const override {
    Predictions<T> predictions = model_.predictions_of(scores_, engine.threads());
    pipeline_.transforms.restore_target(predictions.values);
    return predictions;
  }
  [[nodiscard]] Matrix<double> margins(Engine& /*engine*/,
                                       MatrixView<const T> /*x*/) const override {
    return model_.margins_of(scores_);
  }
  [[nodiscard]] const TrainingLog& training() const override { return model_.training(); }
  void save(Archive& archive) const override { model_.save(archive); }
  [[nodiscard]] std::string to_json(const std::vector<std::string>& names) const override {
    return model_.to_json(names);
  }
  [[nodiscard]] std::string to_text(const std::vector<std::string>& names) const override {
    return model_.to_text(names);
  }

 private:
  const Pipeline<T>& pipeline_;
  const GradientBoostingModel<T>& model_;
  const Matrix<T>& scores_;
};

}  // namespace

template <Real T>
BinnedTraining<T> bin_training(Engine& engine, Dataset<T> train, const PipelineOptions& options) {
  const GradientBoostingOptions boosting = boosting_options(options);
  BinnedTraining<T> training;
  training.pipeline = fit_steps(engine, train, options);
  training.data = bin_dataset(engine, train.view(), {boosting.max_bins, boosting.max_cat_bins});
  return training;
}

template <Real T>
void save_binned_training(const std::string& path, const BinnedTraining<T>& training) {
  Archive parts;
  save_parts(training.pipeline, parts);
  Archive others;
  others.set_part("pipeline", parts);
  save_binned(path, training.data, others);
}

template <Real T>
BinnedTraining<T> load_binned_training(const std::string& path) {
  BinnedTraining<T> training;
  Archive all;
  training.data = load_binned<T>(path, &all);
  if (!all.has_part("pipeline")) {
    throw InputError(path +
                     ": holds bins without the columns that they were made of; make it with " +
                     "tandem bin");
  }
  Archive parts = all.part("pipeline");
  parts.set_origin(path + ": pipeline");
  training.pipeline = load_parts<T>(parts);
  if (training.pipeline.features() != training.data.columns) {
    parts.fail("transforms", "do not give the columns of the bins");
  }
  return training;
}

template <Real T>
Pipeline<T> fit_pipeline(Engine& engine, const BinnedTraining<T>& training,
                         const PipelineOptions& options, RunControl* control,
                         Dataset<std::type_identity_t<T>>* validation) {
  GradientBoostingOptions boosting = boosting_options(options);
  boosting.max_bins = training.data.made.max_bins;
  boosting.max_cat_bins = training.data.made.max_cat_bins;
  options.check();
  const Provenance& made = training.pipeline.provenance;
  const Archive steps = options.record_steps();
  for (const auto& [name, value] : steps.entries()) {
    const auto found = made.steps.entries().find(name);
    if (found != made.steps.entries().end() && found->second == value) continue;
    throw InputError(training.data.source +
                     ": its rows went through the steps when they were put "
                     "into bins, and " +
                     option(name) + " was another then; leave it out here");
  }
  Pipeline<T> pipeline;
  pipeline.schema = training.pipeline.schema;
  pipeline.transforms = training.pipeline.transforms;
  pipeline.provenance = made;
  pipeline.provenance.device = engine.device();
  pipeline.provenance.numerics = engine.numerics();
  pipeline.provenance.seed = options.seed();
  pipeline.provenance.options =
      record_options([&](OptionVisitor& visitor) { boosting.visit(visitor); });

  FitContext<T> context;
  context.control = control;
  if (validation != nullptr) {
    prepare_validation(pipeline.transforms, options.algorithm(), *validation, engine.threads());
    context.validation.emplace(validation->view());
  }
  if (!pipeline.transforms.changes_target()) {
    pipeline.model =
        std::make_unique<GradientBoostingModel<T>>(fit(engine, training.data, boosting, context));
    return pipeline;
  }
  BinnedDataset<T> seen = training.data;
  pipeline.transforms.transform_target(seen.target);
  std::vector<T> validation_target;
  if (validation != nullptr) {
    validation_target = validation->target;
    pipeline.transforms.transform_target(validation_target);
    context.validation->target = validation_target;
  }
  pipeline.model = std::make_unique<GradientBoostingModel<T>>(fit(engine, seen, boosting, context));
  return pipeline;
}

template <Real T>
Evaluation evaluate_binned(const Pipeline<T>& pipeline, Engine& engine,
                           const BinnedDataset<T>& data, const EvaluateOptions& options) {
  const auto& model = dynamic_cast<const GradientBoostingModel<T>&>(*pipeline.model);
  constexpr Index at_once = 1 << 16;
  Matrix<T> scores(data.rows(), model.trees.outputs);
  for (Index begin = 0; begin < data.rows(); begin += at_once) {
    std::vector<Index> rows(static_cast<std::size_t>(std::min(at_once, data.rows() - begin)));
    std::iota(rows.begin(), rows.end(), begin);
    const Matrix<T> part = model.trees.raw_scores(engine, data.representatives(rows).view());
    std::copy(part.values().begin(), part.values().end(), scores.row(begin).begin());
  }
  return evaluate(ScoredRowsModel<T>(pipeline, model, scores), engine, data.without_features(),
                  options);
}

#define TANDEM_INSTANTIATE(T)                                                                  \
  template BinnedTraining<T> bin_training(Engine&, Dataset<T>, const PipelineOptions&);        \
  template void save_binned_training(const std::string&, const BinnedTraining<T>&);            \
  template BinnedTraining<T> load_binned_training(const std::string&);                         \
  template Pipeline<T> fit_pipeline(Engine&, const BinnedTraining<T>&, const PipelineOptions&, \
                                    RunControl*, Dataset<T>*);                                 \
  template Evaluation evaluate_binned(const Pipeline<T>&, Engine&, const BinnedDataset<T>&,    \
                                      const EvaluateOptions&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem
