"""Odd and hostile input of a running `tandem fraud serve`: whatever comes is decided or refused by
name, what was decided is replayed in its bytes, and the server goes on."""

import json
import signal
import socket
import time
import unittest

from server import Fraud, Server, Source, replay, tandem, timestamp, without_time


def ahead(seconds):
    return timestamp(-seconds)


class Odd(Fraud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = Server(cls.model, cls.path / "odd", "--keep-transactions", 100_000)
        cls.source = Source(seed=21)
        cls.answers = {}

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        super().tearDownClass()

    def send(self, transaction, status=200, server=None):
        found, content = (server or self.server).ask("POST", "/v1/transactions", transaction)
        self.assertEqual(found, status, (transaction, content[:300]))
        if status == 200 and isinstance(transaction, dict):
            self.answers[transaction["transaction_id"]] = content
        return json.loads(content)

    def tearDown(self):
        """It is alive, and replay says what was answered."""
        self.assertEqual(self.server.get("/v2/health/ready"), {"ready": True})
        replayed = {json.loads(line)["transaction_id"]: line
                    for line in replay(self.server.state, self.answers)
                    if "transaction_id" in json.loads(line)}
        for name, answer in self.answers.items():
            self.assertEqual(replayed[name], without_time(answer))

    def test_json(self):
        good = json.dumps(self.source.next())
        for body in [b"", b" ", b"{", b"}", b"null", b"true", b"1", b'""', b"[]", b"[[]]", b"[null]",
                     b"[[[[[[1]]]]]]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b'"' + b"x" * 500_000,
                     b"\xff\xfe", b"\x00", b'{"transaction_id": "\xff"}', b'{"user_id": "\\ud800"}',
                     good.encode() + b"x", good.encode() + good.encode(), b"//c\n" + good.encode(),
                     good.replace('"', "'").encode(), good.replace("}", ",}").encode(),
                     good.replace('"currency"', '"user_id"').encode(),
                     good.replace('"EUR"', "EUR").encode(), b"[" + good.encode() + b",]",
                     json.dumps({str(i): i for i in range(2000)}).encode()]:
            status, content = self.server.ask("POST", "/v1/transactions", body)
            self.assertEqual(status, 400, (body[:80], content[:200]))
            self.assertIn("error", json.loads(content))
        # A mark of the order of bytes is passed over, as readers of JSON may do (RFC 8259, 8.1).
        status, _ = self.server.ask("POST", "/v1/transactions", b"\xef\xbb\xbf" + good.encode())
        self.assertIn(status, (200, 400))
        for number in ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "0x10", "01", "+1", ".5", "1.",
                       "1e", "--1", '"1"', "[1]", "true", "null", "9" * 400]:
            body = good.replace('"amount": ', f'"amount": {number}, "x": ')
            status, content = self.server.ask("POST", "/v1/transactions", body)
            self.assertEqual(status, 400, (number, content))

    def test_texts(self):
        for changes, member in [({"user_id": "\0"}, "user_id"), ({"user_id": "a\u0007"}, "user_id"),
                                ({"user_id": "\u0085"}, "user_id"), ({"user_id": "x" * 129}, "user_id"),
                                ({"user_id": ["u"]}, "user_id"), ({"user_id": 7}, "user_id"),
                                ({"transaction_id": ""}, "transaction_id"),
                                ({"currency": "EUR "}, "currency"), ({"currency": "eur"}, "currency"),
                                ({"currency": "ZZZ"}, "currency"), ({"currency": "€€"}, "currency"),
                                ({"transaction_type": "Purchase"}, "transaction_type"),
                                ({"card_last_four": "12345"}, "card_last_four"),
                                ({"card_last_four": "١٢٣٤"}, "card_last_four"),
                                ({"ip_address": "1.2.3"}, "ip_address"),
                                ({"ip_address": "1.2.3.4/8"}, "ip_address"),
                                ({"ip_address": "::1%eth0"}, "ip_address"),
                                ({"ip_address": "01.2.3.4"}, "ip_address"),
                                ({"<script>": 1}, "<script>")]:
            answer = self.send(self.source.next(**changes), 400)
            self.assertIn(member, answer["error"])
        for changes in [{"user_id": "用户\U0001F600"}, {"user_id": "x" * 128}, {"user_id": "'; DROP TABLE"},
                        {"merchant_id": '"\\/<b>&amp;'}, {"ip_address": "::"},
                        {"ip_address": "::ffff:10.0.0.1"}, {"device_id": " "},
                        {"transaction_id": "../../etc/passwd"}, {"transaction_id": "a b?c#d%20"}]:
            self.send(self.source.next(**changes))

    def test_times(self):
        for text in ["2024-02-29T10:00:00Z", "2024-02-29T10:00:00+14:00", "2024-02-29T10:00:00-14:00",
                     "2023-06-30T23:59:60Z", "2023-06-30T16:59:60-07:00", "1970-01-01T00:00:00Z",
                     "1970-01-01T05:00:00+05:00", "2024-02-29t10:00:00z", "2024-02-29T10:00:00.5Z",
                     "2024-12-31T23:59:59.999-00:01", "2024-02-29T10:00:00-00:00", ahead(200)]:
            self.send(self.source.next(timestamp=text))
        for text in ["2023-02-29T10:00:00Z", "2024-02-29T10:00:00+14:01", "2024-02-29T10:00:00+23:59",
                     "2024-02-29T10:00:61Z", "2024-02-29T24:00:00Z", "2024-02-29T10:60:00Z",
                     "2024-02-29T10:00:00", "2024-02-29", "2024-02-29 10:00:00Z", "1969-12-31T23:59:59Z",
                     "1970-01-01T00:00:00+01:00", "2024-W09-4T10:00:00Z", "2024-02-29T10:00:00.1234Z",
                     "2024-02-29T10:00:00 Z", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                     "-2024-02-29T10:00:00Z", "1709200800", ahead(3600), ahead(40 * 86400)]:
            self.assertIn("timestamp", self.send(self.source.next(timestamp=text), 400)["error"])
        # The same moment in another offset is another writing of another transaction's content.
        one = self.source.next(timestamp="2024-03-01T10:00:00+01:00")
        self.send(one)
        again = dict(one, timestamp="2024-03-01T09:00:00Z")
        self.assertIn("transaction_id", self.send(again, 409)["error"])

    def test_places_and_amounts(self):
        user = "traveller"
        for place in [[90, 0], [90, 180], [-90, -180], [0, 180], [0, -180], [-0.0, -0.0], [1e-300, 1e-300],
                      [89.999999, 179.999999], None]:
            answer = self.send(self.source.next(user_id=user, location=place))
            self.assertTrue(0 <= answer["risk_score"] <= 1)
        for place in [[90.0000001, 0], [0, 180.0001], [-91, 0], [1e308, 0], [0], [0, 0, 0], [], {}, "0,0",
                      ["0", "0"], [None, 0], [True, 0]]:
            self.assertIn("location", self.send(self.source.next(location=place), 400)["error"])
        for amount in [0, -0.0, 1e12, 0.001, 1e-300, 999_999_999_999.99, 1]:
            answer = self.send(self.source.next(user_id=user, amount=amount))
            self.assertTrue(0 <= answer["risk_score"] <= 1)
        for _ in range(40):
            self.send(self.source.next(user_id=user, amount=1e12, currency="GBP"))
        for amount in [-1, -0.01, 1.0000001e12, 1e300, True, "5", None, [5], {}]:
            self.assertIn("amount", self.send(self.source.next(amount=amount), 400)["error"])

    def test_lists(self):
        one, two = self.source.next(), self.source.next()
        changed = dict(one, amount=one["amount"] + 1)
        found = self.send([one, two, one, changed, two])
        self.assertEqual(found[0], found[2])
        self.assertEqual(found[1], found[4])
        self.assertIn("another transaction", found[3]["error"])
        status, content = self.server.ask("GET", "/v1/transactions/" + one["transaction_id"])
        self.assertEqual((status, json.loads(content)), (200, found[0]))
        several = [self.source.next() for _ in range(1000)]
        found = self.send(several)
        self.assertEqual([each["transaction_id"] for each in found],
                         [each["transaction_id"] for each in several])
        for each in several:
            status, content = self.server.ask("GET", "/v1/transactions/" + each["transaction_id"],
                                              connection=self.shared_connection())
            self.answers[each["transaction_id"]] = content
        self.assertIn("1000 transactions", self.send([self.source.next() for _ in range(1001)], 413)["error"])
        self.assertIn("transaction 999", self.send([self.source.next() for _ in range(999)] + [{}],
                                                   400)["error"])

    def shared_connection(self):
        if not hasattr(self, "connection"):
            self.connection = self.server.connection()
            self.addCleanup(self.connection.close)
        return self.connection

    def test_others_have_their_turn_beside_lists(self):
        """A list does not stand in the way of single transactions for all of its length."""
        lists = [self.server.connection() for _ in range(4)]
        for connection in lists:
            connection.request("POST", "/v1/transactions", json.dumps([self.source.next() for _ in range(1000)]))
        self.send(self.source.next())
        for connection in lists:
            response = connection.getresponse()
            self.assertEqual(len(json.loads(response.read())), 1000)
            connection.close()

    def test_labels(self):
        known = self.source.next()
        self.send(known)
        name = known["transaction_id"]
        for body, status in [({}, 400), ([], 400), ({"transaction_id": name}, 400), ({"fraud": True}, 400),
                             ({"transaction_id": name, "fraud": "true"}, 400),
                             ({"transaction_id": name, "fraud": 1}, 400),
                             ({"transaction_id": name, "fraud": None}, 400),
                             ({"transaction_id": [name], "fraud": True}, 400),
                             ({"transaction_id": "", "fraud": True}, 400),
                             ({"transaction_id": "x" * 5000, "fraud": True}, 404),
                             ({"transaction_id": name, "fraud": True, "timestamp": "soon"}, 400),
                             ({"transaction_id": name, "fraud": True, "timestamp": ahead(3600)}, 400),
                             ({"transaction_id": name, "fraud": True, "colour": 1}, 400),
                             ({"labels": []}, 400), ({"labels": {}}, 400), ({"labels": [7]}, 400),
                             ({"labels": [{"transaction_id": name, "fraud": True}], "more": 1}, 400),
                             ({"labels": [{"transaction_id": "no", "fraud": True}] * 1001}, 400),
                             ('{"transaction_id": "a", "fraud": true, "fraud": false}', 400)]:
            self.server.post("/v1/labels", body, status)
        # Found out before it happened: from when it happened.
        self.server.post("/v1/labels", {"transaction_id": name, "fraud": True,
                                        "timestamp": "1970-01-01T00:00:00Z"})
        found = self.server.post("/v1/labels", {"labels": [{"transaction_id": "no", "fraud": True}] * 1000})
        self.assertTrue(all("error" in one for one in found["labels"]))

    def test_paths(self):
        for method, path, statuses in [
                ("GET", "/v1/transactions/%00", (400, 404)), ("GET", "/v1/transactions/" + "x" * 3000, (404, 414)),
                ("GET", "/v1/transactions/%ff", (400, 404)), ("GET", "/v1/reviews?most=-1", (400,)),
                ("GET", "/v1/reviews?most=1e3", (400,)), ("GET", "/v1/stream?after=x", (400,)),
                ("GET", "/v1/stream?after=18446744073709551616", (400,)), ("PUT", "/v1/transactions", (405,)),
                ("DELETE", "/v1/users/", (404, 405)), ("GET", "/v1/users/u", (404, 405)),
                ("POST", "/v1/reviews/00000000000000000", (400,)), ("GET", "/v1/../secret", (400, 404)),
                ("DELETE", "/v1/users/" + "x" * 600, (200,))]:
            status, content = self.server.ask(method, path)
            self.assertIn(status, statuses, (method, path, content))

    def test_rules(self):
        rules = self.server.state / "rules.txt"
        before = rules.read_text()
        self.addCleanup(lambda: self.server.post("/v1/rules", before))
        for text in ["", "version", "version 0 rule r when true reason \"x\" weight 1", "version 1 rule",
                     "version 1 rule r when", "version 1 rule r when amount >", "version 1 rule r when 1/0",
                     'version 1 rule r when true weight 2 reason "x"', 'version 1 rule r when true weight 1 reason "{',
                     'version 1 rule r when true weight 1 reason "{x}"', "\0", "\xff" * 10,
                     "version 1 rule r when " + "(" * 5000 + "true" + ")" * 5000 + ' weight 1 reason "x"',
                     "version 1 rule r when " + " + ".join(["amount"] * 500) + ' > 0 weight 1 reason "x"',
                     'version 1 rule r when amount == "5" weight 1 reason "x"',
                     'version 1 rule r when true weight 1e999 reason "x"']:
            answer = self.server.post("/v1/rules", text.encode("latin-1"), 400)
            self.assertIn("rules", answer["error"])
            self.assertEqual(rules.read_text(), before)
        self.server.post("/v1/rules", "\n".join([
            "version 7",
            'rule zero when amount / 0 > 1 or amount / (amount - amount) > 1 action decline reason "zero"',
            'rule overflow when amount * 1e308 * 1e308 > 1 action decline reason "much"',
            'rule unknown when not known(amount) or device_age_days != device_age_days action decline reason "x"',
            'rule never when amount < 0 and hour > 24 action decline reason "never"',
            'rule always when amount >= 0 weight 0 dry-run action decline reason "{amount}{{}}"']))
        for amount in [0, 1e12, 5]:
            answer = self.send(self.source.next(amount=amount, device_id=None))
            self.assertNotIn("zero", [one["text"] for one in answer["reasons"]])
            self.assertNotIn("much", [one["text"] for one in answer["reasons"]])
        hits = {rule["name"]: rule["hits"] for rule in self.server.get("/v1/rules")["rules"]}
        self.assertEqual(hits, {"zero": 0, "overflow": 0, "unknown": 0, "never": 0, "always": 3})
        # Half a file, as an editor may leave it for a moment.
        whole = rules.read_text()
        version = self.server.get("/v1/rules")["version"]
        rules.write_text(whole[:len(whole) // 2])
        self.server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 30
        while "reload failed" not in self.server.log_path.read_text() and time.monotonic() < end:
            time.sleep(0.01)
        self.assertIn("reload failed", self.server.log_path.read_text())
        self.assertEqual(self.server.get("/v1/rules")["version"], version)
        self.assertEqual(self.server.post("/v1/reload", None, 400)["error"].count("rules.txt"), 1)
        rules.write_text(whole)

    def test_sockets(self):
        """Bytes that are no HTTP, requests that end in the middle, clients that go before the answer."""
        host, port = self.server.host.split(":")
        body = json.dumps(self.source.next())
        head = f"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        for data in [b"", b"\0" * 1000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/transactions HTTP/1.1\r\n" * 5000,
                     head.encode(), head.encode() + body[:20].encode(), (head + body).encode(),
                     b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                     b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n",
                     b"POST /v1/transactions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]:
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    if data and not data.startswith(b"\0"):
                        connection.recv(100)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it was refused in the middle


class OddStates(Fraud):
    """Folders and files that are not what they should be: refused by name, and left as they are."""

    def refused(self, state, *words, model=None, options=()):
        said = tandem("fraud", "serve", "--model", model or self.model, "--state", state, "--http",
                      "127.0.0.1:0", *options, status=2)
        for word in words:
            self.assertIn(word, said)
        return said

    def state(self, name, count=30):
        server = Server(self.model, self.path / name)
        source = Source(seed=23)
        connection = server.connection()
        for _ in range(count):
            server.ask("POST", "/v1/transactions", source.next(), connection=connection)
        connection.close()
        self.assertEqual(server.stop(), 0)
        return server.state

    def test_folders(self):
        state = self.state("used")
        server = Server(self.model, state)
        self.refused(state, "in use")
        server.stop()
        # What is refused changes nothing.
        contents = {file: file.read_bytes() for file in state.rglob("*") if file.is_file()}
        log = next((state / "log").glob("log-*"))
        snapshots = sorted((state / "log").glob("snapshot-*"))

        def with_change(file, content, *words, **changes):
            file.write_bytes(content)
            self.refused(state, *words, **changes)
            self.assertEqual(file.read_bytes(), content)
            file.write_bytes(contents[file])

        segment = bytearray(contents[log])
        segment[8] = 9
        with_change(log, bytes(segment), "format 9", str(log))
        segment = bytearray(contents[log])
        segment[len(segment) // 2] ^= 1
        with_change(log, bytes(segment), str(log), "damaged")
        with_change(state / "secret", b"short", "secret")
        with_change(state / "rules.txt", contents[state / "rules.txt"][:200], "rules.txt:")
        with_change(state / "configuration.json", b'{"version": ', "configuration.json")
        with_change(state / "configuration.json", b'{"version": 1, "velocity": {"weight": 1, "signals": '
                    b'[{"feature": "amount", "from": 0, "to": 0, "weight": 1}]}}', "'from' below 'to'")
        # A damaged snapshot is passed over, and the log has all.
        for file in snapshots:
            file.write_bytes(contents[file][:-100])
        server = Server(self.model, state)
        self.assertEqual(server.get("/v1/summary")["state"]["events"], 30)
        server.stop()

    def test_places(self):
        (self.path / "file").write_text("x")
        said = tandem("fraud", "serve", "--model", self.model, "--state", self.path / "file", "--http",
                      "127.0.0.1:0", status=1)
        self.assertIn(str(self.path / "file"), said)
        self.refused(self.path / "no-model", "nobody.tandem", model=self.path / "nobody.tandem")
        (self.path / "text.tandem").write_text("no model")
        self.refused(self.path / "no-model", "text.tandem", model=self.path / "text.tandem")
        self.refused(self.path / "no-model", "nothing.txt", options=("--rules", self.path / "nothing.txt"))
        for state in ["/proc/tandem", "/dev/null/x"]:
            said = tandem("fraud", "serve", "--model", self.model, "--state", state, "--http", "127.0.0.1:0",
                          status=1)
            self.assertIn(state, said)
        self.assertIn("expected the folder", tandem("fraud", "replay", "--state", self.path / "nothing", status=2))


if __name__ == "__main__":
    unittest.main()
