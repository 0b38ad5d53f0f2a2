#include "systems/recommend/collaborative.hpp"

#include <algorithm>
#include <limits>

#include "core/random.hpp"
#include "systems/recommend/als_fold_in.hpp"
#include "systems/recommend/inner_products.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem::recommend {
namespace {

constexpr float not_known = std::numeric_limits<float>::quiet_NaN();

// The items of a model and of a catalogue by each other's numbers.
class Numbers {
 public:
  Numbers(const Recommender& model, const Catalogue& catalogue) : of_model_(catalogue.size(), -1) {
    for (std::size_t i = 0; i < model.items().size(); ++i) {
      const ItemNumber number = catalogue.find(model.items()[i]);
      if (number == no_item) {
        throw InputError("the catalogue has no item '" + model.items()[i] + "' of the model");
      }
      of_catalogue_.push_back(number);
      of_model_[number] = static_cast<std::int32_t>(i);
    }
  }
  // −1 where the model does not know it, as one that came into the catalogue later.
  [[nodiscard]] std::int32_t in_model(ItemNumber item) const {
    return item < of_model_.size() ? of_model_[item] : -1;
  }
  [[nodiscard]] ItemNumber in_catalogue(std::int32_t item) const {
    return of_catalogue_[static_cast<std::size_t>(item)];
  }

 private:
  std::vector<std::int32_t> of_model_;
  std::vector<ItemNumber> of_catalogue_;
};

std::vector<HistoryItem> known_part(std::span<const WeightedItem> history, const Numbers& numbers) {
  std::vector<HistoryItem> known;
  for (const WeightedItem& one : history) {
    const std::int32_t item = numbers.in_model(one.item);
    if (item >= 0 && one.weight > 0) known.push_back({item, one.weight});
  }
  return known;
}

// Any model, by what every model can do.
class ModelSource final : public CollaborativeSource {
 public:
  ModelSource(std::shared_ptr<const Recommender> model, const Catalogue& catalogue)
      : model_(std::move(model)), numbers_(*model_, catalogue) {}

  class AskedModel final : public Asked {
   public:
    AskedModel(const ModelSource& source, std::vector<HistoryItem> history)
        : source_(source), history_(std::move(history)) {}
    bool best(std::size_t count, SteadyTime deadline, std::vector<Scored>& items) override {
      items.clear();
      if (std::chrono::steady_clock::now() > deadline) return false;
      for (const ScoredItem& one :
           source_.model_->top_items(history_, static_cast<Index>(count), {})) {
        items.push_back({source_.numbers_.in_catalogue(one.item), static_cast<float>(one.score)});
      }
      return true;
    }
    void scores(std::span<const ItemNumber> items, std::span<float> scores) override {
      std::vector<std::int32_t> known;
      std::vector<std::size_t> places;
      for (std::size_t i = 0; i < items.size(); ++i) {
        scores[i] = not_known;
        const std::int32_t item = source_.numbers_.in_model(items[i]);
        if (item < 0) continue;
        known.push_back(item);
        places.push_back(i);
      }
      const std::vector<double> found = source_.model_->score_items(history_, known);
      for (std::size_t k = 0; k < places.size(); ++k) {
        scores[places[k]] = static_cast<float>(found[k]);
      }
    }
    std::vector<Part> because(ItemNumber item, std::size_t most) override {
      std::vector<Part> parts;
      const std::int32_t number = source_.numbers_.in_model(item);
      if (number < 0) return parts;
      for (const Contribution& one :
           source_.model_->because(history_, number, static_cast<Index>(most)).parts) {
        parts.push_back({source_.numbers_.in_catalogue(one.item), one.part});
      }
      return parts;
    }

   private:
    const ModelSource& source_;
    std::vector<HistoryItem> history_;
  };

  [[nodiscard]] std::unique_ptr<Asked> ask(std::span<const WeightedItem> history) const override {
    auto known = known_part(history, numbers_);
    if (known.empty()) return nullptr;
    return std::make_unique<AskedModel>(*this, std::move(known));
  }
  [[nodiscard]] std::string_view algorithm() const override { return model_->algorithm(); }

 private:
  std::shared_ptr<const Recommender> model_;
  Numbers numbers_;
};

// ALS by inverted lists. The viewer is folded in once for an answer, which gives the vector and the
// parts of every score (AlsModel::because works each out anew).
class AlsSource final : public CollaborativeSource {
 public:
  AlsSource(const AlsModel& model, const Catalogue& catalogue, const ListsOptions& options)
      : numbers_(model, catalogue), fold_in_(model), lists_(fold_in_.factors(), options) {
    // Until viewers are known: as if each had watched one item.
    calibrate_by_items();
  }

  class AskedAls final : public Asked {
   public:
    AskedAls(const AlsSource& source, std::vector<HistoryItem> history)
        : source_(source),
          history_(std::move(history)),
          viewer_(source.fold_in_.fold_in(history_)) {}

    bool best(std::size_t count, SteadyTime deadline, std::vector<Scored>& items) override {
      const bool in_time = source_.lists_.search(viewer_->vector(), count, deadline, items);
      for (Scored& one : items) {
        one.item = source_.numbers_.in_catalogue(static_cast<std::int32_t>(one.item));
      }
      return in_time;
    }
    void scores(std::span<const ItemNumber> items, std::span<float> scores) override {
      const PaddedRows& factors = source_.fold_in_.factors();
      for (std::size_t i = 0; i < items.size(); ++i) {
        const std::int32_t item = source_.numbers_.in_model(items[i]);
        scores[i] = not_known;
        if (item < 0) continue;
        inner_products(viewer_->vector().data(), factors.row(static_cast<std::size_t>(item)), 1,
                       factors.stride(), &scores[i]);
      }
    }
    std::vector<Part> because(ItemNumber item, std::size_t most) override {
      std::vector<Part> parts;
      const std::int32_t number = source_.numbers_.in_model(item);
      if (number < 0) return parts;
      std::vector<double> of_history(history_.size());
      viewer_->parts(source_.fold_in_.factors().row(static_cast<std::size_t>(number)), of_history);
      for (std::size_t j = 0; j < history_.size(); ++j) {
        parts.push_back({source_.numbers_.in_catalogue(history_[j].item), of_history[j]});
      }
      std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
        return a.part != b.part ? a.part > b.part : a.item < b.item;
      });
      if (parts.size() > most) parts.resize(most);
      return parts;
    }

   private:
    const AlsSource& source_;
    std::vector<HistoryItem> history_;
    std::unique_ptr<FoldedViewer> viewer_;
  };

  [[nodiscard]] std::unique_ptr<Asked> ask(std::span<const WeightedItem> history) const override {
    auto known = known_part(history, numbers_);
    if (known.empty()) return nullptr;
    return std::make_unique<AskedAls>(*this, std::move(known));
  }
  [[nodiscard]] std::string_view algorithm() const override { return "als"; }
  [[nodiscard]] const InvertedLists* lists() const override { return &lists_; }
  [[nodiscard]] std::size_t bytes() const override { return fold_in_.bytes() + lists_.bytes(); }
  void calibrate(std::span<const std::vector<WeightedItem>> histories) override {
    const PaddedRows& factors = fold_in_.factors();
    PaddedRows queries(histories.size(), factors.width());
    std::size_t rows = 0;
    for (const auto& history : histories) {
      const auto known = known_part(history, numbers_);
      if (known.empty()) continue;
      const auto viewer = fold_in_.fold_in(known);
      std::copy(viewer->vector().begin(), viewer->vector().end(), queries.row(rows++));
    }
    if (rows == 0) return;
    const auto width = static_cast<Index>(factors.width());
    lists_.calibrate(PaddedRows(MatrixView<const float>{
        queries.data(), static_cast<Index>(rows), width, static_cast<Index>(queries.stride())}));
  }

 private:
  void calibrate_by_items() {
    const Random random(0, Purpose::sampling, 1);
    std::vector<std::vector<WeightedItem>> histories;
    const auto items = static_cast<Index>(fold_in_.factors().rows());
    for (std::uint64_t i = 0; i < 64 && items > 0; ++i) {
      const auto item = static_cast<std::int32_t>(random.below(items, i));
      histories.push_back({{numbers_.in_catalogue(item), 1}});
    }
    calibrate(histories);
  }

  Numbers numbers_;
  AlsFoldIn fold_in_;
  InvertedLists lists_;
};

}  // namespace

std::unique_ptr<CollaborativeSource> make_collaborative_source(
    std::shared_ptr<const Recommender> model, const Catalogue& catalogue,
    const ListsOptions& options) {
  if (const auto* const als = dynamic_cast<const AlsModel*>(model.get())) {
    if (als->item_count() > 0) return std::make_unique<AlsSource>(*als, catalogue, options);
  }
  return std::make_unique<ModelSource>(std::move(model), catalogue);
}

}  // namespace tandem::recommend
