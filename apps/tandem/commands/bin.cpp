// tandem bin --data FILE --out FILE: a training set in bins, for tandem train gradient-boosting.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/model/binned_training.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Bin final : public Command {
 public:
  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Bins");
    options.integer({"max_bins", {"max_bin"}}, max_bins_,
                    "bins of the known values of a column of numbers, at most; above 255 they are "
                    "kept as 16 bits",
                    2, most_number_bins);
    options.integer("max_cat_bins", max_cat_bins_,
                    "bins of a column of categories, at most; the rarest of more categories share "
                    "one, and above 255 bins are kept as 16 bits",
                    2, most_bins);
    add_step_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    options.written("out", out_,
                    "where the bins go; tandem train gradient-boosting --data takes "
                    "them",
                    "FILE");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& /*options*/) override {
    if (out_.path.empty()) {
      throw InputError("expected " + option("out") + " FILE: where the bins go");
    }
    pipeline_.set("predictor.max_bins", max_bins_).set("predictor.max_cat_bins", max_cat_bins_);
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    OutputFiles files;
    data_.list_inputs(files);
    files.writes(option("out"), out_.path, "a binned table of Tandem", an_archive("binned table"));
    files.check(force_);
    if (run_.json) log::set_level(log::Level::warning);
    return with_precision(run_.precision,
                          [&](auto type) { return run_as<typename decltype(type)::type>(); });
  }

 private:
  template <Real T>
  int run_as() {
    const auto engine = run_.make_engine();
    Stopwatch watch;
    LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_);
    const double load_seconds = watch.lap();
    check_interrupt();
    const std::string target_rule = data.target_rule;
    const auto training = bin_training(*engine, std::move(data.train), pipeline_);
    check_interrupt();
    save_binned_training(out_.path, training);
    const double bin_seconds = watch.lap();

    const BinnedDataset<T>& made = training.data;
    Index most = 0;
    for (Index j = 0; j < made.cols(); ++j) most = std::max(most, made.table.cuts.bins(j));
    const int bits = 8 * made.table.cuts.bin_bytes();
    const auto bytes = static_cast<Index>(std::filesystem::file_size(out_.path));
    if (run_.json) {
      print_json({{"data", data_.data.path},
                  {"out", out_.path},
                  {"rows", made.rows()},
                  {"features", made.cols()},
                  {"target", made.target_column.name},
                  {"most_bins", most},
                  {"bits", bits},
                  {"bytes", bytes},
                  {"precision", to_string(precision_of<T>)},
                  {"seconds", {{"load", load_seconds}, {"bin", bin_seconds}}},
                  {"warnings", data.remarks}});
      return 0;
    }
    print(data_.data.path + ": " + shape_to_text(made.rows(), made.cols()) + " in at most " +
          counted(most, "bin") + " of " + std::to_string(bits) + " bits\n\n  target    " +
          made.target_column.name + " (" + target_rule + ")\n  seconds   load " +
          readable_seconds(load_seconds) + ", bin " + readable_seconds(bin_seconds) +
          "\n  bytes     " + std::to_string(bytes) + "\n\nbins: " + out_.path + "\n");
    return 0;
  }

  PipelineOptions pipeline_{"gradient-boosting"};
  RunSettings run_;
  DataSettings data_;
  std::int64_t max_bins_ = 255;
  std::int64_t max_cat_bins_ = most_bins;
  FileName out_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_bin(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Bin>();
}

}  // namespace tandem::program
