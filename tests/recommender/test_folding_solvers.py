"""Promise: whatever the solver, folding in and explaining solve its own objective, or name what stands for it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import factorec as fr
from factorec.errors import DataError
from factorec.explain._words import signed
from factorec.recommender.fitting import encode_rows

SIDES = pytest.mark.parametrize("side", ["user", "item"])
GIBBS = {"n_factors": 4, "solver": "gibbs", "n_epochs": 40, "n_samples": 6, "random_state": 0}
SAMPLED = {
    "sampled ratings": lambda: fr.Recommender(fr.FMRegressor(**GIBBS), like_threshold=4),
    "sampled likes": lambda: fr.Recommender(fr.FMClassifier(**GIBBS), like_threshold=4),
    "sampled levels": lambda: fr.Recommender(fr.FMOrdinal(**GIBBS), like_threshold=4),
    "bipartite": lambda: fr.Recommender(fr.FMRegressor(**GIBBS, interactions="bipartite"), like_threshold=4),
}
POINTS = {
    "least squares": lambda: fr.Recommender(fr.FMRegressor(4, solver="als", random_state=0), like_threshold=4),
    "levels": lambda: fr.Recommender(fr.FMOrdinal(4, random_state=0), like_threshold=4),
}
LISTS = {
    "implicit": lambda: fr.Recommender(fr.FMRanker(4, solver="ials", random_state=0), like_threshold=4),
    **{
        loss: lambda loss=loss: fr.Recommender(fr.FMRanker(4, loss=loss, random_state=0), like_threshold=4)
        for loss in ("softmax", "bpr", "warp")
    },
}
SOLVERS = SAMPLED | POINTS | LISTS


def part(table, rows):
    return {name: column[rows] for name, column in table.items()}


def cut(table, side, n=6):
    """Rows without the last ids of a side, and the rows of those."""
    late = np.isin(table[f"{side}_id"], np.unique(table[f"{side}_id"])[-n:])
    return part(table, ~late), part(table, late)


def fold(rec, side, table, **options):
    rec = copy.deepcopy(rec)
    return (rec.fold_in_users if side == "user" else rec.fold_in_items)(table, **options)


def columns_of(rec, side, ids):
    entities = rec.encoder_.entities(side)
    return entities.columns[entities.vocabulary.index(ids)]


def parameters_of(rec, side, identifier):
    """All that the model has of an id: weight and vector, of the mean and of the samples, too."""
    p, column = rec.estimator_.parameters_, columns_of(rec, side, [identifier])[0]
    own = [p.linear[column], *p.factors[column], p.mean().linear[column], *p.mean().factors[column]]
    return np.array(own if p.posterior is None else [*own, *p.posterior.linear[column]])


@pytest.fixture(scope="module")
def early(table):
    """Models without the last ids of a side, each fitted once."""
    models = {}

    def fitted(kind, side):
        if (kind, side) not in models:
            models[kind, side] = SOLVERS[kind]().fit(cut(table, side)[0])
        return models[kind, side]

    return fitted


@pytest.mark.parametrize("kind", list(SOLVERS))
def test_explain_finds_nothing_left_to_move(early, kind, table):
    """Of a posterior it explains the mean parameters, whose score is not that of the model: the gap."""
    _, late = cut(table, "user")
    rec = fold(early(kind, "user"), "user", late)
    for user in np.unique(late["user_id"])[:3]:
        item = rec.recommend([user], n=1).item_ids[0, 0]
        why = rec.explain(user, item)
        row = encode_rows(rec, {"user_id": [user], "item_id": [item]})
        p = rec.estimator_.parameters_
        # The targets that stand for a loss of lists are means over all users, who are now more.
        drift = 0.05 if kind in ("softmax", "bpr", "warp") else 2e-5
        assert why.resolved_score == pytest.approx(p.mean().decision_function(row)[0], abs=drift)
        assert why.score == pytest.approx(p.decision_function(row)[0], abs=1e-5)
        total = why.rest + why.impact.sum() + (why.background or 0) + (why.prior or 0)
        assert why.resolved_score == pytest.approx(total, abs=1e-10)
        assert (why.prior is not None) == (kind in SAMPLED)
        assert f"gap {signed(why.gap)}" in repr(why)


@pytest.mark.parametrize("kind", list(SOLVERS))
@SIDES
def test_no_id_depends_on_company_or_order(early, kind, side, table):
    rec, late = early(kind, side), cut(table, side)[1]
    ids = np.unique(late[f"{side}_id"])
    together = fold(rec, side, late)
    shuffled = fold(rec, side, part(late, np.random.default_rng(0).permutation(len(late["rating"]))))
    for identifier in ids[:2]:
        alone = fold(rec, side, part(late, late[f"{side}_id"] == identifier))
        own = parameters_of(together, side, identifier)
        if not (kind in LISTS and side == "item"):  # one more new item is one more that was not met
            np.testing.assert_array_equal(parameters_of(alone, side, identifier), own)
        np.testing.assert_allclose(parameters_of(shuffled, side, identifier), own, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", list(SOLVERS))
@SIDES
def test_all_else_keeps_its_bits(early, kind, side, table):
    rec, late = early(kind, side), cut(table, side)[1]
    was = copy.deepcopy(rec.estimator_.parameters_)
    folded = fold(rec, side, late)
    for column_of in ("user", "item"):
        ids = rec.encoder_.entities(column_of).vocabulary.ids
        before, after = columns_of(rec, column_of, ids), columns_of(folded, column_of, ids)
        p = folded.estimator_.parameters_
        for old, new in ((was, p), (was.mean(), p.mean())):
            np.testing.assert_array_equal(new.linear[after], old.linear[before])
            np.testing.assert_array_equal(new.factors[after], old.factors[before])
        if p.posterior is not None:
            np.testing.assert_array_equal(p.posterior.linear[after], was.posterior.linear[before])
    assert p.bias == was.bias


@pytest.mark.parametrize("kind", [*SAMPLED, *POINTS])
@SIDES
def test_folding_in_beats_not_knowing(early, kind, side, table):
    rec, late = early(kind, side), cut(table, side)[1]
    half = np.random.default_rng(0).random(len(late["rating"])) < 0.5
    given, asked = part(late, half), part(late, ~half)
    folded = fold(rec, side, given)

    def correlation(model):
        with np.errstate(invalid="ignore"):
            return np.corrcoef(model.decision_function(asked), asked["rating"])[0, 1]

    with pytest.warns(UserWarning, match="does not know"):
        unknown = correlation(rec)
    assert correlation(folded) > unknown + 0.02


@pytest.mark.parametrize("kind", list(SAMPLED))
@SIDES
def test_samples_of_the_new_have_the_models_score_as_their_mean(early, kind, side, table):
    late = cut(table, side)[1]
    folded = fold(early(kind, side), side, late)
    rows = encode_rows(folded, late)
    scores = folded.estimator_.sample_scores(rows)
    np.testing.assert_allclose(scores.mean(axis=1), folded.decision_function(late), atol=1e-4)
    assert scores.std(axis=1).min() > 0.01  # each its own draw


@pytest.mark.parametrize("kind", ["sampled ratings", "sampled likes"])
@SIDES
def test_who_has_no_row_to_learn_from_has_the_prior(early, kind, side, table):
    """More of the spread, too, than those who have rows."""
    rec, late = early(kind, side), cut(table, side)[1]
    folded = fold(rec, side, late, **{f"{side}s": {f"{side}_id": np.array([10**6])}})
    mean = folded.estimator_.parameters_.mean()
    column = columns_of(folded, side, [10**6])[0]
    prior = mean.penalties.priors[f"{side}_id"]
    np.testing.assert_allclose(mean.factors[column], prior.mean_factors, atol=1e-6)
    assert mean.linear[column] == pytest.approx(prior.mean_linear, abs=1e-6)
    np.testing.assert_allclose(mean.penalties.factors[column], prior.factors)
    others = columns_of(folded, side, np.unique(late[f"{side}_id"]))
    spread = folded.estimator_.parameters_.posterior.linear.std(axis=1)
    assert spread[column] > np.median(spread[others])


@pytest.mark.parametrize("kind", ["least squares", "implicit"])
def test_at_convergence_there_is_no_gap(kind, table):
    rec = SOLVERS[kind]()
    rec.estimator.set_params(n_epochs=400)
    rec.fit(table)
    met = {(user, item) for user, item in zip(table["user_id"], table["item_id"], strict=True)}
    for user in np.unique(table["user_id"])[:5]:
        for item in [item for item in np.unique(table["item_id"]) if (user, item) not in met][:4]:
            assert abs(rec.explain(user, item).gap) < 2e-3


@pytest.mark.parametrize("kind", list(LISTS))
def test_what_stands_for_a_loss_of_lists_is_named(early, kind, table):
    rec = early(kind, "user")
    user = rec.encoder_.users_.ids[0]
    why = rec.explain(user, rec.recommend([user], n=1).item_ids[0, 0], noun="film")
    assert why.loss == "squared"
    assert why.unit == "score points"
    for text in (" ".join(repr(why).split()), " ".join(why.to_html().split())):
        assert ("squared loss" in text) == (kind != "implicit")
        assert (f"trained by {kind}, a loss of whole lists" in text) == (kind != "implicit")
        assert "rating points" not in text


def test_targets_beyond_the_levels_are_named(early, table):
    rec, late = early("levels", "user"), cut(table, "user")[1]
    wrong = late | {"rating": np.where(np.arange(len(late["rating"])) == 3, 7, late["rating"])}
    with pytest.raises(DataError, match="column 'rating' holds 7 in row 3; with these levels targets lie from 1 to 5"):
        fold(rec, "user", wrong)


@pytest.mark.parametrize("kind", list(SOLVERS))
def test_a_model_with_folded_ids_travels(early, kind, table, tmp_path):
    late = cut(table, "user")[1]
    folded = fold(early(kind, "user"), "user", late)
    folded.save(tmp_path / "model.factorec")
    loaded = fr.load(tmp_path / "model.factorec")
    np.testing.assert_array_equal(loaded.predict(late), folded.predict(late))
    user, item = late["user_id"][0], folded.recommend([late["user_id"][0]], n=1).item_ids[0, 0]
    assert loaded.explain(user, item).resolved_score == folded.explain(user, item).resolved_score
