"""Events of viewers from Kafka, against librdkafka's mock of Kafka: none is lost or counted twice, whatever
ends or stops, and what is no event is told."""

import json
import os
import pathlib
import signal
import sys
import unittest

if not os.environ.get("TANDEM_MOCK_KAFKA"):
    print("skipped: the mock of Kafka is not built (tests/broker)")
    sys.exit(77)

sys.path.append(str(pathlib.Path(__file__).parents[1] / "broker"))
from brokers import Kafka, metric, until  # noqa: E402
from service import Recommending, ids, tandem  # noqa: E402

REFUSED = "tandem_recommend_kafka_refused_total"
ACCEPTED = "tandem_recommend_kafka_events_total"


class OverKafka(Recommending):
    def setUp(self):
        super().setUp()
        self.kafka = Kafka("events:4", "refused:2")
        self.addCleanup(self.kafka.stop)

    def start(self, *options):
        return self.serve("--kafka", self.kafka.brokers, "--kafka-in", "events", "--kafka-refused", "refused",
                          "--config", self.configuration(version="v"), *options, history=False)

    def watched(self, user, item, **more):
        self.kafka.produce("events", user, {"user": user, "item": item, **more})

    def committed(self):
        return sum(max(0, self.kafka.committed("tandem-recommend", "events", one)) for one in range(4))

    def known(self, server, user):
        return {one["content_id"]: one["strength"] for one in server.get(f"/v1/users/{user}")["history"]}

    def test_an_event_changes_the_next_answer(self):
        server = self.start()
        before = server.recommended("anna")
        self.assertTrue(before["cold_start"])
        self.watched("anna", "i7")
        until(lambda: self.known(server, "anna") == {"i7": 1}, "the event is known")
        after = server.recommended("anna")
        self.assertFalse(after["cold_start"])
        self.assertNotIn("i7", ids(after))
        # Several in one message, of several viewers.
        self.kafka.produce("events", "ben", {"events": [{"user": "ben", "item": "i1"},
                                                        {"user": "carl", "item": "i2", "type": "like"}]})
        until(lambda: self.known(server, "carl") == {"i2": 2}, "all of them are known")
        self.assertEqual(self.known(server, "ben"), {"i1": 1})
        until(lambda: self.committed() == 2, "they are committed")
        self.assertEqual(metric(server, ACCEPTED), 3)
        self.assertEqual(server.stop(), 0)

    def test_what_is_no_event_is_told(self):
        server = self.start()
        self.kafka.produce("events", "k", "this is no JSON")
        self.kafka.produce("events", "k", {"user": "dora", "item": "nowhere"})
        self.kafka.produce("events", "k", {"user": "dora", "item": "i1", "weight": 7})
        self.watched("dora", "i1")
        until(lambda: self.committed() == 4, "they count as read")
        told = []

        def come():
            told.extend(json.loads(one["value"]) for one in self.kafka.consume("refused"))
            return len(told) >= 3
        until(come, "they are told")
        self.assertEqual([one["status"] for one in told], [400, 400, 400])
        text = " ".join(one["error"] for one in told)
        self.assertIn("there is no item 'nowhere'", text)
        self.assertIn("'weight' is not in (0, 1]", text)
        self.assertIn("this is no JSON", [one["message"] for one in told])
        self.assertEqual(len({(one["partition"], one["offset"]) for one in told}), 3)
        self.assertEqual(metric(server, REFUSED), 3)
        self.assertEqual(self.known(server, "dora"), {"i1": 1})
        self.assertIn("a message of Kafka's was refused", (self.path / "serve.log").read_text())

    def test_kills_lose_nothing_and_nothing_counts_twice(self):
        server = self.start()
        sent = 0
        for kill in range(3):
            for one in range(40):
                # Watched for a half: twice would be known as 1.
                self.watched(f"viewer{sent % 10}", f"i{sent // 10 + 1}", weight=0.5)
                sent += 1
            if kill == 1:
                until(lambda: metric(server, ACCEPTED) > 0, "it reads")
            server.stop(signal.SIGKILL)
            server = self.start()
        until(lambda: self.committed() == sent, "all are committed")
        for viewer in range(10):
            self.assertEqual(self.known(server, f"viewer{viewer}"),
                             {f"i{item + 1}": 0.5 for item in range(sent // 10)})

    def test_answers_go_on_without_kafka_and_say_so(self):
        server = self.start()
        self.watched("emil", "i3")
        until(lambda: self.known(server, "emil") == {"i3": 1}, "the event is known")
        self.assertEqual(server.recommended("emil")["missing"], [])
        self.kafka.say("down")
        until(lambda: server.recommended("emil")["missing"] == ["kafka"], "answers say that Kafka is away")
        self.assertTrue(server.get("/v1/status")["kafka_away"])
        server.event("emil", "i4")
        self.assertEqual(set(self.known(server, "emil")), {"i3", "i4"})
        self.kafka.say("up")
        until(lambda: server.recommended("emil")["missing"] == [], "answers do not say so any more")
        self.watched("emil", "i5")
        until(lambda: "i5" in self.known(server, "emil"), "events come again")

    def test_options_that_do_not_go_together(self):
        base = ["recommend", "serve", "--model", self.model, "--state", self.state, "--http", "127.0.0.1:0"]
        for options, word in [(["--kafka", "127.0.0.1:1"], "expected --kafka-in TOPIC"),
                              (["--kafka-in", "events"], "expected --kafka HOST:PORT"),
                              (["--kafka", "127.0.0.1:1", "--kafka-in", "a", "--kafka-refused", "a"],
                               "need topics of their own"),
                              (["--redis", "nowhere"], "expected HOST:PORT or redis://"),
                              (["--redis", "127.0.0.1:1", "--redis-prefix", "a b"], "--redis-prefix")]:
            self.assertIn(word, tandem(*base, *options, status=2), options)


if __name__ == "__main__":
    unittest.main()
