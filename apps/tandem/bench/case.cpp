#include "tandem/bench/case.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tandem/core/error.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// A member of an object, checked; says where it is in messages.
class Member {
 public:
  Member(const std::string& file, const nlohmann::json& object, std::string path)
      : file_(file), object_(object), path_(std::move(path)) {
    if (!object.is_object()) fail("expected an object");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(file_ + ": " + (path_.empty() ? "the file" : path_) + ": " + what);
  }

  void allow(const std::vector<std::string>& names) const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      std::string known;
      for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
      fail("has no member '" + name + "'; it may have " + known);
    }
  }

  [[nodiscard]] bool has(const char* name) const { return object_.contains(name); }

  [[nodiscard]] std::string text(const char* name,
                                 std::optional<std::string> otherwise = {}) const {
    const auto found = object_.find(name);
    if (found == object_.end()) {
      if (otherwise) return *otherwise;
      fail(std::string("lacks '") + name + "', a text");
    }
    if (!found->is_string()) fail(std::string("'") + name + "' is to be a text");
    return found->get<std::string>();
  }

  [[nodiscard]] double number(const char* name, double otherwise) const {
    const auto found = object_.find(name);
    if (found == object_.end()) return otherwise;
    if (!found->is_number()) fail(std::string("'") + name + "' is to be a number");
    return found->get<double>();
  }

  [[nodiscard]] Index count(const char* name, Index otherwise, Index lowest) const {
    const auto found = object_.find(name);
    if (found == object_.end()) return otherwise;
    if (!found->is_number_integer() || found->get<Index>() < lowest) {
      fail(std::string("'") + name + "' is to be a whole number of " + std::to_string(lowest) +
           " or more");
    }
    return found->get<Index>();
  }

  [[nodiscard]] Member object(const char* name) const {
    const auto found = object_.find(name);
    if (found == object_.end()) fail(std::string("lacks '") + name + "', an object");
    return {file_, *found, path_.empty() ? name : path_ + "." + name};
  }

  [[nodiscard]] const nlohmann::json& json() const { return object_; }

 private:
  const std::string& file_;
  const nlohmann::json& object_;
  std::string path_;
};

void read_data(const Member& data, BenchCase& result) {
  data.allow({"generate", "features", "classes", "informative", "noise", "seed", "test_rows"});
  result.kind = data.text("generate");
  const auto& known = generator_names();
  if (std::find(known.begin(), known.end(), result.kind) == known.end()) {
    std::string names;
    for (const auto one : known) names += (names.empty() ? "" : ", ") + std::string(one);
    data.fail("'generate' is '" + result.kind + "', expected one of " + names);
  }
  result.data.features = data.count("features", 2, 1);
  result.data.classes = data.count("classes", 0, 0);
  result.data.informative = data.count("informative", 0, 0);
  result.data.seed = static_cast<std::uint64_t>(data.count("seed", 0, 0));
  if (data.has("noise")) result.data.noise = data.number("noise", 0);
  result.test_rows = data.count("test_rows", 0, 0);
}

void read_quality(const Member& quality, BenchCase& result) {
  quality.allow({"metric", "relative", "absolute"});
  result.quality.metric = quality.text("metric");
  const std::vector<std::string> metrics{"accuracy", "log_loss", "roc_auc",
                                         "rmse",     "r2",       "inertia"};
  if (std::find(metrics.begin(), metrics.end(), result.quality.metric) == metrics.end()) {
    quality.fail("'metric' is '" + result.quality.metric +
                 "', expected accuracy, log_loss, roc_auc, rmse, r2 or inertia");
  }
  result.quality.relative = quality.number("relative", 0);
  result.quality.absolute = quality.number("absolute", 0);
}

// Settings with the case's own numbers in place of "$clusters" and the like; whole ones as whole
// numbers. "$threads", which peers are given, stays.
nlohmann::json with_numbers(const Member& file, const nlohmann::json& settings,
                            const Numbers& numbers, int depth = 0) {
  constexpr int most = 32;
  if (depth > most) file.fail("settings are nested more than " + std::to_string(most) + " deep");
  if (settings.is_string()) {
    const std::string& word = settings.get_ref<const std::string&>();
    if (word.size() < 2 || word[0] != '$' || word == "$threads") return settings;
    const auto number = numbers.find(word.substr(1));
    if (number == numbers.end()) {
      file.fail("'" + word + "' stands for one of the case's numbers, but 'numbers' has no '" +
                word.substr(1) + "'");
    }
    const auto whole = static_cast<Index>(number->second);
    if (static_cast<double>(whole) == number->second) return whole;
    return number->second;
  }
  nlohmann::json result = settings;
  if (settings.is_structured()) {
    for (nlohmann::json& one : result) one = with_numbers(file, one, numbers, depth + 1);
  }
  return result;
}

BenchCase read_case(const std::string& path, const nlohmann::json& text) {
  const Member original(path, text, "");
  Numbers own;
  if (original.has("numbers")) {
    const Member numbers = original.object("numbers");
    for (const auto& [name, value] : numbers.json().items()) {
      for (const char* given : {"rows", "features", "element", "threads"}) {
        if (name == given) numbers.fail("'" + name + "' is given by what is measured; drop it");
      }
      own[name] = numbers.number(name.c_str(), 0);
    }
  }
  nlohmann::json json = text;
  for (const char* part : {"data", "options", "given_centres", "peers"}) {
    if (json.contains(part)) json[part] = with_numbers(original, json[part], own);
  }
  const Member file(path, json, "");
  file.allow({"name", "about", "rows", "data", "precision", "algorithm", "options", "given_centres",
              "peers", "quality", "flops", "bytes", "memory", "exchanged", "numbers"});
  BenchCase result;
  result.file = path;
  result.text = text;
  result.numbers = own;
  result.name = file.text("name");
  result.about = file.text("about");
  result.algorithm = file.text("algorithm");
  const Member rows = file.object("rows");
  rows.allow({"quick", "standard", "large"});
  for (const auto& [suite, value] : rows.json().items()) {
    result.rows[suite] = rows.count(suite.c_str(), 0, 1);
  }
  if (result.rows.empty()) file.fail("'rows' names no suite: quick, standard or large");
  read_data(file.object("data"), result);
  try {
    result.precision = parse_enum<Precision>("precision", file.text("precision", "float32"));
  } catch (const InputError&) {
    file.fail("'precision' is to be float32 or float64");
  }
  result.options = json.value("options", nlohmann::json::object());
  if (!result.options.is_object()) file.fail("'options' is to be an object of Tandem's options");
  result.given_centres = file.count("given_centres", 0, 1);
  read_quality(file.object("quality"), result);
  result.flops = file.text("flops", "0");
  result.bytes = file.text("bytes", "0");
  result.memory = file.text("memory", "");
  if (file.has("peers")) {
    const Member peers = file.object("peers");
    for (const auto& [name, value] : peers.json().items()) {
      const Member peer = peers.object(name.c_str());
      peer.allow({"class", "parameters", "target"});
      (void)peer.text("class");
      result.peers.push_back({name, value});
    }
  }
  const Numbers numbers = result.numbers_with(1);
  (void)value_of(result.flops, numbers);
  (void)value_of(result.bytes, numbers);
  // Read by bench/training_at_scale.py alone.
  (void)value_of(file.text("exchanged", "0"), numbers);
  if (!result.memory.empty()) (void)value_of(result.memory, numbers);
  return result;
}

}  // namespace

bool BenchCase::has(const std::string& number) const {
  if (number == "features") return true;
  if (!numbers.contains(number)) return false;
  // A number of the formulas alone would be another in the floor and the same in what is measured.
  const nlohmann::json settings{text.at("data"), text.value("options", nlohmann::json()),
                                text.value("given_centres", nlohmann::json())};
  return settings.dump().find("\"$" + number + "\"") != std::string::npos;
}

BenchCase BenchCase::with(const std::string& number, Index value) const {
  nlohmann::json changed = text;
  if (number == "features") {
    changed["data"]["features"] = value;
  } else {
    changed["numbers"][number] = value;
  }
  return read_case(file, changed);
}

Numbers BenchCase::numbers_with(Index training_rows) const {
  Numbers all = numbers;
  all["rows"] = static_cast<double>(training_rows);
  all["features"] = static_cast<double>(data.features);
  all["element"] = precision == Precision::float32 ? 4 : 8;
  return all;
}

BenchCase read_bench_case(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw InputError(path + ": cannot be read; expected a case of tandem bench");
  std::stringstream text;
  text << in.rdbuf();
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text.str());
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError(path + ": is no JSON at byte " + std::to_string(error.byte));
  }
  return read_case(path, json);
}

std::vector<BenchCase> read_bench_cases(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  if (failed) throw InputError(folder + ": cannot be read; expected a folder of cases, *.json");
  if (files.empty()) throw InputError(folder + ": has no case, *.json");
  std::sort(files.begin(), files.end());
  std::vector<BenchCase> cases;
  for (const std::string& file : files) {
    cases.push_back(read_bench_case(file));
    for (std::size_t i = 0; i + 1 < cases.size(); ++i) {
      if (cases[i].name == cases.back().name) {
        throw InputError(file + ": is called '" + cases.back().name + "', as " + cases[i].file +
                         " is; give it another name");
      }
    }
  }
  return cases;
}

std::string bench_folder() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& candidate :
       {program / "../../../bench", program / "../share/tandem/bench"}) {
    if (fs::exists(candidate / "peers" / "peer.py", ignored)) {
      return fs::weakly_canonical(candidate).string();
    }
  }
  throw InputError("the folder bench, with the cases and the peers' program, is not found beside " +
                   program.string() + "; name that of the cases with " + option("cases"));
}

}  // namespace tandem::program
