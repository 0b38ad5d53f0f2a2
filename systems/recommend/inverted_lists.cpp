#include "systems/recommend/inverted_lists.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numeric>
#include <unordered_set>

#include "core/random.hpp"
#include "systems/recommend/inner_products.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/views.hpp"

namespace tandem::recommend {
namespace {

constexpr std::size_t rows_per_list = 64;  // of the sample that the centres are found in
constexpr std::size_t piece = 64;          // rows whose products are worked out together
constexpr std::size_t blocks_of_piece = piece / CodedRows::block;

bool better(const Scored& a, const Scored& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

// Keeps the `count` best of what it is given, and up to as many more until it looks again.
class Best {
 public:
  Best(std::size_t count, std::vector<Scored>& kept)
      : count_(count), full_(2 * count + piece), kept_(kept) {
    kept_.clear();
    kept_.reserve(full_);
  }
  void add(ItemNumber item, float score) {
    if (score < least_) return;
    kept_.push_back({item, score});
    if (kept_.size() >= full_) shrink();
  }
  // What an item must have at least to be kept.
  [[nodiscard]] float least() const { return least_; }
  // The best are what is left, in no order.
  void finish() {
    if (kept_.size() > count_) shrink();
  }

 private:
  void shrink() {
    const auto middle = kept_.begin() + static_cast<std::ptrdiff_t>(count_) - 1;
    std::nth_element(kept_.begin(), middle, kept_.end(), better);
    least_ = middle->score;
    kept_.resize(count_);
  }

  std::size_t count_;
  std::size_t full_;
  std::vector<Scored>& kept_;
  float least_ = -std::numeric_limits<float>::infinity();
};

// Processor time of the calling thread.
double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Of the vectors that are best by their codes so many more than are asked for are looked at again.
std::size_t looked_at_again(std::size_t count) { return count + count / 4 + 32; }

}  // namespace

InvertedLists::InvertedLists(const PaddedRows& vectors, const ListsOptions& options)
    : vectors_(vectors), wanted_(options.recall) {
  const std::size_t n = vectors.rows();
  const std::size_t width = vectors.width();
  const std::size_t stride = vectors.stride();
  std::size_t lists = options.lists > 0
                          ? static_cast<std::size_t>(options.lists)
                          : static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(n)));
  lists = std::clamp<std::size_t>(lists, 1, std::max<std::size_t>(n, 1));
  // A sample without replacement of a fixed seed, so that the same file gives the same lists.
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const Random random(options.seed, Purpose::sampling);
  const std::size_t sampled = std::min(n, lists * rows_per_list);
  for (std::size_t i = 0; i < sampled; ++i) {
    std::swap(order[i],
              order[i + static_cast<std::size_t>(random.below(static_cast<Index>(n - i), i))]);
  }
  // Lists are of directions: an inner product is a length times what the direction gives.
  std::vector<float> lengths(n);
  for (std::size_t i = 0; i < n; ++i) {
    float squares = 0;
    for (std::size_t c = 0; c < width; ++c) squares += vectors.row(i)[c] * vectors.row(i)[c];
    lengths[i] = std::sqrt(squares);
  }
  const auto copy_direction = [&](std::size_t row, float* to) {
    std::copy(vectors.row(row), vectors.row(row) + width, to);
    if (!(lengths[row] > 0)) return;
    for (std::size_t c = 0; c < width; ++c) to[c] /= lengths[row];
  };
  Matrix<float> sample(static_cast<Index>(sampled), static_cast<Index>(width));
  for (std::size_t i = 0; i < sampled; ++i) {
    copy_direction(order[i], sample.row(static_cast<Index>(i)).data());
  }
  std::unordered_set<std::string_view> distinct;
  for (std::size_t i = 0; i < sampled && distinct.size() < 2 * lists; ++i) {
    const auto row = sample.row(static_cast<Index>(i));
    distinct.insert({reinterpret_cast<const char*>(row.data()), row.size_bytes()});
  }
  // Of −0 and 0, which are one value and two texts, there may be fewer than were counted.
  lists = std::min(lists, std::max<std::size_t>(distinct.size() / 2, 1));
  if (lists > 1) {
    const auto engine = Engine::create({.threads = options.threads});
    KMeansOptions kmeans;
    kmeans.clusters = static_cast<std::int64_t>(lists);
    kmeans.init = KMeansInit::random;
    kmeans.starts = 1;
    kmeans.max_iterations = options.iterations;
    kmeans.seed = options.seed;
    const auto model = fit(*engine, view_of<float>(sample.view()), kmeans);
    centres_ = PaddedRows(model.centres.view());
  } else {
    centres_ = PaddedRows(1, width);
  }
  // The nearest centre: the greatest of x·c − ‖c‖²/2.
  std::vector<float> halves(lists);
  for (std::size_t c = 0; c < lists; ++c) {
    const float* const at = centres_.row(c);
    halves[c] = std::inner_product(at, at + stride, at, 0.0F) / 2;
  }
  std::vector<std::uint32_t> list_of(n);
  CacheLines<float> row(stride, 0.0F);
  std::vector<float> products(lists);
  std::vector<std::size_t> sizes(lists, 0);
  for (std::size_t i = 0; i < n; ++i) {
    copy_direction(i, row.data());
    inner_products(row.data(), centres_.data(), lists, stride, products.data());
    std::size_t nearest = 0;
    for (std::size_t c = 1; c < lists; ++c) {
      if (products[c] - halves[c] > products[nearest] - halves[nearest]) nearest = c;
    }
    list_of[i] = static_cast<std::uint32_t>(nearest);
    ++sizes[nearest];
  }
  // Each list begins with a block.
  starts_.assign(lists + 1, 0);
  ends_.resize(lists);
  for (std::size_t l = 0; l < lists; ++l) {
    ends_[l] = starts_[l] + sizes[l];
    starts_[l + 1] = (ends_[l] + CodedRows::block - 1) / CodedRows::block * CodedRows::block;
  }
  std::vector<std::size_t> next(starts_.begin(), starts_.end() - 1);
  codes_ = CodedRows(starts_.back(), width);
  items_.assign(starts_.back(), no_item);
  lengths_.assign(starts_.back(), 0.0F);
  // In each list the longest vectors come first, so that a search can leave the rest of it.
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  for (const std::size_t i : order) {
    const std::size_t at = next[list_of[i]]++;
    items_[at] = static_cast<ItemNumber>(i);
    lengths_[at] = lengths[i];
    codes_.set(at, {vectors.row(i), width});
  }
  looked_at_ = lists;
}

bool InvertedLists::search_lists(std::span<const float> query, std::size_t count,
                                 std::size_t probed, SteadyTime deadline, std::vector<Scored>& best,
                                 std::size_t& seen) const {
  thread_local std::vector<float> of_centres;
  thread_local std::vector<std::uint32_t> order;
  const std::size_t stride = vectors_.stride();
  of_centres.resize(lists());
  inner_products(query.data(), centres_.data(), lists(), stride, of_centres.data());
  // Of equal directions the list of the longest vectors has the greatest products.
  for (std::size_t l = 0; l < lists(); ++l) {
    if (starts_[l] < ends_[l]) of_centres[l] *= lengths_[starts_[l]];
  }
  order.resize(lists());
  std::iota(order.begin(), order.end(), 0U);
  probed = std::min(probed, lists());
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(probed);
  const auto first = [&](std::uint32_t a, std::uint32_t b) {
    return of_centres[a] != of_centres[b] ? of_centres[a] > of_centres[b] : a < b;
  };
  if (probed < lists()) std::nth_element(order.begin(), middle, order.end(), first);
  std::sort(order.begin(), middle, first);
  // No product is greater than that of the lengths, and one of codes hardly.
  float length = 0;
  for (const float value : query) length += value * value;
  length = std::sqrt(length) * 1.01F;
  const CodedRows::Query coded(codes_, query.first(vectors_.width()));
  Best kept(looked_at_again(count), best);
  std::uint32_t places[piece];
  float products[piece];
  bool in_time = true;
  for (std::size_t l = 0; l < probed; ++l) {
    if (l % 8 == 0 && std::chrono::steady_clock::now() > deadline) {
      in_time = false;
      break;
    }
    const std::size_t end = ends_[order[l]];
    for (std::size_t r = starts_[order[l]]; r < end; r += piece) {
      if (length * lengths_[r] < kept.least()) break;
      const std::size_t rows = std::min(piece, end - r);
      const std::size_t blocks =
          std::min(blocks_of_piece, (rows + CodedRows::block - 1) / CodedRows::block);
      const std::size_t found = codes_.at_least(coded, r, blocks, kept.least(), places, products);
      for (std::size_t k = 0; k < found; ++k) kept.add(items_[r + places[k]], products[k]);
      seen += rows;
    }
  }
  kept.finish();
  constexpr std::size_t ahead = 8;
  for (std::size_t i = 0; i < best.size(); ++i) {
    if (i + ahead < best.size()) {
      const float* const next = vectors_.row(best[i + ahead].item);
      for (std::size_t c = 0; c < stride; c += 16) __builtin_prefetch(next + c);
    }
    inner_products(query.data(), vectors_.row(best[i].item), 1, stride, &best[i].score);
  }
  std::sort(best.begin(), best.end(), better);
  if (best.size() > count) best.resize(count);
  return in_time;
}

bool InvertedLists::search(std::span<const float> query, std::size_t count, SteadyTime deadline,
                           std::vector<Scored>& best) const {
  if (looked_at_ == lists() && std::chrono::steady_clock::now() <= deadline) {
    search_all(query, count, best);
    return true;
  }
  std::size_t seen = 0;
  return search_lists(query, count, looked_at_, deadline, best, seen);
}

void InvertedLists::search_all(std::span<const float> query, std::size_t count,
                               std::vector<Scored>& best) const {
  Best kept(count, best);
  float products[piece];
  for (std::size_t r = 0; r < vectors_.rows(); r += piece) {
    const std::size_t rows = std::min(piece, vectors_.rows() - r);
    inner_products(query.data(), vectors_.row(r), rows, vectors_.stride(), products);
    for (std::size_t k = 0; k < rows; ++k) kept.add(static_cast<ItemNumber>(r + k), products[k]);
  }
  kept.finish();
  std::sort(best.begin(), best.end(), better);
}

void InvertedLists::calibrate(const PaddedRows& queries) {
  constexpr std::size_t best_count = 100;
  if (queries.rows() == 0 || items_.empty()) return;
  const auto query = [&](std::size_t i) {
    return std::span<const float>(queries.row(i), queries.stride());
  };
  const auto us_per_query = [&](double begin) {
    return (thread_seconds() - begin) / static_cast<double>(queries.rows()) * 1e6;
  };
  std::vector<std::vector<Scored>> truth(queries.rows());
  double begin = thread_seconds();
  for (std::size_t i = 0; i < queries.rows(); ++i) search_all(query(i), best_count, truth[i]);
  exact_us_ = us_per_query(begin);
  double share = 1;
  const auto recall_of = [&](std::size_t probed) {
    double found = 0;
    std::size_t seen = 0;
    std::vector<Scored> best;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
      (void)search_lists(query(i), best_count, probed, SteadyTime::max(), best, seen);
      // A score at least as great as the least of the best is one of them: ties are no misses.
      const auto& exact = truth[i];
      const auto hits = std::count_if(best.begin(), best.end(), [&](const Scored& one) {
        return one.score >= exact.back().score;
      });
      found += static_cast<double>(hits) / static_cast<double>(exact.size());
    }
    share = static_cast<double>(seen) / static_cast<double>(vectors_.rows()) /
            static_cast<double>(queries.rows());
    return found / static_cast<double>(queries.rows());
  };
  // Recall grows with the lists that are looked at.
  std::size_t low = 1;
  std::size_t high = lists();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (recall_of(middle) >= wanted_) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  looked_at_ = high;
  recall_ = recall_of(high);
  share_ = share;
  if (looked_at_ == lists()) recall_ = share_ = 1;  // search() takes the exact answer then
  std::vector<Scored> best;
  begin = thread_seconds();
  for (std::size_t i = 0; i < queries.rows(); ++i) {
    (void)search(query(i), best_count, SteadyTime::max(), best);
  }
  search_us_ = us_per_query(begin);
}

}  // namespace tandem::recommend
