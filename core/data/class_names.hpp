// Names of classes across files: the same class may be written "1" in one and "1.0" in another.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tandem {

// A decimal number in the one form that all texts of an equal value share, whatever its size; none
// for a text that is no finite decimal number. "-00.50e1" and "-5" give the same.
[[nodiscard]] std::optional<std::string> decimal_form(std::string_view text);

// Orders numbers by value and before all other texts, which are ordered bytewise, as are texts of
// equal value.
[[nodiscard]] bool class_before(std::string_view a, std::string_view b);

// Finds texts among names: by the text itself, else by an equal decimal value, or by the same of
// the words true and false in any case, where exactly one name has it.
class ClassMatcher {
 public:
  // The names must outlive the matcher.
  explicit ClassMatcher(std::span<const std::string> names);

  struct Match {
    std::int32_t name = -1;  // -1: none
    bool by_value = false;
  };
  [[nodiscard]] Match find(std::string_view text) const;

 private:
  std::unordered_map<std::string_view, std::int32_t> by_text_;
  mutable std::optional<std::map<std::string, std::int32_t>> by_value_;  // -1: several
  std::span<const std::string> names_;
};

}  // namespace tandem
