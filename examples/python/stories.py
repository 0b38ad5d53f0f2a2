# %% [markdown]
# # The stories of `tandem demo`
# Flowers, wine, tumours, digits and diabetes, from `data/`.

# %%
import pathlib

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import train_test_split

import tandem_ml

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"


def read(name, text_target=False):
    rows = np.genfromtxt(DATA / name, delimiter=",", skip_header=1, dtype=str)
    y = rows[:, -1] if text_target else rows[:, -1].astype(float)
    return rows[:, :-1].astype(float), y


# %% [markdown]
# ## Flowers, without being told their kinds
X, species = read("iris.csv", text_target=True)
clusters = tandem_ml.KMeans(n_clusters=3, random_state=0).fit_predict(X)
print("k-means finds the species to", round(adjusted_rand_score(species, clusters), 2))
assert adjusted_rand_score(species, clusters) > 0.7

# %% [markdown]
# ## Wine, by a tree that a person can read
X, y = read("wine.csv", text_target=True)
tree = tandem_ml.DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
print(tandem_ml.plots.tree_to_text(tree))
assert tree.score(X, y) > 0.95

# %% [markdown]
# ## Tumours, by logistic regression
X, y = read("breast_cancer.csv", text_target=True)
train_x, test_x, train_y, test_y = train_test_split(X, y, random_state=0)
model = tandem_ml.LogisticRegression(scale="standard").fit(train_x, train_y)
print("accuracy on unseen tumours:", round(model.score(test_x, test_y), 3))
assert model.score(test_x, test_y) > 0.93

# %% [markdown]
# ## Digits, by a perceptron
X, y = read("digits.csv")
train_x, test_x, train_y, test_y = train_test_split(X / 16, y.astype(int), random_state=0)
network = tandem_ml.MLPClassifier(hidden_layer_sizes=(64,), max_iter=30, random_state=0)
network.fit(train_x, train_y)
print("accuracy on unseen digits:", round(network.score(test_x, test_y), 3))
assert network.score(test_x, test_y) > 0.93

# %% [markdown]
# ## Diabetes, by boosted trees
X, y = read("diabetes.csv")
train_x, test_x, train_y, test_y = train_test_split(X, y, random_state=0)
boosted = tandem_ml.GradientBoostingRegressor(n_estimators=60, learning_rate=0.05, max_depth=3,
                                              random_state=0).fit(train_x, train_y)
print("R² on unseen patients:", round(boosted.score(test_x, test_y), 2))
assert boosted.score(test_x, test_y) > 0.1
