"""Promise 2 for the parts of a score: they are the model's own terms, and sum to its score."""

from __future__ import annotations

import dataclasses
import math
import pickle
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

import factorec as fr
from factorec.errors import DataError
from factorec.explain import ScoreParts, decompose

RANGES = {"user_id": (0, 3), "age": (3, 4), "item_id": (4, 9), "genres": (9, 15), "unused": (15, 15)}


def model(seed=0, k=4, n=15):
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.5, (n, k)).astype(np.float32)
    return SimpleNamespace(bias=0.3, linear=rng.normal(0, 0.4, n).astype(np.float32), factors=factors)


def rows(n=7, seed=0):
    rng = np.random.default_rng(seed)
    X = np.zeros((n, 15), dtype=np.float32)
    X[np.arange(n), rng.integers(0, 3, n)] = 1
    X[:, 3] = rng.normal(size=n)
    X[np.arange(n), 4 + rng.integers(0, 5, n)] = 1
    X[:, 9:] = rng.integers(0, 2, (n, 6)) * rng.uniform(0.2, 1, (n, 6))
    return X


def by_definition(p, x, a, b):
    """The double sum over features of two fields (of one: over its pairs)."""
    V, x = p.factors.astype(np.float64), x.astype(np.float64)
    (a0, a1), (b0, b1) = RANGES[a], RANGES[b]
    pairs = combinations(range(a0, a1), 2) if a == b else ((f, g) for f in range(a0, a1) for g in range(b0, b1))
    return sum(V[f] @ V[g] * x[f] * x[g] for f, g in pairs)


def test_every_part_is_what_the_definition_says():
    p, X = model(), rows()
    parts = decompose(p, X, RANGES)
    assert parts.fields == tuple(RANGES)
    assert len(parts) == len(X)
    assert parts.bias == p.bias
    for field, (start, stop) in RANGES.items():
        expected = X[:, start:stop].astype(np.float64) @ p.linear[start:stop].astype(np.float64)
        np.testing.assert_allclose(parts.linear[field], expected, rtol=1e-12, atol=1e-14)
    assert len(parts.pairwise) == 15
    for (a, b), value in parts.pairwise.items():
        np.testing.assert_allclose(value, [by_definition(p, x, a, b) for x in X], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
def test_any_kind_of_rows_one_or_many(kind):
    p, X = model(), rows()
    many = decompose(p, kind(X), RANGES)
    for i, x in enumerate(X):
        one = decompose(p, x, RANGES)
        assert isinstance(one.score, float)
        np.testing.assert_array_equal(one.values, decompose(p, kind(X[i : i + 1]), RANGES)[0].values)
        np.testing.assert_allclose(one.values, many[i].values, rtol=1e-13, atol=1e-15)
    assert many[-1].score == many[len(X) - 1].score
    with pytest.raises(IndexError):
        many[len(X)]


def test_scores_are_the_exact_sum_and_those_of_the_model():
    """Promise 2: to 1e-5 * max(1, |score|)."""
    table = fr.datasets.make_planted_fm(80, 40, 2000, target="real", seed=0).table
    encoder = fr.Encoder()
    X = encoder.fit_transform(table)
    for estimator in (fr.FMRegressor(random_state=0), fr.FMClassifier(random_state=0)):
        y = table["rating"] if isinstance(estimator, fr.FMRegressor) else table["rating"] > 0
        p = estimator.fit(X, y, field_ranges=encoder.field_ranges_).parameters_
        parts = decompose(p, X, encoder.field_ranges_)
        assert parts.score.tolist() == [math.fsum(row) for row in parts.values]
        score = estimator.decision_function(X)
        assert (np.abs(parts.score - score) <= 1e-5 * np.maximum(1, np.abs(score))).all()


def test_what_has_no_pairs_is_exactly_zero():
    p, X = model(), rows()
    X[0, 9:] = [0, 0, 0.7, 0, 0, 0]
    parts = decompose(p, X[0], RANGES)
    for field in ("user_id", "age", "item_id", "genres", "unused"):
        assert parts.pairwise[field, field] == 0
    assert parts.pairwise["user_id", "item_id"] != 0
    empty = decompose(p, np.zeros((2, 15)), RANGES)
    assert (empty.values[:, 1:] == 0).all()
    assert not np.signbit(empty.values).any()
    assert empty[1].score == p.bias
    assert empty[1].by_feature().values.tolist() == [p.bias]
    assert decompose(p, sparse.csr_matrix((0, 15)), RANGES).score.shape == (0,)


def test_stored_zeros_repeated_entries_and_the_callers_matrix():
    p, X = model(), rows(2)
    data = sparse.csr_matrix(X)
    messy = sparse.csr_matrix(
        (np.append(data.data / 2, [data.data[-1] / 2, 0.0]), np.append(data.indices, [data.indices[-1], 0]),
         [0, data.indptr[1], len(data.indices) + 2]), shape=X.shape)  # fmt: skip
    messy.data[:-2] *= 2
    messy.data[-3] /= 2
    before = messy.data.copy()
    np.testing.assert_allclose(decompose(p, messy, RANGES).values, decompose(p, X, RANGES).values, rtol=1e-12)
    np.testing.assert_array_equal(messy.data, before)


def test_many_rows_in_chunks_are_the_same(monkeypatch):
    p, X = model(), rows(50)
    whole = decompose(p, X, RANGES).values
    monkeypatch.setattr("factorec.explain.decomposition._CHUNK_NUMBERS", 45)
    np.testing.assert_allclose(decompose(p, X, RANGES).values, whole, rtol=1e-13, atol=1e-15)


def test_fields_stand_in_the_order_of_their_columns():
    p, x = model(), rows()[0]
    backwards = decompose(p, x, dict(reversed(RANGES.items())))
    assert backwards.fields == tuple(RANGES)
    np.testing.assert_array_equal(backwards.values, decompose(p, x, RANGES).values)


def test_by_feature():
    p, X = model(), rows()
    parts = decompose(p, X, RANGES)
    names = np.array([f"f{i}" for i in range(15)], dtype=object)
    for i, x in enumerate(X):
        fine = parts[i].by_feature(names)
        used = np.flatnonzero(x)
        assert fine.fields == tuple(f"f{i}" for i in used)
        assert fine.score == pytest.approx(parts[i].score, rel=1e-12)
        for f in used:
            assert fine.linear[f"f{f}"] == pytest.approx(p.linear[f] * x[f], rel=1e-6)
            assert fine.pairwise[f"f{f}", f"f{f}"] == 0
        genres = [fine.pairwise[f"f{f}", f"f{g}"] for f, g in combinations(used[used >= 9], 2)]
        assert math.fsum(genres) == pytest.approx(parts[i].pairwise["genres", "genres"], rel=1e-9, abs=1e-12)
    assert parts[0].by_feature().fields[:2] == (f"user_id[{np.flatnonzero(X[0])[0]}]", "age[0]")
    with pytest.raises(DataError, match=r"parts\[0\]\.by_feature\(\)"):
        parts.by_feature()
    with pytest.raises(DataError, match="one name per column"):
        parts[0].by_feature(names[:5])
    with pytest.raises(DataError, match="made by field"):
        parts[0].by_feature().by_feature()


def test_without_factors_and_without_fields():
    p = model(k=0)
    parts = decompose(p, rows(), RANGES)
    assert all((value == 0).all() for value in parts.pairwise.values())
    assert decompose(p, np.zeros(15), {}).score == p.bias


@pytest.mark.parametrize(
    ("x", "ranges", "message"),
    [
        (np.ones(14), RANGES, "x has 14 columns for 15 features"),
        (np.ones((1, 1, 15)), RANGES, "must be two-dimensional"),
        (np.ones(15), RANGES | {"genres": (9, 14)}, "column 14 of x belongs to no field"),
        (np.ones(15), {"a": (1, 15)}, "column 0 of x belongs to no field"),
        (np.ones(15), {}, "column 0 of x belongs to no field"),
        (np.ones(15), {"a": (0, 8), "b": (7, 15)}, "of 'a' and 'b' overlap in column 7"),
        (np.ones(15), {"a": (0, 16)}, r"field_ranges\['a'\] is \(0, 16\), not a range within 0..15"),
        (np.where(np.arange(30) == 20, np.nan, 1).reshape(2, 15), RANGES, "x: row 1 holds NaN"),
    ],
)
def test_bad_input_is_named(x, ranges, message):
    """Promise 6."""
    with pytest.raises(DataError, match=message):
        decompose(model(), x, ranges)


def test_parts_of_other_origin():
    parts = ScoreParts(("a", "b"), np.arange(6.0))
    assert parts.names == ("bias", "a", "b", "a × a", "a × b", "b × b")
    assert parts.score == 15
    with pytest.raises(DataError, match=r"2 fields must have 6 parts a row, got shape \(5,\)"):
        ScoreParts(("a", "b"), np.arange(5.0))
    with pytest.raises(TypeError, match="one score"):
        len(parts)
    with pytest.raises(TypeError, match="one score"):
        parts[0]


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
def test_tables(backend):
    pytest.importorskip(backend)
    parts = decompose(model(), rows(), RANGES)
    wide = parts.to_frame(backend)
    assert list(wide.columns if backend != "pyarrow" else wide.column_names) == [*parts.names, "score"]
    np.testing.assert_array_equal(np.asarray(wide["genres × genres"]), parts.pairwise["genres", "genres"])
    long = parts[0].to_frame(backend)
    np.testing.assert_array_equal(np.asarray(long["value"]), parts[0].values)
    assert type(dataclasses.replace(parts, backend=backend)[0].to_frame()) is type(long)
    assert np.asarray(long["kind"]).tolist() == ["bias"] + ["linear"] * 5 + ["pairwise"] * 15


def test_parts_travel():
    parts = decompose(model(), rows(), RANGES)[2]
    again = pickle.loads(pickle.dumps(parts))
    assert again.score == parts.score
    assert again.by_feature().names == parts.by_feature().names


def test_bipartite_parameters_know_their_border():
    p, x = model(), rows(1)
    p.interactions, p.n_query_features = "bipartite", None
    with pytest.raises(DataError, match="need n_query_features"):
        decompose(p, x, {"all": (0, x.shape[1])})
    p.n_query_features = 1
    with pytest.raises(DataError, match="items begin with column 1"):
        decompose(p, x, {"all": (0, x.shape[1])})
