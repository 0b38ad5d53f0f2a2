"""Who decides in deploy/fraud/run.py when a server is lost, with servers that are only said to be there: what
takes minutes or bad luck with real ones."""

import importlib.util
import pathlib
import sys
import tempfile
import time
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy"))
spec = importlib.util.spec_from_file_location("fraud_run", ROOT / "deploy" / "fraud" / "run.py")
fraud = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fraud)
fraud.say = lambda text: SAID.append(text)
SAID = []


class Process:
    """Of a server that runs until it is ended."""

    pid = 0

    def __init__(self):
        self.status = None

    def poll(self):
        return self.status

    def kill(self):
        self.status = -9

    def send_signal(self, _number):
        self.status = 0

    def wait(self, timeout=None):
        return self.status


class Server(fraud.Server):
    """Answers what `answers` has for a path, else nothing."""

    def __init__(self, name, folder):
        super().__init__(name, folder, 0, [])
        self.state.mkdir()
        self.answers = {}
        self.starts = []  # whom it follows

    def start(self, follow=None, token=None):
        self.starts.append(follow.name if follow else None)
        self.process = Process()
        # Not just now: nothing here waits until it may be started again.
        self.started_at = time.monotonic() - 2
        self.has_answered = False
        self.unanswered = 0

    def ask(self, method, path, token, timeout=1.0):
        answer = self.answers.get(path, (0, None))
        return answer() if callable(answer) else answer


class Supervisor(unittest.TestCase):
    def setUp(self):
        SAID.clear()
        folder = tempfile.TemporaryDirectory(prefix="tandem-supervisor-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "secret").write_bytes(bytes(16))
        arguments = types.SimpleNamespace(
            tandem="", model="", durability="sync", confirm_ms=2000, partitions=1, redis=None, options=[],
            takeover_after=0.2, restart_after=1.0, patience=60.0)
        service = types.SimpleNamespace(arguments=arguments, folder=self.folder, admin="", tokens="",
                                        follow_token="", secret=self.folder / "secret")
        self.partition = fraud.Partition(service, 0)
        self.a, self.b = Server("0-a", self.folder), Server("0-b", self.folder)
        self.partition.primary, self.partition.standby = self.a, self.b
        self.partition.name_primary(self.a)
        for server, follow in ((self.a, None), (self.b, self.a)):
            server.start(follow)
            server.starts.clear()
            server.has_answered = True
        self.a.answers["/v2/health/ready"] = (200, {"ready": True})
        self.b.answers["/v1/takeover"] = (200, {"role": "primary"})

    def named(self):
        return (self.folder / "0.decides").read_text().strip()

    def test_one_that_has_ended_is_replaced_at_once(self):
        self.a.process.status = 1
        self.partition.look()
        self.assertIs(self.partition.primary, self.b)
        self.assertEqual(self.named(), "0-b")
        self.assertEqual((self.a.starts, self.b.starts), (["0-b"], []))

    def test_one_whose_standby_has_not_all_answers_is_started_again(self):
        (self.a.state / "alone").write_text("")
        self.a.process.status = 1
        self.partition.look()
        self.assertIs(self.partition.primary, self.a)
        self.assertEqual((self.a.starts, self.b.starts), ([None], []))
        # It cannot: then there is one that decides rather than none, and it is said.
        self.a.process.status = 1
        self.partition.look()
        self.assertIs(self.partition.primary, self.b)
        self.assertIn("does not have are in", " ".join(SAID))

    def test_one_whose_standby_has_just_begun_anew_is_started_again(self):
        self.b.process.kill()
        self.partition.put_aside("no copy")
        self.b.start(self.a)
        self.a.process.status = 1
        self.partition.look()
        self.assertIs(self.partition.primary, self.a)
        self.assertEqual(self.a.starts, [None])

    def test_both_are_lost(self):
        self.a.process.status = self.b.process.status = 1
        self.partition.look()
        self.assertEqual((self.named(), self.a.starts, self.b.starts), ("0-a", [None], []))
        # Not more often than is asked for, whatever becomes of it.
        self.a.started_at = time.monotonic()
        self.a.process.status = 1
        for _ in range(5):
            self.partition.look()
        self.assertEqual(self.a.starts, [None])

    def test_one_that_does_not_say_whether_it_took_over_never_leaves_two(self):
        named = []

        def takes_over_silently():
            named.append(self.named())
            return 0, None
        self.b.answers["/v1/takeover"] = takes_over_silently
        before = self.b.process
        self.a.process.status = 1
        self.partition.look()
        # What was on the disk before it was asked holds if all of this ends now.
        self.assertEqual(named, ["0-b"])
        self.assertEqual(before.status, -9)
        self.assertIs(self.partition.primary, self.b)
        self.assertEqual((self.a.starts, self.b.starts), (["0-b"], [None]))

    def test_one_that_refuses_to_take_over(self):
        self.b.answers["/v1/takeover"] = (409, {"error": "nothing was followed yet"})
        self.a.process.status = 1
        self.partition.look()
        self.assertIs(self.partition.primary, self.a)
        self.assertEqual((self.named(), self.a.starts), ("0-a", [None]))

    def test_a_pause_of_the_machine_is_not_held_against_a_server(self):
        self.a.answers.clear()
        self.partition.look()
        time.sleep(0.3)  # longer than --takeover-after
        self.partition.look()
        self.assertIs(self.partition.primary, self.a)
        self.partition.look()
        self.assertIs(self.partition.primary, self.b)

    def test_one_that_starts_has_its_time(self):
        self.a.start()
        self.a.answers.clear()
        for _ in range(5):
            self.partition.look()
            time.sleep(0.1)
        self.assertIs(self.partition.primary, self.a)
        self.a.started_at -= 100
        self.partition.look()
        self.assertIs(self.partition.primary, self.b)

    def refuses(self, **said):
        self.a.answers = {"/v2/health/ready": (503, {"ready": False}),
                          "/v1/standby": (200, {"role": "primary", "failed": False, **said})}
        for _ in range(3):
            self.partition.look()
            time.sleep(0.15)
        return self.partition.primary is self.a

    def test_one_whose_disk_is_full_is_not_replaced(self):
        self.assertTrue(self.refuses())

    def test_one_that_cannot_write_is_replaced(self):
        self.assertFalse(self.refuses(failed=True))

    def test_one_that_has_stepped_down_is_replaced(self):
        self.assertFalse(self.refuses(role="stepped down"))

    def test_a_standby_that_was_ended_while_it_copied_begins_anew(self):
        (self.b.state / "copying").write_text("")
        (self.b.state / "something").write_text("")
        self.b.process.status = 2
        self.partition.look()
        self.assertEqual(self.b.starts, ["0-a"])
        self.assertEqual([one.name for one in self.b.state.iterdir()], ["secret"])
        self.assertEqual(len(list(self.folder.glob("0-b.*.aside"))), 1)

    def test_a_standby_that_hangs_is_started_again(self):
        self.partition.service.arguments.takeover_after = 0.01
        before = self.b.process
        for _ in range(4):
            self.partition.followed_at = 0.0
            self.partition.look()
            time.sleep(0.05)
        self.assertEqual(before.status, -9)
        self.assertEqual(self.b.starts[:1], ["0-a"])

    def test_what_goes_wrong_lets_nothing_else_down(self):
        def fails(*_words):
            raise OSError("no more processes")
        self.a.process.status = 1
        self.b.start = fails
        self.a.start = fails
        self.b.process.status = 1
        self.partition.keep_up()
        self.assertFalse(self.partition.lock.locked())


if __name__ == "__main__":
    unittest.main()
