"""Explanations with features on both sides and context: the parts, exactness, ids that have no vector of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from resolve_oracle import Oracle

import factorec as fr
from factorec.encoding import MultiLabel, Numeric
from factorec.errors import DataError, UnknownIdError

N_USERS, N_ITEMS, COLD = 20, 30, 99
HOURS = np.array(["morning", "noon", "night"], dtype=object)


def make_table(n=700, seed=0):
    rng = np.random.default_rng(seed)
    table = {
        "user_id": rng.integers(0, N_USERS, n),
        "item_id": rng.integers(0, N_ITEMS, n),
        "hour": HOURS[rng.integers(0, 3, n)],
        "rating": rng.integers(1, 6, n),
        "weight": rng.choice([0.5, 1.0, 2.0], n),
    }
    table["item_id"][table["user_id"] == 3] %= 6  # this user met few items, again and again
    table["rating"] = np.clip(table["rating"] + (table["item_id"] % 3 == table["user_id"] % 3), 1, 5)
    return table


USERS = {"user_id": np.append(np.arange(N_USERS), COLD), "age": 20 + np.arange(N_USERS + 1) % 7}
ITEMS = {
    "item_id": np.append(np.arange(N_ITEMS), COLD),
    "title": np.array([f"Film {i}" for i in [*range(N_ITEMS), COLD]], dtype=object),
    "genres": np.array([f"g{i % 3}|g{3 + i % 2}" for i in range(N_ITEMS + 1)], dtype=object),
}
FIELDS = {
    "user": [Numeric("age")],
    "item": [MultiLabel("genres", separator="|")],
    "context": ["hour"],
}
ESTIMATORS = {
    "ratings": lambda: fr.FMRegressor(n_factors=5, n_epochs=8, random_state=0),
    "likes": lambda: fr.FMClassifier(n_factors=5, n_epochs=8, random_state=0),
}


def fit(kind, table=None, **options):
    rec = fr.Recommender(ESTIMATORS[kind](), like_threshold=4, weight="weight", fields=FIELDS, **options)
    return rec.fit(make_table() if table is None else table, items=ITEMS, users=USERS)


@pytest.fixture(scope="module", params=["ratings", "likes"])
def fitted(request):
    return fit(request.param)


@pytest.fixture(scope="module")
def ratings():
    return fit("ratings")


@pytest.fixture(scope="module")
def negatives():
    return fit("likes", negatives=3)


def wanted_row(user, item, hour):
    return {
        "user_id": [user],
        "item_id": [item],
        "hour": np.array([hour], dtype=object),
        "rating": [3],
        "weight": [1.0],
    }


def is_classifier(rec):
    return isinstance(rec.estimator_, fr.FMClassifier)


@pytest.mark.parametrize(
    ("user", "item", "hour"), [(3, 20, "night"), (3, 2, "noon"), (5, 1, "morning"), (5, COLD, "noon")]
)
def test_parts_sum_to_the_score_that_the_model_gives_in_this_context(fitted, user, item, hour):
    """Promise 2, and the parts' own: their sum is the score to the bit."""
    why = fitted.explain(user, item, context={"hour": hour})
    assert why.parts.score == why.score
    expected = fitted.decision_function(wanted_row(user, item, hour))[0]
    assert abs(why.score - expected) <= 1e-5 * max(1, abs(expected))
    assert why.parts.fields == ("user_id", "age", "hour", "item_id", "genres")
    assert why.parts.linear["genres"] != 0
    assert why.parts.pairwise["age", "hour"] != 0
    assert (why.parts.linear["item_id"] == 0) == (item == COLD)


@pytest.mark.parametrize(("user", "item"), [(3, 20), (3, 2), (5, COLD)])
def test_influence_is_the_brute_force_re_solve_of_the_rows_in_their_contexts(fitted, user, item):
    table = make_table()
    mine = (table["user_id"] == user) & (table["item_id"] != item)
    rows = {name: values[mine] for name, values in table.items()}
    y = (rows["rating"] >= 4).astype(float) if is_classifier(fitted) else rows["rating"].astype(float)
    p, feature = fitted.estimator_.parameters_, int(fitted.encoder_.entities("user").columns[user])
    oracle = Oracle(
        p, fitted.encoder_.transform(rows), feature, p.penalties.factors[feature], weight=rows["weight"],
        loss="logistic" if is_classifier(fitted) else "squared",
    )  # fmt: skip
    wanted = fitted.encoder_.transform(wanted_row(user, item, "noon"))
    why = fitted.explain(user, item, context={"hour": "noon"})
    atol = 1e-4 if is_classifier(fitted) else 1e-6
    assert why.resolved_score == pytest.approx(oracle.scores(y, wanted)[0], abs=atol)
    assert why.rest + why.impact.sum() == pytest.approx(why.resolved_score, abs=1e-9)
    expected = oracle.influence(y, wanted)[0]
    assert set(why.item_ids.tolist()) == set(rows["item_id"].tolist())
    for other, found in zip(why.item_ids, why.influence, strict=True):
        assert found == pytest.approx(expected[rows["item_id"] == other].sum(), abs=atol)
    assert why.left_out == (item in table["item_id"][table["user_id"] == user])


@pytest.mark.parametrize("kind", ["ratings", "likes", "negatives"])
def test_influence_is_the_derivative_of_the_explained_score(kind):
    """Differences row by row; labels of the logistic loss move inward only. Rows of one item sum to one line."""
    rec = fit("likes", negatives=3) if kind == "negatives" else fit(kind)
    history, user, item = rec.interactions_, 3, 20

    def explained(row, change):
        label = history.label.astype(np.float64)
        label[row] += change
        rec.interactions_ = replace(history, label=label)
        return rec.explain(user, item, context={"hour": "noon"})

    why = explained(0, 0.0)
    own = history.rows_of(user)
    slope = dict.fromkeys(why.item_ids.tolist(), 0.0)
    for row in np.arange(own.start, own.stop)[history.weight[own] > 0]:
        step = 0.5 if kind == "ratings" else 1e-4 * (1 - 2 * history.label[row])
        moved = explained(row, step).resolved_score - why.resolved_score
        slope[int(history.items[row])] += moved / step
    found = dict(zip(why.item_ids.tolist(), why.influence.tolist(), strict=True))
    assert found == pytest.approx(slope, abs=1e-6 if kind == "ratings" else 1e-4)


def test_items_not_rated_stand_in_the_mean_context(negatives):
    user, item = 3, 20
    table = make_table()
    likes = (table["user_id"] == user) & (table["rating"] >= 4)
    rows = {name: values[likes] for name, values in table.items()}
    encoder, p = negatives.encoder_, negatives.estimator_.parameters_
    X, feature = encoder.transform(rows), int(encoder.entities("user").columns[user])
    met = np.unique(table["item_id"][table["user_id"] == user])
    unseen = [i for i in range(N_ITEMS) if i not in met]
    hour = slice(*encoder.field_ranges_["hour"])
    background = encoder.transform(
        {"user_id": np.full(len(unseen), user), "item_id": unseen, "hour": np.full(len(unseen), "noon", dtype=object)}
    ).toarray()
    background[:, hour] = rows["weight"] @ X.toarray()[:, hour] / rows["weight"].sum()
    weight = np.append(rows["weight"], np.full(len(unseen), 3 * rows["weight"].sum() / len(unseen)))
    y = np.append(np.ones(len(rows["rating"])), np.zeros(len(unseen)))
    both = type(X)(np.vstack([X.toarray(), background]))
    oracle = Oracle(p, both, feature, p.penalties.factors[feature], weight=weight, loss="logistic")
    why = negatives.explain(user, item, context={"hour": "night"})
    wanted = encoder.transform(wanted_row(user, item, "night"))
    assert why.resolved_score == pytest.approx(oracle.scores(y, wanted)[0], abs=1e-4)
    assert why.rest + why.impact.sum() + why.background == pytest.approx(why.resolved_score, abs=1e-9)
    assert COLD not in unseen


def test_context_changes_the_score_and_must_be_said(ratings):
    scores = {hour: ratings.explain(3, 20, context={"hour": hour}).score for hour in HOURS}
    assert len(set(scores.values())) == 3
    without = ratings.explain(3, 20, context={})
    assert without.parts.linear["hour"] == 0
    assert "Not shown: 5 parts that are zero" in repr(without)
    with pytest.raises(DataError, match="context"):
        ratings.explain(3, 20)
    with pytest.raises(DataError, match="weather"):
        ratings.explain(3, 20, context={"weather": "rain"})


def test_a_user_without_a_vector_gets_the_parts(fitted):
    why = fitted.explain(COLD, 20, context={"hour": "noon"}, noun="film")
    assert "learned from nothing that this user did" in why.unexplained
    assert len(why.contributions) == 0
    assert why.parts.linear["user_id"] == 0
    assert why.parts.pairwise["age", "item_id"] != 0
    expected = fitted.decision_function(wanted_row(COLD, 20, "noon"))[0]
    assert why.score == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UnknownIdError):
        fitted.explain(98, 20, context={"hour": "noon"})


def test_saved_models_explain_the_same(negatives, tmp_path):
    why = negatives.explain(3, 20, context={"hour": "noon"})
    negatives.save(tmp_path / "m.factorec")
    again = fr.load(tmp_path / "m.factorec").explain(3, 20, context={"hour": "noon"})
    assert again.parts.names == why.parts.names
    np.testing.assert_array_equal(again.parts.values, why.parts.values)
    np.testing.assert_array_equal(again.impact, why.impact)
    assert again.resolved_score == why.resolved_score
    assert "this item's own, other fields" in repr(again)


def test_by_feature(fitted):
    coarse = fitted.explain(3, 20, context={"hour": "noon"})
    fine = fitted.explain(3, 20, context={"hour": "noon"}, by="feature")
    assert {"user_id_3", "item_id_20", "hour_noon", "genres_g2", "genres_g3"} <= set(fine.parts.fields)
    assert fine.parts.score == fine.score == pytest.approx(coarse.score, rel=1e-12)
    genres = [fine.parts.linear[name] for name in fine.parts.fields if name.startswith("genres_")]
    assert sum(genres) == pytest.approx(coarse.parts.linear["genres"])
    np.testing.assert_array_equal(fine.impact, coarse.impact)
    with pytest.raises(DataError, match="by must be"):
        fitted.explain(3, 20, context={"hour": "noon"}, by="genre")


def test_explained_scores_rank_as_the_model_does():
    """Fidelity with features, context and negatives: at a minimum, the re-solved top 5 are the model's."""
    rec = fr.Recommender(
        ESTIMATORS["likes"]().set_params(n_epochs=80), like_threshold=4, weight="weight", fields=FIELDS, negatives=3
    ).fit(make_table(400), items=ITEMS, users=USERS)
    overlaps = []
    for user in range(N_USERS):
        top = rec.recommend([user], n=15, context={"hour": "noon"})[user]["item_id"]
        resolved = [rec.explain(user, item, context={"hour": "noon"}).resolved_score for item in top]
        best = set(top[np.argsort(resolved)[::-1][:5]].tolist())
        overlaps.append(len(best & set(top[:5].tolist())) / 5)
    assert np.mean(overlaps) > 0.75
