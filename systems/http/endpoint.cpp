// Addresses as people write them, and the files that a process may open.
#include <sys/resource.h>

#include <boost/asio/ip/address.hpp>

#include "core/text.hpp"
#include "systems/http/server.hpp"

namespace tandem::http {

using Failure = boost::system::error_code;
namespace asio = boost::asio;

Endpoint Endpoint::parse(std::string_view text) {
  Endpoint endpoint;
  std::string_view port = text;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    port = text.substr(colon + 1);
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
      address = address.substr(1, address.size() - 2);
    }
    if (!address.empty()) endpoint.address = std::string(address);
  }
  Failure failure;
  (void)asio::ip::make_address(endpoint.address, failure);
  if (failure || !read_number(port, endpoint.port)) {
    throw InputError("'" + std::string(text) +
                     "': expected ADDRESS:PORT, such as 127.0.0.1:8000; port 0 is any free one");
  }
  return endpoint;
}

std::string Endpoint::url() const {
  const bool bracketed = address.find(':') != std::string::npos;
  return "http://" + (bracketed ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

bool Endpoint::loopback() const {
  Failure failure;
  const auto parsed = asio::ip::make_address(address, failure);
  return !failure && parsed.is_loopback();
}

void raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tandem::http