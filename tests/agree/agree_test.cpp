// The harness itself: what is wrong has to show. And the agreement of reference and cpu.
#include <gmock/gmock.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "app/program.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

// The mistakes of the fake case, by engine.
struct Fault {
  std::vector<double> cpu{1.0, 2.0, 3.0};
  std::vector<double> seven_threads{1.0, 2.0, 3.0};
  std::vector<double> reference{1.0, 2.0, 3.0};
  double bound = 0;
  std::string refusal;             // of the cpu with seven threads
  std::string refusal_everywhere;  // of the cpu
  std::string refusal_reference;
};
Fault fault;

template <Real T>
class FakeCase final : public agree::Case {
 public:
  explicit FakeCase(const agree::Key& key) : key_(key) {}
  void run(Engine& engine, const agree::Outputs* follow, agree::Outputs& out) const override {
    EXPECT_EQ(follow != nullptr, engine.device() == Device::reference);
    const bool seven = engine.device() == Device::cpu && engine.threads() == 7;
    if (engine.device() == Device::reference && !fault.refusal_reference.empty()) {
      throw InputError(fault.refusal_reference);
    }
    if (engine.device() == Device::cpu && !fault.refusal_everywhere.empty()) {
      throw InputError(fault.refusal_everywhere);
    }
    if (seven && !fault.refusal.empty()) throw NumericalError(fault.refusal);
    out.add("x", engine.device() == Device::reference ? fault.reference
                 : seven                              ? fault.seven_threads
                                                      : fault.cpu);
  }
  void judge(agree::Judge& judge) const override {
    judge.within("x", agree::Tolerance::reduction, fault.bound);
  }

 private:
  agree::Key key_;
};

AgreementLine run_fake(const Fault& with, AgreementOptions options = {}) {
  fault = with;
  if (options.cases == 0) options.cases = 2;
  agree::Runner runner(options);
  RunControl control;
  return runner.run("fake", agree::part<FakeCase>("step", "a step", {"fake"}, "none"),
                    Precision::float64, control);
}

TEST(AgreementHarness, EqualResultsAgree) {
  const auto line = run_fake({});
  EXPECT_TRUE(line.agrees());
  EXPECT_EQ(line.cases, 2);
  EXPECT_EQ(line.elements, 2 * 2 * 3);  // two cases, two more numbers of threads
  EXPECT_EQ(line.judged, 2 * 3);
  EXPECT_EQ(line.differing_bits, 0);
}

TEST(AgreementHarness, OnePerturbedBitIsFoundAndNamed) {
  Fault one;
  one.seven_threads[1] = std::nextafter(2.0, 3.0);
  one.bound = 1e-10;
  const auto line = run_fake(one);
  EXPECT_FALSE(line.agrees());
  EXPECT_EQ(line.differing_elements, 2);
  EXPECT_EQ(line.differing_bits, 2);
  ASSERT_TRUE(line.first_difference.has_value());
  EXPECT_EQ(line.first_difference->output, "x");
  EXPECT_EQ(line.first_difference->element, 1);
  EXPECT_EQ(line.first_difference->value, std::nextafter(2.0, 3.0));
  EXPECT_EQ(line.first_difference->expected, 2.0);
  EXPECT_THAT(line.first_difference->engine, HasSubstr("7 threads"));
  EXPECT_THAT(line.first_difference->command,
              HasSubstr("tandem agree fake --parts step --data random --sizes"));
  EXPECT_THAT(line.first_difference->command, HasSubstr("--seed 0 --cases 1"));
  EXPECT_EQ(line.outside, 0);
}

TEST(AgreementHarness, TheSignOfZeroIsABit) {
  Fault one;
  one.cpu[0] = one.reference[0] = 0.0;
  one.seven_threads[0] = -0.0;
  EXPECT_EQ(run_fake(one).differing_bits, 2);
}

TEST(AgreementHarness, NaNsOfDifferentPayloadsAreEqualAndNaNAgainstANumberIsNot) {
  Fault one;
  one.cpu[0] = one.reference[0] = std::nan("");
  one.seven_threads[0] = -std::nan("1");
  EXPECT_TRUE(run_fake(one).agrees());
  one.seven_threads[0] = 1;
  EXPECT_FALSE(run_fake(one).agrees());
  one.seven_threads[0] = std::nan("");
  one.reference[0] = 1;
  one.bound = 1e300;
  const auto line = run_fake(one);
  EXPECT_EQ(line.outside, 2);
  EXPECT_FALSE(line.agrees());
  one.reference[0] = std::nan("");
  one.cpu[0] = one.seven_threads[0] = 1;
  EXPECT_FALSE(run_fake(one).agrees());
}

TEST(AgreementHarness, AnErrorAboveTheBoundIsFoundAndOneBelowIsNot) {
  Fault one;
  one.reference[2] = 3.25;
  one.bound = 0.25;
  EXPECT_TRUE(run_fake(one).agrees());
  one.bound = 0.24;
  const auto line = run_fake(one);
  EXPECT_FALSE(line.agrees());
  EXPECT_EQ(line.outside, 2);
  ASSERT_TRUE(line.worst.has_value());
  EXPECT_EQ(line.worst->element, 2);
  EXPECT_EQ(line.worst->error, 0.25);
  EXPECT_EQ(line.worst->bound, 0.24);
  EXPECT_EQ(line.worst->tolerance, "reduction");
}

TEST(AgreementHarness, AnInfinityIsOnlyEqualToItself) {
  Fault one;
  const double infinity = std::numeric_limits<double>::infinity();
  one.cpu[0] = one.seven_threads[0] = one.reference[0] = infinity;
  EXPECT_TRUE(run_fake(one).agrees());
  one.reference[0] = -infinity;
  one.bound = 1;
  EXPECT_FALSE(run_fake(one).agrees());
}

TEST(AgreementHarness, AnUnboundedElementIsCounted) {
  Fault one;
  one.reference[0] = 5;
  one.bound = std::numeric_limits<double>::infinity();
  const auto line = run_fake(one);
  EXPECT_TRUE(line.agrees());
  EXPECT_EQ(line.unbounded, line.judged);
  EXPECT_FALSE(line.worst.has_value());
}

TEST(AgreementHarness, MissingElementsDiffer) {
  Fault one;
  one.seven_threads.pop_back();
  EXPECT_FALSE(run_fake(one).agrees());
  one = {};
  one.reference.pop_back();
  EXPECT_FALSE(run_fake(one).agrees());
}

TEST(AgreementHarness, EnginesMustRefuseTheSameForTheSameReason) {
  Fault one;
  one.refusal = "diverges";
  EXPECT_FALSE(run_fake(one).agrees());
  one = {};
  one.refusal_everywhere = "too large";
  const auto line = run_fake(one);
  EXPECT_TRUE(line.agrees());
  EXPECT_EQ(line.refused, 2);
  one = {};
  one.refusal_reference = "no";
  const auto failed = run_fake(one);
  EXPECT_FALSE(failed.agrees());
  EXPECT_THAT(failed.failure, HasSubstr("the reference refuses"));
}

TEST(AgreementHarness, FastNumericsJudgesEveryEngineAndComparesNone) {
  Fault one;
  one.seven_threads[0] = 1.5;
  one.bound = 0.5;
  AgreementOptions options;
  options.numerics = Numerics::fast;
  EXPECT_TRUE(run_fake(one, options).agrees());
  one.bound = 0.25;
  const auto line = run_fake(one, options);
  EXPECT_FALSE(line.agrees());
  EXPECT_EQ(line.outside, 2);
}

TEST(AgreementHarness, RunningErrorsBoundWhatFloatsDo) {
  using Number = agree::Traced<float>;
  const Random random(3, Purpose::test);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const auto value = [&](std::uint64_t k) {
      return static_cast<float>(2 * random.uniform(8 * i + k) - 1);
    };
    const float a = value(0), b = value(1), c = value(2), d = 1.5F + value(3);
    const float root = std::sqrt(std::fma(a, a, b * b));
    const float got = std::fma(c, root / d, a - b);
    const Number A = static_cast<double>(a), B = static_cast<double>(b), C = static_cast<double>(c),
                 D = static_cast<double>(d);
    const Number expected = fma(C, sqrt(fma(A, A, B * B)) / D, A - B);
    const double error = std::abs(static_cast<double>(got) - expected.value());
    ASSERT_LE(error, expected.error());
    ASSERT_LT(expected.error(), 1e-5);
  }
  EXPECT_TRUE(std::isinf((Number(1e30) * Number(1e30)).error()));
}

class StopAtOnce final : public RunControl {
 public:
  [[nodiscard]] bool stop_requested() const noexcept override { return true; }
};

TEST(Agreement, StopsWhenAsked) {
  StopAtOnce control;
  EXPECT_THROW((void)check_agreement({}, control), Interrupted);
}

TEST(Agreement, UnknownNamesAreListed) {
  RunControl control;
  const auto message = [&](const AgreementOptions& options) {
    try {
      (void)check_agreement(options, control);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("nothing was thrown");
  };
  AgreementOptions options;
  options.algorithms = {"k-means"};
  EXPECT_THAT(message(options), HasSubstr("kmeans"));
  options = {};
  options.algorithms = {"kmeans"};
  options.parts = {"update"};
  EXPECT_THAT(message(options), HasSubstr("recentre"));
  options = {};
  options.kinds = {"nice"};
  EXPECT_THAT(message(options), HasSubstr("signed-zeros"));
  options = {};
  options.devices = {Device::reference};
  EXPECT_THAT(message(options), HasSubstr("cpu"));
  options.devices = {Device::cpu, Device::cuda, Device::softgpu};
  EXPECT_THAT(message(options), HasSubstr("exclude"));
  options = {};
  options.sizes = {0};
  EXPECT_THAT(message(options), HasSubstr("1 row or more"));
}

class AgreementOf : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, AgreementOf, ::testing::ValuesIn(agreement_names()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
TEST_P(AgreementOf, ReferenceAndCpu) { test::expect_agreement(GetParam(), Device::reference, 60); }
TEST(LongAgreement, ReferenceAndCpuOnManySeeds) {
  for (const auto& name : agreement_names()) {
    test::expect_agreement(name, Device::reference, 3000);
  }
}

TEST(Agreement, EveryAlgorithmTakesPart) {
  for (const auto& algorithm : algorithm_names()) {
    const auto parts = agreement_parts(algorithm);
    EXPECT_THAT(parts, ::testing::Contains("fit")) << algorithm;
  }
  for (const char* block : {"gemm", "optimizer", "silhouette", "lbfgs", "least-squares"}) {
    EXPECT_FALSE(agreement_parts(block).empty());
  }
}

// --- the program --------------------------------------------------------------------------------

class AgreeProgram : public test::Program {};

TEST_F(AgreeProgram, PrintsATableAndSucceeds) {
  const auto outcome = run({"agree", "gemm", "optimizer", "--devices", "reference,cpu"});
  EXPECT_EQ(outcome.status, 0) << outcome.err << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("gemm product"));
  EXPECT_THAT(outcome.out, HasSubstr("optimizer update"));
  EXPECT_THAT(outcome.out, HasSubstr("bits apart"));
  EXPECT_THAT(outcome.out, HasSubstr("All agree"));
  EXPECT_EQ(outcome.err, "");
}

TEST_F(AgreeProgram, JsonHasEverything) {
  const auto json = result({"agree", "kmeans", "--devices", "reference,cpu", "--precision",
                            "float64", "--cases", "5", "--sizes", "33", "--seed", "4"});
  EXPECT_EQ(json["agrees"], true);
  EXPECT_EQ(json["software_gpu"], false);
  ASSERT_EQ(json["lines"].size(), 5U);
  for (const auto& line : json["lines"]) {
    EXPECT_EQ(line["cases"], 5);
    EXPECT_EQ(line["precision"], "float64");
    EXPECT_EQ(line["differing_bits"], 0);
    EXPECT_EQ(line["failure"], nullptr);
    EXPECT_THAT(std::string(line["worst"]["command"]), HasSubstr("--sizes 33"));
  }
}

TEST_F(AgreeProgram, AReportedCommandRunsThatCase) {
  const auto json = result({"agree", "linear", "--devices", "reference,cpu", "--parts", "pass",
                            "--precision", "float32"});
  const auto worst = json["lines"][0]["worst"];
  std::vector<std::string> words;
  std::istringstream text{std::string(worst["command"])};
  for (std::string word; text >> word;) words.push_back(word);
  ASSERT_EQ(words.front(), "tandem");
  words.erase(words.begin());
  const auto again = result(words)["lines"][0]["worst"];
  EXPECT_EQ(again["error"], worst["error"]);
  EXPECT_EQ(again["output"], worst["output"]);
  EXPECT_EQ(again["element"], worst["element"]);
}

TEST_F(AgreeProgram, WrongUsageSaysWhatIsExpected) {
  const auto refuses = [&](std::vector<std::string> arguments, const std::string& word) {
    arguments.insert(arguments.begin(), "agree");
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << word;
    EXPECT_THAT(outcome.err, HasSubstr(word));
    EXPECT_EQ(outcome.out, "");
  };
  refuses({"kmean"}, "did you mean kmeans?");
  refuses({"--devices", "gpu"}, "gpu");
  refuses({"--devices", "reference"}, "cpu");
  refuses({"--devices", "reference,cpu", "--parts", "nothing"}, "unknown part");
  refuses({"--devices", "reference,cpu", "--data", "nothing"}, "unknown kind");
  refuses({"--devices", "reference,cpu", "--sizes", "0"}, "--sizes");
  refuses({"--devices", "reference,cpu", "--precision", "float16"}, "float16");
  refuses({"--numerics", "precise"}, "--numerics");
  refuses({"--cases", "-1"}, "--cases");
}

TEST_F(AgreeProgram, AnInterruptEndsIt) {
  const auto outcome =
      run({"agree", "--devices", "reference,cpu", "--cases", "1000000"}, [](pid_t child) {
        ::usleep(700000);
        ::kill(child, SIGINT);
      });
  EXPECT_EQ(outcome.status, 130);
  EXPECT_THAT(outcome.err, HasSubstr("interrupt"));
}

}  // namespace
}  // namespace tandem
