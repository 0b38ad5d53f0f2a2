// The deterministic hash that assigns units to arms: a unit has the same number on every server and
// in every language, so that nothing has to be stored for an assignment to stay.
//
// It is the hash of GrowthBook's SDKs (https://docs.growthbook.io/lib/build-your-own, "Hashing"),
// FNV-1a with 32 bits over UTF-16 code units. Vectors made with GrowthBook's own Python package are
// in tests/experiments/growthbook_vectors.json.
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem::experiments {

// Version 1 has a thousand values and lets two experiments of like seeds correlate; version 2 has
// ten thousand and hashes twice. New experiments use 2; 1 is for those that began elsewhere.
enum class HashVersion : int { v1 = 1, v2 = 2 };

// FNV-1a (Fowler, Noll, Vo) with 32 bits over the UTF-16 code units of the text, which is UTF-8.
// A byte that is not part of valid UTF-8 counts as one unit of its own value.
[[nodiscard]] std::uint32_t fnv1a_32(std::string_view text);

// The place of a unit in [0, 1), a multiple of 1/1000 (version 1) or 1/10000 (version 2).
[[nodiscard]] double hash_unit(std::string_view seed, std::string_view unit, HashVersion version);

}  // namespace tandem::experiments
