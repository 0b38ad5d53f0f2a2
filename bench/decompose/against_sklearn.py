#!/usr/bin/env python3
"""Principal components beside scikit-learn's (and scikit-learn-intelex's, where that is installed),
through the program: a pipeline whose only step is `--pca K`, on made tables.

    against_sklearn.py [--program tandem] [--runs N] [--threads N] [--peers scikit-learn,intelex]

Tandem's times are those that `tandem train --json` says of processor time, of the fit of the step
and of one k-means iteration from given centres behind it, which is subtracted as a run without the
step; the others' are processor time of PCA(K).fit_transform in a process of its own. Both read the
same float64 rows from a .npy file. Quality is the share of the variance that the components explain:
the largest difference is shown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

# rows, columns, components
SHAPES = ((100000, 20, 5), (200000, 100, 10), (5000, 500, 20), (200, 5000, 20))

PEER = """
import json, sys, time
import numpy as np
if sys.argv[3] == "intelex":
    from sklearnex.decomposition import PCA
else:
    from sklearn.decomposition import PCA
x = np.load(sys.argv[1])
k = int(sys.argv[2])
best = float("inf")
for _ in range(int(sys.argv[4])):
    before = time.process_time()
    pca = PCA(k)
    pca.fit_transform(x)
    best = min(best, time.process_time() - before)
print(json.dumps({"seconds": best, "ratio": pca.explained_variance_ratio_.tolist()}))
"""


def made(rows, columns):
    """Rows with a few strong directions and noise, columns of several sizes."""
    random = np.random.default_rng(4)
    common = random.normal(size=(rows, 8)) * 2.0 ** -np.arange(8)
    return (common @ random.normal(size=(8, columns)) + 0.1 * random.normal(size=(rows, columns))
            + random.normal(size=columns) * 100)


def trained(arguments, data, folder, step):
    model = os.path.join(folder, "pca.model")
    command = [arguments.program, "train", "kmeans", "--data", data, "--clusters", "1", "--starts", "1",
               "--max-iterations", "1", "--threads", str(arguments.threads), "--model", model, "--json",
               "--quiet", "--force", *step]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout), model


def ours(arguments, data, folder, components):
    step = ["--pca", str(components)]
    with_step = min((trained(arguments, data, folder, step) for _ in range(arguments.runs)),
                    key=lambda run: run[0]["processor_seconds"]["train"])
    without = min(trained(arguments, data, folder, [])[0]["processor_seconds"]["train"]
                  for _ in range(arguments.runs))
    pca = next(one for one in with_step[0]["transforms"] if one["transform"] == "pca")
    return (with_step[0]["processor_seconds"]["train"] - without,
            [one["explained_variance_ratio"] for one in pca["components"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default="build/release/apps/tandem")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", default="scikit-learn")
    arguments = parser.parse_args()
    threads = {f"{name}_NUM_THREADS": str(arguments.threads) for name in ("OMP", "OPENBLAS", "MKL")}
    print(f"{'rows':>8} {'columns':>8} {'K':>4} {'of':14} {'seconds':>9} {'ratio differs by':>17}")
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "rows.npy")
        for rows, columns, components in SHAPES:
            np.save(data, made(rows, columns))
            seconds, ratio = ours(arguments, data, folder, components)
            print(f"{rows:8} {columns:8} {components:4} {'tandem':14} {seconds:9.3f}")
            for peer in arguments.peers.split(","):
                found = json.loads(subprocess.run(
                    [sys.executable, "-c", PEER, data, str(components), peer, str(arguments.runs)],
                    check=True, capture_output=True, text=True, env={**os.environ, **threads}).stdout)
                off = np.abs(np.array(ratio) - found["ratio"]).max()
                print(f"{'':22} {peer:14} {found['seconds']:9.3f} {off:17.1e}", flush=True)


if __name__ == "__main__":
    main()
