"""Promise: influence is the derivative of the re-solved score, exactly."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from factorec.errors import DataError, FactorecError
from factorec.explain import OrderedLevels, influence
from factorec.explain._resolve import paper_influence, resolved_scores
from factorec.explain._rows import own_vector_rows, pair_rows

STARS = {link: OrderedLevels([-2, -0.5, 0.3, 1.5], link, levels=[1, 2, 3, 4, 5]) for link in ("logit", "probit")}
LOSSES = pytest.mark.parametrize("loss", ["squared", "logistic", "probit", *STARS.values()], ids=str)


def tolerance(loss):
    return 1e-6 if loss == "squared" else 1e-4


SHAPES = {
    "ids": {},
    "user features": {"n_user_features": 2},
    "item features": {"n_item_features": 3},
    "features on both sides": {"n_user_features": 2, "n_item_features": 3},
    "bipartite": {"n_user_features": 2, "n_item_features": 3, "interactions": "bipartite"},
}


@pytest.mark.parametrize("shape", SHAPES)
@LOSSES
@pytest.mark.parametrize("n", [1, 3, 5, 12], ids=lambda n: f"{n} rated, 5 factors")
def test_is_the_finite_difference_of_resolved_scores(planted, oracle, shape, loss, n):
    case = planted(3, **SHAPES[shape])
    X, y, wanted = case.draw(n, loss=loss)
    expected = oracle(case.p, X, 1, case.penalty[1], loss=loss).influence(y, wanted)
    J = influence(case.p, X, y, wanted, feature=1, loss=loss)
    assert J.shape == (wanted.shape[0], n)
    assert J.dtype == np.float64
    np.testing.assert_allclose(J, expected, atol=tolerance(loss))


@LOSSES
@pytest.mark.parametrize("n", [3, 12])
def test_weights_prior_mean_and_penalty_per_factor(planted, oracle, loss, n):
    case = planted(4)
    X, y, wanted = case.draw(n, loss=loss)
    rng = case.rng
    weight, l2, mean = rng.uniform(0.2, 3, n), rng.uniform(0.3, 2, 5), rng.normal(0, 0.5, 5)
    judge = oracle(case.p, X, 1, l2, weight=weight, mean=mean, loss=loss)
    options = {"feature": 1, "sample_weight": weight, "l2": l2, "prior_mean": mean, "loss": loss}
    np.testing.assert_allclose(
        influence(case.p, X, y, wanted, **options), judge.influence(y, wanted), atol=tolerance(loss)
    )
    np.testing.assert_allclose(resolved_scores(case.p, X, y, wanted, **options), judge.scores(y, wanted), atol=1e-6)


@LOSSES
def test_value_of_the_own_feature_need_not_be_one(planted, oracle, loss):
    case = planted(5, n_item_features=2)
    X, y, wanted = case.draw(9, loss=loss, value=0.7)
    expected = oracle(case.p, X, 1, 1.5, loss=loss).influence(y, wanted)
    np.testing.assert_allclose(
        influence(case.p, X, y, wanted, feature=1, l2=1.5, loss=loss), expected, atol=tolerance(loss)
    )


@pytest.mark.parametrize("method", ["ridge", "paper"])
@LOSSES
def test_weight_two_is_the_row_twice_and_weight_zero_no_row(planted, loss, method):
    case = planted(6)
    X, y, wanted = case.draw(8, loss=loss)
    options = {"feature": 1, "loss": loss, "method": method, "l2": 0.8}
    weight = np.ones(8)
    weight[0], weight[1] = 2, 0
    J = influence(case.p, X, y, wanted, sample_weight=weight, **options)
    twice = sparse.vstack([X[:1], X[:1], X[2:]], format="csr")
    expected = influence(case.p, twice, np.concatenate([y[:1], y[:1], y[2:]]), wanted, **options)
    np.testing.assert_allclose(J[:, 0], expected[:, 0] + expected[:, 1], atol=1e-9)
    np.testing.assert_allclose(J[:, 2:], expected[:, 2:], atol=1e-9)
    np.testing.assert_array_equal(J[:, 1], 0)


@pytest.mark.parametrize("method", ["ridge", "paper"])
@LOSSES
def test_many_users_are_each_user_by_itself(planted, loss, method, monkeypatch):
    monkeypatch.setattr(sys.modules["factorec.explain.influence"], "_CHUNK_ROWS", 20)  # several chunks
    case = planted(7, n_users=9, n_user_features=1)
    users = [case.draw(2 + u, loss=loss, user=u, n_wanted=u % 4) for u in range(9)]
    X, y, wanted = zip(*users, strict=True)
    weights = [None if u % 2 else np.linspace(1, 2, 2 + u) for u in range(9)]
    options = {"loss": loss, "method": method}
    many = influence(case.p, X, y, wanted, feature=list(range(9)), sample_weight=weights, **options)
    assert isinstance(many, list)
    for u in range(9):
        one = influence(case.p, X[u], y[u], wanted[u], feature=u, sample_weight=weights[u], **options)
        np.testing.assert_allclose(many[u], one, atol=1e-12)
    l2 = [0.5 + u for u in range(9)]
    per_user = influence(case.p, X, y, wanted, feature=np.arange(9), l2=l2, loss=loss)
    np.testing.assert_allclose(
        per_user[4], influence(case.p, X[4], y[4], wanted[4], feature=4, l2=4.5, loss=loss), atol=1e-12
    )
    assert influence(case.p, [], [], [], feature=[], **options) == []


def test_paper_is_the_textbook_formula_where_that_is_regular(planted):
    case = planted(8)
    first = case.n_users
    X, _, _ = case.draw(20)
    rated = X.indices[X.indices >= first] - first
    everything = case.rows(1, np.arange(case.n_items))
    J = influence(case.p, X, np.zeros(20), everything, feature=1, method="paper")
    U = np.column_stack([case.p.factors[first:], case.p.linear[first:]]).astype(np.float64).T
    W = np.zeros((case.n_items, case.n_items))
    W[rated, rated] = 1
    textbook = U.T @ np.linalg.inv(U @ W @ U.T) @ U @ W
    np.testing.assert_allclose(J, textbook[:, rated], atol=1e-9)
    np.testing.assert_allclose(np.delete(textbook, rated, axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("n", [1, 3, 20])
def test_paper_reports_rank_and_condition(planted, n):
    case = planted(9)
    X, _, wanted = case.draw(n)
    rows = own_vector_rows(case.p, [X, wanted], [1, 1], ["X", "wanted"])
    paper = paper_influence(rows[:n], rows[n:], np.ones(n))
    A = np.column_stack([rows.slope, rows.level])[:n]
    assert paper.rank == np.linalg.matrix_rank(A) == min(n, 6)
    assert paper.condition == pytest.approx(np.linalg.cond(A))
    np.testing.assert_allclose(
        paper.influence, np.column_stack([rows.slope, rows.level])[n:] @ np.linalg.pinv(A), atol=1e-10
    )


def test_targets_far_out_do_not_derail_newton(planted, oracle):
    """Scores of hundreds of log-odds: flat loss, a full Newton step overshoots."""
    case = planted(10)
    case.p.linear = case.p.linear * 300
    X, y, wanted = case.draw(12, loss="logistic")
    got = resolved_scores(case.p, X, y, wanted, feature=1, l2=0.01, loss="logistic")
    problem = oracle(case.p, X, 1, 0.01, loss="logistic")
    A, o = problem.linear_map(wanted)
    v = np.linalg.lstsq(A, got - o, rcond=None)[0]
    f = problem.o + problem.A @ v
    gradient = problem.A.T @ (1 / (1 + np.exp(-np.clip(f, -700, 700))) - y) + 0.01 * v
    np.testing.assert_allclose(gradient, 0, atol=1e-8)


def test_without_penalty_enough_ratings_are_needed(planted, oracle):
    case = planted(11)
    X, y, wanted = case.draw(12)
    expected = oracle(case.p, X, 1, 0.0).influence(y, wanted)
    np.testing.assert_allclose(influence(case.p, X, y, wanted, feature=1, l2=0), expected, atol=1e-6)
    with pytest.raises(DataError, match="give a positive penalty"):
        influence(case.p, X[:4], y[:4], wanted, feature=1, l2=0)
    separable = (X[:, case.n_users :] @ case.p.factors[case.n_users :, 0] > 0).astype(float)
    with pytest.raises(DataError, match="give a positive penalty"):
        influence(case.p, X, separable, wanted, feature=1, l2=0, loss="logistic")


def test_duplicate_and_unsorted_entries(planted):
    case = planted(12, n_item_features=2)
    X, y, wanted = case.draw(7)
    coo = X.tocoo()
    shuffled = case.rng.permutation(np.r_[np.arange(coo.nnz), np.arange(coo.nnz)])
    order = shuffled[np.argsort(coo.row[shuffled], kind="stable")]
    twice = sparse.csr_matrix((coo.data[order] / 2, coo.col[order], 2 * X.indptr), shape=X.shape)
    before = twice.copy()
    np.testing.assert_allclose(
        influence(case.p, twice, y, wanted, feature=1), influence(case.p, X, y, wanted, feature=1), atol=1e-12
    )
    np.testing.assert_array_equal(twice.indices, before.indices)  # the caller's arrays stay as they are
    np.testing.assert_allclose(
        influence(case.p, X.toarray(), y, wanted.toarray(), feature=1),
        influence(case.p, X, y, wanted, feature=1),
        atol=1e-12,
    )


def test_pair_rows_joins_query_and_items(planted):
    case = planted(13, n_user_features=2, n_item_features=3)
    whole = case.rows(2, [4, 0, 7])
    n_query = case.n_users + 2
    dense = whole.toarray()
    query, items = dense[:1].copy(), dense.copy()
    query[:, n_query:] = 0
    items[:, :n_query] = 0
    joined = pair_rows(sparse.csr_matrix(query), sparse.csr_matrix(items)[0:3])
    np.testing.assert_array_equal(joined.toarray(), dense)
    np.testing.assert_array_equal(
        pair_rows(sparse.csr_matrix(query), sparse.csr_matrix(items)[1:]).toarray(), dense[1:]
    )


def bad(**change):
    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (bad(X_rated=sparse.csr_matrix((0, 43)), y=[]), "the user has no ratings"),
        (bad(feature=2), r"X_rated: row 0 does not hold the user's own feature \(column 2\)"),
        (bad(feature=43), "feature 43 is not a column"),
        (bad(feature=1.0), "must be the column"),
        (bad(y=np.ones(3)), r"y of the user must have shape \(4,\), got \(3,\)"),
        (bad(y=[1, 2, np.nan, 3]), "not finite at position 2"),
        (bad(y=[0, 1, 5, 1], loss="logistic"), r"y\[2\] = 5 of the user"),
        (bad(sample_weight=[1, 1, -1, 1]), "negative in row 2"),
        (bad(l2=-1.0), "l2 must be finite and not negative"),
        (bad(l2=[1.0, 2.0]), "l2 must be a number or have shape"),
        (bad(loss="hinge"), "loss must be"),
        (bad(method="svd"), "method must be"),
        (bad(X_wanted=sparse.csr_matrix((1, 7))), "X_wanted has 7 columns for 43 features"),
        (bad(X_wanted=np.ones(43)), "must be two-dimensional"),
        (bad(X_wanted=sparse.csr_array(np.ones((2, 43)))[0]), "must be two-dimensional"),
        (bad(X_wanted=np.full((1, 43), np.inf)), "X_wanted: row 0 holds NaN or an infinite value"),
        (bad(prior_mean=[0.0]), "prior_mean of the user must have shape"),
    ],
)
def test_bad_input_is_named(planted, change, message):
    """Promise 6."""
    case = planted(14)
    X, y, wanted = case.draw(4)
    arguments = {"p": case.p, "X_rated": X, "y": y, "X_wanted": wanted, "feature": 1} | change
    with pytest.raises(DataError, match=message):
        influence(**arguments)


def test_bad_input_of_many_users_names_the_user(planted):
    case = planted(15)
    X, y, wanted = case.draw(4)
    with pytest.raises(DataError, match="user 1 of the list has no ratings"):
        influence(case.p, [X, X[:0]], [y, []], [wanted, wanted], feature=[1, 1])
    other = sparse.vstack([wanted[:2], case.rows(0, [1])], format="csr")
    with pytest.raises(DataError, match=r"X_wanted\[1\]: row 2 does not hold"):
        influence(case.p, [X, X], [y, y], [wanted, other], feature=[1, 1])
    with pytest.raises(DataError, match="feature must be one too"):
        influence(case.p, [X, X], [y, y], [wanted, wanted], feature=1)
    with pytest.raises(DataError, match="y has 1 entries for 2 users"):
        influence(case.p, [X, X], [y], [wanted, wanted], feature=[1, 1])


def test_parameters_without_penalties_need_l2(planted):
    case = planted(16)
    X, y, wanted = case.draw(4)
    foreign = SimpleNamespace(bias=0.0, linear=case.p.linear, factors=case.p.factors)
    with pytest.raises(FactorecError, match="give l2="):
        influence(foreign, X, y, wanted, feature=1)
    assert influence(foreign, X, y, wanted, feature=1, l2=1).shape == (6, 4)
    assert influence(foreign, X, y, wanted, feature=1, method="paper").shape == (6, 4)
    foreign.factors = case.p.factors[:, :0]
    with pytest.raises(DataError, match="no factors"):
        influence(foreign, X, y, wanted, feature=1, l2=1)


def test_penalty_per_row_and_per_factor_of_the_parameters(planted):
    case = planted(17)
    X, y, wanted = case.draw(4)
    expected = influence(case.p, X, y, wanted, feature=1, l2=case.penalty[1])
    np.testing.assert_array_equal(influence(case.p, X, y, wanted, feature=1), expected)
    case.p.penalties = SimpleNamespace(factors=np.tile(case.penalty[:, None], 5))
    np.testing.assert_array_equal(influence(case.p, X, y, wanted, feature=1), expected)
