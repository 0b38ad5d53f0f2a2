// The steps of k-means on the CPU. What computes is in the kernels; kmeans.hpp says which is where.
#include "cpu/cluster/kmeans.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <span>
#include <vector>

#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "cpu/cluster/kmeans_bounds.hpp"
#include "cpu/cluster/kmeans_draw.hpp"
#include "cpu/cluster/kmeans_sums.hpp"

namespace tandem::cpu {
namespace {

template <Real T>
class KMeansCpu final : public KMeansSteps<T> {
 public:
  explicit KMeansCpu(Engine& engine) : engine_(engine), threads_(engine.threads()) {}

  KMeansColumns measure(MatrixView<const T> x, std::span<const double> weights) override {
    const Index blocks = sum_blocks(x.rows);
    const auto width = static_cast<std::size_t>(x.cols);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks) * width);
    const double* w = weights.empty() ? nullptr : weights.data();
    // As many blocks for each call as make the scratch memory worth its allocation.
    parallel_pieces(threads_, blocks, 16, [&](Piece piece) {
      visit_rows(x, piece.begin * sum_block, std::min(piece.end * sum_block, x.rows));
      std::vector<double> lanes(static_cast<std::size_t>(sum_lanes) * width);
      for (Index b = piece.begin; b < piece.end; ++b) {
        const Piece rows = piece_of(x.rows, sum_block, b);
        load_.column_lanes(x.data + rows.begin * x.stride, rows.size(), x.cols, x.stride,
                           w != nullptr ? w + rows.begin : nullptr, lanes.data());
        std::copy_n(lanes.data(), width, block_sums.data() + static_cast<std::size_t>(b) * width);
      }
    });
    KMeansColumns columns;
    columns.weight = weights.empty() ? static_cast<double>(x.rows) : long_sum(x.rows, [&](Index i) {
      return weights[static_cast<std::size_t>(i)];
    });
    add_block_sums(block_sums.data(), blocks, x.cols);
    columns.mean.assign(block_sums.begin(), block_sums.begin() + x.cols);
    for (double& mean : columns.mean) mean /= columns.weight;
    return columns;
  }

  void expect_centres(Index k) override { keeps_panels_ = k < least_centres_for_bounds; }

  KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                    std::span<const T> origin) override {
    x_ = x;
    rows_ = x.rows;
    features_ = x.cols;
    panels_ = ceil_div(rows_, panel_rows);
    origin_.assign(origin.begin(), origin.end());
    packed_ = keeps_panels_ ? Buffer<T>(engine_, panels_ * features_ * panel_rows) : Buffer<T>();
    labels_ = Buffer<std::int32_t>(engine_, panels_ * panel_rows);
    row_squares_ = Buffer<T>(engine_, panels_ * panel_rows);
    moves_.release();
    distance_ = Buffer<T>();
    weights_ = Buffer<double>();
    if (!weights.empty()) {
      weights_ = Buffer<double>(engine_, panels_ * panel_rows);
      weights_.fill_zero();
      std::copy(weights.begin(), weights.end(), weights_.data());
    }

    const Index blocks = sum_blocks(rows_);
    const auto width = static_cast<std::size_t>(features_);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks) * width);
    std::vector<T> largest(static_cast<std::size_t>(blocks) * width, T{0});
    // As many blocks for each call as make the scratch memory worth its allocation.
    parallel_pieces(threads_, blocks, 16, [&](Piece piece) {
      visit_rows(x_, piece.begin * sum_block, std::min(piece.end * sum_block, rows_));
      visit_packed(piece.begin * sum_block / panel_rows,
                   std::min(piece.end * sum_block / panel_rows, panels_), external::Access::write);
      Buffer<T> scratch(engine_, packed_.empty() ? sum_block * features_ : 0);
      for (Index b = piece.begin; b < piece.end; ++b) {
        const Piece rows = piece_of(rows_, sum_block, b);
        T* panels = packed_.empty() ? scratch.data() : packed_.data() + rows.begin * features_;
        for (Index i = rows.begin; i < rows.end; i += panel_rows) {
          pack_panel(i / panel_rows, panels + (i - rows.begin) * features_);
        }
        load_.block_spread(panels, ceil_div(rows.size(), panel_rows), features_,
                           weights_.empty() ? nullptr : weights_.data() + rows.begin,
                           block_sums.data() + static_cast<std::size_t>(b) * width,
                           largest.data() + static_cast<std::size_t>(b) * width);
      }
    });

    KMeansSpread spread;
    add_block_sums(block_sums.data(), blocks, features_);
    spread.square_sum.assign(block_sums.begin(), block_sums.begin() + features_);
    spread.largest.assign(width, 0.0);
    for (std::size_t at = 0; at < largest.size(); ++at) {
      double& most = spread.largest[at % width];
      most = std::max(most, static_cast<double>(largest[at]));
    }
    square_total_ = 0;
    for (const double sum : spread.square_sum) square_total_ += sum;

    double heaviest = 1;
    if (!weights.empty()) heaviest = *std::max_element(weights.begin(), weights.end());
    sums_.set_scales(engine_, rows_, spread.largest, heaviest, !weights.empty());
    return spread;
  }

  void begin(Index k) override {
    expect(k);
    changed_ = 0;
    sums_.begin(k);
    std::fill_n(labels_.data(), labels_.size(), -1);
    with_bounds_ = k >= least_centres_for_bounds;
    if (with_bounds_) moves_.begin(engine_, k, features_, panels_ * panel_rows);
  }

  void begin(Index k, std::span<const std::int32_t> labels) override {
    begin(k);
    for (Index i = 0; i < rows_; ++i) {
      if (labels[static_cast<std::size_t>(i)] >= 0) {
        move_row(i, labels[static_cast<std::size_t>(i)]);
      }
    }
  }

  void assign(const Buffer<T>& centres) override {
    move_centres(centres);
    tiles_.pack(engine_, moved_, features_, every_centre_);
    if (with_bounds_) {
      moves_.prepare(engine_, moved_, rows_, row_squares_.data(), labels_.data());
    } else {
      keep_panels();
    }
    AssignArgs<T> args = label_args();
    args.weights = weights_of_rows();
    args.scales = sums_.scales();
    args.weight_scale = sums_.weight_scale();
    args.stride = sums_.stride();
    args.row_squares = row_squares_.data();
    args.score_error = static_cast<T>(gamma_bound<T>(2 * features_ + 12));
    if (with_bounds_) moves_.put_into(args);
    // Each worker takes groups of panels as it gets to them and adds to sums of its own; whose turn
    // it is cannot show in sums of integers.
    const Index group = 2 * panels_per_block;
    const Index groups = ceil_div(panels_, group);
    const Index workers = std::min<Index>(std::max(threads_, 1), std::max<Index>(groups, 1));
    std::vector<std::vector<std::int64_t>> scratch(static_cast<std::size_t>(workers));
    std::vector<Index> changed(static_cast<std::size_t>(workers), 0);
    std::atomic<Index> next_group{0};
    parallel_for(threads_, workers, [&](Index worker) {
      auto& memory = scratch[static_cast<std::size_t>(worker)];
      memory.assign(sums_.scratch_size(), 0);
      AssignDelta delta = sums_.delta_in(memory);
      for (Index g = next_group++; g < groups; g = next_group++) {
        const Piece piece = piece_of(panels_, group, g);
        visit_panels(piece);
        kernels_.assign(args, piece.begin, piece.end, delta);
      }
      changed[static_cast<std::size_t>(worker)] = delta.changed;
    });
    changed_ = 0;
    for (const Index count : changed) changed_ += count;
    for (const auto& memory : scratch) {
      if (!memory.empty()) sums_.add(memory);
    }
  }

  void label(const Buffer<T>& centres, Index k) override {
    expect(k);
    move_centres(centres);
    tiles_.pack(engine_, moved_, features_, every_centre_);
    const AssignArgs<T> args = label_args();
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      visit_panels(piece);
      kernels_.label(args, piece.begin, piece.end);
    });
  }

  void recentre(const Buffer<T>& centres, Buffer<T>& next) override {
    move_centres(centres);
    totals_ = sums_.recentre(centres, moved_, origin_, square_total_, next);
    totals_.changed = changed_;
  }
  KMeansTotals totals() override { return totals_; }

  double inertia(const Buffer<T>& centres) override {
    move_centres(centres);
    keep_panels();
    const Index blocks = sum_blocks(rows_);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks));
    parallel_for(threads_, blocks, [&](Index b) {
      double lanes[sum_lanes] = {};
      const Piece rows = piece_of(rows_, sum_block, b);
      visit_panels({rows.begin / panel_rows, ceil_div(rows.end, panel_rows)});
      for (Index i = rows.begin; i < rows.end; i += panel_rows) {
        double cost[panel_rows];
        distances_.costs(packed_.data() + i * features_, features_, labels_.data() + i,
                         moved_.data(), cost);
        const Index here = std::min(panel_rows, rows.end - i);
        for (Index r = 0; r < here; ++r) {
          lanes[r] += weights_.empty() ? cost[r] : weights_.data()[i + r] * cost[r];
        }
      }
      block_sums[static_cast<std::size_t>(b)] = add_lanes(lanes);
    });
    add_block_sums(block_sums.data(), blocks);
    return block_sums[0];
  }

  void distances_to_own_centres(const Buffer<T>& centres) override {
    move_centres(centres);
    keep_panels();
    make_distance();
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      visit_panels(piece);
      for (Index p = piece.begin; p < piece.end; ++p) {
        distances_.to_own_centres(packed_.data() + p * features_ * panel_rows, features_,
                                  labels_.data() + p * panel_rows, moved_.data(),
                                  distance_.data() + p * panel_rows);
      }
    });
  }

  void distances_to_rows(std::span<const Index> rows, bool first) override {
    keep_panels();
    make_distance();
    if (first) {
      std::fill_n(distance_.data(), distance_.size(), std::numeric_limits<T>::infinity());
    }
    Buffer<T> gathered(engine_, static_cast<Index>(rows.size()) * features_);
    T* out = gathered.data();
    for (const Index row : rows) {
      for (Index j = 0; j < features_; ++j) *out++ = moved_value(row, j);
    }
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      visit_panels(piece);
      distances_.to_rows(packed_.data(), features_, piece.begin, piece.end, gathered.data(),
                         static_cast<Index>(rows.size()), distance_.data());
    });
  }

  double potential() override { return sum_pulls(threads_, pull(), rows_, potential_nodes_); }

  Index sample(double u) override {
    (void)potential();
    return cpu::sample<T>(pull(), rows_, potential_nodes_, u);
  }

  std::vector<Index> sample_each(double factor, const Random& random,
                                 std::uint64_t first_index) override {
    return select_rows(threads_, pull(), rows_, factor, random, first_index);
  }

  KMeansFarthest farthest() override {
    return cpu::farthest<T>(threads_, pull(), labels_.data(), sums_.counts(), rows_);
  }

  void move_row(Index row, std::int32_t centre) override {
    const std::int32_t from = labels_.data()[row];
    labels_.data()[row] = centre;
    if (with_bounds_) moves_.forget(row);
    const double weight = weights_.empty() ? 1.0 : weights_.data()[row];
    if (!(weight > 0)) return;
    std::vector<T> moved(static_cast<std::size_t>(features_));
    for (Index j = 0; j < features_; ++j) {
      moved[static_cast<std::size_t>(j)] = moved_value(row, j);
    }
    sums_.move_row(moved, weight, from, centre);
  }

  std::vector<std::int32_t> labels() override { return {labels_.data(), labels_.data() + rows_}; }
  std::vector<Index> counts() override { return sums_.counts(); }
  std::vector<double> centre_weights() override {
    std::vector<double> weights;
    for (Index c = 0; c < k_; ++c) weights.push_back(sums_.weight_of(c));
    return weights;
  }

 private:
  // What a pass reads and writes of these panels' rows.
  void visit_packed(Index begin, Index end, external::Access access) {
    visit_elements(packed_.data() + begin * features_ * panel_rows,
                   packed_.empty() ? 0 : (end - begin) * features_ * panel_rows, access);
  }
  void visit_panels(Piece piece) {
    if (!uses_external_memory()) return;
    if (packed_.empty()) {
      visit_rows(x_, piece.begin * panel_rows, std::min(piece.end * panel_rows, rows_));
    } else {
      visit_packed(piece.begin, piece.end, external::Access::read);
    }
    visit_elements(labels_.data() + piece.begin * panel_rows, piece.size() * panel_rows,
                   external::Access::write);
    visit_elements(row_squares_.data() + piece.begin * panel_rows, piece.size() * panel_rows);
  }
  // Packs a panel into [features][panel_rows]; notes ‖x'‖² of its rows.
  void pack_panel(Index panel, T* to) {
    const Index first = panel * panel_rows;
    load_.pack(x_.data + first * x_.stride, std::min(panel_rows, rows_ - first), features_,
               x_.stride, origin_.data(), to, row_squares_.data() + first);
  }
  // From here on the rows are kept packed: what passes over all of them again and again needs it.
  void keep_panels() {
    if (!packed_.empty()) return;
    packed_ = Buffer<T>(engine_, panels_ * features_ * panel_rows);
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      visit_rows(x_, piece.begin * panel_rows, std::min(piece.end * panel_rows, rows_));
      visit_packed(piece.begin, piece.end, external::Access::write);
      for (Index p = piece.begin; p < piece.end; ++p) {
        pack_panel(p, packed_.data() + p * features_ * panel_rows);
      }
    });
  }
  // Memory for k centres.
  void expect(Index k) {
    k_ = k;
    moved_ = Buffer<T>(engine_, k * features_);
    every_centre_.resize(static_cast<std::size_t>(k));
    for (std::size_t c = 0; c < every_centre_.size(); ++c) {
      every_centre_[c] = static_cast<std::int32_t>(c);
    }
  }
  // The arguments of a pass that labels rows and sums nothing.
  [[nodiscard]] AssignArgs<T> label_args() {
    AssignArgs<T> args{};
    args.packed = packed_.empty() ? nullptr : packed_.data();
    args.x = x_.data;
    args.x_stride = x_.stride;
    args.origin = origin_.data();
    args.rows = rows_;
    args.features = features_;
    args.all = tiles_.view();
    args.labels = labels_.data();
    return args;
  }
  void make_distance() {
    if (distance_.empty()) distance_ = Buffer<T>(engine_, panels_ * panel_rows);
  }
  [[nodiscard]] T moved_value(Index row, Index feature) const {
    return x_(row, feature) - origin_[static_cast<std::size_t>(feature)];
  }
  [[nodiscard]] const double* weights_of_rows() const {
    return weights_.empty() ? nullptr : weights_.data();
  }
  [[nodiscard]] KMeansPull<T> pull() const { return {distance_.data(), weights_of_rows()}; }

  // c' = fl(c − origin).
  void move_centres(const Buffer<T>& centres) {
    for (Index c = 0; c < k_; ++c) {
      for (Index j = 0; j < features_; ++j) {
        moved_.data()[c * features_ + j] =
            centres.data()[c * features_ + j] - origin_[static_cast<std::size_t>(j)];
      }
    }
  }

  Engine& engine_;
  int threads_;
  LoadKernels<T> load_ = load_kernels<T>();
  AssignKernels<T> kernels_ = assign_kernels<T>();
  DistanceKernels<T> distances_ = distance_kernels<T>();

  MatrixView<const T> x_;
  Index rows_ = 0;
  Index features_ = 0;
  Index panels_ = 0;
  std::vector<T> origin_;
  bool keeps_panels_ = true;
  Buffer<T> packed_;             // [panels][features][panel_rows]: x'; or empty
  Buffer<double> weights_;       // [panels · panel_rows], 0 past the end; or empty
  Buffer<std::int32_t> labels_;  // [panels · panel_rows]
  Buffer<T> row_squares_;        // [panels · panel_rows]: ‖x'‖²
  Buffer<T> distance_;           // [panels · panel_rows], squared
  std::vector<double> potential_nodes_;
  double square_total_ = 0;  // Σ w ‖x'‖²

  Index k_ = 0;
  Index changed_ = 0;
  KMeansTotals totals_;
  CentreSums<T> sums_;
  Buffer<T> moved_;  // [k][features]: c'
  std::vector<std::int32_t> every_centre_;
  CentreTiles<T> tiles_;
  bool with_bounds_ = false;
  CentreMoves<T> moves_;
};

}  // namespace
}  // namespace tandem::cpu

namespace tandem {

template <Real T>
std::unique_ptr<KMeansSteps<T>> KMeansSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<cpu::KMeansCpu<T>>(engine);
}

template std::unique_ptr<KMeansSteps<float>> KMeansSteps<float>::make_cpu(Engine&);
template std::unique_ptr<KMeansSteps<double>> KMeansSteps<double>::make_cpu(Engine&);

}  // namespace tandem
