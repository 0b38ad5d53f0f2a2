"""deploy/serving/run.py: two servers behind HAProxy with TLS, the registry in PostgreSQL. Ends with
status 77, which counts as skipped, where one of Debian's packages haproxy, postgresql and curl is not
installed."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "serving"), str(ROOT / "tests" / "serving")]

from postgres import Missing, require  # noqa: E402
from server import DATA, tandem  # noqa: E402

try:
    require()
    missing = [name for name in ("haproxy", "curl", "openssl")
               if not (shutil.which(name) or os.path.exists(f"/usr/sbin/{name}"))]
    if missing:
        raise Missing(f"{', '.join(missing)} not installed (Debian packages of that name)")
except Missing as why:
    print(f"skipped: {why}")
    sys.exit(77)

ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}
BODY = json.dumps({"inputs": [ROW]})
PREDICT = "predict 0123456789abcdef shop"
ADMIN = "admin fedcba9876543210 ops"
# Requests of one address in ten seconds: more than the tests before the last make.
LIMIT = 2000


def bearer(line):
    return {"Authorization": f"Bearer {line.split()[1]}"}


# How a connection that the other side has ended shows itself, by when that is noticed.
CLOSED = (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# On a machine that does much else nothing is refused for the time that it would take.
PATIENT = ["--answer-ms", "20000", "--", "--longest-wait-ms", "60000"]


class Clients:
    """Threads that ask for predictions over TLS, each over a connection of its own, and compare."""

    def __init__(self, test, count=4):
        self.test = test
        self.asked = 0
        self.failures = []
        self.closed = 0  # connections that ended without an answer
        self.going = True
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]
        for thread in self.threads:
            thread.start()
        test.addCleanup(self.end)

    def ask(self):
        connection = self.test.connection()
        while self.going:
            try:
                connection.request("POST", "/v2/models/m/infer", BODY, bearer(PREDICT))
                response = connection.getresponse()
                content = response.read()
                if response.status != 200:
                    self.failures.append((response.status, content))
                elif json.loads(content)["outputs"] != self.test.expected:
                    self.failures.append(content)
            except CLOSED:
                self.closed += 1
                connection.close()
                connection = self.test.connection()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
                connection = self.test.connection()
            self.asked += 1
            time.sleep(0.05)
        connection.close()

    def end(self):
        self.going = False
        for thread in self.threads:
            thread.join()
        return self.failures

    def wait_for(self, more):
        """Until so many more were answered."""
        wanted = self.asked + more
        self.test.wait(lambda: self.asked >= wanted, f"{more} more requests are answered")


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-deploy-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.path.chmod(0o711)  # the user postgres passes through it
        for trees in ["3", "30"]:
            tandem("train", "random-forest", "--data", DATA / "iris.csv", "--trees", trees, "--model",
                   cls.path / f"{trees}.tandem", "--quiet")
        tokens = cls.path / "tokens"
        tokens.write_text(f"{PREDICT}\n{ADMIN}\n")
        tokens.chmod(0o600)
        errors = open(cls.path / "errors", "ab")
        cls.process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "serving" / "run.py"), str(cls.path / "repository"),
             "--tandem", os.environ["TANDEM_PROGRAM"], "--model", f"m={cls.path / '3.tandem'}",
             "--https", "127.0.0.1:0", "--folder", str(cls.path / "s"), "--tokens", str(tokens),
             "--requests-per-10-s", str(LIMIT), *PATIENT], stdout=subprocess.PIPE, stderr=errors,
            text=True)
        errors.close()
        line = cls.process.stdout.readline()
        if not line.startswith("ready https://"):
            cls.process.wait(timeout=240)
            raise AssertionError(cls.said())
        cls.url = line.split()[1]
        cls.host = cls.url.removeprefix("https://")
        cls.registry = line.split()[-1]
        cls.authority = cls.path / "s" / "ca.pem"
        cls.tls = ssl.create_default_context(cafile=str(cls.authority))
        cls.expected = cls.ask("POST", "/v2/models/m/infer", BODY, bearer(PREDICT))[2]["outputs"]

    @classmethod
    def tearDownClass(cls):
        children = cls.children("")
        cls.process.send_signal(signal.SIGTERM)
        cls.process.communicate(timeout=240)
        said = cls.said()
        assert cls.process.returncode == 0, said
        left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        assert not left, f"processes are left: {left}"
        for log in (cls.path / "s").glob("*.log"):
            text = log.read_text()
            assert PREDICT.split()[1] not in text and "secret" not in text, log
        cls.folder.cleanup()

    @classmethod
    def said(cls):
        return (cls.path / "errors").read_text()

    @classmethod
    def children(cls, name=pathlib.Path(os.environ["TANDEM_PROGRAM"]).name[:15]):
        found = subprocess.run(["pgrep", "-P", str(cls.process.pid), *(["-x", name] if name else [])],
                               capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    @classmethod
    def connection(cls):
        return http.client.HTTPSConnection(cls.host, timeout=90, context=cls.tls)

    @classmethod
    def ask(cls, method, path, body=None, headers=None):
        connection = cls.connection()
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.headers.get_content_type() == "application/json" and content:
            content = json.loads(content)
        return response.status, response.headers, content

    def wait(self, condition, what, seconds=240):
        """A connection that is ended while one waits is one more time that the condition is not met."""
        def met():
            try:
                return condition()
            except CLOSED:
                return False
        end = time.monotonic() + seconds
        while not met():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.said()}")
            time.sleep(0.05)

    def both_run(self, but=()):
        found = self.children()
        return len(found) == 2 and not set(found) & set(but)

    def curl(self, *words):
        return subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                               *words], capture_output=True, text=True, check=False)

    def test_tls(self):
        trusted = ["--cacert", str(self.authority)]
        health = f"{self.url}/v2/health/ready"
        self.assertEqual(self.curl(*trusted, health).stdout, "200 2")
        self.assertEqual(self.curl(*trusted, "--http1.1", health).stdout, "200 1.1")
        self.assertEqual(self.curl(*trusted, "--tls-max", "1.2", health).stdout, "200 2")
        # 60: the certificate is signed by nobody who is known; 35: no version of TLS in common.
        self.assertEqual(self.curl(health).returncode, 60)
        self.assertIn(self.curl(*trusted, "--tls-max", "1.1", health).returncode, (35, 4))
        self.assertNotEqual(self.curl(f"http://{self.host}/v2/health/ready").returncode, 0)
        # 51 or 60: a name that is not in the certificate.
        wrong = self.curl(*trusted, "--connect-to", f"::{self.host}", "https://elsewhere.example/v2")
        self.assertIn(wrong.returncode, (51, 60))

    def test_guard(self):
        self.assertEqual(self.ask("POST", "/v2/models/m/infer", BODY)[0], 401)
        self.assertEqual(self.ask("POST", "/v1/models/m/promote", '{"version":1}', bearer(PREDICT))[0],
                         403)
        self.assertEqual(self.ask("GET", "/metrics", None, bearer(ADMIN))[0], 404)
        status, _, _ = self.ask("POST", "/v2/models/m/infer", None,
                                {**bearer(PREDICT), "Content-Length": str(1 << 30)})
        self.assertEqual(status, 413)

    def test_one_is_killed_under_load(self):
        """Predictions that were under way are asked again of the other. Where the server had not read one
        yet, its connection is reset, and HAProxy 2.6 ends the client's without an answer, after which
        HTTP has the client ask again: at most one for each client."""
        self.wait(self.both_run, "two servers run")
        victim = self.children()[0]
        clients = Clients(self)
        clients.wait_for(40)
        os.kill(victim, signal.SIGKILL)
        clients.wait_for(40)
        # One is left, and then there are two again.
        self.wait(lambda: self.both_run([victim]), "the server is started again")
        clients.wait_for(40)
        self.assertEqual(clients.end(), [])
        self.assertLessEqual(clients.closed, len(clients.threads))

    def test_started_again_in_turn(self):
        self.wait(self.both_run, "two servers run")
        before = self.children()
        clients = Clients(self)
        clients.wait_for(40)
        self.process.send_signal(signal.SIGUSR1)
        self.wait(lambda: self.both_run(before), "both are started again")
        clients.wait_for(40)
        self.assertEqual(clients.end(), [])
        self.assertEqual(clients.closed, 0)

    def test_a_change_is_seen_by_both(self):
        tandem("models", "register", self.path / "repository", "changed", self.path / "3.tandem",
               "--stage", "production", "--registry", self.registry)
        tandem("models", "register", self.path / "repository", "changed", self.path / "30.tandem",
               "--registry", self.registry)

        def promote():
            return self.ask("POST", "/v1/models/changed/promote", '{"version":2}', bearer(ADMIN))[0]
        self.wait(lambda: promote() == 200, "a change is made")

        def versions():
            answers = [self.ask("POST", "/v2/models/changed/infer", BODY, bearer(PREDICT))
                       for _ in range(12)]
            return {answer[2]["model_version"] for answer in answers if answer[0] == 200}
        self.wait(lambda: versions() == {"2"}, "both servers have seen the change")

    def test_where_none_is_ready_what_there_is_is_answered(self):
        """A file that is gone, a start of both servers without it: not ready, and not away."""
        tandem("models", "register", self.path / "repository", "gone", self.path / "3.tandem",
               "--stage", "production", "--registry", self.registry)
        file = self.path / "repository" / "models" / "gone" / "1.tandem"
        kept = file.read_bytes()
        file.unlink()
        try:
            before = self.children()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            self.wait(lambda: self.both_run(before), "both are started again")
            self.wait(lambda: self.ask("GET", "/v2/health/ready")[0] == 503, "neither is ready")
            self.wait(lambda: self.ask("POST", "/v2/models/m/infer", BODY, bearer(PREDICT))[0] == 200,
                      "what is there is answered")
        finally:
            file.write_bytes(kept)
        before = self.children()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        self.wait(lambda: self.both_run(before) and self.ask("GET", "/v2/health/ready")[0] == 200,
                  "both are ready again")

    def test_zz_too_many_requests_of_one_address(self):
        """Last, by its name: nobody of this address is answered for a while. Many at once, for which
        HAProxy asks no server, so that a slow machine comes above the limit too."""
        host, port = self.host.split(":")
        once = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        answers = b""
        with self.tls.wrap_socket(socket.create_connection((host, int(port)), timeout=90),
                                  server_hostname=host) as one:
            for _ in range(LIMIT // 50 * 3):
                one.sendall(once * 50)
                text = b""
                while text.count(b"HTTP/1.1 ") < 50:
                    piece = one.recv(1 << 16)
                    self.assertTrue(piece, "the connection was ended")
                    text += piece
                answers += text
                if b"HTTP/1.1 429 " in text:
                    break
        self.assertIn(b"HTTP/1.1 404 ", answers)
        refused = re.search(rb"HTTP/1\.1 429 .*?\r\n\r\n", answers, re.S)
        self.assertTrue(refused, "no request was refused")
        self.assertIn(b"\r\nretry-after: 10\r\n", refused[0].lower())


if __name__ == "__main__":
    unittest.main()
