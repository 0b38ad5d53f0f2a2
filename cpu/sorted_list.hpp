// A list of the n best, kept sorted by insertion.
#pragma once

#include <cstdint>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

// Puts a value and its number where `before` says that it stands before what is in the list; what
// was last of n falls out. before(value, number): whether the new one stands before that one.
// count: of the list, becomes one more where there is room. Requires: there is room, or the new one
// stands before the last one.
template <class T, class Before>
void insert_sorted(T* values, std::int32_t* numbers, Index& count, Index n, T value,
                   std::int32_t number, Before&& before) {
  Index at = count < n ? count++ : n - 1;
  while (at > 0 && before(values[at - 1], numbers[at - 1])) {
    values[at] = values[at - 1];
    numbers[at] = numbers[at - 1];
    --at;
  }
  values[at] = value;
  numbers[at] = number;
}

}  // namespace tandem::cpu
