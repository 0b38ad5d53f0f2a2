// Operations that differ in a type, or in another word, as the decoder picks them: for add.u32 that
// of the family `add` for "u32". That there is one for each word is seen when the decoder is
// compiled.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "softgpu/isa/operation.hpp"

namespace softgpu {

inline constexpr std::array<std::string_view, operation_count> operation_names = {
#define OPERATION(NAME, OPERANDS, TRANSFER, BEHAVIOUR, ...) #NAME,
#include "softgpu/isa/operations.def"
};

// The operation "stem_word", where a dot in a word stands for an underscore too.
consteval Operation operation_named(std::string_view stem, std::string_view word) {
  for (std::size_t i = 0; i < operation_names.size(); ++i) {
    const std::string_view name = operation_names[i];
    if (name.size() != stem.size() + 1 + word.size() || !name.starts_with(stem)) continue;
    bool same = name[stem.size()] == '_';
    for (std::size_t k = 0; same && k < word.size(); ++k) {
      same = name[stem.size() + 1 + k] == (word[k] == '.' ? '_' : word[k]);
    }
    if (same) return static_cast<Operation>(i);
  }
  throw std::logic_error("no operation of this name: see operations.def");
}

template <std::size_t Words>
class Family {
 public:
  consteval Family(std::string_view stem, const std::array<std::string_view, Words>& words)
      : words_(words) {
    for (std::size_t i = 0; i < Words; ++i) operations_[i] = operation_named(stem, words[i]);
  }
  // Nothing where the family has none for this word.
  [[nodiscard]] constexpr std::optional<Operation> find(std::string_view word) const {
    for (std::size_t i = 0; i < Words; ++i) {
      if (words_[i] == word) return operations_[i];
    }
    return std::nullopt;
  }

 private:
  std::array<std::string_view, Words> words_;
  std::array<Operation, Words> operations_{};
};

}  // namespace softgpu
