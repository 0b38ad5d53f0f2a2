"""`tandem serve` asked by those who mean harm, or who write their own clients: heads that two readers
read differently, names that are paths, JSON and tensors of every odd kind. Each has an answer that says
what is wrong, and the server answers others as before."""

import json
import re
import socket
import struct
import unittest

from server import DATA, Serving

ROW = {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [5.9, 3.0, 4.2, 1.5]}
NAMED = {"sepal_length_cm": 5.9, "sepal_width_cm": 3.0, "petal_length_cm": 4.2, "petal_width_cm": 1.5}
INFER = "/v2/models/iris/infer"


class Hostile(Serving):
    @classmethod
    def models(cls):
        cls.register("iris", cls.train("iris", "random-forest", DATA / "iris.csv", "--trees", "5"),
                     "--stage", "production")
        cls.register("linear", cls.train("linear", "logistic-regression", DATA / "iris.csv"), "--stage",
                     "production")
        cls.register("single", cls.train("single", "logistic-regression", DATA / "iris.csv", "--precision",
                                         "float32"), "--stage", "production")
        with open(cls.path / "mixed.csv", "w") as file:
            file.write("age,city,bought\n")
            for i in range(60):
                file.write(f"{20 + i},{'Oslo' if i % 2 else 'Rome'},{'yes' if i > 30 else 'no'}\n")
        cls.register("mixed", cls.train("mixed", "decision-tree", cls.path / "mixed.csv"), "--stage",
                     "production")

    def tearDown(self):
        self.assertEqual(self.server.post(INFER, {"inputs": [ROW]})["model_version"], "1")

    def exchange(self, sent):
        """All that the server says until it closes, or until it has nothing more to say."""
        host, port = self.server.host.split(":")
        with socket.create_connection((host, int(port)), timeout=60) as one:
            one.sendall(sent)
            one.shutdown(socket.SHUT_WR)
            said = b""
            while piece := one.recv(1 << 16):
                said += piece
        return said

    def test_heads_that_two_readers_would_read_differently(self):
        """What follows such a request is never answered as one of its own."""
        problems = []
        body = json.dumps({"inputs": [ROW]})
        chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
        start = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n"
        after = "GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        length = f"Content-Length: {len(body)}\r\n"
        for head, rest in [
                (length + "Transfer-Encoding: chunked\r\n", chunked),
                ("Transfer-Encoding: chunked\r\n" + length, chunked),
                ("Content-Length: 0\r\n" + length, body),
                (length + "Content-Length: 0\r\n", body),
                ("Content-Length: +5\r\n", body), ("Content-Length: -1\r\n", body),
                ("Content-Length: 0x10\r\n", body), ("Content-Length: 1 0\r\n", body),
                ("Content-Length: 18446744073709551617\r\n", body), ("Content-Length:\r\n", body),
                ("Transfer-Encoding: identity\r\n", chunked), ("Transfer-Encoding: xchunked\r\n", chunked),
                ("Transfer-Encoding: chunked, identity\r\n", chunked),
                ("Transfer-Encoding: gzip, chunked\r\n", chunked),
                ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunked),
                ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", chunked),
                ("Transfer-Encoding: chunked, chunked\r\n", chunked),
                ("Transfer-Encoding: \x0bchunked\r\n", chunked),
                ("Transfer-Encoding : chunked\r\n", chunked), ("Transfer-Encoding:\r\n", chunked),
                ("X\r\n" + length, body),
                (": x\r\n" + length, body), ("X\0: y\r\n" + length, body),
                ("X: y\0\r\n" + length, body), ("X: y\rContent-Length: 0\r\n" + length, body),
                ("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked\r\n", "5\r\nhelloo\r\n0\r\n\r\n"),
                ("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"),
                ("Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n")]:
            said = self.exchange((start + head + "\r\n" + rest + after).encode("latin-1"))
            if not (said.count(b"HTTP/1.1 ") == 1 and re.match(rb"HTTP/1\.1 (400|413|501) ", said)
                    and b"\r\nConnection: close\r\n" in said):
                problems.append((head, rest[:20], said))
        self.assertEqual(problems, [])
        # The same in order, twice over one connection.
        whole = start + length + "\r\n" + body
        self.assertEqual(self.exchange((whole + whole).encode()).count(b"HTTP/1.1 200 "), 2)
        self.assertEqual(self.exchange((start + "Transfer-Encoding: chunked\r\n\r\n" + chunked + after)
                                       .encode()).count(b"HTTP/1.1 200 "), 2)

    def test_lines_that_are_no_requests(self):
        problems = []
        for sent, status in [
                (b"GET /v2\r\n\r\n", b"400"), (b"GET /v2 HTTP/1.1\nHost: x\n\n", b"505"),
                (b"GET /v2 HTTP/2.0\r\n\r\n", b"505"), (b"GET /v2 HTTP/1.2\r\n\r\n", b"505"),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"), (b"GET  /v2 HTTP/1.1\r\n\r\n", b"400"),
                (b"G\x01T /v2 HTTP/1.1\r\n\r\n", b"400"), (b"\x16\x03\x01\x02\x00\x01\x00", b"400"),
                (b"GET /v2/\xff HTTP/1.1\r\n\r\n", b"40"), (b"GET /v2/%zz HTTP/1.1\r\n\r\n", b"400"),
                (b"GET /v2/%00 HTTP/1.1\r\n\r\n", b"400"), (b"GET v2 HTTP/1.1\r\n\r\n", b"400"),
                (b"GET /" + b"a/" * 40 + b" HTTP/1.1\r\n\r\n", b"400"),
                (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"431"),
                (b"GET /v2 HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n", b"431"),
                (b"GET /v2?" + b"a=b&" * 100 + b" HTTP/1.1\r\n\r\n", b"400"),
                (b"OPTIONS * HTTP/1.1\r\n\r\n", b"400"), (b"TRACE /v2 HTTP/1.1\r\n\r\n", b"405"),
                (b"CONNECT x:80 HTTP/1.1\r\n\r\n", b"400")]:
            said = self.exchange(sent)
            if not said.startswith(b"HTTP/1.1 " + status):
                problems.append((sent[:40], said[:200]))
        self.assertEqual(problems, [])

    def test_names_that_are_paths(self):
        for name in ["..", ".", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "iris%2f1.tandem",
                     "iris%00", "%ff%fe", "%C3%BC", "iris%0a", "a" * 4000, "iris.tandem", "IRIS", "iris%20",
                     "%22%3e%3cscript%3e"]:
            for method, path in [("POST", f"/v2/models/{name}/infer"), ("GET", f"/v2/models/{name}"),
                                 ("POST", f"/v1/predict/{name}"), ("GET", f"/v1/models/{name}"),
                                 ("POST", f"/v2/repository/models/{name}/load"),
                                 ("POST", f"/v1/models/{name}/promote"),
                                 ("POST", f"/v1/models/{name}/rollback"),
                                 ("GET", f"/v1/experiments/{name}"),
                                 ("POST", f"/v1/experiments/{name}/stop")]:
                body = {"inputs": [ROW], "rows": [NAMED], "version": 1} if method == "POST" else None
                status, headers, content = self.server.ask(method, path, body)
                self.assertIn(status, (400, 404, 405), (path, content))
                self.assertEqual(headers.get_content_type(), "application/json")
                self.assertIn("error", content, path)
        for version in ["0", "-1", "99999999999999999999", "1.0", "%31%00", "0x1", "+1", "1e0", "..", "٣"]:
            path = "/v2/models/iris/versions/" + "".join(
                c if c.isascii() else "".join(f"%{b:02x}" for b in c.encode()) for c in version)
            self.assertIn(self.server.ask("POST", path + "/infer", {"inputs": [ROW]})[0], (400, 404), version)
        self.assertEqual(sorted(p.name for p in (self.repository / "models").iterdir()),
                         ["iris", "linear", "mixed", "single"])

    def refused(self, path, body, word="", headers=None, status=400):
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        found, _, content = self.server.ask("POST", path, body, headers)
        self.assertEqual(found, status, (str(body)[:200], content))
        self.assertIn(word, content["error"], str(body)[:200])

    def test_json_of_odd_kinds(self):
        good = json.dumps({"inputs": [ROW]})
        for body in ["", " ", "null", "1", '"x"', "[]", "{}", "{", good + "x", good + good, "\ufeff" + good,
                     good.replace("5.9", "NaN"), good.replace("5.9", "Infinity"), good.replace("5.9", "1e400"),
                     good.replace("5.9", "05.9"), good.replace("5.9", ".9"), good.replace("5.9", "5."),
                     good.replace("5.9", "+5"), good.replace("5.9", "null"), good.replace("5.9", '"5.9"'),
                     good.replace("5.9", "{}"), good.replace('"input"', '"in\udc80put"'),
                     good.replace('"input"', '"\\ud800"'), good.replace('"input"', '"in\tput"'),
                     good.replace('"input"', "'input'"), good + "/* */", "{/**/" + good[1:],
                     good.replace('"FP64"', '"fp64"'), good.replace('"FP64"', '"FP16"'),
                     good.replace('"FP64"', "64"), good.replace('"inputs"', '"inputs\\u0000"'),
                     good.replace("[1, 4]", "[1.0, 4]"), good.replace("[1, 4]", '["1", 4]'),
                     good.replace("[1, 4]", "[]"), good.replace("[1, 4]", "[4]"),
                     good.replace("[1, 4]", "[1, 1, 4]"), good.replace("[1, 4]", "[4, 1]"),
                     good.replace("[1, 4]", "[2, 2]"), good.replace("[1, 4]", "[0, 4]"),
                     good.replace("[1, 4]", "[1, 0]"), good.replace("[1, 4]", "[-1, -4]"),
                     good.replace("[1, 4]", "[4294967297, 4]"), good.replace("[1, 4]", "[2147483648, 2147483648]"),
                     good.replace("[1, 4]", "[1, 18446744073709551615]"),
                     good.replace("[5.9, 3.0, 4.2, 1.5]", "[[5.9, 3.0], [4.2]]"),
                     good.replace("[5.9, 3.0, 4.2, 1.5]", "[" * 40 + "]" * 40),
                     json.dumps({"inputs": [ROW] * 3}), json.dumps({"inputs": [ROW], "inputs2": 1, "outputs": 3}),
                     json.dumps({"inputs": [ROW], "outputs": [{"name": ""}]}),
                     json.dumps({"inputs": [ROW], "parameters": []}), json.dumps({"inputs": [ROW], "id": 3}),
                     json.dumps({"inputs": [{**ROW, "parameters": {"binary_data_size": 32}}]}),
                     json.dumps({"inputs": [{**ROW, "parameters": {"shared_memory_region": "x"}}]})]:
            self.refused(INFER, body)
        # An output that is asked for a thousand times would cost a thousand times as much.
        self.refused(INFER, {"inputs": [ROW], "outputs": [{"name": "label"}] * 1000}, "twice")
        named = json.dumps({"rows": [NAMED]})
        for body in ["{", "[]", '{"rows": {}}', '{"rows": [[]]}', '{"rows": [null]}', '{"rows": [{}]}',
                     named.replace("5.9", "1e999"), named.replace("5.9", '"x"'), named.replace("5.9", "[]"),
                     named.replace('"sepal_length_cm": 5.9', '"sepal_length_cm": 5.9, "sepal_length_cm": 6')]:
            self.refused("/v1/predict/iris", body)
        self.refused("/v1/predict/iris?explain=yes", named, "explain")
        # What is odd and yet JSON is answered, and so that it can be read.
        for identity in ["\0", "\u2028", "é" * 1000, '"}', "\x7f", "😀"]:
            answer = self.server.post(INFER, {"inputs": [ROW], "id": identity})
            self.assertEqual(answer["id"], identity)
        answer = self.server.post("/v1/predict/mixed", {"rows": [{"age": -0.0, "city": "\0"},
                                                                {"age": 1e308, "city": "Os\u0000lo"},
                                                                {"age": None, "city": ""}]})
        self.assertEqual(len(answer["predictions"]), 3)

    def test_numbers_that_a_model_cannot_take(self):
        for value in ["1e308", "-1e308"]:
            for model in ["linear", "single"]:
                body = json.dumps({"inputs": [ROW]}).replace("5.9", value)
                status, _, answer = self.server.ask("POST", f"/v2/models/{model}/infer", body)
                if status == 200:
                    shares = answer["outputs"][1]["data"]
                    self.assertTrue(all(share is not None and 0 <= share <= 1 for share in shares), answer)
                else:
                    self.assertEqual(status, 400, answer)
        for value in [float("nan"), float("inf"), float("-inf")]:
            self.binary("linear", struct.pack("<4d", value, 3, 4, 1), status=400)
        # A forest takes what is missing, and is given the next row as if nothing had been.
        self.binary("iris", struct.pack("<4d", float("inf"), 3, 4, 1), status=400)

    def binary(self, model, raw, status=200, header_bytes=None, **change):
        header = {"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP64",
                              "parameters": {"binary_data_size": len(raw)}, **change}]}
        head = json.dumps(header).encode()
        found, _, content = self.server.ask("POST", f"/v2/models/{model}/infer", head + raw, {
            "Inference-Header-Content-Length": str(len(head) if header_bytes is None else header_bytes)})
        self.assertEqual(found, status, (change, content))
        return content

    def test_binary_tensors_of_odd_kinds(self):
        raw = struct.pack("<4d", 5.9, 3.0, 4.2, 1.5)
        self.binary("iris", raw)
        for size in ["", "-1", "+1", "1.5", "x", "99999999999999999999", "0", "1"]:
            if size:
                self.binary("iris", raw, 400, size)
        for change in [{"parameters": {"binary_data_size": -1}}, {"parameters": {"binary_data_size": 1 << 63}},
                       {"parameters": {"binary_data_size": 31}}, {"parameters": {"binary_data_size": 33}},
                       {"parameters": {"binary_data_size": 0}}, {"parameters": {"binary_data_size": "32"}},
                       {"parameters": {}}, {"data": [1, 2, 3, 4]}, {"shape": [0, 4]}, {"shape": [4, 0]},
                       {"shape": [1 << 31, 1 << 31]}, {"shape": [1 << 62, 4]}, {"datatype": "BF16"},
                       {"datatype": "BYTES"}, {"datatype": "INT8"}, {"datatype": "BOOL"}]:
            self.binary("iris", raw, 400, **change)

        def city(raw, rows=1):
            header = {"inputs": [{"name": "age", "shape": [rows], "datatype": "INT64",
                                  "data": [30] * min(rows, 100)},
                                 {"name": "city", "shape": [rows], "datatype": "BYTES",
                                  "parameters": {"binary_data_size": len(raw)}}]}
            head = json.dumps(header).encode()
            return self.server.ask("POST", "/v2/models/mixed/infer", head + raw,
                                   {"Inference-Header-Content-Length": str(len(head))})[0]
        self.assertEqual(city(struct.pack("<I", 4) + b"Oslo"), 200)
        self.assertEqual(city(struct.pack("<I", 2) + b"\xff\xfe"), 200)  # bytes that nobody has seen
        for raw in [b"", b"\0", struct.pack("<I", 5) + b"Oslo", struct.pack("<I", 0xffffffff) + b"Oslo",
                    struct.pack("<I", 3) + b"Oslo", struct.pack("<I", 4) + b"Oslo" + b"\0\0\0\0"]:
            self.assertEqual(city(raw), 400, raw)
        self.assertEqual(city(struct.pack("<I", 0) * 3, 3), 200)
        self.assertEqual(city(struct.pack("<I", 0) * 3, 1 << 30), 400)

    def test_more_rows_than_a_request_may_have(self):
        rows = 200_000
        status, _, content = self.server.ask("POST", INFER, json.dumps(
            {"inputs": [{**ROW, "shape": [rows, 4], "data": [1] * (4 * rows)}]}))
        self.assertIn(status, (200, 413), content if status != 200 else "")


if __name__ == "__main__":
    unittest.main()
