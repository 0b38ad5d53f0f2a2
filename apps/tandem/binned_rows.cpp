#include "tandem/binned_rows.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "tandem/core/error.hpp"

namespace tandem::program {

template <Real T>
LoadedData<T> load_beside_bins(const RunSettings& run, const DataSettings& data,
                               const TestSettings& test, const BinnedTraining<T>& training,
                               const Algorithm& algorithm) {
  const std::pair<std::string_view, bool> of_rows[] = {
      {"target", !data.target.empty()},
      {"target_file", !data.target_file.path.empty()},
      {"weights", !data.weights.empty()},
      {"ignore", !data.ignore.list.empty()},
      {"drop_missing_target", data.drop_missing_target},
      {"test_fraction", test.test_fraction.value.has_value()},
  };
  for (const auto& [name, is_given] : of_rows) {
    if (!is_given) continue;
    throw InputError(data.data.path + ": its rows are in bins already; give " +
                     option(std::string(name)) + " to tandem bin" +
                     (name == "test_fraction" ? ", by leaving rows out of what it is given" : ""));
  }
  LoadedData<T> loaded;
  loaded.train = training.data.without_features();
  loaded.target_rule = "of the bins";
  loaded.task = algorithm.task(loaded.train);
  const Schema& schema = training.pipeline.schema;
  const auto read_more = [&](const std::string& path) {
    ReadOptions more = data.read_options(run);
    more.schema = &schema;
    Dataset<T> rows = read_dataset<T>(path, more);
    if (!rows.has_target()) {
      throw InputError(path + ": has no column " + schema.target.name +
                       ", the target; a test or validation file needs one");
    }
    return rows;
  };
  if (!test.test.path.empty()) loaded.test = read_more(test.test.path);
  if (!test.validation.path.empty()) loaded.validation = read_more(test.validation.path);
  return loaded;
}

template LoadedData<float> load_beside_bins(const RunSettings&, const DataSettings&,
                                            const TestSettings&, const BinnedTraining<float>&,
                                            const Algorithm&);
template LoadedData<double> load_beside_bins(const RunSettings&, const DataSettings&,
                                             const TestSettings&, const BinnedTraining<double>&,
                                             const Algorithm&);

}  // namespace tandem::program
