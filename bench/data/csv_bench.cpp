// Reading CSV: megabytes of file a second. The file is generated once, in memory; it lies in the
// page cache or not there at all, so that this times parsing and not the disk.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tandem/data/generate.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/write.hpp"

namespace {

using tandem::Dataset;
using tandem::Index;

// 29 columns of numbers as short as float32 reads back, about 290 bytes a row. TANDEM_CSV_ROWS
// sets the size: 1000000 rows are about 290 MB.
struct File {
  File() {
    tandem::GenerateOptions options;
    const char* const rows = std::getenv("TANDEM_CSV_ROWS");
    options.rows = rows != nullptr ? std::atoll(rows) : 200000;
    options.features = 28;
    path = std::filesystem::temp_directory_path() /
           ("tandem-csv-bench-" + std::to_string(::getpid()) + ".csv");
    tandem::write_csv(path.string(), tandem::generate_classification<float>(options));
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

template <tandem::Real T>
void read_csv(benchmark::State& state) {
  static const File file;
  tandem::ReadOptions options;
  options.target = "last";
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    const Dataset<T> data = tandem::read_dataset<T>(file.path.string(), options);
    benchmark::DoNotOptimize(data.features.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(std::filesystem::file_size(file.path)));
}
BENCHMARK(read_csv<float>)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();
BENCHMARK(read_csv<double>)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

// The file that TANDEM_CSV_FILE names: what against_pyarrow.py measures.
template <tandem::Real T>
void read_named_csv(benchmark::State& state) {
  const char* const path = std::getenv("TANDEM_CSV_FILE");
  if (path == nullptr) {
    state.SkipWithError("TANDEM_CSV_FILE names no file");
    return;
  }
  tandem::ReadOptions options;
  options.target = "last";
  options.threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    const Dataset<T> data = tandem::read_dataset<T>(path, options);
    benchmark::DoNotOptimize(data.features.data());
  }
}
BENCHMARK(read_named_csv<float>)->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(read_named_csv<double>)->Arg(1)->Arg(2)->UseRealTime();

void write_csv(benchmark::State& state) {
  tandem::GenerateOptions options;
  options.rows = 50000;
  options.features = 28;
  const auto data = tandem::generate_classification<float>(options);
  const auto path = std::filesystem::temp_directory_path() /
                    ("tandem-csv-bench-out-" + std::to_string(::getpid()) + ".csv");
  for (auto _ : state) {
    tandem::write_csv(path.string(), data, ',', static_cast<int>(state.range(0)));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(std::filesystem::file_size(path)));
  std::filesystem::remove(path);
}
BENCHMARK(write_csv)->Arg(1)->Arg(2)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
