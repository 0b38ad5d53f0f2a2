"""Rows in, of whatever kind: what reaches the extension module without a copy, and what is copied.

No copy: NumPy arrays of float32 or float64 whose rows are contiguous (they may be apart), and what
NumPy makes of a buffer or of DLPack on the CPU. A copy: other types of numbers, other orders (Fortran
order, negative strides, big-endian), data frames, sparse matrices (written out), rows of another
float type than the model's.
"""

import sys

import numpy as np
from sklearn.utils.validation import validate_data

from . import _core

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Table:
    """Rows for the extension module: `x` an array or a tuple of sparse parts, `columns` a list of
    (name, categories) or None."""

    __slots__ = ("x", "columns", "rows", "dtype")

    def __init__(self, x, columns, rows, dtype):
        self.x = x
        self.columns = columns
        self.rows = rows
        self.dtype = dtype


def is_plain(x):
    """Whether the array can be used as it is."""
    return (
        type(x) is np.ndarray
        and x.dtype in FLOATS
        and x.ndim == 2
        and x.flags.c_contiguous
        and x.flags.aligned
    )


def table_of(estimator, x, *, reset, allow_nan, dtype=None):
    """The rows of X, checked and counted as scikit-learn does; of `dtype` where that is given."""
    x = from_dlpack(x)
    if is_frame(x):
        table = frame_table(estimator, x, reset=reset, dtype=dtype)
        if table is not None:
            return table
    checked = validate_data(
        estimator,
        x,
        reset=reset,
        accept_sparse="csr",
        dtype=[np.float64, np.float32] if dtype is None else dtype,
        order="C",
        ensure_all_finite="allow-nan" if allow_nan else True,
        ensure_min_samples=1,
    )
    columns = None
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and hasattr(x, "columns"):
        columns = [(str(name), []) for name in names]
    if not isinstance(checked, np.ndarray):
        parts = (
            np.ascontiguousarray(checked.indptr, dtype=np.int64),
            np.ascontiguousarray(checked.indices, dtype=np.int32),
            np.ascontiguousarray(checked.data),
            checked.shape[1],
        )
        return Table(parts, columns, checked.shape[0], checked.dtype)
    if not checked.flags.aligned:
        checked = checked.copy()
    return Table(checked, columns, checked.shape[0], checked.dtype)


def from_dlpack(x):
    """NumPy's array of what speaks DLPack and is not NumPy's (tensors of PyTorch, CuPy, JAX): the same
    memory where it is the CPU's, a copy to it from a device."""
    if isinstance(x, np.ndarray) or not hasattr(x, "__dlpack__") or not hasattr(x, "__dlpack_device__"):
        return x
    kind, _ = x.__dlpack_device__()
    if kind in (1, 3):  # the CPU; CUDA's pinned memory
        return np.from_dlpack(x)
    try:
        return np.from_dlpack(x, device="cpu", copy=True)
    except (TypeError, BufferError, RuntimeError):
        if hasattr(x, "cpu"):  # PyTorch before it could copy by DLPack
            return np.from_dlpack(x.detach().cpu() if hasattr(x, "detach") else x.cpu())
        if hasattr(x, "get"):  # CuPy
            return x.get()
        raise


def is_pandas(x):
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(x, pandas.DataFrame)


def is_frame(x):
    return is_pandas(x) or (hasattr(x, "__arrow_c_stream__") and not hasattr(x, "__array_interface__"))


def frame_table(estimator, frame, *, reset, dtype):
    """A data frame that has columns of categories, or that only Arrow describes; None where its
    columns are numbers that NumPy takes."""
    if is_pandas(frame):
        if not any(_holds_categories(frame.dtypes.iloc[j]) for j in range(frame.shape[1])):
            return None
        x, columns = _pandas_table(frame, dtype)
    else:
        x, columns = _core.table_from_arrow(frame.__arrow_c_stream__(), _all_float32(frame, dtype))
        if dtype is not None and x.dtype != dtype:
            x = x.astype(dtype)
    names = [name for name, _ in columns]
    check_names(estimator, names, frame, reset=reset)
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"Found array with {x.shape[0]} sample(s) and {x.shape[1]} feature(s) while a "
                         "minimum of 1 is required.")
    _require_no_infinity(estimator, x, columns)
    return Table(x, columns, x.shape[0], x.dtype)


def _require_no_infinity(estimator, x, columns):
    infinite = np.isinf(x)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise ValueError(f"Input X contains infinity: row {row}, column {columns[column][0]}, which "
                         f"{type(estimator).__name__} does not accept")


def check_names(estimator, names, frame, *, reset):
    """As scikit-learn's validate_data, which knows pandas and polars only."""
    if is_pandas(frame):
        validate_data(estimator, frame, reset=reset, skip_check_array=True)
        return
    if reset:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)
        estimator.n_features_in_ = len(names)
        return
    if len(names) != estimator.n_features_in_:
        raise ValueError(f"X has {len(names)} features, but {type(estimator).__name__} is expecting "
                         f"{estimator.n_features_in_} features as input")
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and list(known) != names:
        raise ValueError("The feature names should match those that were passed during fit, in the "
                         f"same order: expected {list(known)}, got {names}")


def _holds_categories(kind):
    name = str(kind)
    return name in ("category", "object", "str") or name.startswith("string")


def _pandas_table(frame, dtype):
    """Numbers, and codes of categories; categories that are declared keep their order."""
    import pandas

    kinds = list(frame.dtypes)
    if dtype is None:
        numbers = [kind for kind in kinds if not _holds_categories(kind)]
        all_single = numbers and all(str(kind) in ("float32", "Float32") for kind in numbers)
        dtype = np.float32 if all_single else np.float64
    x = np.empty(frame.shape, dtype=dtype)
    columns = []
    for j, kind in enumerate(kinds):
        series = frame.iloc[:, j]
        name = str(frame.columns[j])
        if str(kind) == "category":
            codes = series.cat.codes.to_numpy()
            categories = [str(one) for one in series.cat.categories]
        elif _holds_categories(kind):
            present = series[series.notna()]
            if str(kind) == "object" and not all(isinstance(one, str) for one in present):
                x[:, j] = pandas.to_numeric(series).to_numpy(dtype=dtype, na_value=np.nan)
                columns.append((name, []))
                continue
            categories = sorted(set(present), key=lambda text: text.encode("utf-8", "surrogateescape"))
            positions = {text: code for code, text in enumerate(categories)}
            codes = series.map(positions).fillna(-1).to_numpy(dtype=np.float64)
        else:
            x[:, j] = series.to_numpy(dtype=dtype, na_value=np.nan)
            columns.append((name, []))
            continue
        x[:, j] = codes
        x[codes < 0, j] = np.nan
        columns.append((name, categories))
    return x, columns


def _all_float32(frame, dtype):
    if dtype is not None:
        return dtype == np.float32
    kinds = getattr(frame, "dtypes", None)  # polars
    if kinds is None and hasattr(frame, "schema"):  # pyarrow
        kinds = [field.type for field in frame.schema]
    if not kinds:
        return False
    names = [str(kind).lower() for kind in kinds]
    numbers = [name for name in names if name.startswith(("float", "double", "int", "uint", "decimal"))]
    return bool(numbers) and all(name in ("float32", "float") for name in numbers)
