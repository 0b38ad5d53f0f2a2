// How often something happened over simulated cases, against how often it should.
#pragma once

#include <cstdint>
#include <string>

namespace tandem::statistics {

enum class Promise { equal, at_most, at_least };

struct Rate {
  std::string what;
  Promise promise = Promise::equal;
  double nominal = 0;
  std::int64_t count = 0;
  std::int64_t runs = 0;

  [[nodiscard]] double share() const {
    return static_cast<double>(count) / static_cast<double>(runs);
  }
  // The counts that `runs` cases of the nominal rate give with a probability of 99 %: at most half
  // a percent lies below the lowest and above the highest.
  [[nodiscard]] std::int64_t lowest() const;
  [[nodiscard]] std::int64_t highest() const;
  // A rate that should be equal is within both; one that is at most the nominal one is not above
  // the highest; of one that is at least it the count is not below runs · nominal.
  [[nodiscard]] bool kept() const;
};

}  // namespace tandem::statistics
