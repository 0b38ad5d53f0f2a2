#include "core/external_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/memory.hpp"
#include "tandem/core/error.hpp"

// Linux 5.14; the headers may be older than the kernel.
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace tandem {

namespace external {
std::atomic<bool> in_use{false};
}

namespace {

using external::Access;
using Lock = std::unique_lock<std::mutex>;

// Address space, of which pages are mapped as they are allocated: whether a pointer is one of ours
// is told by two comparisons.
constexpr std::size_t region_bytes = std::size_t{1} << 44;
constexpr std::size_t alignment = std::size_t{2} << 20;
std::atomic<std::uintptr_t> region_begin{0};
std::atomic<std::size_t> region_size{0};

bool in_region(const void* memory) noexcept {
  return reinterpret_cast<std::uintptr_t>(memory) - region_begin.load(std::memory_order_relaxed) <
         region_size.load(std::memory_order_relaxed);
}

std::string reason(int code) { return std::strerror(code); }

// A file that has no name, or none any more.
int nameless_file(const std::string& folder) {
  int descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  std::string path = folder + "/tandem-rows-XXXXXX";
  descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor >= 0) ::unlink(path.c_str());
  return descriptor;
}

// Bytes of memory that are not backed by files, and those that are.
struct Resident {
  Index anonymous = 0;
  Index of_files = 0;
};
Resident resident_now() {
  // size resident shared ..., in pages
  Resident now;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    long size = 0;
    long resident = 0;
    long shared = 0;
    if (std::fscanf(file, "%ld %ld %ld", &size, &resident, &shared) == 3) {
      const long page = ::sysconf(_SC_PAGESIZE);
      now = {Index{resident - shared} * page, Index{shared} * page};
    }
    std::fclose(file);
  }
  return now;
}

// The unit in which rows come and go.
struct Chunk {
  //   away     not in memory, or there without our doing
  //   queued   to be read ahead
  //   loading  a thread is bringing it
  //   here     in memory
  //   leaving  a thread is dropping it
  enum class State : std::uint8_t { away, queued, loading, here, leaving };
  State state = State::away;
  bool dirty = false;
  std::uint32_t users = 0;   // threads whose place it is
  std::uint64_t ticket = 0;  // of the last time that it became idle
};

// One allocation.
struct Extent {
  std::uint64_t id = 0;
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  int descriptor = -1;
  std::vector<Chunk> chunks;
  int busy = 0;       // threads that work on its file without the lock
  Index visited = 0;  // bytes that had been loaded of all extents when it was last visited
  bool hot = true;    // it has been visited not long before
};

// An idle chunk, as long as its ticket is the chunk's; or one to be read ahead.
struct Idle {
  std::uint64_t extent;
  std::size_t chunk;
  std::uint64_t ticket;
};

// Neighbouring chunks of an extent that a thread is at.
struct Place {
  std::uint64_t extent = 0;  // 0: none
  std::uint64_t generation = 0;
  const std::byte* base = nullptr;
  std::size_t bytes = 0;
  std::size_t first = 0;
  std::size_t last = 0;
  std::uint64_t used = 0;  // when, for replacing the oldest
  bool writes = false;
};

class Store {
 public:
  // Never ended: memory may be given back while the process ends.
  static Store& get() {
    static Store* const store = new Store();  // NOLINT(cppcoreguidelines-owning-memory)
    return *store;
  }

  void use(const ExternalMemoryOptions& options) {
    if (options.memory < least_external_memory) {
      throw InputError("external memory of " + readable_size(options.memory) +
                       ": expected at least " + readable_size(least_external_memory));
    }
    struct stat facts {};
    if (::stat(options.folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode)) {
      throw InputError(options.folder + ": is no folder; make it first or choose another");
    }
    const int descriptor = nameless_file(options.folder);
    if (descriptor < 0) {
      throw SystemError(options.folder + ": files cannot be made there: " + reason(errno));
    }
    ::close(descriptor);
    const Lock lock(mutex_);
    if (region_size == 0) reserve_region();
    folder_ = options.folder;
    memory_ = options.memory;
    least_ = static_cast<std::size_t>(options.least > 0 ? options.least : options.memory / 64);
    if (extents_.empty()) {
      const auto unit = std::bit_floor(static_cast<std::size_t>(options.memory) / 256);
      chunk_ = std::clamp(unit, std::size_t{256} << 10, std::size_t{4} << 20);
    }
    const Resident now = resident_now();
    of_files_at_first_ = std::min(now.of_files, memory_ / 4);
    set_budget(now);
    if (!reader_started_) {
      std::thread([this] { read_ahead(); }).detach();
      reader_started_ = true;
    }
    external::in_use = true;
  }

  void stop() noexcept { external::in_use = false; }

  void* allocate(std::size_t bytes) {
    if (bytes < least_ || bytes > region_bytes / 2) return nullptr;
    // What is allocated in here stays in ordinary memory.
    thread_local bool inside = false;
    if (inside) return nullptr;
    inside = true;
    struct Leave {
      bool& flag;
      ~Leave() { flag = false; }
    } const left{inside};
    Lock lock(mutex_);
    if (fits_beside(bytes)) return nullptr;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    const auto no_room = [&](const std::string& why) {
      return SystemError(folder_ + ": " + readable_size(static_cast<Index>(rounded)) +
                         " cannot be taken there for rows that are not in memory: " + why +
                         "; make room or choose another folder");
    };
    // Some file systems fill themselves up before they say that they have not enough.
    const Index room = room_in_folder();
    if (static_cast<Index>(rounded) > room) throw no_room(readable_size(room) + " are left");
    const int descriptor = nameless_file(folder_);
    if (descriptor < 0) {
      throw SystemError(folder_ + ": a file cannot be made there: " + reason(errno));
    }
    // The blocks are taken now: a page that finds none later would end the process.
    int code = ::fallocate(descriptor, 0, 0, static_cast<off_t>(rounded)) == 0 ? 0 : errno;
    if (code == EOPNOTSUPP) code = ::posix_fallocate(descriptor, 0, static_cast<off_t>(rounded));
    if (code != 0) {
      ::close(descriptor);
      throw no_room(reason(code));
    }
    const std::size_t at = take_addresses(rounded);
    auto* const base = reinterpret_cast<std::byte*>(region_begin.load() + at);
    void* const mapped =
        ::mmap(base, rounded, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor, 0);
    if (mapped == MAP_FAILED) {
      code = errno;
      ::close(descriptor);
      give_addresses(at, rounded);
      throw SystemError(folder_ + ": a file cannot be mapped into memory: " + reason(code));
    }
    // Children that run other programs, and dumps, have no use for rows.
    (void)::madvise(base, rounded, MADV_DONTFORK);
    (void)::madvise(base, rounded, MADV_DONTDUMP);
    auto extent = std::make_unique<Extent>();
    extent->id = ++ids_;
    extent->base = base;
    extent->bytes = rounded;
    extent->descriptor = descriptor;
    extent->chunks.resize((rounded + chunk_ - 1) / chunk_);
    extent->visited = use_.loaded_bytes;
    hot_bytes_ += static_cast<Index>(rounded);
    by_id_.emplace(extent->id, extent.get());
    extents_.emplace(base, std::move(extent));
    use_.bytes += static_cast<Index>(rounded);
    use_.most_bytes = std::max(use_.most_bytes, use_.bytes);
    work_.notify_one();  // there is something to look after
    return base;
  }

  void deallocate(void* memory) noexcept {
    Lock lock(mutex_);
    const auto found = extents_.find(static_cast<std::byte*>(memory));
    if (found == extents_.end()) std::abort();  // inside an allocation, or given back twice
    Extent& extent = *found->second;
    changed_.wait(lock, [&] { return extent.busy == 0; });
    for (std::size_t c = 0; c < extent.chunks.size(); ++c) {
      if (extent.chunks[c].state == Chunk::State::here) resident_ -= size_of(extent, c);
    }
    use_.bytes -= static_cast<Index>(extent.bytes);
    (void)::mmap(extent.base, extent.bytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    ::close(extent.descriptor);
    give_addresses(reinterpret_cast<std::uintptr_t>(extent.base) - region_begin.load(),
                   extent.bytes);
    generation_.fetch_add(1, std::memory_order_relaxed);
    by_id_.erase(extent.id);
    extents_.erase(found);
    changed_.notify_all();
  }

  void visit(const void* begin, std::size_t bytes, Access access);

  void end_visits(const void* memory) noexcept {
    Lock lock(mutex_);
    Extent* const extent = extent_of(memory);
    if (extent == nullptr) return;
    // Under another number no thread's place is one of this extent.
    by_id_.erase(extent->id);
    extent->id = ++ids_;
    by_id_.emplace(extent->id, extent);
    generation_.fetch_add(1, std::memory_order_relaxed);
    for (std::size_t c = 0; c < extent->chunks.size(); ++c) {
      Chunk& chunk = extent->chunks[c];
      chunk.users = 0;
      if (chunk.state == Chunk::State::here) become_idle(*extent, c, nullptr);
      // The queue knows the old number.
      if (chunk.state == Chunk::State::queued) chunk.state = Chunk::State::away;
    }
    changed_.notify_all();
  }

  // The places of a thread that ends.
  void leave(std::span<Place> places) noexcept {
    Lock lock(mutex_);
    for (Place& place : places) leave(lock, place);
  }

  [[nodiscard]] ExternalMemoryUse numbers() noexcept {
    const Lock lock(mutex_);
    return use_;
  }

  [[nodiscard]] Index window() {
    const Lock lock(mutex_);
    return budget_ / 2;
  }

  // Bytes that the disk has left.
  [[nodiscard]] Index room() {
    const Lock lock(mutex_);
    return room_in_folder();
  }

 private:
  Store() = default;

  [[nodiscard]] Index room_in_folder() const {
    struct statvfs facts {};
    if (::statvfs(folder_.c_str(), &facts) != 0) return 0;
    return saturating_product(static_cast<Index>(facts.f_bavail),
                              static_cast<Index>(facts.f_frsize));
  }

  static void reserve_region() {
    void* const region = ::mmap(nullptr, region_bytes, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
      throw SystemError(
          "addresses for rows on disk cannot be reserved: " + reason(errno) +
          "; a limit of the address space (ulimit -v) does not go with external memory");
    }
    const auto at = reinterpret_cast<std::uintptr_t>(region);
    const std::uintptr_t aligned = (at + alignment - 1) / alignment * alignment;
    region_begin = aligned;
    region_size = region_bytes - (aligned - at);
  }

  // First fit among what was given back, else behind everything.
  std::size_t take_addresses(std::size_t bytes) {
    for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
      if (gap->second < bytes) continue;
      const auto [at, size] = *gap;
      gaps_.erase(gap);
      if (size > bytes) gaps_.emplace(at + bytes, size - bytes);
      return at;
    }
    if (bytes > region_size - end_) throw SystemError("no addresses are left for rows on disk");
    return std::exchange(end_, end_ + bytes);
  }
  void give_addresses(std::size_t at, std::size_t bytes) {
    auto next = gaps_.lower_bound(at);
    if (next != gaps_.end() && at + bytes == next->first) {
      bytes += next->second;
      next = gaps_.erase(next);
    }
    if (next != gaps_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == at) {
        before->second += bytes;
        return;
      }
    }
    gaps_.emplace(at, bytes);
  }

  [[nodiscard]] Index size_of(const Extent& extent, std::size_t c) const {
    return static_cast<Index>(std::min(chunk_, extent.bytes - c * chunk_));
  }
  [[nodiscard]] Extent* extent_of(const void* memory) {
    const auto* at = static_cast<const std::byte*>(memory);
    auto next = extents_.upper_bound(const_cast<std::byte*>(at));
    if (next == extents_.begin()) return nullptr;
    Extent& extent = *std::prev(next)->second;
    return at < extent.base + extent.bytes ? &extent : nullptr;
  }

  // Whether ordinary memory has room for an allocation: arrays of a number per row are used in
  // every step, and should not come from the disk as long as half of the memory holds them.
  bool fits_beside(std::size_t bytes) {
    const auto size = static_cast<Index>(bytes);
    if (size > memory_ / 8) return false;
    // What was allowed a moment ago has not been written to, perhaps, and is not counted yet.
    const auto now = std::chrono::steady_clock::now();
    while (!allowed_.empty() && now - allowed_.front().first > std::chrono::seconds(1)) {
      allowed_.pop_front();
    }
    Index sum = resident_now().anonymous + size;
    for (const auto& [when, of_size] : allowed_) sum += of_size;
    if (sum > memory_ / 2) return false;
    allowed_.emplace_back(now, size);
    return true;
  }

  // Of what the process may take, the part for pages of files: what ordinary memory and the code
  // leave, and a sixteenth for what both may take before this is looked at again.
  void set_budget(const Resident& now) {
    budget_ = std::max(memory_ / 4, memory_ - now.anonymous - of_files_at_first_ - memory_ / 16);
  }

  // Chunks that stay from pass to pass are spread evenly over what passes go over, so that one that
  // computes on them gives the disk time to bring those behind.
  [[nodiscard]] bool keeps(const Extent& extent, std::size_t c) const {
    if (!extent.hot) return false;
    const double share = std::min(1.0, 0.6 * static_cast<double>(budget_) /
                                           static_cast<double>(std::max<Index>(hot_bytes_, 1)));
    const auto place = static_cast<double>(c);
    return static_cast<std::uint64_t>((place + 1) * share) >
           static_cast<std::uint64_t>(place * share);
  }

  // --- chunks in and out; each is entered with the lock, and lets go of it to work on the file ---

  void load(Lock& lock, Extent& extent, std::size_t c, Access access) {
    extent.chunks[c].state = Chunk::State::loading;
    const Index size = size_of(extent, c);
    resident_ += size;
    use_.loaded_bytes += size;
    ++extent.busy;
    lock.unlock();
    const auto bytes = static_cast<std::size_t>(size);
    std::byte* const at = extent.base + c * chunk_;
    // The whole chunk is asked for at once; mapping its pages then waits for them.
    if (access == Access::read) {
      (void)::posix_fadvise(extent.descriptor, static_cast<off_t>(c * chunk_), size,
                            POSIX_FADV_WILLNEED);
    }
    if (::madvise(at, bytes, access == Access::write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) !=
            0 &&
        errno == EINVAL) {
      const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
      for (std::size_t b = 0; b < bytes; b += page) (void)*static_cast<volatile std::byte*>(at + b);
    }
    lock.lock();
    --extent.busy;
    extent.chunks[c].state = Chunk::State::here;
    changed_.notify_all();
  }

  static void drop(const Extent& extent, std::size_t offset, std::size_t bytes, bool dirty) {
    const auto at = static_cast<off_t>(offset);
    const auto size = static_cast<off_t>(bytes);
    // Pages that are mapped stay in the system's cache, and so do those to be written.
    (void)::madvise(extent.base + offset, bytes, MADV_DONTNEED);
    if (dirty) {
      (void)::sync_file_range(
          extent.descriptor, at, size,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
    (void)::posix_fadvise(extent.descriptor, at, size, POSIX_FADV_DONTNEED);
  }

  // Drops one idle chunk; false where there is none.
  bool evict(Lock& lock, bool also_those_ahead) {
    for (std::deque<Idle>* list :
         {&consumed_, also_those_ahead ? &ahead_ : nullptr, also_those_ahead ? &kept_ : nullptr}) {
      while (list != nullptr && !list->empty()) {
        const Idle idle = list->front();
        list->pop_front();
        const auto found = by_id_.find(idle.extent);
        if (found == by_id_.end()) continue;
        Extent& extent = *found->second;
        Chunk& chunk = extent.chunks[idle.chunk];
        if (chunk.ticket != idle.ticket || chunk.state != Chunk::State::here || chunk.users > 0) {
          continue;
        }
        chunk.state = Chunk::State::leaving;
        const bool dirty = std::exchange(chunk.dirty, false);
        const auto bytes = static_cast<std::size_t>(size_of(extent, idle.chunk));
        ++extent.busy;
        lock.unlock();
        drop(extent, idle.chunk * chunk_, bytes, dirty);
        lock.lock();
        --extent.busy;
        resident_ -= static_cast<Index>(bytes);
        chunk.state = Chunk::State::away;
        changed_.notify_all();
        return true;
      }
    }
    return false;
  }

  bool make_room(Lock& lock, Index bytes, bool also_those_ahead) {
    while (resident_ + bytes > budget_) {
      if (!evict(lock, also_those_ahead)) return false;
    }
    return true;
  }

  void become_idle(Extent& extent, std::size_t c, std::deque<Idle>* list) {
    Chunk& chunk = extent.chunks[c];
    chunk.ticket = ++tickets_;
    if (list == nullptr) list = keeps(extent, c) ? &kept_ : &consumed_;
    list->push_back({extent.id, c, chunk.ticket});
  }

  void bring(Lock& lock, Extent& extent, std::size_t c, Access access) {
    Chunk& chunk = extent.chunks[c];
    if (chunk.state == Chunk::State::here) return;
    const auto begin = std::chrono::steady_clock::now();
    while (chunk.state != Chunk::State::here) {
      if (chunk.state == Chunk::State::loading || chunk.state == Chunk::State::leaving) {
        changed_.wait(lock);
        continue;
      }
      // Where nothing can be dropped the budget is exceeded: places of threads are few.
      (void)make_room(lock, size_of(extent, c), true);
      if (chunk.state == Chunk::State::away || chunk.state == Chunk::State::queued) {
        load(lock, extent, c, access);
      }
    }
    use_.waiting_nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(
                                    std::chrono::steady_clock::now() - begin)
                                    .count();
  }

  // A thread is through with a chunk.
  void release(Lock& lock, Extent& extent, std::size_t c) {
    Chunk& chunk = extent.chunks[c];
    if (--chunk.users > 0 || chunk.state != Chunk::State::here) return;
    become_idle(extent, c, nullptr);
    if (!chunk.dirty) return;
    // The disk begins to write it, so that it can be dropped without waiting.
    ++extent.busy;
    lock.unlock();
    (void)::sync_file_range(extent.descriptor, static_cast<off_t>(c * chunk_),
                            static_cast<off_t>(size_of(extent, c)), SYNC_FILE_RANGE_WRITE);
    lock.lock();
    --extent.busy;
    changed_.notify_all();
  }

  void leave(Lock& lock, Place& place) {
    const auto found = by_id_.find(place.extent);
    if (found != by_id_.end()) {
      Extent& extent = *found->second;
      ++extent.busy;
      for (std::size_t c = place.first; c <= place.last; ++c) release(lock, extent, c);
      --extent.busy;
      changed_.notify_all();
    }
    place = {};
  }

  // --- the thread that reads ahead ---------------------------------------------------------------

  void queue_behind(Extent& extent, std::size_t last) {
    const auto most = static_cast<std::size_t>(
        std::clamp<Index>(budget_ / (8 * static_cast<Index>(chunk_)), 1, 8));
    const std::size_t count = extent.chunks.size();
    for (std::size_t d = 1; d <= most && d < count; ++d) {
      const std::size_t c = (last + d) % count;
      Chunk& chunk = extent.chunks[c];
      if (chunk.state != Chunk::State::away) continue;
      chunk.state = Chunk::State::queued;
      queue_.push_back({extent.id, c, 0});
      work_.notify_one();
    }
  }

  [[noreturn]] void read_ahead() {
    constexpr auto between_looks = std::chrono::milliseconds(20);
    Lock lock(mutex_);
    auto looked = std::chrono::steady_clock::now();
    for (;;) {
      if (queue_.empty()) {
        if (extents_.empty()) {
          work_.wait(lock);
        } else {
          work_.wait_for(lock, between_looks);
        }
      }
      const auto now = std::chrono::steady_clock::now();
      if (now - looked >= between_looks && !extents_.empty()) {
        look_around(lock);
        looked = now;
      }
      if (queue_.empty()) continue;
      const Idle next = queue_.front();
      queue_.pop_front();
      const auto found = by_id_.find(next.extent);
      if (found == by_id_.end()) continue;
      Extent& extent = *found->second;
      Chunk& chunk = extent.chunks[next.chunk];
      if (chunk.state != Chunk::State::queued) continue;
      ++extent.busy;
      const bool room = make_room(lock, size_of(extent, next.chunk), false);
      --extent.busy;
      if (chunk.state != Chunk::State::queued) {
        changed_.notify_all();
        continue;
      }
      if (!room) {
        chunk.state = Chunk::State::away;
        changed_.notify_all();
        continue;
      }
      load(lock, extent, next.chunk, Access::read);
      if (chunk.users == 0) {
        become_idle(extent, next.chunk, keeps(extent, next.chunk) ? &kept_ : &ahead_);
      }
    }
  }

  // An extent is cold once twice as much has been loaded of all as they are: nobody passes over it
  // any more. What was kept of it, or of more extents than there were, makes room.
  void tell_hot_from_cold() {
    Index hot_bytes = 0;
    for (const auto& [id, extent] : by_id_) {
      extent->hot = use_.loaded_bytes - extent->visited <= 2 * use_.bytes;
      if (extent->hot) hot_bytes += static_cast<Index>(extent->bytes);
    }
    if (std::exchange(hot_bytes_, hot_bytes) == hot_bytes) return;
    std::deque<Idle> kept;
    for (const Idle& idle : kept_) {
      const auto found = by_id_.find(idle.extent);
      if (found == by_id_.end()) continue;
      (keeps(*found->second, idle.chunk) ? kept : consumed_).push_back(idle);
    }
    kept_ = std::move(kept);
  }

  // Ordinary memory grows and shrinks, and pages come by loops that do not say where they are.
  void look_around(Lock& lock) {
    const Resident now = resident_now();
    set_budget(now);
    tell_hot_from_cold();
    while (resident_ > budget_ && evict(lock, true)) {
    }
    const Index mapped = now.of_files - of_files_at_first_;
    if (mapped <= resident_ + std::max(memory_ / 16, 4 * static_cast<Index>(chunk_))) return;
    std::vector<std::uint64_t> ids;
    for (const auto& [id, extent] : by_id_) ids.push_back(id);
    for (const std::uint64_t id : ids) {
      constexpr std::size_t run = 16;
      for (std::size_t c = 0;;) {
        const auto found = by_id_.find(id);
        if (found == by_id_.end() || c >= found->second->chunks.size()) break;
        Extent& extent = *found->second;
        std::size_t end = c;
        while (end < extent.chunks.size() && end < c + run &&
               extent.chunks[end].state == Chunk::State::away) {
          extent.chunks[end++].state = Chunk::State::leaving;
        }
        if (end == c) {
          ++c;
          continue;
        }
        ++extent.busy;
        lock.unlock();
        drop(extent, c * chunk_, std::min(end * chunk_, extent.bytes) - c * chunk_, true);
        lock.lock();
        --extent.busy;
        for (; c < end; ++c) extent.chunks[c].state = Chunk::State::away;
        changed_.notify_all();
      }
    }
    // What is still there is the program itself, which comes page by page too.
    of_files_at_first_ =
        std::clamp(resident_now().of_files - resident_, of_files_at_first_, memory_ / 4);
  }

  std::mutex mutex_;
  std::condition_variable changed_;  // a chunk's state, or `busy`
  std::condition_variable work_;     // for the thread that reads ahead
  std::string folder_;
  Index memory_ = 0;
  std::size_t least_ = 0;
  std::size_t chunk_ = std::size_t{1} << 20;
  Index of_files_at_first_ = 0;
  Index budget_ = 0;
  Index resident_ = 0;  // of chunks that are loading, here or leaving
  bool reader_started_ = false;
  std::map<std::byte*, std::unique_ptr<Extent>> extents_;
  std::map<std::uint64_t, Extent*> by_id_;
  std::map<std::size_t, std::size_t> gaps_;  // of the region: where, how many bytes
  std::size_t end_ = 0;                      // of what was ever taken of the region
  std::uint64_t ids_ = 0;
  std::uint64_t tickets_ = 0;
  std::atomic<std::uint64_t> generation_{1};
  std::deque<Idle> queue_;
  std::deque<Idle> consumed_;  // in the order in which they became idle
  std::deque<Idle> ahead_;     // that nobody has come to yet
  std::deque<Idle> kept_;
  Index hot_bytes_ = 0;  // of hot extents
  // Large allocations of ordinary memory in the last second.
  std::deque<std::pair<std::chrono::steady_clock::time_point, Index>> allowed_;
  ExternalMemoryUse use_;
};

// The places of a thread. Those that outlive it would keep chunks in memory.
struct Places {
  std::array<Place, 16> of{};
  std::uint64_t visits = 0;

  Places() = default;
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;
  ~Places() { Store::get().leave(of); }
};
thread_local Places places;

void Store::visit(const void* begin, std::size_t bytes, Access access) {
  const auto* const at = static_cast<const std::byte*>(begin);
  const bool writes = access == Access::write;
  Places& mine = places;
  for (const Place& place : mine.of) {
    // Still where this thread was.
    if (place.extent != 0 && at >= place.base && at + bytes <= place.base + place.bytes &&
        place.generation == generation_.load(std::memory_order_relaxed) &&
        static_cast<std::size_t>(at - place.base) / chunk_ >= place.first &&
        (static_cast<std::size_t>(at - place.base) + bytes - 1) / chunk_ <= place.last &&
        place.writes >= writes) {
      return;
    }
  }
  Lock lock(mutex_);
  Extent* const extent = extent_of(begin);
  if (extent == nullptr) return;
  const auto offset = static_cast<std::size_t>(at - extent->base);
  bytes = std::min(bytes, extent->bytes - offset);
  const std::size_t first = offset / chunk_;
  const std::size_t last = (offset + bytes - 1) / chunk_;
  // More than a part of a pass: nothing is known of where in it the thread is.
  if (static_cast<Index>((last - first + 1) * chunk_) > budget_ / 5 * 3) return;

  // A thread may go over an allocation in two places at once, reading here and writing there.
  const auto older = [](const Place& a, const Place& b) { return a.used < b.used; };
  Place* place = nullptr;
  std::array<Place*, 2> here{};
  std::size_t count = 0;
  for (Place& candidate : mine.of) {
    if (candidate.extent != extent->id) continue;
    here.at(count++) = &candidate;
    if (first <= candidate.last + 1 && last + 1 >= candidate.first) place = &candidate;
  }
  if (place == nullptr && count == here.size()) {
    place = older(*here[0], *here[1]) ? here[0] : here[1];
  }
  if (place == nullptr) {
    place = &*std::min_element(mine.of.begin(), mine.of.end(), older);
    if (place->extent != 0) leave(lock, *place);
  }
  extent->visited = use_.loaded_bytes;
  const Place before = *place;
  const bool had = before.extent != 0;
  ++extent->busy;
  for (std::size_t c = first; c <= last; ++c) {
    if (!had || c < before.first || c > before.last) ++extent->chunks[c].users;
    if (writes) extent->chunks[c].dirty = true;
  }
  *place = {extent->id,    generation_.load(std::memory_order_relaxed),
            extent->base,  extent->bytes,
            first,         last,
            ++mine.visits, writes};
  for (std::size_t c = before.first; had && c <= before.last; ++c) {
    if (c < first || c > last) release(lock, *extent, c);
  }
  for (std::size_t c = first; c <= last; ++c) bring(lock, *extent, c, access);
  // Evicting takes the mark away.
  for (std::size_t c = first; writes && c <= last; ++c) extent->chunks[c].dirty = true;
  if (!writes) queue_behind(*extent, last);
  --extent->busy;
  changed_.notify_all();
}

}  // namespace

namespace external {
void visit(const void* begin, std::size_t bytes, Access access) {
  if (bytes > 0 && in_region(begin)) Store::get().visit(begin, bytes, access);
}
void end_visits(const void* memory) noexcept {
  if (in_region(memory)) Store::get().end_visits(memory);
}
void ask_for(const void* begin, std::size_t bytes) noexcept {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(begin) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(begin) + bytes;
  // What is behind the last mapping is no memory, and is ignored.
  if (in_region(begin)) (void)::madvise(reinterpret_cast<void*>(first), end - first, MADV_WILLNEED);
}
}  // namespace external

void use_external_memory(const ExternalMemoryOptions& options) { Store::get().use(options); }
void stop_external_memory() noexcept { Store::get().stop(); }
bool is_external(const void* memory) noexcept { return in_region(memory); }
Index external_memory_window() { return Store::get().window(); }
Index external_memory_room() { return Store::get().room(); }
ExternalMemoryUse external_memory_use() noexcept { return Store::get().numbers(); }

void* allocate_external(std::size_t bytes) {
  return uses_external_memory() ? Store::get().allocate(bytes) : nullptr;
}
bool deallocate_external(void* memory) noexcept {
  if (!in_region(memory)) return false;
  Store::get().deallocate(memory);
  return true;
}

}  // namespace tandem
