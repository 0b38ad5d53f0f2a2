// Rows of a call as a view with the names of its columns.
#pragma once

#include <optional>
#include <vector>

#include "rows.hpp"

namespace tandem::python {

// The columns of a call: none where its rows have no names.
using OptionalColumns = std::optional<ColumnList>;

// Rows of X, which Python keeps, with the names of their columns where they have some.
template <Real T>
class RowsOfX {
 public:
  RowsOfX(const Rows& rows, const OptionalColumns& columns) {
    view_.source = "X";
    rows.put_into(view_);
    if (!columns) return;
    names_ = columns_of(*columns);
    view_.columns = names_;
  }
  RowsOfX(const RowsOfX&) = delete;
  RowsOfX& operator=(const RowsOfX&) = delete;
  [[nodiscard]] const DatasetView<T>& view() const { return view_; }

 private:
  std::vector<Column> names_;
  DatasetView<T> view_;
};

}  // namespace tandem::python
