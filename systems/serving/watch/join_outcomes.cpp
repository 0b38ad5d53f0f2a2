// The log of predictions with what became of them.
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <unordered_map>

#include "core/file.hpp"
#include "core/text.hpp"
#include "systems/serving/watch/prediction_log.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/write.hpp"

namespace tandem::watch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view log_ending = ".csv.zst";
constexpr std::size_t own_columns = 5;  // time, id, arm, answer, score

// The records of one file of the log, piece by piece: as CsvRecord writes them, fields quoted where
// they hold a comma, a quote or the end of a line.
void each_record(const std::string& path,
                 const std::function<void(const std::vector<std::string>&)>& use) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                             &ZSTD_freeDStream);
  std::vector<char> piece(ZSTD_DStreamOutSize());
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::vector<std::string> fields(1);
  bool quoted = false;
  bool after_quote = false;
  std::size_t left = 0;
  const auto take = [&](char c) {
    if (quoted) {
      if (c == '"') {
        quoted = false;
        after_quote = true;
      } else {
        fields.back() += c;
      }
      return;
    }
    if (c == '"') {
      if (after_quote) fields.back() += '"';
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      use(fields);
      fields.assign(1, {});
    } else {
      fields.back() += c;
    }
    after_quote = false;
  };
  while (in.pos < in.size) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left) != 0U) {
      throw InputError(path + ": is damaged: " + ZSTD_getErrorName(left));
    }
    for (std::size_t i = 0; i < out.pos; ++i) take(piece[i]);
  }
  // What the last input still holds.
  while (left != 0) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left) != 0U || out.pos == 0) break;
    for (std::size_t i = 0; i < out.pos; ++i) take(piece[i]);
  }
  if (left != 0 || quoted || fields.size() > 1) {
    throw InputError(path +
                     ": ends within a record; a log that is open is read after its next flush, and "
                     "one whose writer was killed once it has been opened again");
  }
}

struct KnownOutcome {
  std::string value;
  std::int64_t time = INT64_MAX - 1;  // without a column of times
};

std::unordered_map<std::string, KnownOutcome> read_outcomes(const JoinOptions& options,
                                                            int threads) {
  ReadOptions read;
  read.threads = threads;
  read.reading.columns.list = {{"id", ColumnKind::category}};
  read.reading.dates = DateUse::seconds;
  const Dataset<double> data = read_dataset<double>(options.outcomes, read);
  const auto find = [&](const std::string& name) {
    for (std::size_t j = 0; j < data.columns.size(); ++j) {
      if (data.columns[j].name == name) return static_cast<Index>(j);
    }
    return Index{-1};
  };
  const Index id = find("id");
  const Index value = find("value");
  const Index time = find("time");
  for (const auto& [column, name] : {std::pair{id, "id"}, {value, "value"}}) {
    if (column < 0) throw InputError(options.outcomes + ": has no column '" + name + "'");
  }
  if (time < 0 && (options.horizon > 0 || options.as_of != INT64_MAX)) {
    throw InputError(options.outcomes + ": has no column 'time', which " + option("as_of") +
                     " and " + option("horizon_hours") + " need");
  }
  std::unordered_map<std::string, KnownOutcome> known;
  const auto& ids = data.columns[static_cast<std::size_t>(id)].categories;
  const Column& values = data.columns[static_cast<std::size_t>(value)];
  for (Index i = 0; i < data.rows(); ++i) {
    const auto fail = [&](const std::string& what) {
      throw InputError(options.outcomes + ": row " + std::to_string(i + 1) + ": " + what);
    };
    if (std::isnan(data.features(i, id))) fail("the id is missing");
    if (std::isnan(data.features(i, value))) fail("the value is missing");
    KnownOutcome one;
    const double held = data.features(i, value);
    one.value =
        values.categorical() ? values.categories[static_cast<std::size_t>(held)] : shortest(held);
    if (time >= 0) {
      // Dates are read as seconds; whole numbers above 1e11 are milliseconds, as the log has them.
      const double when = data.features(i, time);
      if (!std::isfinite(when)) fail("the time is missing");
      one.time = static_cast<std::int64_t>(std::abs(when) > 1e11 ? when : when * 1000);
    }
    const std::string& name = ids[static_cast<std::size_t>(data.features(i, id))];
    const auto [at, fresh] = known.try_emplace(name, one);
    if (!fresh && one.time < at->second.time) at->second = one;
  }
  return known;
}

// MODEL and VERSION of MODEL-VERSION-000012.csv.zst. A model's name may hold '-' itself, its
// version and the number do not. Empty for other names.
struct LoggedModel {
  std::string name;
  std::string version;
};
LoggedModel model_of_file(std::string_view file) {
  if (!file.ends_with(log_ending)) return {};
  file.remove_suffix(log_ending.size());
  const auto number = file.rfind('-');
  if (number == std::string_view::npos) return {};
  const auto version = file.substr(0, number).rfind('-');
  if (version == std::string_view::npos) return {};
  return {std::string(file.substr(0, version)),
          std::string(file.substr(version + 1, number - version - 1))};
}

std::vector<std::string> files_of(const JoinOptions& options) {
  if (!fs::is_directory(options.log)) throw InputError(options.log + ": is no folder");
  if (!options.version.empty() && options.model.empty()) {
    throw InputError(option("log_version") + " needs " + option("log_model"));
  }
  std::vector<std::string> files;
  std::vector<std::string> of_version;  // where `model` is MODEL-VERSION
  std::string meant;
  for (const auto& entry : fs::directory_iterator(options.log)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(log_ending)) continue;
    const LoggedModel model = model_of_file(name);
    if (options.model.empty() || (model.name == options.model &&
                                  (options.version.empty() || model.version == options.version))) {
      files.push_back(entry.path().string());
    } else if (options.version.empty() && model.name + "-" + model.version == options.model) {
      of_version.push_back(entry.path().string());
      meant = "version " + model.version + " of " + model.name;
    }
  }
  if (!files.empty() && !of_version.empty()) {
    throw InputError(options.log + ": " + options.model + " is a model and also " + meant +
                     "; say which version of which model by " + option("log_version") + " and " +
                     option("log_model"));
  }
  if (files.empty()) files = std::move(of_version);
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    throw InputError(options.log + ": has no file of a prediction log" +
                     (options.model.empty() ? "" : " of " + options.model) +
                     (options.version.empty() ? "" : ", version " + options.version));
  }
  return files;
}

}  // namespace

JoinResult join_outcomes(const JoinOptions& options, int threads) {
  const auto files = files_of(options);
  const auto outcomes = read_outcomes(options, threads);
  JoinResult result;
  write_file(options.out, [&](std::ostream& out) {
    std::vector<std::string> header;
    for (const std::string& file : files) {
      bool first = true;
      each_record(file, [&](const std::vector<std::string>& fields) {
        if (first) {
          first = false;
          if (header.empty()) {
            header = fields;
            if (header.size() <= own_columns || header[0] != "tandem_time") {
              throw InputError(file + ": is no prediction log");
            }
            CsvRecord record;
            for (std::size_t j = own_columns; j < header.size(); ++j) record.add(header[j]);
            out << record.add(options.target).text() << '\n';
          } else if (fields != header) {
            throw InputError(file + ": has other columns than " + files[0] + "; " +
                             option("log_model") + " and " + option("log_version") +
                             " name one version of one model");
          }
          return;
        }
        if (fields.size() != header.size()) throw InputError(file + ": a record is damaged");
        ++result.predictions;
        std::int64_t time = 0;
        if (!read_number(fields[0], time)) throw InputError(file + ": a time is no number");
        if (time > options.as_of) {
          ++result.unfinished;
          return;
        }
        const auto known = outcomes.find(fields[1]);
        // What came before the prediction is of another one.
        const bool counts = known != outcomes.end() && known->second.time <= options.as_of &&
                            known->second.time >= time &&
                            (options.horizon == 0 || known->second.time < time + options.horizon);
        if (options.horizon > 0 && options.as_of - options.horizon < time) {
          ++result.unfinished;
          return;
        }
        if (!counts && options.missing_value.empty()) {
          ++result.without;
          return;
        }
        ++(counts ? result.joined : result.filled);
        CsvRecord record;
        for (std::size_t j = own_columns; j < fields.size(); ++j) record.add(fields[j]);
        record.add(counts ? known->second.value : options.missing_value);
        out << record.text() << '\n';
      });
    }
  });
  return result;
}

}  // namespace tandem::watch
