#include "systems/fraud/service/partition.hpp"

#include <zlib.h>

#include "core/text.hpp"
#include "systems/http/message.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

constexpr std::uint32_t most_partitions = 1024;

}  // namespace

std::uint32_t user_sum(std::string_view user_id) {
  return static_cast<std::uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(user_id.data()),
                                            static_cast<uInt>(user_id.size())));
}

Partition Partition::parse(std::string_view text) {
  Partition partition;
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || !read_number(text.substr(0, slash), partition.index) ||
      !read_number(text.substr(slash + 1), partition.count) || partition.count < 1 ||
      partition.count > most_partitions || partition.index >= partition.count) {
    throw InputError("'" + std::string(text) +
                     "': expected INDEX/COUNT, such as 0/2 and 1/2 for the two of two partitions");
  }
  return partition;
}

std::string Partition::to_string() const {
  return std::to_string(index) + "/" + std::to_string(count);
}

std::vector<std::int32_t> Partition::of_topic(std::int32_t partitions) const {
  if (static_cast<std::uint32_t>(partitions) % count != 0) {
    throw InputError("the topic has " + std::to_string(partitions) +
                     " partitions, and users are parted among " + std::to_string(count) +
                     " servers: expected a multiple, so that a partition's users are all of one");
  }
  std::vector<std::int32_t> theirs;
  for (auto one = static_cast<std::int32_t>(index); one < partitions;
       one += static_cast<std::int32_t>(count)) {
    theirs.push_back(one);
  }
  return theirs;
}

void check_partition(const Partition& partition, std::string_view header,
                     const std::vector<std::uint32_t>& sums) {
  if (!header.empty() && user_sum(header) != sums.front()) {
    throw http::HttpError(400,
                          "the header Tandem-Partition names another user than the transaction: "
                          "expected its user_id, of a list that of the first");
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (partition.has(sums[i])) continue;
    throw http::HttpError(
        421, (sums.size() > 1 ? "transaction " + std::to_string(i) + ": " : std::string()) +
                 "the user belongs to partition " + std::to_string(sums[i] % partition.count) +
                 " of " + std::to_string(partition.count) + ", this server is " +
                 std::to_string(partition.index) +
                 ": send it through the proxy, with the user_id as the header Tandem-Partition");
  }
}

}  // namespace tandem::fraud
