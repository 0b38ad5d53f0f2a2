"""The agreement of the engines, seen from Python: one estimator fitted on each, and what differs."""

import numpy as np
from sklearn.base import clone

from ._base import seed_of
from .errors import DeviceError


class Agreement:
    """What the engines say of one fit.

    Attributes
    ----------
    rows : list of dict
        For each device and quantity (a learned array, or predictions of X): `device`, `quantity`,
        `elements`, `differing` (elements with other bits than on the CPU), and `largest_difference`.
    missing : dict
        Devices that are not there, with the reason.
    """

    def __init__(self, rows, missing):
        self.rows = rows
        self.missing = missing

    @property
    def same_bits(self):
        """Whether all devices but the reference, which computes in double, have the CPU's bits."""
        return all(row["differing"] == 0 for row in self.rows if row["device"] != "reference")

    def to_frame(self):
        """The rows as a data frame of pandas."""
        import pandas

        return pandas.DataFrame(self.rows)

    def __repr__(self):
        lines = [f"{'device':<10} {'quantity':<28} {'elements':>9} {'differing':>9}  largest difference"]
        lines += [f"{row['device']:<10} {row['quantity']:<28} {row['elements']:>9} "
                  f"{row['differing']:>9}  {row['largest_difference']:.3g}" for row in self.rows]
        lines += [f"{device:<10} not there: {reason}" for device, reason in self.missing.items()]
        return "\n".join(lines)

    def _repr_html_(self):
        from html import escape

        cells = "".join(
            f"<tr><td>{row['device']}</td><td>{escape(row['quantity'])}</td><td>{row['elements']}</td>"
            f"<td>{row['differing']}</td><td>{row['largest_difference']:.3g}</td></tr>"
            for row in self.rows)
        missing = "".join(f"<p>{device}: {escape(reason)}</p>" for device, reason in self.missing.items())
        return ("<table><tr><th>device</th><th>quantity</th><th>elements</th><th>differing</th>"
                f"<th>largest difference</th></tr>{cells}</table>{missing}")


def agree(estimator, X, y=None, *, sample_weight=None, devices=("reference", "softgpu")):
    """Fits clones of the estimator on the CPU and on each of `devices`, with one seed, and compares what
    they learned and what they predict of X, bit by bit.

    A process can use a real GPU or the software GPU, not both; a device that is not there is listed as
    missing.
    """
    seed = seed_of(getattr(estimator, "random_state", 0))

    def fitted(device):
        model = clone(estimator).set_params(device=device)
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        if sample_weight is None:
            model.fit(X, y)
        else:
            model.fit(X, y, sample_weight=sample_weight)
        return quantities(model, X)

    rows, missing = [], {}
    expected = fitted("cpu")
    for device in devices:
        try:
            found = fitted(device)
        except DeviceError as error:
            missing[device] = str(error)
            continue
        for quantity, value in expected.items():
            rows.append(compare(device, quantity, value, found.get(quantity)))
    return Agreement(rows, missing)


def quantities(model, X):
    """Arrays by name: what the model holds, then predictions."""
    arrays = {name: value for name, value in model.parameters_.items()
              if isinstance(value, np.ndarray) and value.size and not name.startswith("training/")}
    arrays["predict"] = model.predict(X)
    if hasattr(model, "predict_proba"):
        arrays["predict_proba"] = model.predict_proba(X)
    return arrays


def compare(device, quantity, expected, found):
    row = {"device": device, "quantity": quantity, "elements": int(expected.size)}
    if found is None or found.shape != expected.shape:
        return {**row, "differing": int(expected.size), "largest_difference": float("inf")}
    if expected.dtype.kind == "f":
        bits = {4: np.uint32, 8: np.uint64}[expected.dtype.itemsize]
        differing = np.ascontiguousarray(expected).view(bits) != np.ascontiguousarray(found).view(bits)
        apart = np.abs(np.asarray(expected, float) - np.asarray(found, float))[differing]
        largest = float(np.nanmax(apart, initial=0.0)) if apart.size else 0.0
    elif expected.dtype.kind in "iu":
        differing = expected != found
        largest = float(np.max(np.abs(expected.astype(float) - found.astype(float)), initial=0.0))
    else:
        differing = expected != found
        largest = float(np.any(differing))
    return {**row, "differing": int(np.count_nonzero(differing)), "largest_difference": largest}
