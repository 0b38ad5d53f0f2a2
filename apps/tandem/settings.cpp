#include "tandem/settings.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/data/split.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

constexpr std::array<std::string_view, 4> device_choices{"reference", "cpu", "cuda", "softgpu"};
constexpr std::array<std::string_view, 4> numerics_choices{"exact", "fast", "fast-tf32",
                                                           "fast-bf16"};
constexpr std::array<std::string_view, 2> precision_choices{"float64", "float32"};

// "512M" and the like in bytes; 0 for an empty text. K, M, G and T are powers of 1024.
std::size_t parse_bytes(std::string_view option, const std::string& text) {
  if (text.empty()) return 0;
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
    throw InputError("--" + std::string(option) +
                     ": expected a number of bytes, as in 512M or 8G (K, M, G, T), not '" + text +
                     "'");
  }
  return static_cast<std::size_t>(number << shift);
}

}  // namespace

void RunSettings::add_options(OptionSet& options, bool trains) {
  options.group("Run");
  options.choice("device", device, "where the work runs", device_choices);
  options.choice("numerics", numerics,
                 "exact: the same bits on every device, for any number of threads; fast: vendor "
                 "libraries, agreement within a bound; fast-tf32, fast-bf16: on a GPU, products of "
                 "factors rounded to 10 or 7 bits of fraction",
                 numerics_choices);
  options.integer("threads", threads, "threads of the CPU; 0 takes all cores", 0, 4096);
  options.integer("device-index", device_index, "cuda, softgpu: which of several GPUs", 0, 1023);
  options.text("device-memory", device_memory,
               "cuda, softgpu: memory of the GPU that may be used, as in 512M or 8G; rows that do "
               "not fit are streamed from the host, with the same results; all if left out");
  options.integer(
      "block-threads", block_threads,
      "cuda, softgpu: threads of a block where a kernel leaves the choice, a power of "
      "two from 32 to 1024; 0 leaves it to each kernel. In exact numerics it changes no "
      "result",
      0, 1024);
  if (trains) {
    options.choice("precision", precision, "type of features and parameters", precision_choices);
    options.integer("seed", seed, "seed of every random choice", 0, INT64_MAX);
  }
  options.flag("json", json, "print the result as JSON");
  options.flag("quiet", quiet, "no progress and no remarks");
}

std::unique_ptr<Engine> RunSettings::make_engine() const {
  EngineOptions options;
  options.device = parse_device(device);
  options.numerics = parse_numerics(numerics);
  options.threads = static_cast<int>(threads);
  options.device_index = static_cast<int>(device_index);
  options.device_memory = parse_bytes("device-memory", device_memory);
  options.block_threads = static_cast<int>(block_threads);
  return Engine::create(options);
}

void RunSettings::say(const std::string& text) const {
  if (!quiet) note(text);
}

void DataSettings::add_options(OptionSet& options) {
  options.group("Data");
  options.file("data", data, "the data set: CSV, TSV, .npy, .npz, libsvm or IDX, also compressed");
  options.text("target", target,
               "the target column: its name, its position from 0, from the end if negative, or "
               "last");
  options.file("target-file", target_file, "a .npy or IDX file with the target alone");
  options.text("weights", weights, "the column of sample weights, named like the target");
  options.words("ignore", ignore, "columns to leave out, named like the target", "NAME,...");
  std::vector<std::string_view> formats{"auto"};
  formats.insert(formats.end(), format_names().begin(), format_names().end());
  options.choice("format", format, "the format of the file; auto looks at it", formats);
  constexpr std::array<std::string_view, 3> header_choices{"auto", "yes", "no"};
  options.choice("header", header, "CSV: whether the first line names the columns", header_choices);
  options.text("delimiter", delimiter, "CSV: what separates fields; found out if left out");
  options.words("missing", missing, "CSV: texts that stand for a missing value", "TEXT,...");
  options.integer("features", features, "libsvm: number of features; 0 takes the largest index", 0,
                  INT64_MAX);
  constexpr std::array<std::string_view, 3> base_choices{"auto", "0", "1"};
  options.choice("index-base", index_base, "libsvm: the index of the first feature", base_choices);
}

ReadOptions DataSettings::read_options(const RunSettings& run) const {
  ReadOptions options;
  options.format = format;
  options.target = target;
  options.target_file = target_file;
  options.weights = weights;
  options.ignore = ignore;
  if (header != "auto") options.header = header == "yes";
  if (delimiter == "\\t" || delimiter == "tab") {
    options.delimiter = '\t';
  } else if (delimiter.size() == 1) {
    options.delimiter = delimiter.front();
  } else if (!delimiter.empty()) {
    throw InputError("--delimiter: '" + delimiter +
                     "' is not one character; expected ; or tab, say");
  }
  options.missing = missing;
  options.features = features;
  if (index_base != "auto") options.index_base = index_base == "1" ? 1 : 0;
  options.threads = static_cast<int>(run.threads);
  return options;
}

void TestSettings::add_options(OptionSet& options) {
  options.file("test", test, "a second file: the model is also evaluated on it");
  options.real("test-fraction", test_fraction,
               "keep this share of the rows, drawn at random, to evaluate on", 0, 1);
  options.file("validation", validation,
               "a file to decide by when to stop early, for algorithms that do");
}

void PreprocessSettings::add_options(OptionSet& options, const Algorithm& algorithm) {
  scale = algorithm.prefers_scaled_features() ? "standard" : "none";
  options.group("Preprocessing, fitted on the training part and kept in the model");
  constexpr std::array<std::string_view, 3> scales{"none", "standard", "minmax"};
  options.choice("scale", scale, "bring numeric columns to one scale", scales);
  constexpr std::array<std::string_view, 5> imputes{"none", "mean", "median", "most-frequent",
                                                    "constant"};
  options.choice("impute", impute, "fill missing values", imputes);
  options.real("impute-constant", impute_constant, "the value for --impute constant", -1e300,
               1e300);
  constexpr std::array<std::string_view, 3> encodes{"one-hot", "ordinal", "none"};
  options.choice("encode", encode, "turn text columns into numbers", encodes);
  constexpr std::array<std::string_view, 3> kinds{"none", "zscore", "iqr"};
  options.choice("outliers", outliers, "find outliers of numeric columns", kinds);
  constexpr std::array<std::string_view, 3> actions{"report", "drop", "clip"};
  options.choice("outlier-action", outlier_action, "what becomes of them", actions);
  options.real("outlier-threshold", outlier_threshold,
               "how far out is an outlier (zscore 3, iqr 1.5 if left out)", 0, 1e300);
}

PreprocessOptions PreprocessSettings::make() const {
  PreprocessOptions options;
  options.scale = parse_scale(scale);
  options.impute = parse_impute(impute);
  options.impute_constant = impute_constant;
  options.encode = parse_encode(encode);
  options.outliers = parse_outliers(outliers);
  options.outlier_action = parse_outlier_action(outlier_action);
  options.outlier_threshold = outlier_threshold.value_or(0);
  return options;
}

bool clusters(const Algorithm& algorithm) {
  Dataset<double> probe;
  probe.source = "probe";
  probe.features = Matrix<double>(2, 1);
  probe.columns = numbered_columns(1);
  probe.target = {0, 1};
  probe.target_column.name = "target";
  return algorithm.task(probe) == Task::clustering;
}

std::string describe(const Engine& engine, const RunSettings& run) {
  return engine.description() + "; " + run.numerics + ", " + run.precision + ", seed " +
         std::to_string(run.seed);
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

bool is_table(const std::string& path, const std::string& format) {
  const std::string kind = format == "auto" ? detect_format(path) : format;
  return kind == "csv" || kind == "tsv";
}

template <Real T>
Split split_rows(const Dataset<T>& data, const Algorithm& algorithm, double fraction,
                 std::uint64_t seed) {
  if (data.has_target() && algorithm.task(data) == Task::classification) {
    try {
      return stratified_train_test_split(encode_classes(data).labels, fraction, seed);
    } catch (const InputError& error) {
      log::warning(std::string(error.what()) + "; the rows are split without regard to classes");
    }
  }
  return train_test_split(data.rows(), fraction, seed);
}

}  // namespace

template <Real T>
LoadedData<T> load_data(const RunSettings& run, const DataSettings& data, const TestSettings* test,
                        const Algorithm& algorithm) {
  if (data.data.empty()) throw InputError("expected --data FILE: the data set to train on");
  if (test != nullptr && !test->test.empty() && test->test_fraction) {
    throw InputError("--test and --test-fraction exclude each other; give one");
  }
  if (test != nullptr && test->test_fraction &&
      (*test->test_fraction <= 0 || *test->test_fraction >= 1)) {
    throw InputError("--test-fraction: " + shortest(*test->test_fraction) +
                     " is out of range; expected more than 0 and less than 1");
  }
  LoadedData<T> loaded;
  ReadOptions options = data.read_options(run);
  const bool unsupervised = clusters(algorithm);
  const bool chosen = !data.target.empty() || !data.target_file.empty();
  const bool table = !chosen && is_table(data.data, data.format);
  if (table && !unsupervised) options.target = "last";
  loaded.train = read_dataset<T>(data.data, options);
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
    throw InputError(data.data +
                     ": has no target; name a column with --target, or a file with "
                     "--target-file");
  }
  if (test == nullptr) return loaded;
  if (test->test_fraction) {
    const Split split = split_rows(loaded.train, algorithm, *test->test_fraction,
                                   static_cast<std::uint64_t>(run.seed));
    loaded.test = select_rows(loaded.train, split.test);
    loaded.train = select_rows(loaded.train, split.train);
  }
  const Schema schema{loaded.train.columns, loaded.train.target_column};
  const auto read_more = [&](const std::string& path) {
    ReadOptions more = data.read_options(run);
    more.target_file.clear();
    more.schema = &schema;
    // In a file with names the schema's target wins over a position; without, it is where the
    // training data had it.
    more.target = options.target;
    return read_dataset<T>(path, more);
  };
  if (!test->test.empty()) {
    loaded.test = read_more(test->test);
    if (!loaded.test->has_target() && !unsupervised) {
      throw InputError(test->test + ": has no column " + loaded.train.target_column.name +
                       ", the target; a test file needs one");
    }
  }
  if (!test->validation.empty()) {
    loaded.validation = read_more(test->validation);
    if (!loaded.validation->has_target() && !unsupervised) {
      throw InputError(test->validation + ": has no column " + loaded.train.target_column.name +
                       ", the target; a validation file needs one");
    }
  }
  return loaded;
}

template <Real T>
Dataset<T> load_data_for(const RunSettings& run, const DataSettings& data,
                         const TrainedModel<T>& model) {
  if (data.data.empty()) throw InputError("expected --data FILE: the data set");
  ReadOptions options = data.read_options(run);
  options.schema = &model.schema;
  return read_dataset<T>(data.data, options);
}

template LoadedData<float> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                     const Algorithm&);
template LoadedData<double> load_data(const RunSettings&, const DataSettings&, const TestSettings*,
                                      const Algorithm&);
template Dataset<float> load_data_for(const RunSettings&, const DataSettings&,
                                      const TrainedModel<float>&);
template Dataset<double> load_data_for(const RunSettings&, const DataSettings&,
                                       const TrainedModel<double>&);

}  // namespace tandem::program
