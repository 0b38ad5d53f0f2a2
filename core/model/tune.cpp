#include "tandem/model/tune.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/json_text.hpp"
#include "core/model/stop_only.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/split.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double score_of(const Tuning::Candidate& candidate, const std::string& metric) {
  const auto found = candidate.scores.find(metric);
  return found == candidate.scores.end() ? nan : found->second.mean;
}

// The best first; what has no score last; ties in the order tried.
std::vector<Index> ranking_of(const std::vector<Tuning::Candidate>& candidates,
                              const std::string& metric, Direction better) {
  std::vector<Index> order;
  for (Index i = 0; i < static_cast<Index>(candidates.size()); ++i) order.push_back(i);
  const auto value = [&](Index i) {
    const double score = score_of(candidates[static_cast<std::size_t>(i)], metric);
    if (std::isnan(score)) return -std::numeric_limits<double>::infinity();
    return better == Direction::higher ? score : -score;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return value(a) > value(b); });
  return order;
}

void require_a_fit(const std::vector<Tuning::Candidate>& candidates, const std::string& metric) {
  for (const Tuning::Candidate& candidate : candidates) {
    if (!std::isnan(score_of(candidate, metric))) return;
  }
  for (const Tuning::Candidate& candidate : candidates) {
    if (candidate.failed.empty()) continue;
    throw InputError("no candidate could be fitted; the first: " + candidate.failed);
  }
  throw InputError("'" + metric +
                   "' is not defined for any candidate on these rows; choose another with " +
                   option("metric"));
}

// Everything that is done of a search, in the order in which it is done: for each outer fold its
// candidates, then the candidates on all rows.
struct Done {
  std::vector<std::vector<Tuning::Candidate>> outer;
  std::vector<std::map<std::string, double>> outer_scores;
  std::vector<Tuning::Candidate> final;
};

void save_candidates(Archive& state, const std::string& prefix,
                     const std::vector<Tuning::Candidate>& candidates) {
  state.set(prefix + "/count", static_cast<std::int64_t>(candidates.size()));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::string name = prefix + "/" + std::to_string(i);
    state.set(name + "/seconds", candidates[i].seconds);
    state.set(name + "/failed", candidates[i].failed);
    for (const auto& [metric, one] : candidates[i].scores) {
      state.set(name + "/scores/" + metric,
                std::vector<double>{one.mean, one.deviation, one.low, one.high,
                                    static_cast<double>(one.count)});
    }
  }
}

std::vector<Tuning::Candidate> load_candidates(
    const Archive& state, const std::string& prefix,
    const std::vector<std::vector<SearchSpace::Setting>>& all) {
  std::vector<Tuning::Candidate> candidates;
  const Index count = state.get_int(prefix + "/count", 0, static_cast<std::int64_t>(all.size()));
  for (Index i = 0; i < count; ++i) {
    const std::string name = prefix + "/" + std::to_string(i);
    Tuning::Candidate candidate;
    candidate.settings = all[static_cast<std::size_t>(i)];
    candidate.seconds = state.get_double(name + "/seconds");
    candidate.failed = state.get_string(name + "/failed");
    const Archive scores = state.part(name + "/scores");
    for (const auto& [metric, value] : scores.entries()) {
      const std::vector<double> numbers = scores.get_doubles(metric);
      if (numbers.size() != 5) scores.fail(metric, "is not five numbers");
      candidate.scores.emplace(metric, Estimate{numbers[0], numbers[1], numbers[2], numbers[3],
                                                static_cast<Index>(numbers[4])});
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

template <Real T>
class Tuner {
 public:
  Tuner(const PipelineOptions& pipeline, const SearchSpace& space, const Dataset<T>& data,
        const TuneOptions& options, Engine& engine, RunControl& control)
      : pipeline_(pipeline),
        space_(space),
        data_(data),
        options_(options),
        engine_(engine),
        control_(control) {}

  Tuning run() {
    if (options_.random < 0 || options_.outer_folds < 0 || options_.outer_folds == 1) {
      throw InputError(
          "the number of draws and of outer folds is 0 or more, and one fold is none; ask for 2 "
          "folds or more");
    }
    all_ = options_.random > 0 ? space_.draw(options_.random, pipeline_.seed()) : space_.grid();
    // An option that there is not, or a value that it does not take, is the caller's mistake and no
    // property of a candidate: it is said before anything is computed.
    for (const auto& settings : all_) (void)with_settings(pipeline_, settings);

    Tuning result;
    result.task = pipeline_.algorithm().task(data_);
    result.rows = data_.rows();
    // A ranking is judged by the order within queries.
    const std::string_view usual =
        data_.has_groups() && result.task == Task::regression ? "ndcg" : usual_metric(result.task);
    result.metric = options_.metric.empty() ? std::string(usual) : options_.metric;
    result.better = better_direction(result.metric, result.task);
    validation_ = options_.validation;
    if (result.metric == "silhouette") validation_.silhouette = true;
    metric_ = result.metric;
    better_ = result.better;
    folds_ = outer_folds(result.task);
    total_ = static_cast<Index>(all_.size()) * (options_.outer_folds + 1);
    done_.outer.resize(static_cast<std::size_t>(options_.outer_folds));
    if (control_.resume_state() != nullptr) resume(*control_.resume_state());

    steps_before_ = steps_;
    WatchedFit watched(static_cast<double>(total_ - steps_));
    for (Index f = 0; f < options_.outer_folds; ++f) {
      auto& candidates = done_.outer[static_cast<std::size_t>(f)];
      const bool scored = static_cast<Index>(done_.outer_scores.size()) > f;
      if (!scored) {
        const Split split = folds_->split(f);
        const Dataset<T> train = select_rows(data_, split.train);
        try_candidates(candidates, train, watched);
        require_a_fit(candidates, metric_);
        const Index best = ranking_of(candidates, metric_, better_).front();
        done_.outer_scores.push_back(
            score(all_[static_cast<std::size_t>(best)], train, select_rows(data_, split.test)));
      }
      const Index best = ranking_of(candidates, metric_, better_).front();
      result.outer.push_back(
          {all_[static_cast<std::size_t>(best)], done_.outer_scores[static_cast<std::size_t>(f)]});
    }
    try_candidates(done_.final, data_, watched);
    require_a_fit(done_.final, metric_);
    result.candidates = done_.final;
    result.ranking = ranking_of(result.candidates, metric_, better_);
    summarize_outer(result);
    return result;
  }

 private:
  std::optional<Folds> outer_folds(Task task) {
    if (options_.outer_folds == 0) return std::nullopt;
    // A partition of its own: the inner ones take the repeats from 0 on.
    constexpr std::uint32_t outer = 0x40000000;
    if (validation_.stratified && task == Task::classification) {
      return stratified_k_fold(encode_classes(data_).labels, options_.outer_folds, validation_.seed,
                               outer);
    }
    return k_fold(data_.rows(), options_.outer_folds, validation_.seed, outer);
  }

  void try_candidates(std::vector<Tuning::Candidate>& candidates, const Dataset<T>& data,
                      WatchedFit& watched) {
    StopOnly inner(control_);
    for (auto i = candidates.size(); i < all_.size(); ++i) {
      Tuning::Candidate candidate;
      candidate.settings = all_[i];
      watched.begin_fit(1);
      try {
        const CrossValidation scores =
            cross_validate(with_settings(pipeline_, all_[i]), data, validation_, engine_, inner);
        candidate.scores = scores.summary;
        for (const double seconds : scores.seconds) candidate.seconds += seconds;
      } catch (const Interrupted&) {
        // This candidate is lost, those before it are not.
        if (control_.keeps_checkpoints()) control_.save_checkpoint(state());
        throw;
      } catch (const InputError& error) {
        candidate.failed = error.marked();
      } catch (const NumericalError& error) {
        candidate.failed = error.marked();
      }
      candidates.push_back(std::move(candidate));
      ++steps_;
      watched.done_at(static_cast<double>(steps_ - steps_before_));
      Progress progress{"candidate", steps_, total_, "", 0};
      const Index best = ranking_of(candidates, metric_, better_).front();
      const double score = score_of(candidates[static_cast<std::size_t>(best)], metric_);
      const std::string name = "best " + metric_;
      if (!std::isnan(score)) {
        progress.objective_name = name;
        progress.objective = score;
      }
      end_iteration(control_, progress, [&] { return state(); });
    }
  }

  std::map<std::string, double> score(const std::vector<SearchSpace::Setting>& settings,
                                      const Dataset<T>& train, const Dataset<T>& test) {
    StopOnly inner(control_);
    const Pipeline<T> fitted =
        fit_pipeline(engine_, train, with_settings(pipeline_, settings), {.control = &inner});
    return fitted
        .evaluate(engine_, test,
                  {.silhouette = validation_.silhouette,
                   .curves = false,
                   .outlier_class = validation_.outlier_class})
        .metrics;
  }

  void summarize_outer(Tuning& result) const {
    std::set<std::string> names;
    for (const auto& fold : result.outer) {
      for (const auto& [name, value] : fold.scores) names.insert(name);
    }
    for (const std::string& name : names) {
      std::vector<double> values;
      for (const auto& fold : result.outer) {
        const auto found = fold.scores.find(name);
        values.push_back(found == fold.scores.end() ? nan : found->second);
      }
      result.nested.emplace(
          name, estimate(values, validation_.confidence,
                         1.0 / static_cast<double>(options_.outer_folds - 1), metric_bounds(name)));
    }
  }

  // The settings that a run must have in common with the one that it goes on with.
  std::vector<std::pair<std::string, std::string>> identity() const {
    return {{"kind", "tune"},
            {"space", space_.to_string()},
            {"random", std::to_string(options_.random)},
            {"metric", metric_},
            {"rows", std::to_string(data_.rows())},
            {"folds", std::to_string(validation_.folds)},
            {"repeats", std::to_string(validation_.repeats)},
            {"stratified", validation_.stratified ? "yes" : "no"},
            {"outer_folds", std::to_string(options_.outer_folds)},
            {"seed", std::to_string(validation_.seed)}};
  }

  Archive state() const {
    Archive state;
    for (const auto& [name, value] : identity()) state.set(name, value);
    for (std::size_t f = 0; f < done_.outer.size(); ++f) {
      save_candidates(state, "outer/" + std::to_string(f), done_.outer[f]);
    }
    state.set("outer_scored", static_cast<std::int64_t>(done_.outer_scores.size()));
    for (std::size_t f = 0; f < done_.outer_scores.size(); ++f) {
      for (const auto& [name, value] : done_.outer_scores[f]) {
        state.set("outer_scores/" + std::to_string(f) + "/" + name, value);
      }
    }
    save_candidates(state, "final", done_.final);
    return state;
  }

  void resume(const Archive& state) {
    for (const auto& [name, value] : identity()) {
      if (state.get_string(name) != value) {
        state.fail(name, "is not that of this run; a checkpoint continues the same run");
      }
    }
    for (std::size_t f = 0; f < done_.outer.size(); ++f) {
      done_.outer[f] = load_candidates(state, "outer/" + std::to_string(f), all_);
      steps_ += static_cast<Index>(done_.outer[f].size());
    }
    const Index scored = state.get_int("outer_scored", 0, options_.outer_folds);
    for (Index f = 0; f < scored; ++f) {
      const Archive part = state.part("outer_scores/" + std::to_string(f));
      std::map<std::string, double> scores;
      for (const auto& [name, value] : part.entries()) scores.emplace(name, part.get_double(name));
      done_.outer_scores.push_back(std::move(scores));
      if (done_.outer[static_cast<std::size_t>(f)].size() != all_.size()) {
        state.fail("outer_scored", "does not agree with the candidates that are done");
      }
    }
    done_.final = load_candidates(state, "final", all_);
    steps_ += static_cast<Index>(done_.final.size());
  }

  const PipelineOptions& pipeline_;
  const SearchSpace& space_;
  const Dataset<T>& data_;
  const TuneOptions& options_;
  Engine& engine_;
  RunControl& control_;
  ValidationOptions validation_;
  std::vector<std::vector<SearchSpace::Setting>> all_;
  std::optional<Folds> folds_;
  std::string metric_;
  Direction better_ = Direction::higher;
  Done done_;
  Index steps_ = 0;
  Index steps_before_ = 0;  // that a run that is resumed had
  Index total_ = 0;
};

nlohmann::json json_of(const std::vector<SearchSpace::Setting>& settings) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : settings) json[name] = value;
  return json;
}

nlohmann::json json_of(const std::map<std::string, Estimate>& scores) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, one] : scores) json[name] = nlohmann::json::parse(to_json(one));
  return json;
}

}  // namespace

const Tuning::Candidate& Tuning::best() const {
  return candidates[static_cast<std::size_t>(ranking.front())];
}

PipelineOptions with_settings(const PipelineOptions& pipeline,
                              const std::vector<SearchSpace::Setting>& settings) {
  PipelineOptions changed(pipeline);
  for (const auto& [name, value] : settings) changed.set(name, value);
  return changed;
}

template <Real T>
Tuning tune(const PipelineOptions& pipeline, const SearchSpace& space, const Dataset<T>& data,
            const TuneOptions& options, Engine& engine, RunControl& control) {
  const StopScope stop(&control);
  return Tuner<T>(pipeline, space, data, options, engine, control).run();
}

std::string to_json(const Tuning& tuning) {
  nlohmann::json json;
  json["task"] = to_string(tuning.task);
  json["rows"] = tuning.rows;
  json["metric"] = tuning.metric;
  json["better"] = tuning.better == Direction::higher ? "higher" : "lower";
  json["candidates"] = nlohmann::json::array();
  std::vector<Index> rank(tuning.candidates.size());
  for (std::size_t r = 0; r < tuning.ranking.size(); ++r) {
    rank[static_cast<std::size_t>(tuning.ranking[r])] = static_cast<Index>(r) + 1;
  }
  for (std::size_t i = 0; i < tuning.candidates.size(); ++i) {
    const Tuning::Candidate& candidate = tuning.candidates[i];
    nlohmann::json one{{"options", json_of(candidate.settings)},
                       {"rank", rank[i]},
                       {"scores", json_of(candidate.scores)},
                       {"seconds", candidate.seconds}};
    if (!candidate.failed.empty()) one["failed"] = candidate.failed;
    json["candidates"].push_back(std::move(one));
  }
  json["best"] = json_of(tuning.best().settings);
  if (!tuning.outer.empty()) {
    json["nested"] = {{"summary", json_of(tuning.nested)}, {"folds", nlohmann::json::array()}};
    for (const Tuning::OuterFold& fold : tuning.outer) {
      nlohmann::json scores = nlohmann::json::object();
      for (const auto& [name, value] : fold.scores) scores[name] = value;
      json["nested"]["folds"].push_back({{"options", json_of(fold.chosen)}, {"scores", scores}});
    }
  }
  return json_text(json);
}

template Tuning tune(const PipelineOptions&, const SearchSpace&, const Dataset<float>&,
                     const TuneOptions&, Engine&, RunControl&);
template Tuning tune(const PipelineOptions&, const SearchSpace&, const Dataset<double>&,
                     const TuneOptions&, Engine&, RunControl&);

}  // namespace tandem
