#!/usr/bin/env python3
"""Measures `tandem fraud serve` under open-loop load: one transaction a request, latencies from the
time at which a request was due, and what a decision costs in processor time, by thread and by stage.

    python3 bench/fraud/load.py --tandem build/release/apps/tandem \\
        --generator build/release/bench/serving/open_loop [--rate 10000] [--seconds 60] [--runs 3]
        [--users 20000] [--events 20] [--connections 200] [--durability os,sync]
        [--hot 0.5] [--overload 2] [--newcomers 1000000] [--json]

Users begin with --events transactions each (--history of the server). --hot is the share of the
traffic that one merchant has. --overload asks for as much as can be carried (found by asking for
more than anybody could), then for so many times that, then for half: what is shed, and how soon all
is as before. --newcomers sends so many transactions, each of a user who was never seen, within a
minute. Server and generator share the machine: on one that others use too, processor time per
decision is what can be compared, and latencies say what was seen there and then.
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
import threading
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

    def memory(self):
        """Megabytes of the process."""
        pages = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return round(int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6)

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


def preload(path, users, events):
    """Writes the users' past, `events` transactions each over the last 30 days, in order of time."""
    draw = random.Random(1)
    total = users * events
    begin = time.time() - 30 * 86400
    amounts = [round(draw.lognormvariate(3.2, 0.9), 2) for _ in range(5000)]
    shops = [f"m{int(draw.paretovariate(0.9)) % 5000}" for _ in range(5000)]
    second, when = None, ""
    with open(path, "w", buffering=1 << 20) as out:
        out.write("transaction_id,user_id,amount,currency,transaction_type,merchant_id,timestamp,"
                  "card_last_four,ip_address,device_id,latitude,longitude\n")
        for i in range(total):
            now = int(begin + i * 30 * 86400 / total)
            if now != second:
                second = now
                when = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime(
                    "%Y-%m-%dT%H:%M:%SZ")
            user = int(draw.random() * users)
            out.write(f"p{i},u{user},{amounts[i % 4999]},EUR,purchase,{shops[i % 4993]},{when},"
                      f"{user % 10000:04d},10.{user >> 16 & 255}.{user >> 8 & 255}.{user & 255},"
                      f"d{user},{48 + user % 700 / 100:.2f},{7 + user % 800 / 100:.2f}\n")


def preloaded(arguments, model, state, *options):
    """A server with the users' past, which comes through a pipe, and the seconds that it took."""
    pipe = str(state) + ".csv"
    os.mkfifo(pipe)
    threading.Thread(target=preload, args=(pipe, arguments.users, arguments.events),
                     daemon=True).start()
    began = time.monotonic()
    server = Server(arguments.tandem, model, state, "--history", pipe, *options)
    return server, round(time.monotonic() - began, 1)


def lines(path, users, count=50_000, hot=0.0):
    draw = random.Random(2)
    with open(path, "w") as out:
        for _ in range(count):
            out.write(json.dumps(transaction(draw, users, "{{n}}", "{{now}}", hot),
                                 separators=(",", ":")) + "\n")


def newcomers(path):
    """A body in which everything is new with every request but the merchant."""
    body = transaction(random.Random(3), 1, "{{n}}", "{{now}}")
    body.update(user_id="n{{n}}", card_token="c{{n}}", device_id="n{{n}}")
    del body["location"]
    # Addresses cannot be counted up in a text: a provider's, behind which all of them are.
    path.write_text(json.dumps(body) + "\n")


def load(arguments, server, body, rate, seconds, first, connections):
    before, stages = server.threads(), server.stages()
    done = subprocess.run([arguments.generator, f"http://127.0.0.1:{server.port}/v1/transactions",
                           "--body", str(body), "--rate", str(rate), "--seconds", str(seconds),
                           "--connections", str(connections), "--pid", server.pid,
                           "--first-number", str(first)],
                          capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(f"the generator failed: {done.stderr}")
    result = json.loads(done.stdout)
    result["memory_mb"] = server.memory()
    # Answers of 200 are the decisions; the rest was shed.
    result["decided_per_second"] = round(result["status"].get("200", 0) / result["seconds"], 1)
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
    parser.add_argument("--overload", type=float, default=2,
                        help="times what can be carried; 0: not tried")
    parser.add_argument("--newcomers", type=int, default=0, help="new users within a minute")
    parser.add_argument("--keep", type=int, default=2_000_000,
                        help="transactions whose answers are kept")
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
        new = folder / "new.lines"
        newcomers(new)
        found["fdatasync_ms"] = sync_milliseconds(folder)
        first = 0
        for durability in arguments.durability.split(","):
            part = found[durability] = {}
            server, part["preload_seconds"] = preloaded(
                arguments, model, folder / durability, "--durability", durability,
                "--keep-transactions", arguments.keep)
            state = server.get("/v1/summary?memory=1")["state"]
            part["bytes_per_user"] = round(state["bytes"] / max(1, state["users"]))
            part["runs"] = []

            def run(what, rate, seconds, bodies=body, connections=arguments.connections):
                nonlocal first
                result = load(arguments, server, bodies, rate, seconds, first, connections)
                first += int(rate * seconds * 1.2) + 1000
                result["what"] = what
                part["runs"].append(result)
                if not arguments.json:
                    print(f"{durability:4} {what}: {rate:7.0f}/s asked, "
                          f"{result['decided_per_second']:8.0f}/s decided, p50 "
                          f"{result['p50_ms']:.2f} p99 {result['p99_ms']:.2f} max "
                          f"{result['max_ms']:.1f} ms, server {result['server_us_per_answer']:.1f} "
                          f"us, generator {result['generator_us_per_answer']:.1f} us, "
                          f"{result['memory_mb']} MB, status {result['status']}\n     threads "
                          f"{result['thread_us']}\n     stages {result['stage_us']}", flush=True)
                return result["decided_per_second"]

            for _ in range(arguments.runs):
                run("load", arguments.rate, arguments.seconds)
            if arguments.overload:
                # No more can wait at the server than there are connections: with few of them, what
                # is too much would wait at the generator, and nobody could shed it.
                many = 10 * arguments.connections
                carried = run("as much as can be", 6 * arguments.rate, min(10, arguments.seconds),
                              connections=many)
                run(f"{arguments.overload:g} times that", carried * arguments.overload,
                    min(30, arguments.seconds), connections=many)
                run("half of that", carried / 2, min(30, arguments.seconds))
            if arguments.newcomers:
                users = server.get("/v1/summary")["state"]["users"]
                run("users never seen", arguments.newcomers / 60, 60, new)
                part["new_users"] = server.get("/v1/summary")["state"]["users"] - users
            # By the log behind the newest snapshot, then by the snapshot of a clean stop.
            for name, number in [("after_kill", signal.SIGKILL), ("after_stop", signal.SIGTERM)]:
                server.stop(number)
                began = time.monotonic()
                server = Server(arguments.tandem, model, folder / durability, "--durability",
                                durability, "--keep-transactions", arguments.keep)
                part[f"seconds_to_ready_{name}"] = round(time.monotonic() - began, 2)
            part["stop_status"] = server.stop()
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
