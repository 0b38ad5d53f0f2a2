// tandem completion: scripts that let a shell complete commands, algorithms, options and their
// words. The scripts ask the program itself (`tandem completion words -- WORD...`), which goes by
// the same descriptions as the help pages.
#include <algorithm>
#include <string>
#include <vector>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

constexpr std::string_view bash_script =
    R"(# bash completion for tandem: source <(tandem completion bash)
_tandem() {
  local current="${COMP_WORDS[COMP_CWORD]}" line word
  [[ "$current" == "=" ]] && current=""
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ "$line" == ":files" ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
      continue
    fi
    word="${line%%$'\t'*}"
    [[ "$word" == "$current"* ]] && COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _tandem tandem
)";

constexpr std::string_view zsh_script = R"(#compdef tandem
# zsh completion for tandem: put it into a folder of fpath as _tandem, or source <(tandem completion zsh)
_tandem() {
  local line files=0
  local -a described
  for line in "${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ "$line" == ":files" ]]; then
      files=1
    elif [[ -n "$line" ]]; then
      described+=("${${line//:/\\:}/$'\t'/:}")
    fi
  done
  (( ${#described} )) && _describe tandem described
  (( files )) && _files
}
if [[ "${funcstack[1]}" == _tandem ]]; then _tandem "$@"; else compdef _tandem tandem; fi
)";

constexpr std::string_view fish_script =
    R"(# fish completion for tandem: tandem completion fish | source
function __tandem_words
  set -l typed (commandline -opc)
  set -l current (commandline -ct)
  for line in ($typed[1] completion words -- $typed[2..-1] $current 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path $current
    else
      echo $line
    end
  end
end
complete -c tandem -f -a '(__tandem_words)'
)";

// "word<TAB>what it is", the word alone where nothing is said of it.
std::string candidate(std::string_view word, std::string_view said) {
  return std::string(word) + (said.empty() ? "" : "\t" + std::string(said)) + "\n";
}

constexpr std::string_view files = ":files\n";

// What may stand in place of the value of this option, or of this positional argument.
std::string values_of(const OptionText& option) {
  std::string text;
  for (const std::string& word : option.choices) text += candidate(word, "");
  const bool names_files = option.positional || option.type == "FILE" || option.type == "DIR";
  if (option.or_files || (text.empty() && names_files)) text += files;
  return text;
}

std::string topics() {
  std::string text;
  for (const CommandInfo& info : commands()) text += candidate(info.name, info.summary);
  return text;
}

std::string algorithms(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += candidate(name, make_algorithm(name)->summary());
  }
  return text;
}

// The candidates for the last of `words`, which are those after "tandem".
std::string candidates(std::vector<std::string> words) {
  // bash makes three words of --scale=none.
  if (!words.empty() && words.back() == "=") words.back().clear();
  std::erase(words, "=");
  if (words.size() <= 1) return topics();
  const std::string current = words.back();
  words.pop_back();
  const auto& known = commands();
  const auto info = std::ranges::find(known, words.front(), &CommandInfo::name);
  if (info == known.end()) return "";
  if (info->name == "help" && words.size() == 1) return topics() + algorithms(algorithm_names());
  const auto& names = algorithm_names();
  const auto is_algorithm = [&](const std::string& word) {
    return std::ranges::find(names, word) != names.end();
  };
  const auto algorithm = std::find_if(words.begin() + 1, words.end(), is_algorithm);
  if (info->name == "help") {
    // Of the command that is to be explained.
    const auto of = std::ranges::find(known, words[1], &CommandInfo::name);
    const bool listed = algorithm == words.end() && of != known.end() && of->takes_algorithm;
    return listed ? algorithms(algorithms_of(*of)) : "";
  }
  if (info->takes_algorithm && algorithm == words.end()) return algorithms(algorithms_of(*info));
  const PreparedCommand prepared =
      prepare(*info, info->takes_algorithm ? make_algorithm(*algorithm) : nullptr);
  const auto options = prepared.options->descriptions();
  // The value of an option.
  if (words.size() > 1) {
    for (const OptionText& option : options) {
      if (option.takes_value && option.name == words.back()) return values_of(option);
    }
  }
  if (current.starts_with("--")) {
    if (const auto equals = current.find('='); equals != std::string::npos) {
      std::string text;
      for (const OptionText& option : options) {
        if (option.name != current.substr(0, equals)) continue;
        for (const std::string& word : option.choices) {
          text += candidate(option.name + "=" + word, "");
        }
      }
      return text;
    }
  }
  if (current.starts_with('-')) {
    std::string text;
    for (const OptionText& option : options) {
      if (!option.positional) text += candidate(option.name, option.help);
    }
    return text + candidate("--help", "explain the command");
  }
  // A positional argument: the first that no word stands for yet. Words that follow an option with
  // a value are that value.
  std::size_t positionals = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-')) continue;
    if (info->takes_algorithm && is_algorithm(words[i])) continue;
    const bool value = std::ranges::any_of(options, [&](const OptionText& option) {
      return option.takes_value && option.name == words[i - 1];
    });
    if (!value) ++positionals;
  }
  for (const OptionText& option : options) {
    if (!option.positional) continue;
    if (positionals == 0 || option.choices.empty() || option.repeats) return values_of(option);
    --positionals;
  }
  return std::string(files);
}

class Completion final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("SHELL", shell_, "bash, zsh or fish", {"bash", "zsh", "fish"});
    options.rest(words_);
  }

  int run(const OptionSet& /*options*/) override {
    if (shell_ == "words") {
      print(candidates(words_));
    } else if (shell_ == "bash") {
      print(bash_script);
    } else if (shell_ == "zsh") {
      print(zsh_script);
    } else if (shell_ == "fish") {
      print(fish_script);
    } else {
      throw InputError("no completion for the shell '" + shell_ + "'; expected bash, zsh or fish");
    }
    return 0;
  }

 private:
  std::string shell_;
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Command> make_completion(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Completion>();
}

}  // namespace tandem::program
