// Races with the host, and of copies and sets that it asks for in several streams.
#include <algorithm>
#include <utility>

#include "softgpu/check/findings.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races_parts.hpp"

namespace softgpu::check {

std::vector<HostPageUse> Races::take_host_pages() {
  std::vector<HostPageUse> all;
  std::erase_if(host_pages_, [&](u64 number) {
    const auto found = pages_.find(number);
    if (found == pages_.end()) return true;
    if (found->second->used != 0) {
      all.push_back({number * CellPage::bytes, (found->second->used & 2U) != 0});
    }
    found->second->used = 0;
    return false;
  });
  return all;
}

bool Races::races_with_host(u64 address, bool writes, Finding& finding, bool& other_writes) {
  const auto page = pages_.find(address / CellPage::bytes);
  if (page == pages_.end() || page->second->empty()) return false;
  page->second->open();
  const u32 in_page = static_cast<u32>(address % CellPage::bytes);
  const Cell cell = page->second->get(page->second->cell_of(in_page));
  const WorkOrderRef now = current_work();
  const auto clashes = [&](u32 warp, u8 bits) {
    const LaunchState* const launch = warp == 0 ? nullptr : launch_of(warp);
    if (launch == nullptr || launch->work == nullptr || host_knows(*launch->work) ||
        (now != nullptr && is_before(*launch->work, *now))) {
      return false;
    }
    if ((bits & strong) == 0 || scope_of(bits) != Scope::system) return true;
    // A flag by which a kernel and the host talk while the kernel runs.
    host_waited_for(launch->work);
    return false;
  };
  const auto tell = [&](u32 warp, u32 lane, u32 place, u8 bits, bool write) {
    const LaunchState& launch = *launch_of(warp);
    if (place_at(place).code != nullptr) {
      finding.kernel = launch.kernel;
      finding.launch = launch.number;
    }
    finding.at = site_of(place, access_name(write, bits, page->second->by_bytes ? 1 : 4));
    if (place_at(place).code != nullptr) finding.at.thread = thread_name(launch, warp, lane);
    other_writes = write;
    return true;
  };
  const Writer& writer = cell.writer;
  if (clashes(writer.warp, writer.bits)) {
    return tell(writer.warp, writer.lane, writer.place, writer.bits, true);
  }
  for (const Reader& reader : cell.readers) {
    if (!writes || reader.stamp == 0 || !clashes(reader.warp, reader.bits)) continue;
    return tell(reader.warp, static_cast<u32>(std::countr_zero(reader.lanes)), reader.place,
                reader.bits, false);
  }
  return false;
}

void Races::host_access(const WorkOrderRef& work, u64 address, u64 bytes, bool writes, u32 place) {
  // What is larger is followed in its first part: the history takes 18 times its room.
  constexpr u64 most = u64{256} << 20;
  if (!follows_ || work == nullptr || bytes == 0 || !has_several_streams()) return;
  bytes = std::min(bytes, most);
  auto state = std::make_unique<LaunchState>();
  state->work = work;
  state->first_block = next_block_++;
  state->first_warp = next_warp_++;
  state->end_warp = next_warp_;
  const LaunchState& mine = *state;
  launches_.push_back(std::move(state));
  const auto apart = [&](u32 warp) {
    const LaunchState* const other = warp == 0 ? nullptr : launch_of(warp);
    return other != nullptr && other != &mine && other->work != nullptr &&
           !is_before(*other->work, *work);
  };
  const u32 stamp = tick();
  bool reported = false;
  for (u64 at = address; at < address + bytes;) {
    CellPage& page = page_of(at);
    const auto in_page = static_cast<u32>(at % CellPage::bytes);
    const u64 here = std::min<u64>(CellPage::bytes - in_page, address + bytes - at);
    if (!page.by_bytes && (in_page % 4 != 0 || here % 4 != 0)) page.split();
    page.open();
    const u32 each = page.by_bytes ? 1 : 4;
    for (u64 i = 0; i < here; i += each) {
      const u32 number = page.cell_of(in_page + static_cast<u32>(i));
      Cell cell = page.get(number);
      if (!reported) {
        const Reader* reader = nullptr;
        for (const Reader& one : cell.readers) {
          if (writes && one.stamp != 0 && apart(one.warp)) reader = &one;
        }
        if (apart(cell.writer.warp)) {
          reported = host_conflict(cell.writer.warp, cell.writer.lane, cell.writer.place,
                                   access_name(true, cell.writer.bits, each), at + i, place);
        } else if (reader != nullptr) {
          reported =
              host_conflict(reader->warp, static_cast<u32>(std::countr_zero(reader->lanes)),
                            reader->place, access_name(false, reader->bits, each), at + i, place);
        }
      }
      if (writes) {
        for (Reader& one : cell.readers) one.stamp = 0;
        cell.writer = {mine.first_warp, stamp, place, 0, 0};
        cell.earlier = {};
      } else {
        Reader& one = cell.readers[cell.readers[0].stamp == 0 ? 0 : 1];
        one = {mine.first_warp, 1, stamp, place, 0};
      }
      page.set(number, cell);
    }
    at += here;
  }
}

// The work at `place` and an access of a kernel, or other work, are not ordered.
bool Races::host_conflict(u32 warp, u32 lane, u32 other, const std::string& what, u64 address,
                          u32 place) {
  if (is_known(Kind::race, place, other)) return true;
  const LaunchState& launch = *launch_of(warp);
  const bool of_kernel = place_at(other).code != nullptr;
  Finding finding;
  finding.kind = Kind::race;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  finding.message = std::string("work of two streams touches the same memory, and no event, ") +
                    "synchronisation or stream orders it: a " + place_at(place).what + " and a " +
                    (of_kernel ? "kernel" : place_at(other).what);
  finding.memory = describe_global(address);
  finding.at = site_of(other, what);
  if (of_kernel) finding.at.thread = thread_name(launch, warp, lane);
  finding.other = site_of(place, "");
  report(std::move(finding));
  return true;
}

}  // namespace softgpu::check
