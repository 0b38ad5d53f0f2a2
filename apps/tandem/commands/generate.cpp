// tandem generate KIND
#include "tandem/data/generate.hpp"

#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"
#include "tandem/output.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Generate final : public Command {
 public:
  void add_options(OptionSet& options) override {
    std::string kinds;
    for (const auto name : generator_names()) {
      kinds += (kinds.empty() ? "" : ", ") + std::string(name);
    }
    options.positional("KIND", kind_, "one of " + kinds);
    options.group("Data");
    options.integer("rows", made_.rows, "number of rows", 1, INT64_MAX);
    options.integer("features", made_.features, "number of features", 1, INT64_MAX);
    options.real("noise", made_.noise, "how noisy; what it means depends on the kind", 0, 1e300);
    options.integer("classes", made_.classes, "centres or classes; 0 takes the kind's default", 0,
                    INT64_MAX);
    options.integer("informative", made_.informative,
                    "features that matter (classification, regression); 0 takes half", 0,
                    INT64_MAX);
    options.group("Run");
    options.integer("seed", seed_, "seed of the random numbers", 0, INT64_MAX);
    options.choice("precision", precision_, "type of the numbers",
                   std::vector<std::string_view>{"float64", "float32"});
    options.integer("threads", threads_, "threads of the CPU; 0 takes all cores", 0, 4096);
    options.flag("json", json_, "print what was written as JSON");
    options.group("Results");
    options.file("out", out_,
                 "where the data set goes: CSV, or by its name .npy (features, then the target as "
                 "last column); standard output if left out");
  }

  int run(const OptionSet& /*options*/) override {
    made_.seed = static_cast<std::uint64_t>(seed_);
    made_.threads = static_cast<int>(threads_);
    return with_precision(parse_precision(precision_), [&](auto type) {
      return write(generate<typename decltype(type)::type>(kind_, made_));
    });
  }

 private:
  template <Real T>
  int write(const Dataset<T>& data) {
    if (out_.empty() || out_ == "-") {
      write_standard_output(data);
      return 0;
    }
    if (out_.ends_with(".npy")) {
      Matrix<T> all(data.rows(), data.cols() + (data.has_target() ? 1 : 0));
      for (Index i = 0; i < data.rows(); ++i) {
        const auto from = data.features.row(i);
        std::copy(from.begin(), from.end(), all.row(i).begin());
        if (data.has_target()) all.row(i).back() = data.target[static_cast<std::size_t>(i)];
      }
      write_npy(out_, MatrixView<const T>(all.view()));
    } else {
      write_csv(out_, data, ',', made_.threads);
    }
    if (json_) {
      print_json({{"kind", kind_},
                  {"out", out_},
                  {"rows", data.rows()},
                  {"features", data.cols()},
                  {"seed", seed_}});
    } else {
      print(kind_ + ": " + counted(data.rows(), "row") + ", " + counted(data.cols(), "feature") +
            ": " + out_ + "\n");
    }
    return 0;
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
        print(block);
        block.clear();
      }
    }
    print(block);
  }

  std::string kind_;
  std::string out_;
  GenerateOptions made_;
  std::int64_t seed_ = 0;
  std::int64_t threads_ = 0;
  std::string precision_ = "float64";
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_generate(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Generate>();
}

}  // namespace tandem::program
