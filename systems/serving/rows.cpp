#include "systems/serving/rows.hpp"

#include <algorithm>

namespace tandem::serving {
namespace {

template <class Value>
std::vector<Value> part_of(const std::vector<Value>& values, Index first, Index count) {
  if (values.empty()) return {};
  const auto begin = values.begin() + first;
  return {begin, begin + count};
}

template <class Value>
void append(std::vector<Value>& values, const std::vector<Value>& more) {
  values.insert(values.end(), more.begin(), more.end());
}

}  // namespace

Answers part_of(const Answers& answers, Index first, Index count) {
  return std::visit(
      [&]<Real T>(const Predictions<T>& all) -> Answers {
        Predictions<T> part;
        part.values = part_of(all.values, first, count);
        part.labels = part_of(all.labels, first, count);
        if (const Index cols = all.probabilities.cols(); !all.probabilities.empty()) {
          part.probabilities = Matrix<T>(
              count, cols, part_of(all.probabilities.values(), first * cols, count * cols));
        }
        return part;
      },
      answers);
}

void append(Answers& answers, const Answers& more) {
  std::visit(
      [&]<Real T>(const Predictions<T>& added) {
        auto* held = std::get_if<Predictions<T>>(&answers);
        if (held == nullptr) {
          answers = added;
          return;
        }
        append(held->values, added.values);
        append(held->labels, added.labels);
        if (added.probabilities.empty()) return;
        std::vector<T> shares = std::move(held->probabilities.values());
        append(shares, added.probabilities.values());
        const Index cols = added.probabilities.cols();
        const auto rows = static_cast<Index>(shares.size()) / cols;
        held->probabilities = Matrix<T>(rows, cols, std::move(shares));
      },
      more);
}

void append(Rows& rows, const Rows& more) {
  for (const auto& [row, column] : more.unseen) rows.unseen.emplace_back(rows.count + row, column);
  append(rows.floats, more.floats);
  append(rows.doubles, more.doubles);
  rows.count += more.count;
}

}  // namespace tandem::serving
