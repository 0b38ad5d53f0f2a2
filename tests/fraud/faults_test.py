"""A few of each of the faults of bench/fraud/faults.py, which does many."""

import os
import pathlib
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "fraud"))
import faults  # noqa: E402
from server import PROGRAM, train  # noqa: E402


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-fraud-")
        cls.path = pathlib.Path(cls.folder.name)
        cls.model = cls.path / "fraud.tandem"
        train(cls.model)
        # A library that is loaded first does not go with a sanitizer's.
        cls.library = (None if os.environ.get("TANDEM_SANITIZED") else faults.library_in(cls.path))

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
            self.assertEqual(found["acknowledged"], found["replayed"])
            self.assertGreater(found["acknowledged"], 20)

    def test_a_stopped_process(self):
        faults.stopped(PROGRAM, self.model, self.path / "stopped", 0.5)

    def test_a_full_disk(self):
        faults.failing(PROGRAM, self.model, self.path / "full", "full", self.library_or_skip())

    def test_a_disk_that_does_not_sync(self):
        faults.failing(PROGRAM, self.model, self.path / "sync-fails", "sync", self.library_or_skip())

    def test_a_clock_that_steps(self):
        faults.clock(PROGRAM, self.model, self.path / "clock", self.library_or_skip())

    def test_late_and_twice(self):
        faults.late(PROGRAM, self.model, self.path / "late", 200)

    def test_a_difference_would_be_seen(self):
        """The comparison fails where an answer is another, or one is missing."""
        place = faults.Place(PROGRAM, self.model, self.path / "seen")
        place.start()
        stop = place.load("x", connections=1)
        while len(place.answers) < 5:
            time.sleep(0.01)
        stop()
        place.end()
        place.compare(True)
        name = next(iter(place.answers))
        kept = place.answers[name]
        place.answers[name] = kept.replace(b'"risk_score":0', b'"risk_score":1')
        with self.assertRaises(faults.Fault):
            place.compare(False)
        place.answers[name] = kept
        place.answers["never"] = kept
        with self.assertRaises(faults.Fault):
            place.compare(False)
        del place.answers["never"], place.answers[name]
        with self.assertRaises(faults.Fault):
            place.compare(True)


if __name__ == "__main__":
    unittest.main()
