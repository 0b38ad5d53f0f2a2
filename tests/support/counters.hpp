// What kernels did, as the software GPU counts it (docs/softgpu.md): for tests of their cost
// functions, of coalescing and of bank conflicts. There is nothing to count on a real GPU.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "support/cuda.hpp"

namespace tandem::test {

// The counters of the kernels whose readable name contains `part`, added up.
struct Counters {
  double launches = 0;
  double bytes = 0;  // each byte once per launch, reads and writes
  double flops = 0;  // with divisions, square roots and the like as one each
  // 1 where all accesses are coalesced, and where no bank is asked for two words at once.
  double sectors_per_ideal = 1;
  double wavefronts_per_ideal = 1;
  double warp_instructions = 0;
};

// Counts while it lives; one at a time, on Device::softgpu, after an engine was made.
class Counting {
 public:
  Counting() {
    void* runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_NOLOAD);
    if (runtime == nullptr) return;
    count_ = reinterpret_cast<void (*)(int)>(dlsym(runtime, "softgpu_count"));
    counters_ = reinterpret_cast<char* (*)()>(dlsym(runtime, "softgpu_counters"));
    dlclose(runtime);
    if (available()) count_(1);
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() {
    if (available()) count_(0);
  }

  [[nodiscard]] bool available() const { return count_ != nullptr && counters_ != nullptr; }
  // From zero again.
  void restart() { count_(1); }

  [[nodiscard]] Counters of(std::string_view part) const {
    Counters sum;
    double sectors = 0;
    double ideal_sectors = 0;
    double wavefronts = 0;
    double ideal_wavefronts = 0;
    char* text = counters_();
    if (text == nullptr) return sum;
    const nlohmann::json all = nlohmann::json::parse(text);
    std::free(text);
    for (const auto& kernel : all.at("kernels")) {
      if (kernel.at("name").get<std::string>().find(part) == std::string::npos) continue;
      const auto number = [&](const char* group, const char* name) {
        return kernel.at(group).value(name, 0.0);
      };
      sum.launches += kernel.at("launches").get<double>();
      sum.warp_instructions += number("instructions", "warp");
      sum.bytes += number("touched", "read_bytes") + number("touched", "written_bytes");
      for (const char* type : {"f64", "f32", "f16", "bf16", "tf32", "f8"}) {
        sum.flops += number("flops", type) + number("special", type);
      }
      for (const char* access : {"load", "store"}) {
        sectors += kernel.at("global").at(access).at("sectors").get<double>();
        ideal_sectors += kernel.at("global").at(access).at("ideal_sectors").get<double>();
        wavefronts += kernel.at("shared").at(access).at("wavefronts").get<double>();
        ideal_wavefronts += kernel.at("shared").at(access).at("ideal_wavefronts").get<double>();
      }
    }
    if (ideal_sectors > 0) sum.sectors_per_ideal = sectors / ideal_sectors;
    if (ideal_wavefronts > 0) sum.wavefronts_per_ideal = wavefronts / ideal_wavefronts;
    return sum;
  }

 private:
  void (*count_)(int) = nullptr;
  char* (*counters_)() = nullptr;
};

}  // namespace tandem::test
