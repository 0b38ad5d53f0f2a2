"""Pictures with matplotlib: the course of a training, and trees."""

import numpy as np

from .errors import InputError

__all__ = ["learning_curve", "plot_tree", "tree_to_text"]


def learning_curve(estimator, series=None, *, ax=None):
    """The course of a training: the series of `history_`, or those that are named. Returns the axes."""
    ax = _axes(ax)
    history = estimator.history_
    names = list(history) if series is None else [series] if isinstance(series, str) else list(series)
    for name in names:
        if name not in history:
            raise InputError(f"series: there is no {name!r}; expected some of {', '.join(history)}")
        ax.plot(np.arange(1, len(history[name]) + 1), history[name], label=name)
    ax.set_xlabel("iteration")
    ax.set_title(type(estimator).__name__)
    if names:
        ax.legend()
    return ax


def tree_to_text(estimator):
    """The nodes of a tree, or of the first tree of many, a line each."""
    return estimator.to_text()


def plot_tree(estimator, *, max_depth=None, feature_names=None, ax=None):
    """A decision tree from its root at the top. Returns the axes."""
    tree = estimator.parameters_
    if not {"feature", "threshold", "left", "right", "values"} <= tree.keys():
        raise InputError(f"estimator: {type(estimator).__name__} is no decision tree")
    ax = _axes(ax)
    names = feature_names
    if names is None:
        names = estimator._model.description()["features"]
    deepest = np.inf if max_depth is None else max_depth
    width = [0]

    def place(node, depth):
        leaf = tree["feature"][node] < 0 or depth >= deepest
        if leaf:
            x = width[0]
            width[0] += 1
        else:
            children = [place(int(tree[side][node]), depth + 1) for side in ("left", "right")]
            x = sum(child[0] for child in children) / 2
            for child_x, child_y in children:
                ax.plot([x, child_x], [-depth, child_y], color="0.6", linewidth=1, zorder=1)
        ax.text(x, -depth, _node_text(estimator, tree, node, names, leaf), ha="center", va="center",
                fontsize=8, zorder=2, bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": "0.5"})
        return x, -depth

    place(0, 0)
    ax.set_axis_off()
    ax.margins(0.1)
    return ax


def _node_text(estimator, tree, node, names, leaf):
    rows = f"{int(tree['rows'][node])} rows"
    if not leaf:
        return f"{names[int(tree['feature'][node])]} <= {tree['threshold'][node]:.4g}\n{rows}"
    values = tree["values"][node]
    if hasattr(estimator, "classes_"):
        return f"{estimator.classes_[int(np.argmax(values))]}\n{rows}"
    return f"{values[0]:.4g}\n{rows}"


def _axes(ax):
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("tandem_ml.plots needs matplotlib: pip install matplotlib") from error
    return plt.gca()
