#include "softgpu/check/cells.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;

constexpr u32 bits_shift = 8;

Writer writer_of(const CellGroup::Writers& from, u32 k) {
  return {from.warp[k], from.stamp[k], from.place[k], static_cast<u8>(from.who[k]),
          static_cast<u8>(from.who[k] >> bits_shift)};
}
void set_writer(CellGroup::Writers& to, u32 k, const Writer& writer) {
  to.warp[k] = writer.warp;
  to.stamp[k] = writer.stamp;
  to.place[k] = writer.place;
  to.who[k] = writer.lane | static_cast<u32>(writer.bits) << bits_shift;
}

}  // namespace

Cell CellPage::get(u32 cell) const {
  const CellGroup& group = groups[cell / CellGroup::size];
  const u32 k = cell % CellGroup::size;
  Cell result;
  result.writer = writer_of(group.writers, k);
  if (any_earlier) result.earlier = writer_of(group.earlier, k);
  for (std::size_t i = 0; i < group.readers.size(); ++i) {
    const CellGroup::Readers& from = group.readers[i];
    result.readers[i] = {from.warp[k], from.lanes[k], from.stamp[k], from.place[k],
                         static_cast<u8>(from.bits[k])};
  }
  return result;
}

void CellPage::set(u32 cell, const Cell& value) {
  CellGroup& group = groups[cell / CellGroup::size];
  const u32 k = cell % CellGroup::size;
  set_writer(group.writers, k, value.writer);
  any_earlier = any_earlier || value.earlier.warp != 0;
  if (any_earlier) set_writer(group.earlier, k, value.earlier);
  for (std::size_t i = 0; i < group.readers.size(); ++i) {
    CellGroup::Readers& to = group.readers[i];
    const Reader& reader = value.readers[i];
    to.warp[k] = reader.warp;
    to.lanes[k] = reader.lanes;
    to.stamp[k] = reader.stamp;
    to.place[k] = reader.place;
    to.bits[k] = reader.bits;
  }
}

void CellPage::give_each_word() {
  groups.resize(bytes / 4 / CellGroup::size);
  if (lines.empty()) return;
  const CellGroup& all = lines.front();
  constexpr u32 words = line_bytes / 4;
  for (u32 i = 0; i < bytes / 4; ++i) {
    const u32 line = i / words;
    const u32 lane = i % words;
    CellGroup& to = groups[i / CellGroup::size];
    const u32 k = i % CellGroup::size;
    to.writers.warp[k] = all.writers.warp[line];
    to.writers.stamp[k] = all.writers.stamp[line];
    to.writers.place[k] = all.writers.place[line];
    to.writers.who[k] = all.writers.who[line] | lane;
    for (std::size_t r = 0; r < to.readers.size(); ++r) {
      const CellGroup::Readers& from = all.readers[r];
      to.readers[r].warp[k] = from.warp[line];
      to.readers[r].lanes[k] = from.lanes[line] << lane;
      to.readers[r].stamp[k] = from.stamp[line];
      to.readers[r].place[k] = from.place[line];
      to.readers[r].bits[k] = from.bits[line];
    }
  }
  lines = {};
}

void CellPage::split() {
  if (by_bytes) return;
  if (!lines.empty()) open();
  CellPage each;
  each.groups.resize(bytes / CellGroup::size);
  for (u32 i = 0; i < bytes && !groups.empty(); ++i) each.set(i, get(i / 4));
  groups = std::move(each.groups);
  any_earlier = each.any_earlier;
  by_bytes = true;
}

}  // namespace softgpu::check
