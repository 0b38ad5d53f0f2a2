#!/usr/bin/env python3
"""Prints the type stubs of tandem_ml, made from what the algorithms say of their options.

    python_stubs.py --package FOLDER --module FILE

FOLDER is the package's Python files, FILE the extension module. Part of the build, which has neither
NumPy nor scikit-learn: the package itself is not imported, only what describes parameters.
"""

import argparse
import importlib
import importlib.util
import sys
import types

HEADER = '''# Made by tools/python_stubs.py.
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClusterMixin,
    OutlierMixin,
    RegressorMixin,
    TransformerMixin,
)

from . import errors as errors
from . import gpu as gpu
from . import plots as plots
from ._agreement import Agreement, agree as agree

__version__: str

def estimators() -> dict[str, type[TandemEstimator]]: ...
def transformers() -> dict[str, type[TandemTransformer]]: ...
def from_onnx(path: str | os.PathLike[str]) -> Any: ...
def load(path: str | os.PathLike[str]) -> Any: ...
def progress(
    report: Callable[[str, int, int, str, float], None] | None = None,
) -> AbstractContextManager[None]: ...

class TandemEstimator(BaseEstimator):
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_iter_: int
    seed_: int
    @property
    def parameters_(self) -> dict[str, Any]: ...
    @property
    def history_(self) -> dict[str, NDArray[np.float64]]: ...
    @property
    def stopped_because_(self) -> str: ...
    @property
    def feature_importances_(self) -> NDArray[np.float64]: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    def to_onnx(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        ml_opset: int = 5,
        input_type: str = "model",
    ) -> bytes: ...
    def to_json(self) -> str: ...
    def to_text(self) -> str: ...

class TandemClassifier(ClassifierMixin, TandemEstimator):
    classes_: NDArray[Any]
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...
    def predict_proba(self, X: Any) -> NDArray[Any]: ...
    def predict_log_proba(self, X: Any) -> NDArray[Any]: ...
    def decision_function(self, X: Any) -> NDArray[np.float64]: ...

class TandemRegressor(RegressorMixin, TandemEstimator):
    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[Any]: ...

class WithValidation:
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self: ...

class WithQueries:
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        qid: ArrayLike | None = None,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        qid_val: ArrayLike | None = None,
    ) -> Self: ...

class TandemClusterer(ClusterMixin, TandemEstimator):
    labels_: NDArray[np.int32]
    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[np.int32]: ...
    def fit_predict(
        self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.int32]: ...

class TandemDetector(OutlierMixin, TandemEstimator):
    offset_: float
    def fit(self, X: Any, y: Any = None) -> Self: ...
    def predict(self, X: Any) -> NDArray[np.int64]: ...
    def score_samples(self, X: Any) -> NDArray[Any]: ...
    def decision_function(self, X: Any) -> NDArray[np.float64]: ...

class TandemTransformer(TransformerMixin, BaseEstimator):
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    @property
    def parameters_(self) -> dict[str, Any]: ...
    @property
    def categories_(self) -> list[list[str]]: ...
    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def transform(self, X: Any) -> Any: ...
    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any: ...
    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]: ...
    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]: ...
    def to_json(self) -> str: ...
'''

TYPES = {
    "integer": "int | None",
    "real": "float",
    "flag": "bool",
    "integers": "int | Sequence[int] | None",
    "reals": "float | Sequence[float] | None",
    "text": "str | None",
    "choice": "str",
    "written": "str | float | dict[Any, float] | None",
}
COMMON = {
    "random_state": "int | np.random.RandomState | np.random.Generator | None",
    "device": "str",
    "numerics": "str",
    "n_jobs": "int | None",
}


BASES = {
    "classification": "TandemClassifier",
    "regression": "TandemRegressor",
    "clusterer": "TandemClusterer",
    "detector": "TandemDetector",
}


def import_parts(package, module):
    """(_core, _parameters, _attributes) of a package whose __init__.py is left out."""
    made = types.ModuleType("tandem_ml")
    made.__path__ = [package]
    sys.modules["tandem_ml"] = made
    found = importlib.util.spec_from_file_location("tandem_ml._core", module)
    core = importlib.util.module_from_spec(found)
    sys.modules["tandem_ml._core"] = core
    found.loader.exec_module(core)
    return core, *(importlib.import_module(f"tandem_ml.{name}") for name in ("_parameters", "_attributes"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--package", required=True)
    parser.add_argument("--module", required=True)
    arguments = parser.parse_args()
    core, described, attributes = import_parts(arguments.package, arguments.module)

    lines = [HEADER.rstrip()]
    for algorithm in core.algorithm_names():
        description = core.describe_algorithm(algorithm)
        for name, kind, _ in described.estimators_of(description):
            parameters = described.parameters_for(description, kind)
            mixin = described.mixin_of(parameters, kind)
            lines += ["", f"class {name}({mixin + ', ' if mixin else ''}{BASES[kind]}):"]
            for attribute in attributes.attributes_of(algorithm):
                lines += ["    @property", f"    def {attribute}(self) -> Any: ..."]
            lines += ["    def __init__(", "        self,", "        *,"]
            for parameter, default in described.defaults_of(parameters, description["seeded"]).items():
                hint = COMMON.get(parameter) or TYPES[parameters[parameter].type]
                if parameter == "init":
                    hint = "str | ArrayLike"
                lines.append(f"        {parameter}: {hint} = {default!r},")
            lines.append("    ) -> None: ...")
    for transform in core.transform_names():
        description = core.describe_transform(transform)
        name = described.transform_class_name(description)
        if name is None:
            continue
        lines += ["", f"class {name}(TandemTransformer):", "    def __init__(", "        self,", "        *,"]
        for parameter in map(described.Parameter, description["options"]):
            lines.append(f"        {parameter.name}: {TYPES[parameter.type]} = {parameter.default!r},")
        lines += [f"        n_jobs: {COMMON['n_jobs']} = None,", "    ) -> None: ..."]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
