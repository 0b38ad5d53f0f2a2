// Agreement of principal component analysis: whole fits, coordinates and rows made of them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "agree/fits.hpp"
#include "core/linalg/gemm_steps.hpp"
#include "tandem/decompose/principal_axes.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public Case {
 public:
  explicit FitCase(const Key& key) {
    Draw draw(key.seed, 171);
    // Of few rows also more columns than rows.
    const Index most = key.rows <= 33 ? 50 : 12;
    data_ = make_dataset<T>(key, draw.between(1, most), 0, draw);
    options_.components = draw.flip() ? 0 : 1 + draw.below(std::min(data_.rows(), data_.cols()));
    // Where nothing varies in a direction, whether roundings do is what engines may differ in.
    options_.whiten = key.kind == DataKind::random && data_.cols() < data_.rows() && draw.flip();
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const PrincipalAxes found = principal_axes(engine, data_.view(), options_);
    out.add("mean", found.mean);
    out.add("components", found.components.values());
    out.add("explained_variance", found.explained_variance);
    out.add("total_variance", found.total_variance);
    out.add("noise_variance", found.noise_variance);
    out.add("reconstruction_error", found.reconstruction_error);
    Archive archive;
    found.save(archive);
    // The coordinates along the axes that were found, and the rows of those coordinates.
    const PrincipalAxes axes = follow != nullptr ? PrincipalAxes::load(*follow->model) : found;
    const Matrix<T> coordinates = project(engine, axes, std::as_const(data_.features).view());
    const Matrix<T> from = follow != nullptr ? Matrix<T>(coordinates.rows(), coordinates.cols(),
                                                         follow->get<T>("coordinates"))
                                             : coordinates;
    out.add("coordinates", coordinates.values());
    out.add("rows", reconstruct(engine, axes, from.view()).values());
    out.model = std::make_shared<const Archive>(std::move(archive));
  }

  // With S = Σ w (x − m)·(x − m)ᵀ, the products that the axes are found from are off by chains of
  // at most 1024 fmas and a tree, and their eigenvectors are exact for a matrix that is off by the
  // roundings of the reduction: E <= (2γ(1034 + height) + 64·d·u)·Σ_j (S_jj + W·max (x − m)²),
  // where the last term is for the centre that columns are taken from. So is every eigenvalue
  // (Weyl), and ‖S·v − λ·v‖ <= 2E. By the products of rows an axis is Cᵀ·u and loses what is not
  // far above u·λ_1: there the residual may be √(E·λ_1).
  void judge(Judge& judge) const override {
    const Index n = data_.rows();
    const Index d = data_.cols();
    const auto& variance = judge.got.get<double>("explained_variance");
    const auto k_all = static_cast<Index>(variance.size());
    const auto& components = judge.got.get<double>("components");
    long double weight = 0;
    std::vector<long double> mean(static_cast<std::size_t>(d));
    for (Index i = 0; i < n; ++i) weight += weight_of(data_, i);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < d; ++j) {
        mean[static_cast<std::size_t>(j)] +=
            static_cast<long double>(weight_of(data_, i)) * x(i, j) / weight;
      }
    }
    std::vector<long double> scatter(static_cast<std::size_t>(d * d));
    std::vector<double> reach(static_cast<std::size_t>(d)), largest(reach);
    for (Index i = 0; i < n; ++i) {
      for (Index a = 0; a < d; ++a) {
        const long double left = x(i, a) - mean[static_cast<std::size_t>(a)];
        auto& most = reach[static_cast<std::size_t>(a)];
        if (weight_of(data_, i) > 0) most = std::max(most, static_cast<double>(std::abs(left)));
        auto& size = largest[static_cast<std::size_t>(a)];
        size = std::max(size, static_cast<double>(std::abs(x(i, a))));
        for (Index b = 0; b < d; ++b) {
          scatter[static_cast<std::size_t>(a * d + b)] +=
              static_cast<long double>(weight_of(data_, i)) * left *
              (x(i, b) - mean[static_cast<std::size_t>(b)]);
        }
      }
    }
    const double total = static_cast<double>(weight);
    double trace = 0, spread = 0;
    for (Index j = 0; j < d; ++j) {
      const double most = reach[static_cast<std::size_t>(j)];
      trace += static_cast<double>(scatter[static_cast<std::size_t>(j * d + j)]);
      spread += total * most * most;
    }
    const double u = unit_roundoff<double>;
    const Index chain = std::min(std::max(n, d), sum_block) + sum_tree_height(sum_blocks(n)) + 10;
    const double smallest = std::numeric_limits<double>::denorm_min();
    // Means of the reference, and of products of rows, are rounded: differences are off by that.
    double moved = 0;
    for (const double size : largest) moved += total * 16 * (u * size) * (u * size);
    const double bound =
        (2 * gamma_bound<double>(chain) + 64 * static_cast<double>(d) * u) * (trace + spread) +
        moved + 8 * static_cast<double>(n * d) * smallest;
    const double divisor = total - 1;
    judge.within("explained_variance", Tolerance::reduction, 2 * bound / divisor);
    judge.within("total_variance", Tolerance::reduction,
                 2 * static_cast<double>(d) * bound / divisor);
    judge.within("noise_variance", Tolerance::reduction, 2 * bound / divisor);
    judge.within("reconstruction_error", Tolerance::reduction,
                 2 * static_cast<double>(d) * bound / total);
    judge.within("mean", Tolerance::reduction, [&](std::size_t j) {
      return 8 * u * largest[j] + gamma_bound<double>(n + chain) * 4 * reach[j] + smallest;
    });

    const bool by_rows = d > n;
    const double of_axis = by_rows ? 4 * std::sqrt(bound * (trace + bound)) + 4 * bound : 4 * bound;
    for (Index k = 0; k < k_all; ++k) {
      const double* const v = components.data() + k * d;
      const double value = variance[static_cast<std::size_t>(k)] * divisor;
      double residual = 0;
      for (Index a = 0; a < d; ++a) {
        long double sum = 0;
        for (Index b = 0; b < d; ++b) sum += scatter[static_cast<std::size_t>(a * d + b)] * v[b];
        residual = std::hypot(residual, static_cast<double>(sum) - value * v[a]);
      }
      judge.compare("component", k, Tolerance::reduction, residual, 0, of_axis);
      for (Index l = 0; l <= k; ++l) {
        long double product = 0;
        for (Index j = 0; j < d; ++j)
          product +=
              static_cast<long double>(v[j]) * components[static_cast<std::size_t>(l * d + j)];
        judge.compare("angle", k, Tolerance::reduction, static_cast<double>(product),
                      l == k ? 1 : 0, 64 * static_cast<double>(d) * u);
      }
    }
    judge_coordinates(judge);
  }

 private:
  [[nodiscard]] long double x(Index i, Index j) const {
    return static_cast<long double>(data_.features(i, j));
  }

  // Both sides multiply the same numbers of T, the reference in double.
  void judge_coordinates(Judge& judge) const {
    const Index d = data_.cols();
    const PrincipalAxes axes = PrincipalAxes::load(*judge.got.model);
    const Index k = axes.count();
    const auto scale = [&](Index c) {
      const double variance = axes.explained_variance[static_cast<std::size_t>(c)];
      return axes.whitened ? std::sqrt(variance) : 1.0;
    };
    const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
    const double u = unit_roundoff<T>;
    judge.within("coordinates", Tolerance::reduction, [&](std::size_t e) {
      const Index i = static_cast<Index>(e) / k;
      const Index c = static_cast<Index>(e) % k;
      double magnitude = 0;
      for (Index j = 0; j < d; ++j) {
        magnitude += std::abs(static_cast<double>(data_.features(i, j)) -
                              axes.mean[static_cast<std::size_t>(j)]) *
                     std::abs(axes.components(c, j)) / scale(c);
      }
      return 2 * gemm_bound<T>(judge.numerics, d + 4) * magnitude +
             static_cast<double>(2 * d) * smallest;
    });
    const auto& coordinates = judge.got.get<T>("coordinates");
    judge.within("rows", Tolerance::reduction, [&](std::size_t e) {
      const Index i = static_cast<Index>(e) / d;
      const Index j = static_cast<Index>(e) % d;
      double magnitude = 0;
      for (Index c = 0; c < k; ++c) {
        magnitude +=
            std::abs(static_cast<double>(coordinates[static_cast<std::size_t>(i * k + c)]) *
                     axes.components(c, j) * scale(c));
      }
      return 2 * gemm_bound<T>(judge.numerics, k + 4) * magnitude +
             4 * u * (magnitude + std::abs(axes.mean[static_cast<std::size_t>(j)])) +
             static_cast<double>(2 * k) * smallest;
    });
  }

  Dataset<T> data_;
  PrincipalAxesOptions options_;
};

}  // namespace

Agreement make_pca_agreement() {
  return {over_many_blocks(part<FitCase>(
      "fit", "principal axes, coordinates along them, and rows made of those",
      {"normal_equations", "gemm"},
      "reduction: E = (2γ(1034+⌈log₂ blocks⌉) + 64·d·u)·Σ w‖x − m‖²; ‖S·v − λ·v‖ within 4E"))};
}

}  // namespace tandem::agree
