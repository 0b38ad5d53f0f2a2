// The steps of k-means on the GPU. What computes is in the kernels; kmeans.cuh says which is where.
#include <algorithm>
#include <cmath>
#include <vector>

// nvcc says of MatrixView<const T> that its conversion to itself is never called.
#pragma nv_diag_suppress 554
#include "core/cluster/kmeans_steps.hpp"
#include "cuda/cluster/kmeans.cuh"
#include "cuda/core/pieces.hpp"

namespace tandem::cuda {
namespace {

using kmeans::block_panels;
using kmeans::panel_rows;

// Rows stand on the device, or, where they do not fit, on the host, and are streamed; all else, 16
// to 24 bytes per row and what k × d takes, is always on the device.
template <Real T>
class KMeansCuda final : public KMeansSteps<T> {
 public:
  explicit KMeansCuda(Engine& engine)
      : engine_(cuda_engine(engine)), stream_(engine_), changed_(engine_, 1), totals_(engine_, 1) {}

  KMeansColumns measure(MatrixView<const T> x, std::span<const double> weights) override {
    Buffer<double> partial = pack(x, weights);
    KMeansColumns columns;
    columns.weight = weights.empty() ? static_cast<double>(x.rows) : long_sum(x.rows, [&](Index i) {
      return weights[static_cast<std::size_t>(i)];
    });
    columns.mean = add_up(partial, features_);
    for (double& mean : columns.mean) mean /= columns.weight;
    packed_ = x;
    return columns;
  }

  KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                    std::span<const T> origin) override {
    if (packed_.data != x.data || packed_.rows != x.rows || packed_.cols != x.cols ||
        packed_.stride != x.stride || weights_.empty() != weights.empty()) {
      (void)pack(x, weights);
    }
    packed_ = {};
    origin_ = to_engine(engine_, origin);

    Buffer<double> partial(engine_, blocks_ * features_);
    Buffer<T> largest(engine_, features_);
    largest.fill_zero();
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      // Moved in place: where the rows stand, or in the piece, which then goes back to the host.
      T* const panels = const_cast<T*>(rows.panels);
      kmeans::move_to_origin(engine_, panels, rows, origin_.data(), weights_of(first),
                             partial.data() + first / sum_block * features_, largest.data());
      if (!engine_.on_device(panels_.data())) {
        engine_.copy_within(
            panels_.data() + first * features_, panels,
            static_cast<std::size_t>(rows.block_count() * sum_block * features_) * sizeof(T));
      }
    });

    KMeansSpread spread;
    spread.square_sum = add_up(partial, features_);
    for (const T value : largest.to_host()) spread.largest.push_back(static_cast<double>(value));
    square_total_ = 0;
    for (const double sum : spread.square_sum) square_total_ += sum;

    const double heaviest = weights.empty() ? 1 : *std::max_element(weights.begin(), weights.end());
    weight_fixed_ = FixedPoint::for_sum(rows_, heaviest);
    std::vector<double> scales;
    std::vector<double> units;
    for (const double value : spread.largest) {
      const FixedPoint fixed = fixed_point_of_feature(rows_, heaviest * value);
      scales.push_back(std::ldexp(1.0, fixed.exponent));
      units.push_back(std::ldexp(1.0, -fixed.exponent));
    }
    scales_ = to_engine(engine_, scales);
    units_ = to_engine(engine_, units);
    distance_ = Buffer<T>();
    return spread;
  }

  void begin(Index k) override {
    expect(k);
    // In one piece, so that clearing them is one fill.
    sums_ = Buffer<unsigned long long>(engine_, k * (features_ + 2));
    sums_.fill_zero();
    partial_ = Buffer<double>(engine_, 3 * blocks_for(k * features_, sum_block));
    errors_ = Buffer<double>(engine_, features_);
    changed_.fill_zero();
    kmeans::fill(engine_, labels_.data(), rows_, -1);
  }

  void begin(Index k, std::span<const std::int32_t> labels) override {
    begin(k);
    next_labels_.upload(labels);
    for_each_piece([&](Index first, kmeans::Rows<T> rows) { move_sums(first, rows); });
    std::swap(labels_, next_labels_);
    changed_.fill_zero();
  }

  void assign(const Buffer<T>& centres) override {
    prepare(centres);
    changed_.fill_zero();
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      kmeans::assign(engine_, rows, prepared(), shape_, next_labels_.data() + first);
      move_sums(first, rows);
    });
    std::swap(labels_, next_labels_);
  }

  void label(const Buffer<T>& centres, Index k) override {
    expect(k);
    prepare(centres);
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      kmeans::assign(engine_, rows, prepared(), shape_, labels_.data() + first);
    });
  }

  void recentre(const Buffer<T>& centres, Buffer<T>& next) override {
    kmeans::recentre(engine_, centres.data(), origin_.data(), k_, features_, rows_, sums(),
                     changed_.data(), next.data(), partial_.data(), errors_.data(), totals_.data());
  }

  KMeansTotals totals() override {
    const kmeans::DeviceTotals found = totals_.to_host().front();
    KMeansTotals totals;
    totals.changed = static_cast<Index>(found.changed);
    totals.empty = static_cast<Index>(found.empty);
    totals.shift_squared = found.shift_squared;
    totals.cost = std::max(square_total_ + found.cost_terms, 0.0);
    totals.cost_error =
        cost_error_bound(rows_, k_ * features_, square_total_, found.magnitude, found.fixed_error);
    return totals;
  }

  double inertia(const Buffer<T>& centres) override {
    prepare(centres);
    Buffer<double> partial(engine_, blocks_);
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      kmeans::block_costs(engine_, rows, labels_.data() + first, weights_of(first), prepared(),
                          partial.data() + first / sum_block);
    });
    return add_up(partial, 1).front();
  }

  void distances_to_own_centres(const Buffer<T>& centres) override {
    prepare(centres);
    make_distance();
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      kmeans::distances_to_own_centres(engine_, rows, labels_.data() + first, prepared(),
                                       distance_.data() + first);
    });
  }

  void distances_to_rows(std::span<const Index> chosen, bool first_time) override {
    make_distance();
    const auto count = static_cast<Index>(chosen.size());
    if (count == 0) return;
    const Buffer<Index> numbers = to_engine(engine_, chosen);
    Buffer<T> gathered(engine_, kmeans::padded_rows(count) * features_);
    kmeans::gather_rows(engine_, all_rows(), numbers.data(), count, gathered.data());
    for_each_piece([&](Index first, kmeans::Rows<T> rows) {
      kmeans::distances_to_rows(engine_, rows, gathered.data(), count, first_time,
                                distance_.data() + first);
    });
  }

  double potential() override {
    kmeans::sum_pulls(engine_, pull(), rows_, potential_nodes_.data());
    add_block_sums(engine_, potential_nodes_.data(), blocks_, 1, potential_.data());
    return potential_.to_host().front();
  }

  Index sample(double u) override {
    kmeans::sum_pulls(engine_, pull(), rows_, potential_nodes_.data());
    Buffer<Index> row(engine_, 1);
    kmeans::sample(engine_, pull(), rows_, potential_nodes_.data(), u, row.data());
    return row.to_host().front();
  }

  std::vector<Index> sample_each(double factor, const Random& random,
                                 std::uint64_t first_index) override {
    // A part at a time, so that the memory for the rows drawn, whose number is not known before, is
    // small.
    constexpr Index at_once = Index{1} << 20;
    const Index part_rows = std::min(rows_, at_once);
    Buffer<std::byte> scratch(
        engine_, static_cast<Index>(kmeans::select_scratch_bytes<T>(engine_, part_rows)));
    // The last element is the number of rows drawn.
    Buffer<std::int32_t> chosen(engine_, part_rows + 1);
    std::vector<std::int32_t> drawn;
    std::vector<Index> all;
    for (Index first = 0; first < rows_; first += at_once) {
      const Index count = std::min(at_once, rows_ - first);
      kmeans::select_rows(engine_, pull(), first, count, factor, random, first_index, chosen.data(),
                          chosen.data() + part_rows, scratch.data(), scratch.bytes());
      std::int32_t found = 0;
      engine_.copy_to_host(&found, chosen.data() + part_rows, sizeof found);
      drawn.resize(static_cast<std::size_t>(found));
      engine_.copy_to_host(drawn.data(), chosen.data(), drawn.size() * sizeof found);
      for (const std::int32_t row : drawn) all.push_back(first + row);
    }
    return all;
  }

  KMeansFarthest farthest() override {
    Buffer<std::byte> scratch(
        engine_, static_cast<Index>(kmeans::farthest_scratch_bytes<T>(engine_, rows_)));
    Buffer<kmeans::Candidate> result(engine_, 1);
    kmeans::farthest(engine_, pull(), labels_.data(), sums().counts, rows_, result.data(),
                     scratch.data(), scratch.bytes());
    const kmeans::Candidate best = result.to_host().front();
    return {best.row, best.distance};
  }

  void move_row(Index row, std::int32_t centre) override {
    kmeans::move_row(engine_, all_rows(), weights_of(0), row, centre, labels_.data(), sums());
  }

  std::vector<std::int32_t> labels() override { return labels_.to_host(); }

  std::vector<Index> counts() override {
    std::vector<Index> all(static_cast<std::size_t>(k_));
    engine_.copy_to_host(all.data(), sums().counts, all.size() * sizeof(Index));
    return all;
  }

  std::vector<double> centre_weights() override {
    std::vector<double> all;
    if (weights_.empty()) {
      for (const Index count : counts()) all.push_back(static_cast<double>(count));
      return all;
    }
    std::vector<std::int64_t> fixed(static_cast<std::size_t>(k_));
    engine_.copy_to_host(fixed.data(), sums().weights, fixed.size() * sizeof(std::int64_t));
    for (const std::int64_t sum : fixed) all.push_back(weight_fixed_.decode(sum));
    return all;
  }

 private:
  // Memory for the rows x and all that is as long; the rows, as they are, in panels. Returns
  // Σ w·x of each block and feature.
  Buffer<double> pack(MatrixView<const T> x, std::span<const double> weights) {
    rows_ = x.rows;
    features_ = x.cols;
    blocks_ = blocks_for(rows_, sum_block);
    panels_ = Buffer<T>();
    labels_ = Buffer<std::int32_t>(engine_, rows_);
    next_labels_ = Buffer<std::int32_t>(engine_, rows_);
    weights_ = weights.empty() ? Buffer<double>() : to_engine(engine_, weights);
    potential_nodes_ = Buffer<double>(engine_, count_tree_nodes(blocks_));
    potential_ = Buffer<double>(engine_, 1);
    Buffer<double> partial(engine_, blocks_ * features_);
    panels_ = Buffer<T>(engine_, blocks_ * sum_block * features_, Placement::rows);
    const bool on_device = engine_.on_device(panels_.data());

    // As many blocks at a time as are worth a copy; what is packed of rows that stand on the host
    // goes back there.
    const Index block_elements = sum_block * features_;
    const auto block_bytes = static_cast<std::size_t>(block_elements) * sizeof(T);
    const std::size_t most = std::min(std::size_t{8} << 20, engine_.free_memory() / 4);
    const Index at_once = std::clamp<Index>(static_cast<Index>(most / block_bytes), 1, blocks_);
    Buffer<T> raw(engine_, std::min(at_once * sum_block, rows_) * features_);
    Buffer<T> piece(engine_, on_device ? 0 : at_once * block_elements);
    std::vector<T> gapless;
    for (Index block = 0; block < blocks_; block += at_once) {
      const Index first = block * sum_block;
      const Index count = std::min(at_once * sum_block, rows_ - first);
      const T* from = x.data + first * x.stride;
      if (!x.contiguous()) {
        gapless.resize(static_cast<std::size_t>(count * features_));
        for (Index i = 0; i < count; ++i) {
          std::copy_n(from + i * x.stride, features_, gapless.data() + i * features_);
        }
        from = gapless.data();
      }
      engine_.copy_from_host(raw.data(), from,
                             static_cast<std::size_t>(count * features_) * sizeof(T));
      T* const panels = on_device ? panels_.data() + block * block_elements : piece.data();
      kmeans::pack_rows(engine_, raw.data(), count, features_, panels);
      kmeans::sum_columns(engine_, kmeans::Rows<T>{panels, count, features_}, weights_of(first),
                          partial.data() + block * features_);
      if (!on_device) {
        engine_.copy_within(panels_.data() + block * block_elements, panels,
                            static_cast<std::size_t>(blocks_for(count, sum_block)) * block_bytes);
      }
    }
    // The host's memory is read by the second stream from now on.
    if (!on_device) engine_.wait();
    return partial;
  }

  // use(first row, the piece) for pieces of whole blocks that make up all rows.
  template <class Use>
  void for_each_piece(Use&& use) {
    stream_.for_each_piece(
        std::as_const(panels_).data(), blocks_, sum_block * features_,
        [&](Index block, Index count, const T* panels) {
          const Index first = block * sum_block;
          use(first,
              kmeans::Rows<T>{panels, std::min(count * sum_block, rows_ - first), features_});
        });
  }
  // All rows, wherever they stand: for the few kernels that read single rows.
  [[nodiscard]] kmeans::Rows<T> all_rows() const { return {panels_.data(), rows_, features_}; }

  [[nodiscard]] const double* weights_of(Index first) const {
    return weights_.empty() ? nullptr : weights_.data() + first;
  }
  [[nodiscard]] kmeans::Centres<T> prepared() {
    return {centre_values_.data(), centre_squares_.data(), k_, shape_.padded};
  }
  [[nodiscard]] kmeans::Sums sums() {
    unsigned long long* const values = sums_.data();
    return {.values = values,
            .weights = weights_.empty() ? nullptr : values + k_ * features_,
            .counts = values + k_ * (features_ + 1),
            .scales = scales_.data(),
            .units = units_.data(),
            .weight_scale = std::ldexp(1.0, weight_fixed_.exponent),
            .weight_unit = std::ldexp(1.0, -weight_fixed_.exponent)};
  }
  [[nodiscard]] kmeans::Pull<T> pull() const { return {distance_.data(), weights_of(0)}; }

  // Memory for k centres.
  void expect(Index k) {
    k_ = k;
    shape_ =
        kmeans::assign_shape(features_, k, sizeof(T), static_cast<int>(engine_.block_threads(128)));
    centre_values_ = Buffer<T>(engine_, shape_.padded * features_);
    centre_squares_ = Buffer<T>(engine_, shape_.padded);
  }
  void prepare(const Buffer<T>& centres) {
    kmeans::prepare_centres(engine_, centres.data(), origin_.data(), features_, prepared());
  }
  void move_sums(Index first, const kmeans::Rows<T>& rows) {
    kmeans::move_sums(engine_, rows, weights_of(first), labels_.data() + first,
                      next_labels_.data() + first, k_, sums(), changed_.data());
  }
  void make_distance() {
    if (distance_.empty()) distance_ = Buffer<T>(engine_, rows_);
  }

  // Adds the columns of sums of blocks, which it overwrites. Waits.
  std::vector<double> add_up(Buffer<double>& partial, Index columns) {
    Buffer<double> total(engine_, columns);
    add_block_sums(engine_, partial.data(), blocks_, columns, total.data());
    return total.to_host();
  }

  CudaEngine& engine_;
  PieceStream stream_;
  MatrixView<const T> packed_;  // the rows that panels_ has as they came, before load
  Index rows_ = 0;
  Index features_ = 0;
  Index blocks_ = 0;
  Buffer<T> panels_;  // [blocks · block_panels][features][panel_rows]: x'
  Buffer<T> origin_;
  Buffer<double> weights_;  // or empty
  Buffer<std::int32_t> labels_;
  Buffer<std::int32_t> next_labels_;  // change places with labels_ at each assign
  Buffer<T> distance_;                // squared; made when first asked for
  Buffer<double> potential_nodes_;    // the sums of blocks, and room for the tree above them
  Buffer<double> potential_;
  Buffer<double> scales_;  // of the fixed-point sums, per feature
  Buffer<double> units_;
  FixedPoint weight_fixed_;
  double square_total_ = 0;  // Σ w ‖x'‖²

  Index k_ = 0;
  kmeans::AssignShape shape_{};
  Buffer<unsigned long long> sums_;  // see kmeans::Sums: values, weights, counts
  Buffer<T> centre_values_;
  Buffer<T> centre_squares_;
  Buffer<double> partial_;
  Buffer<double> errors_;
  Buffer<unsigned long long> changed_;
  Buffer<kmeans::DeviceTotals> totals_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_kmeans_float32(tandem::Engine& engine) {
  return static_cast<tandem::KMeansSteps<float>*>(new tandem::cuda::KMeansCuda<float>(engine));
}
void* tandem_cuda_kmeans_float64(tandem::Engine& engine) {
  return static_cast<tandem::KMeansSteps<double>*>(new tandem::cuda::KMeansCuda<double>(engine));
}
}
