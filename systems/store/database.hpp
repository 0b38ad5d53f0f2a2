// A small database behind one interface: a file of SQLite's, or PostgreSQL.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tandem::store {

// NULL, a whole number, a number, a text.
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::vector<Value>;

// Used by one thread at a time.
class Database {
 public:
  // "postgresql://..." or the path of a file, which is made where it is missing. Throws InputError
  // where it is no database, or of a kind that this build has no library for; SystemError where it
  // cannot be opened or reached.
  [[nodiscard]] static std::unique_ptr<Database> open(const std::string& place);

  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  virtual ~Database() = default;

  // One statement, with $1, $2, ... for the parameters, each used in that order first. Throws
  // SystemError with what the database says.
  virtual std::vector<Row> query(std::string_view sql,
                                 const std::vector<Value>& parameters = {}) = 0;
  // All that `work` does, or nothing of it where it throws; alone, as if no other program used the
  // database meanwhile. `work` is called again where another program was in between.
  virtual void transaction(const std::function<void()>& work) = 0;
};

[[nodiscard]] std::int64_t integer(const Value& value);
[[nodiscard]] std::string text(const Value& value);  // empty for NULL

// The implementations; open() chooses.
[[nodiscard]] std::unique_ptr<Database> open_sqlite(const std::string& path);
[[nodiscard]] std::unique_ptr<Database> open_postgres(const std::string& url);

// The place without the password that a URL may hold, for messages and logs.
[[nodiscard]] std::string without_password(const std::string& place);

}  // namespace tandem::store
