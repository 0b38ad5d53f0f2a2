// Which rows a batch has, and the batch in one piece of memory.
#include <hwy/cache_control.h>

#include <algorithm>

#include "cpu/nn/mlp_kernels.hpp"

namespace tandem::cpu {

template <Real T>
void gather_rows(const T* x, Index cols, const Index* order, T* out, Index begin, Index end) {
  constexpr Index line = static_cast<Index>(64 / sizeof(T));
  for (Index r = begin; r < end; ++r) {
    if (r + 1 < end) {
      const T* next = x + order[r + 1] * cols;
      for (Index j = 0; j < cols; j += line) hwy::Prefetch(next + j);
    }
    std::copy_n(x + order[r] * cols, static_cast<std::size_t>(cols), out + r * cols);
  }
}
template void gather_rows(const float*, Index, const Index*, float*, Index, Index);
template void gather_rows(const double*, Index, const Index*, double*, Index, Index);

void order_blocks(const RowOrder& order, const Index* from, Index* to, Index begin, Index end) {
  for (Index place = begin; place < end; ++place) {
    const RowOrder::Block block = order.block(place);
    for (Index i = 0; i < block.size; ++i) {
      const Index row = order.standing(block, i);
      to[block.begin + i] = from != nullptr ? from[row] : row;
    }
  }
}

}  // namespace tandem::cpu
