"""Likes of MovieLens 100K's ua split: what point estimates are promised to reach on its test rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from factorec.fm import FMOrdinal, TrainingSet


def training_set(table):
    user, item = np.asarray(table["user_id"]) - 1, np.asarray(table["item_id"]) - 1
    return TrainingSet.from_ids(user, item, np.asarray(table["rating"], float), n_users=943, n_items=1682)


@pytest.mark.parametrize(("options", "bar"), [({}, 0.554), ({"n_seeds": 4}, 0.551)], ids=str)
def test_likes_read_off_ordered_ratings(movielens_ua, options, bar):
    train, test = training_set(movielens_ua.train), training_set(movielens_ua.test)
    model = FMOrdinal(cut_weights={4: 2}, random_state=0, **options).fit(train)
    like = model.predict_proba_at_least(test, 4)
    assert log_loss(test.target >= 4, like) <= bar
    # Calibrated: of the rows with a probability near p about the share p are likes.
    for low in (0.2, 0.4, 0.6, 0.8):
        near = (like >= low - 0.1) & (like < low + 0.1)
        assert (test.target[near] >= 4).mean() == pytest.approx(like[near].mean(), abs=0.05)
