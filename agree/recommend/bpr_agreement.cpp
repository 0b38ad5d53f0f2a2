// Agreement of Bayesian personalised ranking: a pass of training, and folding users in.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/recommend/bpr_schedule.hpp"
#include "core/recommend/bpr_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
std::vector<T> rows_of(DataKind kind, Index rows, Index factors, Draw& draw) {
  const Matrix<T> values = make_features<T>(kind, rows, factors, draw);
  const Index pitch = als_pitch(factors);
  std::vector<T> made(static_cast<std::size_t>(rows * pitch), T{0});
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) {
      made[static_cast<std::size_t>(i * pitch + j)] = values(i, j);
    }
  }
  return made;
}

// rate · sigmoid(−s): the sigmoid's slope is a quarter at most, and it is off by two units in the
// last place (tandem/core/math.hpp), the reference's by as many in double.
template <Real T>
Traced<T> step_size(T rate, const Traced<T>& s) {
  const double value = 1 / (1 + std::exp(s.value()));
  const double off = std::min(1.0, 0.25 * s.error()) +
                     4 * (unit_roundoff<T> + unit_roundoff<double>)*value +
                     static_cast<double>(std::numeric_limits<T>::denorm_min());
  return Traced<T>(static_cast<double>(rate)) * Traced<T>(value, off);
}

// s, in the order of a single chain: the bound does not depend on it.
template <Real T>
Traced<T> score(const std::vector<Traced<T>>& x, std::size_t at_x, const std::vector<Traced<T>>& y,
                std::size_t at_a, std::size_t at_b, std::size_t factors, const Traced<T>& bias_a,
                const Traced<T>& bias_b) {
  Traced<T> sum(0.0);
  for (std::size_t f = 0; f < factors; ++f) sum = fma(x[at_x + f], y[at_a + f] - y[at_b + f], sum);
  return sum + (bias_a - bias_b);
}

template <Real T>
std::vector<Traced<T>> traced(const std::vector<T>& from) {
  std::vector<Traced<T>> made;
  made.reserve(from.size());
  for (const T value : from) made.emplace_back(static_cast<double>(value));
  return made;
}

template <Real T>
std::vector<double> errors_of(const std::vector<Traced<T>>& of) {
  std::vector<double> made;
  made.reserve(of.size());
  // The reference's results are rounded to T once more.
  for (const Traced<T>& one : of) made.push_back(one.round().error());
  return made;
}

template <Real T>
class PassCase final : public Case {
 public:
  explicit PassCase(const Key& key) {
    Draw draw(key.seed, 68);
    users_.rows = draw.between(1, 40);
    users_.cols = draw.between(1, 60);
    factors_ = draw.between(1, 70);
    const Index every = draw.between(1, 8);
    for (Index u = 0; u < users_.rows; ++u) {
      for (Index i = 0; i < users_.cols && users_.size() < key.rows; ++i) {
        if (draw.below(every) == 0) users_.columns.push_back(static_cast<std::int32_t>(i));
      }
      users_.offsets.push_back(users_.size());
    }
    users_.values.assign(users_.columns.size(), 1.0F);
    blocks_ = draw.of({1, 2, 8});
    negatives_ = draw.flip() ? BprNegatives::uniform : BprNegatives::popular;
    pass_ = static_cast<std::uint32_t>(draw.below(5));
    seed_ = key.seed;
    rate_ = static_cast<T>(draw.of({0.01, 0.05, 0.5}));
    keep_ = static_cast<T>(1 - static_cast<double>(rate_) * draw.of({0.0, 0.01, 0.5}));
    x_ = rows_of<T>(key.kind, users_.rows, factors_, draw);
    y_ = rows_of<T>(key.kind, users_.cols, factors_, draw);
    biases_ = make_values<T>(key.kind, users_.cols, draw);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const BprSchedule schedule = bpr_schedule(users_, blocks_, negatives_, seed_);
    BprOnEngine on_engine(engine, schedule, users_);
    Buffer<T> x = to_engine(engine, x_);
    Buffer<T> y = to_engine(engine, y_);
    Buffer<T> biases = to_engine(engine, biases_);
    Buffer<std::int64_t> tally(engine, 2);
    tally.fill_zero();
    make_steps<BprSteps, T>(engine)->pass(on_engine.view(factors_, seed_, pass_), rate_, keep_,
                                          {x, y, biases}, tally);
    out.add("x", x);
    out.add("y", y);
    out.add("biases", biases);
    const std::vector<std::int64_t> counts = tally.to_host();
    out.add_count("drawn", counts[0]);
    out.add_count("right", counts[1]);
  }

  // The pass once more, each number with a bound on the distance between the engine's, of type T,
  // and the reference's, in double. How many scores are above 0 may differ by as many as lie nearer
  // to 0 than their bounds.
  void judge(Judge& judge) const override {
    const BprSchedule schedule = bpr_schedule(users_, blocks_, negatives_, seed_);
    const std::vector<std::int32_t> matches = bpr_matches(blocks_, seed_, pass_);
    const Index pitch = als_pitch(factors_);
    const BprView view{blocks_,
                       schedule.cell_offsets.data(),
                       schedule.pair_users.data(),
                       schedule.pair_items.data(),
                       schedule.pool_offsets.data(),
                       schedule.pool_items.data(),
                       users_.offsets.data(),
                       users_.columns.data(),
                       matches.data(),
                       static_cast<int>(factors_),
                       static_cast<int>(pitch),
                       seed_,
                       pass_};
    auto x = traced(x_);
    auto y = traced(y_);
    auto biases = traced(biases_);
    const Traced<T> keep(static_cast<double>(keep_));
    const auto factors = static_cast<std::size_t>(factors_);
    double unsure = 0;
    for (Index round = 0; round < blocks_; ++round) {
      for (Index block = 0; block < blocks_; ++block) {
        BprTask task(view, block, round);
        for (std::uint32_t k = 0; k < task.size(); ++k) {
          std::int32_t user = 0;
          std::int32_t item = 0;
          std::int32_t drawn = 0;
          task.next(user, item, drawn);
          if (drawn < 0) continue;
          const auto u = static_cast<std::size_t>(user * pitch);
          const auto a = static_cast<std::size_t>(item * pitch);
          const auto b = static_cast<std::size_t>(drawn * pitch);
          Traced<T>& of_a = biases[static_cast<std::size_t>(item)];
          Traced<T>& of_b = biases[static_cast<std::size_t>(drawn)];
          const Traced<T> s = score(x, u, y, a, b, factors, of_a, of_b);
          if (!(std::abs(s.value()) > s.error())) ++unsure;
          const Traced<T> g = step_size(rate_, s);
          for (std::size_t f = 0; f < factors; ++f) {
            const Traced<T> before = x[u + f];
            x[u + f] = fma(g, y[a + f] - y[b + f], keep * before);
            y[a + f] = fma(g, before, keep * y[a + f]);
            y[b + f] = fma(-g, before, keep * y[b + f]);
          }
          of_a = fma(keep, of_a, g);
          of_b = fma(keep, of_b, -g);
        }
      }
    }
    judge.exact("drawn");
    judge.within("right", Tolerance::tie_aware, unsure);
    const auto within = [&](std::string_view name, const std::vector<Traced<T>>& of) {
      const std::vector<double> errors = errors_of(of);
      judge.within(name, Tolerance::trajectory, [&](std::size_t at) { return errors[at]; });
    };
    within("x", x);
    within("y", y);
    within("biases", biases);
  }

 private:
  SparseMatrix<float> users_;
  Index factors_ = 1, blocks_ = 1;
  BprNegatives negatives_ = BprNegatives::uniform;
  std::uint32_t pass_ = 0;
  std::uint64_t seed_ = 0;
  T rate_ = 0, keep_ = 1;
  std::vector<T> x_, y_, biases_;
};

template <Real T>
class FoldInCase final : public Case {
 public:
  explicit FoldInCase(const Key& key) {
    Draw draw(key.seed, 69);
    const Index items = std::max<Index>(1, std::min<Index>(key.rows, 200));
    factors_ = draw.between(1, 70);
    offsets_ = {0};
    for (Index r = draw.between(1, 6); r > 0; --r) {
      const Index every = draw.between(1, 20);
      for (Index i = draw.below(every + 1); i < items; i += draw.between(1, every)) {
        columns_.push_back(static_cast<std::int32_t>(i));
      }
      offsets_.push_back(static_cast<Index>(columns_.size()));
    }
    for (Index k = draw.between(1, 64); k > 0; --k) {
      panel_.push_back(static_cast<std::int32_t>(draw.below(items)));
    }
    passes_ = draw.between(1, 6);
    seed_ = key.seed;
    rate_ = static_cast<T>(draw.of({0.01, 0.05, 0.5}));
    keep_ = static_cast<T>(1 - static_cast<double>(rate_) * draw.of({0.0, 0.01, 0.5}));
    y_ = rows_of<T>(key.kind, items, factors_, draw);
    biases_ = make_values<T>(key.kind, items, draw);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto y = to_engine(engine, y_);
    const auto biases = to_engine(engine, biases_);
    const auto panel = to_engine(engine, panel_);
    Buffer<T> x(engine, rows() * x_pitch());
    make_steps<BprSteps, T>(engine)->fold_in(in(y.data(), biases.data(), panel.data()), rows(),
                                             to_engine(engine, offsets_),
                                             to_engine(engine, columns_), x);
    out.add("x", x);
  }

  // As that of a pass.
  void judge(Judge& judge) const override {
    const BprFoldIn<T> host = in(y_.data(), biases_.data(), panel_.data());
    const auto y = traced(y_);
    const auto biases = traced(biases_);
    const auto factors = static_cast<std::size_t>(factors_);
    const Index pitch = als_pitch(factors_);
    std::vector<double> bounds(static_cast<std::size_t>(rows() * x_pitch()), 0.0);
    for (Index r = 0; r < rows(); ++r) {
      const Index begin = offsets_[static_cast<std::size_t>(r)];
      const Index count = offsets_[static_cast<std::size_t>(r) + 1] - begin;
      const std::int32_t* const items = columns_.data() + begin;
      std::vector<Traced<T>> x(factors);
      const Index passes = count == 0 ? 0 : bpr_passes(passes_, count);
      for (Index pass = 0; pass < passes; ++pass) {
        for (Index k = 0; k < count; ++k) {
          const std::int32_t drawn = bpr_fold_in_draw(host, items, count, items[k], pass);
          if (drawn < 0) continue;
          const auto a = static_cast<std::size_t>(items[k] * pitch);
          const auto b = static_cast<std::size_t>(drawn * pitch);
          const Traced<T> g = step_size(
              rate_, score(x, 0, y, a, b, factors, biases[static_cast<std::size_t>(items[k])],
                           biases[static_cast<std::size_t>(drawn)]));
          for (std::size_t f = 0; f < factors; ++f) {
            x[f] = fma(g, y[a + f] - y[b + f], Traced<T>(static_cast<double>(keep_)) * x[f]);
          }
        }
      }
      const std::vector<double> errors = errors_of(x);
      std::copy(errors.begin(), errors.end(), bounds.begin() + r * x_pitch());
    }
    judge.within("x", Tolerance::trajectory, [&](std::size_t at) { return bounds[at]; });
  }

 private:
  [[nodiscard]] Index rows() const { return static_cast<Index>(offsets_.size()) - 1; }
  [[nodiscard]] Index x_pitch() const { return als_pitch(factors_ + 1); }
  [[nodiscard]] BprFoldIn<T> in(const T* y, const T* biases, const std::int32_t* panel) const {
    return {y,
            biases,
            panel,
            static_cast<std::uint32_t>(panel_.size()),
            static_cast<int>(factors_),
            static_cast<int>(als_pitch(factors_)),
            static_cast<int>(x_pitch()),
            passes_,
            seed_,
            rate_,
            keep_};
  }

  Index factors_ = 1, passes_ = 1;
  std::vector<Index> offsets_;
  std::vector<std::int32_t> columns_, panel_;
  std::uint64_t seed_ = 0;
  T rate_ = 0, keep_ = 1;
  std::vector<T> y_, biases_;
};

}  // namespace

Agreement make_bpr_agreement() {
  return {part<PassCase>("pass", "a pass over pairs, block by block", {"bpr"},
                         "trajectory: running error of the steps", 257),
          part<FoldInCase>("fold-in", "vectors of users for items that are fixed", {"bpr"},
                           "trajectory: running error of the steps", 257)};
}

}  // namespace tandem::agree
