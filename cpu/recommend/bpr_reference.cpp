// Bayesian personalised ranking in double, one pair after the other.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/recommend/bpr_steps.hpp"

namespace tandem {
namespace {

double step_size(double rate, double s) { return rate / (1 + std::exp(s)); }

template <Real T>
class ReferenceBpr final : public BprSteps<T> {
 public:
  void pass(const BprView& view, T rate, T keep, BprFactors<T> factors,
            Buffer<std::int64_t>& tally) override {
    const auto in_double = [](const Buffer<T>& from) {
      return std::vector<double>(from.data(), from.data() + from.size());
    };
    std::vector<double> x = in_double(factors.x);
    std::vector<double> y = in_double(factors.y);
    std::vector<double> biases = in_double(factors.biases);
    const auto kept = static_cast<double>(keep);
    for (Index round = 0; round < view.blocks; ++round) {
      for (Index block = 0; block < view.blocks; ++block) {
        BprTask task(view, block, round);
        for (std::uint32_t k = 0; k < task.size(); ++k) {
          std::int32_t user = 0;
          std::int32_t item = 0;
          std::int32_t drawn = 0;
          task.next(user, item, drawn);
          if (drawn < 0) continue;
          double* const own = x.data() + static_cast<Index>(user) * view.pitch;
          double* const a = y.data() + static_cast<Index>(item) * view.pitch;
          double* const b = y.data() + static_cast<Index>(drawn) * view.pitch;
          double& of_a = biases[static_cast<std::size_t>(item)];
          double& of_b = biases[static_cast<std::size_t>(drawn)];
          double s = of_a - of_b;
          for (int f = 0; f < view.factors; ++f) s += own[f] * (a[f] - b[f]);
          const double g = step_size(static_cast<double>(rate), s);
          for (int f = 0; f < view.factors; ++f) {
            const double before = own[f];
            own[f] = kept * before + g * (a[f] - b[f]);
            a[f] = kept * a[f] + g * before;
            b[f] = kept * b[f] - g * before;
          }
          of_a = kept * of_a + g;
          of_b = kept * of_b - g;
          ++tally.data()[0];
          tally.data()[1] += s > 0 ? 1 : 0;
        }
      }
    }
    const auto back = [](const std::vector<double>& from, Buffer<T>& to) {
      std::transform(from.begin(), from.end(), to.data(),
                     [](double value) { return static_cast<T>(value); });
    };
    back(x, factors.x);
    back(y, factors.y);
    back(biases, factors.biases);
  }

  void fold_in(const BprFoldIn<T>& in, Index rows, const Buffer<Index>& offsets,
               const Buffer<std::int32_t>& columns, Buffer<T>& x) override {
    const auto pitch = static_cast<std::size_t>(in.pitch);
    for (Index r = 0; r < rows; ++r) {
      const std::int32_t* const items = columns.data() + offsets.data()[r];
      const Index count = offsets.data()[r + 1] - offsets.data()[r];
      std::vector<double> own(pitch, 0.0);
      const Index passes = count == 0 ? 0 : bpr_passes(in.passes, count);
      for (Index pass = 0; pass < passes; ++pass) {
        for (Index k = 0; k < count; ++k) {
          const std::int32_t drawn = bpr_fold_in_draw(in, items, count, items[k], pass);
          if (drawn < 0) continue;
          const auto difference = [&](std::size_t f) {
            return static_cast<double>(in.y[static_cast<std::size_t>(items[k]) * pitch + f]) -
                   static_cast<double>(in.y[static_cast<std::size_t>(drawn) * pitch + f]);
          };
          double s =
              static_cast<double>(in.biases[items[k]]) - static_cast<double>(in.biases[drawn]);
          for (std::size_t f = 0; f < pitch; ++f) s += own[f] * difference(f);
          const double g = step_size(static_cast<double>(in.rate), s);
          for (std::size_t f = 0; f < pitch; ++f) {
            own[f] = static_cast<double>(in.keep) * own[f] + g * difference(f);
          }
        }
      }
      T* const to = x.data() + r * in.x_pitch;
      std::fill(to, to + in.x_pitch, T{0});
      std::transform(own.begin(), own.begin() + in.factors, to,
                     [](double value) { return static_cast<T>(value); });
      to[in.factors] = 1;
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<BprSteps<T>> BprSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceBpr<T>>();
}
template std::unique_ptr<BprSteps<float>> BprSteps<float>::make_reference(Engine&);
template std::unique_ptr<BprSteps<double>> BprSteps<double>::make_reference(Engine&);

}  // namespace tandem
