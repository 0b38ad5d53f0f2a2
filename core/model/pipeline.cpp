#include "tandem/model/pipeline.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "core/data/finite_rows.hpp"
#include "core/external_memory.hpp"
#include "core/json_text.hpp"
#include "core/model/pipeline_parts.hpp"
#include "core/model/wide_rows.hpp"
#include "core/transform/last_plan.hpp"
#include "core/watched_loop.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/binned_training.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/sparse_training.hpp"

namespace tandem {
namespace {

void save_column(Archive& archive, const std::string& name, const Column& column) {
  archive.set(name + "/name", column.name);
  archive.set(name + "/categories", column.categories);
}

Column load_column(const Archive& archive, const std::string& name) {
  return {archive.get_string(name + "/name"), archive.get_strings(name + "/categories")};
}

Archive save_schema(const Schema& schema) {
  Archive archive;
  std::vector<std::string> names;
  for (std::size_t j = 0; j < schema.columns.size(); ++j) {
    names.push_back(schema.columns[j].name);
    if (schema.columns[j].categorical()) {
      archive.set("categories/" + std::to_string(j), schema.columns[j].categories);
    }
  }
  archive.set("columns", std::move(names));
  save_column(archive, "target", schema.target);
  Reading reading = schema.reading;
  archive.set_part("reading",
                   record_options([&](OptionVisitor& visitor) { reading.visit(visitor); }));
  return archive;
}

Schema load_schema(const Archive& archive) {
  Schema schema;
  for (const std::string& name : archive.get_strings("columns"))
    schema.columns.push_back({name, {}});
  for (std::size_t j = 0; j < schema.columns.size(); ++j) {
    const std::string entry = "categories/" + std::to_string(j);
    if (archive.has(entry)) schema.columns[j].categories = archive.get_strings(entry);
  }
  schema.target = load_column(archive, "target");
  if (archive.has_part("reading")) {
    try {
      restore_options([&](OptionVisitor& visitor) { schema.reading.visit(visitor); },
                      archive.part("reading"));
    } catch (const InputError& error) {
      archive.fail("reading", error.marked());
    }
  }
  return schema;
}

// Folds 64-bit words; each step is a bijection of the state, so that one changed word changes it.
class Fingerprint {
 public:
  void add(std::uint64_t word) {
    state_ ^= word;
    state_ *= 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 29;
  }
  void add(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(data);
    std::uint64_t word = 0;
    constexpr std::size_t piece = std::size_t{1} << 18;
    for (; bytes > piece; bytes -= piece, at += piece) {
      visit_elements(at, static_cast<Index>(piece));
      for (std::size_t b = 0; b < piece; b += 8) {
        std::memcpy(&word, at + b, 8);
        add(word);
      }
    }
    for (; bytes >= 8; bytes -= 8, at += 8) {
      std::memcpy(&word, at, 8);
      add(word);
    }
    word = 0;
    if (bytes > 0) {
      std::memcpy(&word, at, bytes);
      add(word);
    }
  }
  template <class T>
  void add(const std::vector<T>& values) {
    add(static_cast<std::uint64_t>(values.size()));
    add(values.data(), values.size() * sizeof(T));
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243F6A8885A308D3U;
};

template <Real T>
bool accepts_missing(const Pipeline<T>& pipeline) {
  return make_algorithm(pipeline.provenance.algorithm)->accepts_missing();
}

// Throws InputError where a prepared row has a value that the model cannot take. rows_before: of
// the source, where `data` is a part of it.
template <Real T>
void require_as_trained(const DatasetView<T>& data, bool allow_missing, int threads,
                        Index rows_before = 0) {
  if (has_finite_features(data, threads)) return;
  for (Index i = 0; !allow_missing && i < data.rows(); ++i) {
    const auto row = data.features.row(i);
    const auto missing =
        std::find_if(row.begin(), row.end(), [](T x) { return !std::isfinite(x); });
    if (missing == row.end()) continue;
    if (!std::isnan(*missing)) break;
    // How missing values are filled is settled when a model is trained.
    throw InputError(data.source + ": row " + std::to_string(rows_before + i + 1) + ", column " +
                     data.feature_name(missing - row.begin()) +
                     ": the value is missing or not a number, which the model cannot take; fill it "
                     "in the data, leave the row out, or train the model with " +
                     option("impute"));
  }
  require_finite_features(data, allow_missing, rows_before);
}

// The pipeline's model with predictions in the units of the target, for what is told a model.
template <Real T>
class InUnitsOfTarget : public Model<T> {
 public:
  // The pipeline must outlive the model and its clones.
  explicit InUnitsOfTarget(const Pipeline<T>& pipeline) : pipeline_(pipeline) {}
  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<InUnitsOfTarget>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return model().algorithm(); }
  [[nodiscard]] Task task() const override { return model().task(); }
  [[nodiscard]] Index features() const override { return model().features(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override {
    return model().classes();
  }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override {
    return pipeline_.predict_prepared(engine, x);
  }
  [[nodiscard]] const TrainingLog& training() const override { return model().training(); }
  [[nodiscard]] std::map<std::string, double> own_metrics(Engine& engine,
                                                          MatrixView<const T> x) const override {
    return model().own_metrics(engine, x);
  }
  void save(Archive& archive) const override { model().save(archive); }
  [[nodiscard]] std::string to_json(const std::vector<std::string>& names) const override {
    return model().to_json(names);
  }
  [[nodiscard]] std::string to_text(const std::vector<std::string>& names) const override {
    return model().to_text(names);
  }

 private:
  [[nodiscard]] const Model<T>& model() const { return *pipeline_.model; }

  const Pipeline<T>& pipeline_;
};

}  // namespace

void Provenance::save(Archive& archive) const {
  archive.set("version", version);
  archive.set("device", to_string(device));
  archive.set("numerics", to_string(numerics));
  archive.set("seed", static_cast<std::int64_t>(seed));
  archive.set("rows", rows);
  archive.set("source", source);
  archive.set_part("options", options);
  archive.set_part("steps", steps);
}

Provenance Provenance::load(const Archive& archive) {
  Provenance provenance;
  provenance.version = archive.get_string("version");
  provenance.device = parse_enum<Device>("device", archive.get_string("device"));
  provenance.numerics = parse_enum<Numerics>("numerics", archive.get_string("numerics"));
  provenance.seed = static_cast<std::uint64_t>(archive.get_int("seed"));
  provenance.rows = archive.get_int("rows", 0, INT64_MAX);
  provenance.source = archive.get_string("source");
  provenance.options = archive.part("options");
  provenance.steps = archive.part("steps");
  return provenance;
}

std::string options_to_json(const Archive& options) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : options.entries()) {
    auto& member = json[name];
    std::visit(
        [&](const auto& held) {
          if constexpr (std::is_same_v<std::decay_t<decltype(held)>, Archive::Tensor>) {
            std::visit([&](const auto& data) { member = data; }, held.data);
          } else {
            member = held;
          }
        },
        value);
  }
  return json_text(json);
}

template <Real T>
std::uint64_t fingerprint(const Dataset<T>& data) {
  Fingerprint result;
  result.add(static_cast<std::uint64_t>(data.rows()));
  result.add(static_cast<std::uint64_t>(data.cols()));
  result.add(data.features.values());
  result.add(data.target);
  result.add(data.weights);
  // Data without them keeps the number that it had before there were any.
  if (!data.groups.empty()) result.add(data.groups);
  if (!data.base_margin.empty()) result.add(data.base_margin);
  if (!data.target_texts.labels.empty()) {
    result.add(data.target_texts.labels);
    for (const std::string& text : data.target_texts.names) result.add(text.data(), text.size());
  }
  return result.value();
}

template <Real T>
std::uint64_t fingerprint(const BinnedDataset<T>& data) {
  Fingerprint result;
  result.add(fingerprint(data.without_features()));
  result.add(data.table.cuts.thresholds);
  result.add(data.table.bins.size());
  result.add(data.table.bins.data(), data.table.bins.size());
  return result.value();
}

template <Real T>
std::vector<std::string> Pipeline<T>::feature_names() const {
  std::vector<std::string> names;
  for (const Column& column : features()) names.push_back(column.name);
  return names;
}

template <Real T>
Dataset<T> Pipeline<T>::prepare(Dataset<T> raw, int threads) const {
  Dataset<T> data = transforms.transform(std::move(raw), threads);
  require_as_trained(data.view(), accepts_missing(*this),
                     threads == 0 ? available_cores() : threads);
  return data;
}

namespace {

// How many raw rows are prepared at once where they are predicted: all, unless they become wide.
template <Real T>
Index rows_prepared_at_once(const Dataset<T>& raw, Index prepared_cols) {
  constexpr Index least_rows = 64;
  if (!is_wide<T>(raw.rows(), raw.cols(), prepared_cols)) return raw.rows();
  const Index row_bytes = prepared_cols * static_cast<Index>(sizeof(T));
  // What is no code of a category is told by its row among all, which needs all of them.
  for (std::size_t j = 0; j < raw.columns.size(); ++j) {
    const auto codes = static_cast<T>(raw.columns[j].categories.size());
    if (codes == T{0}) continue;
    for (Index i = 0; i < raw.rows(); ++i) {
      const T code = raw.features(i, static_cast<Index>(j));
      if (!std::isnan(code) && !(code >= 0 && code < codes)) return raw.rows();
    }
  }
  return std::max(least_rows, wide_block_bytes / row_bytes);
}

template <class Value>
void append(std::vector<Value>& all, const std::vector<Value>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// Calls f(x) with raw rows prepared, `at_once` of them at a time.
template <Real T, class F>
void in_prepared_blocks(const TransformChain<T>& transforms, const Dataset<T>& raw, Index at_once,
                        int threads, bool allow_missing, F&& f) {
  WatchedLoop loop(static_cast<double>(raw.rows()));
  for (Index begin = 0; begin < raw.rows(); begin += at_once) {
    const Index rows = std::min(at_once, raw.rows() - begin);
    Dataset<T> block;
    block.source = raw.source;
    block.columns = raw.columns;
    block.features = Matrix<T>(rows, raw.cols());
    visit_elements(raw.features.row(begin).data(), rows * raw.cols());
    std::copy_n(raw.features.row(begin).data(), rows * raw.cols(), block.features.data());
    block = transforms.transform(std::move(block), threads);
    require_as_trained(block.view(), allow_missing, threads, begin);
    f(block.features.view());
    loop.done(static_cast<double>(rows));
  }
}

// Predictions of raw rows, `at_once` of them prepared at a time.
template <Real T, class Predict>
Predictions<T> predict_in_blocks(const TransformChain<T>& transforms, const Dataset<T>& raw,
                                 Index at_once, int threads, bool allow_missing,
                                 Predict&& predict) {
  Predictions<T> all;
  std::vector<T> probabilities;
  Index classes = 0;
  in_prepared_blocks(transforms, raw, at_once, threads, allow_missing, [&](MatrixView<const T> x) {
    const Predictions<T> some = predict(x);
    append(all.values, some.values);
    append(all.labels, some.labels);
    append(probabilities, some.probabilities.values());
    classes = some.probabilities.cols();
  });
  if (classes > 0) all.probabilities = Matrix<T>(raw.rows(), classes, std::move(probabilities));
  return all;
}

// A pipeline for what is told a model and the rows that it is evaluated on, where those are `raw`,
// prepared `at_once` at a time. Predictions are in the units of the target.
template <Real T>
class OfRawRows : public InUnitsOfTarget<T> {
 public:
  // What it is given must outlive the model and its clones.
  OfRawRows(const Pipeline<T>& pipeline, const Dataset<T>& raw, Index at_once)
      : InUnitsOfTarget<T>(pipeline), pipeline_(pipeline), raw_(raw), at_once_(at_once) {}
  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<OfRawRows>(*this);
  }
  [[nodiscard]] Index features() const override { return raw_.cols(); }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> /*x*/) const override {
    const auto ready = pipeline_.model->ready_on(engine);
    Predictions<T> predictions = predict_in_blocks(
        pipeline_.transforms, raw_, at_once_, engine.threads(), accepts_missing(pipeline_),
        [&](MatrixView<const T> x) { return ready->predict(x); });
    pipeline_.transforms.restore_target(predictions.values);
    return predictions;
  }
  // Only clusters have some, which are evaluated on prepared rows.
  [[nodiscard]] std::map<std::string, double> own_metrics(
      Engine& /*engine*/, MatrixView<const T> /*x*/) const override {
    return {};
  }

 protected:
  // Calls f(x) with all rows, some at a time.
  template <class F>
  void in_blocks(const Engine& engine, F&& f) const {
    in_prepared_blocks(pipeline_.transforms, raw_, at_once_, engine.threads(),
                       accepts_missing(pipeline_), std::forward<F>(f));
  }
  [[nodiscard]] const Model<T>& model_of_prepared() const { return *pipeline_.model; }
  [[nodiscard]] Index rows() const { return raw_.rows(); }

 private:
  const Pipeline<T>& pipeline_;
  const Dataset<T>& raw_;
  Index at_once_;
};

// The same where the pipeline's model ranks rows by margins.
template <Real T>
class OfRawRowsWithMargins final : public OfRawRows<T>, public Margins<T> {
 public:
  using OfRawRows<T>::OfRawRows;
  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<OfRawRowsWithMargins>(*this);
  }
  [[nodiscard]] Matrix<double> margins(Engine& engine, MatrixView<const T> /*x*/) const override {
    const auto& ranked = dynamic_cast<const Margins<T>&>(this->model_of_prepared());
    std::vector<double> all;
    Index classes = 0;
    this->in_blocks(engine, [&](MatrixView<const T> x) {
      const Matrix<double> some = ranked.margins(engine, x);
      append(all, some.values());
      classes = some.cols();
    });
    return {this->rows(), classes, std::move(all)};
  }
};

}  // namespace

template <Real T>
Predictions<T> Pipeline<T>::predict(Engine& engine, Dataset<T> raw) const {
  const Index at_once = rows_prepared_at_once(raw, static_cast<Index>(features().size()));
  if (at_once < raw.rows()) {
    const auto ready = model->ready_on(engine);
    Predictions<T> predictions =
        predict_in_blocks(transforms, raw, at_once, engine.threads(), accepts_missing(*this),
                          [&](MatrixView<const T> x) { return ready->predict(x); });
    transforms.restore_target(predictions.values);
    return predictions;
  }
  return predict_prepared(engine, prepare(std::move(raw), engine.threads()).features.view());
}

template <Real T>
PipelinePredictor<T> Pipeline<T>::on(const Engine& engine) const {
  return PipelinePredictor<T>(*this, engine);
}

template <Real T>
struct PipelinePredictor<T>::Shared {
  Schema schema;
  TransformChain<T> transforms;
  Predictor<T> predictor;
  bool accepts_missing;
  int threads;
};

template <Real T>
PipelinePredictor<T>::PipelinePredictor(const Pipeline<T>& pipeline, const Engine& engine)
    : shared_(std::make_shared<Shared>(Shared{pipeline.schema, pipeline.transforms,
                                              pipeline.model->on(engine), accepts_missing(pipeline),
                                              engine.threads()})) {}

template <Real T>
Predictions<T> PipelinePredictor<T>::predict(Dataset<T> raw) const {
  const Shared& held = *shared_;
  const Index at_once =
      rows_prepared_at_once(raw, static_cast<Index>(held.transforms.outputs().size()));
  Predictions<T> predictions;
  if (at_once < raw.rows()) {
    predictions =
        predict_in_blocks(held.transforms, raw, at_once, held.threads, held.accepts_missing,
                          [&](MatrixView<const T> x) { return held.predictor.predict(x); });
  } else {
    const Dataset<T> data = held.transforms.transform(std::move(raw), held.threads);
    require_as_trained(data.view(), held.accepts_missing, held.threads);
    predictions = held.predictor.predict(data);
  }
  held.transforms.restore_target(predictions.values);
  return predictions;
}

template <Real T>
Predictions<T> PipelinePredictor<T>::predict(const DatasetView<T>& raw) const {
  const Shared& held = *shared_;
  if (raw.is_sparse() || !held.transforms.changes_nothing()) return predict(to_dense(raw));
  held.transforms.check_columns(raw.source, raw.columns, raw.cols());
  require_as_trained(raw, held.accepts_missing, held.threads);
  return held.predictor.predict(raw);
}

template <Real T>
const Schema& PipelinePredictor<T>::schema() const noexcept {
  return shared_->schema;
}

template <Real T>
const Model<T>& PipelinePredictor<T>::model() const noexcept {
  return shared_->predictor.model();
}

template <Real T>
Evaluation Pipeline<T>::evaluate(Engine& engine, Dataset<T> raw,
                                 const EvaluateOptions& options) const {
  const Index at_once = rows_prepared_at_once(raw, static_cast<Index>(features().size()));
  // Metrics of clusters are of the prepared rows.
  if (at_once < raw.rows() && model->task() != Task::clustering) {
    if (dynamic_cast<const Margins<T>*>(model.get()) != nullptr) {
      return tandem::evaluate(OfRawRowsWithMargins<T>(*this, raw, at_once), engine, raw, options);
    }
    return tandem::evaluate(OfRawRows<T>(*this, raw, at_once), engine, raw, options);
  }
  return evaluate_prepared(engine, prepare(std::move(raw), engine.threads()), options);
}

template <Real T>
Predictions<T> Pipeline<T>::predict_prepared(Engine& engine, MatrixView<const T> x) const {
  Predictions<T> predictions = model->predict(engine, x);
  transforms.restore_target(predictions.values);
  return predictions;
}

template <Real T>
Evaluation Pipeline<T>::evaluate_prepared(Engine& engine, const Dataset<T>& data,
                                          const EvaluateOptions& options) const {
  if (!transforms.changes_target()) return tandem::evaluate(*model, engine, data, options);
  return tandem::evaluate(InUnitsOfTarget<T>(*this), engine, data, options);
}

template <Real T>
void save_parts(const Pipeline<T>& pipeline, Archive& archive) {
  archive.set("algorithm", pipeline.provenance.algorithm);
  archive.set("precision", to_string(precision_of<T>));
  Archive part;
  pipeline.provenance.save(part);
  archive.set_part("provenance", part);
  archive.set_part("schema", save_schema(pipeline.schema));
  part = {};
  pipeline.transforms.save(part);
  archive.set_part("transforms", part);
}

template <Real T>
Pipeline<T> load_parts(const Archive& archive) {
  Pipeline<T> pipeline;
  const std::string name = archive.get_string("algorithm");
  try {
    (void)make_algorithm(name);
    pipeline.provenance = Provenance::load(archive.part("provenance"));
  } catch (const InputError& error) {
    throw InputError(archive.origin() + ": " + error.marked());
  }
  pipeline.provenance.algorithm = name;
  pipeline.provenance.precision = precision_of<T>;
  pipeline.schema = load_schema(archive.part("schema"));
  pipeline.transforms =
      TransformChain<T>::load(archive.part("transforms"), pipeline.schema.columns);
  return pipeline;
}

template <Real T>
void Pipeline<T>::save(Archive& archive) const {
  save_parts(*this, archive);
  Archive part;
  model->save(part);
  archive.set_part("model", part);
}

template <Real T>
Pipeline<T> Pipeline<T>::load(const Archive& archive) {
  Pipeline pipeline = load_parts<T>(archive);
  const std::unique_ptr<Algorithm> algorithm = make_algorithm(pipeline.provenance.algorithm);
  pipeline.model = algorithm->load(archive.part("model"), std::type_identity<T>{});
  if (pipeline.model->features() != static_cast<Index>(pipeline.features().size())) {
    archive.fail("model", "takes " + std::to_string(pipeline.model->features()) +
                              " features, and the transforms give " +
                              std::to_string(pipeline.features().size()));
  }
  if (pipeline.transforms.changes_target() && pipeline.model->task() != Task::regression) {
    archive.fail("transforms", "change the target of a model that is no regression");
  }
  return pipeline;
}

// A test holds this to what the fits take.
bool takes_sparse_rows(const Algorithm& algorithm) {
  constexpr std::array<std::string_view, 5> names{"bernoulli-nb", "complement-nb", "gaussian-nb",
                                                  "gradient-boosting", "multinomial-nb"};
  return std::find(names.begin(), names.end(), algorithm.name()) != names.end();
}

template <Real T>
bool trains_on_sparse_rows(const PipelineOptions& options, const DatasetView<T>& train) {
  if (train.is_sparse() || !takes_sparse_rows(options.algorithm())) return false;
  const auto steps = options.steps();
  const auto encodes = std::find_if(steps.begin(), steps.end(), [](const auto& step) {
    return step->name() == "encode" && step->options().get_string("method") == "one-hot";
  });
  if (encodes == steps.end()) return false;
  // Rows that are left out are not trained on, and are not evaluated: prepared rows tell which.
  const bool drops = std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    if (step->name() != "outliers") return false;
    const Archive chosen = step->options();
    return chosen.get_string("method") != "none" && chosen.get_string("action") == "drop";
  });
  if (drops) return false;
  Index indicators = 0;
  for (const Column& column : train.columns) {
    indicators += static_cast<Index>(column.categories.size());
  }
  return is_wide<T>(train.rows(), train.cols(), indicators);
}

namespace {

// A pipeline that is yet to be fitted: where its model will come from, and the columns it expects.
template <Real T>
Pipeline<T> begin_pipeline(const Engine& engine, const DatasetView<T>& train,
                           const PipelineOptions& options, const Algorithm& algorithm) {
  Pipeline<T> pipeline;
  pipeline.provenance.version = TANDEM_VERSION;
  pipeline.provenance.algorithm = std::string(algorithm.name());
  pipeline.provenance.device = engine.device();
  pipeline.provenance.numerics = engine.numerics();
  pipeline.provenance.precision = precision_of<T>;
  pipeline.provenance.seed = options.seed();
  pipeline.provenance.rows = train.rows();
  pipeline.provenance.source = train.source;
  pipeline.provenance.options = algorithm.options();
  pipeline.provenance.steps = options.record_steps();
  pipeline.schema.columns.assign(train.columns.begin(), train.columns.end());
  if (pipeline.schema.columns.empty()) pipeline.schema.columns = numbered_columns(train.cols());
  if (train.has_target()) pipeline.schema.target = train.target_column();
  return pipeline;
}

// The algorithm with the seed of the pipeline's options, which are checked. One that draws nothing
// has none; the seed is that of the rows held out, then, and of other steps.
std::unique_ptr<Algorithm> seeded_algorithm(const PipelineOptions& options) {
  std::unique_ptr<Algorithm> algorithm = options.algorithm().clone();
  if (options.seed() != 0 && algorithm->has_option("seed")) {
    algorithm->set("seed", static_cast<std::int64_t>(options.seed()));
  }
  options.check();
  return algorithm;
}

// The model of a pipeline whose transforms are fitted, on rows as those leave them. The fit sees
// the target as the transforms make it; the data sets keep it in its own units.
template <Real T>
std::unique_ptr<Model<T>> fit_prepared(Engine& engine, const Algorithm& algorithm,
                                       const TransformChain<T>& transforms,
                                       const DatasetView<T>& train,
                                       const PipelineContext<T>& context) {
  const bool predicts = algorithm.kind() == ModelKind::predictor;
  if (train.is_sparse()) {
    // Their values were looked at when they were made.
    DatasetView<T> target_alone = train;
    target_alone.sparse = {};
    target_alone.features = {nullptr, train.rows(), 0, 0};
    target_alone.columns = {};
    require_finite(target_alone, predicts);
  } else {
    require_finite_rows(train, predicts, algorithm.accepts_missing(), engine.threads());
  }
  Dataset<T>* const validation = context.validation;
  if (validation != nullptr) {
    prepare_validation(transforms, algorithm, *validation, engine.threads());
  }
  FitContext<T> fit_context;
  RunControl none;
  fit_context.control = context.control != nullptr ? context.control : &none;
  fit_context.initial_centres = context.initial_centres;
  DatasetView<T> seen = train;
  std::vector<T> target;
  std::vector<T> validation_target;
  if (validation != nullptr) fit_context.validation.emplace(validation->view());
  if (transforms.changes_target()) {
    target.assign(train.target.begin(), train.target.end());
    transforms.transform_target(target);
    seen.target = target;
    if (validation != nullptr) {
      validation_target = validation->target;
      transforms.transform_target(validation_target);
      fit_context.validation->target = validation_target;
    }
  }
  return algorithm.fit(engine, seen, fit_context);
}

// Rows of which each has few values that are not 0.
template <Real T>
struct SparseRows {
  std::vector<Index> offsets{0};
  std::vector<std::int32_t> columns;
  std::vector<T> values;

  void add(MatrixView<const T> rows) {
    for (Index i = 0; i < rows.rows; ++i) {
      const auto row = rows.row(i);
      for (std::size_t j = 0; j < row.size(); ++j) {
        if (row[j] == T{0}) continue;
        columns.push_back(static_cast<std::int32_t>(j));
        values.push_back(row[j]);
      }
      offsets.push_back(static_cast<Index>(values.size()));
    }
  }
};

// fit_pipeline() for rows that become wide. Where the transforms do not leave them to be prepared a
// part at a time after all, they are prepared at once.
template <Real T>
Pipeline<T> fit_on_sparse_rows(Engine& engine, Dataset<T> train, const PipelineOptions& options,
                               const PipelineContext<T>& context) {
  Pipeline<T> pipeline;
  bool left = false;
  {
    LastPlanLeft rows;
    pipeline = fit_steps(engine, train, options);
    left = rows.left();
  }
  const std::unique_ptr<Algorithm> algorithm = seeded_algorithm(options);
  const Index at_once =
      rows_prepared_at_once(train, static_cast<Index>(pipeline.features().size()));
  if (!left || at_once == train.rows()) {
    if (left) train = pipeline.transforms.transform(std::move(train), engine.threads());
    const EngineTable<T> table(engine, train);
    pipeline.model = fit_prepared(engine, *algorithm, pipeline.transforms, train.view(), context);
    return pipeline;
  }
  SparseRows<T> sparse;
  in_prepared_blocks(pipeline.transforms, train, at_once, engine.threads(),
                     algorithm->accepts_missing(),
                     [&](MatrixView<const T> rows) { sparse.add(rows); });
  DatasetView<T> rows = train.view();
  rows.features = {};
  rows.columns = pipeline.features();
  rows.sparse = {train.rows(), static_cast<Index>(pipeline.features().size()), sparse.offsets,
                 sparse.columns, sparse.values};
  pipeline.model = fit_prepared(engine, *algorithm, pipeline.transforms, rows, context);
  return pipeline;
}

}  // namespace

template <Real T>
void prepare_validation(const TransformChain<T>& transforms, const Algorithm& algorithm,
                        Dataset<T>& validation, int threads) {
  validation = transforms.transform(std::move(validation), threads);
  require_finite_rows(validation.view(), algorithm.kind() == ModelKind::predictor,
                      algorithm.accepts_missing(), threads);
}

template <Real T>
Pipeline<T> fit_steps(Engine& engine, Dataset<T>& train, const PipelineOptions& options) {
  Pipeline<T> pipeline = begin_pipeline(engine, train.view(), options, options.algorithm());
  if (train.reading) {
    pipeline.schema.reading = *train.reading;
    pipeline.schema.reading.notices.clear();
  }
  const std::unique_ptr<Algorithm> algorithm = seeded_algorithm(options);
  pipeline.transforms = TransformChain<T>::fit(train, options.steps(),
                                               algorithm->task(train.view()), engine.threads());
  return pipeline;
}

template <Real T>
Pipeline<T> fit_pipeline(Engine& engine, Dataset<T> train, const PipelineOptions& options,
                         const PipelineContext<std::type_identity_t<T>>& context) {
  if (context.prepared == nullptr && trains_on_sparse_rows(options, train.view())) {
    return fit_on_sparse_rows(engine, std::move(train), options, context);
  }
  Pipeline<T> pipeline = fit_steps(engine, train, options);
  const std::unique_ptr<Algorithm> algorithm = seeded_algorithm(options);
  auto table = std::make_unique<EngineTable<T>>(engine, train);
  pipeline.model = fit_prepared(engine, *algorithm, pipeline.transforms, train.view(), context);
  if (context.prepared != nullptr) {
    *context.prepared = std::move(train);  // the rows stay where they are
    if (context.table != nullptr) *context.table = std::move(table);
  }
  return pipeline;
}

template <Real T>
Pipeline<T> fit_pipeline(Engine& engine, const DatasetView<T>& train,
                         const PipelineOptions& options,
                         const PipelineContext<std::type_identity_t<T>>& context) {
  std::optional<TransformChain<T>> unchanged;
  if (!train.is_sparse() && context.prepared == nullptr) {
    unchanged = TransformChain<T>::fit_nothing(train, options.steps());
  }
  if (!unchanged) return fit_pipeline(engine, to_dense(train), options, context);
  Pipeline<T> pipeline = begin_pipeline(engine, train, options, options.algorithm());
  const std::unique_ptr<Algorithm> algorithm = seeded_algorithm(options);
  pipeline.transforms = std::move(*unchanged);
  const EngineTable<T> table(engine, train);
  pipeline.model = fit_prepared(engine, *algorithm, pipeline.transforms, train, context);
  return pipeline;
}

template <Real T>
void save_model(const std::string& path, const Pipeline<T>& model) {
  Archive archive;
  model.save(archive);
  write_archive(path, archive, "model");
}

AnyModel model_from_archive(const Archive& archive) {
  Precision precision{};
  try {
    precision = parse_enum<Precision>("precision", archive.get_string("precision"));
  } catch (const InputError&) {
    archive.fail("precision", "is neither float32 nor float64");
  }
  return with_precision(precision, [&](auto type) -> AnyModel {
    using T = typename decltype(type)::type;
    return Pipeline<T>::load(archive);
  });
}

AnyModel load_model(const std::string& path) {
  return model_from_archive(read_archive(path, "model"));
}

template bool trains_on_sparse_rows(const PipelineOptions&, const DatasetView<float>&);
template bool trains_on_sparse_rows(const PipelineOptions&, const DatasetView<double>&);
template struct Pipeline<float>;
template struct Pipeline<double>;
template class PipelinePredictor<float>;
template class PipelinePredictor<double>;
template std::uint64_t fingerprint(const Dataset<float>&);
template std::uint64_t fingerprint(const Dataset<double>&);
template std::uint64_t fingerprint(const BinnedDataset<float>&);
template std::uint64_t fingerprint(const BinnedDataset<double>&);
template Pipeline<float> fit_steps(Engine&, Dataset<float>&, const PipelineOptions&);
template Pipeline<double> fit_steps(Engine&, Dataset<double>&, const PipelineOptions&);
template void prepare_validation(const TransformChain<float>&, const Algorithm&, Dataset<float>&,
                                 int);
template void prepare_validation(const TransformChain<double>&, const Algorithm&, Dataset<double>&,
                                 int);
template void save_parts(const Pipeline<float>&, Archive&);
template void save_parts(const Pipeline<double>&, Archive&);
template Pipeline<float> load_parts(const Archive&);
template Pipeline<double> load_parts(const Archive&);
template Pipeline<float> fit_pipeline(Engine&, Dataset<float>, const PipelineOptions&,
                                      const PipelineContext<float>&);
template Pipeline<double> fit_pipeline(Engine&, Dataset<double>, const PipelineOptions&,
                                       const PipelineContext<double>&);
template Pipeline<float> fit_pipeline(Engine&, const DatasetView<float>&, const PipelineOptions&,
                                      const PipelineContext<float>&);
template Pipeline<double> fit_pipeline(Engine&, const DatasetView<double>&, const PipelineOptions&,
                                       const PipelineContext<double>&);
template void save_model(const std::string&, const Pipeline<float>&);
template void save_model(const std::string&, const Pipeline<double>&);

}  // namespace tandem
