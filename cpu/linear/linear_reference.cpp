// Textbook passes in double precision, one row after the other.
#include <cmath>
#include <vector>

#include "core/linear/linear_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceLinear final : public LinearSteps<T> {
 public:
  void pack(const RowsView<T>& from, Index count, Index at, PackedRows<T>& to) override {
    for (Index i = 0; i < count; ++i) copy_row(from, i, to, at + i);
    clear_rows(to, at + count, PackedRows<T>::blocks(at + count) * sum_block);
  }

  void gather(const RowsView<T>& from, const RandomPermutation& order, Index first, Index count,
              PackedRows<T>& batch) override {
    batch.rows = count;
    for (Index i = 0; i < count; ++i) copy_row(from, order(first + i), batch, i);
    clear_rows(batch, count, PackedRows<T>::blocks(count) * sum_block);
  }

  void moments(const PackedRows<T>& rows, Buffer<double>& moments) override {
    double total = 0;
    for (Index i = 0; i < rows.rows; ++i) total += weight(rows, i);
    for (Index j = 0; j <= rows.features; ++j) {
      double sum = 0;
      for (Index i = 0; i < rows.rows; ++i) sum += weight(rows, i) * column(rows, i, j);
      const double mean = sum / total;
      double squares = 0;
      for (Index i = 0; i < rows.rows; ++i) {
        const double deviation = column(rows, i, j) - mean;
        squares += weight(rows, i) * deviation * deviation;
      }
      moments.data()[j] = mean;
      moments.data()[rows.features + 1 + j] = std::sqrt(squares / total);
    }
    moments.data()[2 * rows.features + 2] = total;
  }

  void standardise(const Buffer<double>& centre, const Buffer<double>& factor,
                   PackedRows<T>& rows) override {
    for (Index i = 0; i < rows.rows; ++i) {
      for (Index j = 0; j <= rows.features; ++j) {
        const double value = (column(rows, i, j) - centre.data()[j]) * factor.data()[j];
        (j < rows.features ? x_at(rows, i, j) : rows.target.data()[i]) = static_cast<T>(value);
      }
    }
  }

  void pass(LinearLoss loss, const PackedRows<T>& rows, Index outputs, bool intercept,
            const Buffer<double>& parameters, double factor, Buffer<double>& gradient,
            Buffer<double>& cost) override {
    const Index d = rows.features;
    std::vector<double> sums(static_cast<std::size_t>(outputs * (d + 1)), 0.0);
    std::vector<double> z;
    double total = 0;
    for (Index i = 0; i < rows.rows; ++i) {
      evaluate(
          d, [&](Index j) { return column(rows, i, j); }, outputs, parameters, z);
      const auto y = static_cast<double>(rows.target.data()[i]);
      total += weight(rows, i) * loss_and_residual(loss, y, z);
      for (Index k = 0; k < outputs; ++k) {
        const double r = weight(rows, i) * z[static_cast<std::size_t>(k)];
        for (Index j = 0; j < d; ++j) {
          sums[static_cast<std::size_t>(k * d + j)] += r * column(rows, i, j);
        }
        if (intercept) sums[static_cast<std::size_t>(outputs * d + k)] += r;
      }
    }
    cost.data()[0] += total;
    for (Index p = 0; p < gradient.size(); ++p) {
      gradient.data()[p] = factor * sums[static_cast<std::size_t>(p)];
    }
  }

  void add_penalty(double l2, Index penalised, double cost_factor, const Buffer<double>& parameters,
                   Buffer<double>& gradient, Buffer<double>& cost) override {
    double squares = 0;
    for (Index p = 0; p < penalised; ++p) {
      squares += parameters.data()[p] * parameters.data()[p];
      gradient.data()[p] += l2 * parameters.data()[p];
    }
    cost.data()[0] += cost_factor * (l2 / 2 * squares);
  }

  void predict(LinearLoss loss, const RowsView<T>& rows, Index outputs,
               const Buffer<double>& parameters, T* results) override {
    std::vector<double> z;
    for (Index i = 0; i < rows.rows; ++i) {
      const T* x = rows.x + i * rows.stride;
      evaluate(
          rows.features, [&](Index j) { return static_cast<double>(x[j]); }, outputs, parameters,
          z);
      if (loss == LinearLoss::squared) {
        results[i] = static_cast<T>(z[0]);
      } else if (loss == LinearLoss::logistic) {
        results[2 * i] = static_cast<T>(1 / (1 + std::exp(z[0])));
        results[2 * i + 1] = static_cast<T>(1 / (1 + std::exp(-z[0])));
      } else {
        (void)softmax(z);
        for (Index k = 0; k < outputs; ++k) {
          results[i * outputs + k] = static_cast<T>(z[static_cast<std::size_t>(k)]);
        }
      }
    }
  }

 private:
  static T& x_at(const PackedRows<T>& rows, Index i, Index j) {
    return const_cast<T*>(
        rows.x.data())[((i / sum_block) * rows.features + j) * packed_stride + i % sum_block];
  }
  static double column(const PackedRows<T>& rows, Index i, Index j) {
    return static_cast<double>(j < rows.features ? x_at(rows, i, j) : rows.target.data()[i]);
  }
  static double weight(const PackedRows<T>& rows, Index i) {
    return rows.weights.empty() ? 1.0 : static_cast<double>(rows.weights.data()[i]);
  }
  static void copy_row(const RowsView<T>& from, Index i, PackedRows<T>& to, Index at) {
    for (Index j = 0; j < to.features; ++j) {
      x_at(to, at, j) = from.x[i * from.stride + j];
    }
    if (from.target != nullptr) to.target.data()[at] = from.target[i];
    if (from.weights != nullptr && !to.weights.empty()) {
      to.weights.data()[at] = from.weights[i];
    }
  }

  static void clear_rows(PackedRows<T>& rows, Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      for (Index j = 0; j < rows.features; ++j) x_at(rows, i, j) = T{0};
      rows.target.data()[i] = T{0};
      if (!rows.weights.empty()) rows.weights.data()[i] = T{0};
    }
  }

  // z_k = b_k + Σ_j w_kj·x(j), of d features.
  template <class X>
  static void evaluate(Index d, X&& x, Index outputs, const Buffer<double>& parameters,
                       std::vector<double>& z) {
    z.assign(static_cast<std::size_t>(outputs), 0.0);
    for (Index k = 0; k < outputs; ++k) {
      double sum = parameters.data()[outputs * d + k];
      for (Index j = 0; j < d; ++j) sum += parameters.data()[k * d + j] * x(j);
      z[static_cast<std::size_t>(k)] = sum;
    }
  }

  // z ← exp(z) / Σ exp(z); returns ln Σ exp(z).
  static double softmax(std::vector<double>& z) {
    double largest = z[0];
    for (const double value : z) largest = value > largest ? value : largest;
    double sum = 0;
    for (double& value : z) {
      value = std::exp(value - largest);
      sum += value;
    }
    for (double& value : z) value /= sum;
    return largest + std::log(sum);
  }

  // The loss of a row; z becomes its derivative by the outputs.
  static double loss_and_residual(LinearLoss loss, double y, std::vector<double>& z) {
    if (loss == LinearLoss::squared) {
      z[0] -= y;
      return 0.5 * z[0] * z[0];
    }
    if (loss == LinearLoss::logistic) {
      const double sign = 1 - 2 * y;
      const double m = sign * z[0];
      const double e = std::exp(-std::abs(m));
      z[0] = sign * (m >= 0 ? 1 / (1 + e) : e / (1 + e));
      return (m > 0 ? m : 0.0) + std::log1p(e);
    }
    const auto label = static_cast<std::size_t>(y);
    const double own = z[label];
    const double log_sum = softmax(z);
    z[label] -= 1;
    return log_sum - own;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<LinearSteps<T>> LinearSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceLinear<T>>();
}
template std::unique_ptr<LinearSteps<float>> LinearSteps<float>::make_reference(Engine&);
template std::unique_ptr<LinearSteps<double>> LinearSteps<double>::make_reference(Engine&);

}  // namespace tandem
