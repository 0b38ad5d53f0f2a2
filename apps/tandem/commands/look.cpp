// tandem look FILE: what training would make of a file.
#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/report/page.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

constexpr Index most_rows_shown = 5;
constexpr std::size_t most_columns_shown = 200;
constexpr std::size_t most_texts_shown = 4;

// One column as it was read.
struct ColumnSummary {
  std::string name;
  std::string role;  // "feature", "target", "weights"
  std::string holds;
  Index missing = 0;
  Index distinct = 0;
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::string> texts;  // categories
  std::vector<std::string> first;  // the first rows
};

std::string date_text(double seconds) {
  const auto whole = static_cast<std::time_t>(std::floor(seconds));
  std::tm parts{};
  if (!(std::abs(seconds) < 1e12) || ::gmtime_r(&whole, &parts) == nullptr)
    return shortest(seconds);
  std::array<char, 32> text{};
  const bool midnight = parts.tm_hour == 0 && parts.tm_min == 0 && parts.tm_sec == 0;
  std::strftime(text.data(), text.size(), midnight ? "%Y-%m-%d" : "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

class Look final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("FILE", file_, "the data set; - is standard input");
    options.group("Data");
    WithoutOptions without_file(options, {"data", "cache", "keep_cache"});
    data_.visit(without_file);
    options.group("Results");
    options.flag("json", json_, "print the result as JSON");
    options.text("report", report_, "write a page about the file into this folder");
    options.flag("force", force_, replace_help);
    options.integer("threads", threads_, "threads of the CPU; 0 takes all cores", 0, 4096);
  }

  int run(const OptionSet& options) override {
    OutputFiles files;
    files.reads("the command", file_);
    files.reads(option("target_file"), data_.target_file.path);
    files.writes_report(report_);
    files.check(force_);
    if (!report_.empty()) {
      std::error_code failure;
      std::filesystem::create_directories(report_, failure);
      if (!std::filesystem::is_directory(report_)) {
        throw SystemError(report_ + ": cannot be made a folder: " +
                          (failure ? failure.message() : "it is a file"));
      }
    }
    RunSettings run;
    run.threads = threads_;
    ReadOptions read = data_.read_options(run);
    // The warnings are part of the result.
    log::set_level(log::Level::error);
    Dataset<double> data = read_dataset<double>(file_, read);
    const bool table = data.reading->format == "csv" || data.reading->format == "tsv";
    if (table && !data.has_target() && data.cols() > 1) {
      last_ = data.columns.back().name;
    }
    check_interrupt();
    const std::vector<ColumnSummary> columns = summarise(data);
    if (!report_.empty()) write_report(options, data, columns);
    if (json_) {
      nlohmann::json json = to_json(data, columns);
      if (!report_.empty()) json["report"] = report_ + "/report.html";
      print_json(json);
    } else {
      print(to_text(data, columns));
      if (!report_.empty()) print("\nreport: " + report_ + "/report.html\n");
    }
    return 0;
  }

 private:
  [[nodiscard]] std::string holds(const Dataset<double>& data, const Column& column) const {
    if (column.categorical()) return "category";
    const ColumnReading* const said = data.reading->find(column.name);
    return said == nullptr ? "number" : std::string(to_string(said->kind));
  }

  [[nodiscard]] static std::string shown(const ColumnSummary& summary, const Column& column,
                                         double value) {
    if (std::isnan(value)) return "";
    if (column.categorical()) return column.categories[static_cast<std::size_t>(value)];
    return summary.holds == "date" ? date_text(value) : shortest(value);
  }

  template <class At>
  ColumnSummary summarise_column(const Dataset<double>& data, const Column& column,
                                 std::string role, const At& at) const {
    ColumnSummary summary;
    summary.name = column.name;
    summary.role = std::move(role);
    summary.holds = holds(data, column);
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(data.rows()));
    for (Index i = 0; i < data.rows(); ++i) {
      const double value = at(i);
      if (i < most_rows_shown) summary.first.push_back(shown(summary, column, value));
      if (std::isnan(value)) {
        ++summary.missing;
      } else {
        values.push_back(value);
      }
    }
    std::sort(values.begin(), values.end());
    if (!values.empty()) {
      summary.low = values.front();
      summary.high = values.back();
    }
    summary.distinct =
        static_cast<Index>(std::unique(values.begin(), values.end()) - values.begin());
    summary.texts = column.categories;
    return summary;
  }

  [[nodiscard]] std::vector<ColumnSummary> summarise(const Dataset<double>& data) const {
    std::vector<ColumnSummary> columns;
    for (Index j = 0; j < data.cols(); ++j) {
      columns.push_back(summarise_column(data, data.columns[static_cast<std::size_t>(j)], "feature",
                                         [&](Index i) { return data.features(i, j); }));
    }
    // The column that training takes as target unless it is told otherwise.
    if (!data.has_target() && !columns.empty() && columns.back().name == last_) {
      columns.back().role = "target";
    }
    if (data.has_target()) {
      columns.push_back(summarise_column(data, data.target_column, "target", [&](Index i) {
        return data.target[static_cast<std::size_t>(i)];
      }));
      const Classes& written = data.target_texts;
      columns.back().distinct =
          std::max(columns.back().distinct, static_cast<Index>(written.names.size()));
      for (std::size_t i = 0; i < columns.back().first.size() && !written.labels.empty(); ++i) {
        if (written.labels[i] >= 0) {
          columns.back().first[i] = written.names[static_cast<std::size_t>(written.labels[i])];
        }
      }
    }
    if (data.has_weights()) {
      columns.push_back(summarise_column(data, Column{"weight", {}}, "weights", [&](Index i) {
        return data.weights[static_cast<std::size_t>(i)];
      }));
    }
    return columns;
  }

  [[nodiscard]] static std::string range(const ColumnSummary& column) {
    if (column.distinct == 0) return "-";
    if (column.holds == "date") return date_text(column.low) + " .. " + date_text(column.high);
    if (column.holds != "category") return readable(column.low) + " .. " + readable(column.high);
    std::string text;
    for (std::size_t c = 0; c < column.texts.size() && c < most_texts_shown; ++c) {
      text += (c > 0 ? ", " : "") + shortened(column.texts[c], 20);
    }
    return column.texts.size() > most_texts_shown ? text + ", ..." : text;
  }

  // A single character between quotes, so that it is seen.
  [[nodiscard]] static std::string quoted_character(const std::string& text) {
    return text.size() == 1 ? "'" + text + "'" : text;
  }

  // The properties of a text table (delimiter, encoding, header, ...) and their values, in words.
  [[nodiscard]] static std::vector<std::pair<std::string, std::string>> facts_of(
      const Dataset<double>& data) {
    const Reading& reading = *data.reading;
    std::vector<std::pair<std::string, std::string>> facts{{"format", reading.format.name}};
    if (reading.format == "libsvm") {
      facts.emplace_back("first index", std::string(to_string(reading.index_base)));
    }
    if (reading.format != "csv" && reading.format != "tsv") return facts;
    facts.emplace_back("delimiter", quoted_character(reading.delimiter.to_string()));
    facts.emplace_back("header", std::string(to_string(reading.header)));
    facts.emplace_back("encoding", reading.encoding.empty() ? "utf-8" : reading.encoding);
    facts.emplace_back("decimal", quoted_character(std::string(to_string(reading.decimal))));
    if (reading.comment.character != 0) facts.emplace_back("comment", reading.comment.to_string());
    if (reading.skip_lines > 0) {
      facts.emplace_back("skipped", counted(reading.skip_lines, "line"));
    }
    return facts;
  }

  // The task that a training command would see in the table.
  [[nodiscard]] std::string plan(const Dataset<double>& data,
                                 const std::vector<ColumnSummary>& columns) const {
    Index features = 0;
    std::string target = data.has_target() ? data.target_column.name : last_;
    std::string task;
    for (const ColumnSummary& column : columns) {
      if (column.name == target && (column.role == "target" || !data.has_target())) {
        task = task_of(data, column);
        continue;
      }
      if (column.role != "feature") continue;
      features += column.holds == "category" ? static_cast<Index>(column.texts.size()) : 1;
    }
    std::string text = counted(data.rows(), "row") + ", " + counted(features, "feature") +
                       " with categories one-hot encoded";
    if (!target.empty()) {
      text += "; target " + target +
              (data.has_target() ? "" : " (the last column; --target names another)") + ": " + task;
    }
    return text;
  }

  [[nodiscard]] static std::string task_of(const Dataset<double>& data,
                                           const ColumnSummary& column) {
    if (column.holds == "category") {
      return "classification of " + std::to_string(column.texts.size()) + " classes";
    }
    Dataset<double> alone;
    if (data.has_target()) {
      alone.target = data.target;
    } else {
      for (Index i = 0; i < data.rows(); ++i)
        alone.target.push_back(data.features(i, data.cols() - 1));
    }
    return task_of_target(alone) == Task::classification
               ? "classification of " + std::to_string(column.distinct) + " classes"
               : "regression";
  }

  [[nodiscard]] nlohmann::json to_json(const Dataset<double>& data,
                                       const std::vector<ColumnSummary>& columns) const {
    const auto number = [](double value) {
      return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
    };
    Reading reading = *data.reading;
    nlohmann::json json{{"file", file_},
                        {"rows", data.rows()},
                        {"reading", nlohmann::json::parse(options_to_json(record_options(
                                        [&](OptionVisitor& visitor) { reading.visit(visitor); })))},
                        {"training", plan(data, columns)},
                        {"warnings", nlohmann::json::array()}};
    for (const std::string& notice : reading.notices) {
      json["warnings"].push_back(Error(notice).spelled(Spelling()));
    }
    json["columns"] = nlohmann::json::array();
    for (const ColumnSummary& column : columns) {
      nlohmann::json entry{{"name", column.name},         {"role", column.role},
                           {"holds", column.holds},       {"missing", column.missing},
                           {"distinct", column.distinct}, {"first", column.first}};
      if (column.holds == "category") {
        entry["categories"] = column.texts;
      } else {
        entry["low"] = number(column.low);
        entry["high"] = number(column.high);
      }
      json["columns"].push_back(std::move(entry));
    }
    return json;
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> column_table(
      const std::vector<ColumnSummary>& columns) {
    std::vector<std::vector<std::string>> rows{
        {"column", "use", "holds", "missing", "distinct", "range or categories"}};
    for (std::size_t c = 0; c < columns.size() && c < most_columns_shown; ++c) {
      const ColumnSummary& column = columns[c];
      rows.push_back({column.name, column.role, column.holds, std::to_string(column.missing),
                      std::to_string(column.distinct), range(column)});
    }
    return rows;
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> first_rows(
      const std::vector<ColumnSummary>& columns) {
    constexpr std::size_t most = 8;
    std::vector<std::vector<std::string>> rows(1);
    for (std::size_t c = 0; c < columns.size() && c < most; ++c) {
      rows[0].push_back(columns[c].name);
      rows.resize(std::max(rows.size(), columns[c].first.size() + 1));
      for (std::size_t i = 0; i < columns[c].first.size(); ++i) {
        const std::string& text = columns[c].first[i];
        rows[i + 1].push_back(text.empty() ? "-" : shortened(text, 24));
      }
    }
    return rows;
  }

  [[nodiscard]] std::string to_text(const Dataset<double>& data,
                                    const std::vector<ColumnSummary>& columns) const {
    std::string text = file_ + ": " + counted(data.rows(), "row") + ", " +
                       counted(static_cast<Index>(columns.size()), "column") + "\n\n";
    for (const auto& [name, value] : facts_of(data)) {
      text += "  " + name + std::string(12 - std::min<std::size_t>(name.size(), 11), ' ') + value +
              "\n";
    }
    text += "\n" + table(column_table(columns));
    if (columns.size() > most_columns_shown) {
      text += "  ... " + std::to_string(columns.size()) + " columns in all\n";
    }
    text += "\nFirst rows\n" + table(first_rows(columns));
    text += "\nTraining would see " + plan(data, columns) + "\n";
    for (const std::string& notice : data.reading->notices) {
      text += "\n" + Error(notice).spelled(Spelling());
    }
    if (!data.reading->notices.empty()) text += "\n";
    return text;
  }

  void write_report(const OptionSet& options, const Dataset<double>& data,
                    const std::vector<ColumnSummary>& columns) const {
    report::Page page(
        std::filesystem::path(file_).filename().string(),
        counted(data.rows(), "row") + ", " + counted(static_cast<Index>(columns.size()), "column"));
    page.section("1", "How it is read");
    page.facts(facts_of(data));
    for (const std::string& notice : data.reading->notices) {
      page.paragraph(Error(notice).spelled(Spelling()));
    }
    page.section("2", "Columns");
    page.table(column_table(columns));
    page.section("3", "First rows");
    page.table(first_rows(columns));
    page.section("4", "What training would see");
    page.paragraph(plan(data, columns));
    page.command("tandem look " + options.arguments());
    page.write((std::filesystem::path(report_) / "report.html").string());
  }

  std::string file_;
  DataSettings data_;
  bool json_ = false;
  std::string report_;
  bool force_ = false;
  std::int64_t threads_ = 0;
  std::string last_;  // the column that would be the target
};

}  // namespace

std::unique_ptr<Command> make_look(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Look>();
}

}  // namespace tandem::program
