#include "softgpu/exec/atomicity.hpp"

#include <cpuid.h>

namespace softgpu {
namespace {

bool processor_reports(unsigned bit_of_ecx) {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_of_ecx) != 0;
}

}  // namespace

// Constant at first, so that nothing can run before it has a value: cmpxchg16b is right everywhere.
bool vector_moves_are_whole = false;

namespace {
const bool asked = (set_vector_moves_whole(true), true);
}  // namespace

void set_vector_moves_whole(bool whole) {
  // With AVX in the handlers, the operating system has to keep its registers as well; then the
  // handlers of AVX are not chosen, and SSE2's moves are whole all the same.
  vector_moves_are_whole = whole && processor_reports(bit_AVX);
}

bool has_compare_exchange_16() {
  static const bool has = processor_reports(bit_CMPXCHG16B);
  return has;
}

}  // namespace softgpu
