// Shared by the fuzz targets of the readers. Any bytes have to give a data set that keeps its
// promises, or an InputError.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem::fuzz {

inline void require(bool promise) {
  if (!promise) std::abort();
}

template <Real T>
void check(const Dataset<T>& data) {
  require(data.rows() > 0 && data.cols() > 0);
  require(data.features.values().size() ==
          static_cast<std::size_t>(data.rows()) * static_cast<std::size_t>(data.cols()));
  require(data.columns.size() == static_cast<std::size_t>(data.cols()));
  require(data.target.empty() || data.target.size() == static_cast<std::size_t>(data.rows()));
  require(data.weights.empty() || data.weights.size() == static_cast<std::size_t>(data.rows()));
  const auto check_code = [](const Column& column, T code) {
    if (!column.categorical() || std::isnan(code)) return;
    require(code >= 0 && code < static_cast<T>(column.categories.size()) &&
            code == std::trunc(code));
  };
  for (Index i = 0; i < data.rows(); ++i) {
    for (Index j = 0; j < data.cols(); ++j) {
      check_code(data.columns[static_cast<std::size_t>(j)], data.features(i, j));
    }
  }
  for (const T code : data.target) check_code(data.target_column, code);
  for (const T weight : data.weights) require(weight >= 0 && std::isfinite(weight));
}

// Reads the bytes; true where they are a data set.
inline bool read(const std::uint8_t* bytes, std::size_t size, const ReadOptions& options) {
  log::set_level(log::Level::off);
  try {
    check(read_input<float>(Input::memory("input", {bytes, size}), options));
    return true;
  } catch (const InputError&) {
    return false;
  }
}

inline ReadOptions options_for(const char* format) {
  ReadOptions options;
  options.reading.format = format;
  options.threads = 1;
  options.memory_limit = Index{64} << 20;
  return options;
}

}  // namespace tandem::fuzz
