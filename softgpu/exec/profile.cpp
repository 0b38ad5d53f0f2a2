#include "softgpu/exec/profile.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/replace_file.hpp"
#include "softgpu/observe/counters.hpp"

namespace softgpu {
namespace {

struct KernelRecord {
  std::uint64_t launches = 0;
  std::uint64_t blocks = 0;
  std::uint64_t threads = 0;
  std::uint64_t thread_instructions = 0;
  double seconds = 0;
  std::set<std::string> exact;
  std::map<std::string, std::string> approximated;  // and how far they may be off
  std::set<std::string> unsupported;
  std::set<const Code*> listed;  // devices of different models run different code
};

std::mutex mutex;
std::map<std::string, KernelRecord>* records = nullptr;

void write_report() {
  const std::lock_guard lock(mutex);
  nlohmann::ordered_json kernels = nlohmann::ordered_json::array();
  for (const auto& [name, r] : *records) {
    nlohmann::ordered_json kernel = {{"kernel", name},
                                     {"launches", r.launches},
                                     {"blocks", r.blocks},
                                     {"threads", r.threads},
                                     {"thread_instructions", r.thread_instructions},
                                     {"seconds", r.seconds},
                                     {"exact", r.exact},
                                     {"approximated", r.approximated},
                                     {"unsupported", r.unsupported}};
    if (auto counted = counters_of(name); !counted.is_null()) {
      kernel["counters"] = std::move(counted);
    }
    kernels.push_back(std::move(kernel));
  }
  std::string models;
  for (const std::string& model : options().models) models += (models.empty() ? "" : ",") + model;
  const nlohmann::ordered_json all = {{"model", models}, {"kernels", kernels}};
  const std::string text = all.dump(2) + "\n";
  if (!replace_file(options().report, text)) {
    std::fprintf(stderr, "softgpu: SOFTGPU_REPORT: cannot write %s\n", options().report.c_str());
  }
}

}  // namespace

void finish_report() {
  {
    const std::lock_guard lock(mutex);
    if (records == nullptr) return;
  }
  write_report();
}

void record_launch(const Launch& launch) {
  if (options().report.empty()) return;
  const std::lock_guard lock(mutex);
  if (records == nullptr) {
    records = new std::map<std::string, KernelRecord>;
    (void)std::atexit(write_report);
  }
  KernelRecord& r = (*records)[launch.code->name];
  ++r.launches;
  r.blocks += launch.grid.count();
  r.threads += launch.grid.count() * launch.threads.count();
  r.thread_instructions += launch.thread_instructions;
  r.seconds += launch.seconds;
  if (!r.listed.insert(launch.code).second) return;
  std::set<const Code*> seen;
  std::vector<const Code*> open{launch.code};
  while (!open.empty()) {
    const Code* code = open.back();
    open.pop_back();
    if (!seen.insert(code).second) continue;
    for (const Code* callee : code->callees) open.push_back(callee);
    for (std::uint32_t i = 0; i < code->texts.size(); ++i) {
      if (code->unsupported.count(i) != 0)
        r.unsupported.insert(code->texts[i]);
      else if (const auto found = code->approximated.find(i); found != code->approximated.end())
        r.approximated.emplace(code->texts[i], found->second);
      else
        r.exact.insert(code->texts[i]);
    }
  }
}

}  // namespace softgpu
