// Options: declared once, and set, checked, recorded and named in messages from that.
#include "tandem/core/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "support/messages.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {

enum class Colour { red, dark_green, blue };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Colour>{"red", "dark-green", "blue"};

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// "2x3"
struct Size {
  int width = 1;
  int height = 1;

  static Size parse(std::string_view text) {
    const auto cross = text.find('x');
    if (text.size() != 3 || cross != 1) {
      throw InputError("'" + std::string(text) + "' is not a size; expected one such as 2x3");
    }
    return {text[0] - '0', text[2] - '0'};
  }
  [[nodiscard]] std::string to_string() const {
    return std::to_string(width) + "x" + std::to_string(height);
  }
};

struct Options {
  std::int64_t clusters = 8;
  double learning_rate = 0.5;
  bool keep_order = false;
  std::vector<std::int64_t> hidden = {256};
  std::vector<double> shares = {0.5, 0.25};
  std::string centres;
  Colour colour = Colour::red;
  Size size;
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor) {
    visitor.integer({"clusters", "k", {"n_clusters"}}, clusters, "number of clusters", 1, 100);
    visitor.real({"learning_rate", {"learning_rate_init", "eta0"}}, learning_rate, "size of steps",
                 1e-3, 10);
    visitor.flag("keep_order", keep_order, "no shuffling");
    visitor.integers("hidden", hidden, "widths", 1, 1000);
    visitor.reals("shares", shares, "parts", 0, 1);
    visitor.text("centres", centres, "a file");
    visitor.choice("colour", colour, "of the page");
    visitor.written("size", size, "of the page", "NxN");
    visitor.seed(seed);
  }
  void check() const {
    if (keep_order && clusters == 1) {
      throw InputError(option("keep_order") + " needs more than one of " + option("clusters"));
    }
  }
  [[nodiscard]] VisitOptions visiting() {
    return [this](OptionVisitor& visitor) { visit(visitor); };
  }
};

std::string refusal(std::string_view name, const OptionValue& value) {
  Options options;
  return test::message_of([&] { set_option(options, name, value); });
}

TEST(Options, AreSetByEachOfTheirNames) {
  for (const char* name : {"clusters", "k", "n_clusters", "n-clusters"}) {
    Options options;
    set_option(options, name, 3);
    EXPECT_EQ(options.clusters, 3) << name;
  }
  for (const char* name :
       {"learning_rate", "learning-rate", "learning-rate_init", "learning_rate_init", "eta0"}) {
    Options options;
    set_option(options, name, 0.25);
    EXPECT_EQ(options.learning_rate, 0.25) << name;
  }
  Options options;
  set_option(options, "seed", 12);
  EXPECT_EQ(options.seed, 12U);
  EXPECT_EQ(options.clusters, 8);
}

TEST(Options, TakeValuesOfTheirTypeAndTheirTexts) {
  Options options;
  set_option(options, "clusters", 4.0);
  EXPECT_EQ(options.clusters, 4);
  set_option(options, "clusters", "+5");
  EXPECT_EQ(options.clusters, 5);
  set_option(options, "learning_rate", 2);
  EXPECT_EQ(options.learning_rate, 2);
  set_option(options, "learning_rate", "1e-2");
  EXPECT_EQ(options.learning_rate, 0.01);
  set_option(options, "keep_order", true);
  EXPECT_TRUE(options.keep_order);
  set_option(options, "keep_order", "no");
  EXPECT_FALSE(options.keep_order);
  set_option(options, "keep_order", "true");
  EXPECT_TRUE(options.keep_order);
  set_option(options, "hidden", std::vector<std::int64_t>{3, 4});
  EXPECT_THAT(options.hidden, ElementsAre(3, 4));
  set_option(options, "hidden", "7,8,9");
  EXPECT_THAT(options.hidden, ElementsAre(7, 8, 9));
  set_option(options, "hidden", 5);
  EXPECT_THAT(options.hidden, ElementsAre(5));
  set_option(options, "hidden", "");
  EXPECT_THAT(options.hidden, ElementsAre());
  set_option(options, "shares", std::vector<double>{1, 0.5});
  EXPECT_THAT(options.shares, ElementsAre(1, 0.5));
  set_option(options, "shares", "0,1,0.125");
  EXPECT_THAT(options.shares, ElementsAre(0, 1, 0.125));
  set_option(options, "centres", "a file.csv");
  EXPECT_EQ(options.centres, "a file.csv");
  set_option(options, "colour", Colour::blue);
  EXPECT_EQ(options.colour, Colour::blue);
  for (const char* text : {"dark-green", "dark_green"}) {
    options.colour = Colour::red;
    set_option(options, "colour", text);
    EXPECT_EQ(options.colour, Colour::dark_green) << text;
  }
  set_option(options, "size", "2x3");
  EXPECT_EQ(options.size.to_string(), "2x3");
}

TEST(Options, RefuseAnotherType) {
  EXPECT_THAT(refusal("clusters", true), HasSubstr("clusters: has a value of another type"));
  EXPECT_THAT(refusal("clusters", 2.5), HasSubstr("expected a whole number"));
  EXPECT_THAT(refusal("clusters", "two"), HasSubstr("clusters: 'two' is not a whole number"));
  EXPECT_THAT(refusal("clusters", ""), HasSubstr("is not a whole number"));
  EXPECT_THAT(refusal("clusters", "3 "), HasSubstr("is not a whole number"));
  EXPECT_THAT(refusal("learning_rate", std::vector<double>{1}), HasSubstr("expected a number"));
  EXPECT_THAT(refusal("keep_order", 1), HasSubstr("expected yes or no"));
  EXPECT_THAT(refusal("keep_order", "perhaps"), HasSubstr("neither yes nor no"));
  EXPECT_THAT(refusal("hidden", "3,,4"), HasSubstr("hidden: '' is not a whole number"));
  EXPECT_THAT(refusal("centres", 3), HasSubstr("expected a text"));
  EXPECT_THAT(refusal("colour", 1), HasSubstr("expected a text"));
  EXPECT_THAT(refusal("size", "large"), HasSubstr("size: 'large' is not a size"));
  EXPECT_THAT(refusal("seed", -1), HasSubstr("seed: -1 is out of range"));
}

// A refused value leaves the option as it was.
TEST(Options, HaveOneRange) {
  const std::string range = "; expected a whole number from 1 to 100";
  EXPECT_EQ(refusal("k", 0), "clusters: 0 is out of range" + range);
  EXPECT_EQ(refusal("k", "101"), "clusters: 101 is out of range" + range);
  EXPECT_EQ(refusal("k", "99999999999999999999"),
            "clusters: 99999999999999999999 is out of range" + range);
  EXPECT_EQ(refusal("eta0", std::numeric_limits<double>::quiet_NaN()),
            "learning_rate: nan is out of range; expected a number from 0.001 to 10");
  EXPECT_THAT(refusal("hidden", "3,0"), HasSubstr("hidden: 0 is out of range"));
  EXPECT_THAT(refusal("shares", std::vector<double>{0.5, 1.5}), HasSubstr("shares: 1.5 is out"));
  Options options;
  EXPECT_THROW(set_option(options, "k", 0), InputError);
  EXPECT_THROW(set_option(options, "hidden", "3,0"), InputError);
  EXPECT_EQ(options.clusters, 8);
  EXPECT_THAT(options.hidden, ElementsAre(256));
  // The bounds themselves are allowed.
  set_option(options, "k", 100);
  set_option(options, "k", 1);
  // The same range where a member was set directly.
  EXPECT_NO_THROW(check_options(options));
  options.clusters = 101;
  EXPECT_EQ(test::message_of([&] { check_options(options); }),
            "clusters: 101 is out of range" + range);
  options.clusters = 8;
  options.shares = {0, std::nan("")};
  EXPECT_THAT(test::message_of([&] { check_options(options); }),
              HasSubstr("shares: nan is out of range"));
}

TEST(Options, ThatContradictEachOtherAreSeenByTheCheckAlone) {
  Options options;
  set_option(options, "keep_order", true);
  set_option(options, "clusters", 1);
  EXPECT_EQ(test::message_of([&] { check_options(options); }),
            "keep_order needs more than one of clusters");
}

TEST(Options, OfUnknownNamesAreListedWithTheNearest) {
  const std::string message = refusal("learning_raet", 1);
  EXPECT_THAT(message, HasSubstr("there is no option learning_raet"));
  EXPECT_THAT(message, HasSubstr("clusters, learning_rate, keep_order"));
  EXPECT_THAT(message, HasSubstr("did you mean learning_rate?"));
  EXPECT_THAT(refusal("n_cluster", 1), HasSubstr("did you mean n_clusters?"));
  EXPECT_THAT(refusal("order", 1), HasSubstr("did you mean keep_order?"));
  EXPECT_THAT(refusal("entirely_different", 1), Not(HasSubstr("did you mean")));
  EXPECT_THAT(refusal("colour", "darkgreen"),
              AllOf(HasSubstr("unknown value 'darkgreen'; expected one of red, dark-green, blue"),
                    HasSubstr("did you mean dark-green?")));
}

TEST(Options, AreRecordedAndRestored) {
  Options options;
  options.clusters = 3;
  options.learning_rate = 0.1;
  options.keep_order = true;
  options.hidden = {4, 5};
  options.shares = {1, 0.1};
  options.centres = "c.csv";
  options.colour = Colour::dark_green;
  options.size = {2, 7};
  options.seed = 5;
  const Archive record = record_options(options.visiting());
  EXPECT_EQ(record.get_int("clusters"), 3);
  EXPECT_EQ(record.get_string("colour"), "dark-green");
  EXPECT_EQ(record.get_string("size"), "2x7");
  EXPECT_EQ(record.get_tensor<std::int64_t>("hidden"), (std::vector<std::int64_t>{4, 5}));
  EXPECT_FALSE(record.has("seed"));
  EXPECT_FALSE(record.has("k"));

  Options restored;
  restore_options(restored.visiting(), record);
  EXPECT_EQ(record_options(restored.visiting()).entries(), record.entries());
  EXPECT_EQ(restored.learning_rate, 0.1);
  EXPECT_EQ(restored.size.height, 7);
  EXPECT_EQ(restored.seed, 0U);

  const auto refused = [&](auto&& spoil) {
    Archive bad = record;
    spoil(bad);
    Options other;
    EXPECT_THROW(restore_options(other.visiting(), bad), InputError);
  };
  refused([](Archive& a) { a.set("clusters", 0); });
  refused([](Archive& a) { a.set("clusters", true); });
  refused([](Archive& a) { a.set("colour", "pink"); });
  refused([](Archive& a) { a.set("size", "7"); });
  refused([](Archive& a) { a.set("another", 1); });
  refused([](Archive& a) { a.set_tensor("hidden", std::vector<float>{1}); });
  refused([](Archive& a) { a.set("centres", std::vector<std::string>{"a"}); });
}

TEST(Options, HaveNamesInTheOrderOfTheirDeclaration) {
  Options options;
  EXPECT_THAT(option_names(options.visiting()),
              ElementsAre("clusters", "learning_rate", "keep_order", "hidden", "shares", "centres",
                          "colour", "size"));
}

TEST(WithoutOptions, HandsOnTheOthers) {
  Options options;
  const VisitOptions visit = [&](OptionVisitor& visitor) {
    WithoutOptions some(visitor, {"n-clusters", "hidden", "shares", "centres", "colour", "size"});
    options.visit(some);
  };
  EXPECT_THAT(option_names(visit), ElementsAre("learning_rate", "keep_order"));
  EXPECT_THAT(test::message_of([&] { set_option(visit, "clusters", 3); }), HasSubstr("no option"));
  set_option(visit, "seed", 3);
  EXPECT_EQ(options.seed, 3U);
  const VisitOptions no_seed = [&](OptionVisitor& visitor) {
    WithoutOptions some(visitor, {"seed"});
    options.visit(some);
  };
  EXPECT_THAT(test::message_of([&] { set_option(no_seed, "seed", 3); }), HasSubstr("no option"));
}

// --- names in messages ---------------------------------------------------------------------------

TEST(Errors, SpellOptionsWhereTheyAreShown) {
  const InputError error("lower " + option("learning_rate") + " or raise " + option("clusters"));
  EXPECT_STREQ(error.what(), "lower learning_rate or raise clusters");
  const auto dashed = [](std::string_view name) {
    return name == "clusters" ? std::string("--k") : "--learning-rate";
  };
  EXPECT_EQ(error.spelled(dashed), "lower --learning-rate or raise --k");
  // A message that is wrapped keeps its marks; what() has none of them.
  const InputError outer("a.csv: " + error.marked());
  EXPECT_STREQ(outer.what(), "a.csv: lower learning_rate or raise clusters");
  EXPECT_EQ(outer.spelled(dashed), "a.csv: lower --learning-rate or raise --k");
  const InputError lost(std::string("a.csv: ") + error.what());
  EXPECT_EQ(lost.spelled(dashed), lost.what());
  EXPECT_STREQ(InputError("nothing is marked").what(), "nothing is marked");
  EXPECT_STREQ(InputError("").what(), "");
  // As an option's own refusal does.
  Options options;
  try {
    set_option(options, "size", "7");
    FAIL();
  } catch (const InputError& refused) {
    EXPECT_EQ(refused.spelled([](std::string_view name) { return "<" + std::string(name) + ">"; }),
              "<size>: '7' is not a size; expected one such as 2x3");
  }
}

// --- enumerations by name ------------------------------------------------------------------------

TEST(Names, ParseAndPrint) {
  EXPECT_EQ(to_string(Colour::dark_green), "dark-green");
  EXPECT_EQ(to_string(static_cast<Colour>(7)), "?");
  EXPECT_EQ(parse_enum<Colour>("colour", "blue"), Colour::blue);
  EXPECT_EQ(parse_enum<Colour>("colour", "dark_green"), Colour::dark_green);
  EXPECT_EQ(test::message_of([] { (void)parse_enum<Colour>("colour", "blu"); }),
            "unknown colour 'blu': expected one of red, dark-green, blue; did you mean blue?");
  EXPECT_TRUE(same_name("a_b-c", "a-b_c"));
  EXPECT_FALSE(same_name("a_b", "ab"));
  EXPECT_FALSE(same_name("a", "ab"));
}

// --- algorithms by name --------------------------------------------------------------------------

TEST(AlgorithmOptions, AreSetByName) {
  const auto algorithm = make_algorithm("kmeans");
  algorithm->set("k", 3).set("n-init", 2).set("init", "random").set("seed", 7);
  EXPECT_EQ(algorithm->options().get_int("clusters"), 3);
  EXPECT_EQ(algorithm->options().get_int("starts"), 2);
  EXPECT_EQ(algorithm->options().get_string("init"), "random");
  EXPECT_TRUE(algorithm->has_option("max-iterations"));
  EXPECT_FALSE(algorithm->has_option("optimizer"));
  EXPECT_THAT(test::message_of([&] { algorithm->set("clusters", 0); }), HasSubstr("clusters: 0"));
  EXPECT_THAT(test::message_of([&] { algorithm->set("cluster", 3); }),
              HasSubstr("did you mean clusters?"));
  // A copy has the options as they stand, and its own from then on.
  const auto copy = algorithm->clone();
  copy->set("k", 4);
  EXPECT_EQ(copy->options().get_int("starts"), 2);
  EXPECT_EQ(algorithm->options().get_int("clusters"), 3);
}

// Every algorithm: its record restores it, every default is in its range, and each of its options
// has one name of its own.
TEST(AlgorithmOptions, OfAllAlgorithmsAreConsistent) {
  for (const std::string& name : algorithm_names()) {
    const auto algorithm = make_algorithm(name);
    const VisitOptions visit = [&](OptionVisitor& visitor) { algorithm->visit_options(visitor); };
    EXPECT_NO_THROW(check_ranges(visit)) << name;
    EXPECT_NO_THROW(algorithm->check_options()) << name;
    const Archive record = algorithm->options();
    EXPECT_NO_THROW(restore_options(visit, record)) << name;
    EXPECT_EQ(algorithm->options().entries(), record.entries()) << name;
    const auto names = option_names(visit);
    EXPECT_EQ(names.size(), record.entries().size()) << name;
    for (const std::string& one : names) {
      EXPECT_EQ(one.find('-'), std::string::npos) << name << " " << one;
      EXPECT_TRUE(algorithm->has_option(one)) << name << " " << one;
    }
  }
}

}  // namespace
}  // namespace tandem
