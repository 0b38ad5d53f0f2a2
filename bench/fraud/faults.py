#!/usr/bin/env python3
"""What `tandem fraud serve` survives: kill -9 at random moments under load, a stopped process, a disk
that is full or does not sync, a clock that steps, events that come late, twice and out of order.

    python3 bench/fraud/faults.py --tandem build/release/apps/tandem [--kills 200] [--seed 1]
        [--model MODEL] [--only kills,erasures,stopped,full,sync,clock,late] [--folder FOLDER]

After each kill the acknowledged answers are compared with what `tandem fraud replay` computes from
the log, byte for byte but for the processing time: every one of them is there, and nothing else but
what was on its way. What was sent and not answered is sent again after the restart, and then both
are the same set. The table at the end is the one of docs/fraud.md. tests/fraud/faults_test.py runs a
few of each.
"""

import argparse
import datetime
import http.client
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).absolute().parents[1]))
from service_faults import Fault, Server, expect, library_in, run_those  # noqa: E402,F401


class Place(Server):
    """A state, the servers that run on it, and what was acknowledged."""

    def __init__(self, tandem, model, folder, *options, environment=None):
        super().__init__(tandem, folder, ["fraud", "serve", "--model", model, "--longest-wait-ms", 60_000],
                         options, environment)
        self.answers = {}  # id: bytes of the answer
        self.sent = {}     # id: body of what was sent and not answered
        self.bodies = {}

    def wait_for(self, more):
        """Until so many more were answered."""
        wanted = len(self.answers) + more
        end = time.monotonic() + 120
        while len(self.answers) < wanted:
            expect(time.monotonic() < end, "nothing is answered")
            time.sleep(0.01)

    def send(self, connection, identity, body):
        """The status; an answer of 200 is kept, and compared with the one before, if any."""
        with self.lock:
            self.sent[identity] = body
            self.bodies[identity] = body
        connection.request("POST", "/v1/transactions", body)
        response = connection.getresponse()
        content = response.read()
        if response.status == 200:
            with self.lock:
                before = self.answers.setdefault(identity, content)
                self.sent.pop(identity, None)
            expect(before == content, f"{identity} was answered {before!r}, and then {content!r}")
        return response.status

    def load(self, seed, connections=8):
        """Clients that send until the server is gone or what is returned is called."""
        draws = [random.Random(f"{seed}-{number}") for number in range(connections)]

        def step(number, connection, turn):
            identity = f"{seed}-{number}-{turn + 1}"
            self.send(connection, identity, body_of(draws[number], identity))
        return self.clients(connections, step)

    def send_again(self):
        connection = self.connection()
        for identity, body in list(self.sent.items()):
            expect(self.send(connection, identity, body) == 200, f"{identity} was refused")
        # Some of those that were answered, too: send() compares.
        draw = random.Random(len(self.answers))
        for identity in draw.sample(sorted(self.answers), min(10, len(self.answers))):
            expect(self.send(connection, identity, self.bodies[identity]) == 200, identity)
        connection.close()

    def compare(self, whole):
        """Replayed decisions and acknowledged answers are the same; but where they are not compared
        as a `whole`, what was sent and not answered may be among the first."""
        ids = self.folder / "ids"
        ids.write_text("".join(f"{identity}\n" for identity in self.bodies))
        done = subprocess.run([self.tandem, "fraud", "replay", "--state", str(self.state), "--ids",
                               str(ids)], capture_output=True, text=True, check=False)
        expect(done.returncode == 0, f"replay failed: {done.stderr}")
        replayed = {}
        for line in done.stdout.splitlines():
            identity = json.loads(line)["transaction_id"]
            expect(identity not in replayed, f"{identity} was decided twice")
            replayed[identity] = line
        for identity, answer in self.answers.items():
            wanted = answer.decode().rstrip("\n").partition(',"processing_time_ms":')[0] + "}"
            expect(identity in replayed, f"{identity} was acknowledged and is not in the log")
            expect(replayed[identity] == wanted,
                   f"answered\n{wanted}\nreplayed\n{replayed[identity]}")
        others = set(replayed) - set(self.answers)
        if not whole:
            others -= set(self.sent)
        expect(not others, f"replayed, and never acknowledged: {sorted(others)[:5]}")
        return len(replayed)


def timestamp(seconds_ago=0.0):
    when = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def body_of(draw, identity, seconds_ago=0.0):
    user = draw.randrange(40)
    return json.dumps({
        "transaction_id": identity, "user_id": f"u{user}", "amount": round(draw.lognormvariate(3, 1), 2),
        "currency": "EUR", "transaction_type": draw.choice(["purchase", "transfer", "withdrawal"]),
        "merchant_id": f"m{draw.randrange(9)}", "location": [50 + user / 10, 8 + draw.random() * 3],
        "timestamp": timestamp(seconds_ago), "card_last_four": f"{user:04d}",
        "ip_address": f"10.0.0.{draw.randrange(60)}", "device_id": f"d{draw.randrange(50)}"})


def kills(tandem, model, folder, count, seed=1, durability="sync", of_a_state=10, every=8):
    """kill -9 at random moments, `count` times: under load, and each `every`-th time while it starts.
    A state lives through `of_a_state` of them, so that replay has no more to do at the last one than
    at the first."""
    draw = random.Random(seed)
    totals = {"kills": 0, "while_starting": 0, "durability": durability, "acknowledged": 0,
              "replayed": 0, "unanswered_at_kills": 0}
    starts = []

    def end(place):
        place.start()
        place.send_again()
        expect(place.end(signal.SIGTERM) == 0, "the stop was not clean")
        totals["replayed"] += place.compare(True)
        totals["acknowledged"] += len(place.answers)
        starts.extend(place.starts)
        shutil.rmtree(place.folder)

    place = None
    for number in range(count):
        if number % of_a_state == 0:
            if place:
                end(place)
            place = Place(tandem, model, pathlib.Path(folder) / f"state{number}", "--durability",
                          durability, "--snapshot-records", 400)
        totals["kills"] += 1
        if number % every == every - 1:
            place.spawn()
            time.sleep(draw.uniform(0, 0.1))
            place.end()
            totals["while_starting"] += 1
            if number % of_a_state:  # there is a log
                place.compare(False)
            continue
        place.start()
        place.send_again()
        answered = len(place.answers)
        stop = place.load(f"k{number}")
        limit = time.monotonic() + 30
        while len(place.answers) == answered and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.3))
        place.end()
        stop()
        totals["unanswered_at_kills"] += len(place.sent)
        place.compare(False)
    end(place)
    starts.sort()
    totals["start_seconds"] = {"median": round(starts[len(starts) // 2], 2),
                               "max": round(starts[-1], 2)}
    return totals


def erasures(tandem, model, folder, count=10, seed=1):
    """A user is erased under load, and the server killed at a random moment of that, `count` times:
    where it was acknowledged, and else after it is asked for again, the user is gone, and nobody else
    is. Decisions go on meanwhile."""
    place = Place(tandem, model, folder, "--durability", "sync")
    draw = random.Random(seed)
    acknowledged = gone = 0
    for number in range(count):
        place.start()
        place.send_again()
        stop = place.load(f"e{number}", connections=4)
        time.sleep(0.2)
        user = f"u{number}"

        def erase(timeout):
            connection = http.client.HTTPConnection(place.host, timeout=timeout)
            try:
                connection.request("DELETE", f"/v1/users/{user}")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()

        def expect_gone(identities):
            connection = http.client.HTTPConnection(place.host, timeout=60)
            for identity in identities:
                connection.request("GET", f"/v1/transactions/{identity}")
                response = connection.getresponse()
                response.read()
                expect(response.status == 404, f"{identity} of an erased user is there")
            connection.close()

        with place.lock:
            before = [identity for identity in place.answers
                      if json.loads(place.bodies[identity])["user_id"] == user]
        answers = []
        asks = threading.Thread(target=lambda: answers.append(erase(60)))
        asks.start()
        time.sleep(draw.uniform(0, 1))
        place.end()
        stop()
        asks.join()
        place.start()
        if answers[0]:
            acknowledged += 1
            expect_gone(before)
        # What came between the erasure and the kill is of a new user of that name.
        expect(erase(60), f"{user} could not be erased")
        theirs = [identity for identity, body in place.bodies.items()
                  if json.loads(body)["user_id"] == user]
        expect_gone(theirs)
        gone += len(theirs)
        for identity in theirs:
            for kept in (place.answers, place.sent, place.bodies):
                kept.pop(identity, None)
        place.send_again()
        expect(place.end(signal.SIGTERM) == 0, "the stop was not clean")
    return {"erasures": count, "acknowledged_before_the_kill": acknowledged, "gone": gone,
            "acknowledged": len(place.answers)}


def stopped(tandem, model, folder, seconds=1.0):
    """SIGSTOP under load, then SIGCONT."""
    place = Place(tandem, model, folder)
    place.start()
    stop = place.load("s")
    place.wait_for(20)
    place.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    place.process.send_signal(signal.SIGCONT)
    # More than those that were on their way: of each connection one.
    place.wait_for(50)
    stop()
    place.send_again()
    place.end(signal.SIGTERM)
    place.compare(True)
    return {"seconds": seconds, "acknowledged": len(place.answers)}


def failing(tandem, model, folder, how, library):
    """A disk that fails in the way `how` ("full" or "sync") under load."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    switch = folder / "switch"
    switch.write_text("well")
    place = Place(tandem, model, folder, "--durability", "sync",
                  environment={"LD_PRELOAD": str(library), "FAILING_DISK": str(switch)})
    place.start()
    stop = place.load("f", connections=4)
    place.wait_for(20)
    switch.write_text(how)
    # One that begins before the disk fails may be written yet; from the first refusal on none is.
    connection = place.connection()
    end = time.monotonic() + 60
    count = 0
    while place.send(connection, f"until-{count}", body_of(random.Random(count), f"until-{count}")) != 503:
        expect(time.monotonic() < end, "a disk that fails is not noticed")
        count += 1
    stop()  # each of its threads has the answer to what it has asked
    acknowledged = len(place.answers)
    for i in range(50):
        status = place.send(connection, f"after-{i}", body_of(random.Random(i), f"after-{i}"))
        expect(status == 503, f"a transaction was answered with {status}")
    expect(len(place.answers) == acknowledged, "something was acknowledged while the disk failed")
    connection.request("GET", "/v2/health/ready")
    expect(connection.getresponse().status == 503, "the server says that it is ready")
    connection.close()
    switch.write_text("well")
    if how == "sync":
        connection = place.connection()
        expect(place.send(connection, "later", body_of(random.Random(2), "later")) == 503,
               "after a failed sync something was acknowledged")
        connection.close()
    place.end()
    place.compare(False)
    place.start()
    place.send_again()
    place.end(signal.SIGTERM)
    place.compare(True)
    return {"acknowledged_before": acknowledged, "acknowledged": len(place.answers)}


def clock(tandem, model, folder, library):
    """Steps of a day, forward and back, while it runs and over a restart."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    switch = folder / "step"
    switch.write_text("0")
    place = Place(tandem, model, folder,
                  environment={"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(switch)})
    place.start()
    for step in ["0", "86400", "-86400", "0"]:
        switch.write_text(step)
        stop = place.load(f"c{step}{len(place.answers)}", connections=2)
        place.wait_for(20)
        stop()
        expect(not place.sent, f"transactions were refused after a step by {step} s")
    switch.write_text("-86400")
    place.end()
    place.start()
    place.send_again()
    place.end(signal.SIGTERM)
    place.compare(True)
    return {"acknowledged": len(place.answers)}


def late(tandem, model, folder, count=600):
    """Events up to 40 days late, out of order, and each third of them twice."""
    place = Place(tandem, model, folder, "--snapshot-records", 100)
    place.start()
    draw = random.Random(5)
    connection = place.connection()
    for i in range(count):
        identity = f"l{i}"
        body = body_of(draw, identity, seconds_ago=draw.choice([0, 1, 60, 7200, 5e5, 40 * 86400])
                       * draw.random())
        expect(place.send(connection, identity, body) == 200, "a late event was refused")
        if i % 3 == 0:
            expect(place.send(connection, identity, body) == 200, "an event that came twice was refused")
    connection.close()
    place.end()
    place.start()
    place.send_again()
    place.end(signal.SIGTERM)
    place.compare(True)
    return {"events": count}


# What is done, and what is promised for it; figures are put in.
TABLE = {
    "kills sync": ("`kill -9` at {kills} random moments under load of 8 connections ({while_starting} "
                   "while it started), `--durability sync`",
                   "{acknowledged:,} answers acknowledged: after each kill, replay gives every one of "
                   "them in its bytes, and nothing else but what was on its way ({unanswered_at_kills}, "
                   "sent again); started again in {start_seconds[median]} s (median), "
                   "{start_seconds[max]} s at most"),
    "erasures": ("{erasures} users erased under load, with a `kill -9` at a random moment of that",
                 "{acknowledged_before_the_kill} erasures were acknowledged before; after the restart, "
                 "and another request where it was not, nothing of them is there ({gone} transactions), and "
                 "all others ({acknowledged:,}) give their first answers"),
    "stopped": ("SIGSTOP for {seconds} s, SIGCONT",
                "all that waited is answered, nothing is lost or decided twice ({acknowledged:,} "
                "answers)"),
    "full": ("a disk that is full, with half of a write done, after {acknowledged_before:,} answers",
             "503 from then on, not ready, nothing acknowledged; after a restart all that was "
             "acknowledged is there, and what was not can be sent again"),
    "sync": ("a disk whose `fdatasync` fails, after {acknowledged_before:,} answers",
             "the same, and nothing is acknowledged after the disk is well again, until a restart"),
    "clock": ("the clock steps by a day, forward and back, while it runs, and stands a day back at a "
              "start", "decisions go on ({acknowledged:,} answers)"),
    "late": ("{events} transactions up to 40 days late, out of order, a third of them twice, with a "
             "restart", "first answers for what came twice, replay in the same bytes"),
}
TABLE["kills os"] = (TABLE["kills sync"][0].replace("sync", "os"), TABLE["kills sync"][1])


def table(done):
    text = "| what was done | what happened |\n| --- | --- |\n"
    for name, figures in done.items():
        text += "| " + " | ".join(part.format(**figures) for part in TABLE[name]) + " |\n"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--model", help="a fraud model; one is trained if left out")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="kills,erasures,stopped,full,sync,clock,late")
    parser.add_argument("--folder", help="where the states lie; a temporary folder if left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tandem-fraud-faults-", dir=arguments.folder) as folder:
        folder = pathlib.Path(folder)
        model = arguments.model
        if not model:
            model = folder / "fraud.tandem"
            for words in [["simulate", "--days", "30", "--users", "1000", "--fraud", "5", "--seed", "1", "--out",
                           folder / "f.csv"], ["train", "--data", folder / "f.csv", "--model", model]]:
                subprocess.run([arguments.tandem, "fraud", *map(str, words)], check=True,
                               capture_output=True)
        library = library_in(folder)
        asked = arguments.only.split(",")
        half = arguments.kills // 2
        tandem = arguments.tandem
        runs = {
            "kills sync": lambda: kills(tandem, model, folder / "sync", arguments.kills - half,
                                        arguments.seed, "sync"),
            "kills os": lambda: kills(tandem, model, folder / "os", half, arguments.seed + 1, "os"),
            "erasures": lambda: erasures(tandem, model, folder / "erasures"),
            "stopped": lambda: stopped(tandem, model, folder / "stopped"),
            "full": lambda: failing(tandem, model, folder / "full", "full", library),
            "sync": lambda: failing(tandem, model, folder / "nosync", "sync", library),
            "clock": lambda: clock(tandem, model, folder / "clock", library),
            "late": lambda: late(tandem, model, folder / "late")}
        done = run_those(runs, asked, library, ("full", "sync", "clock"))
        print(table(done), end="")


if __name__ == "__main__":
    main()
