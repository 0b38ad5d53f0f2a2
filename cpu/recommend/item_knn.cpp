// Neighbours of items with SIMD and threads.
//
// Items are renumbered by how many users they have, the most first, and users' lists are in that
// order, so that what is added to most lies side by side in the first-level cache. An item's
// products with all items are added up in a dense row. A long one is then scanned by vectors: an
// estimate of the likeness in float, a little too high, says which items may belong to the best,
// and only those are computed. A short one is gone through by the users' lists again.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/item_knn.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/item_knn_steps.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_RECOMMEND_ITEM_KNN_CPP
#define TANDEM_CPU_RECOMMEND_ITEM_KNN_CPP
namespace tandem::cpu {

// An estimate may be this much too low: 1 − 2^−18 of the float operations' errors.
inline constexpr float knn_slack = 1.0F - 0x1p-18F;

// What a row is scanned with.
struct KnnScan {
  const float* scale;  // of every item in the new order. cosine: 1 / sqrt(norm); jaccard: |x|
  bool jaccard;
  float shrinkage;
  float own_scale;
  float least;  // an estimate below it is of no use
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Places of the products first .. first + count − 1 that may be of use, and the products, in pairs
// into `found`; clears them. count is a multiple of the lanes.
Index ScanRow(std::int32_t* HWY_RESTRICT row, Index first, Index count, const KnnScan& scan,
              std::int32_t* HWY_RESTRICT found) {
  const hn::ScalableTag<std::int32_t> di;
  const hn::ScalableTag<float> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const auto zero = hn::Zero(di);
  const auto own = hn::Set(d, scan.own_scale);
  const auto least = hn::Set(d, scan.least);
  const auto shrinkage = hn::Set(d, scan.shrinkage);
  Index hits = 0;
  for (Index j = first; j < first + count; j += lanes) {
    const auto product = hn::Load(di, row + j);
    const auto any = hn::Ne(product, zero);
    if (hn::AllFalse(di, any)) continue;
    hn::Store(zero, di, row + j);
    const auto value = hn::ConvertTo(d, product);
    const auto other = hn::LoadU(d, scan.scale + j);
    // With shrinkage a cosine is estimated too high, and that is allowed.
    const auto estimate =
        scan.jaccard ? hn::Div(value, hn::Add(hn::Sub(hn::Add(own, other), value), shrinkage))
                     : hn::Mul(hn::Mul(value, own), other);
    const auto may = hn::And(hn::Ge(estimate, least), hn::RebindMask(d, any));
    if (hn::AllFalse(d, may)) continue;
    HWY_ALIGN std::int32_t products[hn::MaxLanes(di)];
    HWY_ALIGN float flags[hn::MaxLanes(d)];
    hn::Store(product, di, products);
    hn::Store(hn::IfThenElseZero(may, hn::Set(d, 1.0F)), d, flags);
    for (Index l = 0; l < lanes; ++l) {
      if (flags[l] == 0) continue;
      found[2 * hits] = static_cast<std::int32_t>(j + l);
      found[2 * hits + 1] = products[l];
      ++hits;
    }
  }
  return hits;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(ScanRow);

struct Neighbour {
  double likeness;
  std::int32_t item;  // by its own number
};

bool closer(const Neighbour& a, const Neighbour& b) {
  return a.likeness > b.likeness || (a.likeness == b.likeness && a.item < b.item);
}

// The best n of those that were offered, in room for twice as many: when it is full the better half
// stays.
class Best {
 public:
  void clear() {
    kept_.clear();
    full_ = false;
    least_ = 0;
  }
  // What an estimate has to reach.
  [[nodiscard]] float least() const { return least_; }
  void offer(Index n, double likeness, std::int32_t item) {
    const Neighbour one{likeness, item};
    if (full_ && !closer(one, worst_)) return;
    kept_.push_back(one);
    if (static_cast<Index>(kept_.size()) < 2 * n) return;
    std::nth_element(kept_.begin(), kept_.begin() + (n - 1), kept_.end(), closer);
    kept_.resize(static_cast<std::size_t>(n));
    worst_ = kept_.back();
    least_ = static_cast<float>(worst_.likeness) * knn_slack;
    full_ = true;
  }
  std::vector<Neighbour>& sorted(Index n) {
    std::sort(kept_.begin(), kept_.end(), closer);
    if (static_cast<Index>(kept_.size()) > n) kept_.resize(static_cast<std::size_t>(n));
    return kept_;
  }

 private:
  std::vector<Neighbour> kept_;
  Neighbour worst_{};
  float least_ = 0;
  bool full_ = false;
};

constexpr Index widest = 16;
}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuItemKnn final : public ItemKnnStepsOf<T> {
 public:
  explicit CpuItemKnn(Engine& engine) : engine_(engine) {}

  void neighbours(const KnnProblem& problem, Index n, Buffer<std::int32_t>& items,
                  Buffer<double>& likeness) override {
    renumber(problem);
    parallel_pieces(engine_.threads(), problem.items, 16, [&](const Piece& piece) {
      if (problem.narrow) {
        rows<std::int32_t>(problem, piece, n, items.data(), likeness.data());
      } else {
        rows<std::int64_t>(problem, piece, n, items.data(), likeness.data());
      }
    });
  }

 private:
  void renumber(const KnnProblem& problem) {
    const auto items = static_cast<std::size_t>(problem.items);
    const Index* const offsets = problem.item_offsets.data();
    number_.resize(items);
    std::iota(number_.begin(), number_.end(), 0);
    std::stable_sort(number_.begin(), number_.end(), [&](std::int32_t a, std::int32_t b) {
      return offsets[a + 1] - offsets[a] > offsets[b + 1] - offsets[b];
    });
    std::vector<std::int32_t> place(items);
    for (std::size_t r = 0; r < items; ++r) {
      place[static_cast<std::size_t>(number_[r])] = static_cast<std::int32_t>(r);
    }
    const Index* const users = problem.user_offsets.data();
    const Index total = users[problem.users];
    user_items_.resize(static_cast<std::size_t>(total));
    user_weights_.resize(static_cast<std::size_t>(total));
    parallel_pieces(engine_.threads(), problem.users, 256, [&](const Piece& piece) {
      std::vector<std::pair<std::int32_t, std::int32_t>> list;
      for (Index u = piece.begin; u < piece.end; ++u) {
        list.clear();
        for (Index p = users[u]; p < users[u + 1]; ++p) {
          list.emplace_back(place[static_cast<std::size_t>(problem.user_items.data()[p])],
                            problem.user_weights.data()[p]);
        }
        std::sort(list.begin(), list.end());
        auto to = static_cast<std::size_t>(users[u]);
        for (const auto& [item, weight] : list) {
          user_items_[to] = item;
          user_weights_[to++] = weight;
        }
      }
    });
    roots_.resize(items);
    scale_.assign(items + static_cast<std::size_t>(cpu::widest), 0.0F);
    for (std::size_t r = 0; r < items; ++r) {
      const auto norm = static_cast<double>(problem.norms.data()[number_[r]]);
      roots_[r] = math::sqrt(norm);
      const bool jaccard = problem.similarity == KnnSimilarity::jaccard;
      scale_[r] = static_cast<float>(jaccard ? norm : norm > 0 ? 1 / std::sqrt(norm) : 0.0);
    }
    ones_ = std::all_of(user_weights_.begin(), user_weights_.end(),
                        [](std::int32_t weight) { return weight == 1; });
  }

  // Items that are scanned between two looks at what is of use.
  static constexpr Index stretch = 512;

  template <class Sum>
  void rows(const KnnProblem& problem, const Piece& range, Index n, std::int32_t* items,
            double* likeness) {
    thread_local std::vector<Sum> memory;
    thread_local std::vector<std::int32_t> found;
    thread_local cpu::Best best;
    const auto room = static_cast<std::size_t>(problem.items + cpu::widest) + 64 / sizeof(Sum);
    if (memory.size() < room) memory.assign(room, 0);
    found.resize(2 * stretch);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    Sum* const row = memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(Sum);
    for (Index r = range.begin; r < range.end; ++r) {
      const Index added = add_products(problem, r, row);
      row[r] = 0;
      best.clear();
      const std::int32_t item = number_[static_cast<std::size_t>(r)];
      const auto offer = [&](Index j, std::int64_t product) {
        const std::int32_t other = number_[static_cast<std::size_t>(j)];
        const double value =
            problem.similarity == KnnSimilarity::jaccard
                ? knn_jaccard(product, problem.norms.data()[item], problem.norms.data()[other],
                              problem.shrinkage)
                : knn_cosine(product, roots_[static_cast<std::size_t>(r)],
                             roots_[static_cast<std::size_t>(j)], problem.shrinkage);
        best.offer(n, value, other);
      };
      bool scanned = false;
      if constexpr (sizeof(Sum) == 4) {
        // A vector of the row takes about as long as an item of the lists.
        scanned = 32 * added > problem.items;
        if (scanned) scan(problem, r, row, best, found.data(), offer);
      }
      if (!scanned) go_through(problem, r, row, best, offer);
      Index k = 0;
      for (const cpu::Neighbour& one : best.sorted(n)) {
        items[item * n + k] = one.item;
        likeness[item * n + k] = one.likeness;
        ++k;
      }
      for (; k < n; ++k) {
        items[item * n + k] = -1;
        likeness[item * n + k] = 0;
      }
    }
  }

  // row[j] ← the products of item r with all items; returns how many additions it took.
  template <class Sum>
  Index add_products(const KnnProblem& problem, Index r, Sum* row) const {
    const Index* const users = problem.user_offsets.data();
    const std::int32_t item = number_[static_cast<std::size_t>(r)];
    Index added = 0;
    for (Index p = problem.item_offsets.data()[item]; p < problem.item_offsets.data()[item + 1];
         ++p) {
      const Index u = problem.item_users.data()[p];
      const Index begin = users[u];
      const Index count = users[u + 1] - begin;
      const std::int32_t* const list = user_items_.data() + begin;
      added += count;
      if (ones_) {
        for (Index k = 0; k < count; ++k) ++row[list[k]];
      } else {
        const std::int32_t* const weights = user_weights_.data() + begin;
        const auto weight = static_cast<Sum>(problem.item_weights.data()[p]);
        for (Index k = 0; k < count; ++k) row[list[k]] += weight * static_cast<Sum>(weights[k]);
      }
    }
    return added;
  }

  template <class Offer>
  void scan(const KnnProblem& problem, Index r, std::int32_t* row, const cpu::Best& best,
            std::int32_t* found, Offer&& offer) const {
    cpu::KnnScan scan{scale_.data(), problem.similarity == KnnSimilarity::jaccard,
                      static_cast<float>(problem.shrinkage), scale_[static_cast<std::size_t>(r)],
                      0};
    const Index padded = (problem.items + cpu::widest - 1) / cpu::widest * cpu::widest;
    for (Index first = 0; first < padded; first += stretch) {
      scan.least = best.least();
      const Index hits = HWY_DYNAMIC_DISPATCH(cpu::ScanRow)(
          row, first, std::min(stretch, padded - first), scan, found);
      for (Index h = 0; h < hits; ++h) offer(found[2 * h], found[2 * h + 1]);
    }
  }

  template <class Sum, class Offer>
  void go_through(const KnnProblem& problem, Index r, Sum* row, const cpu::Best& best,
                  Offer&& offer) const {
    const std::int32_t item = number_[static_cast<std::size_t>(r)];
    const bool jaccard = problem.similarity == KnnSimilarity::jaccard;
    const float own = scale_[static_cast<std::size_t>(r)];
    for (Index p = problem.item_offsets.data()[item]; p < problem.item_offsets.data()[item + 1];
         ++p) {
      const Index u = problem.item_users.data()[p];
      // The rare first: an item of few users is most like others of few.
      for (Index k = problem.user_offsets.data()[u + 1]; k-- > problem.user_offsets.data()[u];) {
        const std::int32_t j = user_items_[static_cast<std::size_t>(k)];
        const Sum product = row[j];
        if (product == 0) continue;
        row[j] = 0;
        // As ScanRow: never too low.
        if (!jaccard && static_cast<float>(product) * own * scale_[static_cast<std::size_t>(j)] <
                            best.least()) {
          continue;
        }
        offer(j, product);
      }
    }
  }

  Engine& engine_;
  std::vector<std::int32_t> number_;  // of the item in a place of the new order
  std::vector<std::int32_t> user_items_, user_weights_;
  std::vector<float> scale_;
  std::vector<double> roots_;  // of the norms
  bool ones_ = false;
};

}  // namespace

template <Real T>
std::unique_ptr<ItemKnnStepsOf<T>> ItemKnnStepsOf<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuItemKnn<T>>(engine);
}
template std::unique_ptr<ItemKnnStepsOf<float>> ItemKnnStepsOf<float>::make_cpu(Engine&);
template std::unique_ptr<ItemKnnStepsOf<double>> ItemKnnStepsOf<double>::make_cpu(Engine&);

}  // namespace tandem
#endif
