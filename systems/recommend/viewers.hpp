// What is known of each viewer: the recent history and what is hidden. A vector of a viewer is
// never stored: it is folded in from the history when it is asked for.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "systems/recommend/catalogue.hpp"
#include "systems/recommend/event.hpp"

namespace tandem::recommend {

// Of one item all that a viewer did, with the time of the last.
struct Watched {
  ItemNumber item = 0;
  std::uint32_t time = 0;  // seconds since 1970
  float strength = 0;

  [[nodiscard]] bool operator==(const Watched&) const = default;
};

// A viewer as an answer sees them.
struct ViewerView {
  std::vector<Watched> history;    // the oldest first
  std::vector<ItemNumber> hidden;  // ascending: disliked or hidden
  // Changes with every event of the viewer, and is never one that the viewer had before.
  std::uint64_t feedback = 0;
  // How much has become of the viewer: counts events wherever they were taken.
  std::uint32_t revision = 0;
  // The number of what replicas share of the viewer, as far as it is in this; 0: nothing is.
  std::uint32_t shared = 0;
};

// What two replicas know of one viewer, put together: of each item the later time and the greater
// strength; what is hidden on either side. An item that one side hides, and has no longer in its
// history, is in none. The numbers but for the revision are those of `a`. It is the same the other
// way round, and putting it together again with either changes nothing.
[[nodiscard]] ViewerView merged(const ViewerView& a, const ViewerView& b);

inline constexpr std::size_t longest_history = 200;  // items of one viewer; the oldest goes
inline constexpr std::size_t most_hidden = 2000;

// Several threads may use one at once.
class Viewers {
 public:
  // `feedback` is the event's number; greater ones come later.
  void apply(const Event& event, ItemNumber item, std::uint64_t feedback);
  // False where nothing was known.
  bool forget(std::string_view user);
  // Empty for a viewer who is not known.
  [[nodiscard]] ViewerView view(std::string_view user) const;
  [[nodiscard]] std::uint64_t feedback(std::string_view user) const;
  [[nodiscard]] std::uint32_t revision(std::string_view user) const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t watched() const;  // entries of all histories
  // The bytes that all of it takes, reckoned from the sizes of the containers.
  [[nodiscard]] std::size_t bytes() const;

  static constexpr std::size_t shard_count = 64;
  // Where a viewer is kept: the same in every run.
  [[nodiscard]] static std::size_t shard_of(std::string_view user);
  [[nodiscard]] std::size_t size_of(std::size_t shard) const;
  // Calls `use` for each viewer of a shard.
  void for_each(std::size_t shard,
                const std::function<void(const std::string&, const ViewerView&)>& use) const;
  // Puts a viewer in place of what is known of them.
  void put(const std::string& user, ViewerView view);

  // The number of what is shared of the viewer that was seen last; 0 where nothing was.
  [[nodiscard]] std::uint32_t shared(std::string_view user) const;
  void set_shared(std::string_view user, std::uint32_t number);
  // The same where it is still `expected`.
  void set_shared(std::string_view user, std::uint32_t number, std::uint32_t expected);
  // Puts what another replica knows together with what is known here, and keeps the number that it
  // is shared by. Returns whether anything became different; the viewer's feedback is the one that
  // is given then.
  bool merge(const std::string& user, const ViewerView& view, std::uint64_t feedback,
             std::uint32_t number);
  // The same where another replica has removed the viewer: nothing is known any more.
  bool empty(const std::string& user, std::uint64_t feedback, std::uint32_t number);
  // The histories of up to `count` viewers who have at least `least` items.
  [[nodiscard]] std::vector<std::vector<Watched>> sample(std::size_t count,
                                                         std::size_t least) const;

 private:
  struct Viewer {
    std::vector<Watched> history;
    std::unique_ptr<std::vector<ItemNumber>> hidden;
    std::uint64_t feedback = 0;
    std::uint32_t revision = 0;
    std::uint32_t shared = 0;

    [[nodiscard]] ViewerView view() const {
      return {history, hidden ? *hidden : std::vector<ItemNumber>{}, feedback, revision, shared};
    }
    void set(ViewerView view);
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Viewer, TextHash, std::equal_to<>> viewers;
  };
  [[nodiscard]] Shard& shard(std::string_view user) { return shards_[shard_of(user)]; }
  [[nodiscard]] const Shard& shard(std::string_view user) const { return shards_[shard_of(user)]; }

  std::array<Shard, shard_count> shards_;
};

}  // namespace tandem::recommend
