"""Lists cut at a score or a probability, and what is like what."""

from __future__ import annotations

import numpy as np
import pytest

import factorec as fr
from factorec.errors import DataError, UnknownIdError


def all_scores(rec, user):
    items = rec.encoder_.items_.ids
    return items, rec.decision_function({"user_id": np.full(len(items), user), "item_id": items})


def test_thresholds_shorten_lists(fitted):
    """Promise 4: what is below is not there, and counts say how many are left."""
    whole = fitted.recommend(n=12)
    threshold = float(np.median(whole.scores))
    top = fitted.recommend(n=12, min_score=threshold)
    assert np.array_equal(top.counts, (whole.scores >= threshold).sum(axis=1))
    assert 0 < top.counts.sum() < whole.counts.sum()
    for row, count in enumerate(top.counts):
        assert np.array_equal(top.item_ids[row, :count], whole.item_ids[row, :count])
        assert (top.item_ids[row, count:] == -1).all()
        assert np.isneginf(top.scores[row, count:]).all()
    assert np.array_equal(fitted.recommend(n=12, min_score=-np.inf).scores, whole.scores)
    assert not fitted.recommend(n=12, min_score=np.inf).counts.any()


def test_a_probability_as_threshold(likes, fitted):
    if not isinstance(fitted.estimator_, fr.FMClassifier):
        with pytest.raises(DataError, match="min_probability needs a classifier"):
            fitted.recommend(min_probability=0.5)
        return
    top = fitted.recommend(n=40, min_probability=0.6)
    for row, user in enumerate(top.user_ids[:10]):
        items, scores = all_scores(fitted, user)
        likely = items[1 / (1 + np.exp(-scores)) >= 0.6]
        unseen = np.isin(likely, fitted.recommend([user], n=40)[user]["item_id"])
        assert set(top.item_ids[row, : top.counts[row]]) == set(likely[unseen])
    assert np.array_equal(fitted.recommend(n=5, min_probability=0).scores, fitted.recommend(n=5).scores)
    assert not fitted.recommend(n=5, min_probability=1).counts.any()
    both = fitted.recommend(n=40, min_probability=0.6, min_score=1.0)
    assert np.array_equal(both.scores, fitted.recommend(n=40, min_score=1.0).scores)


def test_a_threshold_on_popular_lists_closes_the_gaps(likes):
    whole = likes.recommend([5], n=10, unknown="popular")
    threshold = float(np.sort(whole.scores[0])[5])  # in the middle, somewhere in the list
    top = likes.recommend([5], n=10, unknown="popular", min_score=threshold)
    kept = whole.scores[0] >= threshold
    assert top.item_ids[0, : top.counts[0]].tolist() == whole.item_ids[0, kept].tolist()


def test_similar_items(likes):
    items = likes.encoder_.items_.ids
    vectors = likes.estimator_.parameters_.factors[len(likes.encoder_.users_) :].astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar = likes.similar_items(items[3], n=4)
    cosine = vectors @ vectors[3]
    cosine[3] = -np.inf
    expected = np.argsort(-cosine)[:4]
    assert similar.item_ids[0].tolist() == items[expected].tolist()
    assert np.allclose(similar.scores[0], cosine[expected], atol=1e-6)
    assert list(similar.to_columns()) == ["item_id", "rank", "similar_item_id", "title", "score"]
    assert len(likes.similar_items(items[:3])) == 3
    with pytest.raises(UnknownIdError, match="unknown item id: 1"):
        likes.similar_items(1)


def test_similar_users(fitted):
    users = fitted.encoder_.users_.ids
    vectors = fitted.estimator_.parameters_.factors[: len(users)].astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)  # a user without likes, where only likes are learned from
    similar = fitted.similar_users(users[3], n=4)
    cosine = vectors @ vectors[3]
    cosine[3] = -np.inf
    expected = np.argsort(-cosine)[:4]
    assert similar.item_ids[0].tolist() == users[expected].tolist()
    assert np.allclose(similar.scores[0], cosine[expected], atol=1e-6)
    assert list(similar.to_columns()) == ["user_id", "rank", "similar_user_id", "score"]
    with pytest.raises(UnknownIdError, match="unknown user id: 1"):
        fitted.similar_users(1)
    with pytest.raises(DataError, match="n must be"):
        fitted.similar_users(users[0], n=0)
