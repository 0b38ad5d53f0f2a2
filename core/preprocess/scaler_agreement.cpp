// Agreement of scaling on the engine.
#include <cmath>
#include <limits>

#include "core/agree/case.hpp"
#include "tandem/preprocess/scaler.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class ScaleCase final : public Case {
 public:
  explicit ScaleCase(const Key& key) {
    Draw draw(key.seed, 101);
    x_ = make_features<T>(key.kind, key.rows, draw.between(1, 40), draw);
    scale_ = draw.of({Scale::none, Scale::standard, Scale::minmax});
    if (draw.below(3) == 0) {
      for (T& value : x_.values()) {
        if (draw.below(5) == 0) value = std::numeric_limits<T>::quiet_NaN();
      }
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    Buffer<T> x = to_engine(engine, x_.values());
    const ColumnScaling scaling = fit_scaling(engine, x, x_.cols(), scale_);
    apply_scaling(engine, scaling, x);
    out.add("shift", scaling.shift);
    out.add("divisor", scaling.divisor);
    out.add("scaled", x);
  }

  // Reference and cpu share the code; what it computes is checked here. A mean is a long sum over
  // the present values, one division; a scaled value two operations in double, rounded once.
  void judge(Judge& judge) const override {
    judge.exact("shift");
    judge.exact("divisor");
    const auto& shift = judge.got.get<double>("shift");
    const auto& divisor = judge.got.get<double>("divisor");
    const auto& scaled = judge.got.get<T>("scaled");
    for (Index j = 0; j < x_.cols(); ++j) {
      const auto at = static_cast<std::size_t>(j);
      long double sum = 0;
      double magnitude = 0, count = 0, low = INFINITY;
      for (Index i = 0; i < x_.rows(); ++i) {
        const double value = static_cast<double>(x_(i, j));
        if (std::isnan(value)) continue;
        sum += static_cast<long double>(value);
        magnitude += std::abs(value);
        low = std::min(low, value);
        count += 1;
      }
      if (count == 0) continue;
      if (scale_ == Scale::standard) {
        judge.compare("mean", j, Tolerance::reduction, shift[at],
                      static_cast<double>(sum / static_cast<long double>(count)),
                      (long_sum_bound(x_.rows()) + 4 * unit_roundoff<double>)*magnitude / count +
                          std::numeric_limits<double>::denorm_min());
      } else if (scale_ == Scale::minmax) {
        judge.compare("least value", j, Tolerance::exact, shift[at], low, 0);
      }
    }
    for (std::size_t e = 0; e < scaled.size(); ++e) {
      const std::size_t j = e % shift.size();
      const double value = (static_cast<double>(x_.values()[e]) - shift[j]) / divisor[j];
      judge.compare("scaled", static_cast<Index>(e), Tolerance::exact,
                    static_cast<double>(scaled[e]), static_cast<double>(static_cast<T>(value)), 0);
    }
  }

 private:
  Matrix<T> x_;
  Scale scale_;
};

}  // namespace

Agreement make_scaler_agreement() {
  return {over_many_blocks(
      part<ScaleCase>("scale", "columns brought to one scale, in the engine's memory", {"scaler"},
                      "reduction: one long sum per mean; scaled values exact"))};
}

}  // namespace tandem::agree
