#!/usr/bin/env python3
"""Measures `tandem serve` under open-loop load: latencies by rate and the rate at which they break,
processor time of an answer and where it goes, promotions under load, restarts, idle clients, and what
watching for drift and asking for it cost.

    python3 bench/serving/load.py [--build build/release] [--rates 1000,5000,20000] [--seconds 5]
        [--trees 300] [--depth 6] [--json]

Server and generator share the machine, so that a rate that the table shows as kept leaves the
generator its part too. On a machine that others use, processor time per answer is what can be compared.
Every answer is compared: with what the server said of the row at first, which has the bits of `tandem
predict`. bench/serving/compare.py sets others beside it, and checks the generator.
"""

import argparse
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from served import PATH, Parts, inputs_of, load, machine, make_models, serve, thread_seconds

# A rate is kept where nearly all that is asked is answered in the same time, and in time.
KEPT_SHARE = 0.99
KEPT_P99_MS = 10


def answers_of(arguments, server, folder, rows):
    """The body of each version's answer for the first row, in files; each has the bits of `tandem
    predict`."""
    header = (folder / "rows.csv").read_text().splitlines()[0].split(",")[:len(rows[0])]
    one = folder / "row.csv"
    one.write_text(",".join(header) + "\n" + ",".join(map(repr, rows[0])) + "\n")
    files = []
    for version in ["1", "2"]:
        offline = json.loads(subprocess.run(
            [arguments.tandem, "predict", folder / f"{version}.tandem", "--data", one, "--probabilities",
             "--json"], check=True, capture_output=True, text=True).stdout)
        body = server.ask_bytes(PATH.replace("/infer", f"/versions/{version}/infer"),
                                inputs_of(rows[:1]))
        outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
        if outputs["probabilities"] != offline["probabilities"][0]:
            raise SystemExit(f"version {version} says {outputs}, offline {offline}")
        file = folder / f"answer-{version}.json"
        file.write_bytes(body)
        files.append(file)
    return files


def kept(result):
    return (result["answered_per_second"] >= KEPT_SHARE * result["asked_per_second"] and
            result["p99_ms"] <= KEPT_P99_MS and set(result["status"]) == {"200"})


def describe(result):
    parts = result.get("parts_us", {})
    return (f"{result['asked_per_second']:8.0f}/s asked, {result['answered_per_second']:8.0f}/s answered, "
            f"p50 {result['p50_ms']:.2f} p99 {result['p99_ms']:.2f} max {result['max_ms']:.1f} ms, server "
            f"{result['server_us_per_answer']:.1f} us, generator {result['generator_us_per_answer']:.1f} "
            f"us, status {result['status']}" +
            ("\n" + " " * 10 + ", ".join(f"{name} {value:.2f}" for name, value in parts.items()) + " us"
             if parts else ""))


def rates(arguments, server, body, expected):
    options = [word for file in expected for word in ("--expect", file)]

    def once(rate):
        parts = Parts(server)
        result = load(arguments.generator, server, body, rate, arguments.seconds, *options,
                      connections=arguments.connections)
        result["parts_us"] = parts.end()
        if result["wrong"]:
            raise SystemExit(f"a wrong answer: {result['first_wrong']}")
        if not arguments.json:
            print(describe(result), flush=True)
        return result
    asked = [int(rate) for rate in arguments.rates.split(",")]
    found = [once(rate) for rate in asked]
    # Upwards from there, until latency breaks.
    rate, steps = max(asked), 0
    while kept(found[-1]) and steps < 8:
        rate, steps = int(rate * 1.25), steps + 1
        found.append(once(rate))
    return found


def promotions(arguments, server, body, expected):
    """Versions 1 and 2 in turn while requests come, each of whose answers is one of the two."""
    options = [word for file in expected for word in ("--expect", file)]
    background = {}
    seconds = max(3.0, arguments.promotions / 18)
    generator = threading.Thread(target=lambda: background.update(
        load(arguments.generator, server, body, 1000, seconds, *options)))
    generator.start()
    began = time.monotonic()
    for i in range(arguments.promotions):
        server.ask("/v1/models/m/promote", {"version": 2 - i % 2})
    took = time.monotonic() - began
    generator.join()
    return {"count": arguments.promotions, "seconds": round(took, 2), "load": background}


def resident_kb(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def bytes_of(server, body):
    """Of a request and its answer, with their heads, as a client over a kept connection has them."""
    text = body.read_bytes()
    head = (f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", server.port)) as one:
        one.sendall(head + text)
        answer = one.recv(65536)
    return {"request_bytes": len(head) + len(text), "answer_bytes": len(answer)}


def idle(arguments, server, body):
    before = resident_kb(server)
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(arguments.idle)]
    result = load(arguments.generator, server, body, 1000, 3)
    after = resident_kb(server)
    for one in connections:
        one.close()
    return {"connections": len(connections), "load": result, "resident_kb": after,
            "resident_kb_before": before}


def watching(arguments, repository, body, expected):
    """What drift costs: servers that do not watch, that do, and of which /v1/drift is asked meanwhile; and
    what one such answer takes."""
    options = [word for file in expected for word in ("--expect", file)]
    found = {"machine": machine(), "rate": arguments.watch_rate, "asked_every_s": 0.1}

    def under_load(server, ask=None):
        going, times = threading.Event(), []

        def asks():
            while not going.wait(found["asked_every_s"]):
                began = time.monotonic()
                server.ask_bytes(ask)
                times.append(time.monotonic() - began)
        thread = threading.Thread(target=asks)
        if ask:
            thread.start()
        result = load(arguments.generator, server, body, arguments.watch_rate, arguments.seconds, *options)
        going.set()
        if ask:
            thread.join()
            result["answers_of_drift"] = len(times)
            result["slowest_answer_of_drift_ms"] = round(1e3 * max(times), 2)
        if result["wrong"]:
            raise SystemExit(f"a wrong answer: {result['first_wrong']}")
        return result
    quiet = serve(arguments.tandem, repository, "--drift-rows", 0)
    watched = serve(arguments.tandem, repository)
    for server in (quiet, watched):
        load(arguments.generator, server, body, 1000, 1)
    # In turn, so that what else the machine does is shared.
    ways = {"off": (quiet, None), "on": (watched, None), "asked": (watched, "/v1/drift")}
    found["loads"] = {name: [] for name in ways}
    for _ in range(arguments.watch_rounds):
        for name, way in ways.items():
            found["loads"][name].append(under_load(*way))
    drift = watched.ask("/v1/drift")["drift"]
    found["windows"] = sum(one.get("windows", 0) for one in drift)
    found["unwatched"] = sum(
        float(line.split()[-1]) for line in watched.ask("/metrics").splitlines()
        if line.startswith("tandem_unwatched_requests_total"))
    for name, path in (("drift_us", "/v1/drift"), ("live_us", "/v2/health/live")):
        before = sum(map(sum, thread_seconds(watched.pid).values()))
        for _ in range(1000):
            content = watched.ask_bytes(path)
        found[name] = round((sum(map(sum, thread_seconds(watched.pid).values())) - before) * 1e3, 1)
        if path == "/v1/drift":
            found["drift_bytes"] = len(content)
    quiet.stop()
    watched.stop()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    build = pathlib.Path(__file__).absolute().parents[2] / "build" / "release"
    parser.add_argument("--build", type=pathlib.Path, default=build)
    parser.add_argument("--rates", default="1000,5000,10000,20000")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--promotions", type=int, default=1000)
    parser.add_argument("--watch-rate", type=int, default=10000)
    parser.add_argument("--watch-rounds", type=int, default=3)
    parser.add_argument("--only-watching", action="store_true", help="of all of this only what drift costs")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.tandem = arguments.build / "apps/tandem"
    arguments.generator = arguments.build / "bench/serving/open_loop"
    found = {"machine": machine(), "trees": arguments.trees, "depth": arguments.depth}
    say = (lambda text: None) if arguments.json else (lambda text: print(text, flush=True))
    with tempfile.TemporaryDirectory(prefix="tandem-load-") as folder:
        folder = pathlib.Path(folder)
        repository, body, rows = make_models(arguments.tandem, folder, arguments.trees, arguments.depth)
        server = serve(arguments.tandem, repository)
        found["ready_seconds"] = round(server.ready_seconds, 3)
        expected = answers_of(arguments, server, folder, rows)
        if arguments.only_watching:
            server.stop()
            print(json.dumps({"watching": watching(arguments, repository, body, expected)}, indent=1))
            return 0
        load(arguments.generator, server, body, 1000, 1)
        found |= bytes_of(server, body)
        found["rates"] = rates(arguments, server, body, expected)
        good = [round(one["asked_per_second"]) for one in found["rates"] if kept(one)]
        found["kept_per_second"] = max(good, default=0)
        say(f"kept with p99 below {KEPT_P99_MS} ms: {found['kept_per_second']}/s")
        found["promotions"] = promotions(arguments, server, body, expected)
        one = found["promotions"]
        say(f"{one['count']} promotions in {one['seconds']} s: {describe(one['load'])}, wrong "
            f"{one['load']['wrong']}, broken {one['load']['broken']}, of each version "
            f"{one['load']['of_expected']}")
        found["idle"] = idle(arguments, server, body)
        one = found["idle"]
        say(f"{one['connections']} idle connections, {one['resident_kb']} KiB: {describe(one['load'])}")
        began = time.monotonic()
        server.stop(signal.SIGKILL)
        server = serve(arguments.tandem, repository)
        found["restart_after_kill_seconds"] = round(time.monotonic() - began, 3)
        found["stop_status"] = server.stop()
        say(f"after kill -9 it answers again in {found['restart_after_kill_seconds']} s")
        found["watching"] = watching(arguments, repository, body, expected)
        for name, several in found["watching"]["loads"].items():
            for one in several:
                say(f"drift {name}: {describe(one)}")
        say(f"an answer of /v1/drift: {found['watching']['drift_us']} us, of /v2/health/live "
            f"{found['watching']['live_us']} us")
    if arguments.json:
        print(json.dumps(found, indent=1))
    bad = found["promotions"]["load"]
    return 1 if bad["wrong"] or bad["broken"] or bad["late"] or set(bad["status"]) != {"200"} else 0


if __name__ == "__main__":
    sys.exit(main())
