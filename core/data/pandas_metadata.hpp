// What a file tells of its columns beyond their types: pandas' description of a table, which stands
// under the key "pandas" in Parquet and Arrow files, and Arrow's own schema, which its writers
// (pyarrow, pandas, polars) keep in a Parquet file under the key "ARROW:schema".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem {

struct PandasMetadata {
  std::vector<std::string> index;        // the columns that name the rows
  std::vector<std::string> categorical;  // declared to be categories
};
// Empty where the text is no such description: it is an addition that nothing depends on.
[[nodiscard]] PandasMetadata parse_pandas_metadata(std::string_view json);

// The bytes that a text in base64 stands for; empty where it is none.
[[nodiscard]] std::string from_base64(std::string_view text);

}  // namespace tandem
