// tandem bench: Tandem beside other libraries, on the same data and settings, in turn.
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "tandem/bench/arm.hpp"
#include "tandem/bench/bench_results.hpp"
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

class Bench final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals("ACTION", words_,
                        "nothing to measure, or compare BEFORE.json AFTER.json: two outputs of "
                        "--json");
    options.group("What is measured");
    options.choice("suite", suite_,
                   "sizes: quick takes minutes and shows that it works, standard is for figures, "
                   "large takes gigabytes");
    options.written("case", only_, "only these cases", "NAME,...");
    options.text("cases", folder_, "a folder of cases of one's own, *.json");
    options.integers("threads", threads_, "numbers of threads, one after the other", 1, 4096);
    options.written("devices", devices_, "devices of Tandem's own arms", "cpu,cuda,...");
    options.integer("runs", runs_, "rounds that count, after one that does not", 1, 1000);
    options.integers("sweep", sweep_,
                     "numbers of rows in place of the suite's, to see how time and memory grow", 1,
                     INT64_MAX);
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
    options.group("compare");
    options.real("error_rate", error_rate_,
                 "the probability of any false alarm among all rows where nothing has changed",
                 1e-6, 0.5);
    options.group("Results");
    options.flag("json", json_, "print the result as JSON");
    options.flag("quiet", quiet_, "no progress");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    if (!words_.empty() && words_[0] == "arm" && words_.size() == 1) return serve_as_arm();
    if (!words_.empty()) return compare();
    report_.check(nullptr);
    const BenchChoices choices = chosen(options);
    const std::vector<BenchCase> cases = chosen_cases(choices);
    if (report_.asked()) report_.prepare();
    BenchResults results;
    results.suite = choices.suite;
    results.runs = choices.runs;
    results.processor = processor_name();
    results.cores = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
    results.command = "tandem bench " + options.arguments({"report", "force", "json", "quiet"});
    for (const int threads : choices.threads) {
      tell("measuring the machine with " + counted(threads, "thread"));
      check_interrupt();
      results.limits.push_back(measure_machine(threads));
    }
    results.rows = measure(cases, choices, results.limits);
    if (report_.asked()) write_bench_page(results, report_.path());
    if (json_) {
      print_json(to_json(results));
    } else {
      print(to_text(results) + (report_.asked() ? "\nreport: " + report_.path() + "\n" : ""));
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
    choices.sweep.assign(sweep_.begin(), sweep_.end());
    if (!std::is_sorted(choices.sweep.begin(), choices.sweep.end(), std::less_equal<>()) ||
        choices.sweep.size() == 1 || choices.sweep.size() == 2) {
      throw InputError(option("sweep") +
                       ": expected three numbers of rows or more, each larger than the one before");
    }
    choices.against = against_.list;
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
    if (cases.empty()) {
      throw InputError("suite " + choices.suite + " has none of these cases; choose others with " +
                       option("case") + ", or another " + option("suite"));
    }
    return cases;
  }

  int compare() const {
    if (words_[0] != "compare" || words_.size() != 3) {
      throw InputError("expected nothing, or compare BEFORE.json AFTER.json, in place of '" +
                       words_[0] + "'" + (words_.size() > 1 ? " and what follows" : ""));
    }
    const BenchComparison found = compare_results(words_[1], words_[2], error_rate_);
    std::size_t slower = 0;
    for (const BenchChange& row : found.rows) {
      slower += row.changed && row.after > row.before ? 1U : 0U;
    }
    if (json_) {
      nlohmann::json json{{"error_rate", found.error_rate},
                          {"least_probability", found.least_probability},
                          {"needed_probability", found.needed_probability},
                          {"slower", slower},
                          {"only_before", found.only_before},
                          {"only_after", found.only_after},
                          {"rows", nlohmann::json::array()}};
      for (const BenchChange& row : found.rows) {
        json["rows"].push_back({{"case", row.name},
                                {"measured", row.measured},
                                {"threads", row.threads},
                                {"before_seconds", row.before},
                                {"after_seconds", row.after},
                                {"probability", row.probability},
                                {"changed", row.changed}});
      }
      print_json(json);
      return slower > 0 ? 1 : 0;
    }
    std::vector<std::vector<std::string>> rows{
        {"case", "threads", "before, s", "after, s", "after / before", "p", "verdict"}};
    for (const BenchChange& row : found.rows) {
      rows.push_back({row.name + ", " + row.measured, std::to_string(row.threads),
                      readable_seconds(row.before), readable_seconds(row.after),
                      significant(row.after / row.before, 3), significant(row.probability, 2),
                      !row.changed             ? "within noise"
                      : row.after > row.before ? "slower"
                                               : "faster"});
    }
    std::string text = table(rows) + "\n" +
                       wrapped(
                           "p: of ranks as unequal where nothing has changed (Mann and "
                           "Whitney, exact); a verdict keeps the probability of any false "
                           "alarm among all rows at " +
                               significant(found.error_rate, 2) + " (Holm).",
                           terminal_width());
    if (found.least_probability > found.needed_probability) {
      text += wrapped(
          "With so few runs no single change can be told from noise at this error "
          "rate: the least p is " +
              significant(found.least_probability, 2) + ", and " +
              significant(found.needed_probability, 2) + " is needed. Take more runs.",
          terminal_width());
    }
    for (const std::string& one : found.only_before) text += "only before: " + one + "\n";
    for (const std::string& one : found.only_after) text += "only after: " + one + "\n";
    print(text);
    return slower > 0 ? 1 : 0;
  }

  std::vector<std::string> words_;
  Suite suite_ = Suite::standard;
  Words only_;
  std::string folder_;
  std::vector<std::int64_t> threads_{1};
  Words devices_{{"cpu"}};
  std::int64_t runs_ = 5;
  std::vector<std::int64_t> sweep_;
  double timeout_ = 600;
  Words peers_;
  std::string python_;
  Words against_;
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
