"""What bench/fraud/faults.py and bench/recommend/faults.py share: a server on a state of its own that is killed
and started again, clients that load it until it is gone, and a system that fails."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time


class Fault(Exception):
    """A promise that was not kept."""


def expect(kept, why):
    if not kept:
        raise Fault(why)


class Server:
    """The program on a state: `words` are its command and options but for state, address and log."""

    def __init__(self, tandem, folder, words, options=(), environment=None):
        self.tandem = str(tandem)
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = self.folder / "state"
        self.words = [str(word) for word in (*words, *options)]
        self.environment = dict(os.environ, **(environment or {}))
        self.starts = []  # seconds until it answered
        self.lock = threading.Lock()
        self.process = None

    def spawn(self):
        self.process = subprocess.Popen(
            [self.tandem, *self.words, "--state", str(self.state), "--http", "127.0.0.1:0", "--log",
             str(self.folder / "log.txt")], stdout=subprocess.PIPE, text=True, env=self.environment)

    def start(self):
        began = time.monotonic()
        self.spawn()
        line = self.process.stdout.readline()
        expect(line.startswith("ready "),
               "the server did not start: " + (self.folder / "log.txt").read_text()[-2000:])
        self.starts.append(time.monotonic() - began)
        self.host = line.split()[1].removeprefix("http://")

    def end(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        status = self.process.wait(timeout=120)
        self.process.stdout.close()
        return status

    def connection(self):
        return http.client.HTTPConnection(self.host, timeout=120)

    def clients(self, count, step):
        """Threads that call step(number, connection, turn) for turn = 0, 1, ..., until the server is gone or
        what is returned is called."""
        stopping = threading.Event()
        problems = []

        def client(number):
            connection = self.connection()
            turn = 0
            try:
                while not stopping.is_set():
                    step(number, connection, turn)
                    turn += 1
            except (OSError, http.client.HTTPException):
                pass  # the server is gone
            except Fault as fault:
                problems.append(fault)
            finally:
                connection.close()

        threads = [threading.Thread(target=client, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()

        def stop():
            stopping.set()
            for thread in threads:
                thread.join()
            if problems:
                raise problems[0]
        return stop


def library_in(folder):
    """The library of fraud/failing_system.c, or None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        return None
    made = pathlib.Path(folder) / "failing_system.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made),
                    str(pathlib.Path(__file__).parent / "fraud" / "failing_system.c")], check=True)
    return made


def run_those(runs, asked, library, need_library):
    """Runs those that are asked for by the first word of their names; returns what each has found."""
    done = {}
    for name, run in runs.items():
        if name.split()[0] not in asked:
            continue
        if library is None and name in need_library:
            print(name, "skipped: there is no C compiler", file=sys.stderr)
            continue
        began = time.monotonic()
        done[name] = run()
        print(name, json.dumps(done[name]), f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return done
