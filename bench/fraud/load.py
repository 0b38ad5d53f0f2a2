#!/usr/bin/env python3
"""Measures `tandem fraud serve` under open-loop load: one transaction a request, latencies from the
time at which a request was due, and what a decision costs in processor time, by thread and by stage.

    python3 bench/fraud/load.py --tandem build/release/apps/tandem \\
        --generator build/release/bench/serving/open_loop [--rate 10000] [--seconds 60] [--runs 3]
        [--users 20000] [--events 20] [--connections 200] [--durability os,sync] [--json]

Users are preloaded with --events transactions each. Server and generator share the machine: on one
that others use too, processor time per decision is what can be compared, and latencies say what was
seen there and then.
"""

import argparse
import datetime
import http.client
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    def __init__(self, tandem, model, state, *options):
        self.state = state
        self.process = subprocess.Popen(
            [tandem, "fraud", "serve", "--model", str(model), "--state", str(state), "--http",
             "127.0.0.1:0", "--log", str(state) + ".log", *map(str, options)],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready "):
            raise SystemExit(f"the server did not start; see {state}.log")
        self.url = line.split()[1]
        self.host = self.url.removeprefix("http://")
        self.port = int(self.url.rsplit(":", 1)[1])
        self.pid = str(self.process.pid)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as response:
            content = response.read()
        return json.loads(content) if content.startswith((b"{", b"[")) else content.decode()

    def threads(self):
        """Processor seconds by the name of the thread."""
        found = {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            text = (task / "stat").read_text()
            fields = text[text.rindex(")") + 2:].split()
            name = text[text.index("(") + 1:text.rindex(")")]
            found[name] = found.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS
        return found

    def stages(self):
        text = self.get("/metrics")
        sums = dict(re.findall(r'tandem_fraud_stage_seconds_sum\{stage="(\w+)"\} (\S+)', text))
        counts = dict(re.findall(r'tandem_fraud_stage_measured_total\{stage="(\w+)"\} (\S+)', text))
        return {name: (float(sums[name]), int(counts[name])) for name in sums}

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(timeout=600)
        self.process.stdout.close()
        return status


def transaction(draw, users, number, when, hot=0.0):
    user = draw.randrange(users)
    merchant = "hot" if draw.random() < hot else f"m{int(draw.paretovariate(0.9)) % 5000}"
    return {"transaction_id": number, "user_id": f"u{user}",
            "amount": round(draw.lognormvariate(3.2, 0.9), 2), "currency": "EUR",
            "transaction_type": draw.choices(["purchase", "payment", "transfer", "withdrawal"],
                                             [80, 8, 6, 6])[0],
            "merchant_id": merchant,
            "location": [round(48 + user % 700 / 100, 4), round(7 + user % 800 / 100, 4)],
            "timestamp": when, "card_last_four": f"{user % 10000:04d}",
            "ip_address": f"10.{user >> 16 & 255}.{user >> 8 & 255}.{user & 255}",
            "device_id": f"d{user}"}


def preload(server, users, events):
    """The users' past: `events` transactions each over the last 30 days, in order of time."""
    draw = random.Random(1)
    connection = http.client.HTTPConnection(server.host, timeout=600)
    total = users * events
    begin = time.time() - 30 * 86400
    sent = 0
    started = time.monotonic()
    while sent < total:
        batch = []
        for i in range(min(1000, total - sent)):
            at = begin + (sent + i) * 30 * 86400 / total
            when = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
            batch.append(transaction(draw, users, f"p{sent + i}",
                                     when.isoformat(timespec="milliseconds").replace("+00:00", "Z")))
        connection.request("POST", "/v1/transactions", json.dumps(batch))
        response = connection.getresponse()
        response.read()
        if response.status == 503:
            time.sleep(0.2)
            continue
        if response.status != 200:
            raise SystemExit(f"preloading was answered with {response.status}")
        sent += len(batch)
    connection.close()
    return time.monotonic() - started


def lines(path, users, count=50_000, hot=0.0):
    draw = random.Random(2)
    with open(path, "w") as out:
        for _ in range(count):
            out.write(json.dumps(transaction(draw, users, "{{n}}", "{{now}}", hot),
                                 separators=(",", ":")) + "\n")


def load(arguments, server, body, rate, seconds, first):
    before, stages = server.threads(), server.stages()
    done = subprocess.run([arguments.generator, f"http://127.0.0.1:{server.port}/v1/transactions",
                           "--body", str(body), "--rate", str(rate), "--seconds", str(seconds),
                           "--connections", str(arguments.connections), "--pid", server.pid,
                           "--first-number", str(first)],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"the generator failed: {done.stderr}")
    result = json.loads(done.stdout)
    answered = max(1, result["answered"])
    after, later = server.threads(), server.stages()
    result["thread_us"] = {name: round(1e6 * (after[name] - before.get(name, 0)) / answered, 1)
                           for name in sorted(after)}
    result["stage_us"] = {}
    for name, (total, count) in later.items():
        more = count - stages[name][1]
        if more:
            result["stage_us"][name] = round(1e6 * (total - stages[name][0]) / more, 1)
    return result


def sync_milliseconds(folder):
    """The disk's own fdatasync of 4 KiB: median and 99 %."""
    path = folder / "sync"
    times = []
    with open(path, "wb", buffering=0) as out:
        for _ in range(200):
            out.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(out.fileno())
            times.append(1e3 * (time.perf_counter() - began))
    path.unlink()
    times.sort()
    return {"p50": round(times[100], 3), "p99": round(times[197], 3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--generator", required=True)
    parser.add_argument("--rate", type=float, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--durability", default="os,sync")
    parser.add_argument("--hot", type=float, default=0, help="share of the traffic of one merchant")
    parser.add_argument("--overload", type=float, default=2, help="times the rate; 0: not tried")
    parser.add_argument("--model", help="a fraud model; one is trained if left out")
    parser.add_argument("--folder", help="where the state lies; a temporary folder if left out")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {"rate": arguments.rate, "users": arguments.users, "events": arguments.events}
    with tempfile.TemporaryDirectory(prefix="tandem-fraud-load-", dir=arguments.folder) as folder:
        folder = pathlib.Path(folder)
        model = arguments.model
        if not model:
            model = folder / "fraud.tandem"
            for words in [["simulate", "--days", "30", "--users", "2000", "--fraud", "3", "--seed", "1", "--out",
                           folder / "f.csv"], ["train", "--data", folder / "f.csv", "--model", model]]:
                subprocess.run([arguments.tandem, "fraud", *map(str, words)], check=True,
                               capture_output=True)
        body = folder / "body.lines"
        lines(body, arguments.users, hot=arguments.hot)
        found["fdatasync_ms"] = sync_milliseconds(folder)
        first = 0
        for durability in arguments.durability.split(","):
            server = Server(arguments.tandem, model, folder / durability, "--durability", durability)
            part = found[durability] = {}
            part["preload_seconds"] = round(preload(server, arguments.users, arguments.events), 1)
            state = server.get("/v1/summary")["state"]
            part["bytes_per_user"] = round(state["bytes"] / max(1, state["users"]))
            part["runs"] = []
            rates = [arguments.rate] * arguments.runs
            if arguments.overload:
                rates += [arguments.rate * arguments.overload, arguments.rate / 2]
            for rate in rates:
                result = load(arguments, server, body, rate, arguments.seconds, first)
                first += int(rate * arguments.seconds * 1.2) + 1000
                part["runs"].append(result)
                if not arguments.json:
                    print(f"{durability:4} {rate:7.0f}/s asked, {result['answered_per_second']:8.0f}/s "
                          f"answered, p50 {result['p50_ms']:.2f} p99 {result['p99_ms']:.2f} max "
                          f"{result['max_ms']:.1f} ms, server {result['server_us_per_answer']:.1f} us, "
                          f"generator {result['generator_us_per_answer']:.1f} us, status "
                          f"{result['status']}\n     threads {result['thread_us']}\n     stages "
                          f"{result['stage_us']}", flush=True)
            part["stop_status"] = server.stop()
            began = time.monotonic()
            server = Server(arguments.tandem, model, folder / durability, "--durability", durability)
            part["restart_seconds"] = round(time.monotonic() - began, 2)
            server.stop()
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(json.dumps({key: value for key, value in found.items()
                          if key not in ("os", "sync")}, indent=1))
        for durability in arguments.durability.split(","):
            part = {key: value for key, value in found[durability].items() if key != "runs"}
            print(durability, json.dumps(part))


if __name__ == "__main__":
    main()
