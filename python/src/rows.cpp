#include "rows.hpp"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <map>
#include <set>

#include "tandem/data/arrow.hpp"
#include "tandem/data/views.hpp"

// The stream of record batches that arrow.apache.org/docs/format/CStreamInterface.html defines.
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
extern "C" {
struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema* out);
  int (*get_next)(struct ArrowArrayStream*, struct ArrowArray* out);
  const char* (*get_last_error)(struct ArrowArrayStream*);
  void (*release)(struct ArrowArrayStream*);
  void* private_data;
};
}
#endif

namespace tandem::python {
namespace {

template <class T>
void require_type(const Array& array, const char* what) {
  if (array.dtype() != nb::dtype<T>()) {
    throw InputError(std::string(what) + " holds another type than " +
                     (std::is_same_v<T, float>    ? "float32"
                      : std::is_same_v<T, double> ? "float64"
                      : sizeof(T) == 4            ? "int32"
                                                  : "int64"));
  }
}

// Releases what an Arrow struct holds at the end of the scope.
template <class Struct>
class Released {
 public:
  Released() = default;
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;
  ~Released() {
    if (value.release != nullptr) value.release(&value);
  }
  Struct value{};
};

[[noreturn]] void fail(ArrowArrayStream& stream, int status) {
  const char* text = stream.get_last_error != nullptr ? stream.get_last_error(&stream) : nullptr;
  throw InputError("the Arrow stream failed: " +
                   (text != nullptr ? std::string(text) : "error " + std::to_string(status)));
}

// Rows of both under the columns of the first, whose categories become those of both in ascending
// byte order. Throws InputError where a column is text in one and numbers in the other.
template <Real T>
void append(Dataset<T>& all, Dataset<T>&& more) {
  const Index cols = all.cols();
  const Index before = all.rows();
  std::vector<T> values = std::move(all.features.values());
  const std::vector<T>& added = more.features.values();
  values.insert(values.end(), added.begin(), added.end());
  const Index rows = before + more.rows();
  for (Index j = 0; j < cols; ++j) {
    Column& column = all.columns[static_cast<std::size_t>(j)];
    const Column& other = more.columns[static_cast<std::size_t>(j)];
    if (column.categories == other.categories) continue;
    if (column.categorical() != other.categorical() && before > 0 && more.rows() > 0) {
      // A batch of nothing but nulls declares no categories.
      const auto all_missing = [&](Index from, Index to) {
        for (Index i = from; i < to; ++i) {
          const T value = values[static_cast<std::size_t>(i * cols + j)];
          if (value == value) return false;
        }
        return true;
      };
      if (!(column.categorical() ? all_missing(before, rows) : all_missing(0, before))) {
        throw InputError("column " + column.name +
                         " of the Arrow stream holds text in one batch and numbers in another");
      }
    }
    std::set<std::string> names(column.categories.begin(), column.categories.end());
    names.insert(other.categories.begin(), other.categories.end());
    std::map<std::string, T, std::less<>> codes;
    for (const std::string& name : names) codes.emplace(name, static_cast<T>(codes.size()));
    for (Index i = 0; i < rows; ++i) {
      T& value = values[static_cast<std::size_t>(i * cols + j)];
      if (value != value) continue;
      const auto& from = i < before ? column.categories : other.categories;
      value = codes.at(from[static_cast<std::size_t>(value)]);
    }
    column.categories.assign(names.begin(), names.end());
  }
  all.features = Matrix<T>(rows, cols, std::move(values));
}

template <Real T>
nb::object table(Dataset<T>&& data) {
  nb::list columns;
  for (const Column& column : data.columns) {
    columns.append(nb::make_tuple(column.name, nb::cast(column.categories)));
  }
  return nb::make_tuple(array_from(std::move(data.features)), columns);
}

// A table of an Arrow stream, as (rows, columns): the object's __arrow_c_stream__ made the capsule.
template <Real T>
nb::object read_stream(ArrowArrayStream& stream) {
  Dataset<T> all;
  {
    const nb::gil_scoped_release unlocked;
    Released<ArrowSchema> schema;
    if (const int status = stream.get_schema(&stream, &schema.value); status != 0) {
      fail(stream, status);
    }
    bool first = true;
    for (;;) {
      Released<ArrowArray> batch;
      if (const int status = stream.get_next(&stream, &batch.value); status != 0) {
        fail(stream, status);
      }
      if (batch.value.release == nullptr) break;
      Dataset<T> part = dataset_from_arrow<T>(batch.value, schema.value);
      if (first) {
        all = std::move(part);
      } else {
        append(all, std::move(part));
      }
      first = false;
    }
    if (first) throw InputError("the Arrow stream has no rows");
  }
  return table(std::move(all));
}

}  // namespace

template <Real T>
MatrixView<const T> matrix_of(const Array& array, const char* what) {
  require_type<T>(array, what);
  if (array.ndim() != 2) {
    throw InputError(std::string(what) + " has " + std::to_string(array.ndim()) +
                     " dimensions, expected rows and columns");
  }
  const auto rows = static_cast<Index>(array.shape(0));
  const auto cols = static_cast<Index>(array.shape(1));
  Index stride = array.stride(0);
  if (rows <= 1) stride = cols;
  if ((cols > 1 && array.stride(1) != 1) || stride < cols) {
    throw InputError(std::string(what) +
                     " lies in memory in another order than row by row; numpy.ascontiguousarray() "
                     "brings it there");
  }
  return {static_cast<const T*>(array.data()), rows, cols, stride};
}

template <class T>
std::span<const T> vector_of(const Array& array, const char* what) {
  require_type<T>(array, what);
  if (array.ndim() != 1 || (array.shape(0) > 1 && array.stride(0) != 1)) {
    throw InputError(std::string(what) + " is no array of one dimension without gaps");
  }
  return {static_cast<const T*>(array.data()), array.shape(0)};
}

std::vector<Column> columns_of(const ColumnList& list) {
  std::vector<Column> columns;
  columns.reserve(list.size());
  for (const auto& [name, categories] : list) columns.push_back({name, categories});
  return columns;
}

Rows::Rows(nb::handle rows) {
  if (nb::isinstance<nb::tuple>(rows)) {
    const auto parts = nb::borrow<nb::tuple>(rows);
    if (parts.size() != 4) throw InputError("expected sparse rows in four parts");
    offsets = nb::cast<Array>(parts[0]);
    sparse_columns = nb::cast<Array>(parts[1]);
    values = nb::cast<Array>(parts[2]);
    sparse_cols = nb::cast<Index>(parts[3]);
    return;
  }
  dense = nb::cast<Array>(rows);
}

bool Rows::is_float32() const { return holds<float>(sparse_cols < 0 ? dense : values); }

template <Real T>
void Rows::put_into(DatasetView<T>& view) const {
  if (sparse_cols < 0) {
    view.features = matrix_of<T>(dense, "X");
    return;
  }
  view.sparse.offsets = vector_of<Index>(offsets, "X.indptr");
  view.sparse.columns = vector_of<std::int32_t>(sparse_columns, "X.indices");
  view.sparse.values = vector_of<T>(values, "X.data");
  view.sparse.rows = static_cast<Index>(view.sparse.offsets.size()) - 1;
  view.sparse.cols = sparse_cols;
  // What a reader of the rows follows must lie inside the arrays.
  const auto stored = static_cast<Index>(view.sparse.values.size());
  bool fits = view.sparse.rows >= 0 && view.sparse.columns.size() == view.sparse.values.size() &&
              view.sparse.offsets.front() == 0 && view.sparse.offsets.back() == stored &&
              std::is_sorted(view.sparse.offsets.begin(), view.sparse.offsets.end());
  for (const std::int32_t column : view.sparse.columns) {
    fits = fits && column >= 0 && column < sparse_cols;
  }
  if (!fits) throw InputError("X is a sparse matrix whose parts do not fit each other");
}

template MatrixView<const float> matrix_of<float>(const Array&, const char*);
template MatrixView<const double> matrix_of<double>(const Array&, const char*);
template std::span<const float> vector_of<float>(const Array&, const char*);
template std::span<const double> vector_of<double>(const Array&, const char*);
template std::span<const Index> vector_of<Index>(const Array&, const char*);
template std::span<const std::int32_t> vector_of<std::int32_t>(const Array&, const char*);
template void Rows::put_into(DatasetView<float>&) const;
template void Rows::put_into(DatasetView<double>&) const;

void bind_rows(nb::module_& module) {
  module.def(
      "table_from_arrow",
      [](const nb::capsule& stream, bool float32) {
        if (PyCapsule_IsValid(stream.ptr(), "arrow_array_stream") == 0) {
          throw InputError("the capsule is no Arrow stream");
        }
        auto* source = static_cast<ArrowArrayStream*>(stream.data("arrow_array_stream"));
        if (source->release == nullptr) throw InputError("the Arrow stream was read already");
        return float32 ? read_stream<float>(*source) : read_stream<double>(*source);
      },
      nb::arg("stream"), nb::arg("float32"),
      "(rows, [(name, categories)]) of a capsule that __arrow_c_stream__() returned.");
}

}  // namespace tandem::python
