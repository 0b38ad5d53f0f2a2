#include "systems/fraud/simulate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/file.hpp"
#include "core/random.hpp"
#include "systems/fraud/window.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"

namespace tandem::fraud {
namespace {

// What a series of random numbers is for; part of its seed.
enum class For : std::uint64_t {
  user,
  merchant,
  day_of_user,
  days_frauds,
  stolen_card,
  terminal,
  terminal_day,
  takeover,
  ring,
  ring_day,
};

std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31);
}

// The random numbers of one user's day, one case of fraud, ..., one after the other.
class Dice {
 public:
  Dice(std::uint64_t seed, For what, std::uint64_t a, std::uint64_t b = 0)
      : random_(mixed(mixed(mixed(seed) ^ static_cast<std::uint64_t>(what)) ^ mixed(a)) ^
                    mixed(b + 0x51),
                Purpose::generated_value) {}
  double uniform() { return random_.uniform<double>(drawn_++); }
  bool chance(double probability) { return uniform() < probability; }
  std::int64_t below(std::int64_t count) { return random_.below(count, drawn_++); }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + below(most - least + 1);
  }
  double normal() {
    // The numbers 2 · i and 2 · i + 1 are taken.
    drawn_ += drawn_ % 2;
    const double value = random_.normal(drawn_ / 2);
    drawn_ += 2;
    return value;
  }
  double log_normal(double median, double deviation) {
    return median * math::exp(deviation * normal());
  }
  // By the product of uniform numbers (Knuth): for small means.
  std::int64_t poisson(double mean) {
    const double limit = math::exp(-std::min(mean, 30.0));
    std::int64_t count = 0;
    for (double product = uniform(); product > limit; product *= uniform()) ++count;
    return count;
  }

 private:
  Random random_;
  std::uint64_t drawn_ = 0;
};

struct City {
  double latitude;
  double longitude;
};
constexpr std::array<City, 12> cities{{{52.52, 13.40},
                                       {48.86, 2.35},
                                       {40.42, -3.70},
                                       {41.90, 12.50},
                                       {48.21, 16.37},
                                       {52.23, 21.01},
                                       {50.08, 14.44},
                                       {47.50, 19.04},
                                       {45.76, 4.84},
                                       {53.55, 9.99},
                                       {48.14, 11.58},
                                       {41.39, 2.17}}};

double rounded(double value, double unit) { return std::floor(value * unit + 0.5) / unit; }

Location near(std::size_t city, double kilometres, Dice& dice) {
  const City& at = cities[city];
  const double degrees = kilometres / 111.0;
  return {rounded(at.latitude + degrees * dice.normal(), 1e4),
          rounded(at.longitude + 1.5 * degrees * dice.normal(), 1e4)};
}

struct Merchant {
  std::string id;
  Location location;
  double amount = 0;  // median
  bool online = false;
};

struct Person {
  std::int64_t number = 0;
  std::string id;
  std::size_t city = 0;
  Location home;
  double rate = 0;    // transactions a day
  double amount = 0;  // median
  double peak = 0;    // hour of the day at which half of the transactions are around
  double night = 0;   // share of transactions at any hour
  double online = 0;  // share
  std::string last_four;
  std::int64_t household = 0;
  bool shares_device = false;
  std::int64_t first_day = 0;
  std::array<std::int64_t, 8> merchants{};  // that the user goes to
};

std::string text_of(const char* format, long long a, long long b = 0) {
  std::array<char, 96> text;
  const int length = std::snprintf(text.data(), text.size(), format, a, b);
  return {text.data(), static_cast<std::size_t>(length)};
}

// Private addresses of RFC 1918: nobody's.
std::string home_address(std::int64_t household) {
  return text_of("10.%lld.", (household >> 16) & 0xFF) +
         text_of("%lld.%lld", (household >> 8) & 0xFF, household & 0xFF);
}
// Those that providers of mobile networks give their customers. Each is shared by some hundred of
// them, however few users there are, so that having one says nothing of who knows whom.
std::int64_t provider_addresses(std::int64_t users) {
  return std::clamp<std::int64_t>(users / 150, 1, 480);
}
std::string provider_address(std::int64_t which) {
  return text_of("172.16.%lld.%lld", which / 40, which % 40);
}
std::string fraudsters_address(std::uint64_t which) {
  return text_of("192.168.%lld.%lld", static_cast<long long>((which >> 8) & 0xFF),
                 static_cast<long long>(which & 0xFF));
}

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options) : options_(options) {
    const auto in = [](std::int64_t value, std::int64_t least, std::int64_t most) {
      return value >= least && value <= most;
    };
    if (!in(options.days, 1, 10'000) || !in(options.users, 10, 100'000'000) ||
        !in(options.merchants, 0, 100'000'000) || !(options.fraud >= 0 && options.fraud <= 100)) {
      throw InputError(
          "expected 1 to 10,000 days, 10 to 100,000,000 users, 0 to 100,000,000 merchants and "
          "fraud from 0 to 100 times what is usual");
    }
    if (options_.merchants == 0) {
      options_.merchants = std::max<std::int64_t>(50, options_.users / 20);
    }
  }

  SimulationSummary run(const std::function<void(const TransactionRow&)>& take,
                        RunControl& control) {
    SimulationSummary summary;
    std::int64_t number = 0;
    for (std::int64_t day = 0; day < options_.days; ++day) {
      make_day(day);
      std::stable_sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) {
        return a.transaction.time < b.transaction.time;
      });
      for (TransactionRow& row : rows_) {
        row.transaction.id = text_of("t%010lld", ++number);
        ++summary.transactions;
        summary.amount += row.transaction.amount;
        if (row.truth.fraud == true) {
          ++summary.frauds;
          ++summary.scenarios[row.truth.scenario];
          summary.fraud_amount += row.transaction.amount;
        }
        take(row);
      }
      Progress progress;
      progress.stage = "day";
      progress.done = day + 1;
      progress.total = options_.days;
      control.report(progress);
      if (control.stop_requested()) {
        throw Interrupted("stopped after day " + std::to_string(day + 1) +
                          " because an interrupt was received");
      }
    }
    return summary;
  }

 private:
  [[nodiscard]] Merchant merchant(std::int64_t number) const {
    Dice dice(options_.seed, For::merchant, static_cast<std::uint64_t>(number));
    Merchant made;
    made.id = text_of("m%06lld", number);
    made.online = dice.chance(0.15);
    made.location = near(static_cast<std::size_t>(dice.below(cities.size())), 15, dice);
    made.amount = dice.log_normal(30, 0.8);
    return made;
  }

  [[nodiscard]] Person person(std::int64_t number) const {
    Dice dice(options_.seed, For::user, static_cast<std::uint64_t>(number));
    Person made;
    made.number = number;
    made.id = text_of("u%07lld", number);
    made.city = static_cast<std::size_t>(dice.below(cities.size()));
    made.home = near(made.city, 10, dice);
    made.rate = std::min(dice.log_normal(0.8, 0.7), 8.0);
    made.amount = dice.log_normal(35, 0.6);
    made.peak = 9 + 10 * dice.uniform();
    made.night = dice.chance(0.1) ? 0.4 : 0.03;
    made.online = 0.1 + 0.5 * dice.uniform();
    made.last_four = text_of("%04lld", dice.below(10'000));
    // A quarter live in pairs.
    made.household = dice.chance(0.25) ? number / 2 * 2 : number;
    made.shares_device = dice.chance(0.3);
    // One in eight comes while time goes on.
    if (dice.chance(0.125)) made.first_day = dice.below(options_.days);
    for (auto& place : made.merchants) place = dice.below(options_.merchants);
    return made;
  }

  // A moment of the day, by the user's habit.
  static Time moment(const Person& who, Dice& dice) {
    double hour = dice.chance(who.night) ? 24 * dice.uniform() : who.peak + 2.5 * dice.normal();
    hour = hour - 24 * std::floor(hour / 24);
    return static_cast<Time>(hour * static_cast<double>(hour_ms));
  }

  TransactionRow row_of(const Person& who, std::int64_t day, Time of_day) const {
    TransactionRow row;
    Transaction& made = row.transaction;
    made.user = who.id;
    made.currency = "EUR";
    made.offset_minutes = 60;
    // Hours are local ones.
    made.time = options_.start + day * day_ms + of_day - made.offset_minutes * minute_ms;
    made.time = std::max(made.time, options_.start);
    made.card_last_four = who.last_four;
    row.truth.fraud = false;
    return row;
  }

  void mark(TransactionRow& row, const char* scenario, Dice& dice) const {
    row.truth.fraud = true;
    row.truth.scenario = scenario;
    const double days = std::clamp(dice.log_normal(5, 0.8), 0.5, 45.0);
    row.truth.known_at =
        row.transaction.time + static_cast<Time>(days * static_cast<double>(day_ms));
  }

  static void set_amount(Transaction& made, double amount) {
    made.amount = std::max(rounded(amount, 100), 0.5);
  }

  // The user's device at a time: replaced every hundred days or so, all at once.
  [[nodiscard]] std::string device_of(const Person& who, std::int64_t day) const {
    const std::int64_t owner = who.shares_device ? who.household : who.number;
    const auto shift = static_cast<std::int64_t>(mixed(static_cast<std::uint64_t>(owner)) % 100);
    return text_of("d%07lld-%lld", owner, (day + shift) / 100);
  }

  void make_day(std::int64_t day) {
    rows_.clear();
    for (std::int64_t number = 0; number < options_.users; ++number) honest_day(number, day);
    stolen_cards(day);
    terminals(day);
    takeovers(day);
    rings(day);
  }

  void honest_day(std::int64_t number, std::int64_t day) {
    const Person who = person(number);
    if (day < who.first_day) return;
    Dice dice(options_.seed, For::day_of_user, static_cast<std::uint64_t>(number),
              static_cast<std::uint64_t>(day));
    const bool weekend = (day + 3) % 7 >= 5;  // the first day is a Thursday
    const std::int64_t count = dice.poisson(who.rate * (weekend ? 1.3 : 0.9));
    if (count == 0) return;
    const bool travels = dice.chance(0.01);
    const auto city = travels ? static_cast<std::size_t>(dice.below(cities.size())) : who.city;
    const bool anothers_device = dice.chance(0.01);
    for (std::int64_t i = 0; i < count; ++i) {
      TransactionRow row = row_of(who, day, moment(who, dice));
      Transaction& made = row.transaction;
      const double kind = dice.uniform();
      double amount = who.amount;
      const bool online = dice.chance(who.online);
      if (kind < 0.8) {
        made.type = TransactionType::purchase;
        const std::int64_t at =
            dice.chance(0.75) ? who.merchants[static_cast<std::size_t>(
                                    dice.below(static_cast<std::int64_t>(who.merchants.size())))]
                              : dice.below(options_.merchants);
        const Merchant shop = merchant(at);
        made.merchant = shop.id;
        amount = std::sqrt(who.amount * shop.amount);
      } else if (kind < 0.88) {
        made.type = TransactionType::withdrawal;
        made.merchant = merchant(who.merchants[0]).id;
        amount = 10.0 * static_cast<double>(dice.between(2, 20));
      } else if (kind < 0.94) {
        made.type = TransactionType::payment;
        amount = who.amount * 2;
      } else {
        made.type = TransactionType::transfer;
        amount = who.amount * 3;
      }
      amount = made.type == TransactionType::withdrawal ? amount : amount * dice.log_normal(1, 0.6);
      if (dice.chance(0.02)) amount *= 3 + 7 * dice.uniform();  // something dear
      set_amount(made, amount);
      made.device =
          anothers_device ? text_of("d%07lld-x%lld", who.number, day) : device_of(who, day);
      if (dice.chance(0.03)) made.device.clear();
      made.ip = dice.chance(0.6) && !travels
                    ? home_address(who.household)
                    : provider_address(dice.below(provider_addresses(options_.users)));
      if (!online || travels) {
        made.location = near(city, 8, dice);
      } else if (dice.chance(0.5)) {
        made.location = Location{rounded(who.home.latitude, 1e3), rounded(who.home.longitude, 1e3)};
      }
      rows_.push_back(std::move(row));
    }
  }

  // Cases that begin on a day, per thousand users.
  [[nodiscard]] std::int64_t cases(std::int64_t day, For what, double per_thousand) const {
    Dice dice(options_.seed, For::days_frauds, static_cast<std::uint64_t>(day),
              static_cast<std::uint64_t>(what));
    const double mean = options_.fraud * per_thousand * static_cast<double>(options_.users) / 1000;
    std::int64_t count = 0;
    for (double left = mean; left > 0; left -= 20) count += dice.poisson(std::min(left, 20.0));
    return count;
  }

  Person victim(Dice& dice, std::int64_t day) const {
    for (int tries = 0; tries < 20; ++tries) {
      const Person who = person(dice.below(options_.users));
      if (who.first_day <= day) return who;
    }
    return person(0);
  }

  static std::uint64_t number_of(std::int64_t day, std::int64_t which) {
    return static_cast<std::uint64_t>(day) << 32 | static_cast<std::uint64_t>(which);
  }

  void stolen_cards(std::int64_t day) {
    for (std::int64_t begun = std::max<std::int64_t>(0, day - 2); begun <= day; ++begun) {
      const std::int64_t count = cases(begun, For::stolen_card, 0.5);
      for (std::int64_t which = 0; which < count; ++which) {
        const std::uint64_t number = number_of(begun, which);
        Dice plan(options_.seed, For::stolen_card, number);
        const Person who = victim(plan, begun);
        const std::int64_t days = plan.between(1, 3);
        const auto city = static_cast<std::size_t>(plan.below(cities.size()));
        const bool knows_the_town = plan.chance(0.4);
        const double greed = 1.2 + 3 * plan.uniform();
        const std::uint64_t gang = mixed(number) % 97 + static_cast<std::uint64_t>(begun / 10) * 97;
        if (day - begun >= days) continue;
        Dice dice(options_.seed, For::stolen_card, number, static_cast<std::uint64_t>(day) + 1);
        const std::int64_t uses = dice.between(2, 5);
        const Time first = dice.below(20 * hour_ms);
        for (std::int64_t use = 0; use < uses; ++use) {
          TransactionRow row =
              row_of(who, day, std::min(first + use * dice.between(2, 45) * minute_ms, day_ms - 1));
          Transaction& made = row.transaction;
          made.type = dice.chance(0.2) ? TransactionType::withdrawal : TransactionType::purchase;
          const Merchant shop = merchant(dice.below(options_.merchants));
          made.merchant = shop.id;
          const double tried = day == begun && use == 0 && dice.chance(0.6) ? 0.1 : greed;
          set_amount(made, std::sqrt(who.amount * shop.amount) * tried * dice.log_normal(1, 0.5));
          // Half of them are used without any device of the fraudster's being seen.
          if (dice.chance(0.5)) made.device = text_of("x%lld", static_cast<long long>(gang));
          made.ip = dice.chance(0.5)
                        ? fraudsters_address(gang)
                        : provider_address(dice.below(provider_addresses(options_.users)));
          if (dice.chance(0.7)) made.location = near(knows_the_town ? who.city : city, 8, dice);
          mark(row, "stolen_card", dice);
          rows_.push_back(std::move(row));
        }
      }
    }
  }

  void terminals(std::int64_t day) {
    constexpr std::int64_t longest = 14;
    // By the charges of honest payers of the same day.
    const std::size_t honest = rows_.size();
    for (std::int64_t begun = std::max<std::int64_t>(0, day - longest); begun <= day; ++begun) {
      const std::int64_t count = cases(begun, For::terminal, 0.03);
      for (std::int64_t which = 0; which < count; ++which) {
        Dice plan(options_.seed, For::terminal, number_of(begun, which));
        const std::int64_t days = plan.between(6, longest);
        const Merchant shop = merchant(plan.below(options_.merchants));
        if (day - begun >= days) continue;
        Dice dice(options_.seed, For::terminal_day, number_of(begun, which),
                  static_cast<std::uint64_t>(day));
        for (std::size_t i = 0; i < honest; ++i) {
          if (rows_[i].truth.fraud == true || rows_[i].transaction.merchant != shop.id) continue;
          if (!dice.chance(0.4)) continue;
          TransactionRow row = rows_[i];
          row.transaction.time += dice.between(20, 300) * minute_ms;
          row.transaction.time =
              std::min(row.transaction.time, options_.start + (day + 1) * day_ms - hour_ms - 1);
          set_amount(row.transaction, row.transaction.amount * (0.8 + dice.uniform()));
          row.transaction.device.clear();
          mark(row, "compromised_terminal", dice);
          rows_.push_back(std::move(row));
        }
      }
    }
  }

  void takeovers(std::int64_t day) {
    const std::int64_t count = cases(day, For::takeover, 0.15);
    for (std::int64_t which = 0; which < count; ++which) {
      Dice dice(options_.seed, For::takeover, number_of(day, which));
      const Person who = victim(dice, day);
      // A fraudster takes over some accounts before changing devices.
      const long long fraudster = (day / 5) * 64 + dice.below(std::max<std::int64_t>(2, count));
      const std::int64_t uses = dice.between(1, 5);
      const Time first = dice.below(22 * hour_ms);
      const auto address = static_cast<std::uint64_t>(20'000 + fraudster);
      for (std::int64_t use = 0; use < uses; ++use) {
        TransactionRow row =
            row_of(who, day, std::min(first + use * dice.between(3, 40) * minute_ms, day_ms - 1));
        Transaction& made = row.transaction;
        made.type = dice.chance(0.75) ? TransactionType::transfer : TransactionType::payment;
        set_amount(made, who.amount * dice.log_normal(7, 0.6));
        made.device = text_of("y%lld", fraudster);
        made.ip = dice.chance(0.6)
                      ? fraudsters_address(address)
                      : provider_address(dice.below(provider_addresses(options_.users)));
        mark(row, "account_takeover", dice);
        rows_.push_back(std::move(row));
      }
    }
  }

  void rings(std::int64_t day) {
    constexpr std::int64_t longest = 14;
    for (std::int64_t begun = std::max<std::int64_t>(0, day - longest); begun <= day; ++begun) {
      const std::int64_t count = cases(begun, For::ring, 0.02);
      for (std::int64_t which = 0; which < count; ++which) {
        const std::uint64_t number = number_of(begun, which);
        Dice plan(options_.seed, For::ring, number);
        const std::int64_t members = plan.between(5, 12);
        const std::int64_t days = plan.between(6, longest);
        const std::int64_t devices = plan.between(2, 3);
        const auto city = static_cast<std::size_t>(plan.below(cities.size()));
        if (day - begun >= days) continue;
        for (std::int64_t member = 0; member < members; ++member) {
          Dice dice(options_.seed, For::ring_day, number,
                    static_cast<std::uint64_t>(day * 64 + member));
          Person who = person(static_cast<std::int64_t>(mixed(number) % 1'000'000) * 16 + member);
          who.id =
              text_of("n%lld-%lld", static_cast<long long>(mixed(number) % 10'000'000), member);
          const std::int64_t uses = dice.poisson(day - begun < member / 3 ? 0.0 : 0.9);
          for (std::int64_t use = 0; use < uses; ++use) {
            TransactionRow row = row_of(who, day, moment(who, dice));
            Transaction& made = row.transaction;
            made.type = dice.chance(0.7) ? TransactionType::transfer : TransactionType::withdrawal;
            set_amount(made, dice.log_normal(180, 0.6));
            made.device = text_of("z%lld-%lld", static_cast<long long>(mixed(number) % 10'000'000),
                                  dice.below(devices));
            made.ip = dice.chance(0.5)
                          ? fraudsters_address(40'000 + mixed(number) % 20'000)
                          : provider_address(dice.below(provider_addresses(options_.users)));
            if (made.type == TransactionType::withdrawal) {
              made.merchant = merchant(dice.below(options_.merchants)).id;
              made.location = near(city, 8, dice);
            }
            mark(row, "mule_ring", dice);
            rows_.push_back(std::move(row));
          }
        }
      }
    }
  }

  SimulationOptions options_;
  std::vector<TransactionRow> rows_;  // of the day
};

}  // namespace

SimulationSummary simulate_transactions(const SimulationOptions& options,
                                        const std::function<void(const TransactionRow&)>& take,
                                        RunControl& control) {
  return Simulation(options).run(take, control);
}

SimulationSummary write_simulation(const std::string& path, const SimulationOptions& options,
                                   RunControl& control) {
  SimulationSummary summary;
  write_file(path, [&](std::ostream& out) {
    out << csv_header();
    std::string text;
    summary = simulate_transactions(
        options,
        [&](const TransactionRow& row) {
          append_csv(text, row);
          if (text.size() < (1 << 16)) return;
          out << text;
          text.clear();
        },
        control);
    out << text;
  });
  return summary;
}

}  // namespace tandem::fraud
