"""The transforms, a class for each that works on the columns of rows. There is no list of them: a
transform added in C++ is here when the module is built."""

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

from . import _core, _rows
from ._fitted import HoldsModel
from ._parameters import Parameter, signature_of, threads_of, transform_class_name
from .errors import InputError


class TandemTransformer(TransformerMixin, HoldsModel):
    """Base of all transformers."""

    _description = None  # what the transform says of itself
    _parameters = {}  # by name
    _defaults = {}  # by name, with n_jobs

    def fit(self, X, y=None, sample_weight=None):
        """Learns from the rows; y is not looked at."""
        self._fit(X, sample_weight)
        return self

    def _fit_or_fail(self, X, sample_weight):
        spec = _core.StepSpec(self._description["name"])
        for name, parameter in self._parameters.items():
            spec.set(parameter.option, parameter.value(getattr(self, name)))
        table = _rows.table_of(self, X, reset=True, allow_nan=True)
        weights = None
        if sample_weight is not None:
            weights = np.ascontiguousarray(_check_sample_weight(sample_weight, X, dtype=table.dtype))
        try:
            self._model = _core.fit_transform(spec, table.x, table.columns, weights,
                                              threads_of(self.n_jobs))
        except InputError as error:
            if table.rows == 1:
                raise InputError(f"{error} (n_samples=1)") from None
            raise
        self._dtype = table.dtype
        self._cache = {}

    def transform(self, X):
        """The rows as the transform makes them, in the float type of the fit."""
        model = self._fitted()
        table = _rows.table_of(self, X, reset=False, allow_nan=True, dtype=self._dtype)
        return model.transform(table.x, table.columns, threads_of(self.n_jobs))

    @available_if(lambda self: "divisor" in self.parameters_)
    def inverse_transform(self, X):
        """The rows that become these; only what scales them has it."""
        model = self._fitted()
        values = np.ascontiguousarray(X, dtype=self._dtype)
        if values.ndim != 2 or values.shape[1] != self.n_features_in_:
            raise ValueError(f"X has shape {values.shape}; expected rows of {self.n_features_in_} features")
        return model.restore(values)

    def get_feature_names_out(self, input_features=None):
        """The columns' names; "colour=red" is 1 where the column colour holds red."""
        described = self._described(self._fitted())
        names = _check_feature_names_in(self, input_features)
        if len(described["outputs"]) == len(described["inputs"]):
            return names
        return np.asarray([name for name, _ in described["outputs"]], dtype=object)

    @property
    def parameters_(self):
        """What was learned, by the names that model files have: arrays, numbers, texts. Empty where the
        columns gave the transform nothing to do."""
        return self._cached("description", self._describe)["parameters"]

    @property
    def categories_(self):
        """The categories of each column, as they were learned; none of a column of numbers."""
        return [categories for _, categories in self._cached("description", self._describe)["learned"]]

    def to_json(self):
        """The transform and what it has learned, as JSON."""
        return self._fitted().to_json()

    def _described(self, model):
        self._fitted()
        return self._cached("description", self._describe)

    @staticmethod
    def _describe(model):
        return model.description()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def make_transforms(module):
    """The classes by name; `module` is where they will be found."""
    classes = {}
    for name in _core.transform_names():
        description = _core.describe_transform(name)
        made_of = transform_class_name(description)
        if made_of is not None:
            classes[made_of] = _make(module, description, made_of)
    return classes


def _make(module, description, name):
    parameters = {one.name: one for one in map(Parameter, description["options"])}
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    defaults["n_jobs"] = None

    def __init__(self, **given):
        for key in given:
            if key not in defaults:
                raise TypeError(f"{name}.__init__() got an unexpected keyword argument '{key}'")
        self.__dict__.update(defaults)
        self.__dict__.update(given)

    __init__.__signature__ = signature_of(defaults)
    __init__.__qualname__ = f"{name}.__init__"
    return type(name, (TandemTransformer,), {
        "__init__": __init__,
        "__doc__": docstring(description, parameters),
        "__module__": module,
        "_description": description,
        "_parameters": parameters,
        "_defaults": defaults,
    })


def docstring(description, parameters):
    """In numpydoc's form, of the options' help."""
    lines = [f"{description['summary']}.", "", "Parameters", "----------"]
    for name, parameter in parameters.items():
        kind, sentence = parameter.describe()
        lines += [f"{name} : {kind}", f"    {sentence[:1].upper() + sentence[1:]}"]
    lines += ["n_jobs : int or None, default=None",
              "    Threads; None: all cores of the process, or OMP_NUM_THREADS where that is set.",
              "", "Attributes", "----------",
              "n_features_in_ : int", "    Columns of X.",
              "feature_names_in_ : ndarray", "    Their names, where X had them.",
              "parameters_ : dict", "    What was learned, by the names of the model file."]
    return "\n".join(lines)
