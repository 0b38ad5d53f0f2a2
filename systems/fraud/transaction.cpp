#include "systems/fraud/transaction.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "systems/fraud/transaction_fields.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::fraud {
namespace {

constexpr Time minute = 60'000;
constexpr Time day = 24 * 60 * minute;
constexpr int greatest_offset = 14 * 60;

// Reads digits of a fixed count; false where one is none.
bool read_digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

void append_digits(std::string& text, std::int64_t value, std::size_t count) {
  std::string digits = std::to_string(value);
  if (digits.size() < count) digits.insert(0, count - digits.size(), '0');
  text += digits;
}

// Whether the bytes are UTF-8 as RFC 3629 has it, without control characters.
bool is_plain_text(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    if (byte < 0xC2 || byte > 0xF4 || i + more >= text.size()) return false;
    std::uint32_t code = byte & (0x3FU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80U) return false;
      code = (code << 6) | (next & 0x3FU);
    }
    if (more == 2 && (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF))) return false;
    if (more == 3 && (code < 0x10000 || code > 0x10FFFF)) return false;
    if (code < 0xA0) return false;  // the second set of control characters
    i += more + 1;
  }
  return true;
}

std::string identifier(std::string_view text) {
  if (text.empty() || text.size() > longest_identifier || !is_plain_text(text)) {
    throw InputError("expected a text of 1 to " + std::to_string(longest_identifier) +
                     " bytes of UTF-8 without control characters");
  }
  return std::string(text);
}

// In its shortest form; an IPv4 address written as IPv6 is the IPv4 address.
std::string address(std::string_view text) {
  const std::string copy(text);
  std::array<char, INET6_ADDRSTRLEN> written;
  in_addr four;
  if (copy.size() == std::strlen(copy.c_str())) {
    if (inet_pton(AF_INET, copy.c_str(), &four) == 1) {
      inet_ntop(AF_INET, &four, written.data(), written.size());
      return written.data();
    }
    in6_addr six;
    if (inet_pton(AF_INET6, copy.c_str(), &six) == 1) {
      if (IN6_IS_ADDR_V4MAPPED(&six)) {
        std::memcpy(&four, &six.s6_addr[12], 4);
        inet_ntop(AF_INET, &four, written.data(), written.size());
      } else {
        inet_ntop(AF_INET6, &six, written.data(), written.size());
      }
      return written.data();
    }
  }
  throw InputError("expected an IPv4 or IPv6 address, such as 192.0.2.7 or 2001:db8::7");
}

double in_range(double value, double lowest, double highest, std::string_view what) {
  if (!(value >= lowest && value <= highest)) {
    throw InputError("expected " + std::string(what));
  }
  return value + 0.0;  // no negative zero
}

double latitude(double value) { return in_range(value, -90, 90, "a latitude from -90 to 90"); }
double longitude(double value) {
  return in_range(value, -180, 180, "a longitude from -180 to 180");
}

void set_amount(Transaction& to, double value) {
  to.amount = in_range(value, 0, greatest_amount, "an amount from 0 to 1e12");
}

double number_of(std::string_view text) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    throw InputError("expected a number");
  }
  return value;
}

// The members that are texts, in JSON and in CSV.
void set_text(Transaction& to, Field field, std::string_view text) {
  switch (field) {
    case Field::transaction_id: to.id = identifier(text); break;
    case Field::user_id: to.user = identifier(text); break;
    case Field::currency:
      if (text.size() != 3 ||
          !std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
        throw InputError("expected the three capital letters of a currency, such as EUR");
      }
      to.currency = text;
      break;
    case Field::transaction_type: {
      const auto& names = enum_names<TransactionType>;
      const auto at = std::find(names.begin(), names.end(), text);
      if (at == names.end()) {
        throw InputError("expected purchase, withdrawal, transfer or payment");
      }
      to.type = static_cast<TransactionType>(at - names.begin());
      break;
    }
    case Field::merchant_id: to.merchant = identifier(text); break;
    case Field::timestamp: to.time = parse_timestamp(text, to.offset_minutes); break;
    case Field::card_last_four: {
      int digits = 0;
      if (text.size() != 4 || !read_digits(text, 0, 4, digits)) {
        throw InputError("expected four digits, as a text");
      }
      to.card_last_four = text;
      break;
    }
    case Field::card_token: to.card_token = identifier(text); break;
    case Field::ip_address: to.ip = address(text); break;
    case Field::device_id: to.device = identifier(text); break;
    default: break;
  }
}

bool optional(Field field) {
  return field == Field::merchant_id || field == Field::card_token || field == Field::device_id;
}

std::string known_members() {
  std::string text;
  for (std::size_t i = 0; i < json_fields; ++i) {
    text += (i == 0 ? "" : ", ") + std::string(field_names[i]);
  }
  return text;
}

void set_json(Transaction& to, Field field, const nlohmann::json& value) {
  if (field == Field::amount) {
    if (!value.is_number()) throw InputError("expected a number");
    set_amount(to, value.get<double>());
  } else if (field == Field::location) {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number()) {
      throw InputError("expected [latitude, longitude], two numbers");
    }
    to.location = Location{latitude(value[0].get<double>()), longitude(value[1].get<double>())};
  } else {
    if (!value.is_string()) throw InputError("expected a text");
    set_text(to, field, value.get_ref<const std::string&>());
  }
}

void append_text(std::string& json, std::string_view name, std::string_view text) {
  json += json.size() == 1 ? "\"" : ",\"";
  json += name;
  json += "\":\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  json += '"';
}

}  // namespace

Time parse_timestamp(std::string_view text, int& offset_minutes) {
  const auto fail = [] {
    throw InputError(
        "expected a time such as 2026-01-31T12:00:00.000+01:00, from 1970 to 2100, with its offset "
        "from UTC");
  };
  int year = 0;
  int month = 0;
  int of_month = 0;
  int hour = 0;
  int minutes = 0;
  int second = 0;
  if (!read_digits(text, 0, 4, year) || !read_digits(text, 5, 2, month) ||
      !read_digits(text, 8, 2, of_month) || !read_digits(text, 11, 2, hour) ||
      !read_digits(text, 14, 2, minutes) || !read_digits(text, 17, 2, second) || text[4] != '-' ||
      text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':') {
    fail();
  }
  std::size_t at = 19;
  int milliseconds = 0;
  if (at < text.size() && text[at] == '.') {
    std::size_t digits = 0;
    int scale = 100;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      milliseconds += scale * (text[at] - '0');
      scale /= 10;
    }
    if (digits == 0 || digits > 3) fail();
  }
  int offset = 0;
  if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    // UTC.
  } else {
    int hours = 0;
    int rest = 0;
    if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') ||
        !read_digits(text, at + 1, 2, hours) || text[at + 3] != ':' ||
        !read_digits(text, at + 4, 2, rest) || rest > 59) {
      fail();
    }
    offset = (hours * 60 + rest) * (text[at] == '-' ? -1 : 1);
  }
  const std::chrono::year_month_day date(std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(of_month)));
  if (year < 1970 || year > 2100 || !date.ok() || hour > 23 || minutes > 59 || second > 60 ||
      std::abs(offset) > greatest_offset) {
    fail();
  }
  const Time days = std::chrono::sys_days(date).time_since_epoch().count();
  const Time time = days * day + (hour * 60 + minutes - offset) * minute +
                    std::min(second, 59) * Time{1000} + milliseconds;
  if (time < 0) fail();
  offset_minutes = offset;
  return time;
}

std::string timestamp_text(Time time, int offset_minutes) {
  const Time local = time + offset_minutes * minute;
  const Time days = local >= 0 ? local / day : -((day - 1 - local) / day);
  const Time of_day = local - days * day;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(days))};
  std::string text;
  append_digits(text, static_cast<int>(date.year()), 4);
  text += '-';
  append_digits(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  append_digits(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  append_digits(text, of_day / (60 * minute), 2);
  text += ':';
  append_digits(text, of_day / minute % 60, 2);
  text += ':';
  append_digits(text, of_day / 1000 % 60, 2);
  text += '.';
  append_digits(text, of_day % 1000, 3);
  text += offset_minutes < 0 ? '-' : '+';
  append_digits(text, std::abs(offset_minutes) / 60, 2);
  text += ':';
  append_digits(text, std::abs(offset_minutes) % 60, 2);
  return text;
}

Transaction parse_transaction(const nlohmann::json& json) {
  if (!json.is_object()) throw InputError("expected a transaction, a JSON object");
  Transaction transaction;
  std::array<bool, json_fields> there{};
  for (const auto& [name, value] : json.items()) {
    const auto end = field_names.begin() + json_fields;
    const auto at = std::find(field_names.begin(), end, name);
    if (at == end) {
      const std::string shown = is_plain_text(name) && name.size() <= longest_identifier
                                    ? "'" + name + "'"
                                    : "of an unreadable name";
      throw InputError("unknown member " + shown + "; a transaction has " + known_members());
    }
    const auto field = static_cast<Field>(at - field_names.begin());
    const auto index = static_cast<std::size_t>(field);
    if (value.is_null() && (optional(field) || field == Field::location)) continue;
    try {
      set_json(transaction, field, value);
    } catch (const InputError& error) {
      throw InputError(name + ": " + error.what());
    }
    there[index] = true;
  }
  for (std::size_t i = 0; i < json_fields; ++i) {
    const auto field = static_cast<Field>(i);
    if (!there[i] && !optional(field) && field != Field::location) {
      throw InputError("expected a member " + std::string(field_names[i]) + "; a transaction has " +
                       known_members());
    }
  }
  return transaction;
}

std::string canonical(const Transaction& transaction) {
  const auto name = [](Field field) { return field_names[static_cast<std::size_t>(field)]; };
  std::string json = "{";
  append_text(json, name(Field::transaction_id), transaction.id);
  append_text(json, name(Field::user_id), transaction.user);
  json += ",\"amount\":";
  append_shortest(json, transaction.amount);
  append_text(json, name(Field::currency), transaction.currency);
  append_text(json, name(Field::transaction_type), to_string(transaction.type));
  if (!transaction.merchant.empty()) {
    append_text(json, name(Field::merchant_id), transaction.merchant);
  }
  if (transaction.location) {
    json += ",\"location\":[";
    append_shortest(json, transaction.location->latitude);
    json += ',';
    append_shortest(json, transaction.location->longitude);
    json += ']';
  }
  append_text(json, name(Field::timestamp),
              timestamp_text(transaction.time, transaction.offset_minutes));
  append_text(json, name(Field::card_last_four), transaction.card_last_four);
  if (!transaction.card_token.empty()) {
    append_text(json, name(Field::card_token), transaction.card_token);
  }
  append_text(json, name(Field::ip_address), transaction.ip);
  if (!transaction.device.empty()) append_text(json, name(Field::device_id), transaction.device);
  json += '}';
  return json;
}

// --- CSV -------------------------------------------------------------------------------------

TransactionReader::TransactionReader(std::istream& in, std::string name)
    : in_(in), name_(std::move(name)), column_of_(field_names.size(), -1) {
  if (!read_record()) {
    throw InputError(name_ + ": is empty; expected a header such as " + csv_header());
  }
  header_ = cells_;
  for (std::size_t i = 0; i < header_.size(); ++i) {
    const auto at = std::find(field_names.begin(), field_names.end(), header_[i]);
    const auto field = static_cast<std::size_t>(at - field_names.begin());
    if (at == field_names.end() || static_cast<Field>(field) == Field::location) {
      fail(i, "is not known; expected columns of the header " + csv_header());
    }
    if (column_of_[field] >= 0) fail(i, "stands in the header twice");
    column_of_[field] = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    const auto field = static_cast<Field>(i);
    if (column_of_[i] < 0 && !optional(field) && i < json_fields && field != Field::location) {
      throw InputError(name_ + ": has no column " + std::string(field_names[i]) +
                       "; expected the header " + csv_header());
    }
  }
  const auto column = [&](Field field) { return column_of_[static_cast<std::size_t>(field)]; };
  if ((column(Field::latitude) < 0) != (column(Field::longitude) < 0)) {
    throw InputError(name_ + ": has one of the columns latitude and longitude; expected both");
  }
}

void TransactionReader::fail(std::size_t column, const std::string& what) const {
  std::string name = column < header_.size() ? header_[column] : std::to_string(column + 1);
  if (!is_plain_text(name) || name.size() > longest_identifier) name = std::to_string(column + 1);
  throw InputError(name_ + ": row " + std::to_string(row_) + ", column " + name + ": " + what);
}

// A record into cells_; false at the end of the file.
bool TransactionReader::read_record() {
  constexpr std::size_t longest = 64 << 10;
  cells_.clear();
  std::streambuf& from = *in_.rdbuf();
  constexpr int none = std::char_traits<char>::eof();
  int c = from.sbumpc();
  if (c == none) {
    if (in_.bad()) throw SystemError(name_ + ": cannot be read");
    return false;
  }
  ++row_;
  std::size_t length = 0;
  cells_.emplace_back();
  bool quoted = false;
  for (;; c = from.sbumpc()) {
    if (++length > longest) {
      throw InputError(name_ + ": row " + std::to_string(row_) + ": is longer than " +
                       std::to_string(longest) + " bytes; is a quote not closed?");
    }
    if (quoted) {
      if (c == none) fail(cells_.size() - 1, "the quote is not closed at the end of the file");
      if (c != '"') {
        cells_.back() += static_cast<char>(c);
      } else if (from.sgetc() == '"') {
        cells_.back() += '"';
        from.sbumpc();
      } else {
        quoted = false;
        const int next = from.sgetc();
        if (next != ',' && next != '\n' && next != '\r' && next != none) {
          fail(cells_.size() - 1, "text follows a closing quote");
        }
      }
      continue;
    }
    if (c == none || c == '\n') return true;
    if (c == '\r' && (from.sgetc() == '\n' || from.sgetc() == none)) continue;
    if (c == ',') {
      cells_.emplace_back();
    } else if (c == '"') {
      if (!cells_.back().empty()) fail(cells_.size() - 1, "a quote stands within a text");
      quoted = true;
    } else {
      cells_.back() += static_cast<char>(c);
    }
  }
}

bool TransactionReader::next(TransactionRow& row) {
  if (!read_record()) return false;
  if (cells_.size() != header_.size()) {
    throw InputError(name_ + ": row " + std::to_string(row_) + " has " +
                     std::to_string(cells_.size()) + " columns, and the header " +
                     std::to_string(header_.size()));
  }
  row = {};
  const auto column = [&](Field field) { return column_of_[static_cast<std::size_t>(field)]; };
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    if (column_of_[i] < 0) continue;
    const auto field = static_cast<Field>(i);
    const auto at = static_cast<std::size_t>(column_of_[i]);
    const std::string& cell = cells_[at];
    try {
      switch (field) {
        case Field::amount: set_amount(row.transaction, number_of(cell)); break;
        case Field::latitude:
          if (!cell.empty()) {
            if (!row.transaction.location) row.transaction.location.emplace();
            row.transaction.location->latitude = latitude(number_of(cell));
          }
          break;
        case Field::longitude: {
          const auto other = static_cast<std::size_t>(column(Field::latitude));
          if (cell.empty() != cells_[other].empty()) {
            throw InputError("expected latitude and longitude, or neither");
          }
          if (!cell.empty()) row.transaction.location->longitude = longitude(number_of(cell));
          break;
        }
        case Field::is_fraud:
          if (cell.empty()) break;
          if (cell != "0" && cell != "1") throw InputError("expected 0, 1 or nothing");
          row.truth.fraud = cell == "1";
          break;
        case Field::label_timestamp: {
          int offset = 0;
          if (!cell.empty()) row.truth.known_at = parse_timestamp(cell, offset);
          break;
        }
        case Field::scenario:
          if (!cell.empty()) row.truth.scenario = identifier(cell);
          break;
        default:
          if (cell.empty() && optional(field)) break;
          set_text(row.transaction, field, cell);
          break;
      }
    } catch (const InputError& error) {
      fail(at, error.what());
    }
  }
  if (row.truth.known_at && *row.truth.known_at < row.transaction.time) {
    fail(static_cast<std::size_t>(column(Field::label_timestamp)),
         "the label is from before the transaction");
  }
  return true;
}

namespace {

// As a cell: in quotes where it needs them.
void append_cell(std::string& text, std::string_view cell) {
  if (cell.find_first_of(",\"") == std::string_view::npos) {
    text += cell;
    return;
  }
  text += '"';
  for (const char c : cell) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

}  // namespace

std::string csv_header() {
  std::string text;
  for (std::size_t i = 0; i < field_names.size(); ++i) {
    if (static_cast<Field>(i) == Field::location) continue;
    text += (text.empty() ? "" : ",") + std::string(field_names[i]);
  }
  return text + "\n";
}

void append_csv(std::string& text, const TransactionRow& row) {
  const Transaction& from = row.transaction;
  append_cell(text, from.id);
  text += ',';
  append_cell(text, from.user);
  text += ',';
  append_shortest(text, from.amount);
  text += ',' + from.currency + ',' + std::string(to_string(from.type)) + ',';
  append_cell(text, from.merchant);
  text += ',' + timestamp_text(from.time, from.offset_minutes) + ',' + from.card_last_four + ',';
  append_cell(text, from.card_token);
  text += ',' + from.ip + ',';
  append_cell(text, from.device);
  text += ',';
  if (from.location) append_shortest(text, from.location->latitude);
  text += ',';
  if (from.location) append_shortest(text, from.location->longitude);
  text += ',';
  if (row.truth.fraud) text += *row.truth.fraud ? '1' : '0';
  text += ',';
  if (row.truth.known_at) text += timestamp_text(*row.truth.known_at, 0);
  text += ',';
  append_cell(text, row.truth.scenario);
  text += '\n';
}

}  // namespace tandem::fraud
