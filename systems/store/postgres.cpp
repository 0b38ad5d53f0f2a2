#include "systems/store/database.hpp"
#include "tandem/core/error.hpp"

#if TANDEM_HAS_POSTGRES
#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <chrono>
#endif

namespace tandem::store {

#if TANDEM_HAS_POSTGRES
namespace {

// The types of pg_type.h that the statements of this program give back.
constexpr Oid type_bool = 16;
constexpr Oid type_int8 = 20;
constexpr Oid type_int2 = 21;
constexpr Oid type_int4 = 23;
constexpr Oid type_float4 = 700;
constexpr Oid type_float8 = 701;
constexpr int most_attempts = 10;
// For the answer to a statement. A server that hangs, or that stands behind a program that does,
// takes statements and says nothing, which TCP does not see.
constexpr std::chrono::seconds patience{10};

using Result = std::unique_ptr<PGresult, void (*)(PGresult*)>;

// Another program was in between; the transaction has to be done again.
class Again : public SystemError {
 public:
  using SystemError::SystemError;
};

class Postgres final : public Database {
 public:
  explicit Postgres(const std::string& url) : place_(without_password(url)) {
    // What the URL says of them wins. A server that cannot be reached is given up in time.
    const char* const names[] = {"connect_timeout",  "tcp_user_timeout", "keepalives_idle",
                                 "application_name", "dbname",           nullptr};
    const char* const values[] = {"5", "10000", "5", "tandem", url.c_str(), nullptr};
    connection_.reset(PQconnectdbParams(names, values, 1));
    if (PQstatus(connection_.get()) != CONNECTION_OK) fail(PQerrorMessage(connection_.get()));
    PQsetNoticeProcessor(
        connection_.get(), [](void*, const char*) {}, nullptr);
  }

  std::vector<Row> query(std::string_view sql, const std::vector<Value>& parameters) override {
    // A connection that the server has closed is opened anew, outside of transactions.
    if ((PQstatus(connection_.get()) != CONNECTION_OK || given_up_) && !in_transaction_) {
      PQreset(connection_.get());
      given_up_ = false;
    }
    std::vector<std::string> texts;
    for (const Value& value : parameters) texts.push_back(text(value));
    std::vector<const char*> pointers;
    std::vector<Oid> types;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const bool null = std::holds_alternative<std::monostate>(parameters[i]);
      pointers.push_back(null ? nullptr : texts[i].c_str());
      types.push_back(std::holds_alternative<std::int64_t>(parameters[i]) ? type_int8
                      : std::holds_alternative<double>(parameters[i])     ? type_float8
                                                                          : Oid{0});
    }
    const int sent = PQsendQueryParams(connection_.get(), std::string(sql).c_str(),
                                       static_cast<int>(texts.size()), types.data(),
                                       pointers.data(), nullptr, nullptr, 0);
    if (sent == 0) fail(PQerrorMessage(connection_.get()));
    const Result result = answer();
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
      const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      const std::string code = state != nullptr ? state : "";
      const std::string said = PQerrorMessage(connection_.get());
      // Two programs that create the same table at once: IF NOT EXISTS does not see the other's,
      // which has not been committed, and one of them fails over the catalogue's own keys. It sees
      // it when it is tried again.
      const bool created_twice = sql.starts_with("CREATE TABLE IF NOT EXISTS") &&
                                 (code == "23505" || code == "42P07" || code == "42710");
      if (created_twice && !in_transaction_) return query(sql, parameters);
      if (code == "40001" || code == "40P01" || created_twice) throw Again(place_ + ": " + said);
      fail(said);
    }
    std::vector<Row> rows;
    for (int i = 0; i < PQntuples(result.get()); ++i) {
      Row row;
      for (int j = 0; j < PQnfields(result.get()); ++j) row.push_back(field(result.get(), i, j));
      rows.push_back(std::move(row));
    }
    return rows;
  }

  void transaction(const std::function<void()>& work) override {
    for (int attempt = 1;; ++attempt) {
      begin();
      in_transaction_ = true;
      try {
        work();
        (void)query("COMMIT", {});
        in_transaction_ = false;
        return;
      } catch (const Again&) {
        roll_back();
        if (attempt == most_attempts) throw;
      } catch (...) {
        roll_back();
        throw;
      }
    }
  }

 private:
  // The result of the statement that was sent. What became of one that is not answered in time is
  // not known; its connection is closed before the next.
  Result answer() {
    Result last{nullptr, &PQclear};
    const auto due = std::chrono::steady_clock::now() + patience;
    for (;;) {
      while (PQisBusy(connection_.get()) != 0) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            due - std::chrono::steady_clock::now());
        pollfd socket{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
        if (left.count() <= 0) {
          given_up_ = true;
          throw SystemError(place_ + ": has not answered a statement for " +
                            std::to_string(patience.count()) +
                            " s; whether it was carried out is not known");
        }
        (void)::poll(&socket, 1, static_cast<int>(left.count()));
        if (PQconsumeInput(connection_.get()) == 0) break;  // PQgetResult says why
      }
      PGresult* next = PQgetResult(connection_.get());
      if (next == nullptr) return last;
      last.reset(next);
    }
  }

  void begin() {
    constexpr std::string_view statement = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    try {
      (void)query(statement, {});
    } catch (const SystemError&) {
      // A server that was started again has closed the connection, which shows with the first
      // statement. Nothing has been done yet, so that it can be begun anew.
      if (PQstatus(connection_.get()) == CONNECTION_OK || given_up_) throw;
      (void)query(statement, {});
    }
  }

  void roll_back() {
    in_transaction_ = false;
    if (given_up_) return;  // the end of the connection is the end of its transaction
    if (PQsendQuery(connection_.get(), "ROLLBACK") == 0) return;
    try {
      (void)answer();
    } catch (const SystemError&) {
      // What went wrong before is what is told.
    }
  }

  [[noreturn]] void fail(std::string said) {
    while (!said.empty() && said.back() == '\n') said.pop_back();
    throw SystemError(place_ + ": " + said);
  }

  static Value field(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0) return std::monostate{};
    const std::string held(PQgetvalue(result, row, column),
                           static_cast<std::size_t>(PQgetlength(result, row, column)));
    switch (PQftype(result, column)) {
      case type_int2:
      case type_int4:
      case type_int8: {
        std::int64_t number = 0;
        std::from_chars(held.data(), held.data() + held.size(), number);
        return number;
      }
      case type_float4:
      case type_float8: {
        double number = 0;
        std::from_chars(held.data(), held.data() + held.size(), number);
        return number;
      }
      case type_bool: return std::int64_t{held == "t" ? 1 : 0};
      default: return held;
    }
  }

  std::string place_;
  std::unique_ptr<PGconn, void (*)(PGconn*)> connection_{nullptr, &PQfinish};
  bool in_transaction_ = false;
  bool given_up_ = false;  // on the answer to a statement, which may still come
};

}  // namespace

std::unique_ptr<Database> open_postgres(const std::string& url) {
  return std::make_unique<Postgres>(url);
}
#else
std::unique_ptr<Database> open_postgres(const std::string& url) {
  throw InputError(without_password(url) +
                   ": this build has no PostgreSQL; install libpq-dev and build again, or name a "
                   "file for SQLite");
}
#endif

}  // namespace tandem::store
