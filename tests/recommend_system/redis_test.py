"""Replicas that share what they know of viewers through a real Redis: a viewer may move from one to another,
no answer waits for Redis, and what it missed is told later.

On a machine with much to do Redis is late by itself now and then, which answers say, so that what others
know is waited for."""

import pathlib
import signal
import sys
import threading
import time
import unittest

for folder in ["serving", "broker"]:
    sys.path.append(str(pathlib.Path(__file__).parents[1] / folder))
from brokers import Redis, metric, until  # noqa: E402
from forwarder import Forwarder  # noqa: E402
from service import Recommending, Server, ids  # noqa: E402

Redis.require()
UP = 'tandem_redis_up{client="shares"}'


class Shared(Recommending):
    def setUp(self):
        super().setUp()
        self.redis = Redis()
        self.addCleanup(self.redis.stop)

    def replica(self, name, place=None, *options):
        server = Server("--model", self.model, "--items", self.items, "--state",
                        self.path / f"{self.state.name}-{name}", "--redis", place or self.redis.place,
                        "--config", self.configuration(version="v"), *options, log=self.path / f"{self.state.name}-{name}.log")
        self.servers.append(server)
        until(lambda: metric(server, UP) == 1, "Redis is reached")
        return server

    def known(self, server, user):
        return {one["content_id"] for one in server.get(f"/v1/users/{user}")["history"]}

    def comes_to_know(self, server, user, items):
        """What another replica has acknowledged is known here."""
        until(lambda: self.known(server, user) == set(items), f"{user} is known by {sorted(items)}")

    def answered_with_redis(self, server, user, n=10):
        """An answer that Redis was not late for."""
        return until(lambda: (answer := server.recommended(user, n))["missing"] == [] and answer,
                     "an answer goes by what Redis says")

    def test_a_viewer_moves_and_comes_back(self):
        a, b = self.replica("a"), self.replica("b")
        for item in ["i1", "i2", "i3"]:
            a.event("anna", item)
        self.comes_to_know(b, "anna", ["i1", "i2", "i3"])
        answer = self.answered_with_redis(b, "anna")
        self.assertFalse(answer["cold_start"])
        self.assertTrue({"i1", "i2", "i3"}.isdisjoint(ids(answer)))
        first = ids(answer)[0]
        b.event("anna", first, "dislike")
        b.event("anna", "i4")
        for server in [a, b]:
            self.comes_to_know(server, "anna", ["i1", "i2", "i3", "i4"])
            self.assertEqual(server.get("/v1/users/anna")["hidden"], [first])
        self.assertNotIn(first, ids(self.answered_with_redis(a, "anna", 50)))
        # An answer from the cache of one does not outlive an event at the other.
        kept = self.answered_with_redis(a, "anna")
        b.event("anna", ids(kept)[0])
        self.comes_to_know(a, "anna", ["i1", "i2", "i3", "i4", ids(kept)[0]])
        self.assertNotIn(ids(kept)[0], ids(self.answered_with_redis(a, "anna")))
        # One that ends forgets what it has only heard of, and hears of it again.
        b.stop(signal.SIGKILL)
        b = self.replica("b")
        self.comes_to_know(b, "anna", self.known(a, "anna"))

    def test_events_at_both_at_once_are_all_there(self):
        replicas = [self.replica("a"), self.replica("b")]
        problems = []

        def watch(server, first):
            try:
                for item in range(first, first + 60, 2):
                    server.event("both", f"i{item}")
            except Exception as error:  # noqa: BLE001
                problems.append(error)
        threads = [threading.Thread(target=watch, args=(server, place + 1))
                   for place, server in enumerate(replicas)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        everything = {f"i{item}" for item in range(1, 61)}
        for server in replicas:
            until(lambda server=server: self.known(server, "both") == everything, "each knows all of them")

    def test_a_removal_is_one_everywhere(self):
        a, b, c = self.replica("a"), self.replica("b"), self.replica("c")
        for place, server in enumerate([a, b, c]):
            server.event("gone", f"i{place + 1}")
        self.comes_to_know(c, "gone", ["i1", "i2", "i3"])
        c.stop(signal.SIGKILL)  # is away meanwhile
        until(lambda: a.ask("DELETE", "/v1/users/gone")[0] == 200, "the removal is told")
        for server in [a, b]:
            until(lambda server=server: not server.get("/v1/users/gone")["known"], "it is heard")
        a.event("gone", "i9")
        self.comes_to_know(b, "gone", ["i9"])
        c = self.replica("c")
        self.comes_to_know(c, "gone", ["i9"])
        # It stays so without Redis: each has written it down.
        self.redis.stop()
        until(lambda: metric(b, UP) == 0, "Redis is missed")
        for server, name in [(b, "b"), (c, "c")]:
            server.stop(signal.SIGKILL)
        self.redis.start()
        self.redis.ask("FLUSHALL")
        for name in "bc":
            again = self.replica(name)
            self.assertNotIn("i2", self.known(again, "gone"))
            self.assertNotIn("i3", self.known(again, "gone"))

    def test_a_removal_without_redis_says_that_it_is_not_told(self):
        a = self.replica("a")
        a.event("fred", "i1")
        self.redis.stop()
        until(lambda: metric(a, UP) == 0, "Redis is missed")
        status, answer = a.ask("DELETE", "/v1/users/fred")
        self.assertEqual(status, 503)
        self.assertIn("forgotten here", answer["error"])
        self.redis.start()
        until(lambda: metric(a, UP) == 1, "Redis is back")
        until(lambda: a.ask("DELETE", "/v1/users/fred")[0] == 200, "the removal is told")
        self.assertFalse(a.get("/v1/users/fred")["known"])

    def test_nobody_waits_for_redis(self):
        a, b = self.replica("a"), self.replica("b")
        a.event("gina", "i1")
        at = iter(range(2, 150))

        def asked(server, user="gina"):
            began = time.monotonic()
            answer = server.recommended(user)
            self.assertLess(time.monotonic() - began, 10)
            return answer["missing"]
        for stop, back in [(lambda: self.redis.signal(signal.SIGSTOP), lambda: self.redis.signal(signal.SIGCONT)),
                           (self.redis.stop, self.redis.start)]:
            until(lambda: asked(a) == [], "Redis answers")
            stop()
            try:
                until(lambda: asked(a) == ["redis"] and asked(b) == ["redis"], "answers say that Redis is away")
                item = f"i{next(at)}"
                a.event("gina", item)
                self.assertIn(item, self.known(a, "gina"))
                self.assertNotIn(item, self.known(b, "gina"))
            finally:
                back()
            until(lambda: asked(a) == [] and asked(b) == [], "answers do not say so any more")
            # What Redis missed is told.
            until(lambda: item in self.known(b, "gina"), "the other knows it")
        until(lambda: a.get("/v1/status")["redis"]["waiting"] == 0, "nobody waits to be told of")
        for name in "ab":
            log = (self.path / f"{self.state.name}-{name}.log").read_text()
            self.assertIn("Redis is away", log)
            self.assertIn("Redis answers", log)

    def test_a_slow_redis_and_cut_connections(self):
        forwarder = Forwarder(self.redis.place)
        self.addCleanup(forwarder.close)
        slow, b = self.replica("slow", f"127.0.0.1:{forwarder.port}"), self.replica("b")
        b.event("hugo", "i1")
        self.comes_to_know(slow, "hugo", ["i1"])
        forwarder.delay = 1.0
        until(lambda: slow.recommended("hugo")["missing"] == ["redis"], "answers say that Redis is late")
        slow.event("hugo", "i2")
        forwarder.delay = 0.0
        until(lambda: slow.recommended("hugo")["missing"] == [], "answers do not say so any more")
        until(lambda: self.known(b, "hugo") == {"i1", "i2"}, "what was late is told")
        for cut in range(4):
            forwarder.cut()
            slow.event("hugo", f"i{cut + 3}")
            self.assertEqual(len(slow.recommended("hugo")["recommendations"]), 10)
        until(lambda: self.known(b, "hugo") == {f"i{item}" for item in range(1, 7)}, "all of it is told")

    def test_a_redis_that_is_not_there_stops_nobody(self):
        nobody = Server("--model", self.model, "--items", self.items, "--state", self.state, "--redis",
                        "127.0.0.1:1", "--config", self.configuration(version="v"), log=self.path / "nobody.log")
        self.servers.append(nobody)
        self.assertEqual(nobody.recommended("u1")["missing"], ["redis"])
        nobody.event("u1", "i1")
        self.assertEqual(self.known(nobody, "u1"), {"i1"})
        self.assertEqual(nobody.stop(), 0)


if __name__ == "__main__":
    unittest.main()
