// tandem demo: eight stories of learning in one page
#include <filesystem>

#include "tandem/bundled_data.hpp"
#include "tandem/command.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/demo/ladder.hpp"
#include "tandem/demo/storybook.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/run_report.hpp"

namespace tandem::program {
namespace {

using report::Page;

namespace fs = std::filesystem;

class Demo final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.text("report", folder_, "the folder for report.html, made where it is missing");
    options.flag("force", force_, replace_help);
    options.text("data_dir", data_dir_, "the folder of Tandem's data sets; found if left out");
    options.integer("threads", threads_, "threads of the CPU; 0 takes all cores", 0, 4096);
    options.flag("quiet", quiet_, "no progress");
    options.flag("json", json_, "print the figures of the stories as JSON");
  }

  int run(const OptionSet& /*options*/) override {
    if (folder_.empty()) throw InputError("expected --report DIR: the folder for report.html");
    OutputFiles files;
    files.writes_report(folder_);
    files.check(force_);
    prepare_report_folder(folder_);
    Storybook stories(
        {.folder = folder_, .data = bundled_data(data_dir_), .threads = threads_, .quiet = quiet_});
    Page page("Eight stories of learning",
              "How eight machines learn from data, what they get wrong, and how to tell. Every "
              "picture comes from a run that you can repeat with the command beside it, and every "
              "run was made twice: by the textbook and by the fast code.");
    stories.regression(page);
    stories.optimizers(page);
    stories.tree(page);
    stories.clusters(page);
    stories.network(page);
    stories.boosting(page);
    stories.forest(page);
    stories.explanation(page);
    stories.agreement(page);
    stories.gpu(page);
    add_ladder(page, stories.figures());
    const auto engine = Engine::create({.threads = static_cast<int>(threads_)});
    page.footer("Made by tandem demo, Tandem " TANDEM_VERSION ", on " + engine->description() +
                "; exact numerics, float64, seed 0. Data: diabetes (Efron, Hastie, Johnstone and "
                "Tibshirani 2004), iris (Fisher 1936) and breast cancer (Wolberg, Street and "
                "Mangasarian 1993), see data/README.md. Colours after Okabe and Ito.");
    const std::string path = (fs::path(folder_) / "report.html").string();
    page.write(path);
    if (json_) {
      stories.figures()["report"] = path;
      print_json(stories.figures());
    } else {
      print("eight stories: " + path + "\n");
    }
    return 0;
  }

 private:
  std::string folder_;
  bool force_ = false;
  std::string data_dir_;
  std::int64_t threads_ = 0;
  bool quiet_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_demo(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Demo>();
}

}  // namespace tandem::program
