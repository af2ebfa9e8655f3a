"""Interactions drawn from a known factorization machine."""

from __future__ import annotations

import numpy as np
import pytest

from factorec.datasets import make_planted_fm
from factorec.errors import DataError

FEATURES = {"user_features": {"age": 7, "tags": (9, 4)}, "item_features": {"genre": (5, 5)}}


def flat_rows(data):
    return (data.user_rows[data.table["user_id"]] + data.item_rows[data.table["item_id"]]).toarray()


def scores_by_definition(data):
    """y = b + w'x + sum over pairs of features f < g of x_f x_g <V_f, V_g>, written out."""
    X = flat_rows(data).astype(np.float64)
    V = data.factors.astype(np.float64)
    gram = V @ V.T
    pairs = np.einsum("rf,fg,rg->r", X, np.triu(gram, 1), X)
    return data.bias + X @ data.linear + pairs


@pytest.mark.parametrize("features", [{}, FEATURES])
def test_score_is_that_of_the_machine(features):
    data = make_planted_fm(30, 20, 500, n_factors=4, bias=-0.3, seed=1, **features)
    np.testing.assert_allclose(data.score, scores_by_definition(data), rtol=0, atol=2e-5)


def test_without_noise_the_target_is_the_score_or_its_sign():
    real = make_planted_fm(30, 20, 500, target="real", noise=0, seed=2)
    np.testing.assert_array_equal(real.table["rating"], real.score)
    binary = make_planted_fm(30, 20, 500, noise=0, seed=2)
    np.testing.assert_array_equal(binary.table["rating"], binary.score > 0)


def test_noise_has_the_stated_law():
    real = make_planted_fm(100, 100, 200_000, target="real", noise=0.5, seed=3)
    rest = real.table["rating"] - real.score
    assert abs(rest.mean()) < 0.01
    assert abs(rest.std() - 0.5) < 0.01
    binary = make_planted_fm(100, 100, 200_000, seed=3)
    probability = 1 / (1 + np.exp(-binary.score.astype(float)))
    for low in (0.0, 0.25, 0.5, 0.75):  # calibrated in each quarter
        part = (probability >= low) & (probability < low + 0.25)
        assert abs(binary.table["rating"][part].mean() - probability[part].mean()) < 0.02


def test_parameters_have_the_stated_scale():
    data = make_planted_fm(2000, 2000, 10, n_factors=6, linear_scale=0.7, interaction_scale=1.3, seed=4)
    products = data.factors[:2000] @ data.factors[2000:].T
    assert abs(products.std() - 1.3) < 0.05
    assert abs(data.linear.std() - 0.7) < 0.05


def test_shares_follow_the_power_law():
    data = make_planted_fm(50, 100, 400_000, item_popularity=0.8, seed=5)
    counts = np.sort(np.bincount(data.table["item_id"], minlength=100))[::-1]
    expected = np.arange(1, 101) ** -0.8
    np.testing.assert_allclose(counts / counts.sum(), expected / expected.sum(), rtol=0.1)
    assert np.bincount(data.table["user_id"], minlength=50).std() < 0.02 * 400_000 / 50  # uniform


def test_catalogues_tell_the_rows():
    data = make_planted_fm(300, 200, 10, seed=6, **FEATURES)
    assert list(data.field_ranges) == ["user_id", "age", "tags", "item_id", "genre"]
    assert data.n_query_features == data.field_ranges["item_id"][0] == 300 + 7 + 9
    assert data.linear.shape == (300 + 7 + 9 + 200 + 5,)
    for catalogue, rows in ((data.users, data.user_rows), (data.items, data.item_rows)):
        expected = np.zeros(rows.shape, dtype=np.float32)
        for name, column in catalogue.items():
            start, stop = data.field_ranges[name]
            for entity, values in enumerate(column.tolist()):
                expected[entity, start + np.atleast_1d(values)] = 1
                assert start + np.max(values) < stop
        np.testing.assert_array_equal(rows.toarray(), expected)
    sizes = [len(set(tags)) for tags in data.users["tags"]]
    assert sizes == [len(tags) for tags in data.users["tags"]]
    assert set(sizes) == {1, 2, 3, 4}
    assert {value for tags in data.users["tags"] for value in tags} == set(range(9))


def test_same_seed_same_data():
    first, second, other = (make_planted_fm(40, 30, 100, seed=seed, **FEATURES) for seed in (7, 7, 8))
    for name in ("score", "linear", "factors"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for name in first.table:
        np.testing.assert_array_equal(first.table[name], second.table[name])
    assert not np.array_equal(first.score, other.score)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_users": 0}, "n_users must be at least 1, got 0"),
        ({"noise": -1}, "noise must be finite and at least 0, got -1"),
        ({"linear_scale": np.nan}, "linear_scale must be finite"),
        ({"target": "rating"}, "target must be"),
        ({"item_features": {"genre": (3, 4)}}, "side feature 'genre'"),
        ({"item_features": {"item_id": 3}}, "side feature 'item_id'"),
        ({"item_features": {"a": 3}, "user_features": {"a": 3}}, "different names, got a twice"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(DataError, match=message):
        make_planted_fm(**arguments)
