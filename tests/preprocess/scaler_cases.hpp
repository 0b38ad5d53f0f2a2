// Scaling in an engine's memory against Preprocessor on the host.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/random.hpp"
#include "tandem/preprocess/scaler.hpp"

namespace tandem::test {

// Every third column is constant, every fifth starts at zeros of both signs, some values are huge
// or tiny; with `missing` some are NaN.
template <Real T>
Dataset<T> awkward_columns(Index rows, Index cols, bool missing) {
  const Random random(8, Purpose::test);
  Dataset<T> data;
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      const auto at = static_cast<std::uint64_t>(i * cols + j);
      double value = random.normal(at);
      if (j % 3 == 1) value = 0.1;
      if (j % 5 == 4) value = i % 2 == 0 ? -0.0 : i % 3 == 0 ? 0.0 : std::fabs(value);
      if (j % 7 == 3) value *= 1e15;
      if (j % 7 == 5) value *= 1e-30;
      if (missing && random.below(4, at + 7777777) == 0) {
        value = std::numeric_limits<double>::quiet_NaN();
      }
      data.features(i, j) = static_cast<T>(value);
    }
  }
  return data;
}

template <Real T>
void expect_scaling(Engine& engine, Index rows, Index cols, Scale scale, bool missing) {
  const Dataset<T> data = awkward_columns<T>(rows, cols, missing);
  PreprocessOptions options;
  options.scale = scale;
  const auto fitted = Preprocessor<T>::fit(data, options);
  const Dataset<T> expected = fitted.transform(data);
  Buffer<T> x = to_engine(engine, data.features.values());
  const ColumnScaling scaling = fit_scaling(engine, x, cols, scale);
  apply_scaling(engine, scaling, x);
  const std::vector<T> scaled = x.to_host();
  for (std::size_t e = 0; e < scaled.size(); ++e) {
    const T a = expected.features.values()[e];
    if (std::isnan(a) && std::isnan(scaled[e])) continue;  // which NaN is not fixed
    ASSERT_EQ(bits_of(a), bits_of(scaled[e]))
        << rows << " × " << cols << ", row " << e / static_cast<std::size_t>(cols) << ", column "
        << e % static_cast<std::size_t>(cols) << ": " << a << " against " << scaled[e];
  }
}

template <Real T>
void expect_scaling_of_the_host(Engine& engine) {
  for (const Index rows : {1, 2, 31, 33, 1023, 1025, 3000}) {
    for (const Index cols : {1, 5, 32, 33, 70}) {
      for (const Scale scale : {Scale::none, Scale::standard, Scale::minmax}) {
        expect_scaling<T>(engine, rows, cols, scale, false);
        expect_scaling<T>(engine, rows, cols, scale, true);
      }
    }
  }
}

inline void expect_scaling_errors(Engine& engine) {
  const auto error_of = [&](const std::vector<float>& values, Index cols) -> std::string {
    try {
      (void)fit_scaling(engine, to_engine(engine, values), cols, Scale::standard);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error_of({}, 1), "scaling: there are no rows");
  EXPECT_EQ(error_of({1, 2, 3}, 2), "scaling: 3 values are no rows of 2");
  EXPECT_EQ(error_of({1, infinity, 3, 4}, 2), "scaling: column 1: has an infinite value");
}

}  // namespace tandem::test
