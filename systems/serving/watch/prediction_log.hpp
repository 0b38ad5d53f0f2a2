// An append-only log of what was asked and answered, to watch and to train on: files of CSV,
// compressed with zstd, that every command of Tandem reads as data.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/types.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem::watch {

struct PredictionLogOptions {
  std::string folder;  // made where it is missing
  // The share of the predictions that is kept, by a hash of their ids: one id is kept by every
  // server or by none.
  double sample = 1;
  std::vector<std::string> leave_out;    // columns that must not be kept
  std::int64_t rotate_bytes = 64 << 20;  // of a compressed file; a new one is begun after it
  std::int64_t rotate_seconds = 24 * 3600;
  std::int64_t flush_rows = 1000;  // rows that are held in memory at most

  [[nodiscard]] bool operator==(const PredictionLogOptions&) const = default;
};

// What is known of a prediction beside the features. Times are milliseconds since 1970.
struct LoggedPrediction {
  std::int64_t time = 0;
  std::string_view id = {};  // that outcomes are joined by; an empty one is not kept
  std::string_view arm = {};
  std::string_view answer = {};
  double score = std::numeric_limits<double>::quiet_NaN();  // NaN: none
};

// The log of one version of a model: MODEL-VERSION-000001.csv.zst, -000002, ... in the folder, with
// the columns tandem_time, tandem_id, tandem_arm, tandem_answer, tandem_score and the features.
//
// Each flush appends a frame of zstd of its own and waits for the disk, so that a file is whole
// after each of them: a process that is killed loses the rows since its last flush, and a frame
// that it left half-written is cut off when the log is opened next. Several threads may use one; a
// file has one writer: a second log of the same name in the folder is an InputError.
class PredictionLog {
 public:
  // Throws InputError for a model or version whose name is no part of a file's name (letters,
  // digits, '.', '_' and '-'), for a column to leave out that there is not, and where another
  // process writes this log; SystemError where the folder cannot be written.
  PredictionLog(PredictionLogOptions options, const std::string& model, const std::string& version,
                std::vector<Column> columns);
  ~PredictionLog();  // flushes; an error is lost
  PredictionLog(const PredictionLog&) = delete;
  PredictionLog& operator=(const PredictionLog&) = delete;

  // `features` has a value per column: numbers, codes of categories, NaN for what is missing. False
  // where it is not sampled. Throws SystemError where a flush fails; the rows are kept for the next
  // one, which is tried a second later at the earliest, and beyond ten times flush_rows dropped and
  // counted.
  template <Real T>
  bool append(const LoggedPrediction& prediction, const T* features);
  void flush();
  [[nodiscard]] std::int64_t dropped() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  // Whether this share of ids holds the id.
  [[nodiscard]] static bool sampled(std::string_view id, double share);

 private:
  void begin_file();
  void take_back();
  void flush_locked();

  PredictionLogOptions options_;
  std::string stem_;
  std::vector<Column> columns_;
  std::vector<bool> kept_;  // per column
  int lock_ = -1;
  mutable std::mutex mutex_;
  std::string path_;
  int file_ = -1;
  std::int64_t number_ = 0;
  std::int64_t size_ = 0;
  std::int64_t begun_ = 0;
  std::string rows_;
  std::int64_t row_count_ = 0;
  std::int64_t dropped_ = 0;
  std::chrono::steady_clock::time_point retry_at_{};  // after a flush that failed
};

// Cuts what a killed process left half-written off the end of a file of zstd frames. Returns the
// bytes cut off. Throws SystemError.
std::int64_t cut_unfinished_frame(const std::string& path);

struct JoinOptions {
  std::string log;       // the folder
  std::string model;     // all its versions; or MODEL-VERSION where no model has that name
  std::string version;   // one of them; empty: all
  std::string outcomes;  // a file with columns id, value and, where it is there, time
  std::string out;       // the CSV that is written
  // Outcomes that came later are not known yet; milliseconds; the largest number: all.
  std::int64_t as_of = INT64_MAX;
  // Outcomes later than this after their prediction do not count, and predictions that this has not
  // passed for by `as_of` are left out; 0: no horizon.
  std::int64_t horizon = 0;
  // The value of a prediction without an outcome; empty: it is left out.
  std::string missing_value;
  std::string target = "outcome";
};

struct JoinResult {
  Index predictions = 0;
  Index joined = 0;      // with an outcome
  Index filled = 0;      // with the missing value
  Index unfinished = 0;  // left out: their horizon is not over
  Index without = 0;     // left out: without an outcome
};

// Writes the features as they were when each prediction was made, with the outcome as the last
// column: a file to train on. Of several outcomes of an id the first one counts. Throws InputError
// for a log of which the columns differ from file to file, and for a name that is a model's and
// another's with its version.
[[nodiscard]] JoinResult join_outcomes(const JoinOptions& options, int threads);

}  // namespace tandem::watch
