#!/usr/bin/env python3
"""Holds the JSON of every command to its schema in docs/schema/.

    check_json.py --root DIR --tandem PROGRAM --scratch DIR [--cuda --nvcc NVCC]

Every command with an option --json has a schema; every output below fits it; every property that a
schema names at its top has been seen in one of them, so that none is described that does not exist.
docs/program.md names every such command where it tells of JSON, and every command with --report
where it tells of reports.
Ends with status 77 where Python's jsonschema is missing (Debian: python3-jsonschema).
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

try:
    import jsonschema
except ImportError:
    print("skipped: Python's jsonschema is not installed; apt-get install python3-jsonschema")
    sys.exit(77)


def serve_once(tandem, scratch, path, *options):
    """Runs `tandem recommend serve` for one question, so that its state is there."""
    server = subprocess.Popen([tandem, "recommend", "serve", "--http", "127.0.0.1:0", "--log",
                               "serve.log", *options], cwd=scratch, stdout=subprocess.PIPE, text=True)
    ready = server.stdout.readline().split()
    if ready:
        with urllib.request.urlopen(ready[1] + path, timeout=60) as answer:
            answer.read()
    server.terminate()
    server.wait(timeout=60)
    server.stdout.close()


def commands(root, cuda, tandem, scratch):
    """The command lines to run, without --json, in order: later ones use what earlier ones wrote."""
    device = ["--device", "softgpu"] if cuda else []
    supervised = [("decision-tree", "iris"), ("logistic-regression", "wine"),
                  ("linear-regression", "diabetes"), ("gradient-boosting", "iris"),
                  ("mlp", "wine")]
    small = {"gradient-boosting": ["--rounds", "3"], "mlp": ["--epochs", "3"]}
    for algorithm, name in supervised:
        options = small.get(algorithm, [])
        data = ["--data", f"data/{name}.csv"]
        yield ["train", algorithm, *data, "--test-fraction", "0.3", "--model", f"{algorithm}.tandem",
               *options]
        yield ["evaluate", f"{algorithm}.tandem", *data, "--curves"]
        yield ["predict", f"{algorithm}.tandem", *data, "--probabilities"]
        yield ["inspect", f"{algorithm}.tandem"]
        yield ["explain", f"{algorithm}.tandem", *data, "--sample", "30",
               *(["--interactions", "--out", "values.csv", "--report", "explained", *device]
                 if algorithm == "decision-tree" else [])]
    yield ["train", "kmeans", "--data", "data/iris.csv", "--k", "3", "--model", "kmeans.tandem",
           "--precision", "float32", "--report", "page", *device]
    yield ["train", "kmeans", "--data", "data/iris.csv", "--k", "3", "--memory-limit", "64M",
           "--cache", "cache"]
    yield ["evaluate", "kmeans.tandem", "--data", "data/iris.csv", "--silhouette", *device]
    yield ["predict", "kmeans.tandem", "--data", "data/iris.csv", "--out", "clusters.csv"]
    yield ["inspect", "kmeans.tandem"]
    yield ["train", "random-forest", "--data", "data/iris.csv", "--trees", "20", "--oob-score"]
    detector = ["--data", "data/breast_cancer.csv"]
    yield ["train", "isolation-forest", *detector, "--model", "detector.tandem", "--report",
           "detected", "--test-fraction", "0.3", "--contamination", "0.2"]
    yield ["evaluate", "detector.tandem", *detector, "--outlier-class", "malignant"]
    yield ["predict", "detector.tandem", *detector]
    yield ["inspect", "detector.tandem"]
    yield ["explain", "detector.tandem", *detector, "--sample", "30"]
    yield ["cross-validate", "isolation-forest", *detector, "--folds", "3"]
    yield ["tune", "isolation-forest", *detector, "--grid", "trees=10|30", "--folds", "2"]
    yield ["cross-validate", "decision-tree", "--data", "data/wine.csv", "--folds", "3",
           "--report", "folds"]
    yield ["cross-validate", "kmeans", "--data", "data/iris.csv", "--k", "3"]
    yield ["learning-curve", "linear-regression", "--data", "data/diabetes.csv", "--folds", "3",
           "--report", "curve"]
    yield ["tune", "decision-tree", "--data", "data/wine.csv", "--grid", "max-depth=1..3",
           "--folds", "3", "--outer-folds", "2", "--report", "tuned"]
    yield ["tune", "kmeans", "--data", "data/iris.csv", "--grid", "clusters=2|3|500", "--folds", "2"]
    yield ["prune", "decision-tree", "--data", "data/breast_cancer.csv", "--model",
           "pruned.tandem", "--report", "pruned"]
    yield ["select", "kmeans", "--data", "data/iris.csv", "--k", "1..4", "--report", "selected"]
    yield ["drift", "--model", "decision-tree.tandem", "--data", "data/iris.csv", "--report",
           "drifted"]
    yield ["experiment", "analyse", "--exposures", "exposures.csv", "--outcomes", "outcomes.csv",
           "--report", "experiment"]
    yield ["join", "--log", "log", "--outcomes", "became.csv", "--out", "joined.csv"]
    yield ["experiment", "create", "--store", "experiments.db", "--definition", "definition.json"]
    yield ["experiment", "status", "--store", "experiments.db", "--name", "price"]
    yield ["experiment", "stop", "--store", "experiments.db", "--name", "price"]
    yield ["experiment", "simulate", "--runs", "20", "--seed", "1"]
    yield ["recommend", "train", "als", "--data", "events.csv", "--model", "als.tandem", "--factors",
           "8", "--iterations", "2", "--compute-loss", "--memory-limit", "64M",
           "--events-cache", "cache"]
    yield ["recommend", "evaluate", "item-knn", "--data", "events.csv", "--split", "time"]
    small_fraud = ["--rounds", "10", "--label-delay-days", "3"]
    yield ["fraud", "simulate", "--days", "20", "--users", "200", "--fraud", "8", "--seed", "1",
           "--out", "transactions.csv"]
    yield ["fraud", "train", "--data", "transactions.csv", "--model", "fraud.tandem", *small_fraud]
    yield ["fraud", "train", "--data", "transactions.csv", "--model", "watched/fraud", *small_fraud]
    decide_one(tandem, scratch)
    yield ["fraud", "replay", "--state", "decided"]
    yield ["fraud", "retrain", "--data", "transactions.csv", "--model", "watched/fraud",
           *small_fraud]
    yield ["recommend", "simulate", "--users", "20", "--items", "30", "--out", "watched.csv",
           "--items-out", "items.csv"]
    serve_once(tandem, scratch, "/v1/recommendations?user=u01&n=3", "--model", "als.tandem",
               "--state", "served")
    yield ["recommend", "policies", "--state", "served"]
    yield ["compare", "optimizers", "--data", "data/iris.csv", "--epochs", "4", "--report",
           "compared", *device]
    yield ["devices"]
    yield ["bin", "--data", "data/iris.csv", "--out", "iris.bins"]
    yield ["train", "gradient-boosting", "--data", "iris.bins", "--rounds", "3"]
    yield ["import", f"{root}/examples/models/scaled.onnx", "--model", "scaled.tandem"]
    yield ["import", f"{root}/tests/tree/foreign/xgb_squared.json", "--model", "imported.tandem"]
    yield ["export", "imported.tandem", "--out", "exported.txt"]
    register = ["models", "register", "repository", "iris", "decision-tree.tandem"]
    yield [*register, "--stage", "production"]
    yield register
    yield ["models", "promote", "repository", "iris", "2"]
    yield ["models", "rollback", "repository", "iris"]
    yield ["models", "list", "repository"]
    yield ["models", "diff", "repository", "iris", "1", "2"]
    yield ["export", "imported.tandem", "--onnx", "exported.onnx"]
    yield ["generate", "blobs", "--rows", "40", "--out", "blobs.csv"]
    yield ["look", "data/iris.csv", "--report", "looked"]
    yield ["look", "data/diabetes.csv", "--target", "progression"]
    yield ["bench", "--suite", "quick", "--case", "kmeans-16", "--peers", "none", "--runs", "2",
           "--report", "benched", "--history", "history"]
    yield ["bench", "history", "history", "--report", "over-time"]
    yield ["bench", "--suite", "quick", "--case", "kmeans-16", "--peers", "none", "--runs", "1",
           "--sweep", "clusters=4,8,16", "--report", "swept"]
    yield ["bench", "compare", "bench.json", "bench.json"]
    yield ["challenge", "list"]
    yield ["challenge", "show", "scan"]
    yield ["challenge", "start", "vector-add", "--out", "class/ada/vector_add.cu"]
    if cuda:
        yield ["bench", "--suite", "quick", "--case", "kmeans-16", "--peers", "none", "--runs", "1",
               "--sweep", "200,400,800", "--estimate", "h100", "--report", "estimated"]
        source = f"{root}/examples/cuda/matmul.cu"
        yield ["challenge", "submit", "vector-add", "added.cu"]
        yield ["challenge", "classroom", "class", "--page", "class.html"]
        yield ["lesson"]
        yield ["lesson", "transpose", "--no-sizes"]
        yield ["gpu", "profile", "--out", "profile.json", source]
        yield ["gpu", "profile", "--device", "h100", "--out", "estimate.json", source]
        yield ["gpu", "profile", "--diff", "profile.json", "estimate.json"]
        yield ["gpu", "explain", "estimate.json"]
        yield ["agree", "kmeans", "--sizes", "3", "--cases", "1", "--report", "agreed"]
        yield ["demo", "--report", "demo", "--quiet"]
    else:
        yield ["agree", "kmeans", "--sizes", "3", "--cases", "1", "--devices", "reference,cpu",
               "--report", "agreed"]


# Of a command whose actions print different things, the names of their schemas.
ACTIONS = {
    "gpu": ["gpu-profile", "gpu-diff", "gpu-explain"],
    "challenge": ["challenge-list", "challenge-show", "challenge-start", "challenge-submit",
                  "challenge-classroom"]}
# What nobody prints without nvcc.
OF_NVCC = {"demo", *ACTIONS["gpu"], "challenge-submit", "challenge-classroom", "lesson"}


def schema_name(words):
    if words[0] == "bench" and words[1] in ("compare", "history"):
        return f"bench-{words[1]}"
    if words[0] not in ACTIONS:
        return words[0]
    return "gpu-diff" if "--diff" in words else f"{words[0]}-{words[1]}"


def with_json(words):
    """The command line with --json: what follows a program's name is the program's."""
    return [*words[:2], "--json", *words[2:]] if words[0] in ACTIONS else [*words, "--json"]


def zstd_frame(text):
    """Up to 65,000 bytes in a frame of zstd that holds them as they are."""
    size = len(text)
    header = b"\x60" + (size - 256).to_bytes(2, "little")
    return b"\x28\xb5\x2f\xfd" + header + (1 | size << 3).to_bytes(3, "little") + text


def with_option(tandem, option):
    """The commands whose help page has the option, a regular expression."""
    overview = subprocess.run([tandem], capture_output=True, text=True, check=True).stdout
    listed = overview.split("\nAlgorithms:\n")[0]
    algorithm = "kmeans"
    for name in re.findall(r"^  ([a-z][a-z-]*) ", listed, flags=re.M):
        for words in (["help", name], ["help", name, algorithm], ["help", name, "decision-tree"]):
            text = subprocess.run([tandem, *words], capture_output=True, text=True,
                                  check=False).stdout
            if re.search(rf"^  {option}", text, flags=re.M):
                yield name
                break


def decide_one(tandem, scratch):
    """The state of a fraud service that has decided one transaction."""
    server = subprocess.Popen([tandem, "fraud", "serve", "--model", "fraud.tandem", "--state", "decided",
                               "--http", "127.0.0.1:0", "--log", "fraud.log"], cwd=scratch,
                              stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().split()[1]
    urllib.request.urlopen(url + "/v1/transactions", json.dumps({
        "transaction_id": "t1", "user_id": "u1", "amount": 7, "currency": "EUR",
        "transaction_type": "purchase", "timestamp": "2026-01-31T12:00:00Z",
        "card_last_four": "1234", "ip_address": "10.0.0.1"}).encode(), timeout=60).close()
    server.terminate()
    server.wait(timeout=60)
    server.stdout.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--tandem", required=True, type=pathlib.Path)
    parser.add_argument("--scratch", required=True, type=pathlib.Path)
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--nvcc", help="for the CUDA programs among the commands")
    arguments = parser.parse_args()
    tandem = str(arguments.tandem.resolve())
    folder = arguments.root.resolve() / "docs" / "schema"
    schemas = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    wrong = []
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        for property_name, described in schema["properties"].items():
            if "description" not in described:
                wrong.append(f"{name}.json: {property_name} has no description")
    documented = {schema for name in with_option(tandem, "--json ")
                  for schema in {**ACTIONS, "bench": ["bench", "bench-compare", "bench-history"]}.get(name, [name])}
    for name in sorted(documented ^ set(schemas)):
        wrong.append(f"{name}: " + ("has --json and no schema" if name in documented
                                    else "has a schema and no --json"))
    program = (arguments.root / "docs" / "program.md").read_text()
    for heading, option in (("JSON", "--json "), ("Reports", "--report (?!FILE)")):
        section = program.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        for name in sorted(with_option(tandem, option)):
            if not re.search(rf"`{name}[` ]", section):
                wrong.append(f"docs/program.md, {heading}: does not name {name}")
    scratch = arguments.scratch.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    shutil.copytree(arguments.root / "data", scratch / "data")
    (scratch / "bench.json").write_text(json.dumps({
        "suite": "quick", "machine": {"processor": "p"},
        "rows": [{"case": "c", "measured": "fit", "threads": 1,
                  "arms": [{"name": "tandem", "seconds": [1.0, 1.1, 1.2]}]}]}))
    (scratch / "exposures.csv").write_text("unit,arm\n" + "".join(
        f"u{i},{'new' if i % 2 else 'control'}\n" for i in range(400)))
    (scratch / "events.csv").write_text("user,item,rating,time\n" + "".join(
        f"u{u:02},i{(u % 3) * 10 + (u * 7 + k * 3) % 10:02},{1 + k % 5},{100 * k + u}\n"
        for u in range(40) for k in range(8)))
    (scratch / "definition.json").write_text(
        '{"name": "price", "unit": "user", "arms": [{"name": "old"}, {"name": "new"}], '
        '"metrics": [{"name": "bought"}]}')
    (scratch / "log").mkdir()
    (scratch / "log" / "model-1-000001.csv.zst").write_bytes(zstd_frame((
        "tandem_time,tandem_id,tandem_arm,tandem_answer,tandem_score,age\n" + "".join(
            f"{i},r{i},,yes,0.5,{i % 9}\n" for i in range(100))).encode()))
    (scratch / "became.csv").write_text("id,value\n" + "".join(
        f"r{i},{i % 2}\n" for i in range(0, 100, 3)))
    (scratch / "outcomes.csv").write_text("unit,metric,value\n" + "".join(
        f"u{i},spent,{i % 7}\n" for i in range(400)))
    (scratch / "class" / "ada").mkdir(parents=True)
    (scratch / "added.cu").write_text(
        "//@ launch add grid=ceil(n/256) block=256\n"
        'extern "C" __global__ void add(const float* x, const float* y, float* z, int n) {\n'
        "  const int i = blockIdx.x * 256 + threadIdx.x;\n"
        "  if (i < n) z[i] = x[i] + y[i];\n}\n")
    seen = {}
    count = 0
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    if arguments.nvcc:
        environment["TANDEM_NVCC"] = arguments.nvcc
    for words in commands(arguments.root.resolve(), arguments.cuda, tandem, scratch):
        done = subprocess.run([tandem, *with_json(words)], cwd=scratch, env=environment,
                              capture_output=True, text=True, check=False)
        line = " ".join(words)
        if done.returncode != 0:
            wrong.append(f"{line}: status {done.returncode}: {done.stderr}")
            continue
        count += 1
        output = json.loads(done.stdout)
        name = schema_name(words)
        if name not in schemas:
            continue
        seen.setdefault(name, set()).update(output)
        for error in jsonschema.Draft202012Validator(schemas[name]).iter_errors(output):
            place = "/".join(str(part) for part in error.absolute_path)
            wrong.append(f"{line}: {place}: {error.message[:300]}")
    # What needs a device, or data, that the commands above do not have; and the estimate of runs that
    # take more than a second, which none of them does for certain.
    elsewhere = {"estimate"} | ({"measured", "transfers"} if not arguments.cuda else set())
    for name, schema in schemas.items():
        if name not in seen:
            if arguments.cuda or name not in OF_NVCC:
                wrong.append(f"{name}: no command of this test prints it")
            continue
        for property_name in sorted(set(schema["properties"]) - seen[name] - elsewhere):
            wrong.append(f"{name}.json: {property_name} is described and never printed")
    for line in wrong:
        print(line)
    print(f"{count} outputs of {len(seen)} commands held to {len(schemas)} schemas, "
          f"{len(wrong)} wrong")
    if not wrong:
        shutil.rmtree(scratch)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
