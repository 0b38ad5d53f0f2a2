#include "tandem/gpu/profile_command.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "softgpu/models.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text_file.hpp"
#include "tandem/gpu/cuda_program.hpp"
#include "tandem/gpu/kernel_profile.hpp"
#include "tandem/nvcc.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using softgpu::profile::Profile;

// The program that the command names, built from its source where it is one.
fs::path prepared(std::vector<std::string>& command, TemporaryFolder& built, OutputFiles& files) {
  if (!command.front().ends_with(".cu")) {
    const fs::path program = find_program(command.front());
    files.reads("the program", program.string());
    check_runtime(program);
    return program;
  }
  files.reads("the program's source", command.front());
  const fs::path program = built.path() / fs::path(command.front()).stem();
  compile_cuda_program(command.front(), program.string());
  command.front() = program.string();
  return program;
}

void require_program(const std::vector<std::string>& command, const char* action) {
  if (command.empty()) {
    throw InputError(std::string("expected a program: tandem gpu ") + action +
                     " [options] -- PROGRAM|SOURCE.cu [ARGUMENTS]");
  }
}

bool is_profile(const std::vector<std::string>& command) {
  return command.size() == 1 && command.front().ends_with(".json");
}

// A profile that was made before. Its latencies are those of its device.
Profile kept_profile(const ProfileRequest& request, const std::string& path) {
  if (!request.kernel.empty() || request.launch != 0) {
    throw InputError("--kernel and --launch are for running a program; " + path +
                     " holds what was profiled then");
  }
  Profile profile = load_profile(path);
  if (!request.device.empty() && request.device != profile.device) {
    throw InputError("--device " + request.device + ": " + path + " is a profile of " +
                     profile.device + ", whose latencies and caches it has; profile the program " +
                     "again with --device " + request.device);
  }
  return profile;
}

// Runs it under the profiler. `status` becomes the program's.
Profile profile_of(const ProfileRequest& request, const fs::path& program,
                   std::vector<std::string>& command, const std::string& shown_name, int& status) {
  TemporaryFolder folder;
  const std::string file = (folder.path() / "profile.json").string();
  lead_to_software_gpu();
  set_variable("SOFTGPU_PROFILE", file);
  if (!request.device.empty()) set_variable("SOFTGPU_MODEL", request.device);
  if (!request.kernel.empty()) set_variable("SOFTGPU_PROFILE_KERNEL", request.kernel);
  if (request.launch != 0) {
    set_variable("SOFTGPU_PROFILE_LAUNCH", std::to_string(request.launch));
  }
  status = run_program(program, command, request.json);
  ::unsetenv("SOFTGPU_PROFILE");
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    throw InputError(shown_name + " ended with status " + std::to_string(status) +
                     " and left no profile: it is no program that uses the CUDA runtime, or it "
                     "was ended by a signal");
  }
  Profile profile = load_profile(file);
  complete_profile(profile, program.string());
  profile.program = shown_name;
  return profile;
}

}  // namespace

int profile_program(const ProfileRequest& request, std::vector<std::string> command) {
  require_program(command, "profile");
  const std::string name = command.front();
  TemporaryFolder built;
  OutputFiles files;
  add_marked_output(files, "--out", request.out, written::profile);
  files.writes("--page", request.page, "a page about a profile", a_page());
  files.check(request.force);
  if (!request.page.empty()) report::require_gnuplot();
  int status = 0;
  Profile profile;
  if (is_profile(command)) {
    files.reads("the profile", name);
    files.check(request.force);
    profile = kept_profile(request, name);
  } else {
    const fs::path program = prepared(command, built, files);
    files.check(request.force);
    profile = profile_of(request, program, command, name, status);
  }
  const bool estimates = !request.device.empty();
  if (!request.out.empty()) {
    write_text_file(request.out, profile_json(profile, estimates).dump(1) + "\n");
    mark_output_as(request.out, written::profile);
  }
  if (!request.page.empty()) {
    profile_page(profile, estimates, request.command).write(request.page);
  }
  if (request.json) {
    print_json(profile_json(profile, estimates));
  } else {
    print(profile_text(profile, estimates));
  }
  return status;
}

int compare_profiles(const ProfileRequest& request, const std::vector<std::string>& files) {
  if (files.size() != 2) {
    throw InputError("expected two profiles: tandem gpu profile --diff BEFORE.json AFTER.json");
  }
  const Profile before = load_profile(files[0]);
  const Profile after = load_profile(files[1]);
  if (request.json) {
    print_json(difference_json(before, after));
  } else {
    print(difference_text(before, after));
  }
  return 0;
}

int explain_kernels(const ProfileRequest& request, std::vector<std::string> command) {
  require_program(command, "explain");
  std::vector<CheckedError> errors;
  bool checked = !request.findings.empty();
  if (checked) errors = read_errors(request.findings);
  Profile profile;
  int status = 0;
  if (is_profile(command)) {
    profile = kept_profile(request, command.front());
  } else {
    const std::string name = command.front();
    TemporaryFolder folder;
    OutputFiles files;
    const fs::path program = prepared(command, folder, files);
    if (!checked) {
      const std::string found = (folder.path() / "findings.json").string();
      lead_to_software_gpu();
      set_variable("SOFTGPU_CHECK", "1");
      set_variable("SOFTGPU_CHECK_JSON", found);
      if (!request.device.empty()) set_variable("SOFTGPU_MODEL", request.device);
      static_cast<void>(run_program(program, command, true));
      ::unsetenv("SOFTGPU_CHECK");
      ::unsetenv("SOFTGPU_CHECK_JSON");
      std::error_code ignored;
      checked = fs::exists(found, ignored);
      if (checked) errors = read_errors(found);
    }
    profile = profile_of(request, program, command, name, status);
  }
  if (request.json) {
    print_json(explanation_json(profile, errors, checked));
  } else {
    print(explanation_text(profile, errors, checked));
  }
  return status;
}

}  // namespace tandem::program
