"""The seeds' pipeline: item vectors [V, w] in the managed k-NN, user vectors [V, 1] as its queries."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from factorec import FMClassifier, ItemIndex
from factorec.sagemaker import KNN, invoke

GIVEN = {
    "feature_dim": "65",
    "k": "100",
    "sample_size": "1682",
    "predictor_type": "classifier",
    "index_metric": "INNER_PRODUCT",
}
N_USERS, N_ITEMS = 943, 1682


@pytest.fixture(scope="module")
def vectors(movielens_ua):
    """Item vectors [V, w] and user vectors [V, 1] of a factorization machine of ua.base, one-hot."""
    train = movielens_ua.train
    columns = np.stack([train["user_id"] - 1, N_USERS + train["item_id"] - 1], axis=1)
    ones = np.ones(columns.size, np.float32)
    starts = np.arange(0, columns.size + 1, 2)
    X = sparse.csr_array((ones, columns.ravel(), starts), shape=(len(train), N_USERS + N_ITEMS))
    p = FMClassifier(n_factors=64, n_epochs=5, random_state=0).fit(X, train["rating"] >= 4).parameters_
    items = np.column_stack([p.factors[N_USERS:], p.linear[N_USERS:]])
    users = np.column_stack([p.factors[:N_USERS], np.ones(N_USERS, np.float32)])
    return p, items, users


def test_neighbours_are_the_native_lists_reversed(vectors, tmp_path):
    p, items, users = vectors
    knn = KNN(GIVEN).fit(items, np.arange(1, N_ITEMS + 1))
    ids, scores = ItemIndex(items).search(users, 100)
    answer = knn.predict(users, verbose=True)
    np.testing.assert_array_equal(answer["labels"], ids[:, ::-1] + 1)
    np.testing.assert_array_equal(answer["distances"], scores[:, ::-1])
    np.testing.assert_array_equal(knn.neighbors(users)[0], ids + 1)

    # The last coordinate is the item's offset: the same as the library's own way, but for the last bits.
    own = ItemIndex(p.factors[N_USERS:], offsets=p.linear[N_USERS:]).search(p.factors[:N_USERS], 100)
    np.testing.assert_allclose(own.scores, scores, rtol=1e-5, atol=1e-6)

    knn.save_artifact(tmp_path / "model.tar.gz")
    loaded = KNN.from_artifact(tmp_path / "model.tar.gz").predict(users, verbose=True)
    for name, values in answer.items():
        np.testing.assert_array_equal(loaded[name], values)


def test_a_request_is_answered_as_the_notebook_reads_it(vectors):
    """Mistake 1 of the notebooks: what comes first is the worst of the hundred."""
    _, items, users = vectors
    knn = KNN(GIVEN).fit(items, np.arange(1, N_ITEMS + 1))
    body = "\n".join(json.dumps({"features": user.tolist()}) for user in users[:3]).encode()
    response = invoke(
        knn, body, content_type="application/jsonlines", accept="application/jsonlines; verbose=true"
    ).body.decode()
    lists = [json.loads(line) for line in response.splitlines()]
    assert len(lists) == 3
    best_first, _ = ItemIndex(items).search(users[:3], 100)
    for answer, best in zip(lists, best_first, strict=True):
        assert [int(label) for label in answer["labels"]] == (best[::-1] + 1).tolist()
        assert answer["distances"] == sorted(answer["distances"])
