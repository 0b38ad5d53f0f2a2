// What archives hold, as Python's values.
#pragma once

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "rows.hpp"
#include "tandem/core/archive.hpp"

namespace tandem::python {

// A value of an archive as Python's: tensors as arrays of their shape.
[[nodiscard]] inline nb::object value_of(const Archive::Value& value) {
  return std::visit(
      [](const auto& held) -> nb::object {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, Archive::Tensor>) {
          return std::visit(
              [&](const auto& data) -> nb::object {
                auto copy = data;
                std::vector<std::size_t> shape(held.shape.begin(), held.shape.end());
                return array_from(std::move(copy), std::move(shape));
              },
              held.data);
        } else if constexpr (std::is_same_v<Held, std::vector<double>>) {
          auto copy = held;
          return array_from(std::move(copy));
        } else {
          return nb::cast(held);
        }
      },
      value);
}

[[nodiscard]] inline nb::dict dict_of(const Archive& archive) {
  nb::dict values;
  for (const auto& [name, value] : archive.entries()) {
    values[nb::str(name.c_str(), name.size())] = value_of(value);
  }
  return values;
}

}  // namespace tandem::python
