#include "systems/fraud/service/kafka_feed.hpp"

#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using broker::Message;
using http::Exchange;
using http::ExchangePtr;
using http::HttpError;
using http::Response;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds until_again{20};  // before what was refused for want of room is tried again

std::string text_of(const json& object, const char* member) {
  return object.is_object() && object.contains(member) && object[member].is_string()
             ? object[member].get<std::string>()
             : std::string();
}

// The answers of a list of transactions, which stand in a line each.
std::vector<std::string_view> parts_of(std::string_view body, bool list) {
  while (!body.empty() && body.back() == '\n') body.remove_suffix(1);
  if (!list) return {body};
  body.remove_prefix(1);
  body.remove_suffix(1);
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = body.find(",\n");
    parts.push_back(body.substr(0, end));
    if (end == std::string_view::npos) return parts;
    body.remove_prefix(end + 2);
  }
}

}  // namespace

// A transaction of Kafka's, as a request.
class KafkaFeed::FromKafka final : public Exchange {
 public:
  FromKafka(KafkaFeed& feed, Message message) : feed_(feed), message_(std::move(message)) {
    request.method = "POST";
    request.target = "/v1/transactions";
    request.body = message_.value;
    request.client = "kafka";
    request.arrived = http::Clock::now();
  }
  ~FromKafka() override {
    // Dropped without an answer.
    if (!sent_) feed_.inlet_->again(std::move(message_));
  }
  FromKafka(const FromKafka&) = delete;
  FromKafka& operator=(const FromKafka&) = delete;

  void send(Response response) override {
    if (sent_.exchange(true)) return;
    if (response.status >= 500) {
      feed_.inlet_->again(std::move(message_));
    } else {
      feed_.answered(message_, response);
    }
  }
  [[nodiscard]] bool wanted() const override { return !sent_; }

 private:
  KafkaFeed& feed_;
  Message message_;
  std::atomic<bool> sent_{false};
};

// A request of HTTP's, whose answer goes to Kafka too.
class KafkaFeed::FromHttp final : public Exchange {
 public:
  FromHttp(KafkaFeed& feed, ExchangePtr asked) : feed_(feed), asked_(std::move(asked)) {
    const http::Request& from = asked_->request;
    request.method = from.method;
    request.target = from.target;
    request.body = from.body;
    request.client = from.client;
    request.trace = from.trace;
    request.arrived = from.arrived;
    request.deadline = from.deadline;
    header_ = from.header(partition_header);
    request.head = std::make_unique<Head>(*this);
  }
  void send(Response response) override {
    if (response.status == 200) pass_on(response.body);
    asked_->send(std::move(response));
  }
  [[nodiscard]] bool wanted() const override { return asked_->wanted(); }

 private:
  class Head final : public http::RequestHead {
   public:
    explicit Head(const FromHttp& of) : of_(of) {}
    [[nodiscard]] std::string_view header(std::string_view name) const override {
      return name == partition_header ? std::string_view(of_.header_) : std::string_view();
    }

   private:
    const FromHttp& of_;
  };

  void pass_on(const std::string& body) {
    const json sent = json::parse(request.body, nullptr, false);
    const auto answers = parts_of(body, sent.is_array());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const json& one = sent.is_array() ? sent[i] : sent;
      feed_.producer_->send(text_of(one, "user_id"), answers[i],
                            [&feed = feed_](const std::string& why) {
                              if (!why.empty()) feed.not_sent_.add();
                            });
    }
  }

  KafkaFeed& feed_;
  ExchangePtr asked_;
  std::string header_;
};

KafkaFeed::KafkaFeed(DecisionService& service, const KafkaPlaces& places, http::Metrics& metrics,
                     http::Log& log)
    : service_(service),
      places_(places),
      log_(log),
      refused_(metrics.counter("tandem_fraud_kafka_refused_total",
                               "Messages of Kafka that were no transactions of this server")),
      not_sent_(metrics.counter("tandem_fraud_kafka_not_sent_total",
                                "Decisions that did not reach the topic of decisions")) {
  if (!places_.out.empty()) {
    broker::ProducerOptions options;
    options.topic = places_.out;
    producer_ = std::make_unique<broker::Producer>(places_.kafka, options, metrics, log);
  }
  if (places_.in.empty()) return;
  broker::KafkaInlet::Options options;
  options.what = "transactions of Kafka";
  options.until_again = until_again;
  options.consumer.topic = places_.in;
  options.consumer.group = places_.group;
  options.consumer.partitions = [partition = service.options().fleet.partition](
                                    std::int32_t count) { return partition.of_topic(count); };
  inlet_ = std::make_unique<broker::KafkaInlet>(
      places_.kafka, std::move(options),
      [this](Message message) { offer(std::make_shared<FromKafka>(*this, std::move(message))); },
      metrics, log);
  inlet_->start();
}

// Decisions that are safe have their messages sent, and are committed.
void KafkaFeed::end() {
  if (inlet_) inlet_->end([this] { return !producer_ || producer_->up(); });
}

KafkaFeed::~KafkaFeed() {
  end();
  if (producer_ && producer_->up()) (void)producer_->flush(broker::to_the_end);
  if (inlet_) inlet_->close();
  // Its reports come to the inlet.
  producer_.reset();
}

void KafkaFeed::decide(const ExchangePtr& exchange) {
  service_.decide(producer_ ? std::make_shared<FromHttp>(*this, exchange) : exchange);
}

void KafkaFeed::look_after() {
  if (!producer_) return;
  const bool away = !producer_->up();
  if (away == said_away_) return;
  service_.set_away(Outside::kafka, away);
  said_away_ = away;
}

void KafkaFeed::offer(const ExchangePtr& exchange) {
  try {
    service_.decide(exchange);
  } catch (...) {
    exchange->send(http::response_of_exception());
  }
}

// The answer is safe, or says that the message is none that could be decided.
void KafkaFeed::answered(const Message& message, const Response& response) {
  const json sent = json::parse(message.value, nullptr, false);
  std::vector<std::string> texts;
  if (response.status == 200) {
    for (const std::string_view part : parts_of(response.body, sent.is_array())) {
      texts.emplace_back(part);
    }
  } else {
    refused_.add();
    json error = json::parse(response.body, nullptr, false);
    if (!error.is_object()) error = json{{"error", response.body}};
    const std::string id = text_of(sent, "transaction_id");
    if (!id.empty()) error["transaction_id"] = id;
    error["status"] = response.status;
    error["partition"] = message.partition;
    error["offset"] = message.offset;
    texts.push_back(error.dump(-1, ' ', false, json::error_handler_t::replace));
    log_.write(http::LogLevel::warning, "a message of Kafka's was refused",
               {{"partition", static_cast<std::int64_t>(message.partition)},
                {"offset", message.offset},
                {"status", static_cast<std::int64_t>(response.status)}});
  }
  if (!producer_) {
    inlet_->done(message);
    return;
  }
  const bool waits = places_.acknowledge == KafkaAcknowledge::delivered;
  if (!waits) inlet_->done(message);
  // The last of them counts for all: they are of one user, and so of one partition.
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool last = i + 1 == texts.size();
    producer_->send(message.key, texts[i], [this, last, waits, message](const std::string& why) {
      if (!why.empty()) not_sent_.add();
      if (!waits || !last) return;
      if (why.empty()) {
        inlet_->done(message);
      } else {
        // Its first answer is given again, and sent again.
        inlet_->again(message);
      }
    });
  }
}

}  // namespace tandem::fraud
