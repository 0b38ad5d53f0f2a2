#include "tandem/model/algorithm.hpp"

namespace tandem {
namespace {

// visit_options() is not const because visitors may set what they see; these here do not.
VisitOptions reading(const Algorithm& algorithm) {
  return [&](OptionVisitor& visitor) {
    const_cast<Algorithm&>(algorithm).visit_options(
        visitor);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  };
}

}  // namespace

Algorithm& Algorithm::set(std::string_view option_name, const OptionValue& value) {
  set_option([this](OptionVisitor& visitor) { visit_options(visitor); }, option_name, value);
  return *this;
}

void Algorithm::decide_task(Task task) {
  if (has_option("task")) set("task", to_string(task));
}

bool Algorithm::has_option(std::string_view option_name) const {
  return tandem::has_option(reading(*this), option_name);
}

Archive Algorithm::options() const { return record_options(reading(*this)); }

}  // namespace tandem
