// The options that several commands share, and what is made of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/control.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/option_set.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {

// A number of bytes, written "512M" or "8G"; K, M, G and T are powers of 1024.
struct Bytes {
  std::size_t count = 0;  // 0: all that there is

  [[nodiscard]] static Bytes parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// --device and what belongs to it, --numerics, --precision, --threads, --seed, --json, --quiet.
struct RunSettings {
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  Precision precision = Precision::float64;
  std::int64_t threads = 0;
  std::int64_t device_index = 0;
  Bytes device_memory;
  std::int64_t block_threads = 0;
  Bytes memory_limit;
  std::uint64_t seed = 0;
  bool json = false;
  bool quiet = false;

  void visit(OptionVisitor& visitor);
  // A command that does not train takes precision and seed from its model.
  void add_options(OptionSet& options, bool trains);
  [[nodiscard]] std::unique_ptr<Engine> make_engine() const;
  // A line on standard error, unless --quiet.
  void say(const std::string& text) const;
};

// --data and how it is read.
struct DataSettings {
  FileName data;
  std::string target;
  FileName target_file;
  std::string weights;
  Words ignore;
  bool drop_missing_target = false;
  Reading reading;

  void visit(OptionVisitor& visitor);
  void add_options(OptionSet& options);
  [[nodiscard]] ReadOptions read_options(const RunSettings& run) const;
  // Names the files that are read.
  void list_inputs(OutputFiles& files) const;
};

// A part of the rows, more than none and less than all.
struct RowShare {
  std::optional<double> value;

  [[nodiscard]] static RowShare parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// --test FILE, --test-fraction, --validation FILE.
struct TestSettings {
  FileName test;
  RowShare test_fraction;
  FileName validation;

  void visit(OptionVisitor& visitor);
  // Names the files that are read.
  void list_inputs(OutputFiles& files) const;
};

// --scale and what else the steps before the algorithm are told.
void add_step_options(OptionSet& options, PipelineOptions& pipeline);
// The algorithm's options, and those of the steps. The seed is left to RunSettings.
void add_pipeline_options(OptionSet& options, PipelineOptions& pipeline);

template <Real T>
struct LoadedData {
  Dataset<T> train;
  std::optional<Dataset<T>> test;
  std::optional<Dataset<T>> validation;
  std::string target_rule;       // one clause: how the target was chosen
  Task task = Task::clustering;  // of the whole file
  // What could be meant otherwise, a sentence each; said on standard error already.
  std::vector<std::string> remarks;
};

// A data set for an algorithm. Without --target, the last column of a table is the target of a
// supervised algorithm; for clustering it is set aside (to compare the clusters with) where it is a
// text column, and a feature where it is a numeric one (a remark says so where it could be labels).
template <Real T>
[[nodiscard]] LoadedData<T> load_data(const RunSettings& run, const DataSettings& data,
                                      const TestSettings* test, const Algorithm& algorithm);

// The same for a pipeline, which says what becomes of categories.
template <Real T>
[[nodiscard]] LoadedData<T> load_data(const RunSettings& run, const DataSettings& data,
                                      const TestSettings* test, const PipelineOptions& pipeline);

// A data set for a trained model: columns by the model's schema.
template <Real T>
[[nodiscard]] Dataset<T> load_data_for(const RunSettings& run, const DataSettings& data,
                                       const Pipeline<T>& model);

// "cpu, 2 threads, AVX-512; exact, float64, seed 0"
[[nodiscard]] std::string describe(const Engine& engine, const RunSettings& run);

}  // namespace tandem::program
