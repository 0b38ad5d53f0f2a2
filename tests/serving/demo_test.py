"""`tandem serve --demo`: starts from nothing within a minute, answers, shows a page whose curl lines
work, and leaves nothing behind. Where chromium is installed the page is looked at in it."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

PROGRAM = os.environ["TANDEM_PROGRAM"]


FILES = ["/", "/page/base.css", "/page/base.js", "/page/page.css", "/page/page.js"]


class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tandem-demo-")
        environment = dict(os.environ, TMPDIR=self.folder.name)
        began = time.monotonic()
        self.process = subprocess.Popen([PROGRAM, "serve", "--demo", "--http", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.lines = []
        while not self.lines or not self.lines[-1].startswith("Ctrl-C"):
            line = self.process.stdout.readline()
            self.assertTrue(line, "the demo ended early")
            self.lines.append(line)
        # Under a minute, where the machine has nothing else to do.
        self.assertLess(time.monotonic() - began, 60 * max(1, os.getloadavg()[0] / 2))
        self.url = self.lines[0].split()[1]

    def tearDown(self):
        self.process.send_signal(signal.SIGINT)
        _, error = self.process.communicate(timeout=60)
        self.assertEqual((self.process.returncode, error), (0, ""))
        self.assertEqual(list(pathlib.Path(self.folder.name).glob("tandem-serve-demo-*")), [])
        self.folder.cleanup()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return response.read().decode()

    def test_what_it_says_works(self):
        commands = [line.strip() for line in self.lines if line.startswith("curl ")]
        self.assertEqual(len(commands), 11)

        def said(number):
            return subprocess.run([*shlex.split(commands[number]), "-sf"], capture_output=True,
                                  text=True, check=True).stdout
        # The experiment is created by the customers' first request, who then tell what became of
        # theirs.
        self.until(lambda: json.loads(self.get("/v1/experiments"))["experiments"])
        self.assertIn('"reasons"', said(0))
        self.assertIn('"experiment":"version-2"', said(1))
        self.assertEqual(json.loads(said(2)), {"recorded": 1, "known": 0})
        self.assertEqual(json.loads(said(3))["status"], "running")
        self.assertIn('"drift"', said(4))
        self.assertIn('"shadow"', said(5))

        def measured():
            analysis = json.loads(self.get("/v1/experiments/version-2"))["analysis"]
            return all(count > 20 for count in analysis["units"].values()) and \
                analysis["metrics"][0]["arms"][0]["mean"] > 0
        self.until(measured)
        self.assertIn('"status":"stopped"', said(6))
        self.assertIn('"stage":"production"', said(7))
        self.assertIn('"version":1', said(8))
        self.assertIn("parcels", said(9))
        self.assertIn("tandem_predicted_rows_total", said(10))
        # The customers go on.
        before = self.rows()
        self.until(lambda: self.rows() >= before + 20)

    def until(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not come about in time")
            time.sleep(0.1)

    def rows(self):
        return sum(int(count) for count in
                   re.findall(r"tandem_predicted_rows_total\{.*\} (\d+)", self.get("/metrics")))

    def test_the_page_comes_from_here_alone(self):
        texts = [self.get(path) for path in FILES]
        for text in texts:
            # A name of a namespace is no address that is fetched.
            self.assertEqual(re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text), [])
        self.until(lambda: json.loads(self.get("/v1/drift"))["drift"] and
                   json.loads(self.get("/v1/experiments"))["experiments"])
        chromium = shutil.which("chromium")
        if not chromium:
            print("not looked at: chromium is not installed")
            return
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(
                [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
                 "--virtual-time-budget=8000", "--dump-dom", self.url + "/"],
                capture_output=True, text=True, timeout=120, check=False)
        self.assertIn("<h2>parcels</h2>", done.stdout, done.stderr[-2000:])
        self.assertIn("<h2>version-2</h2>", done.stdout)
        self.assertIn("Drift of version 1: ", done.stdout)
        self.assertRegex(done.stdout, r'<td class="text production">production</td>')
        self.assertNotIn("The server does not say", done.stdout)


if __name__ == "__main__":
    unittest.main()
