#include "tandem/bench/case_files.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"

namespace tandem::program {

namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::error_code failed;
  std::string name = (fs::temp_directory_path(failed) / "tandem-bench-XXXXXX").string();
  if (failed || ::mkdtemp(name.data()) == nullptr) {
    throw SystemError("cannot make a folder for the data of benchmarks: " +
                      std::string(std::strerror(errno)));
  }
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

nlohmann::json CaseFiles::named_in(nlohmann::json request) const {
  request["x"] = x;
  request["y"] = y.empty() ? nlohmann::json() : nlohmann::json(y);
  request["test"] = test;
  return request;
}

namespace {

template <Real T>
CaseFiles write_rows_of(const BenchCase& one, Index rows, const ScratchFolder& folder,
                        Truth& truth) {
  GenerateOptions options = one.data;
  options.rows = rows + one.test_rows;
  const Dataset<T> all = generate<T>(one.kind, options);
  const auto view = all.features.view();
  CaseFiles files{folder.file("x.npy"), "", folder.file("x.npy")};
  write_npy<T>(files.x, view.rows_from(0, rows));
  const bool clusters = one.quality.metric == "inertia";
  if (!clusters) {
    files.y = folder.file("y.npy");
    write_npy<T>(files.y, std::span<const T>(all.target).first(static_cast<std::size_t>(rows)));
  }
  const Index first = one.test_rows > 0 ? rows : 0;
  if (one.test_rows > 0) {
    files.test = folder.file("test.npy");
    write_npy<T>(files.test, view.rows_from(rows, one.test_rows));
  }
  const Index predicted = one.test_rows > 0 ? one.test_rows : rows;
  truth.rows = Matrix<double>(predicted, one.data.features);
  truth.target.clear();
  for (Index i = 0; i < predicted; ++i) {
    for (Index j = 0; j < one.data.features; ++j) truth.rows(i, j) = view(first + i, j);
    if (!clusters) truth.target.push_back(all.target[static_cast<std::size_t>(first + i)]);
  }
  return files;
}

}  // namespace

CaseFiles write_rows(const BenchCase& one, Index rows, const ScratchFolder& folder, Truth& truth) {
  return one.precision == Precision::float32 ? write_rows_of<float>(one, rows, folder, truth)
                                             : write_rows_of<double>(one, rows, folder, truth);
}

nlohmann::json own_request(const BenchCase& one, const std::string& device, int threads) {
  return {{"op", "load"},
          {"threads", threads},
          {"device", device},
          {"case",
           {{"algorithm", one.algorithm},
            {"options", one.options},
            {"precision", to_string(one.precision)},
            {"given_centres", one.given_centres}}}};
}

std::string own_program() { return fs::read_symlink("/proc/self/exe").string(); }

}  // namespace tandem::program
