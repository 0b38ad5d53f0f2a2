// Fitted pipelines: fitting, predictions, files.
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <optional>
#include <tuple>
#include <variant>

#include "archive_values.hpp"
#include "binding.hpp"
#include "control.hpp"
#include "fitted.hpp"
#include "rows_of_x.hpp"
#include "spec.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/onnx.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::python {
namespace {

template <class V>
nb::object array_or_none(std::vector<V>&& values) {
  return values.empty() ? nb::none() : array_from(std::move(values));
}

// Rows of a fit as Python hands them over, which keeps them: (X, columns, target, (name,
// categories) of the target, weights, queries).
struct GivenRows {
  Rows rows;
  OptionalColumns columns;
  std::optional<Array> target;
  std::pair<std::string, std::vector<std::string>> target_column;
  std::optional<Array> weights;
  std::optional<Array> groups;

  explicit GivenRows(const nb::tuple& parts)
      : rows(part_of(parts, 0)),
        columns(nb::cast<OptionalColumns>(parts[1])),
        target(nb::cast<std::optional<Array>>(parts[2])),
        target_column(nb::cast<std::pair<std::string, std::vector<std::string>>>(parts[3])),
        weights(nb::cast<std::optional<Array>>(parts[4])),
        groups(nb::cast<std::optional<Array>>(parts[5])) {}

 private:
  static nb::object part_of(const nb::tuple& parts, std::size_t k) {
    if (parts.size() != 6) throw InputError("expected the rows of a fit in six parts");
    return parts[k];
  }
};

// The same as a view, with the names of the columns. `ending` is that of the parameters' names,
// "_val" of validation rows.
template <Real T>
class ViewOfGiven {
 public:
  ViewOfGiven(const GivenRows& given, std::string source, const std::string& ending)
      : target_column_{given.target_column.first, given.target_column.second} {
    view_.source = std::move(source);
    given.rows.put_into(view_);
    if (given.columns) {
      columns_ = columns_of(*given.columns);
      view_.columns = columns_;
    }
    if (given.target) {
      view_.target = one_per_row<T>(*given.target, "y", ending);
      view_.target_description = target_column_;
    }
    if (given.weights) view_.weights = one_per_row<T>(*given.weights, "sample_weight", ending);
    if (given.groups) view_.groups = one_per_row<Index>(*given.groups, "qid", ending);
  }
  ViewOfGiven(const ViewOfGiven&) = delete;
  ViewOfGiven& operator=(const ViewOfGiven&) = delete;
  [[nodiscard]] const DatasetView<T>& view() const { return view_; }

 private:
  template <class V>
  [[nodiscard]] std::span<const V> one_per_row(const Array& array, const char* name,
                                               const std::string& ending) const {
    const std::string what = name + ending;
    const std::span<const V> values = vector_of<V>(array, what.c_str());
    if (static_cast<Index>(values.size()) != view_.rows()) {
      throw InputError(what + " has " + std::to_string(values.size()) + " values for " +
                       std::to_string(view_.rows()) + " rows of X" + ending);
    }
    return values;
  }

  std::vector<Column> columns_;
  Column target_column_;
  DatasetView<T> view_;
};

// What else a fit is given.
struct FitArguments {
  std::optional<GivenRows> validation;
  std::optional<Array> centres;
  std::string source;
};

template <Real T>
FittedModel fit_as(const Spec& spec, const GivenRows& train, const FitArguments& given,
                   const EngineOptions& engine_choice, Control& control) {
  const ViewOfGiven<T> data(train, given.source, "");
  std::optional<ViewOfGiven<T>> validation;
  if (given.validation) validation.emplace(*given.validation, "X_val", "_val");
  PipelineContext<T> context;
  context.control = &control;
  if (given.centres) context.initial_centres = matrix_of<T>(*given.centres, "init");
  const nb::gil_scoped_release unlocked;
  Dataset<T> validation_rows;
  if (validation) {
    validation_rows = to_dense(validation->view());
    context.validation = &validation_rows;
  }
  const std::unique_ptr<Engine> engine = Engine::create(engine_choice);
  return FittedModel(fit_pipeline(*engine, data.view(), spec.options(), context));
}

FittedModel fit(const Spec& spec, const nb::tuple& train,
                const std::optional<nb::tuple>& validation, std::optional<Array> centres,
                std::string source, std::string_view device, std::string_view numerics, int threads,
                nb::handle progress) {
  const Spelled spell(spec.names());
  const EngineOptions engine = engine_options(device, numerics, threads);
  const GivenRows rows(train);
  FitArguments given{{}, std::move(centres), std::move(source)};
  if (validation) given.validation.emplace(*validation);
  Control control(progress);
  try {
    return rows.rows.is_float32() ? fit_as<float>(spec, rows, given, engine, control)
                                  : fit_as<double>(spec, rows, given, engine, control);
  } catch (const Interrupted&) {
    control.raise();
    throw;
  } catch (const InputError& error) {
    throw InputError(spelled(error));
  } catch (const NumericalError& error) {
    throw NumericalError(spelled(error));
  }
}

// (values, labels, probabilities); None for what the model does not give.
template <Real T>
nb::tuple predictions(Predictions<T>&& made) {
  nb::object probabilities = nb::none();
  if (!made.probabilities.empty()) probabilities = array_from(std::move(made.probabilities));
  return nb::make_tuple(array_or_none(std::move(made.values)),
                        array_or_none(std::move(made.labels)), probabilities);
}

nb::tuple predict(const FittedModel& model, nb::handle x, const OptionalColumns& columns,
                  std::string_view device, std::string_view numerics, int threads) {
  const EngineOptions engine = engine_options(device, numerics, threads);
  const Rows rows(x);
  return model.visit([&]<Real T>(HeldPipeline<T>& held) {
    const RowsOfX<T> data(rows, columns);
    Predictions<T> made;
    {
      const nb::gil_scoped_release unlocked;
      made = held.on(engine).predict(data.view());
    }
    return predictions(std::move(made));
  });
}

nb::object margins(const FittedModel& model, nb::handle x, const OptionalColumns& columns,
                   std::string_view device, std::string_view numerics, int threads) {
  const EngineOptions engine_choice = engine_options(device, numerics, threads);
  const Rows rows(x);
  return model.visit([&]<Real T>(HeldPipeline<T>& held) -> nb::object {
    const auto* ranks = dynamic_cast<const Margins<T>*>(held.pipeline.model.get());
    if (ranks == nullptr) return nb::none();
    const RowsOfX<T> data(rows, columns);
    Matrix<double> made;
    {
      const nb::gil_scoped_release unlocked;
      made = held.with_engine(engine_choice, [&](Engine& engine) {
        const Dataset<T> prepared = held.pipeline.prepare(to_dense(data.view()), engine.threads());
        return ranks->margins(engine, prepared.features.view());
      });
    }
    return array_from(std::move(made));
  });
}

nb::dict parameters(const FittedModel& model) {
  return model.visit([]<Real T>(const HeldPipeline<T>& held) {
    Archive archive;
    held.pipeline.model->save(archive);
    return dict_of(archive);
  });
}

nb::dict training(const FittedModel& model) {
  return model.visit([]<Real T>(const HeldPipeline<T>& held) {
    const TrainingLog& log = held.pipeline.model->training();
    nb::dict result;
    result["iterations"] = log.iterations;
    result["stopped_because"] = log.stopped_because;
    result["converged"] = log.converged;
    nb::dict history;
    for (const auto& [name, series] : log.history) {
      auto copy = series;
      history[nb::str(name.c_str(), name.size())] = array_from(std::move(copy));
    }
    result["history"] = history;
    return result;
  });
}

nb::dict description(const FittedModel& model) {
  return model.visit([]<Real T>(const HeldPipeline<T>& held) {
    const Pipeline<T>& pipeline = held.pipeline;
    nb::dict result;
    result["algorithm"] = pipeline.provenance.algorithm;
    result["version"] = pipeline.provenance.version;
    result["task"] = to_string(pipeline.model->task());
    result["dtype"] = to_string(precision_of<T>);
    result["device"] = to_string(pipeline.provenance.device);
    result["numerics"] = to_string(pipeline.provenance.numerics);
    result["seed"] = pipeline.provenance.seed;
    result["rows"] = pipeline.provenance.rows;
    result["source"] = pipeline.provenance.source;
    result["options"] = dict_of(pipeline.provenance.options);
    result["steps"] = dict_of(pipeline.provenance.steps);
    result["classes"] = nb::cast(pipeline.model->classes());
    nb::list columns;
    for (const Column& column : pipeline.schema.columns) {
      columns.append(nb::make_tuple(column.name, nb::cast(column.categories)));
    }
    result["columns"] = columns;
    result["target"] =
        nb::make_tuple(pipeline.schema.target.name, nb::cast(pipeline.schema.target.categories));
    result["features"] = nb::cast(pipeline.feature_names());
    result["has_margins"] = dynamic_cast<const Margins<T>*>(pipeline.model.get()) != nullptr;
    return result;
  });
}

nb::bytes to_bytes(const FittedModel& model) {
  const std::vector<std::uint8_t> bytes = model.visit(
      []<Real T>(const HeldPipeline<T>& held) { return encode_archive(held.archive(), "model"); });
  return nb::bytes(bytes.data(), bytes.size());
}

FittedModel from_bytes(const nb::bytes& bytes) {
  return FittedModel(decode_archive({static_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                                    "model", "the pickle"));
}

}  // namespace

void bind_models(nb::module_& module) {
  nb::class_<FittedModel>(module, "Model")
      .def("predict", &predict, nb::arg("x"), nb::arg("columns").none(), nb::arg("device"),
           nb::arg("numerics"), nb::arg("threads"))
      .def("margins", &margins, nb::arg("x"), nb::arg("columns").none(), nb::arg("device"),
           nb::arg("numerics"), nb::arg("threads"))
      .def("parameters", &parameters)
      .def("training", &training)
      .def("description", &description)
      .def("importances",
           [](const FittedModel& model) {
             return model.visit([]<Real T>(const HeldPipeline<T>& held) {
               return array_from(importances_of(*held.pipeline.model));
             });
           })
      .def("to_json",
           [](const FittedModel& model) {
             return model.visit([]<Real T>(const HeldPipeline<T>& held) {
               return held.pipeline.model->to_json(held.pipeline.feature_names());
             });
           })
      .def("to_text",
           [](const FittedModel& model) {
             return model.visit([]<Real T>(const HeldPipeline<T>& held) {
               return held.pipeline.model->to_text(held.pipeline.feature_names());
             });
           })
      .def(
          "save",
          [](const FittedModel& model, const std::string& path) {
            model.visit([&]<Real T>(const HeldPipeline<T>& held) {
              write_archive(path, held.archive(), "model");
            });
          },
          nb::arg("path"))
      .def(
          "to_onnx",
          [](const FittedModel& model, std::string_view ml_opset, std::string_view input_type) {
            const OnnxOptions options{.operators = parse_enum<OnnxOperators>("ml_opset", ml_opset),
                                      .input = parse_enum<OnnxInput>("input_type", input_type)};
            const std::string bytes = model.visit([&]<Real T>(const HeldPipeline<T>& held) {
              const nb::gil_scoped_release unlocked;
              return tandem::to_onnx(held.pipeline, options);
            });
            return nb::bytes(bytes.data(), bytes.size());
          },
          nb::arg("ml_opset"), nb::arg("input_type"))
      .def("to_bytes", &to_bytes)
      .def("__getstate__", &to_bytes)
      .def("__setstate__", [](FittedModel& model, const nb::bytes& bytes) {
        new (&model) FittedModel(from_bytes(bytes));
      });
  module.def("fit", &fit, nb::arg("spec"), nb::arg("rows"), nb::arg("validation").none(),
             nb::arg("centres").none(), nb::arg("source"), nb::arg("device"), nb::arg("numerics"),
             nb::arg("threads"), nb::arg("progress").none());
  module.def(
      "import_onnx",
      [](const std::string& path) {
        return std::visit([](auto&& pipeline) { return FittedModel(std::move(pipeline)); },
                          import_onnx(path));
      },
      nb::arg("path"));
  module.def(
      "load_model",
      [](const std::string& path) { return FittedModel(read_archive(path, "model")); },
      nb::arg("path"));
}

}  // namespace tandem::python
