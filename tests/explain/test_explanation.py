"""Promises: impacts and the rest sum to the re-solved score; the parts are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from factorec.errors import DataError
from factorec.explain import Explanation, explain_item, influence, resolved_scores

FEATURES = {"n_user_features": 1, "n_item_features": 2}


def explain(case, X, y, wanted, **options):
    return explain_item(
        case.p, X, y, wanted[:1], feature=1, **{"rated_ids": np.arange(len(y)), "item_id": -1} | options
    )


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("n", [1, 3, 5, 20])
@pytest.mark.parametrize("mean", [None, [0.5, -1.0, 0.2, 0.0, 2.0]], ids=["no prior mean", "prior mean"])
@pytest.mark.parametrize("background", [False, True], ids=["", "background"])
def test_parts_sum_to_the_resolved_score(planted, oracle, loss, n, mean, background):
    case = planted(1, **FEATURES)
    X, y, wanted = case.draw(n, loss=loss, n_wanted=12)
    weight = case.rng.uniform(0.3, 2, n)
    options = {"sample_weight": weight, "loss": loss, "prior_mean": mean}
    every, targets, weights = X, y, weight
    if background:
        options |= {"X_background": wanted[2:], "background_weight": 0.3}
        every = sparse.vstack([X, wanted[2:]], format="csr")
        targets, weights = np.r_[y, np.zeros(10)], np.r_[weight, np.full(10, 0.3)]
    why = explain(case, X, y, wanted, **options)
    total = why.rest + why.impact.sum() + (why.background or 0) + (why.prior or 0)
    assert total == pytest.approx(why.resolved_score, abs=1e-9)
    judge = oracle(case.p, every, 1, case.penalty[1], weight=weights, mean=mean, loss=loss)
    assert why.resolved_score == pytest.approx(judge.scores(targets, wanted[:1])[0], abs=1e-6)
    assert why.rest == pytest.approx(judge.linear_map(wanted[:1])[1][0])
    assert why.score == pytest.approx(judge.linear_map(wanted[:1])[0][0] @ case.p.factors[1] + why.rest)
    assert why.gap == why.score - why.resolved_score
    assert (why.background is not None) == background
    assert (why.prior is not None) == (mean is not None)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_background_rows_are_ordinary_rows_of_target_zero(planted, loss):
    case = planted(2)
    X, y, wanted = case.draw(8, loss=loss, n_wanted=20)
    short = explain(case, X, y, wanted, loss=loss, X_background=wanted, background_weight=0.4)
    everything = sparse.vstack([X, wanted], format="csr")
    y_all, weight = np.r_[y, np.zeros(20)], np.r_[np.ones(8), np.full(20, 0.4)]
    long = explain(case, everything, y_all, wanted, loss=loss, sample_weight=weight)
    np.testing.assert_allclose(np.sort(short.influence), np.sort(long.influence[long.item_ids < 8]), atol=1e-10)
    assert short.background == pytest.approx(long.impact[long.item_ids >= 8].sum(), abs=1e-10)
    scores = resolved_scores(
        case.p, X, y, wanted, feature=1, loss=loss, X_background=wanted, background_weight=np.full(20, 0.4)
    )
    assert short.resolved_score == pytest.approx(scores[0], abs=1e-10)


@pytest.mark.parametrize("method", ["ridge", "paper"])
def test_an_item_that_the_user_rated_is_left_out_of_its_own_solve(planted, method):
    case = planted(3)
    X, y, _ = case.draw(9)
    ids = np.array(list("abcdefghi"), dtype=object)
    options = {"method": method, "feature": 1}
    why = explain_item(case.p, X, y, X[4], rated_ids=ids, item_id="e", titles=ids, ratings=y, **options)
    kept = np.arange(9) != 4
    without = explain_item(
        case.p,
        X[kept],
        y[kept],
        X[4],
        rated_ids=ids[kept],
        item_id="e",
        titles=ids[kept],
        ratings=y[kept],
        **options,
    )
    assert why.left_out
    assert not without.left_out
    np.testing.assert_array_equal(why.contributions, without.contributions)
    assert why.resolved_score == without.resolved_score
    assert "has rated this item too" in repr(why)


@pytest.mark.parametrize("method", ["ridge", "paper"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_repeated_rows_of_one_item_are_one_line(planted, loss, method):
    case = planted(4)
    X, y, wanted = case.draw(6, loss=loss)
    twice = sparse.vstack([X, X[:2]], format="csr")
    ids = np.r_[np.arange(6), 0, 1]
    ratings = np.r_[5, 4, 3, 2, 1, 1, 2, 4]
    titles = np.array([f"film {i}" for i in ids])
    why = explain(
        case,
        twice,
        np.r_[y, y[:2]],
        wanted,
        loss=loss,
        method=method,
        rated_ids=ids,
        ratings=ratings,
        titles=titles,
    )
    weighted = explain(case, X, y, wanted, loss=loss, method=method, sample_weight=[2, 2, 1, 1, 1, 1])
    assert len(why.contributions) == 6
    by_item = np.argsort(why.item_ids), np.argsort(weighted.item_ids)
    np.testing.assert_allclose(why.influence[by_item[0]], weighted.influence[by_item[1]], atol=1e-9)
    np.testing.assert_allclose(why.impact[by_item[0]], weighted.impact[by_item[1]], atol=1e-9)
    np.testing.assert_array_equal(why.ratings[by_item[0]], [3.5, 4, 3, 2, 1, 1])
    assert why.titles[by_item[0]].tolist() == [f"film {i}" for i in range(6)]


def test_rows_of_no_weight_are_no_lines(planted):
    case = planted(5)
    X, y, wanted = case.draw(6)
    why = explain(case, X, y, wanted, sample_weight=[1, 0, 1, 1, 0, 1])
    assert sorted(why.item_ids) == [0, 2, 3, 5]


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_paper_multiplies_influence_by_the_rating(planted, loss):
    case = planted(6)
    X, y, wanted = case.draw(20, loss=loss)
    why = explain(case, X, y, wanted, method="paper", loss=loss)
    J = influence(case.p, X, y, wanted[:1], feature=1, method="paper", loss=loss)[0]
    np.testing.assert_allclose(why.influence, J[why.item_ids], atol=1e-12)
    np.testing.assert_allclose(why.impact, J[why.item_ids] * y[why.item_ids], atol=1e-12)
    assert why.resolved_score == pytest.approx(why.impact.sum())
    assert why.rank == 6
    assert why.condition > 1
    assert np.isnan(why.gap) == (loss == "logistic")  # a label is not log-odds


def test_contributions_come_strongest_first(planted):
    case = planted(7)
    X, y, wanted = case.draw(20)
    why = explain(case, X, y, wanted, ratings=y, titles=np.array([f"film {i}" for i in range(20)]))
    lines = why.contributions
    assert lines.dtype.names == ("item_id", "title", "rating", "influence", "impact")
    assert (np.diff(np.abs(lines["impact"])) <= 0).all()
    for line in lines:
        assert line["title"] == f"film {line['item_id']}"
        assert line["rating"] == y[line["item_id"]]


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_to_frame(planted, backend):
    pytest.importorskip(backend)
    case = planted(8)
    X, y, wanted = case.draw(4)
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    why = explain(case, X, y, wanted, rated_ids=ids, item_id="z", titles=ids, ratings=y, backend=backend)
    frame = why.to_frame()
    assert type(frame).__module__.partition(".")[0] == backend
    names = frame.column_names if backend == "pyarrow" else list(frame.columns)
    assert names == ["item_id", "title", "rating", "influence", "impact"]
    assert list(frame["impact"].to_numpy()) == list(why.impact)
    assert sorted(frame["item_id"].to_pylist() if backend == "pyarrow" else frame["item_id"]) == list("abcd")
    assert type(why.to_frame("pandas")).__module__.startswith("pandas")
    with pytest.raises(DataError, match="backend must be one of"):
        why.to_frame("csv")


def test_none_rated_and_only_itself_rated_say_so(planted):
    case = planted(9)
    X, y, wanted = case.draw(1)
    with pytest.raises(DataError, match="user 'u7' has no ratings: nothing to explain a score with"):
        explain(case, X[:0], [], wanted, user_id="u7")
    with pytest.raises(DataError, match="user 'u7' has rated nothing but item 'film' itself"):
        explain(case, X, y, wanted, user_id="u7", rated_ids=["film"], item_id="film")
    with pytest.raises(DataError, match="x_wanted must be one row, got 2"):
        explain_item(case.p, X, y, wanted[:2], feature=1, rated_ids=[0], item_id=1)
    with pytest.raises(DataError, match="rated_ids must have shape"):
        explain(case, X, y, wanted, rated_ids=[1, 2])
    with pytest.raises(DataError, match="ratings must have shape"):
        explain(case, X, y, wanted, ratings=[1, 2])
    with pytest.raises(DataError, match="background_weight must be"):
        explain(case, X, y, wanted, X_background=X, background_weight=-1.0)
    with pytest.raises(DataError, match="method must be"):
        explain(case, X, y, wanted, method="svd")
    with pytest.raises(DataError, match="only for method='ridge'"):
        explain(case, X, y, wanted, method="paper", X_background=X)
    with pytest.raises(DataError, match="titles must have shape"):
        Explanation(1, 2, [1, 2], [0.1, 0.2], [0.1, 0.2], 1.0, 1.0, 0.7, titles=["one"])
