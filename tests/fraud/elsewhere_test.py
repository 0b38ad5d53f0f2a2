"""Partitions that tell each other through Redis: what they know is what one server knows, Redis is never
waited for, and what it missed is told later."""

import json
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "fraud"))
import partitions  # noqa: E402
from fleet import Forwarder, Redis, metric, start, state_folder, until  # noqa: E402
from server import Fraud, Server, Source, replay, without_time  # noqa: E402

Redis.require()


class Elsewhere(Fraud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redis = Redis()

    @classmethod
    def tearDownClass(cls):
        cls.redis.stop()
        super().tearDownClass()

    def pair(self, name, redis=None):
        servers = partitions.Servers(self.model, self.path, name, 2, redis or self.redis)
        for server in servers.servers:
            self.addCleanup(server.stop)
            until(lambda server=server: metric(server, 'tandem_redis_up{client="listens"}') == 1,
                  "Redis is reached")
        return servers

    def test_what_they_know_is_what_one_knows(self):
        """The figures of docs/fraud.md in short: exact where each waits for the one before, and with
        Redis far nearer than without."""
        found = partitions.compare(self.model, self.path, self.redis, 150, 2, (0, 50), seed=3)
        slow = found["each waits for the one before"]
        for feature in partitions.FEATURES:
            self.assertEqual(slow[feature]["same"], 1, (feature, slow))
        fast, alone = found["50 a second"], found["without Redis"]
        # What is the user's own is the same in any case.
        self.assertEqual(alone["user_count_24h"]["same"], 1)
        for feature in ["merchant_count_24h", "ip_count_24h", "device_users_30d", "component_users"]:
            self.assertLess(alone[feature]["same"], 0.7, feature)
            self.assertGreater(fast[feature]["same"], alone[feature]["same"], feature)

        def wrong(table):
            return sum((1 - one["same"]) * one["off"] for one in table.values())
        self.assertLess(wrong(fast), wrong(alone) / 4)

    def test_nobody_waits_for_redis(self):
        pair = self.pair("waits")
        source = Source(seed=8, users=30, prefix="waits")
        answers = {}

        def send(count=20):
            for _ in range(count):
                one = source.next()
                began = time.monotonic()
                answers[one["transaction_id"]] = pair.send(one)
                self.assertLess(time.monotonic() - began, 10)
            return answers[one["transaction_id"]]
        send()
        pair.settle()
        for stop, back in [(lambda: self.redis.signal(signal.SIGSTOP),
                            lambda: self.redis.signal(signal.SIGCONT)),
                           (self.redis.stop, self.redis.start)]:
            stop()
            try:
                until(lambda: b'"without":["redis"]' in send(1), "an answer says that Redis is away")
                send()
            finally:
                back()
            # What was decided meanwhile is told.
            until(lambda: b"without" not in send(1), "answers do not say so any more")
            pair.settle()
        logs = [server.log_path.read_text() for server in pair.servers]
        self.assertTrue(all("Redis is away" in log and "Redis answers" in log for log in logs))
        for server in pair.servers:
            self.assertEqual(metric(server, "tandem_fraud_elsewhere_gaps_total"), 0)
        self.same_replay(pair, answers)

    def test_a_slow_redis_and_cut_connections(self):
        forwarder = Forwarder(self.redis.place)
        self.addCleanup(forwarder.close)

        class Through:
            place = f"127.0.0.1:{forwarder.port}"
        pair = self.pair("slow", Through)
        source = Source(seed=11, users=30, prefix="slow")
        answers = {}

        def send():
            one = source.next()
            answers[one["transaction_id"]] = pair.send(one)
            return answers[one["transaction_id"]]
        for _ in range(10):
            send()
        pair.settle()
        forwarder.delay = 1.0
        until(lambda: b'"without":["redis"]' in send(), "an answer says that Redis is away")
        forwarder.delay = 0.0
        until(lambda: b"without" not in send(), "answers do not say so any more")
        for _ in range(4):
            forwarder.cut()
            for _ in range(5):
                send()
        pair.settle()
        for server in pair.servers:
            self.assertEqual(metric(server, "tandem_fraud_elsewhere_gaps_total"), 0)
        self.same_replay(pair, answers)

    def same_replay(self, pair, answers):
        replayed = [line for server in pair.servers for line in replay(server.state, answers)]
        self.assertEqual(sorted(replayed), sorted(without_time(one) for one in answers.values()))

    def test_a_kill_loses_and_doubles_nothing(self):
        pair = self.pair("kill")
        source = Source(seed=9, users=30, prefix="kill")
        answers = {}
        sent = []
        for kill in range(3):
            for _ in range(25):
                one = source.next(merchant_id=f"merchant-{len(sent) % 3}")
                sent.append(one)
                answers[one["transaction_id"]] = pair.send(one)
            victim = kill % 2
            server = pair.servers[victim]
            server.stop(signal.SIGKILL)
            pair.servers[victim] = start(self.model, server.state, "--rules", self.path / "rules.txt",
                                         "--durability", "os", "--partition", f"{victim}/2", "--redis",
                                         self.redis.place, "--redis-prefix", "kill")
            self.addCleanup(pair.servers[victim].stop)
            pair.connections[victim] = pair.servers[victim].connection()
        self.same_replay(pair, answers)
        # Each has what the other decided, once: what is known of a merchant that all go to is right.
        def counted():
            one = source.next(merchant_id="merchant-0")
            at = partitions.FEATURES.index("merchant_count_24h")
            asked.append(one)
            return partitions.known(pair.send(one))[at]
        asked = []
        everything = sum(one["merchant_id"] == "merchant-0" for one in sent)
        until(lambda: counted() == everything + len(asked), "both have heard of all")
        self.assertGreater(everything, 5)

    def test_an_erased_user_goes_everywhere(self):
        pair = self.pair("erase")
        source = Source(seed=10, users=6, prefix="erase")
        sent = [source.next() for _ in range(40)]
        for one in sent:
            pair.send(one)
        pair.settle()
        user = sent[0]["user_id"]
        own = partitions.partition_of(sent[0], 2)
        theirs = sum(one["user_id"] == user for one in sent)
        before = int(self.redis.ask("XLEN", f"erase:{own}")[1:])
        status, content = pair.servers[own].ask("DELETE", f"/v1/users/{user}")
        self.assertEqual(status, 200, content)

        def erased(server):
            return sum("erased" in line for line in replay(server.state))
        until(lambda: all(erased(server) == theirs for server in pair.servers),
              "the user is gone from both logs")
        # Of Redis too: the erasure itself is one entry more.
        until(lambda: int(self.redis.ask("XLEN", f"erase:{own}")[1:]) == before - theirs + 1,
              "the user is gone from Redis")

    def test_those_that_do_not_understand_each_other_say_so(self):
        pair = self.pair("agree")
        pair.settle()
        stranger = Server(self.model, self.path / "stranger", "--partition", "1/2", "--redis",
                          self.redis.place, "--redis-prefix", "agree")
        self.addCleanup(stranger.stop)
        until(lambda: "another secret" in stranger.log_path.read_text(), "the secrets are compared")
        other = Server(self.model, state_folder(self.path / "three"), "--partition", "1/3", "--redis",
                       self.redis.place, "--redis-prefix", "agree")
        self.addCleanup(other.stop)
        until(lambda: "number of partitions" in other.log_path.read_text(), "the numbers are compared")
        source = Source(prefix="agree", users=30)
        for server, count in [(stranger, 2), (other, 3)]:
            one = source.next()
            while partitions.partition_of(one, count) != 1:
                one = source.next()
            found = until(lambda server=server, one=one: server.ask("POST", "/v1/transactions", one),
                          "a decision")
            self.assertEqual(found[0], 200)
            self.assertEqual(json.loads(found[1])["without"], ["redis"])


if __name__ == "__main__":
    unittest.main()
