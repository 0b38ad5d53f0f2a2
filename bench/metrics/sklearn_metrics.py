"""The same metrics and preprocessing by scikit-learn: CPU time of the process, median of 5.

Run with one thread (OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1) to compare with the benchmarks at
threads:1; unset OPENBLAS_CORETYPE, and look at the line that threadpoolctl prints.
"""
import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, silhouette_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info


def report(name, work, repeats=5):
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    print(f"{name:45s} {1000 * np.median(seconds):9.1f} ms")


print([(lib["internal_api"], lib.get("architecture"), lib["num_threads"]) for lib in threadpool_info()])
rng = np.random.default_rng(1)
for dtype in (np.float32, np.float64):
    for rows, cols, clusters in ((10_000, 16, 8), (10_000, 64, 8), (10_000, 784, 10)):
        labels = np.arange(rows) % clusters
        x = rng.random((rows, cols), dtype=dtype)
        x += np.arange(cols) % clusters == labels[:, None]
        report(f"silhouette {dtype.__name__} {rows}x{cols} k={clusters}",
               lambda: silhouette_score(x, labels), 3)
    scores = rng.random(1_000_000, dtype=dtype)
    positive = rng.integers(0, 3, 1_000_000) == 0
    report(f"roc_auc {dtype.__name__} 1M", lambda: roc_auc_score(positive, scores))
    report(f"average_precision {dtype.__name__} 1M", lambda: average_precision_score(positive, scores))
table = rng.random((1_000_000, 28), dtype=np.float32)
report("StandardScaler fit_transform 1Mx28", lambda: StandardScaler().fit_transform(table))
