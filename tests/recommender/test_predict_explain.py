"""Predictions and explanations of a fitted recommender."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import factorec as fr
from factorec.errors import DataError, UnknownIdError

from .conftest import MODELS


def test_predictions_are_probabilities_or_clipped_ratings(fitted, test_rows):
    scores = fitted.decision_function(test_rows)
    if isinstance(fitted.estimator_, fr.FMClassifier):
        assert np.allclose(fitted.predict(test_rows), expit(scores))
    else:
        assert np.array_equal(fitted.predict(test_rows), np.clip(scores, 1, 5))


def test_unknown_ids_count_as_average_and_are_counted(likes):
    user, item = likes.encoder_.users_.ids[0], likes.encoder_.items_.ids[0]
    with pytest.warns(UserWarning, match="2 of 3 rows have a user that the model does not know"):
        scores = likes.decision_function({"user_id": [1, user, 2], "item_id": [item] * 3})
    assert (
        scores[0]
        == scores[2]
        == pytest.approx(likes.estimator_.bias_ + likes.estimator_.linear_[len(likes.encoder_.users_)], rel=1e-6)
    )


def test_a_table_without_rows_is_refused(fitted):
    for method in (fitted.decision_function, fitted.predict):
        with pytest.raises(DataError, match="no rows to score"):
            method({"user_id": [], "item_id": []})


def test_explanations_add_up_and_are_in_the_callers_terms(fitted, train):
    user = train["user_id"][np.argmax(train["rating"])]
    top = fitted.recommend([user], n=1)
    why = fitted.explain(user, top.item_ids[0, 0], noun="film")
    total = why.rest + why.impact.sum() + (why.background or 0.0)
    assert total == pytest.approx(why.resolved_score, abs=1e-9)
    assert why.score == pytest.approx(top.scores[0, 0], rel=1e-5)
    assert (why.background is not None) == bool(fitted.negatives)
    mine = train["user_id"] == user
    rated = dict(zip(train["item_id"][mine].tolist(), train["rating"][mine].tolist(), strict=True))
    for line in why.contributions:
        assert line["rating"] == rated[line["item_id"]]
        assert line["title"] == f"Film {line['item_id']}"
    learned = {item for item, rating in rated.items() if not fitted.negatives or rating >= 4}
    assert set(why.contributions["item_id"].tolist()) == learned
    assert "Film" in repr(why)


def test_the_published_formula(likes):
    user, item = likes.encoder_.users_.ids[5], likes.encoder_.items_.ids[5]
    assert likes.explain(user, item, method="paper").method == "paper"


def test_a_rated_item_is_left_out_of_its_own_solve(likes, train):
    user, item = train["user_id"][0], train["item_id"][0]
    why = likes.explain(user, item)
    assert why.left_out
    assert item not in why.contributions["item_id"]


def test_re_solved_scores_rank_as_the_model_does():
    """With enough epochs to be at a minimum, explained and model scores agree."""
    from .conftest import make_table

    rec = MODELS["negatives"]().set_params(estimator__n_epochs=60).fit(make_table())
    overlaps = []
    for user in rec.encoder_.users_.ids[np.bincount(rec.interactions_.users(), rec.interactions_.weight) >= 6]:
        top = rec.recommend([user], n=40)[user]["item_id"]
        resolved = [rec.explain(user, item).resolved_score for item in top]
        best = set(top[np.argsort(resolved)[::-1][:5]].tolist())
        overlaps.append(len(best & set(top[:5].tolist())) / 5)
    assert len(overlaps) >= 10
    assert np.mean(overlaps) > 0.75


def test_what_cannot_be_explained_says_why(likes, negatives, train):
    user, item = train["user_id"][0], train["item_id"][0]
    with pytest.raises(UnknownIdError, match="unknown user id: 5"):
        likes.explain(5, item)
    with pytest.raises(UnknownIdError, match="unknown item id: 5"):
        likes.explain(user, 5)
    with pytest.raises(DataError, match="method"):
        likes.explain(user, item, method="shap")


def test_a_user_from_whom_nothing_was_learned_gets_the_parts_and_the_reason(train):
    item = train["item_id"][0]
    extra = {"user_id": [1, 2], "item_id": [item, item], "rating": [1, 5]}
    rec = MODELS["negatives"]().fit({name: np.append(train[name], extra[name]) for name in train})
    for user, reason in (
        (1, "learned from nothing that this user did"),
        (2, "all that the model learned from this user"),
    ):
        why = rec.explain(user, item)
        assert reason in why.unexplained
        assert reason in repr(why)
        assert reason in why.to_html()
        assert len(why.contributions) == 0
        assert why.parts.score == why.score == why.resolved_score == why.rest
        assert why.score == pytest.approx(rec.decision_function({"user_id": [user], "item_id": [item]})[0], rel=1e-5)
