// How an algorithm takes part in the agreement of the engines.
//
// core/<area>/xyz_agreement.cpp defines make_xyz_agreement(), which lists the algorithm's parts:
// its steps, and "fit" where there is one. A part makes cases: a class template Case<T> that is
// constructed from a Key, and does nothing by chance,
//
//   template <Real T> class AssignCase final : public agree::Case {
//    public:
//     explicit AssignCase(const agree::Key& key);                        // data and options, by
//     key void run(Engine&, const agree::Outputs* follow, agree::Outputs&) const override; void
//     judge(agree::Judge&) const override;                          // bounds, from the data
//   };
//   agree::Agreement make_xyz_agreement() {
//     return {agree::part<AssignCase>("assign", "labels of the nearest centres", {"kmeans"},
//                                     "tie-aware: ...")};
//   }
//
// and the harness does the rest: engines, comparison, report. A gtest is `expect_agreement("xyz")`
// of tests/support/agree.hpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agree/agreement.hpp"
#include "agree/data.hpp"
#include "tandem/core/archive.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::agree {

// All that determines a case.
struct Key {
  DataKind kind = DataKind::random;
  Index rows = 1;
  Precision precision = Precision::float32;
  Numerics numerics = Numerics::exact;
  std::uint64_t seed = 0;
};

// The results of a case on one engine: named arrays on the host.
class Outputs {
 public:
  using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
                              std::vector<std::int64_t>, std::vector<std::uint8_t>>;
  struct Entry {
    std::string name;
    Values values;
  };

  template <class T>
  void add(std::string name, std::vector<T> values) {
    entries_.push_back({std::move(name), std::move(values)});
  }
  template <class T>
  void add(std::string name, const Buffer<T>& buffer) {
    add(std::move(name), buffer.to_host());
  }
  void add(std::string name, double value) { add(std::move(name), std::vector<double>{value}); }
  void add_count(std::string name, Index value) {
    add(std::move(name), std::vector<std::int64_t>{value});
  }

  [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name) != nullptr; }
  // Throws std::logic_error where there is no such output of this type.
  template <class T>
  [[nodiscard]] const std::vector<T>& get(std::string_view name) const {
    const Values* values = find(name);
    const auto* typed = values != nullptr ? std::get_if<std::vector<T>>(values) : nullptr;
    if (typed == nullptr) no_output(name);
    return *typed;
  }
  [[nodiscard]] double number(std::string_view name) const { return get<double>(name).at(0); }
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

  // The engine refused the data: the error's class and message.
  std::string refusal;
  // The model of a fit, for the reference to load; add_model() of fits.hpp sets it.
  std::shared_ptr<const Archive> model;

 private:
  [[nodiscard]] const Values* find(std::string_view name) const noexcept;
  [[noreturn]] static void no_output(std::string_view name);
  std::vector<Entry> entries_;
};

// docs/numerics.md
enum class Tolerance { exact, elementwise, reduction, trajectory, tie_aware };
[[nodiscard]] std::string_view to_string(Tolerance) noexcept;

// Compares an engine's outputs with the reference's.
class Judge {
 public:
  struct Finding {
    std::string output;
    Index element = 0;
    Tolerance tolerance = Tolerance::exact;
    double value = 0;
    double expected = 0;
    double error = 0;
    double bound = 0;
    // How much of the bound is used; infinite where the error is not a number, or not 0 with a
    // bound of 0.
    [[nodiscard]] double share() const noexcept;
  };

  Judge(const Outputs& engine, const Outputs& by_reference, Numerics mode)
      : got(engine), reference(by_reference), numerics(mode) {}

  const Outputs& got;
  const Outputs& reference;
  const Numerics numerics;

  // Element by element |got − reference| <= bound(i). Both NaN, or both the same infinity, agree. A
  // bound that is not finite says that values may leave the range of the type there.
  void within(std::string_view output, Tolerance tolerance,
              const std::function<double(std::size_t)>& bound);
  void within(std::string_view output, Tolerance tolerance, double bound) {
    within(output, tolerance, [bound](std::size_t) { return bound; });
  }
  // The same values.
  void exact(std::string_view output) { within(output, Tolerance::exact, 0.0); }
  // A comparison that is not between two outputs: |value − expected| <= bound.
  void compare(std::string_view what, Index element, Tolerance tolerance, double value,
               double expected, double bound);
  // A choice that may differ only where the candidates are `gap` apart at most `bound`.
  void choice(std::string_view what, Index element, double value, double expected, double gap,
              double bound) {
    record({std::string(what), element, Tolerance::tie_aware, value, expected, gap, bound});
  }

  Index judged = 0;
  Index unbounded = 0;
  Index outside = 0;
  Finding worst;  // meaningful where judged > 0

 private:
  void record(Finding finding);
};

class Case {
 public:
  virtual ~Case() = default;
  // Computes on `engine`. The reference gets `follow`, the outputs of the engine that is judged
  // against it: where a choice between candidates that are as good decides what comes after (a
  // label, a split), it goes on from that engine's choice. Null for the others.
  virtual void run(Engine& engine, const Outputs* follow, Outputs& out) const = 0;
  virtual void judge(Judge& judge) const = 0;
};

struct Part {
  std::string name;
  std::string summary;
  std::vector<std::string> needs;  // the steps that an engine must have: "kmeans", "gemm"
  std::string bound;               // in words
  std::function<std::unique_ptr<Case>(const Key&)> make;
  Index largest = 1025;  // rows of a default run at most
  // Its results hold long sums over the rows. A default run then has further cases, one for each of
  // the numbers of blocks at which the shapes of trees differ from each other and from a chain.
  bool many_blocks = false;
};

// `part`, with cases of many blocks of rows.
[[nodiscard]] inline Part over_many_blocks(Part part) {
  part.many_blocks = true;
  return part;
}

using Agreement = std::vector<Part>;

// Static, because the files' cases are in unnamed namespaces and some share a name: compilers give
// the closure below a weak symbol otherwise, and one file's cases would run in place of another's.
template <template <class> class CaseOf>
[[nodiscard]] static Part part(std::string name, std::string summary,
                               std::vector<std::string> needs, std::string bound,
                               Index largest = 1025) {
  return {std::move(name),
          std::move(summary),
          std::move(needs),
          std::move(bound),
          [](const Key& key) {
            return with_precision(key.precision, [&](auto type) -> std::unique_ptr<Case> {
              return std::make_unique<CaseOf<typename decltype(type)::type>>(key);
            });
          },
          largest};
}

// Two results of two engines, bit by bit; NaNs are equal whatever their sign and payload, which
// IEEE 754 leaves open and processors fill differently.
struct Difference {
  Index elements = 0;  // compared
  Index differing = 0;
  Index bits = 0;
  std::string output;  // of the first one
  Index element = 0;
  double value = 0;
  double expected = 0;
};
[[nodiscard]] Difference differing_bits(const Outputs& got, const Outputs& expected);

// Makes cases of `part` and runs them as the options say; for check_agreement() and for tests of
// the harness.
class Runner {
 public:
  // Throws DeviceError where a device is missing.
  explicit Runner(AgreementOptions options);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  [[nodiscard]] int cases_per_line(const Part& part) const;
  [[nodiscard]] AgreementLine run(const std::string& algorithm, const Part& part,
                                  Precision precision, RunControl& control);
  [[nodiscard]] std::vector<std::string> engines() const;
  [[nodiscard]] bool software_gpu() const;

 private:
  struct Engines;
  struct Attempt;
  [[nodiscard]] int usual_cases() const;
  [[nodiscard]] Key key_of(const Part& part, Precision precision, int number) const;
  void run_case(const std::string& algorithm, const Part& part, const Key& key, int number,
                AgreementLine& line);
  [[nodiscard]] std::string command_of(const std::string& algorithm, const Part& part,
                                       const Key& key, bool all) const;

  AgreementOptions options_;
  std::unique_ptr<Engines> engines_;
};

// Looks into the table that the build generates. Throws InputError that lists the names.
[[nodiscard]] Agreement find_agreement(std::string_view name);

}  // namespace tandem::agree
