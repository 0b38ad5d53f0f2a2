#!/usr/bin/env python3
"""How well fraud is found, beside other models on the same features, and what each layer adds.

For each seed: tandem fraud simulate, then tandem fraud train --features-out, whose rows (features as
of each transaction's time, labels as known when the test days begin, the split by time) every model
is trained on. Average precision and the precision of the highest scores of each test day, as many as
the review budget; mean and standard deviation over the seeds.

    quality.py --tandem PROGRAM [--seeds 5] [--users 10000] [--days 30] [--layer-seeds 5]
               [--json FILE]

Needs numpy; logistic regression and random forest need scikit-learn, XGBoost needs xgboost: what is
not installed is said and left out.
"""

import argparse
import importlib.util
import json
import pathlib
import statistics
import subprocess
import tempfile

import numpy

LAYERS = ["transaction", "behaviour", "velocity", "geography", "device", "network", "feedback"]
# What follows the features in the file of --features-out.
EXTRA = ["part", "fraud", "known", "day", "amount", "scenario", "model", "rules", "velocity",
         "device", "network", "risk"]


def average_precision(scores, truth):
    """Ties are one point, as sklearn.metrics.average_precision_score has it."""
    order = numpy.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last = numpy.r_[scores[1:] != scores[:-1], True]
    found = numpy.cumsum(truth)[last]
    precision = found / (numpy.flatnonzero(last) + 1)
    recall = found / truth.sum()
    return float(numpy.sum(numpy.diff(numpy.r_[0, recall]) * precision))


def precision_at(scores, truth, days, budget):
    """Mean over days of the share of fraud among the `budget` highest scores of the day."""
    shares = []
    for day in numpy.unique(days):
        mine = days == day
        top = numpy.argsort(-scores[mine], kind="stable")[:max(1, round(budget))]
        shares.append(truth[mine][top].mean())
    return float(numpy.mean(shares))


def peers(seed, train, known, validation, known_validation, test):
    """Scores of the test rows by other libraries' models."""
    if importlib.util.find_spec("sklearn"):
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import QuantileTransformer
        # Ranks, as sums and ratios are far from normal.
        linear = make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            QuantileTransformer(output_distribution="normal", random_state=seed),
            LogisticRegression(max_iter=500, C=0.1))
        linear.fit(train, known)
        yield "logistic regression (scikit-learn)", linear.predict_proba(test)[:, 1]
        forest = make_pipeline(
            SimpleImputer(strategy="constant", fill_value=-1, keep_empty_features=True),
            RandomForestClassifier(100, min_samples_leaf=3, random_state=seed, n_jobs=1))
        forest.fit(train, known)
        yield "random forest (scikit-learn)", forest.predict_proba(test)[:, 1]
    if importlib.util.find_spec("xgboost"):
        import xgboost
        booster = xgboost.XGBClassifier(
            n_estimators=300, learning_rate=0.05, max_depth=6, subsample=0.8,
            colsample_bytree=0.6, min_child_weight=2, early_stopping_rounds=30, tree_method="hist",
            random_state=seed, n_jobs=1)
        booster.fit(train, known, eval_set=[(validation, known_validation)], verbose=False)
        yield "XGBoost", booster.predict_proba(test)[:, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--layer-seeds", type=int, default=5,
                        help="seeds for which the layers are trained one on top of the other")
    parser.add_argument("--users", type=int, default=10000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--fraud", type=float, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    for needed in ("sklearn", "xgboost"):
        if not importlib.util.find_spec(needed):
            print(f"{needed} is not installed: its models are left out")
    tandem = str(pathlib.Path(arguments.tandem).resolve())
    results = {}

    def keep(name, scores, truth, days, budget):
        results.setdefault(name, []).append(
            (average_precision(scores, truth), precision_at(scores, truth, days, budget)))
        print(f"  {name}: {results[name][-1][0]:.4f} {results[name][-1][1]:.3f}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        def run(*words):
            return subprocess.run([tandem, "fraud", *map(str, words)], cwd=scratch, check=True,
                                  stdout=subprocess.PIPE, text=True).stdout

        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            print(f"seed {seed}", flush=True)
            run("simulate", "--days", arguments.days, "--users", arguments.users, "--fraud",
                arguments.fraud, "--seed", seed, "--out", "f.csv", "--force")

            def train(layers, name):
                words = ["train", "--data", "f.csv", "--model", "m.tandem", "--features-out",
                         "x.npy", "--threads", arguments.threads, "--seed", seed, "--quiet",
                         "--json", "--force"]
                report = json.loads(run(*words, *(["--layers", ",".join(layers)] if layers else [])))
                rows = numpy.load(pathlib.Path(scratch) / "x.npy", mmap_mode="r")
                test = numpy.flatnonzero(rows[:, -12] == 4)
                extra = {each: numpy.asarray(rows[:, i - 12]) for i, each in enumerate(EXTRA)}
                truth, days = extra["fraud"][test], extra["day"][test]
                keep(name, extra["model"][test], truth, days, report["budget"])
                return rows, extra, test, truth, days, report["budget"]

            rows, extra, test, truth, days, budget = train([], "gradient boosting (Tandem)")
            keep("parts: rules", extra["rules"][test], truth, days, budget)
            for part in ("velocity", "device", "network"):
                keep(f"parts: {part}", extra[part][test], truth, days, budget)
            keep("parts: all put together with the model", extra["risk"][test], truth, days, budget)
            features = numpy.asarray(rows[:, :-12])
            fit = numpy.flatnonzero(extra["part"] == 1)
            held = numpy.flatnonzero(extra["part"] == 2)
            for name, scores in peers(seed, features[fit], extra["known"][fit], features[held],
                                      extra["known"][held], features[test]):
                keep(name, scores, truth, days, budget)
            for count in range(1, len(LAYERS) + 1 if seed <= arguments.layer_seeds else 1):
                train(LAYERS[:count], "layers: + " + LAYERS[count - 1])

    table = {}
    print("\n| what | average precision | precision at the budget |\n| --- | --- | --- |")
    for name, pairs in results.items():
        columns = []
        for each in zip(*pairs):
            deviation = statistics.stdev(each) if len(each) > 1 else 0
            columns.append((statistics.mean(each), deviation))
        table[name] = {"average_precision": columns[0], "precision_at_budget": columns[1]}
        print(f"| {name} | {columns[0][0]:.3f} ± {columns[0][1]:.3f} | "
              f"{columns[1][0]:.3f} ± {columns[1][1]:.3f} |")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
