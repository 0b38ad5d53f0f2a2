"""What the tests of several servers of `tandem fraud serve` share: primaries and standbys, what their
states are."""

import pathlib
import sys
import threading
import time

for folder in ["serving", "broker"]:
    sys.path.append(str(pathlib.Path(__file__).parents[1] / folder))  # behind our own server.py
from brokers import Kafka, Redis, metric, until  # noqa: E402,F401
from forwarder import Forwarder  # noqa: E402,F401
from server import Server  # noqa: E402

SECRET = bytes(range(16))


def state_folder(path):
    """A new state with the secret that all servers of a test have."""
    path = pathlib.Path(path)
    if not path.exists():
        path.mkdir(mode=0o700)
        (path / "secret").write_bytes(SECRET)
        (path / "secret").chmod(0o600)
    return path


def start(model, path, *options):
    return Server(model, state_folder(path), *options)


def follow(model, path, primary, *options):
    """A standby that has come up."""
    server = start(model, path, "--follow", primary.host, *options)
    until(lambda: has_come_up(server, primary), "the standby comes up")
    return server


def standing(server):
    return server.get("/v1/standby")


def has_come_up(server, primary):
    said = standing(server)
    return said["follows"]["reached"] and said["records"] == standing(primary)["records"]


def snapshot(state):
    """Name and bytes of the newest snapshot."""
    newest = sorted((pathlib.Path(state) / "log").glob("snapshot-*.state"))[-1]
    return newest.name, newest.read_bytes()


class Load:
    """Threads that send transactions one after the other, each again until it is answered, and keep what
    was answered."""

    def __init__(self, sources, send):
        self.answers = {}
        self.sent = {}
        self.refused = 0
        self.broken = 0  # requests that ended without an answer
        self.going = True
        self.problems = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(source, send)) for source in sources]
        for thread in self.threads:
            thread.start()

    def run(self, source, send):
        try:
            while self.going:
                transaction = source.next()
                with self.lock:
                    self.sent[transaction["transaction_id"]] = transaction
                while self.going:
                    status, content = send(transaction)
                    if status == 200:
                        with self.lock:
                            self.answers[transaction["transaction_id"]] = content
                        break
                    with self.lock:
                        # 502 and 504: a proxy that had no answer.
                        if status in (0, 502, 504):
                            self.broken += 1
                        elif status == 503:
                            self.refused += 1
                        else:
                            raise AssertionError((status, content))
                    time.sleep(0.02)
        except Exception as error:  # noqa: BLE001
            self.problems.append(error)

    def count(self):
        """Of the answers; fails where one was none that can be."""
        assert not self.problems, self.problems
        return len(self.answers)

    def end(self):
        self.going = False
        for thread in self.threads:
            thread.join(timeout=240)
            assert not thread.is_alive(), "a request has no end"
        assert not self.problems, self.problems
        return self.answers
