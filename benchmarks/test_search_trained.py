"""Trained factors beside Gaussian ones: a trained model's norms and offsets differ, which pruning lives on."""

from __future__ import annotations

import numpy as np
import pytest

import search_peers
from factorec.datasets import make_planted_fm
from factorec.fm import FMClassifier, TrainingSet
from factorec.search import ItemIndex
from side_by_side import take_turns

NS, D = (10, 100), 64
N_QUERIES, N_ITEMS, N_ROWS = 4096, 100_000, 3_000_000
GAUSSIAN, TRAINED = "Gaussian factors and offsets", "factors and offsets of a trained FM"


def case(n, kind):
    return f"top {n}, {N_QUERIES:,} queries x {N_ITEMS:,} items, d = {D} and offsets, {kind}"


@pytest.fixture(scope="module")
def measured(threads):
    """Seconds by (n, kind): likes drawn from a planted machine, items of the popularity of films."""
    n_users = 20_000
    data = make_planted_fm(n_users, N_ITEMS, N_ROWS, n_factors=8, item_popularity=0.8, seed=0)
    users, items = data.table["user_id"], data.table["item_id"]
    rows = TrainingSet.from_ids(users, items, data.table["rating"], n_users=n_users, n_items=N_ITEMS)
    model = FMClassifier(n_factors=D, n_epochs=5, n_jobs=threads, random_state=0).fit(rows)
    parameters = model.parameters_
    n_query = parameters.n_query_features
    sides = {
        TRAINED: (
            parameters.factors[:N_QUERIES],
            parameters.factors[n_query:],
            parameters.linear[n_query:],
        ),
        GAUSSIAN: (
            search_peers.normal(N_QUERIES, D, 0),
            search_peers.normal(N_ITEMS, D, 1),
            search_peers.normal(N_ITEMS, 1, 2).ravel(),
        ),
    }
    contenders, norms = {}, {}
    for kind, (queries, vectors, offsets) in sides.items():
        index = ItemIndex(vectors, offsets=offsets, n_jobs=threads)
        for n in NS:
            contenders[n, kind] = lambda index=index, queries=queries, n=n: index.search(queries, n)
        deciles = np.quantile(np.linalg.norm(vectors, axis=1), (0.1, 0.9))
        norms[kind] = f"norms {deciles[0]:.2g} to {deciles[1]:.2g} from the 10 % to the 90 % quantile"

    def check(key, answer):
        queries, vectors, offsets = sides[key[1]]
        scores = queries[:64].astype(np.float64) @ vectors.T.astype(np.float64) + offsets
        best = -np.sort(-scores, axis=1)[:, : key[0]]
        np.testing.assert_allclose(answer.scores[:64], best, rtol=0, atol=1e-4 * np.abs(scores).max())

    return take_turns(contenders, check), norms


@pytest.mark.parametrize("n", NS)
@pytest.mark.parametrize("kind", [GAUSSIAN, TRAINED])
def test_trained(contender, measured, n, kind):
    seconds, norms = measured
    bars = {f"{case(n, GAUSSIAN)}: factorec": 1.0} if kind == TRAINED else None
    contender(case(n, kind), "factorec", seconds=seconds[n, kind], bars=bars, note=norms[kind])
