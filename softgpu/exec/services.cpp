#include "softgpu/exec/services.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "softgpu/exec/device_runtime.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/exec/service_call.hpp"

namespace softgpu {
namespace {

constexpr int error_assert = 710;
constexpr int error_illegal_address = 700;
constexpr std::size_t longest_text = 1 << 20;

// A text in the kernel's memory.
std::string text_at(Warp& w, const Op* op, int lane, std::uint64_t address) {
  std::string text;
  if (address == 0) return "(null)";
  for (; text.size() < longest_text; ++address) {
    const auto c = static_cast<char>(*checked_address(w, op, lane, address, 1, false));
    if (c == '\0') break;
    text += c;
  }
  return text;
}

// --- printf -------------------------------------------------------------------------------------

std::mutex output_mutex;
std::string output;
constexpr std::size_t output_kept = 1 << 20;

template <class T>
T read_argument(Warp& w, const Op* op, int lane, std::uint64_t& at) {
  at = (at + sizeof(T) - 1) / sizeof(T) * sizeof(T);
  T value;
  std::memcpy(&value, checked_address(w, op, lane, at, sizeof(T), false), sizeof value);
  at += sizeof(T);
  return value;
}

template <class T>
void append(std::string& to, const std::string& format, T value) {
  char small[256];
  const int length = std::snprintf(small, sizeof small, format.c_str(), value);
  if (length < 0) return;
  if (static_cast<std::size_t>(length) < sizeof small) {
    to += small;
    return;
  }
  std::vector<char> large(static_cast<std::size_t>(length) + 1);
  (void)std::snprintf(large.data(), large.size(), format.c_str(), value);
  to += large.data();
}

// The arguments lie in a buffer as in a struct: each at a multiple of its size; char to int and
// float to double are promoted (CUDA Programming Guide, "Formatted Output").
std::string format_text(Warp& w, const Op* op, int lane, const std::string& format,
                        std::uint64_t at) {
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    std::string spec = "%";
    std::size_t k = i + 1;
    bool wide = false;
    for (; k < format.size(); ++k) {
      const char c = format[k];
      if (std::string_view("-+ #0.'").find(c) != std::string_view::npos || (c >= '0' && c <= '9')) {
        spec += c;
      } else if (c == '*') {
        spec += std::to_string(read_argument<std::int32_t>(w, op, lane, at));
      } else if (c == 'l' || c == 'z' || c == 'j' || c == 't') {
        wide = true;
      } else if (c != 'h' && c != 'L') {
        break;
      }
    }
    if (spec.size() > 64) spec = "%";
    if (k >= format.size()) {
      text += format.substr(i);
      break;
    }
    const char c = format[k];
    i = k;
    switch (c) {
      case '%': text += '%'; break;
      case 'd':
      case 'i':
        if (wide)
          append(text, spec + "lld", read_argument<long long>(w, op, lane, at));
        else
          append(text, spec + "d", read_argument<std::int32_t>(w, op, lane, at));
        break;
      case 'u':
      case 'x':
      case 'X':
      case 'o':
        if (wide)
          append(text, spec + "ll" + c, read_argument<unsigned long long>(w, op, lane, at));
        else
          append(text, spec + c, read_argument<std::uint32_t>(w, op, lane, at));
        break;
      case 'c': append(text, spec + c, read_argument<std::int32_t>(w, op, lane, at)); break;
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
      case 'a':
      case 'A': append(text, spec + c, read_argument<double>(w, op, lane, at)); break;
      case 'p':
        append(text, spec + c,
               reinterpret_cast<void*>(read_argument<std::uint64_t>(w, op, lane, at)));
        break;
      case 's':
        append(text, spec + c,
               text_at(w, op, lane, read_argument<std::uint64_t>(w, op, lane, at)).c_str());
        break;
      default: text += spec + c; break;
    }
  }
  return text;
}

void print(Warp& w, const Op* op, std::uint32_t mask) {
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const std::string format = text_at(w, op, l, argument<std::uint64_t>(w, op, 0, l));
    const std::string text = format_text(w, op, l, format, argument<std::uint64_t>(w, op, 1, l));
    {
      const std::lock_guard lock(output_mutex);
      output += text;
      if (output.size() > output_kept) {
        std::fwrite(output.data(), 1, output.size(), stdout);
        output.clear();
      }
    }
    std::int32_t arguments = 0;
    for (std::size_t i = 0; i + 1 < format.size(); ++i) {
      if (format[i] != '%') continue;
      if (format[i + 1] == '%')
        ++i;
      else
        ++arguments;
    }
    result<std::int32_t>(w, op, l, arguments);
  }
}

// All threads whose assertions fail are heard, as on a device, up to a number that a person reads:
// the threads end here, and the others go on for as long as that takes. They may wait for the ended
// ones, so it takes a quarter of a second at most.
void fail_assertion(Warp& w, const Op* op, std::uint32_t mask) {
  constexpr int most = 64;
  constexpr std::chrono::milliseconds longest{250};
  Launch& launch = *w.block->launch;
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const std::string message = text_at(w, op, l, argument<std::uint64_t>(w, op, 0, l));
    const std::string file = text_at(w, op, l, argument<std::uint64_t>(w, op, 1, l));
    const auto line = argument<std::uint32_t>(w, op, 2, l);
    const std::string function = text_at(w, op, l, argument<std::uint64_t>(w, op, 3, l));
    const Dim3 block = w.block->at;
    const Dim3 thread = thread_of(w, l);
    const auto place = [](const Dim3& at) {
      return "[" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) +
             "]";
    };
    // Word for word what CUDA prints: programs and their tests look for it.
    const std::string text = file + ":" + std::to_string(line) + ": " + function +
                             ": block: " + place(block) + ", thread: " + place(thread) +
                             " Assertion `" + message + "` failed.";
    std::int64_t none = 0;
    launch.assertion_deadline.compare_exchange_strong(
        none, (std::chrono::steady_clock::now() + longest).time_since_epoch().count());
    keep_fault(w, op, l, error_assert, text);
    const int number = launch.assertions.fetch_add(1);
    if (number < most) std::fprintf(stderr, "%s\n", text.c_str());
    if (number == most) {
      std::fprintf(stderr, "softgpu: the assertions of more threads failed than are shown (%d)\n",
                   most);
      launch.failed = true;
    }
  }
  if (launch.failed) throw KernelFault{};
  w.ending = mask;
}

// --- heap ---------------------------------------------------------------------------------------

std::mutex heap_mutex;
std::size_t heap_limit = std::size_t{8} << 20;
std::size_t heap_used = 0;
std::map<std::uint64_t, std::size_t> heap_blocks;

void allocate(Warp& w, const Op* op, std::uint32_t mask) {
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const auto bytes = argument<std::uint64_t>(w, op, 0, l);
    result<std::uint64_t>(
        w, op, l,
        allocate_on_device_heap(static_cast<std::size_t>(bytes), w.block->launch->device));
  }
}

void release(Warp& w, const Op* op, std::uint32_t mask) {
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const auto address = argument<std::uint64_t>(w, op, 0, l);
    if (address == 0) continue;
    if (!free_on_device_heap(address)) {
      raise_fault(w, op, l, error_illegal_address,
                  "free() of an address that malloc() in a kernel did not give, or gave and that "
                  "was freed");
    }
    for (auto& range : w.cache) range = RangeCache{};
  }
}

struct Entry {
  std::string_view name;
  Service service;
};
constexpr std::array<Entry, 4> services = {{{"vprintf", print},
                                            {"__assertfail", fail_assertion},
                                            {"malloc", allocate},
                                            {"free", release}}};

}  // namespace

Service find_service(std::string_view name) {
  for (const auto& entry : services) {
    if (entry.name == name) return entry.service;
  }
  return find_device_runtime_service(name);
}

std::uint64_t allocate_on_device_heap(std::size_t bytes, int device) {
  const std::lock_guard lock(heap_mutex);
  if (bytes == 0 || bytes > heap_limit - std::min(heap_used, heap_limit)) return 0;
  void* memory = Memory::instance().allocate(bytes, MemoryKind::device, device, 16);
  if (memory == nullptr) return 0;
  const auto address = reinterpret_cast<std::uint64_t>(memory);
  heap_blocks[address] = bytes;
  heap_used += bytes;
  return address;
}

bool free_on_device_heap(std::uint64_t address) {
  const std::lock_guard lock(heap_mutex);
  const auto found = heap_blocks.find(address);
  if (found == heap_blocks.end()) return false;
  heap_used -= found->second;
  heap_blocks.erase(found);
  Memory::instance().release(reinterpret_cast<void*>(address));
  return true;
}

bool on_device_heap(std::uint64_t address) {
  const std::lock_guard lock(heap_mutex);
  const auto next = heap_blocks.upper_bound(address);
  if (next == heap_blocks.begin()) return false;
  const auto& [begin, bytes] = *std::prev(next);
  return address - begin < bytes;
}

void set_device_heap(std::size_t bytes) {
  const std::lock_guard lock(heap_mutex);
  heap_limit = bytes;
}
std::size_t device_heap() {
  const std::lock_guard lock(heap_mutex);
  return heap_limit;
}

void flush_device_output() {
  std::string text;
  {
    const std::lock_guard lock(output_mutex);
    text.swap(output);
  }
  if (text.empty()) return;
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace softgpu
