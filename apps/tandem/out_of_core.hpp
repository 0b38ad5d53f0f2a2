// Runs on more rows than fit into memory: --memory-limit with --cache.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "tandem/core/types.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/out_of_core.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

// --cache and --keep-cache, which go with the options about the data; of the process's one command.
void visit_out_of_core(OptionVisitor& visitor);
// The folder alone, as an option of this name: for commands in which a cache is something else.
void visit_folder_of_rows(OptionVisitor& visitor, const char* name, std::string_view help);

// Where --cache names a folder: the program's large allocations stand in files of it from now on;
// it is made where it is missing. 0 bytes of memory: three quarters of what there is. False where
// there is no --cache. Throws InputError.
bool begin_out_of_core(Index memory);
// Whether it has begun.
[[nodiscard]] bool runs_out_of_core() noexcept;

// The data set, from the table that an earlier run has left in the cache's folder where it is of
// these files as they are now, and of these options; else from the files, and kept there where that
// is asked for.
template <Real T>
[[nodiscard]] Dataset<T> read_through_cache(const RunSettings& run, const std::string& path,
                                            const ReadOptions& options);

// What such a run has kept on disk until now, how much of its threads' time went into waiting for
// it, and the most memory that the process has had; empty for other runs.
[[nodiscard]] nlohmann::json disk_to_json();
[[nodiscard]] std::string disk_to_text();

}  // namespace tandem::program
