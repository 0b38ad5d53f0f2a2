// What a benchmark does, as a small file says it: data, algorithm, settings of the peers, what
// equal quality is, and the least that the task costs.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tandem/bench/formula.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/generate.hpp"

namespace tandem::program {

// An estimator of another library that is made, fitted and asked as scikit-learn's are.
struct BenchPeer {
  std::string name;        // "scikit-learn"
  nlohmann::json request;  // what the peer's process is told: "class", "parameters", "target"
};

struct BenchQuality {
  std::string metric;  // accuracy, log_loss, roc_auc, rmse, r2, inertia
  // Tandem may be worse than the best peer by this share of its value, or by this much.
  double relative = 0;
  double absolute = 0;
};

struct BenchCase {
  std::string file;
  std::string name;
  std::string about;
  std::map<std::string, Index> rows;  // by suite: "quick", "standard", "large"
  Index test_rows = 0;                // beside them; 0: predictions are made for the training rows
  std::string kind;                   // of generated data
  GenerateOptions data;
  Precision precision = Precision::float32;
  std::string algorithm;
  nlohmann::json options;   // of Tandem's pipeline, by name
  Index given_centres = 0;  // k-means begins with so many of the first rows; 0: as it likes
  std::vector<BenchPeer> peers;
  BenchQuality quality;
  std::string flops;  // formulas over the numbers below
  std::string bytes;
  std::string memory;   // bytes that Tandem's fit may add to those of its rows; empty: not said
  Numbers numbers;      // of the case; rows, features and element (bytes of one) are added
  nlohmann::json text;  // the file

  [[nodiscard]] Numbers numbers_with(Index training_rows) const;
  // The same case with another number of features, or with another of its own numbers, wherever
  // the file writes "$name" in place of it. Throws InputError where a setting is not possible.
  [[nodiscard]] BenchCase with(const std::string& number, Index value) const;
  // Whether with() knows this number.
  [[nodiscard]] bool has(const std::string& number) const;
};

// Throws InputError that names the file, the member, what was expected.
[[nodiscard]] BenchCase read_bench_case(const std::string& path);
// All of a folder, in the order of their names.
[[nodiscard]] std::vector<BenchCase> read_bench_cases(const std::string& folder);

// The folder bench/ of the sources or of an installation, with cases/ and peers/. Throws InputError
// where there is none.
[[nodiscard]] std::string bench_folder();

}  // namespace tandem::program
