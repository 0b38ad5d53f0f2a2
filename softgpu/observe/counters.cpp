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
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/observe/observer.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr int error_out_of_memory = 2;
constexpr u32 sector_bytes = 32;
constexpr u32 banks = 32;  // of shared memory, 4 bytes wide
// Places in the code that are listed because they use memory badly.
constexpr std::size_t most_places = 16;

// --- what is counted ----------------------------------------------------------------------------

enum Format : std::uint8_t { f64, f32, f16, bf16, tf32, f8, formats };
constexpr std::array<const char*, formats> format_names = {"f64",  "f32",  "f16",
                                                           "bf16", "tf32", "f8"};

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

// Kept beside each operation while a kernel is counted.
struct Observed {
  Handler run = nullptr;  // the operation itself
  Touch touch;            // of memory
  u32 instructions = 0;   // of the PTX that are counted here
  u32 flops = 0;          // of an active lane
  u32 warp_flops = 0;     // of a warp
  Format format = f32;    // of the flops
  bool special = false;   // they are divisions, roots or functions
  Meeting meeting = Meeting::none;
  // The operation that is counted in this one's place: an earlier one, after which every lane that
  // executes it comes here too. Itself where it is counted on its own.
  u32 counted_at = 0;
};

struct CountedCode : ObservedCode {
  std::vector<Observed> observed;  // one per operation

  void observe();
};

// --- accesses -----------------------------------------------------------------------------------

// The addresses of one request in one state space.
struct Addresses {
  std::array<u64, warp_size> at;
  std::array<std::uint8_t, warp_size> lane;
  u32 count;  // how many entries of the arrays are in use; the maker sets it to 0
  void add(u64 address, int l) {
    at[count] = address;
    lane[count++] = static_cast<std::uint8_t>(l);
  }
};

// Sorts and drops repetitions.
u32 distinct(u64* values, u32 count) {
  bool sorted = true;
  for (u32 i = 1; i < count; ++i) sorted = sorted && values[i - 1] <= values[i];
  if (!sorted) std::sort(values, values + count);
  return static_cast<u32>(std::unique(values, values + count) - values);
}

u64 sectors_of(u64 address, u64 bytes) {
  return (address + bytes - 1) / sector_bytes - address / sector_bytes + 1;
}

void count_global(Tally& t, OpCount& op, Way way, const Addresses& addresses, u32 size) {
  if (addresses.count == 0) return;
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
    t.touch(way, begin, end - begin);
  }
  a.ideal = (u64{different} * size + sector_bytes - 1) / sector_bytes;
  op.global += a;
}

// Accesses of 8 bytes are done by half-warps, of 16 by quarters.
u32 lanes_at_once(u32 size) { return size <= 4 ? banks : std::max<u32>(4 * banks / size, 1); }

// One step of a request: the most words that one bank has to deliver. Equal words count once, but
// for atomics, which are done one after the other.
u64 wavefronts_of(u64* words, u32 count, bool each) {
  if (!each) count = distinct(words, count);
  std::array<u32, banks> at_bank{};
  u32 most = 0;
  for (u32 i = 0; i < count; ++i) most = std::max(most, ++at_bank[words[i] % banks]);
  return most;
}

void count_shared(OpCount& op, Way way, const Addresses& addresses, u32 size) {
  if (addresses.count == 0) return;
  Accesses a;
  a.requests = 1;
  a.lanes = addresses.count;
  a.bytes = u64{addresses.count} * size;
  const u32 words_each = std::max<u32>(size / 4, 1);
  const u32 together = lanes_at_once(size);
  std::array<u64, 2 * banks> words;
  for (u32 i = 0; i < addresses.count;) {
    const u32 part = addresses.lane[i] / together;
    u32 count = 0;
    for (; i < addresses.count && addresses.lane[i] / together == part; ++i) {
      for (u32 k = 0; k < words_each; ++k) words[count++] = addresses.at[i] / 4 + k;
    }
    a.units += wavefronts_of(words.data(), count, way == Way::atomic);
    ++a.ideal;
  }
  op.shared += a;
}

void count_other(OpCount& op, u32 lanes, u32 size) {
  if (lanes != 0) op.other += {1, lanes, u64{lanes} * size, 0, 0};
}

// A range of addresses that one request accesses, of global or shared memory, in whole lines of
// `line` bytes that are `step` bytes apart.
void count_lines(Tally& t, OpCount& op, Way way, u64 address, u64 lines, u64 line, u64 step,
                 u32 lanes) {
  Accesses a;
  a.requests = 1;
  a.lanes = lanes;
  a.bytes = lines * line;
  if ((address & window_mask) == shared_window) {
    // Pieces of 16 bytes, eight at a time, as the hardware's matrix loads have it.
    const u64 base = address & 0xffffffU;
    std::array<u64, banks> words;
    u32 count = 0;
    const auto flush = [&] {
      if (count == 0) return;
      a.units += wavefronts_of(words.data(), count, false);
      ++a.ideal;
      count = 0;
    };
    for (u64 i = 0; i < lines; ++i) {
      for (u64 k = 0; k < line; k += 4) {
        words[count++] = (base + i * step + k) / 4;
        if (count == banks) flush();
      }
    }
    flush();
    op.shared += a;
  } else if ((address & window_mask) == 0) {
    std::vector<u64> sectors;
    for (u64 i = 0; i < lines; ++i) {
      const u64 from = address + i * step;
      for (u64 s = from / sector_bytes; s <= (from + line - 1) / sector_bytes; ++s) {
        sectors.push_back(s);
      }
      t.touch(way, from, line);
    }
    std::sort(sectors.begin(), sectors.end());
    a.units = static_cast<u64>(std::unique(sectors.begin(), sectors.end()) - sectors.begin());
    a.ideal = (a.bytes + sector_bytes - 1) / sector_bytes;
    op.global += a;
  }
}

// Addresses of a whole warp that are one, or that follow each other: most of them.
enum class Pattern { scattered, uniform, consecutive };
template <class Lane>
Pattern pattern_of(const Lane* a, u32 size) {
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

// The two patterns, in shared memory: no bank has two words to deliver.
void count_shared_pattern(OpCount& op, u32 size) {
  const u64 parts = warp_size / lanes_at_once(size);
  op.shared += {1, warp_size, u64{warp_size} * size, parts, parts};
}

void count_global_pattern(Tally& t, OpCount& op, Way way, u64 first, u32 size, Pattern pattern) {
  const u64 bytes = pattern == Pattern::uniform ? size : u64{warp_size} * size;
  op.global += {1, warp_size, u64{warp_size} * size, sectors_of(first, bytes),
                (bytes + sector_bytes - 1) / sector_bytes};
  t.touch(way, first, bytes);
}

// Generic addresses of the lanes of `m`, by the space that each is in.
template <class AddressOf>
void count_generic(Tally& t, OpCount& op, Way way, Way shared_way, u32 m, u32 size,
                   bool is_constant, const AddressOf& address_of) {
  Addresses global;
  Addresses shared;
  global.count = 0;
  shared.count = 0;
  u32 local = 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = std::countr_zero(rest);
    const u64 address = address_of(l);
    switch (address & window_mask) {
      case 0: global.add(address, l); break;
      // Without the rank of the block in its cluster.
      case shared_window: shared.add(address & 0xffffffU, l); break;
      case local_window: ++local; break;
      default: break;  // parameters
    }
  }
  if (is_constant) {
    count_other(op, global.count, size);
  } else {
    count_global(t, op, way, global, size);
    count_other(op, local, size);
  }
  count_shared(op, shared_way, shared, size);
}

void count_memory(Tally& t, OpCount& count, const Observed& o, Warp& w, const Op* op, u32 m) {
  const auto offset = static_cast<u64>(op->imm);
  switch (o.touch.form) {
    case TouchForm::none: return;
    case TouchForm::shared64: {
      const auto* a = lanes<u64>(w, op->a);
      count_generic(t, count, o.touch.way, o.touch.way, m, o.touch.size, false,
                    [&](int l) { return (a[l] + offset) | shared_window; });
      return;
    }
    case TouchForm::lanes64: {
      const auto* a = lanes<u64>(w, op->a);
      if (m == full_mask && o.touch.way != Way::atomic && !o.touch.is_constant) {
        const Pattern pattern = pattern_of(a, o.touch.size);
        const u64 first = a[0] + offset;
        if (pattern != Pattern::scattered && first % o.touch.size == 0) {
          const u64 window = first & window_mask;
          if (window == 0)
            return count_global_pattern(t, count, o.touch.way, first, o.touch.size, pattern);
          if (window == shared_window) return count_shared_pattern(count, o.touch.size);
        }
      }
      count_generic(t, count, o.touch.way, o.touch.way, m, o.touch.size, o.touch.is_constant,
                    [&](int l) { return a[l] + offset; });
      return;
    }
    case TouchForm::lanes32: {
      const auto* a = lanes<u32>(w, op->a);
      if (m == full_mask && o.touch.way != Way::atomic &&
          (a[0] + static_cast<u32>(offset)) % o.touch.size == 0 &&
          pattern_of(a, o.touch.size) != Pattern::scattered) {
        return count_shared_pattern(count, o.touch.size);
      }
      Addresses shared;
      shared.count = 0;
      for (u32 rest = m; rest != 0; rest &= rest - 1) {
        const int l = std::countr_zero(rest);
        shared.add((a[l] + static_cast<u32>(offset)) & 0xffffffU, l);
      }
      count_shared(count, o.touch.way, shared, o.touch.size);
      return;
    }
    case TouchForm::copy_async: {
      const auto* to = lanes<u64>(w, op->a);
      const auto* from = lanes<u64>(w, op->b);
      u32 reading = m;
      u32 size = o.touch.size;
      if ((op->aux & 0x100U) != 0) {
        reading &= ~(predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U)));
      } else if (op->c != 0) {
        // As many bytes as a register says; mostly all or none. The rest is zeros.
        const auto* asked = lanes<u32>(w, op->c);
        u32 most = 0;
        for (u32 rest = m; rest != 0; rest &= rest - 1) {
          const int l = std::countr_zero(rest);
          if (asked[l] == 0) reading &= ~(1U << l);
          most = std::max(most, std::min(asked[l], o.touch.size));
        }
        size = most;
      }
      count_generic(t, count, Way::load, Way::load, reading, size, false,
                    [&](int l) { return from[l]; });
      count_generic(t, count, Way::store, Way::store, m, o.touch.size, false,
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
        count_lines(t, count, Way::load, from[l], 1, size[l], 0, 1);
        count_lines(t, count, Way::store, to[l], 1, size[l], 0, 1);
      }
      return;
    }
    case TouchForm::rows: {
      const auto* a = lanes<u64>(w, op->a);
      const u32 matrices = static_cast<const Pieces*>(op->extra)->count;
      const u32 rows = matrices >= 4 ? full_mask : (1U << (8 * matrices)) - 1U;
      count_generic(t, count, o.touch.way, o.touch.way, rows, o.touch.size, false,
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
      count_lines(t, count, o.touch.way, base, lines, elements * bits / 8, stride * bits / 8,
                  static_cast<u32>(std::popcount(m)));
      return;
    }
  }
}

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
  const Observed& o = code.observed[static_cast<std::size_t>(op - code.ops.data())];
  OpCount& count = count_of(code, op);
  const u32 m = active(w, op);
  if (o.meeting == Meeting::none || !puts_off(w, op, o.meeting, m)) {
    ++count.executed;
    count.lanes += static_cast<u64>(std::popcount(w.mask));
    count.active += static_cast<u64>(std::popcount(m));
    count.worked += m != 0 ? 1U : 0U;
    if (o.touch.form != TouchForm::none && m != 0) count_memory(*tally, count, o, w, op, m);
  }
  return o.run(w, op);
}

// --- making it ----------------------------------------------------------------------------------

struct Number {
  std::string_view type;
  Format format;
  u32 parts;
};
constexpr Number numbers[] = {
    {"f64", f64, 1},   {"f32", f32, 1},     {"f32x2", f32, 2}, {"f16", f16, 1}, {"f16x2", f16, 2},
    {"bf16", bf16, 1}, {"bf16x2", bf16, 2}, {"tf32", tf32, 1}, {"e4m3", f8, 1}, {"e5m2", f8, 1},
};

const Number* number_of(std::string_view word) {
  for (const Number& number : numbers) {
    if (number.type == word) return &number;
  }
  return nullptr;
}

// "m16n8k16": their product; 0 for another word.
u64 shape_product(std::string_view word) {
  u64 product = 1;
  std::size_t at = 0;
  for (const char letter : {'m', 'n', 'k'}) {
    if (at >= word.size() || word[at] != letter) return 0;
    ++at;
    u64 value = 0;
    while (at < word.size() && word[at] >= '0' && word[at] <= '9' && value < 10000) {
      value = value * 10 + static_cast<u64>(word[at++] - '0');
    }
    product *= value;
  }
  return at == word.size() ? product : 0;
}

void matrix_flops(const ptx::Instruction& in, Observed& o) {
  u64 product = 0;
  std::vector<std::string_view> types;
  for (const std::string& word : in.modifiers) {
    if (const u64 p = shape_product(word); p != 0) product = p;
    if (word == "s8" || word == "u8" || word == "s4" || word == "u4" || word == "b1") return;
    if (number_of(word) != nullptr) types.push_back(word);
  }
  if (product == 0 || types.empty()) return;
  // D's type comes first, then A's; a wmma that names only D and C multiplies halves.
  const bool halves = in.opcode == "wmma" && types.size() == 2;
  o.format = halves || types.size() < 2 ? f16 : number_of(types[1])->format;
  u64 flops = 2 * product;
  if (in.has("m8n8k4") && o.format == f16) flops *= 4;  // four products at a time
  if (in.opcode == "wgmma") flops /= 4;                 // of four warps
  o.warp_flops = static_cast<u32>(flops);
}

// The floating-point operations of an instruction.
void arithmetic(const ptx::Instruction& in, Observed& o) {
  const std::string& code = in.opcode;
  if (code == "mma" || (code == "wmma" && in.has("mma")) ||
      (code == "wgmma" && in.has("mma_async"))) {
    return matrix_flops(in, o);
  }
  const bool atomic_add = (code == "atom" || code == "red") && in.has("add");
  const bool once = code == "add" || code == "sub" || code == "mul" || atomic_add;
  const bool twice = code == "fma" || code == "mad";
  const bool special = code == "div" || code == "sqrt" || code == "rcp" || code == "rsqrt" ||
                       code == "sin" || code == "cos" || code == "lg2" || code == "ex2" ||
                       code == "tanh";
  if (!once && !twice && !special) return;
  for (const std::string& word : in.modifiers) {
    const Number* number = number_of(word);
    if (number == nullptr) continue;
    o.format = number->format;
    o.flops = number->parts * (twice ? 2U : 1U);
    o.special = special;
    return;
  }
}

// Operations after which the lanes at the next one may be others: branches, calls, barriers, and
// all that waits. What is not known counts as one of them.
bool may_part(std::string_view name) {
  static const auto* parting = new std::set<std::string_view>{
      "",      "bra",           "bra.short",   "brx",  "exit",     "ret",
      "call",  "call.register", "service",     "bar",  "bar.warp", "bar.cluster",
      "yield", "trap",          "unsupported", "join", "loop"};
  return parting->count(name) != 0 || name.starts_with("mbarrier") || name.starts_with("wgmma") ||
         name.starts_with("cp.bulk");
}

}  // namespace

// The counting versions of a program's functions.
class CountedCodes : public ObservedVersions<CountedCode> {};

namespace {

void CountedCode::observe() {
  const auto& instructions = static_cast<const ptx::Function*>(origin_function)->instructions;
  observed.resize(ops.size());
  std::size_t next = 0;  // instruction that has not been counted yet
  u32 leader = 0;
  bool leads = true;  // other lanes may reach this operation than the one before it
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Op& op = ops[i];
    Observed& o = observed[i];
    const Origin& origin = origins[i];
    const std::string_view handler = handler_name(op.run);
    o.run = op.run;
    // Labels have operations of their own, which belong to no instruction; those before them
    // that became no operation (a register that stands for a constant) are counted there.
    const bool at_label = handler == "loop" || handler == "join";
    const std::size_t index = origin.ptx_line == 0 ? instructions.size() : origin.instruction;
    const std::size_t counted = at_label ? index : std::min(index + 1, instructions.size());
    const bool first = counted > next;
    if (first) {
      o.instructions = static_cast<u32>(counted - next);
      next = counted;
    }
    if (!at_label && index < instructions.size()) {
      if (first) arithmetic(instructions[index], o);
      o.touch = touches[i];
      o.meeting = meeting_of(handler);
    }
    if (leads || at_label) leader = static_cast<u32>(i);
    const bool is_observed = leader == i || op.guard != 0 || o.touch.form != TouchForm::none ||
                             o.meeting != Meeting::none || o.touch.uncounted;
    o.counted_at = is_observed ? static_cast<u32>(i) : leader;
    if (is_observed) op.run = count_operation;
    leads = at_label || o.meeting != Meeting::none || may_part(handler);
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
    const Observed& o = code.observed[index];
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
