#include "systems/http/tokens.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "core/file.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::http {
namespace {

constexpr std::size_t shortest_token = 16;
constexpr std::size_t longest_token = 512;

// RFC 6750: b64token.
bool is_token_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const auto end = line.find_first_of(" \t\r");
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

}  // namespace

std::string_view to_string(Role role) {
  switch (role) {
    case Role::none: return "none";
    case Role::predict: return "predict";
    case Role::admin: return "admin";
  }
  return "?";
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // Every character of `a` is looked at, whatever `b` is, and the compiler may not stop early at
  // what it knows nothing of.
  volatile std::uint8_t different = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    different = static_cast<std::uint8_t>(
        different | (static_cast<std::uint8_t>(a[i]) ^ static_cast<std::uint8_t>(other)));
  }
  return different == 0;
}

Tokens::Tokens(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

Tokens Tokens::parse(std::string_view text, const std::string& name) {
  std::vector<Token> tokens;
  std::size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    const auto words = words_of(line);
    if (words.empty() || words[0].starts_with('#')) continue;
    const auto fail = [&](const std::string& why) {
      throw InputError(name + ", line " + std::to_string(number) + ": " + why);
    };
    if (words.size() < 2 || words.size() > 3) {
      fail("expected a role, a token and perhaps the name of its holder");
    }
    Token token;
    if (words[0] == "predict") {
      token.role = Role::predict;
    } else if (words[0] == "admin") {
      token.role = Role::admin;
    } else {
      fail("expected predict or admin as the role");
    }
    if (words[1].size() < shortest_token || words[1].size() > longest_token) {
      fail("a token has " + std::to_string(shortest_token) + " to " +
           std::to_string(longest_token) + " characters; `openssl rand -hex 32` makes one");
    }
    if (!is_token_text(words[1])) fail("a token has letters, digits and - . _ ~ + / = only");
    token.text = std::string(words[1]);
    token.holder = words.size() == 3 ? std::string(words[2]) : "line " + std::to_string(number);
    for (const Token& other : tokens) {
      if (other.text == token.text) fail("the same token as " + other.holder);
    }
    tokens.push_back(std::move(token));
  }
  if (tokens.empty()) {
    throw InputError(name + ": holds no token; expected lines such as `predict TOKEN HOLDER`");
  }
  return Tokens(std::move(tokens));
}

Tokens Tokens::read(const std::string& path) {
  const auto bytes = read_file(path);
  struct stat about {};
  if (::stat(path.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw InputError(path + ": others than its owner may read the tokens; chmod 600 it");
  }
  return parse(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), path);
}

const Token* Tokens::find(std::string_view authorization) const {
  constexpr std::string_view scheme = "bearer";
  const bool bearer =
      authorization.size() > scheme.size() + 1 && authorization[scheme.size()] == ' ' &&
      std::equal(scheme.begin(), scheme.end(), authorization.begin(),
                 [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  if (!bearer) return nullptr;
  std::string_view given = authorization.substr(scheme.size() + 1);
  while (given.starts_with(' ')) given.remove_prefix(1);
  const Token* found = nullptr;
  for (const Token& token : tokens_) {
    if (equal_in_constant_time(token.text, given)) found = &token;
  }
  return found;
}

}  // namespace tandem::http
