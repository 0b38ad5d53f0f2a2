// The queries of a ranking from a file of their own.
#pragma once

#include <string>

#include "tandem/data/dataset.hpp"

namespace tandem {

// Where the data says of no row which query it belongs to and PATH.query exists, the numbers of
// rows that it lists, one in a line, make the queries, in the order of the rows: as LightGBM has
// it. Throws InputError where they do not add up to the rows of the data.
template <Real T>
void read_query_file(Dataset<T>& data, const std::string& path);

}  // namespace tandem
