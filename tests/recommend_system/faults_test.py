"""A few of each of the faults of bench/recommend/faults.py, which does many."""

import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "recommend"))
import faults  # noqa: E402
from service import PROGRAM  # noqa: E402


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-recommend-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.model = faults.make_model(PROGRAM, cls.path)
        # A library that is loaded first does not go with a sanitizer's.
        cls.library = None if os.environ.get("TANDEM_SANITIZED") else faults.library_in(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def library_or_skip(self):
        if self.library is None:
            self.skipTest("there is no C compiler for the failing system")
        return self.library

    def test_kills(self):
        for durability in ["sync", "os"]:
            found = faults.kills(PROGRAM, self.model, self.path / durability, 2, 7, durability)
            self.assertGreater(found["acknowledged"], 20)

    def test_a_stopped_process(self):
        faults.stopped(PROGRAM, self.model, self.path / "stopped", 0.5)

    def test_a_full_disk(self):
        faults.failing(PROGRAM, self.model, self.path / "full", "full", self.library_or_skip())

    def test_a_disk_that_does_not_sync(self):
        faults.failing(PROGRAM, self.model, self.path / "sync-fails", "sync", self.library_or_skip())

    def test_a_loss_would_be_seen(self):
        """The comparison fails where an event is missing, counts twice, or somebody is back."""
        place = faults.Place(PROGRAM, self.model, self.path / "seen")
        place.start()
        self.addCleanup(lambda: place.process.poll() is None and place.end())
        stop = place.load("x", clients=1)
        while place.count < 5:
            time.sleep(0.01)
        stop()
        place.compare(True)
        user = next(iter(place.acknowledged))
        place.acknowledged[user].add("i199")
        with self.assertRaises(faults.Fault):
            place.compare(True)
        place.acknowledged[user].discard("i199")
        connection = place.connection()
        event = {"user": user, "item": "i1", "weight": 0.5, "id": "another"}
        self.assertEqual(place.send(connection, event), 200)
        with self.assertRaises(faults.Fault):
            place.compare(True)
        del place.acknowledged[user]
        place.forgotten.add(user)
        with self.assertRaises(faults.Fault):
            place.compare(True)
        connection.close()
        place.end()


if __name__ == "__main__":
    unittest.main()
