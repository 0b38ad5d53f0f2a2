"""A few of the faults of bench/fraud/faults.py, which does many: kills, a stopped process, late and
duplicate events. Those of the system are in failing_system_test.py."""

import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "fraud"))
import faults  # noqa: E402
from server import PROGRAM, Fraud  # noqa: E402


class Faults(Fraud):
    def test_kills(self):
        for durability in ["sync", "os"]:
            found = faults.kills(PROGRAM, self.model, self.path / durability, 3, 7, durability, 2)
            self.assertEqual(found["acknowledged"], found["replayed"])
            self.assertGreater(found["acknowledged"], 4)

    def test_kills_while_it_starts(self):
        found = faults.kills(PROGRAM, self.model, self.path / "starts", 3, 8, "sync", every=2)
        self.assertEqual(found["while_starting"], 1)
        self.assertEqual(found["acknowledged"], found["replayed"])

    def test_kills_while_users_are_erased(self):
        found = faults.erasures(PROGRAM, self.model, self.path / "erasures", 2)
        self.assertGreater(found["gone"], 2)

    def test_a_stopped_process(self):
        faults.stopped(PROGRAM, self.model, self.path / "stopped", 0.5)

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
        # On its way, or from nowhere.
        place.sent[name] = place.bodies[name]
        place.compare(False)
        with self.assertRaises(faults.Fault):
            place.compare(True)
        del place.sent[name]
        with self.assertRaises(faults.Fault):
            place.compare(False)


if __name__ == "__main__":
    unittest.main()
