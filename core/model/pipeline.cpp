#include "tandem/model/pipeline.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tandem/config.hpp"
#include "tandem/core/error.hpp"

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

}  // namespace

void Provenance::save(Archive& archive) const {
  archive.set("version", version);
  archive.set("device", to_string(device));
  archive.set("numerics", to_string(numerics));
  archive.set("seed", static_cast<std::int64_t>(seed));
  archive.set("rows", rows);
  archive.set("source", source);
  archive.set_part("options", options);
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
  return provenance;
}

nlohmann::json options_to_json(const Archive& options) {
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
  return json;
}

template <Real T>
std::uint64_t fingerprint(const Dataset<T>& data) {
  Fingerprint result;
  result.add(static_cast<std::uint64_t>(data.rows()));
  result.add(static_cast<std::uint64_t>(data.cols()));
  result.add(data.features.values());
  result.add(data.target);
  result.add(data.weights);
  return result.value();
}

template <Real T>
std::vector<std::string> TrainedModel<T>::feature_names() const {
  std::vector<std::string> names;
  for (const Column& column : features()) names.push_back(column.name);
  return names;
}

template <Real T>
Dataset<T> TrainedModel<T>::preprocess(Dataset<T> raw, int threads) const {
  Dataset<T> data = preprocessor.transform(std::move(raw), threads);
  require_finite(data, false, make_algorithm(provenance.algorithm)->accepts_missing());
  return data;
}

template <Real T>
Predictions<T> TrainedModel<T>::predict(Engine& engine, Dataset<T> raw) const {
  return model->predict(engine, preprocess(std::move(raw), engine.threads()).features.view());
}

template <Real T>
Evaluation TrainedModel<T>::evaluate(Engine& engine, Dataset<T> raw,
                                     const EvaluateOptions& options) const {
  const Dataset<T> data = preprocess(std::move(raw), engine.threads());
  return tandem::evaluate(*model, engine, data, options);
}

template <Real T>
void TrainedModel<T>::save(Archive& archive) const {
  archive.set("algorithm", provenance.algorithm);
  archive.set("precision", to_string(precision_of<T>));
  Archive part;
  provenance.save(part);
  archive.set_part("provenance", part);
  archive.set_part("schema", save_schema(schema));
  part = {};
  preprocessor.save(part);
  archive.set_part("preprocessor", part);
  part = {};
  model->save(part);
  archive.set_part("model", part);
}

template <Real T>
TrainedModel<T> TrainedModel<T>::load(const Archive& archive) {
  TrainedModel trained;
  const std::string name = archive.get_string("algorithm");
  std::unique_ptr<Algorithm> algorithm;
  try {
    algorithm = make_algorithm(name);
    trained.provenance = Provenance::load(archive.part("provenance"));
  } catch (const InputError& error) {
    throw InputError(archive.origin() + ": " + error.marked());
  }
  trained.provenance.algorithm = name;
  trained.provenance.precision = precision_of<T>;
  trained.schema = load_schema(archive.part("schema"));
  trained.preprocessor = Preprocessor<T>::load(archive.part("preprocessor"));
  trained.model = algorithm->load(archive.part("model"), std::type_identity<T>{});
  if (trained.preprocessor.input_columns() != trained.schema.columns) {
    archive.fail("schema", "does not fit the preprocessing");
  }
  if (trained.model->features() != static_cast<Index>(trained.features().size())) {
    archive.fail("model", "takes " + std::to_string(trained.model->features()) +
                              " features, and the preprocessing gives " +
                              std::to_string(trained.features().size()));
  }
  return trained;
}

template <Real T>
TrainedModel<T> fit_pipeline(Algorithm& algorithm, Engine& engine, Dataset<T>& train,
                             std::type_identity_t<Dataset<T>*> validation,
                             const FitSettings& settings, RunControl& control) {
  TrainedModel<T> trained;
  trained.provenance.version = TANDEM_VERSION;
  trained.provenance.algorithm = std::string(algorithm.name());
  trained.provenance.device = engine.device();
  trained.provenance.numerics = engine.numerics();
  trained.provenance.precision = precision_of<T>;
  trained.provenance.seed = settings.seed;
  trained.provenance.rows = train.rows();
  trained.provenance.source = train.source;
  trained.provenance.options = algorithm.options();
  trained.schema.columns = train.columns;
  if (train.has_target()) trained.schema.target = train.target_column;

  algorithm.set("seed", static_cast<std::int64_t>(settings.seed));
  algorithm.check_options();
  auto fitted =
      Preprocessor<T>::fit_transform(std::move(train), settings.preprocess, engine.threads());
  trained.preprocessor = std::move(fitted.preprocessor);
  train = std::move(fitted.data);
  const bool supervised = algorithm.kind() == ModelKind::predictor;
  require_finite(train, supervised, algorithm.accepts_missing());
  if (validation != nullptr) {
    *validation = trained.preprocessor.transform(std::move(*validation), engine.threads());
    require_finite(*validation, supervised, algorithm.accepts_missing());
  }
  FitContext<T> context;
  context.control = &control;
  if (validation != nullptr) context.validation.emplace(validation->view());
  trained.model = algorithm.fit(engine, train.view(), context);
  return trained;
}

template <Real T>
void save_model(const std::string& path, const TrainedModel<T>& model) {
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
    return TrainedModel<T>::load(archive);
  });
}

AnyModel load_model(const std::string& path) {
  return model_from_archive(read_archive(path, "model"));
}

template struct TrainedModel<float>;
template struct TrainedModel<double>;
template std::uint64_t fingerprint(const Dataset<float>&);
template std::uint64_t fingerprint(const Dataset<double>&);
template TrainedModel<float> fit_pipeline(Algorithm&, Engine&, Dataset<float>&, Dataset<float>*,
                                          const FitSettings&, RunControl&);
template TrainedModel<double> fit_pipeline(Algorithm&, Engine&, Dataset<double>&, Dataset<double>*,
                                           const FitSettings&, RunControl&);
template void save_model(const std::string&, const TrainedModel<float>&);
template void save_model(const std::string&, const TrainedModel<double>&);

}  // namespace tandem
