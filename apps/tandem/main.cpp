// The tandem program: finds the command, parses its options, turns exceptions into messages and
// exit statuses.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/config.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

bool asks_for_help(const std::string& argument) { return argument == "--help" || argument == "-h"; }

// The name of the algorithm, taken out of the arguments: the first one, or, where options come
// before it, the one that is a known name.
std::unique_ptr<Algorithm> take_algorithm(const CommandInfo& info,
                                          std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    throw InputError("expected an algorithm: tandem " + std::string(info.name) + " " +
                     std::string(info.arguments) + "; ALGORITHM is " + joined(algorithms_of(info)));
  }
  auto at = arguments.begin();
  if (at->starts_with('-')) {
    const auto& names = algorithm_names();
    at = std::find_if(arguments.begin(), arguments.end(), [&](const std::string& argument) {
      return std::find(names.begin(), names.end(), argument) != names.end();
    });
    if (at == arguments.end()) {
      throw InputError("expected an algorithm: tandem " + std::string(info.name) + " " +
                       std::string(info.arguments));
    }
  }
  auto algorithm = find_algorithm(*at);
  arguments.erase(at);
  return algorithm;
}

// `spelling` becomes that of the command's options as soon as they are known.
int run(std::vector<std::string> arguments, Spelling& spelling) {
  if (arguments.empty() || asks_for_help(arguments.front())) {
    print(overview());
    return 0;
  }
  if (arguments.front() == "--version") {
    print("tandem " TANDEM_VERSION "\n");
    return 0;
  }
  if (arguments.front().starts_with('-')) {
    const std::string meant = nearest_name(arguments.front(), {"--help", "--version"});
    throw InputError("expected a command before " + arguments.front() + "; " +
                     (meant.empty() ? "tandem help lists them" : "did you mean " + meant + "?"));
  }
  const CommandInfo& info = find_command(arguments.front());
  arguments.erase(arguments.begin());
  // Arguments after "--" belong to another program.
  const auto own = std::find(arguments.begin(), arguments.end(), "--");
  if (std::any_of(arguments.begin(), own, asks_for_help)) {
    std::vector<std::string> topic{std::string(info.name)};
    if (info.takes_algorithm && !arguments.front().starts_with('-')) {
      topic.push_back(arguments.front());
    }
    const PreparedCommand help = prepare(find_command("help"), nullptr);
    help.options->parse(topic);
    return help.command->run(*help.options);
  }
  std::unique_ptr<Algorithm> algorithm;
  if (info.takes_algorithm) algorithm = take_algorithm(info, arguments);
  const PreparedCommand prepared = prepare(info, std::move(algorithm));
  spelling = prepared.options->spelling();
  log::set_spelling(spelling);
  prepared.options->parse(arguments);
  return prepared.command->run(*prepared.options);
}

class SignalControl final : public RunControl {
 public:
  [[nodiscard]] bool stop_requested() const noexcept override { return interrupted(); }
};

int fail(int status, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  note("tandem: error: " + message);
  return status;
}

// A standard stream that was closed leaves its number to the next file that is opened, and what is
// said on it would be written into that: into a checkpoint, say. Standard input is opened so that
// it cannot be read, as a closed one cannot. Nothing of this may be instrumented or intercepted by
// a sanitizer, whose own library is not initialised yet either.
__attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"))) void
open_standard_streams() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::syscall(SYS_fcntl, number, F_GETFD) >= 0) continue;
    // The lowest number that is free, which is this one.
    if (::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY) < 0) ::_exit(1);
  }
}

// Before libraries are initialised, of which some open files of their own.
[[gnu::section(".preinit_array"), gnu::used]] void (*before_libraries)() = open_standard_streams;

}  // namespace
}  // namespace tandem::program

int main(int argc, char** argv) {
  using namespace tandem;
  using namespace tandem::program;
  install_signal_handlers();
  Spelling spelling;
  // Whatever a command does ends at a signal, a fit by the rules of its own control.
  const SignalControl signals;
  const StopScope stop(&signals);
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc), spelling);
  } catch (const InputError& error) {
    return fail(2, error.spelled(spelling));
  } catch (const Interrupted& error) {
    return fail(130, error.spelled(spelling));
  } catch (const Error& error) {
    return fail(1, error.spelled(spelling));
  } catch (const std::bad_alloc&) {
    return fail(1,
                "out of memory; take fewer rows or columns, or --precision float32, which needs "
                "half");
  } catch (const std::exception& error) {
    return fail(1, std::string("internal error: ") + error.what());
  }
}
