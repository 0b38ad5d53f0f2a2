// What a request asks for, in the forms of RFC 9112, 3.2.
#pragma once

#include <string_view>

#include "systems/http/message.hpp"

namespace tandem::http {

// As split_target(), of a target that may be a whole URI as well (3.2.2: servers have to take what
// is meant for proxies). Its scheme may be http or https, and its host is whichever the client has
// reached this server by, as a Host header is: it decides nothing here.
[[nodiscard]] bool split_request_target(std::string_view target, Request& request);

// Whether it is "host" or "host:port" as RFC 3986 has them, without a user.
[[nodiscard]] bool is_authority(std::string_view text);

}  // namespace tandem::http
