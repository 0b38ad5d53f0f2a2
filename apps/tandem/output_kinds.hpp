// What the files are that commands write and that do not say so by their content, so that one kind
// does not replace another unasked.
#pragma once

#include <string>

#include "tandem/outputs.hpp"

namespace tandem::program {

namespace written {
inline constexpr const char* predictions = "predictions";
inline constexpr const char* shapley_values = "Shapley values";
inline constexpr const char* generated_data = "a generated data set";
inline constexpr const char* joined_outcomes = "predictions with their outcomes";
inline constexpr const char* transactions = "simulated transactions";
inline constexpr const char* transaction_features = "features of transactions";
inline constexpr const char* events = "simulated events";
inline constexpr const char* items = "simulated items";
inline constexpr const char* foreign_trees = "an exported model of trees";
inline constexpr const char* onnx = "an exported ONNX model";
inline constexpr const char* profile = "a profile";
}  // namespace written

// Marks a file that was just written, as mark_output() does, and says of which kind it is.
void mark_output_as(const std::string& path, const std::string& what);
// Adds a file that mark_output_as() will mark: one of this kind that is there, and that nobody has
// changed since, may be replaced.
void add_marked_output(OutputFiles& files, std::string name, const std::string& path,
                       const std::string& what);

[[nodiscard]] MayReplace a_model_card();  // of tandem fraud train
// A page of tandem man: its first line says whose.
[[nodiscard]] MayReplace a_manual_page();

}  // namespace tandem::program
