#include "tandem/result_page.hpp"

#include <filesystem>

#include "tandem/config.hpp"
#include "tandem/run_report.hpp"

namespace tandem::program {

report::Series level_line(const std::string& label, double from, double to, double height) {
  return {.label = label,
          .points = {{from, height}, {to, height}},
          .mark = report::Mark::line,
          .colour = -1,
          .dashed = true};
}

void ReportOption::add_option(OptionSet& options, bool with_force) {
  options.text("report", folder_, "write a page about the result into this folder");
  if (with_force) options.flag("force", force_, replace_help);
}

void ReportOption::check(const DataSettings* data) const {
  if (!asked()) return;
  OutputFiles files;
  if (data != nullptr) data->list_inputs(files);
  list_outputs(files);
  files.check(force_);
  prepare();
}

void ReportOption::prepare() const {
  if (asked()) prepare_report_folder(folder_);
}

void ReportOption::write(report::Page& page) const {
  page.footer("Tandem " TANDEM_VERSION
              ". The command above gives the same numbers on any machine in exact mode.");
  page.write((std::filesystem::path(folder_) / "report.html").string());
}

}  // namespace tandem::program
