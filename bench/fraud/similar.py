#!/usr/bin/env python3
"""What the cache of similar decisions (`similar_seconds` of the configuration, off by default) saves
and lets through, on simulated transactions.

    python3 bench/fraud/similar.py --tandem build/release/apps/tandem [--users 3000] [--days 30]
        [--seconds 60] [--repeat 0.02] [--model MODEL]

A model is trained on one simulation; another is decided by a server, and decided once more by
`tandem fraud replay --by-configuration` with the cache. Each transaction that was answered from it is
compared with what it is decided as by itself. In the simulation no charge comes twice: a share of
them, honest and not, comes four times more, five seconds apart, as a client that tries again does, and
a thief who has found what goes through.
"""

import argparse
import csv
import datetime
import http.client
import json
import pathlib
import random
import signal
import subprocess
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--users", type=int, default=3000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--repeat", type=float, default=0.02)
    parser.add_argument("--model", help="a fraud model; one is trained if left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem-fraud-similar-") as folder:
        folder = pathlib.Path(folder)

        def run(*words):
            return subprocess.run([arguments.tandem, "fraud", *map(str, words)], check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

        start = datetime.date.today() - datetime.timedelta(days=arguments.days + 1)
        size = ["--days", arguments.days, "--users", arguments.users, "--fraud", 3]
        model = arguments.model
        if not model:
            model = folder / "fraud.tandem"
            run("simulate", *size, "--seed", 1, "--out", folder / "f.csv")
            run("train", "--data", folder / "f.csv", "--model", model)
        run("simulate", *size, "--seed", 2, "--start", start, "--out", folder / "g.csv")
        state = folder / "state"
        server = subprocess.Popen([arguments.tandem, "fraud", "serve", "--model", str(model), "--state",
                                   str(state), "--http", "127.0.0.1:0", "--log", str(folder / "log")],
                                  stdout=subprocess.PIPE, text=True)
        truth = {}
        connection = http.client.HTTPConnection(server.stdout.readline().split()[1].removeprefix("http://"))
        batch = []

        def send():
            connection.request("POST", "/v1/transactions", json.dumps(batch))
            response = connection.getresponse()
            content = response.read()
            if response.status != 200:
                raise SystemExit(f"answered with {response.status}: {content[:300]}")
            batch.clear()

        draw = random.Random(5)
        transactions = []
        with open(folder / "g.csv", newline="") as rows:
            for row in csv.DictReader(rows):
                one = {name: value for name, value in row.items() if value and name not in (
                    "is_fraud", "label_timestamp", "scenario", "latitude", "longitude")}
                one["amount"] = float(one["amount"])
                if row["latitude"]:
                    one["location"] = [float(row["latitude"]), float(row["longitude"])]
                at = datetime.datetime.fromisoformat(one["timestamp"])
                for i in range(5 if draw.random() < arguments.repeat else 1):
                    name = one["transaction_id"] + (f"-{i}" if i else "")
                    when = at + datetime.timedelta(seconds=5 * i)
                    truth[name] = row["is_fraud"] == "1"
                    transactions.append((when, dict(one, transaction_id=name, timestamp=when.isoformat(
                        timespec="milliseconds"))))
        transactions.sort(key=lambda pair: pair[0])
        for _, one in transactions:
            batch.append(one)
            if len(batch) == 500:
                send()
        if batch:
            send()
        server.send_signal(signal.SIGTERM)
        server.wait()
        server.stdout.close()

        configuration = json.loads((state / "configuration.json").read_text())
        configuration["similar_seconds"] = arguments.seconds
        (folder / "similar.json").write_text(json.dumps(configuration))
        (folder / "ids").write_text("".join(f"{name}\n" for name in truth))
        plain = {}
        for line in run("replay", "--state", state, "--ids", folder / "ids").splitlines():
            one = json.loads(line)
            plain[one["transaction_id"]] = one
        hits = frauds = fewer = more = missed = 0
        for line in run("replay", "--state", state, "--ids", folder / "ids", "--by-configuration",
                        folder / "similar.json").splitlines():
            one = json.loads(line)
            if not one.get("from_similar"):
                continue
            name = one["transaction_id"]
            by_itself = plain[name]
            hits += 1
            frauds += truth[name]
            if by_itself["action"] != "approve" and one["action"] == "approve":
                fewer += 1
                missed += truth[name]
            more += by_itself["action"] == "approve" and one["action"] != "approve"
        print(json.dumps({"transactions": len(truth), "frauds": sum(truth.values()),
                          "answered_from_the_cache": hits, "frauds_among_them": frauds,
                          "approved_that_would_not_be": fewer, "frauds_among_those": missed,
                          "held_that_would_not_be": more}, indent=1))


if __name__ == "__main__":
    main()
