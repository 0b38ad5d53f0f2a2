// Runs one PTX instruction over many operands and compares every result.
//
// A form is an instruction as it is written, with its operands in the registers %a, %b, %c, %f and
// its results in %d, %e:
//
//   check({"add.sat.s32 %d, %a, %b;", {"s32"}, {"s32", "s32"}},
//         tuples({integers(32), integers(32)}), [](const Tuple& in) { return ...; });
//
// It becomes three kernels in which each thread loads its operands, executes the instruction and
// stores the results: plain; under a guard that half the threads do not pass, where their
// destination has to keep its value; and with the destination in the place of the first operand.
// Blocks have two and a half warps and the last warp is cut by a branch as well. Every kernel runs
// on each instruction set that the processor has.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iomanip>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/machine.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::test {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;
__extension__ using u128 = unsigned __int128;
__extension__ using s128 = __int128;

inline std::string hex(u128 value) {
  std::ostringstream out;
  out << "0x" << std::hex;
  if ((value >> 64) != 0) {
    out << static_cast<u64>(value >> 64) << std::setw(16) << std::setfill('0');
  }
  out << static_cast<u64>(value);
  return out.str();
}

// --- device memory and launches ------------------------------------------------------------------

class Buffer {
 public:
  explicit Buffer(std::size_t bytes, std::size_t align = 256)
      : data_(static_cast<std::byte*>(Memory::instance().allocate(std::max<std::size_t>(bytes, 1),
                                                                  MemoryKind::device, 0, align))),
        bytes_(bytes) {
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(data_, 0, bytes);
  }
  ~Buffer() {
    if (data_ != nullptr) Memory::instance().release(data_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  [[nodiscard]] u64 address() const { return reinterpret_cast<u64>(data_); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::byte* data() const { return data_; }
  template <class T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }
  void release() {
    Memory::instance().release(data_);
    data_ = nullptr;
  }

 private:
  std::byte* data_;
  std::size_t bytes_;
};

// A kernel's parameters in order, each aligned to its size.
class Parameters {
 public:
  template <class T>
  Parameters& add(T value) {
    const std::size_t at = (bytes_.size() + sizeof value - 1) / sizeof value * sizeof value;
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    return *this;
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

inline const char* module_head() { return ".version 9.0\n.target sm_90\n.address_size 64\n"; }

inline Fault launch(Program& program, std::string_view kernel, Dim3 grid, Dim3 threads,
                    const Parameters& parameters, u32 dynamic_shared = 0) {
  Launch launch;
  launch.code = program.kernel(kernel);
  if (launch.code == nullptr) return {500, "no kernel " + std::string(kernel)};
  launch.program = &program;
  launch.grid = grid;
  launch.threads = threads;
  launch.dynamic_shared = dynamic_shared;
  launch.parameters = parameters.bytes();
  return run_kernel(launch);
}

// Runs `body` once for each instruction set that this processor has.
inline void for_each_instruction_set(const std::function<void(const char*)>& body) {
  const std::vector<std::pair<const char*, SimdChoice>> all = {{"avx512", SimdChoice::avx512},
                                                               {"avx2", SimdChoice::avx2},
                                                               {"baseline", SimdChoice::baseline}};
  for (const auto& [name, choice] : all) {
    if (select_instruction_set(choice)) body(name);
  }
  select_instruction_set(SimdChoice::automatic);
}

// --- operands ------------------------------------------------------------------------------------

using Random = std::mt19937_64;
using Tuple = std::array<u128, 4>;

// Where an operand's values come from: all combinations of the corners are tried, then random ones.
struct Source {
  std::vector<u128> corners;
  std::function<u128(Random&)> random;
};

inline u128 low_bits(u128 value, int bits) {
  return bits >= 128 ? value : value & ((u128{1} << bits) - 1);
}

// Random integers of every magnitude, not only of the largest.
inline Source integers(int bits) {
  Source source;
  const u128 top = u128{1} << (bits - 1);
  for (const u128 x :
       {u128{0}, u128{1}, u128{2}, u128{3}, u128{7}, u128{0x55}, u128{0x80}, ~u128{0}, ~u128{1},
        ~u128{2}, top, top - 1, top + 1, top >> 1, (u128{1} << (bits / 2)),
        (u128{1} << (bits / 2)) - 1, (u128{1} << (bits / 2 - 1)), u128{0xaaaaaaaaaaaaaaaaU}}) {
    const u128 value = low_bits(x, bits);
    if (std::find(source.corners.begin(), source.corners.end(), value) == source.corners.end()) {
      source.corners.push_back(value);
    }
  }
  source.random = [bits](Random& random) {
    u128 value = (u128{random()} << 64) | random();
    const u64 how = random();
    if ((how & 3U) == 0) value >>= 127 - (how >> 8) % 127;
    if ((how & 3U) == 1) value = ~(value >> (127 - (how >> 8) % 127));
    return low_bits(value, bits);
  };
  return source;
}

// Unsigned values up to `last`, with a few far beyond.
inline Source amounts(u32 last) {
  Source source;
  for (u32 i = 0; i <= std::min(last, 33U); ++i) source.corners.push_back(i);
  for (const u32 x :
       {last - 1, last, last + 1, 0xffU, 0x100U, 0x8000U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    source.corners.push_back(x);
  }
  source.random = [last](Random& random) { return u128{random() % (last + 1)}; };
  return source;
}

inline Source choices(std::vector<u128> values) {
  Source source;
  source.corners = std::move(values);
  source.random = [all = source.corners](Random& random) { return all[random() % all.size()]; };
  return source;
}

inline Source predicates() { return choices({0, 1}); }

inline std::vector<Tuple> tuples(const std::vector<Source>& sources,
                                 std::size_t random_count = 1500, std::size_t most_corners = 2500) {
  std::vector<Tuple> all;
  Random random(20260101);
  std::size_t combinations = 1;
  for (const Source& source : sources) combinations *= source.corners.size();
  const auto add = [&](auto&& pick) {
    Tuple tuple{};
    for (std::size_t i = 0; i < sources.size(); ++i) tuple[i] = pick(sources[i]);
    all.push_back(tuple);
  };
  if (combinations <= most_corners) {
    for (std::size_t at = 0; at < combinations; ++at) {
      std::size_t rest = at;
      add([&](const Source& source) {
        const u128 value = source.corners[rest % source.corners.size()];
        rest /= source.corners.size();
        return value;
      });
    }
  } else {
    for (std::size_t i = 0; i < most_corners; ++i) {
      add([&](const Source& source) { return source.corners[random() % source.corners.size()]; });
    }
  }
  for (std::size_t i = 0; i < random_count; ++i) {
    add([&](const Source& source) {
      return random() % 8 == 0 ? source.corners[random() % source.corners.size()]
                               : source.random(random);
    });
  }
  // The last warp is a partial one.
  while (all.size() % 32 != 13) all.push_back(all[all.size() % 7]);
  return all;
}

// --- forms ---------------------------------------------------------------------------------------

struct Form {
  std::string text;
  std::vector<std::string> results;   // PTX register types of %d, %e
  std::vector<std::string> operands;  // of %a, %b, %c, %f
  std::string declarations = {};      // at the head of the kernel's body
};

// Bits of a register type; a predicate counts as one.
inline int bits_of(std::string_view type) {
  if (type == "pred") return 1;
  if (type == "f16x2" || type == "bf16x2") return 32;
  const std::size_t digits = type.find_first_of("0123456789");
  return std::atoi(std::string(type.substr(digits)).c_str());
}

// The bits that a destination holds before the instruction.
inline u128 preset(std::string_view type, int which) {
  if (type == "pred") return which == 0 ? 1 : 0;
  const u64 pattern = which == 0 ? 0x5aa5c33c1e1ed2b4ULL : 0xa1b2c3d4e5f60718ULL;
  return low_bits((u128{pattern} << 64) | pattern, bits_of(type));
}

inline bool guarded_lane(std::size_t i) { return ((i * 0x9e3779b97f4a7c15ULL) >> 62) % 2 == 0; }

namespace detail {

enum class Variant { plain, guarded, in_place };

inline std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Puts the guard before every statement.
inline std::string guard_statements(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(';', at), text.size() - 1);
    const std::size_t first = text.find_first_not_of(" \n\t", at);
    if (first == std::string::npos || first > end) break;
    out += "  @%guard " + text.substr(first, end + 1 - first) + "\n";
    at = end + 1;
  }
  return out;
}

inline std::string load(std::string_view type, const std::string& name, const std::string& array) {
  const int bits = bits_of(type);
  const std::string size = std::to_string(bits == 1 ? 4 : bits / 8);
  std::string text =
      "  ld.param.u64 %base, [" + array + "];\n  mad.wide.u32 %at, %i, " + size + ", %base;\n";
  if (type == "pred") {
    text += "  ld.global.u32 %word, [%at];\n  setp.ne.u32 " + name + ", %word, 0;\n";
  } else if (bits == 128) {
    text += "  ld.global.v2.b64 {%low, %high}, [%at];\n  mov.b128 " + name + ", {%low, %high};\n";
  } else {
    text += "  ld.global.b" + std::to_string(bits) + " " + name + ", [%at];\n";
  }
  return text;
}

inline std::string store(std::string_view type, const std::string& name, const std::string& array) {
  const int bits = bits_of(type);
  const std::string size = std::to_string(bits == 1 ? 4 : bits / 8);
  std::string text =
      "  ld.param.u64 %base, [" + array + "];\n  mad.wide.u32 %at, %i, " + size + ", %base;\n";
  if (type == "pred") {
    text += "  selp.u32 %word, 1, 0, " + name + ";\n  st.global.u32 [%at], %word;\n";
  } else if (bits == 128) {
    text += "  mov.b128 {%low, %high}, " + name + ";\n  st.global.v2.b64 [%at], {%low, %high};\n";
  } else {
    text += "  st.global.b" + std::to_string(bits) + " [%at], " + name + ";\n";
  }
  return text;
}

inline std::string register_type(std::string_view type) {
  if (type == "f16" || type == "bf16") return "b16";
  if (type == "f16x2" || type == "bf16x2") return "b32";
  return std::string(type);
}

inline const char* operand_name(std::size_t i) {
  static constexpr std::array<const char*, 4> names = {"%a", "%b", "%c", "%f"};
  return names.at(i);
}
inline const char* result_name(std::size_t i) { return i == 0 ? "%d" : "%e"; }

inline std::string kernel_text(const Form& form, Variant variant) {
  const bool in_place = variant == Variant::in_place;
  std::ostringstream out;
  out << ".visible .entry "
      << (variant == Variant::plain ? "plain"
          : in_place                ? "in_place"
                                    : "guarded")
      << "(.param .u32 count, .param .u64 guards, .param .u64 d0, .param .u64 d1, .param .u64 s0,"
         " .param .u64 s1, .param .u64 s2, .param .u64 s3)\n{\n"
      << "  .reg .pred %beyond, %guard;\n  .reg .b32 %i, %t, %n, %word;\n"
      << "  .reg .b64 %base, %at, %low, %high;\n"
      << form.declarations;
  for (std::size_t i = 0; i < form.results.size(); ++i) {
    out << "  .reg ." << register_type(form.results[i]) << " " << result_name(i) << ";\n";
  }
  for (std::size_t i = 0; i < form.operands.size(); ++i) {
    out << "  .reg ." << register_type(form.operands[i]) << " " << operand_name(i) << ";\n";
  }
  out << "  mov.u32 %t, %tid.x;\n  mov.u32 %n, %ntid.x;\n  mov.u32 %i, %ctaid.x;\n"
      << "  mad.lo.s32 %i, %i, %n, %t;\n  ld.param.u32 %n, [count];\n"
      << "  setp.ge.u32 %beyond, %i, %n;\n  @%beyond bra DONE;\n"
      << load("pred", "%guard", "guards");
  for (std::size_t i = 0; i < form.results.size(); ++i) {
    out << load(form.results[i], result_name(i), "d" + std::to_string(i));
  }
  for (std::size_t i = 0; i < form.operands.size(); ++i) {
    out << load(form.operands[i], operand_name(i), "s" + std::to_string(i));
  }
  const std::string text = in_place ? replace_all(form.text, "%d", "%a") : form.text;
  out << (variant == Variant::guarded ? guard_statements(text) : "  " + text + "\n");
  for (std::size_t i = 0; i < form.results.size(); ++i) {
    out << store(form.results[i], in_place && i == 0 ? "%a" : result_name(i),
                 "d" + std::to_string(i));
  }
  out << "DONE:\n  ret;\n}\n";
  return out.str();
}

}  // namespace detail

using Results = std::array<u128, 2>;
// Returns an empty string where `got` is right, else what is right.
using Judge = std::function<std::string(const Tuple& in, const Results& got)>;

inline void check_with(const Form& form, const std::vector<Tuple>& inputs, const Judge& judge) {
  const std::size_t count = inputs.size();
  const auto width = [](const std::string& type) {
    return type == "pred" ? std::size_t{4} : static_cast<std::size_t>(bits_of(type)) / 8;
  };
  const bool can_be_in_place = !form.results.empty() && !form.operands.empty() &&
                               form.results[0] == form.operands[0] &&
                               form.text.find("%d") != std::string::npos &&
                               std::count(form.text.begin(), form.text.end(), ';') == 1;

  std::string text = module_head();
  text += detail::kernel_text(form, detail::Variant::plain);
  text += detail::kernel_text(form, detail::Variant::guarded);
  if (can_be_in_place) text += detail::kernel_text(form, detail::Variant::in_place);

  std::vector<std::unique_ptr<Buffer>> operands;
  for (std::size_t k = 0; k < form.operands.size(); ++k) {
    const std::size_t bytes = width(form.operands[k]);
    operands.push_back(std::make_unique<Buffer>(bytes * count));
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(operands[k]->data() + i * bytes, &inputs[i][k], bytes);
    }
  }
  Buffer guards(4 * count);
  for (std::size_t i = 0; i < count; ++i) guards.as<u32>()[i] = guarded_lane(i) ? 1 : 0;
  std::vector<std::unique_ptr<Buffer>> results;
  for (const std::string& type : form.results) {
    results.push_back(std::make_unique<Buffer>(width(type) * count));
  }

  for_each_instruction_set([&](const char* instruction_set) {
    std::unique_ptr<Program> program;
    try {
      program = std::make_unique<Program>(std::vector<std::string>{text}, 0);
      for (const char* variant : {"plain", "guarded", "in_place"}) {
        const bool in_place = std::string_view(variant) == "in_place";
        if (in_place && !can_be_in_place) continue;
        const bool guarded = std::string_view(variant) == "guarded";
        for (std::size_t k = 0; k < results.size(); ++k) {
          const std::size_t bytes = width(form.results[k]);
          const u128 before = preset(form.results[k], static_cast<int>(k));
          for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(results[k]->data() + i * bytes, &before, bytes);
          }
        }
        Parameters parameters;
        parameters.add(static_cast<u32>(count)).add(guards.address());
        for (std::size_t k = 0; k < 2; ++k) {
          parameters.add(k < results.size() ? results[k]->address() : u64{0});
        }
        for (std::size_t k = 0; k < 4; ++k) {
          parameters.add(k < operands.size() ? operands[k]->address() : u64{0});
        }
        Dim3 grid;
        grid.x = static_cast<u32>((count + 79) / 80);
        Dim3 threads;
        threads.x = 80;
        const Fault fault = launch(*program, variant, grid, threads, parameters);
        ASSERT_EQ(fault.code, 0) << form.text << " (" << variant << ", " << instruction_set
                                 << "): " << fault.message;
        int reported = 0;
        for (std::size_t i = 0; i < count && reported < 4; ++i) {
          Results got{};
          for (std::size_t k = 0; k < results.size(); ++k) {
            const std::size_t bytes = width(form.results[k]);
            std::memcpy(&got[k], results[k]->data() + i * bytes, bytes);
          }
          std::string want;
          if (guarded && !guarded_lane(i)) {
            for (std::size_t k = 0; k < results.size(); ++k) {
              if (got[k] != preset(form.results[k], static_cast<int>(k))) {
                want = "the destination as it was: its guard is false";
              }
            }
          } else {
            want = judge(inputs[i], got);
          }
          if (want.empty()) continue;
          ++reported;
          std::ostringstream message;
          message << form.text << " (" << variant << ", " << instruction_set << ") tuple " << i
                  << ":";
          for (std::size_t k = 0; k < operands.size(); ++k) {
            message << " " << detail::operand_name(k) << "=" << hex(inputs[i][k]);
          }
          message << " gives " << hex(got[0]);
          if (results.size() > 1) message << ", " << hex(got[1]);
          ADD_FAILURE() << message.str() << "; expected " << want;
        }
      }
    } catch (const ProgramError& error) {
      FAIL() << form.text << " (" << instruction_set << "): " << error.what();
    }
  });
}

// The results are exactly these bits; `expected` returns one value or a Results of two.
template <class Expected>
void check(const Form& form, const std::vector<Tuple>& inputs, Expected&& expected) {
  check_with(form, inputs, [&](const Tuple& in, const Results& got) -> std::string {
    Results want{};
    if constexpr (std::is_convertible_v<decltype(expected(in)), Results>) {
      want = expected(in);
    } else {
      want[0] = static_cast<u128>(expected(in));
    }
    for (std::size_t k = 0; k < form.results.size(); ++k) {
      want[k] = low_bits(want[k], bits_of(form.results[k]));
      if (want[k] != got[k]) {
        return hex(want[0]) + (form.results.size() > 1
                                   ? ", " + hex(low_bits(want[1], bits_of(form.results[1])))
                                   : std::string());
      }
    }
    return {};
  });
}

}  // namespace softgpu::test
