// How much memory there is left, and refusing work that does not fit before the kernel kills it.
#pragma once

#include <cstddef>
#include <string>

#include "tandem/core/memory_limit.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Bytes that this process can still take: the least of what the machine has available (Linux:
// MemAvailable), what each control group above the process has left (version 1 or 2; page cache
// that can be dropped counts as left), and what RLIMIT_AS leaves. The largest Index where none of
// them can be read.
[[nodiscard]] Index available_memory();

// Called before `bytes` are taken. Throws InputError, "WHAT needs 12.0 GiB of memory, but 3.0 GiB
// are left; WAY_OUT", where they are not to be had, so that the kernel need not end the process
// halfway through the work.
void require_memory(const std::string& what, Index bytes, const std::string& way_out);

// Asks the kernel to back `bytes` of memory, where nothing has been written yet, by huge pages of 2
// MiB, as far as whole ones fit inside: rows in any order then seldom miss the TLB. A refusal
// changes nothing but speed.
void advise_huge_pages(void* memory, std::size_t bytes) noexcept;

// "512 bytes", "1.5 MiB", "12.0 GiB".
[[nodiscard]] std::string readable_size(Index bytes);

// a · b for sizes >= 0; the largest Index where the product does not fit.
[[nodiscard]] Index saturating_product(Index a, Index b) noexcept;
[[nodiscard]] Index saturating_sum(Index a, Index b) noexcept;

}  // namespace tandem
