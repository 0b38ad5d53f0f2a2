#include "agree/data.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "agree/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem::agree {
namespace {

constexpr std::string_view names[data_kinds] = {
    "random",   "duplicates",   "ties",         "constant-columns", "huge",    "tiny",
    "denormal", "mixed-scales", "signed-zeros", "near-equal",       "one-row", "one-column"};

// Squares of it and long sums of them stay inside the range of T.
template <Real T>
constexpr double large = sizeof(T) == 4 ? 1e12 : 1e100;

// The next few numbers of T above or below.
template <Real T>
T nudged(T value, Index steps) {
  const T towards =
      steps < 0 ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  for (Index i = std::abs(steps); i > 0; --i) value = std::nextafter(value, towards);
  return value;
}

template <Real T>
T value_of(DataKind kind, Draw& draw) {
  const double plain = draw.uniform(-1, 1);
  switch (kind) {
    case DataKind::ties: return static_cast<T>(draw.between(-2, 2));
    case DataKind::huge: return static_cast<T>(plain * large<T>);
    case DataKind::tiny: return static_cast<T>(plain / large<T>);
    case DataKind::denormal: {
      if (draw.below(4) == 0) return static_cast<T>(plain);
      const double least = static_cast<double>(std::numeric_limits<T>::denorm_min());
      const double digits = static_cast<double>(std::numeric_limits<T>::digits);
      const T magnitude =
          static_cast<T>(std::ldexp(least, static_cast<int>(draw.uniform() * digits)));
      return draw.flip() ? magnitude : -magnitude;
    }
    case DataKind::signed_zeros:
      if (draw.below(8) == 0) return static_cast<T>(plain);
      return draw.flip() ? T{0} : -T{0};
    case DataKind::near_equal: return nudged(static_cast<T>(0.7), draw.between(-3, 3));
    default: return static_cast<T>(plain);
  }
}

}  // namespace

std::string_view to_string(DataKind kind) noexcept { return names[static_cast<int>(kind)]; }

DataKind parse_data_kind(std::string_view name) {
  std::string list;
  for (int i = 0; i < data_kinds; ++i) {
    if (names[i] == name) return static_cast<DataKind>(i);
    list += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  throw InputError("unknown kind of data '" + std::string(name) + "'; expected one of " + list);
}

template <Real T>
Matrix<T> make_features(DataKind kind, Index rows, Index cols, Draw& draw) {
  if (kind == DataKind::one_row) rows = 1;
  if (kind == DataKind::one_column) cols = 1;
  Matrix<T> x(rows, cols);
  switch (kind) {
    case DataKind::random:
    case DataKind::constant_columns:
    case DataKind::mixed_scales: {
      // Groups whose centres are far apart for their width.
      Matrix<double> centre(3, cols);
      for (double& c : centre.values()) c = static_cast<double>(draw.between(-2, 2)) * 2;
      for (Index i = 0; i < rows; ++i) {
        const Index group = draw.below(3);
        for (Index j = 0; j < cols; ++j) {
          x(i, j) = static_cast<T>(centre(group, j) + draw.uniform(-0.5, 0.5));
        }
      }
      for (Index j = 0; j < cols; ++j) {
        if (kind == DataKind::constant_columns && j % 2 == 0) {
          const T value = static_cast<T>(draw.of({0.0, -0.0, 7.25, 0.1, 1e6}));
          for (Index i = 0; i < rows; ++i) x(i, j) = value;
        }
        if (kind == DataKind::mixed_scales) {
          const double scale = std::pow(10.0, static_cast<double>(draw.between(-9, 9)));
          for (Index i = 0; i < rows; ++i) {
            x(i, j) = static_cast<T>(static_cast<double>(x(i, j)) * scale);
          }
        }
      }
      break;
    }
    case DataKind::duplicates: {
      const Index distinct = std::min<Index>(rows, 5);
      for (Index i = 0; i < rows; ++i) {
        const Index from = i < distinct ? i : draw.below(distinct);
        for (Index j = 0; j < cols; ++j) {
          x(i, j) = from < i ? x(from, j) : static_cast<T>(draw.uniform(-1, 1));
        }
      }
      break;
    }
    case DataKind::near_equal: {
      std::vector<T> row(static_cast<std::size_t>(cols));
      for (T& value : row) value = static_cast<T>(draw.uniform(-1, 1));
      for (Index i = 0; i < rows; ++i) {
        for (Index j = 0; j < cols; ++j) {
          x(i, j) = nudged(row[static_cast<std::size_t>(j)], draw.between(-3, 3));
        }
      }
      break;
    }
    default:
      for (T& value : x.values()) value = value_of<T>(kind, draw);
  }
  return x;
}

template <Real T>
std::vector<T> make_values(DataKind kind, Index count, Draw& draw) {
  std::vector<T> values(static_cast<std::size_t>(count));
  const T constant = static_cast<T>(draw.uniform(-1, 1));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (kind == DataKind::constant_columns) {
      values[i] = constant;
    } else if (kind == DataKind::duplicates) {
      values[i] = i < 5 ? static_cast<T>(draw.uniform(-1, 1))
                        : values[static_cast<std::size_t>(draw.below(5))];
    } else if (kind == DataKind::mixed_scales) {
      values[i] = static_cast<T>(draw.uniform(-1, 1) *
                                 std::pow(10.0, static_cast<double>(draw.between(-9, 9))));
    } else {
      values[i] = value_of<T>(kind, draw);
    }
  }
  return values;
}

template <Real T>
std::vector<T> make_target(DataKind kind, const Matrix<T>& x, Draw& draw) {
  std::vector<T> target;
  double scale = 0;
  for (const T value : x.values()) scale = std::max(scale, std::abs(static_cast<double>(value)));
  for (Index i = 0; i < x.rows(); ++i) {
    double y = 0.25 * scale * draw.uniform(-1, 1);
    for (Index j = 0; j < x.cols(); ++j) {
      y += (j % 2 == 0 ? 1.5 : -0.75) * static_cast<double>(x(i, j));
    }
    target.push_back(kind == DataKind::ties ? static_cast<T>(std::nearbyint(y))
                                            : static_cast<T>(y));
  }
  return target;
}

template <Real T>
std::vector<std::int32_t> make_labels(const Matrix<T>& x, Index classes, Draw& draw) {
  std::vector<std::int32_t> labels;
  double scale = 0;
  for (const T value : x.values()) scale = std::max(scale, std::abs(static_cast<double>(value)));
  for (Index i = 0; i < x.rows(); ++i) {
    if (i < classes) {
      labels.push_back(static_cast<std::int32_t>(i));
      continue;
    }
    double score = 0;
    for (Index j = 0; j < x.cols(); ++j) score += static_cast<double>(x(i, j));
    score = scale > 0 ? score / scale : 0;
    const auto near = static_cast<Index>(std::floor((score + 1) * 1.5)) % classes;
    const Index label = draw.below(4) == 0 ? draw.below(classes) : (near + classes) % classes;
    labels.push_back(static_cast<std::int32_t>(label));
  }
  return labels;
}

template <Real T>
std::vector<T> make_weights(Index rows, Draw& draw) {
  std::vector<T> weights;
  for (Index i = 0; i < rows; ++i) {
    weights.push_back(static_cast<T>(draw.below(5)) / T{2});
  }
  if (rows > 0) weights.front() = T{1};
  return weights;
}

#define TANDEM_INSTANTIATE(T)                                                     \
  template Matrix<T> make_features(DataKind, Index, Index, Draw&);                \
  template std::vector<T> make_values(DataKind, Index, Draw&);                    \
  template std::vector<T> make_target(DataKind, const Matrix<T>&, Draw&);         \
  template std::vector<std::int32_t> make_labels(const Matrix<T>&, Index, Draw&); \
  template std::vector<T> make_weights(Index, Draw&)
TANDEM_INSTANTIATE(float);
TANDEM_INSTANTIATE(double);
#undef TANDEM_INSTANTIATE

}  // namespace tandem::agree

namespace tandem {

const std::vector<std::string>& agreement_kinds() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const auto name : agree::names) list.emplace_back(name);
    return list;
  }();
  return all;
}

}  // namespace tandem
