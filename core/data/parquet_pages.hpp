// The pages of one column in one row group of a Parquet file, one after the other, checked and
// decompressed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/buffer_pool.hpp"
#include "core/data/input.hpp"
#include "core/data/parquet_metadata.hpp"
#include "core/data/parquet_values.hpp"
#include "core/data/readers.hpp"

namespace tandem::parquet {

struct Page {
  PageHeader header;
  Bytes levels;                // definition levels, of columns that may lack values
  bool packed_levels = false;  // in the old encoding BIT_PACKED
  Bytes values;
};

class PageReader {
 public:
  // `where` begins messages: "FILE: column NAME". `optional`: values may be missing. All must
  // outlive the reader, the pool too. Throws InputError where the chunk does not lie in the file.
  PageReader(const Input& input, const ColumnChunk& chunk, const std::string& where, bool optional,
             const MemoryBudget& budget, BufferPool& pool);
  // False at the end. A page lives until the next one is read.
  bool next(Page& page);
  [[noreturn]] void damaged(const std::string& what) const;

 private:
  [[nodiscard]] Bytes window() const { return window_->bytes().subspan(begin_, end_ - begin_); }
  // Reads on until `count` bytes are in the window, or the chunk ends.
  void fill(std::size_t count);
  void cut(Page& page);
  Bytes decompressed(Bytes stored, Index size);

  const Input& input_;
  const std::string& where_;
  bool optional_;
  const MemoryBudget& budget_;
  Codec codec_;
  Index offset_;  // in the file, of what is read next
  Index left_;    // bytes of the chunk that are not in the window yet
  BufferPool::Lease window_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  BufferPool::Lease page_;
  Index pages_ = 0;
};

}  // namespace tandem::parquet
