// What every command that serves is told alike: where it listens, its tokens, its log, its stop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/http/service.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {

// ADDRESS:PORT, or none.
struct Place {
  std::optional<http::Endpoint> endpoint;

  [[nodiscard]] static Place parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

class ServiceFlags {
 public:
  // `port` of the loopback is where it listens if nothing is said.
  explicit ServiceFlags(std::uint16_t port);

  // `before` begins the help of each, as in "serve: ".
  void add_options(OptionSet& set, http::ProgramOptions& options, std::string_view before = {});
  [[nodiscard]] static std::vector<std::string> names();
  // Puts what CLI11 cannot into `options`.
  void finish(http::ProgramOptions& options) const;

 private:
  Place http_;
  double stop_seconds_ = 30;
};

}  // namespace tandem::program
