#include "core/data/column_remarks.hpp"

#include "core/data/csv_fields.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

void refuse_many_categories(const std::string& file, const std::string& column) {
  throw InputError(file + ": the column " + column + " has more than " +
                   std::to_string(most_column_categories) +
                   " distinct texts, so it is an identifier or not a category; leave it out with " +
                   option("ignore") + " " + column);
}

std::string unknown_categories(const std::string& file, const std::string& column, Index values,
                               const std::vector<std::string>& examples) {
  const bool one = values == 1;
  return file + ": " + std::to_string(values) + (one ? " value of " : " values of ") + column +
         (one ? " is a category" : " are categories") + " that the model does not know, such as " +
         listed_names(examples) + "; taken as missing";
}

std::string identifier_remark(const std::string& file, const std::string& column, Index texts,
                              Index rows) {
  if (texts < 10 || texts <= rows / 2) return "";
  return file + ": " + (texts == rows ? "every" : "nearly every") + " value of the column " +
         column + " is different (" + std::to_string(texts) + " texts), so that it is encoded as " +
         std::to_string(texts) + " categories; if it is an identifier, leave it out with " +
         option("ignore") + " " + column;
}

std::string columns_remark(const std::string& file, const std::vector<std::string>& columns,
                           const std::string& one, const std::string& many,
                           const std::string& rest) {
  if (columns.empty()) return "";
  const bool single = columns.size() == 1;
  return file + ": the column" + (single ? " " : "s ") + listed_names(columns) + " " +
         (single ? one : many) + rest;
}

std::string dates_remark(const std::string& file, const std::vector<std::string>& columns,
                         bool parts) {
  return columns_remark(file, columns, "holds dates, which become", "hold dates, which become",
                        std::string(parts ? " year, month, weekday and hour"
                                          : " seconds since 1970-01-01 00:00:00 UTC") +
                            "; " + option("dates") + (parts ? " seconds" : " parts") + " or " +
                            option("columns") + " NAME:category says otherwise");
}

std::string rounded_dates_remark(const std::string& file, const std::vector<std::string>& columns) {
  return columns_remark(
      file, columns, "is kept", "are kept",
      " in 32-bit numbers, which tell dates of today apart from 128 seconds on; " +
          option("precision") + " float64 keeps them exactly");
}

std::string order_remark(const std::string& file, const std::string& column, bool month_first) {
  return file + ": the dates of " + column + " could be day first or month first and are read " +
         (month_first ? "month" : "day") + " first; " + option("columns") + " " + column +
         ":date/" + (month_first ? "dmy" : "mdy") + " says otherwise";
}

std::string times_remark(const std::string& file, const std::vector<std::string>& columns) {
  return columns_remark(file, columns, "holds times or durations, which become",
                        "hold times or durations, which become",
                        " seconds; " + option("columns") + " NAME:category says otherwise");
}

}  // namespace tandem
