#include "tandem/core/types.hpp"

#include <array>
#include <string>
#include <utility>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<Device, 4> device_names{{{Device::reference, "reference"},
                                         {Device::cpu, "cpu"},
                                         {Device::cuda, "cuda"},
                                         {Device::softgpu, "softgpu"}}};
constexpr Names<Numerics, 2> numerics_names{{{Numerics::exact, "exact"}, {Numerics::fast, "fast"}}};
constexpr Names<Precision, 2> precision_names{
    {{Precision::float32, "float32"}, {Precision::float64, "float64"}}};
constexpr Names<Task, 3> task_names{{{Task::regression, "regression"},
                                     {Task::classification, "classification"},
                                     {Task::clustering, "clustering"}}};

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) noexcept {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "unknown";
}

template <class Enum, std::size_t N>
Enum parse(const Names<Enum, N>& names, std::string_view what, std::string_view text) {
  std::string accepted;
  for (const auto& [candidate, name] : names) {
    if (name == text) return candidate;
    accepted += (accepted.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError("unknown " + std::string(what) + " '" + std::string(text) +
                   "': expected one of " + accepted);
}

}  // namespace

std::string_view to_string(Device value) noexcept { return name_of(device_names, value); }
std::string_view to_string(Numerics value) noexcept { return name_of(numerics_names, value); }
std::string_view to_string(Precision value) noexcept { return name_of(precision_names, value); }
std::string_view to_string(Task value) noexcept { return name_of(task_names, value); }

Device parse_device(std::string_view text) { return parse(device_names, "device", text); }
Numerics parse_numerics(std::string_view text) { return parse(numerics_names, "numerics", text); }
Precision parse_precision(std::string_view text) {
  return parse(precision_names, "precision", text);
}

}  // namespace tandem
