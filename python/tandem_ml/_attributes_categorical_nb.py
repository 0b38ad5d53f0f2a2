"""Categorical naive Bayes: counts and logarithms of the categories, an array per feature."""

import numpy as np


def _by_feature(name):
    def get(parameters):
        return np.split(parameters[name], np.cumsum(parameters["categories"])[:-1], axis=1)

    return get


ATTRIBUTES = {
    "class_count_": lambda p: p["class_weights"],
    "class_log_prior_": lambda p: p["class_log_prior"],
    "n_categories_": lambda p: p["categories"],
    "category_count_": _by_feature("category_counts"),
    "feature_log_prob_": _by_feature("category_log_prob"),
}
