#include "systems/http/reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>

#include "systems/http/parser_assertion.hpp"
#include "systems/http/target.hpp"

namespace tandem::http {
namespace {

namespace beast = boost::beast;

// A body in a string that grows as bytes come: what a client announces takes no memory.
struct GrowingBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(beast::http::header<is_request, Fields>& /*head*/, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& length, beast::error_code& error) {
      constexpr std::uint64_t at_once = 1 << 16;
      if (length) body_.reserve(static_cast<std::size_t>(std::min(*length, at_once)));
      error = {};
    }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, beast::error_code& error) {
      std::size_t taken = 0;
      for (const auto buffer : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        taken += buffer.size();
      }
      error = {};
      return taken;
    }
    void finish(beast::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

using BeastParser = beast::http::request_parser<GrowingBody>;
using Fields = beast::http::fields;

class Head final : public RequestHead {
 public:
  explicit Head(Fields fields) : fields_(std::move(fields)) {}
  [[nodiscard]] std::string_view header(std::string_view name) const override {
    const auto found = fields_.find(beast::string_view(name.data(), name.size()));
    if (found == fields_.end()) return {};
    return {found->value().data(), found->value().size()};
  }

 private:
  Fields fields_;
};

std::string_view view_of(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct RequestReader::Parser {
  std::optional<BeastParser> beast;
};

RequestReader::RequestReader(const ReadLimits& limits)
    : limits_(limits), parser_(std::make_unique<Parser>()) {
  reset();
}

RequestReader::~RequestReader() = default;

void RequestReader::reset() {
  parser_->beast.emplace();
  parser_->beast->header_limit(static_cast<std::uint32_t>(limits_.head));
  parser_->beast->body_limit(limits_.body);
  request_ = {};
  refusal_.reset();
  head_read_ = false;
}

void RequestReader::refuse(int status, std::string message) {
  if (!refusal_) refusal_ = Refusal{status, std::move(message)};
}

std::size_t RequestReader::feed(std::string_view bytes) {
  if (refusal_ || complete()) return 0;
  beast::error_code error;
  std::size_t taken = 0;
  while (taken < bytes.size() && !complete()) {
    const std::string_view rest = bytes.substr(taken);
    std::size_t now = 0;
    try {
      now = parser_->beast->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    } catch (const ParserAssertion&) {
      refuse(400, "the request is not HTTP/1.1: its parts contradict each other");
      return taken;
    }
    taken += now;
    if (parser_->beast->is_header_done() && !head_read_) {
      read_head();
      if (error == beast::http::error::need_more) error = {};
      if (!error) return taken;
    }
    if (error == beast::http::error::need_more) return taken;
    if (error) break;
    if (now == 0) break;
  }
  if (!error) return taken;
  if (error == beast::http::error::header_limit) {
    refuse(431, "the head of a request may have " + std::to_string(limits_.head) + " bytes");
  } else if (error == beast::http::error::body_limit) {
    refuse(413, "the body of a request may have " + std::to_string(limits_.body) +
                    " bytes; send fewer rows at once");
  } else if (error == beast::http::error::bad_version) {
    refuse(505, "expected HTTP/1.1");
  } else {
    refuse(400, "the request is not HTTP/1.1: " + error.message());
  }
  return taken;
}

void RequestReader::read_head() {
  head_read_ = true;
  auto& message = parser_->beast->get();
  request_.method = std::string(view_of(message.method_string()));
  request_.target = std::string(view_of(message.target()));
  if (!split_request_target(request_.target, request_)) {
    refuse(400,
           "expected an absolute path, or a URI of http or https with a host, with whole %-escapes "
           "as the target");
  }
  if (message.version() != 11 && message.version() != 10) refuse(505, "expected HTTP/1.1");
  // RFC 9112, 6.1 and 6.3: what is coded in another way, or in a way that older servers on the way
  // do not know, has no end that all agree on, and what one takes for its body another takes for
  // the next request.
  const auto codings = message.equal_range(beast::http::field::transfer_encoding);
  for (auto coding = codings.first; coding != codings.second; ++coding) {
    const bool chunked = beast::iequals(coding->value(), "chunked") && message.version() == 11;
    if (!chunked || std::next(codings.first) != codings.second) {
      refuse(400, "Transfer-Encoding: expected chunked, once, in HTTP/1.1");
      break;
    }
  }
  // RFC 9112, 3.2: of two hosts a server on the way may have read the other. Which one it is
  // decides nothing here; where the target is a whole URI its own is to be ignored altogether.
  const auto hosts = message.equal_range(beast::http::field::host);
  if (hosts.first != hosts.second) {
    const std::string_view host = view_of(hosts.first->value());
    const bool counts = request_.target.starts_with('/');
    if (std::next(hosts.first) != hosts.second ||
        (counts && !host.empty() && !is_authority(host))) {
      refuse(400, "Host: expected one, as HOST or HOST:PORT");
    }
  }
  request_.trace = continue_trace(view_of(message["traceparent"]));
}

bool RequestReader::head_done() const { return head_read_; }
bool RequestReader::complete() const { return parser_->beast->is_done(); }
std::string_view RequestReader::header(std::string_view name) const {
  const auto& fields = parser_->beast->get().base();
  const auto found = fields.find(beast::string_view(name.data(), name.size()));
  if (found == fields.end()) return {};
  return view_of(found->value());
}

bool RequestReader::keep_alive() const { return parser_->beast->keep_alive(); }

bool RequestReader::expects_continue() const {
  return beast::iequals(parser_->beast->get()[beast::http::field::expect], "100-continue");
}

bool RequestReader::has_body() const {
  const auto length = parser_->beast->content_length();
  return parser_->beast->chunked() || (length && *length > 0);
}

std::size_t RequestReader::body_bytes() const { return parser_->beast->get().body().size(); }

bool RequestReader::take(Request& request) {
  auto message = parser_->beast->release();
  request_.body = std::move(message.body());
  const std::string_view encoding = view_of(message[beast::http::field::content_encoding]);
  try {
    if (encoding == "gzip" || encoding == "deflate" || encoding == "x-gzip") {
      request_.body = decompress(request_.body, limits_.body);
    } else if (!encoding.empty() && encoding != "identity") {
      throw HttpError(415, "Content-Encoding may be gzip or deflate");
    }
  } catch (const HttpError& error) {
    refuse(error.status, error.what());
    return false;
  }
  request_.head = std::make_unique<Head>(std::move(message.base()));
  request = std::move(request_);
  return true;
}

std::string decompress(std::string_view compressed, std::size_t limit) {
  z_stream stream{};
  // 32: the kind of header, gzip's or zlib's, is recognised.
  if (inflateInit2(&stream, MAX_WBITS + 32) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, void (*)(z_stream*)> ends(
      &stream, [](z_stream* s) { (void)inflateEnd(s); });
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string plain;
  std::array<char, 1 << 14> piece;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    plain.append(piece.data(), piece.size() - stream.avail_out);
    if (plain.size() > limit) {
      throw HttpError(413, "the decompressed body of a request may have " + std::to_string(limit) +
                               " bytes; send fewer rows at once");
    }
    if (status == Z_STREAM_END) {
      if (stream.avail_in > 0) throw HttpError(400, "bytes follow the compressed body");
      return plain;
    }
    if (status != Z_OK) throw HttpError(400, "the body is not what its Content-Encoding says");
  }
}

}  // namespace tandem::http
