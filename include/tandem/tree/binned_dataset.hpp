// A training set in bins, which gradient boosting is trained from without the rows it was made of.
//
//   const auto binned = bin_dataset(*engine, data, {.max_bins = 255});
//   save_binned("train.bins", binned);
//   ...
//   const auto model = fit(*engine, load_binned<float>("train.bins"), options);
//
// The model is the one that the rows themselves give with options.max_bins and max_cat_bins as they
// are here, bit by bit; but where weights come from options.class_weight, or rows are held out by
// options.validation_fraction: the thresholds here are those of all rows, by the weights of the
// data. docs/model-format.md specifies the file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/shared_bytes.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {

// As the options of gradient boosting that are called so.
struct BinningOptions {
  std::int64_t max_bins = 255;
  std::int64_t max_cat_bins = 65535;
  [[nodiscard]] bool operator==(const BinningOptions&) const = default;
};

template <Real T>
struct TANDEM_API BinnedDataset {
  std::string source;   // the file or generator it comes from, for messages
  BinningOptions made;  // what the bins were made with
  BinnedTable<T> table;
  std::vector<Column> columns;  // one per feature
  // Per feature: the category (its code) of each bin that is one's own; empty for a feature of
  // numbers. Where there are more categories the last bin is that of all others.
  std::vector<std::vector<std::int32_t>> category_codes;
  // As in Dataset; of the rows in the table, which are those of weight > 0.
  std::vector<T> target;
  Column target_column;
  Classes target_texts{};
  std::vector<T> weights;
  std::vector<Index> groups;
  std::vector<T> base_margin;

  [[nodiscard]] Index rows() const noexcept { return table.rows; }
  [[nodiscard]] Index cols() const noexcept { return table.features(); }
  // All but the features, which are rows × 0.
  [[nodiscard]] Dataset<T> without_features() const;
  // A value for each bin of these rows: a tree that was grown on the same cuts sends it where it
  // sends the row. That of a bin of numbers is its upper threshold.
  [[nodiscard]] Matrix<T> representatives(std::span<const Index> of_rows) const;

  void save(Archive& archive) const;  // all but the table's bins
  // `bins` as save_binned() keeps them. Throws InputError for what save() cannot have written.
  [[nodiscard]] static BinnedDataset load(const Archive& archive, SharedBytes bins);
  [[nodiscard]] bool operator==(const BinnedDataset&) const;
};

// Throws InputError for no rows, infinite features, a missing target or none, options out of range,
// and as gradient boosting does for columns of categories.
template <Real T>
[[nodiscard]] TANDEM_API BinnedDataset<T> bin_dataset(Engine& engine, const DatasetView<T>& data,
                                                      const BinningOptions& options = {});
template <Real T>
[[nodiscard]] BinnedDataset<T> bin_dataset(Engine& engine, const Dataset<T>& data,
                                           const BinningOptions& options = {}) {
  return bin_dataset(engine, data.view(), options);
}

// The file appears whole or not at all. `others`: what else is to be kept in it, by name.
template <Real T>
TANDEM_API void save_binned(const std::string& path, const BinnedDataset<T>& data,
                            const Archive& others = {});
// Maps the file, whose bins are not copied: it must stay as it is while the data is used. `others`
// receives all that is kept. Throws InputError for a file that save_binned() has not written, or
// that was altered since, and for one of the other precision.
template <Real T>
[[nodiscard]] TANDEM_API BinnedDataset<T> load_binned(const std::string& path,
                                                      Archive* others = nullptr);
// The same from a file's bytes; `source` is its name in messages.
template <Real T>
[[nodiscard]] TANDEM_API BinnedDataset<T> load_binned(SharedBytes bytes, const std::string& source,
                                                      Archive* others = nullptr);
// Of the values in such a file. Throws InputError as load_binned().
[[nodiscard]] TANDEM_API Precision precision_of_binned(const std::string& path);

// As fit() of rows. options.max_bins and max_cat_bins are not looked at: those of the bins count.
// Rows for validation (context.validation) are given as such. context.weights stand in for the
// data's; a row of weight 0 is left out.
template <Real T>
[[nodiscard]] TANDEM_API GradientBoostingModel<T> fit(
    Engine& engine, const BinnedDataset<T>& data, const GradientBoostingOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
