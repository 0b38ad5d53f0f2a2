// tandem fraud simulate
#include "systems/fraud/simulate.hpp"

#include <nlohmann/json.hpp>

#include "tandem/control.hpp"
#include "tandem/fraud/action.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

class Simulate final : public FraudAction {
 public:
  [[nodiscard]] std::string_view name() const override { return "simulate"; }
  [[nodiscard]] std::string_view summary() const override {
    return "make transactions with known fraud among them";
  }
  [[nodiscard]] std::vector<std::string> shared() const override {
    return {"out", "seed", "json", "quiet", "force"};
  }
  void add_options(OptionSet& options) override {
    options.integer("days", made_.days, "days", 1, 10'000);
    options.integer("users", made_.users, "users, some of whom come while time goes on", 10,
                    100'000'000);
    options.integer("merchants", made_.merchants, "merchants; 0 takes one for 20 users", 0,
                    100'000'000);
    options.real("fraud", made_.fraud, "cases of fraud, times what is usual", 0, 100);
    options.text("start", start_, "the first day, YYYY-MM-DD");
  }

  int run(const OptionSet& /*options*/, const FraudSettings& settings) override {
    made_.seed = settings.seed;
    try {
      int offset = 0;
      made_.start = fraud::parse_timestamp(start_ + "T00:00:00Z", offset);
    } catch (const InputError&) {
      throw InputError(option("start") + ": '" + start_ + "' is no day such as 2026-01-31");
    }
    ControlOptions told;
    told.quiet = settings.quiet;
    ProgramControl control(told);
    const std::string& out = settings.out.path;
    fraud::SimulationSummary summary;
    if (out.empty() || out == "-") {
      std::string text = fraud::csv_header();
      summary = fraud::simulate_transactions(
          made_,
          [&](const fraud::TransactionRow& row) {
            fraud::append_csv(text, row);
            if (text.size() < (1 << 16)) return;
            print_data(text);
            text.clear();
          },
          control);
      control.finish();
      print_data(text);
      return 0;
    }
    check_table_name(option("out"), out, TableFormats::csv);
    OutputFiles files;
    add_marked_output(files, option("out"), out, written::transactions);
    files.check(settings.force);
    summary = fraud::write_simulation(out, made_, control);
    mark_output_as(out, written::transactions);
    control.finish();
    if (settings.json) {
      print_json({{"action", "simulate"},
                  {"out", out},
                  {"transactions", summary.transactions},
                  {"frauds", summary.frauds},
                  {"scenarios", summary.scenarios},
                  {"amount", summary.amount},
                  {"fraud_amount", summary.fraud_amount},
                  {"seed", made_.seed}});
      return 0;
    }
    std::string text = counted(summary.transactions, "transaction") + " of " +
                       counted(made_.users, "user") + " in " + counted(made_.days, "day") + ", " +
                       counted(summary.frauds, "fraud") + ": " + out + "\n";
    std::vector<std::vector<std::string>> rows{{"scenario", "transactions"}};
    for (const auto& [scenario, count] : summary.scenarios) {
      rows.push_back({scenario, std::to_string(count)});
    }
    if (rows.size() > 1) text += table(rows);
    print(text);
    return 0;
  }

 private:
  fraud::SimulationOptions made_;
  std::string start_ = "2026-01-01";
};

}  // namespace

std::unique_ptr<FraudAction> make_fraud_simulate() { return std::make_unique<Simulate>(); }

}  // namespace tandem::program
