#include "core/recommend/item_gram.hpp"

#include "core/parallel.hpp"
#include "core/recommend/knn_weights.hpp"
#include "core/watched_loop.hpp"

namespace tandem {

std::vector<double> item_gram(const Engine& engine, const SparseMatrix<double>& users,
                              double lambda) {
  const KnnWeights weights = knn_weights(users);
  const SparseMatrix<double> items = transposed(weights.values.view());
  const Index n = items.rows;
  const double unit = weights.unit * weights.unit;
  std::vector<double> gram(static_cast<std::size_t>(n * n));
  watched_pieces(engine.threads(), n, 16, [&](const Piece& piece) {
    std::vector<std::int64_t> row(static_cast<std::size_t>(n));
    for (Index i = piece.begin; i < piece.end; ++i) {
      std::fill(row.begin(), row.end(), 0);
      const auto of_item = items.columns_of(i);
      for (std::size_t p = 0; p < of_item.size(); ++p) {
        const auto own = static_cast<std::int64_t>(items.values_of(i)[p]);
        const auto columns = weights.values.columns_of(of_item[p]);
        const auto values = weights.values.values_of(of_item[p]);
        for (std::size_t k = 0; k < columns.size(); ++k) {
          row[static_cast<std::size_t>(columns[k])] += own * static_cast<std::int64_t>(values[k]);
        }
      }
      for (Index j = 0; j < n; ++j) {
        gram[static_cast<std::size_t>(i * n + j)] =
            static_cast<double>(row[static_cast<std::size_t>(j)]) * unit + (i == j ? lambda : 0.0);
      }
    }
  });
  return gram;
}

}  // namespace tandem
