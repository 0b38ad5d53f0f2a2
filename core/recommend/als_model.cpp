// What a trained ALS model answers: folding a user in, scores, reasons, likeness.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/json_text.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/recommend/data.hpp"
#include "core/recommend/selection.hpp"
#include "core/recommend/top_items_steps.hpp"
#include "core/steps.hpp"
#include "cpu/recommend/als_row.hpp"
#include "cpu/recommend/top_items.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem {
namespace {

// An engine of one thread for the one Gram matrix of a model that was just made or loaded. Its bits
// are those of every engine.
Matrix<float> gram_of(const float* padded, Index items, Index factors, double regularization) {
  EngineOptions options;
  options.threads = 1;
  const auto engine = Engine::create(options);
  const auto steps = make_steps<AlsSteps, float>(*engine);
  const Index pitch = als_pitch(factors);
  const Buffer<float> y =
      to_engine(*engine, std::span<const float>(padded, static_cast<std::size_t>(items * pitch)));
  Buffer<float> gram(*engine, pitch * pitch);
  steps->gram(y, items, factors, static_cast<float>(regularization), gram);
  return {pitch, pitch, gram.to_host()};
}

// A x = b by Cholesky, in double; A is f × f, its upper triangle.
void solve_in_double(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t f = b.size();
  for (std::size_t j = 0; j < f; ++j) {
    const double root = std::sqrt(a[j * f + j]);
    for (std::size_t k = j; k < f; ++k) a[j * f + k] /= root;
    for (std::size_t m = j + 1; m < f; ++m) {
      for (std::size_t k = m; k < f; ++k) a[m * f + k] -= a[j * f + m] * a[j * f + k];
    }
  }
  for (std::size_t j = 0; j < f; ++j) {
    b[j] /= a[j * f + j];
    for (std::size_t k = j + 1; k < f; ++k) b[k] -= a[j * f + k] * b[j];
  }
  for (std::size_t j = f; j-- > 0;) {
    b[j] /= a[j * f + j];
    for (std::size_t k = 0; k < j; ++k) b[k] -= a[k * f + j] * b[j];
  }
}

}  // namespace

const float* AlsModel::padded() const {
  return padded_.empty() ? item_factors.data() : padded_.data();
}

void AlsModel::prepare() {
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
  gram_ = gram_of(padded(), items, factors, regularization);
  known_.assign(static_cast<std::size_t>(items), 0);
  lengths_.assign(static_cast<std::size_t>(items), 0);
  for (Index i = 0; i < items; ++i) {
    double sum = 0;
    for (const float value : item_factors.row(i)) {
      if (value != 0) known_[static_cast<std::size_t>(i)] = 1;
      sum += static_cast<double>(value) * static_cast<double>(value);
    }
    lengths_[static_cast<std::size_t>(i)] = std::sqrt(sum);
  }
}

std::vector<float> AlsModel::fold_in(UserHistory history) const {
  check_history(history);
  std::vector<std::int32_t> columns;
  std::vector<float> extra;
  for (const HistoryItem& one : sorted_history(history)) {
    const auto weight = static_cast<float>(one.weight);
    if (!(weight > 0)) continue;
    columns.push_back(one.item);
    extra.push_back(static_cast<float>(alpha * static_cast<double>(weight)));
    if (!std::isfinite(extra.back())) {
      throw InputError("the weight of the history's item " +
                       items()[static_cast<std::size_t>(one.item)] +
                       " is beyond what a number of 32 bits holds");
    }
  }
  const Index factors = item_factors.cols();
  std::vector<float> x(static_cast<std::size_t>(als_pitch(factors)), 0.0F);
  if (!columns.empty()) {
    thread_local std::vector<float> scratch;
    if (!cpu::als_solve_row(padded(), columns.data(), extra.data(),
                            static_cast<Index>(columns.size()), gram_.data(), factors, x.data(),
                            scratch)) {
      throw NumericalError(
          "als: the equations of this history are singular to working precision; train with a "
          "larger " +
          option("regularization"));
    }
  }
  x.resize(static_cast<std::size_t>(factors));
  return x;
}

void AlsModel::score(UserHistory history, std::span<double> scores) const {
  const std::vector<float> x = fold_in(history);
  thread_local std::vector<float> own;
  own.resize(scores.size());
  cpu::score_all_items(x.data(), item_factors.data(), item_count(), item_factors.cols(),
                       item_factors.cols(), own.data());
  std::copy(own.begin(), own.end(), scores.begin());
}

std::vector<double> AlsModel::score_items(UserHistory history,
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

std::vector<ScoredItem> AlsModel::top_items(UserHistory history, Index n,
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

TopItems AlsModel::top_items(Engine& engine, const SparseView<double>& histories, Index n,
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
  const Buffer<float> gram = to_engine(engine, gram_.values());
  const auto als = make_steps<AlsSteps, float>(engine);
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
    std::vector<float> extra;
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
        extra.push_back(
            static_cast<float>(alpha * static_cast<double>(static_cast<float>(weight))));
      }
      offsets.push_back(static_cast<Index>(columns.size()));
      left_out_offsets.push_back(static_cast<Index>(left_out.size()));
    }
    const AlsRatings<float> ratings{here, item_count(), to_engine(engine, offsets),
                                    to_engine(engine, columns), to_engine(engine, extra)};
    Buffer<float> x(engine, here * pitch);
    x.fill_zero();
    if (als->solve(ratings, y, gram, factors, AlsSolver::cholesky, 1, x) > 0) {
      throw NumericalError(
          "als: the equations of a history are singular to working precision; train with a "
          "larger " +
          option("regularization"));
    }
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

Explanation AlsModel::because(UserHistory history, std::int32_t item, Index most) const {
  check_item(item);
  const std::int32_t items[] = {item};
  const double score = score_items(history, items).front();
  const std::vector<HistoryItem> sorted = sorted_history(history);
  const auto f = static_cast<std::size_t>(item_factors.cols());
  const auto pitch = static_cast<std::size_t>(gram_.cols());
  std::vector<double> a(f * f);
  for (std::size_t j = 0; j < f; ++j) {
    for (std::size_t k = j; k < f; ++k)
      a[j * f + k] = static_cast<double>(gram_.values()[j * pitch + k]);
  }
  for (const HistoryItem& one : sorted) {
    const auto row = item_factors.row(one.item);
    for (std::size_t j = 0; j < f; ++j) {
      for (std::size_t k = j; k < f; ++k) {
        a[j * f + k] +=
            alpha * one.weight * static_cast<double>(row[j]) * static_cast<double>(row[k]);
      }
    }
  }
  // z = A⁻¹ y_i; the part of item j is c_j · zᵀ y_j.
  std::vector<double> z(item_factors.row(item).begin(), item_factors.row(item).end());
  solve_in_double(a, z);
  std::vector<Contribution> parts;
  for (const HistoryItem& one : sorted) {
    if (!(static_cast<float>(one.weight) > 0)) continue;
    const auto row = item_factors.row(one.item);
    double sum = 0;
    for (std::size_t j = 0; j < f; ++j) sum += z[j] * static_cast<double>(row[j]);
    parts.push_back({one.item, (1 + alpha * one.weight) * sum});
  }
  return explanation_of(score, std::move(parts), most);
}

std::vector<ScoredItem> AlsModel::similar_items(std::int32_t item, Index n,
                                                const ItemFilter& filter) const {
  check_item(item);
  for (const std::int32_t other : filter.leave_out) check_item(other);
  const auto own = static_cast<std::size_t>(item);
  if (known_[own] == 0) return {};
  std::vector<float> products(static_cast<std::size_t>(item_count()));
  cpu::score_all_items(item_factors.row(item).data(), item_factors.data(), item_count(),
                       item_factors.cols(), item_factors.cols(), products.data());
  std::vector<double> cosines(products.size(), 0.0);
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    if (known_[i] != 0)
      cosines[i] = static_cast<double>(products[i]) / (lengths_[own] * lengths_[i]);
  }
  const std::vector<std::uint8_t> may = answerable(item_count(), {}, filter);
  return best_of(cosines, n, [&](const ScoredItem& one) {
    const auto at = static_cast<std::size_t>(one.item);
    return one.item != item && may[at] != 0 && known_[at] != 0;
  });
}

void AlsModel::save(Archive& archive) const {
  archive.set_matrix("item_factors", item_factors);
  archive.set("regularization", regularization);
  archive.set("alpha", alpha);
}

std::unique_ptr<AlsModel> AlsModel::load(const Archive& archive, Index items) {
  auto model = std::make_unique<AlsModel>();
  model->item_factors = archive.get_matrix<float>("item_factors", items);
  const Index factors = model->item_factors.cols();
  if (factors < 1 || factors > 1024) archive.fail("item_factors", "has no columns, or too many");
  for (const float value : model->item_factors.values()) {
    if (!std::isfinite(value)) archive.fail("item_factors", "has a value that is not finite");
  }
  model->regularization = archive.get_double("regularization");
  model->alpha = archive.get_double("alpha");
  if (!(model->regularization >= 0) || !std::isfinite(model->regularization)) {
    archive.fail("regularization", "is negative or not finite");
  }
  if (!(model->alpha >= 0) || !std::isfinite(model->alpha)) {
    archive.fail("alpha", "is negative or not finite");
  }
  model->prepare();
  return model;
}

std::string AlsModel::to_json() const {
  return json_text({{"algorithm", algorithm()},
                    {"items", item_count()},
                    {"factors", item_factors.cols()},
                    {"regularization", regularization},
                    {"alpha", alpha},
                    {"iterations", training().iterations}});
}

std::string AlsModel::to_text() const {
  std::ostringstream out;
  out << "implicit ALS, " << item_factors.cols() << " factors of " << item_count()
      << " items, regularization " << regularization << ", alpha " << alpha << ", "
      << training().iterations << " iterations\n";
  return out.str();
}

}  // namespace tandem
