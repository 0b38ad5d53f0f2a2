// The devices that the software GPU pretends to be, with the limits their documentation gives (CUDA
// Programming Guide, "Compute Capabilities").
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace softgpu {

struct DeviceModel {
  std::string_view key;   // "a100"
  std::string_view name;  // what cudaGetDeviceProperties says
  int major = 0;          // compute capability
  int minor = 0;
  int multiprocessors = 0;
  int max_threads_per_multiprocessor = 0;
  int max_blocks_per_multiprocessor = 0;
  int registers_per_multiprocessor = 65536;
  int registers_per_block = 65536;
  std::size_t shared_per_multiprocessor = 0;
  std::size_t shared_per_block = 49152;
  std::size_t shared_per_block_optin = 0;
  std::size_t shared_reserved = 1024;
  std::size_t l2_bytes = 0;
  std::size_t persisting_l2_bytes = 0;
  std::size_t memory_bytes = 0;
  int clock_khz = 0;
  int memory_clock_khz = 0;
  int memory_bus_bits = 0;
  bool clusters = false;
};

// The model of this device, by SOFTGPU_MODEL, whose list of names is gone through in turn; an a100
// where it is not set. An unknown name ends the program with a message that lists the known ones.
[[nodiscard]] const DeviceModel& device_model(int device);
// All that there are.
[[nodiscard]] std::span<const DeviceModel> device_models();
[[nodiscard]] const DeviceModel* find_device_model(std::string_view key);
[[nodiscard]] std::string device_model_keys();  // "a100, rtx4090, ..."
// The first name in a list such as "a100,h100" that is not the name of a model; nothing where all
// of them are.
[[nodiscard]] std::optional<std::string> unknown_model(std::string_view list);
// SOFTGPU_DEVICES; where it is not set, as many as SOFTGPU_MODEL names.
[[nodiscard]] int device_count();

}  // namespace softgpu
