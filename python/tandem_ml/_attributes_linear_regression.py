"""Linear regression: weights, and the rank that a closed form found."""

ATTRIBUTES = {
    "coef_": lambda p: p["weights"],
    "intercept_": lambda p: p["intercept"],
    "rank_": lambda p: p["rank"],
}
