"""What load.py and compare.py share: models of one size, servers, the generator, and where a
server's processor time goes."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.request

PATH = "/v2/models/m/infer"
COLUMNS = 28
TICKS = os.sysconf("SC_CLK_TCK")


def machine():
    """What the numbers were measured on."""
    names = [line.split(":", 1)[1].strip() for line in
             pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "cores": len(os.sched_getaffinity(0)),
            "load_before": round(os.getloadavg()[0], 1)}


def make_models(tandem, folder, trees, depth, versions=2):
    """A repository with `versions` versions of boosted trees for two classes, float32, the first in
    production; the body of a request of one row; and the rows."""
    run = lambda *words: subprocess.run([tandem, *map(str, words)], check=True, capture_output=True,
                                        text=True).stdout
    run("generate", "classification", "--rows", 20000, "--features", COLUMNS, "--seed", 1, "--out",
        folder / "rows.csv")
    repository = folder / "repository"
    for seed in range(1, versions + 1):
        run("train", "gradient-boosting", "--data", folder / "rows.csv", "--rounds", trees,
            "--max-depth", depth, "--seed", seed, "--subsample", 0.8, "--precision", "float32",
            "--model", folder / f"{seed}.tandem", "--quiet")
        run("models", "register", repository, "m", folder / f"{seed}.tandem", "--stage",
            "production" if seed == 1 else "candidate")
    lines = (folder / "rows.csv").read_text().splitlines()[1:201]
    rows = [[float(x) for x in line.split(",")[:COLUMNS]] for line in lines]
    body = folder / "body.json"
    body.write_text(json.dumps(inputs_of(rows[:1]), separators=(",", ":")))
    return repository, body, rows


def inputs_of(rows):
    return {"inputs": [{"name": "input", "shape": [len(rows), COLUMNS], "datatype": "FP32",
                        "data": [x for row in rows for x in row]}]}


class Server:
    """A program that prints `ready http://...`, until stop()."""

    def __init__(self, *command, log=None, environment=None):
        began = time.monotonic()
        self.log = open(log or os.devnull, "ab")
        self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True,
                                        env=dict(os.environ, **(environment or {})))
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"{command[0]} did not start ({line!r}); see {log}")
        self.ready_seconds = time.monotonic() - began
        self.line = line
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.pid = self.process.pid

    def pids(self):
        """Of the program and of its workers."""
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True,
                                text=True, check=False).stdout.split()
        return [str(self.pid), *listed]

    def ask_bytes(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=60) as response:
            return response.read()

    def ask(self, path, body=None):
        content = self.ask_bytes(path, body)
        return json.loads(content) if content.startswith((b"{", b"[")) else content.decode()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status


def serve(tandem, repository, *options):
    return Server(tandem, "serve", repository, "--http", "127.0.0.1:0", "--log",
                  repository / "serve.log", *options)


def load(generator, server, body, rate, seconds, *options, connections=64):
    """The generator's own JSON."""
    pids = [word for pid in server.pids() for word in ("--pid", pid)]
    done = subprocess.run(
        [generator, server.url + PATH, "--body", str(body), "--rate", str(rate), "--seconds",
         str(seconds), "--connections", str(connections), *pids, *map(str, options)],
        capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"the generator failed: {done.stderr}")
    return json.loads(done.stdout)


def thread_seconds(pid):
    """User and system time of the threads of each name."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        fields = rest.split()
        user, system = found.get(name, (0, 0))
        found[name] = (user + int(fields[11]) / TICKS, system + int(fields[12]) / TICKS)
    return found


class Parts:
    """Where the processor time of an answer goes: what threads took, by the system's count, and what
    the server counted of its own steps. Of a server with one model, between begin and end."""

    def __init__(self, server):
        self.server = server
        self.threads = thread_seconds(server.pid)
        self.stats = self.read()

    def read(self):
        one = self.server.ask("/v2/models/m/stats")["model_stats"]
        return {name: sum(version["inference_stats"][name]["ns"] for version in one) / 1e3
                for name in ("compute_input", "queue", "compute_infer", "compute_output")} | {
                    "answers": sum(version["inference_stats"]["success"]["count"] for version in one)}

    def end(self):
        """Microseconds per answer. `queue_wait` is time, all others processor time, which on a machine
        that others use holds what the steps were interrupted for."""
        stats, threads = self.read(), thread_seconds(self.server.pid)
        answers = max(1, stats["answers"] - self.stats["answers"])
        step = {name: (stats[name] - self.stats[name]) / answers for name in stats if name != "answers"}
        spent = {}
        for name, (user, system) in threads.items():
            before = self.threads.get(name, (0, 0))
            spent[name] = ((user - before[0]) * 1e6 / answers, (system - before[1]) * 1e6 / answers)
        http_user, http_system = spent.pop("http", (0, 0))
        predict = sum(spent.pop("predict", (0, 0)))
        parts = {"socket": http_system, "http": http_user - step["compute_input"],
                 "parse": step["compute_input"], "predict": step["compute_infer"],
                 "write": step["compute_output"],
                 "queue": predict - step["compute_infer"] - step["compute_output"],
                 "other": sum(sum(times) for times in spent.values()), "queue_wait": step["queue"]}
        return {name: round(value, 2) for name, value in parts.items()}
