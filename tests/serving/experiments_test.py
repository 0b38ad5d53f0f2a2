"""Experiments in a running server: sticky arms over HTTP, exposures once, outcomes by key, forced arms,
versions that are not there, a guard that rolls back, changes by other programs, restarts."""

import json
import sqlite3
import threading
import time
import unittest

from server import DATA, Server, Serving, tandem, wait_for

ROW = {"sepal_length_cm": 6.0, "sepal_width_cm": 2.7, "petal_length_cm": 5.1, "petal_width_cm": 1.6}
TENSOR = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}


class Experiments(Serving):
    options = ("--guard-seconds", "0.2")

    @classmethod
    def models(cls):
        cls.one = cls.train("one", "random-forest", DATA / "iris.csv", "--trees", "3")
        cls.two = cls.train("two", "random-forest", DATA / "iris.csv", "--trees", "30")
        cls.other = cls.train("other", "random-forest", DATA / "wine.csv", "--trees", "3")
        cls.register("first", cls.one, "--stage", "production")

    def setUp(self):
        name = self.name = self.id().rsplit(".")[-1].replace("test_", "")
        self.register(name, self.one, "--stage", "production")
        self.register(name, self.two)
        self.wait(lambda: self.server.ask("GET", f"/v2/models/{name}/versions/2/ready")[0] == 200)

    wait = staticmethod(wait_for)

    def create(self, **more):
        definition = {"name": self.name, "model": self.name, "unit": "user",
                      "arms": [{"name": "old", "weight": 0.5, "version": "1"},
                               {"name": "new", "weight": 0.5, "version": "2"}],
                      "metrics": [{"name": "bought"}], **more}
        return self.server.post("/v1/experiments", definition)

    def predict(self, unit=None, status=200, headers=None, **more):
        body = {"rows": [ROW], **more}
        if unit is not None:
            body["unit"] = unit
        return self.server.post(f"/v1/predict/{self.name}", body, status, headers)

    def units(self):
        """Exposed units of each arm, as the database has them."""
        with sqlite3.connect(self.repository / "experiments.sqlite") as database:
            rows = database.execute("SELECT unit, arm, forced FROM exposures WHERE experiment = ?",
                                    [self.name]).fetchall()
        return {unit: (arm, forced) for unit, arm, forced in rows}

    def metric(self, name, **labels):
        for line in self.server.get("/metrics").decode().splitlines():
            if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def test_arms(self):
        # Without an experiment a unit changes nothing.
        self.assertNotIn("arm", self.predict("u1"))
        self.create()
        arms = {}
        for i in range(200):
            answer = self.predict(f"u{i}")
            self.assertEqual(answer["experiment"], self.name)
            self.assertEqual(answer["version"], {"old": 1, "new": 2}[answer["arm"]])
            arms[f"u{i}"] = answer["arm"]
        self.assertTrue(70 < sum(arm == "new" for arm in arms.values()) < 130)
        # The same unit has the same arm, however it is named, and as GrowthBook's hash has it.
        for i in range(0, 200, 20):
            unit, arm = f"u{i}", arms[f"u{i}"]
            self.assertEqual(self.predict(attributes={"user": unit})["arm"], arm)
            self.assertEqual(self.predict(headers={"Tandem-Unit": unit})["arm"], arm)
            assigned = self.server.post(f"/v1/experiments/{self.name}/assign", {"unit": unit})
            self.assertEqual(assigned["arm"], arm)
            infer = self.server.post(f"/v2/models/{self.name}/infer",
                                     {"inputs": [TENSOR], "parameters": {"unit": unit}})
            self.assertEqual(infer["parameters"], {"experiment": self.name, "arm": arm})
            self.assertEqual(infer["model_version"], {"old": "1", "new": "2"}[arm])
            infer = self.server.post(
                f"/v2/models/{self.name}/infer",
                {"inputs": [TENSOR], "parameters": {"attributes": json.dumps({"user": unit})}})
            self.assertEqual(infer["parameters"]["arm"], arm)
        # Who has no unit, or names a version, takes no part.
        for answer in [self.predict(), self.predict(attributes={"country": "NO"}),
                       self.server.post(f"/v1/predict/{self.name}/versions/2",
                                        {"rows": [ROW], "unit": "u1"})]:
            self.assertNotIn("experiment", answer)
        # Each unit was exposed once, to the arm that it was told.
        self.wait(lambda: len(self.units()) == 200)
        self.assertEqual({unit: ["old", "new"][arm] for unit, (arm, _) in self.units().items()}, arms)
        self.assertGreaterEqual(
            self.metric("tandem_experiment_requests_total", experiment=self.name, arm="old") +
            self.metric("tandem_experiment_requests_total", experiment=self.name, arm="new"), 200)
        self.assertGreater(self.metric("tandem_experiment_duration_seconds_count",
                                       experiment=self.name, arm="new"), 0)
        for wrong in [{"unit": ""}, {"unit": 0}, {"unit": [1]}, {"unit": "a\u0000b"},
                      {"unit": "x" * 300}, {"attributes": 3}, {"force": "new"},
                      {"force": {self.name: "none"}}, {"force": {"nowhere": "new"}}]:
            self.assertIn("error", self.predict(status=400, **wrong))

    def test_outcomes(self):
        self.create()
        arms = {}
        for i in range(300):
            arms[f"u{i}"] = self.predict(f"u{i}")["arm"]
        self.wait(lambda: len(self.units()) == 300)
        outcomes = [{"unit": unit, "metric": "bought", "value": True, "id": f"{self.name} {unit}"}
                    for unit, arm in arms.items() if arm == "new" or int(unit[1:]) % 5 == 0]
        told = self.server.post("/v1/outcomes", {"outcomes": outcomes})
        self.assertEqual(told, {"recorded": len(outcomes), "known": 0})
        told = self.server.post("/v1/outcomes", {"outcomes": outcomes[:7]})
        self.assertEqual(told, {"recorded": 0, "known": 7})
        shown = self.server.get(f"/v1/experiments/{self.name}")
        self.assertEqual(shown["status"], "running")
        metric = shown["analysis"]["metrics"][0]
        counts = {arm: sum(one == arm for one in arms.values()) for arm in ("old", "new")}
        self.assertEqual(shown["analysis"]["units"], counts)
        self.assertEqual([one["mean"] for one in metric["arms"]][1], 1)
        self.assertEqual(metric["arms"][1]["finding"], "better")
        # The list has it too, from the last look, and /metrics.
        def mean():
            return self.metric("tandem_experiment_metric_mean", experiment=self.name, arm="new")
        self.wait(lambda: mean() == 1)
        listed = [one for one in self.server.get("/v1/experiments")["experiments"]
                  if one["name"] == self.name]
        self.assertEqual(len(listed[0]["analysis"]["metrics"]), 1)
        for wrong in [{}, {"outcomes": 3}, {"outcomes": [3]}, {"outcomes": [{"unit": "u"}]},
                      {"outcomes": [{"unit": "u", "metric": "m"}]},
                      {"outcomes": [{"unit": "u", "metric": "m", "value": "1"}]},
                      {"outcomes": [{"unit": "u", "metric": "m", "value": 1, "wrong": 2}]},
                      {"outcomes": [{"unit": "u", "metric": "m", "value": 1, "time": "soon"}]},
                      {"outcomes": [{"unit": "a\u0000", "metric": "m", "value": 1}]}]:
            self.assertIn("error", self.server.post("/v1/outcomes", wrong, 400))
        self.server.post("/v1/outcomes", {"outcomes": [{}] * 10_001}, 413)

    def test_forced(self):
        self.create(forced={"tester": "new"})
        self.assertEqual(self.predict("tester")["forced"], True)
        self.assertEqual(self.predict("tester")["arm"], "new")
        for i in range(20):
            answer = self.predict(f"u{i}", force={self.name: "new"})
            self.assertEqual((answer["arm"], answer["version"], answer["forced"]), ("new", 2, True))
        answer = self.predict(headers={"Tandem-Force": self.name + "=old"})
        self.assertEqual((answer["arm"], answer["version"]), ("old", 1))
        # Whom the definition forces is kept and no part of the analysis; whom the request does, is not.
        self.wait(lambda: self.units() == {"tester": (1, 1)})
        self.assertEqual(self.server.get(f"/v1/experiments/{self.name}")["analysis"]["units"],
                         {"old": 0, "new": 0})

    def test_guard(self):
        self.create(planned_units=1000, metrics=[{"name": "failed", "better": "decrease",
                                                  "guard": True, "margin": 0.01}])
        outcomes = []
        for i in range(500):
            if self.predict(f"u{i}").get("arm") == "new":
                outcomes.append({"unit": f"u{i}", "metric": "failed", "value": 1})
        # Requests go on while it is rolled back, each by one arm or the other.
        failed, stop = [], threading.Event()

        def ask():
            i = 0
            while not stop.is_set():
                status, _, answer = self.server.ask("POST", f"/v1/predict/{self.name}",
                                                    {"rows": [ROW], "unit": f"u{i % 500}"})
                if status != 200 or answer["version"] not in (1, 2):
                    failed.append(answer)
                i += 1
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            self.server.post("/v1/outcomes", {"outcomes": outcomes})
            self.wait(lambda: self.server.get(f"/v1/experiments/{self.name}")["status"] ==
                      "rolled back")
            self.wait(lambda: "arm" not in self.predict("u1"))
        finally:
            stop.set()
            asking.join()
        self.assertEqual(failed, [])
        shown = self.server.get(f"/v1/experiments/{self.name}")
        self.assertEqual(shown["reason"], "guard failed is breached by new")
        self.assertEqual({self.predict(f"u{i}")["version"] for i in range(100)}, {1})
        self.assertEqual(self.metric("tandem_experiment_rollbacks_total", experiment=self.name), 1)
        self.assertEqual(self.metric("tandem_experiment_running", experiment=self.name), 0)

    def test_a_version_that_is_not_there(self):
        for version in ["9", "x"]:
            self.assertIn("error", self.server.ask("POST", "/v1/experiments", {
                "name": "wrong", "model": self.name, "unit": "user",
                "arms": [{"name": "a"}, {"name": "b", "version": version}]})[2])
        self.register(self.name, self.other)
        self.wait(lambda: self.server.ask("GET", f"/v2/models/{self.name}/versions/3/ready")[0] == 200)
        status, _, answer = self.server.ask("POST", "/v1/experiments", {
            "name": "wrong", "model": self.name, "unit": "user",
            "arms": [{"name": "a"}, {"name": "b", "version": "3"}]})
        self.assertEqual(status, 400)
        self.assertIn("another signature", answer["error"])
        self.create()
        units = [f"u{i}" for i in range(60) if self.predict(f"u{i}")["arm"] == "new"]
        self.wait(lambda: len(self.units()) == 60)
        tandem("models", "promote", self.repository, self.name, "2", "--stage", "archived")
        self.wait(lambda: self.server.ask("GET", f"/v2/models/{self.name}/versions/2/ready")[0] == 404)
        answer = self.predict(units[0])
        self.assertEqual(answer["version"], 1)
        self.assertNotIn("arm", answer)
        self.assertGreater(self.metric("tandem_experiment_fallbacks_total", experiment=self.name,
                                       arm="new"), 0)

    def test_other_programs(self):
        store = self.repository / "experiments.sqlite"
        definition = self.path / "definition.json"
        definition.write_text(json.dumps({
            "name": self.name, "model": self.name, "unit": "user",
            "arms": [{"name": "old"}, {"name": "new", "version": "2"}]}))
        tandem("experiment", "create", "--store", store, "--definition", definition)
        self.wait(lambda: "arm" in self.predict("u1"))
        tandem("experiment", "stop", "--store", store, "--name", self.name)
        self.wait(lambda: "arm" not in self.predict("u1"))
        # A name is never used again.
        self.server.post("/v1/experiments", json.loads(definition.read_text()), 400)
        self.server.post(f"/v1/experiments/{self.name}/stop", {}, 400)
        self.server.post("/v1/experiments/nowhere/stop", {}, 400)
        self.server.post("/v1/experiments/nowhere/assign", {"unit": "u"}, 404)
        self.server.get("/v1/experiments/nowhere", 400)

    def test_restart(self):
        """Arms outlive the server, and exposures are on the disk once it has ended."""
        repository = self.path / "of its own"
        tandem("models", "register", repository, self.name, self.one, "--stage", "production")
        tandem("models", "register", repository, self.name, self.two)
        server = Server(repository)
        server.post("/v1/experiments", {
            "name": "e", "model": self.name, "unit": "user",
            "arms": [{"name": "old", "version": "1"}, {"name": "new", "version": "2"}]})
        path = f"/v1/predict/{self.name}"
        arms = [server.post(path, {"rows": [ROW], "unit": i})["arm"] for i in range(1, 40)]
        self.assertEqual(server.stop(), 0)
        with sqlite3.connect(repository / "experiments.sqlite") as database:
            self.assertEqual(database.execute("SELECT COUNT(*) FROM exposures").fetchone()[0], 39)
        server = Server(repository)
        self.assertEqual([server.post(path, {"rows": [ROW], "unit": str(i)})["arm"]
                          for i in range(1, 40)], arms)
        self.assertEqual(server.post("/v1/experiments/e/stop", {"reason": "done"})["reason"], "done")
        self.assertNotIn("arm", server.post(path, {"rows": [ROW], "unit": "1"}))
        self.assertEqual(server.stop(), 0)

    def test_many_at_once(self):
        """Many clients, experiments that begin and end meanwhile: every answer is of its arm."""
        wrong, stop = [], threading.Event()

        def ask(start):
            connection = self.server.connection()
            i = start
            while not stop.is_set():
                connection.request("POST", f"/v1/predict/{self.name}",
                                   json.dumps({"rows": [ROW], "unit": f"u{i % 200}"}))
                response = connection.getresponse()
                answer = json.loads(response.read())
                expected = {"old": 1, "new": 2, None: 1}.get(answer.get("arm"))
                if response.status != 200 or answer["version"] != expected:
                    wrong.append(answer)
                i += 1
            connection.close()
        threads = [threading.Thread(target=ask, args=[37 * k]) for k in range(8)]
        for thread in threads:
            thread.start()
        try:
            for k in range(10):
                self.server.post("/v1/experiments", {
                    "name": f"{self.name}-{k}", "model": self.name, "unit": "user",
                    "arms": [{"name": "old", "version": "1"}, {"name": "new", "version": "2"}]})
                time.sleep(0.1)
                self.server.post(f"/v1/experiments/{self.name}-{k}/stop", {})
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
