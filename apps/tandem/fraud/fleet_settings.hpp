// Options of tandem fraud serve that say which of several servers it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "systems/fraud/service/fleet.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {

class FleetSettings {
 public:
  void add_options(OptionSet& options);
  // Throws InputError for options that do not go together.
  [[nodiscard]] fraud::FleetOptions read() const;

 private:
  struct Part {
    fraud::Partition partition;
    [[nodiscard]] static Part parse(std::string_view text) {
      return {fraud::Partition::parse(text)};
    }
    [[nodiscard]] std::string to_string() const { return partition.to_string(); }
  };

  Part partition_;
  std::string follow_;
  std::string follow_token_;
  std::int64_t confirm_ms_ = 0;
  std::int64_t hold_ms_ = 5'000;
  std::string redis_;
  std::string redis_prefix_ = "tandem-fraud";
  std::int64_t redis_events_ = 1'000'000;
  std::string kafka_;
  std::string kafka_in_;
  std::string kafka_out_;
  std::string kafka_group_ = "tandem-fraud";
  std::string kafka_properties_;
  fraud::KafkaAcknowledge kafka_acknowledge_ = fraud::KafkaAcknowledge::delivered;
};

}  // namespace tandem::program
