"""Bernoulli naive Bayes: counts and their logarithms."""

ATTRIBUTES = {
    "class_count_": lambda p: p["class_weights"],
    "class_log_prior_": lambda p: p["class_log_prior"],
    "feature_count_": lambda p: p["feature_counts"],
    "feature_log_prob_": lambda p: p["feature_log_prob"],
}
