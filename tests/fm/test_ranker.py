"""FMRanker: lists."""

from __future__ import annotations

import pickle
import re
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from fm_problems import make_ids, make_sides
from scipy import sparse
from sklearn.base import clone

from factorec import _core
from factorec.errors import DataError, DivergenceError
from factorec.fm import FMRanker, NegativeSampling, StopTraining, TrainingSet
from factorec.fm._ranking import item_popularity


def of_ids(user, item, target, n_users, n_items, seen=None):
    """A training set in which users have seen what is in its rows."""
    if seen is None:
        seen = sparse.csr_array((np.ones(len(user)), (user, item)), (n_users, n_items))
    sampling = NegativeSampling(1, seen)
    return TrainingSet.from_ids(user, item, target, n_users=n_users, n_items=n_items, negatives=sampling)


def make_groups(n_users=40, n_items=30, per_user=6, *, seed=0, grades=False):
    """Users of two groups, who met items of their own half."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users), per_user)
    half = n_items // 2
    item = np.concatenate([rng.permutation(half)[:per_user] + half * (u % 2) for u in range(n_users)])
    target = rng.choice([0.0, 0.3, 1.0], len(user)) if grades else np.ones(len(user))
    return of_ids(user, item, target, n_users, n_items)


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


def test_a_flat_matrix_is_refused():
    with pytest.raises(DataError, match="FMRanker takes a TrainingSet, not ndarray"):
        FMRanker().fit(np.eye(4), np.ones(4))


def test_a_clone_is_fitted_anew():
    data = make_groups()
    fm = FMRanker(4, n_epochs=2, random_state=0).fit(data)
    np.testing.assert_array_equal(clone(fm).fit(data).factors_, fm.factors_)


def test_defaults_of_every_loss_rank_better_than_popularity():
    rng = np.random.default_rng(1)
    user, item = rng.integers(0, 60, 900), np.minimum(rng.geometric(0.05, 900) - 1, 49)
    keep = (user + item) % 3 > 0
    data = of_ids(user[keep], item[keep], np.ones(keep.sum()), 60, 50)
    for loss in ("softmax", "bpr", "warp"):
        fm = FMRanker(8, loss=loss, random_state=0).fit(data)
        assert len(fm.history_["train"]["loss"]) == 20
        assert np.isfinite(fm.factors_).all()


def test_grades_multiply_weights():
    """A grade of g is a weight of g, and twice the weight twice the row's part, in L2 too."""
    data = make_groups(grades=True)
    kept = data.target > 0
    as_weight = replace(data.take(kept), target=np.ones(kept.sum()), weight=data.target[kept])
    one, other = FMRanker(4, random_state=0).fit(data), FMRanker(4, random_state=0).fit(as_weight)
    np.testing.assert_array_equal(one.factors_, other.factors_)
    np.testing.assert_allclose(one.penalties_.factors, other.penalties_.factors)
    absent = replace(data, weight=np.where(data.target > 0.5, 1.0, 0.0))
    likes = data.take(data.target > 0.5)
    np.testing.assert_array_equal(
        FMRanker(4, random_state=0).fit(absent).factors_, FMRanker(4, random_state=0).fit(likes).factors_
    )


@pytest.mark.parametrize("loss", ["softmax", "bpr", "warp"])
@pytest.mark.parametrize("negative_sampling", ["uniform", "popularity"])
@pytest.mark.parametrize("make", [make_ids, make_sides])
def test_penalties_are_what_was_charged(make, negative_sampling, loss):
    data = replace(make(300, 9, 40, negatives=1), target=np.ones(300))
    settings = {"loss": loss, "negative_sampling": negative_sampling, "l2_linear": 0.02, "l2_factors": 0.03}
    fm = FMRanker(4, n_epochs=60, learning_rate=1e-3, random_state=0, **settings).fit(data)
    counted = np.bincount(data.to_csr().indices, minlength=data.n_features)
    queries = np.arange(data.n_features) < data.n_query_features
    charged = fm.penalties_.factors / 0.03
    np.testing.assert_allclose(fm.penalties_.linear / 0.02, charged)
    assert fm.penalties_.per_row["user"] == (0.02, 0.03)
    seen_all = np.diff(data.negatives.seen.indptr) == data.negatives.seen.shape[1]
    assert not seen_all.any()
    if loss == "warp":  # only rows with a violation; from small factors on that is nearly every one
        assert (charged[queries] <= counted[queries] + 1e-9).all()
        assert charged[queries].sum() > 0.9 * counted[queries].sum()
        return
    np.testing.assert_allclose(charged[queries], counted[queries])
    # Of items what is expected; a trainer's count of many epochs comes close.
    popularity = item_popularity(data.negatives.seen) if negative_sampling == "popularity" else None
    trainer = _core.RankingTrainer(
        data.row_arrays().blocks,
        300,
        None,
        tuple(np.zeros(data.n_features, np.float32) for _ in range(4)),
        data.negatives.csr_tuple(),
        popularity,
        {"loss": loss, "n_negatives": 20, "batch_size": 64, "shuffle": True, "seed": 5, "n_threads": 1},
        (fm.linear_.copy(), fm.factors_.copy(), np.ones_like(fm.linear_), np.ones_like(fm.linear_)),
    )
    for epoch in range(20):
        trainer.epoch(epoch)
    np.testing.assert_allclose(charged, trainer.charged() / 20, rtol=0.05, atol=2)


def test_warm_start_continues_to_the_bit():
    data = make_groups()
    whole = FMRanker(4, n_epochs=5, random_state=0).fit(data)
    fm = FMRanker(4, n_epochs=2, random_state=0, warm_start=True).fit(data)
    fm.set_params(n_epochs=3).fit(data)
    np.testing.assert_array_equal(fm.factors_, whole.factors_)
    np.testing.assert_array_equal(fm.linear_, whole.linear_)
    np.testing.assert_array_equal(fm.penalties_.factors, whole.penalties_.factors)
    assert fm.solver_state_.n_epochs == 5


def test_partial_fit_learns_a_new_user_and_leaves_others_alone():
    data = make_groups()
    fm = FMRanker(4, n_epochs=5, random_state=0).fit(data)
    before = fm.factors_.copy()
    charged = fm.penalties_.factors.copy()
    fm.grow(np.r_[0:40, 41:71], 71)
    seen = sparse.csr_array((np.ones(2), ([40, 40], [0, 1])), (41, 30))
    new = of_ids([40, 40], [0, 1], [1.0, 1.0], 41, 30, seen)
    for _ in range(3):
        fm.partial_fit(new)
    assert fm.factors_[40].any()
    np.testing.assert_array_equal(fm.factors_[:40], before[:40])
    assert (fm.penalties_.factors[41:] >= charged[40:]).all()
    assert fm.penalties_.factors[40] == pytest.approx(0.04 * 2 * 3)
    with pytest.raises(DataError, match="has 70 features, expected 71"):
        fm.partial_fit(data)


def test_pickles():
    fm = FMRanker(4, n_epochs=3, random_state=0).fit(make_groups())
    other = pickle.loads(pickle.dumps(fm))
    np.testing.assert_array_equal(other.factors_, fm.factors_)
    assert other.get_params() == fm.get_params()
    np.testing.assert_array_equal(
        other.set_params(warm_start=True).fit(make_groups()).factors_,
        fm.set_params(warm_start=True).fit(make_groups()).factors_,
    )


def test_history_is_ndcg_by_the_metrics_module():
    """Of every query; what its user has seen is left out, but for the rows that are measured."""
    data = make_sides(400, 12, 30, negatives=1)
    data = replace(data, target=np.ones(400))
    rng = np.random.default_rng(0)
    held = rng.random(400) < 0.2
    val = replace(data.take(held), target=rng.choice([0.0, 0.5, 1.0], held.sum()))
    fm = FMRanker(4, n_epochs=3, random_state=0).fit(data.take(~held), X_val=val, eval_set={"again": val})
    relevant = {}
    for row in range(val.n_rows):
        query = tuple(int(block.index[row]) for block in val.blocks[:-1])
        if val.target[row] > 0:
            gains = relevant.setdefault(query, {})
            item = int(val.blocks[-1].index[row])
            gains[item] = gains.get(item, 0) + val.target[row]
    of_query = []
    seen = data.negatives.seen.toarray() != 0
    for query, gains in relevant.items():
        own = val.blocks[-1].index[val.blocks[0].index == query[0]]
        allowed = ~seen[query[0]]
        allowed[own] = True
        x = sum(block.rows[[entity]] for block, entity in zip(val.blocks[:-1], query, strict=True))
        score = fm.decision_function(stack(x, data))
        score = np.where(allowed, score, -np.inf)
        best = [i for i in np.argsort(-score, kind="stable")[:10] if allowed[i]]
        discount = 1 / np.log2(np.arange(10) + 2)
        got = sum(gains.get(int(i), 0) * d for i, d in zip(best, discount, strict=False))
        of_query.append(got / (np.sort(list(gains.values()))[::-1][:10] * discount[: len(gains)][:10]).sum())
    assert fm.history_["validation"]["ndcg_at_10"][-1] == pytest.approx(np.mean(of_query), abs=1e-9)
    np.testing.assert_array_equal(fm.history_["validation"]["ndcg_at_10"], fm.history_["again"]["ndcg_at_10"])


def stack(query, data):
    """Rows of one query with every item."""
    items = data.blocks[-1].rows
    return sparse.csr_array(sparse.vstack([query] * items.shape[0]) + items)


def test_early_stopping_keeps_the_best_epoch():
    data = make_groups(60, 40, 8)
    held = np.arange(data.n_rows) % 8 == 0
    train, val = data.take(~held), data.take(held)
    fm = FMRanker(8, n_epochs=40, learning_rate=1.0, early_stopping=True, n_iter_no_change=2, random_state=0)
    fm.fit(train, X_val=val)
    ndcg = fm.history_["validation"]["ndcg_at_10"]
    best = int(ndcg.argmax())
    assert len(ndcg) == best + 3
    assert fm.solver_state_.n_epochs == best + 1
    alone = FMRanker(8, n_epochs=best + 1, learning_rate=1.0, random_state=0).fit(train)
    np.testing.assert_array_equal(fm.factors_, alone.factors_)
    split = FMRanker(4, n_epochs=3, early_stopping=True, random_state=0).fit(data)
    assert len(split.history_["validation"]["ndcg_at_10"]) == 3


def test_on_epoch_sees_metrics_and_stops():
    told = []

    def on_epoch(epoch, metrics):
        told.append((epoch, metrics))
        if epoch == 2:
            raise StopTraining

    fm = FMRanker(4, n_epochs=50, random_state=0).fit(make_groups(), on_epoch=on_epoch)
    assert [epoch for epoch, _ in told] == [0, 1, 2]
    assert set(told[0][1]["train"]) == {"loss"}
    assert len(fm.history_["train"]["loss"]) == 3


def test_ctrl_c_leaves_the_estimator_as_it_was():
    rng = np.random.default_rng(0)
    user, item = rng.integers(0, 2000, 100_000), rng.integers(0, 1500, 100_000)
    data = of_ids(user, item, np.ones(len(user)), 2000, 1500)
    fm = FMRanker(64, n_epochs=1, n_negatives=2, random_state=0).fit(data.take(np.arange(500)))
    before = fm.factors_.copy()
    fm.set_params(n_epochs=1000, n_negatives=100)
    timer = threading.Timer(0.5, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        fm.fit(data)
    timer.join()
    np.testing.assert_array_equal(fm.factors_, before)
    assert fm.fit(data.take(np.arange(100)), on_epoch=stop_at_once).factors_.shape == before.shape


def stop_at_once(epoch, metrics):
    raise StopTraining


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"loss": "hinge"}, "loss must be one of 'softmax', 'bpr', 'warp', got 'hinge'"),
        ({"solver": "sgd"}, "solver must be"),
        ({"negative_sampling": "hard"}, "negative_sampling must be 'uniform' or 'popularity', got 'hard'"),
        ({"n_negatives": 0}, "n_negatives must be an integer of at least 1, got 0"),
        ({"n_negatives": 2**40}, "n_negatives"),
        ({"n_epochs": 0}, "n_epochs must be an integer of at least 1"),
        ({"batch_size": 1.5}, "batch_size must be an integer of at least 1, got 1.5"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"learning_rate": {"genre": 0.1}}, "learning_rate names no field 'genre'"),
        ({"l2_factors": {"user": -1}}, "l2_factors['user'] must be"),
        ({"init_scale": np.nan}, "init_scale must be"),
        ({"verbose": "loud"}, "verbose must be"),
        ({"unobserved_weight": 0.5}, "unobserved_weight"),
    ],
)
def test_settings_that_are_refused(settings, part):
    with pytest.raises(DataError, match=re.escape(part)):
        FMRanker(4, **settings).fit(make_groups())


def test_rows_that_are_refused():
    data = make_groups()
    fm = FMRanker(4, n_epochs=1)
    with pytest.raises(DataError, match=r"target\[2\] is -1.0: a ranker's targets are grades"):
        fm.fit(replace(data, target=np.where(np.arange(data.n_rows) == 2, -1.0, 1.0)))
    with pytest.raises(DataError, match=r"target\[1\] is nan"):
        fm.fit(replace(data, target=np.where(np.arange(data.n_rows) == 1, np.nan, 1.0)))
    with pytest.raises(DataError, match="no row has a target above 0"):
        fm.fit(replace(data, target=np.zeros(data.n_rows)))
    with pytest.raises(DataError, match="a target times its weight is 1e-60, which float32 cannot hold"):
        fm.fit(replace(data, target=np.full(data.n_rows, 1e-60)))
    with pytest.raises(DataError, match="needs negatives=NegativeSampling"):
        fm.fit(replace(data, negatives=None))
    everything = sparse.csr_array(np.ones(data.negatives.seen.shape))
    with pytest.raises(DataError, match="has seen every item: there is nothing to rank"):
        fm.fit(replace(data, negatives=NegativeSampling(1, everything)))
    with pytest.raises(DataError, match="pass no y"):
        fm.fit(data, np.ones(data.n_rows))
    fm.fit(data)
    with pytest.raises(DataError, match="validation has no row with a target above 0"):
        fm.fit(data, X_val=replace(data, target=np.zeros(data.n_rows)))
    with pytest.raises(DataError, match="the TrainingSet has 71 features, expected 70"):
        fm.fit(data, X_val=make_groups(41))


def test_a_rate_that_diverges_is_named():
    with pytest.raises(DivergenceError, match=r"diverged in epoch \d: .* lower learning_rate"):
        FMRanker(4, learning_rate=1e30, random_state=0).fit(make_groups())


def test_scores_are_those_of_the_parameters():
    data = make_sides(negatives=1)
    fm = FMRanker(4, n_epochs=2, random_state=0).fit(replace(data, target=np.ones(data.n_rows)))
    np.testing.assert_array_equal(fm.predict(data), fm.decision_function(data))
    np.testing.assert_allclose(fm.predict(data), fm.parameters_.decision_function(data.to_csr()), rtol=1e-5, atol=1e-6)
    assert fm.parameters_.n_query_features == data.n_query_features
    assert not fm.linear_[: data.n_query_features].any()
