// The page about one training run.
#pragma once

#include <string>

#include "tandem/model/pipeline.hpp"
#include "tandem/results.hpp"

namespace tandem::program {

struct RunReport {
  std::string folder;  // made where it is missing; the page is FOLDER/report.html
  std::string command;
  std::string engine;
  Seconds seconds;
  const Scores* scores = nullptr;
  const ShownMetrics* shown = nullptr;
};

// Throws what write_run_report would throw for a missing gnuplot or a folder that cannot be made;
// before the training.
void prepare_report_folder(const std::string& folder);

// `train` and, where there is one, `test` are preprocessed.
template <Real T>
void write_run_report(const RunReport& report, Engine& engine, const Pipeline<T>& model,
                      const Dataset<T>& train, const Dataset<T>* test);

}  // namespace tandem::program
