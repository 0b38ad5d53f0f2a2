#include "tandem/core/types.hpp"

#include "core/enum_names.hpp"

namespace tandem {
namespace {

constexpr EnumNames<Device, 4> device_names{{{Device::reference, "reference"},
                                             {Device::cpu, "cpu"},
                                             {Device::cuda, "cuda"},
                                             {Device::softgpu, "softgpu"}}};
constexpr EnumNames<Numerics, 4> numerics_names{{{Numerics::exact, "exact"},
                                                 {Numerics::fast, "fast"},
                                                 {Numerics::fast_tf32, "fast-tf32"},
                                                 {Numerics::fast_bf16, "fast-bf16"}}};
constexpr EnumNames<Precision, 2> precision_names{
    {{Precision::float32, "float32"}, {Precision::float64, "float64"}}};
constexpr EnumNames<Task, 3> task_names{{{Task::regression, "regression"},
                                         {Task::classification, "classification"},
                                         {Task::clustering, "clustering"}}};

}  // namespace

std::string_view to_string(Device value) noexcept { return name_of(device_names, value); }
std::string_view to_string(Numerics value) noexcept { return name_of(numerics_names, value); }
std::string_view to_string(Precision value) noexcept { return name_of(precision_names, value); }
std::string_view to_string(Task value) noexcept { return name_of(task_names, value); }

Device parse_device(std::string_view text) { return parse_name(device_names, "device", text); }
Numerics parse_numerics(std::string_view text) {
  return parse_name(numerics_names, "numerics", text);
}
Precision parse_precision(std::string_view text) {
  return parse_name(precision_names, "precision", text);
}

}  // namespace tandem
