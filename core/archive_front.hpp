// An archive in front of other bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tandem/core/archive.hpp"

namespace tandem {

// As decode_archive(), where other bytes follow; `size` becomes that of the archive.
[[nodiscard]] Archive decode_archive_at_front(std::span<const std::uint8_t> bytes,
                                              std::string_view kind, const std::string& origin,
                                              std::size_t& size);

}  // namespace tandem
