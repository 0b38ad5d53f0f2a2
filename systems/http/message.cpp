#include "systems/http/message.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"

namespace tandem::http {
namespace {

constexpr std::size_t most_segments = 16;
constexpr std::size_t most_query_values = 64;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view value_of(const std::vector<std::pair<std::string, std::string>>& pairs,
                          std::string_view key) {
  const auto found =
      std::find_if(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair.first == key; });
  return found == pairs.end() ? std::string_view{} : std::string_view(found->second);
}

}  // namespace

std::string_view Request::parameter(std::string_view name) const {
  return value_of(parameters, name);
}

std::string_view Request::query_value(std::string_view key) const { return value_of(query, key); }

Response error_response(int status, std::string_view message, int retry_after) {
  Response response;
  response.status = status;
  response.body = json_text(nlohmann::json{{"error", message}}) + "\n";
  if (retry_after > 0) response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  return response;
}

Response response_of_exception() {
  const auto plain = [](std::string_view name) { return std::string(name); };
  try {
    throw;
  } catch (const HttpError& error) {
    return error_response(error.status, error.spelled(plain), error.retry_after);
  } catch (const InputError& error) {
    return error_response(400, error.spelled(plain));
  } catch (const Error& error) {
    return error_response(500, error.spelled(plain));
  } catch (const std::bad_alloc&) {
    return error_response(503, "out of memory; send fewer rows at once", 1);
  } catch (const std::exception& error) {
    return error_response(500, std::string("internal error: ") + error.what());
  }
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
  }
}

bool percent_decode(std::string_view text, std::string& decoded) {
  decoded.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return false;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

bool split_target(std::string_view target, Request& request) {
  request.segments.clear();
  request.query.clear();
  if (target.empty() || target.front() != '/') return false;
  const auto question = target.find('?');
  std::string_view path =
      target.substr(1, question == std::string_view::npos ? question : question - 1);
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (request.segments.size() == most_segments) return false;
    std::string segment;
    if (!percent_decode(path.substr(0, slash), segment)) return false;
    request.segments.push_back(std::move(segment));
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  if (question == std::string_view::npos) return true;
  std::string_view query = target.substr(question + 1);
  while (!query.empty()) {
    const auto end = query.find('&');
    std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.empty()) continue;
    if (request.query.size() == most_query_values) return false;
    const auto equals = pair.find('=');
    std::string key;
    std::string value;
    if (!percent_decode(pair.substr(0, equals), key)) return false;
    if (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), value)) {
      return false;
    }
    request.query.emplace_back(std::move(key), std::move(value));
  }
  return true;
}

}  // namespace tandem::http
