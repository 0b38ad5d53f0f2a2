#include "systems/recommend/model_place.hpp"

#include <filesystem>

#include "systems/serving/registry.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {

std::string model_file(const std::string& place) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path path(place);
  if (fs::exists(path, ignored) && !fs::is_directory(path, ignored)) return place;
  const fs::path repository = path.parent_path();
  const std::string name = path.filename().string();
  if (!fs::exists(repository / "registry.sqlite", ignored) || !serving::is_model_name(name)) {
    throw InputError(place + ": is no file, and no REPOSITORY/NAME either, for " +
                     (repository.empty() ? std::string(".") : repository.string()) +
                     " is no repository of models; tandem models register makes one");
  }
  serving::Registry registry(repository.string(), {}, true);
  for (const serving::VersionRecord& record : registry.versions(name)) {
    if (record.stage != serving::Stage::production) continue;
    registry.check_file(record);
    return registry.path_of(record).string();
  }
  throw InputError(place + ": no version of " + name +
                   " is in production; tandem models promote makes one");
}

}  // namespace tandem::recommend
