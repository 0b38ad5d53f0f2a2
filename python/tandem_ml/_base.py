"""What every estimator does: scikit-learn's habits around one fit and one predict."""

import contextlib
import contextvars
import warnings

import numpy as np
from sklearn.base import ClassifierMixin, ClusterMixin, OutlierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, _num_samples, check_non_negative

from . import _core, _rows, _targets
from ._fitted import HoldsModel
from ._parameters import COMMON, threads_of
from .errors import InputError

_progress = contextvars.ContextVar("tandem_ml_progress", default=None)


class TandemEstimator(HoldsModel):
    """Base of all estimators; subclasses are made by `_classes.py`."""

    _description = None  # what the algorithm says of itself
    _parameters = {}  # by name
    _defaults = {}  # by name, with those that all estimators have
    _plain_spec = None  # with every parameter at its default

    # --- fitting ---------------------------------------------------------------------------------

    def _fit_or_fail(self, X, y, sample_weight, qid=None, validation=None):
        spec = self._spec()
        threads = threads_of(self.n_jobs)
        allow_nan = self._accepts_missing()
        plain = _rows.is_plain(X) and X.shape[0] > 0 and X.shape[1] > 0
        if plain:
            table = _rows.Table(X, None, X.shape[0], X.dtype)
            state = {"n_features_in_": X.shape[1]}
            self.__dict__.pop("feature_names_in_", None)
        else:
            table = _rows.table_of(self, X, reset=True, allow_nan=allow_nan)
            state = {}
        rows = self._given_rows(table, X, y, sample_weight, qid, "qid", state)
        if validation is not None:
            validation = self._validation_rows(table, *validation)
        centres = self._first_centres(table.dtype)
        try:
            model = _core.fit(spec, rows, validation, centres, "data", self.device, self.numerics, threads,
                              _progress.get())
        except InputError as error:
            if plain:
                # What scikit-learn says of values that no model takes.
                assert_all_finite(X, allow_nan=allow_nan, estimator_name=type(self).__name__,
                                  input_name="X")
            if self._description["feature_values"] != "any" and isinstance(table.x, np.ndarray):
                check_non_negative(table.x, type(self).__name__)
            if table.rows == 1:
                raise InputError(f"{error} (n_samples=1)") from None
            raise
        state["_model"] = model
        state["_dtype"] = table.dtype
        state["_cache"] = {}
        training = model.training()
        if training["iterations"] > 0 or "max_iter" in self._defaults:
            state["n_iter_"] = training["iterations"]
        self.__dict__.update(state)
        if self._seed is not None:
            self.seed_ = self._seed
        if not training["converged"] and _ran_out(training):
            warnings.warn(f"{type(self).__name__}: {training['stopped_because']}", ConvergenceWarning,
                          stacklevel=4)
        return table

    def _given_rows(self, table, X, y, sample_weight, qid, name_of_qid, state):
        """The rows and what is said of each, as the extension module takes them."""
        target, categories = self._target(y, table, state)
        weights = None
        if sample_weight is not None:
            weights = np.ascontiguousarray(_check_sample_weight(sample_weight, X, dtype=table.dtype))
        column = (_name_of(y), categories) if target is not None else ("", [])
        groups = None if qid is None else _targets.query_numbers(qid, table.rows, name_of_qid)
        return table.x, table.columns, target, column, weights, groups

    def _validation_rows(self, table, X, y, sample_weight, qid):
        """Those of X_val, in the type of the training rows and with their columns."""
        if X is None or y is None:
            raise InputError("X_val and y_val: one is None; expected both, or neither")
        # What the columns of X are is said by the training rows' own state.
        if "feature_names_in_" not in self.__dict__:
            self.n_features_in_ = table.x[3] if isinstance(table.x, tuple) else table.x.shape[1]
        rows = _rows.table_of(self, X, reset=False, allow_nan=self._accepts_missing(), dtype=table.dtype)
        for name, values in (("y_val", y), ("sample_weight_val", sample_weight)):
            if values is not None and not np.isscalar(values) and _num_samples(values) != rows.rows:
                raise ValueError(f"{name} has {_num_samples(values)} values for {rows.rows} rows of X_val")
        return self._given_rows(rows, X, y, sample_weight, qid, "qid_val", {})

    def _spec(self):
        """The options that differ from their defaults, set."""
        given = self.__dict__
        spec = self._plain_spec.copy()
        for name, default in self._defaults.items():
            value = given[name]
            if value is default or name in COMMON and name != "scale":
                continue
            parameter = self._parameters[name]
            if name == "init" and not isinstance(value, str):
                continue  # centres, see _first_centres()
            spec.set(parameter.option, parameter.value(value))
        self._seed = None
        if self._description["seeded"]:
            self._seed = seed_of(self.random_state)
            if self._seed:
                spec.set("seed", self._seed)
        return spec

    def _first_centres(self, dtype):
        init = self.__dict__.get("init")
        if init is None or isinstance(init, str):
            return None
        return np.ascontiguousarray(init, dtype=dtype)

    def _target(self, y, table, state):
        return None, []

    def _accepts_missing(self):
        return self._description["accepts_missing"] or self.__dict__.get("impute", "none") != "none"

    # --- predicting ------------------------------------------------------------------------------

    def _predict(self, X):
        model = self._fitted()
        if (
            type(X) is np.ndarray
            and X.dtype is self._dtype
            and X.ndim == 2
            and X.flags.c_contiguous
            and X.shape[1] == self.n_features_in_
            and X.shape[0] > 0
            and "feature_names_in_" not in self.__dict__
        ):
            try:
                return model.predict(X, None, self.device, self.numerics, threads_of(self.n_jobs))
            except InputError:
                # scikit-learn's own words, where they are about the values.
                assert_all_finite(X, allow_nan=self._accepts_missing(),
                                  estimator_name=type(self).__name__, input_name="X")
                raise
        table = self._rows_to_predict(X)
        return model.predict(table.x, table.columns, self.device, self.numerics,
                             threads_of(self.n_jobs))

    def _rows_to_predict(self, X):
        return _rows.table_of(self, X, reset=False, allow_nan=self._accepts_missing(), dtype=self._dtype)

    # --- what scikit-learn asks about ------------------------------------------------------------

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._accepts_missing()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = self._description["feature_values"] != "any"
        tags.input_tags.categorical = self._description["feature_values"] == "codes"
        tags.non_deterministic = False
        return tags

    # --- models ----------------------------------------------------------------------------------

    def save(self, path):
        """Writes the model as `tandem` would; the program reads it, and `tandem_ml.load` does."""
        import os

        self._fitted().save(os.fspath(path))

    def to_onnx(self, path=None, *, ml_opset=5, input_type="model"):
        """The model and its transforms as an ONNX model: its bytes, which are written to `path` too,
        where that is given. docs/onnx.md says what runtimes make of it.

        `ml_opset` 3 is for runtimes that lack the operators of 5; `input_type` "float32" makes a
        model of float64 take float32 rows.
        """
        content = self._fitted().to_onnx(str(ml_opset), input_type)
        if path is not None:
            with open(path, "wb") as file:
                file.write(content)
        return content

    def to_json(self):
        """The model as JSON, as `tandem inspect --json` has it."""
        return self._fitted().to_json()

    def to_text(self):
        """The model as text, as `tandem inspect` shows it."""
        return self._fitted().to_text()

    @property
    def parameters_(self):
        """What was learned, by the names that the model file has: arrays, numbers, texts."""
        return self._cached("parameters", lambda model: model.parameters())

    @property
    def history_(self):
        """Series by name, one entry per iteration: "cost", "inertia", ..."""
        return self._cached("training", lambda model: model.training())["history"]

    @property
    def feature_importances_(self):
        """Per feature its share of what the splits of trees gained; only trees have it."""
        values = self._cached("importances", lambda model: model.importances())
        if len(values) == 0:
            raise AttributeError(f"{type(self).__name__} has no importances of features")
        return values

    @property
    def stopped_because_(self):
        """Why the training ended, in one clause."""
        return self._cached("training", lambda model: model.training())["stopped_because"]


class TandemClassifier(ClassifierMixin, TandemEstimator):
    """Classes of rows."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Classes of normal values, by which scikit-learn's checker scores, are not for these.
        tags.classifier_tags.poor_score = self._description["feature_values"] != "any"
        return tags

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has a class of each row."""
        self._fit(X, y, sample_weight)
        return self

    def _target(self, y, table, state):
        if y is None:
            raise ValueError(f"requires y to be passed, but the target y is None; {type(self).__name__} "
                             "learns classes")
        classes, target, categories = _targets.encode_classes(y, table.dtype)
        if len(target) != table.rows:
            check_consistent_length(range(table.rows), target)
        state["classes_"] = classes
        return target, categories

    def predict(self, X):
        """The class of each row."""
        labels = self._predict(X)[1]
        return self.classes_[labels]

    def predict_proba(self, X):
        """rows × classes, in the order of `classes_`; rows sum to 1."""
        return self._predict(X)[2]

    def predict_log_proba(self, X):
        """The logarithms of `predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(lambda self: self._has_margins())
    def decision_function(self, X):
        """Log-odds: of the second of two classes, or rows × classes."""
        model = self._fitted()
        table = self._rows_to_predict(X)
        margins = model.margins(table.x, table.columns, self.device, self.numerics,
                                threads_of(self.n_jobs))
        return margins[:, 1].copy() if margins.shape[1] == 2 else margins

    def _has_margins(self):
        return self._cached("description", lambda model: model.description())["has_margins"]


class TandemRegressor(RegressorMixin, TandemEstimator):
    """Values of rows."""

    def fit(self, X, y, sample_weight=None):
        """Fits the model; y has a number of each row."""
        self._fit(X, y, sample_weight)
        return self

    def _target(self, y, table, state):
        if y is None:
            raise ValueError(f"requires y to be passed, but the target y is None; {type(self).__name__} "
                             "learns values")
        target = _targets.float_target(y, table.dtype)
        if len(target) != table.rows:
            check_consistent_length(range(table.rows), target)
        return target, []

    def predict(self, X):
        """The value of each row, in X's float type."""
        return self._predict(X)[0]


class WithValidation:
    """Of an algorithm that may judge its rounds by rows that are not trained on."""

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fits the model, stopping early by the rows of X_val where the parameters ask for that.

        Without X_val such rows are the share `validation_fraction` of X.
        """
        self._fit(X, y, sample_weight, None, _given(X_val, y_val, sample_weight_val, None))
        return self


class WithQueries:
    """Of such an algorithm that also learns to rank."""

    # The parameters that may ask for a ranking.
    _rankings = ()

    def fit(self, X, y, sample_weight=None, *, qid=None, X_val=None, y_val=None,
            sample_weight_val=None, qid_val=None):
        """Fits the model, stopping early by the rows of X_val where the parameters ask for that.

        For a ranking, qid says of each row which query it belongs to, by any numbers or texts; the
        rows of a query stand together. y is how relevant they are: 0, 1, ...
        """
        ranking = next((f"{name}={self.__dict__[name]}" for name in self._rankings
                        if str(self.__dict__[name]).startswith("rank-")), None)
        if ranking and qid is None:
            raise InputError(f"{ranking}: ranks the rows of each query; expected fit(X, y, qid=...), the "
                             "query of each row")
        if ranking and X_val is not None and qid_val is None:
            raise InputError(f"{ranking}: ranks the rows of each query; expected qid_val, the query of "
                             "each row of X_val")
        self._fit(X, y, sample_weight, qid, _given(X_val, y_val, sample_weight_val, qid_val))
        return self


def _given(*validation):
    return None if all(one is None for one in validation) else validation


class TandemClusterer(ClusterMixin, TandemEstimator):
    """Clusters of rows."""

    def fit(self, X, y=None, sample_weight=None):
        """Fits the model; y is not looked at."""
        table = self._fit(X, None, sample_weight)
        self.labels_ = self._model.predict(table.x, table.columns, self.device, self.numerics,
                                           threads_of(self.n_jobs))[1]
        return self

    def predict(self, X):
        """The number of each row's cluster."""
        return self._predict(X)[1]

    def fit_predict(self, X, y=None, sample_weight=None):
        """The clusters of the training rows."""
        return self.fit(X, sample_weight=sample_weight).labels_


class TandemDetector(OutlierMixin, TandemEstimator):
    """Rows that are unlike the others. Scores are as scikit-learn has them: the lower, the more
    unusual."""

    def fit(self, X, y=None):
        """Fits the model; y is not looked at. Rows weigh the same."""
        self._fit(X, None, None)
        self.offset_ = -self._threshold()
        return self

    def _threshold(self):
        return self.parameters_["threshold"]

    def predict(self, X):
        """1 for an inlier, -1 for an outlier."""
        return np.where(self._predict(X)[1] == 1, -1, 1)

    def score_samples(self, X):
        """The contrary of the model's score of each row."""
        return -self._predict(X)[0]

    def decision_function(self, X):
        """`score_samples` less `offset_`: negative for outliers."""
        return self.score_samples(X).astype(np.float64) - self.offset_


@contextlib.contextmanager
def progress(report=None):
    """While it lasts, fits of this thread call report(stage, done, total, name, value), at most fifty
    times a second; with tqdm's bar where `report` is None and tqdm is installed.

    >>> with tandem_ml.progress(print):
    ...     model.fit(X, y)
    """
    bar = None
    if report is None:
        from tqdm.auto import tqdm

        bar = tqdm()

        def report(stage, done, total, name, value):
            bar.total = total or None
            bar.set_description(stage)
            if name:
                bar.set_postfix({name: value}, refresh=False)
            bar.update(done - bar.n)

    token = _progress.set(report)
    try:
        yield
    finally:
        _progress.reset(token)
        if bar is not None:
            bar.close()


def seed_of(random_state):
    """The seed that a fit takes."""
    if random_state is None:
        return int(np.random.mtrand._rand.randint(0, 2**31 - 1))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**31 - 1))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**31 - 1))
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(random_state, (int, np.integer)):
        raise InputError(f"random_state: got {random_state!r}; expected a whole number, a RandomState, a "
                         "Generator or None")
    if not 0 <= random_state < 2**63:
        raise InputError(f"random_state: got {random_state}; expected a whole number of at least 0 and "
                         "below 2**63")
    return int(random_state)


def _ran_out(training):
    reason = training["stopped_because"]
    return "reached" in reason or "allowed" in reason


def _name_of(y):
    name = getattr(y, "name", None)
    return name if isinstance(name, str) and name else "target"
