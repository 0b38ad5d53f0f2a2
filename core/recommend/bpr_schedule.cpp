#include "core/recommend/bpr_schedule.hpp"

#include <algorithm>
#include <numeric>
#include <queue>

namespace tandem {
namespace {

// The block of each of those with so many pairs.
std::vector<std::int32_t> dealt_out(const std::vector<Index>& pairs, Index blocks,
                                    const Random& random) {
  const auto count = pairs.size();
  std::vector<std::uint64_t> drawn(count);
  for (std::size_t i = 0; i < count; ++i) drawn[i] = random.bits(i);
  std::vector<std::int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const auto x = static_cast<std::size_t>(a);
    const auto y = static_cast<std::size_t>(b);
    if (pairs[x] != pairs[y]) return pairs[x] > pairs[y];
    return drawn[x] != drawn[y] ? drawn[x] < drawn[y] : a < b;
  });
  using Load = std::pair<Index, std::int32_t>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> lightest;
  for (Index b = 0; b < blocks; ++b) lightest.emplace(0, static_cast<std::int32_t>(b));
  std::vector<std::int32_t> made(count);
  for (const std::int32_t one : order) {
    auto [load, block] = lightest.top();
    lightest.pop();
    made[static_cast<std::size_t>(one)] = block;
    // One more, so that those without pairs are spread too.
    lightest.emplace(load + pairs[static_cast<std::size_t>(one)] + 1, block);
  }
  return made;
}

// Where each of the groups begins that `group_of(k)` sorts 0 .. count − 1 into.
template <class Group>
std::vector<Index> offsets_of(Index groups, Index count, Group&& group_of) {
  std::vector<Index> offsets(static_cast<std::size_t>(groups) + 1, 0);
  for (Index k = 0; k < count; ++k) ++offsets[static_cast<std::size_t>(group_of(k)) + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

}  // namespace

Index bpr_blocks(Index users, Index items, Index pairs) {
  Index blocks = 1;
  while (blocks < 256) {
    const Index more = 2 * blocks;
    if (items < 2 * more * 16 || users < more * 4 || pairs < more * more * 32) break;
    blocks = more;
  }
  return blocks;
}

BprSchedule bpr_schedule(const SparseMatrix<float>& users, Index blocks, BprNegatives negatives,
                         std::uint64_t seed) {
  BprSchedule made;
  made.blocks = blocks;
  const Index item_blocks = 2 * blocks;
  std::vector<Index> of_user(static_cast<std::size_t>(users.rows));
  std::vector<Index> of_item(static_cast<std::size_t>(users.cols), 0);
  for (Index u = 0; u < users.rows; ++u) {
    of_user[static_cast<std::size_t>(u)] = static_cast<Index>(users.columns_of(u).size());
  }
  for (const std::int32_t item : users.columns) ++of_item[static_cast<std::size_t>(item)];
  const auto user_block = dealt_out(of_user, blocks, Random(seed, Purpose::split, 0));
  const auto item_block = dealt_out(of_item, item_blocks, Random(seed, Purpose::split, 1));
  std::vector<std::int32_t> user_of(users.columns.size());
  for (Index u = 0; u < users.rows; ++u) {
    std::fill(user_of.begin() + users.offsets[static_cast<std::size_t>(u)],
              user_of.begin() + users.offsets[static_cast<std::size_t>(u) + 1],
              static_cast<std::int32_t>(u));
  }
  const auto cell_of = [&](Index pair) {
    const auto p = static_cast<std::size_t>(pair);
    return user_block[static_cast<std::size_t>(user_of[p])] * item_blocks +
           item_block[static_cast<std::size_t>(users.columns[p])];
  };
  made.cell_offsets = offsets_of(blocks * item_blocks, users.size(), cell_of);
  // Pairs in an order that says nothing of users: that of drawn numbers, cell by cell.
  std::vector<std::pair<std::uint64_t, std::int32_t>> drawn(users.columns.size());
  std::vector<Index> next(made.cell_offsets.begin(), made.cell_offsets.end() - 1);
  const Random random(seed, Purpose::split, 2);
  for (Index p = 0; p < users.size(); ++p) {
    auto& to = next[static_cast<std::size_t>(cell_of(p))];
    drawn[static_cast<std::size_t>(to++)] = {random.bits(static_cast<std::uint64_t>(p)),
                                             static_cast<std::int32_t>(p)};
  }
  made.pair_users.resize(drawn.size());
  made.pair_items.resize(drawn.size());
  for (std::size_t c = 0; c + 1 < made.cell_offsets.size(); ++c) {
    std::sort(drawn.begin() + made.cell_offsets[c], drawn.begin() + made.cell_offsets[c + 1]);
  }
  for (std::size_t k = 0; k < drawn.size(); ++k) {
    const auto p = static_cast<std::size_t>(drawn[k].second);
    made.pair_users[k] = user_of[p];
    made.pair_items[k] = users.columns[p];
  }
  const auto times = [&](Index item) {
    const Index pairs = of_item[static_cast<std::size_t>(item)];
    return negatives == BprNegatives::uniform ? std::min<Index>(1, pairs) : pairs;
  };
  std::vector<std::vector<std::int32_t>> pools(static_cast<std::size_t>(item_blocks));
  for (Index i = 0; i < users.cols; ++i) {
    auto& pool = pools[static_cast<std::size_t>(item_block[static_cast<std::size_t>(i)])];
    pool.insert(pool.end(), static_cast<std::size_t>(times(i)), static_cast<std::int32_t>(i));
  }
  made.pool_offsets = {0};
  for (const auto& pool : pools) {
    made.pool_items.insert(made.pool_items.end(), pool.begin(), pool.end());
    made.pool_offsets.push_back(static_cast<Index>(made.pool_items.size()));
  }
  return made;
}

std::vector<std::int32_t> bpr_matches(Index blocks, std::uint64_t seed, std::uint32_t pass) {
  std::vector<std::int32_t> made(static_cast<std::size_t>(2 * blocks));
  std::iota(made.begin(), made.end(), 0);
  const Random random(seed, Purpose::split, 3 + pass);
  for (std::size_t k = made.size(); k-- > 1;) {
    std::swap(made[k], made[static_cast<std::size_t>(random.below(static_cast<Index>(k + 1),
                                                                  static_cast<std::uint64_t>(k)))]);
  }
  return made;
}

BprOnEngine::BprOnEngine(Engine& engine, const BprSchedule& schedule,
                         const SparseMatrix<float>& users)
    : engine_(engine),
      blocks_(schedule.blocks),
      cell_offsets_(to_engine(engine, schedule.cell_offsets)),
      pool_offsets_(to_engine(engine, schedule.pool_offsets)),
      user_offsets_(to_engine(engine, users.offsets)),
      pair_users_(to_engine(engine, schedule.pair_users)),
      pair_items_(to_engine(engine, schedule.pair_items)),
      pool_items_(to_engine(engine, schedule.pool_items)),
      user_items_(to_engine(engine, users.columns)),
      matches_(engine, 2 * schedule.blocks) {}

BprView BprOnEngine::view(Index factors, std::uint64_t seed, std::uint32_t pass) {
  matches_ = to_engine(engine_, bpr_matches(blocks_, seed, pass));
  return {blocks_,
          cell_offsets_.data(),
          pair_users_.data(),
          pair_items_.data(),
          pool_offsets_.data(),
          pool_items_.data(),
          user_offsets_.data(),
          user_items_.data(),
          matches_.data(),
          static_cast<int>(factors),
          static_cast<int>(als_pitch(factors)),
          seed,
          pass};
}

}  // namespace tandem
