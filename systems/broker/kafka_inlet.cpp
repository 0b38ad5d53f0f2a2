#include "systems/broker/kafka_inlet.hpp"

#include <pthread.h>

#include <optional>
#include <utility>

namespace tandem::broker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds look{100};  // between two looks at whether it is to end

}  // namespace

KafkaInlet::KafkaInlet(const KafkaOptions& kafka, Options options, Take take,
                       http::Metrics& metrics, http::Log& log)
    : options_(std::move(options)),
      take_(std::move(take)),
      log_(log),
      consumer_(kafka, options_.consumer, metrics, log) {}

KafkaInlet::~KafkaInlet() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
}

void KafkaInlet::start() {
  thread_ = std::thread([this] { run(); });
}

void KafkaInlet::end(const std::function<bool()>& goes_on) {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
  const auto end = std::chrono::steady_clock::now() + to_the_end;
  while (std::chrono::steady_clock::now() < end && goes_on() && under_way()) {
    std::this_thread::sleep_for(milliseconds(5));
  }
}

bool KafkaInlet::under_way() {
  const std::scoped_lock lock(mutex_);
  return consumer_.undone() > again_.size();
}

void KafkaInlet::again(Message message) {
  const std::scoped_lock lock(mutex_);
  again_.push_back(std::move(message));
}

void KafkaInlet::run() {
  (void)::pthread_setname_np(::pthread_self(), "kafka-in");
  while (!ending_) {
    std::optional<Message> message;
    {
      const std::scoped_lock lock(mutex_);
      if (!again_.empty()) {
        message = std::move(again_.front());
        again_.pop_front();
      }
    }
    if (message) {
      // The service had no room, or could write nothing down: it is asked again, not harder.
      std::this_thread::sleep_for(options_.until_again);
    } else {
      try {
        message = consumer_.next(look);
      } catch (const std::exception& error) {
        log_.write(http::LogLevel::error, options_.what + " are not read",
                   {{"error", std::string_view(error.what())}});
        return;
      }
    }
    if (message) take_(std::move(*message));
  }
}

}  // namespace tandem::broker
