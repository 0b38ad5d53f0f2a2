// Many long sums over the same rows at once, on the host.
#pragma once

#include <algorithm>
#include <vector>

#include "tandem/core/numerics.hpp"

namespace tandem {

// SumTree for a number of columns that is not known when compiling: blocks come in ascending order
// with one sum per column. Keeps as many rows of `columns` doubles as the tree has levels.
class SumTrees {
 public:
  explicit SumTrees(Index columns) : columns_(columns), carry_(static_cast<std::size_t>(columns)) {}

  // No blocks.
  void clear() { blocks_ = 0; }

  // Adds the sums of the next block, `columns` of them.
  void add(const double* sums) {
    std::copy_n(sums, columns_, carry_.begin());
    Index level = 0;
    for (; ((blocks_ >> level) & 1) != 0; ++level) {
      const double* root = roots_.data() + level * columns_;
      for (Index c = 0; c < columns_; ++c) {
        carry_[static_cast<std::size_t>(c)] = root[c] + carry_[static_cast<std::size_t>(c)];
      }
    }
    const auto end = static_cast<std::size_t>((level + 1) * columns_);
    if (roots_.size() < end) roots_.resize(end);
    std::copy_n(carry_.begin(), columns_, roots_.begin() + level * columns_);
    ++blocks_;
  }

  // total[c] = the long sum over the blocks so far: +0 of none.
  void total(double* total) const {
    std::fill_n(total, columns_, 0.0);
    bool any = false;
    for (Index level = 0; (blocks_ >> level) != 0; ++level) {
      if (((blocks_ >> level) & 1) == 0) continue;
      const double* root = roots_.data() + level * columns_;
      for (Index c = 0; c < columns_; ++c) total[c] = any ? root[c] + total[c] : root[c];
      any = true;
    }
  }

 private:
  Index columns_;
  Index blocks_ = 0;
  std::vector<double> roots_;  // levels × columns; a row is in use where its bit of blocks_ is set
  std::vector<double> carry_;
};

}  // namespace tandem
