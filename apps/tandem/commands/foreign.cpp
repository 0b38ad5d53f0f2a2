// tandem import FILE --model OUT and tandem export MODEL --out FILE: models of XGBoost and
// LightGBM, and of other programs in the ONNX format.
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/onnx.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/settings.hpp"
#include "tandem/tree/foreign_trees.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {

enum class KeptPrecision { automatic, float32, float64 };

}  // namespace tandem::program

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 3> enum_names<program::KeptPrecision>{
    "auto", "float32", "float64"};
}  // namespace tandem

namespace tandem::program {
namespace {

class Import final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("FILE", file_,
                       "a model of XGBoost (JSON or UBJSON), LightGBM (text), or another program's "
                       "in the ONNX format, told apart by how it begins");
    options.group("Results");
    options.written("model", model_, "where the model goes", "FILE");
    options.choice("precision", precision_,
                   "type of thresholds, leaves and weights; auto keeps every bit: float32 of "
                   "XGBoost, float64 of LightGBM, of ONNX what the file computes in");
    options.flag("json", json_, "print the result as JSON");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& /*options*/) override {
    if (model_.path.empty()) {
      throw InputError("expected " + option("model") + " FILE: where the model goes");
    }
    OutputFiles files;
    files.reads("the model to import", file_);
    files.writes(option("model"), model_.path, "a model", an_archive("model"));
    files.check(force_);
    std::optional<Precision> precision;
    if (precision_ == KeptPrecision::float32) precision = Precision::float32;
    if (precision_ == KeptPrecision::float64) precision = Precision::float64;
    const AnyModel model =
        holds_onnx() ? import_onnx(file_, precision) : import_trees(file_, precision);
    std::visit([&](const auto& pipeline) { keep(pipeline); }, model);
    return 0;
  }

 private:
  [[nodiscard]] bool holds_onnx() const {
    std::ifstream in(file_, std::ios::binary);
    std::array<char, 16> head{};
    in.read(head.data(), head.size());
    return is_onnx({head.data(), static_cast<std::size_t>(in.gcount())});
  }

  template <Real T>
  void keep(const Pipeline<T>& pipeline) const {
    save_model(model_.path, pipeline);
    const Model<T>& model = *pipeline.model;
    nlohmann::json json{{"file", file_},
                        {"model", model_.path},
                        {"algorithm", model.algorithm()},
                        {"features", model.features()},
                        {"precision", to_string(precision_of<T>)}};
    if (!model.classes().empty()) json["classes"] = model.classes();
    std::string text = std::string(model.algorithm());
    if (const auto trees = tree_ensemble_of(model)) {
      json["trees"] = trees->trees.size();
      json["outputs"] = trees->outputs;
      text += ", " + counted(static_cast<std::int64_t>(trees->trees.size()), "tree");
    }
    if (const auto* boosted = dynamic_cast<const GradientBoostingModel<T>*>(&model)) {
      json["objective"] = to_string(boosted->objective);
      text += ", objective " + std::string(to_string(boosted->objective));
    }
    if (!pipeline.transforms.changes_nothing()) text += ", behind a scaling of its columns";
    if (json_) {
      print_json(json);
      return;
    }
    print(text + ", on " + counted(model.features(), "feature") + " from " + file_ +
          "\nmodel: " + model_.path + "\n");
  }

  std::string file_;
  FileName model_;
  KeptPrecision precision_ = KeptPrecision::automatic;
  bool json_ = false;
  bool force_ = false;
};

// What a file's name may end in.
ForeignFormat format_of_name(const std::string& path) {
  if (path.ends_with(".json")) return ForeignFormat::xgboost_json;
  if (path.ends_with(".ubj") || path.ends_with(".ubjson")) return ForeignFormat::xgboost_ubjson;
  if (path.ends_with(".txt")) return ForeignFormat::lightgbm;
  return ForeignFormat::none;
}

class Export final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("MODEL", model_,
                       "a model that tandem wrote; of gradient boosting, but for ONNX");
    options.group("Results");
    options.written("out", out_,
                    "where it goes: .json and .ubj are XGBoost's formats, .txt is LightGBM's",
                    "FILE");
    options.written("onnx", onnx_,
                    "in place of that: write the model and its transforms in the ONNX format here",
                    "FILE");
    options.choice("ml_opset", operators_,
                   "ONNX: the version of its operators of machine learning; 3 is for runtimes that "
                   "do not have 5's");
    options.choice("input_type", input_,
                   "ONNX: type of the numbers that the file takes: the model's, or float32");
    options.flag("json", json_, "print the result as JSON");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    if (out_.path.empty() == onnx_.path.empty()) {
      throw InputError("expected either " + option("out") +
                       " FILE: where the model goes, with a name that ends in .json or .ubj "
                       "(XGBoost) or .txt (LightGBM); or " +
                       option("onnx") + " FILE");
    }
    if (!onnx_.path.empty()) return export_onnx();
    for (const char* name : {"ml_opset", "input_type"}) {
      if (options.given(name)) {
        throw InputError(option(name) + " says how an ONNX file is written; give " +
                         option("onnx") + " FILE, or leave it out");
      }
    }
    const ForeignFormat format = format_of_name(out_.path);
    if (format == ForeignFormat::none) {
      throw InputError(option("out") + ": '" + out_.path +
                       "' says no format; expected a name that ends in .json or .ubj (XGBoost) or "
                       ".txt (LightGBM)");
    }
    OutputFiles files;
    files.reads("the model", model_);
    add_marked_output(files, option("out"), out_.path, written::foreign_trees);
    files.check(force_);
    const AnyModel model = load_model(model_);
    std::visit([&](const auto& pipeline) { export_trees(out_.path, pipeline, format); }, model);
    say_where(out_.path, to_string(format), written::foreign_trees);
    return 0;
  }

 private:
  int export_onnx() const {
    if (format_of_name(onnx_.path) != ForeignFormat::none) {
      throw InputError(option("onnx") + " " + onnx_.path +
                       ": ONNX is written, and the name promises another format; end it with "
                       ".onnx, or name the file by " +
                       option("out"));
    }
    OutputFiles files;
    files.reads("the model", model_);
    add_marked_output(files, option("onnx"), onnx_.path, written::onnx);
    files.check(force_);
    const AnyModel model = load_model(model_);
    std::visit(
        [&](const auto& pipeline) {
          write_onnx(onnx_.path, pipeline, {operators_, input_});
        },
        model);
    say_where(onnx_.path, "onnx", written::onnx);
    return 0;
  }

  void say_where(const std::string& path, std::string_view format, const char* what) const {
    mark_output_as(path, what);
    if (json_) {
      print_json({{"model", model_}, {"out", path}, {"format", format}});
    } else {
      print("model: " + path + ", " + std::string(format) + "\n");
    }
  }

  std::string model_;
  FileName out_;
  FileName onnx_;
  OnnxOperators operators_ = OnnxOperators::ml5;
  OnnxInput input_ = OnnxInput::model;
  bool json_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_import(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Import>();
}
std::unique_ptr<Command> make_export(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Export>();
}

}  // namespace tandem::program
