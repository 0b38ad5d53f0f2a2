#include "tandem/core/engine.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "core/parallel.hpp"
#include "cpu/simd.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

TEST(Engine, ReferenceAlwaysUsesOneThread) {
  EXPECT_EQ(Engine::create({.device = Device::reference, .threads = 7})->threads(), 1);
}

TEST(Engine, ZeroThreadsMeansAllCoresOfTheProcess) {
  EXPECT_EQ(Engine::create({.device = Device::cpu})->threads(), available_cores());
}

TEST(Engine, NegativeThreadsAreRefused) {
  EXPECT_THROW((void)Engine::create({.threads = -1}), InputError);
}

TEST(Engine, NamesOfEnumerationsReadBack) {
  for (const Device value : {Device::reference, Device::cpu, Device::cuda, Device::softgpu}) {
    EXPECT_EQ(parse_enum<Device>("device", to_string(value)), value);
  }
  for (const Numerics value :
       {Numerics::exact, Numerics::fast, Numerics::fast_tf32, Numerics::fast_bf16}) {
    EXPECT_EQ(parse_enum<Numerics>("numerics", to_string(value)), value);
  }
  EXPECT_EQ(parse_enum<Numerics>("numerics", "fast-tf32"), Numerics::fast_tf32);
  EXPECT_EQ(parse_enum<Precision>("precision", "float32"), Precision::float32);
  EXPECT_THROW((void)parse_enum<Device>("device", "gpu"), InputError);
}

TEST(Buffer, MovesAndCopiesOnlyWhenTold) {
  const auto engine = Engine::create();
  std::vector<std::int64_t> host(1000);
  std::iota(host.begin(), host.end(), 5);
  Buffer<std::int64_t> first = to_engine(*engine, host);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data()) % 64, 0U);
  Buffer<std::int64_t> second(*engine, 1000);
  second.copy_from(first);
  first.fill_zero();
  EXPECT_EQ(second.to_host(), host);
  EXPECT_EQ(first.to_host(), std::vector<std::int64_t>(1000, 0));
  Buffer<std::int64_t> moved = std::move(second);
  EXPECT_EQ(moved.to_host(), host);
  second = std::move(moved);
  EXPECT_EQ(second.to_host(), host);
}

TEST(Buffer, EmptyOnesWorkAndImpossibleOnesAreRefused) {
  const auto engine = Engine::create();
  Buffer<float> empty(*engine, 0);
  EXPECT_TRUE(empty.to_host().empty());
  empty.fill_zero();
  EXPECT_THROW(Buffer<float>(*engine, -1), InputError);
  EXPECT_THROW(Buffer<double>(*engine, std::numeric_limits<Index>::max()), InputError);
  EXPECT_THROW(Buffer<double>(*engine, Index{1} << 55), SystemError);
  std::vector<float> wrong(3);
  EXPECT_THROW(Buffer<float>(*engine, 4).download(wrong), std::logic_error);
}

TEST(Simd, CanBeLimitedAndRestored) {
  const std::string best(cpu::simd_name());
  cpu::limit_simd("baseline");
  EXPECT_EQ(cpu::simd_name(), "baseline");
  EXPECT_THROW(cpu::limit_simd("mmx"), InputError);
  if (best == "AVX-512") {
    cpu::limit_simd("avx2");
    EXPECT_EQ(cpu::simd_name(), "AVX2");
    cpu::limit_simd("avx512");
  } else if (best == "AVX2") {
    cpu::limit_simd("avx2");
  }
  EXPECT_EQ(cpu::simd_name(), best);
}

}  // namespace
}  // namespace tandem
