"""What the faults of faults.py share: a load whose answers are all compared, changes that are
acknowledged meanwhile, and how long there was no service."""

import http.client
import json
import os
import pathlib
import sqlite3
import subprocess
import threading
import time

from server import DATA, Server, tandem, wait_for

GENERATOR = os.environ.get("TANDEM_GENERATOR", "")
# Between two classes, so that forests of different sizes differ.
ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}
# Seconds after which a client has no more use for an answer. The short forms run as tests on machines
# that do much else, and ask for an answer only.
PATIENCE = 30.0 if os.environ.get("TANDEM_FAULTS_SHORT") else 1.0


class Skipped(Exception):
    """Says what a fault needs that is not here."""


class Place:
    """A repository with two versions of a model, and what each answers, by `tandem predict`."""

    def __init__(self, folder, repository=None, registry=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.repository = pathlib.Path(repository or self.folder / "repository")
        self.registry = ("--registry", registry) if registry else ()
        self.files = []
        self.body = self.folder / "body.json"
        # With an id, which answers name, so that they are the same with the log of predictions on.
        self.body.write_text(json.dumps({"id": "r", "inputs": [ROW]}))
        row = self.folder / "row.csv"
        with open(DATA / "iris.csv") as file:
            header = file.readline().rstrip().split(",")
        row.write_text(",".join(header[:4]) + "\n" + ",".join(map(str, ROW["data"])) + "\n")
        self.offline = {}
        for version, trees in [("1", "3"), ("2", "30")]:
            file = self.folder / f"{version}.tandem"
            tandem("train", "random-forest", "--data", DATA / "iris.csv", "--trees", trees, "--model",
                   file, "--quiet")
            self.files.append(file)
            self.register(file, *(["--stage", "production"] if version == "1" else []))
            found = json.loads(tandem("predict", file, "--data", row, "--probabilities", "--json"))
            self.offline[version] = (found["predictions"][0], found["probabilities"][0])
        assert self.offline["1"] != self.offline["2"]
        self.bodies = []

    def register(self, file, *options, status=0):
        return tandem("models", "register", self.repository, "m", file, *options, *self.registry,
                      status=status)

    def serve(self, *options, http="127.0.0.1:0", environment=None):
        if PATIENCE == 1.0:
            # Figures are of a server as it comes.
            options = (*options, "--longest-wait-ms", "1000")
        return Server(self.repository, *self.registry, *options, http=http, environment=environment,
                      log=self.folder / "serve.log")

    def know_answers(self, server):
        """The bodies that are right: those of a server whose numbers are the offline ones."""
        for version in ["1", "2"]:
            status, _, _ = server.ask("GET", f"/v2/models/m/versions/{version}/ready")
            if status != 200:
                continue
            connection = server.connection()
            connection.request("POST", f"/v2/models/m/versions/{version}/infer", self.body.read_text())
            content = connection.getresponse().read()
            connection.close()
            outputs = {one["name"]: one["data"] for one in json.loads(content)["outputs"]}
            label, shares = self.offline[version]
            assert outputs["label"] == [label] and outputs["probabilities"] == shares, content
            path = self.folder / f"answer-{version}.json"
            path.write_bytes(content)
            self.bodies.append(path)


class Load:
    """Requests of an open loop; each answer is one of the bodies that are right, or wrong."""

    def __init__(self, place, url, seconds, rate=200, connections=16):
        if not GENERATOR or not os.path.exists(GENERATOR):
            raise Skipped("the generator bench/serving/open_loop is not built")
        expected = [word for body in place.bodies for word in ("--expect", str(body))]
        self.process = subprocess.Popen(
            [GENERATOR, f"{url}/v2/models/m/infer", "--body", str(place.body), "--rate", str(rate),
             "--seconds", str(seconds), "--connections", str(connections), "--patience", str(PATIENCE),
             "--bins", *expected], stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)  # some are answered before anything happens

    def end(self):
        text, _ = self.process.communicate(timeout=600)
        assert text, "the generator failed"
        return Result(json.loads(text))


class Result:
    def __init__(self, found):
        self.found = found
        answered, failed = found["answered_in"], found["failed_in"]
        length = max(len(answered), len(failed))
        self.good = answered + [0] * (length - len(answered))
        self.bad = failed + [0] * (length - len(failed))
        assert found["wrong"] == 0, f"a wrong answer: {found['first_wrong']}"
        assert sum(self.good) > 0, "nothing was answered"

    @property
    def asked(self):
        return self.found["asked"]

    @property
    def failed(self):
        return sum(self.bad)

    def none_failed(self):
        """Asked for where nothing that is done may reach who asks."""
        if PATIENCE > 1:
            assert self.failed == 0, self.found
        return self

    def availability(self):
        return sum(self.good) / max(1, self.asked)

    def recovered(self, since):
        """Seconds from a moment (of time.monotonic()) until the last request that failed after it
        was due, whatever was answered between; 0 where none failed."""
        begin = int((since - self.found["start"]) / self.found["bin_seconds"])
        last = max((i for i in range(max(0, begin), len(self.bad)) if self.bad[i]), default=None)
        return 0.0 if last is None else max(0.0, (last + 1) * self.found["bin_seconds"] -
                                            (since - self.found["start"]))

    def figures(self, **more):
        return {"asked": self.asked, "failed": self.failed, "wrong": 0,
                "availability": round(self.availability(), 5),
                "p99_ms": round(self.found["p99_ms"], 1), **more}


class Changes:
    """Promotes one version and the other, as fast as they are acknowledged, and remembers which
    were."""

    def __init__(self, server, gap=0.02):
        self.server = server
        self.gap = gap
        self.acknowledged = 0
        self.refused = 0
        self.slowest = 0.0
        self.last = None   # the version of the last that was acknowledged
        self.doubt = None  # of one that was asked and not answered since
        self.problem = None
        self.going = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        version = 2
        while self.going:
            began = time.monotonic()
            self.doubt = version
            try:
                status, _, answer = self.server().ask("POST", "/v1/models/m/promote",
                                                      {"version": version})
            except (OSError, ValueError, http.client.HTTPException):
                status, answer = 0, None
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status == 200 and answer["version"] != version:
                self.problem = f"asked for version {version}, acknowledged was {answer}"
            if status == 200:
                self.acknowledged += 1
                self.last, self.doubt = version, None
                version = 3 - version
            else:
                self.refused += 1
            time.sleep(self.gap)

    def end(self):
        self.going = False
        self.thread.join(timeout=120)
        assert not self.thread.is_alive(), "a change is neither made nor refused"
        assert self.problem is None, self.problem

    def check(self, rows):
        """That the registry holds every change that was acknowledged, and none that was not asked.
        `rows` are (version, to_stage, reason) in order."""
        made = [version for version, stage, reason in rows
                if stage == "production" and reason not in ("register",)]
        assert len(made) >= self.acknowledged, (len(made), self.acknowledged)
        assert len(made) <= self.acknowledged + self.refused + 1, (len(made), self.refused)
        if self.last is not None:
            assert made[-1] in (self.last, self.doubt or self.last), (made[-1], self.last, self.doubt)


class Outcomes:
    """Outcomes under numbers of their own, each said again until it is acknowledged, and a count of
    those that were."""

    def __init__(self, server, gap=0.02):
        self.server = server
        self.gap = gap
        self.acknowledged = 0
        self.asked = 0
        self.going = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.going:
            self.asked = max(self.asked, self.acknowledged + 1)
            said = {"outcomes": [{"unit": f"u{self.asked}", "metric": "liked", "value": 1,
                                  "id": f"o{self.asked}"}]}
            try:
                status, _, _ = self.server().ask("POST", "/v1/outcomes", said)
            except (OSError, ValueError, http.client.HTTPException):
                status = 0
            if status == 200:
                self.acknowledged = self.asked
            time.sleep(self.gap)

    def end(self):
        self.going = False
        self.thread.join(timeout=120)
        assert not self.thread.is_alive(), "an outcome is neither taken nor refused"
        assert self.acknowledged > 0, "no outcome was taken"

    def check(self, ids):
        """That each that was acknowledged is there once, and nothing that was not said."""
        numbers = sorted(int(one[1:]) for one in ids)
        assert len(set(numbers)) == len(numbers), "an outcome is counted twice"
        assert numbers[:self.acknowledged] == list(range(1, self.acknowledged + 1)), \
            f"of {self.acknowledged} acknowledged outcomes {len(numbers)} are there"
        assert len(numbers) <= self.asked, (len(numbers), self.asked)


def sqlite_outcomes(repository):
    with sqlite3.connect(f"file:{repository}/experiments.sqlite?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in database.execute("SELECT id FROM outcomes")]


def sqlite_transitions(repository):
    with sqlite3.connect(f"file:{repository}/registry.sqlite?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return database.execute("SELECT version, to_stage, reason FROM tandem_transitions "
                                "ORDER BY number").fetchall()


def postgres_rows(postgres, select):
    done = subprocess.run(["psql", "-h", str(postgres.folder), "-U", "tandem", "-d", "postgres", "-AtF",
                           "\t", "-c", select], capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def postgres_transitions(postgres):
    return [(int(version), stage, reason) for version, stage, reason in postgres_rows(
        postgres, "SELECT version, to_stage, reason FROM tandem_transitions ORDER BY number")]


def postgres_outcomes(postgres):
    return [row[0] for row in postgres_rows(postgres, "SELECT id FROM outcomes")]


def logged_rows(folder):
    """Rows of the log of predictions, each of whose files can be read to its end."""
    return sum(json.loads(tandem("look", file, "--json"))["rows"]
               for file in sorted(pathlib.Path(folder).glob("*.csv.zst")))


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def until(condition, what="it did not come about in time", seconds=120):
    """Waits; returns how long it took."""
    began = time.monotonic()
    wait_for(condition, what, seconds)
    return time.monotonic() - began
