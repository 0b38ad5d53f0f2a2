// Pipelines as ONNX models (onnx.ai), which other programs run: onnxruntime, databases, browsers;
// and models of other programs, read from such files.
//
// The file holds all of the pipeline: transforms, model, names of classes. Operators are those of
// ai.onnx 18 and ai.onnx.ml 5. docs/onnx.md says what is computed in which type and how far the
// results of another runtime may lie from Tandem's.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {

// The bytes of the file.
//
// Inputs: one, "X", rows × columns of T, where all columns are numbers; else one for each column,
// rows × 1, under its name: T, or texts, where "" is a missing value.
// Outputs: "label" (rows; integers where all classes are, else texts) and "probabilities"
// (rows × classes); "prediction" (rows) of a regression; "label" (rows, from 0) of a clustering;
// "label" (rows; 1 for an outlier) and "score" (rows) of a detector.
//
// A tree's splits are comparisons in double, so that no row of T goes another way than in Tandem;
// scaling and all sums are in double too, and results are rounded to T once.
//
// Throws InputError for a kind of model or a transform that cannot be said in these operators, and
// where two columns have one name.
template <Real T>
[[nodiscard]] TANDEM_API std::string to_onnx(const Pipeline<T>& model);

// The file appears whole or not at all. Throws as to_onnx(), and SystemError.
template <Real T>
TANDEM_API void write_onnx(const std::string& path, const Pipeline<T>& model);

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
