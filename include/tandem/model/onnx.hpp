// Pipelines as ONNX models (onnx.ai), which other programs run: onnxruntime, databases, browsers;
// and models of other programs, read from such files.
//
// The file holds all of the pipeline: transforms, model, names of classes. docs/onnx.md says what
// is computed in which type and how far the results of another runtime may lie from Tandem's.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/types.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {

// The operators that a file is written in, by the version of ai.onnx.ml: 5 with ai.onnx 18, or 3
// with ai.onnx 15, for runtimes that do not have TreeEnsemble.
enum class OnnxOperators { ml5, ml3 };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<OnnxOperators>{"5", "3"};

// The type of the numbers that the file takes: the model's, or float32.
enum class OnnxInput { model, float32 };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<OnnxInput>{"model", "float32"};

struct OnnxOptions {
  OnnxOperators operators = OnnxOperators::ml5;
  OnnxInput input = OnnxInput::model;
};

// The bytes of the file.
//
// Inputs, of the type that options.input says: one, "X", rows × columns, where all columns are
// numbers; else one for each column, rows × 1, under its name: numbers, or texts, where "" is a
// missing value.
// Outputs: "label" (rows; integers where all classes are, else texts) and "probabilities"
// (rows × classes); "prediction" (rows) of a regression; "label" (rows, from 0) of a clustering;
// "label" (rows; 1 for an outlier) and "score" (rows) of a detector.
//
// No row goes another way through a tree than in Tandem. Scaling and all sums are in double, but
// for the sums of trees with OnnxOperators::ml3, which are in float32; results are rounded to T
// once.
//
// Throws InputError for a kind of model or a transform that cannot be said in these operators, and
// where two columns have one name.
template <Real T>
[[nodiscard]] TANDEM_API std::string to_onnx(const Pipeline<T>& model,
                                             const OnnxOptions& options = {});

// The file appears whole or not at all. Throws as to_onnx(), and SystemError.
template <Real T>
TANDEM_API void write_onnx(const std::string& path, const Pipeline<T>& model,
                           const OnnxOptions& options = {});

// Whether a file begins as ONNX files do.
[[nodiscard]] TANDEM_API bool is_onnx(std::string_view head);

// A model that another program wrote as ONNX, as a pipeline that can be used, saved, explained and
// exported as any other: ensembles of trees (TreeEnsemble, TreeEnsembleClassifier and -Regressor),
// linear models (LinearClassifier, LinearRegressor, MatMul, Gemm) and perceptrons of layers with
// one function, behind a scaling of the columns where there is one. Trees that add up scores become
// gradient boosting, trees of shares of classes a random forest.
//
// Precision: float32, in which the operators compute, unless the file's input or its trees are of
// doubles, or `precision` says otherwise. Columns are called as the file's inputs where there is
// one for each, else x0, x1, ... Throws InputError for a damaged file and for what is no such
// model; the message names the node. docs/onnx.md lists what is read.
[[nodiscard]] TANDEM_API AnyModel parse_onnx(std::string_view bytes, const std::string& source,
                                             std::optional<Precision> precision = {});
// The same of a file. Throws SystemError where it cannot be read.
[[nodiscard]] TANDEM_API AnyModel import_onnx(const std::string& path,
                                              std::optional<Precision> precision = {});

}  // namespace tandem
