// --report DIR, and what the pages of all commands have in common.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/option_set.hpp"
#include "tandem/outputs.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

// The figures of one page, which share no identifier.
class Figures {
 public:
  void add(const report::Plot& plot, std::string caption) {
    figures_.push_back(
        {report::to_svg(plot, "plot-" + std::to_string(++plots_)), std::move(caption)});
  }
  void add_html(std::string html, std::string caption) {
    figures_.push_back({std::move(html), std::move(caption)});
  }
  // Those that were added since the last call, to be put into a page.
  [[nodiscard]] std::vector<report::Page::Figure> take() { return std::exchange(figures_, {}); }

 private:
  int plots_ = 0;
  std::vector<report::Page::Figure> figures_;
};

// A dashed line across the plot at this height: what a baseline does.
[[nodiscard]] report::Series level_line(const std::string& label, double from, double to,
                                        double height);

// How the intervals of means over folds are made, in a sentence.
inline constexpr std::string_view interval_method =
    "The interval is the corrected resampled t interval of Nadeau and Bengio (2003); that of a "
    "metric with bounds is made on a logarithmic scale between them.";

// The option --report, with --force where the command has none of its own.
class ReportOption {
 public:
  void add_option(OptionSet& options, bool with_force);
  [[nodiscard]] bool asked() const noexcept { return !folder_.empty(); }
  // Names what is written.
  void list_outputs(OutputFiles& files) const { files.writes_report(folder_); }
  // Before any work, for a command that writes nothing else. Throws InputError where the page would
  // take the place of another file, SystemError for a missing gnuplot and a folder that cannot be
  // made.
  void check(const DataSettings* data) const;
  // The folder is made. Throws SystemError.
  void prepare() const;
  // Writes the page, with a footer.
  void write(report::Page& page) const;
  [[nodiscard]] std::string path() const { return folder_ + "/report.html"; }
  // "\nreport: DIR/report.html\n", or nothing.
  [[nodiscard]] std::string line() const { return asked() ? "\nreport: " + path() + "\n" : ""; }

 private:
  std::string folder_;
  bool force_ = false;
};

}  // namespace tandem::program
