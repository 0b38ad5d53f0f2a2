#!/usr/bin/env python3
"""Random forests and extra-trees beside scikit-learn, scikit-learn-intelex and LightGBM.

Equal rows (those of against_boosters.py), trees of unlimited depth; for two classes the square root
of the features at each split, for values all of them. Tandem's exact splitter and scikit-learn grow exact trees, the others go
by 255 or 256 bins; LightGBM's are cut off at 20,000 leaves. Each is trained in turn, after one run
of each that does not count, each time with another seed, and medians are compared. Seconds are those
of training from data in memory, with sorting or binning in them. Beside them stand the processor's
seconds, which a machine with other work lengthens less, and the area under the curve, or the root
mean squared error, of the test rows: mean and standard deviation over the seeds.

Usage: against_forests.py --tandem PROGRAM [--rows 100000] [--features 28] [--trees 100]
           [--task binary|regression] [--forest random-forest extra-trees] [--threads 1 2]
           [--repeats 5]
           [--splitter exact histogram] [--peer scikit-learn scikit-learn-intelex lightgbm]
Needs numpy and scikit-learn, and scikit-learn-intelex or lightgbm where they are named.
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

from against_boosters import make


def sklearn_forest(ensemble, task, forest, trees, threads, seed, x, y):
    """Of scikit-learn's classes, or those of who takes their place."""
    classes = {("binary", "random-forest"): ensemble.RandomForestClassifier,
               ("binary", "extra-trees"): ensemble.ExtraTreesClassifier,
               ("regression", "random-forest"): ensemble.RandomForestRegressor,
               ("regression", "extra-trees"): ensemble.ExtraTreesRegressor}
    model = classes[task, forest](n_estimators=trees, n_jobs=threads, random_state=seed).fit(x, y)
    return model.predict if task == "regression" else lambda t: model.predict_proba(t)[:, 1]


def scikit_learn(task, forest, trees, threads, seed, x, y):
    from sklearn import ensemble

    return sklearn_forest(ensemble, task, forest, trees, threads, seed, x, y)


def scikit_learn_intelex(task, forest, trees, threads, seed, x, y):
    import daal4py
    from sklearnex import ensemble

    daal4py.daalinit(threads)
    return sklearn_forest(ensemble, task, forest, trees, threads, seed, x, y)


def lightgbm(task, forest, trees, threads, seed, x, y):
    import lightgbm as lgb

    options = {"objective": task, "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.632,
               "feature_fraction_bynode": x.shape[1] ** -0.5 if task == "binary" else 1,
               "num_leaves": 20000, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0,
               "max_bin": 255, "num_threads": threads, "seed": seed, "verbose": -1,
               "extra_trees": forest == "extra-trees"}
    return lgb.train(options, lgb.Dataset(x, y), trees).predict


PEERS = {"scikit-learn": scikit_learn, "scikit-learn-intelex": scikit_learn_intelex,
         "lightgbm": lightgbm}


def run_tandem(program, folder, task, forest, splitter, trees, threads, seed):
    command = [program, "train", forest, "--data", folder / "train.npy", "--test",
               folder / "test.npy", "--target", "last", "--task",
               "regression" if task == "regression" else "classification", "--trees", trees,
               "--precision", "float32", "--threads", threads, "--seed", seed, "--json",
               "--quiet"]
    if forest == "random-forest":
        command += ["--splitter", splitter]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    result = json.loads(done.stdout)
    metric = "rmse" if task == "regression" else "roc_auc"
    return (result["seconds"]["train"], result["processor_seconds"]["train"],
            result["metrics"]["test"][metric])


def quality(task, truth, prediction):
    from sklearn.metrics import roc_auc_score

    if task == "regression":
        return np.sqrt(np.mean((truth - prediction) ** 2))
    return roc_auc_score(truth, prediction)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--features", type=int, default=28)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--task", default="binary", choices=["binary", "regression"])
    forests = ["random-forest", "extra-trees"]
    parser.add_argument("--forest", nargs="+", default=forests, choices=forests)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    splitters = ["exact", "histogram"]
    parser.add_argument("--splitter", nargs="+", default=splitters, choices=splitters)
    parser.add_argument("--peer", nargs="+", default=["scikit-learn"], choices=list(PEERS))
    options = parser.parse_args()
    x, y = make(options.rows + 20000, options.features, options.task)
    train_x, train_y, test_x, test_y = (x[:options.rows], y[:options.rows], x[options.rows:],
                                        y[options.rows:])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "train.npy", np.column_stack([train_x, train_y]))
        np.save(folder / "test.npy", np.column_stack([test_x, test_y]))
        for forest in options.forest:
            for threads in options.threads:
                # Extra-trees draw thresholds: there is nothing to choose between.
                ours = {f"tandem {splitter}": splitter for splitter in options.splitter
                        if forest == "random-forest" or splitter == "exact"}
                seconds = {who: [] for who in [*ours, *options.peer]}
                processor = {who: [] for who in seconds}
                scores = {who: [] for who in seconds}
                for seed in range(options.repeats + 1):
                    for who in seconds:
                        if who in ours:
                            took, used, score = run_tandem(options.tandem, folder, options.task, forest,
                                                           ours[who], options.trees, threads,
                                                           seed)
                        else:
                            start, before = time.perf_counter(), time.process_time()
                            predict = PEERS[who](options.task, forest, options.trees, threads, seed,
                                                 train_x, train_y)
                            took = time.perf_counter() - start
                            used = time.process_time() - before
                            score = quality(options.task, test_y, predict(test_x))
                        if seed > 0:
                            seconds[who].append(took)
                            processor[who].append(used)
                            scores[who].append(score)
                median = {who: statistics.median(values) for who, values in seconds.items()}
                fastest = min((value for who, value in median.items() if who not in ours),
                              default=float("nan"))
                print(f"{options.rows} x {options.features}, {options.task}, {forest}, "
                      f"{options.trees} trees, {threads} threads:")
                measure = "RMSE" if options.task == "regression" else "AUC"
                for who, value in median.items():
                    mean = statistics.fmean(scores[who])
                    spread = statistics.stdev(scores[who]) if options.repeats > 1 else 0.0
                    line = (f"  {who:20} {value:8.3f} s  "
                            f"{statistics.median(processor[who]):8.3f} s of processors  "
                            f"{measure} {mean:.5f} ± {spread:.5f}")
                    if who in ours:
                        line += f"  {fastest / value:.2f} times as fast as the fastest other"
                    print(line, flush=True)


if __name__ == "__main__":
    main()
