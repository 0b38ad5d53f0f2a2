// Who may ask for what: bearer tokens (RFC 6750) with roles.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem::http {

// Each role may do what those before it may.
enum class Role { none, predict, admin };
[[nodiscard]] std::string_view to_string(Role role);

struct Token {
  Role role = Role::none;
  std::string text;
  std::string holder;  // for logs; never the token itself
};

// The tokens of a server. Without any, everybody may do everything.
class Tokens {
 public:
  Tokens() = default;
  explicit Tokens(std::vector<Token> tokens);

  // A file with a line per token: ROLE TOKEN [HOLDER]; lines that begin with # are comments. Throws
  // InputError that names file and line for anything else, for a token of fewer than 16 characters
  // or of characters that a header cannot have, for one that is there twice, and where others than
  // its owner may read the file; SystemError where it cannot be read.
  [[nodiscard]] static Tokens read(const std::string& path);
  // The same of the file's text, which `name` stands for in messages.
  [[nodiscard]] static Tokens parse(std::string_view text, const std::string& name);

  [[nodiscard]] bool open() const noexcept { return tokens_.empty(); }
  // The token that the value of an Authorization header holds, or nullptr. The time that it takes
  // depends on the lengths of the tokens and of the value only, not on where they differ.
  [[nodiscard]] const Token* find(std::string_view authorization) const;

 private:
  std::vector<Token> tokens_;
};

// Compares without telling by its time where the texts differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace tandem::http
