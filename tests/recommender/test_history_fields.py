"""Recommenders with histories and times: who is in a history, and that nothing held out ever is."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, cross_val_score

import factorec as fr
from factorec.errors import DataError, FormatError

from .conftest import MODELS, classifier, regressor
from .rich import full_scores, items_of

FIELDS = {
    "user": [fr.History()],
    "item": ["year", fr.History()],
    "context": [fr.Datetime("at"), fr.Datetime("at", part="hour")],
}
CONTEXT = {"at": 881_250_949}


@pytest.fixture(scope="module")
def tables(train):
    n = len(train["rating"])
    at = 881_250_949 + 3_600 * np.random.default_rng(3).integers(0, 96, n)
    return train | {"at": at}, items_of(train)


def make(name, **parameters):
    return MODELS[name]().set_params(**{"fields": FIELDS, "estimator__learning_rate": 0.05} | parameters)


def fit(name, tables, **parameters):
    return make(name, **parameters).fit(tables[0], items=tables[1])


def met(rec, side):
    """What histories hold, as pairs (user, item)."""
    start, stop = rec.encoder_.field_ranges_[f"{side}_history"]
    rows = rec.encoder_.entities(side).rows[:, start:stop].tocoo()
    own = rec.encoder_.entities(side).vocabulary.ids[rows.row]
    other = rec.encoder_.fields_[f"{side}_history"].ids.ids[rows.col]
    return set(zip(*((own, other) if side == "user" else (other, own)), strict=True))


def pairs(table, rows=slice(None)):
    return set(zip(np.asarray(table["user_id"])[rows], np.asarray(table["item_id"])[rows], strict=True))


def learned(rec):
    """The pairs that the model says it learned from."""
    rows = rec.interactions_.weight > 0
    users, items = rec.encoder_.users_.ids, rec.encoder_.items_.ids
    return set(zip(users[rec.interactions_.users()[rows]], items[rec.interactions_.items[rows]], strict=True))


@pytest.mark.parametrize("name", list(MODELS))
def test_histories_hold_what_is_learned_from(name, tables):
    rec = fit(name, tables)
    likes = tables[0]["rating"] >= 4
    expected = pairs(tables[0], likes if name == "negatives" else slice(None))
    assert met(rec, "user") == met(rec, "item") == expected == learned(rec)


@pytest.mark.parametrize("name", ["likes", "ratings", "negatives"])
@pytest.mark.parametrize("by", ["time", "random"])
def test_what_early_stopping_holds_out_is_in_no_history(name, by, tables):
    rec = fit(name, tables, estimator__early_stopping=True, time="at" if by == "time" else None)
    assert "validation" in rec.estimator_.history_
    assert met(rec, "user") == met(rec, "item") == learned(rec)
    n = (tables[0]["rating"] >= 4).sum() if rec.negatives else len(tables[0]["rating"])
    assert len(learned(rec)) == n - round(0.1 * n)


def test_the_rows_held_out_at_random_are_those_without_histories(tables):
    with_histories = fit("likes", tables, estimator__early_stopping=True)
    without = fit("likes", tables, estimator__early_stopping=True, fields=None)
    assert learned(with_histories) == learned(without)


def test_validation_tables_and_weightless_rows_are_in_no_history(tables, test_rows):
    table = tables[0] | {"weight": (np.arange(len(tables[0]["rating"])) % 3).astype(float)}
    at = np.full(len(test_rows["rating"]), 881_250_949)
    validation = test_rows | {"at": at, "weight": np.ones(len(at))}
    rec = make("ratings", weight="weight").fit(table, items=tables[1], validation=validation)
    assert met(rec, "user") == met(rec, "item") == pairs(table, table["weight"] > 0)
    kept = table["weight"] > 0
    absent = make("ratings", weight="weight").fit({k: v[kept] for k, v in table.items()}, items=tables[1])
    assert np.array_equal(absent.estimator_.factors_, make("ratings").set_params(weight="weight").fit(
        table, items=tables[1]
    ).estimator_.factors_)  # fmt: skip


@pytest.mark.parametrize("name", list(MODELS))
def test_lists_agree_with_scores_of_full_rows(name, tables):
    """Promise 2."""
    rec = fit(name, tables)
    users = rec.encoder_.users_.ids[:5]
    top = rec.recommend(users, n=12, context=CONTEXT, cold_items=True)
    for user in users:
        scores = full_scores(rec, user, top[user]["item_id"], CONTEXT)
        assert np.allclose(top[user]["score"], scores, rtol=1e-5, atol=1e-5)


GIBBS = {"solver": "gibbs", "n_epochs": 16, "n_samples": 4}
ESTIMATORS = {
    "gibbs": fr.FMRegressor(4, **GIBBS, random_state=0),
    "gibbs, bipartite": fr.FMRegressor(4, **GIBBS, interactions="bipartite", random_state=0),
    "gibbs, likes": fr.FMClassifier(4, **GIBBS, random_state=0),
    "als": fr.FMRegressor(4, solver="als", n_epochs=4, random_state=0),
    "ordinal": fr.FMOrdinal(4, n_epochs=4, random_state=0),
    "ranker": fr.FMRanker(4, n_epochs=4, random_state=0),
}


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_estimator_takes_histories(name, tables, tmp_path):
    """Promises 2 and 8; and what is learned from is in the histories, with fewer rows where dislikes are only seen."""
    options = {"soft_positives": 0.0} if name == "ranker" else {}
    rec = fr.Recommender(ESTIMATORS[name], fields=FIELDS, like_threshold=4, **options).fit(tables[0], items=tables[1])
    likes = tables[0]["rating"] >= 4
    assert met(rec, "user") == met(rec, "item") == learned(rec)
    assert learned(rec) == pairs(tables[0], likes if name == "ranker" else slice(None))
    users = rec.encoder_.users_.ids[:3]
    top = rec.recommend(users, n=8, context=CONTEXT, cold_items=True)
    for user in users:
        scores = full_scores(rec, user, top[user]["item_id"], CONTEXT)
        assert np.allclose(top[user]["score"], scores, rtol=1e-5, atol=1e-5)
    rec.save(tmp_path / "m")
    again = fr.load(tmp_path / "m").recommend(users, n=8, context=CONTEXT, cold_items=True)
    assert np.array_equal(again.scores, top.scores)
    assert np.array_equal(again.item_ids, top.item_ids)


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_same_bits_at_any_number_of_threads(n_jobs, tables):
    """Promise 3."""
    one, many = (fit("ratings", tables, estimator__n_jobs=n) for n in (1, n_jobs))
    assert np.array_equal(one.estimator_.factors_, many.estimator_.factors_)


def test_a_user_who_is_not_known_has_an_empty_history(tables):
    rec = fit("ratings", tables)
    with pytest.warns(UserWarning, match="a user that the model does not know"):
        score = rec.decision_function({"user_id": [-1], "item_id": tables[0]["item_id"][:1], "at": [None]})
    p = rec.estimator_.parameters_
    item = rec.encoder_.entities("item").rows[rec.encoder_.items_.index(tables[0]["item_id"][:1])]
    assert np.allclose(score, p.decision_function(item))


@pytest.mark.parametrize("name", list(MODELS))
def test_a_loaded_model_does_the_same_to_the_bit(name, tables, tmp_path):
    rec = fit(name, tables)
    rec.save(tmp_path / "m")
    loaded = fr.load(tmp_path / "m")
    assert repr(loaded.fields) == repr(FIELDS)
    before, after = (r.recommend(n=9, context=CONTEXT, cold_items=True) for r in (rec, loaded))
    assert np.array_equal(before.scores, after.scores)
    assert np.array_equal(before.item_ids, after.item_ids)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    more = {"user_id": [1, 1, 10], "item_id": [1, *tables[0]["item_id"][:2]], "rating": [5, 4, 1], "at": [1, 2, 3]}
    for r in (rec, loaded):
        r.partial_fit(more)
    assert np.array_equal(rec.estimator_.factors_, loaded.estimator_.factors_)
    assert met(rec, "user") == met(loaded, "user")


def test_a_model_with_histories_is_not_saved_without_them(tables, tmp_path):
    rec = fit("likes", tables)
    with pytest.raises(DataError, match="History fields of this model say what each user met"):
        rec.save(tmp_path / "m", history=False)
    assert not (tmp_path / "m").exists()


def test_a_file_whose_fields_do_not_fit_is_refused(tables, tmp_path):
    """Promise 8."""
    from factorec.formats import model_file
    from factorec.recommender.model_file import schema

    rec = fit("likes", tables)
    rec.save(tmp_path / "m")
    tensors, metadata = model_file.read(tmp_path / "m", schema=schema, classes={"Recommender"})
    for learnt in metadata["encoder"]["learnt"]:
        if list(learnt[0]) == ["n_columns"]:
            learnt[0]["n_columns"] = 2**50
    metadata = {key: value for key, value in metadata.items() if not key.endswith(("format", "version"))}
    model_file.write(tmp_path / "n", tensors, metadata)
    with pytest.raises(FormatError, match="'user_history' cannot be restored"):
        fr.load(tmp_path / "n")


@pytest.mark.parametrize("name", list(MODELS))
def test_partial_fit_lets_histories_grow(name, tables):
    old, rec = fit(name, tables), fit(name, tables)
    user, items = tables[0]["user_id"][0], tables[0]["item_id"]
    more = {
        "user_id": np.array([user, 1, 1, 2]),
        "item_id": np.array([50, 50, items[0], items[1]]),
        "rating": np.array([5, 5, 5, 1]),
        "at": np.array([0, 1, 2, 3]),
    }
    rec.partial_fit(more)
    likes = more["rating"] >= 4
    assert met(rec, "user") == met(rec, "item")
    assert met(rec, "user") == met(old, "user") | pairs(more, likes if name == "negatives" else slice(None))
    if name == "negatives":
        return  # any item may have been drawn
    # What no row has keeps its bits: of histories, what is in none of these users' and items'.
    names, before = old.encoder_.get_feature_names_out(), old.estimator_.parameters_
    after = dict(zip(rec.encoder_.get_feature_names_out(), rec.estimator_.parameters_.factors, strict=True))
    rows = rec.encoder_.transform(more)
    touched = set(rec.encoder_.get_feature_names_out()[np.unique(rows.indices)])
    untouched = [column for column, feature in enumerate(names) if feature not in touched]
    assert any("history" in names[column] for column in untouched)
    assert np.array_equal(before.factors[untouched], [after[names[column]] for column in untouched])
    assert touched & {"user_history_50", "item_history_1"}


def test_partial_fit_that_fails_changes_nothing(tables):
    rec = fit("ratings", tables)
    encoder, factors = rec.encoder_, rec.estimator_.factors_
    with pytest.raises(DataError):
        rec.partial_fit({"user_id": [1], "item_id": [2], "rating": [np.nan], "at": [0]})
    with pytest.raises(DataError, match="no time in the years"):
        rec.partial_fit({"user_id": [1], "item_id": [2], "rating": [1.0], "at": [1e18]})
    assert rec.encoder_ is encoder
    assert rec.estimator_.factors_ is factors


@pytest.mark.parametrize("name", ["likes", "ratings", "negatives"])
def test_folded_users_have_the_histories_of_their_rows(name, tables):
    rec = fit(name, tables)
    before, users, items = rec.estimator_.parameters_, met(rec, "user"), met(rec, "item")
    known = np.unique(tables[0]["item_id"])[:6]
    likes = np.array([5, 5, 4, 1, 2, 5])
    late = {"user_id": np.full(6, 77_777), "item_id": known, "rating": likes, "at": np.full(6, 881_250_949)}
    columns = rec.encoder_.get_feature_names_out()
    rec.fold_in_users(late)
    assert met(rec, "user") == users | pairs(late, likes >= 4 if name == "negatives" else slice(None))
    assert met(rec, "item") == items
    after = dict(zip(rec.encoder_.get_feature_names_out(), rec.estimator_.parameters_.factors, strict=True))
    assert np.array_equal(before.factors, [after[column] for column in columns])
    assert after["user_id_77777"].any()
    assert not after["item_history_77777"].any()  # nobody learned from it
    top = rec.recommend([77_777], n=5, context=CONTEXT)
    assert np.allclose(top.scores[0], full_scores(rec, 77_777, top.item_ids[0], CONTEXT), rtol=1e-5, atol=1e-5)


def test_a_folded_users_score_is_that_of_the_minimum(tables):
    """The user's vector solved by the reference solver, on rows that have the history as features."""
    rec = fit("ratings", tables)
    known = np.unique(tables[0]["item_id"])[:8]
    rating = np.array([5.0, 4, 3, 2, 1, 5, 4, 3])
    late = {"user_id": np.full(8, 77_777), "item_id": known, "rating": rating, "at": np.full(8, 881_250_949)}
    rec.fold_in_users(late)
    p, X = rec.estimator_.parameters_, rec.encoder_.transform(late).toarray().astype(np.float64)
    own = int(rec.encoder_.entities("user").columns[rec.encoder_.users_.index([77_777])[0]])
    factors = p.factors.astype(np.float64)
    slopes = X @ factors - factors[own]
    residual = rating - p.decision_function(rec.encoder_.transform(late))
    penalty = p.penalties.factors[own]
    gradient = slopes.T @ residual - penalty * factors[own]
    assert np.allclose(gradient, 0, atol=2e-4)


def test_folded_items_have_the_histories_of_their_rows(tables):
    rec = fit("ratings", tables)
    users = met(rec, "user")
    who = np.unique(tables[0]["user_id"])[:6]
    late = {"user_id": who, "item_id": np.full(6, 50), "rating": np.full(6, 5.0), "at": np.full(6, 881_250_949)}
    before = rec.predict(tables[0])
    rec.fold_in_items(late)
    assert met(rec, "item") - users == pairs(late)
    assert met(rec, "user") == users
    assert np.array_equal(rec.predict(tables[0]), before)  # scores of what was there do not move


def test_histories_are_parts_of_an_explanation_by_title(tables):
    rec = fit("likes", tables)
    user, item = tables[0]["user_id"][0], tables[0]["item_id"][1]
    why = rec.explain(user, item, context=CONTEXT)
    fields = {name for part in why.parts.to_frame("pandas").itertuples() for name in str(part).split("'")}
    assert {"user_history", "item_history"} & fields
    by_feature = rec.explain(user, item, context=CONTEXT, by="feature")
    text = repr(by_feature.parts.to_frame("pandas").to_string())
    assert "history of Film " in text
    assert f"item_history_{user}" in text or "item_history_" in text
    score = rec.decision_function({"user_id": [user], "item_id": [item], "at": [CONTEXT["at"]]})[0]
    assert np.isclose(by_feature.parts.score, score, atol=1e-5)


def test_no_field_of_its_own_for_auto(tables, capsys):
    rec = make("likes", fields="auto").fit(tables[0], items=tables[1])
    assert not any("history" in name for name in rec.encoder_.field_ranges_)
    assert "history" not in capsys.readouterr().out


WHEN = datetime.datetime(1997, 12, 4, 15, 55, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "at",
    [881_250_949, 881_250_949.5, WHEN, WHEN.replace(tzinfo=None), "1997-12-04T15:55", pd.Timestamp(WHEN),
     np.datetime64("1997-12-04T15:55")],
)  # fmt: skip
def test_any_time_is_a_context(at, tables):
    rec = fit("ratings", tables)
    expected = rec.recommend([tables[0]["user_id"][0]], n=5, context={"at": 881_250_949})
    assert np.array_equal(rec.recommend([tables[0]["user_id"][0]], n=5, context={"at": at}).scores, expected.scores)
    table = {"user_id": [tables[0]["user_id"][0]], "at": [at]}
    assert np.array_equal(rec.recommend_for(table, n=5).scores, expected.scores)


def test_a_search_over_settings_takes_histories(tables):
    """Each part of a cross-validation has histories of its own rows."""
    folds = KFold(3, shuffle=True, random_state=0)
    rec = fr.Recommender(regressor(n_epochs=3), fields={"user": [fr.History()]}, title=None)
    frame = pd.DataFrame({name: tables[0][name] for name in ("user_id", "item_id", "rating")})
    scores = cross_val_score(
        rec, frame, cv=folds, scoring=lambda r, t: -np.sqrt(np.mean((r.predict(t) - t["rating"]) ** 2))
    )
    assert np.isfinite(scores).all()
    assert (
        fr.Recommender(classifier(), fields={"user": [fr.History(name="seen")]}).fields["user"][0].field_name == "seen"
    )
