// The rows of a case as files that all arms read.
#pragma once

#include <filesystem>
#include <string>

#include "tandem/bench/case.hpp"
#include "tandem/bench/quality.hpp"

namespace tandem::program {

// A folder that only this user can read, gone with the object. Throws SystemError.
class ScratchFolder {
 public:
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct CaseFiles {
  std::string x;
  std::string y;  // empty: there is no target
  std::string test;

  // The request "load" with these files.
  [[nodiscard]] nlohmann::json named_in(nlohmann::json request) const;
};

// Generates the rows, in the case's precision; the last of them are those to predict, and `truth`
// is what is right for them.
[[nodiscard]] CaseFiles write_rows(const BenchCase& one, Index rows, const ScratchFolder& folder,
                                   Truth& truth);

// What an arm of Tandem's is told of the case in the request "load".
[[nodiscard]] nlohmann::json own_request(const BenchCase& one, const std::string& device,
                                         int threads);
[[nodiscard]] std::string own_program();

}  // namespace tandem::program
