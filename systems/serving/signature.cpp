#include "systems/serving/signature.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/names.hpp"

namespace tandem::serving {

bool Signature::all_numbers() const {
  return std::none_of(columns.begin(), columns.end(),
                      [](const SignatureColumn& column) { return column.categorical; });
}

std::string Signature::number_type() const {
  return precision == Precision::float32 ? "FP32" : "FP64";
}

std::vector<TensorSpec> Signature::inputs() const {
  if (all_numbers()) {
    return {{"input", number_type(), {-1, static_cast<Index>(columns.size())}}};
  }
  std::vector<TensorSpec> tensors;
  for (const SignatureColumn& column : columns) {
    tensors.push_back({column.name, column.categorical ? "BYTES" : number_type(), {-1, 1}});
  }
  return tensors;
}

std::vector<TensorSpec> Signature::outputs() const {
  switch (task) {
    case Task::regression: return {{"value", number_type(), {-1}}};
    case Task::classification:
      return {{"label", "BYTES", {-1}},
              {"probabilities", number_type(), {-1, static_cast<Index>(classes.size())}}};
    case Task::clustering: return {{"cluster", "INT32", {-1}}};
    case Task::detection: return {{"label", "BYTES", {-1}}, {"score", number_type(), {-1}}};
  }
  return {};
}

nlohmann::json Signature::to_json() const {
  nlohmann::json json{
      {"task", to_string(task)}, {"precision", to_string(precision)}, {"classes", classes}};
  auto& list = json["columns"] = nlohmann::json::array();
  for (const SignatureColumn& column : columns) {
    list.push_back({{"name", column.name}, {"kind", column.categorical ? "category" : "number"}});
  }
  return json;
}

std::string Signature::to_text() const { return json_text(to_json()); }

template <Real T>
Signature signature_of(const Pipeline<T>& pipeline) {
  Signature signature;
  signature.task = pipeline.model->task();
  signature.precision = precision_of<T>;
  signature.classes = pipeline.model->classes();
  signature.target = pipeline.schema.target.name;
  for (const Column& column : pipeline.schema.columns) {
    signature.columns.push_back({column.name, column.categorical()});
  }
  return signature;
}
template Signature signature_of(const Pipeline<float>&);
template Signature signature_of(const Pipeline<double>&);

std::vector<std::string> differences(const Signature& before, const Signature& after) {
  std::vector<std::string> found;
  const auto differs = [&](const std::string& what, std::string_view from, std::string_view to) {
    if (from != to) found.push_back(what + " is " + std::string(to) + ", was " + std::string(from));
  };
  differs("the task", to_string(before.task), to_string(after.task));
  differs("the precision", to_string(before.precision), to_string(after.precision));
  const auto has = [](const Signature& signature, const std::string& name) {
    return std::any_of(signature.columns.begin(), signature.columns.end(),
                       [&](const SignatureColumn& column) { return column.name == name; });
  };
  for (const SignatureColumn& column : before.columns) {
    if (!has(after, column.name)) found.push_back("the column " + column.name + " is gone");
  }
  for (const SignatureColumn& column : after.columns) {
    if (!has(before, column.name)) found.push_back("the column " + column.name + " is new");
  }
  if (found.empty() && before.columns != after.columns) {
    found.emplace_back("the columns have another order, or a column of numbers holds texts");
  }
  if (before.classes != after.classes) {
    const auto list = [](const std::vector<std::string>& names) {
      std::string text;
      for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
      return text;
    };
    found.push_back("the classes are " + list(after.classes) + "; they were " +
                    list(before.classes));
  }
  return found;
}

Signature signature_from_text(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    Signature signature;
    signature.task = parse_enum<Task>("task", json.at("task").get<std::string>());
    signature.precision =
        parse_enum<Precision>("precision", json.at("precision").get<std::string>());
    signature.classes = json.at("classes").get<std::vector<std::string>>();
    for (const auto& column : json.at("columns")) {
      signature.columns.push_back(
          {column.at("name").get<std::string>(), column.at("kind") == "category"});
    }
    return signature;
  } catch (const std::exception& error) {
    throw SystemError(std::string("the registry holds no signature: ") + error.what());
  }
}

}  // namespace tandem::serving
