// Transforms by themselves: see transforms.cpp.
#pragma once

#include "binding.hpp"

namespace tandem::python {

void bind_transforms(nb::module_& module);

}  // namespace tandem::python
