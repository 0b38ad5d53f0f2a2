// tandem demo: eight stories of learning in one page
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "tandem/bundled_data.hpp"
#include "tandem/cluster/select_k.hpp"
#include "tandem/command.hpp"
#include "tandem/config.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/data/write.hpp"
#include "tandem/explanation.hpp"
#include "tandem/figures.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/model_figures.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/recipe.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/run_report.hpp"
#include "tandem/tree/random_forest.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

using report::Mark;
using report::Page;
using report::Plot;
using report::Point;
using report::Series;

namespace fs = std::filesystem;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * share);
  return text;
}

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string scientific(double value) {
  if (value == 0) return "0";
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

class Demo final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.text("report", folder_, "the folder for report.html, made where it is missing");
    options.flag("force", force_, replace_help);
    options.text("data_dir", data_dir_, "the folder of Tandem's data sets; found if left out");
    options.integer("threads", threads_, "threads of the CPU; 0 takes all cores", 0, 4096);
    options.flag("quiet", quiet_, "no progress");
    options.flag("json", json_, "print the figures of the stories as JSON");
  }

  int run(const OptionSet& /*options*/) override {
    if (folder_.empty()) throw InputError("expected --report DIR: the folder for report.html");
    OutputFiles files;
    files.writes_report(folder_);
    files.check(force_);
    prepare_report_folder(folder_);
    data_ = bundled_data(data_dir_);
    Page page("Eight stories of learning",
              "How eight machines learn from data, what they get wrong, and how to tell. Every "
              "picture comes from a run that you can repeat with the command beside it, and every "
              "run was made twice: by the textbook and by the fast code.");
    regression(page);
    optimizers(page);
    tree(page);
    clusters(page);
    network(page);
    boosting(page);
    forest(page);
    explanation(page);
    agreement(page);
    gpu(page);
    const auto engine = Engine::create({.threads = static_cast<int>(threads_)});
    page.footer("Made by tandem demo, Tandem " TANDEM_VERSION ", on " + engine->description() +
                "; exact numerics, float64, seed 0. Data: diabetes (Efron, Hastie, Johnstone and "
                "Tibshirani 2004), iris (Fisher 1936) and breast cancer (Wolberg, Street and "
                "Mangasarian 1993), see data/README.md. Colours after Okabe and Ito.");
    const std::string path = (fs::path(folder_) / "report.html").string();
    page.write(path);
    if (json_) {
      figures_["report"] = path;
      print_json(figures_);
    } else {
      print("eight stories: " + path + "\n");
    }
    return 0;
  }

 private:
  // --- what the stories share

  void tell(const std::string& what) const {
    if (!quiet_ && ::isatty(STDERR_FILENO) == 1) note(what);
  }

  // A command of the page as somebody types it in a checkout: without this machine's paths.
  [[nodiscard]] std::string as_typed(std::string command) const {
    const std::pair<std::string, std::string> places[]{{data_ + "/", "data/"},
                                                       {(fs::path(folder_) / "").string(), ""}};
    for (const auto& [path, typed] : places) {
      for (auto at = command.find(path); at != std::string::npos; at = command.find(path, at)) {
        command.replace(at, path.size(), typed);
        at += typed.size();
      }
    }
    return command;
  }

  std::string svg(const Plot& plot) {
    return report::to_svg(plot, "figure-" + std::to_string(++plots_));
  }

  RecipeRun train(const Recipe& recipe, Device device = Device::cpu) {
    check_interrupt();
    ControlOptions options;
    options.quiet = true;
    ProgramControl control(options);
    Recipe with_threads = recipe;
    if (threads_ > 0) with_threads.arguments.push_back("--threads=" + std::to_string(threads_));
    return run_recipe(with_threads, device, control);
  }

  // Trains once more by the textbook and compares what the two models predict on the training part.
  void compare(Page& page, const std::string& story, const Recipe& recipe, const RecipeRun& cpu) {
    const RecipeRun reference = train(recipe, Device::reference);
    const auto a = cpu.model.predict_prepared(*cpu.engine, cpu.data.features.view());
    const auto b = reference.model.predict_prepared(*reference.engine, cpu.data.features.view());
    const auto rows = static_cast<Index>(cpu.data.rows());
    std::vector<std::string> row;
    if (!a.values.empty() || !a.probabilities.empty()) {
      const auto& x = a.values.empty() ? a.probabilities.values() : a.values;
      const auto& y = a.values.empty() ? b.probabilities.values() : b.values;
      double largest = 0;
      double difference = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        largest = std::max(largest, std::abs(x[i]));
        difference = std::max(difference, std::abs(x[i] - y[i]));
      }
      const Index length = rows + cpu.data.cols();
      const auto steps =
          static_cast<double>(std::max<Index>(1, cpu.model.provenance.algorithm == "decision-tree"
                                                     ? 1
                                                     : cpu.model.model->training().iterations));
      const double bound = steps * gamma_bound<double>(length) * std::max(largest, 1.0);
      row = {story, a.values.empty() ? "probabilities" : "predicted values", scientific(difference),
             scientific(bound), difference <= bound ? "yes" : "no"};
      figures_[story]["difference"] = difference;
      figures_[story]["bound"] = bound;
    } else {
      const auto x = by_appearance(a.labels);
      const auto y = by_appearance(b.labels);
      Index different = 0;
      for (std::size_t i = 0; i < x.size(); ++i) different += x[i] != y[i];
      row = {story, "clusters of rows", std::to_string(different), "0",
             different == 0 ? "yes" : "no"};
      figures_[story]["difference"] = different;
      figures_[story]["bound"] = 0;
    }
    page.table({{"reference against cpu", "largest difference", "bound", "within"},
                {row[1], row[2], row[3], row[4]}});
    agreements_.push_back(row);
    compare_with_gpu(story, recipe, cpu);
  }

  // --- what the CUDA half makes of a story

  struct GpuKernel {
    std::string story;
    std::string name;
    double launches = 0;
    double operations = 0;    // of floating point
    double bytes = 0;         // of global memory, each once per launch
    double instructions = 0;  // of threads
  };

  // Trains a third time, by the CUDA kernels on the software GPU, and compares the models bit by
  // bit.
  void compare_with_gpu(const std::string& story, const Recipe& recipe, const RecipeRun& cpu) {
    if (!gpu_missing_.empty()) return;
    try {
      gpu_name_ = Engine::create({.device = Device::softgpu})->description();
    } catch (const DeviceError& error) {
      gpu_missing_ = error.spelled(Spelling());
      return;
    }
    const software_gpu::Counting counting;
    const RecipeRun run = train(recipe, Device::softgpu);
    Archive a;
    Archive b;
    cpu.model.model->save(a);
    run.model.model->save(b);
    const std::vector<std::uint8_t> x = encode_archive(a, "model");
    const std::vector<std::uint8_t> y = encode_archive(b, "model");
    Index differing = std::abs(static_cast<Index>(x.size()) - static_cast<Index>(y.size())) * 8;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      differing += std::popcount(static_cast<unsigned>(x[i] ^ y[i]));
    }
    gpu_differs_ = gpu_differs_ || differing != 0;
    double launches = 0;
    double instructions = 0;
    std::size_t kernels = 0;
    const auto counters = nlohmann::ordered_json::parse(counting.counters());
    for (const auto& kernel : counters.at("kernels")) {
      GpuKernel one{.story = story, .name = short_name(kernel.at("name"))};
      one.launches = kernel.at("launches");
      one.instructions = kernel.at("instructions").at("thread");
      for (const char* group : {"flops", "special"}) {
        for (const auto& count : kernel.at(group)) one.operations += count.get<double>();
      }
      one.bytes = kernel.at("touched").at("read_bytes").get<double>() +
                  kernel.at("touched").at("written_bytes").get<double>();
      launches += one.launches;
      instructions += one.instructions;
      ++kernels;
      gpu_kernels_.push_back(one);
    }
    gpu_rows_.push_back({story, std::to_string(x.size()), std::to_string(differing),
                         std::to_string(kernels), fixed(launches, 0),
                         fixed(instructions / 1e6, instructions < 1e7 ? 2 : 0)});
    auto& figures = figures_[story]["gpu"];
    figures["engine"] = gpu_name_;
    figures["software"] = true;
    figures["differing_bits"] = differing;
    figures["launches"] = launches;
    figures["thread_instructions"] = instructions;
  }

  // A kernel's name without what stands around it: "void tandem::cuda::assign_kernel<float>(...)".
  static std::string short_name(std::string name) {
    const std::string_view anonymous = "(anonymous namespace)::";
    if (const auto from = name.find(anonymous); from != std::string::npos) {
      name.erase(0, from + anonymous.size());
    }
    name = name.substr(0, name.find_first_of("<("));
    const auto at = name.find_last_of(": ");
    if (at != std::string::npos) name = name.substr(at + 1);
    if (name.ends_with("_kernel")) name.resize(name.size() - 7);
    std::replace(name.begin(), name.end(), '_', ' ');
    return name;
  }

  // Clusters numbered in the order of their first rows: of starts that end equally well, the two
  // engines may take different ones, which number the same clusters differently.
  static std::vector<std::int32_t> by_appearance(std::vector<std::int32_t> labels) {
    std::map<std::int32_t, std::int32_t> numbers;
    for (auto& label : labels) {
      label = numbers.emplace(label, static_cast<std::int32_t>(numbers.size())).first->second;
    }
    return labels;
  }

  static double metric(const RecipeRun& run, const std::string& name) {
    EvaluateOptions options;
    options.curves = false;
    return run.model.evaluate_prepared(*run.engine, run.data, options).metrics.at(name);
  }

  // --- 1

  void regression(Page& page) {
    tell("1/8 a line");
    const Recipe recipe{
        "linear-regression",
        {"--data", data_ + "/diabetes.csv", "--ignore", "age,sex,bp,s1,s2,s3,s4,s5,s6", "--solver",
         "gradient", "--optimizer", "gradient-descent", "--learning-rate", "0.1", "--epochs", "60",
         "--patience", "0"}};
    const RecipeRun run = train(recipe);
    Recipe closed = recipe;
    closed.arguments.resize(4);
    const RecipeRun exact = train(closed);

    page.section("1", "A line through the cloud");
    page.paragraph(
        "Each point is one of 442 patients: to the right the body-mass index, upwards how far "
        "diabetes had progressed a year later. The line begins flat, and every step of gradient "
        "descent tilts it in the direction that lowers the mean squared distance to the points.");
    page.paragraph(
        "After some thirty steps there is nothing left to gain: the cost has reached the dashed "
        "level, which the closed formula finds in one go. It does not reach zero, and should not: "
        "one number per patient does not decide an illness.");
    page.command(as_typed(recipe.command()));

    Plot cloud;
    cloud.title = "disease progression against body-mass index with the regression line";
    cloud.x.label = "body-mass index (kg/m²)";
    cloud.y.label = "progression after one year (score)";
    Series patients{.label = "patients", .mark = Mark::points, .colour = 1};
    for (Index i = 0; i < run.data.rows(); ++i) {
      patients.points.push_back({run.model.transforms.unscale(0, run.data.features(i, 0)),
                                 run.data.target[static_cast<std::size_t>(i)]});
    }
    Series line{.label = "learned line", .colour = 2, .size = 1.3};
    const Window window = window_of(run.data, 0, 0);
    for (const double x : {window.left, window.right}) {
      Matrix<double> one(1, 1, x);
      line.points.push_back({run.model.transforms.unscale(0, x),
                             run.model.predict_prepared(*run.engine, one.view()).values[0]});
    }
    cloud.series = {patients, line};

    const auto& cost = run.model.model->training().history.at("cost");
    Plot curve = history_plot(run.model.model->training(), {"cost"}, "cost", false);
    curve.title = "cost after each step of gradient descent";
    curve.x.label = "step";
    curve.y.label = "cost (half the mean squared error, score²)";
    curve.series[0].label = "gradient descent";
    curve.series[0].colour = 2;
    const double floor = metric(exact, "mse") / 2;
    // Where the history is kept in units of its own, the last value and the floor show the ratio.
    const double mse = metric(run, "mse");
    const double unit = cost.back() > 0 ? (mse / 2) / cost.back() : 1;
    for (auto& point : curve.series[0].points) point.y *= unit;
    curve.series.push_back({.label = "closed formula",
                            .points = {{1, floor}, {static_cast<double>(cost.size()), floor}},
                            .colour = -1,
                            .dashed = true});
    curve.key = true;
    page.figures({{svg(cloud), "442 patients and the line that the machine ends with."},
                  {svg(curve),
                   "The cost falls by the same share in every step: first fast, then "
                   "slowly."}});
    page.facts({{"R²: share of the variance explained", fixed(metric(run, "r2"), 4)},
                {"R² by the closed formula", fixed(metric(exact, "r2"), 4)},
                {"typical error (score)", fixed(std::sqrt(mse), 1)},
                {"steps", std::to_string(cost.size())}});
    figures_["1 line"]["r2"] = metric(run, "r2");
    figures_["1 line"]["r2_closed"] = metric(exact, "r2");
    compare(page, "1 line", recipe, run);
  }

  // --- 2

  void optimizers(Page& page) {
    tell("2/8 three ways down");
    struct Way {
      std::string name;
      std::string label;
      std::string rate;
    };
    const std::vector<Way> ways{{"gradient-descent", "gradient descent", "0.1"},
                                {"momentum", "momentum", "0.1"},
                                {"adam", "Adam", "0.1"}};
    page.section("2", "Three ways down the same valley");
    page.paragraph(
        "Now all ten measurements of a patient are used. Some of them say nearly the same, and so "
        "the cost is a long, narrow valley: steep across, almost flat along. The plot shows how "
        "far "
        "each method still is above the floor of the valley, on a logarithmic scale.");
    page.paragraph(
        "Plain gradient descent soon only creeps along the floor. Momentum remembers its speed, "
        "like a ball that rolls, and Adam gives every parameter a step size of its own: both are "
        "at the bottom long before. None of them knows more than the slope under its feet.");
    page.command(
        "tandem compare optimizers --data data/diabetes.csv --epochs 1000 --learning-rate 0.1");
    Plot plot;
    plot.title = "distance to the lowest cost, by optimiser, logarithmic";
    plot.x.label = "step";
    plot.y = {.label = "cost above the lowest (share of the first)", .logarithmic = true};
    plot.width = 860;
    plot.height = 380;
    std::vector<std::vector<double>> histories;
    std::vector<std::vector<std::string>> rows{
        {"method", "steps to 1 % above the floor", "to 0.01 %", "R²"}};
    std::vector<RecipeRun> runs;
    double lowest = INFINITY;
    Recipe first;
    for (const Way& way : ways) {
      const Recipe recipe{
          "linear-regression",
          {"--data", data_ + "/diabetes.csv", "--solver", "gradient", "--optimizer", way.name,
           "--learning-rate", way.rate, "--epochs", "1000", "--patience", "0"}};
      if (first.arguments.empty()) first = recipe;
      runs.push_back(train(recipe));
      histories.push_back(runs.back().model.model->training().history.at("cost"));
      lowest =
          std::min(lowest, *std::min_element(histories.back().begin(), histories.back().end()));
    }
    // The floor is the closed formula's, in the unit of the histories.
    const RecipeRun exact = train({"linear-regression", {"--data", data_ + "/diabetes.csv"}});
    const double unit = metric(runs[0], "mse") / histories[0].back();
    const double floor = std::min(lowest, metric(exact, "mse") / unit);
    const double start = histories[0].front() - floor;
    const std::vector<int> colours{2, 1, 3};
    for (std::size_t w = 0; w < ways.size(); ++w) {
      Series series{.label = ways[w].label, .colour = colours[w]};
      const auto steps_to = [&](double share) -> std::string {
        for (std::size_t i = 0; i < histories[w].size(); ++i) {
          if (histories[w][i] <= floor * (1 + share)) return std::to_string(i + 1);
        }
        return "more than " + std::to_string(histories[w].size());
      };
      for (std::size_t i = 0; i < histories[w].size(); ++i) {
        const double above = (histories[w][i] - floor) / start;
        // Below this the plot would show rounding.
        if (above < 1e-12) break;
        series.points.push_back({static_cast<double>(i + 1), above});
      }
      plot.series.push_back(std::move(series));
      rows.push_back(
          {ways[w].label, steps_to(0.01), steps_to(0.0001), fixed(metric(runs[w], "r2"), 6)});
      figures_["2 optimisers"]["r2"][ways[w].name] = metric(runs[w], "r2");
    }
    rows.push_back({"closed formula", "-", "-", fixed(metric(exact, "r2"), 6)});
    page.figures({{svg(plot),
                   "The same start, the same valley, the same learning rate of 0.1. A "
                   "straight line downwards means that the distance shrinks by the "
                   "same factor in every step."}});
    page.table(rows);
    compare(page, "2 optimisers", first, runs[0]);
  }

  // --- 3

  void tree(Page& page) {
    tell("3/8 twenty questions");
    const Recipe recipe{
        "decision-tree",
        {"--data", data_ + "/iris.csv", "--ignore", "sepal_length_cm,sepal_width_cm", "--criterion",
         "entropy", "--max-depth", "3"}};
    const RecipeRun run = train(recipe);
    page.section("3", "Twenty questions, chosen well");
    page.paragraph(
        "A decision tree plays twenty questions. Of all questions of the kind \"is this petal "
        "narrower than so much?\" it takes the one that leaves least doubt about the species, "
        "measured as entropy, and then asks again on either side.");
    page.paragraph(
        "Every question is a straight cut along one axis, so the map of its answers is made of "
        "rectangles. The printed tree and the coloured map are the same thing: follow one flower "
        "through both.");
    page.command(as_typed(recipe.command()));
    Plot plot;
    const Window window = window_of(run.data, 0, 1);
    plot.title = "species of iris by petal length and width, with the regions of the tree";
    plot.x = {
        .label = axis_label(run.data.columns[0].name), .from = window.left, .to = window.right};
    plot.y = {
        .label = axis_label(run.data.columns[1].name), .from = window.bottom, .to = window.top};
    plot.boxes = decision_regions(run.model, *run.engine, window);
    plot.series = labelled_points(run.data, 0, 1, encode_classes(run.data).labels,
                                  run.model.model->classes());
    plot.height = 400;
    plot.width = 860;
    page.figures({{svg(plot),
                   "150 flowers, by species; the ground shows what the tree answers "
                   "there, the stronger the surer."}});
    page.preformatted(run.model.model->to_text(run.model.feature_names()));
    const double right = metric(run, "accuracy");
    page.facts({{"classified correctly", percent(right)},
                {"flowers on the wrong side", fixed(150 * (1 - right), 0)}});
    figures_["3 tree"]["accuracy"] = right;
    compare(page, "3 tree", recipe, run);
  }

  // --- 4

  void clusters(Page& page) {
    tell("4/8 how many kinds");
    page.section("4", "How many kinds are there?");
    page.paragraph(
        "Nobody tells k-means the species. It only moves k centres until each is in the middle of "
        "the flowers nearest to it. But how many centres? With more of them the distances always "
        "shrink, so look for the elbow: the k after which another centre buys little.");
    page.paragraph(
        "The silhouette asks each flower whether it is closer to its own cluster than to the next "
        "one, from −1 to 1. It votes for two, the botanist for three: the machine sees two clouds, "
        "because versicolor and virginica touch. A number answers a question, and it may not be "
        "yours.");
    page.command("tandem select kmeans --data data/iris.csv --k 2..5");
    std::vector<Page::Figure> maps;
    Series elbow{.label = "", .mark = Mark::line_points, .colour = 1, .size = 1.4};
    Series bars{.label = "", .mark = Mark::bars, .colour = 3};
    std::vector<std::vector<std::string>> rows{
        {"k", "inertia (cm²)", "silhouette", "agrees with the species (adjusted Rand)"}};
    const Recipe three{"kmeans", {"--data", data_ + "/iris.csv", "--k", "3", "--starts", "50"}};
    const RecipeRun run = train(three);
    SelectKOptions options;
    options.lowest = 2;
    options.highest = 5;
    options.gap = false;
    const auto view = std::as_const(run.data.features).view();
    const KSelection<double> selection = select_k(*run.engine, run.data, options);
    const auto species = encode_classes(run.data).labels;
    for (std::size_t i = 0; i < selection.candidates.size(); ++i) {
      const KCandidate& one = selection.candidates[i];
      const auto labels = selection.models[i].predict(*run.engine, view).labels;
      const auto k = static_cast<double>(one.k);
      elbow.points.push_back({k, one.inertia});
      bars.points.push_back({k, one.silhouette});
      rows.push_back({std::to_string(one.k), fixed(one.inertia, 4), fixed(one.silhouette, 4),
                      fixed(adjusted_rand(species, labels), 4)});
      figures_["4 clusters"]["inertia"][std::to_string(one.k)] = one.inertia;
      figures_["4 clusters"]["silhouette"][std::to_string(one.k)] = one.silhouette;
      maps.push_back(cluster_map(run, labels, static_cast<int>(one.k), one.silhouette));
    }
    page.figures(maps);
    Plot elbow_plot;
    elbow_plot.title = "inertia by the number of clusters";
    elbow_plot.x = {.label = "clusters k", .from = 1.7, .to = 5.3, .whole_numbers = true};
    elbow_plot.y = {.label = "inertia (cm²)", .from = 0};
    elbow_plot.series = {elbow};
    elbow_plot.height = 300;
    Plot bar_plot;
    bar_plot.title = "mean silhouette by the number of clusters";
    bar_plot.x = {.label = "clusters k", .from = 1.4, .to = 5.6, .whole_numbers = true};
    bar_plot.y = {.label = "mean silhouette", .from = 0, .to = 0.8};
    bar_plot.series = {bars};
    bar_plot.height = 300;
    for (const Point& p : bars.points) {
      bar_plot.labels.push_back({p.x, p.y + 0.035, fixed(p.y, 3)});
    }
    page.figures({{svg(elbow_plot),
                   "The elbow: from 2 to 3 the distances fall by half, after "
                   "that by little."},
                  {svg(bar_plot), "The silhouette: how much at home the flowers are."}});
    page.table(rows);
    compare(page, "4 clusters", three, run);
  }

  Page::Figure cluster_map(const RecipeRun& run, std::vector<std::int32_t> labels, int k,
                           double score) {
    const auto clusters = static_cast<std::size_t>(k);
    std::vector<Point> centres(clusters);
    std::vector<double> counts(clusters, 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto c = static_cast<std::size_t>(labels[i]);
      centres[c].x += run.data.features(static_cast<Index>(i), 2);
      centres[c].y += run.data.features(static_cast<Index>(i), 3);
      counts[c] += 1;
    }
    for (std::size_t c = 0; c < clusters; ++c) {
      centres[c].x /= counts[c];
      centres[c].y /= counts[c];
    }
    // Colours from left to right, so that they mean the same in all four pictures.
    std::vector<std::size_t> order(clusters);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return centres[a].x < centres[b].x; });
    std::vector<std::int32_t> place(clusters);
    for (std::size_t c = 0; c < clusters; ++c) place[order[c]] = static_cast<std::int32_t>(c);
    for (auto& label : labels) label = place[static_cast<std::size_t>(label)];
    Plot plot;
    plot.title = std::to_string(k) + " clusters of iris by petal length and width";
    plot.x.label = axis_label(run.data.columns[2].name);
    plot.y.label = axis_label(run.data.columns[3].name);
    plot.height = 290;
    plot.series = labelled_points(run.data, 2, 3, labels, std::vector<std::string>(clusters));
    plot.series.push_back(
        {.label = "", .points = centres, .mark = Mark::points, .colour = 0, .shape = 4, .size = 3});
    plot.key = false;
    return {svg(plot), "k = " + std::to_string(k) + ", silhouette " + fixed(score, 3) +
                           "; crosses are the centres."};
  }

  // --- 5

  void network(Page& page) {
    tell("5/8 what no line can do");
    const std::string file = (fs::path(folder_) / "xor.csv").string();
    GenerateOptions generated;
    generated.rows = 400;
    generated.features = 2;
    generated.seed = 1;
    write_csv(file, generate_xor<double>(generated));
    const Recipe recipe{"mlp",
                        {"--data", file, "--hidden", "8", "--activation", "tanh", "--epochs", "150",
                         "--learning-rate", "0.02", "--patience", "0"}};
    const Recipe line{"logistic-regression", {"--data", file}};
    const RecipeRun run = train(recipe);
    const auto& names = algorithm_names();
    const bool has_line = std::find(names.begin(), names.end(), line.algorithm) != names.end();
    page.section("5", "What no line can do");
    page.paragraph(
        "Exclusive or: a point is of the one kind where its two coordinates have the same sign, of "
        "the other where they differ. In 1969 this little problem stood for all that a machine "
        "with "
        "a single layer cannot learn, since no straight line parts the two kinds.");
    page.paragraph(
        "Eight hidden units are enough. Each draws a soft line of its own, and the last layer "
        "combines them. Watch the loss: it falls fastest while the units share out the work, and "
        "the accuracy climbs from a coin's toss to nearly one.");
    page.command(as_typed("tandem generate xor --rows 400 --seed 1 --out " + file));
    page.command(as_typed(recipe.command()));
    Plot map;
    const Window window{-1.05, 1.05, -1.05, 1.05};
    map.title = "the XOR points and what the network answers everywhere";
    map.x = {.label = "x0", .from = window.left, .to = window.right};
    map.y = {.label = "x1", .from = window.bottom, .to = window.top};
    map.boxes = decision_regions(run.model, *run.engine, window);
    Dataset<double> raw = run.data;
    for (Index i = 0; i < raw.rows(); ++i) {
      for (Index j = 0; j < 2; ++j) {
        raw.features(i, j) = run.model.transforms.unscale(j, raw.features(i, j));
      }
    }
    map.series = labelled_points(raw, 0, 1, encode_classes(run.data).labels,
                                 {"same sign", "different signs"});
    map.square = true;
    map.width = 460;
    map.height = 460;
    const TrainingLog& log = run.model.model->training();
    Plot loss = history_plot(log, {"loss"}, "loss (cross-entropy, nats)", true);
    loss.x.label = "epoch";
    loss.height = 225;
    Plot accuracy = history_plot(log, {"accuracy"}, "accuracy", false);
    accuracy.x.label = "epoch";
    accuracy.y.from = 0.4;
    accuracy.y.to = 1.02;
    accuracy.height = 225;
    if (!accuracy.series.empty()) accuracy.series[0].colour = 3;
    page.figures({{svg(map),
                   "400 points; the ground shows the network's answer, the stronger the "
                   "surer. Between the colours it is undecided."},
                  {svg(loss) + svg(accuracy),
                   "Loss (logarithmic) and share of points on the right side, after each of 150 "
                   "passes over the data."}});
    const double right = metric(run, "accuracy");
    std::vector<std::pair<std::string, std::string>> facts{
        {"accuracy of the network", percent(right)}};
    figures_["5 xor"]["accuracy"] = right;
    if (has_line) {
      const double guess = metric(train(line), "accuracy");
      facts.emplace_back("accuracy of logistic regression, which draws one line", percent(guess));
      figures_["5 xor"]["accuracy_of_a_line"] = guess;
    }
    page.facts(facts);
    compare(page, "5 xor", recipe, run);
  }

  // --- 6

  void boosting(Page& page) {
    tell("6/8 many small trees");
    const std::string file = (fs::path(folder_) / "xor.csv").string();
    const Recipe recipe{"gradient-boosting",
                        {"--data", file, "--task", "classification", "--rounds", "60",
                         "--max-depth", "2", "--learning-rate", "0.3"}};
    const RecipeRun run = train(recipe);
    page.section("6", "Many small trees, added up");
    page.paragraph(
        "Boosting answers the same riddle in another way. It begins with a guess that is the same "
        "for all points, grows a tree of two questions for what that guess gets wrong, adds a part "
        "of the tree's answer to the guess, and goes on with what is still wrong. No tree of two "
        "questions is worth much; sixty of them are.");
    page.paragraph(
        "Compare the map with the network's: that one bends soft lines, this one lays rectangles "
        "over each other, as every question is a straight cut along one axis.");
    page.command(as_typed(recipe.command()));
    const auto map_of = [&](const RecipeRun& shown, const std::string& title) {
      Plot map;
      const Window window{-1.05, 1.05, -1.05, 1.05};
      map.title = title;
      map.x = {.label = "x0", .from = window.left, .to = window.right};
      map.y = {.label = "x1", .from = window.bottom, .to = window.top};
      map.boxes = decision_regions(shown.model, *shown.engine, window);
      map.series = labelled_points(shown.data, 0, 1, encode_classes(shown.data).labels,
                                   {"same sign", "different signs"});
      map.square = true;
      map.width = 460;
      map.height = 460;
      return svg(map);
    };
    Recipe first = recipe;
    *std::ranges::find(first.arguments, "60") = "3";
    const RecipeRun few = train(first);
    page.figures({{map_of(few, "what three boosted trees answer everywhere"),
                   "The same 400 points; the ground shows the answer of the first three trees, the "
                   "stronger the surer."},
                  {map_of(run, "what sixty boosted trees answer everywhere"),
                   "All sixty: each has mended a little of what the others left."}});
    const double right = metric(run, "accuracy");
    page.facts({{"accuracy of 3 trees", percent(metric(few, "accuracy"))},
                {"accuracy of 60 trees", percent(right)}});
    figures_["6 boosting"]["accuracy"] = right;
    compare(page, "6 boosting", recipe, run);
  }

  // --- 7

  void forest(Page& page) {
    tell("7/8 many trees that vote");
    const std::string file = data_ + "/breast_cancer.csv";
    const auto recipe_of = [&](int trees) {
      return Recipe{"random-forest",
                    {"--data", file, "--trees", std::to_string(trees), "--oob-score"}};
    };
    const Recipe recipe = recipe_of(40);
    const RecipeRun run = train(recipe);
    const auto out_of_bag = [](const RecipeRun& one) {
      return *dynamic_cast<const RandomForestModel<double>&>(*one.model.model).oob_score;
    };
    page.section("7", "A forest that votes");
    page.paragraph(
        "One tree learns its rows by heart, chance included. A random forest grows many, each on "
        "rows drawn with replacement and with a few features to choose from at every question, and "
        "lets them vote: their mistakes differ, and cancel out. The rows are 569 tumours, measured "
        "under the microscope; the question is whether one is malignant.");
    page.paragraph(
        "About a third of the rows are not drawn by a given tree. So every row can be judged by "
        "the "
        "trees that have never seen it: the out-of-bag score, an honest one that costs no test "
        "part. The score on the rows that the trees did see says nothing.");
    page.command(as_typed(recipe.command()));
    Plot score;
    score.title = "out-of-bag accuracy by the number of trees";
    score.x = {.label = "trees", .from = 0, .to = 42};
    score.y = {.label = "out-of-bag accuracy", .from = 0.88, .to = 1.0};
    score.height = 300;
    score.key = false;
    Series line{.label = "", .mark = Mark::line_points, .colour = 3, .size = 1.4};
    for (const int trees : {5, 10, 20, 30}) {
      line.points.push_back({static_cast<double>(trees), out_of_bag(train(recipe_of(trees)))});
    }
    line.points.push_back({40, out_of_bag(run)});
    score.series = {line};
    const auto& model = dynamic_cast<const RandomForestModel<double>&>(*run.model.model);
    constexpr std::size_t shown = 10;
    page.figures(
        {{svg(score),
          "Rows are judged by the trees that have not drawn them. The more trees, the "
          "steadier the vote; beyond some dozens there is little left to gain."},
         {bars_html(run.model.feature_names(), model.importances(), shown),
          "The ten features of most importance: each one's share of what all splits of all "
          "trees gain. Several say nearly the same and share their merit, since every "
          "question sees a few of them only."}});
    check_interrupt();
    ControlOptions quiet;
    quiet.quiet = true;
    ProgramControl control(quiet);
    const double one_tree = cross_validate(PipelineOptions("decision-tree"), run.data,
                                           ValidationOptions{}, *run.engine, control)
                                .summary.at("accuracy")
                                .mean;
    page.facts({{"right, out of bag, by 40 trees", percent(out_of_bag(run))},
                {"right on rows that the trees have seen", percent(metric(run, "accuracy"))},
                {"right by one tree, in five-fold cross-validation", percent(one_tree)}});
    page.command("tandem cross-validate decision-tree --data data/breast_cancer.csv");
    figures_["7 forest"]["oob_score"] = out_of_bag(run);
    figures_["7 forest"]["accuracy"] = metric(run, "accuracy");
    figures_["7 forest"]["accuracy_of_one_tree"] = one_tree;
    compare(page, "7 forest", recipe, run);
  }

  // --- 8

  void explanation(Page& page) {
    tell("8/8 what was it thinking");
    const Recipe recipe{"gradient-boosting",
                        {"--data", data_ + "/diabetes.csv", "--rounds", "60", "--max-depth", "3"}};
    const RecipeRun run = train(recipe);
    const auto trees = *tree_ensemble_of(*run.model.model);
    Explanation<double> found{run.model,
                              run.data,
                              run.data,
                              run.data.rows(),
                              {},
                              0,
                              axis_label(run.model.schema.target.name),
                              {},
                              {}};
    found.trees = explain_trees(*run.engine, trees, std::as_const(run.data.features).view(), true);
    const TreeExplanation& said = *found.trees;
    page.section("8", "What was it thinking?");
    page.paragraph(
        "Sixty boosted trees predict how far a patient's diabetes will progress. Nobody reads "
        "sixty trees. But their answer can be shared out among the features, fairly: the Shapley "
        "value of a feature is what knowing it adds to the prediction, averaged over all orders in "
        "which the features could become known. For each patient the values add up to the "
        "prediction, exactly.");
    page.paragraph(
        "It says what the model does, not what makes people ill: where two features tell the same, "
        "the model may lean on either. (bmi is the body-mass index, bp the blood pressure, s1 to "
        "s6 are measurements of the blood.)");
    page.command(as_typed(recipe.command()) + " --model boosted.tandem");
    page.command(
        "tandem explain boosted.tandem --data data/diabetes.csv --sample 0 --interactions");
    const auto order = order_of(said.magnitude);
    std::string other;
    const Plot dependence = shap_dependence(found, order[0], other);
    page.figures({{svg(shap_swarm(found, 10)),
                   "Each point is a patient: what the feature adds to the prediction, in points of "
                   "the progression score. Colours tell low, middle and high values of the feature "
                   "apart."},
                  {svg(dependence),
                   "The feature that matters most, by its value. Patients of equal value differ by "
                   "what the other features make of it: colours are thirds of " +
                       axis_label(other) + ", which it does most together with."}});
    // The patient of the highest prediction, feature by feature.
    const auto predicted = run.model.predict_prepared(*run.engine, run.data.features.view()).values;
    const auto patient = static_cast<Index>(std::max_element(predicted.begin(), predicted.end()) -
                                            predicted.begin());
    std::vector<std::vector<std::string>> rows{{"", "value", "adds"}};
    rows.push_back({"of any patient, nothing known", "", fixed(said.shap.expected[0], 1)});
    const auto names = run.model.feature_names();
    const auto name = [&](Index f) { return axis_label(names[static_cast<std::size_t>(f)]); };
    constexpr std::size_t listed = 5;
    double rest = 0;
    double sum = said.shap.expected[0];
    std::vector<double> sizes;
    for (Index f = 0; f < said.shap.features; ++f) {
      sizes.push_back(std::abs(said.shap(patient, 0, f)));
    }
    const auto largest = order_of(sizes);
    for (std::size_t k = 0; k < largest.size(); ++k) {
      const Index f = largest[k];
      const double adds = said.shap(patient, 0, f);
      sum += adds;
      if (k >= listed) {
        rest += adds;
        continue;
      }
      rows.push_back({name(f), readable(run.data.features(patient, f)), fixed(adds, 1)});
    }
    rows.push_back(
        {"the other " + std::to_string(largest.size() - listed) + " features", "", fixed(rest, 1)});
    rows.push_back({"predicted progression", "", fixed(sum, 1)});
    page.table(rows, "The patient for whom the model expects most");
    figures_["8 explanation"]["r2"] = metric(run, "r2");
    figures_["8 explanation"]["most_important"] = names[static_cast<std::size_t>(order[0])];
    figures_["8 explanation"]["largest_prediction"] = sum;
    compare(page, "8 explanation", recipe, run);
    compare_shap_with_gpu("8 explanation", run, trees, said.shap);
  }

  // The Shapley values once more, by the CUDA kernels.
  void compare_shap_with_gpu(const std::string& story, const RecipeRun& run,
                             const TreeEnsemble<double>& trees, const ShapValues& cpu) {
    if (!gpu_missing_.empty()) return;
    const auto engine = Engine::create({.device = Device::softgpu});
    const ShapValues gpu = shap_values(*engine, trees, std::as_const(run.data.features).view());
    Index differing = 0;
    for (std::size_t i = 0; i < cpu.values.values().size(); ++i) {
      differing += std::popcount(std::bit_cast<std::uint64_t>(cpu.values.values()[i]) ^
                                 std::bit_cast<std::uint64_t>(gpu.values.values()[i]));
    }
    gpu_differs_ = gpu_differs_ || differing != 0;
    figures_[story]["gpu"]["differing_bits_of_shapley_values"] = differing;
    shap_on_gpu_ =
        "Of the last story the " + std::to_string(cpu.values.values().size()) +
        " Shapley values were computed by CUDA kernels, too: " + std::to_string(differing) +
        " bits differ.";
  }

  // --- the last word

  void agreement(Page& page) {
    page.section("", "Can you believe the pictures?");
    page.paragraph(
        "Every algorithm of Tandem is written more than once: as the textbook has it, slow and "
        "plain, and as the machine likes it, with vectors and threads. Both were trained here on "
        "the same data. Their answers may differ by rounding alone, and rounding has a limit that "
        "can be worked out beforehand.");
    std::vector<std::vector<std::string>> rows{
        {"story", "what was compared", "largest difference", "bound", "within"}};
    rows.insert(rows.end(), agreements_.begin(), agreements_.end());
    page.table(rows);
    page.paragraph(
        "The bound for numbers is (steps of training) × γₙ × (largest value, at least 1): each "
        "step "
        "adds at most the rounding γₙ = n·u / (1 − n·u) of a sum over n = rows + features terms, "
        "u = 2⁻⁵³, to first order. Clusters must hold the same rows, whatever they are numbered.");
  }

  // --- and on a GPU

  void gpu(Page& page) {
    tell("the same on a GPU");
    page.section("", "The same on a GPU");
    if (!gpu_missing_.empty()) {
      page.paragraph("Left out: " + gpu_missing_);
      figures_["gpu"] = nullptr;
      return;
    }
    page.paragraph(
        "Every story was told a third time: by the CUDA kernels that a graphics processor would "
        "run. There need not be one in this machine; the software GPU executes the kernels "
        "instruction by instruction on the CPU. That says nothing about time, and no time is "
        "shown. But the answer of thousands of threads, in an order of their own, has to be the "
        "CPU's to the last bit" +
        std::string(gpu_differs_ ? ". It is not: a bit that differs below is a fault of Tandem."
                                 : ", and it is: not one bit of the models differs."));
    std::vector<std::vector<std::string>> rows{{"story", "bytes of the model", "bits that differ",
                                                "kernels", "launches",
                                                "thread instructions (million)"}};
    rows.insert(rows.end(), gpu_rows_.begin(), gpu_rows_.end());
    page.table(rows, "cpu against " + gpu_name_);
    page.paragraph(shap_on_gpu_);
    page.paragraph(
        "What the kernels do can be counted, and tells what a GPU would wait for. Each point is a "
        "kernel: to the right, how many floating-point operations it makes of each byte that it "
        "has to move; upwards, the most that an A100 could reach with that, by its data sheet "
        "(2039 GB/s, 9.7 TFLOP/s in float64). Left of the bend the memory is the limit, and only a "
        "kernel that moves fewer bytes could be faster; right of it the arithmetic is. (With data "
        "as "
        "small as this a GPU would mostly wait for its kernels to be started.)");
    constexpr double bandwidth = 2039;  // GB/s, NVIDIA A100 80GB SXM data sheet
    constexpr double peak = 9700;       // GFLOP/s in float64, without tensor cores
    const auto limit = [&](double intensity) { return std::min(peak, bandwidth * intensity); };
    Plot plot;
    plot.title = "operations per byte of each kernel, under the limits of an A100";
    plot.x = {.label = "operations per byte moved", .logarithmic = true, .from = 0.01, .to = 100.0};
    plot.y = {.label = "limit by the data sheet (GFLOP/s)",
              .logarithmic = true,
              .from = 10.0,
              .to = 20000.0};
    plot.width = 860;
    plot.height = 400;
    plot.series.push_back({.label = "limit of an A100",
                           .points = {{0.01, limit(0.01)}, {peak / bandwidth, peak}, {100, peak}},
                           .colour = -1,
                           .size = 1.3});
    int colour = 0;
    for (const auto& row : gpu_rows_) {
      Series series{.label = row[0],
                    .mark = Mark::points,
                    .colour = ++colour,
                    .shape = colour % 5,
                    .size = 1.6};
      const GpuKernel* busiest = nullptr;
      for (const GpuKernel& kernel : gpu_kernels_) {
        if (kernel.story != row[0] || kernel.operations == 0 || kernel.bytes == 0) continue;
        const double intensity = kernel.operations / kernel.bytes;
        if (intensity < 0.01 || intensity > 100) continue;
        series.points.push_back({intensity, limit(intensity)});
        if (busiest == nullptr || kernel.instructions > busiest->instructions) busiest = &kernel;
      }
      if (busiest != nullptr) {
        figures_["gpu"]["busiest"][row[0]] = {
            {"kernel", busiest->name},
            {"operations_per_byte", busiest->operations / busiest->bytes}};
      }
      plot.series.push_back(std::move(series));
    }
    page.figures(
        {{svg(plot),
          "Operations and bytes as counted by the software GPU; the height is a limit from "
          "a data sheet and not a measurement."}});
    std::vector<std::vector<std::string>> busy{
        {"story", "busiest kernel", "launches", "operations per byte", "limited by"}};
    for (const auto& row : gpu_rows_) {
      const GpuKernel* busiest = nullptr;
      for (const GpuKernel& kernel : gpu_kernels_) {
        if (kernel.story == row[0] &&
            (busiest == nullptr || kernel.instructions > busiest->instructions)) {
          busiest = &kernel;
        }
      }
      if (busiest == nullptr) continue;
      const double intensity = busiest->bytes > 0 ? busiest->operations / busiest->bytes : 0;
      busy.push_back({row[0], busiest->name, fixed(busiest->launches, 0), fixed(intensity, 2),
                      intensity < peak / bandwidth ? "memory" : "arithmetic"});
    }
    page.table(busy);
    page.command("tandem agree --devices reference,cpu,softgpu");
  }

  std::string folder_;
  bool force_ = false;
  std::string data_dir_;
  std::string data_;
  std::int64_t threads_ = 0;
  bool quiet_ = false;
  bool json_ = false;
  int plots_ = 0;
  std::vector<std::vector<std::string>> agreements_;
  std::string gpu_missing_;  // why there is no CUDA half
  std::string gpu_name_;
  std::string shap_on_gpu_;  // a sentence
  bool gpu_differs_ = false;
  std::vector<std::vector<std::string>> gpu_rows_;
  std::vector<GpuKernel> gpu_kernels_;
  nlohmann::json figures_;
};

}  // namespace

std::unique_ptr<Command> make_demo(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Demo>();
}

}  // namespace tandem::program
