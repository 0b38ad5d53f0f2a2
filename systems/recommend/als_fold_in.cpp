#include "systems/recommend/als_fold_in.hpp"

#include <algorithm>
#include <cmath>

#include "systems/recommend/inner_products.hpp"

namespace tandem::recommend {
namespace {

// L of L·Lᵀ in the lower triangle of a symmetric positive definite matrix, whose rows are followed.
void factorise(std::span<double> matrix, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) {
    double* const a = matrix.data() + i * width;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* const b = matrix.data() + j * width;
      double sum = a[j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[k] * b[k];
      a[j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / b[j];
    }
  }
}

void solve(std::span<const double> factor, std::size_t width, std::span<double> x) {
  for (std::size_t i = 0; i < width; ++i) {
    const double* const a = factor.data() + i * width;
    double sum = x[i];
    for (std::size_t k = 0; k < i; ++k) sum -= a[k] * x[k];
    x[i] = sum / a[i];
  }
  for (std::size_t i = width; i-- > 0;) {
    const double* const a = factor.data() + i * width;
    x[i] /= a[i];
    for (std::size_t k = 0; k < i; ++k) x[k] -= a[k] * x[i];
  }
}

// Adds weight·y·yᵀ to the lower triangle.
void add_square(const float* y, std::size_t width, double weight, std::vector<double>& to) {
  for (std::size_t i = 0; i < width; ++i) {
    const double scaled = weight * static_cast<double>(y[i]);
    double* const at = to.data() + i * width;
    for (std::size_t j = 0; j <= i; ++j) at[j] += scaled * static_cast<double>(y[j]);
  }
}

}  // namespace

// I + D^½·K·D^½ is factorised, which is symmetric:
// (I + D·K)⁻¹ = I − D^½·(I + D^½·K·D^½)⁻¹·D^½·K, and its transpose for the parts.
class AlsFoldIn::ByItems final : public FoldedViewer {
 public:
  ByItems(const AlsFoldIn& of, std::span<const HistoryItem> history)
      : stride_(of.factors_.stride()),
        count_(history.size()),
        solved_(count_ * stride_),
        kernel_(count_ * count_),
        confidence_(count_),
        root_(count_),
        vector_(stride_, 0.0F),
        products_(count_) {
    for (std::size_t j = 0; j < count_; ++j) {
      const float* const row = of.solved_.row(static_cast<std::size_t>(history[j].item));
      std::copy(row, row + stride_, solved_.begin() + static_cast<std::ptrdiff_t>(j * stride_));
      confidence_[j] = of.confidence(history[j]);
      root_[j] = std::sqrt(confidence_[j] - 1);
    }
    factor_.resize(count_ * count_);
    for (std::size_t j = 0; j < count_; ++j) {
      inner_products(of.factors_of(history[j]), solved_.data(), count_, stride_, products_.data());
      for (std::size_t k = 0; k < count_; ++k) {
        const auto product = static_cast<double>(products_[k]);
        kernel_[j * count_ + k] = product;
        factor_[j * count_ + k] = (j == k ? 1.0 : 0.0) + root_[j] * product * root_[k];
      }
    }
    factorise(factor_, count_);
    // s = c − D^½·(...)⁻¹·D^½·K·c
    std::vector<double> s(count_, 0.0);
    for (std::size_t j = 0; j < count_; ++j) {
      const double* const row = kernel_.data() + j * count_;
      double sum = 0;
      for (std::size_t k = 0; k < count_; ++k) sum += row[k] * confidence_[k];
      s[j] = root_[j] * sum;
    }
    solve(factor_, count_, s);
    std::vector<double> x(stride_, 0.0);
    for (std::size_t j = 0; j < count_; ++j) {
      const double weight = confidence_[j] - root_[j] * s[j];
      const float* const row = solved_.data() + j * stride_;
      for (std::size_t k = 0; k < stride_; ++k) x[k] += weight * static_cast<double>(row[k]);
    }
    std::transform(x.begin(), x.end(), vector_.begin(),
                   [](double value) { return static_cast<float>(value); });
  }

  [[nodiscard]] std::span<const float> vector() const override { return vector_; }

  void parts(const float* factors, std::span<double> parts) override {
    // t = k − K·D^½·(...)⁻¹·D^½·k with k = P_h·y
    inner_products(factors, solved_.data(), count_, stride_, products_.data());
    std::vector<double> u(count_);
    for (std::size_t j = 0; j < count_; ++j) {
      u[j] = root_[j] * static_cast<double>(products_[j]);
    }
    solve(factor_, count_, u);
    for (std::size_t j = 0; j < count_; ++j) u[j] *= root_[j];
    for (std::size_t j = 0; j < count_; ++j) {
      // The kernel is symmetric up to rounding; its rows are what lies together.
      const double* const row = kernel_.data() + j * count_;
      double sum = 0;
      for (std::size_t k = 0; k < count_; ++k) sum += row[k] * u[k];
      parts[j] = confidence_[j] * (static_cast<double>(products_[j]) - sum);
    }
  }

 private:
  std::size_t stride_;
  std::size_t count_;
  std::vector<float> solved_;   // P_h, count × stride
  std::vector<double> kernel_;  // K, count × count
  std::vector<double> factor_;  // lower triangle, count × count
  std::vector<double> confidence_;
  std::vector<double> root_;  // D^½
  std::vector<float> vector_;
  std::vector<float> products_;
};

class AlsFoldIn::ByMatrix final : public FoldedViewer {
 public:
  ByMatrix(const AlsFoldIn& of, std::span<const HistoryItem> history)
      : of_(of), history_(history.begin(), history.end()), factor_(of.gram_) {
    const std::size_t width = of.factors_.width();
    std::vector<double> right(width, 0.0);
    for (const HistoryItem& one : history_) {
      const float* const y = of.factors_of(one);
      const double confidence = of.confidence(one);
      add_square(y, width, confidence - 1, factor_);
      for (std::size_t k = 0; k < width; ++k) right[k] += confidence * static_cast<double>(y[k]);
    }
    factorise(factor_, width);
    solve(factor_, width, right);
    vector_.assign(of.factors_.stride(), 0.0F);
    std::transform(right.begin(), right.end(), vector_.begin(),
                   [](double value) { return static_cast<float>(value); });
  }

  [[nodiscard]] std::span<const float> vector() const override { return vector_; }

  void parts(const float* factors, std::span<double> parts) override {
    const std::size_t width = of_.factors_.width();
    std::vector<double> solved(factors, factors + width);
    solve(factor_, width, solved);
    for (std::size_t j = 0; j < history_.size(); ++j) {
      const float* const y = of_.factors_of(history_[j]);
      double sum = 0;
      for (std::size_t k = 0; k < width; ++k) sum += static_cast<double>(y[k]) * solved[k];
      parts[j] = of_.confidence(history_[j]) * sum;
    }
  }

 private:
  const AlsFoldIn& of_;
  std::vector<HistoryItem> history_;
  std::vector<double> factor_;  // lower triangle, width × width
  std::vector<float> vector_;
};

AlsFoldIn::AlsFoldIn(const AlsModel& model)
    : alpha_(model.alpha),
      factors_(model.item_factors.view()),
      solved_(factors_.rows(), factors_.width()),
      gram_(factors_.width() * factors_.width(), 0.0) {
  const std::size_t width = factors_.width();
  for (std::size_t i = 0; i < factors_.rows(); ++i) add_square(factors_.row(i), width, 1, gram_);
  for (std::size_t k = 0; k < width; ++k) gram_[k * width + k] += model.regularization;
  std::vector<double> factor = gram_;
  factorise(factor, width);
  double least = INFINITY;
  double greatest = 0;
  for (std::size_t k = 0; k < width; ++k) {
    least = std::min(least, factor[k * width + k]);
    greatest = std::max(greatest, factor[k * width + k]);
  }
  // The squares of these are as far apart as the eigenvalues, about; P is kept in floats.
  by_items_ = least * least > 1e-9 * greatest * greatest;
  if (!by_items_) return;
  // G⁻¹, whose columns are its rows.
  std::vector<double> inverse(width * width, 0.0);
  for (std::size_t k = 0; k < width; ++k) {
    inverse[k * width + k] = 1;
    solve(factor, width, std::span(inverse).subspan(k * width, width));
  }
  std::vector<double> sum(width);
  for (std::size_t i = 0; i < factors_.rows(); ++i) {
    std::fill(sum.begin(), sum.end(), 0.0);
    const float* const y = factors_.row(i);
    for (std::size_t k = 0; k < width; ++k) {
      const auto value = static_cast<double>(y[k]);
      const double* const row = inverse.data() + k * width;
      for (std::size_t c = 0; c < width; ++c) sum[c] += value * row[c];
    }
    std::transform(sum.begin(), sum.end(), solved_.row(i),
                   [](double value) { return static_cast<float>(value); });
  }
}

std::unique_ptr<FoldedViewer> AlsFoldIn::fold_in(std::span<const HistoryItem> history) const {
  if (!by_items_ || history.size() > factors_.width()) return fold_in_by_matrix(history);
  return std::make_unique<ByItems>(*this, history);
}

std::unique_ptr<FoldedViewer> AlsFoldIn::fold_in_by_matrix(
    std::span<const HistoryItem> history) const {
  return std::make_unique<ByMatrix>(*this, history);
}

}  // namespace tandem::recommend
