// How principal axes are kept, and what is shown of them.
//
// Compiled by itself, so that the files after it keep their places among six.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "core/json_text.hpp"
#include "tandem/decompose/principal_axes.hpp"

namespace tandem {
namespace {

void require_sizes(const Archive& archive, const char* entry, const std::vector<double>& values,
                   Index expected) {
  if (static_cast<Index>(values.size()) != expected) {
    archive.fail(entry, "has " + std::to_string(values.size()) + " numbers, expected " +
                            std::to_string(expected));
  }
}

double kept_variance(const Archive& archive, const char* entry) {
  const double value = archive.get_double(entry);
  if (!(value >= 0) || !std::isfinite(value)) {
    archive.fail(entry, "expected a finite number, 0 or more");
  }
  return value;
}

}  // namespace

std::vector<double> PrincipalAxes::explained_variance_ratio() const {
  std::vector<double> shares = explained_variance;
  for (double& share : shares) share = total_variance > 0 ? share / total_variance : 0.0;
  return shares;
}

void PrincipalAxes::save(Archive& archive) const {
  archive.set("mean", mean);
  archive.set_matrix("components", components);
  archive.set("explained_variance", explained_variance);
  archive.set("total_variance", total_variance);
  archive.set("noise_variance", noise_variance);
  archive.set("reconstruction_error", reconstruction_error);
  archive.set("whitened", whitened);
}

PrincipalAxes PrincipalAxes::load(const Archive& archive) {
  PrincipalAxes axes;
  axes.components = archive.get_matrix<double>("components");
  if (axes.count() < 1 || axes.features() < axes.count()) {
    archive.fail("components", "are none, or more than the features");
  }
  for (Index k = 0; k < axes.count(); ++k) {
    double squares = 0;
    for (const double value : axes.components.row(k)) squares += value * value;
    if (!(std::abs(squares - 1) < 1e-6)) archive.fail("components", "are not of length 1");
  }
  axes.mean = archive.get_doubles("mean");
  require_sizes(archive, "mean", axes.mean, axes.features());
  for (const double value : axes.mean) {
    if (!std::isfinite(value)) archive.fail("mean", "is not finite");
  }
  axes.whitened = archive.get_bool("whitened");
  axes.explained_variance = archive.get_doubles("explained_variance");
  require_sizes(archive, "explained_variance", axes.explained_variance, axes.count());
  double before = INFINITY;
  for (const double value : axes.explained_variance) {
    if (!(value >= 0) || !std::isfinite(value) || value > before) {
      archive.fail("explained_variance", "expected finite numbers, 0 or more, descending");
    }
    if (axes.whitened && !(value > 0)) {
      archive.fail("explained_variance", "is 0 along a component that is whitened");
    }
    before = value;
  }
  axes.total_variance = kept_variance(archive, "total_variance");
  axes.noise_variance = kept_variance(archive, "noise_variance");
  axes.reconstruction_error = kept_variance(archive, "reconstruction_error");
  return axes;
}

std::string PrincipalAxes::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json{{"features", feature_names},
                      {"mean", mean},
                      {"whitened", whitened},
                      {"total_variance", total_variance},
                      {"noise_variance", noise_variance},
                      {"reconstruction_error", reconstruction_error},
                      {"components", nlohmann::json::array()}};
  const std::vector<double> shares = explained_variance_ratio();
  double so_far = 0;
  for (Index k = 0; k < count(); ++k) {
    const auto at = static_cast<std::size_t>(k);
    const std::span<const double> row = components.row(k);
    so_far += shares[at];
    json["components"].push_back({{"name", "pc" + std::to_string(k + 1)},
                                  {"explained_variance", explained_variance[at]},
                                  {"explained_variance_ratio", shares[at]},
                                  {"cumulative_ratio", so_far},
                                  {"weights", std::vector<double>(row.begin(), row.end())}});
  }
  return json_text(json);
}

std::string PrincipalAxes::to_text(const std::vector<std::string>& feature_names) const {
  std::ostringstream out;
  const std::vector<double> shares = explained_variance_ratio();
  out << count() << (count() == 1 ? " principal component of " : " principal components of ")
      << features() << " features" << (whitened ? ", whitened" : "")
      << "; mean squared error of rows made of them " << std::setprecision(5)
      << reconstruction_error << "\n\n";
  std::size_t width = 17;  // "share of variance"
  for (const auto& name : feature_names) width = std::max(width, name.size());
  const auto left = std::setw(static_cast<int>(width));
  constexpr Index most_columns = 6;
  for (Index first = 0; first < count(); first += most_columns) {
    const Index last = std::min(first + most_columns, count());
    const auto line = [&](const std::string& name, auto&& value) {
      out << std::left << left << name << std::right;
      for (Index k = first; k < last; ++k) out << std::setw(12) << value(k);
      out << '\n';
    };
    line("component", [](Index k) { return "pc" + std::to_string(k + 1); });
    line("variance", [&](Index k) { return explained_variance[static_cast<std::size_t>(k)]; });
    line("share of variance", [&](Index k) { return shares[static_cast<std::size_t>(k)]; });
    for (Index j = 0; j < features(); ++j) {
      line(feature_names[static_cast<std::size_t>(j)], [&](Index k) { return components(k, j); });
    }
    if (last < count()) out << '\n';
  }
  return out.str();
}

}  // namespace tandem
