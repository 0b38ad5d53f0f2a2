#include "tandem/out_of_core.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tandem/core/error.hpp"
#include "tandem/core/external_memory.hpp"
#include "tandem/data/table_file.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

// A page of a file that cannot be read back ends the process by this signal: nothing that is
// computed with it would be right.
void say_that_disk_failed(int /*signal*/) {
  constexpr const char* text =
      "tandem: error: rows that were kept on disk (--cache) cannot be read back; the disk may have "
      "failed\n";
  (void)!::write(STDERR_FILENO, text, std::strlen(text));
  ::_exit(1);
}

// The most memory that the process has had in use, pages of files included.
Index peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

// The options, and what came of them.
struct OutOfCore {
  std::string option_name = "cache";
  std::string folder;
  bool keeps = false;
  bool begun = false;
};
OutOfCore& out_of_core() {
  static OutOfCore state;
  return state;
}

std::string mebibytes(Index bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void visit_out_of_core(OptionVisitor& visitor) {
  visitor.text("cache", out_of_core().folder,
               "a folder for rows that do not fit into the memory: they are kept there while the "
               "run lasts and streamed, with the same results");
  visitor.flag("keep_cache", out_of_core().keeps,
               "leave the rows as they were read in the folder of the cache, for later runs on the "
               "same data, which need not parse it again");
}

void visit_folder_of_rows(OptionVisitor& visitor, const char* name, std::string_view help) {
  out_of_core().option_name = name;
  visitor.text(name, out_of_core().folder, help);
}

bool begin_out_of_core(Index memory) {
  const std::string& folder = out_of_core().folder;
  if (folder.empty()) {
    if (!out_of_core().keeps) return false;
    throw InputError(option("keep_cache") + " needs the folder to keep it in: " + option("cache") +
                     " DIR");
  }
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    throw InputError(folder + ": cannot be made a folder for " + option(out_of_core().option_name) +
                     ": " + failure.message());
  }
  if (memory == 0) memory = memory_to_use() / 4 * 3;
  if (memory < least_external_memory) {
    throw InputError(option("memory_limit") + " is " + std::to_string(memory) + " bytes; with " +
                     option(out_of_core().option_name) + " expected at least " +
                     std::to_string(least_external_memory >> 20) + "M");
  }
  use_external_memory({.folder = folder, .memory = memory});
  struct sigaction action {};
  action.sa_handler = say_that_disk_failed;
  ::sigaction(SIGBUS, &action, nullptr);
  out_of_core().begun = true;
  return true;
}

bool runs_out_of_core() noexcept { return out_of_core().begun; }

template <Real T>
Dataset<T> read_through_cache(const RunSettings& run, const std::string& path,
                              const ReadOptions& options) {
  const auto origin = origin_of_table(path, options, precision_of<T>);
  if (!origin) return read_dataset<T>(path, options);
  const std::string kept =
      (std::filesystem::path(out_of_core().folder) / table_file_name(*origin)).string();
  if (auto data = load_table<T>(kept, *origin)) {
    run.say(path + ": read from " + kept + ", which an earlier run has kept");
    return std::move(*data);
  }
  Dataset<T> data = read_dataset<T>(path, options);
  if (out_of_core().keeps) save_table(kept, data, *origin);
  return data;
}

template Dataset<float> read_through_cache(const RunSettings&, const std::string&,
                                           const ReadOptions&);
template Dataset<double> read_through_cache(const RunSettings&, const std::string&,
                                            const ReadOptions&);

nlohmann::json disk_to_json() {
  if (!runs_out_of_core()) return {};
  const ExternalMemoryUse use = external_memory_use();
  return {{"most_bytes", use.most_bytes},
          {"loaded_bytes", use.loaded_bytes},
          {"waiting_seconds", static_cast<double>(use.waiting_nanoseconds) * 1e-9},
          {"peak_memory_bytes", peak_memory()}};
}

std::string disk_to_text() {
  if (!runs_out_of_core()) return "";
  const ExternalMemoryUse use = external_memory_use();
  return mebibytes(use.most_bytes) + " kept there, " + mebibytes(use.loaded_bytes) +
         " loaded, threads waited " +
         readable_seconds(static_cast<double>(use.waiting_nanoseconds) * 1e-9) +
         " s; most memory " + mebibytes(peak_memory());
}

}  // namespace tandem::program
