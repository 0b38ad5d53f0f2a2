// The products of the columns row by row, in double precision.
#include <algorithm>
#include <vector>

#include "core/linear/normal_equations_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceNormalEquations final : public NormalEquationsSteps<T> {
 public:
  void products(const RowsView<T>& rows, bool intercept, const Buffer<double>& centre,
                Buffer<double>& products) override {
    const Index d = rows.features;
    const Index p = normal_equations_columns(d, intercept);
    std::fill_n(products.data(), product_count(p), 0.0);
    std::vector<double> row(static_cast<std::size_t>(p), 1.0);
    for (Index i = 0; i < rows.rows; ++i) {
      for (Index j = 0; j < d; ++j) {
        row[static_cast<std::size_t>(j)] =
            static_cast<double>(rows.x[i * rows.stride + j]) - centre.data()[j];
      }
      row[static_cast<std::size_t>(d)] = static_cast<double>(rows.target[i]) - centre.data()[d];
      const double weight = rows.weights == nullptr ? 1.0 : static_cast<double>(rows.weights[i]);
      double* product = products.data();
      for (std::size_t a = 0; a < row.size(); ++a) {
        for (std::size_t b = a; b < row.size(); ++b) *product++ += weight * row[a] * row[b];
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<NormalEquationsSteps<T>> NormalEquationsSteps<T>::make_reference(
    Engine& /*engine*/) {
  return std::make_unique<ReferenceNormalEquations<T>>();
}
template std::unique_ptr<NormalEquationsSteps<float>> NormalEquationsSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<NormalEquationsSteps<double>> NormalEquationsSteps<double>::make_reference(
    Engine&);

}  // namespace tandem
