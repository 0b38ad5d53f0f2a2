// What tandem gpu profile and tandem gpu explain print: a profile as text, as JSON and as a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "softgpu/profile/explain.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/report/page.hpp"

namespace tandem::program {

// Fills in what the runtime does not know: the text of source lines, looked for as the compiler
// named the files, and registers and spills as ptxas has them, where CUDA's ptxas is installed.
void complete_profile(softgpu::profile::Profile& profile, const std::string& program);

// The lines of a source file; none where it cannot be read.
[[nodiscard]] std::vector<std::string> source_lines(const std::string& path);

// A profile that is read back; throws InputError with the file's name.
[[nodiscard]] softgpu::profile::Profile load_profile(const std::string& path);

// One derived number of a kernel. Names with two underscores are Nsight Compute's, and mean the
// same; all are sums over the kernel's launches, or shares of them.
struct Metric {
  std::string name;
  double value = 0;
  std::string meaning;
};
[[nodiscard]] std::vector<Metric> metrics_of(const softgpu::profile::Kernel& kernel,
                                             const softgpu::DeviceModel& device);

// `estimates`: with times, labelled as estimates of that device.
[[nodiscard]] std::string profile_text(const softgpu::profile::Profile& profile, bool estimates);
[[nodiscard]] nlohmann::ordered_json profile_json(const softgpu::profile::Profile& profile,
                                                  bool estimates);
[[nodiscard]] report::Page profile_page(const softgpu::profile::Profile& profile, bool estimates,
                                        const std::string& command);

// What differs between two profiles, by kernel. Throws InputError where they have no kernel in
// common.
[[nodiscard]] std::string difference_text(const softgpu::profile::Profile& before,
                                          const softgpu::profile::Profile& after);
[[nodiscard]] nlohmann::ordered_json difference_json(const softgpu::profile::Profile& before,
                                                     const softgpu::profile::Profile& after);

// A finding of tandem gpu check that is an error.
struct CheckedError {
  std::string kernel;
  std::string message;
  std::string place;
};
// Of the file that tandem gpu check --findings wrote. Throws InputError.
[[nodiscard]] std::vector<CheckedError> read_errors(const std::string& path);

[[nodiscard]] std::string explanation_text(const softgpu::profile::Profile& profile,
                                           const std::vector<CheckedError>& errors, bool checked);
[[nodiscard]] nlohmann::ordered_json explanation_json(const softgpu::profile::Profile& profile,
                                                      const std::vector<CheckedError>& errors,
                                                      bool checked);

// The device of a profile. Throws InputError for one that is not known.
[[nodiscard]] const softgpu::DeviceModel& device_of(const softgpu::profile::Profile& profile);

}  // namespace tandem::program
