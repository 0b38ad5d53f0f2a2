// Ten iterations of Lloyd's algorithm from given centres, with everything that a fit does
// around them, and one assignment of all rows by itself.
//
// Counters: flops and bytes per second that the method needs at least, by kmeans_assign_cost for
// each of the 11 assignments of ten iterations; iterations in which rows are skipped need fewer, so
// that flops may exceed the peak of the fma units. That peak: fma_peak of tandem_core_bench.
//
// assign_on_cuda times the same assignment on a GPU, where there is one. assign_counted runs its
// kernels on the software GPU, which says nothing about a GPU's time: its figures are counts, of
// the kernel alone (docs/softgpu.md), and the times beside them are this machine's, spent on
// counting.
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>

#include "core/cluster/kmeans_steps.hpp"
#include "core/random.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/data/views.hpp"

namespace tandem {
namespace {

struct Size {
  Index rows;
  Index features;
  Index clusters;
};
constexpr Size sizes[] = {{1000000, 16, 16}, {200000, 64, 64}, {100000, 128, 256}};

// Overlapping clusters, so that ten iterations do not reach the end: normal noise around `clusters`
// normal points.
Matrix<float> made_rows(const Size& size) {
  const Random random(1, Purpose::generated_value);
  Matrix<float> x(size.rows, size.features);
  for (Index i = 0; i < size.rows; ++i) {
    const auto group =
        static_cast<std::uint64_t>(random.below(size.clusters, static_cast<std::uint64_t>(i)));
    for (Index j = 0; j < size.features; ++j) {
      const auto at = static_cast<std::uint64_t>(j);
      const auto width = static_cast<std::uint64_t>(size.features);
      x(i, j) = static_cast<float>(
          random.normal((1U << 28) + group * width + at) +
          random.normal((1U << 30) + static_cast<std::uint64_t>(i) * width + at));
    }
  }
  return x;
}

KMeansOptions options_for(const Size& size) {
  KMeansOptions options;
  options.clusters = size.clusters;
  options.init = KMeansInit::given;
  options.max_iterations = 10;
  options.tolerance = 0;
  return options;
}

// The first rows.
MatrixView<const float> centres_of(const Size& size, const Matrix<float>& x) {
  return x.view().rows_from(0, size.clusters);
}
Buffer<float> first_centres(Engine& engine, const Size& size, const Matrix<float>& x) {
  return to_engine(engine, std::vector<float>(x.data(), x.data() + size.clusters * size.features));
}

void report(benchmark::State& state, const Size& size, Index assignments) {
  const Cost cost = kmeans_assign_cost(size.rows, size.features, size.clusters, sizeof(float));
  using benchmark::Counter;
  const auto times = static_cast<double>(assignments);
  state.counters["flops"] =
      Counter(times * cost.flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
  state.counters["bytes"] =
      Counter(times * cost.bytes, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

std::string label_of(const Size& size) {
  return std::to_string(size.rows) + " x " + std::to_string(size.features) +
         ", k = " + std::to_string(size.clusters);
}

void ten_iterations(benchmark::State& state) {
  const Size& size = sizes[state.range(0)];
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(1))});
  const Matrix<float> x = made_rows(size);
  const KMeansOptions options = options_for(size);
  const auto data = view_of(x.view());
  for (auto _ : state) {
    const auto model = fit(*engine, data, options, {.initial_centres = centres_of(size, x)});
    if (model.log.iterations != 10) {
      state.SkipWithError("fewer than ten iterations");
    }
  }
  report(state, size, 11);
  state.SetLabel(label_of(size));
}

// The first assignment of a start: every row is scored and added to a sum.
void assign_on(benchmark::State& state, const Size& size, const std::unique_ptr<Engine>& engine) {
  const Matrix<float> x = made_rows(size);
  const auto steps = make_steps<KMeansSteps, float>(*engine);
  const std::vector<float> origin(static_cast<std::size_t>(size.features), 1.0F);
  (void)steps->load(x.view(), {}, origin);
  const Buffer<float> centres = first_centres(*engine, size, x);
  for (auto _ : state) {
    steps->begin(size.clusters);
    steps->assign(centres);
    engine->wait();
  }
  report(state, size, 1);
}

void assign(benchmark::State& state) {
  assign_on(state, sizes[state.range(0)],
            Engine::create({.threads = static_cast<int>(state.range(1))}));
}

void assign_on_cuda(benchmark::State& state) {
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::cuda});
  } catch (const Error& error) {
    state.SkipWithError(error.what());
    return;
  }
  assign_on(state, sizes[state.range(0)], engine);
  state.SetLabel(label_of(sizes[state.range(0)]) + ", " + engine->description());
}

// A tenth of the rows: counting is slow, and counts grow with the rows.
void assign_counted(benchmark::State& state) {
  Size size = sizes[state.range(0)];
  size.rows /= 10;
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::softgpu});
  } catch (const Error& error) {
    state.SkipWithError(error.what());
    return;
  }
  const Matrix<float> x = made_rows(size);
  const auto steps = make_steps<KMeansSteps, float>(*engine);
  (void)steps->load(x.view(), {},
                    std::vector<float>(static_cast<std::size_t>(size.features), 1.0F));
  const Buffer<float> centres = first_centres(*engine, size, x);
  for (auto _ : state) {
    steps->begin(size.clusters);
    const software_gpu::Counting counting;
    steps->assign(centres);
    engine->wait();
    const nlohmann::ordered_json counters = nlohmann::ordered_json::parse(counting.counters());
    for (const auto& kernel : counters.at("kernels")) {
      if (kernel.at("name").get<std::string>().find("assign_kernel") == std::string::npos) continue;
      const double rows = static_cast<double>(size.rows);
      const auto& touched = kernel.at("touched");
      state.counters["counted_flops"] = kernel.at("flops").value("f32", 0.0);
      state.counters["counted_bytes"] =
          touched.at("read_bytes").get<double>() + touched.at("written_bytes").get<double>();
      state.counters["warp_instructions_per_row"] =
          kernel.at("instructions").at("warp").get<double>() / rows;
      const auto over_ideal = [](const nlohmann::ordered_json& access, const char* what) {
        const double ideal = access.at(std::string("ideal_") + what).get<double>();
        return ideal > 0 ? access.at(what).get<double>() / ideal : 1.0;
      };
      state.counters["sectors_over_ideal"] = over_ideal(kernel.at("global").at("load"), "sectors");
      state.counters["wavefronts_over_ideal"] =
          over_ideal(kernel.at("shared").at("load"), "wavefronts");
    }
  }
  const Cost least = kmeans_assign_cost(size.rows, size.features, size.clusters, sizeof(float));
  state.counters["least_flops"] = least.flops;
  state.counters["least_bytes"] = least.bytes;
  state.SetLabel(label_of(size) + ", software GPU: counts of the kernel, not a GPU's time");
}

void for_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"size", "threads"})
      ->ArgsProduct({{0, 1, 2}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}
BENCHMARK(ten_iterations)->Apply(for_sizes);
BENCHMARK(assign)->Apply(for_sizes);
BENCHMARK(assign_on_cuda)
    ->ArgName("size")
    ->DenseRange(0, 2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(assign_counted)
    ->ArgName("size")
    ->DenseRange(0, 2)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem
