#!/usr/bin/env python3
"""How good the models of gradient boosting are, beside those of XGBoost and LightGBM.

Equal rounds (100), rate (0.1), depth (6), bins (255), penalty and least weight of a leaf; four fifths
of the rows and of the features drawn for each tree, by five seeds. A line per data set and measure:
mean and standard deviation over the seeds on the test rows, of each program. The data sets are
generated ones (those of against_boosters.py; one with a column of 2,000 categories) and, with
--data, those in a folder that has LightGBM's examples, ijcnn1 and agaricus in folders of that name.
The measures of Tandem are those that it reports; those of the others are computed here, NDCG with
gains 2^y - 1, where a query without relevant rows counts 1.

Usage: boosters_quality.py --tandem PROGRAM [--data DIR] [--set NAME...] [--seeds 5] [--threads 1]
Needs numpy, scikit-learn, xgboost and lightgbm.
"""

import argparse
import bz2
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from against_boosters import make

ROUNDS = 100


@dataclass
class Rows:
    x: np.ndarray
    y: np.ndarray
    groups: list = None  # rows of each query
    categories: list = None  # columns of codes


@dataclass
class DataSet:
    task: str  # binary, regression, multiclass, ranking
    train: Rows
    test: Rows


def table(path):
    rows = np.loadtxt(path, dtype=np.float32)
    return Rows(rows[:, 1:], rows[:, 0])


def libsvm(path, groups=None):
    from sklearn.datasets import load_svmlight_file

    with (bz2.open(path) if path.suffix == ".bz2" else open(path, "rb")) as file:
        x, y = load_svmlight_file(file, dtype=np.float32)
    return Rows(np.asarray(x.todense(), dtype=np.float32), y.astype(np.float32),
                None if groups is None else np.loadtxt(groups, dtype=int).tolist())


def same_columns(a, b):
    columns = max(a.x.shape[1], b.x.shape[1])
    for rows in (a, b):
        rows.x = np.pad(rows.x, ((0, 0), (0, columns - rows.x.shape[1])))


def generated(task):
    x, y = make(50000, 28, task)
    return DataSet(task, Rows(x[:30000], y[:30000]), Rows(x[30000:], y[30000:]))


def many_categories():
    """A third of what there is to know is in a column of 2,000 categories, most of them rare."""
    random = np.random.default_rng(7)
    rows, categories = 60000, 2000
    x = random.standard_normal((rows, 10), dtype=np.float32)
    codes = (categories * random.random(rows) ** 2).astype(np.int64)
    worth = random.standard_normal(categories)
    x[:, 0] = codes
    y = worth[codes] + x[:, 1] * x[:, 2] + np.sin(2 * x[:, 3]) + random.standard_normal(rows) / 2
    y = y.astype(np.float32)
    return DataSet("regression", Rows(x[:40000], y[:40000], categories=[0]),
                   Rows(x[40000:], y[40000:], categories=[0]))


def data_sets(folder):
    """Name to what makes it."""
    sets = {"generated, two classes": lambda: generated("binary"),
            "generated, regression": lambda: generated("regression"),
            "generated, 2,000 categories": many_categories}
    if folder is None:
        return sets
    light = folder / "lightgbm"
    for task in ("binary", "regression", "multiclass"):
        sets[f"LightGBM's {task}"] = lambda task=task: DataSet(
            task, table(light / f"{task}.train"), table(light / f"{task}.test"))

    def pair(task, train, test):
        same_columns(train, test)
        for rows in (train, test):
            if task == "binary":
                rows.y = (rows.y > 0).astype(np.float32)
        return DataSet(task, train, test)

    sets["LightGBM's ranking"] = lambda: pair(
        "ranking", libsvm(light / "rank.train", light / "rank.train.query"),
        libsvm(light / "rank.test", light / "rank.test.query"))
    jcnn = folder / "ijcnn1"
    sets["ijcnn1"] = lambda: pair("binary", libsvm(jcnn / "binary_ijcnn1_ijcnn1.trn.bz2"),
                                  libsvm(jcnn / "binary_ijcnn1_ijcnn1.tst.bz2"))
    mushroom = folder / "agaricus"
    sets["agaricus"] = lambda: pair("binary", libsvm(mushroom / "agaricus.txt.train"),
                                    libsvm(mushroom / "agaricus.txt.test"))
    return sets


def ndcg(rows, scores):
    total = 0.0
    begin = 0
    for count in rows.groups:
        gains = 2.0 ** rows.y[begin:begin + count] - 1
        discounts = 1 / np.log2(np.arange(2, 2 + min(10, count)))
        order = np.argsort(-scores[begin:begin + count], kind="stable")
        best = np.sum(np.sort(gains)[::-1][:10] * discounts)
        total += 1.0 if best == 0 else np.sum(gains[order][:10] * discounts) / best
        begin += count
    return total / len(rows.groups)


def measures(task, rows, prediction):
    from sklearn.metrics import log_loss, roc_auc_score

    if task == "regression":
        return {"rmse": float(np.sqrt(np.mean((rows.y - prediction) ** 2)))}
    if task == "ranking":
        return {"ndcg_at_10": ndcg(rows, prediction)}
    prediction = prediction.astype(np.float64)
    if task == "multiclass":
        return {"log_loss": log_loss(rows.y, prediction / prediction.sum(axis=1, keepdims=True))}
    return {"roc_auc": roc_auc_score(rows.y, prediction),
            "log_loss": log_loss(rows.y, prediction)}


def xgboost(data, seed, threads):
    import xgboost as xgb

    def matrix(rows):
        kinds = None
        if rows.categories:
            kinds = ["c" if j in rows.categories else "float" for j in range(rows.x.shape[1])]
        made = xgb.DMatrix(rows.x, rows.y, feature_types=kinds, enable_categorical=bool(kinds))
        if rows.groups:
            made.set_group(rows.groups)
        return made

    objective = {"binary": "binary:logistic", "regression": "reg:squarederror",
                 "multiclass": "multi:softprob", "ranking": "rank:ndcg"}[data.task]
    options = {"objective": objective, "eta": 0.1, "max_depth": 6, "max_bin": 255,
               "reg_lambda": 1, "min_child_weight": 0.1 if data.task == "ranking" else 1,
               "subsample": 0.8, "colsample_bytree": 0.8, "seed": seed, "nthread": threads}
    if data.task == "multiclass":
        options["num_class"] = int(data.train.y.max()) + 1
    return xgb.train(options, matrix(data.train), ROUNDS).predict(matrix(data.test))


def lightgbm(data, seed, threads):
    import lightgbm as lgb

    objective = {"binary": "binary", "regression": "regression", "multiclass": "multiclass",
                 "ranking": "lambdarank"}[data.task]
    options = {"objective": objective, "learning_rate": 0.1, "max_depth": 6, "num_leaves": 64,
               "max_bin": 255, "lambda_l2": 1, "min_data_in_leaf": 0,
               "min_sum_hessian_in_leaf": 0.1 if data.task == "ranking" else 1,
               "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.8, "seed": seed,
               "num_threads": threads, "verbose": -1}
    if data.task == "multiclass":
        options["num_class"] = int(data.train.y.max()) + 1
    made = lgb.Dataset(data.train.x, data.train.y, group=data.train.groups,
                       categorical_feature=data.train.categories or "auto")
    return lgb.train(options, made, ROUNDS).predict(data.test.x)


class Tandem:
    """Keeps a data set in files for the program."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = Path(folder)

    def keep(self, data):
        for name, rows in (("train", data.train), ("test", data.test)):
            if data.task == "ranking":
                queries = np.repeat(np.arange(len(rows.groups)), rows.groups)
                with open(self.folder / f"{name}.svm", "w") as file:
                    for y, query, x in zip(rows.y, queries, rows.x):
                        there = " ".join(f"{j + 1}:{v:.9g}" for j, v in enumerate(x)
                                         if v != 0 or j + 1 == len(x))
                        file.write(f"{y:.9g} qid:{query} {there}\n")
            elif rows.categories:
                with open(self.folder / f"{name}.csv", "w") as file:
                    file.write(",".join(f"x{j}" for j in range(rows.x.shape[1])) + ",y\n")
                    for x, y in zip(rows.x, rows.y):
                        file.write(",".join(f"c{v:.0f}" if j in rows.categories else f"{v:.9g}"
                                            for j, v in enumerate(x)) + f",{y:.9g}\n")
            else:
                np.save(self.folder / f"{name}.npy", np.column_stack([rows.x, rows.y]))

    def measures(self, data, seed, threads):
        ending = ("svm" if data.task == "ranking" else "csv" if data.train.categories else "npy")
        options = {"binary": ["--task", "classification"],
                   "multiclass": ["--task", "classification"],
                   "regression": ["--task", "regression"],
                   "ranking": ["--objective", "rank-ndcg"]}[data.task]
        least = 0.1 if data.task == "ranking" else 1
        if data.task != "ranking":
            options += ["--target", "last"]
        command = [self.program, "train", "gradient-boosting", "--data",
                   self.folder / f"train.{ending}", "--test", self.folder / f"test.{ending}",
                   "--rounds", ROUNDS, "--learning-rate", 0.1, "--max-depth", 6,
                   "--min-child-weight", least, "--subsample", 0.8, "--colsample-bytree", 0.8,
                   "--seed", seed, "--precision", "float32", "--threads", threads, "--json",
                   "--quiet", *options]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
        found = json.loads(done.stdout)["metrics"]["test"]
        wanted = {"binary": ["roc_auc", "log_loss"], "regression": ["rmse"],
                  "multiclass": ["log_loss"], "ranking": ["ndcg_at_10"]}[data.task]
        return {name: found[name] for name in wanted}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--set", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    made = data_sets(options.data)
    for name in options.set or made:
        if name not in made:
            parser.error(f"--set {name}: expected some of {', '.join(made)}")
    print("| data set | measure | Tandem | XGBoost | LightGBM |\n|---|---|---|---|---|")
    for name in options.set or made:
        data = made[name]()
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            tandem = Tandem(options.tandem, folder)
            tandem.keep(data)
            for seed in range(1, options.seeds + 1):
                results = [tandem.measures(data, seed, options.threads)]
                for train in (xgboost, lightgbm):
                    prediction = train(data, seed, options.threads)
                    results.append(measures(data.task, data.test, prediction))
                for who, result in enumerate(results):
                    for measure, value in result.items():
                        found.setdefault(measure, [[], [], []])[who].append(value)
        for measure, values in found.items():
            cells = " | ".join(f"{np.mean(v):.4f} ± {np.std(v):.4f}" for v in values)
            print(f"| {name} | {measure} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
