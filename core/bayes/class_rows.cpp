#include "core/bayes/class_rows.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>

#include "core/data/base_margin.hpp"
#include "core/data/finite_rows.hpp"
#include "core/linear/rows.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "core/steps.hpp"
#include "core/sum_trees.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

// Per class the long sum of its rows' weights, rows of other classes adding nothing.
template <Real T>
std::vector<double> weights_by_class(const std::vector<std::int32_t>& labels,
                                     std::span<const T> weights, Index classes) {
  const auto n = static_cast<Index>(labels.size());
  SumTrees tree(classes);
  std::vector<double> lanes(static_cast<std::size_t>(classes * sum_lanes));
  std::vector<double> sums(static_cast<std::size_t>(classes));
  for (Index begin = 0; begin < n; begin += sum_block) {
    std::fill(lanes.begin(), lanes.end(), 0.0);
    for (Index i = begin; i < std::min(n, begin + sum_block); ++i) {
      const auto at = static_cast<std::size_t>(i);
      lanes[static_cast<std::size_t>(labels[at] * sum_lanes + (i - begin) % sum_lanes)] +=
          weights.empty() ? 1.0 : static_cast<double>(weights[at]);
    }
    for (Index c = 0; c < classes; ++c) {
      sums[static_cast<std::size_t>(c)] = add_lanes(lanes.data() + c * sum_lanes);
    }
    tree.add(sums.data());
  }
  tree.total(sums.data());
  return sums;
}

// Throws InputError where rows are not as CsrView says.
template <Real T>
void check_csr(const DatasetView<T>& data) {
  const CsrView<T>& x = data.sparse;
  const auto refuse = [&](Index row, const std::string& what) {
    throw InputError(data.source + ": row " + std::to_string(row + 1) + ": " + what);
  };
  if (x.offsets.size() != static_cast<std::size_t>(x.rows) + 1 ||
      x.columns.size() != x.values.size() || x.offsets.front() < 0 ||
      x.offsets.back() > static_cast<Index>(x.values.size())) {
    throw InputError(data.source +
                     ": the sparse rows need one offset per row and one more, and a "
                     "column for each value");
  }
  for (Index i = 0; i < x.rows; ++i) {
    const Index begin = x.offsets[static_cast<std::size_t>(i)];
    const Index end = x.offsets[static_cast<std::size_t>(i) + 1];
    if (end < begin) refuse(i, "its offset is less than the one before; expected ascending ones");
    for (Index p = begin; p < end; ++p) {
      const auto at = static_cast<std::size_t>(p);
      if (x.columns[at] < 0 || x.columns[at] >= x.cols) {
        refuse(i, "has a value in column " + std::to_string(x.columns[at]) + " of " +
                      std::to_string(x.cols));
      }
      if (p > begin && x.columns[at] <= x.columns[at - 1]) {
        refuse(i,
               "its columns are not in ascending order, or one stands there twice; sort the row "
               "and add up its duplicates");
      }
      if (!std::isfinite(x.values[at])) {
        refuse(i, "column " + data.feature_name(x.columns[at]) + ": " + shortest(x.values[at]) +
                      " is not finite");
      }
    }
  }
}

}  // namespace

template <Real T>
ClassRows<T>::ClassRows(Engine& engine, const DatasetView<T>& data, std::string_view algorithm,
                        bool allow_missing)
    : engine_(engine), data_(data) {
  refuse_base_margin(data, algorithm);
  check_rows(data);
  if (data.is_sparse()) {
    check_csr(data);
  } else {
    require_finite_rows(data, false, allow_missing, engine.threads());
  }
  Classes classes = encode_classes(data);
  if (classes.names.size() < 2) {
    throw InputError(data.source + ": every row has the class " + classes.names.front() + " in " +
                     data.target_column().name + "; expected at least two classes");
  }
  names_ = std::move(classes.names);
  class_weights_ = weights_by_class(classes.labels, data.weights, this->classes());
  target_.assign(classes.labels.begin(), classes.labels.end());
}

template <Real T>
std::vector<double> ClassRows<T>::some_row() const {
  Index row = 0;
  while (data_.has_weights() && !(data_.weights[static_cast<std::size_t>(row)] > T{0})) ++row;
  std::vector<double> values(static_cast<std::size_t>(data_.cols()), 0.0);
  if (!data_.is_sparse()) {
    const auto from = data_.features.row(row);
    std::copy(from.begin(), from.end(), values.begin());
    return values;
  }
  const auto at = static_cast<std::size_t>(row);
  for (auto p = static_cast<std::size_t>(data_.sparse.offsets[at]);
       p < static_cast<std::size_t>(data_.sparse.offsets[at + 1]); ++p) {
    values[static_cast<std::size_t>(data_.sparse.columns[p])] =
        static_cast<double>(data_.sparse.values[p]);
  }
  return values;
}

template <Real T>
void ClassRows<T>::require_nonnegative(std::string_view algorithm) const {
  const auto refuse = [&](Index row, Index column, T value) {
    throw InputError(data_.source + ": row " + std::to_string(row + 1) + ", column " +
                     data_.feature_name(column) + ": " + shortest(value) + " is negative; " +
                     std::string(algorithm) + " takes counts, 0 or more");
  };
  if (data_.is_sparse()) {
    for (Index i = 0; i < data_.rows(); ++i) {
      const auto begin =
          static_cast<std::size_t>(data_.sparse.offsets[static_cast<std::size_t>(i)]);
      const auto end =
          static_cast<std::size_t>(data_.sparse.offsets[static_cast<std::size_t>(i) + 1]);
      for (std::size_t p = begin; p < end; ++p) {
        if (data_.sparse.values[p] < T{0}) {
          refuse(i, data_.sparse.columns[p], data_.sparse.values[p]);
        }
      }
    }
    return;
  }
  // On several threads whether there is one, and then which.
  std::atomic<bool> some{false};
  parallel_pieces(engine_.threads(), data_.rows(), 256, [&](Piece rows) {
    bool here = false;
    for (Index i = rows.begin; i < rows.end; ++i) {
      for (const T value : data_.features.row(i)) here = here | (value < T{0});
    }
    if (here) some.store(true, std::memory_order_relaxed);
  });
  if (!some.load()) return;
  for (Index i = 0; i < data_.rows(); ++i) {
    for (Index j = 0; j < data_.cols(); ++j) {
      if (data_.features(i, j) < T{0}) refuse(i, j, data_.features(i, j));
    }
  }
}

template <Real T>
template <class F>
void ClassRows<T>::for_each_piece(F&& f) const {
  const Index n = data_.rows();
  const Index d = data_.cols();
  // 2^k blocks, as many as go to a device at a time; what stands in memory that the steps read is
  // one piece. Sparse rows are written out 16 MiB at a time, but a block at least.
  Index most = rows_at_once<T>(engine_, n, d, sum_block);
  if (data_.is_sparse()) {
    constexpr Index piece_bytes = Index{16} << 20;
    most = std::min(most, std::max(sum_block, piece_bytes / (d * static_cast<Index>(sizeof(T)))));
  }
  Index piece = sum_block;
  while (2 * piece <= most || (most >= n && piece < n)) piece *= 2;
  if (!data_.is_sparse()) {
    RowSource<T> source(engine_, data_, std::min(piece, n), target_);
    for (Index begin = 0; begin < n; begin += piece) {
      StopScope::check();
      f(source.rows(begin, std::min(piece, n - begin)));
    }
    return;
  }
  const Index rows = std::min(piece, n);
  require_memory(data_.source + ": " + std::to_string(rows) + " rows of " + std::to_string(d) +
                     " columns, written out",
                 saturating_product(saturating_product(rows, d), static_cast<Index>(sizeof(T))),
                 "take fewer columns");
  Matrix<T> written(rows, d);
  const CsrView<T>& x = data_.sparse;
  for (Index begin = 0; begin < n; begin += piece) {
    StopScope::check();
    const Index count = std::min(piece, n - begin);
    std::fill(written.values().begin(), written.values().end(), T{0});
    for (Index i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(begin + i);
      for (auto p = static_cast<std::size_t>(x.offsets[at]);
           p < static_cast<std::size_t>(x.offsets[at + 1]); ++p) {
        written(i, x.columns[p]) = x.values[p];
      }
    }
    const auto part = [&](std::span<const T> values) {
      return values.empty()
                 ? values
                 : values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
    };
    RowSource<T> source(engine_, written.view().rows_from(0, count), part(target_),
                        part(data_.weights), count);
    f(source.rows(0, count));
    // The next piece is written where this one stands.
    engine_.wait();
  }
}

template <Real T>
Matrix<double> ClassRows<T>::sums(ClassSum what, double threshold,
                                  const std::vector<double>& centre) const {
  const Index size = classes() * data_.cols();
  const auto steps = make_steps<BayesSteps, T>(engine_);
  const Buffer<double> middle = to_engine(engine_, centre);
  Buffer<double> node(engine_, size);
  std::vector<double> values(static_cast<std::size_t>(size));
  SumTrees tree(size);
  for_each_piece([&](const RowsView<T>& rows) {
    steps->class_sums(what, rows, classes(), threshold, middle, node);
    node.download(values);
    tree.add(values.data());
  });
  tree.total(values.data());
  for (Index e = 0; e < size; ++e) {
    if (std::isfinite(values[static_cast<std::size_t>(e)])) continue;
    throw NumericalError(data_.source + ": the " +
                         (what == ClassSum::squares ? "squared deviations" : "sums") +
                         " of column " + data_.feature_name(e % data_.cols()) +
                         " exceed the range of double precision; scale the features");
  }
  return {classes(), data_.cols(), std::move(values)};
}

template <Real T>
Matrix<double> ClassRows<T>::code_counts(const std::vector<Index>& first) const {
  const Index codes = first.back();
  const auto steps = make_steps<BayesSteps, T>(engine_);
  double largest = 1;
  if (data_.has_weights()) {
    largest = static_cast<double>(*std::max_element(data_.weights.begin(), data_.weights.end()));
  }
  // Without weights a unit is a row.
  const FixedPoint unit =
      data_.has_weights() ? FixedPoint::for_sum(data_.rows(), largest) : FixedPoint{};
  const int half = unit.exponent / 2;
  const double scale = std::ldexp(1.0, half);
  const double again = std::ldexp(1.0, unit.exponent - half);
  const Buffer<Index> begins = to_engine(engine_, first);
  Buffer<std::int64_t> counts(engine_, classes() * codes);
  counts.fill_zero();
  for_each_piece([&](const RowsView<T>& rows) {
    steps->count_codes(rows, classes(), codes, begins, scale, again, counts);
  });
  Matrix<double> result(classes(), codes);
  const std::vector<std::int64_t> units = counts.to_host();
  for (std::size_t e = 0; e < units.size(); ++e) result.values()[e] = unit.decode(units[e]);
  return result;
}

void check_priors(const std::vector<double>& priors) {
  if (priors.empty()) return;
  double sum = 0;
  for (const double prior : priors) sum += prior;
  if (std::abs(sum - 1) > 1e-6) {
    throw InputError(option("priors") + " add up to " + shortest(sum) + ", expected 1");
  }
}

std::vector<double> class_log_priors(std::string_view source, const std::vector<std::string>& names,
                                     const std::vector<double>& class_weights,
                                     const std::vector<double>& priors, bool uniform) {
  const std::size_t classes = names.size();
  if (!priors.empty() && priors.size() != classes) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    throw InputError(std::string(source) + ": has " + std::to_string(classes) + " classes (" +
                     list + ") but " + option("priors") + " has " + std::to_string(priors.size()) +
                     " numbers; give one per class, in this order");
  }
  double total = 0;
  for (const double weight : class_weights) total += weight;
  std::vector<double> logs(classes);
  for (std::size_t c = 0; c < classes; ++c) {
    double share = class_weights[c] / total;
    if (uniform) share = 1 / static_cast<double>(classes);
    if (!priors.empty()) share = priors[c];
    // A class without a row of weight has nothing to be recognised by.
    logs[c] = class_weights[c] > 0 && share > 0 ? math::log(share)
                                                : -std::numeric_limits<double>::infinity();
  }
  if (std::none_of(logs.begin(), logs.end(), [](double log) { return std::isfinite(log); })) {
    throw InputError(std::string(source) +
                     ": every class that has a row of weight above 0 has a "
                     "prior of 0; see " +
                     option("priors"));
  }
  return logs;
}

template class ClassRows<float>;
template class ClassRows<double>;

}  // namespace tandem
