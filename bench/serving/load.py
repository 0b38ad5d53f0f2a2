#!/usr/bin/env python3
"""Measures `tandem serve` under open-loop load: latencies by rate, processor time of an answer and
where it goes, promotions under load, restarts, slow and idle clients.

    python3 bench/serving/load.py --tandem build/release/apps/tandem \\
        --generator build/release/bench/serving/open_loop [--rates 1000,5000,20000] [--seconds 10]
        [--trees 300] [--depth 6] [--json]

Server and generator share the machine, so that a rate that the table shows as kept leaves the
generator its part too. On a machine that others use, processor time per answer is what can be compared.
"""

import argparse
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request


class Server:
    def __init__(self, tandem, repository, *options):
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [tandem, "serve", str(repository), "--http", "127.0.0.1:0", "--log",
             str(repository / "serve.log"), *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"the server did not start; see {repository}/serve.log")
        self.ready_seconds = time.monotonic() - self.started
        self.url = line.split()[1]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.pid = str(self.process.pid)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=60) as response:
            content = response.read()
        return json.loads(content) if content.startswith((b"{", b"[")) else content.decode()

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        return status


def load(arguments, server, path, body, rate, seconds, connections=64):
    done = subprocess.run([arguments.generator, "127.0.0.1", str(server.port), path, str(body),
                           str(rate), str(seconds), str(connections), server.pid],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"the generator failed: {done.stderr}")
    return json.loads(done.stdout)


def parts_of(server, before, after):
    """Microseconds per answer of each part that the server counts."""
    a = after["model_stats"][0]["inference_stats"]
    b = before["model_stats"][0]["inference_stats"]
    answers = max(1, a["success"]["count"] - b["success"]["count"])
    parts = {"parse": "compute_input", "queue": "queue", "predict": "compute_infer",
             "write": "compute_output"}
    # A batch's time is counted once; its share of each answer is what is asked here.
    return {name: (a[key]["ns"] - b[key]["ns"]) / 1e3 / answers for name, key in parts.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--generator", required=True)
    parser.add_argument("--rates", default="1000,5000,10000,20000,40000")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--promotions", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {"trees": arguments.trees, "depth": arguments.depth}
    with tempfile.TemporaryDirectory(prefix="tandem-load-") as folder:
        folder = pathlib.Path(folder)
        repository = folder / "repository"
        run = lambda *words: subprocess.run([arguments.tandem, *map(str, words)], check=True,
                                            capture_output=True, text=True).stdout
        run("generate", "classification", "--rows", "20000", "--features", "28", "--seed", "1",
            "--out", folder / "rows.csv")
        for seed in ["1", "2"]:
            run("train", "gradient-boosting", "--data", folder / "rows.csv", "--rounds",
                arguments.trees, "--max-depth", arguments.depth, "--seed", seed, "--subsample", "0.8",
                "--precision", "float32", "--model", folder / f"{seed}.tandem", "--quiet")
            run("models", "register", repository, "m", folder / f"{seed}.tandem", "--stage",
                "production" if seed == "1" else "candidate")
        row = [float(x) for x in (folder / "rows.csv").read_text().splitlines()[1].split(",")[:28]]
        body = folder / "body.json"
        inputs = {"inputs": [{"name": "input", "shape": [1, 28], "datatype": "FP32", "data": row}]}
        body.write_text(json.dumps(inputs, separators=(",", ":")))
        server = Server(arguments.tandem, repository)
        found["ready_seconds"] = round(server.ready_seconds, 3)
        path = "/v2/models/m/infer"
        load(arguments, server, path, body, 1000, 1)
        found["rates"] = []
        for rate in map(int, arguments.rates.split(",")):
            before = server.ask("/v2/models/m/stats")
            result = load(arguments, server, path, body, rate, arguments.seconds,
                          arguments.connections)
            result["parts_us"] = parts_of(server, before, server.ask("/v2/models/m/stats"))
            found["rates"].append(result)
            if not arguments.json:
                print(f"{rate:7d}/s asked, {result['answered_per_second']:8.0f}/s answered, p50 "
                      f"{result['p50_ms']:.2f} p99 {result['p99_ms']:.2f} max "
                      f"{result['max_ms']:.1f} ms, server {result['server_us_per_answer']:.1f} us, "
                      f"generator {result['generator_us_per_answer']:.1f} us, status "
                      f"{result['status']}", flush=True)
        # Promotions while requests come.
        answers = {version: server.ask(f"/v2/models/m/versions/{version}/infer", inputs)["outputs"]
                   for version in (1, 2)}
        failures, stop = [], threading.Event()

        def check():
            while not stop.is_set():
                answer = server.ask(path, inputs)
                if answer["outputs"] != answers[int(answer["model_version"])]:
                    failures.append(answer)
        checker = threading.Thread(target=check)
        checker.start()
        rate = min(map(int, arguments.rates.split(",")))
        background = {}
        seconds = max(5.0, arguments.promotions / 100)
        generator = threading.Thread(target=lambda: background.update(
            load(arguments, server, path, body, rate, seconds)))
        generator.start()
        began = time.monotonic()
        for i in range(arguments.promotions):
            server.ask("/v1/models/m/promote", {"version": 2 - i % 2})
        took = time.monotonic() - began
        stop.set()
        checker.join()
        generator.join()
        found["promotions"] = {"count": arguments.promotions, "seconds": round(took, 2),
                               "wrong": len(failures), "load": background}
        # Idle connections beside requests.
        idle = []
        for _ in range(arguments.idle):
            idle.append(socket.create_connection(("127.0.0.1", server.port)))
        found["idle"] = {"connections": len(idle), "load": load(arguments, server, path, body, rate, 3)}
        status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
        found["idle"]["resident_kb"] = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))
        for one in idle:
            one.close()
        began = time.monotonic()
        server.stop(signal.SIGKILL)
        server = Server(arguments.tandem, repository)
        found["restart_after_kill_seconds"] = round(time.monotonic() - began, 3)
        found["stop_status"] = server.stop()
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(json.dumps({key: value for key, value in found.items() if key != "rates"}, indent=1))


if __name__ == "__main__":
    main()
