// Functions that are worth an instruction set of their own.
#pragma once

// Compiled for three instruction sets, the best chosen when the library loads. Not where a
// sanitizer instruments: the choice is made before its runtime is ready.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SOFTGPU_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define SOFTGPU_CLONES
#endif
