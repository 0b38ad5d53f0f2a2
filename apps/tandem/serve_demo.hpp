// What `tandem serve --demo` serves: two versions of a model, an experiment that compares them, and
// simulated customers that ask for answers and tell what became of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tandem/data/dataset.hpp"

namespace tandem::program {

// Parcels of a shop that does not exist, and whether they come late.
class ParcelWorld {
 public:
  explicit ParcelWorld(std::uint64_t seed) : random_(seed) {}

  struct Parcel {
    double distance_km = 0;
    double weight_kg = 0;
    double ordered_hour = 0;
    double rain_mm = 0;
    std::int32_t carrier = 0;
    bool late = false;
  };
  // In a storm it rains more than it did when the models were trained.
  [[nodiscard]] Parcel next(bool storm = false);
  [[nodiscard]] Dataset<double> table(Index rows);
  // As a request names its columns.
  [[nodiscard]] static std::string row_json(const Parcel& parcel);
  static const std::vector<std::string>& carriers();

 private:
  [[nodiscard]] double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  std::mt19937_64 random_;
};

class ServeDemo {
 public:
  // Trains two versions and registers them in `folder`; an empty one is a temporary folder, which
  // goes with this object.
  explicit ServeDemo(std::string folder);
  // Ends the customers.
  ~ServeDemo();
  ServeDemo(const ServeDemo&) = delete;
  ServeDemo& operator=(const ServeDemo&) = delete;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  // What can be tried at this address, for a person.
  [[nodiscard]] std::string commands(const std::string& url) const;
  // Creates the experiment. From now on customers ask about some hundred parcels a second, and tell
  // what became of them, until the server stops.
  void start_customers(const std::string& url);

 private:
  void ask(const std::string& place);

  std::string folder_;
  bool temporary_ = false;
  std::string example_;  // a row, as a request has it
  std::atomic<bool> stopping_{false};
  std::thread customers_;
};

}  // namespace tandem::program
