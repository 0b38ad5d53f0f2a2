// Data for agreement: a function of a kind and a seed, and nothing else.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem::agree {

//   random            uniform around a few points
//   duplicates        rows drawn from few distinct ones
//   ties              small whole numbers: equal distances, equal scores of splits
//   constant_columns  every other column holds one value
//   huge, tiny        all values times 10^12, or so: as far as squares of them stay in range
//   denormal          from the smallest positive number to the smallest normal one, and a few
//   normal mixed_scales      a scale of its own for every column, from 10^-9 to 10^9 signed_zeros
//   mostly +0 and −0 near_equal        one row, each value off by a few units in the last place
//   one_row, one_column  random
enum class DataKind {
  random,
  duplicates,
  ties,
  constant_columns,
  huge,
  tiny,
  denormal,
  mixed_scales,
  signed_zeros,
  near_equal,
  one_row,
  one_column,
};
inline constexpr int data_kinds = 12;

[[nodiscard]] std::string_view to_string(DataKind) noexcept;
// Throws InputError that lists the names.
[[nodiscard]] DataKind parse_data_kind(std::string_view);

// A sequence of random choices.
class Draw {
 public:
  Draw(std::uint64_t seed, std::uint32_t stream) : random_(seed, Purpose::test, stream) {}
  [[nodiscard]] double uniform() { return random_.uniform(at_++); }
  [[nodiscard]] double uniform(double low, double high) { return low + (high - low) * uniform(); }
  [[nodiscard]] Index below(Index count) { return random_.below(count, at_++); }
  [[nodiscard]] Index between(Index low, Index high) { return low + below(high - low + 1); }
  [[nodiscard]] bool flip() { return below(2) == 1; }
  template <class T>
  [[nodiscard]] T of(std::initializer_list<T> choices) {
    return choices.begin()[below(static_cast<Index>(choices.size()))];
  }
  [[nodiscard]] std::uint64_t bits() { return random_.bits(at_++); }

 private:
  Random random_;
  std::uint64_t at_ = 0;
};

// rows × cols; one_row and one_column have one of them whatever is asked for.
template <Real T>
[[nodiscard]] Matrix<T> make_features(DataKind kind, Index rows, Index cols, Draw& draw);
// The same as one sequence of `count` elements: kinds of columns become kinds of elements.
template <Real T>
[[nodiscard]] std::vector<T> make_values(DataKind kind, Index count, Draw& draw);
// A target that follows the features, with noise: values, or classes 0 .. classes − 1, each of
// which has at least one row where there are as many rows.
template <Real T>
[[nodiscard]] std::vector<T> make_target(DataKind kind, const Matrix<T>& x, Draw& draw);
template <Real T>
[[nodiscard]] std::vector<std::int32_t> make_labels(const Matrix<T>& x, Index classes, Draw& draw);
// One per row: halves from 0 to 2 with at least one positive.
template <Real T>
[[nodiscard]] std::vector<T> make_weights(Index rows, Draw& draw);

}  // namespace tandem::agree
