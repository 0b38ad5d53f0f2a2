#include "softgpu/runtime/errors.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/host.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/profile.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/state.hpp"

namespace softgpu::cuda {
namespace {

constexpr int default_fault_status = 86;
constexpr std::size_t frames_kept = 6;     // of the callers, which may be wrappers of launches
constexpr std::size_t most_kept = 1000;    // errors
constexpr std::size_t most_listed = 20;    // of them at the end
constexpr std::size_t most_reasons = 100;  // printed

using Callers = std::array<const void*, frames_kept>;

struct Returned {
  cudaError_t error = cudaSuccess;
  std::uint64_t thread = 0;
  std::string call;
  Callers callers{};
  int times = 1;
};

struct Book {
  std::mutex mutex;
  std::vector<Returned> unreceived;
  std::set<std::pair<std::string, std::string>> reasons;  // that were printed: call and text
  std::set<cudaError_t> sticky;                           // that were returned once
};
std::atomic<Book*>& current_book() {
  static auto* book = new std::atomic<Book*>(new Book);  // outlives every static of the program
  return *book;
}
Book& book() { return *current_book().load(); }
std::atomic<int> faults{0};
pid_t process = 0;

// The name of the interface's function that is running, and where it was called.
std::string find_call(Callers& callers) {
  std::array<void*, 64> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  Dl_info self{};
  if (::dladdr(reinterpret_cast<const void*>(&find_call), &self) == 0) return "";
  std::string call;
  std::size_t kept = 0;
  for (int i = 0; i < count && kept < callers.size(); ++i) {
    // The address that a call returns to may be the next function's.
    const auto* at = static_cast<const char*>(frames[static_cast<std::size_t>(i)]) - 1;
    Dl_info info{};
    if (::dladdr(at, &info) == 0) break;
    if (info.dli_fbase != self.dli_fbase) {
      callers[kept++] = at;
    } else if (kept > 0) {
      break;  // the program was called from here: from a host function, perhaps
    } else if (info.dli_sname != nullptr) {
      call = info.dli_sname;
    }
  }
  return call;
}

// --- where, for a person ------------------------------------------------------------------------

struct Function {
  std::string name;
  std::uint64_t begin = 0;
};

// The function of an executable file or library that contains `address`, from its table of symbols.
Function find_function_symbol(const std::string& file, std::uint64_t base, std::uint64_t address) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto read = [&](std::uint64_t at, auto& value) {
    if (at > bytes.size() || bytes.size() - at < sizeof value) return false;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return true;
  };
  Function found;
  Elf64_Ehdr head;
  if (!read(0, head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
      head.e_ident[EI_CLASS] != ELFCLASS64) {
    return found;
  }
  const std::uint64_t wanted = head.e_type == ET_EXEC ? address : address - base;
  for (unsigned i = 0; i < head.e_shnum; ++i) {
    Elf64_Shdr section;
    Elf64_Shdr names;
    if (!read(head.e_shoff + i * sizeof section, section) || section.sh_type != SHT_SYMTAB ||
        !read(head.e_shoff + section.sh_link * sizeof names, names)) {
      continue;
    }
    for (std::uint64_t k = 0; k < section.sh_size / sizeof(Elf64_Sym); ++k) {
      Elf64_Sym symbol;
      if (!read(section.sh_offset + k * sizeof symbol, symbol)) break;
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || wanted < symbol.st_value ||
          wanted >= symbol.st_value + std::max<std::uint64_t>(symbol.st_size, 1)) {
        continue;
      }
      const std::uint64_t at = names.sh_offset + symbol.st_name;
      if (at >= bytes.size()) continue;
      found.name = std::string(bytes.c_str() + at);
      found.begin = address - wanted + symbol.st_value;
    }
  }
  return found;
}

// Functions that nvcc puts between `kernel<<<...>>>` and the call that launches.
bool belongs_to_launch(const Function& function) {
  return function.name.find("__device_stub__") != std::string::npos ||
         function.name.find("cudaLaunchKernel") != std::string::npos ||
         is_kernel(reinterpret_cast<const void*>(function.begin));
}

std::string describe_caller(const Callers& callers) {
  std::string first;
  for (const void* at : callers) {
    Dl_info info{};
    if (at == nullptr || ::dladdr(at, &info) == 0) break;
    const auto base = reinterpret_cast<std::uint64_t>(info.dli_fbase);
    const auto address = reinterpret_cast<std::uint64_t>(at);
    std::string file = info.dli_fname == nullptr ? "" : info.dli_fname;
    // The program may have changed its folder since.
    const Function function = find_function_symbol(
        file.find(".so") == std::string::npos ? "/proc/self/exe" : file, base, address);
    const std::string name = !function.name.empty()      ? function.name
                             : info.dli_sname != nullptr ? info.dli_sname
                                                         : "";
    char offset[32];
    std::snprintf(offset, sizeof offset, "+0x%llx",
                  static_cast<unsigned long long>(address - base));
    // Without the parameters: the place says the rest.
    std::string readable = readable_name(name);
    if (const auto end = readable.find('(');
        end != std::string::npos && end > 0 && readable.find("operator") == std::string::npos) {
      readable.erase(end);
    }
    const std::string text = (name.empty() ? "" : "in " + readable + ", ") + "at " + file + offset;
    if (first.empty()) first = text;
    if (!belongs_to_launch(function)) return text;
  }
  return first;
}

check::Callers find_callers() {
  Callers callers{};
  (void)find_call(callers);
  return {callers.begin(), callers.end()};
}
std::string describe_callers(const check::Callers& callers) {
  Callers some{};
  std::copy_n(callers.begin(), std::min(callers.size(), some.size()), some.begin());
  return describe_caller(some);
}

// --- the end ------------------------------------------------------------------------------------

void list_unreceived() {
  std::vector<Returned> all;
  {
    const std::lock_guard lock(book().mutex);
    all.swap(book().unreceived);
  }
  if (all.empty()) return;
  if (!options().check)
    complain(
        "calls returned errors that the program has not asked about (cudaGetLastError, "
        "cudaPeekAtLastError, cudaGetErrorString, cudaGetErrorName):");
  for (std::size_t i = 0; i < all.size() && i < most_listed; ++i) {
    const Returned& one = all[i];
    std::string text =
        "  " + one.call + " returned " + name_of(one.error) + " (" + text_of(one.error) + ")";
    if (const std::string where = describe_caller(one.callers); !where.empty()) {
      text += ", called " + where;
    }
    if (one.times > 1) text += ", " + std::to_string(one.times) + " times";
    if (!options().check) complain(text);
    check::error_unasked(one.call, name_of(one.error), describe_caller(one.callers));
  }
  if (all.size() > most_listed) {
    complain("  and " + std::to_string(all.size() - most_listed) + " more");
  }
}

// The status that the process ends with where the program wants `status`.
int status_at_end(int status) {
  if (::getpid() != process) return status;  // a copy of it, by vfork
  list_unreceived();
  if (options_are_read() && profile::recording()) profile::write_recorded();
  if (options_are_read() && options().check) {
    check::report_leaks();
    check::show_findings();
    if (status == 0 && check::error_count() != 0) return default_fault_status;
  }
  return status == 0 && faults.load() != 0 ? options().fault_status : status;
}
// Registered before anything of the program is, and so the last to run: destructors of the
// program's statics have had their say.
void at_exit(int status, void*) {
  if (::getpid() != process) return;
  std::fflush(nullptr);
  const int other = status_at_end(status);
  // The system's C library goes on with the handlers that are left, and ends with this status.
  if (other != status) std::exit(other);
}
// In a copy of the process, by fork: its parent's faults and errors are none of its own. The
// parent's book may be in use by a thread that the copy does not have.
void start_anew() {
  process = ::getpid();
  faults = 0;
  current_book() = new Book;
  check::forget_findings();
}
__attribute__((constructor)) void arm() {
  process = ::getpid();
  check::set_caller_finder(find_callers, describe_callers);
  (void)::on_exit(at_exit, nullptr);
  (void)::pthread_atfork(nullptr, nullptr, start_anew);
}

}  // namespace

void returned_error(cudaError_t error, const std::string& why) noexcept {
  try {
    Returned made;
    made.error = error;
    made.thread = thread().id;
    made.call = find_call(made.callers);
    if (made.call.empty()) made.call = "a call of CUDA";
    const bool stays = current_device().sticky.load() == static_cast<int>(error);
    std::string reason;
    {
      Book& all = book();
      const std::lock_guard lock(all.mutex);
      if (!why.empty() && all.reasons.size() < most_reasons &&
          all.reasons.emplace(made.call, why).second) {
        reason = made.call + " returns " + name_of(error) + ": " + why;
      }
      const auto same = std::ranges::find_if(all.unreceived, [&](const Returned& one) {
        return one.error == error && one.thread == made.thread && one.call == made.call &&
               one.callers == made.callers;
      });
      // After a fault all calls return it; one is enough.
      if (stays && !all.sticky.insert(error).second) {
      } else if (same != all.unreceived.end()) {
        ++same->times;
      } else if (all.unreceived.size() < most_kept) {
        all.unreceived.push_back(std::move(made));
      }
    }
    if (!reason.empty()) complain(reason);
    if (options().check && !stays) {
      Callers callers{};
      const std::string call = find_call(callers);
      check::call_failed(call, name_of(error), why, describe_caller(callers));
    }
  } catch (...) {
    // Out of memory: the error itself is returned anyway.
  }
}

void received_errors(std::uint64_t thread) noexcept {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.unreceived, [&](const Returned& one) { return one.thread == thread; });
}

void received_error(cudaError_t error) noexcept {
  Book& all = book();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.unreceived, [&](const Returned& one) { return one.error == error; });
}

void kernel_faulted() {
  ++faults;
  if (!options().stop_at_fault) return;
  flush_device_output();
  finish_report();
  if (profile::recording()) profile::write_recorded();
  std::fflush(nullptr);
  // Not exit(): other threads may run, and the program's own destructors wait for them.
  std::_Exit(options().fault_status != 0 ? options().fault_status : default_fault_status);
}

}  // namespace softgpu::cuda

// A program that ends by these has no handlers run; they are the C library's but for the status.
extern "C" {
__attribute__((visibility("default"))) void _exit(int status) {
  for (;;) ::syscall(SYS_exit_group, softgpu::cuda::status_at_end(status));
}
__attribute__((visibility("default"))) void _Exit(int status) noexcept { ::_exit(status); }
__attribute__((visibility("default"))) void quick_exit(int status) noexcept {
  const auto own = reinterpret_cast<void (*)(int)>(::dlsym(RTLD_NEXT, "quick_exit"));
  if (own != nullptr) own(softgpu::cuda::status_at_end(status));
  ::_exit(status);
}
}
