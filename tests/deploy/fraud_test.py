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
        cls.errors = open(cls.path / "errors", "w+")
        cls.process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "fraud" / "run.py"), str(cls.path / "f"), "--model",
             str(model), "--partitions", "2", "--tandem", os.environ["TANDEM_PROGRAM"], "--https",
             "127.0.0.1:0", "--takeover-after", "3", "--confirm-ms", "20000", "--", "--hold-ms", "20000"],
            stdout=subprocess.PIPE, stderr=cls.errors, text=True)
        line = cls.process.stdout.readline()
        if not line.startswith("ready https://"):
            cls.process.wait(timeout=120)
            cls.errors.seek(0)
            raise AssertionError(cls.errors.read())
        cls.host = line.split()[1].removeprefix("https://")
        cls.tls = ssl.create_default_context(cafile=str(cls.path / "f" / "ca.pem"))
        token = (cls.path / "f" / "client-token").read_text().strip()
        cls.headers = {"Authorization": f"Bearer {token}"}
        cls.answers = {}

    @classmethod
    def tearDownClass(cls):
        children = cls.children("")
        cls.process.send_signal(signal.SIGTERM)
        cls.process.communicate(timeout=120)
        said = cls.said()
        cls.errors.close()
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
        cls.errors.seek(0)
        return cls.errors.read()

    @classmethod
    def children(cls, name="tandem"):
        found = subprocess.run(["pgrep", "-P", str(cls.process.pid), *(["-x", name] if name else [])],
                               capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def primary(self, partition):
        """The process of the server that decides."""
        name = (self.path / "f" / f"{partition}.decides").read_text().strip()
        for pid in self.children():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended
            if str(self.path / "f" / name).encode() in words:
                return pid, name
        return None, name

    @classmethod
    def connection(cls):
        return http.client.HTTPSConnection(cls.host, timeout=60, context=cls.tls)

    def sender(self):
        kept = threading.local()

        def send(transaction):
            try:
                if not hasattr(kept, "connection"):
                    kept.connection = self.connection()
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

    def settled(self):
        """Both partitions have a primary and a standby that has come up."""
        return len(self.children()) == 4 and all(self.primary(one)[0] for one in (0, 1))

    def after(self, load, clients=4):
        """What was acknowledged is there: asked again, it is the same answer."""
        answers = dict(load.end())
        self.answers.update(answers)
        # A request that was under way at a server that is lost ends or is refused; its client sends it
        # again, and no other request fails.
        self.assertLessEqual(load.broken + load.refused, clients, self.said())
        send = self.sender()
        for one, answer in answers.items():
            self.assertEqual(send(load.sent[one]), (200, answer))

    def test_guard(self):
        one = Source(prefix="guard").next()
        body = json.dumps(one)
        self.assertEqual(self.ask("POST", "/v1/transactions", body)[0], 400)
        other = {"Tandem-Partition": one["user_id"]}
        self.assertEqual(self.ask("POST", "/v1/transactions", body, {**other, "Authorization": "x"})[0], 401)
        self.assertEqual(self.ask("POST", "/v1/transactions", body, other)[0], 200)
        # A header that names somebody else is found out by the server, wherever it leads.
        self.assertIn(self.ask("POST", "/v1/transactions", body, {"Tandem-Partition": "nobody"})[0], (400, 421))
        for path in ["/metrics", "/v1/log", "/v1/standby", "/v1/takeover", "/v1/step-down"]:
            self.assertEqual(self.ask("POST", path, None, other)[0], 404, path)

    def test_one_is_killed_under_load(self):
        until(self.settled, "all run")
        victim, name = self.primary(0)
        load = self.load("killed")
        until(lambda: load.count() > 100, "decisions")
        os.kill(victim, signal.SIGKILL)
        until(lambda: self.primary(0)[1] != name, "the standby takes over")
        count = load.count()
        until(lambda: load.count() > count + 100, "decisions of the other")
        self.after(load)
        until(self.settled, "the one that was lost is the standby now")

    def test_one_that_hangs_is_replaced(self):
        until(self.settled, "all run")
        victim, name = self.primary(1)
        load = self.load("hangs")
        until(lambda: load.count() > 50, "decisions")
        os.kill(victim, signal.SIGSTOP)
        until(lambda: self.primary(1)[1] != name, "the standby takes over")
        count = load.count()
        until(lambda: load.count() > count + 50, "decisions of the other")
        self.after(load)
        self.assertFalse(os.path.exists(f"/proc/{victim}"))
        until(self.settled, "the one that hung is the standby now")

    def test_started_again_in_turn(self):
        until(self.settled, "all run")
        before = self.children()
        load = self.load("turn")
        until(lambda: load.count() > 50, "decisions")
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: not set(self.children()) & set(before) and self.settled(), "all are started again", 120)
        count = load.count()
        until(lambda: load.count() > count + 50, "decisions")
        self.after(load, 8)


if __name__ == "__main__":
    unittest.main()
