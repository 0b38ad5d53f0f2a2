// tandem agree
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "agree/agreement.hpp"
#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"

namespace tandem {
namespace program {

// Where a GPU rounds the factors of products, there is no bound to judge by.
enum class JudgedNumerics { exact, fast };

}  // namespace program

template <>
inline constexpr std::array<std::string_view, 2> enum_names<program::JudgedNumerics>{"exact",
                                                                                     "fast"};

}  // namespace tandem

namespace tandem::program {
namespace {

class Agree final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals("ALGORITHM", agreement_.algorithms,
                        "algorithms and building blocks; all if left out");
    options.group("What is compared");
    options.written("devices", devices_, "reference, cpu, and cuda or softgpu", "DEVICE,...");
    options.choice(
        "numerics", numerics_,
        "exact: cpu and CUDA must have the same bits; fast: each is judged by its bound");
    options.written("precision", precisions_, "float32, float64", "PRECISION,...");
    options.written("parts", parts_, "steps, or fit; all if left out", "PART,...");
    options.group("Cases");
    options.written("data", kinds_, "kinds of data; all if left out", "KIND,...");
    options.integers("sizes", sizes_, "rows; awkward ones if left out", 1, Index{1} << 31);
    options.integer("cases", cases_, "of each line; 0: three of each kind of data", 0, 1000000000);
    options.integer("seed", seed_, "of the first case; the others count up from it", 0, INT64_MAX);
    options.flag("all_configurations", agreement_.all_configurations,
                 "run each case with every schedule and block size of the CUDA half, not one of "
                 "them in turn per device model");
    options.group("Output");
    options.flag("json", json_, "print the result as JSON");
    options.flag("quiet", quiet_, "no progress line");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    for (const auto& name : agreement_.algorithms) {
      const auto& names = agreement_names();
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      const std::string meant = nearest_name(name, names);
      throw InputError("unknown algorithm '" + name + "'; expected one of " + joined(names) +
                       (meant.empty() ? "" : "; did you mean " + meant + "?"));
    }
    agreement_.devices.clear();
    for (const auto& name : devices_.list) {
      agreement_.devices.push_back(parse_enum<Device>("device", name));
    }
    agreement_.precisions.clear();
    for (const auto& name : precisions_.list) {
      agreement_.precisions.push_back(parse_enum<Precision>("precision", name));
    }
    agreement_.numerics = numerics_ == JudgedNumerics::fast ? Numerics::fast : Numerics::exact;
    agreement_.parts = parts_.list;
    agreement_.kinds = kinds_.list;
    agreement_.sizes.assign(sizes_.begin(), sizes_.end());
    agreement_.cases = static_cast<int>(cases_);
    agreement_.seed = static_cast<std::uint64_t>(seed_);
    report_.check(nullptr);
    ControlOptions control_options;
    control_options.quiet = quiet_;
    ProgramControl control(control_options);
    const Stopwatch watch;
    const AgreementReport report = check_agreement(agreement_, control);
    control.finish();
    if (report_.asked()) write_page(report, watch.seconds(), options.arguments());
    if (json_) {
      nlohmann::json json = to_json(report, watch.seconds());
      if (report_.asked()) json["report"] = report_.path();
      print_json(json);
    } else {
      print(to_text(report, watch.seconds()) + report_.line());
    }
    return report.agrees() ? 0 : 1;
  }

 private:
  static nlohmann::json to_json(const AgreementWorst& worst) {
    return {{"case", worst.case_text}, {"command", worst.command},   {"engine", worst.engine},
            {"output", worst.output},  {"element", worst.element},   {"tolerance", worst.tolerance},
            {"value", worst.value},    {"expected", worst.expected}, {"error", worst.error},
            {"bound", worst.bound}};
  }

  nlohmann::json to_json(const AgreementReport& report, double seconds) const {
    nlohmann::json lines = nlohmann::json::array();
    for (const AgreementLine& line : report.lines) {
      nlohmann::json entry{{"algorithm", line.algorithm},
                           {"part", line.part},
                           {"summary", line.summary},
                           {"precision", to_string(line.precision)},
                           {"cases", line.cases},
                           {"refused", line.refused},
                           {"elements", line.elements},
                           {"differing_elements", line.differing_elements},
                           {"differing_bits", line.differing_bits},
                           {"judged", line.judged},
                           {"unbounded", line.unbounded},
                           {"outside", line.outside},
                           {"bound", line.bound},
                           {"seconds", line.seconds},
                           {"agrees", line.agrees()}};
      entry["failure"] = line.failure.empty() ? nlohmann::json() : nlohmann::json(line.failure);
      entry["first_difference"] =
          line.first_difference ? to_json(*line.first_difference) : nlohmann::json();
      entry["worst"] = line.worst ? to_json(*line.worst) : nlohmann::json();
      lines.push_back(std::move(entry));
    }
    return {{"engines", report.engines},
            {"software_gpu", report.software_gpu},
            {"numerics", to_string(numerics_)},
            {"seed", seed_},
            {"seconds", seconds},
            {"lines", lines},
            {"agrees", report.agrees()}};
  }

  std::string to_text(const AgreementReport& report, double seconds) const {
    std::string text = "Engines, " + std::string(tandem::to_string(numerics_)) + " numerics:\n";
    for (const auto& engine : report.engines) text += "  " + engine + "\n";
    if (report.software_gpu) {
      text +=
          "  (softgpu is software: its results are those of the CUDA kernels, its time is not "
          "a GPU's)\n";
    }
    const auto failed =
        std::ranges::count_if(report.lines, [](const auto& line) { return !line.agrees(); });
    text += "\n" + table(rows_of(report)) + "\n";
    for (const AgreementLine& line : report.lines) {
      const std::string name =
          line.algorithm + " " + line.part + ", " + std::string(to_string(line.precision)) + ": ";
      if (!line.failure.empty()) text += name + line.failure + "\n";
      if (line.first_difference) {
        const auto& worst = *line.first_difference;
        text += name + counted(line.differing_elements, "element") + " of " +
                std::to_string(line.elements) + " differ from the cpu's, first " + worst.output +
                "[" + std::to_string(worst.element) + "] = " + shortest(worst.value) + " against " +
                shortest(worst.expected) + " (" + worst.case_text + "; " + worst.engine + ")\n  " +
                worst.command + "\n";
      }
      if (line.outside > 0) {
        const auto& worst = *line.worst;
        text += name + counted(line.outside, "element") + " of " + std::to_string(line.judged) +
                " outside the bound around the reference, worst " + worst.output + "[" +
                std::to_string(worst.element) + "] = " + shortest(worst.value) + " against " +
                shortest(worst.expected) + ", error " + readable(worst.error) + ", bound " +
                readable(worst.bound) + " (" + line.bound + "; " + worst.case_text + "; " +
                worst.engine + ")\n  " + worst.command + "\n";
      }
    }
    text +=
        failed == 0 ? "All agree" : counted(failed, "line does not agree", "lines do not agree");
    text += " (" + readable_seconds(seconds) + " s). --json has the worst case of every line.\n";
    return text;
  }

  // A line per part and precision.
  [[nodiscard]] std::vector<std::vector<std::string>> rows_of(const AgreementReport& report) const {
    const bool exact = agreement_.numerics == Numerics::exact;
    std::vector<std::vector<std::string>> rows{
        {"", "", "cases", "bits apart", "error", "bound", "of bound", ""}};
    for (const AgreementLine& line : report.lines) {
      std::vector<std::string> row{
          line.algorithm + " " + line.part, std::string(to_string(line.precision)),
          std::to_string(line.cases) +
              (line.refused > 0 ? " (" + std::to_string(line.refused) + " refused)" : ""),
          exact ? std::to_string(line.differing_bits) : "-"};
      if (line.worst) {
        char share[16];
        std::snprintf(share, sizeof share, "%.0f %%",
                      line.worst->bound > 0   ? 100 * line.worst->error / line.worst->bound
                      : line.worst->error > 0 ? INFINITY
                                              : 0.0);
        row.insert(row.end(), {readable(line.worst->error), readable(line.worst->bound), share});
      } else {
        row.insert(row.end(), {"-", "-", "-"});
      }
      row.emplace_back(line.agrees() ? "agrees" : line.failure.empty() ? "DIFFERS" : "FAILED");
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void write_page(const AgreementReport& report, double seconds,
                  const std::string& arguments) const {
    report::Page page("Agreement of the engines",
                      std::string(tandem::to_string(numerics_)) + " numerics");
    Index cases = 0;
    Index elements = 0;
    Index bits = 0;
    for (const AgreementLine& line : report.lines) {
      cases += line.cases;
      elements += line.elements;
      bits += line.differing_bits;
    }
    page.section("", "Result");
    page.facts({{"", report.agrees() ? "all agree" : "they do not agree"},
                {"cases", std::to_string(cases)},
                {"numbers compared bit by bit", std::to_string(elements)},
                {"bits apart", std::to_string(bits)},
                {"seconds", readable_seconds(seconds)}});
    page.command("tandem agree" + (arguments.empty() ? "" : " " + arguments));
    for (const std::string& engine : report.engines) page.paragraph(engine);
    if (report.software_gpu) {
      page.paragraph(
          "softgpu is software: its results are those of the CUDA kernels, its time is not a "
          "GPU's.");
    }
    page.section("", "Parts");
    page.table(rows_of(report));
    page.section("", "How each is judged");
    std::vector<std::vector<std::string>> bounds{{"part", "what it does", "bound"}};
    for (const AgreementLine& line : report.lines) {
      std::vector<std::string> row{line.algorithm + " " + line.part, line.summary, line.bound};
      if (bounds.back() != row) bounds.push_back(std::move(row));
    }
    page.html("<div class=\"words\">" + report::table_html(bounds) + "</div>");
    for (const AgreementLine& line : report.lines) {
      if (line.agrees()) continue;
      const auto& worst = line.first_difference ? line.first_difference : line.worst;
      page.paragraph(line.algorithm + " " + line.part + ", " +
                     std::string(to_string(line.precision)) + ": " +
                     (line.failure.empty() ? "differs" : line.failure));
      if (worst) page.command(worst->command);
    }
    report_.write(page);
  }

  AgreementOptions agreement_;
  Words devices_{{"reference", "cpu", "softgpu"}};
  Words precisions_{{"float32", "float64"}};
  Words parts_;
  Words kinds_;
  std::vector<std::int64_t> sizes_;
  JudgedNumerics numerics_ = JudgedNumerics::exact;
  std::int64_t cases_ = 0;
  std::int64_t seed_ = 0;
  bool json_ = false;
  bool quiet_ = false;
  ReportOption report_;
};

}  // namespace

std::unique_ptr<Command> make_agree(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Agree>();
}

}  // namespace tandem::program
