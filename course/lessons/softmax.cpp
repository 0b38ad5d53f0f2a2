// The CPU's side of the lesson on softmax.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

TANDEM_TWIN_SCALAR void naive(const float* x, float* y, std::size_t rows, std::size_t columns) {
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = x + i * columns;
    float most = row[0];
    for (std::size_t j = 1; j < columns; ++j) most = std::max(most, row[j]);
    float sum = 0;
    for (std::size_t j = 0; j < columns; ++j) sum += std::exp(row[j] - most);
    for (std::size_t j = 0; j < columns; ++j) y[i * columns + j] = std::exp(row[j] - most) / sum;
  }
}

// e to the x for x from -87 to 0, and below that what it is at -87, 2e-38: 2 to the whole part of x
// / ln 2, times a polynomial in what is left (Cody and Waite's reduction; Taylor's series to the
// seventh power is exact to a part in 1e8 there).
TANDEM_TWIN_BODY float exponential(float x) {
  const float clamped = x < -87.0F ? -87.0F : x;
  const float scaled = clamped * 1.44269504F - 0.5F;
  const auto whole = static_cast<std::int32_t>(scaled);  // towards zero: to nearest of x / ln 2
  const auto exponent = static_cast<float>(whole);
  const float rest = (clamped - exponent * 0.693359375F) + exponent * 2.12194440e-4F;
  float value = 1.98412698e-4F;
  value = value * rest + 1.38888889e-3F;
  value = value * rest + 8.33333333e-3F;
  value = value * rest + 4.16666667e-2F;
  value = value * rest + 1.66666667e-1F;
  value = value * rest + 0.5F;
  value = value * rest + 1.0F;
  value = value * rest + 1.0F;
  const float power = std::bit_cast<float>((whole + 127) << 23);
  return value * power;
}

// exp() once for each element, and sums side by side.
TANDEM_TWIN_BODY void rows_of(const float* x, float* y, std::size_t columns, std::size_t begin,
                              std::size_t end) {
  constexpr std::size_t lanes = 16;
  for (std::size_t i = begin; i < end; ++i) {
    const float* row = x + i * columns;
    float* out = y + i * columns;
    float largest[lanes];
    for (float& one : largest) one = row[0];
    std::size_t j = 0;
    for (; j + lanes <= columns; j += lanes) {
      for (std::size_t l = 0; l < lanes; ++l) {
        largest[l] = row[j + l] > largest[l] ? row[j + l] : largest[l];
      }
    }
    float most = row[0];
    for (const float one : largest) most = one > most ? one : most;
    for (; j < columns; ++j) most = row[j] > most ? row[j] : most;
    for (j = 0; j < columns; ++j) out[j] = exponential(row[j] - most);
    float part[lanes] = {};
    float sum = 0;
    for (j = 0; j + lanes <= columns; j += lanes) {
      for (std::size_t l = 0; l < lanes; ++l) part[l] += out[j + l];
    }
    for (; j < columns; ++j) sum += out[j];
    for (const float one : part) sum += one;
    const float share = 1 / sum;
    for (j = 0; j < columns; ++j) out[j] *= share;
  }
}
TANDEM_TWIN_SCALAR void scalar(const float* x, float* y, std::size_t rows, std::size_t columns) {
  rows_of(x, y, columns, 0, rows);
}
TANDEM_TWIN_VECTOR void vector(const float* x, float* y, std::size_t columns, std::size_t begin,
                               std::size_t end) {
  rows_of(x, y, columns, begin, end);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const float* x = problem.floats("x").data();
  float* y = std::get<Floats>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(x, y, rows, columns);
    case Twin::one_thread: return scalar(x, y, rows, columns);
    case Twin::vectorised: return vector(x, y, columns, 0, rows);
    case Twin::all_cores:
      on_all_cores(rows, 8,
                   [&](std::size_t begin, std::size_t end) { vector(x, y, columns, begin, end); });
  }
}

}  // namespace

Lesson make_softmax_lesson() {
  Lesson lesson;
  lesson.title = "The softmax of each row: how many threads a row should have";
  for (const std::int64_t rows : {8, 32, 128, 512, 2048}) {
    lesson.sizes.push_back({{"rows", rows}, {"columns", 256}});
  }
  lesson.shown = 4;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
