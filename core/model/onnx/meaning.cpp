// What a graph computes, found by going through its nodes in order. A value is what is known of it:
// the input's columns, a constant, sums that trees or layers make, probabilities, labels. Where an
// operator is not read, its results carry the reason, which is told if the model's output needs
// them.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>

#include "core/model/onnx/meaning.hpp"
#include "tandem/core/error.hpp"

namespace tandem::onnx {
namespace {

// The columns that the model is given.
struct Columns {
  Index count = -1;  // −1: not fixed by the file
  Scaling scaling;
};

// What a row comes to.
struct Sums {
  Columns columns;
  std::shared_ptr<const Trees> trees;  // else layers
  std::vector<std::shared_ptr<const Layer>> layers;

  [[nodiscard]] const Layer& last() const { return *layers.back(); }
};

struct Value {
  enum class Kind {
    refused,
    columns,
    constant,
    sums,           // as they are, or negated
    second,         // the probability of the second class, rows × 1
    first,          // and of the first
    exponential,    // exp of the sums
    totals,         // of each row of the sums: rows × 1
    probabilities,  // rows × classes
    label
  } kind = Kind::refused;
  std::string why;  // of a refused one
  Columns columns;
  Tensor constant;
  std::shared_ptr<const Sums> sums;
  bool negated = false;
  Link link = Link::none;  // of probabilities
  bool divided = false;    // of shares: by their sum
};
using Kind = Value::Kind;

Value refused(const std::string& why) {
  Value value;
  value.why = why;
  return value;
}

class Interpreter {
 public:
  Interpreter(const File& file, const std::string& source) : file_(file), source_(source) {}

  Meaning run() {
    add_inputs();
    for (const Node& node : file_.nodes) {
      if (node.outputs.empty()) continue;
      if (values_.contains(node.outputs[0])) {
        throw InputError(source_ + ": two nodes make '" + node.outputs[0] + "'");
      }
      const std::string where = source_ + ": node " + name_of(node) + ":";
      std::vector<Value> made;
      try {
        made = results(node, where);
      } catch (const InputError& error) {
        made.assign(1, refused(error.marked()));
      }
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        values_[node.outputs[i]] = i < made.size()
                                       ? std::move(made[i])
                                       : refused(made.empty() || made[0].kind != Kind::refused
                                                     ? where + " has more outputs than are known"
                                                     : made[0].why);
      }
    }
    return meaning(answer());
  }

 private:
  static std::string name_of(const Node& node) {
    return (node.name.empty() ? "" : "'" + node.name + "', ") + node.operation;
  }

  void add_inputs() {
    if (file_.inputs.empty()) throw InputError(source_ + ": has no input");
    constexpr std::int32_t float32 = 1;
    constexpr std::int32_t float64 = 11;
    for (const Port& port : file_.inputs) {
      Value value;
      if (!port.tensor || (port.type != float32 && port.type != float64)) {
        value = refused(source_ + ": input '" + port.name +
                        "' is no tensor of floats; only columns of numbers are read");
      } else {
        doubles_ = doubles_ || port.type == float64;
        value.kind = Kind::columns;
        value.columns.count = port.shape.size() == 2 ? port.shape[1] : -1;
        if (value.columns.count == 0) value.columns.count = -1;
      }
      values_[port.name] = std::move(value);
    }
    for (const auto& [name, tensor] : file_.constants) {
      Value value;
      value.kind = Kind::constant;
      value.constant = tensor;
      values_[name] = std::move(value);
    }
  }

  // --- one node ----------------------------------------------------------------------------------

  std::vector<Value> results(const Node& node, const std::string& where) {
    std::vector<const Value*> inputs;
    for (const std::string& name : node.inputs) {
      const auto found = values_.find(name);
      if (found == values_.end()) {
        throw InputError(where + " takes '" + name + "', which nothing before it makes");
      }
      if (found->second.kind == Kind::refused) return {refused(found->second.why)};
      inputs.push_back(&found->second);
    }
    const std::string& operation = node.operation;
    if (!node.domain.empty() && node.domain != "ai.onnx.ml") {
      throw InputError(where + " is an operator of " + node.domain + ", which is not read");
    }
    if (operation == "Constant") return {constant(node, where)};
    if (inputs.empty()) throw InputError(where + " is not read");
    const Value& x = *inputs[0];
    if (passes_through(node, x)) return {x};
    if (operation == "Concat") return {concatenated(node, inputs, where)};
    if (operation == "Scaler") return {scaled(node, x, where)};
    if (operation.rfind("TreeEnsemble", 0) == 0) return trees(node, x, where);
    if (operation == "LinearRegressor" || operation == "LinearClassifier") {
      return linear(node, x, where);
    }
    if (operation == "MatMul" || operation == "Gemm") return {product(node, inputs, where)};
    if (operation == "Add" || operation == "Sub" || operation == "Mul" || operation == "Div") {
      return {arithmetic(operation, inputs, where)};
    }
    if (x.kind == Kind::sums) {
      if (const auto value = of_sums(node, x)) return {*value};
    }
    if (const auto value = of_classes(node, inputs)) return {*value};
    throw InputError(where + " is not read here; docs/onnx.md lists what is");
  }

  // Changes of type and shape that change no number of a model's.
  static bool passes_through(const Node& node, const Value& x) {
    const std::string& operation = node.operation;
    if (operation == "Identity") return true;
    if (operation == "Cast") {
      const auto to = node.attributes.find("to");
      const std::int64_t type = to == node.attributes.end() ? 0 : to->second.integer;
      // Floats to floats; labels to whole numbers and texts.
      return x.kind == Kind::label ? type == 7 || type == 6 || type == 8 || type == 1 || type == 11
                                   : type == 1 || type == 11;
    }
    if (operation == "Dropout") return x.kind != Kind::constant;
    if (operation == "Flatten") return x.kind == Kind::columns || x.kind == Kind::sums;
    if (operation == "ZipMap") return x.kind == Kind::probabilities;
    if (operation == "Squeeze" || operation == "Unsqueeze" || operation == "Reshape") {
      return x.kind == Kind::label || x.kind == Kind::sums || x.kind == Kind::exponential;
    }
    // Of probabilities whose sum is 1 already.
    return operation == "Normalizer" && x.kind == Kind::probabilities && norm_of(node) == "L1";
  }

  static std::string norm_of(const Node& node) {
    const auto norm = node.attributes.find("norm");
    return norm == node.attributes.end() ? "MAX" : norm->second.text;
  }

  Value constant(const Node& node, const std::string& where) const {
    Value value;
    value.kind = Kind::constant;
    for (const auto& [name, attribute] : node.attributes) {
      if (name == "value") {
        value.constant = attribute.tensor;
      } else if (name == "value_float") {
        value.constant.numbers = {attribute.real};
      } else if (name == "value_int") {
        value.constant.numbers = {static_cast<double>(attribute.integer)};
        value.constant.integers = {attribute.integer};
      } else if (name == "value_floats") {
        value.constant.numbers = attribute.reals;
      } else {
        throw InputError(where + " has no value that is read");
      }
    }
    if (value.constant.shape.empty() && value.constant.size() > 1) {
      value.constant.shape = {value.constant.size()};
    }
    return value;
  }

  // Columns of several inputs; or the probabilities of two classes beside each other.
  Value concatenated(const Node& node, const std::vector<const Value*>& inputs,
                     const std::string& where) const {
    const auto axis = node.attributes.find("axis");
    const std::int64_t along = axis == node.attributes.end() ? 0 : axis->second.integer;
    const auto all = [&](Kind kind) {
      return std::all_of(inputs.begin(), inputs.end(),
                         [&](const Value* one) { return one->kind == kind; });
    };
    if ((along == 1 || along == -1) && all(Kind::columns)) {
      // Each of the graph's inputs once and in order, so that columns are told by their place.
      if (inputs.size() == file_.inputs.size()) {
        Value value = *inputs[0];
        value.columns.count = 0;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
          const bool in_order = node.inputs[i] == file_.inputs[i].name;
          if (!in_order || inputs[i]->columns.count < 0 ||
              !inputs[i]->columns.scaling.shift.empty()) {
            throw InputError(where + " puts columns into another order, which is not read");
          }
          value.columns.count += inputs[i]->columns.count;
        }
        return value;
      }
    }
    if ((along == 1 || along == -1) && inputs.size() == 2 && inputs[0]->kind == Kind::first &&
        inputs[1]->kind == Kind::second && inputs[0]->sums == inputs[1]->sums) {
      Value value = *inputs[1];
      value.kind = Kind::probabilities;
      value.link = Link::logistic;
      return value;
    }
    throw InputError(where + " puts things together that are not read");
  }

  static const std::vector<double>& reals(const Node& node, const char* name) {
    static const std::vector<double> none;
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? none : found->second.reals;
  }
  static std::string text(const Node& node, const char* name, const std::string& otherwise) {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? otherwise : found->second.text;
  }
  static std::int64_t integer(const Node& node, const char* name, std::int64_t otherwise) {
    const auto found = node.attributes.find(name);
    return found == node.attributes.end() ? otherwise : found->second.integer;
  }

  static void require_columns(const Value& x, const std::string& where) {
    if (x.kind != Kind::columns) {
      throw InputError(where + " does not take the input's columns, so that it is not read");
    }
  }

  // ---- scaling ----------------------------------------------------------------------------------

  // The columns after x ← (x − shift)/divisor for each; one number stands for all columns.
  Value rescaled(const Value& x, std::vector<double> shift, std::vector<double> divisor,
                 const std::string& where) const {
    Value value = x;
    Columns& columns = value.columns;
    const std::size_t count = std::max(shift.size(), divisor.size());
    if (columns.count < 0 && count > 1) columns.count = static_cast<Index>(count);
    if (columns.count < 0)
      throw InputError(where + ": the file does not say how many columns there are");
    const auto wanted = static_cast<std::size_t>(columns.count);
    for (auto* list : {&shift, &divisor}) {
      if (list->size() == 1) list->assign(wanted, list->front());
      if (list->size() != wanted) {
        throw InputError(where + " has " + std::to_string(list->size()) + " numbers for " +
                         std::to_string(wanted) + " columns");
      }
    }
    for (std::size_t j = 0; j < wanted; ++j) {
      if (!std::isfinite(shift[j]) || !std::isfinite(divisor[j]) || !(divisor[j] > 0)) {
        throw InputError(where + " scales column " + std::to_string(j + 1) +
                         " by a number that is not positive and finite");
      }
    }
    Scaling& scaling = columns.scaling;
    if (scaling.shift.empty()) {
      scaling.shift.assign(wanted, 0.0);
      scaling.divisor.assign(wanted, 1.0);
    }
    for (std::size_t j = 0; j < wanted; ++j) {
      // ((x − a)/b − c)/d = (x − (a + c·b))/(b·d)
      scaling.shift[j] += shift[j] * scaling.divisor[j];
      scaling.divisor[j] *= divisor[j];
    }
    return value;
  }

  Value scaled(const Node& node, const Value& x, const std::string& where) const {
    require_columns(x, where);
    std::vector<double> offset = reals(node, "offset");
    std::vector<double> scale = reals(node, "scale");
    if (offset.empty()) offset = {0};
    if (scale.empty()) scale = {1};
    for (double& value : scale) value = 1 / value;
    return rescaled(x, std::move(offset), std::move(scale), where);
  }

  // ---- what rows come to ------------------------------------------------------------------------

  static Value value_of(Kind kind, Sums sums) {
    Value value;
    value.kind = kind;
    value.sums = std::make_shared<const Sums>(std::move(sums));
    return value;
  }

  static Sums of_layer(const Value& x, Layer layer) {
    return {x.columns, nullptr, {std::make_shared<const Layer>(std::move(layer))}};
  }

  std::vector<Value> trees(const Node& node, const Value& x, const std::string& where) {
    require_columns(x, where);
    NodeTrees read = trees_of_node(node, where);
    Sums sums{x.columns, std::make_shared<const Trees>(std::move(read.trees)), {}};
    if (node.operation != "TreeEnsembleClassifier") {
      Value value = value_of(Kind::sums, std::move(sums));
      if (read.link == Link::logistic) {
        value.kind = Kind::second;
      } else if (read.link == Link::softmax) {
        value.kind = Kind::probabilities;
        value.link = Link::softmax;
      }
      return {value};
    }
    classes_ = read.classes;
    Value value = value_of(Kind::probabilities, std::move(sums));
    value.link = read.link;
    Value label = value;
    label.kind = Kind::label;
    return {label, value};
  }

  std::vector<Value> linear(const Node& node, const Value& x, const std::string& where) {
    require_columns(x, where);
    const bool classifies = node.operation == "LinearClassifier";
    const std::vector<double>& coefficients = reals(node, "coefficients");
    std::vector<double> intercepts = reals(node, "intercepts");
    const std::vector<std::string> classes = class_labels(node);
    std::size_t outputs = classifies ? classes.size()
                                     : static_cast<std::size_t>(std::clamp<std::int64_t>(
                                           integer(node, "targets", 1), 1, 1 << 16));
    // One row of coefficients for two classes is that of the second.
    if (classifies && intercepts.size() == 1 && outputs == 2) outputs = 1;
    if (outputs == 0) throw InputError(where + " names no classes");
    if (intercepts.empty()) intercepts.assign(outputs, 0.0);
    if (intercepts.size() != outputs || coefficients.empty() ||
        coefficients.size() % outputs != 0) {
      throw InputError(where + " has " + std::to_string(coefficients.size()) +
                       " coefficients and " + std::to_string(intercepts.size()) +
                       " intercepts for " + std::to_string(outputs) + " outputs");
    }
    const std::size_t features = coefficients.size() / outputs;
    Layer layer;
    layer.bias = intercepts;
    layer.weights.resize(coefficients.size());
    for (std::size_t k = 0; k < outputs; ++k) {
      for (std::size_t j = 0; j < features; ++j) {
        layer.weights[j * outputs + k] = coefficients[k * features + j];
      }
    }
    const std::string transform = text(node, "post_transform", "NONE");
    if (!classifies) {
      if (transform != "NONE") throw InputError(where + " has the post_transform " + transform);
      return {value_of(Kind::sums, of_layer(x, layer))};
    }
    classes_ = classes;
    const bool opposite = outputs == 2 && negation_of(layer);
    if (transform == "LOGISTIC" && (outputs == 1 || opposite)) {
      Value value =
          value_of(Kind::probabilities, of_layer(x, outputs == 1 ? layer : last_column(layer)));
      value.link = Link::logistic;
      Value label = value;
      label.kind = Kind::label;
      return {label, value};
    }
    if (transform == "SOFTMAX") {
      Value value = value_of(Kind::probabilities, of_layer(x, layer));
      value.link = Link::softmax;
      Value label = value;
      label.kind = Kind::label;
      return {label, value};
    }
    if (transform == "NONE" && outputs >= 2) {
      // Scores, which a Softmax may follow.
      Value value = value_of(Kind::sums, of_layer(x, layer));
      Value label = value;
      label.kind = Kind::label;
      return {label, value};
    }
    throw InputError(
        where + " has the post_transform " + transform + " of " + std::to_string(outputs) +
        " outputs: one model for each class, whose probabilities Tandem's models do not "
        "have");
  }

  // Two outputs of which one is minus the other.
  static bool negation_of(const Layer& layer) {
    for (std::size_t i = 0; i + 1 < layer.weights.size(); i += 2) {
      if (layer.weights[i] != -layer.weights[i + 1]) return false;
    }
    return layer.bias[0] == -layer.bias[1];
  }
  static Layer last_column(const Layer& layer) {
    Layer result;
    for (std::size_t i = 1; i < layer.weights.size(); i += 2) {
      result.weights.push_back(layer.weights[i]);
    }
    result.bias = {layer.bias[1]};
    return result;
  }

  Value product(const Node& node, const std::vector<const Value*>& inputs,
                const std::string& where) {
    const Value& x = *inputs[0];
    if (inputs.size() < 2 || inputs[1]->kind != Kind::constant ||
        inputs[1]->constant.shape.size() != 2) {
      throw InputError(where + " does not multiply by a constant matrix, so that it is not read");
    }
    const bool gemm = node.operation == "Gemm";
    const auto factor = [&](const char* name) {
      const auto found = node.attributes.find(name);
      return !gemm || found == node.attributes.end() ? 1.0 : found->second.real;
    };
    if (gemm && integer(node, "transA", 0) != 0) throw InputError(where + " turns the rows");
    const bool turned = gemm && integer(node, "transB", 0) != 0;
    const Tensor& matrix = inputs[1]->constant;
    const auto rows = static_cast<std::size_t>(matrix.shape[turned ? 1 : 0]);
    const auto outputs = static_cast<std::size_t>(matrix.shape[turned ? 0 : 1]);
    if (rows == 0 || outputs == 0 || matrix.numbers.size() != rows * outputs) {
      throw InputError(where + " multiplies by an empty matrix, or by one that is not of numbers");
    }
    Layer layer;
    layer.bias.assign(outputs, 0.0);
    layer.weights.resize(rows * outputs);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t k = 0; k < outputs; ++k) {
        layer.weights[i * outputs + k] =
            factor("alpha") * matrix.numbers[turned ? k * rows + i : i * outputs + k];
      }
    }
    Sums sums;
    if (x.kind == Kind::columns) {
      sums.columns = x.columns;
    } else if (x.kind == Kind::sums && !x.negated && !x.sums->trees) {
      sums = *x.sums;
      if (sums.last().bias.size() != rows) {
        throw InputError(where + " multiplies " + std::to_string(sums.last().bias.size()) +
                         " values by a matrix of " + std::to_string(rows) + " rows");
      }
    } else if (x.kind == Kind::second && !x.sums->trees && rows == 1) {
      // A hidden layer of one unit.
      sums = *x.sums;
      Layer hidden = changed_layer(sums);
      hidden.function = Layer::Function::sigmoid;
      sums.layers.back() = std::make_shared<const Layer>(std::move(hidden));
    } else {
      throw InputError(where + " multiplies something that is not read");
    }
    sums.layers.push_back(std::make_shared<const Layer>(std::move(layer)));
    Value value = value_of(Kind::sums, std::move(sums));
    if (gemm && inputs.size() > 2) {
      if (inputs[2]->kind != Kind::constant) throw InputError(where + " adds no constant");
      std::vector<double> bias = inputs[2]->constant.numbers;
      for (double& one : bias) one *= factor("beta");
      return shifted(value, bias, where);
    }
    return value;
  }

  // Copies of what an operator changes, which a file may not ask for without end.
  Trees changed_trees(const Sums& sums) {
    std::size_t size = 0;
    for (const auto& tree : sums.trees->trees) size += tree.size();
    spend(size);
    return *sums.trees;
  }
  Layer changed_layer(const Sums& sums) {
    spend(sums.last().weights.size());
    return sums.last();
  }
  void spend(std::size_t size) {
    constexpr std::size_t most = std::size_t{1} << 28;
    spent_ += size;
    if (spent_ > most) {
      throw InputError(source_ + ": has more operators that change its weights than a model needs");
    }
  }

  // The last layer, whose function has not come yet.
  Layer open_layer(const Sums& sums, const std::string& where) {
    if (sums.last().function != Layer::Function::none) {
      throw InputError(where + " changes what a layer's function has made, which is not read");
    }
    return changed_layer(sums);
  }
  static Value with_last(const Sums& sums, Layer layer) {
    Sums changed = sums;
    changed.layers.back() = std::make_shared<const Layer>(std::move(layer));
    return value_of(Kind::sums, std::move(changed));
  }
  static Value with_trees(const Sums& sums, Trees trees) {
    Sums changed = sums;
    changed.trees = std::make_shared<const Trees>(std::move(trees));
    return value_of(Kind::sums, std::move(changed));
  }

  // Sums with a constant for each output added.
  Value shifted(const Value& x, const std::vector<double>& by, const std::string& where) {
    const auto add = [&](std::vector<double>& base) {
      if (by.size() != 1 && by.size() != base.size()) {
        throw InputError(where + " adds " + std::to_string(by.size()) + " numbers to " +
                         std::to_string(base.size()) + " outputs");
      }
      for (std::size_t k = 0; k < base.size(); ++k) base[k] += by[by.size() == 1 ? 0 : k];
    };
    if (x.sums->trees) {
      Trees trees = changed_trees(*x.sums);
      add(trees.base);
      return with_trees(*x.sums, std::move(trees));
    }
    Layer layer = open_layer(*x.sums, where);
    add(layer.bias);
    return with_last(*x.sums, std::move(layer));
  }

  // Sums with each output multiplied by a constant.
  Value multiplied(const Value& x, const std::vector<double>& by, const std::string& where) {
    if (x.sums->trees) {
      if (by.size() != 1) {
        throw InputError(where + " multiplies outputs of trees by several numbers");
      }
      Trees trees = changed_trees(*x.sums);
      for (auto& tree : trees.trees) {
        for (TreeNode& node : tree) {
          for (auto& [output, value] : node.adds) value *= by[0];
        }
      }
      for (double& value : trees.base) value *= by[0];
      return with_trees(*x.sums, std::move(trees));
    }
    Layer layer = open_layer(*x.sums, where);
    const std::size_t outputs = layer.bias.size();
    if (by.size() != 1 && by.size() != outputs) {
      throw InputError(where + " multiplies " + std::to_string(outputs) + " outputs by " +
                       std::to_string(by.size()) + " numbers");
    }
    for (std::size_t i = 0; i < layer.weights.size(); ++i) {
      layer.weights[i] *= by[by.size() == 1 ? 0 : i % outputs];
    }
    for (std::size_t k = 0; k < outputs; ++k) layer.bias[k] *= by[by.size() == 1 ? 0 : k];
    return with_last(*x.sums, std::move(layer));
  }

  Value arithmetic(const std::string& operation, const std::vector<const Value*>& inputs,
                   const std::string& where) {
    if (inputs.size() != 2) throw InputError(where + " has not two inputs");
    const Value& x = *inputs[0];
    const Value& y = *inputs[1];
    const bool turned = x.kind == Kind::constant;
    const Value& rows = turned ? y : x;
    const Value& other = turned ? x : y;
    if (other.kind == Kind::constant && !other.constant.numbers.empty()) {
      std::vector<double> numbers = other.constant.numbers;
      // 1 − p of the second class.
      if (operation == "Sub" && turned && rows.kind == Kind::second && numbers.size() == 1 &&
          numbers[0] == 1) {
        Value value = rows;
        value.kind = Kind::first;
        return value;
      }
      const bool plain = operation == "Add" || operation == "Mul" || !turned;
      if (plain && (rows.kind == Kind::columns || (rows.kind == Kind::sums && !rows.negated))) {
        const bool sum = operation == "Add" || operation == "Sub";
        if (operation == "Div") {
          for (double& number : numbers) number = 1 / number;
        }
        if (rows.kind == Kind::columns) {
          // x + c is x − (−c), x·c is x/(1/c).
          if (sum) {
            if (operation == "Add") {
              for (double& number : numbers) number = -number;
            }
            return rescaled(rows, numbers, {1}, where);
          }
          for (double& number : numbers) number = 1 / number;
          return rescaled(rows, {0}, numbers, where);
        }
        if (operation == "Sub") {
          for (double& number : numbers) number = -number;
        }
        return sum ? shifted(rows, numbers, where) : multiplied(rows, numbers, where);
      }
    }
    // exp(s)·c is exp(s + ln c).
    if (operation == "Mul" && rows.kind == Kind::exponential && other.kind == Kind::constant &&
        other.constant.numbers.size() == 1 && other.constant.numbers[0] > 0) {
      Value value = shifted(rows, {std::log(other.constant.numbers[0])}, where);
      value.kind = Kind::exponential;
      return value;
    }
    // Shares of the classes, divided by their sum.
    if (operation == "Div" && x.kind == Kind::sums && y.kind == Kind::totals && x.sums == y.sums) {
      Value value = x;
      value.kind = Kind::probabilities;
      value.link = Link::shares;
      value.divided = true;
      return value;
    }
    throw InputError(where + " computes something that is not read");
  }

  std::optional<Value> of_sums(const Node& node, const Value& x) {
    const std::string& operation = node.operation;
    Value value = x;
    if (operation == "Neg") {
      value.negated = !x.negated;
      return value;
    }
    const bool one_output =
        x.sums->trees ? x.sums->trees->outputs == 1 : x.sums->last().bias.size() == 1;
    const bool open = x.sums->trees || x.sums->last().function == Layer::Function::none;
    if (operation == "Sigmoid" && one_output && open) {
      // Whether it is a class's probability or a layer's function, only what follows says.
      value.kind = x.negated ? Kind::first : Kind::second;
      return value;
    }
    if (x.negated || !open) return std::nullopt;
    if (operation == "Softmax") {
      const std::int64_t axis = integer(node, "axis", -1);
      if (axis != 1 && axis != -1) return std::nullopt;
      value.kind = Kind::probabilities;
      value.link = Link::softmax;
      return value;
    }
    if (operation == "Exp" && x.sums->trees) {
      value.kind = Kind::exponential;
      return value;
    }
    if (operation == "ReduceSum" && x.sums->trees) {
      value.kind = Kind::totals;
      return value;
    }
    if (x.sums->trees) return std::nullopt;
    Layer layer;
    if (operation == "Relu" || operation == "Tanh" || operation == "Sigmoid") {
      layer = changed_layer(*x.sums);
    }
    if (operation == "Relu") {
      layer.function = Layer::Function::relu;
    } else if (operation == "Tanh") {
      layer.function = Layer::Function::tanh;
    } else if (operation == "Sigmoid") {
      layer.function = Layer::Function::sigmoid;
    } else {
      return std::nullopt;
    }
    return with_last(*x.sums, std::move(layer));
  }

  // Labels: the place of the largest, and the class of that place.
  std::optional<Value> of_classes(const Node& node, const std::vector<const Value*>& inputs) {
    const std::string& operation = node.operation;
    const Value& x = *inputs[0];
    if (operation == "ArgMax" && (x.kind == Kind::probabilities || x.kind == Kind::sums)) {
      Value value = x;
      value.kind = Kind::label;
      return value;
    }
    if ((operation == "Greater" || operation == "GreaterOrEqual") && x.kind == Kind::second) {
      Value value = x;
      value.kind = Kind::label;
      return value;
    }
    if ((operation == "Gather" || operation == "ArrayFeatureExtractor") && inputs.size() == 2 &&
        x.kind == Kind::constant && inputs[1]->kind == Kind::label) {
      classes_ = x.constant.texts;
      if (classes_.empty()) {
        for (const std::int64_t number : x.constant.integers) {
          classes_.push_back(std::to_string(number));
        }
      }
      if (classes_.empty()) return std::nullopt;
      return *inputs[1];
    }
    return std::nullopt;
  }

  // --- the whole ---------------------------------------------------------------------------------

  // The output that says most: probabilities, else values. A label alone is not enough.
  [[nodiscard]] const Value& answer() const {
    std::string why;
    const Value* label = nullptr;
    const Value* found = nullptr;
    for (const Port& port : file_.outputs) {
      const auto at = values_.find(port.name);
      if (at == values_.end()) {
        throw InputError(source_ + ": nothing makes the output '" + port.name + "'");
      }
      const Value& value = at->second;
      if (value.kind == Kind::refused) {
        if (why.empty()) why = value.why;
        continue;
      }
      if (value.kind == Kind::label) {
        label = &value;
      } else if (value.kind == Kind::probabilities || found == nullptr) {
        found = &value;
      }
    }
    if (found != nullptr) return *found;
    if (!why.empty()) throw InputError(why);
    if (label != nullptr) return *label;
    throw InputError(source_ + ": has no output");
  }

  Meaning meaning(const Value& value) const {
    Meaning result;
    result.doubles = doubles_;
    if (!value.sums) {
      throw InputError(source_ +
                       ": its output is not what trees, a linear model or a perceptron make");
    }
    const Sums& sums = *value.sums;
    if (sums.trees) result.trees = *sums.trees;
    for (const auto& layer : sums.layers) result.layers.push_back(*layer);
    result.scaling = sums.columns.scaling;
    const Index outputs = sums.trees ? sums.trees->outputs : sums.last().outputs();
    switch (value.kind) {
      case Kind::second: result.link = Link::logistic; break;
      case Kind::probabilities:
      case Kind::label:
        result.link = value.link;
        result.divided = value.divided;
        if (value.link == Link::none) {
          throw InputError(source_ +
                           ": gives labels by scores that are no probabilities, which "
                           "Tandem's classifiers have");
        }
        break;
      case Kind::exponential: result.link = Link::exponential; break;
      case Kind::sums:
        if (!value.negated) break;
        [[fallthrough]];
      default: throw InputError(source_ + ": its output is not what a model's is");
    }
    result.classifies = result.link != Link::none && result.link != Link::exponential;
    if (result.classifies) {
      const Index classes = result.link == Link::logistic ? 2 : outputs;
      result.classes = classes_;
      if (result.classes.empty()) {
        for (Index k = 0; k < classes; ++k) result.classes.push_back(std::to_string(k));
      }
      if (static_cast<Index>(result.classes.size()) != classes) {
        throw InputError(source_ + ": has " + std::to_string(result.classes.size()) +
                         " names for " + std::to_string(classes) + " classes");
      }
    } else if (outputs != 1) {
      throw InputError(source_ + ": predicts " + std::to_string(outputs) +
                       " values at once; Tandem's models predict one");
    }
    count_features(sums, result);
    return result;
  }

  void count_features(const Sums& sums, Meaning& result) const {
    result.features = sums.columns.count;
    if (!sums.layers.empty()) {
      const Layer& first = *sums.layers.front();
      const auto taken = static_cast<Index>(first.weights.size() / first.bias.size());
      if (result.features >= 0 && result.features != taken) {
        throw InputError(source_ + ": its input has " + std::to_string(result.features) +
                         " columns, and its model takes " + std::to_string(taken));
      }
      result.features = taken;
    }
    std::int64_t last = -1;
    for (const auto& tree : result.trees.trees) {
      for (const TreeNode& node : tree) last = std::max(last, node.feature);
    }
    if (result.features < 0) {
      if (sums.trees && last < 0) {
        throw InputError(source_ + ": does not say how many columns it takes");
      }
      result.features = last + 1;
    }
    if (last >= result.features) {
      throw InputError(source_ + ": splits by column " + std::to_string(last + 1) + " of " +
                       std::to_string(result.features));
    }
    if (static_cast<Index>(file_.inputs.size()) == result.features && result.features > 1) {
      for (const Port& port : file_.inputs) result.names.push_back(port.name);
    }
  }

  const File& file_;
  const std::string& source_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> classes_;
  std::size_t spent_ = 0;
  bool doubles_ = false;
};

}  // namespace

Meaning meaning_of(const File& file, const std::string& source) {
  return Interpreter(file, source).run();
}

}  // namespace tandem::onnx
