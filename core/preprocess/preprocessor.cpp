#include "tandem/preprocess/preprocessor.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "core/load_enum.hpp"
#include "core/metrics/row_sums.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

double threshold_of(const PreprocessOptions& options) {
  if (options.outlier_threshold > 0) return options.outlier_threshold;
  return options.outliers == Outliers::zscore ? 3.0 : 1.5;
}

void check(const PreprocessOptions& options) {
  if (!(options.outlier_threshold >= 0) || std::isinf(options.outlier_threshold)) {
    throw InputError("the outlier threshold is " + std::to_string(options.outlier_threshold) +
                     ", expected a positive number");
  }
  if (options.impute == Impute::constant && !std::isfinite(options.impute_constant)) {
    throw InputError("the constant for missing values must be a finite number");
  }
}

int thread_count(int threads) { return threads > 0 ? threads : available_cores(); }

constexpr std::string_view missing_category = "missing";

// The value of column `j` of each present row, in the order of the rows.
template <Real T>
std::vector<T> present_values(const Dataset<T>& data, Index j) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(data.rows()));
  for (Index i = 0; i < data.rows(); ++i) {
    const T value = data.features(i, j);
    if (!std::isnan(value)) values.push_back(value);
  }
  return values;
}

// Definition 7 of Hyndman and Fan: position p·(n − 1), linear between neighbours. Reorders values,
// of which there is at least one.
template <Real T>
double quantile(std::vector<T>& values, double p) {
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  const double fraction = position - static_cast<double>(below);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const auto low = static_cast<double>(values[static_cast<std::size_t>(below)]);
  if (fraction == 0) return low;
  const auto high =
      static_cast<double>(*std::min_element(values.begin() + below + 1, values.end()));
  return low + fraction * (high - low);
}

template <Real T>
double median(std::vector<T>& values) {
  return quantile(values, 0.5);
}

// Of equally frequent values the least. Sorts values, of which there is at least one.
template <Real T>
double most_frequent(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  T best = values.front();
  std::size_t best_count = 0;
  for (std::size_t begin = 0; begin < values.size();) {
    std::size_t end = begin + 1;
    while (end < values.size() && values[end] == values[begin]) ++end;
    if (end - begin > best_count) {
      best_count = end - begin;
      best = values[begin];
    }
    begin = end;
  }
  return static_cast<double>(best);
}

struct Range {
  double low = infinity;
  double high = -infinity;
  Index missing = 0;
  [[nodiscard]] bool constant() const { return !(low < high); }
};

// Least and greatest present value and number of missing ones per column; an infinite one is an
// error.
template <Real T>
std::vector<Range> ranges(const Dataset<T>& data, int threads) {
  const Index blocks = pieces(data.rows(), sum_block);
  const auto width = static_cast<std::size_t>(data.cols());
  constexpr Index group = 64;  // blocks per piece
  std::vector<std::vector<Range>> partial(static_cast<std::size_t>(pieces(blocks, group)));
  parallel_for(threads, static_cast<Index>(partial.size()), [&](Index p) {
    std::vector<T> low(width, std::numeric_limits<T>::infinity());
    std::vector<T> high(width, -std::numeric_limits<T>::infinity());
    std::vector<std::int32_t> missing(width, 0);  // of at most group · sum_block rows
    const Piece rows = piece_of(data.rows(), group * sum_block, p);
    for (Index i = rows.begin; i < rows.end; ++i) {
      const T* row = data.features.data() + i * data.cols();
      for (std::size_t j = 0; j < width; ++j) {
        low[j] = row[j] < low[j] ? row[j] : low[j];
        high[j] = row[j] > high[j] ? row[j] : high[j];
        missing[j] += row[j] != row[j] ? 1 : 0;
      }
    }
    auto& out = partial[static_cast<std::size_t>(p)];
    out.resize(width);
    for (std::size_t j = 0; j < width; ++j) {
      out[j] = {static_cast<double>(low[j]), static_cast<double>(high[j]), missing[j]};
    }
  });
  std::vector<Range> all(width);
  bool infinite = false;
  for (const auto& part : partial) {
    for (std::size_t j = 0; j < width; ++j) {
      all[j].low = std::min(all[j].low, part[j].low);
      all[j].high = std::max(all[j].high, part[j].high);
      all[j].missing += part[j].missing;
    }
  }
  // A column of nothing but missing values keeps the empty range; one of nothing but +infinity (or
  // −infinity) looks alike from one side only.
  for (std::size_t j = 0; j < width; ++j) {
    infinite = infinite || all[j].high == infinity || all[j].low == -infinity;
  }
  if (infinite) require_finite(data, false, true);
  return all;
}

template <Real T>
std::vector<Index> rows_without_outliers(const Dataset<T>& data,
                                         const std::vector<ColumnFit>& fits) {
  std::vector<Index> rows;
  for (Index i = 0; i < data.rows(); ++i) {
    bool keep = true;
    for (std::size_t j = 0; j < fits.size(); ++j) {
      const auto value = static_cast<double>(data.features(i, static_cast<Index>(j)));
      keep = keep && !(value < fits[j].low) && !(value > fits[j].high);
    }
    if (keep) rows.push_back(i);
  }
  return rows;
}

// As short as it reads back: how a number that is the name of a category was written.
template <Real T>
std::string shortest(T value) {
  std::array<char, 64> text{};
  const auto [end, status] = std::to_chars(text.data(), text.data() + text.size(), value);
  (void)status;
  return {text.data(), end};
}

bool named(const std::vector<Column>& columns) {
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (columns[j].name != "x" + std::to_string(j)) return true;
  }
  return false;
}

}  // namespace

void PreprocessOptions::visit(OptionVisitor& visitor) {
  visitor.choice("scale", scale, "bring numeric columns to one scale");
  visitor.choice("impute", impute, "fill missing values");
  visitor.real("impute_constant", impute_constant, "the value for impute constant", -1e300, 1e300);
  visitor.choice("encode", encode, "turn text columns into numbers");
  visitor.choice("outliers", outliers, "find outliers of numeric columns");
  visitor.choice("outlier_action", outlier_action, "what becomes of them");
  visitor.real("outlier_threshold", outlier_threshold,
               "how far out is an outlier; 0: 3 for zscore, 1.5 for iqr", 0, 1e300);
}

template <Real T>
bool Preprocessor<T>::changes_nothing() const noexcept {
  const bool clips =
      options_.outliers != Outliers::none && options_.outlier_action == OutlierAction::clip;
  const bool categorical =
      std::any_of(input_.begin(), input_.end(), [](const Column& c) { return c.categorical(); });
  return options_.scale == Scale::none && options_.impute == Impute::none && !clips && !categorical;
}

template <Real T>
double Preprocessor<T>::unscale(Index j, double value) const {
  const ColumnFit& fit =
      fits_.at(static_cast<std::size_t>(source_.at(static_cast<std::size_t>(j))));
  if (!fit.categories.empty() && options_.encode == Encode::one_hot) return value;
  return value * fit.divisor + fit.shift;
}

template <Real T>
void Preprocessor<T>::make_outputs() {
  output_.clear();
  source_.clear();
  for (std::size_t j = 0; j < input_.size(); ++j) {
    const auto from = static_cast<Index>(j);
    if (!input_[j].categorical()) {
      output_.push_back(input_[j]);
      source_.push_back(from);
    } else if (options_.encode == Encode::one_hot) {
      for (const auto& category : fits_[j].categories) {
        output_.push_back({input_[j].name + "=" + category, {}});
        source_.push_back(from);
      }
    } else {
      Column column{input_[j].name, {}};
      if (options_.encode == Encode::none) column.categories = fits_[j].categories;
      output_.push_back(std::move(column));
      source_.push_back(from);
    }
  }
}

template <Real T>
Preprocessor<T> Preprocessor<T>::fit(const Dataset<T>& train, const PreprocessOptions& options,
                                     int threads) {
  const int team = thread_count(threads);
  check(options);
  if (train.rows() == 0) throw InputError(train.source + ": has no rows to fit preprocessing on");

  Preprocessor result;
  result.options_ = options;
  result.input_ = train.columns;
  const Index cols = train.cols();
  const auto width = static_cast<std::size_t>(cols);
  result.fits_.resize(width);
  auto& fits = result.fits_;

  // Present values: count and range. A column without missing values needs no look at each.
  const auto numeric = [&](std::size_t j) { return !train.columns[j].categorical(); };
  const Dataset<T>* data = &train;
  Dataset<T> kept;  // where rows are dropped
  std::vector<Range> range = ranges(train, team);
  const auto value_at = [&](Index i, Index j) {
    return static_cast<double>(data->features.data()[i * cols + j]);
  };
  const auto count_present = [&] {
    std::vector<double> count(width);
    for (std::size_t j = 0; j < width; ++j) {
      count[j] = static_cast<double>(data->rows() - range[j].missing);
    }
    return count;
  };
  std::vector<double> present = count_present();
  for (std::size_t j = 0; j < width; ++j) {
    fits[j].missing = train.rows() - static_cast<Index>(present[j]);
    fits[j].low = -infinity;
    fits[j].high = infinity;
    fits[j].fill = nan;
  }

  // Mean of the present values, and then their sum of squared deviations.
  const auto means = [&] {
    std::vector<double> mean = column_sums(team, data->rows(), cols, [&](Index i, Index j) {
      const double value = value_at(i, j);
      return std::isnan(value) ? 0.0 : value;
    });
    for (std::size_t j = 0; j < width; ++j) mean[j] = present[j] > 0 ? mean[j] / present[j] : 0.0;
    return mean;
  };

  const bool clip =
      options.outliers != Outliers::none && options.outlier_action == OutlierAction::clip;
  if (options.outliers != Outliers::none) {
    const double threshold = threshold_of(options);
    if (options.outliers == Outliers::zscore) {
      const std::vector<double> mean = means();
      const std::vector<double> squares =
          column_sums(team, train.rows(), cols, [&](Index i, Index j) {
            const double deviation = value_at(i, j) - mean[static_cast<std::size_t>(j)];
            return std::isnan(deviation) ? 0.0 : deviation * deviation;
          });
      for (std::size_t j = 0; j < width; ++j) {
        if (!numeric(j) || range[j].constant()) continue;
        const double deviation = std::sqrt(squares[j] / present[j]);
        fits[j].low = mean[j] - threshold * deviation;
        fits[j].high = mean[j] + threshold * deviation;
      }
    } else {
      parallel_for(team, cols, [&](Index column) {
        const auto j = static_cast<std::size_t>(column);
        if (!numeric(j) || range[j].constant()) return;
        std::vector<T> values = present_values(train, column);
        const double q1 = quantile(values, 0.25);
        const double q3 = quantile(values, 0.75);
        if (q1 == q3) return;
        fits[j].low = q1 - threshold * (q3 - q1);
        fits[j].high = q3 + threshold * (q3 - q1);
      });
    }
    const std::vector<double> counts = column_sums(team, train.rows(), cols, [&](Index i, Index j) {
      const double value = value_at(i, j);
      const ColumnFit& fit = fits[static_cast<std::size_t>(j)];
      return value < fit.low || value > fit.high ? 1.0 : 0.0;
    });
    for (std::size_t j = 0; j < width; ++j) fits[j].outliers = static_cast<Index>(counts[j]);

    if (options.outlier_action == OutlierAction::drop) {
      const std::vector<Index> rows = rows_without_outliers(train, fits);
      result.dropped_ = train.rows() - static_cast<Index>(rows.size());
      if (rows.empty()) {
        throw InputError(train.source +
                         ": every row has an outlier; raise the outlier threshold, "
                         "or report or clip instead of dropping");
      }
      if (result.dropped_ > 0) {
        kept.source = train.source;
        kept.columns = train.columns;
        kept.features = Matrix<T>(static_cast<Index>(rows.size()), cols);
        for (std::size_t i = 0; i < rows.size(); ++i) {
          std::copy_n(train.features.data() + rows[i] * cols, cols,
                      kept.features.data() + static_cast<Index>(i) * cols);
        }
        data = &kept;
        range = ranges(kept, team);
        present = count_present();
      }
    }
  }

  // Clipped to the bounds, in the precision of the data, as transform() does.
  const auto clipped = [&](Index i, Index j) {
    const T value = data->features.data()[i * cols + j];
    if (!clip) return static_cast<double>(value);
    const ColumnFit& fit = fits[static_cast<std::size_t>(j)];
    const T low = static_cast<T>(fit.low);
    const T high = static_cast<T>(fit.high);
    return static_cast<double>(value < low ? low : value > high ? high : value);
  };
  if (clip) {
    for (std::size_t j = 0; j < width; ++j) {
      range[j].low = std::max(range[j].low, static_cast<double>(static_cast<T>(fits[j].low)));
      range[j].high = std::min(range[j].high, static_cast<double>(static_cast<T>(fits[j].high)));
    }
  }

  // Categories that the training part has.
  std::vector<bool> appended(width, false);
  for (std::size_t j = 0; j < width; ++j) {
    if (numeric(j)) continue;
    const auto& declared = train.columns[j].categories;
    std::vector<Index> count(declared.size(), 0);
    for (Index i = 0; i < data->rows(); ++i) {
      const T code = data->features(i, static_cast<Index>(j));
      if (std::isnan(code)) continue;
      if (!(code >= 0 && code < static_cast<T>(declared.size())) || code != std::trunc(code)) {
        throw InputError(train.source + ": row " + std::to_string(i + 1) + ", column " +
                         train.columns[j].name + ": " + std::to_string(code) +
                         " is not the code of one of its " + std::to_string(declared.size()) +
                         " categories");
      }
      ++count[static_cast<std::size_t>(code)];
    }
    Index most = 0;
    for (std::size_t c = 0; c < declared.size(); ++c) {
      if (count[c] == 0 && options.encode != Encode::none) continue;
      if (count[c] > most && options.impute != Impute::none) {
        most = count[c];
        fits[j].fill = static_cast<double>(fits[j].categories.size());
      }
      fits[j].categories.push_back(declared[c]);
    }
    if (options.impute == Impute::constant) {
      const auto known =
          std::find(fits[j].categories.begin(), fits[j].categories.end(), missing_category);
      fits[j].fill = static_cast<double>(known - fits[j].categories.begin());
      appended[j] = known == fits[j].categories.end();
      if (appended[j]) fits[j].categories.emplace_back(missing_category);
    } else if (options.impute != Impute::none && most == 0) {
      throw InputError(train.source + ": column " + train.columns[j].name +
                       ": has no value to fill its missing ones with; remove the column");
    }
  }

  // What a missing number becomes.
  if (options.impute != Impute::none) {
    for (std::size_t j = 0; j < width; ++j) {
      if (numeric(j) && options.impute == Impute::constant) {
        fits[j].fill = static_cast<double>(static_cast<T>(options.impute_constant));
      } else if (numeric(j) && present[j] == 0) {
        throw InputError(train.source + ": column " + train.columns[j].name +
                         ": has no value to fill its missing ones with; remove the column");
      }
    }
    if (options.impute == Impute::mean) {
      const std::vector<double> sums = column_sums(team, data->rows(), cols, [&](Index i, Index j) {
        const double value = clipped(i, j);
        return std::isnan(value) ? 0.0 : value;
      });
      for (std::size_t j = 0; j < width; ++j) {
        if (numeric(j)) fits[j].fill = static_cast<double>(static_cast<T>(sums[j] / present[j]));
      }
    } else if (options.impute == Impute::median || options.impute == Impute::most_frequent) {
      parallel_for(team, cols, [&](Index column) {
        const auto j = static_cast<std::size_t>(column);
        if (!numeric(j)) return;
        std::vector<T> values = present_values(*data, column);
        if (clip) {
          const T low = static_cast<T>(fits[j].low);
          const T high = static_cast<T>(fits[j].high);
          for (T& value : values) value = std::clamp(value, low, high);
        }
        const double fill =
            options.impute == Impute::median ? median(values) : most_frequent(values);
        fits[j].fill = static_cast<double>(static_cast<T>(fill));
      });
    }
    for (std::size_t j = 0; j < width; ++j) {
      if (!numeric(j) || present[j] == static_cast<double>(data->rows())) continue;
      range[j].low = std::min(range[j].low, fits[j].fill);
      range[j].high = std::max(range[j].high, fits[j].fill);
    }
  }

  // Scaling sees what the algorithm would see without it: ordinal codes for categories.
  if (options.scale != Scale::none) {
    std::vector<std::vector<double>> code(width);  // code of a declared category
    std::vector<bool> scaled(width, true);
    for (std::size_t j = 0; j < width; ++j) {
      if (numeric(j)) continue;
      scaled[j] = options.encode == Encode::ordinal;
      range[j] = {};
      std::unordered_map<std::string_view, double> position;
      for (std::size_t c = 0; c < fits[j].categories.size(); ++c) {
        position.emplace(fits[j].categories[c], static_cast<double>(c));
      }
      for (const auto& name : train.columns[j].categories) {
        const auto found = position.find(name);
        code[j].push_back(found == position.end() ? fits[j].fill : found->second);
      }
      // Every category with a code occurs, but for a "missing" that was added and not needed.
      const bool unused = appended[j] && present[j] == static_cast<double>(data->rows());
      const auto most = static_cast<double>(fits[j].categories.size()) - (unused ? 2.0 : 1.0);
      if (most >= 0) range[j] = {0, most};
    }
    const auto seen = [&](Index i, Index column) {
      const auto j = static_cast<std::size_t>(column);
      double value = clipped(i, column);
      if (std::isnan(value)) return fits[j].fill;
      if (!code[j].empty()) value = code[j][static_cast<std::size_t>(value)];
      return value;
    };
    if (options.scale == Scale::minmax) {
      for (std::size_t j = 0; j < width; ++j) {
        if (!scaled[j] || !std::isfinite(range[j].low)) continue;
        fits[j].shift = range[j].low;
        if (!range[j].constant()) fits[j].divisor = range[j].high - range[j].low;
      }
    } else {
      std::vector<double> count(width);
      for (std::size_t j = 0; j < width; ++j) {
        count[j] = std::isnan(fits[j].fill) ? present[j] : static_cast<double>(data->rows());
      }
      std::vector<double> mean = column_sums(team, data->rows(), cols, [&](Index i, Index j) {
        const double value = seen(i, j);
        return std::isnan(value) ? 0.0 : value;
      });
      for (std::size_t j = 0; j < width; ++j) mean[j] = count[j] > 0 ? mean[j] / count[j] : 0.0;
      const std::vector<double> squares =
          column_sums(team, data->rows(), cols, [&](Index i, Index j) {
            const double deviation = seen(i, j) - mean[static_cast<std::size_t>(j)];
            return std::isnan(deviation) ? 0.0 : deviation * deviation;
          });
      for (std::size_t j = 0; j < width; ++j) {
        if (!scaled[j] || count[j] == 0) continue;
        // The mean of equal values may be off by a rounding; what is constant becomes exactly 0.
        fits[j].shift = range[j].constant() ? range[j].low : mean[j];
        const double deviation = std::sqrt(squares[j] / count[j]);
        if (!range[j].constant() && deviation > 0) fits[j].divisor = deviation;
      }
    }
    for (std::size_t j = 0; j < width; ++j) {
      if (!std::isfinite(fits[j].shift) || !std::isfinite(fits[j].divisor)) {
        throw InputError(train.source + ": column " + train.columns[j].name +
                         ": its values are too large to be scaled; divide them first");
      }
    }
  }
  result.make_outputs();
  return result;
}

template <Real T>
typename Preprocessor<T>::Fitted Preprocessor<T>::fit_transform(Dataset<T> train,
                                                                const PreprocessOptions& options,
                                                                int threads) {
  Preprocessor fitted = fit(train, options, threads);
  if (fitted.dropped_ > 0) train = select_rows(train, rows_without_outliers(train, fitted.fits_));
  Dataset<T> data = fitted.transform(std::move(train), threads);
  return {std::move(fitted), std::move(data)};
}

template <Real T>
Dataset<T> Preprocessor<T>::transform(Dataset<T> data, int threads) const {
  const int team = thread_count(threads);
  if (input_.empty()) return data;
  const Index cols = data.cols();
  const auto width = static_cast<std::size_t>(cols);
  if (width != input_.size() || data.columns.size() != width) {
    throw InputError(data.source + ": has " + std::to_string(cols) +
                     " feature columns, expected the " + std::to_string(input_.size()) +
                     " that the model was trained on");
  }
  const bool by_name = named(input_) && named(data.columns);
  for (std::size_t j = 0; j < width; ++j) {
    if (by_name && data.columns[j].name != input_[j].name) {
      throw InputError(data.source + ": column " + std::to_string(j + 1) + " is " +
                       data.columns[j].name + ", expected " + input_[j].name +
                       ", as in the training data");
    }
    if (data.columns[j].categorical() && !input_[j].categorical()) {
      throw InputError(data.source + ": column " + input_[j].name +
                       ": holds text, expected numbers, as in the training data");
    }
  }
  if (changes_nothing()) return data;

  // Categories become the codes of the training part: −1 for one that it lacks.
  T* const features = data.features.data();
  const Index rows = data.rows();
  const bool one_hot = options_.encode == Encode::one_hot;
  bool expands = false;
  constexpr Index rows_per_piece = 4096;
  for (std::size_t j = 0; j < width; ++j) {
    if (!input_[j].categorical()) continue;
    expands = expands || one_hot;
    const ColumnFit& fit = fits_[j];
    std::unordered_map<std::string_view, T> position;
    for (std::size_t c = 0; c < fit.categories.size(); ++c) {
      position.emplace(fit.categories[c], static_cast<T>(c));
    }
    // One-hot keeps a category without a code apart from a missing value: neither has an
    // indicator, but the missing one may be filled.
    const T unseen = one_hot ? T{-1} : static_cast<T>(fit.fill);
    const auto& declared = data.columns[j].categories;
    std::vector<T> code;
    for (const auto& name : declared) {
      const auto found = position.find(name);
      code.push_back(found == position.end() ? unseen : found->second);
    }
    const std::string& name = input_[j].name;
    parallel_pieces(team, rows, rows_per_piece, [&](Piece piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        T& value = features[i * cols + static_cast<Index>(j)];
        if (std::isnan(value)) {
          value = static_cast<T>(fit.fill);
        } else if (declared.empty()) {
          // The file has nothing but numbers in this column: they are names of categories.
          const auto found = position.find(shortest(value));
          value = found == position.end() ? unseen : found->second;
        } else if (value >= 0 && value < static_cast<T>(code.size())) {
          value = code[static_cast<std::size_t>(value)];
        } else {
          throw InputError(data.source + ": row " + std::to_string(i + 1) + ", column " + name +
                           ": is not the code of one of its categories");
        }
      }
    });
  }

  // Numbers, and ordinal codes: clip, fill, scale.
  const bool clip =
      options_.outliers != Outliers::none && options_.outlier_action == OutlierAction::clip;
  std::vector<T> low(width, -std::numeric_limits<T>::infinity());
  std::vector<T> high(width, std::numeric_limits<T>::infinity());
  std::vector<T> fill(width, std::numeric_limits<T>::quiet_NaN());
  std::vector<double> shift(width, 0.0);
  std::vector<double> divisor(width, 1.0);
  for (std::size_t j = 0; j < width; ++j) {
    if (input_[j].categorical() && one_hot) continue;
    if (clip) {
      low[j] = static_cast<T>(fits_[j].low);
      high[j] = static_cast<T>(fits_[j].high);
    }
    fill[j] = static_cast<T>(fits_[j].fill);
    shift[j] = fits_[j].shift;
    divisor[j] = fits_[j].divisor;
  }
  parallel_pieces(team, rows, rows_per_piece, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      T* const row = features + i * cols;
      for (std::size_t j = 0; j < width; ++j) {
        T value = row[j];
        value = value < low[j] ? low[j] : value;
        value = value > high[j] ? high[j] : value;
        value = value != value ? fill[j] : value;
        row[j] = static_cast<T>((static_cast<double>(value) - shift[j]) / divisor[j]);
      }
    }
  });

  if (expands) {
    const auto out_cols = static_cast<Index>(output_.size());
    Matrix<T> expanded(rows, out_cols);
    std::vector<Index> first(width);  // output column of the first category, or of the number
    for (Index out = out_cols - 1; out >= 0; --out) {
      first[static_cast<std::size_t>(source_[static_cast<std::size_t>(out)])] = out;
    }
    parallel_pieces(team, rows, rows_per_piece, [&](Piece piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        const T* const from = features + i * cols;
        T* const to = expanded.data() + i * out_cols;
        for (std::size_t j = 0; j < width; ++j) {
          if (!input_[j].categorical()) {
            to[first[j]] = from[j];
          } else if (from[j] >= 0) {
            to[first[j] + static_cast<Index>(from[j])] = T{1};
          }
        }
      }
    });
    data.features = std::move(expanded);
  }
  data.columns = output_;
  return data;
}

template <Real T>
void Preprocessor<T>::save(Archive& archive) const {
  archive.set("scale", to_string(options_.scale));
  archive.set("impute", to_string(options_.impute));
  archive.set("impute_constant", options_.impute_constant);
  archive.set("encode", to_string(options_.encode));
  archive.set("outliers", to_string(options_.outliers));
  archive.set("outlier_action", to_string(options_.outlier_action));
  archive.set("outlier_threshold", options_.outlier_threshold);
  archive.set("dropped_rows", dropped_);

  // Lists of categories are laid end to end, with their lengths beside them.
  std::vector<std::string> names;
  std::vector<std::string> declared;
  std::vector<std::int64_t> declared_count;
  std::vector<std::string> coded;
  std::vector<std::int64_t> coded_count;
  std::vector<std::int64_t> missing;
  std::vector<std::int64_t> outliers;
  std::vector<double> low;
  std::vector<double> high;
  std::vector<double> fill;
  std::vector<double> shift;
  std::vector<double> divisor;
  for (std::size_t j = 0; j < input_.size(); ++j) {
    const Column& column = input_[j];
    const ColumnFit& fit = fits_[j];
    names.push_back(column.name);
    declared.insert(declared.end(), column.categories.begin(), column.categories.end());
    declared_count.push_back(static_cast<std::int64_t>(column.categories.size()));
    coded.insert(coded.end(), fit.categories.begin(), fit.categories.end());
    coded_count.push_back(static_cast<std::int64_t>(fit.categories.size()));
    missing.push_back(fit.missing);
    outliers.push_back(fit.outliers);
    low.push_back(fit.low);
    high.push_back(fit.high);
    fill.push_back(fit.fill);
    shift.push_back(fit.shift);
    divisor.push_back(fit.divisor);
  }
  archive.set("columns", names);
  archive.set("declared", declared);
  archive.set_tensor("declared_count", declared_count);
  archive.set("categories", coded);
  archive.set_tensor("category_count", coded_count);
  archive.set_tensor("missing", missing);
  archive.set_tensor("outlier_count", outliers);
  archive.set("low", low);
  archive.set("high", high);
  archive.set("fill", fill);
  archive.set("shift", shift);
  archive.set("divisor", divisor);
}

template <Real T>
Preprocessor<T> Preprocessor<T>::load(const Archive& archive) {
  Preprocessor result;
  PreprocessOptions& options = result.options_;
  options.scale = load_enum<Scale>(archive, "scale");
  options.impute = load_enum<Impute>(archive, "impute");
  options.impute_constant = archive.get_double("impute_constant");
  options.encode = load_enum<Encode>(archive, "encode");
  options.outliers = load_enum<Outliers>(archive, "outliers");
  options.outlier_action = load_enum<OutlierAction>(archive, "outlier_action");
  options.outlier_threshold = archive.get_double("outlier_threshold");
  check(options);
  result.dropped_ = archive.get_int("dropped_rows", 0, std::numeric_limits<Index>::max());

  const std::vector<std::string>& names = archive.get_strings("columns");
  const auto count = static_cast<Index>(names.size());
  // Cuts a list of texts into one list per column; the lengths must use it up.
  const auto lists = [&](std::string_view texts_name, std::string_view counts_name) {
    const std::vector<std::string>& texts = archive.get_strings(texts_name);
    const auto& counts = archive.template get_tensor<std::int64_t>(counts_name, count);
    std::vector<std::vector<std::string>> parts(names.size());
    std::size_t used = 0;
    for (std::size_t j = 0; j < names.size(); ++j) {
      if (counts[j] < 0 || static_cast<std::uint64_t>(counts[j]) > texts.size() - used) {
        archive.fail(counts_name, "does not fit the list of categories");
      }
      const auto begin = texts.begin() + static_cast<std::ptrdiff_t>(used);
      parts[j].assign(begin, begin + counts[j]);
      used += static_cast<std::size_t>(counts[j]);
    }
    if (used != texts.size()) archive.fail(counts_name, "does not fit the list of categories");
    return parts;
  };
  const auto declared = lists("declared", "declared_count");
  const auto coded = lists("categories", "category_count");
  const auto numbers = [&](std::string_view name) -> const std::vector<double>& {
    const std::vector<double>& values = archive.get_doubles(name);
    if (values.size() != names.size()) archive.fail(name, "is not one number per column");
    return values;
  };
  const auto& missing = archive.template get_tensor<std::int64_t>("missing", count);
  const auto& outliers = archive.template get_tensor<std::int64_t>("outlier_count", count);
  const auto& low = numbers("low");
  const auto& high = numbers("high");
  const auto& fill = numbers("fill");
  const auto& shift = numbers("shift");
  const auto& divisor = numbers("divisor");
  for (std::size_t j = 0; j < names.size(); ++j) {
    const bool categorical = !declared[j].empty();
    if (!categorical && !coded[j].empty()) {
      archive.fail("categories", "column " + names[j] + " is numeric and has categories");
    }
    if (missing[j] < 0) archive.fail("missing", "is negative");
    if (outliers[j] < 0) archive.fail("outlier_count", "is negative");
    if (!(low[j] <= high[j])) archive.fail("low", "is above the upper bound");
    if (std::isinf(fill[j])) archive.fail("fill", "is infinite");
    if (categorical && !std::isnan(fill[j]) &&
        !(fill[j] >= 0 && fill[j] < static_cast<double>(coded[j].size()) &&
          fill[j] == std::trunc(fill[j]))) {
      archive.fail("fill", "is not the code of a category");
    }
    if (!std::isfinite(shift[j])) archive.fail("shift", "is not finite");
    if (!(divisor[j] > 0) || std::isinf(divisor[j])) archive.fail("divisor", "is not positive");
    result.input_.push_back({names[j], declared[j]});
    result.fits_.push_back(
        {missing[j], outliers[j], low[j], high[j], fill[j], shift[j], divisor[j], coded[j]});
  }
  result.make_outputs();
  return result;
}

template <Real T>
nlohmann::json Preprocessor<T>::to_json() const {
  nlohmann::json json;
  json["scale"] = to_string(options_.scale);
  json["impute"] = to_string(options_.impute);
  if (options_.impute == Impute::constant) json["impute_constant"] = options_.impute_constant;
  json["encode"] = to_string(options_.encode);
  json["outliers"] = to_string(options_.outliers);
  if (options_.outliers != Outliers::none) {
    json["outlier_action"] = to_string(options_.outlier_action);
    json["outlier_threshold"] = threshold_of(options_);
    json["dropped_rows"] = dropped_;
  }
  json["columns"] = nlohmann::json::array();
  for (std::size_t j = 0; j < input_.size(); ++j) {
    const ColumnFit& fit = fits_[j];
    nlohmann::json column;
    column["name"] = input_[j].name;
    column["missing"] = fit.missing;
    const bool categorical = input_[j].categorical();
    column["kind"] = categorical ? "categorical" : "numeric";
    if (categorical) column["categories"] = fit.categories;
    if (!std::isnan(fit.fill)) {
      if (categorical) {
        column["fill"] = fit.categories[static_cast<std::size_t>(fit.fill)];
      } else {
        column["fill"] = fit.fill;
      }
    }
    if (options_.outliers != Outliers::none && !categorical) {
      column["outliers"] = fit.outliers;
      if (std::isfinite(fit.low)) column["low"] = fit.low;
      if (std::isfinite(fit.high)) column["high"] = fit.high;
    }
    if (options_.scale != Scale::none && !(categorical && options_.encode != Encode::ordinal)) {
      column["shift"] = fit.shift;
      column["divisor"] = fit.divisor;
    }
    json["columns"].push_back(std::move(column));
  }
  return json;
}

template class Preprocessor<float>;
template class Preprocessor<double>;

}  // namespace tandem
