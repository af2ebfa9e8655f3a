"""FMRanker: lists."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from factorec.errors import DataError
from factorec.fm import FMRanker, NegativeSampling, TrainingSet


def make_groups(n_users=40, n_items=30, per_user=6, *, seed=0, grades=False):
    """Users of two groups, who met items of their own half."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), per_user)
    half = n_items // 2
    item = np.concatenate([rng.permutation(half)[:per_user] + half * (u % 2) for u in range(n_users)])
    target = rng.choice([0.0, 0.3, 1.0], len(user)) if grades else np.ones(len(user))
    seen = sparse.csr_array((np.ones(len(user)), (user, item)), (n_users, n_items))
    return TrainingSet.from_ids(
        user, item, target, n_users=n_users, n_items=n_items, negatives=NegativeSampling(1, seen)
    )


@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
def test_what_users_of_one_group_met_ranks_above_the_rest(loss):
    data = make_groups()
    fm = FMRanker(8, loss=loss, n_epochs=60, learning_rate=0.3, l2_linear=0, l2_factors=0.001, random_state=0).fit(data)
    scores = fm.factors_[:40] @ fm.factors_[40:].T + fm.linear_[40:]
    own = np.arange(40)[:, None] % 2 == np.arange(30) // 15
    assert scores[own].mean() > scores[~own].mean() + 1
    ids = np.argsort(-scores, axis=1)[:, :10]
    assert np.take_along_axis(own, ids, 1).mean() > 0.9
    assert fm.bias_ == 0
    assert not fm.linear_[:40].any()
    loss_of = fm.history_["train"]["loss"]
    assert loss_of[-1] < 0.7 * loss_of[0]


@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
def test_the_bits_do_not_depend_on_the_number_of_threads(loss):
    data = make_groups(300, 200, 9)

    def fitted(n_jobs):
        return FMRanker(16, loss=loss, n_epochs=3, random_state=0, n_jobs=n_jobs).fit(data)

    one = fitted(1)
    for n_jobs in (2, 3):
        other = fitted(n_jobs)
        np.testing.assert_array_equal(one.factors_, other.factors_)
        np.testing.assert_array_equal(one.linear_, other.linear_)
        np.testing.assert_array_equal(one.penalties_.factors, other.penalties_.factors)


def test_a_flat_matrix_is_refused():
    with pytest.raises(DataError, match="FMRanker takes a TrainingSet, not ndarray"):
        FMRanker().fit(np.eye(4), np.ones(4))


def test_a_clone_is_fitted_anew():
    data = make_groups()
    fm = FMRanker(4, n_epochs=2, random_state=0).fit(data)
    np.testing.assert_array_equal(clone(fm).fit(data).factors_, fm.factors_)
