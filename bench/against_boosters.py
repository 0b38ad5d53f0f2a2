#!/usr/bin/env python3
"""Gradient boosting beside XGBoost and LightGBM: equal data, depth, bins, rounds and rates.

The data is generated once, as float32, with test rows of the same kind. The peers, in this process,
and `tandem train gradient-boosting ... --json` then run in turn, after one run of each that does not
count; medians are compared. Seconds are those of training with the binning of the rows in them, from
data in memory; beside them stand the processor's seconds, which a machine with other work lengthens
less, and the test set's log loss and area under the curve (or root mean
squared error), so that nobody is fast by doing less.

Usage: against_boosters.py --tandem PROGRAM [--rows 100000] [--features 28] [--rounds 100]
           [--shape depth-6 leaves-255] [--task binary regression] [--threads 1 2] [--repeats 3]
Needs numpy, scikit-learn, xgboost and lightgbm.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPES = {
    "depth-6": {
        "tandem": ["--max-depth", 6],
        "xgboost": {"max_depth": 6},
        "lightgbm": {"max_depth": 6, "num_leaves": 64},
    },
    "leaves-255": {
        "tandem": ["--max-depth", 0, "--max-leaves", 255, "--grow-policy", "lossguide"],
        "xgboost": {"max_depth": 0, "max_leaves": 255, "grow_policy": "lossguide"},
        "lightgbm": {"max_depth": -1, "num_leaves": 255},
    },
}


def make(rows, features, task):
    """Like HIGGS: overlapping classes, interactions, some columns skewed and some of few values."""
    random = np.random.default_rng(1)
    x = random.standard_normal((rows, features), dtype=np.float32)
    x[:, ::4] = np.exp(x[:, ::4] * 0.5)
    x[:, 1::7] = np.round(x[:, 1::7] * 3) / 3
    z = (x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + 0.7 * x[:, 0] * x[:, 5] - 0.6 * np.abs(x[:, 6])
         + 0.4 * x[:, 7] * x[:, 9] * (x[:, 10] > 0) + 0.5 * x[:, 11] - 0.3 * x[:, 13] ** 2)
    z -= np.median(z)
    if task == "regression":
        return x, (z + 0.5 * random.standard_normal(rows)).astype(np.float32)
    return x, (random.random(rows) < 1 / (1 + np.exp(-1.3 * z))).astype(np.float32)


def quality(task, truth, prediction):
    from sklearn.metrics import log_loss, roc_auc_score

    if task == "regression":
        return f"RMSE {np.sqrt(np.mean((truth - prediction) ** 2)):.5f}"
    return f"AUC {roc_auc_score(truth, prediction):.5f}, log loss {log_loss(truth, prediction):.5f}"


def xgboost(task, shape, rounds, threads, x, y):
    import xgboost as xgb

    data = xgb.QuantileDMatrix(x, y, max_bin=255, nthread=threads)
    objective = "binary:logistic" if task == "binary" else "reg:squarederror"
    model = xgb.train({"objective": objective, "eta": 0.1, "max_bin": 255, "tree_method": "hist",
                       "nthread": threads, "reg_lambda": 1, "min_child_weight": 1,
                       **SHAPES[shape]["xgboost"]}, data, rounds)
    return lambda test: model.predict(xgb.DMatrix(test))


def lightgbm(quantised):
    def train(task, shape, rounds, threads, x, y):
        import lightgbm as lgb

        data = lgb.Dataset(x, y, params={"max_bin": 255, "feature_pre_filter": False,
                                         "num_threads": threads, "verbose": -1})
        objective = "binary" if task == "binary" else "regression"
        model = lgb.train({"objective": objective, "learning_rate": 0.1, "max_bin": 255,
                           "num_threads": threads, "lambda_l2": 1, "min_data_in_leaf": 0,
                           "min_sum_hessian_in_leaf": 1, "use_quantized_grad": quantised,
                           "verbose": -1, **SHAPES[shape]["lightgbm"]}, data, rounds)
        return model.predict

    return train


PEERS = {"xgboost": xgboost, "lightgbm": lightgbm(False), "lightgbm, quantised": lightgbm(True)}


def run_tandem(program, folder, task, shape, rounds, threads):
    command = [program, "train", "gradient-boosting", "--data", folder / "train.npy",
               "--test", folder / "test.npy", "--target", "last", "--rounds", rounds,
               "--learning-rate", 0.1,
               "--task", "classification" if task == "binary" else "regression",
               "--precision", "float32", "--threads", threads, "--json", "--quiet",
               *SHAPES[shape]["tandem"]]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--features", type=int, default=28)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--task", nargs="+", default=["binary"], choices=["binary", "regression"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    tests = max(20000, options.rows // 10)
    for task in options.task:
        x, y = make(options.rows + tests, options.features, task)
        train_x, train_y, test_x, test_y = (x[:options.rows], y[:options.rows], x[options.rows:],
                                            y[options.rows:])
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.save(folder / "train.npy", np.column_stack([train_x, train_y]))
            np.save(folder / "test.npy", np.column_stack([test_x, test_y]))
            for shape in options.shape:
                for threads in options.threads:
                    seconds = {who: [] for who in ["tandem", *PEERS]}
                    processor = {who: [] for who in seconds}
                    scores = {}
                    for repeat in range(options.repeats + 1):
                        ours = run_tandem(options.tandem, folder, task, shape, options.rounds,
                                          threads)
                        times = {"tandem": ours["seconds"]["train"]}
                        used = {"tandem": ours["processor_seconds"]["train"]}
                        metrics = ours["metrics"]["test"]
                        scores["tandem"] = ", ".join(
                            f"{metric} {metrics[metric]:.5f}"
                            for metric in ("roc_auc", "auc", "log_loss", "rmse") if metric in metrics)
                        for who, train in PEERS.items():
                            start = time.perf_counter()
                            start_used = time.process_time()
                            predict = train(task, shape, options.rounds, threads, train_x, train_y)
                            times[who] = time.perf_counter() - start
                            used[who] = time.process_time() - start_used
                            scores[who] = quality(task, test_y, predict(test_x))
                        if repeat > 0:
                            for who, value in times.items():
                                seconds[who].append(value)
                                processor[who].append(used[who])
                    median = {who: statistics.median(values) for who, values in seconds.items()}
                    median_used = {who: statistics.median(v) for who, v in processor.items()}

                    def ahead(of):
                        return min(v for who, v in of.items() if who != "tandem") / of["tandem"]

                    print(f"{options.rows} x {options.features}, {task}, {shape}, {options.rounds} "
                          f"rounds, {threads} threads: {ahead(median):.2f} times as fast as the "
                          f"fastest other, {ahead(median_used):.2f} by processor seconds")
                    for who, value in median.items():
                        print(f"  {who:20} {value:8.3f} s  {median_used[who]:8.3f} s of processors  "
                              f"{scores[who]}", flush=True)


if __name__ == "__main__":
    main()
