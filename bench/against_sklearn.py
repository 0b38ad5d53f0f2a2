#!/usr/bin/env python3
"""Tandem beside scikit-learn: equal data, equal settings, equal quality, alternating runs.

For each case the data is generated once, as float32, into a temporary folder. Then scikit-learn,
in a process of its own that has the data in memory, and `tandem train ... --json`, which reports
the seconds of training alone, run in turn, after one run of each that does not count. Medians are
compared. A run of unequal quality is an error, not a footnote: the exit status is 1.

The peer runs at its best: float32 wherever the estimator accepts it (the case against oneDAL is in
double), C-contiguous data, as many threads as asked for (threadpoolctl), OPENBLAS_CORETYPE taken
out of its environment, and the OpenBLAS kernels it chose are shown.

Each line states the flops and bytes of the plain method (a program that skips work it can prove
needless may show more than it spends, even more than the peak), and what share of the machine's
peak that makes: fused multiply-adds and memory triad as measured in the same run by
tandem_core_bench. On a machine with other work on it, read the ratio of processor times (`CPU`),
which that work distorts less; with two threads it also counts waiting.

Usage: against_sklearn.py --tandem PROGRAM [--peak-bench PROGRAM] [--case NAME ...]
           [--threads 1 2] [--repeats 5] [--small] [--json FILE]
Needs numpy, scikit-learn and threadpoolctl; for the case against oneDAL scikit-learn-intelex.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


class Mismatch(Exception):
    """The two programs did not do the same work equally well."""


def log_loss(y, probabilities):
    """Mean negative log likelihood; in double, since float32 rows do not add up to one exactly."""
    p = probabilities.astype(np.float64)[np.arange(len(y)), y] / probabilities.sum(axis=1)
    return float(-np.log(np.maximum(p, np.finfo(np.float64).tiny)).mean())


def expect_close(what, ours, theirs, *, relative=0.0, absolute=0.0):
    if not abs(ours - theirs) <= absolute + relative * abs(theirs):
        raise Mismatch(f"{what}: tandem {ours!r}, scikit-learn {theirs!r}")


# --- cases ----------------------------------------------------------------------------------------
#
# A case knows how to make its data, how to run the peer (in the peer's process), how to run tandem,
# what equal quality means, and what the method costs.


class KMeans:
    """Lloyd's algorithm, 10 iterations from the same given centres, no early stop."""

    def __init__(self, rows, features, clusters, floor, small_rows):
        self.name = f"kmeans-{rows // 1000}k-{features}-{clusters}"
        self.rows, self.features, self.clusters = rows, features, clusters
        self.small_rows = small_rows
        self.floors = {1: floor, 2: floor}
        self.iterations = 10

    def make(self, folder, small):
        rows = self.small_rows if small else self.rows
        random = np.random.default_rng(1)
        # Overlapping clusters, so that ten iterations do not reach the end.
        centres = random.normal(size=(self.clusters, self.features)).astype(np.float32)
        x = random.standard_normal((rows, self.features), dtype=np.float32)
        x += centres[random.integers(self.clusters, size=rows)]
        np.save(folder / "x.npy", x)
        np.save(folder / "centres.npy", x[: self.clusters])

    def peer(self, folder):
        from sklearn.cluster import KMeans as Estimator

        x = np.load(folder / "x.npy")
        centres = np.load(folder / "centres.npy")

        def fit():
            return Estimator(n_clusters=self.clusters, init=centres, n_init=1,
                             max_iter=self.iterations, tol=0, algorithm="lloyd").fit(x)

        def quality(model):
            return {"inertia": float(model.inertia_), "iterations": int(model.n_iter_)}

        return fit, quality

    def arguments(self, folder):
        return ["kmeans", "--data", folder / "x.npy", "--k", self.clusters, "--init", "given",
                "--centres", folder / "centres.npy", "--max-iterations", self.iterations,
                "--tolerance", 0, "--scale", "none"]

    def check(self, ours, theirs):
        if theirs["iterations"] != self.iterations:
            raise Mismatch(f"scikit-learn stopped after {theirs['iterations']} iterations")
        expect_close("iterations", ours["metrics"]["train"]["iterations"], self.iterations)
        # Both sum in different orders; a row on a border may fall on either side of it.
        expect_close("inertia", ours["metrics"]["train"]["inertia"], theirs["inertia"],
                     relative=1e-4)

    def cost(self, folder, theirs):
        n, d = np.load(folder / "x.npy", mmap_mode="r").shape
        # A product of rows and centres, and a sum of rows, per iteration; the rows read once each.
        return (self.iterations * (2.0 * n * d * self.clusters + n * d),
                self.iterations * 4.0 * n * d)


class DecisionTree:
    """Exact search, entropy, unlimited depth."""

    name = "tree-100k-28"
    floors = {1: 2.0, 2: 3.5}

    def make(self, folder, small):
        rows = 10000 if small else 100000
        tests = 20000
        random = np.random.default_rng(2)
        # Like HIGGS: 21 measured features, 7 that combine them, two classes that overlap.
        x = random.standard_normal((rows + tests, 28), dtype=np.float32)
        x[:, 5:10] = np.exp(x[:, 5:10] * 0.5)
        x[:, 21] = x[:, 0] * x[:, 1] + 0.3 * x[:, 21]
        x[:, 22] = np.abs(x[:, 2] - x[:, 3]) + 0.2 * x[:, 22]
        x[:, 23] = np.sqrt(x[:, 5] * x[:, 6]) + 0.2 * x[:, 23]
        score = (x[:, 21] + x[:, 22] - x[:, 23] + np.sin(2 * x[:, 4]) + 0.5 * x[:, 10]
                 + random.standard_normal(rows + tests))
        y = (score > np.median(score)).astype(np.float32)
        data = np.column_stack([x, y]).astype(np.float32)
        np.save(folder / "train.npy", data[:rows])
        np.save(folder / "test.npy", data[rows:])

    def peer(self, folder):
        from sklearn.tree import DecisionTreeClassifier

        train, test = np.load(folder / "train.npy"), np.load(folder / "test.npy")
        x, y = np.ascontiguousarray(train[:, :-1]), train[:, -1].astype(np.int64)
        test_x, test_y = np.ascontiguousarray(test[:, :-1]), test[:, -1].astype(np.int64)

        def fit():
            return DecisionTreeClassifier(criterion="entropy", random_state=0).fit(x, y)

        def quality(model):
            tree = model.tree_
            inner = tree.children_left >= 0
            return {"train": model.score(x, y), "test": model.score(test_x, test_y),
                    "leaves": int(model.get_n_leaves()),
                    "visits": float(tree.n_node_samples[inner].sum())}

        return fit, quality

    def arguments(self, folder):
        return ["decision-tree", "--data", folder / "train.npy", "--target", "last",
                "--test", folder / "test.npy", "--criterion", "entropy", "--max-depth", 0]

    def check(self, ours, theirs):
        expect_close("training accuracy", ours["metrics"]["train"]["accuracy"], theirs["train"],
                     absolute=1e-4)
        # Splits of equal gain are chosen differently, so the trees differ: within four standard
        # errors of the difference of two accuracies on 20,000 rows.
        expect_close("test accuracy", ours["metrics"]["test"]["accuracy"], theirs["test"],
                     absolute=4 * np.sqrt(2 * 0.25 / 20000))

    def cost(self, folder, theirs):
        # One candidate split per row, feature and level; 8 operations for the entropies of the two
        # sides, and a value and an index read.
        candidates = 28 * theirs["visits"]
        return 8.0 * candidates, 8.0 * candidates


class Mlp:
    """784-128-10, ReLU, batch 128, Adam, one epoch."""

    name = "mlp-784-128-10"
    floors = {1: 1.5, 2: 1.5}

    def make(self, folder, small):
        rows, tests = (6000, 2000) if small else (60000, 10000)
        random = np.random.default_rng(3)
        # Like MNIST: ten shapes, moved about and blurred, most pixels dark.
        grid = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1).astype(np.float32)
        strokes = random.uniform(6, 22, size=(10, 5, 2)).astype(np.float32)
        images = np.empty((rows + tests, 784), dtype=np.float32)
        labels = random.integers(10, size=rows + tests)
        for begin in range(0, rows + tests, 2000):
            part = slice(begin, begin + 2000)
            points = strokes[labels[part]]
            points = points + random.normal(scale=1.5, size=points.shape).astype(np.float32)
            distance = ((grid[None, :, :, None, :] - points[:, None, None, :, :]) ** 2).sum(-1)
            ink = np.exp(-distance / 6).max(-1)
            ink += random.normal(scale=0.05, size=ink.shape)
            images[part] = np.where(ink > 0.2, np.minimum(ink, 1), 0).reshape(len(points), 784)
        for name, part in (("train", slice(0, rows)), ("test", slice(rows, None))):
            np.save(folder / f"{name}.npy",
                    np.column_stack([images[part], labels[part]]).astype(np.float32))

    def peer(self, folder):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        import warnings

        warnings.simplefilter("ignore", ConvergenceWarning)  # one epoch is what is asked for
        train, test = np.load(folder / "train.npy"), np.load(folder / "test.npy")
        x, y = np.ascontiguousarray(train[:, :-1]), train[:, -1].astype(np.int64)
        test_x, test_y = np.ascontiguousarray(test[:, :-1]), test[:, -1].astype(np.int64)

        def fit():
            return MLPClassifier((128,), activation="relu", solver="adam", alpha=0, batch_size=128,
                                 learning_rate_init=1e-3, max_iter=1, shuffle=True,
                                 random_state=0).fit(x, y)

        def quality(model):
            return {"loss": log_loss(test_y, model.predict_proba(test_x)),
                    "test": model.score(test_x, test_y)}

        return fit, quality

    def arguments(self, folder):
        return ["mlp", "--data", folder / "train.npy", "--target", "last",
                "--test", folder / "test.npy", "--hidden", 128, "--activation", "relu",
                "--initialization", "xavier-uniform", "--optimizer", "adam",
                "--learning-rate", 0.001, "--batch-size", 128, "--epochs", 1, "--l2", 0,
                "--scale", "none"]

    def check(self, ours, theirs):
        # Other first weights and another order of rows: over ten seeds of either program the loss
        # after one epoch spreads by some per cent of itself. Worse than the peer by 15 % or by one
        # point of accuracy is unequal; better is not an error.
        metrics = ours["metrics"]["test"]
        if not metrics["log_loss"] <= 1.15 * theirs["loss"]:
            raise Mismatch(f"test loss: tandem {metrics['log_loss']}, scikit-learn {theirs['loss']}")
        if not metrics["accuracy"] >= theirs["test"] - 0.01:
            raise Mismatch(
                f"test accuracy: tandem {metrics['accuracy']}, scikit-learn {theirs['test']}")

    def cost(self, folder, theirs):
        n = np.load(folder / "train.npy", mmap_mode="r").shape[0]
        first, second = 784 * 128, 128 * 10
        # Forward and weight gradients of both layers, and the second layer's input gradient.
        flops = n * 2.0 * (2 * first + 3 * second)
        # The rows once; per step the weights forward and back, gradients written and read, and
        # Adam's reads and writes of weights and two moments.
        steps = (n + 127) // 128
        return flops, 4.0 * n * 784 + steps * 4.0 * (first + second) * (2 + 2 + 6)


class Linear:
    """Least squares in closed form, by the solver that `auto` chooses: normal equations here."""

    name = "linear-1000k-28"
    floors = {1: 2.0, 2: 2.0}
    solver = "auto"
    precision = "float32"

    def make(self, folder, small):
        rows = 100000 if small else 1000000
        random = np.random.default_rng(4)
        x = random.standard_normal((rows, 28), dtype=np.float32)
        x[:, 1:] += 0.5 * x[:, :-1]
        w = random.standard_normal(28).astype(np.float32)
        y = x @ w + 3 + 0.5 * random.standard_normal(rows, dtype=np.float32)
        np.save(folder / "train.npy", np.column_stack([x, y]).astype(self.precision))

    def estimator(self):
        from sklearn.linear_model import LinearRegression

        return LinearRegression()

    def peer(self, folder):
        train = np.load(folder / "train.npy")
        x, y = np.ascontiguousarray(train[:, :-1]), np.ascontiguousarray(train[:, -1])

        def fit():
            return self.estimator().fit(x, y)

        def quality(model):
            from sklearn.metrics import r2_score

            return {"r2": float(r2_score(y, model.predict(x).astype(np.float64)))}

        return fit, quality

    def arguments(self, folder):
        return ["linear-regression", "--data", folder / "train.npy", "--target", "last",
                "--solver", self.solver, "--scale", "none"]

    def check(self, ours, theirs):
        expect_close("R²", ours["metrics"]["train"]["r2"], theirs["r2"], absolute=1e-5)

    def cost(self, folder, theirs):
        n = np.load(folder / "train.npy", mmap_mode="r").shape[0]
        # A product of each pair of 30 columns; the data once.
        return n * 30.0 * 31, np.dtype(self.precision).itemsize * n * 29.0


class LinearQr(Linear):
    """The same by orthogonal reflections, which do not square the condition number."""

    name = "linear-1000k-28-qr"
    solver = "qr"

    def cost(self, folder, theirs):
        n = np.load(folder / "train.npy", mmap_mode="r").shape[0]
        # Householder's 2nd² for the 28 features, the target and the intercept; the data once.
        return 2.0 * n * 30 * 30, 4.0 * n * 29


class LinearNormalEquations(Linear):
    """The same against the peer's quickest closed form, normal equations by Cholesky."""

    name = "linear-1000k-28-cholesky"
    floors = {}
    solver = "cholesky"

    def estimator(self):
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1e-6, solver="cholesky")


class LinearOneDal(Linear):
    """The same in double precision against oneDAL's normal equations (scikit-learn-intelex)."""

    name = "linear-1000k-28-onedal"
    floors = {1: 1.0, 2: 1.0}
    needs = "sklearnex"  # a package of Intel's for x86-64 only
    precision = "float64"

    def estimator(self):
        from sklearnex.linear_model import LinearRegression

        return LinearRegression()


class Logistic:
    """Two classes, L-BFGS, C = 1, the same tolerance on the gradient."""

    name = "logistic-1000k-28"
    floors = {1: 2.0, 2: 2.0}
    tolerance = 1e-4

    def make(self, folder, small):
        rows = 100000 if small else 1000000
        random = np.random.default_rng(5)
        x = random.standard_normal((rows, 28), dtype=np.float32)
        x[:, 1:] += 0.5 * x[:, :-1]
        w = random.standard_normal(28).astype(np.float32) * 0.5
        p = 1 / (1 + np.exp(-(x @ w + 0.3)))
        y = random.uniform(size=rows) < p
        np.save(folder / "train.npy", np.column_stack([x, y]).astype(np.float32))

    def peer(self, folder):
        from sklearn.linear_model import LogisticRegression

        train = np.load(folder / "train.npy")
        x, y = np.ascontiguousarray(train[:, :-1]), train[:, -1].astype(np.int64)

        def fit():
            return LogisticRegression(C=1.0, solver="lbfgs", tol=self.tolerance,
                                      max_iter=1000).fit(x, y)

        def quality(model):
            return {"loss": log_loss(y, model.predict_proba(x)),
                    "iterations": int(np.max(model.n_iter_))}

        return fit, quality

    def arguments(self, folder):
        return ["logistic-regression", "--data", folder / "train.npy", "--target", "last",
                "--solver", "lbfgs", "--c", 1, "--gradient-tolerance", self.tolerance,
                "--max-iterations", 1000, "--scale", "none"]

    def check(self, ours, theirs):
        # At a gradient below 1e-4 the loss is within 1e-6 of its minimum here.
        expect_close("loss", ours["metrics"]["train"]["log_loss"], theirs["loss"], absolute=1e-5)

    def cost(self, folder, theirs):
        n = np.load(folder / "train.npy", mmap_mode="r").shape[0]
        # Per evaluation a product with the weights and one with the residuals, in one pass.
        passes = theirs["iterations"] + 1
        return passes * 4.0 * n * 28, passes * 4.0 * n * 28


def all_cases():
    return [
        KMeans(1000000, 16, 16, 2.0, 50000),
        KMeans(200000, 64, 64, 2.0, 20000),
        KMeans(100000, 128, 256, 1.5, 10000),
        DecisionTree(),
        Mlp(),
        Linear(),
        LinearQr(),
        LinearNormalEquations(),
        LinearOneDal(),
        Logistic(),
    ]


# --- the peer's process ---------------------------------------------------------------------------


def serve_peer(case_name, folder, threads):
    """Reads lines from standard input, fits once for each, answers with a line of JSON."""
    from threadpoolctl import threadpool_info, threadpool_limits

    case = next(c for c in all_cases() if c.name == case_name)
    fit, quality = case.peer(Path(folder))
    with threadpool_limits(limits=threads):
        for _ in sys.stdin:
            wall, processor = time.perf_counter(), time.process_time()
            model = fit()
            answer = {"seconds": time.perf_counter() - wall,
                      "processor_seconds": time.process_time() - processor}
            answer["quality"] = quality(model)
            answer["pools"] = [
                {k: pool.get(k) for k in ("internal_api", "architecture", "num_threads", "version")}
                for pool in threadpool_info()
            ]
            print(json.dumps(answer), flush=True)


class Peer:
    def __init__(self, case, folder, threads):
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(threads)
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--serve-peer", case.name, str(folder), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def run(self):
        self.process.stdin.write("fit\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process of scikit-learn ended; its message is above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# --- measuring ------------------------------------------------------------------------------------


def run_tandem(options, arguments, precision, threads):
    command = [options.tandem, "train", *map(str, arguments), "--device", "cpu",
               "--numerics", options.numerics, "--precision", precision, "--threads", str(threads),
               "--seed", "0", "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr}")
    result = json.loads(done.stdout)
    if "train" not in result["metrics"]:  # no test data: all metrics are of the training part
        result["metrics"] = {"train": result["metrics"]}
    return result


def measure_peak(program):
    """Flops per second by threads, and bytes per second by threads."""
    done = subprocess.run(
        [program, "--benchmark_filter=fma_peak<float>|triad", "--benchmark_format=json",
         "--benchmark_repetitions=5", "--benchmark_min_time=0.1"],
        stdout=subprocess.PIPE, text=True, check=True)
    flops, bandwidth = {}, {}
    for run in json.loads(done.stdout)["benchmarks"]:
        if run["run_type"] != "iteration":
            continue
        threads = int(run["name"].split("/")[1])
        if "flops" in run:
            flops[threads] = max(flops.get(threads, 0), run["flops"])
        else:
            bandwidth[threads] = max(bandwidth.get(threads, 0), run["bytes_per_second"])
    return {"flops": flops, "bytes": bandwidth}


def measure(options, case, folder, threads):
    arguments = case.arguments(folder)
    precision = getattr(case, "precision", "float32")
    peer = Peer(case, folder, threads)
    try:
        theirs, ours = peer.run(), run_tandem(options, arguments, precision, threads)
        case.check(ours, theirs["quality"])
        their_runs, our_runs = [], []
        for _ in range(options.repeats):
            their_runs.append(peer.run())
            our_runs.append(run_tandem(options, arguments, precision, threads))
    finally:
        peer.close()
    their_seconds = [run["seconds"] for run in their_runs]
    our_seconds = [run["seconds"]["train"] for run in our_runs]
    their_processor = [run["processor_seconds"] for run in their_runs]
    our_processor = [run["processor_seconds"]["train"] for run in our_runs]
    flops, moved = case.cost(folder, theirs["quality"])
    result = {
        "case": case.name, "threads": threads, "peer_seconds": their_seconds,
        "tandem_seconds": our_seconds,
        "peer_processor_seconds": their_processor, "tandem_processor_seconds": our_processor,
        "peer_median": statistics.median(their_seconds),
        "tandem_median": statistics.median(our_seconds),
        "flops": flops, "bytes": moved, "floor": case.floors.get(threads),
        "peer_quality": theirs["quality"], "tandem_metrics": ours["metrics"],
        "peer_pools": theirs["pools"],
    }
    result["ratio"] = result["peer_median"] / result["tandem_median"]
    result["processor_ratio"] = statistics.median(their_processor) / statistics.median(our_processor)
    return result


def share(result, who, amount, peak):
    """Of one thread's peak by processor time, of several threads' by wall time."""
    threads = result["threads"]
    if threads not in peak:
        return "–"
    if threads == 1:
        seconds = statistics.median(result[f"{who}_processor_seconds"])
    else:
        seconds = result[f"{who}_median"]
    return f"{100 * result[amount] / seconds / peak[threads]:.1f} %"


def table(results, peak):
    lines = [
        "| case | threads | scikit-learn s | tandem s | ratio | CPU ratio | floor | Gflop | GB | tandem of "
        "peak flops | of peak bytes | scikit-learn of peak flops |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for r in results:
        floor = "–" if r["floor"] is None else f"{r['floor']:.1f}"
        if r["floor"] is not None and r["ratio"] < r["floor"]:
            floor += " (missed)"
        n = r["threads"]
        lines.append(
            f"| {r['case']} | {n} | {r['peer_median']:.3f} | {r['tandem_median']:.3f} "
            f"| {r['ratio']:.2f} | {r['processor_ratio']:.2f} | {floor} "
            f"| {r['flops'] / 1e9:.2f} | {r['bytes'] / 1e9:.2f} "
            f"| {share(r, 'tandem', 'flops', peak['flops'])} "
            f"| {share(r, 'tandem', 'bytes', peak['bytes'])} "
            f"| {share(r, 'peer', 'flops', peak['flops'])} |")
    return "\n".join(lines)


def describe_pools(results):
    pools = sorted({
        f"{p['internal_api']} {p['version'] or ''}".strip()
        + (f", kernel {p['architecture']}" if p.get("architecture") else "")
        for r in results for p in r["peer_pools"]
    })
    return "; ".join(pools)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--tandem", help="the tandem program")
    parser.add_argument("--peak-bench", help="tandem_core_bench, for the shares of the peak")
    parser.add_argument("--case", nargs="*", default=[], help="names, or beginnings of names")
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--numerics", choices=["exact", "fast"], default="exact")
    parser.add_argument("--small", action="store_true", help="a tenth of the rows or less")
    parser.add_argument("--json", help="also write everything measured into this file")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--serve-peer", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_peer:
        serve_peer(options.serve_peer[0], options.serve_peer[1], int(options.serve_peer[2]))
        return 0
    cases = [c for c in all_cases()
             if not options.case or any(c.name.startswith(w) for w in options.case)]
    if options.list:
        print("\n".join(f"{c.name}: {c.__doc__}" for c in cases))
        return 0
    if not options.tandem:
        parser.error("--tandem PROGRAM is required")
    if not cases:
        parser.error("no such case; --list names them")
    import importlib.util

    import sklearn

    missing = [c for c in cases if hasattr(c, "needs") and not importlib.util.find_spec(c.needs)]
    for case in missing:
        print(f"{case.name} is left out: there is no Python package {case.needs}", file=sys.stderr)
    cases = [c for c in cases if c not in missing]
    peak = measure_peak(options.peak_bench) if options.peak_bench else {"flops": {}, "bytes": {}}
    results, failures = [], []
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as scratch:
        for case in cases:
            folder = Path(scratch) / case.name
            folder.mkdir()
            case.make(folder, options.small)
            for threads in options.threads:
                try:
                    results.append(measure(options, case, folder, threads))
                    r = results[-1]
                    print(f"{case.name}, {threads} thread(s): {r['ratio']:.2f}, "
                          f"of processor times {r['processor_ratio']:.2f}", file=sys.stderr)
                except (Mismatch, RuntimeError) as error:
                    failures.append(f"{case.name}, {threads} thread(s): {error}")
                    print(f"error: {failures[-1]}", file=sys.stderr)
            for file in folder.iterdir():
                file.unlink()
    print(f"tandem {options.numerics} against scikit-learn {sklearn.__version__}, "
          f"{platform.machine()}, medians of {options.repeats} alternating runs"
          + (", small data" if options.small else ""))
    if results:
        print(f"scikit-learn's libraries: {describe_pools(results)}")
    for threads, flops in sorted(peak["flops"].items()):
        print(f"peak, {threads} thread(s): {flops / 1e9:.0f} GFLOP/s in float32 fmas, "
              f"{peak['bytes'][threads] / 1e9:.1f} GB/s in the triad")
    print()
    print(table(results, peak))
    for failure in failures:
        print(f"error: {failure}")
    if options.json:
        Path(options.json).write_text(
            json.dumps({"peak": peak, "results": results, "failures": failures}, indent=1))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
