// The requests that one execution of an operation makes of memory, by state space: said once for
// all observers that look at addresses (counters, the profiler).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "softgpu/exec/machine.hpp"
#include "softgpu/exec/matrix.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu {

inline constexpr std::uint32_t sector_bytes = 32;
inline constexpr std::uint32_t banks = 32;  // of shared memory, 4 bytes wide

// The addresses of one request in one state space: of global memory as they are, of shared and
// local memory as offsets into it.
struct Addresses {
  std::array<std::uint64_t, warp_size> at;
  std::array<std::uint8_t, warp_size> lane;
  std::uint32_t count;  // how many entries of the arrays are in use; the maker sets it to 0
  void add(std::uint64_t address, int l) {
    at[count] = address;
    lane[count++] = static_cast<std::uint8_t>(l);
  }
};

// Sorts and drops repetitions.
inline std::uint32_t distinct(std::uint64_t* values, std::uint32_t count) {
  bool sorted = true;
  for (std::uint32_t i = 1; i < count; ++i) sorted = sorted && values[i - 1] <= values[i];
  if (!sorted) std::sort(values, values + count);
  return static_cast<std::uint32_t>(std::unique(values, values + count) - values);
}

[[nodiscard]] inline std::uint64_t sectors_of(std::uint64_t address, std::uint64_t bytes) {
  return (address + bytes - 1) / sector_bytes - address / sector_bytes + 1;
}

// Accesses to shared memory of 8 bytes are done by half-warps, of 16 by quarters.
[[nodiscard]] inline std::uint32_t lanes_at_once(std::uint32_t size) {
  return size <= 4 ? banks : std::max<std::uint32_t>(4 * banks / size, 1);
}

// One step of a request to shared memory: the most words that one bank has to deliver. Equal words
// count once, but for atomics (`each`), which are done one after the other. Sorts `words`.
[[nodiscard]] inline std::uint64_t wavefronts_of(std::uint64_t* words, std::uint32_t count,
                                                 bool each) {
  if (!each) count = distinct(words, count);
  std::array<std::uint32_t, banks> at_bank{};
  std::uint32_t most = 0;
  for (std::uint32_t i = 0; i < count; ++i) most = std::max(most, ++at_bank[words[i] % banks]);
  return most;
}

// Wavefronts of shared memory: as they are, and without bank conflicts.
struct Wavefronts {
  std::uint64_t taken = 0;
  std::uint64_t ideal = 0;
};
[[nodiscard]] inline Wavefronts wavefronts_of(Way way, const Addresses& addresses,
                                              std::uint32_t size) {
  Wavefronts result;
  const std::uint32_t words_each = std::max<std::uint32_t>(size / 4, 1);
  const std::uint32_t together = lanes_at_once(size);
  std::array<std::uint64_t, std::size_t{2} * banks> words;
  for (std::uint32_t i = 0; i < addresses.count;) {
    const std::uint32_t part = addresses.lane[i] / together;
    std::uint32_t count = 0;
    for (; i < addresses.count && addresses.lane[i] / together == part; ++i) {
      for (std::uint32_t k = 0; k < words_each; ++k) words[count++] = addresses.at[i] / 4 + k;
    }
    result.taken += wavefronts_of(words.data(), count, way == Way::atomic);
    ++result.ideal;
  }
  return result;
}

// The same of a range that one request accesses in `lines` lines of `line` bytes that are `step`
// bytes apart: pieces of 16 bytes, eight at a time, as the hardware's matrix loads have it.
[[nodiscard]] inline Wavefronts wavefronts_of_lines(std::uint64_t address, std::uint64_t lines,
                                                    std::uint64_t line, std::uint64_t step) {
  Wavefronts result;
  std::array<std::uint64_t, banks> words;
  std::uint32_t count = 0;
  const auto flush = [&] {
    if (count == 0) return;
    result.taken += wavefronts_of(words.data(), count, false);
    ++result.ideal;
    count = 0;
  };
  for (std::uint64_t i = 0; i < lines; ++i) {
    for (std::uint64_t k = 0; k < line; k += 4) {
      words[count++] = (address + i * step + k) / 4;
      if (count == banks) flush();
    }
  }
  flush();
  return result;
}

// Addresses of a whole warp that are one, or that follow each other: most of them.
enum class Pattern : std::uint8_t { scattered, uniform, consecutive };
template <class Lane>
[[nodiscard]] Pattern pattern_of(const Lane* a, std::uint32_t size) {
  Lane differs = 0;
  Lane wrong = 0;
  const Lane first = a[0];
  const auto step = static_cast<Lane>(size);
  Lane expected = first;
  for (int l = 0; l < warp_size; ++l) {
    differs |= static_cast<Lane>(a[l] ^ first);
    wrong |= static_cast<Lane>(a[l] ^ expected);
    expected = static_cast<Lane>(expected + step);
  }
  return wrong == 0 ? Pattern::consecutive : differs == 0 ? Pattern::uniform : Pattern::scattered;
}

// Generic addresses of the lanes of `m`, by the space that each is in.
template <class Sink, class AddressOf>
void visit_generic(Sink& sink, Way way, Way shared_way, std::uint32_t m, std::uint32_t size,
                   bool is_constant, const AddressOf& address_of) {
  Addresses global;
  Addresses shared;
  Addresses local;
  global.count = shared.count = local.count = 0;
  for (std::uint32_t rest = m; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const std::uint64_t address = address_of(l);
    switch (address & window_mask) {
      case 0: global.add(address, l); break;
      // Without the rank of the block in its cluster.
      case shared_window: shared.add(address & 0xffffffU, l); break;
      case local_window: local.add(address & ~window_mask, l); break;
      default: break;  // parameters
    }
  }
  if (is_constant) {
    if (global.count != 0) sink.constant(global, size);
  } else {
    if (global.count != 0) sink.global(way, global, size);
    if (local.count != 0) sink.local(way, local, size);
  }
  if (shared.count != 0) sink.shared(shared_way, shared, size);
}

// A range of global or shared memory that one request accesses in whole lines.
template <class Sink>
void visit_lines(Sink& sink, Way way, std::uint64_t address, std::uint64_t lines,
                 std::uint64_t line, std::uint64_t step, std::uint32_t lanes) {
  if ((address & window_mask) == shared_window) {
    sink.shared_lines(way, address & 0xffffffU, lines, line, step, lanes);
  } else if ((address & window_mask) == 0) {
    sink.global_lines(way, address, lines, line, step, lanes);
  }
}

// Tells `sink` of each request that `op` makes for the lanes of `m`, of which there is one at
// least. The sink has
//   global, shared, local(Way, const Addresses&, u32 size)   for each lane `size` bytes
//   constant(const Addresses&, u32 size)
//   global_pattern(Way, u64 first, u32 size, Pattern)        of a whole warp
//   shared_pattern(Way, u64 first, u32 size, Pattern)
//   global_lines, shared_lines(Way, u64 address, u64 lines, u64 line, u64 step, u32 lanes)
template <class Sink>
void visit_requests(Warp& w, const Op* op, const Touch& touch, std::uint32_t m, Sink& sink) {
  using u32 = std::uint32_t;
  using u64 = std::uint64_t;
  const auto offset = static_cast<u64>(op->imm);
  switch (touch.form) {
    case TouchForm::none: return;
    case TouchForm::shared64: {
      const auto* a = lanes<u64>(w, op->a);
      visit_generic(sink, touch.way, touch.way, m, touch.size, false,
                    [&](int l) { return (a[l] + offset) | shared_window; });
      return;
    }
    case TouchForm::lanes64: {
      const auto* a = lanes<u64>(w, op->a);
      if (m == full_mask && touch.way != Way::atomic && !touch.is_constant) {
        const Pattern pattern = pattern_of(a, touch.size);
        const u64 first = a[0] + offset;
        if (pattern != Pattern::scattered && first % touch.size == 0) {
          const u64 window = first & window_mask;
          if (window == 0) return sink.global_pattern(touch.way, first, touch.size, pattern);
          if (window == shared_window) {
            return sink.shared_pattern(touch.shared_way, first & 0xffffffU, touch.size, pattern);
          }
        }
      }
      visit_generic(sink, touch.way, touch.way, m, touch.size, touch.is_constant,
                    [&](int l) { return a[l] + offset; });
      return;
    }
    case TouchForm::lanes32: {
      const auto* a = lanes<u32>(w, op->a);
      const u32 first = a[0] + static_cast<u32>(offset);
      if (m == full_mask && touch.way != Way::atomic && first % touch.size == 0) {
        const Pattern pattern = pattern_of(a, touch.size);
        if (pattern != Pattern::scattered) {
          return sink.shared_pattern(touch.way, first & 0xffffffU, touch.size, pattern);
        }
      }
      Addresses shared;
      shared.count = 0;
      for (u32 rest = m; rest != 0; rest &= rest - 1) {
        const int l = std::countr_zero(rest);
        shared.add((a[l] + static_cast<u32>(offset)) & 0xffffffU, l);
      }
      sink.shared(touch.way, shared, touch.size);
      return;
    }
    case TouchForm::copy_async: {
      const auto* to = lanes<u64>(w, op->a);
      const auto* from = lanes<u64>(w, op->b);
      u32 reading = m;
      u32 size = touch.size;
      if ((op->aux & 0x100U) != 0) {
        reading &= ~(predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U)));
      } else if (op->c != 0) {
        // As many bytes as a register says; mostly all or none. The rest is zeros.
        const auto* asked = lanes<u32>(w, op->c);
        u32 most = 0;
        for (u32 rest = m; rest != 0; rest &= rest - 1) {
          const int l = std::countr_zero(rest);
          if (asked[l] == 0) reading &= ~(1U << l);
          most = std::max(most, std::min(asked[l], touch.size));
        }
        size = most;
      }
      visit_generic(sink, Way::load, Way::load, reading, size, false,
                    [&](int l) { return from[l]; });
      visit_generic(sink, Way::store, Way::store, m, touch.size, false,
                    [&](int l) { return to[l] + offset; });
      return;
    }
    case TouchForm::copy_bulk: {
      const auto* to = lanes<u64>(w, op->a);
      const auto* from = lanes<u64>(w, op->b);
      const auto* size = lanes<u32>(w, op->c);
      for (u32 rest = m; rest != 0; rest &= rest - 1) {
        const int l = std::countr_zero(rest);
        if (size[l] == 0 || size[l] > (1U << 24)) continue;
        visit_lines(sink, Way::load, from[l], 1, size[l], 0, 1);
        visit_lines(sink, Way::store, to[l], 1, size[l], 0, 1);
      }
      return;
    }
    case TouchForm::rows: {
      const auto* a = lanes<u64>(w, op->a);
      const u32 matrices = static_cast<const Pieces*>(op->extra)->count;
      const u32 rows = matrices >= 4 ? full_mask : (1U << (8 * matrices)) - 1U;
      visit_generic(sink, touch.way, touch.way, rows, touch.size, false,
                    [&](int l) { return a[l] + offset; });
      return;
    }
    case TouchForm::fragment: {
      const FragmentForm form = FragmentForm::unpacked(op->aux);
      const int first = std::countr_zero(m);
      const u64 base = lanes<u64>(w, op->a)[first] + offset;
      const u64 lines = form.by_columns ? form.columns : form.rows;
      const u64 elements = form.by_columns ? form.rows : form.columns;
      const u64 stride = op->b != 0 ? lanes<u32>(w, op->b)[first] : elements;
      const u64 bits = static_cast<u64>(bits_of(form.type));
      visit_lines(sink, touch.way, base, lines, elements * bits / 8, stride * bits / 8,
                  static_cast<u32>(std::popcount(m)));
      return;
    }
  }
}

// The sectors of global memory that such lines touch, each once.
[[nodiscard]] std::vector<std::uint64_t> sectors_of_lines(std::uint64_t address,
                                                          std::uint64_t lines, std::uint64_t line,
                                                          std::uint64_t step);

}  // namespace softgpu
