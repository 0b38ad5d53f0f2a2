// Profiles of kernels, and what is worked out from one that is accepted.
#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "softgpu/models.hpp"
#include "softgpu/profile/explain.hpp"
#include "softgpu/profile/profile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  namespace profile = softgpu::profile;
  const auto json = nlohmann::ordered_json::parse(bytes, bytes + size, nullptr, false);
  if (json.is_discarded()) return 0;
  try {
    const profile::Profile read = profile::from_json(json);
    const softgpu::DeviceModel& device = *softgpu::find_device_model("a100");
    for (const profile::Kernel& kernel : read.kernels) (void)profile::explain(kernel, device);
    (void)profile::schedule(read, device);
  } catch (const profile::ProfileError&) {
  } catch (const nlohmann::json::exception&) {
    // A member of another type; read_profile() says so with the file's name.
  }
  return 0;
}
