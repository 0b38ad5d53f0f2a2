// Rows of the factor and of its inverse with SIMD and threads: columns are shared out in strips,
// each of which needs nothing of another.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/spd_inverse.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"
#include "core/recommend/spd_inverse_steps.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// to[k] ← fma(−factor, from[k], to[k]), k = 0 .. count − 1.
void TakeRow(double factor, const double* HWY_RESTRICT from, Index count, double* HWY_RESTRICT to) {
  const hn::ScalableTag<double> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const auto own = hn::Set(d, -factor);
  Index k = 0;
  for (; k + lanes <= count; k += lanes) {
    hn::StoreU(Fma(d, own, hn::LoadU(d, from + k), hn::LoadU(d, to + k)), d, to + k);
  }
  for (; k < count; ++k) to[k] = std::fma(-factor, from[k], to[k]);
}

void DivideRow(double divisor, Index count, double* HWY_RESTRICT row) {
  const hn::ScalableTag<double> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const auto own = hn::Set(d, divisor);
  Index k = 0;
  for (; k + lanes <= count; k += lanes)
    hn::StoreU(hn::Div(hn::LoadU(d, row + k), own), d, row + k);
  for (; k < count; ++k) row[k] /= divisor;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(TakeRow);
HWY_EXPORT(DivideRow);
}  // namespace
}  // namespace cpu

namespace {

// Columns of a strip: a block's rows of it stay in the second-level cache.
constexpr Index strip = 256;

template <Real T>
class CpuSpdInverse final : public SpdInverseSteps<T> {
 public:
  explicit CpuSpdInverse(Engine& engine) : engine_(engine) {}

  bool factor_rows(Index n, Index first, Index rows, Buffer<double>& a,
                   Buffer<double>& negated) override {
    double* const at = a.data();
    // The block on the diagonal, which the strips behind it need.
    for (Index j = first; j < first + rows; ++j) {
      double* const row = at + j * n;
      for (Index m = first; m < j; ++m) {
        HWY_DYNAMIC_DISPATCH(cpu::TakeRow)
        (at[m * n + j], at + m * n + j, first + rows - j, row + j);
      }
      if (!(row[j] > 0) || !std::isfinite(row[j])) return false;
      row[j] = std::sqrt(row[j]);
      HWY_DYNAMIC_DISPATCH(cpu::DivideRow)(row[j], first + rows - j - 1, row + j + 1);
    }
    const Index behind = first + rows;
    parallel_pieces(engine_.threads(), n - behind, strip, [&](const Piece& piece) {
      const Index from = behind + piece.begin;
      for (Index j = first; j < behind; ++j) {
        for (Index m = first; m < j; ++m) {
          HWY_DYNAMIC_DISPATCH(cpu::TakeRow)
          (at[m * n + j], at + m * n + from, piece.size(), at + j * n + from);
        }
        HWY_DYNAMIC_DISPATCH(cpu::DivideRow)(at[j * n + j], piece.size(), at + j * n + from);
      }
    });
    negate_rows(n, first, rows, a, negated);
    return true;
  }

  void negate_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& negated) override {
    parallel_for(engine_.threads(), rows, [&](Index r) {
      for (Index k = first; k < n; ++k) negated.data()[r * n + k] = -u.data()[(first + r) * n + k];
    });
  }

  void mirror(Index n, Buffer<double>& a) override {
    constexpr Index tile = 64;
    parallel_pieces(engine_.threads(), n, tile, [&](const Piece& down) {
      for (Index across = 0; across < down.end; across += tile) {
        for (Index j = down.begin; j < down.end; ++j) {
          for (Index k = across; k < std::min(across + tile, j); ++k) {
            a.data()[j * n + k] = a.data()[k * n + j];
          }
        }
      }
    });
  }

  void invert_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& v) override {
    const double* const factor = u.data();
    double* const at = v.data();
    for (Index j = first; j < first + rows; ++j) at[j * n + j] += 1.0;
    parallel_pieces(engine_.threads(), n - first, strip, [&](const Piece& piece) {
      for (Index j = first + rows; j-- > first;) {
        // From the diagonal on; what lies left of it is 0.
        for (Index m = first + rows; m-- > j + 1;) {
          const Index from = std::max(first + piece.begin, m);
          const Index end = first + piece.end;
          if (from < end) {
            HWY_DYNAMIC_DISPATCH(cpu::TakeRow)
            (factor[j * n + m], at + m * n + from, end - from, at + j * n + from);
          }
        }
        const Index from = std::max(first + piece.begin, j);
        const Index end = first + piece.end;
        if (from < end) {
          HWY_DYNAMIC_DISPATCH(cpu::DivideRow)(factor[j * n + j], end - from, at + j * n + from);
        }
      }
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<SpdInverseSteps<T>> SpdInverseSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuSpdInverse<T>>(engine);
}
template std::unique_ptr<SpdInverseSteps<float>> SpdInverseSteps<float>::make_cpu(Engine&);
template std::unique_ptr<SpdInverseSteps<double>> SpdInverseSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif
