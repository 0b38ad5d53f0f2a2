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

#ifdef __cplusplus
}
#endif

#endif
