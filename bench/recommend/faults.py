#!/usr/bin/env python3
"""What `tandem recommend serve` survives: kill -9 at random moments under load, a stopped process, a
disk that is full or does not sync.

    python3 bench/recommend/faults.py --tandem build/release/apps/tandem [--kills 100] [--seed 1]
        [--only kills,stopped,full,sync]

Clients watch items, ask for recommendations, and now and then forget a viewer. After each kill every
acknowledged event is looked for, with the strength that it gives once: what was sent and not
acknowledged is sent again with the same id, and may not count twice. Who was forgotten may not come
back. tests/recommend_system/faults_test.py runs a few of each.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).absolute().parents[1]))
from service_faults import Fault, Server, expect, library_in, run_those  # noqa: E402,F401

ITEMS_OF_A_VIEWER = 60
ITEMS = 200


def make_model(tandem, folder):
    """A model and its items, of simulated viewers."""
    folder = pathlib.Path(folder)
    for words in [["simulate", "--users", 300, "--items", ITEMS, "--seed", 5, "--out", folder / "watched.csv",
                   "--items-out", folder / "items.csv"],
                  ["train", "als", "--data", folder / "watched.csv", "--model", folder / "als.tandem",
                   "--factors", 16, "--iterations", 5, "--alpha", 10]]:
        subprocess.run([str(tandem), "recommend", *map(str, words), "--quiet"], check=True,
                       capture_output=True)
    return folder / "als.tandem", folder / "items.csv"


class Place(Server):
    """A state, the servers that run on it, and what was acknowledged."""

    def __init__(self, tandem, model, folder, *options, environment=None):
        file, items = model
        super().__init__(tandem, folder, ["recommend", "serve", "--model", file, "--items", items, "--workers", 2],
                         options, environment)
        self.acknowledged = {}  # viewer: items
        self.forgotten = set()
        self.sent = {}          # id of an event: what was sent and not acknowledged
        self.looked_at = set()  # viewers who were found whole, and of whom nothing new has come
        self.count = 0
        self.answers = 0

    def send(self, connection, event):
        with self.lock:
            self.sent[event["id"]] = event
        connection.request("POST", "/v1/events", json.dumps(event))
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            with self.lock:
                self.acknowledged.setdefault(event["user"], set()).add(event["item"])
                self.looked_at.discard(event["user"])
                self.sent.pop(event["id"], None)
                self.count += 1
        return response.status

    def load(self, seed, clients=6):
        """Clients that watch and ask until the server is gone or what is returned is called."""
        draws = [random.Random(f"{seed}-{number}") for number in range(clients)]

        def step(number, connection, turn):
            draw = draws[number]
            user = f"{seed}-{number}-{turn // ITEMS_OF_A_VIEWER}"
            self.send(connection, {"user": user, "item": f"i{turn % ITEMS_OF_A_VIEWER + 1}", "weight": 0.5,
                                   "id": f"event-{seed}-{number}-{turn}"})
            if draw.random() < 0.3:
                connection.request("GET", f"/v1/recommendations?user={user}&n=5")
                response = connection.getresponse()
                content = response.read()
                expect(response.status == 200, f"a question was answered with {content!r}")
                with self.lock:
                    self.answers += 1
            if (turn + 1) % ITEMS_OF_A_VIEWER == 0 and draw.random() < 0.3:
                # From here on it is not known of the viewer whether they are there.
                with self.lock:
                    self.acknowledged.pop(user, None)
                connection.request("DELETE", f"/v1/users/{user}")
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    with self.lock:
                        self.forgotten.add(user)
        return self.clients(clients, step)

    def send_again(self):
        connection = self.connection()
        for event in list(self.sent.values()):
            expect(self.send(connection, event) == 200, f"{event} was refused")
        connection.close()

    def compare(self, everything=False):
        """What was acknowledged since the last time is there, once."""
        connection = self.connection()

        def viewer(user):
            connection.request("GET", f"/v1/users/{user}")
            response = connection.getresponse()
            return json.loads(response.read())

        for user, items in self.acknowledged.items():
            if user in self.looked_at and not everything:
                continue
            found = {one["content_id"]: one["strength"] for one in viewer(user)["history"]}
            for item in items:
                expect(item in found, f"{item} of {user} was acknowledged and is not there")
                expect(found[item] == 0.5, f"{item} of {user} counts {found[item]}, not once")
            self.looked_at.add(user)
        for user in self.forgotten:
            found = viewer(user)
            expect(not found["known"], f"{user} was forgotten and is there: {found}")
        connection.close()


def kills(tandem, model, folder, count, seed=1, durability="sync"):
    """kill -9 at random moments under load, `count` times; snapshots and erasures come in between."""
    place = Place(tandem, model, folder, "--durability", durability, "--snapshot-events", 300,
                  "--choices-bytes", "64K")
    draw = random.Random(seed)
    unanswered = 0
    for number in range(count):
        place.start()
        place.compare()
        place.send_again()
        stop = place.load(f"k{number}")
        time.sleep(draw.uniform(0.05, 0.5))
        place.end()
        stop()
        unanswered += len(place.sent)
    place.start()
    place.send_again()
    place.compare(True)
    expect(place.end(signal.SIGTERM) == 0, "the stop was not clean")
    for file in (place.state / "events").iterdir():
        content = file.read_bytes()
        for user in place.forgotten:
            # A name stands behind its length.
            expect(len(user).to_bytes(2, "little") + user.encode() not in content,
                   f"{file} has something of {user}")
    return {"kills": count, "durability": durability, "acknowledged": place.count,
            "unacknowledged_at_kills": unanswered, "forgotten": len(place.forgotten),
            "answers": place.answers}


def stopped(tandem, model, folder, seconds=1.0):
    """SIGSTOP under load, then SIGCONT."""
    place = Place(tandem, model, folder)
    place.start()
    stop = place.load("s")
    time.sleep(0.3)
    place.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    before = place.count
    place.process.send_signal(signal.SIGCONT)
    end = time.monotonic() + 30
    while place.count <= before:
        expect(time.monotonic() < end, "nothing was acknowledged after the pause")
        time.sleep(0.05)
    stop()
    place.send_again()
    place.compare(True)
    place.end(signal.SIGTERM)
    return {"seconds": seconds, "acknowledged": place.count}


def failing(tandem, model, folder, how, library):
    """A disk that fails in the way `how` ("full" or "sync") under load: nothing more is
    acknowledged, and questions are answered all the same."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    switch = folder / "switch"
    switch.write_text("well")
    place = Place(tandem, model, folder, "--durability", "sync", "--cache", 0,
                  environment={"LD_PRELOAD": str(library), "FAILING_DISK": str(switch)})
    place.start()
    stop = place.load("f", clients=4)
    end = time.monotonic() + 30
    while place.count < 20:
        expect(time.monotonic() < end, "nothing was acknowledged before the disk failed")
        time.sleep(0.02)
    switch.write_text(how)
    time.sleep(0.5)
    acknowledged = place.count
    answers = place.answers
    time.sleep(0.5)
    stop()
    expect(place.count == acknowledged, "something was acknowledged while the disk failed")
    expect(place.answers > answers, "no question was answered while the disk failed")
    connection = place.connection()
    event = {"user": "after", "item": "i1", "weight": 0.5, "id": "after"}
    status = place.send(connection, event)
    expect(status == 503, f"an event was answered with {status}")
    connection.request("GET", "/v2/health/ready")
    response = connection.getresponse()
    content = response.read()
    expect(response.status == 503, f"the server says that it is ready: {content!r}")
    switch.write_text("well")
    expect(place.send(connection, event) == 503, "after a failure something was acknowledged")
    connection.close()
    place.end()
    place.start()
    place.compare(True)
    place.send_again()
    place.compare(True)
    expect(place.end(signal.SIGTERM) == 0, "the stop was not clean")
    return {"acknowledged_before": acknowledged, "acknowledged": place.count, "answers": place.answers}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="kills,stopped,full,sync")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem-recommend-faults-") as folder:
        folder = pathlib.Path(folder)
        model = make_model(arguments.tandem, folder)
        library = library_in(folder)
        asked = arguments.only.split(",")
        half = arguments.kills // 2
        tandem = arguments.tandem
        run_those({
            "kills sync": lambda: kills(tandem, model, folder / "sync", arguments.kills - half, arguments.seed,
                                        "sync"),
            "kills os": lambda: kills(tandem, model, folder / "os", half, arguments.seed, "os"),
            "stopped": lambda: stopped(tandem, model, folder / "stopped"),
            "full": lambda: failing(tandem, model, folder / "full", "full", library),
            "sync": lambda: failing(tandem, model, folder / "nosync", "sync", library)},
            asked, library, ("full", "sync"))


if __name__ == "__main__":
    main()
