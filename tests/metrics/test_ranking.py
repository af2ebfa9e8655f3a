"""Ranking metrics against ir-measures (trec_eval) and by hand."""

import math

import ir_measures
import numpy as np
import pytest
import scipy.sparse as sp
from ir_measures import AP, P, R, nDCG

from factorec.errors import DataError
from factorec.metrics import ranking, ranking_metrics


def make(seed, n_users=40, n_items=60, width=25, density=0.1, top_gain=1):
    rng = np.random.default_rng(seed)
    ids = np.full((n_users, width), -1, np.int64)
    for user in range(n_users):
        count = rng.integers(0, width + 1)
        ids[user, :count] = rng.permutation(n_items)[:count]
    relevant = sp.random(n_users, n_items, density, format="csr", random_state=seed)
    relevant.data = rng.integers(1, top_gain + 1, relevant.nnz).astype(float)
    return ids, relevant


def by_ir_measures(ids, relevant, n):
    """Mean over users with a relevant item; a user whose list is empty counts as 0."""
    matrix = relevant.tocoo()
    qrels = [
        ir_measures.Qrel(str(u), str(i), int(g)) for u, i, g in zip(matrix.row, matrix.col, matrix.data, strict=True)
    ]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(-rank))
        for user, items in enumerate(ids)
        for rank, item in enumerate(items)
        if item >= 0
    ]
    measures = {"precision": P @ n, "recall": R @ n, "map": AP @ n, "ndcg": nDCG @ n}
    sums = dict.fromkeys(measures.values(), 0.0)
    for metric in ir_measures.iter_calc(list(sums), qrels, run):
        sums[metric.measure] += metric.value
    judged = int((np.diff(relevant.indptr) > 0).sum())
    return {f"{name}@{n}": sums[measure] / judged for name, measure in measures.items()}


@pytest.mark.parametrize("n", [1, 3, 10, 25])
@pytest.mark.parametrize(("density", "top_gain"), [(0.1, 1), (0.02, 1), (0.6, 1), (0.1, 4), (0.6, 4)])
def test_equal_to_trec_eval(n, density, top_gain):
    for seed in range(5):
        ids, relevant = make(seed, density=density, top_gain=top_gain)
        got = ranking_metrics(ids, relevant, n, graded=top_gain > 1)
        assert got == pytest.approx(by_ir_measures(ids, relevant, n), abs=1e-12)


def test_single_functions_and_values_per_user_agree():
    ids, relevant = make(3, density=0.02, top_gain=3)
    means = ranking_metrics(ids, relevant, 5)
    assert means == {
        "precision@5": ranking.precision_at_n(ids, relevant, 5),
        "recall@5": ranking.recall_at_n(ids, relevant, 5),
        "map@5": ranking.map_at_n(ids, relevant, 5),
        "ndcg@5": ranking.ndcg_at_n(ids, relevant, 5),
    }
    assert ranking.ndcg_at_n(ids, relevant, 5, graded=True) != means["ndcg@5"]
    cold = np.diff(relevant.indptr) == 0
    assert cold.any()
    for name, per_user in ranking_metrics(ids, relevant, 5, average=False).items():
        assert (np.isnan(per_user) == cold).all()
        assert np.nanmean(per_user) == pytest.approx(means[name])


def test_the_given_order_counts():
    """Ties were broken by the search: no metric reorders."""
    relevant = sp.csr_matrix([[1.0, 0, 0]])
    assert ranking.map_at_n(np.array([[0, 1, 2]]), relevant, 3) == 1
    assert ranking.map_at_n(np.array([[2, 1, 0]]), relevant, 3) == pytest.approx(1 / 3)


def test_zeros_negatives_and_duplicates_in_relevance():
    stored = sp.coo_matrix(([0.0, -2, 0.5, 0.5, 1, -1], ([0, 0, 0, 0, 0, 0], [0, 1, 2, 2, 3, 3])), shape=(1, 4))
    clean = sp.csr_matrix([[0, 0, 1.0, 0]])
    ids = np.array([[0, 2, 3, 1]])
    assert ranking_metrics(ids, stored, 4, graded=True) == ranking_metrics(ids, clean, 4, graded=True)
    assert stored.nnz == 6  # the caller's matrix is left alone


def test_nobody_to_judge():
    ids = np.array([[0, 1]])
    assert all(math.isnan(v) for v in ranking_metrics(ids, sp.csr_matrix((1, 3)), 2).values())
    assert all(math.isnan(v) for v in ranking_metrics(ids[:0], sp.csr_matrix((0, 3)), 2).values())


def test_relevant_types():
    ids = np.array([[1, 0]], np.int32)
    for matrix in (sp.csr_matrix([[True, False]]), sp.csc_array([[1, 0]]), sp.coo_matrix([[2.5, 0]])):
        assert ranking.precision_at_n(ids, matrix, 2) == 0.5


ONE = sp.csr_matrix([[1.0, 0, 1]])


@pytest.mark.parametrize(
    ("ids", "relevant", "n", "message"),
    [
        ([[0, 1]], ONE, 3, "ids hold 2 items of each user, too few for the first 3"),
        ([[0, 3]], ONE, 2, r"ids\[0, 1\] is 3, outside -1..2"),
        ([[-2, 1]], ONE, 2, r"ids\[0, 0\] is -2, outside -1..2"),
        ([[2, 0, 2]], ONE, 2, r"ids\[0\] holds item 2 twice"),
        ([[0, 1], [0, 1]], ONE, 2, r"shape \(1, at least 2\), got int64 of shape \(2, 2\)"),
        ([[0.0, 1.0]], ONE, 2, "got float64"),
        ([0, 1], ONE, 2, r"of shape \(2,\)"),
        ([[0, 1]], ONE.toarray(), 2, "must be a sparse matrix, got ndarray"),
        ([[0, 1]], sp.csr_matrix([[np.nan, 0, 0]]), 2, "not finite"),
        ([[0, 1]], ONE, 0, "n must be a positive integer, got 0"),
        ([[0, 1]], ONE, True, "got True"),
    ],
)
def test_bad_input_is_named(ids, relevant, n, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        ranking_metrics(np.array(ids), relevant, n)
