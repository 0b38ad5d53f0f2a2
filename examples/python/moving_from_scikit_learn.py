# %% [markdown]
# # Moving from scikit-learn
# Change the import, keep the rest: parameters, pipelines and searches are scikit-learn's.

# %%
import pathlib

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tandem_ml

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
table = np.genfromtxt(DATA / "wine.csv", delimiter=",", skip_header=1, dtype=str)
X, y = table[:, :-1].astype(float), table[:, -1]

# %%
theirs = cross_val_score(RandomForestClassifier(100, random_state=0), X, y).mean()
ours = cross_val_score(tandem_ml.RandomForestClassifier(n_estimators=100, random_state=0), X, y).mean()
print(f"accuracy of five folds: scikit-learn {theirs:.3f}, Tandem {ours:.3f}")
assert abs(theirs - ours) < 0.03

# %%
search = GridSearchCV(
    make_pipeline(StandardScaler(), tandem_ml.LogisticRegression()),
    {"logisticregression__C": [0.01, 0.1, 1, 10]},
).fit(X, y)
print("best C:", search.best_params_["logisticregression__C"], "accuracy:", round(search.best_score_, 3))
assert search.best_score_ > 0.95
