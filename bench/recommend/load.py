#!/usr/bin/env python3
"""Recommendations under an open loop, from nothing: simulates, trains, serves, asks.

    load.py --tandem PROGRAM --work FOLDER [--users 1000000] [--items 200000] [--rate 2000]
            [--seconds 30] [--factors 64] [--iterations 5] [--train-users 200000]

Questions are sent at their times whether earlier ones were answered or not, over kept connections;
the time of an answer counts from when its question should have been sent, so that a server that
stalls is not asked less (Gil Tene's coordinated omission). The generator is the same machine's: it
takes its share of the cores. First with caches off, then on (questions of few viewers, by Zipf's
law). Then kill -9 under events, and every acknowledged one is looked for. What lies in the folder is
used again.
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time


def run(*command):
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return time.monotonic() - began


def processor_seconds(pid):
    """User and system time that a process has taken."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Server:
    def __init__(self, arguments, options, state):
        self.log = open(arguments.work / "serve.log", "a")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(part) for part in [
                arguments.tandem, "recommend", "serve", "--model", arguments.work / "als.tandem",
                "--items", arguments.work / "items.csv", "--state", state,
                "--history", arguments.work / "watched.csv", "--http", "127.0.0.1:0", "--workers", 1,
                "--io-threads", 1, "--log-level", "warning", *options]],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready http://"):
            sys.exit(f"the server said {line!r}; see {self.log.name}")
        self.started = time.monotonic() - began
        self.host, port = line.split()[1].removeprefix("http://").rsplit(":", 1)
        self.port = int(port)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=600)
        self.process.stdout.close()


async def answer_of(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return status, await reader.readexactly(length)


async def open_loop(server, requests, rate, connections=64):
    """Sends each request at its time; returns seconds and status of each, by the time it was due."""
    queue = asyncio.Queue()
    results = []

    async def client():
        reader, writer = await asyncio.open_connection(server.host, server.port)
        while True:
            taken = await queue.get()
            if taken is None:
                writer.close()
                return
            due, request = taken
            writer.write(request)
            try:
                status, _ = await answer_of(reader)
            except (OSError, asyncio.IncompleteReadError):
                results.append((time.monotonic() - due, 0))
                return
            results.append((time.monotonic() - due, status))

    clients = [asyncio.create_task(client()) for _ in range(connections)]
    begin = time.monotonic()
    for number, request in enumerate(requests):
        due = begin + number / rate
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        queue.put_nowait((due, request))
    for _ in clients:
        queue.put_nowait(None)
    await asyncio.gather(*clients)
    return results, time.monotonic() - begin


def question(user):
    return f"GET /v1/recommendations?user={user}&n=10 HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def get(server, path):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    _, body = await answer_of(reader)
    writer.close()
    return json.loads(body)


def measured(server, users, arguments):
    asyncio.run(open_loop(server, [question(user) for user in users[:500]], 200))  # warm
    before = processor_seconds(server.process.pid)
    own = time.process_time()
    results, took = asyncio.run(open_loop(server, [question(user) for user in users], arguments.rate))
    processor = processor_seconds(server.process.pid) - before
    seconds = sorted(one for one, _ in results)
    at = lambda share: seconds[min(len(seconds) - 1, int(share * len(seconds)))] * 1000
    return {"asked_per_second": arguments.rate, "answered_per_second": len(results) / took,
            "failed": sum(status != 200 for _, status in results), "p50_ms": at(0.5), "p99_ms": at(0.99),
            "p99.9_ms": at(0.999), "longest_ms": seconds[-1] * 1000,
            "processor_ms_per_answer": processor / len(results) * 1000,
            "generator_processor_share": (time.process_time() - own) / took}


def prepare(arguments):
    work = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    found = {}
    if not (work / "watched.csv").exists():
        found["simulate_seconds"] = run(
            arguments.tandem, "recommend", "simulate", "--users", arguments.users, "--items", arguments.items,
            "--seed", 1, "--out", work / "watched.csv", "--items-out", work / "items.csv", "--quiet")
    if not (work / "als.tandem").exists():
        # The model is of items: a part of the viewers is enough to learn it.
        part = work / "training.csv"
        last = f"u{arguments.train_users + 1},"
        with open(work / "watched.csv") as whole, open(part, "w") as out:
            for line in whole:
                if line.startswith(last):
                    break
                out.write(line)
        found["train_seconds"] = run(
            arguments.tandem, "recommend", "train", "als", "--data", part, "--model", work / "als.tandem",
            "--factors", arguments.factors, "--iterations", arguments.iterations, "--alpha", 10, "--quiet")
    return found


def crash(arguments):
    """Events at full speed, kill -9 in between, and what was acknowledged is looked for."""
    state = arguments.work / "crash-state"
    subprocess.run(["rm", "-rf", str(state)], check=True)
    acknowledged = {}

    async def load(server):
        async def sender(number):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            for count in range(10**9):
                user, item = f"x{number}-{count // 100}", f"i{count % 100 + 1}"
                body = json.dumps({"user": user, "item": item}).encode()
                writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                try:
                    status, _ = await answer_of(reader)
                except (OSError, asyncio.IncompleteReadError):
                    return
                if status == 200:
                    acknowledged.setdefault(user, set()).add(item)
        senders = [asyncio.create_task(sender(number)) for number in range(32)]
        await asyncio.sleep(5)
        server.process.send_signal(signal.SIGKILL)
        await asyncio.gather(*senders, return_exceptions=True)

    server = Server(arguments, [], state)
    asyncio.run(load(server))
    server.stop(signal.SIGKILL)
    server = Server(arguments, [], state)

    async def look():
        lost = 0
        for user, items in acknowledged.items():
            found = {one["content_id"] for one in (await get(server, f"/v1/users/{user}"))["history"]}
            lost += len(items - found)
        return lost

    lost = asyncio.run(look())
    started = server.started
    server.stop()
    count = sum(map(len, acknowledged.values()))
    return {"acknowledged": count, "per_second": count / 5, "lost": lost, "restart_seconds": started}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--train-users", type=int, default=200_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--no-crash", action="store_true")
    arguments = parser.parse_args()
    found = {"users": arguments.users, "items": arguments.items, "cores": os.cpu_count(),
             "load_before": os.getloadavg()[0], **prepare(arguments)}
    state = arguments.work / "state"
    draw = random.Random(1)
    asked = int(arguments.rate * arguments.seconds)
    recall = ["--recall", arguments.recall]

    server = Server(arguments, ["--cache", "0", *recall], state)
    found["start_seconds"] = server.started
    status = asyncio.run(get(server, "/v1/status"))
    found["retrieval"] = status["models"][0].get("retrieval")
    found["viewers"] = status["viewers"]
    found["bytes_per_viewer"] = status["bytes_per_viewer"]
    found["resident_bytes"] = resident_bytes(server.process.pid)
    users = [f"u{draw.randint(1, arguments.users)}" for _ in range(asked)]
    found["caches_off"] = measured(server, users, arguments)
    server.stop()

    server = Server(arguments, ["--cache", "256M", *recall], state)
    found["restart_seconds"] = server.started
    # The 20,000 most active, by Zipf's law.
    weights = [1 / (rank + 1) for rank in range(20_000)]
    users = [f"u{number + 1}" for number in draw.choices(range(20_000), weights, k=asked)]
    found["caches_on"] = measured(server, users, arguments)
    found["caches_on"]["hit_rate"] = asyncio.run(get(server, "/v1/status"))["cache"]["hit_rate"]
    server.stop()
    if not arguments.no_crash:
        found["crash"] = crash(arguments)
    found["load_after"] = os.getloadavg()[0]
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
