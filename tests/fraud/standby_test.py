"""A standby of `tandem fraud serve`: it has what the primary has, takes over, and says what it cannot
follow."""

import http.client
import json
import signal
import threading
import time
import unittest

from fleet import (Load, follow, has_come_up, metric, snapshot, standing, start, state_folder,
                   until)
from server import Fraud, Server, Source, replay, tandem, timestamp, without_time


def sender(server_of):
    """Sends over a connection for each thread to the server that there is; status 0: no answer."""
    kept = threading.local()

    def send(transaction):
        server = server_of()
        try:
            if getattr(kept, "host", None) != server.host:
                if hasattr(kept, "connection"):
                    kept.connection.close()
                kept.connection = server.connection(timeout=20)
                kept.host = server.host
            return server.ask("POST", "/v1/transactions", transaction, connection=kept.connection)
        except (OSError, http.client.HTTPException):
            kept.host = None
            return 0, b""
    return send


class Standby(Fraud):
    def start(self, name, *options):
        server = start(self.model, self.path / name, *options)
        self.addCleanup(server.stop)
        return server

    def follow(self, name, primary, *options):
        server = follow(self.model, self.path / name, primary, *options)
        self.addCleanup(server.stop)
        return server

    def send(self, server, transaction, status=200):
        found, content = server.ask("POST", "/v1/transactions", transaction)
        self.assertEqual(found, status, content)
        return content

    def equal_states(self, one, other):
        """Ends both; what they leave is the same, byte for byte."""
        until(lambda: has_come_up(other, one), "the standby comes up")
        # The standby first: it would lose its primary else, which changes nothing either.
        self.assertEqual(other.stop(), 0)
        self.assertEqual(one.stop(), 0)
        self.assertEqual(snapshot(one.state), snapshot(other.state))
        self.assertEqual(replay(one.state), replay(other.state))

    def test_has_the_same_state(self):
        """With labels, rules, users who are erased; one that was there from the first record on, and one
        that comes later and begins with a snapshot."""
        primary = self.start("same-p", "--snapshot-records", 120)
        early = self.follow("same-early", primary, "--snapshot-records", 100)
        source = Source(seed=5, users=10)
        sent = []
        for i in range(300):
            sent.append(source.next())
            self.send(primary, sent[-1])
            if i % 40 == 7:
                primary.post("/v1/labels", {"transaction_id": sent[-3]["transaction_id"],
                                            "fraud": i % 80 == 7})
            if i == 150:
                primary.post("/v1/rules", None, 400)
                status, content = primary.ask(
                    "POST", "/v1/rules", 'version 9\nrule all when amount > 30 weight 0.2 reason "large"')
                self.assertEqual(status, 200, content)
            if i == 200:
                status, content = primary.ask("DELETE", "/v1/users/user-3")
                self.assertEqual(status, 200, content)
                gone = json.loads(content)["log_records_erased"]
                self.assertGreater(gone, 0)
        late = self.follow("same-late", primary)
        for _ in range(30):
            self.send(primary, source.next())
        until(lambda: has_come_up(late, primary) and has_come_up(early, primary), "both come up")
        # Nobody else decides, and what is known can be asked for.
        self.assertEqual(standing(early)["role"], "standby")
        early.get("/v2/health/ready", 503)
        self.assertEqual(early.ask("GET", "/v1/transactions/" + sent[-1]["transaction_id"]),
                         primary.ask("GET", "/v1/transactions/" + sent[-1]["transaction_id"]))
        early.post("/v1/labels", {"transaction_id": sent[-1]["transaction_id"], "fraud": True}, 503)
        status, _ = early.ask("DELETE", "/v1/users/user-4")
        self.assertEqual(status, 503)
        # Who was erased is gone from the copies too.
        for server in (early, late):
            lines = replay(server.state, [one["transaction_id"] for one in sent])
            self.assertEqual(sum("erased" in line for line in lines), gone)
        self.assertEqual(late.stop(), 0)
        self.equal_states(primary, early)
        self.assertEqual(snapshot(late.state), snapshot(primary.state))
        # Started again, it goes on where it was; and so does the primary.
        primary = self.start("same-p")
        early = self.follow("same-early", primary)
        self.send(primary, source.next())
        self.equal_states(primary, early)

    def test_takes_over_from_one_that_steps_down(self):
        primary = self.start("planned-p")
        standby = self.follow("planned-s", primary)
        server = [primary]
        load = Load([Source(seed=i, users=8, prefix=f"planned{i}-") for i in range(4)],
                    sender(lambda: server[0]))
        until(lambda: load.count() > 100, "decisions")
        said = standby.post("/v1/takeover")
        self.assertTrue(said["stepped_down"])
        server[0] = standby
        count = load.count()
        until(lambda: load.count() > count + 100, "decisions of the other")
        answers = dict(load.end())
        self.assertEqual(standing(primary)["role"], "stepped down")
        primary.get("/v2/health/ready", 503)
        self.assertEqual(standing(standby)["role"], "primary")
        self.assertEqual(standing(standby)["epoch"], 2)
        for one, answer in answers.items():
            self.assertEqual(standby.ask("GET", f"/v1/transactions/{one}"), (200, answer))
        missing = {without_time(answer) for answer in answers.values()} - set(
            replay(standby.state, load.sent))
        self.assertEqual(list(missing)[:3], [])
        # A second time there is nobody to take over from.
        standby.post("/v1/takeover", status=409)
        # The one that stepped down becomes its standby, and takes over in turn.
        self.assertEqual(primary.stop(), 0)
        back = self.follow("planned-p", standby)
        self.send(standby, Source(prefix="more").next())
        until(lambda: has_come_up(back, standby), "the former primary comes up")
        self.assertTrue(back.post("/v1/takeover")["stepped_down"])
        self.assertEqual(standing(back)["epoch"], 3)
        for one, answer in answers.items():
            self.assertEqual(back.ask("GET", f"/v1/transactions/{one}"), (200, answer))

    def test_nothing_acknowledged_is_lost_with_one_that_confirms(self):
        """kill -9 of the primary under load, and its disk is never seen again."""
        primary = self.start("lost-p", "--durability", "sync", "--standby-confirms-ms", 20_000)
        standby = self.follow("lost-s", primary)
        until(lambda: metric(primary, "tandem_fraud_standby_confirms") == 1, "answers wait for it")
        server = [primary]
        load = Load([Source(seed=i, users=8, prefix=f"lost{i}-") for i in range(4)],
                    sender(lambda: server[0]))
        until(lambda: load.count() > 150, "decisions")
        primary.stop(signal.SIGKILL)
        # What is sent to the standby before it knows that it decides waits for that.
        server[0] = standby
        time.sleep(0.1)
        said = standby.post("/v1/takeover")
        self.assertFalse(said["stepped_down"])
        count = load.count()
        until(lambda: load.count() > count + 100, "decisions of the other")
        answers = dict(load.end())
        self.assertEqual(load.refused, 0)
        for one, answer in answers.items():
            self.assertEqual(standby.ask("GET", f"/v1/transactions/{one}"), (200, answer))
        lines = [line for line in replay(standby.state, load.sent) if "transaction_id" in line]
        self.assertEqual(len(set(lines)), len(lines))
        missing = {without_time(answer) for answer in answers.values()} - set(lines)
        self.assertEqual(list(missing)[:3], [])

    def test_answers_go_on_without_one_that_is_stopped(self):
        primary = self.start("stopped-p", "--standby-confirms-ms", 300)
        standby = self.follow("stopped-s", primary)
        until(lambda: metric(primary, "tandem_fraud_standby_confirms") == 1, "answers wait for it")
        source = Source(prefix="stopped")
        self.send(primary, source.next())
        alone = primary.state / "alone"
        until(lambda: not alone.exists(), "the standby has all that was answered")
        self.assertTrue(standing(primary)["standby"]["has_all"])
        standby.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(5):
                self.send(primary, source.next())
            self.assertEqual(metric(primary, "tandem_fraud_standby_confirms"), 0)
            self.assertFalse(standing(primary)["standby"]["answers_wait"])
            self.assertFalse(standing(primary)["standby"]["has_all"])
            # For who decides after a crash which of the two goes on.
            self.assertTrue(alone.exists())
        finally:
            standby.process.send_signal(signal.SIGCONT)
        until(lambda: metric(primary, "tandem_fraud_standby_confirms") == 1, "answers wait again")
        self.send(primary, source.next())
        until(lambda: has_come_up(standby, primary), "the standby comes up")
        until(lambda: not alone.exists(), "it has all that was answered")
        self.assertIn("the standby does not confirm", primary.log_path.read_text())

    def test_one_that_has_less_than_the_one_before_has_not_all(self):
        """Answers rest on the standby that confirmed them. Another one in its place has them only once it
        has come up, whether or not the primary has noticed that the first is gone."""
        primary = self.start("less-p", "--standby-confirms-ms", 60_000)
        first = self.follow("less-1", primary)
        alone = primary.state / "alone"
        until(lambda: not alone.exists(), "the standby has all that was answered")
        source = Source(prefix="less")
        for _ in range(20):
            self.send(primary, source.next())
        first.stop(signal.SIGKILL)
        self.assertFalse(alone.exists())
        host, port = primary.host.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        connection.request("GET", "/v1/log?confirms=1&from=3")
        self.assertEqual(connection.getresponse().status, 200)
        self.assertTrue(alone.exists())
        self.assertFalse(standing(primary)["standby"]["has_all"])
        second = self.follow("less-2", primary)
        until(lambda: not alone.exists(), "the other has all that was answered")
        self.assertTrue(standing(primary)["standby"]["has_all"])
        self.equal_states(primary, second)

    def test_keeps_what_comes_before_it_decides(self):
        primary = self.start("held-p")
        source = Source(prefix="held")
        self.send(primary, source.next())
        standby = self.follow("held-s", primary, "--hold-ms", 60_000)
        self.assertEqual(primary.stop(signal.SIGKILL), -signal.SIGKILL)
        until(lambda: not standing(standby)["follows"]["reached"], "the primary is missed")
        found = []
        threads = [threading.Thread(target=lambda one=source.next(): found.append(
            self.send(standby, one))) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(2)
        self.assertEqual(found, [])
        said = standby.post("/v1/takeover")
        for thread in threads:
            thread.join(timeout=240)
        self.assertEqual(len(found), 5)
        self.assertEqual(said["held"], 5)
        # It does the same once its primary has stepped down, whoever asked for that.
        third = self.follow("held-t", standby, "--hold-ms", 60_000)
        standby.post("/v1/step-down")
        kept = []
        thread = threading.Thread(target=lambda: kept.append(self.send(third, source.next())))
        thread.start()
        time.sleep(3)
        self.assertEqual(kept, [])
        third.post("/v1/takeover")
        thread.join(timeout=240)
        self.assertEqual(len(kept), 1)
        self.assertEqual(standby.stop(), 0)
        standby = third
        # Not for ever, and not where the primary goes on deciding, which it is asked in vain for.
        other = self.follow("held-o", standby, "--hold-ms", 60_000)
        began = time.monotonic()
        self.send(other, source.next(), 503)
        self.assertLess(time.monotonic() - began, 50)
        self.assertEqual(other.stop(), 0)
        other = self.follow("held-o", standby, "--hold-ms", 200)
        self.assertEqual(standby.stop(signal.SIGKILL), -signal.SIGKILL)
        self.send(other, source.next(), 503)

    def test_says_what_it_cannot_follow(self):
        primary = self.start("cannot-p")
        self.send(primary, Source(prefix="cannot").next())

        def trouble(server):
            return standing(server)["follows"]["trouble"]
        # Another secret.
        stranger = Server(self.model, self.path / "cannot-stranger", "--follow", primary.host)
        self.addCleanup(stranger.stop)
        until(lambda: "another secret" in trouble(stranger), "the secret is compared")
        self.assertTrue(standing(stranger)["follows"]["given_up"])
        stranger.post("/v1/takeover", status=409)
        # A state of its own.
        own = self.start("cannot-own")
        self.send(own, Source(prefix="own").next())
        self.assertEqual(own.stop(), 0)
        own = self.start("cannot-own", "--follow", primary.host)
        until(lambda: standing(own)["follows"]["given_up"], "the logs are compared")
        self.assertRegex(trouble(own), "no copy")
        # A standby, and nobody.
        standby = self.follow("cannot-s", primary)
        second = self.start("cannot-second", "--follow", standby.host)
        until(lambda: "no primary" in trouble(second), "the role is seen")
        nobody = self.start("cannot-nobody", "--follow", "127.0.0.1:1")
        until(lambda: "refused" in trouble(nobody), "nobody answers")
        nobody.post("/v1/takeover", status=409)

    def test_needs_the_token_of_an_administrator(self):
        tokens = self.path / "tokens"
        tokens.write_text("predict 0123456789abcdef shop\nadmin fedcba9876543210 ops\n")
        tokens.chmod(0o600)
        primary = self.start("token-p", "--tokens", tokens)
        for headers, wanted in [({}, 401), ({"Authorization": "Bearer 0123456789abcdef"}, 403),
                                ({"Authorization": "Bearer fedcba9876543210"}, 200)]:
            for path in ["/v1/log", "/v1/standby"]:
                self.assertEqual(primary.ask("GET", path, None, headers)[0], wanted, path)
        for path in ["/v1/step-down", "/v1/takeover"]:
            self.assertEqual(primary.ask("POST", path, None, {"Authorization": "Bearer 0123456789abcdef"})[0],
                             403)
        admin = {"Authorization": "Bearer fedcba9876543210"}
        for query, wanted in [("from=x", 400), ("from=99", 409), ("from=-1", 400)]:
            self.assertEqual(primary.ask("GET", "/v1/log?" + query, None, admin)[0], wanted, query)
        for path in ["..%2Fsecret", "secret", "nothing.tandem", "..", "%2e%2e%2fsecret"]:
            self.assertIn(primary.ask("GET", f"/v1/log/models/{path}", None, admin)[0], (400, 404), path)
        token = self.path / "token"
        token.write_text("fedcba9876543210\n")
        standby = start(self.model, self.path / "token-s", "--follow", primary.host, "--follow-token", token)
        self.addCleanup(standby.stop)
        until(lambda: standing(standby)["records"] > 0, "it follows by the token")

    def test_wrong_options_are_refused(self):
        place = ["fraud", "serve", "--model", self.model, "--state", self.path / "options"]
        for options, named in [(["--partition", "2/2"], "INDEX/COUNT"), (["--partition", "x"], "INDEX/COUNT"),
                               (["--follow-token", "f"], "--follow"), (["--follow", "nowhere"], "ADDRESS:PORT"),
                               (["--redis", "127.0.0.1:1"], "--partition"),
                               (["--partition", "0/2", "--redis", "nowhere"], "HOST:PORT"),
                               (["--kafka-in", "t"], "--kafka"), (["--kafka", "h:1"], "--kafka-in"),
                               (["--kafka", "h:1", "--kafka-in", "t", "--kafka-out", "t"], "topics")]:
            self.assertIn(named, tandem(*place, *options, status=2))


class Partitions(Fraud):
    def test_users_are_parted_by_the_sum_of_their_id(self):
        import zlib
        server = start(self.model, self.path / "parted", "--partition", "1/3")
        self.addCleanup(server.stop)
        source = Source(users=60)
        seen = set()
        for _ in range(80):
            transaction = source.next()
            ours = zlib.crc32(transaction["user_id"].encode()) % 3
            seen.add(ours)
            for headers in [{}, {"Tandem-Partition": transaction["user_id"]}]:
                status, content = server.ask("POST", "/v1/transactions", transaction, headers)
                self.assertEqual(status, 200 if ours == 1 else 421, content)
                if ours != 1:
                    self.assertIn(f"partition {ours} of 3", json.loads(content)["error"])
        self.assertEqual(seen, {0, 1, 2})

        def of(partition):
            while True:
                one = source.next()
                if zlib.crc32(one["user_id"].encode()) % 3 == partition:
                    return one
        one = of(1)
        status, content = server.ask("POST", "/v1/transactions", one, {"Tandem-Partition": "somebody-else"})
        self.assertEqual(status, 400)
        self.assertIn("Tandem-Partition", json.loads(content)["error"])
        # Of a list each counts, and none is decided where one is another's.
        mixed = [of(1), of(2)]
        status, content = server.ask("POST", "/v1/transactions", mixed)
        self.assertEqual(status, 421)
        self.assertIn("transaction 1", json.loads(content)["error"])
        server.get("/v1/transactions/" + mixed[0]["transaction_id"], 404)
        self.assertEqual(len(server.post("/v1/transactions", [of(1), of(1)])), 2)
        # A server that is not one of several takes everybody, and looks at the header all the same.
        whole = start(self.model, self.path / "whole")
        self.addCleanup(whole.stop)
        self.assertEqual(whole.ask("POST", "/v1/transactions", of(2), {"Tandem-Partition": "x"})[0], 400)
        self.assertEqual(whole.ask("POST", "/v1/transactions", of(2))[0], 200)


if __name__ == "__main__":
    unittest.main()
