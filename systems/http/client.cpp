#include "systems/http/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace tandem::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

}  // namespace

struct Client::Implementation {
  Endpoint endpoint;
  ClientOptions options;
  asio::io_context io;
  beast::tcp_stream stream{io};
  beast::flat_buffer buffer;

  void check(const boost::system::error_code& failure) const {
    if (!failure) return;
    throw SystemError(
        endpoint.url() + ": " +
        (failure == beast::error::timeout ? "no answer came in time" : failure.message()));
  }
  // Runs what was begun to its end, which its time limits.
  void finish(const boost::system::error_code& failure) {
    io.restart();
    io.run();
    check(failure);
  }
};

Client::Client(const Endpoint& endpoint, const ClientOptions& options)
    : implementation_(std::make_unique<Implementation>()) {
  Implementation& inside = *implementation_;
  inside.endpoint = endpoint;
  inside.options = options;
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(endpoint.address, failure);
  inside.check(failure);
  inside.stream.expires_after(options.connect);
  inside.stream.async_connect(asio::ip::tcp::endpoint(address, endpoint.port),
                              [&](const boost::system::error_code& code) { failure = code; });
  inside.finish(failure);
  inside.stream.socket().set_option(asio::ip::tcp::no_delay(true), failure);
}

Client::~Client() = default;

Response Client::ask(const std::string& method, const std::string& path, const std::string& body,
                     const std::vector<std::pair<std::string, std::string>>& headers) {
  Implementation& inside = *implementation_;
  beast::http::request<beast::http::string_body> request{beast::http::string_to_verb(method), path,
                                                         11};
  request.set(beast::http::field::host, inside.endpoint.address);
  if (!body.empty()) request.set(beast::http::field::content_type, "application/json");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  boost::system::error_code failure;
  inside.stream.expires_after(inside.options.answer);
  beast::http::async_write(
      inside.stream, request,
      [&](const boost::system::error_code& code, std::size_t) { failure = code; });
  inside.finish(failure);
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(inside.options.longest_body);
  beast::http::async_read(
      inside.stream, inside.buffer, parser,
      [&](const boost::system::error_code& code, std::size_t) { failure = code; });
  inside.finish(failure);
  auto answer = parser.release();
  Response response;
  response.status = static_cast<int>(answer.result_int());
  response.content_type = std::string(answer[beast::http::field::content_type]);
  for (const auto& field : answer) {
    response.headers.emplace_back(field.name_string(), field.value());
  }
  response.body = std::move(answer.body());
  return response;
}

std::string header_of(const Response& response, std::string_view name) {
  for (const auto& [found, value] : response.headers) {
    if (beast::iequals({found.data(), found.size()}, {name.data(), name.size()})) return value;
  }
  return {};
}

}  // namespace tandem::http
