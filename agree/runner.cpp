#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>

#include "agree/case.hpp"
#include "core/engine_backend.hpp"
#include "tandem/core/error.hpp"

namespace tandem::agree {
namespace {

// Three of the devices that the software GPU can pose as, one of each generation.
constexpr const char* software_models = "a100,rtx4090,h100";
constexpr int models = 3;
constexpr std::uint64_t schedule_seeds[] = {0, 1, 20261123};
constexpr int block_threads[] = {64, 256};
constexpr int cpu_threads[] = {1, 2, 7};
// How often each kind of data has its turn in a default run.
constexpr int rounds = 3;

const std::vector<Index>& usual_sizes() {
  static const std::vector<Index> sizes{1, 2, 7, 31, 33, 100, 257, 1025};
  return sizes;
}

// Blocks of rows of the cases that are about the shape of long sums.
const std::vector<Index>& block_counts() {
  static const std::vector<Index> counts{4, 5, 6, 7, 8, 9, 15, 16, 17, 33};
  return counts;
}

// The software GPU's own controls, or null where the CUDA runtime is another or not loaded. See
// softgpu/runtime/control.h.
using SetSeed = void (*)(std::uint64_t);
SetSeed schedule_control() {
  void* runtime = dlopen("libcudart.so.13", RTLD_NOW | RTLD_NOLOAD);
  if (runtime == nullptr) return nullptr;
  const auto function = reinterpret_cast<SetSeed>(dlsym(runtime, "softgpu_set_seed"));
  (void)dlclose(runtime);
  return function;
}

std::string plural(Index count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

}  // namespace

struct Runner::Engines {
  struct Configuration {
    Engine* engine = nullptr;
    std::uint64_t schedule = 0;
    std::string name;
  };

  std::unique_ptr<Engine> reference;
  std::vector<std::unique_ptr<Engine>> cpu;
  std::vector<std::unique_ptr<Engine>> cuda;
  std::vector<std::vector<Configuration>> cuda_by_model;  // schedule × block size of each
  Device cuda_device = Device::cpu;
  SetSeed set_schedule = nullptr;

  explicit Engines(const AgreementOptions& options) {
    const auto wants = [&](Device device) {
      return std::find(options.devices.begin(), options.devices.end(), device) !=
             options.devices.end();
    };
    if (wants(Device::cuda) && wants(Device::softgpu)) {
      throw InputError("devices: cuda and softgpu exclude each other in one process");
    }
    if (!wants(Device::cpu)) {
      throw InputError("devices: cpu is what the others are compared with; name it");
    }
    if (wants(Device::reference)) {
      reference = Engine::create({.device = Device::reference});
    }
    for (const int threads : cpu_threads) {
      cpu.push_back(Engine::create(
          {.device = Device::cpu, .numerics = options.numerics, .threads = threads}));
    }
    if (wants(Device::cuda) || wants(Device::softgpu)) {
      make_cuda(wants(Device::cuda) ? Device::cuda : Device::softgpu, options.numerics);
    }
  }

  ~Engines() {
    if (set_schedule != nullptr) set_schedule(0);
  }
  Engines(const Engines&) = delete;
  Engines& operator=(const Engines&) = delete;

  void make_cuda(Device device, Numerics numerics) {
    cuda_device = device;
    if (device == Device::softgpu) setenv("SOFTGPU_MODEL", software_models, 0);
    for (int model = 0; model < models; ++model) {
      std::vector<Configuration> configurations;
      for (const int threads : block_threads) {
        EngineOptions engine{.device = device, .numerics = numerics, .device_index = model};
        engine.block_threads = threads;
        try {
          cuda.push_back(Engine::create(engine));
        } catch (const InputError&) {
          // The machine has fewer devices.
          if (model == 0) throw;
          return;
        }
        if (device == Device::softgpu) set_schedule = schedule_control();
        for (const std::uint64_t schedule : schedule_seeds) {
          if (set_schedule == nullptr && schedule != 0) continue;
          std::string name = cuda.back()->description() + ", blocks of " + std::to_string(threads);
          if (set_schedule != nullptr) name += ", schedule " + std::to_string(schedule);
          configurations.push_back({cuda.back().get(), schedule, std::move(name)});
        }
      }
      cuda_by_model.push_back(std::move(configurations));
    }
  }
};

// One case on one engine.
struct Runner::Attempt {
  Outputs outputs;
  std::string engine;

  Attempt(const Case& one, Engine& on, const Outputs* follow, std::string name)
      : engine(std::move(name)) {
    try {
      one.run(on, follow, outputs);
    } catch (const InputError& error) {
      refuse("InputError", error.what());
    } catch (const NumericalError& error) {
      refuse("NumericalError", error.what());
    }
  }

 private:
  void refuse(const char* kind, const char* what) {
    outputs = Outputs();
    outputs.refusal = std::string(kind) + ": " + what;
  }
};

Runner::Runner(AgreementOptions options)
    : options_(std::move(options)), engines_(std::make_unique<Engines>(options_)) {
  for (const auto& kind : options_.kinds) (void)parse_data_kind(kind);
  for (const Index size : options_.sizes) {
    if (size < 1) throw InputError("sizes: expected 1 row or more, not " + std::to_string(size));
  }
  if (options_.cases < 0) throw InputError("cases: expected 0 or more");
}
Runner::~Runner() = default;

int Runner::usual_cases() const {
  if (options_.cases > 0) return options_.cases;
  return rounds * (options_.kinds.empty() ? data_kinds : static_cast<int>(options_.kinds.size()));
}

int Runner::cases_per_line(const Part& part) const {
  const bool default_run = options_.cases == 0 && options_.sizes.empty();
  return usual_cases() +
         (default_run && part.many_blocks ? static_cast<int>(block_counts().size()) : 0);
}

std::vector<std::string> Runner::engines() const {
  std::vector<std::string> all;
  if (engines_->reference) all.push_back(engines_->reference->description());
  std::string cpu = engines_->cpu.back()->description();
  // "cpu, 7 threads, AVX2" stands for all three.
  const std::string last = std::to_string(cpu_threads[2]);
  if (const auto at = cpu.find(last); at != std::string::npos)
    cpu.replace(at, last.size(), "1, 2 and 7");
  all.push_back(cpu);
  for (const auto& configurations : engines_->cuda_by_model) {
    std::string text =
        configurations.front().engine->description() + "; blocks of 64 and 256 threads";
    if (engines_->set_schedule != nullptr) text += "; 3 schedules";
    all.push_back(std::move(text));
  }
  return all;
}

bool Runner::software_gpu() const { return engines_->cuda_device == Device::softgpu; }

Key Runner::key_of(const Part& part, Precision precision, int number) const {
  std::vector<DataKind> kinds;
  for (const auto& name : options_.kinds) kinds.push_back(parse_data_kind(name));
  for (int i = 0; kinds.empty() || (options_.kinds.empty() && i < data_kinds); ++i) {
    kinds.push_back(static_cast<DataKind>(i));
  }
  std::vector<Index> sizes = options_.sizes;
  if (sizes.empty()) {
    for (const Index size : usual_sizes()) {
      if (size <= part.largest) sizes.push_back(size);
    }
  }
  const auto n = static_cast<std::size_t>(number);
  Key key;
  key.kind = kinds[n % kinds.size()];
  // A stride that visits all sizes, and shifts by one each time that the kinds have gone round.
  key.rows = sizes[(n * 3 + n / kinds.size() + sizes.size() - 1) % sizes.size()];
  if (number >= usual_cases()) {
    // A last block of 1 to 1024 rows.
    const auto blocks = block_counts().at(static_cast<std::size_t>(number - usual_cases()));
    Draw draw(options_.seed + n, 1);
    key.rows = (blocks - 1) * sum_block + draw.between(1, sum_block);
  }
  key.precision = precision;
  key.numerics = options_.numerics;
  key.seed = options_.seed + n;
  return key;
}

std::string Runner::command_of(const std::string& algorithm, const Part& part, const Key& key,
                               bool all) const {
  std::string devices;
  for (const Device device : options_.devices) {
    devices += (devices.empty() ? "" : ",") + std::string(tandem::to_string(device));
  }
  return "tandem agree " + algorithm + " --parts " + part.name + " --data " +
         std::string(to_string(key.kind)) + " --sizes " + std::to_string(key.rows) +
         " --precision " + std::string(tandem::to_string(key.precision)) +
         (key.numerics == Numerics::exact
              ? ""
              : " --numerics " + std::string(tandem::to_string(key.numerics))) +
         " --seed " + std::to_string(key.seed) + " --cases 1 --devices " + devices +
         (all ? " --all-configurations" : "");
}

void Runner::run_case(const std::string& algorithm, const Part& part, const Key& key, int number,
                      AgreementLine& line) {
  const std::unique_ptr<Case> one = part.make(key);
  const auto describe = [&](bool all) {
    AgreementWorst worst;
    worst.case_text = std::string(to_string(key.kind)) + ", " + plural(key.rows, "row") + ", " +
                      std::string(tandem::to_string(key.precision)) + ", seed " +
                      std::to_string(key.seed);
    worst.command = command_of(algorithm, part, key, all);
    return worst;
  };
  const Attempt first(*one, *engines_->cpu.front(), nullptr, engines_->cpu.front()->description());

  const auto judge = [&](const Attempt& attempt) {
    if (!engines_->reference || !attempt.outputs.refusal.empty()) return;
    const Attempt reference(*one, *engines_->reference, &attempt.outputs, "reference");
    if (!reference.outputs.refusal.empty()) {
      throw NumericalError("the reference refuses what " + attempt.engine + " computes: " +
                           reference.outputs.refusal + " (" + describe(false).command + ")");
    }
    Judge judgement(attempt.outputs, reference.outputs, key.numerics);
    one->judge(judgement);
    line.judged += judgement.judged;
    line.unbounded += judgement.unbounded;
    line.outside += judgement.outside;
    if (judgement.judged == judgement.unbounded) return;
    const auto& found = judgement.worst;
    const auto share = [](double error, double bound) {
      return Judge::Finding{{}, 0, Tolerance::exact, 0, 0, error, bound}.share();
    };
    if (!line.worst || found.share() > share(line.worst->error, line.worst->bound)) {
      line.worst = describe(false);
      line.worst->engine = attempt.engine;
      line.worst->output = found.output;
      line.worst->element = found.element;
      line.worst->tolerance = std::string(to_string(found.tolerance));
      line.worst->value = found.value;
      line.worst->expected = found.expected;
      line.worst->error = found.error;
      line.worst->bound = found.bound;
    }
  };
  const auto compare = [&](const Attempt& attempt) {
    if (key.numerics != Numerics::exact) {
      judge(attempt);
      return;
    }
    const Difference difference = differing_bits(attempt.outputs, first.outputs);
    line.elements += difference.elements;
    line.differing_elements += difference.differing;
    line.differing_bits += difference.bits;
    if (difference.differing > 0 && !line.first_difference) {
      line.first_difference = describe(true);
      auto& worst = *line.first_difference;
      worst.engine = attempt.engine;
      worst.output = difference.output;
      worst.element = difference.element;
      worst.tolerance = "exact";
      worst.value = difference.value;
      worst.expected = difference.expected;
      worst.error = std::abs(worst.value - worst.expected);
    }
    // Where two results differ, either may be the wrong one.
    if (difference.differing > 0) judge(attempt);
  };

  ++line.cases;
  if (!first.outputs.refusal.empty()) ++line.refused;
  judge(first);
  for (std::size_t i = 1; i < engines_->cpu.size(); ++i) {
    compare(Attempt(*one, *engines_->cpu[i], nullptr, engines_->cpu[i]->description()));
  }
  for (const auto& configurations : engines_->cuda_by_model) {
    for (std::size_t c = 0; c < configurations.size(); ++c) {
      // Each model starts its round elsewhere, and so does each round of the kinds of data.
      const auto turn =
          static_cast<std::size_t>(number + number / data_kinds) +
          2 * static_cast<std::size_t>(&configurations - engines_->cuda_by_model.data());
      if (!options_.all_configurations && c != turn % configurations.size()) continue;
      const auto& on = configurations[c];
      if (engines_->set_schedule != nullptr) engines_->set_schedule(on.schedule);
      compare(Attempt(*one, *on.engine, nullptr, on.name));
    }
  }
}

AgreementLine Runner::run(const std::string& algorithm, const Part& part, Precision precision,
                          RunControl& control) {
  const auto start = std::chrono::steady_clock::now();
  AgreementLine line;
  line.algorithm = algorithm;
  line.part = part.name;
  line.summary = part.summary;
  line.bound = part.bound;
  line.precision = precision;
  for (const auto& configurations : engines_->cuda_by_model) {
    for (const std::string& steps : part.needs) {
      const std::string name = steps + "_" + std::string(tandem::to_string(precision));
      if (backend(*configurations.front().engine).steps_factory(name) == nullptr &&
          line.failure.empty()) {
        line.failure = "not there: the CUDA half has no steps called " + name;
      }
    }
  }
  for (int number = 0; line.failure.empty() && number < cases_per_line(part); ++number) {
    if (control.stop_requested()) {
      throw Interrupted("stopped because an interrupt was received");
    }
    const Key key = key_of(part, precision, number);
    try {
      run_case(algorithm, part, key, number, line);
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& error) {
      line.failure =
          std::string(error.what()) + " (" + command_of(algorithm, part, key, true) + ")";
    }
  }
  line.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return line;
}

}  // namespace tandem::agree

namespace tandem {

bool AgreementReport::agrees() const noexcept {
  return std::all_of(lines.begin(), lines.end(),
                     [](const AgreementLine& line) { return line.agrees(); });
}

std::vector<std::string> agreement_parts(std::string_view algorithm) {
  std::vector<std::string> names;
  for (const auto& part : agree::find_agreement(algorithm)) names.push_back(part.name);
  return names;
}

AgreementReport check_agreement(const AgreementOptions& options, RunControl& control) {
  struct Work {
    std::string algorithm;
    agree::Part part;
    Precision precision;
  };
  std::vector<Work> work;
  std::string known;
  for (const auto& name : options.algorithms.empty() ? agreement_names() : options.algorithms) {
    for (const auto& part : agree::find_agreement(name)) {
      if (known.find(part.name) == std::string::npos)
        known += (known.empty() ? "" : ", ") + part.name;
      if (!options.parts.empty() &&
          std::find(options.parts.begin(), options.parts.end(), part.name) == options.parts.end()) {
        continue;
      }
      for (const Precision precision : options.precisions) work.push_back({name, part, precision});
    }
  }
  for (const auto& part : options.parts) {
    if (std::none_of(work.begin(), work.end(),
                     [&](const Work& w) { return w.part.name == part; })) {
      throw InputError("unknown part '" + part + "'; the parts of what was asked for are " + known);
    }
  }
  agree::Runner runner(options);
  AgreementReport report;
  report.engines = runner.engines();
  report.software_gpu = runner.software_gpu();
  for (const Work& one : work) {
    const std::string stage = one.algorithm + " " + one.part.name + ", line";
    control.report({.stage = stage,
                    .done = static_cast<Index>(report.lines.size()) + 1,
                    .total = static_cast<Index>(work.size()),
                    .objective_name = {},
                    .objective = 0});
    report.lines.push_back(runner.run(one.algorithm, one.part, one.precision, control));
  }
  return report;
}

}  // namespace tandem
