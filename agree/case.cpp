#include "agree/case.hpp"

#include <limits>
#include <stdexcept>

namespace tandem::agree {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
double as_double(T value) {
  return static_cast<double>(value);
}

template <class T>
Index bits_apart(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) && std::isnan(b)) return 0;
  }
  if constexpr (sizeof(T) == 4) {
    return std::popcount(std::bit_cast<std::uint32_t>(a) ^ std::bit_cast<std::uint32_t>(b));
  } else if constexpr (sizeof(T) == 8) {
    return std::popcount(std::bit_cast<std::uint64_t>(a) ^ std::bit_cast<std::uint64_t>(b));
  } else {
    return std::popcount(static_cast<unsigned>(a ^ b));
  }
}

template <class T>
void compare_values(const std::string& name, const std::vector<T>& got,
                    const std::vector<T>& expected, Difference& difference) {
  const std::size_t size = std::max(got.size(), expected.size());
  difference.elements += static_cast<Index>(size);
  for (std::size_t i = 0; i < size; ++i) {
    const bool there = i < got.size() && i < expected.size();
    const Index bits = there ? bits_apart(got[i], expected[i]) : static_cast<Index>(8 * sizeof(T));
    if (bits == 0) continue;
    if (difference.differing == 0) {
      difference.output = name;
      difference.element = static_cast<Index>(i);
      difference.value = i < got.size() ? as_double(got[i]) : std::nan("");
      difference.expected = i < expected.size() ? as_double(expected[i]) : std::nan("");
    }
    ++difference.differing;
    difference.bits += bits;
  }
}

}  // namespace

const Outputs::Values* Outputs::find(std::string_view name) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return &entry.values;
  }
  return nullptr;
}

void Outputs::no_output(std::string_view name) {
  throw std::logic_error("agreement: there is no output '" + std::string(name) +
                         "' of the type asked for");
}

std::string_view to_string(Tolerance tolerance) noexcept {
  switch (tolerance) {
    case Tolerance::exact: return "exact";
    case Tolerance::elementwise: return "elementwise";
    case Tolerance::reduction: return "reduction";
    case Tolerance::trajectory: return "trajectory";
    case Tolerance::tie_aware: return "tie-aware";
  }
  return "?";
}

double Judge::Finding::share() const noexcept {
  if (std::isnan(error)) return infinity;
  if (error == 0) return 0;
  return bound > 0 ? error / bound : infinity;
}

void Judge::record(Finding finding) {
  const bool first = judged == 0;
  ++judged;
  if (std::isnan(finding.bound) || finding.bound == infinity) {
    ++unbounded;
    if (first) worst = Finding{};
    return;
  }
  const double share = finding.share();
  if (!(share <= 1)) ++outside;
  if (first || share > worst.share()) worst = std::move(finding);
}

void Judge::compare(std::string_view what, Index element, Tolerance tolerance, double value,
                    double expected, double bound) {
  double error = std::abs(value - expected);
  if (value == expected || (std::isnan(value) && std::isnan(expected))) error = 0;
  record({std::string(what), element, tolerance, value, expected, error, bound});
}

void Judge::within(std::string_view output, Tolerance tolerance,
                   const std::function<double(std::size_t)>& bound) {
  const auto find = [&](const Outputs& outputs) -> const Outputs::Values& {
    for (const auto& entry : outputs.entries()) {
      if (entry.name == output) return entry.values;
    }
    throw std::logic_error("agreement: there is no output '" + std::string(output) + "'");
  };
  std::visit(
      [&](const auto& values) {
        std::visit(
            [&](const auto& expected) {
              if (values.size() != expected.size()) {
                compare(std::string(output) + " (number of elements)", 0, Tolerance::exact,
                        static_cast<double>(values.size()), static_cast<double>(expected.size()),
                        0);
                return;
              }
              for (std::size_t i = 0; i < values.size(); ++i) {
                compare(output, static_cast<Index>(i), tolerance, as_double(values[i]),
                        as_double(expected[i]), bound(i));
              }
            },
            find(reference));
      },
      find(got));
}

Difference differing_bits(const Outputs& got, const Outputs& expected) {
  Difference difference;
  if (got.refusal != expected.refusal) {
    difference = {
        1,           1,
        1,           "the error: '" + got.refusal + "' against '" + expected.refusal + "'",
        0,           std::nan(""),
        std::nan("")};
    return difference;
  }
  if (got.entries().size() != expected.entries().size()) {
    throw std::logic_error("agreement: a case gave " + std::to_string(got.entries().size()) +
                           " outputs on one engine and " +
                           std::to_string(expected.entries().size()) + " on another");
  }
  for (std::size_t e = 0; e < got.entries().size(); ++e) {
    const auto& a = got.entries()[e];
    const auto& b = expected.entries()[e];
    std::visit(
        [&](const auto& values) {
          const auto* same = std::get_if<std::decay_t<decltype(values)>>(&b.values);
          if (same == nullptr || a.name != b.name) {
            throw std::logic_error("agreement: output '" + a.name + "' is '" + b.name +
                                   "', or has another type, on another engine");
          }
          compare_values(a.name, values, *same, difference);
        },
        a.values);
  }
  return difference;
}

}  // namespace tandem::agree
