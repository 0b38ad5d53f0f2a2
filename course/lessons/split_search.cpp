// The CPU's side of the lesson on split search.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "course/lesson.hpp"
#include "course/twins.hpp"

namespace tandem::course {
namespace {

struct Histogram {
  const float* gradient;
  const float* hessian;
  float* gain;
  std::int32_t* bin;
  std::size_t bins;
};

TANDEM_TWIN_BODY float gain_of(float gl, float hl, float g, float h) {
  const float gr = g - gl;
  const float hr = h - hl;
  return gl * gl / (hl + 1) + gr * gr / (hr + 1) - g * g / (h + 1);
}

TANDEM_TWIN_SCALAR void naive(const Histogram& of, std::size_t features) {
  for (std::size_t f = 0; f < features; ++f) {
    float g = 0;
    float h = 0;
    for (std::size_t b = 0; b < of.bins; ++b) {
      g += of.gradient[f * of.bins + b];
      h += of.hessian[f * of.bins + b];
    }
    float left_g = 0;
    float left_h = 0;
    of.gain[f] = -std::numeric_limits<float>::infinity();
    for (std::size_t b = 0; b < of.bins; ++b) {
      left_g += of.gradient[f * of.bins + b];
      left_h += of.hessian[f * of.bins + b];
      const float own = gain_of(left_g, left_h, g, h);
      if (own > of.gain[f]) {
        of.gain[f] = own;
        of.bin[f] = static_cast<std::int32_t>(b);
      }
    }
  }
}

// Running sums once, the gains of all bins, and then the largest: loops whose steps do not wait for
// each other but for the first.
TANDEM_TWIN_BODY void in_passes(const Histogram& of, std::size_t begin, std::size_t end) {
  constexpr std::size_t most_bins = 256;
  float g[most_bins];
  float h[most_bins];
  float gains[most_bins];
  for (std::size_t f = begin; f < end; ++f) {
    float sum_g = 0;
    float sum_h = 0;
    for (std::size_t b = 0; b < of.bins; ++b) {
      g[b] = sum_g += of.gradient[f * of.bins + b];
      h[b] = sum_h += of.hessian[f * of.bins + b];
    }
    for (std::size_t b = 0; b < of.bins; ++b) gains[b] = gain_of(g[b], h[b], sum_g, sum_h);
    constexpr std::size_t lanes = 16;
    float largest[lanes];
    for (float& one : largest) one = gains[0];
    std::size_t b = 0;
    for (; b + lanes <= of.bins; b += lanes) {
      for (std::size_t l = 0; l < lanes; ++l) {
        largest[l] = gains[b + l] > largest[l] ? gains[b + l] : largest[l];
      }
    }
    float best = gains[0];
    for (const float one : largest) best = one > best ? one : best;
    for (; b < of.bins; ++b) best = gains[b] > best ? gains[b] : best;
    std::size_t where = 0;
    while (where + 1 < of.bins && gains[where] != best) ++where;
    of.gain[f] = best;
    of.bin[f] = static_cast<std::int32_t>(where);
  }
}
TANDEM_TWIN_SCALAR void scalar(const Histogram& of, std::size_t features) {
  in_passes(of, 0, features);
}
TANDEM_TWIN_VECTOR void vector(const Histogram& of, std::size_t begin, std::size_t end) {
  in_passes(of, begin, end);
}

void twin(Twin twin, const Case& problem, std::vector<Values>& outputs) {
  const std::size_t features = problem.at("features");
  const Histogram of{problem.floats("gradient").data(), problem.floats("hessian").data(),
                     std::get<Floats>(outputs[0]).data(), std::get<Wholes>(outputs[1]).data(),
                     problem.at("bins")};
  switch (twin) {
    case Twin::naive: return naive(of, features);
    case Twin::one_thread: return scalar(of, features);
    case Twin::vectorised: return vector(of, 0, features);
    case Twin::all_cores:
      on_all_cores(features, 8,
                   [&](std::size_t begin, std::size_t end) { vector(of, begin, end); });
  }
}

}  // namespace

Lesson make_split_search_lesson() {
  Lesson lesson;
  lesson.title = "The best split of each feature: many small running sums";
  for (const std::int64_t features : {8, 32, 128, 512, 2048}) {
    lesson.sizes.push_back({{"features", features}, {"bins", 256}});
  }
  lesson.shown = 4;
  lesson.twin = twin;
  return lesson;
}

}  // namespace tandem::course
