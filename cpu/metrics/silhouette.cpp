// Distances of a tile of rows to 32 members of a cluster at a time, one member per lane: the lanes
// of the long sum are the lanes of the vectors.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/metrics/silhouette.cpp"
#include <hwy/aligned_allocator.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/metrics/silhouette_steps.hpp"
#include "core/sum_trees.hpp"
#include "core/watched_loop.hpp"
#include "cpu/simd-inl.hpp"
#include "tandem/core/numerics.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

constexpr std::size_t lanes_of_sum = static_cast<std::size_t>(sum_lanes);

// sums[l] += distances, of as many doubles as `distance` has lanes.
template <class D>
HWY_INLINE void AddDistances(D d, hn::Vec<D> distance, double* HWY_RESTRICT sums) {
  if constexpr (sizeof(hn::TFromD<D>) == 8) {
    hn::StoreU(hn::Add(hn::LoadU(d, sums), distance), d, sums);
  } else {
#if HWY_TARGET == HWY_SCALAR
    *sums += static_cast<double>(hn::GetLane(distance));
#else
    const hn::Half<D> half;
    const hn::RepartitionToWide<D> wide;
    const auto low = hn::PromoteTo(wide, hn::LowerHalf(half, distance));
    const auto high = hn::PromoteTo(wide, hn::UpperHalf(half, distance));
    const std::size_t n = hn::Lanes(wide);
    hn::StoreU(hn::Add(hn::LoadU(wide, sums), low), wide, sums);
    hn::StoreU(hn::Add(hn::LoadU(wide, sums + n), high), wide, sums + n);
#endif
  }
}

// Rows × vectors of members whose squared distances are kept in registers.
template <class D>
struct Tile {
  static constexpr std::size_t vectors = std::min<std::size_t>(4, lanes_of_sum / hn::MaxLanes(D{}));
  static constexpr std::size_t rows = hn::MaxLanes(D{}) * sizeof(hn::TFromD<D>) >= 64
                                          ? 16 / vectors  // 32 registers
                                          : 8 / vectors;  // 16 registers
};

// panel: cols × 32, feature by feature. sums: one row of 32 doubles per query row; to each lane l <
// count is added the distance of the row to member l.
template <std::size_t query_rows, class T>
HWY_INLINE void TileDistances(const T* const* HWY_RESTRICT query, Index cols,
                              const T* HWY_RESTRICT panel, std::size_t count,
                              double* HWY_RESTRICT sums) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr std::size_t n = hn::MaxLanes(decltype(d){});
  constexpr std::size_t vectors = Tile<decltype(d)>::vectors;
  for (std::size_t at = 0; at < count; at += n * vectors) {
    V squares[query_rows][vectors];
    for (std::size_t q = 0; q < query_rows; ++q) {
      for (std::size_t v = 0; v < vectors; ++v) squares[q][v] = hn::Zero(d);
    }
    for (Index f = 0; f < cols; ++f) {
      const T* HWY_RESTRICT member = panel + static_cast<std::size_t>(f) * lanes_of_sum + at;
      V values[vectors];
      for (std::size_t v = 0; v < vectors; ++v) values[v] = hn::Load(d, member + v * n);
      for (std::size_t q = 0; q < query_rows; ++q) {
        const V x = hn::Set(d, query[q][f]);
        for (std::size_t v = 0; v < vectors; ++v) {
          const V difference = hn::Sub(x, values[v]);
          squares[q][v] = Fma(d, difference, difference, squares[q][v]);
        }
      }
    }
    for (std::size_t q = 0; q < query_rows; ++q) {
      for (std::size_t v = 0; v < vectors; ++v) {
        const std::size_t lane = at + v * n;
        V distance = hn::Sqrt(squares[q][v]);
        if (lane + n > count) {
          const std::size_t valid = count > lane ? count - lane : 0;
          distance = hn::IfThenElseZero(hn::FirstN(d, valid), distance);
        }
        AddDistances(d, distance, sums + q * lanes_of_sum + lane);
      }
    }
  }
}

// The silhouettes of the rows of one piece.
template <class T>
void Silhouettes(const T* HWY_RESTRICT x, Index cols, const Index* HWY_RESTRICT members,
                 const Index* HWY_RESTRICT first, Index clusters,
                 const std::int32_t* HWY_RESTRICT cluster, Index begin, Index end,
                 double* HWY_RESTRICT values) {
  using D = hn::ScalableTag<T>;
  constexpr std::size_t tile = Tile<D>::rows;
  const auto rows = static_cast<std::size_t>(end - begin);
  std::vector<double> lanes(rows * lanes_of_sum);
  std::vector<double> sums(rows);
  SumTrees trees(static_cast<Index>(rows));  // over the blocks of a cluster
  std::vector<double> own(rows, 0.0);
  std::vector<double> nearest(rows, std::numeric_limits<double>::infinity());
  const auto panel =
      hwy::AllocateAligned<T>(static_cast<std::size_t>(std::max<Index>(cols, 1)) * lanes_of_sum);
  std::fill_n(panel.get(), static_cast<std::size_t>(cols) * lanes_of_sum, T{0});
  for (Index c = 0; c < clusters; ++c) {
    trees.clear();
    for (Index block = first[c]; block < first[c + 1]; block += sum_block) {
      const Index block_end = std::min(block + sum_block, first[c + 1]);
      std::fill(lanes.begin(), lanes.end(), 0.0);
      for (Index group = block; group < block_end; group += sum_lanes) {
        const auto count = static_cast<std::size_t>(std::min(sum_lanes, block_end - group));
        for (std::size_t l = 0; l < count; ++l) {
          const T* HWY_RESTRICT member = x + members[group + static_cast<Index>(l)] * cols;
          for (Index f = 0; f < cols; ++f) {
            panel[static_cast<std::size_t>(f) * lanes_of_sum + l] = member[f];
          }
        }
        std::size_t q = 0;
        const T* query[tile];
        for (; q + tile <= rows; q += tile) {
          for (std::size_t t = 0; t < tile; ++t) {
            query[t] = x + (begin + static_cast<Index>(q + t)) * cols;
          }
          TileDistances<tile>(query, cols, panel.get(), count, lanes.data() + q * lanes_of_sum);
        }
        for (; q < rows; ++q) {
          query[0] = x + (begin + static_cast<Index>(q)) * cols;
          TileDistances<1>(query, cols, panel.get(), count, lanes.data() + q * lanes_of_sum);
        }
      }
      for (std::size_t q = 0; q < rows; ++q) sums[q] = add_lanes(lanes.data() + q * lanes_of_sum);
      trees.add(sums.data());
    }
    trees.total(sums.data());
    const Index size = first[c + 1] - first[c];
    for (std::size_t q = 0; q < rows; ++q) {
      if (cluster[begin + static_cast<Index>(q)] == c) {
        own[q] = size > 1 ? sums[q] / static_cast<double>(size - 1) : 0.0;
      } else {
        const double mean = sums[q] / static_cast<double>(size);
        nearest[q] = mean < nearest[q] ? mean : nearest[q];
      }
    }
  }
  for (std::size_t q = 0; q < rows; ++q) {
    const Index i = begin + static_cast<Index>(q);
    values[i] = silhouette_of(own[q], nearest[q], first[cluster[i] + 1] - first[cluster[i]]);
  }
}

void Silhouettes32(const float* x, Index cols, const Index* members, const Index* first,
                   Index clusters, const std::int32_t* cluster, Index begin, Index end,
                   double* values) {
  Silhouettes(x, cols, members, first, clusters, cluster, begin, end, values);
}
void Silhouettes64(const double* x, Index cols, const Index* members, const Index* first,
                   Index clusters, const std::int32_t* cluster, Index begin, Index end,
                   double* values) {
  Silhouettes(x, cols, members, first, clusters, cluster, begin, end, values);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {

HWY_EXPORT(Silhouettes32);
HWY_EXPORT(Silhouettes64);

// Rows that share one transposition of the members; their sums (64 KiB) stay in the second cache.
constexpr Index rows_per_piece = 256;

template <Real T>
class CpuSilhouette final : public SilhouetteSteps<T> {
 public:
  explicit CpuSilhouette(Engine& engine) : threads_(engine.threads()) {}

  void values(const Buffer<T>& x, Index cols, const Buffer<Index>& members,
              const Buffer<Index>& first, const Buffer<std::int32_t>& cluster,
              Buffer<double>& values) override {
    watched_pieces(threads_, values.size(), rows_per_piece, [&](Piece piece) {
      const Index clusters = first.size() - 1;
      if constexpr (sizeof(T) == 4) {
        HWY_DYNAMIC_DISPATCH(Silhouettes32)
        (x.data(), cols, members.data(), first.data(), clusters, cluster.data(), piece.begin,
         piece.end, values.data());
      } else {
        HWY_DYNAMIC_DISPATCH(Silhouettes64)
        (x.data(), cols, members.data(), first.data(), clusters, cluster.data(), piece.begin,
         piece.end, values.data());
      }
    });
  }

 private:
  int threads_;
};

}  // namespace
}  // namespace cpu

template <Real T>
std::unique_ptr<SilhouetteSteps<T>> SilhouetteSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<cpu::CpuSilhouette<T>>(engine);
}

template std::unique_ptr<SilhouetteSteps<float>> SilhouetteSteps<float>::make_cpu(Engine&);
template std::unique_ptr<SilhouetteSteps<double>> SilhouetteSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif  // HWY_ONCE
