"""What the tests of `tandem fraud serve` share: a model, a server that runs, transactions."""

import datetime
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["TANDEM_PROGRAM"]


def tandem(*arguments, status=0, timeout=120):
    """Runs the program; returns its standard output, or its error where `status` is not 0."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout)
    if done.returncode != status:
        raise AssertionError(f"tandem {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stderr


def timestamp(seconds_ago=0.0):
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Source:
    """Transactions of some users, drawn by a seed, each with an id of its own."""

    def __init__(self, seed=1, users=50, prefix="t"):
        self.random = random.Random(seed)
        self.users = users
        self.prefix = prefix
        self.count = 0

    def next(self, **changes):
        draw = self.random
        user = draw.randrange(self.users)
        self.count += 1
        transaction = {
            "transaction_id": f"{self.prefix}{self.count}",
            "user_id": f"user-{user}",
            "amount": round(draw.lognormvariate(3, 1), 2),
            "currency": "EUR",
            "transaction_type": draw.choice(["purchase", "purchase", "payment", "transfer",
                                             "withdrawal"]),
            "merchant_id": f"merchant-{draw.randrange(20)}",
            "location": [50 + user / 100, 8 + draw.random() / 100],
            "timestamp": timestamp(),
            "card_last_four": f"{1000 + user:04d}",
            "ip_address": f"10.0.{user % 7}.{user}",
            "device_id": f"device-{user}" if draw.random() < 0.9 else f"device-{draw.randrange(9)}",
        }
        transaction.update(changes)
        return {name: value for name, value in transaction.items() if value is not None}


class Server:
    """`tandem fraud serve` on a free port, until stop()."""

    def __init__(self, model, state, *options, environment=None):
        self.state = pathlib.Path(state)
        self.log_path = self.state.with_suffix(".log")
        self.log = open(self.log_path, "a+")
        self.process = subprocess.Popen(
            [PROGRAM, "fraud", "serve", "--model", str(model), "--state", str(state), "--http",
             "127.0.0.1:0", "--longest-wait-ms", "60000", *map(str, options)], stdout=subprocess.PIPE,
            stderr=self.log, text=True, env=dict(os.environ, **(environment or {})))
        line = self.process.stdout.readline()
        if not line.startswith("ready http://"):
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.log.seek(0)
            said = self.log.read()
            self.log.close()
            raise AssertionError(f"the server said {line!r}\n{said}")
        self.url = line.split()[1]
        self.host = self.url.removeprefix("http://")

    def connection(self, timeout=120):
        return http.client.HTTPConnection(self.host, timeout=timeout)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Status and body as bytes."""
        used = connection or self.connection()
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        used.request(method, path, body, headers or {})
        response = used.getresponse()
        content = response.read()
        if connection is None:
            used.close()
        return response.status, content

    def get(self, path, status=200):
        found, content = self.ask("GET", path)
        assert found == status, (path, found, content)
        return json.loads(content)

    def post(self, path, body=None, status=200, headers=None):
        found, content = self.ask("POST", path, body, headers)
        assert found == status, (path, found, content)
        return json.loads(content)

    def stop(self, number=signal.SIGTERM):
        """Ends the server; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status


def without_time(answer):
    """The bytes of an answer as replay prints them."""
    head, mark, tail = answer.decode().rstrip("\n").partition(',"processing_time_ms":')
    assert mark, answer
    float(tail.removesuffix("}"))
    return head + "}"


def replay(state, ids=None, *options):
    """The lines of `tandem fraud replay`."""
    arguments = ["fraud", "replay", "--state", state, *options]
    if ids is not None:
        path = pathlib.Path(str(state) + ".ids")
        path.write_text("".join(f"{one}\n" for one in ids))
        arguments += ["--ids", path]
    return tandem(*arguments).splitlines()


class Fraud(unittest.TestCase):
    """A folder with a model, trained once for all classes of a run."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-fraud-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.model = cls.path / "fraud.tandem"
        train(cls.model)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()


def train(model):
    """A small model; an environment variable may name one that is there already."""
    given = os.environ.get("TANDEM_FRAUD_MODEL")
    if given:
        model.write_bytes(pathlib.Path(given).read_bytes())
        return
    # The tests in C++ have one that is trained in a moment.
    subprocess.run([os.environ["TANDEM_FRAUD_TESTS"], "--gtest_filter=Decider.PartsMake*"], check=True,
                   env=dict(os.environ, TANDEM_WRITE_FRAUD_MODEL=str(model)), capture_output=True)
