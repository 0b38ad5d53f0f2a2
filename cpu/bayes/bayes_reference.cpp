// Sums and likelihoods of naive Bayes by their formulas, row by row.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/bayes/bayes_math.hpp"
#include "core/bayes/bayes_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceBayes final : public BayesSteps<T> {
 public:
  void class_sums(ClassSum what, const RowsView<T>& rows, Index classes, double threshold,
                  const Buffer<double>& centre, Buffer<double>& sums) override {
    const Index d = rows.features;
    std::fill_n(sums.data(), classes * d, 0.0);
    for (Index i = 0; i < rows.rows; ++i) {
      const auto c = static_cast<Index>(rows.target[i]);
      const double weight = weight_of(rows, i);
      for (Index j = 0; j < d; ++j) {
        const double x = value(rows, i, j);
        double term = weight * x;
        if (what == ClassSum::presences) term = x > threshold ? weight : 0.0;
        if (what == ClassSum::deviations || what == ClassSum::squares) {
          const double t = x - centre.data()[c * d + j];
          term = what == ClassSum::squares ? weight * t * t : weight * t;
        }
        sums.data()[c * d + j] += term;
      }
    }
  }

  void count_codes(const RowsView<T>& rows, Index /*classes*/, Index codes,
                   const Buffer<Index>& first, double scale, double again,
                   Buffer<std::int64_t>& counts) override {
    for (Index i = 0; i < rows.rows; ++i) {
      const auto c = static_cast<Index>(rows.target[i]);
      const Index units = bayes::units_of(weight_of(rows, i), scale, again);
      for (Index j = 0; j < rows.features; ++j) {
        const Index begin = first.data()[j];
        const Index code = bayes::code_of(rows.x[i * rows.stride + j], first.data()[j + 1] - begin);
        if (code >= 0) counts.data()[c * codes + begin + code] += units;
      }
    }
  }

  void joint(const BayesTermsOn& terms, const RowsView<T>& rows, double* joint) override {
    for (Index i = 0; i < rows.rows; ++i) {
      for (Index c = 0; c < terms.classes; ++c) {
        double sum = terms.bias.data()[c];
        for (Index j = 0; j < terms.features; ++j) {
          const double x = value(rows, i, j);
          const double weight = terms.weights.data()[j * terms.pitch + c];
          switch (terms.likelihood) {
            case BayesLikelihood::weighted: sum += x * weight; break;
            case BayesLikelihood::thresholded:
              if (x > terms.threshold) sum += weight;
              break;
            case BayesLikelihood::normal: {
              const double t = x - terms.means.data()[j * terms.pitch + c];
              sum -= t * t * weight;
              break;
            }
            case BayesLikelihood::coded: {
              const Index begin = terms.first.data()[j];
              const Index code =
                  bayes::code_of(rows.x[i * rows.stride + j], terms.first.data()[j + 1] - begin);
              if (code >= 0) sum += terms.weights.data()[(begin + code) * terms.pitch + c];
              break;
            }
          }
        }
        joint[i * terms.classes + c] = sum;
      }
    }
  }

  void probabilities(const double* joint, Index rows, Index classes, T* probabilities) override {
    for (Index i = 0; i < rows; ++i) {
      const double* z = joint + i * classes;
      const double largest = *std::max_element(z, z + classes);
      double sum = 0;
      for (Index c = 0; c < classes; ++c) sum += std::exp(z[c] - largest);
      for (Index c = 0; c < classes; ++c) {
        probabilities[i * classes + c] = std::isinf(largest) && largest < 0
                                             ? static_cast<T>(1 / static_cast<double>(classes))
                                             : static_cast<T>(std::exp(z[c] - largest) / sum);
      }
    }
  }

 private:
  static double value(const RowsView<T>& rows, Index i, Index j) {
    return static_cast<double>(rows.x[i * rows.stride + j]);
  }
  static double weight_of(const RowsView<T>& rows, Index i) {
    return rows.weights == nullptr ? 1.0 : static_cast<double>(rows.weights[i]);
  }
};

}  // namespace

template <Real T>
std::unique_ptr<BayesSteps<T>> BayesSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceBayes<T>>();
}
template std::unique_ptr<BayesSteps<float>> BayesSteps<float>::make_reference(Engine&);
template std::unique_ptr<BayesSteps<double>> BayesSteps<double>::make_reference(Engine&);

}  // namespace tandem
