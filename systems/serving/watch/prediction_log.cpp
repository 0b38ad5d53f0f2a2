#include "systems/serving/watch/prediction_log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/file.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"

namespace tandem::watch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view ending = ".csv.zst";
constexpr int compression_level = 3;
constexpr std::int64_t most_waiting_flushes = 10;

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw SystemError(path + ": " + what + ": " + std::strerror(errno));
}

void require_part_of_name(const std::string& what, const std::string& name) {
  const bool good = !name.empty() && name[0] != '.' && name.size() <= 200 &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                    });
  if (!good) {
    throw InputError("the prediction log: the " + what + " '" + name +
                     "' is no part of a file's name; letters, digits, '.', '_' and '-' are");
  }
}

// The number in STEM-000012.csv.zst; 0 for other names.
std::int64_t number_of(const std::string& file, const std::string& stem) {
  if (!file.starts_with(stem + "-") || !file.ends_with(ending)) return 0;
  const std::string digits =
      file.substr(stem.size() + 1, file.size() - stem.size() - 1 - ending.size());
  if (digits.size() < 6 || digits.size() > 12 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return 0;
  }
  return std::stoll(digits);
}

std::string name_of(const std::string& stem, std::int64_t number) {
  std::string digits = std::to_string(number);
  digits.insert(0, digits.size() < 6 ? 6 - digits.size() : 0, '0');
  return stem + "-" + digits + std::string(ending);
}

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::uint64_t mix(std::string_view id) {
  // FNV-1a with 64 bits, and the finaliser of SplitMix64 to spread short ids.
  std::uint64_t state = 0xCBF29CE484222325U;
  for (const char c : id) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9U;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBU;
  return state ^ (state >> 31);
}

}  // namespace

bool PredictionLog::sampled(std::string_view id, double share) {
  return static_cast<double>(mix(id) >> 11) * 0x1p-53 < share;
}

std::int64_t cut_unfinished_frame(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_file(path);
  std::size_t whole = 0;
  while (whole < bytes.size()) {
    const std::size_t frame =
        ZSTD_findFrameCompressedSize(bytes.data() + whole, bytes.size() - whole);
    if (ZSTD_isError(frame) != 0U) break;
    whole += frame;
  }
  if (whole == bytes.size()) return 0;
  if (::truncate(path.c_str(), static_cast<off_t>(whole)) != 0) fail(path, "cannot be cut");
  return static_cast<std::int64_t>(bytes.size() - whole);
}

PredictionLog::PredictionLog(PredictionLogOptions options, const std::string& model,
                             const std::string& version, std::vector<Column> columns)
    : options_(std::move(options)), columns_(std::move(columns)) {
  require_part_of_name("model", model);
  require_part_of_name("version", version);
  stem_ = model + "-" + version;
  kept_.assign(columns_.size(), true);
  for (const std::string& name : options_.leave_out) {
    bool found = false;
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      if (columns_[j].name != name) continue;
      kept_[j] = false;
      found = true;
    }
    if (!found) {
      throw InputError("the prediction log of " + stem_ + ": there is no column '" + name +
                       "' to leave out");
    }
  }
  std::error_code failure;
  fs::create_directories(options_.folder, failure);
  if (!fs::is_directory(options_.folder)) {
    throw SystemError(options_.folder + ": cannot be made a folder" +
                      (failure ? ": " + failure.message() : ""));
  }
  const std::string lock = (fs::path(options_.folder) / (stem_ + ".lock")).string();
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) fail(lock, "cannot be opened");
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw InputError(lock + ": another process writes this log");
  }
  try {
    std::string last;
    for (const auto& entry : fs::directory_iterator(options_.folder)) {
      const std::string file = entry.path().filename().string();
      const std::int64_t number = number_of(file, stem_);
      if (number > number_) {
        number_ = number;
        last = entry.path().string();
      }
    }
    if (!last.empty()) {
      (void)cut_unfinished_frame(last);
      if (fs::file_size(last) == 0) fs::remove(last);
    }
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

PredictionLog::~PredictionLog() {
  try {
    flush();
  } catch (const std::exception&) {
    // Nobody is left to be told.
  }
  if (file_ >= 0) ::close(file_);
  ::close(lock_);
}

template <Real T>
bool PredictionLog::append(const LoggedPrediction& prediction, const T* features) {
  if (prediction.id.empty() || !sampled(prediction.id, options_.sample)) return false;
  CsvRecord record;
  record.add(static_cast<Index>(prediction.time))
      .add(prediction.id)
      .add(prediction.arm)
      .add(prediction.answer);
  if (std::isnan(prediction.score)) {
    record.add("");
  } else {
    record.add(prediction.score);
  }
  for (std::size_t j = 0; j < columns_.size(); ++j) {
    if (!kept_[j]) continue;
    const T value = features[j];
    if (std::isnan(value)) {
      record.add("");
    } else if (!columns_[j].categorical()) {
      record.add(value);
    } else if (value >= 0 && value < static_cast<T>(columns_[j].categories.size())) {
      record.add(columns_[j].categories[static_cast<std::size_t>(value)]);
    } else {
      record.add("");
    }
  }
  const std::lock_guard lock(mutex_);
  if (row_count_ >= most_waiting_flushes * options_.flush_rows) {
    if (std::chrono::steady_clock::now() < retry_at_) {
      ++dropped_;
      return false;
    }
    try {
      flush_locked();
    } catch (...) {
      ++dropped_;
      throw;
    }
  }
  rows_ += record.text();
  rows_ += '\n';
  if (++row_count_ >= options_.flush_rows && std::chrono::steady_clock::now() >= retry_at_) {
    flush_locked();
  }
  return true;
}

void PredictionLog::flush() {
  const std::lock_guard lock(mutex_);
  flush_locked();
}

std::int64_t PredictionLog::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void PredictionLog::begin_file() {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  path_ = (fs::path(options_.folder) / name_of(stem_, number_ + 1)).string();
  file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (file_ < 0) fail(path_, "cannot be made");
  ++number_;
  size_ = 0;
  begun_ = seconds_now();
}

// The frame is whole or it is not there, and a file without any is not there either.
void PredictionLog::take_back() {
  const bool kept = size_ > 0 && ::ftruncate(file_, static_cast<off_t>(size_)) == 0;
  if (kept) return;
  ::close(file_);
  file_ = -1;
  if (size_ == 0 && ::unlink(path_.c_str()) == 0) --number_;
}

void PredictionLog::flush_locked() {
  if (row_count_ == 0) return;
  // Until it has worked.
  retry_at_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  if (file_ < 0 || size_ >= options_.rotate_bytes ||
      seconds_now() - begun_ >= options_.rotate_seconds) {
    begin_file();
  }
  std::string text;
  if (size_ == 0) {
    CsvRecord header;
    header.add("tandem_time")
        .add("tandem_id")
        .add("tandem_arm")
        .add("tandem_answer")
        .add("tandem_score");
    for (std::size_t j = 0; j < columns_.size(); ++j) {
      if (kept_[j]) header.add(columns_[j].name);
    }
    text = header.text() + "\n";
  }
  text += rows_;
  std::vector<char> frame(ZSTD_compressBound(text.size()));
  const std::size_t bytes =
      ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), compression_level);
  if (ZSTD_isError(bytes) != 0U) throw SystemError(path_ + ": zstd cannot compress");
  for (std::size_t written = 0; written < bytes;) {
    const ssize_t now = ::write(file_, frame.data() + written, bytes - written);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) {
      const int reason = errno;
      take_back();
      errno = reason;
      fail(path_, "cannot be written");
    }
    written += static_cast<std::size_t>(now);
  }
  if (::fdatasync(file_) != 0) {
    // Its rows are kept and written again, so that they must not stand there already.
    const int reason = errno;
    take_back();
    errno = reason;
    fail(path_, "cannot be flushed to the disk");
  }
  size_ += static_cast<std::int64_t>(bytes);
  rows_.clear();
  row_count_ = 0;
  retry_at_ = {};
}

template bool PredictionLog::append(const LoggedPrediction&, const float*);
template bool PredictionLog::append(const LoggedPrediction&, const double*);

}  // namespace tandem::watch
