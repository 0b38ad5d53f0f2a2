// Which rules, configuration and model decide, as the log writes it down, and where they come from.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "systems/fraud/service/decider.hpp"

namespace tandem::fraud {

// What the log keeps of versions: the texts of rules and configuration, the model's name and the
// place of its file. read_versions() gives them back.
[[nodiscard]] std::string versions_text(const Versions& versions);

// The place of the model's file that such a text names; empty where it names none.
[[nodiscard]] std::string model_file_of(const std::string& versions_text);

// Models by their files in a folder, each read once.
class ModelFiles {
 public:
  explicit ModelFiles(std::string folder) : folder_(std::move(folder)) {}

  // Copies the file into the folder under its checksum, where it is not there yet, and loads it.
  // Returns its place within the folder.
  std::string keep(const std::string& path);
  // Throws InputError where the file is missing or is not what its name says.
  [[nodiscard]] std::shared_ptr<const FraudModel> load(const std::string& file);
  // Whether the folder has the file; and a file of that name and content, as another server has it.
  // Throws InputError where the name is not that of the content.
  [[nodiscard]] bool has(const std::string& file) const;
  void put(const std::string& file, const std::string& bytes);
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }

 private:
  std::string folder_;
  std::map<std::string, std::shared_ptr<const FraudModel>> loaded_;
};

// Throws InputError where the text is none of versions_text(), or what it names is not there.
[[nodiscard]] std::shared_ptr<const Versions> read_versions(const std::string& text,
                                                            ModelFiles& models);
[[nodiscard]] std::shared_ptr<const Versions> make_versions(RuleSet rules,
                                                            Configuration configuration,
                                                            std::string model_version,
                                                            std::string model_file,
                                                            ModelFiles& models);

}  // namespace tandem::fraud
