"""What a running server watches: drift by windows, the log of predictions and a disk that is full,
the shadow, the canary's share, settings that SIGHUP reads anew."""

import csv
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from server import Server, tandem, wait_for

COLUMNS = ["amount", "age", "city", "secret"]
CITIES = ["Bergen", "Oslo", "Rome"]


def rows(count, shift=0.0, seed=1):
    """Rows that need no random generator: the same in every run, and spread as those of training."""
    made = []
    for i in range(count):
        k = (i + seed) * 7919
        made.append({"amount": (k % 1009) / 10 + shift, "age": 18 + (k * 31) % 60,
                     "city": CITIES[(k * 17) % 97 % 3], "secret": (k * 13) % 101})
    return made


def label(row):
    return "yes" if (row["amount"] > 50) != (row["city"] == "Rome") else "no"


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-watching-")
        cls.path = pathlib.Path(cls.folder.name)
        with open(cls.path / "train.csv", "w", newline="") as file:
            out = csv.DictWriter(file, [*COLUMNS, "bought"])
            out.writeheader()
            for row in rows(3000):
                out.writerow({**row, "bought": label(row)})
        cls.models = []
        for depth in [2, 6]:
            path = cls.path / f"depth{depth}.tandem"
            tandem("train", "decision-tree", "--data", cls.path / "train.csv", "--max-depth", depth,
                   "--test-fraction", "0.3", "--model", path, "--quiet")
            cls.models.append(path)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.repository = self.path / self.id().rsplit(".")[-1]
        tandem("models", "register", self.repository, "shop", self.models[0], "--stage", "production")
        self.server = None

    def tearDown(self):
        if self.server:
            self.assertEqual(self.server.stop(), 0)

    def serve(self, *options):
        self.server = Server(self.repository, *options)
        return self.server

    wait = staticmethod(wait_for)

    def ask(self, asked, **more):
        return self.server.post("/v1/predict/shop", {"rows": asked, **more})

    def drift(self, windows):
        def found():
            drift = self.server.get("/v1/drift")["drift"]
            return drift and drift[0]["windows"] >= windows and drift[0]
        return self.wait(found)

    def metric(self, name, *labels):
        for line in self.server.get("/metrics").decode().splitlines():
            if line.startswith((name + "{", name + " ")) and all(one in line for one in labels):
                return float(line.rsplit(" ", 1)[1])
        return None

    def test_drift(self):
        self.serve("--drift-rows", "500")
        # By ones and by tens, named rows and tensors: all are counted once.
        for row in rows(50, seed=10_000):
            self.ask([row])
        for k in range(45):
            self.ask(rows(10, seed=20_000 + 10 * k))
        one = self.drift(1)
        self.assertEqual((one["model"], one["version"], one["windows"], one["rows"]), ("shop", 1, 1, 0))
        report = one["report"]
        self.assertFalse(report["alarm"], report)
        self.assertEqual({column["rows_now"] for column in report["columns"]}, {500})
        self.assertEqual([c["name"] for c in report["columns"]],
                         [*COLUMNS, "probability of yes", "answer"])
        self.wait(lambda: self.metric("tandem_drift_alarm", 'model="shop"') == 0)
        # Shifted amounts, ages that are missing, cities that nobody knew.
        odd = rows(500, shift=20, seed=30_000)
        for i, row in enumerate(odd):
            if i % 5 == 0:
                row["age"] = None
            if i % 9 == 0:
                row["city"] = "Paris"
        for k in range(0, 500, 50):
            self.ask(odd[k:k + 50])
        one = self.drift(2)
        columns = {column["name"]: column for column in one["report"]["columns"]}
        self.assertTrue(one["report"]["alarm"])
        self.assertTrue(columns["amount"]["alarm"])
        self.assertIn("missing 20 %", columns["age"]["reason"])
        self.assertIn("unseen categories", columns["city"]["reason"])
        self.assertAlmostEqual(columns["city"]["unseen_now"], 56 / 500)
        self.assertEqual(columns["city"]["missing_now"], 0)
        self.assertFalse(columns["secret"]["alarm"])
        self.wait(lambda: self.metric("tandem_drift_alarm", 'model="shop"') == 1)
        self.assertEqual(self.metric("tandem_drift_alarms_total", 'model="shop"'), 1)
        self.assertGreater(self.metric("tandem_drift_psi", 'column="amount"'), 0.1)
        self.assertAlmostEqual(self.metric("tandem_drift_missing_share", 'column="age"'), 0.2)
        # The offline command says the same of the same rows.
        with open(self.path / "odd.csv", "w", newline="") as file:
            out = csv.DictWriter(file, COLUMNS)
            out.writeheader()
            out.writerows(odd)
        offline = json.loads(tandem("drift", "--model", self.models[0], "--data",
                                    self.path / "odd.csv", "--json"))
        self.assertEqual(offline["columns"], one["report"]["columns"])

    def test_tensors_count_unseen_too(self):
        self.serve("--drift-rows", "200")
        asked = rows(200, seed=5)
        cities = ["Paris" if i % 4 == 0 else "" if i % 4 == 1 else row["city"]
                  for i, row in enumerate(asked)]
        inputs = [{"name": name, "shape": [200], "datatype": "FP64", "data": [row[name] for row in asked]}
                  for name in ("amount", "age", "secret")]
        inputs.append({"name": "city", "shape": [200], "datatype": "BYTES", "data": cities})
        self.server.post("/v2/models/shop/infer", {"inputs": inputs})
        city = [c for c in self.drift(1)["report"]["columns"] if c["name"] == "city"][0]
        self.assertEqual((city["unseen_now"], city["missing_now"]), (0.25, 0.25))

    def test_drift_off_and_without_summary(self):
        path = self.path / "plain.tandem"
        tandem("train", "decision-tree", "--data", self.path / "train.csv", "--model", path, "--quiet",
               "--leave-out-of-summary", "all")
        tandem("models", "register", self.repository, "plain", path, "--stage", "production")
        self.serve()
        self.server.post("/v1/predict/plain", {"rows": rows(3)})
        one = self.wait(lambda: self.server.get("/v1/drift")["drift"])[0]
        self.assertIn("no summary", one["why_not"])
        self.assertEqual(self.server.stop(), 0)
        self.serve("--drift-rows", "0")
        self.ask(rows(10))
        time.sleep(0.3)
        self.assertEqual(self.server.get("/v1/drift")["drift"], [])

    def logged(self, folder):
        """The rows of a log, as `tandem` reads any data."""
        found = []
        for path in sorted(pathlib.Path(folder).glob("*.csv.zst")):
            done = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True)
            found += list(csv.DictReader(io.StringIO(done.stdout.decode())))
        return found

    @unittest.skipUnless(shutil.which("zstd"), "zstd is not installed")
    def test_log(self):
        folder = self.path / "log"
        error = self.fails("--prediction-log", folder, "--prediction-log-leave-out", "secrets")
        self.assertIn("no model that is loaded has a column 'secrets'", error)
        self.serve("--prediction-log", folder, "--prediction-log-leave-out", "secret",
                   "--prediction-log-size", "1K")
        asked = rows(300, seed=50_000)
        answers = []
        for i, row in enumerate(asked[:100]):
            answer = self.ask([row], id=f"r{i}")
            self.assertEqual(answer["id"], f"r{i}")
            answers.append(answer["predictions"][0])
        # A file is ended between two times that it is written, each second.
        self.wait(lambda: self.metric("tandem_logged_predictions_total") == 100)
        self.wait(lambda: any(path.stat().st_size > 1024 for path in folder.glob("*.csv.zst")))
        many = self.ask(asked[100:200], id="many")
        answers += many["predictions"]
        # An answer without an id is given one, which outcomes can be joined by.
        given = [self.ask([row]) for row in asked[200:]]
        self.assertEqual(len({answer["id"] for answer in given}), 100)
        answers += [answer["predictions"][0] for answer in given]
        self.wait(lambda: self.metric("tandem_logged_predictions_total") == 300)
        self.assertEqual(self.server.stop(), 0)
        found = self.logged(folder)
        self.assertEqual(len(found), 300)
        self.assertGreater(len(list(folder.glob("*.csv.zst"))), 1)
        self.assertNotIn("secret", found[0])
        ids = [f"r{i}" for i in range(100)] + [f"many/{i}" for i in range(100)]
        ids += [answer["id"] for answer in given]
        by_id = {row["tandem_id"]: row for row in found}
        self.assertEqual(set(by_id), set(ids))
        for row, answer, name in zip(asked, answers, ids):
            kept = by_id[name]
            self.assertEqual(kept["tandem_answer"], answer["label"])
            self.assertEqual(float(kept["tandem_score"]), answer["probabilities"]["yes"])
            self.assertEqual((float(kept["amount"]), kept["city"]), (row["amount"], row["city"]))
        # Joined with what became of them, it is a file to train on.
        with open(self.path / "outcomes.csv", "w") as file:
            file.write("id,value,time\n")
            for row, name in zip(asked, ids):
                file.write(f"{name},{label(row)},2100-01-01T00:00:00Z\n")
        tandem("join", "--log", folder, "--log-model", "shop", "--outcomes", self.path / "outcomes.csv",
               "--out", self.path / "joined.csv")
        versioned = ["join", "--log", folder, "--outcomes", self.path / "outcomes.csv", "--out",
                     self.path / "versioned.csv", "--force"]
        tandem(*versioned, "--log-model", "shop", "--log-version", "1")
        self.assertEqual((self.path / "versioned.csv").read_text(), (self.path / "joined.csv").read_text())
        self.assertIn("of sho", tandem(*versioned, "--log-model", "sho", status=2))
        self.assertIn("--log-model", tandem(*versioned, "--log-version", "1", status=2))
        tandem("train", "decision-tree", "--data", self.path / "joined.csv", "--target", "outcome",
               "--model", self.path / "again.tandem", "--quiet")
        self.server = None

    def fails(self, *options):
        return tandem("serve", self.repository, "--http", "127.0.0.1:0", *options, status=2)

    @unittest.skipUnless(shutil.which("zstd"), "zstd is not installed")
    def test_log_share(self):
        folder = self.path / "log of a share"
        self.serve("--prediction-log", folder, "--prediction-log-share", "0.3")
        for i in range(300):
            self.ask(rows(1), id=f"r{i}")
        self.assertEqual(self.server.stop(), 0)
        kept = {row["tandem_id"] for row in self.logged(folder)}
        self.assertTrue(50 < len(kept) < 130, len(kept))
        self.server = None

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("zstd"),
                         "a small file system needs root, and reading its log zstd")
    def test_full_disk(self):
        """A log that cannot be written is said and counted, and answers go on; it goes on once it can."""
        folder = self.path / "small disk"
        folder.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
                          check=False, capture_output=True).returncode != 0:
            self.skipTest("tmpfs cannot be mounted here")
        try:
            filler = folder / "filler"
            self.serve("--prediction-log", folder)
            self.ask(rows(1))
            self.wait(lambda: self.metric("tandem_logged_predictions_total") == 1)
            try:
                filler.write_bytes(os.urandom(1 << 20))
            except OSError:
                pass
            for k in range(150):
                self.ask(rows(100, seed=k))
            self.wait(lambda: (self.metric("tandem_prediction_log_failures_total") or 0) > 0)
            self.wait(lambda: (self.metric("tandem_prediction_log_dropped_total") or 0) > 0)
            self.assertEqual(len(self.ask(rows(1))["predictions"]), 1)
            log = (self.repository / "serve.log").read_text()
            self.assertEqual(log.count("the prediction log cannot be written; answers go on"), 1)
            filler.unlink()
            subprocess.run(["mount", "-o", "remount,size=8m", str(folder)], check=True)
            # By itself: rows are taken again, once what waited is written.
            before = self.metric("tandem_logged_predictions_total")

            def taken():
                self.ask(rows(1), id="between")
                return self.metric("tandem_logged_predictions_total") > before
            self.wait(taken)
            self.ask(rows(1), id="after")
            self.assertEqual(self.server.stop(), 0)
            self.server = None
            self.assertTrue(any(row["tandem_id"] == "after" for row in self.logged(folder)))
        finally:
            if self.server:
                self.server.stop()
                self.server = None
            subprocess.run(["umount", str(folder)], check=False)

    def shadow(self):
        found = self.server.get("/v1/shadow")["shadow"]
        return found[0] if found else {"rows": 0}

    def test_shadow(self):
        tandem("models", "register", self.repository, "shop", self.models[1])
        self.serve("--shadow-share", "1")
        self.server.get("/v2/models/shop/versions/2/ready")
        asked = rows(400, seed=70_000)
        answers = [self.ask(asked[k:k + 20]) for k in range(0, 400, 20)]
        self.assertEqual({answer["version"] for answer in answers}, {1})
        one = self.wait(lambda: (found := self.shadow())["rows"] == 400 and found)
        # What the candidate says by its own number.
        others = self.server.post("/v1/predict/shop/versions/2", {"rows": asked})["predictions"]
        said = [p for answer in answers for p in answer["predictions"]]
        different = sum(a["label"] != b["label"] for a, b in zip(said, others))
        self.assertGreater(different, 0)
        self.assertEqual((one["version"], one["against"], one["different"]), (2, 1, different))
        largest = max(abs(a["probabilities"]["yes"] - b["probabilities"]["yes"])
                      for a, b in zip(said, others))
        self.assertAlmostEqual(one["largest_difference"], largest, places=12)
        self.assertEqual(self.metric("tandem_shadow_rows_total", 'version="2"'), 400)
        # A request that names a version is no traffic to compare.
        self.server.post("/v1/predict/shop/versions/1", {"rows": asked})
        time.sleep(0.3)
        self.assertEqual(self.shadow()["rows"], 400)

    def test_canary_and_settings(self):
        tandem("models", "register", self.repository, "shop", self.models[1], "--stage", "canary")
        settings = self.path / "settings.json"
        settings.write_text(json.dumps({"models": {"shop": {"canary_share": 0.25}}}))
        self.serve("--settings", settings)

        def versions():
            return [self.ask(rows(1), unit=f"u{i}")["version"] for i in range(400)]
        before = versions()
        self.assertTrue(60 < before.count(2) < 140, before.count(2))
        self.assertEqual(versions(), before)
        # Without a unit they are drawn.
        drawn = [self.ask(rows(1))["version"] for _ in range(300)]
        self.assertTrue(40 < drawn.count(2) < 115, drawn.count(2))
        # A share that grows moves nobody back.
        settings.write_text(json.dumps({"models": {"shop": {"canary_share": 0.5}}}))
        self.server.process.send_signal(signal.SIGHUP)
        self.wait(lambda: versions().count(2) > 150)
        after = versions()
        self.assertTrue(all(new == 2 for old, new in zip(before, after) if old == 2))
        # What is wrong leaves all as it was, and is said.
        def failed_reloads():
            log = (self.repository / "serve.log").read_text()
            lines = [json.loads(line) for line in log.splitlines(True) if line.endswith("\n")]
            return [line["error"] for line in lines if line["event"] == "reload failed"]
        wrongs = ["{", '{"canary": 1}', '{"canary_share": 2}', '{"models": {"shop": {"x": 1}}}']
        for i, wrong in enumerate(wrongs):
            settings.write_text(wrong)
            self.server.process.send_signal(signal.SIGHUP)
            self.wait(lambda: len(failed_reloads()) == i + 1)
        self.assertEqual(versions(), after)
        failed = failed_reloads()
        self.assertEqual(len(failed), 4)
        self.assertIn("canary: is not known; expected canary_share", failed[1])
        self.assertIn("models.shop.x: is not known", failed[3])
        settings.write_text('{"canary_share": 0, "drift": {"rows": 50}}')
        self.server.process.send_signal(signal.SIGHUP)
        self.wait(lambda: versions().count(2) == 0)
        self.drift(1)
        settings.write_text("[]")
        error = self.fails("--settings", settings)
        self.assertIn("settings.json: the settings: expected an object", error)


if __name__ == "__main__":
    unittest.main()
