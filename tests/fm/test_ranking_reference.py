"""The ranking pass is the one that is defined, at every SIMD level."""

from __future__ import annotations

import numpy as np
import pytest
from fm_problems import make_ids, make_sides, make_wide
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_ranking import ReferenceRanking

from factorec import _core
from factorec.fm import FMRanker
from factorec.fm._ranking import item_popularity
from factorec.fm._rows import csr_tuple

LEVELS = _core.available_simd_levels()


@pytest.fixture(autouse=True)
def restored_level():
    level = _core.simd_level()
    yield
    _core.pin_simd_level(level)


def entries(matrix, row):
    span = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return list(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True))


class Pair:
    """A trainer of the core and the reference, on the same rows, from the same parameters."""

    def __init__(self, data, *, n_factors=5, popularity=False, n_threads=1, scale=0.3, seed=3, **options):
        rng = np.random.default_rng(seed)
        n = data.n_features
        options = {"loss": "softmax", "n_negatives": 4, "batch_size": 32, "shuffle": True, "seed": seed} | options
        self.weight = rng.uniform(0.2, 2, data.n_rows).astype(np.float32)
        features = [rng.uniform(0.01, 0.2, n).astype(np.float32) for _ in range(4)]
        self.linear = (0.1 * rng.normal(size=n)).astype(np.float32)
        self.linear[: data.n_query_features] = 0  # as a ranker leaves them
        self.factors = (scale * rng.normal(size=(n, n_factors))).astype(np.float32)
        self.states = [np.ones(n, np.float32), np.ones(n, np.float32)]
        seen, item_rows = data.negatives.seen, data.blocks[-1].rows
        popularity = item_popularity(seen) if popularity else None
        self.reference = ReferenceRanking(
            [[e for b in data.blocks[:-1] for e in entries(b.rows, b.index[row])] for row in range(data.n_rows)],
            [entries(item_rows, item) for item in range(item_rows.shape[0])],
            data.blocks[0].index.tolist(),
            data.blocks[-1].index.tolist(),
            self.weight.astype(float),
            [set(np.flatnonzero(user)) for user in seen.toarray()],
            self.linear,
            self.factors,
            *features,
            **options,
            popularity=None if popularity is None else popularity.tolist(),
        )
        self.trainer = _core.RankingTrainer(
            data.row_arrays().blocks,
            data.n_rows,
            self.weight,
            tuple(features),
            (seen.indptr, seen.indices, None, seen.shape[1]),
            popularity,
            options | {"n_threads": n_threads},
            (self.linear, self.factors, *self.states),
        )

    def check(self, n_epochs=2, rtol=2e-4, atol=2e-5):
        for epoch in range(n_epochs):
            weight, loss = self.trainer.epoch(epoch)
            np.testing.assert_allclose(loss / weight if weight else 0.0, self.reference.epoch(epoch), rtol=1e-4)
        self.trainer.copy_to(self.linear, self.factors, *self.states)
        close = {"rtol": rtol, "atol": atol}
        np.testing.assert_allclose(self.linear, self.reference.linear, **close)
        np.testing.assert_allclose(self.factors, self.reference.factors, **close)
        np.testing.assert_allclose(self.states[0], self.reference.linear_state, **close)
        np.testing.assert_allclose(self.states[1], self.reference.factors_state, **close)
        np.testing.assert_allclose(self.trainer.charged(), self.reference.charged, rtol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
@pytest.mark.parametrize("make", [make_ids, make_sides, make_wide])
def test_the_pass_is_the_defined_one(make, loss, level):
    _core.pin_simd_level(level)
    Pair(make(80, negatives=1), loss=loss, n_threads=2).check()


@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_popular_negatives(make, loss):
    Pair(make(80, negatives=1), loss=loss, popularity=True).check()


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(1, 8),
    st.integers(1, 12),
    st.sampled_from(["softmax", "bpr", "warp"]),
    st.sampled_from([1, 2, 3, 15, 16, 40]),
    st.sampled_from([1, 2, 7, 64]),
    st.sampled_from([1, 3, 16, 33]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(LEVELS),
)
@settings(max_examples=40, deadline=None)
def test_any_shape(seed, n_rows, n_users, n_items, loss, n_negatives, batch, n_factors, shuffle, popularity, level):
    """Down to one row, one negative, one item, which leaves nothing unseen."""
    _core.pin_simd_level(level)
    data = make_ids(n_rows, n_users, n_items, seed=seed, negatives=1)
    options = {"n_negatives": n_negatives, "batch_size": batch, "shuffle": shuffle, "popularity": popularity}
    Pair(data, n_factors=n_factors, loss=loss, seed=seed % 1000, **options).check(1, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
def test_the_bits_do_not_depend_on_the_number_of_threads(loss, level):
    _core.pin_simd_level(level)
    data = make_wide(1500, 200, 150, negatives=1)
    found = []
    for n_jobs in (1, 2, 3):
        fm = FMRanker(16, loss=loss, n_epochs=2, random_state=0, n_jobs=n_jobs).fit(data)
        found.append(fm)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].factors_, other.factors_)
        np.testing.assert_array_equal(found[0].linear_, other.linear_)
        np.testing.assert_array_equal(found[0].penalties_.factors, other.penalties_.factors)


@pytest.mark.parametrize("popularity", [False, True])
def test_negatives_are_never_seen_items(popularity):
    """Items that everybody has seen and that no row holds keep their factors to the bit."""
    data = make_ids(400, 6, 40, negatives=1)
    seen = data.negatives.seen.tolil()
    seen[:, 20:] = 1
    kept = np.flatnonzero(data.blocks[-1].index < 20)
    pair = Pair(data.take(kept), popularity=popularity)
    assert kept.size
    blocks = data.take(kept).row_arrays().blocks
    n = data.n_features
    start = (pair.linear.copy(), pair.factors.copy())
    trainer = _core.RankingTrainer(
        blocks,
        len(kept),
        None,
        tuple(np.full(n, 0.1, np.float32) for _ in range(4)),
        csr_tuple(seen.tocsr())[:2] + (None, 40),
        item_popularity(seen.tocsr()) if popularity else None,
        {"loss": "softmax", "n_negatives": 30, "batch_size": 16, "shuffle": True, "seed": 0, "n_threads": 2},
        (pair.linear, pair.factors, *pair.states),
    )
    for epoch in range(5):
        trainer.epoch(epoch)
    trainer.copy_to(pair.linear, pair.factors, *pair.states)
    np.testing.assert_array_equal(pair.factors[6 + 20 :], start[1][6 + 20 :])
    np.testing.assert_array_equal(pair.linear[6 + 20 :], start[0][6 + 20 :])
    assert (pair.factors[6:26] != start[1][6:26]).any(axis=1).all()
    assert not trainer.charged()[26:].any()
