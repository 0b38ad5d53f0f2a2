// Tables in folders that are named after the value of a column, as Hive, Spark, pandas and DuckDB
// write them: year=2024/month=1/part-0.parquet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/data/read.hpp"

namespace tandem {

struct PartitionValue {
  std::string column;
  std::string value;
  bool missing = false;
};
// The columns whose values the names of a file's folders say, from the outermost.
using Partition = std::vector<PartitionValue>;

// A file of a table. The partition holds what is said by folders inside the one that was named.
struct TableFile {
  std::string path;
  Partition partition;
};

struct TableFiles {
  std::vector<TableFile> files;  // in the order of their paths
  // What is said by the folders around what was named, and inside of which it lies.
  Partition around;

  [[nodiscard]] std::vector<std::string> paths() const;
  [[nodiscard]] bool partitioned() const { return !files.front().partition.empty(); }
};

// The files that a path means: the one of this name; those in a folder, but hidden ones, and those
// in the folders of a partitioned table; those whose names fit a pattern such as 'part-*.csv'.
// Throws InputError where there are none, or where folders that name values stand among others.
[[nodiscard]] TableFiles files_named_by(const std::string& path);

// What the name of a folder says: a column, = and a value, in either of which %20 stands for a
// blank. False where it says nothing.
[[nodiscard]] bool parse_partition(std::string_view folder, PartitionValue& value);

// Whether the model that the data is read for was trained on a column of this name.
[[nodiscard]] bool is_asked_for(const Schema* schema, const std::string& column);

}  // namespace tandem
