// What replicas share of a viewer: the bytes in Redis, and putting two sides together.
#include "systems/recommend/sharing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

Catalogue numbered(std::size_t count) {
  std::vector<Item> items(count);
  for (std::size_t i = 0; i < count; ++i) items[i].id = "i" + std::to_string(1000 + i);
  return Catalogue(std::move(items));
}

// A history without an item twice, the oldest first; some of its items may be hidden too.
ViewerView drawn(std::mt19937& random, std::size_t items) {
  const auto draw = [&] { return static_cast<std::uint32_t>(random()); };
  ViewerView view;
  for (std::size_t i = 0; i < items; ++i) {
    if (draw() % 3 == 0) {
      view.history.push_back(
          {static_cast<ItemNumber>(i), draw() % 50, static_cast<float>(1 + draw() % 4)});
    }
    if (draw() % 5 == 0) view.hidden.push_back(static_cast<ItemNumber>(i));
  }
  std::sort(view.history.begin(), view.history.end(), [](const Watched& a, const Watched& b) {
    return a.time != b.time ? a.time < b.time : a.item < b.item;
  });
  view.revision = draw() % 100;
  return view;
}

void expect_same(const ViewerView& a, const ViewerView& b) {
  EXPECT_EQ(a.history, b.history);
  EXPECT_EQ(a.hidden, b.hidden);
  EXPECT_EQ(a.revision, b.revision);
}

TEST(Sharing, WhatIsWrittenIsReadAgain) {
  const Catalogue catalogue = numbered(60);
  std::mt19937 draw(1);
  for (int round = 0; round < 50; ++round) {
    const ViewerView view = drawn(draw, 60);
    const std::string text = shared_text(view, catalogue);
    expect_same(shared_view(text, catalogue), view);
    // Items that a catalogue does not have are left out; a part of the bytes is no viewer.
    const ViewerView few = shared_view(text, numbered(10));
    for (const Watched& one : few.history) EXPECT_LT(one.item, 10U);
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_THROW((void)shared_view(text.substr(0, size), catalogue), InputError);
    }
    EXPECT_THROW((void)shared_view(text + "x", catalogue), InputError);
  }
}

TEST(Sharing, PuttingTogetherDoesNotDependOnTheOrder) {
  std::mt19937 draw(2);
  for (int round = 0; round < 500; ++round) {
    const std::size_t items = round % 2 == 0 ? 12 : 900;  // of 900 more are watched than are kept
    const ViewerView a = drawn(draw, items);
    const ViewerView b = drawn(draw, items);
    const ViewerView both = merged(a, b);
    expect_same(merged(b, a), both);
    expect_same(merged(both, a), both);
    expect_same(merged(b, both), both);
    EXPECT_LE(both.history.size(), longest_history);
  }
}

TEST(Sharing, WhatOneSideHidesComesBackFromNoOther) {
  ViewerView watched;
  watched.history = {{3, 10, 1.0F}, {4, 11, 1.0F}};
  ViewerView hides;
  hides.hidden = {3};
  const ViewerView both = merged(watched, hides);
  EXPECT_EQ(both.history, (std::vector<Watched>{{4, 11, 1.0F}}));
  EXPECT_EQ(both.hidden, (std::vector<ItemNumber>{3}));
}

}  // namespace
}  // namespace tandem::recommend
