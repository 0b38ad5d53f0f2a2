// tandem gpu check --schedules: the program under the checker in several orders of its threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tandem::program {

struct Schedules {
  std::int64_t count = 1;
  bool compares_output = true;
  std::int64_t first_seed = 0;   // the others follow it
  std::filesystem::path folder;  // for files of its own; it exists
  std::string findings;          // the files that are written; empty: none
  std::string sarif;
};

// Runs it under each seed. What the first run prints is shown, and what the others print compared
// with that: lines that are others are a notice, in whatever order lines come and leaving out those
// that vary under one seed already. All runs get the same standard input. Gives the status of the
// first run that failed, or that for findings, or 0. Throws SystemError, and Interrupted between
// two runs.
[[nodiscard]] int run_schedules(const std::filesystem::path& program,
                                std::vector<std::string>& command, const Schedules& schedules);

}  // namespace tandem::program
