// The part of Races that does the plain accesses of a warp: those of which it is seen at once that
// nobody meets them without order.
#include <algorithm>
#include <bit>

#include "softgpu/check/races_parts.hpp"
#include "softgpu/device/clones.hpp"

namespace softgpu::check {
namespace rows {

// What is inlined where it is used, which is compiled for several instruction sets.
#define SOFTGPU_INLINE __attribute__((always_inline)) inline

constexpr u32 bits_shift = 8;  // of CellGroup::Writers::who
constexpr u32 async_writer = u32{is_async} << bits_shift;

// What a lane knows of its own block, in registers. Conditions are 0 or 1, without branches, so
// that loops over the cells of a group become vector instructions.
struct Known {
  u32 warp = 0;
  u32 stamp = 0;
  u32 met = 0;
  u32 first_of_block = 0;
  u32 end_of_block = 0;
  u32 first_of_launch = 0;
  u32 first_known = 0;
  u32 block_known = 0;
  u32 knows_others = 0;  // blocks

  [[nodiscard]] SOFTGPU_INLINE u32 of_block(u32 other) const {
    return u32{other - first_of_block < end_of_block - first_of_block};
  }
  // Nobody's, or of a launch that is before this one as a whole, or before what `lane` does.
  [[nodiscard]] SOFTGPU_INLINE u32 after_writer(const CellGroup::Writers& w, u32 k,
                                                u32 lane) const {
    const u32 other = w.warp[k];
    const u32 of_warp =
        u32{other == warp} & (u32{(w.who[k] & 0xffU) == lane} | u32{w.stamp[k] < met});
    const u32 known = of_block(other) & u32{w.stamp[k] < block_known};
    return u32{other < first_known} | (u32{(w.who[k] & async_writer) == 0} & (of_warp | known));
  }
  [[nodiscard]] SOFTGPU_INLINE u32 free_reader(const CellGroup::Readers& r, u32 k) const {
    return u32{r.warp[k] < first_known} | u32{r.stamp[k] == 0};
  }
  [[nodiscard]] SOFTGPU_INLINE u32 after_reader(const CellGroup::Readers& r, u32 k, u32 bit) const {
    const u32 of_warp = u32{r.warp[k] == warp} & (u32{r.lanes[k] == bit} | u32{r.stamp[k] < met});
    return free_reader(r, k) | of_warp | (of_block(r.warp[k]) & u32{r.stamp[k] < block_known});
  }
  [[nodiscard]] SOFTGPU_INLINE u32 same_reader(const CellGroup::Readers& r, u32 k, u32 place,
                                               u32 bits) const {
    return u32{r.warp[k] == warp} & u32{r.stamp[k] == stamp} & u32{r.place[k] == place} &
           u32{r.bits[k] == bits};
  }
  // A clock, or the order of streams, may put that read before this one.
  [[nodiscard]] SOFTGPU_INLINE u32 unclear(const CellGroup::Readers& r, u32 k) const {
    return u32{of_block(r.warp[k]) == 0} & (knows_others | u32{r.warp[k] < first_of_launch});
  }
};

// Cells of a run in one page: `count` cells from `first` on, of which each lane has 1 << shift.
struct Cells {
  CellGroup* groups = nullptr;
  u32 first = 0;
  u32 count = 0;
  u32 first_lane = 0;
  u32 shift = 0;
  u32 place = 0;
  u32 bits = 0;
  bool any_earlier = false;
};

// 1: a write of the lane is after all that the cell tells of.
SOFTGPU_INLINE u32 may_write(const CellGroup& g, u32 k, const Known& mine, u32 lane) {
  const u32 bit = 1U << (lane & 31U);
  return mine.after_writer(g.writers, k, lane) & mine.after_reader(g.readers[0], k, bit) &
         mine.after_reader(g.readers[1], k, bit);
}

// What becomes of a cell by a read.
struct Reading {
  u32 ok = 0;
  u32 joins = 0;   // a reader that is the same access of other lanes
  u32 second = 0;  // its place is that of the second reader
};
// It joins one that is the same, or takes a free place (the second first), or that of a read before
// it; else, as in check_cell(), that of another warp's.
SOFTGPU_INLINE Reading reading(const CellGroup& g, u32 k, const Known& mine, u32 lane,
                               const Cells& cells) {
  const CellGroup::Readers& r0 = g.readers[0];
  const CellGroup::Readers& r1 = g.readers[1];
  const u32 bit = 1U << (lane & 31U);
  const u32 same0 = mine.same_reader(r0, k, cells.place, cells.bits);
  const u32 same1 = mine.same_reader(r1, k, cells.place, cells.bits);
  const u32 after0 = mine.after_reader(r0, k, bit);
  const u32 after1 = mine.after_reader(r1, k, bit);
  const u32 none = (same0 | same1 | after0 | after1) ^ 1U;
  Reading result;
  result.ok = mine.after_writer(g.writers, k, lane) &
              ((none & (mine.unclear(r0, k) | mine.unclear(r1, k))) ^ 1U);
  result.joins = same0 | same1;
  const u32 otherwise = none & u32{r0.warp[k] != mine.warp};
  result.second =
      (same0 ^ 1U) & (same1 | mine.free_reader(r1, k) | ((after0 ^ 1U) & (after1 | otherwise)));
  return result;
}

// One cell.
inline bool write_cell(CellGroup& g, u32 k, const Known& mine, u32 lane, const Cells& cells) {
  if (may_write(g, k, mine, lane) == 0) return false;
  if (cells.any_earlier) {
    if (mine.after_writer(g.earlier, k, lane) == 0) return false;
    g.earlier.warp[k] = 0;
  }
  g.writers.warp[k] = mine.warp;
  g.writers.stamp[k] = mine.stamp;
  g.writers.place[k] = cells.place;
  g.writers.who[k] = lane | cells.bits << bits_shift;
  g.readers[0].stamp[k] = 0;
  g.readers[1].stamp[k] = 0;
  return true;
}

// The lanes of the reader that the access is now; nullptr where it was not done.
inline u32* read_cell(CellGroup& g, u32 k, const Known& mine, u32 lane, const Cells& cells) {
  const Reading how = reading(g, k, mine, lane, cells);
  if (how.ok == 0 || (cells.any_earlier && mine.after_writer(g.earlier, k, lane) == 0)) {
    return nullptr;
  }
  CellGroup::Readers& r = g.readers[how.second];
  r.lanes[k] = 1U << lane | (how.joins != 0 ? r.lanes[k] : 0);
  r.warp[k] = mine.warp;
  r.stamp[k] = mine.stamp;
  r.place[k] = cells.place;
  r.bits[k] = cells.bits;
  return &r.lanes[k];
}

// The cells of one group that belong to a run.
struct Part {
  CellGroup* group = nullptr;
  u32 from = 0;  // cells of the group
  u32 to = 0;
  u32 first_lane = 0;  // of the cell `from`
};

// Visits part by part until one says no; how many cells those were that said yes.
template <class Visit>
SOFTGPU_INLINE u32 visit_parts(const Cells& cells, const Visit& visit) {
  u32 done = 0;
  while (done < cells.count) {
    const u32 at = cells.first + done;
    const u32 from = at % CellGroup::size;
    const u32 here = std::min(CellGroup::size - from, cells.count - done);
    if (!visit(Part{cells.groups + at / CellGroup::size, from, from + here,
                    cells.first_lane + (done >> cells.shift)})) {
      break;
    }
    done += here;
  }
  return done;
}

// Writes the cells of a run, eight at a time, until one of them cannot be done; how many were.
SOFTGPU_CLONES u32 write_cells(const Cells& of_run, const Known& known) {
  // Copies, which no store to a cell can change.
  const Cells cells = of_run;
  const Known mine = known;
  return visit_parts(
      cells, [&](const Part& part) __attribute__((always_inline)) {
        CellGroup& g = *part.group;
        u32 bad = 0;
        for (u32 k = 0; k < CellGroup::size; ++k) {
          const u32 lane = part.first_lane + ((k - part.from) >> cells.shift);
          const u32 here = u32{k >= part.from} & u32{k < part.to};
          bad |= here & (may_write(g, k, mine, lane) ^ 1U);
        }
        for (u32 k = part.from; cells.any_earlier && k < part.to; ++k) {
          const u32 lane = part.first_lane + ((k - part.from) >> cells.shift);
          bad |= mine.after_writer(g.earlier, k, lane) ^ 1U;
        }
        if (bad != 0) return false;
        for (u32 k = 0; k < CellGroup::size; ++k) {
          const bool here = k >= part.from && k < part.to;
          const u32 lane = part.first_lane + ((k - part.from) >> cells.shift);
          g.writers.warp[k] = here ? mine.warp : g.writers.warp[k];
          g.writers.stamp[k] = here ? mine.stamp : g.writers.stamp[k];
          g.writers.place[k] = here ? cells.place : g.writers.place[k];
          g.writers.who[k] = here ? lane | cells.bits << bits_shift : g.writers.who[k];
          g.readers[0].stamp[k] = here ? 0 : g.readers[0].stamp[k];
          g.readers[1].stamp[k] = here ? 0 : g.readers[1].stamp[k];
        }
        for (u32 k = part.from; cells.any_earlier && k < part.to; ++k) g.earlier.warp[k] = 0;
        return true;
      });
}

// The same for reads.
SOFTGPU_CLONES u32 read_cells(const Cells& of_run, const Known& known) {
  // Copies, which no store to a cell can change.
  const Cells cells = of_run;
  const Known mine = known;
  return visit_parts(
      cells, [&](const Part& part) __attribute__((always_inline)) {
        CellGroup& g = *part.group;
        CellGroup::Column second;
        CellGroup::Column joins;
        u32 bad = 0;
        for (u32 k = 0; k < CellGroup::size; ++k) {
          const u32 lane = part.first_lane + ((k - part.from) >> cells.shift);
          const u32 here = u32{k >= part.from} & u32{k < part.to};
          const Reading how = reading(g, k, mine, lane, cells);
          bad |= here & (how.ok ^ 1U);
          joins[k] = how.joins;
          second[k] = how.second;
        }
        for (u32 k = part.from; cells.any_earlier && k < part.to; ++k) {
          const u32 lane = part.first_lane + ((k - part.from) >> cells.shift);
          bad |= mine.after_writer(g.earlier, k, lane) ^ 1U;
        }
        if (bad != 0) return false;
        for (u32 i = 0; i < 2; ++i) {
          CellGroup::Readers& r = g.readers[i];
          for (u32 k = 0; k < CellGroup::size; ++k) {
            const bool here = k >= part.from && k < part.to && second[k] == i;
            const u32 bit = 1U << ((part.first_lane + ((k - part.from) >> cells.shift)) & 31U);
            const u32 lanes = bit | (joins[k] != 0 ? r.lanes[k] : 0);
            r.warp[k] = here ? mine.warp : r.warp[k];
            r.lanes[k] = here ? lanes : r.lanes[k];
            r.stamp[k] = here ? mine.stamp : r.stamp[k];
            r.place[k] = here ? cells.place : r.place[k];
            r.bits[k] = here ? cells.bits : r.bits[k];
          }
        }
        return true;
      });
}

}  // namespace rows

namespace {

using rows::Cells;
using rows::Known;

// What all lanes of the warp know, but for what lane by lane differs.
Known known_by(const WarpState& of, u32 first_known) {
  Known mine;
  mine.warp = of.warp;
  mine.met = of.met;
  mine.first_of_block = of.first_of_block;
  mine.end_of_block = of.end_of_block;
  mine.first_of_launch = of.launch->first_warp;
  mine.first_known = of.launch->after_all ? mine.first_of_launch : first_known;
  return mine;
}
void set_lane(Known& mine, const WarpState& of, u32 lane) {
  mine.stamp = of.stamps[lane];
  mine.block_known = of.block_known[lane];
  mine.knows_others = u32{of.clocks[lane] && !of.clocks[lane].get()->is_of_one(of.block)};
}

// An access of a whole warp to a line, whose one cell is that of lane 0. False where that is not
// all that is to be said about it.
bool use_line(CellGroup& lines, u32 line, const Known& mine, const Run& run) {
  Cells cells;
  cells.place = run.place;
  cells.bits = run.bits;
  return run.writes ? rows::write_cell(lines, line, mine, 0, cells)
                    : rows::read_cell(lines, line, mine, 0, cells) != nullptr;
}

// True where the lanes from `first` on know the same and are at the same stamp.
bool alike(const WarpState& of, u32 first, u32 count) {
  u32 differs = 0;
  u64 clocks = 0;
  const auto clock = reinterpret_cast<u64>(of.clocks[first].get());
  for (u32 l = first; l < first + count; ++l) {
    differs |= (of.stamps[l] ^ of.stamps[first]) | (of.block_known[l] ^ of.block_known[first]);
    clocks |= reinterpret_cast<u64>(of.clocks[l].get()) ^ clock;
  }
  return differs == 0 && clocks == 0;
}

}  // namespace

u32 Races::access_run(Warp& warp, const Run& run) {
  if (!follows_) return (full_mask >> (lanes_per_warp - run.count)) << run.first_lane;
  const WarpState& of = *warp.state;
  if (!alike(of, run.first_lane, run.count)) return 0;
  Known mine = known_by(of, first_known());
  set_lane(mine, of, run.first_lane);
  Cells cells;
  cells.shift = static_cast<u32>(std::countr_zero(run.bytes / 4));
  cells.place = run.place;
  cells.bits = run.bits;
  u32 done = 0;
  for (u32 lane = 0; lane < run.count;) {
    const u64 at = run.at + u64{lane} * run.bytes;
    const u64 number = at / CellPage::bytes;
    const u32 in_page = static_cast<u32>(at % CellPage::bytes);
    // Accesses are aligned: none lies in two pages, or in two groups of cells.
    const u32 here = std::min(run.count - lane, (CellPage::bytes - in_page) / run.bytes);
    CellPage& page = run.shared != nullptr ? run.shared->shared[number] : page_of(at);
    page.used |= run.writes ? 2 : 1;
    if (run.bytes == 4 && here == lanes_per_warp && in_page % CellPage::line_bytes == 0 &&
        page.is_of_lines() &&
        use_line(page.open_lines(), in_page / CellPage::line_bytes, mine, run)) {
      done = full_mask;
      break;
    }
    if (!page.by_bytes) page.open();
    if (!page.by_bytes) {
      cells.groups = page.groups.data();
      cells.first = in_page / 4;
      cells.count = here << cells.shift;
      cells.first_lane = run.first_lane + lane;
      cells.any_earlier = page.any_earlier;
      const u32 words = run.writes ? rows::write_cells(cells, mine) : rows::read_cells(cells, mine);
      const u32 lanes = words >> cells.shift;
      if (lanes != 0) done |= (full_mask >> (lanes_per_warp - lanes)) << cells.first_lane;
    }
    lane += here;
  }
  return done;
}

u32 Races::access_atomics(Warp& warp, const Row& row) {
  const WarpState& of = *warp.state;
  // What would be published, or learned, by a read-modify-write.
  const auto& variables = row.shared != nullptr ? row.shared->variables : variables_;
  if (of.device_fence.any || of.block_fence.any || !variables.empty()) return 0;
  Known mine = known_by(of, first_known());
  const bool of_block = static_cast<Scope>((row.bits >> scope_shift) & 3U) == Scope::block;
  // Strong, with scopes that hold both threads: as in check_cell().
  const auto together = [&](u32 other, u32 bits) {
    const auto scope = static_cast<Scope>((bits >> scope_shift) & 3U);
    return (bits & strong) != 0 &&
           ((scope != Scope::block && !of_block) || mine.of_block(other) != 0);
  };
  u32 done = 0;
  for (u32 rest = row.lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    const u64 at = row.at[l];
    CellPage& page = row.shared != nullptr ? row.shared->shared[at / CellPage::bytes] : page_of(at);
    if (page.by_bytes) continue;
    page.open();
    page.used |= 3;
    set_lane(mine, of, l);
    bool all = true;
    const auto first = static_cast<u32>(at % CellPage::bytes / 4);
    // All words of the access, before one of them is changed.
    std::array<bool, 2> after{};
    const auto visit = [&](auto&& visit_word) {
      for (u32 i = 0; i < row.bytes / 4; ++i) {
        visit_word(page.groups[(first + i) / CellGroup::size], (first + i) % CellGroup::size,
                   after[i]);
      }
    };
    const auto is_after = [&](const CellGroup::Writers& writers, u32 k) {
      return writers.warp[k] == 0 || mine.after_writer(writers, k, l) != 0 ||
             ordered(of, l, writers.warp[k], writers.who[k] & 0xffU, writers.stamp[k]);
    };
    visit([&](const CellGroup& g, u32 k, bool& after_writer) {
      after_writer = is_after(g.writers, k);
      all = all && (g.writers.who[k] & rows::async_writer) == 0 &&
            (after_writer || together(g.writers.warp[k], g.writers.who[k] >> rows::bits_shift));
      if (page.any_earlier && g.earlier.warp[k] != 0) {
        all = all && (is_after(g.earlier, k) ||
                      together(g.earlier.warp[k], g.earlier.who[k] >> rows::bits_shift));
      }
      for (const CellGroup::Readers& r : g.readers) {
        all = all && (mine.after_reader(r, k, 1U << l) != 0 || together(r.warp[k], r.bits[k]));
      }
    });
    if (!all) continue;
    visit([&](CellGroup& g, u32 k, bool after_writer) {
      const auto known_to_all = [&](const CellGroup::Writers& one) {
        return one.warp[k] < mine.first_of_launch ||
               (mine.of_block(one.warp[k]) != 0 && one.stamp[k] < mine.block_known);
      };
      const auto is_strong = [&](const CellGroup::Writers& one) {
        return (one.who[k] >> rows::bits_shift & strong) != 0;
      };
      const auto keep_earlier = [&] {
        g.earlier.warp[k] = g.writers.warp[k];
        g.earlier.stamp[k] = g.writers.stamp[k];
        g.earlier.place[k] = g.writers.place[k];
        g.earlier.who[k] = g.writers.who[k];
        page.any_earlier = true;
      };
      const u32 earlier = page.any_earlier ? g.earlier.warp[k] : 0;
      if (after_writer) {
        if (earlier != 0 && is_after(g.earlier, k) &&
            (is_strong(g.earlier) || known_to_all(g.earlier))) {
          g.earlier.warp[k] = 0;
        }
        if ((earlier == 0 || g.earlier.warp[k] == 0) && g.writers.warp[k] != 0 &&
            !is_strong(g.writers) && !known_to_all(g.writers)) {
          keep_earlier();
        }
      } else if (is_strong(g.writers) && (earlier == 0 || earlier == mine.warp)) {
        keep_earlier();
      }
      g.writers.warp[k] = mine.warp;
      g.writers.stamp[k] = mine.stamp;
      g.writers.place[k] = row.place;
      g.writers.who[k] = l | u32{row.bits} << rows::bits_shift;
      g.readers[0].stamp[k] = 0;
      g.readers[1].stamp[k] = 0;
    });
    done |= 1U << l;
  }
  return done;
}

u32 Races::access_row(Warp& warp, const Row& row) {
  if (!follows_) return row.lanes;
  const WarpState& of = *warp.state;
  Known mine = known_by(of, first_known());
  CellPage* page = nullptr;
  u64 number = ~u64{0};
  Cells cells;
  cells.place = row.place;
  cells.bits = row.bits;
  u32 done = 0;
  // Neighbours often read one word: then all but the first only join its reader.
  u64 last = ~u64{0};
  u32* last_lanes = nullptr;
  for (u32 rest = row.lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    const u64 at = row.at[l];
    if (at == last && of.stamps[l] == mine.stamp && of.block_known[l] == mine.block_known) {
      *last_lanes |= 1U << l;
      done |= 1U << l;
      continue;
    }
    last = ~u64{0};
    if (at / CellPage::bytes != number) {
      number = at / CellPage::bytes;
      page = row.shared != nullptr ? &row.shared->shared[number] : &page_of(at);
      if (!page->by_bytes) page->open();
      page->used |= row.writes ? 2 : 1;
    }
    if (page->by_bytes) continue;
    set_lane(mine, of, l);
    cells.any_earlier = page->any_earlier;
    CellGroup* group = nullptr;
    u32 k = 0;
    u32* reader = nullptr;
    bool all = true;
    const auto first = static_cast<u32>(at % CellPage::bytes / 4);
    for (u32 i = first; i < first + row.bytes / 4 && all; ++i) {
      group = &page->groups[i / CellGroup::size];
      k = i % CellGroup::size;
      if (row.writes) {
        all = rows::write_cell(*group, k, mine, l, cells);
      } else {
        reader = rows::read_cell(*group, k, mine, l, cells);
        all = reader != nullptr;
      }
    }
    if (!all) continue;
    done |= 1U << l;
    if (row.writes || row.bytes != 4) continue;
    // What the lane itself has written is ordered for it alone.
    if (group->writers.warp[k] == mine.warp && group->writers.stamp[k] >= mine.met) continue;
    last = at;
    last_lanes = reader;
  }
  return done;
}

}  // namespace softgpu::check
