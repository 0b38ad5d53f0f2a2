// What recommenders of factors answer, given a user's vector.
#include "tandem/recommend/factor_recommender.hpp"

#include <algorithm>
#include <cmath>

#include "core/recommend/als_steps.hpp"  // als_pitch
#include "core/recommend/selection.hpp"
#include "core/recommend/top_items_steps.hpp"
#include "core/steps.hpp"
#include "cpu/recommend/top_items.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

const float* FactorRecommender::padded() const {
  return padded_.empty() ? item_factors.data() : padded_.data();
}

void FactorRecommender::prepare_factors() {
  const Index items = item_factors.rows();
  const Index factors = item_factors.cols();
  const Index pitch = als_pitch(factors);
  padded_ = Matrix<float>();
  if (pitch != factors) {
    padded_ = Matrix<float>(items, pitch, 0.0F);
    for (Index i = 0; i < items; ++i) {
      std::copy_n(item_factors.row(i).begin(), factors, padded_.row(i).begin());
    }
  }
  known_.assign(static_cast<std::size_t>(items), 0);
  lengths_.assign(static_cast<std::size_t>(items), 0);
  for (Index i = 0; i < items; ++i) {
    const auto row = item_factors.row(i);
    for (const float value : row) {
      if (value != 0) known_[static_cast<std::size_t>(i)] = 1;
    }
    double sum = 0;
    for (const float value : row.first(static_cast<std::size_t>(described_by()))) {
      sum += static_cast<double>(value) * static_cast<double>(value);
    }
    lengths_[static_cast<std::size_t>(i)] = std::sqrt(sum);
  }
}

void FactorRecommender::score(UserHistory history, std::span<double> scores) const {
  const std::vector<float> x = fold_in(history);
  thread_local std::vector<float> own;
  own.resize(scores.size());
  cpu::score_all_items(x.data(), item_factors.data(), item_count(), item_factors.cols(),
                       item_factors.cols(), own.data());
  std::copy(own.begin(), own.end(), scores.begin());
}

std::vector<double> FactorRecommender::score_items(UserHistory history,
                                                   std::span<const std::int32_t> items) const {
  for (const std::int32_t item : items) check_item(item);
  const std::vector<float> x = fold_in(history);
  std::vector<double> scores;
  for (const std::int32_t item : items) {
    float one = 0;
    cpu::score_all_items(x.data(), item_factors.data() + item * item_factors.cols(), 1,
                         item_factors.cols(), item_factors.cols(), &one);
    scores.push_back(static_cast<double>(one));
  }
  return scores;
}

std::vector<ScoredItem> FactorRecommender::top_items(UserHistory history, Index n,
                                                     const ItemFilter& filter) const {
  for (const std::int32_t item : filter.leave_out) check_item(item);
  const bool nothing = std::none_of(history.begin(), history.end(), [](const HistoryItem& one) {
    return static_cast<float>(one.weight) > 0;
  });
  check_history(history);
  if (nothing) return {};
  std::vector<double> scores(static_cast<std::size_t>(item_count()));
  score(history, scores);
  const std::vector<std::uint8_t> may = answerable(item_count(), history, filter);
  return best_of(scores, n, [&](const ScoredItem& one) {
    const auto at = static_cast<std::size_t>(one.item);
    return may[at] != 0 && known_[at] != 0;
  });
}

TopItems FactorRecommender::top_items(Engine& engine, const SparseView<double>& histories, Index n,
                                      const ItemFilter& filter) const {
  if (n < 1 || n > most_top_items || histories.cols != item_count()) {
    return Recommender::top_items(engine, histories, n, filter);
  }
  for (const std::int32_t item : filter.leave_out) check_item(item);
  const Index factors = item_factors.cols();
  const Index pitch = als_pitch(factors);
  std::vector<std::uint8_t> allowed = answerable(item_count(), {}, filter);
  for (std::size_t i = 0; i < allowed.size(); ++i) allowed[i] &= known_[i];
  const Buffer<std::uint8_t> may = to_engine(engine, allowed);
  const Buffer<float> y = to_engine(
      engine, std::span<const float>(padded(), static_cast<std::size_t>(item_count() * pitch)));
  const std::unique_ptr<Folder> folding = folder(engine, y);
  const auto selection = make_steps<TopItemsSteps, float>(engine);
  TopItems made;
  made.items = Matrix<std::int32_t>(histories.rows, n, -1);
  made.scores = Matrix<double>(histories.rows, n, 0);
  made.counts.assign(static_cast<std::size_t>(histories.rows), 0);
  // Users in parts of a million numbers or so, for the memory.
  const Index part = std::max<Index>(1024, (Index{1} << 24) / pitch);
  for (Index first = 0; first < histories.rows; first += part) {
    const Index here = std::min(part, histories.rows - first);
    std::vector<Index> offsets{0};
    std::vector<Index> left_out_offsets{0};
    std::vector<std::int32_t> columns;
    std::vector<std::int32_t> left_out;
    std::vector<double> weights;
    for (Index u = first; u < first + here; ++u) {
      for (Index p = histories.offsets[static_cast<std::size_t>(u)];
           p < histories.offsets[static_cast<std::size_t>(u) + 1]; ++p) {
        const auto at = static_cast<std::size_t>(p);
        const std::int32_t item = histories.columns[at];
        const double weight = histories.values.empty() ? 1.0 : histories.values[at];
        const HistoryItem one{item, weight};
        check_history(UserHistory(&one, 1));
        left_out.push_back(item);
        if (!(static_cast<float>(weight) > 0)) continue;
        columns.push_back(item);
        weights.push_back(weight);
      }
      offsets.push_back(static_cast<Index>(columns.size()));
      left_out_offsets.push_back(static_cast<Index>(left_out.size()));
    }
    Buffer<float> x(engine, here * pitch);
    folding->fold_in(
        {here, to_engine(engine, offsets), to_engine(engine, columns), std::move(weights)}, x);
    const Buffer<Index> seen_offsets = to_engine(engine, left_out_offsets);
    const Buffer<std::int32_t> seen = to_engine(engine, left_out);
    TopItemsProblem<float> problem;
    problem.users = here;
    problem.items = item_count();
    problem.factors = factors;
    problem.user_factors = x.data();
    problem.item_factors = y.data();
    if (filter.leave_out_history) {
      problem.offsets = seen_offsets.data();
      problem.left_out = seen.data();
    }
    problem.allowed = may.data();
    Buffer<std::int32_t> chosen(engine, here * n);
    Buffer<float> scores(engine, here * n);
    selection->top(problem, n, chosen, scores);
    const std::vector<std::int32_t> items = chosen.to_host();
    const std::vector<float> values = scores.to_host();
    for (Index u = 0; u < here; ++u) {
      if (offsets[static_cast<std::size_t>(u)] == offsets[static_cast<std::size_t>(u) + 1])
        continue;
      Index& count = made.counts[static_cast<std::size_t>(first + u)];
      while (count < n && items[static_cast<std::size_t>(u * n + count)] >= 0) {
        made.items(first + u, count) = items[static_cast<std::size_t>(u * n + count)];
        made.scores(first + u, count) =
            static_cast<double>(values[static_cast<std::size_t>(u * n + count)]);
        ++count;
      }
    }
  }
  return made;
}

std::vector<ScoredItem> FactorRecommender::similar_items(std::int32_t item, Index n,
                                                         const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  const auto own = static_cast<std::size_t>(item);
  if (known_[own] == 0) return {};
  std::vector<float> products(static_cast<std::size_t>(item_count()));
  cpu::score_all_items(item_factors.row(item).data(), item_factors.data(), item_count(),
                       described_by(), item_factors.cols(), products.data());
  std::vector<double> cosines(products.size(), 0.0);
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    if (lengths_[own] * lengths_[i] > 0)
      cosines[i] = static_cast<double>(products[i]) / (lengths_[own] * lengths_[i]);
  }
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(cosines, n, [&](const ScoredItem& one) {
    const auto at = static_cast<std::size_t>(one.item);
    return one.item != item && may[at] != 0 && known_[at] != 0;
  });
}

void FactorRecommender::load_factors(const Archive& archive, Index items, Index most) {
  item_factors = archive.get_matrix<float>("item_factors", items);
  if (item_factors.cols() < 1 || item_factors.cols() > most) {
    archive.fail("item_factors", "has no columns, or too many");
  }
  for (const float value : item_factors.values()) {
    if (!std::isfinite(value)) archive.fail("item_factors", "has a value that is not finite");
  }
}

}  // namespace tandem
