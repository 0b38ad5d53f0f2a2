#include "cpu/cluster/kmeans_bounds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.hpp"

namespace tandem::cpu {

template <Real T>
void CentreTiles<T>::pack(Engine& engine, const Buffer<T>& moved, Index features,
                          std::span<const std::int32_t> centres) {
  count_ = static_cast<Index>(centres.size());
  const Index padded = ceil_div(count_, tile_centres) * tile_centres;
  if (values_.size() != padded * features || squares_.size() != padded) {
    values_ = Buffer<T>(engine, padded * features);
    squares_ = Buffer<T>(engine, padded);
  }
  for (Index at = 0; at < padded; ++at) {
    T* column = values_.data() + at / tile_centres * features * tile_centres + at % tile_centres;
    if (at >= count_) {
      for (Index j = 0; j < features; ++j) column[j * tile_centres] = T{0};
      squares_.data()[at] = std::numeric_limits<T>::infinity();
      continue;
    }
    const T* centre = moved.data() + centres[static_cast<std::size_t>(at)] * features;
    T square{0};
    for (Index j = 0; j < features; ++j) {
      square = std::fma(centre[j], centre[j], square);
      column[j * tile_centres] = T{-2} * centre[j];
    }
    squares_.data()[at] = square;
  }
}

template <Real T>
void CentreMoves<T>::begin(Engine& engine, Index k, Index features, Index padded_rows) {
  k_ = k;
  features_ = features;
  reach_ = -1;
  if (own_.empty()) own_ = Buffer<T>(engine, padded_rows);
  if (rest_.empty()) rest_ = Buffer<T>(engine, padded_rows);
  before_ = Buffer<T>(engine, k * features);
}

template <Real T>
void CentreMoves<T>::release() {
  own_ = Buffer<T>();
  rest_ = Buffer<T>();
}

template <Real T>
void CentreMoves<T>::prepare(Engine& engine, const Buffer<T>& moved, Index rows,
                             const T* row_squares, const std::int32_t* labels) {
  const auto k = static_cast<std::size_t>(k_);
  double reach = 0;
  std::vector<double> moves(k);
  for (std::size_t c = 0; c < k; ++c) {
    const T* centre = moved.data() + static_cast<Index>(c) * features_;
    const T* before = before_.data() + static_cast<Index>(c) * features_;
    double square = 0;
    double move = 0;
    for (Index j = 0; j < features_; ++j) {
      const auto value = static_cast<double>(centre[j]);
      square += value * value;
      const double difference = value - static_cast<double>(before[j]);
      move += difference * difference;
    }
    reach = std::max(reach, std::sqrt(square));
    moves[c] = std::sqrt(move);
  }
  // Room for the roundings of T and double here and below.
  const double up = 1 + 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const bool afresh = reach * up > reach_;
  if (afresh) {
    // The first assign, or centres farther out than the bounds were computed for. Means of rows
    // do not reach beyond the rows.
    reach_ = reach * up;
    for (Index i = 0; i < rows; ++i) {
      reach_ = std::max(reach_, std::sqrt(static_cast<double>(row_squares[i])) * up);
    }
    std::fill_n(own_.data(), own_.size(), T{0});
    std::fill_n(rest_.data(), rest_.size(), -std::numeric_limits<T>::infinity());
    std::fill(moves.begin(), moves.end(), 0.0);
  }
  before_.copy_from(moved);

  std::vector<std::int32_t> order(k);  // of descending moves
  for (std::size_t c = 0; c < k; ++c) order[c] = static_cast<std::int32_t>(c);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const double move_a = moves[static_cast<std::size_t>(a)];
    const double move_b = moves[static_cast<std::size_t>(b)];
    return move_a != move_b ? move_a > move_b : a < b;
  });
  // The move of the n-th centre in that order, rounded up.
  const auto move_of = [&](std::size_t n) {
    return static_cast<T>(n < k ? moves[static_cast<std::size_t>(order[n])] * up : 0.0);
  };
  own_gain_.assign(1 + k, T{0});
  for (std::size_t n = 0; n < k; ++n)
    own_gain_[1 + static_cast<std::size_t>(order[n])] = move_of(n);
  // How much `rest` shrinks if the first `skipped` centres in that order are left out.
  const auto loss_without = [&](std::size_t skipped) {
    std::vector<T> loss(1 + k, move_of(skipped));
    if (skipped < k) loss[1 + static_cast<std::size_t>(order[skipped])] = move_of(skipped + 1);
    return loss;
  };
  rest_loss_ = loss_without(0);

  const std::size_t hot = afresh ? 0 : worthwhile_hot_centres(order, loss_without, rows, labels);
  cold_loss_ = loss_without(hot);
  hot_centres_.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(hot));
  hot_.pack(engine, moved, features_, hot_centres_);
}

// How many centres to score first, by what a sample of the rows promises; 0 for none. Labels do
// not depend on it.
template <Real T>
template <class LossWithout>
std::size_t CentreMoves<T>::worthwhile_hot_centres(const std::vector<std::int32_t>& order,
                                                   const LossWithout& loss_without, Index rows,
                                                   const std::int32_t* labels) const {
  // The sampled rows that may change their label when the loss is `loss`. Of a row whose own
  // centre is hot the distance to it will be known; take it to be what it was.
  const Index step = std::max<Index>(1, rows / 10000);
  const auto active = [&](const std::vector<T>& loss, std::size_t hot) {
    std::vector<T> gain = own_gain_;
    for (std::size_t n = 0; n < hot; ++n) gain[1 + static_cast<std::size_t>(order[n])] = T{0};
    Index count = 0;
    for (Index i = 0; i < rows; i += step) {
      const auto label = static_cast<std::size_t>(labels[i] + 1);
      if (!(own_.data()[i] + gain[label] < rest_.data()[i] - loss[label])) ++count;
    }
    return static_cast<double>(count) / static_cast<double>(pieces(rows, step));
  };
  // Costs are in scores of a row. Gathering a row costs as much as 12.
  const auto k = static_cast<double>(k_);
  const auto full = [&](double share) { return std::min(k, share * (k + 12)); };
  const double all = active(rest_loss_, 0);
  const double panels = 1 - std::pow(1 - all, static_cast<double>(panel_rows));
  double least = full(all);
  std::size_t best = 0;
  for (std::size_t hot = tile_centres; 2 * hot <= static_cast<std::size_t>(k_); hot *= 2) {
    const double cost =
        panels * (static_cast<double>(hot) + 12) + full(active(loss_without(hot), hot));
    if (cost < least) {
      least = cost;
      best = hot;
    }
  }
  return best;
}

template <Real T>
void CentreMoves<T>::put_into(AssignArgs<T>& args) {
  args.own = own_.data();
  args.rest = rest_.data();
  args.reach = static_cast<T>(std::max(reach_, 0.0));
  args.own_gain = own_gain_.data();
  args.rest_loss = rest_loss_.data();
  args.cold_loss = cold_loss_.data();
  args.hot = hot_.view();
  args.hot_centres = hot_centres_.data();
}

template <Real T>
void CentreMoves<T>::forget(Index row) {
  if (reach_ >= 0) rest_.data()[row] = -std::numeric_limits<T>::infinity();
}

template class CentreTiles<float>;
template class CentreTiles<double>;
template class CentreMoves<float>;
template class CentreMoves<double>;

}  // namespace tandem::cpu
