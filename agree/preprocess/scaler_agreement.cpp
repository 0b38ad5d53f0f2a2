// Agreement of scaling on the engine.
#include <cmath>
#include <limits>

#include "agree/case.hpp"
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

  // A mean is a sum over the present values, in two orders, and one division; a scaled value two
  // operations in double, rounded once. Deviations are squared from a mean that is off by e: that
  // adds count·e² to the sum of squares, and the root halves relative errors.
  void judge(Judge& judge) const override {
    if (scale_ != Scale::standard) {
      judge.exact("shift");
      judge.exact("divisor");
    } else {
      const std::vector<Column> columns = columns_of();
      judge.within("shift", Tolerance::reduction,
                   [&](std::size_t j) { return 2 * columns[j].mean_error; });
      judge.within("divisor", Tolerance::reduction, [&](std::size_t j) {
        const Column& column = columns[j];
        const double variance = column.squares / column.count;
        const double error = 2 * (column.order * variance + column.mean_error * column.mean_error +
                                  std::numeric_limits<double>::denorm_min());
        const double root = std::sqrt(variance);
        return std::min(std::sqrt(error), root > 0 ? error / root : INFINITY) +
               4 * unit_roundoff<double> * root;
      });
    }
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
  struct Column {
    double count = 0;       // of present values
    double squares = 0;     // Σ (x − mean)²
    double order = 0;       // relative error of a sum in either order, and of its terms
    double mean_error = 0;  // of either mean
  };
  [[nodiscard]] std::vector<Column> columns_of() const {
    std::vector<Column> columns;
    for (Index j = 0; j < x_.cols(); ++j) {
      Column column;
      long double sum = 0;
      double magnitude = 0;
      const auto each = [&](auto&& use) {
        for (Index i = 0; i < x_.rows(); ++i) {
          const auto value = static_cast<double>(x_(i, j));
          if (!std::isnan(value)) use(value);
        }
      };
      each([&](double value) {
        column.count += 1;
        sum += static_cast<long double>(value);
        magnitude += std::abs(value);
      });
      column.order = long_sum_bound(x_.rows()) + gamma_bound<double>(x_.rows() + 4) +
                     8 * unit_roundoff<double>;
      if (column.count > 0) {
        const auto mean = static_cast<double>(sum / static_cast<long double>(column.count));
        column.mean_error =
            column.order * magnitude / column.count + 2 * std::numeric_limits<double>::denorm_min();
        each([&](double value) { column.squares += (value - mean) * (value - mean); });
      } else {
        column.count = 1;
      }
      columns.push_back(column);
    }
    return columns;
  }

  Matrix<T> x_;
  Scale scale_;
};

}  // namespace

Agreement make_scaler_agreement() {
  return {over_many_blocks(part<ScaleCase>(
      "scale", "columns brought to one scale, in the engine's memory", {"scaler"},
      "reduction: two orders of a sum per mean and deviation; scaled values exact"))};
}

}  // namespace tandem::agree
