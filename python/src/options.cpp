// Algorithms and their options, described and set.
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>

#include "options.hpp"
#include "spec.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/views.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/feature_values.hpp"

namespace tandem::python {
namespace {

// A dict per option: how it is called, its type, range and standard value.
class Describe final : public OptionVisitor {
 public:
  nb::list list;

  void integer(const OptionName& name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override {
    nb::dict option = add(name, "integer", help);
    option["default"] = value;
    option["lowest"] = lowest;
    option["highest"] = highest;
  }
  void real(const OptionName& name, double& value, std::string_view help, double lowest,
            double highest) override {
    nb::dict option = add(name, "real", help);
    option["default"] = value;
    option["lowest"] = lowest;
    option["highest"] = highest;
  }
  void flag(const OptionName& name, bool& value, std::string_view help) override {
    nb::dict option = add(name, "flag", help);
    option["default"] = value;
  }
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override {
    nb::dict option = add(name, "integers", help);
    option["default"] = nb::tuple(nb::cast(value));
    option["lowest"] = lowest;
    option["highest"] = highest;
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override {
    nb::dict option = add(name, "reals", help);
    option["default"] = nb::tuple(nb::cast(value));
    option["lowest"] = lowest;
    option["highest"] = highest;
  }
  void text(const OptionName& name, std::string& value, std::string_view help) override {
    nb::dict option = add(name, "text", help);
    option["default"] = value;
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) override {
    nb::dict option = add(name, "choice", help);
    option["default"] = value.get();
    nb::list choices;
    for (const std::string_view one : value.names()) choices.append(one);
    option["choices"] = nb::tuple(choices);
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                   std::string_view syntax) override {
    nb::dict option = add(name, "written", help);
    option["default"] = value.get();
    option["syntax"] = syntax;
  }
  void seed(std::uint64_t&) override { seeded = true; }

  bool seeded = false;

 private:
  nb::dict add(const OptionName& name, const char* type, std::string_view help) {
    nb::dict option;
    option["name"] = name.name();
    option["shown"] = name.shown();
    option["parameter"] = parameter_of(name);
    option["type"] = type;
    option["help"] = help;
    list.append(option);
    return option;
  }
};

class CollectNames final : public OptionVisitor {
 public:
  explicit CollectNames(ParameterNames& names) : names_(names) {}
  void integer(const OptionName& name, std::int64_t&, std::string_view, std::int64_t,
               std::int64_t) override {
    names_.add(name);
  }
  void real(const OptionName& name, double&, std::string_view, double, double) override {
    names_.add(name);
  }
  void flag(const OptionName& name, bool&, std::string_view) override { names_.add(name); }
  void integers(const OptionName& name, std::vector<std::int64_t>&, std::string_view, std::int64_t,
                std::int64_t) override {
    names_.add(name);
  }
  void reals(const OptionName& name, std::vector<double>&, std::string_view, double,
             double) override {
    names_.add(name);
  }
  void text(const OptionName& name, std::string&, std::string_view) override { names_.add(name); }
  void choice_ref(const OptionName& name, ChoiceRef, std::string_view) override {
    names_.add(name);
  }
  void written_ref(const OptionName& name, WrittenRef, std::string_view,
                   std::string_view) override {
    names_.add(name);
  }
  void seed(std::uint64_t&) override {}

 private:
  ParameterNames& names_;
};

// The task of an algorithm that leaves no choice of it, or nothing.
nb::object only_task(Algorithm& algorithm) {
  if (algorithm.has_option("task")) return nb::none();
  // Whatever the target is, the answer is the same.
  const std::array<double, 2> values{0, 1};
  DatasetView<double> data = view_of(values.data(), 2, 1);
  data.target = values;
  return nb::cast(to_string(algorithm.task(data)));
}

nb::dict describe_algorithm(const std::string& name) {
  const std::unique_ptr<Algorithm> algorithm = make_algorithm(name);
  nb::dict description;
  description["name"] = name;
  description["class_name"] = algorithm->class_name();
  description["summary"] = algorithm->summary();
  description["kind"] = to_string(algorithm->kind());
  description["task"] = only_task(*algorithm);
  description["accepts_missing"] = algorithm->accepts_missing();
  description["takes_categories"] = algorithm->takes_categories();
  description["feature_values"] = to_string(feature_values(*algorithm));
  const DescribedOptions options =
      describe_options([&](OptionVisitor& visitor) { algorithm->visit_options(visitor); });
  description["options"] = options.list;
  description["seeded"] = options.seeded;
  PipelineOptions pipeline(name);
  description["steps"] =
      describe_options([&](OptionVisitor& visitor) { pipeline.visit_steps(visitor); }).list;
  return description;
}

}  // namespace

DescribedOptions describe_options(const std::function<void(OptionVisitor&)>& visit) {
  Describe options;
  visit(options);
  return {options.list, options.seeded};
}

OptionValue option_value(nb::handle value) {
  if (PyBool_Check(value.ptr()) != 0) return nb::cast<bool>(value);
  if (PyLong_Check(value.ptr()) != 0) {
    std::int64_t number = 0;
    if (!nb::try_cast(value, number)) {
      throw InputError("is beyond the range of 64-bit integers");
    }
    return number;
  }
  if (PyFloat_Check(value.ptr()) != 0) return nb::cast<double>(value);
  if (PyUnicode_Check(value.ptr()) != 0) return nb::cast<std::string>(value);
  std::vector<std::int64_t> integers;
  if (nb::try_cast(value, integers)) return integers;
  std::vector<double> reals;
  if (nb::try_cast(value, reals)) return reals;
  throw InputError("has a value of another type; expected a number, a text, or a list of numbers");
}

Spec::Spec(const std::string& algorithm) : options_(algorithm) {
  auto names = std::make_shared<ParameterNames>();
  CollectNames collect(*names);
  options_.visit_algorithm(collect);
  options_.visit_steps(collect);
  // What the program has a file for.
  names->add({"validation", {"X_val and y_val"}});
  names_ = std::move(names);
}

void Spec::set(const std::string& name, nb::handle value) {
  const Spelled spell(names());
  std::optional<OptionValue> converted;
  try {
    converted = option_value(value);
  } catch (const InputError& error) {
    throw InputError(names()(name) + " " + error.what());
  }
  try {
    options_.set(name, *converted);
  } catch (const InputError& error) {
    // Raised here, while the names of this estimator's parameters are at hand. An option of a step
    // says its own name, "method" for "scale.method".
    const std::string own = name.substr(name.find('.') + 1);
    throw InputError(error.spelled(
        [&](std::string_view one) { return names()(one == own ? std::string_view(name) : one); }));
  }
}

EngineOptions engine_options(std::string_view device, std::string_view numerics, int threads) {
  EngineOptions options;
  options.device = parse_enum<Device>("device", device);
  options.numerics = parse_enum<Numerics>("numerics", numerics);
  options.threads = threads;
  return options;
}

void bind_options(nb::module_& module) {
  module.def("algorithm_names", [] { return algorithm_names(); });
  module.def("describe_algorithm", &describe_algorithm, nb::arg("name"));
  module.def(
      "class_name_of", [](double value) { return class_name(value); }, nb::arg("value"));
  nb::class_<Spec>(module, "Spec")
      .def(nb::init<const std::string&>(), nb::arg("algorithm"))
      .def("copy", [](const Spec& spec) { return Spec(spec); })
      .def("set", &Spec::set, nb::arg("name"), nb::arg("value"))
      .def("check", &Spec::check);
}

}  // namespace tandem::python
