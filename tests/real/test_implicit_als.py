"""Implicit ALS on MovieLens 100K: lists, and explanations that reproduce the model."""

from __future__ import annotations

import pytest

from factorec import FMRanker, Recommender

# What a rating below 4 is worth beside one of 4 and more.
GRADES = {1: 0.2, 2: 0.2, 3: 0.5}


def fitted(data, **settings):
    rec = Recommender(
        FMRanker(solver="ials", random_state=0, **settings), title=None, like_threshold=4, soft_positives=GRADES
    )
    return rec.fit(data.train)


def test_lists_are_far_better_than_the_most_popular_films(movielens_ua):
    found = fitted(movielens_ua).evaluate(movielens_ua.test, n=10).to_dict()["groups"]["all"]["contenders"]
    assert found["model"]["ndcg@10"] > 0.315
    assert found["popularity"]["ndcg@10"] < 0.135


def test_at_convergence_ratings_explain_the_whole_score(movielens_ua):
    rec = fitted(movielens_ua, n_factors=16, n_epochs=150)
    best = rec.recommend([1, 5, 300, 700], n=1).to_frame()
    for user, item in zip(best["user_id"], best["item_id"], strict=True):
        assert rec.explain(user=user, item=item).gap == pytest.approx(0, abs=1e-4)
