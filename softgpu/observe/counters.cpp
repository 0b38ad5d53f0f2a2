#include "softgpu/observe/counters.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/matrix.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/observe/instructions.hpp"
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/observe/observer.hpp"
#include "softgpu/observe/requests.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr int error_out_of_memory = 2;
// Places in the code that are listed because they use memory badly.
constexpr std::size_t most_places = 16;

// --- what is counted ----------------------------------------------------------------------------

constexpr std::size_t ways = 3;  // load, store, atomic
constexpr std::array<const char*, ways> way_names = {"load", "store", "atomic"};

// Accesses to one state space. A request is a warp's instruction with at least one active lane; a
// unit is a sector of global memory or a wavefront of shared memory.
struct Accesses {
  u64 requests = 0;
  u64 lanes = 0;
  u64 bytes = 0;
  u64 units = 0;
  u64 ideal = 0;

  void operator+=(const Accesses& other) {
    requests += other.requests;
    lanes += other.lanes;
    bytes += other.bytes;
    units += other.units;
    ideal += other.ideal;
  }
};

// The counters of one operation of the code.
struct OpCount {
  u64 executed = 0;  // by warps
  u64 lanes = 0;     // at this place
  u64 active = 0;    // of these, lanes whose guard was true
  u64 worked = 0;    // warps with an active lane
  Accesses global{};
  Accesses shared{};
  Accesses other{};  // local or constant memory

  void operator+=(const OpCount& more) {
    executed += more.executed;
    lanes += more.lanes;
    active += more.active;
    worked += more.worked;
    global += more.global;
    shared += more.shared;
    other += more.other;
  }
};

// The host's memory is what is pinned, registered, or unknown to the runtime.
bool is_host_memory(u64 address, MemoryRange& range) {
  return !Memory::instance().find(address, range) || range.kind == MemoryKind::pinned ||
         range.kind == MemoryKind::registered;
}

// The same of many addresses, most of which are in the allocation of the one before.
class HostMemory {
 public:
  bool contains(u64 address) {
    if (address < range_.begin || address >= range_.end) {
      range_ = {};
      host_ = is_host_memory(address, range_);
    }
    return host_;
  }

 private:
  MemoryRange range_;
  bool host_ = false;
};

// Which bytes of memory were touched: a bit each, in pages.
class Touched {
 public:
  // At most 64 bytes that do not cross a multiple of 64.
  void add(u64 address, u32 bytes) {
    const u64 mask = bytes >= 64 ? ~u64{0} : ((u64{1} << bytes) - 1) << (address % 64);
    words_of(address / page_bytes)[address % page_bytes / 64] |= mask;
  }
  void add_range(u64 address, u64 bytes) {
    while (bytes > 0) {
      const u64 here = std::min(bytes, 64 - address % 64);
      add(address, static_cast<u32>(here));
      address += here;
      bytes -= here;
    }
  }
  void merge(const Touched& other) {
    for (const auto& [page, words] : other.pages_) {
      u64* mine = words_of(page);
      for (std::size_t i = 0; i < page_words; ++i) mine[i] |= (*words)[i];
    }
  }
  struct Sum {
    u64 bytes = 0;
    u64 sectors = 0;
    u64 host_bytes = 0;  // of the bytes, those of the host's memory
  };
  [[nodiscard]] Sum sum() const {
    Sum all;
    HostMemory host;
    for (const auto& [page, words] : pages_) {
      for (std::size_t i = 0; i < page_words; ++i) {
        const u64 word = (*words)[i];
        if (word == 0) continue;
        const auto bytes = static_cast<u64>(std::popcount(word));
        all.bytes += bytes;
        all.sectors += ((word & 0xffffffffU) != 0 ? 1U : 0U) + ((word >> 32) != 0 ? 1U : 0U);
        const u64 first = page * page_bytes + i * 64 + static_cast<u64>(std::countr_zero(word));
        if (host.contains(first)) all.host_bytes += bytes;
      }
    }
    return all;
  }

 private:
  static constexpr u64 page_bytes = u64{1} << 15;
  static constexpr std::size_t page_words = page_bytes / 64;
  using Words = std::array<u64, page_words>;

  u64* words_of(u64 page) {
    Recent& recent = recent_[page % recent_.size()];
    if (recent.words == nullptr || recent.page != page) {
      auto& words = pages_[page];
      if (words == nullptr) words = std::make_unique<Words>(Words{});
      recent = {page, words->data()};
    }
    return recent.words;
  }

  struct Recent {
    u64 page = 0;
    u64* words = nullptr;
  };
  std::unordered_map<u64, std::unique_ptr<Words>> pages_;
  std::array<Recent, 64> recent_{};
};

// The counters of one core during a launch.
struct Tally {
  std::vector<std::vector<OpCount>> by_code;  // by CountedCode::number
  Touched read;
  Touched written;

  void merge(const Tally& other) {
    by_code.resize(std::max(by_code.size(), other.by_code.size()));
    for (std::size_t i = 0; i < other.by_code.size(); ++i) {
      by_code[i].resize(std::max(by_code[i].size(), other.by_code[i].size()));
      for (std::size_t k = 0; k < other.by_code[i].size(); ++k) {
        by_code[i][k] += other.by_code[i][k];
      }
    }
    read.merge(other.read);
    written.merge(other.written);
  }
  void touch(Way way, u64 address, u64 bytes) {
    if (way != Way::store) read.add_range(address, bytes);
    if (way != Way::load) written.add_range(address, bytes);
  }
};

// The tally of the launch whose blocks this thread runs; nullptr where it is not counted.
thread_local Tally* tally __attribute__((tls_model("initial-exec"))) = nullptr;

// --- code that counts ---------------------------------------------------------------------------

struct CountedCode : ObservedCode {
  std::vector<ObservedOperation> observed;  // one per operation

  void observe();
};

// --- accesses -----------------------------------------------------------------------------------

// Counts the requests of one operation: see visit_requests.
struct RequestCounter {
  Tally& tally;
  OpCount& op;

  void global(Way way, const Addresses& addresses, u32 size) {
    Accesses a;
    a.requests = 1;
    a.lanes = addresses.count;
    a.bytes = u64{addresses.count} * size;
    std::array<u64, warp_size> sorted;
    std::copy_n(addresses.at.begin(), addresses.count, sorted.begin());
    // Addresses are multiples of the size, so that two accesses are one or apart.
    const u32 different = distinct(sorted.data(), addresses.count);
    u64 last = ~u64{0};
    for (u32 i = 0; i < different;) {
      // As far as one follows the other.
      const u64 begin = sorted[i];
      u64 end = begin + size;
      for (++i; i < different && sorted[i] == end; ++i) end += size;
      a.units += sectors_of(begin, end - begin) - (begin / sector_bytes == last ? 1U : 0U);
      last = (end - 1) / sector_bytes;
      tally.touch(way, begin, end - begin);
    }
    a.ideal = (u64{different} * size + sector_bytes - 1) / sector_bytes;
    op.global += a;
  }
  void shared(Way way, const Addresses& addresses, u32 size) {
    const Wavefronts wavefronts = wavefronts_of(way, addresses, size);
    op.shared +=
        {1, addresses.count, u64{addresses.count} * size, wavefronts.taken, wavefronts.ideal};
  }
  void local(Way, const Addresses& addresses, u32 size) { count_other(addresses.count, size); }
  void constant(const Addresses& addresses, u32 size) { count_other(addresses.count, size); }
  void global_pattern(Way way, u64 first, u32 size, Pattern pattern) {
    const u64 bytes = pattern == Pattern::uniform ? size : u64{warp_size} * size;
    op.global += {1, warp_size, u64{warp_size} * size, sectors_of(first, bytes),
                  (bytes + sector_bytes - 1) / sector_bytes};
    tally.touch(way, first, bytes);
  }
  // No bank has two words to deliver.
  void shared_pattern(Way, u64, u32 size, Pattern) {
    const u64 parts = warp_size / lanes_at_once(size);
    op.shared += {1, warp_size, u64{warp_size} * size, parts, parts};
  }
  void global_lines(Way way, u64 address, u64 lines, u64 line, u64 step, u32 lanes) {
    for (u64 i = 0; i < lines; ++i) tally.touch(way, address + i * step, line);
    op.global += {1, lanes, lines * line, sectors_of_lines(address, lines, line, step).size(),
                  (lines * line + sector_bytes - 1) / sector_bytes};
  }
  void shared_lines(Way, u64 address, u64 lines, u64 line, u64 step, u32 lanes) {
    const Wavefronts wavefronts = wavefronts_of_lines(address, lines, line, step);
    op.shared += {1, lanes, lines * line, wavefronts.taken, wavefronts.ideal};
  }

 private:
  void count_other(u32 lanes, u32 size) { op.other += {1, lanes, u64{lanes} * size, 0, 0}; }
};

OpCount& count_of(const CountedCode& code, const Op* op) {
  auto& by_code = tally->by_code;
  if (by_code.size() <= code.number) by_code.resize(code.number + 1);
  auto& counts = by_code[code.number];
  if (counts.empty()) counts.resize(code.ops.size());
  return counts[static_cast<std::size_t>(op - code.ops.data())];
}

// The handler of the operations that are counted. It ends with a jump, as all do.
const Op* count_operation(Warp& w, const Op* op) {
  const auto& code = static_cast<const CountedCode&>(*w.call->code);
  const ObservedOperation& o = code.observed[static_cast<std::size_t>(op - code.ops.data())];
  OpCount& count = count_of(code, op);
  const u32 m = active(w, op);
  if (o.meeting == Meeting::none || !puts_off(w, op, o.meeting, m)) {
    ++count.executed;
    count.lanes += static_cast<u64>(std::popcount(w.mask));
    count.active += static_cast<u64>(std::popcount(m));
    count.worked += m != 0 ? 1U : 0U;
    if (o.touch.form != TouchForm::none && m != 0) {
      RequestCounter counter{*tally, count};
      visit_requests(w, op, o.touch, m, counter);
    }
  }
  return o.run(w, op);
}

}  // namespace

// The counting versions of a program's functions.
class CountedCodes : public ObservedVersions<CountedCode> {};

namespace {

void CountedCode::observe() {
  observed = observe_instructions(*this);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (observed[i].counted_at == i) ops[i].run = count_operation;
  }
}

}  // namespace

// --- results ------------------------------------------------------------------------------------

namespace {

struct Place {
  Accesses global;
  Accesses shared;
};

struct KernelCounters {
  u64 launches = 0;
  u64 blocks = 0;
  u64 threads = 0;
  u64 warp_instructions = 0;
  u64 thread_instructions = 0;
  u64 guarded_off = 0;
  std::array<u64, formats> flops{};
  std::array<u64, formats> special{};
  std::array<Accesses, ways> global{};
  std::array<Accesses, ways> shared{};
  std::array<Accesses, ways> local{};
  Accesses constant;
  Touched::Sum read;
  Touched::Sum written;
  std::map<std::string, Place> places;  // that need more sectors or wavefronts than they might
  std::set<std::string> uncounted;

  void add(const Launch& launch, const Tally& t, const std::vector<const CountedCode*>& codes) {
    ++launches;
    blocks += launch.grid.count();
    threads += launch.grid.count() * launch.threads.count();
    for (std::size_t i = 0; i < t.by_code.size(); ++i) {
      for (std::size_t k = 0; k < t.by_code[i].size(); ++k)
        add_operation(*codes[i], k, t.by_code[i]);
    }
    const auto add_sum = [](Touched::Sum& to, const Touched::Sum& from) {
      to.bytes += from.bytes;
      to.sectors += from.sectors;
      to.host_bytes += from.host_bytes;
    };
    add_sum(read, t.read.sum());
    add_sum(written, t.written.sum());
  }

 private:
  void add_operation(const CountedCode& code, std::size_t index,
                     const std::vector<OpCount>& counts) {
    const ObservedOperation& o = code.observed[index];
    const bool own = o.counted_at == index;
    const OpCount& at = counts[o.counted_at];
    if (at.executed == 0) return;
    // Operations that are counted elsewhere have no guard.
    const u64 active = own ? at.active : at.lanes;
    const u64 worked = own ? at.worked : at.executed;
    warp_instructions += o.instructions * at.executed;
    thread_instructions += o.instructions * at.lanes;
    // Where several instructions are counted here, only the last may have a guard.
    if (o.instructions != 0) guarded_off += at.lanes - active;
    (o.special ? special : flops)[o.format] += o.flops * active + o.warp_flops * worked;
    if (!own) return;
    global[static_cast<std::size_t>(o.touch.way)] += at.global;
    shared[static_cast<std::size_t>(o.touch.shared_way)] += at.shared;
    (o.touch.is_constant ? constant : local[static_cast<std::size_t>(o.touch.way)]) += at.other;
    if (o.touch.uncounted && worked != 0) {
      uncounted.insert(code.texts[code.origins[index].instruction]);
    }
    if (at.global.units > at.global.ideal || at.shared.units > at.shared.ideal) {
      Place& place = places[describe_place(code, code.ops.data() + index)];
      place.global += at.global;
      place.shared += at.shared;
    }
  }
};

struct Registry {
  std::mutex mutex;
  std::atomic<bool> on{options().count};
  std::map<std::string, KernelCounters> kernels;
  struct Copies {
    u64 count = 0;
    u64 bytes = 0;
  };
  std::array<Copies, 4> copies{};  // by direction: from the host 1, to the host 2, added up
};
constexpr std::array<const char*, 4> direction_names = {"within_device", "to_device", "to_host",
                                                        "within_host"};

Registry& registry() {
  static auto* all = new Registry;  // outlives the program's own statics
  return *all;
}

using Json = nlohmann::ordered_json;

Json to_json(const Accesses& a, const char* unit) {
  Json json = {{"requests", a.requests}, {"lanes", a.lanes}, {"bytes", a.bytes}};
  if (unit != nullptr) {
    json[unit] = a.units;
    json[std::string("ideal_") + unit] = a.ideal;
  }
  return json;
}

Json to_json(const std::array<Accesses, ways>& all, const char* unit) {
  Json json = Json::object();
  for (std::size_t i = 0; i < ways; ++i) json[way_names[i]] = to_json(all[i], unit);
  return json;
}

Json to_json(const std::array<u64, formats>& counts) {
  Json json = Json::object();
  for (std::size_t i = 0; i < formats; ++i) {
    if (counts[i] != 0) json[format_names[i]] = counts[i];
  }
  return json;
}

Json worst_places(const std::map<std::string, Place>& places) {
  struct Entry {
    const std::string* at;
    const Place* place;
    u64 excess;
  };
  std::vector<Entry> entries;
  for (const auto& [at, place] : places) {
    const auto over = [](const Accesses& a) { return a.units - std::min(a.units, a.ideal); };
    entries.push_back({&at, &place, over(place.global) + over(place.shared)});
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.excess > b.excess; });
  if (entries.size() > most_places) entries.resize(most_places);
  Json list = Json::array();
  for (const Entry& entry : entries) {
    Json json = {{"at", *entry.at}};
    if (entry.place->global.requests != 0) {
      json["global"] = to_json(entry.place->global, "sectors");
    }
    if (entry.place->shared.requests != 0) {
      json["shared"] = to_json(entry.place->shared, "wavefronts");
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json to_json(const std::string& name, const KernelCounters& k) {
  const u64 slots = k.warp_instructions * warp_size;
  Json json = {
      {"kernel", name},
      {"name", readable_name(name)},
      {"launches", k.launches},
      {"blocks", k.blocks},
      {"threads", k.threads},
      {"instructions",
       {{"warp", k.warp_instructions},
        {"thread", k.thread_instructions},
        {"guarded_off", k.guarded_off},
        {"lanes_active",
         slots == 0 ? 1.0
                    : static_cast<double>(k.thread_instructions) / static_cast<double>(slots)}}},
      {"flops", to_json(k.flops)},
      {"special", to_json(k.special)},
      {"global", to_json(k.global, "sectors")},
      {"touched",
       {{"read_bytes", k.read.bytes},
        {"written_bytes", k.written.bytes},
        {"read_sectors", k.read.sectors},
        {"written_sectors", k.written.sectors},
        {"host_read_bytes", k.read.host_bytes},
        {"host_written_bytes", k.written.host_bytes}}},
      {"shared", to_json(k.shared, "wavefronts")},
      {"local", to_json(k.local, nullptr)},
      {"constant", to_json(k.constant, nullptr)},
      {"places", worst_places(k.places)},
      {"uncounted", k.uncounted},
  };
  return json;
}

}  // namespace

bool counting() { return registry().on.load(std::memory_order_relaxed); }

void count_launches(bool on) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (on) {
    all.kernels.clear();
    all.copies = {};
  }
  all.on.store(on, std::memory_order_relaxed);
}

void count_copy(const void* to, const void* from, std::size_t bytes) {
  Registry& all = registry();
  if (!counting() || bytes == 0) return;
  const auto on_host = [](const void* address) {
    MemoryRange range;
    return is_host_memory(reinterpret_cast<u64>(address), range);
  };
  const std::size_t direction = (on_host(from) ? 1U : 0U) + (on_host(to) ? 2U : 0U);
  const std::lock_guard lock(all.mutex);
  ++all.copies[direction].count;
  all.copies[direction].bytes += bytes;
}

nlohmann::ordered_json counters() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  Json kernels = Json::array();
  for (const auto& [name, k] : all.kernels) kernels.push_back(to_json(name, k));
  Json copies = Json::object();
  for (std::size_t i = 0; i < all.copies.size(); ++i) {
    copies[direction_names[i]] = {{"count", all.copies[i].count}, {"bytes", all.copies[i].bytes}};
  }
  return {{"software", true}, {"copies", std::move(copies)}, {"kernels", std::move(kernels)}};
}

nlohmann::ordered_json counters_of(const std::string& kernel) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto found = all.kernels.find(kernel);
  return found == all.kernels.end() ? Json() : to_json(kernel, found->second);
}

// --- launches -----------------------------------------------------------------------------------

struct CountedLaunch::Parts final : Observer {
  explicit Parts(Launch& of) : launch(of), code(of.code), codes(of.program->counted_codes()) {}

  const Code& version_of(const Code& called) override { return codes->of(called); }
  void lanes_exchanged(const Code& at, const Op& op, u32 lanes) override {
    if (op.run != &count_operation) return;
    OpCount& count = count_of(static_cast<const CountedCode&>(at), &op);
    ++count.executed;
    ++count.worked;
    const auto many = static_cast<u64>(std::popcount(lanes));
    count.lanes += many;
    count.active += many;
  }

  Launch& launch;
  const Code* code;
  std::shared_ptr<CountedCodes> codes;
  std::mutex mutex;
  Tally sum;
};

CountedLaunch::CountedLaunch(Launch& launch) : parts_(new Parts(launch)) {
  launch.code = &parts_->codes->of(*launch.code);
  launch.observer = parts_.get();
}

CountedLaunch::~CountedLaunch() {
  parts_->launch.code = parts_->code;
  parts_->launch.observer = nullptr;
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  // Switched off in the meantime: it would not be in a sum that has been read.
  if (!all.on.load(std::memory_order_relaxed)) return;
  all.kernels[parts_->code->name].add(parts_->launch, parts_->sum, parts_->codes->all());
}

void CountedLaunch::run(const std::function<void()>& core) {
  Tally mine;
  Tally* const before = std::exchange(tally, &mine);
  core();
  tally = before;
  const std::lock_guard lock(parts_->mutex);
  try {
    parts_->sum.merge(mine);
  } catch (const std::bad_alloc&) {
    if (!parts_->launch.failed.exchange(true)) {
      parts_->launch.fault = {error_out_of_memory,
                              "kernel " + parts_->code->name + ": not enough memory to count"};
    }
  }
}

std::shared_ptr<CountedCodes> Program::counted_codes() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (counted_ == nullptr) counted_ = std::make_shared<CountedCodes>();
  return counted_;
}

}  // namespace softgpu
