// tandem bench: Tandem beside other libraries, on the same data and settings, in turn.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "softgpu/models.hpp"
#include "tandem/bench/arm.hpp"
#include "tandem/bench/bench_results.hpp"
#include "tandem/bench/comparison.hpp"
#include "tandem/bench/history.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"

namespace tandem::program {
namespace {

enum class Suite { quick, standard, large };

}  // namespace
}  // namespace tandem::program

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 3> enum_names<program::Suite>{"quick", "standard",
                                                                            "large"};
}  // namespace tandem

namespace tandem::program {
namespace {

std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const auto at = line.find(": ");
    if (at != std::string::npos) return line.substr(at + 2);
  }
  return "an unknown processor";
}

constexpr Index most_threads = 4096;

class Bench final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals(
        "ACTION", words_,
        "nothing to measure; compare BEFORE.json AFTER.json: two outputs of --json; "
        "history DIR: what --history has kept",
        {"compare", "history"}, true);
    options.group("What is measured");
    options.choice("suite", suite_,
                   "sizes: quick takes minutes and shows that it works, standard is for figures, "
                   "large takes gigabytes");
    options.written("case", only_, "only these cases", "NAME,...");
    options.text("cases", folder_, "a folder of cases of one's own, *.json");
    options.integers("threads", threads_, "numbers of threads, one after the other", 1,
                     most_threads);
    options.written("devices", devices_, "devices of Tandem's own arms", "cpu,cuda,...");
    options.integer("runs", runs_, "rounds that count, after one that does not", 1, 1000);
    options.written("sweep", sweep_,
                    "values in place of the case's, to see how time and memory grow: of rows, or "
                    "of what is named: threads, features, or a number of the case's own (clusters, "
                    "depth, ...)",
                    "[NAME=]N,...");
    options.real("timeout", timeout_, "seconds after which an arm that does not answer is given up",
                 1, 1e6);
    options.group("Beside what");
    options.written("peers", peers_, "only these libraries; none: no other", "NAME,...");
    options.text("python", python_,
                 "the Python that has them; $TANDEM_BENCH_PYTHON, or python3, if left out");
    options.written("against", against_,
                    "other builds of this program, each an arm of its own; this program itself "
                    "shows what noise looks like",
                    "PROGRAM,...");
    options.flag("python_package", python_package_,
                 "Tandem through its Python package as an arm too, to see what Python adds");
    options.text("estimate", estimate_,
                 "count what each fit does on a GPU and estimate how long this one would take: " +
                     softgpu::device_model_keys());
    options.group("compare and history");
    options.real("error_rate", error_rate_,
                 "the probability of any false alarm among all rows where nothing has changed",
                 1e-6, 0.5);
    options.group("Results");
    options.flag("json", json_, "print the result as JSON");
    options.flag("quiet", quiet_, "no progress");
    options.text(
        "history", history_,
        "keep the result in this folder too, a file for each run; tandem bench history DIR "
        "shows them in a row");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    if (!words_.empty() && words_[0] == "arm" && words_.size() == 1) return serve_as_arm();
    if (!words_.empty() && words_[0] == "compare" && words_.size() == 3) return compare();
    if (!words_.empty() && words_[0] == "history" && words_.size() == 2) return show_history();
    if (!words_.empty()) {
      throw InputError(
          "expected nothing, compare BEFORE.json AFTER.json, or history DIR, in place of '" +
          words_[0] + "'" + (words_.size() > 1 ? " and what follows" : ""));
    }
    report_.check(nullptr);
    const BenchChoices choices = chosen(options);
    const std::vector<BenchCase> cases = chosen_cases(choices);
    if (report_.asked()) report_.prepare();
    if (!history_.empty()) prepare_history(history_);
    BenchResults results;
    results.date = utc_now();
    results.suite = choices.suite;
    results.runs = choices.runs;
    results.processor = processor_name();
    results.cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
    results.command =
        "tandem bench " + options.arguments({"report", "force", "json", "quiet", "history"});
    for (const int threads : choices.threads) {
      tell("measuring the machine with " + counted(threads, "thread"));
      check_interrupt();
      results.limits.push_back(measure_machine(threads));
    }
    results.rows = measure(cases, choices, results.limits);
    results.works = device_works(cases, choices);
    if (report_.asked()) write_bench_page(results, report_.path());
    const std::string kept = history_.empty() ? "" : add_to_history(history_, results);
    if (json_) {
      print_json(to_json(results));
    } else {
      print(to_text(results) + report_.line() + (kept.empty() ? "" : "kept as " + kept + "\n"));
    }
    const bool doubtful =
        std::any_of(results.rows.begin(), results.rows.end(),
                    [](const BenchRow& row) { return !doubt_about(row).empty(); });
    return doubtful ? 1 : 0;
  }

 private:
  void tell(const std::string& what) const {
    if (!quiet_ && ::isatty(STDERR_FILENO) == 1) note(what);
  }

  BenchChoices chosen(const OptionSet& options) {
    BenchChoices choices;
    choices.suite = std::string(to_string(suite_));
    for (const std::int64_t count : threads_) choices.threads.push_back(static_cast<int>(count));
    choices.runs = static_cast<int>(runs_);
    choices.timeout = timeout_;
    if (!sweep_.list.empty()) read_sweep(choices, options);
    choices.against = against_.list;
    choices.estimate = estimate_;
    choices.python_package = python_package_;
    if (!estimate_.empty() && softgpu::find_device_model(estimate_) == nullptr) {
      throw InputError(option("estimate") + ": there is no model of '" + estimate_ +
                       "'; expected one of " + softgpu::device_model_keys());
    }
    choices.no_peers = peers_.list == std::vector<std::string>{"none"};
    if (!choices.no_peers) choices.peers = peers_.list;
    if (options.given("devices")) choices.devices = devices_.list;
    for (const std::string& device : choices.devices) {
      (void)parse_enum<Device>(option("devices"), device);
    }
    choices.python = python_;
    if (choices.python.empty()) {
      const char* const named = std::getenv("TANDEM_BENCH_PYTHON");
      choices.python = named != nullptr && *named != 0 ? named : "python3";
    }
    choices.tell = [this](const std::string& what) { tell(what); };
    return choices;
  }

  // "2000,20000,200000" or "clusters=4,8,16"
  void read_sweep(BenchChoices& choices, const OptionSet& options) const {
    std::vector<std::string> words = sweep_.list;
    choices.swept = "rows";
    if (const auto equals = words[0].find('='); equals != std::string::npos) {
      choices.swept = words[0].substr(0, equals);
      words[0].erase(0, equals + 1);
    }
    for (const std::string& word : words) {
      Index value = 0;
      const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (failed != std::errc() || end != word.data() + word.size() || value < 1 ||
          (!choices.sweep.empty() && value <= choices.sweep.back())) {
        choices.sweep.clear();
        break;
      }
      choices.sweep.push_back(value);
    }
    if (choices.sweep.size() < 3 || choices.swept.empty()) {
      throw InputError(option("sweep") +
                       ": expected three whole numbers or more, each larger than "
                       "the one before, such as 2000,20000,200000 or features=8,16,32");
    }
    if (choices.swept != "threads") return;
    if (options.given("threads")) {
      throw InputError(option("sweep") + " threads=... and " + option("threads") +
                       " say the same thing; give one of them");
    }
    if (choices.sweep.back() > most_threads) {
      throw InputError(option("sweep") + ": at most " + std::to_string(most_threads) + " threads");
    }
    choices.threads.clear();
    for (const Index value : choices.sweep) choices.threads.push_back(static_cast<int>(value));
  }

  std::vector<BenchCase> chosen_cases(const BenchChoices& choices) const {
    std::vector<BenchCase> cases =
        read_bench_cases(folder_.empty() ? bench_folder() + "/cases" : folder_);
    std::set<std::string> peers;
    std::string names;
    for (const BenchCase& one : cases) {
      names += (names.empty() ? "" : ", ") + one.name;
      for (const BenchPeer& peer : one.peers) peers.insert(peer.name);
    }
    for (const std::string& wanted : choices.peers) {
      if (peers.contains(wanted)) continue;
      std::string known;
      for (const std::string& peer : peers) known += (known.empty() ? "" : ", ") + peer;
      throw InputError(option("peers") + ": no case has a peer '" + wanted + "'; there are " +
                       known + ", and none for no peers");
    }
    for (const std::string& wanted : only_.list) {
      if (std::none_of(cases.begin(), cases.end(),
                       [&](const BenchCase& one) { return one.name == wanted; })) {
        throw InputError(option("case") + ": there is no case '" + wanted + "'; there are " +
                         names);
      }
    }
    std::erase_if(cases, [&](const BenchCase& one) {
      if (!one.rows.contains(choices.suite)) return true;
      return !only_.list.empty() &&
             std::find(only_.list.begin(), only_.list.end(), one.name) == only_.list.end();
    });
    if (!choices.swept.empty() && choices.swept != "rows" && choices.swept != "threads") {
      keep_those_with(choices.swept, cases);
    }
    if (cases.empty()) {
      throw InputError("suite " + choices.suite + " has none of these cases; choose others with " +
                       option("case") + ", or another " + option("suite"));
    }
    return cases;
  }

  // Of the cases those that have this number; all that were asked for by name must have it.
  void keep_those_with(const std::string& number, std::vector<BenchCase>& cases) const {
    std::string known = "rows, threads, features";
    std::set<std::string> numbers;
    for (const BenchCase& one : cases) {
      for (const auto& [name, value] : one.numbers) numbers.insert(name);
    }
    for (const std::string& name : numbers) known += ", " + name;
    const auto lacks = [&](const BenchCase& one) { return !one.has(number); };
    const auto lacking = std::find_if(cases.begin(), cases.end(), lacks);
    if (lacking != cases.end() &&
        (!only_.list.empty() || std::all_of(cases.begin(), cases.end(), lacks))) {
      throw InputError(option("sweep") + ": " + lacking->name + " has no number '" + number +
                       "'; there are " + known);
    }
    std::erase_if(cases, lacks);
  }

  int compare() const {
    const BenchComparison found =
        compare_results(read_bench_file(words_[1]), read_bench_file(words_[2]), error_rate_);
    if (json_) {
      print_json(to_json(found));
    } else {
      print(to_text(found));
    }
    return slower(found) > 0 || !found.work_changed.empty() ? 1 : 0;
  }

  int show_history() const {
    report_.check(nullptr);
    const std::vector<BenchHistory> all = read_history(words_[1], error_rate_);
    if (report_.asked()) {
      report_.prepare();
      write_history_page(all, report_.path());
    }
    if (json_) {
      print_json(to_json(all));
    } else {
      print(to_text(all) + report_.line());
    }
    return 0;
  }

  std::vector<std::string> words_;
  Suite suite_ = Suite::standard;
  Words only_;
  std::string folder_;
  std::string history_;
  std::vector<std::int64_t> threads_{1};
  Words devices_{{"cpu"}};
  std::int64_t runs_ = 5;
  Words sweep_;
  double timeout_ = 600;
  Words peers_;
  std::string python_;
  Words against_;
  std::string estimate_;
  bool python_package_ = false;
  double error_rate_ = 0.01;
  bool json_ = false;
  bool quiet_ = false;
  ReportOption report_;
};

}  // namespace

std::unique_ptr<Command> make_bench(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Bench>();
}

}  // namespace tandem::program
