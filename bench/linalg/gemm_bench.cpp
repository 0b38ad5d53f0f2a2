// Tandem's matrix product beside oneDNN, BLIS (where installed) and Eigen, in one run. Repeat and
// interleave on a machine with other work on it:
//
//   tandem_linalg_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
//       --benchmark_report_aggregates_only=true
//
// Each line states flops and bytes per second; peak figures are tandem_core_bench's. The lines that
// begin with "counted" are of the CUDA half on the software GPU: what its kernels do, and no time
// of a GPU.
#include <benchmark/benchmark.h>
#if defined(TANDEM_HAS_ONEDNN)
#include <dnnl.h>
#endif
#include <omp.h>

#include <Eigen/Core>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "core/linalg/gemm_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cuda/linalg/gemm_tiles.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"

#if defined(TANDEM_BENCH_BLIS)
// BLIS's own CBLAS interface, declared here because its header's name is also other libraries'.
extern "C" void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const float* a, int lda, const float* b, int ldb,
                            float beta, float* c, int ldc);
extern "C" void bli_thread_set_num_threads(long threads);
#endif

namespace tandem {
namespace {

struct Shape {
  Index m, n, k;
  Transpose ta, tb;
};

enum class Library { chains, onednn, blis, eigen };

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void product(benchmark::State& state, Library library, Shape s, int threads) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = threads});
  const auto steps = make_steps<GemmSteps, float>(*engine);
  const auto random = [&](Index size, std::uint32_t stream) {
    const Random numbers(1, Purpose::test, stream);
    std::vector<float> v(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = numbers.uniform<float>(i) - 0.5f;
    return to_engine(*engine, v);
  };
  const bool ta = s.ta == Transpose::yes;
  const bool tb = s.tb == Transpose::yes;
  const Index lda = ta ? s.m : s.k;
  const Index ldb = tb ? s.k : s.n;
  const Buffer<float> a = random(s.m * s.k, 1);
  const Buffer<float> b = random(s.k * s.n, 2);
  Buffer<float> c = random(s.m * s.n, 3);
  const int own_threads = omp_get_max_threads();
  omp_set_num_threads(threads);
  Eigen::setNbThreads(threads);
#if defined(TANDEM_BENCH_BLIS)
  bli_thread_set_num_threads(threads);
#endif
  for (auto _ : state) {
    switch (library) {
      case Library::chains:
        steps->gemm(s.ta, s.tb, s.m, s.n, s.k, a.data(), lda, b.data(), ldb, false, c.data(), s.n);
        break;
      case Library::onednn:
#if defined(TANDEM_HAS_ONEDNN)
        dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', s.m, s.n, s.k, 1, a.data(), lda, b.data(), ldb,
                   0, c.data(), s.n);
#endif
        break;
      case Library::blis:
#if defined(TANDEM_BENCH_BLIS)
        cblas_sgemm(101, ta ? 112 : 111, tb ? 112 : 111, static_cast<int>(s.m),
                    static_cast<int>(s.n), static_cast<int>(s.k), 1, a.data(),
                    static_cast<int>(lda), b.data(), static_cast<int>(ldb), 0, c.data(),
                    static_cast<int>(s.n));
#endif
        break;
      case Library::eigen: {
        const Eigen::Map<const RowMajor> ma(a.data(), ta ? s.k : s.m, lda);
        const Eigen::Map<const RowMajor> mb(b.data(), tb ? s.n : s.k, ldb);
        Eigen::Map<RowMajor> mc(c.data(), s.m, s.n);
        if (!ta && !tb) mc.noalias() = ma * mb;
        if (ta && !tb) mc.noalias() = ma.transpose() * mb;
        if (!ta && tb) mc.noalias() = ma * mb.transpose();
        if (ta && tb) mc.noalias() = ma.transpose() * mb.transpose();
        break;
      }
    }
    benchmark::ClobberMemory();
  }
  omp_set_num_threads(own_threads);
  const auto products = static_cast<double>(state.iterations());
  state.counters["flops"] =
      benchmark::Counter(products * gemm_flops(s.m, s.n, s.k), benchmark::Counter::kIsRate);
  state.counters["bytes"] = benchmark::Counter(products * gemm_bytes<float>(s.m, s.n, s.k, false),
                                               benchmark::Counter::kIsRate);
}

// A product on the software GPU in the tile of that size. The time is that of a simulation on this
// machine's processor and says nothing about a GPU; the counters are what the kernel does on
// either: bytes that it asks of global memory (requested), that must move at least (touched), and
// the cost function's (stated); operations, zeros at the edges included; instructions of warps;
// sectors and wavefronts over the least possible.
void counted_product(benchmark::State& state, cuda::GemmTileSize size, Shape s) {
  const cuda::GemmTile tile = cuda::gemm_tile<float>(size);
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::softgpu, .block_threads = tile.threads()});
  } catch (const DeviceError& e) {
    state.SkipWithError(e.what());
    return;
  }
  const auto steps = make_steps<GemmSteps, float>(*engine);
  const auto zeros = [&](Index count) {
    return to_engine(*engine, std::vector<float>(static_cast<std::size_t>(count)));
  };
  const Buffer<float> a = zeros(s.m * s.k);
  const Buffer<float> b = zeros(s.k * s.n);
  Buffer<float> c = zeros(s.m * s.n);
  const auto multiply = [&] {
    steps->gemm(s.ta, s.tb, s.m, s.n, s.k, a.data(), s.ta == Transpose::yes ? s.m : s.k, b.data(),
                s.tb == Transpose::yes ? s.k : s.n, false, c.data(), s.n);
    engine->wait();
  };
  for (auto _ : state) multiply();
  const software_gpu::Counting counting;
  multiply();
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  const auto& kernel = counters.at("kernels").at(0);
  const auto number = [&](const char* group, const char* what, const char* which) {
    return kernel.at(group).at(what).at(which).get<double>();
  };
  const auto ratio = [&](const char* group, const std::string& unit) {
    double used = 0;
    double ideal = 0;
    for (const char* access : {"load", "store"}) {
      used += number(group, access, unit.c_str());
      ideal += number(group, access, ("ideal_" + unit).c_str());
    }
    return used / ideal;
  };
  state.counters["requested"] =
      number("global", "load", "bytes") + number("global", "store", "bytes");
  state.counters["stated"] = cuda::gemm_kernel_bytes<float>(tile, s.m, s.n, s.k, false);
  state.counters["touched"] = kernel.at("touched").at("read_bytes").get<double>() +
                              kernel.at("touched").at("written_bytes").get<double>();
  state.counters["operations"] = kernel.at("flops").at("f32").get<double>();
  state.counters["stated_operations"] = cuda::gemm_kernel_flops(tile, s.m, s.n, s.k);
  state.counters["warp_instructions"] = kernel.at("instructions").at("warp").get<double>();
  state.counters["sectors_per_ideal"] = ratio("global", "sectors");
  state.counters["wavefronts_per_ideal"] = ratio("shared", "wavefronts");
  state.SetLabel("simulated: the time is not a GPU's");
}

const bool registered = [] {
  const Transpose no = Transpose::no;
  const Transpose yes = Transpose::yes;
  const std::vector<Shape> shapes{{2048, 2048, 2048, no, no},  {512, 512, 512, no, no},
                                  {128, 128, 784, no, no},     {784, 128, 128, yes, no},
                                  {128, 128, 128, no, yes},    {128, 10, 128, no, no},
                                  {128, 128, 10, no, yes},     {128, 10, 128, yes, no},
                                  {2048, 2048, 2048, no, yes}, {32, 32, 32, no, no}};
  std::vector<std::pair<std::string, Library>> libraries{{"chains", Library::chains},
                                                         {"eigen", Library::eigen}};
#if defined(TANDEM_HAS_ONEDNN)
  libraries.insert(libraries.begin() + 1, {"onednn", Library::onednn});
#endif
#if defined(TANDEM_BENCH_BLIS)
  libraries.insert(libraries.end() - 1, {"blis", Library::blis});
#endif
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  for (const int threads : cores > 1 ? std::vector<int>{1, cores} : std::vector<int>{1}) {
    for (const Shape& s : shapes) {
      for (const auto& [name, library] : libraries) {
        const std::string title = "sgemm/" + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" +
                                  std::to_string(s.k) + (s.ta == yes ? "/T" : "/N") +
                                  (s.tb == yes ? "T/" : "N/") + name +
                                  "/threads:" + std::to_string(threads);
        auto* b = benchmark::RegisterBenchmark(title.c_str(), product, library, s, threads);
        // One thread: its processor time, which other work on the machine distorts less.
        if (threads > 1) b->UseRealTime();
      }
    }
  }
  for (const Shape& s : {Shape{512, 512, 512, no, no}, Shape{512, 512, 512, no, yes},
                         Shape{512, 512, 512, yes, no}, Shape{128, 10, 128, no, no}}) {
    for (const cuda::GemmTileSize size : cuda::gemm_tile_sizes) {
      const std::string title =
          "counted/" + std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k) +
          (s.ta == yes ? "/T" : "/N") + (s.tb == yes ? "T" : "N") +
          "/blocks_of:" + std::to_string(cuda::gemm_tile<float>(size).threads());
      benchmark::RegisterBenchmark(title.c_str(), counted_product, size, s)
          ->Iterations(1)
          ->Unit(benchmark::kMillisecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace tandem
