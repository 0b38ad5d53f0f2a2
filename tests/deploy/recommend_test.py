"""deploy/recommend/run.py: two servers of recommendations behind HAProxy, parted by viewer. Ends with
status 77, which counts as skipped, where one of Debian's packages haproxy and openssl is not installed."""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = os.environ["TANDEM_PROGRAM"]

missing = [name for name in ("haproxy", "openssl")
           if not (shutil.which(name) or os.path.exists(f"/usr/sbin/{name}"))]
if missing:
    print(f"skipped: {', '.join(missing)} not installed (Debian packages of that name)")
    sys.exit(77)


# On a machine that does much else nothing is refused for the time that it would take.
PATIENT = ["--answer-ms", "20000", "--patience", "240"]


def ask(host, method, path, body=None):
    connection = http.client.HTTPConnection(host, timeout=90)
    connection.request(method, path, json.dumps(body) if body is not None else None)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content) if content.startswith((b"{", b"[")) else content


def question(user, n=5):
    return f"/v1/recommendations?user={urllib.parse.quote(user)}&n={n}"


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tandem-deploy-")
        cls.path = pathlib.Path(cls.folder.name)
        for words in [["simulate", "--users", 200, "--items", 150, "--seed", 5, "--out", cls.path / "watched.csv",
                       "--items-out", cls.path / "items.csv"],
                      ["train", "als", "--data", cls.path / "watched.csv", "--model", cls.path / "als.tandem",
                       "--factors", 8, "--iterations", 3]]:
            subprocess.run([PROGRAM, "recommend", *map(str, words), "--quiet"], check=True, timeout=120)
        errors = open(cls.path / "errors", "ab")
        cls.process = subprocess.Popen(
            [sys.executable, str(ROOT / "deploy" / "recommend" / "run.py"), "--tandem", PROGRAM, "--model",
             str(cls.path / "als.tandem"), "--items", str(cls.path / "items.csv"), "--history",
             str(cls.path / "watched.csv"), "--https", "127.0.0.1:0", "--http", "127.0.0.1:0", "--folder",
             str(cls.path / "s"), *PATIENT], stdout=subprocess.PIPE, stderr=errors, text=True)
        errors.close()
        line = cls.process.stdout.readline()
        if not line.startswith("ready https://"):
            cls.process.wait(timeout=240)
            raise AssertionError(cls.said())
        cls.host = line.split()[2].removeprefix("http://")

    @classmethod
    def tearDownClass(cls):
        children = cls.servers()
        cls.process.send_signal(signal.SIGTERM)
        cls.process.communicate(timeout=240)
        said = cls.said()
        assert cls.process.returncode == 0, said
        left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        assert not left, f"processes are left: {left}"
        cls.folder.cleanup()

    @classmethod
    def said(cls):
        return (cls.path / "errors").read_text()

    @classmethod
    def servers(cls):
        """The place of each server, by its process."""
        listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(cls.process.pid)],
                                capture_output=True, text=True, check=False).stdout
        found = {}
        for line in listed.splitlines():
            pid, name = line.split()
            if name != pathlib.Path(PROGRAM).name[:15]:
                continue
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except OSError:
                continue
            found[int(pid)] = words[words.index("--http") + 1]
        return found

    def wait(self, condition, what, seconds=240):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.said()}")
            time.sleep(0.05)

    def both_run(self, but=()):
        found = self.servers()
        if len(found) != 2 or set(found) & set(but):
            return False
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(self.path / "s" / "haproxy.sock"))
                one.sendall(b"show stat\n")
                said = b"".join(iter(lambda: one.recv(65536), b"")).decode()
        except OSError:
            return False
        return sum(line.startswith(("again,one,", "again,two,")) and ",UP," in line
                   for line in said.splitlines()) == 2

    def away(self):
        """How often HAProxy took a server for one that is away."""
        return (self.path / "s" / "haproxy.log").read_text(errors="replace").count(" is DOWN")

    def test_viewers_are_parted_and_what_they_do_goes_where_they_ask(self):
        for attempt in range(20):
            self.wait(self.both_run, "two servers run")
            before = self.away()
            users = [f"new viewer {attempt} {number}" for number in range(40)]
            try:
                known = self.parted(users)
            except AssertionError:
                if self.away() == before:
                    raise
            if self.away() == before:
                break
            # A server that was too slow to say that it is there was left out for a while, and the other
            # had its viewers.
        self.assertEqual(known[0] & known[1], set())
        self.assertEqual(known[0] | known[1], set(users))
        self.assertGreater(min(map(len, known)), 5)
        status, _ = ask(self.host, "DELETE", "/v1/users/" + urllib.parse.quote(users[0]))
        self.assertEqual(status, 200)
        self.assertFalse(ask(self.host, "GET", "/v1/users/" + urllib.parse.quote(users[0]))[1]["known"])

    def parted(self, users):
        """Of each server the users that it knows, after all have done something."""
        for number, user in enumerate(users):
            body = {"user": user, "item": "i3"}
            if number % 2:
                status, _ = ask(self.host, "POST", "/v1/events", body)
            else:
                status, _ = ask(self.host, "POST", "/v1/events?user=" + urllib.parse.quote(user),
                                {"events": [{"item": "i3"}, {"item": "i4", "user": user}]})
            self.assertEqual(status, 200)
            status, answer = ask(self.host, "GET", question(user))
            self.assertEqual((status, answer["cold_start"]), (200, False), user)
            self.assertNotIn("i3", [one["content_id"] for one in answer["recommendations"]])
            status, viewer = ask(self.host, "GET", "/v1/users/" + urllib.parse.quote(user))
            self.assertIn("i3", [one["content_id"] for one in viewer["history"]])
        return [{user for user in users if ask(host, "GET", "/v1/users/" + urllib.parse.quote(user))[1]["known"]}
                for host in self.servers().values()]

    def test_events_of_several_viewers_at_once_are_refused_with_a_reason(self):
        status, answer = ask(self.host, "POST", "/v1/events",
                             {"events": [{"user": "a", "item": "i1"}, {"user": "b", "item": "i1"}]})
        self.assertEqual(status, 400)
        self.assertIn("whose events are these", answer["error"])
        status, answer = ask(self.host, "GET", "/v1/recommendations")
        self.assertEqual(status, 400)
        self.assertIn("user is missing", answer["error"])
        self.assertEqual(ask(self.host, "GET", "/metrics")[0], 404)
        self.assertEqual(ask(self.host, "GET", "/v1/items?n=1")[0], 200)

    def test_one_is_killed_under_load(self):
        """Questions go on, over the other server; what was acknowledged is there when it is back."""
        self.wait(self.both_run, "two servers run")
        acknowledged, failures, closed, asked = {}, [], [], []
        going = threading.Event()

        def client(number):
            connection = http.client.HTTPConnection(self.host, timeout=90)
            count = 0
            while not going.is_set():
                user = f"client {number}-{count // 20}"
                item = f"i{count % 20 + 1}"
                count += 1
                try:
                    connection.request("GET", question(user))
                    response = connection.getresponse()
                    content = response.read()
                    asked.append(user)
                    if response.status != 200:
                        failures.append((response.status, content))
                    connection.request("POST", "/v1/events", json.dumps(
                        {"user": user, "item": item, "id": f"{user}-{item}"}))
                    response = connection.getresponse()
                    response.read()
                    if response.status == 200:
                        acknowledged.setdefault(user, set()).add(item)
                except (OSError, http.client.HTTPException) as error:
                    closed.append(repr(error))
                    connection.close()
                    connection = http.client.HTTPConnection(self.host, timeout=90)
                time.sleep(0.02)
            connection.close()

        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for one in clients:
            one.start()
        self.wait(lambda: len(asked) > 40, "questions are answered")
        victim = sorted(self.servers())[0]
        os.kill(victim, signal.SIGKILL)
        before = len(asked)
        self.wait(lambda: len(asked) > before + 40, "questions go on")
        self.wait(lambda: self.both_run([victim]), "the server is started again")
        before = len(asked)
        self.wait(lambda: len(asked) > before + 40, "questions go on after that too")
        going.set()
        for one in clients:
            one.join()
        self.assertEqual(failures, [])
        # HAProxy 2.6 ends a client's connection where the server's was reset: once for each client,
        # and an event that was under way.
        self.assertLessEqual(len(closed), 2 * len(clients), closed)
        hosts = list(self.servers().values())
        for user, items in acknowledged.items():
            there = set()
            for host in hosts:
                _, viewer = ask(host, "GET", "/v1/users/" + urllib.parse.quote(user))
                there |= {one["content_id"] for one in viewer["history"]}
            self.assertLessEqual(items, there, user)


if __name__ == "__main__":
    unittest.main()
