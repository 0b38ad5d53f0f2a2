#include "systems/recommend/exploration.hpp"

#include <array>
#include <bit>
#include <cmath>

#include "core/random.hpp"
#include "systems/recommend/event.hpp"
#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

constexpr char choice_mark = 'C';
constexpr int thompson_draws = 64;
constexpr double thompson_floor = 0.1;
constexpr std::size_t largest_pool = 100;

// Numbers one after the other.
class Numbers {
 public:
  Numbers(std::uint64_t key, std::uint64_t counter)
      : random_(key ^ counter * 0x9E3779B97F4A7C15ULL, Purpose::sampling, 7) {}
  double uniform() { return random_.uniform<double>(next_++); }
  double normal() {
    // Of two uniform numbers each, from a range of its own.
    return random_.normal((std::uint64_t{1} << 40) + normals_++);
  }
  // Gamma(shape, 1), shape >= 1: Marsaglia and Tsang, ACM TOMS 26 (2000).
  double gamma(double shape) {
    const double d = shape - 1.0 / 3;
    const double c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal();
      const double v = std::pow(1 + c * x, 3);
      if (v <= 0) continue;
      const double u = 1 - uniform();
      if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }

 private:
  Random random_;
  std::uint64_t next_ = 0;
  std::uint64_t normals_ = 0;
};

}  // namespace

bool takes_part(const Configuration& configuration, std::uint64_t key, std::uint64_t counter) {
  if (configuration.exploration_answers >= 1) return true;
  const Random random(key ^ counter * 0x9E3779B97F4A7C15ULL, Purpose::sampling, 9);
  return random.uniform<double>(0) < configuration.exploration_answers;
}

Drawn draw(const Configuration& configuration, std::span<const Tally> tallies, std::uint64_t key,
           std::uint64_t counter) {
  const std::size_t count = tallies.size();
  if (configuration.exploration == Exploration::none || count < 2) return {};
  const double share = configuration.exploration_share;
  const auto n = static_cast<double>(count);
  Numbers numbers(key, counter);
  std::vector<double> probabilities(count, share / n);
  if (configuration.exploration == Exploration::thompson) {
    std::vector<int> wins(count, 0);
    for (int k = 0; k < thompson_draws; ++k) {
      std::size_t best = 0;
      double greatest = -1;
      for (std::size_t i = 0; i < count; ++i) {
        const double a = numbers.gamma(1 + tallies[i].clicks);
        const double b = numbers.gamma(1 + std::max(0.0, tallies[i].shown - tallies[i].clicks));
        if (a / (a + b) > greatest) {
          greatest = a / (a + b);
          best = i;
        }
      }
      ++wins[best];
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double led = static_cast<double>(wins[i]) / thompson_draws;
      probabilities[i] = share * ((1 - thompson_floor) * led + thompson_floor / n);
    }
  }
  probabilities[0] += 1 - share;
  double place = numbers.uniform();
  std::size_t index = 0;
  while (index + 1 < count && place >= probabilities[index]) place -= probabilities[index++];
  return {index, probabilities[index]};
}

// 'C', time, chosen, propensity, the size of the pool, and the texts with their lengths.
std::string encode(const Choice& choice) {
  std::string bytes;
  bytes += choice_mark;
  append_number(bytes, static_cast<std::uint64_t>(choice.time), 8);
  append_number(bytes, choice.chosen, 4);
  append_number(bytes, std::bit_cast<std::uint64_t>(choice.propensity), 8);
  append_number(bytes, choice.pool.size(), 2);
  append_text(bytes, choice.answer);
  append_text(bytes, choice.configuration);
  for (const std::string& item : choice.pool) append_text(bytes, item);
  return bytes;
}

Choice decode_choice(std::string_view record) {
  RecordReader reader(record, "a choice of the log");
  if (reader.number(1) != static_cast<unsigned char>(choice_mark)) {
    throw InputError("a record of the log is no choice");
  }
  Choice choice;
  choice.time = static_cast<Time>(reader.number(8));
  choice.chosen = static_cast<std::uint32_t>(reader.number(4));
  choice.propensity = std::bit_cast<double>(reader.number(8));
  const auto pool = static_cast<std::size_t>(reader.number(2));
  choice.answer = reader.text();
  choice.configuration = reader.text();
  if (pool > largest_pool || choice.chosen >= pool || choice.time < 0 ||
      !(choice.propensity > 0 && choice.propensity <= 1)) {
    throw InputError("a choice of the log is out of range");
  }
  for (std::size_t i = 0; i < pool; ++i) choice.pool.push_back(reader.text());
  reader.finish();
  return choice;
}

}  // namespace tandem::recommend
