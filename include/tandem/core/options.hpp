// Options, declared once.
//
// The options of an algorithm, a transform or a program are the members of a plain struct with
//
//   void visit(OptionVisitor& visitor);  // names each member, its range and what it is for
//   void check() const;                  // what two options say together; throws InputError
//
// The command line, help pages, the record in a model file, set() by name, the signatures of other
// languages and the checks of ranges are all made from visit(); nothing about an option is said
// twice.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"

namespace tandem {

// What an option is called. The canonical name is that of the struct's member ("max_depth"); it is
// used in records and messages. Other names are accepted wherever an option is given by name: what
// the command line shows, if that is shorter ("k" for "clusters"), and what other libraries call
// the same thing ("n_clusters"). "-" and "_" count as equal.
class TANDEM_API OptionName {
 public:
  OptionName(const char* name) : name_(name) {}  // NOLINT(google-explicit-constructor)
  OptionName(std::string_view name, std::string_view shown,
             std::initializer_list<std::string_view> others)
      : name_(name), shown_(shown), others_(others) {}
  // Names that other libraries use.
  OptionName(std::string_view name, std::initializer_list<std::string_view> others)
      : name_(name), others_(others) {}

  [[nodiscard]] std::string_view name() const noexcept { return name_; }
  // What the command line calls it.
  [[nodiscard]] std::string_view shown() const noexcept { return shown_.empty() ? name_ : shown_; }
  [[nodiscard]] const std::vector<std::string_view>& others() const noexcept { return others_; }
  [[nodiscard]] bool matches(std::string_view text) const noexcept;

 private:
  std::string_view name_;
  std::string_view shown_;
  std::vector<std::string_view> others_;
};

// A member whose type is an enumeration, for visitors, which do not know the type.
class TANDEM_API ChoiceRef {
 public:
  template <NamedEnum Enum>
  explicit ChoiceRef(Enum& value)
      : value_(&value),
        names_(enum_names<Enum>),
        get_(
            [](const void* at) { return static_cast<std::size_t>(*static_cast<const Enum*>(at)); }),
        set_([](void* at, std::size_t index) {
          *static_cast<Enum*>(at) = static_cast<Enum>(index);
        }) {}

  [[nodiscard]] std::span<const std::string_view> names() const noexcept { return names_; }
  [[nodiscard]] std::string_view get() const { return names_[get_(value_)]; }
  // Throws InputError that lists the names.
  void set(std::string_view option_name, std::string_view text) const;

 private:
  void* value_;
  std::span<const std::string_view> names_;
  std::size_t (*get_)(const void*);
  void (*set_)(void*, std::size_t);
};

// A member of a type with a written form of its own: `static V parse(std::string_view)`, which
// throws InputError that says what was expected, and `std::string to_string() const`.
class TANDEM_API WrittenRef {
 public:
  template <class V>
  requires(!std::is_same_v<std::remove_const_t<V>, WrittenRef>) explicit WrittenRef(V& value)
      : value_(&value),
        get_([](const void* at) { return static_cast<const V*>(at)->to_string(); }),
        set_([](void* at, std::string_view text) { *static_cast<V*>(at) = V::parse(text); }) {}

  [[nodiscard]] std::string get() const { return get_(value_); }
  // Throws InputError that names the option.
  void set(std::string_view option_name, std::string_view text) const;

 private:
  void* value_;
  std::string (*get_)(const void*);
  void (*set_)(void*, std::string_view);
};

// `help` is one sentence without a full stop. Bounds are themselves allowed. The members outlive
// the visitor.
class TANDEM_API OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void integer(const OptionName& name, std::int64_t& value, std::string_view help,
                       std::int64_t lowest, std::int64_t highest) = 0;
  virtual void real(const OptionName& name, double& value, std::string_view help, double lowest,
                    double highest) = 0;
  virtual void flag(const OptionName& name, bool& value, std::string_view help) = 0;
  virtual void integers(const OptionName& name, std::vector<std::int64_t>& value,
                        std::string_view help, std::int64_t lowest, std::int64_t highest) = 0;
  virtual void reals(const OptionName& name, std::vector<double>& value, std::string_view help,
                     double lowest, double highest) = 0;
  // Free text, such as the name of a file.
  virtual void text(const OptionName& name, std::string& value, std::string_view help) = 0;
  virtual void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) = 0;
  virtual void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                           std::string_view syntax) = 0;
  // The seed of every random choice of a fit. It is apart from the other options because a run has
  // one seed, which its parts share.
  virtual void seed(std::uint64_t& value) = 0;

  template <NamedEnum Enum>
  void choice(const OptionName& name, Enum& value, std::string_view help) {
    choice_ref(name, ChoiceRef(value), help);
  }
  // `syntax` is the word for the value in help pages: "all|sqrt|N".
  template <class V>
  void written(const OptionName& name, V& value, std::string_view help, std::string_view syntax) {
    written_ref(name, WrittenRef(value), help, syntax);
  }
};

// Hands on to another visitor all options but those named.
class TANDEM_API WithoutOptions final : public OptionVisitor {
 public:
  WithoutOptions(OptionVisitor& to, std::vector<std::string_view> names)
      : to_(to), names_(std::move(names)) {}
  void integer(const OptionName& name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override {
    if (passes(name)) to_.integer(name, value, help, lowest, highest);
  }
  void real(const OptionName& name, double& value, std::string_view help, double lowest,
            double highest) override {
    if (passes(name)) to_.real(name, value, help, lowest, highest);
  }
  void flag(const OptionName& name, bool& value, std::string_view help) override {
    if (passes(name)) to_.flag(name, value, help);
  }
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override {
    if (passes(name)) to_.integers(name, value, help, lowest, highest);
  }
  void reals(const OptionName& name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override {
    if (passes(name)) to_.reals(name, value, help, lowest, highest);
  }
  void text(const OptionName& name, std::string& value, std::string_view help) override {
    if (passes(name)) to_.text(name, value, help);
  }
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) override {
    if (passes(name)) to_.choice_ref(name, value, help);
  }
  void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                   std::string_view syntax) override {
    if (passes(name)) to_.written_ref(name, value, help, syntax);
  }
  void seed(std::uint64_t& value) override {
    if (passes("seed")) to_.seed(value);
  }

 private:
  [[nodiscard]] bool passes(const OptionName& name) const {
    for (const std::string_view left_out : names_) {
      if (name.matches(left_out)) return false;
    }
    return true;
  }

  OptionVisitor& to_;
  std::vector<std::string_view> names_;
};

// A value for an option that is given by name.
class OptionValue {
 public:
  // NOLINTBEGIN(google-explicit-constructor)
  OptionValue(bool value) : value_(value) {}
  template <std::integral I>
  requires(!std::is_same_v<I, bool>) OptionValue(I value)
      : value_(static_cast<std::int64_t>(value)) {}
  OptionValue(double value) : value_(value) {}
  OptionValue(const char* value) : value_(std::string(value)) {}
  OptionValue(std::string value) : value_(std::move(value)) {}
  OptionValue(std::string_view value) : value_(std::string(value)) {}
  OptionValue(std::vector<std::int64_t> value) : value_(std::move(value)) {}
  OptionValue(std::vector<double> value) : value_(std::move(value)) {}
  // Of an enumeration with names.
  template <NamedEnum Enum>
  OptionValue(Enum value) : value_(std::string(to_string(value))) {}
  // NOLINTEND(google-explicit-constructor)

  using Variant = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                               std::vector<double>>;
  [[nodiscard]] const Variant& variant() const noexcept { return value_; }

 private:
  Variant value_;
};

using VisitOptions = std::function<void(OptionVisitor&)>;

// Gives one option a value; texts are read as on the command line. Throws InputError where there
// is no option of that name (it lists them, and the nearest one), where the value is of another
// type, and where it is out of range. What two options say together is left to check().
TANDEM_API void set_option(const VisitOptions& visit, std::string_view name,
                           const OptionValue& value);

// Throws InputError that names the first option that is out of the range it is declared with.
TANDEM_API void check_ranges(const VisitOptions& visit);

// The options as they stand, by canonical name: integers, numbers, flags and texts; lists of
// integers as int64 tensors, lists of numbers as doubles. The seed is left out.
[[nodiscard]] TANDEM_API Archive record_options(const VisitOptions& visit);
// Sets every option that the record has. Throws InputError for a name that there is not, or a value
// that set_option() refuses.
TANDEM_API void restore_options(const VisitOptions& visit, const Archive& record);

// The canonical names, in the order of visit().
[[nodiscard]] TANDEM_API std::vector<std::string> option_names(const VisitOptions& visit);
// Whether there is an option that set_option() finds by this name; the seed counts.
[[nodiscard]] TANDEM_API bool has_option(const VisitOptions& visit, std::string_view name);

// Checks every option's range, then what options say together.
template <class Options>
void check_options(const Options& options) {
  Options copy = options;
  check_ranges([&](OptionVisitor& visitor) { copy.visit(visitor); });
  options.check();
}

// The options of a struct, by name: see set_option().
template <class Options>
requires requires(Options& o, OptionVisitor& v) { o.visit(v); }
void set_option(Options& options, std::string_view name, const OptionValue& value) {
  set_option([&](OptionVisitor& visitor) { options.visit(visitor); }, name, value);
}

// One of `candidates` that `word` is probably meant to be, or an empty text.
[[nodiscard]] TANDEM_API std::string nearest_name(std::string_view word,
                                                  const std::vector<std::string>& candidates);

}  // namespace tandem
