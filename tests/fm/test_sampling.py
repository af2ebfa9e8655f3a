"""Sampled negatives: never seen, uniform, new every epoch, counted as expected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from reference_training import draw_negative
from scipy import sparse, stats

from factorec import errors
from factorec.fm import FMClassifier, FMRegressor, NegativeSampling, TrainingSet

SEEN = np.array([[1, 0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1, 1]])


def sampling(n=4):
    return NegativeSampling(n, sparse.csr_array(SEEN))


def test_draws_are_unseen_and_uniform():
    users = np.repeat([0, 1, 3], 4000)
    drawn = sampling().draw(users, 7, 0)
    assert drawn.shape == (12_000, 4)
    for user in (0, 1, 3):
        unseen = np.flatnonzero(SEEN[user] == 0)
        counts = np.bincount(drawn[users == user].ravel(), minlength=7)
        assert counts[SEEN[user] == 1].sum() == 0
        if len(unseen) > 1:
            assert stats.chisquare(counts[unseen]).pvalue > 0.001
    # Neither neighbours in a row nor the same place in the next epoch depend on each other.
    of_user = drawn[users == 1]
    for other in (of_user[:, 1], sampling().draw(users, 7, 1)[users == 1][:, 0], np.roll(of_user[:, 0], 1)):
        table = sparse.coo_array((np.ones(4000), (of_user[:, 0], other)), (7, 7)).toarray()
        assert stats.chi2_contingency(table).pvalue > 0.001


def test_draws_are_those_of_the_definition():
    """Promise 3: a draw is a function of (seed, epoch, row, j) and the user's seen items."""
    users = np.array([1, 0, 3, 2, 0])
    drawn = sampling().draw(users, 11, 5)
    for row, user in enumerate(users):
        for j in range(4):
            expected = draw_negative(set(np.flatnonzero(SEEN[user])), 7, 11, 5, row, j)
            assert drawn[row, j] == (-1 if expected is None else expected)


def test_who_has_seen_everything_gets_none():
    assert (sampling().draw([2, 2], 0, 0) == -1).all()
    data = TrainingSet.from_ids([2, 2, 2], [0, 1, 2], [1, 1, 1], n_users=4, n_items=7, negatives=sampling())
    model = FMClassifier(3, n_epochs=2, l2_linear=1, l2_factors=1, random_state=0).fit(data)
    np.testing.assert_array_equal(model.penalties_.linear, [0, 0, 3, 0, 1, 1, 1, 0, 0, 0, 0])


def test_every_epoch_draws_anew():
    users = np.zeros(200, int)
    epochs = [sampling().draw(users, 3, epoch).tobytes() for epoch in range(5)]
    assert len(set(epochs)) == 5


def test_only_structure_counts_and_nothing_is_changed():
    unsorted = sparse.csr_array((np.array([0.0, np.nan, 5.0]), np.array([5, 0, 2]), np.array([0, 3, 3, 3, 3])), (4, 7))
    drawn = NegativeSampling(4, unsorted).draw(np.zeros(500, int), 0, 0)
    assert set(drawn.ravel()) == {1, 3, 4, 6}
    np.testing.assert_array_equal(unsorted.indices, [5, 0, 2])
    doubled = sparse.coo_array((np.ones(2), ([0, 0], [5, 5])), (1, 7))
    assert 5 not in NegativeSampling(4, doubled).draw(np.zeros(500, int), 0, 0)


@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_penalties_count_the_expected_negatives(make):
    """Against draws of many epochs: each feature's mean rows per epoch."""
    data = make(n_rows=100, negatives=3, seed=6)
    weight = np.random.default_rng(1).choice([0.5, 2.0], data.n_rows).astype(np.float32)
    data = replace(data, weight=weight)
    model = FMClassifier(3, n_epochs=1, l2_linear=1, l2_factors=1, random_state=0).fit(data)
    positive = np.flatnonzero(data.target == 1)
    parts = [(block.rows != 0).toarray().astype(float) for block in data.blocks]
    total = np.zeros(data.n_features)
    for row in range(data.n_rows):
        total += weight[row] * sum(part[b.index[row]] for part, b in zip(parts, data.blocks, strict=True))
    n_epochs = 400
    for epoch in range(n_epochs):
        drawn = data.negatives.draw(data.blocks[0].index[positive], 5, epoch)
        for row, items in zip(positive, drawn, strict=True):
            for item in items[items >= 0]:
                query = sum(part[b.index[row]] for part, b in zip(parts[:-1], data.blocks[:-1], strict=True))
                total += weight[row] * (query + parts[-1][item]) / n_epochs
    np.testing.assert_allclose(model.penalties_.linear, total, rtol=0.05, atol=0.1)
    fixed = np.arange(data.n_query_features)  # the number of negatives of a user is not random
    np.testing.assert_allclose(model.penalties_.linear[fixed], total[fixed], rtol=1e-6)


def test_a_stored_zero_is_charged_with_negatives_as_without():
    data = make_ids(negatives=2)
    items = data.blocks[1].rows.copy()
    items.data[:] = 0
    silent = replace(data, blocks=[data.blocks[0], replace(data.blocks[1], rows=items)])
    one, two = (FMClassifier(3, random_state=0).fit(d).penalties_.linear for d in (data, silent))
    np.testing.assert_allclose(one, two)


def test_positives_learn_from_negatives():
    """Everybody likes item 0 and nothing else was shown: only negatives can tell that."""
    seen = sparse.csr_array((np.ones(50), (np.arange(50), np.zeros(50, int))), (50, 9))
    data = TrainingSet.from_ids(
        np.arange(50), np.zeros(50, int), np.ones(50), n_users=50, n_items=9, negatives=NegativeSampling(4, seen)
    )
    model = FMClassifier(4, n_epochs=30, random_state=0).fit(data)
    X = TrainingSet.from_ids(np.zeros(9, int), np.arange(9), np.ones(9), n_users=50, n_items=9)
    scores = model.decision_function(X)
    assert scores[0] > scores[1:].max() + 1


def test_refusals():
    for n in (0, -1, 2.5, True, None):
        with pytest.raises(errors.DataError, match="n_per_positive must be an integer of at least 1"):
            NegativeSampling(n, sparse.csr_array((2, 2)))
    with pytest.raises(errors.DataError, match="scipy sparse"):
        NegativeSampling(1, np.zeros((2, 2)))
    for users, match in (([4], r"users\[0\] is 4, outside 0\.\.3"), ([-1], "users"), ([0.5], "integers")):
        with pytest.raises(errors.DataError, match=match):
            sampling().draw(users, 0, 0)
    with pytest.raises(errors.DataError, match="seed must be"):
        sampling().draw([0], -1, 0)
    with pytest.raises(errors.DataError, match="negatives are for FMClassifier"):
        FMRegressor().fit(make_ids(negatives=1))


def test_what_was_seen_twice_counts_once():
    seen = sparse.csr_array((np.ones(4, np.float32), np.array([0, 1, 1, 1]), np.array([0, 4])), (1, 4))
    sampling = NegativeSampling(2, seen)
    of_user, of_item = sampling.expected(np.array([0]), np.ones(1))
    assert of_user.tolist() == [2.0]
    assert of_item.tolist() == [0.0, 0.0, 1.0, 1.0]
