"""Nearest neighbours: how many rows are kept."""

ATTRIBUTES = {
    "n_samples_fit_": lambda p: len(p["rows"]),
    "effective_metric_": lambda p: p["metric"],
}
