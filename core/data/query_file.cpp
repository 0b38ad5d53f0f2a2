#include "core/data/query_file.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {

template <Real T>
void read_query_file(Dataset<T>& data, const std::string& path) {
  const std::string name = path + ".query";
  std::error_code ignored;
  if (data.has_groups() || !std::filesystem::is_regular_file(name, ignored)) return;
  std::ifstream file(name);
  if (!file) throw SystemError(name + ": cannot be read");
  Index query = 0;
  Index line_number = 0;
  for (std::string line; std::getline(file, line);) {
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    Index rows = 0;
    for (const char c : line) {
      if (c < '0' || c > '9' || rows > data.rows()) {
        throw InputError(name + ": line " + std::to_string(line_number) + ": '" +
                         line.substr(0, 30) + "' is not the number of rows of a query");
      }
      rows = rows * 10 + (c - '0');
    }
    if (rows > data.rows() - static_cast<Index>(data.groups.size())) {
      throw InputError(name + ": the queries up to line " + std::to_string(line_number) +
                       " have more rows than " + path + ", which has " +
                       std::to_string(data.rows()));
    }
    data.groups.insert(data.groups.end(), static_cast<std::size_t>(rows), query++);
  }
  if (static_cast<Index>(data.groups.size()) != data.rows()) {
    throw InputError(name + ": the queries have " + std::to_string(data.groups.size()) +
                     " rows together, and " + path + " has " + std::to_string(data.rows()));
  }
  log::info(path + ": " + std::to_string(query) + " queries, read from " + name);
}

template void read_query_file(Dataset<float>&, const std::string&);
template void read_query_file(Dataset<double>&, const std::string&);

}  // namespace tandem
