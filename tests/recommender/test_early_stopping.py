"""Rows that are held out, by the caller, at random or by time, and what is recorded of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import factorec as fr
from factorec.errors import DataError

from .conftest import MODELS, classifier


def test_early_stopping_with_and_without_validation_rows(train, test_rows):
    rec = fr.Recommender(classifier(n_epochs=60, early_stopping=True, n_iter_no_change=2), like_threshold=4)
    rec.fit(train, validation=test_rows)
    record = rec.estimator_.history_["validation"]["log_loss"]
    assert len(record) < 60
    assert rec.estimator_.solver_state_.n_epochs == np.argmin(record) + 1
    rec.fit(train)
    held = rec.interactions_.weight == 0
    assert held.sum() == round(0.1 * len(train["rating"]))
    user = rec.encoder_.users_.ids[rec.interactions_.users()[held][0]]
    learned = (rec.interactions_.weight[rec.interactions_.rows_of(rec.encoder_.users_.index([user])[0])] > 0).sum()
    other = rec.recommend([user], n=1).item_ids[0, 0]
    assert len(rec.explain(user, other).contributions) == learned


@pytest.mark.parametrize("name", ["likes", "ratings", "negatives"])
def test_early_stopping_by_time_holds_out_the_newest_rows(name, train):
    """Of rows of one time the later ones; with negatives of the likes, which alone are learned from."""
    n = len(train["rating"])
    day = np.random.default_rng(0).permutation(n) // 3
    rec = MODELS[name]().set_params(time="day", estimator__early_stopping=True).fit(train | {"day": day})
    learned = train["rating"] >= 4 if rec.negatives else np.ones(n, bool)
    order = np.argsort(day[learned], kind="stable")
    held = np.flatnonzero(learned)[order[-round(0.1 * learned.sum()) :]]
    pairs = set(zip(train["user_id"][held].tolist(), train["item_id"][held].tolist(), strict=True))
    kept = learned & ~np.isin(np.arange(n), held)
    weight = rec.interactions_.weight
    assert weight.astype(bool).sum() == kept.sum()
    absent = rec.interactions_.weight == 0
    if not rec.negatives:
        users = rec.encoder_.users_.ids[rec.interactions_.users()[absent]].tolist()
        items = rec.encoder_.items_.ids[rec.interactions_.items[absent]].tolist()
        assert set(zip(users, items, strict=True)) == pairs
    # They stay seen, and are what early stopping watched.
    first = next(iter(pairs))
    assert first[1] not in rec.recommend([first[0]], n=40)[first[0]]["item_id"]
    assert len(rec.estimator_.history_["validation"]) > 0
    if name == "ratings":
        best = rec.estimator_.history_["validation"]["rmse"].min()
        rows = {column: values[held] for column, values in train.items()}
        assert np.sqrt(np.mean((rec.predict(rows) - rows["rating"]) ** 2)) == pytest.approx(best, rel=1e-5)


def test_dates_of_any_library_are_times(train):
    """The same bits from numbers and dates, in frames and dicts."""
    seconds = np.random.default_rng(0).integers(0, 10**9, len(train["rating"]))
    dates = pd.to_datetime(seconds, unit="s")
    frame = pd.DataFrame(train)
    tables = [
        train | {"at": seconds},
        frame.assign(at=dates),
        frame.assign(at=dates.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward")),
        train | {"at": dates.tz_localize("UTC").to_pydatetime().tolist()},
        pl.from_pandas(frame.assign(at=dates)),
    ]
    make = MODELS["likes"]().set_params(time="at", estimator__early_stopping=True)
    first, *others = [clone(make).fit(table) for table in tables]
    assert all(np.array_equal(first.estimator_.factors_, other.estimator_.factors_) for other in others)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2020-01-01", "2021-01-01"], "table: column 'at' must hold numbers or dates, got object"),
        ([1.0, np.nan], "table: column 'at' has no time in row 1"),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"), "table: column 'at' has no time in row 1"),
        ([True, False], "table: column 'at' must hold numbers or dates, got bool"),
    ],
)
def test_wrong_times_are_named(times, message):
    rows = {"user_id": [1, 2], "item_id": [3, 3], "rating": [0, 1], "at": times}
    with pytest.raises(DataError, match=message):
        fr.Recommender(classifier(), time="at").fit(rows)


def test_too_few_rows_to_hold_some_out():
    rows = {"user_id": [1, 2], "item_id": [3, 3], "rating": [0, 1], "at": [1, 2]}
    with pytest.raises(DataError, match=r"validation_fraction=0.1 of 2 rows leaves nothing on one side"):
        fr.Recommender(classifier(early_stopping=True), time="at").fit(rows)


def test_every_epoch_is_reported(train):
    calls = []
    rec = MODELS["likes"]().fit(train, on_epoch=lambda epoch, metrics: calls.append((epoch, metrics["train"])))
    assert [epoch for epoch, _ in calls] == list(range(12))
    assert [m["log_loss"] for _, m in calls] == rec.estimator_.history_["train"]["log_loss"].tolist()

    def stop(epoch, metrics):
        raise RuntimeError("enough")

    before = rec.estimator_
    with pytest.raises(RuntimeError, match="enough"):
        rec.fit(train, on_epoch=stop)
    assert rec.estimator_ is before


def test_early_stopping_with_negatives_watches_negatives_too(train, test_rows):
    rec = fr.Recommender(classifier(early_stopping=True), like_threshold=4, negatives=3)
    record = rec.fit(train, validation=test_rows).estimator_.history_["validation"]
    assert np.isfinite(record["auc"]).all()


def test_held_out_rows_may_have_unknown_ids(train):
    rec = MODELS["likes"]()
    rows = {"user_id": [1, train["user_id"][0]], "item_id": [train["item_id"][0], 1], "rating": [5, 1]}
    rec.fit(train, validation=rows, eval_set={"test": rows})
    with (
        pytest.warns(UserWarning, match="1 of 2 rows have a user that the model does not know"),
        pytest.warns(UserWarning, match="1 of 2 rows have an item that the model does not know"),
    ):
        scores = rec.decision_function(rows)
    loss = np.mean(np.logaddexp(0, scores) - np.array([1, 0]) * scores)
    assert rec.estimator_.history_["test"]["log_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert rec.estimator_.history_["validation"]["log_loss"][-1] == pytest.approx(loss, rel=1e-5)
