// tandem gpu profile and tandem gpu explain.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::program {

struct ProfileRequest {
  std::string device;  // empty: an a100, and no times
  std::string kernel;  // a pattern; empty: all
  std::int64_t launch = 0;
  bool json = false;
  bool force = false;
  std::string out;       // of the profile, as JSON
  std::string page;      // of the page
  std::string findings;  // explain: that tandem gpu check wrote
  std::string command;   // as it was given, for the page
};

// Runs the program under the profiler and prints what it found. Returns the program's status.
[[nodiscard]] int profile_program(const ProfileRequest& request, std::vector<std::string> command);
// Compares two profiles.
[[nodiscard]] int compare_profiles(const ProfileRequest& request,
                                   const std::vector<std::string>& files);
// Explains a profile, or a program, which is checked and profiled first.
[[nodiscard]] int explain_kernels(const ProfileRequest& request, std::vector<std::string> command);

}  // namespace tandem::program
