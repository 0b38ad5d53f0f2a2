// A pipeline before it is fitted, as Python holds one.
#pragma once

#include <memory>
#include <string>

#include "binding.hpp"
#include "tandem/model/pipeline_options.hpp"

namespace tandem::python {

class Spec {
 public:
  explicit Spec(const std::string& algorithm);
  // Gives an option a value by its canonical name: "clusters", "scale.method", "seed".
  void set(const std::string& name, nb::handle value);
  void check() const {
    const Spelled spell(names());
    try {
      options_.check();
    } catch (const InputError& error) {
      throw InputError(spelled(error));
    }
  }
  [[nodiscard]] const PipelineOptions& options() const noexcept { return options_; }
  [[nodiscard]] const ParameterNames& names() const noexcept { return *names_; }

 private:
  PipelineOptions options_;
  std::shared_ptr<const ParameterNames> names_;  // copies share them
};

}  // namespace tandem::python
