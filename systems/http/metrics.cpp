#include "systems/http/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tandem/core/text.hpp"

namespace tandem::http {
namespace {

void append_escaped(std::string& text, std::string_view value, bool quotes) {
  for (const char c : value) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '"' && quotes) {
      text += "\\\"";
    } else {
      text += c;
    }
  }
}

std::string written(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text += name + "=\"";
    append_escaped(text, value, true);
    text += '"';
  }
  return text;
}

void append_value(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
  } else if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
  } else {
    append_shortest(text, value);
  }
}

void append_series(std::string& text, const std::string& name, const std::string& labels) {
  text += name;
  if (!labels.empty()) text += "{" + labels + "}";
  text += ' ';
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {
  for (std::size_t i = 0; i <= bounds_.size(); ++i) counts_.emplace_back(0);
}

void Histogram::observe(double value) noexcept {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::vector<std::uint64_t> Histogram::counts() const {
  std::vector<std::uint64_t> counts;
  for (const auto& count : counts_) counts.push_back(count.load(std::memory_order_relaxed));
  return counts;
}

std::uint64_t Histogram::count() const noexcept {
  std::uint64_t all = 0;
  for (const auto& count : counts_) all += count.load(std::memory_order_relaxed);
  return all;
}

double Histogram::quantile(double share) const {
  const auto in_bucket = counts();
  std::uint64_t all = 0;
  for (const std::uint64_t count : in_bucket) all += count;
  if (all == 0) return 0;
  const double wanted = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < bounds_.size(); ++i) {
    const auto here = static_cast<double>(in_bucket[i]);
    if (below + here >= wanted && here > 0) {
      const double from = i == 0 ? 0 : bounds_[i - 1];
      return from + (bounds_[i] - from) * (wanted - below) / here;
    }
    below += here;
  }
  return bounds_.empty() ? 0 : bounds_.back();
}

const std::vector<double>& latency_bounds() {
  static const std::vector<double> bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                          0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                          1,      2.5,     5,      10};
  return bounds;
}

Metrics::Family& Metrics::family(const std::string& name, const std::string& help,
                                 std::string_view kind) {
  Family& found = families_[name];
  if (found.kind.empty()) {
    found.kind = kind;
    found.help = help;
  }
  if (found.kind != kind) throw std::logic_error("metric " + name + " has two kinds");
  return found;
}

Counter& Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& place = family(name, help, "counter").counters[written(labels)];
  if (!place) place = std::make_unique<Counter>();
  return *place;
}

Gauge& Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& place = family(name, help, "gauge").gauges[written(labels)];
  if (!place) place = std::make_unique<Gauge>();
  return *place;
}

Histogram& Metrics::histogram(const std::string& name, const std::string& help,
                              const std::vector<double>& bounds, const Labels& labels) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& place = family(name, help, "histogram").histograms[written(labels)];
  if (!place) place = std::make_unique<Histogram>(bounds);
  return *place;
}

void Metrics::before_reading(std::function<void()> update) {
  const std::lock_guard<std::mutex> lock(mutex_);
  updates_.push_back(std::move(update));
}

std::string Metrics::text() {
  std::vector<std::function<void()>> updates;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    updates = updates_;
  }
  for (const auto& update : updates) update();
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string text;
  for (const auto& [name, family] : families_) {
    text += "# HELP " + name + " ";
    append_escaped(text, family.help, false);
    text += "\n# TYPE " + name + " " + std::string(family.kind) + "\n";
    for (const auto& [labels, counter] : family.counters) {
      append_series(text, name, labels);
      append_shortest(text, counter->value());
      text += '\n';
    }
    for (const auto& [labels, gauge] : family.gauges) {
      append_series(text, name, labels);
      append_value(text, gauge->value());
      text += '\n';
    }
    for (const auto& [labels, histogram] : family.histograms) {
      const auto counts = histogram->counts();
      const std::string before = labels.empty() ? "" : labels + ",";
      std::uint64_t all = 0;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        all += counts[i];
        std::string bound = "+Inf";
        if (i < histogram->bounds().size()) bound = shortest(histogram->bounds()[i]);
        append_series(text, name + "_bucket", before + "le=\"" + bound + "\"");
        append_shortest(text, all);
        text += '\n';
      }
      append_series(text, name + "_sum", labels);
      append_value(text, histogram->sum());
      text += '\n';
      append_series(text, name + "_count", labels);
      append_shortest(text, all);
      text += '\n';
    }
  }
  return text;
}

}  // namespace tandem::http
