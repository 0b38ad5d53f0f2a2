// k-means as the textbook has it: squared distances, double precision, one thread, every sum from
// the start.
#include <algorithm>
#include <limits>

#include "core/cluster/kmeans_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class KMeansReference final : public KMeansSteps<T> {
 public:
  KMeansColumns measure(MatrixView<const T> x, std::span<const double> weights) override {
    KMeansColumns columns;
    for (Index i = 0; i < x.rows; ++i) columns.weight += weight_of(weights, i);
    for (Index j = 0; j < x.cols; ++j) {
      double sum = 0;
      for (Index i = 0; i < x.rows; ++i) {
        sum += weight_of(weights, i) * static_cast<double>(x(i, j));
      }
      columns.mean.push_back(sum / columns.weight);
    }
    return columns;
  }

  KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                    std::span<const T> origin) override {
    rows_ = Matrix<double>(x.rows, x.cols);
    weights_.clear();
    for (Index i = 0; i < x.rows; ++i) {
      weights_.push_back(weight_of(weights, i));
      for (Index j = 0; j < x.cols; ++j) rows_(i, j) = static_cast<double>(x(i, j));
    }
    KMeansSpread spread;
    for (Index j = 0; j < x.cols; ++j) {
      double sum = 0;
      double largest = 0;
      for (Index i = 0; i < x.rows; ++i) {
        const double moved = rows_(i, j) - static_cast<double>(origin[static_cast<std::size_t>(j)]);
        sum += weights_[static_cast<std::size_t>(i)] * moved * moved;
        largest = std::max(largest, std::abs(moved));
      }
      spread.square_sum.push_back(sum);
      spread.largest.push_back(largest);
    }
    distance_.assign(static_cast<std::size_t>(x.rows), 0);
    return spread;
  }

  void begin(Index k) override {
    k_ = k;
    labels_.assign(static_cast<std::size_t>(rows_.rows()), -1);
    changed_ = 0;
  }
  void begin(Index k, std::span<const std::int32_t> labels) override {
    begin(k);
    labels_.assign(labels.begin(), labels.end());
  }

  void assign(const Buffer<T>& centres) override {
    changed_ = 0;
    for (Index i = 0; i < rows_.rows(); ++i) {
      const std::int32_t nearest = nearest_to(i, centres);
      if (label_of(i) != nearest) ++changed_;
      label_of(i) = nearest;
    }
  }

  void label(const Buffer<T>& centres, Index k) override {
    k_ = k;
    labels_.clear();
    for (Index i = 0; i < rows_.rows(); ++i) labels_.push_back(nearest_to(i, centres));
  }

  void recentre(const Buffer<T>& centres, Buffer<T>& next) override {
    KMeansTotals& totals = totals_;
    totals = KMeansTotals();
    totals.changed = changed_;
    totals.cost = inertia(centres);
    std::vector<double> weight(static_cast<std::size_t>(k_), 0);
    Matrix<double> sum(k_, rows_.cols());
    for (Index i = 0; i < rows_.rows(); ++i) {
      const double w = weights_[static_cast<std::size_t>(i)];
      weight[static_cast<std::size_t>(label_of(i))] += w;
      for (Index j = 0; j < rows_.cols(); ++j) sum(label_of(i), j) += w * rows_(i, j);
    }
    for (Index c = 0; c < k_; ++c) {
      const double w = weight[static_cast<std::size_t>(c)];
      if (!(w > 0)) ++totals.empty;
      for (Index j = 0; j < rows_.cols(); ++j) {
        const T old = centres.data()[c * rows_.cols() + j];
        const T mean = w > 0 ? static_cast<T>(sum(c, j) / w) : old;
        next.data()[c * rows_.cols() + j] = mean;
        const double shift = static_cast<double>(mean) - static_cast<double>(old);
        totals.shift_squared += shift * shift;
      }
    }
  }
  KMeansTotals totals() override { return totals_; }

  double inertia(const Buffer<T>& centres) override {
    double sum = 0;
    for (Index i = 0; i < rows_.rows(); ++i) {
      if (label_of(i) >= 0) {
        sum += weights_[static_cast<std::size_t>(i)] * distance_to(i, centres, label_of(i));
      }
    }
    return sum;
  }

  void distances_to_own_centres(const Buffer<T>& centres) override {
    for (Index i = 0; i < rows_.rows(); ++i) {
      distance_[static_cast<std::size_t>(i)] = distance_to(i, centres, label_of(i));
    }
  }

  void distances_to_rows(std::span<const Index> rows, bool first) override {
    if (first) {
      std::fill(distance_.begin(), distance_.end(), std::numeric_limits<double>::infinity());
    }
    for (const Index row : rows) {
      for (Index i = 0; i < rows_.rows(); ++i) {
        double sum = 0;
        for (Index j = 0; j < rows_.cols(); ++j) {
          const double difference = rows_(i, j) - rows_(row, j);
          sum += difference * difference;
        }
        double& distance = distance_[static_cast<std::size_t>(i)];
        distance = std::min(distance, sum);
      }
    }
  }

  double potential() override {
    double sum = 0;
    for (std::size_t i = 0; i < distance_.size(); ++i) sum += weights_[i] * distance_[i];
    return sum;
  }

  Index sample(double u) override {
    const double target = u * potential();
    double sum = 0;
    Index last = -1;
    for (Index i = 0; i < rows_.rows(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double term = weights_[at] * distance_[at];
      if (!(term > 0)) continue;
      sum += term;
      last = i;
      if (sum > target) break;
    }
    return last;
  }

  std::vector<Index> sample_each(double factor, const Random& random,
                                 std::uint64_t first_index) override {
    std::vector<Index> chosen;
    for (Index i = 0; i < rows_.rows(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double u = random.uniform(first_index + static_cast<std::uint64_t>(i));
      if (u < factor * (weights_[at] * distance_[at])) chosen.push_back(i);
    }
    return chosen;
  }

  KMeansFarthest farthest() override {
    const std::vector<Index> members = counts();
    KMeansFarthest best;
    for (Index i = 0; i < rows_.rows(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (!(weights_[at] > 0) || members[static_cast<std::size_t>(label_of(i))] < 2) continue;
      if (best.row < 0 || distance_[at] > best.distance) best = {i, distance_[at]};
    }
    return best;
  }

  void move_row(Index row, std::int32_t centre) override { label_of(row) = centre; }

  std::vector<std::int32_t> labels() override { return labels_; }

  std::vector<Index> counts() override {
    std::vector<Index> members(static_cast<std::size_t>(k_), 0);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (labels_[i] >= 0 && weights_[i] > 0) ++members[static_cast<std::size_t>(labels_[i])];
    }
    return members;
  }

  std::vector<double> centre_weights() override {
    std::vector<double> sums(static_cast<std::size_t>(k_), 0);
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (labels_[i] >= 0) sums[static_cast<std::size_t>(labels_[i])] += weights_[i];
    }
    return sums;
  }

 private:
  static double weight_of(std::span<const double> weights, Index i) {
    return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)];
  }
  std::int32_t& label_of(Index i) { return labels_[static_cast<std::size_t>(i)]; }
  std::int32_t nearest_to(Index row, const Buffer<T>& centres) const {
    std::int32_t nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (Index c = 0; c < k_; ++c) {
      const double distance = distance_to(row, centres, c);
      if (distance < least) {
        least = distance;
        nearest = static_cast<std::int32_t>(c);
      }
    }
    return nearest;
  }
  // Squared.
  double distance_to(Index row, const Buffer<T>& centres, Index centre) const {
    double sum = 0;
    for (Index j = 0; j < rows_.cols(); ++j) {
      const double difference =
          rows_(row, j) - static_cast<double>(centres.data()[centre * rows_.cols() + j]);
      sum += difference * difference;
    }
    return sum;
  }

  Matrix<double> rows_;
  std::vector<double> weights_;
  std::vector<std::int32_t> labels_;
  std::vector<double> distance_;  // squared, per row: to what the last call of distances_to_* says
  Index k_ = 0;
  Index changed_ = 0;
  KMeansTotals totals_;
};

}  // namespace

template <Real T>
std::unique_ptr<KMeansSteps<T>> KMeansSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<KMeansReference<T>>();
}

template std::unique_ptr<KMeansSteps<float>> KMeansSteps<float>::make_reference(Engine&);
template std::unique_ptr<KMeansSteps<double>> KMeansSteps<double>::make_reference(Engine&);

}  // namespace tandem
