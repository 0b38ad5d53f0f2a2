// The CPU's side of the lesson on transposing.
#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

// Rows [begin, end) of b, which are columns of a.
void naive(const float* a, float* b, std::size_t rows, std::size_t columns) {
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) b[j * rows + i] = a[i * columns + j];
  }
}

// In tiles of 16 by 16 floats: a line of the cache in each row of both matrices.
TANDEM_TWIN_BODY void tiles(const float* a, float* b, std::size_t rows, std::size_t columns,
                            std::size_t begin, std::size_t end) {
  constexpr std::size_t side = 16;
  for (std::size_t top = 0; top < rows; top += side) {
    const std::size_t bottom = top + side < rows ? top + side : rows;
    for (std::size_t left = begin; left < end; left += side) {
      const std::size_t right = left + side < end ? left + side : end;
      for (std::size_t j = left; j < right; ++j) {
        for (std::size_t i = top; i < bottom; ++i) b[j * rows + i] = a[i * columns + j];
      }
    }
  }
}
TANDEM_TWIN_SCALAR void scalar(const float* a, float* b, std::size_t rows, std::size_t columns) {
  tiles(a, b, rows, columns, 0, columns);
}
TANDEM_TWIN_VECTOR void vector(const float* a, float* b, std::size_t rows, std::size_t columns,
                               std::size_t begin, std::size_t end) {
  tiles(a, b, rows, columns, begin, end);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t rows = problem.at("rows");
  const std::size_t columns = problem.at("columns");
  const float* a = problem.floats("a").data();
  float* b = std::get<Floats>(outputs[0]).data();
  switch (twin) {
    case Twin::naive: return naive(a, b, rows, columns);
    case Twin::one_thread: return scalar(a, b, rows, columns);
    case Twin::vectorised: return vector(a, b, rows, columns, 0, columns);
    case Twin::all_cores:
      on_all_cores(columns, 64, [&](std::size_t begin, std::size_t end) {
        vector(a, b, rows, columns, begin, end);
      });
  }
}

}  // namespace

Lesson make_transpose_lesson() {
  Lesson lesson;
  lesson.title = "Transposing a matrix: the order in which lanes touch memory";
  for (const std::int64_t side : {32, 64, 128, 256, 512, 1024}) {
    lesson.sizes.push_back({{"rows", side}, {"columns", side}});
  }
  lesson.shown = 5;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
