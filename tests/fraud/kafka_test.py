"""Transactions from Kafka and decisions to it, against librdkafka's mock of Kafka: nothing is lost or
decided twice, whatever ends or stops."""

import json
import os
import signal
import sys
import time
import unittest
import zlib

if not os.environ.get("TANDEM_MOCK_KAFKA"):
    print("skipped: the mock of Kafka is not built (tests/broker)")
    sys.exit(77)

from fleet import Kafka, metric, start, until  # noqa: E402
from server import Fraud, Source, replay, without_time  # noqa: E402


class OverKafka(Fraud):
    def setUp(self):
        self.kafka = Kafka("in:4", "out:4")
        self.addCleanup(self.kafka.stop)
        self.out = []

    def serve(self, name, *options):
        server = start(self.model, self.path / name, "--kafka", self.kafka.brokers, "--kafka-in", "in",
                       "--kafka-out", "out", *options)
        self.addCleanup(server.stop)
        return server

    def produce(self, *transactions):
        for one in transactions:
            self.kafka.produce("in", one["user_id"], one)

    def decisions(self, count):
        """The topic of decisions, once it has so many."""
        def come():
            self.out += self.kafka.consume("out")
            return len(self.out) >= count
        until(come, f"{count} decisions")
        return self.out

    def committed(self):
        return sum(max(0, self.kafka.committed("tandem-fraud", "in", one)) for one in range(4))

    def test_decisions_are_those_of_http(self):
        server = self.serve("both")
        source = Source(seed=2, users=12)
        sent = [source.next() for _ in range(60)]
        self.produce(*sent)
        self.decisions(60)
        by_id = {json.loads(one["value"])["transaction_id"]: one for one in self.out}
        for transaction in sent:
            message = by_id[transaction["transaction_id"]]
            # By the user, and the same answer that HTTP gives.
            self.assertEqual(message["key"], transaction["user_id"])
            self.assertEqual(message["partition"], zlib.crc32(transaction["user_id"].encode()) % 4)
            status, content = server.ask("POST", "/v1/transactions", transaction)
            self.assertEqual((status, content.decode().rstrip("\n")), (200, message["value"]))
        until(lambda: self.committed() == 60, "all are committed")
        # Those that come again, by HTTP as here, go out again.
        self.decisions(120)
        # HTTP's own go out too, each of a list.
        several = [source.next() for _ in range(3)]
        answers = server.post("/v1/transactions", several)
        self.decisions(123)
        self.assertEqual([json.loads(one["value"]) for one in sorted(
            self.out[120:], key=lambda one: json.loads(one["value"])["transaction_id"])],
            sorted(answers, key=lambda one: one["transaction_id"]))

    def test_what_is_no_transaction_is_answered(self):
        server = self.serve("none")
        good = Source().next()
        self.produce(good)
        self.decisions(1)
        self.kafka.produce("in", "k", "this is no JSON")
        self.kafka.produce("in", good["user_id"], {**good, "amount": good["amount"] + 1})
        self.kafka.produce("in", "k", {**good, "transaction_id": "bad", "amount": -1})
        errors = [json.loads(one["value"]) for one in self.decisions(4)[1:]]
        self.assertEqual(sorted(one["status"] for one in errors), [400, 400, 409])
        self.assertTrue(all(one["error"] for one in errors))
        self.assertIn("bad", [one.get("transaction_id") for one in errors])
        until(lambda: self.committed() == 4, "they count as read")
        self.assertEqual(metric(server, "tandem_fraud_kafka_refused_total"), 3)

    def test_nothing_is_lost_or_decided_twice_by_kills(self):
        server = self.serve("killed", "--durability", "sync")
        source = Source(seed=4, users=20)
        sent = []
        for kill in range(3):
            sent += [source.next() for _ in range(60)]
            self.produce(*sent[-60:])
            if kill == 1:
                until(lambda: metric(server, "tandem_kafka_consumed_total{client=\"tandem-fraud\"}") > 0,
                      "it reads")
            server.stop(signal.SIGKILL)
            server = self.serve("killed", "--durability", "sync")
        ids = {one["transaction_id"] for one in sent}

        def all_out():
            self.out += self.kafka.consume("out")
            return {json.loads(one["value"])["transaction_id"] for one in self.out} == ids
        until(all_out, "every transaction is decided")
        until(lambda: self.committed() == len(sent), "all are committed")
        # However often a decision went out, it is one.
        values = {}
        for one in self.out:
            values.setdefault(json.loads(one["value"])["transaction_id"], set()).add(one["value"])
        self.assertTrue(all(len(each) == 1 for each in values.values()))
        lines = [line for line in replay(server.state, ids) if "transaction_id" in line]
        wanted = [without_time(next(iter(each)).encode()) for each in values.values()]
        self.assertEqual(len(lines), len(wanted))
        self.assertEqual(list(set(wanted) - set(lines))[:3], [])

    def test_decisions_go_on_without_kafka_and_say_so(self):
        server = self.serve("away")
        source = Source(seed=6)
        self.produce(source.next())
        self.decisions(1)
        for stop, back in [(lambda: self.kafka.signal(signal.SIGSTOP),
                            lambda: self.kafka.signal(signal.SIGCONT)),
                           (lambda: self.kafka.say("down"), lambda: self.kafka.say("up"))]:
            stop()
            answers = []

            def decided():
                began = time.monotonic()
                status, content = server.ask("POST", "/v1/transactions", source.next())
                self.assertEqual(status, 200, content)
                self.assertLess(time.monotonic() - began, 10)
                answers.append(content)
                return b'"without":["kafka"]' in content
            until(decided, "an answer says that Kafka is away")
            self.assertEqual(metric(server, 'tandem_kafka_up{client="tandem-fraud",side="out"}'), 0)
            before = len(self.out)
            back()
            until(lambda: b"without" not in server.ask("POST", "/v1/transactions", source.next())[1],
                  "answers do not say so any more")
            # And what was decided meanwhile has gone out.
            self.decisions(before + len(answers))
            sent = {one["value"] for one in self.out}
            self.assertLessEqual({one.decode().rstrip("\n") for one in answers}, sent)
        self.assertIn("Kafka is away", server.log_path.read_text())
        # Replay says so of the same.
        ids = [json.loads(one["value"])["transaction_id"] for one in self.out]
        replayed = {line for line in replay(server.state, ids) if "transaction_id" in line}
        self.assertEqual(list({without_time(one["value"].encode()) for one in self.out} - replayed)[:3], [])
        self.assertTrue(any("without" in line for line in replayed))

    def test_partitions_read_their_own(self):
        servers = [start(self.model, self.path / f"part{i}", "--partition", f"{i}/2", "--kafka",
                         self.kafka.brokers, "--kafka-in", "in", "--kafka-out", "out") for i in range(2)]
        for server in servers:
            self.addCleanup(server.stop)
        source = Source(users=30)
        sent = [source.next() for _ in range(50)]
        self.produce(*sent)
        self.decisions(50)
        until(lambda: self.committed() == 50, "all are committed")
        for transaction in sent:
            ours = zlib.crc32(transaction["user_id"].encode()) % 2
            path = "/v1/transactions/" + transaction["transaction_id"]
            self.assertEqual([server.ask("GET", path)[0] for server in servers],
                             [200, 404] if ours == 0 else [404, 200])
        # A topic whose partitions cannot be parted so.
        three = start(self.model, self.path / "part3", "--partition", "0/3", "--kafka", self.kafka.brokers,
                      "--kafka-in", "in")
        self.addCleanup(three.stop)
        until(lambda: "expected a multiple" in three.log_path.read_text(), "it says so")


if __name__ == "__main__":
    unittest.main()
