"""`tandem models` and what a running server makes of it: versions, promotion under load, refusals,
rollback, tokens, SIGHUP, the stop."""

import json
import os
import re
import select
import signal
import threading
import time
import unittest

from server import DATA, Server, Serving, tandem, wait_for

# Between two classes, so that forests of different sizes differ.
ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}


class Registry(Serving):
    @classmethod
    def models(cls):
        cls.one = cls.train("one", "random-forest", DATA / "iris.csv", "--trees", "3")
        cls.two = cls.train("two", "random-forest", DATA / "iris.csv", "--trees", "30")
        cls.other = cls.train("other", "random-forest", DATA / "wine.csv", "--trees", "3")
        cls.register("first", cls.one, "--stage", "production")

    def versions(self, name):
        listed = json.loads(tandem("models", "list", self.repository, name, "--json"))["versions"]
        return {one["version"]: one["stage"] for one in listed}

    def setUp(self):
        name = self.name = self.id().rsplit(".")[-1].replace("test_", "")
        self.register(name, self.one, "--stage", "production")
        self.register(name, self.two)
        self.wait(lambda: self.server.ask("GET", f"/v2/models/{name}/versions/2/ready")[0] == 200)

    wait = staticmethod(wait_for)

    def infer(self):
        return self.server.post(f"/v2/models/{self.name}/infer", {"inputs": [ROW]})

    def test_stages(self):
        self.assertEqual(self.versions(self.name), {1: "production", 2: "candidate"})
        self.assertEqual(self.infer()["model_version"], "1")
        tandem("models", "promote", self.repository, self.name, "2")
        self.assertEqual(self.versions(self.name), {1: "archived", 2: "production"})
        self.wait(lambda: self.infer()["model_version"] == "2")
        self.server.get(f"/v2/models/{self.name}/versions/1/ready", 404)
        tandem("models", "rollback", self.repository, self.name)
        self.assertEqual(self.versions(self.name), {1: "production", 2: "archived"})
        self.wait(lambda: self.infer()["model_version"] == "1")
        error = tandem("models", "promote", self.repository, self.name, "9", status=2)
        self.assertIn("there are 1, 2", error)
        tandem("models", "promote", self.repository, self.name, "2", "--stage", "canary")
        self.assertEqual(self.versions(self.name), {1: "production", 2: "canary"})
        changes = json.loads(tandem("models", "diff", self.repository, self.name, "1", "2", "--json"))
        self.assertIn({"what": "option trees", "from": 3, "to": 30}, changes["changes"])

    def test_another_signature_is_refused(self):
        record = self.register(self.name, self.other)
        error = tandem("models", "promote", self.repository, self.name, record["version"], status=2)
        self.assertIn("which is in production", error)
        self.assertIn("--new-signature", error)
        self.assertEqual(self.versions(self.name)[3], "candidate")
        status, _, answer = self.server.ask("POST", f"/v1/models/{self.name}/promote", {"version": 3})
        self.assertEqual(status, 400, answer)
        self.assertEqual(self.infer()["model_version"], "1")

    def test_a_damaged_file_never_becomes_active(self):
        path = self.repository / "models" / self.name / "2.tandem"
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(200)
            file.write(b"damaged")
        error = tandem("models", "promote", self.repository, self.name, "2", status=2)
        self.assertIn("is not the file that was registered", error)
        # A server that starts on it answers with what can be loaded and says what cannot.
        other = Server(self.repository)
        try:
            index = other.post("/v2/repository/index")
            state = [one for one in index if one["name"] == self.name and one["version"] == "2"]
            self.assertEqual(state[0]["state"], "UNAVAILABLE")
            self.assertIn("registered", state[0]["reason"])
            other.get(f"/v2/models/{self.name}/ready")
            other.get(f"/v2/models/{self.name}/versions/2/ready", 503)
        finally:
            self.assertEqual(other.stop(), 0)

    def test_files_that_are_no_models(self):
        junk = self.path / "junk.tandem"
        junk.write_text("junk")
        self.assertIn("junk", tandem("models", "register", self.repository, "x", junk, status=2))
        for name in ["../x", "", "a b", "-x", ".x", "x" * 200]:
            tandem("models", "register", self.repository, "--", name, self.one, status=2)
        self.assertIn("no repository", tandem("serve", self.path / "nowhere", status=2))
        self.assertIn("no repository", tandem("models", "list", self.path / "nowhere", status=2))
        self.assertFalse((self.path / "nowhere").exists())

    def test_promotion_under_load(self):
        """Every request is answered, each as its named version answers offline."""
        expected = {}
        for version in ["1", "2"]:
            answer = self.server.post(f"/v2/models/{self.name}/versions/{version}/infer",
                                      {"inputs": [ROW]})
            expected[version] = answer["outputs"]
        self.assertNotEqual(expected["1"], expected["2"])
        stop = threading.Event()
        counts, failures = {"1": 0, "2": 0}, []

        def client():
            connection = self.server.connection()
            body = json.dumps({"inputs": [ROW]})
            while not stop.is_set():
                connection.request("POST", f"/v2/models/{self.name}/infer", body)
                response = connection.getresponse()
                content = response.read()
                if response.status != 200:
                    failures.append((response.status, content))
                    continue
                answer = json.loads(content)
                if answer["outputs"] != expected[answer["model_version"]]:
                    failures.append(answer)
                counts[answer["model_version"]] += 1
            connection.close()
        threads = [threading.Thread(target=client) for _ in range(3)]
        for thread in threads:
            thread.start()
        promotions = int(os.environ.get("TANDEM_PROMOTIONS", "30"))
        for i in range(promotions):
            self.server.post(f"/v1/models/{self.name}/promote", {"version": 2 - i % 2})
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(counts.values()), 0, counts)

    def test_tokens_and_reload(self):
        tokens = self.path / "tokens"
        tokens.write_text("predict 0123456789abcdef shop\nadmin fedcba9876543210 ops\n")
        tokens.chmod(0o600)
        log = self.path / "tokens.log"
        server = Server(self.repository, "--tokens", tokens, log=log)
        predict = {"Authorization": "Bearer 0123456789abcdef"}
        admin = {"Authorization": "Bearer fedcba9876543210"}
        fresh = {"Authorization": "Bearer aaaaaaaaaaaaaaaa"}
        path = f"/v2/models/{self.name}/infer"
        try:
            server.get("/v2/health/live")
            server.post(path, {"inputs": [ROW]}, 401)
            server.post(path, {"inputs": [ROW]}, 200, predict)
            server.post(f"/v1/models/{self.name}/promote", {"version": 1}, 403, predict)
            server.post(f"/v1/models/{self.name}/promote", {"version": 1}, 200, admin)
            self.assertEqual(server.ask("GET", "/metrics")[0], 401)
            tokens.write_text("predict aaaaaaaaaaaaaaaa\n")
            server.process.send_signal(signal.SIGHUP)
            self.wait(lambda: server.ask("GET", "/metrics", None, fresh)[0] == 200)
            server.post(path, {"inputs": [ROW]}, 401, predict)
            # A file that is wrong leaves the tokens as they are.
            tokens.write_text("nonsense\n")
            server.process.send_signal(signal.SIGHUP)
            self.wait(lambda: "reload failed" in log.read_text())
            server.post(path, {"inputs": [ROW]}, 200, fresh)
        finally:
            self.assertEqual(server.stop(), 0)
        text = log.read_text()
        for secret in ["0123456789abcdef", "fedcba9876543210", "aaaaaaaaaaaaaaaa"]:
            self.assertNotIn(secret, text)
        for line in text.splitlines():
            self.assertIn("event", json.loads(line))

    def waiting_rows(self, server):
        text = server.get("/metrics").decode()
        return sum(float(count) for count in re.findall(
            rf'^tandem_waiting_rows{{model="{self.name}".*}} (\S+)$', text, re.M))

    def test_stop_answers_what_is_under_way(self):
        server = Server(self.repository, "--batch-delay-us", "1000000", "--batch-rows", "100")
        connection = server.connection()
        # Until a signal comes while a request waits for others, which a busy machine may miss.
        for _ in range(20):
            connection.request("POST", f"/v2/models/{self.name}/infer", json.dumps({"inputs": [ROW]}))
            self.wait(lambda: self.waiting_rows(server) == 1 or
                      select.select([connection.sock], [], [], 0)[0])
            if not select.select([connection.sock], [], [], 0)[0]:
                break
            connection.getresponse().read()
        server.process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        response.read()
        self.assertEqual(response.getheader("Connection"), "close")
        self.assertEqual(server.stop(), 0)

    def test_overload_is_shed(self):
        server = Server(self.repository, "--batch-delay-us", "1000000", "--batch-rows", "1000",
                        "--queue-rows", "5")
        try:
            statuses = []
            connections = [server.connection() for _ in range(12)]
            for connection in connections:
                connection.connect()
            # All at once, while the first waits for others.
            for connection in connections:
                connection.request("POST", f"/v2/models/{self.name}/infer",
                                   json.dumps({"inputs": [ROW]}))
            for connection in connections:
                response = connection.getresponse()
                response.read()
                statuses.append((response.status, response.headers["Retry-After"]))
                connection.close()
            self.assertIn((503, "1"), statuses)
            self.assertGreaterEqual(statuses.count((200, None)), 5)
        finally:
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
