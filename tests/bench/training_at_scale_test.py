"""bench/training_at_scale.py on a result that is made up, whose reckoning can be done by hand."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "training_at_scale.py"

RESULT = {
    "growth": [{"case": "linear", "measured": "fit", "threads": 1, "arm": "tandem", "swept": "rows",
                "values": [1e5, 3e5, 1e6], "median_seconds": [0.004, 0.012, 0.04], "exponent": 1.0,
                "low": 0.9, "high": 1.1}],
    "device_work": [{"case": "linear", "rows": rows, "device": "h100",
                     "estimate": {"seconds": 1e-3 + rows * 1e-8, "copy_seconds": 0}}
                    for rows in (100_000, 300_000, 1_000_000)]}


class TrainingAtScale(unittest.TestCase):
    def run_script(self, result, *words):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "result.json"
            path.write_text(json.dumps(result))
            return subprocess.run([sys.executable, str(SCRIPT), str(path), *words], capture_output=True,
                                  text=True, check=False)

    def test_a_billion_rows(self):
        done = self.run_script(RESULT, "--rows", "1e9")
        self.assertEqual(done.returncode, 0, done.stderr)
        cells = [cell.strip() for cell in done.stdout.splitlines()[2].strip("| \n").split("|")]
        # 40 ns a row; 29 doubles of rows and target and 8 bytes more; 30 x 30 doubles of a Gram matrix;
        # 10 ns a row on the device.
        self.assertEqual(cells, ["linear", "1e09", "1.00 [0.90, 1.10]", "40 ns", "40 s", "240 GB", "1",
                                 "7.2 kB", "10 s (h100)"])

    def test_what_is_no_sweep_is_refused(self):
        done = self.run_script({"rows": []})
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected the output of tandem bench --sweep", done.stderr)


if __name__ == "__main__":
    unittest.main()
