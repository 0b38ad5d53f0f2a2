// Nearest neighbours with SIMD and threads. A tile of rows goes through the panels of points: their
// separations stay in registers, are compared with each row's worst neighbour so far, and only what
// is nearer is looked at.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/neighbors/neighbours.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/neighbors/neighbour_steps.hpp"
#include "core/watched_loop.hpp"
#include "cpu/neighbors/separations-inl.hpp"
#include "cpu/simd-inl.hpp"
#include "cpu/sorted_list.hpp"

#ifndef TANDEM_CPU_NEIGHBORS_NEIGHBOURS_CPP
#define TANDEM_CPU_NEIGHBORS_NEIGHBOURS_CPP
namespace tandem::cpu {

// What is asked of some rows.
template <class T>
struct NearestWork {
  Separation separation;
  PointsView<T> points;
  QueriesView<T> queries;
  Index k;
  std::int32_t* nearest;  // rows × k
  T* separations;         // rows × k
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <Separation separation, class T>
void NearestBy(const NearestWork<T>& work, Index begin, Index end) {
  const auto rows = static_cast<std::size_t>(end - begin);
  std::vector<T> limits(rows, std::numeric_limits<T>::infinity());
  std::vector<Index> counts(rows, 0);
  ForEachWithin<separation, Limit::below>(
      work.points, work.queries, begin, end, limits.data(),
      [&](Index row, Index point, T apart, T& limit) {
        T* const list = work.separations + row * work.k;
        Index& count = counts[static_cast<std::size_t>(row - begin)];
        // Points ascend, so that one as far as another stands behind it.
        insert_sorted(list, work.nearest + row * work.k, count, work.k, apart,
                      static_cast<std::int32_t>(point),
                      [apart](T other, std::int32_t) { return apart < other; });
        if (count == work.k) limit = list[work.k - 1];
      });
}

template <class T>
void NearestOf(const NearestWork<T>& work, Index begin, Index end) {
  switch (work.separation) {
    case Separation::squared: NearestBy<Separation::squared>(work, begin, end); break;
    case Separation::absolute: NearestBy<Separation::absolute>(work, begin, end); break;
    case Separation::complement: NearestBy<Separation::complement>(work, begin, end); break;
  }
}

void NearestFloat(const NearestWork<float>& work, Index begin, Index end) {
  NearestOf(work, begin, end);
}
void NearestDouble(const NearestWork<double>& work, Index begin, Index end) {
  NearestOf(work, begin, end);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(NearestFloat);
HWY_EXPORT(NearestDouble);

void nearest_of(const NearestWork<float>& work, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NearestFloat)(work, begin, end);
}
void nearest_of(const NearestWork<double>& work, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NearestDouble)(work, begin, end);
}
}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuNeighbours final : public NeighbourSteps<T> {
 public:
  explicit CpuNeighbours(Engine& engine) : engine_(engine) {}

  void nearest(Separation separation, const PointsView<T>& points, const QueriesView<T>& queries,
               Index k, Buffer<std::int32_t>& nearest, Buffer<T>& separations) override {
    std::fill_n(nearest.data(), queries.rows * k, -1);
    std::fill_n(separations.data(), queries.rows * k, T{0});
    const cpu::NearestWork<T> work{separation, points,         queries,
                                   k,          nearest.data(), separations.data()};
    // Rows that go through a group of points together: whole tiles of every instruction set.
    constexpr Index piece_rows = 96;
    watched_pieces(engine_.threads(), queries.rows, piece_rows,
                   [&](Piece piece) { cpu::nearest_of(work, piece.begin, piece.end); });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<NeighbourSteps<T>> NeighbourSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuNeighbours<T>>(engine);
}
template std::unique_ptr<NeighbourSteps<float>> NeighbourSteps<float>::make_cpu(Engine&);
template std::unique_ptr<NeighbourSteps<double>> NeighbourSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif
