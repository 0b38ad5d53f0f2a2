#include "tandem/preprocess/scaler.hpp"

#include <cmath>

#include "core/preprocess/scaler_steps.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

template <Real T>
ColumnScaling fit_scaling(Engine& engine, const Buffer<T>& x, Index cols, Scale scale) {
  if (cols < 1 || x.empty()) throw InputError("scaling: there are no rows");
  if (x.size() % cols != 0) {
    throw InputError("scaling: " + std::to_string(x.size()) + " values are no rows of " +
                     std::to_string(cols));
  }
  const Index rows = x.size() / cols;
  const auto width = static_cast<std::size_t>(cols);
  ColumnScaling result{std::vector<double>(width, 0.0), std::vector<double>(width, 1.0)};
  if (scale == Scale::none) return result;
  const auto steps = make_steps<ScalerSteps, T>(engine);
  Buffer<ColumnRange<T>> on_engine(engine, cols);
  steps->ranges(x.data(), rows, cols, on_engine);
  const std::vector<ColumnRange<T>> ranges = on_engine.to_host();
  const auto fail = [](std::size_t j, const char* what) {
    throw InputError("scaling: column " + std::to_string(j) + ": " + what);
  };
  for (std::size_t j = 0; j < width; ++j) {
    const bool any = ranges[j].missing < rows;
    if (any && (std::isinf(ranges[j].low) || std::isinf(ranges[j].high))) {
      fail(j, "has an infinite value");
    }
  }
  const auto constant = [&](std::size_t j) { return !(ranges[j].low < ranges[j].high); };
  if (scale == Scale::minmax) {
    for (std::size_t j = 0; j < width; ++j) {
      if (ranges[j].missing == rows) continue;
      result.shift[j] = static_cast<double>(ranges[j].low);
      if (!constant(j)) {
        result.divisor[j] =
            static_cast<double>(ranges[j].high) - static_cast<double>(ranges[j].low);
      }
    }
  } else {
    Buffer<double> sums(engine, cols);
    steps->sums(x.data(), rows, cols, nullptr, sums);
    std::vector<double> mean = sums.to_host();
    const auto present = [&](std::size_t j) {
      return static_cast<double>(rows - ranges[j].missing);
    };
    for (std::size_t j = 0; j < width; ++j) mean[j] = present(j) > 0 ? mean[j] / present(j) : 0.0;
    const Buffer<double> centre = to_engine(engine, mean);
    steps->sums(x.data(), rows, cols, centre.data(), sums);
    const std::vector<double> squares = sums.to_host();
    for (std::size_t j = 0; j < width; ++j) {
      if (present(j) == 0) continue;
      // The mean of equal values may be off by a rounding; what is constant becomes exactly 0.
      result.shift[j] = constant(j) ? static_cast<double>(ranges[j].low) : mean[j];
      const double deviation = std::sqrt(squares[j] / present(j));
      if (!constant(j) && deviation > 0) result.divisor[j] = deviation;
    }
  }
  for (std::size_t j = 0; j < width; ++j) {
    if (!std::isfinite(result.shift[j]) || !std::isfinite(result.divisor[j])) {
      fail(j, "its values are too large to be scaled; divide them first");
    }
  }
  return result;
}

template <Real T>
void apply_scaling(Engine& engine, const ColumnScaling& scaling, Buffer<T>& x) {
  const auto cols = static_cast<Index>(scaling.shift.size());
  if (cols < 1 || x.size() % cols != 0) {
    throw InputError("scaling: " + std::to_string(x.size()) + " values are no rows of " +
                     std::to_string(cols));
  }
  const Buffer<double> shift = to_engine(engine, scaling.shift);
  const Buffer<double> divisor = to_engine(engine, scaling.divisor);
  make_steps<ScalerSteps, T>(engine)->scale(x.data(), x.size() / cols, cols, shift.data(),
                                            divisor.data());
}

template ColumnScaling fit_scaling(Engine&, const Buffer<float>&, Index, Scale);
template ColumnScaling fit_scaling(Engine&, const Buffer<double>&, Index, Scale);
template void apply_scaling(Engine&, const ColumnScaling&, Buffer<float>&);
template void apply_scaling(Engine&, const ColumnScaling&, Buffer<double>&);

}  // namespace tandem
