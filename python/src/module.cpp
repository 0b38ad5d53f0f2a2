// The extension module tandem_ml._core. Python code around it has the estimators; this has what
// they are made of.
#include "binding.hpp"

#include <nanobind/stl/string.h>

#include "tandem/config.hpp"
#include "tandem/core/software_gpu.hpp"
#include "transforms.hpp"

NB_MODULE(_core, module) {
  using namespace tandem::python;  // NOLINT(google-build-using-namespace): the module's own parts
  // The estimators' classes hold objects of this module, and live as long as the interpreter.
  nb::set_leak_warnings(false);
  module.attr("version") = TANDEM_VERSION;
  bind_errors(module);
  bind_logging(module);
  bind_options(module);
  bind_rows(module);
  bind_models(module);
  bind_transforms(module);
  module.def("software_gpu_folder", &tandem::software_gpu::folder);
}
