/* What a program may ask of the software GPU beside CUDA: the names that our libcudart.so.13 exports
 * and NVIDIA's does not. A program that runs on either looks them up, by dlsym(handle, ...) or
 * dlsym(RTLD_DEFAULT, ...): softgpu_version is there where it runs on software and nowhere else. In C
 * or C++. All may be called from any thread at any time. */
#ifndef SOFTGPU_RUNTIME_CONTROL_H
#define SOFTGPU_RUNTIME_CONTROL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. Functions are added, and never changed, as it grows. */
#define SOFTGPU_CONTROL_VERSION 1
int softgpu_version(void);

/* The order in which warps and blocks run is drawn by the seed, for kernels that are launched later;
 * 0: in order. Until it is called, as SOFTGPU_SEED says. */
void softgpu_set_seed(uint64_t seed);

/* Cores that run the blocks of kernels that are launched later: 1 to 1024; less means all that the
 * process may use, more means 1024. Until it is called, as SOFTGPU_THREADS says. */
void softgpu_set_threads(int threads);

/* Counting: what kernels that are launched from now on execute and how they use memory. Other than 0
 * starts from zero, 0 stops; a kernel that is counted runs several times slower. */
void softgpu_count(int on);

/* What was counted since the last start, by kernel, as JSON; docs/softgpu.md says what the names mean.
 * Memory of malloc, which the caller frees; NULL where there is none left. */
char* softgpu_counters(void);

/* For libraries of the software GPU that compute on the host what they promise to compute on the
 * device (cuBLAS): tells the checker that it cannot follow what they write. */
void softgpu_library_works(void);

#ifdef __cplusplus
}
#endif

#endif
