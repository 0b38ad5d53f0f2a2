"""`tandem recommend demo`: from nothing within a minute; what it prints works; in Chromium somebody
clicks as a viewer and the next answer differs."""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "support"))

from browser import CHROMIUM, Browser

PROGRAM = os.environ["TANDEM_PROGRAM"]
PICTURES = os.environ.get("TANDEM_PICTURES")  # a folder for pictures of the page, for people


class Demo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-demo-")
        began = time.monotonic()
        cls.process = subprocess.Popen([PROGRAM, "recommend", "demo", "--http", "127.0.0.1:0"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env=dict(os.environ, TMPDIR=cls.folder.name))
        cls.lines = []
        while not cls.lines or not cls.lines[-1].startswith("Ctrl-C"):
            line = cls.process.stdout.readline()
            assert line, cls.process.stderr.read()
            cls.lines.append(line)
        cls.took = time.monotonic() - began
        cls.url = cls.lines[0].split()[1]

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGINT)
        _, error = cls.process.communicate(timeout=60)
        left = list(pathlib.Path(cls.folder.name).glob("tandem-recommend-demo-*"))
        cls.folder.cleanup()
        assert (cls.process.returncode, error, left) == (0, "", []), (cls.process.returncode, error, left)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return response.read().decode()

    def test_it_starts_within_a_minute(self):
        self.assertLess(self.took, 60)

    def test_what_it_says_works(self):
        commands = [line.strip() for line in self.lines if line.startswith("curl ")]
        self.assertEqual(len(commands), 5)
        answers = [subprocess.run([*shlex.split(command), "-sf"], capture_output=True, text=True,
                                  check=True).stdout for command in commands]
        self.assertEqual(len(json.loads(answers[0])["recommendations"]), 5)
        self.assertEqual(json.loads(answers[1])["accepted"], 1)
        self.assertEqual(json.loads(answers[2]), {"forgotten": "u1"})
        self.assertIn("tandem_recommend_answer_seconds", answers[4])

    def test_the_page_comes_from_here_alone(self):
        for path in ["/", "/page/base.css", "/page/base.js", "/page/page.css", "/page/page.js"]:
            text = self.get(path)
            self.assertEqual(re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text), [])

    @unittest.skipUnless(CHROMIUM, "not looked at: chromium is not installed")
    def test_a_click_changes_the_next_answer(self):
        page = Browser(self.url + "/?user=u2")
        try:
            page.wait_for("document.querySelectorAll('#list > li').length === 10")
            listed = "[...document.querySelectorAll('#list > li')].map((one) => one.dataset.id)"
            reasons = page.value("[...document.querySelectorAll('.reason')].map((one) => one.textContent)")
            self.assertEqual(len(reasons), 10)
            self.assertTrue(any(reason.startswith("Because you watched or picked ")
                                for reason in reasons), reasons)
            before = page.value(listed)
            if PICTURES:
                page.look(1200, False, pathlib.Path(PICTURES) / "wide.png", 900, whole=True)
            watched = page.value("document.querySelector('#list .title').textContent")
            page.value("document.querySelector('#list button[data-type=watch]').click()")
            page.wait_for("document.getElementById('list').dataset.fresh > 0")
            after = page.value(listed)
            self.assertNotIn(before[0], after)
            self.assertNotEqual(before, after)
            self.assertEqual(page.value("document.querySelector('#history .title').textContent"), watched)
            self.assertRegex(page.value("document.getElementById('about').textContent"),
                             r"\d+ of 10 are new in this answer")
            # Somebody of whom nothing is known.
            page.value("[...document.querySelectorAll('#others button')].at(-1).click()")
            page.wait_for("document.getElementById('about').textContent.includes('nothing is known')")
            if PICTURES:
                for name, width, dark in [("narrow", 380, False), ("dark", 1200, True)]:
                    page.look(width, dark, pathlib.Path(PICTURES) / f"{name}.png", 900, whole=True)
            self.assertEqual(page.value("document.getElementById('state').className"), "")
            self.assertEqual(page.problems(), [])
        finally:
            page.close()


if __name__ == "__main__":
    unittest.main()
