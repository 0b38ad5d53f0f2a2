#include "tandem/bench/measure.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "tandem/bench/arm.hpp"
#include "tandem/bench/case_files.hpp"
#include "tandem/bench/quality.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

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

std::vector<Contender> contenders_of(const BenchCase& one, const BenchChoices& choices,
                                     int threads) {
  std::vector<Contender> all;
  for (const std::string& device : choices.devices) {
    all.push_back({device == "cpu" ? "tandem" : "tandem " + device,
                   {own_program(), "bench", "arm"},
                   own_request(one, device, threads)});
  }
  for (const std::string& program : choices.against) {
    all.push_back({program, {program, "bench", "arm"}, own_request(one, "cpu", threads)});
  }
  const bool python = choices.python_package || !choices.no_peers;
  const std::string worker =
      python ? (fs::path(bench_folder()) / "peers" / "peer.py").string() : std::string();
  if (choices.python_package) {
    const bool classifies = one.quality.metric == "accuracy" || one.quality.metric == "log_loss" ||
                            one.quality.metric == "roc_auc";
    nlohmann::json peer{{"class", "adapters.TandemPython"},
                        {"parameters",
                         {{"algorithm", one.algorithm},
                          {"options", one.options},
                          {"classifies", classifies},
                          {"first_rows", {{"$first_rows", one.given_centres}}},
                          {"threads", "$threads"}}}};
    if (classifies) peer["target"] = "classes";
    all.push_back({"tandem python",
                   {choices.python, worker},
                   {{"op", "load"},
                    {"threads", threads},
                    {"case", {{"peer", peer}, {"precision", to_string(one.precision)}}}}});
  }
  if (choices.no_peers) return all;
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

void measure_case(const BenchCase& one, Index rows, int threads, const BenchChoices& choices,
                  const MachineLimits& limits, std::vector<BenchRow>& table) {
  const ScratchFolder folder;
  Truth truth;
  const CaseFiles files = write_rows(one, rows, folder, truth);
  const std::string out = folder.file("predictions.npy");
  const std::vector<Contender> contenders = contenders_of(one, choices, threads);
  std::vector<Running> running(contenders.size());
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const Contender& contender = contenders[i];
    running[i].fits.name = contender.name;
    running[i].predictions.name = contender.name;
    try {
      running[i].arm =
          std::make_unique<Arm>(contender.name, contender.command, environment_of(threads));
      const nlohmann::json loaded =
          running[i].arm->ask(files.named_in(contender.request), choices.timeout);
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
    if (measured == Measured::fit) {
      add_floor(row, one, limits);
      if (!one.memory.empty()) row.memory_allowed = value_of(one.memory, one.numbers_with(rows));
    }
    table.push_back(std::move(row));
  }
}

}  // namespace

std::vector<BenchGrowth> growths(const std::vector<BenchRow>& rows) {
  std::vector<BenchGrowth> all;
  std::vector<std::vector<double>> memory;
  for (const BenchRow& row : rows) {
    if (row.swept.empty()) continue;
    const bool of_threads = row.swept == "threads";
    for (const ArmRuns& arm : row.arms) {
      if (arm.seconds.empty()) continue;
      auto found = std::find_if(all.begin(), all.end(), [&](const BenchGrowth& one) {
        return one.name == row.name && one.measured == row.measured && one.arm == arm.name &&
               (of_threads || one.threads == row.threads);
      });
      if (found == all.end()) {
        all.push_back(
            {row.name, row.measured, row.threads, arm.name, row.swept, {}, {}, {}, std::nullopt});
        memory.emplace_back();
        found = all.end() - 1;
      }
      const auto value = static_cast<double>(row.swept == "rows" ? row.rows : row.value);
      if (!found->values.empty() && found->values.back() == value) continue;
      found->values.push_back(value);
      found->seconds.push_back(median_of(arm.seconds));
      memory[static_cast<std::size_t>(found - all.begin())].push_back(arm.peak_bytes);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    BenchGrowth& one = all[i];
    if (one.values.size() < 3) continue;
    one.growth = growth_of(one.values, one.seconds);
    if (one.measured == Measured::fit && one.swept != "threads") {
      one.bytes_per_unit =
          (memory[i].back() - memory[i].front()) / (one.values.back() - one.values.front());
    }
  }
  std::erase_if(all, [](const BenchGrowth& one) { return one.values.size() < 3; });
  return all;
}

std::vector<BenchRow> measure(const std::vector<BenchCase>& cases, const BenchChoices& choices,
                              const std::vector<MachineLimits>& limits) {
  std::vector<BenchRow> table;
  const bool sweeps = !choices.sweep.empty() && choices.swept != "threads";
  for (const BenchCase& original : cases) {
    const auto rows = original.rows.find(choices.suite);
    if (rows == original.rows.end()) continue;
    for (std::size_t t = 0; t < choices.threads.size(); ++t) {
      const int threads = choices.threads[t];
      for (std::size_t i = 0; i < (sweeps ? choices.sweep.size() : 1); ++i) {
        check_interrupt();
        const bool of_rows = sweeps && choices.swept == "rows";
        const BenchCase one =
            sweeps && !of_rows ? original.with(choices.swept, choices.sweep[i]) : original;
        const Index size = of_rows ? choices.sweep[i] : rows->second;
        const std::size_t before = table.size();
        measure_case(one, size, threads, choices, limits[t], table);
        if (choices.swept.empty()) continue;
        for (std::size_t row = before; row < table.size(); ++row) {
          table[row].swept = choices.swept;
          table[row].value = sweeps ? choices.sweep[i] : threads;
        }
      }
    }
  }
  return table;
}

std::vector<DeviceWork> device_works(const std::vector<BenchCase>& cases,
                                     const BenchChoices& choices) {
  std::vector<DeviceWork> all;
  if (choices.estimate.empty()) return all;
  const bool sweeps = !choices.sweep.empty() && choices.swept != "threads";
  for (const BenchCase& original : cases) {
    const auto rows = original.rows.find(choices.suite);
    if (rows == original.rows.end()) continue;
    for (std::size_t i = 0; i < (sweeps ? choices.sweep.size() : 1); ++i) {
      check_interrupt();
      const bool of_rows = sweeps && choices.swept == "rows";
      const bool other = sweeps && !of_rows;
      const BenchCase one = other ? original.with(choices.swept, choices.sweep[i]) : original;
      const std::string name =
          original.name +
          (other ? ", " + choices.swept + " " + std::to_string(choices.sweep[i]) : "");
      const Index size = of_rows ? choices.sweep[i] : rows->second;
      if (choices.tell) {
        choices.tell(name + ", " + std::to_string(size) + " rows: counting the work of a GPU");
      }
      all.push_back(work_of(one, name, size, choices.estimate, choices.timeout));
    }
  }
  return all;
}

std::vector<BenchCrossover> crossovers(const std::vector<BenchRow>& rows,
                                       const std::vector<DeviceWork>& works) {
  std::vector<BenchCrossover> all;
  for (const DeviceWork& work : works) {
    if (!work.why_not.empty()) continue;
    double least = INFINITY;
    for (const BenchRow& row : rows) {
      const ArmRuns& ours = row.arms.front();
      if (row.swept != "rows" || row.name != work.name || row.rows != work.rows ||
          row.measured != Measured::fit || ours.seconds.empty()) {
        continue;
      }
      least = std::min(least, median_of(ours.seconds));
    }
    if (!std::isfinite(least)) continue;
    if (all.empty() || all.back().name != work.name) {
      all.push_back({work.name, work.device, {}, {}, {}, {}});
    }
    all.back().sizes.push_back(static_cast<double>(work.rows));
    all.back().measured.push_back(least);
    all.back().estimated.push_back(work.seconds);
  }
  std::erase_if(all, [](const BenchCrossover& one) { return one.sizes.size() < 3; });
  for (BenchCrossover& one : all) {
    one.at = crossover_of(one.sizes, one.measured, one.estimated, estimates_within);
  }
  return all;
}

}  // namespace tandem::program
