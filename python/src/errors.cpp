// Tandem's exceptions as Python's, and its messages through Python's logging.
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <array>
#include <exception>
#include <memory>
#include <utility>

#include "binding.hpp"
#include "tandem/core/log.hpp"

namespace tandem::python {
namespace {

thread_local const ParameterNames* names_at_work = nullptr;

// Borrowed references; the module keeps the classes for as long as the process lives.
struct Classes {
  PyObject* input = nullptr;
  PyObject* system = nullptr;
  PyObject* device = nullptr;
  PyObject* memory = nullptr;
  PyObject* numerical = nullptr;
};
Classes classes;

void translate(const std::exception_ptr& pointer, void* /*unused*/) {
  try {
    std::rethrow_exception(pointer);
  } catch (const InputError& error) {
    PyErr_SetString(classes.input, spelled(error).c_str());
  } catch (const OutOfDeviceMemory& error) {
    PyErr_SetString(classes.memory, spelled(error).c_str());
  } catch (const DeviceError& error) {
    PyErr_SetString(classes.device, spelled(error).c_str());
  } catch (const NumericalError& error) {
    PyErr_SetString(classes.numerical, spelled(error).c_str());
  } catch (const Interrupted& error) {
    PyErr_SetString(PyExc_KeyboardInterrupt, spelled(error).c_str());
  } catch (const Error& error) {
    PyErr_SetString(classes.system, spelled(error).c_str());
  }
}

// A class of the module, which also derives from the exception that Python code expects there.
PyObject* make_class(nb::module_& module, const char* name, PyObject* base, const char* doc) {
  const std::string full = "tandem_ml.errors." + std::string(name);
  PyObject* made = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  if (made == nullptr) throw nb::python_error();
  module.attr(name) = nb::steal(made);
  return made;
}

}  // namespace

std::string parameter_of(const OptionName& name) {
  if (name.name().find('.') == std::string_view::npos) {
    // scikit-learn's name comes first among those of other libraries.
    return std::string(name.others().empty() ? name.name() : name.others().front());
  }
  // Of a step.
  std::string parameter(name.shown());
  for (char& c : parameter) {
    if (c == '.' || c == '-') c = '_';
  }
  return parameter;
}

void ParameterNames::add(const OptionName& name) {
  parameters_.insert_or_assign(std::string(name.name()), parameter_of(name));
}

std::string ParameterNames::operator()(std::string_view canonical_name) const {
  const auto found = parameters_.find(canonical_name);
  return found == parameters_.end() ? std::string(canonical_name) : found->second;
}

Spelled::Spelled(const ParameterNames& names) : before_(std::exchange(names_at_work, &names)) {}
Spelled::~Spelled() { names_at_work = before_; }

std::string spelled(const Error& error) {
  if (names_at_work == nullptr) return error.what();
  return error.spelled(*names_at_work);
}

void bind_errors(nb::module_& module) {
  classes.input = make_class(module, "InputError", PyExc_ValueError,
                             "Data or a parameter is wrong; the same call will fail again.");
  classes.system = make_class(module, "SystemError", PyExc_OSError,
                              "The operating system refused: a full disk, a missing file, no "
                              "permission, no memory.");
  classes.device = make_class(module, "DeviceError", PyExc_RuntimeError,
                              "The device that was asked for is missing or failed.");
  classes.memory = make_class(module, "OutOfDeviceMemory", PyExc_MemoryError,
                              "Device memory is not enough for what was asked.");
  classes.numerical = make_class(module, "NumericalError", PyExc_ArithmeticError,
                                 "The numbers left the range in which the method is defined.");
  nb::register_exception_translator(translate, nullptr);
}

void bind_logging(nb::module_& module) {
  // Python's own numbers of the levels, by log::Level.
  static constexpr std::array<int, 5> numbers{10, 20, 30, 40, 100};
  module.def(
      "set_log_sink",
      [](nb::callable write) {
        // Leaked on purpose: messages may come while the interpreter goes down.
        auto* kept = new nb::callable(std::move(write));
        log::set_sink([kept](log::Level level, std::string_view message) {
          if (Py_IsInitialized() == 0) return;
          const nb::gil_scoped_acquire gil;
          // An exception that is on its way stays as it is.
          const nb::error_scope scope;
          try {
            (*kept)(numbers[static_cast<std::size_t>(level)], message);
          } catch (nb::python_error& error) {
            error.discard_as_unraisable("a handler of the logger tandem_ml");
          }
        });
        log::set_level(log::Level::debug);
      },
      nb::arg("write"));
  // For tests of that way.
  module.def("log_message", [](const std::string& message) { log::warning(message); });
}

}  // namespace tandem::python
