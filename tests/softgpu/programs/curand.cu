// timeout: 120
//
// cuRAND's generators on the device against the published algorithms, written out here for the
// host: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), xorwow (Marsaglia 2003) and MRG32k3a
// (L'Ecuyer 1999). How seeds become states, and how far subsequences lie apart, is cuRAND's
// documented own.
#if __has_include(<curand_kernel.h>)
#include <curand_kernel.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "check.cuh"

// --- the published algorithms -------------------------------------------------------------------

class Philox {
 public:
  Philox(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset)
      : seed_(seed), subsequence_(subsequence), position_(offset) {}
  std::uint32_t next() {
    const std::uint64_t block = position_ / 4;
    std::uint32_t c[4] = {low(block), high(block), low(subsequence_), high(subsequence_)};
    std::uint32_t k[2] = {low(seed_), high(seed_)};
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
      const std::uint32_t n[4] = {high(p1) ^ c[1] ^ k[0], low(p1), high(p0) ^ c[3] ^ k[1], low(p0)};
      for (int i = 0; i < 4; ++i) c[i] = n[i];
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    return c[position_++ % 4];
  }

 private:
  static std::uint32_t low(std::uint64_t v) { return static_cast<std::uint32_t>(v); }
  static std::uint32_t high(std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); }
  std::uint64_t seed_, subsequence_, position_;
};

class Xorwow {
 public:
  using State = std::array<std::uint32_t, 5>;
  Xorwow(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset) {
    const std::uint32_t t0 = 1099087573u * (static_cast<std::uint32_t>(seed) ^ 0xaad26b49u);
    const std::uint32_t t1 = 2591861531u * (static_cast<std::uint32_t>(seed >> 32) ^ 0xf7dcefddu);
    d_ = 6615241u + t1 + t0;
    v_ = {123456789u + t0, 362436069u ^ t0, 521288629u + t1, 88675123u ^ t1, 5783321u + t0};
    // The shift register is linear over GF(2): 2^67 steps are a matrix squared 67 times. The
    // counter d returns to itself, as 2^67 is a multiple of its period.
    if (subsequence != 0) {
      Matrix jump = one_step();
      for (int i = 0; i < 67; ++i) jump = product(jump, jump);
      for (; subsequence != 0; subsequence /= 2, jump = product(jump, jump)) {
        if (subsequence % 2 == 1) v_ = apply(jump, v_);
      }
    }
    for (; offset != 0; --offset) next();
  }
  std::uint32_t next() {
    step(v_);
    d_ += 362437u;
    return v_[4] + d_;
  }

 private:
  using Matrix = std::array<State, 160>;  // the image of every single bit
  static void step(State& v) {
    const std::uint32_t t = v[0] ^ v[0] >> 2;
    v = {v[1], v[2], v[3], v[4], v[4] ^ v[4] << 4 ^ t ^ t << 1};
  }
  static Matrix one_step() {
    Matrix m{};
    for (unsigned bit = 0; bit < 160; ++bit) {
      m[bit][bit / 32] = 1u << bit % 32;
      step(m[bit]);
    }
    return m;
  }
  static State apply(const Matrix& m, const State& v) {
    State result{};
    for (unsigned bit = 0; bit < 160; ++bit) {
      if ((v[bit / 32] >> bit % 32 & 1) == 0) continue;
      for (int i = 0; i < 5; ++i) result[i] ^= m[bit][i];
    }
    return result;
  }
  static Matrix product(const Matrix& first, const Matrix& second) {
    Matrix result;
    for (unsigned bit = 0; bit < 160; ++bit) result[bit] = apply(second, first[bit]);
    return result;
  }
  State v_;
  std::uint32_t d_;
};

class Mrg32k3a {
 public:
  Mrg32k3a(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset) {
    const std::uint64_t x1 = static_cast<std::uint32_t>(seed) ^ 0x55555555u;
    const std::uint64_t x2 = static_cast<std::uint32_t>(seed >> 32) ^ 0xAAAAAAAAu;
    for (int i = 0; i < 3; ++i) {
      a_[i] = (i == 1 ? x2 : x1) * 12345 % m1;
      b_[i] = (i == 1 ? x1 : x2) * 12345 % m2;
    }
    Matrix jump_a = {{{0, 1, 0}, {0, 0, 1}, {m1 - 810728, 1403580, 0}}};
    Matrix jump_b = {{{0, 1, 0}, {0, 0, 1}, {m2 - 1370589, 0, 527612}}};
    for (int i = 0; i < 76; ++i) {
      jump_a = product(jump_a, jump_a, m1);
      jump_b = product(jump_b, jump_b, m2);
    }
    for (; subsequence != 0; subsequence /= 2) {
      if (subsequence % 2 == 1) {
        a_ = apply(jump_a, a_, m1);
        b_ = apply(jump_b, b_, m2);
      }
      jump_a = product(jump_a, jump_a, m1);
      jump_b = product(jump_b, jump_b, m2);
    }
    for (; offset != 0; --offset) next();
  }
  // 1 ... m1
  std::uint64_t next() {
    const std::uint64_t p = (1403580 * a_[1] + (m1 - a_[0]) * 810728) % m1;
    const std::uint64_t q = (527612 * b_[2] + (m2 - b_[0]) * 1370589) % m2;
    a_ = {a_[1], a_[2], p};
    b_ = {b_[1], b_[2], q};
    return p > q ? p - q : p + m1 - q;
  }

 private:
  static constexpr std::uint64_t m1 = 4294967087, m2 = 4294944443;
  using Vector = std::array<std::uint64_t, 3>;
  using Matrix = std::array<Vector, 3>;
  static Vector apply(const Matrix& m, const Vector& v, std::uint64_t modulus) {
    Vector result{};
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) result[i] = (result[i] + m[i][j] * v[j] % modulus) % modulus;
    }
    return result;
  }
  static Matrix product(const Matrix& a, const Matrix& b, std::uint64_t modulus) {
    Matrix result{};
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) {
        for (int k = 0; k < 3; ++k) {
          result[i][j] = (result[i][j] + a[i][k] * b[k][j] % modulus) % modulus;
        }
      }
    }
    return result;
  }
  Vector a_, b_;
};

// --- on the device -------------------------------------------------------------------------------

template <typename State, typename Result>
__global__ void raw(Result* out, unsigned long long seed, unsigned long long offset, int draws) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  State state;
  curand_init(seed, static_cast<unsigned long long>(t), offset, &state);
  for (int i = 0; i < draws; ++i) {
    if constexpr (sizeof(Result) == 8) {
      out[t * draws + i] = static_cast<Result>(curand_MRG32k3a(&state));
    } else {
      out[t * draws + i] = curand(&state);
    }
  }
}

template <typename State>
__global__ void uniform(float* out, unsigned long long seed, int draws) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  State state;
  curand_init(seed, static_cast<unsigned long long>(t), 0, &state);
  for (int i = 0; i < draws; ++i) out[t * draws + i] = curand_uniform(&state);
}

__global__ void philox_extras(float* normals, uint4* fours, unsigned* poisson, int draws) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  curandStatePhilox4_32_10_t state;
  curand_init(99, static_cast<unsigned long long>(t), 0, &state);
  fours[t] = curand4(&state);
  for (int i = 0; i < draws; ++i) normals[t * draws + i] = curand_normal(&state);
  for (int i = 0; i < draws; ++i) poisson[t * draws + i] = curand_poisson(&state, 4.0);
}

constexpr int threads = 50, draws = 21;

template <typename State, typename Result, typename Reference>
void check_raw(const char* name) {
  Result* out;
  CUDA_OK(cudaMallocManaged(&out, threads * draws * sizeof(Result)));
  for (const unsigned long long seed : {1ull, 1234ull, 0xfedcba9876543210ull}) {
    for (const unsigned long long offset : {0ull, 1ull, 7ull, 1001ull}) {
      raw<State, Result><<<2, threads / 2>>>(out, seed, offset, draws);
      CUDA_OK(cudaDeviceSynchronize());
      for (const int t : {0, 1, 2, 31, threads - 1}) {
        Reference reference(seed, static_cast<std::uint64_t>(t), offset);
        for (int i = 0; i < draws; ++i) {
          CHECK_AT(out[t * draws + i] == reference.next(), "%s, seed %llu, offset %llu, %d, %d",
                   name, seed, offset, t, i);
        }
      }
    }
  }
  CUDA_OK(cudaFree(out));
}

template <typename State, typename Reference, typename Map>
void check_uniform(const char* name, Map map) {
  float* out;
  CUDA_OK(cudaMallocManaged(&out, threads * draws * sizeof(float)));
  uniform<State><<<2, threads / 2>>>(out, 42, draws);
  CUDA_OK(cudaDeviceSynchronize());
  for (const int t : {0, 3, threads - 1}) {
    Reference reference(42, static_cast<std::uint64_t>(t), 0);
    for (int i = 0; i < draws; ++i) {
      const float expected = map(reference.next());
      CHECK_AT(out[t * draws + i] == expected, "%s: %.9g, expected %.9g", name, out[t * draws + i],
               expected);
    }
  }
  CUDA_OK(cudaFree(out));
}

int main() {
  check_raw<curandStatePhilox4_32_10_t, unsigned, Philox>("Philox");
  check_raw<curandStateXORWOW_t, unsigned, Xorwow>("XORWOW");
  check_raw<curandStateMRG32k3a_t, unsigned long long, Mrg32k3a>("MRG32k3a");

  const auto middle = [](std::uint32_t x) {
    return std::fma(static_cast<float>(x), 0x1p-32f, 0x1p-33f);
  };
  check_uniform<curandStatePhilox4_32_10_t, Philox>("Philox", middle);
  check_uniform<curandStateXORWOW_t, Xorwow>("XORWOW", middle);
  check_uniform<curandStateMRG32k3a_t, Mrg32k3a>("MRG32k3a", [](std::uint64_t z) {
    return static_cast<float>(static_cast<double>(z) * 2.3283065498378288e-10);
  });

  const int n = 256 * 40;
  float* normals;
  uint4* fours;
  unsigned* poisson;
  CUDA_OK(cudaMallocManaged(&normals, n * sizeof(float)));
  CUDA_OK(cudaMallocManaged(&fours, 256 * sizeof(uint4)));
  CUDA_OK(cudaMallocManaged(&poisson, n * sizeof(unsigned)));
  philox_extras<<<4, 64>>>(normals, fours, poisson, 40);
  CUDA_OK(cudaDeviceSynchronize());
  double sum = 0, squares = 0, counts = 0;
  for (int t = 0; t < 256; ++t) {
    Philox reference(99, static_cast<std::uint64_t>(t), 0);
    const std::uint32_t x = reference.next(), y = reference.next(), z = reference.next();
    CHECK(fours[t].x == x && fours[t].y == y && fours[t].z == z && fours[t].w == reference.next());
    for (int pair = 0; pair < 20; ++pair) {
      // Box-Muller with the device's fast logarithm and sine: 2^-20 of what is exact, scaled by the
      // radius, which is below 7.
      const double u = middle(reference.next());
      const double v = (reference.next() + 0.5) * 0x1p-32 * 6.283185307179586;
      const double radius = std::sqrt(-2 * std::log(u));
      const float* const got = normals + t * 40 + pair * 2;
      CHECK_AT(std::abs(got[0] - radius * std::sin(v)) < 7 * 0x1p-19, "%d %d", t, pair);
      CHECK_AT(std::abs(got[1] - radius * std::cos(v)) < 7 * 0x1p-19, "%d %d", t, pair);
    }
  }
  for (int i = 0; i < n; ++i) {
    sum += normals[i];
    squares += static_cast<double>(normals[i]) * normals[i];
    counts += poisson[i];
  }
  // Five standard errors of each mean.
  CHECK_AT(std::abs(sum / n) < 5 / std::sqrt(n), "mean %g", sum / n);
  CHECK_AT(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n), "variance %g", squares / n);
  CHECK_AT(std::abs(counts / n - 4) < 5 * 2 / std::sqrt(n), "poisson mean %g", counts / n);
  return verdict();
}
#else
#include <cstdio>
// A toolkit without cuRAND's headers.
int main() {
  std::puts("no curand_kernel.h when this was built: nothing tested");
  return 77;
}
#endif
