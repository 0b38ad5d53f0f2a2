#include "softgpu/device/options.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>

#include "softgpu/check_kinds.hpp"
#include "softgpu/models.hpp"

namespace softgpu {
namespace {

[[noreturn]] void refuse(const char* name, std::string_view value, const std::string& allowed) {
  throw OptionError(std::string("softgpu: ") + name + "=" + std::string(value) +
                    " is not understood; allowed: " + allowed);
}

template <class T>
T number(const char* name, std::string_view value, T least, T most, const std::string& allowed) {
  T result{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  // The comparison is written so that it refuses a NaN.
  if (error != std::errc{} || end != value.data() + value.size() ||
      !(result >= least && result <= most)) {
    refuse(name, value, allowed);
  }
  return result;
}

// What stands between commas.
std::vector<std::string> parts_of(std::string_view list) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    parts.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

}  // namespace

Options read_options(const std::function<const char*(const char*)>& get) {
  Options result;
  const auto read = [&](const char* name, const auto& use) {
    const char* value = get(name);
    if (value != nullptr && *value != '\0') use(name, std::string_view(value));
  };
  constexpr std::uint64_t any = UINT64_MAX;
  read("SOFTGPU_MODEL", [&](const char* name, std::string_view value) {
    constexpr std::size_t most = 64;
    if (unknown_model(value)) {
      refuse(name, value, device_model_keys() + "; or several, separated by commas");
    }
    result.models = parts_of(value);
    if (result.models.size() > most) refuse(name, value, "at most 64 names");
    result.devices = static_cast<int>(result.models.size());
  });
  read("SOFTGPU_DEVICES", [&](const char* name, std::string_view value) {
    result.devices = number<int>(name, value, 1, 64, "a number from 1 to 64");
  });
  read("SOFTGPU_THREADS", [&](const char* name, std::string_view value) {
    result.threads = number<int>(name, value, 0, 1024, "a number from 1 to 1024, or 0 (all)");
  });
  read("SOFTGPU_SIMD", [&](const char* name, std::string_view value) {
    if (value == "auto") {
      result.simd = SimdChoice::automatic;
    } else if (value == "baseline") {
      result.simd = SimdChoice::baseline;
    } else if (value == "avx2") {
      result.simd = SimdChoice::avx2;
    } else if (value == "avx512") {
      result.simd = SimdChoice::avx512;
    } else {
      refuse(name, value, "auto, baseline, avx2, avx512");
    }
  });
  read("SOFTGPU_SEED", [&](const char* name, std::string_view value) {
    result.seed = number<std::uint64_t>(name, value, 0, any, "a number from 0 to 2^64-1");
    result.poison = result.seed != 0;
  });
  read("SOFTGPU_POISON", [&](const char* name, std::string_view value) {
    result.poison = number<int>(name, value, 0, 1, "0 or 1") == 1;
  });
  read("SOFTGPU_STOP_AT_FAULT", [&](const char* name, std::string_view value) {
    result.stop_at_fault = number<int>(name, value, 0, 1, "0 or 1") == 1;
  });
  read("SOFTGPU_FAULT_STATUS", [&](const char* name, std::string_view value) {
    result.fault_status = number<int>(name, value, 0, 255, "a number from 0 to 255");
  });
  read("SOFTGPU_JITTER", [&](const char* name, std::string_view value) {
    result.jitter = number<std::uint64_t>(name, value, 0, any, "a number from 0 to 2^64-1");
  });
  read("SOFTGPU_TIME_LIMIT", [&](const char* name, std::string_view value) {
    result.time_limit_seconds =
        number<double>(name, value, 0.0, 1e9, "seconds, 0 (no limit) to 1e9");
  });
  read("SOFTGPU_LAUNCH_WAIT", [&](const char* name, std::string_view value) {
    result.launch_wait_seconds = number<double>(name, value, 0.0, 1e9, "seconds, 0 to 1e9");
  });
  read("SOFTGPU_COUNT", [&](const char* name, std::string_view value) {
    result.count = number<int>(name, value, 0, 1, "0 or 1") == 1;
  });
  read("SOFTGPU_CHECK", [&](const char* name, std::string_view value) {
    result.check = number<int>(name, value, 0, 1, "0 or 1") == 1;
  });
  read("SOFTGPU_CHECK_SARIF",
       [&](const char*, std::string_view value) { result.check_sarif = value; });
  read("SOFTGPU_CHECK_SUPPRESS",
       [&](const char*, std::string_view value) { result.check_suppress = value; });
  read("SOFTGPU_CHECK_ONLY", [&](const char* name, std::string_view value) {
    for (const std::string& part : parts_of(value)) {
      const auto group = std::ranges::find(check_groups, part, &CheckGroup::name);
      if (group != check_groups.end()) {
        for (const std::string_view kind : group->kinds) {
          if (!kind.empty()) result.check_only.emplace_back(kind);
        }
        continue;
      }
      result.check_only.push_back(part);
      if (std::ranges::find(check_kinds, part) != check_kinds.end()) continue;
      std::string all;
      for (const CheckGroup& one : check_groups) all += std::string(one.name) + ", ";
      for (const std::string_view one : check_kinds)
        all += (one == check_kinds.front() ? "" : ", ") + std::string(one);
      refuse(name, value, all + "; or several, separated by commas");
    }
  });
  read("SOFTGPU_CHECK_KERNEL", [&](const char* name, std::string_view value) {
    result.check_kernels = parts_of(value);
    if (std::ranges::find(result.check_kernels, "") != result.check_kernels.end()) {
      refuse(name, value, "names of kernels, or patterns with * and ?, separated by commas");
    }
  });
  read("SOFTGPU_CHECK_LAUNCH", [&](const char* name, std::string_view value) {
    result.check_launch =
        number<std::uint64_t>(name, value, 0, any, "the number of a launch from 1 on, or 0 (all)");
  });
  read("SOFTGPU_CHECK_EARLIER",
       [&](const char*, std::string_view value) { result.check_earlier = value; });
  read("SOFTGPU_CHECK_JSON",
       [&](const char*, std::string_view value) { result.check_json = value; });
  read("SOFTGPU_REPORT", [&](const char*, std::string_view value) { result.report = value; });
  if (result.check && result.count) {
    throw OptionError(
        "softgpu: SOFTGPU_CHECK and SOFTGPU_COUNT are both set; a run is checked or counted");
  }
  return result;
}

namespace {

std::atomic<bool> are_read{false};

}  // namespace

bool options_are_read() noexcept { return are_read.load(); }

const Options& options() {
  static const Options* const of_process = [] {
    try {
      auto* read = new Options(read_options([](const char* name) { return std::getenv(name); }));
      are_read.store(true);
      return read;
    } catch (const OptionError& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::fflush(nullptr);
      // Not exit(): destructors of a program that is just being loaded may not be ready.
      std::_Exit(2);
    }
  }();
  return *of_process;
}

}  // namespace softgpu
