// tandem join: the log of predictions with their outcomes, as a file to train on.
#include <nlohmann/json.hpp>

#include "systems/serving/experiments/experiment.hpp"
#include "systems/serving/watch/prediction_log.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

class Join final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.group("Files");
    options.text("log", join_.log, "the folder of the prediction log");
    options.text("log_model", join_.model,
                 "the model whose predictions are taken; left out: all that there are");
    options.text("log_version", join_.version,
                 "the version of that model whose predictions are taken; left out: all of them");
    options.written("outcomes", outcomes_, "what became of them: columns id, value and time",
                    "FILE");
    options.written("out", out_, "the CSV to write: the features, and the outcome last", "FILE");
    options.flag("force", force_, replace_help);
    options.group("Time");
    options.text("as_of", as_of_,
                 "what came after this time is not known yet; left out: all is known");
    options.real("horizon_hours", horizon_hours_,
                 "hours after a prediction within which its outcome counts; 0: any time", 0, 1e6);
    options.text("missing_outcome", join_.missing_value,
                 "the value of a prediction without an outcome; left out, it is left out too");
    options.text("target_name", join_.target, "the name of the column of outcomes");
    options.group("Results");
    options.flag("json", json_, "print the result as JSON");
    options.integer("threads", threads_, "threads that read; 0 takes all cores", 0, 4096);
  }

  int run(const OptionSet& /*options*/) override {
    if (join_.log.empty() || outcomes_.path.empty() || out_.path.empty()) {
      throw InputError("expected " + option("log") + " FOLDER, " + option("outcomes") +
                       " FILE and " + option("out") + " FILE");
    }
    OutputFiles files;
    files.reads(option("outcomes"), outcomes_.path);
    check_table_name(option("out"), out_.path, TableFormats::csv);
    add_marked_output(files, option("out"), out_.path, written::joined_outcomes);
    files.check(force_);
    join_.outcomes = outcomes_.path;
    join_.out = out_.path;
    if (!as_of_.empty()) join_.as_of = experiments::parse_time(as_of_);
    join_.horizon = static_cast<std::int64_t>(horizon_hours_ * 3'600'000);
    if (join_.horizon > 0 && as_of_.empty()) {
      throw InputError(option("horizon_hours") + " needs " + option("as_of") +
                       ": the time up to which outcomes are known");
    }
    if (!join_.missing_value.empty() && join_.horizon == 0) {
      throw InputError(option("missing_outcome") + " needs " + option("horizon_hours") +
                       ": without one no prediction is known to have no outcome");
    }
    const watch::JoinResult found = watch::join_outcomes(join_, static_cast<int>(threads_));
    mark_output_as(out_.path, written::joined_outcomes);
    if (json_) {
      print_json({{"out", out_.path},
                  {"predictions", found.predictions},
                  {"joined", found.joined},
                  {"filled", found.filled},
                  {"unfinished", found.unfinished},
                  {"without", found.without}});
      return 0;
    }
    print(out_.path + ": " + counted(found.joined + found.filled, "row") + " of " +
          counted(found.predictions, "prediction") + "\n\n" +
          table({{"predictions", "rows"},
                 {"with an outcome", std::to_string(found.joined)},
                 {"with the missing value", std::to_string(found.filled)},
                 {"left out, their time not over", std::to_string(found.unfinished)},
                 {"left out, without an outcome", std::to_string(found.without)}}));
    return 0;
  }

 private:
  watch::JoinOptions join_;
  FileName outcomes_;
  FileName out_;
  std::string as_of_;
  double horizon_hours_ = 0;
  std::int64_t threads_ = 0;
  bool json_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_join(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Join>();
}

}  // namespace tandem::program
