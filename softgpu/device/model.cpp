#include "softgpu/models.hpp"

#include <array>
#include <vector>

#include "softgpu/device/options.hpp"

namespace softgpu {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::size_t gib = 1024 * mib;

// Limits by compute capability: CUDA C++ Programming Guide, "Technical Specifications per Compute
// Capability". Sizes and clocks: the products' data sheets (A100 80GB SXM, GeForce RTX 4090, H100
// 80GB SXM, RTX A6000, H200 SXM).
constexpr std::array<DeviceModel, 5> models{{
    {
        .key = "a100",
        .name = "softgpu a100 (NVIDIA A100-SXM4-80GB)",
        .major = 8,
        .minor = 0,
        .multiprocessors = 108,
        .max_threads_per_multiprocessor = 2048,
        .max_blocks_per_multiprocessor = 32,
        .shared_per_multiprocessor = 164 * kib,
        .shared_per_block_optin = 163 * kib,
        .l2_bytes = 40 * mib,
        .persisting_l2_bytes = 30 * mib,
        .memory_bytes = 80 * gib,
        .clock_khz = 1410000,
        .memory_clock_khz = 1593000,
        .memory_bus_bits = 5120,
        .clusters = false,
    },
    {
        .key = "rtx4090",
        .name = "softgpu rtx4090 (NVIDIA GeForce RTX 4090)",
        .major = 8,
        .minor = 9,
        .multiprocessors = 128,
        .max_threads_per_multiprocessor = 1536,
        .max_blocks_per_multiprocessor = 24,
        .shared_per_multiprocessor = 100 * kib,
        .shared_per_block_optin = 99 * kib,
        .l2_bytes = 72 * mib,
        .persisting_l2_bytes = 49 * mib + 512 * kib,
        .memory_bytes = 24 * gib,
        .clock_khz = 2520000,
        .memory_clock_khz = 10501000,
        .memory_bus_bits = 384,
        .clusters = false,
    },
    {
        .key = "h100",
        .name = "softgpu h100 (NVIDIA H100 80GB HBM3)",
        .major = 9,
        .minor = 0,
        .multiprocessors = 132,
        .max_threads_per_multiprocessor = 2048,
        .max_blocks_per_multiprocessor = 32,
        .shared_per_multiprocessor = 228 * kib,
        .shared_per_block_optin = 227 * kib,
        .l2_bytes = 50 * mib,
        .persisting_l2_bytes = 32 * mib,
        .memory_bytes = 80 * gib,
        .clock_khz = 1980000,
        .memory_clock_khz = 2619000,
        .memory_bus_bits = 5120,
        .clusters = true,
    },
    {
        .key = "a6000",
        .name = "softgpu a6000 (NVIDIA RTX A6000)",
        .major = 8,
        .minor = 6,
        .multiprocessors = 84,
        .max_threads_per_multiprocessor = 1536,
        .max_blocks_per_multiprocessor = 16,
        .shared_per_multiprocessor = 100 * kib,
        .shared_per_block_optin = 99 * kib,
        .l2_bytes = 6 * mib,
        .persisting_l2_bytes = 4 * mib + 128 * kib,
        .memory_bytes = 48 * gib,
        .clock_khz = 1800000,
        .memory_clock_khz = 8001000,
        .memory_bus_bits = 384,
        .clusters = false,
    },
    {
        .key = "h200",
        .name = "softgpu h200 (NVIDIA H200)",
        .major = 9,
        .minor = 0,
        .multiprocessors = 132,
        .max_threads_per_multiprocessor = 2048,
        .max_blocks_per_multiprocessor = 32,
        .shared_per_multiprocessor = 228 * kib,
        .shared_per_block_optin = 227 * kib,
        .l2_bytes = 50 * mib,
        .persisting_l2_bytes = 32 * mib,
        .memory_bytes = 141 * gib,
        .clock_khz = 1980000,
        .memory_clock_khz = 3201000,
        .memory_bus_bits = 6144,
        .clusters = true,
    },
}};

}  // namespace

std::span<const DeviceModel> device_models() { return models; }

const DeviceModel* find_device_model(std::string_view key) {
  for (const DeviceModel& model : models) {
    if (model.key == key) return &model;
  }
  return nullptr;
}

std::string device_model_keys() {
  std::string keys;
  for (const DeviceModel& model : models) {
    if (!keys.empty()) keys += ", ";
    keys += model.key;
  }
  return keys;
}

std::optional<std::string> unknown_model(std::string_view list) {
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view key = list.substr(0, comma);
    if (find_device_model(key) == nullptr) return std::string(key);
    if (comma == std::string_view::npos) return std::nullopt;
    list.remove_prefix(comma + 1);
  }
}

const DeviceModel& device_model(int device) {
  static const std::vector<const DeviceModel*>& by_device = *[] {
    auto* made = new std::vector<const DeviceModel*>;
    for (const std::string& key : options().models) made->push_back(find_device_model(key));
    return made;
  }();
  return *by_device[static_cast<std::size_t>(device) % by_device.size()];
}

int device_count() { return options().devices; }

}  // namespace softgpu
