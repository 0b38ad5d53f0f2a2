#include "tandem/bench/measure.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tandem/bench/arm.hpp"
#include "tandem/bench/quality.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// A folder that only this user can read, gone with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code failed;
    std::string name = (fs::temp_directory_path(failed) / "tandem-bench-XXXXXX").string();
    if (failed || ::mkdtemp(name.data()) == nullptr) {
      throw SystemError("cannot make a folder for the data of benchmarks: " +
                        std::string(std::strerror(errno)));
    }
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

// What all arms of a case are given.
struct CaseFiles {
  std::string x;
  std::string y;  // empty: there is no target
  std::string test;
};

// Generated rows; the last of them are those to predict.
template <Real T>
CaseFiles write_rows(const BenchCase& one, Index rows, const ScratchFolder& folder, Truth& truth) {
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

std::vector<std::string> environment_of(int threads) {
  const std::string count = std::to_string(threads);
  std::vector<std::string> variables;
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                           "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"}) {
    variables.push_back(std::string(name) + "=" + count);
  }
  return variables;
}

struct Contender {
  std::string name;
  std::vector<std::string> command;
  nlohmann::json request;  // of "load", but for the files
};

std::string own_program() { return fs::read_symlink("/proc/self/exe").string(); }

std::vector<Contender> contenders_of(const BenchCase& one, const BenchChoices& choices,
                                     int threads) {
  std::vector<Contender> all;
  const nlohmann::json ours{{"algorithm", one.algorithm},
                            {"options", one.options},
                            {"precision", to_string(one.precision)},
                            {"given_centres", one.given_centres}};
  for (const std::string& device : choices.devices) {
    all.push_back({device == "cpu" ? "tandem" : "tandem " + device,
                   {own_program(), "bench", "arm"},
                   {{"op", "load"}, {"threads", threads}, {"device", device}, {"case", ours}}});
  }
  for (const std::string& program : choices.against) {
    all.push_back({program,
                   {program, "bench", "arm"},
                   {{"op", "load"}, {"threads", threads}, {"device", "cpu"}, {"case", ours}}});
  }
  if (choices.no_peers) return all;
  const std::string worker = (fs::path(bench_folder()) / "peers" / "peer.py").string();
  for (const BenchPeer& peer : one.peers) {
    if (!choices.peers.empty() &&
        std::find(choices.peers.begin(), choices.peers.end(), peer.name) == choices.peers.end()) {
      continue;
    }
    all.push_back({peer.name,
                   {choices.python, worker},
                   {{"op", "load"},
                    {"threads", threads},
                    {"case", {{"peer", peer.request}, {"precision", to_string(one.precision)}}}}});
  }
  return all;
}

// An arm that takes part, with its process; an arm that failed has none any more.
struct Running {
  std::unique_ptr<Arm> arm;
  ArmRuns fits;
  ArmRuns predictions;
};

void give_up(Running& one, const ArmFailure& failure) {
  one.arm.reset();
  for (ArmRuns* runs : {&one.fits, &one.predictions}) {
    runs->why_not = failure.why;
    runs->missing = failure.missing;
    runs->seconds.clear();
    runs->processor_seconds.clear();
    runs->quality.reset();
  }
}

void note_times(ArmRuns& runs, const nlohmann::json& answer) {
  runs.seconds.push_back(answer.at("seconds").get<double>());
  runs.processor_seconds.push_back(answer.at("processor_seconds").get<double>());
  runs.peak_bytes = std::max(runs.peak_bytes, answer.value("peak_bytes", 0.0));
}

void take_turn(Running& one, const BenchCase& what, const Truth& truth, const std::string& out,
               double timeout, bool counts) {
  if (!one.arm) return;
  try {
    const nlohmann::json fitted = one.arm->ask({{"op", "fit"}}, timeout);
    const nlohmann::json predicted = one.arm->ask({{"op", "predict"}, {"out", out}}, timeout);
    if (!counts) {
      const double quality =
          quality_of(what.quality.metric, out, predicted.at("holds").get<std::string>(), truth);
      one.fits.quality = quality;
      one.predictions.quality = quality;
      return;
    }
    note_times(one.fits, fitted);
    note_times(one.predictions, predicted);
  } catch (const ArmFailure& failure) {
    give_up(one, failure);
  } catch (const nlohmann::json::exception& error) {
    give_up(one, {std::string("has answered something else: ") + error.what(), false});
  }
}

void compare_arms(BenchRow& row, const BenchCase& one, std::size_t own_arms) {
  const ArmRuns& ours = row.arms.front();
  if (ours.seconds.empty()) {
    row.equal_quality = false;
    return;
  }
  double least = INFINITY;
  const ArmRuns* fastest = nullptr;
  const double sign = lower_is_better(one.quality.metric) ? 1 : -1;
  double best = INFINITY;
  for (std::size_t i = own_arms; i < row.arms.size(); ++i) {
    const ArmRuns& peer = row.arms[i];
    if (peer.seconds.empty()) continue;
    if (peer.quality) best = std::min(best, sign * *peer.quality);
    if (const double median = median_of(peer.seconds); median < least) {
      least = median;
      fastest = &peer;
    }
  }
  if (fastest == nullptr) return;
  row.fastest = fastest->name;
  row.against_fastest = paired_ratio(ours.seconds, fastest->seconds);
  const double allowed = one.quality.absolute + one.quality.relative * std::abs(best);
  row.equal_quality = ours.quality && sign * *ours.quality <= best + allowed;
}

// Bytes per second from where the rows are kept: main memory, or a cache that has room for them
// all.
double bytes_rate(double working_set, const MachineLimits& limits) {
  for (const auto& [bytes, rate] : limits.cache_bytes) {
    if (working_set <= static_cast<double>(bytes)) return std::max(rate, limits.memory_bytes);
  }
  return limits.memory_bytes;
}

void add_floor(BenchRow& row, const BenchCase& one, const MachineLimits& limits) {
  const Numbers numbers = one.numbers_with(row.rows);
  const double rate =
      one.precision == Precision::float32 ? limits.flops_float32 : limits.flops_float64;
  const double operations = value_of(one.flops, numbers) / rate;
  const double rows = static_cast<double>(row.rows * one.data.features) * numbers.at("element");
  const double bytes = value_of(one.bytes, numbers) / bytes_rate(rows, limits);
  if (!(operations > 0) && !(bytes > 0)) return;
  row.floor_seconds = std::max(operations, bytes);
  row.limited_by = operations >= bytes ? "operations" : "bytes";
}

template <Real T>
void measure_case(const BenchCase& one, Index rows, int threads, const BenchChoices& choices,
                  const MachineLimits& limits, std::vector<BenchRow>& table) {
  const ScratchFolder folder;
  Truth truth;
  const CaseFiles files = write_rows<T>(one, rows, folder, truth);
  const std::string out = folder.file("predictions.npy");
  const std::vector<Contender> contenders = contenders_of(one, choices, threads);
  std::vector<Running> running(contenders.size());
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    running[i].fits.name = contender.name;
    running[i].predictions.name = contender.name;
    nlohmann::json request = contender.request;
    request["x"] = files.x;
    request["y"] = files.y.empty() ? nlohmann::json() : nlohmann::json(files.y);
    request["test"] = files.test;
    try {
      running[i].arm =
          std::make_unique<Arm>(contender.name, contender.command, environment_of(threads));
      const nlohmann::json loaded = running[i].arm->ask(request, choices.timeout);
      running[i].fits.version = loaded.value("version", "");
      running[i].predictions.version = running[i].fits.version;
    } catch (const ArmFailure& failure) {
      give_up(running[i], failure);
    }
  }
  // The first turn counts for quality only: libraries and processors warm up in it.
  for (int round = -1; round < choices.runs; ++round) {
    if (choices.tell) {
      choices.tell(one.name + ", " + std::to_string(threads) +
                   (threads == 1 ? " thread" : " threads") + ": " +
                   (round < 0 ? "warming up"
                              : "round " + std::to_string(round + 1) + " of " +
                                    std::to_string(choices.runs)));
    }
    // Each round begins with another arm, so that none always runs after the same one.
    for (std::size_t k = 0; k < running.size(); ++k) {
      const std::size_t turn = (k + static_cast<std::size_t>(round + 1)) % running.size();
      take_turn(running[turn], one, truth, out, choices.timeout, round >= 0);
    }
  }
  const std::size_t own = choices.devices.size();
  for (const Measured measured : {Measured::fit, Measured::predict}) {
    BenchRow row;
    row.name = one.name;
    row.measured = measured;
    row.threads = threads;
    row.rows = measured == Measured::fit || one.test_rows == 0 ? rows : one.test_rows;
    row.metric = one.quality.metric;
    for (Running& arm : running) {
      row.arms.push_back(measured == Measured::fit ? arm.fits : arm.predictions);
    }
    compare_arms(row, one, own);
    if (measured == Measured::fit) add_floor(row, one, limits);
    table.push_back(std::move(row));
  }
}

}  // namespace

std::vector<BenchGrowth> growths(const std::vector<BenchRow>& rows) {
  std::vector<BenchGrowth> all;
  std::vector<std::vector<double>> memory;
  for (const BenchRow& row : rows) {
    for (const ArmRuns& arm : row.arms) {
      if (arm.seconds.empty()) continue;
      auto found = std::find_if(all.begin(), all.end(), [&](const BenchGrowth& one) {
        return one.name == row.name && one.measured == row.measured && one.threads == row.threads &&
               one.arm == arm.name;
      });
      if (found == all.end()) {
        all.push_back({row.name, row.measured, row.threads, arm.name, {}, {}, {}, {}});
        memory.emplace_back();
        found = all.end() - 1;
      }
      const auto rows_here = static_cast<double>(row.rows);
      if (!found->rows.empty() && found->rows.back() == rows_here) continue;
      found->rows.push_back(rows_here);
      found->seconds.push_back(median_of(arm.seconds));
      memory[static_cast<std::size_t>(found - all.begin())].push_back(arm.peak_bytes);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    BenchGrowth& one = all[i];
    if (one.rows.size() < 3) continue;
    one.growth = growth_of(one.rows, one.seconds);
    if (one.measured == Measured::fit) {
      one.bytes_per_row =
          (memory[i].back() - memory[i].front()) / (one.rows.back() - one.rows.front());
    }
  }
  std::erase_if(all, [](const BenchGrowth& one) { return one.rows.size() < 3; });
  return all;
}

std::vector<BenchRow> measure(const std::vector<BenchCase>& cases, const BenchChoices& choices,
                              const std::vector<MachineLimits>& limits) {
  std::vector<BenchRow> table;
  for (const BenchCase& one : cases) {
    const auto rows = one.rows.find(choices.suite);
    if (rows == one.rows.end()) continue;
    const std::vector<Index> sizes =
        choices.sweep.empty() ? std::vector<Index>{rows->second} : choices.sweep;
    for (std::size_t t = 0; t < choices.threads.size(); ++t) {
      for (const Index size : sizes) {
        check_interrupt();
        if (one.precision == Precision::float32) {
          measure_case<float>(one, size, choices.threads[t], choices, limits[t], table);
        } else {
          measure_case<double>(one, size, choices.threads[t], choices, limits[t], table);
        }
      }
    }
  }
  return table;
}

}  // namespace tandem::program
