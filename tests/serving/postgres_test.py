"""The registry in PostgreSQL: the same commands, a server that follows it, two programs at once, and a
database that goes away and comes back. Ends with status 77, which counts as skipped, where Debian's
postgresql is not installed."""

import json
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).parents[2] / "deploy" / "serving"))
from postgres import Missing, Postgres, require  # noqa: E402
from server import DATA, Server, tandem, wait_for  # noqa: E402

ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}


class RegistryInPostgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # fsync=off: no machine crashes here.
        cls.postgres = Postgres(tempfile.mkdtemp(prefix="tandem-postgres-"), "fsync=off")
        cls.postgres.start()
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-serving-")
        path = pathlib.Path(cls.folder.name)
        cls.repository = path / "repository"
        cls.files = []
        for trees in ["3", "30"]:
            cls.files.append(path / f"{trees}.tandem")
            tandem("train", "random-forest", "--data", DATA / "iris.csv", "--trees", trees, "--model",
                   cls.files[-1], "--quiet")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        cls.postgres.stop()
        shutil.rmtree(cls.postgres.folder)

    def models(self, action, *arguments, status=0):
        return tandem("models", action, self.repository, *arguments, "--registry", self.postgres.url,
                      status=status)

    def stages(self, name):
        return {one["version"]: one["stage"]
                for one in json.loads(self.models("list", name, "--json"))["versions"]}

    wait = staticmethod(wait_for)

    def test_stages_and_a_server_that_follows(self):
        self.models("register", "m", self.files[0], "--stage", "production")
        self.models("register", "m", self.files[1])
        self.assertFalse((self.repository / "registry.sqlite").exists())
        server = Server(self.repository, "--registry", self.postgres.url)
        version = lambda: server.post("/v2/models/m/infer", {"inputs": [ROW]})["model_version"]
        try:
            self.assertEqual(version(), "1")
            self.models("promote", "m", "2")
            self.assertEqual(self.stages("m"), {1: "archived", 2: "production"})
            self.wait(lambda: version() == "2")
            # Stopped: what is loaded goes on answering; back again: changes are seen.
            self.postgres.stop(signal.SIGQUIT)
            time.sleep(1.5)
            self.assertEqual(version(), "2")
            error = self.models("list", status=1)
            self.assertNotIn("secret", error)
            self.postgres.start()
            self.models("rollback", "m")
            self.wait(lambda: version() == "1")
        finally:
            self.assertEqual(server.stop(), 0)
        self.assertNotIn("secret", (self.repository / "serve.log").read_text())

    def test_experiments_of_two_servers(self):
        """Two servers share the registry's database: the same arms, one exposure, outcomes to either; a
        database that is gone for a while costs outcomes, which are refused, and nothing else."""
        self.models("register", "shared", self.files[0], "--stage", "production")
        self.models("register", "shared", self.files[1])
        servers = [Server(self.repository, "--registry", self.postgres.url, "--guard-seconds", "0.5",
                          log=self.repository / f"shared{i}.log") for i in range(2)]
        arms = [{}, {}]

        def ask(server, unit, status=200):
            answer = servers[server].post("/v2/models/shared/infer", {
                "inputs": [ROW], "parameters": {"unit": unit}}, status)
            arms[server][unit] = answer.get("parameters", {}).get("arm")
            return arms[server][unit]

        def units():
            shown = servers[0].ask("GET", "/v1/experiments/e")[2]
            return sum(shown.get("analysis", {}).get("units", {}).values())
        try:
            servers[0].post("/v1/experiments", {
                "name": "e", "model": "shared", "unit": "user",
                "arms": [{"name": "old", "version": "1"}, {"name": "new", "version": "2"}],
                "metrics": [{"name": "bought"}]})
            self.wait(lambda: ask(1, "u0"))
            for i in range(60):
                self.assertEqual(ask(0, f"u{i}"), ask(1, f"u{i}"))
            self.wait(lambda: units() == 60)
            told = servers[1].post("/v1/outcomes", {"outcomes": [
                {"unit": "u1", "metric": "bought", "value": 1, "id": "one"}]})
            self.assertEqual(told["recorded"], 1)
            self.assertEqual(servers[0].post("/v1/outcomes", {"outcomes": [
                {"unit": "u1", "metric": "bought", "value": 1, "id": "one"}]})["known"], 1)
            # Stopped: arms stay, outcomes are refused, exposures wait.
            self.postgres.stop(signal.SIGQUIT)
            for i in range(60, 100):
                self.assertEqual(ask(0, f"u{i}"), ask(1, f"u{i}"))
                self.assertIn(arms[0][f"u{i}"], ("old", "new"))
            servers[0].post("/v1/outcomes", {"outcomes": [
                {"unit": "u2", "metric": "bought", "value": 1}]}, 500)
            self.wait(lambda: b"tandem_experiment_store_reachable 0" in servers[0].get("/metrics"))
            self.postgres.start()
            self.wait(lambda: units() == 100)
            servers[1].post("/v1/experiments/e/stop", {"reason": "done"})
            self.wait(lambda: ask(0, "u0") is None)
        finally:
            self.assertEqual([server.stop() for server in servers], [0, 0])
        logs = [(self.repository / f"shared{i}.log").read_text() for i in range(2)]
        self.assertNotIn("secret", "".join(logs))

    def test_programs_at_once(self):
        failed = []

        def register(file):
            for _ in range(3):
                try:
                    self.models("register", "busy", file)
                except AssertionError as error:
                    failed.append(error)
        threads = [threading.Thread(target=register, args=[self.files[i % 2]]) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(sorted(self.stages("busy")), list(range(1, 10)))
        # None has the file of another.
        for version in range(1, 10):
            self.models("promote", "busy", version)


if __name__ == "__main__":
    try:
        require()
    except Missing as why:
        print(f"skipped: {why}")
        sys.exit(77)
    unittest.main()
