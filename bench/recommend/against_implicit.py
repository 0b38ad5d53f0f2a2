#!/usr/bin/env python3
"""Recommenders beside implicit: equal data, factors, iterations, solver and regularisation.

Interactions with tastes and a long tail are drawn once. implicit, in this process, and `tandem
recommend train ... --json` then run in turn, after one run of each that does not count; medians are
compared. Tandem's seconds are those of the fit from events in memory, the making of the matrices
in them; implicit is given its matrix. Beside the seconds stand the processor's seconds, which a
machine with other work lengthens less.

  als       128 factors, 10 iterations, 3 steps of conjugate gradients
  top       the 10 best of all items for all users, by the factors that implicit trained, for both
  item-knn  the 50 nearest items by cosine
  quality   NDCG over the whole catalogue of both ALS models on the latest fifth of the events, users
            folded in exactly (--quality)

Usage: against_implicit.py --tandem PROGRAM --top-items PROGRAM [--users 30000] [--items 41000]
           [--events 1200000] [--threads 1 2] [--repeats 3] [--only als top item-knn] [--quality]
Needs numpy, scipy and implicit.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse as sparse

warnings.simplefilter("ignore")  # implicit converts its own matrix

FACTORS, ITERATIONS, REGULARIZATION, ALPHA = 128, 10, 0.05, 2.0


def make(users, items, events):
    """Distinct pairs: users of 20 tastes, items of a long tail, lengths of histories too."""
    random = np.random.default_rng(1)
    tastes = 20
    lengths = np.maximum(3, random.lognormal(0, 1.0, users))
    lengths = np.maximum(1, lengths * events * 1.25 / lengths.sum()).astype(np.int64)
    user = np.repeat(np.arange(users), lengths)
    own = (user % tastes)
    taste = np.where(random.random(len(user)) < 0.7, own, random.integers(0, tastes, len(user)))
    place = (random.random(len(user)) ** 3 * (items // tastes)).astype(np.int64)
    item = taste * (items // tastes) + place
    pairs = np.unique(user * items + item)
    random.shuffle(pairs)
    pairs = pairs[:events]
    return pairs // items, pairs % items, random.permutation(len(pairs))


def timed(run):
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def tandem(arguments, folder, threads, options):
    model = str(folder / "model.tandem")
    run = subprocess.run(
        [arguments.tandem, "recommend", "train", *options, "--data", str(folder / "events.csv"),
         "--model", model, "--threads", str(threads), "--json"],
        capture_output=True, text=True, check=True)
    seconds = json.loads(run.stdout)["seconds"]
    return seconds["train"], seconds["train_processor"]


def report(name, threads, ours, theirs, remark=""):
    """Medians of (seconds, processor seconds)."""
    mine = [statistics.median(run[k] for run in ours) for k in (0, 1)]
    other = [statistics.median(run[k] for run in theirs) for k in (0, 1)]
    print(f"{name:10} {threads} thread{'s' if threads > 1 else ' '}  tandem {mine[0]:8.3f} s "
          f"({mine[1]:.3f} s cpu)  implicit {other[0]:8.3f} s ({other[1]:.3f} s cpu)  "
          f"ratio {other[0] / mine[0]:.2f} (cpu {other[1] / mine[1]:.2f}) {remark}", flush=True)


def als_model(threads):
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(factors=FACTORS, regularization=REGULARIZATION, alpha=1.0,
                                   iterations=ITERATIONS, use_cg=True, num_threads=threads,
                                   random_state=1, dtype=np.float32)


def compare_als(arguments, folder, matrix, threads):
    # implicit's confidence of a value v is v: 1 + alpha for each event.
    weighted = matrix.copy()
    weighted.data[:] = 1 + ALPHA
    options = ["als", "--factors", str(FACTORS), "--iterations", str(ITERATIONS),
               "--regularization", str(REGULARIZATION), "--alpha", str(ALPHA), "--solver", "cg",
               "--cg-steps", "3"]
    ours, theirs, model = [], [], None
    for repeat in range(arguments.repeats + 1):
        model = als_model(threads)
        _, wall, cpu = timed(lambda: model.fit(weighted, show_progress=False))
        mine = tandem(arguments, folder, threads, options)
        if repeat > 0:
            theirs.append((wall, cpu))
            ours.append(mine)
    report("als", threads, ours, theirs)
    return model


def compare_top(arguments, folder, matrix, threads, model):
    users = np.ascontiguousarray(model.user_factors, dtype=np.float32)
    items = np.ascontiguousarray(model.item_factors, dtype=np.float32)
    users.tofile(folder / "users.f32")
    items.tofile(folder / "items.f32")
    model.num_threads = threads
    everybody = np.arange(users.shape[0])
    theirs = []
    for repeat in range(arguments.repeats + 1):
        (ids, _), wall, cpu = timed(
            lambda: model.recommend(everybody, None, N=10, filter_already_liked_items=False))
        if repeat > 0:
            theirs.append((wall, cpu))
    run = subprocess.run(
        [arguments.top_items, str(folder / "users.f32"), str(folder / "items.f32"),
         str(items.shape[1]), "10", str(threads), str(arguments.repeats + 1),
         str(folder / "best.i32")], capture_output=True, text=True, check=True)
    ours = json.loads(run.stdout)["seconds"][1:]
    best = np.fromfile(folder / "best.i32", dtype=np.int32).reshape(-1, 10)
    same = np.mean([len(set(a) & set(b)) for a, b in zip(best.tolist(), ids.tolist())]) / 10
    flops = 2.0 * users.shape[0] * items.shape[0] * users.shape[1]
    seconds = statistics.median(run[0] for run in ours)
    report("top", threads, ours, theirs,
           f"{100 * same:.2f} % the same items, {flops / seconds / 1e9:.0f} Gflop/s of all scores")


def compare_item_knn(arguments, folder, matrix, threads):
    from implicit.nearest_neighbours import CosineRecommender

    ours, theirs = [], []
    for repeat in range(arguments.repeats + 1):
        model = CosineRecommender(K=50, num_threads=threads)
        _, wall, cpu = timed(lambda: model.fit(matrix, show_progress=False))
        mine = tandem(arguments, folder, threads, ["item-knn", "--neighbours", "50"])
        if repeat > 0:
            theirs.append((wall, cpu))
            ours.append(mine)
    report("item-knn", threads, ours, theirs)


def full_ndcg(model, matrix, test_users, test_items):
    """NDCG over the whole catalogue, users folded in exactly, as tandem recommend evaluate does."""
    y = model.item_factors.astype(np.float64)
    gram = y.T @ y + REGULARIZATION * np.eye(y.shape[1])
    order = np.argsort(test_users, kind="stable")
    test_users, test_items = test_users[order], test_items[order]
    starts = np.flatnonzero(np.r_[True, test_users[1:] != test_users[:-1]])
    total, count = 0.0, 0
    for start, end in zip(starts, np.r_[starts[1:], len(test_users)]):
        user = test_users[start]
        history = matrix.indices[matrix.indptr[user]:matrix.indptr[user + 1]]
        relevant = np.setdiff1d(test_items[start:end], history)
        if len(history) == 0 or len(relevant) == 0:
            continue
        own = y[history]
        x = np.linalg.solve(gram + ALPHA * own.T @ own, (1 + ALPHA) * own.sum(axis=0))
        scores = y @ x
        scores[history] = -np.inf
        ranks = 1 + np.array([np.count_nonzero(scores > scores[i]) for i in relevant])
        ideal = np.sum(1 / np.log2(np.arange(1, len(relevant) + 1) + 1))
        total += np.sum(1 / np.log2(ranks + 1)) / ideal
        count += 1
    return total / count, count


def compare_quality(arguments, folder, user, item, when, shape):
    # The rule of a split by time with a share of 0.2, times being 0 .. n − 1.
    known = when < len(when) - round(0.2 * len(when))
    matrix = sparse.csr_matrix((np.full(known.sum(), 1 + ALPHA, dtype=np.float32),
                                (user[known], item[known])), shape=shape)
    model = als_model(0)
    model.fit(matrix, show_progress=False)
    theirs, users = full_ndcg(model, matrix, user[~known], item[~known])
    run = subprocess.run(
        [arguments.tandem, "recommend", "evaluate", "als", "--data", str(folder / "events.csv"),
         "--split", "time", "--test-fraction", "0.2", "--full-ranking", "--factors", str(FACTORS),
         "--iterations", str(ITERATIONS), "--regularization", str(REGULARIZATION), "--alpha",
         str(ALPHA), "--json"], capture_output=True, text=True, check=True)
    result = json.loads(run.stdout)
    ours = result["metrics"]["ndcg"]
    print(f"quality    NDCG over the whole catalogue: tandem {ours['value']:.5f} "
          f"[{ours['low']:.5f}, {ours['high']:.5f}] of {result['users']} users, implicit "
          f"{theirs:.5f} of {users}; difference {100 * (ours['value'] / theirs - 1):+.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--top-items", required=True)
    parser.add_argument("--users", type=int, default=30000)
    parser.add_argument("--items", type=int, default=41000)
    parser.add_argument("--events", type=int, default=1200000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["als", "top", "item-knn"])
    parser.add_argument("--quality", action="store_true")
    arguments = parser.parse_args()
    user, item, when = make(arguments.users, arguments.items, arguments.events)
    shape = (arguments.users, arguments.items)
    matrix = sparse.csr_matrix((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)
    print(f"{shape[0]} users, {shape[1]} items, {matrix.nnz} events", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open(folder / "events.csv", "w") as file:
            file.write("user,item,time\n")
            for u, i, t in zip(user.tolist(), item.tolist(), when.tolist()):
                file.write(f"u{u:07},i{i:07},{t}\n")
        for threads in arguments.threads:
            model = None
            if "als" in arguments.only or "top" in arguments.only:
                model = compare_als(arguments, folder, matrix, threads)
            if "top" in arguments.only:
                compare_top(arguments, folder, matrix, threads, model)
            if "item-knn" in arguments.only:
                compare_item_knn(arguments, folder, matrix, threads)
        if arguments.quality:
            compare_quality(arguments, folder, user, item, when, shape)


if __name__ == "__main__":
    main()
