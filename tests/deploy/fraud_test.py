"""deploy/fraud/run.py: two partitions, each with a primary and a standby, behind HAProxy. Ends with status
77, which counts as skipped, where one of Debian's packages haproxy and openssl is not installed."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "fraud"))

missing = [name for name in ("haproxy", "openssl")
           if not (shutil.which(name) or os.path.exists(f"/usr/sbin/{name}"))]
if missing:
    print(f"skipped: {', '.join(missing)} not installed (Debian packages of that name)")
    sys.exit(77)

from fleet import Load, until  # noqa: E402
from server import Source, replay, train, without_time  # noqa: E402


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-deploy-")
        cls.path = pathlib.Path(cls.folder.name)
        model = cls.path / "fraud.tandem"
        train(model)
        errors = open(cls.path / "errors", "ab")
        cls.process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "fraud" / "run.py"), str(cls.path / "f"), "--model",
             str(model), "--partitions", "2", "--tandem", os.environ["TANDEM_PROGRAM"], "--https",
             "127.0.0.1:0", "--takeover-after", "3", "--confirm-ms", "20000", "--patience", "240", "--",
             "--hold-ms", "20000", "--longest-wait-ms", "60000"],
            stdout=subprocess.PIPE, stderr=errors, text=True)
        errors.close()
        line = cls.process.stdout.readline()
        if not line.startswith("ready https://"):
            cls.process.wait(timeout=240)
            raise AssertionError(cls.said())
        cls.host = line.split()[1].removeprefix("https://")
        cls.tls = ssl.create_default_context(cafile=str(cls.path / "f" / "ca.pem"))
        token = (cls.path / "f" / "client-token").read_text().strip()
        cls.headers = {"Authorization": f"Bearer {token}"}
        cls.admin = {"Authorization": "Bearer " + (cls.path / "f" / "follow-token").read_text().strip()}
        cls.answers = {}

    @classmethod
    def tearDownClass(cls):
        until(cls.settled, "both partitions have two servers", said=cls.said)
        children = cls.children("")
        cls.process.send_signal(signal.SIGTERM)
        cls.process.communicate(timeout=240)
        said = cls.said()
        assert cls.process.returncode == 0, said
        left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        assert not left, f"processes are left: {left}"
        # Of each partition: every acknowledged decision is in what is replayed, in its bytes, of both its
        # servers, which are the same.
        lines = set()
        for partition in (0, 1):
            both = [replay(cls.path / "f" / f"{partition}-{name}", cls.answers) for name in "ab"]
            shorter = min(both, key=len)
            assert both[0][:len(shorter)] == both[1][:len(shorter)]
            lines |= set(max(both, key=len))
        assert {without_time(one) for one in cls.answers.values()} <= lines, said
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
    def primary(cls, partition):
        """The process of the server that decides."""
        name = (cls.path / "f" / f"{partition}.decides").read_text().strip()
        pid, _ = cls.server(name)
        return pid, name

    @classmethod
    def server(cls, name):
        """Process and place of a server."""
        for pid in cls.children():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except OSError:
                continue  # it has ended
            if str(cls.path / "f" / name) in words:
                return pid, words[words.index("--http") + 1]
        return None, None

    @classmethod
    def standing(cls, name):
        """What a server says of itself; nothing where it does not answer."""
        _, host = cls.server(name)
        try:
            connection = http.client.HTTPConnection(host, timeout=30)
            connection.request("GET", "/v1/standby", headers=cls.admin)
            response = connection.getresponse()
            content = response.read()
            connection.close()
            return json.loads(content) if response.status == 200 else None
        except (AttributeError, OSError, http.client.HTTPException):
            return None

    @classmethod
    def connection(cls):
        return http.client.HTTPSConnection(cls.host, timeout=60, context=cls.tls)

    def sender(self):
        kept = threading.local()

        def send(transaction):
            try:
                if not hasattr(kept, "connection"):
                    kept.connection = self.connection()
                    self.addCleanup(kept.connection.close)
                kept.connection.request(
                    "POST", "/v1/transactions", json.dumps(transaction),
                    {**self.headers, "Tandem-Partition": transaction["user_id"]})
                response = kept.connection.getresponse()
                return response.status, response.read()
            except (OSError, http.client.HTTPException):
                kept.__dict__.pop("connection", None)
                return 0, b""
        return send

    def ask(self, method, path, body=None, headers=None):
        connection = self.connection()
        connection.request(method, path, body, {**self.headers, **(headers or {})})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content

    def load(self, prefix, clients=4):
        return Load([Source(seed=i, users=20, prefix=f"{prefix}{i}-") for i in range(clients)],
                    self.sender())

    @classmethod
    def settled(cls):
        """Each partition has one that decides, and a standby that has all that was answered."""
        for partition in (0, 1):
            standing = [cls.standing(f"{partition}-{name}") for name in "ab"]
            if None in standing or sorted(one["role"] for one in standing) != ["primary", "standby"]:
                return False
            primary = next(one for one in standing if one["role"] == "primary")
            if not primary["standby"]["has_all"]:
                return False
        return True

    def settle(self):
        until(self.settled, "both partitions have two servers", said=self.said)

    def sends_until_answered(self, transaction, send):
        """As a client does: again where there was no answer or the service was not ready."""
        return until(lambda: (found := send(transaction))[0] not in (0, 502, 503, 504) and found, "an answer",
                     said=self.said)

    def replaced(self, before):
        """How often a server was since then."""
        said = self.said()[len(before):]
        return sum(said.count(text) for text in (" takes over\n", "is started again\n", "was started again\n"))

    def is_replaced(self, victim, before):
        """Its standby decides, or, where that had not all answers yet, it was started again."""
        return self.replaced(before) > 0 and victim not in self.children()

    def after(self, load, before, clients=4):
        """What was acknowledged is there: asked again, it is the same answer."""
        answers = dict(load.end())
        self.answers.update(answers)
        # A request that was under way at a server that is lost ends or is refused; its client sends it
        # again, and no other request fails. On a machine that is busy enough more may be lost than were
        # meant to.
        self.assertLessEqual(load.broken + load.refused, clients * self.replaced(before),
                             f"{load.broken} broken, {load.refused} refused\n{self.said()}")
        send = self.sender()
        for one, answer in answers.items():
            self.assertEqual(self.sends_until_answered(load.sent[one], send), (200, answer))

    def test_guard(self):
        self.settle()
        one = Source(prefix="guard").next()
        body = json.dumps(one)
        self.assertEqual(self.ask("POST", "/v1/transactions", body)[0], 400)
        other = {"Tandem-Partition": one["user_id"]}
        self.assertEqual(self.ask("POST", "/v1/transactions", body, {**other, "Authorization": "x"})[0], 401)
        self.assertEqual(self.sends_until_answered(one, self.sender())[0], 200)
        # A header that names somebody else is found out by the server, wherever it leads.
        self.assertIn(self.ask("POST", "/v1/transactions", body, {"Tandem-Partition": "nobody"})[0], (400, 421))
        for path in ["/metrics", "/v1/log", "/v1/standby", "/v1/takeover", "/v1/step-down"]:
            self.assertEqual(self.ask("POST", path, None, other)[0], 404, path)

    def decisions(self, load, count):
        before = load.count()
        until(lambda: load.count() >= before + count, f"{count} decisions", said=self.said)

    def test_one_is_killed_under_load(self):
        self.settle()
        before = self.said()
        load = self.load("killed")
        self.decisions(load, 40)
        victim, _ = self.primary(0)
        os.kill(victim, signal.SIGKILL)
        until(lambda: self.is_replaced(victim, before), "it is replaced", said=self.said)
        self.decisions(load, 40)
        self.after(load, before)
        self.settle()

    def test_one_that_hangs_is_replaced(self):
        self.settle()
        before = self.said()
        load = self.load("hangs")
        self.decisions(load, 40)
        victim, _ = self.primary(1)
        os.kill(victim, signal.SIGSTOP)
        until(lambda: self.is_replaced(victim, before), "it is replaced", said=self.said)
        self.decisions(load, 40)
        self.after(load, before)
        self.settle()

    def test_started_again_in_turn(self):
        self.settle()
        before, children = self.said(), self.children()
        load = self.load("turn")
        self.decisions(load, 40)
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: not set(self.children()) & set(children) and self.settled(), "all are started again",
              said=self.said)
        self.decisions(load, 40)
        self.after(load, before)


if __name__ == "__main__":
    unittest.main()
