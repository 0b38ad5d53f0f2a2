"""What the tests of `tandem serve` share: a repository with models, a server that runs."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ["TANDEM_PROGRAM"]
DATA = pathlib.Path(os.environ["TANDEM_DATA_DIR"])


def tandem(*arguments, status=0):
    """Runs the program; returns its standard output, or its error where `status` is not 0."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if done.returncode != status:
        raise AssertionError(f"tandem {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def wait_for(found, what="it did not come about in time", seconds=120):
    """What `found` returns, once that is true."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return result


class Server:
    """`tandem serve` on a free port or that of `http`, until stop(). Nothing is refused for the time
    that it would take, since machines that run tests do much else; who wants that says so."""

    def __init__(self, repository, *options, log=None, http="127.0.0.1:0", environment=None):
        if "--longest-wait-ms" not in options:
            options = (*options, "--longest-wait-ms", "60000")
        self.log = open(log or pathlib.Path(repository) / "serve.log", "a+")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", str(repository), "--http", http, *map(str, options)],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=dict(os.environ, **(environment or {})))
        line = self.process.stdout.readline()
        if not line.startswith("ready http://"):
            self.process.kill()
            self.process.wait()
            self.log.seek(0)
            raise AssertionError(f"the server said {line!r}\n{self.log.read()}")
        self.line = line
        self.url = line.split()[1]
        self.host = self.url.removeprefix("http://")

    def connection(self):
        return http.client.HTTPConnection(self.host, timeout=120)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body (parsed where it is JSON)."""
        connection = self.connection()
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.headers.get_content_type() == "application/json" and content:
            content = json.loads(content)
        return response.status, response.headers, content

    def get(self, path, status=200):
        found, _, content = self.ask("GET", path)
        assert found == status, (path, found, content)
        return content

    def post(self, path, body=None, status=200, headers=None):
        found, _, content = self.ask("POST", path, body, headers)
        assert found == status, (path, found, content)
        return content

    def stop(self, number=signal.SIGTERM):
        """Ends the server; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status


class Serving(unittest.TestCase):
    """A repository of its own per class, with what `models()` puts there; a server on it."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-serving-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.repository = cls.path / "models"
        cls.models()
        cls.server = Server(cls.repository, *cls.options)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.folder.cleanup()
        assert status == 0, f"the server ended with status {status}"

    @classmethod
    def models(cls):
        raise NotImplementedError

    @classmethod
    def train(cls, name, algorithm, data, *options):
        """Trains into a file and returns its path."""
        path = cls.path / f"{name}.tandem"
        tandem("train", algorithm, "--data", data, "--model", path, "--quiet", *options)
        return path

    @classmethod
    def register(cls, name, path, *options):
        return json.loads(tandem("models", "register", cls.repository, name, path, "--json", *options))
