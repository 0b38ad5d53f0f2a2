#include "tandem/data/generate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/random.hpp"

namespace tandem {
namespace {

constexpr Index rows_per_piece = 1024;
constexpr Index most_classes = Index{1} << 20;

// The random numbers of one generated set. Element (i, j) of the features owns the index
// i · features + j of the values and of the noise.
struct Numbers {
  explicit Numbers(std::uint64_t seed)
      : values(seed, Purpose::generated_value),
        noise(seed, Purpose::generated_noise),
        labels(seed, Purpose::generated_label),
        parameters(seed, Purpose::generated_parameters) {}
  Random values;
  Random noise;
  Random labels;
  Random parameters;
};

struct Checked {
  Index rows;
  Index features;
  double noise;
  Index classes;
  Index informative;
  int threads;
  Numbers numbers;
};

Checked checked(std::string_view kind, const GenerateOptions& options, double default_noise,
                Index fewest_features, Index default_classes, std::size_t element) {
  const std::string name = "generate " + std::string(kind) + ": ";
  if (options.rows < 1) {
    throw InputError(name + "rows is " + std::to_string(options.rows) + ", expected at least 1");
  }
  if (options.features < fewest_features) {
    throw InputError(name + "features is " + std::to_string(options.features) +
                     ", expected at least " + std::to_string(fewest_features));
  }
  const double noise = options.noise.value_or(default_noise);
  if (!(noise >= 0) || std::isinf(noise)) {
    throw InputError(name + "noise must be a finite number >= 0");
  }
  const Index classes = options.classes == 0 ? default_classes : options.classes;
  if (classes < 1 || classes > most_classes) {
    throw InputError(name + "classes is " + std::to_string(classes) + ", expected 1 to " +
                     std::to_string(most_classes));
  }
  Index informative = options.informative;
  if (informative == 0) {
    informative = std::min(options.features, std::max<Index>(2, (options.features + 1) / 2));
  }
  if (informative < 1 || informative > options.features) {
    throw InputError(name + "informative is " + std::to_string(options.informative) +
                     ", expected 1 to " + std::to_string(options.features) + ", the features");
  }
  const Index bytes = saturating_sum(
      saturating_product(saturating_product(options.rows, saturating_sum(options.features, 1)),
                         static_cast<Index>(element)),
      saturating_product(options.features, sizeof(Column)));
  const Index left = available_memory();
  if (bytes > left) {
    throw InputError(name + std::to_string(options.rows) + " rows of " +
                     std::to_string(options.features) + " features need " + readable_size(bytes) +
                     " of memory, but " + readable_size(left) + " are left");
  }
  return {options.rows,
          options.features,
          noise,
          classes,
          informative,
          options.threads > 0 ? options.threads : available_cores(),
          Numbers(options.seed)};
}

template <Real T>
Dataset<T> empty_set(std::string_view kind, const Checked& c, const char* target) {
  Dataset<T> data;
  data.source = "generated " + std::string(kind);
  data.features = Matrix<T>(c.rows, c.features);
  data.columns = numbered_columns(c.features);
  data.target.resize(static_cast<std::size_t>(c.rows));
  data.target_column.name = target;
  return data;
}

// Calls row(i, features of row i) for all rows and stores the targets it returns.
template <Real T, class Row>
void fill_rows(Dataset<T>& data, const Checked& c, Row&& row) {
  parallel_pieces(c.threads, c.rows, rows_per_piece, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      data.target[static_cast<std::size_t>(i)] = static_cast<T>(row(i, data.features.row(i)));
    }
  });
}

std::uint64_t element(const Checked& c, Index i, Index j) {
  return static_cast<std::uint64_t>(i) * static_cast<std::uint64_t>(c.features) +
         static_cast<std::uint64_t>(j);
}
double minus_one_to_one(const Random& random, std::uint64_t index) {
  return 2 * random.uniform<double>(index) - 1;
}

// Two curves of the plane by turns, with noise; the other features mean nothing. point(label, u)
// is the point at u in [0, 1) of a curve.
template <Real T, class Point>
Dataset<T> plane_curves(std::string_view kind, const GenerateOptions& options, double default_noise,
                        Point&& point) {
  const Checked c = checked(kind, options, default_noise, 2, 2, sizeof(T));
  auto data = empty_set<T>(kind, c, "class");
  fill_rows(data, c, [&](Index i, std::span<T> row) {
    const Index label = i % 2;
    const auto at = point(label, c.numbers.values.template uniform<double>(element(c, i, 0)));
    row[0] = static_cast<T>(at[0] + c.noise * c.numbers.noise.normal(element(c, i, 0)));
    row[1] = static_cast<T>(at[1] + c.noise * c.numbers.noise.normal(element(c, i, 1)));
    for (Index j = 2; j < c.features; ++j) {
      row[static_cast<std::size_t>(j)] = static_cast<T>(c.numbers.values.normal(element(c, i, j)));
    }
    return label;
  });
  return data;
}

}  // namespace

template <Real T>
Dataset<T> generate_blobs(const GenerateOptions& options) {
  const Checked c = checked("blobs", options, 1.0, 1, 3, sizeof(T));
  auto data = empty_set<T>("blobs", c, "class");
  fill_rows(data, c, [&](Index i, std::span<T> row) {
    const Index label = i % c.classes;
    for (Index j = 0; j < c.features; ++j) {
      const double centre = 10 * minus_one_to_one(c.numbers.parameters, element(c, label, j));
      row[static_cast<std::size_t>(j)] =
          static_cast<T>(centre + c.noise * c.numbers.values.normal(element(c, i, j)));
    }
    return label;
  });
  return data;
}

template <Real T>
Dataset<T> generate_moons(const GenerateOptions& options) {
  return plane_curves<T>("moons", options, 0.1, [](Index label, double u) {
    const double x = math::cos_pi(u);
    const double y = math::sin_pi(u);
    return label == 0 ? std::array{x, y} : std::array{1 - x, 0.5 - y};
  });
}

template <Real T>
Dataset<T> generate_circles(const GenerateOptions& options) {
  return plane_curves<T>("circles", options, 0.05, [](Index label, double u) {
    const double radius = label == 0 ? 1.0 : 0.5;
    return std::array{radius * math::cos_pi(2 * u), radius * math::sin_pi(2 * u)};
  });
}

template <Real T>
Dataset<T> generate_xor(const GenerateOptions& options) {
  const Checked c = checked("xor", options, 0.0, 2, 2, sizeof(T));
  auto data = empty_set<T>("xor", c, "class");
  fill_rows(data, c, [&](Index i, std::span<T> row) {
    for (Index j = 0; j < c.features; ++j) {
      double value = minus_one_to_one(c.numbers.values, element(c, i, j));
      if (j < 2) value += c.noise * c.numbers.noise.normal(element(c, i, j));
      row[static_cast<std::size_t>(j)] = static_cast<T>(value);
    }
    const bool left = minus_one_to_one(c.numbers.values, element(c, i, 0)) < 0;
    const bool below = minus_one_to_one(c.numbers.values, element(c, i, 1)) < 0;
    return left != below ? 1 : 0;
  });
  return data;
}

template <Real T>
Dataset<T> generate_classification(const GenerateOptions& options) {
  const Checked c = checked("classification", options, 0.01, 1, 2, sizeof(T));
  if (c.noise > 1) {
    throw InputError("generate classification: noise is a share of the rows, expected 0 to 1");
  }
  constexpr double separation = 1.5;
  auto data = empty_set<T>("classification", c, "class");
  fill_rows(data, c, [&](Index i, std::span<T> row) {
    const Index label = i % c.classes;
    for (Index j = 0; j < c.features; ++j) {
      double value = c.numbers.values.normal(element(c, i, j));
      if (j < c.informative)
        value += separation * c.numbers.parameters.normal(element(c, label, j));
      row[static_cast<std::size_t>(j)] = static_cast<T>(value);
    }
    const auto draw = 2 * static_cast<std::uint64_t>(i);
    if (c.numbers.labels.uniform<double>(draw) >= c.noise) return label;
    return c.numbers.labels.below(c.classes, draw + 1);
  });
  return data;
}

template <Real T>
Dataset<T> generate_regression(const GenerateOptions& options) {
  const Checked c = checked("regression", options, 1.0, 1, 2, sizeof(T));
  auto data = empty_set<T>("regression", c, "y");
  constexpr double largest_weight = 100;
  std::vector<double> weights;
  for (Index j = 0; j < c.informative; ++j) {
    weights.push_back(largest_weight *
                      minus_one_to_one(c.numbers.parameters, static_cast<std::uint64_t>(j) + 1));
  }
  const double offset = largest_weight * minus_one_to_one(c.numbers.parameters, 0);
  fill_rows(data, c, [&](Index i, std::span<T> row) {
    double target = offset;
    for (Index j = 0; j < c.features; ++j) {
      const auto at = static_cast<std::size_t>(j);
      row[at] = static_cast<T>(c.numbers.values.normal(element(c, i, j)));
      // Of the stored value, so that without noise the target is an exact function of the data.
      if (j < c.informative) target = std::fma(weights[at], static_cast<double>(row[at]), target);
    }
    return target + c.noise * c.numbers.noise.normal(static_cast<std::uint64_t>(i));
  });
  return data;
}

const std::vector<std::string_view>& generator_names() {
  static const std::vector<std::string_view> names{"blobs", "circles",    "classification",
                                                   "moons", "regression", "xor"};
  return names;
}

template <Real T>
Dataset<T> generate(std::string_view kind, const GenerateOptions& options) {
  if (kind == "blobs") return generate_blobs<T>(options);
  if (kind == "circles") return generate_circles<T>(options);
  if (kind == "classification") return generate_classification<T>(options);
  if (kind == "moons") return generate_moons<T>(options);
  if (kind == "regression") return generate_regression<T>(options);
  if (kind == "xor") return generate_xor<T>(options);
  std::string accepted;
  for (const auto name : generator_names()) {
    accepted += (accepted.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError("unknown generator '" + std::string(kind) + "': expected one of " + accepted);
}

#define TANDEM_INSTANTIATE(T)                                          \
  template Dataset<T> generate_blobs(const GenerateOptions&);          \
  template Dataset<T> generate_moons(const GenerateOptions&);          \
  template Dataset<T> generate_circles(const GenerateOptions&);        \
  template Dataset<T> generate_xor(const GenerateOptions&);            \
  template Dataset<T> generate_classification(const GenerateOptions&); \
  template Dataset<T> generate_regression(const GenerateOptions&);     \
  template Dataset<T> generate(std::string_view, const GenerateOptions&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem
