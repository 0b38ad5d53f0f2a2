#include "tandem/data/generate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "core/data/generate_steps.hpp"
#include "core/data/generated_rows.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/names.hpp"

namespace tandem {
namespace {

constexpr Index rows_per_piece = 1024;
constexpr Index most_classes = Index{1} << 20;

struct Checked {
  Index rows;
  int threads;
  GeneratedRows set;
};

// Properties in which the kinds differ besides their formulas.
struct Kind {
  GeneratorKind kind;
  std::string_view name;
  double noise;
  Index fewest_features;
  Index classes;
  const char* target;
};
constexpr std::array<Kind, 6> kinds{
    {{GeneratorKind::blobs, "blobs", 1.0, 1, 3, "class"},
     {GeneratorKind::circles, "circles", 0.05, 2, 2, "class"},
     {GeneratorKind::classification, "classification", 0.01, 1, 2, "class"},
     {GeneratorKind::moons, "moons", 0.1, 2, 2, "class"},
     {GeneratorKind::regression, "regression", 1.0, 1, 2, "y"},
     {GeneratorKind::xor_signs, "xor", 0.0, 2, 2, "class"}}};

const Kind& find_kind(std::string_view name) {
  for (const Kind& kind : kinds) {
    if (kind.name == name) return kind;
  }
  std::vector<std::string_view> names;
  for (const Kind& kind : kinds) names.push_back(kind.name);
  return kinds[find_name("generator", name, names)];
}

Checked checked(const Kind& kind, const GenerateOptions& options, std::size_t element) {
  const std::string name = "generate " + std::string(kind.name) + ": ";
  if (options.rows < 1) {
    throw InputError(name + "rows is " + std::to_string(options.rows) + ", expected at least 1");
  }
  if (options.features < kind.fewest_features) {
    throw InputError(name + "features is " + std::to_string(options.features) +
                     ", expected at least " + std::to_string(kind.fewest_features));
  }
  const double noise = options.noise.value_or(kind.noise);
  if (!(noise >= 0) || std::isinf(noise)) {
    throw InputError(name + "noise must be a finite number >= 0");
  }
  if (kind.kind == GeneratorKind::classification && noise > 1) {
    throw InputError(name + "noise is a share of the rows, expected 0 to 1");
  }
  const Index classes = options.classes == 0 ? kind.classes : options.classes;
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
  return {options.rows, options.threads > 0 ? options.threads : available_cores(),
          GeneratedRows{kind.kind, options.features, noise, classes, informative,
                        Random(options.seed, Purpose::generated_value),
                        Random(options.seed, Purpose::generated_noise),
                        Random(options.seed, Purpose::generated_label),
                        Random(options.seed, Purpose::generated_parameters)}};
}

std::vector<double> weights_of(const GeneratedRows& set) {
  std::vector<double> weights;
  if (set.kind != GeneratorKind::regression) return weights;
  for (Index j = 0; j < set.informative; ++j) weights.push_back(set.weight(j));
  return weights;
}

}  // namespace

template <Real T>
GeneratedOnEngine<T> generate_on_engine(Engine& engine, std::string_view name,
                                        const GenerateOptions& options) {
  const Checked c = checked(find_kind(name), options, sizeof(T));
  GeneratedOnEngine<T> data{Buffer<T>(engine, c.rows * c.set.features), Buffer<T>(engine, c.rows)};
  make_steps<GenerateSteps, T>(engine)->generate(c.set, to_engine(engine, weights_of(c.set)),
                                                 data.x, data.target);
  return data;
}

template <Real T>
Dataset<T> generate(std::string_view name, const GenerateOptions& options) {
  const Kind& kind = find_kind(name);
  const Checked c = checked(kind, options, sizeof(T));
  Dataset<T> data;
  data.source = "generated " + std::string(kind.name);
  data.features = Matrix<T>(c.rows, c.set.features);
  data.columns = numbered_columns(c.set.features);
  data.target.resize(static_cast<std::size_t>(c.rows));
  data.target_column.name = kind.target;
  const std::vector<double> weights = weights_of(c.set);
  parallel_pieces(c.threads, c.rows, rows_per_piece, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      data.target[static_cast<std::size_t>(i)] =
          c.set.fill(i, weights.data(), data.features.row(i).data());
    }
  });
  return data;
}

template <Real T>
Dataset<T> generate_blobs(const GenerateOptions& options) {
  return generate<T>("blobs", options);
}
template <Real T>
Dataset<T> generate_moons(const GenerateOptions& options) {
  return generate<T>("moons", options);
}
template <Real T>
Dataset<T> generate_circles(const GenerateOptions& options) {
  return generate<T>("circles", options);
}
template <Real T>
Dataset<T> generate_xor(const GenerateOptions& options) {
  return generate<T>("xor", options);
}
template <Real T>
Dataset<T> generate_classification(const GenerateOptions& options) {
  return generate<T>("classification", options);
}
template <Real T>
Dataset<T> generate_regression(const GenerateOptions& options) {
  return generate<T>("regression", options);
}

const std::vector<std::string_view>& generator_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Kind& kind : kinds) all.push_back(kind.name);
    return all;
  }();
  return names;
}

#define TANDEM_INSTANTIATE(T)                                                 \
  template Dataset<T> generate_blobs(const GenerateOptions&);                 \
  template Dataset<T> generate_moons(const GenerateOptions&);                 \
  template Dataset<T> generate_circles(const GenerateOptions&);               \
  template Dataset<T> generate_xor(const GenerateOptions&);                   \
  template Dataset<T> generate_classification(const GenerateOptions&);        \
  template Dataset<T> generate_regression(const GenerateOptions&);            \
  template Dataset<T> generate(std::string_view, const GenerateOptions&);     \
  template GeneratedOnEngine<T> generate_on_engine(Engine&, std::string_view, \
                                                   const GenerateOptions&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem
