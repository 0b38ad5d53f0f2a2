"""What the tests of `tandem recommend serve` share: a trained model, a server that runs."""

import csv
import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

PROGRAM = os.environ["TANDEM_PROGRAM"]


def tandem(*arguments, status=0):
    """Runs the program; returns its standard output, or its error where `status` is not 0."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode != status:
        raise AssertionError(f"tandem {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


class Server:
    """`tandem recommend serve` on a free port, until stop()."""

    def __init__(self, *options, log):
        self.log = open(log, "a+")
        self.process = subprocess.Popen(
            [PROGRAM, "recommend", "serve", "--http", "127.0.0.1:0", *map(str, options)],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready http://"):
            self.process.kill()
            self.process.wait()
            self.log.seek(0)
            raise AssertionError(f"the server said {line!r}\n{self.log.read()}")
        self.url = line.split()[1]
        self.host = self.url.removeprefix("http://")

    def ask(self, method, path, body=None, headers=None):
        """Status and body, parsed where it is JSON."""
        connection = http.client.HTTPConnection(self.host, timeout=120)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.headers.get_content_type() == "application/json" and content:
            content = json.loads(content)
        return response.status, content

    def get(self, path, status=200):
        found, content = self.ask("GET", path)
        assert found == status, (path, found, content)
        return content

    def recommended(self, user, n=10, **more):
        query = urllib.parse.urlencode({"user": user, "n": n, **more})
        return self.get("/v1/recommendations?" + query)

    def event(self, user, item, kind="watch", **more):
        found, content = self.ask("POST", "/v1/events", {"user": user, "item": item, "type": kind, **more})
        assert found == 200, (found, content)
        return content

    def stop(self, number=signal.SIGTERM):
        """Ends the server; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status


class Recommending(unittest.TestCase):
    """Simulated viewers and a model of what they watched, once per class."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-recommend-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.data = cls.path / "watched.csv"
        cls.items = cls.path / "items.csv"
        cls.model = cls.path / "als.tandem"
        tandem("recommend", "simulate", "--users", 300, "--items", 200, "--seed", 5, "--out", cls.data,
               "--items-out", cls.items, "--quiet")
        tandem("recommend", "train", "als", "--data", cls.data, "--model", cls.model, "--factors", 16,
               "--iterations", 5, "--alpha", 10, "--quiet")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.servers = []
        self.state = self.path / self.id().rsplit(".", 1)[1]

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.stop(signal.SIGKILL)

    def serve(self, *options, history=True):
        given = ["--model", self.model, "--items", self.items, "--state", self.state]
        if history:
            given += ["--history", self.data]
        server = Server(*given, *options, log=self.path / "serve.log")
        self.servers.append(server)
        return server

    def wait_for(self, condition):
        end = time.monotonic() + 120
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def configuration(self, *many, **members):
        """A file of one or several configurations."""
        path = self.path / f"configuration-{self.id().rsplit('.', 1)[1]}.json"
        # Nothing is late, however busy the machine is, but where a test is about that.
        patient = {"deadlines_ms": {"collaborative": 60_000, "content": 60_000}}
        whole = [{**patient, **one} for one in many or [members]]
        path.write_text(json.dumps({"configurations": whole} if many else whole[0]))
        return path


def rows(path):
    """The rows of a CSV file."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def ids(answer):
    return [one["content_id"] for one in answer["recommendations"]]
