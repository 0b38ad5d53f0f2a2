// Neighbours of items with SIMD and threads.
//
// Items are renumbered by how many users they have, the most first. An item's products are added up
// for the items before it only, each pair once, and users' lists are in that order, so that what is
// added to most lies side by side in the first-level cache. A dense row of products is then
// scanned by vectors: an estimate of the likeness in float, a little too high, says which pairs may
// belong to the best of either item, and only those are computed.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/item_knn.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
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

// What a row is scanned with: of every item in the new order a factor of the estimate, and the
// least estimate that is of use to it.
struct KnnScan {
  const float* scale;  // cosine: 1 / sqrt(norm); jaccard: |x|
  const float* least;
  bool jaccard;
  float shrinkage;
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Places of the products 0 .. count − 1 that may be of use to either side, into `found`; clears the
// row. Whole vectors are read and cleared. own: the row's item's factor and least estimate.
Index ScanRow(std::int32_t* HWY_RESTRICT row, Index count, const KnnScan& scan, float own_scale,
              float own_least, std::int32_t* HWY_RESTRICT found) {
  const hn::ScalableTag<std::int32_t> di;
  const hn::ScalableTag<float> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const auto zero = hn::Zero(di);
  const auto own = hn::Set(d, own_scale);
  const auto least = hn::Set(d, own_least);
  const auto shrinkage = hn::Set(d, scan.shrinkage);
  Index hits = 0;
  for (Index j = 0; j < count; j += lanes) {
    const auto product = hn::Load(di, row + j);
    const auto any = hn::Ne(product, zero);
    if (hn::AllFalse(di, any)) continue;
    hn::Store(zero, di, row + j);
    const auto value = hn::ConvertTo(d, product);
    const auto other = hn::LoadU(d, scan.scale + j);
    // Without shrinkage a cosine is estimated too high, and that is allowed.
    const auto estimate =
        scan.jaccard ? hn::Div(value, hn::Add(hn::Sub(hn::Add(own, other), value), shrinkage))
                     : hn::Mul(hn::Mul(value, own), other);
    const auto lower = hn::Min(least, hn::LoadU(d, scan.least + j));
    const auto may = hn::And(hn::Ge(estimate, lower), hn::RebindMask(d, any));
    if (hn::AllFalse(d, may)) continue;
    HWY_ALIGN std::int32_t products[hn::MaxLanes(di)];
    HWY_ALIGN float flags[hn::MaxLanes(d)];
    hn::Store(product, di, products);
    hn::Store(hn::IfThenElseZero(may, hn::Set(d, 1.0F)), d, flags);
    for (Index l = 0; l < lanes && j + l < count; ++l) {
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
  void offer(Index n, double likeness, std::int32_t item, float& least) {
    const Neighbour one{likeness, item};
    if (static_cast<Index>(kept_.size()) == 2 * n) {
      std::nth_element(kept_.begin(), kept_.begin() + (n - 1), kept_.end(), closer);
      kept_.resize(static_cast<std::size_t>(n));
      least = static_cast<float>(kept_.back().likeness) * knn_slack;
      worst_ = kept_.back();
      full_ = true;
    }
    if (full_ && !closer(one, worst_)) return;
    kept_.push_back(one);
  }
  void append_to(Best& other, Index n) const {
    float ignored = 0;
    for (const Neighbour& one : kept_) other.offer(n, one.likeness, one.item, ignored);
  }
  std::vector<Neighbour>& sorted(Index n) {
    std::sort(kept_.begin(), kept_.end(), closer);
    if (static_cast<Index>(kept_.size()) > n) kept_.resize(static_cast<std::size_t>(n));
    return kept_;
  }

 private:
  std::vector<Neighbour> kept_;
  Neighbour worst_{};
  bool full_ = false;
};

// What one thread has found.
struct Found {
  std::vector<Best> best;    // by new number
  std::vector<float> least;  // padded to whole vectors
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
    const int threads = engine_.threads();
    std::vector<std::unique_ptr<cpu::Found>> found;
    std::vector<cpu::Found*> free;
    std::mutex mutex;
    constexpr Index piece = 64;
    const Index count = pieces(problem.items, piece);
    // Long rows first: the last items in the new order have the longest rows of products and the
    // shortest lists, the first ones the other way round; both ends are dealt out in turn.
    parallel_for(threads, count, [&](Index i) {
      cpu::Found* own = nullptr;
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (free.empty()) {
          found.push_back(std::make_unique<cpu::Found>());
          found.back()->best.resize(static_cast<std::size_t>(problem.items));
          found.back()->least.assign(static_cast<std::size_t>(problem.items + cpu::widest), 0.0F);
          own = found.back().get();
        } else {
          own = free.back();
          free.pop_back();
        }
      }
      const Piece range = piece_of(problem.items, piece, i);
      if (problem.narrow) {
        rows<std::int32_t>(problem, range, n, *own);
      } else {
        rows<std::int64_t>(problem, range, n, *own);
      }
      const std::lock_guard<std::mutex> lock(mutex);
      free.push_back(own);
    });
    parallel_for(threads, problem.items, [&](Index r) {
      const auto at = static_cast<std::size_t>(r);
      for (std::size_t t = 1; t < found.size(); ++t) {
        found[t]->best[at].append_to(found.front()->best[at], n);
      }
      const Index item = number_[at];
      Index k = 0;
      if (!found.empty()) {
        for (const cpu::Neighbour& one : found.front()->best[at].sorted(n)) {
          items.data()[item * n + k] = one.item;
          likeness.data()[item * n + k] = one.likeness;
          ++k;
        }
      }
      for (; k < n; ++k) {
        items.data()[item * n + k] = -1;
        likeness.data()[item * n + k] = 0;
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
    scale_.assign(items + static_cast<std::size_t>(cpu::widest), 0.0F);
    for (std::size_t r = 0; r < items; ++r) {
      const auto norm = static_cast<double>(problem.norms.data()[number_[r]]);
      const bool jaccard = problem.similarity == KnnSimilarity::jaccard;
      scale_[r] = static_cast<float>(jaccard ? norm : norm > 0 ? 1 / std::sqrt(norm) : 0.0);
    }
    ones_ = std::all_of(user_weights_.begin(), user_weights_.end(),
                        [](std::int32_t weight) { return weight == 1; });
  }

  // The products of the items of `range`, by their new numbers, with those before them.
  template <class Sum>
  void rows(const KnnProblem& problem, const Piece& range, Index n, cpu::Found& own) {
    thread_local std::vector<Sum> memory;
    thread_local std::vector<std::int32_t> found;
    const auto room = static_cast<std::size_t>(problem.items + 2 * cpu::widest);
    if (memory.size() < room + 64 / sizeof(Sum)) memory.assign(room + 64 / sizeof(Sum), 0);
    if (found.size() < 2 * room) found.resize(2 * room);
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    Sum* const row = memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(Sum);
    const Index* const users = problem.user_offsets.data();
    const std::int64_t* const norms = problem.norms.data();
    for (Index r = range.begin; r < range.end; ++r) {
      const std::int32_t item = number_[static_cast<std::size_t>(r)];
      for (Index p = problem.item_offsets.data()[item]; p < problem.item_offsets.data()[item + 1];
           ++p) {
        const Index u = problem.item_users.data()[p];
        const std::int32_t* const list = user_items_.data() + users[u];
        const std::int32_t* const weights = user_weights_.data() + users[u];
        if (ones_) {
          for (Index k = 0; list[k] < r; ++k) ++row[list[k]];
        } else {
          const auto weight = static_cast<Sum>(problem.item_weights.data()[p]);
          for (Index k = 0; list[k] < r; ++k) {
            row[list[k]] += weight * static_cast<Sum>(weights[k]);
          }
        }
      }
      const auto offer = [&](Index j, std::int64_t product) {
        const std::int32_t other = number_[static_cast<std::size_t>(j)];
        const double value =
            knn_likeness(problem.similarity, product, norms[item], norms[other], problem.shrinkage);
        own.best[static_cast<std::size_t>(r)].offer(n, value, other,
                                                    own.least[static_cast<std::size_t>(r)]);
        own.best[static_cast<std::size_t>(j)].offer(n, value, item,
                                                    own.least[static_cast<std::size_t>(j)]);
      };
      if constexpr (sizeof(Sum) == 4) {
        const cpu::KnnScan scan{scale_.data(), own.least.data(),
                                problem.similarity == KnnSimilarity::jaccard,
                                static_cast<float>(problem.shrinkage)};
        const Index hits = HWY_DYNAMIC_DISPATCH(cpu::ScanRow)(
            row, r, scan, scale_[static_cast<std::size_t>(r)],
            own.least[static_cast<std::size_t>(r)], found.data());
        for (Index h = 0; h < hits; ++h) {
          offer(found[static_cast<std::size_t>(2 * h)], found[static_cast<std::size_t>(2 * h + 1)]);
        }
      } else {
        for (Index j = 0; j < r; ++j) {
          if (row[j] == 0) continue;
          offer(j, row[j]);
          row[j] = 0;
        }
      }
    }
  }

  Engine& engine_;
  std::vector<std::int32_t> number_;  // of the item in a place of the new order
  std::vector<std::int32_t> user_items_, user_weights_;
  std::vector<float> scale_;
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
