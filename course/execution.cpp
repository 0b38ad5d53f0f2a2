#include "course/execution.hpp"

#include <signal.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "course/confine.hpp"
#include "course/exchange.hpp"
#include "course/private_folder.hpp"
#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t element_bytes = 4;
constexpr std::uint64_t zone_bytes = 4096;
// Time on the wall for each second of processor time, because other programs may be running.
constexpr double wall_times = 4;
constexpr std::uintmax_t most_findings = std::uintmax_t{16} << 20U;
constexpr std::uintmax_t most_profile = std::uintmax_t{64} << 20U;

std::string bytes_of(const Values& values) {
  return std::visit(
      [](const auto& all) {
        return std::string(reinterpret_cast<const char*>(all.data()), element_bytes * all.size());
      },
      values);
}

// Nothing where there are not as many bytes as `like` has.
std::optional<Values> values_from(const std::string& bytes, const Values& like) {
  Values values = like;
  if (bytes.size() != element_bytes * size_of(values)) return std::nullopt;
  std::visit(
      [&](auto& all) {
        if (!bytes.empty()) std::memcpy(all.data(), bytes.data(), bytes.size());
      },
      values);
  return values;
}

RequestCase request_of(const Program& program, const Case& problem) {
  RequestCase request;
  for (const Argument& argument : problem.arguments) {
    RequestArgument passed;
    switch (argument.role) {
      case Argument::Role::input:
        passed = {Passed::input, element_bytes * size_of(argument.values),
                  bytes_of(argument.values)};
        break;
      case Argument::Role::output:
        passed = {Passed::output, element_bytes * size_of(argument.values), {}};
        break;
      case Argument::Role::scratch:
        passed = {Passed::scratch, element_bytes * size_of(argument.values), {}};
        break;
      case Argument::Role::size:
        passed = {Passed::value, element_bytes,
                  std::string(reinterpret_cast<const char*>(&argument.size), element_bytes)};
        break;
    }
    request.arguments.push_back(std::move(passed));
  }
  for (const LaunchLine& line : program.launches) {
    const Launch launch = launch_of(line, problem.sizes, program.name);
    request.launches.push_back({launch.kernel, launch.grid, launch.block, launch.shared});
  }
  return request;
}

// "argument 3" by the name that the challenge gives it.
std::string named(std::string text, const Case& problem) {
  for (std::size_t i = problem.arguments.size(); i-- > 0;) {
    const std::string number = "argument " + std::to_string(i + 1);
    const auto at = text.find(number);
    if (at != std::string::npos) {
      text.replace(at, number.size(), "`" + problem.arguments[i].name + "`");
      break;
    }
  }
  return text;
}

std::string renamed(std::string file, const std::string& name) {
  const auto slash = file.rfind('/');
  if (file.substr(slash == std::string::npos ? 0 : slash + 1) == "submission.cu") return name;
  return file;
}

// A member that is a text; empty where it is null or another thing.
std::string text_in(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Without addresses, which differ from run to run.
std::string without_addresses(std::string text) {
  for (std::size_t at = 0; (at = text.find(" at 0x", at)) != std::string::npos;) {
    const auto end = text.find_first_not_of("0123456789abcdef", at + 6);
    text.erase(at, end == std::string::npos ? std::string::npos : end - at);
  }
  return text;
}

std::vector<Finding> findings_in(const std::string& text, const std::string& name) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("findings") || !json["findings"].is_array()) {
    throw SystemError("the checker has left no list of what it found");
  }
  std::vector<Finding> findings;
  for (const auto& one : json["findings"]) {
    // What is said of the host is about run_kernels, which is ours.
    if (!one.is_object() || text_in(one, "severity") != "error" || text_in(one, "kernel").empty()) {
      continue;
    }
    Finding finding;
    finding.kind = text_in(one, "kind");
    finding.kernel = text_in(one, "kernel");
    finding.message = without_addresses(text_in(one, "message"));
    finding.mend = text_in(one, "mend");
    if (const auto at = one.find("at"); at != one.end() && at->is_object()) {
      finding.file = renamed(text_in(*at, "file"), name);
      const auto line = at->find("line");
      if (line != at->end() && line->is_number_integer()) finding.line = line->get<int>();
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

// The line of a fault, as the runtime prints it: without the addresses, which differ from run to
// run.
std::string fault_in(const std::string& messages, const std::string& name) {
  const auto at = messages.find("softgpu: kernel ");
  if (at == std::string::npos) return {};
  std::string text = messages.substr(at + 9, 600);
  // The message is one sentence, which ends at a line's end.
  text = text.substr(0, text.find('\n'));
  const std::string_view ours = "submission.cu";
  if (const auto place = text.find(ours); place != std::string::npos) {
    const auto begin = text.rfind(' ', place) + 1;
    text.replace(begin, place + ours.size() - begin, name);
  }
  return without_addresses(std::move(text));
}

}  // namespace

Execution execute(const Machine& machine, const Program& program, const std::vector<Case>& cases,
                  Mode mode, std::uint64_t schedule) {
  Request request;
  request.ptx = program.ptx;
  request.guard = mode == Mode::plain ? zone_bytes : 0;
  request.prefills = mode == Mode::checked ? 0 : 1;
  for (const Case& problem : cases) request.cases.push_back(request_of(program, problem));

  const PrivateFolder folder;
  ConfinedCommand command;
  command.words = {(machine.software_gpu / "run_kernels").string()};
  command.environment = {
      "LC_ALL=C", "LD_LIBRARY_PATH=" + machine.software_gpu.string(),
      "SOFTGPU_TIME_LIMIT=" + std::to_string(static_cast<int>(wall_times * machine.seconds)),
      "TMPDIR=" + folder.path().string()};
  const auto set = [&](const std::string& variable) { command.environment.push_back(variable); };
  set("SOFTGPU_THREADS=" + std::string(mode == Mode::plain ? "2" : "1"));
  if (schedule != 0 && mode != Mode::profiled) set("SOFTGPU_SEED=" + std::to_string(schedule));
  if (mode == Mode::checked) {
    set("SOFTGPU_CHECK=1");
    set("SOFTGPU_CHECK_JSON=findings.json");
  }
  if (mode == Mode::profiled) set("SOFTGPU_PROFILE=profile.json");
  command.folder = folder.path();
  command.readable = system_folders();
  command.readable.push_back(fs::canonical(machine.software_gpu));
  command.input = to_bytes(request);
  command.weakly = machine.weakly;
  command.seconds = machine.seconds;
  command.wall_seconds = wall_times * machine.seconds;
  // The checker keeps a shadow of memory, of which most is never touched.
  command.memory_bytes = std::uint64_t{mode == Mode::checked ? 16U : 6U} << 30U;
  command.file_bytes = std::uint64_t{256} << 20U;
  const ConfinedResult run = run_confined(command, machine.stopped);

  Execution execution;
  execution.late = run.late;
  if (run.late) {
    execution.failed = "did not end within " + std::to_string(static_cast<int>(machine.seconds)) +
                       " seconds of processor time";
    return execution;
  }
  Answer answer;
  try {
    answer = answer_from(run.output);
  } catch (const ExchangeError& error) {
    execution.failed =
        run.signal != 0
            ? std::string("the process that ran the kernels was ended by ") +
                  ::strsignal(run.signal)
            : std::string("the process that ran the kernels gave no answer: ") + error.what();
    if (!run.messages.empty()) execution.failed += "; it said: " + run.messages.substr(0, 400);
    return execution;
  }
  if (mode == Mode::checked) {
    const std::string text = folder.text_of("findings.json", most_findings);
    execution.findings = findings_in(text, program.name);
  }
  execution.failed = answer.error;
  for (std::size_t i = 0; i < answer.cases.size() && i < cases.size(); ++i) {
    const AnswerCase& one = answer.cases[i];
    if (!one.error.empty()) {
      const std::string fault = fault_in(run.messages, program.name);
      execution.failed = fault.empty() ? one.error : fault;
      execution.late = one.error.find("LaunchTimeout") != std::string::npos;
      execution.failed_case = i;
      return execution;
    }
    if (execution.stray.empty() && !one.stray.empty()) {
      execution.stray = named(one.stray, cases[i]);
    }
    if (execution.modified.empty() && !one.modified.empty()) {
      execution.modified = named(one.modified, cases[i]);
    }
    std::vector<Values> outputs;
    for (const Argument& argument : cases[i].arguments) {
      if (argument.role != Argument::Role::output) continue;
      std::optional<Values> values;
      if (outputs.size() < one.outputs.size()) {
        values = values_from(one.outputs[outputs.size()], argument.values);
      }
      if (!values.has_value()) {
        execution.failed = "the process that ran the kernels gave outputs of another size";
        return execution;
      }
      outputs.push_back(std::move(*values));
    }
    execution.outputs.push_back(std::move(outputs));
  }
  if (execution.failed.empty() && execution.outputs.size() != cases.size()) {
    execution.failed = "the process that ran the kernels gave less than it was asked for";
  }
  if (mode == Mode::profiled) execution.profile = folder.text_of("profile.json", most_profile);
  return execution;
}

}  // namespace tandem::course
