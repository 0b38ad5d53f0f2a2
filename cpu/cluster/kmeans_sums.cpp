#include "cpu/cluster/kmeans_sums.hpp"

#include <algorithm>
#include <cmath>

#include "core/cluster/kmeans_math.hpp"

namespace tandem::cpu {

template <Real T>
void CentreSums<T>::set_scales(Engine& engine, Index rows, std::span<const double> largest,
                               double heaviest, bool weighted) {
  rows_ = rows;
  features_ = static_cast<Index>(largest.size());
  stride_ = ceil_div(features_, sum_padding) * sum_padding;
  weighted_ = weighted;
  weight_fixed_ = FixedPoint::for_sum(rows, heaviest);
  fixed_.clear();
  scales_ = Buffer<double>(engine, stride_);
  scales_.fill_zero();
  for (std::size_t j = 0; j < largest.size(); ++j) {
    fixed_.push_back(fixed_point_of_feature(rows, heaviest * largest[j]));
    scales_.data()[j] = std::ldexp(1.0, fixed_.back().exponent);
  }
}

template <Real T>
void CentreSums<T>::begin(Index k) {
  k_ = k;
  sums_.assign(static_cast<std::size_t>(k * stride_), 0);
  weights_.assign(static_cast<std::size_t>(k), 0);
  counts_.assign(static_cast<std::size_t>(k), 0);
}

template <Real T>
std::size_t CentreSums<T>::scratch_size() const {
  return sums_.size() + weights_.size() + counts_.size();
}

template <Real T>
AssignDelta CentreSums<T>::delta_in(std::vector<std::int64_t>& scratch) const {
  std::int64_t* const weights = scratch.data() + sums_.size();
  return {scratch.data(), weights, weights + weights_.size(), 0};
}

template <Real T>
void CentreSums<T>::add(const std::vector<std::int64_t>& scratch) {
  const std::int64_t* from = scratch.data();
  for (std::int64_t& sum : sums_) sum += *from++;
  for (std::int64_t& weight : weights_) weight += *from++;
  for (Index& count : counts_) count += *from++;
}

template <Real T>
void CentreSums<T>::move_row(std::span<const T> row, double weight, std::int32_t from,
                             std::int32_t to) {
  const auto add = [&](Index c, std::int64_t sign) {
    if (c < 0) return;
    counts_[static_cast<std::size_t>(c)] += sign;
    if (weighted_) {
      weights_[static_cast<std::size_t>(c)] += sign * weight_fixed_.encode(weight);
    }
    for (std::size_t j = 0; j < row.size(); ++j) {
      const double value = weight * static_cast<double>(row[j]);
      sums_[static_cast<std::size_t>(c * stride_) + j] += sign * fixed_[j].encode(value);
    }
  };
  add(to, 1);
  add(from, -1);
}

template <Real T>
KMeansTotals CentreSums<T>::recentre(const Buffer<T>& centres, const Buffer<T>& moved,
                                     std::span<const T> origin, double square_total,
                                     Buffer<T>& next) const {
  KMeansTotals totals;
  totals.empty = std::count(counts_.begin(), counts_.end(), 0);
  const auto sum = [&](Index c, Index j) {
    return fixed_[static_cast<std::size_t>(j)].decode(
        sums_[static_cast<std::size_t>(c * stride_ + j)]);
  };
  for (Index c = 0; c < k_; ++c) {
    const double w = weight_of(c);
    const bool empty = counts_[static_cast<std::size_t>(c)] == 0;
    for (Index j = 0; j < features_; ++j) {
      const auto moved_by = static_cast<double>(origin[static_cast<std::size_t>(j)]);
      next.data()[c * features_ + j] =
          empty ? centres.data()[c * features_ + j] : centre_coordinate<T>(moved_by, sum(c, j), w);
    }
  }
  totals.shift_squared = long_sum(k_ * features_, [&](Index at) {
    const double shift =
        static_cast<double>(next.data()[at]) - static_cast<double>(centres.data()[at]);
    return shift * shift;
  });
  const double terms = long_sum(k_ * features_, [&](Index at) {
    const Index c = at / features_;
    return cost_term(static_cast<double>(moved.data()[at]), sum(c, at % features_), weight_of(c));
  });
  totals.cost = std::max(square_total + terms, 0.0);
  const double magnitude = long_sum(k_ * features_, [&](Index at) {
    const Index c = at / features_;
    return cost_magnitude(static_cast<double>(moved.data()[at]), sum(c, at % features_),
                          weight_of(c));
  });
  const double fixed_error = long_sum(features_, [&](Index j) {
    double most = 0;
    for (Index c = 0; c < k_; ++c) {
      most = std::max(most, std::abs(static_cast<double>(moved.data()[c * features_ + j])));
    }
    const int exponent = fixed_[static_cast<std::size_t>(j)].exponent;
    return cost_fixed_error(most, rows_, std::ldexp(1.0, -exponent));
  });
  totals.cost_error = cost_error_bound(rows_, k_ * features_, square_total, magnitude, fixed_error);
  return totals;
}

template <Real T>
double CentreSums<T>::weight_of(Index centre) const {
  const auto at = static_cast<std::size_t>(centre);
  return weighted_ ? weight_fixed_.decode(weights_[at]) : static_cast<double>(counts_[at]);
}

template <Real T>
double CentreSums<T>::weight_scale() const {
  return std::ldexp(1.0, weight_fixed_.exponent);
}

template class CentreSums<float>;
template class CentreSums<double>;

}  // namespace tandem::cpu
