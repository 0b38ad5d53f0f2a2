"""Targets: classes as Tandem names them, values as it takes them."""

import numpy as np
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ._core import class_name_of


def class_text(value):
    """The name of a class in Tandem's models: the text itself, or the shortest form of a number."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return class_name_of(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value)


def encode_classes(y, dtype):
    """(classes, target, categories): the classes as NumPy sorts them, and the target as floats.

    Whole numbers that are themselves floats of this type go as they are, so that a model file has
    the target that the program would have read; other classes go as codes, with their names.
    """
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iub"):
        y = column_or_1d(y, warn=True)
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        elif y.dtype.kind not in "iubUS":
            y = np.asarray(y, dtype=object)
            if any(value is None or value != value for value in y):
                raise ValueError("Input y contains NaN or None; every row needs a class")
        check_classification_targets(y)
    if y.dtype.kind in "iu":
        classes = np.unique(y)
        as_float = classes.astype(dtype)
        limit = 2**24 if dtype == np.float32 else 2**53
        if len(classes) and -limit <= classes[0] and classes[-1] <= limit:
            return classes, np.ascontiguousarray(y, dtype=dtype), []
        del as_float
    classes, codes = np.unique(y, return_inverse=True)
    names = [class_text(one) for one in classes]
    if len(set(names)) < len(names):
        raise ValueError("two classes of y are written alike: " + ", ".join(names))
    return classes, np.ascontiguousarray(codes.reshape(-1), dtype=dtype), names


def float_target(y, dtype):
    """The values of a regression."""
    if not (type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "fiu"):
        y = column_or_1d(y, warn=True)
        if y.dtype.kind not in "fiub":
            y = y.astype(np.float64)
    values = np.ascontiguousarray(y, dtype=dtype)
    if y.dtype.kind == "f":
        assert_all_finite(values, input_name="y")
    return values


def query_numbers(qid, rows, name="qid"):
    """A number for the query of each row; whole numbers stay as they are."""
    qid = column_or_1d(qid, warn=True)
    if len(qid) != rows:
        raise ValueError(f"{name} has {len(qid)} values for {rows} rows")
    if qid.dtype.kind in "iu" and (qid.dtype != np.uint64 or qid.max() < 2**63):
        return np.ascontiguousarray(qid, dtype=np.int64)
    if qid.dtype.kind == "f":
        assert_all_finite(qid, input_name=name)
    elif any(one is None or one != one for one in qid):
        raise ValueError(f"Input {name} contains NaN or None; every row belongs to a query")
    return np.unique(qid, return_inverse=True)[1].reshape(-1).astype(np.int64)


def classes_from_names(names):
    """The classes of a model that was loaded: whole numbers or numbers where all names are."""
    for kind in (np.int64, np.float64):
        try:
            values = [int(name) if kind is np.int64 else float(name) for name in names]
        except ValueError:
            continue
        if [class_text(value) for value in values] == list(names):
            return np.asarray(values, dtype=kind)
    return np.asarray(names, dtype=object)
