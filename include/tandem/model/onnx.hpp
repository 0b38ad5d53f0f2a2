// Pipelines as ONNX models (onnx.ai), which other programs run: onnxruntime, databases, browsers.
//
// The file holds all of the pipeline: transforms, model, names of classes. Operators are those of
// ai.onnx 18 and ai.onnx.ml 5. docs/onnx.md says what is computed in which type and how far the
// results of another runtime may lie from Tandem's.
#pragma once

#include <string>

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

}  // namespace tandem
