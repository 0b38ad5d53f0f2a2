#include "tandem/core/archive.hpp"

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

std::string join(std::string_view prefix, std::string_view name) {
  return std::string(prefix) + "/" + std::string(name);
}

template <class Alternative, class Variant>
const Alternative* as(const Variant& value) {
  return std::get_if<Alternative>(&value);
}

}  // namespace

void Archive::set_value(std::string_view name, Value value) {
  entries_.insert_or_assign(std::string(name), std::move(value));
}
void Archive::set(std::string_view name, bool value) { set_value(name, value); }
void Archive::set(std::string_view name, std::int64_t value) { set_value(name, value); }
void Archive::set(std::string_view name, double value) { set_value(name, value); }
void Archive::set(std::string_view name, std::string value) { set_value(name, std::move(value)); }
void Archive::set(std::string_view name, std::vector<std::string> value) {
  set_value(name, std::move(value));
}
void Archive::set(std::string_view name, std::vector<double> value) {
  set_value(name, std::move(value));
}

void Archive::set_part(std::string_view prefix, const Archive& part) {
  for (const auto& [name, value] : part.entries_) set_value(join(prefix, name), value);
}

bool Archive::has(std::string_view name) const { return entries_.find(name) != entries_.end(); }

void Archive::fail(std::string_view name, std::string_view what) const {
  throw InputError(origin_ + ": " + std::string(name) + ": " + std::string(what));
}

const Archive::Value& Archive::find(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) fail(name, "is missing");
  return found->second;
}

bool Archive::get_bool(std::string_view name) const {
  const auto* value = as<bool>(find(name));
  if (value == nullptr) fail(name, "is not true or false");
  return *value;
}

std::int64_t Archive::get_int(std::string_view name) const {
  const auto* value = as<std::int64_t>(find(name));
  if (value == nullptr) fail(name, "is not an integer");
  return *value;
}

std::int64_t Archive::get_int(std::string_view name, std::int64_t lowest,
                              std::int64_t highest) const {
  const std::int64_t value = get_int(name);
  if (value < lowest || value > highest) {
    fail(name, "is " + std::to_string(value) + ", expected " + std::to_string(lowest) + " to " +
                   std::to_string(highest));
  }
  return value;
}

double Archive::get_double(std::string_view name) const {
  const auto* value = as<double>(find(name));
  if (value == nullptr) fail(name, "is not a number");
  return *value;
}

const std::string& Archive::get_string(std::string_view name) const {
  const auto* value = as<std::string>(find(name));
  if (value == nullptr) fail(name, "is not a text");
  return *value;
}

const std::vector<std::string>& Archive::get_strings(std::string_view name) const {
  const auto* value = as<std::vector<std::string>>(find(name));
  if (value == nullptr) fail(name, "is not a list of texts");
  return *value;
}

const std::vector<double>& Archive::get_doubles(std::string_view name) const {
  const auto* value = as<std::vector<double>>(find(name));
  if (value == nullptr) fail(name, "is not a list of numbers");
  return *value;
}

const Archive::Tensor& Archive::find_tensor(std::string_view name) const {
  const auto* value = as<Tensor>(find(name));
  if (value == nullptr) fail(name, "is not a tensor");
  return *value;
}

template <class T>
const std::vector<T>& Archive::get_tensor(std::string_view name, Index expected_size) const {
  const auto* data = as<std::vector<T>>(find_tensor(name).data);
  if (data == nullptr) fail(name, "has another element type");
  if (expected_size >= 0 && static_cast<Index>(data->size()) != expected_size) {
    fail(name, "has " + std::to_string(data->size()) + " elements, expected " +
                   std::to_string(expected_size));
  }
  return *data;
}

template <class T>
Matrix<T> Archive::get_matrix(std::string_view name, Index expected_rows,
                              Index expected_cols) const {
  const Tensor& tensor = find_tensor(name);
  if (tensor.shape.size() != 2) fail(name, "is not a matrix");
  if ((expected_rows >= 0 && tensor.shape[0] != expected_rows) ||
      (expected_cols >= 0 && tensor.shape[1] != expected_cols)) {
    fail(name, "is a matrix of " + std::to_string(tensor.shape[0]) + " by " +
                   std::to_string(tensor.shape[1]) + ", which does not fit the rest of the model");
  }
  return Matrix<T>(tensor.shape[0], tensor.shape[1], get_tensor<T>(name));
}

template const std::vector<float>& Archive::get_tensor(std::string_view, Index) const;
template const std::vector<double>& Archive::get_tensor(std::string_view, Index) const;
template const std::vector<std::int32_t>& Archive::get_tensor(std::string_view, Index) const;
template const std::vector<std::int64_t>& Archive::get_tensor(std::string_view, Index) const;
template const std::vector<std::uint8_t>& Archive::get_tensor(std::string_view, Index) const;
template Matrix<float> Archive::get_matrix(std::string_view, Index, Index) const;
template Matrix<double> Archive::get_matrix(std::string_view, Index, Index) const;
template Matrix<std::int32_t> Archive::get_matrix(std::string_view, Index, Index) const;
template Matrix<std::int64_t> Archive::get_matrix(std::string_view, Index, Index) const;

Archive Archive::part(std::string_view prefix) const {
  Archive part;
  part.origin_ = origin_;
  const std::string start = join(prefix, "");
  for (auto at = entries_.lower_bound(start); at != entries_.end(); ++at) {
    if (at->first.compare(0, start.size(), start) != 0) break;
    part.entries_.emplace(at->first.substr(start.size()), at->second);
  }
  return part;
}

bool Archive::has_part(std::string_view prefix) const {
  const std::string start = join(prefix, "");
  const auto at = entries_.lower_bound(start);
  return at != entries_.end() && at->first.compare(0, start.size(), start) == 0;
}

}  // namespace tandem
