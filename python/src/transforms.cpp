// Transforms by themselves: one step, fitted on rows and applied to others.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "archive_values.hpp"
#include "options.hpp"
#include "rows_of_x.hpp"
#include "tandem/transform/chain.hpp"
#include "transforms.hpp"

namespace tandem::python {
namespace {

// A transform before it is fitted.
class StepSpec {
 public:
  explicit StepSpec(const std::string& name) : step_(make_transform(name)) {}
  StepSpec(const StepSpec& other) : step_(other.step_->clone()) {}
  StepSpec& operator=(const StepSpec&) = delete;

  void set(const std::string& name, nb::handle value) {
    std::optional<OptionValue> converted;
    try {
      converted = option_value(value);
    } catch (const InputError& error) {
      throw InputError(name + " " + error.what());
    }
    step_->set(name, *converted);
  }
  [[nodiscard]] std::span<const std::unique_ptr<TransformStep>> steps() const {
    return {&step_, 1};
  }
  [[nodiscard]] TransformStep& step() { return *step_; }
  [[nodiscard]] const TransformStep& step() const { return *step_; }

 private:
  std::unique_ptr<TransformStep> step_;
};

// Copies share the transforms. Several threads may use one at once.
class FittedTransform {
 public:
  template <Real T>
  FittedTransform(std::string name, TransformChain<T>&& chain)
      : name_(std::move(name)),
        chain_(std::make_shared<const TransformChain<T>>(std::move(chain))) {}

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Calls f with the chain of the rows' type.
  template <class F>
  decltype(auto) visit(F&& f) const {
    return std::visit([&](const auto& chain) { return f(*chain); }, chain_);
  }

 private:
  std::string name_;
  std::variant<std::shared_ptr<const TransformChain<float>>,
               std::shared_ptr<const TransformChain<double>>>
      chain_;
};

// Whether a step, told to do something, changes the target, which no transformer of rows can.
bool changes_target(const StepSpec& spec) {
  Dataset<double> rows;
  rows.source = "X";
  rows.columns = numbered_columns(1);
  rows.features = Matrix<double>(3, 1, {0, 1, 2});
  rows.target = {0, 1, 2};
  return TransformChain<double>::fit(rows, spec.steps(), Task::regression, 1).changes_target();
}

// As an algorithm is described, with standard values by which the step does something: of a choice
// whose standard is "none", the one after it.
nb::dict describe_transform(const std::string& name) {
  StepSpec spec(name);
  DescribedOptions options =
      describe_options([&](OptionVisitor& visitor) { spec.step().visit_options(visitor); });
  for (nb::handle option : options.list) {
    if (nb::cast<std::string>(option["type"]) != "choice") continue;
    if (nb::cast<std::string>(option["default"]) != "none") continue;
    const nb::object next = option["choices"][1];
    spec.set(nb::cast<std::string>(option["name"]), next);
    option["default"] = next;
  }
  nb::dict description;
  description["name"] = name;
  description["summary"] = spec.step().summary();
  description["options"] = options.list;
  description["changes_target"] = changes_target(spec);
  return description;
}

template <Real T>
FittedTransform fit_as(const StepSpec& spec, const Rows& rows, const OptionalColumns& columns,
                       const std::optional<Array>& weights, int threads) {
  const RowsOfX<T> given(rows, columns);
  DatasetView<T> view = given.view();
  if (weights) view.weights = vector_of<T>(*weights, "sample_weight");
  const nb::gil_scoped_release unlocked;
  Dataset<T> train = to_dense(view);
  if (train.columns.empty()) train.columns = numbered_columns(train.cols());
  TransformChain<T> chain = TransformChain<T>::fit(train, spec.steps(), Task::clustering, threads);
  if (chain.dropped_rows() > 0) {
    throw InputError("X: " + std::to_string(chain.dropped_rows()) +
                     " rows would be left out, and a transformer returns as many rows as it is "
                     "given; an estimator's own parameters may leave out training rows");
  }
  return FittedTransform(std::string(spec.step().name()), std::move(chain));
}

FittedTransform fit(const StepSpec& spec, nb::handle x, const OptionalColumns& columns,
                    const std::optional<Array>& weights, int threads) {
  const Rows rows(x);
  return rows.is_float32() ? fit_as<float>(spec, rows, columns, weights, threads)
                           : fit_as<double>(spec, rows, columns, weights, threads);
}

nb::object transform(const FittedTransform& fitted, nb::handle x, const OptionalColumns& columns,
                     int threads) {
  const Rows rows(x);
  return fitted.visit([&]<Real T>(const TransformChain<T>& chain) {
    const RowsOfX<T> given(rows, columns);
    Dataset<T> made;
    {
      const nb::gil_scoped_release unlocked;
      made = chain.transform(to_dense(given.view()), threads);
    }
    return array_from(std::move(made.features));
  });
}

// The values of X whose transformed values these are; the caller has seen that there are such.
nb::object restore(const FittedTransform& fitted, nb::handle x) {
  const Rows rows(x);
  return fitted.visit([&]<Real T>(const TransformChain<T>& chain) {
    const RowsOfX<T> given(rows, {});
    Matrix<T> made(given.view().rows(), given.view().cols());
    {
      const nb::gil_scoped_release unlocked;
      const Dataset<T> values = to_dense(given.view());
      for (Index i = 0; i < made.rows(); ++i) {
        for (Index j = 0; j < made.cols(); ++j) {
          made(i, j) = static_cast<T>(chain.unscale(j, static_cast<double>(values.features(i, j))));
        }
      }
    }
    return array_from(std::move(made));
  });
}

nb::list columns_of_python(const std::vector<Column>& columns) {
  nb::list list;
  for (const Column& column : columns) {
    list.append(nb::make_tuple(column.name, nb::cast(column.categories)));
  }
  return list;
}

nb::dict description(const FittedTransform& fitted) {
  return fitted.visit([&]<Real T>(const TransformChain<T>& chain) {
    nb::dict result;
    result["dtype"] = to_string(precision_of<T>);
    result["inputs"] = columns_of_python(chain.inputs());
    result["outputs"] = columns_of_python(chain.outputs());
    const Transform<T>* const matched = chain.find("categories");
    result["learned"] =
        columns_of_python(matched != nullptr ? columns_of(matched->outputs()) : chain.inputs());
    Archive learned;
    // A step that had nothing to do has learned nothing.
    if (const Transform<T>* one = chain.find(fitted.name()); one != nullptr) one->save(learned);
    result["parameters"] = dict_of(learned);
    return result;
  });
}

constexpr const char* kind_of_bytes = "transform";

nb::bytes to_bytes(const FittedTransform& fitted) {
  Archive archive;
  archive.set("name", fitted.name());
  fitted.visit([&]<Real T>(const TransformChain<T>& chain) {
    archive.set("precision", to_string(precision_of<T>));
    std::vector<std::string> names;
    for (std::size_t j = 0; j < chain.inputs().size(); ++j) {
      const Column& column = chain.inputs()[j];
      names.push_back(column.name);
      if (column.categorical()) {
        archive.set("categories/" + std::to_string(j), column.categories);
      }
    }
    archive.set("columns", std::move(names));
    Archive part;
    chain.save(part);
    archive.set_part("transforms", part);
  });
  const std::vector<std::uint8_t> bytes = encode_archive(archive, kind_of_bytes);
  return nb::bytes(bytes.data(), bytes.size());
}

FittedTransform from_bytes(const nb::bytes& bytes) {
  const Archive archive = decode_archive(
      {static_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, kind_of_bytes, "the pickle");
  std::vector<Column> columns;
  for (const std::string& name : archive.get_strings("columns")) {
    const std::string categories = "categories/" + std::to_string(columns.size());
    columns.push_back({name, archive.has(categories) ? archive.get_strings(categories)
                                                     : std::vector<std::string>{}});
  }
  const auto precision = parse_enum<Precision>("precision", archive.get_string("precision"));
  return with_precision(precision, [&](auto type) {
    using T = typename decltype(type)::type;
    return FittedTransform(archive.get_string("name"),
                           TransformChain<T>::load(archive.part("transforms"), std::move(columns)));
  });
}

}  // namespace

void bind_transforms(nb::module_& module) {
  module.def("transform_names", [] { return transform_names(); });
  module.def("describe_transform", &describe_transform, nb::arg("name"));
  nb::class_<StepSpec>(module, "StepSpec")
      .def(nb::init<const std::string&>(), nb::arg("name"))
      .def("set", &StepSpec::set, nb::arg("name"), nb::arg("value"));
  module.def("fit_transform", &fit, nb::arg("spec"), nb::arg("x"), nb::arg("columns").none(),
             nb::arg("weights").none(), nb::arg("threads"));
  nb::class_<FittedTransform>(module, "Transform")
      .def("transform", &transform, nb::arg("x"), nb::arg("columns").none(), nb::arg("threads"))
      .def("restore", &restore, nb::arg("x"))
      .def("description", &description)
      .def("to_json",
           [](const FittedTransform& fitted) {
             return fitted.visit(
                 []<Real T>(const TransformChain<T>& chain) { return chain.to_json(); });
           })
      .def("to_bytes", &to_bytes)
      .def("__getstate__", &to_bytes)
      .def("__setstate__", [](FittedTransform& fitted, const nb::bytes& bytes) {
        new (&fitted) FittedTransform(from_bytes(bytes));
      });
}

}  // namespace tandem::python
