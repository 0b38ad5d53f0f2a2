// The part of Races that does the plain accesses of a warp: those of which it is seen at once that
// nobody meets them without order.
#include <bit>

#include "softgpu/check/races_parts.hpp"

namespace softgpu::check {
namespace {

// What a lane knows of its own block, in registers.
struct Known {
  u32 warp = 0;
  u32 lane = 0;
  u32 stamp = 0;
  u32 met = 0;
  u32 first_of_block = 0;
  u32 end_of_block = 0;
  u32 first_of_launch = 0;
  u32 first_known = 0;
  u32 block_known = 0;
  bool knows_no_other = false;  // block

  [[nodiscard]] bool before(u32 other, u32 other_lane, u32 other_stamp) const {
    if (other == warp && (other_lane == lane || other_stamp < met)) return true;
    return other >= first_of_block && other < end_of_block && other_stamp < block_known;
  }
  // Nobody's, or of a launch that is before this one as a whole.
  [[nodiscard]] bool before(const Writer& writer) const {
    return writer.warp < first_known ||
           ((writer.bits & is_async) == 0 && before(writer.warp, writer.lane, writer.stamp));
  }
  [[nodiscard]] bool before(const Reader& reader) const {
    if (reader.warp < first_known || reader.stamp == 0) return true;
    if (reader.warp == warp && (reader.lanes == 1U << lane || reader.stamp < met)) return true;
    return reader.warp >= first_of_block && reader.warp < end_of_block &&
           reader.stamp < block_known;
  }
};

bool write(Cell& cell, const Known& mine, const Row& row) {
  if (!mine.before(cell.earlier) || !mine.before(cell.writer) || !mine.before(cell.readers[0]) ||
      !mine.before(cell.readers[1])) {
    return false;
  }
  cell.earlier.warp = 0;
  cell.readers[0].stamp = 0;
  cell.readers[1].stamp = 0;
  cell.writer = {mine.warp, mine.stamp, row.place, static_cast<std::uint8_t>(mine.lane), row.bits};
  return true;
}

// The reader that has the access now; nullptr where it was not done.
Reader* read(Cell& cell, const Known& mine, const Row& row) {
  if (!mine.before(cell.earlier) || !mine.before(cell.writer)) return nullptr;
  for (Reader& reader : cell.readers) {
    if (reader.warp == mine.warp && reader.stamp == mine.stamp && reader.bits == row.bits &&
        reader.place == row.place) {
      reader.lanes |= 1U << mine.lane;
      return &reader;
    }
  }
  // As in check_cell(): a free place, else that of a read before this one, else one of the two.
  Reader* place = nullptr;
  for (Reader& reader : cell.readers) {
    if (reader.warp < mine.first_known || reader.stamp == 0) place = &reader;
  }
  for (Reader& reader : cell.readers) {
    if (place == nullptr && mine.before(reader)) place = &reader;
  }
  if (place == nullptr) {
    for (const Reader& reader : cell.readers) {
      // One that a clock, or the order of streams, may put before this one.
      const bool of_block = reader.warp >= mine.first_of_block && reader.warp < mine.end_of_block;
      if (!of_block && (!mine.knows_no_other || reader.warp < mine.first_of_launch)) return nullptr;
    }
    place = &cell.readers[cell.readers[0].warp == mine.warp ? 0 : 1];
  }
  *place = {mine.warp, 1U << mine.lane, mine.stamp, row.place, row.bits};
  return place;
}

}  // namespace

u32 Races::access_row(Warp& warp, const Row& row) {
  const WarpState& of = *warp.state;
  Known mine;
  mine.warp = of.warp;
  mine.met = of.met;
  mine.first_of_block = of.first_of_block;
  mine.end_of_block = of.end_of_block;
  mine.first_of_launch = of.launch->first_warp;
  mine.first_known = of.launch->after_all ? mine.first_of_launch : first_known();
  CellPage* page = nullptr;
  u64 number = ~u64{0};
  u32 done = 0;
  // Neighbours often read one word: then all but the first only join its reader.
  u64 last = ~u64{0};
  Reader* last_reader = nullptr;
  bool last_is_own = false;
  for (u32 rest = row.lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    const u64 at = row.at[l];
    if (at == last && of.stamps[l] == mine.stamp && of.block_known[l] == mine.block_known &&
        !last_is_own) {
      last_reader->lanes |= 1U << l;
      done |= 1U << l;
      continue;
    }
    if (at / CellPage::bytes != number) {
      number = at / CellPage::bytes;
      page = row.shared != nullptr ? &row.shared->shared[number] : &page_of(at);
      if (!page->by_bytes && page->cells.empty()) page->cells.resize(CellPage::bytes / 4);
      page->used |= row.writes ? 2 : 1;
    }
    if (page->by_bytes) continue;
    mine.lane = l;
    mine.stamp = of.stamps[l];
    mine.block_known = of.block_known[l];
    mine.knows_no_other = !of.clocks[l] || of.clocks[l].get()->is_of_one(of.block);
    Cell* const cells = page->cells.data() + at % CellPage::bytes / 4;
    bool all = true;
    Reader* reader = nullptr;
    for (u32 i = 0; i < row.bytes / 4 && all; ++i) {
      if (row.writes) {
        all = write(cells[i], mine, row);
      } else {
        reader = read(cells[i], mine, row);
        all = reader != nullptr;
      }
    }
    last = ~u64{0};
    if (all && !row.writes && row.bytes == 4) {
      last = at;
      last_reader = reader;
      // What the lane itself has written is ordered for it alone.
      last_is_own = cells->writer.warp == mine.warp && cells->writer.stamp >= mine.met;
    }
    if (all) done |= 1U << l;
  }
  return done;
}

}  // namespace softgpu::check
