"""What tests of services over Kafka and Redis share: a Kafka, a Redis, and what servers say of them."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parents[2] / "deploy" / "serving"))
from ports import free_port  # noqa: E402


def until(condition, what, seconds=240, said=lambda: ""):
    """Waits; returns what the condition was. The machine may do much else, and its disk be slow: the time
    is what nobody would wait for, not what it takes. `said` is told with a failure."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}\n{said()}"
        time.sleep(0.02)
    return found


def metric(server, name):
    _, content = server.ask("GET", "/metrics")
    for line in content.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    raise AssertionError(f"there is no metric {name}")


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
