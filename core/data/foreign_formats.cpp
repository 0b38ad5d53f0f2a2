// Files that people bring and that are not read: what they are, and what to do.
#include <array>

#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using namespace std::string_view_literals;

struct ForeignFormat {
  std::string_view mark;
  std::size_t at;  // of the mark
  std::string_view what;
  std::string_view advice;
};

constexpr std::string_view from_pandas = "in Python, pandas.";
constexpr std::array<ForeignFormat, 20> formats{{
    {"\x89TANDEM\n"sv, 0, "a model or checkpoint of Tandem", "-model"},
    {"PARE"sv, 0, "an encrypted Parquet file", ""},
    {"FEA1"sv, 0, "a Feather file of version 1", "read_feather"},
    {"\x89HDF\r\n"sv, 0, "an HDF5 file", "read_hdf"},
    {"\xD0\xCF\x11\xE0"sv, 0, "an Excel workbook (.xls)", "read_excel"},
    {"<stata_dta>"sv, 0, "a Stata file", "read_stata"},
    {"$FL2"sv, 0, "an SPSS file", "read_spss"},
    {"SQLite format 3"sv, 0, "an SQLite database", ""},
    {"CDF\x01"sv, 0, "a NetCDF file", ""},
    {"\x80\x02"sv, 0, "a Python pickle", ""},
    {"\x80\x03"sv, 0, "a Python pickle", ""},
    {"\x80\x04"sv, 0, "a Python pickle", "read_pickle"},
    {"\x80\x05"sv, 0, "a Python pickle", "read_pickle"},
    {"%PDF"sv, 0, "a PDF document", ""},
    {"RDX2"sv, 0, "an R data file", ""},
    {"RDX3"sv, 0, "an R data file", ""},
    {"7z\xBC\xAF\x27\x1C"sv, 0, "a 7z archive", "-unpack"},
    {"Rar!"sv, 0, "a RAR archive", "-unpack"},
    {"\x04\x22\x4D\x18"sv, 0, "an lz4 file", "-unpack"},
    {"ustar"sv, 257, "a tar archive", "-unpack"},
}};

std::string_view without_space(std::string_view text) {
  const auto at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

bool begins_in_any_case(std::string_view text, std::string_view word) {
  if (text.size() < word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != word[i]) return false;
  }
  return true;
}

}  // namespace

void refuse_foreign_format(const std::string& file, std::string_view head) {
  for (const ForeignFormat& format : formats) {
    if (head.size() < format.at || head.substr(format.at, format.mark.size()) != format.mark) {
      continue;
    }
    std::string advice = "save the table as CSV and read that";
    if (format.advice == "-unpack") {
      advice = "unpack it and name the file in it";
    } else if (format.advice == "-model") {
      advice = "name the data here; tandem inspect shows a model";
    } else if (!format.advice.empty()) {
      advice += ": " + std::string(from_pandas) + std::string(format.advice) + "(\"" + file +
                "\").to_csv(\"table.csv\", index=False)";
    }
    throw InputError(file + ": is " + std::string(format.what) + ", which is not read; " + advice);
  }
  if (head.substr(0, 3) == "\xEF\xBB\xBF") head.remove_prefix(3);
  const std::string_view text = without_space(head);
  const auto refuse = [&](const char* what, const char* advice) {
    throw InputError(file + ": is " + what + ", which is not read; " + advice);
  };
  if (!text.empty() && (text.front() == '{' || text.front() == '[')) {
    const std::string_view inside = without_space(text.substr(1));
    const char next = inside.empty() ? ' ' : inside.front();
    const bool object = text.front() == '{' && (next == '"' || next == '}');
    const bool array = text.front() == '[' && (next == '{' || next == '[');
    if (object || array) {
      refuse("JSON",
             "write a table as CSV: in Python, pandas.read_json(FILE).to_csv(\"table.csv\", "
             "index=False), with lines=True for an object per line");
    }
  }
  if (begins_in_any_case(text, "<!doctype html") || begins_in_any_case(text, "<html")) {
    refuse("a web page (HTML)",
           "is it the page that offers the file, or one that says it is gone?");
  }
  if (begins_in_any_case(text, "<?xml")) refuse("XML", "save the table as CSV and read that");
  if (begins_in_any_case(text, "@relation")) {
    throw InputError(file +
                     ": is an ARFF file, which is not read; keep the lines behind @data, or read "
                     "it as text with " +
                     option("format") + " csv and " + option("skip_lines"));
  }
}

}  // namespace tandem
