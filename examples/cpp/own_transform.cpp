// A transform of one's own with public headers alone: magnitudes of numbers become their
// logarithms. It stands in a pipeline by name, is kept in a model file, and predicts from raw rows
// on several threads.
#include <tandem/data/read.hpp>
#include <tandem/model/pipeline.hpp>
#include <tandem/transform/training_rows.hpp>
#include <tandem/transform/transform_of.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <sstream>
#include <thread>
#include <vector>

namespace {

struct LogOptions {
  bool log = false;

  void visit(tandem::OptionVisitor& visitor) {
    visitor.flag("log", log, "take the logarithms of columns without negative values");
  }
  void check() const {}
  static constexpr bool reads_categories = false;
  [[nodiscard]] bool applies_to(std::span<const tandem::Feature>) const { return log; }
};

template <tandem::Real T>
class LogTransform final : public tandem::Transform<T> {
 public:
  static LogTransform fit(const tandem::TrainingRows<T>& train, const LogOptions&) {
    LogTransform result(train.features);
    for (const tandem::Index j : train.of_kind(tandem::FeatureKind::number)) {
      if (!(train.range(j).low < 0)) result.taken_.push_back(j);
    }
    return result;
  }
  static LogTransform load(const tandem::Archive& archive, std::vector<tandem::Feature> inputs) {
    LogTransform result(std::move(inputs));
    for (const tandem::Index j : archive.get_tensor<tandem::Index>("taken")) {
      if (j < 0 || j >= static_cast<tandem::Index>(result.inputs().size())) {
        archive.fail("taken", "names a column that is not there");
      }
      result.taken_.push_back(j);
    }
    return result;
  }
  void save(tandem::Archive& archive) const override { archive.set_tensor("taken", taken_); }

  std::string_view name() const override { return "log"; }
  tandem::Matrix<T> transform_rows(const tandem::Matrix<T>& rows, int) const override {
    tandem::Matrix<T> result = rows;
    for (tandem::Index i = 0; i < rows.rows(); ++i) {
      for (const tandem::Index j : taken_) result(i, j) = std::log1p(result(i, j));
    }
    return result;
  }
  double unscale(tandem::Index j, double value) const override {
    for (const tandem::Index taken : taken_) {
      if (taken == j) return std::expm1(value);
    }
    return value;
  }
  std::string to_json() const override {
    return "{\"columns\": " + std::to_string(taken_.size()) + "}";
  }
  std::string to_text() const override { return std::to_string(taken_.size()) + " columns"; }

 private:
  explicit LogTransform(std::vector<tandem::Feature> inputs)
      : tandem::Transform<T>(std::move(inputs)) {}

  std::vector<tandem::Index> taken_;
};

std::unique_ptr<tandem::TransformStep> make_log() {
  return tandem::transform_of<LogOptions, LogTransform>(
      {.name = "log", .summary = "Takes logarithms", .place = 450});
}

}  // namespace

int main() {
  try {
    tandem::register_transform(make_log);
    // y = log(1 + x) exactly, so that the fit is as good as the transform.
    std::stringstream rows;
    rows.precision(17);
    rows << "x,y\n";
    for (int i = 0; i < 40; ++i)
      rows << i * i << "," << std::log1p(static_cast<double>(i * i)) << "\n";
    const auto data = tandem::read_dataset<double>(rows, "squares.csv", {.target = "y"});

    const auto engine = tandem::Engine::create();
    tandem::PipelineOptions options("linear-regression");
    options.set("log", true);
    tandem::Archive file;
    tandem::fit_pipeline(*engine, data, options).save(file);
    const auto model = tandem::Pipeline<double>::load(file);
    const auto predictor = model.on(*engine);

    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const auto predicted = predictor.predict(data).values;
        double worst = 0;
        for (std::size_t i = 0; i < predicted.size(); ++i) {
          worst = std::max(worst, std::abs(predicted[i] - data.target[i]));
        }
        if (worst < 1e-9) ++right;
      });
    }
    for (auto& thread : threads) thread.join();
    std::printf("%d right; transforms: %s\n", right.load(), model.transforms.to_json().c_str());

    // A second transform of that name is refused.
    try {
      tandem::register_transform(make_log);
      return 1;
    } catch (const tandem::InputError&) {
    }
    return right == 4 && model.transforms.find("log") != nullptr ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "own_transform: %s\n", error.what());
    return 1;
  }
}
