// What readers say of a column that could be meant otherwise, in the same words whatever the
// format.
#pragma once

#include <string>
#include <vector>

#include "core/data/field_values.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

inline constexpr Index most_column_categories = Index{1} << 20;

// Throws InputError: more distinct texts than a category may have.
[[noreturn]] void refuse_many_categories(const std::string& file, const std::string& column);
[[nodiscard]] std::string unknown_categories(const std::string& file, const std::string& column,
                                             Index values,
                                             const std::vector<std::string>& examples);
// "" where the texts of the column recur.
[[nodiscard]] std::string identifier_remark(const std::string& file, const std::string& column,
                                            Index texts, Index rows);
// Of categories that differ in upper and lower case or in blanks alone, as those of several hands
// do; "" where there are none.
[[nodiscard]] std::string case_remark(const std::string& file, const std::string& column,
                                      const std::vector<std::string>& texts);
// "FILE: the columns a, b hold REST"; "" where there are none.
// Of a text that makes a column of numbers one of texts: what it may be, and what to do. `texts`:
// how many different ones there are.
[[nodiscard]] std::string mixture_advice(const std::string& column, const std::string& text,
                                         Index texts);

// Whether each of the texts begins with a number and is none, as quantities with a unit, ranges,
// fractions and dates that are not read do.
[[nodiscard]] bool begin_with_numbers(const std::vector<std::string>& texts);
// Of columns of such texts; "" where there are none. `example`: a text of the first.
[[nodiscard]] std::string quantity_remark(const std::string& file,
                                          const std::vector<std::string>& columns,
                                          const std::string& example);

// Of a file of one column of texts: whether each of its lines holds the same mark as often, so that
// it may be a table whose delimiter was not found, or are several words. Empty where neither is so.
[[nodiscard]] std::string uncut_remark(const std::string& file, const std::string& name,
                                       const std::vector<std::string>& texts);

// Of the text of the last row in the first column of texts: whether it is a word for a sum, as
// spreadsheets have one below their tables. Empty where it is none.
[[nodiscard]] std::string total_remark(const std::string& file, const std::string& column,
                                       const std::string& text);

[[nodiscard]] std::string columns_remark(const std::string& file,
                                         const std::vector<std::string>& columns,
                                         const std::string& one, const std::string& many,
                                         const std::string& rest);
// How dates become numbers, and the options that say otherwise.
[[nodiscard]] std::string dates_remark(const std::string& file,
                                       const std::vector<std::string>& columns, bool parts);
// Dates as seconds in numbers of 32 bits.
[[nodiscard]] std::string rounded_dates_remark(const std::string& file,
                                               const std::vector<std::string>& columns);
// Dates that have a day and a month that could be the other.
[[nodiscard]] std::string order_remark(const std::string& file, const std::string& column,
                                       DateOrders possible, DateOrders taken);
// Of dates such as 24-01-31 that are left as texts.
[[nodiscard]] std::string short_year_remark(const std::string& file, const std::string& column);
[[nodiscard]] std::string times_remark(const std::string& file,
                                       const std::vector<std::string>& columns);

}  // namespace tandem
