// Neighbours of items with SIMD and threads.
//
// Items are renumbered by how many users they have, the most first, and users' lists are in that
// order, so that what is added to most lies side by side in the first-level cache. An item's
// products with all items are added up in a dense row. The likeness is then estimated in float, for
// a long row by vectors over all items, for a short one by the users' lists again; what may belong
// to the best, by estimates that are off by less than 2^-20 of themselves, is kept, and only that
// is computed in double.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/item_knn.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/item_knn_steps.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_RECOMMEND_ITEM_KNN_CPP
#define TANDEM_CPU_RECOMMEND_ITEM_KNN_CPP
namespace tandem::cpu {

// Two estimates that are this near may stand for likenesses in the other order.
inline constexpr float knn_slack = 1.0F - 0x1p-18F;

// How a likeness is estimated.
struct KnnScan {
  const float* scale;  // of every item in the new order. cosine: its norm's root; jaccard: |x|
  bool jaccard;
  float shrinkage;
  float own_scale;
  float least;  // an estimate below it is of no use

  [[nodiscard]] float estimate(float product, std::int32_t j) const {
    return jaccard ? product / ((own_scale + scale[j] - product) + shrinkage)
                   : product / (own_scale * scale[j] + shrinkage);
  }
};

// An estimate and an item in one number; greater is better. Positive floats are ordered as their
// bits are.
[[nodiscard]] inline std::uint64_t knn_key(float estimate, std::int32_t j) {
  return static_cast<std::uint64_t>(std::bit_cast<std::uint32_t>(estimate)) << 32 |
         static_cast<std::uint32_t>(j);
}
[[nodiscard]] inline float estimate_of(std::uint64_t key) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(key >> 32));
}

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Keys of the products first .. first + count − 1 that are above 0 and may be of use, into `found`;
// returns how many. count is a multiple of the lanes.
Index ScanRow(const std::int32_t* HWY_RESTRICT row, Index first, Index count, const KnnScan& scan,
              std::uint64_t* HWY_RESTRICT found) {
  const hn::ScalableTag<std::int32_t> di;
  const hn::ScalableTag<float> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const auto own = hn::Set(d, scan.own_scale);
  const auto least = hn::Set(d, scan.least);
  const auto shrinkage = hn::Set(d, scan.shrinkage);
  Index hits = 0;
  for (Index j = first; j < first + count; j += lanes) {
    const auto product = hn::Load(di, row + j);
    const auto any = hn::Gt(product, hn::Zero(di));
    if (hn::AllFalse(di, any)) continue;
    const auto value = hn::ConvertTo(d, product);
    const auto other = hn::LoadU(d, scan.scale + j);
    const auto divisor = scan.jaccard ? hn::Add(hn::Sub(hn::Add(own, other), value), shrinkage)
                                      : hn::Add(hn::Mul(own, other), shrinkage);
    const auto estimate = hn::Div(value, divisor);
    const auto may = hn::And(hn::Ge(estimate, least), hn::RebindMask(d, any));
    if (hn::AllFalse(d, may)) continue;
    HWY_ALIGN float estimates[hn::MaxLanes(d)];
    hn::Store(hn::IfThenElseZero(may, estimate), d, estimates);
    for (Index l = 0; l < lanes; ++l) {
      found[hits] = knn_key(estimates[l], static_cast<std::int32_t>(j + l));
      hits += estimates[l] > 0 ? 1 : 0;
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

// What may be among the best n, by estimates.
class Candidates {
 public:
  void clear(Index n) {
    n_ = static_cast<std::size_t>(n);
    keys_.clear();
    room_ = 4 * n_;
    least_ = 0;
  }
  // What an estimate has to reach.
  [[nodiscard]] float least() const { return least_; }
  void add(std::uint64_t key) {
    keys_.push_back(key);
    if (keys_.size() >= room_) thin_out();
  }
  [[nodiscard]] const std::vector<std::uint64_t>& keys() {
    if (keys_.size() > n_) thin_out();
    return keys_;
  }

 private:
  void thin_out() {
    std::nth_element(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(n_ - 1),
                     keys_.end(), std::greater<>());
    least_ = estimate_of(keys_[n_ - 1]) * knn_slack;
    std::erase_if(keys_, [&](std::uint64_t key) { return estimate_of(key) < least_; });
    // Where many are as good, they all stay.
    room_ = std::max(4 * n_, 2 * keys_.size());
  }

  std::vector<std::uint64_t> keys_;
  std::size_t n_ = 1;
  std::size_t room_ = 4;
  float least_ = 0;
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
      scale_[r] = static_cast<float>(jaccard ? norm : roots_[r]);
    }
    ones_ = std::all_of(user_weights_.begin(), user_weights_.end(),
                        [](std::int32_t weight) { return weight == 1; });
  }

  // Items that are scanned between two looks at what is of use.
  static constexpr Index stretch = 256;

  template <class Sum>
  void rows(const KnnProblem& problem, const Piece& range, Index n, std::int32_t* items,
            double* likeness) {
    thread_local std::vector<Sum> memory;
    thread_local std::vector<std::uint64_t> found;
    thread_local cpu::Candidates best;
    thread_local std::vector<cpu::Neighbour> chosen;
    const Index padded = (problem.items + cpu::widest - 1) / cpu::widest * cpu::widest;
    const auto room = static_cast<std::size_t>(padded) + 64 / sizeof(Sum);
    if (memory.size() < room) memory.assign(room, 0);
    found.resize(stretch + static_cast<std::size_t>(cpu::widest));
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    Sum* const row = memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(Sum);
    cpu::KnnScan scan{scale_.data(), problem.similarity == KnnSimilarity::jaccard,
                      static_cast<float>(problem.shrinkage), 0, 0};
    for (Index r = range.begin; r < range.end; ++r) {
      const Index added = add_products(problem, r, row);
      row[r] = 0;
      best.clear(n);
      scan.own_scale = scale_[static_cast<std::size_t>(r)];
      bool scanned = false;
      if constexpr (sizeof(Sum) == 4) {
        // A vector of the row takes about as long as an item of the lists.
        scanned = 32 * added > problem.items;
        // The rare first: what is most alike raises the bar for what comes after it.
        for (Index last = padded; scanned && last > 0; last -= std::min(stretch, last)) {
          scan.least = best.least();
          const Index count = std::min(stretch, last);
          const Index hits =
              HWY_DYNAMIC_DISPATCH(cpu::ScanRow)(row, last - count, count, scan, found.data());
          for (Index h = 0; h < hits; ++h) best.add(found[static_cast<std::size_t>(h)]);
        }
      }
      if (!scanned) go_through(problem, r, row, scan, best);
      chosen.clear();
      const std::int32_t item = number_[static_cast<std::size_t>(r)];
      for (const std::uint64_t key : best.keys()) {
        const auto j = static_cast<std::size_t>(key & 0xFFFFFFFFU);
        const std::int32_t other = number_[j];
        const auto product = static_cast<std::int64_t>(magnitude(row[j]));
        chosen.push_back({scan.jaccard ? knn_jaccard(product, problem.norms.data()[item],
                                                     problem.norms.data()[other], problem.shrinkage)
                                       : knn_cosine(product, roots_[static_cast<std::size_t>(r)],
                                                    roots_[j], problem.shrinkage),
                          other});
      }
      if (scanned) {
        std::fill_n(row, padded, 0);
      } else {
        clear(problem, r, row);
      }
      std::sort(chosen.begin(), chosen.end(), cpu::closer);
      for (Index k = 0; k < n; ++k) {
        const bool there = k < static_cast<Index>(chosen.size());
        items[item * n + k] = there ? chosen[static_cast<std::size_t>(k)].item : -1;
        likeness[item * n + k] = there ? chosen[static_cast<std::size_t>(k)].likeness : 0.0;
      }
    }
  }

  // A product that was looked at already is kept negative.
  template <class Sum>
  static Sum magnitude(Sum product) {
    return product < 0 ? -product : product;
  }

  // row[j] ← the products of item r with all items; returns how many additions it took.
  template <class Sum>
  Index add_products(const KnnProblem& problem, Index r, Sum* row) const {
    const Index* const users = problem.user_offsets.data();
    const std::int32_t item = number_[static_cast<std::size_t>(r)];
    Index added = 0;
    const Index last = problem.item_offsets.data()[item + 1];
    for (Index p = problem.item_offsets.data()[item]; p < last; ++p) {
      const Index u = problem.item_users.data()[p];
      const Index begin = users[u];
      // Lists come from far, in no order: where the one after next is, and the next one itself.
      if (p + 2 < last) hwy::Prefetch(users + problem.item_users.data()[p + 2]);
      if (p + 1 < last) {
        const Index next = problem.item_users.data()[p + 1];
        const std::int32_t* const end =
            user_items_.data() + std::min(users[next + 1], users[next] + 128);
        for (const std::int32_t* at = user_items_.data() + users[next]; at < end; at += 16) {
          hwy::Prefetch(at);
        }
      }
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

  template <class Sum>
  void go_through(const KnnProblem& problem, Index r, Sum* row, const cpu::KnnScan& scan,
                  cpu::Candidates& best) const {
    for_products(problem, r, [&](std::int32_t j) {
      const Sum product = row[j];
      if (product <= 0) return;
      row[j] = -product;
      const float estimate = scan.estimate(static_cast<float>(product), j);
      if (estimate >= best.least()) best.add(cpu::knn_key(estimate, j));
    });
  }

  template <class Sum>
  void clear(const KnnProblem& problem, Index r, Sum* row) const {
    for_products(problem, r, [&](std::int32_t j) { row[j] = 0; });
  }

  // Calls f for all items of the users of item r, the rare first: an item of few users is most like
  // others of few.
  template <class F>
  void for_products(const KnnProblem& problem, Index r, F&& f) const {
    const std::int32_t item = number_[static_cast<std::size_t>(r)];
    for (Index p = problem.item_offsets.data()[item]; p < problem.item_offsets.data()[item + 1];
         ++p) {
      const Index u = problem.item_users.data()[p];
      for (Index k = problem.user_offsets.data()[u + 1]; k-- > problem.user_offsets.data()[u];) {
        f(user_items_[static_cast<std::size_t>(k)]);
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
