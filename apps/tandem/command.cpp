#include "tandem/command.hpp"

#include <algorithm>

#include "common/text.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

// Only the table needs them, and a header that every command includes would compile all of them
// anew for each new one.
CommandMaker make_bench, make_bin, make_challenge, make_drift, make_experiment, make_fraud,
    make_join, make_lesson, make_models, make_recommend, make_serve;

const std::vector<CommandInfo>& commands() {
  static const std::vector<CommandInfo> all{
      {"look", "FILE [--json] [--report DIR] [options]",
       "show how a file is read and what training would make of it", false, make_look},
      {"train", "ALGORITHM --data FILE [--model OUT] [options]", "train a model and evaluate it",
       true, make_train},
      {"bin", "--data FILE --out FILE [options]",
       "put a training set into bins, which gradient boosting is trained from", false, make_bin},
      {"evaluate", "MODEL --data FILE [options]", "evaluate a model on a data set", false,
       make_evaluate},
      {"predict", "MODEL --data FILE [--out FILE] [options]", "predict with a model", false,
       make_predict},
      {"inspect", "MODEL [--json | --graphviz]", "show what a model has learned", false,
       make_inspect},
      {"explain", "MODEL --data FILE [--json] [--report DIR] [options]",
       "show what a model does with its features", false, make_explain},
      {"import", "FILE --model OUT [options]",
       "make a model of one that XGBoost or LightGBM wrote, or of ONNX", false, make_import},
      {"export", "MODEL --out FILE | --onnx FILE",
       "write a model for XGBoost or LightGBM, or as ONNX", false, make_export},
      {"cross-validate", "ALGORITHM --data FILE [options]",
       "estimate how well an algorithm does on unseen rows", true, make_cross_validate},
      {"learning-curve", "ALGORITHM --data FILE [options]",
       "scores against the number of training rows", true, make_learning_curve},
      {"tune", "ALGORITHM --data FILE --grid SPACE [--random N] [options]",
       "try values of options by cross-validation", true, make_tune},
      {"prune", "ALGORITHM --data FILE [--rule one-error|best] [--model OUT] [options]",
       "choose how much to prune a decision tree", true, make_prune},
      {"select", "ALGORITHM --data FILE --k FROM..TO [options]", "choose the number of clusters",
       true, make_select},
      {"drift", "--model MODEL --data FILE [--json] [--report DIR] [options]",
       "compare rows with those that a model was trained on", false, make_drift},
      {"experiment",
       "create|status|stop --store FILE [options] | analyse --exposures FILE --outcomes FILE "
       "[options] | simulate [--runs N]",
       "begin and end experiments on two or more arms, and say what they show", false,
       make_experiment},
      {"join", "--log FOLDER --outcomes FILE --out FILE [--as-of TIME] [options]",
       "make a log of predictions and their outcomes a file to train on", false, make_join},
      {"bench",
       "[--suite quick|standard|large] [--threads 1,2] [--peers NAME,...] [--json] [--report DIR] "
       "| compare BEFORE.json AFTER.json",
       "measure this machine, and Tandem beside other libraries on it", false, make_bench},
      {"compare", "optimizers --data FILE [options]",
       "train the same model with every optimiser, side by side", false, make_compare},
      {"models",
       "list|register|promote|rollback|diff REPOSITORY [NAME] [FILE | VERSION...] [options]",
       "keep numbered versions of models, and say which of them answers", false, make_models},
      {"recommend",
       "train|evaluate ALGORITHM --data FILE [options] | simulate --users N --items M --out FILE | "
       "serve --model FILE --state FOLDER [options] | demo | policies --state FOLDER",
       "train recommenders on who did what with which item, measure them, and answer with them",
       false, make_recommend},
      {"serve", "REPOSITORY [--http ADDRESS:PORT] [--grpc ADDRESS:PORT] [--registry URL] [options]",
       "answer predictions over HTTP and gRPC with the models of a repository", false, make_serve},
      {"fraud",
       "simulate [--days N] [--users N] | train --data FILE --model OUT | retrain --data FILE "
       "--model REPOSITORY/NAME | serve --model MODEL --state FOLDER [--http ADDRESS:PORT] | "
       "replay --state FOLDER [options]",
       "find fraud among transactions: simulate them, train, decide, and say why", false,
       make_fraud},
      {"generate", "KIND [--rows N] [--features D] [--seed S] [--out FILE]",
       "make a data set of random numbers", false, make_generate},
      {"agree", "[ALGORITHM...] [--devices reference,cpu,cuda|softgpu] [options]",
       "check that all engines compute the same", false, make_agree},
      {"devices", "[--json]", "list the devices of this machine", false, make_devices},
      {"gpu",
       "run|check|profile|explain [options] [--] PROGRAM [ARGUMENTS] | build SOURCE.cu "
       "[-o PROGRAM] [nvcc options]",
       "run an unmodified CUDA program on the software GPU, check it for mistakes, say what its "
       "kernels do and what to change, or build one for it",
       false, make_gpu},
      {"challenge",
       "list | show NAME | start NAME [--out FILE] | submit NAME FILE.cu | classroom DIR [options]",
       "kernels to write, graded without a GPU: right or wrong, and what they cost", false,
       make_challenge},
      {"lesson", "[NAME] [--source | --json] [--page FILE] [options]",
       "a ladder of kernels from naive to good, counted, explained and compared with the CPU",
       false, make_lesson},
      {"demo", "--report DIR", "tell eight stories of learning in one HTML page", false, make_demo},
      {"completion", "bash|zsh|fish", "print a script that completes commands for a shell", false,
       make_completion},
      {"man", "[--out DIR]", "write manual pages, or print that of the program", false, make_man},
      {"help", "[COMMAND [ALGORITHM]]", "explain a command and its options", false, make_help},
  };
  return all;
}

const CommandInfo& find_command(std::string_view name) {
  std::vector<std::string> names;
  for (const CommandInfo& info : commands()) {
    if (info.name == name) return info;
    names.emplace_back(info.name);
  }
  const std::string meant = nearest_name(name, names);
  throw InputError("unknown command '" + std::string(name) + "'; " +
                   (meant.empty() ? "tandem help lists them" : "did you mean " + meant + "?"));
}

std::unique_ptr<Algorithm> find_algorithm(const std::string& name) {
  const auto& names = algorithm_names();
  if (std::find(names.begin(), names.end(), name) != names.end()) return make_algorithm(name);
  const std::string meant = nearest_name(name, names);
  throw InputError("unknown algorithm '" + name + "'; expected one of " + joined(names) +
                   (meant.empty() ? "" : "; did you mean " + meant + "?"));
}

std::vector<std::string> algorithms_of(const CommandInfo& info) {
  std::vector<std::string> names;
  for (const auto& name : algorithm_names()) {
    try {
      (void)info.make(make_algorithm(name));
      names.push_back(name);
    } catch (const InputError&) {
      // It says why to somebody who names this algorithm.
    }
  }
  return names;
}

Spelling spelling_of(Algorithm& algorithm) {
  OptionSet options("", "");
  algorithm.visit_options(options);
  return options.spelling();
}

PreparedCommand prepare(const CommandInfo& info, std::unique_ptr<Algorithm> algorithm) {
  std::string title = std::string(info.summary);
  std::string arguments = std::string(info.arguments);
  std::string topic = std::string(info.name);
  if (algorithm) {
    title = "tandem " + std::string(info.name) + ": " + title + "\n" +
            std::string(algorithm->name()) + ": " + std::string(algorithm->summary());
    topic += " " + std::string(algorithm->name());
    const auto at = arguments.find("ALGORITHM");
    if (at != std::string::npos) arguments.replace(at, 9, algorithm->name());
  } else {
    title = "tandem " + std::string(info.name) + ": " + title;
  }
  PreparedCommand prepared;
  prepared.options = std::make_unique<OptionSet>(
      title, "tandem " + std::string(info.name) + " " + arguments, topic);
  prepared.command = info.make(std::move(algorithm));
  prepared.command->add_options(*prepared.options);
  return prepared;
}

std::string overview() {
  const std::size_t width = terminal_width();
  std::string text =
      wrapped("Tandem " TANDEM_VERSION
              ": machine learning with every algorithm written twice, for CPU and for CUDA.\n\n"
              "Usage: tandem COMMAND [arguments]\n\nCommands:",
              width);
  for (const CommandInfo& info : commands()) text += definition(info.name, info.summary, width, 20);
  text += "\nAlgorithms:\n";
  for (const auto& name : algorithm_names()) {
    text += definition(name, make_algorithm(name)->summary(), width, 26);
  }
  // Commands stay on one line each, so that they can be copied.
  text +=
      "\nTry:\n"
      "  tandem train kmeans --data data/iris.csv --k 3\n"
      "  tandem train decision-tree --data data/breast_cancer.csv --test-fraction 0.3\n"
      "  tandem demo --report report\n\n";
  return text + wrapped(
                    "tandem help COMMAND [ALGORITHM] lists options with their defaults. Exit "
                    "status: 0 done, 1 failed, 2 wrong usage or input, 130 interrupted.",
                    width);
}

}  // namespace tandem::program
