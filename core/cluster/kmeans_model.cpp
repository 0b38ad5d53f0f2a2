// How a k-means model is kept, and what `tandem inspect` shows of it.
#include <cmath>
#include <iomanip>
#include <limits>
#include <sstream>

#include "core/cluster/kmeans_math.hpp"
#include "core/json_text.hpp"
#include "core/short_number.hpp"
#include "tandem/cluster/kmeans.hpp"

namespace tandem {

template <Real T>
void KMeansModel<T>::save(Archive& archive) const {
  archive.set_matrix("centres", centres);
  archive.set_tensor("origin", origin);
  archive.set_tensor("counts", counts);
  archive.set("inertia", inertia);
  archive.set("start", start);
  log.save(archive);
}

template <Real T>
KMeansModel<T> KMeansModel<T>::load(const Archive& archive) {
  KMeansModel<T> model;
  model.centres = archive.get_matrix<T>("centres");
  const Index k = model.centres.rows();
  const Index features = model.centres.cols();
  if (k < 1 || features < 1) archive.fail("centres", "has no centres or no features");
  model.origin = archive.get_tensor<T>("origin", features);
  for (const T value : model.origin) {
    if (!std::isfinite(value)) archive.fail("origin", "has a value that is not finite");
  }
  const double limit = largest_magnitude<T>(features);
  for (Index c = 0; c < k; ++c) {
    for (Index j = 0; j < features; ++j) {
      const double moved = static_cast<double>(model.centres(c, j)) -
                           static_cast<double>(model.origin[static_cast<std::size_t>(j)]);
      if (!(std::abs(moved) <= limit)) {
        archive.fail("centres", "has a value that is not finite or too far from the origin");
      }
    }
  }
  model.counts = archive.get_tensor<Index>("counts", k);
  for (const Index count : model.counts) {
    if (count < 0) archive.fail("counts", "has a negative count");
  }
  model.inertia = archive.get_double("inertia");
  if (!(model.inertia >= 0)) archive.fail("inertia", "is not a number, 0 or more");
  model.start = archive.get_int("start", 0, std::numeric_limits<std::int64_t>::max() - 1);
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string KMeansModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json;
  json["clusters"] = centres.rows();
  json["inertia"] = inertia;
  json["start"] = start;
  json["iterations"] = log.iterations;
  json["stopped_because"] = log.stopped_because;
  json["features"] = feature_names;
  json["counts"] = counts;
  json["centres"] = nlohmann::json::array();
  for (Index c = 0; c < centres.rows(); ++c) {
    const auto row = centres.row(c);
    std::vector<double> centre;
    for (const T value : row) centre.push_back(short_number(value));
    json["centres"].push_back(std::move(centre));
  }
  return json_text(json);
}

template <Real T>
std::string KMeansModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  std::ostringstream out;
  out << "k-means, " << centres.rows() << " clusters, inertia " << std::setprecision(8) << inertia
      << " after " << log.iterations << " iterations of start " << start + 1 << ": "
      << log.stopped_because << "\n\n";
  std::size_t name_width = 7;
  for (const auto& name : feature_names) name_width = std::max(name_width, name.size());
  constexpr Index most_columns = 8;
  for (Index first = 0; first < centres.rows(); first += most_columns) {
    const Index last = std::min(first + most_columns, centres.rows());
    const auto left = std::setw(static_cast<int>(name_width));
    out << std::left << left << "cluster" << std::right;
    for (Index c = first; c < last; ++c) out << std::setw(12) << c;
    out << '\n' << std::left << left << "rows" << std::right;
    for (Index c = first; c < last; ++c) {
      out << std::setw(12) << counts[static_cast<std::size_t>(c)];
    }
    out << '\n';
    for (Index j = 0; j < centres.cols(); ++j) {
      out << std::left << left << feature_names[static_cast<std::size_t>(j)] << std::right
          << std::setprecision(5);
      for (Index c = first; c < last; ++c) out << std::setw(12) << centres(c, j);
      out << '\n';
    }
    if (last < centres.rows()) out << '\n';
  }
  return out.str();
}

template void KMeansModel<float>::save(Archive&) const;
template void KMeansModel<double>::save(Archive&) const;
template KMeansModel<float> KMeansModel<float>::load(const Archive&);
template KMeansModel<double> KMeansModel<double>::load(const Archive&);
template std::string KMeansModel<float>::to_json(const std::vector<std::string>&) const;
template std::string KMeansModel<double>::to_json(const std::vector<std::string>&) const;
template std::string KMeansModel<float>::to_text(const std::vector<std::string>&) const;
template std::string KMeansModel<double>::to_text(const std::vector<std::string>&) const;

}  // namespace tandem
