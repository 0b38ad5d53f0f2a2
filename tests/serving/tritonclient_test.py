"""NVIDIA's tritonclient (PyPI), http and grpc, against `tandem serve`, unchanged.

Ends with status 77, which counts as skipped, where it is not installed; `./dev serving-clients`
installs it into build/python-clients, where this test is run from then on.
"""

import csv
import json
import sys
import unittest

try:
    import numpy as np
    import tritonclient.http as over_http
except ImportError:
    print("skipped: NVIDIA's tritonclient is not installed; ./dev serving-clients installs it")
    sys.exit(77)
try:
    import tritonclient.grpc as over_grpc
except ImportError:
    over_grpc = None

from server import DATA, Server, Serving, tandem


class Triton(Serving):
    @classmethod
    def models(cls):
        cls.file = cls.train("iris", "random-forest", DATA / "iris.csv", "--trees", "20")
        cls.register("iris", cls.file, "--stage", "production")
        with open(cls.path / "mixed.csv", "w") as file:
            file.write("age,city,bought\n")
            for i in range(60):
                file.write(f"{20 + i},{'Oslo' if i % 2 else 'Rome'},{'yes' if i > 30 else 'no'}\n")
        cls.mixed = cls.train("mixed", "decision-tree", cls.path / "mixed.csv")
        cls.register("mixed", cls.mixed, "--stage", "production")
        with open(DATA / "iris.csv", newline="") as file:
            rows = list(csv.reader(file))[1:]
        cls.rows = np.array([[float(x) for x in row[:-1]] for row in rows])
        whole = json.loads(tandem("predict", cls.file, "--data", DATA / "iris.csv", "--probabilities",
                                  "--json"))
        cls.labels = whole["predictions"]
        cls.shares = np.array(whole["probabilities"])

    def check(self, module, client, **options):
        self.assertTrue(client.is_server_live())
        self.assertTrue(client.is_server_ready())
        self.assertTrue(client.is_model_ready("iris"))
        self.assertTrue(client.is_model_ready("iris", "1"))
        self.assertFalse(client.is_model_ready("iris", "9"))
        infer = module.InferInput("input", list(self.rows.shape), "FP64")
        infer.set_data_from_numpy(self.rows)
        for outputs in [None, [module.InferRequestedOutput("probabilities"),
                               module.InferRequestedOutput("label")]]:
            answer = client.infer("iris", [infer], outputs=outputs, request_id="seven", **options)
            self.assertEqual(answer.get_response()["id"] if module is over_http
                             else answer.get_response().id, "seven")
            self.assertTrue((answer.as_numpy("probabilities") == self.shares).all())
            self.assertEqual([x.decode() for x in answer.as_numpy("label")], self.labels)
        single = module.InferInput("input", [1, 4], "FP32")
        single.set_data_from_numpy(self.rows[:1].astype(np.float32))
        self.assertEqual(client.infer("iris", [single]).as_numpy("label")[0].decode(), self.labels[0])
        age = module.InferInput("age", [2, 1], "INT64")
        age.set_data_from_numpy(np.array([[20], [75]], dtype=np.int64))
        city = module.InferInput("city", [2, 1], "BYTES")
        city.set_data_from_numpy(np.array([["Oslo"], ["Rome"]], dtype=np.object_))
        answer = client.infer("mixed", [age, city])
        self.assertEqual([x.decode() for x in answer.as_numpy("label")], ["no", "yes"])
        with self.assertRaises(Exception) as wrong:
            client.infer("nothing", [infer])
        self.assertIn("there is no model nothing", str(wrong.exception))
        client.unload_model("mixed")
        self.assertFalse(client.is_model_ready("mixed"))
        client.load_model("mixed")
        self.assertTrue(client.is_model_ready("mixed"))

    def test_http(self):
        client = over_http.InferenceServerClient(self.server.host)
        self.check(over_http, client)
        self.check(over_http, client, request_compression_algorithm="gzip")
        self.assertEqual(client.get_server_metadata()["name"], "tandem")
        self.assertEqual(client.get_model_metadata("iris")["inputs"][0]["shape"], [-1, 4])
        self.assertEqual(client.get_model_config("iris")["name"], "iris")
        self.assertEqual(len(client.get_model_repository_index()), 2)
        stats = client.get_inference_statistics("iris")["model_stats"][0]
        self.assertGreater(stats["inference_stats"]["success"]["count"], 0)
        # JSON in both directions.
        infer = over_http.InferInput("input", list(self.rows.shape), "FP64")
        infer.set_data_from_numpy(self.rows, binary_data=False)
        output = over_http.InferRequestedOutput("probabilities", binary_data=False)
        answer = client.infer("iris", [infer], outputs=[output])
        self.assertTrue((answer.as_numpy("probabilities").reshape(-1, 3) == self.shares).all())
        many = [client.async_infer("iris", [infer]) for _ in range(20)]
        for one in many:
            self.assertTrue((one.get_result().as_numpy("probabilities") == self.shares).all())
        client.close()

    def test_experiment(self):
        """A client's own parameters say who asks: the arm is the same over both protocols."""
        repository = self.path / "experiment"
        for options in [["--stage", "production"], []]:
            tandem("models", "register", repository, "iris", self.file, *options)
        server = Server(repository, *(["--grpc", "127.0.0.1:0"] if over_grpc else []))
        try:
            server.post("/v1/experiments", {
                "name": "e", "model": "iris", "unit": "user", "condition": {"country": "NO"},
                "arms": [{"name": "old", "version": "1"}, {"name": "new", "version": "2"}]})
            clients = [(over_http, over_http.InferenceServerClient(server.host))]
            if over_grpc:
                place = next(word for word in server.line.split() if word.startswith("grpc://"))
                clients.append((over_grpc, over_grpc.InferenceServerClient(place.removeprefix("grpc://"))))
            found = []
            for module, client in clients:
                infer = module.InferInput("input", list(self.rows.shape), "FP64")
                infer.set_data_from_numpy(self.rows)
                arms = []
                for i in range(30):
                    answer = client.infer("iris", [infer], parameters={
                        "unit": f"u{i}", "attributes": '{"country": "NO"}'}).get_response()
                    if module is over_http:
                        arms.append((answer["parameters"]["arm"], answer["model_version"]))
                    else:
                        arms.append((answer.parameters["arm"].string_param, answer.model_version))
                answer = client.infer("iris", [infer], parameters={"unit": "u1"}).get_response()
                self.assertNotIn("arm", answer.get("parameters", {}) if module is over_http
                                 else answer.parameters)
                answer = client.infer("iris", [infer], parameters={"force": "e=new"}).get_response()
                self.assertEqual(answer["model_version"] if module is over_http
                                 else answer.model_version, "2")
                with self.assertRaises(Exception) as wrong:
                    client.infer("iris", [infer], parameters={"force": "e=none"})
                self.assertIn("has no arm none", str(wrong.exception))
                found.append(arms)
                client.close()
            self.assertEqual(set(found[0]), {("old", "1"), ("new", "2")})
            for arms in found[1:]:
                self.assertEqual(arms, found[0])
        finally:
            self.assertEqual(server.stop(), 0)

    @unittest.skipIf(over_grpc is None, "tritonclient has no grpc part here")
    def test_grpc(self):
        server = Server(self.repository, "--grpc", "127.0.0.1:0")
        try:
            place = next(word for word in server.line.split() if word.startswith("grpc://"))
            client = over_grpc.InferenceServerClient(place.removeprefix("grpc://"))
            self.check(over_grpc, client)
            self.assertEqual(client.get_server_metadata().name, "tandem")
            self.assertEqual(list(client.get_model_metadata("iris").inputs[0].shape), [-1, 4])
            self.assertEqual(len(client.get_model_repository_index().models), 2)
            stats = client.get_inference_statistics("iris").model_stats[0]
            self.assertGreater(stats.inference_stats.success.count, 0)
            client.close()
        finally:
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
