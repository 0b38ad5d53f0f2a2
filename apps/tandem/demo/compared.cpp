// Every story once more: by the textbook, and by the CUDA kernels.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/demo/storybook.hpp"

namespace tandem::program {
namespace {

using report::Mark;
using report::Page;
using report::Plot;
using report::Series;

// A kernel's name without what stands around it: "void tandem::cuda::assign_kernel<float>(...)".
std::string short_name(std::string name) {
  const std::string_view anonymous = "(anonymous namespace)::";
  if (const auto from = name.find(anonymous); from != std::string::npos) {
    name.erase(0, from + anonymous.size());
  }
  name = name.substr(0, name.find_first_of("<("));
  const auto at = name.find_last_of(": ");
  if (at != std::string::npos) name = name.substr(at + 1);
  if (name.ends_with("_kernel")) name.resize(name.size() - 7);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

// Clusters numbered in the order of their first rows: of starts that end equally well, the two
// engines may take different ones, which number the same clusters differently.
std::vector<std::int32_t> by_appearance(std::vector<std::int32_t> labels) {
  std::map<std::int32_t, std::int32_t> numbers;
  for (auto& label : labels) {
    label = numbers.emplace(label, static_cast<std::int32_t>(numbers.size())).first->second;
  }
  return labels;
}

}  // namespace

void Storybook::compare(Page& page, const std::string& story, const Recipe& recipe,
                        const RecipeRun& cpu) {
  const RecipeRun reference = train(recipe, Device::reference);
  const auto a = cpu.model.predict_prepared(*cpu.engine, cpu.data.features.view());
  const auto b = reference.model.predict_prepared(*reference.engine, cpu.data.features.view());
  const auto rows = static_cast<Index>(cpu.data.rows());
  std::vector<std::string> row;
  if (!a.values.empty() || !a.probabilities.empty()) {
    const auto& x = a.values.empty() ? a.probabilities.values() : a.values;
    const auto& y = a.values.empty() ? b.probabilities.values() : b.values;
    double largest = 0;
    double difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      largest = std::max(largest, std::abs(x[i]));
      difference = std::max(difference, std::abs(x[i] - y[i]));
    }
    const Index length = rows + cpu.data.cols();
    const auto steps =
        static_cast<double>(std::max<Index>(1, cpu.model.provenance.algorithm == "decision-tree"
                                                   ? 1
                                                   : cpu.model.model->training().iterations));
    const double bound = steps * gamma_bound<double>(length) * std::max(largest, 1.0);
    row = {story, a.values.empty() ? "probabilities" : "predicted values", scientific(difference),
           scientific(bound), difference <= bound ? "yes" : "no"};
    figures_[story]["difference"] = difference;
    figures_[story]["bound"] = bound;
  } else {
    const auto x = by_appearance(a.labels);
    const auto y = by_appearance(b.labels);
    Index different = 0;
    for (std::size_t i = 0; i < x.size(); ++i) different += x[i] != y[i];
    row = {story, "clusters of rows", std::to_string(different), "0",
           different == 0 ? "yes" : "no"};
    figures_[story]["difference"] = different;
    figures_[story]["bound"] = 0;
  }
  page.table({{"reference against cpu", "largest difference", "bound", "within"},
              {row[1], row[2], row[3], row[4]}});
  agreements_.push_back(row);
  compare_with_gpu(story, recipe, cpu);
}

void Storybook::compare_with_gpu(const std::string& story, const Recipe& recipe,
                                 const RecipeRun& cpu) {
  if (!gpu_missing_.empty()) return;
  try {
    gpu_name_ = Engine::create({.device = Device::softgpu})->description();
  } catch (const DeviceError& error) {
    gpu_missing_ = error.spelled(Spelling());
    return;
  }
  const software_gpu::Counting counting;
  const RecipeRun run = train(recipe, Device::softgpu);
  Archive a;
  Archive b;
  cpu.model.model->save(a);
  run.model.model->save(b);
  const std::vector<std::uint8_t> x = encode_archive(a, "model");
  const std::vector<std::uint8_t> y = encode_archive(b, "model");
  Index differing = std::abs(static_cast<Index>(x.size()) - static_cast<Index>(y.size())) * 8;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    differing += std::popcount(static_cast<unsigned>(x[i] ^ y[i]));
  }
  gpu_differs_ = gpu_differs_ || differing != 0;
  double launches = 0;
  double instructions = 0;
  std::size_t kernels = 0;
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  for (const auto& kernel : counters.at("kernels")) {
    GpuKernel one{.story = story, .name = short_name(kernel.at("name"))};
    one.launches = kernel.at("launches");
    one.instructions = kernel.at("instructions").at("thread");
    for (const char* group : {"flops", "special"}) {
      for (const auto& count : kernel.at(group)) one.operations += count.get<double>();
    }
    one.bytes = kernel.at("touched").at("read_bytes").get<double>() +
                kernel.at("touched").at("written_bytes").get<double>();
    launches += one.launches;
    instructions += one.instructions;
    ++kernels;
    gpu_kernels_.push_back(one);
  }
  gpu_rows_.push_back({story, std::to_string(x.size()), std::to_string(differing),
                       std::to_string(kernels), fixed(launches, 0),
                       fixed(instructions / 1e6, instructions < 1e7 ? 2 : 0)});
  auto& figures = figures_[story]["gpu"];
  figures["engine"] = gpu_name_;
  figures["software"] = true;
  figures["differing_bits"] = differing;
  figures["launches"] = launches;
  figures["thread_instructions"] = instructions;
}

void Storybook::compare_shap_with_gpu(const std::string& story, const RecipeRun& run,
                                      const TreeEnsemble<double>& trees, const ShapValues& cpu) {
  if (!gpu_missing_.empty()) return;
  const auto engine = Engine::create({.device = Device::softgpu});
  const ShapValues gpu = shap_values(*engine, trees, std::as_const(run.data.features).view());
  Index differing = 0;
  for (std::size_t i = 0; i < cpu.values.values().size(); ++i) {
    differing += std::popcount(std::bit_cast<std::uint64_t>(cpu.values.values()[i]) ^
                               std::bit_cast<std::uint64_t>(gpu.values.values()[i]));
  }
  gpu_differs_ = gpu_differs_ || differing != 0;
  figures_[story]["gpu"]["differing_bits_of_shapley_values"] = differing;
  shap_on_gpu_ =
      "Of the last story the " + std::to_string(cpu.values.values().size()) +
      " Shapley values were computed by CUDA kernels, too: " + std::to_string(differing) +
      " bits differ.";
}

void Storybook::agreement(Page& page) {
  page.section("", "Can you believe the pictures?");
  page.paragraph(
      "Every algorithm of Tandem is written more than once: as the textbook has it, slow and "
      "plain, and as the machine likes it, with vectors and threads. Both were trained here on "
      "the same data. Their answers may differ by rounding alone, and rounding has a limit that "
      "can be worked out beforehand.");
  std::vector<std::vector<std::string>> rows{
      {"story", "what was compared", "largest difference", "bound", "within"}};
  rows.insert(rows.end(), agreements_.begin(), agreements_.end());
  page.table(rows);
  page.paragraph(
      "The bound for numbers is (steps of training) × γₙ × (largest value, at least 1): each "
      "step "
      "adds at most the rounding γₙ = n·u / (1 − n·u) of a sum over n = rows + features terms, "
      "u = 2⁻⁵³, to first order. Clusters must hold the same rows, whatever they are numbered.");
}

void Storybook::gpu(Page& page) {
  tell("the same on a GPU");
  page.section("", "The same on a GPU");
  if (!gpu_missing_.empty()) {
    page.paragraph("Left out: " + gpu_missing_);
    figures_["gpu"] = nullptr;
    return;
  }
  page.paragraph(
      "Every story was told a third time: by the CUDA kernels that a graphics processor would "
      "run. There need not be one in this machine; the software GPU executes the kernels "
      "instruction by instruction on the CPU. That says nothing about time, and no time is "
      "shown. But the answer of thousands of threads, in an order of their own, has to be the "
      "CPU's to the last bit" +
      std::string(gpu_differs_ ? ". It is not: a bit that differs below is a fault of Tandem."
                               : ", and it is: not one bit of the models differs."));
  std::vector<std::vector<std::string>> rows{{"story", "bytes of the model", "bits that differ",
                                              "kernels", "launches",
                                              "thread instructions (million)"}};
  rows.insert(rows.end(), gpu_rows_.begin(), gpu_rows_.end());
  page.table(rows, "cpu against " + gpu_name_);
  page.paragraph(shap_on_gpu_);
  page.paragraph(
      "What the kernels do can be counted, and tells what a GPU would wait for. Each point is a "
      "kernel: to the right, how many floating-point operations it makes of each byte that it "
      "has to move; upwards, the most that an A100 could reach with that, by its data sheet "
      "(2039 GB/s, 9.7 TFLOP/s in float64). Left of the bend the memory is the limit, and only a "
      "kernel that moves fewer bytes could be faster; right of it the arithmetic is. (With data "
      "as "
      "small as this a GPU would mostly wait for its kernels to be started.)");
  constexpr double bandwidth = 2039;  // GB/s, NVIDIA A100 80GB SXM data sheet
  constexpr double peak = 9700;       // GFLOP/s in float64, without tensor cores
  const auto limit = [&](double intensity) { return std::min(peak, bandwidth * intensity); };
  Plot plot;
  plot.title = "operations per byte of each kernel, under the limits of an A100";
  plot.x = {.label = "operations per byte moved", .logarithmic = true, .from = 0.01, .to = 100.0};
  plot.y = {.label = "limit by the data sheet (GFLOP/s)",
            .logarithmic = true,
            .from = 10.0,
            .to = 20000.0};
  plot.width = 860;
  plot.height = 400;
  plot.series.push_back({.label = "limit of an A100",
                         .points = {{0.01, limit(0.01)}, {peak / bandwidth, peak}, {100, peak}},
                         .colour = -1,
                         .size = 1.3});
  int colour = 0;
  for (const auto& row : gpu_rows_) {
    Series series{.label = row[0],
                  .mark = Mark::points,
                  .colour = ++colour,
                  .shape = colour % 5,
                  .size = 1.6};
    const GpuKernel* busiest = nullptr;
    for (const GpuKernel& kernel : gpu_kernels_) {
      if (kernel.story != row[0] || kernel.operations == 0 || kernel.bytes == 0) continue;
      const double intensity = kernel.operations / kernel.bytes;
      if (intensity < 0.01 || intensity > 100) continue;
      series.points.push_back({intensity, limit(intensity)});
      if (busiest == nullptr || kernel.instructions > busiest->instructions) busiest = &kernel;
    }
    if (busiest != nullptr) {
      figures_["gpu"]["busiest"][row[0]] = {
          {"kernel", busiest->name}, {"operations_per_byte", busiest->operations / busiest->bytes}};
    }
    plot.series.push_back(std::move(series));
  }
  page.figures({{svg(plot),
                 "Operations and bytes as counted by the software GPU; the height is a limit from "
                 "a data sheet and not a measurement."}});
  std::vector<std::vector<std::string>> busy{
      {"story", "busiest kernel", "launches", "operations per byte", "limited by"}};
  for (const auto& row : gpu_rows_) {
    const GpuKernel* busiest = nullptr;
    for (const GpuKernel& kernel : gpu_kernels_) {
      if (kernel.story == row[0] &&
          (busiest == nullptr || kernel.instructions > busiest->instructions)) {
        busiest = &kernel;
      }
    }
    if (busiest == nullptr) continue;
    const double intensity = busiest->bytes > 0 ? busiest->operations / busiest->bytes : 0;
    busy.push_back({row[0], busiest->name, fixed(busiest->launches, 0), fixed(intensity, 2),
                    intensity < peak / bandwidth ? "memory" : "arithmetic"});
  }
  page.table(busy);
  page.command("tandem agree --devices reference,cpu,softgpu");
}

}  // namespace tandem::program
