// Which users are a server's: user ids are parted by their CRC-32, by Kafka's keys, by HAProxy and
// by the server itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::fraud {

// The header whose value a proxy hashes: the user_id of the transaction.
inline constexpr std::string_view partition_header = "Tandem-Partition";

// CRC-32 (zlib, Ethernet) of the bytes of a user's id.
[[nodiscard]] std::uint32_t user_sum(std::string_view user_id);

// Partition `index` of `count`: users with user_sum(id) mod count = index.
struct Partition {
  std::uint32_t index = 0;
  std::uint32_t count = 1;

  // "0/2", or nothing for all users. Throws InputError.
  [[nodiscard]] static Partition parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool has(std::uint32_t sum) const noexcept { return sum % count == index; }
  // Of a Kafka topic of so many partitions those whose keys are this partition's users. Throws
  // InputError where the number is no multiple of `count`, for then there are none.
  [[nodiscard]] std::vector<std::int32_t> of_topic(std::int32_t partitions) const;
};

// Throws HttpError: 400 where the header is there and is not the sum of the first user, 421 where a
// user is another partition's. `header`: empty where there is none.
void check_partition(const Partition& partition, std::string_view header,
                     const std::vector<std::uint32_t>& sums);

}  // namespace tandem::fraud
