// What the parts of the extension module share: each file binds one concern, and module.cpp calls
// them all.
#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>
#include <string_view>

#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"

namespace tandem::python {

namespace nb = nanobind;

// Raised as tandem_ml.errors.InputError, ..., with the names of options as Python calls them.
void bind_errors(nb::module_& module);
void bind_logging(nb::module_& module);
void bind_options(nb::module_& module);
void bind_rows(nb::module_& module);
void bind_models(nb::module_& module);

// What Python calls an option: the first of its other names, which is scikit-learn's
// ("n_clusters" for "clusters"), else its own; of a step what the command line shows ("scale" for
// "scale.method").
[[nodiscard]] std::string parameter_of(const OptionName& name);

// What Python calls the options of the algorithms and the steps: canonical name to parameter.
class ParameterNames {
 public:
  void add(const OptionName& name);
  [[nodiscard]] std::string operator()(std::string_view canonical_name) const;

 private:
  std::map<std::string, std::string, std::less<>> parameters_;
};

// How messages spell the options while it lives, on this thread: as the parameters of one
// estimator.
class Spelled {
 public:
  explicit Spelled(const ParameterNames& names);
  Spelled(const Spelled&) = delete;
  Spelled& operator=(const Spelled&) = delete;
  ~Spelled();

 private:
  const ParameterNames* before_;
};
// As the estimator that is at work on this thread spells it, else as the library does.
[[nodiscard]] std::string spelled(const Error& error);

// From the parameters that every estimator has. Throws InputError for unknown names.
[[nodiscard]] EngineOptions engine_options(std::string_view device, std::string_view numerics,
                                           int threads);

}  // namespace tandem::python
