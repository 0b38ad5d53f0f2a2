#!/usr/bin/env python3
"""An estimator of another library as an arm of tandem bench.

Reads requests as lines of JSON and answers each with one; apps/tandem/bench/arm.hpp has the
protocol. The case names a class, which is imported, made with the parameters that the case has, and
fitted on arrays in memory; any class with scikit-learn's fit and predict will do. Among the
parameters "$threads" stands for the number of threads, and {"$first_rows": N} for the first N rows.
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time
import warnings


def memory(name):
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def version_of(module):
    """That of the package which the module was installed by."""
    packages = importlib.metadata.packages_distributions().get(module, [])
    if packages:
        return importlib.metadata.version(packages[0])
    return getattr(importlib.import_module(module), "__version__", "unknown")


class Missing(Exception):
    """The library is not installed."""


class Session:
    def load(self, request):
        import numpy as np

        case = request["case"]
        peer = case["peer"]
        self.np = np
        self.threads = request["threads"]
        module, _, name = peer["class"].rpartition(".")
        try:
            self.made_by = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            raise Missing(f"{error.name} is not installed for {sys.executable}") from error
        self.x = np.load(request["x"])
        self.y = None if request["y"] is None else np.load(request["y"])
        if self.y is not None and peer.get("target") == "classes":
            self.y = self.y.astype(np.int64)
        self.test = np.load(request["test"])
        self.parameters = {key: self.resolved(value)
                           for key, value in peer.get("parameters", {}).items()}
        # BLAS and OpenMP that are loaded already do not look at the environment any more.
        try:
            from threadpoolctl import threadpool_limits

            self.limits = threadpool_limits(self.threads)
        except ModuleNotFoundError:
            pass
        self.model = None
        self.loaded = memory("VmRSS")
        # Adapters say which library they are of; the others are in it.
        library = getattr(self.made_by, "library", module.partition(".")[0])
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            raise Missing(f"{error.name} is not installed for {sys.executable}") from error
        return {"version": version_of(library)}

    def resolved(self, value):
        if value == "$threads":
            return self.threads
        if isinstance(value, dict) and "$first_rows" in value:
            return self.x[: value["$first_rows"]]
        return value

    def timed(self, work):
        processor = time.process_time()
        began = time.perf_counter()
        result = work()
        return result, {"seconds": time.perf_counter() - began,
                        "processor_seconds": time.process_time() - processor}

    def fit(self, _request):
        self.model = None
        model = self.made_by(**self.parameters)
        arguments = (self.x,) if self.y is None else (self.x, self.y)
        self.model, times = self.timed(lambda: model.fit(*arguments))
        times["peak_bytes"] = max(0, memory("VmHWM") - self.loaded)
        return times

    def predict(self, request):
        np = self.np
        if hasattr(self.model, "predict_proba"):
            made, times = self.timed(lambda: self.model.predict_proba(self.test))
            holds = "probabilities"
        else:
            made, times = self.timed(lambda: self.model.predict(self.test))
            holds = "labels" if self.y is None else "values"
        made = np.asarray(made)
        if holds == "values":
            made = made.reshape(-1).astype(self.x.dtype)
        if holds == "labels":
            made = made.astype(np.int32)
        np.save(request["out"], np.ascontiguousarray(made))
        return {**times, "holds": holds}


def main():
    warnings.simplefilter("ignore")
    # Answers go to what standard output was; what libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"load": session.load, "fit": session.fit,
                      "predict": session.predict}[request["op"]](request)
        except Missing as error:
            answer = {"error": str(error), "missing": True}
        except ModuleNotFoundError as error:
            answer = {"error": f"{error.name} is not installed for {sys.executable}", "missing": True}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
