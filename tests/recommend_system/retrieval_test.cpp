// Inverted lists against all vectors, and the ALS source against the model that it serves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "core/random.hpp"
#include "systems/recommend/als_fold_in.hpp"
#include "systems/recommend/collaborative.hpp"
#include "systems/recommend/inner_products.hpp"
#include "systems/recommend/simulate.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/als.hpp"
#include "tandem/recommend/item_knn.hpp"

namespace tandem::recommend {
namespace {

Matrix<float> clustered(Index rows, Index cols, Index centres, std::uint32_t stream) {
  const Random random(1, Purpose::test, stream);
  const Random of_centres(1, Purpose::test, 99);
  Matrix<float> made(rows, cols);
  for (Index i = 0; i < rows; ++i) {
    const Index centre = random.below(centres, static_cast<std::uint64_t>(i) + (1ULL << 50));
    for (Index c = 0; c < cols; ++c) {
      const auto at = static_cast<std::uint64_t>(i * cols + c);
      made(i, c) =
          static_cast<float>(of_centres.normal(static_cast<std::uint64_t>(centre * cols + c)) +
                             0.4 * random.normal(at));
    }
  }
  return made;
}

TEST(InnerProducts, AreThoseOfTheTextbookAtAnyCount) {
  constexpr std::size_t stride = 48;
  const Matrix<float> rows = clustered(11, stride, 3, 1);
  const Matrix<float> query = clustered(1, stride, 1, 2);
  for (std::size_t count = 0; count <= 11; ++count) {
    std::vector<float> products(count + 1, -77.0F);
    inner_products(query.data(), rows.data(), count, stride, products.data());
    for (std::size_t r = 0; r < count; ++r) {
      double sum = 0;
      double size = 0;
      for (std::size_t c = 0; c < stride; ++c) {
        const double term =
            static_cast<double>(query.data()[c]) * static_cast<double>(rows.data()[r * stride + c]);
        sum += term;
        size += std::abs(term);
      }
      EXPECT_NEAR(products[r], sum, size * stride * 6e-8);
    }
    EXPECT_EQ(products[count], -77.0F);
  }
}

TEST(InvertedLists, FindWhatTheyPromiseAndLookAtLess) {
  const Matrix<float> vectors = clustered(5000, 20, 40, 3);
  const PaddedRows rows(vectors.view());
  ListsOptions options;
  options.recall = 0.95;
  InvertedLists lists(rows, options);
  lists.calibrate(PaddedRows(clustered(60, 20, 40, 4).view()));
  EXPECT_GE(lists.recall(), 0.95);
  EXPECT_LT(lists.share(), 0.7);
  // Of other queries, counted by hand: within the spread of 60 means.
  const Matrix<float> others = clustered(60, 20, 40, 5);
  const PaddedRows padded(others.view());
  const auto query = [&](Index q) {
    return std::span<const float>(padded.row(static_cast<std::size_t>(q)), padded.stride());
  };
  double found = 0;
  std::vector<Scored> best;
  for (Index q = 0; q < others.rows(); ++q) {
    std::vector<std::pair<double, ItemNumber>> all;
    for (Index i = 0; i < vectors.rows(); ++i) {
      double sum = 0;
      for (Index c = 0; c < 20; ++c) {
        sum += static_cast<double>(others(q, c)) * static_cast<double>(vectors(i, c));
      }
      all.emplace_back(-sum, static_cast<ItemNumber>(i));
    }
    std::partial_sort(all.begin(), all.begin() + 100, all.end());
    std::set<ItemNumber> truth;
    for (int k = 0; k < 100; ++k) truth.insert(all[static_cast<std::size_t>(k)].second);
    lists.search_all(query(q), 100, best);
    std::size_t exact = 0;
    for (const Scored& one : best) exact += truth.count(one.item);
    EXPECT_GE(exact, 99U);  // a tie of float sums at the border at most
    EXPECT_TRUE(lists.search(query(q), 100, SteadyTime::max(), best));
    EXPECT_TRUE(std::is_sorted(best.begin(), best.end(),
                               [](const Scored& a, const Scored& b) { return a.score > b.score; }));
    for (const Scored& one : best) found += truth.count(one.item) > 0 ? 0.01 : 0;
  }
  EXPECT_GE(found / 60, 0.9);
  // A deadline that is over gives what there is, and says so.
  EXPECT_FALSE(lists.search(query(0), 100, SteadyTime::min(), best));
  EXPECT_TRUE(best.empty());
}

TEST(InvertedLists, TakeFewAndEqualVectors) {
  for (const Index rows : {Index{1}, Index{2}, Index{50}}) {
    const PaddedRows same(Matrix<float>(rows, 3, 1.0F).view());
    InvertedLists lists(same, {});
    std::vector<Scored> best;
    std::vector<float> query{1, 2, 3};
    query.resize(same.stride());
    EXPECT_TRUE(lists.search(query, 10, SteadyTime::max(), best));
    ASSERT_EQ(best.size(), static_cast<std::size_t>(std::min<Index>(rows, 10)));
    for (std::size_t i = 0; i < best.size(); ++i) EXPECT_EQ(best[i].item, i);
  }
}

TEST(CodedRows, ProductsAreOffByHalfAStepPerNumberAtMost) {
  for (const Index width : {Index{1}, Index{20}, Index{64}, Index{1500}}) {
    const Matrix<float> vectors = clustered(11, width, 3, 6);
    const Matrix<float> query = clustered(1, width, 1, 7);
    // Rows of two blocks; those that were not set have no product.
    CodedRows rows(27, static_cast<std::size_t>(width));
    for (Index i = 0; i < 11; ++i) rows.set(static_cast<std::size_t>(16 + i), vectors.row(i));
    rows.set(4, vectors.row(0));
    const CodedRows::Query asked(rows, query.row(0));
    constexpr float all = -std::numeric_limits<float>::infinity();
    std::vector<std::uint32_t> places(33, 99U);
    std::vector<float> products(33, -77.0F);
    EXPECT_EQ(rows.at_least(asked, 0, 1, all, places.data(), products.data()), 1U);
    EXPECT_EQ(places[0], 4U);
    EXPECT_EQ(rows.at_least(asked, 0, 2, all, places.data(), products.data()), 12U);
    EXPECT_EQ(places[11], 26U);
    ASSERT_EQ(rows.at_least(asked, 16, 1, all, places.data(), products.data()), 11U);
    double magnitudes = 0;
    for (const float value : query.row(0)) magnitudes += std::abs(static_cast<double>(value));
    for (Index i = 0; i < 11; ++i) {
      EXPECT_EQ(places[static_cast<std::size_t>(i)], static_cast<std::uint32_t>(i));
      double sum = 0;
      double most = 0;
      for (Index c = 0; c < width; ++c) {
        sum += static_cast<double>(query(0, c)) * static_cast<double>(vectors(i, c));
        most = std::max(most, std::abs(static_cast<double>(vectors(i, c))));
      }
      // Half a step of the row's codes for each number, and as much again for the query's.
      const double bound = magnitudes * most / 127 * 0.51 + magnitudes * most * 1e-3;
      EXPECT_NEAR(products[static_cast<std::size_t>(i)], sum, bound) << width;
    }
    // Of those the greatest: what is asked for is in, what is below is not, and nothing is written
    // behind the block.
    std::vector<float> sorted(products.begin(), products.begin() + 11);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::vector<std::uint32_t> few(16, 99U);
    std::vector<float> greatest(17, -77.0F);
    const std::size_t found = rows.at_least(asked, 16, 1, sorted[3], few.data(), greatest.data());
    EXPECT_EQ(found,
              static_cast<std::size_t>(std::count_if(sorted.begin(), sorted.end(),
                                                     [&](float one) { return one >= sorted[3]; })));
    for (std::size_t k = 0; k < found; ++k) EXPECT_EQ(greatest[k], products[few[k]]);
    EXPECT_EQ(greatest[16], -77.0F);
  }
}

struct Trained {
  std::vector<Item> items;
  Interactions events;
};

Trained simulated() {
  SimulationOptions options;
  options.users = 300;
  options.items = 150;
  options.seed = 3;
  const Simulation simulation(options);
  Trained made;
  made.items = simulation.items();
  std::vector<std::string> names;
  for (const Item& item : made.items) names.push_back(item.id);
  std::sort(names.begin(), names.end());
  made.events.items = names;
  for (std::int64_t u = 0; u < options.users; ++u) {
    made.events.users.push_back("u" + std::to_string(1'000'000 + u));
    for (const Simulation::Event& event : simulation.history(u)) {
      made.events.user.push_back(static_cast<std::int32_t>(u));
      made.events.item.push_back(
          made.events.item_number(made.items[static_cast<std::size_t>(event.item)].id));
      made.events.weight.push_back(event.weight);
    }
  }
  return made;
}

TEST(AlsSource, GivesTheScoresAndTheReasonsOfItsModel) {
  const Trained data = simulated();
  const auto engine = Engine::create({.threads = 1});
  AlsOptions options;
  options.factors = 12;
  options.iterations = 4;
  options.alpha = 5;
  const std::shared_ptr<const AlsModel> model = fit(*engine, RecommenderData{data.events}, options);
  const Catalogue catalogue(data.items);
  ListsOptions all;
  all.recall = 1;
  const auto source = make_collaborative_source(model, catalogue, all);
  ASSERT_NE(source->lists(), nullptr);
  const std::vector<WeightedItem> history{{3, 1}, {17, 0.4}, {60, 2}, {61, 0.001}};
  std::vector<HistoryItem> of_model;
  for (const WeightedItem& one : history) {
    of_model.push_back({model->item_number(catalogue.item(one.item).id), one.weight});
  }
  const auto asked = source->ask(history);
  ASSERT_NE(asked, nullptr);
  std::vector<double> truth(static_cast<std::size_t>(model->item_count()));
  model->score(of_model, truth);
  std::vector<ItemNumber> numbers;
  for (ItemNumber i = 0; i < catalogue.size(); ++i) numbers.push_back(i);
  std::vector<float> scores(numbers.size());
  asked->scores(numbers, scores);
  for (ItemNumber i = 0; i < catalogue.size(); ++i) {
    const std::int32_t number = model->item_number(catalogue.item(i).id);
    if (number < 0) {
      EXPECT_TRUE(std::isnan(scores[i]));
    } else {
      EXPECT_NEAR(scores[i], truth[static_cast<std::size_t>(number)], 2e-4) << i;
    }
  }
  std::vector<Scored> best;
  EXPECT_TRUE(asked->best(10, SteadyTime::max(), best));
  const auto exact = model->top_items(of_model, 10, {.leave_out_history = false});
  ASSERT_EQ(best.size(), exact.size());
  for (std::size_t k = 0; k < best.size(); ++k) {
    EXPECT_NEAR(best[k].score, exact[k].score, 2e-4);
  }
  const std::int32_t first = exact[0].item;
  const Explanation why = model->because(of_model, first, 2);
  const auto parts =
      asked->because(catalogue.find(model->items()[static_cast<std::size_t>(first)]), 2);
  ASSERT_EQ(parts.size(), 2U);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(catalogue.item(parts[k].item).id,
              model->items()[static_cast<std::size_t>(why.parts[k].item)]);
    EXPECT_NEAR(parts[k].part, why.parts[k].part, 2e-4);
  }
  // Items that the model does not know say nothing.
  EXPECT_EQ(source->ask(std::vector<WeightedItem>{{no_item, 1}}), nullptr);
  EXPECT_EQ(source->ask({}), nullptr);
}

// Both ways to fold in, for histories shorter and longer than the factors, beside the model's own.
TEST(AlsFoldIn, BothWaysGiveTheModelsVectorAndParts) {
  const Trained data = simulated();
  const auto engine = Engine::create({.threads = 1});
  AlsOptions options;
  options.factors = 20;
  options.iterations = 4;
  options.alpha = 5;
  options.regularization = 0.1;
  const auto model = fit(*engine, RecommenderData{data.events}, options);
  const AlsFoldIn fold_in(*model);
  const Random random(3, Purpose::test, 1);
  for (const std::size_t count : {1U, 2U, 7U, 20U, 21U, 60U}) {
    std::vector<HistoryItem> history;
    for (std::size_t k = 0; k < count; ++k) {
      history.push_back({static_cast<std::int32_t>((k * 37 + 5) % 150),
                         0.001 + 2 * random.uniform<double>(count * 100 + k)});
    }
    const std::vector<float> wanted = model->fold_in(history);
    for (const auto& viewer : {fold_in.fold_in(history), fold_in.fold_in_by_matrix(history)}) {
      ASSERT_EQ(viewer->vector().size(), fold_in.factors().stride());
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        EXPECT_NEAR(viewer->vector()[k], wanted[k], 1e-4) << count << " " << k;
      }
      for (std::size_t k = wanted.size(); k < viewer->vector().size(); ++k) {
        EXPECT_EQ(viewer->vector()[k], 0.0F);
      }
      for (const std::int32_t item : {0, 5, 99}) {
        const Explanation why = model->because(history, item, static_cast<Index>(count));
        std::vector<double> parts(count);
        viewer->parts(fold_in.factors().row(static_cast<std::size_t>(item)), parts);
        double sum = 0;
        for (std::size_t k = 0; k < count; ++k) {
          sum += parts[k];
          const auto at =
              std::find_if(why.parts.begin(), why.parts.end(),
                           [&](const Contribution& one) { return one.item == history[k].item; });
          ASSERT_NE(at, why.parts.end());
          EXPECT_NEAR(parts[k], at->part, 1e-4) << count;
        }
        EXPECT_NEAR(sum, why.score, 2e-4) << count;
      }
    }
  }
}

TEST(ModelSource, AsksAnyModel) {
  const Trained data = simulated();
  const auto engine = Engine::create({.threads = 1});
  const std::shared_ptr<const ItemKnnModel> model =
      fit(*engine, RecommenderData{data.events}, ItemKnnOptions{});
  const Catalogue catalogue(data.items);
  const auto source = make_collaborative_source(model, catalogue, {});
  EXPECT_EQ(source->lists(), nullptr);
  const std::vector<WeightedItem> history{{3, 1}, {17, 0.4}};
  const auto asked = source->ask(history);
  ASSERT_NE(asked, nullptr);
  std::vector<Scored> best;
  EXPECT_TRUE(asked->best(5, SteadyTime::max(), best));
  ASSERT_FALSE(best.empty());
  std::vector<float> score(1);
  asked->scores(std::vector<ItemNumber>{best[0].item}, score);
  EXPECT_FLOAT_EQ(score[0], best[0].score);
  double sum = 0;
  for (const Part& part : asked->because(best[0].item, 2)) sum += part.part;
  EXPECT_NEAR(sum, best[0].score, 1e-5);
  EXPECT_FALSE(asked->best(5, SteadyTime::min(), best));
}

TEST(AlsSource, ACatalogueWithoutTheModelsItemsIsRefused) {
  const Trained data = simulated();
  const auto engine = Engine::create({.threads = 1});
  AlsOptions options;
  options.factors = 4;
  options.iterations = 1;
  const std::shared_ptr<const AlsModel> model = fit(*engine, RecommenderData{data.events}, options);
  const Catalogue empty(std::vector<Item>{});
  EXPECT_THROW((void)make_collaborative_source(model, empty, {}), InputError);
}

}  // namespace
}  // namespace tandem::recommend
