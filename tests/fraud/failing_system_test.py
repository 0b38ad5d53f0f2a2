"""A fraud service on a system that fails, by a library that is loaded before the C library: a full
disk, one that does not sync, a clock that steps."""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench" / "fraud"))
import faults  # noqa: E402
from server import PROGRAM, Fraud  # noqa: E402


class FailingSystem(Fraud):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A library that is loaded first does not go with a sanitizer's.
        cls.library = None if os.environ.get("TANDEM_SANITIZED") else faults.library_in(cls.path)

    def setUp(self):
        if self.library is None:
            self.skipTest("there is no C compiler for the failing system")

    def test_a_full_disk(self):
        faults.failing(PROGRAM, self.model, self.path / "full", "full", self.library)

    def test_a_disk_that_does_not_sync(self):
        faults.failing(PROGRAM, self.model, self.path / "sync-fails", "sync", self.library)

    def test_a_clock_that_steps(self):
        faults.clock(PROGRAM, self.model, self.path / "clock", self.library)


if __name__ == "__main__":
    unittest.main()
