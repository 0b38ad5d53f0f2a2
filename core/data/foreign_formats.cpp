// Files that people bring and that are not read: what they are, and what to do.
#include <algorithm>
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
constexpr std::array<ForeignFormat, 54> formats{{
    {"\x89TANDEM\n"sv, 0, "a model, checkpoint or binned table of Tandem", "-model"},
    {"PARE"sv, 0, "an encrypted Parquet file", ""},
    {"FEA1"sv, 0, "a Feather file of version 1", "read_feather"},
    {"ORC"sv, 0, "an ORC file", "read_orc"},
    {"Obj\x01"sv, 0, "an Avro file", ""},
    {"DUCK"sv, 8, "a DuckDB database", ""},
    {"\x89HDF\r\n"sv, 0, "an HDF5 file", "read_hdf"},
    {"\x0E\x03\x13\x01"sv, 0, "an HDF4 file", ""},
    {"\xD0\xCF\x11\xE0"sv, 0, "an Excel workbook (.xls)", "read_excel"},
    {"\x09\x08"sv, 0, "an old Excel workbook (.xls)", "read_excel"},
    {"<stata_dta>"sv, 0, "a Stata file", "read_stata"},
    {"\x72\x01\x01\x00"sv, 0, "an old Stata file", "read_stata"},
    {"\x72\x02\x01\x00"sv, 0, "an old Stata file", "read_stata"},
    {"\x73\x02\x01\x00"sv, 0, "an old Stata file", "read_stata"},
    {"\xC2\xEA\x81\x60"sv, 12, "a SAS file", "read_sas"},
    {"HEADER RECORD*******"sv, 0, "a SAS transport file", "read_sas"},
    {"$FL2"sv, 0, "an SPSS file", "read_spss"},
    {"$FL3"sv, 0, "an SPSS file", "read_spss"},
    {"MATLAB 5.0 MAT-file"sv, 0, "a MATLAB file", ""},
    {"SQLite format 3"sv, 0, "an SQLite database", ""},
    {"PGDMP"sv, 0, "a dump of a PostgreSQL database", ""},
    {"CDF\x01"sv, 0, "a NetCDF file", ""},
    {"CDF\x02"sv, 0, "a NetCDF file", ""},
    {"\x80\x02"sv, 0, "a Python pickle", "read_pickle"},
    {"\x80\x03"sv, 0, "a Python pickle", "read_pickle"},
    {"\x80\x04"sv, 0, "a Python pickle", "read_pickle"},
    {"\x80\x05"sv, 0, "a Python pickle", "read_pickle"},
    {"%PDF"sv, 0, "a PDF document", ""},
    {"{\\rtf"sv, 0, "a text document (RTF)", ""},
    {"RDX2"sv, 0, "an R data file", "-r"},
    {"RDX3"sv, 0, "an R data file", "-r"},
    {"X\n\0\0"sv, 0, "an R data file (.rds)", "-r"},
    {"\x89PNG"sv, 0, "a picture (PNG)", ""},
    {"\xFF\xD8\xFF"sv, 0, "a picture (JPEG)", ""},
    {"GIF8"sv, 0, "a picture (GIF)", ""},
    {"version https://git-lfs"sv, 0, "a pointer of Git LFS to a file elsewhere", "-lfs"},
    {"SIMPLE  ="sv, 0, "a FITS file", ""},
    {"GGUF"sv, 0, "a language model (GGUF)", ""},
    {"WAVE"sv, 8, "a sound (WAV)", ""},
    {"DICM"sv, 128, "a medical picture (DICOM)", ""},
    // A file that is compressed once has been decompressed before its beginning is looked at.
    {"\x1F\x8B\x08"sv, 0, "compressed twice, with gzip inside", "-unpack"},
    {"BZh9"sv, 0, "compressed twice, with bzip2 inside", "-unpack"},
    {"\xFD\x37zXZ"sv, 0, "compressed twice, with xz inside", "-unpack"},
    {"\x28\xB5\x2F\xFD"sv, 0, "compressed twice, with zstd inside", "-unpack"},
    {"LZIP\x01"sv, 0, "an lzip file", "-unpack"},
    {"\x5D\0\0"sv, 0, "an lzma file", "-unpack"},
    {"\x78\x9C"sv, 0, "a zlib stream", "-unpack"},
    {"7z\xBC\xAF\x27\x1C"sv, 0, "a 7z archive", "-unpack"},
    {"Rar!"sv, 0, "a RAR archive", "-unpack"},
    {"\x04\x22\x4D\x18"sv, 0, "an lz4 file", "-unpack"},
    {"\xFFLZMA"sv, 0, "an lzma file", "-unpack"},
    {"\x1F\x9D"sv, 0, "a file of compress (.Z)", "-unpack"},
    {"ustar"sv, 257, "a tar archive", "-unpack"},
    {"<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel"sv, 0, "an Excel workbook (XML)",
     ""},
}};

// The beginnings of SQL, in small letters.
constexpr std::array<std::string_view, 12> statements{
    "-- mysql dump",     "-- mariadb dump", "-- postgresql database dump",
    "-- phpmyadmin sql", "-- dump",         "pragma foreign_keys",
    "begin transaction", "create table",    "create database",
    "insert into ",      "drop table ",     "copy public."};

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

// Marks of letters alone may be the name of a column: ORCID, name.
bool is_text_behind(std::string_view head, const ForeignFormat& format) {
  const std::string_view behind = head.substr(format.at + format.mark.size());
  if (format.mark == "ORC" || format.mark == "DUCK") {
    return head.find('\0') == std::string_view::npos;
  }
  return !behind.empty() && format.mark.size() <= 6 &&
         std::string_view(",;|\t").find(behind.front()) != std::string_view::npos;
}

// A line of dashes and bars below the names, "|---|:-:|" or "----+-----", or above them.
bool is_drawn_table(std::string_view text) {
  for (int line = 0; line < 2 && !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view drawn = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (drawn.find("--") != std::string_view::npos &&
        drawn.find_first_of("|+") != std::string_view::npos &&
        drawn.find_first_not_of("|+-: \t\r") == std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

void refuse_foreign_format(const std::string& file, std::string_view head) {
  for (const ForeignFormat& format : formats) {
    if (head.size() < format.at || head.substr(format.at, format.mark.size()) != format.mark ||
        is_text_behind(head, format)) {
      continue;
    }
    std::string advice = "save the table as CSV and read that";
    if (format.advice == "-unpack") {
      advice = "unpack it and name the file in it";
    } else if (format.advice == "-r") {
      advice = "write the table as CSV: in R, write.csv(readRDS(\"" + file +
               "\"), \"table.csv\", row.names=FALSE), or load() and write.csv()";
    } else if (format.advice == "-lfs") {
      advice = "fetch the file itself: git lfs pull";
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
  if (is_drawn_table(text)) {
    refuse("a table drawn with dashes, as Markdown and databases show one", "write it as CSV");
  }
  for (const std::string_view statement : statements) {
    if (begins_in_any_case(text, statement)) {
      refuse("SQL", "load it into its database and write the table as CSV");
    }
  }
  if (begins_in_any_case(text, "<table")) {
    refuse("a table in HTML",
           "write it as CSV: in Python, pandas.read_html(FILE)[0].to_csv(\"table.csv\", "
           "index=False)");
  }
  if (begins_in_any_case(text, "<!doctype html") || begins_in_any_case(text, "<html")) {
    refuse(
        "a web page (HTML)",
        "is it the page that offers the file, or one that says it is gone? A table in it is "
        "written as CSV by pandas.read_html(FILE)[0].to_csv(\"table.csv\", index=False) in Python");
  }
  if (begins_in_any_case(text, "<?xml")) refuse("XML", "save the table as CSV and read that");
  if (begins_in_any_case(text, "%%matrixmarket")) {
    refuse("a matrix of Matrix Market",
           "write it as .npy: in Python, numpy.save(\"table.npy\", "
           "scipy.io.mmread(FILE).toarray())");
  }
  if (begins_in_any_case(text, "@relation")) {
    throw InputError(file +
                     ": is an ARFF file, which is not read; keep the lines behind @data, or read "
                     "it as text with " +
                     option("format") + " csv and " + option("skip_lines"));
  }
}

}  // namespace tandem
