// Vectors in a byte per number, for a first look at many of them: a quarter of the memory of
// floats is read, and what is found by it is looked at again in full.
#pragma once

#include <cstdint>
#include <span>

#include "systems/recommend/padded_rows.hpp"

namespace tandem::recommend {

// Row r stands for scale(r) · codes, the scale being the greatest magnitude of its numbers over
// 127: each number is off by half the scale at most. Rows lie in blocks of 16, two numbers of each
// row after two numbers of the row before, as one vector instruction takes them.
class CodedRows {
 public:
  static constexpr std::size_t block = 16;

  CodedRows() = default;
  CodedRows(std::size_t rows, std::size_t width);

  // Puts the vector, of `width` numbers, in the place of row r.
  void set(std::size_t row, std::span<const float> vector);
  [[nodiscard]] std::size_t bytes() const noexcept {
    return codes_.size() + scales_.size() * sizeof(float);
  }

  // A vector that is asked with, in 14 bits per number: what it loses is a hundredth of what the
  // rows have lost.
  class Query {
   public:
    Query(const CodedRows& rows, std::span<const float> vector);

   private:
    friend class CodedRows;
    CacheLines<std::int16_t> codes_;
    float scale_ = 0;
  };
  // Those of the rows of `blocks` blocks whose product with the query is about `least` or more:
  // their places, counted from the row `first`, ascending, and their products; there is room for
  // all rows of the blocks. Returns how many; a row that was not set is none of them. Requires:
  // `first` is the first row of a block.
  std::size_t at_least(const Query& query, std::size_t first, std::size_t blocks, float least,
                       std::uint32_t* rows, float* products) const;

 private:
  std::size_t pairs_ = 0;  // of numbers of a row; even
  CacheLines<std::int8_t> codes_;
  std::vector<float> scales_;
};

}  // namespace tandem::recommend
