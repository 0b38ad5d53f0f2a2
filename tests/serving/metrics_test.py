"""/metrics of a server that does all that it can: every name, type and series as Prometheus wants it.

`promtool check metrics` (Debian: prometheus) looks at it too; where it is not installed the test says
so and that part is skipped.
"""

import json
import math
import re
import shutil
import subprocess
import unittest

from server import DATA, Serving, tandem, wait_for

ROW = {"sepal_length_cm": 6.0, "sepal_width_cm": 2.7, "petal_length_cm": 5.1, "petal_width_cm": 1.6}
TENSOR = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": list(ROW.values())}
SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')


class Metrics(Serving):
    options = ("--drift-rows", "50", "--shadow-share", "1", "--canary-share", "0.3", "--guard-seconds", "0.2",
               "--max-rows", "100")

    @classmethod
    def models(cls):
        # Names of columns and classes may have what a label has to escape.
        text = (DATA / "iris.csv").read_text().replace("sepal_length_cm", '"a ""b"" \\ ü"', 1)
        (cls.path / "odd.csv").write_text(text)
        for name, data in [("iris", DATA / "iris.csv"), ("odd", cls.path / "odd.csv")]:
            for trees, stage in [("3", ["--stage", "production"]), ("5", ["--stage", "canary"]), ("30", [])]:
                file = cls.train(f"{name}{trees}", "random-forest", data, "--trees", trees,
                                 "--test-fraction", "0.3")
                cls.register(name, file, *stage)
        cls.options = (*cls.options, "--prediction-log", cls.path / "log")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            cls.load(cls.server)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def load(cls, server):
        server.post("/v1/experiments", {
            "name": "e", "model": "iris", "unit": "user",
            "arms": [{"name": "old", "version": "1"}, {"name": "new", "version": "3"}],
            "metrics": [{"name": "liked"}]})
        odd = {'a "b" \\ ü' if name == "sepal_length_cm" else name: value for name, value in ROW.items()}
        for i in range(60):
            server.post("/v1/predict/iris", {"rows": [ROW], "unit": f"u{i}"})
            server.post("/v1/predict/odd?explain=1", {"rows": [odd]})
            server.post("/v2/models/odd/infer", {"inputs": [TENSOR]})
        server.post("/v1/outcomes", {"outcomes": [{"unit": "u1", "metric": "liked", "value": 1}]})
        server.post("/v1/models/odd/promote", {"version": 3})
        server.post("/v1/models/odd/rollback")
        # What goes wrong is counted too.
        server.post("/v1/predict/iris", {"rows": [ROW] * 200}, 413)
        server.post("/v1/predict/none", {"rows": [ROW]}, 404)
        server.post("/v1/predict/iris", "[", 400)
        assert server.ask("PUT", "/v1/predict/iris")[0] == 405

        def seen():
            text = server.get("/metrics").decode()
            return all(name in text for name in [
                "tandem_drift_psi{", "tandem_drift_ks{", "tandem_shadow_rows_total{",
                "tandem_logged_predictions_total", "tandem_experiment_duration_seconds_bucket{"])
        wait_for(seen, "not all that a server measures is there")

    def series(self, text):
        """Families (help, type) and series in order, each line looked at."""
        families, series, family = {}, {}, None
        self.assertTrue(text.endswith("\n"))
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family, _, about = line[len("# HELP "):].partition(" ")
                self.assertNotIn(family, families, "a family is in two places")
                self.assertTrue(about.strip(), line)
                families[family] = None
                continue
            if line.startswith("# TYPE "):
                name, kind = line[len("# TYPE "):].split(" ")
                self.assertEqual(name, family)
                self.assertIn(kind, ("counter", "gauge", "histogram"))
                families[family] = kind
                continue
            found = SERIES.fullmatch(line)
            self.assertTrue(found, line)
            name, labels, value = found.groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if families[family] == "histogram" else name
            self.assertEqual(base, family, line)
            key = (name, labels or "")
            self.assertNotIn(key, series, "a series is there twice")
            series[key] = float(value.replace("Inf", "inf"))
        return families, series

    def test_all_that_is_measured(self):
        text = self.server.get("/metrics").decode()
        families, series = self.series(text)
        self.assertGreater(len(families), 30)
        for name, kind in families.items():
            self.assertTrue(name.startswith("tandem_"), name)
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertFalse(re.search("_(ms|milliseconds|us|microseconds|percent|kb|mb)(_|$)", name), name)
        for (name, labels), value in series.items():
            self.assertFalse(math.isnan(value), (name, labels))
            kind = families.get(name)
            if kind == "counter":
                self.assertGreaterEqual(value, 0)
            if name.endswith("_bucket"):
                stem, rest = name.removesuffix("_bucket"), re.sub(r',?le="[^"]*"', "", labels)
                if 'le="+Inf"' in labels:
                    self.assertEqual(value, series[(stem + "_count", rest)], (name, labels))
        # Buckets count what is below them: none is smaller than the one before.
        last = {}
        for (name, labels), value in series.items():
            if name.endswith("_bucket"):
                rest = (name, re.sub(r',?le="[^"]*"', "", labels))
                self.assertGreaterEqual(value, last.get(rest, 0), (name, labels))
                last[rest] = value
        names = {labels for (_, labels) in series if 'model="odd"' in labels and "column=" in labels}
        self.assertTrue(any('column="a \\"b\\" \\\\ ü"' in labels for labels in names), names)

    def test_promtool(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("promtool (Debian: prometheus) is not installed")
        done = subprocess.run([promtool, "check", "metrics"], input=self.server.get("/metrics").decode(),
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
