"""Estimators, with scikit-learn's fit and predict, of libraries that have an interface of their own.

A case names one as "adapters.FaissKMeans". `library` is the module that the version is asked of.
The module is imported when an estimator is made, so that one that is not installed is told by name.
"""


class FaissKMeans:
    """Lloyd's algorithm of FAISS on the processor, from given centroids, of all rows."""

    library = "faiss"

    def __init__(self, n_clusters, init, max_iter, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        self.faiss = faiss
        self.n_clusters = n_clusters
        self.init = init
        self.max_iter = max_iter

    def fit(self, x):
        # FAISS would take a sample of 256 rows for each centroid.
        self.kmeans = self.faiss.Kmeans(x.shape[1], self.n_clusters, niter=self.max_iter,
                                        max_points_per_centroid=len(x), min_points_per_centroid=1)
        self.kmeans.train(x, init_centroids=self.init)
        return self

    def predict(self, x):
        return self.kmeans.index.search(x, 1)[1].reshape(-1)


class FaissNeighbours:
    """Votes of the nearest rows by FAISS's exhaustive search."""

    library = "faiss"

    def __init__(self, n_neighbors, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        self.faiss = faiss
        self.n_neighbors = n_neighbors

    def fit(self, x, y):
        self.index = self.faiss.IndexFlatL2(x.shape[1])
        self.index.add(x)
        self.classes = int(y.max()) + 1
        self.y = y
        return self

    def predict_proba(self, x):
        import numpy as np

        votes = self.y[self.index.search(x, self.n_neighbors)[1]]
        shares = np.zeros((len(x), self.classes), x.dtype)
        np.add.at(shares, (np.arange(len(x))[:, None], votes), 1 / self.n_neighbors)
        return shares


class TorchClassifier:
    """A perceptron with ReLU, trained by Adam on shuffled batches in memory; PyTorch, eager."""

    library = "torch"

    def __init__(self, hidden, batch_size, epochs, learning_rate, threads):
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch = torch
        self.hidden = hidden
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate

    def fit(self, x, y):
        torch = self.torch
        widths = [x.shape[1], *self.hidden]
        layers = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        layers.append(torch.nn.Linear(widths[-1], int(y.max()) + 1))
        self.network = torch.nn.Sequential(*layers)
        rows, classes = torch.from_numpy(x), torch.from_numpy(y)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.learning_rate)
        loss = torch.nn.CrossEntropyLoss()
        for _ in range(self.epochs):
            order = torch.randperm(len(rows))
            for begin in range(0, len(rows), self.batch_size):
                batch = order[begin:begin + self.batch_size]
                optimizer.zero_grad()
                loss(self.network(rows[batch]), classes[batch]).backward()
                optimizer.step()
        return self

    def predict_proba(self, x):
        with self.torch.no_grad():
            return self.network(self.torch.from_numpy(x)).softmax(1).numpy()


class TandemPython:
    """Tandem's own estimator for a case, with the case's options: what Python adds to a fit."""

    library = "tandem_ml"

    def __init__(self, algorithm, options, classifies, first_rows, threads):
        import tandem_ml

        fitting = [cls for cls in tandem_ml.estimators().values()
                   if cls._description["name"] == algorithm and
                   not cls.__name__.endswith("Regressor" if classifies else "Classifier")]
        made_by, = fitting
        named = {}
        for name, parameter in made_by._parameters.items():
            named[parameter.option.replace("-", "_")] = name
            named[name] = name
        given = {}
        for option, value in options.items():
            if option == "init" and value == "given":
                given["init"] = first_rows
            elif isinstance(value, list):
                given[named[option]] = tuple(value)
            else:
                given[named.get(option, option)] = value
        self.model = made_by(**given, n_jobs=threads, random_state=0)

    def fit(self, x, y=None):
        self.model.fit(x, y)
        if not hasattr(self.model, "predict_proba"):
            self.__class__ = WithoutProbabilities
        return self

    def predict(self, x):
        return self.model.predict(x)

    def predict_proba(self, x):
        return self.model.predict_proba(x)


class WithoutProbabilities(TandemPython):
    """Of values or clusters."""

    @property
    def predict_proba(self):
        raise AttributeError("predict_proba")
