// Tests that narrow the vector instructions to a smaller set.
#pragma once

#include "cpu/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem::test {

// Restores the processor's largest set where a test that narrowed it ends.
struct RestoreSimd {
  ~RestoreSimd() {
    for (const char* name : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(name);
        return;
      } catch (const InputError&) {
        // The processor lacks this one.
      }
    }
  }
};

}  // namespace tandem::test
