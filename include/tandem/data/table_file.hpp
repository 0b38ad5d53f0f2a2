// A data set as it was read, in a file of its own: it comes from there in a part of the time that
// reading the original takes, without parsing anything.
#pragma once

#include <optional>
#include <string>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/read.hpp"

namespace tandem {

// What read_dataset() of this path, with these options and this precision, depends on: the files'
// names, sizes and times of change, the options, and the version of Tandem. None where that cannot
// be known: for standard input, and where the options have a schema.
[[nodiscard]] TANDEM_API std::optional<Archive> origin_of_table(const std::string& path,
                                                                const ReadOptions& options,
                                                                Precision precision);

// "NAME-0123456789abcdef.table", by which tables of other origins, or of others' names, are told
// apart up to chance (2^-64).
[[nodiscard]] TANDEM_API std::string table_file_name(const Archive& origin);

// The file appears whole or not at all; what it holds has checksums, one for each MiB.
template <Real T>
TANDEM_API void save_table(const std::string& path, const Dataset<T>& data, const Archive& origin);

// The data set that save_table() wrote, bit for bit; none where there is no such file or its origin
// is another. Throws InputError for a file that is damaged or no table.
template <Real T>
[[nodiscard]] TANDEM_API std::optional<Dataset<T>> load_table(const std::string& path,
                                                              const Archive& origin);

}  // namespace tandem
