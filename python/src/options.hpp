// Options as Python sees them, and values that it gives them.
#pragma once

#include <functional>

#include "binding.hpp"

namespace tandem::python {

// A dict per option of what `visit` shows: name, type, range, standard value; and whether a seed is
// among them.
struct DescribedOptions {
  nb::list list;
  bool seeded = false;
};
[[nodiscard]] DescribedOptions describe_options(const std::function<void(OptionVisitor&)>& visit);

// A Python value as an option's; a bool is no integer. Throws InputError for another type.
[[nodiscard]] OptionValue option_value(nb::handle value);

}  // namespace tandem::python
