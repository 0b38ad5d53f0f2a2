"""What `tandem serve` survives: slow, broken and greedy clients, kill -9, a registry that is damaged."""

import json
import os
import signal
import socket
import struct
import time
import unittest

from server import DATA, Server, Serving, tandem

ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [5.9, 3.0, 4.2, 1.5]}


class Faults(Serving):
    @classmethod
    def models(cls):
        cls.file = cls.train("iris", "random-forest", DATA / "iris.csv", "--trees", "3")
        cls.register("iris", cls.file, "--stage", "production")

    def socket(self):
        host, port = self.server.host.split(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def still_answers(self):
        answer = self.server.post("/v2/models/iris/infer", {"inputs": [ROW]})
        self.assertEqual(answer["model_version"], "1")

    def test_half_requests_and_resets(self):
        body = json.dumps({"inputs": [ROW]}).encode()
        whole = b"POST /v2/models/iris/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for length in range(1, len(whole), 7):
            one = self.socket()
            one.sendall(whole[:length])
            if length % 2:
                # Ends with a reset.
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        # Asked, and gone before the answer.
        for _ in range(50):
            one = self.socket()
            one.sendall(whole)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
        self.still_answers()

    def test_a_gigabyte_that_is_announced_is_refused_before_it_comes(self):
        one = self.socket()
        one.sendall(b"POST /v2/models/iris/infer HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n")
        self.assertTrue(one.recv(100).startswith(b"HTTP/1.1 413 "))
        one.close()
        self.still_answers()

    def test_a_gigabyte_that_is_not_announced_ends_at_the_limit(self):
        one = self.socket()
        one.sendall(b"POST /v2/models/iris/infer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
        sent = 0
        try:
            for _ in range(1024):
                one.sendall(chunk)
                sent += 1
        except OSError:
            pass
        self.assertLess(sent, 80)
        one.close()
        self.still_answers()

    def test_slow_clients_and_idle_ones_keep_nobody_waiting(self):
        slow = []
        for _ in range(300):
            one = self.socket()
            one.sendall(b"POST /v2/models/iris/infer HTTP/1.1\r\nX: ")
            slow.append(one)
        idle = [self.socket() for _ in range(500)]
        began = time.monotonic()
        for _ in range(20):
            self.still_answers()
        self.assertLess(time.monotonic() - began, 20)
        for one in slow + idle:
            one.close()

    def test_a_deep_or_huge_json_is_refused(self):
        for body in ["[" * 100000, '{"inputs":' + "[" * 1000, '{"rows":[' + "{\"a\":" * 1000,
                     '{"inputs":[{"name":"input","shape":[1e99,4],"datatype":"FP64","data":[]}]}',
                     '{"rows": [{"sepal_length": 1e999}]}', "\0" * 1000, "\xff\xfe"]:
            for path in ["/v2/models/iris/infer", "/v1/predict/iris"]:
                status, _, content = self.server.ask("POST", path, body.encode("latin-1"))
                self.assertEqual(status, 400, (body[:30], content))
        self.still_answers()

    def test_kill_and_start_again(self):
        repository = self.path / "killed"
        tandem("models", "register", repository, "m", self.file, "--stage", "production")
        server = Server(repository)
        server.post("/v2/models/m/infer", {"inputs": [ROW]})
        self.assertEqual(server.stop(signal.SIGKILL), -signal.SIGKILL)
        server = Server(repository)
        server.post("/v2/models/m/infer", {"inputs": [ROW]})
        # What a registration that was killed left behind is in nobody's way.
        (repository / "models" / "m" / "2.tandem").write_bytes(b"half")
        tandem("models", "register", repository, "m", self.file)
        listed = json.loads(tandem("models", "list", repository, "--json"))["versions"]
        self.assertEqual([one["version"] for one in listed], [1, 2])
        self.assertEqual(server.stop(), 0)

    def test_a_file_that_is_no_registry(self):
        repository = self.path / "damaged"
        tandem("models", "register", repository, "m", self.file)
        for name in ["registry.sqlite", "registry.sqlite-wal", "registry.sqlite-shm"]:
            if (repository / name).exists():
                os.unlink(repository / name)
        (repository / "registry.sqlite").write_text("nonsense" * 1000)
        self.assertIn("is no database of SQLite", tandem("models", "list", repository, status=2))

    def test_a_taken_port(self):
        error = tandem("serve", self.repository, "--http", self.server.host, status=2)
        self.assertIn("cannot listen on", error)


if __name__ == "__main__":
    unittest.main()
