#include "systems/http/client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
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
  asio::io_context io;
  asio::ip::tcp::socket socket{io};
  beast::flat_buffer buffer;

  void check(const boost::system::error_code& failure) const {
    if (failure) throw SystemError(endpoint.url() + ": " + failure.message());
  }
};

Client::Client(const Endpoint& endpoint) : implementation_(std::make_unique<Implementation>()) {
  implementation_->endpoint = endpoint;
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(endpoint.address, failure);
  implementation_->check(failure);
  implementation_->socket.connect({address, endpoint.port}, failure);
  implementation_->check(failure);
}

Client::~Client() = default;

Response Client::post(const std::string& path, const std::string& body) {
  beast::http::request<beast::http::string_body> request{beast::http::verb::post, path, 11};
  request.set(beast::http::field::host, implementation_->endpoint.address);
  request.set(beast::http::field::content_type, "application/json");
  request.body() = body;
  request.prepare_payload();
  boost::system::error_code failure;
  beast::http::write(implementation_->socket, request, failure);
  implementation_->check(failure);
  beast::http::response<beast::http::string_body> answer;
  beast::http::read(implementation_->socket, implementation_->buffer, answer, failure);
  implementation_->check(failure);
  Response response;
  response.status = static_cast<int>(answer.result_int());
  response.content_type = std::string(answer[beast::http::field::content_type]);
  response.body = std::move(answer.body());
  return response;
}

}  // namespace tandem::http
