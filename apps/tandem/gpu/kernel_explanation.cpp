#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "softgpu/models.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/kernel_profile.hpp"
#include "tandem/gpu/numbers.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

using softgpu::DeviceModel;
using softgpu::profile::Advice;
using softgpu::profile::Explanation;
using softgpu::profile::Kernel;
using softgpu::profile::Profile;
using Json = nlohmann::ordered_json;

std::string place_of(const Advice& advice) {
  if (advice.line == 0) return "";
  return file_name(advice.file) + ":" + std::to_string(advice.line) +
         (advice.text.empty() ? "" : ": " + advice.text);
}

std::string at_most(const Advice& advice) {
  return "at most " + fixed(advice.at_most, advice.at_most < 10 ? 2 : 0) + " times as fast";
}

std::vector<const CheckedError*> errors_of(const Kernel& kernel,
                                           const std::vector<CheckedError>& errors) {
  std::vector<const CheckedError*> own;
  for (const CheckedError& error : errors) {
    if (error.kernel == kernel.name || error.kernel.empty()) own.push_back(&error);
  }
  return own;
}

std::string kernel_text(const Kernel& kernel, const DeviceModel& device,
                        const std::vector<CheckedError>& errors) {
  const std::size_t width = terminal_width();
  const Explanation found = softgpu::profile::explain(kernel, device);
  std::string text = kernel.name + "\n";
  for (const CheckedError* error : errors_of(kernel, errors)) {
    text += definition("wrong",
                       error->message + (error->place.empty() ? "" : ", " + error->place) +
                           ". Mend this first: a wrong kernel's speed says nothing.",
                       width, 12);
  }
  text += definition("bound by",
                     std::string(found.now.bound_meaning) + ": " + short_time(found.now.seconds) +
                         " a launch (estimate)",
                     width, 12);
  if (found.advice.empty()) {
    return text + definition("advice",
                             "No rule sees a change that would gain 2 % or more by the model.",
                             width, 12);
  }
  const Advice& first = found.advice.front();
  text += definition("because", first.what, width, 12);
  text += definition("change", std::string(first.change), width, 12);
  text += definition("gain", at_most(first) + " (estimate, rule " + std::string(first.rule) + ")",
                     width, 12);
  if (const std::string place = place_of(first); !place.empty()) {
    text += definition("line", place, width, 12);
  }
  for (std::size_t i = 1; i < found.advice.size(); ++i) {
    const Advice& other = found.advice[i];
    const std::string place = place_of(other);
    text += definition(
        i == 1 ? "then" : "",
        std::string(other.rule) + ", " + at_most(other) + (place.empty() ? "" : ", " + place),
        width, 12);
  }
  return text;
}

}  // namespace

std::vector<CheckedError> read_errors(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path + ": cannot be read; check the name and that you may read it");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Json json = Json::parse(text, nullptr, false);
  const auto findings = json.is_object() ? json.find("findings") : json.end();
  if (!json.is_object() || findings == json.end() || !findings->is_array()) {
    throw InputError(path + ": is no file that tandem gpu check --findings wrote");
  }
  std::vector<CheckedError> errors;
  for (const Json& finding : *findings) {
    if (!finding.is_object() || finding.value("severity", Json()) != "error") continue;
    const auto word = [](const Json& from, const char* name) {
      const auto found = from.find(name);
      return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    CheckedError error;
    error.kernel = word(finding, "kernel");
    error.message = word(finding, "kind") + ": " + word(finding, "message");
    if (const auto at = finding.find("at"); at != finding.end() && at->is_object()) {
      error.place = word(*at, "place");
    }
    errors.push_back(std::move(error));
  }
  return errors;
}

std::string explanation_text(const Profile& profile, const std::vector<CheckedError>& errors,
                             bool checked) {
  const DeviceModel& device = device_of(profile);
  std::string text;
  for (const Kernel& kernel : profile.kernels) {
    text += (text.empty() ? "" : "\n") + kernel_text(kernel, device, errors);
  }
  if (profile.kernels.empty()) return "No kernel was profiled.\n";
  return text + "\n" +
         wrapped("Times and gains are estimates for " + device_name(device) +
                     " by the model of docs/kernel-lab.md; nothing was measured. " +
                     (checked ? "The program was checked for mistakes as well."
                              : "Whether the kernels are right was not looked at: tandem gpu check "
                                "does, and tandem gpu explain PROGRAM does both."),
                 terminal_width());
}

Json explanation_json(const Profile& profile, const std::vector<CheckedError>& errors,
                      bool checked) {
  const DeviceModel& device = device_of(profile);
  Json kernels = Json::array();
  for (const Kernel& kernel : profile.kernels) {
    const Explanation found = softgpu::profile::explain(kernel, device);
    Json advice = Json::array();
    for (const Advice& one : found.advice) {
      Json entry = {{"rule", one.rule},       {"what", one.what}, {"change", one.change},
                    {"at_most", one.at_most}, {"file", nullptr},  {"line", nullptr}};
      if (one.line != 0) {
        entry["file"] = one.file;
        entry["line"] = one.line;
      }
      advice.push_back(std::move(entry));
    }
    Json wrong = Json::array();
    for (const CheckedError* error : errors_of(kernel, errors)) {
      wrong.push_back({{"message", error->message}, {"place", error->place}});
    }
    kernels.push_back({{"kernel", kernel.kernel},
                       {"name", kernel.name},
                       {"bound", found.now.bound},
                       {"estimated_seconds", found.now.seconds},
                       {"errors", std::move(wrong)},
                       {"advice", std::move(advice)}});
  }
  return {{"software", true},
          {"device", profile.device},
          {"checked", checked},
          {"kernels", std::move(kernels)}};
}

}  // namespace tandem::program
