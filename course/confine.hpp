// Processes that read what a stranger wrote: the compiler of a submission, and the program that
// runs its kernels. Such a process sees no files but those it is given, no network and no other
// process, and has limits on its time, memory and files.
//
// What confines it, by the kernel's own means:
//   limits      setrlimit: processor time, memory, sizes of files, cores; and the time on the wall,
//               after which it is killed
//   calls       seccomp: no sockets, no tracing, no mounts, no new namespaces, no keys, no loading
//               of programs into the kernel; a call of another architecture kills it
//   files       Landlock: reading and execution below the folders named, writing in one
//   namespaces  user, process, network, host name and IPC of its own, where the system allows it
// The first two always apply. Without Landlock a process is not started, unless the caller asks for
// that. Without namespaces the others still hold: what is lost is that processes which it leaves
// behind are ended with it, and a limit on their number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tandem::course {

struct Confinement {
  bool files = false;
  bool namespaces = false;
};
// What this system allows. Found out once.
[[nodiscard]] const Confinement& available_confinement();

struct ConfinedCommand {
  std::vector<std::string> words;        // the first is the program's path
  std::vector<std::string> environment;  // "NAME=VALUE"; all that it gets
  std::filesystem::path folder;          // its working folder, the only one that it may write to
  std::vector<std::filesystem::path> readable;  // folders and files that it may read and execute
  std::string input;                            // its standard input
  bool may_start_programs = false;              // a compiler does
  bool weakly = false;                          // also where there is no Landlock
  double seconds = 60;                          // of processor time
  double wall_seconds = 240;       // and on the wall, where other programs may be running too
  std::uint64_t memory_bytes = 0;  // of address space; 0: no limit
  std::uint64_t file_bytes = std::uint64_t{256} << 20;  // of each file, and of each output
};

struct ConfinedResult {
  int status = 0;     // of the process; 0 where a signal ended it
  int signal = 0;     // that ended it; 0: none
  bool late = false;  // it was ended because its time was over
  std::string output;
  std::string messages;  // standard error
};

// Runs it and waits. `stopped` is asked now and then; where it answers true the process is killed
// and Interrupted thrown. Throws SystemError where it cannot be started or confined.
[[nodiscard]] ConfinedResult run_confined(const ConfinedCommand& command, bool (*stopped)());

}  // namespace tandem::course
