// k-means for programs that choose an algorithm by name.
#include <array>

#include "core/model/typed_algorithm.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

class KMeansAlgorithm final : public TypedAlgorithm<KMeansAlgorithm> {
 public:
  [[nodiscard]] std::string_view name() const override { return "kmeans"; }
  [[nodiscard]] std::string_view summary() const override {
    return "k-means clustering by Lloyd's algorithm";
  }
  void visit_options(OptionVisitor& visitor) override {
    visitor.integer("k", clusters_, "Number of clusters", 1, std::int64_t{1} << 30);
    static constexpr std::array<std::string_view, 4> inits{"k-means++", "k-means||", "random",
                                                           "given"};
    visitor.choice("init", init_,
                   "How the first centres are found; --centres FILE alone means given", inits);
    visitor.text("centres", centres_file_,
                 "File of the first centres, a row each, in the features that the clustering sees");
    visitor.integer("starts", starts_,
                    "Runs from different first centres, of which the best is kept", 1, 1000000);
    visitor.integer("max-iterations", max_iterations_, "Most iterations of a start", 1,
                    std::int64_t{1} << 40);
    visitor.real("tolerance", tolerance_,
                 "Stop when the squared moves of the centres, added up, are at most this part of "
                 "the mean variance of the features",
                 0, 1e300);
    visitor.real("inertia-tolerance", inertia_tolerance_,
                 "Stop when the inertia changes by at most this part of itself; 0 never", 0, 1);
    visitor.real("oversampling", oversampling_,
                 "k-means||: rows drawn per round, in multiples of k", 1e-3, 1e3);
    visitor.integer("rounds", rounds_, "k-means||: rounds of drawing", 1, 1000);
  }

  void check_options() const override {
    const bool given = init_ == to_string(KMeansInit::given);
    if (given && centres_file_.empty()) {
      throw InputError("--init given needs the first centres: --centres FILE");
    }
    if (!centres_file_.empty() && !given && init_ != to_string(KMeansInit::plus_plus)) {
      throw InputError("--centres FILE and --init " + init_ +
                       " exclude each other: both say where the first centres come from");
    }
  }

  void set_seed(std::uint64_t seed) override { seed_ = seed; }

  template <Real T>
  [[nodiscard]] Task task_of(const Dataset<T>& /*data*/) const {
    return Task::clustering;
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> load_model(const Archive& archive,
                                                     std::type_identity<T> /*type*/) const {
    return KMeansModel<T>::load(archive);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const Dataset<T>& train,
                                                    const Dataset<T>* /*validation*/,
                                                    RunControl& control) const {
    KMeansOptions<T> options;
    options.clusters = clusters_;
    options.init = parse_kmeans_init(init_);
    options.starts = starts_;
    options.max_iterations = max_iterations_;
    options.tolerance = tolerance_;
    options.inertia_tolerance = inertia_tolerance_;
    options.oversampling = oversampling_;
    options.rounds = rounds_;
    options.seed = seed_;
    if (!centres_file_.empty()) {
      options.init = KMeansInit::given;
      Dataset<T> file = read_dataset<T>(centres_file_);
      require_finite(file, false);
      if (file.rows() != clusters_ || file.cols() != train.cols()) {
        throw InputError(centres_file_ + ": has " + std::to_string(file.rows()) + " rows of " +
                         std::to_string(file.cols()) + " values; expected --k " +
                         std::to_string(clusters_) + " centres of " + std::to_string(train.cols()) +
                         " features");
      }
      options.centres = std::move(file.features);
    }
    return std::make_unique<KMeansModel<T>>(fit_kmeans<T>(
        engine, train.features.view(), options, std::span<const T>(train.weights), control));
  }

 private:
  std::int64_t clusters_ = 8;
  std::string init_ = std::string(to_string(KMeansInit::plus_plus));
  std::string centres_file_;
  std::int64_t starts_ = 10;
  std::int64_t max_iterations_ = 300;
  double tolerance_ = 1e-4;
  double inertia_tolerance_ = 0;
  double oversampling_ = 2;
  std::int64_t rounds_ = 5;
  std::uint64_t seed_ = 0;
};

}  // namespace

std::unique_ptr<Algorithm> make_kmeans_algorithm();

std::unique_ptr<Algorithm> make_kmeans_algorithm() { return std::make_unique<KMeansAlgorithm>(); }

}  // namespace tandem
