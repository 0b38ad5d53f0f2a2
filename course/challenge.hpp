// A challenge: what a kernel is to compute, on which inputs it is tried, and what it costs at
// least.
//
// A challenge is four files of one stem: challenges/x_y.cpp defines make_x_y_challenge(), x_y.md is
// its statement, x_y.cu the file to start from, and tests/challenges/x_y.cu holds right and wrong
// kernels for it. The build finds them by their names; it is called x-y.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "course/draw.hpp"

namespace tandem::course {

using Floats = std::vector<float>;
using Wholes = std::vector<std::int32_t>;
using Values = std::variant<Floats, Wholes>;
[[nodiscard]] std::size_t size_of(const Values& values);

using Sizes = std::map<std::string, std::int64_t>;
[[nodiscard]] std::string text_of(const Sizes& sizes);  // "n = 1000, k = 3"

// Which numbers an input has. Whole ones are small, so that every sum of them in single precision
// is exact whatever its order: an element that is left out or added twice shows in any sum.
enum class Numbers : std::uint8_t { whole, real };

// An argument of the kernel, in the order of its signature.
struct Argument {
  enum class Role : std::uint8_t { input, output, scratch, size };
  Role role = Role::input;
  std::string name;
  Values values;          // of an input; of an output and of scratch as many elements as it has
  std::int32_t size = 0;  // of a size, which is passed as an int
};

struct Case {
  Sizes sizes;
  Numbers numbers = Numbers::whole;
  std::vector<Argument> arguments;

  void input(std::string name, Values values);
  void output(std::string name, Values shape);
  void scratch(std::string name, Values shape);
  void size(const std::string& name);  // of `sizes`

  [[nodiscard]] const Floats& floats(std::string_view name) const;
  [[nodiscard]] const Wholes& wholes(std::string_view name) const;
  [[nodiscard]] std::size_t at(const std::string& name) const;  // a size
};

// What an output has to be: whole numbers exactly, others within a bound for each element.
struct Reals {
  std::vector<double> values;
  std::vector<double> bounds;
};
using Expected = std::variant<Reals, Wholes>;

// What has to be done at least, whoever does it.
struct Floor {
  double bytes = 0;  // of global memory that have to be read or written once
  double flops = 0;  // of single precision, a product and a sum counted as two
};

struct Challenge {
  std::string name;
  std::string title;
  int level = 1;          // 1 to 4: how hard
  std::string signature;  // "const float* x, float* y, int n"

  std::vector<Sizes> awkward;  // sizes that it is always tried with; small, for the checker
  Sizes lowest;                // random sizes lie between
  Sizes highest;
  Sizes scored;  // at which its cost is counted

  Case (*make)(const Sizes& sizes, Numbers numbers, Draw& draw) = nullptr;
  // Of every output, by the textbook in double precision.
  std::vector<Expected> (*reference)(const Case& problem) = nullptr;
  // Where more than one answer is right: what is wrong with this one; nothing where it is right.
  std::optional<std::string> (*judge)(const Case& problem,
                                      const std::vector<Values>& outputs) = nullptr;
  Floor (*floor)(const Sizes& sizes) = nullptr;

  // Of the files.
  std::string statement;
  std::string starter;
};

[[nodiscard]] const std::vector<Challenge>& challenges();  // easy ones first
// Throws InputError with the names that there are.
[[nodiscard]] const Challenge& find_challenge(std::string_view name);

// What is wrong with the outputs; nothing where they are right. NaN is wrong where the reference
// has a number.
[[nodiscard]] std::optional<std::string> wrong_with(const Challenge& challenge, const Case& problem,
                                                    const std::vector<Values>& outputs);

// Sizes between the challenge's lowest and highest.
[[nodiscard]] Sizes drawn_sizes(const Challenge& challenge, Draw& draw);

// --- what challenges are made of -----------------------------------------------------------------

// Numbers in [-1, 1), or whole ones from -4 to 4.
[[nodiscard]] Floats drawn_floats(std::size_t count, Numbers numbers, Draw& draw);
[[nodiscard]] Wholes drawn_wholes(std::size_t count, std::int64_t lowest, std::int64_t highest,
                                  Draw& draw);
// The error that a sum of `length` terms in single precision, added in any order, may have, where
// the absolute values of the terms add up to `magnitude`; the terms themselves may have been
// rounded `roundings` times each (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
// section 4.2).
[[nodiscard]] double sum_bound(std::size_t length, double magnitude, int roundings = 2);

}  // namespace tandem::course
