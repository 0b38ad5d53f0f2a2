#!/usr/bin/env python3
"""Recommenders beside implicit: equal data, factors, iterations, solver and regularisation.

Interactions with tastes and a long tail are drawn once per shape. implicit, in this process, and
`tandem recommend train ... --json` then run in turn, after one run of each that does not count;
medians are compared. Tandem's seconds are those of the fit from events in memory, the making of the
matrices in them; implicit is given its matrix. What decides are the processor's seconds, which a
machine with other work lengthens less.

  als       128 factors, 10 iterations, 3 steps of conjugate gradients
  top       the 10 best of all items for all users, by the factors that implicit trained, for both
  item-knn  the 50 nearest items by cosine
  bpr       64 factors, 20 passes, items compared with as likely as they have users
  quality   for each of --seeds the data are drawn anew, models trained on the earlier four fifths
            and measured on the rest, with the same metric for all: NDCG@10 and over the whole
            catalogue, users folded in (Tandem), exactly folded in (implicit's ALS) or as trained
            (implicit's BPR); EASE and SLIM beside the same by NumPy and scikit-learn

Beside the seconds stands a floor: the operations that the method asks for at the speed of a matrix
product of one thread, or, for item-knn, its additions at one a cycle, of which Tandem needs so much.

Usage: against_implicit.py --tandem PROGRAM --top-items PROGRAM [--shapes small large]
           [--threads 1 2] [--repeats 3] [--only als top item-knn bpr] [--seeds 5]
Needs numpy, scipy, implicit and, for SLIM's peer, scikit-learn. small is 30,000 users, 41,000 items
and 1.2 million events; large 140,000, 27,000 and 20 million; tiny, to try the script, 3,000, 2,000
and 90,000. Prints the tables of docs/recommend.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy.sparse as sparse

warnings.simplefilter("ignore")  # implicit converts its own matrix

FACTORS, ITERATIONS, CG_STEPS, REGULARIZATION, ALPHA = 128, 10, 3, 0.05, 2.0
BPR = {"factors": 64, "iterations": 20, "rate": 0.05, "regularization": 0.01}
SHAPES = {"small": (30000, 41000, 1200000), "large": (140000, 27000, 20000000),
          "tiny": (3000, 2000, 90000)}
QUALITY_SHAPE = (6000, 3000, 240000)


def make(users, items, events, seed=1):
    """Distinct pairs: users of 20 tastes, items of a long tail, lengths of histories too."""
    random = np.random.default_rng(seed)
    tastes = 20
    lengths = np.maximum(3, random.lognormal(0, 1.0, users))
    lengths = np.maximum(1, lengths * events * 1.25 / lengths.sum()).astype(np.int64)
    while True:
        user = np.repeat(np.arange(users), lengths)
        own = user % tastes
        taste = np.where(random.random(len(user)) < 0.7, own, random.integers(0, tastes, len(user)))
        place = (random.random(len(user)) ** 3 * (items // tastes)).astype(np.int64)
        pairs = np.unique(user * items + taste * (items // tastes) + place)
        if len(pairs) >= events:
            break
        # Long histories draw the same items again: more of each.
        lengths = (lengths * 1.3).astype(np.int64) + 1
    random.shuffle(pairs)
    pairs = pairs[:events]
    return pairs // items, pairs % items, random.permutation(len(pairs))


def write_events(path, user, item, when):
    with open(path, "w") as file:
        file.write("user,item,time\n")
        for first in range(0, len(user), 1000000):
            part = slice(first, first + 1000000)
            file.write("".join(f"u{u:07},i{i:07},{t}\n" for u, i, t in zip(
                user[part].tolist(), item[part].tolist(), when[part].tolist())))


def timed(run):
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def machine():
    """Floating-point operations a second of one thread in a matrix product, additions a second."""
    a = np.ones((1024, 1024), dtype=np.float32)
    best = min(timed(lambda: a @ a)[2] for _ in range(5))
    with open("/proc/cpuinfo") as file:
        hertz = [float(line.split(":")[1]) * 1e6 for line in file if line.startswith("cpu MHz")]
    return 2 * 1024**3 / best, max(hertz, default=2e9)


def tandem(arguments, folder, threads, options):
    model = str(folder / "model.tandem")
    run = subprocess.run(
        [arguments.tandem, "recommend", "train", *options, "--data", str(folder / "events.csv"),
         "--model", model, "--threads", str(threads), "--json"],
        capture_output=True, text=True, check=True)
    seconds = json.loads(run.stdout)["seconds"]
    return seconds["train"], seconds["train_processor"]


ROWS = []


def report(name, threads, ours, theirs, floor, remark=""):
    """Medians of (seconds, processor seconds); floor: processor seconds."""
    mine = [statistics.median(run[k] for run in ours) for k in (0, 1)]
    other = [statistics.median(run[k] for run in theirs) for k in (0, 1)]
    ROWS.append(f"| {name} | {threads} | {mine[1]:.2f} s | {other[1]:.2f} s | "
                f"{other[1] / mine[1]:.1f} | {other[0] / mine[0]:.1f} | "
                f"{floor:.2f} s, {100 * floor / mine[1]:.0f} % |")
    print(f"  {name}, {threads} thread(s): tandem {mine[1]:.3f} s cpu ({mine[0]:.3f} s), implicit "
          f"{other[1]:.3f} s cpu ({other[0]:.3f} s), {other[1] / mine[1]:.2f} times {remark}",
          file=sys.stderr, flush=True)


def als_model(threads, seed=1):
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(factors=FACTORS, regularization=REGULARIZATION, alpha=1.0,
                                   iterations=ITERATIONS, use_cg=True, num_threads=threads,
                                   random_state=seed, dtype=np.float32)


def compare_als(arguments, folder, matrix, threads, peak):
    # implicit's confidence of a value v is v: 1 + alpha for each event.
    weighted = matrix.copy()
    weighted.data[:] = 1 + ALPHA
    options = ["als", "--factors", str(FACTORS), "--iterations", str(ITERATIONS),
               "--regularization", str(REGULARIZATION), "--alpha", str(ALPHA), "--solver", "cg",
               "--cg-steps", str(CG_STEPS)]
    ours, theirs, model = [], [], None
    for repeat in range(arguments.repeats + 1):
        model = als_model(threads)
        _, wall, cpu = timed(lambda: model.fit(weighted, show_progress=False))
        mine = tandem(arguments, folder, threads, options)
        if repeat > 0:
            theirs.append((wall, cpu))
            ours.append(mine)
    # Products with YᵀY and two passes over the factors of each rating, steps + 1 times, and YᵀY.
    rows = sum(matrix.shape)
    flops = ITERATIONS * ((CG_STEPS + 1) * (2 * rows * FACTORS**2 + 8 * matrix.nnz * FACTORS)
                          + 2 * rows * FACTORS**2)
    report(f"ALS, {FACTORS} factors, {ITERATIONS} iterations", threads, ours, theirs,
           flops / peak[0])
    return model


def compare_top(arguments, folder, matrix, threads, model, peak):
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
    report("10 best of all items for all users", threads, ours, theirs, flops / peak[0],
           f"{100 * same:.2f} % the same items")


def compare_item_knn(arguments, folder, matrix, threads, peak):
    from implicit.nearest_neighbours import CosineRecommender

    ours, theirs = [], []
    for repeat in range(arguments.repeats + 1):
        model = CosineRecommender(K=50, num_threads=threads)
        _, wall, cpu = timed(lambda: model.fit(matrix, show_progress=False))
        mine = tandem(arguments, folder, threads, ["item-knn", "--neighbours", "50"])
        if repeat > 0:
            theirs.append((wall, cpu))
            ours.append(mine)
    additions = float(np.sum(np.diff(matrix.indptr).astype(np.float64) ** 2))
    report("item-kNN, 50 neighbours", threads, ours, theirs, additions / peak[1])


def bpr_model(threads, seed):
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return BayesianPersonalizedRanking(
        factors=BPR["factors"], learning_rate=BPR["rate"], regularization=BPR["regularization"],
        iterations=BPR["iterations"], verify_negative_samples=True, num_threads=threads,
        random_state=seed)


def bpr_options(seed):
    return ["bpr", "--factors", str(BPR["factors"]), "--learning-rate", str(BPR["rate"]),
            "--regularization", str(BPR["regularization"]), "--iterations", str(BPR["iterations"]),
            "--negatives", "popular", "--seed", str(seed)]


def compare_bpr(arguments, folder, matrix, threads, peak):
    ours, theirs = [], []
    for repeat in range(arguments.repeats + 1):
        model = bpr_model(threads, 1)
        _, wall, cpu = timed(lambda: model.fit(matrix, show_progress=False))
        mine = tandem(arguments, folder, threads, bpr_options(1))
        if repeat > 0:
            theirs.append((wall, cpu))
            ours.append(mine)
    flops = BPR["iterations"] * 13.0 * matrix.nnz * BPR["factors"]
    report(f"BPR, {BPR['factors']} factors, {BPR['iterations']} passes", threads, ours, theirs,
           flops / peak[0])


class Peers:
    """What others answer: scores of all items for a user, by the history that training knew."""

    def __init__(self, matrix, seed):
        self.matrix = matrix
        self.seed = seed

    def als(self):
        weighted = self.matrix.copy()
        weighted.data[:] = 1 + ALPHA
        model = als_model(0, self.seed)
        model.fit(weighted, show_progress=False)
        y = model.item_factors.astype(np.float64)
        gram = y.T @ y + REGULARIZATION * np.eye(y.shape[1])

        def scores(user, history):
            own = y[history]
            return y @ np.linalg.solve(gram + ALPHA * own.T @ own, (1 + ALPHA) * own.sum(axis=0))

        return scores

    def bpr(self):
        # One thread: with more its updates race.
        model = bpr_model(1, self.seed)
        model.fit(self.matrix, show_progress=False)
        return lambda user, history: model.item_factors @ model.user_factors[user]

    def item_knn(self):
        from implicit.nearest_neighbours import CosineRecommender

        model = CosineRecommender(K=50)
        model.fit(self.matrix, show_progress=False)
        similarity = model.similarity.tolil()
        similarity.setdiag(0)
        similarity = similarity.tocsr()
        return lambda user, history: np.asarray(similarity[history].sum(axis=0)).ravel()

    def ease(self):
        gram = (self.matrix.T @ self.matrix).toarray().astype(np.float64)
        inverse = np.linalg.inv(gram + 250 * np.eye(gram.shape[0]))
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return lambda user, history: weights[history].sum(axis=0)

    def slim(self):
        from sklearn.linear_model import ElasticNet

        users, items = self.matrix.shape
        x = self.matrix.tocsc().astype(np.float64)
        weights = sparse.lil_matrix((items, items))
        # Its objective is divided by the number of users.
        alpha, share = (1 + 10) / users, 1 / (1 + 10)
        net = ElasticNet(alpha=alpha, l1_ratio=share, positive=True, fit_intercept=False,
                         copy_X=False, selection="cyclic", max_iter=100, tol=1e-4)
        for item in range(items):
            target = x[:, item].toarray().ravel()
            begin, end = x.indptr[item], x.indptr[item + 1]
            kept = x.data[begin:end].copy()
            x.data[begin:end] = 0
            net.fit(x, target)
            x.data[begin:end] = kept
            weights[:, item] = sparse.lil_matrix(net.sparse_coef_.T)
        weights = weights.tocsr()
        return lambda user, history: np.asarray(weights[history].sum(axis=0)).ravel()


def ndcg_of(scores_of, matrix, test_users, test_items):
    """NDCG@10 and over the whole catalogue, by the rules of tandem recommend evaluate."""
    order = np.argsort(test_users, kind="stable")
    test_users, test_items = test_users[order], test_items[order]
    starts = np.flatnonzero(np.r_[True, test_users[1:] != test_users[:-1]])
    known = np.diff(matrix.tocsc().indptr) > 0
    short, full = [], []
    for start, end in zip(starts, np.r_[starts[1:], len(test_users)]):
        user = test_users[start]
        history = matrix.indices[matrix.indptr[user]:matrix.indptr[user + 1]]
        relevant = np.setdiff1d(test_items[start:end], history)
        if len(history) == 0 or len(relevant) == 0:
            continue
        scores = np.asarray(scores_of(user, history), dtype=np.float64).copy()
        scores[history] = -np.inf
        scores[~known] = -np.inf
        # Ties go to the lowest item.
        ranks = np.array([1 + np.count_nonzero(scores > scores[i])
                          + np.count_nonzero(scores[:i] == scores[i]) for i in relevant])
        gains = np.where(np.isfinite(scores[relevant]), 1 / np.log2(ranks + 1), 0)
        ideal = 1 / np.log2(np.arange(1, len(relevant) + 1) + 1)
        full.append(gains.sum() / ideal.sum())
        short.append(gains[ranks <= 10].sum() / ideal[:10].sum())
    return np.mean(short), np.mean(full)


def compare_quality(arguments):
    kinds = {
        "als": lambda seed: ["als", "--factors", str(FACTORS), "--iterations", str(ITERATIONS),
                             "--regularization", str(REGULARIZATION), "--alpha", str(ALPHA),
                             "--solver", "cg", "--cg-steps", str(CG_STEPS), "--seed", str(seed)],
        "bpr": bpr_options,
        "item-knn": lambda seed: ["item-knn", "--neighbours", "50"],
        "ease": lambda seed: ["ease", "--regularization", "250"],
        "slim": lambda seed: ["slim", "--l1-regularization", "1", "--l2-regularization", "10"],
    }
    found = {kind: [] for kind in kinds}
    for seed in range(1, arguments.seeds + 1):
        user, item, when = make(*QUALITY_SHAPE, seed=seed)
        # The rule of a split by time with a share of 0.2, times being 0 .. n − 1.
        known = when < len(when) - round(0.2 * len(when))
        matrix = sparse.csr_matrix((np.ones(known.sum(), dtype=np.float32),
                                    (user[known], item[known])), shape=QUALITY_SHAPE[:2])
        peers = Peers(matrix, seed)
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "events.csv"
            write_events(path, user, item, when)
            for kind, options in kinds.items():
                run = subprocess.run(
                    [arguments.tandem, "recommend", "evaluate", *options(seed), "--data", str(path),
                     "--split", "time", "--test-fraction", "0.2", "--full-ranking", "--at", "10",
                     "--json"], capture_output=True, text=True, check=True)
                metrics = json.loads(run.stdout)["metrics"]
                ours = metrics["ndcg@10"]["value"], metrics["ndcg"]["value"]
                theirs = ndcg_of(getattr(peers, kind.replace("-", "_"))(), matrix, user[~known],
                                 item[~known])
                found[kind].append((*ours, *theirs))
                print(f"  quality, seed {seed}, {kind}: NDCG@10 {ours[0]:.5f} and {theirs[0]:.5f}, "
                      f"whole {ours[1]:.5f} and {theirs[1]:.5f}", file=sys.stderr, flush=True)
    print(f"\nQuality, {arguments.seeds} seeds of {QUALITY_SHAPE[0]} users, {QUALITY_SHAPE[1]} items, "
          f"{QUALITY_SHAPE[2]} events: mean ± standard deviation over the seeds\n")
    print("| | NDCG@10 | peer | NDCG, whole catalogue | peer | differs by |")
    print("| --- | --: | --: | --: | --: | --: |")
    peer_of = {"als": "implicit", "bpr": "implicit", "item-knn": "implicit", "ease": "NumPy",
               "slim": "scikit-learn"}
    for kind, rows in found.items():
        rows = np.array(rows)
        middle, spread = rows.mean(axis=0), rows.std(axis=0, ddof=1) if len(rows) > 1 else 0 * rows[0]
        cells = [f"{middle[k]:.4f} ± {spread[k]:.4f}" for k in range(4)]
        print(f"| {kind} ({peer_of[kind]}) | {cells[0]} | {cells[2]} | {cells[1]} | {cells[3]} | "
              f"{100 * (middle[1] / middle[3] - 1):+.2f} % |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tandem", required=True)
    parser.add_argument("--top-items", required=True)
    parser.add_argument("--shapes", nargs="*", choices=sorted(SHAPES), default=["small", "large"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["als", "top", "item-knn", "bpr"])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    peak = machine()
    print(f"Matrix product of one thread: {peak[0] / 1e9:.0f} Gflop/s; clock {peak[1] / 1e9:.2f} GHz")
    for shape in arguments.shapes:
        users, items, events = SHAPES[shape]
        user, item, when = make(users, items, events)
        matrix = sparse.csr_matrix((np.ones(len(user), dtype=np.float32), (user, item)),
                                   shape=(users, items))
        ROWS.clear()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_events(folder / "events.csv", user, item, when)
            for threads in arguments.threads:
                model = None
                if "als" in arguments.only or "top" in arguments.only:
                    model = compare_als(arguments, folder, matrix, threads, peak)
                if "top" in arguments.only:
                    compare_top(arguments, folder, matrix, threads, model, peak)
                if "item-knn" in arguments.only:
                    compare_item_knn(arguments, folder, matrix, threads, peak)
                if "bpr" in arguments.only:
                    compare_bpr(arguments, folder, matrix, threads, peak)
        print(f"\n{users} users, {items} items, {matrix.nnz} events; processor seconds, medians of "
              f"{arguments.repeats}\n")
        print("| | threads | Tandem | implicit | times | times by the clock | floor, share |")
        print("| --- | --: | --: | --: | --: | --: | --: |")
        print("\n".join(ROWS), flush=True)
    if arguments.seeds > 0:
        compare_quality(arguments)


if __name__ == "__main__":
    main()
