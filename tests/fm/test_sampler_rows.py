"""Rows on their way to the sampler: nothing lost, whatever the form, and ids with what they determine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from fm_problems import make_ids, make_sides, make_wide
from scipy import sparse

from factorec.fm._problem import Problem
from factorec.fm._rows import RowArrays
from factorec.fm._sampler_rows import SamplerRows


def of_matrix(X, ranges=None):
    X = sparse.csr_array(X, dtype=np.float32)
    return SamplerRows.of(Problem(X, RowArrays.of_matrix(X, ranges), np.zeros(X.shape[0]), None))


def as_matrix(rows, shape):
    """The rows put together again."""
    total = np.zeros(shape)
    for index, (indptr, indices, values, n_columns) in rows.blocks:
        part = sparse.csr_array((values, indices, indptr), (len(indptr) - 1, n_columns))
        total += part.toarray()[index]
    return total * rows.per_feature()


def check(rows, X):
    np.testing.assert_allclose(as_matrix(rows, X.shape), X.toarray(), rtol=1e-6)
    assert [start for _, start, _ in rows.fields] == [0, *(stop for _, _, stop in rows.fields[:-1])]
    assert rows.fields[-1][2] == X.shape[1]
    columns = [np.unique(indices) for _, (_, indices, _, _) in rows.blocks]
    spans = sorted((c.min(), c.max()) for c in columns if len(c))
    assert all(one[1] < other[0] for one, other in pairwise(spans))  # blocks share no columns


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("make", [make_ids, make_sides, make_wide])
def test_flat_rows_are_whole(make, named):
    data = make()
    X = data.to_csr()
    rows = of_matrix(X, data.field_ranges if named else None)
    check(rows, X)
    if named:
        assert [name for name, _, _ in rows.fields if name is not None] == list(data.field_ranges)


@pytest.mark.parametrize("seed", range(8))
def test_any_matrix_is_whole(seed):
    rng = np.random.default_rng(seed)
    X = sparse.random_array((40, 9), density=rng.uniform(0, 0.6), rng=rng, dtype=np.float32).tocsr()
    X.data *= rng.choice([1.0, 100.0])
    X = sparse.csr_array(X[rng.integers(0, 12, 40)])  # rows in several copies
    cuts = np.sort(rng.integers(0, 10, 2))
    check(of_matrix(X), X)
    rows = of_matrix(X, {"one": (0, int(cuts[0])), "two": (int(cuts[0]), int(cuts[1]))})
    check(rows, X)
    for index, (indptr, _, _, _) in rows.blocks:
        assert len(np.unique(index)) == len(indptr) - 1  # every entity has a row: distinct rows only


def test_features_that_ids_determine_stand_in_their_block():
    data = make_wide()
    flat = of_matrix(data.to_csr(), data.field_ranges)
    assert len(flat.blocks) == len(data.blocks) == 2
    assert flat.has_ids
    own = SamplerRows.of(Problem(data, data.row_arrays(), data.target, None))
    check(own, data.to_csr())


def test_large_numbers_have_a_unit():
    X = np.random.default_rng(0).normal(loc=100, size=(50, 2))
    rows = of_matrix(X, {"a": (0, 1), "b": (1, 2)})
    np.testing.assert_allclose(rows.unit, np.sqrt((X**2).mean(axis=0)), rtol=1e-6)
    assert (of_matrix(X / 1000).unit == 1).all()
