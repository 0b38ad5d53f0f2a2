// Columns in Arrow's layout, as the C data interface describes them: what they declare, and their
// values. The interface and the readers of Arrow files convert by this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/typed_table.hpp"
#include "tandem/data/arrow.hpp"

namespace tandem {

// How the values of a format string ("l", "u", "tsn:UTC") lie in memory, and what they mean.
struct ArrowType {
  enum class Layout : std::uint8_t {
    nothing,
    bits,
    int8,
    uint8,
    int16,
    uint16,
    int32,
    uint32,
    int64,
    uint64,
    half,
    float32,
    float64,
    decimal,     // `width` bytes, the lowest first
    bytes,       // offsets of 32 bits
    long_bytes,  // of 64
    views,
    fixed  // `width` bytes each
  };
  Layout layout = Layout::nothing;
  DeclaredKind kind = DeclaredKind::unread;
  std::size_t width = 0;        // bytes of a value, 0 for texts of any length and for bits
  int scale = 0;                // decimals
  std::int64_t per_second = 0;  // dates and times; 0: days
  std::string name;             // for messages; why it is not read where kind is unread
};
[[nodiscard]] ArrowType arrow_type(std::string_view format);
// Of a column, a dictionary or not.
[[nodiscard]] DeclaredColumn arrow_declared(const ArrowSchema& schema);

// The texts of a dictionary, none where it has a null.
using ArrowDictionary = std::vector<std::optional<std::string>>;
// Appends the values of one array of the dictionary. `where` begins messages. Throws InputError.
void append_dictionary(const ArrowArray& array, const ArrowType& type, const std::string& where,
                       const MemoryBudget& budget, ArrowDictionary& dictionary);

// The values of an array from its offset on, `array.length` of them. `dictionary` may be null; the
// array's values are then no codes. The array, `where` and the budget must outlive the stream,
// which keeps `owner` for that. The buffers must be as large as the array claims; what stands in
// them may be anything.
template <Real T>
[[nodiscard]] std::unique_ptr<ColumnStream<T>> open_arrow_column(
    const ArrowArray& array, const ArrowType& type, const std::string& where,
    const MemoryBudget& budget, ValuesAs as, std::shared_ptr<const ArrowDictionary> dictionary,
    std::shared_ptr<const void> owner = nullptr);

}  // namespace tandem
