#include "tandem/gpu/check_schedules.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>

#include "softgpu/check/finding_list.hpp"
#include "softgpu/check/sarif.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/cuda_program.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using softgpu::check::FindingGroup;
using softgpu::check::FindingList;

constexpr int status_for_findings = 86;
// Of a run's output, as much is compared.
constexpr std::size_t most_compared = std::size_t{64} << 20;

// An open file, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }
  void close() {
    if (number_ >= 0) (void)::close(number_);
    number_ = -1;
  }
  void reset(int number) {
    close();
    number_ = number;
  }

 private:
  int number_;
};

void write_all(int file, const char* data, std::size_t bytes, const char* what) {
  while (bytes > 0) {
    const ssize_t now = ::write(file, data, bytes);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0)
      throw SystemError(std::string("cannot write ") + what + ": " + std::strerror(errno));
    data += now;
    bytes -= static_cast<std::size_t>(now);
  }
}

// Gives what can be read from `from` to `use`, piece by piece.
template <class Use>
void read_all(int from, const char* what, Use&& use) {
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t now = ::read(from, piece.data(), piece.size());
    if (now == 0) return;
    if (now < 0 && errno == EINTR) continue;
    if (now < 0)
      throw SystemError(std::string("cannot read ") + what + ": " + std::strerror(errno));
    use(piece.data(), static_cast<std::size_t>(now));
  }
}

// A run, and what it printed.
struct Run {
  int status = 0;
  std::string output;
};

Run run_once(const fs::path& program, std::vector<std::string>& command, int input, bool shown) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw SystemError(std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  if (input >= 0) (void)::lseek(input, 0, SEEK_SET);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw SystemError(std::string("cannot start a process: ") + std::strerror(errno));
  if (child == 0) {
    if (input >= 0) (void)::dup2(input, STDIN_FILENO);
    (void)::dup2(to.get(), STDOUT_FILENO);
    become_program(program, command);
  }
  to.close();
  Run run;
  read_all(from.get(), "the program's output", [&](const char* data, std::size_t bytes) {
    if (shown) write_all(STDOUT_FILENO, data, bytes, "standard output");
    run.output.append(data, std::min(bytes, most_compared - run.output.size()));
  });
  run.status = wait_for_program(child);
  return run;
}

// Standard input in a file that can be read again and again; nothing where it is a terminal, which
// the first run alone could read, so that no run gets anything.
int input_of_all(const fs::path& folder) {
  if (::isatty(STDIN_FILENO) == 1) return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const fs::path path = folder / "input";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) throw SystemError("cannot make " + path.string() + ": " + std::strerror(errno));
  if (::fcntl(STDIN_FILENO, F_GETFD) < 0) return file;  // closed
  read_all(STDIN_FILENO, "standard input", [&](const char* data, std::size_t bytes) {
    write_all(file, data, bytes, path.c_str());
  });
  return file;
}

// --- what runs printed ---------------------------------------------------------------------------

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The lines of `all` that were the same twice under one seed.
Lines steady(const Lines& all, const Lines& once, const Lines& again) {
  if (once.size() != again.size() || all.size() != once.size()) return {};
  Lines kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (once[i] == again[i]) kept.push_back(all[i]);
  }
  return kept;
}

// The first line that only one of the two has, of each.
struct Difference {
  std::string first;
  std::string second;
};
std::optional<Difference> difference_of(Lines a, Lines b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  Lines only_a;
  Lines only_b;
  std::ranges::set_difference(a, b, std::back_inserter(only_a));
  std::ranges::set_difference(b, a, std::back_inserter(only_b));
  if (only_a.empty() && only_b.empty()) return std::nullopt;
  return Difference{only_a.empty() ? "" : only_a.front(), only_b.empty() ? "" : only_b.front()};
}

// True where words are equal, or numbers that differ in their last digits.
bool differs_by_rounding(const Difference& difference) {
  constexpr double relative = 1e-4;
  std::istringstream a(difference.first);
  std::istringstream b(difference.second);
  std::string x;
  std::string y;
  for (;;) {
    const bool more_a = static_cast<bool>(a >> x);
    const bool more_b = static_cast<bool>(b >> y);
    if (!more_a || !more_b) return more_a == more_b;
    if (x == y) continue;
    char* end_x = nullptr;
    char* end_y = nullptr;
    const double u = std::strtod(x.c_str(), &end_x);
    const double v = std::strtod(y.c_str(), &end_y);
    const bool numbers = end_x != x.c_str() && end_y != y.c_str() &&
                         std::string_view(end_x) == end_y &&
                         x.find_first_of(".eE") != std::string::npos;
    if (!numbers || std::abs(u - v) > relative * std::max(std::abs(u), std::abs(v))) return false;
  }
}

std::string shown_line(const std::string& line) {
  constexpr std::size_t most = 80;
  return line.empty() ? "nothing"
                      : "'" + line.substr(0, most) + (line.size() > most ? "...'" : "'");
}

FindingGroup output_finding(const std::string& message, std::int64_t seed) {
  FindingGroup group;
  group.finding.kind = softgpu::check::Kind::schedule_dependent;
  group.finding.notice = true;
  group.finding.message = message;
  group.finding.at.what = "output of the program";
  group.finding.seed = static_cast<std::uint64_t>(seed);
  group.times = 1;
  group.schedules = 1;
  return group;
}

FindingList findings_in(const std::string& path) {
  if (!fs::exists(path)) return {};
  try {
    return softgpu::check::read_findings(path);
  } catch (const std::runtime_error& error) {
    throw SystemError(error.what());
  }
}

}  // namespace

int run_schedules(const fs::path& program, std::vector<std::string>& command,
                  const Schedules& schedules) {
  const Descriptor input(input_of_all(schedules.folder));
  const std::string kept = (schedules.folder / "findings.json").string();
  set_variable("SOFTGPU_CHECK_JSON", kept);
  Run first;
  Lines first_lines;
  std::optional<Lines> first_again;
  std::optional<FindingGroup> differing;
  int failed = 0;
  std::int64_t done = 0;
  for (; done < schedules.count; ++done) {
    check_interrupt();
    const std::int64_t seed = schedules.first_seed + done;
    set_variable("SOFTGPU_SEED", std::to_string(seed));
    if (fs::exists(kept)) set_variable("SOFTGPU_CHECK_EARLIER", kept);
    if (::isatty(STDERR_FILENO) == 1) {
      note("schedule " + std::to_string(done + 1) + " of " + std::to_string(schedules.count) +
           ", seed " + std::to_string(seed));
    }
    Run run = run_once(program, command, input.get(), done == 0);
    if (run.status != 0 && run.status != status_for_findings && failed == 0) failed = run.status;
    if (done == 0) {
      first_lines = lines_of(run.output);
      first = std::move(run);
      continue;
    }
    if (differing || !schedules.compares_output) continue;
    const auto plain = [](int status) { return status == status_for_findings ? 0 : status; };
    if (plain(run.status) != plain(first.status)) {
      differing = output_finding("the program ends with status " + std::to_string(run.status) +
                                     " in one order of threads and with " +
                                     std::to_string(first.status) + " in another",
                                 seed);
      continue;
    }
    Lines lines = lines_of(run.output);
    auto difference = difference_of(first_lines, lines);
    if (difference && !first_again) {
      // Times and addresses differ from run to run, whatever the order.
      set_variable("SOFTGPU_SEED", std::to_string(schedules.first_seed));
      set_variable("SOFTGPU_CHECK_JSON", (schedules.folder / "again.json").string());
      first_again = lines_of(run_once(program, command, input.get(), false).output);
      set_variable("SOFTGPU_CHECK_JSON", kept);
    }
    if (difference) {
      difference = difference_of(steady(first_lines, first_lines, *first_again),
                                 steady(lines, first_lines, *first_again));
    }
    if (!difference) continue;
    differing = output_finding(
        "the program prints " + shown_line(difference->second) + " in one order of threads and " +
            shown_line(difference->first) + " in another" +
            (differs_by_rounding(*difference) ? "; they differ by rounding alone" : ""),
        seed);
  }
  FindingList list = findings_in(kept);
  if (differing) {
    softgpu::check::print(*differing, list.groups.size() + 1);
    list.groups.push_back(*differing);
  }
  list.schedules = static_cast<std::uint64_t>(done);
  const std::string text = softgpu::check::summary(list, [](const FindingGroup&) { return true; });
  note("softgpu check: " + text + " in " +
       counted(schedules.count, "order of threads", "orders of threads") + ", seeds " +
       std::to_string(schedules.first_seed) + " to " +
       std::to_string(schedules.first_seed + schedules.count - 1));
  const nlohmann::ordered_json json = softgpu::check::json_of(list);
  bool written =
      schedules.findings.empty() || softgpu::check::write_findings(schedules.findings, json);
  if (!schedules.sarif.empty()) {
    written =
        softgpu::check::write_findings(schedules.sarif, softgpu::check::sarif_of(json)) && written;
  }
  if (!written) throw SystemError("the findings could not be written");
  if (failed != 0) return failed;
  const bool any = std::ranges::any_of(
      list.groups, [](const FindingGroup& group) { return !group.finding.notice; });
  return any ? status_for_findings : 0;
}

}  // namespace tandem::program
