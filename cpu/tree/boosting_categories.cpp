#include "cpu/tree/boosting_categories.hpp"

#include <algorithm>
#include <vector>

namespace tandem::cpu {
namespace {

struct Category {
  double place;
  std::int64_t g;
  std::int64_t h;
  std::int32_t bin;
};

// The categories that rows of a node have.
struct Categories {
  std::vector<Category> all;
  std::int32_t used = 0;

  Categories(const CutBlock& block, tree::BinKind kind) {
    const std::int64_t mask = (std::int64_t{1} << block.shift) - 1;
    const auto bins = tree::set_bins(kind, static_cast<std::int32_t>(block.bins));
    for (std::int32_t b = 0; b < bins; ++b) {
      const std::int64_t h = block.words != nullptr ? block.words[b] & mask : block.h[b];
      if (h == 0) continue;
      const std::int64_t g = block.words != nullptr ? block.words[b] >> block.shift : block.g[b];
      all.push_back({tree::category_place(block.rules, g, h), g, h, b});
    }
    used = static_cast<std::int32_t>(all.size());
  }
  void sort() {
    std::sort(all.begin(), all.end(), [](const Category& a, const Category& b) {
      return a.place != b.place ? a.place < b.place : a.bin < b.bin;
    });
  }
  [[nodiscard]] const Category& operator[](std::int32_t k) const {
    return all[static_cast<std::size_t>(k)];
  }
};

}  // namespace

void find_set(const CutBlock& block, tree::BinKind kind, tree::HistogramSplit& best) {
  best = {};
  Categories categories(block, kind);
  const auto consider = [&](const tree::GainRules& rules, std::int32_t candidate, std::int64_t g,
                            std::int64_t h) {
    const double sum = tree::score_sum(rules, g, h, block.total_g, block.total_h, block.bounds, 0);
    if (!tree::better_cut(sum, candidate, false, best)) return;
    best = {sum, block.feature, candidate, 0, g, h};
  };
  if (tree::one_against_rest(block.rules, static_cast<std::int32_t>(block.bins))) {
    for (std::int32_t k = 0; k < categories.used; ++k) {
      consider(block.rules, categories[k].bin, categories[k].g, categories[k].h);
    }
    return;
  }
  categories.sort();
  const tree::GainRules rules = tree::rules_of_sets(block.rules);
  const std::int32_t most = std::min(categories.used, rules.categories.max_threshold);
  for (const bool last : {false, true}) {
    std::int64_t g = 0;
    std::int64_t h = 0;
    for (std::int32_t n = 0; n < most; ++n) {
      const Category& next = categories[last ? categories.used - 1 - n : n];
      g += next.g;
      h += next.h;
      consider(rules, n + (last ? tree::last_first : 0), g, h);
    }
  }
}

void add_set(const CutBlock& block, tree::BinKind kind, const tree::HistogramSplit& split,
             std::uint32_t* set) {
  if (tree::one_against_rest(block.rules, static_cast<std::int32_t>(block.bins))) {
    tree::add_bin(set, split.bin);
    return;
  }
  Categories categories(block, kind);
  categories.sort();
  for (std::int32_t k = 0; k < categories.used; ++k) {
    if (tree::takes_place(split.bin, k, categories.used)) tree::add_bin(set, categories[k].bin);
  }
}

}  // namespace tandem::cpu
