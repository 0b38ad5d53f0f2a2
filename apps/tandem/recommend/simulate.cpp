// tandem recommend simulate --users N --items M --seed S --out F [--items-out F]
#include <charconv>
#include <nlohmann/json.hpp>

#include "systems/recommend/simulate.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/recommend/action.hpp"

namespace tandem::program {
namespace {

class Simulate final : public RecommendAction {
 public:
  void add_options(OptionSet& options) override {
    options.integer("users", simulation_.users, "simulate: viewers", 1, 1'000'000'000);
    options.real("watched", simulation_.watched_per_user,
                 "simulate: items that a viewer watches, in the mean", 1, 1000);
    options.real("days", simulation_.days, "simulate: days in which they watch", 1, 3650);
    options.written("out", out_, "simulate: where the events go, as CSV", "FILE");
    options.written("items_out", items_out_, "simulate: where the items go, as CSV", "FILE");
  }

  [[nodiscard]] std::vector<std::string> takes() const override {
    return {"users", "watched", "days", "out", "items_out", "items", "force"};
  }

  int run(const OptionSet& /*options*/, RecommendSettings& settings) override {
    if (!settings.first.empty()) {
      throw InputError("unexpected argument '" + settings.first + "'");
    }
    if (!settings.items.path.empty()) {
      // Of this action the option is a number.
      const std::string& text = settings.items.path;
      const char* const end = text.data() + text.size();
      const auto read = std::from_chars(text.data(), end, simulation_.items);
      if (read.ec != std::errc{} || read.ptr != end || simulation_.items < 1 ||
          simulation_.items > 100'000'000) {
        throw InputError(option("items") + ": '" + text +
                         "' is no number of items from 1 to 100,000,000");
      }
    }
    simulation_.seed = settings.run.seed;
    if (out_.path.empty()) throw InputError("expected " + option("out") + " FILE");
    OutputFiles files;
    add_marked_output(files, option("out"), out_.path, written::events);
    add_marked_output(files, option("items_out"), items_out_.path, written::items);
    files.check(settings.force);
    check_table_name(option("out"), out_.path, TableFormats::csv);
    if (!items_out_.path.empty()) {
      check_table_name(option("items_out"), items_out_.path, TableFormats::csv);
    }
    ControlOptions told;
    told.quiet = settings.run.quiet || settings.run.json;
    ProgramControl control(told);
    const recommend::Simulation simulation(simulation_);
    if (!items_out_.path.empty()) simulation.write_items(items_out_.path);
    simulation.write_events(out_.path, [&](std::int64_t users) {
      control.report({"thousand users", users / 1000, simulation_.users / 1000, {}, 0});
      check_interrupt();
    });
    control.finish();
    mark_output_as(out_.path, written::events);
    if (!items_out_.path.empty()) mark_output_as(items_out_.path, written::items);
    if (settings.run.json) {
      print_json({{"action", "simulate"},
                  {"users", simulation_.users},
                  {"items", simulation_.items},
                  {"seed", simulation_.seed},
                  {"out", out_.path},
                  {"items_out", items_out_.path.empty() ? nlohmann::json(nullptr)
                                                        : nlohmann::json(items_out_.path)}});
    } else {
      print(out_.path + ": what " + counted(simulation_.users, "viewer") + " watched of " +
            counted(simulation_.items, "item") + "\n");
      if (!items_out_.path.empty()) print(items_out_.path + ": the items\n");
    }
    return 0;
  }

 private:
  recommend::SimulationOptions simulation_;
  FileName out_;
  FileName items_out_;
};

}  // namespace

std::unique_ptr<RecommendAction> make_recommend_simulate() { return std::make_unique<Simulate>(); }

}  // namespace tandem::program
