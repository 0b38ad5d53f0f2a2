#include <sqlite3.h>

#include "systems/store/database.hpp"
#include "tandem/core/error.hpp"

namespace tandem::store {
namespace {

constexpr int patience_ms = 10'000;  // while another program writes

class Sqlite final : public Database {
 public:
  explicit Sqlite(const std::string& path) : path_(path) {
    sqlite3* opened = nullptr;
    const int status =
        sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    database_.reset(opened);
    if (status != SQLITE_OK) fail(status);
    sqlite3_busy_timeout(opened, patience_ms);
    // Readers go on while somebody writes, and what is committed outlives a crash of the machine.
    (void)query("PRAGMA journal_mode=WAL");
    (void)query("PRAGMA synchronous=FULL");
    (void)query("PRAGMA foreign_keys=ON");
    (void)query("PRAGMA trusted_schema=OFF");
  }

  std::vector<Row> query(std::string_view sql, const std::vector<Value>& parameters) override {
    sqlite3_stmt* prepared = nullptr;
    const int status = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                          &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared,
                                                                          &sqlite3_finalize);
    if (status != SQLITE_OK) fail(status);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      bind(prepared, static_cast<int>(i) + 1, parameters[i]);
    }
    std::vector<Row> rows;
    for (;;) {
      const int step = sqlite3_step(prepared);
      if (step == SQLITE_DONE) return rows;
      if (step != SQLITE_ROW) fail(step);
      Row row;
      for (int j = 0; j < sqlite3_column_count(prepared); ++j) row.push_back(column(prepared, j));
      rows.push_back(std::move(row));
    }
  }

  void transaction(const std::function<void()>& work) override {
    // With the lock of a writer from the beginning: two transactions never wait for each other.
    (void)query("BEGIN IMMEDIATE", {});
    try {
      work();
      (void)query("COMMIT", {});
    } catch (...) {
      if (sqlite3_get_autocommit(database_.get()) == 0) (void)query("ROLLBACK", {});
      throw;
    }
  }

 private:
  std::vector<Row> query(std::string_view sql) { return query(sql, {}); }

  [[noreturn]] void fail(int status) {
    const std::string said = database_ ? sqlite3_errmsg(database_.get()) : sqlite3_errstr(status);
    if (status == SQLITE_NOTADB) {
      throw InputError(path_ + ": is no database of SQLite; name another file or remove it");
    }
    throw SystemError(path_ + ": " + said);
  }

  void bind(sqlite3_stmt* statement, int place, const Value& value) {
    int status = SQLITE_OK;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      status = sqlite3_bind_int64(statement, place, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
      status = sqlite3_bind_double(statement, place, *real);
    } else if (const auto* held = std::get_if<std::string>(&value)) {
      status = sqlite3_bind_text64(statement, place, held->data(), held->size(), SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    } else {
      status = sqlite3_bind_null(statement, place);
    }
    if (status != SQLITE_OK) fail(status);
  }

  static Value column(sqlite3_stmt* statement, int place) {
    switch (sqlite3_column_type(statement, place)) {
      case SQLITE_INTEGER: return sqlite3_column_int64(statement, place);
      case SQLITE_FLOAT: return sqlite3_column_double(statement, place);
      case SQLITE_NULL: return std::monostate{};
      default: {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, place));
        const int length = sqlite3_column_bytes(statement, place);
        return std::string(bytes != nullptr ? bytes : "", static_cast<std::size_t>(length));
      }
    }
  }

  std::string path_;
  std::unique_ptr<sqlite3, int (*)(sqlite3*)> database_{nullptr, &sqlite3_close_v2};
};

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& path) {
  return std::make_unique<Sqlite>(path);
}

}  // namespace tandem::store
