"""Several programs on one repository in SQLite: two servers that both promote, registrations meanwhile, a
database that somebody holds, files that go away."""

import json
import os
import sqlite3
import tempfile
import threading
import time
import unittest
import pathlib

from server import DATA, Server, tandem, wait_for

# Between two classes, so that forests of different sizes differ.
ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [6.0, 2.7, 5.1, 1.6]}


class Races(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-races-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.files = []
        for trees in ["3", "30"]:
            cls.files.append(cls.path / f"{trees}.tandem")
            tandem("train", "random-forest", "--data", DATA / "iris.csv", "--trees", trees, "--model",
                   cls.files[-1], "--quiet")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.repository = self.path / self.id().rsplit(".", 1)[-1]
        self.servers = []
        self.register(self.files[0], "--stage", "production")
        self.register(self.files[1])

    def tearDown(self):
        for server in self.servers:
            self.assertEqual(server.stop(), 0)

    def register(self, file, *options):
        return json.loads(tandem("models", "register", self.repository, "m", file, "--json", *options))

    def serve(self, *options):
        self.servers.append(Server(self.repository, *options,
                                   log=self.repository / f"{len(self.servers)}.log"))
        return self.servers[-1]

    def stages(self):
        listed = json.loads(tandem("models", "list", self.repository, "m", "--json"))["versions"]
        return {one["version"]: one["stage"] for one in listed}

    def test_two_servers_promote_and_others_register(self):
        servers = [self.serve(), self.serve()]
        bodies = {}
        for version in ["1", "2"]:
            answer = servers[0].post(f"/v2/models/m/versions/{version}/infer", {"inputs": [ROW]})
            bodies[version] = answer["outputs"]
        problems, stop = [], threading.Event()

        def promote(server, first):
            for i in range(12):
                status, _, content = server.ask("POST", "/v1/models/m/promote", {"version": 1 + (first + i) % 2})
                if status != 200:
                    problems.append((status, content))

        def ask(server):
            while not stop.is_set():
                answer = server.post("/v2/models/m/infer", {"inputs": [ROW]})
                version = answer["model_version"]
                # Those that are registered meanwhile are copies of the first.
                if answer["outputs"] != bodies.get(version, bodies["1"]):
                    problems.append(answer)

        def register():
            for _ in range(4):
                self.register(self.files[0])
        threads = [threading.Thread(target=promote, args=[servers[i % 2], i]) for i in range(4)]
        threads += [threading.Thread(target=register) for _ in range(2)]
        asking = [threading.Thread(target=ask, args=[server]) for server in servers]
        for thread in threads + asking:
            thread.start()
        for thread in threads:
            thread.join()
        stop.set()
        for thread in asking:
            thread.join()
        self.assertEqual(problems, [])
        stages = self.stages()
        self.assertEqual(sorted(stages), list(range(1, 11)))
        self.assertEqual(list(stages.values()).count("production"), 1, stages)
        active = next(str(version) for version, stage in stages.items() if stage == "production")
        for server in servers:
            wait_for(lambda: server.post("/v2/models/m/infer", {"inputs": [ROW]})["model_version"] == active)
        # Each change once, in order, each from where the one before had left it.
        with sqlite3.connect(self.repository / "registry.sqlite") as database:
            steps = database.execute("SELECT number, version, from_stage, to_stage FROM tandem_transitions "
                                     "ORDER BY number").fetchall()
        self.assertEqual([step[0] for step in steps], list(range(1, len(steps) + 1)))
        at = {}
        for _, version, before, after in steps:
            self.assertEqual(at.get(version, "candidate"), before, steps)
            at[version] = after
        self.assertEqual(at, stages)

    def test_a_database_that_somebody_holds(self):
        """Predictions go on; a change waits, and is made or refused in time."""
        server = self.serve()
        holder = sqlite3.connect(self.repository / "registry.sqlite", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        found = []
        asking = threading.Thread(target=lambda: found.append(
            server.ask("POST", "/v1/models/m/promote", {"version": 2})))
        asking.start()
        try:
            for _ in range(20):
                self.assertEqual(server.post("/v2/models/m/infer", {"inputs": [ROW]})["model_version"], "1")
                time.sleep(0.02)
            self.assertEqual(found, [])
        finally:
            holder.execute("COMMIT")
            holder.close()
        asking.join()
        self.assertEqual(found[0][0], 200, found)
        self.assertEqual(server.post("/v2/models/m/infer", {"inputs": [ROW]})["model_version"], "2")

    def test_files_that_go_away(self):
        server = self.serve()
        file = self.repository / "models" / "m" / "2.tandem"
        kept = file.read_bytes()
        for damage in [file.unlink, lambda: file.mkdir(), lambda: os.symlink("/dev/zero", file),
                       lambda: file.write_bytes(b""), lambda: file.write_bytes(kept[:-1]),
                       lambda: file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1])), lambda: os.mkfifo(file)]:
            if file.is_dir() and not file.is_symlink():
                file.rmdir()
            elif file.is_symlink() or file.exists():
                os.chmod(file, 0o644) if not file.is_symlink() else None
                file.unlink()
            if damage != file.unlink:
                damage()
            status, _, content = server.ask("POST", "/v1/models/m/promote", {"version": 2})
            self.assertIn(status, (400, 500), content)
            self.assertIn("2.tandem", content["error"])
            self.assertEqual(server.post("/v2/models/m/infer", {"inputs": [ROW]})["model_version"], "1")
            self.assertEqual(self.stages(), {1: "production", 2: "candidate"})
        file.unlink()
        file.write_bytes(kept)
        self.assertEqual(server.post("/v1/models/m/promote", {"version": 2})["version"], 2)


if __name__ == "__main__":
    unittest.main()
