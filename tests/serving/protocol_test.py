"""`tandem serve`: the Open Inference Protocol over HTTP, named rows, errors, statistics."""

import csv
import json
import struct
import unittest
import zlib

from server import DATA, Serving, tandem

CITIES = ["Oslo", "Bergen", "Rome", "Oslo", "Rome", "Rome", "Bergen", "Oslo", "Rome", "Oslo"]


def mixed_data(path):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["age", "city", "bought"])
        for i in range(200):
            city = CITIES[i * 7 % 10]
            age = 18 + (i * 37) % 60
            out.writerow([age, city, "yes" if (age > 40) != (city == "Rome") else "no"])


class Protocol(Serving):
    @classmethod
    def models(cls):
        mixed_data(cls.path / "mixed.csv")
        with open(DATA / "iris.csv", newline="") as file:
            rows = list(csv.reader(file))
        cls.columns = rows[0][:-1]
        cls.iris = [[float(x) for x in row[:-1]] for row in rows[1:]]
        for name, algorithm, data, options in [
            ("iris", "random-forest", DATA / "iris.csv", ["--trees", "20"]),
            ("linear", "logistic-regression", DATA / "iris.csv", ["--scale", "standard"]),
            ("small", "random-forest", DATA / "iris.csv", ["--trees", "5", "--precision", "float32"]),
            ("value", "gradient-boosting", DATA / "diabetes.csv", ["--rounds", "20"]),
            ("mixed", "decision-tree", cls.path / "mixed.csv", []),
            ("groups", "kmeans", DATA / "iris.csv", ["--k", "3"]),
            ("odd", "isolation-forest", DATA / "iris.csv", ["--trees", "20"]),
        ]:
            path = cls.train(name, algorithm, data, *options)
            cls.register(name, path, "--stage", "production")

    def predicted(self, name, data):
        """What `tandem predict` says of the same rows: the answers have the same bits."""
        return json.loads(tandem("predict", self.path / f"{name}.tandem", "--data", data,
                                 "--probabilities", "--json"))

    def infer(self, name, inputs, status=200, **more):
        return self.server.post(f"/v2/models/{name}/infer", {"inputs": inputs, **more}, status)

    def tensor(self, rows, datatype="FP64"):
        return {"name": "input", "shape": [len(rows), len(rows[0])], "datatype": datatype,
                "data": [x for row in rows for x in row]}

    def test_health_and_metadata(self):
        self.server.get("/v2/health/live")
        self.server.get("/v2/health/ready")
        about = self.server.get("/v2")
        self.assertEqual(about["name"], "tandem")
        self.assertIn("binary_tensor_data", about["extensions"])
        self.server.get("/v2/models/iris/ready")
        self.server.get("/v2/models/iris/versions/1/ready")
        iris = self.server.get("/v2/models/iris")
        self.assertEqual(iris["versions"], ["1"])
        self.assertEqual(iris["inputs"], [{"name": "input", "datatype": "FP64", "shape": [-1, 4]}])
        self.assertEqual(iris["outputs"][0], {"name": "label", "datatype": "BYTES", "shape": [-1]})
        self.assertEqual(iris["outputs"][1]["shape"], [-1, 3])
        mixed = self.server.get("/v2/models/mixed")
        self.assertEqual(mixed["inputs"], [{"name": "age", "datatype": "FP64", "shape": [-1, 1]},
                                           {"name": "city", "datatype": "BYTES", "shape": [-1, 1]}])
        self.assertEqual(self.server.get("/v2/models/iris/config")["max_batch_size"], 0)
        for path in ["/v2/models/none", "/v2/models/iris/versions/2", "/v2/models/iris/versions/x",
                     "/v2/models/..%2f..%2fetc/ready"]:
            self.assertIn("error", self.server.get(path, 404))

    def test_json_has_the_bits_of_predict(self):
        whole = self.predicted("iris", DATA / "iris.csv")
        answer = self.infer("iris", [self.tensor(self.iris)], id="all of them")
        self.assertEqual(answer["model_version"], "1")
        self.assertEqual(answer["id"], "all of them")
        outputs = {one["name"]: one for one in answer["outputs"]}
        self.assertEqual(outputs["label"]["data"], whole["predictions"])
        flat = [p for row in whole["probabilities"] for p in row]
        self.assertEqual(outputs["probabilities"]["data"], flat)
        # One at a time, and nested.
        for i in [0, 70, 149]:
            one = self.infer("iris", [{**self.tensor([self.iris[i]]), "data": [self.iris[i]]}])
            self.assertEqual(one["outputs"][1]["data"], whole["probabilities"][i])

    def test_single_precision(self):
        whole = self.predicted("small", DATA / "iris.csv")
        answer = self.infer("small", [self.tensor(self.iris, "FP32")],
                            outputs=[{"name": "probabilities"}])
        self.assertEqual(len(answer["outputs"]), 1)
        self.assertEqual(answer["outputs"][0]["datatype"], "FP32")
        self.assertEqual(answer["outputs"][0]["data"],
                         [p for row in whole["probabilities"] for p in row])

    def test_columns_as_tensors(self):
        inputs = [{"name": "city", "shape": [2, 1], "datatype": "BYTES", "data": ["Oslo", "Rome"]},
                  {"name": "age", "shape": [2], "datatype": "INT32", "data": [30, 30]}]
        answer = self.infer("mixed", inputs)
        self.assertEqual(answer["outputs"][0]["data"], ["no", "yes"])
        # Columns of numbers may come one by one too.
        columns = [{"name": name, "shape": [3, 1], "datatype": "FP64",
                    "data": [row[j] for row in self.iris[:3]]} for j, name in enumerate(self.columns)]
        self.assertEqual(self.infer("iris", columns)["outputs"],
                         self.infer("iris", [self.tensor(self.iris[:3])])["outputs"])

    def test_kinds_of_answers(self):
        with open(DATA / "diabetes.csv", newline="") as file:
            rows = [[float(x) for x in row[:-1]] for row in list(csv.reader(file))[1:]]
        answer = self.infer("value", [self.tensor(rows)])
        self.assertEqual(answer["outputs"][0]["data"],
                         self.predicted("value", DATA / "diabetes.csv")["predictions"])
        clusters = self.infer("groups", [self.tensor(self.iris)])
        self.assertEqual(clusters["outputs"][0]["name"], "cluster")
        self.assertEqual(clusters["outputs"][0]["data"],
                         self.predicted("groups", DATA / "iris.csv")["predictions"])
        odd = self.infer("odd", [self.tensor(self.iris)])
        whole = self.predicted("odd", DATA / "iris.csv")
        self.assertEqual(odd["outputs"][0]["data"], whole["predictions"])
        self.assertEqual(odd["outputs"][1]["data"], whole["scores"])

    def binary(self, rows, header, tail):
        head = json.dumps(header).encode()
        return self.server.ask("POST", "/v2/models/iris/infer", head + tail,
                               {"Inference-Header-Content-Length": str(len(head)),
                                "Content-Type": "application/octet-stream"})

    def test_binary_tensors(self):
        rows = self.iris[48:52]
        raw = struct.pack(f"<{4 * len(rows)}d", *[x for row in rows for x in row])
        header = {"inputs": [{"name": "input", "shape": [4, 4], "datatype": "FP64",
                              "parameters": {"binary_data_size": len(raw)}}],
                  "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}},
                              {"name": "label", "parameters": {"binary_data": True}}]}
        status, headers, content = self.binary(rows, header, raw)
        self.assertEqual(status, 200, content)
        size = int(headers["Inference-Header-Content-Length"])
        answer = json.loads(content[:size])
        probabilities, labels = [one["parameters"]["binary_data_size"] for one in answer["outputs"]]
        numbers = struct.unpack(f"<{probabilities // 8}d", content[size:size + probabilities])
        whole = self.predicted("iris", DATA / "iris.csv")
        self.assertEqual(list(numbers), [p for row in whole["probabilities"][48:52] for p in row])
        rest, found = content[size + probabilities:], []
        self.assertEqual(len(rest), labels)
        while rest:
            length, = struct.unpack("<I", rest[:4])
            found.append(rest[4:4 + length].decode())
            rest = rest[4 + length:]
        self.assertEqual(found, whole["predictions"][48:52])
        # Sizes that do not fit.
        for change, tail in [({}, raw[:-8]), ({}, raw + b"x"), ({"shape": [5, 4]}, raw),
                             ({"datatype": "FP32"}, raw), ({"datatype": "FP16"}, raw)]:
            wrong = {"inputs": [{**header["inputs"][0], **change}]}
            self.assertEqual(self.binary(rows, wrong, tail)[0], 400, change)
        self.assertEqual(self.server.ask("POST", "/v2/models/iris/infer", b"{}",
                                         {"Inference-Header-Content-Length": "7"})[0], 400)

    def test_compressed_bodies(self):
        body = json.dumps({"inputs": [self.tensor(self.iris[:2])]}).encode()
        status, _, answer = self.server.ask("POST", "/v2/models/iris/infer", zlib.compress(body),
                                            {"Content-Encoding": "deflate"})
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["outputs"], self.infer("iris", [self.tensor(self.iris[:2])])["outputs"])

    def test_named_rows(self):
        rows = [dict(zip(self.columns, row)) for row in self.iris[:5]]
        answer = self.server.post("/v1/predict/iris", {"rows": rows})
        whole = self.predicted("iris", DATA / "iris.csv")
        self.assertEqual((answer["model"], answer["version"]), ("iris", 1))
        self.assertEqual([one["label"] for one in answer["predictions"]], whole["predictions"][:5])
        self.assertEqual([list(one["probabilities"].values()) for one in answer["predictions"]],
                         whole["probabilities"][:5])
        answer = self.server.post("/v1/predict/mixed", {"rows": [
            {"city": "Oslo", "age": 30, "name": "not a column"}, {"age": "30", "city": "Rome"},
            {"age": 30, "city": "Paris"}]})
        self.assertEqual([one["label"] for one in answer["predictions"]][:2], ["no", "yes"])
        self.assertEqual(len(answer["notices"]), 1)
        self.assertIn("row 2, column city: 'Paris'", answer["notices"][0])

    def test_texts_are_read_as_the_training_file_was(self):
        rows = [f"{20 + i % 50};1.{i:03d},5;{1 + i % 28:02d}.03.2024;{'a' if i % 7 < 3 else 'b'}\n"
                for i in range(200)]
        (self.path / "german.csv").write_text("age;price;when;kind\n" + "".join(rows))
        model = self.train("german", "decision-tree", self.path / "german.csv", "--dates", "seconds")
        self.register("german", model, "--stage", "production")
        self.server.post("/v2/repository/models/german/load")
        texts = {"age": "21", "price": "1.001,5", "when": "02.03.2024"}
        numbers = {"age": 21, "price": 1001.5, "when": 1709337600}
        whole = self.predicted("german", self.path / "german.csv")
        answer = self.server.post("/v1/predict/german", {"rows": [texts, numbers]})["predictions"]
        self.assertEqual(answer[0], answer[1])
        self.assertEqual(answer[0]["label"], whole["predictions"][1])
        error = self.server.post("/v1/predict/german", {"rows": [{**texts, "when": "soon"}]}, 400)
        self.assertIn("row 0, column when: expected a number", error["error"])
        self.server.post("/v2/repository/models/german/unload")

    def test_reasons(self):
        rows = [dict(zip(self.columns, row)) for row in self.iris[::30]]
        answer = self.server.post("/v1/predict/iris?explain=1", {"rows": rows})
        for one in answer["predictions"]:
            reasons = one["reasons"]
            self.assertEqual(reasons["of"], one["label"])
            total = reasons["expected"] + sum(f["contribution"] for f in reasons["features"])
            self.assertAlmostEqual(total, one["probabilities"][one["label"]], places=9)
            sizes = [abs(f["contribution"]) for f in reasons["features"]]
            self.assertEqual(sizes, sorted(sizes, reverse=True))
        answer = self.server.post("/v1/predict/linear?explain=1", {"rows": rows})
        self.assertEqual(len(answer["predictions"][0]["reasons"]["features"]), 4)
        self.assertIn("gives no reasons",
                      self.server.post("/v1/predict/groups?explain=1", {"rows": rows}, 400)["error"])

    def test_errors_name_row_and_column(self):
        good = dict(zip(self.columns, self.iris[0]))
        first = self.columns[0]

        def error(rows, name="iris"):
            return self.server.post(f"/v1/predict/{name}", {"rows": rows}, 400)["error"]
        self.assertIn(f"row 1, column {first}: expected a number", error([good, {**good, first: "x"}]))
        self.assertIn(f"row 0, column {first}: expected a number", error([{**good, first: [1]}]))
        missing = {key: value for key, value in good.items() if key != first}
        self.assertIn(f"row 1, column {first}: is not there", error([good, missing]))
        self.assertIn("row 0: expected an object", error([3]))
        self.assertIn("at least one row", error([]))
        # A missing value is refused by a model that cannot take one, and the others are answered.
        self.assertIn(first, error([{**good, first: None}], "linear"))
        for body in ["", "[]", "{", '{"rows": 3}', "[" * 100]:
            self.server.post("/v1/predict/iris", body, 400)
        for inputs in [[], [{}], [{"name": "input"}], 3, [self.tensor([[1.0, 2.0]])],
                       [{**self.tensor([self.iris[0]]), "data": [1, 2]}],
                       [{**self.tensor([self.iris[0]]), "data": ["a", 2, 3, 4]}],
                       [{**self.tensor([self.iris[0]]), "shape": [-1, 4]}],
                       [{**self.tensor([self.iris[0]]), "shape": [1 << 40, 4]}],
                       [{**self.tensor([self.iris[0]]), "datatype": "BYTES"}],
                       [self.tensor([self.iris[0]]), self.tensor([self.iris[0]])]]:
            self.assertIn("error", self.infer("iris", inputs, 400))
        self.assertIn("no column of that name", self.infer("mixed", [
            {"name": "agee", "shape": [1], "datatype": "FP64", "data": [1]}], 400)["error"])
        self.assertIn("input city: is missing", self.infer("mixed", [
            {"name": "age", "shape": [1], "datatype": "FP64", "data": [1]}], 400)["error"])
        self.assertIn("none of that name", self.infer(
            "iris", [self.tensor([self.iris[0]])], 400, outputs=[{"name": "what"}])["error"])

    def test_repository_and_statistics(self):
        index = self.server.post("/v2/repository/index")
        self.assertEqual({one["name"] for one in index} - {"german"},
                         {"iris", "linear", "small", "value", "mixed", "groups", "odd"})
        self.assertEqual({one["state"] for one in index if one["name"] != "german"}, {"READY"})
        self.server.post("/v2/repository/models/groups/unload")
        self.server.get("/v2/models/groups/ready", 404)
        self.server.get("/v2/health/ready")
        self.assertEqual(len(self.server.post("/v2/repository/index", {"ready": True})), 6)
        self.server.post("/v2/repository/models/groups/load")
        self.server.get("/v2/models/groups/ready")
        self.server.post("/v2/repository/models/none/load", {}, 404)
        before = self.server.get("/v2/models/value/stats")["model_stats"][0]
        self.infer("value", [self.tensor([[0.0] * 10] * 3)])
        after = self.server.get("/v2/models/value/versions/1/stats")["model_stats"][0]
        self.assertEqual(after["inference_count"] - before["inference_count"], 3)
        self.assertEqual(after["execution_count"] - before["execution_count"], 1)
        self.assertEqual(len(self.server.get("/v2/models/stats")["model_stats"]), 7)

    def test_metrics(self):
        self.infer("iris", [self.tensor(self.iris[:3])])
        text = self.server.get("/metrics").decode()
        self.assertRegex(text, r'tandem_predicted_rows_total\{model="iris",version="1"\} \d+')
        self.assertIn('tandem_production_version{model="iris"} 1', text)
        self.assertRegex(text, r'tandem_http_request_duration_seconds_count\{method="POST",route="/v2'
                               r'/models/\{model\}/infer"\} \d+')


if __name__ == "__main__":
    unittest.main()
