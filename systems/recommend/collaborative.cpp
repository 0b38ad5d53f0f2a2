#include "systems/recommend/collaborative.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/random.hpp"
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

// ALS by inverted lists. The matrix of a viewer, YᵀY + Yᵀ(C − I)Y + λI, is factorised once for an
// answer, and gives the viewer's vector and the parts of every score (AlsModel::because works each
// out anew).
class AlsSource final : public CollaborativeSource {
 public:
  AlsSource(std::shared_ptr<const AlsModel> model, const Catalogue& catalogue,
            const ListsOptions& options)
      : model_(std::move(model)),
        numbers_(*model_, catalogue),
        lists_(model_->item_factors.view(), options),
        width_(static_cast<std::size_t>(model_->item_factors.cols())),
        gram_(width_ * width_, 0.0) {
    for (Index i = 0; i < model_->item_factors.rows(); ++i) add_square(row(i), 1, gram_);
    for (std::size_t k = 0; k < width_; ++k) gram_[k * width_ + k] += model_->regularization;
    // Until viewers are known: as if each had watched one item.
    calibrate_by_items();
  }

  class AskedAls final : public Asked {
   public:
    AskedAls(const AlsSource& source, std::vector<HistoryItem> history)
        : source_(source), history_(std::move(history)), width_(source.width_) {
      factor_ = source.gram_;
      std::vector<double> right(width_, 0.0);
      for (const HistoryItem& one : history_) {
        const auto y = source_.row(one.item);
        const double confidence = 1 + source_.model_->alpha * one.weight;
        add_square(y, confidence - 1, factor_);
        for (std::size_t k = 0; k < width_; ++k) {
          right[k] += confidence * static_cast<double>(y[k]);
        }
      }
      factorise();
      solve(right);
      vector_.assign(right.begin(), right.end());
    }

    bool best(std::size_t count, SteadyTime deadline, std::vector<Scored>& items) override {
      const bool in_time = source_.lists_.search(vector_, count, deadline, items);
      for (Scored& one : items) {
        one.item = source_.numbers_.in_catalogue(static_cast<std::int32_t>(one.item));
      }
      return in_time;
    }
    void scores(std::span<const ItemNumber> items, std::span<float> scores) override {
      for (std::size_t i = 0; i < items.size(); ++i) {
        const std::int32_t item = source_.numbers_.in_model(items[i]);
        scores[i] = item < 0 ? not_known : product(source_.row(item), vector_);
      }
    }
    std::vector<Part> because(ItemNumber item, std::size_t most) override {
      std::vector<Part> parts;
      const std::int32_t number = source_.numbers_.in_model(item);
      if (number < 0) return parts;
      const auto y = source_.row(number);
      std::vector<double> solved(y.begin(), y.end());
      solve(solved);
      const std::vector<float> direction(solved.begin(), solved.end());
      for (const HistoryItem& one : history_) {
        const double confidence = 1 + source_.model_->alpha * one.weight;
        parts.push_back(
            {source_.numbers_.in_catalogue(one.item),
             confidence * static_cast<double>(product(source_.row(one.item), direction))});
      }
      std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
        return a.part != b.part ? a.part > b.part : a.item < b.item;
      });
      if (parts.size() > most) parts.resize(most);
      return parts;
    }
    [[nodiscard]] const std::vector<float>& vector() const { return vector_; }

   private:
    static float product(std::span<const float> a, const std::vector<float>& b) {
      float sum = 0;
      for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
      return sum;
    }
    // L of L·Lᵀ in the lower triangle of `factor_`, whose rows are followed.
    void factorise() {
      for (std::size_t i = 0; i < width_; ++i) {
        double* const a = factor_.data() + i * width_;
        for (std::size_t j = 0; j <= i; ++j) {
          const double* const b = factor_.data() + j * width_;
          double sum = a[j];
          for (std::size_t k = 0; k < j; ++k) sum -= a[k] * b[k];
          a[j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / b[j];
        }
      }
    }
    void solve(std::vector<double>& x) const {
      for (std::size_t i = 0; i < width_; ++i) {
        const double* const a = factor_.data() + i * width_;
        double sum = x[i];
        for (std::size_t k = 0; k < i; ++k) sum -= a[k] * x[k];
        x[i] = sum / a[i];
      }
      for (std::size_t i = width_; i-- > 0;) {
        const double* const a = factor_.data() + i * width_;
        x[i] /= a[i];
        for (std::size_t k = 0; k < i; ++k) x[k] -= a[k] * x[i];
      }
    }

    const AlsSource& source_;
    std::vector<HistoryItem> history_;
    std::size_t width_;
    std::vector<double> factor_;
    std::vector<float> vector_;
  };

  [[nodiscard]] std::unique_ptr<Asked> ask(std::span<const WeightedItem> history) const override {
    auto known = known_part(history, numbers_);
    if (known.empty()) return nullptr;
    return std::make_unique<AskedAls>(*this, std::move(known));
  }
  [[nodiscard]] std::string_view algorithm() const override { return model_->algorithm(); }
  [[nodiscard]] const InvertedLists* lists() const override { return &lists_; }
  void calibrate(std::span<const std::vector<WeightedItem>> histories) override {
    std::vector<float> queries;
    for (const auto& history : histories) {
      auto known = known_part(history, numbers_);
      if (known.empty()) continue;
      const AskedAls asked(*this, std::move(known));
      queries.insert(queries.end(), asked.vector().begin(), asked.vector().end());
    }
    if (queries.empty()) return;
    const auto rows = static_cast<Index>(queries.size() / width_);
    const auto cols = static_cast<Index>(width_);
    lists_.calibrate({queries.data(), rows, cols, cols});
  }

 private:
  [[nodiscard]] std::span<const float> row(Index item) const {
    return model_->item_factors.row(item);
  }
  // Adds weight·y·yᵀ to the lower triangle.
  static void add_square(std::span<const float> y, double weight, std::vector<double>& to) {
    const std::size_t width = y.size();
    for (std::size_t i = 0; i < width; ++i) {
      const double scaled = weight * static_cast<double>(y[i]);
      double* const at = to.data() + i * width;
      for (std::size_t j = 0; j <= i; ++j) at[j] += scaled * static_cast<double>(y[j]);
    }
  }
  void calibrate_by_items() {
    const Random random(0, Purpose::sampling, 1);
    std::vector<std::vector<WeightedItem>> histories;
    const Index items = model_->item_count();
    for (std::uint64_t i = 0; i < 64 && items > 0; ++i) {
      const auto item = static_cast<std::int32_t>(random.below(items, i));
      histories.push_back({{numbers_.in_catalogue(item), 1}});
    }
    calibrate(histories);
  }

  std::shared_ptr<const AlsModel> model_;
  Numbers numbers_;
  InvertedLists lists_;
  std::size_t width_;
  std::vector<double> gram_;  // lower triangle of YᵀY + λI
};

}  // namespace

std::unique_ptr<CollaborativeSource> make_collaborative_source(
    std::shared_ptr<const Recommender> model, const Catalogue& catalogue,
    const ListsOptions& options) {
  if (auto als = std::dynamic_pointer_cast<const AlsModel>(model)) {
    if (als->item_count() > 0) {
      return std::make_unique<AlsSource>(std::move(als), catalogue, options);
    }
  }
  return std::make_unique<ModelSource>(std::move(model), catalogue);
}

}  // namespace tandem::recommend
