// tandem generate KIND
#include "tandem/data/generate.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

// A number, or none: the kind's own. generate() knows its range.
struct Noise {
  std::optional<double> value;

  [[nodiscard]] static Noise parse(std::string_view text) {
    double number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{} || end != text.data() + text.size()) {
      throw InputError("'" + std::string(text) + "' is not a number");
    }
    return {number};
  }
  [[nodiscard]] std::string to_string() const { return value ? shortest(*value) : ""; }
};

class Generate final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("KIND", kind_, "one of " + joined(generator_names()),
                       {generator_names().begin(), generator_names().end()});
    options.group("Data");
    options.integer("rows", made_.rows, "number of rows", 1, INT64_MAX);
    options.integer("features", made_.features, "number of features", 1, INT64_MAX);
    options.written("noise", noise_,
                    "how noisy; what it means depends on the kind, which has a default of its own",
                    "X");
    options.integer("classes", made_.classes, "centres or classes; 0 takes the kind's default", 0,
                    INT64_MAX);
    options.integer("informative", made_.informative,
                    "features that matter (classification, regression); 0 takes half", 0,
                    INT64_MAX);
    options.group("Run");
    options.seed(made_.seed);
    options.choice("precision", precision_, "type of the numbers");
    options.integer("threads", threads_, "threads of the CPU; 0 takes all cores", 0, 4096);
    options.flag("json", json_, "print what was written as JSON");
    options.group("Results");
    options.written("out", out_file_,
                    "where the data set goes: CSV, or by its name .npy (features, then the target "
                    "as last column); standard output if left out",
                    "FILE");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& /*options*/) override {
    made_.threads = static_cast<int>(threads_);
    made_.noise = noise_.value;
    if (goes_to_file()) check_output();
    return with_precision(precision_, [&](auto type) {
      return write(generate<typename decltype(type)::type>(kind_, made_));
    });
  }

 private:
  template <Real T>
  int write(const Dataset<T>& data) {
    const std::string& out = out_file_.path;
    if (!goes_to_file()) {
      write_standard_output(data);
      return 0;
    }
    if (out.ends_with(".npy")) {
      Matrix<T> all(data.rows(), data.cols() + (data.has_target() ? 1 : 0));
      for (Index i = 0; i < data.rows(); ++i) {
        const auto from = data.features.row(i);
        std::copy(from.begin(), from.end(), all.row(i).begin());
        if (data.has_target()) all.row(i).back() = data.target[static_cast<std::size_t>(i)];
      }
      write_npy(out, MatrixView<const T>(all.view()));
    } else {
      write_csv(out, data, ',', made_.threads);
    }
    mark_output_as(out, written::generated_data);
    if (json_) {
      print_json({{"kind", kind_},
                  {"out", out},
                  {"rows", data.rows()},
                  {"features", data.cols()},
                  {"seed", made_.seed}});
    } else {
      print(kind_ + ": " + counted(data.rows(), "row") + ", " + counted(data.cols(), "feature") +
            ": " + out + "\n");
    }
    return 0;
  }

  [[nodiscard]] bool goes_to_file() const {
    return !out_file_.path.empty() && out_file_.path != "-";
  }

  void check_output() const {
    OutputFiles files;
    check_table_name(option("out"), out_file_.path, TableFormats::csv_or_npy);
    add_marked_output(files, option("out"), out_file_.path, written::generated_data);
    files.check(force_);
  }

  template <Real T>
  static void write_standard_output(const Dataset<T>& data) {
    CsvRecord record;
    for (const Column& column : data.columns) record.add(column.name);
    if (data.has_target()) record.add(data.target_column.name);
    std::string block = record.text() + "\n";
    for (Index i = 0; i < data.rows(); ++i) {
      record.clear();
      for (const T value : data.features.row(i)) record.add(value);
      if (data.has_target()) {
        const T value = data.target[static_cast<std::size_t>(i)];
        if (data.target_column.categorical()) {
          record.add(data.target_column.categories[static_cast<std::size_t>(value)]);
        } else {
          record.add(value);
        }
      }
      block += record.text() + "\n";
      if (block.size() > 1 << 16) {
        print_data(block);
        block.clear();
      }
    }
    print_data(block);
  }

  std::string kind_;
  FileName out_file_;
  GenerateOptions made_;
  Noise noise_;
  std::int64_t threads_ = 0;
  Precision precision_ = Precision::float64;
  bool json_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_generate(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Generate>();
}

}  // namespace tandem::program
