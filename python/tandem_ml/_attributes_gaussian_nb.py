"""Gaussian naive Bayes: means and variances."""

import numpy as np

ATTRIBUTES = {
    "class_count_": lambda p: p["class_weights"],
    "class_prior_": lambda p: np.exp(p["class_log_prior"]),
    "theta_": lambda p: p["means"],
    "var_": lambda p: p["variances"],
    "epsilon_": lambda p: p["smoothing"],
}
