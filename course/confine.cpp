#include "course/confine.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& what) {
  throw SystemError(what + ": " + std::strerror(errno));
}

// A file descriptor that is closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

// --- Landlock ------------------------------------------------------------------------------------
// The numbers of linux/landlock.h, which not every distribution's headers have in full.

constexpr long create_ruleset_call = 444;
constexpr long add_rule_call = 445;
constexpr long restrict_self_call = 446;

struct RulesetAttribute {
  std::uint64_t files = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t allowed = 0;
  std::int32_t folder = -1;
};

constexpr std::uint64_t execute = 1ULL << 0U;
constexpr std::uint64_t write_file = 1ULL << 1U;
constexpr std::uint64_t read_file = 1ULL << 2U;
constexpr std::uint64_t read_folder = 1ULL << 3U;
constexpr std::uint64_t refer = 1ULL << 13U;     // since version 2
constexpr std::uint64_t truncate = 1ULL << 14U;  // since version 3
constexpr std::uint64_t first_version = (1ULL << 13U) - 1;
constexpr std::uint64_t of_files = execute | write_file | read_file | truncate;

long landlock_version() { return ::syscall(create_ruleset_call, nullptr, 0, 1U); }

std::uint64_t handled_rights() {
  const long version = landlock_version();
  return first_version | (version >= 2 ? refer : 0) | (version >= 3 ? truncate : 0);
}

void allow(int ruleset, const fs::path& path, std::uint64_t rights) {
  const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (place.number() < 0) {
    if (errno == ENOENT) return;  // what is not there need not be allowed
    fail(path.string());
  }
  struct stat about {};
  if (::fstat(place.number(), &about) != 0) fail(path.string());
  if (!S_ISDIR(about.st_mode)) rights &= of_files;
  const PathRule rule{rights & handled_rights(), place.number()};
  if (::syscall(add_rule_call, ruleset, 1, &rule, 0U) != 0) fail("Landlock: " + path.string());
}

int ruleset_for(const ConfinedCommand& command) {
  const RulesetAttribute attribute{handled_rights()};
  const int ruleset =
      static_cast<int>(::syscall(create_ruleset_call, &attribute, sizeof attribute, 0U));
  if (ruleset < 0) fail("Landlock");
  try {
    for (const fs::path& path : command.readable) {
      allow(ruleset, path, execute | read_file | read_folder);
    }
    allow(ruleset, "/dev/null", read_file | write_file);
    // It makes and removes files there, and neither links nor devices.
    constexpr std::uint64_t make_device = (1ULL << 6U) | (1ULL << 11U);
    allow(ruleset, command.folder, handled_rights() & ~(execute | make_device));
  } catch (...) {
    ::close(ruleset);
    throw;
  }
  return ruleset;
}

// --- seccomp -------------------------------------------------------------------------------------

// Calls that nobody compiles or computes with.
constexpr std::array refused_calls{SYS_socket,
                                   SYS_socketpair,
                                   SYS_connect,
                                   SYS_bind,
                                   SYS_listen,
                                   SYS_accept,
                                   SYS_accept4,
                                   SYS_sendto,
                                   SYS_sendmsg,
                                   SYS_sendmmsg,
                                   SYS_recvfrom,
                                   SYS_recvmsg,
                                   SYS_recvmmsg,
                                   SYS_ptrace,
                                   SYS_process_vm_readv,
                                   SYS_process_vm_writev,
                                   SYS_mount,
                                   SYS_umount2,
                                   SYS_pivot_root,
                                   SYS_chroot,
                                   SYS_setns,
                                   SYS_unshare,
                                   SYS_keyctl,
                                   SYS_add_key,
                                   SYS_request_key,
                                   SYS_bpf,
                                   SYS_perf_event_open,
                                   SYS_userfaultfd,
                                   SYS_io_uring_setup,
                                   SYS_io_uring_enter,
                                   SYS_io_uring_register,
                                   SYS_open_by_handle_at,
                                   SYS_name_to_handle_at,
                                   SYS_kexec_load,
                                   SYS_kexec_file_load,
                                   SYS_init_module,
                                   SYS_finit_module,
                                   SYS_delete_module,
                                   SYS_reboot,
                                   SYS_swapon,
                                   SYS_swapoff,
                                   SYS_settimeofday,
                                   SYS_clock_settime,
                                   SYS_adjtimex,
                                   SYS_clock_adjtime,
                                   SYS_sethostname,
                                   SYS_setdomainname,
                                   SYS_acct,
                                   SYS_quotactl,
                                   SYS_syslog,
                                   SYS_iopl,
                                   SYS_ioperm,
                                   SYS_modify_ldt,
                                   SYS_kcmp,
                                   SYS_pidfd_open,
                                   SYS_pidfd_send_signal,
                                   SYS_pidfd_getfd,
                                   SYS_rt_sigqueueinfo,
                                   SYS_rt_tgsigqueueinfo,
                                   SYS_move_mount,
                                   SYS_open_tree,
                                   SYS_fsopen,
                                   SYS_fsmount,
                                   SYS_fsconfig,
                                   SYS_fspick,
                                   SYS_mknod,
                                   SYS_mknodat,
                                   SYS_msgget,
                                   SYS_semget,
                                   SYS_shmget,
                                   SYS_mq_open,
                                   SYS_personality,
                                   SYS_vhangup,
                                   SYS_lookup_dcookie};

constexpr std::array starting_calls{SYS_execveat, SYS_fork, SYS_vfork};

constexpr unsigned new_namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

sock_filter statement(unsigned code, unsigned value) {
  return {static_cast<std::uint16_t>(code), 0, 0, value};
}
sock_filter jump(unsigned code, unsigned value, unsigned if_true, unsigned if_false) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(if_true),
          static_cast<std::uint8_t>(if_false), value};
}

std::vector<sock_filter> filter_for(bool may_start_programs) {
  constexpr unsigned load = BPF_LD | BPF_W | BPF_ABS;
  constexpr unsigned equal = BPF_JMP | BPF_JEQ | BPF_K;
  const auto answer = [](unsigned value) { return statement(BPF_RET | BPF_K, value); };
  const unsigned no = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> filter{
      statement(load, offsetof(seccomp_data, arch)),
      jump(equal, AUDIT_ARCH_X86_64, 1, 0),
      answer(SECCOMP_RET_KILL_PROCESS),
      statement(load, offsetof(seccomp_data, nr)),
      jump(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1),  // x32
      answer(SECCOMP_RET_KILL_PROCESS),
  };
  const auto refuse = [&](long call, unsigned with) {
    filter.push_back(jump(equal, static_cast<unsigned>(call), 0, 1));
    filter.push_back(answer(with));
  };
  for (const long call : refused_calls) refuse(call, no);
  if (!may_start_programs) {
    for (const long call : starting_calls) refuse(call, no);
  }
  // Its arguments are in memory, where a filter cannot look; the C library then calls clone.
  refuse(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
  filter.push_back(jump(equal, SYS_clone, 0, may_start_programs ? 4 : 6));
  filter.push_back(statement(load, offsetof(seccomp_data, args)));
  filter.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, new_namespaces, 0, 1));
  filter.push_back(answer(no));
  if (!may_start_programs) {  // threads only
    filter.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0));
    filter.push_back(answer(no));
  }
  filter.push_back(answer(SECCOMP_RET_ALLOW));
  filter.push_back(answer(SECCOMP_RET_ALLOW));
  return filter;
}

// --- processes -----------------------------------------------------------------------------------

// All that the new processes need, made before the first fork: a process with threads may call
// little after it.
struct Prepared {
  std::vector<char*> words;
  std::vector<char*> environment;
  std::string folder;
  std::string user_map;
  std::string group_map;
  int input = -1;
  int output = -1;
  int messages = -1;
  int ruleset = -1;  // -1: no Landlock
  std::vector<sock_filter> filter;
  rlim_t seconds = 0;
  rlim_t memory = 0;
  rlim_t file = 0;
  bool namespaces = false;
};

void write_file_of_kernel(const char* path, const std::string& text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, text.data(), text.size());
  ::close(file);
}

[[noreturn]] void say_and_end(const char* what) {
  const char* why = ::strerrordesc_np(errno);
  for (const char* part : {"tandem: cannot confine a process: ", what, ": ", why, "\n"}) {
    if (part == nullptr) continue;
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, part, std::strlen(part));
  }
  ::_exit(125);
}

void limit(int what, rlim_t value) {
  const rlimit both{value, value};
  if (::setrlimit(static_cast<__rlimit_resource_t>(what), &both) != 0) say_and_end("setrlimit");
}

// Becomes the command.
[[noreturn]] void become(const Prepared& p) {
  if (::chdir(p.folder.c_str()) != 0) say_and_end("its folder");
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, p.file);
  limit(RLIMIT_NOFILE, 256);
  // The soft limit ends it by a signal that tells why.
  const rlimit processor{p.seconds, p.seconds + 1};
  if (::setrlimit(RLIMIT_CPU, &processor) != 0) say_and_end("setrlimit");
  if (p.memory != 0) limit(RLIMIT_AS, p.memory);
  // Processes are counted by user, and by namespace: outside of one, other work of this user would
  // count too.
  if (p.namespaces) limit(RLIMIT_NPROC, 256);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) say_and_end("no_new_privs");
  if (p.ruleset >= 0 && ::syscall(restrict_self_call, p.ruleset, 0U) != 0) say_and_end("Landlock");
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) {
    for (int i = 3; i < 4096; ++i) ::close(i);
  }
  sock_fprog program{static_cast<unsigned short>(p.filter.size()),
                     const_cast<sock_filter*>(p.filter.data())};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) say_and_end("seccomp");
  ::execve(p.words.front(), p.words.data(), p.environment.data());
  say_and_end(p.words.front());
}

// Ends as the child did.
[[noreturn]] void end_as(pid_t child) {
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) ::_exit(125);
  }
  // A process that is the first of its namespace cannot be ended by most signals of its own.
  ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

[[noreturn]] void begin(const Prepared& p) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) {
    if (number != SIGKILL && number != SIGSTOP) (void)::signal(number, SIG_DFL);
  }
  if (::dup2(p.input, 0) < 0 || ::dup2(p.output, 1) < 0 || ::dup2(p.messages, 2) < 0) {
    ::_exit(125);
  }
  if (p.namespaces) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
      say_and_end("namespaces");
    }
    write_file_of_kernel("/proc/self/setgroups", "deny");
    write_file_of_kernel("/proc/self/uid_map", p.user_map);
    write_file_of_kernel("/proc/self/gid_map", p.group_map);
    // The first process of the namespace: when it ends, all others in it are ended.
    const pid_t first = ::fork();
    if (first < 0) say_and_end("fork");
    if (first != 0) end_as(first);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  }
  const pid_t worker = ::fork();
  if (worker < 0) say_and_end("fork");
  if (worker != 0) end_as(worker);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  become(p);
}

int anonymous_file(const char* name, const std::string& content) {
  const int file = ::memfd_create(name, MFD_CLOEXEC);
  if (file < 0) fail("memfd_create");
  for (std::size_t at = 0; at < content.size();) {
    const ssize_t written = ::write(file, content.data() + at, content.size() - at);
    if (written < 0) {
      if (errno == EINTR) continue;
      ::close(file);
      fail("a file in memory");
    }
    at += static_cast<std::size_t>(written);
  }
  if (::lseek(file, 0, SEEK_SET) < 0) fail("a file in memory");
  return file;
}

std::string content_of(int file, std::uint64_t most) {
  struct stat about {};
  if (::fstat(file, &about) != 0) fail("a file in memory");
  std::string text(std::min(static_cast<std::uint64_t>(about.st_size), most), '\0');
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t got = ::pread(file, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      text.resize(at);
      break;
    }
    at += static_cast<std::size_t>(got);
  }
  return text;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// Whether a child may make namespaces of its own.
bool namespaces_are_allowed() {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    const bool made =
        ::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0;
    ::_exit(made ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

const Confinement& available_confinement() {
  static const Confinement available{landlock_version() >= 1, namespaces_are_allowed()};
  return available;
}

ConfinedResult run_confined(const ConfinedCommand& command, bool (*stopped)()) {
  const Confinement& available = available_confinement();
  if (!available.files && !command.weakly) {
    throw SystemError(
        "this system has no Landlock (Linux 5.13, listed in /sys/kernel/security/lsm), without "
        "which a submission could read files of this machine; --trusted grades sources that you "
        "trust all the same");
  }
  Prepared p;
  p.words = pointers(command.words);
  p.environment = pointers(command.environment);
  p.folder = command.folder.string();
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  p.user_map = user + " " + user + " 1";
  p.group_map = group + " " + group + " 1";
  const Descriptor input(anonymous_file("input", command.input));
  const Descriptor output(anonymous_file("output", {}));
  const Descriptor messages(anonymous_file("messages", {}));
  const Descriptor ruleset(available.files ? ruleset_for(command) : -1);
  p.input = input.number();
  p.output = output.number();
  p.messages = messages.number();
  p.ruleset = ruleset.number();
  p.filter = filter_for(command.may_start_programs);
  p.seconds = static_cast<rlim_t>(std::ceil(command.seconds));
  p.memory = command.memory_bytes;
  p.file = command.file_bytes;
  p.namespaces = available.namespaces;

  const pid_t child = ::fork();
  if (child < 0) fail("cannot start a process");
  if (child == 0) begin(p);

  ConfinedResult result;
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  bool interrupted = false;
  for (int pause = 1;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) fail("cannot wait for a process");
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    interrupted = interrupted || (stopped != nullptr && stopped());
    if (interrupted || passed.count() > command.wall_seconds) {
      result.late = !interrupted;
      ::kill(-child, SIGKILL);
      ::kill(child, SIGKILL);
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      break;
    }
    ::poll(nullptr, 0, pause);
    pause = std::min(pause + 1, 20);
  }
  if (interrupted) throw Interrupted("stopped because an interrupt was received");
  if (WIFSIGNALED(status)) {
    result.signal = WTERMSIG(status);
  } else if (WEXITSTATUS(status) > 128) {
    result.signal = WEXITSTATUS(status) - 128;
  } else {
    result.status = WEXITSTATUS(status);
  }
  // Of processor time, by the limit.
  if (result.signal == SIGXCPU) result.late = true;
  result.output = content_of(output.number(), command.file_bytes);
  constexpr std::uint64_t most_messages = 1 << 20;
  result.messages = content_of(messages.number(), most_messages);
  if (result.status == 125 && result.messages.starts_with("tandem: cannot confine")) {
    std::string why = result.messages.substr(8);
    while (why.ends_with('\n')) why.pop_back();
    throw SystemError(why);
  }
  return result;
}

}  // namespace tandem::course
