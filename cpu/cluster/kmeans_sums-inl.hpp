// Moves rows from the sums of one centre to those of another. Included once per instruction set:
// see cpu/simd-inl.hpp.
//
// While a panel is hot, each row whose label changed is added, in fixed point, to its centre and
// taken from the one before. Integers commute, so that the sums are those of a computation from the
// start, for any number of threads.
#if defined(TANDEM_CPU_CLUSTER_KMEANS_SUMS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_CLUSTER_KMEANS_SUMS_INL_HPP
#undef TANDEM_CPU_CLUSTER_KMEANS_SUMS_INL_HPP
#else
#define TANDEM_CPU_CLUSTER_KMEANS_SUMS_INL_HPP
#endif

#include <cstdint>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Adds a row x' to one sum and takes it from another, which may be null. All three are padded to
// args.stride; the row by zeros.
template <class T>
HWY_INLINE void move_row_sums(const AssignArgs<T>& args, const T* HWY_RESTRICT row, double weight,
                              std::int64_t* HWY_RESTRICT to, std::int64_t* HWY_RESTRICT from) {
  const hn::CappedTag<double, sum_padding> dd;
  const hn::RebindToSigned<decltype(dd)> di;
  const hn::Rebind<T, decltype(dd)> dt;
  const Index lanes = static_cast<Index>(hn::Lanes(dd));
  for (Index j = 0; j < args.stride; j += lanes) {
    hn::Vec<decltype(dd)> value;
    if constexpr (sizeof(T) == 4) {
      value = hn::PromoteTo(dd, hn::LoadU(dt, row + j));
    } else {
      value = hn::LoadU(dd, row + j);
    }
    if (args.weights != nullptr) value = hn::Mul(value, hn::Set(dd, weight));
    value = hn::Mul(value, hn::Load(dd, args.scales + j));
    const auto fixed = hn::ConvertTo(di, hn::Round(value));
    hn::StoreU(hn::Add(hn::LoadU(di, to + j), fixed), di, to + j);
    if (from != nullptr) hn::StoreU(hn::Sub(hn::LoadU(di, from + j), fixed), di, from + j);
  }
}

// The rows of a panel that are named in `changed`, one after the other, args.stride apart. All are
// copied before the first is read: a vector load right after narrow stores would wait for them.
template <class T>
HWY_INLINE void copy_rows(const AssignArgs<T>& args, const T* HWY_RESTRICT panel,
                          std::uint64_t changed, T* HWY_RESTRICT rows) {
  for (; changed != 0; changed &= changed - 1) {
    const Index r = __builtin_ctzll(changed);
    for (Index j = 0; j < args.features; ++j) rows[j] = panel[j * panel_rows + r];
    rows += args.stride;
  }
}

// The same from where the rows came.
template <class T>
HWY_INLINE void move_rows(const AssignArgs<T>& args, const T* const* x, std::uint64_t changed,
                          T* HWY_RESTRICT rows) {
  for (; changed != 0; changed &= changed - 1) {
    const T* HWY_RESTRICT row = x[__builtin_ctzll(changed)];
    for (Index j = 0; j < args.features; ++j) rows[j] = row[j] - args.origin[j];
    rows += args.stride;
  }
}

// Gives a row another label, and moves it, x', from sum to sum.
template <class T>
HWY_INLINE void label_row(const AssignArgs<T>& args, const T* HWY_RESTRICT moved, Index row,
                          std::int32_t label, AssignDelta& delta) {
  const Index from = args.labels[row];
  const Index to = label;
  args.labels[row] = label;
  ++delta.changed;
  double weight = 1;
  if (args.weights != nullptr) {
    weight = args.weights[row];
    if (!(weight > 0)) return;
    const auto fixed = static_cast<std::int64_t>(weight * args.weight_scale);
    delta.weights[to] += fixed;
    if (from >= 0) delta.weights[from] -= fixed;
  }
  ++delta.counts[to];
  if (from >= 0) --delta.counts[from];
  move_row_sums(args, moved, weight, delta.sums + to * args.stride,
                from >= 0 ? delta.sums + from * args.stride : nullptr);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
