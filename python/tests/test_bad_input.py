"""Bad input: scikit-learn's exception types, messages that name the parameter, no crash."""

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import tandem_ml

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("settings, named", [
    ({"n_estimators": 0}, "n_estimators"),
    ({"n_estimators": 2.5}, "n_estimators"),
    ({"n_estimators": True}, "n_estimators"),
    ({"n_estimators": "many"}, "n_estimators"),
    ({"n_estimators": 2**70}, "n_estimators"),
    ({"n_estimators": float("nan")}, "n_estimators"),
    ({"criterion": "giny"}, "criterion"),
    ({"criterion": 3}, "criterion"),
    ({"max_features": 99}, "max_features"),
    ({"max_features": 1.5}, "max_features"),
    ({"max_features": True}, "max_features"),
    ({"bootstrap": "yes"}, "bootstrap"),
    ({"class_weight": {"a,b": 1}}, "class_weight"),
    ({"device": "tpu"}, "device"),
    ({"numerics": "sloppy"}, "numerics"),
    ({"n_jobs": 0}, "n_jobs"),
    ({"n_jobs": 1.5}, "n_jobs"),
    ({"random_state": -1}, "random_state"),
    ({"random_state": "seed"}, "random_state"),
    ({"scale": "big"}, "scale"),
])
def test_parameters(settings, named):
    with pytest.raises(ValueError, match=named):
        tandem_ml.RandomForestClassifier(**settings).fit(X, Y)


@pytest.mark.parametrize("x, y, message", [
    (X[:, 0], Y, "2D"),
    (X[:0], Y[:0], "0 sample"),
    (X[:, :0], Y, "0 feature"),
    (X, Y[:-1], "inconsistent"),
    (np.where(X > 0, "a", "1"), Y, "."),
    (X * 1j, Y, "."),
    (np.where(X > 2, np.inf, X) + np.inf, Y, "infinity"),
    (X, np.where(Y == 0, np.nan, 1.0), "NaN"),
    (np.array([["a", "b"], ["c", "d"]], dtype=object), [0, 1], "."),
    (X.reshape(2, 20, 3), Y, "."),
    (None, Y, "."),
    (X, None, "y"),
    (X, X, "."),
])
def test_data(x, y, message):
    with pytest.raises(ValueError, match=message):
        tandem_ml.RandomForestClassifier(n_estimators=2).fit(x, y)


def test_missing_values_where_they_are_not_accepted():
    x = X.copy()
    x[3, 1] = np.nan
    for model in (tandem_ml.LogisticRegression(), tandem_ml.KMeans(n_clusters=2)):
        with pytest.raises(ValueError, match="NaN"):
            model.fit(x, Y)
        model.fit(X, Y)
        with pytest.raises(ValueError, match="NaN"):
            model.predict(x)
    assert tandem_ml.LogisticRegression(impute="mean").fit(x, Y).predict(x).shape == Y.shape


def test_before_a_fit():
    model = tandem_ml.DecisionTreeClassifier()
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "parameters_") and not hasattr(model, "feature_importances_")
    with pytest.raises(NotFittedError):
        model.save("/tmp/never.tandem")


def test_other_columns_than_in_the_fit():
    model = tandem_ml.DecisionTreeClassifier().fit(X, Y)
    with pytest.raises(ValueError, match="2 features.*3 features"):
        model.predict(X[:, :2])


def test_sparse_matrices_whose_parts_do_not_fit():
    from scipy import sparse

    x = sparse.csr_matrix(X)
    x.indices = x.indices.copy()
    x.indices[0] = 77
    with pytest.raises(ValueError):
        tandem_ml.DecisionTreeClassifier().fit(x, Y)


def test_weights():
    for weights in (np.full(40, -1.0), np.zeros(40), np.full(40, np.nan), np.ones(39)):
        with pytest.raises(ValueError):
            tandem_ml.DecisionTreeClassifier().fit(X, Y, sample_weight=weights)


def test_devices_that_are_not_there():
    if sys.platform.startswith("linux"):
        import ctypes.util

        if ctypes.util.find_library("cuda"):
            pytest.skip("this machine has CUDA")
    with pytest.raises(RuntimeError, match="cuda"):
        tandem_ml.KMeans(n_clusters=2, device="cuda").fit(X)


def test_files(tmp_path):
    with pytest.raises(ValueError, match="no.tandem"):
        tandem_ml.load(tmp_path / "no.tandem")
    (tmp_path / "text.tandem").write_text("not a model")
    with pytest.raises(ValueError, match="text.tandem"):
        tandem_ml.load(tmp_path / "text.tandem")
    model = tandem_ml.DecisionTreeClassifier().fit(X, Y)
    model.save(tmp_path / "m.tandem")
    content = (tmp_path / "m.tandem").read_bytes()
    (tmp_path / "cut.tandem").write_bytes(content[:-9])
    with pytest.raises(ValueError, match="cut.tandem"):
        tandem_ml.load(tmp_path / "cut.tandem")
    with pytest.raises((ValueError, OSError)):
        model.save(tmp_path / "no" / "such" / "folder.tandem")


def test_pickles_of_another_version():
    model = tandem_ml.DecisionTreeClassifier().fit(X, Y)
    state = model.__getstate__()
    state["_tandem_version"] = "0.0.0"
    other = tandem_ml.DecisionTreeClassifier.__new__(tandem_ml.DecisionTreeClassifier)
    with pytest.warns(UserWarning, match="0.0.0"):
        other.__setstate__(state)
    damaged = pickle.dumps(model).replace(b"TANDEM", b"TANDEN")
    with pytest.raises(ValueError):
        pickle.loads(damaged)


# --- interruption, threads, processes -------------------------------------------------------------


@pytest.fixture
def heard_interrupts():
    """Python's own answer to SIGINT, also where the tests were started with the signal ignored, as
    shells start what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_a_fit_and_leaves_the_model_as_it_was(heard_interrupts):
    x = np.random.default_rng(1).normal(size=(4000, 20))
    y = (x[:, 0] > 0).astype(int)
    model = tandem_ml.MLPClassifier(hidden_layer_sizes=(4,), max_iter=1, random_state=0).fit(x, y)
    before = model._model.to_bytes()
    model.set_params(max_iter=10**6, n_iter_no_change=0)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y)
    assert time.monotonic() - began < 10
    assert model._model.to_bytes() == before
    assert model.predict(x).shape == y.shape


def test_a_fit_lets_other_threads_run():
    x = np.random.default_rng(1).normal(size=(3000, 20))
    y = (x[:, 0] > 0).astype(int)
    ticks = []
    over = threading.Event()

    def tick():
        while not over.wait(0.002):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    began = time.monotonic()
    tandem_ml.MLPClassifier(hidden_layer_sizes=(64,), max_iter=40, n_jobs=1, random_state=0).fit(x, y)
    ended = time.monotonic()
    over.set()
    ticker.join()
    assert sum(began < at < ended for at in ticks) >= 3


def test_progress_is_reported_and_its_errors_are_raised():
    seen = []
    with tandem_ml.progress(lambda *what: seen.append(what)):
        tandem_ml.KMeans(n_clusters=3, n_init=1, random_state=0).fit(X)
    assert seen and seen[0][0] == "iteration" and seen[0][3] == "inertia"

    def fail(*what):
        raise LookupError("no more")

    with tandem_ml.progress(fail), pytest.raises(LookupError, match="no more"):
        tandem_ml.KMeans(n_clusters=3, random_state=0).fit(X)


def test_messages_go_to_logging(caplog):
    import logging

    with caplog.at_level(logging.DEBUG, logger="tandem_ml"):
        tandem_ml._core.log_message("a message")
    assert ("tandem_ml", logging.WARNING, "a message") in caplog.record_tuples


def run_python(program, **more):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True,
                          text=True, timeout=120, **more)


def test_a_fork_after_the_import():
    done = run_python("""
        import multiprocessing
        import numpy as np
        import tandem_ml

        x = np.random.default_rng(0).normal(size=(20000, 8))
        y = x[:, 0]

        def fit(seed):
            return tandem_ml.GradientBoostingRegressor(
                n_estimators=3, random_state=seed, n_jobs=2).fit(x, y)._model.to_bytes()

        if __name__ == "__main__":
            here = fit(1)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(fit, [1, 1, 1]) == [here] * 3
            print("the same")
    """)
    assert done.stdout == "the same\n", done.stderr


def test_joblib_and_searches():
    from sklearn.model_selection import GridSearchCV, cross_val_score

    search = GridSearchCV(tandem_ml.DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]},
                          n_jobs=2).fit(X, Y)
    assert search.best_score_ > 0.8
    assert cross_val_score(tandem_ml.RandomForestClassifier(n_estimators=3, random_state=0), X, Y,
                           n_jobs=2).mean() > 0.8


def test_a_sub_interpreter_is_refused():
    done = run_python("""
        import tandem_ml
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        made = interpreters.create()
        try:
            interpreters.run_string(made, "import tandem_ml._core")
        except Exception as error:
            print("refused", error)
    """)
    assert done.stdout.startswith("refused"), (done.stdout, done.stderr)
    assert done.returncode == 0, done.stderr
