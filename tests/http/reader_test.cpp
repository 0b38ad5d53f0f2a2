// Requests read from bytes: whole, in pieces, one after the other, broken, too large.
#include "systems/http/reader.hpp"

#include <gmock/gmock.h>
#include <zlib.h>

#include <string>
#include <vector>

namespace tandem::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Feeds pieces of `step` bytes, as a connection does: what was not taken is given again.
std::string feed(RequestReader& reader, const std::string& bytes, std::size_t step) {
  std::string waiting;
  std::size_t at = 0;
  while (!reader.complete() && !reader.refusal()) {
    const std::size_t taken = reader.feed(waiting);
    waiting.erase(0, taken);
    if (taken > 0) continue;
    if (at == bytes.size()) break;
    waiting += bytes.substr(at, step);
    at = std::min(bytes.size(), at + step);
  }
  return waiting + bytes.substr(std::min(at, bytes.size()));
}

const std::string post =
    "POST /v2/models/a%20b/infer?explain=1&x=%26 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    "Authorization: Bearer abc\r\n\r\nhello";

TEST(RequestReader, TakesARequestInPiecesOfAnySize) {
  for (std::size_t step = 1; step <= post.size(); ++step) {
    RequestReader reader({});
    feed(reader, post, step);
    ASSERT_TRUE(reader.complete()) << step;
    Request request;
    ASSERT_TRUE(reader.take(request));
    EXPECT_EQ(request.method, "POST");
    EXPECT_THAT(request.segments, ElementsAre("v2", "models", "a b", "infer"));
    EXPECT_THAT(request.query, ElementsAre(Pair("explain", "1"), Pair("x", "&")));
    EXPECT_EQ(request.header("authorization"), "Bearer abc");
    EXPECT_EQ(request.header("nothing"), "");
    EXPECT_EQ(request.body, "hello");
  }
}

// Boost.Beast looks at a trailer again with each byte, and takes for certain what it saw before.
TEST(RequestReader, RefusesATrailerWithoutEndInPiecesOfAnySize) {
  const std::string request =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nabc\r\n0\riii5\r\nA";
  for (std::size_t step = 1; step <= request.size(); ++step) {
    RequestReader reader({});
    feed(reader, request, step);
    EXPECT_FALSE(reader.complete()) << step;
    if (reader.refusal()) {
      EXPECT_EQ(reader.refusal()->status, 400) << step;
    }
  }
}

TEST(RequestReader, StopsAfterTheHeadOnce) {
  RequestReader reader({});
  const std::size_t head = post.size() - 5;
  EXPECT_EQ(reader.feed(post), head);
  EXPECT_TRUE(reader.head_done());
  EXPECT_FALSE(reader.complete());
  EXPECT_TRUE(reader.has_body());
  EXPECT_EQ(reader.feed(post.substr(head)), 5U);
  EXPECT_TRUE(reader.complete());
}

TEST(RequestReader, LeavesTheNextRequestInPlace) {
  RequestReader reader({});
  const std::string left = feed(reader, post + post, 1000);
  EXPECT_EQ(left, post);
  Request request;
  ASSERT_TRUE(reader.take(request));
  reader.reset();
  EXPECT_EQ(feed(reader, left, 7), "");
  ASSERT_TRUE(reader.complete());
  ASSERT_TRUE(reader.take(request));
  EXPECT_EQ(request.body, "hello");
}

TEST(RequestReader, TakesChunks) {
  RequestReader reader({});
  feed(
      reader,
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n",
      4);
  ASSERT_TRUE(reader.complete());
  Request request;
  ASSERT_TRUE(reader.take(request));
  EXPECT_EQ(request.body, "abcdefg");
}

// RFC 9112, 3.2.2: what is meant for a proxy is taken by a server too, whatever its Host says.
TEST(RequestReader, TakesWholeUrisAsTheTarget) {
  const auto read = [](const std::string& target, Request& request, const std::string& more = {}) {
    for (std::size_t step : {1U, 7U, 1000U}) {
      RequestReader reader({});
      feed(reader, "GET " + target + " HTTP/1.1\r\n" + more + "\r\n", step);
      if (reader.refusal() || !reader.complete() || !reader.take(request)) return false;
    }
    return true;
  };
  Request request;
  for (const std::string host :
       {"example", "EXAMPLE.org:8080", "127.0.0.1:80", "[::1]:8000", "[::1]", "a%20b", "x:"}) {
    for (const std::string scheme : {"http", "HTTP", "https"}) {
      const std::string before = scheme + "://" + host;
      ASSERT_TRUE(read(before + "/v2/models/a%20b?explain=1&x=%26", request)) << before;
      EXPECT_THAT(request.segments, ElementsAre("v2", "models", "a b"));
      EXPECT_THAT(request.query, ElementsAre(Pair("explain", "1"), Pair("x", "&")));
      ASSERT_TRUE(read(before, request)) << before;
      EXPECT_TRUE(request.segments.empty());
      ASSERT_TRUE(read(before + "?u=http://other/", request)) << before;
      EXPECT_THAT(request.query, ElementsAre(Pair("u", "http://other/")));
      // Its Host is not looked at, as the target has one; two of them are never right.
      EXPECT_TRUE(read(before + "/", request, "Host: another\r\n"));
      EXPECT_TRUE(read(before + "/", request, "Host: no host\r\n"));
      EXPECT_FALSE(read(before + "/", request, "Host: a\r\nHost: a\r\n"));
    }
  }
  // A path may have what looks like a URI in it.
  ASSERT_TRUE(read("/a/http://b/c", request));
  EXPECT_THAT(request.segments, ElementsAre("a", "http:", "", "b", "c"));
  for (const std::string target :
       {"http://",     "http:///path",    "http://?x",    "http://:80/",  "http://user@host/",
        "http://a:b/", "http://a:80:80/", "http://[::1/", "http://[]/",   "http://[::1]x/",
        "http://a%2/", "http://a%zz/",    "http://a\\b/", "http://a#b",   "ftp://a/",
        "http:/a/b",   "http//a",         "://a/",        "http://a/%zz", "http://a/%00",
        "*",           "host:80"}) {
    EXPECT_FALSE(read(target, request)) << target;
  }
}

TEST(RequestReader, RefusesWhatIsNoHost) {
  const auto status = [](const std::string& headers) {
    RequestReader reader({});
    feed(reader, "GET / HTTP/1.1\r\n" + headers + "\r\n", 1000);
    return reader.refusal() ? reader.refusal()->status : 200;
  };
  for (const std::string host : {"a", "a.b-c:80", "[::1]:80", "127.0.0.1", ""}) {
    EXPECT_EQ(status("Host: " + host + "\r\n"), 200) << host;
  }
  for (const std::string host : {"a b", "a/b", "user@a", "a:x", "http://a", "a,b:80:80", "a?"}) {
    EXPECT_EQ(status("Host: " + host + "\r\n"), 400) << host;
  }
  EXPECT_EQ(status("Host: a\r\nHost: b\r\n"), 400);
  EXPECT_EQ(status("Host: a\r\nX: y\r\nhost: a\r\n"), 400);
}

TEST(RequestReader, RefusesWhatIsNoRequest) {
  for (const std::string bytes :
       {"\x16\x03\x01\x02\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET relative HTTP/1.1\r\n\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n", "GET /%00 HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n"}) {
    RequestReader reader({});
    feed(reader, bytes, 1000);
    ASSERT_TRUE(reader.refusal()) << bytes;
    EXPECT_THAT(reader.refusal()->status, ::testing::AnyOf(400, 505)) << bytes;
  }
}

TEST(RequestReader, KeepsToItsLimits) {
  ReadLimits limits;
  limits.head = 200;
  limits.body = 10;
  RequestReader head(limits);
  feed(head, "GET / HTTP/1.1\r\nX: " + std::string(300, 'x'), 50);
  ASSERT_TRUE(head.refusal());
  EXPECT_EQ(head.refusal()->status, 431);
  // Announced, and not announced.
  RequestReader announced(limits);
  feed(announced, "POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", 1000);
  ASSERT_TRUE(announced.refusal());
  EXPECT_EQ(announced.refusal()->status, 413);
  RequestReader chunked(limits);
  feed(chunked, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n", 1000);
  ASSERT_TRUE(chunked.refusal());
  EXPECT_EQ(chunked.refusal()->status, 413);
  EXPECT_THAT(chunked.refusal()->message, HasSubstr("10 bytes"));
}

std::string compressed(const std::string& text) {
  std::vector<Bytef> bytes(compressBound(text.size()));
  uLongf size = bytes.size();
  EXPECT_EQ(compress(bytes.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()),
            Z_OK);
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

TEST(RequestReader, DecompressesWithinItsLimit) {
  const std::string text(5000, 'a');
  const std::string small = compressed(text);
  EXPECT_EQ(decompress(small, 5000), text);
  EXPECT_THROW((void)decompress(small, 4999), HttpError);
  EXPECT_THROW((void)decompress(small.substr(0, small.size() - 1), 5000), HttpError);
  EXPECT_THROW((void)decompress(small + "x", 5000), HttpError);
  EXPECT_THROW((void)decompress("nonsense", 5000), HttpError);
  ReadLimits limits;
  limits.body = 1000;
  RequestReader reader(limits);
  feed(reader,
       "POST / HTTP/1.1\r\nContent-Encoding: deflate\r\nContent-Length: " +
           std::to_string(small.size()) + "\r\n\r\n" + small,
       1000);
  ASSERT_TRUE(reader.complete());
  Request request;
  EXPECT_FALSE(reader.take(request));
  EXPECT_EQ(reader.refusal()->status, 413);
}

}  // namespace
}  // namespace tandem::http
