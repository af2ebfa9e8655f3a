"""Every estimator with every solver, on ids alone and with features on both sides and a context: the same promises."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone

import factorec as fr

from .conftest import N_ITEMS, N_USERS, make_table, split

SHORT = {"n_factors": 4, "random_state": 0}
SAMPLED = {"solver": "gibbs", "n_epochs": 24, "burn_in": 8, "n_samples": 8}
ESTIMATORS = {
    "FMClassifier, adagrad": lambda **more: fr.FMClassifier(n_epochs=8, **SHORT, **more),
    "FMClassifier, sgd": lambda **more: fr.FMClassifier(n_epochs=8, solver="sgd", **SHORT, **more),
    "FMClassifier, adam": lambda **more: fr.FMClassifier(n_epochs=8, solver="adam", batch_size=50, **SHORT, **more),
    "FMClassifier, negatives": lambda **more: fr.FMClassifier(n_epochs=8, **SHORT, **more),
    "FMClassifier, gibbs": lambda **more: fr.FMClassifier(**SAMPLED, **SHORT, **more),
    "FMRegressor, adagrad": lambda **more: fr.FMRegressor(n_epochs=8, **SHORT, **more),
    "FMRegressor, sgd": lambda **more: fr.FMRegressor(n_epochs=8, solver="sgd", **SHORT, **more),
    "FMRegressor, adam": lambda **more: fr.FMRegressor(n_epochs=8, solver="adam", batch_size=50, **SHORT, **more),
    "FMRegressor, als": lambda **more: fr.FMRegressor(n_epochs=6, solver="als", **SHORT, **more),
    "FMRegressor, gibbs": lambda **more: fr.FMRegressor(**SAMPLED, **SHORT, **more),
    "FMOrdinal, adagrad": lambda **more: fr.FMOrdinal(n_epochs=8, **SHORT, **more),
    "FMOrdinal, gibbs": lambda **more: fr.FMOrdinal(**SAMPLED, **SHORT, **more),
    "FMRanker, softmax": lambda **more: fr.FMRanker(n_epochs=8, **SHORT, **more),
    "FMRanker, bpr": lambda **more: fr.FMRanker(n_epochs=8, loss="bpr", **SHORT, **more),
    "FMRanker, warp": lambda **more: fr.FMRanker(n_epochs=8, loss="warp", **SHORT, **more),
    "FMRanker, ials": lambda **more: fr.FMRanker(n_epochs=6, solver="ials", **SHORT, **more),
}
FIELDS = {
    "ids": None,
    "features": {"user": [fr.Numeric("age", bins=3), fr.History()], "item": ["genre"], "context": ["day"]},
}
BIPARTITE = ("gibbs", " als")
CASES = [(name, fields, "all") for name in ESTIMATORS for fields in FIELDS]
CASES += [(name, "features", "bipartite") for name in ESTIMATORS if name.endswith(BIPARTITE)]


def make(name, fields, interactions, **more):
    if interactions != "all":
        more["interactions"] = interactions
    options = {"negatives": 3} if name.endswith("negatives") else {}
    return fr.Recommender(ESTIMATORS[name](**more), like_threshold=4, fields=FIELDS[fields], **options)


@pytest.fixture(scope="module")
def tables():
    """Train rows, test rows, late rows of three users, and catalogues of users and items."""
    table = make_table(2000, seed=3)
    days = np.array(["weekday", "weekend"], dtype=object)
    table["day"] = days[np.random.default_rng(0).integers(0, 2, len(table["rating"]))]
    late = np.isin(table["user_id"], np.unique(table["user_id"])[-3:])
    train, test = split({name: values[~late] for name, values in table.items()})
    users, items = np.arange(N_USERS) * 7 + 3, np.arange(N_ITEMS) * 11 + 100
    genres = np.array(["drama", "comedy", "crime"], dtype=object)
    return {
        "train": train,
        "test": test,
        "late": {name: values[late] for name, values in table.items()},
        "users": {"user_id": users, "age": 20 + users % 40},
        "items": {"item_id": items, "genre": genres[items % 3], "title": genres[items % 3]},
    }


@pytest.fixture(scope="module", params=CASES, ids=lambda case: ", ".join(case))
def case(request):
    return request.param


@pytest.fixture(scope="module")
def rec(case, tables):
    return make(*case).fit(tables["train"], users=tables["users"], items=tables["items"])


@pytest.fixture(scope="module")
def context(case):
    return None if case[1] == "ids" else {"day": "weekend"}


def rows_of(top, context):
    return {**top.to_columns(), **({} if context is None else {"day": np.full(int(top.counts.sum()), "weekend")})}


def bits(rec, test, context):
    """Everything that is said by numbers."""
    found = [rec.decision_function(test), rec.predict(test), rec.recommend(n=9, context=context).scores]
    p = rec.estimator_.parameters_
    found += [np.array([p.bias]), p.linear, p.factors, p.mean().factors]
    if isinstance(rec.estimator_, fr.FMOrdinal):
        found.append(rec.predict_like(test))
    return b"".join(np.ascontiguousarray(part).tobytes() for part in found)


@pytest.mark.parametrize("search_with", ["samples", "mean"])
def test_promise_2_lists_agree_with_scores_of_full_rows(rec, context, search_with):
    """Promise 2: by all samples lists are in the order of the estimator's scores, by their mean in that of the mean."""
    rec = pickle.loads(pickle.dumps(rec))
    rec.recommend(n=1, context=context)  # what was prepared for that is not used for what is set now
    rec.set_params(search_with=search_with)
    top = rec.recommend(n=N_ITEMS, context=context)
    table = rows_of(top, context)
    scores = rec.decision_function(table)
    unit = np.maximum(1.0, np.abs(scores))
    assert (np.abs(scores - table["score"]) <= 1e-5 * unit).all()
    falling = np.diff(scores) <= 2e-5 * unit[1:]
    assert (falling | (np.diff(table["rank"]) <= 0)).all()
    if search_with == "samples":
        X = rec.encoder_.transform(table)
        assert np.array_equal(scores, rec.estimator_.decision_function(X))
    if rec.estimator_.parameters_.posterior is not None:
        one = rec.estimator_.parameters_.n_factors // rec.estimator_.n_factors
        assert one == rec.estimator_.n_samples
        assert rec._ranker()._vectors.shape[1] == rec.estimator_.n_factors * (one if search_with == "samples" else 1)


def test_promise_3_the_same_bits_at_any_number_of_threads(rec, case, tables, context):
    """Promise 3: two threads give what one gives."""
    other = make(*case, n_jobs=2).fit(tables["train"], users=tables["users"], items=tables["items"])
    one = make(*case, n_jobs=1).fit(tables["train"], users=tables["users"], items=tables["items"])
    assert bits(other, tables["test"], context) == bits(one, tables["test"], context)


def test_copies_and_files_are_the_same_model(rec, tables, context, tmp_path):
    expected = bits(rec, tables["test"], context)
    assert bits(pickle.loads(pickle.dumps(rec)), tables["test"], context) == expected
    rec.save(tmp_path / "model.factorec")
    loaded = fr.load(tmp_path / "model.factorec")
    assert bits(loaded, tables["test"], context) == expected
    assert repr(loaded) == repr(rec)
    loaded.save(tmp_path / "again.factorec")
    assert (tmp_path / "again.factorec").read_bytes() == (tmp_path / "model.factorec").read_bytes()
    again = clone(loaded).fit(tables["train"], users=tables["users"], items=tables["items"])
    assert bits(again, tables["test"], context) == expected
    user, item = rec.encoder_.users_.ids[0], rec.encoder_.items_.ids[-1]
    for one, other in zip(
        _arrays(rec.explain(user, item, context=context)),
        _arrays(loaded.explain(user, item, context=context)),
        strict=True,
    ):
        assert np.array_equal(one, other)
    if rec.estimator_.parameters_.posterior is not None and isinstance(rec.estimator_, fr.FMRegressor):
        for one, other in zip(
            rec.predict(tables["test"], return_std=True), loaded.predict(tables["test"], return_std=True), strict=True
        ):
            assert np.array_equal(one, other)


def _arrays(why):
    return why.influence, why.impact, np.array([why.score, why.resolved_score])


def test_training_goes_on_from_a_file_with_the_same_bits(rec, tables, context, tmp_path):
    rec.save(tmp_path / "model.factorec")
    loaded = fr.load(tmp_path / "model.factorec")
    data, factors = _training_set(rec, tables), []
    for estimator in (pickle.loads(pickle.dumps(rec)).estimator_, loaded.estimator_):
        estimator.set_params(warm_start=True).fit(data)
        factors.append((estimator.factors_.tobytes(), estimator.linear_.tobytes()))
    assert factors[0] == factors[1]


def _training_set(rec, tables):
    from factorec.recommender.checks import check_columns
    from factorec.recommender.interactions import read_interactions
    from factorec.recommender.training import Part, sampling_of

    table = tables["train"]
    part = Part.of(read_interactions(table, check_columns(rec), "table"), rec.encoder_.encode(table))
    return part.training_set(part.learnable(rec), sampling_of(rec, rec.encoder_, rec.interactions_))


def test_promise_4_what_was_seen_is_left_out(rec, tables, context):
    """Promise 4: nobody is recommended what is in the tables given to fit, disliked items included."""
    columns = rec.recommend(n=N_ITEMS, context=context).to_columns()
    found = set(zip(columns["user_id"].tolist(), columns["item_id"].tolist(), strict=True))
    train = tables["train"]
    assert not found & set(zip(train["user_id"].tolist(), train["item_id"].tolist(), strict=True))
    assert found & set(zip(tables["test"]["user_id"].tolist(), tables["test"]["item_id"].tolist(), strict=True))


def test_explanations_add_up(rec, context):
    top = rec.recommend(n=1, context=context)
    why = rec.explain(top.user_ids[5], top.item_ids[5, 0], context=context)
    assert np.isfinite([why.score, why.resolved_score, why.gap]).all()
    total = why.rest + why.impact.sum() + (why.background or 0) + (why.prior or 0)
    assert total == pytest.approx(why.resolved_score, abs=1e-6 * max(1, abs(why.score)))
    assert len(why.item_ids)


def test_new_users_and_items_are_folded_in(rec, tables, context):
    later = pickle.loads(pickle.dumps(rec))
    before = later.recommend(n=5, context=context)
    later.fold_in_users(tables["late"], users=tables["users"])
    new = np.unique(tables["late"]["user_id"])
    top = later.recommend(new, n=N_ITEMS, context=context)
    assert (top.counts > 0).all()
    assert np.isfinite(top.scores[top.positions >= 0]).all()
    met = set(zip(tables["late"]["user_id"].tolist(), tables["late"]["item_id"].tolist(), strict=True))
    columns = top.to_columns()
    assert not met & set(zip(columns["user_id"].tolist(), columns["item_id"].tolist(), strict=True))
    old = later.recommend(before.user_ids, n=5, context=context)
    assert np.array_equal(old.item_ids, before.item_ids)  # nothing else moved
    fresh = {**{name: values[:20] for name, values in tables["train"].items()}, "item_id": np.full(20, 77_777)}
    later.fold_in_items(fresh, items={"item_id": [77_777], "genre": ["crime"], "title": ["New"]})
    assert 77_777 in later.recommend(n=N_ITEMS + 1, context=context).item_ids


def test_judged_on_held_out_rows(rec, tables, context):
    judged = rec.evaluate(tables["test"], n=5, context=context)
    figures = judged.points | judged.ranking
    assert figures
    assert np.isfinite(list(figures.values())).all()
    assert judged.n_users > 0


def test_neighbours_have_cosines(rec):
    for found in (rec.similar_items(rec.encoder_.items_.ids[:3]), rec.similar_users(rec.encoder_.users_.ids[:3])):
        scores = found.scores[found.positions >= 0]
        assert (np.abs(scores) <= 1 + 1e-6).all()
