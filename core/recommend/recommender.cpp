// What all recommenders share: names, checks, selection, and their file.
#include "tandem/recommend/recommender.hpp"

#include <cmath>

#include "core/parallel.hpp"
#include "core/recommend/selection.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::string_view file_kind = "recommender";

// Names as one tensor of bytes and where each ends: a header of an archive is short.
void save_names(Archive& archive, const std::vector<std::string>& names) {
  std::vector<std::uint8_t> bytes;
  std::vector<std::int64_t> ends;
  for (const std::string& name : names) {
    bytes.insert(bytes.end(), name.begin(), name.end());
    ends.push_back(static_cast<std::int64_t>(bytes.size()));
  }
  archive.set_tensor("names", std::move(bytes));
  archive.set_tensor("name_ends", std::move(ends));
}

std::vector<std::string> load_names(const Archive& archive) {
  const auto& bytes = archive.get_tensor<std::uint8_t>("names");
  const auto& ends = archive.get_tensor<std::int64_t>("name_ends");
  std::vector<std::string> names;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    if (end < begin || end > static_cast<std::int64_t>(bytes.size())) {
      archive.fail("name_ends", "are not ascending");
    }
    names.emplace_back(bytes.begin() + begin, bytes.begin() + end);
    begin = end;
    if (names.size() > 1 && !(names[names.size() - 2] < names.back())) {
      archive.fail("names", "are not ascending");
    }
  }
  if (begin != static_cast<std::int64_t>(bytes.size())) {
    archive.fail("names", "have bytes behind the last one");
  }
  if (names.empty() ||
      names.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    archive.fail("names", "are none or too many");
  }
  return names;
}

SavedRecommender from_archive(const Archive& archive) {
  SavedRecommender made;
  RecommenderProvenance& from = made.provenance;
  const Archive provenance = archive.part("provenance");
  const std::string& algorithm = provenance.get_string("algorithm");
  from.version = provenance.get_string("version");
  from.device = parse_enum<Device>("device", provenance.get_string("device"));
  from.numerics = parse_enum<Numerics>("numerics", provenance.get_string("numerics"));
  from.seed = static_cast<std::uint64_t>(provenance.get_int("seed"));
  from.events = provenance.get_int("events", 0, std::numeric_limits<std::int64_t>::max());
  from.users = provenance.get_int("users", 0, std::numeric_limits<std::int64_t>::max());
  from.source = provenance.get_string("source");
  if (provenance.has_part("options")) from.options = provenance.part("options");
  const Archive items = archive.part("items");
  std::vector<std::string> names = load_names(items);
  const std::vector<Index> events =
      items.get_tensor<std::int64_t>("events", static_cast<Index>(names.size()));
  for (const Index count : events) {
    if (count < 0) items.fail("events", "has a negative count");
  }
  const Archive model = archive.has_part("model") ? archive.part("model") : Archive();
  made.model = make_recommender(algorithm)->load(model, static_cast<Index>(names.size()));
  made.model->set_items(std::move(names), events);
  made.model->set_training(TrainingLog::load(archive));
  return made;
}

}  // namespace

std::int32_t Recommender::item_number(std::string_view name) const {
  const auto at = std::lower_bound(items_.begin(), items_.end(), name);
  return at != items_.end() && *at == name ? static_cast<std::int32_t>(at - items_.begin()) : -1;
}

void Recommender::set_items(std::vector<std::string> items, std::vector<Index> events) {
  items_ = std::move(items);
  item_events_ = std::move(events);
}

void Recommender::check_item(std::int32_t item) const {
  if (item < 0 || item >= item_count()) {
    throw InputError("there is no item number " + std::to_string(item) + "; the model has " +
                     std::to_string(item_count()));
  }
}

void Recommender::check_history(UserHistory history) const {
  for (const HistoryItem& one : history) {
    check_item(one.item);
    if (!(one.weight >= 0) || !std::isfinite(one.weight)) {
      throw InputError("the weight of the history's item " +
                       items_[static_cast<std::size_t>(one.item)] +
                       " is negative or not finite; expected a number, 0 or more");
    }
  }
}

void Recommender::check_histories(const SparseView<double>& histories,
                                  const ItemFilter& filter) const {
  if (histories.cols != item_count()) {
    throw InputError("histories of " + std::to_string(histories.cols) + " items for a model of " +
                     std::to_string(item_count()));
  }
  for (const std::int32_t item : filter.leave_out) check_item(item);
  for (std::size_t p = 0; p < histories.columns.size(); ++p) {
    const HistoryItem one{histories.columns[p],
                          histories.values.empty() ? 1.0 : histories.values[p]};
    check_history(UserHistory(&one, 1));
  }
}

std::vector<double> Recommender::score_items(UserHistory history,
                                             std::span<const std::int32_t> items) const {
  for (const std::int32_t item : items) check_item(item);
  std::vector<double> all(static_cast<std::size_t>(item_count()));
  score(history, all);
  std::vector<double> named;
  for (const std::int32_t item : items) named.push_back(all[static_cast<std::size_t>(item)]);
  return named;
}

std::vector<ScoredItem> Recommender::top_items(UserHistory history, Index n,
                                               const ItemFilter& filter) const {
  for (const std::int32_t item : filter.leave_out) check_item(item);
  std::vector<double> all(static_cast<std::size_t>(item_count()));
  score(history, all);
  const std::vector<std::uint8_t> may = answerable(item_count(), history, filter);
  const bool silent = silent_at_zero();
  return best_of(all, n, [&](const ScoredItem& one) {
    return may[static_cast<std::size_t>(one.item)] != 0 && !(silent && one.score == 0);
  });
}

TopItems Recommender::top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                const ItemFilter& filter) const {
  check_histories(histories, filter);
  TopItems made;
  made.items = Matrix<std::int32_t>(histories.rows, n, -1);
  made.scores = Matrix<double>(histories.rows, n, 0);
  made.counts.resize(static_cast<std::size_t>(histories.rows));
  parallel_for(engine.threads(), histories.rows, [&](Index u) {
    std::vector<HistoryItem> history;
    for (Index p = histories.offsets[static_cast<std::size_t>(u)];
         p < histories.offsets[static_cast<std::size_t>(u) + 1]; ++p) {
      const auto at = static_cast<std::size_t>(p);
      history.push_back(
          {histories.columns[at], histories.values.empty() ? 1.0 : histories.values[at]});
    }
    const std::vector<ScoredItem> best = top_items(history, n, filter);
    for (std::size_t k = 0; k < best.size(); ++k) {
      made.items(u, static_cast<Index>(k)) = best[k].item;
      made.scores(u, static_cast<Index>(k)) = best[k].score;
    }
    made.counts[static_cast<std::size_t>(u)] = static_cast<Index>(best.size());
  });
  return made;
}

RecommenderAlgorithm& RecommenderAlgorithm::set(std::string_view option_name,
                                                const OptionValue& value) {
  set_option([this](OptionVisitor& visitor) { visit_options(visitor); }, option_name, value);
  return *this;
}

Archive RecommenderAlgorithm::options() const {
  // visit_options() is not const because visitors may set what they see; this one does not.
  return record_options([this](OptionVisitor& visitor) {
    const_cast<RecommenderAlgorithm*>(this)->visit_options(
        visitor);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  });
}

void save_recommender(const std::string& path, const Recommender& model,
                      const RecommenderProvenance& provenance) {
  Archive from;
  from.set("algorithm", model.algorithm());
  from.set("version",
           provenance.version.empty() ? std::string(TANDEM_VERSION) : provenance.version);
  from.set("device", to_string(provenance.device));
  from.set("numerics", to_string(provenance.numerics));
  from.set("seed", static_cast<std::int64_t>(provenance.seed));
  from.set("events", provenance.events);
  from.set("users", provenance.users);
  from.set("source", provenance.source);
  from.set_part("options", provenance.options);
  Archive items;
  save_names(items, model.items());
  items.set_tensor("events", std::vector<std::int64_t>(model.item_events()));
  Archive part;
  model.save(part);
  Archive archive;
  archive.set_part("provenance", from);
  archive.set_part("items", items);
  archive.set_part("model", part);
  model.training().save(archive);
  write_archive(path, archive, file_kind);
}

SavedRecommender load_recommender(const std::string& path) {
  return from_archive(read_archive(path, file_kind));
}

SavedRecommender load_recommender(std::span<const std::uint8_t> bytes, const std::string& origin) {
  return from_archive(decode_archive(bytes, file_kind, origin));
}

}  // namespace tandem
