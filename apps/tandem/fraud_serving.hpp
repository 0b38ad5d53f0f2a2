// `tandem fraud serve`, `replay` and `demo`: the half of the command that decides.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "systems/fraud/service/replay.hpp"
#include "systems/fraud/service/serve.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {

class FraudServing {
 public:
  // All but the model, which other actions have too.
  void add_options(OptionSet& options);

  int serve(const OptionSet& options, const std::string& model);
  int replay(const OptionSet& options);
  // Simulates, trains, serves and sends transactions, in a temporary folder where no state is
  // given; and replays what was decided once it is stopped.
  int demo(const OptionSet& options);
  [[nodiscard]] bool demo_asked() const noexcept { return demo_; }

 private:
  struct Place {
    std::optional<http::Endpoint> endpoint;

    [[nodiscard]] static Place parse(std::string_view text) {
      return {http::Endpoint::parse(text)};
    }
    [[nodiscard]] std::string to_string() const {
      return endpoint ? endpoint->address + ":" + std::to_string(endpoint->port) : "";
    }
  };
  [[nodiscard]] fraud::ServeOptions serve_options() const;

  fraud::ServeOptions options_;
  fraud::ReplayOptions replay_;
  Place http_{.endpoint = http::Endpoint{.address = "127.0.0.1", .port = 8080}};
  bool summary_ = false;
  bool demo_ = false;
  double keep_hours_ = 24;
  std::int64_t keep_most_ = 2'000'000;
  std::int64_t longest_wait_ms_ = 100;
  std::int64_t io_threads_ = 1;
  std::int64_t least_free_mb_ = 64;
  std::int64_t connections_ = 20'000;
  double stop_seconds_ = 30;
};

}  // namespace tandem::program
