// The history of memory: who accessed each word last, for races.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace softgpu::check {

// Bits of an access.
enum : std::uint8_t {
  strong = 1,
  scope_shift = 1,  // two bits: a Scope
  is_atomic = 8,
  is_async = 16,  // of a copy that has not been waited for
  polls = 32,     // volatile
  is_bulk = 64,   // of a bulk copy, or of one of cp.async that an mbarrier completes
};

struct Writer {
  std::uint32_t warp = 0;  // 0: nobody
  std::uint32_t stamp = 0;
  std::uint32_t place = 0;
  std::uint8_t lane = 0;
  std::uint8_t bits = 0;
};
struct Reader {
  std::uint32_t warp = 0;  // 0: nobody
  std::uint32_t lanes = 0;
  std::uint32_t stamp = 0;  // 0: before a write that came after it
  std::uint32_t place = 0;
  std::uint8_t bits = 0;
};
struct Cell {
  Writer writer;
  Writer earlier;  // a strong one before it by another thread, which does not order it
  std::array<Reader, 2> readers;
};

// Eight cells, field by field, so that what a warp does to words that follow one another is looked
// at eight words at a time (races_row.cpp).
struct alignas(64) CellGroup {
  static constexpr std::uint32_t size = 8;
  using Column = std::array<std::uint32_t, size>;

  struct Writers {
    Column warp{}, stamp{}, place{}, who{};  // who: the lane, and from bit 8 on the bits
  };
  struct Readers {
    Column warp{}, lanes{}, stamp{}, place{}, bits{};
  };
  Writers writers;
  std::array<Readers, 2> readers;
  Writers earlier;
};

// 512 bytes of memory: a cell for each word, or for each byte; none before the first access.
//
// While all that was done to a page were plain accesses of whole warps to aligned lines of 32
// words, lane by lane in their order, the 32 cells of a line differ in the lane alone. Then one
// cell stands for the line, as of lane 0. Most of a large array is only ever read or written like
// that, and its history takes a sixteenth of the room.
struct CellPage {
  static constexpr std::uint32_t bytes = 512;
  static constexpr std::uint32_t line_bytes = 128;
  bool by_bytes = false;
  bool is_the_hosts = false;  // managed or pinned memory, which the host accesses by itself
  bool any_earlier = false;   // some cell has had an earlier writer
  std::uint8_t used = 0;      // by the current work: 1 read, 2 written
  std::vector<CellGroup> groups;
  std::vector<CellGroup> lines;  // one group, whose cells are those of lines; none beside `groups`

  [[nodiscard]] bool empty() const { return groups.empty() && lines.empty(); }
  // True where cells of lines may be used.
  [[nodiscard]] bool is_of_lines() const { return groups.empty(); }
  CellGroup& open_lines() {
    if (lines.empty()) lines.resize(1);
    return lines.front();
  }
  // Gives it cells for words where it has none.
  void open() {
    if (groups.empty()) give_each_word();
  }
  // Makes it have a cell for each byte.
  void split();
  // Of a page that is open.
  [[nodiscard]] Cell get(std::uint32_t cell) const;
  void set(std::uint32_t cell, const Cell& value);
  // Of the byte at `offset` in the page.
  [[nodiscard]] std::uint32_t cell_of(std::uint32_t offset) const {
    return by_bytes ? offset : offset / 4;
  }

 private:
  void give_each_word();
};

}  // namespace softgpu::check
