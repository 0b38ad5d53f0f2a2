#include "tandem/service_flags.hpp"

namespace tandem::program {

Place Place::parse(std::string_view text) { return {http::Endpoint::parse(text)}; }

std::string Place::to_string() const {
  return endpoint ? endpoint->address + ":" + std::to_string(endpoint->port) : "";
}

ServiceFlags::ServiceFlags(std::uint16_t port)
    : http_{http::Endpoint{.address = "127.0.0.1", .port = port}} {}

void ServiceFlags::add_options(OptionSet& set, http::ProgramOptions& options,
                               std::string_view before) {
  const auto help = [&](std::string_view text) { return std::string(before).append(text); };
  set.written("http", http_,
              help("the address and port of HTTP; port 0 is any free one, which the line `ready "
                   "http://...` tells"),
              "ADDRESS:PORT");
  set.text("tokens", options.tokens,
           help("a file with a line `predict TOKEN` or `admin TOKEN` for each token that is taken; "
                "without it no token is asked for"));
  set.text("log", options.log,
           help("a file for the log, a JSON object per line; standard error if left out"));
  set.choice("log_level", options.log_level, help("the least important events that are logged"));
  set.real("stop_seconds", stop_seconds_,
           help("time for what is under way when the server is stopped"), 0, 3600);
}

std::vector<std::string> ServiceFlags::names() {
  return {"http", "tokens", "log", "log_level", "stop_seconds"};
}

void ServiceFlags::finish(http::ProgramOptions& options) const {
  options.http.endpoint = *http_.endpoint;
  options.patience = std::chrono::milliseconds(static_cast<std::int64_t>(stop_seconds_ * 1000));
}

}  // namespace tandem::program
