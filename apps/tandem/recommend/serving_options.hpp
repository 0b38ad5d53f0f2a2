// What `tandem recommend serve` and `demo` are told alike.
#pragma once

#include <string>

#include "systems/recommend/serve.hpp"
#include "tandem/recommend/action.hpp"
#include "tandem/service_flags.hpp"

namespace tandem::program {

// Bytes, of which there may be none.
struct KeptBytes {
  Bytes bytes;

  [[nodiscard]] static KeptBytes parse(std::string_view text) {
    return {text == "0" ? Bytes{} : Bytes::parse(text)};
  }
  [[nodiscard]] std::string to_string() const { return bytes.count == 0 ? "0" : bytes.to_string(); }
};

// One set for both actions: the first of them adds the options.
struct RecommendServing {
  recommend::ServeOptions options;
  ServiceFlags program{8000};
  FileName state;
  Words others;
  FileName history;
  FileName configurations;
  FileName experiment;
  std::string experiment_store;
  double guard_seconds = 5;
  bool interleave = false;
  journal::Durability durability = journal::Durability::sync;
  std::int64_t snapshot_events = 1'000'000;
  double choices_days = 30;
  KeptBytes choices_bytes{{std::size_t{4} << 30}};
  KeptBytes cache{{std::size_t{64} << 20}};
  double cache_seconds = 300;
  double recall = 0.97;
  std::int64_t lists = 0;
  double half_life = 6;
  std::int64_t workers = 0;
  std::int64_t io_threads = 0;
  std::string redis;
  std::string redis_prefix = "tandem-recommend";
  double redis_days = 30;
  std::string kafka;
  std::string kafka_in;
  std::string kafka_refused;
  std::string kafka_group = "tandem-recommend";
  std::string kafka_properties;

  void add_options(OptionSet& set);
  [[nodiscard]] static std::vector<std::string> names();
  // Puts them into `options`, but for the models, the items and the state.
  void finish(const RunSettings& run);
};

[[nodiscard]] RecommendServing& recommend_serving();

}  // namespace tandem::program
