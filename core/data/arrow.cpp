#include "tandem/data/arrow.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/data/arrow_column.hpp"
#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

struct ColumnValues {
  std::vector<double> values;           // NaN for a null
  std::vector<std::string> categories;  // of texts; values are then codes
};

[[noreturn]] void refuse(const ArrowOptions& options, std::string_view column,
                         const std::string& what) {
  throw InputError(options.source + ": column " + std::string(column) + ": " + what);
}

// Codes in ascending order of the texts, of which each is the value of some row.
ColumnValues coded(const std::vector<std::int32_t>& codes, const TextDictionary& texts) {
  std::map<std::string_view, double> order;
  for (std::size_t c = 0; c < texts.size(); ++c) order.emplace(texts.text(c), 0);
  ColumnValues column;
  for (auto& [text, code] : order) {
    code = static_cast<double>(column.categories.size());
    column.categories.emplace_back(text);
  }
  column.values.reserve(codes.size());
  for (const std::int32_t code : codes) {
    column.values.push_back(code < 0 ? std::numeric_limits<double>::quiet_NaN()
                                     : order.at(texts.text(static_cast<std::size_t>(code))));
  }
  return column;
}

ColumnValues read_column(const ArrowArray& array, const ArrowSchema& schema,
                         const ArrowOptions& options, const std::string& name,
                         const MemoryBudget& budget) {
  const DeclaredColumn declared = arrow_declared(schema);
  if (declared.kind == DeclaredKind::unread) {
    refuse(options, name,
           declared.type +
               "; expected integers, floats, booleans, dates, texts or dictionaries "
               "of texts: cast the column first");
  }
  const std::string where = options.source + ": column " + name;
  const ArrowType type = arrow_type(schema.format);
  ValuesAs as = ValuesAs::labels;
  std::shared_ptr<ArrowDictionary> dictionary;
  if (declared.kind == DeclaredKind::coded) {
    if (array.dictionary == nullptr) refuse(options, name, "has no dictionary");
    dictionary = std::make_shared<ArrowDictionary>();
    append_dictionary(*array.dictionary, arrow_type(schema.dictionary->format), where, budget,
                      *dictionary);
  }
  if (declared.kind == DeclaredKind::text || declared.kind == DeclaredKind::coded) {
    as = ValuesAs::texts;
  } else if (declared.kind == DeclaredKind::date || declared.kind == DeclaredKind::time) {
    as = ValuesAs::seconds;
  }
  const auto stream = open_arrow_column<double>(array, type, where, budget, as, dictionary);
  ColumnBatch<double> batch;
  stream->next(array.length, batch);
  if (as == ValuesAs::texts) return coded(batch.codes, stream->take_texts());
  if (!batch.rounded.empty()) {
    const auto& [place, text] = batch.rounded.front();
    refuse(options, name,
           "row " + std::to_string(place + 1) + ": " + text +
               " is no number of double precision; hand the column over as text");
  }
  return {as == ValuesAs::seconds ? std::move(batch.seconds) : std::move(batch.numbers), {}};
}

}  // namespace

template <Real T>
Dataset<T> dataset_from_arrow(const ArrowArray& array, const ArrowSchema& schema,
                              const ArrowOptions& options) {
  if (array.release == nullptr || schema.release == nullptr) {
    throw InputError(options.source +
                     ": the Arrow array or schema was released before it was read; export it anew "
                     "for each reading");
  }
  if (schema.format == nullptr || std::string_view(schema.format) != "+s" ||
      array.n_children != schema.n_children) {
    throw InputError(options.source +
                     ": is no record batch; expected a struct array (format +s) with a child per "
                     "column");
  }
  if (array.null_count != 0 && array.n_buffers > 0 && array.buffers[0] != nullptr) {
    throw InputError(options.source + ": whole rows are null; drop them first");
  }
  const MemoryBudget budget(options.source, {});
  Dataset<T> data;
  data.source = options.source;
  std::vector<ColumnValues> features;
  bool found_target = options.target.empty();
  bool found_weights = options.weights.empty();
  const auto place = [&](const ColumnValues& column, Index i) {
    return column.values[static_cast<std::size_t>(i + array.offset)];
  };
  for (std::int64_t c = 0; c < array.n_children; ++c) {
    const ArrowSchema& description = *schema.children[c];
    const std::string name = description.name == nullptr ? "" : description.name;
    ColumnValues column = read_column(*array.children[c], description, options, name, budget);
    if (static_cast<Index>(column.values.size()) < array.length + array.offset) {
      refuse(options, name, "is shorter than the record batch");
    }
    if (!found_target && name == options.target) {
      found_target = true;
      data.target_column = {name, std::move(column.categories)};
      for (Index i = 0; i < array.length; ++i) {
        data.target.push_back(static_cast<T>(place(column, i)));
      }
    } else if (!found_weights && name == options.weights) {
      found_weights = true;
      for (Index i = 0; i < array.length; ++i) {
        const T weight = static_cast<T>(place(column, i));
        const std::string mistake = column.categories.empty()
                                        ? weight_mistake(weight)
                                        : "the weight is a text; expected a number >= 0";
        if (!mistake.empty())
          refuse(options, name, "row " + std::to_string(i + 1) + ": " + mistake);
        data.weights.push_back(weight);
      }
    } else {
      data.columns.push_back({name, std::move(column.categories)});
      features.push_back(std::move(column));
    }
  }
  const auto missing = [&](const std::string& name) {
    throw InputError(options.source + ": has no column '" + name + "'");
  };
  if (!found_target) missing(options.target);
  if (!found_weights) missing(options.weights);
  data.features = Matrix<T>(array.length, static_cast<Index>(features.size()));
  for (Index i = 0; i < array.length; ++i) {
    for (std::size_t j = 0; j < features.size(); ++j) {
      data.features(i, static_cast<Index>(j)) = static_cast<T>(place(features[j], i));
    }
  }
  return data;
}

template Dataset<float> dataset_from_arrow(const ArrowArray&, const ArrowSchema&,
                                           const ArrowOptions&);
template Dataset<double> dataset_from_arrow(const ArrowArray&, const ArrowSchema&,
                                            const ArrowOptions&);

}  // namespace tandem
