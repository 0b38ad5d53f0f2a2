#!/usr/bin/env python3
"""What Python costs: a table of medians, and an exit status that says whether limits are held.

    PYTHONPATH=build/release/python python python/tests/speed.py

Times are of this process's processor, so that other work on the machine counts little.
"""

import statistics
import subprocess
import sys
import time

import numpy as np

import tandem_ml
from tandem_ml import _core


def median(call, repeats=300):
    for _ in range(20):
        call()
    times = []
    for _ in range(repeats):
        began = time.process_time_ns()
        call()
        times.append(time.process_time_ns() - began)
    return statistics.median(times) / 1000


def import_milliseconds(module):
    program = f"import numpy, sklearn.base, sklearn.utils.validation, sklearn.utils.metaestimators, " \
              f"sklearn.utils.multiclass, time; t = time.process_time(); import {module}; " \
              f"print(time.process_time() - t)"
    return 1000 * statistics.median(
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                             check=True).stdout) for _ in range(5))


def main():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    y = (x[:, 0] > 0).astype(np.int64)
    worst_fit = worst_predict = 0.0
    print(f"{'estimator':<28}{'fit, us':>10}{'overhead':>10}{'predict a row':>15}")
    for name, cls in tandem_ml.estimators().items():
        settings = {key: value for key, value in {"n_estimators": 1, "n_init": 1, "max_iter": 1,
                                                  "hidden_layer_sizes": (2,), "max_depth": 2}.items()
                    if key in cls._defaults}
        model = cls(**settings, n_jobs=1)
        if "random_state" in cls._defaults:
            model.set_params(random_state=1)
        target = y if cls._description["kind"] == "predictor" else None
        import warnings

        warnings.simplefilter("ignore")
        whole = median(lambda: model.fit(x, target))
        spec = model._spec()
        given = model._given_rows(model._fit(x, target, None), x, target, None, None, "qid", {})
        inside = median(lambda: _core.fit(spec, given, None, None, "data", "cpu", "exact", 1, None))
        if hasattr(model, "labels_"):
            inside += median(lambda: model._model.predict(x, None, "cpu", "exact", 1))
        row = x[:1].copy()
        one = median(lambda: model.predict(row), 1000)
        bare = median(lambda: model._model.predict(row, None, "cpu", "exact", 1), 1000)
        worst_fit = max(worst_fit, whole - inside)
        worst_predict = max(worst_predict, one)
        print(f"{name:<28}{whole:>10.1f}{whole - inside:>10.1f}{one:>9.1f} ({bare:.1f})")
    beyond = import_milliseconds("tandem_ml")
    print(f"import beyond NumPy and scikit-learn: {beyond:.0f} ms")
    held = worst_fit <= 100 and worst_predict <= 20 and beyond <= 100
    print("limits (100 us, 20 us, 100 ms):", "held" if held else "NOT held")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
