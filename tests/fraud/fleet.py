"""What the tests of several servers of `tandem fraud serve` share: primaries and standbys, what their
states are, a Kafka and a Redis."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "serving"))  # behind our own server.py
sys.path.append(str(pathlib.Path(__file__).parents[2] / "deploy" / "serving"))
from forwarder import Forwarder  # noqa: E402,F401
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402

SECRET = bytes(range(16))


def until(condition, what, seconds=240, said=lambda: ""):
    """Waits; returns what the condition was. The machine may do much else, and its disk be slow: the time
    is what nobody would wait for, not what it takes. `said` is told with a failure."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}\n{said()}"
        time.sleep(0.02)
    return found


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


def metric(server, name):
    _, content = server.ask("GET", "/metrics")
    for line in content.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"there is no metric {name}")


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


class Redis:
    """A Redis of Debian's package, in memory, on a port of its own."""

    @staticmethod
    def require():
        """Ends the program with status 77, which counts as skipped, where there is none."""
        if not shutil.which("redis-server"):
            print("skipped: redis-server is not installed (Debian: redis-server)")
            sys.exit(77)

    def __init__(self):
        self.port = free_port()  # that it is started again on
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--logfile", "/dev/null"], stdout=subprocess.DEVNULL)

        def answers():
            try:
                return self.ask("PING") == "+PONG"
            except OSError:
                return False
        until(answers, "Redis answers")

    @property
    def place(self):
        return f"127.0.0.1:{self.port}"

    def ask(self, *words):
        """The first line of an answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
            text = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
            one.sendall(text.encode())
            return one.recv(65536).decode(errors="replace").split("\r\n")[0]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Kafka:
    """librdkafka's mock of Kafka, a program of tests/broker."""

    def __init__(self, *topics):
        self.process = subprocess.Popen([os.environ["TANDEM_MOCK_KAFKA"], *topics], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.brokers = self.process.stdout.readline().strip()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().rstrip("\n")) != "done":
            assert line, "the mock of Kafka has ended"
            lines.append(line)
        return lines

    def produce(self, topic, key, value):
        if not isinstance(value, str):
            value = json.dumps(value)
        assert self.say(f"produce {topic} {key} {value}") == []

    def consume(self, topic):
        return [json.loads(line) for line in self.say(f"consume {topic}")]

    def committed(self, group, topic, partition):
        return int(self.say(f"committed {group} {topic} {partition}")[0])

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
