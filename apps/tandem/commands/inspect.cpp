// tandem inspect MODEL
#include <algorithm>
#include <nlohmann/json.hpp>

#include "tandem/coefficients.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/visible.hpp"
#include "tandem/output.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"
#include "tandem/transform/pca.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem::program {
namespace {

class Inspect final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("MODEL", model_, "a file that tandem train --model wrote");
    options.group("Results");
    options.flag("json", json_, "everything, as JSON");
    options.flag("graphviz", graphviz_,
                 "a decision tree in the language of Graphviz: tandem inspect tree.model "
                 "--graphviz | dot -Tsvg > tree.svg");
  }

  int run(const OptionSet& /*options*/) override {
    if (json_ && graphviz_) throw InputError("--json and --graphviz exclude each other; give one");
    const AnyModel model = load_model(model_);
    std::visit([&](const auto& trained) { show(trained); }, model);
    return 0;
  }

 private:
  template <Real T>
  void show(const Pipeline<T>& model) const {
    if (graphviz_) {
      print(graphviz(model));
      return;
    }
    const Provenance& from = model.provenance;
    if (json_) {
      nlohmann::json columns = nlohmann::json::array();
      for (const Column& column : model.schema.columns) {
        nlohmann::json entry{{"name", column.name}};
        if (column.categorical()) entry["categories"] = column.categories;
        columns.push_back(entry);
      }
      nlohmann::json json{
          {"algorithm", from.algorithm},
          {"task", to_string(model.model->task())},
          {"version", from.version},
          {"device", to_string(from.device)},
          {"numerics", to_string(from.numerics)},
          {"precision", to_string(from.precision)},
          {"seed", from.seed},
          {"data", from.source},
          {"rows", from.rows},
          {"features", model.model->features()},
          {"options", nlohmann::json::parse(options_to_json(from.options))},
          {"columns", columns},
          {"target", model.schema.target.name},
          {"classes", model.model->classes()},
          {"transforms", nlohmann::json::parse(model.transforms.to_json())},
          {"iterations", model.model->training().iterations},
          {"converged", model.model->training().converged},
          {"stopped_because", model.model->training().stopped_because},
          {"history", model.model->training().history},
          {"model", nlohmann::json::parse(model.model->to_json(model.feature_names()))},
      };
      if (!coefficients_of(model).empty()) {
        json["coefficient_steps"] = coefficient_steps_json(model);
      }
      print_json(json);
      return;
    }
    std::string options;
    const Spelling spelling = spelling_of(*make_algorithm(from.algorithm));
    const auto given = nlohmann::json::parse(options_to_json(from.options));
    for (const auto& [name, value] : given.items()) {
      options += (options.empty() ? "" : " ") + spelling(name) + " " +
                 (value.is_string() ? std::string(value) : value.dump());
    }
    const TrainingLog& log = model.model->training();
    // A model of another program's file was trained on rows that nobody here has seen, with options
    // that are not known.
    const bool imported = from.rows == 0;
    std::string text = from.algorithm +
                       (imported ? ", imported by Tandem " : ", trained by Tandem ") +
                       from.version + "\n\n";
    if (imported) {
      text += "  from      " + from.source + "\n";
    } else {
      text += "  data      " + from.source + ": " + counted(from.rows, "row") + "\n  run       " +
              std::string(to_string(from.device)) + ", " + std::string(to_string(from.numerics)) +
              ", " + std::string(to_string(from.precision)) + ", seed " +
              std::to_string(from.seed) + "\n";
    }
    if (!options.empty()) text += "  options   " + options + "\n";
    if (!model.schema.target.name.empty()) {
      text += "  target    " + visible(model.schema.target.name, "") + "\n";
    }
    if (!log.stopped_because.empty()) {
      text += "  stopped   " + log.stopped_because +
              iterations_to_text(log.iterations, training_unit(*model.model)) + "\n";
    }
    for (const auto& transform : model.transforms.transforms()) {
      std::string name(transform->name());
      name.resize(std::max<std::size_t>(name.size() + 1, 10), ' ');
      text += "  " + name + transform->to_text() + "\n";
    }
    if (const auto* const step =
            dynamic_cast<const PcaTransform<T>*>(model.transforms.find("pca"))) {
      std::vector<std::string> columns;
      for (const Feature& column : step->inputs()) columns.push_back(visible(column.name, ""));
      text += "\n" + step->axes().to_text(columns);
    }
    std::vector<std::string> names = names_with_steps(model);
    for (std::string& name : names) name = visible(name, "");
    text += "\n" + model.model->to_text(names);
    if (!text.ends_with('\n')) text += '\n';
    if (!coefficients_of(model).empty())
      text += "\n" + wrapped(visible(coefficient_legend(model), ""), terminal_width());
    print(text);
  }

  template <Real T>
  [[nodiscard]] std::string graphviz(const Pipeline<T>& model) const {
    const auto* tree = dynamic_cast<const DecisionTreeModel<T>*>(model.model.get());
    if (tree != nullptr) return tree->graphviz(model.feature_names());
    throw InputError(model_ + ": --graphviz draws decision trees, and this is a model of " +
                     model.provenance.algorithm);
  }

  std::string model_;
  bool json_ = false;
  bool graphviz_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Inspect>();
}

}  // namespace tandem::program
