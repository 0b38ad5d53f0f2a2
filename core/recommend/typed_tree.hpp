// The tree of a long sum over blocks whose sums are of type T: as SumTree, which is in double.
#pragma once

#include "tandem/core/numerics.hpp"

namespace tandem {

template <Real T, int Levels>
class TypedTree {
 public:
  TANDEM_HOST_DEVICE void add(T sum) {
    int level = 0;
    for (; ((blocks_ >> level) & 1) != 0; ++level) sum = roots_[level] + sum;
    roots_[level] = sum;
    ++blocks_;
  }
  // +0 of no blocks.
  [[nodiscard]] TANDEM_HOST_DEVICE T total() const {
    T sum = 0;
    bool any = false;
    for (int level = 0; (blocks_ >> level) != 0; ++level) {
      if (((blocks_ >> level) & 1) == 0) continue;
      sum = any ? roots_[level] + sum : roots_[level];
      any = true;
    }
    return sum;
  }

 private:
  T roots_[Levels];
  unsigned blocks_ = 0;
};

}  // namespace tandem
