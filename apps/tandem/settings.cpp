#include "tandem/settings.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>

#include "common/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/memory_limit.hpp"
#include "tandem/data/split.hpp"
#include "tandem/out_of_core.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

Bytes Bytes::parse(std::string_view text) {
  if (text.empty() || text == "all") return {};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  int shift = 0;
  if (!unit.empty()) {
    const auto at = std::string_view("KMGT").find(
        static_cast<char>(std::toupper(static_cast<unsigned char>(unit.front()))));
    shift = at == std::string_view::npos ? -1 : static_cast<int>(at + 1) * 10;
    unit.remove_prefix(1);
  }
  if (error != std::errc() || number == 0 || shift < 0 || !unit.empty() ||
      number > (std::uint64_t{1} << 62) >> shift) {
    throw InputError("expected a number of bytes, as in 512M or 8G (K, M, G, T), not '" +
                     std::string(text) + "'");
  }
  return {static_cast<std::size_t>(number << shift)};
}

std::string Bytes::to_string() const { return count == 0 ? "all" : std::to_string(count); }

void RunSettings::visit(OptionVisitor& visitor) {
  visitor.choice("device", device, "where the work runs");
  visitor.choice("numerics", numerics,
                 "exact: the same bits on every device, for any number of threads; fast: vendor "
                 "libraries, agreement within a bound; fast-tf32, fast-bf16: on a GPU, products of "
                 "factors rounded to 10 or 7 bits of fraction");
  visitor.integer("threads", threads, "threads of the CPU; 0 takes all cores", 0, 4096);
  visitor.integer("device_index", device_index, "cuda, softgpu: which of several GPUs", 0, 1023);
  visitor.written("device_memory", device_memory,
                  "cuda, softgpu: memory of the GPU that may be used, as in 512M or 8G; rows that "
                  "do not fit are streamed from the host, with the same results",
                  "BYTES");
  visitor.integer(
      "block_threads", block_threads,
      "cuda, softgpu: threads of a block where a kernel leaves the choice, a power of "
      "two from 32 to 1024; 0 leaves it to each kernel. In exact numerics it changes no "
      "result",
      0, 1024);
  visitor.written("memory_limit", memory_limit,
                  "memory of the host that may be used, as in 4G: what would take more at one go "
                  "is refused, or, with a folder for it, kept on disk; without it, what there is",
                  "BYTES");
  visitor.choice("precision", precision, "type of features and parameters");
  visitor.seed(seed);
  visitor.flag("json", json, "print the result as JSON");
  visitor.flag("quiet", quiet, "no progress and no remarks");
}

void RunSettings::add_options(OptionSet& options, bool trains) {
  options.group("Run");
  if (trains) {
    visit(options);
  } else {
    WithoutOptions of_engine(options, {"precision", "seed"});
    visit(of_engine);
  }
}

std::unique_ptr<Engine> RunSettings::make_engine() const {
  if (!begin_out_of_core(static_cast<Index>(memory_limit.count))) {
    set_memory_limit(static_cast<Index>(memory_limit.count));
  }
  EngineOptions options;
  options.device = device;
  options.numerics = numerics;
  options.threads = static_cast<int>(threads);
  options.device_index = static_cast<int>(device_index);
  options.device_memory = device_memory.count;
  options.block_threads = static_cast<int>(block_threads);
  return Engine::create(options);
}

void RunSettings::say(const std::string& text) const {
  if (!quiet) note(text);
}

void DataSettings::visit(OptionVisitor& visitor) {
  visitor.written(
      "data", data,
      "the data set: CSV, TSV, Parquet, Arrow, .npy, .npz, libsvm or IDX, also compressed, or a "
      "folder of one kind of them; - is standard input",
      "FILE");
  visitor.text("target", target,
               "the target column: its name, its position from 0, from the end if negative, or "
               "last");
  visitor.written("target_file", target_file, "a .npy or IDX file with the target alone", "FILE");
  visitor.text("weights", weights, "the column of sample weights, named like the target");
  visitor.written("ignore", ignore, "columns to leave out, named like the target", "NAME,...");
  visitor.flag("drop_missing_target", drop_missing_target,
               "leave out the rows whose target is missing");
  reading.visit(visitor);
  visit_out_of_core(visitor);
}

void DataSettings::add_options(OptionSet& options) {
  options.group("Data");
  visit(options);
}

ReadOptions DataSettings::read_options(const RunSettings& run) const {
  ReadOptions options;
  options.reading = reading;
  options.target = target;
  options.target_file = target_file.path;
  options.weights = weights;
  options.ignore = ignore.list;
  options.drop_missing_target = drop_missing_target;
  options.threads = static_cast<int>(run.threads);
  // On disk there is as much as the disk has left.
  if (!runs_out_of_core()) {
    options.memory_limit = static_cast<Index>(run.memory_limit.count);
  }
  return options;
}

void DataSettings::list_inputs(OutputFiles& files) const {
  files.reads(option("data"), data.path);
  files.reads(option("target_file"), target_file.path);
}

RowShare RowShare::parse(std::string_view text) {
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    throw InputError("'" + std::string(text) +
                     "' is not a number; expected more than 0 and less than 1");
  }
  if (error != std::errc() || !(share > 0 && share < 1)) {
    throw InputError(std::string(text) + " is out of range; expected more than 0 and less than 1");
  }
  return {share};
}

std::string RowShare::to_string() const { return value ? shortest(*value) : ""; }

void TestSettings::visit(OptionVisitor& visitor) {
  visitor.written("test", test, "a second file: the model is also evaluated on it", "FILE");
  visitor.written("test_fraction", test_fraction,
                  "keep this share of the rows, drawn at random, to evaluate on", "X");
  visitor.written("validation", validation,
                  "a file to decide by when to stop early, for algorithms that do", "FILE");
}

void TestSettings::list_inputs(OutputFiles& files) const {
  files.reads(option("test"), test.path);
  files.reads(option("validation"), validation.path);
}

void add_step_options(OptionSet& options, PipelineOptions& pipeline) {
  options.group("Preprocessing, fitted on the training part and kept in the model");
  pipeline.visit_steps(options);
}

void add_pipeline_options(OptionSet& options, PipelineOptions& pipeline) {
  options.group("Options of " + std::string(pipeline.algorithm().name()));
  pipeline.visit_algorithm(options);
  add_step_options(options, pipeline);
}

std::string describe(const Engine& engine, const RunSettings& run) {
  return engine.description() + "; " + std::string(to_string(run.numerics)) + ", " +
         std::string(to_string(run.precision)) + ", seed " + std::to_string(run.seed);
}

namespace {

// Moves the last column, a categorical one, from the features to the target.
template <Real T>
void set_last_column_aside(Dataset<T>& data) {
  const Index rows = data.rows();
  const Index cols = data.cols() - 1;
  Matrix<T> features(rows, cols);
  data.target.resize(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) {
    const auto from = data.features.row(i);
    std::copy_n(from.begin(), cols, features.row(i).begin());
    data.target[static_cast<std::size_t>(i)] = from.back();
  }
  data.features = std::move(features);
  data.target_column = std::move(data.columns.back());
  data.columns.pop_back();
}

template <Real T>
bool is_table(const Dataset<T>& data) {
  return data.reading && (data.reading->format == "csv" || data.reading->format == "tsv");
}

// Distinct values where all of them are whole numbers, counted up to one more than `most`; nothing
// for fractions and where nothing is known.
template <Real T, class Values>
std::optional<std::size_t> whole_numbers(Values&& values, std::size_t most) {
  std::set<T> distinct;
  for (const T value : values) {
    if (std::isnan(value)) continue;
    if (value != std::trunc(value)) return std::nullopt;
    if (distinct.size() <= most) distinct.insert(value);
  }
  if (distinct.empty()) return std::nullopt;
  return distinct.size();
}

// A sentence where the target could be meant otherwise: whole numbers are classes or quantities.
template <Real T>
void remark_on_target(std::vector<std::string>& remarks, const Dataset<T>& data,
                      const Algorithm& algorithm, Task task) {
  const std::string target = data.source + ": the target " + data.target_column.name;
  const bool has_task = algorithm.has_option("task");
  constexpr std::size_t beyond_doubt = 100;  // so many are a quantity
  constexpr std::size_t usual = 20;          // so many may be classes
  if (data.target_column.categorical()) {
    const auto classes = data.target_column.categories.size();
    if (task == Task::classification && classes > usual &&
        2 * classes > static_cast<std::size_t>(data.rows())) {
      remarks.push_back(target + " has " + std::to_string(classes) + " different texts in " +
                        std::to_string(data.rows()) +
                        " rows, and each becomes a class; --target names another column");
    }
    return;
  }
  const auto found = whole_numbers<T>(data.target, static_cast<std::size_t>(data.rows()));
  if (!found) return;
  const std::size_t count = std::max(*found, data.target_texts.names.size());
  if (has_task && algorithm.options().get_string("task") == "auto") {
    if (*found > beyond_doubt) return;
    // Another option has decided, such as the objective of a ranking.
    if ((task == Task::classification) != (count <= usual)) return;
    remarks.push_back(target + " has " + std::to_string(count) +
                      " distinct values, all whole numbers, and is taken as " +
                      (task == Task::classification
                           ? "classes, since they are at most 20; --task regression"
                           : "a quantity, since they are more than 20; --task classification") +
                      " says otherwise");
  } else if (task == Task::classification && count > usual) {
    remarks.push_back(target + " is a number of " + std::to_string(count) +
                      " distinct values, and each of them becomes a class; " +
                      (has_task ? "--task regression predicts it"
                                : "an algorithm of regression, such as linear-regression, "
                                  "predicts it") +
                      " as a quantity");
  }
}

// A sentence where the last column could be labels and is looked at like the others.
template <Real T>
void remark_on_last_column(std::vector<std::string>& remarks, const Dataset<T>& data, Task task) {
  if (data.cols() < 2 || data.columns.back().categorical()) return;
  std::vector<T> values;
  for (Index i = 0; i < data.rows(); ++i) values.push_back(data.features(i, data.cols() - 1));
  constexpr std::size_t most_labels = 20;
  const auto found = whole_numbers<T>(values, most_labels);
  // A label has several values, and several rows of each.
  if (!found || *found < 2 || *found > most_labels ||
      3 * *found > static_cast<std::size_t>(data.rows())) {
    return;
  }
  const std::string& name = data.columns.back().name;
  remarks.push_back(
      data.source + ": the last column, " + name + ", holds " + std::to_string(*found) +
      " different whole numbers and is " + (task == Task::detection ? "looked at" : "clustered") +
      " like the others. Is it a label? --target " + quoted_for_shell(name) +
      " sets it aside and compares the " + (task == Task::detection ? "scores" : "clusters") +
      " with it, --ignore " + quoted_for_shell(name) + " leaves it out");
}

// A sentence where columns of categories reach the algorithm as they are.
template <Real T>
void remark_on_categories(std::vector<std::string>& remarks, const Dataset<T>& data,
                          const PipelineOptions& pipeline) {
  const Archive steps = pipeline.record_steps();
  constexpr const char* method = "encode.method";
  if (!pipeline.algorithm().takes_categories() || !steps.has(method) ||
      steps.get_string(method) != "none") {
    return;
  }
  constexpr std::size_t most_named = 3;
  std::string names;
  std::size_t count = 0;
  for (const Column& column : data.columns) {
    if (!column.categorical()) continue;
    if (++count > most_named) continue;
    names += (count > 1 ? ", " : "") + column.name + " (" +
             std::to_string(column.categories.size()) + ")";
  }
  if (count == 0) return;
  if (count > most_named) names += " and " + std::to_string(count - most_named) + " more";
  remarks.push_back(data.source + ": splits by sets of categories: " + names +
                    "; --encode one-hot makes an indicator of each instead");
}

template <Real T>
Split split_rows(const Dataset<T>& data, Task task, double fraction, std::uint64_t seed) {
  if (data.has_groups()) return group_train_test_split(data.groups, fraction, seed);
  if (data.has_target() && (task == Task::classification || task == Task::detection)) {
    try {
      return stratified_train_test_split(encode_classes(data).labels, fraction, seed);
    } catch (const InputError& error) {
      if (task == Task::detection) return train_test_split(data.rows(), fraction, seed);
      log::warning(error.marked() + "; the rows are split without regard to classes");
    }
  }
  return train_test_split(data.rows(), fraction, seed);
}

}  // namespace

template <Real T>
LoadedData<T> load_data(const RunSettings& run, const DataSettings& data, const TestSettings* test,
                        const Algorithm& algorithm) {
  if (data.data.path.empty()) throw InputError("expected --data FILE: the data set to train on");
  if (test != nullptr && !test->test.path.empty() && test->test_fraction.value) {
    throw InputError("--test and --test-fraction exclude each other; give one");
  }
  if (runs_out_of_core()) require_out_of_core(algorithm);
  LoadedData<T> loaded;
  ReadOptions options = data.read_options(run);
  const bool unsupervised = algorithm.kind() != ModelKind::predictor;
  const bool chosen = !data.target.empty() || !data.target_file.path.empty();
  options.last_column_is_target = !chosen && !unsupervised;
  loaded.train = runs_out_of_core() ? read_through_cache<T>(run, data.data.path, options)
                                    : read_dataset<T>(data.data.path, options);
  const bool table = !chosen && is_table(loaded.train);
  if (table && unsupervised && loaded.train.cols() > 1 &&
      loaded.train.columns.back().categorical()) {
    set_last_column_aside(loaded.train);
  }
  if (loaded.train.has_target()) {
    if (chosen) {
      loaded.target_rule = "as --target asks";
    } else if (table) {
      loaded.target_rule = unsupervised ? "the last column, of texts: set aside to compare with"
                                        : "the last column; --target names another";
    } else {
      loaded.target_rule = "the target of the file";
    }
  } else if (!unsupervised) {
    throw InputError(data.data.path +
                     ": has no target; name a column with --target, or a file with "
                     "--target-file");
  }
  loaded.task = algorithm.task(loaded.train);
  if (!unsupervised) {
    remark_on_target(loaded.remarks, loaded.train, algorithm, loaded.task);
  } else if (table && !loaded.train.has_target()) {
    remark_on_last_column(loaded.remarks, loaded.train, loaded.task);
  }
  for (const std::string& remark : loaded.remarks) run.say(remark);
  if (test == nullptr) return loaded;
  if (test->test_fraction.value) {
    const Split split = split_rows(loaded.train, loaded.task, *test->test_fraction.value, run.seed);
    loaded.test = select_rows(loaded.train, split.test);
    loaded.train = select_rows(loaded.train, split.train);
  }
  const Schema schema{loaded.train.columns, loaded.train.target_column,
                      loaded.train.reading ? *loaded.train.reading : Reading()};
  const auto read_more = [&](const std::string& path) {
    ReadOptions more = data.read_options(run);
    more.target_file.clear();
    more.schema = &schema;
    // In a file with names the schema's target wins over a position; without, it is where the
    // training data had it.
    more.target = table && !unsupervised ? "last" : options.target;
    return read_dataset<T>(path, more);
  };
  if (!test->test.path.empty()) {
    loaded.test = read_more(test->test.path);
    if (!loaded.test->has_target() && !unsupervised) {
      throw InputError(test->test.path + ": has no column " + loaded.train.target_column.name +
                       ", the target; a test file needs one");
    }
  }
  if (!test->validation.path.empty()) {
    loaded.validation = read_more(test->validation.path);
    if (!loaded.validation->has_target() && !unsupervised) {
      throw InputError(test->validation.path + ": has no column " +
                       loaded.train.target_column.name +
                       ", the target; a validation file needs one");
    }
  }
  return loaded;
}

template <Real T>
LoadedData<T> load_data(const RunSettings& run, const DataSettings& data, const TestSettings* test,
                        const PipelineOptions& pipeline) {
  LoadedData<T> loaded = load_data<T>(run, data, test, pipeline.algorithm());
  const std::size_t said = loaded.remarks.size();
  remark_on_categories(loaded.remarks, loaded.train, pipeline);
  for (std::size_t k = said; k < loaded.remarks.size(); ++k) run.say(loaded.remarks[k]);
  return loaded;
}

template <Real T>
Dataset<T> load_data_for(const RunSettings& run, const DataSettings& data,
                         const Pipeline<T>& model) {
  if (data.data.path.empty()) throw InputError("expected --data FILE: the data set");
  ReadOptions options = data.read_options(run);
  options.schema = &model.schema;
  return read_dataset<T>(data.data.path, options);
}

template LoadedData<float> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                     const PipelineOptions&);
template LoadedData<double> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                      const PipelineOptions&);
template LoadedData<float> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                     const Algorithm&);
template LoadedData<double> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                      const Algorithm&);
template Dataset<float> load_data_for(const RunSettings&, const DataSettings&,
                                      const Pipeline<float>&);
template Dataset<double> load_data_for(const RunSettings&, const DataSettings&,
                                       const Pipeline<double>&);

}  // namespace tandem::program
