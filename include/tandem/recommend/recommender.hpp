// The interface of every trained recommender: items for a user who is known by a history alone.
// No user is stored (user-kNN keeps the histories it was trained on, by number): what a model says
// of a person is worked out from that person's recent history at the time of asking.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/model/algorithm.hpp"  // ModelKind::recommender
#include "tandem/model/model.hpp"      // TrainingLog
#include "tandem/recommend/interactions.hpp"

namespace tandem {

struct HistoryItem {
  std::int32_t item = 0;
  double weight = 1;  // finite, >= 0
};
// In any order; weights of an item that stands twice are added. Its order never matters.
using UserHistory = std::span<const HistoryItem>;

// Which items may be answered.
struct ItemFilter {
  bool leave_out_history = true;              // items of the user's history
  std::span<const std::int32_t> leave_out{};  // further items, in any order
  std::span<const std::uint8_t> allowed{};    // one per item, 0: not this one; or empty: all
};

struct ScoredItem {
  std::int32_t item = 0;
  double score = 0;
  [[nodiscard]] bool operator==(const ScoredItem&) const = default;
};

// What one item of the history contributes to a score.
struct Contribution {
  std::int32_t item = 0;
  double part = 0;
};
// score = Σ parts + rest, up to rounding. `rest` is what the parts that are listed do not carry:
// smaller parts, and what no item of the history is the reason of (popularity).
struct Explanation {
  double score = 0;
  std::vector<Contribution> parts;  // largest first, ties to the lowest item
  double rest = 0;
};

// The best items of many users. Row u has answers in columns 0 .. counts[u] − 1.
struct TopItems {
  Matrix<std::int32_t> items;  // users × n
  Matrix<double> scores;       // users × n, descending; ties to the lowest item
  std::vector<Index> counts;   // fewer than n where the filter leaves fewer
};

// Plain host data. Several threads may call the const members of one recommender at once. Where
// there is no Engine among the arguments the work is done by the calling thread; its bits are those
// of every engine in exact numerics.
//
// Throws InputError for an item number that there is not, and a weight that is negative or not
// finite.
class TANDEM_API Recommender {
 public:
  virtual ~Recommender() = default;

  [[nodiscard]] virtual std::string_view algorithm() const = 0;  // "als"
  // Names by number, ascending bytewise: those of the training data.
  [[nodiscard]] const std::vector<std::string>& items() const noexcept { return items_; }
  [[nodiscard]] Index item_count() const noexcept { return static_cast<Index>(items_.size()); }
  // −1 for a name that there is not.
  [[nodiscard]] std::int32_t item_number(std::string_view name) const;
  [[nodiscard]] const TrainingLog& training() const noexcept { return log_; }
  // Events of each item in training, for novelty, popularity bias and fallbacks.
  [[nodiscard]] const std::vector<Index>& item_events() const noexcept { return item_events_; }

  // The score of every item for this user, whatever the filter: scores has item_count() elements.
  // Scores of one call can be compared with each other; their scale is the algorithm's.
  virtual void score(UserHistory history, std::span<double> scores) const = 0;
  // Scores of the items named, in their order: the bits of score().
  [[nodiscard]] virtual std::vector<double> score_items(UserHistory history,
                                                        std::span<const std::int32_t> items) const;
  // The n best items, best first; ties to the lowest item. Fewer where the filter leaves fewer. An
  // item is an answer only if something speaks for it: algorithms whose scores are 0 where the
  // history says nothing (kNN, content) leave such items out, and may so answer with none.
  [[nodiscard]] virtual std::vector<ScoredItem> top_items(UserHistory history, Index n,
                                                          const ItemFilter& filter = {}) const;
  // The same for many users at once on an engine. histories: users × item_count().
  [[nodiscard]] virtual TopItems top_items(Engine& engine, const SparseView<double>& histories,
                                           Index n, const ItemFilter& filter = {}) const;
  // Why this item has its score for this user: the `most` largest parts; what is left of the score
  // is in `rest`.
  [[nodiscard]] virtual Explanation because(UserHistory history, std::int32_t item,
                                            Index most = 3) const = 0;
  // The items most like this one, without itself.
  [[nodiscard]] virtual std::vector<ScoredItem> similar_items(
      std::int32_t item, Index n, const ItemFilter& filter = {}) const = 0;

  // Everything but the names and the log, which save_recommender() writes.
  virtual void save(Archive& archive) const = 0;
  // For people: one JSON object, and text.
  [[nodiscard]] virtual std::string to_json() const = 0;
  [[nodiscard]] virtual std::string to_text() const = 0;

  // What every kind of model keeps; filled by fit and load.
  void set_items(std::vector<std::string> items, std::vector<Index> events);
  void set_training(TrainingLog log) { log_ = std::move(log); }

 protected:
  // Throws the InputErrors that are named above.
  void check_history(UserHistory history) const;
  void check_item(std::int32_t item) const;
  // The same of many users' histories and a filter; InputError where they are of other items.
  void check_histories(const SparseView<double>& histories, const ItemFilter& filter) const;
  // True where an item of score 0 is one that nothing speaks for, and no answer.
  [[nodiscard]] virtual bool silent_at_zero() const { return false; }

 private:
  std::vector<std::string> items_;
  std::vector<Index> item_events_;
  TrainingLog log_;
};

// What a recommender is trained on.
struct RecommenderData {
  const Interactions& interactions;
  const ItemAttributes* attributes = nullptr;  // content needs them; others ignore them
};

// A kind of recommender by name, with its options: as Algorithm is for models of rows.
class TANDEM_API RecommenderAlgorithm {
 public:
  virtual ~RecommenderAlgorithm() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;     // "item-knn"
  [[nodiscard]] virtual std::string_view summary() const = 0;  // one sentence without a full stop
  [[nodiscard]] static constexpr ModelKind kind() { return ModelKind::recommender; }
  virtual void visit_options(OptionVisitor& visitor) = 0;
  virtual void check_options() const = 0;
  RecommenderAlgorithm& set(std::string_view option_name, const OptionValue& value);
  // The options as they stand, by canonical name, without the seed.
  [[nodiscard]] Archive options() const;
  [[nodiscard]] virtual std::unique_ptr<RecommenderAlgorithm> clone() const = 0;
  // Throws InputError for options and data that it cannot be trained with; Interrupted.
  [[nodiscard]] virtual std::unique_ptr<Recommender> fit(Engine& engine,
                                                         const RecommenderData& data,
                                                         RunControl* control = nullptr) const = 0;
  // From what Recommender::save wrote, for `items` items.
  [[nodiscard]] virtual std::unique_ptr<Recommender> load(const Archive& archive,
                                                          Index items) const = 0;
};

// Sorted: "als", "bpr", "content", ... Generated by the build from
// core/recommend/*_recommender.cpp.
[[nodiscard]] TANDEM_API const std::vector<std::string>& recommender_names();
// Throws InputError that lists the names.
[[nodiscard]] TANDEM_API std::unique_ptr<RecommenderAlgorithm> make_recommender(
    std::string_view name);

// Where a recommender comes from.
struct RecommenderProvenance {
  std::string version;  // of Tandem
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  std::uint64_t seed = 0;
  Index events = 0;  // of the training data
  Index users = 0;
  std::string source;
  Archive options;  // the algorithm's, by name
};

struct SavedRecommender {
  RecommenderProvenance provenance;
  std::unique_ptr<Recommender> model;
};

// A file of docs/model-format.md of the kind "recommender"; it appears whole or not at all.
TANDEM_API void save_recommender(const std::string& path, const Recommender& model,
                                 const RecommenderProvenance& provenance);
// Throws InputError for anything that save_recommender() could not have written.
[[nodiscard]] TANDEM_API SavedRecommender load_recommender(const std::string& path);
[[nodiscard]] TANDEM_API SavedRecommender load_recommender(std::span<const std::uint8_t> bytes,
                                                           const std::string& origin);

}  // namespace tandem
