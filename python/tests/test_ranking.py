"""Rankings from Python: the query of each row goes to `fit`."""

import numpy as np
import pytest
import sklearn
from sklearn.metrics import ndcg_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tandem_ml


def queries(seed, count=40):
    """x, y and qid of queries of 3 to 12 rows."""
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(count) * 7 + 1, rng.integers(3, 13, size=count))
    x = rng.normal(size=(len(qid), 4)).round(3)
    value = x[:, 0] - x[:, 1] ** 2 + 0.2 * rng.normal(size=len(qid))
    return x, np.digitize(value, [-1.5, -0.5, 0.5]), qid


def libsvm(path, x, y, qid):
    with open(path, "w") as file:
        for row, relevance, query in zip(x, y, qid):
            values = " ".join(f"{j + 1}:{value!r}" for j, value in enumerate(row.tolist()))
            file.write(f"{relevance} qid:{query} {values}\n")
    return path


@pytest.mark.parametrize("objective", ["rank-ndcg", "rank-pairwise"])
def test_rankings_are_the_programs(objective, program, tmp_path):
    x, y, qid = queries(3)
    held_x, held_y, held_qid = queries(4)
    program("train", "gradient-boosting", "--data", libsvm(tmp_path / "t.svm", x, y, qid), "--validation",
            libsvm(tmp_path / "v.svm", held_x, held_y, held_qid), "--objective", objective, "--rounds", "30",
            "--patience", "5", "--eval-metric", "ndcg", "--min-child-weight", "0.1", "--task", "regression",
            "--seed", "0", "--model", tmp_path / "program.tandem")
    theirs = tandem_ml.load(tmp_path / "program.tandem")
    ours = tandem_ml.GradientBoostingRegressor(objective=objective, n_estimators=30, early_stopping_rounds=5,
                                               eval_metric="ndcg", min_child_weight=0.1, random_state=0)
    held = {"X_val": held_x, "y_val": held_y}
    ours.fit(x, y, qid=qid, **held, qid_val=held_qid)
    for key, value in theirs.parameters_.items():
        np.testing.assert_array_equal(ours.parameters_[key], value, err_msg=key)
    # Texts and other numbers name queries as well.
    for named in ([f"q{one:04d}" for one in qid], qid.astype(float), qid.astype(np.uint64)):
        again = sklearn.base.clone(ours).fit(x, y, qid=named, **held, qid_val=held_qid.astype(str))
        assert again._model.to_bytes() == ours._model.to_bytes()


def test_a_ranking_ranks():
    x, y, qid = queries(5, 150)
    held_x, held_y, held_qid = queries(6, 60)
    model = tandem_ml.GradientBoostingRegressor(objective="rank-ndcg", n_estimators=40, min_child_weight=0.1,
                                                random_state=0).fit(x, y, qid=qid)
    scores = model.predict(held_x)
    chance = np.random.default_rng(0).normal(size=len(scores))

    def mean_ndcg(scores):
        return np.mean([ndcg_score([held_y[held_qid == one]], [scores[held_qid == one]])
                        for one in np.unique(held_qid)])

    assert mean_ndcg(scores) > 0.95 > 0.9 > mean_ndcg(chance)


def test_queries_go_through_pipelines():
    x, y, qid = queries(7)
    model = tandem_ml.GradientBoostingRegressor(objective="rank-ndcg", n_estimators=5, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), model.set_fit_request(qid=True)).fit(x, y, qid=qid)
    scaled = StandardScaler().fit_transform(x)
    alone = sklearn.base.clone(model).fit(scaled, y, qid=qid)
    assert np.array_equal(routed.predict(x), alone.predict(scaled))


def test_queries_that_do_not_fit_are_refused():
    x, y, qid = queries(8)
    ranking = tandem_ml.GradientBoostingRegressor(objective="rank-ndcg", n_estimators=2, random_state=0)
    with pytest.raises(ValueError, match="objective=rank-ndcg.*qid"):
        ranking.fit(x, y)
    with pytest.raises(ValueError, match="qid_val, the query"):
        ranking.fit(x, y, qid=qid, X_val=x, y_val=y)
    with pytest.raises(ValueError, match="qid_val has 2 values for"):
        ranking.fit(x, y, qid=qid, X_val=x, y_val=y, qid_val=qid[:2])
    with pytest.raises(ValueError, match="qid has 3 values for"):
        ranking.fit(x, y, qid=qid[:3])
    with pytest.raises(ValueError, match="NaN"):
        ranking.fit(x, y, qid=np.full(len(y), np.nan))
    with pytest.raises(ValueError, match="None"):
        ranking.fit(x, y, qid=[None, *qid[1:]])
    with pytest.raises(ValueError, match="query"):
        ranking.fit(x, y, qid=np.roll(qid, 1))
    with pytest.raises(ValueError, match="relevance|whole"):
        ranking.fit(x, y + 0.5, qid=qid)
    assert not hasattr(ranking, "n_features_in_")
    with pytest.raises(TypeError, match="qid"):
        tandem_ml.RandomForestRegressor().fit(x, y, qid=qid)
