// open_loop URL --body FILE | --paths FILE.lines --rate R --seconds S [--connections N] [--gaps
// poisson|even|closed]
//           [--pid PID]... [--expect FILE]... [--patience SECONDS] [--bins]
//           [--first-number N]
//
// A FILE that ends in .lines has a body per line, which are sent in turn; in a body, {{n}} stands
// for the number of the request, counted from N, and {{now}} for its time.
//
// With --paths GET requests of the lines of FILE are sent in turn, in place of the path of URL.
//
// Sends the body to URL (http://ADDRESS:PORT/PATH), R times a second, and prints one JSON object:
// rates, answers by status, latencies in milliseconds from the time a request was due, processor
// time per answer of itself and of the processes PID. With --expect every answer of status 200 is
// compared with the files' contents; with --bins answers and failures are counted by the time at
// which they were due. Exit status 1 where a request failed or an answer was wrong.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "generator.hpp"

namespace {

using tandem::bench::Gaps;
using tandem::bench::Load;
using tandem::bench::Outcome;

constexpr const char* usage =
    "usage: open_loop http://ADDRESS:PORT/PATH --body FILE | --paths FILE.lines --rate R --seconds "
    "S [--connections N] "
    "[--gaps poisson|even|closed] [--pid PID]... [--expect FILE]... [--patience SECONDS] [--bins] "
    "[--first-number N]";

struct Arguments {
  Load load;
  std::string path;
  std::vector<std::string> bodies;
  std::vector<std::string> paths;
  std::uint64_t first_number = 0;
  std::vector<std::string> pids;
  bool bins = false;
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The bodies of a file: its lines, where its name says so.
std::vector<std::string> bodies_of(const std::string& path) {
  if (!path.ends_with(".lines")) return {contents(path)};
  std::vector<std::string> bodies;
  std::istringstream lines(contents(path));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) bodies.push_back(line);
  }
  if (bodies.empty()) throw std::runtime_error(path + ": there is no body in it");
  return bodies;
}

double number(const std::string& name, const std::string& text, double least) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= least)) {
    throw std::runtime_error(name + " " + text + ": expected a number of at least " +
                             std::to_string(least));
  }
  return value;
}

void read_url(Arguments& arguments, const std::string& url) {
  constexpr std::string_view scheme = "http://";
  const auto colon = url.find(':', scheme.size());
  const auto slash = url.find('/', scheme.size());
  if (!url.starts_with(scheme) || colon == std::string::npos || slash == std::string::npos ||
      colon > slash) {
    throw std::runtime_error(url + ": expected http://ADDRESS:PORT/PATH");
  }
  arguments.load.host = url.substr(scheme.size(), colon - scheme.size());
  arguments.load.port =
      static_cast<int>(number("port", url.substr(colon + 1, slash - colon - 1), 1));
  arguments.path = url.substr(slash);
}

Arguments parse(const std::vector<std::string>& words) {
  if (words.empty()) throw std::runtime_error(usage);
  Arguments arguments;
  Load& load = arguments.load;
  read_url(arguments, words.front());
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& name = words[i];
    if (name == "--bins") {
      arguments.bins = true;
      continue;
    }
    if (i + 1 == words.size()) throw std::runtime_error(name + ": a value is missing; " + usage);
    const std::string& value = words[++i];
    if (name == "--body") {
      arguments.bodies = bodies_of(value);
    } else if (name == "--paths") {
      arguments.paths = bodies_of(value);
    } else if (name == "--rate") {
      load.rate = number(name, value, 1e-3);
    } else if (name == "--seconds") {
      load.seconds = number(name, value, 1e-3);
    } else if (name == "--connections") {
      load.connections = static_cast<int>(number(name, value, 1));
    } else if (name == "--patience") {
      load.patience = number(name, value, 1e-3);
    } else if (name == "--pid") {
      arguments.pids.push_back(value);
    } else if (name == "--first-number") {
      arguments.first_number = static_cast<std::uint64_t>(number(name, value, 0));
    } else if (name == "--expect") {
      load.expected.push_back(contents(value));
    } else if (name == "--gaps") {
      if (value != "poisson" && value != "even" && value != "closed") {
        throw std::runtime_error("--gaps " + value + ": expected poisson, even or closed");
      }
      load.gaps = value == "poisson" ? Gaps::poisson : value == "even" ? Gaps::even : Gaps::closed;
    } else {
      throw std::runtime_error("unknown option " + name + "; " + usage);
    }
  }
  if (arguments.bodies.empty() == arguments.paths.empty()) {
    throw std::runtime_error("one of --body and --paths is needed; " + std::string(usage));
  }
  return arguments;
}

// User and system time of a process in seconds, by /proc; 0 where it has ended.
double processor_seconds_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && fields >> field; ++i) {
    if (i >= 14) ticks += std::stod(field);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double processor_seconds_of(const std::vector<std::string>& pids) {
  double sum = 0;
  for (const std::string& pid : pids) sum += processor_seconds_of(pid);
  return sum;
}

double own_processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void print_bins(const char* name, const std::vector<std::uint32_t>& bins) {
  std::printf(", \"%s\": [", name);
  for (std::size_t i = 0; i < bins.size(); ++i) std::printf("%s%u", i > 0 ? "," : "", bins[i]);
  std::printf("]");
}

// A text as JSON has it; bytes above 127 are taken to be UTF-8.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += ' ';
    } else {
      result += c;
    }
  }
  return result + '"';
}

void report(const Arguments& arguments, Outcome& outcome, double own, double server) {
  auto& latencies = outcome.latencies;
  std::sort(latencies.begin(), latencies.end());
  const auto quantile = [&](double share) {
    if (latencies.empty()) return 0.0;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies.size()));
    return 1e3 * latencies[std::min(index, latencies.size() - 1)];
  };
  const auto answered = static_cast<double>(std::max<std::size_t>(latencies.size(), 1));
  std::printf(
      "{\"start\": %.6f, \"seconds\": %.4f, \"asked\": %zu, \"asked_per_second\": %.1f, "
      "\"answered\": %zu, \"answered_per_second\": %.1f, \"broken\": %zu, \"late\": %zu, "
      "\"wrong\": %zu, \"p50_ms\": %.4f, \"p90_ms\": %.4f, \"p99_ms\": %.4f, \"p999_ms\": %.4f, "
      "\"max_ms\": %.4f, \"generator_us_per_answer\": %.3f, \"server_us_per_answer\": %.3f, "
      "\"status\": {",
      outcome.start, outcome.elapsed, outcome.asked,
      static_cast<double>(outcome.asked) / arguments.load.seconds, latencies.size(),
      static_cast<double>(latencies.size()) / outcome.elapsed, outcome.broken, outcome.late,
      outcome.wrong, quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1),
      1e6 * own / answered, 1e6 * server / answered);
  bool first = true;
  for (const auto& [status, count] : outcome.statuses) {
    std::printf("%s\"%d\": %zu", first ? "" : ", ", status, count);
    first = false;
  }
  std::printf("}, \"of_expected\": [");
  for (std::size_t i = 0; i < outcome.of_expected.size(); ++i) {
    std::printf("%s%zu", i > 0 ? ", " : "", outcome.of_expected[i]);
  }
  std::printf("], \"first_wrong\": %s", quoted(outcome.first_wrong).c_str());
  if (arguments.bins) {
    std::printf(", \"bin_seconds\": %g", arguments.load.bin);
    print_bins("answered_in", outcome.answered_in);
    print_bins("failed_in", outcome.failed_in);
  }
  std::printf("}\n");
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  try {
    arguments = parse({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "open_loop: %s\n", error.what());
    return 2;
  }
  try {
    using tandem::bench::Requests;
    Requests requests = arguments.paths.empty() ? Requests(arguments.load.host, arguments.path,
                                                           arguments.bodies, arguments.first_number)
                                                : Requests(arguments.load.host, arguments.paths,
                                                           arguments.first_number);
    tandem::bench::Generator generator(arguments.load, std::move(requests));
    const double own = own_processor_seconds();
    const double server = processor_seconds_of(arguments.pids);
    Outcome outcome = generator.run();
    report(arguments, outcome, own_processor_seconds() - own,
           processor_seconds_of(arguments.pids) - server);
    const bool good = outcome.wrong == 0 && outcome.broken == 0 && outcome.late == 0;
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "open_loop: %s\n", error.what());
    return 1;
  }
}
